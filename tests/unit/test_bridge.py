"""The page's way in: two bridges, coupled by a shim in Python that obeys the ABI byte for byte, play a game."""

from __future__ import annotations

import ast
import base64
import json
import random
import struct
import traceback
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from bridge_support import PERIOD, Page, Pair, done, keys, pair
from core_support import moved, visible
from hypothesis import given
from hypothesis import strategies as st
from syntax import parsed, statements

from examples import volley
from pycore.bridge.bridge import Bridge, create
from pycore.bridge.companion import Alone
from pycore.bridge.game import Game
from pycore.bridge.seats import seat_order
from pycore.duties import CHANNEL_CLOSED, CHANNEL_NEVER
from pycore.envs import ParallelEnvAdapter
from pycore.events import Log, PeerStatus
from pycore.session.phases import DONE, FAILED, PLAYING
from pycore.session.publication import BEHIND
from pycore.session.tick import OVER, RESIMULATED, STEPPED
from pycore.testing import Walk
from pycore.values import canonical


def episode_lines(page: Page) -> list[str]:
    """The summaries of episodes in a page's log."""
    lines = [news["text"] for news in page.news if news["news"] == "log"]
    return [line for line in lines if line.startswith("[Episode]")]


def line_of(metrics: dict[str, Any], episode: int, frames: int, word: str = "Complete") -> str:
    """The summary that goes with a session's exported metrics."""
    inputs, rollbacks = metrics["inputs"], metrics["rollbacks"]
    line = (
        f"[Episode] {word}: episode {episode}, {frames} frames; up to here sent {inputs['sentViaP2P']} by P2P and "
        f"{inputs['sentViaSocketIO']} by socket.io, received {inputs['receivedViaP2P']} and "
        f"{inputs['receivedViaSocketIO']}, {rollbacks['count']} rollback events, longest {rollbacks['maxFrames']} "
        f"frames, connection {metrics['connection']['type']}"
    )
    if metrics["quality"]["p2pFallbackTriggered"]:
        line += f", first fallback at frame {metrics['quality']['p2pFallbackFrame']}"
    return line


def test_an_environment_is_tried_out_with_each_seats_own_default_action() -> None:
    """It may know no other of that seat."""
    env = volley.make_env()
    step = env.step
    seen: set[tuple[Any, ...]] = set()

    def noted(actions: dict[Any, Any]) -> Any:
        seen.add(tuple(actions.values()))
        return step(actions)

    env.step = noted
    Page(0, [0, 1], env, {"default_action": 5, "seats": [{}, {"default_action": 2}]})
    assert seen == {(5, 2)}


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_two_pages_connect_and_play_a_session_to_its_end(loss: float) -> None:
    """Signalling, channel, two episodes: the records are byte-identical, complete, and non-trivial."""
    rng = random.Random(1)
    two = pair(lambda: rng.random() < loss)
    two.until(done(two), play=keys)
    two.tick()
    texts = [page.bridge.view.records() for page in two.pages]
    assert texts[0] == texts[1]
    lines = [json.loads(line) for line in texts[0].splitlines()]
    assert [line["frame"] for line in lines if line.get("episode") == 1] == list(range(60))
    assert [line["frames"] for line in lines if "end" in line] == [60, 60]
    assert len({tuple(line["actions"]) for line in lines if "actions" in line}) > 10
    for page in two.pages:
        metrics = json.loads(page.bridge.view.export_session_metrics())
        said = [each for each in page.emitted if each["event"] == "pyodide_player_action"]
        assert metrics["inputs"]["sentViaP2P"] + metrics["inputs"]["sentViaSocketIO"] == 120
        assert loss > 0 or (metrics["inputs"]["sentViaP2P"], said) == (120, [])
        assert page.flags & OVER
        assert json.loads(page.bridge.view.episode_records(1).splitlines()[1])["episode"] == 1
        assert {news["news"] for news in page.news} >= {"phase", "episode-end", "done"}
        assert episode_lines(page)[1:] == [line_of(metrics, episode=1, frames=60)]
        if loss == 0:
            assert episode_lines(page)[0] == (
                "[Episode] Complete: episode 0, 60 frames; up to here sent 60 by P2P and 0 by socket.io, "
                "received 60 and 0, 0 rollback events, longest 0 frames, connection unknown"
            )
    assert [command["command"] for command in two.pages[0].commands][:2] == ["connect", "offer"]


@pytest.mark.slow
def test_a_channel_that_closes_is_made_up_for_and_opened_again() -> None:
    """Inputs go through the server from the same tick on; the initiator opens a new channel; P2P returns."""
    two = pair(max_steps=300, num_episodes=1)
    two.until(lambda: two.pages[0].bridge.session.frame == 50, play=keys)
    two.close()
    two.tick(1, 2)
    said = [each for each in two.pages[0].emitted if each["event"] == "pyodide_player_action"]
    assert said
    assert set(said[0]["data"]) == {"game_id", "player_id", "action", "frame_number", "timestamp", "sync_epoch"}
    two.until(done(two), play=keys)
    changes = [news for news in two.pages[0].news if news["news"] == "path"]
    assert [(c["from_path"], c["to_path"], c["cause"], c["player"]) for c in changes] == [
        ("p2p", "socketio", "closed", 1), ("socketio", "p2p", "recovered", 1),
    ]  # fmt: skip
    assert "channel" in [command["command"] for command in two.pages[0].commands]
    assert two.pages[0].bridge.view.records() == two.pages[1].bridge.view.records()
    metrics = json.loads(two.pages[0].bridge.view.export_session_metrics())
    assert metrics["quality"]["p2pFallbackFrame"] in range(48, 53)
    assert episode_lines(two.pages[0]) == [line_of(metrics, episode=0, frames=300)]


