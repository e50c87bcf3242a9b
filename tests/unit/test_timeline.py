"""The rollback engine in exact numbers, and the ring of frames below it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.actions.codec import AnyCodec, DiscreteCodec
from pycore.rollback.frames import Frames
from pycore.rollback.prediction import DefaultAction, Guessing
from pycore.rollback.seats import Seat
from pycore.rollback.timeline import CONTRADICTION, DUPLICATE, MISPREDICTED, OUT_OF_REACH, TAKEN, Timeline
from pycore.simulation import StepResult
from pycore.testing import Walk

CODEC = DiscreteCodec(256)


class Log:
    """An environment that remembers in its state every row of actions it was stepped with."""

    def __init__(self, ends: Sequence[int] = ()) -> None:
        self.rows: tuple[tuple[int, ...], ...] = ()
        self.ends = set(ends)
        """Sums of a row that end the episode."""

    def reset(self, episode: int) -> None:
        self.rows = ()

    def save(self) -> object:
        return self.rows

    def load(self, state: Any) -> None:
        self.rows = state

    def step(self, actions: Sequence[int]) -> StepResult:
        self.rows = (*self.rows, tuple(actions))
        done = bool(self.ends) and sum(actions) in self.ends
        return StepResult({0: 1}, {0: done}, {0: False}, {}, done)

    def canonical(self, state: object) -> bytes:
        return repr(state).encode()


def seats(delay: int = 0, default: int = 0) -> list[Seat]:
    """Two of a kind."""
    return [Seat(number, number, CODEC, default, delay) for number in (0, 1)]


def timeline(
    delay: int = 0,
    last: int = 10_000,
    ends: Sequence[int] = (),
    predictor: Any = None,
    of: Sequence[Seat] | None = None,
    simulation: Any = None,
) -> Timeline:
    """Seat 0 is ours; room for 16 frames ahead."""
    stepped, made_seats = simulation or Log(ends), of or seats(delay)
    guessing = None if predictor is None else Guessing(stepped, made_seats, ("ann", "bob"), predictor)
    made = Timeline(stepped, Frames(2, ahead=16, behind=40), made_seats, guessing)
    made.begin(last)
    return made


def rows(of: Timeline) -> list[tuple[int, ...]]:
    """What the current state was stepped with."""
    return list(of.simulation.rows)  # type: ignore[attr-defined]


def give(of: Timeline, seat: int, frame: int, action: int) -> int:
    """Take in an input at time 1.5 of episode 0."""
    return of.take(seat, frame, bytes((action,)), 1.5, 0)


def events(of: Timeline) -> list[tuple[Any, ...]]:
    """(frame, currentFrame, rollbackFrames, playerId, predicted, actual) of every event."""
    names = ("frame", "currentFrame", "rollbackFrames", "playerId", "predictedAction", "actualAction")
    exported = of.events.export(str, lambda seat, encoded: of.seats[seat].decode(encoded), lambda now: now * 1000)
    return [tuple(e[n] for n in names) for e in exported]


def test_a_missing_input_is_predicted_to_be_the_last_known_one() -> None:
    """The prediction is anchored at the last frame known without a hole."""
    t = timeline()
    give(t, 1, 0, 7)
    for frame in range(3):
        give(t, 0, frame, frame)
        t.advance(True)
    assert rows(t) == [(0, 7), (1, 7), (2, 7)]
    assert t.current == 3


def test_a_prediction_is_not_anchored_behind_a_hole() -> None:
    """An input beyond the first missing frame does not change what is predicted before it."""
    t = timeline()
    give(t, 1, 0, 7)
    give(t, 1, 2, 9)
    for frame in range(4):
        give(t, 0, frame, 1)
        t.advance(True)
    assert rows(t) == [(1, 7), (1, 7), (1, 9), (1, 7)]


def test_the_default_action_can_be_predicted_instead() -> None:
    """A predictor is plugged in; what it says is encoded and decoded like any action."""
    t = timeline(predictor=DefaultAction([3, 3]))
    give(t, 1, 0, 7)
    for frame in range(3):
        give(t, 0, frame, 1)
        t.advance(True)
    assert rows(t) == [(1, 7), (1, 3), (1, 3)]


def test_a_late_input_is_one_event_and_one_rollback() -> None:
    """Frame, current frame, depth, player, what was used and what was meant."""
    t = timeline()
    for frame in range(5):
        give(t, 0, frame, 1)
        t.advance(True)
    assert give(t, 1, 2, 4) == MISPREDICTED
    assert t.pending == 2
    assert events(t) == [(2, 5, 3, "1", 0, 4)]
    assert t.advance(False) == 3
    assert (t.pending, t.current, t.rollbacks, t.resimulated, t.total) == (None, 5, 1, 3, 5)
    assert rows(t) == [(1, 0), (1, 0), (1, 4), (1, 0), (1, 0)]


def test_agreement_duplicates_and_frames_not_yet_stepped_give_no_event() -> None:
    """Only an input that differs from what a stepped frame was stepped with is one."""
    t = timeline()
    for frame in range(3):
        give(t, 0, frame, 1)
        t.advance(True)
    assert give(t, 1, 0, 0) == TAKEN
    assert give(t, 1, 0, 0) == DUPLICATE
    assert give(t, 1, 2, 0) == TAKEN
    assert give(t, 1, 2, 0) == DUPLICATE
    assert give(t, 1, 3, 9) == TAKEN
    assert give(t, 1, 3, 9) == DUPLICATE
    assert (t.events.count, t.pending) == (0, None)


def test_a_second_different_input_is_a_contradiction_and_the_first_one_stands() -> None:
    """Below `held` and in front of a hole alike."""
    t = timeline()
    give(t, 1, 0, 7)
    give(t, 1, 2, 9)
    assert give(t, 1, 0, 8) == CONTRADICTION
    assert give(t, 1, 2, 8) == CONTRADICTION
    assert (t.used(1, 0), t.used(1, 2)) == (b"\7", b"\t")


def test_an_input_out_of_reach_is_refused() -> None:
    """The ring reaches `ahead` frames beyond the current one, and moves with it."""
    t = timeline()
    assert give(t, 1, 17, 1) == OUT_OF_REACH
    assert give(t, 1, 16, 1) == TAKEN
    give(t, 0, 0, 1)
    t.advance(True)
    assert give(t, 1, 17, 1) == TAKEN


def test_the_pending_frame_is_the_minimum() -> None:
    """Several late inputs are corrected by one rollback to the first of them."""
    t = timeline()
    for frame in range(6):
        give(t, 0, frame, 1)
        t.advance(True)
    for frame, pending in ((4, 4), (2, 2), (3, 2), (0, 0)):
        assert give(t, 1, frame, 5) == MISPREDICTED
        assert t.pending == pending
    assert [event[2] for event in events(t)] == [2, 4, 3, 6]
    assert t.events.max_frames == 6
    assert t.advance(False) == 6
    assert t.rollbacks == 1


def test_while_a_rollback_is_pending_events_compare_with_what_was_stepped() -> None:
    """The frame was last stepped with the old prediction, whatever the pending rollback will predict."""
    t = timeline()
    for frame in range(4):
        give(t, 0, frame, 1)
        t.advance(True)
    give(t, 1, 0, 6)
    assert give(t, 1, 1, 6) == MISPREDICTED
    assert events(t)[-1] == (1, 4, 3, "1", 0, 6)


def test_after_a_resimulation_events_compare_with_the_new_prediction() -> None:
    """Re-simulated frames stay marked as predicted, with what was predicted anew."""
    t = timeline()
    for frame in range(4):
        give(t, 0, frame, 1)
        t.advance(True)
    give(t, 1, 0, 6)
    t.advance(False)
    assert rows(t) == [(1, 6)] * 4
    assert give(t, 1, 1, 6) == TAKEN
    assert give(t, 1, 2, 0) == MISPREDICTED
    assert events(t) == [(0, 4, 4, "1", 0, 6), (2, 4, 2, "1", 6, 0)]


def test_every_snapshot_behind_a_rollback_is_replaced() -> None:
    """States[f+1] is step(states[f], inputs[f]) again, for a second rollback to start from."""
    t = timeline()
    for frame in range(5):
        give(t, 0, frame, frame)
        t.advance(True)
    give(t, 1, 1, 8)
    t.advance(False)
    give(t, 1, 3, 9)
    t.advance(False)
    assert rows(t) == [(0, 0), (1, 8), (2, 8), (3, 9), (4, 8)] or rows(t)[3] == (3, 9)
    for frame in range(5):
        assert t.state(frame) == tuple(rows(t)[:frame])


def test_the_first_frames_of_an_input_delay_are_agreed_and_give_no_events() -> None:
    """With input delay d, frames 0 … d-1 have the default action for everyone: known, never predicted."""
    t = timeline(delay=3)
    assert t.frames.held == [2, 2]
    for _ in range(3):
        t.advance(True)
    assert rows(t) == [(0, 0)] * 3
    assert give(t, 1, 1, 5) == CONTRADICTION
    assert give(t, 1, 2, 0) == DUPLICATE
    assert t.events.count == 0


def test_nothing_is_stepped_beyond_an_end_and_a_revoked_end_goes_on() -> None:
    """The end found on a prediction is provisional: the truth takes it back, or finds an earlier one."""
    t = timeline(ends=[9])
    for frame, action in enumerate((1, 1, 9, 1, 1, 1)):
        give(t, 0, frame, action)
        t.advance(True)
    assert (t.end, t.current) == (2, 3)
    give(t, 1, 2, 1)
    assert t.advance(True) == 1
    assert (t.end, t.current) == (None, 4)
    t.advance(True)
    assert t.current == 5
    give(t, 1, 0, 8)
    t.advance(True)
    assert (t.end, t.current, t.total) == (0, 1, 5)
    assert len(rows(t)) == 1


def test_the_last_frame_ends_the_episode() -> None:
    """max_steps is an end like any other."""
    t = timeline(last=2)
    for frame in range(4):
        give(t, 0, frame, 1)
        t.advance(True)
    assert (t.current, t.end, t.total) == (3, 2, 3)


@pytest.mark.parametrize("stepped", [2, 3, 4, 6])
def test_shortening_takes_back_what_was_stepped_beyond(stepped: int) -> None:
    """A stop that comes late rolls back to its frame: the end is the same for everybody."""
    t = timeline()
    for frame in range(stepped):
        give(t, 0, frame, frame)
        t.advance(True)
    t.shorten(2)
    for frame in range(stepped, 9):
        give(t, 0, frame, frame)
        t.advance(True)
    assert (t.current, t.end, rows(t)) == (3, 2, [(0, 0), (1, 0), (2, 0)])
    assert t.state(2) == ((0, 0), (1, 0))
    t.shorten(5)
    assert t.last_frame == 2


def test_stepping_is_left_out_when_it_is_not_allowed() -> None:
    """Stalled, a rollback is performed all the same."""
    t = timeline()
    for frame in range(3):
        give(t, 0, frame, 1)
        t.advance(True)
    give(t, 1, 1, 4)
    assert t.advance(False) == 2
    assert t.current == 3
    assert t.advance(False) == 0


@given(seed=st.integers(0, 10**6), window=st.integers(1, 12), every=st.integers(1, 16))
def test_inputs_in_any_order_lead_to_the_bare_replicas_state(seed: int, window: int, every: int) -> None:
    """Whatever comes late, early, twice or out of order: at the end the state is that of a plain loop."""
    rng = random.Random(seed)
    truth = [(rng.randrange(4), rng.randrange(4)) for _ in range(60)]
    t = Timeline(Walk(2, seed=1), Frames(2, ahead=window + 1, behind=3 * window + 16), seats(), None, 30)
    t.save_every(every)
    t.simulation.reset(0)
    t.begin(59)
    due = [frame for frame in range(60) for _ in range(rng.choice((1, 1, 2)))]
    while t.end is None or t.pending is not None or t.frames.held[1] < 59:
        reach = [frame for frame in due if frame <= min(t.current + window, t.frames.held[1] + 6)]
        for frame in rng.sample(reach, min(len(reach), rng.randrange(4))):
            due.remove(frame)
            assert t.take(1, frame, bytes((truth[frame][1],)), 0.0, 0) != CONTRADICTION
        if t.current < 60:
            t.take(0, t.current, bytes((truth[t.current][0],)), 0.0, 0)
        t.advance(t.current - min(t.frames.held) < window)
    bare = Walk(2, seed=1)
    bare.reset(0)
    for row in truth:
        bare.step(row)
    assert t.simulation.save() == bare.save()
    assert t.total == 60
    assert t.events.max_frames < window or window == 1


@pytest.mark.slow
def test_70000_frames_pass_through_the_ring() -> None:
    """Beyond frame 65,535 everything goes on: the ring's size is what memory holds, not the session's length."""
    t = Timeline(Walk(2, seed=1), Frames(2, ahead=10, behind=30), seats(), None)
    t.simulation.reset(0)
    t.begin(10**6)
    for frame in range(70_000):
        t.take(0, frame, b"\1", 0.0, 0)
        if frame >= 2:
            t.take(1, frame - 2, bytes((frame >> 10 & 1,)), 0.0, 0)
        t.advance(True)
    assert t.current == t.total == 70_000
    assert t.frames.held == [69_999, 69_997]
    assert t.events.count > 60
    assert t.frames.size == 64


def test_a_new_episode_knows_nothing_of_the_last_one() -> None:
    """Inputs, marks and ends of an episode are gone with it; its delay and default actions are the next one's."""
    of = seats(default=7)
    t = timeline(of=of)
    for frame in range(5):
        give(t, 0, frame, 3)
        give(t, 1, frame, 4)
        t.advance(True)
    t.simulation.reset(1)
    for seat in of:
        seat.agree(2)
    t.begin(100)
    assert (t.current, t.total, t.frames.held) == (0, 5, [1, 1])
    t.advance(True)
    assert rows(t) == [(7, 7)]
    assert give(t, 1, 2, 6) == TAKEN


