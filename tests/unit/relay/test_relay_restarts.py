"""A process of the server takes up the games of another one from the database: who gets what, in which order.

Time is fed by hand; the database is a file. What a page is told is compared word for word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from relay_support import action

from pycore.relay import Limits
from pycore.relay.fields import Refused
from pycore.relay.games.payloads import Join
from pycore.relay.games.seats import digest
from pycore.relay.games.uploads import WHOLE, Store
from pycore.relay.lobby import Lobby
from pycore.relay.storage.export import list_games
from pycore.relay.storage.past import games_over
from pycore.relay.storage.store import DataStore, games, seats
from pycore.relay.storage.written import ending, find, game_row, last_number, room_of, seat_rows
from pycore.relay.transport.outgoing import Outgoing

DATABASES = ("sqlite", "postgresql")

START = ["pyodide_player_assigned", "pyodide_game_ready", "start_game"]
SETTINGS: dict[str, Any] = {"return_within": 60.0, "fps": 30}
LIMITS = Limits(grace_s=15.0)


class Processes:
    """Processes of a server, one after the other, with one database."""

    def __init__(self, url: str) -> None:
        self.store = DataStore(url)
        self.start()

    def start(self, players: int = 2, **settings: Any) -> None:
        """Another one, which knows nothing."""
        self.lobby = Lobby(players=range(players), settings={**SETTINGS, **settings}, limits=LIMITS)
        self.lobby.games.last_number = last_number(self.store)

    def game(self, players: int = 2, **settings: Any) -> str:
        """A game that has begun."""
        self.start(players, **settings)
        for number in range(players):
            self.connect(number, 0.0)
            self.lobby.join(f"s{number}", {}, 0.0, 1000.0)
        self.write()
        return self.lobby.games.playing()[0].game_id

    def write(self) -> None:
        """What the ledger does, without its waiting."""
        for room in self.lobby.games.take_changed():
            asyncio.run(self.store.put_game(game_row(room) | ending(room), seat_rows(room)))

    def kill(self, players: int = 2, **settings: Any) -> None:
        """This one ends at once, and another one begins."""
        self.write()
        self.start(players, **settings)

    def connect(self, number: int, now: float, *, page: str | None = "first", sid: str = "") -> list[Outgoing]:
        """A page connects and presents its session; what recall does comes before."""
        session = f"session {number}"
        if not self.lobby.games.knows(session):
            written = find(self.store, digest(session))
            if written is not None and self.lobby.games.room(written.game["game_id"]) is None:
                self.lobby.games.take_up(room_of(written, LIMITS, now))
                self.write()
        auth = {"session_id": session} | ({} if page is None else {"page": page})
        return self.lobby.connect(sid or f"s{number}", auth, now)

    def ticks(self, start: float, end: float, alive: tuple[int, ...]) -> list[Outgoing]:
        """Time goes by; these players' pages ask for the time meanwhile."""
        out = []
        for step in range(round((end - start) * 2)):
            now = start + (step + 1) / 2
            for number in alive:
                self.lobby.ping(f"s{number}", now)
            out += self.lobby.tick(now, 1000.0 + now)
        return out

    def row(self, game: str) -> dict[str, Any]:
        """What the database has of a game."""
        (found,) = self.store.read(sa.select(games).where(games.c.game_id == game))
        return found


@pytest.fixture
def server(tmp_path: Path, database: Callable[[Path], str]) -> Iterator[Processes]:
    """A server with a database of its own."""
    processes = Processes(database(tmp_path))
    yield processes
    processes.store.close()


def said(out: list[Outgoing], sid: str) -> list[tuple[str, Any]]:
    """What one socket is told, and of whom."""
    return [(item.event, item.data.get("player_id")) for item in out if item.sid == sid]


