"""The page's multiplayer metrics file, with its field names and figures that are true.

The page's server stores it per participant and joins the two players' files: hashes by (episode, frame), actions by
(episode, frame, player). Times are milliseconds since the epoch, a link's figures are those of the worst link.
"""

from __future__ import annotations

from typing import Any

from pycore.events import Desync
from pycore.interactive_gym.sizes import fitting
from pycore.interactive_gym.table import EpisodeTable
from pycore.records.metrics import p2p_metrics
from pycore.session.session import Session
from pycore.values.json import plain_json

SAMPLE_INTERVAL = 1.0
MOST_SAMPLES = 600
LISTED_HASHES = 3600
LISTED_DESYNCS = 300
LISTED_ACTIONS_BYTES = 480_000
"""Limits of the three lists that grow: an hour of hashes (60 bytes each), desyncs (180 bytes), and about 6,000 actions
of one byte. Together they keep the file below `LARGEST_MESSAGE`. The totals count all, the data files have every
action, and both players leave out the same."""
ACTION_ENTRY = 80
"""Bytes of an entry of `allActions` without the player's name and the action."""
WARNING_MS = 100.0
CRITICAL_MS = 200.0


class Latency:
    """Round-trip times of the session, one sample a second; the last ten minutes are kept."""

    def __init__(self) -> None:
        self._samples: list[dict[str, float]] = []
        self._due = 0.0

    def look(self, session: Session, now: float) -> None:
        """Take a sample if one is due; without a peer-to-peer path there is nothing to sample."""
        if now < self._due:
            return
        self._due = now + SAMPLE_INTERVAL
        rtt = rtt_ms(session)
        if rtt is not None:
            self._samples.append({"timestamp": round(session.wall_ms(now)), "rttMs": rtt})
            del self._samples[:-MOST_SAMPLES]

    def export(self) -> dict[str, Any] | None:
        """The page's latency statistics; None without a sample."""
        if not self._samples:
            return None
        values = sorted([sample["rttMs"] for sample in self._samples])
        half = len(values) // 2
        return {
            "sampleCount": len(values),
            "minMs": values[0],
            "maxMs": values[-1],
            "meanMs": round(sum(values) / len(values), 2),
            "medianMs": values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2,
            "samples": list(self._samples),
        }


def lasted_ms(began: float, began_ms: float, now: float, now_ms: float) -> float:
    """How long it took, by the session's clock (s) and the wall's (ms): by the one that says more. The first may stand
    still while a machine sleeps, the second may be set back."""
    return max(now_ms - began_ms, (now - began) * 1000)


class Focus:
    """When this page was hidden."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.timed_out = False
        self.hidden_since: float | None = None
        self._hidden_ms = 0.0
        """The wall time of then: the clock may be put right before the page is looked at again."""
        self._periods: list[dict[str, float]] = []

    def look(self, hidden: bool, now: float, wall_ms: float) -> bool:
        """Note the page's visibility; true once, when it has been hidden for longer than the study allows."""
        if hidden:
            if self.hidden_since is None:
                self.hidden_since, self._hidden_ms = now, wall_ms
            elif self.timeout and not self.timed_out and now - self.hidden_since > self.timeout:
                self.timed_out = True
                return True
        elif self.hidden_since is not None:
            lasted = lasted_ms(self.hidden_since, self._hidden_ms, now, wall_ms)
            start = round(wall_ms - lasted)
            self._periods.append({"start": start, "end": round(wall_ms), "durationMs": round(lasted)})
            self.hidden_since = None
        return False

    def export(self) -> dict[str, Any]:
        """The page's focus telemetry."""
        return {
            "backgroundPeriods": list(self._periods),
            "totalBackgroundMs": sum(period["durationMs"] for period in self._periods),
            "periodCount": len(self._periods),
            "timeoutMs": round(self.timeout * 1000),
            "wasTimeoutTriggered": self.timed_out,
        }


