"""What each participant's visit comes to: decided from evidence, written down, told once, and where to go then."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from people_support import People
from relay_support import Client, Relay, running

from pycore.cli import cli
from pycore.relay import visits
from pycore.relay.games.outcomes import EXCLUDED, FAILED, OUTCOMES, PARTNER_LEFT, Outcome, outcome_of, person_of
from pycore.relay.people.recruiting import Recruiting
from pycore.relay.storage.export import list_study
from pycore.relay.storage.participants import came_to, participants_of
from pycore.relay.storage.store import DataStore
from pycore.session.topics.over import REASONS

NEXT = "https://panel.example.org/{outcome}?who={subject}"
WHOLE = -1


def metrics(game: str, player: int, reason: str, **more: Any) -> dict[str, Any]:
    """The last store of a session that ended so."""
    text = f'{{"gameId":"{game}","end":{{"reason":"{reason}"}}}}'
    return {"game_id": game, "player_id": player, "episode": WHOLE, "metrics": text, **more}


def played(game: str, player: int, episode: int = 0, *, first: int = 0, frames: int = 3, last: bool = True, **more: Any
) -> dict[str, Any]:  # fmt: skip
    """A store of rows, with the end of the episode."""
    lines = ["head", *(f"row {first + number}" for number in range(frames)), *(["end"] if last else [])]
    return {
        "game_id": game, "player_id": player, "episode": episode, "revision": 0, "base": 0, "first": first,
        "frames": frames, "last": last, "data": "\n".join(lines) + "\n", **more,
    }  # fmt: skip


async def completes(client: Client, game: str, player: int, **more: Any) -> None:
    """A page stores what was played, and then that its session came to its end."""
    assert await client.call("pycore_rows", played(game, player, **more)) == {"status": "ok"}
    assert await client.call("p2p_session_metrics", metrics(game, player, "complete", **more)) == {"status": "ok"}


def rows(relay: Relay, query: str) -> list[tuple[Any, ...]]:
    """What the database says."""
    with sqlite3.connect(relay.folder / "study.db") as database:
        return database.execute(query).fetchall()


async def written(relay: Relay, query: str, *expected: tuple[Any, ...]) -> None:
    """Wait until the database says this: what changes of a game is written beside it."""
    deadline = time.monotonic() + 5
    while (found := rows(relay, query)) != list(expected):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.02)


async def two(relay: Relay, *queries: str) -> tuple[list[Client], str]:
    """Two pages in one game, with these addresses."""
    clients = [await Client(relay.url).connect() for _ in range(2)]
    for number, client in enumerate(clients):
        query = queries[number] if number < len(queries) else ""
        await client.call("join_game", {"session_id": f"{time.monotonic_ns()}", "query": query})
    game = ""
    for client in clients:
        game = (await client.get("start_game"))["game_id"]
    return clients, game


@pytest.fixture(scope="module")
def sending(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """A relay of a study that sends everybody on."""
    with running(tmp_path_factory.mktemp("sending"), recruiting={"next": NEXT}) as started:
        yield started


@pytest.mark.parametrize(
    ("reason", "loads", "code"),
    [
        ("complete", 0, "completed"), ("stop", 0, "completed"), ("player_left", 0, "partner_left"),
        ("no_return", 0, "partner_left"), ("no_return", 1, "failed"), ("dropped", 0, "failed"),
        ("desync", 0, "failed"), ("error", 0, "failed"), (None, 0, "failed"), ("whatever", 0, "failed"),
        ("focus_loss_timeout", 0, "excluded"), ("partner_exclusion", 0, "partner_left"),
        ("ready_timeout", 0, "partner_left"), ("ready_timeout", 1, "partner_left"), ("p2p_timeout", 0, "failed"),
    ],
)  # fmt: skip
def test_an_outcome_follows_from_why_the_session_ended(reason: str | None, loads: int, code: str) -> None:
    """By the words of the metrics."""
    assert outcome_of(reason, loads) == code


def test_every_reason_has_an_outcome() -> None:
    """Whatever a session ends by."""
    assert {outcome_of(reason) for reason in REASONS} <= set(OUTCOMES)


def test_who_has_played_to_the_end_is_told_where_to_go_once_the_data_are_there(sending: Relay) -> None:
    """With the subject in the address; a page that is loaded again is told the same, and gets no other game."""

    async def go() -> None:
        (one, other), game = await two(sending, "?PROLIFIC_PID=a%20b%26c", "?PROLIFIC_PID=bert")
        await completes(one, game, 0)
        told = await one.get("outcome")
        assert told["outcome"] == "completed"
        assert told["next"] == "https://panel.example.org/completed?who=a%20b%26c"
        # Whatever is stored or claimed afterwards: the first word stands.
        await one.call("p2p_session_metrics", metrics(game, 0, "player_left"))
        assert await one.get("outcome") == told
        await one.close()
        again = await Client(sending.url).connect()
        wish = {"session_id": "another session", "query": "?PROLIFIC_PID=a%20b%26c"}
        reply = await again.call("join_game", wish)
        assert (reply["state"], reply["outcome"], reply["next"]) == ("done", "completed", told["next"])
        assert await again.get("outcome") == {**told, "game_id": None}
        assert sending.app.relay.lobby.health()["waiting"] == 0
        await other.call("p2p_session_metrics", metrics(game, 1, "player_left"))
        assert (await other.get("outcome"))["next"].endswith("/partner_left?who=bert")
        await asyncio.gather(again.close(), other.close())
        found = rows(sending, f"SELECT subject, outcome, final FROM outcomes WHERE game_id = '{game}' ORDER BY player")
        assert found == [("a b&c", "completed", 1), ("bert", "partner_left", 1)]

    asyncio.run(go())


@pytest.mark.slow
def test_who_says_that_it_played_to_the_end_is_believed_when_its_rows_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And until then sent nowhere; the partner's rows say nothing of it. Rows that come after all are believed."""
    monkeypatch.setattr(visits, "PROVED_WITHIN_S", 0.5)

    async def go(relay: Relay) -> None:
        clients, game = await two(relay, "?PROLIFIC_PID=liar", "?PROLIFIC_PID=bert")
        liar, partner = clients
        await completes(partner, game, 1)
        assert (await partner.get("outcome"))["outcome"] == "completed"
        assert await liar.call("p2p_session_metrics", metrics(game, 0, "complete")) == {"status": "ok"}
        await liar.quiet("outcome")
        for piece in (played(game, 0, frames=0), played(game, 0, first=2), played(game, 0, frames=1, last=False)):
            await liar.call("pycore_rows", piece)
        await liar.quiet("outcome")
        told = await liar.get("outcome")
        assert (told["outcome"], told["next"]) == ("incomplete", None)
        assert rows(relay, "SELECT outcome, final FROM outcomes WHERE subject = 'liar'") == [("incomplete", 0)]
        await liar.call("p2p_session_metrics", metrics(game, 0, "stop"))
        await liar.quiet("outcome")
        await liar.call("pycore_rows", played(game, 0, first=1, frames=1, last=False))
        assert (await liar.get("outcome"))["outcome"] == "completed"
        await written(relay, "SELECT outcome FROM seats ORDER BY player", ("completed",), ("completed",))
        await asyncio.gather(*(client.close() for client in clients))

    with running(tmp_path, recruiting={"next": {"completed": NEXT}}) as relay:
        asyncio.run(go(relay))


