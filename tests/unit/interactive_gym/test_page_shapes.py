"""What crosses to the page: pictures of every kind, observations as float32, results by agent."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from page_support import Table, metadata

from pycore.interactive_gym.shapes import flat_observations, packet, pairs
from pycore.session.tick import RESIMULATED


def test_objects_and_deltas_and_nothing_are_told_apart() -> None:
    """A list of objects, the Surface's dictionary, no picture at all, no render() at all."""
    ball = {"uuid": "ball"}
    assert packet([ball]) == ({"objects": [ball], "removed": []}, b"")
    assert packet(()) == ({"objects": [], "removed": []}, b"")
    delta = {"game_state_objects": [ball], "removed": ["net"]}
    assert packet(delta) == ({"objects": [ball], "removed": ["net"]}, b"")
    assert packet({"game_state_objects": []}) == ({"objects": [], "removed": []}, b"")
    assert packet(None) == ({"objects": None}, b"")


def test_rgb_pictures_cross_line_by_line_without_their_alpha() -> None:
    """Width first; three bytes per pixel, whether it is lists or an array."""
    lines = [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]], [[13, 14, 15], [16, 17, 18]]]
    found, data = packet(lines)
    assert (found, data) == ({"objects": None, "image": [2, 3]}, bytes(range(1, 19)))
    with_alpha = [[[*pixel, 255] for pixel in line] for line in lines]
    assert packet(with_alpha)[1] == bytes(range(1, 19))
    numpy = pytest.importorskip("numpy")
    for of in (lines, with_alpha):
        assert packet(numpy.array(of, dtype=numpy.uint8)) == (found, data)


def test_grey_pictures_cross_as_rgb() -> None:
    """One value to a pixel, or two with the transparency, as lists or an array: no three times as many pixels."""
    lines = [[0, 1], [2, 3], [4, 5]]
    expected = {"objects": None, "image": [2, 3]}, bytes(value for value in range(6) for _ in range(3))
    assert packet(lines) == expected
    assert packet([[[value] for value in line] for line in lines]) == expected
    assert packet([[(value, 255) for value in line] for line in lines]) == expected
    numpy = pytest.importorskip("numpy")
    grey = numpy.arange(6, dtype=numpy.uint8).reshape(3, 2)
    assert packet(grey) == packet(grey[:, :, None]) == expected
    assert packet(numpy.stack([grey, numpy.full_like(grey, 255)], axis=2)) == expected
    assert packet([list(line) for line in grey]) == packet([list(line) for line in grey[:, :, None]]) == expected
    colours = numpy.arange(18, dtype=numpy.uint8).reshape(3, 2, 3)
    assert packet([list(line) for line in colours]) == packet(colours)


def test_observations_are_flat_float32_one_behind_the_other() -> None:
    """Lists nested as they like, dictionaries by key, numbers; what is no numbers has no length."""
    shapes, data = flat_observations(
        {0: [1, [2.5, (3,)]], "1": {"x": 4, "y": [5, 6]}, "left": 7, "b": ["text"], "n": None}
    )
    assert shapes == [[0, 3], [1, [["x", 1], ["y", 2]]], ["left", 1], ["b", 0], ["n", 0]]
    assert struct.unpack("=7f", data) == (1, 2.5, 3, 4, 5, 6, 7)
    assert flat_observations({0: [10**400, 1]}) == ([[0, 0]], b"")
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(6, dtype=numpy.float64).reshape(2, 3)
    shapes, data = flat_observations({0: array, 1: array.astype(numpy.int32)[:, ::2], 2: numpy.array(["a"])})
    assert shapes == [[0, 6], [1, 4], [2, 0]]
    assert struct.unpack("=10f", data) == (0, 1, 2, 3, 4, 5, 0, 2, 3, 5)


