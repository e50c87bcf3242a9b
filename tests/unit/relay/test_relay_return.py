"""A page that was loaded again: it gets its seat, what it needs to begin, and the others are told."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from relay_support import Client, Relay, action, running

from pycore.relay import Limits
from pycore.relay.fields import Refused
from pycore.relay.games import seats
from pycore.relay.games.rooms import ANNOUNCED_AFTER_S
from pycore.relay.games.seats import UNHEARD_S
from pycore.relay.lobby import Lobby
from pycore.relay.storage.export import list_games
from pycore.relay.storage.store import DataStore
from pycore.relay.transport.outgoing import DISCONNECT, Outgoing
from pycore.relay.turn import Turn

START = ["pyodide_player_assigned", "pyodide_game_ready", "start_game"]


def lobby_of(players: int, return_within: float = 60.0, **options: Any) -> tuple[Lobby, str]:
    """A game of pages that say which load they are."""
    lobby = Lobby(
        players=range(players), settings={"return_within": return_within}, limits=Limits(grace_s=15.0), **options
    )
    for number in range(players):
        connect(lobby, number, 0.0)
        lobby.join(f"s{number}", {}, 0.0, 0.0)
    return lobby, lobby.games.playing()[0].game_id


def connect(lobby: Lobby, number: int, now: float, *, sid: str = "", page: str = "first") -> list[Outgoing]:
    """A socket of a player's page."""
    return lobby.connect(sid or f"s{number}", {"session_id": f"session {number}", "page": page}, now)


def comes_back(lobby: Lobby, number: int, now: float, game: str, page: str = "second") -> list[Outgoing]:
    """A player's page, loaded again, connects and joins."""
    sid = f"s{number} {page}"
    found = connect(lobby, number, now, sid=sid, page=page)
    assert found == [], "before it has loaded its Python it could do nothing with the seat"
    reply, out = lobby.join(sid, {"game_id": game}, now, 1000.0 + now)
    assert reply["state"] == "restored"
    assert (reply["game_id"], reply["player_id"]) == (game, number)
    return out


@pytest.mark.parametrize("players", [2, 3])
def test_while_the_server_stands_still_nobody_is_away_and_no_seat_is_given_up(players: int) -> None:
    """Paused with its container, for one. A page that is loaded again waits at the door; whoever is there was not heard
    since nobody listened. From then on time goes by as ever."""
    lobby, game = lobby_of(players)
    lobby.disconnect("s1", 10.0)
    assert told(ticks(lobby, 10.0, 20.0, tuple(range(0, players, 2))), "player_away")[:1] == [("s0", 1)]
    lobby.games.stood(100.0, 120.0)
    assert lobby.tick(120.0, 1120.0) == []
    assert told(comes_back(lobby, 1, 121.0, game), "player_back")[:1] == [("s0", 1)]
    lobby.disconnect("s1 second", 130.0)
    out = ticks(lobby, 130.0, 189.0, tuple(range(0, players, 2)))
    assert told(out, "end_game") == []
    assert told(ticks(lobby, 189.0, 191.0, tuple(range(0, players, 2))), "end_game")[:1] == [("s0", 1)]


@pytest.mark.slow
def test_a_process_that_stood_still_tells_nobody_that_the_others_are_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real one, held up for longer than anybody may say nothing."""
    monkeypatch.setattr(seats, "UNHEARD_S", 2.0)

    async def go(relay: Relay) -> None:
        async with relay.pair() as (clients, _):
            for client in clients:
                await client.call("pycore_ping", {})
            monkeypatch.setattr(relay.app.relay.lobby, "echo", lambda sid, now: time.sleep(3.0))
            await clients[0].emit("pycore_echo", {})
            await asyncio.gather(*(client.call("pycore_ping", {}) for client in clients))
            await asyncio.sleep(0.5)
            for client in clients:
                await client.quiet("player_away")

    with running(tmp_path, settings={"return_within": 60}) as relay:
        asyncio.run(go(relay))


def told(out: list[Outgoing], event: str) -> list[tuple[str, Any]]:
    """Who is told of whom."""
    return [(item.sid, item.data["player_id"]) for item in out if item.event == event]


def ticks(lobby: Lobby, start: float, end: float, alive: tuple[int, ...]) -> list[Outgoing]:
    """Time goes by; these players' pages ask for the time meanwhile."""
    out = []
    for step in range(round((end - start) * 2)):
        now = start + (step + 1) / 2
        for number in alive:
            lobby.ping(f"s{number}", now)
        out += lobby.tick(now, now)
    return out


