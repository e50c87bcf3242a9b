"""Snapshots that are taken of some frames only: what a rollback then costs, and that nothing else differs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.actions.codec import DiscreteCodec
from pycore.rollback.frames import Frames
from pycore.rollback.prediction import DefaultAction, Guessing
from pycore.rollback.seats import Seat
from pycore.rollback.timeline import SPARSEST, Timeline
from pycore.simulation import StepResult

CODEC = DiscreteCodec(8)


class Counting:
    """Its state is what it was stepped with; it counts what it is asked for."""

    def __init__(self, unfit: Sequence[tuple[int, ...]] = ()) -> None:
        self.rows: tuple[tuple[int, ...], ...] = ()
        self.calls: list[str] = []
        self.unfit = set(unfit)
        """Rows that raise."""

    def reset(self, episode: int) -> None:
        self.rows = ()

    def save(self) -> object:
        self.calls.append(f"save {len(self.rows)}")
        return self.rows

    def load(self, state: Any) -> None:
        self.rows = state
        self.calls.append(f"load {len(self.rows)}")

    def step(self, actions: Sequence[int]) -> StepResult:
        self.calls.append(f"step {len(self.rows)}")
        self.rows = (*self.rows, tuple(actions))
        if tuple(actions) in self.unfit:
            raise ValueError(f"nobody can do {actions}")
        return StepResult({0: len(self.rows)}, {}, {}, {}, False)

    def canonical(self, state: object) -> bytes:
        return repr(state).encode()


def timeline(every: int, hash_every: int = 1000, predictor: Any = None, **more: Any) -> Timeline:
    """Two seats without delay, whose actions are numbers; the ring of a window of eight frames."""
    seats = [Seat(number, number, CODEC, 0, 0) for number in (0, 1)]
    simulation = Counting(**more)
    guessing = None if predictor is None else Guessing(simulation, seats, (0, 1), predictor)
    made = Timeline(simulation, Frames(2, ahead=9, behind=40), seats, guessing, hash_every)
    made.save_every(every)
    made.begin(10_000)
    return made


def play(of: Timeline, upto: int) -> None:
    """Step until this frame is current; the other seat is guessed."""
    while of.current < upto:
        of.fix(0, of.current, b"\1")
        of.advance(True)


def calls(of: Timeline) -> list[str]:
    simulation: Any = of.simulation
    return [simulation.calls.pop(0) for _ in range(len(simulation.calls))]


def test_every_third_frame_has_a_snapshot() -> None:
    t = timeline(3)
    play(t, 7)
    assert [call for call in calls(t) if call.startswith("save")] == ["save 0", "save 3", "save 6"]


def test_a_frame_that_is_hashed_has_a_snapshot_whatever_is_spared() -> None:
    t = timeline(8, hash_every=5)
    play(t, 12)
    assert [call for call in calls(t) if call.startswith("save")] == ["save 0", "save 5", "save 8", "save 10"]
    assert t.state(10) == ((1, 0),) * 10


def test_a_rollback_runs_up_from_the_last_snapshot_before_it() -> None:
    """Frame 5 was wrong, the snapshot is of frame 4: one frame of run-up, four stepped again, one new."""
    t = timeline(4)
    play(t, 9)
    calls(t)
    t.take(1, 5, b"\3", 0.0, 0)
    t.fix(0, 9, b"\1")
    assert t.advance(True) == 4
    assert calls(t) == ["load 4", "step 4", "step 5", "step 6", "step 7", "save 8", "step 8", "step 9"]
    assert (t.rollbacks, t.resimulated, t.run_up, t.current) == (1, 4, 1, 10)


def test_a_rollback_to_a_snapshot_has_no_run_up() -> None:
    t = timeline(4)
    play(t, 9)
    calls(t)
    t.take(1, 8, b"\3", 0.0, 0)
    assert t.advance(False) == 1
    assert calls(t) == ["load 8", "step 8"]
    assert t.run_up == 0


def test_a_run_up_steps_with_what_was_stepped_with_and_guesses_nothing() -> None:
    """Frames 1 to 4 were guessed as 2 by a predictor that has another opinion each time."""

    class Fickle:
        def __init__(self) -> None:
            self.asked: list[int] = []

        def predict(self, outlook: Any, action: Any, since: int, frame: int) -> Any:
            self.asked.append(frame)
            return 2 + len(self.asked) // 6

    fickle = Fickle()
    t = timeline(8, predictor=fickle)
    play(t, 6)
    assert fickle.asked == [0, 1, 2, 3, 4, 5]
    t.take(1, 5, b"\7", 0.0, 0)
    t.advance(False)
    assert t.simulation.rows == ((1, 2),) * 5 + ((1, 7),)  # type: ignore[attr-defined]
    assert fickle.asked == [0, 1, 2, 3, 4, 5]


def test_an_exception_out_of_a_guess_stands_before_its_frame_without_a_snapshot_of_it() -> None:
    t = timeline(8, unfit=[(4, 2)])
    t.take(1, 0, b"\2", 0.0, 0)
    play(t, 6)
    t.fix(0, 6, b"\4")
    t.advance(True)
    assert t.blocked
    assert (t.current, t.run_up) == (6, 6)
    assert t.simulation.rows == ((1, 2),) * 6  # type: ignore[attr-defined]
    for frame in range(1, 7):
        t.take(1, frame, b"\2", 0.0, 0)
    with pytest.raises(ValueError, match="nobody can do"):
        t.advance(True)


def test_snapshots_are_never_sparser_than_a_ring_can_go_back() -> None:
    t = timeline(1000)
    assert t.every == SPARSEST
    t.save_every(0)
    assert t.every == 1


@given(st.integers(0, 10**6), st.integers(1, 8), st.sampled_from([5, 7, 30, 1000]), st.booleans())
def test_nothing_but_the_cost_depends_on_how_sparse_snapshots_are(
    seed: int, every: int, hash_every: int, by_default: bool
) -> None:
    """The same arrivals in the same ticks, through a timeline that saves all and one that saves few: the same states,
    results, events and counts, and every state that is hashed is there."""
    rng = random.Random(seed)
    predictor = DefaultAction([3, 3]) if by_default else None
    dense, sparse = timeline(1, hash_every, predictor), timeline(every, hash_every, predictor)
    truth = [(rng.randrange(3), rng.randrange(3)) for _ in range(120)]
    due = list(range(120))
    while dense.frames.held[1] < 119:
        reach = [frame for frame in due if frame <= dense.current + 8][:6]
        arrivals = rng.sample(reach, min(len(reach), rng.randrange(4)))
        allowed = dense.current < 120 and dense.current - min(dense.frames.held) < 8
        for frame in arrivals:
            due.remove(frame)
        if rng.random() < 0.05:
            sparse.save_every(rng.randrange(1, 9))
        for of in (dense, sparse):
            for frame in arrivals:
                of.take(1, frame, bytes((truth[frame][1],)), 0.0, 0)
            if of.current < 120:
                of.take(0, of.current, bytes((truth[of.current][0],)), 0.0, 0)
            of.advance(allowed)
        assert sparse.simulation.rows == dense.simulation.rows  # type: ignore[attr-defined]
        last = dense.current - 1
        for frame in range(max(0, last - 8), last):
            if frame % hash_every == 0:
                assert sparse.state(frame) == dense.state(frame)
    assert sparse.simulation.rows == tuple(truth[: dense.current])  # type: ignore[attr-defined]
    for count in ("rollbacks", "resimulated", "total", "current"):
        assert getattr(sparse, count) == getattr(dense, count)
    assert sparse.events.count == dense.events.count
    assert dense.run_up == 0
