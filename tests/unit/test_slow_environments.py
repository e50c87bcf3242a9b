"""Environments that take long: ticks that come late, snapshots that are spared, input delays that rise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from pycore import Settings
from pycore.audit import timing as audit
from pycore.bridge.handed import CORE
from pycore.costs import Costs
from pycore.errors import ConfigError
from pycore.events import DelaysChanged, Log
from pycore.simulation import Contents, Observing, Renderable, Resumable, Simulation
from pycore.testing import Conditions, Mesh, Page, Walk, Watcher, ground_truth, wrong_with
from pycore.testing.machine import MADE_UP, Machine, Metered

FRAMES = 600


def changing(seat: int) -> Callable[[int, int], int]:
    """Every input is another one than the last, so every guess is wrong."""
    return lambda episode, frame: (frame * 7 + seat * 3) % 5


def play(costs: Costs, round_trip: float, *, fps: int = 30, jitter: float = 0.0, **settings: Any) -> Mesh:
    """Two pages on machines on which the game takes so long; snapshots and delay stay as they are by default."""
    settings = {"input_delay_max": settings.get("input_delay", 1), "snapshot_every": 1, **settings}
    of = Settings(fps=fps, max_steps=FRAMES, **settings)
    conditions = Conditions(delay=round_trip / 2, jitter=jitter, opens_after=0.0, costs=costs)
    mesh = Mesh(2, of, lambda seat: Walk(2, seed=1), changing, conditions, seed=2)
    mesh.run(until=400.0)
    assert [page.session.reason for page in mesh.peers] == ["complete", "complete"]
    return mesh


def machine(mesh: Mesh, seat: int = 0) -> Machine:
    found = mesh.peers[seat].machine
    assert found is not None
    return found


def rate(mesh: Mesh, seat: int = 0) -> float:
    """Frames a second while it played, from the first tick that stepped to the last one."""
    of = machine(mesh, seat)
    stepped = [when for when, took in zip(of.started, of.took, strict=True) if took >= of.costs.step]
    return (mesh.peers[seat].session.timeline.total - 1) / (stepped[-1] - stepped[0])


def wrong(mesh: Mesh, episode: int, settings: Settings) -> str:
    """What is wrong with the first page's record of an episode; empty if nothing is."""
    page = mesh.peers[0]
    inputs = [peer.inputs[episode] for peer in mesh.peers]
    truth = ground_truth(Walk(2, seed=1), settings, page.session.codec, inputs, episode)
    return wrong_with(truth, page.rows[episode], page.rewards[episode], page.finals[episode])


# -- what a tick takes ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_tick_takes_what_its_calls_cost() -> None:
    """300 ms and a delay of 1 are rollbacks of four frames: one load, five steps and five saves."""
    mesh = play(Costs(step=0.004, save=0.0003, load=0.0002), 0.3)
    assert machine(mesh).usual == pytest.approx(0.0002 + 5 * 0.004 + 4 * 0.0003)
    assert machine(mesh).late == 0
    assert rate(mesh) == pytest.approx(30.0, abs=0.3)


@pytest.mark.slow
def test_hashes_cost_as_well() -> None:
    """One of the state at the beginning, one at the end, one each second between."""
    mesh = play(Costs(step=0.0, hash=0.01), 0.1)
    assert sum(machine(mesh).took) == pytest.approx(0.01 * (1 + 19 + 1))


@pytest.mark.slow
def test_a_step_of_ten_milliseconds_is_too_much_over_a_long_way() -> None:
    """Five steps of a tick are 50 ms, of 33: the game goes on at two thirds of its speed."""
    mesh = play(Costs(step=0.010, save=0.0002, load=0.0002), 0.3)
    assert machine(mesh).longest == pytest.approx(0.0510)
    assert machine(mesh).late > 0.8 * len(machine(mesh).took)
    assert 23.0 < rate(mesh) < 25.0
    assert mesh.peers[0].session.stalls == 0


@pytest.mark.slow
def test_more_input_delay_mends_it_and_a_smaller_window_makes_it_worse() -> None:
    costs = Costs(step=0.010, save=0.0002, load=0.0002)
    delayed = play(costs, 0.3, input_delay=3)
    assert rate(delayed) == pytest.approx(30.0, abs=0.3)
    assert machine(delayed).late == 0
    narrow = play(costs, 0.3, window=2)
    assert rate(narrow) < 16.0
    assert narrow.peers[0].session.stalls > 500


