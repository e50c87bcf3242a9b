"""Lines of the log that strangers cause: each kind is said once in a while, with how many there were, so that nobody
fills the disk by what is logged about them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

QUIET_S: Final = 10.0
"""Seconds from one line of a kind to the next."""
KINDS: Final = 100
"""Kinds that are told apart; whatever is beyond counts as one."""


class Quiet:
    """What was said when, by kind."""

    def __init__(self, every_s: float = QUIET_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock = clock
        self._said: dict[str, tuple[float, int]] = {}

    def may_say(self, kind: str = "") -> int:
        """How often that was to be said since it was said last, this time included; 0: it is not said now."""
        if kind not in self._said and len(self._said) >= KINDS:
            kind = ""
        now = self._clock()
        at, times = self._said.get(kind, (float("-inf"), 0))
        if now - at < self._every_s:
            self._said[kind] = (at, times + 1)
            return 0
        self._said[kind] = (now, 0)
        return times + 1

    def warn(self, log: logging.Logger, kind: str, text: str, *values: Any) -> None:
        """Say it as a warning, if it may be said."""
        if times := self.may_say(kind):
            log.warning(text + (f" ({times} times)" if times > 1 else ""), *values)


class Seldom(logging.Filter):
    """Lets what a library logs pass once in a while: `Invalid HTTP request received.` is said of each."""

    def __init__(self, quiet: Quiet | None = None) -> None:
        super().__init__()
        self._quiet = quiet or Quiet()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is said."""
        if record.levelno < logging.WARNING:
            return True
        error = record.exc_info[1] if record.exc_info else None
        return bool(self._quiet.may_say(f"{record.msg}{type(error).__name__}{error}"[:300]))
