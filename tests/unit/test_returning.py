"""A page that was loaded again returns into its game: what it is told, what it steps, and what stands of its inputs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
from core_support import Table, settings

from pycore import CaughtUp, EpisodeEnded, PeerStatus, Returned, SessionEnded
from pycore.costs import Costs
from pycore.errors import DecodeError
from pycore.session.messages import account
from pycore.session.messages.account import PAST_BYTES, Absent, Account, Piece
from pycore.session.phases import DONE, FAILED, HOLDING, PLAYING, READYING
from pycore.session.settling import NOTHING, Word
from pycore.session.topics.returns import Returns
from pycore.session.welcomes import UNDER_WAY
from pycore.settings import Settings
from pycore.testing import Happening, Mesh, Standing, Walk
from pycore.testing.happenings import Happenings

LONG = settings(max_steps=400, hash_interval=10)


def playing(seats: int = 2, of: Settings = LONG, ticks: int = 40, **more: Any) -> Table:
    """Everybody plays, for a while already, and presses keys."""
    table = Table(seats, of, **more).start()
    play(table, ticks)
    return table


def key(table: Table, peer: int) -> int:
    """What a peer presses in a frame: it changes often, and is never the default."""
    return 1 + (table[peer].frame // 3 + peer) % 4


def play(table: Table, ticks: int) -> None:
    """So many ticks in which everybody presses its key."""
    for _ in range(ticks):
        table.tick(*[key(table, peer) for peer in range(len(table.sessions))])


def play_until(table: Table, done: Callable[[], bool], most: int = 2000) -> None:
    """Tick until something is so."""
    for _ in range(most):
        if done():
            return
        play(table, 1)
    raise AssertionError(f"not so within {most} ticks")


def reload(table: Table, peer: int, load: int = 1, **changes: Any) -> None:
    """The page of a peer is loaded again, and knows that it was."""
    anew = Table(len(table.sessions), table.settings, now=table.now, load=load, **changes)
    table.sessions[peer] = anew.sessions[peer]
    table.taken[peer] = anew.taken[peer]
    table.published[peer] = anew.published[peer]
    table.news[peer] = []
    # Nothing of what was on its way to the page before arrives.
    table.mail = [(sender, to, what) for sender, to, what in table.mail if to != peer]


def rows(table: Table, peer: int) -> list[Any]:
    """The actions of every frame that a peer published, by seat."""
    return [actions for _episode, _frame, actions, *_ in table.published[peer] if actions]


def ended_alike(table: Table) -> None:
    """Everybody came to the end, with the same rows, hashes and end, and nothing contradicted anything."""
    play_until(table, lambda: all(session.phase >= DONE for session in table.sessions))
    assert [session.reason for session in table.sessions] == ["complete"] * len(table.sessions)
    assert len(rows(table, 0)) == table.settings.max_steps
    for peer, session in enumerate(table.sessions):
        assert table.published[peer] == table.published[0]
        assert session.hash_mismatches == session.contradictions == 0
        assert session.hashes_compared > 0


@pytest.mark.parametrize("channel", [0, -1])
@pytest.mark.parametrize("seats", [2, 4])
def test_a_page_that_was_loaded_again_plays_on_and_has_the_whole_record(seats: int, channel: int) -> None:
    """By a channel or through the server: it steps what was played, and nobody's record has a frame twice or none."""
    table = playing(seats, channel=channel)
    before = table[1].confirmed
    assert before > 10
    reload(table, 1)
    play_until(table, lambda: table[1].phase == PLAYING)
    (caught_up,) = table.events(1, CaughtUp)
    assert caught_up.frames > before
    # The last hash of the past is compared again, and those behind it; not all.
    first = table[1]._parts.hashes.first(table[1].links[0])
    assert caught_up.frames - 20 < first <= caught_up.frames
    assert table[1].catching_up is None
    told = [table.events(peer, Returned) for peer in range(seats) if peer != 1]
    assert [[(event.seat, event.load) for event in events] for events in told] == [[(1, 1)]] * (seats - 1)
    ended_alike(table)


