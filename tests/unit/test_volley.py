"""The example game: the same on every Python, fit for rollback, and worth playing."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycore.envs import ParallelEnvAdapter

SOURCE = Path(__file__).resolve().parents[2] / "examples" / "volley.py"
game: dict[str, Any] = {"__name__": "volley"}
exec(compile(SOURCE.read_text("utf-8"), str(SOURCE), "exec"), game)  # as the page does
make_env = game["make_env"]
PX, NET, NET_TOP, SAND, BALL = (game[name] for name in ("PX", "NET", "NET_TOP", "SAND", "BALL"))

actions = st.tuples(st.integers(0, 5), st.integers(0, 5))
seeds = st.integers(0, 2**32 - 1)


def held(seed: int) -> Iterator[int]:
    """A scripted player: each value is held for 3 to 12 frames."""
    rnd = random.Random(seed)
    while True:
        action = rnd.randrange(6)
        for _ in range(rnd.randint(3, 12)):
            yield action


def keen(env: Any, side: int) -> int:
    """A player who runs to where the ball will come down and sends it over."""
    s = env.s
    x, y, vx, vy = s["x"], s["y"], s["vx"], s["vy"]
    me, feet = s[f"x{side}"], s[f"y{side}"]
    for _ in range(90):
        if y > SAND - 60 * PX:
            break
        vy += game["GRAVITY"]
        x, y = x + vx, y + vy
        if x < BALL or x > 600 * PX - BALL:
            vx = -vx
    mine = (x < NET) == (side == 0)
    goal = x + (12 if side else -12) * PX if mine else game["HOME"][side]
    sideways = 2 if goal > me + 6 * PX else 1 if goal < me - 6 * PX else 0
    near = abs(s["x"] - me) < 50 * PX and 0 < feet - s["y"] < 110 * PX and s["vy"] > 0
    return {0: 3, 1: 4, 2: 5}[sideways] if near else sideways


def match(seed: int, left: Any, right: Any, frames: int = 4000) -> tuple[Any, list[tuple[int, Any]]]:
    """Play until it is over: the environment, and (rally, rewards) of every point."""
    env = make_env()
    env.reset(seed=seed)
    points = []
    while env.agents and frames:
        frames -= 1
        rewards = env.step({0: left(env), 1: right(env)})[1]
        if rewards[0]:
            points.append((env.s["rally"], rewards))
    return env, points


def scripted(seed: int) -> Any:
    script = held(seed)
    return lambda env: next(script)


# --- worth playing ---


@pytest.mark.slow
def test_scripted_players_score_hit_and_rally() -> None:
    """Rehearsals with random inputs have something to show: points on both sides, hits, rallies."""
    matches = [match(seed, scripted(seed + 1000), scripted(seed + 2000)) for seed in range(20)]
    frames = [env.s["frame"] for env, _ in matches]
    points = [point for _, points in matches for point in points]
    for env, _ in matches:
        assert env.agents == []
        assert max(env.s["score0"], env.s["score1"]) == 5
    assert min(frames) > 400
    assert max(frames) < 2500
    assert len([1 for rally, _ in points if rally > 0]) > len(points) / 3
    assert len([1 for rally, _ in points if rally > 2]) > 10
    left = len([1 for _, rewards in points if rewards[0] == 1])
    assert 0.35 < left / len(points) < 0.65, "one side is favoured"


def test_good_players_keep_the_ball_up_and_beat_random_ones() -> None:
    """Skill pays, and a long rally is possible."""
    for side in (0, 1):
        players = [lambda env: keen(env, 0), lambda env: keen(env, 1)]
        players[1 - side] = scripted(side + 5)
        env, _ = match(side, *players)
        assert env.s[f"score{side}"] == 5
        assert env.s[f"score{1 - side}"] <= 2
    env, _ = match(3, lambda env: keen(env, 0), lambda env: keen(env, 1), frames=1500)
    assert env.s["best"] >= 10


@pytest.mark.slow
def test_players_who_do_nothing_end_their_match() -> None:
    """No ball ever comes to rest on a head or on the net."""
    for seed in range(10):
        env, points = match(seed, lambda env: 0, lambda env: 0, frames=6000)
        assert env.agents == []
        assert len(points) >= 5


def test_a_rally_speeds_the_ball_up() -> None:
    """The slowest return of a long rally is faster than of a short one."""
    from math import isqrt

    slowest = []
    for rally in (0, 11):
        env = make_env()
        env.reset(seed=1)
        env.s.update(phase=1, rally=rally, x=150 * PX, y=SAND - 54 * PX, vx=0, vy=100)
        env.step({})
        assert env.s["rally"] == rally + 1
        slowest.append(isqrt(env.s["vx"] ** 2 + env.s["vy"] ** 2))
    assert slowest[1] > slowest[0] * 1.1


def test_holding_the_jump_jumps_higher() -> None:
    """A tap is a hop: the timing of the release counts."""
    heights = []
    for hold in (1, 4, 30):
        env = make_env()
        env.reset(seed=0)
        top = SAND
        for frame in range(40):
            env.step({0: 3 if frame < hold else 0})
            top = min(top, env.s["y0"])
        heights.append((SAND - top) // PX)
        assert env.s["y0"] == SAND or hold == 30
    assert heights == sorted(set(heights))
    assert heights[0] > 20
    assert heights[2] > 55


# --- the rules ---


def test_rewards_score_and_end_belong_together() -> None:
    """+1 and -1 on a point, the score in infos, terminations with the fifth point, nothing after it."""
    env = make_env()
    env.reset(seed=0)
    left, right = held(1), held(2)
    total = [0, 0]
    while env.agents:
        _, rewards, terminations, truncations, infos = env.step({0: next(left), 1: next(right)})
        assert sorted(rewards.values()) in ([0, 0], [-1, 1])
        total = [total[0] + (rewards[0] == 1), total[1] + (rewards[1] == 1)]
        assert [infos[0]["score"], infos[1]["score"]] == [total, total]
        assert terminations == {0: not env.agents, 1: not env.agents}
        assert truncations == {0: False, 1: False}
    assert max(total) == 5
    end = env.get_state()
    assert env.step({0: 1, 1: 1}) == ({}, {}, {}, {}, {})
    assert env.get_state() == end


def test_max_steps_truncates() -> None:
    """With a limit of its own the match ends as a truncation."""
    env = game["Volley"](max_steps=3)
    env.reset(seed=0)
    flags = [env.step({})[2:4] for _ in range(3)]
    assert flags[-1] == ({0: False, 1: False}, {0: True, 1: True})
    assert flags[1] == ({0: False, 1: False}, {0: False, 1: False})
    assert env.agents == []


@settings(max_examples=40, deadline=None)
@given(seeds, seeds, st.integers(0, 600))
@pytest.mark.slow
def test_everything_stays_in_its_place(seed: int, script: int, skip: int) -> None:
    """Ball and players stay in the world, nobody and nothing passes through the net, all numbers are ints."""
    env = make_env()
    env.reset(seed=seed)
    left, right = held(script), held(script + 1)
    for _ in range(skip + 200):
        before = env.get_state()
        if not env.agents:
            break
        env.step({0: next(left), 1: next(right)})
        s = env.s
        assert all(type(value) is int for value in s.values())
        assert BALL <= s["x"] <= 600 * PX - BALL
        assert 0 <= s["y"] <= SAND - BALL
        for side in (0, 1):
            low, high = game["REACH"][side]
            assert low <= s[f"x{side}"] <= high
            assert SAND - 90 * PX <= s[f"y{side}"] <= SAND
        if before["phase"] != 0 and s["phase"] != 0 and min(before["y"], s["y"]) > NET_TOP + 8 * PX:
            assert (before["x"] < NET) == (s["x"] < NET), "through the net"
        assert abs(s["vx"]) < 25 * PX
        assert abs(s["vy"]) < 25 * PX


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("place", ["wall", "net"])
def test_a_dome_pushes_the_ball_against_things_not_into_them(side: int, place: str) -> None:
    """Squeezed in a corner, the ball stays in the world and on its side of the net."""
    gap = BALL + game["NET_HALF"]
    edges = {"wall": (BALL, 600 * PX - BALL), "net": (NET - gap, NET + gap)}
    edge = edges[place][side]
    inward = (1 if side == 0 else -1) * (1 if place == "wall" else -1)
    for height in range(0, 50, 5):
        env = make_env()
        env.reset(seed=0)
        dome = edge + inward * 10 * PX
        env.s.update({"phase": 1, "x": edge, "y": SAND - (BALL + height * PX), "vx": -inward * 900, "vy": 600})
        env.s.update({f"x{side}": min(max(dome, game["REACH"][side][0]), game["REACH"][side][1])})
        for _ in range(3):
            env.step({})
            assert (env.s["x"] - edge) * inward >= 0
        assert env.s["rally"] > 0 or height == 0


def test_a_ball_that_drops_on_the_net_falls_off_it() -> None:
    """Nothing balances up there, not even what comes down on the very middle."""
    for offset in (-3, 0, 2):
        env = make_env()
        env.reset(seed=0)
        env.s.update(phase=1, x=NET + offset, y=100 * PX, vx=0, vy=0)
        for _ in range(400):
            env.step({0: 1, 1: 2})
            if env.s["phase"] != 1:
                break
        assert env.s["score0"] + env.s["score1"] == 1


def test_a_match_that_was_over_goes_on_after_its_last_state_is_taken_back() -> None:
    """A provisional end can be revoked: the agents are back, and leave again."""
    env = make_env()
    env.reset(seed=0)
    left, right = held(1), held(2)
    while env.agents:
        before = env.get_state()
        env.step({0: next(left), 1: next(right)})
    after = env.get_state()
    env.set_state(before)
    assert env.agents == [0, 1]
    assert env.step({})[2] == {0: True, 1: True}
    env.set_state(before)
    env.set_state(after)
    assert env.agents == []


@pytest.mark.parametrize("action", [-1, 6, None, "left", 1.0, True, [1]])
def test_an_action_that_is_none_does_nothing(action: Any) -> None:
    """A default of any kind, or rubbish, is no reason to fail, and no peer takes it otherwise."""
    one, other = make_env(), make_env()
    for env, move in ((one, action), (other, 0)):
        env.reset(seed=5)
        env.step({0: move, 1: 2})
        env.step({1: 2})
    assert one.get_state() == other.get_state()


# --- fit for rollback ---


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(seeds, st.lists(actions, max_size=150), st.lists(actions, min_size=1, max_size=60))
def test_a_state_that_went_through_json_plays_on_as_it_did(seed: int, before: Any, after: Any) -> None:
    """get_state is JSON of primitives, exact and complete, whichever object it is loaded into."""
    env = make_env()
    env.reset(seed=seed)
    for a, b in before:
        env.step({0: a, 1: b})
    text = json.dumps(env.get_state())

    def play(target: Any) -> list[Any]:
        return [(target.step({0: a, 1: b}), target.get_state(), target.render()) for a, b in after]

    first = play(env)
    env.set_state(json.loads(text))
    assert json.dumps(env.get_state()) == text
    assert play(env) == first
    other = make_env()
    other.reset(seed=seed ^ 1)
    other.set_state(json.loads(text))
    assert play(other) == first


@pytest.mark.slow
def test_looking_changes_nothing() -> None:
    """render and get_state are pure, what they return is not live, and actions are only read."""
    env = make_env()
    env.reset(seed=9)
    script = held(3)
    for _ in range(200):
        state = env.get_state()
        shown = json.dumps(env.render())
        for item in env.render():
            item.get("points", []).clear()
            item.clear()
        env.get_state().clear()
        assert env.get_state() == state
        assert json.dumps(env.render()) == shown
        move = {0: next(script), 1: 4}
        kept = dict(move)
        env.step(move)
        assert move == kept
        env.set_state(state)
        assert json.dumps(env.render()) == shown
        env.step(move)
        assert state["frame"] == env.s["frame"] - 1


@pytest.mark.slow
def test_it_passes_the_check_for_rollback() -> None:
    """Through the adapter, with real inputs, without generators to look after."""
    adapter = ParallelEnvAdapter(make_env(), [0, 1], seed=0, rngs=())
    left, right = held(1), held(2)
    adapter.check(script=[[next(left), next(right)] for _ in range(300)])
    adapter.reset(0)
    assert adapter.canonical(adapter.save()) != adapter.canonical(_reset(adapter, 1))
    assert adapter.render()


def _reset(adapter: ParallelEnvAdapter, episode: int) -> object:
    adapter.reset(episode)
    return adapter.save()


def test_seeds_make_different_matches() -> None:
    """0 is a seed like any other, and the same seed gives the same match."""

    def serves(seed: int | None) -> str:
        env, _ = match(seed, lambda env: 0, lambda env: 0)  # type: ignore[arg-type]
        return json.dumps(env.get_state())

    assert len({serves(seed) for seed in range(8)}) == 8
    assert serves(0) == serves(0)


def test_only_exact_arithmetic_is_used() -> None:
    """Nothing is imported but an integer square root, and the rules hold no division into floats."""
    tree = ast.parse(SOURCE.read_text("utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert [[alias.name for alias in node.names] for node in imports] == [["isqrt"]]
    drawing = {"render", "_draw_player", "_draw_score", "_px", "_look"}
    rules = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name not in drawing]
    assert {"step", "_fly", "_hit", "_net", "_roll", "_move", "_random"} <= {node.name for node in rules}
    for rule in rules:
        for node in ast.walk(rule):
            assert not isinstance(node, ast.Div), rule.name
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), rule.name


DIGEST_SCRIPT = """
import hashlib, sys
game = {"__name__": "volley"}
exec(compile(open(sys.argv[1], encoding="utf-8").read(), sys.argv[1], "exec"), game)
env = game["make_env"]()
digest, number, episode, points = hashlib.blake2b(digest_size=16), 1, 0, 0
env.reset(seed=episode)
for frame in range(2000):
    if not env.agents:
        episode += 1
        env.reset(seed=episode)
    if frame % 5 == 0:
        number = (number * 6364136223846793005 + 1442695040888963407) % 2**64
    _, rewards, *_ = env.step({0: (number >> 40) % 6, 1: (number >> 52) % 6})
    points += rewards[0] != 0
    digest.update(repr((sorted(env.get_state().items()), env.render())).encode())
