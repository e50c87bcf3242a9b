"""What pycore did against what the oracle decided: every difference, in words, the first ones first."""

from __future__ import annotations

from collections import Counter
from typing import Any

from oracle_stage import Side, Stage

EXPORT = {
    "": {"gameId", "playerId", "connection", "inputs", "rollbacks", "sync", "quality", "frames"},
    "connection": {"type", "connectionDetails"},
    "inputs": {"sentViaP2P", "sentViaSocketIO", "receivedViaP2P", "receivedViaSocketIO"},
    "rollbacks": {"events", "count", "maxFrames"},
    "sync": {"p2pHashMismatches"},
    "quality": {"p2pFallbackTriggered", "p2pFallbackFrame"},
    "frames": {"total"},
}
"""The keys that stay, so spelled."""
EVENT = {
    "frame",
    "currentFrame",
    "rollbackFrames",
    "playerId",
    "predictedAction",
    "actualAction",
    "timestamp",
    "episode",
}
MESSAGE = {"game_id", "player_id", "action", "frame_number", "timestamp", "sync_epoch"}
ROUNDING_MS = 1.0


def story(side: Side) -> dict[str, Any]:
    """What the oracle is told of one side."""
    return {"config": side.config, "happenings": side.story}


def met(stage: Stage) -> Counter[str]:
    """What happened in the sessions how often, so that a test can say that it happened."""
    count: Counter[str] = Counter()
    for seat, side in enumerate(stage.sides):
        count += side.met
        export = stage.export(seat)
        for key in ("sentViaP2P", "sentViaSocketIO", "receivedViaP2P", "receivedViaSocketIO", "resentViaSocketIO"):
            count[key] += export["inputs"][key]
        count["event"] += export["rollbacks"]["count"]
        count["depth 4 and more"] += export["rollbacks"]["maxFrames"] >= 4
        count["stall"] += export["quality"]["stalls"]
        count["refusal"] += len(side.warnings)
        count["desync"] += side.desyncs
        for change in side.changes:
            count[f"{change['to']}: {change['cause']}"] += 1
        firsts: dict[tuple[int, int], Any] = {}
        for step in side.simulation.seen:
            firsts.setdefault((step["episode"], step["frame"]), step["used"])
        for event in export["rollbacks"]["events"]:
            first = firsts[event["episode"], event["frame"]][event["playerId"]]
            count["event against a re-simulated prediction"] += first != event["predictedAction"]
    return count


def differences(stage: Stage, seat: int, told: dict[str, Any]) -> list[str]:
    """Everything in which the side and the oracle differ; empty when they agree."""
    side = stage.sides[seat]
    found: list[str] = list(told["violations"])
    _compare(found, "dispatch", list(side.first.values()), told["dispatches"])
    _compare(found, "message of an input", _messages(found, side.messages), _messages(found, told["messages"]))
    _compare(found, "warning", side.warnings, told["warnings"])
    changes = [_changes(which, told["changes"]) for which in (side.changes, told["changes"])]
    _compare(found, "path change", *changes)
    _compare(found, "step", side.simulation.seen, told["steps"])
    for index, pending in side.pending.items():
        expected = told["pendingRollbackFrames"][index]
        if pending != expected:
            happening = side.story[index]
            found.append(f"pendingRollbackFrame after {happening} is {pending}, the oracle says {expected}")
            break
    export = stage.export(seat)
    _compare_exports(found, export, told["metrics"])
    if export["rollbacks"]["performed"] != told["rollbacksPerformed"]:
        found.append(f"{export['rollbacks']['performed']} rollbacks performed, not {told['rollbacksPerformed']}")
    if export["inputs"]["resentViaSocketIO"] != side.resent:
        found.append(f"{side.resent} inputs were resent by socket.io, not {export['inputs']['resentViaSocketIO']}")
    _compare_log(found, side, told["metrics"]["rollbacks"]["events"])
    _compare_totals(found, stage, seat)
    return found


