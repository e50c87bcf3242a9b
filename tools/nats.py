"""A real NATS server on this machine, for tests and demonstrations: Debian's, on loopback.

    with Nats(folder) as nats:
        nats.url    # what `--bus` takes
"""

from __future__ import annotations

import shutil
import socket

from tools import debian
from tools.process import Missing
from tools.server import ChildServer

NAME = "nats-server"


def find() -> str | None:
    """The program, installed if need be and possible."""
    found = shutil.which(NAME) or shutil.which(NAME, path="/usr/sbin")
    if found is None and debian.install(NAME):
        found = shutil.which(NAME) or shutil.which(NAME, path="/usr/sbin")
    return found


def ensure() -> str:
    """The same, or `Missing`."""
    if (program := find()) is None:
        raise Missing("no NATS server; install nats-server")
    return program


class Nats(ChildServer):
    """One server, for as long as the block lasts. Raises `Missing` where there is none to be had. It keeps nothing:
    `end` and `start` are a broker that was killed and began again."""

    START_TIMEOUT = 10.0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"nats://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """On loopback alone, in memory."""
        return [ensure(), "-a", "127.0.0.1", "-p", str(self.port)]

    def answers(self) -> bool:
        """Whether it takes a connection."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
