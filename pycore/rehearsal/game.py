"""The game of a rehearsal: a researcher's environment, its settings, and what its players may do.

What a study's settings leave out is taken from the environment: action spaces, seats, the name. The verdict steps the
same environment with the same settings, as `pycore replay` does.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycore.actions.codec import ActionCodec, action_codec, default_of
from pycore.envs import ParallelEnvAdapter, as_parallel, interface_of
from pycore.envs.seating import seated
from pycore.errors import ConfigError
from pycore.export.stepping import simulation_for
from pycore.factory import DEFAULT, OURS, find_factory, load_policy, load_predictor, make_with
from pycore.policy import Policy, Predictor
from pycore.settings import MAX_SEATS, Settings
from pycore.simulation import Simulation
from pycore.site.study import Study
from pycore.spaces import space_of


@dataclass(frozen=True, kw_only=True)
class Game:
    """One environment with its settings, as far as a rehearsal must know it."""

    subject: str
    """What the environment was found by: ``package.module:function`` or ``file.py:function``."""

    make: Callable[[], Any]
    """Makes a new environment, or a simulation."""

    seats: int
    """Players, those for whom policies play among them."""

    settings: Mapping[str, Any]
    """The study's, in their plain form; action spaces and the environment's name are among them."""

    turns: bool = False
    """Whether one player moves at a time."""

    module: str = ""
    """The module of the function that makes it,"""

    factory: str = DEFAULT
    """the function's name there,"""

    file: Path | None = None
    """and the file, where it was found by one."""

    @classmethod
    def of(cls, subject: str, settings: Mapping[str, Any] | None = None, seats: int | None = None) -> Game:
        """The game of the environment that `subject` names, with a study's settings.

        `settings` None: `SETTINGS` of its module, if there are any. `seats` None: as many as it has agents.
        Raises ConfigError, EnvironmentUnfit.
        """
        found = find_factory(subject)
        values = _settings(settings, getattr(found.module, "SETTINGS", None), subject)
        env = make_with(found.make, subject)
        said = "action_space" in values or any("action_space" in seat for seat in values.get("seats", ()))
        if isinstance(env, Simulation) and not isinstance(env, ParallelEnvAdapter):
            if not said:
                raise ConfigError(f"{subject} makes a simulation of its own: say its action_space in the settings")
            count, turns = seats or len(values.get("seats", ())) or 2, False
        else:
            count, turns = _look(env, values, said, seats, subject)
        close = getattr(env, "close", None)
        if callable(close):
            close()
        file = getattr(found.module, "__file__", None) if hasattr(found.module, OURS) else None
        return cls(
            subject=subject, make=found.make, seats=count, settings=_plain(values, subject, env), turns=turns,
            module=found.module.__name__, factory=found.name, file=None if file is None else Path(file),
        )  # fmt: skip

    @property
    def name(self) -> str:
        """The environment's name, as in the settings."""
        return str(self.settings["environment"])

    @property
    def people(self) -> list[int]:
        """The seats that no policy plays, as the server names their players."""
        return [int(player) for player in self.played().people(range(self.seats))]

    def policies(self) -> dict[int, Policy]:
        """The policies that every page computes, by seat, made anew. Raises ConfigError."""
        folder = None if self.file is None else self.file.parent
        named = self.played().computed(range(self.seats))
        return {seat: load_policy(text, folder) for seat, text in named.items()}

    def stand_in(self) -> Policy | None:
        """What plays on for who is gone, made anew; None where the settings name none. Raises ConfigError."""
        of = self.played().stand_in
        return None if of is None else load_policy(of["policy"], None if self.file is None else self.file.parent)

    def predictor(self) -> Predictor | None:
        """What guesses the others' actions, made anew; None where the settings name none. Raises ConfigError."""
        text = self.played().predictor
        return None if text is None else load_predictor(text, None if self.file is None else self.file.parent)

    def played(self) -> Settings:
        """The settings as the session has them."""
        return Settings.of(self.settings)

    def simulation(self, settings: Settings, seed: int) -> Simulation:
        """The same game in CPython, as the page makes it."""
        header = {"players": list(range(self.seats)), "seed": seed}
        return simulation_for(header, lambda: make_with(self.make, self.subject), settings)[0]


