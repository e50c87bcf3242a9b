"""What may come of a scenario: whether its session may end before its time, and how long it may take."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from math import inf
from typing import Final

from pycore.relay.limits import Limits
from pycore.session.membership import UNDECIDED
from pycore.settings import Settings
from pycore.testing.kinds import GOES
from pycore.testing.scenario import Happening, Scenario

NOTICED: Final = 25.0
"""Seconds until the server notices that a page has vanished without a word."""
BACK_OFF: Final = 4.0
"""Seconds after which every page is back at a server that was started anew."""
KEPT: Final = 2.0
"""Seconds before a seat is nobody's, within which it may already be."""
BACK: Final = 3.0
"""Seconds of play around a page's reloads."""
DEAF: Final = 0.9
"""Loss from which on a way counts as dead."""


def grace(settings: Settings) -> float:
    """Seconds from the loss of a page's socket until the server tells the others that its player left, as the relay has
    it with its own defaults."""
    return settings.return_within or Limits().grace_s


def may_end(scenario: Scenario, settings: Settings, pages: int) -> bool:
    """Whether the session may end before its time: somebody goes, or cannot be heard for too long.

    What makes a page or a pair mute may add up, since little may be heard between; a way that is dead costs beside that
    the time in which nobody knows it yet.
    """
    happenings = scenario.happenings
    if _returns(happenings, settings):
        return False
    if any(of.what in GOES or (of.what == "freeze" and of.ends is None) for of in happenings):
        return True
    noticed = max(2.0, 8.0 * _trip(scenario))
    for page in range(pages):
        # A session hears of a socket that is gone after the server's grace.
        if _lasting(_times(happenings, ("socket-down", "socket-dies"), {page})) >= grace(settings) - 1.0:
            return True
    for pair in combinations(range(pages), 2):
        frozen = _times(happenings, ("freeze",), set(pair))
        dead = _times(
            [of for of in happenings if of.what != "lossy" or (of.amount or 0.0) >= 100 * DEAF],
            ("cut", "cut-one-way", "hang", "close", "close-late", "fail", "congest", "refuse", "lossy"), set(pair),
        )  # fmt: skip
        if scenario.socketio_only or scenario.loss >= DEAF:
            dead = [(0.0, inf)]
        away = ("server-down", "server-restart", "socket-down", "socket-dies", "freeze")
        server = _times(happenings, away, set(pair))
        mute = [(max(a, c), min(b, d)) for a, b in dead for c, d in server if max(a, c) < min(b, d)]
        unnoticed = [(begins, begins + noticed) for begins, ends in dead if ends < inf]
        silent = [(begins, ends + noticed) for begins, ends in frozen + mute] + unnoticed
        # Who knows that its own line to the server is lost waits for as long as anybody may return.
        known = not frozen and not _times(happenings, ("socket-down", "socket-dies"), set(pair))
        granted = max(settings.return_within, settings.dropped_after) if known else settings.dropped_after
        if _lasting(silent) >= granted - 1.0:
            return True
    return False


def _returns(happenings: Sequence[Happening], settings: Settings) -> bool:
    """Whether nothing happens but that one page is loaded again or loses its socket, each time when it was back and for
    no longer than its seat is kept: it returns, and nothing ends."""
    if {of.what for of in happenings} - {"reload", "socket-down"} or len({of.seats for of in happenings}) != 1:
        return False
    away = sorted(
        (of.begins, of.begins + (of.amount or 0.0) if of.what == "reload" else of.ends or inf) for of in happenings
    )
    if any(there - begins > settings.return_within - KEPT for begins, there in away):
        return False
    return away[0][0] >= BACK and all(begins - there >= BACK for (_, there), (begins, _) in pairwise(away))


def patience(scenario: Scenario, settings: Settings) -> float:
    """When at the latest every session is over, virtual seconds: however slow network and machines let them play."""
    trip = _trip(scenario) + 0.2
    rate = min(settings.fps, (settings.prediction_window + settings.input_delay) / trip)
    if scenario.step_ms:
        # In the worst case every frame is stepped again by every tick of its window.
        rate = min(rate, 1000.0 / (scenario.step_ms * (settings.prediction_window + settings.input_delay + 1)))
    for of in scenario.happenings:
        if of.what == "ticks":
            rate = min(rate, of.amount or 1.0)
        elif of.what == "slow":
            rate = min(rate, settings.fps / (1.0 + (of.amount or 0.0) / 100))
        elif of.what == "hiccups":
            rate = min(rate, settings.fps / 2)
    played = settings.num_episodes * (settings.max_steps / rate * 1.5 + settings.episode_pause + 2.0)
    # Of three and more one may go while the others wait for another one to get ready.
    again = settings.ready_timeout + 2 * UNDECIDED
    # Whoever is away is waited for until the server says that it left, which it may be late to notice.
    away = settings.dropped_after + grace(settings) + max([_noticed(of) for of in scenario.happenings], default=0.0)
    return scenario.last + played + settings.p2p_wait + away + settings.ready_timeout + again + 10.0


def _noticed(of: Happening) -> float:
    """How much later than it happens something is noticed, or over."""
    if of.what == "vanish":
        return NOTICED
    return (of.amount or 0.0) if of.what in ("socket-dies", "close-late", "reload") else 0.0


def _trip(scenario: Scenario) -> float:
    """The longest round trip, seconds."""
    delays = [of.amount or 0.0 for of in scenario.happenings if of.what == "delay"]
    held_back = 100.0 if scenario.reordering else 0.0
    return 2 * max(max([scenario.latency_ms, *delays]) + scenario.jitter_ms + held_back, scenario.server_ms) / 1000


def _times(happenings: Sequence[Happening], kinds: Sequence[str], seats: set[int]) -> list[tuple[float, float]]:
    """When any of these lasts for one of the pages, or between both."""
    return [
        (of.begins, of.begins + BACK_OFF if of.what == "server-restart" else of.until)
        for of in happenings
        if of.what in kinds
        and (not of.seats or (seats.issuperset(of.seats) if len(of.seats) == 1 else seats == set(of.seats)))
    ]


def _lasting(times: Sequence[tuple[float, float]]) -> float:
    """How long they last together; what overlaps counts once."""
    total, until = 0.0, 0.0
    for begins, ends in sorted(times):
        total += max(0.0, ends - max(begins, until))
        until = max(until, ends)
    return total