def test_an_own_input_is_fixed_before_its_frame_is_stepped() -> None:
    """It is known like any other, and steps as what its bytes say."""
    t = timeline(delay=1)
    for frame in range(1, 4):
        t.fix(0, frame, bytes((frame,)))
    assert t.frames.held == [3, 0]
    for _ in range(4):
        t.advance(True)
    assert rows(t) == [(0, 0), (1, 0), (2, 0), (3, 0)]
    assert give(t, 0, 2, 2) == DUPLICATE
    assert give(t, 0, 2, 9) == CONTRADICTION
    assert t.events.count == 0


def test_each_seat_has_its_own_actions_delay_and_default() -> None:
    """One plays with six keys and no delay, the other with whatever JSON spells, two frames late."""
    any_codec = AnyCodec()
    t = timeline(of=[Seat(0, 0, DiscreteCodec(6), 1, 0), Seat(1, 1, any_codec, {"go": 0}, 2)])
    t.fix(0, 0, b"\5")
    for _ in range(4):
        t.advance(True)
    t.take(1, 2, any_codec.encode({"go": 1.0}), 1.5, 0)
    t.take(0, 1, b"\4", 1.5, 0)
    assert events(t) == [(2, 4, 2, "1", {"go": 0}, {"go": 1}), (1, 4, 3, "0", 5, 4)]
    t.advance(False)
    steps = [(5, {"go": 0}), (4, {"go": 0}), (4, {"go": 1}), (4, {"go": 1})]
    assert rows(t) == steps
    assert t.frames.held == [1, 2]


