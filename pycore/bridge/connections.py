"""The browser's connections of a session: what they are told to do, what they say, and what kind they are.

One negotiator per link decides; here its commands go into the outbox, its signals to the server, and what the
browser or the peer said goes to it. Negotiators look at the time ten times a second, not at every tick.
"""

from __future__ import annotations

from typing import Any, Final

from pycore.bridge.buffers import NO_LINK, OUT_EMIT, OUT_RTC, Outbox
from pycore.bridge.game import Game
from pycore.duties import CHANNEL_UNABLE
from pycore.link.negotiation import SIGNALS, Negotiator
from pycore.session.session import Session
from pycore.values.json import to_json

LOOK_INTERVAL: Final = 0.1
AT_ONCE: Final = -1e9
"""A time that has always come."""
CLOSED_THERE: Final = 12
"""SCTP's cause "user-initiated abort": the peer has closed the connection, which Chromium calls an error."""


class Connections:
    """All links' connections; none where the study wants no peer-to-peer."""

    def __init__(self, game: Game, session: Session, outbox: Outbox) -> None:
        self._session = session
        self._outbox = outbox
        self._links = session.links
        self._index_of = {link.seat: index for index, link in enumerate(self._links)}
        self._negotiators = (
            [Negotiator(game.me < link.seat, game.now, game.ice, game.load) for link in self._links]
            if game.settings.p2p
            else []
        )
        self._loads = [0] * len(self._links)
        """How often the page of each link's peer was loaded again, as far as its connection goes."""
        self._due_at = self.look_at = game.now + LOOK_INTERVAL
        """From when on a poll has something to look at: from when it is due, or at once, where something was said that
        may have an answer."""

    def happened(self, data: dict[str, Any], came: float) -> None:
        """The browser says what a connection did. Raises what reading it raises, or IndexError."""
        index = int(data["link"])
        if not 0 <= index < len(self._negotiators):
            raise IndexError(f"there is no link {index}")
        what: str = data["what"]
        value: Any = data.get("value")
        if what == "type":
            self._settled(self._links[index].seat, value, came)
            return
        foreseen = self._negotiators[index].unable or (isinstance(value, dict) and value.get("cause") == CLOSED_THERE)
        if what == "error" and not foreseen:
            # Of a browser without WebRTC the first command's failure has said it all.
            self._session.log(f"[WebRTC] {value}", "warning")
        self._negotiators[index].happened(what, value, int(data.get("generation", 0)), came)
        self.look_at = AT_ONCE

    def _settled(self, seat: int, value: dict[str, Any], came: float) -> None:
        """Candidates were chosen: the server and the session's metrics are told of this link."""
        session = self._session
        kind = str(value["connection_type"])
        details = {
            **value.get("details", {}),
            "detectedAtFrame": session.frame,
            "timestamp": round(session.wall_ms(came)),
        }
        session.set_connection_type(seat, kind, details)
        report = {
            "game_id": session.game_id,
            "player_id": session.players[session.me],
            "remote_player_id": session.players[seat],
            "connection_type": kind,
            "details": details,
        }
        text = to_json({"event": "p2p_connection_type", "data": report, "keep": True})
        self._outbox.put_record(OUT_EMIT, NO_LINK, text.encode())

    def signalled(self, seat: int, kind: str, payload: Any, came: float) -> None:
        """A description or a candidate of that player came."""
        if kind in SIGNALS and self._negotiators:
            self._negotiators[self._index_of[seat]].signalled(kind, payload, came)
            self.look_at = AT_ONCE

    def seen(self, channels: tuple[int, ...]) -> tuple[int, ...]:
        """The channels' states as the session is told them: the browser does not say of one that it will never be.
        Asked while one is not open."""
        if not any([negotiator.unable for negotiator in self._negotiators]):  # noqa: C419 - half the time
            return channels
        return tuple(
            CHANNEL_UNABLE if negotiator.unable and state < 0 else state
            for negotiator, state in zip(self._negotiators, channels, strict=True)
        )

    def look(self, now: float, channels: tuple[int, ...], connected: bool, over: bool) -> None:
        """Have what is due, and what was said, answered. Called in a poll from `look_at` on."""
        stirred = self.look_at == AT_ONCE
        due = now >= self._due_at and not over
        if now >= self._due_at:
            self._due_at = now + LOOK_INTERVAL
        self.look_at = self._due_at
        if not due and not stirred:
            return
        for index, negotiator in enumerate(self._negotiators):
            link = self._links[index]
            if link.peer.number in self._session.gone:
                # Nobody connects to it any more, and the server passes nothing on to it.
                negotiator.commands.clear()
                negotiator.signals.clear()
                continue
            if link.peer.load != self._loads[index] and connected:
                self._loads[index] = link.peer.load
                negotiator.begin_anew(now)
            if due and connected:
                negotiator.poll(now, channels[index] >= 0, link.answers)
            for command in negotiator.commands:
                self._outbox.put(OUT_RTC, index, {"link": index, **command})
            negotiator.commands.clear()
            for kind, payload in negotiator.signals:
                signal = {
                    "game_id": self._session.game_id,
                    "target_player_id": self._session.players[link.seat],
                    "type": kind,
                    "payload": payload,
                }
                self._outbox.put(OUT_EMIT, NO_LINK, {"event": "webrtc_signal", "data": signal})
            negotiator.signals.clear()
