"""The rows of the tables, game by game: what `pycore.export.columns` describes, in that order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pycore.export.cells import as_json, boolean, is_plain, number, text
from pycore.export.evidence import Evidence
from pycore.export.experience import put_experience
from pycore.export.seen import open_experience
from pycore.records.reader import RecordedEnd, RecordedFrame

Rows = Mapping[str, Callable[[list[str]], object]]
"""Takes a row of a table, by the table's name."""


def put_game(
    of: Evidence, items: Iterable[RecordedFrame | RecordedEnd], subjects: Mapping[str, str], out: Rows
) -> None:
    """All rows of one game; `items` are those of its longest record, `subjects` names by player."""
    totals: dict[tuple[int, str], Any] = {}
    finals: dict[int, str] = {}
    for item in items:
        if isinstance(item, RecordedEnd):
            finals[item.episode] = item.hash
        else:
            _put_frame(of, item, totals, out["frames"])
    _put_episodes(of, totals, finals, out["episodes"])
    _put_sessions(of, subjects, out["sessions"])
    for player, path in of.experienced.items():
        experience = open_experience(path)
        put_experience(of.game_id, player, experience, out["experienced"], out["seconds"], out["events"])
    for player, metrics in of.metrics.items():
        _put_rollbacks(of.game_id, player, metrics, out["rollbacks"])
        _put_paths(of.game_id, player, metrics, out["paths"])


def _put_frame(
    of: Evidence, item: RecordedFrame, totals: dict[tuple[int, str], Any], put: Callable[[list[str]], object]
) -> None:
    values = item.values
    rewards, infos = values.get("rewards", {}), values.get("infos", {})
    ended, cut = values.get("terminations", {}), values.get("truncations", {})
    begins = [text(of.game_id), str(item.episode), str(item.frame)]
    digest = text(item.hash)
    agents = of.players
    if not rewards.keys() <= set(agents) or not infos.keys() <= set(agents):
        agents = [*agents, *sorted({*rewards, *infos, *ended, *cut} - set(agents))]
    seats = len(item.actions)
    for seat, agent in enumerate(agents):
        reward = rewards.get(agent)
        plain = is_plain(reward)
        if agent in rewards:
            key = (item.episode, agent)
            numeric = type(reward) in (int, float)
            before = totals.get(key, 0)
            totals[key] = before + reward if numeric and before is not None else None
        put([
            *begins,
            text(agent),
            str(seat) if seat < seats else "",
            as_json(item.actions[seat]) if seat < seats else "",
            number(reward) if plain else "",
            as_json(reward) if agent in rewards and not plain else "",
            boolean(ended.get(agent)),
            boolean(cut.get(agent)),
            as_json(infos[agent]) if agent in infos else "",
            digest,
        ])  # fmt: skip


def _put_episodes(
    of: Evidence, totals: dict[tuple[int, str], Any], finals: dict[int, str], put: Callable[[list[str]], object]
) -> None:
    held = {} if of.agreement is None else of.agreement.held
    ends = {
        player: {row.get("episode"): row.get("reason") for row in metrics["episodes"]}
        for player, metrics in of.metrics.items()
    }
    known = max((len(each.lengths) for each in held.values()), default=0)
    told = [1 + number for by in ends.values() for number in by if type(number) is int]
    for episode in range(max([known, *told])):
        for player in of.players:
            own = held.get(player)
            has = own is not None and episode < len(own.lengths)
            put([
                text(of.game_id),
                str(episode),
                text(player),
                str(own.lengths[episode]) if own is not None and has else "",
                boolean(own.ended[episode]) if own is not None and has else "",
                text(ends.get(player, {}).get(episode)),
                number(totals.get((episode, player))),
                text(finals.get(episode)),
            ])  # fmt: skip


def _put_sessions(of: Evidence, subjects: Mapping[str, str], put: Callable[[list[str]], object]) -> None:
    header = of.header or {}
    about = of.about
    held = {} if of.agreement is None else of.agreement.held
    for seat, player in enumerate(of.players):
        metrics: dict[str, Any] = of.metrics.get(player) or {}
        own = held.get(player)

        def at(group: str, name: str, metrics: dict[str, Any] = metrics) -> Any:
            return metrics.get(group, {}).get(name)

        put([
            text(of.game_id),
            text(player),
            str(seat),
            text(subjects.get(player)),
            number(about.get("started")),
            number(about.get("ended")),
            text(header.get("environment")),
            text(header.get("configuration")),
            number(header.get("seed", about.get("seed"))),
            as_json(about["settings"]) if about else "",
            of.status,
            as_json(of.reasons),
            "" if own is None else str(own.rows),
            boolean(player == of.longest),
            text(at("end", "reason")),
            text(at("connection", "type")),
            number(at("inputs", "sentViaP2P")),
            number(at("inputs", "sentViaSocketIO")),
            number(at("inputs", "receivedViaP2P")),
            number(at("inputs", "receivedViaSocketIO")),
            number(at("inputs", "resentViaP2P")),
            number(at("inputs", "resentViaSocketIO")),
            number(at("rollbacks", "count")),
            number(at("rollbacks", "maxFrames")),
            number(at("rollbacks", "performed")),
            number(at("rollbacks", "resimulatedFrames")),
            number(at("sync", "p2pHashMismatches")),
            number(at("sync", "hashesCompared")),
            number(at("sync", "contradictions")),
            number(at("sync", "malformed")),
            boolean(at("quality", "p2pFallbackTriggered")),
            number(at("quality", "p2pFallbackFrame")),
            number(at("quality", "stalls")),
            "" if at("quality", "rttMs") is None else as_json(at("quality", "rttMs")),
            number(at("frames", "total")),
            *_of_network(metrics),
            *_of_page(metrics),
            *_of_sight(metrics),
            "" if player not in of.seen else str(of.seen[player].displayed),
            "" if player not in of.seen else str(of.seen[player].guessed),
        ])  # fmt: skip


