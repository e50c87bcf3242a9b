"""The way to one remote player: peer-to-peer first, the server when that fails, and back again.

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
    fallback `silence`  unacknowledged inputs and    1 s of answered probes -> p2p
                        not a packet for max(500 ms,
                        4 RTT, 6 ticks)
    fallback `deaf`     the peer says that it hears  1 s of answered probes -> p2p
                        nothing from us
    ==================  ===========================  ==============================================

Each further fallback within a minute of a return doubles the time to the next return, up to 30 s.

Unacknowledged inputs belong to the link, not to the path: at every change they all go out at once on the
new one. Receivers drop duplicates, so nothing is lost and nothing applied twice.
"""

from __future__ import annotations

from typing import Final

from pycore.duties import CHANNEL_FAILED, P2P, SOCKETIO
from pycore.link.counts import LinkCounts
from pycore.link.flow import Flow
from pycore.rollback.frames import Frames
from pycore.wire.datagram import MAX_RUN, NO_SAMPLE

CONGESTED_BYTES: Final = 16_384
"""A channel with more in its buffer refuses: what lies there is older than what the other path delivers."""
REFUSALS: Final = 3
SILENCE: Final = 0.5
SILENCE_RTTS: Final = 4
SILENCE_TICKS: Final = 6
LATENCY: Final = 0.2
"""One way, seconds."""
LATENCY_GAIN: Final = 0.8
PROBE_INTERVAL: Final = 0.25
PROBE_TIMEOUT: Final = 0.25
"""How long the first probe is waited for while the round-trip time is unknown, each further one twice as long:
who asks anew before the answer can be back never counts one. Later twice the round-trip time."""
PROBE_LONGEST: Final = 2.0
RETURN_QUICK: Final = 1.0
RETURN_SLOW: Final = 3.0
RETURN_MOST: Final = 30.0
RELAPSE: Final = 60.0
CHEAP_BYTES: Final = 16
"""Below this many bytes of unacknowledged inputs all of them ride in every packet: a packet costs about 90
bytes before its payload, so leaving some out saves nothing and makes a loss dearer."""


