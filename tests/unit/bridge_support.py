"""Pages without a browser: bridges, and a shim in Python that obeys the ABI byte for byte."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

from examples import volley
from pycore.bridge.bridge import FLAG_OUTBOX, Bridge, create
from pycore.bridge.buffers import BUFFER_BYTES
from pycore.bridge.seats import seat_order
from pycore.duties import CHANNEL_CLOSED, CHANNEL_NEVER
from pycore.session.phases import DONE

PERIOD = 1 / 32


def put_records(inbox: Any, at: int, waiting: list[tuple[int, int, float, bytes]]) -> int:
    """Put what waits into an inbox from a place on, as the ABI says; what does not fit still waits. Where it ends."""
    while waiting:
        kind, link, came, payload = waiting[0]
        if at + 12 + len(payload) > BUFFER_BYTES:
            break
        struct.pack_into("<BBHd", inbox, at, kind, link, len(payload), came)
        inbox[at + 12 : at + 12 + len(payload)] = payload
        at += 12 + len(payload)
        del waiting[0]
    return at


class Page:
    """One page: its bridge, the state of its channel and socket, and what lies before its door."""

    def __init__(self, me: Any, players: list[Any], env: Any, settings: dict[str, Any], **config: Any) -> None:
        given: dict[str, Any] = {
            "game_id": "g1", "players": players, "player_id": me, "seed": 5, "wall_ms": 1e12, "now": 50.0,
            "settings": {"fps": 32, "action_space": {"type": "discrete", "n": 6}, **settings},
            "turn_config": None, "ice_servers": [{"urls": "stun:s"}], **config,
        }  # fmt: skip
        self.bridge: Bridge = create(json.dumps(given), env)
        self.me = me
        self.channel = CHANNEL_NEVER
        self.socket = True
        self.hidden = False
        self.waiting: list[tuple[int, int, float, bytes]] = []
        self.remote: set[str] = set()
        self.generation = 0
        self.news: list[dict[str, Any]] = []
        self.emitted: list[dict[str, Any]] = []
        self.commands: list[dict[str, Any]] = []
        self.raising = 0
        self.flags = 0
        self.stream = CHANNEL_NEVER
        """What the page says of the stream's channel."""
        self.chunks: list[bytes] = []
        """What was sent by it."""

    def event(self, name: str, data: Any, now: float) -> None:
        """A socket.io event, or something that the connection did."""
        self.waiting.append((3, 255, now, json.dumps({"event": name, "data": data}).encode()))

    def rtc(self, what: str, value: Any, now: float) -> None:
        """Something that the connection of now did."""
        self.event("rtc", {"link": 0, "what": what, "value": value, "generation": self.generation}, now)

    def write_inbox(self) -> int:
        """Channel state and records, as the ABI says; what does not fit waits, in order."""
        inbox = self.bridge.inbox
        struct.pack_into("<BBHii", inbox, 0, self.socket, self.hidden, 0, self.channel, self.stream)
        return put_records(inbox, 12, self.waiting)

    def read_outbox(self, length: int) -> list[tuple[int, int, int, bytes]]:
        """The records of the outbox."""
        outbox = self.bridge.outbox
        at, records = 16, []
        while at < length:
            kind, link, size, seq = struct.unpack_from("<BBHI", outbox, at)
            records.append((kind, link, seq, bytes(outbox[at + 8 : at + 8 + size])))
            at += 8 + size
        assert at == length
        return records


class Pair:
    """Two pages and the network between them."""

    def __init__(self, pages: list[Page], lose: Callable[[], bool] = lambda: False) -> None:
        self.pages = pages
        self.now = 50.0
        self.lose = lose
        self.connects = True

    def carry_out(self, page: Page, length: int) -> None:
        """What the shim does with an outbox."""
        other = self.pages[1 - self.pages.index(page)]
        for kind, link, seq, payload in page.read_outbox(length):
            if kind == 1:
                assert link == 0
                if page.raising:
                    page.raising -= 1
                    self.carry_out(page, page.bridge.send_failed(self.now, link, seq))
                elif page.channel >= 0 and other.channel >= 0 and not self.lose():
                    other.waiting.append((1, 0, self.now, payload))
            elif kind == 5:
                assert (link, seq) == (0, 0)
                assert page.stream >= 0
                page.chunks.append(payload)
                other.waiting.append((2, 0, self.now, payload))
            elif kind == 2:
                message = json.loads(payload)
                page.emitted.append(message)
                if page.socket and other.socket:
                    self.serve(page, other, message["event"], message["data"])
            elif kind == 3:
                self.connection(page, json.loads(payload))
            else:
                page.news.append(json.loads(payload))

    def serve(self, page: Page, other: Page, event: str, data: dict[str, Any]) -> None:
        """What the relay does with an event."""
        if event == "pyodide_player_action":
            passed = {key: data[key] for key in ("player_id", "action", "frame_number", "timestamp", "sync_epoch")}
            other.event("pyodide_other_player_action", passed, self.now)
        elif event == "webrtc_signal":
            assert data["target_player_id"] == other.me
            passed = {"type": data["type"], "from_player_id": page.me, "game_id": "g1", "payload": data["payload"]}
            other.event("webrtc_signal", passed, self.now)

    def connection(self, page: Page, command: dict[str, Any]) -> None:
        """What a browser does with a command."""
        assert command["link"] == 0
        page.commands.append(command)
        name = command["command"]
        if name == "connect":
            page.generation, page.remote = command["generation"], set()
        elif name == "offer":
            page.rtc("local-description", {"type": "offer", "sdp": "o"}, self.now)
            page.rtc("candidate", {"candidate": "c"}, self.now)
        elif name == "accept":
            page.remote.add(command["description"]["type"])
            if command["description"]["type"] == "offer":
                page.rtc("local-description", {"type": "answer", "sdp": "a"}, self.now)
        up = all(each.remote for each in self.pages) and self.connects
        if up and (name == "accept" or name == "channel"):
            for each in self.pages:
                each.channel = 0
                each.rtc("connection-state", "connected", self.now)
                each.rtc("channel-open", None, self.now)

    def close(self) -> None:
        """The channel closes, and both see it."""
        for page in self.pages:
            page.channel = CHANNEL_CLOSED
            page.rtc("channel-closed", None, self.now)

    def tick(self, *actions: Any) -> None:
        """Both calls, and what stands in the outboxes."""
        self.now += PERIOD
        for page, action in zip(self.pages, actions or (0, 0), strict=True):
            self.carry_out(page, page.bridge.poll(self.now, action, page.write_inbox()))
        for page in self.pages:
            page.flags = page.bridge.advance(self.now)
            if page.flags & FLAG_OUTBOX:
                self.carry_out(page, page.bridge.outbox_length())

    def until(self, true: Callable[[], bool], most: int = 3000, play: Any = None) -> int:
        """Tick until something is true."""
        for count in range(most):
            if true():
                return count
            self.tick(*(play(count) if play else ()))
        raise AssertionError(f"not true after {most} ticks")


def pair(lose: Callable[[], bool] = lambda: False, players: Any = (0, 1), **settings: Any) -> Pair:
    """Two pages with a volley each."""
    of = {"max_steps": 60, "num_episodes": 2, **settings}
    return Pair([Page(me, list(players), volley.make_env(), of) for me in seat_order(list(players))], lose)


def keys(count: int) -> tuple[int, int]:
    """Somebody plays."""
    return count // 7 % 6, count // 5 % 6


def done(of: Pair) -> Callable[[], bool]:
    """Both sessions are over."""
    return lambda: all(page.bridge.session.phase == DONE for page in of.pages)