def test_a_send_that_raises_in_the_page_goes_by_the_server_in_the_same_tick() -> None:
    """The shim calls send_failed and carries out that outbox too."""
    two = pair(max_steps=200, num_episodes=1)
    two.until(lambda: two.pages[0].bridge.session.frame == 50, play=keys)
    two.pages[0].raising = 1
    two.tick(3, 3)
    said = [each["data"] for each in two.pages[0].emitted if each["event"] == "pyodide_player_action"]
    assert len(said) == 1
    two.until(done(two), play=keys)
    metrics = [json.loads(page.bridge.view.export_session_metrics())["inputs"] for page in two.pages]
    assert (metrics[0]["sentViaSocketIO"], metrics[0]["sentViaP2P"]) == (1, 199)
    assert metrics[1]["receivedViaSocketIO"] + metrics[1]["receivedViaP2P"] == 200
    assert two.pages[0].bridge.view.records() == two.pages[1].bridge.view.records()


def test_without_p2p_the_game_is_played_through_the_server() -> None:
    """No connection is tried, every input is a message of an input."""
    two = pair(p2p=False)
    two.until(done(two), play=keys)
    assert two.pages[0].commands == []
    assert two.pages[0].bridge.view.records() == two.pages[1].bridge.view.records()
    assert json.loads(two.pages[0].bridge.view.export_session_metrics())["inputs"]["sentViaSocketIO"] == 120


