"""What an environment draws in the terms of the interactive_gym page, and the pictures that its sprites show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from pycore.bridge.view import Pictures
from pycore.envs.pictures import drawable, in_page_terms, undrawable
from pycore.errors import ConfigError
from pycore.film.pictures import png_of
from pycore.site.building import build
from pycore.site.images import images_of
from pycore.site.study import Study

BALL = {"uuid": "ball", "object_type": "circle", "x": 0.5, "y": 0.5, "radius": 0.1, "tween_duration": 0}


def test_the_surface_of_that_page_is_known_by_its_dictionary_and_lists_by_what_only_it_has() -> None:
    """What is gone is told before what is new, since it may have come again."""
    shown = {"game_state_objects": [BALL], "removed": ["net"]}
    marked = {**BALL, "terms": "interactive_gym"}
    assert drawable(shown) == [{"uuid": "net", "object_type": "removed"}, marked]
    assert drawable([BALL]) == [marked]
    assert drawable([{"uuid": "a", "object_type": "rect"}]) == [
        {"uuid": "a", "object_type": "rect", "terms": "interactive_gym"}
    ]
    assert drawable({"game_state_objects": None}) == []
    assert undrawable(shown) is None
    ours = [{"uuid": "a", "object_type": "rectangle", "x": 300, "y": 200, "w": 1, "h": 1}]
    assert drawable(ours) is ours
    for other in (ours, [], None, {"objects": []}, 3):
        assert in_page_terms(other) is None
    assert "a dict" in str(undrawable({"objects": []}))


class Changing:
    """Gives what lasts when it is new or has changed, and never again."""

    def __init__(self) -> None:
        self.at, self.told = 0, -1

    def render(self) -> list[Any] | None:
        wall = {"uuid": "wall", "object_type": "rect", "permanent": True}
        box = {"uuid": "box", "object_type": "rect", "permanent": True, "x": self.at}
        objects = [wall] * (self.told < 0) + [box] * (self.told != self.at)
        self.told = self.at
        return drawable({"game_state_objects": objects})


def test_what_lasts_is_there_from_the_first_picture_on_whatever_frame_that_shows() -> None:
    """And as it is then, not as it was in frame 0."""
    game = Changing()
    pictures = Pictures(game)
    pictures.begin()
    game.at = 3
    first = json.loads(pictures.render())
    assert first["reset"] is True
    assert [(item["uuid"], item.get("x")) for item in first["objects"]] == [("wall", None), ("box", 3)]
    assert json.loads(pictures.render()) == {"objects": [], "reset": False}


SMOOTH = {"smooth_corrections": 0.4}


def files(folder: Path) -> None:
    (folder / "ball.png").write_bytes(png_of(1, 1, 3, b"abc"))
    frame = {"frame": {"x": 1, "y": 2, "w": 3, "h": 4}}
    (folder / "hash.json").write_text(json.dumps({"frames": {"a": frame}}))
    marked = json.dumps({"frames": [{"filename": "b", **frame}]})
    (folder / "list.json").write_text(marked, "utf-8-sig")  # as some editors do
    several = [{"image": "ball.png", "frames": [{"filename": "c", **frame}]}]
    (folder / "several.json").write_text(json.dumps({"textures": several}))
    (folder / "rotated.json").write_text(json.dumps({"frames": {"a": {**frame, "rotated": True}}}))
    (folder / "empty.json").write_text("{}")


@pytest.mark.slow
def test_a_study_preloads_what_the_interactive_gym_page_would(tmp_path: Path) -> None:
    """In its words, relative to the study's file; a file that two of them show is there once."""
    files(tmp_path)
    specs = [
        {"object_type": "img_spec", "name": "ball", "img_path": "ball.png"},
        {"object_type": "spritesheet", "name": "sheet", "img_path": "ball.png", "frame_width": 8, "frame_height": 4},
        {"object_type": "atlas_spec", "name": "hash", "img_path": "ball.png", "atlas_path": "hash.json"},
        {"object_type": "atlas_spec", "name": "list", "img_path": "ball.png", "atlas_path": "list.json"},
        {"object_type": "multi_atlas_spec", "name": "several", "img_path": ".", "atlas_path": "several.json"},
    ]
    (tmp_path / "study.json").write_text(json.dumps({"assets_to_preload": specs, "world": [500, 250], **SMOOTH}))
    study = Study.read(tmp_path / "study.json")
    site = build(tmp_path / "site", study=study)
    manifest = json.loads((site / "manifest.json").read_text())
    src = "images/0-ball.png"
    assert manifest["world"] == [500, 250]
    assert manifest.items() >= SMOOTH.items()
    assert manifest["images"] == {
        "ball": {"src": src}, "sheet": {"src": src, "size": [8, 4]},
        "hash": {"src": src, "frames": {"a": [1, 2, 3, 4]}}, "list": {"src": src, "frames": {"b": [1, 2, 3, 4]}},
        "several": {"src": src, "frames": {"c": [1, 2, 3, 4]}, "files": {"c": src}},
    }  # fmt: skip
    assert (site / src).read_bytes() == (tmp_path / "ball.png").read_bytes()
    assert [path.name for path in (site / "images").iterdir()] == ["0-ball.png"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"object_type": "image"}, "'image'; .*img_spec"),
        ({"object_type": "img_spec", "img_path": "ball.png"}, "has no name"),
        ({"object_type": "img_spec", "name": "ball"}, "'ball' has no img_path"),
        ({"object_type": "img_spec", "name": "ball", "img_path": "bal.png"}, "is not there: .*bal.png"),
        ({"object_type": "img_spec", "name": "db", "img_path": "hash.json"}, "must be one of .*png"),
        (
            {"object_type": "spritesheet", "name": "s", "img_path": "ball.png", "frame_width": 1.5, "frame_height": 1},
            "1.5 as frame_width",
        ),
        ({"object_type": "atlas_spec", "name": "s", "img_path": "ball.png", "atlas_path": "no.json"}, "cannot be read"),
        ({"object_type": "atlas_spec", "name": "s", "img_path": "ball.png", "atlas_path": "empty.json"}, "no frames"),
        ({"object_type": "atlas_spec", "name": "s", "img_path": "ball.png", "atlas_path": "rotated.json"}, "rotated"),
        ({"object_type": "img_spec", "name": "ball", "img_path": 5}, "5 as img_path; it must be a path"),
        ({"object_type": "multi_atlas_spec", "name": "s", "img_path": ".", "atlas_path": "empty.json"}, "no textures"),
    ],
)
def test_what_cannot_be_preloaded_is_refused_by_name(
    spec: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=said):
        images_of([spec])


