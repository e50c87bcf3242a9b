"""How a session ends that does not end well: an environment that raises, ends that differ, nothing that moves."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from core_support import Table, opened, settings

from pycore.duties import CHANNEL_NEVER
from pycore.errors import ConfigError
from pycore.events import Desync, EpisodeEnded, SessionEnded
from pycore.session.phases import DONE, FAILED, HOLDING, PHASE_NAMES, PLAYING
from pycore.session.tick import OVER, STALLED, STEPPED
from pycore.session.topics import over
from pycore.simulation import StepResult
from pycore.testing import Walk
from pycore.wire import datagram

LONG = settings(max_steps=5000)


class Fussy(Walk):
    """Cannot bear it when seat 1 plays 5."""

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        result = super().step(actions)
        if actions[1] == 5:
            raise ValueError("five")
        return result


class Five:
    """Guesses the worst."""

    def predict(self, outlook: Any, last: Any, since: int, frame: int) -> Any:
        """Always 5."""
        return 5


# -- an environment that raises -----------------------------------------------------------------------------------


def test_an_exception_out_of_a_guess_stands_and_says_nothing() -> None:
    """Nobody ever played 5; the frame is stepped when its inputs are known, and the episode is the true one."""
    predicting = Table(2, settings(max_steps=60), simulation=lambda seat: Fussy(2, seed=1), predictor=Five()).start()
    rng = random.Random(2)
    predicting.passes = lambda sender, to, what: not isinstance(what, bytes) or rng.random() < 0.4
    flags = []
    while any(session.phase != DONE for session in predicting.sessions):
        flags += predicting.tick(1, 2)
    assert [session.reason for session in predicting.sessions] == ["complete", "complete"]
    assert any(flag & STALLED for flag in flags)
    plain = Table(2, settings(max_steps=60), simulation=lambda seat: Walk(2, seed=1)).start()
    while any(session.phase != DONE for session in plain.sessions):
        plain.tick(1, 2)
    assert predicting.published[0] == predicting.published[1] == plain.published[0]


def test_a_frame_that_raised_on_a_guess_is_not_tried_again_before_something_is_known() -> None:
    """The same guess would raise the same exception: a step that fails thirty times a second is no use."""
    table = Table(2, LONG, simulation=lambda seat: Fussy(2, seed=1), predictor=Five()).start()
    table.ticks(20)
    table.passes = lambda sender, to, what: to != 0
    table.ticks(3)
    simulation = table[0].simulation
    assert isinstance(simulation, Fussy)
    steps, frame = simulation.steps, table[0].frame
    table.ticks(10)
    assert (simulation.steps, table[0].frame) == (steps, frame)
    assert table[0].store_remote_input(1, 2, table[0].timeline.frames.held[1] + 1, table.now)
    assert table.advance(0) & STEPPED
    assert table[0].frame == frame + 1


def test_an_exception_out_of_a_repeated_guess_goes_back_before_it() -> None:
    """The late 5 never came; what was stepped on the way is stepped again with what is known."""
    table = Table(2, LONG, simulation=lambda seat: Fussy(2, seed=1)).start()
    table.until(lambda: table[0].frame == 10)
    table.passes = lambda sender, to, what: to != 0
    table.ticks(4)
    session = table[0]
    held = session.timeline.frames.held[1]
    # Frame held + 2 is known and raises, but what is before it is not: it may never have happened.
    assert session.store_remote_input(1, 5, held + 2, table.now)
    assert table.advance(0) & STALLED
    assert session.phase == PLAYING
    assert session.frame == held + 2
    assert session.store_remote_input(1, 0, held + 1, table.now)
    with pytest.raises(ValueError, match="five"):
        table.advance(0)
    assert session.phase == FAILED


def test_an_exception_out_of_what_everybody_played_ends_the_session_with_what_is_confirmed() -> None:
    """It comes out of `advance`, once, and the session says why; the episode has the frames before it."""
    table = Table(2, LONG, simulation=lambda seat: Fussy(2, seed=1)).start()
    table.ticks(30, 1, 2)
    with pytest.raises(ValueError, match="five"):
        table.ticks(10, 1, 5)
    session = table[0]
    assert (session.phase, session.reason) == (FAILED, "error")
    assert table.advance(0) == OVER
    news = table.news[0]
    ended = [event for event in news if isinstance(event, SessionEnded)]
    assert [event.text for event in ended] == ["ValueError: five"]
    episodes = [event for event in news if isinstance(event, EpisodeEnded)]
    assert episodes == [EpisodeEnded(episode=0, frames=len(table.published[0]), reason="error")]
    assert b"\5" not in [row[2][1] for row in table.published[0]]


def test_the_others_of_a_broken_environment_end_with_what_is_confirmed() -> None:
    """Theirs may be whole; the one that broke is gone, and they are told what happened."""
    table = Table(2, LONG, simulation=lambda seat: (Walk if seat else Fussy)(2, seed=1)).start()
    table.ticks(30, 1, 2)
    with pytest.raises(ValueError, match="five"):
        table.ticks(10, 1, 5)
    table.ticks(16)
    assert [session.reason for session in table.sessions] == ["error", "player_left"]
    assert table.events(1, SessionEnded)[0].text == "player 0's environment failed"
    most = min(len(rows) for rows in table.published)
    assert table.published[0][:most] == table.published[1][:most]
    assert most > 25


# -- whatever else raises -----------------------------------------------------------------------------------------


class Broken(Exception):
    """What the tests below raise."""


class Breaks(Walk):
    """A walk of which one call raises, from the state after so many frames on."""

    def __init__(self, call: str, since: int) -> None:
        super().__init__(2, seed=1)
        self.call = call
        self.since = since
        self.episode = 0

    def _break(self, call: str, frames: int) -> None:
        if call == self.call and frames >= self.since:
            raise Broken(call)

    def reset(self, episode: int) -> None:
        self.episode = episode
        self._break("reset", episode)
        super().reset(episode)

    def save(self) -> object:
        self._break("save", self.state[0])
        return super().save()

    def canonical(self, state: Any) -> bytes:
        self._break("canonical", state[0])
        self._break("canonical of an episode", self.episode)
        return super().canonical(state)

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        result = super().step(actions)
        assert result is not None
        if self.call == "text" and self.state[0] > self.since:
            result.infos = None  # type: ignore[assignment]
        return result


class Picky:
    """A sink that cannot have a frame, or an end."""

    def __init__(self, frame: int) -> None:
        self.at = frame
        self.taken: list[int] = []

    def frame(self, frame: Any) -> None:
        """A confirmed frame."""
        if frame.frame == self.at:
            raise Broken("sink")
        self.taken.append(frame.frame)

    def end(self, episode: int, frames: int, digest: bytes) -> None:
        """The episode is complete."""
        if frames == self.at:
            raise Broken("sink")

    def cut(self, episode: int, frames: int) -> None:
        """What was confirmed beyond is taken back."""


def break_one(table: Table, most: int = 400) -> list[Exception]:
    """Tick until both are over, whatever comes out of session 0; returns that."""
    raised: list[Exception] = []
    for _ in range(most):
        table.now += table.period
        for peer in (0, 1):
            try:
                table.poll(peer)
            except (Broken, AttributeError) as error:
                assert peer == 0
                raised.append(error)
        table.deliver()
        for peer in (0, 1):
            try:
                table.advance(peer)
            except (Broken, AttributeError) as error:
                assert peer == 0
                raised.append(error)
        if all(session.phase in (DONE, FAILED) for session in table.sessions):
            break
    table.ticks(20)
    return raised


MAX = 60


@pytest.mark.parametrize(
    ("call", "since", "frames"),
    [
        ("reset", 0, None),
        ("reset", 1, None),
        ("canonical of an episode", 0, None),
        ("canonical of an episode", 1, None),
        ("canonical", 20, 20),
        # The final state, which is saved and hashed at the end alone.
        ("canonical", MAX, MAX),
        ("save", MAX, MAX),
        ("text", 25, 25),
        ("sink", 30, 31),
        ("sink", MAX, MAX),
    ],
)
def test_whatever_the_simulation_or_a_record_raises_ends_the_session_for_all(
    call: str, since: int, frames: int | None
) -> None:
    """It comes out once, of the half in which it was; the session says why, once, and so do the others."""
    sinks: list[Any] = [Picky(since)] if call == "sink" else []
    table = Table(
        2, settings(max_steps=MAX, num_episodes=2, hash_interval=10),
        simulation=lambda seat: Walk(2, seed=1) if seat or call == "sink" else Breaks(call, since),
    )  # fmt: skip
    for sink in sinks:
        table[0].add_sink(sink)
    raised = break_one(table)
    assert len(raised) == 1
    assert [(session.phase, session.reason) for session in table.sessions] == [(FAILED, "error"), (DONE, "player_left")]
    ends = table.events(0, SessionEnded)
    assert [(event.reason, event.text) for event in ends] == [("error", f"{type(raised[0]).__name__}: {raised[0]}")]
    assert [event.text for event in table.events(1, SessionEnded)] == ["player 0's environment failed"]
    assert table[0].waiting == 0
    if frames is None:
        # Between two episodes none is broken off.
        assert [event.reason for event in table[0].ended] == ["max_steps"] * since
        return
    assert table[0].ended == [EpisodeEnded(episode=0, frames=frames, reason="error")]
    assert [row[1] for row in table.published[0] if row[2]] == list(range(frames))
    assert table.published[0][:20] == table.published[1][:20]
    for sink in sinks:
        assert sink.taken == list(range(min(since, MAX)))


def test_what_raises_at_an_end_of_another_reason_is_logged() -> None:
    """The session ends as it would have; what was published before stays, and nothing comes out of what was said."""
    table = Table(2, LONG, simulation=lambda seat: Breaks("canonical", 20)).start()
    table.until(lambda: table[0].frame == 30)
    # A state waits to be hashed.
    table[0]._parts.publication.finish(0, table[0].timeline.state(29))
    published = table[0].published
    table[0].player_left(1, table.now, certain=True)
    table.ticks(1)
    assert (table[0].phase, table[0].reason) == (DONE, "player_left")
    assert table[0].ended == [EpisodeEnded(episode=0, frames=published + 1, reason="player_left")]
    assert "the last confirmed frames could not be recorded: Broken: canonical" in table.logs(0)


def test_an_exception_without_a_text_ends_the_session_as_well() -> None:
    """Its type is said."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError("nothing to say")

    def step(actions: Sequence[Any]) -> None:
        raise Mute

    table = Table(2, LONG).start()
    table.ticks(5)
    table[0].simulation.step = step  # type: ignore[method-assign, assignment]
    with pytest.raises(Mute):
        table.ticks(10)
    table.news[0].extend(table[0].news())
    assert [event.text for event in table.events(0, SessionEnded)] == ["Mute"]


