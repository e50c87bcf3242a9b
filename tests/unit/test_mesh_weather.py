"""What the simulated mesh does to pages, ways, channels and sockets: each truth has its own moment."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from pycore import CHANNEL_CLOSED, CHANNEL_FAILED, PLAYING, Session, Settings
from pycore.events import PeerStatus, SessionEnded
from pycore.testing import Conditions, Happening, Mesh, Page, Standing, Walk, Watcher
from pycore.testing.happenings import Happenings

OF = Settings(max_steps=900, action_space={"type": "discrete", "n": 6})


class Arrivals(Watcher):
    """When each page took something in, by sender and way."""

    def __init__(self) -> None:
        self.p2p: list[tuple[int, int, float]] = []
        self.server: list[tuple[int, int, float]] = []
        self.ticks: list[tuple[int, float]] = []
        self.mesh: Mesh

    def arrived(self, page: Page, sender: int, data: bytes | None) -> None:
        (self.server if data is None else self.p2p).append((sender, page.seat, self.mesh.now))

    def waking(self, page: Page) -> None:
        self.ticks.append((page.seat, self.mesh.now))


def mesh(seats: int = 2, settings: Settings = OF, **conditions: Any) -> tuple[Mesh, Arrivals]:
    """Walks whose players hold a key for four frames, and what arrives."""
    seen = Arrivals()
    of = Mesh(
        seats, settings, lambda seat: Walk(seats, seed=1), lambda seat: lambda episode, frame: (frame // 4 + seat) % 6,
        Conditions(**conditions), seed=3, watchers=[seen],
    )  # fmt: skip
    seen.mesh = of
    return of, seen


def test_a_way_of_its_own_leaves_the_other_direction_alone() -> None:
    """Delay and loss are set per direction; what is not set is the conditions'."""
    of, seen = mesh(delay=0.02)
    of.way(0, 1).delay = 0.5
    of.run(3.0)
    first = {way: min(at for *of_way, at in seen.p2p if tuple(of_way) == way) for way in ((0, 1), (1, 0))}
    assert first[1, 0] < 0.2
    assert first[0, 1] > 0.55
    of.way(1, 0).loss = 1.0
    of.run(3.1)
    seen.p2p.clear()
    of.run(4.0)
    assert {way[:2] for way in seen.p2p} == {(0, 1)}


def test_a_close_is_seen_by_each_side_at_its_own_time() -> None:
    """Between the two moments one side sends into nothing."""
    of, seen = mesh()
    of.run(2.0)
    of.close_channel(0, 1, seen_after=(0.0, 1.0), state=CHANNEL_FAILED)
    of.run(2.1)
    assert of.peers[0].channels == {1: CHANNEL_FAILED}
    assert of.peers[1].channels == {0: 0}
    seen.p2p.clear()
    of.run(2.9)
    assert seen.p2p == []
    of.run(3.1)
    assert of.peers[1].channels == {0: CHANNEL_FAILED}


def test_a_close_that_would_be_seen_behind_the_next_opening_never_is() -> None:
    """The later word about a channel stands."""
    of, _ = mesh()
    of.run(2.0)
    of.close_channel(0, 1, seen_after=(0.0, 1.0))
    of.at(2.5, lambda: of.open_channel(0, 1))
    of.run(4.0)
    assert [page.channels for page in of.peers] == [{1: 0}, {0: 0}]


@pytest.mark.parametrize("how", ["frozen", "hiccup"])
def test_a_page_that_wakes_gets_its_backlog_with_the_time_of_waking(how: str) -> None:
    """Nothing arrives while it stands; then everything does, at one moment and before the next tick."""
    of, seen = mesh()
    page = of.peers[1]
    of.run(2.0)
    if how == "frozen":
        of.at(2.0, page.freeze)
        of.at(3.0, page.thaw)
    else:
        page.hiccup, page.hiccup_every = 1.0, 0.0001
        of.at(2.05, lambda: setattr(page, "hiccup_every", None))
    of.run(2.1)
    seen.p2p.clear()
    seen.ticks.clear()
    of.run(2.99)
    assert [way for way in seen.p2p if way[1] == 1] == []
    assert [seat for seat, _ in seen.ticks if seat == 1] == []
    of.run(3.2)
    came = [at for _, to, at in seen.p2p if to == 1]
    waking = came[0]
    # A page that gets no answer sends less and less, but it does not fall silent.
    assert came.count(waking) >= 5
    assert 3.0 <= waking <= 3.05
    assert min(at for seat, at in seen.ticks if seat == 1) >= waking


def test_a_slow_page_ticks_as_it_can() -> None:
    """A factor, and a limit of ticks a second."""
    of, seen = mesh()
    of.peers[0].slow = 1.25
    of.peers[1].ticks_per_second = 10.0
    of.run(4.0)
    counts = [sum(seat == of_tick for of_tick, _ in seen.ticks) for seat in (0, 1)]
    assert 90 <= counts[0] <= 101
    assert 39 <= counts[1] <= 41