@pytest.mark.parametrize(
    ("atlas", "said"),
    [
        ({"frames": [5]}, "has no frames"),
        ({"frames": {"a": 5}}, "'a' has no place: 5"),
        ({"textures": {"a": 1}}, "has no textures"),
        ({"textures": [5]}, "a texture has no image"),
        ({"textures": [{"frames": {}}]}, "a texture has no image"),
    ],
)
def test_an_atlas_that_is_none_is_refused_by_name(atlas: dict[str, Any], said: str, tmp_path: Path) -> None:
    (tmp_path / "ball.png").write_bytes(b"")
    (tmp_path / "atlas.json").write_text(json.dumps(atlas))
    several = "textures" in atlas
    spec = {
        "object_type": "multi_atlas_spec" if several else "atlas_spec", "name": "ball",
        "img_path": str(tmp_path if several else tmp_path / "ball.png"), "atlas_path": str(tmp_path / "atlas.json"),
    }  # fmt: skip
    with pytest.raises(ConfigError, match=said):
        images_of([spec])


def test_a_file_of_any_name_has_an_address(tmp_path: Path) -> None:
    """Behind a # a browser asks for another file, which is not there."""
    file = tmp_path / "ball #1 100%.png"
    file.write_bytes(b"")
    spec = {"object_type": "img_spec", "img_path": str(file)}
    found = images_of([{**spec, "name": "ball"}, {**spec, "name": "once more"}])
    assert found.files == {f"images/0-{file.name}": file}
    assert {unquote(urlsplit(image["src"]).path) for image in found.manifest.values()} == set(found.files)
