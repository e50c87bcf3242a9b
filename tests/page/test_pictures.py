"""What people see in the real page: pictures and the line above them, looked up in the renderer and on the canvas.

After every picture that the page has drawn, the environment in that page is asked what must stand there in its state
of that moment, and the renderer's objects, or the pixels, are compared with it. The environment sends some things
only once, so whatever is lost in a rollback or between two episodes stays lost and is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import page_records
import page_rig
import pytest
from page_tricks import tricks
from page_verdict import judged

pytestmark = pytest.mark.page

Start = Callable[..., page_rig.Study]
FRAMES = 90
GAME = {"episodes": 2, "max_steps": FRAMES}
WIDTH, HEIGHT = 600, 400


SHIMMERING = """
class Shimmering(RewindableArena):
    def render(self):
        random.random()
        return super().render()

env = Shimmering(render="rgb")
"""


def misdrawn(sample: dict[str, Any]) -> list[str]:
    """Where the renderer's objects are not those of the environment's picture."""
    seen, meant = sample["objects"], {item["uuid"]: item for item in sample["shown"]["objects"]}
    found = [f"{name} is missing" for name in meant if name not in seen]
    found += [f"{name} is still there" for name in seen if name not in meant]
    for name in meant.keys() & seen.keys():
        item, drawn = meant[name], seen[name]
        if "x" in item and (abs(drawn["x"] - item["x"] * WIDTH) > 0.01 or abs(drawn["y"] - item["y"] * HEIGHT) > 0.01):
            place = item["x"] * WIDTH, item["y"] * HEIGHT
            found.append(f"{name} is at {drawn['x'], drawn['y']} instead of {place}")
        if item["object_type"] in ("rect", "circle") and drawn["color"] != item["color"]:
            found.append(f"{name} is {drawn['color']} instead of {item['color']}")
        if item["object_type"] == "text" and drawn["text"] != item["text"]:
            found.append(f"{name} says {drawn['text']!r} instead of {item['text']!r}")
    return [f"episode {sample['episode']}, frame {sample['frame']}: {text}" for text in found]


def lines(sample: dict[str, Any], me: int, carried: float, episodes: int) -> set[str]:
    """What may stand above the picture: round, own score so far, time left. At a half the order of a sum decides."""
    score = carried + sample["shown"]["scores"][me]
    left = (FRAMES - sample["shown"]["t"]) / 30
    points = {f"{int((score + 0.5 + by) // 1)}".rjust(2, "0") for by in (-1e-9, 1e-9)}
    return {f"Round: {sample['episode'] + 1}/{episodes} | Score: {each} | Time left: {left:05.1f}s" for each in points}


@pytest.mark.parametrize(
    ("render", "carry"),
    [
        pytest.param("objects", True, id="objects, some of them sent only in frame 0; the score is carried over"),
        pytest.param("mug", False, id="changes only; the score begins anew", marks=pytest.mark.long),
    ],
)
def test_every_picture_is_the_environments_after_rollbacks_too(start: Start, render: str, carry: bool) -> None:
    """The renderer's objects and the line above are those of the state shown; redone frames are not drawn. A seventh of
    the datagrams is lost in each direction, and guesses are that the others go on as they did."""
    study = start(options={"render": render, "coins": 8}, carry_over=carry, population="previous_submitted_action")
    people = study.join("ann", "bob", prepare=tricks)
    for number, who in enumerate(people):
        who.network(40, 0.15)
        who.play(900 + number)
    for who in people:
        who.playing()
    study.finish(*people, seconds=180)
    tables = judged(study, *people)
    assert all(page_records.active(table) for table in tables[0])
    for who, own in zip(people, tables, strict=True):
        samples = who.page.evaluate("window.tricks.samples")
        assert {sample["episode"] for sample in samples} == {0, 1}
        assert all(sum(sample["episode"] == number for sample in samples) > 10 for number in range(2))
        assert any(table.rollbacks() for table in own)
        wrong = [text for sample in samples for text in misdrawn(sample)]
        assert wrong == []
        names = {name for sample in samples for name in sample["objects"]}
        assert {"field", "middle", "scores", "coin-7", "player-1"} <= names
        if render == "mug":
            lamps = ["lamp" in sample["objects"] for sample in samples]
            assert any(lamps)
            assert not all(lamps)
        me = who.assigned["player_id"]
        carried = [0.0, sum(own[0].column(f"rewards.{me}")) if carry else 0.0]
        hud = [(sample["hud"], lines(sample, me, carried[sample["episode"]], 2)) for sample in samples]
        assert [(seen, meant) for seen, meant in hud if seen not in meant] == []
        # A picture for each call that had something new, and one for each beginning.
        steps = [entry for entry in who.log if entry.get("stepped")]
        renders = who.page.evaluate("window.game.pyodide.runPython('env.renders')")
        assert abs(renders - len(steps) - 2) <= 2


@pytest.mark.long  # in every run: without a browser
def test_pictures_of_pixels_are_really_on_the_canvas(start: Start, tmp_path: Path) -> None:
    """Every cell of the environment's RGB picture has its color on the page's canvas. What drawing it takes from the
    global generator is not missing there: the game is the one that nobody draws."""
    study = start(options={"render": "rgb"}, binding=SHIMMERING, episodes=1)
    people = study.join("ann", "bob", prepare=tricks)
    for number, who in enumerate(people):
        # Longer than a page may be behind the other: who is has nothing to guess.
        who.network(80)
        who.play(950 + number)
        who.page.evaluate("window.tricks.every = 5")
    people[0].wait("window.game.frameNumber > 40", 30, "the game goes on")
    people[0].page.screenshot(path=tmp_path / "rgb.png")
    study.finish(*people)
    tables = judged(study, *people)
    for who, own in zip(people, tables, strict=True):
        assert own[0].rollbacks()
        samples = who.page.evaluate("window.tricks.samples")
        assert len(samples) >= 3
        for sample in samples:
            meant = [
                "#" + "".join(f"{part:02x}" for part in pixel) for row in sample["shown"]["image"] for pixel in row
            ]
            assert len(set(meant)) > 3
            assert sample["pixels"] == meant, f"frame {sample['frame']}"