print(digest.hexdigest(), points, episode)
"""


def _digest(python: str, *options: str) -> list[str]:
    command = [python, *options, "-c", DIGEST_SCRIPT, str(SOURCE)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout.split()


def _interpreter(version: str) -> str | None:
    """A Python of this version: on the PATH, or under pyenv's root."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = sorted(root.glob(f"{version}.*/bin/python")) if root.is_dir() else []
    for candidate in [shutil.which(f"python{version}"), *map(str, found)]:
        if candidate is None:
            continue
        # pyenv's shims stand on the PATH for versions that are not active.
        asked = subprocess.run([candidate, "-V"], capture_output=True, text=True, timeout=60, check=False)
        if asked.returncode == 0 and asked.stdout.startswith(f"Python {version}."):
            return candidate
    return None


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_every_python_plays_the_same_match(version: str) -> None:
    """2,000 frames, state and picture of each, give one digest; the hash seed does not matter."""
    python = _interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} on the PATH or under pyenv's root")
    ours = _digest(sys.executable, "-I")
    assert int(ours[1]) >= 5, "hardly anything happened in these frames"
    assert int(ours[2]) >= 1, "no match was played to its end"
    assert _digest(python, "-I") == ours
    assert len(ours[0]) == hashlib.blake2b(digest_size=16).digest_size * 2


