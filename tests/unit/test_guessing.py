"""Guesses counted under hand-fed time, what a predictor sees then, and what it costs who does not ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pycore.actions.codec import DiscreteCodec
from pycore.policy import Outlook
from pycore.rollback.frames import Frames
from pycore.rollback.prediction import Guessing
from pycore.rollback.seats import Seat
from pycore.rollback.timeline import Timeline
from pycore.simulation import StepResult


class Rows:
    """Its state is every row that it was stepped with; what a player sees of it is the very list."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.looked = self.saved = 0
        self.kept: list[tuple[Any, ...]] = []

    @property
    def observations(self) -> dict[str, Any]:
        self.looked += 1
        return {"ann": self.rows, "bob": self.rows}

    def reset(self, episode: int) -> None:
        self.rows = []

    def save(self) -> object:
        """The same snapshot again, as long as nothing was stepped."""
        self.saved += 1
        if self.kept != self.rows:
            self.kept = list(self.rows)
        return self.kept

    def load(self, state: Any) -> None:
        self.rows = list(state)

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        self.rows.append(tuple(actions))
        return None

    def canonical(self, state: object) -> bytes:
        return repr(state).encode()

    def contents(self, state: Any) -> Any:
        return {"env": state}


def timeline(predictor: Any, simulation: Any = None) -> Timeline:
    """Two seats without delay; ours is ann's."""
    codec = DiscreteCodec(256)
    seats = [Seat(number, number, codec, 0, 0) for number in (0, 1)]
    played = simulation or Rows()
    made = Timeline(
        played, Frames(2, ahead=16, behind=40), seats, Guessing(played, seats, ["ann", "bob"], predictor)
    )  # fmt: skip
    made.begin(10_000, 3)
    return made


def play(of: Timeline, upto: int) -> None:
    """Step until this frame is current; we play 1."""
    while of.current < upto:
        of.fix(0, of.current, b"\1")
        of.advance(True)


class Calling:
    """Calls a function."""

    def __init__(self, guess: Callable[[Outlook, Any, int, int], Any]) -> None:
        self.predict = guess


def test_hits_are_counted_beside_those_of_repeating_the_last_action_of_the_same_frames() -> None:
    """Frames 0 to 5 are guessed from the default action 0, frames 6 and 7 from frame 5's; frame 8 is there in time."""
    t = timeline(Calling(lambda outlook, last, since, frame: frame % 2))
    play(t, 6)
    for frame, action in enumerate((0, 1, 1, 0, 0, 1)):
        t.take(1, frame, bytes((action,)), 1.5, 3)
    assert (t.hits, t.misses, t.repeat_hits) == ([0, 4], [0, 2], [0, 3])
    play(t, 8)
    for frame, action in ((6, 1), (7, 1), (8, 1)):
        t.take(1, frame, bytes((action,)), 1.6, 3)
    play(t, 9)
    assert (t.hits, t.misses, t.repeat_hits) == ([0, 5], [0, 3], [0, 5])
    assert t.guessing is not None
    assert t.guessing.failed == [0, 0]


def test_what_counts_is_the_guess_that_the_frame_was_first_stepped_with() -> None:
    """Frame 1 is guessed again once frame 0 is known, by then rightly by both; its first guess was wrong for both."""
    t = timeline(Calling(lambda outlook, last, since, frame: last))
    play(t, 2)
    t.take(1, 0, b"\5", 1.5, 3)
    t.advance(False)
    assert t.used(1, 1) == b"\5"
    t.take(1, 1, b"\5", 1.6, 3)
    assert (t.hits, t.misses, t.repeat_hits) == ([0, 0], [0, 2], [0, 0])


def test_a_predictor_sees_the_state_before_the_frame_that_it_guesses() -> None:
    """The player's observation and the whole state, stepped again after a correction too; who, and in which episode."""
    seen: list[Any] = []

    def guess(outlook: Outlook, last: Any, since: int, frame: int) -> Any:
        seen.append((frame, outlook.observation, outlook.state))
        assert (outlook.seat, outlook.player, outlook.episode) == (1, "bob", 3)
        return 7

    t = timeline(Calling(guess))
    play(t, 3)
    rows = [(1, 7), (1, 7)]
    assert seen == [(frame, rows[:frame], {"env": rows[:frame]}) for frame in (0, 1, 2)]
    seen.clear()
    t.take(1, 0, b"\5", 1.5, 3)
    t.advance(False)
    assert seen == [(1, [(1, 5)], {"env": [(1, 5)]}), (2, [(1, 5), (1, 7)], {"env": [(1, 5), (1, 7)]})]


def test_who_asks_for_nothing_pays_for_nothing() -> None:
    """No observation is looked up or copied, and no state saved, but the snapshot of each frame."""
    idle, asking = Rows(), Rows()
    made = [
        timeline(Calling(lambda outlook, last, since, frame: 2), idle),
        timeline(Calling(lambda outlook, last, since, frame: len(outlook.state["env"])), asking),
    ]
    idle.looked = asking.looked = 0  # Python 3.11 looks at it to find out what the simulation can do
    for each in made:
        play(each, 6)
    assert (idle.looked, idle.saved) == (0, 6)
    assert (asking.looked, asking.saved) == (0, 12)


def test_what_a_predictor_does_to_what_it_is_shown_is_done_to_copies() -> None:
    """The observation is the environment's own list, and the state is what a snapshot has."""

    def guess(outlook: Outlook, last: Any, since: int, frame: int) -> Any:
        outlook.observation.append("mine")
        outlook.state["env"].clear()
        return 2

    t = timeline(Calling(guess))
    play(t, 4)
    assert t.simulation.rows == [(1, 2)] * 4  # type: ignore[attr-defined]
    assert [t.state(frame) for frame in range(4)] == [[(1, 2)] * frame for frame in range(4)]
