"""The books: every misprediction once, small in memory, and ten log lines a second at most."""

from __future__ import annotations

import itertools
import json
import random
import struct
import sys
import tracemalloc
from collections.abc import Callable

import pytest

from pycore.rollback.mispredictions import EVENT_BYTES, FREE_BYTES, LISTED, OMITTED, LateInputLog, RollbackEvents


def test_what_was_appended_is_exported_in_order() -> None:
    """The keys of the contract, exactly, with the times turned into milliseconds."""
    rng = random.Random(3)
    events = RollbackEvents()
    expected = []
    for n in range(500):
        frame = rng.randrange(100_000)
        depth = rng.randrange(1, 120)
        seat, episode = rng.randrange(8), rng.randrange(250)
        p, a = bytes((rng.randrange(6),)), bytes((rng.randrange(6),))
        events.append(frame, frame + depth, seat, p, a, n / 8, episode)
        expected.append(
            {
                "frame": frame, "currentFrame": frame + depth, "rollbackFrames": depth, "playerId": f"p{seat}",
                "predictedAction": p[0], "actualAction": a[0], "timestamp": 1000 + n / 8 * 1000, "episode": episode,
            }
        )  # fmt: skip
    exported = list(events.export(lambda seat: f"p{seat}", lambda seat, e: e[0], lambda now: 1000 + now * 1000))
    assert exported == expected
    assert list(exported[0]) == list(expected[0])
    assert events.count == 500
    assert events.max_frames == max(e["rollbackFrames"] for e in expected)


def test_each_action_is_read_by_its_own_seats_codec() -> None:
    """The same bytes of two seats are two actions."""
    events = RollbackEvents()
    for seat in (0, 1):
        events.append(3, 5, seat, b"\1", b"\2", 0.0, 0)
    exported = list(events.export(str, lambda seat, e: (seat, e[0]), lambda now: now))
    assert [(e["predictedAction"], e["actualAction"]) for e in exported] == [
        ((seat, 1), (seat, 2)) for seat in (0, 1)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "action"),
    [(54_000, lambda n, seat: struct.pack("<dd", n / 7, seat)), (3_000, lambda n, seat: b"\1" * (900 + n % 9))],
    ids=["half an hour of two analogue axes", "a few large actions again and again"],
)
def test_the_list_of_events_stays_below_what_a_server_takes(count: int, action: Callable[[int, int], bytes]) -> None:
    """However long the game is: the first ones are listed, in order, and none of them is cut."""
    events = RollbackEvents()
    for n in range(count):
        events.append(n, n + 3, n % 2, action(n, 0), action(n, 1), n / 30, 0)

    def read(seat: int, encoded: bytes) -> list[float] | list[int]:
        return [*struct.unpack("<dd", encoded)] if len(encoded) == 16 else [*encoded] * 4

    listed = list(events.export(str, read, lambda now: 1764302000101.0 + now * 1000))
    length = len(json.dumps(listed, separators=(",", ":")))
    assert 0.4 * LISTED < length <= LISTED
    assert 0 < len(listed) < events.count == count
    assert [event["frame"] for event in listed] == list(range(len(listed)))


def test_an_event_takes_at_most_40_bytes() -> None:
    """Bounded memory: 100,000 events of a long bad session stay below 4 MB, table included."""
    events = RollbackEvents()
    for n in range(100_000):
        events.append(n, n + 3, 1, bytes((n % 6,)), bytes((n % 5,)), n / 30, 0)
    table = sys.getsizeof(events._actions) + sys.getsizeof(events._index)
    assert (sys.getsizeof(events._rows) + table) / 100_000 <= 40


def _many(size: int, count: int) -> tuple[RollbackEvents, int]:
    """So many events with two actions each that were never there before, and the bytes that they take."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        events = RollbackEvents()
        for n in range(count):
            predicted, actual = (number.to_bytes(size, "big") for number in (2 * n, 2 * n + 1))
            events.append(n, n + 3, n & 1, predicted, actual, n / 30, 0)
        return events, tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("count", "size"),
    [
        *itertools.product([100, 3000], [4, 40, 300, 1000]),
        # A second each, and 3,000 most often say what they say.
        *(pytest.param(40_000, size, marks=pytest.mark.slow) for size in (4, 40, 300, 1000)),
    ],
)
def test_large_actions_that_never_come_again_cost_no_more(size: int, count: int) -> None:
    """40 bytes an event, beside 64 kB that the first ones may take, however large the actions are."""
    events, taken = _many(size, count)
    assert events.count == count
    assert taken <= FREE_BYTES + EVENT_BYTES * count + 2000


def test_an_action_for_which_there_is_no_room_is_exported_as_left_out() -> None:
    """Everything else about the event is there, and what came before stays."""
    events, _ = _many(1000, 500)
    exported = list(events.export(str, lambda seat, e: int.from_bytes(e, "big"), lambda now: now))
    assert [e["frame"] for e in exported] == list(range(500))
    assert [(e["predictedAction"], e["actualAction"]) for e in exported[:20]] == [(2 * n, 2 * n + 1) for n in range(20)]
    assert exported[-1]["predictedAction"] == exported[-1]["actualAction"] == OMITTED
    events.append(500, 503, 0, (0).to_bytes(1000, "big"), (5).to_bytes(1000, "big"), 0.0, 0)
    last = list(events.export(str, lambda seat, e: int.from_bytes(e, "big"), lambda now: now))[-1]
    assert last["predictedAction"] == 0, "what is in the table needs no room"


def test_ten_lines_a_second_and_the_rest_is_summed_up() -> None:
    """The eleventh of a second is counted, and said with the first of a later second."""
    log = LateInputLog()
    assert [log.is_due(5.0 + n / 100, n) for n in range(25)] == [True] * 10 + [False] * 15
    assert log.is_due(6.0, 1)
    assert log.summary() == "[GGPO] Late input triggering rollback: 15 more within a second, up to 24 frames deep"
    assert log.summary() is None
    assert [log.is_due(6.5, 1) for _ in range(10)] == [True] * 9 + [False]


def test_a_quiet_second_has_no_summary() -> None:
    """Nothing suppressed, nothing said."""
    log = LateInputLog()
    assert [(log.is_due(float(n), 2), log.summary()) for n in range(5)] == [(True, None)] * 5