# --- the picture ---

KEYS = {
    "rectangle": {"x", "y", "w", "h", "color"},
    "circle": {"x", "y", "radius", "color"},
    "line": {"points", "color", "width"},
    "polygon": {"points", "color"},
    "text": {"x", "y", "text", "size", "color", "align"},
}
OPTIONAL = {"stroke", "tween", "radius"}


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _numbers(item)
    else:
        yield value


@pytest.mark.slow
def test_what_is_drawn_keeps_to_the_contract() -> None:
    """Known types with exactly their keys, colours as #rrggbb or #rrggbbaa, one object per uuid, plain JSON."""
    env, seen = make_env(), set()
    env.reset(seed=0)
    left, right = held(7), held(8)
    while env.agents:
        shown = env.render()
        assert json.loads(json.dumps(shown)) == shown
        names = [item["uuid"] for item in shown]
        assert len(names) == len(set(names))
        for item in shown:
            kind = item["object_type"]
            seen.add(kind)
            extra = set(item) - KEYS[kind] - {"uuid", "object_type", "depth", "permanent"}
            assert KEYS[kind] <= set(item)
            assert extra <= OPTIONAL
            for name in ("color", "stroke"):
                assert name not in item or re.fullmatch("#[0-9a-f]{6}([0-9a-f]{2})?", item[name])
            places = item.get("points") or [[item["x"], item["y"]]]
            assert all(-120 <= number <= 720 for number in _numbers(places))
            sizes = [item[name] for name in ("w", "h", "width", "size") if name in item]
            assert all(number > 0 for number in sizes)
            assert kind != "circle" or item["radius"] > 0
            # What says only what is so anyway would be sent for nothing.
            assert (item.get("permanent", True), item.get("tween", True), type(item["depth"])) == (True, True, int)
        assert len(shown) < 120
        env.step({0: next(left), 1: next(right)})
    assert seen == set(KEYS)
    gains = [item for item in env.render() if item.get("text") == "+1"]
    assert [item["x"] for item in gains] == [env.s[f"x{env.s['winner']}"] / 256]


