"""What the operator's page says of the study as a whole: who waits, what stores nothing, what is refused and fails."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from pycore.relay.games.rooms import Room
from pycore.relay.operating.measures import Measures
from pycore.relay.operating.noticing import Noticed
from pycore.relay.operating.operator import Operator
from pycore.relay.operating.readiness import Readiness
from pycore.relay.server import RelayServer
from pycore.settings import Settings

LATE_S: Final = 15.0
"""What a game may take until it has stored something, at least: pages load, and count down."""
STORES: Final = 3
"""Stores that a page may have missed."""
LISTED: Final = 10
"""Of a kind, at most."""
LOW: Final = 4
"""Times the bytes of a disk that stay free: when fewer are, somebody should make room."""


class Overview:
    """Of one relay."""

    def __init__(self, relay: RelayServer, operator: Operator, measures: Measures, noticed: Noticed) -> None:
        self._relay = relay
        self._operator = operator
        self.measures = measures
        self._noticed = noticed
        self._every = Settings.of(relay.lobby.settings).store_every
        self._late_s = max(LATE_S, STORES * self._every)

    def state(self, now: float, wall: float) -> dict[str, Any]:
        """As `GET /api/operator` has it. `now` is the lobby's clock, `wall` Unix time, both in s."""
        lobby = self._relay.lobby
        waits = lobby.waits(now)
        without = self.without_data(wall)
        return {
            "time": round(wall, 3),
            "open": lobby.door.is_open,
            **lobby.health(),
            "waits": [
                {"person": self._operator.person(subject) if subject else None, "seconds": round(seconds, 1)}
                for subject, seconds in waits[:LISTED]
            ],
            "without_data": without[:LISTED],
            "without_data_count": len(without),
            "outcomes": dict(self.measures.outcomes.most_common()),
            "refusals": self.measures.refusals,
            "failures": list(self._noticed.failures)[::-1],
        }

    def without_data(self, wall: float) -> list[dict[str, Any]]:
        """Games, the newest first, of which somebody who is or was there has stored nothing of what was played. Where
        pages store at an episode's end alone, one that goes on may have none yet."""
        found = []
        for room in reversed(self._relay.lobby.games.known()):
            if room.ended_wall is None and not self._every:
                continue
            seconds = (room.ended_wall or wall) - room.started_wall
            players = self._silent(room)
            if players and seconds >= self._late_s:
                found.append({
                    "game_id": room.game_id, "environment": room.settings.get("environment", ""),
                    "seconds": round(seconds, 1), "players": players, "over": room.ended_wall is not None,
                })  # fmt: skip
        return found

    @staticmethod
    def _silent(room: Room) -> list[str]:
        if room.restarts:
            return []  # what was stored before is not counted here
        return [str(seat.player) for seat in room.seats if not seat.stored]

    async def faults(self, readiness: Readiness) -> dict[str, str]:
        """What is wrong now, in a sentence each, by a word; nobody is named."""
        found = {}
        for reason in await readiness.reasons(asyncio.get_running_loop().time()):
            if reason == "disk_full":
                found[reason] = "the disk is full: nothing is stored any more until there is room"
            elif reason != "draining":
                found["database"] = f"nothing can be stored: {reason}"
        left = self._relay.keeping.disk.left()
        if left is not None and "disk_full" not in found and left < LOW * self._relay.limits.free_bytes:
            found["disk_low"] = f"{left / 1e6:.0f} MB are free on the disk of the database"
        if self._relay.lobby.door.busy:
            found["busy"] = "the server has as much to do as it can, and begins no new games"
        if without := self.without_data(time.time()):
            found["without_data"] = f"games of which a player's page has stored nothing: {len(without)}"
        return found
