"""Late inputs tick by tick; how episodes begin and end; input delay, window and desync."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from core_support import Table, actions_of, datagrams_of, opened, settings, visible

from pycore.duties import P2P
from pycore.errors import ActionError, ConfigError, UsageError
from pycore.events import Desync, EpisodeEnded, PeerStatus, PhaseChanged, SessionEnded
from pycore.session.beginning import NOT_BEGUN
from pycore.session.phases import BETWEEN, CONNECTING, DONE, FAILED, HOLDING, PLAYING, READYING
from pycore.session.session import Session
from pycore.session.tick import ON_HOLD, OVER, RESIMULATED, STALLED, STEPPED
from pycore.session.topics.topic import READY
from pycore.settings import Settings
from pycore.simulation import StepResult
from pycore.testing import Conditions, Mesh, Walk
from pycore.version import __version__
from pycore.wire import datagram

LONG = settings(max_steps=5000)
KEYS = [
    "frame",
    "currentFrame",
    "rollbackFrames",
    "playerId",
    "predictedAction",
    "actualAction",
    "timestamp",
    "episode",
]


def alone(ticks: int = 8, **values: Any) -> Table:
    """Both play; from now on seat 0 hears nothing of seat 1, and ticks on for a while."""
    table = Table(2, settings(**{"max_steps": 5000, **values})).start()
    table.until(lambda: table[0].frame == 10)
    table.passes = lambda sender, to, what: to != 0
    table.ticks(ticks)
    return table


def events(session: Session) -> list[dict[str, Any]]:
    """The rollback events as they are exported."""
    return list(session.rollback_events())


# -- late inputs ----------------------------------------------------------------------------------------------------


def test_a_late_input_gives_one_event_in_exact_numbers() -> None:
    """Mispredicted frame, current frame, depth, player as text, what was used, what was meant, when, episode."""
    table = alone(5)
    session = table[0]
    missing = session.timeline.frames.held[1] + 1
    assert (session.frame, missing) == (15, 11)
    now = table.now + 0.25
    assert session.store_remote_input(1, 4, 12, now)
    assert events(session) == [
        dict(zip(KEYS, (12, 15, 3, "1", 0, 4, 1e12 + (now - 100.0) * 1000, 0), strict=True)),
    ]
    assert session.timeline.pending == 12
    assert session.timeline.events.max_frames == 3
    assert (session.timeline.events.count, session.timeline.rollbacks) == (1, 0)
    assert table.advance(0) & RESIMULATED
    assert (session.timeline.pending, session.timeline.rollbacks) == (None, 1)


def test_events_are_counted_and_rollbacks_performed_apart() -> None:
    """Three late inputs of one tick: three events, the deepest three frames, one rollback."""
    table = alone(5)
    for frame, action in ((13, 1), (12, 2), (14, 3)):
        assert table[0].store_remote_input(1, action, frame, table.now)
    assert table[0].timeline.pending == 12
    table.advance(0)
    assert [(e["frame"], e["rollbackFrames"]) for e in events(table[0])] == [(13, 2), (12, 3), (14, 1)]
    assert (table[0].timeline.events.count, table[0].timeline.rollbacks) == (3, 1)


def test_stalled_too_a_late_input_is_an_event_and_rolls_back() -> None:
    """At the prediction limit no rollback is lost."""
    table = alone(40)
    session = table[0]
    assert session.stalled
    assert (session.frame, session.timeline.frames.held[1]) == (23, 10)
    assert session.store_remote_input(1, 5, 11, table.now)
    assert [(e["frame"], e["currentFrame"], e["rollbackFrames"]) for e in events(session)] == [(11, 23, 12)]
    flags = table.advance(0)
    assert flags & RESIMULATED
    assert session.timeline.events.max_frames == 12
    assert session.timeline.resimulated == 12


def test_with_a_rollback_pending_an_input_is_compared_with_what_was_stepped() -> None:
    """Frame 12 was stepped with 0; that frame 11's late 4 will be repeated there is not yet so."""
    table = alone(5)
    table[0].store_remote_input(1, 4, 11, table.now)
    table[0].store_remote_input(1, 4, 12, table.now)
    assert [(e["frame"], e["predictedAction"], e["actualAction"]) for e in events(table[0])] == [(11, 0, 4), (12, 0, 4)]


def test_after_a_resimulation_an_input_is_compared_with_the_new_prediction() -> None:
    """The late 4 was repeated in frames 12 to 14: a 4 agrees there now, a 0 does not."""
    table = alone(5)
    table[0].store_remote_input(1, 4, 11, table.now)
    table.advance(0)
    assert table[0].store_remote_input(1, 4, 12, table.now)
    assert table[0].store_remote_input(1, 0, 13, table.now)
    assert [(e["frame"], e["predictedAction"], e["actualAction"]) for e in events(table[0])] == [(11, 0, 4), (13, 4, 0)]


