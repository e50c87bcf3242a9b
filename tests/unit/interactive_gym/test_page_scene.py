"""A researcher's scene as settings: every attribute of the page's, and pycore's own words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from page_support import metadata

from pycore.errors import ConfigError
from pycore.interactive_gym.generations import MUG, SEED, Generation, generation
from pycore.interactive_gym.scene import STUN, TURN, Scene, people
from pycore.link.negotiation import ice_configuration
from pycore.settings import Settings

PEOPLE: list[int | str] = [0, 1]


def scene(generation: Generation = MUG, players: list[int | str] = PEOPLE, **values: Any) -> Scene:
    """A scene as the page has it: JSON went over it, so every key is a text."""
    return Scene(json.loads(json.dumps(metadata(**values))), players, generation)


def settings(generation: Generation = MUG, **values: Any) -> Settings:
    """What the core is given for it."""
    return Settings.of(scene(generation, **{"pycore": None, **values}).settings)


def test_the_pages_words_become_the_cores_settings() -> None:
    """Frames per second, delay, length and number of episodes, the scene's name; a float stands for a whole number."""
    of = settings(fps=30, input_delay=3, max_steps=1e4, num_episodes=5, scene_id="court")
    assert (of.fps, of.input_delay, of.max_steps, of.num_episodes, of.environment) == (30, 3, 10_000, 5, "court")
    assert type(of.max_steps) is int
    assert settings(max_steps=1350).max_steps == 1350
    assert of.longest_input_delay == 3
    assert settings(input_delay=3, pycore={"input_delay_max": 5}).longest_input_delay == 5


def test_what_the_page_leaves_out_has_the_pages_defaults() -> None:
    """Not the core's: an input delay of 0, ten frames a second, one episode of ten thousand frames."""
    bare = Scene({"policy_mapping": {"0": "human"}}, [0], SEED)
    of = Settings.of(bare.settings)
    assert (of.fps, of.input_delay, of.num_episodes, of.max_steps, of.default_action) == (10, 0, 1, 10_000, 0)
    assert of.prediction == "repeat_last"
    assert (bare.focus_timeout, bare.reconnection_timeout, bare.pauses_for_hidden) == (0.0, 5.0, False)


@pytest.mark.parametrize(
    ("given", "meant"), [(None, 0), (0, 0), (3, 3), ("stay", "stay"), ([0.0, 1.0], [0.0, 1.0]), (False, 0)]
)
def test_the_default_action_is_the_pages(given: Any, meant: Any) -> None:
    """null is 0, as there; anything else is itself."""
    of = settings(default_action=given)
    assert (of.default_action, type(of.default_action)) == (meant, type(meant))


@pytest.mark.parametrize(
    ("method", "prediction"), [("default_action", "default_action"), ("previous_submitted_action", "repeat_last")]
)
def test_the_population_method_is_the_prediction(method: str, prediction: str) -> None:
    """What is played while an input lacks."""
    assert settings(action_population_method=method).prediction == prediction


@pytest.mark.parametrize(
    ("mapping", "default", "space"),
    [
        ({"a": 1, "b": 2}, None, "discrete"),
        ({"a": 0, "a,b": 255}, 7, "discrete"),
        ({}, None, "discrete"),
        ({"a": 256}, None, "any"),
        ({"a": -1}, None, "any"),
        ({"a": 0.5}, None, "any"),
        ({"a": True}, None, "any"),
        ({"a": "up"}, None, "any"),
        ({"a": [1, 2]}, None, "any"),
        ({"a": 1}, "stay", "any"),
    ],
)
def test_actions_that_are_no_bytes_take_the_space_of_any_action(mapping: Any, default: Any, space: str) -> None:
    """The mapping and the default decide; a truth value is no byte, because it is another action than 1."""
    assert settings(action_mapping=mapping, default_action=default).action_space["type"] == space


