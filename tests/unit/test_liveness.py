"""Nobody stands for ever: hand-written courses in virtual time, each with the moment at which it must be over.

All defaults, `dropped_after` (20 s) and `ready_timeout` (60 s) included. How long a page may stand for the network's
sake is judged by `watching.Standing` while the mesh runs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from core_support import Table
from core_support import settings as table_settings

from pycore import (
    BETWEEN,
    FAILED,
    HOLDING,
    PLAYING,
    EpisodeEnded,
    PathChanged,
    PeerStatus,
    SessionEnded,
    Settings,
    StepResult,
)
from pycore.events import Desync
from pycore.link.link import HICCUPS_MOST, PAUSES_MOST
from pycore.session.membership import UNDECIDED
from pycore.session.topics.topic import END, STOP
from pycore.testing import Conditions, Mesh, Page, Standing, Walk, Watcher, ground_truth, wrong_with

DROPPED_AFTER = Settings().dropped_after
SOON = 5.0
"""Seconds within which news of an end has reached everybody who can be reached."""

NEAR = Conditions(delay=0.03)


def mesh(
    seats: int = 2,
    simulation: Callable[[int], Any] | None = None,
    *,
    watchers: Sequence[Watcher] = (),
    conditions: Conditions = NEAR,
    **settings: Any,
) -> Mesh:
    """Walks for a minute unless something else is said; a key is held for four frames."""
    of = Settings(**{"max_steps": 1800, "action_space": {"type": "discrete", "n": 6}, **settings})
    found = Mesh(
        seats,
        of,
        simulation or (lambda seat: Walk(seats, seed=1)),
        lambda seat: lambda episode, frame: (frame // 4 + seat) % 6,
        conditions,
        seed=3,
        watchers=watchers,
    )
    for watcher in watchers:
        watcher.mesh = found  # type: ignore[attr-defined]
    return found


def reasons(of: Mesh) -> list[str]:
    """Why each session is over; empty where it is not."""
    return [page.session.reason for page in of.peers]


def wrong(of: Mesh, seats: int = 2) -> list[str]:
    """What the oracle says about the first episode of every peer."""
    inputs = [page.inputs[0] for page in of.peers]
    truth = ground_truth(Walk(seats, seed=1), of.settings, of.peers[0].session.codec, inputs, 0)
    found = [wrong_with(truth, page.rows[0], page.rewards[0], page.finals[0]) for page in of.peers]
    return [text for text in found if text]


def assert_played_to_the_end(of: Mesh, seconds: float) -> None:
    """Everybody is through, in time and with the truth."""
    assert reasons(of) == ["complete"] * len(of.peers)
    assert wrong(of, len(of.peers)) == []
    assert of.now < seconds


@pytest.mark.parametrize("apart", [0.5, 1.0, 5.0, 60.0])
def test_a_page_that_seldom_ticks_notices_that_its_partner_is_gone(apart: float) -> None:
    """A browser lets a hidden page run once a second or once a minute. What came meanwhile waits for it: if nothing
    did, that is the partner's silence and no pause of its own. A few pauses are excused, as a machine's sleeps are."""
    of = mesh()
    of.run(5.0)
    of.peers[0].ticks_per_second = 1 / apart
    of.peers[0].hidden = True
    of.at(10.0, of.peers[1].vanish)
    of.run(10.0 + DROPPED_AFTER + max(HICCUPS_MOST, (PAUSES_MOST + 1) * apart) + 2 * apart)
    assert reasons(of)[0] == "player_left"


# -- ends that differ ---------------------------------------------------------------------------------------------


class Counting(Walk):
    """A game whose end hangs on something outside of its state: how often it was stepped."""

    done_at = -1
    """The frame at which it ended first."""

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        frame = self.state[0]
        result = super().step(actions)
        assert result is not None
        result.done = self.steps >= 300
        if result.done and self.done_at < 0:
            self.done_at = frame
        return result


@pytest.mark.parametrize("p2p", [True, False])
def test_ends_that_differ_are_a_desync_that_ends_the_session_at_the_lower_one(p2p: bool) -> None:
    """Both hold every input, and each another end: no waiting brings them together, so it is said and over."""
    of = mesh(2, lambda seat: Counting(2, seed=1), conditions=Conditions(delay=0.08, opens_after=0.1 if p2p else None))
    of.run(30.0)
    assert reasons(of) == ["desync", "desync"]
    ends = [page.session.simulation.done_at for page in of.peers]
    assert ends[0] != ends[1]
    for page in of.peers:
        assert [event.reason for event in page.events(EpisodeEnded)] == ["desync"]
        assert [event.reason for event in page.events(SessionEnded)] == ["desync"]
        assert page.events(Desync)
        assert page.events(EpisodeEnded)[0].frames == min(end for end in ends if end >= 0) + 1
    common = min(ends) + 1
    assert of.peers[0].rows[0][:common] == of.peers[1].rows[0][:common]


class Ending(Walk):
    """A game that ends at a frame that another one may not know of."""

    at = 0

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        frame = self.state[0]
        result = super().step(actions)
        assert result is not None
        result.done = frame >= self.at
        return result


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))])
@pytest.mark.parametrize("seats", [2, 3, 4])
@pytest.mark.parametrize("way", ["alike", "one slow", "loss", "server"])
def test_where_ends_differ_everybody_has_the_episode_up_to_the_lowest(seats: int, seed: int, way: str) -> None:
    """Who is told goes back to it, whatever it had published, or comes up to it, with everybody's inputs."""
    chance = random.Random(f"{seats} {seed} {way}")
    ends = [60 + seats * place + chance.randrange(seats) for place in chance.sample(range(seats), seats)]
    conditions = Conditions(
        delay=0.03 if way == "one slow" else 0.08, jitter=0.04 if way == "loss" else 0.0,
        loss=0.05 if way == "loss" else 0.0, opens_after=None if way == "server" else 0.1, server_delay=0.08,
    )  # fmt: skip

    def simulation(seat: int) -> Walk:
        game = Ending(seats, seed=1)
        game.at = ends[seat]
        return game

    of = mesh(
        seats, simulation, conditions=conditions, max_steps=300, input_delay=chance.choice([0, 1, 3, 8]),
        hash_interval=chance.choice([1, 7, 30]), p2p_wait=0.5,
    )  # fmt: skip
    if way == "one slow":
        of.way(0, 1).delay = of.way(1, 0).delay = 0.3
    of.run(30.0)
    assert reasons(of) == ["desync"] * seats
    lowest = min(ends) + 1
    for page in of.peers:
        assert [(event.frames, event.reason) for event in page.events(EpisodeEnded)] == [(lowest, "desync")]
        assert [event.what for event in page.events(Desync) if event.what == "end"] == ["end"]
        assert len(page.rows[0]) == lowest
        assert page.rows[0] == of.peers[0].rows[0]
        # But for the end they agree, and so their records do to the last byte.
        assert page.finals[0] == of.peers[0].finals[0]
        assert page.session.hash_mismatches == 0


