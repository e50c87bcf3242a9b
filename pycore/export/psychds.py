"""A data set as Psych-DS wants it: what reads it must not ask anybody what a column means.

The tables stand in `data/`, one file each, named by keywords; `dataset_description.json` describes the data set and
every variable in the words of schema.org. A name that columns of several tables have is one variable, with what it is
in each. What only the researcher knows (title, authors, licence, …) comes from a file of theirs.

The rules are those of https://psych-ds.github.io, schema version 1.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pycore.errors import ConfigError, UsageError
from pycore.export.columns import CELLS, TABLES, dictionary
from pycore.version import __version__

DESCRIPTION: Final = "dataset_description.json"
OURS: Final = ("@context", "@type", "variableMeasured")
"""What is written here, whatever the researcher's file says."""
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9]+")


class Contents(NamedTuple):
    """What the tables are of."""

    games: int
    statuses: Mapping[str, int]
    """Number of games by the name of their evidence."""
    environments: list[str]
    """Names of the environments that were played."""
    pseudonyms: bool


def read_described(file: Path | None) -> dict[str, Any]:
    """What the researcher says of the data set: fields of schema.org's Dataset. Raises ConfigError."""
    if file is None:
        return {}
    try:
        values = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{file} is not a JSON object; give one with name, description, author, license, …")
    for name in ("name", "description"):
        if name in values and not (isinstance(values[name], str) and values[name].strip()):
            raise ConfigError(f"the {name} in {file} is {values[name]!r:.60}; it must be a text")
    for name in OURS:
        if name in values:
            raise ConfigError(f"{file} has {name!r}, which the export writes itself; leave it out")
    return values


def free(out: Path) -> None:
    """Refuse a folder that has anything in it: a data set is edited by hand after it was exported."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"{out} is there already, and may have been edited; give a new or an empty folder")


def write(tables: Path, out: Path, described: Mapping[str, Any], of: Contents) -> None:
    """Put the tables of a folder into a data set in another."""
    about = _about(described, of)
    study = _NOT_IN_NAMES.sub("", about["name"]) or "study"
    (out / "data").mkdir()
    for name in TABLES:
        shutil.copyfile(tables / f"{name}.csv", out / "data" / file_of(study, name))
    (out / "documentation").mkdir()
    _json(out / "documentation" / "columns.json", dictionary())
    _json(out / DESCRIPTION, {"@context": "https://schema.org/", "@type": "Dataset", **about, **_variables()})
    (out / "README.md").write_text(_readme(about, study, of), encoding="utf-8")
    (out / "CHANGES.md").write_text(f"# Changes\n\n- Exported by pycore {__version__}.\n", encoding="utf-8")


def file_of(study: str, table: str) -> str:
    """What the file of a table is called."""
    return f"study-{study}_description-{table}_data.csv"


def _about(described: Mapping[str, Any], of: Contents) -> dict[str, Any]:
    played = ", ".join(of.environments) or "games"
    counted = ", ".join(f"{count} {status}" for status, count in sorted(of.statuses.items()))
    what = f"{of.games} game{'s' if of.games != 1 else ''} of {played}, played over the network ({counted})."
    return {"name": played, "description": what, **described}


def _variables() -> dict[str, Any]:
    """Every name of a column with what it is, and in which table, where that is not the same in all."""
    found: dict[str, dict[tuple[str, str], list[str]]] = {}
    units: dict[str, set[str]] = {}
    for table, of in TABLES.items():
        for column in of.columns:
            what = f"{column.what} ({column.type})"
            found.setdefault(column.name, {}).setdefault((what, column.unit), []).append(table)
            units.setdefault(column.name, set()).add(column.unit)
    variables = []
    for name, meanings in found.items():
        if len(meanings) == 1:
            ((what, _),) = meanings
        else:
            what = "; ".join(f"in {' and '.join(tables)}: {each}" for (each, _), tables in meanings.items())
        variable = {"@type": "PropertyValue", "name": name, "description": what}
        if len(units[name]) == 1 and (unit := next(iter(units[name]))):
            variable["unitText"] = unit
        variables.append(variable)
    return {"variableMeasured": variables}


def _readme(about: Mapping[str, Any], study: str, of: Contents) -> str:
    lines = [f"# {about['name']}", "", str(about["description"]), "", "| file in `data/` | a row is |", "|---|---|"]
    lines += [f"| `{file_of(study, name)}` | {table.row} |" for name, table in TABLES.items()]
    lines += ["", f"`{DESCRIPTION}` says what each column is, `documentation/columns.json` also by table.", ""]
    lines += [f"- {'an empty cell' if kind == 'empty' else kind}: {what}" for kind, what in CELLS.items()]
    subjects = "pseudonyms" if of.pseudonyms else "as the study recorded them"
    lines += ["", f"Subject ids are {subjects}. Exported by pycore {__version__}, as a Psych-DS data set.", ""]
    return "\n".join(lines)


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
