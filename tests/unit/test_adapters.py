"""Environments as simulations: what is saved, what comes back, and what is refused with a way out."""

from __future__ import annotations

import random
import sys
import threading
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optional import needs_numpy, numpy

from pycore.envs import ParallelEnvAdapter, as_parallel, interface_of
from pycore.errors import ConfigError, EnvironmentUnfit, UsageError
from pycore.values.canonical import Array, decode


class Counter:
    """Two agents push a number about; get_state hands out its own live lists."""

    def __init__(self) -> None:
        self.possible_agents = [0, 1]

    def reset(self, seed: int) -> Any:
        self.agents = [0, 1]
        self.seed = seed
        self.trail = [seed]
        self.score = {0: 0, 1: 0}
        self.live = {"trail": self.trail, "score": self.score}
        return dict.fromkeys(self.agents, seed), {}

    def step(self, actions: dict[Any, Any]) -> Any:
        self.trail.append(self.trail[-1] * 3 + 5 * actions.get(0, 0) - actions.get(1, 0))
        if len(self.trail) > 8:
            self.trail.pop(0)
        for agent, action in actions.items():
            self.score[agent] += action
        seen = dict.fromkeys(self.agents, self.trail[-1])
        infos = {agent: {"score": self.score, "trail": [self.trail]} for agent in self.agents}
        over = self.score[0] >= 100
        flags = dict.fromkeys(self.agents, over)
        rewards = {agent: float(self.score[agent]) for agent in self.agents}
        if over:
            self.agents = []
        return seen, rewards, flags, dict.fromkeys(flags, False), infos

    def get_state(self) -> Any:
        return self.live

    def set_state(self, state: Any) -> None:
        self.live = state
        self.trail, self.score = state["trail"], state["score"]


class Flat(Counter):
    """All in one dict of primitives, which get_state hands out as it is."""

    def reset(self, seed: int) -> Any:
        self.agents = [0, 1]
        self.state: dict[str, Any] = {"x": seed, "t": 0}
        return dict.fromkeys(self.agents, seed), {}

    def step(self, actions: dict[Any, Any]) -> Any:
        self.state["x"] = (self.state["x"] * 5 + actions[0] - 2 * actions[1]) % 65521
        self.state["t"] += 1
        one = dict.fromkeys(self.agents, self.state["x"])
        return one, one, dict.fromkeys(self.agents, False), dict.fromkeys(self.agents, False), {}

    def get_state(self) -> Any:
        return self.state

    def set_state(self, state: Any) -> None:
        self.state = state


class Gambler(Flat):
    """Draws from whatever it is told to."""

    def __init__(self, *sources: str) -> None:
        super().__init__()
        self.sources = sources

    def reset(self, seed: int) -> Any:
        if "generator" in self.sources:
            self.np_random = numpy.random.default_rng(seed)
        if "randomstate" in self.sources:
            self.np_random = numpy.random.RandomState(seed)
        if "own" in self.sources:
            self.np_random = random.Random(seed)
        return super().reset(seed)

    def step(self, actions: dict[Any, Any]) -> Any:
        for source in self.sources:
            if source == "random":
                self.state["x"] += random.getrandbits(16)
            elif source == "numpy":
                self.state["x"] += int(numpy.random.randint(1 << 16))
            elif source == "generator":
                self.state["x"] += int(self.np_random.integers(1 << 16))
            elif source == "randomstate":
                self.state["x"] += int(self.np_random.randint(1 << 16))
            else:
                self.state["x"] += self.np_random.getrandbits(16)
        return super().step(actions)


ENVIRONMENTS = [
    pytest.param(Counter, id="live nested state"),
    pytest.param(Flat, id="live flat state"),
    pytest.param(lambda: Gambler("random"), id="random"),
    pytest.param(lambda: Gambler("own"), id="np_random of random.Random"),
    pytest.param(lambda: Gambler("numpy"), id="numpy.random", marks=needs_numpy),
    pytest.param(lambda: Gambler("generator"), id="np_random Generator", marks=needs_numpy),
    pytest.param(lambda: Gambler("randomstate"), id="np_random RandomState", marks=needs_numpy),
    pytest.param(lambda: Gambler("random", "numpy", "generator"), id="three of them", marks=needs_numpy),
]

moves = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12)


