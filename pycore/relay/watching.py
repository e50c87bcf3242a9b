"""What whoever runs a study sees of the running games, and what spectators are given of them.

The list is made of what the pages said of themselves with their last store, kept in memory: nobody is asked for it.
Rows come from the database, confirmed and at least `store_every` old, read by a thread of their own. So nobody who
watches can hold up who plays, and nobody who plays learns more from it than from the game.

It is for whoever has the *operator's token*. From it a key for each game follows, with which the rows of that game can
be seen and nothing else: that one may be given to others. Subject ids are not shown, but a name for each that means
nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import sqlalchemy as sa

from pycore.errors import PycoreError
from pycore.relay.lobby import Lobby
from pycore.relay.pieces import Episode, Place, Segment, join
from pycore.relay.rooms import Room
from pycore.relay.seats import Seat
from pycore.relay.store import DataStore, games, pieces
from pycore.settings import Settings

WAITING: Final = 16
"""Spectators' questions that may wait for the database."""
ROWS_BYTES: Final = 200_000
"""Bytes of rows in an answer, about: the spectator asks again for the others."""
PIECES: Final = 20
"""Pieces that an answer is made of at most."""
SAID_CHARACTERS: Final = 65_536
"""Of metrics that are read here: those of an episode that goes on have about 3000."""
KNOWN: Final = 4000
"""Players of whom it is known what they said last; who said nothing for longest is forgotten first."""