@pytest.mark.parametrize("ends", [(40, 38), (38, 40), (42, 44)])
def test_where_somebody_who_only_watches_ends_elsewhere_all_end_alike(ends: tuple[int, int]) -> None:
    """It has no inputs of its own, and is told from anybody else by nothing else."""
    at = [ends[0], ends[0], ends[1]]

    def simulation(peer: int) -> Walk:
        game = Ending(2, seed=1)
        game.at = at[peer]
        return game

    table = Table(
        2, table_settings(max_steps=300, input_delay=2), simulation=simulation, peers=[[0], [1], []]
    )  # fmt: skip
    table.finish(most=400)
    assert [session.reason for session in table.sessions] == ["desync"] * 3
    assert {ended.frames for session in table.sessions for ended in session.ended} == {min(ends) + 1}


def test_who_breaks_off_when_a_stop_has_come_ends_there_too() -> None:
    """It had published beyond the end that others have: that is taken back as if it had gone on."""

    def simulation(peer: int) -> Walk:
        game = Ending(2, seed=1)
        game.at = (40, 60)[peer]
        return game

    table = Table(2, table_settings(max_steps=300, input_delay=6), simulation=simulation)
    while table[1]._parts.episode.stop_frame is None:
        table.now += table.period
        for peer in (0, 1):
            table.poll(peer)
        table.deliver()
        if table[1]._parts.episode.stop_frame is None:
            for peer in (0, 1):
                table.advance(peer)
    assert table[1].published > 40
    table[1].abort(table.now, "error", "the page was closed")
    table.ticks(60)
    assert [[ended.frames for ended in session.ended] for session in table.sessions] == [[41], [41]]


