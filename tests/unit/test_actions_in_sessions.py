"""Actions of all spaces in whole sessions: over both ways, into environments, into records and back."""

from __future__ import annotations

import json
import sys
from random import Random
from typing import Any

import numpy
import pytest

from pycore import EMIT, ConfigError, Settings, action_codec
from pycore.bridge.game import Game
from pycore.envs import ParallelEnvAdapter
from pycore.errors import ActionError
from pycore.records import Trajectory, export_session_metrics, first_untrue, read, trajectory_text
from pycore.testing import Conditions, Mesh, Walk, ground_truth, wrong_with
from pycore.testing.pages import Page, Watcher

SEATS: list[dict[str, Any]] = [
    {"action_space": {"type": "box", "shape": [2], "low": -1, "high": 1}, "input_delay": 2},
    {
        "action_space": {
            "type": "dict",
            "spaces": {
                "jump": {"type": "discrete", "n": 3, "start": 1},
                "say": {"type": "text", "max_length": 4},
                "where": {"type": "tuple", "spaces": [{"type": "multi_binary", "n": 3}, {"type": "box", "shape": [1]}]},
            },
        },
        "default_action": {"jump": 2, "say": "hi", "where": [[1, 0, 1], [0.1]]},
    },
]
OF = Settings(max_steps=80, num_episodes=2, hash_interval=10, seats=SEATS)


class Drift:
    """Each agent's action moves it. It writes into its actions, as environments do that clip or scale them."""

    metadata = {"rngs": ()}  # noqa: RUF012 - as environments have it

    def __init__(self) -> None:
        self.types: set[str] = set()

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        self.agents, self.at = [0, 1], [0.0, 0.0]
        return {0: 0, 1: 0}, {0: {}, 1: {}}

    def step(self, actions: Any) -> Any:
        push, order = actions[0], actions[1]
        self.types |= {type(part).__name__ for part in (push, *order.values())} | {str(getattr(push, "dtype", ""))}
        push[0] *= 3
        self.at[0] += float(push[0]) + float(push[1])
        order["where"][1][0] += 1
        order["jump"] += 1
        self.at[1] += order["jump"] + len(order["say"]) + int(sum(order["where"][0])) + float(order["where"][1][0])
        return {0: self.at[0], 1: self.at[1]}, {0: self.at[0], 1: self.at[1]}, {0: False, 1: False}, {
            0: False, 1: False}, {}  # fmt: skip

    def get_state(self) -> Any:
        return {"at": self.at}

    def set_state(self, state: Any) -> None:
        self.at = list(state["at"])


def drift() -> ParallelEnvAdapter:
    return ParallelEnvAdapter(Drift(), [0, 1], seed=1, rngs=())


