"""What clients send to be stored: from any JSON value to checked fields, or a refusal, as in `payloads`."""

from __future__ import annotations

import base64
import json
import re
import zlib
from dataclasses import dataclass
from typing import Any, Final

from pycore.relay.fields import (
    Refused,
    bounded,
    fields_of,
    flag_of,
    number_of,
    optional_id,
    player_of,
    shown,
    text_of,
    utf8_bytes,
)
from pycore.relay.limits import Limits
from pycore.relay.transport.large import JsonText, is_object, load_of

_HALF_PAIR = re.compile("[\ud800-\udfff]")

WHOLE: Final = -1
"""The episode of what is stored of a session as a whole, once it is over."""


@dataclass(frozen=True, slots=True)
class Store:
    """What `p2p_session_metrics`, `pycore_rows`, `pycore_records`, `pycore_experienced` and `p2p_connection_type`
    share, and their data."""

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
    so_far: bool = False
    """Of metrics: their episode goes on."""
    load: int | None = None
    """Of metrics: which load of its page they are of; None: they do not say it."""
    played: bool = True
    """It says that something was played; how a link is connected is known before that."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Where the rows of a `pycore_rows` belong; the rest is a `Store`."""

    revision: int
    base: int
    first: int
    frames: int
    last: bool
    """The episode's end is behind the rows."""


def read_metrics(payload: Any, limits: Limits) -> Store:
    """`metrics` is an object, or its JSON text, which is then kept to the byte. An object is written down as
    `JSON.stringify` does it: compact, in the order of its keys."""
    fields = fields_of(payload)
    owner = _owner(fields, limits)
    episode = number_of(fields, "episode", -1, limits.episodes)
    metrics = _unpacked(fields, limits.metrics_bytes) if "packed" in fields else fields.get("metrics")
    text = _metrics_text(metrics)
    size = utf8_bytes(text, "metrics", limits.metrics_bytes)
    return Store(*owner, size, text, episode=episode, so_far=flag_of(fields, "so_far"), load=load_of(text))


def read_records(payload: Any, limits: Limits) -> Store:
    """One part of an episode's canonical trajectory, as pages sent it whole before there were pieces; they may lie in
    somebody's browser still."""
    fields = fields_of(payload)
    data = _data(fields, limits.record_bytes)
    size = utf8_bytes(data, "data", limits.record_bytes)
    parts = number_of(fields, "parts", 1, limits.record_parts)
    return Store(
        *_owner(fields, limits), size, data,
        episode=number_of(fields, "episode", -1, limits.episodes),
        part=number_of(fields, "part", 0, parts - 1),
        parts=parts,
    )  # fmt: skip


def read_rows(payload: Any, limits: Limits) -> tuple[Store, Piece]:
    """A piece of an episode's canonical trajectory: its first line, rows, and perhaps the episode's end. A line more or
    less than was announced would be taken for another frame's later."""
    fields = fields_of(payload)
    data = _data(fields, limits.piece_bytes)
    size = utf8_bytes(data, "data", limits.piece_bytes)
    piece = Piece(
        number_of(fields, "revision", 0, limits.frames),
        number_of(fields, "base", 0, limits.frames),
        number_of(fields, "first", 0, limits.frames),
        number_of(fields, "frames", 0, limits.frames),
        flag_of(fields, "last"),
    )
    lines = data.count("\n")
    if lines != 1 + piece.frames + piece.last or not data.endswith("\n"):
        raise Refused("malformed", f"`data` has {lines} lines; {piece.frames} frames were announced")
    return Store(*_owner(fields, limits), size, data, episode=number_of(fields, "episode", 0, limits.episodes)), piece


def read_experienced(payload: Any, limits: Limits) -> Store:
    """One part of a player's experienced record; `last`: there is none behind it."""
    fields = fields_of(payload)
    data = _data(fields, limits.record_bytes)
    return Store(
        *_owner(fields, limits),
        utf8_bytes(data, "data", limits.record_bytes),
        data,
        part=number_of(fields, "part", 0, limits.experienced_parts - 1),
        last=flag_of(fields, "last"),
    )


def read_connection_type(payload: Any, limits: Limits) -> Store:
    """The whole object is kept; in a mesh `remote_player_id` tells the links apart."""
    fields = fields_of(payload)
    size = bounded(fields, "p2p_connection_type", limits.connection_bytes, limits.depth)
    remote = fields.get("remote_player_id")
    return Store(
        *_owner(fields, limits),
        size,
        {name: value for name, value in fields.items() if name != "session_id"},
        remote="" if remote is None else str(player_of(fields, "remote_player_id", limits)),
        played=False,
    )


def _owner(fields: dict[str, Any], limits: Limits) -> tuple[str, int | str, str | None]:
    return (
        text_of(fields, "game_id", limits),
        player_of(fields, "player_id", limits),
        optional_id(fields, "session_id", limits),
    )


def _data(fields: dict[str, Any], limit: int) -> str:
    """The text of records, which may be packed."""
    data = _unpacked(fields, limit) if "packed" in fields else fields.get("data")
    if not isinstance(data, str):
        raise Refused("malformed", f"`data` is {shown(data)}; it must be a string")
    return data


def _unpacked(fields: dict[str, Any], limit: int) -> str:
    """The text that `packed` holds, zlib's format in base64; never more of it is unpacked than may be."""
    packed = fields["packed"]
    if not isinstance(packed, str):
        raise Refused("malformed", f"`packed` is {shown(packed)}; it must be a string")
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(base64.b64decode(packed, validate=True), limit + 1)
        if len(found) > limit:
            raise Refused("too_large", f"`packed` holds more than {limit} bytes")
        if not unpacker.eof:
            raise Refused("malformed", "`packed` is cut off")
        return found.decode()
    except (ValueError, zlib.error) as error:
        raise Refused("malformed", f"`packed` is no text in zlib's format and base64: {error}") from None


def _metrics_text(metrics: Any) -> str:
    if isinstance(metrics, JsonText):
        return metrics
    try:
        if isinstance(metrics, dict):
            text = json.dumps(metrics, separators=(",", ":"), ensure_ascii=False)
            if _HALF_PAIR.search(text):
                # Half a surrogate pair: an escape keeps it, UTF-8 cannot.
                text = json.dumps(metrics, separators=(",", ":"))
            return text
        if isinstance(metrics, str) and is_object(metrics):
            return metrics
    except (ValueError, RecursionError):
        raise Refused("malformed", "`metrics` is not JSON, or nested too deep") from None
    raise Refused("malformed", f"`metrics` is {shown(metrics)}; it must be an object or its JSON text")
