"""What the page's server hears and what the participant sees: validation, interruption, the ends."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from page_support import (
    FPS,
    PERIOD,
    SEED,
    START,
    STEP_BOMB,
    Side,
    Table,
    check_against_truth,
    failed,
    metadata,
    with_own,
)

from pycore.bridge.refusals import TOO_LARGE
from pycore.events import PeerStatus
from pycore.session.phases import CONNECTING, DONE, FAILED, PLAYING
from pycore.session.session import Session


def overlays(side: Side) -> list[str]:
    """The kinds of overlay in the order in which they were shown; empty: taken away."""
    return [order["kind"] for order in side.ordered("overlay")]


def kinds(side: Side) -> list[str]:
    """Orders but overlays and logs, in order."""
    return [order["do"] for order in side.orders if order["do"] not in ("overlay", "log")]


# -- validation ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_game_is_validated_once_when_every_link_is_peer_to_peer() -> None:
    """Status, then success, once each, before anything is played; nothing failed."""
    table = Table()
    table[1].asks_at = START + 9.0
    table.until(lambda: table[0].told("p2p_validation_success") != [])
    assert table[1].session.phase == CONNECTING
    assert table[0].session.frame == 0
    assert all(link.healthy for link in table[0].session.links)
    table.play()
    for side in table.sides:
        assert side.told("p2p_validation_status") == [{"game_id": "game-1", "status": "validating"}]
        assert side.told("p2p_validation_success") == [{"game_id": "game-1", "player_id": side.me}]
        assert side.told("p2p_validation_failed") == []


@pytest.mark.parametrize("later", [0.0, PERIOD, 1.25])
def test_without_a_connection_mug_is_told_once_by_each_and_nobody_sees_a_partner_leave(later: float) -> None:
    """Both give up, also who began later and hears of the other's end first; the server pools both anew."""
    table = Table(each=[{}, {"now": START + later}], connects=False)
    table.until(lambda: table[0].over, most=FPS * 20)
    assert table.now - START == pytest.approx(15.0, abs=0.2)
    if later:
        # The other's last packets say that it is over, should they come before the server's word.
        table[1].session.links[0].peer.said_over("player_left")
    table.until(lambda: table[1].over, most=FPS)
    for side in table.sides:
        failures = side.told("p2p_validation_failed")
        assert failures == [{"game_id": "game-1", "player_id": side.me, "reason": "connection_timeout"}]
        assert side.told("p2p_validation_success") == []
        assert all("[P2P] no peer-to-peer connection" in line for line in side.logs())
        assert len(side.logs()) == 1
        assert kinds(side) == ["quit"]
        assert overlays(side) == []
        assert side.told("participant_terminal_state") == side.told("waitroom_timeout_completion") == []
    assert table.server.counts["p2p_validation_failed"] == 2


@pytest.mark.parametrize("event", ["end_game", "p2p_game_ended"])
def test_a_partner_whom_the_server_says_to_have_left_before_the_two_have_met_has_left(event: str) -> None:
    """Its tab was closed while they were connecting: no connection failed, and whoever waited gets the code."""
    table = Table(connects=False)
    table.ticks(FPS)
    side, table[1].closed = table[0], True
    side.event(event, {"game_id": "game-1", "player_id": 1, "disconnected_player_id": 1, "reason": "gone"})
    table.until(lambda: side.over, most=FPS)
    assert side.told("p2p_validation_failed") == []
    assert kinds(side)[-1] == "finish"
    assert side.metrics[-1]["sessionStatus"]["terminationReason"] == "partner_disconnected"
    code = side.ordered("overlay")[-1]["code"]
    assert [data["completion_code"] for data in side.told("waitroom_timeout_completion")] == [code]
    assert len(code) == 36


def test_a_partner_whose_environment_failed_before_the_two_have_met_has_left() -> None:
    """The connection was not what failed."""
    table = Table(connects=False)
    table.ticks(FPS)
    table[0].session.links[0].peer.said_over("error")
    table.until(lambda: table[0].over, most=FPS)
    assert table[0].told("p2p_validation_failed") == []
    assert table[0].metrics[-1]["sessionStatus"]["terminationReason"] == "partner_disconnected"


@pytest.mark.slow
def test_with_socketio_start_the_game_begins_without_a_connection_and_counts_as_validated() -> None:
    """Then the wait is over, not the game; every input crosses the server, and still nothing is lost."""
    table = Table(with_own(metadata(), socketio_start=True, p2p_wait=1.0), connects=False).play()
    check_against_truth(table)
    for side in table.sides:
        assert side.told("p2p_validation_success") == [{"game_id": "game-1", "player_id": side.me}]
        assert side.told("p2p_validation_failed") == []
    assert table.server.counts["pyodide_player_action"] >= 2 * 120


def test_without_a_connection_the_seeds_page_stays_with_the_reason() -> None:
    """Its server knows no other partner to look for; nobody waits for a game that never begins."""
    table = Table(with_own(metadata(), socketio_start=False, p2p_wait=1.0), generation="seed", connects=False)
    table.until(lambda: all(side.over for side in table.sides), most=4 * FPS)
    for side in table.sides:
        assert side.finished is True
        assert overlays(side) == ["ended"]
        assert "could not be connected" in side.ordered("overlay")[-1]["text"]
        assert [line for line in side.logs() if "[P2P] no peer-to-peer connection" in line] == side.logs() != []
        assert {event for _, event, _ in side.emitted} <= {"webrtc_signal"}