def test_who_comes_first_has_the_seat_and_is_told_that_the_other_is_away(server: Processes) -> None:
    """At once, not after a second: of a silence that was as long as the server was away something would be made."""
    game = server.game()
    server.kill()
    out = server.connect(1, 100.0)
    assert out == [
        Outgoing("s1", "session_restored", {"game_id": game, "player_id": 1}),
        Outgoing("s1", "player_away", {"game_id": game, "player_id": 0, "return_within": 60.0}),
    ]
    waits = server.lobby.action("s1", action(game, 1, 3, 40), 100.5, 100.5)
    assert waits == [], "it waits for the other one"
    out = server.connect(0, 103.0)
    assert [item.event for item in out] == [
        "session_restored", "player_away", "player_back", "pyodide_other_player_action", "player_back",
    ]  # fmt: skip
    assert said(out, "s0") == [
        ("session_restored", 0), ("player_away", 1), ("player_back", 1), ("pyodide_other_player_action", 1),
    ]  # fmt: skip
    assert said(out, "s1") == [("player_back", 0)]
    passed = server.lobby.action("s0", action(game, 0, 2, 41), 104.0, 104.0)
    assert [(item.sid, item.data["frame_number"]) for item in passed] == [("s1", 41)]
    assert server.ticks(104.0, 300.0, (0, 1)) == [], "all is as before"


def test_who_never_comes_is_gone_after_the_time_that_a_seat_is_kept_and_the_game_over(server: Processes) -> None:
    """Counted from when the room was taken up: how long the server was away is nobody's fault."""
    game = server.game()
    server.kill()
    server.connect(0, 500.0)
    assert said(server.ticks(500.0, 559.5, (0,)), "s0") == []
    out = server.ticks(559.5, 561.0, (0,))
    assert out == [
        Outgoing("s0", "end_game", {"message": "Player 1 lost the connection.", "player_id": 1}),
    ]
    assert server.lobby.games.playing() == []
    server.kill()
    assert server.row(game)["ended"] == 1560.0
    assert server.connect(1, 600.0) == []
    assert server.lobby.kept("s1", 600.0) == {"status": "ok", "kept": False}


def test_of_three_the_others_play_on_without_who_never_comes(server: Processes) -> None:
    """And a further process knows that it is gone."""
    game = server.game(3)
    server.kill(3)
    server.connect(0, 10.0)
    server.connect(2, 11.0)
    out = server.ticks(11.0, 71.5, (0, 2))
    assert [(item.sid, item.event, item.data["player_id"]) for item in out] == [
        ("s0", "end_game", 1), ("s2", "end_game", 1),
    ]  # fmt: skip
    assert server.row(game)["ended"] is None
    server.kill(3)
    assert server.connect(1, 80.0) == [], "its seat is gone for good"
    assert server.lobby.games.playing() == [], "and nobody is there"
    out = server.connect(2, 80.0)
    assert said(out, "s2") == [("session_restored", 2), ("end_game", 1), ("player_away", 0)]
    assert said(server.connect(0, 81.0), "s2") == [("player_back", 0)]


def test_where_nobody_returns_a_seat_is_kept_for_the_grace_and_nobody_is_called_away(server: Processes) -> None:
    """As while the process lasts."""
    server.game(return_within=0)
    server.kill(return_within=0)
    assert said(server.connect(0, 10.0), "s0") == [("session_restored", 0)]
    assert server.ticks(10.0, 24.5, (0,)) == []
    assert said(server.ticks(24.5, 25.5, (0,)), "s0") == [("end_game", 1)]


def test_a_page_that_was_loaded_again_meanwhile_comes_back_when_it_joins(server: Processes) -> None:
    """It knows nothing any more: the events of the start are for it, with the number of its load."""
    game = server.game()
    server.kill()
    assert server.connect(1, 20.0, page="second") == []
    assert server.lobby.kept("s1", 21.0) == {"status": "ok", "kept": True, "ms_remaining": 59_000}
    out = server.connect(0, 22.0)
    assert said(out, "s0") == [("session_restored", 0), ("player_away", 1)]
    reply, out = server.lobby.join("s1", {"game_id": game}, 25.0, 25.0)
    assert (reply["state"], reply["player_id"]) == ("restored", 1)
    assert [item.event for item in out if item.sid == "s1"] == START
    assert next(item.data["load"] for item in out if item.event == "pyodide_game_ready") == 1
    assert said(out, "s0") == [("player_back", 1)]
    server.kill()
    assert server.connect(1, 30.0, page="first") == [], "that load is gone"
    assert said(server.connect(1, 31.0, page="second", sid="s1b"), "s1b")[0] == ("session_restored", 1)
    server.connect(1, 32.0, page="third", sid="s1c")
    _, out = server.lobby.join("s1c", {"game_id": game}, 32.0, 32.0)
    assert next(item.data["load"] for item in out if item.event == "pyodide_game_ready") == 2


