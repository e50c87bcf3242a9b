"""The waiting room: being asked before a game begins, being abandoned, and waiting in vain."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people_support import People
from relay_support import Relay

from pycore.errors import ConfigError
from pycore.relay import Limits
from pycore.relay.games.connections import Connection
from pycore.relay.matching import FirstCome, LatencyAware
from pycore.relay.people.admission import Admission
from pycore.relay.people.recruiting import Recruiting


def test_a_game_begins_when_everybody_has_said_that_they_are_there() -> None:
    """Not when they are found."""
    people = People(ready_check=20)
    assert people.come("a")["state"] == people.come("b")["state"] == "waiting"
    for sid in "ab":
        assert people.told[sid][-1] == ("ready_check", {"ms_remaining": 20_000, "players": 2})
    people.until(5.0)
    assert people.ready("a")
    assert people.game_of("a") is None
    assert people.ready("b")
    assert people.game_of("a") == people.game_of("b") is not None
    # An answer that nobody asked for changes nothing.
    assert not people.ready("b")


def test_a_server_that_stood_still_gives_everybody_the_time_that_they_had_to_answer() -> None:
    """It takes what they say only when it goes on, and the clock strikes before that."""
    people = People(ready_check=20)
    people.come("a")
    people.come("b")
    people.until(19.0)
    people.now += 60.0
    people.lobby.pairing.waiting.stood(60.0, people.now)
    people.take(people.lobby.tick(people.now, people.now))
    assert people.ready("a")
    assert people.ready("b")
    assert people.game_of("a") == people.game_of("b") is not None


def test_a_server_that_stood_still_lets_nobody_wait_in_vain_for_that() -> None:
    """A partner may stand at the door. How long somebody has waited is told as it was; and another window of the same
    person has the same time left."""
    people = People(limits=Limits(waiting_s=100.0))
    people.come("a")
    people.until(90.0)
    people.now += 60.0
    people.lobby.pairing.waiting.stood(60.0, people.now)
    people.take(people.lobby.tick(people.now, people.now))
    assert people.codes("a") == []
    people.take(people.lobby.pairing.waiting.tell(people.now))
    assert people.told["a"][-1][1]["ms_remaining"] == 10_000
    people.come("b", session="session of a")
    assert people.told["b"][-1][1]["ms_remaining"] == 10_000
    people.until(159.5)
    assert people.codes("b") == []
    people.until(160.5)
    assert people.codes("b") == ["waited_too_long"]
    (outcome, _) = people.lobby.take_decided()[0]
    assert (outcome.outcome, outcome.waited_s) == ("waited_in_vain", 160.0)


def test_a_server_that_stood_still_forgets_nobody_who_is_on_the_way() -> None:
    """From another process: who cannot come keeps the place."""
    room = People().lobby.pairing.waiting
    room.former.add("session", 1.0, 10.0)
    room.former.hold(10.0)
    room.stood(100.0, 111.0)
    room.look(111.0)
    assert "session" in room.former
    assert room.former.missing(111.0)
    assert not room.former.missing(114.0)
    room.look(171.0)
    assert "session" not in room.former


def test_who_does_not_answer_is_out_and_the_other_is_first_in_the_queue() -> None:
    """Before those who came later; who is out may come again, behind them."""
    people = People(ready_check=20)
    people.come("dead")
    people.until(1.0)
    people.come("a")
    people.ready("a")
    people.until(3.0)
    people.come("b")
    people.events("a")
    people.until(21.5)
    assert people.codes("dead") == ["not_ready"]
    # It is asked again at once, with the next one.
    told = people.told["a"]
    assert [event for event, _ in told] == ["waiting_room", "ready_check"]
    assert told[0][1]["note"] == "other_not_ready"
    assert people.come("dead")["state"] == "waiting"
    people.ready("a")
    people.ready("b")
    assert people.game_of("a") == people.game_of("b") is not None
    assert people.game_of("dead") is None


def test_who_goes_while_being_asked_costs_the_other_nothing() -> None:
    """Nobody waits for the rest of the time; whoever had not answered yet is not out."""
    people = People(ready_check=20)
    people.come("a")
    people.come("b")
    people.until(2.0)
    people.goes("b")
    people.come("c")
    people.until(3.0)
    assert people.codes("a") == []
    assert people.ready("a")
    assert people.ready("c")
    assert people.game_of("a") == people.game_of("c") is not None


def test_who_was_abandoned_before_the_game_began_is_first_in_the_queue() -> None:
    """A stranger who comes and goes costs honest people a moment, not their turn."""
    people = People(settings={"return_within": 0})
    people.come("a")
    people.until(1.0)
    people.come("stranger")
    game = people.game_of("a")
    people.until(2.0)
    people.leave("stranger")
    assert people.come("stranger")["state"] == "waiting"
    assert people.come("a", unbegun=game)["state"] == "playing"
    people.until(3.0)
    people.leave("stranger")
    people.come("b")
    # It came at 0, so it is before `b`, who waited when it was back in the queue.
    reply = people.come("a", unbegun=people.game_of("a"))
    assert (reply["state"], reply["player_id"]) == ("playing", 0)
    assert people.game_of("a") == people.game_of("b")


def test_of_three_nobody_waits_for_the_one_who_went() -> None:
    """Who says that the game did not begin leaves it; the others are told, and do the same."""
    people = People(seats=3, settings={"return_within": 0})
    for sid in "abc":
        people.come(sid)
    game = people.game_of("a")
    people.until(1.0)
    people.come("d")
    people.leave("c")
    assert people.come("a", unbegun=game)["state"] == "waiting"
    assert people.told["a"][-1][1]["note"] == "other_left"
    assert "end_game" in people.events("b")
    assert people.come("b", unbegun=game)["state"] == "playing"
    assert people.game_of("a") == people.game_of("b") == people.game_of("d") != game
    (room,) = people.lobby.games.playing()
    assert [seat.since for seat in room.seats] == [0.0, 0.0, 1.0]


def test_who_had_said_how_it_is_connected_before_it_was_abandoned_keeps_its_turn(relay: Relay) -> None:
    """That is stored as soon as a link is up, also where the third of them never comes."""

    async def go() -> None:
        async with relay.clients(3) as (one, gone, next_one):
            await one.call("join_game", {"session_id": "one"})
            since = next(iter(relay.app.relay.lobby.pairing.waiting.sessions().values()))
            await gone.call("join_game", {})
            game = (await one.get("start_game"))["game_id"]
            link = {"game_id": game, "player_id": 0, "remote_player_id": 1, "connection_type": "direct"}
            assert await one.call("p2p_connection_type", link) == {"status": "ok"}
            await gone.call("leave_game", {})
            await next_one.call("join_game", {})
            assert (await one.call("join_game", {"unbegun": game}))["player_id"] == 0
            (room,) = relay.app.relay.lobby.games.playing()
            assert room.seats[0].since == since

    asyncio.run(go())


@pytest.mark.parametrize("why", ["server_full", "elsewhere", "not_invited"])
def test_who_left_a_game_for_another_one_has_left_it_also_where_that_is_refused(why: str) -> None:
    """The others of it are told: they waited for a player that the server knew to be gone."""
    people = People(
        seats=4, settings={"return_within": 0}, limits=Limits(rooms=1), admission=Admission(dict.fromkeys("abcdefg"))
    )
    for sid in "abcd":
        people.come(sid, f"PROLIFIC_PID={sid}")
    game = people.game_of("a")
    people.leave("d")
    if why == "server_full":
        for sid in "efg":
            people.come(sid, f"PROLIFIC_PID={sid}")
    if why == "elsewhere":
        window = Connection("another window", Limits())
        window.subject_id = "a"
        people.lobby.pairing.waiting.enter(window, 0.0)
    people.events("b")
    reply = people.come("a", "PROLIFIC_PID=" + ("stranger" if why == "not_invited" else "a"), unbegun=game)
    assert (reply["status"], reply["code"]) == ("error", why)
    assert people.codes("a")[-1] == why
    assert people.events("b") == ["end_game"]
    assert people.game_of("a") is None


def test_who_waits_where_no_further_game_can_begin_waits_on_though_it_asks_again() -> None:
    """Whoever else would make a game with it is refused for the moment."""
    people = People(limits=Limits(rooms=1))
    for sid in "abc":
        people.come(sid)
    assert people.come("d")["code"] == "server_full"
    assert people.come("c")["state"] == "waiting"


def test_a_game_that_was_played_gives_nobody_a_place_in_front() -> None:
    """Nor one that only the page itself gave up."""
    people = People(settings={"return_within": 0})
    people.come("a")
    people.until(1.0)
    people.come("b")
    game = people.game_of("a")
    people.until(2.0)
    assert people.come("a", unbegun=game)["state"] == "waiting"
    assert people.lobby._connections["a"].waiting_since == 2.0
    people.come("b", unbegun=game)
    room = people.lobby._connections["b"].room
    assert room is not None
    seat = room.owner(people.lobby._connections["b"].session)
    assert seat is not None
    seat.played = True
    people.leave("a")
    people.until(5.0)
    people.come("b", unbegun=room.game_id)
    assert people.lobby._connections["b"].waiting_since == 5.0
    # Nobody has a part in another one's game.
    people.come("c", unbegun=room.game_id)
    assert people.lobby._connections["b"].room is people.lobby._connections["c"].room


@pytest.mark.parametrize(
    ("matcher", "here"),
    [
        ("first_come", [2, 2]), ("latency", [2, 2]), ("groups", [1, 1]), ({"name": "groups", "groups": ["c"]}, [2, 2]),
        ({"name": "groups", "groups": ["a"]}, [1, 1]),
    ],
)  # fmt: skip
def test_who_waits_is_told_of_those_with_whom_the_matcher_may_put_it(matcher: object, here: list[int]) -> None:
    """A group that stands in an address is none to a matcher that knows no groups, or not this one."""
    people = People(seats=3, matcher=matcher)
    for sid in "ab":
        people.come(sid, f"?group={sid}")
    told = [people.told[sid][-1][1] for sid in "ab"]
    assert [each["cur_num_players"] for each in told] == here
    assert [each["players_needed"] for each in told] == [3 - each for each in here]


@pytest.mark.parametrize("given", [["a list"], 1 / 3, ZeroDivisionError()], ids=["no key", "odd", "raises"])
def test_a_matcher_whose_groups_are_none_keeps_nobody_out(given: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What it takes somebody's group for is a study's own code; the log says that it failed."""

    class Own(FirstCome):
        def group_of(self, group: str | None) -> Any:
            if isinstance(given, Exception):
                raise given
            return given

    people = People(seats=3, matcher=Own())
    for sid in "ab":
        people.come(sid, f"?group={sid}")
    here = 2 if isinstance(given, float) else 1
    assert [people.told[sid][-1][1]["cur_num_players"] for sid in "ab"] == [here, here]
    assert ("the matcher Own failed" in caplog.text) is (here == 1)


