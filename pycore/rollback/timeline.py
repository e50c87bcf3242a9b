"""The rollback engine: one episode's frames, stepped on predictions and corrected when the truth arrives.

- `take(seat, frame, …)` takes in a known input. If its frame was stepped with another action, that is one
  rollback event, and the frame becomes the pending rollback frame unless an earlier one is.
- `advance(allowed)` loads the state of the pending frame, if there is one, and steps up to the current frame
  again with what is known now; predictions are made anew, every snapshot on the way is replaced. Then it steps
  the current frame, with predictions where an input is missing, if that is allowed.

Invariants:

- For every stepped frame f, ``states[f + 1] == step(states[f], encoded[f])`` unless a rollback at or before f is
  pending.
- An end found on the way (the environment's, or the last frame) stops the stepping and is revoked when a rollback no
  longer finds it.
- There is a snapshot of frame 0, of every frame of which the state is hashed, and of every `every`-th one. From the
  snapshot to an incorrect frame there is a *run-up*: frames that are stepped again with what they were stepped with,
  which gives the same. Everything that a rollback can need is in the ring, since `every` is at most `SPARSEST`.
- An exception out of a guessed frame says nothing about the game: its actions may never have happened. Stepping it,
  what that gave and saving what it led to are of that frame. The timeline goes back to before it and stands there until
  it knows more; the exception comes out only of a frame that is known whole.

This module knows nothing of networks. Its two loops are the hottest code of the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from pycore.rollback.frames import NOT_SAVED, Frames
from pycore.rollback.mispredictions import RollbackEvents
from pycore.rollback.prediction import Guessing, guesses_of
from pycore.rollback.seats import Seat
from pycore.simulation import Simulation

if TYPE_CHECKING:
    from pycore.rollback.policies import Policies  # a page without policies does without it

DUPLICATE, TAKEN, MISPREDICTED, CONTRADICTION, OUT_OF_REACH = range(5)
UNSAID: Final = -(1 << 30)
SPARSEST: Final = 16
"""Frames from one snapshot to the next at most: a ring keeps three windows behind the current frame."""


class Timeline:
    """The frames of the running episode, and the simulation that they are stepped with."""

    __slots__ = (
        "_decode", "_every", "_hash_every", "blocked_at", "current", "depths", "end", "events", "frames",
        "guessed", "guessing", "hits", "last_frame", "misses", "newest", "pending", "policies", "predicted",
        "repeat_hits", "resimulated", "rollbacks", "run_up", "seats", "simulation", "stepped", "stepped_before",
    )  # fmt: skip

    def __init__(
        self,
        simulation: Simulation,
        frames: Frames,
        seats: Sequence[Seat],
        guessing: Guessing | None,
        hash_every: int = 1,
        policies: Policies | None = None,
    ) -> None:
        self.simulation = simulation
        self.frames = frames
        self.seats = tuple(seats)
        self._decode = [seat.decode for seat in seats]
        self.guessing = guessing
        """None repeats the last action, which the loops do without a call."""
        self.policies = policies
        """Of the seats that policies play; None: there are none."""
        self._every = 1
        self._hash_every = hash_every
        """Of every so many frames somebody will ask for the state."""
        self.events = RollbackEvents()
        self.rollbacks = 0
        """Rollbacks performed."""
        self.depths: list[int] = []
        """How many of them were so many frames deep."""
        self.guessed = 0
        """Frames that were stepped the first time with a guess."""
        self.hits = [0] * len(self.seats)
        """By seat, how many of its actions that came late were those that their frame was first stepped with."""
        self.misses = [0] * len(self.seats)
        """By seat, how many were others."""
        self.repeat_hits = self.hits if guessing is None else [0] * len(self.seats)
        """By seat, how many of them all were the last action known when their frame was first stepped."""
        self.resimulated = 0
        """Frames stepped again with other inputs, or behind one that was."""
        self.run_up = 0
        """Frames stepped again only to come from a snapshot to the first incorrect frame."""
        self.stepped_before = 0
        """Frames stepped for the first time in earlier episodes."""
        self.current = 0
        """The frame to be stepped next."""
        self.stepped = 0
        """Frames of this episode stepped for the first time."""
        self.pending: int | None = None
        """The first incorrect frame, while its rollback is pending."""
        self.end: int | None = None
        """The provisional end: the frame with which the episode ends as far as is known."""
        self.last_frame = 0
        self.predicted = b""
        """What was used instead of the input that was mispredicted last, encoded."""
        self.newest = [-1] * len(self.seats)
        """By seat, the last frame of which a remote input was taken in."""
        self.blocked_at: int | None = None
        """The known frame at which a guessed one raised; nothing is tried again before it grows."""

    def begin(self, last_frame: int, episode: int = 0) -> None:
        """Start an episode; the simulation was reset. `last_frame` ends it at the latest."""
        if self.policies is not None:
            self.policies.begin(episode, self.frames)
        if self.guessing is not None:
            self.guessing.begin(episode)
        self.frames.begin(self.seats)
        self.newest = [seat.delay - 1 for seat in self.seats]
        self.stepped_before += self.stepped
        self.current = self.stepped = 0
        self.pending = self.end = self.blocked_at = None
        self.last_frame = last_frame

    @property
    def every(self) -> int:
        """Frames from one snapshot to the next."""
        return self._every

    def save_every(self, frames: int) -> None:
        """Take snapshots so sparsely from here on, at least 1 and at most `SPARSEST`: it changes what a rollback costs,
        and nothing that comes of it."""
        self._every = min(max(frames, 1), SPARSEST)

    def use(self, frames: Frames) -> None:
        """Use another ring from the next episode on."""
        self.frames = frames

    @property
    def predictor(self) -> str:
        """The name of what guesses actions: `repeat_last`, `default_action`, or of the class."""
        return "repeat_last" if self.guessing is None else self.guessing.name

    @property
    def total(self) -> int:
        """Frames stepped for the first time, over the session."""
        return self.stepped_before + self.stepped

    @property
    def blocked(self) -> bool:
        """Whether the current frame raised on a guess, and nothing new is known since."""
        return self.blocked_at is not None and self.pending is None and min(self.frames.held) <= self.blocked_at

    def fix(self, seat: int, frame: int, encoded: bytes) -> None:
        """Take in the own input of a frame that is not stepped yet, the next after those that are fixed."""
        frames = self.frames
        slot = frame & frames.mask
        frames.encoded[slot][seat] = encoded
        frames.actions[slot][seat] = self._decode[seat](encoded)
        frames.missing[slot] &= ~(1 << seat)
        frames.held[seat] = frame

    def take(self, seat: int, frame: int, encoded: bytes, now: float, episode: int) -> int:
        """Take in a known input; returns one of the five verdicts above."""
        frames = self.frames
        slot = frame & frames.mask
        used, held = frames.encoded[slot], frames.held[seat]
        if frame <= held:
            if frame > frames.opened - frames.size and used[seat] != encoded:
                return CONTRADICTION
            return DUPLICATE
        if frame > frames.opened:
            return OUT_OF_REACH
        missing = frames.missing
        bit = 1 << seat
        bits, before = missing[slot], used[seat]
        if not bits & bit:
            return DUPLICATE if before == encoded else CONTRADICTION
        used[seat] = encoded
        frames.actions[slot][seat] = self._decode[seat](encoded)
        missing[slot] = bits ^ bit
        if frame == held + 1:
            frames.held[seat] = frame
            if not missing[(frame + 1) & frames.mask] & bit:  # seldom; a call takes as long as all that stands here
                frames.extend(seat, frame)
        if frame > self.newest[seat]:
            self.newest[seat] = frame
        if frame < self.stepped:
            if frames.guesses[slot][seat] == encoded:
                self.hits[seat] += 1
            else:
                self.misses[seat] += 1
            if self.guessing is not None and frames.lasts[slot][seat] == encoded:
                self.repeat_hits[seat] += 1
        current = self.current
        if frame < current and before != encoded:
            self.predicted = before
            self.events.append(frame, current, seat, before, encoded, now, episode)
            if self.pending is None or frame < self.pending:
                self.pending = frame
            return MISPREDICTED
        return TAKEN

    def release(self, number: int, last: int) -> None:
        """Nobody plays a seat behind frame `last`: it has its default action, which no guess was, or a policy plays."""
        seat = self.seats[number]
        first = last + 1
        wrong = self.frames.release(seat, last, self.current)
        if self.policies is not None and self.policies.take_over(seat, first) and first < self.current:
            wrong = first
        if wrong is not None and (self.pending is None or wrong < self.pending):
            self.pending = wrong

    def reopen(self, number: int, first: int) -> None:
        """Somebody plays a seat again from frame `first` on; how far that one is, it has not said."""
        self.frames.reopen(number, first)
        self.newest[number] = UNSAID

    def end_with(self, last: int) -> None:
        """The episode ends with frame `last`, which may lie behind the end so far, unless the environment ends it."""
        before = self.last_frame
        self.shorten(last)
        if last > before:
            self.last_frame = last
            result = self.frames.results[before & self.frames.mask]
            if self.end == before and (result is None or not result.done):
                self.end = None

    def used(self, seat: int, frame: int) -> bytes:
        """The encoded action with which a frame that is still in the ring was stepped last."""
        return self.frames.encoded[frame & self.frames.mask][seat]

    def advance(self, allowed: bool) -> int:
        """Correct everything from the pending frame on, then step the current frame if that is `allowed`.

        Returns how many frames were stepped again. Nothing is stepped beyond an end that still stands.
        """
        start = self.pending
        end = self.end
        current = self.current
        if start is None:
            if end is not None or not allowed:
                return 0
            self._run(current, current + 1, False)
        else:
            self.pending = None
            if end is not None and start <= end:
                end = self.end = None
            state = self.frames.states[start & self.frames.mask]
            if state is NOT_SAVED:
                self._go_back_to(start)
            else:
                self.simulation.load(state)
            self.rollbacks += 1
            depths = self.depths
            while len(depths) <= current - start:
                depths.append(0)
            depths[current - start] += 1
            self._run(start, current + 1 if allowed and end is None else current, True)
        now = self.current
        if now > current:
            frames = self.frames
            if now > self.stepped:
                self.stepped = now
                slot = (now - 1) & frames.mask
                if frames.missing[slot]:
                    frames.guesses[slot] = frames.encoded[slot][:]
                    if self.guessing is not None:
                        frames.lasts[slot] = frames.last_known()
                    self.guessed += 1
            frames.open(now)
        if start is None:
            return 0
        again = (current if now > current else now) - start
        self.resimulated += again
        return again

    def shorten(self, last: int) -> None:
        """The episode ends with frame `last` at the latest; what was stepped beyond it is taken back."""
        if last >= self.last_frame:
            return
        self.last_frame = last
        if self.current > last and (self.end is None or self.end > last):
            self.pending = last if self.pending is None else min(self.pending, last)

    def _run(self, frame: int, until: int, saved: bool) -> None:
        """Step from `frame` up to, but not including, `until`, or to the end. `saved`: we just went back to it.

        At least one frame is stepped. The loop's names come first: only of the first sixteen are two read at once.
        """
        frames = self.frames
        after = frame
        slot = frame & frames.mask
        actions = frames.actions
        missing = frames.missing
        encoded = frames.encoded
        states = frames.states
        results = frames.results
        # Usually one seat is lacking, the bit of which is `alone`; of several, `several`, there are `guesses`.
        lacking = alone = 0
        row, seat, guess, action = actions[slot], 0, b"", None
        mask = frames.mask
        save = self.simulation.save
        step = self.simulation.step
        policies = self.policies
        dense = self._every == 1
        repeat = self.guessing is None
        last = self.last_frame
        if until > last:
            until = last + 1
        several = 0
        guesses: Sequence[tuple[int, bytes, Any]] = ()
        self.blocked_at = None
        if not saved:
            try:
                states[slot] = save() if dense or self._is_saved(frame) else NOT_SAVED
            except Exception:
                # What cannot be saved is what the frame before led to.
                self._stand_before(frame - 1)
                return
        try:
            for after in range(frame + 1, until + 1):
                row = actions[slot]
                lacking = missing[slot]
                if lacking:
                    if lacking == alone:
                        encoded[slot][seat] = guess
                        row[seat] = action
                    elif repeat and frames.alone[lacking] >= 0:
                        # As `guesses_of` has it, of the one seat.
                        alone = lacking
                        seat = frames.alone[lacking]
                        held = frames.held[seat] & mask
                        encoded[slot][seat] = guess = encoded[held][seat]
                        row[seat] = action = actions[held][seat]
                    else:
                        if lacking != several or not repeat:
                            several = lacking
                            guesses = guesses_of(frames, self.guessing, lacking, after - 1)
                        for other, other_guess, other_action in guesses:
                            encoded[slot][other] = other_guess
                            row[other] = other_action
                if policies is not None:
                    policies.act(after - 1, encoded[slot], row)
                results[slot] = result = step(row)
                if result is not None and result.done:
                    self.end = after - 1
                    break
                if after == until:
                    if after > last:
                        self.end = last
                    break
                slot = after & mask
                states[slot] = save() if dense or self._is_saved(after) else NOT_SAVED
        except Exception:
            self._stand_before(after - 1)
            return
        self.current = after

    def _is_saved(self, frame: int) -> bool:
        """Whether there is to be a snapshot of the state before this frame."""
        return frame % self._every == 0 or frame % self._hash_every == 0

    def _go_back_to(self, frame: int) -> None:
        """Load the last snapshot up to a frame, and make the run-up to it."""
        frames = self.frames
        mask = frames.mask
        states = frames.states
        start = frame
        while states[start & mask] is NOT_SAVED:
            start -= 1
        self.simulation.load(states[start & mask])
        for before in range(start, frame):
            self.simulation.step(frames.actions[before & mask])
        self.run_up += frame - start

    def _stand_before(self, frame: int) -> None:
        """Stepping `frame`, or saving what it led to, raised: that goes on if every input up to it is known."""
        if frame < 0:
            raise
        known = min(self.frames.held)
        self._go_back_to(frame)
        self.current = frame
        if frame <= known:
            raise
        self.blocked_at = known

    def state(self, frame: int) -> object:
        """State `frame`: of now for the current frame, or of the ring, which has those that are hashed."""
        return self.simulation.save() if frame == self.current else self.frames.states[frame & self.frames.mask]
