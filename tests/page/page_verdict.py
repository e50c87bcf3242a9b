"""What must hold of a game in the real page with our module, whatever the network did: `judged`, and `by_peer`.

A game is judged by what the server stored of both players, against each other and against the truth: the files of every
episode are equal in all but the personal columns, they are what the environment does in CPython with these actions, the
actions are what the pages were given at the moment when they were asked, and the metrics of both agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import page_records
import page_rig

ASKED = 0.5
"""Share of a player's frames, hidden ones apart, for which the page asked for the action itself. For the others it was
late, and the core stepped with the default."""
STEP_SHAPE = "Map Map Map Map Map Object Object"
"""Observations, rewards, terminateds, truncateds, infos, render state, actions."""
PAUSE_MS = 400.0
"""A page that does nothing for so long has the others miss it: half a second without a packet is silence."""
BEFORE_MS, AFTER_MS = 3000.0, 300.0
"""When a change of path is noticed after the pause that it is due to: a page that was still itself notices at once."""

SECTIONS = {
    "": "gameId playerId peerPlayerId exportTimestamp sessionStartTime sessionDurationMs connection inputDelivery"
    " validation sessionStatus latency focusLoss",
    "connection.": "type connectionDetails p2pConnected health fallback",
    "connection.connectionDetails.": "localCandidateType remoteCandidateType protocol relayProtocol detectedAtFrame"
    " timestamp",
    "connection.health.": "rtt latency packetsReceived gapCount status",
    "connection.fallback.": "triggered frame",
    "inputDelivery.": "sentViaP2P sentViaSocketIO receivedViaP2P receivedViaSocketIO p2pReceiveRatio",
    "validation.": "episodes totalEpisodes totalHashes totalActions totalDesyncs totalRollbacks allHashes allActions"
    " allDesyncEvents allRollbacks",
    "sessionStatus.": "isPartial terminationReason terminationFrame completedEpisodes disconnectedPlayerId",
    "latency.": "sampleCount minMs maxMs meanMs medianMs samples",
    "focusLoss.": "backgroundPeriods totalBackgroundMs periodCount timeoutMs wasTimeoutTriggered",
}
"""The fields of the metrics file as the page's own module writes it; test_unmodified_page looks into its file."""
METRICS = {f"{within}{name}" for within, names in SECTIONS.items() for name in names.split()}
OURS = {f"reconnection{name}" for name in ("", ".disconnections", ".attempts", ".totalPauseDurationMs")}
NOT_ALWAYS = "connection.connectionDetails.relayProtocol"
"""Only where there is a relay."""


def judged(study: page_rig.Study, *people: page_rig.Participant, episodes: int | None = None) -> list[list[Any]]:
    """Everything that must hold of a game that was played to its end; returns the tables by person and episode."""
    ann = people[0]
    episodes = study.game["episodes"] if episodes is None else episodes
    delay = study.game["multiplayer"].get("input_delay", 0)
    tables = [[study.csv(who, number) for number in range(episodes)] for who in people]
    for number, table in enumerate(tables[0]):
        assert table.rows
        assert set(table.column("episode_num")) == {number}
        for other in tables[1:]:
            assert page_records.differences(table, other[number]) == []
    for number, rows in enumerate(study.truth(tables[0], ann.assigned["game_seed"])):
        assert page_records.untrue(tables[0][number], rows) == []
    names = {str(who.assigned["player_id"]): who.name for who in people}
    with_bots = any(policy != "human" for _, policy in study.game["policies"])
    for who, own in zip(people, tables, strict=True):
        known = {str(who.assigned["player_id"]): who.name} if with_bots else names
        assert all(subjects(table) == known for table in own)
        taken_as_given(who.log, own, who.assigned["player_id"], delay)
        for table in own:
            assert table.padding == []
            assert guesses_are_marked(table, who.assigned["player_id"]) == []
        well_behaved(who)
    metrics = [study.metrics(who) for who in people]
    for own in metrics:
        assert unlike(own, METRICS | OURS) == []
        assert own["validation"]["totalDesyncs"] == 0
        assert own["validation"]["totalActions"] == len(people) * sum(len(table.rows) for table in tables[0])
        assert own["sessionStatus"]["isPartial"] is False
        assert own["sessionStatus"]["completedEpisodes"] == episodes
    first, *rest = metrics
    for other in rest:
        assert other["validation"]["allHashes"] == first["validation"]["allHashes"]
    sent = [own["inputDelivery"]["sentViaP2P"] + own["inputDelivery"]["sentViaSocketIO"] for own in metrics]
    received = [own["inputDelivery"]["receivedViaP2P"] + own["inputDelivery"]["receivedViaSocketIO"] for own in metrics]
    if len(people) == 2:
        assert sent == received[::-1]
    else:
        # An input counts once for each of the others.
        assert sum(sent) == sum(received)
    return tables


