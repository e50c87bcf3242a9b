"""Hashes: both sides compare every frame exactly once, whatever is lost on the way."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.errors import DecodeError
from pycore.events import Desync
from pycore.link.link import Link
from pycore.link.peer import Peer
from pycore.rollback.frames import Frames
from pycore.rollback.timeline import Timeline
from pycore.session.covered import Covered
from pycore.session.episode import Episode
from pycore.session.identity import Identity
from pycore.session.journal import Journal
from pycore.session.messages.state import States
from pycore.session.outputs import Outputs
from pycore.session.streams import Streams
from pycore.session.topics.hashes import ENTRY_BYTES, Hashes, HashExchange
from pycore.session.topics.over import Over
from pycore.session.topics.topic import Arrival
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh, Walk

A, B = b"aaaaaaaa", b"bbbbbbbb"
KEPT = 64
ROOM = 90
"""Entries for which a datagram has room."""


def exchange() -> HashExchange:
    """One that keeps as many as a ring of 32 frames asks for."""
    return HashExchange(KEPT)


def _ride(sender: HashExchange, now: float = 0.0, again_at: float = 0.0) -> list[bytes]:
    """What rides now, and again from `again_at` on."""
    return sender.entries(now, again_at, ROOM)


def _deliver(sender: HashExchange, to: HashExchange) -> list[tuple[int, bytes, bytes]]:
    return [found for entry in _ride(sender) if (found := to.heard(entry)) is not None]


def test_equal_hashes_are_compared_once_and_raise_no_alarm() -> None:
    """Each side compares when it has both."""
    one, two = exchange(), exchange()
    assert one.own(30, A) is None
    assert _deliver(one, two) == []
    assert two.own(30, A) is None
    assert _deliver(two, one) == []
    assert (one.compared, two.compared) == (1, 1)


def test_a_difference_is_reported_once_with_the_frame_and_both_hashes() -> None:
    """The same frame on both sides, and a repeated packet is no second mismatch."""
    one, two = exchange(), exchange()
    one.own(30, A)
    entries = _ride(one)
    for entry in entries:
        two.heard(entry)
    assert two.own(30, B) == (B, A)
    for entry in entries:
        assert two.heard(entry) is None
    back = _ride(two)
    assert [one.heard(entry) for entry in back] == [(30, A, B)]
    assert [one.heard(entry) for entry in back] == [None]


def test_a_hash_rides_until_the_peer_says_that_it_has_it() -> None:
    """Lost packets are made up for by the next one; afterwards nothing rides any more."""
    one, two = exchange(), exchange()
    one.own(30, A)
    two.own(30, A)
    # Whatever is lost of these,
    for _ in range(5):
        assert len(_ride(one)) == 1
    assert not one.settled
    _deliver(one, two)
    _deliver(two, one)
    assert one.settled
    for _ in range(3):
        _deliver(two, one)
        _deliver(one, two)
    assert two.settled
    assert (_ride(one), _ride(two)) == ([], [])
    assert not one.riding


def test_each_entry_rides_again_by_its_own_time() -> None:
    """A new hash waits for none before it, and brings none of them forward."""
    one = exchange()
    frames = []
    for tick in range(8):
        one.own(tick, A)
        entries = one.entries(float(tick), tick + 3.0, ROOM)
        frames.append([int.from_bytes(entry[:4], "big") & 0xFFFF for entry in entries])
    assert frames == [[0], [1], [2], [0, 3], [1, 4], [2, 5], [0, 3, 6], [1, 4, 7]]


def test_a_packet_holds_as_many_entries_as_fit() -> None:
    """The oldest first; the others ride in the next one."""
    one = exchange()
    for frame in range(10):
        one.own(frame, A)
    rode = [len(one.entries(0.0, 1.0, 4)) for _ in range(4)]
    assert rode == [4, 4, 2, 0]


@given(seed=st.integers(0, 10**6), loss=st.floats(0, 0.8), every=st.sampled_from([1, 5, 30]))
def test_whatever_is_lost_the_exchange_ends_on_both_sides(seed: int, loss: float, every: int) -> None:
    """Both compare every frame once, both are settled, and then both fall silent."""
    rng = random.Random(seed)
    one, two = exchange(), exchange()
    frames = list(range(0, 30 * every, every))
    queue = {id(one): list(frames), id(two): list(frames)}
    for turn in range(3000):
        for sender, to in ((one, two), (two, one)):
            if queue[id(sender)] and rng.random() < 0.2:
                sender.own(queue[id(sender)].pop(0), A)
            for entry in sender.entries(turn, turn + 3, 5):
                if rng.random() >= loss or turn > 2000:
                    assert to.heard(entry) is None
    assert (one.settled, two.settled) == (True, True)
    assert (one.compared, two.compared) == (30, 30)
    assert (_ride(one), _ride(two)) == ([], [])


@pytest.mark.parametrize("way", [0, 3, 20])
@pytest.mark.parametrize("most", [1, 3, 90])
def test_a_hash_of_every_frame_over_a_slow_way_settles_soon(way: int, most: int) -> None:
    """`way` ticks long each, and full datagrams: two round trips behind the last hash both sides have compared every
    frame, if a datagram has room for more than a hash a tick."""
    one, two = HashExchange(2 * KEPT), HashExchange(2 * KEPT)
    frames = 40
    mail: dict[int, list[tuple[HashExchange, bytes]]] = {}
    tick = 0
    while not (one.settled and two.settled and tick > frames):
        for to, entry in mail.pop(tick, ()):
            to.heard(entry)
        for sender, to in ((one, two), (two, one)):
            if tick < frames:
                sender.own(tick, A)
            entries = sender.entries(tick, tick + 2 * way + 2, most)
            mail.setdefault(tick + way + 1, []).extend((to, entry) for entry in entries)
        tick += 1
        assert tick < (frames + 4 * way + 8 if most > 3 else 40 * frames)
    assert (one.compared, two.compared) == (frames, frames)


def test_where_both_want_more_than_a_datagram_has_room_for_both_get_it() -> None:
    """Two that were loaded again compare all that was played, at once: answers do not wait until nothing is wanted."""
    one, two = HashExchange(2 * KEPT), HashExchange(2 * KEPT)
    for frame in range(50):
        one.own(frame, A)
        two.own(frame, A)
    for turn in range(30):
        for sender, to in ((one, two), (two, one)):
            for entry in sender.entries(turn, turn, 5):
                to.heard(entry)
    assert one.settled
    assert two.settled
    assert (one.compared, two.compared) == (50, 50)


def test_a_bounded_number_of_frames_is_kept() -> None:
    """A peer that never answers costs bounded memory."""
    one = exchange()
    for frame in range(1000):
        one.own(frame, A)
    assert len(one._own) == len(one._wanted) == KEPT
    one.entries(0.0, 1.0, ROOM)
    for frame in range(1000, 2000):
        one.own(frame, A)
        one.entries(frame, frame + 1.0, ROOM)
    assert len(one._again_at) <= KEPT


def test_a_hash_that_is_no_longer_kept_is_not_waited_for() -> None:
    """A peer that heard the newer ones only, and the older ones fell out: settled must stay reachable."""
    one, two = exchange(), exchange()
    for frame in range(200):
        one.own(frame, A)
        two.own(frame, A)
        if frame % 5:
            _deliver(one, two)
            _deliver(two, one)
    for _ in range(200):
        _deliver(one, two)
        _deliver(two, one)
    assert (one.settled, two.settled) == (True, True)


def test_an_entry_that_comes_after_its_frame_is_forgotten_is_not_compared_again() -> None:
    """A channel may deliver its queue seconds late: both sides still compare the same number."""
    one, two = exchange(), exchange()
    two.own(0, A)
    old = _ride(two)
    for entry in old:
        one.heard(entry)
    one.own(0, A)
    for frame in range(1, KEPT + 1):
        two.own(frame, A)
        _deliver(two, one)
    assert one.compared == 1
    for entry in old:
        one.heard(entry)
    assert one.compared == 1


# -- as a topic -------------------------------------------------------------------------------------------------


def topic(links: int = 1, every: int = 30) -> tuple[Hashes, list[Link], Journal]:
    """Hashes with so many peers."""
    made = [Link(Peer(n, [n]), (), [0], 0.0) for n in range(1, links + 1)]
    timeline = Timeline(Walk(1), Frames(1, 4, 4), [], None)
    journal = Journal(list(range(links + 1)), Episode(), timeline, 0.0, 1e12)
    who = Identity("hashes", list(range(links + 1)), 0, None, 1)
    over = Over(made)
    states = States(Streams(who, made, Outputs(who), over, journal), Walk(1), [], journal, False)
    return Hashes(made, journal, KEPT, 1 / 32, every, states), made, journal


def hashed(frame: int, episode: int = 0) -> Covered:
    """What we hashed before this frame."""
    return Covered(episode, frame, (frame, 0), [], 0)


@pytest.mark.parametrize("payload", [b"", b"1234", b"x" * 11, b"x" * 13, b"x" * 25])
def test_a_block_that_is_no_whole_entries_is_refused(payload: bytes) -> None:
    """One error type, before anything is kept."""
    of, (link,), _ = topic()
    with pytest.raises(DecodeError):
        of.check(payload)
    of.check(b"x" * 24)
    assert of.of(link)._theirs == {}


def test_every_peer_is_told_and_each_difference_is_news() -> None:
    """Also when the peer's hash came first."""
    of, links, journal = topic(2)
    of.take(links[0], (30).to_bytes(4, "big") + B, Arrival(0, 0, True, False, 1.0))
    of.own(hashed(30), A)
    of.take(links[1], (30).to_bytes(4, "big") + A, Arrival(0, 0, True, False, 1.0))
    assert all(link.agenda & of.bit for link in links)
    assert [len(of.payloads(link, 1.0, False, 900)) for link in links] == [1, 1]
    assert journal.fetch() == [Desync(seat=1, episode=0, frame=30, own=A.hex(), theirs=B.hex())]
    assert journal.mismatches == 1
    assert [of.compared(link) for link in links] == [1, 1]
    of.leave()
    assert [of.compared(link) for link in links] == [1, 1]
    assert not any(link.agenda & of.bit for link in links)


