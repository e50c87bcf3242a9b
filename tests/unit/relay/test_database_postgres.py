"""PostgreSQL has the same tables as SQLite, made by the same scripts, and is brought up to date in the same way."""

from __future__ import annotations

import logging
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from click.testing import CliRunner
from test_data_command import listing_between
from test_database_versions import FIRST, NEWEST

from pycore.cli import cli
from pycore.errors import UsageError
from pycore.relay.storage.store import DataStore, games, metrics, records
from pycore.relay.storage.versions import SCRIPTS, TABLE, Migrations
from tools.postgres import Postgres


def version(url: str) -> str:
    """The version that a database says it has."""
    return str(told(url, f"SELECT version_num FROM {TABLE}")[0][0])


def told(url: str, *statements: str) -> list[tuple[object, ...]]:
    """What the last of some statements gives."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            found = connection.exec_driver_sql(statement)
        rows = [tuple(row) for row in found] if found.returns_rows else []
    engine.dispose()
    return rows


def first(url: str) -> None:
    """The tables of the first version, and something in them."""
    script = FIRST.replace("BLOB", "BYTEA").replace("X'007B22C3A4FF0A'", "'\\x007B22C3A4FF0A'")
    told(url, *(statement for statement in script.split(";") if statement.strip()))


@pytest.mark.slow
def test_the_scripts_make_the_tables_that_the_store_uses(postgres: Postgres) -> None:
    """Alembic finds no difference between a new database and the store's own description."""
    url = postgres.database()
    DataStore(url).close()
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        options = {"version_table": TABLE, "compare_type": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), games.metadata) == []
    engine.dispose()


@pytest.mark.slow
def test_a_machine_that_is_busy_while_a_database_is_brought_up_to_date_breaks_nothing_off(postgres: Postgres) -> None:
    """A relay's limits are for stores: a step may take longer, and so may what lies between two."""
    limits = "-c statement_timeout=50 -c idle_in_transaction_session_timeout=50"
    engine = sa.create_engine(postgres.database(), connect_args={"options": limits})
    try:
        with Migrations(engine, True, str, SCRIPTS).alone() as connection:
            time.sleep(0.3)
            assert connection.execute(sa.text("SELECT 1 FROM pg_sleep(0.2)")).scalar() == 1
        with engine.connect() as connection:
            assert connection.execute(sa.text("SHOW statement_timeout")).scalar() == "50ms"
    finally:
        engine.dispose()


@pytest.mark.slow
def test_a_database_of_the_first_version_keeps_every_row(
    postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    """There is no file to copy, which is said."""
    url = postgres.database()
    first(url)
    with caplog.at_level(logging.WARNING, "pycore.relay"):
        store = DataStore(url)
    assert f"from version 0001 to {NEWEST}; there is no copy of it" in caplog.text
    assert store.read(sa.select(records.c.data)) == [{"data": b'\x00{"\xc3\xa4\xff\n'}]
    assert store.read(sa.select(metrics.c.so_far)) == [{"so_far": False}]
    assert store.read(sa.select(games.c.game_id, games.c.restarts)) == [{"game_id": "g", "restarts": 0}]
    store.close()
    assert version(url) == NEWEST


CHILD = "import sys; from pycore.relay.storage.store import DataStore; DataStore(sys.argv[1]).close()"


@pytest.mark.slow
def test_of_processes_that_open_a_new_database_at_once_one_makes_the_tables(postgres: Postgres) -> None:
    """The others wait for it."""
    url = postgres.database()
    processes = [subprocess.Popen([sys.executable, "-c", CHILD, url], stderr=subprocess.PIPE) for _ in range(3)]
    said = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert version(url) == NEWEST


@pytest.mark.slow
def test_a_newer_database_is_refused_by_its_version(postgres: Postgres) -> None:
    """And so is one without pycore's tables, where they are only to be read; others' tables do not matter."""
    url = postgres.database()
    told(url, "CREATE TABLE somebodys (id INTEGER)")
    with pytest.raises(UsageError, match="has no tables of pycore's"):
        DataStore(url, create=False)
    DataStore(url).close()
    told(url, f"UPDATE {TABLE} SET version_num = '9999'")
    with pytest.raises(UsageError, match=r"is of version 9999; .* or a newer one"):
        DataStore(url)


def test_a_wrong_address_and_a_wrong_driver_are_told_with_what_to_do(postgres: Postgres) -> None:
    """Without the password, and without a traceback."""
    nowhere = f"postgresql+psycopg://somebody:secret@127.0.0.1:{postgres.port}/nowhere"
    for url, said in (
        (nowhere, "cannot write to the database postgresql+psycopg://somebody:***@"),
        ("postgresql+pg8000://somebody:secret@127.0.0.1/x", "pip install 'interactive-gym-pycore[postgres]'"),
    ):
        done = CliRunner().invoke(cli, ["relay", "--port", "0", "--database", url])
        assert done.exit_code == 2, done.output
        assert said in " ".join(done.output.split())
        assert "secret" not in done.output


@pytest.mark.slow
def test_games_are_listed_as_at_one_moment(postgres: Postgres) -> None:
    """As in a file: there a transaction has one moment, here only where it is asked for."""
    listing_between(postgres.database(), "seats")
