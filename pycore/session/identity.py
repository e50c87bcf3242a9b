"""Who we are in a session, and who the others are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from pycore.errors import ConfigError
from pycore.policy import Policy
from pycore.settings import MAX_SEATS, Settings
from pycore.values import canonical

NO_POLICIES: Final[Mapping[int | str, Policy]] = MappingProxyType({})


def incarnation_of(wall_ms: float, now: float, load: int = 0) -> int:
    """A number that another load of the page would not have, made of its two times. Its lowest bit is that of the load,
    so that two in a row are told apart by the one byte that packets have."""
    return int.from_bytes(canonical.digest([float(wall_ms), float(now)], size=4), "big") & ~1 | load & 1


def policies_of(
    settings: Settings, players: Sequence[int | str], policies: Mapping[int | str, Policy]
) -> dict[int, Policy]:
    """The policies that every peer computes, by seat. Raises ConfigError unless they are those of the settings."""
    named = settings.computed(players)
    given = {str(player): policy for player, policy in policies.items()}
    found = {seat: given.pop(str(players[seat]), None) for seat in named}
    for seat, policy in found.items():
        if policy is None:
            raise ConfigError(f"the settings name the policy {named[seat]} for player {players[seat]}; none is given")
    if given:
        raise ConfigError(f"a policy is given for player {next(iter(given))}; the settings name none in `policies`")
    return {seat: policy for seat, policy in found.items() if policy is not None}


def stand_in_of(settings: Settings, stand_in: Policy | None) -> Policy | None:
    """What plays on for who is gone. Raises ConfigError unless that is as the settings say."""
    if settings.stand_in is not None and stand_in is None:
        raise ConfigError(f"the settings name the stand_in {settings.stand_in['policy']}; none is given")
    if settings.stand_in is None and stand_in is not None:
        raise ConfigError("a stand_in is given, and the settings name none")
    return stand_in


class Identity:
    """Game, players by seat, peers by the seats that they own, and which of them we are.

    `peers` is one sequence of seats for each page that takes part; None: one page for each seat that nothing else
    plays, and those in `sent`, of policies that one page computes, are the first one's too. A peer without a seat only
    watches; a seat without an owner is played by a policy, if it is one of `computed`, otherwise by nobody, and its
    actions are the default ones.
    """

    __slots__ = ("game_id", "incarnation", "me", "own", "owners", "peers", "players", "tag")

    def __init__(
        self,
        game_id: str,
        players: Sequence[int | str],
        me: int,
        peers: Sequence[Sequence[int]] | None,
        incarnation: int,
        computed: Collection[int] = (),
        sent: Collection[int] = (),
    ) -> None:
        if not 1 <= len(players) <= MAX_SEATS:
            raise ConfigError(f"a session has 1 to {MAX_SEATS} players, not {len(players)}")
        if len({str(player) for player in players}) != len(players):
            raise ConfigError(f"two players share an id: {list(players)!r}")
        seats = range(len(players))
        # A seat that policies play has a number among the peers too, so that with one page for each seat the numbers
        # of peers and seats stay the same; there is no peer behind it.
        self.peers = _pages(players, computed, sent) if peers is None else tuple(tuple(owned) for owned in peers)
        """The seats of each peer, by number; None: nobody has this number."""
        if not 0 <= me < len(self.peers):
            what = "seat" if peers is None else "peer"
            raise ConfigError(f"{what} {me} is none of {len(self.peers)}")
        own = self.peers[me]
        if own is None:
            raise ConfigError(f"seat {me}, of player {players[me]}, is played by a policy, not by us")
        self.owners: list[int | None] = [None for _ in seats]
        for number, owned in enumerate(self.peers):
            if owned is None:
                continue
            if list(owned) != sorted(set(owned)):
                raise ConfigError(f"peer {number} owns the seats {list(owned)!r}; they must ascend, each once")
            for seat in owned:
                if seat not in seats or self.owners[seat] is not None:
                    raise ConfigError(f"peer {number} cannot own seat {seat!r}: it does not exist, or has an owner")
                if seat in computed:
                    raise ConfigError(f"peer {number} cannot own seat {seat}: a policy plays it")
                self.owners[seat] = number
        self.game_id = game_id
        self.players = list(players)
        self.me = me
        self.own = own
        """The own seats."""
        self.incarnation = incarnation & 0xFFFFFFFF
        """Which load of the page this is: another one has another number."""
        self.tag = int.from_bytes(canonical.digest([game_id, self.players], size=2), "big")
        """What every packet of the session begins with."""


def _pages(
    players: Sequence[int | str], computed: Collection[int], sent: Collection[int]
) -> tuple[tuple[int, ...] | None, ...]:
    """One page for each seat that a person plays; the first has those of policies that one page computes as well."""
    people = [seat for seat in range(len(players)) if seat not in computed and seat not in sent]
    first = people[0] if people else len(players)
    for seat in sorted(sent):
        if seat < first:
            # A page is called by the first of its seats, and that must be a person's.
            raise ConfigError(
                f"player {players[seat]} is a policy that one page computes, and comes before the first person: "
                "give the policy a later player"
            )
    return tuple(
        (seat, *sorted(sent)) if seat == first else (seat,) if seat in people else None for seat in range(len(players))
    )
