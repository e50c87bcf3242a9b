"""Confirmed frames: what they are, and who may have them.

A frame is confirmed when every peer is known to hold everybody's inputs up to it. It goes to the session's sinks once,
in order, complete: with its results as the text that records hold, and with its hash where one was taken. The hash
covers that very text, so two peers whose records differ cannot have equal hashes; it covers just so the input delays of
the episode, and from which frame on a seat is played in the place of who is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pycore.rollback.seats import Seat
from pycore.simulation import StepResult
from pycore.values.results import results_text


class ConfirmedFrame:
    """One confirmed frame of an episode."""

    __slots__ = ("actions", "delays", "digest", "episode", "frame", "gone", "result", "seats", "state", "text")

    def __init__(
        self,
        episode: int,
        frame: int,
        seats: Sequence[Seat],
        actions: tuple[bytes, ...],
        result: StepResult | None,
        state: object,
    ) -> None:
        self.seats = seats
        self.episode = episode
        self.frame = frame
        self.actions = actions
        """Encoded, by seat."""
        self.result = result
        self.state = state
        """The state before it, if it is to be hashed; None otherwise."""
        self.digest: bytes | None = None
        """Hash of the state before it and of the rows since the last hash, on every k-th frame."""
        self.delays = ""
        """Of the first frame of an episode, its input delays by seat as they are recorded: ``,"delays":[1,1]``."""
        self.gone = ""
        """Where somebody's seat is played otherwise from this frame on, how, by player: ``,"gone":{"2":"…"}``."""
        self.text = ""
        """Its results as the end of a JSON object: ``,"infos":…,"rewards":…,"terminations":…,"truncations":…``."""

    @property
    def decoded(self) -> list[Any]:
        """The actions, by seat, as the environment is given them."""
        return [seat.decode(action) for seat, action in zip(self.seats, self.actions)]  # noqa: B905 - one each

    @property
    def recorded(self) -> list[Any]:
        """The same as JSON can spell them: arrays are nested lists. Encoded again they are the same bytes."""
        return [seat.recorded(action) for seat, action in zip(self.seats, self.actions)]  # noqa: B905 - one each

    def begins(self, delays: str) -> None:
        """It is the first of an episode with these input delays, as text."""
        self.delays = delays

    def lacks(self, gone: str) -> None:
        """From here on something plays in the place of players who are gone, as text."""
        self.gone = gone

    def complete(self) -> None:
        """Make its text."""
        self.text = results_text(self.result)

    def hashed(self, digest: bytes) -> None:
        """The state before it was hashed, and is needed no more."""
        self.digest = digest
        self.state = None


class Sink(Protocol):
    """Takes what is confirmed."""

    def frame(self, frame: ConfirmedFrame) -> None:
        """A frame, in order, once. The object may be kept."""

    def end(self, episode: int, frames: int, digest: bytes) -> None:
        """The episode is complete with so many frames; the hash of its final state and its last rows."""

    def cut(self, episode: int, frames: int) -> None:
        """The episode was broken off with so many frames: what was confirmed beyond, and its end, are taken back."""