def test_ids_that_look_like_numbers_are_numbers() -> None:
    """As in the environment: JSON's keys are texts, a Map's need not be."""
    assert pairs({"0": 1, 1: 2, "left": 3, "-1": 4, "007": 5, "²": 6}) == [
        [0, 1], [1, 2], ["left", 3], [-1, 4], ["007", 5], ["²", 6],
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("picture", ["objects", "rgb", "mug"])
def test_what_is_shown_is_the_environments_picture_of_that_frame(picture: str) -> None:
    """Every step and every reset, through rollbacks; the deltas of a Surface add up to what is there."""
    scene = metadata(num_episodes=2, max_steps=50)
    table = Table(scene, env={"render": picture}, loss=0.1, delay=0.06, jitter=0.02)
    side = table[1]
    corrected = 0
    screen: dict[str, Any] = {}
    shown = 0
    while not side.over:
        table.tick()
        corrected += bool(side.flags & RESIMULATED)
        new = side.shown[shown:]
        shown = len(side.shown)
        if len(side.resets) == 2 and screen.get("episode") != 1:
            screen.clear()
            screen["episode"] = 1
            _draw(screen, side.resets[1]["picture"])
        elif len(side.resets) == 1 and "episode" not in screen:
            screen["episode"] = 0
            _draw(screen, side.resets[0]["picture"])
        for result in new:
            if picture == "rgb":
                assert result["picture"] == {"objects": None, "image": [24, 16]}
                continue
            _draw(screen, result["picture"], replace=picture == "objects")
        if new and picture == "rgb":
            assert side.call("image") == bytes(c for line in side.env._image() for pixel in line for c in pixel[:3])
        elif new:
            moving = {item["uuid"]: item for item in side.env._moving(picture == "mug")}
            field = {item["uuid"]: item for item in side.env._field()}
            objects = {name: item for name, item in screen.items() if name != "episode"}
            objects.pop("lamp", None)
            assert objects == {**field, **moving}
            if picture == "mug":
                assert ("lamp" in screen) == bool(side.env.taken % 2)
    assert corrected > 5
    assert shown > 95


def _draw(screen: dict[str, Any], shown: dict[str, Any], replace: bool = False) -> None:
    """As the page draws: what is not permanent goes with the next picture, unless it is there again."""
    if replace:
        for name in [n for n, item in screen.items() if n != "episode" and not item["permanent"]]:
            del screen[name]
    for item in shown["objects"] or ():
        screen[item["uuid"]] = item
    for name in shown.get("removed") or ():
        screen.pop(name, None)


@pytest.mark.slow
def test_objects_glide_after_a_rollback_for_as_long_as_the_scene_says() -> None:
    """Exactly the pictures behind a re-simulation; 100 ms where a scene of 0.1.3 says nothing, not at all for None."""
    scene = metadata(num_episodes=1)
    unsaid = {name: value for name, value in scene.items() if name != "rollback_smoothing_duration"}
    for each, expected in ((unsaid, 100), ({**scene, "rollback_smoothing_duration": 250}, 250), (scene, None)):
        table = Table(each, delay=0.08)
        found: dict[bool, set[Any]] = {False: set(), True: set()}
        side = table[1]
        while not side.over:
            count = len(side.shown)
            table.tick()
            for result in side.shown[count:]:
                for item in result["picture"]["objects"]:
                    corrected = bool(side.flags & RESIMULATED)
                    found[corrected].add(item["tween_duration"] if item.get("tween") else None)
        assert found == {False: {None}, True: {expected}}


def test_results_of_a_step_say_all_that_the_page_reads() -> None:
    """Rewards, ends, infos as pairs; actions, totals, the HUD's line, the number of the frame."""
    table = Table(metadata(num_episodes=1)).playing(20)
    result = table[0].shown[-1]
    assert set(result) == {
        "observations", "observed", "rewards", "terminateds", "truncateds", "infos", "actions", "cumulative", "hud",
        "step", "picture",
    }  # fmt: skip
    assert result["step"] == table[0].session.frame == 20
    assert result["actions"].keys() == result["cumulative"].keys() == {"0", "1"}
    assert [pair[0] for pair in result["rewards"]] == [0, 1]
    assert json.loads(json.dumps(table[0].resets[0]))["rewards"] == []
    assert table[0].resets[0]["infos"] == []
    assert table[0].resets[0]["step"] == 0


def test_a_result_that_nobody_sees_has_no_picture_and_all_else() -> None:
    """Of a hidden page: its bots observe, and nothing is drawn for it."""
    mapping = {"0": "human", "1": "human", "2": "model.onnx"}
    side = Table(metadata(num_episodes=1, policy_mapping=mapping)).playing(20)[0]
    seen = side.call("step_result")
    side.env.render = None
    unseen = side.call("step_result", False)
    assert unseen["picture"] == {"objects": []}
    assert {**unseen, "picture": None} == {**seen, "picture": None}
    assert seen["picture"]["objects"]


def test_observations_cross_where_the_page_has_bots_and_nowhere_else() -> None:
    """The page reads them for its bots only; a page that logs still gets the agents' names for its headings."""
    table = Table(metadata(num_episodes=1)).playing(20)
    result = table[0].shown[-1]
    assert (result["observations"], result["observed"]) == ([[0, 0], [1, 0]], 0)
    assert table[0].call("observations") == b""
    mapping = {"0": "human", "1": "human", "2": "model.onnx"}
    for side in Table(metadata(num_episodes=1, policy_mapping=mapping)).playing(20).sides:
        result = side.shown[-1]
        assert result["observations"][:2] == [[0, 7], [1, 7]]
        seen = side.call("observations")
        assert len(seen) == result["observed"] == 4 * sum(size for _, size in result["observations"])
        values = struct.unpack(f"={len(seen) // 4}f", seen)
        assert list(values[:6]) == [value for pair in zip(side.env.xs, side.env.ys, strict=True) for value in pair]
        assert values[6] == 20
