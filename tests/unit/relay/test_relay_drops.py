"""A player whom the others do not hear any more: when the relay drops it, who is told, and what is passed on then."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from relay_support import Relay, action, running

from pycore.relay.games.payloads import Refused
from pycore.relay.games.rooms import COMPLAINT_S
from pycore.relay.limits import Limits
from pycore.relay.lobby import Lobby
from pycore.relay.transport.outgoing import Outgoing


def lobby_of(players: int) -> tuple[Lobby, str]:
    """A game of so many, whose sockets are s0, s1, …; and the game's id."""
    lobby = Lobby(players=range(players), settings={"return_within": 0}, limits=Limits())
    for number in range(players):
        lobby.connect(f"s{number}", {"session_id": f"session {number}"}, 0.0)
        lobby.join(f"s{number}", {}, 0.0, 0.0)
    return lobby, lobby.games.playing()[0].game_id


def complain(lobby: Lobby, sender: int, about: Any, now: float, game: str = "") -> list[Outgoing]:
    """A player says that it does not hear another one."""
    game = game or lobby.games.playing()[0].game_id
    return lobby.silent(f"s{sender}", {"game_id": game, "player_id": about}, now, now)


def act(lobby: Lobby, sender: int, frame: int) -> list[Outgoing]:
    """An input by the server's way."""
    game = lobby.games.playing()[0].game_id
    payload = {"game_id": game, "player_id": sender, "action": 1, "frame_number": frame, "timestamp": 0}
    return lobby.action(f"s{sender}", payload, 1.0, 1.0)


def told(out: list[Outgoing]) -> list[tuple[str, list[Any]]]:
    """Who is told that whom is gone."""
    return [(item.sid, item.data["players"]) for item in out if item.event == "player_gone"]


def test_who_has_no_socket_is_dropped_by_the_first_complaint() -> None:
    """Before its grace is over: two ways are gone, and somebody waits."""
    lobby, _ = lobby_of(3)
    lobby.disconnect("s2", 1.0)
    out = complain(lobby, 0, 2, 2.0)
    assert told(out) == [("s0", [2]), ("s1", [2])]
    assert [item.data["round"] for item in out] == [1, 1]
    assert lobby.games.playing()[0].seats[2].gone


@pytest.mark.parametrize(("players", "needed"), [(3, 2), (4, 2), (5, 3), (8, 4)])
def test_who_has_a_socket_is_dropped_when_more_than_half_of_the_others_complain(players: int, needed: int) -> None:
    """The dropped one is told as well, if it can be."""
    lobby, _ = lobby_of(players)
    last = players - 1
    for number in range(needed - 1):
        assert complain(lobby, number, last, 1.0) == []
        assert complain(lobby, number, last, 1.5) == [], "who says it twice counts once"
    out = complain(lobby, needed - 1, last, 2.0)
    assert told(out) == [(f"s{number}", [last]) for number in range(players)]


def test_a_complaint_that_is_not_repeated_counts_no_more() -> None:
    """Who hears the other again says nothing."""
    lobby, _ = lobby_of(3)
    assert complain(lobby, 0, 2, 1.0) == []
    assert complain(lobby, 1, 2, 1.0 + COMPLAINT_S) == []
    assert told(complain(lobby, 0, 2, 2.0 + COMPLAINT_S)) == [("s0", [2]), ("s1", [2]), ("s2", [2])]


def test_its_word_comes_behind_the_last_input_and_nothing_of_the_seat_is_passed_on_afterwards() -> None:
    """In the order in which things are sent; what it sends later is refused by name."""
    lobby, game = lobby_of(3)
    sent = act(lobby, 2, 7)
    lobby.disconnect("s1", 1.0)
    complain(lobby, 0, 2, 1.0)
    lobby.connect("s1", {"session_id": "session 1"}, 1.5)
    sent += complain(lobby, 1, 2, 2.0)
    assert [(item.sid, item.event) for item in sent] == [
        ("s0", "pyodide_other_player_action"), ("s1", "pyodide_other_player_action"),
        ("s0", "player_gone"), ("s1", "player_gone"), ("s2", "player_gone"),
    ]  # fmt: skip
    for refused in (
        lambda: act(lobby, 2, 8),
        lambda: complain(lobby, 2, 0, 3.0, game),
        lambda: lobby.signal("s2", {"game_id": game, "target_player_id": 0, "type": "pycore", "payload": ""}, 3.0),
        lambda: lobby.signal("s0", {"game_id": game, "target_player_id": 2, "type": "pycore", "payload": ""}, 3.0),
    ):
        with pytest.raises(Refused):
            refused()
    assert [item.sid for item in act(lobby, 0, 9)] == ["s1"]


