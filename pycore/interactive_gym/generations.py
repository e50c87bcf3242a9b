"""What the two generations of the host page can do, and what their servers know: one table.

Whoever treats them differently asks for a capability by its name, never for a generation. The page's own scripts get
the same table (`pycore.interactive_gym.handed`).
"""

from __future__ import annotations

from typing import Any, Final

from pycore.errors import ConfigError
from pycore.frozen import Frozen

Words = tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]
"""Events of the page's server, each with the fields that it carries; None stands for what the page fills in."""


class Generation(Frozen):
    """One generation of the page and of its server."""

    name: str
    steps_itself: bool
    """The page steps the game from its renderer; otherwise it hands over a function that steps it once."""
    logs_frames: bool
    """The page logs what it is given, row by row, under its own count of episodes; otherwise it stores what it is
    sent."""
    has_monitor: bool
    """The page has a monitor of ping and visibility, which may exclude a participant."""
    stores_episodes: bool
    """The server takes an episode at a time and acknowledges it; otherwise a scene at once, without a word."""
    stores_metrics: bool
    """The server stores a file of metrics."""
    hears_course: bool
    """The server wants to know of validation, health, interruptions and ends, and tells the others."""
    finds_other_partners: bool
    """The server looks for another partner where two could not be connected."""
    begins_anew: bool
    """The server begins a scene anew for whoever was away from it."""
    starts_without_p2p: bool
    """A game may begin without any peer-to-peer connection, unless the scene says otherwise."""
    drops_by_scene: bool
    """The scene says how long a player may be away."""
    shows_code: bool
    """A participant whose partner left gets a completion code, unless the scene says otherwise."""
    p2p_wait: float
    """Seconds that a game waits for its peer-to-peer connections."""
    smoothing_ms: int
    """How long objects glide to their places after a rollback, unless the scene says otherwise; 0: not at all."""
    withdrawal: Words
    """What the server hears of a page that was matched with others and cannot play."""


SEED: Final = Generation(
    name="seed",
    steps_itself=True,
    logs_frames=True,
    has_monitor=False,
    stores_episodes=False,
    stores_metrics=False,
    hears_course=False,
    finds_other_partners=False,
    begins_anew=False,
    starts_without_p2p=True,
    drops_by_scene=False,
    shows_code=False,
    p2p_wait=5.0,
    smoothing_ms=0,
    withdrawal=(("leave_game", (("session_id", None),)),),
)
"""The package `interactive_gym` of January 2026."""

MUG: Final = Generation(
    name="mug",
    steps_itself=False,
    logs_frames=False,
    has_monitor=True,
    stores_episodes=True,
    stores_metrics=True,
    hears_course=True,
    finds_other_partners=True,
    begins_anew=True,
    starts_without_p2p=False,
    drops_by_scene=True,
    shows_code=True,
    p2p_wait=15.0,
    smoothing_ms=100,
    # Not leave_game: over it the server sleeps with a lock that the partner's answer needs, and stands still.
    withdrawal=(
        (
            "participant_terminal_state",
            (
                ("game_id", None), ("scene_id", None), ("reason", "error"), ("frame_number", None),
                ("episode_number", None),
            ),
        ),
        ("p2p_reconnection_timeout", (("game_id", None), ("player_id", None), ("pause_duration_ms", 0))),
    ),
)  # fmt: skip
"""The package `mug`, 0.1.3."""

GENERATIONS: Final = {generation.name: generation for generation in (SEED, MUG)}


def generation(name: str) -> Generation:
    """The generation of that name; raises ConfigError."""
    if name not in GENERATIONS:
        raise ConfigError(f"the page's generation is {name!r}; known are {', '.join(GENERATIONS)}")
    return GENERATIONS[name]