def test_duplicates_agreement_frames_to_come_and_drops_give_no_event() -> None:
    """An input gives at most one event."""
    table = alone(5)
    session = table[0]
    assert session.store_remote_input(1, 0, 11, table.now)
    assert not session.store_remote_input(1, 0, 11, table.now)
    assert not session.store_remote_input(1, 5, 11, table.now)
    assert session.store_remote_input(1, 5, session.frame, table.now)
    assert not session.store_remote_input(1, 5, 3, table.now)
    assert not session.store_remote_input(1, 5, 10**6, table.now)
    assert session.store_remote_input(1, 3, 13, table.now)
    assert not session.store_remote_input(1, 3, 13, table.now)
    assert [(e["frame"], e["actualAction"]) for e in events(session)] == [(13, 3)]


def test_the_local_input_is_compared_with_nothing_and_never_replaced() -> None:
    """What was dispatched stands, whatever is pressed later."""
    table = alone(5)
    target = table[0].dispatched
    used = table[0].timeline.used(0, target)
    for action in (1, 2, 3):
        table.poll(0, action)
    assert table[0].dispatched in (target, target + 1)
    assert table[0].timeline.used(0, target) == used
    assert events(table[0]) == []


def test_the_log_line_names_player_frame_predicted_actual_and_depth() -> None:
    """It begins as the page's does."""
    table = Table(2, LONG, players=["left", "right"]).start()
    table.until(lambda: table[0].frame == 10)
    table.passes = lambda sender, to, what: to != 0
    table.ticks(5)
    table[0].store_remote_input(1, 4, 12, table.now)
    table.advance(0)
    lines = [line for line in table.logs(0) if line.startswith("[GGPO] Late input triggering rollback:")]
    assert lines == [
        "[GGPO] Late input triggering rollback: player right, frame 12, predicted 0, actual 4, depth 3",
    ]


def test_more_than_ten_lines_a_second_are_summed_up() -> None:
    """Twelve late inputs at one moment are ten lines and, a second later, a sum."""
    table = alone(40)
    for frame in range(11, 23):
        assert table[0].store_remote_input(1, 5, frame, table.now)
    table.advance(0)
    lines = [line for line in table.logs(0) if line.startswith("[GGPO]")]
    assert len(lines) == 10
    table.passes = lambda sender, to, what: to != 0
    table.now += 1.0
    table.ticks(20)
    table[0].store_remote_input(1, 1, table[0].frame - 1, table.now)
    table.advance(0)
    lines = [line for line in table.logs(0) if line.startswith("[GGPO]")]
    assert len(lines) == 12
    assert "2 more within a second" in " ".join(lines[10:])


# -- input delay and what is agreed ---------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0, 1, 2, 5])
def test_the_first_frames_have_the_default_action_of_everybody(delay: int) -> None:
    """Frames 0 … d-1 are agreed: played with the default action, known at once, never an event."""
    table = Table(2, settings(input_delay=delay, max_steps=20, default_action=2))
    for _ in range(200):
        table.tick(4, 5)
    for seat in (0, 1):
        rows = [row[2] for row in table.published[seat] if row[2]]
        assert rows[:delay] == [(b"\2", b"\2")] * delay
        assert rows[delay:] == [(b"\4", b"\5")] * (20 - delay)
        assert table[seat].timeline.total == 20


def test_what_is_dispatched_is_one_input_per_stepped_frame() -> None:
    """sent == frames stepped, beyond the agreed ones and up to the delay behind the end."""
    for delay in (0, 3):
        table = Table(2, settings(input_delay=delay, max_steps=25))
        table.until(lambda table=table: all(session.phase == DONE for session in table.sessions))
        for seat in (0, 1):
            counts = table[seat].links[0].counts
            assert counts.sent_via_p2p + counts.sent_via_socketio == 25
            assert counts.received_via_p2p + counts.received_via_socketio == 25


@pytest.mark.parametrize("action", [6, -1, 1.0, None])
def test_an_action_outside_of_the_space_raises_and_nothing_moves(action: Any) -> None:
    """The caller may repeat the poll with another action."""
    table = Table(2, LONG).start()
    table.ticks(5)
    before = visible(table[0])
    with pytest.raises(ActionError):
        table[0].poll(table.now + 1 / 32, action, [0])
    assert visible(table[0]) == before


def test_as_many_channel_states_as_links_are_wanted() -> None:
    """Too few or too many is the caller's mistake."""
    table = Table(3, LONG)
    with pytest.raises(UsageError, match="1 channel states for 2 links"):
        table[0].poll(table.now, 0, [0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"players": []}, "1 to 8 players"),
        ({"players": list(range(9))}, "1 to 8 players"),
        ({"players": [1, "1"]}, "share an id"),
        ({"me": 2}, "seat 2 is none of 2"),
    ],
)
def test_a_session_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    """Each with what is wrong."""
    given: dict[str, Any] = {"game_id": "g", "players": [0, 1], "me": 0, "now": 0.0, "wall_ms": 0.0, **change}
    with pytest.raises(ConfigError, match=message):
        Session(Walk(2), Settings(), **given)


