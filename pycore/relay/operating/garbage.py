"""When the interpreter looks for garbage: never through all that a server keeps, while games run.

A full collection passes over every object that is alive, and nothing else of the process runs meanwhile: with a
thousand connections that is a tenth of a second, and it comes again whenever a quarter of them is new. So what a full
collection has found alive is put aside, and later ones pass over what is new. Whatever is put aside is freed as always
when nobody refers to it any more; only what refers to itself in a circle stays. So everything is looked through when
nothing goes on, and otherwise when as much again has been put aside, and more.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any, Final

LOOK_S: Final = 1.0
"""Between two looks at what there is to do."""
QUIET_S: Final = 60.0
"""Nothing must have gone on for so long before everything is looked through, and so long it is until it is again."""
GROWN: Final = 1_000_000
"""Objects put aside since, beyond as many as there were, at which everything is looked through all the same: some
hundred megabytes."""


class Garbage:
    """Of one process, in which `going` games run."""

    def __init__(self, going: Callable[[], int], now: float = 0.0) -> None:
        self._going = going
        self._collected = False
        self._fresh = False
        """Something was put aside since everything was looked through."""
        self._quiet_since = now
        self._aside = 0

    def begin(self) -> None:
        """What is there now stays."""
        self.everything()
        gc.callbacks.append(self._called)

    def end(self) -> None:
        """As it was."""
        if self._called in gc.callbacks:
            gc.callbacks.remove(self._called)
        gc.unfreeze()

    def everything(self) -> None:
        """Look through everything, and put aside what is alive."""
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._aside = gc.get_freeze_count()
        self._fresh = self._collected = False

    def look(self, now: float) -> None:
        """See what there is to do."""
        if self._collected:
            self._collected = False
            self._fresh = True
            gc.freeze()
        if self._going():
            self._quiet_since = now
        if (self._fresh and now - self._quiet_since >= QUIET_S) or gc.get_freeze_count() > 2 * self._aside + GROWN:
            self.everything()
            self._quiet_since = now

    async def run(self) -> None:
        """For as long as nobody cancels it."""
        loop = asyncio.get_running_loop()
        self._quiet_since = loop.time()
        while True:
            await asyncio.sleep(LOOK_S)
            self.look(loop.time())

    def _called(self, phase: str, info: dict[str, Any]) -> None:
        # In whichever thread it happens; what follows is done at the next look.
        if phase == "stop" and info["generation"] == 2:
            self._collected = True
