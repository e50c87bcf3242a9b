"""`build.py demo`: the relay and the page; or, with --selfplay, a rehearsal of an example."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pycore.errors import UsageError
from pycore.rehearsal import Game, Plan, RehearsalFailed, rehearse, serving, write
from pycore.relay.settings import read_settings
from tools import balancer, chromium, coturn, firefox
from tools.examples import COUNTS, Example, example
from tools.paths import BUILD, ROOT
from tools.process import Failed, Missing, say

DEFAULT_PORT = 8000


def main(options: argparse.Namespace) -> int:
    """Play, or rehearse."""
    try:
        if options.selfplay:
            return selfplay(options)
        if options.relays is not None:
            return several(options)
        port = DEFAULT_PORT if options.port is None else options.port
        serving.refuse_taken(options.host, port)
        database = serving.database_url(options.database or BUILD / "demo.sqlite")
        played = example(options.example, options.seats)
        return serve(options.host, port, database, settings_of(played, options.settings), played)
    except UsageError as error:
        raise Missing(str(error)) from error
    except RehearsalFailed as error:
        raise Failed(str(error)) from error


def selfplay(options: argparse.Namespace) -> int:
    """Rehearse, write the files, print the table and what was wrong, as `pycore rehearse` does."""
    from pycore.cli.rehearse import show  # with what the environment has, which build.py makes

    out = options.out or BUILD / "rehearsal"
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Missing(f"--out {out} cannot be a folder: {error}") from error
    played = example(options.example, options.selfplay)
    folder = played.build()
    plan = plan_of(options, played.game)
    fox = firefox.ensure() if "firefox" in plan.browsers else None
    chrome = chromium.ensure(options.chromium) if "chromium" in plan.browsers else None
    if plan.detours:
        coturn.ensure()
    server = None if options.relays is None else balancer.several(out / "server", options.relays)
    outcome = rehearse(
        plan, site=folder, chromium=chrome, firefox=fox, database=options.database, port=options.port, out=out, say=say,
        server=server,
    )
    write(outcome, out)
    show(outcome)
    say(f"metrics and trajectories are in {out}")
    return 1 if outcome.problems else 0


def plan_of(options: argparse.Namespace, game: Game) -> Plan:
    """The plan that the command line describes."""
    return Plan(
        game,
        seconds=options.seconds,
        latency_ms=options.latency,
        loss=options.loss / 100,
        down_at=options.p2p_down_at,
        up_at=options.p2p_up_at,
        cut=options.p2p_cut,
        browsers=options.browser,
        socketio_only=options.socketio_only,
        input_delay=options.input_delay,
        seed=options.seed,
        leave_at=options.leave_at,
        reload_at=options.reload_at,
        server_down_at=options.server_down_at,
        server_up_at=options.server_up_at,
    )


def settings_of(played: Example, given: Path | None) -> Path:
    """A file with the example's settings, and before them those that were given. Raises ConfigError."""
    values = {**played.game.settings, **({} if given is None else read_settings(given))}
    file = played.folder.with_name(f"{played.folder.name}.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(values), "utf-8")
    return file


def serve(host: str, port: int, database: str, settings: Path, played: Example) -> int:
    """Run the relay until Ctrl-C."""
    command = serving.command(host, port, database, played.build(), settings)
    seats = played.game.seats
    relay = subprocess.Popen([*command, "--seats", str(seats)], cwd=ROOT)
    # Whoever ends this process by name ends the relay too.
    signal.signal(signal.SIGTERM, lambda *_: relay.terminate())
    try:
        serving.wait_until_healthy(serving.address(host, port), relay)
        say(f"playing at {serving.address(host, port)}  (open it in {COUNTS[seats - 2]} tabs; Ctrl-C ends)")
        say(f"data goes to {database}")
        return ended(relay.wait())
    except KeyboardInterrupt:
        # The terminal sent the signal to the relay as well; it ends by itself, closing the database.
        return ended(serving.stop(relay))
    except RehearsalFailed:
        serving.stop(relay)
        raise


def several(options: argparse.Namespace) -> int:
    """Run several relays as one server until Ctrl-C."""
    played = example(options.example, options.seats)
    settings = settings_of(played, options.settings)
    words = ["--seats", str(played.game.seats)]
    folder = BUILD / "server"
    with balancer.Server(folder, relays=options.relays, site=played.build(), settings=settings, words=words) as server:
        say(f"playing at {server.url}  (open it in {COUNTS[played.game.seats - 2]} tabs; Ctrl-C ends)")
        for relay in server.relays:
            say(f"{relay.name} is {relay.url}, process {relay.pid}; what it says is in {relay.log}")
        with contextlib.suppress(KeyboardInterrupt):
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return 0


def ended(status: int) -> int:
    """The exit status of the demo: an end by signal is the normal one."""
    normal: Sequence[int] = (0, -signal.SIGINT, -signal.SIGTERM, 128 + signal.SIGINT, 128 + signal.SIGTERM)
    return 0 if status in normal else 1
