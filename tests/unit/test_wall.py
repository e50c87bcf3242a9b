"""The wall time in a page: put right after a machine slept, left alone otherwise."""

from __future__ import annotations

from itertools import pairwise

import pytest
from bridge_support import PERIOD, Page, pair
from core_support import Table, settings
from hypothesis import given
from hypothesis import strategies as st

from pycore.bridge.bridge import WALL_OFF_MS
from pycore.session.wall import MOST, WallClock

HOUR = 3_600_000.0


def warnings(page: Page) -> list[str]:
    """What the page's log has of warnings."""
    return [news["text"] for news in page.news if news["news"] == "log" and news["level"] == "warning"]


def expected(now: float) -> float:
    """The wall time without a sleep: the pages of these tests begin at 50 s, and then it is 1e12 ms."""
    return 1e12 + (now - 50.0) * 1000


def test_after_a_sleep_the_times_are_those_of_the_wall_clock_again() -> None:
    """The monotonic clock stood still for an hour: what is noted from then on has the right time, and is logged."""
    two = pair(max_steps=300, num_episodes=1)
    page, other = two.pages
    two.until(lambda: page.bridge.session.frame == 20)
    page.bridge.set_wall_ms(two.now, expected(two.now) + HOUR)
    two.tick(0, 0)
    assert page.bridge.session.wall_ms(two.now) == pytest.approx(expected(two.now) + HOUR)
    assert warnings(page) == ["the wall clock is +3600.0 s off where it should be, as after a sleep"]
    two.close()
    two.tick(1, 2)
    (changed, *_) = page.bridge.session.path_changes
    assert changed.time_ms == pytest.approx(expected(two.now) + HOUR, abs=2 * PERIOD * 1000)
    assert other.bridge.session.path_changes[0].time_ms == pytest.approx(expected(two.now), abs=2 * PERIOD * 1000)
    said = [each["data"] for each in page.emitted if each["event"] == "pyodide_player_action"]
    assert said[-1]["timestamp"] == pytest.approx(expected(two.now) + HOUR, abs=1)


def test_a_wall_clock_that_is_where_it_should_be_is_handed_in_for_nothing() -> None:
    """Once a second it is; times must not jump back and forth with a clock that is put right by a little."""
    two = pair()
    two.tick(0, 0)
    page = two.pages[0]
    for off in (0.0, WALL_OFF_MS - 1.0, 1.0 - WALL_OFF_MS):
        page.bridge.set_wall_ms(two.now, expected(two.now) + off)
        assert page.bridge.session.wall_ms(two.now) == pytest.approx(expected(two.now))
    two.tick(0, 0)
    assert warnings(page) == []


def test_a_wall_clock_that_was_set_back_is_followed_too() -> None:
    """As the data of other sources will be."""
    two = pair()
    two.tick(0, 0)
    page = two.pages[0]
    page.bridge.set_wall_ms(two.now, expected(two.now) - HOUR)
    assert page.bridge.session.wall_ms(two.now) == pytest.approx(expected(two.now) - HOUR)


def test_the_wall_time_goes_on_where_the_caller_sets_its_clock_back() -> None:
    """A clock that jumps back by a minute is no wall clock: what is noted and what is asked for are of one time."""
    table = Table(2, settings()).start()
    table.ticks(10, 1, 2)
    session = table[0]
    before = session.wall_ms(table.now)
    table.now -= 60.0
    table.ticks(1, 1, 2)
    assert session.wall_ms(table.now) == pytest.approx(before, abs=100)
    table.passes = lambda sender, to, what: False
    table.ticks(3, 1, 2)
    assert session.store_remote_input(1, 5, session.timeline.frames.held[1] + 1, table.now)
    (event,) = session.rollback_events()
    assert event["timestamp"] == pytest.approx(session.wall_ms(table.now), abs=1e-3)
    assert event["timestamp"] == pytest.approx(before + 3 * table.period * 1000, abs=100)