@pytest.mark.parametrize("far", [0, 200])
@pytest.mark.parametrize("kind", [STOP, END])
def test_an_end_that_nobody_can_be_sure_of_is_refused(kind: int, far: int) -> None:
    """Far behind what all hold, or far beyond what anybody can have reached: nothing is taken back for it."""
    table = Table(2, table_settings(max_steps=3000)).start()
    table.ticks(120, 1, 2)
    session = table[0]
    frame = session.frame + far if far else 3
    block = (frame | 1 << 31).to_bytes(4, "big") + (frame.to_bytes(4, "big") if kind == END else b"")
    before = session.malformed
    session.receive(1, table.forged(1, first=session.frame, blocks=[(kind, block)]), table.now)
    assert session.malformed == before + 1
    table.ticks(60, 1, 2)
    assert [each.reason for each in table.sessions] == ["", ""]
    assert session.frame > 160
    assert len([row for row in table.published[0] if row[2]]) > 150


@pytest.mark.parametrize("way", ["p2p", "server"])
@pytest.mark.slow
def test_two_sessions_that_are_over_fall_silent(way: str) -> None:
    """One is of a page that was loaded again, and answers what the other answers: somebody must stop."""
    of = mesh(
        conditions=Conditions(delay=0.2, server_delay=0.13, opens_after=1.0 if way == "p2p" else None), p2p_wait=2.0,
        return_within=0.0,
    )
    of.at(8.0, of.peers[1].load)
    of.run(60.0)
    assert reasons(of) == ["returned", "returned"]
    of.time.run(of.now + 30.0, lambda: False)
    heard = Arrivals()
    for page in of.peers:
        page.watch([heard])
    of.time.run(of.now + 60.0, lambda: False)
    assert heard.count == 0


class Arrivals(Watcher):
    """Counts what arrives."""

    count = 0

    def arrived(self, page: Page, sender: int, data: bytes | None) -> None:
        """Anything at all."""
        self.count += 1


# -- silence ------------------------------------------------------------------------------------------------------


def _both_hidden(of: Mesh) -> None:
    for page in of.peers:
        page.hidden = True


def _both_shown(of: Mesh) -> None:
    for page in of.peers:
        page.hidden = False


@pytest.mark.slow
def test_a_path_that_dies_while_both_are_hidden_is_left() -> None:
    """Who is hidden may be heard of more rarely, but not never."""
    standing = Standing()
    of = mesh(watchers=[standing])
    of.at(5.0, lambda: _both_hidden(of))
    of.at(5.5, of.cut)
    of.at(7.0, lambda: _both_shown(of))
    of.run(90.0)
    assert standing.wrong == []
    assert_played_to_the_end(of, 70.0)


@pytest.mark.slow
@pytest.mark.parametrize("way", [(0, 1), (1, 0)])
def test_one_way_that_dies_while_one_is_hidden_is_left(way: tuple[int, int]) -> None:
    """Whichever way it is, and though the other one is still heard."""
    standing = Standing()
    of = mesh(watchers=[standing])
    of.at(5.0, lambda: setattr(of.peers[1], "hidden", True))
    of.at(5.5, lambda: of.cut(way))
    of.run(90.0)
    assert standing.wrong == []
    assert_played_to_the_end(of, 70.0)