def adapt(env: Any, **options: Any) -> ParallelEnvAdapter:
    return ParallelEnvAdapter(env, [0, 1], **{"seed": 7, **options})


def now(adapter: ParallelEnvAdapter) -> bytes:
    return adapter.canonical(adapter.save())


# --- saving and loading ---


@pytest.mark.parametrize("make", ENVIRONMENTS)
@given(before=moves, after=moves, loads=st.integers(1, 3))
@pytest.mark.slow
def test_what_was_loaded_plays_on_as_it_did(make: Any, before: Any, after: Any, loads: int) -> None:
    """save, step*, load, step* gives the same states and results, any number of times."""
    adapter = adapt(make())
    adapter.reset(0)
    for actions in before:
        adapter.step(actions)
    saved = adapter.save()
    start = adapter.canonical(saved)
    played = []
    for actions in after:
        result = adapter.step(actions)
        played.append((now(adapter), result.rewards, result.infos, result.done))
    assert adapter.canonical(saved) == start
    assert played[-1][0] != start
    for _ in range(loads):
        adapter.load(saved)
        assert now(adapter) == start
        again = []
        for actions in after:
            result = adapter.step(actions)
            again.append((now(adapter), result.rewards, result.infos, result.done))
        assert again == played


def test_results_are_not_the_environments_own_dictionaries() -> None:
    """What a frame gave stays what it was, although the environment goes on writing into it."""
    adapter = adapt(Counter())
    adapter.reset(0)
    first = adapter.step([1, 2])
    kept = {agent: dict(info["score"]) for agent, info in first.infos.items()}
    adapter.step([3, 4])
    assert kept == {0: {0: 1, 1: 2}, 1: {0: 1, 1: 2}}
    assert {agent: info["score"] for agent, info in first.infos.items()} == kept
    assert len(first.infos[0]["trail"][0]) == 2


def test_agents_that_had_left_are_back_after_a_load() -> None:
    """env.agents is part of a snapshot even where get_state leaves it out."""
    adapter = adapt(Counter())
    adapter.reset(0)
    saved = adapter.save()
    assert adapter.step([100, 0]).done
    assert adapter.env.agents == []
    adapter.load(saved)
    assert adapter.env.agents == [0, 1]
    assert not adapter.step([1, 0]).done


def test_agents_that_cannot_be_put_back_are_named() -> None:
    """A read-only agents property that set_state does not restore is the environment's fault."""

    class Stubborn(Counter):
        agents = property(
            lambda self: [] if self.score.get(0, 0) >= 100 else [0, 1], lambda self, value: None
        )

    class Wrong(Stubborn):
        left = False
        agents = property(lambda self: [] if self.left else [0, 1])  # type: ignore[assignment]

        def reset(self, seed: int) -> Any:
            self.trail, self.score = [seed], {0: 0, 1: 0}
            self.live = {"trail": self.trail, "score": self.score}
            return {}, {}

    derived = adapt(Stubborn())
    derived.env.score = {}
    derived.reset(0)
    saved = derived.save()
    assert derived.step([100, 0]).done
    derived.load(saved)
    assert not derived.step([0, 0]).done

    wrong = adapt(Wrong())
    wrong.reset(0)
    saved = wrong.save()
    wrong.env.left = True
    with pytest.raises(EnvironmentUnfit, match="restore them in set_state"):
        wrong.load(saved)


class Unwilling:
    def __reduce__(self) -> Any:
        raise ValueError("not me")


def nested(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda: {"x": 1, "f": lambda: 1}, r"\$\['f'\], a function"),
        (lambda: {"x": 1, "deck": [(3, threading.Lock())]}, r"\$\['deck'\]\[0\]\[1\], a lock"),
        (lambda: [1, iter(()), (number for number in range(3))], r"\$\[2\], a generator"),
        (lambda: {"x": Unwilling()}, r"\$\['x'\], a Unwilling \(ValueError: not me\)"),
        (lambda: {"x": nested(50_000)}, "it is nested too deep"),
    ],
)
@pytest.mark.slow
def test_a_state_that_cannot_be_saved_is_named_by_its_path_with_the_way_out(make: Any, where: str) -> None:
    """Not silently no snapshot, nor an error of pickle's own, nor the advice to add the method that is there."""

    class Holding(Flat):
        def get_state(self) -> Any:
            return make()

    adapter = adapt(Holding())
    adapter.reset(0)
    with pytest.raises(
        EnvironmentUnfit, match=rf"get_state\(\) of Holding gives cannot be saved: {where}.* Keep numbers.*anew"
    ):
        adapter.save()


