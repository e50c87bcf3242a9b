"""ACCOUNT and PAST: what a page that was loaded again is told, so that it can play on.

ACCOUNT, from everybody who is there, in canonical form: the running episode with its input delays, up to which frame it
is confirmed there, what is held of the returner's own seats beyond that, who is gone, the stop, and what came before.
PAST, from whoever is asked for all of it, and the last frames from each: encoded actions of one seat, of frames in a
row.

    ACCOUNT [returning, episode, open, confirmed, hashed, stop, delays, ended, gone, settled, held, backs, marks]
    PAST    [episode, seat, first frame, count, the actions]

Who is `returning` itself has nothing to tell but that: it takes nothing of an earlier load of the other's page any
more. `delays`: by episode that began, or begins next, a list by seat. `ended`: [frames, reason] each. `gone`: [number,
cause, episode or None, [[seat, frame], …]] each. `settled`: [seat, frame] for each seat of somebody gone, the last
frame of this episode with an action of its own, or up to which its actions are held. `held`: [seat, [[frame, action],
…]] for each of the returner's seats. `backs`: whoever was gone and came back, as in GONE. `marks`: [frame, player,
what] where another plays a seat from a confirmed frame on. All PAST of an episode comes behind its ACCOUNT, since a
stream keeps its order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from pycore.errors import DecodeError, PycoreError
from pycore.frozen import Named
from pycore.link.link import Link
from pycore.rollback.seats import Seat
from pycore.session.messages.message import ACCOUNT, PAST
from pycore.session.publication import STAND_INS
from pycore.session.settling import NOBODY, Back
from pycore.values import canonical

ACCOUNT_BYTES: Final = 1 << 18
PAST_BYTES: Final = 1 << 16
PIECE_BYTES: Final = 1 << 15
"""Of actions in a message, unless a single one has more."""
MOST_FRAMES: Final = 1 << 31
CAUSES: Final = ("left", "silent", "returned", "error")


class Absent(Named):
    """Somebody who is gone, as another one knows it."""

    number: int
    cause: str
    episode: int | None
    frames: dict[int, int]


class Account(Named):
    """What a peer says of the game."""

    returning: bool
    episode: int
    open: bool
    confirmed: int
    """Everybody's inputs of frames up to this one are known to all; -1: of none."""
    hashed: int
    """The first frame whose hash is to be compared with it."""
    stop: int | None
    delays: list[tuple[int, ...]]
    ended: list[tuple[int, str]]
    gone: list[Absent]
    settled: dict[int, int]
    held: dict[int, dict[int, bytes]]
    backs: Mapping[int, Back] = NOBODY
    marks: Sequence[tuple[int, str, str]] = ()


class Piece(Named):
    """Encoded actions of one seat, of frames in a row."""

    episode: int
    seat: int
    first: int
    inputs: list[bytes]


class Hearer(Protocol):
    """Whom it is for."""

    def told(self, link: Link, account: Account, now: float) -> None:
        """A peer said how the game stands."""

    def past(self, link: Link, piece: Piece, now: float) -> None:
        """A peer said what was played."""


class Teller(Protocol):
    """Who tells."""

    def work(self, now: float) -> bool:
        """Tell what is to be told; whether there is more."""


class AccountKind:
    """ACCOUNT messages; `hearer` is whoever returns, None: it is not us."""

    kind = ACCOUNT
    limit = ACCOUNT_BYTES

    def __init__(
        self, hearer: Hearer | None, teller: Teller, seats: Sequence[Seat], peers: int, players: Sequence[int | str]
    ) -> None:
        self._hearer = hearer
        self._teller = teller
        self._seats = seats
        self._peers = peers
        self._players = [str(player) for player in players]

    def take(self, link: Link, payload: bytes, now: float) -> None:
        """Read whole, or refused. Raises DecodeError."""
        account = decode_account(payload, self._seats, self._peers, self._players)
        if self._hearer is not None:
            self._hearer.told(link, account, now)

    def work(self, now: float) -> bool:
        """Whatever is told, is told here."""
        return self._teller.work(now)


class PastKind:
    """PAST messages."""

    kind = PAST
    limit = PAST_BYTES + canonical.MAX_DEPTH

    def __init__(self, hearer: Hearer | None, seats: Sequence[Seat]) -> None:
        self._hearer = hearer
        self._seats = seats

    def take(self, link: Link, payload: bytes, now: float) -> None:
        """Read whole, or refused. Raises DecodeError."""
        piece = decode_piece(payload, self._seats)
        if self._hearer is not None:
            self._hearer.past(link, piece, now)

    def work(self, now: float) -> bool:
        """Nothing of its own."""
        return False


NOTHING: Final = Account(True, 0, False, -1, 0, None, [], [], [], {}, {})
"""From who is returning itself."""


