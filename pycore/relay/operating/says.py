"""What the relay says of itself in the log: events with stable names and fields, for people and for programs.

Every line of an event has a sentence, and beside it the event's name and its fields, from which a formatter makes what
is wanted: `JsonFormatter` an object a line. Names and fields are an interface: docs/deployment.md has them.
"""

from __future__ import annotations

import datetime
import json
import logging
import re
from typing import Any, Final

EVENT: Final = "pycore_event"
FIELDS: Final = "pycore_fields"
SENTENCE: Final = "pycore_sentence"

_PLAIN: Final = re.compile(r"[\w.:/@+-]+")


def say(log: logging.Logger, level: int, event: str, sentence: str, **fields: Any) -> None:
    """Log an event; fields that are None are left out."""
    if not log.isEnabledFor(level):
        return
    there = {name: value for name, value in fields.items() if value is not None}
    extra = {EVENT: event, FIELDS: there, SENTENCE: sentence}
    shown = "".join(f" {name}={_shown(value)}" for name, value in there.items())
    log.log(level, "%s%s", sentence, shown, extra=extra)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(_shown(each) for each in value)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in ASCII: `time` (ISO 8601, UTC), `level`, `event` (`log` for what has no name),
    `message`, the event's fields, and `traceback` where something was raised."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": getattr(record, EVENT, "log"),
            "message": getattr(record, SENTENCE, None) or record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
