"""The lists of the metrics of a session that has no end: its episodes have them one by one.

What may be megabytes of metrics is stored with each episode for that one alone, and of the whole session at its end. Of
a page that went away before, the newest metrics have all counts, and get the lists of the others here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


def with_lists(text: str, others: Iterable[str]) -> str:
    """The newest metrics of a player, with what is listed in them and in those of the episodes, in order. As they were
    sent if they are of the whole session, or of a version that listed all each time."""
    newest = _of_an_episode(text)
    if newest is None:
        return text
    events: dict[int, list[Any]] = {}
    reports: dict[str, Any] = {}
    for other in (*others, text):
        found = _of_an_episode(other)
        # What an earlier load of the page counted is not in the counts of this one.
        if found is None or found.get("load") != newest.get("load"):
            continue
        events[found["listsOf"]] = found["rollbacks"]["events"]
        for report in found["desyncReports"]:
            reports[json.dumps([report.get(name) for name in ("episode", "frame", "playerId")])] = report
    listed = [event for episode in sorted(events) for event in events[episode]]
    rollbacks = {**newest["rollbacks"], "events": listed}
    rollbacks.pop("eventsLeftOut", None)
    left_out = rollbacks["count"] - len(listed)
    if left_out > 0:
        rollbacks["eventsLeftOut"] = left_out
    del newest["listsOf"]
    return json.dumps(
        {**newest, "rollbacks": rollbacks, "desyncReports": list(reports.values())}, separators=(",", ":")
    )


def _of_an_episode(text: str) -> dict[str, Any] | None:
    """Metrics whose lists are of one episode; None: others, and what no page of ours has sent."""
    if '"listsOf"' not in text:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or type(found.get("listsOf")) is not int:
        return None
    rollbacks, reports = found.get("rollbacks"), found.get("desyncReports")
    if not isinstance(rollbacks, dict) or not isinstance(rollbacks.get("events"), list):
        return None
    if type(rollbacks.get("count")) is not int or not isinstance(reports, list):
        return None
    return found if all(isinstance(report, dict) for report in reports) else None