def test_a_page_that_was_loaded_again_gets_the_events_of_the_start_and_nothing_that_waited() -> None:
    """They go to it alone, and say which load it is."""
    lobby, game = lobby_of(2)
    lobby.disconnect("s1", 1.0)
    lobby.action("s0", action(game, 0, 1, 5), 2.0, 2.0)
    out = comes_back(lobby, 1, 9.0, game)
    assert [item.event for item in out if item.sid == "s1 second"] == START
    assert [item.event for item in out if item.sid == "s0"] == ["player_back"]
    ready = next(item.data for item in out if item.event == "pyodide_game_ready")
    assert (ready["load"], ready["return_within"]) == (1, 60.0)
    assigned = next(item.data for item in out if item.event == "pyodide_player_assigned")
    assert (assigned["player_id"], assigned["game_id"]) == (1, game)
    after = lobby.action("s0", action(game, 0, 1, 6), 10.0, 10.0)
    assert [(item.sid, item.data["frame_number"]) for item in after] == [("s1 second", 6)]
    lobby.disconnect("s1 second", 15.0)
    restored = connect(lobby, 1, 15.5, sid="s1 second again", page="second")
    assert [item.event for item in restored] == ["session_restored"], "what waited was for the load before"
    again = comes_back(lobby, 1, 20.0, game, "third")
    assert next(item.data for item in again if item.event == "pyodide_game_ready")["load"] == 2


def test_the_same_page_that_connects_again_is_restored_as_before() -> None:
    """No load of its own: what waited comes, and the session goes on."""
    lobby, game = lobby_of(2)
    lobby.disconnect("s1", 1.0)
    lobby.action("s0", action(game, 0, 1, 5), 1.2, 1.2)
    out = connect(lobby, 1, 1.5, sid="s1 again")
    assert [item.event for item in out] == ["session_restored", "pyodide_other_player_action"]
    returned = comes_back(lobby, 1, 3.0, game)
    assert [item.event for item in returned if item.sid == "s1 second"] == START
    lobby.disconnect("s1 second", 4.0)
    again = connect(lobby, 1, 4.5, sid="s1 second again", page="second")
    assert [item.event for item in again] == ["session_restored"]


def test_a_page_that_lost_its_socket_while_it_came_back_asks_again_and_gets_the_start_again() -> None:
    """Its events may have been lost with the socket: it is told all of it, and counts as another load."""
    lobby, game = lobby_of(2)
    comes_back(lobby, 1, 5.0, game)
    lobby.disconnect("s1 second", 5.1)
    connect(lobby, 1, 6.0, sid="s1 second again", page="second")
    reply, out = lobby.join("s1 second again", {"game_id": game}, 6.0, 6.0)
    assert reply["state"] == "restored"
    assert [item.event for item in out if item.sid == "s1 second again"] == START
    assert next(item.data for item in out if item.event == "pyodide_game_ready")["load"] == 2
    assert lobby.join("s1 second again", {"game_id": "another"}, 7.0, 7.0)[0]["state"] == "over"


def test_credentials_of_a_return_are_new_ones() -> None:
    """Those of the start may be about to end."""
    lobby, game = lobby_of(2, turn=Turn.of({"urls": ["turn:x"], "secret": "s", "ttl_s": 100}))
    out = comes_back(lobby, 0, 50.0, game)
    ready = next(item.data for item in out if item.event == "pyodide_game_ready")
    expires = int(str(ready["turn_config"]["username"]).split(":")[0])
    assert expires == 1150


def test_the_others_are_told_who_is_away_and_who_is_there_again_each_once() -> None:
    """Not of a change of network that takes a moment."""
    lobby, game = lobby_of(3)
    lobby.disconnect("s2", 1.0)
    assert told(lobby.tick(1.0 + ANNOUNCED_AFTER_S - 0.1, 0.0), "player_away") == []
    out = connect(lobby, 2, 1.95, sid="s2b")
    assert told(out, "player_back") == [], "nobody knew"
    lobby.disconnect("s2b", 3.0)
    out = ticks(lobby, 3.0, 20.0, (0, 1))
    assert told(out, "player_away") == [("s0", 2), ("s1", 2)]
    away = next(item.data for item in out if item.event == "player_away")
    assert away == {"game_id": game, "player_id": 2, "return_within": 60.0}
    out = connect(lobby, 2, 21.0, sid="s2c")
    assert told(out, "player_back") == [("s0", 2), ("s1", 2)]
    assert ticks(lobby, 21.0, 23.0, (0, 1)) == []


