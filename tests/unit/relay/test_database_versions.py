"""Databases of every version are opened, brought up to date or refused, and nothing in them is lost."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from click.testing import CliRunner

from pycore.cli import cli
from pycore.errors import UsageError
from pycore.relay.storage import versions
from pycore.relay.storage.store import DataStore, games, metrics, pieces, records
from pycore.relay.storage.versions import SCRIPTS, TABLE, bring_up_to_date, transactional

FIRST = """
CREATE TABLE games (
    game_id VARCHAR(64) NOT NULL, started FLOAT NOT NULL, ended FLOAT, seed BIGINT NOT NULL, players TEXT NOT NULL,
    subjects TEXT NOT NULL, settings TEXT NOT NULL, counts TEXT, PRIMARY KEY (game_id)
);
CREATE TABLE seats (
    game_id VARCHAR(64) NOT NULL, player VARCHAR(128) NOT NULL, session VARCHAR(64) NOT NULL,
    PRIMARY KEY (game_id, player)
);
CREATE TABLE session_metrics (
    game_id VARCHAR(128) NOT NULL, player VARCHAR(128) NOT NULL, episode INTEGER NOT NULL, received FLOAT NOT NULL,
    data TEXT NOT NULL, PRIMARY KEY (game_id, player, episode)
);
CREATE TABLE records (
    game_id VARCHAR(128) NOT NULL, player VARCHAR(128) NOT NULL, episode INTEGER NOT NULL, part INTEGER NOT NULL,
    parts INTEGER NOT NULL, received FLOAT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (game_id, player, episode, part)
);
CREATE TABLE connections (
    game_id VARCHAR(128) NOT NULL, player VARCHAR(128) NOT NULL, remote VARCHAR(128) NOT NULL,
    received FLOAT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (game_id, player, remote)
);
INSERT INTO games VALUES ('g', 1.5, NULL, 7, '[0, 1]', '{"0": "anna", "1": null}', '{"fps": 30}', NULL);
INSERT INTO seats VALUES ('g', '0', 'abc');
INSERT INTO session_metrics VALUES ('g', '0', -1, 2.5, '{"gameId": "g", "playerId": 0}');
INSERT INTO records VALUES ('g', '0', 0, 0, 1, 2.25, X'007B22C3A4FF0A');
INSERT INTO connections VALUES ('g', '0', '1', 3.5, '{}');
"""
"""A database as it was made before there were versions."""

NEXT = """
import sqlalchemy as sa
from alembic import op
{imports}
revision = "{later}"
down_revision = "{newest}"

def upgrade():
    op.add_column("games", sa.Column("note", sa.Text))
    op.create_table("news", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("UPDATE games SET note = 'old'")
    {then}
"""

NEWEST = "0009"
"""The version of today's databases."""
LATER = "9999"

Rows = dict[str, list[tuple[Any, ...]]]


def first(path: Path) -> Path:
    """That database in a file."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(FIRST)
    return path


def rows(path: Path, *, without: tuple[str, ...] = (TABLE,)) -> Rows:
    """Everything in a file, table by table."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: sorted(connection.execute(f"SELECT * FROM {name}")) for name in sorted(names) if name not in without
        }


def kept(before: Rows, after: Rows) -> bool:
    """Whether every row is there with all its columns; later ones may stand behind them."""
    return all(
        [row[: len(before[name][0])] for row in after[name]] == before[name] for name in before
    )


def version(path: Path) -> str | None:
    """The version that a file says it has."""
    found = rows(path, without=()).get(TABLE)
    return None if found is None else found[0][0]


def engine_of(path: Path) -> sa.Engine:
    """As the store opens a file."""
    engine = sa.create_engine(f"sqlite:///{path}")
    transactional(engine)
    return engine


def opened(path: Path, *, create: bool = True, scripts: Path = SCRIPTS) -> list[str]:
    """Open a file; what was told."""
    told: list[str] = []
    engine = engine_of(path)
    try:
        bring_up_to_date(engine, create=create, tell=told.append, scripts=scripts)
    finally:
        engine.dispose()
    return told


def following(folder: Path, then: str = "pass", imports: str = "") -> Path:
    """The scripts and a later version's."""
    scripts = shutil.copytree(SCRIPTS, folder / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "v9999_next.py").write_text(
        NEXT.format(then=then, imports=imports, later=LATER, newest=NEWEST)
    )
    return scripts


def test_the_scripts_make_the_tables_that_the_store_uses(tmp_path: Path) -> None:
    """Alembic finds no difference between a new database and the store's own description."""
    path = tmp_path / "new.db"
    assert opened(path) == []
    engine = engine_of(path)
    with engine.connect() as connection:
        options = {"version_table": TABLE, "compare_type": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), games.metadata) == []
    engine.dispose()


