"""Several relays as one server on this machine: PostgreSQL, NATS, relays, and HAProxy before them, all real.

    with Server(folder, site, relays=3) as server:
        server.url                # what a browser opens
        server.relays[0].kill()   # as the machine's lack of memory does it

HAProxy has the file of `deploy/`, without TLS and with what several servers need: who polls goes to the same one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pycore.rehearsal import serving
from tools.nats import Nats
from tools.paths import ROOT
from tools.postgres import Postgres
from tools.proxies import Haproxy, replaced
from tools.server import ChildServer

TOKEN = "operator-of-the-tests"


SEVERAL = """    balance roundrobin
    cookie pycore insert indirect nocache httponly
    option redispatch
    retries 5
"""


class Balancer(Haproxy):
    """HAProxy before several relays."""

    @property
    def url(self) -> str:
        """Where it is reached."""
        return self.plain

    def write(self) -> None:
        """The file that is delivered, for several servers and without TLS."""
        super().write()
        path = self.folder / "haproxy.cfg"
        text = replaced(
            path.read_text("utf-8"), ("    http-request redirect scheme https code 301 unless { ssl_fc }\n", ""),
            ("backend pycore\n", f"backend pycore\n{SEVERAL}"),
        )  # fmt: skip
        text = re.sub(r"(?m)^    server (s\d+) .*", r"\g<0> cookie \1", text)
        path.write_text(text, "utf-8")


class Process(ChildServer):
    """One relay."""

    START_TIMEOUT = 30.0

    def __init__(self, name: str, folder: Path, words: Sequence[str]) -> None:
        super().__init__(name, folder)
        self._words = list(words)

    @property
    def url(self) -> str:
        """Where it is reached itself."""
        return f"http://127.0.0.1:{self.port}/"

    def command(self) -> list[str]:
        """Of the checkout."""
        return [sys.executable, "-m", "pycore", "relay", "--port", str(self.port), *self._words]

    def environment(self) -> Mapping[str, str] | None:
        """With this checkout's package."""
        return {**os.environ, "PYTHONPATH": str(ROOT)}

    def answers(self) -> bool:
        """Whether it says that it lives."""
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}api/health", timeout=1) as answer:
            return bool(answer.status == 200)
        return False

    def kill(self) -> None:
        """At once, without a word to anybody."""
        self.end(signal.SIGKILL)

    def standing(self) -> dict[str, Any]:
        """What the operator sees of it."""
        return self.say("")

    def say(self, path: str, told: Any = None) -> dict[str, Any]:
        """What it answers the operator, who asks, or tells it something."""
        url = f"{self.url}api/operator{f'/{path}' if path else ''}"
        data = None if told is None else json.dumps(told).encode()
        request = urllib.request.Request(url, data, {"authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def playing(self) -> int:
        """How many games it has; of several processes each answers for all."""
        found = self.standing()
        (own,) = [each for each in found.get("processes", [{**found, "here": True}]) if each["here"]]
        return int(own["games_playing"])


class Server:
    """All of it, for as long as the block lasts. Raises `Missing` where something is not to be had."""

    def __init__(
        self, folder: Path, *, relays: int = 3, site: Path | None = None, settings: Path | None = None,
        words: Sequence[str] = (), balanced: bool = True, bus: bool = True,
    ) -> None:
        self.folder = folder
        self._words = list(words)
        self._count = relays
        self._balanced = balanced
        self._bus = bus
        if site is not None:
            self._words += ["--site", str(site.resolve())]
        if settings is not None:
            self._words += ["--settings", str(settings.resolve())]
        self._stack = contextlib.ExitStack()
        self.relays: list[Process] = []
        self.database = ""

    def __enter__(self) -> Self:
        enter = self._stack.enter_context
        try:
            self.postgres = enter(Postgres(self.folder / "postgres"))
            self.database = self.postgres.database()
            self.nats = enter(Nats("nats", self.folder / "nats"))
            words = [*self._words, "--database", self.database, "--operator-token", TOKEN, "--log-level", "info"]
            words += ["--bus", self.nats.url] if self._bus else []
            for number in range(self._count):
                self.relays.append(enter(Process(f"relay{number}", self.folder / f"relay{number}", words)))
            if self._balanced:
                ports = [relay.port for relay in self.relays]
                self.balancer = enter(Balancer(self.folder / "haproxy", *ports))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """Where participants come."""
        return self.balancer.url

    def renew(self) -> None:
        """All relays end, and begin again: what was played is gone from their memory."""
        for relay in self.relays:
            relay.end(signal.SIGTERM)
        for relay in self.relays:
            relay.start()

    def owner(self) -> Process:
        """The one whose games are played; there must be one."""
        (found,) = [relay for relay in self.relays if relay.running and relay.playing()]
        return found


class Several(serving.Relay):
    """All of it as a rehearsal's relay: to end it is to kill the process that has the game, and nothing takes its place
    but the others."""

    def __init__(self, server: Server) -> None:
        super().__init__((), server.url, server.folder / "none.log")
        self.token = TOKEN
        self.database = server.database
        self._server = server

    def start(self) -> None:
        """It has begun."""

    def stop(self) -> None:
        """Kill the owner of the game."""
        self._server.owner().kill()

    def restart(self) -> None:
        """The others are there."""
        self.restarts += 1

    def ask(self, path: str) -> dict[str, Any]:
        """What the process says that has it in memory."""
        found = []
        for relay in self._server.relays:
            if relay.running:
                request = urllib.request.Request(f"{relay.url}{path}", headers={"authorization": f"Bearer {TOKEN}"})
                with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=10) as answer:
                    found.append(json.load(answer))
        return max(found, key=lambda counts: (counts.get("restarts", 0), counts.get("inputs_relayed", 0)))


def several(folder: Path, relays: int) -> Callable[[Sequence[str]], contextlib.AbstractContextManager[serving.Relay]]:
    """For `rehearse(server=…)`."""

    @contextlib.contextmanager
    def begun(words: Sequence[str]) -> Iterator[serving.Relay]:
        with Server(folder, relays=relays, words=words) as server:
            yield Several(server)

    return begun
