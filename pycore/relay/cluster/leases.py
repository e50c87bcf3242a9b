"""Which process owns what: leases in the database, and the number that fences off who had one before.

A process lives as long as it says so, every second, by the database's clock: no two machines' clocks are compared. A
lease names a process and lasts as long as that lives, so that a thousand games cost one row a second. Whoever takes one
makes its generation grow by one, if nobody was faster; what a game's owner writes carries its generation and is refused
when it is not the newest.

A process that is slow to say that it lives is not dead: before a lease is taken, its owner is asked over the bus.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pycore.relay.storage.store import DataStore, Fence
from pycore.relay.storage.tables import leases, processes

LEASE_S: Final = 4.0
"""For how long a process is taken to live since it said so last."""
BEAT_S: Final = 1.0
"""Between two times that it says so."""
FORGET_S: Final = 86_400.0
"""How long it is remembered that there was a process."""
WAITING: Final = "waiting"
"""The name of the waiting room's lease."""


class Lease(NamedTuple):
    """Who owns something, as the database has it."""

    process: str
    """Empty: nobody, any more."""
    generation: int
    lives: bool
    """Its process has said lately that it lives."""


class Step(Enum):
    """What follows from a lease for who needs its owner."""

    HERE = "it is this process's"
    THERE = "it is another one's"
    ASK = "ask its owner whether it lives"
    TAKE = "take it"


def decide(lease: Lease | None, me: str, answers: bool | None = None) -> Step:
    """`answers`: what the owner said when it was asked, silence is False; None: it was not asked."""
    if lease is None or not lease.process:
        return Step.TAKE
    if lease.process == me:
        return Step.HERE
    if lease.lives or answers:
        return Step.THERE
    return Step.ASK if answers is None else Step.TAKE


def clock_of(dialect: str) -> sa.ColumnElement[float]:
    """The clock of such a database, Unix s."""
    pg = dialect == "postgresql"
    clock = "extract(epoch from clock_timestamp())" if pg else "((julianday('now') - 2440587.5) * 86400.0)"
    return sa.literal_column(clock, sa.Float)


class Leases:
    """What the database has of it. All of it blocks, and raises `StoreFailed`."""

    def __init__(self, store: DataStore) -> None:
        self._store = store
        self._pg = store.engine.dialect.name == "postgresql"
        self._clock = clock_of(store.engine.dialect.name)

    def beat(self, process: str) -> bool:
        """A process lives; false: it was not known, or taken for dead for a while."""
        until = self._clock + LEASE_S
        mine = processes.update().where(processes.c.process == process, processes.c.until > self._clock)

        def work() -> bool:
            with self._store.engine.begin() as connection:
                if connection.execute(mine.values(until=until)).rowcount:
                    return True
                connection.execute(processes.delete().where(processes.c.until < self._clock - FORGET_S))
                kind = postgresql if self._pg else sqlite
                made = kind.insert(processes).values(process=process, until=until)
                connection.execute(made.on_conflict_do_update(index_elements=["process"], set_={"until": until}))
                return False

        return self._store.run(work)

    def living(self) -> set[str]:
        """All processes that live."""

        def work() -> set[str]:
            with self._store.engine.connect() as connection:
                query = sa.select(processes.c.process).where(self._lives())
                return set(connection.execute(query).scalars())

        return self._store.run(work)

    def _lives(self) -> sa.ColumnElement[bool]:
        """Of a row: that its process lives. Nobody says so for longer than a lease: what looks like it was said before
        the clock was set back. Who lives says it anew within a second; who died does not live until it is late again.
        """
        return sa.and_(processes.c.until > self._clock, processes.c.until <= self._clock + LEASE_S)

    def of(self, name: str) -> Lease | None:
        """Who owns something."""

        def work() -> Lease | None:
            lives = sa.func.coalesce(self._lives(), sa.false())
            joined = leases.outerjoin(processes, leases.c.process == processes.c.process)
            query = sa.select(leases.c.process, leases.c.generation, lives).select_from(joined)
            with self._store.engine.connect() as connection:
                row = connection.execute(query.where(leases.c.name == name)).first()
            return None if row is None else Lease(row[0], row[1], bool(row[2]))

        return self._store.run(work)

    def take(self, name: str, process: str, seen: Lease | None) -> Fence | None:
        """Have it, if it still is as it was seen; None: somebody was faster."""
        generation = 1 if seen is None else seen.generation + 1
        row = {"name": name, "process": process, "generation": generation}

        def work() -> Fence | None:
            with self._store.engine.begin() as connection:
                if seen is None:
                    made = (postgresql if self._pg else sqlite).insert(leases).values(row)
                    change: sa.UpdateBase = made.on_conflict_do_nothing(index_elements=["name"])
                else:
                    same = leases.c.process == seen.process, leases.c.generation == seen.generation
                    change = leases.update().where(leases.c.name == name, *same).values(row)
                done = connection.execute(change.returning(leases.c.generation)).first()
            return None if done is None else Fence(process, done[0])

        return self._store.run(work)

    def lost(self, process: str, held: Mapping[str, int]) -> list[str]:
        """Of what a process takes for its own, what another one has by now."""

        def work() -> list[str]:
            query = sa.select(leases.c.name, leases.c.generation).where(leases.c.process != process)
            with self._store.engine.connect() as connection:
                taken = {row[0] for row in connection.execute(query.where(leases.c.name.in_(list(held))))}
            return [name for name in held if name in taken]

        return self._store.run(work)

    def ends(self, process: str) -> None:
        """A process ends: whatever it has may be taken."""

        def work() -> None:
            with self._store.engine.begin() as connection:
                connection.execute(processes.delete().where(processes.c.process == process))

        self._store.run(work)

    def give(self, name: str, process: str, generation: int) -> None:
        """A process has something no more, and lives on."""

        def work() -> None:
            mine = leases.c.name == name, leases.c.process == process, leases.c.generation == generation
            with self._store.engine.begin() as connection:
                connection.execute(leases.update().where(*mine).values(process="", generation=generation + 1))

        self._store.run(work)
