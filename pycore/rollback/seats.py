"""The places whose actions every frame needs.

A seat knows what its actions are (`codec`), how they are delayed and what stands for one that nobody gave. Who plays
it, its `owner`, is a peer, by index, or nobody.
"""

from __future__ import annotations

from typing import Any

from pycore.actions.codec import ActionCodec, default_of


class Seat:
    """One seat of a session. Raises ActionError for a default action that is not in the space."""

    __slots__ = (
        "codec",
        "decode",
        "default",
        "default_action",
        "delay",
        "guessed",
        "hits",
        "misses",
        "number",
        "owner",
    )

    def __init__(self, number: int, owner: int | None, codec: ActionCodec, default_action: Any, delay: int) -> None:
        self.number = number
        self.owner = owner
        self.codec = codec
        self.decode = codec.decode
        self.default = default_of(codec, default_action, f"default_action of seat {number}")
        """The default action, encoded."""
        self.default_action = codec.decode(self.default)
        self.delay = delay
        """Input delay of the running episode, in frames: frames 0 … delay-1 have the default action."""
        self.guessed = 0
        """Frames that were stepped the first time with a guess in the place of this seat's action."""
        self.hits = 0
        """Of those, how many had the action that was guessed."""
        self.misses = 0
        """Of those, how many had another one."""

    def recorded(self, encoded: bytes) -> Any:
        """An encoded action as JSON can spell it: in records, metrics and messages of the server."""
        return self.codec.to_json(self.decode(encoded))

    def agree(self, delay: int) -> None:
        """The peers agreed on the input delay of the episode to come."""
        self.delay = delay

    def guess(self) -> None:
        """A frame was stepped for the first time, with a guess of this seat's action."""
        self.guessed += 1

    def prove(self, right: bool) -> None:
        """The action of such a frame came: whether the first guess of it was right."""
        if right:
            self.hits += 1
        else:
            self.misses += 1