@pytest.mark.slow
def test_what_a_rollback_confirmed_is_written_down_by_the_ticks_behind_it() -> None:
    """Its own tick has enough to do; but where every tick rolls back, the rest is bounded all the same."""
    two = pair(max_steps=400, num_episodes=1)
    two.until(lambda: two.pages[0].bridge.session.frame == 20, play=keys)
    page, other = two.pages
    waiting: dict[bool, list[int]] = {True: [], False: []}
    for tick in range(120):
        # The other's packets come in bursts of six, or, later, late by six all along.
        if tick < 60 and tick % 6:
            page.waiting, held = [], page.waiting
        else:
            held = []
        two.tick(tick % 5, tick // 3 % 5)
        page.waiting = [*held, *page.waiting]
        waiting[bool(page.flags & RESIMULATED)].append(page.bridge.session.waiting)
    assert other.bridge.session.frame > 100
    assert max(waiting[True]) >= 5
    assert min(waiting[False]) == 0
    assert max([*waiting[True], *waiting[False]]) <= BEHIND + 8
    two.until(done(two), play=keys)
    assert page.bridge.view.records() == other.bridge.view.records()
    assert len(page.bridge.view.records().splitlines()) == 402


def test_lines_of_the_log_that_belong_together_cross_as_one() -> None:
    """A rollback may have ten, and each would cost the page a record, a parse and a call of its console."""
    two = pair()
    two.until(lambda: two.pages[0].bridge.session.frame == 5)
    page = two.pages[0]
    news = page.bridge.session.journal.news
    page.news.clear()
    news += [Log(level="info", text="a"), Log(level="info", text="b"), Log(level="warning", text="c")]
    news += [PeerStatus(seat=1, status="hidden"), Log(level="warning", text="d")]
    two.tick()
    said = [(each["news"], each.get("level"), each.get("text")) for each in page.news]
    assert said == [
        ("log", "info", "a\nb"), ("log", "warning", "c"), ("peer", None, None), ("log", "warning", "d"),
    ]  # fmt: skip


def test_the_head_of_the_outbox_says_period_frame_and_phase() -> None:
    """f64 seconds per tick, i32 current frame, i32 phase; flags say what advance did."""
    two = pair(input_delay=1)
    two.until(lambda: two.pages[0].bridge.session.frame == 20)
    period, frame, phase = struct.unpack_from("<dii", two.pages[0].bridge.outbox, 0)
    assert period == pytest.approx(PERIOD, rel=0.05)
    assert (frame, phase) == (20, PLAYING)
    assert two.pages[0].flags & STEPPED


def test_seats_are_sorted_as_the_page_sorts_them() -> None:
    """Numbers by value, strings by UTF-16 code unit; mixed ids do not fall over."""
    assert seat_order([10, 9, 2]) == [2, 9, 10]
    assert seat_order(["b", "a", "Z"]) == ["Z", "a", "b"]
    assert seat_order(["\uff01", "\U0001f600"]) == ["\U0001f600", "\uff01"]
    assert seat_order(["a", 3]) == [3, "a"]


def test_players_with_names_play_as_well() -> None:
    """Lessons, row 16: string ids never become numbers."""

    two = Pair([Page(me, ["left", "right"], _Sim(), {"max_steps": 30}) for me in ("left", "right")])
    two.until(done(two), play=keys)
    first = json.loads(two.pages[0].bridge.view.records().splitlines()[0])
    assert first["players"] == ["left", "right"]
    assert json.loads(two.pages[1].bridge.view.export_session_metrics())["playerId"] == "right"


class _Sim:
    """The duties of a simulation, with permanent objects on frame 0, as a page's environment has them."""

    def __init__(self) -> None:
        self.state: tuple[int, int] = (0, 0)

    def reset(self, episode: int) -> None:
        self.state = (0, episode)

    def save(self) -> object:
        return self.state

    def load(self, state: Any) -> None:
        self.state = state

    def step(self, actions: Any) -> None:
        self.state = (self.state[0] + 1, self.state[1] * 31 + sum(actions) + 1 & 0xFFFF)

    def canonical(self, state: Any) -> bytes:
        return repr(state).encode()

    def render(self) -> list[dict[str, Any]]:
        moving = [{"uuid": "ball", "x": self.state[0]}]
        court = [{"uuid": "court", "permanent": True, "episode": self.state[1]}]
        return court + moving if self.state[0] == 0 else moving


class _Blind(_Sim):
    """Without a picture."""

    render = None  # type: ignore[assignment]


class _Breaks(_Sim):
    """One of its calls raises, in the second episode or from a frame on."""

    def __init__(self, call: str) -> None:
        super().__init__()
        self.call = call

    def reset(self, episode: int) -> None:
        if self.call == "reset" and episode == 1:
            raise RuntimeError("reset")
        super().reset(episode)

    def canonical(self, state: Any) -> bytes:
        if self.call == "canonical" and state[0] >= 20:
            raise RuntimeError("canonical")
        return super().canonical(state)

    def resume(self) -> None:
        """The simulation goes on after a pause."""
        if self.call == "resume" and self.state[0] >= 20:
            raise RuntimeError("resume")


@pytest.mark.parametrize(("call", "half"), [("reset", "poll"), ("canonical", "advance"), ("resume", "advance")])
def test_what_a_simulation_raises_comes_out_of_either_call_and_the_other_page_is_told(call: str, half: str) -> None:
    """Once: a page that goes on calling says to the other why it is over."""
    of = {"max_steps": 30, "num_episodes": 2, "hash_interval": 10}
    two = Pair([Page(me, [0, 1], _Sim() if me else _Breaks(call), of) for me in (0, 1)])
    raised: list[tuple[str, str]] = []
    for _ in range(300):
        try:
            two.tick()
        except RuntimeError as error:
            names = [call.name for call in traceback.extract_tb(error.__traceback__)]
            raised.append((str(error), names[2]))
        if all(page.bridge.session.phase >= DONE for page in two.pages):
            break
    two.tick()
    assert raised == [(call, half)]
    broken, other = [page.bridge.session for page in two.pages]
    assert broken.reason == "error"
    assert other.reason == "player_left"
    ends = [[news for news in page.news if news["news"] == "done"] for page in two.pages]
    assert [len(end) for end in ends] == [1, 1]
    assert ends[0][0]["text"] == f"RuntimeError: {call}"
    assert ends[1][0]["text"] == "player 0's environment failed"


def test_a_page_that_broke_tells_the_other_one_with_its_next_polls_alone() -> None:
    """It steps nothing any more, and knows when the other one has heard: nothing of the first packets comes."""
    lost = [0]

    def lose() -> bool:
        lost[0] += 1
        return lost[0] <= 3

    two = pair(max_steps=1000)
    two.until(lambda: two.pages[0].bridge.session.frame == 20)
    broken, other = two.pages
    two.carry_out(broken, broken.bridge.broke(two.now, "PageError: sending failed"))
    assert broken.bridge.session.phase == FAILED
    two.lose = lose
    frame = broken.bridge.session.frame
    polls = 0
    while not json.loads(broken.bridge.view.state())["settled"]:
        polls += 1
        assert polls < 60
        two.now += PERIOD
        for page in two.pages:
            two.carry_out(page, page.bridge.poll(two.now, "" if page is broken else 0, page.write_inbox()))
        other.flags = other.bridge.advance(two.now)
        two.carry_out(other, other.bridge.outbox_length())
    assert polls > 1
    assert lost[0] > 3
    assert broken.bridge.session.frame == frame
    assert other.bridge.session.phase == DONE
    (end,) = [news for news in other.news if news["news"] == "done"]
    assert (end["reason"], end["text"]) == ("player_left", "player 0's environment failed")
    assert json.loads(other.bridge.view.hud())["players"][0]["failed"] is True
    assert json.loads(broken.bridge.view.export_session_metrics())["end"] == {"reason": "error"}
    assert broken.bridge.broke(two.now, "once is enough") == 16


def test_permanent_objects_stand_in_the_first_picture_of_each_episode() -> None:
    """They are emitted on frame 0 only, which is rarely displayed: kept, and drawn anew after each reset."""
    two = Pair([Page(me, [0, 1], _Sim(), {"max_steps": 30, "num_episodes": 2}) for me in (0, 1)])
    bridge = two.pages[0].bridge
    two.until(lambda: bridge.session.frame == 7)
    first = json.loads(bridge.view.render())
    assert first == {"objects": [{"uuid": "court", "permanent": True, "episode": 0}, {"uuid": "ball", "x": 7}],
                     "reset": True}  # fmt: skip
    two.tick()
    assert json.loads(bridge.view.render()) == {"objects": [{"uuid": "ball", "x": 8}], "reset": False}
    two.until(lambda: bridge.session.episode == 1 and bridge.session.frame == 3)
    again = json.loads(bridge.view.render())
    assert again["reset"] is True
    assert again["objects"][0] == {"uuid": "court", "permanent": True, "episode": 1}


def test_an_environment_without_a_picture_has_an_empty_one() -> None:
    """render() says so with an empty text."""
    assert Page(0, [0, 1], _Blind(), {}).bridge.view.render() == ""
    two = pair()
    two.until(lambda: two.pages[0].bridge.session.phase == PLAYING)
    assert json.loads(two.pages[0].bridge.view.render())["objects"]


def test_an_invalid_action_is_logged_and_the_default_is_played() -> None:
    """The tick goes on; the page hears what was wrong, and not again with every tick (test_refusals)."""
    two = pair(default_action=2)
    two.until(lambda: two.pages[0].bridge.session.frame == 10)
    for bad in (6, -1, 1.5, None, "7", "[1]"):
        two.tick(bad, 0)
        session = two.pages[0].bridge.session
        assert session.timeline.used(0, session.dispatched) == b"\2"
    errors = [news for news in two.pages[0].news if news["news"] == "log" and news["level"] == "error"]
    assert [error["text"] for error in errors] == [
        "action 6 is not an int from 0 to 5; the default action is played instead"
    ]
    two.tick("3", 0)
    assert two.pages[0].bridge.session.timeline.used(0, two.pages[0].bridge.session.dispatched) == b"\3"


def test_a_record_too_large_for_the_page_becomes_a_log_line() -> None:
    """u16 is the length's type: what exceeds it is not cut but reported."""
    two = pair()
    bridge = two.pages[0].bridge
    bridge.skip()
    bridge.emit("x", {"text": "y" * 70_000})
    records = two.pages[0].read_outbox(bridge.outbox_length())
    assert [kind for kind, _l, _s, _p in records] == [4]
    assert "too large" in json.loads(records[0][3])["text"]


def test_what_does_not_fit_the_outbox_waits_for_the_next_one_in_order() -> None:
    """Nothing is lost and nothing overtakes."""
    two = pair()
    page = two.pages[0]
    page.bridge.skip()
    for number in range(40):
        page.bridge.tell({"news": "x", "number": number, "fill": "z" * (9000 if number % 3 else 10)})
    seen = [json.loads(payload) for _k, _l, _s, payload in page.read_outbox(page.bridge.outbox_length())]
    assert 0 < len(seen) < 40
    for _ in range(5):
        length = page.bridge.poll(two.now, 0, page.write_inbox())
        seen += [json.loads(payload) for kind, _l, _s, payload in page.read_outbox(length) if kind == 4]
    assert [news["number"] for news in seen if news["news"] == "x"] == list(range(40))


def test_hud_metrics_and_state_are_json_with_the_contracts_words() -> None:
    """What the page shows and stores, by its names."""
    two = pair()
    two.until(lambda: two.pages[0].bridge.session.frame == 30, play=keys)
    bridge = two.pages[0].bridge
    bridge.set_socketio_rtt(0.0421)
    hud = json.loads(bridge.view.hud())
    assert [player["id"] for player in hud["players"]] == [0, 1]
    assert [player["you"] for player in hud["players"]] == [True, False]
    assert hud["players"][1]["path"] == "p2p"
    assert (hud["frame"], hud["episode"], hud["phase"], hud["socketio_rtt_ms"]) == (30, 0, "playing", 42)
    assert len(hud["rewards"]) == 2
    assert hud["score"] is not None
    metrics = json.loads(bridge.view.p2p_metrics())
    assert metrics["inputsSentViaP2P"] == 30
    assert metrics["p2pFallbackTriggered"] is False
    state = json.loads(bridge.view.state())
    assert (state["p2pHealthy"], state["p2pConnected"], state["syncEpoch"], state["settled"]) == (True, True, 0, False)
    assert state["pendingRollbackFrame"] is None
    assert hud["outcome"] is None
    two.until(done(two))
    two.until(lambda: all(json.loads(page.bridge.view.state())["settled"] for page in two.pages), most=100)
    won = [json.loads(page.bridge.view.hud())["outcome"] for page in two.pages]
    ends = [json.loads(list(bridge.trajectory.lines(episode))[-2])["infos"]["0"]["score"] for episode in (0, 1)]
    assert won[0]["points"] == [sum(of_seat) for of_seat in zip(*ends, strict=True)]
    assert won[0] == won[1]


class Objectives(volley.Volley):
    """Its rewards are vectors."""

    def step(self, actions: Any) -> Any:
        seen, _rewards, *rest = super().step(actions)
        return seen, {0: [1, 0.5], 1: (0, -1)} if seen else {}, *rest


@pytest.mark.slow
def test_rewards_that_are_vectors_are_summed_by_component() -> None:
    """Of the confirmed frames and those that are shown beyond."""
    pages = [Page(me, [0, 1], Objectives(), {"max_steps": 60, "num_episodes": 1}) for me in (0, 1)]
    bridge = pages[0].bridge
    two = Pair(pages, lambda: 24 < bridge.session.frame < 30)
    two.until(lambda: bridge.session.frame == 30, play=keys)
    assert bridge.session.published < 26
    assert json.loads(bridge.view.hud())["rewards"] == [[30, 15.0], [0, -30]]
    two.until(done(two))
    assert json.loads(bridge.view.hud())["rewards"] == [[60, 30.0], [0, -60]]


@pytest.mark.slow
def test_points_stay_until_the_next_episode_begins() -> None:
    """A person reads them between the rounds, and at the end."""
    two = Pair([Page(me, [0, 1], Objectives(), {"max_steps": 60, "num_episodes": 2}) for me in (0, 1)])
    bridge = two.pages[0].bridge
    seen: dict[tuple[int, str], list[Any]] = {}

    def look() -> bool:
        hud = json.loads(bridge.view.hud())
        seen[hud["episode"], hud["phase"]] = hud["rewards"]
        return done(two)()

    two.until(look, play=keys)
    whole = [[60, 30.0], [0, -60]]
    assert seen[1, "between episodes"] == whole
    assert seen[1, "readying"] == [0, 0]
    assert seen[2, "done"] == whole


class Endless(volley.Volley):
    """Its rewards have no bound, and no sum."""

    def step(self, actions: Any) -> Any:
        seen, _rewards, *rest = super().step(actions)
        return seen, {0: float("inf"), 1: "lost"} if seen else {}, *rest


def test_rewards_that_are_no_finite_numbers_do_not_stop_the_page() -> None:
    """JavaScript reads no infinity."""
    two = Pair([Page(me, [0, 1], Endless(), {"max_steps": 60, "num_episodes": 1}) for me in (0, 1)])
    two.until(lambda: two.pages[0].bridge.session.frame == 30, play=keys)

    def refuse(text: str) -> None:
        raise AssertionError(text)

    hud = json.loads(two.pages[0].bridge.view.hud(), parse_constant=refuse)
    assert hud["rewards"] == ["inf", None]


def test_the_connection_type_is_reported_once_known() -> None:
    """`p2p_connection_type` goes to the server, and the metrics have it."""
    two = pair()
    two.until(lambda: two.pages[0].bridge.session.frame == 5)
    two.pages[0].rtc("type", {"connection_type": "relay", "details": {"protocol": "udp"}}, two.now)
    two.tick()
    sent = [each for each in two.pages[0].emitted if each["event"] == "p2p_connection_type"]
    assert sent[0]["data"]["connection_type"] == "relay"
    assert sent[0]["data"]["details"]["protocol"] == "udp"
    assert sent[0]["data"]["remote_player_id"] == 1
    assert json.loads(two.pages[0].bridge.view.hud())["players"][1]["connection_type"] == "relay"
    assert json.loads(two.pages[0].bridge.view.export_session_metrics())["connection"]["type"] == "relay"


WORDS: list[Any] = [{"player_id": 1, "message": "bye"}, {}, None, {"player_id": 77}]


@pytest.mark.parametrize("data", WORDS)
def test_a_player_who_left_ends_the_game(data: Any) -> None:
    """`end_game` of the server, whatever it carries, where the other is heard by no way of its own."""
    two = pair(p2p=False)
    two.until(lambda: two.pages[0].bridge.session.frame == 5)
    two.pages[0].event("end_game", data, two.now)
    two.tick()
    assert two.pages[0].bridge.session.reason == "player_left"
    (line,) = episode_lines(two.pages[0])
    assert line.startswith("[Episode] Ended early (player_left): episode 0, ")


@pytest.mark.parametrize("data", WORDS)
def test_the_servers_word_ends_nothing_while_the_other_is_heard(data: Any) -> None:
    """A socket that is away ends no game that goes on peer-to-peer; when the other is silent as well, it has left."""
    two = pair()
    two.until(lambda: two.pages[0].bridge.session.frame == 5)
    two.pages[0].event("end_game", data, two.now)
    for _ in range(64):
        two.tick()
    assert two.pages[0].bridge.session.reason == ""
    two.lose = lambda: True
    for page in two.pages:
        page.socket = False
    for _ in range(90):
        two.tick()
    assert two.pages[0].bridge.session.reason == "player_left"


def three() -> Page:
    """One of three pages, playing; the others are answered for by nobody, which takes a while to show."""
    return Page(0, [0, 1, 2], Walk(3, seed=1), {"p2p": False})


@pytest.mark.parametrize("data", [{"message": "over"}, None, {"player_id": 77}, {"player_id": 0}])
def test_of_three_nobody_is_taken_for_gone_whom_the_server_does_not_name(data: Any) -> None:
    """The word is logged, and the session goes on: whoever is gone falls silent."""
    page = three()
    page.event("end_game", data, 50.0)
    _poll_of_three(page)
    assert page.bridge.session.phase < DONE
    assert any("game has ended" in str(news.get("text")) for news in page.news)


def test_of_three_the_one_who_left_is_found_by_their_seat() -> None:
    """Not the first link, and not by what a sentence begins with."""
    page = three()
    page.event("end_game", {"player_id": 2, "message": "bye"}, 50.0)
    _poll_of_three(page)
    assert [(news["status"], news["player"]) for news in page.news if news["news"] == "peer"] == [("gone", 2)]
    assert set(page.bridge.session.gone) == {2}
    assert [entry.get("gone") for entry in json.loads(page.bridge.view.hud())["players"]] == [None, False, True]


def test_the_relays_word_that_a_player_is_gone_is_believed_of_this_game_alone() -> None:
    """Though nobody says goodbye; and nothing is negotiated with it any more."""
    page = three()
    page.event("player_gone", {"game_id": "another", "round": 1, "players": [2]}, 50.0)
    _poll_of_three(page)
    assert page.bridge.session.gone == {}
    page = three()
    page.event("player_gone", {"game_id": page.bridge.session.game_id, "round": 1, "players": [2]}, 50.0)
    _poll_of_three(page)
    assert [of.cause for of in page.bridge.session.gone.values()] == ["silent"]


@pytest.mark.slow
def test_nothing_is_derived_from_the_bridge() -> None:
    """A page that adds something stands beside its bridge: a constructor would call what a subclass overrides."""
    for path in Path(create.__code__.co_filename).parents[1].rglob("*.py"):
        for node in statements(parsed(path.read_text("utf-8"), path.name)):
            if isinstance(node, ast.ClassDef):
                bases = [ast.unparse(base) for base in node.bases]
                assert not [base for base in bases if base.endswith("Bridge")], f"{path}: {node.name}"


def test_a_companion_is_not_called_while_its_bridge_is_made() -> None:
    """It is still being made itself then; every question and every word comes with a tick."""
    calls: list[str] = []

    class Watching(Alone):
        def __getattribute__(self, name: str) -> Any:
            calls.append(name)
            return super().__getattribute__(name)

    game = Game.of({"game_id": "g", "players": [0, 1], "player_id": 0, "now": 50.0, "wall_ms": 0.0,
                    "settings": {"p2p": False}})  # fmt: skip
    bridge = Bridge(game, _Sim(), companion=Watching())
    assert calls == []
    struct.pack_into("<BBHii", bridge.inbox, 0, 1, 0, 0, CHANNEL_NEVER, CHANNEL_NEVER)
    bridge.poll(50.1, "0", 12)
    assert {"action", "follow"} <= set(calls)


def _poll_of_three(page: Page) -> None:
    inbox, records = page.bridge.inbox, page.waiting
    struct.pack_into("<BBH4i", inbox, 0, 1, 0, 0, *[CHANNEL_NEVER] * 4)
    at = 20
    for kind, link, came, payload in records:
        struct.pack_into("<BBHd", inbox, at, kind, link, len(payload), came)
        inbox[at + 12 : at + 12 + len(payload)] = payload
        at += 12 + len(payload)
    length = page.bridge.poll(50.1, 0, at)
    page.news += [json.loads(p) for kind, _l, _s, p in page.read_outbox(length) if kind == 4]


def test_store_remote_input_takes_in_one_input() -> None:
    """For a page that receives inputs itself: ids and actions as JSON."""
    two = pair(num_episodes=1)
    two.until(lambda: two.pages[0].bridge.session.frame == 20)
    bridge = two.pages[0].bridge
    frame = bridge.session.timeline.frames.held[1] + 1
    assert bridge.store_remote_input("1", "4", frame)
    assert not bridge.store_remote_input("1", "4", frame)
    assert bridge.session.timeline.used(1, frame) == b"\4"


values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
    | st.sampled_from(["rtc", "webrtc_signal", "pycore", "offer", "answer", "ice-candidate", "0", "1", "type", "error",
                       "connection-state", "candidate", "local-description"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["event", "data", "link", "what", "value", "generation", "player_id", "from_player_id", "type",
                         "payload", "action", "frame_number", "sync_epoch", "details", "connection_type", "sdp"]),
        inner, max_size=8,
    ),
    max_leaves=14,
)  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Pair:
    """One game for all garbage: whatever came before must not matter."""
    two = pair(max_steps=5000, num_episodes=1)
    two.until(lambda: two.pages[0].bridge.session.frame == 40, play=keys)
    return two