def test_who_was_sent_on_as_incomplete_is_so_in_the_data_and_is_told_by_its_next_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had lost its socket before that was decided. Rows that come after all make no other outcome of it: it has the
    address of this one."""
    monkeypatch.setattr(visits, "PROVED_WITHIN_S", 0.5)
    seat = "SELECT outcome FROM seats WHERE player = '0'"

    async def go(relay: Relay) -> str:
        auth = {"session_id": "late", "page": "first", "query": "?PROLIFIC_PID=late"}
        late, partner = await Client(relay.url).connect(auth), await Client(relay.url).connect()
        for client in (late, partner):
            await client.call("join_game", {})
        game = str((await late.get("start_game"))["game_id"])
        assert await late.call("p2p_session_metrics", metrics(game, 0, "complete")) == {"status": "ok"}
        await late.close()
        again = await Client(relay.url).connect(auth)
        told = await again.get("outcome")
        assert (told["outcome"], told["next"]) == ("incomplete", "https://panel.example.org/incomplete?who=late")
        await written(relay, seat, ("incomplete",))
        assert await again.call("pycore_rows", played(game, 0)) == {"status": "ok"}
        assert await again.get("outcome") == told
        await again.call("leave_game", {"excluded": True})
        await again.get("outcome")
        await asyncio.gather(again.close(), partner.close())
        return game

    with running(tmp_path, recruiting={"next": NEXT}) as relay:
        game = asyncio.run(go(relay))
        assert relay.app.relay.lobby.games.room(game) is not None
    assert rows(relay, seat) == [("incomplete",)]
    store = DataStore(relay.database)
    try:
        found = participants_of(*list_study(store, game))
        assert [(each.outcome, each.sent_on) for each in found if each.player == "0"] == [("incomplete", True)]
    finally:
        store.close()


@pytest.mark.slow
def test_who_was_sent_on_as_incomplete_is_so_for_the_next_process_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the game again, whose partner plays on, and rows come to it that make the game complete."""
    monkeypatch.setattr(visits, "PROVED_WITHIN_S", 0.2)
    auth = {"session_id": "late", "page": "first", "query": "?PROLIFIC_PID=late"}
    seat = "SELECT outcome FROM seats WHERE player = '0'"

    async def play(relay: Relay) -> str:
        late, partner = await Client(relay.url).connect(auth), await Client(relay.url).connect()
        for client in (late, partner):
            await client.call("join_game", {})
        game = str((await late.get("start_game"))["game_id"])
        await late.call("p2p_session_metrics", metrics(game, 0, "complete"))
        assert (await late.get("outcome"))["outcome"] == "incomplete"
        await written(relay, seat, ("incomplete",))
        await asyncio.gather(late.close(), partner.close())
        return game

    async def again(relay: Relay, game: str) -> None:
        late = await Client(relay.url).connect(auth)
        assert relay.app.relay.lobby.games.room(game) is not None
        assert await late.call("pycore_rows", played(game, 0)) == {"status": "ok"}
        assert (await late.get("outcome"))["outcome"] == "incomplete"
        await late.close()

    with running(tmp_path, recruiting={"next": NEXT}) as relay:
        game = asyncio.run(play(relay))
    with running(tmp_path, recruiting={"next": NEXT}) as relay:
        asyncio.run(again(relay, game))
    assert rows(relay, seat) == [("incomplete",)]