class Interruptions:
    """When another player was not heard of. Times are wall times in milliseconds."""

    def __init__(self, me: int | str) -> None:
        self.seats: dict[int, tuple[float, float]] = {}
        """Who is not heard of now, and since when, by the session's clock (s) and the wall's (ms)."""
        self._me = me
        self._begun: list[dict[str, Any]] = []
        self._ended: list[dict[str, Any]] = []

    def begin(self, seat: int, now: float, wall_ms: float, frame: int) -> None:
        """A player is interrupted."""
        self.seats[seat] = now, wall_ms
        self._begun.append({"timestamp": round(wall_ms), "frame": frame, "detectingPeer": self._me})

    def end(self, seat: int, now: float, wall_ms: float, outcome: str) -> int:
        """A player is back (`success`) or was given up (`timeout`); how long it took, in ms."""
        duration = round(lasted_ms(*self.seats.pop(seat), now, wall_ms))
        self._ended.append({"timestamp": round(wall_ms), "duration": duration, "outcome": outcome, "attempts": 1})
        return duration

    def export(self) -> dict[str, Any]:
        """The page's record of interruptions."""
        return {
            "disconnections": list(self._begun),
            "attempts": list(self._ended),
            "totalPauseDurationMs": sum(each["duration"] for each in self._ended),
        }


class EpisodeBooks:
    """What the metrics say of one episode."""

    def __init__(self, table: EpisodeTable) -> None:
        self.table = table
        self.hashes: list[tuple[int, str]] = []
        self.ended_ms: float | None = None
        self.verified = -1
        """Last frame behind which the state was compared with every other player's and was equal."""
        self.confirmed = -1

    def summary(self, events: list[dict[str, Any]], desyncs: int, now_ms: float) -> dict[str, Any]:
        """One entry of `validation.episodes`."""
        return {
            "episodeNum": self.table.episode,
            "totalFrames": self.table.rows,
            "confirmedFrame": self.confirmed,
            "verifiedFrame": self.verified,
            "hashCount": len(self.hashes),
            "desyncCount": desyncs,
            "rollbackCount": len(events),
            "maxRollbackFrames": max((event["rollbackFrames"] for event in events), default=0),
            "timestamp": round(now_ms if self.ended_ms is None else self.ended_ms),
        }


def rtt_ms(session: Session) -> float | None:
    """Round-trip time of the slowest healthy link."""
    times = [link.wire.rtt for link in session.there if link.healthy and link.wire.rtt is not None]
    return round(max(times) * 1000, 2) if times else None


def health(session: Session) -> dict[str, Any] | None:
    """The page's connection health; None while nobody was ever connected."""
    if not any(link.sender for link in session.links):
        return None
    rtt = rtt_ms(session)
    latency = None if rtt is None else rtt / 2
    status = "good"
    if latency is not None and latency > WARNING_MS:
        status = "critical" if latency > CRITICAL_MS else "warning"
    return {
        "rtt": rtt,
        "latency": latency,
        "packetsReceived": sum(link.wire.received for link in session.links),
        "gapCount": sum(link.wire.gaps for link in session.links),
        "status": status,
    }


def rollback_events(session: Session, episode: int | None = None) -> list[dict[str, Any]]:
    """The mispredictions of an episode, or of all."""
    return [event for event in session.rollback_events() if episode is None or event["episode"] == episode]


