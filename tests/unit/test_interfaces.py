"""Any interface as the parallel one: turns, lists, one action for all, and what is inside of wrappers."""

from __future__ import annotations

import random
from typing import Any

import pytest
from optional import needs_numpy, numpy

from pycore import Settings
from pycore.envs import ParallelEnvAdapter, as_parallel, interface_of
from pycore.envs.chains import chain_of, class_name, put_agents
from pycore.errors import ConfigError, EnvironmentUnfit
from pycore.testing import Conditions, Mesh, ground_truth, wrong_with


class Space:
    """As much of a space as is asked for."""

    def __init__(self, n: int = 0, start: int = 0, spaces: Any = None) -> None:
        self.n, self.start = n, start
        if spaces is not None:
            self.spaces = spaces

    def contains(self, value: Any) -> bool:
        return type(value) is int and self.start <= value < self.start + self.n

    def sample(self) -> Any:
        return self.start


def no_state(kind: type) -> type:
    """The class without its get_state."""
    return type("Bare", (kind,), {"get_state": None, "set_state": None})


# --- turns ---


class Race:
    """Turn-based: who moves goes 0 to 2 places, and everybody else is paid for it. At place 6 one is out.

    Rewards as PettingZoo has them: `rewards` of the last step, `_cumulative_rewards` since the agent's last move.
    """

    def __init__(self, names: Any = ("ann", "bob", "cy"), mask_in: str = "observation") -> None:
        self.possible_agents = list(names)
        self.mask_in = mask_in
        self.metadata = {"name": "race_v0"}

    def reset(self, seed: Any = None, options: Any = None) -> None:
        self.agents = list(self.possible_agents)
        self.at = dict.fromkeys(self.agents, 0)
        self.rewards = dict.fromkeys(self.agents, 0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: dict[Any, Any] = {agent: {} for agent in self.agents}
        self.turn = self.steps = 0
        self.agent_selection = self.agents[0]
        self._masks()

    def _masks(self) -> None:
        if self.mask_in == "infos":
            for agent in self.agents:
                self.infos[agent] = {"action_mask": self._mask(agent)}

    def _mask(self, agent: Any) -> list[int]:
        return [1, 1, int(self.at[agent] % 2 == 0)]

    def observe(self, agent: Any) -> Any:
        seen = {"at": dict(self.at)}
        return {**seen, "action_mask": self._mask(agent)} if self.mask_in == "observation" else seen

    def last(self) -> Any:
        agent = self.agent_selection
        flags = self.terminations[agent], self.truncations[agent]
        return self.observe(agent), self._cumulative_rewards[agent], *flags, self.infos[agent]

    def agent_iter(self) -> Any:
        while self.agents:
            yield self.agent_selection

    def action_space(self, agent: Any) -> Any:
        return Space(3)

    def step(self, action: Any) -> None:
        self.steps += 1
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            assert action is None
            self._remove(agent)
            return
        self._cumulative_rewards[agent] = 0
        self.at[agent] += action
        for other in self.agents:
            self.rewards[other] = 0.1 if other == agent else action
            self._cumulative_rewards[other] += self.rewards[other]
        self.terminations[agent] = self.at[agent] >= 6
        self._masks()
        self._select()

    def _remove(self, agent: Any) -> None:
        for kept in (self.terminations, self.truncations, self.rewards, self._cumulative_rewards, self.infos):
            del kept[agent]
        self.agents.remove(agent)
        for other in self.agents:
            self.rewards[other] = 0
        self._select()

    def _select(self) -> None:
        out = [agent for agent in self.agents if self.terminations[agent]]
        living = [agent for agent in self.possible_agents if agent in self.agents and agent not in out]
        if out:
            self.agent_selection = out[0]
        elif living:
            self.turn = (self.turn + 1) % 60
            self.agent_selection = living[self.turn % len(living)]

    def get_state(self) -> Any:
        return {name: value for name, value in vars(self).items() if name not in ("possible_agents", "metadata")}

    def set_state(self, state: Any) -> None:
        vars(self).update(state)


def bare_totals(env: Any, pick: Any) -> dict[Any, Any]:
    """What a loop over agent_iter is told that each agent earned."""
    totals = dict.fromkeys(env.possible_agents, 0)
    env.reset(seed=1)
    for agent in env.agent_iter():
        observation, reward, terminated, truncated, _ = env.last()
        totals[agent] += reward
        env.step(None if terminated or truncated else pick(observation))
    return totals


def pick_of(seed: int) -> Any:
    """A player of legal moves."""
    draw = random.Random(seed)

    def pick(observation: Any) -> int:
        return draw.choice([move for move, legal in enumerate(observation["action_mask"]) if legal])

    return pick


@pytest.mark.parametrize("seed", range(10))
def test_rewards_by_frame_add_up_to_those_of_a_loop_over_turns(seed: int) -> None:
    """To the digit where the loop has it; moves come at irregular frames, and everybody moves out of turn as well."""
    bare = bare_totals(Race(), pick_of(seed))
    pick, pause = pick_of(seed), random.Random(seed + 100)
    view = as_parallel(Race())
    observations, _ = view.reset(seed=1)
    totals, frames = dict.fromkeys(view.possible_agents, 0), 0
    while view.agents:
        mover = view.env.agent_selection
        moves = {agent: 0 for agent in view.agents if agent != mover}
        before = view.env.steps
        if pause.random() < 0.6:
            moves[mover] = pick(observations[mover])
        observations, rewards, terminations, *_ = view.step(moves)
        frames += 1
        assert view.env.steps - before == (mover in moves) + sum(terminations.values())
        assert all(reward == 0 for reward in rewards.values()) or mover in moves
        for agent, reward in rewards.items():
            totals[agent] += reward
            assert reward in (0, 0.1, 1, 2)
    assert frames > 12
    assert totals == pytest.approx(bare)


@needs_numpy
def test_rewards_that_are_arrays_of_one_are_earned_also_where_their_sum_is_added_to_in_place() -> None:
    class Arrays(Race):
        def step(self, action: Any) -> None:
            self.steps += 1
            mover = self.agent_selection
            self._cumulative_rewards[mover] = 0
            for other in self.agents:
                self.rewards[other] = numpy.array([float(action)])
                self._cumulative_rewards[other] += self.rewards[other]
            self.agent_selection = self.agents[self.steps % 3]

    view = as_parallel(Arrays())
    view.reset(seed=1)
    for mover in ("ann", "bob", "cy", "ann"):
        _, rewards, *_ = view.step({mover: 1})
        assert {agent: float(reward[0]) for agent, reward in rewards.items()} == {"ann": 1.0, "bob": 1.0, "cy": 1.0}


def test_a_frame_without_the_movers_move_does_not_step() -> None:
    """None is no move, and so is silence; the others' moves do not count."""
    view = as_parallel(Race())
    view.reset(seed=1)
    for moves in ({}, {"ann": None}, {"bob": 1, "cy": 2}, {"ann": None, "bob": 2}):
        observations, rewards, terminations, truncations, infos = view.step(moves)
        assert view.env.steps == 0
        assert rewards == {"ann": 0, "bob": 0, "cy": 0}
        assert not any((*terminations.values(), *truncations.values()))
        assert infos == {"ann": {}, "bob": {}, "cy": {}}
        assert observations["bob"]["at"] == {"ann": 0, "bob": 0, "cy": 0}
    view.step({"ann": 1, "bob": 1})
    assert (view.env.steps, view.env.at) == (1, {"ann": 1, "bob": 0, "cy": 0})


@pytest.mark.parametrize(("mask_in", "illegal"), [("observation", 2), ("infos", 2), ("nowhere", 3), ("observation", 7)])
def test_an_illegal_move_is_no_move_and_is_said(mask_in: str, illegal: int) -> None:
    """By the mask in observation or infos, otherwise by the space; the environment's own infos stay clean."""
    view = as_parallel(Race(mask_in=mask_in))
    view.reset(seed=1)
    for move in (1, 0, 0):
        view.step({view.env.agent_selection: move})
    assert view.env.agent_selection == "ann"
    *_, infos = view.step({"ann": illegal, "bob": illegal})
    assert view.env.steps == 3
    assert infos["ann"]["illegal"] is True
    assert "illegal" not in infos["bob"]
    assert "illegal" not in view.env.infos["ann"]
    *_, infos = view.step({"ann": 1})
    assert view.env.steps == 4
    assert "illegal" not in infos["ann"]


@pytest.mark.parametrize("what", ["terminations", "truncations"])
def test_a_turn_based_games_flag_that_is_neither_true_nor_false_is_refused_by_name(what: str) -> None:
    """A text ended the game at its first move."""

    class Texts(Race):
        def step(self, action: Any) -> None:
            super().step(action)
            setattr(self, what, dict.fromkeys(self.agents, "False"))

    adapter = ParallelEnvAdapter(Texts(), ["ann", "bob", "cy"], seed=0, rngs=())
    with pytest.raises(EnvironmentUnfit, match=f"Texts returned {what} in which that of 'ann' is a str"):
        adapter.check(script=[[1, 1, 1]] * 4)


def test_an_agent_without_infos_has_empty_ones() -> None:
    class Silent(Race):
        def _masks(self) -> None:
            self.infos = dict.fromkeys(self.agents)

    view = as_parallel(Silent(mask_in="nowhere"))
    assert view.reset(seed=0)[1] == {agent: {} for agent in ("ann", "bob", "cy")}
    assert view.step({"ann": 7})[4]["ann"] == {"illegal": True}


def test_a_game_that_begins_anew_when_everybody_is_out_goes_on() -> None:
    """As PettingZoo's MultiEpisodeEnv does it: a loop over turns plays all of it."""

    class Twice(Race):
        games = 0

        def reset(self, seed: Any = None, options: Any = None) -> None:
            self.games = 1
            super().reset()

        def step(self, action: Any) -> None:
            super().step(action)
            if not self.agents and self.games < 2:
                super().reset()
                self.games += 1

    view = as_parallel(Twice(mask_in="nowhere"))
    adapter = ParallelEnvAdapter(view, ["ann", "bob", "cy"], seed=0, rngs=())
    adapter.reset(0)
    results = []
    while not results or not results[-1].done:
        results.append(adapter.step([2, 2, 2]))
    assert len(results) == 18, "three moves each, twice"
    assert view.env.games == 2


def test_masks_follow_the_start_and_the_parts_of_a_space() -> None:
    """A Discrete space may begin elsewhere; a mask may be one per part."""
    view = as_parallel(Race(mask_in="infos"))
    view.reset(seed=1)
    view.env.action_space = lambda agent: Space(3, start=5)
    view.env.infos["ann"] = {"action_mask": [0, 1, 1]}
    assert view.step({"ann": 5})[4]["ann"]["illegal"]
    assert view.step({"ann": -1})[4]["ann"]["illegal"]
    view.env.infos["ann"] = {"action_mask": ([0, 1], [1, 0])}
    assert view.step({"ann": (0, 0)})[4]["ann"]["illegal"]
    view.env.step = lambda move: setattr(view.env, "moved", move)
    view.step({"ann": (1, 0)})
    assert view.env.moved == (1, 0)
    view.env.infos["ann"] = {"action_mask": [0, 1, 1]}
    view.step({"ann": 6})
    assert view.env.moved == 6


def test_who_is_out_is_removed_in_the_same_frame() -> None:
    """With flags and the last look in the results, and without a frame of its own for each."""
    view = as_parallel(Race(("ann", "bob")))
    view.reset(seed=1)
    view.env.at = {"ann": 4, "bob": 5}
    observations, _, terminations, _, _ = view.step({"ann": 2})
    assert terminations == {"ann": True, "bob": False}
    assert "ann" in observations
    assert view.agents == ["bob"]
    assert view.step({"bob": 1})[2] == {"bob": True}
    assert view.agents == []
    assert view.step({"bob": 1})[1] == {}


def test_a_turn_based_game_can_be_rolled_back_and_ends() -> None:
    """The laws of a rollback, with moves that are legal, illegal, missing and out of turn."""
    draw = random.Random(4)
    script = [tuple(draw.choice((None, 0, 1, 2, 7)) for _ in range(3)) for _ in range(120)]
    adapter = ParallelEnvAdapter(as_parallel(Race()), [0, 1, 2], seed=1, rngs=())
    adapter.check(script=script)
    adapter.reset(0)
    count = 0
    for actions in script:
        result = adapter.step(actions)
        count += 1
        if result.done:
            break
    assert result.done
    assert 15 < count < len(script)
    assert set(result.terminations) <= {0, 1, 2}
    assert "0 plays 'ann'" in adapter.seating


# --- lists ---


class Foragers:
    """The list interface: `outcome` is what step returns beside the observations."""

    def __init__(self, n: int = 2, *outcome: Any) -> None:
        self.n_agents = n
        self.action_space = Space(spaces=tuple(Space(4) for _ in range(n)))
        self.agents = [object() for _ in range(n)]
        self.outcome = outcome or ([0.0] * n, False, False, {})
        self.x = [0] * n

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        self.x = [seed or 0] * self.n_agents
        return tuple(self.x), {"day": 1}

    def step(self, actions: Any) -> Any:
        assert type(actions) is list
        self.x = [x + action for x, action in zip(self.x, actions, strict=True)]
        return list(self.x), *self.outcome

    def get_state(self) -> Any:
        return {"x": self.x}

    def set_state(self, state: Any) -> None:
        self.x = state["x"]


def test_actions_and_results_in_lists_go_by_position() -> None:
    """Other actions give other results: that the ids become actions is what a plain dict would do."""
    env = Foragers(2, [1.5, 2], [False, True], False, {"day": 2})
    view = as_parallel(env)
    assert view.possible_agents == view.agents == [0, 1]
    assert view.reset(seed=3) == ({0: 3, 1: 3}, {0: {"day": 1}, 1: {"day": 1}})
    observations, rewards, terminations, truncations, infos = view.step({1: 3, 0: 2})
    assert observations == {0: 5, 1: 6}
    assert rewards == {0: 1.5, 1: 2}
    assert terminations == {0: False, 1: True}
    assert truncations == {0: False, 1: False}
    assert infos == {0: {"day": 2}, 1: {"day": 2}}
    assert view.action_space(1) is env.action_space.spaces[1]


def test_what_there_is_one_of_is_everybodys_and_a_list_of_infos_is_by_agent() -> None:
    """A reward for the team, a flag for all."""
    view = as_parallel(Foragers(2, 4.0, True, False, [{"a": 1}, {"b": 2}]))
    view.reset(seed=0)
    _, rewards, terminations, _, infos = view.step({0: 0, 1: 0})
    assert rewards == {0: 4.0, 1: 4.0}
    assert terminations == {0: True, 1: True}
    assert infos == {0: {"a": 1}, 1: {"b": 2}}


def test_lists_of_another_length_and_missing_actions_are_refused() -> None:
    """By the class, and what is missing."""
    view = as_parallel(Foragers(2, [1.0], False, False, {}))
    view.reset(seed=0)
    with pytest.raises(EnvironmentUnfit, match="Foragers takes 2 actions and returned 1 rewards"):
        view.step({0: 0, 1: 0})
    with pytest.raises(EnvironmentUnfit, match=r"Foragers .* agent 1 has none"):
        view.step({0: 0})
    with pytest.raises(EnvironmentUnfit, match=r"Foragers has 2 agents .*3 players"):
        ParallelEnvAdapter(view, [0, 1, 7], seed=0)


def test_a_list_environment_is_rolled_back_with_flags_at_different_frames() -> None:
    """A list never gets shorter: who was flagged is remembered, and taken back with the frame."""

    class Ends(Foragers):
        def step(self, actions: Any) -> Any:
            outcome = super().step(actions)
            return outcome[0], [0.0, 0.0], [self.x[0] == 3, self.x[1] == 5], False, {}

    adapter = ParallelEnvAdapter(as_parallel(Ends()), [0, 1], seed=0, rngs=())
    script = [(1, 1)] * 9
    adapter.check(script=script)
    adapter.reset(0)
    saves, done = [], []
    for actions in script[:5]:
        saves.append(adapter.save())
        done.append(adapter.step(actions).done)
    assert done == [False, False, False, False, True]
    adapter.load(saves[0])
    assert [adapter.step((0, 1)).done for _ in range(7)] == [False] * 7
    adapter.load(saves[4])
    assert adapter.step((1, 1)).done


# --- one action for all ---


class Cart:
    """Gymnasium's interface."""

    def __init__(self) -> None:
        self.action_space = Space(9)
        self.observation_space = Space(1)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        self.x = 0
        return self.x, {"start": True}

    def step(self, action: Any) -> Any:
        self.x += action
        return self.x, 1.0, self.x > 8, False, {}

    def get_state(self) -> Any:
        return {"x": self.x}

    def set_state(self, state: Any) -> None:
        self.x = state["x"]


def test_one_seat_has_the_action_and_the_results() -> None:
    """Whatever the player is called."""
    view = as_parallel(Cart())
    assert view.action_space(0) is view.env.action_space
    adapter = ParallelEnvAdapter(view, ["human"], seed=0, rngs=())
    adapter.check(script=[[2]] * 9)
    adapter.reset(0)
    result = adapter.step([3])
    assert (result.rewards, result.terminations, result.done) == ({"human": 1.0}, {"human": False}, False)
    assert adapter.observations == {"human": 3}
    assert adapter.step([6]).done


def test_several_seats_are_merged_by_the_users_function() -> None:
    """Everybody gets the same results."""
    view = as_parallel(Cart(), seats=2, merge=lambda actions: actions[0] + 2 * actions[1])
    adapter = ParallelEnvAdapter(view, [0, 1], seed=0, rngs=())
    adapter.check(script=[(1, 0), (0, 1)] * 4)
    adapter.reset(0)
    result = adapter.step([1, 2])
    assert view.env.x == 5
    assert result.rewards == {0: 1.0, 1: 1.0}
    assert (view.action_space(0), view.observation_space(1)) == (None, view.env.observation_space)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (Cart, {"seats": 2}, "Cart takes one action, and there are 2 seats.*merge=function"),
        (Cart, {"seats": 0}, "seats is 0"),
        (Cart, {"seats": 2, "merge": 3}, "merge is a int"),
        (Race, {"seats": 2}, "Race has the aec interface"),
        (Cart, {"interface": "vector"}, "interface is 'vector'"),
    ],
)
def test_wrong_ways_to_seat_are_refused(make: Any, options: Any, message: str) -> None:
    """Each with the way out."""
    with pytest.raises(ConfigError, match=message):
        as_parallel(make(), **options)