# -- an exception out of a guessed frame ------------------------------------------------------------------------


class Crowded(Log):
    """Two players cannot do the same but rest: then it raises, after it has changed its state."""

    def __init__(self) -> None:
        super().__init__()
        self.tries = 0

    def step(self, actions: Sequence[int]) -> StepResult:
        self.tries += 1
        result = super().step(actions)
        if actions[0] == actions[1] != 0:
            raise ValueError(f"both do {actions[0]}")
        return result


def crowded(until: int = 3) -> Timeline:
    """At frame 0 the other one did 7, which is repeated; with frame `until` we do the same."""
    t = timeline(simulation=Crowded())
    give(t, 1, 0, 7)
    for frame in range(until + 1):
        t.fix(0, frame, b"\7" if frame == until else b"\1")
        t.advance(True)
    return t


def test_an_exception_out_of_a_guessed_frame_stands_before_it() -> None:
    """The actions of that frame may never have happened: the state is that before it, and the frame is current."""
    t = crowded()
    assert t.blocked
    assert (t.current, t.stepped, t.end) == (3, 3, None)
    assert rows(t) == [(1, 7)] * 3
    assert t.state(3) == ((1, 7),) * 3


def test_it_is_tried_again_only_when_more_is_known() -> None:
    """Not in every tick: nothing that decides it has changed."""
    t = crowded()
    tries = t.simulation.tries  # type: ignore[attr-defined]
    give(t, 1, 2, 7)
    assert t.blocked, "behind a hole nothing is known"
    assert t.frames.held == [3, 0]
    give(t, 1, 1, 7)
    assert not t.blocked
    t.advance(True)
    assert t.blocked
    assert t.simulation.tries == tries + 1  # type: ignore[attr-defined]
    give(t, 1, 3, 2)
    assert not t.blocked
    t.advance(True)
    assert (t.current, rows(t)) == (4, [(1, 7)] * 3 + [(7, 2)])
    assert t.events.count == 0, "the frame was never stepped: nothing was mispredicted"