def test_nobody_waits_for_longer_than_the_study_wants() -> None:
    """`waiting_limit` is the study's; who is asked just then is not out for it."""
    people = People(waiting_limit=30, ready_check=20)
    people.come("a")
    assert people.told["a"][0][1]["ms_remaining"] == 30_000
    people.until(29.0)
    people.come("b")
    people.until(35.0)
    assert people.codes("a") == []
    people.ready("a")
    people.ready("b")
    assert people.game_of("a") is not None
    people.come("c")
    people.until(64.0)
    assert people.codes("c") == []
    people.until(65.25)
    assert people.codes("c") == ["waited_too_long"]


def test_round_trips_are_measured_while_people_wait_if_the_matcher_wants_them() -> None:
    """Again and again; the shortest counts, since the others were held up on the way."""
    people = People(matcher="latency")
    people.come("a")
    people.until(0.25)
    assert people.events("a")[-1] == "pycore_echo"
    people.now = 0.35
    people.lobby.echo("a", people.now)
    people.lobby.echo("a", 1.0)  # nobody asked for it
    people.until(2.5)
    assert people.events("a") == ["pycore_echo"]
    people.lobby.echo("a", people.now + 0.5)
    (place,) = people.lobby.pairing.waiting._places.values()
    assert place.rtt == pytest.approx(0.1)
    first_come = People()
    first_come.come("a")
    first_come.until(5.0)
    assert "pycore_echo" not in first_come.events("a")