@pytest.mark.slow
def test_the_seeds_server_hears_no_event_that_it_does_not_know() -> None:
    """Validation, health and completion are of 0.1.3; the seed's game begins on socket.io after five seconds."""
    table = Table(metadata(num_episodes=1), generation="seed", connects=False).play()
    known = {"pyodide_player_action", "webrtc_signal", "p2p_connection_type"}
    assert {event for side in table.sides for _, event, _ in side.emitted} <= known
    assert table[0].stepped_at[0][0] - START == pytest.approx(5.0, abs=0.3)


@pytest.mark.slow
def test_health_is_reported_every_two_seconds_with_the_truth() -> None:
    """Direct connection, half of the round trip, the episode that runs."""
    table = Table(metadata(max_steps=FPS * 7, num_episodes=1), delay=0.04)
    table.playing(FPS * 3)
    table[0].rtc(1, "type", {"connection_type": "direct", "details": {}})
    table.play()
    reports = [(when, data) for when, event, data in table[0].emitted if event == "p2p_health_report"]
    gaps = [later - sooner for (sooner, _), (later, _) in itertools.pairwise(reports)]
    assert len(reports) in (4, 5)
    assert all(2.0 <= gap < 2.2 for gap in gaps)
    last = reports[-1][1]
    assert {**last, "latency_ms": None} == {
        "game_id": "game-1", "player_id": 0, "connection_type": "direct", "latency_ms": None, "status": "healthy",
        "episode": 0,
    }  # fmt: skip
    assert 40 <= last["latency_ms"] <= 110


@pytest.mark.slow
def test_slow_connections_and_fallbacks_are_named_in_the_report_of_health() -> None:
    """`degraded` beyond 150 ms one way, `socketio_fallback` while a link goes through the server."""
    slow = Table(metadata(max_steps=FPS * 5, num_episodes=1), delay=0.17).play()
    assert "degraded" in {data["status"] for data in slow[0].told("p2p_health_report")}
    closed = Table(metadata(max_steps=FPS * 6, num_episodes=1)).playing(30)
    closed.connects = False
    closed.close()
    closed.play()
    assert closed[0].told("p2p_health_report")[-1]["connection_type"] == "socketio_fallback"
    assert closed[0].told("p2p_health_report")[-1]["latency_ms"] is None


# -- interruption -------------------------------------------------------------------------------------------------


def interrupt(table: Table) -> None:
    """Nothing passes any more, by whatever way; neither side sees why."""
    table.cut = True
    table[1].socket = False


def restore(table: Table) -> None:
    """Everything passes again."""
    table.cut = False
    table[1].socket = True


@pytest.mark.slow
def test_an_interruption_is_told_shown_and_taken_back() -> None:
    """Lost, an overlay on both sides, then success with its duration, and no overlay any more."""
    table = Table(metadata(max_steps=FPS * 10, num_episodes=1)).playing(40)
    interrupt(table)
    table.ticks(FPS * 4)
    lost = table[0].told("p2p_connection_lost")
    assert [(each["game_id"], each["player_id"]) for each in lost] == [("game-1", 0)]
    assert lost[0]["frame_number"] == table[0].session.frame
    assert overlays(table[0])[-1] == "reconnecting"
    restore(table)
    table.play()
    for side in table.sides:
        assert overlays(side)[-1] == ""
        assert side.finished is False
        successes = side.told("p2p_reconnection_success")
        assert len(successes) == 1
        assert 2000 <= successes[0]["duration_ms"] < 4500
        assert side.told("p2p_reconnection_timeout") == []
        record = side.call("multiplayer_metrics")["reconnection"]
        assert [each["outcome"] for each in record["attempts"]] == ["success"]
        assert [each["detectingPeer"] for each in record["disconnections"]] == [side.me]
        assert record["totalPauseDurationMs"] == successes[0]["duration_ms"]
    check_against_truth(table)


@pytest.mark.slow
def test_a_player_who_stays_away_ends_the_game_after_the_studys_timeout() -> None:
    """Two seconds of silence and the scene's five; the data is stored, the end stays on the screen with a code."""
    table = Table(metadata(max_steps=FPS * 60, num_episodes=1)).playing(40)
    table[1].closed = True
    since = table.now
    table.until(lambda: table[0].over, most=FPS * 12)
    assert table.now - since == pytest.approx(7.0, abs=0.5)
    side = table[0]
    assert side.finished is True
    assert len(side.told("p2p_connection_lost")) == 1
    timeout = side.told("p2p_reconnection_timeout")
    assert len(timeout) == 1
    assert 4500 < timeout[0]["pause_duration_ms"] < 5600
    assert overlays(side) == ["reconnecting", "ended"]
    assert kinds(side)[-3:] == ["episode", "metrics", "finish"]
    assert side.told("participant_terminal_state") == [
        {"game_id": "game-1", "scene_id": "arena", "reason": "partner_disconnected",
         "frame_number": side.session.frame, "episode_number": 0},
    ]  # fmt: skip
    code = side.ordered("overlay")[-1]["code"]
    assert [data["completion_code"] for data in side.told("waitroom_timeout_completion")] == [code]
    assert len(code) == 36
    status = side.metrics[-1]["sessionStatus"]
    rows = len(side.episodes[0]["t"])
    assert rows >= 38
    assert status == {
        "isPartial": True, "terminationReason": "partner_disconnected", "terminationFrame": rows,
        "completedEpisodes": 0, "disconnectedPlayerId": 1,
    }  # fmt: skip
    assert side.metrics[-1]["reconnection"]["attempts"][0]["outcome"] == "timeout"
    # The server's answer to the timeout comes when everything is over, and changes nothing.
    before = len(side.orders)
    table.ticks(20)
    assert len(side.orders) == before