def test_a_rollback_ends_the_standing() -> None:
    """What was guessed before it changes, and with it what is guessed now."""
    t = crowded()
    assert give(t, 1, 1, 3) == MISPREDICTED
    assert not t.blocked
    assert t.advance(True) == 2
    assert (t.current, t.blocked) == (4, False)
    assert rows(t) == [(1, 7), (1, 3), (1, 3), (7, 3)]


def test_it_comes_out_of_a_frame_of_which_everything_is_known() -> None:
    """Then it is the game's own."""
    t = crowded()
    for frame in (1, 2):
        give(t, 1, frame, 7)
    assert give(t, 1, 3, 7) == TAKEN
    with pytest.raises(ValueError, match="both do 7"):
        t.advance(True)
    assert (t.current, rows(t)) == (3, [(1, 7)] * 3)


def test_a_guess_that_raises_while_stepping_again_goes_back_to_before_it() -> None:
    """Frames that were stepped already are given up; they are stepped again when more is known."""
    t = timeline(simulation=Crowded())
    for frame, own in enumerate((1, 2, 3, 4, 5)):
        t.fix(0, frame, bytes((own,)))
        t.advance(True)
    assert give(t, 1, 0, 0) == TAKEN
    assert give(t, 1, 1, 4) == MISPREDICTED
    assert t.advance(True) == 2
    assert (t.current, t.stepped, t.blocked) == (3, 5, True)
    assert rows(t) == [(1, 0), (2, 4), (3, 4)]
    # The frames beyond are not stepped any more: an input for one of them mispredicted nothing.
    assert give(t, 1, 3, 6) == TAKEN
    assert t.blocked
    assert give(t, 1, 2, 4) == TAKEN
    assert not t.blocked
    for frame in (4, 5):
        t.advance(True)
        assert (t.current, t.blocked) == (frame, False)
    assert rows(t) == [(1, 0), (2, 4), (3, 4), (4, 6), (5, 6)]
    assert (t.total, t.resimulated, [event[0] for event in events(t)]) == (5, 2, [1])