@pytest.mark.parametrize("way", [(0, 1), (1, 0)])
@pytest.mark.slow
def test_one_way_that_dies_while_another_cause_is_in_force_is_left(way: tuple[int, int]) -> None:
    """One side sends by the server already, since its channel is congested; the other's packets get lost."""
    standing = Standing()
    of = mesh(watchers=[standing])
    of.at(5.0, lambda: of.congest(0, 20_000))
    of.at(5.5, lambda: of.cut(way))
    of.run(90.0)
    assert any(change.cause == "congested" for change in of.peers[0].events(PathChanged))
    assert standing.wrong == []
    assert_played_to_the_end(of, 70.0)


@pytest.mark.parametrize("every", [15.0, 5.0, 0.7])
def test_a_page_that_hiccups_notices_that_its_partner_is_gone(every: float) -> None:
    """Only what a pause of our own exceeds a few ticks by is forgiven."""
    of = mesh()
    of.peers[0].hiccup_every = every
    of.at(5.0, of.peers[1].vanish)
    of.run(200.0)
    assert reasons(of)[0] == "player_left"
    # Of every hiccup at most its own length is excused.
    assert of.now < 5.0 + DROPPED_AFTER * (1.0 + 0.25 / every) + SOON


def test_a_page_that_polls_four_times_a_second_notices_that_its_partner_is_gone() -> None:
    """Every single tick of it is late."""
    of = mesh()
    of.peers[0].ticks_per_second = 4.5
    of.at(5.0, of.peers[1].vanish)
    of.run(200.0)
    assert reasons(of)[0] == "player_left"
    assert of.now < 5.0 + 2 * DROPPED_AFTER + SOON


@pytest.mark.slow
@pytest.mark.parametrize("every", [15.0, 0.7])
def test_a_page_that_hiccups_notices_that_its_path_is_dead(every: float) -> None:
    """Its own quarter of a second is not the silence of the others."""
    standing = Standing()
    of = mesh(watchers=[standing], max_steps=900)
    for page in of.peers:
        page.hiccup_every = every
    of.at(5.0, of.cut)
    of.run(10.0)
    for page in of.peers:
        assert [change.to_path for change in page.events(PathChanged)][-1] == "socketio"
    of.run(200.0)
    assert standing.wrong == []
    assert_played_to_the_end(of, 80.0)


def test_a_page_that_polls_four_times_a_second_notices_that_its_path_is_dead() -> None:
    """A machine that slow still falls back, and stands no longer than fifteen of its ticks."""
    standing = Standing()
    of = mesh(watchers=[standing], max_steps=200)
    for page in of.peers:
        page.ticks_per_second = 4.5
    of.at(5.0, of.cut)
    of.run(200.0)
    assert standing.wrong == []
    assert_played_to_the_end(of, 100.0)


@pytest.mark.slow
def test_a_game_that_went_by_the_server_goes_on_by_a_slow_channel_when_that_ends() -> None:
    """It was left since it is slow. While the server is away it is all that there is: from its first answered probe on,
    and not after seconds of them."""
    of = mesh(conditions=Conditions(delay=0.3, server_delay=0.03), max_steps=1500)
    of.at(20.0, of.server.go_away)
    of.at(40.0, of.server.come_back)
    frames = []
    for second in (20.0, 40.0):
        of.run(second)
        frames.append(of.peers[0].session.frame)
    of.run(90.0)
    for page in of.peers:
        changes = [(of.to_path, of.cause) for of in page.session.path_changes]
        assert changes == [("socketio", "latency"), ("p2p", "recovered"), ("socketio", "latency")]
    # 600 are due in twenty seconds; a probe takes 0.85 s at most, the window is 8 frames.
    assert frames[1] - frames[0] > 600 - 0.85 * 30
    assert_played_to_the_end(of, 60.0)