# -- the window -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [1, 2, 8, 16])
def test_current_minus_known_never_exceeds_the_window(window: int) -> None:
    """Then it stalls: it steps nothing, says so, and goes on as soon as the input comes."""
    table = Table(2, settings(max_steps=5000, window=window)).start()
    table.ticks(10)
    table.passes = lambda sender, to, what: to != 0
    flags = [table.tick()[0] for _ in range(window + 6)]
    known = min(table[0].timeline.frames.held)
    assert table[0].frame - known == window
    assert flags[-1] & STALLED
    assert not flags[-1] & STEPPED
    assert table[0].stalls == sum(1 for flag in flags if flag & STALLED)
    table.passes = lambda sender, to, what: True
    table.until(lambda: table.tick()[0] & STEPPED > 0, most=40)
    assert table[0].timeline.events.max_frames <= window - 1


def test_the_default_window_is_400_ms_and_8_at_least() -> None:
    """At 30 fps 12 frames, at 10 fps 8."""
    assert [Settings(fps=fps).prediction_window for fps in (10, 20, 30, 60)] == [8, 8, 12, 24]


# -- the beginning of an episode --------------------------------------------------------------------------------------


def test_nobody_steps_before_everybody_is_ready() -> None:
    """One ready is lost again and again, so both wait, and then both play."""
    table = Table(2, LONG)
    table.passes = lambda sender, to, what: to == 0
    table.ticks(64)
    assert [session.frame for session in table.sessions] == [1, 0] or table[1].frame == 0
    assert table[1].phase in (CONNECTING, READYING)
    assert table[0].timeline.frames.held[1] <= 0
    table.passes = lambda sender, to, what: True
    table.until(lambda: table[1].phase == PLAYING, most=100)


def test_the_first_episode_waits_for_p2p_at_most_p2p_wait() -> None:
    """Then it starts over socket.io: 5 s by default."""
    table = Table(2, LONG, channel=-1)
    ticks = table.until(lambda: table[0].phase == PLAYING)
    assert 5.0 <= ticks / 32 <= 5.3
    assert table[0].links[0].path == "socketio"
    without = Table(2, settings(p2p=False), channel=-1)
    assert without.until(lambda: without[0].phase == PLAYING) / 32 < 0.5
    assert len(actions_of(table.sent[0])) > 0


DIFFERENT: list[tuple[str, dict[str, Any]]] = [
    ("fps", {"fps": 31}),
    ("input_delay", {"input_delay": 2}),
    ("window", {"window": 9}),
    ("num_episodes", {"num_episodes": 7}),
    ("max_steps", {"max_steps": 77}),
    ("action_space", {"action_space": {"type": "discrete", "n": 7}}),
    ("default_action", {"default_action": 1}),
    ("hash_interval", {"hash_interval": 5}),
    ("environment", {"environment": "volley 2"}),
    ("seats", {"seats": ({"default_action": 1},)}),
]


@pytest.mark.parametrize(("name", "change"), DIFFERENT)
def test_each_agreed_setting_that_differs_is_refused_by_name(name: str, change: dict[str, Any]) -> None:
    """Both sides fail with the name, before a frame is stepped."""
    table = Table(2, LONG, each=[{}, {"settings": settings(**{"max_steps": 5000, **change})}])
    table.until(lambda: all(session.phase == FAILED for session in table.sessions), most=300)
    for seat in (0, 1):
        ended = table.events(seat, SessionEnded)[0]
        assert ended.reason == "config"
        assert f"player {1 - seat}: {name} differs: " in ended.text
        assert table[seat].frame == 0
        assert table.advance(seat) == OVER


def test_the_list_of_agreed_settings_is_complete() -> None:
    """Whoever adds a setting that must agree adds it to the test above."""
    assert {name for name, _ in DIFFERENT} == set(Settings().agreed())


def test_another_seed_is_refused_by_name() -> None:
    """The seed belongs to what all agree on."""
    table = Table(2, LONG, each=[{"seed": 1}, {"seed": 2}])
    table.until(lambda: all(session.phase == FAILED for session in table.sessions), most=300)
    for seat in (0, 1):
        assert f"seed differs: {seat + 1} here, {2 - seat} there" in table.events(seat, SessionEnded)[0].text


def test_what_is_agreed_may_be_of_any_size() -> None:
    """A ready has a digest of each value: long ones are no obstacle, and where they differ they are named."""
    players = ["x" * 6000, "y" * 6000]
    table = Table(2, settings(max_steps=20), players=players).finish()
    assert [session.reason for session in table.sessions] == ["complete", "complete"]
    table = Table(2, settings(environment="e" * 9000), each=[{}, {"settings": settings(environment="e" * 9001)}])
    table.until(lambda: table[0].phase == FAILED, most=300)
    assert "environment differs" in table.events(0, SessionEnded)[0].text


