"""What waits for a socket: in order, bounded, and of what repeats itself only the newest."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from pycore.relay import Limits
from pycore.relay.transport.outbox import Outbox
from pycore.relay.transport.sender import QUEUED, QUEUED_CHARACTERS, Socket

KEYS = st.sampled_from((None, "waiting", ("state", 0), ("state", 1)))
STEPS = st.lists(st.one_of(st.tuples(KEYS, st.integers(0, 9)), st.integers(0, 5)), max_size=60)


@given(STEPS)
def test_it_gives_what_a_list_would_give_from_which_the_older_of_a_key_were_struck(
    steps: list[tuple[object, int] | int],
) -> None:
    box = Outbox(10**6, 10**6)
    model: list[tuple[object, str]] = []
    put = taken = 0
    for number, step in enumerate(steps):
        if isinstance(step, int):
            expected, model = [text for _, text in model[:step]], model[step:]
            assert box.take(step) == expected
            taken += len(expected)
        else:
            key, length = step
            text = f"{number} " + "x" * length
            model = [(k, t) for k, t in model if key is None or k != key] + [(key, text)]
            box.put(text, float(number), key)
            put += 1
        assert len(box) == len(model)
        assert box.size == sum(len(text) for _, text in model)
        assert (box.since is None) == (not model)
    assert box.take() == [text for _, text in model]
    assert put == taken + box.replaced + len(model), "nothing is lost but what a newer one says"
    assert (len(box), box.size, box.since) == (0, 0, None)


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(0, 10), st.integers(0, 200))
def test_it_is_full_exactly_with_more_than_it_may_hold(lengths: list[int], packets: int, size: int) -> None:
    box = Outbox(packets, size)
    for number, length in enumerate(lengths, 1):
        box.put("x" * length, 0.0)
        assert box.is_full == (number > packets or sum(lengths[:number]) > size)


def test_a_state_that_is_renewed_for_ever_takes_the_room_of_one() -> None:
    box = Outbox(10, 1000)
    box.put("input", 0.0)
    for number in range(100_000):
        box.put(f"state {number}", 1.0, "state")
    assert not box.is_full
    assert box.since == 0.0
    assert box.take() == ["input", "state 99999"]


@given(st.lists(st.integers(1, 9), max_size=20), st.integers(0, 30), st.integers(0, 60))
def test_of_more_characters_than_are_asked_for_none_begins(lengths: list[int], most: int, characters: int) -> None:
    box = Outbox(100, 1000)
    texts = ["x" * length for length in lengths]
    for text in texts:
        box.put(text, 1.0)
    expected: list[str] = []
    for text in texts[:most]:
        if sum(map(len, expected)) >= characters:
            break
        expected.append(text)
    assert box.take(most, characters) == expected
    assert box.size == sum(lengths[len(expected) :])
    assert (box.since is None) == (len(expected) == len(texts))
    assert box.take() == texts[len(expected) :]


def test_a_page_that_polls_gets_what_has_come_up_since_it_asked() -> None:
    """A second of eight players' inputs; and who takes all that it is given is not said to take nothing."""
    queue: asyncio.Queue[Any] = asyncio.Queue()
    socket = Socket(cast(Any, None), "s", SimpleNamespace(queue=queue), None, Limits())
    texts = [f"4{number}" for number in range(2 * QUEUED + 100)]
    for text in texts:
        socket.outbox.put(text, 1.0)
    got: list[str] = []
    for asked in (QUEUED, 2 * QUEUED, len(texts)):
        assert socket.stuck_since is not None
        began = time.monotonic()
        socket.flush()
        stuck = socket.stuck_since
        assert stuck is None if asked == len(texts) else stuck is not None and stuck >= began
        socket.flush()
        assert socket.stuck_since == stuck, "nothing was taken"
        got += taken(queue)
        assert got == [text[1:] for text in texts[:asked]]
    large = "4" + "x" * (QUEUED_CHARACTERS // 2)
    for _ in range(5):
        socket.outbox.put(large, 1.0)
    for count in (2, 2, 1):
        socket.flush()
        assert len(taken(queue)) == count


def taken(queue: asyncio.Queue[Any]) -> list[str]:
    """All that a page gets that asks."""
    return [queue.get_nowait().data for _ in range(queue.qsize())]