def test_hiccups_come_as_often_as_they_are_set() -> None:
    """Every second a quarter of a second without a tick."""
    of, seen = mesh()
    of.peers[0].hiccup_every = 1.0
    of.run(9.9)
    at = [when for seat, when in seen.ticks if seat == 0]
    gaps = [round(b - a, 2) for a, b in pairwise(at) if b - a > 0.1]
    assert len(gaps) == 9
    assert all(0.25 <= gap <= 0.3 for gap in gaps)


def test_who_vanishes_is_seen_by_nobody() -> None:
    """Channel and socket seem whole; with times given they fail then."""
    of, _ = mesh(3)
    of.server.grace = 2.0
    of.at(3.0, lambda: of.peers[2].vanish(channels_fail_after=4.0, server_sees_after=1.0))
    of.run(5.9)
    assert of.peers[2].gone
    assert [of.peers[seat].channels[2] for seat in (0, 1)] == [0, 0]
    assert of.server.told == []
    of.run(6.1)
    assert of.server.told == [(6.0, 2)]
    of.time.run(7.1, lambda: False)
    assert [of.peers[seat].channels[2] for seat in (0, 1)] == [CHANNEL_FAILED] * 2


def test_who_leaves_is_seen_at_once_and_told_after_the_grace() -> None:
    """The channel is closed and the server sees the socket go."""
    of, _ = mesh()
    of.server.grace = 2.0
    of.at(3.0, of.peers[1].leave)
    of.run(3.1)
    assert of.peers[0].channels == {1: CHANNEL_CLOSED}
    of.run(60.0)
    assert of.server.told[0] == (5.0, 1)
    assert of.peers[0].session.reason == "player_left"


def test_a_socket_that_is_back_within_the_grace_is_not_told() -> None:
    """Nor is one whose loss the server has not noticed yet."""
    of, _ = mesh()
    of.server.grace = 2.0
    of.at(3.0, lambda: of.server.lose(1, 0.5, 1.0))
    of.at(5.9, lambda: of.server.connect(1))
    of.run(12.0)
    assert of.server.told == []
    assert of.peers[1].socket_up


def said(page: Page) -> list[tuple[int, str]]:
    """Who was away and who was back, as the server told a page."""
    return [(event.seat, event.status) for event in page.events(PeerStatus) if event.status in ("away", "present")]


@pytest.mark.slow
def test_the_others_are_told_who_is_away_for_a_second_and_who_is_back() -> None:
    """Each once; not of who is back sooner, and not by a server that keeps no seat."""
    of, _ = mesh(3)
    of.at(3.0, lambda: of.server.lose(1, 0.0, 0.5))
    of.run(4.4)
    assert [said(page) for page in of.peers] == [[], [], []]
    of.run(4.7)
    assert [said(page) for page in of.peers] == [[(1, "away")], [], [(1, "away")]]
    of.server.connect(1)
    of.server.lose(2, 0.0, 0.5)
    of.run(6.1)
    of.server.connect(2)
    of.run(12.0)
    assert [said(page) for page in of.peers] == [[(1, "away"), (1, "present")], [], [(1, "away"), (1, "present")]]
    silent, _ = mesh(3, OF.replace(return_within=0.0))
    silent.at(3.0, lambda: silent.server.lose(1))
    silent.run(12.0)
    assert [said(page) for page in silent.peers] == [[], [], []]


@pytest.mark.slow
def test_a_page_whose_socket_was_lost_learns_what_was_told_meanwhile() -> None:
    """As a relay keeps for it; and when a server starts anew, who is not there yet."""
    of, _ = mesh(3)
    of.at(3.0, lambda: of.server.lose(0))
    of.at(3.1, lambda: of.server.lose(1))
    of.run(5.0)
    assert said(of.peers[0]) == []
    of.server.connect(0)
    of.run(5.5)
    assert said(of.peers[0]) == [(1, "away")]
    of.server.lose(0)
    of.run(5.6)
    of.server.connect(1)
    of.server.connect(0)
    of.run(6.0)
    assert said(of.peers[0]) == [(1, "away"), (1, "present")]
    anew, _ = mesh(3)
    anew.at(3.0, lambda: anew.server.restart([0.2, 4.0, 0.1]))
    anew.run(5.0)
    assert said(anew.peers[0]) == [(1, "away")]
    anew.run(8.0)
    assert said(anew.peers[0]) == [(1, "away"), (1, "present")]