def player(seat: int) -> Any:
    def play(episode: int, frame: int) -> Any:
        rng = Random(1000 * seat + 100 * episode + frame // 3)
        if seat == 0:
            return numpy.array([rng.uniform(-1, 1), rng.uniform(-1, 1)])
        say = "".join(rng.choice("abc") for _ in range(rng.randrange(1, 5)))
        where = ([rng.randrange(2) for _ in range(3)], [rng.gauss(0, 3)])
        return {"jump": rng.randrange(1, 4), "say": say, "where": where}

    return play


@pytest.mark.parametrize("loaded", [True, False], ids=["numpy", "nested lists"])
@pytest.mark.slow
def test_a_session_of_composite_actions_ends_with_the_truth(loaded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through cuts, with what an environment wrote into its actions undone; and the records can be stepped again."""
    if not loaded:
        monkeypatch.delitem(sys.modules, "numpy")
    simulations = [drift(), drift()]
    mesh = Mesh(2, OF, lambda seat: simulations[seat], player, Conditions(delay=0.08, jitter=0.03, loss=0.1), seed=5)
    kept = [Trajectory(), Trajectory()]
    for peer, trajectory in zip(mesh.peers, kept, strict=True):
        peer.session.add_sink(trajectory)
    mesh.at(1.5, mesh.cut)
    mesh.at(4.5, mesh.restore)
    mesh.run(120.0)
    assert mesh.over
    assert mesh.through_server
    assert all(peer.session.timeline.rollbacks for peer in mesh.peers)
    codecs = [seat.codec for seat in mesh.peers[0].session.seats]
    for episode in range(2):
        truth = ground_truth(drift(), OF, codecs, [peer.inputs[episode] for peer in mesh.peers], episode)
        for peer in mesh.peers:
            assert wrong_with(truth, peer.rows[episode], peer.rewards[episode], peer.finals[episode]) == ""
    texts = [trajectory_text(peer.session, of) for peer, of in zip(mesh.peers, kept, strict=True)]
    assert texts[0] == texts[1]
    recording = read(texts[0])
    assert recording.episodes[0].frames[0].actions == [
        [0.0, 0.0], {"jump": 2, "say": "hi", "where": [[1, 0, 1], [numpy.float32(0.1).item()]]},
    ]  # fmt: skip
    assert first_untrue(recording, drift(), codecs) == ""
    json.dumps([export_session_metrics(peer.session) for peer in mesh.peers], allow_nan=False)
    arrays = {"ndarray", "float32"} if loaded else {"list", ""}
    assert simulations[0].env.types == {*arrays, "int", "str", "tuple"}


def test_messages_of_the_server_have_actions_as_json() -> None:
    """A page emits them, and knows no numpy."""
    emitted: list[Any] = []

    class Messages(Watcher):
        """What the first page emits."""

        def polled(self, page: Page, outputs: Any) -> None:
            for duty, _, _, payload in outputs:
                if page.seat == 0 and duty == EMIT and payload[0] == "pyodide_player_action":
                    emitted.append(payload[1]["action"])

    of = OF.replace(num_episodes=1, max_steps=90)
    mesh = Mesh(2, of, lambda seat: drift(), player, Conditions(delay=0.02), watchers=[Messages()], seed=1)
    mesh.at(1.0, mesh.cut)
    mesh.run(30.0)
    assert mesh.over
    assert len(emitted) >= 18
    assert json.loads(json.dumps(emitted)) == emitted
    assert all(type(part) is float for action in emitted for part in action)


def test_a_page_tries_its_environment_out_with_actions_of_the_space() -> None:
    """What it is given before the game is what it is given in it."""
    settings = {"seats": SEATS}
    game = Game.of({"game_id": "g", "players": [0, 1], "player_id": 0, "settings": settings, "now": 0, "wall_ms": 0})
    push, order = game.default_actions
    assert (push.dtype, push.tolist(), list(order)) == (numpy.float32, [0, 0], ["jump", "say", "where"])
    drift().check(default_actions=game.default_actions)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"default_action": 300}, "default_action of seat 0 is not in .*: action 300 is not an int from 0 to 255"),
        ({"seats": [{}, {"default_action": [0]}]}, "default_action of seat 1 is not in the action space"),
        ({"action_space": {"type": "box", "shape": [200]}, "datagram_bytes": 600}, "takes 800 bytes; the limit is 5"),
    ],
)
def test_a_session_refuses_what_cannot_be_played(settings: dict[str, Any], message: str) -> None:
    """Before a frame is stepped."""
    with pytest.raises((ConfigError, ActionError), match=message):
        Mesh(2, Settings(**settings), lambda seat: Walk(2), lambda seat: lambda episode, frame: 0, seed=1)


def test_a_prediction_is_of_the_space_too() -> None:
    """A predictor is given what was decoded, and may give it back."""
    codec = action_codec(SEATS[1]["action_space"])
    last = codec.decode(codec.encode(player(1)(0, 0)))
    assert codec.encode(last) == codec.encode(player(1)(0, 0))