def test_an_exception_of_a_known_frame_comes_out_also_of_a_rollback() -> None:
    """However late it is found out."""
    t = timeline(simulation=Crowded())
    for frame, own in enumerate((1, 2, 3)):
        t.fix(0, frame, bytes((own,)))
        t.advance(True)
    give(t, 1, 0, 0)
    give(t, 1, 1, 2)
    with pytest.raises(ValueError, match="both do 2"):
        t.advance(True)


class Unsaved(Crowded):
    """Two who do the same can be stepped, but what comes of it cannot be saved."""

    def step(self, actions: Sequence[int]) -> StepResult:
        self.tries += 1
        return Log.step(self, actions)

    def save(self) -> object:
        if self.rows and self.rows[-1][0] == self.rows[-1][1] != 0:
            raise ValueError(f"both did {self.rows[-1][0]}")
        return super().save()


class Junk(Crowded):
    """Two who do the same get what is no result."""

    def step(self, actions: Sequence[int]) -> Any:
        try:
            return super().step(actions)
        except ValueError:
            return {}, {}, {}, {}


class Undecided(Crowded):
    """Two who do the same get a result of which nobody can say whether it is the last."""

    class Neither:
        def __bool__(self) -> bool:
            raise ValueError("both")

    def step(self, actions: Sequence[int]) -> StepResult:
        try:
            return super().step(actions)
        except ValueError:
            return StepResult({}, {}, {}, {}, self.Neither())  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [Unsaved, Junk, Undecided])
