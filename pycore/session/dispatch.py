"""Our inputs on their way out: peer-to-peer where the link is healthy, otherwise through the server.

Never both for the first dispatch of an input. A refusal concerns the inputs of that tick only; three in a row, and
the link leaves the path.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pycore.errors import UsageError
from pycore.events import Log
from pycore.link.link import Link
from pycore.link.paths import REFUSALS
from pycore.rollback.timeline import Timeline
from pycore.session.journal import Journal
from pycore.session.outputs import Outputs
from pycore.session.own_inputs import OwnInputs
from pycore.session.packets import Packets


class Dispatch:
    """Fixes the own inputs and dispatches them on every link."""

    __slots__ = ("_journal", "_outputs", "_packets", "_timeline", "fixed", "own")

    def __init__(
        self,
        timeline: Timeline,
        own: Sequence[OwnInputs],
        packets: Packets,
        outputs: Outputs,
        journal: Journal,
    ) -> None:
        self._timeline = timeline
        self._packets = packets
        self._outputs = outputs
        self._journal = journal
        self.own = tuple(own)
        """What is fixed, by own seat."""
        self.fixed = -1
        """The last frame that can be stepped with the own inputs that are fixed."""

    @property
    def dispatched(self) -> int:
        """The last frame of this episode for which the own (first) input is fixed; who has none fixes nothing."""
        return self.own[0].dispatched if self.own else self._timeline.current - 1

    def begin(self, slots: int) -> None:
        """Start an episode."""
        for inputs in self.own:
            inputs.begin(slots)
        self.fixed = -1

    def encode(self, action: Any) -> list[bytes]:
        """The own actions, by own seat, as bytes; None where there is no seat. Raises ActionError, UsageError."""
        actions = () if action is None and not self.own else action
        if len(actions) != len(self.own):
            raise UsageError(f"{len(actions)} actions for {len(self.own)} own seats")
        return [inputs.seat.codec.encode(one) for inputs, one in zip(self.own, actions, strict=True)]

    def send_input_to_other_players(
        self, encoded: Sequence[bytes], current: int, ways: Sequence[tuple[Link, int]], now: float
    ) -> None:
        """Fix our inputs of the frames `current` + delay, and dispatch them on all links, each with what its channel
        is. `encoded` is by own seat."""
        self.fixed = current
        own = self.own
        for inputs in own:
            seat = inputs.seat
            action = encoded[inputs.place]
            target = current + seat.delay
            if inputs.dispatched < target:
                self._timeline.fix(seat.number, target, action)
                inputs.fix(target, action)
            elif self._timeline.frames.held[seat.number] < target:
                # We have come back, and others hold it of the load before: its slot is open only now.
                self._timeline.fix(seat.number, target, inputs.run(target, target)[0])
        for link, channel in ways:
            paths = link.paths
            if paths.healthy:
                if paths.accepts(channel):
                    link.record_and_send(own, now)
                else:
                    self._refused(link, "buffer full", now)
                    self._send_via_socketio(link, now)
            elif self._outputs.socket_up or paths.closed_at == now:
                self.dispatch(link, channel, now)

    def dispatch(self, link: Link, channel: int, now: float) -> None:
        """First dispatch on one link of what was not dispatched on it yet."""
        paths = link.paths
        if paths.healthy:
            if paths.accepts(channel):
                link.record_and_send(self.own, now)
                return
            self._refused(link, "buffer full", now)
        elif paths.closed_at == now:
            self._refused(link, "channel not open", now)
        self._send_via_socketio(link, now)

    def send_left_over(self, ways: Sequence[tuple[Link, int]], now: float) -> None:
        """First dispatch of what could not go out when it was fixed."""
        for link, channel in ways:
            if self.left_over(link):
                self.dispatch(link, channel, now)

    def left_over(self, link: Link) -> bool:
        """Whether something was not dispatched on the link yet."""
        for outbox, inputs in zip(link.own, self.own):  # noqa: B905, SIM110 - one each; a generator takes twice as long
            if outbox.dispatched < inputs.dispatched:
                return True
        return False

    def _refused(self, link: Link, why: str, now: float) -> None:
        frame = self.own[0].dispatched
        self._journal.say(
            Log(
                level="warning",
                text=f"[P2P] Send failed ({why}): input of frame {frame} to player "
                f"{self._journal.name(link)} goes by socket.io",
            )
        )
        if link.paths.refusals >= REFUSALS and self._outputs.socket_up:
            link.paths.fall_back("congested", now, self._timeline.current)

    def _send_via_socketio(self, link: Link, now: float) -> None:
        """Dispatch by the server what was not dispatched on this link yet, if the server can be reached."""
        if not self._outputs.socket_up:
            return
        self._packets.announce(link, now)
        for outbox, inputs in zip(link.own, self.own, strict=True):
            first = outbox.dispatched + 1
            if first > inputs.dispatched:
                # Its new inputs may ride in another packet of this tick, which may still fail.
                continue
            for frame in range(first, inputs.dispatched + 1):
                self._packets.act(link, inputs, frame, now)
                link.counts.sent_by_socketio(1)
            outbox.dispatch(inputs.dispatched, now)
            for frame in range(first, inputs.dispatched + 1):
                outbox.sent_by_socket(frame, now)

    def send_failed(self, link: Link, seq: int, now: float) -> None:
        """Sending packet `seq` raised: its new inputs go out by the other path at once.

        What else a packet carries is said again by the next one.
        """
        if not link.take_back(seq):
            return
        link.paths.send_raised()
        self._refused(link, "the channel raised", now)
        self._send_via_socketio(link, now)
        self._packets.note_changes(link, now)
