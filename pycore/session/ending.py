"""How an episode ends, on the same confirmed frame for everybody.

Nobody steps beyond a provisional end. It is final when every input dispatched up to it has reached everybody, and both
sides of every link have each other's hash of the final state; so sent and received totals agree, also when a rollback
moved the end. A packet with the next episode's number is its sender's word that all of this one is done.
"""

from __future__ import annotations

from pycore.link.link import Link
from pycore.session.drops import Drops
from pycore.session.phases import BETWEEN, DONE, HOLDING, PLAYING, READYING
from pycore.session.stage import Stage
from pycore.session.topics.end import End
from pycore.session.topics.hashes import Hashes
from pycore.session.topics.stop import Stop


class Ending:
    """The end of the running episode."""

    __slots__ = (
        "_course",
        "_dispatch",
        "_drops",
        "_end",
        "_episode",
        "_episodes",
        "_hashes",
        "_links",
        "_publication",
        "_simulation",
        "_stop",
        "_timeline",
    )

    def __init__(self, stage: Stage, episodes: int, end: End, stop: Stop, hashes: Hashes, drops: Drops) -> None:
        self._simulation = stage.simulation
        self._timeline = stage.timeline
        self._links = stage.links
        self._episode = stage.episode
        self._course = stage.course
        self._dispatch = stage.dispatch
        self._publication = stage.publication
        self._episodes = episodes
        self._end = end
        self._stop = stop
        self._hashes = hashes
        self._drops = drops

    def request_stop(self, now: float, window: int, desync: str = "") -> None:
        """End the session with this episode, at a frame that nobody can have stepped yet. `desync`: because states
        differ, and where."""
        if self._course.phase in (READYING, PLAYING, HOLDING):
            # Who is ready may be played with already: then too the end must be one that all reach.
            delay = max([seat.delay for seat in self._timeline.seats])
            self._stop.at(self._timeline.current + delay + window, desync)
        elif desync:
            self._course.finish(now, "desync", desync, DONE)
        else:
            self._course.finish(now, "stop", "the session was stopped", DONE)

    def take_back(self, stop: int) -> None:
        """The episode ends with this frame at the latest, and more was published: an end that others do not have."""
        self._publication.cut(self._episode.number, stop + 1)
        self._hashes.cut(stop + 1)

    def play_on(self, now: float) -> None:
        """A rollback revoked the end."""
        self._end.revoke()
        self._course.enter(PLAYING, now)

    def hold(self, end: int, dispatched: int, known: int, confirmed: int, now: float) -> None:
        """At a provisional end: finish as soon as it is final. `known` is the last frame of which we hold everybody's
        input, `confirmed` the last of which everybody does."""
        if self._course.phase == PLAYING:
            self._course.enter(HOLDING, now)
        self._end.hold(end, dispatched, known >= end)
        publication = self._publication
        if publication.collected < end:
            return
        publication.finish(self._episode.number, self._timeline.state(end + 1))
        if not publication.ended:
            publication.flush(self._simulation)
        running = self._episode.number
        # So that what was sent and received is the same everywhere. Who has finished had that from all, and says
        # nothing more of it to a page that has come back since.
        finished = any([link.peer.episode > running for link in self._links])  # noqa: C419
        upto = end if finished else end + min([seat.delay for seat in self._timeline.seats])
        for link in self._links:
            if link.peer.episode <= running and (confirmed < upto or not self._settled(link, end)):
                return
        if self._drops.settling and self._drops.ends_with(end) and not finished:
            # Somebody else went while all held here, who may have given more: then this is no end.
            return
        result = self._timeline.frames.results[end & self._timeline.frames.mask]
        if self._episode.desync:
            reason = "desync"
        elif result is not None and result.done:
            reason = "done"
        elif self._episode.stop_frame == end:
            reason = "player_left" if self._drops.abandoned else "stop"
        else:
            reason = "player_left" if self._drops.ends_with(end) else "max_steps"
        self._leave(now, end, reason)

    def _settled(self, link: Link, end: int) -> bool:
        """Whether the link's two sides have everything of this episode from each other."""
        peer = link.peer
        hashes = self._hashes.of(link)
        frames = self._timeline.frames
        # What a load before gave may lie further ahead than anybody can take in who holds there.
        furthest = end + 1 + frames.ahead
        return (
            peer.end is not None
            and peer.end[0] == end
            and (peer.seat < 0 or frames.held[peer.seat] >= min(peer.end[1], furthest))
            and link.acknowledged_up_to(furthest)
            and not self._dispatch.left_over(link)
            and hashes.settled
            and hashes.has_theirs(end + 1)
        )

    def _leave(self, now: float, end: int, reason: str) -> None:
        """The episode is final."""
        episode = self._episode
        self._course.note_end(reason)
        # Whoever asks for a stop at the very end of the last episode may be the only one who knows of it.
        last = episode.number + 1 >= self._episodes
        stopped = reason == "stop" or (episode.stop_frame is not None and not last)
        desync = episode.desync
        drops = self._drops
        gone = drops.end_session and (not last or reason == "player_left")
        drops.leave(end, reason)
        episode.leave()
        self._stop.leave()
        self._end.revoke()
        self._hashes.leave()
        for link in self._links:
            link.begin([seat.delay for seat in self._timeline.seats], self._timeline.frames.size)
            link.peer.forget_readies(episode.number - 1)
        if desync:
            self._course.finish(now, "desync", desync, DONE)
        elif gone:
            self._course.finish(now, "player_left", drops.text, DONE, None, drops.first.link.seat)
        elif stopped or last:
            self._course.finish(now, "stop" if stopped else "complete", "the session is complete", DONE)
        else:
            self._course.enter(BETWEEN, now)