# --- which one it is ---


class Plain:
    """The parallel interface, with names, an agent list and nothing else."""

    def __init__(self, *names: Any) -> None:
        self.possible_agents = list(names) or ["a", "b"]

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        self.agents = list(self.possible_agents)
        self.rest = list(self.agents)
        self.t = 0
        return dict.fromkeys(self.agents, 0), {}

    def step(self, actions: Any) -> Any:
        self.t += 1
        flags = dict.fromkeys(self.agents, False)
        return dict.fromkeys(self.agents, self.t), dict.fromkeys(self.agents, 0), flags, dict(flags), {}

    def get_state(self) -> Any:
        return {"t": self.t}

    def set_state(self, state: Any) -> None:
        self.t = state["t"]


def test_each_interface_is_told_by_what_it_has() -> None:
    """And may be said instead."""
    assert interface_of(Plain()).word == "parallel"
    assert interface_of(Race()).word == "aec"
    assert interface_of(Race()).takes_turns
    assert interface_of(Foragers()).word == "list"
    assert interface_of(Cart()).word == "gymnasium"
    hand = Cart()  # one player's action is a pair
    hand.action_space = Space(spaces=(Space(2), Space(2)))
    assert interface_of(hand).word == "gymnasium"
    assert interface_of(as_parallel(hand, interface="list")).word == "list"
    named = Cart()
    named.action_space, named.observation_space = Space(spaces={"a": 1, "b": 2}), Space(spaces={"a": 3, "b": 4})
    assert interface_of(named).word == "parallel"
    named.agents = [object(), object()]  # type: ignore[attr-defined]
    assert as_parallel(named).possible_agents == as_parallel(named).agents == ["a", "b"]
    assert as_parallel(named).action_space("b") == 2
    for env in (Plain(), Race(), Foragers(), Cart()):
        view = as_parallel(env)
        assert as_parallel(view) is view
        assert interface_of(view) == interface_of(env)
        assert view.unwrapped is env
        assert view.env is env
    with pytest.raises(EnvironmentUnfit, match="Space has no reset"):
        interface_of(Space())
    race = Race()
    race.metadata["is_parallelizable"] = True
    assert "parallel_env()" in interface_of(race).reason


