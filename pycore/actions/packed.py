"""Actions of any space but the plainest ones: packed bits, filled up to whole bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pycore.actions import runs
from pycore.actions.bits import Reader, Writer
from pycore.actions.fields import Field
from pycore.errors import ActionTooLarge, ConfigError, DecodeError

MAX_JSON: Final = 16_384
"""Characters that an action may take as JSON, which is how it goes through the server."""


class PackedCodec:
    """Actions of one space, each in the fewest bits that its parts take.

    A decoded action has the types that a sample of the space has, but for one: of a discrete space it is an int, and
    no scalar of numpy. It is equal to one and hashes alike, so `actions[action]` and `action in table` work as before;
    it is what the page gives without numpy, what JSON gives, and it does not overflow. `isinstance(action, int)` holds.
    """

    __slots__ = ("_field", "_limit", "optional", "size")

    def __init__(self, field: Field, limit: int, *, optional: bool = False) -> None:
        self.optional = optional
        """Whether None is an action as well: no move."""
        self._field = field
        self._limit = limit
        bits = field.bits
        self.size: int | None = None if bits is None else max(1, -(-bits // 8))
        """Bytes of every action; None where they differ: then each has its length in front, in two bytes."""
        if self.size is not None and self.size > limit:
            raise ConfigError(f"an action of this space takes {self.size} bytes; {_bound(limit)}")
        if field.json_bytes > MAX_JSON:
            raise ConfigError(
                f"an action of this space takes up to {field.json_bytes} characters as JSON; the limit is {MAX_JSON}: "
                "it must also fit through the server"
            )

    def encode(self, action: Any) -> bytes:
        """The bytes of an action. Raises ActionError, which names the place, ActionTooLarge if it is too long."""
        out = Writer()
        self._field.pack(action, "action", out)
        if self.size is not None:
            return out.padded(self.size)
        size = -(-out.width // 8)
        if size > self._limit:
            raise ActionTooLarge(f"the action takes {size} bytes; {_bound(self._limit)}")
        return runs.with_length(out.padded(size))

    def decode(self, data: bytes) -> Any:
        """The action of encoded bytes. Raises DecodeError."""
        if self.size is not None:
            if len(data) != self.size:
                raise DecodeError(f"an action of {len(data)} bytes; it has {self.size}")
        else:
            data = runs.without_length(data, 0, self._limit)
        source = Reader(data)
        action = self._field.unpack(source)
        # An action of no bits takes a whole byte all the same: what is split must have a size.
        source.end(7 if self.size is None else 8)
        return action

    def reader(self) -> Callable[[bytes], Any]:
        """What `decode` does, of bytes that `encode` or `split` gave."""
        return self.decode

    def split(self, data: bytes, offset: int, count: int, skip: int = 0) -> tuple[list[bytes], int]:
        """The `count` encoded actions that stand at `offset`, but for the first `skip`, and the offset behind them."""
        return runs.split(self, data, offset, count, skip)

    def to_json(self, action: Any) -> Any:
        """A decoded action as JSON can spell it; encoding that gives the same bytes."""
        return self._field.to_json(action)

    def neutral(self) -> Any:
        """An action that does as little as the space allows: zeros, or what is nearest to them."""
        return self._field.neutral()


def _bound(limit: int) -> str:
    return (
        f"the limit is {limit}: one datagram has room for no more (the setting datagram_bytes), "
        "and none may be longer than 1000"
    )
