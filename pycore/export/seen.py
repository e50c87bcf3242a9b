"""What the participants saw, against what was confirmed.

An experienced record and a trajectory of the same game are read side by side. Of every displayed frame that is in the
trajectory each action that was no guess must be the confirmed one, and a guess that was wrong must have been corrected,
unless the page was loaded again before that. Its own last actions may have come to nobody by then, or before the others
played on without it; and of another player who was dropped, actions behind the last that counts are taken back.
Frames that nobody saw are those that were stepped without a picture, by whichever load of the page, and that no load
displayed, before or after that.
Memory for the frames that a correction can reach, and for the runs of displayed frames, not for the game.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from pycore.export.files import lines_of
from pycore.records.experienced_reader import REACH, Displayed, Experience, Happening, Item, SecondOfPlay
from pycore.records.reader import RecordedEnd, RecordedFrame

NOT_TOLD: Final = ("dropped", "returned")
"""Reasons of an end behind which the others may have played on, without this page."""


class Seen(NamedTuple):
    """What one experienced record has."""

    displayed: int
    """Lines of displayed frames."""
    guessed: int
    """Of those, how many had a guess in them."""
    seconds: int
    unseen: int
    """Frames that a page that was loaded again stepped to catch up, and no load of it displayed."""
    ended: str | None
    """The reason of its end; None: its session was aborted."""
    times_hidden: int
    """How often a load of the page was hidden."""
    hidden_ms: int
    """For how long in all: until it was shown again, or to the end of what that load recorded."""
    untrue: str
    """The first thing in it that the trajectory contradicts; empty: nothing is."""


def open_experience(path: Path) -> Experience:
    """An experienced record that is read line by line as it is iterated; it can be opened again."""
    return Experience(lines_of(path), str(path))


def compare(experience: Experience, items: Iterable[RecordedFrame | RecordedEnd]) -> Seen:
    """Read an experienced record to its end, beside a trajectory of its game. Raises RecordError."""
    header = experience.header
    judge = _Judge(_frames(items), header["players"].index(header["player"]))
    displayed = guessed = seconds = load = 0
    away = _Hidden()
    shown, hidden = _Frames(), _Frames()
    """Which were displayed, and which were stepped without that."""
    for item in experience:
        away.see(item)
        if experience.load != load:
            load = experience.load
            judge.loaded_again()
        if isinstance(item, Displayed):
            displayed += 1
            shown.add(item.episode, item.frame, item.frame)
            guessed += bool(item.predicted)
            judge.displayed(item)
        elif isinstance(item, SecondOfPlay):
            seconds += 1
        elif isinstance(item, Happening) and item.event == "corrected":
            judge.corrected(item.episode, item.more["from"], item.more["to"])
        elif isinstance(item, Happening) and item.event == "gone":
            judge.gone(header["players"].index(item.more["player"]), item.more["last"])
        elif isinstance(item, Happening) and item.event == "unseen":
            hidden.add(item.episode, item.more["from"], item.more["to"])
    judge.over(experience.ended)
    away.over()
    unseen = hidden.not_in(shown)
    return Seen(displayed, guessed, seconds, unseen, experience.ended, away.times, away.ms, judge.untrue)


def _frames(items: Iterable[RecordedFrame | RecordedEnd]) -> Iterator[RecordedFrame]:
    for item in items:
        if isinstance(item, RecordedFrame):
            yield item


class _Hidden:
    """How often the page was hidden, and for how long, over all of its loads."""

    def __init__(self) -> None:
        self.times = self.ms = 0
        self._load = self._last_ms = 0
        self._since_ms: int | None = None

    def see(self, item: Item) -> None:
        """The next of what happened."""
        if item.load != self._load:
            self.over()
            self._load = item.load
        self._last_ms = item.time_ms
        if isinstance(item, Happening) and item.event == "hidden":
            self.times += 1
            self._since_ms = item.time_ms
        elif isinstance(item, Happening) and item.event == "shown":
            self.over()

    def over(self) -> None:
        """It was shown again, or there is nothing more of this load."""
        if self._since_ms is not None:
            self.ms += max(0, self._last_ms - self._since_ms)  # the clock may have been set back meanwhile
        self._since_ms = None


class _Frames:
    """A set of frames, by episode, as runs: as many as there were gaps, not as there were frames."""

    def __init__(self) -> None:
        self._runs: dict[int, list[tuple[int, int]]] = {}
        """The first frame and the one behind the last, in the order in which they came."""

    def add(self, episode: int, first: int, last: int) -> None:
        """These, both included; whatever of them is there already is there once."""
        runs = self._runs.setdefault(episode, [])
        if runs and runs[-1][0] <= first <= runs[-1][1]:
            first, before = runs.pop()
            last = max(last, before - 1)
        runs.append((first, last + 1))

    def not_in(self, other: _Frames) -> int:
        """How many of these the other one has not."""
        return sum(
            _length(runs + other._runs.get(episode, [])) - _length(other._runs.get(episode, []))
            for episode, runs in self._runs.items()
        )


def _length(runs: list[tuple[int, int]]) -> int:
    """Of all runs together, each frame once."""
    length = at = 0
    for start, stop in sorted(runs):
        length += max(0, stop - max(start, at))
        at = max(at, stop)
    return length


class _Judge:
    def __init__(self, confirmed: Iterator[RecordedFrame] | None, own: int) -> None:
        self._confirmed = confirmed
        self._own = own
        """The seat of whoever saw it."""
        self._known: dict[tuple[int, int], list[Any]] = {}
        """Confirmed actions of the frames that are within reach."""
        self._newest = (-1, -1)
        """The last frame that was read of the trajectory."""
        self._guessed: dict[tuple[int, int], bool] = {}
        """Whether a frame had a guess in it when it was displayed last."""
        self._wrong: dict[tuple[int, int], str] = {}
        """Guesses that were wrong, and are not corrected yet."""
        self._not_taken: dict[tuple[int, int], dict[int, str]] = {}
        """Actions that were no guess, and are not what is confirmed, by seat."""
        self._last = (0, 0)
        """The last frame that was displayed."""
        self.untrue = ""

    def displayed(self, item: Displayed) -> None:
        place = item.episode, item.frame
        self._last = place
        self._put(self._guessed, place, bool(item.predicted))
        actions = self._actions(place)
        if actions is None:
            return
        self._wrong.pop(place, None)
        self._not_taken.get(place, {}).pop(self._own, None)
        for seat, (shown, confirmed) in enumerate(zip(item.shown, actions, strict=False)):
            if _same(shown, confirmed):
                continue
            said = f"of seat {seat} {shown!r:.40} was shown, and {confirmed!r:.40} is confirmed"
            if seat in item.predicted:
                self._wrong[place] = said
            else:
                self._not_taken.setdefault(place, {})[seat] = f"{said}, though it was no guess"

    def corrected(self, episode: int, first: int, last: int) -> None:
        # A session that is stopped takes back what was displayed beyond its last frame, guessed or not.
        beyond = self._actions((episode, first + 1)) is None
        if not self._guessed.get((episode, first), True) and not beyond:
            self._says((episode, first), "it was corrected, and had no guess in it")
        for frame in range(first, last + 1):
            self._wrong.pop((episode, frame), None)
            self._not_taken.get((episode, frame), {}).pop(self._own, None)

    def gone(self, seat: int, last: dict[str, Any]) -> None:
        """It was agreed which action of a seat is the last that counts; what was there of later ones does not."""
        for place, of_seats in self._not_taken.items():
            if place > (last["episode"], last["frame"]):
                of_seats.pop(seat, None)

    def loaded_again(self) -> None:
        """What the load before had guessed last, nobody corrected, and what it did last, others may not have got."""
        episode, frame = self._last
        for place, of_seats in self._not_taken.items():
            said = of_seats.pop(self._own, "")
            if said and place < (episode, frame - REACH):
                self._says(place, said)
        self._wrong.clear()
        self._guessed.clear()

    def over(self, reason: str | None) -> None:
        """Nothing more is corrected; None: it has no end. Whom the others dropped they told no more of what they
        played, and took nothing, nor did who plays with another load of the page; who went away without an end had sent
        what nobody got."""
        if reason in NOT_TOLD:
            return
        found = [
            (place, said) for place, of_seats in self._not_taken.items() for seat, said in of_seats.items()
            if seat != self._own or reason is not None
        ]  # fmt: skip
        if reason is not None:
            found += [(place, f"{said}, and that guess was never corrected") for place, said in self._wrong.items()]
        for place, said in sorted(found)[:1]:
            self._says(place, said)

    def _actions(self, place: tuple[int, int]) -> list[Any] | None:
        while self._confirmed is not None and self._newest < place:
            item = next(self._confirmed, None)
            if item is None:
                self._confirmed = None
                break
            self._newest = item.episode, item.frame
            self._put(self._known, self._newest, item.actions)
        return self._known.get(place)

    def _put(self, of: dict[tuple[int, int], Any], place: tuple[int, int], value: Any) -> None:
        of.pop(place, None)
        of[place] = value
        if len(of) > REACH:
            del of[next(iter(of))]

    def _says(self, place: tuple[int, int], what: str) -> None:
        self.untrue = self.untrue or f"episode {place[0]}, frame {place[1]}: {what}"


def _same(one: Any, other: Any) -> bool:
    # A NaN is itself here, and 1 is not 1.0: both come out of JSON.
    return repr(one) == repr(other)
