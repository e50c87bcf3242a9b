"""What many messages in one request leave to everybody else: a round of the loop between any two of them."""

from __future__ import annotations

import asyncio
import logging

import pytest

from pycore.relay.transport.turns import Turns

LOG = logging.getLogger("test")


@pytest.mark.parametrize(("each_s", "most"), [(0.002, 1), (0.0006, 2), (0.0001, 11)])
def test_a_round_of_the_loop_takes_some_messages_in_the_order_of_each_session(each_s: float, most: int) -> None:
    """As many as a millisecond is enough for, of whichever sessions, and one at least."""

    async def go() -> tuple[list[str], list[int]]:
        taken: list[str] = []
        by_round: list[int] = []
        now = [0.0]

        async def handle(sid: str, data: str) -> None:
            taken.append(sid + data)
            now[0] += each_s

        turns = Turns(handle, LOG, lambda: now[0])
        tasks = [asyncio.create_task(turns.take(sid, str(number))) for number in range(60) for sid in "ab"]
        while not all(task.done() for task in tasks) or len(taken) < 120:
            before = len(taken)
            await asyncio.sleep(0)
            by_round.append(len(taken) - before)
        return taken, by_round

    taken, by_round = asyncio.run(go())
    assert [name for name in taken if name[0] == "a"] == [f"a{number}" for number in range(60)]
    assert [name for name in taken if name[0] == "b"] == [f"b{number}" for number in range(60)]
    # What runs here may see the end of one round and the beginning of the next.
    assert max(by_round) <= 2 * most
    assert sum(by_round) / sum(1 for count in by_round if count) <= most


@pytest.mark.parametrize(("round_s", "least", "most"), [(0.15, 15, 19), (0.02, 2, 4), (0.001, 1, 2), (30.0, 95, 105)])
def test_long_rounds_take_a_tenth_of_their_time_for_messages(round_s: float, least: int, most: int) -> None:
    """Each takes a millisecond. More of them come in a long round, and would pile up; but no round is longer than a
    second for that, and a short one behind it has few again."""

    async def go() -> tuple[int, int, list[int]]:
        taken: list[str] = []
        now = [0.0]
        length = [round_s]

        async def handle(sid: str, data: str) -> None:
            taken.append(sid + data)
            now[0] += 2**-10

        async def others() -> None:
            while True:
                now[0] += length[0]
                await asyncio.sleep(0)

        turns = Turns(handle, LOG, lambda: now[0])
        busy = asyncio.create_task(others())
        tasks = [asyncio.create_task(turns.take(sid, str(number))) for number in range(1000) for sid in "abc"]
        for _ in range(5):
            await asyncio.sleep(0)
        before, rounds = len(taken), 20
        for _ in range(rounds):
            await asyncio.sleep(0)
        found = len(taken) - before
        length[0] = 0.0
        # The first short round is behind a long one.
        for _ in range(3):
            await asyncio.sleep(0)
        after = []
        for _ in range(10):
            before = len(taken)
            await asyncio.sleep(0)
            after.append(len(taken) - before)
        for task in (busy, *tasks):
            task.cancel()
        await asyncio.gather(busy, *tasks, return_exceptions=True)
        return found, rounds, after

    found, rounds, after = asyncio.run(go())
    assert least * rounds <= found <= most * rounds
    assert sum(after) <= 22


def test_a_message_that_cannot_be_taken_keeps_no_other_back() -> None:
    """Nor is anything kept of a session that has said all."""

    async def go() -> list[int]:
        taken: list[int] = []

        async def handle(sid: str, data: int) -> None:
            if data % 2:
                raise ValueError(data)
            await asyncio.sleep(0.001)
            taken.append(data)

        turns = Turns(handle, LOG)
        await asyncio.gather(*(turns.take("a", number) for number in range(6)))
        assert turns._waiting == {}
        await turns.take("a", 6)
        return taken

    logging.disable(logging.CRITICAL)
    try:
        assert asyncio.run(go()) == [0, 2, 4, 6]
    finally:
        logging.disable(logging.NOTSET)
