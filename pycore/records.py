"""What a session leaves behind: the canonical trajectory, and the metrics of S5.

The **canonical trajectory** is JSON Lines. Its first line names version, game, seed, players by seat,
environment and a digest of the agreed configuration; then comes one line per confirmed frame with actions,
rewards, terminations, truncations and infos, on every k-th frame with the hash of the state before it, and one
line at the end of each episode with the hash of the final state. It holds nothing that differs between peers
(no time, no local id, no path, no prediction), so it is byte-identical on all of them. JSON's keys are sorted,
floats are written by `repr`.

An info that JSON cannot spell is recorded as a text that says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from pycore import canonical
from pycore.codec import ActionCodec
from pycore.errors import PycoreError
from pycore.events import EpisodeEnded
from pycore.session import Session
from pycore.types import StepResult

VERSION: Final = 1
UNRECORDABLE: Final = "<cannot be recorded>"


def to_json(value: Any) -> str:
    """One line of JSON with sorted keys; what JSON does not know is an error that names the type."""
    return _encode(value)


def _plain(value: Any) -> Any:
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        return item()
    listed = getattr(value, "tolist", None)
    if callable(listed):
        return listed()
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=canonical.encode)
    raise TypeError(f"a record cannot hold a {type(value).__name__}")


# One encoder for all lines: json.dumps would make one each time.
_encode: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain).encode


def plain_json(value: Any) -> str:
    """JSON for a page, in the order given. It never fails: the numbers that JavaScript's parser refuses become null,
    infinities texts, and what JSON cannot spell a text that says so."""
    try:
        return _page(value)
    except (TypeError, ValueError):
        return _page(_spelt(value))


_page: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_plain).encode


def _spelt(value: Any) -> Any:
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return value if value - value == 0.0 else None if value != value else str(value)
    if isinstance(value, dict):
        return {key if isinstance(key, (str, int)) else str(key): _spelt(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spelt(part) for part in value]
    try:
        return _spelt(_plain(value))
    except (TypeError, ValueError, PycoreError):
        return UNRECORDABLE


class Trajectory:
    """Collects confirmed frames; it is the session's sink."""

    MOST: Final = 64
    """Frames that are kept as they came, should nobody call `write`: as text they take a tenth of the memory."""

    def __init__(self, codec: ActionCodec) -> None:
        self._codec = codec
        self._episodes: list[_Episode] = []
        self.totals: dict[Any, float] = {}
        """Confirmed rewards of the newest episode, summed by agent."""

    def __call__(
        self, episode: int, frame: int, encoded: list[bytes], result: StepResult | None, digest: bytes | None
    ) -> None:
        while len(self._episodes) <= episode:
            self._episodes.append(_Episode())
            self.totals = {}
        of = self._episodes[episode]
        if not encoded:
            of.end = digest
            return
        of.frames += 1
        of.fresh.append((frame, tuple(encoded), result, digest))
        if result is not None:
            totals = self.totals
            for agent, reward in result.rewards.items():
                totals[agent] = totals.get(agent, 0) + reward
        if len(of.fresh) >= self.MOST:
            self._write(episode, of, self.MOST)

    @property
    def waiting(self) -> int:
        """Frames of the newest episode that are kept as they came."""
        return len(self._episodes[-1].fresh) if self._episodes else 0

    def write(self, most: int) -> None:
        """Make text of some frames of the newest episode, which is work that can wait for a tick with little else."""
        if self._episodes and self._episodes[-1].fresh:
            self._write(len(self._episodes) - 1, self._episodes[-1], most)

    def _write(self, episode: int, of: _Episode, most: int) -> None:
        decode = self._codec.decode
        for frame, row, result, digest in of.fresh[:most]:
            line: dict[str, Any] = {"episode": episode, "frame": frame, "actions": [decode(e) for e in row]}
            if result is not None:
                line["rewards"] = _by_text(result.rewards)
                line["terminations"] = _by_text(result.terminations)
                line["truncations"] = _by_text(result.truncations)
                line["infos"] = _by_text(result.infos)
            if digest is not None:
                line["hash"] = digest.hex()
            try:
                text = _encode(line)
            except (TypeError, ValueError):
                # An environment's info may hold anything; the frame is worth more than it.
                line["infos"] = dict.fromkeys(line.get("infos", ()), UNRECORDABLE)
                text = to_json(line)
            of.lines.append(text)
        del of.fresh[:most]

    @property
    def episodes(self) -> int:
        """Episodes of which at least one frame is confirmed."""
        return len(self._episodes)

    def lines(self, episode: int) -> Iterator[str]:
        """The lines of one episode, without line ends."""
        if episode >= len(self._episodes):
            return
        of = self._episodes[episode]
        self._write(episode, of, len(of.fresh))
        yield from of.lines
        if of.end is not None:
            yield to_json({"end": episode, "frames": of.frames, "hash": of.end.hex()})


class _Episode:
    __slots__ = ("end", "frames", "fresh", "lines")

    def __init__(self) -> None:
        self.frames = 0
        self.lines: list[str] = []
        self.fresh: list[tuple[int, tuple[bytes, ...], StepResult | None, bytes | None]] = []
        self.end: bytes | None = None
        """Hash of the final state, once the episode is complete."""


