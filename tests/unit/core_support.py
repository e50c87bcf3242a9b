"""Sessions at one table: time is fed by hand, every packet lies in the open until the test delivers or drops it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pycore.duties import CHANNEL_NEVER, EMIT, SEND, SOCKETIO
from pycore.events import Log
from pycore.session.phases import PLAYING
from pycore.session.session import Session
from pycore.settings import Settings
from pycore.testing import Walk
from pycore.wire import datagram

PERIOD = 1 / 32
"""A period that floats hold exactly, so that times in tests are exact as well."""


def settings(**values: Any) -> Settings:
    """Settings for the table: 32 fps, six actions."""
    return Settings(**{"fps": 32, "action_space": {"type": "discrete", "n": 6}, **values})


class Table:
    """Two or more sessions. `tick` polls all, delivers what they sent, and lets all advance.

    What arrives first passes `passes(sender, to, what)`; `what` is a packet's bytes, or (event, data) of the server.
    With `held` set nothing is delivered: it stays in `mail` until `deliver`.
    """

    def __init__(
        self,
        seats: int = 2,
        of: Settings | None = None,
        *,
        simulation: Callable[[int], Any] | None = None,
        each: Sequence[dict[str, Any]] | None = None,
        channel: int = 0,
        now: float = 100.0,
        **session: Any,
    ) -> None:
        self.settings = of or settings()
        self.now = now
        self.period = self.settings.period
        make = simulation or (lambda seat: Walk(seats, seed=7))
        self.published: list[list[tuple[Any, ...]]] = [[] for _ in range(seats)]
        given: dict[str, Any] = {"game_id": "table", "players": list(range(seats)), "wall_ms": 1e12, **session}
        self.sessions = [
            Session(
                make(seat),
                **{
                    "settings": self.settings,
                    "me": seat,
                    "now": now,
                    "sink": self._sink(seat),
                    **given,
                    **(each[seat] if each else {}),
                },
            )
            for seat in range(seats)
        ]
        self.channels = [[channel] * (seats - 1) for _ in range(seats)]
        self.socket = [True] * seats
        self.hidden = [False] * seats
        self.mail: list[tuple[int, int, Any]] = []
        self.outputs: list[list[Any]] = [[] for _ in range(seats)]
        """What the last poll of each seat gave."""
        self.sent: list[list[Any]] = [[] for _ in range(seats)]
        """Everything that each seat gave."""
        self.news: list[list[Any]] = [[] for _ in range(seats)]
        self.held = False
        self.passes: Callable[[int, int, Any], bool] = lambda sender, to, what: True

    def _sink(self, seat: int) -> Callable[..., None]:
        def sink(episode: int, frame: int, encoded: list[bytes], result: Any, digest: Any) -> None:
            self.published[seat].append((episode, frame, tuple(encoded), digest))

        return sink

    def __getitem__(self, seat: int) -> Session:
        return self.sessions[seat]

    def poll(self, seat: int, action: Any = 0) -> list[Any]:
        """One seat's poll at this moment; what it sends lies in `mail`."""
        session = self.sessions[seat]
        outputs = session.poll(self.now, action, self.channels[seat], self.socket[seat], self.hidden[seat])
        self.outputs[seat] = outputs
        self.post(seat, outputs)
        return outputs

    def post(self, seat: int, outputs: list[Any]) -> None:
        """Put outputs into the mail."""
        self.sent[seat].extend(outputs)
        session = self.sessions[seat]
        for duty, to, _seq, payload in outputs:
            if duty == SEND:
                if self.channels[seat][_index(session, to)] >= 0:
                    self.mail.append((seat, to, payload))
            elif payload[0] == "webrtc_signal":
                self.mail.append((seat, session.players.index(payload[1]["target_player_id"]), payload))
            else:
                self.mail.extend((seat, link.seat, payload) for link in session.links)

    def deliver(self) -> None:
        """Everything in the mail arrives now."""
        mail, self.mail = self.mail, []
        for sender, to, what in mail:
            if self.passes(sender, to, what):
                self.arrive(sender, to, what)

    def arrive(self, sender: int, to: int, what: Any) -> None:
        """One packet or event arrives."""
        session = self.sessions[to]
        if isinstance(what, bytes):
            if self.channels[to][_index(session, sender)] >= 0:
                session.receive(sender, what, self.now)
        elif self.socket[to]:
            event, data = what
            if event == "webrtc_signal":
                session.receive_signal(sender, data["payload"], self.now)
            else:
                session.receive_action(sender, data["action"], data["frame_number"], data["sync_epoch"], self.now)

    def advance(self, seat: int) -> int:
        """One seat's advance."""
        flags = self.sessions[seat].advance(self.now)
        self.news[seat].extend(self.sessions[seat].news())
        return flags

    def tick(self, *actions: Any) -> list[int]:
        """One period passes for everybody; returns everybody's flags."""
        self.now += self.period
        for seat in range(len(self.sessions)):
            self.poll(seat, actions[seat] if seat < len(actions) else 0)
        if not self.held:
            self.deliver()
        return [self.advance(seat) for seat in range(len(self.sessions))]

    def ticks(self, count: int, *actions: Any) -> None:
        """Several ticks with the same actions."""
        for _ in range(count):
            self.tick(*actions)

    def until(self, true: Callable[[], bool], most: int = 2000) -> int:
        """Tick until something is true; returns how many ticks it took. More than `most` is a failure."""
        for count in range(most):
            if true():
                return count
            self.tick()
        raise AssertionError(f"not true after {most} ticks")

    def start(self) -> Table:
        """Tick until everybody plays."""
        self.until(lambda: all(session.phase == PLAYING for session in self.sessions))
        return self

    def logs(self, seat: int) -> list[str]:
        """The lines that one seat logged."""
        return [event.text for event in self.news[seat] if isinstance(event, Log)]

    def events(self, seat: int, kind: type) -> list[Any]:
        """One seat's news of one kind."""
        return [event for event in self.news[seat] if isinstance(event, kind)]


