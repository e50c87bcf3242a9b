"""Input delays that follow the network from one episode to the next, within the study's bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pycore import Settings
from pycore.errors import ConfigError
from pycore.events import DelaysChanged
from pycore.records import export_session_metrics
from pycore.session.lateness import Lateness
from pycore.testing import Conditions, Mesh, Walk, ground_truth, wrong_with


class Measured:
    """A link of which only the measurements count."""

    def __init__(self, rtt: float | None, jitter: float = 0.0) -> None:
        self.rtt = rtt
        self.jitter = jitter


class Said:
    """A journal that keeps what is said."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def say(self, event: Any) -> None:
        self.texts.append(event.text)


def lateness(links: list[Measured], own: tuple[int, ...] = (0,), seats: int = 2, **settings: Any) -> tuple[Any, Said]:
    """Of a study at 25 frames a second, 40 ms each."""
    said = Said()
    of = Settings(**{"fps": 25, "adaptive_input_delay": "all", **settings})
    return Lateness(of, seats, links, own, said), said  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rtt", "jitter", "rise"),
    [(None, 0.0, 0), (0.0, 0.0, 0), (0.080, 0.0, 0), (0.082, 0.0, 1), (0.160, 0.0, 1), (0.160, 0.001, 2),
     (0.200, 0.040, 3), (0.300, 0.010, 3), (2.0, 0.5, 4)],
)  # fmt: skip
def test_a_delay_covers_half_a_round_trip_and_the_jitter(rtt: float | None, jitter: float, rise: int) -> None:
    """Beyond the one frame that the study has, in whole frames; never beyond its bound."""
    assert lateness([Measured(rtt, jitter)])[0].rises() == [rise, rise]


def test_for_all_the_worst_link_counts_and_for_each_its_own_best_one() -> None:
    """Who is far from everybody waits alone, where the study has it so."""
    links = [Measured(0.05), Measured(0.19)]
    assert lateness(links, seats=3)[0].rises() == [2, 2, 2]
    assert lateness(links, seats=3, adaptive_input_delay="each")[0].rises() == [0, 0, 0]
    far = [Measured(0.19), Measured(0.25)]
    assert lateness(far, own=(2,), seats=3, adaptive_input_delay="each")[0].rises() == [0, 0, 2]


def test_a_delay_falls_only_if_it_is_two_frames_too_long() -> None:
    """Or a round trip at the border of two frames would change it in every episode."""
    link = Measured(0.3)
    of, said = lateness([link])
    found = []
    for rtt in (0.30, 0.22, 0.19, 0.21, 0.0, 0.30):
        link.rtt = rtt
        found.append(of.rises()[0])
    assert found == [3, 3, 3, 3, 0, 3]
    assert len(said.texts) == 3, "what does not change is not said"


def test_the_bound_is_the_studys() -> None:
    """The same as the delay: it never rises. By default it is four frames more."""
    far = [Measured(1.0)]
    assert lateness(far, input_delay=2)[0].rises() == [4, 4]
    assert lateness(far, input_delay=2, input_delay_max=2)[0].rises() == [0, 0]
    assert lateness(far, input_delay=2, input_delay_max=9)[0].rises() == [7, 7]


def test_what_is_no_way_to_adapt_is_refused_and_a_fixed_delay_is_the_default() -> None:
    """By name; and only what is used is part of what all must have alike."""
    with pytest.raises(ConfigError, match="adaptive_input_delay is 'yes'; it must be 'off', 'all' or 'each'"):
        Settings(adaptive_input_delay="yes")
    assert "adaptive_input_delay" not in Settings().agreed()
    assert Settings(adaptive_input_delay="each").agreed()["adaptive_input_delay"] == "each"


# -- in sessions -----------------------------------------------------------------------------------------------------


def played(seats: int, conditions: Conditions, script: Callable[[Mesh], None] | None = None, **settings: Any) -> Mesh:
    """Four episodes of twelve seconds."""
    of = Settings(max_steps=360, num_episodes=4, action_space={"type": "discrete", "n": 6}, **settings)
    mesh = Mesh(
        seats, of, lambda seat: Walk(seats, seed=1), lambda seat: lambda episode, frame: (frame // 4 + seat) % 6,
        conditions, seed=2,
    )  # fmt: skip
    if script is not None:
        script(mesh)
    mesh.run(200.0)
    assert [page.session.reason for page in mesh.peers] == ["complete"] * seats
    for episode in range(4):
        inputs = [page.inputs[episode] for page in mesh.peers]
        truth = ground_truth(
            Walk(seats, seed=1), of, mesh.peers[0].session.codec, inputs, episode,
            input_delays=mesh.input_delays(episode),
        )  # fmt: skip
        for page in mesh.peers:
            assert not wrong_with(truth, page.rows[episode], page.rewards[episode], page.finals[episode])
    return mesh


FAR = Conditions(delay=0.09, jitter=0.02)


@pytest.mark.slow
def test_a_fixed_delay_stays() -> None:
    """Whatever the network does."""
    assert played(2, FAR).peers[0].session.pacing.delays == [(1, 1)] * 4


@pytest.mark.slow
@pytest.mark.parametrize("seats", [2, 3])
def test_a_long_way_makes_a_longer_delay_and_fewer_rollbacks(seats: int) -> None:
    """The law: over 200 ms there and back fewer frames are stepped again and none as deep, within the bounds, and the
    metrics say the delay of each episode."""
    fixed, adaptive = played(seats, FAR), played(seats, FAR, adaptive_input_delay="all")
    delays = adaptive.peers[0].session.pacing.delays
    assert all(3 <= delay <= 5 and len(set(of)) == 1 for of in delays for delay in of)
    assert max(delays[0]) >= 3, "the first episode begins with what was measured while connecting"
    for before, after in zip(fixed.peers, adaptive.peers, strict=True):
        assert after.session.timeline.resimulated < 0.1 * before.session.timeline.resimulated
        assert before.session.timeline.resimulated > 300
        metrics = export_session_metrics(after.session)
        recorded = [tuple(episode["inputDelay"].values()) for episode in metrics["episodes"]]
        assert recorded == delays
    changes = [event for event in adaptive.peers[0].news if isinstance(event, DelaysChanged)]
    assert changes
    assert changes[0].before == [1] * seats


@pytest.mark.slow
def test_a_delay_follows_a_network_that_becomes_better() -> None:
    """In the episode behind the next READY."""

    def script(mesh: Mesh) -> None:
        mesh.at(20.0, lambda: setattr(mesh, "conditions", replace(FAR, delay=0.01, jitter=0.0)))

    delays = played(2, FAR, script, adaptive_input_delay="all").peers[0].session.pacing.delays
    assert [max(of) for of in delays] == [delays[0][0], delays[1][0], delays[1][0], 1]
    assert delays[0][0] >= 3
    assert delays[1][0] >= 4


@pytest.mark.slow
def test_who_is_far_from_everybody_has_a_longer_delay_alone() -> None:
    """Two who are near each other keep the study's."""

    def script(mesh: Mesh) -> None:
        for way in mesh.network.ways.values():
            if 2 not in (way.sender, way.to):
                way.delay = 0.01

    near, far = replace(FAR, jitter=0.0), {"adaptive_input_delay": "each"}
    assert played(3, near, script, **far).peers[1].session.pacing.delays[1:] == [(1, 1, 3)] * 3
