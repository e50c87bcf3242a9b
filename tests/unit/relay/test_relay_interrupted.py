"""A study whose players are played for while they are only interrupted: whom the relay drops, and takes in again."""

from __future__ import annotations

from typing import Any

from pycore.relay.limits import Limits
from pycore.relay.lobby import Lobby
from pycore.relay.transport.outgoing import Outgoing

SETTINGS = {"on_drop": "default_action", "on_interrupt": "default_action", "return_within": 60}


def lobby_of(players: int) -> tuple[Lobby, str]:
    """A game of so many, whose sockets are s0, s1, …; and the game's id."""
    lobby = Lobby(players=range(players), settings=SETTINGS, limits=Limits())
    for number in range(players):
        lobby.connect(f"s{number}", {"session_id": f"session {number}", "page": "load 0"}, 0.0)
        lobby.join(f"s{number}", {}, 0.0, 0.0)
    return lobby, lobby.games.playing()[0].game_id


def complain(lobby: Lobby, sid: str, about: int, now: float) -> list[tuple[str, Any]]:
    """A player says that it does not hear another one; who is told that whom is gone."""
    game = lobby.games.playing()[0].game_id
    return told(lobby.silent(sid, {"game_id": game, "player_id": about}, now, now))


def told(out: list[Outgoing]) -> list[tuple[str, Any]]:
    """Who is told that whom is gone."""
    return [(item.sid, item.data["players"]) for item in out if item.event == "player_gone"]


def test_of_two_the_one_without_a_socket_is_dropped_and_told_when_it_is_there_again() -> None:
    """Both may not hear each other: one of them alone plays on, whoever complains first while the other is away."""
    lobby, _ = lobby_of(2)
    assert complain(lobby, "s0", 1, 1.0) == []
    lobby.disconnect("s1", 2.0)
    assert complain(lobby, "s0", 1, 3.0) == [("s0", [1])]
    room = lobby.games.playing()[0]
    assert not room.over
    assert not room.seats[1].gone
    # The same page is there again, and the other one away: it is told, and its word counts for nothing.
    assert told(lobby.connect("s1b", {"session_id": "session 1", "page": "load 0"}, 4.0)) == [("s1b", [1])]
    lobby.disconnect("s0", 5.0)
    assert complain(lobby, "s1b", 0, 6.0) == [("s1b", [1])]
    assert not room.seats[0].interrupted


def test_another_load_of_its_page_has_the_seat_again_and_may_be_dropped_again() -> None:
    """Of three as well; what is passed on between the loads is nobody's."""
    lobby, game = lobby_of(3)
    lobby.disconnect("s2", 1.0)
    assert complain(lobby, "s0", 2, 2.0) == [("s0", [2]), ("s1", [2])]
    assert complain(lobby, "s1", 2, 2.5) == []
    lobby.connect("s2b", {"session_id": "session 2", "page": "load 1"}, 8.0)
    _, out = lobby.join("s2b", {"session_id": "session 2", "game_id": game}, 8.0, 8.0)
    ready = [item.data for item in out if item.event == "pyodide_game_ready"]
    assert [data["load"] for data in ready] == [1]
    assert not lobby.games.playing()[0].seats[2].interrupted
    assert complain(lobby, "s0", 2, 9.0) == []
    lobby.disconnect("s2b", 10.0)
    assert complain(lobby, "s0", 2, 11.0) == [("s0", [2]), ("s1", [2])]


def test_who_is_away_for_longer_than_seats_are_kept_has_left() -> None:
    """Then the others are told so, and of two nobody is left to play with."""
    lobby, _ = lobby_of(2)
    lobby.disconnect("s1", 1.0)
    complain(lobby, "s0", 1, 2.0)
    room = lobby.games.playing()[0]
    assert [item.event for item in room.look(60.0, 60.0)] == ["player_away"]
    assert "end_game" in [item.event for item in room.look(61.5, 61.5)]
    assert room.seats[1].gone