@pytest.mark.slow
def test_an_interruption_that_only_the_end_of_the_game_ends_is_told_to_be_over() -> None:
    """The server must not wait for somebody interrupted whose game is complete."""
    table = Table(metadata(max_steps=60, num_episodes=1)).playing(50)
    side = table[0]
    side.bridge.course.follow(PeerStatus(seat=1, status="interrupted"), table.now)
    table.play()
    events = [event for _, event, _ in side.emitted if event.startswith(("p2p_re", "multi"))]
    assert events == ["p2p_reconnection_success", "multiplayer_game_complete"]
    assert overlays(side)[-1] == ""
    record = side.call("multiplayer_metrics")["reconnection"]
    assert [each["outcome"] for each in record["attempts"]] == ["success"]


@pytest.mark.slow
def test_a_page_that_hears_nothing_for_a_while_is_back_in_time_for_the_end() -> None:
    """Only one direction is dead: what it says still passes, and both tell and show the same course."""
    table = Table(metadata(max_steps=60, num_episodes=1)).playing(50)
    table[0].deaf = True
    table.ticks(FPS * 4)
    table[0].deaf = False
    table.play()
    check_against_truth(table)
    assert len(table[0].told("p2p_connection_lost")) == len(table[0].told("p2p_reconnection_success")) == 1
    assert table[1].told("p2p_connection_lost") == []
    assert [overlays(side)[-1] for side in table.sides] == ["", ""]


@pytest.mark.slow
def test_the_servers_pause_is_shown_until_its_resume() -> None:
    """To the one who noticed nothing; the game itself goes on as long as it can."""
    table = Table().playing(10)
    side = table[1]
    side.event("p2p_pause", {"game_id": "game-1", "pause_frame": 10, "detecting_player": 0})
    table.tick()
    assert overlays(side) == ["waiting"]
    side.event("p2p_resume", {"game_id": "game-1"})
    table.tick()
    assert overlays(side) == ["waiting", ""]
    side.event("p2p_pause", {"game_id": "another", "pause_frame": 10, "detecting_player": 0})
    table.tick()
    assert overlays(side) == ["waiting", ""]
    check_against_truth(table.play())


# -- the ends ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_complete_game_finishes_once_and_is_reported_complete() -> None:
    """Every episode's data, then `finish` that is not terminal; nothing partial."""
    table = Table().play()
    for side in table.sides:
        assert kinds(side) == ["playing", "episode", "reset", "playing", "episode", "finish"]
        assert side.finished is False
        assert side.ordered("reset") == [{"news": "page", "do": "reset", "episodes": 1}]
        assert side.told("multiplayer_game_complete") == [{"game_id": "game-1", "episode_num": 2, "max_episodes": 2}]
        assert side.call("multiplayer_metrics")["sessionStatus"]["isPartial"] is False


@pytest.mark.parametrize("reason", ["partner_disconnected", "reconnection_timeout", "focus_loss_timeout"])
def test_a_partner_who_left_ends_the_game_with_data_and_code(reason: str) -> None:
    """Whatever the server's reason: data and metrics, state, code, overlay, and the page stays."""
    table = Table(metadata(partner_disconnect_message="Gone.")).playing(20)
    side = table[0]
    side.event("p2p_game_ended", {"game_id": "game-1", "reason": reason, "disconnected_player_id": 1})
    table.tick()
    assert kinds(side)[-3:] == ["episode", "metrics", "finish"]
    assert side.finished is True
    last = side.ordered("overlay")[-1]
    assert (last["kind"], last["text"]) == ("ended", "Gone.")
    assert side.told("participant_terminal_state")[0]["reason"] == "partner_disconnected"
    assert side.told("waitroom_timeout_completion")[0]["completion_code"] == last["code"]
    assert side.metrics[-1]["sessionStatus"]["disconnectedPlayerId"] == 1
    assert len(side.episodes[0]["t"]) >= 18


def test_the_study_may_want_no_completion_code() -> None:
    """`partner_disconnect_show_completion_code=False`: neither shown nor reported."""
    table = Table(metadata(partner_disconnect_show_completion_code=False)).playing(20)
    table[0].event("p2p_game_ended", {"game_id": "game-1", "reason": "partner_disconnected"})
    table.tick()
    assert table[0].ordered("overlay")[-1]["code"] == ""
    assert table[0].told("waitroom_timeout_completion") == []


@pytest.mark.slow
def test_another_games_end_is_ignored_and_so_is_one_behind_the_end() -> None:
    """Late words of a game before, or of this one, move nothing."""
    table = Table().playing(20)
    side = table[0]
    side.event("p2p_game_ended", {"game_id": "game-0", "reason": "partner_disconnected", "disconnected_player_id": 1})
    table.ticks(5)
    assert side.session.phase == PLAYING
    table.play()
    orders, told = list(side.orders), list(side.emitted)
    side.event("p2p_game_ended", {"game_id": "game-1", "reason": "partner_disconnected", "disconnected_player_id": 1})
    table.ticks(5)
    assert side.orders == orders
    assert [event for _, event, _ in side.emitted[len(told) :] if event != "webrtc_signal"] == []
    assert side.finished is False