def test_a_seed_of_0_is_a_seed() -> None:
    """Nothing that is not there stands for it."""
    table = Table(2, LONG, each=[{"seed": 0}, {"seed": 1}])
    table.until(lambda: table[0].phase == FAILED, most=300)


def test_another_initial_state_is_refused() -> None:
    """The reset is not the same on both sides although the seed is."""
    table = Table(2, LONG, simulation=lambda seat: Walk(2, seed=seat))
    table.until(lambda: all(session.phase == FAILED for session in table.sessions), most=300)
    assert [session.reason for session in table.sessions] == ["initial_state", "initial_state"]


def test_another_version_is_refused() -> None:
    """A ready of a later protocol is not read, it is refused."""
    table = Table(2, LONG)

    def later(sender: int, to: int, what: Any) -> bool:
        if not isinstance(what, bytes) or what[0] != datagram.KIND or to != 0:
            return True
        blocks = [(k, b"\3" + p[1:] if k == READY else p) for k, p in opened(table[sender], what).blocks]
        table[to].receive(sender, table.forged(sender, blocks=blocks), table.now)
        return False

    table.passes = later
    table.until(lambda: table[0].phase == FAILED, most=300)
    assert table[0].reason == "version"


def test_a_peer_that_never_gets_ready_ends_the_session_after_the_timeout() -> None:
    """60 s by default, and the text says who."""
    table = Table(2, settings(ready_timeout=3.0), channel=-1)
    table.passes = lambda sender, to, what: False
    ticks = table.until(lambda: table[0].phase == FAILED)
    assert 8.0 <= ticks / 32 <= 8.2
    assert table[0].reason == "ready_timeout"
    assert table.events(0, SessionEnded)[0].text == "player 1 was not ready within 3 s"


def test_who_gave_up_waiting_for_a_ready_says_so_to_whoever_comes_later() -> None:
    """The late one has the other's ready: it would play alone, stalled for ever."""
    table = Table(2, settings(ready_timeout=3.0), channel=-1)
    for _ in range(32 * 9):
        table.now += table.period
        table.poll(0)
        table.advance(0)
    assert table[0].phase == FAILED
    table.mail = table.mail[:1]
    table.until(lambda: table[1].phase == FAILED, most=32 * 20)
    assert table[1].frame == 0
    assert table[1].reason == "ready_timeout"


# -- the end of an episode ------------------------------------------------------------------------------------------


class Until(Walk):
    """Ends with the frame in which seat 1 plays 5."""

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        result = super().step(actions)
        assert result is not None
        result.done = actions[1] == 5
        return result


def test_a_provisional_end_is_held_at_and_revoked() -> None:
    """Nobody steps beyond it, it is no stall, and the truth takes it back."""
    table = Table(2, LONG, simulation=lambda seat: Until(2, seed=1)).start()
    table.until(lambda: table[0].frame == 10)
    table.passes = lambda sender, to, what: to != 0
    table.ticks(3)
    session = table[0]
    assert (session.frame, session.timeline.frames.held[1]) == (13, 10)
    session.store_remote_input(1, 5, 11, table.now)
    flags = table.advance(0)
    assert flags & ON_HOLD
    assert (session.phase, session.timeline.end, session.frame) == (HOLDING, 11, 12)
    stalls = session.stalls
    for _ in range(10):
        assert not table.tick()[0] & (STEPPED | STALLED)
    assert session.stalls == stalls
    assert session.frame == 12


def test_an_end_that_was_predicted_is_revoked_by_the_input() -> None:
    """The end stood on a repeated 5; the true 0 takes it back and the episode goes on."""

    class Second(Walk):
        def step(self, actions: Sequence[Any]) -> StepResult | None:
            result = super().step(actions)
            assert result is not None
            result.done = actions[1] == 5 and self.state[0] % 2 == 0
            return result

    table = Table(2, LONG, simulation=lambda seat: Second(2, seed=1)).start()
    table.until(lambda: table[0].frame == 10)
    table.passes = lambda sender, to, what: to != 0
    table.ticks(1)
    session = table[0]
    table.now += table.period
    table.poll(0)
    session.store_remote_input(1, 5, 12, table.now)
    session.store_remote_input(1, 0, 11, table.now)
    table.advance(0)
    table.ticks(4)
    assert (session.phase, session.timeline.end) == (HOLDING, 13)
    assert session.store_remote_input(1, 0, 13, table.now)
    stalls = session.stalls
    table.advance(0)
    assert (session.phase, session.timeline.end) == (PLAYING, None)
    assert table.tick()[0] & STEPPED
    assert session.stalls == stalls
    phases = [event.phase for event in table.events(0, PhaseChanged)]
    assert phases[-2:] == ["holding", "playing"]