def test_no_two_loads_of_a_page_have_one_number_though_the_process_is_killed_between_them(server: Processes) -> None:
    """What is promised is written before it is given; what was given and not written is given to nobody."""
    game = server.game()
    server.connect(1, 20.0, page="second", sid="s1b")
    room = server.lobby.promise("s1b", "session 1", Join(None, None))
    assert room is not None
    server.write()
    assert server.lobby.promise("s1b", "session 1", Join(None, None)) is None, "it is promised already"
    _, out = server.lobby.join("s1b", {"game_id": game}, 20.0, 20.0)
    assert next(item.data["load"] for item in out if item.event == "pyodide_game_ready") == 1
    assert server.lobby.promise("s0", "session 0", Join(None, None)) is None, "it is the one that has the seat"
    # The process is killed before it has written that.
    server.start()
    server.connect(1, 21.0, page="third", sid="s1c")
    _, out = server.lobby.join("s1c", {"game_id": game}, 21.0, 21.0)
    assert next(item.data["load"] for item in out if item.event == "pyodide_game_ready") == 2


def test_who_has_not_heard_that_its_game_began_is_told_so_when_it_asks_for_one(server: Processes) -> None:
    """The words of the start were lost with the process: the page is in the waiting room, and asks again when it
    connects. It is no other load."""
    game = server.game()
    assert server.lobby.join("s0", {}, 1.0, 1.0)[1] == []
    server.kill()
    server.connect(0, 5.0)
    reply, out = server.lobby.join("s0", {}, 5.1, 5.1)
    assert (reply["state"], reply["game_id"]) == ("playing", game)
    assert [(item.sid, item.event) for item in out] == [("s0", event) for event in START]
    assert next(item.data["load"] for item in out if item.event == "pyodide_game_ready") == 0


def test_who_was_on_the_way_back_when_it_ended_is_told_who_is_away(server: Processes) -> None:
    """The first of all to come may be one whose page is being loaded."""
    game = server.game(3)
    server.kill(3)
    server.connect(2, 20.0, page="second")
    _, out = server.lobby.join("s2", {"game_id": game}, 24.0, 24.0)
    assert [event for event, _ in said(out, "s2")] == [*START, "player_away", "player_away"]
    assert said(server.connect(0, 25.0), "s0")[:2] == [("session_restored", 0), ("player_away", 1)]


def test_a_page_that_does_not_say_which_load_it_is_is_the_one_that_was_there(server: Processes) -> None:
    """A page of somebody else's making."""
    server.game()
    server.kill()
    assert said(server.connect(0, 5.0, page=None), "s0")[0] == ("session_restored", 0)


def test_who_was_dropped_stays_so_and_the_rounds_go_on(server: Processes) -> None:
    """What was said of it is said again, since it may have been on its way when the process ended."""
    game = server.game(4)
    for at in (0, 1):
        server.lobby.silent(f"s{at}", {"game_id": game, "player_id": 3}, 10.0, 10.0)
    out = server.lobby.silent("s2", {"game_id": game, "player_id": 3}, 10.5, 10.5)
    assert [item.data["round"] for item in out if item.event == "player_gone"] == [], "the second one decided"
    server.kill(4)
    gone = {"game_id": game, "round": 1, "players": [3]}
    out = server.connect(0, 20.0)
    assert [item for item in out if item.event == "player_gone"] == [Outgoing("s0", "player_gone", gone)]
    assert server.connect(3, 20.0) == []
    server.connect(1, 21.0)
    server.connect(2, 21.0)
    server.lobby.silent("s0", {"game_id": game, "player_id": 2}, 25.0, 25.0)
    out = server.lobby.silent("s1", {"game_id": game, "player_id": 2}, 25.0, 25.0)
    assert {item.data["round"] for item in out} == {2}


