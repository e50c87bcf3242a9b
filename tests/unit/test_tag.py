"""The example game for a group: the same on every Python, fit for rollback, and worth playing."""

from __future__ import annotations

import ast
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycore.audit.running import audit
from pycore.envs import ParallelEnvAdapter
from pycore.rehearsal import Game
from pycore.rehearsal.partners import try_policies
from pycore.site import Study

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SOURCE = EXAMPLES / "tag.py"
game: dict[str, Any] = {"__name__": "tag"}
exec(compile(SOURCE.read_text("utf-8"), str(SOURCE), "exec"), game)  # as the page does
Tag, PX, PLAY = game["Tag"], game["PX"], game["PLAY"]
COUNTS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight"}

players = st.integers(2, 8)
seeds = st.integers(0, 2**32 - 1)


def held(seed: int) -> Iterator[int]:
    """A scripted player: each value is held for 3 to 12 frames."""
    rnd = random.Random(seed)
    while True:
        action = rnd.randrange(9)
        for _ in range(rnd.randint(3, 12)):
            yield action


def playing(many: int = 3, catcher: int = 0, seed: int = 0) -> Any:
    """A game in which everybody may run, with no star in reach."""
    env = Tag(many)
    env.reset(seed=seed)
    env.s.update(phase=PLAY, timer=1000, catcher=catcher, spot=[0], age=[0])
    return env


def put(env: Any, *places: tuple[int, int]) -> None:
    """Everybody stands there, in pixels."""
    env.s.update(x=[x * PX for x, _ in places], y=[y * PX for _, y in places])


# --- the rules ---


def test_who_is_touched_is_the_catcher_and_gives_up_two_stars() -> None:
    """The nearest one in reach; rewards, stars and the standing still belong together."""
    env = playing()
    put(env, (300, 150), (325, 150), (320, 150))
    env.s["stars"] = [0, 5, 5]
    _, rewards, *_ = env.step({})
    assert rewards == {0: 2, 1: 0, 2: -2}
    assert env.s["stars"] == [2, 5, 3]
    assert env.s["catcher"] == 2
    assert env.s["catches"] == [1, 0, 0]
    assert env.s["still"] == [0, 0, 45]


@pytest.mark.parametrize(("held_stars", "taken"), [(0, 0), (1, 1), (2, 2), (3, 2)])
def test_nobody_gives_up_more_stars_than_there_are(held_stars: int, taken: int) -> None:
    """Points never fall below zero, and never come out of nothing."""
    env = playing(2)
    put(env, (300, 150), (310, 150))
    env.s["stars"] = [1, held_stars]
    _, rewards, *_ = env.step({})
    assert env.s["stars"] == [1 + taken, held_stars - taken]
    assert rewards == {0: taken, 1: -taken}


def test_thirty_pixels_are_a_touch_no_more() -> None:
    """Two bodies of 15 pixels that only just do not overlap have not touched."""
    for apart, catcher in ((30, 0), (29, 1)):
        env = playing(2)
        put(env, (300, 150), (300 + apart, 150))
        env.step({})
        assert env.s["catcher"] == catcher


def test_a_new_catcher_stands_still_for_a_second_and_a_half_and_catches_nobody_meanwhile() -> None:
    """So the one who was quicker gets away: 45 frames without a step, then one that counts."""
    env = playing(2)
    put(env, (300, 150), (310, 150))
    env.step({})
    for _ in range(45):
        assert env.s["catcher"] == 1
        env.step({1: 2})
        assert env.s["x"][1] == 310 * PX
    env.step({1: 2})
    assert env.s["x"][1] > 310 * PX


def test_a_star_is_a_point_and_grows_anew_elsewhere() -> None:
    """Its place is taken by another one, which is ripe a second later."""
    env = playing()
    env.s.update(spot=[2], age=[30])
    x, y = game["SPOTS"][2]
    put(env, (40, 300), (x, y), (560, 300))
    _, rewards, *_, infos = env.step({})
    assert rewards == {0: 0, 1: 1, 2: 0}
    assert infos[2] == {"score": [0, 1, 0], "catcher": 0}
    assert env.s["spot"] != [2]
    # Once it is ripe it is picked by whoever stands there, one frame later.
    for _ in range(29):
        put(env, (40, 300), game["SPOTS"][env.s["spot"][0]], (560, 300))
        assert env.step({})[1][1] == 0
    put(env, (40, 300), game["SPOTS"][env.s["spot"][0]], (560, 300))
    env.step({})
    put(env, (40, 300), game["SPOTS"][env.s["spot"][0]], (560, 300))
    assert env.s["stars"][1] == 2


