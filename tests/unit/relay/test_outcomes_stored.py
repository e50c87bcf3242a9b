"""Outcomes in the database, in each kind of it: the first that sends somebody on stands, and a person is forgotten."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from conftest import ON_BOTH
from people_support import People

from pycore.errors import UsageError
from pycore.relay import Limits
from pycore.relay.games.outcomes import Outcome, person_of
from pycore.relay.games.seats import Mailbox, Seat
from pycore.relay.games.uploads import Piece
from pycore.relay.storage.evidence import claimed, missing
from pycore.relay.storage.export import list_study
from pycore.relay.storage.forgetting import forget, traces_of
from pycore.relay.storage.participants import participants_of
from pycore.relay.storage.store import DataStore, seats
from pycore.relay.visits import Visits, sent_on_before

DATABASES = ON_BOTH
ANNA = Outcome(person_of("anna", ""), "anna", "failed", 1.5, 10.0, "g", "0")


@pytest.fixture
def store(database: Callable[[Path], str], tmp_path: Path) -> Iterator[DataStore]:
    """An empty database."""
    with contextlib.closing(DataStore(database(tmp_path))) as made:
        yield made


def put(store: DataStore, outcome: Outcome) -> Outcome:
    """Write an outcome down; which one stands."""
    return Outcome.of(asyncio.run(store.put_outcome(outcome.row())))


def test_the_first_outcome_that_sends_somebody_on_stands(store: DataStore) -> None:
    """Until then the newest does; another person's is another one."""
    assert put(store, ANNA) == ANNA
    assert sent_on_before(store, ANNA.person) is None
    done = replace(ANNA, outcome="completed", final=True, decided=11.0)
    assert put(store, done) == done
    for later in (replace(done, outcome="partner_left"), replace(ANNA, game_id=None, player=None)):
        assert put(store, later) == done
    assert sent_on_before(store, ANNA.person) == done
    other = replace(ANNA, person=person_of(None, "session"), subject=None)
    assert put(store, other) == other
    assert person_of("session", "") != person_of(None, "session")


def test_a_game_came_to_what_its_participant_was_sent_on_with(store: DataStore) -> None:
    """Whatever is decided of it later; another game of the same person to its own."""
    row = {"started": 1.0, "seed": 1, "players": "[0]", "settings": "{}", "subjects": '{"0": "anna"}'}
    for game in "gh":
        seat = {"game_id": game, "player": "0", "session": "s", "outcome": None}
        asyncio.run(store.put_game({**row, "game_id": game}, [seat]))
    put(store, replace(ANNA, outcome="incomplete", final=True))
    put(store, replace(ANNA, outcome="completed"))
    put(store, replace(ANNA, outcome="partner_left", game_id="h"))
    found = store.read(sa.select(seats.c.game_id, seats.c.outcome).order_by(seats.c.game_id))
    assert [(each["game_id"], each["outcome"]) for each in found] == [("g", "incomplete"), ("h", "partner_left")]


def test_the_process_with_the_game_hears_with_what_its_participant_was_sent_on(store: DataStore) -> None:
    """From the one to which rows came that make the game complete: it writes the seats."""
    heard: list[tuple[object, ...]] = []
    visits = Visits(People().lobby, store, lambda out: None, lambda outcome: None)
    visits.elsewhere = SimpleNamespace(finished=lambda *said: heard.append(said))
    seat = Seat(0, "s", None, None, Mailbox(Limits()))
    row = {"game_id": "g", "started": 1.0, "seed": 1, "players": "[0]", "settings": "{}", "subjects": '{"0": "anna"}'}

    async def go() -> None:
        await store.put_game(row, [{"game_id": "g", "player": "0", "session": "s", "outcome": "incomplete"}])
        await store.put_outcome(replace(ANNA, outcome="incomplete", final=True).row())
        await store.put_metrics("g", "0", -1, '{"end":{"reason":"complete"}}', 1.0)
        await store.put_piece("g", "0", 0, Piece(0, 0, 0, 3, True), "", 1.0)
        await visits.rows_came("g", seat, "sid", 2.0, ended=True)

    asyncio.run(go())
    assert heard == [("g", "0", None, "incomplete")]
    assert store.read(sa.select(seats.c.outcome)) == [{"outcome": "incomplete"}]


def test_of_two_that_are_decided_at_once_one_stands_for_both(store: DataStore) -> None:
    """Two processes of a server, or a page and the end of the waiting."""

    async def both() -> list[str]:
        rows = [replace(ANNA, outcome=code, final=True).row() for code in ("completed", "waited_in_vain")]
        return [row["outcome"] for row in await asyncio.gather(*map(store.put_outcome, rows))]

    first, second = asyncio.run(both())
    assert first == second


