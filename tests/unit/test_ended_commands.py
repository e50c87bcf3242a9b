"""A command that is ended, or goes wrong in the middle, leaves nothing half, nobody running, and nothing replaced."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from records_support import forgotten, stored  # noqa: F401

from pycore.audit import running
from pycore.cli import cli
from pycore.cli.told import told

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


def said(*arguments: str | Path) -> tuple[int, str]:
    """Exit status and output of a command."""
    result = CliRunner().invoke(cli, [str(each) for each in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


@needs_signals
@pytest.mark.parametrize("number", [signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)])
def test_a_command_that_is_asked_to_end_puts_its_things_away_and_ends_by_that_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """A folder of half an export, with subject ids in it, lay beside the tables for good."""
    raised: list[int] = []

    @click.command()
    @told
    def slow() -> None:
        half = tmp_path / "half"
        half.touch()
        try:
            os.kill(os.getpid(), number)
        finally:
            half.unlink()

    before = signal.signal(number, signal.SIG_DFL)
    monkeypatch.setattr(signal, "raise_signal", raised.append)
    try:
        assert CliRunner().invoke(slow).exit_code == 128 + number
        assert signal.getsignal(number) is signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN)  # as `nohup` has it
        assert CliRunner().invoke(slow).exit_code == 0
    finally:
        signal.signal(number, before)
    assert raised == [number]
    assert list(tmp_path.iterdir()) == []


@needs_signals
def test_a_command_is_asked_to_end_in_the_middle_of_an_event_loops_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A callback of the loop was what ended, and the command went on."""

    @click.command()
    @told
    def slow() -> None:
        async def work() -> None:
            asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.1)

        asyncio.run(work())

    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    monkeypatch.setattr(signal, "raise_signal", lambda number: None)
    try:
        assert CliRunner().invoke(slow).exit_code == 128 + signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, before)


@needs_signals
def test_an_environment_that_hangs_does_not_outlive_its_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever ended the audit left a process that took a processor for good."""
    children: list[Any] = []

    def ended(_subject: str, process: Any, *_: Any) -> None:
        children.append(process)
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "_gathered", ended)
    (tmp_path / "env.py").write_text("import time\n\n\ndef make_env():\n    time.sleep(60)\n")
    with pytest.raises(KeyboardInterrupt):
        running.audit(f"{tmp_path / 'env.py'}:make_env")
    (child,) = children
    assert child.returncode == -signal.SIGKILL


@pytest.mark.parametrize("folders", [("t", "t/p", "u"), ("t/c", "t", "u"), ("u", "t", "t/p"), ("u/p", "t", "u")])
def test_tables_within_each_other_are_refused_before_anything_is_replaced(
    tmp_path: Path, folders: tuple[str, str, str]
) -> None:
    """A folder is replaced as a whole: the tables in it were gone, and the command said that they are there."""
    pytest.importorskip("duckdb")
    game = stored(tmp_path / "game", about=True)
    given = [
        word for option, name in zip(("--csv", "--parquet", "--psych-ds"), folders, strict=True)
        for word in (option, tmp_path / name)
    ]  # fmt: skip
    status, text = said("export", game, *given)
    assert status == 2
    assert "which is replaced as a whole; give places beside each other" in text
    assert [path.name for path in tmp_path.iterdir()] == ["game"]


def test_nothing_that_is_read_or_written_besides_is_replaced(tmp_path: Path) -> None:
    """A range of a record was written over the record, and a report over the mapping of its pseudonyms."""
    game = stored(tmp_path / "game", about=True)
    record, code = game / "trajectory-0.jsonl", game / "game.py"
    text = record.read_text()
    mapping = tmp_path / "mapping.json"
    for words, why in (
        (("replay", record, "--env", code, "--episode", "0", "--out", record), "is what is read, and would be"),
        (("replay", record, "--env", code, "--out", "x", "--html", "x"), "--out and --html are both"),
        (("replay", record, "--env", code, "--out", "p/x", "--frames", "p"), "which is replaced as a whole"),
        (("replay", record, "--env", code, "--html", game / "metrics-0.json"), "is there, and is no page"),
        (("report", game, "--out", mapping, "--pseudonyms", "--mapping", mapping), "--out and --mapping are both"),
        (("report", game, "--out", game / "game.json"), "is there, and is no page"),
        (("report", game, "--out", record), "is there, and is no page"),
    ):
        status, told = said(*words)
        assert (status, why in told) == (2, True), told
    assert record.read_text() == text
    assert json.loads((game / "game.json").read_text())["game_id"] == "mesh"
    page = tmp_path / "report.html"
    assert [said("report", game, "--out", page)[0] for _ in range(2)] == [0, 0]


@pytest.mark.parametrize("link", [False, True])
def test_tables_take_their_place_where_somebody_stands_and_where_a_link_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: bool
) -> None:
    """`--csv .` in a new folder ended with a traceback; a link was replaced by a folder, and led nowhere any more."""
    game, there, tables = stored(tmp_path / "game", about=True), tmp_path / "there", tmp_path / "tables"
    there.mkdir()
    if link:
        tables.symlink_to(there)
    else:
        monkeypatch.chdir(there)
        tables = Path(".")
    number = there.stat().st_ino
    for _ in range(2):
        status, text = said("export", game, "--csv", tables)
        assert status == 0, text
        assert {"columns.json", "frames.csv"} <= {path.name for path in there.iterdir()}
        assert link or there.stat().st_ino == number
    assert tables.is_symlink() is link
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_folder_that_cannot_be_moved_gets_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one at which a disk is mounted."""
    game, tables = stored(tmp_path / "game", about=True), tmp_path / "tables"
    assert said("export", game, "--csv", tables)[0] == 0
    (tables / "frames.csv").write_text("old")
    rename = Path.rename

    def busy(self: Path, target: Any) -> Path:
        if self == tables:
            raise OSError(errno.EBUSY, "Device or resource busy", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", busy)
    assert said("export", game, "--csv", tables)[0] == 0
    assert (tables / "frames.csv").read_text().startswith("game_id,")


@needs_signals
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_what_is_written_may_be_read_by_whom_its_owner_lets(tmp_path: Path, mask: int) -> None:
    """A report, and the folder of an export, were everybody's to read, whatever the umask is."""
    game = stored(tmp_path / "game", about=True)
    before = os.umask(mask)
    try:
        assert said("report", game, "--out", tmp_path / "report.html")[0] == 0
        assert said("export", game, "--csv", tmp_path / "tables")[0] == 0
    finally:
        os.umask(before)
    assert (tmp_path / "report.html").stat().st_mode & 0o777 == 0o666 & ~mask
    assert (tmp_path / "tables").stat().st_mode & 0o777 == 0o777 & ~mask
    assert (tmp_path / "tables" / "sessions.csv").stat().st_mode & 0o777 == 0o666 & ~mask
