"""The shape of what a page stored as its metrics, looked at before anybody reads it.

The server keeps metrics as a page sent them, and whoever has the page may send what they like. Everything that tables,
verdict and report rely on is checked here, so that a file is refused by its name and the field, and no table fails half
way. Null is as good as nothing; what older versions did not write is not missed; reports of a desync, which prove
nothing, are read as far as they are some (`reports_of`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

GROUPS: Final = ("connection", "inputs", "rollbacks", "sync", "quality", "frames", "end")
"""Objects that all metrics have."""
OBJECTS: Final = ("environment", "network", "predictions", "frameTimes", "waiting", "clock")
LISTS: Final = ("pathChanges", "episodes")
LATER: Final = ("drops", "desyncs", "visibility", "unseen")
"""Lists that metrics of older versions have not."""
OF_LINKS: Final = ("rttMs", "jitterMs", "rttViaSocketIOMs", "inputAgeFrames", "bytes", "packets", "connectionDetails")
NO_REPORT: Final = dict.fromkeys(("episode", "frame", "playerId", "lacks"))
NO_FIELD: Final = dict.fromkeys(("path", "own", "theirs"))
NUMBERS: Final = (int, float)


def mend(value: dict[str, Any]) -> str:
    """Put in what is missing, an empty object or list, and leave out what is null of a link; and what is wrong with the
    rest, as a sentence's end."""
    for name in (*GROUPS, *OBJECTS):
        if value.get(name) is None:
            value[name] = {}
        if not isinstance(value[name], dict):
            return f"{name} is no object"
    for owner, name in ((value["rollbacks"], "events"), *((value, name) for name in LISTS)):
        owner.setdefault(name, [])
        if not _are_objects(owner[name]):
            return f"{name} are no list of objects"
    for name in LATER:
        if value.get(name) is not None and not _are_objects(value[name]):
            return f"{name} are no list of objects"
    return next(_wrong_inside(value), "")


def reports_of(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """The reports of desyncs, as far as they are such; None for what is missing in one."""
    reports = metrics.get("desyncReports")
    return [
        {**NO_REPORT, **report, "fields": [{**NO_FIELD, **of} for of in report["fields"] if isinstance(of, dict)]}
        for report in (reports if isinstance(reports, list) else ())
        if isinstance(report, dict) and isinstance(report.get("fields"), list)
    ]


def _wrong_inside(value: dict[str, Any]) -> Iterator[str]:
    for group in ("network", "predictions"):
        for player, link in value[group].items():
            if not isinstance(link, dict):
                yield f"{group} of player {player} is no object"
                continue
            for name in OF_LINKS if group == "network" else ():
                if link.get(name) is None:
                    link.pop(name, None)
                elif not isinstance(link[name], dict):
                    yield f"{name} of player {player} is no object"
                else:
                    yield from _wrong(link[name], ("p50",), NUMBERS, f"{name} of player {player}", "number")
    yield from _wrong(value["end"], ("reason",), (str,), "end", "text")
    # What is compared with the records and with what others say.
    for name in ("episodes", "drops"):
        for row in value.get(name) or ():
            yield from _wrong(row, ("episode", "frame", "frames"), (int,), name, "int")
            yield from _wrong(row, ("reason", "cause"), (str,), name, "text")
    for frames in value.get("unseen") or ():
        yield from _wrong(frames, ("from", "to"), (int,), "unseen", "int")
    for sight in value.get("visibility") or ():
        yield from _wrong(sight, ("timestamp",), NUMBERS, "visibility", "number")


def _wrong(row: dict[str, Any], names: tuple[str, ...], kinds: tuple[type, ...], of: str, what: str) -> Iterator[str]:
    for name in names:
        if row.get(name) is not None and type(row[name]) not in kinds:
            yield f"{name} in {of} is {row[name]!r:.40}, no {what}"


def _are_objects(rows: Any) -> bool:
    return isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