@dataclass(frozen=True)
class SeatActions:
    """What one seat may do."""

    space: Mapping[str, Any]
    codec: ActionCodec
    default: bytes
    """The default action, encoded."""
    delay: int
    """Frames from the reading of an action to the frame that it is for."""

    def spelled(self, action: Any) -> Any:
        """An action as it is played, as JSON has it. Raises ActionError for none."""
        return self.codec.to_json(self.codec.decode(self.codec.encode(action)))

    @property
    def idle(self) -> Any:
        """The default action as JSON has it."""
        return self.codec.to_json(self.codec.decode(self.default))


def actions_of(settings: Settings, seats: int) -> list[SeatActions]:
    """By seat. Raises ConfigError, ActionError."""
    found = []
    for seat in range(seats):
        codec = action_codec(settings.of_seat(seat, "action_space"))
        default = default_of(codec, settings.of_seat(seat, "default_action"))
        delay = settings.of_seat(seat, "input_delay")
        found.append(SeatActions(space_of(settings.of_seat(seat, "action_space")), codec, default, delay))
    return found


def _settings(given: Mapping[str, Any] | None, own: Any, subject: str) -> dict[str, Any]:
    """A copy of those that were given, or else of the module's own."""
    if given is None:
        given = own.as_dict() if isinstance(own, Settings) else own
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ConfigError(f"the settings of {subject} are a {type(given).__name__}; they must be a dictionary")
    # A study says beside them what its page is told.
    return Study.of(given).settings


def _look(env: Any, values: dict[str, Any], said: bool, seats: int | None, subject: str) -> tuple[int, bool]:
    """How many play, and whether in turns; action spaces that are not said go into `values`."""
    if isinstance(env, ParallelEnvAdapter):
        view, agents = env.view, env.agents
        if seats not in (None, len(agents)):
            raise ConfigError(f"{subject} makes an adapter for {len(agents)} players, and {seats} are to play")
    else:
        view = as_parallel(env)
        agents = _seated(view, values, seats, subject)
    turns = interface_of(view).takes_turns
    if not said:
        _say_spaces(values, [_space(view, agent, turns, subject) for agent in agents])
    return len(agents), turns


def _seated(view: Any, values: dict[str, Any], seats: int | None, subject: str) -> tuple[Any, ...]:
    """The agents that people play, by seat."""
    count = seats or len(view.possible_agents) or len(values.get("seats", ())) or 2
    if count > MAX_SEATS:
        raise ConfigError(
            f"{subject} has {count} agents, and a session has at most {MAX_SEATS} players: make it for fewer, or "
            "give the other agents to bots (ParallelEnvAdapter)"
        )
    return seated(view, list(range(count))).agents


def _space(view: Any, agent: Any, turns: bool, subject: str) -> dict[str, Any]:
    """The action space of an agent, with "no move" where one moves at a time."""
    space = _said_by(view, agent)
    if space is None:
        with contextlib.suppress(Exception):  # what a reset raises is told where it is played
            view.reset(seed=0)
        space = _said_by(view, agent)
    if space is None:
        raise ConfigError(
            f"{subject} does not say the actions of {agent!r}: give it a method action_space(agent), or say it in the "
            'settings, {"action_space": {"type": "discrete", "n": 6}}'
        )
    plain = space_of(space)
    return {"type": "optional", "space": plain} if turns and plain["type"] != "optional" else plain


def _said_by(view: Any, agent: Any) -> Any:
    try:
        return view.action_space(agent)
    except Exception:  # some make them when they are reset, and say so by any error
        return None


def _say_spaces(values: dict[str, Any], spaces: list[dict[str, Any]]) -> None:
    """Put them into settings that say none."""
    if all(space == spaces[0] for space in spaces):
        values["action_space"] = spaces[0]
        return
    own = [*values.get("seats", ()), *({} for _ in spaces)][: len(spaces)]
    values["seats"] = [{**seat, "action_space": space} for seat, space in zip(own, spaces, strict=True)]


def _plain(values: dict[str, Any], subject: str, env: Any) -> dict[str, Any]:
    """As JSON has them, checked, and with a name of the environment."""
    if not values.get("environment"):
        metadata = getattr(env, "metadata", None)
        named = metadata.get("name") if isinstance(metadata, dict) else None
        place, _, function = subject.rpartition(":")
        values["environment"] = str(named or Path(place or function).stem)
    settings = Settings.of(values)
    plain: dict[str, Any] = json.loads(json.dumps({name: getattr(settings, name) for name in values}))
    return plain
