"""The page's way in: two calls per tick over shared buffers, everything else as JSON text.

The shim writes what arrived into `inbox`, calls `poll` and `advance`, and carries out what stands in `outbox`.
It decides nothing. All numbers little-endian::

    inbox   0 u8 socket.io connected | 1 u8 page flags (1 = hidden) | 2 u16 0 | 4 + 4·link i32 channel state
            then records: u8 kind | u8 link (255 none) | u16 length | f64 arrival | payload
            kinds: 1 datagram, 3 JSON {"event", "data"}
    outbox  0 f64 seconds per tick | 8 i32 current frame | 12 i32 phase
            from 16 records: u8 kind | u8 link | u16 length | u32 seq | payload
            kinds: 1 datagram, 2 socket.io emit, 3 RTC command, 4 news (each but the first as JSON)

A link is named by its index among the links, which are in the order of seats without the own one.
"""

from __future__ import annotations

import dataclasses
import json
import struct
from typing import Any, Final, Protocol

from pycore.duties import P2P, SEND, Output
from pycore.envs import RNGS, ParallelEnvAdapter
from pycore.errors import ActionError, PycoreError
from pycore.events import EpisodeEnded, Event, Log, PathChanged, PhaseChanged
from pycore.link.negotiation import SIGNALS, Negotiator, ice_configuration
from pycore.records.metrics import episode_line, export_session_metrics, p2p_metrics
from pycore.records.trajectory import Trajectory, trajectory_text
from pycore.session.phases import DONE, PHASE_NAMES, READYING
from pycore.session.session import RESIMULATED, Session
from pycore.settings import Settings
from pycore.simulation import Renderable, Resumable
from pycore.values.json import to_json

BUFFER_BYTES: Final = 1 << 17
OUTBOX_START: Final = 16
LARGEST_RECORD: Final = 0xFFFF
NO_LINK: Final = 255
WRITTEN: Final = 4
"""Confirmed frames that are written down in a tick: most have one, after a stall or a rollback there are many."""
BEHIND: Final = 32
"""So many may wait for a tick without a rollback."""

_dense: Final = json.JSONEncoder(separators=(",", ":")).encode

IN_DATAGRAM: Final = 1
IN_EVENT: Final = 3
OUT_DATAGRAM: Final = 1
OUT_EMIT: Final = 2
OUT_RTC: Final = 3
OUT_NEWS: Final = 4

FLAG_OUTBOX: Final = 16

_IN: Final = struct.Struct("<BBHd")
_OUT: Final = struct.Struct("<BBHI")
_HEAD: Final = struct.Struct("<dii")


def create(config_json: str, env: Any) -> Bridge:
    """A bridge for the environment and the game that the JSON text describes; the page calls it once per game."""
    return Bridge(json.loads(config_json), env)


def seat_order(players: list[int | str]) -> list[int | str]:
    """Players in the order of seats, as the page sorts them: numbers by value, strings by UTF-16 code unit."""
    return sorted(players, key=lambda p: (0, p, b"") if type(p) is int else (1, 0, str(p).encode("utf-16-be")))


class Records(Protocol):
    """Something that takes confirmed frames and writes them down later."""

    @property
    def waiting(self) -> int:
        """Frames that are not written down yet."""

    def write(self, most: int) -> None:
        """Write down so many of them."""