def test_an_answer_that_was_held_up_makes_nobody_near() -> None:
    """By a line that stood for more than two seconds. Of an answer that never comes it is asked again."""
    people = People(matcher="latency")
    people.come("a")
    people.until(2.5)
    assert people.events("a").count("pycore_echo") == 1
    people.lobby.echo("a", people.now)
    (place,) = people.lobby.pairing.waiting._places.values()
    assert place.rtt == pytest.approx(2.25)
    people.until(4.0)
    assert people.events("a").count("pycore_echo") == 1
    people.until(20.0)
    assert people.events("a").count("pycore_echo") == 1


def test_people_who_are_far_apart_are_paired_after_a_while() -> None:
    """And those who are near each other at once, although they came later."""
    people = People(matcher="latency")
    for sid, rtt in (("far", 0.4), ("near", 0.02), ("nearer", 0.01)):
        people.come(sid)
        people.until(people.now + 0.25)
        people.lobby.echo(sid, people.now + rtt)
        people.until(people.now + 1.0)
    assert people.game_of("near") == people.game_of("nearer") is not None
    people.come("late")
    people.until(LatencyAware().patience - 0.5)
    assert people.game_of("far") is None
    people.until(LatencyAware().patience + 0.5)
    assert people.game_of("far") == people.game_of("late") is not None


