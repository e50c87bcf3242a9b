"""`pycore replay --html` and `--frames`: every frame as it was, or nothing."""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import experienced_support
import pytest
from click.testing import CliRunner, Result
from optional import needs_playwright
from records_support import changed, forgotten, stored  # noqa: F401

from pycore.cli import cli
from pycore.film import viewer
from pycore.film.pictures import png_of
from pycore.records import Trajectory, trajectory_text
from pycore.testing import Conditions

DRAWN = """
import numpy
from pycore.envs.pictures import drawable
from pycore.testing import Walk
SETTINGS = {"max_steps": 50, "num_episodes": 2, "hash_interval": 20, "action_space": {"type": "discrete", "n": 6}}
SKY = {"uuid": "sky", "object_type": "rectangle", "x": 0, "y": 0, "w": 600, "h": 400, "permanent": True}
class Objects(Walk):
    def reset(self, episode):
        super().reset(episode)
        self.episode, self.at = episode, 0
    def step(self, actions):
        self.at += 1
        return super().step(actions)
    def render(self):
        sky = [{**SKY, "color": ["#0000ff", "#00ffff"][self.episode]}] if self.at == 0 else []
        text = {"uuid": "text", "object_type": "text", "text": "</script>", "x": 0, "y": 0}
        ghost = {"uuid": "ghost", "object_type": "circle", "x": float("nan"), "y": 0, "radius": 5}
        box = {"uuid": "box", "object_type": "rectangle", "x": 10 * self.at, "y": 100, "w": 10, "h": 10}
        return [*sky, text, ghost, {**box, "color": "#f00"}]
class Boxes(Objects):
    def render(self):
        return [item for item in super().render() if item["object_type"] == "rectangle"]
class Arrays(Objects):
    def render(self):
        picture = numpy.zeros((3, 60, 3), numpy.uint8)
        picture[1, self.at] = (255, 128, self.episode)
        return drawable(picture)
class Both(Arrays):
    def render(self):
        return [*super().render(), {"uuid": "box", "object_type": "rectangle", "x": 0, "y": 0, "w": 9, "h": 9}]
class Nothing(Objects):
    def render(self):
        return None
def make_env():
    return Objects(2, seed=4)
def make_boxes():
    return Boxes(2, seed=4)
def make_arrays():
    return Arrays(2, seed=4)
def make_both():
    return Both(2, seed=4)
def make_nothing():
    return Nothing(2, seed=4)
"""
"""What was played, and draws where it is: after frame F of an episode it is at F + 1."""


def run(*arguments: str | Path) -> Result:
    """The command's outcome."""
    return CliRunner().invoke(cli, ["replay", *map(str, arguments)])


@pytest.fixture
def game(tmp_path: Path) -> Path:
    """The files of a game, and an environment that draws."""
    folder = stored(tmp_path / "game")
    (folder / "drawn.py").write_text(DRAWN)
    return folder


def film(page: Path) -> dict[str, Any]:
    """What a page has in it."""
    (text,) = re.findall(r'<script type="application/json" id="record">(.*?)</script>', page.read_text("utf-8"), re.S)
    found: dict[str, Any] = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    return found


def filmed(game: Path, make: str, *arguments: str | Path) -> dict[str, Any]:
    """The page of a replay that went well."""
    page = game.parent / "replay.html"
    result = run(game / "trajectory-0.jsonl", "--env", f"{game / 'drawn.py'}:{make}", "--html", page, *arguments)
    assert result.exit_code == 0, result.output
    return film(page)


def pixels(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and rows of a PNG whose rows are unfiltered."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, data, width, height = 8, b"", 0, 0
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length)[0] == zlib.crc32(kind + body)
        if kind == b"IHDR":
            width, height = struct.unpack_from(">II", body)
        data += body if kind == b"IDAT" else b""
        at += 12 + length
    rows = zlib.decompress(data)
    step = len(rows) // height
    assert all(rows[row * step] == 0 for row in range(height))
    return width, height, [rows[row * step + 1 : (row + 1) * step] for row in range(height)]


def test_every_frame_has_its_picture_and_numbers(game: Path) -> None:
    """In the order of the record; what lasts for an episode comes with its first picture."""
    found = filmed(game, "make_env")
    lines = [json.loads(line) for line in (game / "trajectory-0.jsonl").read_text().splitlines()]
    rows = [line for line in lines if "frame" in line]
    assert len(found["shots"]) == len(rows) == 100
    total = {"0": 0, "1": 0}
    for shot, row in zip(found["shots"], rows, strict=True):
        total = {player: total[player] + row["rewards"][player] for player in total}
        assert (shot["episode"], shot["frame"], shot["actions"]) == (row["episode"], row["frame"], row["actions"])
        assert shot["rewards"] == total
        names = [item["uuid"] for item in shot["picture"]["objects"]]
        told = shot["picture"]["objects"].pop()
        assert told["text"] == "render() returned an object 'ghost' whose x is nan"
        assert names == [*(["sky"] if row["frame"] == 0 else []), "text", "box", told["uuid"]]
        assert shot["picture"]["reset"] == (row["frame"] == 0)
        assert shot["picture"]["objects"][-1]["x"] == 10 * (row["frame"] + 1)
    assert found["shots"][50]["picture"]["objects"][0]["color"] == "#00ffff"
    assert (found["players"], found["fps"], found["note"]) == (["0", "1"], 30, "")