def test_what_arrives_during_a_tick_is_taken_in_behind_it() -> None:
    """Ticks of 20 ms and packets on the way for 7 ms: nothing is handed over between a tick's beginning and its end."""

    class Arrivals(Watcher):
        times: ClassVar[list[float]] = []

        def arrived(self, page: Page, sender: int, data: bytes | None) -> None:
            if page.seat == 0:
                self.times.append(mesh.now)

    of = Settings(fps=30, max_steps=100, input_delay=3)
    conditions = Conditions(delay=0.007, opens_after=0.0, costs=Costs(step=0.020))
    mesh = Mesh(2, of, lambda seat: Walk(2, seed=1), changing, conditions, seed=2, watchers=[Arrivals()])
    mesh.run(until=60.0)
    ticks = list(zip(machine(mesh).started, machine(mesh).took, strict=True))
    assert len(Arrivals.times) > 90
    behind = 0
    for when in Arrivals.times:
        started, took = max(tick for tick in ticks if tick[0] <= when)
        assert when >= started + took or when == started, "during a tick"
        behind += took > 0 and when == started + took
    assert behind > 50, "and some had to wait for its end"


def test_a_page_makes_up_for_as_many_ticks_as_ours_does() -> None:
    """A tick of four periods and a half: three are made up for at once; of a longer one nothing is."""
    assert CORE["TICKS"]["in_a_row"] == MADE_UP
    metered = Metered(Walk(1))
    made = Machine(Costs(step=1.0), metered)
    metered.step([0])
    assert made.ticked(10.0, 0.25) == (11.0, 11.0)
    assert made.ticked(11.0, 0.25) == (11.0, 11.0)
    assert made.late == 1
    metered.step([0])
    metered.step([0])
    assert made.ticked(11.0, 0.25) == (13.0, 13.0)
    assert made.ticked(13.0, 0.25) == (13.0, 13.25)


class Everything(Walk):
    """A simulation that can do whatever one may be asked for."""

    def render(self) -> None:
        """Nothing to draw."""

    def resume(self) -> None:
        self.reset(7)

    def contents(self, state: object) -> object:
        return state


def test_what_a_simulation_can_do_besides_it_can_where_its_calls_are_counted() -> None:
    """Whoever asks by `isinstance` hears so, and of one that cannot that it cannot."""
    bare = Everything(1)
    metered: Any = Metered(bare)
    protocols = (Observing, Contents, Renderable, Resumable, Simulation)
    assert [isinstance(metered, of) for of in protocols] == [True] * 5
    assert [isinstance(Metered(Walk(1)), of) for of in protocols] == [True, False, False, False, True]
    before = metered.observations
    metered.step([0])
    assert metered.observations == bare.observations != before
    assert metered.contents(5) == 5
    assert metered.counts == {"step": 1, "save": 0, "load": 0, "hash": 1}
    metered.resume()
    assert bare.state[0] == 0


# -- snapshots -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_snapshots_are_spared_where_saving_costs_more_than_stepping() -> None:
    """Saves of 4 ms and steps of 1: every frame saved, a tick takes 22 ms; every fourth, at most 13."""
    costs = Costs(step=0.001, save=0.004, load=0.001)
    dense, sparse = play(costs, 0.3), play(costs, 0.3, snapshot_every=None)
    assert [page.session.timeline.every for page in sparse.peers] == [4, 4]
    assert [page.session.timeline.every for page in dense.peers] == [1, 1]
    assert machine(dense).usual == pytest.approx(0.022)
    assert machine(sparse).longest == pytest.approx(0.013 + 0.004)  # where a frame is hashed as well
    assert sum(machine(sparse).took) < 0.7 * sum(machine(dense).took)
    assert [page.rows for page in sparse.peers] == [page.rows for page in dense.peers]
    assert [page.hashes for page in sparse.peers] == [page.hashes for page in dense.peers]
    assert wrong(sparse, 0, sparse.settings) == ""


@pytest.mark.slow
def test_a_study_may_say_how_sparse_they_are() -> None:
    mesh = play(Costs(step=0.001), 0.1, snapshot_every=5)
    assert [page.session.timeline.every for page in mesh.peers] == [5, 5]
    with pytest.raises(ConfigError, match="snapshot_every"):
        Settings(snapshot_every=0)


# -- the input delay -----------------------------------------------------------------------------------------------

SLOW = Costs(step=0.010, save=0.0002, load=0.0002)


