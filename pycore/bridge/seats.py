"""Which seat is meant: by the order of the players' ids, and by what a server says of them."""

from __future__ import annotations

from typing import Any

from pycore.session.session import Session
from pycore.settings import Settings


def seat_order(players: list[int | str]) -> list[int | str]:
    """Players in the order of seats, as the page sorts them: numbers by value, strings by UTF-16 code unit."""
    return sorted(players, key=lambda p: (0, p, b"") if type(p) is int else (1, 0, str(p).encode("utf-16-be")))


def who_left(session: Session, player: Any) -> int | None:
    """The seat of whoever is gone, as a server's word names them; None if nobody can be meant.

    Of two players the other one is meant, whomever the word names. Of more it must name one of the others: nobody is
    taken for gone by guess, and whoever is will be noticed by their silence.
    """
    others = [link.seat for link in session.links]
    if len(others) == 1:
        return others[0]
    return next((seat for seat in others if str(session.players[seat]) == str(player)), None)


def looks_of(env: Any, settings: Settings, count: int) -> list[dict[str, str]]:
    """What a page calls each seat, and in which colour: `name` and `color`, where the settings say them, or else
    `seats` of the environment's metadata, a list of dictionaries by seat."""
    metadata = getattr(env, "metadata", None)
    own = metadata.get("seats") if isinstance(metadata, dict) else None
    found = []
    for seat in range(count):
        of_env = own[seat] if isinstance(own, (list, tuple)) and seat < len(own) else None
        of_study = settings.seats[seat] if seat < len(settings.seats) else {}
        both = {**(of_env if isinstance(of_env, dict) else {}), **of_study}
        found.append({name: both[name] for name in ("name", "color") if isinstance(both.get(name), str)})
    return found
