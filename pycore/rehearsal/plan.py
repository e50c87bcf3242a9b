"""What a rehearsal does: the plan of one session of a game."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Final

from pycore.errors import ConfigError
from pycore.rehearsal.browsers import CHROMIUM, ENGINES, WEBKIT
from pycore.rehearsal.game import Game
from pycore.rehearsal.scripts import Policy, scripts_of
from pycore.settings import Settings

EPISODES: Final = 20
"""So many episodes a session has where nobody says otherwise; it is stopped when the time is over."""
SHORTEST: Final = 60
"""Frames of an episode, at least."""
PAUSE: Final = 0.5
"""Seconds between two episodes where the settings say nothing."""
CUTS: Final = ("silent", "close", "connection")
"""How peer-to-peer is cut."""
SERVER_CUTS: Final = ("end", "silent")
"""How a server goes away."""
LEFT_WITHIN: Final = 3.0
"""Seconds for which the seat of a page that is closed is kept."""


@dataclass(frozen=True)
class Plan:
    """What a rehearsal does. Times are seconds, unless their names say otherwise. Raises ConfigError."""

    game: Game
    seconds: float = 20.0
    latency_ms: float = 0.0
    """Added one-way time."""
    jitter_ms: float = 0.0
    """By so much that time changes, several times a second."""
    loss: float = 0.0
    """One-way probability."""
    down_at: float | None = None
    up_at: float | None = None
    cut: str = "silent"
    """How peer-to-peer is cut: `silent`, packets are dropped; `close`, the channel is closed, and they are dropped;
    `connection`, the first page's connections are closed, and whatever is made anew works."""
    browsers: tuple[str, ...] = (CHROMIUM,)
    """The engine of every page, or of each."""
    socketio_only: bool = False
    input_delay: int | None = None
    """In the place of the settings'."""
    seed: int = 1
    """Of the game and of the scripted players."""
    episodes: int | None = None
    """None: as many as the settings say, or as the time allows, each at most half of it long."""
    leave_at: float | None = None
    """When the last page is closed: nobody waits long for its return,"""
    reload_at: float | None = None
    """or loaded again: it comes back, unless the study says that nobody does."""
    back_at: float | None = None
    """When the page that is loaded again is; its tab shows nothing until then. None: at once."""
    server_down_at: float | None = None
    """When the server goes away,"""
    server_up_at: float | None = None
    """and when it is there again."""
    server_cut: str = "end"
    """How it goes away: `end`, its process ends, and another one takes its place with the same database; `silent`, it
    answers nobody meanwhile."""
    hide: tuple[int, float, float] | None = None
    """A page, and from when to when it is hidden."""
    screenshots: dict[str, float] = field(default_factory=dict)
    """Name -> seconds after the start at which every page is photographed; `end` is after the end."""
    policy: Policy | None = None
    """What the players do, in the place of anything that their action spaces have."""
    reproduce: str = "cpython"
    """Where the record is stepped again: `cpython`, `pyodide` or `no`."""

    def __post_init__(self) -> None:
        """Refuse what would do nothing: a cut that never comes would pass for a failover that works."""
        down, up = self.down_at, self.up_at
        if up is not None and down is None:
            raise ConfigError("there is no cut to come back from: say when peer-to-peer goes down, too")
        self._check_browsers()
        if self.cut not in CUTS:
            raise ConfigError(f"peer-to-peer is cut by {', '.join(CUTS)}, not by {self.cut!r}")
        if self.cut == "connection" and up is not None:
            raise ConfigError("a connection that was closed is made anew by the pages: leave out when it comes back")
        if down is not None and self.socketio_only:
            raise ConfigError("with socket.io only there is no peer-to-peer to cut")
        if self.socketio_only and (self.latency_ms or self.jitter_ms or self.loss):
            raise ConfigError("latency, jitter and loss are those of peer-to-peer, which there is none of")
        if down is not None and self.pages < 2:
            raise ConfigError("a game for one has no peer-to-peer to cut")
        if down is not None and not 0 <= down < self.seconds:
            raise ConfigError(f"the cut at {down:g} s is not before the end at {self.seconds:g} s")
        if up is not None and down is not None and not down < up < self.seconds:
            raise ConfigError(f"{up:g} s is not between the cut at {down:g} s and the end at {self.seconds:g} s")
        if self.hide is not None and not 0 <= self.hide[0] < self.pages:
            raise ConfigError(f"there is no page {self.hide[0]} to hide; they are 0 to {self.pages - 1}")
        if self.hide is not None and not 0 <= self.hide[1] < self.hide[2] < self.seconds:
            raise ConfigError(f"a page is hidden from one time to a later one before the end at {self.seconds:g} s")
        self._check_departures()
        self.played()

    def _check_browsers(self) -> None:
        for name in self.browsers:
            if name not in (*ENGINES, WEBKIT):
                raise ConfigError(f"there is no browser {name!r}; there are {' and '.join(ENGINES)}")
        if len(self.browsers) not in (1, self.pages):
            raise ConfigError(f"{len(self.browsers)} browsers for {self.pages} pages: say one, or one for each page")

    def engine(self, page: int) -> str:
        """The browser of that page."""
        return self.browsers[page % len(self.browsers)]

    @property
    def shaped_by_chromium(self) -> bool:
        """Whether every page's browser impairs its own network."""
        return set(self.browsers) == {CHROMIUM}

    @property
    def detours(self) -> bool:
        """Whether the pages' network is impaired, and by no browser: it takes a TURN server then."""
        cuts = self.down_at is not None and self.cut != "connection"
        return not self.shaped_by_chromium and bool(self.latency_ms or self.jitter_ms or self.loss or cuts)

    def _check_departures(self) -> None:
        if self.leave_at is not None and self.reload_at is not None:
            raise ConfigError("one page either leaves or is loaded again")
        for what, at in (("leaves", self.leave_at), ("is loaded again", self.reload_at)):
            if at is not None and self.pages < 2:
                raise ConfigError(f"where the only page {what} nobody stays to be judged")
            if at is not None and not 0 < at < self.seconds:
                raise ConfigError(f"a page that {what} at {at:g} s does not do so before the end at {self.seconds:g} s")
        down, up = self.server_down_at, self.server_up_at
        if self.server_cut not in SERVER_CUTS:
            raise ConfigError(f"the server goes away by {' or '.join(SERVER_CUTS)}, not by {self.server_cut!r}")
        if (down is None) != (up is None):
            raise ConfigError("the server goes down and comes up again: say both times, or nothing is stored")
        if down is not None and self.server_cut == "silent" and os.name == "nt":
            raise ConfigError("a process cannot be made to stand still on Windows: it can end")
        if down is not None and up is not None:
            if not 0 < down < up < self.seconds:
                away = f"{down:g} s and {up:g} s are no time that the server is away for"
                raise ConfigError(f"{away}, before the end at {self.seconds:g} s")
            loads = self.reload_at if self.back_at is None else self.back_at
            if loads is not None and self.server_cut == "end" and down <= loads <= up:
                raise ConfigError(f"a page loaded again at {loads:g} s finds no server to load it from")
        self._check_return()

    def _check_return(self) -> None:
        gone, back = self.reload_at, self.back_at
        if back is None:
            return
        if gone is None:
            raise ConfigError("no page goes away that could be back: say when one is loaded again, too")
        if not self.returns:
            raise ConfigError("nobody comes back in this study: its return_within is 0")
        if not gone < back < self.seconds:
            raise ConfigError(f"{back:g} s is not between the reload at {gone:g} s and the end at {self.seconds:g} s")
        if self.down_at is not None and gone <= self.down_at <= back:
            away = f"a page that is away until {back:g} s"
            raise ConfigError(f"peer-to-peer cannot be cut at {self.down_at:g} s from {away}")
        if self.hide is not None and self.hide[0] == self.pages - 1 and self.hide[1] <= back and gone <= self.hide[2]:
            raise ConfigError(f"the page that is away from {gone:g} s to {back:g} s cannot be hidden meanwhile")

    @property
    def server_away(self) -> str:
        """What becomes of the server, for a verdict; empty: nothing."""
        if self.server_down_at is None:
            return ""
        if self.server_cut == "silent":
            return "the server answered nobody for a while"
        return "the server ended meanwhile, and the process in its place took up the game"

    @property
    def departs(self) -> bool:
        """Whether a page does not stay to the end."""
        return self.leave_at is not None or (self.reload_at is not None and not self.returns)

    @property
    def returns(self) -> bool:
        """Whether a page is loaded again and comes back."""
        return self.reload_at is not None and self.game.settings.get("return_within", Settings.return_within) > 0

    @property
    def goes_on(self) -> bool:
        """Whether the others play on when a page goes away: the study's setting, for three and more."""
        return self.pages > 2 and self.game.settings.get("on_drop", "end") != "end"

    @property
    def pages(self) -> int:
        """One for each person."""
        return len(self.game.people)

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.played().fps

    def settings(self) -> dict[str, Any]:
        """The study's settings as they are played: those of the game, short enough for the time."""
        given = self.game.settings
        fps = float(given.get("fps", Settings.fps))
        values: dict[str, Any] = {"episode_pause": PAUSE, "num_episodes": EPISODES, **given}
        if self.episodes is not None:
            values["num_episodes"] = self.episodes
        # Who goes away does so in an episode, not between two.
        share = round(self.seconds * fps / (self.episodes or (1 if self.departs else 2)))
        values["max_steps"] = min(int(given.get("max_steps", Settings.max_steps)), max(SHORTEST, share))
        if self.leave_at is not None:
            # What follows is of interest, not for how long it is waited before.
            within = float(given.get("return_within", Settings.return_within))
            values["return_within"] = min(within, LEFT_WITHIN)
        if self.socketio_only:
            values["p2p"] = False
        if self.input_delay is not None:
            values["input_delay"] = self.input_delay
            if "seats" in values:
                values["seats"] = [
                    {name: value for name, value in seat.items() if name != "input_delay"} for seat in values["seats"]
                ]
        return values

    def played(self) -> Settings:
        """The same, as the session has them."""
        return Settings.of(self.settings())

    def scripts(self) -> list[Any]:
        """What the players do, by seat (`pycore.rehearsal.scripts`)."""
        settings = self.played()
        # A slow machine loads, waits and pauses; what is too much is not read.
        frames = round(self.seconds * settings.fps * 1.5) + SHORTEST
        return scripts_of(self.game, settings, frames, self.seed * 1000, self.seed, self.policy)