MAY_MOVE = (".peer.hears_ready", ".peer.ready_by_socket")
"""What an event may say of a peer without anything being stepped or sent otherwise."""


def _survives(two: Pair, payload: bytes) -> None:
    page = two.pages[0]
    page.waiting.append((3, 255, two.now, payload))
    before = visible(page.bridge.session)
    length = page.write_inbox()
    inbox = page.bridge.inbox
    at = 12
    while at < length:
        kind, _link, size, came = struct.unpack_from("<BBHd", inbox, at)
        if kind == 3:
            page.bridge.happened(bytes(inbox[at + 12 : at + 12 + size]), came)
        at += 12 + size
    changed = moved(before, visible(page.bridge.session))
    assert [path for path in changed if not path.endswith(MAY_MOVE) and not path.startswith("journal.")] == []


@pytest.mark.slow
@given(event=st.sampled_from(["rtc", "webrtc_signal", "pyodide_other_player_action", "other"]) | values, data=values)
def test_any_json_event_is_taken_or_logged(running: Pair, event: Any, data: Any) -> None:
    """Events of the server and of the connection, with whatever in them: nothing raises, nothing of the game moves."""
    if isinstance(data, dict) and data.get("sync_epoch") == 0 and data.get("frame_number") in range(20, 80):
        return
    _survives(running, json.dumps({"event": event, "data": data}).encode())


