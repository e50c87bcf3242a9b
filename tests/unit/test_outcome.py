"""Who won, for the end screen: where the environment or the study says that somebody wins, and only then."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bridge_support import FLAG_OUTBOX, PERIOD, done, keys, pair

from pycore.actions.codec import DiscreteCodec
from pycore.bridge.outcome import Rounds
from pycore.duties import CHANNEL_CLOSED
from pycore.records.trajectory import Trajectory
from pycore.rollback.seats import Seat
from pycore.session.confirmed import ConfirmedFrame
from pycore.simulation import StepResult


def over(
    episodes: list[tuple[Any, dict[Any, Any]]], winner: str | None = None, players: tuple[Any, ...] = (0, 1)
) -> Rounds:
    """Rounds of two frames each: the score of the own infos at their end, and the rewards of each frame."""
    trajectory = Trajectory()
    rounds = Rounds(players, 0, winner, trajectory)
    seats = [Seat(number, number, DiscreteCodec(2), 0, 0) for number in range(len(players))]
    off = dict.fromkeys(players, False)
    for episode, (score, rewards) in enumerate(episodes):
        for frame in (0, 1):
            # The score of the last frame counts; another player's infos do not.
            infos: dict[Any, Any] = {player: {"score": "theirs"} for player in players}
            infos[players[0]] = {} if score is None else {"score": score if frame else [0] * len(players)}
            result = StepResult(rewards, off, off, infos, False)
            row = ConfirmedFrame(episode, frame, seats, (b"\0",) * len(players), result, None)
            row.complete()
            trajectory.frame(row)
        trajectory.end(episode, 2, b"12345678")
        rounds.ended(episode, 2)
    return rounds


EVEN = {0: 1, 1: 1}


def test_a_score_by_player_makes_a_winner_of_all_rounds_together() -> None:
    assert over([([5, 3], EVEN), ([1, 5], EVEN)]).outcome(2) == {"points": [6, 8], "first": [1], "by": 2}
    assert over([({"0": 4, "1": 2.5}, EVEN)]).outcome(1) == {"points": [4, 2.5], "first": [0], "by": 1.5}


def test_rewards_alone_make_no_winner_unless_the_study_says_so() -> None:
    """People who play together for rewards of their own have not been told that they play against each other."""
    rewards = {0: 2, 1: -1}
    assert over([(None, rewards)]).outcome(1) is None
    assert over([(None, rewards)], "most").outcome(1) == {"points": [4, -2], "first": [0], "by": 6}
    assert over([(None, rewards)], "least").outcome(1) == {"points": [4, -2], "first": [1], "by": 6}


def test_a_study_may_say_that_nobody_wins() -> None:
    assert over([([5, 3], EVEN)], "none").outcome(1) is None


def test_those_with_as_many_points_share_the_first_place() -> None:
    three = dict.fromkeys(range(3), 0)
    shared = over([([4, 1, 4], three)], players=(0, 1, 2)).outcome(1)
    assert shared == {"points": [4, 1, 4], "first": [0, 2], "by": 0}
    assert over([([2, 2], EVEN)]).outcome(1) == {"points": [2, 2], "first": [0, 1], "by": 0}


def test_points_that_differ_by_how_floats_are_added_are_a_tie() -> None:
    """However large they are, and whatever the rounds before cancelled."""
    tied = over([([0.1, 0.3], EVEN), ([0.2, 0.0], EVEN)]).outcome(2)
    assert tied == {"points": [0.3, 0.3], "first": [0, 1], "by": 0}
    assert over([([0.1e12, 0.3e12], EVEN), ([0.2e12, 0.0], EVEN)]).outcome(2)["first"] == [0, 1]
    assert over([([1e6 + 0.1, 0.3], EVEN), ([0.2 - 1e6, 0.0], EVEN)]).outcome(2)["first"] == [0, 1]
    three = dict.fromkeys(range(3), 0)
    ranked = over([([0.1, 0.3, 0.2], three), ([0.2, 0.0, 0.0], three)], "least", players=(0, 1, 2)).outcome(2)
    assert (ranked["first"], round(ranked["by"], 9)) == ([2], 0.1)


def test_points_that_differ_by_little_are_none() -> None:
    assert over([([0.45, 0.5], EVEN)]).outcome(1)["first"] == [1]
    assert over([([1e-12, 2e-12], EVEN)]).outcome(1)["first"] == [1]
    assert over([([1_000_000.0, 1_000_000.5], EVEN)]).outcome(1)["first"] == [1]


@pytest.mark.parametrize("score", [7, [1], [1, None], [1, "2"], ["inf", 1], {"0": 3}, [True, False], "a", [10**400, 1]])
def test_a_score_that_is_not_a_number_of_each_player_makes_no_winner(score: Any) -> None:
    assert over([(score, EVEN)]).outcome(1) is None


def test_who_was_loaded_again_behind_a_round_says_no_winner() -> None:
    """The points of a round that this load has not seen are not to be had."""
    rounds = over([([5, 3], EVEN)])
    assert rounds.outcome(2) is None
    assert rounds.outcome(1) is not None


def test_of_one_player_nobody_is_the_winner() -> None:
    assert over([([5], {0: 1})], players=(0,)).outcome(1) is None


def test_a_game_that_somebody_left_has_no_winner() -> None:
    """Others' points were made in its place: by its default action, or by what plays for it."""
    whole = pair()
    whole.until(done(whole), play=keys)
    assert json.loads(whole.pages[0].bridge.view.hud())["outcome"]["points"]

    two = pair(on_drop="default_action", on_interrupt="default_action", interrupted_after=0.5)
    two.until(lambda: two.pages[1].bridge.session.frame == 20, play=keys)
    stays = two.pages[0]
    stays.channel = CHANNEL_CLOSED
    stays.rtc("channel-closed", None, two.now)
    two.pages[1].socket = False
    told = {
        20: ("player_away", {"player_id": 1, "return_within": 60}),
        40: ("player_gone", {"round": 1, "players": [1]}),
    }
    for count in range(1000):
        if count in told:
            event, data = told[count]
            stays.event(event, {"game_id": "g1", **data}, two.now)
        two.now += PERIOD
        two.carry_out(stays, stays.bridge.poll(two.now, keys(count)[0], stays.write_inbox()))
        if stays.bridge.advance(two.now) & FLAG_OUTBOX:
            two.carry_out(stays, stays.bridge.outbox_length())
    assert stays.bridge.session.reason == "complete"
    assert json.loads(stays.bridge.view.hud())["outcome"] is None
