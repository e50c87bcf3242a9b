"""The page's way in: two calls per tick over shared buffers, everything else as JSON text.

    length = bridge.poll(now, action, inbox_length)   # what arrived is in the inbox; the outbox says what to send
    flags = bridge.advance(now)                       # roll back, step, publish; with 16 the outbox has news

Either may raise what the simulation did; the session is over then, and further calls tell the others.

A bridge is given a game, a simulation and, by a page that has words of its own, a companion; nothing is derived from
it. The shim writes the inbox, carries out the outbox (`buffers`) and decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pycore.bridge.buffers import IN_EVENT, NO_LINK, OUT_EMIT, OUT_NEWS, TO_SESSION, Inbox, Outbox
from pycore.bridge.companion import Alone, Companion
from pycore.bridge.connections import Connections
from pycore.bridge.figures import Figures
from pycore.bridge.game import Game, simulation_of
from pycore.bridge.news import joined
from pycore.bridge.refusals import Refusals
from pycore.bridge.returns import Returns, again
from pycore.bridge.seats import looks_of, who_left
from pycore.bridge.sent import Sent
from pycore.bridge.stores import Stores
from pycore.bridge.view import Pictures, View
from pycore.duties import P2P, SEND, SEND_CHUNK, Output
from pycore.envs import ParallelEnvAdapter
from pycore.envs.measured import measured
from pycore.errors import ActionError, PycoreError, described
from pycore.events import EpisodeEnded, Log, News, PathChanged, PhaseChanged
from pycore.policy import Policy, Predictor
from pycore.records.experienced import Experienced
from pycore.records.metrics import episode_line, path_line
from pycore.records.trajectory import Trajectory
from pycore.session.identity import NO_POLICIES
from pycore.session.phases import DONE, PHASE_NAMES, READYING
from pycore.session.session import Session
from pycore.session.tick import RESIMULATED, STEPPED
from pycore.simulation import Renderable, Resumable, Simulation

FLAG_OUTBOX: Final = 16
"""Beside the session's flags: the outbox has something."""

DISPLAYED: Final = STEPPED | RESIMULATED
"""Flags of a tick after which there is another picture."""

WALL_OFF_MS: Final = 1000.0
"""By so much the wall clock may be off what this page's monotonic clock makes of it. Of a machine that slept, whose
monotonic clock stood still, it is off by more; put right by a little, it would change the order of two frames."""

MALFORMED: Final = (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError)
"""What reading a message raises that is none."""


def create(
    config_json: str,
    env: Any,
    clock: Callable[[], float] | None = None,
    policies: Mapping[int | str, Policy] = NO_POLICIES,
    predictor: Predictor | None = None,
    stand_in: Policy | None = None,
) -> Bridge:
    """A bridge for the environment and the game that the JSON text describes (`Game.of`, and `rngs`, the generators
    that the environment's state does not hold); the page calls it once per game. With its clock (s) it is measured
    what the environment takes here. `policies` (by player), `predictor`, `stand_in` are those of the settings."""
    config = json.loads(config_json)
    game = Game.of(config)
    simulation = simulation_of(env, game, config.get("rngs"))
    bridge = Bridge(game, simulation, owned=env, policies=policies, predictor=predictor, stand_in=stand_in)
    if isinstance(simulation, ParallelEnvAdapter):
        bridge.session.log(f"[pycore] {simulation.described()}")
    if clock is not None:
        bridge.measure(clock, game.default_actions)
    return bridge


