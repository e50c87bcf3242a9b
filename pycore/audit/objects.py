"""The objects that render() lists, as a page of pycore draws them: what of a list nobody would see, and why.

The page is lenient, since a picture is no part of a game: a field that it does not know is passed over, and what lacks
a size or a color is drawn as nothing. So it is told here, before anybody plays. The guide to drawing has these fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from string import hexdigits
from typing import Any, Final

from pycore.envs.pictures import PIXELS, unspelt
from pycore.errors import nearest

__all__ = ["EVERY", "FIELDS", "oddities"]

EVERY: Final = ("uuid", "object_type", "depth", "permanent", "tween")
"""What every object may have."""
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "rectangle": ("x", "y", "w", "h", "radius", "color", "stroke", "width", "edges"),
    "circle": ("x", "y", "radius", "color", "stroke", "width", "edges"),
    "line": ("points", "color", "width", "edges"),
    "polygon": ("points", "color", "stroke", "width", "edges"),
    "text": ("text", "x", "y", "size", "color", "align", "font", "weight", "hangs"),
    "sprite": ("src", "image", "frame", "angle", "x", "y", "w", "h", "color"),
    PIXELS: ("columns", "rows", "channels", PIXELS, "x", "y", "w", "h"),
}
"""What each type may have beside it."""
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "rectangle": ("w", "h"), "circle": ("radius",), "line": ("points",), "polygon": ("points",), "text": ("text",),
    "sprite": ("w", "h"), PIXELS: ("columns", "rows", PIXELS),
}  # fmt: skip
"""Without these, nothing of it is seen."""
FILLED: Final = ("rectangle", "circle", "polygon")
"""Types that are seen by their `color` or `stroke` alone."""
NUMBERS: Final = frozenset(("x", "y", "w", "h", "radius", "width", "size", "depth", "columns", "rows", "channels"))
COLORS: Final = frozenset(("color", "stroke"))
"""Texts, as CSS spells colors; what a browser cannot read is drawn black."""
DIGITS: Final = (3, 4, 6, 8)
"""Of a color that begins with #."""
MEANT: Final[Mapping[str, str]] = {
    "height": "h", "colour": "color", "fill": "color", "background": "color", "outline": "stroke", "border": "stroke",
    "r": "radius", "z": "depth", "z_index": "depth", "layer": "depth", "id": "uuid", "name": "uuid",
    "type": "object_type", "font_size": "size", "fontsize": "size", "image": "src", "image_name": "src", "img": "src",
    "url": "src", "line_width": "width", "linewidth": "width", "alignment": "align", "anchor": "align",
    "label": "text", "rect": "rectangle", "square": "rectangle", "ellipse": "circle",
}  # fmt: skip
"""What other programs call them."""


def oddities(shown: Iterable[Any]) -> Iterator[str]:
    """A sentence for everything in a list of objects that would not be seen, or not as it is meant."""
    names: set[Any] = set()
    for item in shown:
        if not isinstance(item, dict):
            yield f"there is a {type(item).__name__} among the objects; each must be a dictionary"
            continue
        name, kind = item.get("uuid"), item.get("object_type")
        which = f"the {kind} {name!r:.40}"
        if not isinstance(name, str):
            yield f"an object of type {kind!r:.40} has no uuid that is a text, and those are told apart by it"
        elif name in names:
            yield f"two objects have the uuid {name!r:.40}: only the last of them is drawn"
        else:
            names.add(name)
        if kind is None:
            yield f"the object {name!r:.40} has no object_type; there are {', '.join(FIELDS)}"
            continue
        if kind not in tuple(FIELDS):
            yield f"there is no object_type {kind!r:.40}, which {name!r:.40} has; {_meant(kind, FIELDS)}"
            continue
        yield from (f"{which} {what}" for what in _of_fields(item, kind))


def _of_fields(item: Mapping[str, Any], kind: str) -> Iterator[str]:
    known = (*EVERY, *FIELDS[kind])
    for field, value in item.items():
        if field not in known:
            yield f"has a field {field!r:.40}, which is not drawn; {_meant(field, known)}"
        elif field in NUMBERS and (isinstance(value, bool) or not isinstance(value, Real)):
            yield f"has {value!r:.40} as its {field}, which must be a number"
        elif field in COLORS and not _empty(value) and (odd := _not_a_color(value)):
            yield f"has {value!r:.40} as its {field}, which is drawn black; {odd}"
    if absent := [field for field in NEEDED[kind] if item.get(field) is None]:
        yield f"has no {absent[0]}, so it is not seen"
    if kind == "sprite" and item.get("src") is None and item.get("image") is None:
        yield "has neither src nor image, so it is not seen"
    if kind in FILLED and _empty(item.get("color")) and _empty(item.get("stroke")):
        yield "has neither color nor stroke, so it is not seen"
    if kind != PIXELS and (why := unspelt(dict(item))) is not None:
        yield f"cannot be sent to the page: it is {why}"


def _empty(value: Any) -> bool:
    """Whether there is no color, as the page has it. An array of numpy says neither."""
    return value is None or (isinstance(value, (str, int, float)) and not value)


def _not_a_color(value: Any) -> str:
    """What is wrong with a color, as far as it can be told without a browser, or ''."""
    if isinstance(value, (tuple, list)) and len(value) in (3, 4) and all(isinstance(part, int) for part in value):
        spelt = "".join(f"{max(0, min(part, 255)):02x}" for part in value)
        return f"did you mean '#{spelt}'?"
    if not isinstance(value, str):
        return "it must be a text, as '#3d7be0'"
    digits = value.strip()[1:]
    if value.strip().startswith("#") and not (len(digits) in DIGITS and set(digits) <= set(hexdigits)):
        return "behind a # there are 3, 4, 6 or 8 hexadecimal digits"
    return ""


def _meant(name: Any, known: Iterable[str]) -> str:
    meant = MEANT.get(str(name).lower())
    names = list(known)
    return f"did you mean {meant!r}?" if meant in names else nearest(name, names)
