"""Environments of PettingZoo and Gymnasium as they are published, where these are installed."""

from __future__ import annotations

import importlib
import random
from typing import Any

import pytest

from pycore.envs import ParallelEnvAdapter, as_parallel, interface_of
from pycore.envs.chains import class_name
from pycore.errors import EnvironmentUnfit

pytestmark = pytest.mark.slow


def module(name: str) -> Any:
    """A module that may be missing, as may what it needs; then the test is skipped with what is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"{name} cannot be imported: {error}")


def mask_of(env: Any, agent: Any, observation: Any) -> Any:
    """The legal moves, wherever the environment keeps them."""
    if isinstance(observation, dict):
        return observation["action_mask"]
    mask = env.infos[agent].get("action_mask")
    return [1] * env.action_space(agent).n if mask is None else mask


def pick(draw: random.Random, mask: Any) -> int:
    """A legal move."""
    return draw.choice([move for move, legal in enumerate(mask) if legal])


TURNS = ["tictactoe_v3", "connect_four_v3", "rps_v2", "chess_v6", "go_v5", "leduc_holdem_v4", "texas_holdem_v4"]


@pytest.mark.parametrize("name", TURNS)
@pytest.mark.parametrize("seed", range(3))
def test_a_game_in_turns_is_that_of_a_loop_over_its_turns(name: str, seed: int) -> None:
    """The same moves, rewards and end; moves out of turn and frames without one change nothing."""
    make = module(f"pettingzoo.classic.{name}").env
    bare, draw, played = make(), random.Random(seed), []
    bare.reset(seed=seed)
    totals = dict.fromkeys(bare.possible_agents, 0)
    for agent in bare.agent_iter():
        observation, reward, terminated, truncated, _ = bare.last()
        totals[agent] += reward
        out = terminated or truncated or len(played) > 400
        move = None if out else pick(draw, mask_of(bare, agent, observation))
        if move is None and not (terminated or truncated):
            break
        if move is not None:
            played.append((agent, move))
        bare.step(move)
    env = make()
    view = as_parallel(env)
    assert interface_of(view).takes_turns
    view.reset(seed=seed)
    sums = dict.fromkeys(view.possible_agents, 0)
    moves = iter(played)
    for number in range(3 * len(played)):
        actions = {agent: 0 for agent in view.agents if agent != env.agent_selection}
        if number % 3 == 1:
            agent, move = next(moves)
            assert agent == env.agent_selection
            actions[agent] = move
        elif number % 3 == 2:
            actions = dict.fromkeys(view.agents)
        _, rewards, terminations, truncations, infos = view.step(actions)
        for agent, reward in rewards.items():
            sums[agent] += reward
        assert not any(info.get("illegal") for info in infos.values())
        if not view.agents:
            assert number == 3 * len(played) - 2
            assert all(terminations[agent] or truncations[agent] for agent in terminations)
            break
    assert sums == pytest.approx(totals)
    assert len(played) > 400 or (not view.agents and not bare.agents)


def test_an_illegal_move_ends_no_game() -> None:
    """PettingZoo's own wrapper would end it with a defeat."""
    env = module("pettingzoo.classic.tictactoe_v3").env()
    view = as_parallel(env)
    view.reset(seed=0)
    view.step({"player_1": 4})
    for move in (4, 9, -1, "x", 2.5):
        _, _, terminations, _, infos = view.step({"player_1": 0, "player_2": move})
        assert infos["player_2"]["illegal"] is True
        assert not any(terminations.values())
    assert env.agent_selection == "player_2"
    assert sum(map(bool, env.unwrapped.board.squares)) == 1
    assert class_name(view) == "raw_env (tictactoe_v3)"