@pytest.mark.slow
def test_rows_that_come_to_the_next_process_are_believed(tmp_path: Path) -> None:
    """Nobody was told anything by the one before."""

    async def play(relay: Relay) -> str:
        clients, game = await two(relay, "?PROLIFIC_PID=anna")
        await clients[0].call("p2p_session_metrics", metrics(game, 0, "complete"))
        await clients[0].quiet("outcome")
        await written(relay, "SELECT 1 FROM seats", (1,), (1,))
        await asyncio.gather(*(client.close() for client in clients))
        return game

    async def late(relay: Relay, game: str) -> None:
        client = await Client(relay.url).connect()
        assert await client.call("pycore_rows", played(game, 0, session_id="late")) == {"status": "ok"}
        assert (await client.get("outcome"))["outcome"] == "completed"
        await client.close()

    with running(tmp_path) as relay:
        game = asyncio.run(play(relay))
    with sqlite3.connect(tmp_path / "study.db") as database:
        secret = hashlib.sha256(b"late").hexdigest()
        database.execute("UPDATE seats SET session = ? WHERE player = '0'", (secret,))
    with running(tmp_path) as relay:
        asyncio.run(late(relay, game))


@pytest.mark.slow
def test_an_outcome_outlives_the_server(tmp_path: Path) -> None:
    """Whoever was sent on is sent on the same way by the next process."""
    query = "?PROLIFIC_PID=anna"

    async def play(relay: Relay) -> None:
        clients, game = await two(relay, query)
        await completes(clients[0], game, 0)
        await clients[0].get("outcome")
        await asyncio.gather(*(client.close() for client in clients))

    async def come_again(relay: Relay) -> None:
        client = await Client(relay.url).connect()
        reply = await client.call("join_game", {"session_id": "new", "query": query})
        assert (reply["state"], reply["outcome"]) == ("done", "completed")
        other = await Client(relay.url).connect()
        wish = {"session_id": "newer", "query": "?PROLIFIC_PID=bert"}
        assert (await other.call("join_game", wish))["state"] == "waiting"
        await asyncio.gather(client.close(), other.close())

    recruiting = {"next": {"completed": NEXT}}
    with running(tmp_path, recruiting=recruiting) as relay:
        asyncio.run(play(relay))
    with running(tmp_path, recruiting=recruiting) as relay:
        asyncio.run(come_again(relay))


