"""What is bounded in a session: burdens, advantages, bytes, guesses that go wrong. Hand-written, in virtual time."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import core_view
import pytest
from core_support import Table, actions_of, datagrams_of, opened
from hypothesis import example, given
from hypothesis import strategies as st
from test_seats_of_peers import play, table_of, truth
from watching import Windows

from pycore import P2P, SEND, ActionError, Settings, StepResult
from pycore.events import PeerStatus
from pycore.session.topics.topic import STATUS
from pycore.testing import Conditions, Mesh, Walk, ground_truth, wrong_with
from pycore.values import canonical

SIX = {"type": "discrete", "n": 6}


def key(seat: int) -> Callable[[int, int], Any]:
    """A player who holds each key for four frames."""
    return lambda episode, frame: (frame // 4 + seat) % 6


def wrong(of: Mesh, simulation: Any) -> list[str]:
    """What the oracle says about the first episode of every peer."""
    inputs = [page.inputs[0] for page in of.peers]
    truth = ground_truth(simulation, of.settings, of.peers[0].session.codec, inputs, 0)
    found = [wrong_with(truth, page.rows[0], page.rewards[0], page.finals[0]) for page in of.peers]
    return [text for text in found if text]


def restless(seat: int) -> Callable[[int, int], Any]:
    """A player who presses another key after one to eight frames, in no rhythm with anything."""
    rng = random.Random(f"restless {seat}")
    keys: list[int] = []

    def play(episode: int, frame: int) -> Any:
        while len(keys) <= frame:
            keys.extend([rng.randrange(6)] * rng.randint(1, 8))
        return keys[frame]

    return play


# -- pages of unequal speed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["clock", "machine"])
@pytest.mark.slow
def test_the_burden_of_a_slow_partner_is_shared(how: str) -> None:
    """A page at 25 of 30 frames per second: neither re-simulates a fifth more a minute than the other."""
    of = Mesh(
        2, Settings(max_steps=9000, action_space=SIX), lambda seat: Walk(2, seed=1), restless,
        Conditions(delay=0.05, drift=-1 / 6 if how == "clock" else 0.0), seed=4,
    )  # fmt: skip
    if how == "machine":
        of.peers[1].ticks_per_second = 25.0
    of.run(30.0)
    before = [(core_view.resimulated(page.session), page.session.frame) for page in of.peers]
    of.run(90.0)
    burdens, frames = [], []
    for page, (again, frame) in zip(of.peers, before, strict=True):
        burdens.append(core_view.resimulated(page.session) - again)
        frames.append(page.session.frame - frame)
    assert min(frames) > 0.97 * 25 * 60
    assert min(burdens) > 0
    assert max(burdens) - min(burdens) <= 0.2 * max(burdens), burdens


@pytest.mark.slow
def test_advantages_of_long_ways_at_high_rates_do_not_saturate() -> None:
    """36 frames are on the way at 120 frames per second and 300 ms: nobody slows down for that."""
    settings = Settings(fps=120, max_steps=20_000, action_space=SIX)
    # The server is no quicker, so that the long way stays in use.
    conditions = Conditions(delay=0.3, server_delay=0.35)
    of = Mesh(2, settings, lambda seat: Walk(2, seed=1), key, conditions, seed=4)
    of.run(20.0)
    before = [page.session.frame for page in of.peers]
    periods: list[list[float]] = [[], []]
    for tenth in range(200, 400):
        of.run(tenth / 10)
        for page in of.peers:
            periods[page.seat].append(page.session.tick_period() / settings.period)
    for page in of.peers:
        mean = sum(periods[page.seat]) / 200
        assert abs(mean - 1.0) < 0.004, mean
        assert page.session.frame - before[page.seat] > 0.99 * 120 * 19.9
        assert page.session.stalls < 120


@pytest.mark.slow
def test_an_input_that_is_refused_far_ahead_pins_nobodys_speed() -> None:
    """It is not believed to exist: the advantage is that of before."""
    settings = Settings(max_steps=5000, action_space=SIX)
    of = Mesh(2, settings, lambda seat: Walk(2, seed=1), key, Conditions(delay=0.05), seed=4)
    of.run(10.0)
    here, there = of.peers
    refused = here.session.malformed
    packet = core_view.far_ahead(there.session, 30_000, here.session.frame + 3000, b"\1")
    here.session.receive(1, packet, here.clock(), P2P)
    assert here.session.malformed == refused + 1
    for second in range(11, 30):
        of.run(float(second))
        for page in of.peers:
            assert abs(page.session.tick_period() / settings.period - 1.0) < 0.01


# -- guesses that go wrong ----------------------------------------------------------------------------------------


class TakenTwice(Exception):
    """A cell was taken that is taken already."""

    def __init__(self, simulation: Cells, frame: int) -> None:
        super().__init__(f"frame {frame}")
        self.simulation = simulation
        self.frame = frame


class Cells:
    """Players take numbered cells, 0 is none; taking one twice raises."""

    def __init__(self) -> None:
        self.state: tuple[int, tuple[int, ...]] = (0, ())
        self.raised = 0

    def reset(self, episode: int) -> None:
        self.state = (0, ())

    def save(self) -> object:
        return self.state

    def load(self, state: Any) -> None:
        self.state = state

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        frame, taken = self.state
        for cell in actions:
            if cell in taken:
                self.raised += 1
                raise TakenTwice(self, frame)
            if cell:
                taken = (*taken, cell)
        self.state = (frame + 1, taken)
        same = dict.fromkeys((0, 1), False)
        return StepResult({0: len(taken), 1: len(taken)}, same, same, {}, False)

    def canonical(self, state: object) -> bytes:
        return canonical.encode(state)


class TakenLater(Cells):
    """The same, which notices only when the state is saved."""

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        frame, taken = self.state
        self.state = (frame + 1, (*taken, *[cell for cell in actions if cell]))
        same = dict.fromkeys((0, 1), False)
        return StepResult({0: len(self.state[1]), 1: len(self.state[1])}, same, same, {}, False)

    def save(self) -> object:
        if len(set(self.state[1])) != len(self.state[1]):
            self.raised += 1
            raise TakenTwice(self, self.state[0] - 1)
        return self.state


def takes(each: int, *, twice: bool = False) -> Callable[[int], Callable[[int, int], Any]]:
    """Every so many frames each player takes one cell of its own; `twice`: player 1 takes a cell of player 0 at 75."""

    def of(seat: int) -> Callable[[int, int], Any]:
        def play(episode: int, frame: int) -> Any:
            if twice and seat == 1 and frame == 75:
                return 3
            return 1 + 2 * (frame // each) + seat if frame % each == 3 * seat else 0

        return play

    return of


def cells(
    play: Callable[[int], Callable[[int, int], Any]], kind: type[Cells] = Cells, **conditions: Any
) -> Mesh:  # fmt: skip
    """Two players who take cells, 80 ms apart."""
    settings = Settings(max_steps=150, action_space={"type": "discrete", "n": 256})
    return Mesh(2, settings, lambda seat: kind(), play, Conditions(**{"delay": 0.08, **conditions}), seed=2)


@pytest.mark.parametrize("kind", [Cells, TakenLater])
@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_an_exception_in_a_guessed_frame_is_waited_out(loss: float, kind: type[Cells]) -> None:
    """Repeating the last action takes the cell again, which nobody did: the session stands there until it knows."""
    of = cells(takes(10), kind, loss=loss)
    of.run(30.0)
    assert [page.session.reason for page in of.peers] == ["complete", "complete"]
    assert wrong(of, Cells()) == []
    assert all(page.session.simulation.raised > 3 for page in of.peers)
    assert of.now < 15.0


@pytest.mark.parametrize("kind", [Cells, TakenLater])
def test_an_exception_of_a_known_frame_is_the_games_own(kind: type[Cells]) -> None:
    """With everybody's input known it is raised, or the session says that the environment broke."""
    of = cells(takes(10, twice=True), kind)
    raised: list[TakenTwice] = []
    try:
        of.run(30.0)
    except TakenTwice as error:
        raised.append(error)
    for error in raised:
        page = next(page for page in of.peers if page.session.simulation is error.simulation)
        assert error.frame == 75
        assert all(core_view.knows(page.session, seat, error.frame) for seat in (0, 1))
    if not raised:
        assert {page.session.reason for page in of.peers} <= {"error", "stop", "player_left"}
        assert "error" in {page.session.reason for page in of.peers}
    # Who finds out only from the state has the frame that led to it.
    most = 75 if kind is Cells else 76
    assert all(len(rows) <= most for page in of.peers for rows in page.rows)