def test_what_was_noted_before_a_sleep_keeps_its_time() -> None:
    """Rollback events of before are exported with the wall time of then, those of after with that of after."""
    table = Table(2, settings()).start()
    table.ticks(10, 1, 2)
    session = table[0]
    table.passes = lambda sender, to, what: False

    def mispredict() -> float:
        assert session.store_remote_input(1, 5 - len(moments), session.timeline.frames.held[1] + 1, table.now)
        return table.now

    moments: list[float] = []
    table.ticks(3, 1, 2)
    moments.append(mispredict())
    began = session.wall_ms(moments[0])
    table.ticks(2, 1, 2)
    session.set_wall_ms(table.now, session.wall_ms(table.now) + HOUR)
    moments.append(mispredict())
    before, after = [event["timestamp"] for event in session.rollback_events()]
    assert before == began == session.wall_ms(moments[0])
    assert after == session.wall_ms(moments[1])
    assert after - before == pytest.approx(HOUR + (moments[1] - moments[0]) * 1000, abs=1e-3)


@pytest.mark.parametrize("polled", [True, False])
def test_earlier_events_keep_their_time_though_the_callers_clock_was_set_back(polled: bool) -> None:
    """The session's own clock goes on; a reading counts from its moment on that clock, before the next poll too."""
    table = Table(2, settings()).start()
    table.ticks(10, 1, 2)
    session = table[0]
    table.passes = lambda sender, to, what: False
    table.ticks(3, 1, 2)
    assert session.store_remote_input(1, 5, session.timeline.frames.held[1] + 1, table.now)
    began = session.wall_ms(table.now)
    table.ticks(1, 1, 2)
    table.now -= 60.0
    if polled:
        table.ticks(1, 1, 2)
    session.set_wall_ms(table.now, began + HOUR)
    if not polled:
        table.ticks(1, 1, 2)
    (event,) = session.rollback_events()
    assert event["timestamp"] == began
    read = began + HOUR + (0.0 if polled else table.period * 1000)
    assert session.wall_ms(table.now) == pytest.approx(read, abs=1e-3)
    table.ticks(32, 1, 2)
    assert session.wall_ms(table.now) == pytest.approx(read + 1000, abs=1e-3)


@pytest.mark.slow
def test_a_clock_that_is_read_every_second_for_hours_takes_no_memory_and_keeps_its_sleeps() -> None:
    """Its little corrections are given up, the two hours that it slept are not."""
    clock = WallClock(0.0, 0.0)
    slept = 0.0
    for second in range(1, 6 * 3600):
        slept += HOUR * (second in (4000, 9000))
        clock.read(second, second * 1000.0 + slept + second * 37 % 11)
    assert len(clock._since) == len(clock._offsets) == MOST
    for second, hours in ((100, 0), (3999, 0), (4000, 1), (8999, 1), (9000, 2), (20_000, 2)):
        assert clock.at(second) == pytest.approx(second * 1000.0 + hours * HOUR, abs=60)
    still = WallClock(0.0, 5.0)
    for second in range(1000):
        still.read(second, second * 1000.0 + 5.0)
    assert still._since == [-1e18]


@given(readings=st.lists(st.tuples(st.integers(0, 50), st.integers(-3, 3)), max_size=60))
@pytest.mark.slow
def test_the_reading_in_force_at_a_moment_says_its_wall_time(readings: list[tuple[int, int]]) -> None:
    """As the newest one at or before it, whenever it was read; one of the same moment takes its place."""
    clock = WallClock(0.0, 0.0)
    in_force = {-1: 0}
    for now, offset in readings:
        clock.read(now, now * 1000.0 + offset)
        in_force = {since: kept for since, kept in in_force.items() if since < now} | {now: offset}
    for moment in range(51):
        newest = max(since for since in in_force if since <= moment)
        assert clock.at(moment) == moment * 1000.0 + in_force[newest]
    assert all(before < after for before, after in pairwise(clock._since))
