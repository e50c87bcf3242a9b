"""The laws can fail: the core is broken on purpose, one way at a time, and each time a law says so.

For every way to break it there are a few schedules that the whole core survives without a fault. What each mutant
does is in `core_view.MUTANTS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import core_view
import pytest
from drawing import Schedule
from laws import faults
from networks import build, play

from pycore.events import Desync
from pycore.testing import Conditions, Walk

ROUGH = Schedule(
    seed=5, delay=0, window=10, episodes=1, steps=200, hold=3,
    conditions=Conditions(delay=0.06, jitter=0.05, loss=0.1, server_delay=0.05),
)  # fmt: skip
CROWD = Schedule(
    seats=6, seed=2, episodes=1, steps=60, hold=3, conditions=Conditions(delay=0.05, jitter=0.02, loss=0.05)
)
SPARSE = Schedule(seed=4, episodes=2, steps=100, hash_interval=30, conditions=Conditions(delay=0.05))
HEAVY = Schedule(
    seed=6, episodes=1, steps=150, hold=2, wide=True, window=12,
    conditions=Conditions(delay=0.08, jitter=0.03, loss=0.25, server_delay=0.05),
)  # fmt: skip
BROKEN = Schedule(seed=7, episodes=1, steps=600, conditions=Conditions(delay=0.05), departures=((3.0, "abort", 1, 0),))
HICCUPS = Schedule(
    seed=8, episodes=1, steps=900, conditions=Conditions(delay=0.05), pages=((0, "hiccups", 5.0),),
    departures=((4.0, "vanish", 1, 0),),
)  # fmt: skip

CAUGHT: list[tuple[str, Schedule, str]] = [
    ("events report the anchor's guess", ROUGH, "was stepped with"),
    ("every third event is missing", ROUGH, "without an event"),
    ("receipts of the fifth are broken", CROWD, "stands"),
    ("hash interval is ignored", SPARSE, "other hashes"),
    ("second run is dropped", HEAVY, "came and are not known"),
    ("over is not said", BROKEN, "after another's end"),
    ("hiccup forgives all silence", HICCUPS, "not over after"),
    ("re-simulation keeps stale snapshots", ROUGH, ""),
    ("predictions pass as known", ROUGH, "without an event"),
    ("input is replaced after it was sent", ROUGH, "frame 60"),
    ("a rollback is forgotten", ROUGH, "false alarm"),
]


def test_every_way_to_break_the_core_has_its_schedule() -> None:
    """None is written down and never tried."""
    assert sorted(name for name, *_ in CAUGHT) == sorted(core_view.MUTANTS)


@pytest.mark.parametrize("schedule", [ROUGH, CROWD, SPARSE, HEAVY, BROKEN, HICCUPS])
def test_the_whole_core_survives_the_schedules_of_its_mutants(schedule: Schedule) -> None:
    """They differ from the runs below by the mutation alone, and what is mutated does happen in them."""
    net = play(schedule)
    assert faults(net, schedule) == []
    rollbacks = [core_view.rollbacks(page.session) for page in net.peers]
    if schedule is ROUGH:
        assert min(rollbacks) > 20
        assert net.truthful.checked > 40
    if schedule is HEAVY:
        assert net.runs.checked > 5


@pytest.mark.parametrize(("name", "schedule", "words"), CAUGHT, ids=[name for name, *_ in CAUGHT])
def test_a_law_catches(name: str, schedule: Schedule, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The core is broken in this way, and the faults of the run say what one would look for."""
    core_view.MUTANTS[name](monkeypatch)
    net = build(schedule)
    # Seats that wait for each other for ever are seen long before the patience of other schedules is over.
    until = 100.0 if schedule.departures else 60.0
    try:
        while not net.over and net.now < until:
            net.run(net.now + 1.0)
            if words and any(words in text for judge in net.judges for text in judge.wrong):
                break  # it was said while the run goes on
    except (AssertionError, LookupError) as error:
        # A core that is so broken does not even do what those who look on can follow.
        found = [repr(error)]
    else:
        found = faults(net, schedule)
    assert any(words in fault for fault in found), found


class Leaky(Walk):
    """An environment that keeps something outside of its state: every step leaves a trace that no load removes."""

    trace = 0

    def step(self, actions: Sequence[Any]) -> Any:
        self.trace += 1
        return super().step([actions[0] + (self.trace & 1), *actions[1:]])


def test_the_oracle_finds_an_environment_that_hides_state() -> None:
    """What load() does not restore differs from the truth as soon as something was stepped again."""
    net = build(ROUGH, lambda seat: Leaky(2, seed=5))
    net.run(300.0)
    assert any("rewards" in fault or "final state" in fault for fault in faults(net, ROUGH))


def test_the_oracle_finds_a_count_that_is_wrong_by_one() -> None:
    """Sent and received totals are compared exactly: one packet counted twice is seen."""
    net = play(ROUGH)
    core_view.counts(net.peers[0].session.links[0]).received_via_p2p += 1
    assert any("received" in fault for fault in faults(net, ROUGH))


def test_an_environment_that_differs_on_one_peer_is_reported_with_its_frame() -> None:
    """States of confirmed frames are compared: a peer whose environment drifts at frame 50 is named soon after."""

    class Drifting(Walk):
        def step(self, actions: Sequence[Any]) -> Any:
            result = super().step(actions)
            if self.state[0] == 51:
                self.state = (51, self.state[1] ^ 1)
            return result

    net = build(ROUGH, lambda seat: (Drifting if seat else Walk)(2, seed=5))
    net.run(300.0)
    for page in net.peers:
        found = page.events(Desync)
        # Hashes are of every seventh state: 49 was alike, 56 is the first that differs.
        assert [event.frame for event in found][:1] == [56]
        assert len({event.frame for event in found}) == len(found)
        assert page.session.hash_mismatches == len(found)