@pytest.mark.slow
def test_who_has_lost_the_server_for_good_plays_on_by_a_channel_that_was_away() -> None:
    """What the other one sent by the server meanwhile nobody acknowledges; that is not held against the channel."""
    of = mesh()
    of.at(10.0, lambda: of.server.lose(1))
    of.at(20.0, of.close)
    of.at(25.0, of.open_channels)
    of.run(120.0)
    assert_played_to_the_end(of, 90.0)
    for page in of.peers:
        assert [change.to_path for change in page.session.path_changes] == ["socketio", "p2p"]


# -- who left, who is over ----------------------------------------------------------------------------------------


def test_what_the_server_says_of_who_is_away_is_known_of_its_way() -> None:
    """Away and back; for good, and nobody says so if it comes again; and loaded again."""
    of = mesh()
    of.run(5.0)
    session = of.peers[0].session
    (link,) = session.links
    seen = [link.paths.server.works]
    for say in (session.player_away, session.player_back, session.player_away, session.player_left):
        say(1, of.peers[0].clock())
        seen.append(link.paths.server.works)
    assert seen == [True, False, True, False, True]


@pytest.mark.slow
def test_that_a_socket_is_away_ends_nothing_while_the_peer_is_heard() -> None:
    """The server takes a lost socket for a player who left; peer-to-peer knows better."""
    of = mesh()
    of.server.grace = 5.0
    of.at(10.0, lambda: of.server.lose(1))
    of.at(20.0, lambda: of.server.connect(1))
    of.run(90.0)
    assert of.server.told == [(15.0, 1)]
    assert_played_to_the_end(of, 70.0)


@pytest.mark.slow
@pytest.mark.parametrize("then", ["close", "cut"])
def test_who_was_said_to_have_left_and_came_back_outlives_its_channel(then: str) -> None:
    """The word was true once. When the channel goes later, the server's way is there again, and is taken."""
    of = mesh()
    of.server.grace = 5.0
    of.at(10.0, lambda: of.server.lose(1))
    of.at(16.0, lambda: of.server.connect(1))
    of.at(30.0, of.close if then == "close" else of.cut)
    of.run(90.0)
    assert of.server.told == [(15.0, 1)]
    assert of.peers[0].session.path_changes
    assert_played_to_the_end(of, 70.0)


@pytest.mark.slow
def test_the_word_that_somebody_left_is_forgotten_when_the_server_has_it_back() -> None:
    """A pause of its page then is one like any other, and nothing came by the server that would say so."""
    of = mesh()
    first = of.peers[0]
    of.at(10.0, lambda: first.session.player_left(1, first.clock()))
    of.at(11.0, lambda: first.session.player_back(1, first.clock()))
    of.at(20.0, of.peers[1].freeze)
    of.at(23.0, of.peers[1].thaw)
    of.run(90.0)
    assert_played_to_the_end(of, 70.0)


def test_who_is_said_to_have_left_and_then_falls_silent_is_gone() -> None:
    """The server's word is remembered: it counts when nothing is heard any more."""
    of = mesh()
    of.server.grace = 5.0
    of.at(10.0, lambda: of.server.lose(1))
    of.run(25.0)
    assert of.server.told == [(15.0, 1)]
    assert reasons(of) == ["", ""]
    assert of.peers[0].session.phase == PLAYING
    of.peers[1].vanish()
    of.run(25.0 + DROPPED_AFTER + SOON)
    assert reasons(of)[0] == "player_left"


def test_who_left_and_is_silent_when_the_server_says_so_is_gone_at_once() -> None:
    """Word and silence together need no further waiting for `dropped_after`."""
    of = mesh()
    of.server.grace = 5.0
    of.at(10.0, of.peers[1].leave)
    of.run(60.0)
    assert reasons(of)[0] == "player_left"
    assert 15.0 <= of.now < 15.0 + SOON


