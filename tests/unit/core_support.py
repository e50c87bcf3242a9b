"""Sessions at one table: time is fed by hand, every packet lies in the open until the test delivers or drops it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

from pycore.actions.codec import ActionCodec
from pycore.duties import CHANNEL_NEVER, EMIT, SEND, SOCKETIO
from pycore.events import Log
from pycore.session.confirmed import ConfirmedFrame
from pycore.session.phases import DONE, FAILED, PLAYING
from pycore.session.session import Session
from pycore.settings import Settings
from pycore.simulation import StepResult
from pycore.testing import Walk
from pycore.wire import datagram

PERIOD = 1 / 32
"""A period that floats hold exactly, so that times in tests are exact as well."""


def settings(**values: Any) -> Settings:
    """Settings for the table: 32 fps, six actions."""
    return Settings(**{"fps": 32, "action_space": {"type": "discrete", "n": 6}, **values})


class Taken:
    """A sink that keeps what it is given, as rows (episode, frame, actions, digest); the end has no actions."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.texts: list[str] = []
        self.cuts: list[tuple[int, int]] = []

    def frame(self, frame: ConfirmedFrame) -> None:
        """A confirmed frame."""
        self.rows.append((frame.episode, frame.frame, frame.actions, frame.digest))
        self.texts.append(frame.text)

    def end(self, episode: int, frames: int, digest: bytes) -> None:
        """The episode is complete."""
        self.rows.append((episode, frames, (), digest))

    def cut(self, episode: int, frames: int) -> None:
        """What was confirmed beyond is taken back."""
        self.cuts.append((episode, frames))
        self.rows[:] = [row for row in self.rows if row[0] < episode or row[1] < frames]


