"""Which way a link goes: peer-to-peer first, the server when that fails, and back again.

A link is *healthy* when its channel is open, an input sender exists for it (a probe came back over the
channel) and no fallback is in force. Inputs go peer-to-peer exactly while it is healthy; otherwise by
socket.io. The states and what changes them:

    ==================  ===========================  ==============================================
    in force            enters                       leaves
    ==================  ===========================  ==============================================
    (nothing yet)       at the start                 channel open and a probe answered -> p2p
    p2p                 probe answered               one of the causes below -> socketio
    fallback `closed`   the channel closed           3 s of answered probes on a new channel -> p2p
    fallback `failed`   the connection failed        likewise
    fallback `congested`  three refusals in a row    3 s of answered probes, buffer drained -> p2p
    fallback `latency`  one way > 200 ms, the        3 s of answered probes, latency back -> p2p
                        server 20 % quicker
    fallback `silence`  something is awaited and     1 s of answered probes -> p2p
                        not a packet came for
                        max(500 ms, 4 RTT, 6 ticks);
                        1.5 s if the peer is hidden
    fallback `unheard`  packets come, and inputs     1 s of answered probes -> p2p
                        stay unacknowledged for
                        max(1.75 s, 8 RTT, 12 ticks)
    fallback `deaf`     the peer says that it hears  1 s of answered probes -> p2p
                        nothing from us
    fallback `returned` its page was loaded again    1 s of answered probes -> p2p
    ==================  ===========================  ==============================================

Each further fallback within a minute of a return doubles the time to the next return, up to 30 s.

A peer without a seat has no address at the server, so nothing but inputs gets there by it. The channel of such a link
is left for `closed`, `failed` and `returned` alone. So it is while there is no way through the server (`ServerWay`):
however bad the channel is, it is all that there is then, and the first answered probe leads back to it.

Hearing is judged apart from sending. Whoever hears nothing says so, in numbered announcements, whatever fallback is
in force on its own side: the other one may believe in its path, since its packets vanish without a word.

Only the part of a pause of our own beyond six ticks is excused: a page that hiccups now and then would otherwise
never notice that its partner is gone.
"""

from __future__ import annotations

from typing import Final

from pycore.duties import CHANNEL_FAILED, P2P, SOCKETIO
from pycore.link.flow import Flow
from pycore.link.server_way import ServerWay
from pycore.wire.datagram import NO_SAMPLE

CONGESTED_BYTES: Final = 16_384
"""A channel with more in its buffer refuses: what lies there is older than what the other path delivers."""
REFUSALS: Final = 3
SILENCE: Final = 0.5
SILENCE_HIDDEN: Final = 1.5
"""A hidden page ticks once a second."""
SILENCE_RTTS: Final = 4
SILENCE_TICKS: Final = 6
UNHEARD: Final = 1.75
"""With the way through the server behind it, nobody stands longer than two seconds."""
UNHEARD_RTTS: Final = 8
UNHEARD_TICKS: Final = 12
LATENCY: Final = 0.2
"""One way, seconds."""
LATENCY_GAIN: Final = 0.8
PROBE_INTERVAL: Final = 0.25
PROBE_TIMEOUT: Final = 0.25
"""How long the first probe is waited for while the round-trip time is unknown, each further one twice as long:
who asks anew before the answer can be back never counts one. Behind the longest comes the second again: perhaps they
were only lost. Later twice the round-trip time."""
PROBE_LONGEST: Final = 2.0
RETURN_QUICK: Final = 1.0
RETURN_SLOW: Final = 3.0
RETURN_MOST: Final = 30.0
RELAPSE: Final = 60.0
BROKEN: Final = ("closed", "failed", "returned")
"""Causes for which a path is left also where there is no other one."""
QUICK: Final = ("silence", "unheard", "deaf", "returned")
"""Causes after which a second of answered probes proves the way back."""


