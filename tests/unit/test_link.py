"""A link holds together what leads to one peer, and keeps the books of first dispatches."""

from __future__ import annotations

from typing import NamedTuple

from pycore.link.link import Link
from pycore.link.peer import Peer
from pycore.link.unacknowledged import NEVER, Unacknowledged

SLOTS = 64


class Fixed(NamedTuple):
    """So far the inputs of a seat are fixed."""

    dispatched: int


def fixed(*frames: int) -> list[Fixed]:
    """By own seat."""
    return [Fixed(frame) for frame in frames]


def link(own: int = 1, delay: int = 0) -> Link:
    """To a peer with the last seat; ours are the seats before."""
    made = Link(Peer(1, [own]), [Unacknowledged(seat, 1) for seat in range(own)], range(own), 10.0)
    made.begin([delay] * (own + 1), SLOTS)
    return made


def test_an_input_counts_once_for_its_first_dispatch() -> None:
    """Of every own seat, and never when it rides again."""
    of = link(2)
    of.record_and_send(fixed(2, 0), 11.0)
    assert of.counts.sent_via_p2p == 3 + 1
    assert [box.dispatched for box in of.own] == [2, 0]
    assert [box.rode(40, [(0, box.dispatched)]) for box in of.own] == [0, 0]
    of.record_and_send(fixed(3, 0), 11.1)
    assert of.own[0].rode(41, [(0, 3)]) == 3
    assert of.own[1].rode(41, [(0, 0)]) == 1
    assert of.counts.sent_via_p2p == 4 + 1


def test_an_input_is_unsent_until_it_rides_in_a_packet() -> None:
    """Whosever it is of our seats; what went by the server is not."""
    of = link(2)
    unsent = [of.unsent]
    of.record_and_send(fixed(2, 2), 11.0)
    unsent.append(of.unsent)
    of.own[0].rode(40, [(0, 2)])
    unsent.append(of.unsent)
    of.own[1].rode(40, [(0, 2)])
    unsent.append(of.unsent)
    of.record_and_send(fixed(2, 3), 11.1)
    unsent.append(of.unsent)
    of.own[1].dispatch(3, 11.1)
    unsent.append(of.unsent)
    assert unsent == [False, True, True, False, True, False]


def test_the_inputs_of_a_packet_that_failed_are_taken_back() -> None:
    """All of them, of every own seat, once, and no others."""
    of = link(2)
    of.record_and_send(fixed(4, 5), 11.0)
    for box in of.own:
        box.rode(40, [(0, box.dispatched)])
    of.record_and_send(fixed(6, 7), 11.1)
    for box in of.own:
        box.rode(41, [(0, box.dispatched)])
    assert of.take_back(41)
    assert [box.dispatched for box in of.own] == [4, 5]
    assert of.counts.sent_via_p2p == 5 + 6
    assert not of.unsent
    assert not of.take_back(41)
    assert not of.take_back(40), "later inputs were dispatched since; these ride again"
    assert [box.dispatched for box in of.own] == [4, 5]
    assert of.counts.sent_via_p2p == 5 + 6


def test_a_packet_in_which_nothing_had_its_first_dispatch_takes_nothing_back() -> None:
    """Neither one before nor one after; and what another seat dispatched and no packet carries yet stays."""
    of = link(2)
    of.record_and_send(fixed(4, 4), 11.0)
    of.own[0].rode(40, [(0, 4)])
    of.own[0].rode(41, [(0, 4)])
    for seq in (39, 41):
        assert not of.take_back(seq)
    assert (of.own[0].dispatched, of.counts.sent_via_p2p) == (4, 10)
    assert of.take_back(40)
    assert [box.dispatched for box in of.own] == [-1, 4]
    assert (of.unsent, of.counts.sent_via_p2p) == (True, 5)


def test_it_is_acknowledged_when_every_own_seat_is() -> None:
    """And it waits since its oldest input does."""
    of = link(2)
    assert (of.acknowledged, of.waits_since) == (True, NEVER)
    of.record_and_send(fixed(3, 2), 11.0)
    of.own[0].acknowledge(3, 12.0)
    assert (of.acknowledged, of.waits_since) == (False, 11.0)
    of.excuse(0.5, 1e9)
    assert of.waits_since == 11.5
    of.own[1].acknowledge(2, 12.0)
    assert of.acknowledged


def test_the_link_of_who_owns_no_seat_waits_for_nothing() -> None:
    """A spectator's."""
    of = link(0)
    assert (of.acknowledged, of.waits_since) == (True, NEVER)


def test_an_episode_begins_with_the_agreed_frames_and_nothing_fresh() -> None:
    """Each seat by its own input delay; the peer holds what all hold."""
    of = link(1)
    of.record_and_send(fixed(3), 11.0)
    of.begin([2, 4], SLOTS)
    assert (of.own[0].dispatched, of.peer.known) == (1, 1)
    assert (of.unsent, of.advantage) == (False, 0.0)
    assert of.counts.sent_via_p2p == 4, "counts are the session's"


def test_a_topic_that_has_something_to_say_has_its_bit_on_the_agenda() -> None:
    """So that a tick with nothing to say looks at one number."""
    of = link()
    of.speak(4)
    of.speak(16)
    of.be_silent(4)
    assert of.agenda == 16
