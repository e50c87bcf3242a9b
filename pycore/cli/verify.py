"""`pycore verify`: what the files of a game prove together."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pycore.cli.progress import tracked
from pycore.cli.replay import ENV, difference_json, hint
from pycore.cli.spelled import say
from pycore.cli.told import told
from pycore.errors import PycoreError, UsageError
from pycore.factory import Found, find_factory, make_with

if TYPE_CHECKING:
    from pycore.export.evidence import Evidence
    from pycore.export.files import GameFiles

Answer = dict[str, Any]
NOT_STEPPED = "not stepped"
"""Of the environment: it cannot be made for this game, of several."""


@click.command(short_help="Compare the records of a game with each other, their metrics and the environment.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...|DIR...")
@click.option("--env", "env", metavar="FACTORY", help=f"Step the records again too: {ENV}")
@click.option("--metrics", multiple=True, type=click.Path(path_type=Path), help="Metrics; repeatable.", metavar="FILE")
@click.option(
    "--settings", type=click.Path(path_type=Path), metavar="FILE", help="The game's settings, as in `pycore replay`."
)
@click.option("--json", "as_json", is_flag=True, help="Say it as one JSON object.")
@told
def verify(
    files: tuple[Path, ...], env: str | None, metrics: tuple[Path, ...], settings: Path | None, as_json: bool
) -> None:
    """Say what the files of a game prove together.

    FILES are the records (trajectory-*.jsonl) of one game, and metrics (metrics-*.json) if they are given too. A folder
    stands for all of both in it; every folder in it is a game of its own.

    Each game has one line, with the name of its evidence. reconciled: the records of all players are the same and
    whole, and the metrics agree. partial: somebody has fewer rows, or the metrics say something else. single: there is
    one record only. desynced: rows or hashes differ. refused: a file cannot be read, or belongs to another game. Every
    reason stands below the line.

    With --env the records are stepped again, and policies that every page computed are computed again, if their
    files are beside the environment's.

    Exit status 0: all games are reconciled, and reproduced by environment and policies if one is given; 1: some are
    not; 2: a mistake in the call, or a refused file.
    """
    from pycore.export.files import games_of, with_metrics

    if settings is not None and env is None:
        raise UsageError("--settings are those that --env steps with; give --env too")
    found: Found | None = None
    if env is not None:
        with contextlib.redirect_stdout(sys.stderr):
            found = find_factory(env)
    games = games_of(files)
    with_metrics(games, metrics)
    answers = []
    for game in tracked(games, "verifying games"):
        answer = _verified(game, found, env or "", settings, alone=len(games) == 1)
        answers.append(answer)
        if not as_json:
            _say(answer)
    if as_json:
        click.echo(json.dumps({"games": answers}))
    stepped = [answer["environment"] for answer in answers if answer["records"]]
    if any(answer["status"] == "refused" for answer in answers) or {*stepped} == {NOT_STEPPED}:
        raise SystemExit(2)
    if any(answer["status"] != "reconciled" or {"differs", NOT_STEPPED} & {answer["environment"], answer["policies"]}
           for answer in answers):  # fmt: skip
        raise SystemExit(1)


def _verified(game: GameFiles, found: Found | None, env: str, settings: Path | None, alone: bool) -> Answer:
    from pycore.export.evidence import evidence_of

    try:
        evidence = evidence_of(game)
    except PycoreError as error:
        return {
            "folder": str(game.folder), "game_id": None, "status": "refused", "reasons": [str(error)], "frames": 0,
            "records": {}, "ends": {}, "first_difference": None, "environment": None, "environment_difference": None,
            "policies": None, "notes": [],
        }  # fmt: skip
    answer = _answer(evidence)
    if found is not None and evidence.longest is not None:
        try:
            _step(evidence, answer, found, env, settings)
        except PycoreError as error:
            if alone:
                raise
            # It may be of another study, and the others are told all the same.
            answer["environment"] = NOT_STEPPED
            answer["reasons"] = [*answer["reasons"], f"it was not stepped again: {error}"]
    return answer


def _answer(evidence: Evidence) -> Answer:
    agreement = evidence.agreement
    parting = None if agreement is None else agreement.parting
    records: dict[str, Any] = {}
    for name, path in evidence.records.items():
        assert agreement is not None
        held = agreement.held[name]
        records[name] = {"file": str(path), "frames": held.rows, "episodes": len(held.lengths), "whole": held.whole}
    return {
        "folder": str(evidence.files.folder),
        "game_id": evidence.game_id,
        "status": evidence.status,
        "reasons": evidence.reasons,
        "frames": evidence.frames,
        "records": records,
        "ends": {player: of["end"].get("reason") for player, of in evidence.metrics.items()},
        "first_difference": None if parting is None else {
            "line": parting.line, "episode": parting.episode, "frame": parting.frame,
            "between": [parting.one, parting.other], "fields": [path for path, *_ in parting.fields],
        },
        "environment": None,
        "environment_difference": None,
        "policies": None,
        "notes": [],
    }  # fmt: skip


def _step(evidence: Evidence, answer: Answer, found: Found, env: str, settings: Path | None) -> None:
    """Step the records again, of each episode the one that has most of it; what comes of it goes into the answer."""
    from pycore.export.files import open_record
    from pycore.export.partners import computed_for
    from pycore.export.stepping import settings_for, simulation_for
    from pycore.records import replay as stepping

    assert evidence.longest is not None
    path = evidence.records[evidence.longest]
    reading = open_record(path)
    with contextlib.redirect_stdout(sys.stderr):
        chosen = settings_for(reading.header, settings, found.module, path.parent)
        simulation, codecs = simulation_for(reading.header, lambda: make_with(found.make, env), chosen.settings)
        computed = computed_for(reading.header, chosen, found, settings is not None, simulation)
        items = tracked(evidence.items(), f"replaying {path.name}")
        done = stepping.replay(items, simulation, codecs, partners=computed.partners)
    answer["notes"] = computed.notes
    if done.difference is None and chosen.doubt:
        answer["notes"] = [chosen.doubt, *computed.notes]
    by_policy = done.difference is not None and done.difference.kind == "policy"
    if computed.partners is not None:
        answer["policies"] = "differs" if by_policy else "true" if done.acted else None
    # What comes behind a policy's other action was not stepped.
    answer["environment"] = "true" if done.difference is None else None if by_policy else "differs"
    if done.difference is not None:
        answer["environment_difference"] = difference_json(done.difference)
        what = "a policy does something else" if by_policy else "the environment gives something else"
        answer["reasons"] = [*answer["reasons"], f"{what}: {done.difference}"]
        if note := hint(done.difference, chosen):
            answer["reasons"].append(note)


def _say(answer: Answer) -> None:
    records = answer["records"]
    line = f"{answer['status']}: {answer['game_id'] or answer['folder']}"
    if answer["status"] != "refused":
        line += f": {len(records)} record{'s' if len(records) != 1 else ''}, {answer['frames']} frames"
    if answer["environment"] == "true":
        line += ", reproduced by the environment"
        line += " and its policies" if answer["policies"] == "true" else ""
    say(line)
    for reason in answer["reasons"]:
        say(f"  {reason}")
    for note in answer["notes"]:
        say(f"  note: {note}")
