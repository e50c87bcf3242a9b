"""Tells an operator who is not looking that something is wrong: a message to an address of theirs, a webhook.

A fault is told once it has lasted for a while, again after some hours if it lasts, and when it is over. What is wrong
is decided from what is true now, and from the time; sending is apart from that. A message that cannot be sent is
logged, and sent with the next look: there are few, so they are kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import logging
import socket
import time
import urllib.request
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from pycore.errors import ConfigError
from pycore.relay.transport.origins import is_page

log = logging.getLogger("pycore.relay")

AFTER_S: Final = 30.0
"""How long something is wrong, or right again, before that is told: a restart of the database is over by then."""
AGAIN_S: Final = 6 * 3600.0
"""After which a fault that lasts is told again."""
LOOK_S: Final = 5.0
WITHIN_S: Final = 10.0
"""What the address may take to answer."""
KEPT: Final = 20
"""Messages that wait because none could be sent."""


class Alarm(NamedTuple):
    """A message."""

    fault: str
    """A word: `database`, `disk_full`, `disk_low`, `busy`, `without_data`."""
    over: bool
    text: str
    """In a sentence, for people."""

    def body(self, server: str, wall: float) -> dict[str, Any]:
        """As it is sent; `text` is what chats show."""
        state = "over" if self.over else "wrong"
        return {"text": f"pycore on {server}: {self.text}", "fault": self.fault, "state": state, "time": round(wall, 3)}


class Alarms:
    """What was told of one relay's faults."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        """Faults that there are, and since when."""
        self._gone: dict[str, float] = {}
        self._told: dict[str, float] = {}

    def look(self, now: float, faults: Mapping[str, str]) -> list[Alarm]:
        """The faults that there are, each with a sentence; what is to be told about that now."""
        found = []
        for fault, text in faults.items():
            self._gone.pop(fault, None)
            since = self._since.setdefault(fault, now)
            told = self._told.get(fault)
            if (told is None and now - since >= AFTER_S) or (told is not None and now - told >= AGAIN_S):
                self._told[fault] = now
                found.append(Alarm(fault, False, text))
        for fault in [each for each in self._since if each not in faults]:
            if fault not in self._told:
                del self._since[fault]
            elif now - self._gone.setdefault(fault, now) >= AFTER_S:
                minutes = (now - AFTER_S - self._since.pop(fault)) / 60
                del self._gone[fault], self._told[fault]
                found.append(Alarm(fault, True, f"{fault.replace('_', ' ')}: over, after {minutes:.0f} minutes"))
        return found


def check_address(url: str) -> str:
    """The same address. Raises `ConfigError` for what is none; it is a secret, so it is not repeated."""
    url = url.strip()
    if not is_page(url) or not url.isascii() or not url.isprintable() or " " in url or not _has_name(url):
        raise ConfigError("the address for alarms must be one of http or https, as https://chat.example.org/hooks/KEY")
    return url


def _has_name(url: str) -> bool:
    """Whether its host can be asked for: no part of that is empty, or too long."""
    try:
        return b"%" not in (urlsplit(url).hostname or "").encode("idna")
    except UnicodeError:
        return False


class _Stays(urllib.request.HTTPRedirectHandler):
    """Who is sent on, as from http to https, asks there without the message, which is then nowhere."""

    def redirect_request(self, *_: Any) -> None:
        """Not followed: it is an error."""


def post(url: str, body: Mapping[str, Any]) -> None:
    """Send a message. Blocks. Raises OSError."""
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.build_opener(_Stays).open(request, timeout=WITHIN_S):
            pass
    except http.client.HTTPException as error:
        raise OSError(f"the answer is none of HTTP: {type(error).__name__}") from error


@contextlib.asynccontextmanager
async def telling(
    url: str | None, faults: Callable[[], Awaitable[Mapping[str, str]]],
    send: Callable[[str, Mapping[str, Any]], None] = post, look_s: float = LOOK_S,
) -> AsyncIterator[None]:  # fmt: skip
    """Faults are looked for and told for as long as the context lasts; without an address nothing is."""
    if url is None:
        yield
        return
    looking = asyncio.get_running_loop().create_task(_told(url, faults, send, look_s))
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _told(
    url: str, faults: Callable[[], Awaitable[Mapping[str, str]]], send: Callable[[str, Mapping[str, Any]], None],
    look_s: float,
) -> None:  # fmt: skip
    alarms, due = Alarms(), deque[dict[str, Any]](maxlen=KEPT)
    server, loop = socket.gethostname(), asyncio.get_running_loop()
    while True:
        try:
            found = alarms.look(loop.time(), await faults())
            due.extend(alarm.body(server, time.time()) for alarm in found)
            while due:
                await loop.run_in_executor(None, send, url, due[0])
                due.popleft()
        except OSError as error:
            # The address is a secret, and stands in no log.
            log.error("an alarm could not be sent: %s", str(error).replace(url, "…"))
        except Exception:
            log.exception("looking for faults failed")
        await asyncio.sleep(look_s)