def multiplayer_metrics(
    session: Session,
    books: list[EpisodeBooks],
    *,
    now: float,
    began: float,
    began_ms: float,
    desyncs: list[tuple[Desync, float]],
    partial: dict[str, Any] | None,
    completed: int,
    latency: Latency,
    focus: Focus,
    interruptions: Interruptions,
) -> dict[str, Any]:
    """The whole file. `partial` says why the session ended early, `desyncs` are with their times. It began at `began`
    (s), `began_ms` by the wall clock of then."""
    counts = p2p_metrics(session)
    now_ms = session.wall_ms(now)
    lasted = lasted_ms(began, began_ms, now, now_ms)
    received = counts["inputsReceivedViaP2P"] + counts["inputsReceivedViaSocketIO"]
    events = rollback_events(session)
    by_episode: dict[int, list[dict[str, Any]]] = {}
    for event in events:
        by_episode.setdefault(event["episode"], []).append(event)
    people = [str(player) for player in session.players]
    hashes = [
        {"episode": book.table.episode, "frame": frame, "hash": text} for book in books for frame, text in book.hashes
    ]
    actions = (
        {
            "episode": book.table.episode,
            "frame": frame,
            "playerId": people[seat],
            "action": action,
            "isFocused": book.table.focus[frame].get(people[seat], True),
        }
        for book in books
        for frame, row in enumerate(book.table.people)
        for seat, action in enumerate(row)
    )
    summaries = [
        book.summary(
            by_episode.get(book.table.episode, []),
            sum(desync.episode == book.table.episode for desync, _ in desyncs),
            now_ms,
        )
        for book in books
    ]
    others = [player for seat, player in enumerate(session.players) if seat != session.me]
    return {
        "gameId": session.game_id,
        "playerId": session.players[session.me],
        "peerPlayerId": others[0] if others else None,
        "exportTimestamp": round(now_ms),
        "sessionStartTime": round(now_ms - lasted),
        "sessionDurationMs": round(lasted),
        "connection": {
            "type": counts["connectionType"],
            "connectionDetails": counts["connectionDetails"],
            "p2pConnected": bool(session.there) and all(link.connected for link in session.there),
            "health": health(session),
            "fallback": {"triggered": counts["p2pFallbackTriggered"], "frame": counts["p2pFallbackFrame"]},
        },
        "inputDelivery": {
            "sentViaP2P": counts["inputsSentViaP2P"],
            "sentViaSocketIO": counts["inputsSentViaSocketIO"],
            "receivedViaP2P": counts["inputsReceivedViaP2P"],
            "receivedViaSocketIO": counts["inputsReceivedViaSocketIO"],
            "p2pReceiveRatio": None if not received else counts["inputsReceivedViaP2P"] / received * 100,
        },
        "validation": {
            "episodes": summaries,
            "totalEpisodes": len(summaries),
            "totalHashes": len(hashes),
            "totalActions": sum(len(row) for book in books for row in book.table.people),
            "totalDesyncs": len(desyncs),
            "totalRollbacks": len(events),
            "allHashes": hashes[:LISTED_HASHES],
            "allActions": fitting(actions, LISTED_ACTIONS_BYTES, _action_size),
            "allDesyncEvents": [
                {
                    "episode": desync.episode,
                    "frame": desync.frame,
                    "ourHash": desync.own,
                    "peerHash": desync.theirs,
                    "timestamp": round(time_ms),
                    "verifiedFrameAtDesync": _verified(books, desync.episode),
                    "hasStateDump": False,
                    **_reported(session, desync),
                }
                for desync, time_ms in desyncs[:LISTED_DESYNCS]
            ],
            "allRollbacks": [
                {
                    "episode": episode,
                    "count": len(of),
                    "maxFrames": max(event["rollbackFrames"] for event in of),
                }
                for episode, of in by_episode.items()
            ],
        },
        "sessionStatus": {
            "isPartial": partial is not None,
            "terminationReason": "normal" if partial is None else partial["reason"],
            "terminationFrame": session.frame if partial is None else partial["frame"],
            "completedEpisodes": completed,
            "disconnectedPlayerId": None if partial is None else partial.get("player"),
        },
        "latency": latency.export(),
        "focusLoss": focus.export(),
        "reconnection": interruptions.export(),
    }


def _action_size(entry: dict[str, Any]) -> int:
    return ACTION_ENTRY + len(entry["playerId"]) + len(plain_json(entry["action"]))


def _reported(session: Session, desync: Desync) -> dict[str, Any]:
    """What the two pages found out about it, where they did: an addition to the page's own names."""
    known = session.journal.reports.get((desync.seat, desync.episode, desync.frame))
    return {} if known is None else {"differences": known[0].differences, "lacks": known[0].lacks}


def _verified(books: list[EpisodeBooks], episode: int) -> int:
    return next((book.verified for book in books if book.table.episode == episode), -1)