def test_a_broken_matcher_of_a_study_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and who waits is told in the end that nobody came."""

    class Broken:
        def match(self, waiting, seats, now):
            return [[waiting[0], waiting[0]]]

    people = People(waiting_limit=3)
    people.lobby.pairing.waiting._matcher = Broken()
    people.come("a")
    people.come("b")
    assert "the matcher Broken failed" in caplog.text
    people.until(4.0)
    assert people.codes("a") == people.codes("b") == ["waited_too_long"]


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from(["come", "goes", "ready", "wait", "leave"]))))
def test_whatever_people_do_nobody_is_in_two_places(steps: list[tuple[str, str]]) -> None:
    """In the queue, being asked, or in one game; and the queue is in the order in which they began to wait."""
    people = People(ready_check=2, waiting_limit=5, settings={"return_within": 0})
    for sid, step in steps:
        connected = sid in people.lobby._connections
        if step == "come":
            people.come(sid, unbegun=people.game_of(sid) if connected else None)
        elif step == "goes":
            people.goes(sid)
        elif step == "wait":
            people.until(people.now + 0.75)
        elif connected:
            (people.ready if step == "ready" else people.leave)(sid)
        places = list(people.lobby.pairing.waiting._places.values())
        assert [one.since for one in places] == sorted(one.since for one in places)
        waiting = {one.connection.sid for one in places}
        rooms = people.lobby.games.playing()
        playing = [seat.sid for room in rooms for seat in room.seats if seat.sid and not seat.gone]
        assert len(playing) == len(set(playing))
        assert waiting.isdisjoint(playing)
        for one in places:
            assert one.check is None or one in one.check.places
            assert one.connection.waiting_since == one.since


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"ready_check": -1}, "ready_check is -1"), ({"ready_check": "20"}, "ready_check"),
        ({"waiting_limit": 0}, "waiting_limit"), ({"matcher": "fist_come"}, "first_come"), ({"matcher": 3}, "matcher"),
        ({"redy_check": 3}, "ready_check"), ({"next": {"complete": "https://x"}}, "completed"),
        ({"next": "javascript:alert(1)"}, "https"), ({"next": 3}, "next"), ({"next": "https://[x"}, "https"),
        ({"next": "https://"}, "https"), ({"next": {"failed": None}}, "next.failed"),
    ],
)  # fmt: skip
def test_what_a_study_says_is_checked_before_anybody_comes(values: dict, why: str) -> None:
    """By name."""
    with pytest.raises(ConfigError, match=why):
        Recruiting.of(values)