class NotWatched(PycoreError):
    """What a spectator asked for is not to be had; `code` and `status` say why, as HTTP does."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Watching:
    """What can be seen of one relay's games."""

    def __init__(self, lobby: Lobby, store: DataStore, token: str) -> None:
        self._lobby = lobby
        self._store = store
        self._token = token.encode()
        self._late = Settings.of(lobby.settings).store_every
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pycore-watch")
        self._waiting = 0
        self._said: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()

    def close(self) -> None:
        """Answer nobody any more."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    # Who may

    def is_operator(self, presented: str) -> bool:
        """Whether it is the operator's token."""
        return hmac.compare_digest(presented.encode(), self._token)

    def key(self, game_id: str) -> str:
        """What opens the rows of one game."""
        return self._mark(f"game {game_id}", 24)

    def may_see(self, game_id: str, presented: str) -> bool:
        """Whether somebody may see the rows of a game."""
        return self.is_operator(presented) or hmac.compare_digest(presented.encode(), self.key(game_id).encode())

    def _mark(self, text: str, length: int) -> str:
        return hmac.new(self._token, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:length]

    # What pages say

    def said(self, game_id: str, player: str, wall: float, metrics: str) -> None:
        """A page stored its metrics so far."""
        if len(metrics) > SAID_CHARACTERS:
            return
        try:
            known = _figures(json.loads(metrics))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return  # it is stored as it is, and whoever reads it there finds out
        self._said[game_id, player] = {"stored": wall, **known}
        self._said.move_to_end((game_id, player))
        if len(self._said) > KNOWN:
            self._said.popitem(last=False)

    # The list

    def games(self, now: float, wall: float) -> dict[str, Any]:
        """The games that go on, the newest first. `now` is the lobby's clock, `wall` Unix time, both in s."""
        return {
            "time": round(wall, 3),
            "store_every": self._late,
            **self._lobby.health(),
            "games": [
                self._game(room, now, wall) for room in reversed(self._lobby.playing()) if room.ended_wall is None
            ],
        }

    def _game(self, room: Room, now: float, wall: float) -> dict[str, Any]:
        counts = room.counts()
        seats = {str(seat.player): seat for seat in room.seats}
        policies = self._lobby.settings.get("policies") or {}
        return {
            "game_id": room.game_id,
            "environment": self._lobby.settings.get("environment", ""),
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
            "person": self._mark(f"person {seat.subject_id}", 6) if seat.subject_id else None,
            "connected": seat.sid is not None,
            "left": seat.gone,
            "heard_s": None if seat.heard_at is None else round(now - seat.heard_at, 1),
            **said,
            "stored_s": None if stored is None else round(wall - stored, 1),
        }

    # Rows

    async def rows(self, game_id: str, episode: int, start: int, wall: float) -> dict[str, Any]:
        """Rows of an episode from a frame on, as text, with their record's first line; and how far there are some.
        Raises `NotWatched`, `StoreFailed`."""
        if not self._late:
            raise NotWatched("no_live_view", 409, "the study stores nothing while a game goes on: its store_every is 0")
        # A game that has just begun may not be written down yet.
        begun = None if self._lobby.room(game_id) is None else json.dumps(self._lobby.settings)
        if self._waiting >= WAITING:
            raise NotWatched("store_busy", 503, "too many spectators ask at once; try again")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            until = wall - self._late
            return await loop.run_in_executor(self._thread, self._rows, game_id, episode, start, until, begun)
        finally:
            self._waiting -= 1

    def _rows(self, game_id: str, episode: int, start: int, until: float, begun: str | None) -> dict[str, Any]:
        known = self._store.read(sa.select(games.c.settings).where(games.c.game_id == game_id))
        settings = known[0]["settings"] if known else begun
        if settings is None:
            raise NotWatched("no_such_game", 404, "there is no such game")
        old = sa.and_(pieces.c.game_id == game_id, pieces.c.received <= until)
        newest = self._store.read(sa.select(sa.func.max(pieces.c.episode).label("episode")).where(old))[0]["episode"]
        columns = [column for column in pieces.c if column is not pieces.c.data]
        places: dict[str, list[Place]] = {}
        for row in self._store.read(sa.select(*columns).where(old, pieces.c.episode == episode)):
            places.setdefault(row["player"], []).append(Place(*(row[name] for name in Place._fields)))
        joined = {player: join(of) for player, of in places.items()}
        answer: dict[str, Any] = {
            "settings": json.loads(settings), "late_s": self._late, "episode": episode, "from": start,
            "to": start, "there_are": 0, "episodes": 0 if newest is None else newest + 1, "header": None, "rows": "",
            "ended": False, "taken_back": None,
        }  # fmt: skip
        if not joined:
            return answer
        player, of = max(joined.items(), key=lambda each: (each[1].frames, each[1].whole))
        bases = [place.base for place in places[player] if place.revision]
        answer |= {"there_are": of.frames, "taken_back": min(bases, default=None)}
        return answer | self._lines(game_id, player, episode, of, start)

    def _lines(self, game_id: str, player: str, episode: int, of: Episode, start: int) -> dict[str, Any]:
        header, lines, at, ended = "", [], start, False
        behind = [each for each in of.unbroken if each.stop > start or each.last]
        for segment in behind[:PIECES]:
            data = self._piece(game_id, player, episode, segment)
            header = data.partition(b"\n")[0].decode()
            cut = segment._replace(start=max(start, segment.start)) if segment.stop > segment.start else segment
            lines.append(cut.lines(data).decode())
            at, ended = max(at, segment.stop), segment.last
            if sum(map(len, lines)) > ROWS_BYTES:
                break
        return {"header": header or None, "rows": "".join(lines), "to": at, "ended": ended}

    def _piece(self, game_id: str, player: str, episode: int, segment: Segment) -> bytes:
        of = pieces.c
        chosen = sa.select(of.data).where(
            of.game_id == game_id, of.player == player, of.episode == episode, of.revision == segment.place.revision,
            of.first == segment.place.first,
        )  # fmt: skip
        data: bytes = self._store.read(chosen)[0]["data"]
        return data


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
            str(player)[:40]: {"path": _word(link.get("path")), "rtt_ms": _number(link.get("rttMs"))}
            for player, link in list(links.items())[:8]
        },
        "frames": _number(metrics["frames"].get("total")),
        "rollbacks": _number(rollbacks.get("count")),
        "max_rollback_frames": _number(rollbacks.get("maxFrames")),
        "stalls": _number(metrics["quality"].get("stalls")),
        "hash_mismatches": _number(metrics["sync"].get("p2pHashMismatches")),
    }


def _number(value: Any) -> float | None:
    return value if type(value) in (int, float) and abs(value) < 2**53 else None


def _word(value: Any) -> str | None:
    return value[:40] if isinstance(value, str) else None