class _Raises:
    def predict(self, outlook: Any, last: Any, since: int, frame: int) -> Any:
        raise ValueError("no idea")


class _Text:
    def predict(self, outlook: Any, last: Any, since: int, frame: int) -> Any:
        return "no action"


class _Nothing:
    def predict(self, outlook: Any, last: Any, since: int, frame: int) -> Any:
        return None


@pytest.mark.parametrize("predictor", [_Raises, _Text, _Nothing])
def test_a_predictor_that_fails_costs_nothing_but_rollbacks(predictor: type) -> None:
    """What it cannot say, the last action says."""
    of = Mesh(
        2, Settings(max_steps=150, action_space=SIX), lambda seat: Walk(2, seed=1), key, Conditions(delay=0.08),
        seed=2, predictor=predictor(),
    )  # fmt: skip
    of.run(30.0)
    assert [page.session.reason for page in of.peers] == ["complete", "complete"]
    assert wrong(of, Walk(2, seed=1)) == []
    assert of.now < 10.0


# -- bytes --------------------------------------------------------------------------------------------------------


def texts(size: int) -> Callable[[int], Callable[[int, int], Any]]:
    """Players whose every action is another text of that many letters."""
    return lambda seat: lambda episode, frame: f"{seat} {frame} ".ljust(size, "x")


