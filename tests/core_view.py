"""The one place where tests look behind a session's public names.

Everything else in the property tests and in the tests of liveness speaks to `Session` as a page does. What must be
seen of the inside, to judge it or to break it on purpose, has its name here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from pycore.link.counts import LinkCounts
from pycore.link.link import Link
from pycore.rollback.frames import NOT_SAVED
from pycore.rollback.mispredictions import _EVENT, RollbackEvents
from pycore.rollback.timeline import Timeline
from pycore.session.moments import LATE_TICKS
from pycore.session.session import Session
from pycore.settings import Settings
from pycore.wire import datagram


class Misprediction(NamedTuple):
    """A rollback event, in encoded actions; `predicted` is None where a core does not keep it."""

    episode: int
    frame: int
    current: int
    seat: int
    predicted: bytes | None
    actual: bytes | None


# -- the frames -------------------------------------------------------------------------------------------------


def held(session: Session) -> list[int]:
    """Per seat the last frame up to which this peer holds every input."""
    return list(session.timeline.frames.held)


def save_every(session: Session, frames: int) -> None:
    """Let a peer take snapshots of every so many frames only."""
    session.timeline.save_every(frames)


def run_up(session: Session) -> int:
    """Frames that were stepped again only to come from a snapshot to an incorrect frame."""
    return session.timeline.run_up


def window(session: Session) -> int:
    """How far the current frame is ahead of the known one."""
    return session.timeline.current - min(session.timeline.frames.held)


def open_for_inputs(session: Session) -> bool:
    """Whether the frames of the running episode are set up."""
    return session._parts.episode.open


def knows(session: Session, seat: int, frame: int) -> bool:
    """Whether the input of a frame is known, or out of the ring's reach."""
    frames = session.timeline.frames
    if frame <= frames.held[seat] or frame > frames.opened:
        return True
    return not frames.missing[frame & frames.mask] >> seat & 1


def used(session: Session, seat: int, frame: int) -> bytes:
    """The encoded action with which a frame was stepped last."""
    return session.timeline.used(seat, frame)


def provisional_end(session: Session) -> int | None:
    """The frame with which the episode ends as far as is known."""
    return session.timeline.end


def rollback_pending(session: Session) -> bool:
    """Whether a rollback is still to be performed."""
    return session.timeline.pending is not None


def total_frames(session: Session) -> int:
    """Frames stepped for the first time, over the session."""
    return session.timeline.total


def rollbacks(session: Session) -> int:
    """Rollbacks performed."""
    return session.timeline.rollbacks


def resimulated(session: Session) -> int:
    """Frames stepped again."""
    return session.timeline.resimulated


# -- rollback events --------------------------------------------------------------------------------------------


def event_count(session: Session) -> int:
    """Mispredicted inputs so far."""
    return session.timeline.events.count


def deepest(session: Session) -> int:
    """The deepest rollback of the session, in frames."""
    return session.timeline.events.max_frames


def new_events(session: Session, since: int) -> list[Misprediction]:
    """The rollback events from the number `since` on."""
    events = session.timeline.events
    kept = len(events._actions)
    return [
        Misprediction(
            episode, frame, current, seat,
            events._actions[p] if p < kept else None, events._actions[a] if a < kept else None,
        )
        for frame, current, seat, episode, p, a, _now in _EVENT.iter_unpack(events._rows[since * _EVENT.size :])
    ]


def event_bytes(session: Session) -> int:
    """What the rollback events of a session take, actions included."""
    events = session.timeline.events
    return len(events._rows) + sum(len(action) for action in events._actions)


# -- links ------------------------------------------------------------------------------------------------------


def counts(link: Link) -> LinkCounts:
    """What a link has carried."""
    return link.counts


def fell_back(link: Link) -> bool:
    """Whether the link's fallback was ever in force."""
    return link.paths.first_fallback is not None


def path(link: Link) -> str | None:
    """The path in use; None before the first episode."""
    return link.path


def advantage(link: Link) -> float:
    """The frame advantage that this peer tells the other, in frames, as the wire carries it."""
    return round(link.advantage * 4) / 4


def reaches_ahead(session: Session, seat: int) -> int:
    """The last frame for which the other's input is believed to exist."""
    return session.timeline.newest[seat]


# -- packets ----------------------------------------------------------------------------------------------------