def test_nobody_is_dropped_for_not_being_back_yet(server: Processes) -> None:
    """Complaints of who is there already: the seat is kept."""
    game = server.game(3)
    server.kill(3)
    server.connect(0, 10.0)
    server.connect(1, 10.0)
    for number in (0, 1):
        assert server.lobby.silent(f"s{number}", {"game_id": game, "player_id": 2}, 30.0, 30.0) == []
    assert said(server.connect(2, 31.0), "s2")[0] == ("session_restored", 2)


def test_a_stranger_gets_no_seat(server: Processes) -> None:
    """Neither by a session that nobody has, nor by the game's id."""
    game = server.game()
    server.kill()
    assert server.connect(7, 5.0) == []
    assert server.lobby.kept("s7", 5.0) == {"status": "ok", "kept": False}
    reply, out = server.lobby.join("s7", {"game_id": game}, 6.0, 6.0)
    assert (reply["state"], out) == ("over", [])
    with pytest.raises(Refused, match="in no game"):
        server.lobby.action("s7", action(game, 0, 1, 5), 6.0, 6.0)


def test_no_secret_is_in_the_database(server: Processes, tmp_path: Path) -> None:
    """Whoever reads it takes nobody's seat: neither a session nor what a load is known by stands there."""
    server.game()
    (found, _) = server.store.read(sa.select(seats.c.session, seats.c.page).order_by(seats.c.player))
    assert found == {"session": digest("session 0"), "page": digest("first")}
    written = [row for table in games.metadata.sorted_tables for row in server.store.read(sa.select(table))]
    assert len(written) == 3
    assert "session 0" not in repr(written)
    server.store.close()
    for file in tmp_path.glob("study.db*"):
        assert b"session 0" not in file.read_bytes()


@pytest.mark.parametrize("wall", [2000.0, 500.0], ids=["a clock that goes on", "a clock that is set back"])
def test_of_a_session_the_newest_game_counts(server: Processes, wall: float) -> None:
    """An older one that was never ended, since its process was killed, is not taken up for it, nor for its partner."""
    older = server.game()
    server.start()
    for number in (0, 5):
        server.lobby.connect(f"s{number}", {"session_id": f"session {number}", "page": "first"}, 10.0)
        server.lobby.join(f"s{number}", {}, 10.0, wall)
    server.write()
    newer = server.lobby.games.playing()[0].game_id
    server.kill()
    out = server.connect(0, 20.0)
    assert [item.data["game_id"] for item in out if item.event == "session_restored"] == [newer]
    assert server.connect(1, 20.0) == []
    assert server.lobby.games.room(older) is None, "nobody is there to play it with"


def test_of_two_games_that_the_database_takes_late_the_one_that_began_last_is_the_newest(server: Processes) -> None:
    """Whichever it takes first: what could not be written waits behind the others."""
    server.game()
    (older,) = server.lobby.games.playing()
    server.lobby.leave("s0", 5.0, 500.0)
    server.lobby.leave("s1", 5.0, 500.0)
    for number in (0, 1):
        server.lobby.join(f"s{number}", {}, 10.0, 500.0)
    (newer,) = server.lobby.games.playing()
    assert newer.number == older.number + 1
    for room in (newer, older):
        asyncio.run(server.store.put_game(game_row(room) | ending(room), seat_rows(room)))
    server.start()
    restored = [item.data["game_id"] for item in server.connect(0, 20.0) if item.event == "session_restored"]
    assert restored == [newer.game_id]
    # And so they are listed, though the clock was set back between them.
    assert [each.game_id for each in list_games(server.store)] == [older.game_id, newer.game_id]
    over = games_over(server.store, [], None, 5000.0, 5000.0, lambda game: "", lambda subject: subject)
    assert [each["game_id"] for each in over["games"]] == [newer.game_id, older.game_id]