@pytest.mark.parametrize("make", [Plain, Race, Foragers, Cart])
def test_a_view_has_get_state_exactly_where_the_environment_has_both(make: Any) -> None:
    """So that whoever saves it otherwise can tell."""
    assert hasattr(as_parallel(make()), "get_state")
    assert hasattr(as_parallel(make()), "set_state")
    bare = as_parallel(no_state(make)())
    assert not hasattr(bare, "get_state")
    assert not hasattr(bare, "set_state")
    assert bare.obstacle() is None
    half = as_parallel(type("Half", (make,), {"set_state": None})())
    assert not hasattr(half, "get_state")
    assert not hasattr(half, "set_state")
    assert half.obstacle() == "it has get_state() and no set_state()"


def test_a_view_passes_on_what_it_does_not_know_and_adds_nothing_to_a_state() -> None:
    """A state stays what the environment gave, cheap to copy, until there is something to remember."""
    env = Plain()
    view = as_parallel(env)
    assert not hasattr(view, "render")
    env.render = lambda: ["ball"]  # type: ignore[attr-defined]
    env.metadata = {"rngs": ()}  # type: ignore[attr-defined]
    assert view.render() == ["ball"]
    assert view.metadata == {"rngs": ()}
    view.close()
    view.reset(seed=1)
    assert view.t == 0
    assert view.get_state() == {"t": 0}