@pytest.mark.slow
def test_what_anybody_holds_of_the_load_before_stands_and_the_rest_is_the_default() -> None:
    """Three inputs of player 2 reached player 0 alone, the last of them behind a hole: they are played by all, and the
    hole is filled with the default action."""
    table = playing(3)
    mark = table[1].timeline.frames.held[2]
    lost: list[int] = []

    def passes(sender: int, to: int, what: Any) -> bool:
        if sender != 2:
            return True
        # Of three packets the second gets lost everywhere, and player 1 gets none.
        lost.append(to)
        return to == 0 and lost.count(0) != 2

    table.passes = passes
    play(table, 3)
    frames = table[0].timeline.frames
    beyond = {frame: frames.encoded[frame & frames.mask][2] for frame in frames.beyond(2)}
    held = {
        frame: frames.encoded[frame & frames.mask][2] for frame in range(mark + 1, frames.held[2] + 1)
    } | beyond
    assert held
    table.passes = lambda sender, to, what: True
    reload(table, 2)
    play_until(table, lambda: table[2].phase == PLAYING)
    ended_alike(table)
    for frame, encoded in held.items():
        assert rows(table, 1)[frame][2] == encoded


def test_what_nobody_holds_is_given_anew() -> None:
    """Keys of the page before that reached nobody are gone with it: in their frames the person does what it does
    now."""
    table = playing()
    table.passes = lambda sender, to, what: sender != 1
    play(table, 3)
    held = table[0].timeline.frames.held[1]
    given = table[1].dispatched
    assert given > held
    table.mail.clear()
    table.passes = lambda sender, to, what: True
    reload(table, 1)
    while table[1].published < given:
        table.tick(key(table, 0), 5)
    assert [row[1] for row in rows(table, 0)[held + 1 : given + 1]] == [b"\5"] * (given - held)
    ended_alike(table)


def test_nothing_of_the_load_before_counts_once_the_new_one_was_taken_in() -> None:
    """A packet of it that was under way moves nothing: what it carries may not have been told."""
    table = playing()
    table.held = True
    play(table, 2)
    late = [what for sender, to, what in table.mail if (sender, to) == (1, 0) and isinstance(what, bytes)]
    assert late
    table.mail.clear()
    table.held = False
    reload(table, 1)
    play_until(table, lambda: bool(table.events(0, Returned)))
    frames = table[0].timeline.frames
    before = list(frames.held), table[0].malformed
    # So many in a row would be another load of its page, if none had come back.
    for data in 3 * late:
        table[0].receive(1, data, table.now)
    assert (list(frames.held), table[0].malformed) == before
    ended_alike(table)


def test_a_word_of_an_earlier_load_does_not_undo_the_return_of_a_later_one() -> None:
    """Loads count upwards: a packet of the first return that comes after the second one is old."""
    table = playing()
    reload(table, 1, load=1)
    table.held = True
    play(table, 6)
    old = [what for sender, to, what in table.mail if (sender, to) == (1, 0) and isinstance(what, bytes)]
    assert old
    table.mail.clear()
    table.held = False
    reload(table, 1, load=2)
    play_until(table, lambda: table[1].phase == PLAYING)
    low = table[0].links[0].peer.low
    for data in old:
        table[0].receive(1, data, table.now)
    assert table[0].links[0].peer.low == low
    assert table[0].links[0].peer.load == 2
    ended_alike(table)


@pytest.mark.slow
def test_two_of_three_return_at_once() -> None:
    """The third one tells both; neither waits for what the other cannot know."""
    table = playing(3)
    reload(table, 0)
    play(table, 1)
    reload(table, 2)
    play_until(table, lambda: all(session.phase == PLAYING for session in table.sessions))
    ended_alike(table)


def test_two_who_return_agree_on_nothing_about_who_is_gone() -> None:
    """Neither holds anything yet; whoever of them is told first would believe that the other has settled."""
    table = playing(3, settings(max_steps=400, on_drop="default_action"))
    reload(table, 2)
    session = table[2]
    session.players_gone([0], table.now)
    drops = session._parts.drops
    word = Word(0b1, 0, {0: NOTHING}, 0, settled=False, knows=False, backs={})
    drops.heard(session.link_to(1), word, ["silent"], 0, False, table.now)
    assert drops.settling
    # The one who stayed tells it, and all play on.
    table.passes = lambda sender, to, what: sender != 0
    table[1].players_gone([0], table.now)
    play_until(table, lambda: table[2].catching_up is None and table[2].frame > 80)
    assert table[1].frame > 80