def test_a_page_that_is_loaded_again_is_told_of_as_one_that_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nobody had noticed that it was away."""
    of, _ = mesh(3)
    of.run(3.0)
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(Session, "player_back", lambda session, seat, now: told.append((session.me, seat)))
    standing = Standing()
    standing.mesh = of
    Happenings(of, standing).add(Happening(what="reload", seats=(1,), begins=of.now))
    of.run(4.0)
    # It is told of the others, who are there.
    assert sorted(told) == [(0, 1), (1, 0), (1, 2), (2, 1)]


def test_what_is_emitted_into_a_dead_socket_is_lost() -> None:
    """The page believes in it for a second; what it says then is nowhere, and nobody can send to it."""
    of, seen = mesh(opens_after=None)
    of.run(8.0)
    assert of.peers[0].session.phase == PLAYING
    of.server.lose(1, page_sees_after=1.0)
    of.run(8.1)
    seen.server.clear()
    crossed = of.through_server
    of.run(8.9)
    assert of.peers[1].socket_up
    assert seen.server == []
    of.run(9.1)
    assert not of.peers[1].socket_up
    of.server.connect(1)
    of.run(12.0)
    assert of.peers[1].socket_up
    assert {way[:2] for way in seen.server} == {(0, 1), (1, 0)}
    assert of.through_server > crossed


def test_a_server_that_is_away_passes_nothing_and_is_missed_by_each_page_at_its_own_time() -> None:
    """And when it is back everybody has a socket again."""
    of, seen = mesh(opens_after=None)
    of.run(8.0)
    of.server.go_away(seen_after=(0.0, 0.7))
    of.run(8.1)
    seen.server.clear()
    assert [page.socket_up for page in of.peers] == [False, True]
    of.run(9.0)
    assert [page.socket_up for page in of.peers] == [False, False]
    assert seen.server == []
    of.server.come_back()
    of.run(12.0)
    assert [page.socket_up for page in of.peers] == [True, True]
    assert seen.server


@pytest.mark.parametrize("down", [False, True])
def test_a_server_that_starts_anew_waits_for_who_is_away_from_its_beginning_on(down: bool) -> None:
    """Whoever left before is told of once: that stands in its database."""
    of, _ = mesh(4, OF.replace(on_drop="default_action"))
    of.server.grace = 2.0
    of.at(1.0, of.peers[2].leave)
    of.at(4.0, of.peers[1].leave)
    if down:
        of.at(5.0, of.server.go_away)
        of.at(5.5, of.server.come_back)
    else:
        of.at(5.0, lambda: of.server.restart([0.5, None, None, 0.7]))
    of.run(20.0)
    assert [(round(at, 6), seat) for at, seat in of.server.told] == [(3.0, 2), (7.5, 1)]


def test_a_server_that_is_away_once_more_is_found_again_by_who_was_not_back_yet() -> None:
    """A client goes on trying: its page was without a server for good, and was said to have left."""
    of, _ = mesh(2)
    of.server.grace = 3.0
    of.at(2.0, lambda: of.server.restart([0.2, 3.5]))
    of.at(3.0, of.server.go_away)
    of.at(3.5, of.server.come_back)
    of.at(8.0, lambda: of.server.lose(1, page_sees_after=2.0))
    of.at(8.5, lambda: of.server.go_away(seen_after=(0.0, 9.0)))
    of.at(9.0, of.server.come_back)
    seen = []
    for when in (5.0, 6.0, 9.5, 10.5):
        of.run(when)
        seen.append([page.socket_up for page in of.peers])
    assert seen == [[True, False], [True, True], [True, True], [True, False]]
    assert of.server.told == []


def test_a_server_that_starts_anew_knows_no_complaint_and_who_was_dropped() -> None:
    """One of two that were needed was said to the one before."""
    of, _ = mesh(4)
    of.run(3.0)
    for sender, silent in ((0, 3), (1, 3), (0, 2)):
        of.server.emit(sender, "player_silent", {"player_id": silent})
    of.server.restart([0.1] * 4)
    of.run(3.5)
    of.server.emit(1, "player_silent", {"player_id": 2})
    assert of.server.dropped == [3]
    of.server.emit(0, "player_silent", {"player_id": 2})
    assert of.server.dropped == [3, 2]


def test_a_page_that_stops_or_breaks_tells_its_session() -> None:
    """The script's word for what a person or an environment does."""
    for what, reason in (("stop", "stop"), ("abort", "error")):
        of, _ = mesh()
        of.at(3.0, getattr(of.peers[0], what))
        of.run(30.0)
        assert [event.reason for event in of.peers[0].events(SessionEnded)] == [reason]
        assert of.over


def test_a_page_that_is_loaded_again_begins_with_nothing() -> None:
    """A new session in the same seat, also when the old page was gone."""
    of, _ = mesh()
    of.run(5.0)
    page = of.peers[1]
    before = page.session
    assert len(page.rows[0]) > 50
    page.leave()
    of.run(5.2)
    page.load()
    of.time.run(6.0, lambda: False)
    assert page.session is not before
    assert (page.loads, page.gone) == (1, False)
    assert sum(map(len, page.rows)) == 0
    assert page.ticked_at > 5.9


def test_a_clock_of_its_own_may_jump() -> None:
    """Every page has another zero; a script may move it."""
    of, _ = mesh()
    of.run(1.0)
    assert of.clock(1) - of.clock(0) == pytest.approx(1000.0)
    of.peers[1].clock_offset -= 60.0
    assert of.clock(1) - of.clock(0) == pytest.approx(940.0)