def test_a_game_in_turns_with_a_state_is_rolled_back_inside_of_its_wrappers() -> None:
    """TerminateIllegalWrapper keeps the last look of another time, which a load must make it forget."""
    tictactoe = importlib.import_module("pettingzoo.classic.tictactoe.tictactoe") if module("pettingzoo") else None
    wrappers = module("pettingzoo.utils.wrappers")
    kept = ("agents", "rewards", "_cumulative_rewards", "terminations", "truncations", "agent_selection")

    class Saving(tictactoe.raw_env):  # type: ignore[name-defined, misc]
        def get_state(self) -> Any:
            own = {name: getattr(self, name) for name in kept}
            return {**own, "board": list(self.board.squares), "at": self._agent_selector._current_agent}

        def set_state(self, state: Any) -> None:
            for name in kept:
                setattr(self, name, state[name])
            self._agent_selector.reinit(self.agents)
            self.board.squares, self._agent_selector._current_agent = list(state["board"]), state["at"]
            self.infos = {agent: {} for agent in self.agents}

    inside = wrappers.TerminateIllegalWrapper(Saving(), illegal_reward=-1)
    env = wrappers.OrderEnforcingWrapper(wrappers.AssertOutOfBoundsWrapper(inside))
    adapter = ParallelEnvAdapter(as_parallel(env), [0, 1], seed=0)
    draw = random.Random(2)
    script = [tuple(draw.choice((None, *range(9))) for _ in range(2)) for _ in range(60)]
    adapter.check(script=script)
    adapter.reset(0)
    saved = adapter.save()
    results = [adapter.step(actions) for actions in script[:20]]
    assert any(info.get("illegal") for result in results for info in result.infos.values())
    adapter.load(saved)
    again = [adapter.step(actions) for actions in script[:20]]
    assert [r.rewards for r in results] == [r.rewards for r in again]


def test_a_parallel_environment_of_a_turn_based_one_is_passed_on() -> None:
    """All move in each frame, and the list inside stays visible."""
    view = as_parallel(module("pettingzoo.classic.rps_v2").parallel_env(max_cycles=3))
    assert interface_of(view).word == "parallel"
    view.reset(seed=0)
    outcomes = [view.step({"player_0": 0, "player_1": 1}) for _ in range(3)]
    assert [outcome[1]["player_1"] for outcome in outcomes] == [1, 1, 1]
    assert view.agents == []


def test_pistons_move_at_once() -> None:
    """A parallel environment inside of wrappers."""
    env = module("pettingzoo.butterfly.pistonball_v6").parallel_env(n_pistons=4, max_cycles=6, continuous=False)
    view = as_parallel(env)
    view.reset(seed=0)
    assert view.possible_agents == [f"piston_{number}" for number in range(4)]
    for _ in range(6):
        outcome = view.step(dict.fromkeys(view.agents, 1))
    assert view.agents == []
    assert all(outcome[3].values())
    view.close()


def cart(gymnasium: Any, **options: Any) -> Any:
    """CartPole with a state, by gym.make with all its wrappers."""
    cartpole = module("gymnasium.envs.classic_control.cartpole")

    class Saving(cartpole.CartPoleEnv):  # type: ignore[name-defined, misc]
        def get_state(self) -> Any:
            return {"state": self.state, "beyond": self.steps_beyond_terminated}

        def set_state(self, state: Any) -> None:
            self.state, self.steps_beyond_terminated = state["state"], state["beyond"]

    if "SavingCart-v0" not in gymnasium.registry:
        gymnasium.register("SavingCart-v0", entry_point=Saving, max_episode_steps=6)
    return gymnasium.make("SavingCart-v0", **options)


def test_what_gym_make_returns_is_rolled_back_with_its_time_limit() -> None:
    """get_state is inside, the count of steps outside; np_random belongs to the environment inside."""
    gymnasium = module("gymnasium")
    env = cart(gymnasium)
    assert not hasattr(env, "get_state")
    view = as_parallel(env)
    adapter = ParallelEnvAdapter(view, [0], seed=3)
    adapter.check(script=[[frame % 2] for frame in range(8)])
    adapter.reset(0)
    for frame in range(3):
        adapter.step([frame % 2])
    saved = adapter.save()
    ends = [[adapter.step([1]).truncations[0] for _ in range(3)]]
    adapter.load(saved)
    ends.append([adapter.step([1]).truncations[0] for _ in range(3)])
    assert ends == [[False, False, True]] * 2
    assert class_name(view) == "Saving"
    assert view.action_space(0) == gymnasium.spaces.Discrete(2)


