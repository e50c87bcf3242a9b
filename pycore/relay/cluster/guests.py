"""The sockets of other processes for which this one decides: its lobby knows them as it knows its own."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from typing import Any

from pycore.relay.cluster import lobbies
from pycore.relay.cluster.names import LOST, guest, of
from pycore.relay.cluster.ways import Item, Ways
from pycore.relay.elsewhere import Reply
from pycore.relay.fields import Refused
from pycore.relay.server import RelayServer
from pycore.relay.transport.outgoing import Outgoing


class Guests:
    """What other processes' sockets do here."""

    def __init__(self, relay: RelayServer, ways: Ways) -> None:
        self._relay = relay
        self._ways = ways
        self._here: dict[str, None] = {}
        """In the order in which they came."""

    def heard(self, process: str, item: Item) -> None:
        """An item of another process about a socket of its own."""
        sid = guest(item["s"], process)
        if item["t"] == "connect":
            self._ways.send(process, {"t": "reply", "n": item["n"], "r": self._connect(sid, item)})
        elif item["t"] == "gone":
            self.leaves(sid, item["goes"])
        elif sid not in self._here:
            if "n" in item:
                self._ways.send(process, {"t": "reply", "n": item["n"], "r": LOST})
            else:
                self._ways.send(process, {"t": "lost", "s": item["s"]})
        else:
            self._event(sid, process, item)

    def sends(self, item: Outgoing) -> None:
        """Something for one of them."""
        if item.sid in self._here:
            sid, process = of(item.sid)
            self._ways.send(process, {"t": "out", "s": sid, "e": item.event, "d": item.data})

    def comes(self, sid: str) -> None:
        """One more, which the lobby knows already."""
        self._here[sid] = None

    def leaves(self, sid: str, goes: bool = False) -> None:
        """It is gone, or another process decides for it; `goes`: its page is gone."""
        if self._here.pop(sid, "") is None:
            self._relay.put(self._relay.lobby.disconnect(sid, time.monotonic(), goes=goes))

    def is_lost(self, sid: str) -> None:
        """This process decides for it no more, and nobody knows yet who does."""
        self.leaves(sid)
        name, process = of(sid)
        self._ways.send(process, {"t": "lost", "s": name})

    def void(self, process: str) -> None:
        """A process is dead, or has begun anew: its sockets are gone."""
        for sid in [sid for sid in self._here if of(sid)[1] == process]:
            self.leaves(sid)

    def waiting(self) -> list[str]:
        """Those that wait for a game."""
        return [sid for sid in self._here if self._relay.lobby.pairing.waiting.has(sid)]

    def _connect(self, sid: str, item: Item) -> Reply:
        auth, lobby = item["a"], self._relay.lobby
        if item["seated"] and not lobby.games.knows(auth.get("session_id") or ""):
            return LOST
        self.leaves(sid)
        try:
            out = lobby.connect(sid, auth, time.monotonic())
        except Refused as refused:
            return {"status": "error", **refused.fields}
        self._here[sid] = None
        self._relay.put(out)
        return {"status": "ok"}

    def _event(self, sid: str, process: str, item: Item) -> None:
        number, joining = item.get("n"), self._relay.recall.is_joining(sid)
        if "w" in item:
            lobbies.expect(self._relay.lobby, sid, item["a"][0], item["w"], time.monotonic())
        carried = self._relay.dispatch if joining else self._relay.carry_out
        reply = carried(item["e"], sid, item["a"])
        if not isinstance(reply, dict):
            self._relay.tasks.start(self._waits(process, number, reply))
        elif number is not None:
            self._ways.send(process, {"t": "reply", "n": number, "r": reply})

    async def _waits(self, process: str, number: int | None, reply: Coroutine[Any, Any, Reply]) -> None:
        answer = await reply
        if number is not None:
            self._ways.send(process, {"t": "reply", "n": number, "r": answer})