# -- ends that differ ---------------------------------------------------------------------------------------------


class Shorter(Walk):
    """Ends with frame 40, which no other environment knows of."""

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        result = super().step(actions)
        assert result is not None
        result.done = self.state[0] == 41
        return result


def frames(table: Table, peer: int) -> list[tuple[Any, ...]]:
    """The frames that one peer has; who held at an end has hashed its final state besides."""
    return [row[:3] for row in table.published[peer] if row[2]]


@pytest.mark.slow
@pytest.mark.parametrize("shorter", [0, 1])
def test_an_end_that_only_one_side_has_is_a_desync_and_both_end_there(shorter: int) -> None:
    """No agreement can come: instead of waiting for ever, both have the episode up to the lower end."""
    table = Table(2, LONG, simulation=lambda seat: (Shorter if seat == shorter else Walk)(2, seed=1)).start()
    table.finish(most=300)
    assert [session.reason for session in table.sessions] == ["desync", "desync"]
    assert frames(table, 0) == frames(table, 1)
    assert frames(table, 0)[-1][1] == 40
    for peer in (0, 1):
        assert table[peer].ended == [EpisodeEnded(episode=0, frames=41, reason="desync")]
        assert [event.what for event in table.events(peer, Desync)] == ["end"]
    event = table.events(1 - shorter, Desync)[0]
    assert (event.frame, event.own, event.theirs) == (40, "plays on", "ends at frame 40")