DEEP = b"[" * 900 + b"]" * 900
NOTHING = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"3",
    b"\xff\xfe",
    b'{"event": "rtc"}',
    b"[" * 60_000,
    b'{"event":"rtc","data":{"link":1e999}}',
    b'{"event":"rtc","data":{"link":0,"what":"x","generation":1e999}}',
    b'{"event":"rtc","data":{"link":-1,"what":"connection-state","value":"failed","generation":1}}',
    b'{"event":"rtc","data":{"link":9,"what":"channel-open"}}',
    b'{"event":"webrtc_signal","data":{"from_player_id":1,"type":"pycore","payload":' + DEEP + b"}}",
    b'{"event":"pyodide_other_player_action","data":{"player_id":1,"frame_number":41,"sync_epoch":0,"action":'
    + DEEP + b"}}",
]  # fmt: skip


@pytest.mark.parametrize("text", NOTHING, ids=range(len(NOTHING)))
def test_text_that_is_no_event_is_logged(running: Pair, text: bytes) -> None:
    """Broken, empty, of another shape, nested without end: one warning, and the game goes on."""
    _survives(running, text)
    frame = running.pages[0].bridge.session.frame
    running.pages[0].waiting.append((3, 255, running.now, text))
    running.until(lambda: running.pages[0].bridge.session.frame == frame + 3, play=keys)


