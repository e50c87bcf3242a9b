"""A scene of the page as settings: what the researcher wrote in its own words, read once and checked.

The page hands every public attribute of its Python scene to the browser. What the page has no word for stands in
one more attribute, ``pycore``, a dictionary: any of pycore's own settings, and

    socketio_start   whether a game may begin without any peer-to-peer connection (mug: no, seed: yes)
    bots             {agent: "random"} beside the page's `policy_mapping`
    ice_servers      STUN and TURN servers instead of the page's
    force_relay      whether every connection has to go by a TURN server; by default what the page's settings say
    rngs             generators that the environment's state does not hold (see `pycore.envs`)

**Bots.** ``random`` is played by the core: a function of seed, episode, frame and agent, so that all agree without
a message. Whatever else `policy_mapping` names is the page's own business (ONNX models, heuristics): the player on
the lowest seat asks the page, and what it answers travels with that player's inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pycore.errors import ConfigError
from pycore.interactive_gym.generations import Generation
from pycore.settings import Settings

HUMAN: Final = "human"
RANDOM: Final = "random"

STUN: Final = ({"urls": "stun:stun.l.google.com:19302"}, {"urls": "stun:stun1.l.google.com:19302"})
"""What the page asks for its own addresses."""
TURN: Final = (
    "turn:a.relay.metered.ca:80",
    "turn:a.relay.metered.ca:80?transport=tcp",
    "turn:a.relay.metered.ca:443",
    "turns:a.relay.metered.ca:443?transport=tcp",
)
"""The relay that the page's credentials are for."""

COUNTDOWN: Final = 3.5
"""Seconds of the page's countdown before every episode but the first."""
OWN_WORDS: Final = ("socketio_start", "bots", "ice_servers", "force_relay", "rngs")


def people(metadata: Mapping[str, Any], me: int | str) -> list[int | str]:
    """Who plays, by the scene alone, with ids of the kind that the server gave `me`: numbers or texts."""
    policies = metadata.get("policy_mapping") or {}
    found = [str(agent) for agent, policy in policies.items() if policy == HUMAN]
    if str(me) not in found:
        raise ConfigError(f"player {me!r} is nobody whom policy_mapping calls {HUMAN!r}; there are {', '.join(found)}")
    return [int(agent) if isinstance(me, int) else agent for agent in found]


class Scene:
    """What one scene asks for. `players` are the people's ids in any order; raises ConfigError."""

    def __init__(self, metadata: Mapping[str, Any], players: list[int | str], generation: Generation) -> None:
        own = metadata.get("pycore") or {}
        if not isinstance(own, Mapping):
            raise ConfigError(f"the scene's attribute pycore is {own!r}; it must be a dictionary")
        known = [*Settings.fields, *OWN_WORDS]
        for name in own:
            if name not in known:
                raise ConfigError(f"unknown name {name!r} in the scene's pycore; known are {', '.join(known)}")
        self.generation = generation
        self.metadata = metadata
        self.scene_id = metadata.get("scene_id")
        self.default_action = metadata.get("default_action") or 0
        self.repeats = metadata.get("action_population_method") != "default_action"
        self.frame_skip = max(1, int(metadata.get("frame_skip") or 1))
        self.actions = list((metadata.get("action_mapping") or {}).values())
        self.carries_score = bool(metadata.get("hud_score_carry_over"))
        self.on_step_code = str(metadata.get("on_game_step_code") or "")
        self.focus_timeout = _seconds(metadata, "focus_loss_timeout_ms", 0.0)
        self.reconnection_timeout = _seconds(metadata, "reconnection_timeout_ms", 5.0)
        self.pauses_for_hidden = bool(metadata.get("pause_on_partner_background"))
        smoothing = metadata.get("rollback_smoothing_duration", generation.smoothing_ms)
        self.smoothing: float = smoothing if isinstance(smoothing, (int, float)) and smoothing > 0 else 0
        self.shows_code = generation.shows_code and metadata.get("partner_disconnect_show_completion_code") is not False
        self.socketio_start = bool(own.get("socketio_start", generation.starts_without_p2p))
        self.force_relay = own.get("force_relay")
        self.has_own_servers = "ice_servers" in own
        self.ice_servers = own.get("ice_servers", list(STUN))
        self.rngs = own.get("rngs")
        self._read_bots({**(metadata.get("policy_mapping") or {}), **(own.get("bots") or {})}, players)
        self.settings: dict[str, Any] = self._settings(metadata, own)

    def _read_bots(self, policies: Mapping[str, Any], players: list[int | str]) -> None:
        people = {str(player) for player in players}
        bots = {str(agent): policy for agent, policy in policies.items() if str(agent) not in people}
        for agent, policy in bots.items():
            if not isinstance(policy, str) or policy == HUMAN:
                raise ConfigError(f"agent {agent} has the policy {policy!r}, and nobody plays it")
        self.random_bots = tuple(agent for agent, policy in bots.items() if policy == RANDOM)
        self.page_bots = tuple(agent for agent, policy in bots.items() if policy != RANDOM)
        if self.random_bots and not self.actions:
            raise ConfigError("a random bot draws from action_mapping, which is empty")

    def _settings(self, metadata: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
        plain = [self.default_action, *self.actions]
        is_byte = all(type(action) is int and 0 <= action < 256 for action in plain) and not self.page_bots
        settings: dict[str, Any] = {
            "fps": metadata.get("fps") or 10,
            "input_delay": metadata.get("input_delay") or 0,
            "num_episodes": metadata.get("num_episodes") or 1,
            "max_steps": int(metadata.get("max_steps") or 10_000),
            "default_action": self.default_action,
            "prediction": "repeat_last" if self.repeats else "default_action",
            "action_space": {"type": "discrete", "n": 256} if is_byte else {"type": "any"},
            "episode_pause": COUNTDOWN,
            "p2p_wait": self.generation.p2p_wait,
            "return_within": 0,
            "environment": str(self.scene_id or ""),
        }
        settings.update({name: value for name, value in own.items() if name not in OWN_WORDS})
        if settings.get("on_drop", "end") != "end":
            raise ConfigError(f"on_drop is {settings['on_drop']!r}; in this page it is 'end': its server ends the game")
        if settings["return_within"]:
            raise ConfigError(
                f"return_within is {settings['return_within']!r}; in this page it is 0: its server keeps no seat"
            )
        # The page's delay is the study's: it says so in files of its own.
        settings.setdefault("input_delay_max", settings["input_delay"])
        self.default_action = settings["default_action"]
        self.lowest_default = Settings.of(settings).of_seat(0, "default_action")
        if self.page_bots and settings["action_space"] != {"type": "any"}:
            raise ConfigError("the page's bots need the action_space {'type': 'any'}: their actions ride in a list")
        settings.setdefault("p2p_required", not self.socketio_start and settings.get("p2p", True))
        interrupted = settings.setdefault("interrupted_after", 2.0)
        if self.generation.drops_by_scene:
            settings.setdefault("dropped_after", interrupted + self.reconnection_timeout)
        return settings

    def turn(self, config: Any) -> Any:
        """The server's TURN settings with the addresses that they are for, unless the study names its own servers."""
        given: dict[str, Any] = {}
        if isinstance(config, Mapping) and config.get("username"):
            given = dict(config) if self.has_own_servers else {"urls": list(TURN), **config}
        if self.force_relay is not None:
            given["force_relay"] = self.force_relay
        return given or None


def _seconds(metadata: Mapping[str, Any], name: str, default: float) -> float:
    value = metadata.get(name)
    return default if not isinstance(value, (int, float)) or isinstance(value, bool) else value / 1000