class Paths:
    """Both paths of a link, and which of them is in force."""

    __slots__ = (
        "_answered", "_buffered", "_deaf_heard", "_good_since", "_healthy_since", "_misses", "_only", "_probe_at",
        "_probe_number", "_quiet_since", "_refusals_before", "_returned_at", "_strikes", "changes", "closed_at",
        "connected", "current", "deaf", "fallback", "first_fallback", "healthy", "refusals", "sender", "server",
        "silences", "socket", "wire",
    )  # fmt: skip

    def __init__(self, now: float, only: bool = False) -> None:
        self._only = only
        """Whether no other path carries everything: where it is open, it is in force."""
        self.wire = Flow(now)
        """The peer-to-peer path."""
        self.server = ServerWay(now)
        self.socket = self.server.flow
        """The path through the server, for what is not an input."""
        self.connected = False
        self.closed_at = now - 1.0
        """When the channel was lost last: the input of that tick counts as refused."""
        self.sender = False
        self.healthy = False
        """Whether inputs go peer-to-peer."""
        self.fallback: str | None = None
        self.first_fallback: tuple[float, int] | None = None
        """Time and frame of the first fallback."""
        self.current: str | None = None
        """The path in force, once the first episode has begun."""
        self.changes: list[tuple[str | None, str, str]] = []
        """Changes of path that nobody fetched yet: from, to, cause."""
        self.refusals = self._refusals_before = 0
        self.deaf = False
        """Whether we hear nothing of the peer peer-to-peer although something is awaited."""
        self.silences = 0
        """How often that was so."""
        self._deaf_heard = 0
        self._buffered = 0
        self._quiet_since = now
        """Silence is counted from here at the earliest."""
        self._healthy_since = now
        """What the channel had no part in says nothing about it: inputs may have waited for long before."""
        self._probe_number = 0
        self._probe_at = now - PROBE_INTERVAL
        self._answered = True
        self._misses = 0
        self._good_since: float | None = None
        self._returned_at = now - RELAPSE
        self._strikes = 0

    def _judge(self) -> None:
        self.healthy = self.connected and self.sender and self.fallback is None

    @property
    def alone(self) -> bool:
        """Whether there is no other path than the channel."""
        return self._only or not self.server.works

    @property
    def answers(self) -> bool:
        """Whether something comes back through the channel: it may be on its way to being healthy again."""
        return self.connected and (self.healthy or self._good_since is not None)

    def start(self) -> None:
        """The first episode begins: the path of now is the first one."""
        if self.current is None:
            self.current = P2P if self.healthy else SOCKETIO

    def fetch_changes(self) -> list[tuple[str | None, str, str]]:
        """The changes of path since the last call."""
        changes = self.changes
        self.changes = []
        return changes

    # -- sending -------------------------------------------------------------------------------------------

    def accepts(self, channel: int) -> bool:
        """Whether the channel takes a first dispatch now; notes the refusal if it does not."""
        if 0 <= channel <= CONGESTED_BYTES:
            self._refusals_before = self.refusals
            self.refusals = 0
            return True
        self.refusals += 1
        return False

    def send_raised(self) -> None:
        """The channel raised: what looked like a success was a refusal, in a row with those before it. A tick is
        refused once, however many packets it had."""
        self.refusals = max(self.refusals, self._refusals_before + 1)

    def fall_back(self, cause: str, now: float, frame: int) -> None:
        """Put the fallback in force."""
        if self.fallback is not None or (cause not in BROKEN and self.alone):
            return
        self._strikes = self._strikes + 1 if now - self._returned_at < RELAPSE else 0
        self.fallback = cause
        if self.first_fallback is None:
            self.first_fallback = now, frame
        self._judge()
        self._good_since = None
        self._answered = True
        self._probe_at = now
        self.wire.forget_samples()
        self.server.ask_anew()
        self._go(SOCKETIO, cause)

    def begin_anew(self, now: float, frame: int) -> None:
        """The peer's page was loaded again: its end of the channel is gone, whatever the own one looks like."""
        self.wire.begin_anew(now)
        self.server.begin_anew(now)
        self.deaf = False
        self._deaf_heard = 0
        self._quiet_since = now
        self.fall_back("returned", now, frame)

    def _go(self, path: str, cause: str) -> None:
        if self.current is None or path == self.current:
            return
        self.changes.append((self.current, path, cause))
        self.current = path

    # -- watching ------------------------------------------------------------------------------------------

    def excuse(self, seconds: float, before: float) -> None:
        """From `before` on we did not listen, and so long is excused: that is no silence of the peer's. What was heard
        since needs no excuse."""
        self._quiet_since = max(min(self.wire.heard_at, before), self._quiet_since) + seconds

    def excuse_round_trips(self, seconds: float) -> None:
        """Of what is on its way so long is no part of the round trip."""
        self.wire.excuse(seconds)
        self.server.excuse(seconds)
        self._probe_at += seconds

    def forgive(self, now: float) -> None:
        """Silence counts from now on: a new phase has begun."""
        self._quiet_since = now

    def watch_channel(self, now: float, channel: int, frame: int) -> None:
        """Look at the channel: opened, closed or failed."""
        if channel >= 0:
            if not self.connected:
                self.connected = True
                self._judge()
                self.wire.forget_samples()
                self._answered = True
                self._misses = 0
                self._probe_at = now - PROBE_INTERVAL
                self._good_since = None
        elif self.connected:
            if self.healthy:
                self.closed_at = now
            self.connected = False
            self.sender = False
            self._judge()
            self.fall_back("failed" if channel == CHANNEL_FAILED else "closed", now, frame)

    def close(self) -> None:
        """The channel is closed, and nobody plays by it any more: no fallback, but what is still to be said goes by
        the other path."""
        self.connected = self.sender = False
        self._judge()

    def watch_silence(self, now: float, waits_since: float, period: float, hidden: bool, frame: int) -> None:
        """Something is awaited of the peer: look at how long nothing came, and nothing was acknowledged.

        `waits_since` is since when the oldest unacknowledged input waits, `hidden` whether the peer said that its page
        is.
        """
        if self.current is None:
            return
        wire = self.wire
        rtt = wire.rtt or 0.0
        quiet = now - max(wire.heard_at, self._quiet_since)
        if quiet > max(SILENCE_HIDDEN if hidden else SILENCE, SILENCE_RTTS * rtt, SILENCE_TICKS * period):
            if not self.deaf and self.first_opened:
                self.deaf = True
                self.silences += 1
            if self.healthy:
                self.fall_back("silence", now, frame)
        elif self.healthy and now - max(waits_since, self._healthy_since) > max(
            UNHEARD, UNHEARD_RTTS * rtt, UNHEARD_TICKS * period
        ):
            self.fall_back("unheard", now, frame)

    @property
    def first_opened(self) -> bool:
        """Whether it was ever peer-to-peer: before that, hearing nothing means nothing."""
        return self.healthy or self.first_fallback is not None

    def check_latency(self, now: float, frame: int) -> bool:
        """Leave a path that is too slow if the server's is quicker. True if that must be measured first, or whether
        there is such a way at all."""
        if self.server.mute:
            return True
        mean = self.wire.mean_rtt()
        if not self.healthy or mean is None or mean / 2 <= LATENCY:
            return False
        other = self.socket.rtt
        if other is not None and now - self.socket.heard_at < 10.0 and other <= LATENCY_GAIN * mean:
            self.fall_back("latency", now, frame)
            return False
        return True

    def peer_is_deaf(self, count: int, now: float, frame: int) -> None:
        """The peer hears nothing from us peer-to-peer, for the `count`-th time.

        It goes on saying so until it hears us again; each time is obeyed once, so that its last words cannot undo our
        return.
        """
        if count != self._deaf_heard:
            self._deaf_heard = count
            if self.healthy:
                self.fall_back("deaf", now, frame)

    # -- probes --------------------------------------------------------------------------------------------

    def probe_due(self, now: float, channel: int) -> int | None:
        """The number of the probe to send over the channel now, if one is due. `channel` is its state."""
        self._buffered = channel
        if not self.connected or (self.sender and self.fallback is None):
            return None
        waited = now - self._probe_at
        if self._answered:
            if waited < PROBE_INTERVAL:
                return None
        else:
            rtt = self.wire.rtt
            twice = 1 + (self._misses - 1) % 3 if self._misses else 0
            patience = PROBE_TIMEOUT * (1 << twice) if rtt is None else max(PROBE_INTERVAL, 2 * rtt)
            if waited < min(PROBE_LONGEST, patience):
                return None
            self._misses += 1
            if self._misses > 2:
                self._good_since = None
        self._probe_number = (self._probe_number + 1) & 0xFFFF
        self._probe_at = now
        self._answered = False
        return self._probe_number

    def probe_answered(self, number: int, hold: int, now: float) -> None:
        """An answer came. Only one to the newest probe counts: after an outage a channel delivers its old queue."""
        if number != self._probe_number or self._answered:
            return
        self._answered = True
        self._misses = 0
        self.deaf = False
        if hold != NO_SAMPLE:
            # After a fallback: the path of now, not the mean with what lay in its queue.
            take = self.wire.sample if self.fallback is None else self.wire.sample_anew
            take(now - self._probe_at - hold / 1000)
        if self._good_since is None:
            self._good_since = now
        if self.fallback is None:
            if not self.sender:
                self.sender = True
                self._judge()
                self._quiet_since = self._healthy_since = now
                self._go(P2P, "opened")
            return
        if self._buffered > CONGESTED_BYTES or not (self.alone or self._is_proved(now - self._good_since)):
            return
        self.fallback = None
        self.sender = True
        self.refusals = 0
        self._judge()
        self._quiet_since = self._healthy_since = self._returned_at = now
        # What came late out of the channel's queue says nothing about the path of now.
        self.wire.forget_samples()
        self._go(P2P, "recovered")

    def _is_proved(self, good: float) -> bool:
        """Whether the channel, which has been good for so long, is to be preferred to the other path again."""
        if good < self._return_time():
            return False
        return self.fallback != "latency" or (self.wire.rtt or 0.0) / 2 <= LATENCY

    def _return_time(self) -> float:
        usual = RETURN_QUICK if self.fallback in QUICK else RETURN_SLOW
        return float(min(RETURN_MOST, usual * (1 << min(self._strikes, 8))))

    def server_probe_due(self, now: float) -> int | None:
        """The number of the probe to send through the server now, since the channel is not in force, if one is due."""
        if self.fallback is None or not self.connected or self._only:
            return None
        return self.server.probe_due(now)