def test_the_catcher_picks_no_stars() -> None:
    """Catching is the only way to points for whoever catches."""
    env = playing(catcher=1)
    env.s.update(spot=[2], age=[30])
    put(env, (40, 300), game["SPOTS"][2], (560, 300))
    env.step({})
    assert env.s["stars"] == [0, 0, 0]
    assert env.s["spot"] == [2]


def test_the_catcher_is_quicker_and_nobody_is_quicker_at_a_slant() -> None:
    """Pixels after ten frames of running: the same way, straight or at a slant."""
    ran = {}
    for seat, action in ((0, 2), (1, 2), (1, 8)):
        env = playing(2)
        put(env, (40, 76), (40, 290))
        for _ in range(10):
            x, y = env.s["x"][seat], env.s["y"][seat]
            env.step({seat: action})
        ran[seat, action] = (env.s["x"][seat] - x, env.s["y"][seat] - y)
    assert ran[0, 2] == (1040, 0)
    assert ran[1, 2] == (900, 0)
    assert ran[1, 8] == (636, 636)  # 900 * 181 // 256; a whole 900 in its way is 636.4 in each


def test_nobody_runs_before_the_start_and_a_game_takes_its_minute() -> None:
    """75 frames of counting, 1,800 of playing, 75 to see who won; then it is over for all, and stays so."""
    env = Tag(4)
    env.reset(seed=1)
    start = env.get_state()
    for _ in range(75):
        env.step(dict.fromkeys(range(4), 2))
    assert (env.s["x"], env.s["phase"]) == (start["x"], PLAY)
    env.step(dict.fromkeys(range(4), 2))
    assert env.s["x"] != start["x"]
    frames = 76
    while env.agents:
        *_, terminations, truncations, _ = env.step({})
        frames += 1
        assert set(terminations.values()) == {not env.agents}
        assert set(truncations.values()) == {False}
    assert frames == 75 + 1800 + 75
    end = env.get_state()
    assert env.step({0: 1}) == ({}, {}, {}, {}, {})
    assert env.get_state() == end


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(players, seeds, seeds)
def test_everybody_stays_in_the_garden_and_out_of_hedges_and_pond(many: int, seed: int, script: int) -> None:
    """And all that is in a state is whole numbers; stars are apart from each other; points are those of the rewards."""
    env = Tag(many)
    env.reset(seed=seed)
    env.s["timer"] = 1
    hands = [held(script + seat) for seat in range(many)]
    total = [0] * many
    for _ in range(250):
        _, rewards, *_ = env.step({seat: next(hand) for seat, hand in enumerate(hands)})
        total = [points + rewards[seat] for seat, points in enumerate(total)]
        s = env.s
        assert s["stars"] == total
        assert min(total) >= 0
        assert len(set(s["spot"])) == many + 1
        for value in s.values():
            assert all(type(item) is int for item in (value if type(value) is list else [value]))
        for x, y in zip(s["x"], s["y"], strict=True):
            assert game["LEFT"] <= x <= game["RIGHT"]
            assert game["TOP"] <= y <= game["BOTTOM"]
            for left, top, wide, tall in game["THINGS"]:
                girth = game["GIRTH"]
                inside = left * PX - girth < x < (left + wide) * PX + girth
                assert not (inside and top * PX - girth < y < (top + tall) * PX + girth)


@pytest.mark.parametrize("action", [-1, 9, None, "left", 1.0, True, [1]])
def test_an_action_that_is_none_does_nothing(action: Any) -> None:
    """A default of any kind, or rubbish, is no reason to fail, and no peer takes it otherwise."""
    one, other = playing(seed=5), playing(seed=5)
    for env, move in ((one, action), (other, 0)):
        env.step({0: move, 1: 2})
        env.step({1: 2})
    assert one.get_state() == other.get_state()