def _by_text(values: dict[Any, Any]) -> dict[str, Any]:
    """JSON's keys are text; sorting a mixture of ints and strings would fail."""
    return {str(agent): value for agent, value in values.items()}


def header(session: Session) -> str:
    """The first line of a trajectory."""
    return to_json(
        {
            "pycore": VERSION,
            "game_id": session.game_id,
            "seed": session.seed,
            "players": session.players,
            "environment": session.settings.environment,
            "configuration": canonical.digest(session.configuration).hex(),
        }
    )


def trajectory_text(session: Session, trajectory: Trajectory, episode: int | None = None) -> str:
    """The trajectory of an episode, or of the whole session, as JSON Lines with the header in front."""
    episodes = range(trajectory.episodes) if episode is None else (episode,)
    lines = [header(session)]
    for each in episodes:
        lines.extend(trajectory.lines(each))
    return "\n".join(lines) + "\n"


def p2p_metrics(session: Session) -> dict[str, Any]:
    """The page's `p2pMetrics`: counts of inputs over the session, summed over the links."""
    counts = dict.fromkeys(
        (
            "inputsSentViaP2P",
            "inputsSentViaSocketIO",
            "inputsReceivedViaP2P",
            "inputsReceivedViaSocketIO",
            "inputsResentViaP2P",
            "inputsResentViaSocketIO",
        ),
        0,
    )
    for link in session.links:
        of = link.counts
        counts["inputsSentViaP2P"] += of.sent_via_p2p
        counts["inputsSentViaSocketIO"] += of.sent_via_socketio
        counts["inputsReceivedViaP2P"] += of.received_via_p2p
        counts["inputsReceivedViaSocketIO"] += of.received_via_socketio
        counts["inputsResentViaP2P"] += of.resent_via_p2p
        counts["inputsResentViaSocketIO"] += of.resent_via_socketio
    frame = session.exchange.fallback_frame
    return {
        **counts,
        "connectionType": session.connection_type,
        "connectionDetails": dict(session.connection_details),
        "p2pFallbackTriggered": frame is not None,
        "p2pFallbackFrame": frame,
    }


def episode_line(session: Session, ended: EpisodeEnded) -> str:
    """The summary of an episode for the log, with what the session has counted up to its end."""
    counts = p2p_metrics(session)
    events = session.timeline.events
    word = "Complete" if ended.reason in ("done", "max_steps") else f"Ended early ({ended.reason})"
    line = (
        f"[Episode] {word}: episode {ended.episode}, {ended.frames} frames; up to here "
        f"sent {counts['inputsSentViaP2P']} by P2P and {counts['inputsSentViaSocketIO']} by socket.io, "
        f"received {counts['inputsReceivedViaP2P']} and {counts['inputsReceivedViaSocketIO']}, "
        f"{events.count} rollback events, longest {events.max_frames} frames, connection {counts['connectionType']}"
    )
    fallback = counts["p2pFallbackFrame"]
    return line if fallback is None else f"{line}, first fallback at frame {fallback}"


def export_session_metrics(session: Session) -> dict[str, Any]:
    """The session's metrics as S5 spells them, with additions beside."""
    counts = p2p_metrics(session)
    timeline = session.timeline
    events = timeline.events
    exchange = session.exchange
    compared = 0
    for link in session.links:
        compared += exchange.hashes_compared(link.seat)
    return {
        "gameId": session.game_id,
        "playerId": session.players[session.me],
        "connection": {"type": counts["connectionType"], "connectionDetails": counts["connectionDetails"]},
        "inputs": {
            "sentViaP2P": counts["inputsSentViaP2P"],
            "sentViaSocketIO": counts["inputsSentViaSocketIO"],
            "receivedViaP2P": counts["inputsReceivedViaP2P"],
            "receivedViaSocketIO": counts["inputsReceivedViaSocketIO"],
            "resentViaP2P": counts["inputsResentViaP2P"],
            "resentViaSocketIO": counts["inputsResentViaSocketIO"],
        },
        "rollbacks": {
            "events": list(
                events.export(lambda seat: str(session.players[seat]), session.codec.decode, exchange.wall_ms)
            ),
            "count": events.count,
            "maxFrames": events.max_frames,
            "performed": timeline.rollbacks,
            "resimulatedFrames": timeline.resimulated,
        },
        "sync": {
            "p2pHashMismatches": exchange.hash_mismatches,
            "hashesCompared": compared,
            "contradictions": exchange.contradictions,
            "malformed": exchange.malformed,
        },
        "quality": {
            "p2pFallbackTriggered": counts["p2pFallbackTriggered"],
            "p2pFallbackFrame": counts["p2pFallbackFrame"],
            "stalls": session.stalls,
            "rttMs": {
                str(session.players[link.seat]): None if link.wire.rtt is None else round(link.wire.rtt * 1000, 1)
                for link in session.links
            },
        },
        "frames": {"total": timeline.total, "episode": timeline.stepped},
        "pathChanges": [
            {
                "episode": change.episode,
                "frame": change.frame,
                "playerId": str(session.players[change.seat]),
                "from": change.from_path,
                "to": change.to_path,
                "cause": change.cause,
                "timestamp": change.time_ms,
            }
            for change in exchange.path_changes
        ],
        "episodes": [
            {"episode": ended.episode, "frames": ended.frames, "reason": ended.reason} for ended in session.ended
        ],
        "end": {"reason": session.reason or None},
    }
