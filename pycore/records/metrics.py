"""The metrics of a session, as the page, the server and the log want them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from pycore.distribution import TENTHS
from pycore.events import DesyncReported, EpisodeEnded
from pycore.link.counts import LinkCounts
from pycore.session.phases import PHASE_NAMES
from pycore.session.session import Session

TENTHS_MS: Final = 1000 / TENTHS
"""Milliseconds of a unit in which times are counted."""
STATE_CHARACTERS: Final = 65_536
"""Of a state in the metrics, packed and as base64; a longer one is left out."""
NO_PAGE: Final[Mapping[str, Any]] = MappingProxyType({
    "frameTimes": None, "clock": None, "waiting": None, "unseen": (), "returns": (),
})  # fmt: skip
"""What only a page knows of a session."""


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
    firsts = [link.paths.first_fallback for link in session.links if link.paths.first_fallback]
    frame = min(firsts)[1] if firsts else None
    kind, details = session.kinds.session
    return {
        **counts,
        "connectionType": kind,
        "connectionDetails": dict(details),
        "p2pFallbackTriggered": frame is not None,
        "p2pFallbackFrame": frame,
    }


def _delays(session: Session, delays: Sequence[int]) -> dict[str, int]:
    """By player; what every peer computes for itself comes without one."""
    of = zip(session.players, session.seats, delays, strict=True)
    return {str(player): 0 if seat.owner is None else delay for player, seat, delay in of}


def _agent(session: Session) -> str | None:
    """What the environment calls the agent that this player plays; None where the simulation does not say."""
    agents = getattr(session.simulation, "agents", None)
    if not isinstance(agents, tuple) or len(agents) != len(session.players):
        return None
    return str(agents[session.me])


def path_line(change: dict[str, Any]) -> str:
    """A change of path as a line for the log."""
    return (
        f"[P2P] player {change['player']}: {change['from_path']} -> {change['to_path']} "
        f"({change['cause']}) at frame {change['frame']} of episode {change['episode']}"
    )


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


def _by_path(of: LinkCounts, what: str) -> dict[str, int]:
    return {
        "sentViaP2P": getattr(of, f"{what}_sent_via_p2p"),
        "sentViaSocketIO": getattr(of, f"{what}_sent_via_socketio"),
        "receivedViaP2P": getattr(of, f"{what}_received_via_p2p"),
        "receivedViaSocketIO": getattr(of, f"{what}_received_via_socketio"),
    }


def _network(session: Session) -> dict[str, Any]:
    """What the ways to the other players were like, by player."""
    return {
        str(session.players[link.seat]): {
            "connectionType": session.kinds.of(link.seat),
            "connectionDetails": dict(session.kinds.details(link.seat)),
            "rttMs": link.wire.rtts.export(TENTHS_MS),
            "jitterMs": link.wire.jitters.export(TENTHS_MS),
            "rttViaSocketIOMs": link.socket.rtts.export(TENTHS_MS),
            "inputAgeFrames": link.ages.export(),
            "bytes": _by_path(link.counts, "bytes"),
            "packets": _by_path(link.counts, "packets"),
        }
        for link in session.links if link.seat >= 0
    }  # fmt: skip


def _predictions(session: Session) -> dict[str, Any]:
    """How often the others' actions were guessed, and rightly, by player."""
    timeline = session.timeline
    guessing = timeline.guessing
    return {
        str(session.players[seat]): {
            "predictor": timeline.predictor,
            "frames": timeline.hits[seat] + timeline.misses[seat],
            "hits": timeline.hits[seat],
            "misses": timeline.misses[seat],
            "repeatLastHits": timeline.repeat_hits[seat],
            "failed": 0 if guessing is None else guessing.failed[seat],
            "failure": guessing.failure if guessing is not None and guessing.failed[seat] else None,
        }
        for link in session.links for seat in link.peer.seats
    }  # fmt: skip


def _desync_report(session: Session, report: DesyncReported, state: bytes | None) -> dict[str, Any]:
    """What is known of a desync, with our own state, packed, if it is small enough: the other player's metrics have the
    other one."""
    kept = None
    if state is not None:
        import zlib  # only of a desync

        packed = base64.b64encode(zlib.compress(state, 9)).decode()
        kept = packed if len(packed) <= STATE_CHARACTERS else None
    return {
        "episode": report.episode,
        "frame": report.frame,
        "playerId": str(session.players[report.seat]) if report.seat >= 0 else None,
        "fields": [{"path": path, "own": own, "theirs": theirs} for path, own, theirs in report.differences],
        "lacks": report.lacks or None,
        "state": kept,
    }


def metrics_so_far(session: Session, page: Mapping[str, Any] = NO_PAGE) -> dict[str, Any]:
    """The metrics in the middle of an episode, marked as such. The rollback events, of which there may be thousands,
    are counted and not listed."""
    found = export_session_metrics(session, page, events=False, episode=session.episode)
    return {**found, "soFar": True, "now": _now(session)}


