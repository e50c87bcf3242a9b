"""The places whose actions every frame needs.

A seat knows what its actions are (`codec`), how they are delayed and what stands for one that nobody gave. Who plays
it, its `owner`, is a peer, by index, or nobody.
"""

from __future__ import annotations

from typing import Any

from pycore.actions.codec import ActionCodec, default_of


class Seat:
    """One seat of a session. Raises ActionError for a default action that is not in the space."""

    __slots__ = ("codec", "decode", "default", "default_action", "delay", "number", "owner", "reaction")

    def __init__(
        self, number: int, owner: int | None, codec: ActionCodec, default_action: Any, delay: int, reaction: int = 0
    ) -> None:
        self.number = number
        self.owner = owner
        self.codec = codec
        self.decode = codec.reader()
        """The action of bytes that the codec gave."""
        self.default = default_of(codec, default_action, f"default_action of seat {number}")
        """The default action, encoded."""
        self.default_action = codec.decode(self.default)
        self.delay = delay
        """Input delay of the running episode, in frames: frames 0 … delay-1 have the default action."""
        self.reaction = reaction
        """Reaction time of the policy that plays it, in frames; 0: it has none, or a person plays."""

    def recorded(self, encoded: bytes) -> Any:
        """An encoded action as JSON can spell it: in records, metrics and messages of the server."""
        return self.codec.to_json(self.decode(encoded))

    def agree(self, delay: int) -> None:
        """The peers agreed on the input delay of the episode to come."""
        self.delay = delay
