"""Who is in the session: present, interrupted, gone; and what of a peer ends it, or drops the peer.

Silence is judged over every path. The server's word that a seat's socket is away ends nothing while the peer is heard:
games go on peer-to-peer. Two players never drop each other: what ends it for one, ends it.

Among three and more nobody drops a silent one alone. Whoever has not heard of a peer for `dropped_after` says so to the
server and to the others; the peer is gone when a relay says so, or when more than half of those who are there, itself
included, do not hear it and do hear us. Who hears neither side speaks for none. A word counts only once it has stood
for a moment, since of those who are heard again after a silence one is always the first. Where neither comes it is we
who are cut off, or the halves are even: `partition`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.events import PeerStatus
from pycore.frozen import Named
from pycore.link.link import Link
from pycore.session.journal import Journal
from pycore.session.outputs import Outputs
from pycore.session.roster import Roster
from pycore.session.topics import ready
from pycore.wire.datagram import VERSION

WORD_BELIEVED: Final = 2.0
"""Seconds without a word by its channel after which a peer is gone of which the server says so."""
LOUD: Final = ("desync", "dropped", "returned", "error")
"""Reasons of a peer's end that are ours as well; after any other one it has left."""
WORD_COMES: Final = 3.0
"""Seconds after the return of the own socket in which the server's word of who is away, and what the others say, are
still on their way."""
COMPLAINS_EVERY: Final = 1.0
"""Seconds from one word to the server about a silent peer to the next."""
COMPLAINT_LASTS: Final = 3.0
"""Seconds for which another one's word that it does not hear somebody keeps us looking: it says so in every packet."""
COMPLAINT_STANDS: Final = 0.5
COMPLAINT_PAUSES: Final = 1.0
"""Seconds for which such a word must have come before it counts against somebody, and the longest pause in between."""
UNDECIDED: Final = 6.0
"""Seconds for which nobody decides about a silent peer before it is a partition: by then every other one has noticed
the silence as well, and the words of all have gone round."""


class Verdict(Named):
    """Somebody is gone: why the session ends, unless the others can go on without."""

    reason: str
    text: str
    link: Link
    cause: str
    """As a `Departure` has it; empty: nobody can be dropped for it."""
    by_most: bool = False
    """Most of those who are there have decided it."""


