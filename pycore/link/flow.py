"""One path of a link as a stream of packets: sequence numbers, round-trip time, loss.

Every packet echoes the newest sequence number that came by the same path, with the time it was held, so each
arrival is a round-trip sample that neither clock nor tick spoils:
``rtt = arrival - sent_at[echo] - hold`` (as in RTP's receiver reports).
"""

from __future__ import annotations

from collections import deque
from typing import Final

from pycore.distribution import TENTHS, Distribution
from pycore.wire.datagram import NO_SAMPLE

LONGEST_RTT: Final = 10.0
"""A sample of more is none of a way that can be played by, and whatever waits for a round trip must not wait for it."""
ASSUMED_LOSS: Final = 0.05
"""The share of packets that is thought to be lost before any was sent. An input that gets lost in the first second,
when nobody knows the path yet, costs a stall; a copy too many costs bytes until nothing is found to be lost."""
LOSS_MEMORY: Final = 128
"""Packets after which the smoothed share of those that are lost has forgotten two thirds of what was before. Half of it
takes a run of good luck for a better path, and what then gets lost has too few copies."""
LONG_AGO: Final = -1e9
"""When something came of which nobody knows when: it is held for too long to say so."""


class Flow:
    """Both directions of one path. All times are seconds of the caller's clock."""

    __slots__ = (
        "_counted",
        "_recent",
        "_samples",
        "_sent_at",
        "gaps",
        "heard_at",
        "jitter",
        "jitters",
        "loss",
        "newest",
        "newest_at",
        "received",
        "rtt",
        "rtts",
        "seq",
    )

    RECENT = 10
    """Samples whose mean stands for the latency."""

    def __init__(self, now: float) -> None:
        self.seq = 0
        """Number of the next packet."""
        self.newest = -1
        """Newest number that came."""
        self.newest_at = now
        self.heard_at = now
        """When anything came last."""
        self.rtt: float | None = None
        """Smoothed round-trip time; None before the first sample."""
        self.rtts = Distribution()
        """The samples that were counted, some a second, in tenths of a millisecond."""
        self.jitter: float | None = None
        """Smoothed difference of two samples in a row, of those that were counted; None before there are two."""
        self.jitters = Distribution()
        """These differences, in tenths of a millisecond."""
        self._samples = self._counted = 0
        self.loss = ASSUMED_LOSS
        """Smoothed share of packets that did not come; what is overtaken counts as lost."""
        self.received = 0
        """Packets that came."""
        self.gaps = 0
        """How often numbers were missing between two packets when the newer one came."""
        self._sent_at = [now] * 256
        self._recent: deque[float] = deque(maxlen=self.RECENT)

    def hear_anew(self, now: float) -> None:
        """The peer counts from 0 again, as another load of its page does."""
        self.newest = -1
        self.newest_at = self.heard_at = now
        self.rtt = self.jitter = None
        self._recent.clear()

    def begin_anew(self, now: float) -> None:
        """We count from 0 again as well: the peer knows nothing of what was sent before."""
        self.hear_anew(now)
        self.seq = 0
        self._sent_at = [now] * 256

    def stamp(self, now: float) -> tuple[int, int, int]:
        """Number, echo and hold of the packet that is sent now."""
        seq = self.seq
        self.seq = seq + 1
        self._sent_at[seq & 255] = now
        if self.newest < 0:
            return seq, 0, NO_SAMPLE
        hold = int((now - self.newest_at) * 1000)
        return seq, self.newest & 255, hold if 0 <= hold < NO_SAMPLE else NO_SAMPLE

    def arrived(self, seq: int, echo: int, hold: int, now: float) -> bool:
        """Note a packet that came at `now`; true if it is newer than all before."""
        self.heard_at = now
        self.received += 1
        if hold != NO_SAMPLE:
            self.sample(now - self._sent_at[echo] - hold / 1000)
        gap = seq - self.newest
        if gap <= 0:
            return False
        if self.newest >= 0:
            self.loss -= self.loss / LOSS_MEMORY
            if gap > 1:
                self.gaps += 1
                for _ in range(min(gap, 64) - 1):
                    self.loss += (1.0 - self.loss) / LOSS_MEMORY
        self.newest = seq
        self.newest_at = now
        return True

    def arrived_late(self, seq: int, now: float) -> bool:
        """The same of a packet that came nobody knows when before `now`: it is no sample, neither here nor there."""
        if not self.arrived(seq, 0, NO_SAMPLE, now):
            return False
        self.newest_at = LONG_AGO
        return True

    def excuse(self, seconds: float) -> None:
        """Between two ticks the clock went on by so much too far: what is on its way was sent by the clock of now."""
        self._sent_at = [sent_at + seconds for sent_at in self._sent_at]

    def hear(self, now: float) -> None:
        """Something came that is no datagram."""
        self.heard_at = now

    def sample_anew(self, rtt: float) -> None:
        """The mean of before says nothing any more: begin it with this round-trip time."""
        self.rtt = None
        self.sample(rtt)

    def sample(self, rtt: float) -> None:
        """Take one round-trip time into the mean."""
        if rtt < 0.0:
            rtt = 0.0
        elif rtt > LONGEST_RTT:
            rtt = LONGEST_RTT
        self._recent.append(rtt)
        self.rtt = rtt if self.rtt is None else self.rtt + (rtt - self.rtt) / 8
        self._samples += 1

    def count_sample(self) -> None:
        """Count the newest sample, unless it was, and how it differs from the one before it."""
        if self._samples == self._counted:
            return
        self._counted = self._samples
        recent = self._recent
        if not recent:
            return
        rtt = recent[-1]
        self.rtts.add(int(rtt * TENTHS + 0.5))
        if len(recent) > 1:
            change = rtt - recent[-2]
            if change < 0.0:
                change = -change
            self.jitter = change if self.jitter is None else self.jitter + (change - self.jitter) / 16
            self.jitters.add(int(change * TENTHS + 0.5))

    def mean_rtt(self) -> float | None:
        """Mean of the last ten samples; None before there are ten."""
        recent = self._recent
        if len(recent) < self.RECENT:
            return None
        total = 0.0
        for value in recent:
            total += value
        return total / self.RECENT

    def slow_rtt(self) -> float | None:
        """A round trip as long as the longest of the last ten, but for one that may have been anything; None before the
        first."""
        slowest = sorted(self._recent)
        return slowest[max(0, len(slowest) - 2)] if slowest else self.rtt

    def forget_samples(self) -> None:
        """Start the mean anew: the path was gone."""
        self._recent.clear()
