"""What clients send of their game: from any JSON value to checked fields, or a refusal.

Whatever is not as it must be raises `Refused`; nothing else is ever raised here. Unknown keys are let through
unread, so that a newer page can talk to an older relay; they are never passed on.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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
    well_formed,
)
from pycore.relay.limits import Limits

SIGNAL_TYPES = ("offer", "answer", "ice-candidate", "pycore")


@dataclass(frozen=True, slots=True)
class Join:
    """`join_game`."""

    session_id: str | None
    subject_id: str | None
    query: str = ""
    """What the page's address has behind its question mark; the study's settings say what of it is of interest."""
    page: str | None = None
    """By what this load of the page is known, another one at each load."""
    game_id: str | None = None
    """The game that the page wants to come back to: that one or none."""
    take_over: bool = False
    """Whether it takes the place of another window of the same person."""
    unbegun: str | None = None
    """A game that did not begin for the page, and instead of which it wants another one."""


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
class Failure:
    """`page_failed`: why a page cannot go on, for the study's log."""

    code: str
    message: str
    where: str
    query: str
    """The page's address behind the ?, which has the subject id; a page that could not load has not joined yet."""


def read_failure(payload: Any, limits: Limits) -> Failure:
    """Texts of any length, cut: what is longer is of no use in a log."""
    fields = fields_of(payload)
    texts = [fields.get(name, "") for name in ("code", "message", "where")]
    if not all(isinstance(text, str) for text in texts):
        raise Refused("malformed", "`code`, `message` and `where` must be texts")
    code, message, where = map(well_formed, texts)
    return Failure(code[:64], message[:1000], where[:64], _query(fields, limits))


def read_join(payload: Any, limits: Limits) -> Join:
    """A missing payload is an anonymous join."""
    fields = fields_of({} if payload is None else payload)
    return Join(
        optional_id(fields, "session_id", limits),
        optional_id(fields, "subject_id", limits),
        # A page that was opened with an address of any kind may play; only its subject is not known then.
        _query(fields, limits),
        optional_id(fields, "page", limits),
        optional_id(fields, "game_id", limits),
        flag_of(fields, "take_over"),
        optional_id(fields, "unbegun", limits),
    )


def read_action(payload: Any, limits: Limits) -> Action:
    """The `timestamp` of the sender is not read: the relay puts its own."""
    fields = fields_of(payload)
    if "action" not in fields:
        raise Refused("malformed", "`action` is missing")
    action = fields["action"]
    # The usual action is a small number; it needs no measuring.
    if type(action) is not int or not -(2**53) <= action <= 2**53:
        bounded(action, "action", limits.action_bytes, limits.depth)
    epoch = fields.get("sync_epoch")
    return Action(
        text_of(fields, "game_id", limits),
        player_of(fields, "player_id", limits),
        action,
        number_of(fields, "frame_number", 0, limits.frames),
        None if epoch is None else number_of(fields, "sync_epoch", -1, limits.frames),
    )


def read_signal(payload: Any, limits: Limits) -> Signal:
    """The signal's own content is the peers' affair; only its size and depth are looked at."""
    fields = fields_of(payload)
    kind = fields.get("type")
    if not isinstance(kind, str) or kind not in SIGNAL_TYPES:
        raise Refused("malformed", f"`type` is {shown(kind)}; it must be one of {', '.join(SIGNAL_TYPES)}")
    content = fields.get("payload")
    size = bounded(content, "payload", limits.signal_bytes, limits.depth)
    game = text_of(fields, "game_id", limits)
    return Signal(game, player_of(fields, "target_player_id", limits), kind, content, size)


class Parting(NamedTuple):
    """A page goes."""

    session_id: str
    page: str
    leaves: bool


def read_parting(payload: Any, limits: Limits) -> Parting:
    """Which load of whose page, and whether it is gone for good."""
    fields = fields_of(payload)
    return Parting(text_of(fields, "session_id", limits), text_of(fields, "page", limits), flag_of(fields, "leaves"))


def read_silent(payload: Any, limits: Limits) -> tuple[str, int | str]:
    """Whom the sender does not hear of any more: game and player."""
    fields = fields_of(payload)
    return text_of(fields, "game_id", limits), player_of(fields, "player_id", limits)


def subject_of(query: str, names: Sequence[str], limits: Limits) -> str | None:
    """The subject id in a page's address, `?PROLIFIC_PID=…`: of these names the first that has a value. Services and
    people write one name in many ways, so `participantId` and `Participant-ID` are `participant_id`; of a name that
    stands there twice the first value counts, as in a browser."""
    try:
        fields = urllib.parse.parse_qsl(query.removeprefix("?"), max_num_fields=100)
    except ValueError:
        return None
    values: dict[str, str] = {}
    for name, value in fields:
        values.setdefault(folded(name), value)
    for name in names:
        value = values.get(folded(name), "").strip()
        if 1 <= len(value) <= limits.id_chars and value.isprintable():
            return value
    return None


def _query(fields: Mapping[str, Any], limits: Limits) -> str:
    query = fields.get("query")
    return query if isinstance(query, str) and len(query) <= limits.query_chars else ""


def folded(name: str) -> str:
    """One spelling for all of a name in an address."""
    return name.lower().replace("_", "").replace("-", "")
