"""`build.py demo`: the relay and the page; or, with --selfplay, the rehearsal."""

from __future__ import annotations

import argparse
import importlib
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tools import relay as relays
from tools import site
from tools.paths import ROOT
from tools.process import Failed, say

DEFAULT_PORT = 8000


def main(options: argparse.Namespace) -> int:
    """Play, or rehearse."""
    if options.selfplay:
        from tools import chromium

        rehearsal = importlib.import_module("tools.rehearsal")
        site.build()
        chromium.ensure(options.chromium)
        return int(rehearsal.main(options))
    port = DEFAULT_PORT if options.port is None else options.port
    relays.refuse_taken(options.host, port)
    return serve(options.host, port, options.database, options.settings, site.build())


def serve(host: str, port: int, database: str | None, settings: Path | None, folder: Path) -> int:
    """Run the relay until Ctrl-C."""
    url = relays.database_url(database)
    relay = subprocess.Popen(relays.relay_command(host, port, url, folder, settings), cwd=ROOT)
    # Whoever ends this process by name ends the relay too.
    signal.signal(signal.SIGTERM, lambda *_: relay.terminate())
    try:
        relays.wait_until_healthy(relays.address(host, port), relay)
        say(f"playing at {relays.address(host, port)}  (open it in two tabs; Ctrl-C ends)")
        say(f"data goes to {url}")
        return ended(relay.wait())
    except KeyboardInterrupt:
        # The terminal sent the signal to the relay as well; it ends by itself, closing the database.
        return ended(relays.stop(relay))
    except Failed:
        relays.stop(relay)
        raise


def ended(status: int) -> int:
    """The exit status of the demo: an end by signal is the normal one."""
    normal: Sequence[int] = (0, -signal.SIGINT, -signal.SIGTERM, 128 + signal.SIGINT, 128 + signal.SIGTERM)
    return 0 if status in normal else 1
