"""The public mesh: what a user relies on when testing an environment with it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from pycore.duties import CHANNEL_FAILED
from pycore.envs import ParallelEnvAdapter
from pycore.events import PathChanged, PeerStatus
from pycore.records.metrics import export_session_metrics
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh, Walk, ground_truth, wrong_with

OF = Settings(max_steps=150, num_episodes=2, action_space={"type": "discrete", "n": 6})


def mesh(seats: int = 2, settings: Settings = OF, seed: int = 3, **conditions: Any) -> Mesh:
    """A mesh of walks whose players hold a key for four frames."""
    return Mesh(
        seats, settings, lambda seat: Walk(seats, seed=1), lambda seat: lambda episode, frame: (frame // 4 + seat) % 6,
        Conditions(**conditions), seed=seed,
    )  # fmt: skip


def wrong(of: Mesh) -> list[str]:
    """What the oracle says about every episode of every peer."""
    found = []
    for episode in range(of.settings.num_episodes):
        inputs = [peer.inputs[episode] for peer in of.peers]
        truth = ground_truth(Walk(len(of.peers), seed=1), of.settings, of.peers[0].session.codec, inputs, episode)
        found += [wrong_with(truth, p.rows[episode], p.rewards[episode], p.finals[episode]) for p in of.peers]
    return [text for text in found if text]


@pytest.mark.slow
def test_a_run_repeats_itself_to_the_last_byte() -> None:
    """Everything is drawn from one seed: a failure can be run again."""
    runs = []
    for _ in range(2):
        of = mesh(delay=0.05, jitter=0.05, loss=0.2, drift=0.001, tick_jitter=0.3)
        of.run(60.0)
        runs.append(
            [(p.rows, p.finals, p.bytes_sent, p.packets_sent, p.session.timeline.events.count) for p in of.peers]
        )
    assert runs[0] == runs[1]
    other = mesh(delay=0.05, jitter=0.05, loss=0.2, drift=0.001, tick_jitter=0.3, seed=4)
    other.run(60.0)
    assert other.peers[0].bytes_sent != runs[0][0][2]


@pytest.mark.parametrize("delay", [1, 6])
def test_a_window_of_one_frame_is_lockstep(delay: int) -> None:
    """Nothing is guessed; where the input delay covers the way nobody stands, and elsewhere everybody does."""
    of = mesh(3, OF.replace(window=1, input_delay=delay, num_episodes=1), delay=0.08, jitter=0.02)
    of.run(120.0)
    assert of.over
    assert wrong(of) == []
    assert [(p.session.timeline.rollbacks, p.session.timeline.events.count) for p in of.peers] == [(0, 0)] * 3
    stalls = sum(p.session.stalls for p in of.peers)
    assert stalls < 10 if delay == 6 else stalls > 300


def test_an_input_is_given_to_the_server_once_for_all_and_counted_for_each() -> None:
    """Where nothing goes peer-to-peer, both books say so: those of the links, and the one that the server can check."""
    of = mesh(3, OF.replace(p2p=False, num_episodes=1), opens_after=None)
    of.run(60.0)
    assert of.over
    given = [export_session_metrics(peer.session)["inputs"] for peer in of.peers]
    assert [counts["sentViaSocketIO"] for counts in given] == [2 * 150] * 3
    assert [counts["givenToServer"] >= 150 for counts in given] == [True] * 3
    assert sum(counts["givenToServer"] for counts in given) == of.through_server


@pytest.mark.parametrize("seats", [2, 3, 8])
@pytest.mark.slow
def test_every_seat_ends_with_the_truth(seats: int) -> None:
    """From two players to eight, under loss, with rollbacks."""
    of = mesh(seats, Settings(max_steps=60, num_episodes=2, action_space={"type": "discrete", "n": 6}),
              delay=0.06, jitter=0.04, loss=0.1)  # fmt: skip
    of.run(120.0)
    assert of.over
    assert wrong(of) == []
    assert all(peer.session.timeline.rollbacks > 0 for peer in of.peers)


class Dice:
    """A parallel environment that draws from the process's generator: in a mesh, from the one that all peers share."""

    possible_agents = (0, 1)

    def __init__(self) -> None:
        self.agents = [0, 1]
        self.sums = [0.0, 0.0]

    def reset(self, seed: int) -> Any:
        self.agents, self.sums = [0, 1], [0.0, 0.0]
        return {0: 0, 1: 0}, {}

    def step(self, actions: dict[int, int]) -> Any:
        for agent, action in actions.items():
            self.sums[agent] += action * random.random()
        same = dict.fromkeys(self.agents, False)
        return {0: 0, 1: 0}, dict(enumerate(self.sums)), same, same, {}

    def get_state(self) -> Any:
        return {"sums": list(self.sums)}

    def set_state(self, state: Any) -> None:
        self.sums = list(state["sums"])