@pytest.mark.slow
def test_a_partner_who_went_on_to_the_next_scene_leaves_two_seconds_to_finish() -> None:
    """It has everything of ours; a game that is complete by then is no partial one."""
    table = Table(metadata(num_episodes=1)).playing(20)
    side = table[0]
    side.event("p2p_game_ended", {"game_id": "game-1", "reason": "scene_completed", "disconnected_player_id": 1})
    table.play()
    assert side.finished is False
    cut = Table(metadata(num_episodes=1, max_steps=400)).playing(20)
    cut[0].event("p2p_game_ended", {"game_id": "game-1", "reason": "scene_completed", "disconnected_player_id": 1})
    since = cut.now
    cut.until(lambda: cut[0].over)
    assert 2.0 < cut.now - since < 2.3
    assert cut[0].finished is True


@pytest.mark.parametrize("player", ["left", "the left one"])
def test_the_one_who_left_is_named_whatever_the_id_looks_like(player: str) -> None:
    """Ids may hold spaces."""
    players = (player, "zero")
    scene = metadata(policy_mapping=dict.fromkeys(players, "human"))
    table = Table(scene, players).playing(20)
    table[1].event("p2p_game_ended", {"game_id": "game-1", "disconnected_player_id": player})
    table.tick()
    assert table[1].metrics[-1]["sessionStatus"]["disconnectedPlayerId"] == player


@pytest.mark.parametrize("word", [{}, {"disconnected_player_id": None}, {"disconnected_player_id": 0}])
@pytest.mark.slow
def test_of_three_nobody_is_taken_for_gone_whom_the_server_does_not_name(word: dict[str, Any]) -> None:
    """The game goes on for those who hear each other."""
    scene = metadata(policy_mapping=dict.fromkeys("012", "human"), num_episodes=1, max_steps=80)
    table = Table(scene, players=(0, 1, 2)).playing(10)
    table[0].event("p2p_game_ended", {"game_id": table.game_id, "reason": "partner_disconnected", **word})
    table.play()
    assert [side.finished for side in table.sides] == [False] * 3
    assert any("game has ended" in line for line in table[0].logs("warning"))


@pytest.mark.slow
def test_of_three_the_one_who_left_is_named() -> None:
    """Also where the first of the others is still there, and one id begins as the other does."""
    players = ("a", "the left", "the left one")
    table = Table(metadata(policy_mapping=dict.fromkeys(players, "human")), players).playing(20)
    table[2].closed = True
    table.until(lambda: table[0].over)
    assert table[0].metrics[-1]["sessionStatus"]["disconnectedPlayerId"] == "the left one"


def test_an_excluded_partner_ends_the_game_with_data_and_the_pages_redirect() -> None:
    """`partner_excluded` and `trigger_data_export`: metrics say partial, and the server is asked for the redirect."""
    table = Table().playing(20)
    side = table[0]
    side.event("partner_excluded", {"message": "A problem.", "frame_number": 3, "reason": "partner_exclusion"})
    side.event("trigger_data_export", {"is_partial": True, "termination_reason": "partner_exclusion"})
    table.tick()
    assert side.finished is True
    assert side.ordered("overlay")[-1]["text"] == "A problem."
    assert side.told("end_game_request_redirect") == [{"partner_exclusion": True}]
    assert side.metrics[-1]["sessionStatus"]["terminationReason"] == "partner_exclusion"
    assert side.episodes.keys() == {0}
    assert side.told("waitroom_timeout_completion") == []


def test_a_partner_who_is_excluded_behind_the_end_takes_nothing_from_a_complete_game() -> None:
    """Its monitor looked before the last packets came: what is stored here has its end, and says so."""
    table = Table(metadata(num_episodes=1)).play()
    side = table[0]
    side.event("partner_excluded", {"message": "A problem.", "frame_number": 60, "reason": "partner_exclusion"})
    side.event("trigger_data_export", {"is_partial": True, "termination_reason": "partner_exclusion"})
    table.tick()
    assert side.told("end_game_request_redirect") == [{"partner_exclusion": True}]
    status = side.metrics[-1]["sessionStatus"]
    assert (status["isPartial"], status["terminationReason"], status["completedEpisodes"]) == (False, "normal", 1)
    assert side.finished is False


@pytest.mark.parametrize("delay", [0.03, 0.6], ids=["server first", "peer first"])
def test_who_is_excluded_stores_its_data_before_it_leaves(delay: float) -> None:
    """Episode and metrics first, then the exclusion and the redirect, later the leaving; the partner hears why, even
    if the other's own word comes before the server's."""
    table = Table().playing(20)
    table.server.delay = delay
    side = table[1]
    side.exclude("sustained_ping", "Your connection is too slow.")
    assert side.finished is True
    assert side.told("mid_game_exclusion") == side.told("leave_game") == []
    assert kinds(side)[-3:] == ["episode", "metrics", "finish"]
    assert side.metrics[-1]["sessionStatus"]["terminationReason"] == "sustained_ping"
    assert side.ordered("overlay")[-1]["text"] == "Your connection is too slow."
    table.ticks(round(1.1 * FPS))
    assert side.told("mid_game_exclusion")[0]["reason"] == "sustained_ping"
    assert side.told("mid_game_exclusion")[0]["frame_number"] == 20
    assert side.told("end_game_request_redirect") == [{"mid_game_exclusion": True, "reason": "sustained_ping"}]
    assert side.told("leave_game") == []
    table.ticks(round(1.1 * FPS))
    assert side.told("leave_game") == [{"session_id": "session-1"}]
    partner = table[0]
    assert partner.finished is True
    assert partner.told("end_game_request_redirect") == [{"partner_exclusion": True}]
    assert partner.metrics[-1]["sessionStatus"]["terminationReason"] == "partner_exclusion"
    assert partner.ordered("overlay")[-1]["text"] == "Your partner had a problem."
    side.exclude("sustained_ping", "again")
    assert len(side.told("mid_game_exclusion")) == 1


