"""What a remote page said of itself last: it only ever says more, in whatever order packets come."""

from __future__ import annotations

from pycore.link.peer import HIDDEN, Peer


def test_a_peer_is_called_by_its_first_seat() -> None:
    """It may own several, or none."""
    assert Peer(2, [1, 4]).seat == 1
    assert Peer(2, []).seat == -1


def test_another_load_of_the_page_has_another_incarnation() -> None:
    """Every packet has its low byte; a ready has it whole."""
    peer = Peer(1, [1])
    assert peer.is_same(0x34)
    assert peer.is_same(0x34)
    assert not peer.is_same(0x35)
    assert peer.is_same_whole(0x1234)
    assert peer.is_same(0x34)
    assert not peer.is_same_whole(0x1334), "the same low byte, and another load all the same"
    assert peer.incarnation == 0x1234


def test_a_packet_of_a_stranger_may_be_anything_and_some_in_a_row_are_somebody() -> None:
    """Three of one and the same other load; small numbers are incarnations as good as any."""
    peer = Peer(1, [1])
    assert peer.is_same_whole(5)
    for low in (7, 8, 7, 8):
        assert not peer.is_same(low)
    assert not peer.returned
    assert [peer.is_same(7) or peer.returned for _ in range(3)] == [False, False, True]


def test_a_whole_incarnation_that_does_not_fit_the_byte_heard_before_is_another_one() -> None:
    """The ready is the second page's."""
    peer = Peer(1, [1])
    assert peer.is_same(0x34)
    assert not peer.is_same_whole(0x1235)


def test_its_readies_are_kept_by_episode_until_they_are_old() -> None:
    """It may be ready for the next episode before we are done with this one."""
    peer = Peer(1, [1])
    peer.said_ready(0, b"zero", False, False)
    assert not peer.hears_ready
    peer.said_ready(0, b"zero", True, True)
    peer.said_ready(1, b"one", None, False)
    assert (peer.hears_ready, peer.ready_by_socket) == (True, 0)
    peer.forget_readies(1)
    assert peer.ready == {1: b"one"}


def test_whoever_plays_has_our_ready() -> None:
    """It need not say so."""
    peer = Peer(1, [1])
    peer.plays()
    assert peer.hears_ready


def test_an_end_is_replaced_by_what_was_said_later() -> None:
    """Which packet was later shows in what was dispatched: that only grows."""
    peer = Peer(1, [1])
    peer.said_end(9, 10, False, True)
    peer.said_end(12, 13, False, True)
    peer.said_end(9, 10, False, True)
    assert peer.end == (12, 13, False)
    peer.said_end(7, 13, True, True)
    assert peer.end == (7, 13, True)


def test_marks_only_grow() -> None:
    """A packet that comes late takes nothing back."""
    peer = Peer(1, [1])
    for frame in (4, 9, 2):
        peer.said_known(frame)
        peer.entered(frame)
    assert (peer.known, peer.episode) == (9, 9)


def test_an_episode_begins_with_nothing_said_but_what_is_agreed() -> None:
    """Over, hidden and the number of the episode are the session's and stay."""
    peer = Peer(1, [1])
    peer.said_known(30)
    peer.said_end(29, 30, False, True)
    peer.plays()
    peer.said_status(HIDDEN)
    peer.said_over("complete")
    peer.begin(1)
    assert (peer.known, peer.end, peer.hears_ready) == (1, None, False)
    assert (peer.hidden, peer.over) == (True, True)


def test_the_first_reason_of_an_end_stands() -> None:
    """A later one is an answer."""
    peer = Peer(1, [1])
    peer.said_over("desync")
    peer.said_over("complete")
    assert peer.reason == "desync"


def test_a_status_is_news_once() -> None:
    """It rides in every packet as long as it holds."""
    peer = Peer(1, [1])
    assert [peer.said_status(status) for status in (0, HIDDEN, HIDDEN, 0, 0)] == [False, True, False, True, False]