class Table:
    """Two or more sessions. `tick` polls all, delivers what they sent, and lets all advance.

    What arrives first passes `passes(sender, to, what)`; `what` is a packet's bytes, or (event, data) of the server.
    With `held` set nothing is delivered: it stays in `mail` until `deliver`.
    There is one session for each of `peers`, the seats that each owns; by default each owns one.
    """

    def __init__(
        self,
        seats: int = 2,
        of: Settings | None = None,
        *,
        simulation: Callable[[int], Any] | None = None,
        each: Sequence[dict[str, Any]] | None = None,
        peers: Sequence[Sequence[int]] | None = None,
        channel: int = 0,
        now: float = 100.0,
        **session: Any,
    ) -> None:
        self.settings = of or settings()
        self.now = now
        self.period = self.settings.period
        self.owned = [list(owned) for owned in peers] if peers is not None else [[seat] for seat in range(seats)]
        count = len(self.owned)
        make = simulation or (lambda peer: Walk(seats, seed=7))
        self.taken = [Taken() for _ in range(count)]
        self.published = [taken.rows for taken in self.taken]
        given: dict[str, Any] = {"game_id": "table", "players": list(range(seats)), "wall_ms": 1e12, **session}
        self.sessions = [
            Session(
                make(peer),
                **{
                    "settings": self.settings,
                    "me": peer,
                    "now": now,
                    "sinks": (self.taken[peer],),
                    "peers": peers,
                    **given,
                    **(each[peer] if each else {}),
                },
            )
            for peer in range(count)
        ]
        self.channels = [[channel] * (count - 1) for _ in range(count)]
        self.socket = [True] * count
        self.hidden = [False] * count
        self.mail: list[tuple[int, int, Any]] = []
        self.outputs: list[list[Any]] = [[] for _ in range(count)]
        """What the last poll of each peer gave."""
        self.sent: list[list[Any]] = [[] for _ in range(count)]
        """Everything that each peer gave."""
        self.news: list[list[Any]] = [[] for _ in range(count)]
        self.held = False
        self.passes: Callable[[int, int, Any], bool] = lambda sender, to, what: True

    def __getitem__(self, peer: int) -> Session:
        return self.sessions[peer]

    def idle(self, peer: int) -> Any:
        """The action of a peer that presses nothing."""
        own = len(self.owned[peer])
        return 0 if own == 1 else [0] * own

    def poll(self, peer: int, action: Any = None) -> list[Any]:
        """One peer's poll at this moment; what it sends lies in `mail`."""
        session = self.sessions[peer]
        if action is None:
            action = self.idle(peer)
        outputs = session.poll(self.now, action, self.channels[peer], self.socket[peer], self.hidden[peer])
        self.outputs[peer] = outputs
        self.post(peer, outputs)
        return outputs

    def post(self, peer: int, outputs: list[Any]) -> None:
        """Put outputs into the mail."""
        self.sent[peer].extend(outputs)
        session = self.sessions[peer]
        for duty, to, _seq, payload in outputs:
            if duty == SEND:
                if self.channels[peer][_index(session, to)] >= 0:
                    self.mail.append((peer, to, payload))
            elif payload[0] == "webrtc_signal":
                seat = session.players.index(payload[1]["target_player_id"])
                self.mail.append((peer, self._owner(seat), payload))
            elif payload[0] == "pyodide_player_action":
                self.mail.extend((peer, link.peer.number, payload) for link in session.links)

    def _owner(self, seat: int) -> int:
        return next(peer for peer, owned in enumerate(self.owned) if seat in owned)

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
                seat = session.players.index(data["player_id"])
                session.receive_action(seat, data["action"], data["frame_number"], data["sync_epoch"], self.now)

    def advance(self, peer: int) -> int:
        """One peer's advance."""
        flags = self.sessions[peer].advance(self.now)
        self.news[peer].extend(self.sessions[peer].news())
        return flags

    def tick(self, *actions: Any) -> list[int]:
        """One period passes for everybody; returns everybody's flags."""
        self.now += self.period
        for peer in range(len(self.sessions)):
            self.poll(peer, actions[peer] if peer < len(actions) else None)
        if not self.held:
            self.deliver()
        return [self.advance(peer) for peer in range(len(self.sessions))]

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

    def finish(self, most: int = 2000) -> Table:
        """Tick until every session is over."""
        self.until(lambda: all(session.phase in (DONE, FAILED) for session in self.sessions), most)
        return self

    def logs(self, peer: int) -> list[str]:
        """The lines that one peer logged."""
        return [event.text for event in self.news[peer] if isinstance(event, Log)]

    def events(self, peer: int, kind: type) -> list[Any]:
        """One peer's news of one kind."""
        return [event for event in self.news[peer] if isinstance(event, kind)]

    def forged(
        self,
        sender: int,
        *,
        episode: int = 0,
        seq: int = 9999,
        echo: int = 0,
        hold: int = datagram.NO_SAMPLE,
        first: int = 1,
        advantage: int = 0,
        receipts: Sequence[int] | None = None,
        inputs: Sequence[bytes] = (),
        runs: Sequence[datagram.Run] = (),
        blocks: Sequence[tuple[int, bytes]] = (),
        incarnation: int | None = None,
        game: Session | None = None,
    ) -> bytes:
        """A datagram as this peer could have sent it."""
        session = self.sessions[sender]
        flags = len(inputs) | (datagram.RUNS if runs else 0) | (datagram.BLOCKS if blocks else 0)
        body = b"".join(inputs) + datagram.encode_runs(runs)
        body += b"".join(datagram.encode_block(kind, payload) for kind, payload in blocks)
        others = len(session.players) - len(self.owned[sender])
        return datagram.encode(
            tag_of(game or session), session.incarnation if incarnation is None else incarnation, episode, seq, echo,
            hold, first, flags, advantage, [-1] * others if receipts is None else receipts, body,
        )  # fmt: skip


def _index(session: Session, peer: int) -> int:
    return peer if peer < session.me else peer - 1


def tag_of(session: Session) -> int:
    """What every packet of the session begins with."""
    return session._identity.tag


def actions_of(outputs: Sequence[Any]) -> list[dict[str, Any]]:
    """The messages of `pyodide_player_action` among outputs."""
    return [payload[1] for duty, _l, _s, payload in outputs if duty == EMIT and payload[0] == "pyodide_player_action"]


def signals_of(outputs: Sequence[Any]) -> list[dict[str, Any]]:
    """The signals among outputs."""
    return [payload[1] for duty, _l, _s, payload in outputs if duty == EMIT and payload[0] == "webrtc_signal"]


