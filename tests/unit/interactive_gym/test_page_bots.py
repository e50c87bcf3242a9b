"""Agents that nobody plays: alike on every peer, whatever the network does, and as the page's scene wants them."""

from __future__ import annotations

from typing import Any

import pytest
from page_support import SEED, Table, metadata, shared, with_own

from pycore.interactive_gym.bots import Cast
from pycore.interactive_gym.generations import MUG
from pycore.interactive_gym.scene import Scene

WITH_RANDOM = {"0": "human", "1": "human", "2": "random"}
WITH_MODEL = {"0": "human", "1": "human", "2": "model.onnx"}


def cast(players: list[int | str], seed: int = SEED, **values: Any) -> Cast:
    """The cast of a scene."""
    return Cast(Scene(metadata(**values), players, MUG), players, seed)


@pytest.mark.parametrize(("method", "held"), [("previous_submitted_action", True), ("default_action", False)])
def test_random_bots_act_on_every_fourth_frame(method: str, held: bool) -> None:
    """frame_skip: between its beats a bot repeats itself or plays the default, as the scene says."""
    of = cast([0, 1], policy_mapping=WITH_RANDOM, frame_skip=4, action_population_method=method)
    played = [of.spread([9, 9], 0, frame)[2] for frame in range(400)]
    beats = played[::4]
    assert set(beats) == {1, 2, 3, 4}
    assert all(beats.count(action) > 10 for action in (1, 2, 3, 4))
    for frame, action in enumerate(played):
        assert action == (beats[frame // 4] if held or frame % 4 == 0 else 0)


def test_what_a_random_bot_plays_depends_on_seed_episode_and_agent_and_on_nothing_else() -> None:
    """The same on every peer and after every rollback; other episodes and other bots are other games."""
    both = {**WITH_RANDOM, "3": "random"}
    rows = {
        (seed, episode): [
            tuple(cast([0, 1], seed, policy_mapping=both, frame_skip=1).spread([0, 0], episode, frame)[2:])
            for frame in range(64)
        ]
        for seed in (1, 2)
        for episode in (0, 1)
    }
    assert len({tuple(row) for row in rows.values()}) == 4
    assert [row[0] for row in rows[1, 0]] != [row[1] for row in rows[1, 0]]
    # Known values: another Python, another release or another platform must not play another game.
    assert [row[0] for row in rows[1, 0]][:12] == KNOWN


KNOWN = [2, 2, 4, 1, 4, 1, 4, 1, 3, 4, 1, 4]


@pytest.mark.parametrize(
    ("method", "frame_skip"),
    [
        ("previous_submitted_action", 1),
        ("default_action", 4),
        pytest.param("default_action", 1, marks=pytest.mark.slow),
        pytest.param("previous_submitted_action", 4, marks=pytest.mark.slow),
    ],
)
def test_a_game_with_a_random_bot_is_equal_on_a_bad_network(method: str, frame_skip: int) -> None:
    """Rollbacks play the same bot again; its actions are those of the pure function, and never a guess."""
    scene = metadata(policy_mapping=WITH_RANDOM, action_population_method=method, frame_skip=frame_skip)
    table = Table(scene, loss=0.15, delay=0.06, jitter=0.03).play()
    assert sum(side.session.timeline.rollbacks for side in table.sides) > 10
    for episode in (0, 1):
        data = table[0].episodes[episode]
        assert shared(data) == shared(table[1].episodes[episode])
        expected = [table[0].bridge.cast.spread([0, 0], episode, frame)[2] for frame in range(60)]
        assert data["actions"]["2"] == expected
        assert data["wasSpeculative"]["2"] == [False] * 60
        assert len(set(data["actions"]["0"])) > 2
    assert table[0].call("multiplayer_metrics")["validation"]["totalDesyncs"] == 0


@pytest.mark.slow
def test_the_pages_bots_ride_with_the_lowest_seat_and_nobody_else_is_asked() -> None:
    """What the page answers there is played everywhere, and counts as one input of that seat."""
    table = Table(metadata(policy_mapping=WITH_MODEL), loss=0.15, delay=0.05)
    assert table[0].agents == [0, "2"]
    assert table[1].agents == [1]
    table.play()
    for episode in (0, 1):
        data = table[0].episodes[episode]
        assert shared(data) == shared(table[1].episodes[episode])
        assert len(set(data["actions"]["2"])) == 5
        # A guess of the seat is a guess of its bot.
        there = table[1].episodes[episode]["wasSpeculative"]
        assert there["2"] == there["0"]
        assert any(there["2"])
        assert data["wasSpeculative"]["2"] == [False] * 60
    delivery = table[0].call("multiplayer_metrics")["inputDelivery"]
    assert delivery["sentViaP2P"] + delivery["sentViaSocketIO"] == 120
    listed = table[0].call("multiplayer_metrics")["validation"]["allActions"]
    assert {each["playerId"] for each in listed} == {"0", "1"}
    assert all(type(each["action"]) is int for each in listed)


@pytest.mark.slow
def test_what_the_pages_bot_was_asked_for_is_what_it_plays() -> None:
    """Frame by frame, with the player's own action beside, also where the page has no answer yet."""
    table = Table(metadata(policy_mapping=WITH_MODEL, num_episodes=1, default_action=3))
    asked: list[Any] = []

    def bot(tick: int, _name: str) -> Any:
        asked.append(None if tick % 3 else tick % 5)
        return asked[-1]

    table[0].bots = bot
    table.playing(1)
    first = len(asked)
    table.play()
    played = table[1].episodes[0]["actions"]["2"]
    expected = [3 if action is None else action for action in asked]
    assert any(played == expected[at : at + 60] for at in range(max(0, first - 3), first + 3))


@pytest.mark.parametrize("default", [[0, 0], [1, [2]], None])
def test_a_default_action_that_is_a_list_is_no_list_of_the_bots(default: Any) -> None:
    """A guess of the lowest seat is its default action, of whatever shape, and that of every bot."""
    of = cast([0, 1], policy_mapping=WITH_MODEL, default_action=default, action_mapping={"a": [5, 6]})
    meant = 0 if default is None else default
    assert of.spread([meant, [5, 6]], 0, 0) == [meant, [5, 6], meant]
    assert of.spread([[[5, 6], [7, 8]], meant], 0, 0) == [[5, 6], meant, [7, 8]]


def test_a_seat_of_the_scene_may_have_a_default_action_of_its_own() -> None:
    """Its player's when the page has none, hides, or says nothing; that of the page's bots stays the scene's."""
    seats = [{"default_action": [7, 7]}, {"default_action": 4}]
    scene = with_own(metadata(policy_mapping=WITH_MODEL, num_episodes=1, default_action=3, input_delay=2), seats=seats)
    table = Table(scene)
    for side in table.sides:
        side.play = lambda tick: None
        side.bots = lambda tick, bot: None
    table.playing(10)
    table[1].hidden = True
    table.play()
    played = table[0].episodes[0]["actions"]
    assert played == table[1].episodes[0]["actions"]
    assert [played[agent] for agent in ("0", "1", "2")] == [[[7, 7]] * 60, [4] * 60, [3] * 60]
    for side in table.sides:
        default = [[7, 7], 4][side.seat]
        assert side.bridge._unattended("") == side.bridge.action("null") == default
    assert table[0].bridge.action("[null, null]") == [[7, 7], 3]


def test_one_person_beside_bots_plays_alone() -> None:
    """No link, no server, no validation: the page's game for one, in which the bots are the core's or the page's."""
    for policy in ("random", "model.onnx"):
        scene = metadata(policy_mapping={"0": "human", "1": policy})
        table = Table(scene, (0,)).play()
        assert table[0].finished is False
        assert {episode: len(data["t"]) for episode, data in table[0].episodes.items()} == {0: 60, 1: 60}
        assert not any(event.startswith("p2p_validation") for _, event, _ in table[0].emitted)
        assert set(table[0].episodes[0]["actions"]) == {"0", "1"}
        assert set(table[0].episodes[0]["wasSpeculative"]["0"]) == {False}
        assert len(set(table[0].episodes[0]["actions"]["1"])) > 2
        metrics = table[0].call("multiplayer_metrics")
        assert (metrics["peerPlayerId"], metrics["connection"]["p2pConnected"]) == (None, False)
        assert metrics["validation"]["episodes"][0]["verifiedFrame"] == 59


@pytest.mark.slow
def test_bots_of_pycores_words_play_beside_those_of_the_page() -> None:
    """`pycore = {"bots": …}` for an agent that the page's mapping leaves out."""
    scene = with_own(metadata(policy_mapping={"0": "human", "1": "human"}), bots={"2": "random"})
    table = Table(scene, env={"agents": [0, 1, 2]}).play()
    assert shared(table[0].episodes[1]) == shared(table[1].episodes[1])
    assert set(table[0].episodes[0]["actions"]) == {"0", "1", "2"}