@pytest.mark.parametrize("on_interrupt", ["wait", "default_action"])
def test_where_everybody_was_loaded_again_nobody_knows_what_was_played(on_interrupt: str) -> None:
    """Then the session ends by itself, with a reason, before anybody gives up waiting for a page; also where a page
    that nobody takes in is loaded again: whoever has told all others that it returns asks them no more, and does."""
    table = playing(3, settings(max_steps=400, on_drop="default_action", on_interrupt=on_interrupt))
    for peer in range(3):
        reload(table, peer)
    begun = table.now
    play_until(table, lambda: all(session.phase >= DONE for session in table.sessions), 4000)
    assert "no_return" in {session.reason for session in table.sessions}
    assert table.now - begun < 30
    texts = [event.text for peer in range(3) for event in table.events(peer, SessionEnded)]
    assert any("nobody knows what was played" in text for text in texts), texts


@pytest.mark.parametrize("loads", [0, 1, 2])
def test_whoever_comes_back_to_those_who_are_over_hears_it_from_each_of_them(loads: int) -> None:
    """Also where they had taken in an earlier load of its page."""
    table = playing(3, settings(max_steps=400))
    for load in range(1, loads + 1):
        reload(table, 2, load)
        play_until(table, lambda: table[2].phase == PLAYING)
    ended_alike(table)
    table.now += 15.0
    reload(table, 2, loads + 1)
    play(table, 60)
    (end,) = table.events(2, SessionEnded)
    assert end.reason == "no_return"
    assert "says complete" in end.text


@pytest.mark.parametrize("loads", [1, 2])
def test_who_was_played_for_to_the_end_and_comes_back_then_hears_it_too(loads: int) -> None:
    """From those who had called it gone, and may have had it back before."""
    played_for = settings(max_steps=400, on_drop="default_action", on_interrupt="default_action", dropped_after=2.0)
    table = playing(3, played_for)
    for load in range(1, loads + 1):
        table.passes = lambda sender, to, what: 2 not in (sender, to)
        play_until(table, lambda: 2 in table[0].gone and 2 in table[1].gone)
        if load < loads:
            table.passes = lambda sender, to, what: True
            reload(table, 2, load)
            play_until(table, lambda: not table[0].gone and not table[1].gone and table[2].phase == PLAYING)
    play_until(table, lambda: table[0].phase >= DONE and table[1].phase >= DONE)
    assert [table[peer].reason for peer in (0, 1)] == ["complete"] * 2
    table.now += 15.0
    table.passes = lambda sender, to, what: True
    reload(table, 2, loads)
    play(table, 60)
    (end,) = table.events(2, SessionEnded)
    assert end.reason == "no_return"


@pytest.mark.parametrize("there", [True, False])
def test_two_who_come_back_when_the_game_is_over_hear_it_although_each_waits_for_the_other(there: bool) -> None:
    """Neither can tell the other anything, and the third one played to the end without both. Each of them loaded itself
    again every 15 s; also where one of them never comes."""
    played_for = settings(max_steps=400, on_drop="default_action", on_interrupt="default_action", dropped_after=2.0)
    table = playing(3, played_for)
    table.passes = lambda sender, to, what: False
    table[0].players_gone([1, 2], table.now)
    play_until(table, lambda: table[0].phase >= DONE)
    assert table[0].reason == "complete"
    table.passes = lambda sender, to, what: there or 2 not in (sender, to)
    back = (1, 2) if there else (1,)
    for peer in back:
        reload(table, peer)
    begun = table.now
    play_until(table, lambda: all(table[peer].phase >= DONE for peer in back), 4000)
    assert table.now - begun < 20
    assert [event.text for peer in back for event in table.events(peer, SessionEnded)] == [
        "the game was over when this page came back: player 0 says complete"
    ] * len(back)


