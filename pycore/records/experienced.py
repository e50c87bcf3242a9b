"""The experienced record: what one participant saw, frame by frame, guesses marked as such.

It is JSON Lines, sorted keys, no spaces: a header, then in order of time one line for each displayed frame, for each
second, for each event, and one at the end. Unlike the trajectory it differs between the players, and has times.

A page that was loaded again writes on in a record of its own, whose header says which load it is; behind those of the
loads before it, it is one record. What it stepped again to catch up was not shown: an event, `unseen`, says from where
to where.

A tick keeps values alone, in the order of time. Their text is made between two ticks, when the lines are taken away, or
when `UNWRITTEN` values wait; that of actions and guesses is remembered. What is not taken away is bounded: beyond
`MOST_BYTES` the oldest lines are dropped, and an event says so.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from pycore.events import (
    CaughtUp,
    Desync,
    DesyncReported,
    EpisodeEnded,
    News,
    PathChanged,
    PeerStatus,
    PhaseChanged,
    PlayerGone,
    Returned,
    SessionEnded,
)
from pycore.frozen import Named
from pycore.records.second import Second
from pycore.session.phases import PHASE_NAMES, READYING
from pycore.session.session import Session
from pycore.session.tick import RESIMULATED, STALLED, STEPPED
from pycore.values import canonical
from pycore.values.json import UNRECORDABLE, record_json

VERSION: Final = 1
DISPLAYED: Final = STEPPED | RESIMULATED
STANDS: Final = 3
"""Ticks in a row without a step from which on standing is an event: fewer nobody sees."""
MOST_BYTES: Final = 1 << 24
"""Characters of lines that wait to be taken away: over an hour of play."""
UNWRITTEN: Final = 1024
"""Values that wait to be written at most, about: three times as many as the page leaves there."""
REMEMBERED: Final = 4096
"""Combinations of actions and guesses whose text is remembered."""
_READ: Final = 256
"""Frames of which it is remembered when their own input was read: more than any input delay."""


class Around(Named):
    """What holds for many frames: what makes a time of the wall's, the input delay, the episode, whether nobody sees
    the page, and the last frame whose own input an earlier load of the page had read."""

    off: float
    delay: int
    episode: int
    hidden: bool
    given: int


class Experienced:
    """Collects what the page of one session shows."""

    def __init__(self, session: Session, now: float) -> None:
        self._session = session
        self._timeline = session.timeline
        self._computed = _computed(session)
        """The seats that every page's policies play, as bits, each with how many frames ago what it sees was made."""
        self._values: list[tuple[Any, ...] | dict[str, Any]] = []
        """What is not written yet: frames, what holds for those from there on, and other lines. A frame that was
        displayed is its time in s, its number, when the input that was fixed with it was read (False: none was; True:
        now; or in ms since the epoch), and what was shown: the seats that were guessed, as bits, and the actions by
        seat."""
        self._lines: deque[str] = deque()
        self._bytes = 0
        self._lost = 0
        self._texts: dict[Any, str] = {}
        """The text of actions and guesses."""
        self._episode = 0
        self._shown = -1
        """The last frame of the episode that was displayed."""
        self._delay = 0
        self._read_at = [0] * _READ
        self._current_since: int | None = None
        """When the current frame became it, in ms since the epoch, if nothing was stepped since."""
        self._off = 0.0
        """What makes milliseconds since the epoch of those of the session's clock, and rounds them."""
        self._hidden = False
        self._given = -1
        """The last frame of the episode whose own input an earlier load of the page had read."""
        self._around = Around(0.0, 0, 0, False, -1)
        """What holds for the first value."""
        self.read_wall(now)
        self._stood = 0
        self._second = Second(session)
        self._second_ends = now + 1.0
        self._longest = 0
        """The longest tick of the second, in tenths of a millisecond."""
        self._over = False
        self._header: str | None = _header(session)
        """Until it was taken away."""

    # -- what happens ------------------------------------------------------------------------------------------

    def ticked(self, now: float, flags: int, pending: int | None, hidden: bool, worked: int) -> None:
        """A tick is done: its flags, the frame that it had to correct, if any, whether the page was hidden, and what
        the tick before took, in tenths of a millisecond."""
        if self._over:
            return
        if worked > self._longest:
            self._longest = worked
        if hidden is not self._hidden:
            self._hidden = hidden
            self._look_around()
            self._event("hidden" if hidden else "shown", now)
        if flags & DISPLAYED:
            if flags & RESIMULATED and pending is not None:
                self._corrected(pending, now)
            timeline = self._timeline
            frame = timeline.current - 1
            if frame > self._shown + 1:
                # It was loaded again, or hurries after those who have played on: of several frames one is shown.
                self._event("unseen", now, {"from": self._shown + 1, "to": frame - 1})
            self._shown = frame
            frames = timeline.frames
            slot = frame & frames.mask
            fixed: int | bool = flags & STEPPED != 0
            if fixed and self._current_since is not None:
                self._resumed(now)
                fixed, self._current_since = self._current_since, None
            guessed = frames.missing[slot]
            if self._computed or self._session.gone:
                known = min(frames.held)
                for bits, ago in [*self._computed, *_stood_in(self._session)]:
                    if known < frame - ago:
                        guessed |= bits  # what a policy saw was a guess
            self._values.append((now, frame, fixed, (guessed, *frames.encoded[slot])))
        if flags & STALLED:
            if self._current_since is None:
                self._current_since = int(now * 1000.0 + self._off)
            self._stalls(now)
        if now < self._second_ends:
            return
        self.read_wall(now)
        self._values.append(self._second.end(now, self._episode, hidden, self._longest))
        self._longest = 0
        # A second that began late is not made good by a short one.
        self._second_ends = self._second_ends + 1.0 if now - self._second_ends < 1.0 else now + 1.0
        if len(self._values) >= UNWRITTEN:
            self._write()

    def happened(self, event: News, now: float) -> None:
        """News of the session."""
        players = self._session.players
        if isinstance(event, PathChanged):
            self._event("path", now, {
                "player": _player(players, event.seat), "from": event.from_path, "to": event.to_path,
                "cause": event.cause,
            })  # fmt: skip
        elif isinstance(event, PeerStatus):
            self._event("peer", now, {"player": _player(players, event.seat), "status": event.status})
        elif isinstance(event, PlayerGone):
            of = {"episode": event.episode, "frame": event.frame}
            self._event("gone", now, {
                "player": _player(players, event.seat), "last": of, "cause": event.cause, "on_drop": event.on_drop,
            })  # fmt: skip
        elif isinstance(event, PhaseChanged):
            if event.phase == PHASE_NAMES[READYING]:
                self._episode = event.episode
                self._shown = self._given = -1
                self._delay = self._session.seats[self._session.me].delay
                self._look_around()
            self._event("phase", now, {"phase": event.phase})
        elif isinstance(event, CaughtUp):
            self._caught_up(event)
        elif isinstance(event, Returned):
            behind = {"episode": event.episode, "frame": event.frame}
            self._event("returned", now, {"player": _player(players, event.seat), "load": event.load, "of": behind})
        elif isinstance(event, EpisodeEnded):
            self._event("episode", now, {"frames": event.frames, "reason": event.reason})
        elif isinstance(event, Desync):
            self._event("desync", now, {"player": _player(players, event.seat), "kind": event.what})
        elif isinstance(event, DesyncReported) and not self._over:
            paths = [path for path, *_ in event.differences]
            of = {"episode": event.episode, "frame": event.frame}
            self._event("desync-report", now, {"player": _player(players, event.seat), "of": of, "fields": paths})
        elif isinstance(event, SessionEnded) and not self._over:
            self._end(event.reason, now)

    def _caught_up(self, event: CaughtUp) -> None:
        """This page was loaded again, and plays from here on; what an earlier load did counts for some frames more."""
        self._episode = event.episode
        self._given = self._session.dispatched
        self._delay = self._session.seats[self._session.me].delay
        self._look_around()

    def clock(self, now: float, offset_ms: float, rtt_ms: float) -> None:
        """A better estimate of the server's clock."""
        self._event("clock", now, {"offset_ms": offset_ms, "rtt_ms": rtt_ms})

    def take(self, now: float) -> str:
        """All lines since the last time, each with its end; they are no longer kept here."""
        if self._session.reason and not self._over:
            # What raised got away before the news were told.
            self._end(self._session.reason, now)
        self._write()
        lines = [*self._lines]
        if self._lost:
            lines.insert(0, record_json(self._described("lost", now, {"lines": self._lost})))
        if self._header is not None:
            lines.insert(0, self._header)
            self._header = None
        self._lines.clear()
        self._bytes = self._lost = 0
        return "".join([f"{line}\n" for line in lines])

    def _end(self, reason: str, now: float) -> None:
        self._resumed(now)
        self._values.append({"end": reason, "time_ms": round(self._session.wall_ms(now))})
        self._over = True

    def read_wall(self, now: float) -> None:
        """The session's wall clock may have been read anew."""
        self._off = self._session.wall_ms(now) - now * 1000.0 + 0.5
        self._look_around()

    def _look_around(self) -> None:
        """Something holds from here on that did not before."""
        self._values.append(Around(self._off, self._delay, self._episode, self._hidden, self._given))

    # -- lines -------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        """Make lines of the values that wait, and keep within the bound."""
        values, self._values = self._values, []
        read_at, texts, lines = self._read_at, self._texts, self._lines
        off, delay, head, tail, read = self._spelled(self._around)
        made: list[str] = []
        for value in values:
            if type(value) is tuple:
                now, frame, fixed, shown = value
                time_ms = int(now * 1000.0 + off)
                if fixed is not False:
                    # This tick, or the first of those that stood, fixed the own input of a later frame.
                    read_at[(frame + delay) & (_READ - 1)] = time_ms if fixed is True else fixed
                text = texts.get(shown) or self._tell(shown)
                own = f',"input_ms":{read_at[frame & (_READ - 1)]}' if frame >= read else ""
                made.append(f"{head}{frame}{tail}{own}{text}{time_ms}}}")
            elif type(value) is Around:
                self._around = value
                off, delay, head, tail, read = self._spelled(value)
            else:
                made.append(record_json(value))
        lines.extend(made)
        size = self._bytes + sum(map(len, made)) + len(made)
        while size > MOST_BYTES and len(lines) > 1:
            size -= len(lines.popleft()) + 1
            self._lost += 1
        self._bytes = size

    @staticmethod
    def _spelled(around: Around) -> tuple[float, int, str, str, int]:
        """The first two numbers, what stands before and behind the number of a frame, and the first frame whose own
        input this load of the page has read."""
        off, delay, episode, hidden, given = around
        return off, delay, f'{{"episode":{episode},"frame":', ',"hidden":true' if hidden else "", max(delay, given + 1)

    def _corrected(self, pending: int, now: float) -> None:
        self._second.rolled_back(self._shown + 1 - pending)
        if pending <= self._shown:
            self._event("corrected", now, {"from": pending, "to": self._shown})

    def _stalls(self, now: float) -> None:
        self._stood += 1
        if self._stood == STANDS:
            self._event("stalled", now, {"cause": self._session.ticks.cause})

    def _resumed(self, now: float) -> None:
        """Something is stepped again."""
        if self._stood >= STANDS:
            self._event("resumed", now, {"ticks": self._stood})
        self._stood = 0

    def _event(self, event: str, now: float, more: dict[str, Any] | None = None) -> None:
        if self._over:
            return
        self._values.append(self._described(event, now, more or {}))

    def _described(self, event: str, now: float, more: dict[str, Any]) -> dict[str, Any]:
        session = self._session
        return {
            "event": event, "episode": self._episode, "frame": session.frame,
            "time_ms": round(session.wall_ms(now)), **more,
        }  # fmt: skip

    def _tell(self, key: Any) -> str:
        """What was shown, and guessed, as it stands in a line."""
        missing, *encoded = key
        seats = [str(seat) for seat in range(len(encoded)) if missing >> seat & 1]
        guesses = f',"predicted":[{",".join(seats)}]' if seats else ""
        shown = ",".join([self._spell(seat, action) for seat, action in enumerate(encoded)])
        if len(self._texts) >= REMEMBERED:
            self._texts.clear()
        text = self._texts[key] = f'{guesses},"shown":[{shown}],"time_ms":'
        return text

    def _spell(self, seat: int, encoded: bytes) -> str:
        try:
            return record_json(self._session.seats[seat].recorded(encoded))
        except Exception:  # what cannot be written is replaced, and its line stays
            return record_json(UNRECORDABLE)


def _player(players: list[Any], seat: int) -> Any:
    return players[seat] if seat >= 0 else None


def _computed(session: Session) -> list[tuple[int, int]]:
    settings, players = session.settings, session.players
    return [(1 << seat, 1 + settings.reaction_time(players[seat])) for seat in settings.computed(players)]


def _stood_in(session: Session) -> list[tuple[int, int]]:
    """The same of the seats of who is gone, where a policy plays them: from the tick on in which that was agreed."""
    settings = session.settings
    if settings.stand_in is None:
        return []
    ago = 1 + settings.stand_in_reaction
    return [(1 << seat, ago) for departure in session.gone.values() for seat in departure.frames]


def _header(session: Session) -> str:
    return record_json({
        **({"load": session.load} if session.load else {}),
        "pycore_experienced": VERSION,
        "game_id": session.game_id,
        "player": session.players[session.me],
        "players": session.players,
        "fps": session.settings.fps,
        "input_delay": session.seats[session.me].delay,
        "environment": session.settings.environment,
        "configuration": canonical.digest(session.configuration).hex(),
        "seed": session.seed,
        **({} if session.settings.stand_in is None else {"stand_in": {**session.settings.stand_in}}),
    })  # fmt: skip