@needs_numpy
def test_numpy_in_the_state_is_saved_and_hashed() -> None:
    """numpy values in get_state are no reason to have no snapshots."""

    class Numbers(Flat):
        def reset(self, seed: int) -> Any:
            self.grid = numpy.full((2, 2), seed, "i4")
            return super().reset(seed)

        def step(self, actions: dict[Any, Any]) -> Any:
            self.grid += numpy.int32(actions[0])
            observations, rewards, *rest = super().step(actions)
            return observations, {a: numpy.float32(r) for a, r in rewards.items()}, *rest

        def get_state(self) -> Any:
            return {"grid": self.grid, "count": numpy.int64(self.state["t"]), **self.state}

        def set_state(self, state: Any) -> None:
            self.grid = state["grid"]
            self.state = {"x": state["x"], "t": state["t"]}

    adapter = adapt(Numbers())
    adapter.check(script=[[1, 2], [3, 4]])
    adapter.reset(0)
    saved = adapter.save()
    result = adapter.step([1, 1])
    assert [type(reward) for reward in result.rewards.values()] == [float, float]
    adapter.load(saved)
    assert decode(now(adapter))["env"]["grid"] == Array("<i4", (2, 2), b"\x07\0\0\0" * 4)


# --- generators ---


def test_what_is_drawn_between_two_ticks_does_not_count() -> None:
    """A render() that scatters sparks runs on one peer more often than on another; their states stay the same."""

    def played(sparks: int, resumes: bool = True) -> list[bytes]:
        adapter = adapt(Gambler("random"))
        adapter.reset(0)
        states = [now(adapter)]
        saved: Any = None
        for frame in range(12):
            for _ in range(sparks):
                random.random()
            if resumes:
                adapter.resume()
            if frame == 8:  # a rollback of four frames
                adapter.load(saved)
                for again in range(4, 8):
                    adapter.step([again, 1])
            if frame == 4:
                saved = adapter.save()
            adapter.step([frame, 1])
            states.append(now(adapter))
        return states

    assert played(sparks=3) == played(sparks=0)
    assert played(sparks=3, resumes=False) != played(sparks=0)
    untouched = random.getstate()
    adapt(Gambler("random")).resume()
    adapt(Gambler("random"), rngs=()).resume()
    assert random.getstate() == untouched


@pytest.mark.slow
def test_rngs_can_be_left_alone() -> None:
    """rngs=() neither seeds nor saves nor loads the generators of the process."""
    adapter = adapt(Gambler("random"), rngs=())
    random.seed(1)
    before = random.getstate()
    adapter.reset(0)
    saved = adapter.save()
    assert random.getstate() == before
    adapter.step([0, 0])
    moved = random.getstate()
    adapter.load(saved)
    assert random.getstate() == moved != before
    assert set(decode(adapter.canonical(saved))) == {"agents", "env"}


def test_a_generator_that_nobody_drew_from_is_not_in_the_canonical_form() -> None:
    """Peers with and without numpy agree; one draw, and it counts."""
    unused = adapt(Flat())
    unused.reset(0)
    bare = adapt(Flat(), rngs=())
    bare.reset(0)
    assert now(unused) == now(bare)
    drawing = adapt(Gambler("random"))
    drawing.reset(0)
    assert set(decode(now(drawing))) == {"env", "agents"}
    drawing.step([0, 0])
    assert set(decode(now(drawing))) == {"env", "agents", "random"}


def test_numpy_is_not_needed_and_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without numpy.random in sys.modules only the other generators are handled."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "numpy"]:
        monkeypatch.delitem(sys.modules, name)
    adapter = adapt(Gambler("random"))
    adapter.reset(0)
    saved: Any = adapter.save()
    adapter.step([1, 1])
    adapter.load(saved)
    assert saved.rngs[1] is None
    assert "numpy" not in sys.modules