def test_the_server_hears_nothing_of_a_game_while_it_sleeps_over_an_exclusion() -> None:
    """It holds a lock that every input and every signal needs: also of a game that goes by the server altogether."""
    table = Table(with_own(metadata(), socketio_start=True, p2p_wait=1.0), connects=False).playing(20)
    table[1].exclude("tab_hidden", "You were away.")
    table.ticks(3 * FPS)
    (since,) = [when for when, event, _ in table[1].emitted if event == "mid_game_exclusion"]
    before = [when for side in table.sides for when, event, _ in side.emitted if event == "pyodide_player_action"]
    assert len(before) > 30
    after = [
        (round(when - since, 2), event)
        for side in table.sides
        for when, event, _ in side.emitted
        if -0.3 < when - since < 0.3 and event not in ("mid_game_exclusion", "end_game_request_redirect")
    ]
    assert after == []
    left = [when for when, event, _ in table[1].emitted if event == "leave_game"]
    assert [round(when - since, 1) for when in left] == [1.0]


def test_a_partner_who_was_given_a_code_keeps_it_when_the_server_says_why() -> None:
    """The peer's own word comes first and ends the game with a code; the server's text replaces the text alone."""
    table = Table().playing(20)
    table.server.delay = 0.9
    table[1].exclude("sustained_ping", "Your connection is too slow.")
    table.ticks(3 * FPS)
    first, last = (table[0].ordered("overlay")[number] for number in (-2, -1))
    assert first["code"]
    assert (last["text"], last["code"]) == ("Your partner had a problem.", first["code"])


@pytest.mark.slow
def test_warnings_are_shown_for_a_while_and_do_not_hide_that_the_partner_is_away() -> None:
    """What is shown is one thing at a time: the interruption, then the warning, then nothing."""
    table = Table(metadata(max_steps=FPS * 60)).playing(20)
    side = table[0]
    side.warn("Your connection is slow.")
    side.warn("Your connection is very slow.")
    assert [order["text"] for order in side.ordered("overlay")] == [
        "Your connection is slow.", "Your connection is very slow.",
    ]  # fmt: skip
    side.warn("Your connection is very slow.")
    assert len(side.ordered("overlay")) == 2
    table.ticks(round(4.8 * FPS))
    assert overlays(side)[-1] == "warning"
    table.ticks(round(0.4 * FPS))
    assert overlays(side)[-1] == ""
    side.deaf = True
    table.cut = True
    table.until(lambda: overlays(side)[-1] == "reconnecting")
    side.warn("Your connection is slow.")
    assert overlays(side)[-1] == "reconnecting"


def test_who_lost_the_server_while_peer_to_peer_holds_is_cut_off_and_gets_no_code() -> None:
    """The server tells the partner that we are gone, and the partner is silent. Once it is back it begins the scene
    anew: a code and a terminal state now would be for a participation that goes on."""
    table = Table(metadata(max_steps=FPS * 60)).playing(20)
    side = table[1]
    side.socket = False
    table.server.leave(side)
    table.until(lambda: bool(side.metrics), most=8 * FPS)
    assert table[0].finished is True
    assert table[0].told("waitroom_timeout_completion")
    assert side.finished is None
    assert side.ordered("overlay")[-1]["title"] == "The connection to the server was lost"
    assert side.told("waitroom_timeout_completion") == side.told("participant_terminal_state") == []
    status = side.metrics[-1]["sessionStatus"]
    assert (status["isPartial"], status["terminationReason"]) == (True, "abandoned")
    assert side.episodes.keys() == {0}
    side.abandon()
    assert kinds(side).count("episode") == 1


def test_what_the_page_itself_raises_ends_the_game_as_an_environment_does() -> None:
    """A picture that cannot be handed over, say: episode, metrics, a notice, and the others hear of it."""
    table = Table().playing(20)
    side = table[0]
    side.broke("TypeError: that is no picture")
    assert kinds(side)[-3:] == ["episode", "metrics", "finish"]
    assert side.finished is False
    assert overlays(side)[-1] == "notice"
    assert side.metrics[-1]["sessionStatus"]["terminationReason"] == "error"
    table.play()
    assert table[1].finished is True
    assert table[1].metrics[-1]["sessionStatus"]["terminationReason"] == "partner_disconnected"
    before = len(side.orders)
    side.broke("again")
    assert len(side.orders) == before
    table.ticks(9 * FPS)
    assert overlays(side)[-2:] == ["notice", ""]