def test_it_is_made_for_two_to_eight() -> None:
    """One function for each number, which a command can name; one or nine are refused."""
    for many, word in COUNTS.items():
        env = game[f"for_{word}"]()
        env.reset(seed=0)
        assert env.agents == list(range(many))
        assert len({(x, y) for x, y in zip(env.s["x"], env.s["y"], strict=True)}) == many
        seats = env.metadata["seats"]
        assert len({seat["name"] for seat in seats}) == len({seat["color"] for seat in seats}) == many
    assert game["make_env"]().players == 3
    for many in (1, 9):
        with pytest.raises(ValueError, match="2 to 8 players"):
            Tag(many)


def test_its_study_is_one_that_can_be_served() -> None:
    """Every action but nothing has its key, and no game is cut off before it shows who won."""
    study = Study.read(EXAMPLES / "tag.json")
    assert study.action_mapping is not None
    assert sorted(study.action_mapping.values()) == list(range(1, 9))
    found = Game.of(f"{SOURCE}:for_eight", study.settings)
    assert found.seats == 8
    assert found.settings["action_space"] == {"type": "discrete", "n": 9}
    assert found.played().max_steps >= 75 + 1800 + 75


# --- fit for rollback ---


@pytest.mark.slow
@pytest.mark.parametrize("many", [3, 8])
def test_it_passes_the_check_for_rollback(many: int) -> None:
    """Through the adapter, with real inputs, without generators to look after."""
    env = Tag(many, seconds=5)
    adapter = ParallelEnvAdapter(env, list(range(many)), seed=0)
    hands = [held(seat) for seat in range(many)]
    adapter.check(script=[[next(hand) for hand in hands] for _ in range(200)])
    adapter.reset(0)
    first = adapter.canonical(adapter.save())
    adapter.reset(1)
    assert adapter.canonical(adapter.save()) != first
    assert adapter.render()


@pytest.mark.slow
def test_the_audit_finds_it_fit() -> None:
    """The whole audit, with children in other processes, in a game that is short enough to come to its end."""
    report = audit(f"{SOURCE}:for_four", frames=400)
    assert report.fit
    assert [finding.code for finding in report.sorted if finding.harm not in ("risk", "note")] == []


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(players, seeds, st.integers(0, 200), st.lists(st.integers(0, 8), min_size=1, max_size=40))
def test_a_state_that_went_through_json_plays_on_as_it_did(many: int, seed: int, skip: int, moves: list[int]) -> None:
    """get_state is JSON, exact and complete, whichever object it is loaded into, and not live."""
    env = Tag(many)
    env.reset(seed=seed)
    hands = [held(seed + seat) for seat in range(many)]
    for _ in range(skip):
        env.step({seat: next(hand) for seat, hand in enumerate(hands)})
    state = env.get_state()
    text = json.dumps(state)

    def play(target: Any) -> list[Any]:
        return [
            (target.step({seat: (move + seat) % 9 for seat in range(many)}), target.get_state(), target.render())
            for move in moves
        ]

    first = play(env)
    assert json.dumps(state) == text
    other = Tag(many)
    other.reset(seed=seed ^ 1)
    other.set_state(json.loads(text))
    assert play(other) == first


def test_looking_changes_nothing() -> None:
    """render is pure, and what it returns is not live."""
    env = playing(4)
    hands = [held(seat) for seat in range(4)]
    for _ in range(100):
        state = env.get_state()
        shown = json.dumps(env.render())
        env.render()[0].clear()
        env.get_state()["x"].clear()
        assert env.get_state() == state
        assert json.dumps(env.render()) == shown
        env.step({seat: next(hand) for seat, hand in enumerate(hands)})


def test_seeds_make_different_games() -> None:
    """Who catches first, and where stars grow; 0 is a seed like any other, and one seed gives one game."""
    starts = []
    for seed in (*range(40), 0):
        env = Tag(4)
        env.reset(seed=seed)
        starts.append((env.s["catcher"], tuple(env.s["spot"])))
    assert {catcher for catcher, _ in starts} == {0, 1, 2, 3}
    assert len(set(starts)) > 30
    assert starts[-1] == starts[0]


