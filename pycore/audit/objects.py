"""The objects that render() lists, as a page of pycore draws them: what of a list nobody would see, and why.

The page is lenient, since a picture is no part of a game: a field that it does not know is passed over, and what lacks
a size or a color is drawn as nothing. So it is told here, before anybody plays. The guide to drawing has these fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
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
    if absent := [field for field in NEEDED[kind] if item.get(field) is None]:
        yield f"has no {absent[0]}, so it is not seen"
    if kind == "sprite" and item.get("src") is None and item.get("image") is None:
        yield "has neither src nor image, so it is not seen"
    if kind in FILLED and not item.get("color") and not item.get("stroke"):
        yield "has neither color nor stroke, so it is not seen"
    if kind != PIXELS and (why := unspelt(dict(item))) is not None:
        yield f"cannot be sent to the page: it is {why}"


def _meant(name: Any, known: Iterable[str]) -> str:
    meant = MEANT.get(str(name).lower())
    names = list(known)
    return f"did you mean {meant!r}?" if meant in names else nearest(name, names)