@pytest.mark.slow
def test_a_page_hidden_for_longer_than_the_study_allows_ends_the_game_for_both() -> None:
    """Data on both sides; who was away sees why and gets no code, the partner is told as if the other had left."""
    scene = metadata(focus_loss_timeout_ms=3000, max_steps=FPS * 30, focus_loss_message="Away too long.")
    table = Table(scene).playing(20)
    table[1].hidden = True
    since = table.now
    table.until(lambda: all(side.over for side in table.sides))
    assert 3.0 < table.now - since < 3.4
    away, partner = table[1], table[0]
    assert away.finished is partner.finished is True
    assert away.ordered("overlay")[-1]["text"] == "Away too long."
    assert away.told("waitroom_timeout_completion") == []
    ended = away.told("p2p_game_ended")
    assert len(ended) == 1
    assert 3000 <= ended[0].pop("focus_loss_duration_ms") < 3400
    assert ended[0] == {"game_id": "game-1", "player_id": 1, "reason": "focus_loss_timeout"}
    loss = away.metrics[-1]["focusLoss"]
    assert (loss["wasTimeoutTriggered"], loss["timeoutMs"]) == (True, 3000)
    assert loss["totalBackgroundMs"] >= 3000
    assert away.metrics[-1]["sessionStatus"]["terminationReason"] == "focus_loss_timeout"
    assert len(partner.told("waitroom_timeout_completion")) == 1
    for side in table.sides:
        assert len(side.episodes[0]["t"]) > 100


@pytest.mark.slow
def test_leaving_the_page_after_the_game_is_no_loss_of_focus() -> None:
    """The metrics may be asked for much later: what they say of a complete game stays."""
    table = Table(metadata(focus_loss_timeout_ms=1000)).play()
    before = table[0].call("multiplayer_metrics")["focusLoss"]
    table[0].hidden = True
    table.ticks(FPS * 3)
    table[0].hidden = False
    table.ticks(FPS)
    assert table[0].call("multiplayer_metrics")["focusLoss"] == before
    assert before["wasTimeoutTriggered"] is False
    assert before["periodCount"] == 0


@pytest.mark.slow
def test_focus_timeouts_may_be_switched_off() -> None:
    """Zero: a hidden page plays on with the default action, as long as it takes."""
    table = Table(metadata(focus_loss_timeout_ms=0, max_steps=FPS * 4, num_episodes=1)).playing(20)
    table[1].hidden = True
    table.play()
    assert table[1].finished is False
    assert set(table[0].episodes[0]["actions"]["1"][30:]) == {0}
    check_against_truth(table)


@pytest.mark.slow
def test_where_the_study_pauses_for_hidden_pages_nobody_steps_meanwhile() -> None:
    """Neither side, the other sees why; afterwards the game goes on, and no frame is lost."""
    table = Table(metadata(pause_on_partner_background=True)).playing(20)
    table[1].hidden = True
    table.ticks(16)
    frames = [side.session.frame for side in table.sides]
    table.ticks(64)
    assert [side.session.frame for side in table.sides] == frames
    assert overlays(table[0]) == ["waiting"]
    assert overlays(table[1]) == []
    table[1].hidden = False
    table.play()
    assert overlays(table[0]) == ["waiting", ""]
    check_against_truth(table)


# -- what breaks ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("raises", "frames"),
    [({"step": [2, 25]}, [60, 25]), ({"step": [1, 25]}, [25]), ({"reset": 2}, [60])],
    ids=["step", "step-in-first", "reset"],
)
def test_an_environment_that_raises_ends_the_game_with_its_data(raises: dict[str, Any], frames: list[int]) -> None:
    """Here a line with the place and a notice, and the page goes on; there the partner has left."""
    table = Table(env={"raises": raises})
    table[1].env.raises = {}
    table.play()
    broken, partner = table[0], table[1]
    assert broken.finished is False
    assert kinds(broken)[-2:] == ["metrics", "finish"]
    assert overlays(broken)[-1] == "notice"
    assert any("as it was told to" in text and "arena.py" in text for text in broken.logs())
    assert broken.metrics[-1]["sessionStatus"]["terminationReason"] == "error"
    assert partner.finished is True
    assert partner.ordered("overlay")[-1]["title"] == "The session has ended"
    for side in table.sides:
        stored = [len(data["t"]) for data in side.episodes.values()]
        assert stored[:-1] == frames[:-1]
        # The partner's environment did not break: the frame of which everybody held the inputs stands there.
        assert frames[-1] - 16 < stored[-1] <= frames[-1] + (side is partner)


def test_who_breaks_between_episodes_and_closes_everything_has_left() -> None:
    """Also where no channel is left and its last word comes through the server: a partner who left, no repool."""
    table = Table(env={"raises": {"reset": 2}})
    table[1].env.raises = {}
    table.until(lambda: 0 in table[1].episodes)
    table.connects = False
    table.close()
    table.play()
    assert [side.finished for side in table.sides] == [False, True]
    assert table[1].told("p2p_validation_failed") == []


def _render_that_raises(side: Side, when: tuple[int, int]) -> None:
    render = side.env.render

    def raising() -> Any:
        if (side.env.episode, side.env.t) >= when:
            raise RuntimeError("no picture")
        return render()

    side.env.render = raising


