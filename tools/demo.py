"""`build.py demo`: the relay and the page; or, with --selfplay, a rehearsal of the example."""

from __future__ import annotations

import argparse
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pycore.errors import UsageError
from pycore.rehearsal import Plan, RehearsalFailed, rehearse, serving, write
from tools import chromium, site
from tools.paths import BUILD, ROOT, SITE
from tools.process import Failed, Missing, say
from tools.volley import VOLLEY

DEFAULT_PORT = 8000


def main(options: argparse.Namespace) -> int:
    """Play, or rehearse."""
    try:
        if options.selfplay:
            return selfplay(options)
        port = DEFAULT_PORT if options.port is None else options.port
        serving.refuse_taken(options.host, port)
        database = serving.database_url(options.database or BUILD / "demo.sqlite")
        return serve(options.host, port, database, options.settings, site.build())
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
    site.build()
    browser = chromium.ensure(options.chromium)
    plan = plan_of(options)
    outcome = rehearse(
        plan, site=SITE, chromium=browser, database=options.database, port=options.port, out=out, say=say
    )
    write(outcome, out)
    show(outcome)
    say(f"metrics and trajectories are in {out}")
    return 1 if outcome.problems else 0


def plan_of(options: argparse.Namespace) -> Plan:
    """The plan that the command line describes."""
    return Plan(
        VOLLEY,
        seconds=options.seconds,
        latency_ms=options.latency,
        loss=options.loss / 100,
        down_at=options.p2p_down_at,
        up_at=options.p2p_up_at,
        cut=options.p2p_cut,
        socketio_only=options.socketio_only,
        input_delay=options.input_delay,
        seed=options.seed,
    )


def serve(host: str, port: int, database: str, settings: Path | None, folder: Path) -> int:
    """Run the relay until Ctrl-C."""
    relay = subprocess.Popen(serving.command(host, port, database, folder, settings), cwd=ROOT)
    # Whoever ends this process by name ends the relay too.
    signal.signal(signal.SIGTERM, lambda *_: relay.terminate())
    try:
        serving.wait_until_healthy(serving.address(host, port), relay)
        say(f"playing at {serving.address(host, port)}  (open it in two tabs; Ctrl-C ends)")
        say(f"data goes to {database}")
        return ended(relay.wait())
    except KeyboardInterrupt:
        # The terminal sent the signal to the relay as well; it ends by itself, closing the database.
        return ended(serving.stop(relay))
    except RehearsalFailed:
        serving.stop(relay)
        raise


def ended(status: int) -> int:
    """The exit status of the demo: an end by signal is the normal one."""
    normal: Sequence[int] = (0, -signal.SIGINT, -signal.SIGTERM, 128 + signal.SIGINT, 128 + signal.SIGTERM)
    return 0 if status in normal else 1
