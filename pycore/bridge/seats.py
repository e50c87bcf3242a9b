"""Which seat is meant: by the order of the players' ids, and by what a server says of them."""

from __future__ import annotations

from typing import Any

from pycore.session.session import Session


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
