"""Whether there is a way to a peer through the server, as far as that is known.

We may not reach the server, or the peer may not, as the server says. Some servers say nothing, and one may not know yet
that a socket is dead: so whoever has left the channel asks by this way, every half second, whether anything comes back.
"""

from __future__ import annotations

from typing import Final

from pycore.link.flow import Flow
from pycore.wire.datagram import NO_SAMPLE

ASK_EVERY: Final = 0.5
"""How long a probe is waited for while the round-trip time is unknown, further ones twice and four times as long. Later
twice the round-trip time, if that is longer."""
MISSES: Final = 3
"""So many probes that nobody answers, and this is no way."""
WE, PEER, MUTE = 1, 2, 4


class ServerWay:
    """Of one link."""

    __slots__ = ("_asked_at", "_misses", "_probe", "_probe_at", "_why_not", "flow")

    def __init__(self, now: float) -> None:
        self.flow = Flow(now)
        """What is heard by it, and its round-trip time; inputs are no part of that."""
        self._why_not = 0
        """Why it is no way, as bits: we cannot reach the server, or the peer cannot, or nothing comes back."""
        self._probe = -1
        self._probe_at: float | None = None
        """When the newest probe was sent; None: it was answered."""
        self._asked_at = float("-inf")
        self._misses = 0

    @property
    def works(self) -> bool:
        """Whether nothing says that it does not."""
        return not self._why_not

    @property
    def mute(self) -> bool:
        """Whether nothing came back by it when that was asked last."""
        return self._why_not & MUTE > 0

    def reach(self, we: bool) -> None:
        """Whether we can reach the server. What it said of the peer while we could not we have not heard."""
        self._why_not = 0 if we else self._why_not | WE

    def peer_reaches(self, it: bool) -> None:
        """Whether the peer can, as the server says."""
        self._why_not = self._why_not & ~PEER | (0 if it else PEER)

    def begin_anew(self, now: float) -> None:
        """The peer's page was loaded again."""
        self.flow.begin_anew(now)
        self._why_not &= ~MUTE
        self.ask_anew()

    def excuse(self, seconds: float) -> None:
        """Of what is on its way so long is no part of the round trip."""
        self.flow.excuse(seconds)
        self._asked_at += seconds
        if self._probe_at is not None:
            self._probe_at += seconds

    # -- probes ------------------------------------------------------------------------------------------------

    def probe(self, now: float) -> int:
        """The number of a probe that is sent now, to measure this way."""
        self._probe = (self._probe + 1) & 0xFFFF
        self._probe_at = now
        return self._probe

    def ask_anew(self) -> None:
        """The channel is not in force any more: what was asked before says nothing, and it is asked at once."""
        self._asked_at = float("-inf")
        self._misses = 0
        self._probe_at = None

    def probe_due(self, now: float) -> int | None:
        """The number of the probe to send now, while the channel is not in force, if one is due."""
        rtt = self.flow.rtt
        patience = ASK_EVERY * (1 << min(self._misses, 2)) if rtt is None else max(ASK_EVERY, 2 * rtt)
        if now - self._asked_at < patience:
            return None
        if self._probe_at is not None:
            self._misses += 1
            if self._misses >= MISSES:
                self._why_not |= MUTE
        self._asked_at = now
        return self.probe(now)

    def answered(self, number: int, hold: int, now: float) -> None:
        """The answer to a probe came by it. Only one to the newest counts, and only once."""
        sent_at = self._probe_at
        if number != self._probe or sent_at is None:
            return
        if hold != NO_SAMPLE:
            self.flow.sample(now - sent_at - hold / 1000)
        self._probe_at = None
        self._misses = 0
        self._why_not &= ~MUTE
