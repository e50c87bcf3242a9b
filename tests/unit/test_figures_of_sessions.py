"""What the metrics say of network, guesses and stalls, against what simulated networks did and what others counted."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from core_support import PERIOD, Table, settings
from experienced_support import Carried, run

from pycore import Session, Settings
from pycore.envs import ParallelEnvAdapter
from pycore.records import export_session_metrics
from pycore.session.tick import STALL_CAUSES
from pycore.testing import Conditions, Mesh, Walk


def metrics_of(mesh: Mesh, seat: int = 0) -> dict[str, Any]:
    return export_session_metrics(mesh.peers[seat].session)


def test_a_fixed_delay_is_the_round_trip_and_has_no_jitter() -> None:
    """Twice the delay, to the millisecond of a hold, at every percentile."""
    mesh, _ = run(Conditions(delay=0.0375))
    for seat in (0, 1):
        link = metrics_of(mesh, seat)["network"][str(1 - seat)]
        assert 20 <= link["rttMs"]["count"] <= 30
        for name in ("min", "p50", "p90", "p99", "max"):
            assert 75.0 <= link["rttMs"][name] <= 76.5, (name, link["rttMs"])
        assert link["jitterMs"]["max"] <= 1.1
        assert 20 <= link["jitterMs"]["count"] <= link["rttMs"]["count"]
        assert link["rttViaSocketIOMs"]["count"] == 0


@pytest.mark.slow
def test_jitter_is_seen_as_jitter() -> None:
    """Each way 0 to 30 ms longer: round trips between 80 and 140 ms, and differences up to 60."""
    mesh, _ = run(Conditions(delay=0.04, jitter=0.03), max_steps=900)
    link = metrics_of(mesh)["network"]["1"]
    assert 80 <= link["rttMs"]["min"] < link["rttMs"]["p50"] < link["rttMs"]["max"] <= 141
    assert 8 < link["jitterMs"]["p50"] < 30
    assert 25 < link["jitterMs"]["max"] <= 61


@pytest.mark.slow
def test_bytes_and_packets_are_those_that_the_network_carried() -> None:
    """Of every link and direction, also where some are lost on the way, with three players."""
    carried = Carried()
    mesh, _ = run(Conditions(delay=0.04, loss=0.1), seats=3, watchers=[carried])
    lost = 0
    for seat in range(3):
        for other in range(3):
            if other == seat:
                continue
            link = metrics_of(mesh, seat)["network"][str(other)]
            sent, came = carried.sent[seat, other], carried.came[other, seat]
            assert [link["packets"]["sentViaP2P"], link["bytes"]["sentViaP2P"]] == sent
            assert [link["packets"]["receivedViaP2P"], link["bytes"]["receivedViaP2P"]] == came
            lost += sent[0] - carried.came[seat, other][0]
    assert lost > 50


def test_what_goes_through_the_server_is_counted_alike_on_both_sides() -> None:
    """Without a channel, and with nothing lost: what one sent is what the other received."""
    mesh, _ = run(Conditions(opens_after=None, server_delay=0.05), p2p_wait=0.5)
    one, two = metrics_of(mesh, 0)["network"]["1"], metrics_of(mesh, 1)["network"]["0"]
    assert one["packets"]["sentViaP2P"] == two["packets"]["receivedViaP2P"] == 0
    for what in ("packets", "bytes"):
        assert one[what]["sentViaSocketIO"] == two[what]["receivedViaSocketIO"] > 180
        assert two[what]["sentViaSocketIO"] == one[what]["receivedViaSocketIO"] > 180
    assert two["rttViaSocketIOMs"]["count"] > 5
    assert 100 <= two["rttViaSocketIOMs"]["p50"] <= 102


@pytest.mark.parametrize("prediction", ["repeat_last", "default_action"])
def test_guesses_are_counted_against_what_was_really_played(prediction: str) -> None:
    """Every frame that was first stepped with a guess, and whether the trajectory has that action."""
    mesh, recorder = run(Conditions(delay=0.09, jitter=0.03, loss=0.1), prediction=prediction)
    for seat in (0, 1):
        page, other = mesh.peers[seat], 1 - seat
        frames = hits = 0
        for episode, frame, actions, guessed in recorder.stepped[seat]:
            if other in guessed:
                frames += 1
                row = page.rows[episode]
                hits += frame < len(row) and page.session.seats[other].decode(row[frame][other]) == actions[other]
        found = metrics_of(mesh, seat)["predictions"]
        repeated = found[str(other)].pop("repeatLastHits")
        assert repeated == hits if prediction == "repeat_last" else 0 < repeated != hits
        assert found == {
                str(other): {
                    "predictor": prediction, "frames": frames, "hits": hits, "misses": frames - hits, "failed": 0,
                    "failure": None,
                }
        }
        assert 0 < hits < frames


def test_depths_sum_to_the_rollbacks_performed_and_are_those_that_happened() -> None:
    """Against what the mesh's pages noted before each correction."""
    mesh, _ = run(Conditions(delay=0.1, jitter=0.06, loss=0.1))
    for page in mesh.peers:
        rollbacks = export_session_metrics(page.session)["rollbacks"]
        assert sum(rollbacks["depths"]) == rollbacks["performed"] == len(page.depths)
        assert rollbacks["depths"] == [page.depths.count(depth) for depth in range(max(page.depths) + 1)]
        assert max(page.depths) >= 3


