"""What a page is told when its game begins, or when it comes back to it: its place, the players, the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pycore.relay.games.seats import Seat, pseudonym

if TYPE_CHECKING:
    from pycore.relay.games.rooms import Room


def beginning(room: Room, seat: Seat, turn: Mapping[str, Any] | None) -> list[tuple[str, dict[str, Any]]]:
    """The events, in their order. `turn`: the player's own credentials for the study's TURN server."""
    metadata = dict(room.settings)
    assigned = {
        "player_id": seat.player,
        "game_id": room.game_id,
        "game_seed": room.seed,
        "num_players": len(room.players),
    }
    ready = {
        "game_id": room.game_id,
        "players": room.players,
        "player_subjects": _subjects_for(room, seat),
        "server_authoritative": False,
        "turn_config": turn,
        "scene_metadata": metadata,
        "load": seat.loads,
        "return_within": room.return_within,
    }
    return [
        ("pyodide_player_assigned", assigned),
        ("pyodide_game_ready", ready),
        ("start_game", {"scene_metadata": metadata, "game_id": room.game_id}),
    ]


def _subjects_for(room: Room, seat: Seat) -> dict[str, str | None]:
    """Whom a player is told of: the own subject id, and of the others a name for this game that means nothing."""
    return {
        str(other.player): seat.subject_id if other is seat else pseudonym(room.game_id, other.player)
        for other in room.seats
    }
