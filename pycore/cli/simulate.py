"""`pycore simulate`: an environment played over bad networks in virtual time, many times over."""

from __future__ import annotations

import contextlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pycore.cli.network import network_options
from pycore.cli.progress import tracked
from pycore.cli.serve import settings_beside
from pycore.cli.told import terminated_as_interrupted, told
from pycore.errors import PycoreError, UsageError
from pycore.factory import STUDY

if TYPE_CHECKING:
    from pycore.rehearsal.result import Outcome
    from pycore.rehearsal.simulated import Simulated
    from pycore.testing.scenario import Scenario

WITH_FILE = frozenset(("subject", "players", "episodes", "step", "file", "settings", "as_json"))
"""What may stand beside `--scenario`; everything else is said by the file."""
SHOWN = 10
"""So many seeds with a fault are shown; `--json` has all."""


class WithHappenings(click.Command):
    """A command that has an option for everything that can happen; each may stand several times."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """With those options, which are not made before the command is called."""
        from pycore.testing.kinds import KINDS

        *params, help_option = super().get_params(ctx)
        happen = [
            click.Option(
                [f"--{name}"], multiple=True, metavar=kind.form, help=kind.meaning[0].upper() + kind.meaning[1:] + "."
            )
            for name, kind in KINDS.items()
        ]
        return [*params, *happen, help_option]


@click.command(cls=WithHappenings, short_help="Play an environment over bad networks in virtual time.")
@click.argument("subject", metavar="MODULE:FACTORY|FILE.py[:FACTORY]")
@click.option("--players", type=click.IntRange(1, 8), metavar="N", help="Players; default: one for each agent.")
@click.option("--seconds", default=20.0, show_default=True, type=click.FloatRange(0.1, 86_400), help="Of an episode.")
@click.option("--episodes", type=click.IntRange(1, 250), metavar="N", help="Episodes; default: the settings' number.")
@network_options
@click.option("--bursts", default=0.0, type=click.FloatRange(0, 90), metavar="PCT", help="Lost in bursts, per cent.")
@click.option(
    "--burst-length", default=8.0, show_default=True, type=click.FloatRange(1, 1000), metavar="N",
    help="Packets of a burst, on average.",
)  # fmt: skip
@click.option("--duplicates", default=0.0, type=click.FloatRange(0, 100), metavar="PCT", help="That comes twice.")
@click.option(
    "--reordering", default=0.0, type=click.FloatRange(0, 100), metavar="PCT",
    help="That comes up to 100 ms later, so that others overtake it.",
)  # fmt: skip
@click.option("--bandwidth", type=click.FloatRange(1, 10**6), metavar="KBPS", help="Of each direction.")
@click.option(
    "--server-latency", default=30.0, show_default=True, type=click.FloatRange(0, 5000), metavar="MS",
    help="From page to page through the server.",
)  # fmt: skip
@click.option("--step", type=click.FloatRange(0, 10_000), metavar="MS", help="What a step takes on every machine.")
@click.option("--random", "at_random", is_flag=True, help="Draw network and happenings from each seed as well.")
@click.option("--seeds", default=20, show_default=True, type=click.IntRange(1), metavar="N", help="How often to play.")
@click.option("--from", "first", default=1, show_default=True, type=click.IntRange(0), metavar="N", help="First seed.")
@click.option(
    "--scenario", "file", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE",
    help="Play this scenario alone, which an earlier run has left.",
)  # fmt: skip
@click.option(
    "--settings", type=click.Path(path_type=Path), metavar="FILE",
    help=f"The study's settings, a JSON object; default: {STUDY} beside the environment, if it is there.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("."), metavar="DIR",
    help="Where a scenario with a fault is written, made as small as it can be; default: here.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
@told
def simulate(
    ctx: click.Context,
    /,
    subject: str,
    players: int | None,
    seconds: float,
    episodes: int | None,
    latency: float,
    jitter: float,
    loss: float,
    socketio_only: bool,
    bursts: float,
    burst_length: float,
    duplicates: float,
    reordering: float,
    bandwidth: float | None,
    server_latency: float,
    step: float | None,
    at_random: bool,
    seeds: int,
    first: int,
    file: Path | None,
    settings: Path | None,
    out: Path,
    as_json: bool,
    **happens: tuple[str, ...],
) -> None:
    """Play an environment in virtual time, over a network as bad as you say, and judge every frame.

    All pages run in this process, with the code that runs in browsers; only network, server and clocks are simulated,
    so that a minute takes moments, and a seed plays the same game each time. It is right if what every page recorded
    is what the environment alone comes to with the players' true actions, no input got lost, nobody stood longer than
    the law of standing still allows, and every session ended by itself.

    For instance: pycore simulate game.py --latency 80 --jitter 30 --loss 10 --hide 1@3-6 --seeds 200

    Exit status 0: all of it is right; 1: something is wrong, or nothing was proved; 2: a mistake in the call.
    """
    from pycore.rehearsal.game import Game
    from pycore.rehearsal.result import vacuous
    from pycore.rehearsal.simulated import Simulated
    from pycore.site import Study
    from pycore.testing.scenario import Happening, Scenario, drawn

    if file is not None:
        _alone(ctx)
    # What an environment prints belongs to nobody who reads our output.
    with contextlib.redirect_stdout(sys.stderr), terminated_as_interrupted():
        settings = settings_beside(subject, settings)
        study = None if settings is None else Study.read(settings)
        game = Game.of(
            subject, None if study is None else study.settings, players or (None if study is None else study.players)
        )
        simulated = Simulated(game)
        if file is not None:
            scenarios = [_read(file, episodes, step)]
        else:
            scenario = Scenario(
                seed=first,
                seconds=seconds,
                latency_ms=latency,
                jitter_ms=jitter,
                loss=loss / 100,
                bursts=bursts / 100,
                burst_length=burst_length,
                duplicates=duplicates / 100,
                reordering=reordering / 100,
                bandwidth_kbps=bandwidth,
                server_ms=server_latency,
                socketio_only=socketio_only,
                episodes=episodes,
                step_ms=step or 0.0,
                happenings=tuple(
                    Happening.of(what.replace("_", "-"), text) for what, texts in happens.items() for text in texts
                ),
            )
            scenario.check(simulated.pages)
            scenarios = [
                drawn(scenario, seed, simulated.pages) if at_random else scenario.with_seed(seed)
                for seed in range(first, first + seeds)
            ]
        for scenario in scenarios:
            # Before the first game: what was played by then would be lost.
            scenario.check(simulated.pages)
        outcomes, stopped = _played(simulated, scenarios)
        wrong = [outcome for outcome in outcomes if outcome.problems]
        left: Path | None = None
        unwritten: Exception | None = None
        try:
            left = _leave(simulated, wrong[0], out) if wrong and file is None else None
        except (OSError, PycoreError) as error:  # what was played is told all the same
            unwritten = error
    nothing = [] if wrong else vacuous(outcomes, simulated.pages)
    if as_json:
        click.echo(json.dumps(_as_json(outcomes, nothing, left), ensure_ascii=False))
    else:
        show(outcomes, nothing)
        if left is not None:
            click.echo(f"a small scenario with a fault is in {left}; play it again with --scenario {left}")
    if stopped:
        following = outcomes[-1].scenario.seed + 1
        click.echo(f"stopped after {len(outcomes)} of {len(scenarios)} games; --from {following} goes on", err=True)
    if unwritten is not None:
        raise unwritten
    if wrong or nothing or stopped:
        raise SystemExit(1)


def _alone(ctx: click.Context) -> None:
    """Refuse what a scenario's file says itself: whoever gives it beside the file would believe that it counts."""
    for param in ctx.command.params + ctx.command.get_params(ctx):
        name = param.name or ""
        if name not in WITH_FILE and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(
                f"--scenario plays what its file says, and {param.opts[0]} would be ignored: leave it out, or change "
                "the file"
            )