@pytest.mark.parametrize("first", [1, 2])
@pytest.mark.parametrize("delay", [1, 4])
def test_three_players_whose_ends_differ_all_have_the_episode_up_to_the_lowest(first: int, delay: int) -> None:
    """Who only hears that there was a desync cuts where the end is, not where it has come to."""
    table = Table(
        3, settings(max_steps=5000, input_delay=delay), simulation=lambda seat: (Walk if seat else Shorter)(3, seed=1)
    ).start()  # fmt: skip
    table.until(lambda: table[0].phase == HOLDING)
    # One of the two who play on is late: the other's word reaches it before it has looked itself.
    for _ in range(9):
        table.now += table.period
        for peer in (0, first):
            table.poll(peer)
            table.deliver()
            table.advance(peer)
    table.finish(most=300)
    assert {session.reason for session in table.sessions} == {"desync"}
    assert frames(table, 0) == frames(table, 1) == frames(table, 2)
    assert frames(table, 0)[-1][1] == 40


def test_ends_at_different_frames_are_a_desync_at_the_lower_one() -> None:
    """One environment ends with frame 40, the other is truncated at 50: what is beyond 40 is taken back."""
    table = Table(2, settings(max_steps=50), simulation=lambda seat: (Walk if seat else Shorter)(2, seed=1)).start()
    table.finish(most=300)
    assert [session.reason for session in table.sessions] == ["desync", "desync"]
    assert frames(table, 0) == frames(table, 1)
    assert frames(table, 0)[-1][1] == 40


