"""Reads the payloads that clients send: from any JSON value to checked fields, or a refusal.

Whatever is not as it must be raises `Refused`; nothing else is ever raised here. Unknown keys are let through
unread, so that a newer page can talk to an older relay; they are never passed on.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pycore.relay.limits import Limits

_HALF_PAIR = re.compile("[\ud800-\udfff]")

WHOLE: Final = -1
"""The episode of what is stored of a session as a whole, once it is over."""
SIGNAL_TYPES = ("offer", "answer", "ice-candidate", "pycore")


class Refused(Exception):
    """An event that the relay does not carry out; it becomes a `pycore_error` to the sender.

    Codes: malformed, unknown_event, too_large, too_frequent, not_in_game, foreign_room, not_your_seat,
    unknown_target, already_in_game, server_full, store_busy, store_failed; to a socket without a cause of its
    own also waited_too_long, replaced, flood.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Join:
    """`join_game`."""

    session_id: str | None
    subject_id: str | None
    query: str = ""
    """What the page's address has behind its question mark; the study's settings say what of it is of interest."""


@dataclass(frozen=True, slots=True)
class Action:
    """`pyodide_player_action`: an input by the server."""

    game_id: str
    player_id: int | str
    action: Any
    frame_number: int
    sync_epoch: int | None


@dataclass(frozen=True, slots=True)
class Signal:
    """`webrtc_signal`."""

    game_id: str
    target_player_id: int | str
    type: str
    payload: Any
    size: int


@dataclass(frozen=True, slots=True)
class Store:
    """What `p2p_session_metrics`, `pycore_records`, `pycore_experienced` and `p2p_connection_type` share, and their
    data."""

    game_id: str
    player_id: int | str
    session_id: str | None
    size: int
    data: Any
    episode: int = -1
    part: int = 0
    parts: int = 1
    last: bool = False
    remote: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """`page_failed`: why a page cannot go on, for the study's log."""

    code: str
    message: str
    where: str
    query: str
    """The page's address behind the ?, which has the subject id; a page that could not load has not joined yet."""


def read_failure(payload: Any, limits: Limits) -> Failure:
    """Texts of any length, cut: what is longer is of no use in a log."""
    fields = _fields(payload)
    texts = [fields.get(name, "") for name in ("code", "message", "where")]
    if not all(isinstance(text, str) for text in texts):
        raise Refused("malformed", "`code`, `message` and `where` must be texts")
    code, message, where = texts
    return Failure(code[:64], message[:1000], where[:64], _query(fields, limits))


def read_join(payload: Any, limits: Limits) -> Join:
    """A missing payload is an anonymous join."""
    fields = _fields({} if payload is None else payload)
    return Join(
        _optional_id(fields, "session_id", limits),
        _optional_id(fields, "subject_id", limits),
        # A page that was opened with an address of any kind may play; only its subject is not known then.
        _query(fields, limits),
    )


def _query(fields: Mapping[str, Any], limits: Limits) -> str:
    query = fields.get("query")
    return query if isinstance(query, str) and len(query) <= limits.query_chars else ""


def subject_of(query: str, names: Sequence[str], limits: Limits) -> str | None:
    """The subject id in a page's address, `?PROLIFIC_PID=…`: of these names the first that has a value."""
    try:
        values = dict(urllib.parse.parse_qsl(query.removeprefix("?"), max_num_fields=100))
    except ValueError:
        return None
    for name in names:
        value = values.get(name, "").strip()
        if 1 <= len(value) <= limits.id_chars and value.isprintable():
            return value
    return None


def read_action(payload: Any, limits: Limits) -> Action:
    """The `timestamp` of the sender is not read: the relay puts its own."""
    fields = _fields(payload)
    if "action" not in fields:
        raise Refused("malformed", "`action` is missing")
    action = fields["action"]
    # The usual action is a small number; it needs no measuring.
    if type(action) is not int or not -(2**53) <= action <= 2**53:
        _bounded(action, "action", limits.action_bytes, limits.depth)
    epoch = fields.get("sync_epoch")
    return Action(
        _text(fields, "game_id", limits),
        _player(fields, "player_id", limits),
        action,
        _number(fields, "frame_number", 0, limits.frames),
        None if epoch is None else _number(fields, "sync_epoch", -1, limits.frames),
    )


def read_signal(payload: Any, limits: Limits) -> Signal:
    """The signal's own content is the peers' affair; only its size and depth are looked at."""
    fields = _fields(payload)
    kind = fields.get("type")
    if not isinstance(kind, str) or kind not in SIGNAL_TYPES:
        raise Refused("malformed", f"`type` is {_shown(kind)}; it must be one of {', '.join(SIGNAL_TYPES)}")
    content = fields.get("payload")
    size = _bounded(content, "payload", limits.signal_bytes, limits.depth)
    game = _text(fields, "game_id", limits)
    return Signal(game, _player(fields, "target_player_id", limits), kind, content, size)


def read_silent(payload: Any, limits: Limits) -> tuple[str, int | str]:
    """Whom the sender does not hear of any more: game and player."""
    fields = _fields(payload)
    return _text(fields, "game_id", limits), _player(fields, "player_id", limits)


