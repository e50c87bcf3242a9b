"""The frames that may still change: for each, everybody's input, the state before it and what its step gave.

A ring of slots, one per frame. For every seat a slot holds the encoded action and its decoded value: the
player's own input once it is known, until then what the frame was last stepped with, a prediction. One bit
per seat in `missing` says which it is. Frames up to `held[seat]` are known of a seat without a hole.

Invariants: an input once known never changes; a slot is opened (all seats missing) before its frame can be
reached by anybody, and is used again only for a frame `size` later, when nothing can need it any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pycore.rollback.seats import Seat
from pycore.simulation import StepResult

NOT_SAVED: Final = object()
"""Stands for the state before a frame of which there is no snapshot."""


class Frames:
    """The ring of frames of one episode.

    `ahead` is how far beyond the current frame an input can lie, `behind` how far back one can be needed. `watches`:
    nobody waits for an input of ours, so others may be as far ahead as they keep frames for us.
    """

    __slots__ = (
        "_ahead_at_least",
        "_ahead_of_us",
        "_filled",
        "_nobodys",
        "_released",
        "actions",
        "ahead",
        "all_missing",
        "alone",
        "encoded",
        "guesses",
        "held",
        "lasts",
        "mask",
        "missing",
        "opened",
        "opens",
        "reach",
        "results",
        "seats_of",
        "size",
        "states",
    )

    def __init__(self, seats: int, ahead: int, behind: int, watches: bool = False) -> None:
        size = 1
        while size < ahead + behind + 2:
            size *= 2
        self.size = size
        self.mask = size - 1
        self.ahead = ahead
        self.reach = size - ahead - 1
        """How far the current frame may be beyond the last that was collected: further on slots are not free yet."""
        self.all_missing = (1 << seats) - 1
        self.seats_of = [tuple(s for s in range(seats) if bits >> s & 1) for bits in range(1 << seats)]
        self.alone = [of[0] if len(of) == 1 else -1 for of in self.seats_of]
        """The seat where one bit is set, by the bits; -1 where it is none or several."""
        self.encoded: list[list[bytes]] = [[b""] * seats for _ in range(size)]
        self.actions: list[list[Any]] = [[None] * seats for _ in range(size)]
        self.guesses: list[list[bytes]] = [[]] * size
        """What a frame was first stepped with, where something was missing then; empty: nothing was."""
        self.lasts: list[list[bytes]] = [[]] * size
        """The last actions that were known then, likewise."""
        self.missing = [self.all_missing] * size
        self.states: list[object] = [NOT_SAVED] * size
        self.results: list[StepResult | None] = [None] * size
        self.held = [-1] * seats
        self._nobodys: list[int] = []
        self._released: list[tuple[int, bytes, Any]] = []
        """Those of them that somebody played earlier in the episode, with their default actions."""
        self.opens: dict[int, int] = {}
        """Those that somebody plays again, from which frame on; it cannot be reached yet."""
        self._filled = -1
        """Up to here their slots have these actions."""
        self.opened = ahead
        """Last frame whose slot is ready to take inputs."""
        self._ahead_at_least = self.reach if watches else 0
        self._ahead_of_us = self._ahead_at_least

    def begin(self, seats: Sequence[Seat]) -> None:
        """Start an episode: nobody's input is known but the default actions of the first frames, as each is delayed.

        "Frame -1" holds the default actions too: predictions are anchored there until an input comes. A seat that is
        nobody's has its default action in every frame, known as soon as the frame can be reached.
        """
        defaults = [seat.default for seat in seats]
        actions = [seat.default_action for seat in seats]
        self._nobodys = [seat.number for seat in seats if seat.owner is None]
        self._released = []
        self.opens = {}
        self.all_missing = sum([1 << seat.number for seat in seats if seat.owner is not None])
        for slot in range(self.size):
            self.missing[slot] = self.all_missing
            self.states[slot] = NOT_SAVED
            self.results[slot] = None
            for number in self._nobodys:
                self.encoded[slot][number] = defaults[number]
                self.actions[slot][number] = actions[number]
        for frame in range(-1, max([seat.delay for seat in seats])):
            slot = frame & self.mask
            self.encoded[slot] = defaults[:]
            self.actions[slot] = actions[:]
            if frame >= 0:
                bits = 0
                for seat in seats:
                    if frame >= seat.delay and seat.owner is not None:
                        bits |= 1 << seat.number
                self.missing[slot] = bits
        self.held = [seat.delay - 1 for seat in seats]
        self.opened = self.ahead
        self._ahead_of_us = self._ahead_at_least
        for number in self._nobodys:
            self.held[number] = self.opened

    @property
    def reached(self) -> int:
        """The last frame of which others can speak."""
        return self.opened + self._ahead_of_us

    @property
    def resumed(self) -> bool:
        """Whether others may be further ahead than who plays with them: we came back in this episode, or only watch."""
        return self._ahead_of_us > 0

    def allow(self, frames: int) -> None:
        """Others may be so much further ahead, in this episode, than who plays with them all along: we come back."""
        self._ahead_of_us = max(frames, self._ahead_at_least)

    def open(self, current: int) -> None:
        """Make the slots ready that can be reached once the current frame is `current`."""
        last = current + self.ahead
        frame = self.opened
        if last > frame:
            while frame < last:  # once, in nearly every tick: no range for that
                frame += 1
                self.missing[frame & self.mask] = self.all_missing
            self.opened = last
        if self._nobodys:
            for number in self._nobodys:
                self.held[number] = self.opened
            if self._released:
                for frame in range(self._filled + 1, self.opened + 1):
                    for number, encoded, action in self._released:
                        self.encoded[frame & self.mask][number] = encoded
                        self.actions[frame & self.mask][number] = action
                self._filled = self.opened
            if self.opens:
                self._open_seats()

    def release(self, seat: Seat, last: int, current: int) -> int | None:
        """Nobody plays a seat behind frame `last`: its default action is known there, whatever was held; where a policy
        plays on, it writes its own in its place, whenever the frame is stepped.

        Returns the first frame before `current` that was stepped with another action, if there is one.
        """
        number = seat.number
        wrong = None
        self.opens.pop(number, None)
        if number in self._nobodys:
            return None
        for frame in range(last + 1, self.opened + 1):
            slot = frame & self.mask
            if frame < current and wrong is None and self.encoded[slot][number] != seat.default:
                wrong = frame
            self.encoded[slot][number] = seat.default
            self.actions[slot][number] = seat.default_action
            self.missing[slot] &= ~(1 << number)
        self.all_missing &= ~(1 << number)
        self.held[number] = self.opened
        self._nobodys.append(number)
        self._released.append((number, seat.default, seat.default_action))
        self._filled = self.opened
        return wrong

    def reopen(self, seat: int, first: int) -> None:
        """Somebody plays a seat again, from frame `first` on, that nobody plays now; nobody has said that it holds any
        action of that frame."""
        self.opens[seat] = first
        self._open_seats()

    def _open_seats(self) -> None:
        """What can be reached of those that somebody plays again is missing."""
        for seat, first in list(self.opens.items()):
            self.held[seat] = min(self.opened, first - 1)
            if first > self.opened:
                continue
            bit = 1 << seat
            for frame in range(first, self.opened + 1):
                self.missing[frame & self.mask] |= bit
            self.all_missing |= bit
            self._nobodys.remove(seat)
            self._released = [of for of in self._released if of[0] != seat]
            del self.opens[seat]

    def beyond(self, seat: int) -> list[int]:
        """The frames behind a hole whose inputs of a seat are held."""
        return [
            frame
            for frame in range(self.held[seat] + 2, self.opened + 1)
            if not self.missing[frame & self.mask] >> seat & 1
        ]

    def last_known(self) -> list[bytes]:
        """By seat, the action of the last frame that is known without a hole, encoded."""
        return [self.encoded[held & self.mask][seat] for seat, held in enumerate(self.held)]

    def extend(self, seat: int, frame: int) -> None:
        """The input of `frame` = held + 1 is known: move `held` to the frame before the next hole."""
        missing = self.missing
        mask = self.mask
        opened = self.opened
        while frame < opened and not missing[(frame + 1) & mask] >> seat & 1:
            frame += 1
        self.held[seat] = frame