def test_who_would_take_too_long_to_catch_up_does_not_return() -> None:
    """By what a step was measured to take: it says so by name, and the partner is not kept."""
    table = playing(of=settings(max_steps=400, catch_up_within=2.0))
    reload(table, 1)
    table[1].pacing.set_costs(Costs(step=0.5))
    play_until(table, lambda: table[1].phase >= DONE)
    assert (table[1].phase, table[1].reason) == (FAILED, "no_return")
    (ended,) = table.events(1, SessionEnded)
    assert "to be stepped again" in ended.text
    play_until(table, lambda: table[0].phase >= DONE)
    assert table[0].reason == "player_left"


def test_catching_up_is_shared_out_over_ticks_and_says_how_far_it_is() -> None:
    """A slow environment: so many frames in a tick as a tenth of a second has room for."""
    table = playing(ticks=120)
    reload(table, 1)
    table[1].pacing.set_costs(Costs(step=0.01))
    seen: list[tuple[int, int]] = []
    while table[1].phase != PLAYING:
        play(table, 1)
        if table[1].catching_up is not None and table[1].catching_up[1]:
            seen.append(table[1].catching_up)
    steps = [done for done, _ in seen]
    assert len(seen) > 5
    assert steps == sorted(steps)
    assert max(later - earlier for earlier, later in itertools.pairwise(steps)) == 10
    assert len({whole for _, whole in seen}) == 1
    ended_alike(table)


def test_where_the_study_wants_no_return_the_session_ends_as_ever() -> None:
    """`return_within` 0: the page is told `returned`, and so is its partner."""
    table = playing(of=settings(max_steps=400, return_within=0.0))
    reload(table, 1)
    play_until(table, lambda: all(session.phase >= DONE for session in table.sessions))
    assert [session.reason for session in table.sessions] == ["returned", "returned"]


@pytest.mark.parametrize("away", [False, True])
def test_a_player_whose_seat_is_kept_is_waited_for_and_others_are_not(away: bool) -> None:
    """The server's word makes the difference between `return_within` and `dropped_after`."""
    table = playing(of=settings(max_steps=400, dropped_after=5.0, return_within=20.0))
    if away:
        table[0].player_away(1, table.now)
        play(table, 1)
        assert [event.status for event in table.events(0, PeerStatus)] == ["away"]
    table.passes = lambda sender, to, what: sender != 1
    begun = table.now
    play_until(table, lambda: table[0].phase >= DONE)
    assert table.now - begun == pytest.approx(20.0 if away else 5.0, abs=1.0)
    assert table[0].reason == "player_left"


def test_who_is_back_is_waited_for_as_before() -> None:
    """The word is taken back: from then on silence is silence again."""
    table = playing(of=settings(max_steps=400, dropped_after=5.0, return_within=20.0))
    table[0].player_away(1, table.now)
    table[0].player_back(1, table.now)
    play(table, 1)
    assert [event.status for event in table.events(0, PeerStatus)] == ["away", "present"]
    table.passes = lambda sender, to, what: sender != 1
    begun = table.now
    play_until(table, lambda: table[0].phase >= DONE)
    assert table.now - begun == pytest.approx(5.0, abs=1.0)


def test_whose_own_line_to_the_server_is_lost_waits_as_long() -> None:
    """Then it is we who are away, and the others keep our seat."""
    table = playing(of=settings(max_steps=400, dropped_after=5.0, return_within=20.0))
    table.socket[0] = False
    table.passes = lambda sender, to, what: False
    begun = table.now
    play_until(table, lambda: table[0].phase >= DONE)
    assert table.now - begun == pytest.approx(20.0, abs=1.0)


