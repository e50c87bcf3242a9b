"""Peers and seats are two things: a page may own several seats, or none, and each seat has its own terms."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from core_support import Table, actions_of, datagrams_of, opened, settings

from pycore.errors import ConfigError, UsageError
from pycore.events import PathChanged, SessionEnded
from pycore.session.phases import DONE, FAILED, HOLDING, PLAYING, READYING
from pycore.settings import Settings
from pycore.simulation import StepResult
from pycore.testing import Walk

MIXED: tuple[dict[str, Any], ...] = (
    {},
    {"action_space": {"type": "any"}, "default_action": "none"},
    {"action_space": {"type": "discrete", "n": 300}, "default_action": 299, "input_delay": 4},
)
"""Bytes of one, of any number, of two; delays of 1, 1 and 4 frames."""


def pressed(seat: int, frame: int) -> Any:
    """What a seat means to play in a frame, whatever its codec."""
    key = (frame // 3 + 2 * seat) % 6
    return f"k{key}" * (1 + key) if seat == 1 else key * 50 if seat == 2 else key


def play(
    table: Table, meant: Callable[[int, int], Any], loss: float = 0.0, late: float = 0.0, seed: int = 1
) -> list[list[dict[int, Any]]]:
    """Play to the end under loss and delay; returns per episode and seat what was fixed for each frame."""
    rng = random.Random(seed)
    fixed: list[list[dict[int, Any]]] = []
    waiting: list[tuple[int, int, Any]] = []
    for _ in range(6000):
        if all(session.phase in (DONE, FAILED) for session in table.sessions):
            return fixed
        table.now += table.period
        for peer, session in enumerate(table.sessions):
            own = table.owned[peer]
            actions = [meant(seat, session.frame + session.seats[seat].delay) for seat in own]
            before = [inputs.dispatched for inputs in session._parts.dispatch.own]
            episode = session.episode
            table.poll(peer, actions[0] if len(own) == 1 else actions)
            if session.episode != episode:
                continue
            while len(fixed) <= episode:
                fixed.append([{} for _ in session.players])
            for seat, was, inputs, action in zip(own, before, session._parts.dispatch.own, actions, strict=True):
                if inputs.dispatched > was and inputs.dispatched >= session.seats[seat].delay:
                    fixed[episode][seat][inputs.dispatched] = action
        arriving, waiting = waiting, []
        for sender, to, what in arriving + table.mail:
            if isinstance(what, bytes) and rng.random() < loss:
                continue
            if isinstance(what, bytes) and rng.random() < late:
                waiting.append((sender, to, what))
            else:
                table.arrive(sender, to, what)
        table.mail = []
        for peer in range(len(table.sessions)):
            table.advance(peer)
    raise AssertionError("the sessions do not end")


def truth(table: Table, fixed: Sequence[dict[int, Any]], episode: int) -> list[tuple[Any, ...]]:
    """What the episode must have been: everybody's true inputs, stepped by a bare loop."""
    session = table[0]
    simulation = Walk(len(session.players), seed=7)
    simulation.reset(episode)
    rows = []
    for frame in range(table.settings.max_steps):
        row = []
        for seat in session.seats:
            codec = seat.codec
            default = table.settings.of_seat(seat.number, "default_action")
            row.append(codec.decode(codec.encode(fixed[seat.number].get(frame, default))))
        result = simulation.step(row)
        assert result is not None
        rows.append((frame, row, result.rewards))
    return rows


class Ledger:
    """A sink that decodes what it is given."""

    def __init__(self) -> None:
        self.episodes: list[list[tuple[Any, ...]]] = []

    def frame(self, frame: Any) -> None:
        """A confirmed frame."""
        while len(self.episodes) <= frame.episode:
            self.episodes.append([])
        self.episodes[frame.episode].append((frame.frame, frame.decoded, frame.result.rewards))

    def end(self, episode: int, frames: int, digest: bytes) -> None:
        """Nothing to do."""

    def cut(self, episode: int, frames: int) -> None:
        """Nothing to do."""


def table_of(
    peers: Sequence[Sequence[int]], seats: Sequence[dict[str, Any]], **more: Any
) -> tuple[Table, list[Ledger]]:
    """A table of these peers, and what each of them records."""
    ledgers = [Ledger() for _ in peers]
    of = settings(**{"max_steps": 90, "num_episodes": 2, "hash_interval": 7, "seats": seats, **more.pop("of", {})})
    count = max(seat for owned in peers for seat in owned) + 1
    table = Table(count, of, peers=peers, each=[{"sinks": (ledger,)} for ledger in ledgers], **more)
    return table, ledgers