def test_a_game_without_a_number_has_the_place_of_its_time(server: Processes) -> None:
    """A process of the version before, which others of this one stand beside already, gives it none."""
    server.game()
    server.start()
    for number in (0, 1):
        server.lobby.connect(f"s{number}", {"session_id": f"session {number}", "page": "first"}, 10.0)
        server.lobby.join(f"s{number}", {}, 10.0, 2000.0)
    (newer,) = server.lobby.games.playing()
    newer.number = 0
    server.write()
    server.start()
    restored = [item.data["game_id"] for item in server.connect(0, 20.0) if item.event == "session_restored"]
    assert restored == [newer.game_id]


@pytest.mark.parametrize("wall", [2000.0, 500.0], ids=["a clock that goes on", "a clock that is set back"])
def test_of_three_who_has_played_another_game_since_has_left(server: Processes, wall: float) -> None:
    """The others are told so as soon as they are there."""
    server.game(3)
    server.start(1)
    server.lobby.connect("s1", {"session_id": "session 1", "page": "first"}, 10.0)
    server.lobby.join("s1", {}, 10.0, wall)
    server.kill(3)
    out = server.connect(0, 20.0)
    assert said(out, "s0") == [("session_restored", 0), ("end_game", 1), ("player_away", 2)]
    assert out[1].data["message"] == "Player 1 plays another game."


def test_a_game_keeps_the_settings_that_it_began_with(server: Processes) -> None:
    """Whoever starts the server anew may have changed the study."""
    game = server.game(fps=30)
    server.kill(fps=10, return_within=5.0)
    server.connect(0, 1.0, page="second")
    _, out = server.lobby.join("s0", {"game_id": game}, 2.0, 2.0)
    ready = next(item.data for item in out if item.event == "pyodide_game_ready")
    assert (ready["scene_metadata"]["fps"], ready["return_within"]) == (30, 60.0)
    server.kill(fps=10)
    assert '"fps": 30' in server.row(game)["settings"]


def test_what_is_counted_goes_on_from_what_a_process_wrote_when_it_was_stopped(server: Processes) -> None:
    """And how often another one took the game up is counted, too."""
    game = server.game()
    server.lobby.action("s0", action(game, 0, 1, 5), 1.0, 1.0)
    (room,) = server.lobby.games.playing()
    asyncio.run(server.store.put_game(game_row(room) | ending(room, stopped=True), seat_rows(room)))
    assert server.row(game)["ended"] is None
    for _ in range(2):
        server.kill()
        server.connect(0, 2.0)
    counts = server.lobby.games.playing()[0].counts()
    assert (counts["inputs_by_player"], counts["restarts"], counts["state"]) == ({"0": 1, "1": 0}, 2, "playing")


def test_a_game_is_over_when_the_last_one_stores_its_end_at_another_process(server: Processes) -> None:
    """Who had done so before is known."""
    game = server.game()
    asyncio.run(server.store.put_metrics(game, "0", WHOLE, "{}", 1.0))
    server.kill()
    server.connect(1, 10.0)
    store = Store(game, 1, None, 2, "{}", episode=WHOLE)
    seat = server.lobby.owners.of(server.lobby.may_store("s1", 11.0), store)
    assert server.lobby.owners.finished(game, seat, 1011.0)
    server.kill()
    assert server.row(game)["ended"] == 1011.0
    assert server.connect(1, 20.0) == []


def test_only_people_have_seats_where_policies_play(server: Processes) -> None:
    """The ids of all players are known, and whose inputs the first seat sends besides."""
    settings = {"policies": {"1": {"policy": "p", "computed_by": "one"}}}
    server.lobby = Lobby(players=[0, 1, 2], settings={**SETTINGS, **settings}, limits=LIMITS)
    for number in (0, 1):
        server.connect(number, 0.0)
        server.lobby.join(f"s{number}", {}, 0.0, 1000.0)
    game = server.lobby.games.playing()[0].game_id
    server.kill()
    server.connect(0, 5.0)
    server.connect(1, 5.0)
    (room,) = server.lobby.games.playing()
    assert (room.game_id, room.players, [seat.player for seat in room.seats]) == (game, [0, 1, 2], [0, 2])
    out = server.lobby.action("s0", action(game, 1, 4, 5), 6.0, 6.0)
    assert [(item.sid, item.data["player_id"]) for item in out] == [("s1", 1)]