@pytest.mark.slow
@pytest.mark.parametrize("create", [True, False])
def test_a_database_from_before_there_were_versions_keeps_every_byte(tmp_path: Path, create: bool) -> None:
    """It has the first version's tables, so it is of the first version."""
    path = first(tmp_path / "old.db")
    before = rows(path)
    store = DataStore(f"sqlite:///{path}", create=create)
    found = store.read(sa.select(records.c.data))
    store.close()
    assert found == [{"data": b'\x00{"\xc3\xa4\xff\n'}]
    assert kept(before, rows(path))
    assert version(path) == NEWEST


@pytest.mark.slow
def test_an_older_database_is_brought_up_to_date_and_a_copy_is_kept(tmp_path: Path) -> None:
    """Every row is there, and what the later version adds; the copy is the database as it was."""
    path, scripts = first(tmp_path / "study.db"), following(tmp_path)
    before = rows(path)
    told = opened(path, scripts=scripts)
    after = rows(path)
    assert version(path) == LATER
    assert after["games"] == [(*before["games"][0], 0, 1500, "old")]
    assert after["news"] == []
    assert kept(before, after)
    copy = tmp_path / "study.db.before-9999"
    assert rows(copy) == before
    assert told == [
        f"the database sqlite:///{path} is brought from version 0001 to {LATER}; a copy of it as it was is {copy}"
    ]
    assert opened(path, scripts=scripts) == []
    shutil.copy(copy, path)
    assert "before-9999-2" in opened(path, scripts=scripts)[0]
    assert rows(copy) == before


@pytest.mark.slow
def test_metrics_of_before_are_not_those_of_a_running_episode(tmp_path: Path) -> None:
    """What an older pycore stored was stored at an episode's end; pieces are another table, which is empty."""
    path = first(tmp_path / "study.db")
    store = DataStore(f"sqlite:///{path}")
    found = store.read(sa.select(metrics.c.so_far, metrics.c.data))
    nothing = store.read(sa.select(pieces))
    store.close()
    assert found == [{"so_far": False, "data": '{"gameId": "g", "playerId": 0}'}]
    assert nothing == []


@pytest.mark.slow
def test_what_stands_in_the_write_ahead_log_is_in_the_copy(tmp_path: Path) -> None:
    """A study may be running while somebody reads its data with a newer pycore."""
    path, scripts = first(tmp_path / "study.db"), following(tmp_path)
    with contextlib.closing(sqlite3.connect(path)) as running:
        running.execute("PRAGMA journal_mode=WAL")
        running.execute("INSERT INTO seats VALUES ('g', '1', 'def')")
        running.commit()
        assert (tmp_path / "study.db-wal").stat().st_size > 0
        opened(path, create=False, scripts=scripts)
        running.execute("INSERT INTO seats (game_id, player, session) VALUES ('g', '2', 'ghi')")
        running.commit()
    assert rows(tmp_path / "study.db.before-9999")["seats"] == [("g", "0", "abc"), ("g", "1", "def")]
    assert len(rows(path)["seats"]) == 3


@pytest.mark.slow
def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    """No table, no column and no row of it stays."""
    path = first(tmp_path / "study.db")
    scripts = following(tmp_path, 'op.execute("UPDATE nowhere SET x = 1")')
    before = rows(path)
    with pytest.raises(UsageError, match=r"of version 0001 and cannot be brought to 9999: no such table: nowhere"):
        opened(path, scripts=scripts)
    assert rows(path) == before
    assert version(path) is None


CHILD = """
import sys
from pathlib import Path
import sqlalchemy as sa
from pycore.relay.storage.versions import bring_up_to_date, transactional
engine = sa.create_engine("sqlite:///" + sys.argv[1])
transactional(engine)
bring_up_to_date(engine, create=True, tell=print, scripts=Path(sys.argv[2]))
"""


