"""Looks around, a few times a second, for what would otherwise keep a session from ever ending.

A peer that is gone, or over, or another load of its page; a version that cannot be played with; ends of the episode
that differ although both sides hold every input; and, whatever it is, that nothing moves any more. Who is gone of three
and more is dropped, and the others settle; of two it ends the session.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.link.link import Link
from pycore.rollback.timeline import Timeline
from pycore.session.course import Course
from pycore.session.drops import Drops
from pycore.session.episode import Episode
from pycore.session.journal import Journal
from pycore.session.membership import Membership, Verdict, reason_of
from pycore.session.phases import DONE, FAILED
from pycore.session.roster import Roster
from pycore.session.topics import ready
from pycore.session.topics.status import Status
from pycore.session.topics.stop import Stop
from pycore.session.topics.topic import GONE

SETTLED: Final = 5.0
"""Seconds in which an episode is over that a peer says is over, if it can be."""
LATER: Final = float("inf")
TOLD: Final = {"returned": "returned", "player_left": "dropped"}
"""What the peer that is the reason is told, by the reason that we end with."""
TO_US: Final = ("dropped", "returned")
"""What a peer says to us alone, whatever becomes of its own session: it plays with us no more."""


class Vigil:
    """Ends the session where it would not end by itself."""

    __slots__ = (
        "_again",
        "_course",
        "_drops",
        "_episode",
        "_journal",
        "_links",
        "_membership",
        "_moved_at",
        "_over_since",
        "_patience",
        "_place",
        "_roster",
        "_status",
        "_stop",
        "_timeline",
    )

    def __init__(
        self,
        timeline: Timeline,
        roster: Roster,
        drops: Drops,
        episode: Episode,
        course: Course,
        membership: Membership,
        status: Status,
        stop: Stop,
        journal: Journal,
        patience: float,
        now: float,
        again: bool = False,
    ) -> None:
        self._again = again
        """Whether whoever was dropped may come back, as another load of its page."""
        self._timeline = timeline
        self._roster = roster
        self._links = roster.links
        self._drops = drops
        self._episode = episode
        self._course = course
        self._membership = membership
        self._status = status
        self._stop = stop
        self._journal = journal
        self._patience = patience
        self._place = (0, 0, 0, 0)
        self._moved_at = now
        self._over_since = LATER
        """Since when everybody else is known to be over."""

    def excuse(self, seconds: float) -> None:
        """So long we did not listen: no wonder that nothing moved."""
        self._moved_at += seconds
        self._over_since += seconds

    def called_gone(self, peers: Sequence[int], me: int, now: float, confirmed: int, late: bool) -> None:
        """The server has decided that these are gone, perhaps we among them."""
        if me in peers:
            self._drop_out(now, "the server says that this page was not heard of any more")
            return
        self._membership.called_gone([peer for peer in peers if peer not in self._roster.gone])
        self.look_at_once(now, confirmed, late)

    def look_at_once(self, now: float, confirmed: int, late: bool) -> None:
        """The server said something of somebody: look at once, unless we are `late`, having stood still ourselves. Then
        words of the others may wait behind that one, and our own pause would count as their silence: the next poll
        excuses it, and looks."""
        if not late:
            self.look(now, confirmed)

    def look(self, now: float, confirmed: int) -> None:
        """Look at everybody, and at ourselves."""
        course = self._course
        other = self._membership.other_version
        if other is not None:
            link, version = other
            code, text = ready.version_differs(version)
            course.break_off(now, code, f"player {self._journal.name(link)}: {text}", FAILED)
            return
        by = self._drops.dropped_by
        group = self._roster.group or self._drops.settling
        if by is not None:
            name = self._journal.name(by)
            self._drop_out(now, f"player {name} plays on without us, like the others: they did not hear of us")
            return
        for verdict in self._membership.look(now, course.playing, group):
            if not group or not verdict.cause:
                self._give_up(verdict, now)
                return
            self._drop(verdict.link, verdict.cause, now)
        for number in self._membership.expired:
            self._drops.comings.expire(number)
        if self._membership.unheard:
            for link in self._links:
                link.speak(1 << GONE)
        if course.playing:
            self._look_while_playing(group, now, confirmed)
        else:
            # Between two episodes a page may be waited for, and the next one begins where this one did.
            self._moved_at = now

    def _look_while_playing(self, group: bool, now: float, confirmed: int) -> None:
        if self._drops.abandoned:
            # Nobody else is there, and nobody comes back.
            self._stop.at(self._timeline.current + self._timeline.frames.ahead)
        if self._drops.ends_before:
            # Nobody has anything of who is gone, and without it not a frame can be played.
            text, seat = self._drops.text, self._drops.first.link.seat
            self._course.break_off(now, "player_left", text, DONE, None, seat)
            return
        over = self._who_is_over(group, now)
        if over is not None:
            self._follow(over, now)
        else:
            if not self._drops.settling:
                # Others may have settled where we have not, and then they end where somebody was last heard.
                self._look_for_ends()
            self._look_for_progress(now, confirmed)

    def _drop(self, link: Link, cause: str, now: float) -> None:
        """Somebody is gone, and the others go on, or end together."""
        self._drops.drop(link, cause)

    def _give_up(self, verdict: Verdict, now: float) -> None:
        """Somebody is gone, and that ends it."""
        # Each is told what is true for itself: the others have lost a player.
        told = {link.peer.number: "player_left" for link in self._links}
        told[verdict.link.peer.number] = TOLD.get(verdict.reason, "player_left")
        self._course.break_off(now, verdict.reason, verdict.text, DONE, told, verdict.link.seat)

    def _drop_out(self, now: float, text: str) -> None:
        """The others play on without us."""
        told = "again" if self._again else "player_left"
        self._course.break_off(now, "dropped", text, DONE, {link.peer.number: told for link in self._links})

    def _who_is_over(self, group: bool, now: float) -> Link | None:
        """A peer whose end is ours. In a group who leaves is dropped instead.

        Who went on to another episode, or has come to the end, has everything of this one, and so have we. Only a page
        that was loaded again may not: it can have heard words that were meant for the load before it, and plays by them
        when everybody else is over.
        """
        over = [link for link in self._links if link.peer.over]
        for link in over:
            if link.peer.reason in TO_US:
                return link
            if link.peer.episode <= self._episode.number:
                if not group or not link.peer.left_alone:
                    return link
                self._drop(link, "error" if link.peer.reason == "error" else "left", now)
        over = [link for link in over if link in self._links]
        if not over or len(over) < len(self._links):
            self._over_since = LATER
            return None
        self._over_since = min(self._over_since, now)
        return over[0] if now - self._over_since > SETTLED else None

    def _follow(self, over: Link, now: float) -> None:
        """A peer's session is over while our episode runs."""
        reason = reason_of(over)
        name = self._journal.name(over)
        text = {
            "player_left": f"player {name} ended the session",
            "desync": f"player {name} found that the episode ends elsewhere there, with the same inputs",
            "dropped": f"player {name} had not heard of us for too long and went on without us",
            "returned": f"player {name} plays with another load of this page",
            "error": f"player {name}'s environment failed",
        }[reason]
        # What it says to us is not what the others are to hear of us.
        told = {link.peer.number: "player_left" for link in self._links} if reason in TO_US else None
        self._course.break_off(now, "player_left" if reason == "error" else reason, text, DONE, told, over.seat)

    def _look_for_ends(self) -> None:
        """Look for a peer that holds at an end that is none here, although both hold every input up to it.

        No agreement can come then: it is a desync, and the session ends at the lowest such end.
        """
        timeline = self._timeline
        found: tuple[int, Link] | None = None
        for link in self._links:
            end = link.peer.end
            if end is None or not end[2] or link.peer.episode > self._episode.number:
                continue
            frame = end[0]
            if frame in self._drops.ends:
                # Of an earlier round: meanwhile somebody else went, who gave more.
                continue
            if (
                min(timeline.frames.held) >= frame
                and timeline.current > frame
                and (timeline.pending is None or timeline.pending > frame)
                and (timeline.end is None or timeline.end > frame)
                and (found is None or frame < found[0])
            ):
                found = frame, link
        if found is None:
            return
        frame, link = found
        stop = self._episode.stop_frame
        if stop is not None and stop <= frame:
            return
        end_here = "plays on" if timeline.end is None else f"ends at frame {timeline.end}"
        if not self._episode.desync:
            self._journal.ends_differ(link, frame, f"ends at frame {frame}")
        name = self._journal.name(link)
        self._stop.at(frame, f"player {name} ends at frame {frame}, this side {end_here}, with the same inputs")

    def _look_for_progress(self, now: float, confirmed: int) -> None:
        """Everybody is heard, and still nothing moves: whatever it is, it does not go on for ever."""
        # While somebody was not heard of it was known why nothing moved; once it is gone, something should.
        place = (self._course.phase, self._timeline.current, confirmed, len(self._roster.gone))
        known = self._membership.anybody_interrupted or self._status.hidden
        if place != self._place or known or any([link.peer.status for link in self._links]):  # noqa: C419
            # Who is heard again after a long time has something to say yet.
            self._place = place
            self._moved_at = now
        elif now - self._moved_at > self._patience:
            text = f"nothing has moved for {now - self._moved_at:.0f} s although everybody is heard"
            self._course.break_off(now, "no_progress", text, DONE)