@given(data=st.binary(max_size=50))
def test_any_datagram_through_the_inbox_is_survived(running: Pair, data: bytes) -> None:
    """Arrived by the channel, of any content."""
    page = running.pages[0]
    before = page.bridge.session.frame
    page.waiting.append((1, 0, running.now, data))
    running.tick(1, 2)
    assert page.bridge.session.frame in (before, before + 1)


def played_pair() -> Pair:
    """A pair that has played one episode of 200 frames, with a clock that the server answered, and somebody waited."""
    of = {"max_steps": 200, "num_episodes": 1}
    two = Pair([Page(me, [0, 1], volley.make_env(), of, joined_ms=1e12 - 2500) for me in (0, 1)])
    two.pages[0].bridge.server_answered(49.0, 49.5, 1e12 + 7000.0)
    two.pages[0].bridge.server_answered(49.9, 49.95, 1e12 + 200.0)
    two.pages[0].bridge.server_answered(49.0, 49.2, 1e12 + 9000.0)
    two.until(done(two), play=keys)
    return two


def test_the_clock_of_the_quickest_probe_and_the_waiting_are_in_the_metrics() -> None:
    """The page's clock showed 1e12 ms at 50 s: in the middle of the probe it was 75 ms before."""
    metrics = json.loads(played_pair().pages[0].bridge.view.export_session_metrics())
    assert metrics["clock"] == {"offsetMs": 275.0, "rttMs": 50.0}
    assert metrics["waiting"] == {"joined": 1e12 - 2500, "began": 1e12, "seconds": 2.5}
    display = metrics["frameTimes"]["displayMs"]
    assert display["count"] == 199
    assert display["p50"] == pytest.approx(1000 * PERIOD, abs=0.6)
    assert metrics["frameTimes"]["tickMs"]["count"] == 0


def taken(page: Page, now: float, ended: int | None = None) -> list[tuple[str, dict[str, Any]]]:
    """What the page fetches to be stored."""
    bridge = page.bridge
    found = json.loads(bridge.take_stores(now) if ended is None else bridge.take_end_stores(now, ended))
    return [(event, payload) for event, payload in found]


def of_event(stores: list[tuple[str, dict[str, Any]]], event: str) -> list[dict[str, Any]]:
    return [payload for name, payload in stores if name == event]