def test_peers_that_share_the_processs_generator_do_not_disturb_each_other() -> None:
    """Each goes on where its own simulation left it, through rollbacks; their states are compared all along."""
    settings = Settings(max_steps=120, hash_interval=10, action_space={"type": "discrete", "n": 6})
    of = Mesh(
        2, settings, lambda seat: ParallelEnvAdapter(Dice(), [0, 1], seed=5, rngs=("random",)),
        lambda seat: lambda episode, frame: (frame // 4 + seat) % 6, Conditions(delay=0.06, jitter=0.04, loss=0.1),
        seed=3,
    )  # fmt: skip
    of.run(60.0)
    assert of.over
    assert all(peer.session.timeline.rollbacks > 5 for peer in of.peers)
    assert [peer.session.hash_mismatches for peer in of.peers] == [0, 0]
    assert of.peers[0].finals == of.peers[1].finals
    assert len(of.peers[0].hashes[0]) >= 11
    alone = Dice()
    random.seed(5)
    alone.reset(5)
    for row in of.peers[0].rows[0]:
        alone.step(dict(enumerate(of.peers[0].session.codec.decode(action) for action in row)))
    assert of.peers[0].rewards[0][-1] == dict(enumerate(alone.sums))


def test_while_p2p_is_healthy_no_input_crosses_the_server() -> None:
    """Counted at the server."""
    of = mesh(delay=0.03, jitter=0.02, loss=0.1)
    of.run(60.0)
    assert of.over
    assert of.through_server == 0


def test_a_session_without_p2p_is_played_through_the_server() -> None:
    """Every input crosses it, once per dispatch and repeat."""
    of = mesh(opens_after=None)
    of.run(60.0)
    assert of.over
    assert wrong(of) == []
    sent = sum(p.session.links[0].counts.sent_via_socketio for p in of.peers)
    again = sum(p.session.links[0].counts.resent_via_socketio for p in of.peers)
    assert of.through_server == sent + again
    assert sent == 600


@pytest.mark.parametrize("cut", ["silent", "closed", "failed"])
def test_a_cut_in_mid_game_loses_nothing_and_p2p_comes_back(cut: str) -> None:
    """The fallback within the rule's time, the return, and the same trajectory."""
    of = mesh(delay=0.03, loss=0.02)
    states = {"closed": of.close, "failed": lambda: of.close(CHANNEL_FAILED), "silent": of.cut}
    of.at(2.0, states[cut])
    of.at(3.5, of.restore)
    of.at(3.5, of.open_channels)
    of.run(60.0)
    assert of.over
    assert wrong(of) == []
    for peer in of.peers:
        causes = [change.cause for change in peer.events(PathChanged)]
        assert causes[-1] == "recovered"
        assert causes[0] in ({"silent": "silence deaf"}.get(cut, cut))
        sent = peer.session.links[0].counts
        assert sent.sent_via_p2p > 0 < sent.sent_via_socketio


def test_the_silent_cut_is_noticed_by_the_rules_time() -> None:
    """At most 500 ms of quiet and a few ticks pass before the first input goes by the server."""
    of = mesh(delay=0.03)
    of.at(2.0, of.cut)
    of.run(2.0)
    seen = [change for peer in of.peers for change in peer.events(PathChanged)]
    assert seen == []
    of.run(2.03 + 0.5 + 3 / 30 + 0.03)
    assert of.through_server > 0


def test_a_frozen_page_is_announced_and_taken_back() -> None:
    """Three seconds of nothing: interrupted, then present, and the game goes on to the same end."""
    of = mesh(delay=0.03)

    def freeze(frozen: bool) -> None:
        of.peers[1].frozen = frozen

    of.at(2.0, lambda: freeze(True))
    of.at(5.0, lambda: freeze(False))
    of.run(60.0)
    assert of.over
    assert wrong(of) == []
    assert [event.status for event in of.peers[0].events(PeerStatus)] == ["interrupted", "present"]


def test_a_pause_of_our_own_brings_nobody_back() -> None:
    """It counts the silence anew, since we did not listen; but who is interrupted is back only when they are heard."""
    of = mesh(delay=0.03)

    def freeze(seat: int, frozen: bool) -> None:
        of.peers[seat].frozen = frozen

    of.at(2.0, lambda: freeze(1, True))
    of.at(5.0, lambda: freeze(0, True))
    of.at(5.5, lambda: freeze(0, False))
    of.at(8.5, lambda: freeze(1, False))
    of.run(8.4)
    assert [event.status for event in of.peers[0].events(PeerStatus)] == ["interrupted"]
    of.run(60.0)
    assert of.over
    assert wrong(of) == []
    assert [event.status for event in of.peers[0].events(PeerStatus)] == ["interrupted", "present"]


@pytest.mark.slow
def test_two_players_average_below_20_bytes_a_packet_on_a_quiet_link() -> None:
    """17 to 19 bytes, measured over a session, all blocks included."""
    of = mesh(2, Settings(max_steps=1500, action_space={"type": "discrete", "n": 6}), delay=0.05)
    of.run(120.0)
    assert of.over
    for peer in of.peers:
        assert 15.0 < peer.bytes_sent / peer.packets_sent < 20.0
        assert peer.packets_sent / peer.session.timeline.total < 1.1


def test_seats_with_terms_of_their_own_end_with_the_truth_too() -> None:
    """Each with its space, its default action and its input delay; a hidden page plays its own default."""
    seats: list[dict[str, Any]] = [
        {"default_action": 3, "input_delay": 4},
        {"action_space": {"type": "any"}, "default_action": "none"},
        {"action_space": {"type": "discrete", "n": 300}, "default_action": 299, "input_delay": 0},
    ]
    keys = [2, "left", 280]
    settings = Settings(max_steps=90, action_space={"type": "discrete", "n": 6}, seats=seats)
    asked: list[list[int]] = [[], [], []]

    def player(seat: int) -> Any:
        def play(episode: int, frame: int) -> Any:
            asked[seat].append(frame)
            return keys[seat]

        return play

    of = Mesh(3, settings, lambda seat: Walk(3, seed=1), player, Conditions(delay=0.06, loss=0.1), seed=3)
    of.at(2.0, lambda: setattr(of.peers[1], "hidden", True))
    of.run(60.0)
    assert of.over
    inputs = [page.inputs[0] for page in of.peers]
    codecs = [seat.codec for seat in of.peers[0].session.seats]
    truth = ground_truth(Walk(3, seed=1), settings, codecs, inputs, 0)
    assert truth.complete
    assert [wrong_with(truth, page.rows[0], page.rewards[0], page.finals[0]) for page in of.peers] == ["", "", ""]
    assert [min(given) for given in inputs] == [min(frames) for frames in asked] == [4, 1, 0]
    assert [codec.decode(truth.rows[-1][seat]) for seat, codec in enumerate(codecs)] == [2, "none", 280]
    assert [codec.decode(truth.rows[0][seat]) for seat, codec in enumerate(codecs)] == [3, "none", 280]


def test_the_oracle_names_the_first_difference() -> None:
    """Actions, rewards, length and final state: each is found, and the first frame is named."""
    of = mesh()
    of.run(60.0)
    peer = of.peers[0]
    truth = ground_truth(Walk(2, seed=1), OF, peer.session.codec, [p.inputs[0] for p in of.peers], 0)
    rows, rewards, final = peer.rows[0], peer.rewards[0], peer.finals[0]
    assert wrong_with(truth, rows, rewards, final) == ""
    assert wrong_with(truth, [*rows[:7], (b"\5", b"\5"), *rows[8:]], rewards, final).startswith("frame 7: actions")
    assert wrong_with(truth, rows, [*rewards[:9], None, *rewards[10:]], final).startswith("frame 9: rewards")
    assert wrong_with(truth, rows[:-1], rewards[:-1], final) == "149 frames instead of 150"
    assert wrong_with(truth, rows, rewards, None).startswith("final state None")


def test_a_truth_whose_inputs_run_out_is_not_complete() -> None:
    """Who stops comparing there would call anything right."""
    codec = mesh().peers[0].session.codec
    truth = ground_truth(Walk(2, seed=1), OF, codec, [{1: b"\1"}, {1: b"\1", 2: b"\1"}], 0)
    assert (len(truth.rows), truth.complete) == (2, False)


def test_the_walks_state_shows_every_input_and_its_order() -> None:
    """Two inputs swapped, or one changed, give another state for ever."""
    ends = set()
    for actions in ([(1, 2), (3, 4)], [(2, 1), (3, 4)], [(3, 4), (1, 2)], [(1, 2), (3, 5)]):
        walk = Walk(2, seed=1)
        walk.reset(0)
        for row in actions:
            walk.step(row)
        for _ in range(50):
            walk.step((0, 0))
        ends.add(walk.save())
    assert len(ends) == 4
