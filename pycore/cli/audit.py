"""`pycore audit`: whether an environment can be rolled back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape

from pycore.cli.numbers import Finite
from pycore.cli.serve import settings_beside
from pycore.cli.told import told
from pycore.errors import UsageError
from pycore.factory import STUDY

if TYPE_CHECKING:
    from pycore.audit import Report

COLOURS = {"crash": "bold red", "unfit": "bold red", "wrong": "red", "slow": "yellow", "risk": "yellow", "note": "dim"}


@click.command(short_help="Find out whether an environment can be rolled back.")
@click.argument("subject", metavar="MODULE:FACTORY|FILE.py[:FACTORY]")
@click.option("--players", metavar="A,B", help="The agents that people play; default: all.")
@click.option("--frames", default=300, show_default=True, type=click.IntRange(20, 100_000), help="Frames to play.")
@click.option("--seed", default=1, show_default=True, help="Of the environment and of the random actions.")
@click.option("--actions", type=click.IntRange(1, 65_536), metavar="N", help="Actions are 0 to N-1, for every seat.")
@click.option(
    "--interface", type=click.Choice(["parallel", "aec", "list", "gymnasium"]), help="If it is taken for another one."
)
@click.option(
    "--pyodide", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR",
    help="A Pyodide's folder: play the same there, under Node, and compare. Needs FILE.py.",
)  # fmt: skip
@click.option(
    "--settings", type=click.Path(path_type=Path), metavar="FILE",
    help=f"A study's settings: its actions are played, its policies tried; default: {STUDY} beside the environment.",
)  # fmt: skip
@click.option(
    "--timeout", default=600.0, show_default=True, type=Finite(min=0), help="Seconds after which it has hung."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead.")
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE", help="Write the JSON object there as well.")
@told
def audit(
    subject: str,
    players: str | None,
    frames: int,
    seed: int,
    actions: int | None,
    interface: str | None,
    pyodide: Path | None,
    settings: Path | None,
    timeout: float,
    as_json: bool,
    save: Path | None,
) -> None:
    """Try an environment out before a study does: roll it back, make it twice, reset it, draw it, time it.

    Policies that play seats of the study and are computed by every page are tried as well, each among random actions.
    FACTORY is a function without arguments that makes a new environment, make_env unless you say so. It runs in a
    process of its own. Status 0: fit; 1: unfit; 2: a mistake in what was asked.
    """
    from pycore.audit.running import audit as run
    from pycore.site import Study

    settings = settings_beside(subject, settings)
    if save is not None and not save.parent.is_dir():  # not after minutes
        raise UsageError(f"there is no folder {save.parent} for --save {save.name}")
    console = Console(stderr=True, highlight=False)
    with console.status("starting") as status:
        report = run(
            subject,
            players=[player for player in (players or "").split(",") if player],
            frames=frames,
            seed=seed,
            space=None if actions is None else {"type": "discrete", "n": actions},
            interface=interface,
            pyodide=pyodide,
            settings=None if settings is None else Study.read(settings).settings,
            timeout=timeout,
            tell=lambda text: status.update(escape(text)),
        )
    text = json.dumps(report.as_json(), indent=2)
    if save is not None:
        save.write_text(text + "\n", encoding="utf-8")
    if as_json:
        click.echo(text)
    else:
        show(report)
    if not report.fit:
        raise SystemExit(1)


def show(report: Report) -> None:
    """The verdict, the findings, the worst first, and the facts."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{escape(report.verdict)}[/bold]")
    for finding in report.sorted:
        colour = COLOURS[finding.harm]
        console.print(f"\n[{colour}]{finding.harm}[/{colour}]  {escape(finding.what)}")
        if finding.do:
            console.print(f"      {escape(finding.do)}", style="dim")
    if report.facts:
        console.print()
    for name, fact in report.facts.items():
        for line_name, line in _of_costs(fact) if name == "costs" else [(name, _said(fact))]:
            console.print(f"  {line_name:<18} {escape(line)}")


def _of_costs(costs: dict[str, Any]) -> list[tuple[str, str]]:
    """What was measured, in lines for a person."""
    shown = (("step", "a step"), ("save", "saving"), ("load", "loading"), ("canonical", "comparing"))
    times = ", ".join(f"{words} {costs[f'{name}_us']:.0f} µs" for name, words in shown)
    lines = [("costs", f"{times}; a state takes {costs['state_bytes']} bytes")]
    for name, about, table in (
        ("rollbacks", "frames that fit into a tick, at {}", costs["depths"]),
        ("input delay", "frames, for a round trip of {}", costs["input_delays"]),
    ):
        for case, by_machine in table.items():
            here, slower, slowest = by_machine.values()
            what = f"{about.format(case)}: {here}; 4 times slower {slower}, 10 times slower {slowest}"
            lines.append((name, what))
            name = ""
    return lines


def _said(fact: Any) -> str:
    if isinstance(fact, dict):
        return ", ".join(f"{name} {_said(inner)}" for name, inner in fact.items())
    if isinstance(fact, list):
        return ", ".join(_said(item) for item in fact)
    return {True: "yes", False: "no"}.get(fact, str(fact)) if isinstance(fact, bool) else str(fact)
