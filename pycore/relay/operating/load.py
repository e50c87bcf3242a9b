"""How busy the process is, by how late its clock strikes, and what follows from that.

Everything of a relay runs in one loop: what is to be done waits for what is being done. A beat that was due a moment
ago and comes now says how long that takes, which is how late a packet is at the most. Two things follow from the beats.

Only if it is this process that is busy: where others have the processor, fewer games would not make it any faster.

- **No new games**, once half of the last beats came later than `busy_s`: games that run suffer otherwise. One that is
  late says nothing, since a database, a large store or another process of the machine may hold it up.
- **Less of each game**, once a round takes longer than `shed_s`: of the inputs and signals that came by one socket in
  that round the newest are carried out, as many as fit, and the oldest are left out. Peers say again what is not
  acknowledged to them. Every socket gets the same share. So a round never takes much longer, whatever comes; without
  that all would come, but later and later.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from statistics import median
from typing import Final

from pycore.relay.people.door import Door

BEAT_S: Final = 0.05
GROWTH: Final = 1.1
"""By how much more is carried out after a round that was short enough."""
LEAST: Final = 0.01
OWN: Final = 0.3
"""Of the time that passes, what the loop must have used itself to count as busy."""
BEATS: Final = 15
"""What the median is of: under a second while nothing is late."""


class Load:
    """The beats of one process."""

    def __init__(self, busy_s: float, shed_s: float) -> None:
        self._busy_s = busy_s
        self._shed_s = shed_s
        self._late: deque[float] = deque(maxlen=BEATS)
        self.busy = False
        """No new games."""
        self.share = 1.0
        """Of what came in a round, what is carried out of it."""
        self.shed = 0
        """Inputs and signals that were left out."""

    @property
    def lag(self) -> float:
        """How late beats come, s: the median of the last ones."""
        return median(self._late) if self._late else 0.0

    def beat(self, late: float, used: float = 1.0) -> None:
        """One has come, so many seconds late; `used`: of the time since the last one, what the loop itself has used."""
        late = max(0.0, late) if used >= OWN else 0.0
        self._late.append(late)
        # What was left out made the round shorter: so the share is of the last one, and grows again by and by.
        times = self._shed_s / late if late > self._shed_s else GROWTH
        self.share = min(1.0, max(LEAST, self.share * times))
        lag = self.lag
        if len(self._late) == BEATS and lag > self._busy_s:
            self.busy = True
        elif lag < self._busy_s / 2:
            self.busy = False

    def kept(self, texts: list[str]) -> list[str]:
        """What is carried out of what came by one socket in a round, in its order."""
        share = self.share
        if share >= 1.0 or len(texts) < 2:
            return texts
        left_out: list[int] = []
        for which in (INPUT, SIGNAL):
            numbers = [number for number, text in enumerate(texts) if is_repeated(text) == which]
            left_out += numbers[: len(numbers) - max(1, int(share * len(numbers)))]
        out = set(left_out)
        self.shed += len(out)
        return [text for number, text in enumerate(texts) if number not in out]

    async def run(self, door: Door) -> None:
        """Beat for as long as nobody cancels it, and have the door know whether the process is busy."""
        loop = asyncio.get_running_loop()
        now, used = loop.time(), time.thread_time()
        while True:
            await asyncio.sleep(BEAT_S)
            before, before_used = now, used
            now, used = loop.time(), time.thread_time()
            passed = now - before
            self.beat(passed - BEAT_S, (used - before_used) / passed)
            door.busy = self.busy


INPUT: Final = 1
SIGNAL: Final = 2


def is_repeated(text: str) -> int:
    """Whether a packet is one that peers say again: an input, or a signal of theirs; 0: it is not."""
    if text.startswith('42["pyodide_player_action"'):
        return INPUT
    return SIGNAL if text.startswith('42["webrtc_signal"') and '"type":"pycore"' in text else 0