@pytest.mark.slow
def test_what_is_fetched_every_few_seconds_is_in_the_end_the_whole_of_it() -> None:
    """At the news of each time, as a page does: rows, what was seen, and the metrics so far, without a frame twice."""
    two = pair(max_steps=400, num_episodes=1, store_every=2)
    page = two.pages[0]
    stores: list[tuple[str, dict[str, Any]]] = []
    times: list[float] = []
    while not done(two)():
        told = len(page.news)
        two.tick(*keys(int(two.now * 32)))
        names = [news["news"] for news in page.news[told:]]
        if "store" in names:
            times.append(two.now)
            stores += taken(page, two.now)
        if "episode-end" in names:
            stores += taken(page, two.now, 0)
    assert all(after - before == pytest.approx(2.0, abs=0.05) for before, after in pairwise(times))
    assert len(times) >= 5
    stores += taken(page, two.now, -1)
    rows = of_event(stores, "pycore_rows")
    lines = page.bridge.view.records().splitlines(keepends=True)
    assert "".join(line for row in rows for line in row["data"].splitlines(keepends=True)[1:]) == "".join(lines[1:])
    assert {row["data"].splitlines(keepends=True)[0] for row in rows} == {lines[0]}
    assert [row["first"] for row in rows] == [sum(row["frames"] for row in rows[:at]) for at in range(len(rows))]
    assert [row["last"] for row in rows].index(True) == len(rows) - 1
    # No more frames than two seconds have, and those of the ticks in which confirmed ones wait.
    assert max(row["frames"] for row in rows) <= 64 + 12
    seen = of_event(stores, "pycore_experienced")
    assert [part["part"] for part in seen] == list(range(len(seen)))
    assert [part["last"] for part in seen].index(True) == len(seen) - 1
    shown = [json.loads(line) for part in seen for line in part["data"].splitlines()]
    assert [line["frame"] for line in shown if "shown" in line][-1] == 399
    assert shown[-1]["end"] == "complete"
    metrics = of_event(stores, "p2p_session_metrics")
    assert [(each["episode"], each.get("so_far", False)) for each in metrics] == [
        *[(0, True)] * len(times), (0, False), (-1, False),
    ]  # fmt: skip
    assert [each["metrics"].get("soFar", False) for each in metrics] == [*[True] * len(times), False, False]
    totals = [each["metrics"]["frames"]["total"] for each in metrics]
    assert totals == sorted(totals)
    assert metrics[-1]["metrics"] == json.loads(page.bridge.view.export_session_metrics())


def test_what_is_not_fetched_is_due_again_a_second_later() -> None:
    """And nothing of it is lost: it comes with the next time."""
    two = pair(max_steps=400, num_episodes=1, store_every=3)
    page = two.pages[0]
    told: list[float] = []
    while len(told) < 4:
        before = len(page.news)
        two.tick(1, 2)
        told += [two.now for news in page.news[before:] if news["news"] == "store"]
    assert [round(time - 50.0) for time in told] == [3, 4, 5, 6]
    (row,) = of_event(taken(page, two.now), "pycore_rows")
    assert row["first"] == 0
    assert row["frames"] > 120


def test_a_study_may_store_nothing_before_the_end_of_an_episode() -> None:
    """Then the page is told nothing, and what it takes when the person goes away has no metrics of the middle."""
    two = pair(store_every=0, max_steps=300, num_episodes=1)
    page = two.pages[0]
    two.until(lambda: page.bridge.session.frame == 250, play=keys)
    assert [name for name, _ in taken(page, two.now)] == ["pycore_rows", "pycore_experienced"]
    two.until(done(two), play=keys)
    assert "store" not in [news["news"] for news in page.news]
    end = taken(page, two.now, 0)
    assert [name for name, _ in end] == ["pycore_rows", "pycore_experienced", "p2p_session_metrics"]
    assert end[0][1]["last"]


def test_a_study_may_do_without_the_experienced_record() -> None:
    """Then nothing of it is kept; rows are stored all the same."""
    two = pair(experienced=False, max_steps=200, num_episodes=1, store_every=1)
    two.until(done(two), play=keys)
    page = two.pages[0]
    assert "store" in [news["news"] for news in page.news]
    stores = taken(page, two.now, -1)
    assert {name for name, _ in stores} == {"pycore_rows", "p2p_session_metrics"}
    assert of_event(stores, "pycore_rows")[0]["frames"] == 200


def test_metrics_of_an_episode_that_was_broken_off_are_those_of_its_end() -> None:
    """What was stored in its middle is replaced by what the session ended with."""
    two = pair(max_steps=400, num_episodes=2, store_every=1)
    page = two.pages[0]
    two.until(lambda: page.bridge.session.frame == 100, play=keys)
    (so_far,) = of_event(taken(page, two.now), "p2p_session_metrics")
    assert (so_far["episode"], so_far["so_far"], so_far["metrics"]["end"]) == (0, True, {"reason": None})
    page.bridge.session.abort(two.now, "error", "the environment raised")
    end = of_event(taken(page, two.now, -1), "p2p_session_metrics")
    assert [(each["episode"], each.get("so_far", False)) for each in end] == [(0, False), (-1, False)]
    assert end[0]["metrics"] == {**end[1]["metrics"], "listsOf": 0}
    assert end[0]["metrics"]["end"]["reason"] == "error"


def test_what_a_tick_took_comes_with_the_inbox() -> None:
    """In tenths of a millisecond, by the page's own clock."""
    two = pair(max_steps=60, num_episodes=1)
    page = two.pages[0]
    write = page.write_inbox

    def timed() -> int:
        length = write()
        struct.pack_into("<H", page.bridge.inbox, 2, 34)
        return length

    page.write_inbox = timed  # type: ignore[method-assign]
    two.until(done(two), play=keys)
    ticks = json.loads(page.bridge.view.export_session_metrics())["frameTimes"]["tickMs"]
    assert ticks["count"] >= 60
    assert (ticks["min"], ticks["p99"], ticks["max"]) == (3.4, 3.4, 3.4)


WORDS = ("missing", "7")