PLACES = {
    "one page with two seats": [[0, 2], [1]],
    "one page with all seats and one that watches": [[0, 1, 2], []],
    "one that watches among those who play": [[0], [], [1], [2]],
    "two pages with two seats each": [[0, 3], [1, 2]],
    "one page alone with three seats": [[0, 1, 2]],
    "each its own": [[0], [1], [2]],
    "only the lower seats' owner plays fast": [[1], [0, 2]],
}


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize(("loss", "late"), [(0.0, 0.0), (0.15, 0.4)])
def test_whoever_owns_which_seat_everybody_has_the_truth(where: str, loss: float, late: float) -> None:
    """Seats of different codecs, default actions and delays; two episodes, hashes compared, nothing lost."""
    table, ledgers = table_of(PLACES[where], MIXED)
    fixed = play(table, pressed, loss, late)
    assert {session.reason for session in table.sessions} == {"complete"}
    for episode in (0, 1):
        expected = truth(table, fixed[episode], episode)
        for ledger in ledgers:
            assert ledger.episodes[episode] == expected
    for session in table.sessions:
        assert session.hash_mismatches == session.contradictions == session.malformed == 0
        for link in session.links:
            # The final states, and every seventh one.
            assert session.hashes_compared_with(link.peer.number) == 2 * (90 // 7 + 1)
    if loss and len(table.sessions) > 1:
        assert any(session.timeline.rollbacks for session in table.sessions)


@pytest.mark.parametrize("where", ["one page with two seats", "two pages with two seats each", "each its own"])
def test_through_the_server_alone_it_is_the_same(where: str) -> None:
    """Every seat's inputs are events with its player's id."""
    table, ledgers = table_of(PLACES[where], MIXED, channel=-1, of={"p2p": False})
    fixed = play(table, pressed)
    for episode in (0, 1):
        expected = truth(table, fixed[episode], episode)
        assert all(ledger.episodes[episode] == expected for ledger in ledgers)
    for peer, owned in enumerate(table.owned):
        assert {data["player_id"] for data in actions_of(table.sent[peer])} == set(owned)


def test_a_path_that_closes_in_the_middle_takes_all_seats_of_a_page_along() -> None:
    """From the first refused input of each seat on, everything goes by the server, and back again."""
    table, ledgers = table_of([[0, 2], [1]], MIXED, of={"max_steps": 300, "num_episodes": 1})

    def meant(seat: int, frame: int) -> Any:
        now = table[0].frame
        state = -2 if 40 <= now < 60 or 100 <= now < 103 else 0
        table.channels = [[state], [state]]
        return pressed(seat, frame)

    fixed = play(table, meant, loss=0.05)
    expected = truth(table, fixed[0], 0)
    assert all(ledger.episodes[0] == expected for ledger in ledgers)
    counts = table[0].links[0].counts
    assert counts.sent_via_socketio > 20
    assert counts.sent_via_p2p > 50


def test_a_page_with_two_seats_sends_one_packet_a_tick_with_both_inputs() -> None:
    """The first seat's inputs stand in front, the other's are a run."""
    table, _ = table_of([[0, 2], [1]], ())
    table.start()
    table.ticks(10)
    table.tick([3, 4], 5)
    (data,) = datagrams_of(table.outputs[0])
    packet = opened(table[0], data)
    assert packet.inputs[-1] == b"\3"
    assert [(run.seat, run.inputs[-1]) for run in packet.runs] == [(2, b"\4")]
    assert len(packet.receipts) == 1


def test_a_receipt_for_one_own_seat_counts_though_another_has_not_got_so_far() -> None:
    """Seats of different delays: the first one has dispatched less, and what the peer knows stays what it was."""
    table, _ = table_of([[0, 2], [1]], MIXED, of={"max_steps": 400, "num_episodes": 1})
    table.start()
    table.held = True
    table.ticks(5)
    link = table[0].links[0]
    short, long = link.own
    acked, known, frame = short.acked, link.peer.known, long.dispatched
    assert long.acked < short.dispatched < frame
    table[0].acknowledge(1, frame)
    assert (short.acked, long.acked, link.peer.known) == (acked, frame, known)
    table[0].acknowledge(1, short.dispatched)
    assert (short.acked, link.peer.known) == (short.dispatched, short.dispatched)


def test_a_page_without_a_seat_gives_no_input_and_holds_everybody_up_if_it_lacks_one() -> None:
    """It is a peer: what it does not hold is not confirmed, and it sends receipts only."""
    table, _ = table_of([[0], [1], []], (), of={"max_steps": 400, "num_episodes": 1})
    table.start()
    table.ticks(20)
    watcher = table[2]
    assert watcher.dispatched == watcher.frame - 1
    for data in datagrams_of(table.sent[2]):
        packet = opened(watcher, data)
        assert (packet.inputs, packet.runs) == ([], [])
        assert len(packet.receipts) == 2
    confirmed = table[0].confirmed
    assert confirmed > 10
    table.passes = lambda sender, to, what: to != 2
    table.ticks(12)
    assert table[0].confirmed <= confirmed + 2


def test_a_watcher_with_nothing_to_press_polls_with_none() -> None:
    """And whoever owns two seats gives two actions, no more and no less."""
    table, _ = table_of([[0, 1], []], ())
    table[1].poll(table.now, None, [0])
    table[1].poll(table.now, [], [0])
    for wrong in ([1], [1, 2, 3], []):
        with pytest.raises(UsageError, match="actions for 2 own seats"):
            table[0].poll(table.now, wrong, [0])


@pytest.mark.parametrize("peers", [[[0], [1], []], [[0, 1], [], []], [[0], [1], [], []]])
@pytest.mark.parametrize("seed", range(6))
def test_under_loss_who_watches_keeps_to_the_channel_and_comes_to_every_end(peers: list[list[int]], seed: int) -> None:
    """Of every three packets one is lost: nothing else leads to a page without a seat, so its channel is not left for
    being slow to answer."""
    table, ledgers = table_of(peers, ({}, {}), of={"max_steps": 40, "num_episodes": 2, "hash_interval": 10})
    fixed = play(table, lambda seat, frame: (frame // 3 + seat) % 6, loss=0.33, late=0.3, seed=seed)
    assert [session.reason for session in table.sessions] == ["complete"] * len(peers)
    for episode in (0, 1):
        for ledger in ledgers:
            assert ledger.episodes[episode] == truth(table, fixed[episode], episode)
    for peer, session in enumerate(table.sessions):
        changes = [event for event in table.events(peer, PathChanged) if event.seat < 0 or not table.owned[peer]]
        assert {change.cause for change in changes} <= {"opened"}
        assert session.malformed == 0


def test_two_who_watch_may_be_further_apart_than_who_plays() -> None:
    """One of them holds at the end, when the other one hears from it that it is ready: by the same packet, which has
    the end as well. Nobody waits for an input of theirs."""
    table = Table(2, settings(max_steps=40, hash_interval=10), peers=[[0, 1], [], []])
    other = table[1].link_to(2).peer
    table.passes = lambda sender, to, what: (sender, to) != (2, 1) or not other.ready
    table.until(lambda: table[0].phase == table[2].phase == HOLDING, most=300)
    assert table[1].phase == PLAYING
    assert not other.hears_ready
    assert table[1].frame + table[1].timeline.frames.ahead < table[2].frame
    table.passes = lambda sender, to, what: True
    table.until(lambda: all(session.phase >= DONE for session in table.sessions), most=64)
    assert [session.reason for session in table.sessions] == ["complete"] * 3
    assert table.published[0] == table.published[1] == table.published[2]
    assert [session.malformed for session in table.sessions] == [0, 0, 0]


def test_a_seat_that_nobody_owns_plays_its_default_action() -> None:
    """Nobody waits for it."""
    table, ledgers = table_of([[0], [2]], MIXED[:2], of={"num_episodes": 1})
    fixed = play(table, lambda seat, frame: 1)
    assert [session.reason for session in table.sessions] == ["complete", "complete"]
    assert all(row[1][1] == "none" for row in ledgers[0].episodes[0])
    assert ledgers[0].episodes[0] == ledgers[1].episodes[0] == truth(table, fixed[0], 0)


def test_where_the_default_action_is_predicted_it_is_each_seats_own() -> None:
    """The guess of a frame whose input is missing; a player who presses nothing is never mispredicted."""
    table, ledgers = table_of(PLACES["each its own"], MIXED, of={"num_episodes": 1, "prediction": "default_action"})
    defaults = [0, "none", 299]
    play(table, lambda seat, frame: defaults[seat], late=0.6)
    assert all(row[1] == defaults for ledger in ledgers for row in ledger.episodes[0])
    assert all(session.timeline.resimulated == 0 < session.timeline.total for session in table.sessions)


@pytest.mark.parametrize(
    ("peers", "message"),
    [
        ([[0], [0, 1]], "cannot own seat 0"),
        ([[0], [2]], "cannot own seat 2"),
        ([[1, 0], []], "must ascend"),
        ([[0, 0], [1]], "must ascend"),
    ],
)
def test_seats_that_cannot_be_owned_so_are_refused(peers: list[list[int]], message: str) -> None:
    """Each seat by one page at most, in order."""
    with pytest.raises(ConfigError, match=message):
        Table(2, peers=peers)


def test_settings_for_a_seat_that_does_not_exist_are_refused() -> None:
    """And those of an unknown name."""
    with pytest.raises(ConfigError, match="settings for 3 seats; there are 2"):
        Table(2, settings(seats=({}, {}, {"input_delay": 2})))
    with pytest.raises(ConfigError, match="seats\\[0\\] has 'fps'"):
        Settings(seats=({"fps": 3},))


# -- input delays that change between two episodes -----------------------------------------------------------------


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_the_largest_proposal_counts_from_the_next_episode_on(loss: float) -> None:
    """Everybody plays episode 0 as configured; what is proposed with its ready counts for episode 1, for all alike."""
    table, ledgers = table_of([[0, 2], [1]], MIXED, of={"num_episodes": 3})
    table[0].propose_input_delay(6, 0)
    table[1].propose_input_delay(3, 0)
    table[1].propose_input_delay(2, 1)
    assert [seat.delay for seat in table[0].seats] == [1, 1, 4]
    seen: list[set[tuple[int, ...]]] = [set(), set(), set()]

    def meant(seat: int, frame: int) -> Any:
        for session in table.sessions:
            if session.phase in (READYING, PLAYING, HOLDING):
                seen[session.episode].add(tuple(seat.delay for seat in session.seats))
        return pressed(seat, frame)

    fixed = play(table, meant, loss)
    assert {session.reason for session in table.sessions} == {"complete"}
    assert seen[1] == seen[2] == {(6, 2, 4)}
    delays = [[1, 1, 4], [6, 2, 4], [6, 2, 4]]
    for episode in range(3):
        expected = truth(table, fixed[episode], episode)
        assert ledgers[0].episodes[episode] == ledgers[1].episodes[episode] == expected
        for seat, delay in enumerate(delays[episode]):
            default = table.settings.of_seat(seat, "default_action")
            assert [row[1][seat] for row in expected[:delay]] == [default] * delay
            assert min(fixed[episode][seat]) == delay


def test_a_proposal_may_be_lower_and_for_all_seats_at_once() -> None:
    """Where everybody proposes less, it is less."""
    table = Table(2, settings(max_steps=30, num_episodes=2, input_delay=5))
    for session in table.sessions:
        session.propose_input_delay(2)
    table.until(lambda: all(session.episode == 1 and session.phase == READYING for session in table.sessions), 400)
    assert [[seat.delay for seat in session.seats] for session in table.sessions] == [[2, 2], [2, 2]]
    table.finish()
    assert table.published[0] == table.published[1]


def test_a_ring_grows_with_the_delay_that_was_proposed() -> None:
    """From 0 to 60 frames: what a peer can reach is further away, and the window is what it was."""
    table, ledgers = table_of([[0], [1]], ({"input_delay": 0}, {"input_delay": 0}), of={"max_steps": 200})
    size = table[0].timeline.frames.size
    table[1].propose_input_delay(60)
    fixed = play(table, lambda seat, frame: frame % 6, loss=0.1, late=0.3)
    assert [session.reason for session in table.sessions] == ["complete", "complete"]
    assert table[0].timeline.frames.size > size
    for episode in (0, 1):
        assert ledgers[0].episodes[episode] == ledgers[1].episodes[episode] == truth(table, fixed[episode], episode)


class Until(Walk):
    """Ends with a 5 of seat 0, so that the end depends on the seat with the longer delay."""

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        result = super().step(actions)
        assert result is not None
        result.done = self.state[0] > 30 and actions[0] == 5
        return result


@pytest.mark.parametrize("delays", [(0, 8), (8, 0), (3, 3)])
def test_an_end_that_comes_by_an_input_is_the_same_with_any_delays(delays: tuple[int, int]) -> None:
    """Both hold there, with every input of both, whichever lies further ahead."""
    seats = tuple({"input_delay": delay} for delay in delays)
    table, ledgers = table_of(
        [[0], [1]], seats, simulation=lambda peer: Until(2, seed=7), of={"max_steps": 300, "num_episodes": 2}
    )
    play(table, lambda seat, frame: frame // 4 % 6, loss=0.1, late=0.3)
    assert [session.reason for session in table.sessions] == ["complete", "complete"]
    assert ledgers[0].episodes == ledgers[1].episodes
    assert {event.reason for session in table.sessions for event in session.ended} == {"done"}
    assert table.events(0, SessionEnded)[0].reason == "complete"