def test_the_page_asks_nobody_for_anything(game: Path) -> None:
    """Its modules and pictures are in it."""
    filmed(game, "make_env")
    text = (game.parent / "replay.html").read_text("utf-8")
    addresses = re.findall(r"(?:src|href)=\"([^\"]*)\"|from '([^']*)'", text)
    assert addresses
    assert all("".join(found).startswith("data:") for found in addresses)
    assert "https://" not in text


def test_a_record_without_a_range_is_shown_up_to_a_limit(game: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it is verified; the page and the command say what is not shown, and how it can be."""
    monkeypatch.setattr(viewer, "MOST_FRAMES", 30)
    page = game.parent / "replay.html"
    words = (game / "trajectory-0.jsonl", "--env", game / "drawn.py", "--html", page)
    result = run(*words)
    assert "100 frames, 6 hashes" in result.output
    assert "30 frames shown" in result.output
    assert "70 more are not: name a range with --episode" in result.output
    found = film(page)
    assert [shot["frame"] for shot in found["shots"]] == list(range(30))
    assert found["note"].startswith("70 more frames are not on this page")
    assert run(*words, "--episode", 1, "--from", 5, "--to", 44).exit_code == 0
    found = film(page)
    assert [(shot["episode"], shot["frame"]) for shot in found["shots"]] == [(1, frame) for frame in range(5, 45)]
    assert found["shots"][0]["picture"]["objects"][0]["uuid"] == "sky"
    assert found["shots"][0]["rewards"] == film_rewards(game, 1, 5)


def film_rewards(game: Path, episode: int, frame: int) -> dict[str, Any]:
    """Rewards up to a frame, from the record."""
    total = {"0": 0, "1": 0}
    for line in map(json.loads, (game / "trajectory-0.jsonl").read_text().splitlines()):
        if "frame" in line and (line["episode"], line["frame"]) <= (episode, frame):
            total = {player: total[player] + line["rewards"][player] for player in total}
    return total


def test_pictures_that_take_too_much_room_are_left_out(game: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a range was named: a browser has to hold them."""
    monkeypatch.setattr(viewer, "MOST_BYTES", 4000)
    found = filmed(game, "make_env", "--episode", 0)
    assert 5 < len(found["shots"]) < 20
    assert found["note"].startswith(f"{50 - len(found['shots'])} more frames")


def test_arrays_are_pictures_by_the_pixel_without_a_browser(game: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One PNG for each frame, the same as in the page."""
    monkeypatch.setenv("PYCORE_CHROMIUM", str(game / "none"))
    out = game.parent / "frames"
    found = filmed(game, "make_arrays", "--frames", out, "--episode", 1, "--from", 3, "--to", 6)
    names = sorted(path.name for path in out.iterdir())
    assert names == [f"episode-1-frame-{frame:06}.png" for frame in range(3, 7)]
    for frame in range(3, 7):
        data = (out / f"episode-1-frame-{frame:06}.png").read_bytes()
        width, height, rows = pixels(data)
        assert (width, height) == (60, 3)
        expected = bytearray(180)
        expected[3 * (frame + 1) : 3 * (frame + 1) + 3] = (255, 128, 1)
        assert rows == [bytes(180), bytes(expected), bytes(180)]
        assert found["shots"][frame - 3]["picture"] == viewer.DATA + base64.b64encode(data).decode()


@pytest.mark.parametrize("channels", [3, 4])
def test_pixels_become_png(channels: int) -> None:
    """With and without transparency."""
    data = bytes(range(6 * channels))
    width, height, rows = pixels(png_of(3, 2, channels, data))
    assert (width, height) == (3, 2)
    assert b"".join(rows) == data


def test_pixels_among_objects_are_drawn_with_them(game: Path) -> None:
    """Their bytes stand in the page."""
    found = filmed(game, "make_both")
    picture, box = found["shots"][3]["picture"]["objects"]
    assert (picture["object_type"], picture["columns"], picture["rows"], picture["channels"]) == ("pixels", 60, 3, 3)
    data = base64.b64decode(picture["pixels"])
    assert data.index(b"\xff\x80\0") == 3 * (60 + 4)
    assert box["uuid"] == "box"


def test_an_environment_that_draws_nothing_is_told(game: Path) -> None:
    """The page has its numbers."""
    result = run(game / "trajectory-0.jsonl", "--env", f"{game / 'drawn.py'}:make_nothing", "--html", game / "p.html")
    assert "no pictures: the environment's render()" in result.output
    assert [shot["picture"] for shot in film(game / "p.html")["shots"]] == [None] * 100


def test_what_is_not_true_leaves_no_page_and_no_pictures(game: Path) -> None:
    """Status 1; a page that was there stays as it was."""
    file = game / "trajectory-0.jsonl"
    file.write_text(changed(file.read_text(), 90, lambda value: value["rewards"].update({"1": 77})))
    page, out, lines = game.parent / "page.html", game.parent / "frames", game.parent / "lines.jsonl"
    page.write_text("<!doctype html>old")
    words = ("--html", page, "--frames", out, "--out", lines)
    result = run(file, "--env", f"{game / 'drawn.py'}:make_arrays", *words)
    assert result.exit_code == 1, result.output
    assert "frames shown" not in result.output
    assert page.read_text() == "<!doctype html>old"
    assert sorted(path.name for path in game.parent.iterdir()) == ["game", "page.html"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--experienced", "x"], "--experienced is shown on the page of --html"),
        (["--chromium", "x"], "--chromium draws the pictures of --frames"),
        (["--frames", "{}"], "give a new or an empty folder"),
        (["--html", "{}/none/page.html"], "cannot write to"),
        (["--html", "{}/p.html", "--pyodide", "{}"], "--pyodide verifies, and writes nothing"),
        (["--pyodide", "{}"], "has no pyodide.mjs"),
    ],
)
def test_a_mistake_in_the_call_is_told_with_the_way_out(game: Path, words: list[str], message: str) -> None:
    """Status 2."""
    before = sorted(game.parent.rglob("*"))
    result = run(
        game / "trajectory-0.jsonl", "--env", game / "drawn.py", *(word.format(game) for word in words)
    )  # fmt: skip
    assert result.exit_code == 2, result.output
    assert message in result.output.replace("\n", " ")
    assert sorted(path for path in game.parent.rglob("*") if "__pycache__" not in str(path)) == before


@needs_playwright
def test_without_a_browser_the_command_says_what_is_missing(game: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written."""
    monkeypatch.setenv("PYCORE_CHROMIUM", str(game / "none"))
    out = game.parent / "frames"
    result = run(game / "trajectory-0.jsonl", "--env", game / "drawn.py", "--frames", out)
    assert result.exit_code == 2
    assert "is not a browser that starts" in result.output.replace("\n", " ")
    assert sorted(path.name for path in game.parent.iterdir()) == ["game"]


def test_the_page_has_what_a_participant_saw_of_each_frame(tmp_path: Path) -> None:
    """The actions of its pictures, with guesses and their corrections; the last time they are the confirmed ones."""
    kept = Trajectory()

    def watched(mesh: Any) -> None:
        mesh.peers[0].session.add_sink(kept)

    mesh, recorder = experienced_support.run(Conditions(delay=0.08, loss=0.1), script=watched, fps=30, max_steps=50)
    (tmp_path / "trajectory-0.jsonl").write_text(trajectory_text(mesh.peers[0].session, kept))
    (tmp_path / "experienced-0.jsonl").write_text(recorder.text(0))
    (tmp_path / "settings.json").write_text(
        json.dumps({**experienced_support.SETTINGS, "fps": 30, "max_steps": 50})
    )  # fmt: skip
    (tmp_path / "drawn.py").write_text(DRAWN)
    words = [tmp_path / "trajectory-0.jsonl", "--env", tmp_path / "drawn.py", "--settings", tmp_path / "settings.json"]
    words += ["--html", tmp_path / "page.html", "--experienced", tmp_path / "experienced-0.jsonl"]
    result = run(*words)
    assert result.exit_code == 0, result.output
    found = film(tmp_path / "page.html")
    assert found["seenBy"] == "0"
    lines = [json.loads(line) for line in recorder.text(0).splitlines()]
    displayed = [line for line in lines if "shown" in line]
    told: dict[tuple[int, int], list[Any]] = {}
    for line in displayed:
        told.setdefault((line["episode"], line["frame"]), []).append((line["shown"], line.get("predicted", [])))
    assert len(found["shots"]) == 100
    wrong = 0
    for shot in found["shots"]:
        seen = shot["seen"]
        assert [(each["shown"], each["guessed"]) for each in seen] == told[shot["episode"], shot["frame"]]
        for each in seen:
            if each["shown"] != shot["actions"]:
                wrong += 1
                assert each["guessed"]
                assert each["corrected"]
    assert wrong > 10
    assert run(*words, "--episode", 1, "--from", 20, "--to", 22).exit_code == 0
    few = film(tmp_path / "page.html")["shots"]
    assert [shot["seen"] for shot in few] == [shot["seen"] for shot in found["shots"][70:73]]
    (tmp_path / "experienced-0.jsonl").write_text(recorder.text(0).replace('"game_id":"mesh"', '"game_id":"other"'))
    result = run(*words)
    assert result.exit_code == 2
    assert "is of game other, not of mesh" in result.output.replace("\n", " ")
