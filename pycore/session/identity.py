"""Who we are in a session, and who the others are."""

from __future__ import annotations

from collections.abc import Sequence

from pycore.errors import ConfigError
from pycore.settings import MAX_SEATS
from pycore.values import canonical


class Identity:
    """Game, players by seat, peers by the seats that they own, and which of them we are.

    `peers` is one sequence of seats for each page that takes part; None: one page for each seat. A peer without a seat
    only watches; a seat without an owner is nobody's, and its actions are the default ones.
    """

    __slots__ = ("game_id", "incarnation", "me", "own", "owners", "peers", "players", "tag")

    def __init__(
        self,
        game_id: str,
        players: Sequence[int | str],
        me: int,
        peers: Sequence[Sequence[int]] | None,
        incarnation: int,
    ) -> None:
        if not 1 <= len(players) <= MAX_SEATS:
            raise ConfigError(f"a session has 1 to {MAX_SEATS} players, not {len(players)}")
        if len({str(player) for player in players}) != len(players):
            raise ConfigError(f"two players share an id: {list(players)!r}")
        seats = range(len(players))
        self.peers = tuple(tuple(owned) for owned in peers) if peers is not None else tuple((seat,) for seat in seats)
        if not 0 <= me < len(self.peers):
            what = "seat" if peers is None else "peer"
            raise ConfigError(f"{what} {me} is none of {len(self.peers)}")
        self.owners: list[int | None] = [None for _ in seats]
        for number, owned in enumerate(self.peers):
            if list(owned) != sorted(set(owned)):
                raise ConfigError(f"peer {number} owns the seats {list(owned)!r}; they must ascend, each once")
            for seat in owned:
                if seat not in seats or self.owners[seat] is not None:
                    raise ConfigError(f"peer {number} cannot own seat {seat!r}: it does not exist, or has an owner")
                self.owners[seat] = number
        self.game_id = game_id
        self.players = list(players)
        self.me = me
        self.own = self.peers[me]
        """The own seats."""
        self.incarnation = incarnation & 0xFFFFFFFF
        """Which load of the page this is: another one has another number."""
        self.tag = int.from_bytes(canonical.digest([game_id, self.players], size=2), "big")
        """What every packet of the session begins with."""