def test_max_steps_ends_everybody_at_the_same_frame() -> None:
    """As many frames as max_steps says, on both, with the reason."""
    table = Table(2, settings(max_steps=40, num_episodes=2))
    table.until(lambda: all(session.phase == DONE for session in table.sessions))
    for seat in (0, 1):
        assert table[seat].ended == [
            EpisodeEnded(episode=0, frames=40, reason="max_steps"),
            EpisodeEnded(episode=1, frames=40, reason="max_steps"),
        ]
        assert table[seat].reason == "complete"
    assert table.published[0] == table.published[1]
    assert [row[1] for row in table.published[0]] == [*range(41), *range(41)]


@pytest.mark.parametrize("later", range(8))
def test_a_silent_cut_while_held_falls_back_like_any_other(later: int) -> None:
    """Every input may be acknowledged by then: what is waited for is the other's word on the end."""
    table = Table(2, settings(max_steps=40, num_episodes=2))
    table.until(lambda: table[0].phase == HOLDING or table[1].phase == HOLDING)
    table.ticks(later)
    table.passes = lambda sender, to, what: not isinstance(what, bytes)
    table.until(lambda: all(session.phase == DONE for session in table.sessions), most=32 * 5)
    assert [session.links[0].fallback in ("silence", "deaf") for session in table.sessions] == [True, True]
    assert [session.reason for session in table.sessions] == ["complete", "complete"]
    assert table.published[0] == table.published[1]


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("p2p", [False, True])
@pytest.mark.parametrize("ahead", [0, 1, 7])
def test_a_stop_ends_everybody_at_the_same_frame(both: bool, p2p: bool, ahead: int) -> None:
    """The end is the highest frame that anyone can have stepped; asked for by one side, or by both at once."""
    table = Table(2, settings(max_steps=5000, p2p=p2p, window=4), channel=0 if p2p else -1).start()
    table.ticks(20)
    for _ in range(ahead):
        table.now += table.period
        table.poll(1)
        table.deliver()
        table.advance(1)
    table[0].request_stop(table.now)
    if both:
        table[1].request_stop(table.now)
    table.until(lambda: all(session.phase == DONE for session in table.sessions), most=300)
    assert table.published[0] == table.published[1]
    assert [session.reason for session in table.sessions] == ["stop", "stop"]
    assert {session.ended[0].reason for session in table.sessions} == {"stop"}


@pytest.mark.parametrize("window", [1, 3, 8])
@pytest.mark.parametrize("server_delay", [0.02, 0.3, 0.7])
def test_a_stop_through_a_slow_server_ends_everybody_at_the_same_frame(window: int, server_delay: float) -> None:
    """Inputs that travel as events of the server carry no stop: it is said before any of them goes out."""
    mesh = Mesh(
        2, Settings(max_steps=5000, window=window, p2p=False), lambda seat: Walk(2, seed=1),
        lambda seat: lambda episode, frame: frame // 4 % 6,
        Conditions(opens_after=None, server_delay=server_delay), seed=window,
    )  # fmt: skip
    for peer in mesh.peers:
        mesh.at(5.0 + 0.07 * peer.seat, lambda peer=peer: peer.session.request_stop(mesh.clock(peer.seat)))
    mesh.run(60.0)
    assert mesh.over
    assert mesh.peers[0].rows == mesh.peers[1].rows
    assert mesh.peers[0].finals == mesh.peers[1].finals != [None]
    assert [peer.session.reason for peer in mesh.peers] == ["stop", "stop"]


def test_a_stop_that_comes_after_its_frame_was_stepped_takes_that_back() -> None:
    """Predicted ahead, seat 1 has stepped beyond the frame that the stop names: both end with it all the same."""
    table = Table(2, settings(max_steps=5000)).start()
    table.ticks(10, 1, 2)
    table.passes = lambda sender, to, what: to == 0
    table.ticks(5, 3, 4)
    stop = min(table[1].timeline.frames.held) + 2
    assert table[1].frame > stop + 1
    table[1]._parts.stop.at(stop)
    table[0]._parts.stop.at(stop)
    table.passes = lambda sender, to, what: True
    table.until(lambda: all(session.phase == DONE for session in table.sessions), most=200)
    assert table.published[0] == table.published[1]
    assert table.published[0][-1][1] == stop + 1


class Late(Walk):
    """Differs from a Walk in the very last state."""

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        result = super().step(actions)
        if self.state[0] == 40:
            self.state = (40, self.state[1] ^ 1)
        return result


@pytest.mark.parametrize("seed", range(8))
def test_the_final_state_is_compared_on_every_peer_whatever_is_lost(seed: int) -> None:
    """Nobody leaves an episode before it has the others' final hash."""
    mesh = Mesh(
        2, Settings(max_steps=40, num_episodes=2, hash_interval=1000), lambda seat: (Late if seat else Walk)(2, seed=1),
        lambda seat: lambda episode, frame: frame // 4 % 6, Conditions(delay=0.05, loss=0.35), seed=seed,
    )  # fmt: skip
    mesh.run(120.0)
    assert mesh.over
    for peer in mesh.peers:
        assert [(event.episode, event.frame) for event in peer.events(Desync)] == [(0, 40), (1, 40)]


