"""The pictures that a study's sprites show: what the interactive_gym page calls `assets_to_preload`, in its own words.

One picture (`img_spec`), a sheet of frames of one size (`spritesheet`), an atlas of named frames with its file of
places (`atlas_spec`), or several such files in one (`multi_atlas_spec`). The places of an atlas go into the manifest;
its files lie in the site's folder `images`, where whoever plays may have them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from pycore.errors import ConfigError, nearest

__all__ = ["FOLDER", "Images", "images_of", "placed"]

FOLDER: Final = "images"
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "img_spec": ("img_path",),
    "spritesheet": ("img_path", "frame_width", "frame_height"),
    "atlas_spec": ("img_path", "atlas_path"),
    "multi_atlas_spec": ("img_path", "atlas_path"),
}
"""What each needs beside its name. The `img_path` of a multi-atlas is a folder."""
PATHS: Final = ("img_path", "atlas_path")
KINDS: Final = frozenset((".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".svg", ".bmp"))


class Images(NamedTuple):
    """Of a site."""

    manifest: dict[str, dict[str, Any]]
    """By the name that sprites say: `src`, and the `size` of a frame or the `frames` by name; of several files in one
    `files`, which of them has which frame."""
    files: dict[str, Path]
    """By their names in the site's folder."""


def placed(specs: Iterable[Mapping[str, Any]], folder: Path) -> tuple[dict[str, Any], ...]:
    """The same with paths that begin in a folder."""
    return tuple(
        {**spec, **{name: str(folder / spec[name]) for name in PATHS if isinstance(spec.get(name), str)}}
        for spec in specs
    )


def images_of(specs: Sequence[Mapping[str, Any]]) -> Images:
    """What the page is told, and the files that it needs. Raises ConfigError, naming what is wrong."""
    found = Images({}, {})
    for spec in specs:
        kind = spec.get("object_type")
        if kind not in tuple(FIELDS):
            raise ConfigError(f"assets_to_preload has an object_type {kind!r:.40}; {nearest(str(kind), [*FIELDS])}")
        name = spec.get("name")
        if not isinstance(name, str) or not name:
            raise ConfigError(f"in assets_to_preload a {kind} has no name, by which sprites say what they show")
        for field in FIELDS[kind]:
            if not spec.get(field):
                raise ConfigError(f"in assets_to_preload {name!r:.40} has no {field}, which a {kind} needs")
            if field in PATHS and not isinstance(spec[field], str):
                what = f"{spec[field]!r:.40} as {field}; it must be a path"
                raise ConfigError(f"in assets_to_preload {name!r:.40} has {what}")
        _add(found, name, kind, spec)
    return found


def _add(found: Images, name: str, kind: str, spec: Mapping[str, Any]) -> None:
    if kind == "multi_atlas_spec":
        textures = _atlas(name, Path(spec["atlas_path"])).get("textures")
        if not isinstance(textures, list) or not textures:
            raise ConfigError(f"the atlas of {name!r:.40} has no textures")
        for texture in textures:
            if not isinstance(texture, dict) or not isinstance(texture.get("image"), str):
                raise ConfigError(f"in the atlas of {name!r:.40} a texture has no image")
            file = Path(spec["img_path"]) / texture["image"]
            src = _file(found, name, file)
            several = found.manifest.setdefault(name, {"src": src, "frames": {}, "files": {}})
            frames = _frames(name, texture)
            several["frames"] |= frames
            several["files"] |= dict.fromkeys(frames, src)
        return
    entry: dict[str, Any] = {"src": _file(found, name, Path(spec["img_path"]))}
    if kind == "spritesheet":
        entry["size"] = [_count(name, spec, "frame_width"), _count(name, spec, "frame_height")]
    elif kind == "atlas_spec":
        entry["frames"] = _frames(name, _atlas(name, Path(spec["atlas_path"])))
    found.manifest[name] = entry


def _file(found: Images, name: str, path: Path) -> str:
    if path.suffix.lower() not in KINDS:
        raise ConfigError(f"the image {name!r:.40} is {path.name}; it must be one of {', '.join(sorted(KINDS))}")
    if not path.is_file():
        raise ConfigError(f"the image {name!r:.40} is not there: {path} (paths are relative to study.json)")
    if (known := next((each for each, other in found.files.items() if other == path), None)) is not None:
        return quote(known)
    target = f"{FOLDER}/{len(found.files)}-{path.name}"
    found.files[target] = path
    # In an address, a # or a ? of a name is the end of it.
    return quote(target)


def _atlas(name: str, path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"the atlas of {name!r:.40} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"the atlas of {name!r:.40}, {path}, is no JSON object")
    return values


def _frames(name: str, atlas: Mapping[str, Any]) -> dict[str, list[float]]:
    """The frames by name: x, y, width, height; and if what is empty around them was cut away, four more."""
    given = atlas.get("frames")
    if isinstance(given, list):
        given = {str(frame.get("filename")): frame for frame in given if isinstance(frame, dict)}
    if not isinstance(given, dict) or not given:
        raise ConfigError(f"the atlas of {name!r:.40} has no frames")
    found: dict[str, list[float]] = {}
    for frame, values in given.items():
        if not isinstance(values, dict):
            raise ConfigError(f"in the atlas of {name!r:.40} {frame!r:.40} has no place: {values!r:.40}")
        if values.get("rotated"):
            raise ConfigError(f"in the atlas of {name!r:.40} {frame!r:.40} is rotated; pack it without rotation")
        try:
            place = [values["frame"][key] for key in ("x", "y", "w", "h")]
            if values.get("trimmed"):
                place += [values["spriteSourceSize"]["x"], values["spriteSourceSize"]["y"]]
                place += [values["sourceSize"]["w"], values["sourceSize"]["h"]]
        except (KeyError, TypeError) as error:
            raise ConfigError(f"in the atlas of {name!r:.40} {frame!r:.40} has no place: {error}") from error
        found[frame] = place
    return found


def _count(name: str, spec: Mapping[str, Any], field: str) -> int:
    value = spec[field]
    if type(value) is not int or value < 1:
        raise ConfigError(f"in assets_to_preload {name!r:.40} has {value!r:.40} as {field}; it must be pixels")
    return value