def test_functions_take_the_place_of_the_two_methods() -> None:
    """They are given the environment itself; what the view remembers is added."""

    def get(env: Any) -> Any:
        return {"t": env.t}

    def put(env: Any, state: Any) -> None:
        env.t = state["t"]

    env = no_state(Flags)((NO, NO), (FIRST, NO), (NO, NO), (SECOND, NO))
    view = as_parallel(env, get_state=get, set_state=put)
    adapter = ParallelEnvAdapter(view, [0, 1], seed=0, rngs=())
    adapter.check(script=[(0, 0)] * 6)
    adapter.reset(0)
    adapter.step((0, 0))
    assert view.get_state() == {"t": 1}
    adapter.step((0, 0))
    assert view.get_state()["env"] == {"t": 2}
    assert env.t == 2
    with pytest.raises(ConfigError, match="belong together"):
        as_parallel(env, get_state=get)


# --- agents ---


class Flags(Plain):
    """Says the flags that it is told, frame by frame, and lets nobody leave."""

    def __init__(self, *frames: Any, agents: bool = True) -> None:
        self.frames = frames
        if agents:
            self.possible_agents = [0, 1]

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        self.t = 0
        if hasattr(self, "possible_agents"):
            self.agents = [0, 1]
        return {0: 0, 1: 0}, {}

    def step(self, actions: Any) -> Any:
        assert set(actions) == {0, 1}
        terminations, truncations = self.frames[self.t] if self.t < len(self.frames) else (NO, NO)
        self.t += 1
        return {0: 0, 1: 0}, {0: 0, 1: 0}, dict(terminations), dict(truncations), {}