def test_milliseconds_of_the_page_are_seconds_here() -> None:
    """Focus and reconnection; what follows from them is when a silent player is given up."""
    of = scene(focus_loss_timeout_ms=12_500, reconnection_timeout_ms=9000, pycore=None)
    assert (of.focus_timeout, of.reconnection_timeout) == (12.5, 9.0)
    assert of.settings["dropped_after"] == 2.0 + 9.0
    assert scene(pycore={"interrupted_after": 1, "dropped_after": 4}).settings["dropped_after"] == 4
    assert scene(pycore={"interrupted_after": 1}).settings["dropped_after"] == 6.0
    assert "dropped_after" not in scene(SEED, pycore=None).settings
    assert scene(focus_loss_timeout_ms=None).focus_timeout == 0.0


def test_the_generations_differ_in_how_a_game_begins_and_ends() -> None:
    """mug wants peer-to-peer within 15 s and shows completion codes; the seed goes on without after 5 s."""
    mug, seed = scene(MUG, pycore=None), scene(SEED, pycore=None)
    assert [each.settings["p2p_wait"] for each in (mug, seed)] == [15.0, 5.0]
    assert [each.settings["p2p_required"] for each in (mug, seed)] == [True, False]
    assert [each.socketio_start for each in (mug, seed)] == [False, True]
    assert [each.shows_code for each in (mug, seed)] == [True, False]
    assert scene(partner_disconnect_show_completion_code=False).shows_code is False
    assert [each.settings["episode_pause"] for each in (mug, seed)] == [3.5, 3.5]
    with pytest.raises(ConfigError, match="'new'; known are seed, mug"):
        generation("new")


def test_pycores_own_words_go_over_the_pages() -> None:
    """Any setting of the core, and the four beside; nothing else is forgotten thereby."""
    of = scene(pycore={"p2p_wait": 7, "window": 12, "socketio_start": True, "fps": 20, "ice_servers": [], "rngs": []})
    assert (of.settings["p2p_wait"], of.settings["window"], of.settings["fps"]) == (7, 12, 20)
    assert of.settings["p2p_required"] is False
    assert of.settings["max_steps"] == 60
    assert (of.ice_servers, of.rngs) == ([], [])
    assert set(of.settings) <= set(Settings.fields)
    assert Settings.of(of.settings).prediction_window == 12
    # Without peer-to-peer at all it cannot be required.
    assert Settings.of(scene(pycore={"p2p": False}).settings).p2p_required is False


def test_the_default_action_of_pycores_words_is_that_of_the_bots_too() -> None:
    """One word, one meaning."""
    of = scene(pycore={"default_action": 4})
    assert of.default_action == of.settings["default_action"] == 4


def test_an_unknown_word_is_refused_with_the_list_of_those_known() -> None:
    """A typing error must not go unseen through a study."""
    with pytest.raises(ConfigError) as refused:
        scene(pycore={"p2p_wiat": 5})
    text = str(refused.value)
    assert "'p2p_wiat'" in text
    for word in ("p2p_wait", "window", "input_delay", "socketio_start", "bots", "ice_servers", "rngs"):
        assert word in text
    with pytest.raises(ConfigError, match="must be a dictionary"):
        scene(pycore=["p2p_wait"])


def test_nobody_plays_on_where_the_pages_server_ends_the_game() -> None:
    """Whatever the study says: nothing would be passed on any more."""
    assert Settings.of(scene(pycore={"on_drop": "end"}).settings).on_drop == "end"
    assert Settings.of(scene().settings).return_within == 0
    with pytest.raises(ConfigError, match="keeps no seat"):
        scene(pycore={"return_within": 60})
    with pytest.raises(ConfigError, match="in this page it is 'end': its server ends the game"):
        scene(pycore={"on_drop": "default_action"})


def test_turn_settings_get_the_addresses_that_they_are_for() -> None:
    """The page's credentials are for one relay; without a user there is none."""
    of = scene()
    turn = of.turn({"username": "u", "credential": "c", "force_relay": True})
    ice = ice_configuration(turn, of.ice_servers)
    assert ice == {
        "iceServers": [*STUN, {"urls": list(TURN), "username": "u", "credential": "c"}],
        "iceTransportPolicy": "relay",
    }
    assert of.turn(None) is None
    assert of.turn({"username": "", "credential": "", "force_relay": False}) is None
    assert of.turn({"username": "u", "urls": ["turn:mine"]})["urls"] == ["turn:mine"]