def _compare(found: list[str], what: str, ours: list[Any], theirs: list[Any]) -> None:
    for number, (own, other) in enumerate(zip(ours, theirs, strict=False)):
        if own != other:
            found.append(f"{what} {number} is {own}, the oracle says {other}")
            return
    if len(ours) != len(theirs):
        longer = max(ours, theirs, key=len)[min(len(ours), len(theirs))]
        found.append(f"{len(ours)} {what}s, the oracle says {len(theirs)}; the first that is too many: {longer}")


def _messages(found: list[str], messages: list[dict[str, Any]]) -> list[Any]:
    rows = []
    for message in messages:
        data = message["data"]
        if set(data) != MESSAGE:
            found.append(f"a message of an input has the keys {sorted(data)}")
        rows.append((message["event"], {key: value for key, value in data.items() if key != "timestamp"}))
    return rows


def _changes(changes: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Changes without the frame where the oracle has none, which is between two episodes."""
    between = [index for index, change in enumerate(theirs) if change["frame"] is None]
    return [{**change, "frame": None} if index in between else change for index, change in enumerate(changes)]


def _compare_exports(found: list[str], ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    for part, keys in EXPORT.items():
        here = ours if not part else ours.get(part, {})
        there = theirs if not part else theirs[part]
        assert set(there) == keys, "the oracle itself must have the keys of the export, and no others"
        if not keys <= set(here):
            found.append(f"the export lacks {sorted(keys - set(here))} in {part or 'the top'}")
            continue
        for key in sorted(keys):
            if key in EXPORT or key == "events":
                continue
            if here[key] != there[key] or type(here[key]) is not type(there[key]):
                found.append(f"{part}.{key} is {here[key]!r}, the oracle says {there[key]!r}")
    events = ours["rollbacks"]["events"], theirs["rollbacks"]["events"]
    for which in events:
        for event in which:
            if set(event) != EVENT:
                found.append(f"a rollback event has the keys {sorted(event)}")
                return
    _compare(found, "rollback event", *([_without_time(event) for event in which] for which in events))
    _compare_times(found, "rollback event", *([event["timestamp"] for event in which] for which in events))


def _without_time(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != "timestamp"}


def _compare_times(found: list[str], what: str, ours: list[float], theirs: list[float]) -> None:
    for number, (own, other) in enumerate(zip(ours, theirs, strict=False)):
        if abs(own - other) > ROUNDING_MS:
            found.append(f"{what} {number} has the time {own}, the oracle says {other}")
            return


def _compare_log(found: list[str], side: Side, events: list[dict[str, Any]]) -> None:
    """Every log line names one event, in order, and ten a second are written out before any is summed up."""
    facts = [
        (event["playerId"], event["frame"], event["predictedAction"], event["actualAction"], event["rollbackFrames"])
        for event in events
    ]
    rest = iter(facts)
    for line in side.late:
        if line not in rest:
            found.append(f"the log names a late input {line} that is no event, or out of order")
            return
    if len(side.late) + side.summed_up > len(facts):
        found.append(f"{len(side.late)} lines and {side.summed_up} summed up for {len(facts)} events")
    times = [event["timestamp"] for event in events]
    crowded = any(b - a < 1000 for a, b in zip(times, times[10:], strict=False))
    if not crowded and len(side.late) != len(facts):
        found.append(f"{len(side.late)} log lines for {len(facts)} events that were never more than ten a second")


def _compare_totals(found: list[str], stage: Stage, seat: int) -> None:
    """Sent and received totals of a link agree at the end, whatever the paths were."""
    if stage.complete:
        sent, received = stage.export(seat)["inputs"], stage.export(1 - seat)["inputs"]
        out = sent["sentViaP2P"] + sent["sentViaSocketIO"]
        into = received["receivedViaP2P"] + received["receivedViaSocketIO"]
        if out != into:
            found.append(f"{out} inputs were sent and {into} received")