NO, FIRST, SECOND = {0: False, 1: False}, {0: True, 1: False}, {0: False, 1: True}


@pytest.mark.parametrize("agents", [True, False])
@pytest.mark.parametrize(
    ("frames", "last"),
    [
        ([(NO, NO), (FIRST, NO), (NO, NO), (NO, SECOND)], 3),
        ([(FIRST, NO), (NO, NO), (FIRST, NO), (SECOND, NO)], 3),
        ([({**FIRST, "__all__": False}, {"__all__": False}), ({"__all__": True}, {"__all__": False})], 1),
        ([(NO, NO), ({**NO, "__all__": False}, {**NO, "__all__": True})], 1),
        ([({**NO, "__all__": False}, NO), (FIRST, NO), (FIRST, NO), (FIRST, NO)], None),
    ],
)
def test_an_episode_is_over_when_everybody_was_flagged_once(frames: Any, last: int | None, agents: bool) -> None:
    """In whichever frames, and by RLlib's `__all__`, which is no agent in the results."""
    adapter = ParallelEnvAdapter(as_parallel(Flags(*frames, agents=agents)), [0, 1], seed=0, rngs=())
    adapter.check(script=[(0, 0)] * 6)
    adapter.reset(0)
    saves, results = [], []
    for _ in range(6):
        saves.append(adapter.save())
        results.append(adapter.step((0, 0)))
        if results[-1].done:
            break
    assert (len(results) - 1 if results[-1].done else None) == last
    assert all(set(result.terminations) <= {0, 1} for result in results)
    for start in range(len(saves)):
        adapter.load(saves[start])
        assert [adapter.step((0, 0)).done for _ in range(start, len(saves))] == [r.done for r in results[start:]]
    adapter.reset(0)
    assert not adapter.env.flagged


