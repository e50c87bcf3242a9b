"""The running episode, as everything in a session needs to know it."""

from __future__ import annotations


class Episode:
    """Number, readiness and stop of the running episode."""

    __slots__ = ("desync", "initial", "number", "open", "stop_frame")

    def __init__(self) -> None:
        self.number = 0
        self.open = False
        """Whether the frames are set up, so that inputs can be taken in."""
        self.initial: bytes | None = None
        """Hash of the initial state once we are ready."""
        self.stop_frame: int | None = None
        """The frame at which it is to stop at the latest."""
        self.desync = ""
        """Whose ends differ, if that is why it is to stop."""

    def resume(self, number: int) -> None:
        """We return while this one runs."""
        self.number = number

    def begin(self, initial: bytes) -> None:
        """The frames are set up and the initial state is hashed: we are ready."""
        self.initial = initial
        self.open = True

    def close(self) -> None:
        """Nothing more is taken in."""
        self.open = False

    def leave(self) -> None:
        """It is final: whatever says the next one's number is the receipt for all of it."""
        self.number += 1
        self.open = False
        self.initial = None
        self.stop_frame = None
        self.desync = ""

    def stop(self, frame: int, desync: str = "") -> bool:
        """Stop with this frame at the latest, because ends differ if `desync` says whose; true if that is news."""
        news = bool(desync) and not self.desync
        self.desync = self.desync or desync
        if self.stop_frame is None or frame < self.stop_frame:
            self.stop_frame = frame
            return True
        return news