@needs_numpy
def test_an_environment_that_imports_numpy_in_reset_is_seeded_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it drew before the generator could be seeded is drawn again."""
    module = numpy.random

    class Late(Flat):
        def reset(self, seed: int) -> Any:
            sys.modules["numpy.random"] = module
            outcome = super().reset(seed)
            self.state["luck"] = int(module.randint(1 << 30))
            return outcome

    lucks = []
    for entropy in (1, 2):
        module.seed(entropy)
        monkeypatch.delitem(sys.modules, "numpy.random")
        adapter = adapt(Late())
        adapter.reset(0)
        lucks.append(adapter.env.state["luck"])
    assert lucks[0] == lucks[1]


def test_np_random_is_not_brought_to_life_by_looking() -> None:
    """Gymnasium's property makes a generator from the system's entropy: no two peers would hash alike."""

    class Lazy(Flat):
        _np_random = None
        looked = 0

        @property
        def np_random(self) -> Any:
            self.looked += 1
            self._np_random = random.Random()
            return self._np_random

    adapter = adapt(Lazy())
    adapter.reset(0)
    adapter.load(adapter.save())
    assert adapter.env.looked == 0


@pytest.mark.parametrize(
    ("mode", "seeds"),
    [("add", [0, 1, 2]), ("same", [0, 0, 0])],
)
def test_episodes_are_seeded_as_told_and_0_is_a_seed(mode: Any, seeds: list[int]) -> None:
    """0 reaches the environment as 0, and large seeds stay within numpy's 32 bits."""
    adapter = adapt(Counter(), seed=0, reseed_each_episode=mode)
    got = []
    for episode in range(3):
        adapter.reset(episode)
        got.append(adapter.env.seed)
    assert got == seeds
    assert all(type(seed) is int for seed in got)
    late = adapt(Counter(), seed=2**32 - 1)
    late.reset(1)
    assert late.env.seed == 0


# --- the ways of environments ---


class Quiet:
    """Returns whatever it was made with."""

    def __init__(self, *outcome: Any, agents: Any = None, first: Any = None) -> None:
        self.outcome = outcome
        self.first = first
        self.actions: list[Any] = []
        if agents is not None:
            self.agents = agents

    def reset(self, seed: int) -> Any:
        return self.first

    def step(self, actions: Any) -> Any:
        self.actions.append(actions)
        return self.outcome

    def get_state(self) -> Any:
        return len(self.actions)

    def set_state(self, state: Any) -> None:
        del self.actions[state:]


def test_scalars_belong_to_the_human() -> None:
    """A single-agent environment's five values become dictionaries."""
    adapter = ParallelEnvAdapter(Quiet([1.0], 2, True, False, {"note": 3}, first="first look"), ["human"], seed=0)
    adapter.reset(0)
    assert adapter.observations == {"human": "first look"}
    result = adapter.step([4])
    assert adapter.env.actions == [{"human": 4}]
    assert adapter.observations == {"human": [1.0]}
    assert result.rewards == {"human": 2}
    assert result.terminations == {"human": True}
    assert result.truncations == {"human": False}
    assert result.infos == {"human": {"note": 3}}
    assert result.done


@needs_numpy
def test_infos_that_are_an_array_are_not_asked_for_their_truth() -> None:
    """They are kept as they are."""
    env = Quiet(1, 1, False, False, numpy.array([1, 2]))
    adapter = ParallelEnvAdapter(env, ["human"], seed=0)
    adapter.reset(0)
    assert adapter.step([0]).infos["human"].tolist() == [1, 2]


@pytest.mark.parametrize("place", range(5))
def test_a_result_that_is_not_by_agent_is_refused_where_there_are_several(place: int) -> None:
    """A list of flags is truthy, and nobody would know whose reward it is."""
    outcome: list[Any] = [{}, {0: 1, 1: 1}, {0: False, 1: False}, {0: False, 1: False}, {}]
    outcome[place] = [0, 0]
    names = ("observations", "rewards", "terminations", "truncations", "infos")
    adapter = adapt(Quiet(*outcome))
    adapter.reset(0)
    with pytest.raises(EnvironmentUnfit, match=f"Quiet returned {names[place]} as a list.*as_parallel"):
        adapter.step([0, 0])
    at_once = adapt(Quiet(*outcome, first=["a", "b"]))
    with pytest.raises(EnvironmentUnfit, match="Quiet returned observations as a list"):
        at_once.reset(0)


