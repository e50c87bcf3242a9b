"""Playing on while somebody is only interrupted: what a study may set, how rounds join, and what records say of it."""

from __future__ import annotations

from typing import Any

import pytest

from pycore.errors import ConfigError
from pycore.records.agreement import Absences
from pycore.records.reader import RecordedFrame
from pycore.rollback.frames import Frames
from pycore.session.settling import Back, Round, Word
from pycore.settings import Settings

PLAYS_ON = {"on_drop": "default_action", "on_interrupt": "default_action"}


def back(changes: int = 2, load: int = 1, episode: int = 0, settled: int = 9, frame: int = 50) -> Back:
    """Somebody came back."""
    return Back(changes, load, 100 + load, episode, settled, frame)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"on_interrupt": "default_action"}, "on_drop is 'end'"),
        ({**PLAYS_ON, "return_within": 0}, "nobody could return"),
        ({**PLAYS_ON, "policies": {"1": {"policy": "p.py:make", "computed_by": "one"}}}, "may go"),
        ({**PLAYS_ON, "on_interrupt": "policy"}, "'wait' or 'default_action'"),
    ],
)
def test_what_cannot_be_played_is_refused_by_name(values: dict[str, Any], why: str) -> None:
    """Each says what to do."""
    with pytest.raises(ConfigError, match=why):
        Settings.of(values)


def test_all_must_agree_on_it_and_where_it_is_not_used_nothing_is_other_than_before() -> None:
    """Records of before are still replayed."""
    assert "on_interrupt" not in Settings().agreed()
    assert Settings.of(PLAYS_ON).agreed()["on_interrupt"] == "default_action"


def test_of_two_rounds_the_later_change_counts_and_of_one_return_the_later_frame() -> None:
    """Whichever is heard first; and words of another round are forgotten."""
    joined = []
    for first, second in ((back(), back(frame=60)), (back(frame=60), back())):
        of = Round()
        assert of.join(0b10)
        assert of.hear(0, Word(0b10, 0, {}, 0, False, False)) is False
        assert of.join(0, {1: first})
        assert of.words == {}
        of.join(0, {1: second})
        joined.append((of.gone, of.backs))
        # That it was gone is no news, and that it is back is none where it has gone again.
        assert of.join(0b10) is False
        of.goes(1)
        assert of.join(0, {1: back(frame=99)}) is False
        assert (of.gone, of.changes(1)) == (0b10, 3)
    assert joined[0] == joined[1] == (0, {1: back(frame=60)})


def test_a_later_episode_is_further_than_any_frame_of_an_earlier_one() -> None:
    """With what was settled there."""
    assert back(frame=900).joined(back(episode=1, settled=-1, frame=0)) == back(episode=1, settled=-1, frame=0)
    assert back(load=3).joined(back(load=2, frame=70)) == back(load=3, frame=70)


class Place:
    """A seat as the ring of frames asks for it."""

    default, default_action, delay = b"\0", 0, 1

    def __init__(self, number: int) -> None:
        self.number = self.owner = number


def test_a_seat_that_is_open_again_is_missing_from_that_frame_on_and_known_before_it() -> None:
    """Also where the frame cannot be reached yet when it is named."""
    for first in (8, 20):
        frames = Frames(2, ahead=6, behind=20)
        seats: Any = [Place(0), Place(1)]
        frames.begin(seats)
        frames.open(5)
        frames.release(seats[1], 3, 5)
        assert frames.held[1] == frames.opened == 11
        frames.reopen(1, first)
        assert frames.held[1] == min(11, first - 1)
        for current in range(6, 21):
            frames.open(current)
            assert frames.held[1] == min(current + 6, first - 1)
            known = [not frames.missing[frame & frames.mask] >> 1 & 1 for frame in range(10, current + 7)]
            assert known == [frame < first for frame in range(10, current + 7)]


def frame(episode: int, number: int, **gone: str) -> RecordedFrame:
    """A frame of a record."""
    return RecordedFrame(number, [], None, "", {"gone": gone} if gone else {}, episode, "", "", "x" if gone else "")


def test_records_say_from_where_to_where_somebody_was_away() -> None:
    """Within an episode, over the end of one, and to the end of all."""
    seen = Absences()
    for each in (
        frame(0, 0), frame(0, 10, b="default_action", c="default_action"), frame(0, 40, b="player"),
        frame(0, 70, b="default_action"), frame(1, 0), frame(1, 1, c="default_action"), frame(1, 90),
    ):  # fmt: skip
        seen.see(each)
        seen.see(each)
    seen.end()
    assert {player: [(of.episode, of.frame, of.back) for of in times] for player, times in seen.away.items()} == {
        "b": [(0, 10, (0, 40)), (0, 70, (1, 0))]
    }
    assert [(player, of.episode, of.frame) for player, of in seen.gone.items()] == [("c", 0, 10)]
