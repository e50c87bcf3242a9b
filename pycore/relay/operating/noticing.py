"""Notices what happens on the relay, for its log and its counts: who waits, what begins and ends, what is refused.

It is told after the fact, decides nothing, and is cheap where inputs pass. What a stranger can repeat at will, as
refusals, is in the log once in a while, with how many there were. A person is called by a name that means nothing, as
on the operator's page (`Operator.person`); the subject id itself is logged only where that was asked for.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from pycore.relay.games.outcomes import Outcome
from pycore.relay.games.payloads import Failure
from pycore.relay.games.rooms import Room
from pycore.relay.limits import TokenBucket
from pycore.relay.operating.measures import Measures
from pycore.relay.operating.says import say
from pycore.relay.people.naming import renamed
from pycore.relay.transport.wire import REFUSED

log = logging.getLogger("pycore.relay")

QUIET_S: Final = 10.0
"""Seconds from one line about a refusal to the next about the same."""
PASSED: Final = frozenset(("pyodide_player_action", "webrtc_signal", "pycore_ping"))
"""Events of which there are many a second: where they are not refused there is nothing more to notice."""
KNOWN: Final = 4000
"""People of whom it is known what was said of them."""
FAILURES: Final = 10
"""Of pages, that are remembered."""
LINES_RATE: Final = 10.0
"""Lines a second about people and games: strangers may come and go as fast as they like, and play with each other,"""
LINES_BURST: Final = 300.0
"""and a study begins with many at once."""
FAILED_RATE: Final = 1.0
"""Lines a second about pages that failed, of all together: one page may say so fifty times a second,"""
FAILED_BURST: Final = 50.0
"""and when the study itself is broken, many do at once."""


class Noticed:
    """What was noticed on one relay. Times are s of the lobby's clock."""

    def __init__(
        self, measures: Measures, called: Callable[[str], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`called`: what a subject is called in the log."""
        self._measures = measures
        self._passed = measures.events
        self._clock = clock
        self._called = called
        self.failures: deque[dict[str, Any]] = deque(maxlen=FAILURES)
        """Of pages, the newest last."""
        self._outcomes: OrderedDict[str, tuple[str, str | None]] = OrderedDict()
        """What was said of whom last."""
        self._waits: set[str] = set()
        """Sockets of which it was said that somebody waits."""
        self._games: set[str] = set()
        """Those that go on."""
        self._refusals: dict[tuple[str, str], tuple[float, int]] = {}
        """When a kind of refusal was logged last, and how many there were since."""
        self._lines = TokenBucket(LINES_RATE, LINES_BURST)
        self._unsaid = 0
        self._failed_lines = TokenBucket(FAILED_RATE, FAILED_BURST)
        self._failed_unsaid = 0

    def knows(self, events: Collection[str]) -> None:
        """The names of the events that there are; others have no name here."""
        self._measures.known = frozenset((*events, "connect"))

    def event(self, event: str, sid: str, arguments: Sequence[Any], reply: Mapping[str, Any], began: float) -> None:
        """An event that had begun then was carried out, or refused."""
        if event in PASSED and reply.get("status") == "ok":
            self._passed[event] += 1
            return
        now = self._clock()
        if event == REFUSED:
            event = arguments[0]["event"]
        code = reply.get("code") if reply.get("status") == "error" else None
        self._measures.event(event, code, now - began)
        if code is not None:
            self._refused(event, code, now)
        elif event == "join_game":
            self._joined(sid, reply)
        elif event == "leave_game":
            self._waits.discard(sid)

    def _has_room(self) -> bool:
        """Whether a line about somebody or a game is said; what is not is counted, and said when there is room."""
        if not self._lines.take(self._clock()):
            self._unsaid += 1
            return False
        if self._unsaid:
            say(log, logging.INFO, "unsaid", "lines about people and games were left out", times=self._unsaid)
            self._unsaid = 0
        return True

    def crossed(self, came: int = 0, went: int = 0) -> None:
        """So many characters of events came in, or went out."""
        self._measures.bytes_in += came
        self._measures.bytes_out += went

    def _joined(self, sid: str, reply: Mapping[str, Any]) -> None:
        state = reply.get("state")
        if state == "waiting":
            if sid not in self._waits:
                self._waits.add(sid)
                if self._has_room():
                    say(log, logging.INFO, "waiting", "somebody waits for a game", socket=sid)
        elif state == "restored":
            game, player = reply.get("game_id"), reply.get("player_id")
            if self._has_room():
                say(log, logging.INFO, "returned", "a player came back", game=game, player=player)

    def gone(self, sid: str) -> None:
        """A socket is no longer there."""
        self._waits.discard(sid)

    def games(self, changed: Sequence[Room]) -> None:
        """These games are new, or others than before."""
        for room in changed:
            if room.game_id not in self._games and not room.over and room.ended_wall is None:
                self._begun(room)
            elif room.game_id in self._games and (room.over or room.ended_wall is not None):
                self._ended(room)

    def _begun(self, room: Room) -> None:
        self._games.add(room.game_id)
        if room.resumed:
            self._measures.games_begun("resumed")
            if self._has_room():
                say(log, logging.INFO, "game_resumed", "a game that was taken for over goes on", game=room.game_id)
            return
        if room.restarts:
            self._measures.games_begun("taken_up")
            if self._has_room():
                say(log, logging.INFO, "game_taken_up", "a game of another process was taken up", game=room.game_id)
            return
        for seat in room.seats:
            self._waits.discard(seat.sid or "")
        waited = [round(seat.waited_s, 1) for seat in room.seats]
        for each in waited:
            self._measures.waited(each)
        self._measures.games_begun("paired")
        if not self._has_room():
            return
        people = [self._called(seat.subject_id) for seat in room.seats if seat.subject_id]
        say(
            log, logging.INFO, "game_started", "a game started", game=room.game_id, players=len(room.seats),
            waited_s=waited, people=people or None,
        )  # fmt: skip

    def _ended(self, room: Room) -> None:
        self._games.discard(room.game_id)
        how = "finished" if not room.over else "left"
        if any(seat.farewell is not None and seat.farewell[0] == "player_gone" for seat in room.seats):
            how = "dropped"
        seconds = None if room.ended_wall is None else max(0.0, room.ended_wall - room.started_wall)
        self._measures.games_ended(how, seconds)
        if not self._has_room():
            return
        gone = [str(seat.player) for seat in room.seats if seat.gone] or None
        say(
            log, logging.INFO, "game_ended", "a game ended", game=room.game_id, how=how,
            seconds=None if seconds is None else round(seconds, 1), gone=gone, inputs_relayed=room.inputs_relayed,
        )  # fmt: skip

    def connection_refused(self, code: str) -> None:
        """A socket was not let in."""
        self._measures.connection_refused(code)
        self._refused("connect", code, self._clock())

    def _refused(self, event: str, code: str, now: float) -> None:
        if event not in self._measures.known:
            event = "unknown"
        kind = (event, code)
        before, since = self._refusals.get(kind, (float("-inf"), 0))
        if now - before < QUIET_S:
            self._refusals[kind] = (before, since + 1)
            return
        self._refusals[kind] = (now, 0)
        say(log, logging.INFO, "refused", "an event was refused", refused=event, code=code, times=since + 1)

    def study(self, is_open: bool) -> None:
        """The operator opened or closed it."""
        word = "opened" if is_open else "closed"
        say(log, logging.WARNING, f"study_{word}", f"the study was {word}")

    def outcome(self, outcome: Outcome) -> None:
        """What a participant's visit came to; said and counted once, however often its page stores."""
        what = outcome.outcome, outcome.game_id
        if self._outcomes.get(outcome.person) == what:
            return
        self._outcomes[outcome.person] = what
        if len(self._outcomes) > KNOWN:
            self._outcomes.popitem(last=False)
        self._measures.outcomes[outcome.outcome] += 1
        if not self._has_room():
            return
        say(
            log, logging.INFO, "outcome", "a visit came to its end", outcome=outcome.outcome,
            person=self._called(outcome.subject) if outcome.subject else None, waited_s=round(outcome.waited_s, 1),
            game=outcome.game_id, player=outcome.player,
        )  # fmt: skip

    def page_failed(self, subject_id: str | None, failure: Failure) -> None:
        """A participant sees an error: whoever runs the study sees it too."""
        person = None if subject_id is None else self._called(subject_id)
        told = {"where": failure.where, "code": failure.code, "said": failure.message}
        if subject_id is not None and person is not None:
            # What a page says of an error may have its address in it.
            told = {name: renamed(text, subject_id, person) for name, text in told.items()}
        self.failures.append({"time": round(time.time(), 3), "person": person, **told})
        if not self._failed_lines.take(self._clock()):
            self._failed_unsaid += 1
            return
        unsaid, self._failed_unsaid = self._failed_unsaid or None, 0
        say(log, logging.WARNING, "page_failed", "a page failed", person=person, **told, unsaid=unsaid)
