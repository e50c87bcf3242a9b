"""What kinds of connection ICE settled on, link by link: direct, through a TURN server, or none that is known.

A session has as many as it has links. Where one word must do for all of them it is that of the least direct one, since
that is what its slowest partner has: a session is `direct` only if every link is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

UNKNOWN: Final = "unknown"
"""Nothing was settled so far, or there is no peer-to-peer at all."""
LEAST_DIRECT_FIRST: Final = (UNKNOWN, "relay", "direct")
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Kinds:
    """The kinds of a session's links, by the seat at their other end."""

    __slots__ = ("_of",)

    def __init__(self, seats: Iterable[int]) -> None:
        self._of: dict[int, tuple[str, Mapping[str, Any]]] = dict.fromkeys(seats, (UNKNOWN, NOTHING))

    def settled(self, seat: int, kind: str, details: Mapping[str, Any]) -> None:
        """The candidates of that link were chosen, or chosen anew."""
        self._of[seat] = kind, details

    def of(self, seat: int) -> str:
        """Of one link: `direct`, `relay` or `unknown`."""
        return self._of.get(seat, (UNKNOWN, NOTHING))[0]

    def details(self, seat: int) -> Mapping[str, Any]:
        """Of one link: candidate types, protocol, and when it was known; empty while it is unknown."""
        return self._of.get(seat, (UNKNOWN, NOTHING))[1]

    @property
    def session(self) -> tuple[str, Mapping[str, Any]]:
        """The one word for all links, with the details of the first link that it is true of."""
        for kind in LEAST_DIRECT_FIRST:
            for found, details in self._of.values():
                if found == kind:
                    return found, details
        return next(iter(self._of.values()), (UNKNOWN, NOTHING))