def test_a_group_that_has_lost_somebody_takes_a_page_back() -> None:
    """Who is gone stays gone, also for the page that was loaded again since, at the same frame."""
    table = playing(3, of=settings(max_steps=200, num_episodes=2, on_drop="default_action", hash_interval=10))
    table.passes = lambda sender, to, what: 2 not in (sender, to)
    for peer in (0, 1):
        table[peer].player_left(2, table.now, certain=True)
    play_until(table, lambda: table[1].episode == 1)
    play(table, 60)
    reload(table, 1)
    play_until(table, lambda: table[1].phase == PLAYING)
    assert sorted(table[1].gone) == [2]
    assert table[1].gone[2].episode == 0
    play_until(table, lambda: table[0].phase >= DONE and table[1].phase >= DONE)
    assert [table[peer].reason for peer in (0, 1)] == ["complete", "complete"]
    assert [row for row in table.published[0] if row[0] == 1] == table.published[1]
    assert len(rows(table, 1)) == 200
    assert [dict(table[peer].gone[2].frames) for peer in (0, 1)] == [dict(table[0].gone[2].frames)] * 2


def test_a_page_comes_back_however_many_episodes_were_played() -> None:
    """It says episode 0, of which the others behind the 128th made the 256th, and all of them stood for good."""
    table = playing(of=settings(max_steps=2, num_episodes=140, hash_interval=1))
    play_until(table, lambda: table[0].episode == 132)
    reload(table, 1)
    play_until(table, lambda: all(session.phase >= DONE for session in table.sessions))
    assert [(session.reason, len(session.ended)) for session in table.sessions] == [("complete", 140)] * 2
    assert table[1].load == 1
    assert [row for row in table.published[0] if row[0] > 134] == [row for row in table.published[1] if row[0] > 134]


SEATS = Table(3, settings())[0].seats
GIVEN = Account(
    False, 1, True, 7, 5, None, [(1, 1, 1), (2, 1, 1)], [(40, "done")], [Absent(2, "left", 1, {2: 5})], {2: 5},
    {1: {8: b"\1", 10: b"\2"}}, marks=((6, "2", "default_action"), (7, "2", "player")),
)  # fmt: skip
PLAYERS = ["0", "1", "2"]


def test_accounts_and_pieces_come_as_they_went() -> None:
    """Every field of both messages."""
    assert account.decode_account(account.encode_account(GIVEN), SEATS, 3, PLAYERS) == GIVEN
    assert account.decode_account(account.encode_account(account.NOTHING), SEATS, 3, PLAYERS) == account.NOTHING
    piece = Piece(1, 2, 30, [b"\0", b"\3", b"\1"])
    assert account.decode_piece(account.encode_piece(piece), SEATS) == piece


@pytest.mark.parametrize(
    "changed",
    [
        {"episode": 300}, {"confirmed": -2}, {"hashed": -1}, {"stop": -1}, {"delays": [(1, 1, 1)]},
        {"ended": []}, {"ended": [(40, "done"), (40, "done")]}, {"delays": [(1, 1), (1, 1)]},
        {"delays": [(1, 1, 1), (61, 1, 1)]}, {"gone": [Absent(3, "left", 1, {})]},
        {"gone": [Absent(2, "asleep", 1, {})]}, {"settled": {3: 5}}, {"held": {1: {8: b"\7"}}},
        {"held": {1: {8: b"\1\1"}}}, {"held": {3: {8: b"\1"}}}, {"held": {1: {-1: b"\1"}}},
        {"marks": ((6, "3", "policy"),)}, {"marks": ((6, "2", "nobody"),)}, {"marks": ((-1, "2", "policy"),)},
    ],
)  # fmt: skip
def test_accounts_that_cannot_be_are_refused(changed: dict[str, Any]) -> None:
    """Every number is looked at, every action is one of its seat's space, and what would be recorded of who is gone is
    of a player and can be read again: one type of error."""
    with pytest.raises(DecodeError):
        account.decode_account(account.encode_account(GIVEN._replace(**changed)), SEATS, 3, PLAYERS)


@pytest.mark.parametrize(
    "piece",
    [
        Piece(1, 3, 0, [b"\1"]), Piece(1, 0, -1, [b"\1"]), Piece(1, 0, 0, []), Piece(1, 0, 0, [b"\7"]),
        Piece(256, 0, 0, [b"\1"]),
    ],
)  # fmt: skip
def test_pieces_that_cannot_be_are_refused(piece: Piece) -> None:
    """Seat, frames and actions."""
    with pytest.raises(DecodeError):
        account.decode_piece(account.encode_piece(piece), SEATS)


