"""A lease is one process's; who takes it is the only one, and what the one before writes of a game is refused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pycore.relay.cluster import leases as module
from pycore.relay.cluster.claims import Claims
from pycore.relay.cluster.leases import Lease, Leases, Step, decide
from pycore.relay.storage.store import DataStore, Fence, Fenced, StoreFailed, games
from pycore.relay.storage.tables import processes

DATABASES = ("sqlite", "postgresql")
GAME: dict[str, Any] = {
    "game_id": "g", "started": 1.0, "seed": 1, "players": "[0, 1]", "subjects": "{}", "settings": "{}",
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path, database: Callable[[Path], str]) -> Iterator[DataStore]:
    """An empty database."""
    opened = DataStore(database(tmp_path))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("lease", "answers", "step"),
    [
        (None, None, Step.TAKE),
        (Lease("", 3, False), None, Step.TAKE),
        (Lease("me", 1, True), None, Step.HERE),
        (Lease("me", 1, False), None, Step.HERE),
        (Lease("other", 1, True), None, Step.THERE),
        (Lease("other", 1, False), None, Step.ASK),
        (Lease("other", 1, False), True, Step.THERE),
        (Lease("other", 1, False), False, Step.TAKE),
    ],
)
def test_who_owns_it(lease: Lease | None, answers: bool | None, step: Step) -> None:
    """Nobody takes what a process has that lives, or that answers though it said nothing to the database."""
    assert decide(lease, "me", answers) is step


def test_no_process_lives_on_since_the_databases_clock_was_set_back(store: DataStore) -> None:
    """By an hour: until the clock is there again, nobody could take what a process had that died at that moment."""
    leases = Leases(store)
    for process in ("dead", "lives"):
        leases.beat(process)
    assert leases.take("g", "dead", None)
    with store.engine.begin() as connection:
        connection.execute(processes.update().values(until=processes.c.until + 3600.0))
    assert leases.beat("lives")
    assert leases.living() == {"lives"}
    assert leases.of("g") == Lease("dead", 1, False)


def test_a_process_lives_as_long_as_it_says_so(store: DataStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the database's clock; who was taken for dead learns it."""
    leases = Leases(store)
    assert leases.beat("one") is False
    assert leases.beat("one") is True
    fence = leases.take("g", "one", None)
    assert fence == Fence("one", 1)
    assert leases.of("g") == Lease("one", 1, True)
    monkeypatch.setattr(module, "LEASE_S", -1.0)
    assert leases.beat("one") is True
    assert leases.of("g") == Lease("one", 1, False)
    assert leases.living() == set()
    monkeypatch.undo()
    assert leases.beat("one") is False
    assert leases.living() == {"one"}
    leases.ends("one")
    assert leases.of("g") == Lease("one", 1, False)


def test_of_many_who_take_it_at_once_one_has_it(store: DataStore) -> None:
    """A new one, and one that another process had."""
    for seen, generation in ((None, 1), (Lease("p0", 1, False), 2)):
        found: list[Fence | None] = []
        if seen is not None:
            Leases(store).give("g", "nobody", 9)  # is not its own: nothing happens
            seen = Leases(store).of("g")

        def take(name: str, seen: Lease | None = seen, found: list[Fence | None] = found) -> None:
            found.append(Leases(store).take("g", name, seen))

        threads = [threading.Thread(target=take, args=(f"p{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (winner,) = [fence for fence in found if fence is not None]
        assert winner.generation == generation
        assert Leases(store).of("g") == Lease(winner.process, generation, False)


def test_what_an_earlier_owner_writes_is_refused(store: DataStore) -> None:
    """Whole: neither the game nor its seats; the new owner's is written."""
    leases = Leases(store)
    asyncio.run(store.put_game(GAME, fence=Fence("one", 1)))
    assert leases.of("g") == Lease("one", 1, False)
    fence = leases.take("g", "two", leases.of("g"))
    assert fence == Fence("two", 2)
    with pytest.raises(Fenced):
        asyncio.run(store.put_game({**GAME, "ended": 9.0}, fence=Fence("one", 1)))
    assert store.read(sa.select(games.c.ended)) == [{"ended": None}]
    asyncio.run(store.put_game({**GAME, "ended": 10.0}, fence=fence))
    assert store.read(sa.select(games.c.ended)) == [{"ended": 10.0}]
    assert leases.lost("one", {"g": 1, "other": 1}) == ["g"]
    assert leases.lost("two", {"g": 2}) == []


def test_who_did_not_hear_that_it_was_taken_for_dead_learns_what_others_took_with_the_next_beat(
    store: DataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database's answer came too late for it, as to a process that stood still meanwhile; it lives again by then,
    and took itself for the owner of what others had."""

    async def never(process: str) -> bool:
        return False

    async def go() -> None:
        one, two = (Claims(name, Leases(store), never) for name in ("one", "two"))
        await one.beat()
        assert await one.owner("g") == "one"
        monkeypatch.setattr(module, "LEASE_S", -1.0)
        await one.beat()
        monkeypatch.undo()
        assert await two.owner("g") == "two"
        asks = one.ask

        async def too_late(work: Callable[[], Any]) -> Any:
            await asks(work)
            raise StoreFailed("the database does not say who owns that")

        monkeypatch.setattr(one, "ask", too_late)
        with pytest.raises(StoreFailed):
            await one.beat()
        monkeypatch.undo()
        assert await one.beat() == ({"one"}, ["g"])
        one.loses("g")
        assert await one.beat() == ({"one"}, [])
        one.close()
        two.close()

    asyncio.run(go())


def test_what_is_given_away_may_be_taken_at_once(store: DataStore) -> None:
    """Though its owner lives on."""
    leases = Leases(store)
    leases.beat("one")
    leases.take("waiting", "one", None)
    leases.give("waiting", "one", 1)
    lease = leases.of("waiting")
    assert lease == Lease("", 2, False)
    assert decide(lease, "two") is Step.TAKE
    assert leases.take("waiting", "two", lease) == Fence("two", 3)
