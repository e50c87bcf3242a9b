"""News of a session as they cross to the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pycore.events import Event, Log


def joined(events: Sequence[Event]) -> Iterator[Event]:
    """The same events; lines of the log of one level that follow on each other are one: a rollback may have ten."""
    lines: list[str] = []
    level = ""
    for event in events:
        if lines and not (isinstance(event, Log) and event.level == level):
            yield Log(level=level, text="\n".join(lines))
            lines.clear()
        if isinstance(event, Log):
            level = event.level
            lines.append(event.text)
        else:
            yield event
    if lines:
        yield Log(level=level, text="\n".join(lines))
