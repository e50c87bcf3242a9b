"""`pycore replay`: a record stepped again."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pycore.cli.places import apart, replaceable
from pycore.cli.progress import tracked
from pycore.cli.spelled import say
from pycore.cli.told import told
from pycore.errors import UsageError
from pycore.factory import find_factory, make_with

if TYPE_CHECKING:
    from pycore.export.stepping import Chosen
    from pycore.film.elsewhere import Elsewhere
    from pycore.film.viewer import Page
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
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="FILE",
    help="Write a page there that shows every frame, with a slider; of a record without a range the first 3000.",
)  # fmt: skip
@click.option(
    "--frames", type=click.Path(path_type=Path), metavar="DIR",
    help="Write a PNG of every frame of that page there. Lists of objects are drawn by a Chromium.",
)  # fmt: skip
@click.option(
    "--experienced", type=click.Path(path_type=Path), metavar="FILE",
    help="For the page of --html: what a participant saw (experienced-*.jsonl), guesses marked.",
)  # fmt: skip
@click.option("--chromium", type=click.Path(path_type=Path), metavar="FILE", help="The browser; default: one is found.")
@click.option(
    "--pyodide", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR",
    help="A Pyodide's folder: step it there, under Node, since players' pages do. Needs FILE.py.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Say it as one JSON object.")
@told
def replay(
    file: Path, env: str, episode: int | None, first: int | None, last: int | None, settings: Path | None,
    out: Path | None, html: Path | None, frames: Path | None, experienced: Path | None,
    chromium: Path | None, pyodide: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Step the record FILE (trajectory-*.jsonl) again with nothing but its actions.

    Every row and every hash is compared with what the environment gives here; the first difference is told with the
    fields that differ. A policy that every page computed is computed again, if its file is beside the environment's:
    what it does has to be what is recorded of its seat. Of an episode or a range everything before is stepped too, and
    not compared. Nothing behind the range is stepped. What --out, --html and --frames name is written if all is true.

    Exit status 0: all is the same; 1: something differs; 2: a mistake in the call, or a file that cannot be read.
    """
    from pycore.export.files import open_record
    from pycore.export.partners import computed_for
    from pycore.export.stepping import settings_for, simulation_for
    from pycore.records.replay import started

    if episode is None and (first is not None or last is not None):
        raise UsageError("--from and --to are frames of an episode; give --episode too")
    if first is not None and last is not None and first > last:
        raise UsageError(f"--from {first} comes after --to {last}")
    if chromium is not None and frames is None:
        raise UsageError("--chromium draws the pictures of --frames DIR; give it too")
    if experienced is not None and html is None:
        raise UsageError("--experienced is shown on the page of --html FILE; give it too")
    if pyodide is not None and (out or html or frames):
        raise UsageError("--pyodide verifies, and writes nothing; leave out --out, --html and --frames")
    apart({"--out": out, "--html": html, "--frames": frames}, [file, experienced, settings])
    if html is not None:
        replaceable(html)
    reading = open_record(file)
    page: Page | None = None
    python = ""
    # What an environment prints belongs to nobody who reads our output.
    with contextlib.redirect_stdout(sys.stderr):
        found = find_factory(env)
        chosen = settings_for(reading.header, settings, found.module, file.parent)
        done: Replay | Elsewhere
        if pyodide is not None:
            from pycore.export.partners import named_in
            from pycore.film.elsewhere import replayed_in_pyodide

            named = named_in(reading.header, chosen, found, settings is not None)
            done = replayed_in_pyodide(pyodide, env, file, named, episode, first, last)
            lengths, python = done.lengths, done.python
            computed, notes = done.computed, [*named.notes, *done.notes]
        else:
            simulation, codecs = simulation_for(reading.header, lambda: make_with(found.make, env), chosen.settings)
            partners, computed, notes = computed_for(
                reading.header, chosen, found, settings is not None, simulation
            )  # fmt: skip
            done = started(episode, first or 0, last)
            items = tracked(reading, f"replaying {file.name}")
            if out is None and html is None and frames is None:
                for _ in done.run(items, simulation, codecs, partners):
                    pass
            else:
                from pycore.film.making import Outputs, filmed

                wanted = Outputs(out, html, frames, chromium, experienced, unbounded=episode is not None)
                page = filmed(done, items, reading, simulation, codecs, wanted, round(chosen.settings.fps), partners)
            lengths = reading.lengths
    if done.difference is None and done.frames == 0:
        there = ", ".join(f"{number} has {length}" for number, length in enumerate(lengths)) or "it has none"
        raise UsageError(f"{file} has no such frame; frames by episode: {there:.200}")
    result = {
        "file": str(file),
        "game_id": reading.header.get("game_id"),
        "true": done.difference is None,
        "episodes": len(lengths),
        "frames": done.frames,
        "hashes": done.hashes,
        "settings": {"source": chosen.source, "those_of_the_game": chosen.fit},
        "policies": {"computed": computed, "actions": done.acted, "notes": notes},
        "difference": difference_json(done.difference),
    }
    if page is not None:
        result["shown"] = {"frames": page.shown, "left_out": page.left_out, "pictures": page.draws, "bytes": page.bytes}
    if pyodide is not None:
        result["python"] = python
    if as_json:
        click.echo(json.dumps(result))
    else:
        _say(file, done, chosen, notes)
        if page is not None and done.difference is None:
            _say_shown(page, [each for each in (html, frames) if each is not None])
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
        "seat": difference.seat,
    }


def hint(difference: Difference, chosen: Chosen) -> str:
    """What else may be the cause; empty if there is nothing to suspect."""
    if difference.kind == "policy":
        return "if the policy was changed since the game was played, put it beside the environment as it was then"
    if chosen.fit or difference.kind not in ("hash", "final_hash", "actions"):
        return ""
    return (
        f"the settings ({chosen.source}) are not those of the game, by the digest in its header; hashes depend on the "
        "action space: give --settings"
    )


def _say_shown(page: Page, written: list[Path]) -> None:
    for path in written:
        say(path)
    say(f"  {page.shown} frames shown, {page.bytes / 1e6:.1f} MB of pictures and numbers")
    if page.left_out:
        say(f"  {page.left_out} more are not: name a range with --episode, --from and --to")
    if not page.draws:
        say("  no pictures: the environment's render() gives none")


def _say(file: Path, done: Replay | Elsewhere, chosen: Chosen, notes: list[str]) -> None:
    counted = f"{done.frames} frames, {done.hashes} hashes"
    counted += f", {done.acted} actions of policies" if done.acted else ""
    if done.difference is None:
        say(f"true: {file}: {counted}")
        noted = chosen.doubt
    else:
        say(f"differs: {file}: {done.difference}")
        say(f"  the same before it: {counted}")
        noted = hint(done.difference, chosen)
    for note in [noted, *notes] if noted else notes:
        say(f"  note: {note}")