def _decoded(session: Session, data: bytes) -> datagram.Datagram:
    codecs = [seat.codec for seat in session.seats]
    return datagram.decode(data, codecs, session.me, len(codecs) - 1, session.frame, session.episode, 0)


def is_datagram(data: bytes) -> bool:
    """Whether a packet is a datagram, and no probe."""
    return data[0] == datagram.KIND


def _runs(packet: datagram.Datagram) -> list[tuple[int, list[bytes]]]:
    return [(packet.first, packet.inputs), *[(run.first, run.inputs) for run in packet.runs]]


def newest_input(session: Session, data: bytes) -> int:
    """The last frame whose input a datagram of this session carries; -1 without one."""
    return max((first + len(inputs) - 1 for first, inputs in _runs(_decoded(session, data)) if inputs), default=-1)


def frames_in_two_runs(session: Session, data: bytes, seat: int) -> list[int]:
    """The frames of a datagram that carries two runs of inputs of a seat in the running episode; none for any other
    packet, or one that passes on what somebody gave who is gone."""
    if data[0] != datagram.KIND or not data[11] & datagram.RUNS or data[4] != session.episode & 0xFF:
        return []
    packet = _decoded(session, data)
    if any(run.seat != seat for run in packet.runs):
        return []
    return [first + place for first, inputs in _runs(packet) for place in range(len(inputs))]


def two_runs(sender: Session, seq: int, first: int, inputs: list[bytes], second: int, more: list[bytes]) -> bytes:
    """A datagram of two players' sender with two runs of inputs, which acknowledges what the sender holds."""
    body = b"".join(inputs) + datagram.encode_runs([datagram.Run(sender.me, second, more)])
    return _packet(sender, seq, first, len(inputs) | datagram.RUNS, body)


def far_ahead(sender: Session, seq: int, frame: int, encoded: bytes) -> bytes:
    """A datagram of two players' sender with one input that no peer can have reached."""
    return _packet(sender, seq, frame, 1, encoded)


def _packet(sender: Session, seq: int, first: int, flags: int, body: bytes) -> bytes:
    return datagram.encode(
        sender._identity.tag, sender.incarnation, sender.episode, seq, 0, datagram.NO_SAMPLE, first, flags, 0,
        [held(sender)[1 - sender.me]], body,
    )  # fmt: skip


# -- broken on purpose ------------------------------------------------------------------------------------------


def _events_report_the_anchors_guess(patch: pytest.MonkeyPatch) -> None:
    """A rollback event names the last known action, and not what was predicted."""
    honest = Timeline.take
    append = RollbackEvents.append
    anchor: list[bytes] = []

    def take(self: Timeline, seat: int, frame: int, encoded: bytes, now: float, episode: int) -> int:
        anchor[:] = [self.used(seat, self.frames.held[seat])]
        return honest(self, seat, frame, encoded, now, episode)

    def report(self: RollbackEvents, frame: int, current: int, seat: int, predicted: bytes, *rest: Any) -> None:
        append(self, frame, current, seat, anchor[0], *rest)

    patch.setattr(Timeline, "take", take)
    patch.setattr(RollbackEvents, "append", report)


def _every_third_event_is_missing(patch: pytest.MonkeyPatch) -> None:
    """The rollback is performed, but nobody reads of it."""
    append = RollbackEvents.append
    counted = [0]

    def forget(self: RollbackEvents, *rest: Any) -> None:
        counted[0] += 1
        if counted[0] % 3:
            append(self, *rest)

    patch.setattr(RollbackEvents, "append", forget)


def _receipts_of_the_fifth_are_broken(patch: pytest.MonkeyPatch) -> None:
    """The fifth other seat never gets a receipt."""
    honest = datagram.encode

    def encode(*head: Any) -> bytes:
        *others, receipts, body = head
        found = list(receipts)
        if len(found) > 4:
            found[4] = -1
        return honest(*others, found, body)

    patch.setattr(datagram, "encode", encode)


def _hash_interval_is_ignored(patch: pytest.MonkeyPatch) -> None:
    """States are hashed every seven frames, whatever the study set."""
    patch.setattr(Settings, "hash_every", property(lambda self: 7))


