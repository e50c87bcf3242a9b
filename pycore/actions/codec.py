"""Actions as bytes: what crosses the wire, and what two actions are compared by.

Two actions are the same when their encoded bytes are, never because `==` says so: `1` and `True` are two actions.
Every encoded action is self-delimiting, either by its fixed size or by a length in front, so that
a run of inputs is a plain concatenation. The local player's action enters the simulation as
``decode(encode(action))``, so that every peer steps with the very same value: numbers are rounded to their dtype there,
once, and there is one zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pycore.actions import runs
from pycore.actions.fields import field_of
from pycore.actions.packed import PackedCodec
from pycore.errors import ActionError, ActionTooLarge, CanonicalError, ConfigError, DecodeError
from pycore.spaces import integer, space_of
from pycore.values import canonical
from pycore.values.json import EXACT

DEEPEST = 16
MAX_ACTION_BYTES = 1000
"""Limit of one encoded action: one must fit a datagram beside the header."""


MAX_TABLE: Final = 65_536
"""Actions of a discrete space that are kept as a table."""


class DiscreteCodec:
    """Actions `start` … `start` + n - 1, each in the fewest whole bytes. They are ints, also where numpy is loaded."""

    __slots__ = ("_decoded", "_encoded", "_table", "n", "size", "start")

    def __init__(self, n: int, start: int = 0) -> None:
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MAX_TABLE:
            raise ConfigError(f"a discrete action space has 1 to {MAX_TABLE} actions, not {n!r}")
        self.n = n
        self.start = start
        self.size: int | None = 1 if n <= 256 else 2
        self._encoded = [i.to_bytes(self.size, "big") for i in range(n)]
        self._table = {start + i: encoded for i, encoded in enumerate(self._encoded)}
        self._decoded = {encoded: start + i for i, encoded in enumerate(self._encoded)}

    def encode(self, action: Any) -> bytes:
        """The bytes of an action; raises ActionError if it is not an int, or an integer of numpy, in range."""
        if type(action) is int:  # a table would find 1 for True
            try:
                return self._table[action]
            except KeyError:
                pass
        number = integer(action)
        if number is not None and number in self._table:
            return self._table[number]
        raise ActionError(f"action {action!r:.60} is not an int from {self.start} to {self.start + self.n - 1}")

    def decode(self, data: bytes) -> Any:
        """The action of encoded bytes; raises DecodeError."""
        try:
            return self._decoded[data]
        except KeyError:
            raise DecodeError(f"action {data[:8].hex()} is none of {self.n}") from None

    def reader(self) -> Callable[[bytes], Any]:
        """What `decode` does, of bytes that `encode` or `split` gave: every frame reads some, so it is a table's."""
        return self._decoded.__getitem__

    def split(self, data: bytes, offset: int, count: int, skip: int = 0) -> tuple[list[bytes], int]:
        """The `count` encoded actions that stand at `offset`, but for the first `skip`, and the offset behind them."""
        size = self.size or 1
        end = offset + count * size
        if end > len(data):
            raise DecodeError(f"{count} inputs end at byte {end} of {len(data)}")
        offset += skip * size
        if size == 1:
            encoded_of = self._encoded
            try:
                return [encoded_of[byte] for byte in data[offset:end]], end
            except IndexError:
                raise DecodeError(f"action {max(data[offset:end])} is none of {self.n}") from None
        known = self._decoded
        inputs = [data[at : at + size] for at in range(offset, end, size)]
        for encoded in inputs:
            if encoded not in known:
                raise DecodeError(f"action {encoded.hex()} is none of {self.n}")
        return inputs, end

    def to_json(self, action: Any) -> Any:
        """A decoded action as JSON can spell it: as it is."""
        return action

    def neutral(self) -> Any:
        """0, or the first action where 0 is none."""
        return 0 if 0 in self._table else self.start


