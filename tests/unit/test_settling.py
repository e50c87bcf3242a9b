"""One survivor's rules, without time and packets: rounds, words, what is settled, and when."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.session.settling import Held, Round, Word, run_of

GONE = 0b100
"""Peer 2, who plays seat 2."""


def word(mark: int = 9, beyond: int = 0, *, gone: int = GONE, episode: int = 0, ready: int = GONE, **more: Any) -> Word:
    """A survivor's word of who is gone."""
    seats = [seat for seat in range(8) if gone >> seat & 1]
    marks = {"settled": False, "knows": False, **more}
    return Word(gone, episode, {seat: Held(mark, beyond) for seat in seats}, ready, **marks)


def round_of(*others: tuple[int, Word], gone: int = GONE) -> Round:
    """A round in which these words came."""
    made = Round()
    made.join(gone)
    for peer, said in others:
        made.hear(peer, said)
    return made


def test_the_settled_frame_is_the_end_of_the_run_of_what_any_holds() -> None:
    """One holds frame 10, another 11 and 12, nobody 13, somebody 14: it is 12, once everybody holds that."""
    assert run_of([Held(9, 0b1), Held(9, 0b110), Held(9, 0b10000)]) == 12
    made = round_of((1, word(12)))
    assert made.settle(word(12, 0b10), [1]) == ({2: 12}, GONE)


@pytest.mark.parametrize("lacking", [word(11), word(11, 0b10), word(12, ready=0)])
def test_nothing_is_settled_before_all_have_said_that_they_hold_all_of_it(lacking: Word) -> None:
    """An input that somebody lacks, one behind a hole, a READY."""
    assert round_of((1, lacking)).settle(word(12), [1]) is None
    assert round_of((1, word(12))).settle(lacking, [1]) is None
    assert round_of((1, word(12))).settle(word(12), [1]) is not None


def test_every_other_survivor_must_have_said_so_in_this_round_and_this_episode() -> None:
    """A word that is missing, one of another episode, one of a smaller round."""
    assert round_of((1, word())).settle(word(), [1, 3]) is None
    assert round_of((1, word(episode=1))).settle(word(), [1]) is None
    assert round_of((1, word()), gone=0b1100).settle(word(gone=0b1100, ready=0b1100), [1]) is None


def test_who_is_left_alone_settles_at_what_it_holds() -> None:
    """There is nobody to ask."""
    assert round_of().settle(word(7), []) == ({2: 7}, GONE)


def test_a_word_of_a_larger_round_is_joined_and_what_was_said_before_forgotten() -> None:
    """Two survivors that know different peers to be gone come to the same round by each other's words."""
    made = round_of((1, word()))
    assert made.hear(3, word(gone=0b10100, ready=0)) is True
    assert made.gone == 0b10100
    assert set(made.words) == {3}
    assert made.join(0b100) is False


def test_a_word_of_a_smaller_round_counts_for_nothing() -> None:
    """It was said before its sender knew; the next one will be of the same round."""
    made = round_of(gone=0b10100)
    assert made.hear(1, word()) is False
    assert made.words == {}


def test_who_is_in_the_round_is_not_listened_to() -> None:
    """Whatever it says of others, it is no survivor."""
    made = round_of()
    assert made.hear(2, word(gone=0b1000, ready=0)) is False
    assert (made.gone, made.words) == (GONE, {})


def test_an_older_word_that_comes_later_takes_nothing_back() -> None:
    """What was held once is held; an earlier episode's word is no news either."""
    made = round_of((1, word(12, settled=True, knows=True)), (1, word(9, 0b110)), (1, word(episode=0)))
    assert made.of(1, 0) == word(12, settled=True, knows=True)
    made.hear(1, word(-1, episode=1))
    made.hear(1, word(20, episode=0))
    assert made.of(1, 1) == word(-1, episode=1)
    assert made.of(1, 0) is None


frames = st.sets(st.integers(0, 20))


def held_of(of: set[int]) -> Held:
    """Frames as what a survivor says."""
    mark = -1
    while mark + 1 in of:
        mark += 1
    return Held(mark, sum(1 << frame - mark - 1 for frame in of if frame > mark))


@given(one=frames, two=frames)
def test_what_two_hold_together_is_the_union_of_their_frames(one: set[int], two: set[int]) -> None:
    """Against sets: the same frames, in the one form."""
    union = held_of(one).joined(held_of(two))
    assert union == held_of(one | two)
    assert {frame for frame in range(30) if union.has(frame)} == one | two