def test_a_page_that_returns_before_anybody_noticed_is_told_of_too() -> None:
    """A copied tab, or a crash whose socket still stands: the others have another page before them."""
    lobby, game = lobby_of(2)
    out = comes_back(lobby, 1, 5.0, game)
    assert told(out, "player_back") == [("s0", 1)]
    assert [(item.sid, item.data.get("code")) for item in out if item.sid == "s1"] == [("s1", "replaced"), ("s1", None)]
    assert out[1].event == DISCONNECT
    with pytest.raises(Refused):
        lobby.action("s1", action(game, 1, 1, 5), 6.0, 6.0)


def test_a_seat_is_kept_for_as_long_as_the_study_says_and_then_gone() -> None:
    """Sixty seconds in the place of the fifteen of a server whose pages do not return."""
    lobby, game = lobby_of(2)
    lobby.disconnect("s1", 0.0)
    out = ticks(lobby, 0.0, 59.5, (0,))
    assert told(out, "end_game") == []
    connect(lobby, 1, 59.5, sid="asks", page="second")
    kept = lobby.kept("asks", 59.5)
    assert kept == {"status": "ok", "kept": True, "ms_remaining": 500}
    assert told(lobby.tick(60.0, 60.0), "end_game") == [("s0", 1)]
    assert lobby.kept("asks", 60.0) == {"status": "ok", "kept": False}
    reply, out = lobby.join("asks", {"game_id": game}, 60.5, 60.5)
    assert reply == {"status": "ok", "state": "over", "session_id": "session 1"}
    assert out == []
    assert lobby.health()["waiting"] == 0, "who came back to a game is not put into another one"
    reply, _ = lobby.join("asks", {}, 61.0, 61.0)
    assert reply["state"] == "waiting", "but may ask for one"


def test_where_nobody_returns_a_page_that_was_loaded_again_finds_its_game_over() -> None:
    """And the others are told of nobody who is away."""
    lobby, _ = lobby_of(2, return_within=0)
    lobby.disconnect("s1", 0.0)
    assert ticks(lobby, 0.0, 14.0, (0,)) == []
    connect(lobby, 1, 14.0, sid="again", page="second")
    reply, out = lobby.join("again", {}, 14.0, 14.0)
    assert (reply["state"], told(out, "player_back")) == ("waiting", [])
    assert told(lobby.tick(15.0, 15.0), "end_game") == [("s0", 1)]


def test_a_complaint_drops_nobody_who_is_away_and_may_return() -> None:
    """However many complain; afterwards it does."""
    lobby, game = lobby_of(4)
    lobby.disconnect("s3", 0.0)
    for sender in range(3):
        assert lobby.silent(f"s{sender}", {"game_id": game, "player_id": 3}, 30.0, 30.0) == []
    out = comes_back(lobby, 3, 31.0, game)
    assert [item.event for item in out if item.sid == "s3 second"] == START
    complaint = lobby.silent("s0", {"game_id": game, "player_id": 3}, 32.0, 32.0)
    assert complaint == [], "those of before were of another load"


def test_a_socket_that_says_nothing_is_away_though_nobody_closed_it() -> None:
    """A network that is gone closes nothing; whoever is heard again is back."""
    lobby, game = lobby_of(3)
    for number in range(3):
        lobby.ping(f"s{number}", 1.0)
    out = ticks(lobby, 1.0, 1.0 + UNHEARD_S + 1.0, (0, 1))
    assert told(out, "player_away") == [("s0", 2), ("s1", 2), ("s2", 2)][:2]
    for sender in (0, 1):
        complaint = lobby.silent(f"s{sender}", {"game_id": game, "player_id": 2}, 25.0, 25.0)
        assert complaint == [], "it may return until 61"
    out = ticks(lobby, 25.0, 27.0, (0, 1, 2))
    assert told(out, "player_back") == [("s0", 2), ("s1", 2)]
    ticks(lobby, 27.0, 90.0, (0, 1))
    lobby.silent("s0", {"game_id": game, "player_id": 2}, 90.0, 90.0)
    out = lobby.silent("s1", {"game_id": game, "player_id": 2}, 90.0, 90.0)
    assert [item.data["players"] for item in out if item.event == "player_gone"] == [[2], [2], [2]]