@pytest.mark.slow
def test_who_waited_in_vain_is_sent_on_too(tmp_path: Path) -> None:
    """With the seconds that it took."""

    async def go(relay: Relay) -> None:
        client = await Client(relay.url).connect()
        await client.call("join_game", {"session_id": "s", "query": "?PROLIFIC_PID=anna"})
        assert (await client.get("pycore_error"))["code"] == "waited_too_long"
        told = await client.get("outcome")
        assert (told["outcome"], told["next"]) == ("waited_in_vain", "https://x.org/anna")
        assert 1.0 <= told["waited_s"] < 3.0
        assert (await client.call("join_game", {"query": "?PROLIFIC_PID=anna"}))["state"] == "done"
        await client.close()
        (found,) = rows(relay, "SELECT subject, outcome, waited_s, game_id, final FROM outcomes")
        assert (found[:2], found[3:]) == (("anna", "waited_in_vain"), (None, 1))

    recruiting = {"waiting_limit": 1, "next": {"waited_in_vain": "https://x.org/{subject}"}}
    with running(tmp_path, recruiting=recruiting) as relay:
        asyncio.run(go(relay))


def test_where_nobody_is_sent_on_everybody_may_play_again(relay: Relay) -> None:
    """The outcome is told all the same, and each game has its own."""

    async def go() -> None:
        for reason, code in (("player_left", "partner_left"), ("complete", "completed")):
            clients, game = await two(relay, "?PROLIFIC_PID=carl")
            await clients[0].call("pycore_rows", played(game, 0))
            await clients[0].call("p2p_session_metrics", metrics(game, 0, reason))
            told = await clients[0].get("outcome")
            assert (told["outcome"], told["next"]) == (code, None)
            await clients[0].call("leave_game", {})
            await asyncio.gather(*(client.close() for client in clients))
            await written(relay, f"SELECT outcome FROM seats WHERE game_id = '{game}' AND player = '0'", (code,))
        assert rows(relay, "SELECT outcome, final FROM outcomes WHERE subject = 'carl'") == [("completed", 0)]

    asyncio.run(go())


@pytest.mark.parametrize("sends_on", [True, False])
def test_who_waits_when_an_earlier_game_gets_its_outcome_waits_on_unless_sent_on(
    relay: Relay, sending: Relay, sends_on: bool
) -> None:
    """What was played was on its way still when the page asked for another game. Nobody plays with who has gone on."""

    async def go(of: Relay) -> None:
        clients, game = await two(of)
        stayed = await Client(of.url).connect()
        await clients[0].call("leave_game", {})
        assert (await clients[0].call("join_game", {}))["state"] == "waiting"
        await completes(clients[0], game, 0)
        told = await clients[0].get("outcome")
        assert (told["outcome"], told["game_id"], told["next"] is not None) == ("completed", game, sends_on)
        reply = await stayed.call("join_game", {})
        assert reply["state"] == ("waiting" if sends_on else "playing")
        await asyncio.gather(*(client.close() for client in [*clients, stayed]))

    asyncio.run(go(sending if sends_on else relay))


