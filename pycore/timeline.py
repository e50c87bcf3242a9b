"""The rollback engine: one episode's frames, stepped on predictions and corrected when the truth arrives.

- `take(seat, frame, …)` takes in a known input. If its frame was stepped with another action, that is one
  rollback event, and the frame becomes the pending rollback frame unless an earlier one is.
- `rollback()` loads the state of the pending frame and steps up to the current frame again with what is
  known now; predictions are made anew, every snapshot on the way is replaced.
- `step()` steps the current frame, with predictions where an input is missing.

Invariant: for every stepped frame f, ``states[f + 1] == step(states[f], encoded[f])`` unless a rollback at or
before f is pending. An end found on the way (the environment's, or the last frame) stops the stepping and is
revoked when a rollback no longer finds it.

This module knows nothing of networks. Its two loops are the hottest code of the package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pycore.codec import ActionCodec
from pycore.inputs import Frames
from pycore.metrics import RollbackEvents
from pycore.prediction import Predictor
from pycore.types import Simulation, StepResult

DUPLICATE = 0
TAKEN = 1
MISPREDICTED = 2
CONTRADICTION = 3
OUT_OF_REACH = 4


class Timeline:
    """The frames of the running episode, and the simulation that they are stepped with."""

    __slots__ = (
        "_predictor",
        "codec",
        "current",
        "end",
        "events",
        "frames",
        "last_frame",
        "pending",
        "resimulated",
        "rollbacks",
        "simulation",
        "stepped",
        "stepped_before",
    )

    def __init__(self, simulation: Simulation, frames: Frames, codec: ActionCodec, predictor: Predictor | None) -> None:
        self.simulation = simulation
        self.frames = frames
        self.codec = codec
        self._predictor = predictor
        """None repeats the last action, which the loops do without a call."""
        self.events = RollbackEvents()
        self.rollbacks = 0
        """Rollbacks performed."""
        self.resimulated = 0
        """Frames stepped again."""
        self.stepped_before = 0
        """Frames stepped for the first time in earlier episodes."""
        self.current = 0
        """The frame to be stepped next."""
        self.stepped = 0
        """Frames of this episode stepped for the first time."""
        self.pending: int | None = None
        self.end: int | None = None
        """The provisional end: the frame with which the episode ends as far as is known."""
        self.last_frame = 0

    def begin(self, delay: int, default: bytes, last_frame: int) -> None:
        """Start an episode; the simulation was reset. `last_frame` ends it at the latest."""
        self.frames.begin(delay, default, self.codec.decode(default))
        self.stepped_before += self.stepped
        self.current = self.stepped = 0
        self.pending = self.end = None
        self.last_frame = last_frame

    @property
    def total(self) -> int:
        """Frames stepped for the first time, over the session."""
        return self.stepped_before + self.stepped

    def take(self, seat: int, frame: int, encoded: bytes, now: float, episode: int) -> int:
        """Take in a known input; returns one of the five verdicts above."""
        frames = self.frames
        if frame <= frames.held[seat]:
            if (
                frame >= 0
                and frame > frames.opened - frames.size
                and frames.encoded[frame & frames.mask][seat] != encoded
            ):
                return CONTRADICTION
            return DUPLICATE
        if frame > frames.opened:
            return OUT_OF_REACH
        slot = frame & frames.mask
        used = frames.encoded[slot][seat]
        if not frames.missing[slot] >> seat & 1:
            return DUPLICATE if used == encoded else CONTRADICTION
        frames.put(seat, frame, encoded, self.codec.decode(encoded))
        if frame < self.current and used != encoded:
            self.events.append(frame, self.current, seat, used, encoded, now, episode)
            if self.pending is None or frame < self.pending:
                self.pending = frame
            return MISPREDICTED
        return TAKEN

    def used(self, seat: int, frame: int) -> bytes:
        """The encoded action with which a frame that is still in the ring was stepped last."""
        return self.frames.encoded[frame & self.frames.mask][seat]

    def rollback(self) -> int:
        """Correct everything from the pending frame on; returns how many frames were stepped again."""
        start = self.pending
        if start is None:
            return 0
        self.pending = None
        if self.end is not None and start <= self.end:
            self.end = None
        current = self.current
        self.simulation.load(self.frames.states[start & self.frames.mask])
        self.current = start
        self.rollbacks += 1
        again = self._run(current)
        self.resimulated += again
        return again

    def step(self) -> None:
        """Step the current frame."""
        self._run(self.current + 1)
        if self.current > self.stepped:
            self.stepped = self.current
        self.frames.open(self.current)

    def _run(self, until: int) -> int:
        """Step from the current frame up to, but not including, `until`, or to the end; returns how many."""
        frames = self.frames
        mask = frames.mask
        missing = frames.missing
        actions = frames.actions
        states = frames.states
        results = frames.results
        save = self.simulation.save
        step = self.simulation.step
        start = frame = self.current
        last = self.last_frame
        anchors: list[tuple[int, bytes, Any]] | None = None
        while frame < until:
            slot = frame & mask
            states[slot] = save()
            row = actions[slot]
            lacking = missing[slot]
            if lacking:
                if anchors is None:
                    anchors = self._anchors()
                encoded = frames.encoded[slot]
                if self._predictor is None:
                    for seat in frames.seats_of[lacking]:
                        _held, encoded[seat], row[seat] = anchors[seat]
                else:
                    self._predict(self._predictor, lacking, frame, encoded, row, anchors)
            result = step(row)
            results[slot] = result
            frame += 1
            if frame > last or (result is not None and result.done):
                self.end = frame - 1
                break
        self.current = frame
        return frame - start

    def _anchors(self) -> list[tuple[int, bytes, Any]]:
        """Per seat the last frame known without a hole, and its action, encoded and decoded."""
        frames = self.frames
        mask = frames.mask
        return [
            (held, frames.encoded[held & mask][seat], frames.actions[held & mask][seat])
            for seat, held in enumerate(frames.held)
        ]

    def _predict(
        self,
        predictor: Predictor,
        lacking: int,
        frame: int,
        encoded: list[bytes],
        row: list[Any],
        anchors: list[tuple[int, bytes, Any]],
    ) -> None:
        for seat in self.frames.seats_of[lacking]:
            held, _encoded, last = anchors[seat]
            guess = self.codec.encode(predictor.predict(seat, last, frame - held, frame))
            encoded[seat] = guess
            row[seat] = self.codec.decode(guess)

    def publish(self, start: int, upto: int, sink: Callable[[int, list[bytes], StepResult | None], None]) -> None:
        """Hand the confirmed frames `start` … `upto` to the sink: frame, everybody's encoded action, result."""
        frames = self.frames
        mask = frames.mask
        for frame in range(start, upto + 1):
            slot = frame & mask
            sink(frame, frames.encoded[slot], frames.results[slot])

    def state(self, frame: int) -> object:
        """State `frame`: of the ring, or of now for the current frame."""
        if frame == self.current:
            return self.simulation.save()
        return self.frames.states[frame & self.frames.mask]
