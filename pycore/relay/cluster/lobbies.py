"""What several processes need of a lobby besides what one does: whose sockets are is told, and not asked again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pycore.relay.games.payloads import Join
from pycore.relay.games.rooms import Room
from pycore.relay.games.seats import digest
from pycore.relay.lobby import Lobby

Whom = tuple[str | None, str | None, str | None]
"""A socket's session id, the digest of its page, and its subject."""


def has_place(lobby: Lobby, sid: str) -> bool:
    """Whether a socket waits for a game, or is in one."""
    connection = lobby.connections.get(sid)
    return connection is not None and (connection.room is not None or lobby.pairing.waiting.has(sid))


def expect(lobby: Lobby, sid: str, payload: Any, waited: Sequence[Any] | None, now: float) -> None:
    """A socket is about to join that has waited before, s, with a note; None: it has not."""
    said = payload.get("session_id") if isinstance(payload, dict) else None
    session = said or lobby.session_of(sid)
    if waited is not None and isinstance(session, str) and not lobby.pairing.waiting.has(sid):
        lobby.pairing.waiting.former.add(digest(session), now - waited[0], now, waited[1])


def subject_of(lobby: Lobby, sid: str, wish: Join) -> str | None:
    """Who it is that joins, as the lobby will see it."""
    connection = lobby.connections.get(sid)
    known = None if connection is None else connection.subject_id
    return wish.subject_id or lobby.subject_of(wish.query) or known


def presents(
    lobby: Lobby, sid: str, session_id: str | None, page: str | None = None, subject_id: str | None = None
) -> None:
    """Whose a socket is, as another process has found."""
    connection = lobby.connections.get(sid)
    if connection is not None:
        connection.session_id = session_id or connection.session_id
        connection.page = page or connection.page
        connection.subject_id = subject_id or connection.subject_id


def presented(lobby: Lobby, sids: Collection[str]) -> dict[str, Whom]:
    """Whose sockets are, for `presents`."""
    found = [(sid, lobby.connections[sid]) for sid in sorted(sids) if sid in lobby.connections]
    return {sid: (each.session_id, each.page, each.subject_id) for sid, each in found}


def seat(lobby: Lobby, room: Room, at: Mapping[str, str], now: float) -> None:
    """A game begins here that another process has paired; `at`: sockets by player, of those who are here."""
    lobby.games.begin(room)
    for each in room.seats:
        each.since = now - each.waited_s
        connection = lobby.connections.get(at.get(str(each.player), ""))
        if connection is None:
            room.unbind(each, now)
            continue
        lobby.pairing.waiting.leave(connection.sid)
        connection.room, connection.seat = room, each
        each.sid = each.told = connection.sid
        each.heard_at = now