def test_two_never_drop_each_other() -> None:
    """A pair's game ends when one is gone; complaints of one of them decide nothing."""
    lobby, _ = lobby_of(2)
    lobby.disconnect("s1", 1.0)
    assert complain(lobby, 0, 1, 2.0) == []
    lobby, _ = lobby_of(3)
    lobby.disconnect("s2", 1.0)
    assert told(complain(lobby, 0, 2, 2.0))
    lobby.disconnect("s1", 3.0)
    assert complain(lobby, 0, 1, 4.0) == []
    assert not lobby.games.playing()[0].seats[1].gone


def test_who_was_dropped_may_play_another_game_and_those_who_stay_cannot_be_joined() -> None:
    """Its session is free; its seat never comes back."""
    lobby, game = lobby_of(3)
    lobby.disconnect("s2", 1.0)
    complain(lobby, 0, 2, 2.0)
    assert lobby.connect("again", {"session_id": "session 2"}, 3.0) == []
    lobby.tick(3.0, 3.0)
    reply, _ = lobby.join("again", {}, 3.0, 3.0)
    assert reply["state"] == "waiting"
    assert complain(lobby, 0, 2, 3.0, game) == []


def test_who_was_dropped_and_has_its_socket_still_may_ask_for_another_game_by_it() -> None:
    """The one that it was dropped from goes on without it, and is not its own any more."""
    lobby, game = lobby_of(3)
    complain(lobby, 0, 2, 1.0)
    assert told(complain(lobby, 1, 2, 1.0))
    reply, _ = lobby.join("s2", {}, 2.0, 2.0)
    assert reply["state"] == "waiting"
    assert lobby.connections["s2"].room is None
    assert [room.game_id for room in lobby.games.playing()] == [game]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (None, "malformed"),
        ({"game_id": "another", "player_id": 1}, "foreign_room"),
        ({"player_id": 1}, "malformed"),
        ({"player_id": 0}, "unknown_target"),
        ({"player_id": 9}, "unknown_target"),
        ({"player_id": [1]}, "malformed"),
    ],
)
def test_a_complaint_that_makes_no_sense_is_refused(payload: Any, code: str) -> None:
    """By name; nobody is dropped."""
    lobby, game = lobby_of(3)
    if (isinstance(payload, dict) and len(payload) == 1 and code != "malformed") or payload == {"player_id": [1]}:
        payload = {"game_id": game, **payload}
    with pytest.raises(Refused) as refused:
        lobby.silent("s0", payload, 1.0, 1.0)
    assert refused.value.code == code
    assert not any(seat.gone for seat in lobby.games.playing()[0].seats)


@pytest.mark.slow
def test_over_real_sockets_a_complaint_of_two_of_three_drops_the_third_and_the_game_goes_on(tmp_path: Path) -> None:
    """The event is acknowledged; the dropped page may still store what it has, as it has to."""

    async def go(relay: Relay) -> None:
        async with relay.pair(3) as ((one, two, three), game):
            complaint = {"game_id": game, "player_id": 2}
            assert await one.call("player_silent", complaint) == {"status": "ok"}
            await three.quiet("player_gone")
            assert await two.call("player_silent", complaint) == {"status": "ok"}
            for client in (one, two, three):
                assert await client.get("player_gone") == {"game_id": game, "round": 1, "players": [2]}
            assert (await three.call("pyodide_player_action", action(game, 2, 1, 5)))["code"] == "not_in_game"
            await one.call("pyodide_player_action", action(game, 0, 1, 6))
            assert (await two.get("pyodide_other_player_action"))["frame_number"] == 6
            metrics = {"game_id": game, "player_id": 2, "episode": -1, "metrics": {"end": {"reason": "dropped"}}}
            assert await three.call("p2p_session_metrics", metrics) == {"status": "ok"}

    with running(tmp_path, seats=3) as relay:
        asyncio.run(go(relay))
