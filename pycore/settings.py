"""What a study sets, and what all peers must agree on."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from pycore.errors import ConfigError, nearest
from pycore.frozen import Frozen
from pycore.named import COMPUTED_BY, OF_STAND_IN, check_place, policies_of, policy_of
from pycore.spaces import DEEPEST, EXACT, integer, space_of

MAX_SEATS: Final = 8
SUBJECT_FROM: Final = (
    "PROLIFIC_PID", "subject", "subject_id", "participant", "participant_id", "workerId", "SONA_ID",
)  # fmt: skip
ON_DESYNC: Final = ("report", "end")
PER_SEAT: Final = ("action_space", "default_action", "input_delay", "name", "color")
COLOR: Final = re.compile("#[0-9a-fA-F]{6}")
PARTNERS: Final = ("policies", "on_drop", "stand_in")
"""The settings that name policies with a seat."""
ON_DROP: Final = ("end", "default_action", "policy")
ON_INTERRUPT: Final = ("wait", "default_action")
_WHOLE: Final = ("input_delay", "num_episodes", "max_steps", "datagram_bytes")
_WHOLE_OR_NONE: Final = ("window", "hash_interval", "input_delay_max", "snapshot_every")
_NUMBERS: Final = (
    "fps", "p2p", "p2p_required", "experienced", "p2p_wait", "ready_timeout", "episode_pause", "interrupted_after",
    "dropped_after", "return_within", "catch_up_within", "store_every",
)  # fmt: skip
RETURN_WITHIN: Final = 60.0
LEAST_WAIT: Final = 0.1
"""Seconds for which anybody is waited for at least: with none a session ends, or is played for, before it begins."""
ADAPTIVE: Final = ("off", "all", "each")
RISE: Final = 4
"""Frames by which an input delay may rise unless the study says otherwise: at 30 fps 133 ms, which people notice less
than a game that jerks."""


class Settings(Frozen):
    """What a study sets, and what all peers must agree on before frame 0.

    Times are seconds. `None` stands for the default that follows from the other values.
    """

    fps: float = 30.0
    """Frames per second."""
    input_delay: int = 1
    """Frames between the pressing of a key and the frame that it belongs to."""
    input_delay_max: int | None = None
    """How far the input delay may rise where a peer's machine takes too long to roll back what comes without it
    (`pycore.costs`), from the second episode on, or from the first if it is adaptive. Default `input_delay` + 4; the
    same as `input_delay`: it never rises."""
    adaptive_input_delay: str = "off"
    """`off`, or whether the input delay follows the network from the first episode on, up to `input_delay_max`, so that
    inputs come in time by the measured round trips and jitter. `all`: by as many frames for every seat, as the worst
    link needs it. `each`: of each seat as its best link needs it, so that only who is far from everybody waits."""
    window: int | None = None
    """Prediction window in frames: how far the current frame may be ahead of the known one.
    Default max(8, 0.4 s)."""
    num_episodes: int = 1
    max_steps: int = 10_000
    """Frames after which an episode is truncated."""
    action_space: Mapping[str, Any] = MappingProxyType({"type": "discrete", "n": 256})
    """What an action is: a space of gymnasium, or a dictionary. It is kept in its plain form; see
    `pycore.spaces.space_of`."""
    default_action: Any = 0
    """Stands for everybody in the first `input_delay` frames, and for a player who gives no action. 0 and None: where
    they are no actions of the space, its neutral one (zeros, or what is nearest to them)."""
    prediction: str = "repeat_last"
    """`repeat_last`, `default_action`, or what makes a predictor, ``"predictor.py:make_predictor"``. It is each peer's
    own affair, and changes no record."""
    hash_interval: int | None = None
    """Frames between two comparisons of state hashes; default one second."""
    snapshot_every: int | None = None
    """Frames from one snapshot to the next. Default: what costs least by what was measured, 1 where nothing was. It is
    each peer's own affair, and changes no record."""
    p2p_wait: float = 5.0
    """How long the first episode waits for every link to be peer-to-peer."""
    p2p: bool = True
    """False: never open a DataChannel, everything goes through the server."""
    p2p_required: bool = False
    """True: a game whose links are not all peer-to-peer after `p2p_wait` does not begin."""
    ready_timeout: float = 60.0
    """How long a peer may take to be ready for an episode."""
    episode_pause: float = 0.0
    """Pause between two episodes."""
    interrupted_after: float = 2.0
    """Silence on every path after which a player counts as interrupted: the others are told."""
    dropped_after: float = 20.0
    """Silence on every path after which a player is given up: a session of two ends, of more the others go on."""
    on_drop: str = "end"
    """What follows for three and more when one of them is gone, once the others agree on its last action: `end` (for
    all, with that action), `default_action` (they play on, and the seat does its default action) or `policy` (they play
    on, and the seat is played by the `stand_in`). A pair ends."""
    on_interrupt: str = "wait"
    """What follows when a player is not heard of for `interrupted_after`, or its page is loaded again: `wait`, as long
    as it may return, or `default_action`: the others play on at once, its seat does its default action, and is the
    player's again when it comes back, from a frame on that is the same for all. Needs `on_drop` to be `default_action`.
    A pair ends once its other player can return no more."""
    stand_in: Any = None
    """The policy that plays on for whoever is gone, where `on_drop` is `policy`: ``"stand_in.py:make_policy"``, or an
    object with `policy`, the same text, and perhaps `version` and `reaction_time`, as in `policies`. It is kept as an
    object, every page computes it, and it must be alike for all."""
    return_within: float = RETURN_WITHIN
    """How long the seat of a page that is loaded again, or whose line to the server is lost, is kept, and its return
    waited for. 0: nobody returns."""
    catch_up_within: float = 20.0
    """How long a page that returns may take to step again what was played, by what a step was measured to take: if it
    is more, it does not return."""
    datagram_bytes: int = 1200
    """Size limit of one datagram."""
    on_desync: str = "report"
    """What follows where players' states or rows differ: `report`, or `end`, which ends the session for all once the
    report is made. Ends of an episode that differ always end it."""
    environment: str = ""
    """Name and version of the environment; part of what all must agree on."""
    experienced: bool = True
    """Whether every page keeps a record of what its participant saw."""
    store_every: float = 5.0
    """Seconds from one store of what a page has recorded to the next: what is lost at most when it is closed.
    0: nothing is stored before the end of an episode."""
    subject_from: Sequence[str] = SUBJECT_FROM
    """Names in the page's address whose value is the subject id, `?PROLIFIC_PID=…`; the first that is there counts."""
    seats: Sequence[Mapping[str, Any]] = ()
    """What differs between seats, by seat: `action_space`, `default_action`, `input_delay`; and what the page calls who
    sits there, `name`, with `color`, "#3d7be0". Empty: nothing does."""
    policies: Mapping[str, Any] = MappingProxyType({})
    """Players whose seats policies play, by id: ``{"1": "partner.py:make_policy"}``, or instead of the text an object
    with `policy`, the same text, `computed_by`, `all` (the default) or `one`, and perhaps `version`, a text that says
    which state of the policy it is, and `reaction_time`, 0 to 60 frames: what it sees is so old. It is kept as objects,
    and must be alike for all."""

    def check(self) -> None:
        """Refuse what cannot be played. Raises ConfigError, which names the setting."""
        self._normalize()
        _within("fps", self.fps, 1, 240)
        _within("input_delay", self.input_delay, 0, 60)
        if self.input_delay_max is not None:
            _within("input_delay_max", self.input_delay_max, self.input_delay, 60)
        if self.adaptive_input_delay not in ADAPTIVE:
            raise ConfigError(f"adaptive_input_delay is {self.adaptive_input_delay!r}; it must be {_either(ADAPTIVE)}")
        if self.snapshot_every is not None:
            _within("snapshot_every", self.snapshot_every, 1, 16)
        _within("window", self.prediction_window, 1, 120)
        _within("num_episodes", self.num_episodes, 1, 250)
        _within("max_steps", self.max_steps, 1, 2**31 - 1)
        _within("hash_interval", self.hash_every, 1, 10_000)
        _within("datagram_bytes", self.datagram_bytes, 576, 16_384)
        for name in ("p2p_wait", "episode_pause", "interrupted_after"):
            _within(name, getattr(self, name), 0, 3600)
        for name in ("ready_timeout", "dropped_after"):
            _within(name, getattr(self, name), LEAST_WAIT, 3600)
        for name in ("return_within", "catch_up_within"):
            _within(name, getattr(self, name), 0, 3600)
        if self.store_every != 0:
            _within("store_every", self.store_every, 1, 3600)
        for name in ("p2p", "p2p_required", "experienced"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} is {getattr(self, name)!r}; it must be true or false")
        if self.on_desync not in ON_DESYNC:
            raise ConfigError(f"on_desync is {self.on_desync!r:.40}; it must be 'report' or 'end'")
        if self.on_drop not in ON_DROP:
            raise ConfigError(f"on_drop is {self.on_drop!r:.40}; it must be {_either(ON_DROP)}")
        if self.on_drop == ON_DROP[2] and self.stand_in is None:
            raise ConfigError('on_drop is \'policy\', and no policy is named: say {"stand_in": "file.py:make_policy"}')
        if self.on_drop != ON_DROP[2] and self.stand_in is not None:
            raise ConfigError(f"stand_in names a policy, and on_drop is {self.on_drop!r}, not 'policy'")
        self._check_interrupt()
        if not isinstance(self.environment, str):
            raise ConfigError(f"environment is {self.environment!r}; it must be a text")
        for number, of_seat in enumerate(self.seats):
            _within(f"seats[{number}].input_delay", of_seat.get("input_delay", self.input_delay), 0, 60)
        names = self.subject_from
        if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) and name for name in names):
            raise ConfigError(f"subject_from is {names!r:.60}; it must be a list of names, [\"PROLIFIC_PID\"] for one")
        if self.p2p_required and not self.p2p:
            raise ConfigError("p2p_required needs p2p")
        if self.prediction not in ("repeat_last", "default_action") and self.predictor is None:
            raise ConfigError(
                f"prediction is {self.prediction!r}; it must be 'repeat_last', 'default_action', or what makes a "
                "predictor, 'file.py:function' or 'package.module:function'"
            )
        if self.predictor is not None:
            check_place("prediction", self.predictor)

    def _check_interrupt(self) -> None:
        if self.on_interrupt not in ON_INTERRUPT:
            raise ConfigError(f"on_interrupt is {self.on_interrupt!r:.40}; it must be {_either(ON_INTERRUPT)}")
        if self.on_interrupt == ON_INTERRUPT[0]:
            return
        if self.on_drop != ON_DROP[1]:
            raise ConfigError(
                f"on_interrupt is 'default_action', and on_drop is {self.on_drop!r}: say {{\"on_drop\": "
                "\"default_action\"}, since the others play on in either case"
            )
        if self.interrupted_after < LEAST_WAIT:
            raise ConfigError(
                f"on_interrupt is 'default_action', and interrupted_after is {self.interrupted_after!r}, so that "
                f"nobody would ever count as there: it must be at least {LEAST_WAIT}"
            )
        if not self.return_within:
            raise ConfigError("on_interrupt is 'default_action', and return_within is 0, so that nobody could return")
        if any(of["computed_by"] == COMPUTED_BY[1] for of in self.policies.values()):
            raise ConfigError("on_interrupt is 'default_action', and a policy is computed by 'one' page, which may go")

    def _normalize(self) -> None:
        """Whole numbers are ints, actions are as JSON has them, and action spaces are in their plain form: what is
        compared with the other peers must not depend on who spelled it."""
        # The fields of a value never change once it is there; until then, they are here.
        own = self.__dict__
        for name in _NUMBERS:
            if getattr(own.get(name), "shape", None) == ():
                own[name] = own[name].item()  # a number of numpy's
        for name in (*_WHOLE, *_WHOLE_OR_NONE):
            if name in own and not (own[name] is None and name in _WHOLE_OR_NONE):
                own[name] = _whole(name, own[name])
        # Defaults, too: a process of another kind is told all of it as JSON.
        own["action_space"] = space_of(self.action_space)
        own["policies"] = policies_of(self.policies)
        if own.get("stand_in") is not None:
            own["stand_in"] = policy_of("stand_in", own["stand_in"], OF_STAND_IN)
        if "default_action" in own:
            own["default_action"] = _spelled(own["default_action"])
        if "seats" not in own:
            return
        if not isinstance(own["seats"], (list, tuple)):
            raise ConfigError(f"seats is {own['seats']!r:.60}; it must be a list, with what is different for each seat")
        seats = []
        for number, of_seat in enumerate(own["seats"]):
            if not isinstance(of_seat, Mapping):
                raise ConfigError(f"seats[{number}] is {of_seat!r:.60}; it must be a dictionary")
            for name in of_seat:
                if name not in PER_SEAT:
                    raise ConfigError(f"seats[{number}] has {name!r}; per seat there are {', '.join(PER_SEAT)}")
            plain = dict(of_seat)
            if "action_space" in plain:
                plain["action_space"] = space_of(plain["action_space"], f"seats[{number}].action_space")
            if "default_action" in plain:
                plain["default_action"] = _spelled(plain["default_action"])
            if "input_delay" in plain:
                plain["input_delay"] = _whole(f"seats[{number}].input_delay", plain["input_delay"])
            if not isinstance(plain.get("name", ""), str):
                raise ConfigError(f"seats[{number}].name is {plain['name']!r:.40}; it must be a text")
            if not COLOR.fullmatch(str(plain.get("color", "#000000"))):
                raise ConfigError(f"seats[{number}].color is {plain['color']!r:.40}; it must be as '#3d7be0'")
            seats.append(plain)
        own["seats"] = tuple(seats)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Settings from a study's dictionary; an unknown name is refused, so that no typing error goes unseen."""
        unknown = [name for name in values if name not in cls.fields]
        if unknown:
            raise ConfigError(f"unknown setting {unknown[0]!r}; {nearest(unknown[0], cls.fields)}")
        return cls(**values)

    def of_seat(self, seat: int, name: str) -> Any:
        """The value of `action_space`, `default_action` or `input_delay` for one seat."""
        own = self.seats[seat] if seat < len(self.seats) else {}
        return own.get(name, getattr(self, name))

    @property
    def period(self) -> float:
        """Seconds per frame."""
        return 1.0 / self.fps

    @property
    def prediction_window(self) -> int:
        """The window in frames."""
        return self.window if self.window is not None else max(8, math.ceil(0.4 * self.fps))

    @property
    def longest_input_delay(self) -> int:
        """Frames up to which the input delay may rise."""
        return min(60, self.input_delay + RISE) if self.input_delay_max is None else self.input_delay_max

    def longest_input_delay_of(self, seat: int) -> int:
        """The same of a seat, which may have a longer one of its own."""
        return max(int(self.of_seat(seat, "input_delay")), self.longest_input_delay)

    @property
    def predictor(self) -> str | None:
        """The text that names what makes a predictor, if one guesses."""
        text = self.prediction
        return text if isinstance(text, str) and (":" in text or text.endswith(".py")) else None

    @property
    def hash_every(self) -> int:
        """Frames between two state hashes."""
        return self.hash_interval if self.hash_interval is not None else max(1, round(self.fps))

    def agreed(self) -> dict[str, Any]:
        """What every peer must have alike, by name; it is compared before each episode."""
        agreed = {
            "fps": float(self.fps),
            "input_delay": self.input_delay,
            "window": self.prediction_window,
            "num_episodes": self.num_episodes,
            "max_steps": self.max_steps,
            "action_space": dict(self.action_space),
            "default_action": self.default_action,
            "hash_interval": self.hash_every,
            "environment": self.environment,
            "seats": [dict(of_seat) for of_seat in self.seats],
        }
        # Where these are not used it is what it was before there were any: records of then are still replayed.
        if self.adaptive_input_delay != "off":
            agreed["adaptive_input_delay"] = self.adaptive_input_delay
        if self.policies:
            agreed["policies"] = {**self.policies}
        if self.on_drop != ON_DROP[0]:
            agreed["on_drop"] = self.on_drop
        if self.on_interrupt != ON_INTERRUPT[0]:
            agreed["on_interrupt"] = self.on_interrupt
        if self.return_within != RETURN_WITHIN:
            agreed["return_within"] = float(self.return_within)
        if self.stand_in is not None:
            agreed["stand_in"] = {**self.stand_in}
        if self.on_desync != ON_DESYNC[0]:
            agreed["on_desync"] = self.on_desync
        return agreed

    def reaction_time(self, player: int | str) -> int:
        """Frames after which the policy of a player sees what happened; 0 where none plays."""
        reaction: int = self.policies.get(str(player), {}).get("reaction_time", 0)
        return reaction

    @property
    def reopens(self) -> bool:
        """Whether who is interrupted is played for, and may come back."""
        return self.on_interrupt != ON_INTERRUPT[0]

    @property
    def stand_in_reaction(self) -> int:
        """Frames after which the policy that plays for who is gone sees what happened; 0 where there is none."""
        reaction: int = 0 if self.stand_in is None else self.stand_in.get("reaction_time", 0)
        return reaction

    def stood_in(self, players: Sequence[int | str]) -> Settings:
        """The same with everybody gone: the policy that plays on for one has all seats that no policy plays."""
        if self.stand_in is None:
            return self
        everybody = {str(player): {**self.stand_in, "computed_by": COMPUTED_BY[0]} for player in players}
        return self.replace(policies={**everybody, **self.policies}, on_drop=ON_DROP[0], stand_in=None)

    def people(self, players: Sequence[int | str]) -> list[int | str]:
        """Those of these players whose seats no policy plays. Raises ConfigError if there are none."""
        people = [player for player in players if str(player) not in self.policies]
        if not people:
            raise ConfigError(f"policies play for all {len(players)} players; leave one to a person")
        return people

    def computed(self, players: Sequence[int | str], by: str = COMPUTED_BY[0]) -> dict[int, str]:
        """Of the seats of these players, those that policies play that are computed by `all` or by `one`, each with the
        text that names its policy. Raises ConfigError for a policy of somebody who is no player."""
        seats = {str(player): seat for seat, player in enumerate(players)}
        for player in self.policies:
            if player not in seats:
                raise ConfigError(f"policies has one for player {player}; the players are {', '.join(seats)}")
        return {seats[player]: of["policy"] for player, of in self.policies.items() if of["computed_by"] == by}