@pytest.mark.parametrize("phase", [CONNECTING, READYING, BETWEEN])
def test_a_stop_outside_of_an_episode_reaches_the_other_side(phase: int) -> None:
    """Nobody is left waiting for a ready that never comes."""
    table = Table(2, settings(max_steps=30, num_episodes=3, episode_pause=1.0), channel=-1 if phase < PLAYING else 0)
    table.until(lambda: table[0].phase == phase)
    table[0].request_stop(table.now)
    table.until(lambda: all(session.phase == DONE for session in table.sessions), most=32 * 8)
    assert [session.reason for session in table.sessions] == ["stop", "stop"]
    assert table.published[0] == table.published[1]


@pytest.mark.parametrize("seats", [2, 3])
@pytest.mark.parametrize("phase", [CONNECTING, BETWEEN])
@pytest.mark.parametrize(
    ("reason", "first", "later"),
    [("ready_timeout", "ready_timeout", "player_left"), ("p2p_timeout", "p2p_timeout", "player_left"),
     ("config", "config", "player_left"), ("decode", "decode", "player_left"),
     ("player_left", "player_left", "player_left"), ("no_return", "player_left", "player_left"),
     ("excluded", "player_left", "player_left"), ("stop", "stop", "stop")],
)  # fmt: skip
def test_who_ends_outside_of_an_episode_has_not_asked_for_the_end(
    seats: int, phase: int, reason: str, first: str, later: str
) -> None:
    """All of it was a stop, which counts as completed at the server, and says that somebody asked for it. Behind the
    first episode nobody takes over why another one gave up: whoever hears of it has lost a player."""
    early = phase < PLAYING
    table = Table(seats, settings(max_steps=30, num_episodes=3, episode_pause=1.0), channel=-1 if early else 0)
    table.until(lambda: table[0].phase == phase)
    table[0].abort(table.now, reason, "for a reason of its own")
    table.ticks(16)
    if seats > 2 and reason not in NOT_BEGUN and reason != "stop":
        # The others go on without.
        assert table[1].phase < DONE or table[1].reason == "player_left"
        return
    table.until(lambda: table[1].phase >= DONE, most=32 * 8)
    assert table[1].reason == (first if early else later)
    # What has not begun is shown as an error by whoever hears of it as well, not as a game with a summary of nothing.
    assert table[1].phase == (FAILED if early and reason in NOT_BEGUN else DONE)


def test_a_stop_at_the_very_end_of_an_episode_reaches_who_has_left_it() -> None:
    """One holds and stops, the other is between the episodes already: both end."""
    table = Table(2, settings(max_steps=30, num_episodes=3))
    table.until(lambda: table[0].phase == HOLDING)
    table.passes = lambda sender, to, what: to == 1
    for _ in range(40):
        table.tick()
        if table[1].episode == 1:
            break
    table[0].request_stop(table.now)
    table.passes = lambda sender, to, what: True
    table.until(lambda: all(session.phase == DONE for session in table.sessions), most=32 * 8)
    assert table.published[0][:31] == table.published[1][:31]
    assert [session.reason for session in table.sessions] == ["stop", "stop"]


@pytest.mark.parametrize("loss", [0, 1, 2, 5])
def test_who_is_done_says_so_until_it_is_known_and_then_falls_silent(loss: int) -> None:
    """Each learns that the other is over, whatever is lost; nobody chatters for ever."""
    table = Table(2, settings(max_steps=30))
    rng = random.Random(loss)
    table.passes = lambda sender, to, what: not isinstance(what, bytes) or rng.randrange(loss + 1) == 0
    table.until(lambda: all(session.phase == DONE for session in table.sessions))
    table.until(lambda: all(session.links[0].peer.over for session in table.sessions), most=200)
    table.ticks(30)
    said = [len(sent) for sent in table.sent]
    table.ticks(60)
    assert [len(sent) for sent in table.sent] == said


def test_a_channel_that_closes_after_the_end_is_no_fallback() -> None:
    """One page goes on to the next game: the metrics of the other stay what they were when they were stored."""
    table = Table(2, settings(max_steps=30))
    table.until(lambda: all(session.phase == DONE and session.links[0].peer.over for session in table.sessions))
    table.channels = [[-2], [-2]]
    table.ticks(40)
    assert [session.path_changes for session in table.sessions] == [[], []]
    assert [session.links[0].paths.first_fallback for session in table.sessions] == [None, None]


@pytest.mark.parametrize("over", [False, True])
def test_nobody_talks_to_a_player_whom_the_server_calls_gone(over: bool) -> None:
    """The server would refuse every word; the game of who is left is over at once."""
    table = Table(2, settings(max_steps=30 if over else 1000), channel=-1).start()
    table.ticks(5)
    if over:
        table.until(lambda: table[0].phase == HOLDING)
        table.passes = lambda sender, to, what: to == 0
        table.until(lambda: table[0].phase == DONE or table[1].phase == DONE)
    table[0].player_left(1, table.now)
    assert table[0].phase == DONE
    table.sent[0].clear()
    for _ in range(400):
        table.now += table.period
        table.poll(0)
    assert len(table.sent[0]) <= 1