class Bridge:
    """One game in the page."""

    def __init__(self, config: dict[str, Any], env: Any) -> None:
        settings = Settings.of(config.get("settings") or {})
        players = seat_order(config["players"])
        me = [str(player) for player in players].index(str(config["player_id"]))
        now = float(config["now"])
        seed = int(config.get("seed") or 0)
        self.env = env
        simulation = self._simulation(config, players, seed, settings)
        self._render = simulation.render if isinstance(simulation, Renderable) else None
        self._resume = simulation.resume if isinstance(simulation, Resumable) else None
        self.session = Session(
            simulation,
            settings,
            game_id=str(config["game_id"]),
            players=players,
            me=me,
            now=now,
            wall_ms=float(config["wall_ms"]),
            seed=seed,
            sink=self._confirmed,
        )
        self.trajectory = Trajectory(self.session.codec)
        ice = ice_configuration(config.get("turn_config"), config.get("ice_servers"))
        self._links = self.session.links
        self.link_count = len(self._links)
        self._index_of = {link.seat: index for index, link in enumerate(self._links)}
        self._negotiators = [Negotiator(me < link.seat, now, ice) for link in self._links] if settings.p2p else []
        self._seat_of = {str(player): seat for seat, player in enumerate(players)}
        self.inbox = bytearray(BUFFER_BYTES)
        self.outbox = bytearray(BUFFER_BYTES)
        self._channels = struct.Struct(f"<{len(self._links)}i")
        self._head = 4 + 4 * len(self._links)
        self._end = OUTBOX_START
        self._waiting: list[tuple[int, int, int, bytes]] = []
        self._now = now
        self._permanent: list[Any] = []
        self._resets = self._shown = 0
        self._socketio_rtt: float | None = None
        self._default = settings.default_action
        self._negotiated_at = now
        self._write_head()

    def _simulation(self, config: dict[str, Any], players: list[int | str], seed: int, settings: Settings) -> Any:
        """What the session steps, made of the environment."""
        env = self.env
        if all(callable(getattr(env, duty, None)) for duty in ("save", "load", "step", "canonical")):
            # It has the duties of a simulation already.
            return env
        rngs = config.get("rngs", rngs_of(env))
        simulation = ParallelEnvAdapter(env, players, seed=seed, rngs=rngs)
        simulation.check(settings.default_action)
        return simulation

    # -- the tick ---------------------------------------------------------------------------------------------

    def poll(self, now: float, action: Any, inbox_length: int) -> int:
        """Take in the inbox, dispatch the local action; returns the length of the outbox."""
        inbox = self.inbox
        session = self.session
        links = self._links
        self._now = now
        # What arrives may have answers of its own, which must not be written over.
        self._end = OUTBOX_START
        if self._waiting:
            self._put_waiting()
        channels = self._channels.unpack_from(inbox, 4)
        at = self._head
        while at < inbox_length:
            kind, index, length, came = _IN.unpack_from(inbox, at)
            at += 12
            payload = bytes(inbox[at : at + length])
            at += length
            if kind == IN_DATAGRAM:
                session.receive(links[index].seat, payload, came, P2P)
            elif kind == IN_EVENT:
                self._event(payload, came)
        if type(action) is str:
            action = self._action(action)
        try:
            outputs = session.poll(now, action, channels, inbox[0] != 0, bool(inbox[1] & 1))
        except ActionError as error:
            self._log(f"{error}; the default action is played instead", "error")
            outputs = session.poll(now, self._default, channels, inbox[0] != 0, bool(inbox[1] & 1))
        self._put_outputs(outputs)
        if self._negotiators:
            self._negotiate(now, channels)
        if session.has_news:
            self._put_all_news()
        self._write_head()
        return self._end

    def _action(self, text: str) -> Any:
        """An action that is no integer, from its JSON text."""
        return json.loads(text)

    def advance(self, now: float) -> int:
        """Roll back, step, publish; returns the flags, 16 among them if the outbox has news."""
        session = self.session
        self._end = OUTBOX_START
        if self._resume is not None:
            # Between two ticks there were pictures, and whatever else the page has this Python do.
            self._resume()
        flags = session.advance(now)
        self._write_down(self.trajectory, flags)
        if session.has_news:
            self._put_all_news()
        self._write_head()
        return flags | FLAG_OUTBOX if self._end > OUTBOX_START else flags

    @staticmethod
    def _write_down(records: Records, flags: int) -> None:
        """A rollback has enough to do; what it confirmed can wait for the next ticks."""
        if not flags & RESIMULATED or records.waiting > BEHIND:
            records.write(WRITTEN)

    def outbox_length(self) -> int:
        """Bytes in the outbox."""
        return self._end

    def send_failed(self, now: float, link: int, seq: int) -> int:
        """Sending a datagram raised in the page; returns the length of an outbox with what goes instead."""
        self._end = OUTBOX_START
        self._put_outputs(self.session.send_failed(self._links[link].seat, seq, now))
        self._put_all_news()
        self._write_head()
        return self._end

    def _write_head(self) -> None:
        session = self.session
        _HEAD.pack_into(self.outbox, 0, session.tick_period(), session.timeline.current, session.phase)

    # -- the outbox -------------------------------------------------------------------------------------------

    def _put_outputs(self, outputs: list[Output]) -> None:
        outbox = self.outbox
        end = self._end
        for duty, seat, seq, payload in outputs:
            if duty == SEND:
                size = len(payload)
                after = end + 8 + size
                if after > BUFFER_BYTES:
                    # Loss is what a datagram may suffer anyway.
                    continue
                _OUT.pack_into(outbox, end, OUT_DATAGRAM, self._index_of[seat], size, seq)
                outbox[end + 8 : after] = payload
                end = after
            else:
                self._end = end
                self._emit(*payload)
                end = self._end
        self._end = end

    def _emit(self, event: str, data: dict[str, Any]) -> None:
        """Have the page emit something over socket.io."""
        self._put(OUT_EMIT, NO_LINK, {"event": event, "data": data})

    def _put(self, kind: int, link: int, value: Any) -> None:
        self._put_record(kind, link, 0, _dense(value).encode())

    def _put_record(self, kind: int, link: int, seq: int, payload: bytes) -> None:
        if len(payload) > LARGEST_RECORD:
            text = f"a message of {len(payload)} bytes is too large for the page"
            payload = _dense({"news": "log", "level": "error", "text": text}).encode()
            kind, link = OUT_NEWS, NO_LINK
        after = self._end + 8 + len(payload)
        if self._waiting or after > BUFFER_BYTES:
            self._waiting.append((kind, link, seq, payload))
            return
        _OUT.pack_into(self.outbox, self._end, kind, link, len(payload), seq)
        self.outbox[self._end + 8 : after] = payload
        self._end = after

    def _put_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for record in waiting:
            self._put_record(*record)

    def _put_news(self, news: dict[str, Any]) -> None:
        self._put(OUT_NEWS, NO_LINK, news)

    def _put_all_news(self) -> None:
        """Lines of the log that belong together cross as one: a rollback may have ten."""
        lines: list[str] = []
        level = ""
        for event in self.session.news():
            if lines and not (isinstance(event, Log) and event.level == level):
                self._log("\n".join(lines), level)
                lines.clear()
            if isinstance(event, Log):
                level = event.level
                lines.append(event.text)
            else:
                self._put_event(event)
        if lines:
            self._log("\n".join(lines), level)

    def _put_event(self, event: Event) -> None:
        news = {"news": event.news, **dataclasses.asdict(event)}
        seat = news.pop("seat", None)
        if seat is not None:
            news["player"] = self.session.players[seat]
        self._put_news(news)
        if isinstance(event, PhaseChanged) and event.phase == PHASE_NAMES[READYING]:
            self._keep_permanent()
        if isinstance(event, PathChanged):
            self._log(_path_line(news))
        elif isinstance(event, EpisodeEnded):
            self._log(episode_line(self.session, event))

    def _log(self, text: str, level: str = "info") -> None:
        self._put_news({"news": "log", "level": level, "text": text})

    # -- what is not a datagram -------------------------------------------------------------------------------

    def _event(self, payload: bytes, came: float) -> None:
        """An event of socket.io or of the connection. What is malformed is logged; the game goes on."""
        try:
            message = json.loads(payload)
            self._take_event(message["event"], message["data"], came)
        except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError) as error:
            text = f"a message that cannot be read: {type(error).__name__}: {error}"
            self.session.log(text, "warning")

    def _take_event(self, event: str, data: Any, came: float) -> None:
        if event == "rtc":
            self._rtc(data, came)
        elif event == "webrtc_signal":
            # The same two may have played another game before.
            if "game_id" not in data or str(data["game_id"]) == self.session.game_id:
                self._signal(data, came)
        elif event == "pyodide_other_player_action":
            self._remote_action(self._seat_of[str(data["player_id"])], data, came)
        elif event == "end_game":
            self._end_game(data, came)

    def _remote_action(self, seat: int, data: dict[str, Any], came: float) -> None:
        self.session.receive_action(seat, data.get("action"), data.get("frame_number"), data.get("sync_epoch"), came)

    def _end_game(self, data: Any, now: float) -> None:
        if not self._links:
            return
        seat = self._seat_of.get(str(data.get("player_id"))) if isinstance(data, dict) else None
        if seat is None or seat == self.session.me:
            seat = self._links[0].seat
        self.session.player_left(seat, now)

    def _rtc(self, data: dict[str, Any], came: float) -> None:
        index = int(data["link"])
        if not 0 <= index < len(self._negotiators):
            raise IndexError(f"there is no link {index}")
        what: str = data["what"]
        value: Any = data.get("value")
        if what == "type":
            kind = str(value["connection_type"])
            details = {
                **value.get("details", {}),
                "detectedAtFrame": self.session.frame,
                "timestamp": round(self.session.wall_ms(came)),
            }
            self.session.set_connection_type(kind, details)
            report = {
                "game_id": self.session.game_id,
                "player_id": self.session.players[self.session.me],
                "connection_type": kind,
                "details": details,
            }
            text = to_json({"event": "p2p_connection_type", "data": report})
            self._put_record(OUT_EMIT, NO_LINK, 0, text.encode())
            return
        if what == "error":
            self.session.log(f"[WebRTC] {value}", "warning")
        self._negotiators[index].happened(what, value, int(data.get("generation", 0)), came)

    def _signal(self, data: dict[str, Any], came: float) -> None:
        seat = self._seat_of[str(data["from_player_id"])]
        if seat == self.session.me:
            return
        kind = data["type"]
        if kind == "pycore":
            self.session.receive_signal(seat, data.get("payload"), came)
        elif kind in SIGNALS and self._negotiators:
            self._negotiators[self._index_of[seat]].signalled(kind, data.get("payload"), came)

    def _negotiate(self, now: float, channels: tuple[int, ...]) -> None:
        """Ten times a second, and whenever there is something to say."""
        session = self.session
        look = now - self._negotiated_at >= 0.1 and session.phase < DONE
        if look:
            self._negotiated_at = now
        for index, negotiator in enumerate(self._negotiators):
            link = self._links[index]
            if look and self.inbox[0]:
                negotiator.poll(now, channels[index] >= 0, link.answers)
            if negotiator.commands:
                for command in negotiator.commands:
                    self._put(OUT_RTC, index, {"link": index, **command})
                negotiator.commands.clear()
            if negotiator.signals:
                for kind, payload in negotiator.signals:
                    signal = {
                        "game_id": session.game_id,
                        "target_player_id": session.players[link.seat],
                        "type": kind,
                        "payload": payload,
                    }
                    self._put(OUT_EMIT, NO_LINK, {"event": "webrtc_signal", "data": signal})
                negotiator.signals.clear()

    # -- what the page shows and stores -----------------------------------------------------------------------

    def _confirmed(self, *confirmed: Any) -> None:
        self.trajectory(*confirmed)

    def render(self) -> str:
        """What to draw now, as JSON text; called once per displayed frame. Empty without a picture.

        Permanent objects are given by the environment on frame 0 only; they are kept here and drawn anew with
        the first picture of an episode, whatever frame that shows.
        """
        objects = None if self._render is None else self._render()
        if objects is None:
            return ""
        reset = self._shown != self._resets
        if reset:
            self._shown = self._resets
            objects = [*self._permanent, *[item for item in objects if not _is_permanent(item)]]
        return json.dumps({"objects": objects, "reset": reset}, separators=(",", ":"))

    def _keep_permanent(self) -> None:
        """The environment was reset: its picture of frame 0, the only one with permanent objects, is of now."""
        self._resets += 1
        objects = None if self._render is None else self._render()
        self._permanent = [item for item in objects or () if _is_permanent(item)]

    def hud(self) -> str:
        """What the HUD shows, as JSON text."""
        session = self.session
        timeline = session.timeline
        players = []
        for seat, player in enumerate(session.players):
            entry: dict[str, Any] = {"id": player, "you": seat == session.me}
            if seat != session.me:
                link = session.link_to(seat)
                flow = link.wire if link.healthy else link.socket
                entry["path"] = link.path
                entry["rtt_ms"] = None if flow.rtt is None else round(flow.rtt * 1000)
                entry["fallback"] = link.fallback
                entry["hidden"] = bool(link.peer_status)
                entry["interrupted"] = session.is_interrupted(seat)
            players.append(entry)
        totals, info = self._score()
        return json.dumps(
            {
                "players": players,
                "frame": timeline.current,
                "confirmed": session.confirmed,
                "episode": session.episode,
                "num_episodes": session.settings.num_episodes,
                "max_steps": session.settings.max_steps,
                "fps": session.settings.fps,
                "rewards": [totals.get(player, 0) for player in session.players],
                "score": info.get("score") if isinstance(info, dict) else None,
                "rollbacks": timeline.events.count,
                "rollbacks_performed": timeline.rollbacks,
                "max_rollback_frames": timeline.events.max_frames,
                "stalled": session.stalled,
                "stalls": session.stalls,
                "holding": timeline.end is not None,
                "phase": PHASE_NAMES[session.phase],
                "connection_type": session.connection_type,
                "socketio_rtt_ms": None if self._socketio_rtt is None else round(self._socketio_rtt * 1000),
                "reason": session.reason,
            },
            default=str,
        )

    def _score(self) -> tuple[dict[Any, Any], Any]:
        """Rewards by agent up to the frame shown, predictions included, and the own info of the newest step."""
        session = self.session
        frames = session.timeline.frames
        totals = dict(self.trajectory.totals) if self.trajectory.episodes > session.episode else {}
        newest = None
        for frame in range(session.published + 1, session.timeline.current):
            newest = frames.results[frame & frames.mask]
            if newest is not None:
                for agent, reward in newest.rewards.items():
                    totals[agent] = totals.get(agent, 0) + reward
        if newest is None and session.timeline.current > 0:
            newest = frames.results[(session.timeline.current - 1) & frames.mask]
        info = None if newest is None else newest.infos.get(session.players[session.me])
        return totals, info

    def export_session_metrics(self) -> str:
        """S5's object as JSON text."""
        return to_json(export_session_metrics(self.session))

    def p2p_metrics(self) -> str:
        """The page's `p2pMetrics` as JSON text."""
        return to_json(p2p_metrics(self.session))

    def state(self) -> str:
        """The contract's smaller words as JSON text: p2pHealthy, p2pConnected, pendingRollbackFrame and others."""
        session = self.session
        return json.dumps(
            {
                "p2pHealthy": bool(self._links) and all(link.healthy for link in self._links),
                "p2pConnected": bool(self._links) and all(link.connected for link in self._links),
                "p2pInputSender": bool(self._links) and all(link.sender for link in self._links),
                "pendingRollbackFrame": session.pending_rollback_frame,
                "p2pHashMismatches": session.hash_mismatches,
                "syncEpoch": session.episode,
                "settled": session.phase > DONE or all(link.peer_over for link in self._links),
            }
        )

    def records(self) -> str:
        """The canonical trajectory of the session as JSON Lines."""
        return trajectory_text(self.session, self.trajectory)

    def episode_records(self, episode: int) -> str:
        """The canonical trajectory of one episode as JSON Lines, with the header."""
        return trajectory_text(self.session, self.trajectory, episode)

    def store_remote_input(self, player_id_json: str, action_json: str, frame: int) -> bool:
        """S4's storeRemoteInput, for a page that takes in inputs itself; true if it was accepted."""
        seat = self._seat_of[str(json.loads(player_id_json))]
        return self.session.store_remote_input(seat, json.loads(action_json), int(frame), self._now)

    def set_socketio_rtt(self, seconds: float) -> None:
        """Round-trip time to the server, for the HUD."""
        self._socketio_rtt = float(seconds)

    def request_stop(self, now: float) -> None:
        """End the session with the running episode."""
        self.session.request_stop(now)

    def close(self) -> None:
        """The page leaves the game."""
        close = getattr(self.env, "close", None)
        if callable(close):
            try:
                close()
            except Exception as error:  # whatever an environment's close does, the page must get away
                raise PycoreError(f"close() of {type(self.env).__name__} failed: {error}") from error


def rngs_of(env: Any) -> Any:
    """The generators that an environment's state does not hold: `rngs` of its metadata, otherwise all."""
    metadata = getattr(env, "metadata", None)
    return metadata.get("rngs", RNGS) if isinstance(metadata, dict) else RNGS


def _is_permanent(item: Any) -> bool:
    return isinstance(item, dict) and bool(item.get("permanent"))


def _path_line(change: dict[str, Any]) -> str:
    return (
        f"[P2P] player {change['player']}: {change['from_path']} -> {change['to_path']} "
        f"({change['cause']}) at frame {change['frame']} of episode {change['episode']}"
    )