@pytest.mark.parametrize("when", [(1, 25), (2, 0), (1, 0)], ids=["step", "reset", "first-reset"])
def test_a_picture_that_raises_ends_the_game_with_its_data(when: tuple[int, int]) -> None:
    """render() is the environment's too: the partner is told, what was played is stored, the page goes on."""
    table = Table()
    _render_that_raises(table[0], when)
    table.play()
    broken, partner = table[0], table[1]
    assert broken.finished is False
    assert kinds(broken)[-2:] == ["metrics", "finish"]
    assert overlays(broken)[-1] == "notice"
    assert any("no picture" in text for text in broken.logs())
    assert partner.finished is True
    assert len(broken.episodes) == len(partner.episodes) == {(1, 25): 1, (2, 0): 1, (1, 0): 0}[when]


def test_a_step_code_that_raises_ends_the_game() -> None:
    """It is the researcher's code, like the environment."""
    scene = metadata(on_game_step_code="if __import__('page_support').STEP_BOMB[0]: raise ValueError('hook')")
    table = Table(scene).playing(20)
    STEP_BOMB[0] = True
    try:
        table.play()
    finally:
        STEP_BOMB[0] = False
    assert table[0].finished is False
    assert any("hook" in text for text in table[0].logs())


# -- peers that do not fit -----------------------------------------------------------------------------------------


def test_a_partner_with_another_version_is_refused_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both see who it is and what differs; nothing was played, so nothing is stored."""
    import pycore.session.session

    table = Table()
    monkeypatch.setattr(pycore.session.session, "__version__", "0.0.1")
    other = Table()
    monkeypatch.undo()
    table.sides[1] = other.sides[1]
    other.sides[1].table = table
    table.play()
    for side, peer in ((table[0], 1), (table[1], 0)):
        assert side.finished is True
        text = side.ordered("overlay")[-1]["text"]
        assert f"player {peer}" in text
        assert "pycore differs" in text
        assert side.metrics[-1]["sessionStatus"]["terminationReason"] == "config"
        assert side.episodes == {}


def test_a_partner_with_another_scene_is_refused_and_named() -> None:
    """`fps` of one page is not that of the other."""
    table = Table(each=[{}, {"scene": metadata(max_steps=61)}]).play()
    assert [side.finished for side in table.sides] == [True, True]
    assert "max_steps differs: 60 here, 61 there" in table[0].ordered("overlay")[-1]["text"]
    assert any("refused (config)" in text for text in table[0].logs())


def test_a_partner_whose_environment_begins_otherwise_is_refused() -> None:
    """The initial states are compared before frame 0 is stepped."""
    table = Table()
    table[1].env.coin_count = 5
    table.play()
    assert [side.session.reason for side in table.sides] == ["initial_state"] * 2
    assert all(side.session.frame == 0 for side in table.sides)


def test_a_page_without_pycore_is_named_in_the_log_once() -> None:
    """Its offers carry no generation number; the game then ends for want of a connection."""
    table = Table(connects=False)
    for _ in range(3):
        offer = {"type": "offer", "sdp": "v=0"}
        table[1].event("webrtc_signal", {"type": "offer", "from_player_id": 0, "game_id": "game-1", "payload": offer})
        table.tick()
    assert [text for text in table[1].logs() if "does not run pycore" in text] == [
        "[pycore] the page of player 0 does not run pycore"
    ]


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("p2p_pause", None),
        ("p2p_game_ended", None),
        ("p2p_game_ended", [1]),
        ("trigger_data_export", "x"),
        ("webrtc_signal", {"type": "pycore-action", "from_player_id": 0, "payload": None}),
        ("webrtc_signal", {"type": "pycore-action", "from_player_id": 0, "payload": [1]}),
        ("webrtc_signal", {"type": "pycore-action", "from_player_id": 1, "payload": {}}),
        ("webrtc_signal", {"type": "offer", "from_player_id": 0, "payload": None}),
        ("webrtc_signal", {"type": "offer", "from_player_id": "nobody", "payload": {}}),
        ("webrtc_signal", None),
        ("pyodide_other_player_action", {"player_id": 0}),
    ],
)
def test_events_of_another_shape_move_nothing(event: str, data: Any) -> None:
    """Not one of them ends a game; the next frames are played as if nothing had come."""
    table = Table(metadata(num_episodes=1, max_steps=35)).playing(20)
    table[1].event(event, data)
    table.play()
    assert [side.finished for side in table.sides] == [False, False]
    assert [side.session.phase for side in table.sides] == [DONE, DONE]
    check_against_truth(table)


# -- games whose actions the server does not relay ---------------------------------------------------------------------


@pytest.mark.slow
def test_where_the_server_relays_no_actions_inputs_ride_as_signals() -> None:
    """A game with bots on mug: the peer-to-peer path dies, and nothing is lost; the counts hold."""
    scene = metadata(max_steps=200, num_episodes=1)
    table = Table(with_own(scene, p2p_wait=1), relayed=False).playing(40)
    table.connects = False
    table.close()
    table.play()
    check_against_truth(table)
    assert table.server.counts["pyodide_player_action"] == 0
    assert table.server.counts["signal pycore-action"] >= 2 * 150
    deliveries = [side.call("multiplayer_metrics")["inputDelivery"] for side in table.sides]
    for one, two in (deliveries, deliveries[::-1]):
        assert one["sentViaP2P"] + one["sentViaSocketIO"] == 200
        assert one["sentViaP2P"] + one["sentViaSocketIO"] == two["receivedViaP2P"] + two["receivedViaSocketIO"]
        assert one["sentViaSocketIO"] >= 150
    said = [data for side in table.sides for data in side.told("webrtc_signal") if data["type"] == "pycore-action"]
    assert set(said[0]["payload"]) == {"game_id", "player_id", "action", "frame_number", "timestamp", "sync_epoch"}


@pytest.mark.slow
def test_nobody_is_asked_for_an_episode_that_the_page_is_not_ready_for() -> None:
    """The game begins when the slower page has asked for it, not before."""
    table = Table(metadata(num_episodes=2))
    table[1].reset_after = 3.0
    table.play()
    assert table[0].stepped_at[1][0] - table[0].stepped_at[0][59] >= 3.0
    check_against_truth(table)


@pytest.mark.slow
def test_a_hidden_page_does_not_keep_the_others_waiting() -> None:
    """The browser may not run its countdown: it is ready as soon as it once was."""
    table = Table(metadata(num_episodes=2)).playing(30)
    table[1].reset_after = 1e9
    table[1].hidden = True
    table.play()
    assert len(table[0].episodes) == 2
    check_against_truth(table)


def test_seeds_are_taken_whatever_they_are() -> None:
    """Seed 0 is one like any other."""
    zero, other = Table(game_seed=0).playing(1), Table(game_seed=SEED).playing(1)
    assert zero[0].session.seed == 0
    assert zero[0].env.coins != other[0].env.coins
    assert json.loads(json.dumps(zero[0].env.coins)) == zero[1].env.coins
    assert not failed(zero[0])
    assert FAILED != DONE


def test_a_page_that_begins_something_else_stores_what_was_played() -> None:
    """The server starts a scene anew for whoever comes back to it: episode and metrics of the game before are sent."""
    table = Table().playing(20)
    side = table[1]
    side.abandon()
    assert kinds(side)[-2:] == ["episode", "metrics"]
    status = side.metrics[-1]["sessionStatus"]
    assert (status["isPartial"], status["terminationReason"]) == (True, "abandoned")
    assert side.finished is None
    before = len(side.orders)
    side.abandon()
    assert len(side.orders) == before
    never = Table()[0]
    never.abandon()
    assert never.orders == []


@pytest.mark.slow
def test_what_is_worthless_later_is_not_kept_for_a_server_that_is_away() -> None:
    """Inputs, signals and reports of health; everything else that the server hears is still true when it is back."""
    table = Table(metadata(num_episodes=1, max_steps=100))
    table.playing(20)
    table.close()
    table.play()
    kept = table[0].kept
    worthless = {"pyodide_player_action", "webrtc_signal", "p2p_health_report"}
    assert worthless <= set(kept)
    assert {event: flags for event, flags in kept.items() if flags != {event not in worthless}} == {}
    assert {"p2p_validation_success", "multiplayer_game_complete"} <= set(kept)


@pytest.mark.parametrize("reason", ["partner_disconnected", "scene_completed"])
@pytest.mark.slow
def test_the_page_says_that_a_game_ended_when_the_session_does_and_not_before(
    reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may lose the socket of a partner who is heard all along: whether that ends it is the session's word."""
    asked: list[int] = []
    monkeypatch.setattr(Session, "player_left", lambda session, seat, now, certain=False: asked.append(seat))
    table = Table(metadata(num_episodes=1, max_steps=200)).playing(10)
    word = {"game_id": table.game_id, "reason": reason, "disconnected_player_id": 1}
    table[0].event("p2p_game_ended", word)
    table[0].event("end_game", {"player_id": 1, "message": "gone"})
    table.ticks(100)
    assert asked == [1, 1]
    assert table[0].finished is None
    assert [order for order in table[0].ordered("overlay") if order["kind"]] == []
    table.play()
    assert [side.finished for side in table.sides] == [False, False]


