"""`pycore export`: a study's data as tables."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pycore.cli.games import check_games, of_games, opened_games
from pycore.cli.places import apart
from pycore.cli.progress import tracked
from pycore.cli.spelled import say
from pycore.cli.told import told
from pycore.errors import UsageError


@click.command(short_help="Write the data of games as tidy tables: CSV, Parquet, Psych-DS.")
@of_games
@click.option("--csv", "csv_out", type=click.Path(path_type=Path), metavar="DIR", help="Write the tables as CSV there.")
@click.option(
    "--parquet", "parquet_out", type=click.Path(path_type=Path), metavar="DIR",
    help="Write them as Parquet there. Needs pip install 'interactive-gym-pycore[study]'.",
)  # fmt: skip
@click.option(
    "--psych-ds", "psych_ds_out", type=click.Path(path_type=Path), metavar="DIR",
    help="Write a data set for publication there, as Psych-DS has them; with pseudonyms, unless --subjects.",
)  # fmt: skip
@click.option(
    "--about", type=click.Path(path_type=Path), metavar="FILE",
    help="For --psych-ds: a JSON object with name, description, author, license, … of the data set.",
)  # fmt: skip
@click.option("--subjects", is_flag=True, help="With --psych-ds: subject ids as they are.")
@click.option("--pseudonyms", is_flag=True, help="P001, P002, … in the place of subject ids. Needs --mapping.")
@click.option(
    "--mapping", type=click.Path(path_type=Path), metavar="FILE",
    help="Where the pseudonyms are written, outside of the tables. One that is there is continued.",
)  # fmt: skip
@click.option(
    "--exclusions", type=click.Path(path_type=Path), metavar="RULES.json",
    help="Rules of exclusion: sessions.csv says to whom they apply. Nothing is left out.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Say what was written as one JSON object.")
@told
def export(
    files: tuple[Path, ...], database: str | None, game: str | None, csv_out: Path | None, parquet_out: Path | None,
    psych_ds_out: Path | None, about: Path | None, subjects: bool, pseudonyms: bool, mapping: Path | None,
    exclusions: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Write tables of games: sessions, episodes, frames, rollbacks, paths, and columns.json that explains them.

    FILES are records (trajectory-*.jsonl) and metrics (metrics-*.json) of any games. A folder stands for all of both in
    it; every folder in it is a game of its own, as `pycore data --out` writes them. The frames of a game are those of
    its longest record, and of an episode of which another one has more, that one's; all are compared, and sessions.csv
    says what came of that.

    Everything is written, or nothing is: a file that cannot be read, or that belongs to another game, is refused with
    its line and the reason. A folder of an earlier export is replaced, but for that of --psych-ds.

    Exit status 0: done; 1: done, but the database lacks parts of a record, which is left out; 2: a mistake in the call,
    or a refused file.
    """
    from pycore.export import psychds
    from pycore.export.exclusions import read_rules
    from pycore.export.pseudonyms import Pseudonyms
    from pycore.export.writing import write

    targets = [out for out in (csv_out, parquet_out, psych_ds_out) if out is not None]
    if not targets:
        raise UsageError("say where the tables go: --csv DIR, --parquet DIR, --psych-ds DIR or several of them")
    apart({"--csv": csv_out, "--parquet": parquet_out, "--psych-ds": psych_ds_out})
    if psych_ds_out is None and (about is not None or subjects):
        raise UsageError("--about and --subjects are for --psych-ds DIR; give it too")
    if subjects and (pseudonyms or mapping is not None):
        raise UsageError("--subjects keeps the subject ids, --pseudonyms replaces them; give one of the two")
    check_games(files, database, game)
    if psych_ds_out is None and pseudonyms != (mapping is not None):
        raise UsageError("--pseudonyms and --mapping FILE belong together: the one says what, the other where to")
    replaced = pseudonyms or (psych_ds_out is not None and not subjects)
    names = Pseudonyms(mapping, targets) if replaced else None
    described = psychds.read_described(about)
    rules = None if exclusions is None else read_rules(exclusions)
    with opened_games(files, database, game, targets[0]) as games:
        done = write(games, csv_out, parquet_out, names, tracked, psych_ds_out, described, rules)
    if as_json:
        result = {**done._asdict(), "out": [str(path) for path in done.out]}
        click.echo(json.dumps(result))
    else:
        evidence = ", ".join(f"{count} {status}" for status, count in sorted(done.statuses.items()))
        say(f"{done.games} game{'s' if done.games != 1 else ''} ({evidence}), {done.frames} frames")
        for path in done.out:
            say(path)
        if replaced and mapping is None:
            say("subjects are pseudonyms; which subject each of them is was not kept (--mapping FILE does)")
    for name in done.incomplete:
        say(f"incomplete: {name} was left out: the database lacks parts of it", err=True)
    if done.incomplete:
        raise SystemExit(1)