def test_data_of_an_earlier_visit_bring_nobody_else_its_outcome(sending: Relay) -> None:
    """A machine of a laboratory has what the last participant's page could not store: the next one's page stores it,
    waits on, and gets no address that is another one's."""

    async def go() -> None:
        secret, partner = "of the last one", await Client(sending.url).connect()
        one = await Client(sending.url).connect({"session_id": secret, "query": "?PROLIFIC_PID=last"})
        for client in (one, partner):
            await client.call("join_game", {})
        game = str((await one.get("start_game"))["game_id"])
        await one.close()
        following = await Client(sending.url).connect({"session_id": "following", "query": "?PROLIFIC_PID=following"})
        assert (await following.call("join_game", {}))["state"] == "waiting"
        await completes(following, game, 0, session_id=secret)
        await following.quiet("outcome")
        assert sending.app.relay.lobby.health()["waiting"] == 1
        found = rows(sending, f"SELECT subject, outcome FROM outcomes WHERE game_id = '{game}'")
        assert found == [("last", "completed")]
        again = await Client(sending.url).connect({"session_id": "anew", "query": "?PROLIFIC_PID=last"})
        await completes(again, game, 0, session_id=secret)
        assert (await again.get("outcome"))["next"].endswith("/completed?who=last")
        await asyncio.gather(*(client.close() for client in (partner, following, again)))

    asyncio.run(go())


@pytest.mark.slow
def test_data_that_come_late_bring_their_outcome(tmp_path: Path) -> None:
    """Of a page that closed before its data were stored: at its next visit, when no process remembers the game."""

    async def play(relay: Relay) -> str:
        clients, game = await two(relay, "?PROLIFIC_PID=anna")
        await clients[0].call("leave_game", {})
        await written(relay, "SELECT outcome FROM seats WHERE player = '0'", ("failed",))
        assert rows(relay, "SELECT * FROM outcomes") == [], "nobody is told, so nothing stands"
        await asyncio.gather(*(client.close() for client in clients))
        return game

    async def late(relay: Relay, game: str) -> None:
        client = await Client(relay.url).connect()
        await completes(client, game, 0, session_id="late")
        told = await client.get("outcome")
        assert (told["outcome"], told["next"]) == ("completed", "https://panel.example.org/completed?who=anna")
        await client.close()
        await written(relay, "SELECT outcome FROM seats WHERE player = '0'", ("completed",))

    with running(tmp_path, recruiting={"next": NEXT}) as relay:
        game = asyncio.run(play(relay))
    with sqlite3.connect(tmp_path / "study.db") as database:
        secret = hashlib.sha256(b"late").hexdigest()
        database.execute("UPDATE seats SET session = ? WHERE player = '0'", (secret,))
    with running(tmp_path, recruiting={"next": NEXT}) as relay:
        asyncio.run(late(relay, game))


@pytest.mark.slow
def test_a_database_that_does_not_write_tells_nobody_and_loses_nothing(tmp_path: Path) -> None:
    """The page stores again; who waited in vain is told when it is written."""

    async def go(relay: Relay) -> None:
        clients, game = await two(relay)
        # The game itself is written first.
        await written(relay, "SELECT 1 FROM seats", (1,), (1,))
        waiting = await Client(relay.url).connect()
        locked = sqlite3.connect(tmp_path / "study.db", isolation_level=None)
        await waiting.call("join_game", {"session_id": "w"})
        locked.execute("BEGIN EXCLUSIVE")
        reply = await clients[0].call("p2p_session_metrics", metrics(game, 0, "complete"))
        assert reply["code"] == "store_failed"
        await clients[0].quiet("outcome")
        assert (await waiting.get("pycore_error"))["code"] == "waited_too_long"
        await waiting.quiet("outcome")
        locked.execute("ROLLBACK")
        locked.close()
        assert (await waiting.get("outcome"))["outcome"] == "waited_in_vain"
        await completes(clients[0], game, 0)
        assert (await clients[0].get("outcome"))["outcome"] == "completed"
        await asyncio.gather(*(client.close() for client in [*clients, waiting]))

    with running(tmp_path, recruiting={"waiting_limit": 1}) as relay:
        asyncio.run(go(relay))