def test_who_left_and_comes_back_must_be_flagged_again() -> None:
    """The memory is of those only that are still listed."""

    class Back(Plain):
        def step(self, actions: Any) -> Any:
            outcome = super().step(actions)
            self.agents = {1: ["b"], 2: ["a", "b"]}.get(self.t, self.agents)
            return outcome[0], outcome[1], {"a": self.t == 1, "b": self.t == 4}, {}, {}

    adapter = ParallelEnvAdapter(as_parallel(Back()), [0, 1], seed=0, rngs=())
    adapter.check(script=[(0, 0)] * 6)
    adapter.reset(0)
    assert [adapter.step((0, 0)).done for _ in range(5)] == [False] * 5


def test_a_list_of_agents_is_put_back_as_the_same_list() -> None:
    """Who goes round them holds the very list; only what is possible_agents too must not shrink."""
    view = as_parallel(Plain())
    view.reset(seed=0)
    held = view.env.agents
    held.remove("a")
    view.agents = ["a", "b"]
    assert view.env.agents is held
    assert held == ["a", "b"]
    view.env.agents = view.env.possible_agents
    view.agents = ["b"]
    assert view.env.agents == ["b"]
    assert view.possible_agents == ["a", "b"]
    view.env.agents = ("a", "b")
    view.agents = ["b"]
    assert view.env.agents == ("b",)
    with pytest.raises(AttributeError, match="Cart keeps no list"):
        as_parallel(Cart()).agents = [0]


def test_results_of_another_shape_are_left_to_whoever_steps() -> None:
    """The message is the adapter's, and names the class of the user."""

    class Four(Plain):
        def step(self, actions: Any) -> Any:
            return super().step(actions)[:4]

    adapter = ParallelEnvAdapter(as_parallel(Four()), [0, 1], seed=0)
    adapter.reset(0)
    with pytest.raises(EnvironmentUnfit, match=r"Four.step\(\) returned a tuple of 4"):
        adapter.step((0, 0))


# --- wrappers ---


class Wrapper:
    """As Gymnasium 1 has it: passes on what is asked for, and nothing else."""

    def __init__(self, env: Any) -> None:
        self.env = env

    @property
    def unwrapped(self) -> Any:
        return getattr(self.env, "unwrapped", self.env)

    @property
    def action_space(self) -> Any:
        return self.env.action_space

    def reset(self, **given: Any) -> Any:
        return self.env.reset(**given)

    def step(self, action: Any) -> Any:
        return self.env.step(action)