def test_a_first_load_asks_for_no_return() -> None:
    """A RETURN block says which load it is of, and the first one is no return."""
    with pytest.raises(DecodeError):
        Returns().check(bytes(6))
    with pytest.raises(DecodeError):
        Returns().check(bytes(5))
    Returns().check(b"\1" + bytes(5))


@pytest.mark.slow
def test_what_is_told_waits_in_a_bounded_stream() -> None:
    """The past of a long game goes out as the peer takes it, and does not wait as a whole."""
    wide = settings(max_steps=400, action_space={"type": "any"}, hash_interval=10)
    drawn = random.Random(5)
    table = Table(2, wide, simulation=lambda peer: Walk(2, seed=7)).start()
    for _ in range(300):
        table.tick(drawn.randbytes(430).hex(), drawn.randbytes(430).hex())
    reload(table, 1, simulation=lambda peer: Walk(2, seed=7))
    most = 0
    stream = None
    while table[1].phase != PLAYING:
        table.tick("a", "b")
        stream = table[0]._parts.streams.of(table[0].links[0])
        most = max(most, stream.outgoing.end - stream.outgoing.acknowledged)
    assert stream is not None
    assert stream.outgoing.end > UNDER_WAY
    assert UNDER_WAY // 2 < most < UNDER_WAY + 2 * PAST_BYTES


@pytest.mark.parametrize("changed", [{"confirmed": 400}, {"episode": 1, "delays": [(1, 1), (1, 1)]}])
def test_a_place_that_no_game_of_this_study_comes_to_is_refused(changed: dict[str, Any]) -> None:
    """Whatever is said of it would have to be kept: an account of it is none."""
    table = playing()
    reload(table, 1)
    said = Account(False, 0, True, 7, 0, None, [(1, 1)], [], [], {}, {})._replace(**changed)
    with pytest.raises(DecodeError, match="which there are not"):
        table[1]._parts.returning.told(table[1].links[0], said, table.now)
    ended_alike(table)


def test_who_goes_while_another_returns_keeps_nobody_waiting() -> None:
    """The returner was told of the game before anybody knew that a third one is gone: it steps that one's inputs too,
    as far as they are confirmed, and settles what comes behind with the others."""
    table = playing(3, of=settings(max_steps=200, on_drop="default_action", hash_interval=10))
    table.passes = lambda sender, to, what: 2 not in (sender, to)
    reload(table, 1)
    play(table, 20)
    assert table[1].catching_up is not None
    table[0].player_left(2, table.now, certain=True)
    play_until(table, lambda: table[0].phase >= DONE and table[1].phase >= DONE)
    assert [table[peer].reason for peer in (0, 1)] == ["complete", "complete"]
    assert table.published[0] == table.published[1]
    assert len(rows(table, 1)) == 200
    assert dict(table[0].gone[2].frames) == dict(table[1].gone[2].frames)


def test_who_is_missed_between_episodes_is_dropped_before_a_returner_gives_up() -> None:
    """All wait for somebody who was never ready: that is decided first, and then the page is told how it stands."""
    of = settings(max_steps=60, num_episodes=2, on_drop="default_action", ready_timeout=8.0, dropped_after=5.0)
    table = playing(3, of=of)
    play_until(table, lambda: table[2].episode == 1)
    table.passes = lambda sender, to, what: 2 not in (sender, to)
    play_until(table, lambda: table[0].episode == table[1].episode == 1)
    reload(table, 1)
    play_until(table, lambda: table[0].phase >= DONE and table[1].phase >= DONE)
    assert [table[peer].reason for peer in (0, 1)] == ["complete", "complete"]
    assert [row for row in table.published[0] if row[0] == 1] == table.published[1]


def test_where_everybody_else_went_nobody_is_waited_for() -> None:
    """What was played nobody can tell any more."""
    table = playing(3)
    table.passes = lambda sender, to, what: False
    reload(table, 1)
    for peer in (0, 2):
        table[1].player_left(peer, table.now, certain=True)
    play(table, 10)
    (end,) = table.events(1, SessionEnded)
    assert (end.reason, end.text) == ("no_return", "nobody is left who knows what was played")


