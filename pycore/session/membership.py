"""Who is in the session: present, interrupted, gone; and what of a peer ends it.

Silence is judged over every path. The server's word that a seat's socket is away ends nothing while the peer is heard:
games go on peer-to-peer. Two players never drop each other: what ends it for one, ends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.events import PeerStatus
from pycore.frozen import Named
from pycore.link.link import Link
from pycore.session.journal import Journal
from pycore.session.topics import ready
from pycore.wire.datagram import VERSION

WORD_BELIEVED: Final = 2.0
"""Seconds without a word by its channel after which a peer is gone of which the server says so."""
LOUD: Final = ("desync", "dropped", "returned", "error")
"""Reasons of a peer's end that are ours as well; after any other one it has left."""


class Verdict(Named):
    """Why the session ends, and whether that is a failure to begin."""

    reason: str
    text: str
    link: Link


class Membership:
    """The peers' presence. Times are seconds."""

    __slots__ = (
        "_interrupted",
        "_journal",
        "_left_word",
        "_links",
        "_on_return",
        "_returned",
        "_since",
        "dropped_after",
        "interrupted_after",
        "other_version",
    )

    def __init__(
        self, links: Sequence[Link], journal: Journal, interrupted_after: float, dropped_after: float, now: float
    ) -> None:
        self._links = tuple(links)
        self._journal = journal
        self.interrupted_after = interrupted_after
        self.dropped_after = dropped_after
        self._interrupted: dict[int, float] = {}
        """Interrupted peers, and since when they are called so."""
        self._left_word: dict[int, tuple[float, bool]] = {}
        """Peers whose socket is away, as the server says: since when, and whether they themselves are for certain."""
        self._since = {link.peer.number: now for link in links}
        """Silence is counted from here at the earliest."""
        self._returned: Link | None = None
        self.other_version: tuple[Link, int] | None = None
        """A peer that speaks another version of the protocol, and which."""

    # -- what is heard -----------------------------------------------------------------------------------------

    def speaks_version(self, link: Link, version: int) -> None:
        """A packet of another version of the protocol came."""
        if self.other_version is None:
            self.other_version = link, version

    def returned(self, link: Link) -> None:
        """Another load of a peer's page speaks in its place."""
        if self._returned is None:
            self._returned = link

    def said_ready(self, link: Link, payload: bytes) -> None:
        """A ready came, which has the whole incarnation of its page."""
        if payload[0] != VERSION:
            self.speaks_version(link, payload[0])
        elif not link.peer.is_same_whole(ready.read(payload).incarnation) and link.peer.returned:
            self.returned(link)

    def left(self, link: Link, now: float, certain: bool = False) -> None:
        """The server says that the peer's socket is away for good, or, if that is `certain`, that the peer is."""
        number = link.peer.number
        self._left_word[number] = now, certain or self._left_word.get(number, (now, False))[1]

    # -- silence -----------------------------------------------------------------------------------------------

    def heard_at(self, link: Link) -> float:
        """When anything came of the peer last, on any path."""
        return max(link.paths.wire.heard_at, link.paths.socket.heard_at)

    def excuse(self, link: Link, seconds: float, before: float) -> None:
        """From `before` on we did not listen, and so long is excused: that is not the peer's silence."""
        number = link.peer.number
        self._since[number] = max(min(self.heard_at(link), before), self._since[number]) + seconds

    def forgive(self, now: float) -> None:
        """Silence counts from now on: a new phase has begun."""
        for link in self._links:
            self._since[link.peer.number] = now

    @property
    def anybody_interrupted(self) -> bool:
        """Whether somebody is not heard of; then it is known why nothing moves."""
        return bool(self._interrupted)

    def is_interrupted(self, number: int) -> bool:
        """Whether a peer has not been heard of for `interrupted_after`."""
        return number in self._interrupted

    def look(self, now: float, playing: bool) -> Verdict | None:
        """Who is interrupted, and who ends the session. `playing`: an episode runs, so silence counts."""
        if self._returned is not None:
            name = self._journal.name(self._returned)
            return Verdict("returned", f"player {name}'s page was loaded anew", self._returned)
        if not playing:
            return self._gone_before(now)
        for link in self._links:
            verdict = self._look_at(link, now)
            if verdict is not None:
                return verdict
        return None

    def _gone_before(self, now: float) -> Verdict | None:
        """Whom the server calls gone before an episode runs: nothing is lost by believing it."""
        for link in self._links:
            if self._has_left(link, now):
                return Verdict("player_left", f"player {self._journal.name(link)} left the game", link)
        return None

    def _look_at(self, link: Link, now: float) -> Verdict | None:
        number = link.peer.number
        name = self._journal.name(link)
        heard = self.heard_at(link)
        quiet = now - max(heard, self._since[number])
        if self._has_left(link, now):
            return Verdict("player_left", f"player {name} left the game", link)
        if quiet > self.dropped_after:
            return Verdict("player_left", f"player {name} was not heard of for {quiet:.0f} s", link)
        since = self._interrupted.get(number)
        if since is None and quiet > self.interrupted_after:
            self._interrupted[number] = now
            self._journal.say(PeerStatus(seat=link.seat, status="interrupted"))
        elif since is not None and heard > since:
            # Only what is heard brings a player back: a pause of our own, which counts silence anew, does not.
            del self._interrupted[number]
            self._journal.say(PeerStatus(seat=link.seat, status="present"))
        return None

    def _has_left(self, link: Link, now: float) -> bool:
        """Whether the server's word is to be believed now."""
        word = self._left_word.get(link.peer.number)
        if word is None:
            return False
        said_at, certain = word
        if certain:
            return True
        paths = link.paths
        if paths.socket.heard_at > said_at:
            # It came back, and whatever happens to its channel now, the server has a way to it.
            del self._left_word[link.peer.number]
            return False
        quiet = now - max(paths.wire.heard_at, self._since[link.peer.number])
        if paths.connected:
            # By its channel it is heard without the server.
            return quiet > self.interrupted_after
        # If the channel was lost since, what it says by the server, where it may be again, is still on its way.
        return paths.wire.heard_at <= said_at or quiet > WORD_BELIEVED

    def over(self) -> Link | None:
        """A peer whose session is over."""
        for link in self._links:
            if link.peer.over:
                return link
        return None


def reason_of(link: Link) -> str:
    """What a peer's end means for ours, while an episode runs."""
    return link.peer.reason if link.peer.reason in LOUD else "player_left"