@needs_numpy
def test_rewards_that_are_vectors_are_passed_on_as_they_are() -> None:
    """One number per objective. They are copies: environments go on writing into theirs."""
    live = [1.0, 2.0]
    array = numpy.array([1.0, 2.0])
    rewards = {0: live, 1: array, 2: {"time": 1}, 3: numpy.float32(0.5), 4: numpy.array([3.0])}
    adapter = adapt(Quiet({}, rewards, {}, {}, {}))
    adapter.reset(0)
    got = adapter.step([0, 0]).rewards
    live[0], array[0] = 9.0, 9.0
    assert got[0] == [1.0, 2.0]
    assert got[1].tolist() == [1.0, 2.0]
    assert got[2] == {"time": 1}
    assert (type(got[3]), got[3], got[4]) == (float, 0.5, 3.0)


@pytest.mark.parametrize("infos", [None, {}])
def test_missing_infos_are_empty(infos: Any) -> None:
    """None will do."""
    adapter = adapt(Quiet({}, {0: 1, 1: 1}, {0: False, 1: False}, {0: False, 1: False}, infos))
    adapter.reset(0)
    result = adapter.step([0, 0])
    assert result.infos == {}
    assert not result.done


@pytest.mark.parametrize(
    ("terminations", "truncations", "left", "done"),
    [
        ({0: False, 1: False}, {0: False, 1: False}, [], False),
        ({0: True, 1: False}, {0: False, 1: False}, [0], False),
        ({0: True, 1: False}, {0: False, 1: True}, [], True),
        ({0: True, 1: False}, {0: False, 1: True}, [0, 1], True),
        ({0: True}, {}, [0, 1], True),  # nobody is there any more
        ({0: True}, {0: False}, [], False),  # 1 is not mentioned, and still there
        ({0: True}, {0: False}, [1], True),  # 1 is not mentioned, and gone
        ({}, {}, [], False),
    ],
)
def test_an_episode_is_done_when_all_are_terminated_truncated_or_gone(
    terminations: Any, truncations: Any, left: list[int], done: bool
) -> None:
    """As PettingZoo has it: agents leave env.agents."""

    class Leaving(Quiet):
        def step(self, actions: Any) -> Any:
            self.agents = [agent for agent in self.agents if agent not in left]
            return super().step(actions)

    adapter = adapt(Leaving({}, {}, terminations, truncations, {}, agents=[0, 1]))
    adapter.reset(0)
    assert adapter.step([0, 0]).done is done


def test_who_comes_late_gets_actions_from_then_on() -> None:
    """A player who is not in env.agents at reset is none of those who are asked, and may come while others go."""

    class Late(Quiet):
        possible_agents = (0, 1)

        def step(self, actions: Any) -> Any:
            self.agents = {0: [], 2: [0, 1], 3: [1], 4: [1], 5: [0, 1]}.get(len(self.actions), [0])
            return super().step(actions)

    adapter = adapt(Late({}, {}, {0: False, 1: False}, {}, {}, agents=[]))
    adapter.reset(0)
    assert not any(adapter.step([5, 6]).done for _ in range(7))
    assert adapter.env.actions == [{}, {}, {0: 5}, {0: 5, 1: 6}, {1: 6}, {1: 6}, {0: 5, 1: 6}]


def test_agents_that_are_named_by_the_environment_are_played_in_their_order() -> None:
    """Seat i plays possible_agents[i] but those of the bots; results go by the players' ids, and it is reported."""

    class Named(Quiet):
        possible_agents = ("ghost", "red", "blue")

    flags = dict.fromkeys(Named.possible_agents, False)
    env = Named({}, {"ghost": 1, "red": 2, "blue": 3}, flags, flags, {}, agents=["ghost", "red", "blue"])
    adapter = adapt(env, bots={"ghost": lambda seen: 9})
    adapter.reset(0)
    assert adapter.step([5, 6]).rewards == {"ghost": 1, 0: 2, 1: 3}
    assert env.actions == [{"red": 5, "blue": 6, "ghost": 9}]
    assert "0 plays 'red', 1 plays 'blue'" in adapter.seating
    assert adapt(Quiet()).seating == ""
    swapped = ParallelEnvAdapter(env, ["blue", "red"], seed=0, bots={"ghost": lambda seen: 9})
    swapped.reset(0)
    swapped.step([5, 6])
    assert (swapped.seating, env.actions[-1]) == ("", {"blue": 5, "red": 6, "ghost": 9})
    with pytest.raises(EnvironmentUnfit, match=r"Named has 3 agents.*2 players, \[0, 1\]: .*bots"):
        adapt(env)


