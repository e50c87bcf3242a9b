"""What follows for a session from what its environment costs here, and from its network: how sparse its snapshots are,
and the input delay that is proposed for a later episode.

Snapshots are this peer's own affair. A delay is everybody's, so it is proposed and the largest counts, and it never
goes beyond the study's bound. For a slow environment it rises by the same number of frames for every seat, since it is
one study for all of them, and never falls within a session. Where the study wants it to follow the network, it does so
from episode to episode, down as well (`pycore.session.lateness`). While nothing was measured nothing follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.costs import Costs, expected_depth
from pycore.events import DelaysChanged, Log
from pycore.link.link import Link
from pycore.rollback.timeline import Timeline
from pycore.session.journal import Journal
from pycore.session.lateness import Lateness
from pycore.settings import Settings

USUAL_DEPTH: Final = 4
"""Frames of a rollback over a quarter of a second, where no round trip is known yet."""


class Pacing:
    """The costs of the simulation on this machine, and what they mean."""

    __slots__ = ("_journal", "_lateness", "_links", "_seats", "_settings", "_timeline", "costs", "delays", "rise")

    def __init__(
        self, settings: Settings, timeline: Timeline, links: Sequence[Link], own: Sequence[int], journal: Journal
    ) -> None:
        self._settings = settings
        self._timeline = timeline
        self._seats = timeline.seats
        self._links = links
        self._journal = journal
        self._lateness = Lateness(settings, len(timeline.seats), links, own, journal)
        self.costs: Costs | None = None
        """None: nobody measured them."""
        self.rise = 0
        """Frames by which we would like every input delay to be longer than the study has it."""
        self.delays: list[tuple[int, ...]] = []
        """The input delays of each episode that has begun, by seat."""
        if settings.snapshot_every is not None:
            timeline.save_every(settings.snapshot_every)

    def set_costs(self, costs: Costs) -> None:
        """They were measured, perhaps anew. From here on snapshots are as sparse as costs least, and the next READY
        proposes a longer input delay if rollbacks do not fit into a frame."""
        self.costs = costs
        self._save_as_seldom_as_is_best()

    def proposed(self, asked: Sequence[int]) -> list[int]:
        """The delays to propose for the episode behind the one that begins, by seat; `asked`: what the caller would
        propose."""
        self._save_as_seldom_as_is_best()
        self._weigh()
        if not self.rise and self._settings.adaptive_input_delay == "off":
            return list(asked)
        most = self._settings.longest_input_delay
        configured = [self._settings.of_seat(seat.number, "input_delay") for seat in self._seats]
        late = self._lateness.rises()
        risen = [
            max(delay, min(delay + max(self.rise, rise), most)) for delay, rise in zip(configured, late, strict=True)
        ]
        return [max(ours, theirs) for ours, theirs in zip(risen, asked, strict=True)]

    def inherit(self, delays: Sequence[Sequence[int]]) -> None:
        """The delays of the episodes before this page was loaded again."""
        self.delays = [tuple(of) for of in delays]

    def agreed(self, episode: int) -> None:
        """The delays of an episode are settled."""
        delays = tuple([seat.delay for seat in self._seats])
        configured = tuple([self._settings.of_seat(seat.number, "input_delay") for seat in self._seats])
        before = self.delays[-1] if self.delays else configured
        if delays != before:
            self._journal.say(DelaysChanged(episode=episode, frames=list(delays), before=list(before)))
        self.delays.append(delays)

    def _weigh(self) -> None:
        """Let the delay rise until rollbacks fit."""
        costs = self.costs
        if costs is None:
            return
        period, most = self._settings.period, self._settings.longest_input_delay
        wanted, why = 0, ""
        for link in self._links:
            round_trip = link.slow_rtt
            if round_trip is None:
                continue
            for seat in link.peer.seats:
                least = self._settings.of_seat(seat, "input_delay")
                rise = costs.input_delay(round_trip, period, least, most) - least
                if rise > wanted:
                    wanted = rise
                    depth = expected_depth(round_trip, period, least)
                    takes = costs.tick(depth, costs.sparsity(depth)) * 1000
                    why = f"a tick with a rollback of {depth} frames takes {takes:.0f} ms of {period * 1000:.0f} here"
        if wanted > self.rise:
            self.rise = wanted
            text = f"the next episode is to have an input delay of {wanted} frames more than this study's, since {why}"
            self._journal.say(Log(level="warning", text=text))

    def _save_as_seldom_as_is_best(self) -> None:
        costs = self.costs
        if costs is None or self._settings.snapshot_every is not None:
            return
        depths = [
            expected_depth(link.slow_rtt, self._settings.period, self._seats[seat].delay)
            for link in self._links
            if link.slow_rtt is not None
            for seat in link.peer.seats
        ]
        self._timeline.save_every(costs.sparsity(max(1, max(depths, default=USUAL_DEPTH))))