class Passing(Wrapper):
    """As PettingZoo has it: passes on everything."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.env, name)


class TimeLimit(Wrapper):
    """Counts, and holds what is no state: a function and a space."""

    def __init__(self, env: Any, limit: int) -> None:
        super().__init__(env)
        self.limit = limit
        self.space = Space(2)
        self.shape = len

    def reset(self, **given: Any) -> Any:
        self.count = 0
        return super().reset(**given)

    def step(self, action: Any) -> Any:
        observation, reward, terminated, truncated, info = super().step(action)
        self.count += 1
        return observation, reward, terminated, truncated or self.count >= self.limit, info


def test_the_users_class_is_found_and_the_wrappers_count_is_saved() -> None:
    """The outermost layer is stepped; what it counts is part of the state."""
    view = as_parallel(Passing(TimeLimit(Cart(), 5)))
    assert interface_of(view).word == "gymnasium"
    assert [type(layer).__name__ for layer in chain_of(view)] == ["View", "Passing", "TimeLimit", "Cart"]
    assert class_name(view) == "Cart"
    adapter = ParallelEnvAdapter(view, [0], seed=0, rngs=())
    adapter.check(script=[[1]] * 8)
    adapter.reset(0)
    saved = adapter.save()
    assert [adapter.step([1]).done for _ in range(5)] == [False, False, False, False, True]
    adapter.load(saved)
    assert view.get_state()["wrappers"]["1 TimeLimit"] == {"limit": 5, "count": 0}
    assert [adapter.step([1]).done for _ in range(5)] == [False, False, False, False, True]


def test_what_a_wrapper_had_not_yet_it_has_no_more_after_a_load() -> None:
    """An attribute that comes in mid-game."""

    class Late(Wrapper):
        def reset(self, **given: Any) -> Any:
            vars(self).pop("seen", None)
            return super().reset(**given)

        def step(self, action: Any) -> Any:
            observation, _, *rest = super().step(action)
            self.seen = getattr(self, "seen", 0) + 1
            self.later = len
            return observation, self.seen, *rest

    adapter = ParallelEnvAdapter(Late(Cart()), [0], seed=0, rngs=())
    adapter.check(script=[[1]] * 8)


def test_what_a_wrapper_counts_in_a_slot_is_saved() -> None:
    class Slotted(Wrapper):
        __slots__ = ("count",)

        def reset(self, **given: Any) -> Any:
            self.count = 0
            return super().reset(**given)

        def step(self, action: Any) -> Any:
            observation, _, *rest = super().step(action)
            self.count += 1
            return observation, self.count, *rest

    adapter = ParallelEnvAdapter(Slotted(Cart()), [0], seed=0, rngs=())
    assert adapter.state_way == "get_state"
    adapter.check(script=[[1]] * 8)


def test_a_wrapper_of_slots_alone_is_one() -> None:
    class Bare:
        __slots__ = ("env",)

        def __init__(self, env: Any) -> None:
            self.env = env

        def __getattr__(self, name: str) -> Any:
            return getattr(self.env, name)

    bare = Bare(Cart())
    assert chain_of(bare) == [bare, bare.env]


def test_a_wrapper_that_passes_get_state_on_has_none_of_its_own() -> None:
    """What it counts would be missing."""

    class Passes(TimeLimit, Passing):
        pass

    wrapper = Passes(Cart(), 5)
    assert callable(wrapper.get_state)
    view = as_parallel(wrapper)
    view.reset(seed=0)
    assert view.get_state()["wrappers"] == {"0 Passes": {"limit": 5, "count": 0}}


def test_the_outermost_layer_that_has_a_state_of_its_own_is_asked_and_those_outside_of_it_are_saved_beside() -> None:
    """What is inside of it is its affair, also where it has a state as well."""

    class Sums(Wrapper):
        def reset(self, **given: Any) -> Any:
            self.sum = 0
            return super().reset(**given)

        def step(self, action: Any) -> Any:
            self.sum += action
            return super().step(action)

        def get_state(self) -> Any:
            return {"sum": self.sum, "x": self.env.x}

        def set_state(self, state: Any) -> None:
            self.sum, self.env.x = state["sum"], state["x"]

    view = as_parallel(TimeLimit(Sums(Cart()), 5))
    adapter = ParallelEnvAdapter(view, [0], seed=0, rngs=())
    adapter.check(script=[[1]] * 8)
    adapter.reset(0)
    adapter.step([3])
    state = view.get_state()
    assert (state["env"], state["wrappers"]) == ({"sum": 3, "x": 3}, {"0 TimeLimit": {"limit": 5, "count": 1}})


def test_an_environment_that_has_another_one_as_its_engine_is_no_wrapper() -> None:
    """It says so by being its own unwrapped; then its state is its own affair."""

    class Game(Cart):
        def __init__(self) -> None:
            super().__init__()
            self.env = Cart()

        @property
        def unwrapped(self) -> Any:
            return self

    game = Game()
    assert chain_of(game) == [game]
    assert class_name(game) == "Game"


def test_a_wrapper_that_holds_what_nobody_knows_is_refused_by_name() -> None:
    """Only where get_state is inside of it; one with a get_state of its own is asked instead."""

    class Noise(Wrapper):
        def __init__(self, env: Any) -> None:
            super().__init__(env)
            self.noise = random.Random(3)

    view = as_parallel(Noise(Cart()))
    view.reset(seed=0)
    assert view.obstacle() == "Noise: whether its attribute noise, a Random, is state cannot be told"
    with pytest.raises(EnvironmentUnfit, match=r"Cart has get_state\(\), but it is inside of Noise.*noise.*leave"):
        view.get_state()

    class Saving(Noise):
        def get_state(self) -> Any:
            return "all of it"

        def set_state(self, state: Any) -> None:
            pass

    saving = as_parallel(Saving(Cart()))
    assert saving.get_state() == "all of it"
    assert saving.obstacle() is None
    assert not hasattr(as_parallel(Noise(no_state(Cart)())), "get_state")
    assert as_parallel(Noise(no_state(Cart)())).obstacle() is None


def test_agents_are_put_back_inside_of_a_wrapper() -> None:
    """Set on the wrapper they would hide those of the environment for ever."""
    inner = Plain()
    wrapper = Passing(inner)
    wrapper.reset(seed=0)
    put_agents(wrapper, ["a"])
    assert inner.agents == ["a"]
    inner.agents = inner.possible_agents
    put_agents(wrapper, ["b"])
    assert inner.agents == ["b"]
    assert "agents" not in vars(wrapper)
    with pytest.raises(AttributeError):
        put_agents(Wrapper(Cart()), ["a"])


def test_a_generator_is_looked_for_inside_and_never_made() -> None:
    """Gymnasium's property makes one of the system's entropy, also when a wrapper is asked."""

    class Lazy(Cart):
        _np_random: Any = None

        @property
        def np_random(self) -> Any:
            self._np_random = self._np_random or random.Random()
            return self._np_random

    class Forward(Wrapper):
        @property
        def _np_random(self) -> Any:
            raise AttributeError("ask for unwrapped")

        @property
        def np_random(self) -> Any:
            return self.env.np_random

        def get_state(self) -> Any:
            return self.env.get_state()

        def set_state(self, state: Any) -> None:
            self.env.set_state(state)

    for env in (Forward(Lazy()), as_parallel(Forward(Lazy()))):
        adapter = ParallelEnvAdapter(as_parallel(env), [0], seed=0)
        adapter.reset(0)
        adapter.load(adapter.save())
        adapter.step([1])
        assert env.unwrapped._np_random is None
    drawn = Forward(Lazy())
    drawn.unwrapped._np_random = random.Random(5)
    adapter = ParallelEnvAdapter(as_parallel(drawn), [0], seed=0, rngs=("np_random",))
    adapter.reset(0)
    saved = adapter.save()
    first = drawn.np_random.random()
    adapter.load(saved)
    assert drawn.np_random.random() == first


def test_pettingzoos_classes_are_named_with_their_game() -> None:
    """raw_env alone says nothing."""
    env = type("raw_env", (Race,), {})()
    assert class_name(as_parallel(Passing(env))) == "raw_env (race_v0)"


# --- over a network ---


def test_a_turn_based_game_is_the_same_for_all_under_loss_and_delay() -> None:
    """Moves are guessed wrong and taken back; every peer has the rows of a bare environment."""
    settings = Settings(input_delay=1, num_episodes=2, max_steps=240, action_space={"type": "any"}, default_action=None)

    def simulation(seat: int) -> ParallelEnvAdapter:
        return ParallelEnvAdapter(as_parallel(Race(("ann", "bob"))), [0, 1], seed=5, rngs=())

    def player(seat: int) -> Any:
        def act(episode: int, frame: int) -> Any:
            draw = random.Random(1000 * seat + 100000 * episode + frame)
            return draw.randrange(4) if draw.random() < 0.25 else None

        return act

    mesh = Mesh(2, settings, simulation, player, Conditions(delay=0.08, jitter=0.02, loss=0.08), seed=5)
    mesh.run(until=60.0)
    assert mesh.over
    assert all(peer.session.timeline.rollbacks for peer in mesh.peers)
    for episode in range(2):
        inputs = [peer.inputs[episode] for peer in mesh.peers]
        truth = ground_truth(simulation(0), settings, mesh.peers[0].session.codec, inputs, episode)
        for peer in mesh.peers:
            assert not wrong_with(truth, peer.rows[episode], peer.rewards[episode], peer.finals[episode])
        assert 10 < len(mesh.peers[0].rows[episode]) < 240
