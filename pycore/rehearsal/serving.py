"""The relay as a child process: its command line, its address, its beginning and its end.

A process of its own, because that is what a study runs; and because a rehearsal must not share its event loop.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pycore.errors import ConfigError, PycoreError

HOME = Path(__file__).resolve().parents[2]
"""Where `python -m pycore` finds this very package, a checkout or an installed one."""

START_TIMEOUT = 60.0
"""Seconds until the relay must answer; it takes about one."""


class RehearsalFailed(PycoreError):
    """The relay or a page did not do its part. The message says which, and what it said last."""

    code = "rehearsal"


def database_url(database: str | Path) -> str:
    """A SQLAlchemy URL from a URL or a file name, whose folder is made."""
    if isinstance(database, str) and "://" in database:
        return database
    path = Path(database).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{path.resolve()}"


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at the moment."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def refuse_taken(host: str, port: int) -> None:
    """Say at once, and plainly, that a port is taken, instead of building first."""
    with contextlib.closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            why = f"cannot listen on {host}:{port} ({error.strerror}); --port names another port"
            raise ConfigError(why) from error


def command(host: str, port: int, database: str, folder: Path, settings: Path | None) -> list[str]:
    """The relay's command line."""
    words = [sys.executable, "-m", "pycore", "relay", "--host", host, "--port", str(port)]
    # Who rehearses a server that ends does not wait for the game.
    words += ["--database", database, "--site", str(folder.resolve()), "--drain-s", "0"]
    return [*words, "--settings", str(settings.resolve())] if settings else words


def address(host: str, port: int) -> str:
    """The address to open: a relay that listens on all addresses is reached by this machine's own."""
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"


def wait_until_healthy(url: str, relay: subprocess.Popen[bytes]) -> None:
    """Return when the relay answers; fail when it ended or keeps silent."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if relay.poll() is not None:
            raise RehearsalFailed(f"the relay ended with status {relay.returncode} before it answered")
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}api/health", timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise RehearsalFailed(f"the relay did not answer at {url} within {START_TIMEOUT:g} s")


def stop(relay: subprocess.Popen[bytes]) -> int:
    """Wait for the relay to end, then insist."""
    relay.terminate()
    try:
        return relay.wait(timeout=10)
    except subprocess.TimeoutExpired:
        relay.kill()
        return relay.wait()


class Relay:
    """A relay as a child process that may end and begin again, with the same database and address."""

    def __init__(
        self, command: Sequence[str], url: str, log: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        self._command = list(command)
        self.token = secrets.token_urlsafe(18)
        """Whoever has it may ask what it counts."""
        self._environ = {**(os.environ if environ is None else environ), "PYCORE_OPERATOR_TOKEN": self.token}
        self.url = url
        """Where it is reached."""
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.restarts = 0
        """How often it came back."""
        self.database: str | None = None
        """Where it stores, if that is another place than it was told."""

    def start(self) -> None:
        """Begin; returns when it answers. Raises RehearsalFailed, with what it said."""
        with self._log.open("ab") as log:
            process = self._process = subprocess.Popen(
                self._command, cwd=HOME, env=self._environ, stdout=log, stderr=log
            )
        try:
            wait_until_healthy(self.url, process)
        except RehearsalFailed as error:
            raise RehearsalFailed(f"{error}\n{self._log.read_text('utf-8', 'replace').strip()}") from error

    def ask(self, path: str) -> dict[str, Any]:
        """What it tells the operator. Raises OSError."""
        request = urllib.request.Request(self.url + path, headers={"authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found

    def stop(self) -> None:
        """End, if it runs."""
        if self._process is not None:
            stop(self._process)
            self._process = None

    def restart(self) -> None:
        """Begin again, after `stop`."""
        self.start()
        self.restarts += 1

    def freeze(self) -> None:
        """Answer nobody from now on, as if no way led there: its sockets stay open, and what they bring waits."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
