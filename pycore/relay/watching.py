"""What whoever runs a study sees of its games, and what spectators are given of them.

The list of running games is made of what the pages said of themselves with their last store, kept in memory: nobody
is asked for it. Rows, and the games that are over, come from the database (`pycore.relay.storage.past`): confirmed
and at least `store_every` old, read by a thread of their own. So nobody who watches can hold up who plays, and nobody
who plays learns more from it than from the game.

It is for whoever has the *operator's token*. From it a key for each game follows, with which the rows of that game can
be seen and nothing else: that one may be given to others. Subject ids are not shown, but a name for each that means
nothing.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from pycore.relay.fields import well_formed
from pycore.relay.games.rooms import Room
from pycore.relay.games.seats import Seat
from pycore.relay.lobby import Lobby
from pycore.relay.operating.operator import Operator
from pycore.relay.storage.past import NotWatched, games_over, rows
from pycore.relay.storage.store import DataStore
from pycore.settings import Settings

WAITING: Final = 16
"""Spectators' questions that may wait for the database."""
SAID_CHARACTERS: Final = 65_536
"""Of metrics that are read here: those of an episode that goes on have about 3000."""
KNOWN: Final = 4000
"""Players of whom it is known what they said last; who said nothing for longest is forgotten first."""


class Watching:
    """What can be seen of one relay's games."""

    def __init__(self, lobby: Lobby, store: DataStore, operator: Operator) -> None:
        self._lobby = lobby
        self._store = store
        self._operator = operator
        self._late = Settings.of(lobby.settings).store_every
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pycore-watch")
        self._waiting = 0
        self._said: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()

    def close(self) -> None:
        """Answer nobody any more."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    # Who may

    def key(self, game_id: str) -> str:
        """What opens the rows of one game."""
        return self._operator.mark(f"game {game_id}", 24)

    def may_see(self, game_id: str, presented: str) -> bool:
        """Whether somebody may see the rows of a game."""
        own = hmac.compare_digest(presented.encode("utf-8", "surrogatepass"), self.key(game_id).encode())
        return self._operator.exists and (own or self._operator.is_operator(presented))

    # What pages say

    def said(self, game_id: str, player: str, wall: float, metrics: str) -> dict[str, Any] | None:
        """A page stored its metrics so far; what is shown of them, None: nothing."""
        if len(metrics) > SAID_CHARACTERS:
            return None
        try:
            known = _figures(json.loads(metrics))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None  # it is stored as it is, and whoever reads it there finds out
        self.heard(game_id, player, wall, known)
        return known

    def heard(self, game_id: str, player: str, wall: float, figures: Mapping[str, Any]) -> None:
        """The same, read by another process of the server."""
        self._said[game_id, player] = {"stored": wall, **figures}
        self._said.move_to_end((game_id, player))
        if len(self._said) > KNOWN:
            self._said.popitem(last=False)

    # The list

    def games(self, now: float, wall: float, start: int = 0, most: int | None = None) -> dict[str, Any]:
        """The games that go on, the newest first, from one on and at most so many. `now` is the lobby's clock, `wall`
        Unix time, both in s."""
        rooms = [room for room in reversed(self._lobby.games.playing()) if room.ended_wall is None]
        return {
            "time": round(wall, 3),
            "store_every": self._late,
            **self._lobby.health(),
            "games": [
                self._game(room, now, wall) for room in rooms[start : None if most is None else start + most]
            ],
        }

    def _game(self, room: Room, now: float, wall: float) -> dict[str, Any]:
        counts = room.counts()
        seats = {str(seat.player): seat for seat in room.seats}
        policies = room.settings.get("policies") or {}
        return {
            "game_id": room.game_id,
            "environment": room.settings.get("environment", ""),
            "started": round(room.started_wall, 3),
            "seconds": round(wall - room.started_wall, 1),
            "inputs_relayed": counts["inputs_relayed"],
            "key": self.key(room.game_id),
            "players": [
                {
                    "player": player,
                    "policy": str(player) in policies,
                    **self._player(room, seats.get(str(player)), now, wall),
                }
                for player in room.players
            ],
        }

    def _player(self, room: Room, seat: Seat | None, now: float, wall: float) -> dict[str, Any]:
        if seat is None:
            return {}
        said = self._said.get((room.game_id, str(seat.player)), {})
        stored = said.get("stored")
        return {
            "person": self._operator.person(seat.subject_id) if seat.subject_id else None,
            "connected": seat.is_connected,
            "left": seat.gone,
            "heard_s": None if seat.heard_at is None else round(now - seat.heard_at, 1),
            **(said and {**said, "links": self._links(room, seat)}),
            "stored_s": None if stored is None else round(wall - stored, 1),
        }

    def _links(self, room: Room, seat: Seat) -> dict[str, dict[str, Any]]:
        """What a player's page said of its links to those who are there. It names those to who is gone as well, and of
        who is gone itself there is only what it said before."""
        said = self._said.get((room.game_id, str(seat.player)), {}).get("links") or {}
        gone = {_key(other.player) for other in room.seats if other.gone}
        return {} if seat.gone else {other: link for other, link in said.items() if other not in gone}

    def paths(self) -> list[str]:
        """The path of each player who is there, of games that go on: `socketio` if it is that to any other one, `p2p`
        if it is that to all, or `unknown`."""
        found = []
        for room in self._lobby.games.playing():
            if room.ended_wall is not None:
                continue
            for seat in room.seats:
                if seat.gone:
                    continue
                paths = {link.get("path") for link in self._links(room, seat).values()}
                found.append("socketio" if "socketio" in paths else "p2p" if paths == {"p2p"} else "unknown")
        return found

    # Rows

    def running(self) -> list[str]:
        """The games that go on, by id."""
        return [room.game_id for room in self._lobby.games.playing() if room.ended_wall is None]

    async def rows(
        self, game_id: str, episode: int, start: int, wall: float, there: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Rows of an episode from a frame on, as text, with their record's first line; and how far there are some.
        `there`: whether it `goes_on`, and its `settings`, in another process that has it. Raises `NotWatched`,
        `StoreFailed`."""
        room = self._lobby.games.room(game_id)
        if room is not None:
            there = {"goes_on": room.ended_wall is None, "settings": room.settings}
        goes_on = there is not None and there["goes_on"]
        if goes_on and not self._late:
            raise NotWatched("no_live_view", 409, "the study stores nothing while a game goes on: its store_every is 0")
        # A game that has just begun may not be written down yet.
        begun = None if there is None else json.dumps(there["settings"])
        found = await self._ask(rows, game_id, episode, start, wall - self._late, begun)
        return {"late_s": self._late, "running": goes_on, **found}

    async def over(self, before: str | None, wall: float, running: Collection[str] | None = None) -> dict[str, Any]:
        """Games that are over, the newest first, those of before the server's start among them. `running`: those that
        go on, here or in another process. Raises `NotWatched`, `StoreFailed`."""
        running = self.running() if running is None else running
        found = await self._ask(games_over, running, before, wall, wall - self._late, self.key, self._operator.person)
        for game in found["games"]:
            # What ended just now may not be written down yet.
            room = self._lobby.games.room(game["game_id"])
            if room is not None and room.ended_wall is not None:
                game |= {"ended": round(room.ended_wall, 3), "how": "ended"}
        return {"time": round(wall, 3), "store_every": self._late, **found}

    async def _ask(self, read: Callable[..., dict[str, Any]], *of: Any) -> dict[str, Any]:
        if self._waiting >= WAITING:
            raise NotWatched("store_busy", 503, "too many spectators ask at once; try again")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, read, self._store, *of)
        finally:
            self._waiting -= 1


def _figures(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What of a player's metrics the list shows; a page may say anything, so nothing of it is large."""
    now, links = metrics["now"], metrics["now"].get("links") or {}
    rollbacks = metrics["rollbacks"]
    return {
        "episode": _number(now.get("episode")),
        "frame": _number(now.get("frame")),
        "phase": _word(now.get("phase")),
        "hidden": now.get("hidden") is True,
        "links": {
            _key(player): {"path": _word(link.get("path")), "rtt_ms": _number(link.get("rttMs"))}
            for player, link in list(links.items())[:8]
        },
        "frames": _number(metrics["frames"].get("total")),
        "rollbacks": _number(rollbacks.get("count")),
        "max_rollback_frames": _number(rollbacks.get("maxFrames")),
        "stalls": _number(metrics["quality"].get("stalls")),
        "hash_mismatches": _number(metrics["sync"].get("p2pHashMismatches")),
    }


def _key(player: Any) -> str:
    """By what a player stands among the links of another one."""
    return well_formed(str(player)[:40])


def _number(value: Any) -> float | None:
    return value if type(value) in (int, float) and abs(value) < 2**53 else None


def _word(value: Any) -> str | None:
    return well_formed(value[:40]) if isinstance(value, str) else None