@pytest.mark.slow
def test_the_input_delay_rises_for_the_second_episode() -> None:
    """At 300 ms one frame can be stepped again in a tick, so four of the five on the way have to be waited for."""
    mesh = play(SLOW, 0.3, num_episodes=3, input_delay_max=None)
    for page in mesh.peers:
        assert page.session.pacing.delays == [(1, 1), (4, 4), (4, 4)]
        (changed,) = page.events(DelaysChanged)
        assert (changed.episode, changed.frames, changed.before) == (1, [4, 4], [1, 1])
        (line,) = [event for event in page.events(Log) if "input delay" in event.text]
        assert line.level == "warning"
        assert "3 frames more" in line.text
    assert mesh.peers[0].rows == mesh.peers[1].rows
    assert wrong(mesh, 0, mesh.settings) == wrong(mesh, 1, mesh.settings.replace(input_delay=4)) == ""


@pytest.mark.slow
def test_twenty_milliseconds_a_step_are_played_in_time_once_the_delay_has_risen() -> None:
    """At 30 frames a second and 80 ms one way, where a sixth and more of the ticks came late; the audit recommends the
    delay to which it rises."""
    heavy = Costs(step=0.020, save=0.0002, load=0.0002)
    two, three = (play(heavy, 0.16, num_episodes=episodes, input_delay_max=None) for episodes in (2, 3))
    assert three.peers[0].session.pacing.delays == [(1, 1), (3, 3), (3, 3)]
    first = play(heavy, 0.16, num_episodes=1)
    assert machine(first).late > len(machine(first).took) / 6
    # Pages whose ticks came late are out of step, and get into step in the first seconds of the second one.
    assert machine(two).late - machine(first).late < machine(first).late / 2
    assert machine(three).late == machine(two).late
    measured = audit.Costs(save=200.0, load=200.0, canonical=0.0, step=20_000.0, size=100)
    assert measured.delay(160) == 3


@pytest.mark.slow
def test_it_rises_no_further_than_the_study_allows() -> None:
    assert play(SLOW, 0.3, num_episodes=2, input_delay_max=2).peers[0].session.pacing.delays == [(1, 1), (2, 2)]
    assert play(SLOW, 0.3, num_episodes=2).peers[0].session.pacing.delays == [(1, 1), (1, 1)]


@pytest.mark.slow
def test_it_stays_where_rollbacks_fit() -> None:
    fast = play(Costs(step=0.001, save=0.0002), 0.3, num_episodes=2, input_delay_max=None)
    near = play(SLOW, 0.05, num_episodes=2, input_delay_max=None)
    for mesh in (fast, near):
        assert [page.session.pacing.delays for page in mesh.peers] == [[(1, 1), (1, 1)]] * 2
        assert not mesh.peers[0].events(DelaysChanged)


@pytest.mark.slow
def test_one_slow_machine_is_enough_and_the_delay_is_the_same_for_both() -> None:
    of = Settings(fps=30, max_steps=FRAMES, num_episodes=2)
    conditions = Conditions(delay=0.15, opens_after=0.0, costs=Costs(step=0.0005))
    mesh = Mesh(2, of, lambda seat: Walk(2, seed=1), changing, conditions, seed=2)
    slow = machine(mesh, 1)
    slow.costs = SLOW
    mesh.peers[1].session.pacing.set_costs(SLOW)
    mesh.run(until=400.0)
    assert [page.session.pacing.delays for page in mesh.peers] == [[(1, 1), (4, 4)]] * 2
    assert not [event for event in mesh.peers[0].events(Log) if "input delay" in event.text]


@pytest.mark.slow
def test_what_a_caller_proposes_counts_beside_it() -> None:
    of = Settings(fps=30, max_steps=FRAMES, num_episodes=2)
    conditions = Conditions(delay=0.15, opens_after=0.0, costs=SLOW)
    mesh = Mesh(2, of, lambda seat: Walk(2, seed=1), changing, conditions, seed=2)
    mesh.peers[0].session.propose_input_delay(6, 0)
    mesh.run(until=400.0)
    assert mesh.peers[1].session.pacing.delays == [(1, 1), (6, 4)]


def test_the_bound_lies_above_the_delay_itself() -> None:
    with pytest.raises(ConfigError, match="input_delay_max"):
        Settings(input_delay=3, input_delay_max=2)
    assert Settings(input_delay=3).longest_input_delay == 7
    assert Settings(input_delay=60).longest_input_delay == 60
    of_seats = Settings(input_delay=3, seats=({}, {"input_delay": 20}))
    assert [of_seats.longest_input_delay_of(seat) for seat in (0, 1)] == [7, 20]