def test_a_studys_page_excludes_its_participant() -> None:
    """In a game and in the queue; the others of the game are told that it left."""
    people = People(next=NEXT, waiting_limit=9)
    people.come("a", "?PROLIFIC_PID=anna")
    people.until(4.0)
    people.come("b", "?PROLIFIC_PID=bert")
    people.take(people.lobby.leave("a", people.now, people.now, excluded=True))
    assert "end_game" in people.events("b")
    people.come("c")
    people.until(6.0)
    people.take(people.lobby.leave("c", people.now, people.now, excluded=True))
    (first, sid), (second, _) = people.lobby.take_decided()
    assert (first.outcome, first.subject, first.waited_s, sid, first.player) == (EXCLUDED, "anna", 4.0, "a", "0")
    assert (second.outcome, second.waited_s, second.game_id) == (EXCLUDED, 2.0, None)
    assert people.lobby.take_decided() == []


def test_who_waits_when_the_study_is_closed_has_waited_in_vain() -> None:
    """Also who is asked just then; who plays goes on."""
    people = People(next=NEXT, ready_check=20)
    for sid in "ab":
        people.come(sid, f"?PROLIFIC_PID={sid}")
        people.until(people.now + 2)
    people.take(people.lobby.close(people.now, people.now))
    assert people.codes("a") == people.codes("b") == ["study_closed"]
    decided = people.lobby.take_decided()
    assert [(one.subject, one.outcome, one.waited_s) for one, _ in decided] == [
        ("a", "waited_in_vain", 4.0), ("b", "waited_in_vain", 2.0),
    ]  # fmt: skip
    people.until(30.0)
    assert people.codes("a") == ["study_closed"]


def test_a_page_that_fails_in_its_game_has_failed_and_its_partner_has_lost_it() -> None:
    """Who goes in the middle has failed as well, but nobody is there to be told so."""
    people = People(settings={"return_within": 0})
    for sid in "abcd":
        people.come(sid)
    (first, second) = people.lobby.games.playing()
    people.lobby.failed("a", people.now, people.now)
    assert [(outcome.outcome, sid) for outcome, sid in people.lobby.take_decided()] == [(FAILED, "a")]
    people.lobby.failed("a", people.now, people.now)
    people.lobby.failed("nobody", people.now, people.now)
    people.goes("c")
    people.until(60.0)
    assert people.lobby.take_decided() == []
    assert [seat.outcome for seat in second.seats] == [FAILED, None]
    found = people.lobby.owners.came_to(second.game_id, second.seats[1], PARTNER_LEFT, 1.0)
    assert found is not None
    assert found.outcome == PARTNER_LEFT
    assert first.seats[0].outcome == FAILED


def test_who_was_sent_on_comes_back_to_a_game_that_goes_on() -> None:
    """Its own, whatever was decided."""
    people = People(next=NEXT)
    people.come("a", "?PROLIFIC_PID=anna")
    people.come("b")
    people.lobby.failed("a", people.now, people.now)
    ((outcome, _),) = people.lobby.take_decided()
    people.lobby.sent_on.remember(replace(outcome, final=True))
    people.goes("a")
    assert people.come("a again", "?PROLIFIC_PID=anna", session="session of a")["state"] == "restored"
    assert people.come("x", "?PROLIFIC_PID=anna", take_over=True)["state"] == "done"


