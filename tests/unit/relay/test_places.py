"""One place for each person, whatever windows they open; and who may come at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from people_support import People

from pycore.errors import ConfigError
from pycore.relay import Limits
from pycore.relay.fields import Refused
from pycore.relay.games.payloads import Join
from pycore.relay.people.admission import Admission, address_of, parse_subjects, read_subjects, token_of

ANNA = "?PROLIFIC_PID=anna"
BERT = "?PROLIFIC_PID=bert"
SECRET = "a secret of the study"


def test_nobody_is_paired_with_themselves() -> None:
    """The second window of a person who waits is told so, and the first one's place is as it was."""
    people = People()
    people.come("one", ANNA)
    people.until(1.0)
    assert people.come("two", ANNA) == {"status": "error", "code": "elsewhere"}
    assert people.come("partner", BERT)["state"] == "playing"
    assert people.game_of("one") == people.game_of("partner")
    assert people.come("two", ANNA) == {"status": "error", "code": "elsewhere"}


def test_a_second_window_takes_the_place_in_the_queue_over_if_it_wants_to() -> None:
    """With the time waited so far; the first one is told, and closed."""
    people = People(waiting_limit=30)
    people.come("one", ANNA)
    people.until(20.0)
    assert people.come("two", ANNA, take_over=True)["state"] == "waiting"
    assert people.codes("one") == ["replaced"]
    assert people.told["two"][-1][1]["ms_remaining"] == 10_000
    people.come("partner", BERT)
    assert people.game_of("two") == people.game_of("partner") is not None
    assert people.game_of("one") is None


def test_a_second_window_takes_the_seat_over_if_it_wants_to() -> None:
    """As a page that was loaded again; what the first one still has to store is taken."""
    people = People()
    people.come("one", ANNA)
    people.come("partner", BERT)
    (room,) = people.lobby.games.playing()
    assert people.come("two", ANNA, take_over=True)["state"] == "restored"
    assert people.codes("one") == ["replaced"]
    assert people.game_of("two") == room.game_id
    assert "start_game" in people.events("two")
    assert "end_game" not in people.events("partner")
    seat = room.seats[0]
    first, second = (people.lobby._connections[sid] for sid in ("one", "two"))
    assert seat.sid == "two"
    assert room.owner(second.session) is seat
    # The first window's connection has no session any more: its stores present it.
    first.session_id = "session of one"
    assert room.owner(first.session) is seat
    assert room.take_changed()
    # And it gets no seat back by it.
    people.goes("one")
    people.told.clear()
    people.take(people.lobby.connect("one", {"session_id": "session of one"}, people.now))
    assert people.told == {}


def test_where_nobody_returns_the_old_game_is_left_for_the_new_window() -> None:
    """The others are told; one person is never in two games."""
    people = People(settings={"return_within": 0})
    people.come("one", ANNA)
    people.come("partner", BERT)
    assert people.come("two", ANNA, take_over=True)["state"] == "waiting"
    assert people.codes("one") == ["replaced"]
    assert "end_game" in people.events("partner")


def test_where_nobody_sits_before_the_first_window_nobody_is_asked() -> None:
    """Who closed the tab, or has another device, comes back into the game."""
    people = People()
    people.come("one", ANNA)
    people.come("partner", BERT)
    people.goes("one")
    people.until(10.0)
    assert people.come("two", ANNA)["state"] == "restored"
    assert people.game_of("two") == people.game_of("partner")


def test_who_has_played_to_the_end_may_play_again_in_another_window() -> None:
    """The first one may stand open for hours."""
    people = People()
    people.come("one", ANNA)
    people.come("partner", BERT)
    (room,) = people.lobby.games.playing()
    people.lobby.owners.finished(room.game_id, room.seats[0], 10.0)
    assert people.come("two", ANNA)["state"] == "waiting"


def test_people_of_whom_nothing_is_known_are_told_apart_by_their_pages() -> None:
    """Two windows without a subject are two people."""
    people = People()
    people.come("one")
    assert people.come("two")["state"] == "playing"


def test_a_reload_in_the_queue_keeps_its_turn() -> None:
    """The same page again, before the socket of its last load was seen to close."""
    people = People()
    people.come("one", session="s")
    people.until(5.0)
    people.come("one again", session="s")
    assert people.codes("one") == ["replaced"]
    assert people.lobby._connections["one again"].waiting_since == 0.0


def test_nobody_comes_back_to_a_seat_of_somebody_else() -> None:
    """The next participant on a machine of a laboratory opens the study in the tab that the last one left in a game."""
    people = People()
    people.come("a", ANNA, session="of the tab")
    people.come("partner")
    (room,) = people.lobby.games.playing()
    people.goes("a")
    reply = people.come("b", BERT, session="of the tab", game_id=room.game_id)
    assert reply["state"] == "over"
    assert people.come("b", BERT, session="of the tab")["state"] == "waiting"
    assert people.lobby.games.playing() == [room]
    people.come("c")
    assert people.game_of("b") == people.game_of("c") != room.game_id
    people.come("a again", ANNA, session="another")
    assert people.game_of("a again") == room.game_id


def test_to_somebody_else_no_seat_is_kept_and_no_load_of_its_page_promised() -> None:
    """Its page would say that it comes back; and of whose seat it is the game may lack what a page that is loaded again
    misses."""
    people = People()
    people.come("a", ANNA, session="of the tab")
    people.come("partner")
    (room,) = people.lobby.games.playing()
    people.goes("a")
    for query, kept in ((BERT, False), (ANNA, True), ("", True)):
        auth = {"session_id": "of the tab", "page": "another", "query": query}
        people.take(people.lobby.connect("b", auth, people.now))
        assert people.lobby.kept("b", people.now)["kept"] is kept
        promised = people.lobby.promise("b", "of the tab", Join(None, None))
        assert (promised is room, room.seats[0].promised) == (kept, int(kept))
        room.seats[0].promised = 0
        people.goes("b")