@pytest.mark.parametrize("back", ["peer-to-peer", "server", "both"])
def test_who_comes_back_to_a_session_that_is_over_is_told_so(back: str) -> None:
    """One page is away for 33 s, so the other one ends without it, where no seat is kept for longer: whatever it then
    says is answered with that."""
    of = mesh(return_within=0.0)

    def away() -> None:
        of.cut()
        of.server.lose(1)
        of.peers[1].freeze()

    def returns() -> None:
        if back != "server":
            of.restore()
        if back != "peer-to-peer":
            of.server.connect(1)
        of.peers[1].thaw()

    of.at(5.0, away)
    of.at(38.0, returns)
    of.run(37.0)
    assert reasons(of) == ["player_left", ""]
    of.run(38.0 + SOON)
    assert reasons(of)[0] == "player_left"
    assert reasons(of)[1] != ""
    assert of.now < 38.0 + SOON


@pytest.mark.parametrize("channels", ["stay", "close and open"])
def test_a_page_that_was_loaded_again_in_mid_episode_ends_the_session_by_name(channels: str) -> None:
    """A new session sits in an old seat, knows nothing and cannot go on, where the study wants no return: both say
    so."""
    of = mesh(return_within=0.0)

    def loads_again() -> None:
        of.peers[1].load()
        if channels == "close and open":
            of.close_channel(0, 1, seen_after=(0.0, 0.0))
            of.at(of.now + 1.5, lambda: of.open_channel(0, 1))

    of.at(10.0, loads_again)
    of.run(10.0 + DROPPED_AFTER)
    assert reasons(of) == ["returned", "returned"]
    assert [event.reason for event in of.peers[0].events(SessionEnded)] == ["returned"]
    assert len(of.peers[0].rows[0]) > 250


@pytest.mark.parametrize("channels", ["stay", "close and open"])
@pytest.mark.parametrize("later", [0.5, 15.0, *(pytest.param(s, marks=pytest.mark.slow) for s in (8.0, 40.0))])
@pytest.mark.parametrize("end", ["abort", "complete", "partner vanished"])
@pytest.mark.parametrize("within", [0.0, 60.0])
def test_a_page_that_is_loaded_again_when_all_is_over_is_told_so(
    channels: str, later: float, end: str, within: float
) -> None:
    """Whatever the load before it was told, and however long ago: it waits for nobody's ready, and does not return."""
    of = mesh(max_steps=150, return_within=within)
    if end == "abort":
        of.at(3.0, of.peers[0].abort)
    elif end == "partner vanished":
        of.at(3.0, of.peers[1].vanish)
    of.run(60.0)
    while not of.peers[0].session.reason:
        of.time.run(of.now + 0.1, lambda: False)
    of.time.run(of.now + later, lambda: False)
    of.peers[1].load()
    of.server.connect(1)
    if channels == "close and open":
        of.close_channel(0, 1, seen_after=(0.0, 0.0))
        of.at(of.now + 1.5, lambda: of.open_channel(0, 1))
    of.time.run(of.now + SOON, lambda: bool(of.peers[1].session.reason))
    told = {"abort": "player_left", "complete": "stop", "partner vanished": "dropped"}[end]
    assert of.peers[1].session.reason == ("no_return" if within else told)


@pytest.mark.parametrize("episode", [0, 1, 2, 3])
def test_a_page_that_was_loaded_again_is_told_however_far_the_others_are(episode: int) -> None:
    """It begins with episode 0: what it hears of later ones must not be the reason that it never hears of the end."""
    of = mesh(max_steps=90, num_episodes=6, return_within=0.0)
    of.run(1.0)
    while of.peers[0].session.episode < episode or of.peers[0].session.frame < 40:
        of.run(of.now + 0.1)
    of.peers[1].load()
    of.run(of.now + SOON)
    assert reasons(of) == ["returned", "returned"]


