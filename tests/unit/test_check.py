"""An environment is tried out before a session, and each way of being unfit is told by its symptom."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from pycore.envs import ParallelEnvAdapter
from pycore.errors import EnvironmentUnfit, UsageError


class Fit:
    """A fit environment; each subclass below spoils one thing."""

    def reset(self, seed: int) -> Any:
        self.agents = ["a", "b"]
        self.x, self.y, self.t = seed, [0, 0], 0
        return self.look(), {}

    def look(self) -> Any:
        return {agent: [self.x, *self.y] for agent in self.agents}

    def step(self, actions: dict[str, int]) -> Any:
        self.t += 1
        self.x = (self.x * 5 + 3 + actions["a"]) % 65521
        self.y[self.t % 2] += actions["b"] + 1
        over = dict.fromkeys(self.agents, self.t >= 20)
        infos = {agent: {"t": self.t} for agent in self.agents}
        return self.look(), dict.fromkeys(self.agents, self.y[0]), over, dict.fromkeys(over, False), infos

    def get_state(self) -> Any:
        return {"x": self.x, "y": self.y, "t": self.t}

    def set_state(self, state: Any) -> None:
        self.x, self.y, self.t = state["x"], list(state["y"]), state["t"]


entropy = itertools.count(1)


class UnseededReset(Fit):
    def reset(self, seed: int) -> Any:
        return super().reset(seed + next(entropy))


class UnseededLook(Fit):
    def look(self) -> Any:
        return {"a": next(entropy) if self.t == 0 else 0}


class UnseededStep(Fit):
    def step(self, actions: dict[str, int]) -> Any:
        outcome = super().step(actions)
        self.x += next(entropy)
        return outcome


class NotResetAnew(Fit):
    wins = 0

    def step(self, actions: dict[str, int]) -> Any:
        self.wins += 1
        self.x += self.wins
        return super().step(actions)


class HiddenCounter(Fit):
    """The classic: something that step reads is not in get_state."""

    def reset(self, seed: int) -> Any:
        self.combo = 0
        return super().reset(seed)

    def step(self, actions: dict[str, int]) -> Any:
        self.combo += 1
        outcome = super().step(actions)
        self.x += self.combo
        return outcome


class HiddenReward(HiddenCounter):
    """It shows in the rewards only."""

    def step(self, actions: dict[str, int]) -> Any:
        self.combo += 1
        observations, rewards, *rest = Fit.step(self, actions)
        return observations, dict.fromkeys(rewards, self.combo), *rest


class HiddenLook(HiddenCounter):
    """It shows in the observations only."""

    def step(self, actions: dict[str, int]) -> Any:
        self.combo += 1
        return {"a": {"combo": self.combo}}, *Fit.step(self, actions)[1:]


class PutBackToTheStart(HiddenCounter):
    """From frame 0 all is well; from any other it is not."""

    def set_state(self, state: Any) -> None:
        super().set_state(state)
        self.combo = 0


class Contacts(Fit):
    """What touches is begun anew in frame 1 and remembered until frame 3: no load of a whole episode shows it."""

    force = 0

    def step(self, actions: dict[str, int]) -> Any:
        outcome = super().step(actions)
        if self.t == 2:
            Contacts.force = 0
        elif self.t in (3, 4):
            Contacts.force += 1
            self.x += Contacts.force
        return outcome


class LossyState(Fit):
    def set_state(self, state: Any) -> None:
        super().set_state(state)
        self.x = state["x"] // 2 * 2


class DrawingState(Fit):
    def get_state(self) -> Any:
        self.x += 1
        return super().get_state()


class ObjectState(Fit):
    def get_state(self) -> Any:
        return {**super().get_state(), "thing": {"inner": NotImplemented}}


class ObjectInfo(Fit):
    def step(self, actions: dict[str, int]) -> Any:
        *outcome, infos = super().step(actions)
        return *outcome, {agent: {"env": range(3)} for agent in infos}


def test_infos_that_no_record_has_a_form_for_are_no_fault() -> None:
    """A record has a constant in the place of such a value, on every peer."""
    adapt(ObjectInfo()).check()


def adapt(env: Any) -> ParallelEnvAdapter:
    return ParallelEnvAdapter(env, ["a", "b"], seed=1)


def test_a_fit_environment_passes_and_wants_a_reset_afterwards() -> None:
    """Also past the end of the episode, and where get_state hands out live lists."""
    adapter = adapt(Fit())
    adapter.check()
    adapter.check(frames=100)
    adapter.check(script=[[1, 2], [3, 0]])
    adapter.check(frames=0)
    with pytest.raises(UsageError, match="before reset"):
        adapter.save()
    adapter.reset(0)
    assert adapter.step([0, 0]).rewards == {"a": 0, "b": 0}


RESET = r"reset\(\) with the same seed gave "
AGAIN = "the same seed and actions gave something else, "
LOADED = r"after set_state\(\) the same actions gave something else than before, "


@pytest.mark.parametrize(
    ("make", "symptom"),
    [
        (UnseededReset, RESET + r"another state: \$\.env\.x was \d+, then"),
        (UnseededLook, RESET + r"other observations: \$\.a was"),
        (UnseededStep, AGAIN + r"in the state after frame 0: \$\.env\.x"),
        (NotResetAnew, AGAIN + r"in the state after frame 0: \$\.env\.x"),
        (HiddenCounter, LOADED + r"in the state after frame 6: \$\.env\.x was .* get_state\(\) return"),
        (HiddenReward, LOADED + r"in what step\(\) returned for frame 6: \$\.rewards\.a was 7, then"),
        (HiddenLook, LOADED + r".* frame 6: \$\.observations\.a\.combo was 7, then 13"),
        (PutBackToTheStart, LOADED + r"in the state after frame 6"),
        (Contacts, r"guessed and taken back .* gave something else, in the state after frame 2: \$\.env\.x was"),
        (LossyState, r"get_state\(\) after set_state\(\) gave another state: \$\.env\.x"),
        (DrawingState, r"get_state\(\) changed the state: \$\.env\.x"),
        (ObjectState, r"the state cannot be compared between players: \$\.env\.thing\.inner"),
    ],
)
def test_an_unfit_environment_is_refused_by_its_symptom(make: Any, symptom: str) -> None:
    """The message names the law, the frame, the field with both values, and a way out."""
    adapter = adapt(make())
    with pytest.raises(EnvironmentUnfit, match=symptom):
        adapter.check()


def test_what_has_no_canonical_form_is_refused_with_a_way_out_that_is_one() -> None:
    """A game of somebody else's may give an object of its own."""
    env = ObjectState()
    with pytest.raises(EnvironmentUnfit, match=r"or env\.unwrapped\.get_state = None where it is made"):
        adapt(env).check()
    env = ObjectState()
    env.get_state = None  # type: ignore[assignment, method-assign]
    adapt(env).check()
    with pytest.raises(EnvironmentUnfit, match=r"arrays$"):
        ParallelEnvAdapter(
            Fit(), ["a", "b"], seed=1, get_state=lambda env: object, set_state=lambda env, state: None
        ).check()  # fmt: skip


def test_of_a_captured_state_no_method_is_named_that_nobody_has_written() -> None:
    class Captured(HiddenCounter):
        get_state = set_state = None  # type: ignore[assignment]
        hidden = [0]  # noqa: RUF012

        def step(self, actions: dict[str, int]) -> Any:
            self.hidden[0] += 1
            self.x += self.hidden[0] % 9
            return super().step(actions)

        def reset(self, seed: int) -> Any:
            self.hidden[0] = 0
            return super().reset(seed)

    with pytest.raises(EnvironmentUnfit, match=r"after a load the same .* after frame 6: .*nothing but attributes"):
        adapt(Captured()).check()


def test_what_only_some_actions_bring_out_is_found_by_a_script() -> None:
    """The default action leaves a hidden ammunition counter alone."""

    class Ammunition(HiddenCounter):
        def step(self, actions: dict[str, int]) -> Any:
            self.combo += actions["a"]
            observations, rewards, *rest = Fit.step(self, actions)
            return observations, dict.fromkeys(rewards, self.combo), *rest

    adapt(Ammunition()).check()
    with pytest.raises(EnvironmentUnfit, match="after set_state"):
        adapt(Ammunition()).check(script=[[1, 0]] * 8)
