"""The frames that may still change: for each, everybody's input, the state before it and what its step gave.

A ring of slots, one per frame. For every seat a slot holds the encoded action and its decoded value: the
player's own input once it is known, until then what the frame was last stepped with, a prediction. One bit
per seat in `missing` says which it is. Frames up to `held[seat]` are known of a seat without a hole.

Invariants: an input once known never changes; a slot is opened (all seats missing) before its frame can be
reached by anybody, and is used again only for a frame `size` later, when nothing can need it any more.
"""

from __future__ import annotations

from typing import Any

from pycore.simulation import StepResult


class Frames:
    """The ring of frames of one episode.

    `ahead` is how far beyond the current frame an input can lie, `behind` how far back one can be needed.
    """

    __slots__ = (
        "actions",
        "ahead",
        "all_missing",
        "encoded",
        "held",
        "mask",
        "missing",
        "opened",
        "results",
        "seats_of",
        "size",
        "states",
    )

    def __init__(self, seats: int, ahead: int, behind: int) -> None:
        size = 1
        while size < ahead + behind + 2:
            size *= 2
        self.size = size
        self.mask = size - 1
        self.ahead = ahead
        self.all_missing = (1 << seats) - 1
        self.seats_of = [tuple(s for s in range(seats) if bits >> s & 1) for bits in range(1 << seats)]
        self.encoded: list[list[bytes]] = [[b""] * seats for _ in range(size)]
        self.actions: list[list[Any]] = [[None] * seats for _ in range(size)]
        self.missing = [self.all_missing] * size
        self.states: list[object] = [None] * size
        self.results: list[StepResult | None] = [None] * size
        self.held = [-1] * seats
        self.opened = ahead
        """Last frame whose slot is ready to take inputs."""

    def begin(self, delay: int, default: bytes, action: Any) -> None:
        """Start an episode: nobody's input is known but the default action of the first `delay` frames.

        "Frame -1" holds the default action too: predictions are anchored there until an input comes.
        """
        seats = len(self.held)
        for slot in range(self.size):
            self.missing[slot] = self.all_missing
            self.states[slot] = self.results[slot] = None
        for frame in range(-1, delay):
            slot = frame & self.mask
            self.encoded[slot] = [default] * seats
            self.actions[slot] = [action] * seats
            if frame >= 0:
                self.missing[slot] = 0
        self.held = [delay - 1] * seats
        self.opened = self.ahead

    def open(self, current: int) -> None:
        """Make the slots ready that can be reached once the current frame is `current`."""
        while self.opened < current + self.ahead:
            self.opened += 1
            self.missing[self.opened & self.mask] = self.all_missing

    def extend(self, seat: int, frame: int) -> None:
        """The input of `frame` = held + 1 is known: move `held` to the frame before the next hole."""
        bit = 1 << seat
        missing = self.missing
        mask = self.mask
        opened = self.opened
        while frame < opened and not missing[(frame + 1) & mask] & bit:
            frame += 1
        self.held[seat] = frame
