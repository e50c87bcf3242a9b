"""What an environment's render() gave, as objects to draw.

A page draws lists of objects. An array of pixels, or a surface of pygame, becomes the only object of such a list. What
is neither is said on the screen, in the place of a picture.
"""

from __future__ import annotations

import sys
from typing import Any, Final

__all__ = ["PIXELS", "drawable"]

PIXELS: Final = "pixels"
"""The type of an object that is a picture; and its field with the bytes, row by row, `channels` to a pixel."""


def drawable(shown: Any) -> list[Any] | None:
    """The objects, None where there are none; of what is no picture one text that says so."""
    if shown is None or type(shown) is list:
        return shown
    if isinstance(shown, (list, tuple)):
        return list(shown)
    if (why := undrawable(shown)) is not None:
        return _told(why)
    if hasattr(shown, "tobytes"):
        return [_picture(shown.shape[1], shown.shape[0], shown.shape[2], shown.tobytes())]
    width, height = shown.get_size()
    return [_picture(width, height, 3, sys.modules["pygame"].image.tobytes(shown, "RGB"))]


def undrawable(shown: Any) -> str | None:
    """Why a page cannot draw what `render()` returned, as "an array of float64 …"; None if it can."""
    if shown is None or isinstance(shown, (list, tuple)):
        return None
    shape = getattr(shown, "shape", None)
    if isinstance(shape, tuple) and hasattr(shown, "tobytes"):
        dtype = getattr(getattr(shown, "dtype", None), "name", "")
        if len(shape) == 3 and shape[2] in (3, 4) and dtype == "uint8":
            return None
        return f"an array of {dtype} with the shape {shape}; it must be of uint8, height × width × 3"
    pygame = sys.modules.get("pygame")
    if pygame is not None and isinstance(shown, pygame.Surface):
        return None
    return f"a {type(shown).__name__}; it must be a list of objects, or an array of pixels"


def _picture(width: int, height: int, channels: int, data: bytes) -> dict[str, Any]:
    return {
        "uuid": "picture", "object_type": PIXELS, "columns": int(width), "rows": int(height),
        "channels": int(channels), PIXELS: data,
    }  # fmt: skip


def _told(what: str) -> list[Any]:
    text = f"render() returned {what}"
    return [
        {"uuid": "no picture", "object_type": "text", "x": 300, "y": 200, "size": 14, "align": "center", "text": text}
    ]