def _second_run_is_dropped(patch: pytest.MonkeyPatch) -> None:
    """What stands in the second run of a datagram is not taken in."""
    honest = datagram.decode

    def take_apart(data: bytes, *rest: Any, **more: Any) -> datagram.Fields:
        return honest(data, *rest, **more)._replace(runs=[])

    # The session's own eyes alone: the laws read packets with `_decoded`, which keeps the honest one.
    class Blind:
        def __getattr__(self, name: str) -> Any:
            return take_apart if name == "take_apart" else getattr(datagram, name)

    patch.setattr("pycore.session.intake.datagram", Blind())


def _over_is_not_said(patch: pytest.MonkeyPatch) -> None:
    """A session that is over falls silent without a word."""
    honest = Session.poll

    def poll(self: Session, *rest: Any, **more: Any) -> list[Any]:
        outputs = honest(self, *rest, **more)
        return [] if self.reason else outputs

    patch.setattr(Session, "poll", poll)


def _hiccup_forgives_all_silence(patch: pytest.MonkeyPatch) -> None:
    """After every pause of our own each peer's silence is counted anew."""
    honest = Session.poll
    polled: dict[int, float] = {}

    def poll(self: Session, now: float, *rest: Any, **more: Any) -> list[Any]:
        if now - polled.get(id(self), now) > LATE_TICKS * self.settings.period:
            for link in self.links:
                link.paths.forgive(now)
                for outbox in link.own:
                    outbox.excuse(now - polled[id(self)], now)
            self._parts.membership.forgive(now)
        polled[id(self)] = now
        return honest(self, now, *rest, **more)

    patch.setattr(Session, "poll", poll)


def _resimulation_keeps_stale_snapshots(patch: pytest.MonkeyPatch) -> None:
    """The snapshots of the wrong prediction stay."""
    honest = Timeline._run

    def run(self: Timeline, frame: int, until: int, saved: bool) -> None:
        before = list(self.frames.states)
        honest(self, frame, until, saved)
        if saved:
            for again in range(frame, min(until, self.current)):
                slot = again & self.frames.mask
                if before[slot] is not NOT_SAVED:
                    self.frames.states[slot] = before[slot]

    patch.setattr(Timeline, "_run", run)


def _predictions_pass_as_known(patch: pytest.MonkeyPatch) -> None:
    """A re-simulation takes the mark off every third of its predictions, which are then never corrected."""
    honest = Timeline._run

    def run(self: Timeline, frame: int, until: int, saved: bool) -> None:
        honest(self, frame, until, saved)
        if saved and self.pending is None:
            for again in range(frame, self.current):
                slot = again & self.frames.mask
                if self.frames.missing[slot] and again % 3 == 0:
                    self.frames.missing[slot] = 0

    patch.setattr(Timeline, "_run", run)


def _input_is_replaced_after_it_was_sent(patch: pytest.MonkeyPatch) -> None:
    """The input of seat 0 for frame 60 becomes another one on whichever side takes it in."""
    honest = Timeline.take

    def take(self: Timeline, seat: int, frame: int, encoded: bytes, now: float, episode: int) -> int:
        verdict = honest(self, seat, frame, encoded, now, episode)
        if seat == 0 and frame == 60 and encoded != b"\x05":
            slot = frame & self.frames.mask
            self.frames.encoded[slot][0], self.frames.actions[slot][0] = b"\x05", 5
        return verdict

    patch.setattr(Timeline, "take", take)


def _a_rollback_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """One alone, behind frame 100."""
    honest = Timeline.advance
    forgotten: list[int] = []

    def advance(self: Timeline, allowed: bool) -> int:
        if self.pending is not None and self.current > 100 and not forgotten:
            forgotten.append(self.pending)
            self.pending = None
        return honest(self, allowed)

    patch.setattr(Timeline, "advance", advance)


MUTANTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "events report the anchor's guess": _events_report_the_anchors_guess,
    "every third event is missing": _every_third_event_is_missing,
    "receipts of the fifth are broken": _receipts_of_the_fifth_are_broken,
    "hash interval is ignored": _hash_interval_is_ignored,
    "second run is dropped": _second_run_is_dropped,
    "over is not said": _over_is_not_said,
    "hiccup forgives all silence": _hiccup_forgives_all_silence,
    "re-simulation keeps stale snapshots": _resimulation_keeps_stale_snapshots,
    "predictions pass as known": _predictions_pass_as_known,
    "input is replaced after it was sent": _input_is_replaced_after_it_was_sent,
    "a rollback is forgotten": _a_rollback_is_forgotten,
}
"""Ways to break the core that the laws must see."""