def test_no_generator_is_made_for_an_environment_of_gymnasium() -> None:
    """Two instances that draw nothing by np_random agree on every state."""
    gymnasium = module("gymnasium")

    class Own(gymnasium.Env):  # type: ignore[name-defined, misc]
        action_space = gymnasium.spaces.Discrete(3)
        observation_space = gymnasium.spaces.Discrete(99)

        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            self.rng = random.Random(seed)
            return 0, {}

        def step(self, action: Any) -> Any:
            return self.rng.randrange(99), 0.0, False, False, {}

        def get_state(self) -> Any:
            return self.rng.getstate()

        def set_state(self, state: Any) -> None:
            self.rng.setstate(state)

    class Forward(gymnasium.Wrapper):  # type: ignore[name-defined, misc]
        def get_state(self) -> Any:
            return self.env.get_state()

        def set_state(self, state: Any) -> None:
            self.env.set_state(state)

    states = []
    for _ in range(2):
        adapter = ParallelEnvAdapter(as_parallel(Forward(Own())), [0], seed=1)
        adapter.reset(0)
        adapter.step([1])
        states.append(adapter.canonical(adapter.save()))
        assert adapter.env.unwrapped._np_random is None
    assert states[0] == states[1]


def test_a_wrapper_that_reads_a_clock_is_refused() -> None:
    """By its name, and that of the environment inside."""
    gymnasium = module("gymnasium")
    view = as_parallel(gymnasium.wrappers.RecordEpisodeStatistics(cart(gymnasium)))
    view.reset(seed=0)
    assert hasattr(view, "get_state")
    with pytest.raises(EnvironmentUnfit, match=r"Saving has get_state\(\).*RecordEpisodeStatistics.*clock"):
        view.get_state()


def wrapped(gymnasium: Any, name: str) -> Any:
    """A wrapper of gymnasium's that keeps arrays in closures, or asks spaces for their generators."""
    wrappers = gymnasium.wrappers
    if name == "RescaleAction":
        return wrappers.RescaleAction(gymnasium.make("Pendulum-v1"), -1.0, 1.0)
    if name == "RescaleObservation":
        return wrappers.RescaleObservation(gymnasium.make("Pendulum-v1"), -1.0, 1.0)
    if name == "FilterObservation":
        env = wrappers.TimeAwareObservation(gymnasium.make("CartPole-v1"), flatten=False)
        return wrappers.FilterObservation(env, ["obs"])
    if name == "ClipReward":
        numpy = module("numpy")
        return wrappers.ClipReward(gymnasium.make("Pendulum-v1"), numpy.array(-1.0), numpy.array(0.0))
    env = gymnasium.make("CartPole-v1")
    if name == "NormalizeObservation":
        env = wrappers.NormalizeObservation(env)
    return wrappers.FrameStackObservation(env, 3)


@pytest.mark.parametrize(
    "name",
    ["RescaleAction", "RescaleObservation", "FilterObservation", "ClipReward", "FrameStackObservation",
     "NormalizeObservation"],
)  # fmt: skip
def test_a_wrapper_of_gymnasiums_is_played_by_two_instances_alike(name: str) -> None:
    gymnasium, numpy = module("gymnasium"), module("numpy")
    ends = []
    for _ in range(2):
        adapter = ParallelEnvAdapter(as_parallel(wrapped(gymnasium, name)), [0], seed=3)
        assert adapter.state_way == "capture"
        is_box = name in ("RescaleAction", "RescaleObservation", "ClipReward")
        script = [[numpy.array([frame % 3 / 2 - 0.5], "f4") if is_box else frame % 2] for frame in range(6)]
        adapter.check(script=script)
        adapter.reset(0)
        rewards = [adapter.step(row).rewards[0] for row in script]
        ends.append((rewards, adapter.canonical(adapter.save())))
    assert ends[0] == ends[1]


@pytest.mark.parametrize(("package", "name"), [("lbforaging", "Foraging-8x8-2p-1f-v3"), ("rware", "rware-tiny-2ag-v2")])
def test_other_actions_give_other_results_in_lists(package: str, name: str) -> None:
    """As a dict, the ids would be the actions, whatever the players do."""
    module(package)
    gymnasium = module("gymnasium")
    seen = []
    for script in ((0, 0), (1, 2), (2, 1)):
        view = as_parallel(gymnasium.make(name, disable_env_checker=True))
        assert interface_of(view).word == "list"
        assert view.possible_agents == [0, 1]
        view.reset(seed=4)
        for _ in range(6):
            observations, rewards, terminations, truncations, _ = view.step(dict(enumerate(script)))
        assert set(rewards) == set(terminations) == set(truncations) == {0, 1}
        assert view.action_space(0).contains(1)
        seen.append({agent: observations[agent].tolist() for agent in (0, 1)})
    assert seen[0] != seen[1] != seen[2]