class AnyCodec:
    """Any action that JSON can spell (numbers, texts, lists, dictionaries), with a length in front.

    JSON, because the same action travels in a message through the server and stands in the records.
    """

    __slots__ = ("limit", "size")

    def __init__(self, limit: int = MAX_ACTION_BYTES) -> None:
        self.limit = min(limit, MAX_ACTION_BYTES)
        """Bytes of the longest action, without the length in front."""
        self.size: int | None = None

    def encode(self, action: Any) -> bytes:
        """The bytes of an action; raises ActionError if it has no canonical form, ActionTooLarge if it is too long."""
        try:
            body = canonical.encode(_normal(action, 0))
        except CanonicalError as error:
            raise ActionError(f"the action has no canonical form: {error}") from error
        if len(body) > self.limit:
            raise ActionTooLarge(
                f"the action takes {len(body)} bytes; the limit is {self.limit}: one datagram has room for no more "
                "(the setting datagram_bytes), and none may be longer than 1000"
            )
        return runs.with_length(body)

    def decode(self, data: bytes) -> Any:
        """The action of encoded bytes; raises DecodeError."""
        body = runs.without_length(data, 1, self.limit)
        action = canonical.decode(body)
        try:
            normal = canonical.encode(_normal(action, 0))
        except ActionError as error:
            raise DecodeError(str(error)) from None
        if normal != body:
            raise DecodeError("an action that is not in its normal form")
        return action

    def reader(self) -> Callable[[bytes], Any]:
        """What `decode` does, of bytes that `encode` or `split` gave."""
        return self.decode

    def split(self, data: bytes, offset: int, count: int, skip: int = 0) -> tuple[list[bytes], int]:
        """The `count` encoded actions that stand at `offset`, but for the first `skip`, and the offset behind them."""
        return runs.split(self, data, offset, count, skip)

    def to_json(self, action: Any) -> Any:
        """A decoded action as JSON can spell it: as it is."""
        return action

    def neutral(self) -> Any:
        """0."""
        return 0


def _normal(value: Any, depth: int) -> Any:
    """The action as it comes back from a page: JSON has one kind of number, and of pages only those that are exact.

    So 1.0 becomes 1, wherever the action goes. Raises ActionError for what JSON cannot spell.
    """
    kind = type(value)
    if kind in (str, bool, type(None)):
        return value
    if kind is float and value - value == 0.0:
        return value if value % 1 or not -EXACT <= value <= EXACT else int(value)
    if kind is int and -EXACT <= value <= EXACT:
        return value
    if kind in (list, tuple) and depth < DEEPEST:
        return [_normal(item, depth + 1) for item in value]
    if kind is dict and depth < DEEPEST and all(type(key) is str for key in value):
        return {key: _normal(item, depth + 1) for key, item in value.items()}
    raise ActionError(
        f"an action holds {value!r:.40}, which a page cannot carry; actions are null, booleans, finite numbers "
        f"(integers up to 2**53), texts, and lists and dictionaries of these, up to {DEEPEST} deep"
    )


ActionCodec = DiscreteCodec | AnyCodec | PackedCodec
"""What writes the actions of a seat as bytes, and reads them."""


def action_codec(space: Any, limit: int = MAX_ACTION_BYTES) -> ActionCodec:
    """The codec of an action space: an object of `gymnasium.spaces`, or a dictionary as `pycore.spaces.space_of`
    describes it.

    `limit` is what a datagram has room for, in bytes. Raises ConfigError for a space that is none, that has no codec,
    or whose actions take more than that.
    """
    plain = space_of(space)
    kind = plain["type"]
    if kind == "any":
        return AnyCodec(limit)
    if kind == "discrete" and plain["n"] <= MAX_TABLE:
        return DiscreteCodec(plain["n"], plain.get("start", 0))
    return PackedCodec(field_of(plain), min(limit, MAX_ACTION_BYTES), optional=kind == "optional")


def default_of(codec: ActionCodec, given: Any, name: str = "default_action") -> bytes:
    """The default action of a seat, encoded, from what its setting says.

    0 and None ask for nothing in particular: where they are no actions of the space, its neutral action is the default.
    Of an optional space that is none: nobody moves because nothing was said. Raises ActionError for anything else that
    is not in the space.
    """
    if isinstance(codec, PackedCodec) and codec.optional and type(given) is int and given == 0:
        given = None
    try:
        return codec.encode(given)
    except ActionError as error:
        if given is None or (type(given) is int and given == 0):
            return codec.encode(codec.neutral())
        raise ActionError(f"{name} is not in the action space: {error}") from None