def test_what_never_moves_is_drawn_on_frame_0_only() -> None:
    """Permanent objects come once per episode; everything else comes on every frame."""
    env = make_env()
    for seed in (0, 1):
        env.reset(seed=seed)
        first = env.render()
        backdrop = {item["uuid"] for item in first if item.get("permanent")}
        assert {"sea", "sand", "net.post"} <= backdrop
        assert {"ball", "player0", "player1", "score0"} <= {item["uuid"] for item in first} - backdrop
        for _ in range(100):
            env.step({0: 5, 1: 4})
            shown = env.render()
            assert not any(item.get("permanent") for item in shown)
            assert not backdrop & {item["uuid"] for item in shown}


def test_a_point_that_was_made_covers_an_empty_one() -> None:
    """The empty ones are drawn once; those that were made come with every picture, as large, in their places."""
    env = make_env()
    env.reset(seed=0)
    empty = {item["uuid"]: item for item in env.render() if item["uuid"].startswith("point")}
    assert len(empty) == 2 * env.points
    env.s.update(frame=1, score0=2, score1=5)
    made = {item["uuid"]: item for item in env.render() if item["uuid"].startswith("made")}
    assert sorted(made) == ["made0.0", "made0.1", *(f"made1.{k}" for k in range(5))]
    for name, item in made.items():
        under = empty[name.replace("made", "point")]
        assert all(item[field] == under[field] for field in ("x", "y", "radius", "depth", "stroke"))
        assert len(item["color"]) == len("#rrggbb"), "what is under it shines through"


def test_eyes_follow_the_ball() -> None:
    """A pupil sits on the side of the eye where the ball is."""
    env = make_env()
    env.reset(seed=0)
    for x, y in ((30, 60), (570, 60), (30, 330), (570, 330)):
        env.s.update(x=x * PX, y=y * PX, phase=1, frame=50)
        items = {item["uuid"]: item for item in env.render()}
        for side in (0, 1):
            eye, pupil = items[f"player{side}.eye"], items[f"player{side}.pupil"]
            assert (pupil["x"] > eye["x"]) == (x > eye["x"])
            assert (pupil["y"] > eye["y"]) == (y > eye["y"])