def test_who_was_sent_on_by_an_address_that_the_study_has_no_more_waits_for_nothing() -> None:
    """The settings were changed between two servers. By the game's id its page would take it for an earlier game's."""
    people = People()
    people.lobby.sent_on.remember(Outcome(person_of("anna", ""), "anna", "completed", 1.0, 2.0, "g", "0", True))
    assert people.come("a", "?PROLIFIC_PID=anna")["state"] == "done"
    ((event, told),) = people.told["a"]
    assert (event, told["outcome"], told["next"], told["game_id"]) == ("outcome", "completed", None, None)


@pytest.mark.slow
def test_everybody_who_came_is_a_row_of_the_participants(tmp_path: Path) -> None:
    """With the outcome and the seconds of the server, in files and in the table of sessions; names in place of ids."""

    async def go(relay: Relay) -> str:
        vain = await Client(relay.url).connect()
        await vain.call("join_game", {"session_id": "v", "query": "?PROLIFIC_PID==cmd"})
        await vain.get("outcome")
        clients, game = await two(relay, "?PROLIFIC_PID=anna", "?PROLIFIC_PID=bert")
        await completes(clients[0], game, 0)
        await clients[0].get("outcome")
        await clients[1].call("leave_game", {})
        await written(relay, "SELECT outcome FROM seats ORDER BY player", ("completed",), ("failed",))
        await asyncio.gather(*(client.close() for client in [vain, *clients]))
        return game

    recruiting = {"waiting_limit": 1, "next": {"completed": NEXT}}
    with running(tmp_path, recruiting=recruiting) as relay:
        game = asyncio.run(go(relay))
    database = ["--database", f"sqlite:///{tmp_path / 'study.db'}"]
    for key in ([], ["--pseudonyms", str(tmp_path / "key")]):
        out = tmp_path / f"out{len(key)}"
        assert CliRunner().invoke(cli, ["data", *database, "--out", str(out), *key]).exit_code == 0
        found = list(csv.DictReader((out / "participants.csv").read_text().splitlines()))
        assert [(row["outcome"], row["sent_on"], row["game_id"]) for row in found] == [
            ("waited_in_vain", "false", ""), ("completed", "true", game), ("failed", "false", game),
        ]  # fmt: skip
        assert [float(row["waited_s"]) >= least for row, least in zip(found, (1, 0, 0), strict=True)] == [True] * 3
        names = [row["subject"] for row in found]
        assert names == (["'=cmd", "anna", "bert"] if not key else [name for name in names if name[0] == "S"])
        about = json.loads((out / game / "game.json").read_text())
        assert about["outcomes"] == {"0": "completed", "1": "failed"}
        assert set(about["waited_s"]) == {"0", "1"}
    listed = CliRunner().invoke(cli, ["data", *database]).output
    assert "anna  completed" in listed
    assert "without a game: 1" in listed


@pytest.mark.parametrize(
    ("gone", "ended", "outcome"),
    [((None, None), 5.0, "failed"), ((None, "gone"), 5.0, "partner_left"), ((None, "gone"), None, None)],
)
def test_what_nobody_said_follows_from_what_is_known(gone: tuple, ended: float | None, outcome: str | None) -> None:
    """Of a page that was never heard of again."""
    of = [
        {"player": str(player), "waited_s": None, "outcome": None if how is None else "failed", "gone": how}
        for player, how in enumerate(gone)
    ]
    assert came_to(of, ended)["outcomes"].get("0") == outcome
    assert came_to(of, ended)["waited_s"] == {}


def test_an_address_to_go_on_to_is_one_whatever_the_subject_is_called() -> None:
    """What stands in it is quoted."""
    of = Recruiting.of({"next": {"completed": "https://x.org/?s={subject}&o={outcome}"}})
    assert of.next_of("completed", "a&b=c/?#") == "https://x.org/?s=a%26b%3Dc%2F%3F%23&o=completed"
    assert of.next_of("completed", None) == "https://x.org/?s=&o=completed"
    assert of.next_of("failed", "a") is None
