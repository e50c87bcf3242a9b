"""What is bounded in a session: burdens, advantages, bytes, guesses that go wrong. Hand-written, in virtual time."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import core_view
import pytest
from watching import Windows

from pycore import P2P, ActionError, Settings, StepResult
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
    def predict(self, seat: int, last: Any, since: int, frame: int) -> Any:
        raise ValueError("no idea")


class _Text:
    def predict(self, seat: int, last: Any, since: int, frame: int) -> Any:
        return "no action"


class _Nothing:
    def predict(self, seat: int, last: Any, since: int, frame: int) -> Any:
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
    "moment", [5.0, *(pytest.param(30.0 + 0.0107 * k, marks=[pytest.mark.slow] * (k > 3)) for k in range(12))]
)
def test_a_clock_that_jumps_does_not_end_the_game(p2p: bool, jump: float, moment: float) -> None:
    """A machine sets its clock in the middle of an episode, by either path: between an arrival and a tick too, when
    more time has passed than anybody is waited for. Nobody is silent for it, nothing was lost, no path is left."""
    of = Mesh(
        2, Settings(max_steps=30 * int(moment + 3), action_space=SIX, p2p_wait=0.5), lambda seat: Walk(2, seed=1), key,
        Conditions(delay=0.03, opens_after=0.1 if p2p else None), seed=2,
    )  # fmt: skip
    page = of.peers[int(moment * 1000) & 1]
    of.at(moment, lambda: setattr(page, "clock_offset", page.clock_offset + jump))
    of.run(90.0)
    assert [page.session.reason for page in of.peers] == ["complete", "complete"]
    assert wrong(of, Walk(2, seed=1)) == []
    assert of.now < moment + 20.0
    assert [change.cause for page in of.peers for change in page.session.path_changes] == []


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