def test_an_end_that_is_only_predicted_is_no_desync() -> None:
    """A peer may hold at an end that the inputs on their way revoke; nobody judges it before all hold the same."""

    class Until(Walk):
        def step(self, actions: Sequence[Any]) -> StepResult | None:
            result = super().step(actions)
            assert result is not None
            result.done = actions[1] == 5 and self.state[0] % 3 == 0
            return result

    table = Table(2, settings(max_steps=300), simulation=lambda seat: Until(2, seed=1)).start()
    for tick in range(120):
        table.passes = lambda sender, to, what, tick=tick: tick % 5 == 0
        table.tick(1, 4 if tick % 3 else 1)
    assert table.events(0, Desync) == table.events(1, Desync) == []


# -- nothing moves ------------------------------------------------------------------------------------------------


def without_inputs(table: Table) -> None:
    """Player 1 is heard and says everything but its inputs."""

    def passes(sender: int, to: int, what: Any) -> bool:
        if to == 0 and isinstance(what, bytes) and what[0] == datagram.KIND:
            packet = opened(table[1], what)
            data = table.forged(1, seq=packet.seq, first=packet.first, receipts=packet.receipts, blocks=packet.blocks)
            table[0].receive(1, data, table.now)
            return False
        return isinstance(what, bytes) or what[0] != "pyodide_player_action"

    table.passes = passes


def test_where_nothing_moves_although_everybody_is_heard_it_ends() -> None:
    """Whatever the reason is, nobody stands before a still picture for ever: `dropped_after` and a second."""
    table = Table(2, settings(max_steps=5000, dropped_after=4.0)).start()
    table.ticks(20)
    without_inputs(table)
    table.until(lambda: table[0].stalled and table[1].stalled)
    since = table.now
    table.until(lambda: table[0].phase == DONE, most=32 * 8)
    assert 4.5 <= table.now - since <= 5.5
    assert table[0].reason == "no_progress"
    assert "although everybody is heard" in table.events(0, SessionEnded)[0].text
    table.finish(most=32)
    assert table[1].reason in ("no_progress", "player_left")
    assert table.published[0] == table.published[1]