def test_whose_socket_was_dead_when_the_game_began_gets_its_beginning_when_it_asks_again() -> None:
    """A change of network leaves a socket behind of which nobody has noticed yet that it is dead. Its page waits still,
    and asks by the next one; by that a second time it is told nothing more."""
    people = People()
    people.come("a")
    people.until(1.0)
    people.come("b")
    people.take(people.lobby.connect("a anew", {"session_id": "session of a", "page": "page of a"}, people.now))
    assert people.events("a anew") == ["session_restored"]
    start = ["pyodide_player_assigned", "pyodide_game_ready", "start_game"]
    for told in (start, []):
        reply = people.come("a anew", session="session of a")
        assert (reply["state"], reply["player_id"]) == ("playing", 0)
        assert people.events("a anew") == told
    people.events("b")
    assert people.come("b")["state"] == "playing"
    assert people.events("b") == []
    # Whoever plays knows of its game, and has only lost its connection.
    (room,) = people.lobby.games.playing()
    room.seats[1].inputs = 1
    people.take(people.lobby.connect("b anew", {"session_id": "session of b", "page": "page of b"}, people.now))
    assert people.come("b anew", session="session of b")["state"] == "playing"
    assert people.events("b anew") == ["session_restored"]


def test_a_list_lets_in_who_is_on_it() -> None:
    """With the group that it says."""
    subjects = parse_subjects(["# pilot", "anna, north", "bert", "", "cleo,north"], "list")
    assert subjects == {"anna": "north", "bert": None, "cleo": "north"}
    people = People(admission=Admission(subjects), matcher="groups")
    assert people.come("x")["code"] == people.come("y", "?PROLIFIC_PID=dora")["code"] == "not_invited"
    people.come("a", f"{ANNA}&group=south")
    people.come("b", BERT)
    assert people.game_of("a") is None
    people.come("c", "?PROLIFIC_PID=cleo")
    assert people.game_of("a") == people.game_of("c") is not None


def test_a_signed_address_lets_in_whom_it_names() -> None:
    """Nobody else, and to no other group."""
    people = People(admission=Admission(secret=SECRET))
    address = address_of("https://study.example.org/?x=1", SECRET, "anna", "a b", "PROLIFIC_PID")
    query = address.partition("/?")[2]
    assert query.startswith("x=1&PROLIFIC_PID=anna&group=a+b&token=")
    for changed in (
        "", ANNA, query.replace("anna", "bert"), query.replace("a+b", "c"), query.replace("&group=a+b", ""),
        query[:-1], f"{ANNA}&token={token_of('another secret of it', 'anna')}", f"{ANNA}&token=",
    ):  # fmt: skip
        assert people.come("x", changed) == {"status": "error", "code": "not_invited"}, changed
    assert people.come("x", query)["state"] == "waiting"
    assert people.lobby._connections["x"].subject_id == "anna"
    # A page may say its address with its first word alone.
    auth = {"session_id": "z", "query": f"PROLIFIC_PID=zoe&token={token_of(SECRET, 'zoe')}"}
    people.take(people.lobby.connect("z", auth, people.now))
    assert people.lobby.join("z", {}, people.now, people.now)[0]["state"] == "playing"
    # Of the two that may stand in a page's word and in its address, the token is for one.
    assert people.come("y", query, subject_id="bert") == {"status": "error", "code": "not_invited"}


@pytest.mark.parametrize(
    "query", ["PROLIFIC_PID={{%PROLIFIC_PID%}}&x=1", "prolific-pid=bert&x=1", "group=south&x=1", "token=old&x=1", "x=1"]
)
def test_a_signed_address_says_nothing_of_anybody_else(query: str) -> None:
    """The page's own may have been copied from the panel, with the panel's name for the id."""
    people = People(admission=Admission(secret=SECRET))
    for subject, group in (("anna", None), ("cleo", "north")):
        address = address_of(f"https://study.example.org/?{query}", SECRET, subject, group, "PROLIFIC_PID")
        assert address.startswith("https://study.example.org/?x=1&PROLIFIC_PID=")
        assert people.come(subject, address.partition("?")[2])["status"] == "ok"
        assert people.lobby.connections[subject].subject_id == subject


def test_with_a_list_and_a_secret_both_are_asked_for() -> None:
    """A token of somebody who was taken off the list is worth nothing."""
    admission = Admission({"bert": None}, SECRET)
    for subject in ("anna", "bert"):
        query = f"PROLIFIC_PID={subject}&token={token_of(SECRET, subject)}"
        if subject == "bert":
            assert admission.admit(subject, query, Limits()).subject == "bert"
            continue
        with pytest.raises(Refused, match="invited"):
            admission.admit(subject, query, Limits())


def test_who_may_come_is_read_with_care(tmp_path: Path) -> None:
    """A study that lets nobody in, or everybody, by a slip is found when it starts."""
    file = tmp_path / "subjects.csv"
    file.write_bytes(b"\xef\xbb\xbfanna\r\nbert,g\r\n")
    assert read_subjects(file) == {"anna": None, "bert": "g"}
    wrong = (("", "no subject"), ("anna\nanna,2", "line 2.*twice"), ("x" * 200, "line 1"), ("a\x1bb", "line 1"))
    for text, why in wrong:
        file.write_text(text)
        with pytest.raises(ConfigError, match=why):
            read_subjects(file)
    with pytest.raises(ConfigError, match="cannot read"):
        read_subjects(tmp_path / "none")
    with pytest.raises(ConfigError, match="16 or more"):
        Admission(secret="short")