def datagrams_of(outputs: Sequence[Any], kind: int = datagram.KIND) -> list[bytes]:
    """The datagrams (or probes) among outputs."""
    return [payload for duty, _l, _s, payload in outputs if duty == SEND and payload[0] == kind]


def opened(session: Session, data: bytes) -> datagram.Datagram:
    """A datagram that this session sent, as a peer at the same place would read it."""
    own = session._identity.own
    return datagram.decode(
        data, [seat.codec for seat in session.seats], own[0] if own else -1, len(session.players) - len(own),
        session.frame, session.episode, 0,
    )  # fmt: skip


# -- what a session is, looked at from outside ---------------------------------------------------------------------

HEARING = ("heard_at", "received", "rtt", "_recent", "newest_at", "_samples")
"""Of a flow: when and how often something was heard, and the round-trip time that it told."""
CARRIED = tuple(f".counts.{what}_received_via_{path}" for what in ("packets", "bytes") for path in ("p2p", "socketio"))
"""Of a link: how much came, whatever it was."""
REFUSALS = ("malformed", "foreign", "news", "_logged_at")
"""Of the journal: what garbage may change is how much of it there was, and what was logged of it."""


def everything(session: Session) -> dict[str, Any]:
    """Every field of a session and of all that it is made of, by its path: nobody can forget to list a new one.

    What several parts hold is listed once, by the shortest path. Codecs only remember what they read before.
    """
    found: dict[str, Any] = {}
    seen: set[int] = set()
    queue: deque[tuple[str, Any]] = deque([("", session)])
    while queue:
        path, value = queue.popleft()
        if _plain(value):
            found[path] = value
        elif isinstance(value, (tuple, list, deque)):
            if all(_plain(item) for item in value):
                found[path] = tuple(value)
            else:
                found[f"{path}.length"] = len(value)
                queue.extend((f"{path}[{index}]", item) for index, item in enumerate(value))
        elif isinstance(value, (dict, MappingProxyType)):
            found[f"{path}.keys"] = tuple(value)
            queue.extend((f"{path}[{key!r}]", item) for key, item in value.items())
        elif isinstance(value, bytearray):
            found[path] = bytes(value)
        elif hasattr(value, "hexdigest"):
            found[path] = value.hexdigest()
        elif isinstance(value, StepResult):
            found[path] = (repr(value.rewards), repr(value.terminations), repr(value.truncations), value.done)
        elif hasattr(value, "save") and hasattr(value, "load"):
            found[path] = repr(value.save())
        elif not callable(value) and not isinstance(value, ActionCodec) and id(value) not in seen:
            seen.add(id(value))
            queue.extend(
                (f"{path}.{name}" if path else name, getattr(value, name))
                for name in _fields(value)
                if hasattr(value, name)
            )
    return found


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, (int, float, str, bytes))


def _fields(value: Any) -> list[str]:
    names = [name for kind in type(value).__mro__ for name in vars(kind).get("__slots__", ())]
    # What is reached by two names is told by the public one.
    return sorted({*names, *getattr(value, "__dict__", ())}, key=lambda name: (name.startswith("_"), name))


def visible(session: Session) -> dict[str, Any]:
    """Everything of a session that decides what it steps, sends, counts and exports.

    Left out is when something was heard, and how much was refused.
    """
    hearing = tuple(f".{flow}.{name}" for flow in ("wire", "socket") for name in HEARING)
    refusals = tuple(f"journal.{name}" for name in REFUSALS)
    return {
        path: value
        for path, value in everything(session).items()
        if not path.startswith(refusals) and not path.endswith((*hearing, *CARRIED))
    }


def moved(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """The paths at which two looks differ, but for how much came."""
    nothing = object()
    return {
        path for path in {*before, *after}
        if before.get(path, nothing) != after.get(path, nothing) and not path.endswith(CARRIED)
    }  # fmt: skip


__all__ = [
    "CHANNEL_NEVER", "PERIOD", "SOCKETIO", "Table", "Taken", "actions_of", "datagrams_of", "everything", "moved",
    "opened", "settings", "signals_of", "tag_of", "visible",
]  # fmt: skip