def test_a_session_is_complete_when_all_its_episodes_are_there_up_to_their_ends(store: DataStore) -> None:
    """Of the player whose session it is; a page that was loaded again may have missed what another one has."""

    def rows(player: str, episode: int, first: int, frames: int, *, last: bool = True, revision: int = 0) -> None:
        piece = Piece(revision, first if revision else 0, first, frames, last)
        asyncio.run(store.put_piece("g", player, episode, piece, "", 1.0))

    def game(settings: str, loads: int = 0) -> None:
        row = {"game_id": "g", "started": 1.0, "seed": 1, "players": "[0, 1]", "settings": settings, "subjects": "{}",
               "restarts": 0}  # fmt: skip
        seat = {"game_id": "g", "player": "0", "session": "s", "loads": loads}
        asyncio.run(store.put_game(row, [seat]))

    def lacks(reason: str = "complete") -> str:
        return missing(store, "g", "0", reason, {"num_episodes": 3})

    assert lacks() == "episodes 0, 1, 2", "a game that is not written down yet has the settings of its room"
    game('{"num_episodes": 2}')
    assert lacks() == "episodes 0, 1"
    assert lacks("stop") == "episodes 0"
    for player in "01":
        rows(player, 0, 0, 0)
    assert lacks("stop") == "any frame"
    rows("0", 0, 0, 10, last=False)
    rows("0", 0, 10, 5)
    assert (lacks(), lacks("stop")) == ("episodes 1", "")
    rows("1", 1, 0, 20)
    assert lacks() == "episodes 1", "what the partner stored is the partner's"
    rows("0", 1, 5, 15)
    assert (lacks(), lacks("stop")) == ("episodes 1", "episodes 1")
    game('{"num_episodes": 2}', loads=1)
    assert lacks() == ""
    game('{"num_episodes": 2}')
    assert lacks() == "episodes 1"
    rows("0", 1, 0, 8, last=False)
    assert lacks() == ""


def test_what_pages_of_an_earlier_version_stored_in_parts_counts_when_all_parts_are_there(store: DataStore) -> None:
    """They store an episode at its end."""
    for part, lacks in ((0, "episodes 0"), (2, "episodes 0"), (1, "")):
        asyncio.run(store.put_record("g", "0", 0, part, 3, "x", 1.0))
        assert missing(store, "g", "0", "complete", None) == lacks


def test_a_word_that_was_not_believed_is_known_until_it_is(store: DataStore) -> None:
    """By the metrics of the whole session, and by no other ones."""
    row = {"game_id": "g", "started": 1.0, "seed": 1, "players": "[0]", "settings": "{}", "subjects": "{}"}
    seat = {"game_id": "g", "player": "0", "session": "s"}
    asyncio.run(store.put_game(row, [seat]))
    for episode, reason, outcome, known in (
        (0, "complete", None, None), (-1, "desync", None, None), (-1, "complete", None, "complete"),
        (-1, "stop", "incomplete", "stop"), (-1, "stop", "completed", None),
    ):  # fmt: skip
        asyncio.run(store.put_metrics("g", "0", episode, f'{{"end":{{"reason":"{reason}"}}}}', 1.0))
        asyncio.run(store.put_game(row, [{**seat, "outcome": outcome}]))
        assert claimed(store, "g", "0") == known


@pytest.mark.parametrize(
    ("stored", "again", "stands"),
    [
        ("completed", None, "completed"), ("excluded", None, "excluded"), ("completed", "failed", "completed"),
        ("failed", None, None), ("incomplete", "completed", "completed"), ("completed", "excluded", "excluded"),
    ],
)  # fmt: skip
def test_a_game_that_is_written_again_takes_nobodys_lasting_outcome(
    store: DataStore, stored: str, again: str | None, stands: str | None
) -> None:
    """The process that has the game need not have heard what another one wrote down; what is open again is so."""
    row = {"game_id": "g", "started": 1.0, "seed": 1, "players": "[0]", "settings": "{}", "subjects": '{"0": "anna"}'}
    seat = {"game_id": "g", "player": "0", "session": "s", "outcome": None}
    asyncio.run(store.put_game(row, [seat]))
    put(store, replace(ANNA, outcome=stored))
    asyncio.run(store.put_game(row, [{**seat, "outcome": again}]))
    assert store.read(sa.select(seats.c.outcome)) == [{"outcome": stands}]


def test_who_is_forgotten_keeps_a_lasting_outcome_too(store: DataStore) -> None:
    """A game that is written again by a process that knew the name."""
    row = {"game_id": "g", "started": 1.0, "seed": 1, "players": "[0]", "settings": "{}", "subjects": '{"0": null}'}
    seat = {"game_id": "g", "player": "0", "session": "s", "outcome": "completed"}
    asyncio.run(store.put_game(row, [seat]))
    asyncio.run(store.put_game(row | {"subjects": '{"0": "anna"}'}, [seat | {"outcome": None}]))
    assert store.read(sa.select(seats.c.outcome)) == [{"outcome": "completed"}]


def test_who_is_forgotten_is_no_participant_any_more(store: DataStore) -> None:
    """Neither of a game nor of a time of waiting."""

    async def fill() -> None:
        game = {
            "game_id": "g", "started": 1.0, "ended": 2.0, "seed": 1, "players": "[0, 1]", "settings": "{}",
            "subjects": '{"0": "anna", "1": "bert"}', "restarts": 0,
        }  # fmt: skip
        seats = [
            {"game_id": "g", "player": str(player), "session": f"s{player}", "waited_s": 2.5, "outcome": "completed"}
            for player in (0, 1)
        ]
        await store.put_game(game, seats)
        await store.put_outcome(replace(ANNA, outcome="completed", final=True).row())
        vain = Outcome(person_of("carl", ""), "carl", "waited_in_vain", 60.0, 20.0)
        await store.put_outcome(vain.row())

    asyncio.run(fill())
    found = participants_of(*list_study(store))
    assert [(one.subject, one.outcome, one.waited_s, one.sent_on) for one in found] == [
        ("anna", "completed", 2.5, True), ("bert", "completed", 2.5, False), ("carl", "waited_in_vain", 60.0, False),
    ]  # fmt: skip
    for subject in ("anna", "carl"):
        forget(store, subject, traces_of(store, subject, 1e9))
        with pytest.raises(UsageError, match="nothing of a subject"):
            traces_of(store, subject, 1e9)
    left = participants_of(*list_study(store))
    assert [(one.subject, one.outcome, one.sent_on) for one in left] == [
        (None, "completed", False), ("bert", "completed", False),
    ]  # fmt: skip