def test_the_frame_total_counts_each_frame_once() -> None:
    """frames.total: first-time steps over all episodes, re-simulated ones not again."""
    mesh = Mesh(
        2, Settings(max_steps=100, num_episodes=3), lambda seat: Walk(2, seed=1),
        lambda seat: lambda episode, frame: frame // 2 % 6, Conditions(delay=0.08, jitter=0.05, loss=0.1), seed=1,
    )  # fmt: skip
    mesh.run(60.0)
    for peer in mesh.peers:
        assert peer.session.timeline.total == 300
        assert peer.session.timeline.resimulated > 300
        assert peer.session.timeline.simulation.steps == 300 + peer.session.timeline.resimulated


# -- presence -------------------------------------------------------------------------------------------------------


def test_a_silent_player_is_interrupted_after_2_s_and_dropped_after_20() -> None:
    """The others are told; then the episode ends at its last confirmed frame."""
    table = Table(2, LONG).start()
    table.ticks(20)
    table.passes = lambda sender, to, what: False
    since = table.now
    table.until(lambda: bool(table.events(0, PeerStatus)))
    assert 2.0 <= table.now - since <= 2.3
    assert table.events(0, PeerStatus)[0] == PeerStatus(seat=1, status="interrupted")
    table.until(lambda: table[0].phase == DONE)
    assert 20.0 <= table.now - since <= 20.3
    assert table[0].reason == "player_left"
    assert table[0].ended == [EpisodeEnded(episode=0, frames=table[0].published + 1, reason="player_left")]


def test_who_was_given_up_learns_it_when_it_comes_back() -> None:
    """A peer that comes back to a session that went on to its end ends as well."""
    table = Table(2, LONG).start()
    table.ticks(20)
    table.passes = lambda sender, to, what: to == 1
    table.until(lambda: table[0].phase == DONE)
    table.until(lambda: table[1].phase == DONE, most=32)
    assert table[1].reason == "dropped"
    assert "had not heard of us" in table.events(1, SessionEnded)[0].text


def test_a_hidden_player_is_announced_and_not_taken_for_silent() -> None:
    """Hidden pages tick slowly: their silence is no reason to leave the path."""
    table = Table(2, LONG).start()
    table.ticks(20)
    table.hidden[1] = True
    table.ticks(3)
    assert table.events(0, PeerStatus) == [PeerStatus(seat=1, status="hidden")]
    table.passes = lambda sender, to, what: sender == 0
    table.ticks(32)
    assert table[0].links[0].fallback is None
    table.passes = lambda sender, to, what: True
    table.hidden[1] = False
    table.ticks(3)
    assert table.events(0, PeerStatus)[-1] == PeerStatus(seat=1, status="present")


def test_a_pause_of_our_own_is_not_the_others_silence() -> None:
    """A tab that slept for 3 s looks at what came before it judges."""
    table = Table(2, LONG).start()
    table.ticks(20)
    table.now += 3.0
    table.poll(0)
    assert table[0].links[0].fallback is None
    assert table[0].phase == PLAYING


# -- desync ---------------------------------------------------------------------------------------------------------


class Odd(Walk):
    """Differs from a Walk from state 42 on."""

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        result = super().step(actions)
        if self.state[0] == 42:
            self.state = (42, self.state[1] ^ 1)
        return result