def test_a_study_with_servers_of_its_own_asks_no_others() -> None:
    """Neither the page's STUN servers nor its relay; that everything has to go by a relay holds for its own too."""
    mine = [{"urls": "turn:campus.example", "username": "a", "credential": "b"}]
    of = scene(pycore={"ice_servers": mine})
    asked = {"username": "u", "credential": "c", "force_relay": True}
    assert ice_configuration(of.turn(asked), of.ice_servers) == {"iceServers": mine, "iceTransportPolicy": "relay"}
    assert ice_configuration(of.turn({**asked, "force_relay": False}), of.ice_servers) == {"iceServers": mine}
    # Where the page's server never says what its settings are (a game with bots), pycore's own word is enough.
    forced = scene(pycore={"ice_servers": mine, "force_relay": True})
    assert ice_configuration(forced.turn(None), mine) == {"iceServers": mine, "iceTransportPolicy": "relay"}
    free = scene(pycore={"force_relay": False})
    assert "iceTransportPolicy" not in ice_configuration(free.turn(asked), free.ice_servers)


def test_the_people_of_a_scene_are_whom_its_policies_call_human() -> None:
    """Ids are of the kind that the server gave, numbers or texts, since the others address them so."""
    mapping = {"0": "human", "2": "random", "1": "human"}
    assert people(metadata(policy_mapping=mapping), 1) == [0, 1]
    assert people(metadata(policy_mapping=mapping), "1") == ["0", "1"]
    assert people(metadata(policy_mapping={"left": "human", "bot": "model.onnx"}), "left") == ["left"]
    with pytest.raises(ConfigError, match="player 2 is nobody whom policy_mapping calls 'human'; there are 0, 1"):
        people(metadata(policy_mapping=mapping), 2)


def test_bots_are_who_is_no_player() -> None:
    """The page's policies and pycore's own, which go over them; ids in the order of the mapping."""
    mapping = {"0": "human", "1": "human", "2": "random", "3": "model.onnx", "4": "heuristic:chaser"}
    of = scene(policy_mapping=mapping)
    assert (of.random_bots, of.page_bots) == (("2",), ("3", "4"))
    over = scene(policy_mapping=mapping, pycore={"bots": {"3": "random"}})
    assert (over.random_bots, over.page_bots) == (("2", "3"), ("4",))
    assert scene(policy_mapping={"0": "human", "1": "human"}, pycore={"bots": {"9": "random"}}).random_bots == ("9",)
    assert scene().random_bots == scene().page_bots == ()


def test_the_pages_bots_need_the_space_of_any_action() -> None:
    """Their actions travel in a list with those of the lowest seat."""
    mapping = {"0": "human", "1": "model.onnx"}
    assert scene(players=[0], policy_mapping=mapping).settings["action_space"] == {"type": "any"}
    with pytest.raises(ConfigError, match="action_space"):
        scene(players=[0], policy_mapping=mapping, pycore={"action_space": {"type": "discrete", "n": 5}})


def test_what_nobody_plays_is_refused() -> None:
    """A person who is not in the game, a policy that is no text, a random bot without actions."""
    with pytest.raises(ConfigError, match="agent 2 has the policy 'human', and nobody plays it"):
        scene(policy_mapping={"0": "human", "1": "human", "2": "human"})
    with pytest.raises(ConfigError, match="agent 2 has the policy None"):
        scene(policy_mapping={"0": "human", "1": "human", "2": None})
    with pytest.raises(ConfigError, match="action_mapping, which is empty"):
        scene(policy_mapping={"0": "human", "1": "human", "2": "random"}, action_mapping={})


def test_odd_values_of_the_page_do_not_fall_over() -> None:
    """Zero and nothing stand for the page's defaults; frame_skip is at least 1."""
    of = scene(fps=None, num_episodes=0, max_steps=None, frame_skip=0, input_delay=None, on_game_step_code=None)
    assert (of.settings["fps"], of.settings["num_episodes"], of.settings["max_steps"]) == (10, 1, 10_000)
    assert (of.frame_skip, of.settings["input_delay"], of.on_step_code) == (1, 0, "")
    assert scene(hud_score_carry_over=True).carries_score is True
    assert scene(pause_on_partner_background=True).pauses_for_hidden is True