@pytest.mark.parametrize("ends", ["left", "aborted"])
@pytest.mark.parametrize("begun", [False, True])
def test_who_is_over_before_it_is_back_says_so_to_whoever_speaks(begun: bool, ends: str) -> None:
    """Its way back is over as well: it asks nobody to be taken in, and answers a partner that it called away, who
    would wait for it otherwise for as long as anybody is waited for."""
    of = settings(max_steps=400, p2p_wait=1.0)
    table = playing(of=of, channel=-1) if begun else Table(2, of, channel=-1)
    table.passes = lambda sender, to, what: False
    play_until(table, lambda: begun or table[0].phase == READYING)
    reload(table, 1)
    play(table, 3)
    assert table[1].catching_up is not None
    if ends == "left":
        # The server believes so, and nothing was heard of it yet.
        table[1].player_left(0, table.now)
    else:
        table[1].abort(table.now, "error", "the environment broke")
    assert table[1].phase >= DONE
    # Longer than an end is said to somebody who says nothing.
    play(table, 12 * of.fps)
    assert table[0].phase < DONE
    heard = table.now
    table.passes = lambda sender, to, what: True
    play_until(table, lambda: table[0].phase >= DONE)
    assert table.now - heard < 2.0
    assert table[1].catching_up is None
    assert not table.events(0, Returned)


@pytest.mark.parametrize("channel", [0, -1])
@pytest.mark.parametrize("delay", [0, 2])
def test_what_is_held_of_the_load_before_stands_however_far_ahead_it_is(delay: int, channel: int) -> None:
    """Who hears nothing lets the others step two windows beyond what all confirmed. What one of them gave there is its
    own input also after its page was loaded again, though it cannot reach that far at first."""
    table = playing(3, of=settings(max_steps=200, hash_interval=10, input_delay=delay), channel=channel)
    table.passes = lambda sender, to, what: to != 2
    play(table, 40)
    frames = table[1].timeline.frames
    mark = table[1].confirmed
    held = {frame: frames.encoded[frame & frames.mask][0] for frame in range(mark + 1, frames.held[0] + 1)}
    assert max(held) > mark + 1 + frames.ahead
    table.passes = lambda sender, to, what: True
    reload(table, 0)
    for _ in range(60):
        # It presses something else now.
        table.tick(5, key(table, 1), key(table, 2))
    ended_alike(table)
    for frame, encoded in held.items():
        assert rows(table, 1)[frame][0] == encoded
    assert rows(table, 1)[max(held) + 1][0] == b"\5"


def test_a_stop_that_ends_the_episode_below_what_a_load_before_gave_ends_it_for_all() -> None:
    """Inputs beyond what anybody can take in who holds at the end are waited for by nobody."""
    table = playing(3, of=settings(max_steps=200, hash_interval=10, input_delay=0))
    table.passes = lambda sender, to, what: to != 2
    play(table, 40)
    table.passes = lambda sender, to, what: True
    reload(table, 0)
    play_until(table, lambda: table[0].phase == PLAYING)
    table[0].request_stop(table.now)
    play_until(table, lambda: all(session.phase >= DONE for session in table.sessions), 200)
    assert [session.reason for session in table.sessions] == ["stop"] * 3
    assert table.published[0] == table.published[1] == table.published[2]


@pytest.mark.parametrize("ticks", [1, 5])
def test_a_stop_on_the_way_back_is_one_for_all(ticks: int) -> None:
    """Whoever asks for the end before it is there, or knows how far the others are, ends it for all alike."""
    table = playing(2, ticks=300)
    reload(table, 1)
    play(table, ticks)
    assert table[1].catching_up is not None
    assert (table[1].frame > 0) == (ticks > 1)
    table[1].request_stop(table.now)
    play_until(table, lambda: all(session.phase >= DONE for session in table.sessions), 200)
    assert [session.reason for session in table.sessions] == ["stop", "stop"]
    assert table.published[0] == table.published[1]
    assert len(rows(table, 0)) > 300