@pytest.mark.parametrize("whose", [0, 1])
def test_a_hidden_page_may_stand_as_long_as_it_likes(whose: int) -> None:
    """A browser gives it a tick a minute; it is hidden, and everybody knows."""
    table = Table(2, settings(max_steps=5000, dropped_after=4.0)).start()
    table.ticks(20)
    table.hidden[whose] = True
    without_inputs(table)
    table.ticks(32 * 12)
    assert [session.phase for session in table.sessions] == [PLAYING, PLAYING]


# -- a stop at the end --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("later", range(7))
@pytest.mark.parametrize("lost", [False, True])
def test_a_stop_at_the_very_end_of_the_last_episode_is_complete_on_both_sides(later: int, lost: bool) -> None:
    """Who asks may be the only one who knows of it; the session has all of its frames in any case."""
    table = Table(2, settings(max_steps=30, num_episodes=2))
    table.until(lambda: table[0].episode == 1 and table[0].phase == HOLDING)
    if lost:
        table.passes = lambda sender, to, what: to == 1
    for _ in range(later):
        table.tick()
        if table[0].phase == DONE:
            break
    table[0].request_stop(table.now)
    table.passes = lambda sender, to, what: True
    table.finish(most=64)
    assert [session.reason for session in table.sessions] == ["complete", "complete"]
    assert [event.reason for event in table[0].ended] == [event.reason for event in table[1].ended]
    assert [event.reason for event in table[0].ended] == ["max_steps", "max_steps"]


def test_a_stop_in_the_middle_of_the_last_episode_is_a_stop() -> None:
    """Frames are missing, and both say so."""
    table = Table(2, settings(max_steps=300)).start()
    table.ticks(20)
    table[0].request_stop(table.now)
    table.finish(most=64)
    assert [session.reason for session in table.sessions] == ["stop", "stop"]


# -- reasons ------------------------------------------------------------------------------------------------------


def test_every_reason_of_the_core_has_a_number_of_its_own() -> None:
    """And the numbers stay what they are: another version reads them."""
    assert over.REASONS[:4] == ("", "complete", "stop", "player_left")
    assert len(set(over.REASONS)) == len(over.REASONS)
    assert [over.number_of(reason) for reason in ("dropped", "returned", "no_progress")] == [5, 6, 8]
    assert over.REASONS[over.number_of("whatever a study calls it")] == "aborted"


def test_a_reason_that_is_not_known_yet_is_an_abort() -> None:
    """A later version may have more of them."""
    table = Table(2, LONG).start()
    table.ticks(10)
    table[0].receive(1, table.forged(1, blocks=[(7, bytes((0, 250)))]), table.now)
    assert table[0].links[0].peer.reason == "aborted"
    table.until(lambda: table[0].phase == DONE, most=16)
    assert table[0].reason == "player_left"


def test_where_no_channel_is_wanted_the_same_endings_come_through_the_server() -> None:
    """A desync of the ends, told by signals alone."""
    table = Table(
        2, settings(max_steps=5000, p2p=False), simulation=lambda seat: (Walk if seat else Shorter)(2, seed=1),
        channel=CHANNEL_NEVER,
    ).start()  # fmt: skip
    table.finish(most=400)
    assert [session.reason for session in table.sessions] == ["desync", "desync"]
    assert frames(table, 0) == frames(table, 1)


def test_a_proposal_that_is_no_input_delay_is_refused() -> None:
    """From 0 to 60 frames."""
    table = Table(2, LONG)
    for frames in (-1, 61):
        with pytest.raises(ConfigError, match="between 0 and 60"):
            table[0].propose_input_delay(frames)
    assert PHASE_NAMES[table[0].phase] == "connecting"
