"""The own inputs of one seat that a peer has not acknowledged, and which of them ride next.

They belong to the link and not to a path: at every change of path all of them go out at once on the new one.
Receivers drop duplicates, so nothing is lost and nothing applied twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.link.flow import Flow
from pycore.wire.datagram import MAX_RUN

CHEAP_BYTES: Final = 16
"""Below this many bytes of unacknowledged inputs all of them ride in every packet: a packet costs about 90
bytes before its payload, so leaving some out saves nothing and makes a loss dearer."""
NEVER: Final = 1e18


class Unacknowledged:
    """One seat's inputs on one link. `size` is the bytes of every action, None where they differ."""

    __slots__ = (
        "_copies_sent",
        "_left",
        "_mask",
        "_sent_at",
        "acked",
        "agreed",
        "dispatched",
        "fresh",
        "fresh_seq",
        "seat",
        "since",
        "size",
    )

    def __init__(self, seat: int, size: int | None) -> None:
        self.seat = seat
        self.size = size
        self.begin(0, 1)

    def begin(self, delay: int, slots: int) -> None:
        """Start an episode with frames 0 … `delay`-1 agreed; `slots` is the size of the ring of frames."""
        self.agreed = delay - 1
        """Up to here nothing was given: it is agreed."""
        self.acked = delay - 1
        """The peer holds our inputs up to this frame."""
        self.dispatched = delay - 1
        """Our inputs up to this frame were dispatched on this link."""
        self.since = NEVER
        """Since when the oldest of them waits; far in the future while none does."""
        self.fresh: int | None = None
        """The first of the inputs whose first dispatch was the last one peer-to-peer; from there to the newest."""
        self.fresh_seq = -1
        """The packet that they ride in; -1: none does yet."""
        self._left = False
        """Of what was due last not everything had room."""
        self._mask = slots - 1
        self._sent_at = [-1e9] * slots
        self._copies_sent = [0] * slots

    def acknowledge(self, frame: int, now: float) -> None:
        """The peer holds our inputs up to `frame`."""
        if self.acked < frame <= self.dispatched:
            self.acked = frame
            self.since = NEVER if frame == self.dispatched else now

    def resume(self, acked: int, dispatched: int, now: float) -> None:
        """The peer is known to hold our inputs up to `acked` alone, and everything up to `dispatched` is to be sent."""
        self.acked = acked
        self.dispatched = dispatched
        self.since = now if acked < dispatched else NEVER
        self.fresh = None
        slots = len(self._sent_at)
        self._sent_at = [-1e9] * slots
        self._copies_sent = [0] * slots

    def agree(self, frame: int) -> None:
        """Up to this frame nothing of this page's was given: all know what is played there."""
        self.agreed = max(self.agreed, frame)

    def excuse(self, seconds: float, before: float) -> None:
        """From `before` on we did not listen, and so long is excused: the peer may have answered meanwhile."""
        if self.since < before + seconds:
            self.since = min(self.since, before) + seconds

    def dispatch(self, frame: int, now: float) -> None:
        """Everything up to `frame` is dispatched now, and not by a packet that may still fail."""
        self.dispatch_by_packet(frame, now)
        self.fresh = None

    def dispatch_by_packet(self, frame: int, now: float) -> int:
        """Everything up to `frame` is dispatched now by the packet of this tick; returns how many inputs that are."""
        first = self.dispatched + 1
        self.fresh_seq = -1
        if frame < first:
            self.fresh = None
            return 0
        self.fresh = first
        if self.since == NEVER:
            self.since = now
        new = self.dispatched
        while new < frame:  # once, in nearly every tick: no range for that
            new += 1
            # Nothing of them was sent yet.
            slot = new & self._mask
            self._copies_sent[slot] = 0
            self._sent_at[slot] = -1e9
        self.dispatched = frame
        return frame - first + 1

    def rode(self, seq: int, runs: Sequence[tuple[int, int]]) -> int:
        """These runs ride in the packet `seq`; returns how many of their inputs rode before."""
        fresh = self.fresh
        if fresh is None or 0 <= self.fresh_seq != seq:
            return sum([high - low + 1 for low, high in runs])
        count = 0
        for low, high in runs:
            if high < fresh:
                count += high - low + 1
                continue
            self.fresh_seq = seq
            if low < fresh:
                count += fresh - low
        return count

    def take_back(self) -> int:
        """The packet with the fresh inputs did not go out; returns how many there were."""
        if self.fresh is None:
            return 0
        count = self.dispatched - self.fresh + 1
        self.dispatched = self.fresh - 1
        self.fresh = None
        if self.dispatched <= self.acked:
            self.since = NEVER
        return count

    def select(
        self, now: float, inputs: Sequence[bytes], flow: Flow, period: float, everything: bool, budget: int
    ) -> list[tuple[int, int]]:
        """The runs of frames (first, last), two at most, whose inputs ride in the packet of now.

        Few bytes: everything unacknowledged. Otherwise new ones always, earlier ones until they were sent as often
        as the loss on `flow` asks for, then again when they are overdue by a round trip and a tick of `period`;
        beyond `budget` bytes the oldest and the newest half. `inputs` are the own inputs by slot; `everything`: a path
        has changed.
        """
        first = self.acked + 1
        last = self.dispatched
        count = last - first + 1
        if count <= 0:
            return []
        size = self.size
        mask = self._mask
        if count * (size or len(inputs[last & mask])) <= CHEAP_BYTES and (
            size or sum([len(inputs[frame & mask]) for frame in range(first, last + 1)]) <= CHEAP_BYTES
        ):
            return [(first, last)]
        overdue = now - (flow.rtt or 0.0) - period
        copies = copies_for(flow.loss)
        sent_at = self._sent_at
        copies_sent = self._copies_sent
        due = [
            frame
            for frame in range(first, last + 1)
            if everything or copies_sent[frame & mask] < copies or sent_at[frame & mask] < overdue
        ]
        fresh = bool(due) and not copies_sent[due[-1] & mask]
        runs = _two_runs(due, [len(inputs[frame & mask]) for frame in due], budget, fresh)
        self._left = sum([high - low + 1 for low, high in runs]) < len(due)
        for low, high in runs:
            for frame in range(low, high + 1):
                sent_at[frame & mask] = now
                copies_sent[frame & mask] += 1
        return runs

    @property
    def crowded(self) -> bool:
        """Whether more is due than a packet had room for."""
        return self._left and self.acked < self.dispatched

    def sent_by_socket(self, frame: int, now: float) -> None:
        """The input of `frame`, which is dispatched already, goes out by socket.io now."""
        self._sent_at[frame & self._mask] = now

    def sent_by_socket_before(self, limit: float) -> list[int]:
        """Unacknowledged frames whose inputs went out before `limit`, if ever."""
        mask = self._mask
        return [frame for frame in range(self.acked + 1, self.dispatched + 1) if self._sent_at[frame & mask] < limit]


def copies_for(loss: float) -> int:
    """How often an input rides before it waits for being overdue, from the share of packets that do not come.

    Once where nothing is lost. Otherwise more often than bytes alone would ask for: by the time that an input of which
    all copies got lost is overdue, the window is nearly used up, and the game stands. Where the steps lie was tried on
    the meshes of `bench --mesh`: with them it keeps to half of the bytes that are published there, and stalls less."""
    return 1 if loss < 0.004 else 2 if loss < 0.035 else 3 if loss < 0.055 else 4


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