def _index(session: Session, seat: int) -> int:
    return seat if seat < session.me else seat - 1


def actions_of(outputs: Sequence[Any]) -> list[dict[str, Any]]:
    """The S3 messages among outputs."""
    return [payload[1] for duty, _l, _s, payload in outputs if duty == EMIT and payload[0] == "pyodide_player_action"]


def signals_of(outputs: Sequence[Any]) -> list[dict[str, Any]]:
    """The signals among outputs."""
    return [payload[1] for duty, _l, _s, payload in outputs if duty == EMIT and payload[0] == "webrtc_signal"]


def datagrams_of(outputs: Sequence[Any], kind: int = datagram.KIND) -> list[bytes]:
    """The datagrams (or probes) among outputs."""
    return [payload for duty, _l, _s, payload in outputs if duty == SEND and payload[0] == kind]


def opened(session: Session, data: bytes) -> datagram.Datagram:
    """A datagram as a peer at the same place would read it."""
    return datagram.decode(data, session.codec, len(session.players) - 1, session.frame, session.episode, 0)


def mishaps(session: Session) -> dict[str, Any]:
    """What garbage may change: only how much of it there was, and when something was heard."""
    return {"malformed": session.exchange.malformed, "foreign": session.exchange.foreign}


def visible(session: Session) -> dict[str, Any]:
    """Everything of a session that decides what it steps, sends, counts and exports."""
    frames = session.timeline.frames
    exchange = session.exchange
    return {
        "held": list(frames.held),
        "missing": list(frames.missing),
        "encoded": [list(row) for row in frames.encoded],
        "actions": [list(row) for row in frames.actions],
        "states": list(frames.states),
        "opened": frames.opened,
        "current": session.timeline.current,
        "stepped": session.timeline.total,
        "pending": session.timeline.pending,
        "end": session.timeline.end,
        "events": session.timeline.events.count,
        "phase": session.phase,
        "episode": session.episode,
        "published": session.published,
        "confirmed": session.confirmed,
        "dispatched": exchange.dispatched,
        "stop": exchange.stop_frame,
        "mismatches": exchange.hash_mismatches,
        "contradictions": exchange.contradictions,
        "paths": list(exchange.path_changes),
        "hashes": {
            seat: (dict(h._own), dict(h._theirs), list(h._wanted), list(h._answers), h.compared)
            for seat, h in exchange.hashes.items()
        },
        "links": [
            {
                "acked": link.acked,
                "reported": link.reported,
                "dispatched": link.dispatched,
                "peer_dispatched": link.peer_dispatched,
                "peer_end": link.peer_end,
                "peer_episode": link.peer_episode,
                "peer_ready": dict(link.peer_ready),
                "peer_status": link.peer_status,
                "peer_hears_ready": link.peer_hears_ready,
                "socket_ready_from": link.socket_ready_from,
                "fallback": link.fallback,
                "sender": link.sender,
                "connected": link.connected,
                "path": link.path,
                "refusals": link.refusals,
                "advantage": link.advantage,
                "counts": [getattr(link.counts, name) for name in link.counts.__slots__],
            }
            for link in session.links
        ],
    }


__all__ = [
    "CHANNEL_NEVER", "PERIOD", "SOCKETIO", "Table", "actions_of", "datagrams_of", "mishaps", "opened", "settings",
    "signals_of", "visible",
]  # fmt: skip