def test_whoever_returns_is_told_who_is_gone_and_who_is_away() -> None:
    """What was said meanwhile was emptied with the mailbox."""
    lobby, game = lobby_of(4)
    lobby.disconnect("s3", 0.0)
    lobby.leave("s0", 1.0, 1.0)
    lobby.disconnect("s1", 2.0)
    ticks(lobby, 2.0, 5.0, (2,))
    out = [item for item in comes_back(lobby, 3, 6.0, game) if item.sid == "s3 second"]
    assert [item.event for item in out] == [*START, "end_game", "player_away"]
    assert [item.data["player_id"] for item in out[-2:]] == [0, 1]


def test_who_leaves_by_the_button_does_not_come_back() -> None:
    """Leaving is at once, and for good."""
    lobby, game = lobby_of(2)
    assert told(lobby.leave("s1", 1.0, 1.0), "end_game") == [("s0", 1)]
    connect(lobby, 1, 2.0, sid="again", page="second")
    assert lobby.join("again", {"game_id": game}, 2.0, 2.0)[0]["state"] == "over"


def test_a_page_that_is_loaded_again_and_again_is_refused_in_the_end() -> None:
    """Each load has numbers of its own for what it stores, and those have an end."""
    lobby = Lobby(players=range(2), settings={}, limits=Limits(loads=2))
    for number in range(2):
        connect(lobby, number, 0.0)
        lobby.join(f"s{number}", {}, 0.0, 0.0)
    game = lobby.games.playing()[0].game_id
    for load in range(2):
        comes_back(lobby, 1, 1.0 + load, game, f"load {load}")
    connect(lobby, 1, 4.0, sid="once more", page="once more")
    with pytest.raises(Refused) as refused:
        lobby.join("once more", {"game_id": game}, 4.0, 4.0)
    assert refused.value.code == "too_frequent"


@pytest.mark.slow
def test_over_real_sockets_both_loads_store_into_one_seat_and_nothing_twice(tmp_path: Path) -> None:
    """What the first load still had to send comes with its session id, after the second one has stored."""

    async def store(client: Client, game: str, session: str, revision: int, part: int) -> None:
        row = {"actions": [0, 0], "episode": 0, "frame": 0, "infos": {}, "rewards": {}}
        lines = f'{{"pycore":1}}\n{row}\n'
        whose = {"game_id": game, "player_id": 1, "session_id": session}
        place = {"episode": 0, "revision": revision, "base": 1 if revision else 0, "first": 0, "frames": 1}
        for _ in range(2):
            reply = await client.call("pycore_rows", {**whose, **place, "last": False, "data": lines})
            assert reply == {"status": "ok"}
            reply = await client.call("pycore_experienced", {**whose, "part": part, "last": False, "data": f"{part}\n"})
            assert reply == {"status": "ok"}

    async def go(relay: Relay) -> str:
        async with relay.clients(1) as (one,):
            first, second = Client(relay.url), Client(relay.url)
            await one.call("join_game", {"session_id": "one"})
            await first.connect({"session_id": "mine", "page": "a"})
            await first.call("join_game")
            game: str = (await first.get("start_game"))["game_id"]
            await first.close()
            await second.connect({"session_id": "mine", "page": "b"})
            assert (await second.call("seat_kept", {}))["kept"] is True
            reply = await second.call("join_game", {"session_id": "mine", "game_id": game})
            assert reply["state"] == "restored"
            assert (await second.get("pyodide_game_ready"))["load"] == 1
            await store(second, game, "mine", 1000, 1 << 20)
            await store(second, game, "mine", 0, 0)
            await second.close()
        return game

    settings = {"fps": 30, "max_steps": 100}
    with running(tmp_path, settings=settings) as relay:
        game = asyncio.run(go(relay))
    store_ = DataStore(f"sqlite:///{tmp_path / 'study.db'}", create=False)
    try:
        (found,) = list_games(store_, game)
    finally:
        store_.close()
    assert found.players["1"].experienced == [0, 1 << 20]
    assert found.players["1"].experienced_missing == []
    assert found.players["1"].missing == []
    assert found.players["1"].pieces[0].frames == 1
