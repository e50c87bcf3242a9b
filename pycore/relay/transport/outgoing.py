"""What is to be sent to a socket: what decides says it, and what sends carries it out."""

from __future__ import annotations

from typing import Any, NamedTuple

from pycore.relay.fields import Refused


class Outgoing(NamedTuple):
    """One event to one socket. The event `DISCONNECT` closes it instead."""

    sid: str
    event: str
    data: dict[str, Any]


DISCONNECT = "!disconnect"


def error_to(sid: str, code: str, message: str, event: str) -> Outgoing:
    """An error that has no cause of its own."""
    return refusal_to(sid, Refused(code, message), event)


def refusal_to(sid: str, refused: Refused, event: str) -> Outgoing:
    """What was refused, told to its sender."""
    return Outgoing(sid, "pycore_error", {**refused.fields, "event": event})