class Membership:
    """The peers' presence. Times are seconds."""

    __slots__ = (
        "_away",
        "_back_at",
        "_complaints",
        "_expired",
        "_gone_word",
        "_interrupted",
        "_journal",
        "_left_word",
        "_outputs",
        "_returned",
        "_roster",
        "_said_at",
        "_silent",
        "_since",
        "_stands",
        "_undecided",
        "_within",
        "dropped_after",
        "interrupted_after",
        "other_version",
    )

    def __init__(
        self,
        roster: Roster,
        journal: Journal,
        outputs: Outputs,
        interrupted_after: float,
        dropped_after: float,
        return_within: float,
        now: float,
        reopens: bool = False,
    ) -> None:
        self._roster = roster
        self._journal = journal
        self._outputs = outputs
        self.interrupted_after = interrupted_after
        self.dropped_after = interrupted_after if reopens else dropped_after
        self._within = interrupted_after if reopens else max(return_within, dropped_after)
        # Where one is played for as soon as it is not heard of, whoever hears nobody waits to be heard again.
        self._undecided = max(UNDECIDED, return_within) if reopens else UNDECIDED
        self._expired: set[int] = set()
        """Gone peers whose seats nobody keeps any longer."""
        self._away: set[int] = set()
        """Peers whose socket is away, and whose seats the server keeps for as long as `return_within`."""
        self._back_at: dict[int, float] = {}
        """When the server had a socket of a peer again last."""
        self._interrupted: dict[int, float] = {}
        """Interrupted peers, and since when they are called so."""
        self._left_word: dict[int, tuple[float, bool]] = {}
        """Peers whose socket is away, as the server says: since when, and whether they themselves are for certain."""
        self._gone_word: set[int] = set()
        """Peers that the relay calls gone."""
        self._silent: dict[int, float] = {}
        """Peers of whom we have said that we do not hear them, and since when."""
        self._said_at: dict[int, float] = {}
        """When the server was told so last."""
        self._complaints: dict[int, tuple[int, float]] = {}
        """Whom the others do not hear, a bit each, and when they said so, by number."""
        self._stands: dict[tuple[int, int], float] = {}
        """Since when one has said of another, without a pause, that it does not hear it, and does hear us."""
        self._since = {link.peer.number: now for link in roster.links}
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
        if number in self._roster.gone:
            self._expired.add(number)
            return
        self._left_word[number] = now, certain or self._left_word.get(number, (now, False))[1]
        # If it comes again after that, nobody says so.
        link.paths.server.peer_reaches(True)

    def away(self, link: Link) -> None:
        """The server has lost a peer's socket, and keeps its seat: the page may be loaded again, or its line be
        dead."""
        number = link.peer.number
        if number not in self._roster.gone and number not in self._away:
            self._away.add(number)
            link.paths.server.peer_reaches(False)
            self._journal.say(PeerStatus(seat=link.seat, status="away"))

    def back(self, link: Link, now: float) -> None:
        """The server has a socket of it again, whatever it said before of who is away for too long."""
        number = link.peer.number
        link.paths.server.peer_reaches(True)
        self._expired.discard(number)
        if not self._left_word.get(number, (0.0, True))[1]:
            del self._left_word[number]
        if number in self._away:
            # Who was not away is not back: whoever connects is told of everybody who is there.
            self._back_at[number] = now
            self._away.discard(number)
            if number not in self._roster.gone and number not in self._interrupted:
                self._journal.say(PeerStatus(seat=link.seat, status="present"))

    def begin_anew(self, link: Link, now: float) -> None:
        """Another load of a peer's page is there."""
        self.forget(link.peer.number)
        link.paths.server.peer_reaches(True)
        self._expired.discard(link.peer.number)
        self._since[link.peer.number] = now
        self._journal.say(PeerStatus(seat=link.seat, status="returning"))

    def called_gone(self, numbers: Sequence[int]) -> None:
        """The relay has decided that these peers are gone, whoever still hears them."""
        self._gone_word.update(numbers)

    @property
    def expired(self) -> set[int]:
        """Gone peers whose seats nobody keeps any longer."""
        return self._expired

    def complains(self, number: int, unheard: int, hears_us: bool, now: float) -> None:
        """A peer says whom it does not hear, a bit each, us perhaps among them."""
        goes_on = now - self._complaints.get(number, (0, now))[1] < COMPLAINT_PAUSES
        for of in self._roster.of_everybody:
            if not unheard >> of & 1 or not hears_us:
                self._stands.pop((number, of), None)
            elif not goes_on or (number, of) not in self._stands:
                self._stands[number, of] = now
        self._complaints[number] = unheard, now

    def forget(self, number: int) -> None:
        """A peer is gone, and whatever it said of others with it."""
        for of in (
            self._back_at, self._interrupted, self._left_word, self._silent, self._said_at, self._complaints
        ):  # fmt: skip
            of.pop(number, None)
        self._gone_word.discard(number)
        self._away.discard(number)
        for pair in [pair for pair in self._stands if number in pair]:
            del self._stands[pair]
        if self._returned is not None and self._returned.peer.number == number:
            self._returned = None

    # -- silence -----------------------------------------------------------------------------------------------

    def heard_at(self, link: Link) -> float:
        """When anything came of the peer last, on any path."""
        return max(link.paths.wire.heard_at, link.paths.socket.heard_at)

    def excuse(self, link: Link, seconds: float, before: float) -> None:
        """From `before` on we did not listen, and so long is excused: that is not the peer's silence."""
        number = link.peer.number
        self._since[number] = max(min(self.heard_at(link), before), self._since[number]) + seconds
        for of in (self._silent, self._back_at):
            if number in of:
                of[number] += seconds

    def forgive(self, now: float) -> None:
        """Silence counts from now on: a new phase has begun."""
        for link in self._roster.links:
            self._since[link.peer.number] = now

    @property
    def anybody_interrupted(self) -> bool:
        """Whether somebody is not heard of; then it is known why nothing moves."""
        return bool(self._interrupted)

    def is_interrupted(self, number: int) -> bool:
        """Whether a peer has not been heard of for `interrupted_after`."""
        return number in self._interrupted

    @property
    def unheard(self) -> int:
        """Of whom we say that we do not hear them, a bit each."""
        return sum([1 << number for number in self._silent])

    def look(self, now: float, playing: bool, group: bool) -> list[Verdict]:
        """Who is interrupted, and who is gone. `playing`: an episode runs, so silence counts; `group`: the others can
        go on without somebody, so nobody is given up for silence by us alone."""
        found = []
        if self._returned is not None:
            name = self._journal.name(self._returned)
            found.append(Verdict("returned", f"player {name}'s page was loaded anew", self._returned, "returned"))
        for link in self._roster.links:
            if link is self._returned:
                # Once is enough, whatever else calls it away.
                continue
            verdict = self._gone_by_word(link, now)
            if verdict is None and (playing or self._is_missed(link.peer.number, now)):
                # Also where we wait for nobody: others may, and ask us.
                verdict = self._look_at(link, now, group)
            if verdict is None and link.peer.number in self._silent and not any(of.by_most for of in found):
                # One at a time: whom one verdict drops does not speak for another.
                verdict = self._decide(link, now)
            if verdict is not None:
                found.append(verdict)
        return found

    def _is_missed(self, number: int, now: float) -> bool:
        """Whether another one says that it does not hear of a peer."""
        for of, (unheard, at) in self._complaints.items():
            if of != number and unheard >> number & 1 and now - at < COMPLAINT_LASTS:
                return True
        return False

    def _gone_by_word(self, link: Link, now: float) -> Verdict | None:
        """Whether somebody whose word counts calls the peer gone."""
        name = self._journal.name(link)
        if link.peer.number in self._gone_word:
            return Verdict("player_left", f"player {name} was not heard of any more, says the server", link, "silent")
        if self._has_left(link, now):
            return Verdict("player_left", f"player {name} left the game", link, "left")
        return None

    def _look_at(self, link: Link, now: float, group: bool) -> Verdict | None:
        number = link.peer.number
        heard = self.heard_at(link)
        begun = max(heard, self._since[number])
        quiet = now - begun
        if quiet > self._granted(number, begun, now):
            if not group:
                text = f"player {self._journal.name(link)} was not heard of for {quiet:.0f} s"
                return Verdict("player_left", text, link, "")
            self.miss(link, now)
        else:
            self._silent.pop(number, None)
        since = self._interrupted.get(number)
        if since is None and quiet > self.interrupted_after:
            self._interrupted[number] = now
            self._journal.say(PeerStatus(seat=link.seat, status="interrupted"))
        elif since is not None and heard > since:
            # Only what is heard brings a player back: a pause of our own, which counts silence anew, does not.
            del self._interrupted[number]
            self._journal.say(PeerStatus(seat=link.seat, status="present"))
        return None

    def _granted(self, number: int, begun: float, now: float) -> float:
        """For how long a peer may be silent that has been since `begun`."""
        if number in self._away or self._cut_off(now):
            return self._within
        # Who is back after longer than `dropped_after` has not been heard of when the server says so. That begins its
        # silence anew, but not with every socket that it has from then on, nor where nobody would have waited so long.
        kept = min(self._back_at.get(number, begun) - begun, self._within)
        return max(0.0, kept) + self.dropped_after

    def _cut_off(self, now: float) -> bool:
        """Whether our own line to the server is lost, or was until a moment ago. Where it is known that ours is, or the
        peer's, either may come back."""
        return not self._outputs.socket_up or now - self._outputs.socket_since < WORD_COMES

    def is_silent(self, link: Link, now: float) -> bool:
        """Whether a peer is not heard of for too long; between two episodes that alone is nobody's matter."""
        begun = max(self.heard_at(link), self._since[link.peer.number])
        return now - begun > self._granted(link.peer.number, begun, now)

    def miss(self, link: Link, now: float) -> None:
        """A peer is not heard of for too long: that is said, to the others in every packet and to the server."""
        number = link.peer.number
        self._silent.setdefault(number, now)
        if link.seat >= 0 and now - self._said_at.get(number, -1e9) >= COMPLAINS_EVERY and self._outputs.socket_up:
            self._said_at[number] = now
            self._outputs.silent(link.seat)

    def _decide(self, link: Link, now: float) -> Verdict | None:
        """About a silent peer: gone if more than half do not hear it, a partition if nobody decides for too long."""
        number = link.peer.number
        if self.heard_at(link) > self._silent[number]:
            del self._silent[number]
            return None
        name = self._journal.name(link)
        if 2 * (1 + self._against(number, now)) > 1 + len(self._roster.links):
            return Verdict("player_left", f"player {name} was not heard of by most", link, "silent", by_most=True)
        if now - self._silent[number] > self._undecided:
            return Verdict("partition", f"player {name} is not heard of here, and by too few others", link, "")
        return None

    def _against(self, number: int, now: float) -> int:
        """How many of the others speak for us against a peer that we do not hear: each is heard, hears us, and has said
        for a moment that it does not hear that one."""
        agree = 0
        for of, (unheard, at) in self._complaints.items():
            fresh = now - at < COMPLAINT_PAUSES and of not in self._interrupted and of not in self._silent
            stands = now - self._stands.get((of, number), now) >= COMPLAINT_STANDS
            agree += of != number and fresh and stands and unheard >> number & 1
        return agree

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

    def over(self, episode: int) -> Link | None:
        """A peer whose session is over while this episode is to begin. Who had all of it says so with another number,
        and is missed by nobody but a page that returns to it."""
        for link in self._roster.links:
            if link.peer.over and not (link.peer.resumed and link.peer.episode > episode):
                return link
        return None


def reason_of(link: Link) -> str:
    """What a peer's end means for ours, while an episode runs."""
    return link.peer.reason if link.peer.reason in LOUD else "player_left"
