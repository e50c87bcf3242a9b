"""A real TURN server on this machine, for tests of games that are relayed: Debian's coturn, on loopback.

    with Coturn(folder) as turn:
        turn.urls, turn.secret        # what pycore.relay takes
        turn.credentials("ann")       # what a page takes

It checks time-limited credentials, as `pycore.relay.turn` makes them.
"""

from __future__ import annotations

import re
import shutil
import socket
import time
from pathlib import Path

from pycore.relay.turn import Turn
from tools import debian
from tools.process import Missing
from tools.server import ChildServer

NAME = "turnserver"
SECRET = "of the tests"

ALLOCATED = re.compile(r"session (\d+): new, ")
CLOSED = re.compile(r"session (\d+): closed ")
RELAYED = re.compile(r"session \d+: peer usage: .* sp=(\d+),")
"""What a client had relayed to others, said when its session ends and every 4096 packets, each time anew."""


def find() -> str | None:
    """The program, installed if need be and possible."""
    found = shutil.which(NAME)
    if found is None and debian.install("coturn"):
        found = shutil.which(NAME)
    return found


def ensure() -> str:
    """The same, or `Missing`."""
    if (program := find()) is None:
        raise Missing("no TURN server; install coturn")
    return program


class Coturn(ChildServer):
    """One server, for as long as the block lasts. Raises `Missing` where there is none to be had."""

    START_TIMEOUT = 10.0

    def __init__(self, folder: Path) -> None:
        super().__init__(NAME, folder)
        self.secret = SECRET

    @property
    def urls(self) -> list[str]:
        """The way to it is TCP: the server says what it relayed when a client goes, browsers go without a word, but of
        a closed connection it hears. What it relays are datagrams all the same."""
        return [f"turn:127.0.0.1:{self.port}?transport=tcp"]

    def credentials(self, name: str) -> dict[str, str]:
        """`username` and `credential` of somebody, valid for an hour."""
        config = Turn(tuple(self.urls), self.secret, ttl_s=3600).config(name, time.time())
        return {"username": config["username"], "credential": config["credential"]}

    def command(self) -> list[str]:
        """Everything on loopback, nothing kept, and what it does in its log."""
        return [
            ensure(), "-n", "--no-cli", "--no-tls", "--no-dtls", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1",
            f"--listening-port={self.port}", "--allow-loopback-peers", "--fingerprint", "--realm=pycore.test",
            "--use-auth-secret", f"--static-auth-secret={self.secret}", "--verbose", "--log-file=stdout",
            "--simple-log", f"--pidfile={self.folder / 'turnserver.pid'}", f"--userdb={self.folder / 'turnserver.db'}",
        ]  # fmt: skip

    def answers(self) -> bool:
        """Whether it takes a connection."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def relayed(self, seconds: float = 15.0) -> int:
        """How many packets of clients were relayed, once all of them are gone or after so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            text = self.text()
            if set(ALLOCATED.findall(text)) <= set(CLOSED.findall(text)) or time.monotonic() > deadline:
                return sum(map(int, RELAYED.findall(text)))
            time.sleep(0.1)