def test_a_pause_of_both_pages_does_not_look_like_a_new_one() -> None:
    """Waking with a backlog is no return: the incarnation is the same."""
    of = mesh(max_steps=400)
    for page in of.peers:
        of.at(5.0, page.freeze)
        of.at(12.0 + page.seat, page.thaw)
    of.run(60.0)
    assert_played_to_the_end(of, 40.0)


# -- a pause before anything is played -----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["frozen", "clock"])
@pytest.mark.parametrize("comes", [20.0, 75.0])
def test_a_pause_while_others_get_ready_is_no_time_that_they_took(how: str, comes: float) -> None:
    """A page that was frozen for 64 s wakes and waits for the others as long as it would have; so does one whose clock
    jumped. The partner comes before it wakes or after."""
    of = mesh(max_steps=200)
    page, partner = of.peers
    partner.gone = True
    if how == "frozen":
        of.at(8.0, page.freeze)
        of.at(72.0, page.thaw)
    else:
        of.at(8.0, lambda: setattr(page, "clock_offset", page.clock_offset + 64.0))
        comes = min(comes, 50.0)
    of.at(comes, partner.load)
    of.at(comes + 0.5, of.open_channels)
    of.run(200.0)
    assert reasons(of) == ["complete", "complete"]
    assert wrong(of) == []


def test_a_pause_while_the_others_are_not_there_does_not_wait_for_ever() -> None:
    """Of `ready_timeout` only the pause is excused."""
    of = mesh(max_steps=200)
    page = of.peers[0]
    of.peers[1].gone = True
    of.at(20.0, page.freeze)
    of.at(60.0, page.thaw)
    of.run(200.0)
    assert reasons(of)[0] == "ready_timeout"
    ended = 40.0 + Settings().p2p_wait + Settings().ready_timeout
    assert of.peers[0].ticked_at == pytest.approx(ended, abs=0.5)
    assert of.peers[0].events(SessionEnded)[0].text == "player 1 was not ready within 60 s"


def test_a_pause_while_connecting_is_no_time_that_the_connection_took() -> None:
    """Where a game must be peer-to-peer, a clock that jumps by ten seconds does not end it before it began."""
    of = mesh(max_steps=200, p2p_required=True, conditions=Conditions(delay=0.03, opens_after=3.0))
    page = of.peers[0]
    of.at(1.0, lambda: setattr(page, "clock_offset", page.clock_offset + 10.0))
    of.run(60.0)
    assert reasons(of) == ["complete", "complete"]
    assert of.peers[0].session.path_changes == []


def test_a_pause_between_two_episodes_is_a_part_of_that_between_them() -> None:
    """There nobody is waited for: it is over when the time is."""
    of = mesh(max_steps=60, num_episodes=2, episode_pause=6.0)
    of.run(4.0)
    page = of.peers[0]
    assert page.session.phase == BETWEEN
    page.freeze()
    of.at(11.0, page.thaw)
    of.run(11.5)
    assert page.session.phase == PLAYING
    of.run(60.0)
    assert reasons(of) == ["complete", "complete"]


# -- what waited is no measure ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_probe", [False, True])
@pytest.mark.parametrize("frozen", [(0,), (1,), (0, 1)])
@pytest.mark.slow
def test_no_round_trip_has_a_pause_in_it(frozen: tuple[int, ...], by_probe: bool) -> None:
    """What waited is stamped when a page wakes. As a sample it would be six seconds, and by the round trip it is judged
    how long a path may be silent and when an input is sent again."""
    of = mesh(max_steps=600)
    for seat in frozen:
        of.at(5.0 + seat / 10, of.peers[seat].freeze)
        of.at(11.0 + seat / 10, of.peers[seat].thaw)
    if by_probe:
        # The path is left when they fall asleep: it is measured by probes, of which one waits until somebody wakes.
        of.at(4.0, of.cut)
        of.at(9.0, of.restore)
    of.run(3.9)
    before = [page.session.links[0].paths.wire.rtt for page in of.peers]
    assert before == pytest.approx([0.06, 0.06], abs=0.02)
    for moment in range(110, 140):
        of.run(moment / 10)
        for page in of.peers:
            for flow in (page.session.links[0].paths.wire, page.session.links[0].paths.socket):
                assert flow.rtt is None or flow.rtt < 0.2, (of.now, page.seat)
    of.run(60.0)
    assert_played_to_the_end(of, 40.0)