@pytest.mark.slow
@pytest.mark.parametrize("stream", [0, CHANNEL_CLOSED], ids=["channel", "server"])
def test_pages_that_go_apart_tell_each_other_their_states_and_say_what_differs(stream: int) -> None:
    """By the stream's channel where the page says that it is open, otherwise through the server: in the news, in the
    metrics and in the experienced record."""
    two = pair(max_steps=200, num_episodes=1)
    for page in two.pages:
        page.stream = stream
    env = two.pages[1].bridge._owned
    step = env.step

    def shifted(actions: Any) -> Any:
        if env.s["frame"] == 40:
            env.s["extra"] = 7
        return step(actions)

    env.step = shifted
    two.until(done(two), play=keys)
    assert [bool(page.chunks) for page in two.pages] == [stream >= 0] * 2
    for page, other, own, theirs in zip(two.pages, two.pages[::-1], WORDS, WORDS[::-1], strict=True):
        (news,) = [news for news in page.news if news["news"] == "desync-report"]
        fields = [field for field in news["differences"] if field[0].startswith("state")]
        assert (news["player"], news["frame"], news["lacks"]) == (other.me, 64, "")
        assert fields == [["state.env.extra", own, theirs]]
        (report,) = json.loads(page.bridge.view.export_session_metrics())["desyncReports"]
        assert {"path": "state.env.extra", "own": own, "theirs": theirs} in report["fields"]
        state = canonical.decode(zlib.decompress(base64.b64decode(report["state"])))
        assert state["env"].get("extra") == {"missing": None, "7": 7}[own]
        stores = json.loads(page.bridge.take_end_stores(two.now, -1))
        text = "".join([data["data"] for event, data in stores if event == "pycore_experienced"])
        seen = [json.loads(line) for line in text.splitlines()]
        (event,) = [line for line in seen if line.get("event") == "desync-report"]
        assert (event["player"], event["of"]) == (other.me, {"episode": 0, "frame": 64})
        assert "state.env.extra" in event["fields"]
    two.until(lambda: all(json.loads(page.bridge.view.state())["settled"] for page in two.pages), 64)


class _Draws(_Sim):
    """Draws what it is given."""

    def __init__(self, shown: list[Any]) -> None:
        super().__init__()
        self.shown = shown

    def render(self) -> list[Any]:
        return self.shown


def drawn(*shown: Any) -> list[Any]:
    """The objects as a page reads them: JSON has no NaN, which would end its game."""
    text = Page(0, [0, 1], _Draws(list(shown)), {}).bridge.view.render()
    objects: list[Any] = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))["objects"]
    return objects


def test_numbers_of_numpy_are_drawn_as_numbers() -> None:
    """A place that is kept in an array ended the game at its first picture."""
    numpy = pytest.importorskip("numpy")
    at = numpy.array([3, 4])
    ball = {"uuid": "ball", "x": at[0], "y": numpy.float32(2.5), "permanent": numpy.bool_(False)}
    assert drawn(ball, {"uuid": "line", "points": numpy.array([[0, 1], [2, 3]])}) == [
        {"uuid": "ball", "x": 3, "y": 2.5, "permanent": False}, {"uuid": "line", "points": [[0, 1], [2, 3]]},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"uuid": "ball", "x": float("nan")}, "an object 'ball' whose x is nan"),
        ({"uuid": "ball", "y": float("-inf")}, "an object 'ball' whose y is -inf"),
        ({"uuid": "ball", "src": object()}, "an object 'ball' whose src is of type object"),
        ({"uuid": "ball", ("x", "y"): 3}, "an object 'ball' whose ('x', 'y') is of type int"),
    ],
)
def test_an_object_that_cannot_be_spelt_is_told_in_its_place_and_the_others_are_drawn(odd: Any, said: str) -> None:
    fine = {"uuid": "box", "x": 1}
    first, told = drawn(odd, fine)
    assert first == fine
    assert (told["object_type"], told["text"]) == ("text", f"render() returned {said}")


def test_the_page_is_told_what_each_seat_is_called_and_in_which_colour() -> None:
    """By the environment's metadata; what the study says of a seat comes before. Who says nothing has neither."""
    env = volley.Volley()
    assert [(of["name"], of["color"]) for of in hud_players(env, {})] == [("Blue", "#3d7be0"), ("Coral", "#ef6a58")]
    study = {"seats": [{}, {"name": "Giver", "color": "#112233"}]}
    assert [(of["name"], of["color"]) for of in hud_players(env, study)] == [("Blue", "#3d7be0"), ("Giver", "#112233")]
    assert not any({"name", "color"} & set(of) for of in hud_players(Walk(2, seed=1), {}))
    own = hud_players(ParallelEnvAdapter(env, [0, 1], seed=1), {})
    assert [of["name"] for of in own] == ["Blue", "Coral"]
    env.metadata["seats"] = [{"name": 7, "color": "#3d7be0"}, "Coral"]
    assert [set(of) & {"name", "color"} for of in hud_players(env, {})] == [{"color"}, set()]


def hud_players(env: Any, given: dict[str, Any]) -> list[dict[str, Any]]:
    bridge = Page(0, [0, 1], env, given).bridge
    players: list[dict[str, Any]] = json.loads(bridge.view.hud())["players"]
    return players


def test_ticks_behind_the_end_fill_no_memory() -> None:
    """Somebody leaves the page open: each tick says what the one before took, and no picture comes any more."""
    two = pair(max_steps=20, num_episodes=1)
    two.until(done(two))
    bridge = two.pages[0].bridge
    before = json.loads(bridge.view.export_session_metrics())["frameTimes"]["tickMs"]["count"]
    for tick in range(3000):
        bridge.inbox[2] = 7
        bridge.advance(two.now + tick / 30)
    assert len(bridge._figures._worked) < 300
    assert json.loads(bridge.view.export_session_metrics())["frameTimes"]["tickMs"]["count"] == before + 3000