def test_only_exact_arithmetic_is_used() -> None:
    """Nothing is imported, and the rules hold no division into floats."""
    tree = ast.parse(SOURCE.read_text("utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    drawing = {"render", "_draw_player", "_draw_board", "_star", "_polygon", "_backdrop", "_tenth", "_place"}
    rules = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name not in drawing]
    assert {"step", "_move", "_bump", "_catch", "_pick", "_free_spot", "_random"} <= {node.name for node in rules}
    for rule in rules:
        for node in ast.walk(rule):
            assert not isinstance(node, ast.Div), rule.name
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), rule.name


# --- worth playing ---


@pytest.mark.slow
def test_the_partner_plays_and_is_fit_to_be_computed_by_every_page() -> None:
    """Policies for all but one seat: they catch, they pick, and they do the same twice."""
    policies = {str(seat): "tag_partner.py" for seat in (1, 2, 3)}
    found = Game.of(f"{SOURCE}:for_four", {"policies": policies})
    played = found.played()
    assert found.people == [0]
    try_policies(found, played, [0, 0, 0, 0])
    env = Tag(4)
    seen, _ = env.reset(seed=2)
    partners = found.policies()
    while env.agents:
        acts = {}
        for seat, partner in partners.items():
            outlook = type("Outlook", (), {"observation": seen[seat], "seat": seat})()
            acts[seat] = partner.act(outlook, env.s["frame"], random.Random(f"{seat} {env.s['frame']}"))
        seen, *_ = env.step(acts)
    assert sum(env.s["catches"]) >= 3
    assert sum(env.s["stars"]) >= 10


@pytest.mark.slow
def test_scripted_players_pick_and_catch_in_small_and_large_groups() -> None:
    """Rehearsals with random inputs have something to show."""
    for many in (2, 4, 8):
        stars = catches = 0
        for seed in range(3):
            env = Tag(many)
            env.reset(seed=seed)
            hands = [held(100 * seed + seat) for seat in range(many)]
            while env.agents:
                env.step({seat: next(hand) for seat, hand in enumerate(hands)})
            stars += sum(env.s["stars"])
            catches += sum(env.s["catches"])
        assert stars >= 2
        assert catches >= (1 if many > 2 else 0)


# --- the picture ---

KEYS = {
    "rectangle": {"x", "y", "w", "h", "color", "radius"},
    "circle": {"x", "y", "radius", "color"},
    "polygon": {"points", "color"},
    "text": {"x", "y", "text", "size", "color", "align"},
}
OPTIONAL = {"stroke", "tween", "width"}


@pytest.mark.slow
def test_what_is_drawn_keeps_to_the_contract() -> None:
    """Known types with exactly their keys, colours as #rrggbb or #rrggbbaa, one object per uuid, in the world."""
    seen, said = set(), set()
    for many in (2, 8):
        env = Tag(many, seconds=4)
        env.reset(seed=0)
        hands = [held(seat) for seat in range(many)]
        while env.agents:
            shown = env.render()
            assert json.loads(json.dumps(shown)) == shown
            names = [item["uuid"] for item in shown]
            assert len(names) == len(set(names))
            assert any(item.get("permanent") for item in shown) == (env.s["frame"] == 0)
            for item in shown:
                kind = item["object_type"]
                seen.add(kind)
                assert KEYS[kind] <= set(item)
                assert set(item) - KEYS[kind] - {"uuid", "object_type", "depth", "permanent"} <= OPTIONAL
                for name in ("color", "stroke"):
                    assert name not in item or re.fullmatch("#[0-9a-f]{6}([0-9a-f]{2})?", item[name])
                places = item.get("points") or [[item["x"], item["y"]]]
                assert all(-60 <= number <= 660 for place in places for number in place)
                assert all(item[name] > 0 for name in ("w", "h", "radius", "size") if name in item and name != "radius")
            said |= {item["text"] for item in shown if item["uuid"] == "note"}
            env.step({seat: next(hand) for seat, hand in enumerate(hands)})
    assert seen == set(KEYS)
    assert any(text.endswith("is the catcher") for text in said)
    assert any(text.endswith(("wins!", "draw", "A draw!")) for text in said)


def test_the_catcher_is_seen_at_a_glance() -> None:
    """One ring, around whoever catches, and it moves on with a catch."""
    env = playing()
    put(env, (300, 150), (310, 150), (500, 300))
    for catcher in (0, 1):
        rings = [item["uuid"] for item in env.render() if item["uuid"].endswith(".ring")]
        assert rings == [f"player{catcher}.ring"]
        env.step({})
