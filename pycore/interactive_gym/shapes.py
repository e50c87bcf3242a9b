"""What an environment shows and tells, in the shapes that cross to the page: pictures, observations, results.

Keys keep their type: an agent whose id looks like a number is a number there, as everywhere in the page.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any


def pairs(values: dict[Any, Any]) -> list[list[Any]]:
    """A dictionary as a list of pairs, since JSON's keys are texts."""
    return [[_number(key), value] for key, value in values.items()]


def flat_observations(observations: dict[Any, Any]) -> tuple[list[Any], bytes]:
    """Observations by agent as flat float32 vectors, one behind the other: their lengths, and the bytes in the
    machine's order. What is no numbers has the length 0."""
    values = array("f")
    shapes = [_flatten(agent, seen, values) for agent, seen in observations.items()]
    return shapes, values.tobytes()


def packet(shown: Any) -> tuple[dict[str, Any], bytes]:
    """What `render()` of an environment gave (None: nothing), and the pixels if that is a picture.

    Objects (`objects`, with what is `removed` where the page's Surface made them) or the size of an `image`, three
    bytes per pixel, line by line.
    """
    if isinstance(shown, dict):
        return {"objects": shown.get("game_state_objects"), "removed": shown.get("removed") or []}, b""
    if shown is None:
        return {"objects": None}, b""
    size = _image_size(shown)
    if size is None:
        return {"objects": list(shown), "removed": []}, b""
    return {"objects": None, "image": size}, _rgb(shown)


def _number(agent: Any) -> Any:
    if isinstance(agent, str) and agent.removeprefix("-").isdecimal() and agent == str(int(agent)):
        return int(agent)
    return agent


def _flatten(agent: Any, seen: Any, values: array[float]) -> list[Any]:
    if isinstance(seen, dict):
        return [_number(agent), [_flatten(key, part, values) for key, part in seen.items()]]
    start = len(values)
    try:
        if hasattr(seen, "ravel"):
            values.frombytes(seen.ravel().astype("float32").tobytes())
        else:
            _append(seen, values)
    except (TypeError, ValueError, OverflowError):
        del values[start:]
    return [_number(agent), len(values) - start]


def _append(part: Any, values: array[float]) -> None:
    if isinstance(part, (list, tuple)):
        for inner in part:
            _append(inner, values)
    else:
        values.append(part)


def _image_size(shown: Any) -> list[int] | None:
    """Width and height of a picture of pixels; None if this is none."""
    shape = getattr(shown, "shape", None)
    if shape is not None:
        return [int(shape[1]), int(shape[0])] if len(shape) in (2, 3) else None
    if isinstance(shown, (list, tuple)) and shown and isinstance(shown[0], (list, tuple)):
        return [len(shown[0]), len(shown)]
    return None


def _rgb(shown: Any) -> bytes:
    if hasattr(shown, "shape"):
        pixels = shown.reshape(*shown.shape[:2], -1)
        # What is grey has one value for all three.
        pixels = pixels[:, :, :3] if pixels.shape[2] > 2 else pixels[:, :, :1].repeat(3, axis=2)
        data: bytes = pixels.astype("uint8").tobytes()
        return data
    return bytes([channel for line in shown for pixel in line for channel in _channels(pixel)])


def _channels(pixel: Any) -> Sequence[int]:
    if not hasattr(pixel, "__len__"):
        return (pixel,) * 3
    return pixel[:3] if len(pixel) > 2 else (pixel[0],) * 3
