"""Which process owns something, asked when it is needed: the thin part around `leases` that waits for the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from pycore.relay.cluster.leases import WAITING, Leases, Step, decide
from pycore.relay.storage.store import Fence, StoreFailed

T = TypeVar("T")

PATIENCE_S: Final = 3.0
"""What a question to the database may take for whoever waits for its answer."""
ROUNDS: Final = 6
"""Attempts to find an owner, or be it, while others do the same."""


class Claims:
    """What one process owns, and how it learns who owns the rest. `answers` asks another process whether it lives."""

    def __init__(self, process: str, leases: Leases, answers: Callable[[str], Awaitable[bool]]) -> None:
        self.process = process
        self._leases = leases
        self._answers = answers
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pycore-leases")
        self._held: dict[str, Fence] = {}
        self._heard = False
        """The database's answer to the last beat has come."""
        self.yields = False
        """It takes the waiting room no more."""

    async def owner(self, name: str) -> str:
        """The process that owns something: this one, if nobody does who lives. Raises `StoreFailed`."""
        if name in self._held:
            return self.process
        answered: dict[str, bool] = {}
        for _ in range(ROUNDS):
            lease = await self.ask(lambda: self._leases.of(name))
            step = decide(lease, self.process, None if lease is None else answered.get(lease.process))
            if step is Step.HERE:
                assert lease is not None
                self._held[name] = Fence(self.process, lease.generation)
                return self.process
            if step is Step.THERE:
                assert lease is not None
                return lease.process
            if step is Step.ASK:
                assert lease is not None
                answered[lease.process] = await self._answers(lease.process)
                continue
            if name == WAITING and self.yields:
                raise StoreFailed("this process ends, and no other one has the waiting room yet")
            fence = await self.ask(lambda lease=lease: self._leases.take(name, self.process, lease))  # type: ignore[misc]
            if fence is not None:
                self._held[name] = fence
                return self.process
        raise StoreFailed("processes contend for the same; try again")

    def holds(self, name: str) -> bool:
        """Whether it is this process's."""
        return name in self._held

    def held(self, name: str) -> Fence | None:
        """By what right it is this process's; None: it is not."""
        return self._held.get(name)

    def fence(self, name: str) -> Fence:
        """By what right this process writes; a new game's is the first."""
        return self._held.setdefault(name, Fence(self.process, 1))

    def loses(self, name: str) -> None:
        """Another process has it."""
        self._held.pop(name, None)

    def keeps(self, names: Collection[str]) -> None:
        """Of all others nothing is to be known any more."""
        self._held = {name: fence for name, fence in self._held.items() if name in names or name == WAITING}

    async def beat(self) -> tuple[set[str], list[str]]:
        """Say that the process lives: all that live, and what others took meanwhile. Raises `StoreFailed`: it may have
        been said all the same, and only the answer is missing, so the next one asks what was taken before it, too."""
        held = {name: fence.generation for name, fence in self._held.items()}
        heard, self._heard = self._heard, False

        def work() -> tuple[set[str], list[str]]:
            lived = self._leases.beat(self.process)
            sure = not held or (lived and heard)
            return self._leases.living(), [] if sure else self._leases.lost(self.process, held)

        found = await self.ask(work)
        self._heard = True
        return found

    async def gives(self) -> None:
        """The waiting room is nobody's, and this process takes it no more. Raises `StoreFailed`."""
        self.yields = True
        fence = self._held.pop(WAITING, None)
        if fence is not None:
            await self.ask(lambda: self._leases.give(WAITING, *fence))

    async def ends(self) -> None:
        """Nothing is this process's any more. Raises `StoreFailed`."""
        self._held.clear()
        await self.ask(lambda: self._leases.ends(self.process))

    def close(self) -> None:
        """Ask nothing any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def ask(self, work: Callable[[], T]) -> T:
        """By the thread of the leases, which waits behind no store. Raises `StoreFailed`."""
        try:
            question = asyncio.get_running_loop().run_in_executor(self._thread, work)
            return await asyncio.wait_for(question, PATIENCE_S)
        except TimeoutError:
            raise StoreFailed(f"the database has not answered for {PATIENCE_S:g} s") from None
