"""`pycore rehearse`: a whole session in real browsers before there is a study."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from rich.console import Console
from rich.markup import escape

from pycore.cli.network import network_options
from pycore.cli.numbers import Finite
from pycore.cli.serve import settings_beside
from pycore.cli.told import told
from pycore.errors import UsageError
from pycore.factory import STUDY, find_factory

if TYPE_CHECKING:
    from pycore.rehearsal import Outcome
    from pycore.rehearsal.scripts import Policy

CUTS = ("silent", "close", "connection")
SERVER_CUTS = ("end", "silent")
REPORTS = 5
"""So many of what the pages reported are shown; the verdict's file has all."""
HIDE = re.compile(r"(\d+)@(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)")


@click.command(short_help="Play a whole session in headless browsers, and judge it.")
@click.argument("subject", metavar="MODULE:FACTORY|FILE.py[:FACTORY]")
@click.option("--players", type=click.IntRange(1, 8), metavar="N", help="Players; default: one for each agent.")
@click.option("--seconds", default=20.0, show_default=True, type=Finite(1, 86_400), help="How long.")
@click.option(
    "--episodes", type=click.IntRange(1, 250), metavar="N",
    help="Episodes; default: the settings' number, each half of the time long at most.",
)  # fmt: skip
@network_options
@click.option("--p2p-down-at", type=Finite(0), metavar="S", help="Cut peer-to-peer after so many seconds,")
@click.option("--p2p-up-at", type=Finite(0), metavar="S", help="and restore it.")
@click.option("--p2p-cut", type=click.Choice(CUTS), help="How it is cut.  [default: silent]")
@click.option("--input-delay", type=click.IntRange(0, 60), metavar="N", help="In the place of the settings'.")
@click.option("--leave-at", type=Finite(0), metavar="S", help="Close the last page after so many seconds.")
@click.option("--reload-at", type=Finite(0), metavar="S", help="Load the last page again.")
@click.option("--back-at", type=Finite(0), metavar="S", help="Not before then: its tab shows nothing meanwhile.")
@click.option("--server-down-at", type=Finite(0), metavar="S", help="Have the server go away after so long,")
@click.option("--server-up-at", type=Finite(0), metavar="S", help="and is there again.")
@click.option("--server-cut", type=click.Choice(SERVER_CUTS), help="How the server goes away.  [default: end]")
@click.option("--hide", metavar="PAGE@FROM-TO", help="Hide a page meanwhile, for instance 1@3-7.")
@click.option(
    "--settings", type=click.Path(path_type=Path), metavar="FILE",
    help=f"The study's settings, a JSON object; default: {STUDY} beside the environment, if it is there.",
)  # fmt: skip
@click.option("--packages", metavar="A,B", help="Packages that the environment needs in the page.")
@click.option(
    "--wheels", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR",
    help="A folder of wheels that the page needs as well.",
)  # fmt: skip
@click.option(
    "--with", "more", multiple=True, type=click.Path(path_type=Path), metavar="PATH",
    help="A file or folder beside the environment that no import names; repeatable.",
)  # fmt: skip
@click.option(
    "--pyodide", metavar="DIR|URL", envvar="PYCORE_PYODIDE", show_envvar=True,
    help="Where Pyodide comes from; default: its usual address.",
)  # fmt: skip
@click.option("--page", type=click.Path(path_type=Path), metavar="FILE.html", help="The study's own page.")
@click.option("--policy", metavar="FILE.py:NAME", help="What the players do: a function of observation and agent.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0, 2**32 - 1), help="Of game and players.")
@click.option(
    "--reproduce", default="cpython", show_default=True, type=click.Choice(["cpython", "pyodide", "no"]),
    help="Where the record is stepped again.",
)  # fmt: skip
@click.option(
    "--browser", "browsers", default="chromium", show_default=True, metavar="NAME[,NAME…]",
    help="chromium or firefox, for all pages or one for each.",
)  # fmt: skip
@click.option("--chromium", metavar="PATH", help="The Chromium; default: $PYCORE_CHROMIUM, or the one that is found.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("rehearsal"), show_default=True,
    metavar="DIR", help="Folder for metrics, trajectories, settings, the verdict and pictures.",
)  # fmt: skip
@click.option("--screenshots", is_flag=True, help="Photograph every page in the middle and at the end.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as one JSON object.")
@told
def rehearse(
    subject: str,
    players: int | None,
    seconds: float,
    episodes: int | None,
    latency: float,
    jitter: float,
    loss: float,
    p2p_down_at: float | None,
    p2p_up_at: float | None,
    p2p_cut: str | None,
    socketio_only: bool,
    input_delay: int | None,
    leave_at: float | None,
    reload_at: float | None,
    back_at: float | None,
    server_down_at: float | None,
    server_up_at: float | None,
    server_cut: str | None,
    hide: str | None,
    settings: Path | None,
    packages: str | None,
    wheels: Path | None,
    more: tuple[Path, ...],
    pyodide: str | None,
    page: Path | None,
    policy: str | None,
    seed: int,
    reproduce: str,
    browsers: str,
    chromium: str | None,
    out: Path,
    screenshots: bool,
    as_json: bool,
) -> None:
    """Play a whole session of an environment in headless browsers, and judge it.

    A page for every player, each with a scripted player, and a real relay between them; the network is as bad as you
    say. It is right if all players' records are the same bytes, without a gap, hold exactly what the players did, and
    the environment comes to the same when it is stepped again with nothing but these actions.

    FACTORY is a function without arguments that makes a new environment, make_env unless you say so. What the players
    do is made of the action spaces, or by --policy.

    Exit status 0: right; 1: something is wrong, with what it is; 2: a mistake in the call, or something is missing.
    """
    from pycore import rehearsal
    from pycore.rehearsal import sites
    from pycore.rehearsal.browsers import CHROMIUM, FIREFOX, all_ready
    from pycore.rehearsal.detour import program
    from pycore.site import Study
    from pycore.site.policies import without_script

    if p2p_cut is not None and p2p_down_at is None:
        raise UsageError("--p2p-cut says how a cut is made; say when, with --p2p-down-at")
    if server_cut is not None and server_down_at is None:
        raise UsageError("--server-cut says how the server goes away; say when, with --server-down-at")
    console = Console(stderr=True, highlight=False)
    with contextlib.redirect_stdout(sys.stderr):  # what an environment prints belongs to nobody who reads our output
        settings = settings_beside(subject, settings)
        study = None if settings is None else Study.read(settings)
        game = rehearsal.Game.of(
            subject, None if study is None else study.settings, players or (None if study is None else study.players)
        )
        plan = rehearsal.Plan(
            game,
            seconds=seconds,
            latency_ms=latency,
            jitter_ms=jitter,
            loss=loss / 100,
            down_at=p2p_down_at,
            up_at=p2p_up_at,
            cut=p2p_cut or CUTS[0],
            browsers=tuple(name.strip() for name in browsers.split(",")),
            socketio_only=socketio_only,
            input_delay=input_delay,
            seed=seed,
            episodes=episodes,
            leave_at=leave_at,
            reload_at=reload_at,
            back_at=back_at,
            server_down_at=server_down_at,
            server_up_at=server_up_at,
            server_cut=server_cut or SERVER_CUTS[0],
            hide=None if hide is None else _hidden(hide),
            screenshots={"middle": seconds / 2, "end": seconds} if screenshots else {},
            policy=None if policy is None else _policy(policy),
            reproduce=reproduce,
        )
        if page is None and (lacking := without_script(game.played())):
            raise UsageError(
                f"one page computes the policy of player {lacking[0]}, "
                f"{game.played().policies[lacking[0]]['policy']!r}, which is no script: name the file beside the "
                'environment that has it, {"policy": "net.js", "computed_by": "one"}, or give the page that has it, '
                "--page FILE.html"
            )
        ready = all_ready(plan.browsers, chromium)
        if plan.detours:
            program()
        made = not out.exists()
        _folder(out)
        with (
            contextlib.ExitStack() as stack,
            console.status("building the site") as status,
            tempfile.TemporaryDirectory(prefix="pycore-") as folder,
        ):
            if made:  # an empty folder is not worth leaving behind
                stack.callback(_without, out)

            def say(line: str) -> None:
                status.update(escape(line))
                if not console.is_terminal:
                    console.print(escape(line))

            site = sites.site_of(
                game,
                Path(folder),
                study,
                packages=[name.strip() for name in (packages or "").split(",") if name.strip()],
                wheels=wheels,
                more=more,
                pyodide=pyodide,
                page=page,
            )
            outcome, failed, unwritten = None, "", None
            try:
                outcome = rehearsal.rehearse(
                    plan, site=site, chromium=ready.get(CHROMIUM), firefox=ready.get(FIREFOX), out=out, say=say
                )
                try:
                    rehearsal.write(outcome, out)
                except OSError as error:  # the verdict is told all the same
                    unwritten = error
            except rehearsal.RehearsalFailed as error:
                # A page or the relay that did not do its part is what a rehearsal is there to find.
                failed = str(error)
    if outcome is None:
        _failed(failed, as_json)
    elif as_json:
        click.echo(json.dumps(outcome.as_json(), ensure_ascii=False))
    else:
        show(outcome)
        if unwritten is None:
            click.echo(f"metrics, trajectories, settings and the verdict are in {out}")
    if unwritten is not None:
        raise unwritten
    if outcome is None or not outcome.right:
        raise SystemExit(1)


def show(outcome: Outcome) -> None:
    """The table, what was not tried, and the verdict."""
    from pycore.rehearsal import table

    console = Console(highlight=False, soft_wrap=True)
    console.print(escape(table(outcome)))
    for warning in outcome.warnings:
        console.print(f"[yellow]note:[/yellow] {escape(warning)}")
    for report in list(dict.fromkeys(outcome.reports))[:REPORTS]:
        console.print(f"[dim]reported:[/dim] {escape(report)}")
    for problem in outcome.problems:
        console.print(f"[bold red]WRONG:[/bold red] {escape(problem)}")
    if outcome.right:
        console.print(f"[bold green]right:[/bold green] {escape(outcome.verdict)}")


def _failed(why: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"right": False, "problems": [why]}, ensure_ascii=False))
    else:
        Console(highlight=False, soft_wrap=True).print(f"[bold red]WRONG:[/bold red] {escape(why)}")


def _hidden(text: str) -> tuple[int, float, float]:
    found = HIDE.fullmatch(text)
    if found is None:
        raise UsageError(f"--hide {text} is not PAGE@FROM-TO, for instance 1@3-7: page 1 from second 3 to second 7")
    page, begin, end = found.groups()
    return int(page), float(begin), float(end)


def _policy(text: str) -> Policy:
    """A function that is found as an environment's is."""
    if ":" not in text:
        raise UsageError(f"--policy {text} names no function; give file.py:NAME or package.module:NAME")
    policy: Any = find_factory(text).make
    return cast("Policy", policy)


def _without(folder: Path) -> None:
    """Remove it if nothing is in it."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def _folder(out: Path) -> None:
    from pycore.rehearsal.outcome import clear

    try:
        clear(out, pictures=True)
    except OSError as error:
        raise UsageError(f"--out {out} cannot be a folder: {error.strerror}") from error
