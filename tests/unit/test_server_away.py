"""The server is away for everybody, longer than a silence may last, and nobody is dropped for it.

Play goes by the server alone. Each page knows that its own line is lost, and waits as for somebody who may return.
"""

from __future__ import annotations

import pytest
from core_support import Table, settings

from pycore.duties import CHANNEL_CLOSED
from pycore.events import PeerStatus
from pycore.session.phases import DONE, PLAYING

DROPPED, WITHIN = 4.0, 12.0
OF = settings(max_steps=5000, dropped_after=DROPPED, interrupted_after=1.0, return_within=WITHIN)


INPUT = "pyodide_player_action"


def by_server(seats: int = 2) -> Table:
    """Everybody plays by the server."""
    table = Table(seats, OF).start()
    table.ticks(20)
    for peer in range(seats):
        table.channels[peer] = [CHANNEL_CLOSED] * (seats - 1)
    table.ticks(30)
    assert {session.phase for session in table.sessions} == {PLAYING}
    return table


def server(table: Table, up: bool, *peers: int) -> None:
    """These pages, or all, have a socket from now on, or none."""
    for peer in peers or range(len(table.sessions)):
        table.socket[peer] = up


def passes(table: Table, seconds: float) -> None:
    """Time goes by."""
    until = table.now + seconds
    table.until(lambda: table.now >= until, most=round(seconds * 64))


@pytest.mark.parametrize("seats", [2, 3])
@pytest.mark.parametrize("away", [DROPPED + 3.0, WITHIN - 1.5])
def test_all_play_on_behind_an_absence_of_the_server(seats: int, away: float) -> None:
    """Without a word of anybody's end, however long beyond `dropped_after` it was; nothing of the others comes with the
    own socket's return, and their inputs last."""
    table = by_server(seats)
    server(table, False)
    passes(table, away)
    frame = table[0].frame
    server(table, True)
    back = table.now
    table.passes = lambda sender, to, what: table.now > back + (2.0 if what[0] == INPUT else 1.2)
    passes(table, 4.0)
    assert {session.phase for session in table.sessions} == {PLAYING}
    assert {session.reason for session in table.sessions} == {""}
    assert all(session.frame > frame + 20 for session in table.sessions)
    for other in range(1, seats):
        of = [event.status for event in table.events(0, PeerStatus) if event.seat == other]
        assert of == ["interrupted", "present"]


def test_who_is_heard_again_and_has_not_given_anything_yet_is_no_lack_of_progress() -> None:
    """Nothing moved while nobody was heard, and what is heard first need not be an input."""
    table = by_server()
    table.passes = lambda sender, to, what: what[0] != INPUT
    passes(table, 1.5)
    server(table, False)
    passes(table, DROPPED + 3.0)
    server(table, True)
    passes(table, 1.0)
    assert {session.reason for session in table.sessions} == {""}
    table.passes = lambda sender, to, what: True
    frame = table[0].frame
    passes(table, 2.0)
    assert table[0].frame > frame + 20


def test_who_is_back_first_waits_for_a_word_and_then_no_longer() -> None:
    """Three seconds for the server to say that the other one is away; where it says nothing, silence counts as ever."""
    table = by_server()
    server(table, False)
    passes(table, DROPPED + 3.0)
    server(table, True, 0)
    since = table.now
    table.until(lambda: table[0].phase == DONE, most=32 * 8)
    assert table.now - since == pytest.approx(3.0, abs=0.5)
    assert table[0].reason == "player_left"


def test_who_is_back_first_and_told_that_the_other_is_away_waits_for_as_long_as_it_may_return() -> None:
    """Counted from when it was heard last."""
    table = by_server()
    heard = table.now
    server(table, False)
    passes(table, DROPPED + 3.0)
    server(table, True, 0)
    table[0].player_away(1, table.now)
    table.until(lambda: table[0].phase == DONE, most=32 * 16)
    assert table.now - heard == pytest.approx(WITHIN, abs=0.7)
    assert table[0].reason == "player_left"


def told(table: Table, word: str, peer: int = 1) -> None:
    """The server says to the others what it knows of a peer's socket: `player_away` or `player_back`."""
    for number, session in enumerate(table.sessions):
        if number != peer:
            getattr(session, word)(peer, table.now)


@pytest.mark.parametrize("seats", [2, 3])
@pytest.mark.parametrize("away", [DROPPED + 3.0, WITHIN - 1.5])
def test_whose_seat_was_kept_for_longer_than_a_silence_may_last_is_there_before_it_is_heard(
    seats: int, away: float
) -> None:
    """The server says that it is back; its first packet comes behind that."""
    table = by_server(seats)
    server(table, False, 1)
    told(table, "player_away")
    passes(table, away)
    told(table, "player_back")
    passes(table, 1.0)
    assert {session.reason for session in table.sessions} == {""}
    server(table, True, 1)
    frame = table[0].frame
    passes(table, 3.0)
    assert {session.reason for session in table.sessions} == {""}
    assert all(session.frame > frame + 20 for session in table.sessions)


def test_who_is_back_and_is_not_heard_is_waited_for_as_long_as_a_silence_may_last() -> None:
    """Counted from when the server said so."""
    table = by_server()
    server(table, False, 1)
    told(table, "player_away")
    passes(table, DROPPED + 3.0)
    told(table, "player_back")
    back = table.now
    table.until(lambda: table[0].phase == DONE, most=32 * 16)
    assert table.now - back == pytest.approx(DROPPED, abs=0.5)
    assert table[0].reason == "player_left"


def test_a_word_of_somebody_who_was_never_away_prolongs_nothing() -> None:
    """Whoever connects is told of all who are there, as far as the server knows."""
    table = by_server()
    heard = table.now
    table.passes = lambda sender, to, what: sender != 1
    while table[0].phase != DONE:
        told(table, "player_back")
        passes(table, 1.0)
    assert table.now - heard == pytest.approx(DROPPED, abs=1.1)


def test_sockets_that_come_and_go_keep_nobody_waiting_for_ever() -> None:
    """No longer than for a return and a silence."""
    table = by_server()
    heard = table.now
    server(table, False, 1)
    while table[0].phase != DONE:
        told(table, "player_away")
        passes(table, 1.0)
        told(table, "player_back")
        passes(table, 1.0)
        assert table.now - heard < WITHIN + DROPPED + 3.0
    assert table.now - heard > WITHIN
    assert table[0].reason == "player_left"


def test_an_absence_for_longer_than_anybody_may_return_ends_it_for_all() -> None:
    """Nobody waits for ever."""
    table = by_server()
    heard = table.now
    server(table, False)
    table.until(lambda: table[0].phase == DONE and table[1].phase == DONE, most=32 * 20)
    assert table.now - heard == pytest.approx(WITHIN, abs=0.7)
    assert {session.reason for session in table.sessions} == {"player_left"}
