"""How large a message to the page's server may be, and how large it will be.

The server's library closes the connection over a message above a million bytes, and the page begins its scene anew.
Data is packed by msgpack in the page, metrics go as JSON; both are measured here as JSON, which Python has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

LARGEST_MESSAGE: Final = 800_000
"""Bytes. What the page adds (the study's globals, the envelope) has the rest of the million."""


def packed(text: str) -> int:
    """At most so many bytes are what this JSON text says, packed by msgpack.

    Only a number with a point or an exponent grows: it takes nine bytes, in JSON at least four with its comma.
    """
    return len(text) + 5 * text.count(".") + 3 * (text.count("e-") + text.count("e+"))


def fitting(entries: Iterable[Any], room: int, size: Callable[[Any], int]) -> list[Any]:
    """The first entries, as many as are not larger than the room together."""
    kept = []
    for entry in entries:
        room -= size(entry)
        if room < 0:
            break
        kept.append(entry)
    return kept
