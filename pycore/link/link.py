"""The way to one remote peer: what it said, which path leads there, what it has not acknowledged.

A link decides nothing itself; it holds together what does. `agenda` has one bit for each topic that has something to
say on it, so that a tick with nothing to say looks at one number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from pycore.distribution import Distribution
from pycore.link.counts import LinkCounts
from pycore.link.flow import Flow
from pycore.link.paths import Paths
from pycore.link.peer import Peer
from pycore.link.unacknowledged import Unacknowledged

HICCUP: Final = 1.0
"""Seconds: shorter pauses are excused up to a sum, since the peer was heard, longer ones up to a number."""
HICCUPS_MOST: Final = 5.0
PAUSES_MOST: Final = 3


class Fixed(Protocol):
    """The own inputs of a seat, as far as a link must know them."""

    @property
    def dispatched(self) -> int:
        """Last frame for which the input is fixed."""


class Link:
    """One remote peer's link."""

    __slots__ = (
        "_excused",
        "_excused_until",
        "_excuses",
        "advantage",
        "agenda",
        "ages",
        "control_at",
        "counts",
        "flush",
        "own",
        "paths",
        "peer",
        "receipts",
        "seat",
        "version_1_seq",
    )

    def __init__(self, peer: Peer, own: Sequence[Unacknowledged], receipts: Sequence[int], now: float) -> None:
        self.peer = peer
        self.seat = peer.seat
        """The first seat of the peer, by which the link is called."""
        self.paths = Paths(now, peer.seat < 0 or not own)
        self.own = tuple(own)
        """What the peer lacks of ours, by own seat."""
        self.receipts = tuple(receipts)
        """The seats that the peer's receipts are of, in their order: all but its own."""
        self.counts = LinkCounts()
        self.ages = Distribution()
        """How far the newest input of the peer is behind the current frame, looked at now and then."""
        self.agenda = 0
        self.flush = False
        """Everything unacknowledged has to go out now."""
        self.control_at = -1e9
        """When the last datagram went through the server."""
        self.advantage = 0.0
        """Our frame advantage over the peer, in frames."""
        self._excused_until = -1e9
        """Silence up to then was excused."""
        self._excused = 0.0
        """Seconds of hiccups that were excused since the peer was heard."""
        self._excuses = 0
        """Longer pauses that were."""
        self.version_1_seq = 0
        """How often a packet of protocol 1 was answered."""

    def begin(self, delays: Sequence[int], slots: int) -> None:
        """Start an episode with these input delays, by seat."""
        for outbox in self.own:
            outbox.begin(delays[outbox.seat], slots)
        self.peer.begin(min(delays) - 1)
        self.advantage = 0.0
        self.control_at = -1e9

    def begin_anew(self, known: int, now: float, frame: int) -> None:
        """Another load of the peer's page takes its place, which will hold everybody's inputs up to the frame `known`
        of the running episode, whose current frame is `frame`."""
        self.paths.begin_anew(now, frame)
        for outbox in self.own:
            outbox.resume(min(outbox.dispatched, max(known, outbox.agreed)), outbox.dispatched, now)
        self.advantage = 0.0
        self.control_at = -1e9
        self.flush = True

    def speak(self, bit: int) -> None:
        """The topic with this bit has something to say."""
        self.agenda |= bit

    def be_silent(self, bit: int) -> None:
        """The topic with this bit has nothing more to say."""
        self.agenda &= ~bit

    def ask_flush(self) -> None:
        """Everything unacknowledged has to go out now, or the peer wants an answer."""
        self.flush = True

    def flushed(self) -> None:
        """It went out."""
        self.flush = False

    def hurry(self) -> None:
        """What is said through the server next goes out at once."""
        self.control_at = -1e9

    @property
    def acknowledged(self) -> bool:
        """Whether the peer holds everything that was dispatched to it."""
        return all([outbox.acked >= outbox.dispatched for outbox in self.own])  # noqa: C419 - half the time

    def acknowledged_up_to(self, frame: int) -> bool:
        """Whether the peer holds everything that was dispatched to it of frames up to this one."""
        return all([outbox.acked >= min(outbox.dispatched, frame) for outbox in self.own])  # noqa: C419 - half the time

    @property
    def waits_since(self) -> float:
        """Since when the oldest unacknowledged input waits."""
        return min([outbox.since for outbox in self.own], default=1e18)

    def excuse(self, seconds: float, before: float) -> bool:
        """From `before` on we did not listen, and so long is excused, unless too much was since the peer was heard.

        A page that always pauses, because its browser lets it run now and then, finds what came meanwhile when it
        wakes: if that is nothing time after time, the silence is the peer's. A machine may sleep more than once.
        """
        paths = self.paths
        paths.excuse_round_trips(seconds)
        if max(paths.wire.heard_at, paths.socket.heard_at) > self._excused_until:
            self._excused = 0.0
            self._excuses = 0
        if seconds < HICCUP:
            if self._excused + seconds > HICCUPS_MOST:
                return False
            self._excused += seconds
        else:
            if self._excuses == PAUSES_MOST:
                return False
            self._excuses += 1
        self._excused_until = before + seconds
        paths.excuse(seconds, before)
        for outbox in self.own:
            outbox.excuse(seconds, before)
        return True

    # -- inputs on their way -------------------------------------------------------------------------------

    def record_and_send(self, fixed: Sequence[Fixed], now: float) -> None:
        """First dispatch, by this tick's packet, of everything that is fixed, by own seat."""
        own = self.own
        if len(own) == 1:
            count = own[0].dispatch_by_packet(fixed[0].dispatched, now)
        else:
            count = sum(
                [outbox.dispatch_by_packet(inputs.dispatched, now) for outbox, inputs in zip(own, fixed, strict=True)]
            )
        self.counts.sent_by_p2p(count)

    def take_back(self, seq: int) -> bool:
        """The packet `seq` did not go out: whether anything had its first dispatch in it."""
        count = 0
        for outbox in self.own:
            if outbox.fresh is not None and outbox.fresh_seq == seq:
                count += outbox.take_back()
        self.counts.sent_by_p2p(-count)
        return count > 0

    def controlled(self, now: float) -> None:
        """A datagram goes through the server now."""
        self.control_at = now

    def sees(self, advantage: float) -> None:
        """Our frame advantage over the peer, in frames."""
        self.advantage = advantage

    def answer_version_1(self) -> int:
        """The number of the next answer to a packet of protocol 1."""
        self.version_1_seq += 1
        return self.version_1_seq - 1

    @property
    def unsent(self) -> bool:
        """Whether an input was dispatched peer-to-peer that no packet carries yet."""
        return any(outbox.fresh is not None and outbox.fresh_seq < 0 for outbox in self.own)

    @property
    def crowded(self) -> bool:
        """Whether more is due than the last packet had room for."""
        return any(outbox.crowded for outbox in self.own)

    # -- what can be read ----------------------------------------------------------------------------------

    @property
    def healthy(self) -> bool:
        """Whether inputs go peer-to-peer."""
        return self.paths.healthy

    @property
    def connected(self) -> bool:
        """Whether the channel is open."""
        return self.paths.connected

    @property
    def sender(self) -> bool:
        """Whether an input sender exists: a probe came back over the channel."""
        return self.paths.sender

    @property
    def path(self) -> str | None:
        """`p2p` or `socketio`, once the first episode has begun."""
        return self.paths.current

    @property
    def fallback(self) -> str | None:
        """The cause of the fallback that is in force."""
        return self.paths.fallback

    @property
    def answers(self) -> bool:
        """Whether something comes back through the channel."""
        return self.paths.answers

    @property
    def wire(self) -> Flow:
        """The peer-to-peer path's packets."""
        return self.paths.wire

    @property
    def socket(self) -> Flow:
        """The packets by way of the server."""
        return self.paths.socket

    @property
    def slow_rtt(self) -> float | None:
        """A long round-trip time of the way that inputs take, as `Flow.slow_rtt` has it."""
        return (self.paths.wire if self.paths.healthy else self.paths.socket).slow_rtt()

    @property
    def rtt(self) -> float | None:
        """Round-trip time of the path in force, in seconds."""
        return self.paths.wire.rtt if self.paths.healthy else self.paths.socket.rtt

    @property
    def jitter(self) -> float:
        """By how much two round trips in a row differ on the path in force, smoothed, in seconds; 0 before two came."""
        return (self.paths.wire if self.paths.healthy else self.paths.socket).jitter or 0.0

    @property
    def hidden(self) -> bool:
        """Whether the peer said that its page is hidden."""
        return self.peer.hidden