def test_whoever_has_come_to_the_end_settles_nothing_more() -> None:
    """At the end of the last episode one is over already, when another goes and a third returns."""
    table = playing(4, of=settings(max_steps=60, hash_interval=10, on_drop="default_action"))
    play_until(table, lambda: all(session.phase == HOLDING for session in table.sessions))
    table.passes = lambda sender, to, what: to == 0 if sender == 3 else True
    play_until(table, lambda: table[0].phase >= DONE)
    assert [table[peer].phase for peer in (1, 2)] == [HOLDING, HOLDING]
    table.passes = lambda sender, to, what: 3 not in (sender, to)
    assert [table[peer].phase < DONE for peer in (1, 2)] == [True, True]
    reload(table, 1)
    play(table, 20)
    table[2].player_left(3, table.now, certain=True)
    play_until(table, lambda: table[1].phase >= DONE and table[2].phase >= DONE, 300)
    assert [table[peer].reason for peer in (1, 2)] == ["complete", "complete"]
    assert table.published[0] == table.published[1] == table.published[2]


def test_what_is_settled_may_lie_further_ahead_than_a_returner_reaches() -> None:
    """Somebody gave inputs two windows beyond what all confirmed, and is gone: who has come back plays while they are
    settled, or it would never reach them."""
    table = playing(3, of=settings(max_steps=200, hash_interval=10, input_delay=0, on_drop="default_action"))
    table.passes = lambda sender, to, what: to != 1
    play(table, 40)
    held = table[0].timeline.frames.held[2]
    assert held > table[0].confirmed + 1 + table[0].timeline.frames.ahead
    table.passes = lambda sender, to, what: 2 not in (sender, to)
    reload(table, 1)
    play(table, 10)
    for peer in (0, 1):
        table[peer].player_left(2, table.now, certain=True)
    play_until(table, lambda: table[0].phase >= DONE and table[1].phase >= DONE, 400)
    assert [table[peer].reason for peer in (0, 1)] == ["complete", "complete"]
    assert table.published[0] == table.published[1]
    assert dict(table[1].gone[2].frames) == {2: held}


@pytest.mark.parametrize("load", [256, 1000, 2047])
def test_a_page_that_was_loaded_too_often_ends_its_game_and_raises_nothing(load: int) -> None:
    """Its number has no place in what it would ask with; a load that has one returns."""
    table = playing()
    reload(table, 1, load=255)
    play_until(table, lambda: table[1].phase == PLAYING)
    reload(table, 1, load=load)
    play_until(table, lambda: table[1].phase >= DONE, most=30)
    assert table[1].reason == "no_return"
    assert any(
        f"loaded again {load} times, and 255 is the most" in event.text
        for event in table.news[1] if isinstance(event, SessionEnded)
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("on_interrupt", ["wait", "default_action"])
def test_who_cannot_be_taken_in_for_the_sake_of_another_one_is_once_that_is_given_up(on_interrupt: str) -> None:
    """Between two episodes one of three is loaded again, and another one, who was ready, vanishes. The third one waited
    for the page that came back alone, anew with each load of it, and ended as that was not ready; of who was silent
    nobody said anything."""
    of = settings(
        max_steps=60, num_episodes=2, episode_pause=1.0, p2p_wait=0.1, on_drop="default_action",
        on_interrupt=on_interrupt, dropped_after=5.0, ready_timeout=20.0,
    )  # fmt: skip
    standing = Standing()
    mesh = standing.mesh = Mesh(3, of, lambda seat: Walk(3), lambda seat: lambda episode, frame: frame % 5)
    happens = Happenings(mesh, standing)
    for what, text in (("reload", "2@2.8=4"), ("vanish", "0@5")):
        happens.add(Happening.of(what, text))
    mesh.server.grace = None
    mesh.run(120.0)
    for page in mesh.peers[1:]:
        assert page.session.reason == "complete"
        assert page.session.ended == [EpisodeEnded(episode=number, frames=60, reason="max_steps") for number in (0, 1)]
        assert list(page.session.gone) == [0]
    assert mesh.peers[2].rows[1] == mesh.peers[1].rows[1]
    assert mesh.now < 40.0