def in_a_range() -> Any:
    return range(2)


def in_an_array() -> Any:
    return numpy.arange(2)


def in_keys() -> Any:
    return {0: "hunter", 1: "hare"}.keys()


@needs_numpy
@pytest.mark.parametrize("possible", [in_a_range, in_an_array, in_keys])
def test_agents_may_be_in_any_order_that_can_be_walked(possible: Any) -> None:
    class Ordered(Quiet):
        possible_agents = possible()

    flags = dict.fromkeys((0, 1), False)
    env = Ordered({}, {0: 1, 1: 2}, flags, flags, {})
    assert as_parallel(env).possible_agents == [0, 1]
    assert interface_of(env).reason == "it has possible_agents"
    with pytest.raises(EnvironmentUnfit, match="Ordered has 2 agents"):
        ParallelEnvAdapter(env, [0], seed=0)


class Side(Enum):
    LEFT = 0
    RIGHT = 1


def test_agents_may_be_members_of_an_enumeration() -> None:
    """Their state was said to have no canonical form."""

    class Sided(Quiet):
        possible_agents = (*Side,)

    flags = dict.fromkeys(Side, False)
    env = Sided({}, {Side.LEFT: 1, Side.RIGHT: 2}, flags, flags, {}, agents=list(Side))
    adapter = adapt(env)
    adapter.reset(0)
    assert adapter.step([5, 6]).rewards == {0: 1, 1: 2}
    assert env.actions == [{Side.LEFT: 5, Side.RIGHT: 6}]
    assert decode(adapter.canonical(adapter.save()))["agents"] == ["Side.LEFT", "Side.RIGHT"]
    adapter = adapt(Sided({}, {}, {**flags, Side.LEFT: True}, flags, {}, agents=list(Side)))
    adapter.reset(0)
    adapter.step([5, 6])
    told = decode(adapter.canonical(adapter.save()))
    assert told["env"]["pycore.view"] == {"flagged": ["Side.LEFT"]}


def test_an_agent_that_nobody_plays_is_told_also_where_agents_are_called_as_players_are() -> None:
    """Two of three who have the players' own names: the third would stand there without a word."""

    class Three(Quiet):
        possible_agents = (0, 1, 2)

    flags = dict.fromkeys(Three.possible_agents, False)
    env = Three({}, dict.fromkeys(flags, 0), flags, flags, {}, agents=[0, 1, 2])
    with pytest.raises(EnvironmentUnfit, match=r"Three has 3 agents.*2 players, \[0, 1\]: .*bots"):
        adapt(env)
    assert adapt(env, bots={2: lambda seen: 9}).seating == ""


def test_without_env_agents_the_flags_decide() -> None:
    """Environments in the page's style need not keep a list."""
    for flags, done in (({0: True, 1: False}, False), ({0: True, 1: True}, True), ({}, False)):
        adapter = adapt(Quiet({}, {}, flags, {}, {}))
        adapter.reset(0)
        assert adapter.step([0, 0]).done is done


def test_agents_that_have_left_get_no_action() -> None:
    """A step takes actions of living agents only."""
    adapter = adapt(Quiet({}, {}, {}, {}, {}, agents=[0, 1]))
    adapter.reset(0)
    adapter.step([5, 6])
    adapter.env.agents = [1]
    adapter.step([7, 8])
    assert adapter.env.actions == [{0: 5, 1: 6}, {1: 8}]


def test_a_reset_that_has_no_default_for_its_options_is_told_that_there_are_none() -> None:
    class Strict(Quiet):
        told: Any = ()

        def reset(self, seed: int, options: Any) -> Any:  # type: ignore[override]
            self.told = seed, options

    adapter = adapt(Strict({}, {}, {}, {}, {}))
    adapter.reset(0)
    assert adapter.env.told[1:] == (None,)


def test_agents_are_put_back_inside_of_a_wrapper_that_only_shows_them() -> None:
    """A tuple is exchanged, and the wrapper's property cannot be set."""

    class Shows:
        def __init__(self, env: Any) -> None:
            self.env = env
            self.reset, self.step = env.reset, env.step

        @property
        def agents(self) -> Any:
            return self.env.agents

    adapter = adapt(Shows(Quiet({}, {}, {}, {}, {}, agents=(0, 1))))
    adapter.reset(0)
    before = adapter.save()
    adapter.env.env.agents = (1,)
    adapter.load(before)
    assert adapter.env.env.agents == (0, 1)