def _either(names: Sequence[str]) -> str:
    return f"{', '.join(map(repr, names[:-1]))} or {names[-1]!r}"


def _whole(name: str, value: Any) -> int:
    """The int of a whole number, also of numpy's; JSON may spell it with a point."""
    number = int(value) if type(value) is float and value % 1 == 0 else integer(value)
    if number is None:
        raise ConfigError(f"{name} is {value!r:.60}; it must be an int")
    return number


def _spelled(action: Any, depth: int = 0) -> Any:
    """An action as it comes back from JSON in a page, with lists for arrays and tuples, and one kind of number."""
    if depth > DEEPEST:
        return action
    if hasattr(action, "tolist"):
        action = action.tolist()
    if type(action) is float and action % 1 == 0 and abs(action) <= EXACT:
        return int(action)
    if isinstance(action, (list, tuple)):
        return [_spelled(part, depth + 1) for part in action]
    if isinstance(action, dict):
        return {str(k) if type(k) is int else k: _spelled(part, depth + 1) for k, part in action.items()}
    return action


def _within(name: str, value: float, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigError(f"{name} is {value!r:.80}; it must be a number between {low} and {high}, without quotes")
    if not low <= value <= high:
        raise ConfigError(f"{name} is {value!r}; it must lie between {low} and {high}")
