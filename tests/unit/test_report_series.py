"""The curves of a report: what an experienced record has by the second, and how it is thinned."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pycore.records.experienced_reader import Displayed, Happening, Item, SecondOfPlay
from pycore.report.series import MARKS, POINTS, Curves, Mark

START = 1_000_000


def second(number: int, **values: Any) -> SecondOfPlay:
    """A second; what is not said of it is 0, or not known."""
    peers = values.pop("peers", {})
    counts = dict.fromkeys(("stalls", "rollbacks", "resimulated", "max_depth", "predicted_frames"), 0)
    return SecondOfPlay(number, START + 1000 * (number + 1), 0, 30 * number, {**counts, **values, "peers": peers})


def event(name: str, at: float, **more: Any) -> Happening:
    return Happening(name, START + int(1000 * at), 0, 0, more)


def displayed(at: float) -> Displayed:
    return Displayed(0, 0, [0, 0], [], START + int(1000 * at), None, False)


def values(curves: Curves, name: str) -> list[float | None]:
    return [None if math.isnan(each) else each for each in curves.values[name]]


def test_a_second_is_a_point_with_the_slowest_links_values() -> None:
    """Of two links the larger round trip and age, the advantage that is further from none; pictures are counted."""
    peers = {
        "1": {"rtt_ms": 80.5, "jitter_ms": None, "input_age": 2, "advantage": -3.5, "path": "p2p"},
        "2": {"rtt_ms": 40.0, "jitter_ms": 4.0, "input_age": 5, "advantage": 1.0, "path": "socketio"},
    }
    items: list[Item] = [
        displayed(0.1), displayed(0.2), second(0, peers=peers, stalls=3, tick_ms_max=9.5, max_depth=4), displayed(1.5),
        second(1, peers={"1": {"rtt_ms": None}}),
    ]  # fmt: skip
    curves = Curves().take(items)
    assert list(curves.seconds) == [0.0, 1.0]
    found = {name: values(curves, name) for name in ("rtt_ms", "jitter_ms", "input_age", "advantage", "displayed")}
    assert found == {
        "rtt_ms": [80.5, None], "jitter_ms": [4.0, None], "input_age": [5.0, None], "advantage": [-3.5, None],
        "displayed": [2.0, 1.0],
    }  # fmt: skip
    assert (values(curves, "stalls"), values(curves, "tick_ms_max")) == ([3.0, 0.0], [9.5, None])
    assert values(curves, "max_depth") == [4.0, 0.0]


def test_more_seconds_than_points_share_them_and_nothing_is_lost() -> None:
    """Of 1,500 seconds four share a point: counts are summed, the one second that was bad is still the highest."""
    seconds = 1500
    bad = 777
    curves = Curves().take(
        second(number, stalls=1, peers={"1": {"rtt_ms": 900.0 if number == bad else 50.0}}) for number in range(seconds)
    )
    assert (curves.share, curves.read) == (4, seconds)
    assert len(curves.seconds) == seconds // 4 <= POINTS
    assert list(curves.seconds[:3]) == [0.0, 4.0, 8.0]
    assert sum(curves.values["stalls"]) == seconds
    assert [second for second, rtt in zip(curves.seconds, curves.values["rtt_ms"], strict=True) if rtt == 900.0] == [
        bad // 4 * 4
    ]


def test_seconds_that_are_missing_are_a_gap() -> None:
    """A machine that slept: the curve is not drawn through."""
    curves = Curves().take([second(0, stalls=1), second(60, stalls=2)])
    assert list(curves.seconds) == [0.0, 1.0, 60.0]
    assert values(curves, "stalls") == [1.0, None, 2.0]


@pytest.mark.parametrize(
    ("away_s", "begins"), [(3.0, 13.0), (0.0, 10.0), (-8.0, 10.0), (-3600.0, 10.0)],
)
def test_of_a_page_that_was_loaded_again_the_curve_goes_on_whatever_its_clock_says(
    away_s: float, begins: float
) -> None:
    """It went backwards where the wall clock had been set back meanwhile."""
    later = [
        second(number, stalls=1)._replace(load=1, time_ms=round(1000 * (10 + away_s + number + 1)))
        for number in range(3)
    ]
    first = [second(number)._replace(time_ms=1000 * (number + 1)) for number in range(10)]
    curves = Curves().take([*first, *later])
    assert list(curves.seconds)[-3:] == [begins, begins + 1, begins + 2]
    assert list(curves.seconds) == sorted(set(curves.seconds))


def test_moments_are_told_from_the_first_second_on() -> None:
    """A path is known before it changes; what came before the first second began is at 0."""
    curves = Curves().take([
        event("phase", -2.0, phase="waiting"), event("hidden", -1.0), event("shown", 0.25),
        second(0, peers={"1": {"path": "p2p"}}), event("stalled", 1.25, cause="window"), event("resumed", 1.5, ticks=8),
        event("path", 2.5, player=1, to="socketio"), second(1, peers={"1": {"path": "socketio"}}),
    ])  # fmt: skip
    assert curves.paths == [Mark(1.0, "p2p", "1"), Mark(2.5, "socketio", "1")]
    assert curves.sights == [Mark(0.0, "hidden"), Mark(0.25, "shown")]
    assert curves.stalls == [Mark(1.25, "window"), Mark(1.5, "resumed")]
    assert curves.length == 2.5


@pytest.mark.parametrize("beyond", [0, 5])
def test_moments_have_a_bound_and_those_beyond_are_counted(beyond: int) -> None:
    """A path that flutters for an hour does not fill the page."""
    curves = Curves().take(event("path", at, player=1, to="p2p") for at in range(MARKS + beyond))
    assert (len(curves.paths), curves.left_out) == (MARKS, beyond)


def test_of_an_empty_record_there_is_nothing() -> None:
    """A session that ended before its first second."""
    curves = Curves().take([])
    assert (list(curves.seconds), curves.paths, curves.length) == ([], [], 0.0)
