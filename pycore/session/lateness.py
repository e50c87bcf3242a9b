"""By how many frames inputs come late over this network, and by how many the input delay is to be longer for that.

An input of frame f is given `delay` frames before f is stepped, and is on its way for half a round trip, and for the
jitter now and then. If it comes within the delay, nobody guesses it. What is measured is known when an episode begins,
and counts for the one behind it.

For `all` it is the worst link that counts, and every seat's delay is longer by as much: one study, alike for all. For
`each` a seat's own peer says how long its delay is to be, by its best link: who is far from everybody has a longer one,
and those who are near each other do not wait for it; they guess what the far one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.costs import expected_depth
from pycore.events import Log
from pycore.link.link import Link
from pycore.session.journal import Journal
from pycore.settings import Settings

SLACK: Final = 1
"""Frames by which a delay may be too long before it falls: a round trip at the border of two frames would change it
from episode to episode, and a participant would learn anew each time."""


class Lateness:
    """What the links of one peer say, kept from one episode to the next."""

    __slots__ = ("_journal", "_links", "_own", "_rises", "_settings")

    def __init__(
        self, settings: Settings, seats: int, links: Sequence[Link], own: Sequence[int], journal: Journal
    ) -> None:
        self._settings = settings
        self._links = links
        self._own = own
        self._journal = journal
        self._rises = [0] * seats

    def rises(self) -> list[int]:
        """Frames by which the delay of each seat is to be longer than the study has it, as far as this peer says."""
        how = self._settings.adaptive_input_delay
        late = [link.rtt + 2.0 * link.jitter for link in self._links if link.rtt is not None]
        if how == "off" or not late:
            return self._rises
        if how == "all":
            wanted = [max([self._rise(max(late), seat) for seat in range(len(self._rises))])] * len(self._rises)
        else:
            wanted = [self._rise(min(late), seat) if seat in self._own else 0 for seat in range(len(self._rises))]
        before = self._rises
        self._rises = [
            new if new > old or old - new > SLACK else old for new, old in zip(wanted, before, strict=True)
        ]
        if self._rises != before:
            counts = max(late) if how == "all" else min(late)
            text = f"inputs need {counts * 500:.0f} ms here: the next episode is to have an input delay of "
            self._journal.say(Log(level="info", text=text + f"{max(self._rises)} frames more than this study's"))
        return self._rises

    def _rise(self, late: float, seat: int) -> int:
        """Of one seat, where a round trip takes so long (s); never beyond the study's bound."""
        delay: int = self._settings.of_seat(seat, "input_delay")
        rise = expected_depth(late, self._settings.period, delay)
        return max(0, min(rise, self._settings.longest_input_delay - delay))
