"""From confirmed frames to sinks: in order, once, as time allows, and with hashes that cover what is recorded."""

from __future__ import annotations

import random
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import pytest
from core_support import Table, Taken, settings

from pycore.actions.codec import action_codec
from pycore.events import Desync
from pycore.rollback.frames import Frames
from pycore.rollback.seats import Seat
from pycore.rollback.timeline import Timeline
from pycore.session.phases import DONE
from pycore.session.publication import BEHIND, ITEMS, PER_TICK, Publication
from pycore.simulation import Contents, StepResult
from pycore.testing import Walk
from pycore.values import canonical
from pycore.values.results import results_text


class Large(Walk):
    """A walk with luggage: several times what is encoded in one tick."""

    VALUES = 3 * ITEMS

    def _luggage(self, state: Any) -> Any:
        # Nested, so that it is encoded in pieces.
        return [state[0], state[1], [[state[1] & 255, number] for number in range(self.VALUES // 2)]]

    def canonical(self, state: object) -> bytes:
        return canonical.encode(self._luggage(state))


class Pieces(Large):
    """The same, which tells what is in it; `canonical` is never needed for a hash."""

    def contents(self, state: object) -> Any:
        """The value to be encoded."""
        return self._luggage(state)


class Bench:
    """A timeline whose inputs are all known, and a publication behind it."""

    def __init__(self, simulation: Walk, every: int = 10, last: int = 10**6) -> None:
        codec = action_codec({"type": "discrete", "n": 6}, 100)
        seats = [Seat(number, number, codec, 0, 0) for number in range(2)]
        self.simulation = simulation
        self.timeline = Timeline(simulation, Frames(2, 200, 200), seats, None)
        simulation.reset(0)
        self.timeline.begin(last)
        self.sink = Taken()
        self.hashes: list[tuple[int, int, bytes]] = []
        self.publication = Publication((self.sink,), every, lambda *said: self.hashes.append(said), 2)
        self.publication.begin(large=True)

    def step(self, frames: int, action: int = 1) -> Bench:
        """Step so many frames and collect them."""
        for _ in range(frames):
            frame = self.timeline.current
            for seat in (0, 1):
                self.timeline.fix(seat, frame, bytes((action,)))
            self.timeline.advance(True)
        self.publication.collect(0, self.timeline.current - 1, self.timeline)
        return self

    def work(self, busy: bool = False) -> int:
        """One tick's work; how many frames came out of it."""
        before = len(self.sink.rows)
        self.publication.work(self.simulation, busy)
        return len(self.sink.rows) - before

    def finish(self) -> Bench:
        """The last frame was collected."""
        self.publication.finish(0, self.timeline.state(self.timeline.current))
        self.publication.flush(self.simulation)
        return self


def expected(simulation: Walk, frames: int, every: int, action: int = 1) -> dict[int, bytes]:
    """The hashes that must come, by frame: the state before it, and the rows since the hash before."""
    simulation.reset(0)
    found = {}
    rows = blake2b(digest_size=8)
    for frame in range(frames + 1):
        if frame == frames or (frame and frame % every == 0):
            state = blake2b(simulation.canonical(simulation.save()), digest_size=8)
            state.update(rows.digest())
            found[frame] = state.digest()
            rows = blake2b(digest_size=8)
        if frame < frames:
            result = simulation.step((action, action))
            rows.update(bytes((action, action)) + results_text(result).encode())
    return found


# -- as time allows -----------------------------------------------------------------------------------------------


def test_a_tick_completes_a_few_frames_and_keeps_their_order() -> None:
    """What was collected waits; it goes out in order, each frame once."""
    bench = Bench(Walk(2)).step(10)
    assert (bench.publication.collected, bench.publication.published) == (9, -1)
    assert bench.sink.rows == []
    assert [bench.work() for _ in range(4)] == [PER_TICK, PER_TICK, 10 - 2 * PER_TICK, 0]
    assert [row[1] for row in bench.sink.rows] == list(range(10))
    assert bench.publication.published == 9


def test_a_tick_with_a_rollback_leaves_it_to_the_next_ones() -> None:
    """But for one frame if more than a tick's work waits, and unless too many do."""
    bench = Bench(Walk(2)).step(PER_TICK)
    assert bench.work(busy=True) == 0
    bench.step(BEHIND - PER_TICK)
    assert bench.work(busy=True) == 1
    bench.step(2)
    assert bench.work(busy=True) == PER_TICK
    assert bench.work(busy=True) == 1
    assert bench.work() == PER_TICK


def test_what_waits_in_a_session_is_soon_published() -> None:
    """A few ticks behind, whatever the network does, and complete at the end."""
    table = Table(2, settings(max_steps=200, hash_interval=5)).start()
    rng = random.Random(1)
    table.passes = lambda sender, to, what: not isinstance(what, bytes) or rng.random() < 0.7
    most = 0
    while table[0].phase != DONE:
        table.tick(rng.randrange(6), rng.randrange(6))
        assert table[0].published <= table[0].published + table[0].waiting <= table[0].confirmed + 1
        most = max(most, table[0].waiting)
    assert 0 < most <= BEHIND + 1
    assert [row[1] for row in table.published[0]] == list(range(201))
    assert table[0].waiting == 0


# -- hashes -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("frames", "every"), [(35, 10), (40, 10), (9, 10), (12, 1)])
@pytest.mark.parametrize("kind", [Walk, Large, Pieces])
def test_a_hash_covers_the_state_and_the_rows_since_the_last_one(kind: type[Walk], frames: int, every: int) -> None:
    """On every k-th frame and at the end, where a final state on a k-th frame is hashed once."""
    bench = Bench(kind(2, seed=3), every).step(frames).finish()
    wanted = expected(kind(2, seed=3), frames, every)
    assert {frame: digest for _, frame, digest in bench.hashes} == wanted
    assert len(bench.hashes) == len(wanted)
    assert {row[1]: row[3] for row in bench.sink.rows if row[3] is not None} == wanted
    assert bench.sink.rows[-1] == (0, frames, (), wanted[frames])
    assert bench.publication.ended


class Generous(Walk):
    """The same states as a walk, with another reward in frame 13."""

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        result = super().step(actions)
        assert result is not None
        if self.state[0] == 14:
            result.rewards[0] += 1
        return result


def test_a_reward_that_differs_is_found_by_the_next_hash_and_by_no_other() -> None:
    """The states are alike for ever; what is recorded is not."""
    one = Bench(Walk(2, seed=3)).step(35).finish()
    two = Bench(Generous(2, seed=3)).step(35).finish()
    differing = [mine[1] for mine, other in zip(one.hashes, two.hashes, strict=True) if mine != other]
    assert differing == [20]


def test_two_peers_whose_rewards_differ_are_told() -> None:
    """In a session: a desync at the hash behind the row, on both sides."""
    of = settings(max_steps=60, hash_interval=10)
    table = Table(2, of, simulation=lambda peer: (Generous if peer else Walk)(2, seed=3)).finish()
    for peer in (0, 1):
        assert [event.frame for event in table.events(peer, Desync)] == [20]


# -- in pieces ----------------------------------------------------------------------------------------------------


def test_a_large_state_is_encoded_over_several_ticks_and_nothing_overtakes_it() -> None:
    """The frame with the hash waits for it, and all behind wait for the frame."""
    bench = Bench(Pieces(2, seed=3), every=4).step(8)
    assert isinstance(bench.simulation, Contents)
    assert bench.work() == 4
    empty = 0
    while not (done := bench.work()):
        empty += 1
    assert empty >= 2
    assert done == PER_TICK
    assert [row[1] for row in bench.sink.rows] == list(range(8))
    assert {frame: digest for _, frame, digest in bench.hashes} == {
        4: expected(Pieces(2, seed=3), 8, 4)[4],
    }  # fmt: skip


@pytest.mark.parametrize("pieces", range(4))
@pytest.mark.slow
def test_a_flush_finishes_what_was_begun(pieces: int) -> None:
    """At whatever place the encoder stands: the hash is the same."""
    bench = Bench(Pieces(2, seed=3), every=4).step(6)
    for _ in range(1 + pieces):
        bench.work()
    bench.step(5).finish()
    wanted = expected(Pieces(2, seed=3), 11, 4)
    assert {frame: digest for _, frame, digest in bench.hashes} == wanted


@pytest.mark.slow
def test_who_encodes_in_pieces_agrees_with_who_does_not() -> None:
    """One page has the newer adapter: the hashes are of the same bytes."""
    of = settings(max_steps=60, hash_interval=7, num_episodes=2)
    table = Table(2, of, simulation=lambda peer: (Pieces if peer else Large)(2, seed=3)).finish()
    assert [session.reason for session in table.sessions] == ["complete", "complete"]
    assert [session.hash_mismatches for session in table.sessions] == [0, 0]
    assert [session.hashes_compared for session in table.sessions] == [2 * 9, 2 * 9]
    assert table.published[0] == table.published[1]


# -- cut ----------------------------------------------------------------------------------------------------------


def test_a_cut_drops_what_waits_and_takes_back_what_was_published() -> None:
    """Sinks are told only if they have something of it."""
    bench = Bench(Walk(2)).step(10)
    bench.work()
    bench.publication.cut(0, 7)
    assert bench.sink.cuts == []
    assert bench.publication.collected == 6
    bench.publication.flush(bench.simulation)
    assert [row[1] for row in bench.sink.rows] == list(range(7))
    bench.publication.cut(0, 5)
    assert bench.sink.cuts == [(0, 5)]
    assert [row[1] for row in bench.sink.rows] == list(range(5))
    assert (bench.publication.collected, bench.publication.published) == (4, 4)
    bench.publication.flush(bench.simulation)
    assert len(bench.sink.rows) == 5


def test_a_cut_through_a_state_that_is_being_encoded_leaves_nothing_of_it() -> None:
    """Neither its hash nor its frame comes out; what is before it stays whole."""
    bench = Bench(Pieces(2, seed=3), every=4).step(9)
    bench.work()
    bench.work()
    assert bench.hashes == []
    bench.publication.cut(0, 4)
    bench.publication.flush(bench.simulation)
    assert [row[1] for row in bench.sink.rows] == list(range(4))
    assert bench.hashes == []


def test_the_state_that_is_hashed_next_after_such_a_cut_is_encoded_from_its_beginning() -> None:
    """What was begun belonged to a frame that is no more."""
    bench = Bench(Pieces(2, seed=3), every=4).step(9)
    bench.work()
    bench.work()
    bench.publication._hash_rows(len(bench.publication._unhashed))
    rows = bench.publication._rows.copy()
    bench.publication.cut(0, 4)
    state = bench.timeline.state(7)
    bench.publication.finish(0, state)
    bench.publication.flush(bench.simulation)
    wanted = blake2b(bench.simulation.canonical(state), digest_size=8)
    wanted.update(rows.digest())
    assert bench.hashes == [(0, 4, wanted.digest())]


def test_a_cut_behind_a_state_that_is_being_encoded_does_not_disturb_it() -> None:
    """Its hash is the right one, begun anew or not."""
    bench = Bench(Pieces(2, seed=3), every=4).step(9)
    bench.work()
    bench.work()
    bench.publication.cut(0, 7)
    bench.publication.flush(bench.simulation)
    assert [row[1] for row in bench.sink.rows] == list(range(7))
    assert bench.hashes == [(0, 4, expected(Pieces(2, seed=3), 8, 4)[4])]


def test_the_end_is_published_once_and_not_before_every_frame() -> None:
    """Said twice, it is one end."""
    bench = Bench(Walk(2)).step(6)
    for _ in range(2):
        bench.publication.finish(0, bench.timeline.state(6))
    assert bench.work() == PER_TICK
    assert not bench.publication.ended
    assert bench.work() == 3
    assert bench.publication.ended
    assert [len(row[2]) for row in bench.sink.rows] == [2] * 6 + [0]
    assert bench.work() == 0


def test_an_episode_begins_with_nothing_of_the_one_before() -> None:
    """Rows, hashes and numbers start anew."""
    bench = Bench(Walk(2, seed=3)).step(13).finish()
    first = list(bench.hashes)
    bench.simulation.reset(0)
    bench.timeline.begin(10**6)
    bench.publication.begin(large=True)
    assert (bench.publication.collected, bench.publication.published, bench.publication.ended) == (-1, -1, False)
    bench.step(13).finish()
    assert bench.hashes[len(first) :] == first


# -- the text of a frame ------------------------------------------------------------------------------------------


def test_a_frame_is_told_with_its_results_as_text_and_its_actions_decoded() -> None:
    """Made once, before any sink has it; a sink may keep the object."""
    bench = Bench(Walk(2, seed=3), every=3).step(4)
    kept: list[Any] = []

    class Keeper(Taken):
        def frame(self, frame: Any) -> None:
            kept.append(frame)

    keeper = Keeper()
    bench.publication = Publication((keeper, bench.sink), 3, lambda *said: None, 2)
    bench.publication.collect(0, 3, bench.timeline)
    bench.publication.flush(bench.simulation)
    assert [frame.text for frame in kept] == bench.sink.texts
    assert all(frame.text == results_text(frame.result) for frame in kept)
    assert kept[0].text.startswith(',"infos":{},"rewards":{"0":')
    assert [frame.decoded for frame in kept] == [[1, 1]] * 4
    assert [frame.digest is not None for frame in kept] == [False, False, False, True]
    assert kept[3].state is None


def test_results_text_is_the_same_whatever_the_order_of_the_agents() -> None:
    """Keys are sorted as text; ids may be of several types."""
    one = StepResult({1: 0, "a": 2}, {1: False, "a": False}, {1: False, "a": True}, {1: {}, "a": {"x": 1}}, False)
    two = StepResult({"a": 2, 1: 0}, {"a": False, 1: False}, {"a": True, 1: False}, {"a": {"x": 1}, 1: {}}, False)
    assert results_text(one) == results_text(two)
    assert results_text(None) == ""
