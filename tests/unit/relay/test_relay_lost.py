"""A socket that is away for longer than its seat is kept ends no game that went on without the server."""

from __future__ import annotations

from typing import Any

import pytest
from people_support import People
from relay_support import action

from pycore.relay.fields import Refused
from pycore.relay.games.rooms import Room


def away_for(seconds: float, *, seats: int = 2, settings: dict[str, Any] | None = None) -> tuple[People, Room]:
    """A game whose first player's socket has been away for so long, and what it knows then."""
    people = People(seats=seats, settings=settings)
    for sid in "abc"[:seats]:
        people.come(sid)
    (room,) = people.lobby.games.playing()
    people.until(10.0)
    people.goes("a")
    people.until(10.0 + seconds)
    people.told.clear()
    return people, room


def back(people: People, page: str = "page of a") -> list[str]:
    """Its client connects again; the events that it is told."""
    people.take(people.lobby.connect("a again", {"session_id": "session of a", "page": page}, people.now))
    return [event for event, _ in people.told.get("a again", [])]


@pytest.mark.parametrize("seats", [2, 3])
@pytest.mark.parametrize("seconds", [61.0, 300.0])
@pytest.mark.parametrize("settings", [{"return_within": 60}, {"return_within": 0}])
def test_a_page_whose_socket_was_away_for_too_long_has_its_seat_again(
    seats: int, seconds: float, settings: dict[str, Any]
) -> None:
    """The others were told, played on with it by their channel, and are told that it is back: the game goes on, and
    whoever goes then has the whole time again."""
    people, room = away_for(seconds, seats=seats, settings=settings)
    assert room.over is (seats == 2)
    assert back(people) == ["session_restored"]
    assert people.lobby.games.playing() == [room]
    assert (room.ended_wall, room.seats[0].outcome, room.seats[0].farewell) == (None, None, None)
    if settings["return_within"]:
        assert [event for event, _ in people.told["b"]] == ["player_back"]
    (first, *_) = people.lobby.action("a again", action(room.game_id, 0, 2, 90), people.now, people.now)
    assert (first.sid, first.event) == ("b", "pyodide_other_player_action")
    assert people.come("b")["state"] == "playing"
    people.told.clear()
    people.take(people.lobby.disconnect("a again", people.now))
    people.until(people.now + 14.0)
    assert "end_game" not in [event for event, _ in people.told.get("b", [])]
    people.until(people.now + 50.0)
    assert "end_game" in [event for event, _ in people.told["b"]]
    assert back(people)[-1] == "session_restored"


@pytest.mark.parametrize("why", ["finished", "plays anew", "gone", "left", "loaded again", "forgotten"])
def test_the_seat_is_given_back_only_while_another_player_sits_in_that_game(why: str) -> None:
    """Not where the other one has finished or sits elsewhere, not to who left, and not to another load of its page,
    which would have to be told what was played."""
    people, room = away_for(61.0)
    page = "page of a"
    if why == "finished":
        room.finish(1, people.now)
    elif why == "plays anew":
        assert people.come("b")["state"] == "waiting"
    elif why == "gone":
        people.goes("b")
    elif why == "left":
        people, room = away_for(5.0)
        assert back(people) == ["session_restored"]
        people.take(people.lobby.leave("a again", people.now, people.now))
        people.told.clear()
    elif why == "loaded again":
        page = "another load"
    else:
        people.until(10.0 + 62.0 + people.lobby.limits.retention_s)
        assert people.lobby.games.known() == []
    assert back(people, page) == []
    with pytest.raises(Refused, match="you are in no game"):
        people.lobby.action("a again", action(room.game_id, 0, 2, 90), people.now, people.now)


def test_who_plays_another_game_meanwhile_stays_in_that() -> None:
    """Its session has one place."""
    people, room = away_for(61.0)
    assert people.come("anew", session="session of a")["state"] == "waiting"
    people.come("c")
    (other,) = people.lobby.games.playing()
    assert other is not room
    people.goes("anew")
    people.take(people.lobby.connect("a again", {"session_id": "session of a", "page": "page of anew"}, people.now))
    assert people.lobby._connections["a again"].room is other
    assert room.over


def test_an_older_game_that_is_forgotten_takes_no_newer_one_along() -> None:
    """In which the same session was lost as well."""
    people, first = away_for(61.0)
    people.come("anew", session="session of a")
    assert people.come("b")["state"] == "playing"
    (second,) = people.lobby.games.playing()
    people.goes("anew")
    people.until(people.now + 61.0)
    assert second.over
    people.lobby.games.drop(first)
    people.take(people.lobby.connect("a again", {"session_id": "session of a", "page": "page of anew"}, people.now))
    assert people.lobby._connections["a again"].room is second
    assert people.lobby.games.playing() == [second]


def test_a_game_that_goes_on_is_written_down_as_one_and_told_of() -> None:
    """Its end is taken back in the database too."""
    from pycore.relay.storage.written import ending

    people, room = away_for(61.0)
    room.take_changed()
    assert ending(room)["ended"] is not None
    back(people)
    assert room.take_changed()
    assert ending(room)["ended"] is None