@pytest.mark.parametrize("known", [False, True])
def test_what_a_frame_gave_and_led_to_is_of_that_frame(kind: type[Crowded], known: bool) -> None:
    """A state that cannot be saved and a result that is none: on a guess they are nobody's, otherwise the game's."""
    t = timeline(simulation=kind())
    give(t, 1, 0, 7)
    for frame, own in enumerate((1, 1, 7)):
        t.fix(0, frame, bytes((own,)))
        t.advance(True)
    # What was stepped on a guess is saved at the latest before the next frame is.
    t.fix(0, 3, b"\1")
    t.advance(True)
    assert t.blocked
    assert (t.current, t.end, rows(t)) == (2, None, [(1, 7)] * 2)
    assert t.state(2) == ((1, 7),) * 2
    give(t, 1, 1, 7)
    give(t, 1, 2, 7 if known else 2)
    assert not t.blocked
    if known:
        with pytest.raises((ValueError, AttributeError)):
            [t.advance(True) for _ in range(2)]
        assert t.current == 2
        return
    for _ in range(2):
        t.advance(True)
    assert (t.current, rows(t)) == (4, [(1, 7), (1, 7), (7, 2), (1, 2)])
    assert (t.events.count, t.total) == (0, 4)


@pytest.mark.parametrize("kind", [Unsaved, Junk, Undecided])
def test_so_it_is_while_frames_are_stepped_again(kind: type[Crowded]) -> None:
    """The rollback stops before the frame, and goes on behind it when its inputs are known."""
    t = timeline(simulation=kind())
    for frame, own in enumerate((1, 2, 3, 4, 5)):
        t.fix(0, frame, bytes((own,)))
        t.advance(True)
    give(t, 1, 0, 0)
    assert give(t, 1, 1, 4) == MISPREDICTED
    t.advance(True)
    assert (t.current, t.stepped, t.blocked) == (3, 5, True)
    assert rows(t) == [(1, 0), (2, 4), (3, 4)]
    for frame, other in ((2, 4), (3, 6)):
        give(t, 1, frame, other)
    for _ in range(2):
        t.advance(True)
    assert rows(t) == [(1, 0), (2, 4), (3, 4), (4, 6), (5, 6)]


def test_a_first_state_that_cannot_be_saved_is_no_guess() -> None:
    """No frame led to it."""

    class Nothing(Log):
        def save(self) -> object:
            raise ValueError("no state")

    t = timeline(simulation=Nothing())
    with pytest.raises(ValueError, match="no state"):
        t.advance(True)
    assert t.current == 0


# -- predictors that are no good --------------------------------------------------------------------------------


class Raises:
    """Never knows."""

    def predict(self, outlook: Any, last: Any, since: int, frame: int) -> Any:
        raise RuntimeError("no idea")


class Nonsense:
    """Says what is no action."""

    def predict(self, outlook: Any, last: Any, since: int, frame: int) -> Any:
        return [None, 256, -1, 1.0, "go"][frame % 5]


@pytest.mark.parametrize("predictor", [Raises(), Nonsense()])
def test_a_predictor_that_raises_or_talks_nonsense_costs_nothing(predictor: Any) -> None:
    """The last known action is repeated in its place."""
    t = timeline(predictor=predictor)
    give(t, 1, 0, 7)
    for frame in range(7):
        give(t, 0, frame, 1)
        t.advance(True)
    assert rows(t) == [(1, 7)] * 7
    give(t, 1, 1, 8)
    t.advance(True)
    assert rows(t) == [(1, 7)] + [(1, 8)] * 7


def test_a_predictor_that_writes_into_the_last_action_changes_no_input() -> None:
    """It is given one of its own: what was sent is stepped, also when it is stepped again."""

    class Grows:
        def predict(self, outlook: Any, last: list[int], since: int, frame: int) -> list[int]:
            last.append(9)
            return [len(last)]

    codec = AnyCodec()
    t = timeline(of=[Seat(number, number, codec, [], 0) for number in (0, 1)], predictor=Grows())
    t.take(1, 0, codec.encode([1]), 1.5, 0)
    for frame in range(4):
        t.take(0, frame, codec.encode([0]), 1.5, 0)
        t.advance(True)
    assert rows(t) == [([0], [1])] + [([0], [2])] * 3
    assert t.frames.actions[0][1] == [1]
    t.take(1, 1, codec.encode([5]), 1.5, 0)
    t.advance(False)
    assert rows(t) == [([0], [1]), ([0], [5]), ([0], [2]), ([0], [2])]