def _played(simulated: Simulated, scenarios: list[Scenario]) -> tuple[list[Outcome], bool]:
    """What became of the scenarios, and whether somebody stopped it before the last: what was played is not lost."""
    outcomes: list[Outcome] = []
    try:
        for scenario in tracked(scenarios, "playing"):
            outcomes.append(simulated.run(scenario))  # noqa: PERF401 - those before it are kept
    except KeyboardInterrupt:
        if not outcomes:
            raise
        return outcomes, True
    return outcomes, False


def _read(file: Path, episodes: int | None, step: float | None) -> Scenario:
    """The scenario of a file; what the call says of the game goes before it."""
    from dataclasses import replace

    from pycore.testing.scenario import Scenario

    try:
        value = json.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise UsageError(f"{file} is no JSON: {error}") from error
    scenario = Scenario.from_json(value)
    if episodes is not None:
        scenario = replace(scenario, episodes=episodes)
    return scenario if step is None else replace(scenario, step_ms=step)


def _leave(simulated: Simulated, outcome: Outcome, out: Path) -> Path:
    """Write the scenario of a fault, made smaller."""
    from pycore.export.writing import new_file
    from pycore.rehearsal.many import shrunk

    small = shrunk(simulated, outcome)
    path = out / f"scenario-{outcome.scenario.seed}.json"
    out.mkdir(parents=True, exist_ok=True)
    with new_file(path) as file:
        file.stream.write(json.dumps(small.scenario.as_json(), indent=2) + "\n")
        file.keep()
    return path