class Bridge:
    """One game in the page. `owned` is closed with it, if it can be; `more` is handed to the session."""

    def __init__(
        self,
        game: Game,
        simulation: Simulation,
        *,
        companion: Companion | None = None,
        owned: Any = None,
        **more: Any,
    ) -> None:
        self.trajectory = Trajectory()
        self.session = session = Session(
            simulation, game.settings, game_id=game.game_id, players=game.players, me=game.me, load=game.load,
            now=game.now, wall_ms=game.wall_ms, seed=game.seed, sinks=(self.trajectory,), **more,
        )  # fmt: skip
        self.seat_of = {str(player): seat for seat, player in enumerate(session.players)}
        self.now = game.now  # of the last call
        self._journal = session.journal
        self._links = session.links
        self.link_count = len(self._links)
        self._index_of = {link.seat: index for index, link in enumerate(self._links)}
        self._in = Inbox(self.link_count)
        self._streams = self._in.streams
        self._out = Outbox()
        self.inbox = self._in.data
        self.outbox = self._out.data
        self._connections = Connections(game, session, self._out)
        self._companion: Companion = Alone() if companion is None else companion
        self._owned = owned
        self._resume = simulation.resume if isinstance(simulation, Resumable) else None
        # A companion has pictures of its own.
        self._pictures = Pictures(simulation) if companion is None and isinstance(simulation, Renderable) else None
        self._refusals = Refusals()
        self._returns = Returns(session, self.seat_of)
        self._figures = Figures(session, game.wall_ms, game.joined_ms, self._returns)
        self._experienced = Experienced(session, game.now) if game.settings.experienced and companion is None else None
        # A companion's page keeps records of its own, and stores them its own way.
        every = game.settings.store_every if companion is None else 0.0
        self._stores = Stores(session, self.trajectory, self._experienced, self._figures.export, game.now, every)
        self._sent = sent = Sent(session)
        self.view = View(
            session, self.trajectory, self._pictures, self._figures, sent,
            self._refusals, lambda: self.now, game.winner, looks_of(owned, game.settings, len(session.players)),
        )  # fmt: skip
        self._default = session.seats[session.me].default_action
        self._write_head()

    # -- the tick ---------------------------------------------------------------------------------------------

    def poll(self, now: float, action: Any, inbox_length: int) -> int:
        """Take in the inbox, dispatch the local action (an integer, or the JSON text of any other; an empty text is
        none, and the seat's default is played); returns the length of the outbox."""
        session = self.session
        self.now = now
        # What arrives may have answers of its own, which must not be written over.
        self._out.begin()
        connected, hidden, channels, arrived = self._in.read(inbox_length)
        for kind, index, came, payload in arrived:
            if kind in TO_SESSION:
                session.receive(self._links[index].seat, payload, came, P2P)
            elif kind == IN_EVENT:
                self.happened(payload, came)
        if self.link_count and min(channels) < 0:
            channels = self._connections.seen(channels)
        if type(action) is str:
            action = self._companion.action(action) if action else self._default
        row = self._sent.row
        try:
            outputs = session.poll(now, row(action), channels, connected, hidden, self._streams)
        except ActionError as error:
            self._refused(error)
            outputs = session.poll(now, row(self._default), channels, connected, hidden, self._streams)
        self._put_outputs(outputs)
        if now >= self._connections.look_at:
            self._connections.look(now, channels, connected, session.phase >= DONE)
        return self.finish() if self._journal.news else self._out.end

    def advance(self, now: float) -> int:
        """Roll back, step, publish; returns the flags, 16 among them if the outbox has news."""
        self.now = now
        self._out.restart()
        if self._resume is not None and self.session.phase < DONE:
            try:  # between two ticks there were pictures, and whatever else the page has this Python do
                self._resume()
            except Exception as error:
                self.session.abort(now, "error", described(error))
                raise
        pending = self.session.timeline.pending
        flags = self.session.advance(now)
        inbox = self.inbox
        worked = inbox[2] | inbox[3] << 8
        self._figures.ticked(now, flags & DISPLAYED != 0, worked)
        if (experienced := self._experienced) is not None:
            experienced.ticked(now, flags, pending, inbox[1] & 1 == 1, worked)
        if now >= self._stores.due_at and self._stores.ask(now):
            self.tell({"news": "store"})
        if self._journal.news:
            self._put_all_news()
        self._write_head()
        return flags if self._out.is_empty else flags | FLAG_OUTBOX

    def outbox_length(self) -> int:
        """Bytes in the outbox."""
        return self._out.end

    def send_failed(self, now: float, link: int, seq: int) -> int:
        """Sending a datagram raised in the page; returns the length of an outbox with what goes instead."""
        return self.between(now, self._send_failed, link, seq)

    def _send_failed(self, now: float, link: int, seq: int) -> None:
        self._put_outputs(self.session.send_failed(self._links[link].seat, seq, now))

    def set_wall_ms(self, now: float, wall_ms: float) -> None:
        """The page's wall clock, which it reads anew now and then, and when somebody looks at it again."""
        session = self.session
        off = wall_ms - session.wall_ms(now)
        if abs(off) >= WALL_OFF_MS:
            session.set_wall_ms(now, wall_ms)
            self._figures.forget_clock()
            if self._experienced is not None:
                self._experienced.read_wall(now)
            session.log(f"the wall clock is {off / 1000:+.1f} s off where it should be, as after a sleep", "warning")

    def server_answered(self, sent: float, came: float, server_ms: float) -> None:
        """The server answered a probe, with its wall time; sent and came are seconds of the page's clock."""
        if self._figures.probed(float(sent), float(came), float(server_ms)) and self._experienced is not None:
            assert self._figures.clock is not None
            self._experienced.clock(self.now, *self._figures.clock)

    def take_stores(self, now: float) -> str:
        """What was recorded since the last time, for the page to keep until the server has it: events and payloads."""
        return self._stores.take(now)

    def take_end_stores(self, now: float, episode: int) -> str:
        """The same at the end of an episode, or, -1, of the session: with its metrics."""
        return self._stores.take_end(now, int(episode))

    def measure(self, clock: Callable[[], float], row: Sequence[Any]) -> None:
        """Have the session know what the simulation takes here. What that raises, the game will raise again."""
        try:
            costs = measured(self.session.simulation, clock, row)
        except Exception as error:
            self.session.log(f"the environment's costs could not be measured: {described(error)}", "warning")
            return
        self.session.pacing.set_costs(costs)
        times = ", ".join([f"{name} {seconds * 1000:.2f}" for name, seconds in costs.as_dict().items()])
        every = self.session.timeline.every
        self.session.log(f"[pycore] the environment takes, in ms: {times}; frames from snapshot to snapshot: {every}")

    def request_stop(self, now: float) -> None:
        """End the session with the running episode."""
        self.session.request_stop(now)

    def broke(self, now: float, text: str) -> int:
        """Something in the page raised: the session is over. The next polls tell the others; length of the outbox."""
        return self.between(now, self.session.abort, "error", text)

    def _refused(self, error: ActionError) -> None:
        if line := self._refusals.note(error, self.now):
            self.log(line, "error")
            self._companion.refused(self._refusals.notice(self.now), self.now)

    # -- for a companion, which speaks through the bridge -------------------------------------------------------

    def between(self, now: float, take: Callable[..., None], *details: Any) -> int:
        """Between two ticks the page says something: `take(now, *details)`; returns the length of the outbox."""
        self.now = now
        self._out.restart()
        take(now, *details)
        return self.finish()

    def skip(self) -> None:
        """This tick steps nothing: an outbox that is empty."""
        self._out.restart()

    def finish(self) -> int:
        """Put what the session has said since; returns the length of the outbox."""
        if self._journal.news:
            self._put_all_news()
            # A phase is entered with a word; the rest of the head changes with an advance.
            self._write_head()
        return self._out.end

    @property
    def hidden(self) -> bool:
        """Whether nobody sees the page."""
        return self._in.hidden

    def emit(self, event: str, data: dict[str, Any], keep: bool = False) -> None:
        """Have the page emit something over socket.io; `keep`: also if the connection is back only later."""
        order: dict[str, Any] = {"event": event, "data": data}
        if keep:
            order["keep"] = True
        self._out.put(OUT_EMIT, NO_LINK, order)

    def tell(self, news: dict[str, Any]) -> None:
        """News for the page."""
        self._out.put(OUT_NEWS, NO_LINK, news)

    def log(self, text: str, level: str = "info") -> None:
        """A line for the page's log."""
        self.tell({"news": "log", "level": level, "text": text})

    # -- the outbox -------------------------------------------------------------------------------------------

    def _write_head(self) -> None:
        session = self.session
        self._out.head(session.ticks.period(), session.timeline.current, session.phase)

    def _put_outputs(self, outputs: list[Output]) -> None:
        for duty, seat, seq, payload in outputs:
            if duty == SEND:
                self._out.datagram(self._index_of[seat], seq, payload)
            elif duty == SEND_CHUNK:
                self._out.chunk(self._index_of[seat], payload)
            elif self._companion.passes(*payload):
                # What the session says is worthless later: it says it anew, or otherwise.
                self.emit(*payload)

    def _put_all_news(self) -> None:
        for event in joined(self.session.news()):
            if isinstance(event, Log):
                self.log(event.text, event.level)
            else:
                self._put_event(event)

    def _put_event(self, event: News) -> None:
        news = {"news": event.news, **event.as_dict(), **again(event, self.session)}
        if (seat := news.pop("seat", None)) is not None:
            news["player"] = self.session.players[seat]
        self.tell(news)
        if self._pictures is not None and isinstance(event, PhaseChanged) and event.phase == PHASE_NAMES[READYING]:
            self._pictures.begin()
        if isinstance(event, PathChanged):
            self.log(path_line(news))
        elif isinstance(event, EpisodeEnded):
            self.log(episode_line(self.session, event))
            self.view.rounds.ended(event.episode, event.frames)
        self._returns.follow(event, self._stores)
        if self._experienced is not None:
            self._experienced.happened(event, self.now)
        self._companion.follow(event)

    # -- what is not a datagram -------------------------------------------------------------------------------

    def happened(self, payload: bytes, came: float) -> None:
        """An event of socket.io or of the connection. What is malformed is logged; the game goes on."""
        try:
            message = json.loads(payload)
            event, data = message["event"], message["data"]
            if not self._companion.take(event, data, came):
                self._take(event, data, came)
        except MALFORMED as error:
            self.session.log(f"a message that cannot be read: {type(error).__name__}: {error}", "warning")

    def _take(self, event: str, data: Any, came: float) -> None:
        if event == "rtc":
            self._connections.happened(data, came)
        elif event == "webrtc_signal":
            if self.is_ours(data):
                self._signal(data, came)
        elif event == "pyodide_other_player_action":
            self.remote_action(self.seat_of[str(data["player_id"])], data, came)
        elif event == "policy":
            self._sent.take(data)
        elif event == "end_game":
            self.player_left(data.get("player_id") if isinstance(data, dict) else None, came)
        else:
            self._returns.told(event, data, came)

    def is_ours(self, signal: dict[str, Any]) -> bool:
        """Whether a signal is of this game: the same two may have played another one before."""
        return "game_id" not in signal or str(signal["game_id"]) == self.session.game_id

    def _signal(self, data: dict[str, Any], came: float) -> None:
        seat = self.seat_of[str(data["from_player_id"])]
        if seat == self.session.me:
            return
        if data["type"] == "pycore":
            self.session.receive_signal(seat, data.get("payload"), came)
        else:
            self._connections.signalled(seat, data["type"], data.get("payload"), came)

    def remote_action(self, seat: int, data: dict[str, Any], came: float) -> None:
        """An input came through the server."""
        self.session.receive_action(seat, data.get("action"), data.get("frame_number"), data.get("sync_epoch"), came)

    def player_left(self, player: Any, now: float) -> None:
        """The server says that somebody is gone for good."""
        seat = who_left(self.session, player)
        if seat is None:
            self.session.log(f"the server says that the game has ended, and that player {player!r} left it", "warning")
        else:
            self.session.player_left(seat, now)

    def store_remote_input(self, player_id_json: str, action_json: str, frame: int) -> bool:
        """`storeRemoteInput`, for a page that takes in inputs itself; true if it was accepted."""
        seat = self.seat_of[str(json.loads(player_id_json))]
        return self.session.store_remote_input(seat, json.loads(action_json), int(frame), self.now)

    def set_socketio_rtt(self, seconds: float) -> None:
        """Round-trip time to the server, for the HUD."""
        self.view.socketio_rtt = float(seconds)

    def close(self) -> None:
        """The page leaves the game."""
        close = getattr(self._owned, "close", None)
        if callable(close):
            try:
                close()
            except Exception as error:  # whatever an environment's close does, the page must get away
                raise PycoreError(f"close() of {type(self._owned).__name__} failed: {error}") from error
