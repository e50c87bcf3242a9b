"""`pycore replay`: a record stepped again."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pycore.cli.progress import tracked
from pycore.cli.told import told
from pycore.errors import UsageError
from pycore.factory import find_factory, make_with

if TYPE_CHECKING:
    from pycore.export.stepping import Chosen
    from pycore.records.replay import Difference, Replay

ENV = "package.module:function or FILE.py[:function] that makes the environment; the function is make_env."


@click.command(short_help="Step a record again, and say where something else comes out.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--env", "env", required=True, metavar="FACTORY", help=ENV)
@click.option("--episode", type=click.IntRange(0), help="Verify this episode alone.")
@click.option("--from", "first", type=click.IntRange(0), help="First frame of it to verify.", metavar="F")
@click.option("--to", "last", type=click.IntRange(0), help="Last frame of it to verify.", metavar="G")
@click.option(
    "--settings", type=click.Path(path_type=Path), metavar="FILE",
    help="The game's settings. Default: game.json beside FILE, SETTINGS of the environment's module, the defaults, "
    "whichever are those of the record.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write the verified lines there, if all are true.", metavar="FILE"
)
@click.option("--json", "as_json", is_flag=True, help="Say it as one JSON object.")
@told
def replay(
    file: Path, env: str, episode: int | None, first: int | None, last: int | None, settings: Path | None,
    out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Step the record FILE (trajectory-*.jsonl) again with nothing but its actions.

    Every row and every hash is compared with what the environment gives here; the first difference is told with the
    fields that differ. Of an episode or a range everything before is stepped too, and not compared. Nothing behind the
    range is stepped.

    Exit status 0: all is the same; 1: something differs; 2: a mistake in the call, or a file that cannot be read.
    """
    from pycore.export.files import open_record
    from pycore.export.stepping import settings_for, simulation_for
    from pycore.records.replay import started

    if episode is None and (first is not None or last is not None):
        raise UsageError("--from and --to are frames of an episode; give --episode too")
    if first is not None and last is not None and first > last:
        raise UsageError(f"--from {first} comes after --to {last}")
    reading = open_record(file)
    # What an environment prints belongs to nobody who reads our output.
    with contextlib.redirect_stdout(sys.stderr):
        found = find_factory(env)
        chosen = settings_for(reading.header, settings, found.module, file.parent)
        simulation, codecs = simulation_for(reading.header, lambda: make_with(found.make, env), chosen.settings)
        done = started(episode, first or 0, last)
        items = done.run(tracked(reading, f"replaying {file.name}"), simulation, codecs)
        if out is None:
            for _ in items:
                pass
        else:
            _write(out, (item.text for item in items), reading.header_text, done)
    if done.difference is None and done.frames == 0:
        there = ", ".join(f"{number} has {length}" for number, length in enumerate(reading.lengths)) or "it has none"
        raise UsageError(f"{file} has no such frame; frames by episode: {there:.200}")
    result = {
        "file": str(file),
        "game_id": reading.header.get("game_id"),
        "true": done.difference is None,
        "episodes": len(reading.lengths),
        "frames": done.frames,
        "hashes": done.hashes,
        "settings": {"source": chosen.source, "those_of_the_game": chosen.fit},
        "difference": difference_json(done.difference),
    }
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
    else:
        _say(file, done, chosen)
    if done.difference is not None:
        raise SystemExit(1)


def difference_json(difference: Difference | None) -> dict[str, Any] | None:
    """A difference as a script wants it."""
    if difference is None:
        return None
    from pycore.records.replay import shown

    return {
        "kind": difference.kind,
        "episode": difference.episode,
        "frame": difference.frame,
        "recorded": difference.recorded,
        "here": difference.here,
        "fields": [
            {"path": path, "recorded": shown(one), "here": shown(other)} for path, one, other in difference.fields
        ],
        "agreed_until": difference.agreed,
        "state_bytes": difference.state_bytes,
    }


def hint(difference: Difference, chosen: Chosen) -> str:
    """What else may be the cause; empty if the settings are those of the game."""
    if chosen.fit or difference.kind not in ("hash", "final_hash", "actions"):
        return ""
    return (
        f"the settings ({chosen.source}) are not those of the game, by the digest in its header; hashes depend on the "
        "action space: give --settings"
    )


def _say(file: Path, done: Replay, chosen: Chosen) -> None:
    counted = f"{done.frames} frames, {done.hashes} hashes"
    if done.difference is None:
        click.echo(f"true: {file}: {counted}")
        return
    click.echo(f"differs: {file}: {done.difference}")
    click.echo(f"  the same before it: {counted}")
    if note := hint(done.difference, chosen):
        click.echo(f"  note: {note}")


def _write(out: Path, texts: Iterator[str], header: str, done: Replay) -> None:
    """The header and the lines; nothing is left where the record cannot be read, is not true, or has no such frame."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}") from error
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(header + "\n")
            for text in texts:
                stream.write(text + "\n")
        if done.frames and done.difference is None:
            os.replace(name, out)
    finally:
        Path(name).unlink(missing_ok=True)