def well_behaved(who: page_rig.Participant) -> None:
    """Nothing came out of the page's `step` that the page does not know, and nothing at all out of its `reset`: of that
    it would log a row without actions."""
    assert who.failures == []
    assert who.page.evaluate("window.rig.shapes") == [STEP_SHAPE]
    assert set(who.page.evaluate("window.rig.resets")) == {"null"}


def taken_as_given(
    log: Sequence[Mapping[str, Any]], tables: Sequence[page_records.Table], player: Any, delay: int
) -> None:
    """A player's actions in the files are what the page was given, and it was asked for nearly all of them."""
    compared, wrong = altered(log, tables, str(player), delay)
    assert wrong == []
    seen = sum(bool(looked) for table in tables for looked in table.column(f"isFocused.{player}"))
    assert compared >= ASKED * (seen - delay * len(tables)), f"{compared} of {seen} frames"


def altered(
    log: Sequence[Mapping[str, Any]], tables: Sequence[page_records.Table], me: str, delay: int
) -> tuple[int, list[str]]:
    """How many frames of a player's could be compared, hidden ones apart, and where the actions in the files are not
    what the page was given when it was first asked for the frame."""
    compared, found = 0, []
    asked: set[tuple[int, int]] = set()
    for entry in log:
        key = entry["episode"], entry["frame"]
        if key in asked or entry["episode"] >= len(tables):
            continue
        asked.add(key)
        rows = tables[entry["episode"]].rows
        frame = entry["frame"] + delay
        if frame >= len(rows):
            continue
        compared += bool(rows[entry["frame"]][f"isFocused.{me}"])
        # By what it was when the page was asked: on a busy machine it may be hidden when the frame is stepped.
        meant = 0 if entry["hidden"] else entry["action"] or 0
        did = rows[frame][f"actions.{me}"]
        if did != meant:
            found.append(f"episode {entry['episode']}, frame {frame}: {meant!r} became {did!r}")
    return compared, found


def guesses_are_marked(table: page_records.Table, me: Any) -> list[str]:
    """An own action is never a guess, and what was rolled back had been one."""
    found = [f"frame {row['t']}: the own action was a guess" for row in table.rows if row[f"wasSpeculative.{me}"]]
    for event in table.rollbacks():
        frame, player = event["frame"], event["playerId"]
        if frame >= len(table.rows):
            found.append(f"frame {frame} was mispredicted, and there are {len(table.rows)}")
        elif not table.rows[frame][f"wasSpeculative.{player}"]:
            found.append(f"frame {frame} was mispredicted and is not marked as a guess")
    return found


def subjects(table: page_records.Table) -> dict[str, str]:
    """The participants' names by player: in the first row of a file."""
    prefix = "player_subjects."
    return {name.removeprefix(prefix): table.rows[0][name] for name in table.columns if name.startswith(prefix)}


def guessed(tables: Sequence[page_records.Table], player: Any) -> list[bool]:
    """Whether somebody's action was guessed, frame by frame."""
    return [bool(value) for table in tables for value in table.column(f"wasSpeculative.{player}")]


def fields(data: Any, within: str = "") -> set[str]:
    """The names in a metrics file, with dots; lists and what is None have none of their own."""
    if not isinstance(data, dict):
        return set()
    deeper = (fields(value, f"{within}{name}.") for name, value in data.items())
    return {f"{within}{name}" for name in data}.union(*deeper)


def unlike(metrics: Mapping[str, Any], expected: set[str]) -> list[str]:
    """The fields that a metrics file has and should not have, or the other way round; what is none has no fields."""
    found = fields(metrics)
    inner = {name.rpartition(".")[0] for name in found}
    missing = {name for name in expected - found if name.rpartition(".")[0] in inner}
    return sorted(found - expected | missing - {NOT_ALWAYS})


# -- the ways of inputs ------------------------------------------------------------------------------------------------