def read_metrics(payload: Any, limits: Limits) -> Store:
    """`metrics` is an object, or its JSON text, which is then kept to the byte. An object is written down as
    `JSON.stringify` does it: compact, in the order of its keys."""
    fields = _fields(payload)
    owner = _owner(fields, limits)
    episode = _number(fields, "episode", -1, limits.episodes)
    text = _metrics_text(fields.get("metrics"))
    return Store(*owner, _utf8(text, "metrics", limits.metrics_bytes), text, episode=episode)


def read_records(payload: Any, limits: Limits) -> Store:
    """One part of an episode's canonical trajectory."""
    fields = _fields(payload)
    data = fields.get("data")
    if not isinstance(data, str):
        raise Refused("malformed", f"`data` is {_shown(data)}; it must be a string")
    size = _utf8(data, "data", limits.record_bytes)
    parts = _number(fields, "parts", 1, limits.record_parts)
    return Store(
        *_owner(fields, limits),
        size,
        data,
        episode=_number(fields, "episode", -1, limits.episodes),
        part=_number(fields, "part", 0, parts - 1),
        parts=parts,
    )


def read_experienced(payload: Any, limits: Limits) -> Store:
    """One part of a player's experienced record; `last`: there is none behind it."""
    fields = _fields(payload)
    data = fields.get("data")
    if not isinstance(data, str):
        raise Refused("malformed", f"`data` is {_shown(data)}; it must be a string")
    last = fields.get("last", False)
    if not isinstance(last, bool):
        raise Refused("malformed", f"`last` is {_shown(last)}; it must be true or false")
    return Store(
        *_owner(fields, limits),
        _utf8(data, "data", limits.record_bytes),
        data,
        part=_number(fields, "part", 0, limits.experienced_parts - 1),
        last=last,
    )


def read_connection_type(payload: Any, limits: Limits) -> Store:
    """The whole object is kept; in a mesh `remote_player_id` tells the links apart."""
    fields = _fields(payload)
    size = _bounded(fields, "p2p_connection_type", limits.connection_bytes, limits.depth)
    remote = fields.get("remote_player_id")
    return Store(
        *_owner(fields, limits),
        size,
        {name: value for name, value in fields.items() if name != "session_id"},
        remote="" if remote is None else str(_player(fields, "remote_player_id", limits)),
    )


def _fields(payload: Any) -> dict[str, Any]:
    if not isinstance(payload, dict):
        raise Refused("malformed", f"the payload is {_shown(payload)}; it must be an object")
    return payload


def _owner(fields: dict[str, Any], limits: Limits) -> tuple[str, int | str, str | None]:
    return (
        _text(fields, "game_id", limits),
        _player(fields, "player_id", limits),
        _optional_id(fields, "session_id", limits),
    )


def _metrics_text(metrics: Any) -> str:
    try:
        if isinstance(metrics, dict):
            text = json.dumps(metrics, separators=(",", ":"), ensure_ascii=False)
            if _HALF_PAIR.search(text):
                # Half a surrogate pair: an escape keeps it, UTF-8 cannot.
                text = json.dumps(metrics, separators=(",", ":"))
            return text
        if isinstance(metrics, str) and isinstance(json.loads(metrics, parse_constant=_no_constant), dict):
            return metrics
    except (ValueError, RecursionError):
        raise Refused("malformed", "`metrics` is not JSON, or nested too deep") from None
    raise Refused("malformed", f"`metrics` is {_shown(metrics)}; it must be an object or its JSON text")


def _text(fields: dict[str, Any], name: str, limits: Limits) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= limits.id_chars:
        raise Refused(
            "malformed",
            f"`{name}` is {_shown(value)}; it must be a text of 1 to {limits.id_chars} characters",
        )
    return value


def _optional_id(fields: dict[str, Any], name: str, limits: Limits) -> str | None:
    if fields.get(name) is None:
        return None
    value = _text(fields, name, limits)
    _utf8(value, name, 4 * limits.id_chars)
    return value


def _player(fields: dict[str, Any], name: str, limits: Limits) -> int | str:
    value = fields.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return value
    return _text(fields, name, limits)


def _number(fields: dict[str, Any], name: str, low: int, high: int) -> int:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Refused("malformed", f"`{name}` is {_shown(value)}; it must be a whole number from {low} to {high}")
    return value


def _utf8(text: str, name: str, limit: int) -> int:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Refused("malformed", f"`{name}` holds half a surrogate pair") from None
    if size > limit:
        raise Refused("too_large", f"`{name}` has {size} bytes; the limit is {limit}")
    return size


def _bounded(value: Any, name: str, limit: int, depth: int) -> int:
    """Size of a value's JSON, which is at most `limit` bytes and `depth` levels."""
    if _deeper(value, depth):
        raise Refused("malformed", f"`{name}` is nested deeper than {depth} levels")
    size = len(json.dumps(value, separators=(",", ":")))
    if size > limit:
        raise Refused("too_large", f"`{name}` has {size} bytes of JSON; the limit is {limit}")
    return size


def _deeper(value: Any, depth: int) -> bool:
    # Level by level, so that nothing recurses on what a stranger sent.
    level = [value]
    for _ in range(depth):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return False
        level = below
    return True


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _shown(value: Any) -> str:
    """What was sent, short enough for a message."""
    if value is None:
        return "missing"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    text = ascii(value) if isinstance(value, str) else str(value) if abs(value) < 2**64 else "a huge number"
    return text if len(text) <= 40 else text[:37] + "..."