def _now(session: Session) -> dict[str, Any]:
    """Where the session stands, for whoever watches it."""
    return {
        "episode": session.episode,
        "frame": session.frame,
        "confirmed": session.confirmed,
        "phase": PHASE_NAMES[session.phase],
        "hidden": bool(session.journal.sights) and session.journal.sights[-1].hidden,
        "links": {
            str(session.players[link.seat]): {
                "path": link.path,
                "rttMs": _milliseconds((link.wire if link.healthy else link.socket).rtt),
            }
            for link in session.there if link.seat >= 0
        },
    }  # fmt: skip


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _drops(session: Session) -> list[dict[str, Any]]:
    """Who is gone, by seat, and where the others have settled its last action."""
    return [
        {
            "playerId": str(session.players[seat]),
            "cause": departure.cause,
            "episode": departure.episode,
            "frame": departure.frames.get(seat),
            "inputsBackfilled": departure.backfilled,
            "inputsPassedOn": departure.passed_on,
            "playedBy": None if session.settings.on_drop == "end" else session.settings.on_drop,
        }
        for departure in session.gone.values() for seat in departure.link.peer.seats
    ]  # fmt: skip


def export_session_metrics(
    session: Session, page: Mapping[str, Any] = NO_PAGE, *, events: bool = True, episode: int | None = None
) -> dict[str, Any]:
    """The session's metrics as the host page spells them, with additions beside. `page`: what its page knows of it, by
    the names of `NO_PAGE`. Without `events` the list of rollback events is empty. What may be megabytes is of `episode`
    alone if one is named: those of each episode are stored, and together they must not grow with its square."""
    counts = p2p_metrics(session)
    timeline = session.timeline
    rollbacks = timeline.events
    costs = session.pacing.costs
    listed = list(session.rollback_events(episode)) if events else []
    left_out = (rollbacks.count if episode is None else rollbacks.count_in(episode)) - len(listed) if events else 0
    return {
        "gameId": session.game_id,
        "playerId": session.players[session.me],
        "load": session.load,
        **({} if episode is None else {"listsOf": episode}),
        "connection": {"type": counts["connectionType"], "connectionDetails": counts["connectionDetails"]},
        "inputs": {
            "sentViaP2P": counts["inputsSentViaP2P"],
            "sentViaSocketIO": counts["inputsSentViaSocketIO"],
            "receivedViaP2P": counts["inputsReceivedViaP2P"],
            "receivedViaSocketIO": counts["inputsReceivedViaSocketIO"],
            "resentViaP2P": counts["inputsResentViaP2P"],
            "resentViaSocketIO": counts["inputsResentViaSocketIO"],
            "givenToServer": session.outputs.inputs,
        },
        "rollbacks": {
            "events": listed,
            **({"eventsLeftOut": left_out} if left_out else {}),
            "count": rollbacks.count,
            "maxFrames": rollbacks.max_frames,
            "performed": timeline.rollbacks,
            "resimulatedFrames": timeline.resimulated,
            "depths": list(timeline.depths),
            "runUpFrames": timeline.run_up,
        },
        "sync": {
            "p2pHashMismatches": session.hash_mismatches,
            "hashesCompared": session.hashes_compared,
            "contradictions": session.contradictions,
            "malformed": session.malformed,
        },
        "quality": {
            "p2pFallbackTriggered": counts["p2pFallbackTriggered"],
            "p2pFallbackFrame": counts["p2pFallbackFrame"],
            "stalls": session.stalls,
            "stallCauses": dict(session.ticks.stall_causes),
            "confirmationLagFrames": session.ticks.lags.export(),
            "inputAgeFrames": session.ticks.ages.export(),
            "rttMs": {
                str(session.players[link.seat]): _milliseconds(link.wire.rtt)
                for link in session.links if link.seat >= 0
            },
        },
        "frames": {"total": timeline.total, "episode": timeline.stepped},
        "network": _network(session),
        "predictions": _predictions(session),
        "visibility": [
            {"hidden": sight.hidden, "episode": sight.episode, "frame": sight.frame, "timestamp": sight.time_ms}
            for sight in session.journal.sights
        ],
        "desyncs": [
            {
                "episode": desync.episode,
                "frame": desync.frame,
                "playerId": str(session.players[desync.seat]) if desync.seat >= 0 else None,
                "kind": desync.what,
            }
            for desync in session.journal.desyncs
        ],
        "desyncReports": [
            _desync_report(session, *reported)
            for reported in session.journal.reports.values()
            # That of the end of an episode is made when the next one goes on.
            if episode is None or episode - 1 <= reported[0].episode <= episode
        ],
        "drops": _drops(session),
        **page,
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
            for change in session.path_changes
        ],
        "episodes": [
            {
                "episode": ended.episode,
                "frames": ended.frames,
                "reason": ended.reason,
                "inputDelay": _delays(session, session.pacing.delays[ended.episode]),
            }
            for ended in session.ended
        ],
        "environment": {
            "costsMs": None if costs is None else {name: round(s * 1000, 3) for name, s in costs.as_dict().items()},
            "snapshotEvery": timeline.every,
            "agent": _agent(session),
        },
        "end": {"reason": session.reason or None},
    }
