"""How the process of a relay ends: it takes no new games, waits for those that run, and ends in bounded time.

A game that is running when the process ends is not over: the next process takes it up, which costs a pause. So the
wait is for games that are about to end anyway, and short by default. SIGTERM waits, SIGINT (Ctrl-C) does not, nor does
SIGHUP, which comes when the terminal or the connection to it is closed; where that is ignored, as `nohup` has it, it
stays so. A second signal ends the wait, and the process within a second whatever the database does; what was
acknowledged is written.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Final

import uvicorn

from pycore.relay.server import RelayServer

log = logging.getLogger("pycore.relay")

END_S: Final = 15.0
"""What the process may take for its end once nobody is waited for, sockets and the database included."""
AT_ONCE_S: Final = 1.0
"""The same behind a second signal."""


class Drain:
    """When a process ends that was asked to: decided by the signals so far, the games that run, and the time."""

    def __init__(self, drain_s: float) -> None:
        self._drain_s = drain_s
        self._signals = 0
        self._patient = True
        self._until: float | None = None

    def signal(self, patient: bool) -> None:
        """The process is asked to end; `patient`: games may be waited for."""
        self._signals += 1
        self._patient = self._patient and patient

    @property
    def asked(self) -> bool:
        """Whether it was."""
        return self._signals > 0

    @property
    def at_once(self) -> bool:
        """Whether it was asked again."""
        return self._signals > 1

    def over(self, going: int, now: float) -> bool:
        """Whether it ends now, with so many games running."""
        if not self.asked:
            return False
        if self._until is None:
            self._until = now + self._drain_s
        return going == 0 or self.at_once or not self._patient or now >= self._until


class Server(uvicorn.Server):
    """uvicorn, which ends with status 0 when it is asked to end: its own handler raises the signal again."""

    def __init__(self, config: uvicorn.Config, relay: RelayServer, drain_s: float) -> None:
        super().__init__(config)
        self._relay = relay
        self._drain = Drain(drain_s)
        self._told = False

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGINT, SIGTERM and SIGHUP ask the server to end, if this is the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        asked = [signal.SIGINT, signal.SIGTERM]
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            asked.append(signal.SIGHUP)
        before = {number: signal.signal(number, self.handle_exit) for number in asked}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal. It may come in the middle of anything, so what follows from it does so at the next tick."""
        self._drain.signal(sig == signal.SIGTERM)
        if self._drain.at_once:
            self._within(AT_ONCE_S)

    async def on_tick(self, counter: int) -> bool:
        """uvicorn asks ten times a second whether to end."""
        if self._drain.asked and not self._told:
            self._told = True
            self._relay.drain()
        going = self._relay.lobby.games.going()
        if self._drain.over(going, time.monotonic()) and not self.should_exit:
            self.should_exit = True
            if going:
                log.info("%d games go on with the next process", going)
            self._within(END_S)
        return await super().on_tick(counter)

    def _within(self, seconds: float) -> None:
        """Whatever hangs, a database for instance, the process ends. Not in a thread, which is not the process."""
        if threading.current_thread() is not threading.main_thread():
            return
        timer = threading.Timer(seconds, _cut, (seconds,))
        timer.daemon = True
        timer.start()


def _cut(seconds: float) -> None:
    log.error("the process did not end within %g s, so it is cut off; what was acknowledged is written", seconds)
    logging.shutdown()
    os._exit(0)
