"""`pycore report`: what happened in a study, on one page."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pycore.cli.games import check_games, of_games, opened_games
from pycore.cli.places import apart, replaceable
from pycore.cli.progress import tracked
from pycore.cli.spelled import say
from pycore.cli.told import told
from pycore.errors import UsageError


@click.command(short_help="Write what happened in a study as one page, and figures for a paper.")
@of_games
@click.option(
    "--out", "-o", type=click.Path(path_type=Path), metavar="FILE.html", default=Path("report.html"),
    show_default=True, help="The page.",
)  # fmt: skip
@click.option("--title", metavar="TEXT", default="Report of a study", show_default=True, help="Its heading.")
@click.option(
    "--exclusions", type=click.Path(path_type=Path), metavar="RULES.json",
    help="Rules of exclusion that were written before: the page says to whom they apply, and counts without these.",
)  # fmt: skip
@click.option("--pseudonyms", is_flag=True, help="P001, P002, … in the place of subject ids. Needs --mapping.")
@click.option(
    "--mapping", type=click.Path(path_type=Path), metavar="FILE",
    help="Where the pseudonyms are written. One that is there is continued.",
)  # fmt: skip
@click.option(
    "--figures", type=click.Path(path_type=Path), metavar="DIR",
    help="Write figures for a paper there, as PDF and PNG. Needs pip install 'interactive-gym-pycore[figures]'.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Say what was written as one JSON object.")
@told
def report(
    files: tuple[Path, ...], database: str | None, game: str | None, out: Path, title: str, exclusions: Path | None,
    pseudonyms: bool, mapping: Path | None, figures: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Write one page about games: the sample, exclusions, every session, and what each player's network did.

    FILES are records (trajectory-*.jsonl, experienced-*.jsonl) and metrics (metrics-*.json) of any games. A folder
    stands for all of them in it; every folder in it is a game of its own, as `pycore data --out` writes them.

    The page is a file that needs no network and can be sent, kept and printed. It has the table of sessions (round
    trips, rollbacks, frames predicted and stalled, desyncs, evidence), medians and quartiles of the players who count,
    which rule excludes whom and why, and for each player curves over time, rollbacks by depth, whose actions were
    guessed, stalls by cause, paths, and whether hashes agreed.

    It is written whole or not at all: a file that cannot be read, or that belongs to another game, is refused with its
    line and the reason.

    Exit status 0: done; 1: done, but the database lacks parts of a record, which is left out; 2: a mistake in the call,
    or a refused file.
    """
    from pycore.export.exclusions import read_rules
    from pycore.export.pseudonyms import Pseudonyms
    from pycore.report.study import collect
    from pycore.report.writing import write

    check_games(files, database, game)
    if pseudonyms != (mapping is not None):
        raise UsageError("--pseudonyms and --mapping FILE belong together: the one says what, the other where to")
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; give the name of the page, for instance {out / 'report.html'}")
    apart({"--out": out, "--mapping": mapping}, [*files, exclusions])
    replaceable(out)
    names = Pseudonyms(mapping, [figures] if figures is not None else []) if pseudonyms else None
    rules = None if exclusions is None else read_rules(exclusions)
    with opened_games(files, database, game, out) as games:
        study = collect(games, rules, names, tracked)
        written = write(study, title, out, figures, names)
    incomplete = [f"{each.game_id}: {name}" for each in study.games for name in each.incomplete]
    if as_json:
        click.echo(json.dumps({
            "games": len(study.games), "frames": sum(each.frames for each in study.games),
            "players": len(study.players), "counted": len(study.counted), "statuses": study.statuses,
            "excluded": {each.rule.name: each.excludes for each in study.applied}, "incomplete": incomplete,
            "out": [str(path) for path in written],
        }))  # fmt: skip
    else:
        evidence = ", ".join(f"{count} {status}" for status, count in study.statuses.items())
        n = f", {len(study.counted)} of {len(study.players)} players counted" if rules is not None else ""
        say(f"{len(study.games)} game{'s' if len(study.games) != 1 else ''} ({evidence}){n}")
        for path in written:
            say(path)
    for name in incomplete:
        say(f"incomplete: {name} was left out: the database lacks parts of it", err=True)
    if incomplete:
        raise SystemExit(1)