def test_ids_that_look_like_numbers_are_numbers_to_the_environment() -> None:
    """As in the page; results come back by the ids given, and it can be turned off."""
    outcome = ({0: "o"}, {0: 1, "01": 2}, {0: True}, {0: False}, {0: {}})
    adapter = ParallelEnvAdapter(Quiet(*outcome), ["0", "01"], seed=0)
    adapter.reset(0)
    result = adapter.step([5, 6])
    assert adapter.env.actions == [{0: 5, "01": 6}]
    assert result.rewards == {"0": 1, "01": 2}
    assert adapter.observations == {"0": "o"}
    literal = ParallelEnvAdapter(Quiet(*outcome), ["0", "1"], seed=0, numeric_ids=False)
    literal.reset(0)
    literal.step([5, 6])
    assert literal.env.actions == [{"0": 5, "1": 6}]


@needs_numpy
def test_an_array_action_is_numpys_again_for_the_environment() -> None:
    """What came over the wire as Array reaches step as ndarray, at any depth."""
    adapter = adapt(Quiet({}, {}, {}, {}, {}))
    adapter.reset(0)
    array = Array("<f4", (2,), b"\0\0\x80\x3f\0\0\0\xc0")
    adapter.step([array, {"a": (array, 1), "b": [Array("|i1", (), b"\x05")]}])
    left, right = adapter.env.actions[0].values()
    assert left.tolist() == [1.0, -2.0]
    assert right["a"][0].dtype == numpy.float32
    assert right["b"][0] == 5


def test_bots_play_the_same_after_a_load() -> None:
    """A bot's observation is part of the snapshot, so re-simulation meets the same bot."""

    class Two(Flat):
        def step(self, actions: dict[Any, Any]) -> Any:
            self.seen = dict(actions)
            return super().step(actions)

    adapter = ParallelEnvAdapter(
        Two(), [0], seed=3, bots={1: lambda seen: (seen + random.getrandbits(4)) % 6}
    )
    adapter.reset(0)
    adapter.step([1])
    saved = adapter.save()

    def play() -> list[Any]:
        seen = []
        for action in (1, 2, 3, 4):
            adapter.step([action])
            seen.append(adapter.env.seen)
        return seen

    first = play()
    assert {actions[1] for actions in first} != {0}
    adapter.load(saved)
    assert play() == first


def test_the_step_hook_runs_in_every_step() -> None:
    """Re-simulated steps are steps; the page's hook runs in live ones only, and so peers drift apart."""
    calls = []
    adapter = adapt(Flat(), on_step=calls.append)
    adapter.reset(0)
    saved = adapter.save()
    adapter.step([0, 0])
    adapter.load(saved)
    adapter.step([0, 0])
    assert calls == [adapter.env, adapter.env]


def test_what_render_lists_is_passed_on() -> None:
    """A list of objects, or None where there is none; never before the first reset. Anything else is said."""
    env: Any = Flat()
    adapter = adapt(env)
    assert adapter.render() is None
    adapter.reset(0)
    assert adapter.render() is None
    env.render = lambda: [{"uuid": "ball"}]
    assert adapter.render() == [{"uuid": "ball"}]
    assert adapt(env).render() is None
    env.render = lambda: "text"
    (said,) = adapter.render()
    assert (said["object_type"], said["text"]) == (
        "text", "render() returned a str; it must be a list of objects, or an array of pixels"
    )  # fmt: skip


@needs_numpy
@pytest.mark.parametrize("channels", [3, 4])
def test_an_array_of_pixels_becomes_the_only_object(channels: int) -> None:
    """Rows, columns and channels as they are, and the bytes row by row; other arrays are said."""
    env: Any = Flat()
    adapter = adapt(env)
    adapter.reset(0)
    pixels = numpy.arange(2 * 5 * channels, dtype=numpy.uint8).reshape(2, 5, channels)
    env.render = lambda: pixels
    (picture,) = adapter.render()
    assert (picture["object_type"], picture["rows"], picture["columns"], picture["channels"]) == (
        "pixels", 2, 5, channels
    )  # fmt: skip
    assert picture["pixels"] == bytes(range(2 * 5 * channels))
    env.render = lambda: pixels.astype(float)
    assert "must be of uint8" in adapter.render()[0]["text"]


