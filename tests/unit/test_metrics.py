"""The books: every misprediction once, small in memory, and ten log lines a second at most."""

from __future__ import annotations

import random
import sys

from pycore.rollback.mispredictions import LateInputLog, RollbackEvents


def test_what_was_appended_is_exported_in_order() -> None:
    """S4's keys, exactly, with the times turned into milliseconds."""
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
        assert events.last_predicted == p
    exported = list(events.export(lambda seat: f"p{seat}", lambda e: e[0], lambda now: 1000 + now * 1000))
    assert exported == expected
    assert list(exported[0]) == list(expected[0])
    assert events.count == 500
    assert events.max_frames == max(e["rollbackFrames"] for e in expected)


def test_an_event_takes_at_most_40_bytes() -> None:
    """Bounded memory: 100,000 events of a long bad session stay below 4 MB, table included."""
    events = RollbackEvents()
    for n in range(100_000):
        events.append(n, n + 3, 1, bytes((n % 6,)), bytes((n % 5,)), n / 30, 0)
    table = sys.getsizeof(events._actions) + sys.getsizeof(events._index)
    assert (sys.getsizeof(events._rows) + table) / 100_000 <= 40


def test_ten_lines_a_second_and_the_rest_is_summed_up() -> None:
    """Lessons, row 32: the eleventh of a second is counted, and said with the first of a later second."""
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