def encode_account(account: Account) -> bytes:
    """The payload of a ACCOUNT message."""
    return canonical.encode([
        account.returning, account.episode, account.open, account.confirmed, account.hashed, account.stop,
        [list(delays) for delays in account.delays],
        [list(ended) for ended in account.ended],
        [[one.number, one.cause, one.episode, sorted(one.frames.items())] for one in account.gone],
        sorted(account.settled.items()),
        [[seat, sorted(held.items())] for seat, held in sorted(account.held.items())],
        [[number, *back] for number, back in sorted(account.backs.items())],
        [list(mark) for mark in account.marks],
    ])  # fmt: skip


def decode_account(payload: bytes, seats: Sequence[Seat], peers: int, players: Sequence[str]) -> Account:
    """What a ACCOUNT message says, every number of it looked at. Raises DecodeError."""
    try:
        values = canonical.decode(payload)
        returning, episode, opened, confirmed, hashed, stop, delays, ended, gone, settled, held, backs, marks = values
        count = len(seats)
        account = Account(
            bool(returning), _number(episode, 0, 255), bool(opened), _number(confirmed, -1), _number(hashed, 0),
            None if stop is None else _number(stop, 0),
            [tuple([_number(delay, 0, 60) for delay in of]) for of in delays],
            [(_number(frames, 0), str(reason)[:40]) for frames, reason in ended],
            [
                Absent(
                    _number(number, 0, peers - 1), CAUSES[CAUSES.index(cause)],
                    None if since is None else _number(since, 0, 255), _by_seat(frames, count),
                )
                for number, cause, since, frames in gone
            ],
            _by_seat(settled, count),
            {
                _number(seat, 0, count - 1): {
                    _number(frame, 0): _action(seats[seat], encoded) for frame, encoded in inputs
                }
                for seat, inputs in held
            },
            {_number(number, 0, peers - 1): _back(of) for number, *of in backs},
            tuple([
                (_number(frame, 0), players[players.index(player)], STAND_INS[STAND_INS.index(what)])
                for frame, player, what in marks
            ]),
        )  # fmt: skip
    except (TypeError, ValueError, IndexError, PycoreError) as error:
        raise DecodeError(f"ACCOUNT that cannot be read: {error}") from None
    episodes = 0 if account.returning else account.episode + 1
    if len(account.ended) != max(0, episodes - 1):
        raise DecodeError(f"ACCOUNT of episode {account.episode} with {len(account.ended)} before it")
    if any(len(of) != count for of in account.delays) or len(account.delays) != episodes:
        raise DecodeError("ACCOUNT without the input delays of every episode")
    return account


def encode_piece(piece: Piece) -> bytes:
    """The payload of a PAST message."""
    return canonical.encode([piece.episode, piece.seat, piece.first, len(piece.inputs), b"".join(piece.inputs)])


def decode_piece(payload: bytes, seats: Sequence[Seat]) -> Piece:
    """What a PAST message says. Raises DecodeError."""
    try:
        episode, seat, first, count, data = canonical.decode(payload)
        of = seats[_number(seat, 0, len(seats) - 1)]
        if type(data) is not bytes:
            raise DecodeError("actions that are no bytes")
        inputs, at = of.codec.split(data, 0, _number(count, 1, len(data) or 1))
    except (TypeError, ValueError, PycoreError) as error:
        raise DecodeError(f"PAST that cannot be read: {error}") from None
    if at != len(data):
        raise DecodeError(f"{len(data) - at} bytes behind the last action of a PAST message")
    return Piece(_number(episode, 0, 255), seat, _number(first, 0), inputs)


def _number(value: Any, least: int, most: int = MOST_FRAMES) -> int:
    if type(value) is not int or not least <= value <= most:
        raise DecodeError(f"{value!r:.40} is no number between {least} and {most}")
    return value


def _by_seat(pairs: Any, seats: int) -> dict[int, int]:
    return {_number(seat, 0, seats - 1): _number(frame, -1) for seat, frame in pairs}


def _back(of: Any) -> Back:
    changes, load, incarnation, episode, settled, frame = of
    return Back(
        _number(changes, 2, 255), _number(load, 1, 255), _number(incarnation, 0, (1 << 32) - 1),
        _number(episode, 0, 255), _number(settled, -1), _number(frame, 0),
    )  # fmt: skip


def _action(seat: Seat, encoded: Any) -> bytes:
    """One encoded action. Raises DecodeError."""
    if type(encoded) is not bytes:
        raise DecodeError("an action that is no bytes")
    found, at = seat.codec.split(encoded, 0, 1)
    if at != len(encoded):
        raise DecodeError("bytes behind an action")
    return found[0]