def test_a_predictor_is_told_the_last_known_action_and_how_long_ago() -> None:
    """Anchored at the first missing frame of the seat."""
    asked = []

    class Asked:
        def predict(self, outlook: Any, last: Any, since: int, frame: int) -> Any:
            asked.append((outlook.seat, last, since, frame))
            return frame

    t = timeline(predictor=Asked())
    give(t, 1, 0, 7)
    for frame in range(3):
        give(t, 0, frame, 1)
        t.advance(True)
    assert asked == [(1, 7, 1, 1), (1, 7, 2, 2)]
    assert rows(t) == [(1, 7), (1, 1), (1, 2)]


def test_what_repeating_would_have_hit_is_counted_beside_what_was_hit() -> None:
    """Of the frames that were stepped with a guess; frame 0 is anchored at the default action, 0."""
    class Tens:
        def predict(self, outlook: Any, last: Any, since: int, frame: int) -> Any:
            return 10 * frame

    t = timeline(predictor=Tens())
    give(t, 0, 0, 1)
    t.advance(True)  # guessed 0, repeating gives the default 0
    give(t, 1, 0, 7)  # neither
    for frame in (1, 2, 3, 4):
        give(t, 0, frame, 1)
        t.advance(True)  # guessed 10, 20, 30, 40; repeating: 7
    for frame, action in ((1, 10), (2, 7), (3, 30), (4, 7)):
        give(t, 1, frame, action)
    assert (t.hits, t.misses, t.repeat_hits) == ([0, 2], [0, 3], [0, 2])
    give(t, 1, 5, 50)  # before it is stepped: no guess at all
    give(t, 0, 5, 1)
    t.advance(True)
    assert (t.hits, t.misses, t.repeat_hits) == ([0, 2], [0, 3], [0, 2])


def test_of_what_repeats_the_last_action_both_counts_are_the_same() -> None:
    """Nobody else guesses."""
    t = timeline()
    for frame in range(4):
        give(t, 0, frame, 1)
        t.advance(True)
    for frame, action in enumerate((0, 5, 0, 5)):
        give(t, 1, frame, action)
    assert t.hits == t.repeat_hits == [0, 2]
    assert t.misses == [0, 2]


class Sees:
    """A simulation of one number, which it shows, and in which it counts draws of a generator of everybody's."""

    def __init__(self) -> None:
        self.total = 0
        self.resumed = 0
        self.observations: dict[Any, Any] = {}

    def save(self) -> int:
        return self.total

    def load(self, state: Any) -> None:
        self.total = state
        self.observations = {}

    def step(self, actions: Any) -> None:
        self.total += actions[1]
        self.observations = {"bob": [self.total]}

    def contents(self, state: Any) -> Any:
        return {"total": state}

    def resume(self) -> None:
        self.resumed += 1


def test_a_predictor_is_shown_a_copy_of_what_the_player_sees_before_the_frame_that_it_guesses() -> None:
    """The player, the episode, the observation where there is one, and the state; the game goes on as it was."""
    seen = []

    class Looks:
        def predict(self, outlook: Any, last: Any, since: int, frame: int) -> Any:
            seen.append((frame, outlook.player, outlook.episode, outlook.observation, outlook.state))
            if outlook.observation:
                outlook.observation.append("mine")
                shown = outlook.observation
                shown.append("mine")
            return 2

    simulation = Sees()
    t = timeline(predictor=Looks(), simulation=simulation)
    for frame in range(3):
        give(t, 0, frame, 1)
        t.advance(True)
    assert seen == [
        (0, "bob", 0, None, {"total": 0}),
        (1, "bob", 0, [2], {"total": 2}),
        (2, "bob", 0, [4], {"total": 4}),
    ]
    assert simulation.observations == {"bob": [6]}
    assert simulation.resumed == 3, "what it drew does not count"
    give(t, 1, 0, 5)
    t.advance(False)
    assert seen[3:] == [(1, "bob", 0, [5], {"total": 5}), (2, "bob", 0, [7], {"total": 7})]
    t.begin(10, 4)
    give(t, 0, 0, 1)
    t.advance(True)
    assert seen[-1][2] == 4