def test_a_block_stays_within_its_room() -> None:
    """Head included; a single entry rides whatever the room is, or it never would."""
    of, (link,), _ = topic()
    for frame in range(40):
        of.own(hashed(frame), A)
    for room in (0, 14, 15, 26, 27, 40, 300):
        of.of(link)._again_at.clear()
        (payload,) = of.payloads(link, 1.0, False, room)
        assert len(payload) == max(1, (room - 3) // ENTRY_BYTES) * ENTRY_BYTES


def test_on_another_way_everything_that_is_wanted_rides_at_once() -> None:
    """However long a round trip was on the way before: what rode there may never come."""
    of, (link,), _ = topic()
    link.paths.wire.sample(9.0)
    of.own(hashed(30), A)
    assert len(of.payloads(link, 1.0, False, 900)) == 1
    assert of.payloads(link, 1.5, True, 900) == ()
    link.ask_flush()
    assert len(of.payloads(link, 1.5, True, 900)) == 1
    link.flushed()
    assert of.payloads(link, 1.5, True, 900) == ()


@pytest.mark.parametrize(("every", "within"), [(30, 1.0), (2, 1.0), (1, 0.5)])
def test_a_hash_rides_again_in_time_though_the_round_trip_was_that_of_an_outage(every: int, within: float) -> None:
    """At the end of an episode all wait for it; of a game that hashes every frame it would be forgotten meanwhile."""
    of, (link,), _ = topic(every=every)
    link.paths.wire.sample(9.0)
    of.own(hashed(30), A)
    assert len(of.payloads(link, 1.0, False, 900)) == 1
    assert of.payloads(link, 0.99 + within, False, 900) == ()
    assert len(of.payloads(link, 1.0 + within, False, 900)) == 1


@pytest.mark.parametrize("every", [1, 7])
def test_sessions_that_hash_every_frame_over_a_slow_way_end_in_time(every: int) -> None:
    """300 ms one way: both compare the same number, one for each k-th frame and one at the end, without delay."""
    settings = Settings(
        max_steps=90, num_episodes=2, hash_interval=every, window=16, action_space={"type": "discrete", "n": 6}
    )
    mesh = Mesh(
        2, settings, lambda seat: Walk(2, seed=1), lambda seat: lambda episode, frame: frame // 5 % 6,
        Conditions(delay=0.3, server_delay=0.3), seed=3,
    )  # fmt: skip
    mesh.run(60.0)
    assert mesh.over
    compared = [peer.session.hashes_compared for peer in mesh.peers]
    assert compared == [2 * (89 // every + 1)] * 2
    assert [peer.session.reason for peer in mesh.peers] == ["complete"] * 2
    # Two episodes of 3 s at full speed, stalls of a window that is shorter than a round trip, two handshakes.
    assert mesh.now < 20.0