@pytest.mark.parametrize("interval", [1, 10, 42, 50])
def test_the_first_compared_state_that_differs_is_reported(interval: int) -> None:
    """Every k-th state is compared: the report names the first multiple of k from 42 on, or the final state."""
    table = Table(
        2, settings(max_steps=60, hash_interval=interval), simulation=lambda seat: (Odd if seat else Walk)(2, seed=1)
    )
    table.until(lambda: all(session.phase == DONE for session in table.sessions))
    for seat in (0, 1):
        found = table.events(seat, Desync)
        assert found[0].frame == -(-42 // interval) * interval
        assert found[-1].frame == 60
        assert len(found) == len({event.frame for event in found}) == table[seat].hash_mismatches
    one, two = table.events(0, Desync)[0], table.events(1, Desync)[0]
    assert (one.own, one.theirs) == (two.theirs, two.own)


def test_predicted_states_are_never_compared() -> None:
    """Heavy loss, a hash of every state, thousands compared, no false alarm."""
    mesh = Mesh(
        2, Settings(max_steps=400, hash_interval=1), lambda seat: Walk(2, seed=1),
        lambda seat: lambda episode, frame: (frame * (seat + 2)) // 3 % 6,
        Conditions(delay=0.08, jitter=0.08, loss=0.3), seed=5,
    )  # fmt: skip
    mesh.run(120.0)
    assert mesh.over
    for peer in mesh.peers:
        assert peer.events(Desync) == []
        assert peer.session.hashes_compared_with(1 - peer.seat) >= 150
        assert peer.session.timeline.rollbacks > 100


def test_a_packet_carries_what_its_flags_say() -> None:
    """The last tick's datagram of a playing session reads as written."""
    table = Table(2, LONG).start()
    table.ticks(20, 3, 4)
    packet = opened(table[0], datagrams_of(table.outputs[0])[0])
    assert packet.receipts == (table[1].dispatched - 1,) or packet.receipts[0] >= 18
    assert packet.inputs[-1] == b"\3"
    assert packet.episode == 0


def test_a_link_to_oneself_does_not_exist() -> None:
    """Neither to a seat that nobody has."""
    table = Table(2, LONG)
    for seat in (0, 2, -1):
        with pytest.raises(UsageError, match=f"no link to {seat} from 0 among 2"):
            table[0].link_to(seat)
    assert table[0].link_to(1) is table[0].links[0]
    assert table[0].links[0].path is None or P2P


# -- what a page needs ----------------------------------------------------------------------------------------------


def test_a_session_of_one_plays_through_its_episodes() -> None:
    """Nobody to wait for: every frame is confirmed as it is stepped, nothing is sent, and the hashes are its own."""
    table = Table(1, settings(num_episodes=2, max_steps=10))
    table.until(lambda: table[0].phase == DONE, most=60)
    assert [row[:2] for row in table.published[0]] == [(episode, frame) for episode in (0, 1) for frame in range(11)]
    assert table.sent[0] == []
    assert table[0].reason == "complete"


def test_nobody_begins_while_one_is_held_back() -> None:
    """The page asks for each episode; the others wait for it, ready, and begin together."""
    table = Table(2, settings(num_episodes=2, max_steps=20))
    table[1].held_back = True
    table.ticks(64)
    assert [session.phase for session in table.sessions] == [READYING, CONNECTING]
    table[1].held_back = False
    table.start()
    table[0].held_back = True
    table.until(lambda: table[0].phase == BETWEEN)
    table.ticks(64)
    assert [session.phase for session in table.sessions] == [BETWEEN, READYING]
    table[0].held_back = False
    table.until(lambda: all(session.phase == DONE for session in table.sessions))


def test_where_p2p_is_required_no_game_begins_without_it() -> None:
    """After p2p_wait both give up by name; no input was ever sent."""
    table = Table(2, settings(p2p_required=True, p2p_wait=3.0), channel=-1)
    ticks = table.until(lambda: all(session.phase == FAILED for session in table.sessions))
    assert 3.0 <= ticks / 32 <= 3.3
    ended = table.events(0, SessionEnded)[0]
    assert ended.reason == "p2p_timeout"
    assert "player 1" in ended.text
    assert actions_of(table.sent[0]) == []


def test_with_p2p_a_required_connection_changes_nothing() -> None:
    """The wait is for those who do not connect."""
    table = Table(2, settings(p2p_required=True, max_steps=20)).start()
    table.until(lambda: all(session.phase == DONE for session in table.sessions))
    with pytest.raises(ConfigError, match="p2p_required needs p2p"):
        Settings(p2p=False, p2p_required=True)


def test_an_abort_ends_the_episode_with_what_is_confirmed_and_the_others_hear_of_it() -> None:
    """Whoever breaks steps nothing more; the partner ends at its last confirmed frame instead of waiting."""
    table = Table(2, LONG).start()
    table.until(lambda: table[0].frame == 40)
    published = table[0].published
    table[0].abort(table.now, "error", "the environment raised")
    table[0].abort(table.now, "error", "once is enough")
    table.ticks(16)
    assert table[0].phase == FAILED
    assert table[0].frame == 40
    assert table[0].published == published
    assert [event.reason for event in table.events(0, SessionEnded)] == ["error"]
    assert table.events(0, EpisodeEnded)[0].frames == published + 1
    assert table[1].phase == DONE
    assert table[1].reason == "player_left"
    assert "player 0's environment failed" in table.events(1, SessionEnded)[0].text


def test_an_abort_for_a_reason_of_the_callers_own_is_the_others_leaving() -> None:
    """The code travels as `aborted`, which is nobody else's reason."""
    table = Table(2, LONG).start()
    table.ticks(20)
    table[0].abort(table.now, "study", "the study is closed")
    table.finish(most=32)
    assert [session.reason for session in table.sessions] == ["study", "player_left"]
    assert "player 0 ended the session" in table.events(1, SessionEnded)[0].text
    assert table[1].links[0].peer.reason == "aborted"


def test_another_version_of_the_core_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two versions may step alike or not; nobody finds that out in a study."""
    import pycore.session.session as module

    first = Table(2, LONG)
    monkeypatch.setattr(module, "__version__", "0.0.9")
    second = Table(2, LONG)
    first.sessions[1] = second.sessions[1]
    first.until(lambda: first[0].phase == FAILED, most=300)
    assert f"pycore differs: {__version__!r} here, '0.0.9' there" in first.events(0, SessionEnded)[0].text
