"""Scenarios that must come out the same on every Python: functions without arguments that return a hex digest.

This file is run as it stands, by CPython and inside every Pyodide, so it imports nothing but pycore and the
standard library. A new scenario is one more function; the tests find it in `SCENARIOS`. A digest covers everything
that a player or a researcher could see of the run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

SCENARIOS: dict[str, Callable[[], str]] = {}


def scenario(function: Callable[[], str]) -> Callable[[], str]:
    """Registers a scenario under its name."""
    SCENARIOS[function.__name__] = function
    return function


def digest_of(*parts: bytes) -> str:
    """One digest of many byte strings, with their borders."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


@scenario
def canonical_forms() -> str:
    """The canonical bytes of values whose text or order could differ between platforms."""
    from pycore.values import canonical

    values: list[object] = [
        None,
        True,
        -(2**63),
        2**200,
        0.1 + 0.2,
        -0.0,
        5e-324,
        1.7976931348623157e308,
        "e\u0301 \U0001f600",
        b"\x00\xff",
        [1, [2, (3, "x")]],
        {"b": 1, "a": {"z": [], "y": {}}, "\uffff": 2, "\U00010000": 3},
    ]
    return digest_of(*(canonical.encode(value) for value in values), canonical.digest(values))


@scenario
def errors_and_their_codes() -> str:
    """Every error class with its base and code, which the JavaScript side and the database rely on."""
    from pycore import errors

    found = sorted(
        f"{name}:{value.__mro__[1].__name__}:{value.code}"
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.PycoreError)
    )
    return digest_of(*(line.encode() for line in found))


