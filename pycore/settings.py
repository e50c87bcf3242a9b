"""What a study sets, and what all peers must agree on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from pycore.errors import ConfigError
from pycore.frozen import Frozen

MAX_SEATS: Final = 8
PER_SEAT: Final = ("action_space", "default_action", "input_delay")


class Settings(Frozen):
    """What a study sets, and what all peers must agree on before frame 0.

    Times are seconds. `None` stands for the default that follows from the other values.
    """

    fps: float = 30.0
    """Frames per second."""
    input_delay: int = 1
    """Frames between the pressing of a key and the frame that it belongs to."""
    window: int | None = None
    """Prediction window in frames: how far the current frame may be ahead of the known one.
    Default max(8, 0.4 s)."""
    num_episodes: int = 1
    max_steps: int = 10_000
    """Frames after which an episode is truncated."""
    action_space: Mapping[str, Any] = MappingProxyType({"type": "discrete", "n": 256})
    """What an action is; see `pycore.actions.codec`."""
    default_action: Any = 0
    """Stands for everybody in the first `input_delay` frames, and for a player who gives no action."""
    prediction: str = "repeat_last"
    """`repeat_last` or `default_action`."""
    hash_interval: int | None = None
    """Frames between two comparisons of state hashes; default one second."""
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
    """Silence on every path after which the session ends without that player."""
    datagram_bytes: int = 1200
    """Size limit of one datagram."""
    environment: str = ""
    """Name and version of the environment; part of what all must agree on."""
    seats: Sequence[Mapping[str, Any]] = ()
    """What differs between seats, by seat: `action_space`, `default_action`, `input_delay`. Empty: nothing does."""

    def check(self) -> None:
        """Refuse what cannot be played."""
        _within("fps", self.fps, 1, 240)
        _within("input_delay", self.input_delay, 0, 60)
        _within("window", self.prediction_window, 1, 120)
        _within("num_episodes", self.num_episodes, 1, 250)
        _within("max_steps", self.max_steps, 1, 2**31 - 1)
        _within("hash_interval", self.hash_every, 1, 10_000)
        _within("datagram_bytes", self.datagram_bytes, 576, 16_384)
        for name in ("p2p_wait", "ready_timeout", "episode_pause", "interrupted_after", "dropped_after"):
            _within(name, getattr(self, name), 0, 3600)
        for number, of_seat in enumerate(self.seats):
            for name in of_seat:
                if name not in PER_SEAT:
                    raise ConfigError(f"seats[{number}] has {name!r}; per seat there are {', '.join(PER_SEAT)}")
            _within(f"seats[{number}].input_delay", of_seat.get("input_delay", self.input_delay), 0, 60)
        if self.p2p_required and not self.p2p:
            raise ConfigError("p2p_required needs p2p")
        if self.prediction not in ("repeat_last", "default_action"):
            raise ConfigError(f"prediction is {self.prediction!r}; it must be 'repeat_last' or 'default_action'")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Settings from a study's dictionary; an unknown name is refused, so that no typing error goes unseen."""
        unknown = [name for name in values if name not in cls.fields]
        if unknown:
            known = ", ".join(sorted(cls.fields))
            raise ConfigError(f"unknown setting {unknown[0]!r}; known are {known}")
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
    def hash_every(self) -> int:
        """Frames between two state hashes."""
        return self.hash_interval if self.hash_interval is not None else max(1, round(self.fps))

    def agreed(self) -> dict[str, Any]:
        """What every peer must have alike, by name; it is compared before each episode."""
        return {
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


def _within(name: str, value: float, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ConfigError(f"{name} is {value!r}; it must lie between {low} and {high}")