def inputs_by_server(who: page_rig.Participant) -> list[dict[str, Any]]:
    """The inputs of its newest game that a page sent to the server, in whatever wrapping, resent ones included.

    One that is wrapped goes to each of the others by itself, and is one: who did what in which frame, sent when.
    """
    signals = (message.data for message in who.sent.named("webrtc_signal"))
    wrapped = {
        tuple(data[name] for name in ("player_id", "sync_epoch", "frame_number", "timestamp")): data
        for data in (signal["payload"] for signal in signals if signal["type"] == "pycore-action")
        if data["game_id"] == who.assigned["game_id"]
    }  # fmt: skip
    plain = [message.data for message in who.sent.named("pyodide_player_action")]
    return [data for data in plain if data["game_id"] == who.assigned["game_id"]] + [*wrapped.values()]


def by_path(study: page_rig.Study, who: page_rig.Participant, game: int = 0) -> tuple[int, int]:
    """How many inputs somebody sent peer-to-peer and by socket.io, by the stored metrics."""
    delivery = study.metrics(who, game)["inputDelivery"]
    return delivery["sentViaP2P"], delivery["sentViaSocketIO"]


def changes(who: page_rig.Participant) -> list[dict[str, Any]]:
    """Every change of path that a page has noted."""
    return who.game("exportSessionMetrics().pathChanges")


def in_order(wanted: Iterable[tuple[str, ...]], found: Iterable[str]) -> bool:
    """Whether the found words have one of each of these groups among them, in this order."""
    rest = iter(found)
    return all(any(word in group for word in rest) for group in wanted)


def away(metrics: Mapping[str, Any]) -> list[tuple[float, float]]:
    """From when to when a page did not use one of its links, ms since the epoch, link by link. What a link begins with
    is noted only where it begins by the server and peer-to-peer comes later."""
    by_link: dict[str, list[Mapping[str, Any]]] = {}
    for change in metrics["pathChanges"]:
        by_link.setdefault(change["playerId"], []).append(change)
    return [spell for found in by_link.values() for spell in _spells(found)]


def _spells(found: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """The same of one link's changes."""
    spells: list[tuple[float, float]] = []
    since = None if found[0]["to"] == "socketio" else float("-inf")
    for change in found:
        if change["to"] == "socketio":
            since = change["timestamp"] if since is None else since
        elif since is not None:
            spells.append((since, change["timestamp"]))
            since = None
    return spells if since is None else [*spells, (since, float("inf"))]


LOOKS = 20
"""How often a page that sends by the server is looked at until nothing comes between one look and the other."""


def books_agree(who: page_rig.Participant) -> dict[str, Any]:
    """What is seen of a page's inputs on the server's socket is what its books say; returns its session's metrics.

    The books have an input once for each link that it went out for; to the server it is given once, for all of them.
    """
    for _ in range(LOOKS):
        before = len(inputs_by_server(who))
        metrics = who.game("exportSessionMetrics()")
        seen = inputs_by_server(who)
        if len(seen) == before and _agree(metrics, len(seen)):
            # Otherwise it may just be sending more.
            break
        who.page.wait_for_timeout(37)
    assert _agree(metrics, len(seen)), (len(seen), metrics["inputs"])
    first, links = metrics["inputs"]["sentViaSocketIO"], len(metrics["network"])
    assert first <= links * len({(data["sync_epoch"], data["frame_number"]) for data in seen})
    for data in seen:
        assert any(begin - 1 <= data["timestamp"] <= end + 1 for begin, end in away(metrics)), data
    return metrics


def _agree(metrics: Mapping[str, Any], seen: int) -> bool:
    """Whether a page says that it sent so many messages with inputs, and its counts of all links may come of them."""
    inputs = metrics["inputs"]
    over_links = inputs["sentViaSocketIO"] + inputs["resentViaSocketIO"]
    return bool(seen == inputs["givenToServer"] and seen <= over_links <= len(metrics["network"]) * seen)


def by_peer(*people: page_rig.Participant) -> bool:
    """Whether no input at all crossed the server in this game.

    If some did, then it is in the books, it was while a page had left the link because nothing came, and at that time a
    page had really stood still, as any may when its machine has other work. Everything else fails.
    """
    pauses = [pause for who in people for pause in who.pauses if pause["to"] - pause["from"] > PAUSE_MS]
    for who in people:
        found = books_agree(who)["pathChanges"]
        assert found or not inputs_by_server(who)
        for change in found:
            if change["to"] == "p2p":
                continue
            at = change["timestamp"]
            assert change["cause"] in ("silence", "unheard", "deaf"), change
            assert any(pause["from"] <= at + AFTER_MS and at - BEFORE_MS <= pause["to"] for pause in pauses), change
    return not any(inputs_by_server(who) for who in people)
