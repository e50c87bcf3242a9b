"""The waiting room: who waits for a game, who of them is asked whether they are there, and what they are told.

Whoever waits keeps one place. A matcher says who plays with whom; where the study wants it, each of them is asked
first, and a game begins when all have answered. Who does not answer in time is out, and those who had answered, or
were not given the time to, have their places back: a place is as old as it was, so they come before all who came later.

The order is by the time at which the waiting began. It is given back to whoever is abandoned before a game begins.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from pycore.relay.games.connections import Connection
from pycore.relay.limits import Limits
from pycore.relay.matching import Candidate, Matcher, check_groups
from pycore.relay.people.former import Former
from pycore.relay.people.recruiting import Recruiting
from pycore.relay.transport.outgoing import Outgoing, error_to

log = logging.getLogger("pycore.relay")

ECHO_EVERY_S: Final = 2.0
"""Between two measurements of a round trip; where a matcher wants them."""
ANSWER_S: Final = 10.0
"""So long nothing is measured anew without an answer: an answer does not say what it answers, and one that was held up
would count from a later question, and be the shortest for good."""


@dataclass(slots=True, eq=False)
class Check:
    """People who are asked whether they are there."""

    places: Sequence[Place]
    """In the order of their seats."""
    until: float


@dataclass(slots=True, eq=False)
class Place:
    """Somebody who waits."""

    connection: Connection
    since: float
    key: str
    group: str | None = None
    rtt: float | None = None
    measured_at: float | None = None
    """When the newest measurement began,"""
    measuring: bool = False
    """and whether its answer has not come."""
    check: Check | None = None
    answered: bool = False
    note: str | None = None
    """What became of the last game that was to begin, for the page to say."""
    stood: float = 0.0
    """For how long the server stood meanwhile, s: it was waited, and counts for no limit."""

    def candidate(self) -> Candidate:
        """As a matcher sees it."""
        return Candidate(self.key, self.since, self.rtt, self.group, self.connection.subject_id)


class Group(NamedTuple):
    """A game begins: connections in the order of their seats, and since when each of them waited."""

    members: Sequence[Connection]
    since: Sequence[float]


@dataclass(slots=True)
class Changes:
    """What is to be done."""

    out: list[Outgoing] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    in_vain: list[tuple[Connection, float]] = field(default_factory=list)
    """Who has waited for as long as anybody waits, and for how many seconds."""


class WaitingRoom:
    """Those who wait, in the order in which they are served."""

    def __init__(self, seats: int, limits: Limits, recruiting: Recruiting) -> None:
        self._seats = seats
        self._matcher: Matcher = recruiting.matcher
        self._measures = getattr(recruiting.matcher, "measures", True)
        self._takes: Callable[[str | None], str | None] = getattr(recruiting.matcher, "group_of", lambda group: group)
        self._ready_check = recruiting.ready_check
        self.limit = limits.waiting_s if recruiting.waiting_limit is None else recruiting.waiting_limit
        """Seconds after which nobody waits any more."""
        self._places: dict[str, Place] = {}
        """By socket, in the order of `since`."""
        self._came = 0
        self.former = Former()
        """Who waited at another process, and is on the way here."""

    def __len__(self) -> int:
        return len(self._places)

    @property
    def lacks_one(self) -> bool:
        """Whether the next to come may make a game."""
        return self._free() + 1 >= self._seats

    def __iter__(self) -> Iterator[Connection]:
        return iter([place.connection for place in self._places.values()])

    # Coming and going

    def enter(
        self, connection: Connection, now: float, since: float | None = None, group: str | None = None,
        note: str | None = None,
    ) -> None:  # fmt: skip
        """One more; who waits already keeps the place. `since`: when the waiting began, if it did so before."""
        if connection.sid in self._places:
            return
        had = self.former.take(connection.session)
        if had is not None:
            since = had.since if since is None else min(since, had.since)
            note = note or had.note
        self._came += 1
        place = Place(connection, now if since is None else min(since, now), f"{self._came}", group, note=note)
        connection.waiting_since = place.since
        self._places[connection.sid] = place
        if since is not None:
            self._sort()

    def has(self, sid: str) -> bool:
        """Whether that socket waits."""
        return sid in self._places

    def leave(self, sid: str) -> bool:
        """Whether that socket waited; it does no more. Whoever was asked together with it waits again."""
        place = self._places.pop(sid, None)
        if place is None:
            return False
        place.connection.waiting_since = None
        self._dissolve(place.check, "other_left")
        return True

    def part(self, session: str, page: str) -> bool:
        """Whether that load of a page waited, both by their digests; it does no more."""
        for sid, place in self._places.items():
            if place.connection.session == session and place.connection.page == page:
                return self.leave(sid)
        return False

    def take_over(self, old: Connection, new: Connection) -> None:
        """A place goes to another window of the same person."""
        place = self._places[old.sid]
        # Whoever sits before the new window has not been asked, so the others are asked anew.
        self.leave(old.sid)
        self.enter(new, place.since, place.since, place.group)
        self._places[new.sid].stood = place.stood

    def others_of(self, connection: Connection) -> list[Connection]:
        """Who else waits with the same session, or is the same person."""
        return [
            other for other in self
            if other is not connection and (
                other.session_id == connection.session_id
                or (other.subject_id is not None and other.subject_id == connection.subject_id)
            )
        ]  # fmt: skip

    def sessions(self) -> dict[str, float]:
        """Who waits, by the digests of their sessions, and since when."""
        return {place.connection.session: place.since for place in self._places.values()}

    def since(self, sid: str) -> float | None:
        """Since when a socket waits."""
        place = self._places.get(sid)
        return None if place is None else place.since

    # Answers

    def ready(self, sid: str) -> bool:
        """Somebody who was asked is there; false: nobody asked."""
        place = self._places.get(sid)
        if place is None or place.check is None:
            return False
        place.answered = True
        return True

    def echo(self, sid: str, now: float) -> None:
        """The answer to a measurement of the round trip."""
        place = self._places.get(sid)
        if place is not None and place.measuring and place.measured_at is not None:
            rtt = max(0.0, now - place.measured_at)
            place.rtt = rtt if place.rtt is None else min(place.rtt, rtt)
            place.measuring = False

    # Time

    def stood(self, seconds: float, now: float) -> None:
        """The server stood for so long: whoever was asked could not answer meanwhile, and nobody could come."""
        self.former.stood(seconds)
        for place in self._places.values():
            place.stood += seconds
        for check in {id(one.check): one.check for one in self._places.values() if one.check is not None}.values():
            check.until += seconds

    def look(self, now: float) -> Changes:
        """What time brings: who did not answer, and who has waited for too long, is out."""
        changes = Changes()
        self.former.look(now)
        for check in {id(one.check): one.check for one in self._places.values() if one.check is not None}.values():
            if now < check.until or all(place.answered for place in check.places):
                continue
            for place in check.places:
                if not place.answered:
                    self._out(place)
                    changes.out.append(error_to(
                        place.connection.sid, "not_ready", "you did not answer in time; join again to go on",
                        "join_game",
                    ))  # fmt: skip
            self._dissolve(check, "other_not_ready")
        free = [place for place in self._places.values() if place.check is None]
        for place in [one for one in free if now - one.since - one.stood >= self.limit]:
            self._out(place)
            changes.in_vain.append((place.connection, now - place.since))
            changes.out.append(error_to(
                place.connection.sid, "waited_too_long", "nobody came; join again to go on", "join_game"
            ))  # fmt: skip
        if changes.out:
            changes.out += self.tell(now)
        if self._measures:
            changes.out += self._measure(now)
        return changes

    def pair(self, now: float, free: int) -> Changes:
        """Begin what can begin, at most `free` games: groups that have answered, and those that the matcher makes."""
        changes = Changes()
        answered = [
            check for check in {id(one.check): one.check for one in self._places.values() if one.check}.values()
            if all(place.answered for place in check.places)
        ]  # fmt: skip
        groups = [check.places for check in answered][: max(0, free)]
        asked = []
        free -= len(groups)
        waiting = [place for place in self._places.values() if place.check is None]
        if len(waiting) >= self._seats and free > 0 and not self.former.missing(now):
            asked = self._match(waiting, now)[:free]
        if self._ready_check:
            for places in asked:
                self._ask(places, now, changes)
        else:
            groups += asked
        for places in groups:
            changes.groups.append(Group([one.connection for one in places], [one.since for one in places]))
            for place in places:
                self._out(place)
        return changes

    def empty(self, now: float) -> list[tuple[Connection, float]]:
        """Everybody who waited, and for how long, s; they do no more."""
        gone = list(self._places.values())
        for place in gone:
            self._out(place)
        return [(place.connection, now - place.since) for place in gone]

    def listed(self, now: float) -> list[tuple[str | None, float]]:
        """Who waits, and for how long, s."""
        return [(place.connection.subject_id, now - place.since) for place in self._places.values()]

    def tell(self, now: float) -> list[Outgoing]:
        """How many are there, to everybody who waits, and for how long nobody gives up."""
        waiting = [place for place in self._places.values() if place.check is None]
        groups = Counter(self._group_of(place) for place in waiting)
        out = []
        for place in waiting:
            # Whoever is of another group is nobody to wait for; and where people are too far apart, one is lacking.
            here = min(self._seats - 1, groups[self._group_of(place)]) or 1
            data: dict[str, Any] = {
                "cur_num_players": here, "players_needed": self._seats - here,
                "ms_remaining": max(0, round(1000 * (place.since + place.stood + self.limit - now))),
            }
            if place.note is not None:
                data["note"] = place.note
            out.append(Outgoing(place.connection.sid, "waiting_room", data))
        return out

    # Inside

    def _free(self) -> int:
        return sum(place.check is None for place in self._places.values())

    def _out(self, place: Place) -> None:
        del self._places[place.connection.sid]
        place.connection.waiting_since = None

    def _group_of(self, place: Place) -> str | None:
        try:
            group = self._takes(place.group)
            hash(group)  # a study's own matcher may give anything, a list for one
            return group
        except Exception:
            log.exception("the matcher %s failed", type(self._matcher).__name__)
            return place.group

    def _sort(self) -> None:
        self._places = dict(sorted(self._places.items(), key=lambda item: item[1].since))

    def _match(self, waiting: Sequence[Place], now: float) -> list[Sequence[Place]]:
        candidates = [place.candidate() for place in waiting]
        places = {place.key: place for place in waiting}
        try:
            keys = check_groups(self._matcher.match(candidates, self._seats, now), candidates, self._seats)
        except Exception:
            # A study's own: nobody else's game ends for it, and whoever waits is told so in the end.
            log.exception("the matcher %s failed", type(self._matcher).__name__)
            return []
        return [[places[key] for key in group] for group in keys]

    def _ask(self, places: Sequence[Place], now: float, changes: Changes) -> None:
        check = Check(places, now + self._ready_check)
        for place in places:
            place.check, place.answered, place.note = check, False, None
            asked = {"ms_remaining": round(1000 * self._ready_check), "players": len(places)}
            changes.out.append(Outgoing(place.connection.sid, "ready_check", asked))

    def _dissolve(self, check: Check | None, note: str) -> None:
        """Those who are asked together are not any more."""
        if check is None:
            return
        for place in check.places:
            place.check, place.answered, place.note = None, False, note

    def _measure(self, now: float) -> list[Outgoing]:
        out = []
        for place in self._places.values():
            pause = ANSWER_S if place.measuring else ECHO_EVERY_S
            if place.measured_at is None or now - place.measured_at >= pause:
                place.measured_at, place.measuring = now, True
                out.append(Outgoing(place.connection.sid, "pycore_echo", {}))
        return out