@pytest.mark.parametrize("limit", [576, 1200])
def test_no_datagram_exceeds_its_limit_with_actions_that_just_fit(limit: int) -> None:
    """Under loss, with repeats and blocks beside the inputs."""
    sizes = Windows(limit)
    settings = Settings(
        max_steps=120, datagram_bytes=limit, action_space={"type": "any"}, default_action="", hash_interval=1
    )
    of = Mesh(
        2, settings, lambda seat: Walk(2, seed=1), texts(limit // 2 - 100), Conditions(delay=0.06, loss=0.2), seed=2,
        watchers=[sizes],
    )  # fmt: skip
    sizes.mesh = of
    of.run(60.0)
    assert sizes.wrong == []
    assert sizes.largest > limit // 2
    assert [page.session.reason for page in of.peers] == ["complete", "complete"]
    assert wrong(of, Walk(2, seed=1)) == []


ANY = {"action_space": {"type": "any"}, "default_action": ""}
PLACES = ([[0, 1], [2]], [[0, 1, 2, 3, 4, 5, 6], [7]], [[0, 2, 4, 6], [1, 3, 5, 7]], [[0, 1, 2, 3, 4, 5, 6, 7], []])


def table_of_texts(
    places: Sequence[Sequence[int]], limit: int, **more: Any
) -> tuple[Table, list[Any], Callable[[int, int], Any]]:
    """Peers with several seats, what they record, and the longest text that may be played: another one each frame."""
    table, ledgers = table_of(places, (), of={"datagram_bytes": limit, "hash_interval": 1, **ANY, **more})
    longest = table[0].codec.limit
    return table, ledgers, lambda seat, frame: f"{seat} {frame} ".ljust(longest - 5, "x")


def all_leave(table: Table, limit: int) -> list[int]:
    """Have every poll of a table judged: no packet is too large, and each new input of a healthy link rides in one.
    Returns the sizes of all packets."""
    sizes: list[int] = []
    poll = table.poll

    def judged(peer: int, action: Any = None) -> list[Any]:
        session = table[peer]
        fixed = session._parts.dispatch.own
        before = session.episode, [inputs.dispatched for inputs in fixed]
        outputs = poll(peer, action)
        sizes.extend(len(data) for data in datagrams_of(outputs))
        assert max(sizes, default=0) <= limit
        for link in session.links:
            if not fixed or not link.healthy or before[0] != session.episode:
                continue
            sent = [data for duty, to, _seq, data in outputs if duty == SEND and to == link.peer.number]
            packets = [opened(session, data) for data in sent if core_view.is_datagram(data)]
            riding = {
                (seat, first + place)
                for packet in packets
                for seat, first, inputs in ((session._identity.own[0], packet.first, packet.inputs), *packet.runs)
                for place in range(len(inputs))
            }
            for inputs, was in zip(fixed, before[1], strict=True):
                assert inputs.dispatched == was or (inputs.seat.number, inputs.dispatched) in riding
        return outputs

    table.poll = judged  # type: ignore[method-assign]
    return sizes


@pytest.mark.parametrize("limit", [576, 1200])
@pytest.mark.parametrize("places", PLACES, ids=str)
@pytest.mark.slow
def test_no_datagram_exceeds_its_limit_however_many_seats_a_page_has(places: list[list[int]], limit: int) -> None:
    """The longest actions at every seat, under loss: what does not fit one packet rides in another of that tick."""
    table, ledgers, meant = table_of_texts(places, limit, max_steps=40, num_episodes=1)
    sizes = all_leave(table, limit)
    fixed = play(table, meant, loss=0.1)
    assert {session.reason for session in table.sessions} == {"complete"}
    expected = truth(table, fixed[0], 0)
    assert all(ledger.episodes[0] == expected for ledger in ledgers)
    assert max(sizes) > table[0].codec.limit


@example(places=[[*range(8)], []], limit=576, weights=[0, 0, 0], loss=0.3, seed=1)
@given(
    places=st.sampled_from(PLACES),
    limit=st.sampled_from([576, 700, 1200]),
    weights=st.lists(st.integers(0, 1000), min_size=3, max_size=11),
    loss=st.sampled_from([0.0, 0.1, 0.3]),
    seed=st.integers(0, 1000),
)
@example(places=PLACES[0], limit=1200, weights=[500, 500, 500], loss=0.3, seed=1)
@pytest.mark.slow
def test_any_sizes_of_any_seats_under_any_loss_fit_and_arrive(
    places: list[list[int]], limit: int, weights: list[int], loss: float, seed: int
) -> None:
    """No packet is too large, no new input waits for the next tick, and everybody plays the same game."""
    table, ledgers, _ = table_of_texts(places, limit, max_steps=24, num_episodes=1)
    longest = table[0].codec.limit - 5

    def meant(seat: int, frame: int) -> Any:
        return f"{seat} {frame} ".ljust(min(longest, weights[(seat + frame) % len(weights)]), "x")

    all_leave(table, limit)
    fixed = play(table, meant, loss, seed=seed)
    assert {session.reason for session in table.sessions} == {"complete"}
    expected = truth(table, fixed[0], 0)
    assert all(ledger.episodes[0] == expected for ledger in ledgers)


@pytest.mark.parametrize("seed", range(1, 9))
@pytest.mark.parametrize("places", [[[0], []], [[0, 1, 2], [3], []]], ids=str)
def test_who_has_no_seat_is_waited_for_until_it_is_ready(places: list[list[int]], seed: int) -> None:
    """Under loss the others have its ready long before it has theirs, and no input that it lacks keeps them back."""
    table, ledgers, _ = table_of_texts(places, 576, max_steps=40, num_episodes=1)
    fixed = play(table, lambda seat, frame: f"{seat} {frame}", loss=0.3, seed=seed)
    assert {session.reason for session in table.sessions} == {"complete"}
    expected = truth(table, fixed[0], 0)
    assert all(ledger.episodes[0] == expected for ledger in ledgers)


def test_what_fits_one_packet_rides_in_one_whichever_seats_it_is_of() -> None:
    """Three seats of a page: two of them share a packet, and so do all where they weigh little."""
    table, _, _ = table_of_texts([[0, 1, 2], [3]], 1200, max_steps=5000)
    table.start()
    table.ticks(6, ["a", "b", "c"], "")
    table.tick(["a" * 900, "b" * 500, "c" * 500], "")
    packets = [opened(table[0], data) for data in datagrams_of(table.outputs[0])]
    assert [[run.seat for run in packet.runs] for packet in packets] == [[], [1, 2]]
    table.ticks(6, ["a", "b", "c"], "")
    assert len(datagrams_of(table.outputs[0])) == 1


def test_a_send_that_raised_moves_the_inputs_of_that_packet_and_of_no_other() -> None:
    """Of a tick with three packets: each word counts its own seat's input over, and the tick is one refusal."""
    table, _, meant = table_of_texts([[0, 1, 2], [3]], 1200, max_steps=5000)
    table.start()
    table.ticks(10, ["", "", ""], "")
    table.now += table.period
    session, link = table[0], table[0].links[0]
    frame = session.frame + 1
    before = link.counts.sent_via_p2p, link.counts.sent_via_socketio
    table.poll(0, [meant(seat, frame) for seat in (0, 1, 2)])
    sent = [seq for duty, _to, seq, data in table.outputs[0] if duty == SEND and core_view.is_datagram(data)]
    assert len(sent) == 3
    assert link.counts.sent_via_p2p == before[0] + 3
    for seat in (1, 0, 2):
        said = actions_of(session.send_failed(1, sent[seat], table.now))
        assert [(data["player_id"], data["frame_number"]) for data in said] == [(seat, frame)]
        assert actions_of(session.send_failed(1, sent[seat], table.now)) == []
    assert (link.counts.sent_via_p2p, link.counts.sent_via_socketio) == (before[0], before[1] + 3)
    assert (link.paths.refusals, link.fallback) == (1, None)
    assert [outbox.dispatched for outbox in link.own] == [frame] * 3


@pytest.mark.parametrize("places", [[[0, 1, 2], [3]], [[0], [1]]], ids=str)
def test_a_hidden_page_says_so_in_each_packet_of_a_tick(places: list[list[int]]) -> None:
    """A packet without the word says that it is visible: the others would read of a page that comes and goes."""
    table, _, meant = table_of_texts(places, 576, max_steps=5000)
    table.start()
    table.ticks(5)
    table.hidden[0] = True
    packets = 0
    for _ in range(40):
        actions = [meant(seat, table[0].frame) for seat in places[0]]
        table.tick(actions if len(actions) > 1 else actions[0], "")
        sent = [opened(table[0], data) for data in datagrams_of(table.outputs[0])]
        packets = max(packets, len(sent))
        assert all(STATUS in [kind for kind, _ in packet.blocks] for packet in sent)
    assert packets > 1
    assert [event.status for event in table.events(1, PeerStatus)] == ["hidden"]


def test_an_action_that_cannot_fit_a_datagram_is_refused_by_name() -> None:
    """900 bytes in datagrams of 576: said with the limit when it is handed in, and nothing has moved."""
    settings = Settings(max_steps=120, datagram_bytes=576, action_space={"type": "any"}, default_action="")
    of = Mesh(2, settings, lambda seat: Walk(2, seed=1), texts(10), Conditions(delay=0.03), seed=2)
    of.run(2.0)
    session = of.peers[0].session
    dispatched = session.dispatched
    with pytest.raises(ActionError, match="limit"):
        session.poll(of.peers[0].clock(), "x" * 900, [0])
    assert session.dispatched == dispatched


@pytest.mark.slow
def test_rollback_events_are_bounded_whatever_the_actions_weigh() -> None:
    """Forty bytes each and a table of 64 KiB, though every action is another one of 300 bytes."""
    settings = Settings(max_steps=1800, action_space={"type": "any"}, default_action="")
    of = Mesh(2, settings, lambda seat: Walk(2, seed=1), texts(300), Conditions(delay=0.1), seed=2)
    of.run(90.0)
    for page in of.peers:
        count = core_view.event_count(page.session)
        assert count > 1500
        assert core_view.event_bytes(page.session) <= 40 * count + 65_536


# -- clocks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p2p", [True, False])
@pytest.mark.parametrize("jump", [-3600.0, -60.0, -25.0, 60.0])
@pytest.mark.parametrize(
    "moment", [5.0, *(pytest.param(30.0 + 0.0107 * k, marks=[pytest.mark.long] * (k not in (1, 6))) for k in range(12))]
)
@pytest.mark.slow
def test_a_clock_that_jumps_does_not_end_the_game(p2p: bool, jump: float, moment: float) -> None:
    """A machine sets its clock in the middle of an episode, by either path: between an arrival and a tick too, when
    more time has passed than anybody is waited for. Nobody is silent for it, nothing was lost, no path is left."""
    of = Mesh(
        2, Settings(max_steps=30 * int(moment + 3), action_space=SIX, p2p_wait=0.5), lambda seat: Walk(2, seed=1), key,
        Conditions(delay=0.03, opens_after=0.1 if p2p else None), seed=2,
    )  # fmt: skip
    page = of.peers[int(moment * 1000) & 1]
    of.at(moment, lambda: setattr(page, "clock_offset", page.clock_offset + jump))
    rtts: list[float] = []
    for tenth in range(30):
        of.run(moment + tenth / 10)
        rtts += [page.session.links[0].rtt or 0.0 for page in of.peers]
    of.run(90.0)
    assert [page.session.reason for page in of.peers] == ["complete", "complete"]
    assert wrong(of, Walk(2, seed=1)) == []
    assert of.now < moment + 20.0
    assert [change.cause for page in of.peers for change in page.session.path_changes] == []
    # What was on its way over the jump is no round trip of a minute: for so long a hash would wait to be said again.
    assert max(rtts) < 0.5


# -- the runs of a packet -----------------------------------------------------------------------------------------


def cut_off() -> Mesh:
    """A mesh in which the first page has not heard the second for a while."""
    of = Mesh(
        2, Settings(max_steps=900, action_space=SIX), lambda seat: Walk(2, seed=1), key, Conditions(delay=0.03), seed=2
    )
    of.at(4.0, lambda: of.cut((1, 0)))
    of.run(4.2)
    return of


def hand_two_runs(of: Mesh, first: int, frames: int, second: int) -> None:
    """A packet of the second page: so many of its inputs from `first` on, and the one of frame `second`."""
    here, there = (page.session for page in of.peers)
    inputs = of.peers[1].inputs[0]
    run = [inputs[frame] for frame in range(first, first + frames)]
    here.receive(1, core_view.two_runs(there, 0, first, run, second, [inputs[second]]), of.clock(0), P2P)


@pytest.mark.parametrize("back", [0, 1, 5])
def test_of_two_runs_the_second_is_taken_though_the_first_is_held(back: int) -> None:
    """The newest input stands there: every needless repeat before it would delay it otherwise."""
    of = cut_off()
    here = of.peers[0].session
    held = core_view.held(here)[1]
    hand_two_runs(of, held - 2 - back, 3, held + 1)
    assert core_view.held(here)[1] == held + 1


def test_of_two_runs_both_are_taken_when_both_are_new() -> None:
    """A hole stays between them, and what lies behind it is known."""
    of = cut_off()
    here = of.peers[0].session
    held = core_view.held(here)[1]
    hand_two_runs(of, held + 1, 1, held + 3)
    assert core_view.held(here)[1] == held + 1
    assert core_view.knows(here, 1, held + 3)
    assert not core_view.knows(here, 1, held + 2)