@pytest.mark.parametrize("seats", [2, 3])
def test_when_all_is_lost_every_session_ends_by_itself(seats: int) -> None:
    """No peer-to-peer, no server: each waits for its own line as long as others wait for it, and ends alone then, at
    what all of them have."""
    of = mesh(seats)
    of.at(5.0, of.cut)
    of.at(5.0, of.server.go_away)
    of.run(120.0)
    # Of three, each might be the only one who is cut off.
    assert reasons(of) == ["player_left" if seats == 2 else "partition"] * seats
    assert of.now < 5.0 + of.settings.return_within + SOON + (UNDECIDED if seats > 2 else 0.0)
    for page in of.peers:
        assert [event.status for event in page.events(PeerStatus)][:1] == ["interrupted"]


# -- the last frames of an episode --------------------------------------------------------------------------------


def test_a_hash_of_every_frame_holds_nobody_up_at_the_end() -> None:
    """By the server at 150 ms one way: as many hashes ride as fit, and both sides have compared all of them."""
    standing = Standing()
    of = mesh(
        watchers=[standing], max_steps=150, hash_interval=1, conditions=Conditions(server_delay=0.15, opens_after=None)
    )
    of.run(60.0)
    assert standing.wrong == []
    assert standing.longest_hold < 3.0
    assert [page.session.hashes_compared for page in of.peers] == [150, 150]
    assert_played_to_the_end(of, 15.0)


class _Stops(Watcher):
    """Asks for the end at one page: before a frame, or so many ticks after it began to hold."""

    def __init__(self, frame: int | None, ticks: int = 0) -> None:
        self.frame = frame
        self.ticks = ticks
        self.asked = False

    def advanced(self, page: Page, flags: int) -> None:
        session = page.session
        if page.seat or self.asked:
            return
        if self.frame is None and session.phase == HOLDING:
            self.ticks -= 1
        if self.ticks < 0 or (self.frame is not None and session.frame >= self.frame):
            self.asked = True
            page.stop()


@pytest.mark.parametrize("p2p", [True, False])
@pytest.mark.slow
def test_a_stop_asked_for_at_the_last_end_has_one_reason_on_both_sides(p2p: bool) -> None:
    """Whether it came in time is one decision, and not each side's own: at any frame, and at any tick of the end."""
    seen = []
    for frame, ticks in [*((frame, 0) for frame in range(50, 70)), *((None, ticks) for ticks in range(20))]:
        stops = _Stops(frame, ticks)
        of = mesh(
            watchers=[stops],
            max_steps=70,
            conditions=Conditions(delay=0.1, server_delay=0.1, opens_after=0.1 if p2p else None),
        )
        of.run(60.0)
        assert of.over
        ends = {(page.session.reason, page.session.ended[-1].reason, len(page.rows[0])) for page in of.peers}
        assert len(ends) == 1, (frame, ticks, ends)
        if stops.asked:
            seen.append(reasons(of)[0])
    assert len(seen) >= 23
    assert set(seen) <= {"stop", "complete"}
    assert "stop" in seen


def test_a_session_that_failed_stops_sending() -> None:
    """Their games differ from the start; when both know, or a while later at the latest, the line is quiet."""
    of = mesh(2, lambda seat: Walk(2, seed=seat))
    of.run(20.0)
    assert [page.session.phase for page in of.peers] == [FAILED, FAILED]
    assert reasons(of) == ["initial_state", "initial_state"]
    of.time.run(60.0, lambda: False)
    sent = [page.bytes_sent for page in of.peers], of.signals
    of.time.run(120.0, lambda: False)
    assert ([page.bytes_sent for page in of.peers], of.signals) == sent