def test_the_confirmation_lag_follows_the_way_there_and_back() -> None:
    """An input goes out a frame before its own, and its receipt is back after six periods and a tick: the newest frame
    is five or six ahead of what is confirmed. Looked at every eighth tick."""
    mesh, _ = run(Conditions(delay=3 * PERIOD), max_steps=400, num_episodes=1)
    for seat in (0, 1):
        found = metrics_of(mesh, seat)["quality"]["confirmationLagFrames"]
        assert 48 <= found["count"] <= 52
        assert found["p50"] in (4, 5, 6)
        assert found["max"] <= 7


@pytest.mark.slow
def test_the_age_of_inputs_follows_the_delay() -> None:
    """One way of about three periods, one frame of input delay: inputs are two to four frames old."""
    mesh, _ = run(Conditions(delay=3 * PERIOD), max_steps=300)
    metrics = metrics_of(mesh)
    for found in (metrics["quality"]["inputAgeFrames"], metrics["network"]["1"]["inputAgeFrames"]):
        assert found["count"] >= 60
        assert found["p50"] in (2, 3)
        assert found["max"] <= 5


def causes_of(session: Any) -> dict[str, int]:
    causes: dict[str, int] = export_session_metrics(session)["quality"]["stallCauses"]
    assert list(causes) == list(STALL_CAUSES)
    assert sum(causes.values()) == session.stalls
    return {name: count for name, count in causes.items() if count}


def test_a_full_window_is_a_stall_of_the_window() -> None:
    """Nothing comes of the other: as many frames as the window has, then every tick stands."""
    table = Table(2, settings(window=8)).start()
    table.passes = lambda sender, to, what: False
    table.ticks(20)
    assert causes_of(table[0]) == {"window": table[0].stalls}
    assert table[0].stalls >= 10


class Breaks(Walk):
    """Raises where a player's guessed action of frame 12 is not what it will be."""

    def __init__(self) -> None:
        super().__init__(2, seed=7)
        self._frame = 0

    def reset(self, episode: int) -> None:
        """The first frame."""
        super().reset(episode)
        self._frame = 0

    def save(self) -> Any:
        """The frame, too."""
        return self._frame, super().save()

    def load(self, state: Any) -> None:
        """The same."""
        self._frame, inner = state
        super().load(inner)

    def canonical(self, state: Any) -> bytes:
        """Of what is inside."""
        return super().canonical(state[1])

    def step(self, actions: Any) -> Any:
        """Frame 12 needs action 5 of seat 1."""
        if self._frame == 12 and actions[1] != 5:
            raise ValueError("that cannot be")
        self._frame += 1
        return super().step(actions)


@pytest.mark.slow
def test_an_environment_that_raises_on_a_guess_is_named_as_the_cause() -> None:
    """It stands before that frame until the truth is there."""
    table = Table(2, settings(), simulation=lambda seat: Breaks()).start()
    held = {"on": False}
    table.passes = lambda sender, to, what: not (held["on"] and to == 0)
    while table[0].frame < 10:
        table.tick(0, 0)
    held["on"] = True
    table.ticks(5, 0, 5)
    assert causes_of(table[0]) == {"environment": table[0].stalls}
    assert table[0].stalls >= 2


