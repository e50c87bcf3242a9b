"""What a page that returns was told of the running episode: everybody's encoded actions, by seat and frame."""

from __future__ import annotations

from collections.abc import Sequence

from pycore.rollback.seats import Seat
from pycore.session.messages.account import Piece


class Told:
    """Actions as they come in, in pieces and from several peers, until they are stepped."""

    __slots__ = ("_actions", "_episode", "_have", "_played")

    def __init__(self, seats: Sequence[Seat]) -> None:
        self._actions: list[dict[int, bytes]] = [{} for _ in seats]
        self._have = [0] * len(seats)
        """By seat, the first frame that was not told."""
        self._episode = 0
        """The latest episode of which anything was told: of one before nobody asks any more."""
        self._played = [seat.number for seat in seats if seat.owner is not None]

    def take(self, piece: Piece, last: int) -> None:
        """Take in a piece, up to the frame `last`. The first that is said of a frame stands; all say the same."""
        if piece.episode < self._episode:
            return
        self.begin(piece.episode)
        actions = self._actions[piece.seat]
        have = self._have[piece.seat]
        for frame, encoded in enumerate(piece.inputs, piece.first):
            if have <= frame <= last:
                actions.setdefault(frame, encoded)
        while have in actions:
            have += 1
        self._have[piece.seat] = have

    def begin(self, episode: int) -> None:
        """This episode is stepped, of which nothing was told that was told of another one."""
        if episode != self._episode:
            self.clear()
            self._episode = episode

    def lacks(self, last: int) -> bool:
        """Whether an action of a frame up to this one has not come yet."""
        return any(self._have[number] <= last for number in self._played)

    def of(self, seat: int, frame: int) -> bytes | None:
        """The action of a frame, if it has come."""
        return self._actions[seat].get(frame)

    def forget(self, seat: int, frame: int) -> None:
        """It was stepped."""
        self._actions[seat].pop(frame, None)

    def clear(self) -> None:
        """Nothing of it is needed any more."""
        for actions in self._actions:
            actions.clear()
        self._have = [0] * len(self._have)