def _at(metrics: Any, *path: str) -> Any:
    for name in path:
        metrics = metrics.get(name) if isinstance(metrics, dict) else None
    return metrics


def _of_network(metrics: dict[str, Any]) -> list[str]:
    """From the shortest round trip to the last of the packets."""
    network = [link for link in (_at(metrics, "network") or {}).values() if isinstance(link, dict)]
    predictions = [of for of in (_at(metrics, "predictions") or {}).values() if isinstance(of, dict)]
    slowest = max(network, key=lambda link: _at(link, "rttMs", "p50") or 0.0, default={})
    predictors = {str(of.get("predictor")) for of in predictions}
    depths, causes = _at(metrics, "rollbacks", "depths"), _at(metrics, "quality", "stallCauses")
    return [
        *[number(_at(slowest, "rttMs", name)) for name in ("min", "p50", "p90", "p99", "max")],
        *[number(_at(slowest, "jitterMs", name)) for name in ("p50", "p90")],
        *[number(_at(metrics, "quality", "inputAgeFrames", name)) for name in ("p50", "p99")],
        *[number(_at(metrics, "quality", "confirmationLagFrames", name)) for name in ("p50", "p99")],
        *[_sum(predictions, name) for name in ("frames", "hits", "misses")],
        text(", ".join(sorted(predictors))),
        "" if depths is None else as_json(depths),
        "" if causes is None else as_json(causes),
        *[
            _sum([_at(link, what) or {} for link in network], name)
            for what in ("bytes", "packets")
            for name in ("sentViaP2P", "receivedViaP2P", "sentViaSocketIO", "receivedViaSocketIO")
        ],
    ]


def _of_page(metrics: dict[str, Any]) -> list[str]:
    """What ticks and displayed frames took."""
    return [
        number(_at(metrics, "frameTimes", what, name))
        for what in ("tickMs", "displayMs") for name in ("p50", "p99", "max")
    ]  # fmt: skip


def _of_sight(metrics: dict[str, Any]) -> list[str]:
    """Visibility, desyncs, the server's clock and the waiting."""
    sights, desyncs = metrics.get("visibility"), metrics.get("desyncs")
    times = hidden = ""
    if isinstance(sights, list):
        times = str(sum(1 for sight in sights if _at(sight, "hidden") is True))
        if len(sights) % 2 == 0:
            stamps = [_at(sight, "timestamp") or 0 for sight in sights]
            hidden = number(float(sum(after - before for before, after in zip(stamps[::2], stamps[1::2], strict=True))))
    return [
        times,
        hidden,
        "" if not isinstance(desyncs, list) else str(len(desyncs)),
        number(_at(metrics, "clock", "offsetMs")),
        number(_at(metrics, "clock", "rttMs")),
        number(_at(metrics, "waiting", "seconds")),
    ]


def _sum(rows: list[Any], name: str) -> str:
    values = [row.get(name) for row in rows if type(row.get(name)) is int]
    return str(sum(values)) if values else ""


def _put_rollbacks(game_id: str, player: str, metrics: dict[str, Any], put: Callable[[list[str]], object]) -> None:
    for event in metrics["rollbacks"]["events"]:
        put([
            text(game_id),
            text(player),
            number(event.get("episode")),
            number(event.get("frame")),
            number(event.get("currentFrame")),
            number(event.get("rollbackFrames")),
            text(event.get("playerId")),
            as_json(event.get("predictedAction")),
            as_json(event.get("actualAction")),
            number(event.get("timestamp")),
        ])  # fmt: skip


def _put_paths(game_id: str, player: str, metrics: dict[str, Any], put: Callable[[list[str]], object]) -> None:
    for change in metrics["pathChanges"]:
        put([
            text(game_id),
            text(player),
            number(change.get("episode")),
            number(change.get("frame")),
            text(change.get("playerId")),
            text(change.get("from")),
            text(change.get("to")),
            text(change.get("cause")),
            number(change.get("timestamp")),
        ])  # fmt: skip
