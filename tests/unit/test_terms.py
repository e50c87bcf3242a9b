"""TERMS: all begin the first episode with the same input delays, whoever goes meanwhile and whatever is lost."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from core_support import Table, settings

from pycore import Settings
from pycore.errors import DecodeError
from pycore.events import DelaysChanged, SessionEnded
from pycore.link.link import Link
from pycore.link.peer import Peer
from pycore.session.phases import CONNECTING, DONE, FAILED, PLAYING
from pycore.session.topics.terms import DECIDED, Terms
from pycore.session.topics.topic import TERMS, Arrival
from pycore.testing import Conditions, Mesh, Walk
from pycore.testing.pages import Page, Watcher
from pycore.wire import datagram

SIX = {"type": "discrete", "n": 6}


# -- the rules, without time and network ----------------------------------------------------------------------------


class There:
    """Who is there and who is gone, as one peer knows it."""

    def __init__(self, me: int, count: int) -> None:
        self.links = [Link(Peer(number, [number]), [], [], 0.0) for number in range(count) if number != me]
        self.gone: dict[int, Any] = {}

    def depart(self, number: int) -> None:
        """A peer is gone for good."""
        if number not in self.gone:
            self.gone[number] = None
            self.links[:] = [link for link in self.links if link.peer.number != number]


class One:
    """One peer of the game of rules: it says what it knows, and takes in what others said at any time."""

    def __init__(self, me: int, count: int, delays: list[int]) -> None:
        self.me = me
        self.there = There(me, count)
        self.terms = Terms(self.there, len(delays))  # type: ignore[arg-type]
        self.delays = delays

    def says(self) -> bytes | None:
        """What it would send to everybody now."""
        said = [self.terms.payloads(link, 0.0, False, 999) for link in self.there.links]
        return said[0][0] if said and said[0] else None

    def hears(self, sender: int, payload: bytes) -> None:
        """Something came, unless the sender is gone here."""
        for link in self.there.links:
            if link.peer.number == sender:
                self.terms.check(payload)
                self.terms.take(link, payload, Arrival(0, 0, False, False, 0.0))


def explored(seed: int) -> Counter[str]:
    """A game of the rules in some order: packets come late, twice or never, and some of the peers go.

    Who has decided and knows that all who are there have as well plays; behind that nothing may change. In the end
    everything comes, and all who are left have decided alike.
    """
    rng = random.Random(seed)
    count = rng.choice((3, 3, 4, 5))
    peers = [One(me, count, [rng.randrange(5) for _ in range(count)]) for me in range(count)]
    leaving = rng.sample(range(count), rng.randrange(count - 1))
    gone: set[int] = set()
    flying: list[tuple[int, int, bytes]] = []
    seen: Counter[str] = Counter()

    def step(one: One, what: float) -> None:
        if what < 0.15 and not one.terms.proposed:
            one.terms.propose(one.delays)
        elif what < 0.45:
            payload = one.says()
            flying.extend((one.me, other, payload) for other in range(count) if payload is not None and other != one.me)
        elif what < 0.8 and flying:
            sender, to, payload = rng.choice(flying)
            if rng.random() < 0.7:
                flying.remove((sender, to, payload))
            if to not in gone and rng.random() < 0.8:
                before = peers[to].terms.decided
                peers[to].hears(sender, payload)
                seen["adopted"] += before is None and peers[to].terms.decided is not None
        elif what < 0.9:
            seen["decided"] += one.terms.decided is None and one.terms.decide()
        elif leaving and what < 0.92:
            gone.add(leaving.pop())
        elif gone:
            one.there.depart(rng.choice(sorted(gone)))

    for _ in range(rng.randrange(20, 160)):
        here = [one for one in peers if one.me not in gone]
        step(rng.choice(here), rng.random())
        seen["conflict"] += len({one.terms.decided for one in here} - {None}) > 1
    here = [one for one in peers if one.me not in gone]
    decided = {one.terms.decided for one in here} - {None}
    seen["before all had"] += bool(gone) and len(decided) == 1 and any(one.terms.decided is None for one in here)
    for one in here:
        for number in gone:
            one.there.depart(number)
        if not one.terms.proposed:
            one.terms.propose(one.delays)
    for _ in range(2 * count):
        said = [(one.me, one.says()) for one in here]
        for one in here:
            one.terms.decide()
            for sender, payload in said:
                if sender != one.me and payload is not None:
                    one.hears(sender, payload)
    ends = {one.terms.decided for one in here}
    assert len(ends) == 1, (seed, ends)
    assert None not in ends, seed
    assert seen["conflict"] == 0, seed
    (end,) = ends
    assert end is not None
    low = [max(one.delays[seat] for one in here) for seat in range(count)]
    high = [max(one.delays[seat] for one in peers) for seat in range(count)]
    assert all(least <= of <= most for least, of, most in zip(low, end, high, strict=True)), seed
    seen["of the gone"] += list(end) != low
    return seen


@pytest.mark.slow
def test_in_whatever_order_things_happen_all_who_are_left_decide_alike() -> None:
    """Three to five of whom some go. That decisions were heard of, and proposals of who is gone counted, happened."""
    seen = sum(map(explored, range(2000)), Counter[str]())
    assert min(seen[what] for what in ("adopted", "decided", "before all had", "of the gone")) > 50, seen


@pytest.mark.parametrize(
    "payload", [b"", b"\0\0\0\2\1", b"\0\0\0\2\1\1\1", b"\0\0\0\3\1\1", b"\0\0\0\1\1\1", b"\0\0\0\2\1\75"]
)
def test_terms_of_another_size_or_beyond_what_can_be_are_refused(payload: bytes) -> None:
    """One delay for each seat, of at most 60 frames."""
    terms = Terms(There(0, 2), 2)  # type: ignore[arg-type]
    terms.check(b"\0\0\0\2\1\74")
    with pytest.raises(DecodeError):
        terms.check(payload)


# -- in sessions ----------------------------------------------------------------------------------------------------


class Wire(Watcher):
    """Looks at every datagram."""

    def __init__(self) -> None:
        self.terms = 0
        self.played_at: dict[int, float] = {}
        self.mesh: Any = None

    def arrived(self, page: Page, sender: int, data: bytes | None) -> None:
        if data is not None and data[0] == datagram.KIND:
            codecs = [seat.codec for seat in page.session.seats]
            frame, episode = page.session.timeline.current, page.session.episode
            found = datagram.take_apart(data, codecs, sender, len(codecs) - 1, frame, episode, 0, -1)
            self.terms += any(kind == TERMS for kind, _ in found[-1])

    def advanced(self, page: Page, flags: int) -> None:
        if page.session.phase == PLAYING and page.seat not in self.played_at:
            self.played_at[page.seat] = self.mesh.now


def meshed(seats: int, conditions: Conditions, seed: int = 3, **more: Any) -> tuple[Mesh, Wire]:
    """A mesh that has not run yet."""
    wire = Wire()
    of = Settings.of({"max_steps": 60, "num_episodes": 2, "action_space": SIX, "on_drop": "default_action", **more})
    mesh = Mesh(
        seats, of, lambda seat: Walk(seats, seed=1), lambda seat: lambda episode, frame: (frame // 4 + seat) % 6,
        conditions, seed=seed, watchers=[wire],
    )  # fmt: skip
    wire.mesh = mesh
    return mesh, wire


def test_with_a_fixed_delay_nothing_of_it_is_said() -> None:
    """Not a byte: the wire is what it was."""
    mesh, wire = meshed(3, Conditions(delay=0.09))
    mesh.run(60.0)
    assert (wire.terms, mesh.input_delays(0)) == (0, (1, 1, 1))
    mesh, wire = meshed(3, Conditions(delay=0.09), adaptive_input_delay="all")
    mesh.run(60.0)
    assert wire.terms > 0
    assert mesh.input_delays(0) == (3, 3, 3)


@pytest.mark.parametrize("seats", [2, 4])
@pytest.mark.parametrize("delay", [0.01, 0.06, 0.2])
def test_the_game_begins_at_most_a_round_trip_later(seats: int, delay: float) -> None:
    """And a tick: what is news goes out at once."""
    began = []
    for how in ("off", "all"):
        mesh, wire = meshed(seats, Conditions(delay=delay), adaptive_input_delay=how)
        mesh.run(60.0)
        assert [page.session.reason for page in mesh.peers] == ["complete"] * seats
        began.append(max(wire.played_at.values()))
    assert began[1] - began[0] <= 2 * delay + 1 / 30


@pytest.mark.slow
@pytest.mark.parametrize("how", ["all", "each"])
def test_over_any_network_all_begin_with_the_same_and_within_the_bounds(how: str) -> None:
    """Loss, jitter, channels that open late or never, pages that vanish while the others agree."""
    seen: Counter[str] = Counter()
    for seed in range(40):
        rng = random.Random(f"{how} {seed}")
        seats = rng.choice((2, 3, 4))
        conditions = Conditions(
            delay=rng.choice((0.01, 0.05, 0.12)), jitter=rng.choice((0.0, 0.05)), loss=rng.choice((0.0, 0.1, 0.4)),
            server_delay=rng.choice((0.02, 0.15)), opens_after=rng.choice((0.1, 0.1, 0.8, None)), tick_jitter=0.004,
        )  # fmt: skip
        mesh, _ = meshed(seats, conditions, seed, adaptive_input_delay=how, input_delay_max=4, p2p_wait=1.0,
                         dropped_after=4.0, max_steps=30, num_episodes=1)  # fmt: skip
        mesh.server.grace = 0.3
        vanishes = False
        if seats > 2 and rng.random() < 0.6:
            page = rng.choice(mesh.peers)
            vanishes = rng.random() < 0.3
            mesh.at(rng.uniform(0.0, 1.6), page.vanish if vanishes else page.leave)
        mesh.run(120.0)
        stay = [page for page in mesh.peers if not page.absent]
        assert sum(page.session.hash_mismatches + page.session.malformed for page in stay) == 0
        delays = {page.session.pacing.delays[0] for page in mesh.peers if page.session.pacing.delays}
        assert len(delays) <= 1, (seed, [page.session.pacing.delays for page in mesh.peers])
        reasons = {page.session.reason for page in stay}
        if vanishes and reasons != {"complete"}:
            # Who was never ready, and says nothing, is waited for as ever.
            assert reasons == {"ready_timeout"}, (seed, reasons)
            continue
        assert reasons == {"complete"}, (seed, reasons)
        (of,) = delays
        assert all(1 <= delay <= 4 for delay in of), (seed, of)
        seen["raised"] += max(of) > 1
        seen["by server"] += conditions.opens_after is None
        seen["gone"] += any(page.session.gone for page in stay)
        assert max(of) > 1 or conditions.delay < 0.05 or how == "each" or conditions.opens_after != 0.1, (seed, of)
    assert min(seen.values()) >= 4, seen


def test_what_the_first_episode_begins_with_is_told() -> None:
    """Where it is not what the study has."""
    mesh, _ = meshed(2, Conditions(delay=0.09), adaptive_input_delay="all", num_episodes=1)
    mesh.run(60.0)
    for page in mesh.peers:
        (told,) = page.events(DelaysChanged)
        assert (told.episode, told.before, told.frames) == (0, [1, 1], [3, 3])


def test_what_a_page_proposes_by_itself_counts_for_the_first_episode_too() -> None:
    """The largest of all that is proposed."""
    table = Table(2, settings(adaptive_input_delay="all", max_steps=20))
    table[1].propose_input_delay(5, seat=0)
    table.start()
    assert [session.pacing.delays for session in table.sessions] == [[(5, 1)]] * 2


def test_another_study_is_refused_by_name_and_not_waited_for() -> None:
    """Who is ready without a word of terms has none."""
    table = Table(2, each=[{"settings": settings(adaptive_input_delay="all")}, {"settings": settings()}])
    table.until(lambda: table[0].phase == FAILED and table[1].phase == FAILED)
    assert [session.reason for session in table.sessions] == ["config"] * 2
    assert "adaptive_input_delay differs" in table.events(0, SessionEnded)[0].text


def test_who_never_proposes_is_not_waited_for_for_ever() -> None:
    """As somebody who is never ready; it is named."""
    table = Table(2, settings(adaptive_input_delay="all", ready_timeout=3.0, p2p_wait=0.5))
    table[1].held_back = True
    ticks = table.until(lambda: table[0].phase == FAILED)
    assert 3.4 < ticks * table.period < 3.7
    assert table[0].reason == "ready_timeout"
    assert "player 1 proposed no input delay within" in table.events(0, SessionEnded)[0].text


def test_a_way_that_dies_while_they_agree_is_left_for_the_servers() -> None:
    """Silence counts from when something is awaited."""
    mesh, wire = meshed(2, Conditions(delay=0.02), adaptive_input_delay="all", num_episodes=1)
    for page in mesh.peers:
        page.session.held_back = True
    mesh.run(0.6)
    assert [page.session.phase for page in mesh.peers] == [CONNECTING] * 2
    mesh.cut()
    for page in mesh.peers:
        page.session.held_back = False
    mesh.run(60.0)
    assert [page.session.reason for page in mesh.peers] == ["complete"] * 2
    assert max(wire.played_at.values()) < 4.0


def test_alone_nobody_is_asked() -> None:
    """A person with a policy begins at once."""

    class Bot:
        def act(self, outlook: Any, frame: int, random: Any) -> int:
            return 1

    of = Settings(max_steps=20, action_space=SIX, adaptive_input_delay="all", policies={"1": "bot.py"})
    mesh = Mesh(1, of, lambda seat: Walk(2), lambda seat: lambda episode, frame: 1, policies=[Bot])
    mesh.run(20.0)
    assert mesh.peers[0].session.phase == DONE
    assert mesh.peers[0].session.pacing.delays == [(1, 1)]


def test_a_decision_that_comes_before_we_asked_is_no_word_to_us() -> None:
    """Nobody can have decided without us; who did calls us gone."""
    there = There(0, 2)
    terms = Terms(there, 2)  # type: ignore[arg-type]
    arrival = Arrival(0, 0, False, False, 0.0)
    terms.take(there.links[0], bytes((DECIDED, 0, 0, 2, 4, 4)), arrival)
    assert terms.decided is None