class Link:
    """One remote player's link. The session calls it; it decides about its own path and about what rides."""

    __slots__ = (
        "_answered",
        "_copies_sent",
        "_deaf_heard",
        "_good_since",
        "_misses",
        "_probe_at",
        "_probe_number",
        "_refusals_before",
        "_returned_at",
        "_sent_at",
        "_socket_probe",
        "_socket_probe_at",
        "_strikes",
        "acked",
        "advantage",
        "buffered",
        "changes",
        "closed_at",
        "connected",
        "counts",
        "dispatched",
        "fallback",
        "first_fallback",
        "flush",
        "healthy",
        "path",
        "peer_dispatched",
        "peer_end",
        "peer_episode",
        "peer_hears_ready",
        "peer_over",
        "peer_ready",
        "peer_status",
        "quiet_since",
        "refusals",
        "reported",
        "seat",
        "sender",
        "silences",
        "socket",
        "socket_control_at",
        "socket_ready_at",
        "socket_ready_from",
        "socket_ready_to",
        "tried_at",
        "wire",
    )

    def __init__(self, seat: int, now: float) -> None:
        self.seat = seat
        self.counts = LinkCounts()
        self.wire = Flow(now)
        """The peer-to-peer path."""
        self.socket = Flow(now)
        """The path through the server, for what is not an input."""
        self.connected = False
        self.closed_at = now - 1.0
        """When the channel was lost last: the input of that tick counts as refused."""
        self.sender = False
        self.healthy = False
        """Whether inputs go peer-to-peer (S1)."""
        self.fallback: str | None = None
        self.first_fallback: tuple[float, int] | None = None
        """Time and frame of the first fallback."""
        self.path: str | None = None
        self.changes: list[tuple[str | None, str, str]] = []
        """Changes of path that the session has not fetched yet: from, to, cause."""
        self.flush = False
        """Everything unacknowledged has to go out now."""
        self.refusals = self._refusals_before = 0
        self.buffered = 0
        """Bytes in the channel's buffer while the link is not healthy."""
        self.tried_at = now - 1.0
        """When a first dispatch was tried last: once a tick is enough."""
        self._socket_probe = -1
        self._socket_probe_at: float | None = None
        self.quiet_since = now
        """Silence is counted from here at the earliest."""
        self._probe_number = 0
        self._probe_at = now - PROBE_INTERVAL
        self._answered = True
        self._misses = 0
        self._good_since: float | None = None
        self._returned_at = now - RELAPSE
        self._strikes = 0
        self.silences = 0
        """How often the fallback came into force because of silence."""
        self._deaf_heard = 0
        self.peer_episode = 0
        self.peer_over = False
        """The peer's session is over."""
        self.peer_ready: dict[int, bytes] = {}
        """What the peer said at its ready, by episode."""
        self.socket_ready_to = self.socket_ready_from = -1
        """Episodes of the last readies that went and came through the server."""
        self.socket_ready_at = now
        self.peer_status = 0
        self._sent_at: list[float] = []
        self._copies_sent: list[int] = []
        self.begin(0, 1)

    def begin(self, delay: int, size: int) -> None:
        """Start an episode with frames 0 … `delay`-1 agreed; `size` is that of the ring of frames."""
        self.acked = delay - 1
        """The peer holds our inputs up to this frame."""
        self.dispatched = delay - 1
        """Our inputs up to this frame were dispatched on this link."""
        self.reported = delay - 1
        """The peer says that it knows everybody's inputs (but its own) up to this frame."""
        self.peer_dispatched = delay - 1
        self.peer_end: tuple[int, int] | None = None
        """The frame at which the peer holds, and the last of its inputs."""
        self.peer_hears_ready = False
        self.advantage = 0
        self.socket_control_at = -1e9
        self._sent_at = [-1e9] * size
        self._copies_sent = [0] * size

    # -- the path ------------------------------------------------------------------------------------------

    def _judge(self) -> None:
        self.healthy = self.connected and self.sender and self.fallback is None

    @property
    def answers(self) -> bool:
        """Whether something comes back through the channel: it may be on its way to being healthy again."""
        return self.connected and (self.healthy or self._good_since is not None)

    def record_and_send(self, frame: int, channel: int) -> bool:
        """Whether the first dispatch of the input of `frame` goes peer-to-peer; counts it or the refusal (S1, S2)."""
        if 0 <= channel <= CONGESTED_BYTES:
            self._refusals_before = self.refusals
            self.refusals = 0
            self.counts.sent_via_p2p += frame - self.dispatched
            self.dispatched = frame
            return True
        self.refusals += 1
        return False

    def send_raised(self) -> None:
        """The channel raised: what looked like a success was a refusal, in a row with those before it."""
        self.refusals = max(self.refusals, self._refusals_before) + 1

    def fall_back(self, cause: str, now: float, frame: int) -> None:
        """Put the fallback in force."""
        if self.fallback is not None:
            return
        self._strikes = self._strikes + 1 if now - self._returned_at < RELAPSE else 0
        self.fallback = cause
        if cause == "silence":
            self.silences += 1
        if self.first_fallback is None:
            self.first_fallback = now, frame
        self._judge()
        self._good_since = None
        self._answered = True
        self._probe_at = now
        self.wire.forget_samples()
        self._set_path(SOCKETIO, cause)

    def _set_path(self, path: str, cause: str) -> None:
        if self.path is None or path == self.path:
            return
        self.changes.append((self.path, path, cause))
        self.path = path
        self.flush = True

    def take_back(self, first: int, last: int, mask: int) -> None:
        """The packet with the inputs `first` … `last`, dispatched by it for the first time, did not go out."""
        self.counts.sent_via_p2p -= last - first + 1
        self.dispatched = first - 1
        for frame in range(first, last + 1):
            self.dispatch_slot(frame, mask)

    def start(self) -> None:
        """The first episode begins: the path of now is the first one."""
        if self.path is None:
            self.path = P2P if self.healthy else SOCKETIO

    def watch(self, now: float, channel: int, frame: int, waiting: bool, period: float, socket_up: bool) -> None:
        """Look at the channel and at the silence; `waiting`: something of ours is unacknowledged."""
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
        if not self.healthy or not waiting or not socket_up:
            return
        wire = self.wire
        heard = wire.heard_at if wire.heard_at > self.quiet_since else self.quiet_since
        quiet = now - heard
        if quiet > SILENCE and not self.peer_status:
            rtt = wire.rtt or 0.0
            if quiet > SILENCE_RTTS * rtt and quiet > SILENCE_TICKS * period:
                self.fall_back("silence", now, frame)

    def check_latency(self, now: float, frame: int) -> bool:
        """Leave a path that is too slow if the server's is quicker. True if that must be measured first."""
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

        It goes on saying so until it returns, by its own probes; each time is obeyed once, so that its last words
        cannot undo our return.
        """
        if count != self._deaf_heard:
            self._deaf_heard = count
            if self.healthy:
                self.fall_back("deaf", now, frame)

    # -- probes --------------------------------------------------------------------------------------------

    def probe_due(self, now: float) -> int | None:
        """The number of the probe to send over the channel now, if one is due."""
        if not self.connected or (self.sender and self.fallback is None):
            return None
        waited = now - self._probe_at
        if self._answered:
            if waited < PROBE_INTERVAL:
                return None
        else:
            rtt = self.wire.rtt
            patience = PROBE_TIMEOUT * (1 << min(self._misses, 3)) if rtt is None else max(PROBE_INTERVAL, 2 * rtt)
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
        self.wire.heard_at = now
        if number != self._probe_number or self._answered:
            return
        self._answered = True
        self._misses = 0
        if hold != NO_SAMPLE:
            if self.fallback is not None:
                # The path of now, not the mean with what lay in its queue.
                self.wire.rtt = None
            self.wire.sample(now - self._probe_at - hold / 1000)
        if self._good_since is None:
            self._good_since = now
        if self.fallback is None:
            if not self.sender:
                self.sender = True
                self._judge()
                self.quiet_since = now
                self._set_path(P2P, "opened")
            return
        if now - self._good_since < self._return_time():
            return
        if self.buffered > CONGESTED_BYTES or (self.fallback == "latency" and (self.wire.rtt or 0.0) / 2 > LATENCY):
            return
        self.fallback = None
        self.sender = True
        self.refusals = 0
        self._judge()
        self.quiet_since = self._returned_at = now
        # What came late out of the channel's queue says nothing about the path of now.
        self.wire.forget_samples()
        self._set_path(P2P, "recovered")

    def socket_probe(self, now: float) -> int:
        """The number of a probe that goes through the server now, to measure that path."""
        self._socket_probe = (self._socket_probe + 1) & 0xFFFF
        self._socket_probe_at = now
        return self._socket_probe

    def socket_probe_answered(self, number: int, hold: int, now: float) -> None:
        """The answer to a probe came through the server. Only one to the newest counts, and only once."""
        sent_at = self._socket_probe_at
        if number == self._socket_probe and hold != NO_SAMPLE and sent_at is not None:
            self.socket.sample(now - sent_at - hold / 1000)
            self._socket_probe_at = None

    def _return_time(self) -> float:
        quick = self.fallback in ("silence", "deaf")
        return float(min(RETURN_MOST, (RETURN_QUICK if quick else RETURN_SLOW) * (1 << min(self._strikes, 8))))

    # -- what rides ----------------------------------------------------------------------------------------

    def acknowledge(self, frame: int) -> None:
        """The peer holds our inputs up to `frame`."""
        if self.acked < frame <= self.dispatched:
            self.acked = frame

    def copies(self) -> int:
        """How often an input rides before it waits for being overdue, from the loss that is seen."""
        loss = self.wire.loss
        return 1 if loss < 0.02 else 2 if loss < 0.08 else 3 if loss < 0.2 else 4

    def select(self, now: float, frames: Frames, me: int, period: float, budget: int) -> list[tuple[int, int]]:
        """The runs of frames (first, last), two at most, whose inputs ride in the packet of now.

        Few bytes: everything unacknowledged. Otherwise new ones always, earlier ones until they were sent
        `copies` times, then again when overdue (RTT + 2 ticks); beyond `budget` bytes the oldest and the
        newest half.
        """
        first = self.acked + 1
        last = self.dispatched
        count = last - first + 1
        if count <= 0:
            return []
        encoded = frames.encoded
        mask = frames.mask
        size = len(encoded[last & mask][me])
        if count * size <= CHEAP_BYTES and (
            # Actions of one or two bytes are all of one size; of others the newest says nothing about the rest.
            size <= 2 or sum([len(encoded[frame & mask][me]) for frame in range(first, last + 1)]) <= CHEAP_BYTES
        ):
            return [(first, last)]
        overdue = now - (self.wire.rtt or 0.0) - 2 * period
        copies = self.copies()
        due = [
            frame
            for frame in range(first, last + 1)
            if self.flush or self._copies_sent[frame & mask] < copies or self._sent_at[frame & mask] < overdue
        ]
        fresh = bool(due) and not self._copies_sent[due[-1] & mask]
        runs = _two_runs(due, [len(encoded[frame & mask][me]) for frame in due], budget, fresh)
        for first, last in runs:
            for frame in range(first, last + 1):
                self._sent_at[frame & mask] = now
                self._copies_sent[frame & mask] += 1
        return runs

    def dispatch_slot(self, frame: int, mask: int) -> None:
        """A new input enters the ring: nothing of it was sent yet."""
        self._copies_sent[frame & mask] = 0
        self._sent_at[frame & mask] = -1e9

    def sent_by_socket(self, frame: int, mask: int, now: float) -> None:
        """The input of `frame` goes out by socket.io now."""
        self._sent_at[frame & mask] = now

    def overdue_by_socket(self, now: float, mask: int) -> list[int]:
        """Dispatched inputs that must be repeated by socket.io: all at a change of path, else what waits too long."""
        limit = now if self.flush else now - max(1.0, 4 * (self.socket.rtt or 0.0))
        return [frame for frame in range(self.acked + 1, self.dispatched + 1) if self._sent_at[frame & mask] < limit]


def _two_runs(due: list[int], sizes: list[int], budget: int, fresh: bool) -> list[tuple[int, int]]:
    """An old and a new unbroken run of `due`, together within `budget` bytes, each at most 31 inputs.

    `fresh`: the newest was never sent. Then it rides whatever it weighs, and its run takes half of the budget at
    most. Otherwise the oldest rides whatever it weighs: the receiver waits for nothing else, and large inputs that
    kept to the newest half would leave it waiting for ever. What stands between the runs rides in a later packet.
    """
    if not due:
        return []
    count = len(due)
    if fresh:
        high = _downwards(due, sizes, 0, budget // 2 - sizes[-1], count - 1)
        low = _upwards(due, sizes, high, budget - sum(sizes[high:]), 0)
    else:
        low = _upwards(due, sizes, count, budget - sizes[0], 1)
        high = _downwards(due, sizes, low, budget - sum(sizes[:low]), count)
    if low and high < count and due[low - 1] + 1 == due[high] and low + count - high <= MAX_RUN:
        return [(due[0], due[-1])]
    runs = []
    if low:
        runs.append((due[0], due[low - 1]))
    if high < count:
        runs.append((due[high], due[-1]))
    return runs


def _upwards(due: list[int], sizes: list[int], most: int, room: int, low: int) -> int:
    """How many of the oldest make an unbroken run within `room`; `low` of them are in it already."""
    while low < most and low < MAX_RUN and sizes[low] <= room and (not low or due[low] == due[low - 1] + 1):
        room -= sizes[low]
        low += 1
    return low


def _downwards(due: list[int], sizes: list[int], least: int, room: int, high: int) -> int:
    """Where an unbroken run of the newest begins that fits `room`; from `high` on they are in it already."""
    top = len(due)
    while (
        high > least
        and top - high < MAX_RUN
        and sizes[high - 1] <= room
        and (high == top or due[high - 1] == due[high] - 1)
    ):
        high -= 1
        room -= sizes[high]
    return high