@pytest.mark.slow
def test_a_page_that_is_slow_for_good_is_named_as_the_cause() -> None:
    """The fast one stands for single ticks; there it is not the window."""
    mesh, recorder = run(
        Conditions(delay=0.03), max_steps=600, num_episodes=1,
        script=lambda mesh: setattr(mesh.peers[1], "ticks_per_second", 25.0),
    )
    causes = causes_of(mesh.peers[0].session)
    assert causes["slow_player"] > 30
    assert causes.get("window", 0) < 5
    assert mesh.peers[0].session.stalls == recorder.stalls[0]


def test_hiding_and_showing_the_page_is_noted_with_frame_and_time() -> None:
    """By the page's own clock, at the tick that was told of it."""
    def script(mesh: Mesh) -> None:
        mesh.at(1.5, lambda: setattr(mesh.peers[0], "hidden", True))
        mesh.at(2.25, lambda: setattr(mesh.peers[0], "hidden", False))

    mesh, _ = run(Conditions(delay=0.03), script=script)
    hidden, shown = metrics_of(mesh)["visibility"]
    assert (hidden["hidden"], shown["hidden"]) == (True, False)
    assert hidden["episode"] == shown["episode"] == 0
    assert 1.7e12 + 1490 <= hidden["timestamp"] <= 1.7e12 + 1540
    assert 1.7e12 + 2240 <= shown["timestamp"] <= 1.7e12 + 2290
    assert 22 <= shown["frame"] - hidden["frame"] <= 26
    assert metrics_of(mesh, 1)["visibility"] == []


@pytest.mark.slow
def test_visibility_is_bounded() -> None:
    """Whoever flips for an hour leaves the first thousand."""
    table = Table().start()
    for _ in range(600):
        table.hidden[0] = True
        table.tick()
        table.hidden[0] = False
        table.tick()
    assert len(export_session_metrics(table[0])["visibility"]) == 1000


class Other(Walk):
    """One whose state is another one after a while."""

    def canonical(self, state: Any) -> bytes:
        """Not the same everywhere."""
        return super().canonical(state) + (b"x" if self.steps > 60 else b"")


def test_what_differed_is_listed() -> None:
    """Episode, first frame of a hash that differs, whose, and that it is the state."""
    mesh, _ = run(
        Conditions(delay=0.03), num_episodes=1,
        simulation=lambda seat: Other(2, seed=4) if seat else Walk(2, seed=4),
    )
    listed = metrics_of(mesh)["desyncs"]
    assert [(row["episode"], row["playerId"], row["kind"]) for row in listed] == [(0, "1", "state")] * len(listed)
    assert len(listed) == metrics_of(mesh)["sync"]["p2pHashMismatches"] > 0


def test_without_a_page_nothing_is_said_of_one() -> None:
    """The names are there, so that readers need not ask."""
    mesh, _ = run(Conditions(), num_episodes=1)
    assert [metrics_of(mesh)[name] for name in ("frameTimes", "clock", "waiting")] == [None] * 3


def test_the_metrics_say_whom_the_environment_calls_the_agent_that_somebody_plays() -> None:
    """Tables of players 0 and 1 would not say who was the hunter; a simulation without names says nothing."""

    class Chase:
        possible_agents: ClassVar = ["hunter", "hare"]

        def reset(self, seed: Any = None) -> Any:
            self.agents = list(self.possible_agents)
            return dict.fromkeys(self.agents, 0), {}

        def step(self, actions: Any) -> Any:
            no = dict.fromkeys(self.agents, False)
            return dict.fromkeys(self.agents, 0), dict.fromkeys(self.agents, 0), no, no, {}

    for simulation, names in ((ParallelEnvAdapter(Chase(), [0, 1], seed=1), ["hunter", "hare"]), (Walk(2), [None] * 2)):
        for me, name in enumerate(names):
            settings = Settings(action_space={"type": "discrete", "n": 6})
            session = Session(simulation, settings, game_id="g", players=[0, 1], me=me, now=0.0, wall_ms=0.0)
            assert export_session_metrics(session)["environment"]["agent"] == name