def child(path: Path, scripts: Path) -> subprocess.Popen[str]:
    """A process that opens the file."""
    words = [sys.executable, "-c", CHILD, str(path), str(scripts)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_migration_that_is_killed_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    """The next one to open it does the work."""
    path = first(tmp_path / "study.db")
    before = rows(path)
    process = child(path, following(tmp_path / "killed", "os._exit(9)", "import os"))
    process.communicate(timeout=60)
    assert process.returncode == 9
    assert rows(path) == before
    opened(path, scripts=following(tmp_path / "whole"))
    assert version(path) == LATER
    assert rows(path)["games"] == [(*before["games"][0], 0, 1500, "old")]


@pytest.mark.slow
def test_of_two_processes_at_once_one_does_the_work(tmp_path: Path) -> None:
    """The other one waits, and finds it done."""
    path, scripts = first(tmp_path / "study.db"), following(tmp_path, "time.sleep(0.5)", "import time")
    processes = [child(path, scripts) for _ in range(3)]
    said = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert sorted(len(out.splitlines()) for out, _ in said) == [0, 0, 1]
    assert [file.name for file in tmp_path.glob("study.db.*")] == ["study.db.before-9999"]
    assert version(path) == LATER


def test_a_newer_database_is_refused_by_its_version(tmp_path: Path) -> None:
    """It is not written to."""
    path = tmp_path / "study.db"
    opened(path, scripts=following(tmp_path))
    data = path.read_bytes()
    for create in (True, False):
        refused = rf"is of version 9999; .* up to {NEWEST}\. Open it with .* or a newer one"
        with pytest.raises(UsageError, match=refused):
            opened(path, create=create)
    assert path.read_bytes() == data


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("CREATE TABLE notes (id INTEGER)", "has tables of something else: notes"),
        ("CREATE TABLE alembic_version (version_num TEXT); INSERT INTO alembic_version VALUES ('9')", "something else"),
        ("CREATE TABLE games (id INTEGER)", "lacks the tables connections, records, seats, session_metrics"),
        (FIRST + "ALTER TABLE records ADD COLUMN x TEXT", "has other columns in the tables records"),
        (FIRST.replace("seed BIGINT", "seed TEXT"), "has other columns in the tables games"),
    ],
)
@pytest.mark.parametrize("create", [True, False])
def test_a_database_of_something_else_is_refused(tmp_path: Path, script: str, message: str, create: bool) -> None:
    """And not written to."""
    path = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    before = rows(path, without=())
    with pytest.raises(UsageError, match="give another file or database") as caught:
        opened(path, create=create)
    assert message in str(caught.value)
    assert rows(path, without=()) == before


def test_reading_needs_a_database_with_something_in_it(tmp_path: Path) -> None:
    """An empty file is not made one by looking into it."""
    path = tmp_path / "empty.db"
    path.touch()
    with pytest.raises(UsageError, match="has no tables of pycore's"):
        opened(path, create=False)
    assert path.read_bytes() == b""


@pytest.mark.slow
def test_a_database_that_may_only_be_read_is_read_if_it_is_up_to_date(tmp_path: Path) -> None:
    """An older one is refused with what to do, and what is there is as before."""
    path, scripts = first(tmp_path / "study.db"), following(tmp_path)
    opened(path)
    data = path.read_bytes()
    engine = engine_of(path)
    sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only = 1"))
    bring_up_to_date(engine, create=False, tell=pytest.fail)
    told: list[str] = []
    with pytest.raises(UsageError, match=r"cannot be brought to 9999: attempt to write a readonly database; nothing"):
        bring_up_to_date(engine, create=False, tell=told.append, scripts=scripts)
    engine.dispose()
    assert path.read_bytes() == data


@pytest.mark.slow
def test_no_room_for_the_copy_stops_it_before_anything_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, or a folder that may not be written to."""
    path, scripts = first(tmp_path / "study.db"), following(tmp_path)
    before = rows(path)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(versions.os, "replace", full)
        with pytest.raises(UsageError, match=r"cannot be copied before: .*No space left on device"):
            opened(path, scripts=scripts)
    assert rows(path) == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["migrations", "study.db"]


@pytest.mark.slow
def test_commands_that_read_bring_the_database_up_to_date_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`pycore data` of an older database lists what is in it."""
    path = first(tmp_path / "study.db")
    options: dict[str, Any] = bring_up_to_date.__kwdefaults__
    monkeypatch.setitem(options, "scripts", following(tmp_path))
    with caplog.at_level(logging.WARNING, "pycore.relay"):
        result = CliRunner().invoke(cli, ["data", "--database", f"sqlite:///{path}"])
    assert result.exit_code == 0, result.output
    assert "anna" in result.output
    assert f"from version 0001 to {LATER}" in caplog.text
    assert version(path) == LATER


def test_databases_that_are_opened_at_once_have_each_its_own_tables(tmp_path: Path) -> None:
    """Several processes do so beside each other, and threads of one: what Alembic runs knows one connection."""
    files = [tmp_path / f"{number}.db" for number in range(8)]
    with ThreadPoolExecutor(len(files)) as threads:
        list(threads.map(opened, files))
    assert [version(file) for file in files] == [NEWEST] * len(files)