@pytest.mark.slow
def test_a_surface_of_pygame_becomes_the_only_object() -> None:
    """Rows and columns as a picture has them, though a surface counts them the other way round."""
    pygame = pytest.importorskip("pygame")
    env: Any = Flat()
    adapter = adapt(env)
    adapter.reset(0)
    surface = pygame.Surface((3, 2))
    surface.set_at((2, 1), (7, 8, 9))
    env.render = lambda: surface
    (picture,) = adapter.render()
    assert (picture["object_type"], picture["rows"], picture["columns"], picture["channels"]) == ("pixels", 2, 3, 3)
    assert picture["pixels"] == bytes(15) + bytes((7, 8, 9))


# --- refusals ---


def test_what_cannot_be_stepped_is_refused() -> None:
    """At once, not as a warning on the first rollback."""
    bare = type("Bare", (Flat,), {"step": None})
    with pytest.raises(EnvironmentUnfit, match=r"no step\(\): it is not an environment"):
        adapt(bare())


def test_a_reset_without_a_seed_is_refused_with_the_way_out() -> None:
    """Players could not start alike."""

    class Unseeded(Flat):
        def reset(self) -> Any:  # type: ignore[override]
            return {}, {}

    with pytest.raises(EnvironmentUnfit, match="takes no seed"):
        adapt(Unseeded()).reset(0)


@pytest.mark.parametrize("text", ["no grid", "seed must be a list of words"])
def test_an_error_of_the_environment_is_left_as_it_is(text: str) -> None:
    """A TypeError inside reset does not say that it takes no seed, though it may be about the one that it took."""

    class Broken(Flat):
        def reset(self, seed: int) -> Any:
            raise TypeError(text)

    with pytest.raises(TypeError, match=text):
        adapt(Broken()).reset(0)


def test_a_step_of_another_shape_is_refused() -> None:
    """Four values are an old interface."""
    adapter = adapt(Quiet({}, {}, {}, {}))
    adapter.reset(0)
    with pytest.raises(EnvironmentUnfit, match="returned a tuple of 4"):
        adapter.step([0, 0])


def test_the_environment_is_not_asked_for_its_state_before_its_first_reset() -> None:
    """Some cannot answer; the caller hears what was wrong."""

    class Shy(Flat):
        asked = 0

        def get_state(self) -> Any:
            self.asked += 1
            return super().get_state()

    adapter = adapt(Shy())
    for call in (adapter.save, lambda: adapter.step([0, 0])):
        with pytest.raises(UsageError, match="before reset"):
            call()
    assert adapter.env.asked == 0


@pytest.mark.parametrize(
    ("players", "options"),
    [
        ([], {}),
        ([0, 0], {}),
        ([0, "0"], {}),
        ([0], {"bots": {0: lambda seen: 0}}),
        ([0], {"seed": None}),
        ([0], {"seed": True}),
        ([0], {"rngs": ["random", "torch"]}),
        ([0], {"reseed_each_episode": "never"}),
    ],
)
def test_a_wrong_setting_is_refused(players: Any, options: Any) -> None:
    """Each with the value and what it may be."""
    with pytest.raises(ConfigError):
        ParallelEnvAdapter(Flat(), players, **{"seed": 0, **options})


def test_a_foreign_snapshot_is_refused() -> None:
    """load and canonical take what save gave."""
    adapter = adapt(Flat())
    adapter.reset(0)
    for call in (adapter.load, adapter.canonical):
        with pytest.raises(UsageError, match="what save"):
            call({"x": 1})


def test_results_for_everybody_are_refused_unless_the_page_has_them() -> None:
    """One reward for two players: the interactive_gym page stores it under `human`."""

    class Common(Flat):
        def step(self, actions: dict[Any, Any]) -> Any:
            super().step(actions)
            return self.state["x"], 1.5, False, False, {}

    common = adapt(Common())
    common.reset(0)
    with pytest.raises(EnvironmentUnfit, match=r"returned (observations|rewards) as a"):
        common.step([1, 1])
    page = ParallelEnvAdapter(Common(), [0, 1], seed=1, common=True)
    page.reset(0)
    result = page.step([1, 1])
    assert (result.rewards, result.infos, result.done) == ({"human": 1.5}, {"human": {}}, False)