def _mesh(seats: int, seed: int, conditions: dict[str, float], script: list[tuple[float, str]]) -> str:
    """A whole mesh in virtual time: what every peer published, saw, counted and sent, to the last byte."""
    import json

    from pycore.records.metrics import export_session_metrics
    from pycore.settings import Settings
    from pycore.testing import Conditions, Mesh, Walk

    def plays(seat: int) -> Callable[[int, int], int]:
        return lambda episode, frame: (frame * (seat + 3) // 7 + episode) % 6

    settings = Settings(num_episodes=2, max_steps=120, action_space={"type": "discrete", "n": 6}, input_delay=1)
    mesh = Mesh(
        seats,
        settings,
        lambda seat: Walk(seats, seed=seed, ending=0 if script else 300),
        plays,
        Conditions(**conditions),
        seed=seed,
    )
    for when, what in script:
        mesh.at(when, getattr(mesh, what))
    mesh.run(120)
    assert mesh.over
    parts = []
    for peer in mesh.peers:
        assert peer.session.timeline.rollbacks > 5
        assert bool(peer.session.path_changes) == bool(script)
        parts.append(repr((peer.rows, peer.rewards, peer.finals, peer.hashes, peer.depths)).encode())
        parts.append(repr((peer.bytes_sent, peer.packets_sent, mesh.through_server, mesh.signals)).encode())
        parts.append(json.dumps(export_session_metrics(peer.session), sort_keys=True).encode())
    return digest_of(*parts)


@scenario
def two_players_under_loss_and_jitter() -> str:
    """Predictions, rollbacks, resends, time sync: every float of the links comes out the same."""
    return _mesh(2, 5, {"delay": 0.05, "jitter": 0.03, "loss": 0.1, "drift": 0.004}, [])


@scenario
def a_silent_cut_and_its_return() -> str:
    """Fallback by silence, the way through the server, the way back by probes."""
    return _mesh(2, 6, {"delay": 0.04, "jitter": 0.02, "loss": 0.05}, [(1.5, "cut"), (4.0, "restore")])


@scenario
def three_players_whose_channels_close() -> str:
    """A mesh of three, each link with its own path."""
    return _mesh(3, 7, {"delay": 0.05, "jitter": 0.02, "loss": 0.05}, [(2.0, "close"), (3.0, "open_channels")])


@scenario
def a_slow_peer_that_is_followed() -> str:
    """A clock that runs at five sixths: offsets, rates and the ticks in which the fast one stands."""
    return _mesh(2, 8, {"delay": 0.09, "jitter": 0.02, "loss": 0.05, "drift": 0.2}, [])


@scenario
def an_environment_with_its_generators() -> str:
    """The adapter: states, generators, snapshots that are loaded again, and what is random of `random`."""
    import random

    from pycore.envs import ParallelEnvAdapter
    from pycore.values import canonical

    class Drunk:
        """Two walkers who stagger by the module's own generator."""

        possible_agents = (0, 1)

        def reset(self, seed: int | None = None, options: object = None) -> tuple[dict, dict]:
            self.place = {"0": 0.5, "1": -0.25}
            return {0: 0.5, 1: -0.25}, {0: {}, 1: {}}

        def step(self, actions: dict) -> tuple[dict, dict, dict, dict, dict]:
            for agent, action in actions.items():
                place = self.place[str(agent)]
                self.place[str(agent)] = place / 3 + (action - 1) * random.uniform(0.5, 1.5) + random.choice([0, 0.1])
            rewards = {agent: self.place[str(agent)] for agent in actions}
            ended = dict.fromkeys(actions, False)
            return dict(rewards), rewards, ended, ended, {}

        def get_state(self) -> dict:
            return {"place": self.place}

        def set_state(self, state: dict) -> None:
            self.place = dict(state["place"])

    adapter = ParallelEnvAdapter(Drunk(), [0, 1], seed=11, rngs=("random",))
    adapter.check(1)
    adapter.reset(0)
    parts = []
    saved = None
    for frame in range(60):
        if frame == 30:
            saved = adapter.save()
        if frame == 45:
            adapter.load(saved)
        result = adapter.step([frame % 3, (frame // 2) % 3])
        parts.append(repr(result.rewards).encode())
        parts.append(canonical.digest(adapter.canonical(adapter.save())))
    return digest_of(*parts)


@scenario
def a_captured_environment() -> str:
    """Saved by its attributes, drawn, gone back with and stepped again, by every kind of object that may be in it."""
    import random
    import weakref
    from array import array
    from collections import Counter, OrderedDict, deque
    from dataclasses import make_dataclass
    from fractions import Fraction
    from pathlib import PurePosixPath
    from typing import NamedTuple

    from pycore.envs import ParallelEnvAdapter

    # A decorated class would look for the module of this text, which has none where it is run.
    Wall = make_dataclass("Wall", ["place"], frozen=True)

    class Step(NamedTuple):
        place: int
        before: object

    shapes = [[[1, 1], [1, 1]], [[1, 1, 1]]]

    class Piece:
        __slots__ = ("board", "place")

        def __init__(self, board: object, place: int) -> None:
            self.board = weakref.ref(board)
            self.place = place

    class Board:
        def __init__(self) -> None:
            self.possible_agents = ["left", "right"]
            self.rule = lambda place: (place * 5 + 1) % 97

        def reset(self, seed: int, options: object = None) -> object:
            self.agents = list(self.possible_agents)
            self.rng = random.Random(seed)
            self.pieces = {agent: Piece(self, number) for number, agent in enumerate(self.agents)}
            self.trail: deque[int] = deque(maxlen=5)
            self.seen = Counter[int]()
            self.order = OrderedDict(last=self.pieces["left"])
            self.free = {(0, 1), (2, 3)}
            self.walls = {Wall((number, seed)) for number in range(20)}
            self.shape, self.turn, self.share = [shapes[0], shapes[0]], 1j, [Fraction(1, 3)] * 2
            self.longs, self.file = array("l", [1, -2]), PurePosixPath("a/b")
            self.way = None
            return {}, {}

        def step(self, actions: dict[str, int]) -> object:
            for agent, action in actions.items():
                piece = self.pieces[agent]
                piece.place = self.rule(piece.place) + action + self.rng.randrange(3)
                self.trail.append(piece.place)
                self.seen[piece.place] += 1
                self.order["last"] = piece
                self.free ^= {(action, piece.place % 4)}
                self.walls ^= {Wall((action, piece.place % 4))}
                self.way = Step(piece.place, self.way)
            self.shape, self.turn = [shapes[self.rng.randrange(2)], self.shape[0]], self.turn * 1j
            rewards = {agent: float(self.rng.gauss(0, 1) > 0) + self.pieces[agent].place for agent in self.agents}
            flags = dict.fromkeys(self.agents, False)
            return {}, rewards, flags, flags, {agent: {} for agent in self.agents}

        def render(self) -> object:
            self.trail.append(-1)
            return []

    adapter = ParallelEnvAdapter(Board(), ["left", "right"], seed=3)
    adapter.reset(0)
    parts = [adapter.described().encode()]
    for frame in range(40):
        state = adapter.save()
        adapter.step([frame % 2, 2])
        adapter.render()
        adapter.load(state)
        result = adapter.step([frame % 3, 1])
        parts += [adapter.canonical(state), adapter.canonical(adapter.save()), repr(result.rewards).encode()]
    return digest_of(*parts)


@scenario
def actions_of_every_space() -> str:
    """Encoded, as JSON, and back."""
    import json

    from pycore import action_codec

    spaces: list[tuple[object, list[object]]] = [
        ({"type": "discrete", "n": 300, "start": -7}, [-7, 0, 292]),
        ({"type": "multi_discrete", "nvec": [[3, 9], [2, 5]], "start": 1}, [[[1, 1], [1, 1]], [[3, 9], [2, 5]]]),
        ({"type": "multi_binary", "n": 11}, [[0, 1] * 5 + [1]]),
        ({"type": "box", "shape": [3], "low": [-1, None, 0], "high": [1, None, 0.1]}, [[0.1, -9e9, 0.1], [-0.0, 1, 0]]),
        ({"type": "box", "shape": [2], "dtype": "float16"}, [[0.1, 65504.0]]),
        ({"type": "box", "shape": [2], "dtype": "int64"}, [[-(2**63), 2**63 - 1]]),
        ({"type": "text", "max_length": 9, "min_length": 0, "charset": "aé😀"}, ["", "aé😀"]),
        ({"type": "optional", "space": {"type": "tuple", "spaces": [{"type": "discrete", "n": 5}]}}, [None, [4]]),
        ({"type": "dict", "spaces": [["b", {"type": "discrete", "n": 2}], [3, {"type": "text", "max_length": 2}]]},
         [{"b": 1, "3": "xy"}]),
        ({"type": "any"}, [{"k": [1, 2.5, None]}, 1.0]),
    ]  # fmt: skip
    parts = []
    for space, actions in spaces:
        codec = action_codec(space)
        parts.append(codec.encode(codec.neutral()))
        for action in actions:
            encoded = codec.encode(action)
            parts += [encoded, json.dumps(codec.to_json(codec.decode(encoded)), sort_keys=True).encode()]
    return digest_of(*parts)