def _as_json(outcomes: list[Outcome], nothing: list[str], left: Path | None) -> dict[str, Any]:
    wrong = {str(outcome.scenario.seed): outcome.problems for outcome in outcomes if outcome.problems}
    return {
        "right": not wrong and not nothing,
        "seeds": len(outcomes),
        "next": outcomes[-1].scenario.seed + 1,
        "problems": nothing,
        "violations": wrong,
        "scenario": None if left is None else str(left),
        "happened": happened(outcomes),
        "never_happened": never_happened(outcomes),
        "outcomes": [outcome.as_json() for outcome in outcomes],
    }


def happened(outcomes: list[Outcome]) -> dict[str, Any]:
    """What all runs together came to."""
    ends = Counter(reason for outcome in outcomes for reason in outcome.reasons)
    kinds = Counter(of.what for outcome in outcomes for of in outcome.happened)
    return {
        "virtual seconds": round(sum(outcome.seconds for outcome in outcomes), 1),
        "frames": sum(outcome.frames for outcome in outcomes),
        "rollbacks": sum(outcome.rollbacks for outcome in outcomes),
        "frames stepped again": sum(outcome.resimulated for outcome in outcomes),
        "deepest rollback": max(outcome.deepest for outcome in outcomes),
        "ticks in which somebody stood": sum(outcome.stalls for outcome in outcomes),
        "standing longest, s": max(outcome.standing for outcome in outcomes),
        "changes of path": sum(outcome.path_changes for outcome in outcomes),
        "inputs through the server": sum(outcome.through_server for outcome in outcomes),
        "packets lost in bursts": sum(outcome.lost_in_bursts for outcome in outcomes),
        "packets that came twice": sum(outcome.doubled for outcome in outcomes),
        "packets that were held back": sum(outcome.held_back for outcome in outcomes),
        "packets that did not fit": sum(outcome.choked for outcome in outcomes),
        "hashes compared": sum(outcome.hashes for outcome in outcomes),
        **{f"ended: {reason or 'not at all'}": count for reason, count in sorted(ends.items())},
        **{f"happened: {kind}": count for kind, count in sorted(kinds.items())},
    }


def never_happened(outcomes: list[Outcome]) -> dict[str, int]:
    """What came too late, as it is written, and in how many games."""
    return dict(Counter(str(of) for outcome in outcomes for of in outcome.too_late).most_common())


def show(outcomes: list[Outcome], nothing: list[str]) -> None:
    """What happened, what is wrong, and the verdict."""
    console = Console(highlight=False, soft_wrap=True)
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    for name, value in happened(outcomes).items():
        table.add_row(escape(name), f"{value:,}")
    console.print(table)
    late = never_happened(outcomes)
    for text, games in list(late.items())[:SHOWN]:
        console.print(
            f"[yellow]never happened:[/yellow] {escape(text)}: the game was over before, or the page gone "
            f"({games} of {len(outcomes)} games)"
        )
    if len(late) > SHOWN:
        console.print(f"… and {len(late) - SHOWN} more that never happened")
    wrong = [outcome for outcome in outcomes if outcome.problems]
    for outcome in wrong[:SHOWN]:
        more = f" (and {len(outcome.problems) - 1} more)" if outcome.problems[1:] else ""
        console.print(f"[bold red]WRONG:[/bold red] seed {outcome.scenario.seed}: {escape(outcome.problems[0])}{more}")
    if wrong[SHOWN:]:
        console.print(f"… and {len(wrong) - SHOWN} more seeds")
    for text in nothing:
        console.print(f"[bold red]NOTHING PROVED:[/bold red] {escape(text)}")
    if not wrong and not nothing:
        console.print(f"[bold green]right:[/bold green] {len(outcomes)} games, every frame of every page")
