"""What an environment's render() gave, as objects to draw.

A page draws lists of objects. An array of pixels, or a surface of pygame, becomes the only object of such a list. What
is neither is said on the screen, in the place of a picture, and so is an object that JSON cannot spell. What an
environment draws for the interactive_gym page, in that page's terms, is drawn as there: its objects are marked, and the
page puts them into its own.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from pycore.values.json import page_json

__all__ = ["PIXELS", "drawable", "in_page_terms", "picture_json", "undrawable", "unspelt"]

PIXELS: Final = "pixels"
"""The type of an object that is a picture; and its field with the bytes, row by row, `channels` to a pixel."""

TERMS: Final = "interactive_gym"
"""The mark of an object in that page's terms."""
SURFACE: Final = "game_state_objects"
"""Where the dictionary of that page's `Surface` has its objects; its `removed` names lasting ones that are gone."""
MARKS: Final = frozenset(("image_name", "tween_duration", "stroke_color", "stroke_width", "fill_above", "fill_below"))
"""Fields that objects have there alone."""


def in_page_terms(shown: Any) -> list[Any] | None:
    """The objects of what is in the interactive_gym page's terms, marked; None of anything else.

    That is the dictionary of its `Surface`, or a list whose first object is a `rect` or has a field of `MARKS`.
    """
    if isinstance(shown, dict) and SURFACE in shown:
        removed = [{"uuid": name, "object_type": "removed"} for name in shown.get("removed") or ()]
        return [*removed, *map(_marked, shown[SURFACE] or ())]
    if isinstance(shown, (list, tuple)) and shown and isinstance(first := shown[0], dict):
        if first.get("object_type") == "rect" or not MARKS.isdisjoint(first):
            return list(map(_marked, shown))
    return None


def _marked(item: Any) -> Any:
    return {**item, "terms": TERMS} if isinstance(item, dict) else item


def drawable(shown: Any) -> list[Any] | None:
    """The objects, None where there are none; of what is no picture one text that says so."""
    if shown is not None and (marked := in_page_terms(shown)) is not None:
        return marked
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
    if shown is None or isinstance(shown, (list, tuple)) or in_page_terms(shown) is not None:
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


def picture_json(objects: list[Any], reset: bool) -> str:
    """The objects as a page reads them: numbers and arrays of numpy as plain ones, a text for what cannot be spelt.
    `reset`: they are the first ones after a reset."""
    try:
        return page_json({"objects": objects, "reset": reset})
    except Exception:  # what an environment gives may do anything
        reasons = [(item, unspelt(item)) for item in objects]
        spelt = [item for item, why in reasons if why is None]
        first = next((why for _, why in reasons if why is not None), "objects that are nested too deep")
        return page_json({"objects": [*spelt, *_told(first)], "reset": reset})


def unspelt(item: Any) -> str | None:
    """Why an object is no JSON, as "an object 'ball' whose x is nan"; None if it is."""
    if not isinstance(item, dict):
        return f"a {type(item).__name__} among the objects"
    try:
        page_json(item)
    except Exception:  # as above
        for name, value in item.items():
            try:
                page_json({name: value})
            except Exception:  # as above
                what = repr(value) if isinstance(value, float) else f"of type {type(value).__name__}"
                return f"an object {item.get('uuid')!r:.40} whose {name!s:.40} is {what:.40}"
        return "an object that contains itself"
    return None


def _told(what: str) -> list[Any]:
    text = f"render() returned {what}"
    return [
        {"uuid": "no picture", "object_type": "text", "x": 300, "y": 200, "size": 14, "align": "center", "text": text}
    ]
