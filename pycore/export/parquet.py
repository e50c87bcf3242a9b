"""Tables as Parquet, made by duckdb of the CSV: with types, without apostrophes; nothing is null, and what is no such
number."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pycore.errors import PycoreError, UsageError
from pycore.export.columns import TABLES
from pycore.export.described import Column

LONGEST: Final = 1 << 27
"""Bytes of a row; infos may be large."""
TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {"text": "VARCHAR", "json": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN"}
)


class ParquetFailed(PycoreError):
    """duckdb could not write a table."""

    code = "parquet"


def engine() -> Any:
    """duckdb; UsageError with the line that installs it, where it is not installed."""
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise UsageError(
            "duckdb is not installed; --parquet needs: pip install 'interactive-gym-pycore[study]'"
        ) from error
    return duckdb


def write(tables: Path, out: Path) -> None:
    """Write the tables of a folder as Parquet into another."""
    duckdb = engine()
    connection = duckdb.connect(":memory:")
    try:
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET threads = 1")
        for name, table in TABLES.items():
            source, target = tables / f"{name}.csv", out / f"{name}.parquet"
            read = ", ".join(f"{_text(column.name)}: 'VARCHAR'" for column in table.columns)
            wanted = ", ".join(_cast(column) for column in table.columns)
            connection.execute(
                f"COPY (SELECT {wanted} FROM read_csv({_text(str(source))}, columns = {{{read}}}, header = true, "
                f"auto_detect = false, delim = ',', quote = '\"', escape = '\"', nullstr = '', parallel = false, "
                f"max_line_size = {LONGEST}, buffer_size = {2 * LONGEST})) TO {_text(str(target))} (FORMAT parquet)"
            )
    except duckdb.Error as error:
        raise ParquetFailed(f"duckdb cannot write {name}.parquet: {str(error).splitlines()[0]}") from error
    finally:
        connection.close()


def _cast(column: Column[Any]) -> str:
    name = '"' + column.name + '"'
    bare = name if column.type == "boolean" else f"CASE WHEN {name}[1] = '''' THEN {name}[2:] ELSE {name} END"
    # Pages say many of the numbers, and may say any: one that fits no column of numbers fails nobody's table.
    return f"TRY_CAST({bare} AS {TYPES[column.type]}) AS {name}"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