@pytest.mark.slow
def test_an_action_that_cannot_be_played_is_said_where_the_monitor_warns() -> None:
    """Over the game, for a while, to the one who acted; nothing stops."""
    table = Table(metadata(max_steps=FPS * 60, action_mapping={"a": 1, "b": "x" * 1200})).playing(20)
    side, other = table.sides
    side.play = lambda tick: "x" * 1200
    table.ticks(3)
    shown = side.ordered("overlay")
    assert [(order["kind"], order["text"]) for order in shown] == [("warning", TOO_LARGE)]
    assert other.ordered("overlay") == []
    side.play = lambda tick: 1
    before = side.session.frame
    table.ticks(6 * FPS)
    assert overlays(side)[-1] == ""
    assert side.session.frame > before + 5 * FPS
    assert len(side.logs("error")) == 1


@pytest.mark.parametrize("why", ["excluded", "abandoned", "error"])
def test_an_interruption_lasts_up_to_the_end_whatever_ends_the_game(why: str) -> None:
    """The metrics have how long the game stood; the server hears of the end, and of no time-out that was none."""
    table = Table().playing(20)
    table[1].closed = True
    side = table[0]
    table.until(lambda: side.told("p2p_connection_lost") != [])
    table.ticks(FPS)
    if why == "excluded":
        side.exclude("sustained_ping", "Your connection is too slow.")
    elif why == "abandoned":
        side.abandon()
    else:
        side.broke("the page failed")
    reconnection = side.metrics[-1]["reconnection"]
    assert len(reconnection["disconnections"]) == len(reconnection["attempts"]) == 1
    assert reconnection["totalPauseDurationMs"] == pytest.approx(1000, abs=100)
    assert side.told("p2p_reconnection_timeout") == []
