"""What a study's settings and the page's server do to a game: focus, pauses, exclusion, interruption, more scenes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import page_records
import page_rig
import pytest
from page_tricks import assignment, kept, overlay, tricks
from test_games import altered, judged

pytestmark = pytest.mark.page

Start = Callable[..., page_rig.Study]
FRAMES = 120


@pytest.fixture
def start(start_study: Callable[..., page_rig.Study], pycore_package: Path) -> Start:
    """start(**settings) starts a study on the page with our module."""

    def start(**settings: Any) -> page_rig.Study:
        return start_study(package=pycore_package, **{"episodes": 1, "max_steps": FRAMES, **settings})

    return start


def reached(who: page_rig.Participant, frame: int, episode: int = 0) -> None:
    """Wait until a page is at this frame."""
    who.wait(
        f"window.game.num_episodes === {episode} && window.game.frameNumber >= {frame}", 60, f"frame {frame} is reached"
    )


def test_a_game_waits_for_who_looks_away_and_ends_when_it_takes_too_long(start: Start) -> None:
    """`pause_on_partner_background` stops both pages, `focus_loss_timeout_ms` ends the game; both keep their data."""
    message = "You were away, and the study cannot go on."
    study = start(
        max_steps=300,
        multiplayer={
            "pause_on_partner_background": True, "focus_loss_timeout_ms": 4000, "focus_loss_message": message,
        },
    )  # fmt: skip
    ann, bob = study.players("ann", "bob")
    reached(ann, 40)
    bob.hide()
    assert "when everybody is back" in overlay(ann, "waiting")
    ann.sleep(0.5)
    stood = [who.game("frameNumber") for who in (ann, bob)]
    ann.sleep(1)
    assert [who.game("frameNumber") for who in (ann, bob)] == stood
    bob.hide(False)
    ann.wait("document.querySelector('#pycoreOverlay') === null", 10, "the notice goes")
    reached(ann, stood[0] + 40)
    bob.hide()
    assert message in overlay(bob, "ended", 15)
    assert "The other player has left" in overlay(ann, "ended", 15)
    assert ann.page.inner_text("#pycoreCompletionCode")
    assert bob.page.query_selector("#pycoreCompletionCode") is None
    tables = kept(study, ann, bob, complete=0)
    assert all(len(own[0].rows) > stood[0] for own in tables)
    me = bob.assigned["player_id"]
    for who, own, reason in ((ann, tables[0], "partner_disconnected"), (bob, tables[1], "focus_loss_timeout")):
        metrics = study.metrics(who)
        status = metrics["sessionStatus"]
        assert (status["isPartial"], status["terminationReason"]) == (True, reason)
        assert status["terminationFrame"] == len(own[0].rows)
        assert who.game("isDone()") is False
        assert who.failures == []
        assert metrics["validation"]["totalDesyncs"] == 0
    focus = study.metrics(bob)["focusLoss"]
    assert (focus["timeoutMs"], focus["wasTimeoutTriggered"]) == (4000, True)
    assert study.metrics(ann)["sessionStatus"]["disconnectedPlayerId"] == me
    assert [message.data["reason"] for message in bob.sent.named("participant_terminal_state")] == [
        "focus_loss_timeout"
    ]


def test_monitoring_warns_excludes_and_tells_the_partner(start: Start) -> None:
    """The study's own check and the page's monitor: a banner first, then the end, with its reason in both files."""
    study = start(
        max_steps=600,
        multiplayer={
            "continuous_tab_warning_ms": 800, "continuous_tab_exclude_ms": 3000, "focus_loss_timeout_ms": 0,
            "continuous_callback_interval_frames": 15,
            "continuous_exclusion_messages": {"tab_warning": "Come back!", "tab_exclude": "Too long away."},
        },
        # The page of 0.1.3 asks only where the scene says so, and its own scenes never do.
        attributes={"has_continuous_callback": True},
        callback={"frames": [30, 70], "answer": {"warn": True, "message": "The study says: take care."}},
    )  # fmt: skip
    ann, bob = study.players("ann", "bob")
    assert "The study says: take care." in overlay(ann, "warning", 30)
    assert ann.sent.named("execute_continuous_callback")
    bob.hide()
    bob.wait("document.querySelector('#pycoreOverlay')?.innerText.includes('Come back!')", 15, "a warning")
    assert "Too long away." in overlay(bob, "ended", 15)
    assert "Your partner experienced a technical issue" in overlay(ann, "ended", 15)
    tables = kept(study, ann, bob, complete=0)
    assert all(len(own[0].rows) > 45 for own in tables)
    for who, reason in ((ann, "partner_exclusion"), (bob, "tab_hidden")):
        status = study.metrics(who)["sessionStatus"]
        assert (status["isPartial"], status["terminationReason"]) == (True, reason)
        assert who.game("isDone()") is False
        assert who.failures == []
    assert [message.data["reason"] for message in bob.sent.named("mid_game_exclusion")] == ["tab_hidden"]
    assert len(ann.received.named("partner_excluded")) == 1
    assert len(ann.received.named("trigger_data_export")) == 1


def test_a_short_interruption_is_bridged(start: Start) -> None:
    """Four seconds without any path: both wait and say so, then go on; the server knows, and the data is whole."""
    study = start(max_steps=200, multiplayer={"reconnection_timeout_ms": 15000})
    ann, bob = study.players("ann", "bob", prepare=tricks)
    reached(ann, 50)
    ann.page.evaluate("window.tricks.stalled = true")
    for who in (ann, bob):
        assert "interrupted" in overlay(who, "reconnecting", 15)
    ann.sleep(1.5)
    ann.page.evaluate("window.tricks.stalled = false")
    for who in (ann, bob):
        who.wait("document.querySelector('#pycoreOverlay') === null", 15, "the notice goes")
    study.finish(ann, bob)
    tables = judged(study, ann, bob, episodes=1)
    assert all(page_records.active(table) for table in tables[0])
    for who in (ann, bob):
        assert len(who.sent.named("p2p_connection_lost")) == 1
        assert len(who.sent.named("p2p_reconnection_success")) == 1
        assert 1500 <= who.sent.named("p2p_reconnection_success")[0].data["duration_ms"] <= 15000
        assert who.sent.named("p2p_reconnection_timeout") == []
        records = study.metrics(who)["reconnection"]
        assert len(records["disconnections"]) == 1
        assert [attempt["outcome"] for attempt in records["attempts"]] == ["success"]
    assert len(bob.received.named("p2p_resume")) == 1


def test_a_long_interruption_ends_the_game_for_both(start: Start) -> None:
    """Longer than `reconnection_timeout_ms`: both pages say so and keep what they share, whoever comes back."""
    study = start(max_steps=300, multiplayer={"reconnection_timeout_ms": 1500})
    ann, bob = study.players("ann", "bob", prepare=tricks)
    reached(ann, 50)
    ann.page.evaluate("window.tricks.stalled = true")
    for who in (ann, bob):
        assert "The other player has left" in overlay(who, "ended", 20)
    ann.page.evaluate("window.tricks.stalled = false")
    tables = kept(study, ann, bob, complete=0)
    for who, own in zip((ann, bob), tables, strict=True):
        assert len(own[0].rows) >= 40
        assert len(who.sent.named("p2p_reconnection_timeout")) == 1
        status = study.metrics(who)["sessionStatus"]
        assert (status["isPartial"], status["terminationReason"]) == (True, "partner_disconnected")
        assert study.metrics(who)["reconnection"]["attempts"][-1]["outcome"] == "timeout"
        assert who.failures == []


def test_a_page_that_loses_its_server_keeps_the_data_of_both(start: Start) -> None:
    """The server ends a game whose participant drops out, and begins that participant's scene anew."""
    study = start(max_steps=300)
    ann, bob = study.players("ann", "bob")
    reached(ann, 50)
    bob.network(offline=True)
    assert "The other player has left" in overlay(ann, "ended", 20)
    bob.network()
    bob.wait(
        "document.querySelector('#startButton:not([disabled])')?.offsetParent != null", 30, "the scene begins anew"
    )
    tables = kept(study, ann, bob, complete=0)
    for who, own in zip((ann, bob), tables, strict=True):
        assert len(own[0].rows) >= 40
        assert study.metrics(who)["sessionStatus"]["isPartial"] is True
        assert who.failures == []
    assert study.metrics(bob)["sessionStatus"]["terminationReason"] == "abandoned"


def test_data_that_the_server_did_not_get_or_did_not_confirm_is_sent_again(start: Start) -> None:
    """One page's episode is lost on its way, the other's acknowledgement: both are stored once, the page goes on."""
    study = start(max_steps=60)
    ann, bob = study.players("ann", "bob", prepare=tricks)
    ann.page.evaluate("window.tricks.lose = {name: 'emit_episode_data', part: 'request'}")
    bob.page.evaluate("window.tricks.lose = {name: 'emit_episode_data', part: 'answer'}")
    study.finish(ann, bob)
    assert study.path(bob, "_ep0.csv").exists()
    for who, part in ((ann, "request"), (bob, "answer")):
        who.wait("window.game.unstored === 0", 20, "the data is stored")
        assert who.page.evaluate("window.tricks.lost") == [f"{part} of emit_episode_data"]
    judged(study, ann, bob, episodes=1)
    # What was lost was lost before the wire: the first that the server saw is ann's second.
    assert len(ann.sent.named("emit_episode_data")) == 1
    assert len(bob.sent.named("emit_episode_data")) == 2
    names = {path.name for path in study.path(ann, "").parent.glob("*.csv")}
    assert names == {"ann_ep0.csv", "bob_ep0.csv"}


SLOWLY = """() => {
  window.firstGame = window.game;
  const { pyodide } = window.game;
  const run = pyodide.runPythonAsync;
  pyodide.runPythonAsync = async (...parts) => {
    await new Promise((resolve) => setTimeout(resolve, 400));
    return run.apply(pyodide, parts);
  };
}"""
"""From now on an environment takes its time to be made."""


def test_several_games_in_a_row_are_played_by_one_page_object(start: Start) -> None:
    """The second game has other ids, another speed and another environment; the data of both is right."""
    study = start(
        games=[
            {"max_steps": 60, "episodes": 2},
            {
                "policies": [["agent_left", "human"], ["agent_right", "human"]],
                "options": {"render": "mug", "generator": "word"},
                "fps": 20,
                "max_steps": 50,
            },
        ],
    )
    ann, bob = study.players("ann", "bob")
    begins = []
    for who in (ann, bob):
        who.page.evaluate(SLOWLY)
    for who in (ann, bob):
        who.wait("window.game.sceneId === 'arena-1'", 60, "the next game is loaded")
        begins.append(len(who.log))
        who.start()
    for who in (ann, bob):
        who.playing()
    study.finish(ann, bob)
    assert [len(table.rows) for table in kept(study, ann, bob, complete=2, more=False)[0]] == [60, 60]
    tables = kept(study, ann, bob, complete=1, game=1, more=False)
    for who, own, begin in zip((ann, bob), tables, begins, strict=True):
        assert who.page.evaluate("window.firstGame === window.game")
        assert len(own[0].rows) == 50
        assert page_records.active(own[0])
        players = [assignment(who, game)["player_id"] for game in range(2)]
        assert players[0] in (0, 1)
        assert players[1] in ("agent_left", "agent_right")
        # The second game's actions are those of its own keys, not what is left of the game before it.
        log = [entry for entry in who.log[begin:] if entry.get("stepped")]
        assert log
        assert altered(log, own, players[1], 0) == []
        for game in range(2):
            metrics = study.metrics(who, game)
            assert metrics["gameId"] == assignment(who, game)["game_id"]
            assert metrics["sessionStatus"]["isPartial"] is False
            assert metrics["validation"]["totalDesyncs"] == 0
            assert metrics["inputDelivery"]["sentViaSocketIO"] == 0
        assert who.failures == []


STEP_CODE = """
env.luck += 0.125
if env.t == 50:
    env.coins[0][:] = [0, 0, 3]
"""
BINDING = "env = make(agents=[0, 1], coins=3 + 4 * mug_globals.get('gymSceneCounter', 1))"


def test_what_a_study_may_write_is_honoured(start: Start) -> None:
    """Step code, globals, no default action, two keys at once, actions that are no bytes; then single keystrokes."""
    study = start(
        max_steps=100,
        games=[
            {
                "step_code": STEP_CODE,
                "binding": BINDING,
                "default_action": None,
                "actions": {
                    "ArrowLeft": -1, "ArrowRight": [1, 0], "ArrowUp": 3, "ArrowDown": 4, "ArrowLeft,ArrowUp": [-1, -1],
                },
            },
            {"input_mode": "single_keystroke", "multiplayer": {"input_delay": 2}},
        ],
    )  # fmt: skip
    ann, bob = study.players("ann", "bob")
    ann.rest()
    reached(ann, 20)
    with ann.holding("ArrowLeft"), ann.holding("ArrowUp"):
        reached(ann, 45)
    with ann.holding("ArrowLeft"):
        reached(ann, 65)
    with ann.holding("ArrowRight"):
        reached(ann, 80)
    assert ann.page.evaluate("window.game.pyodide.runPython('mug_globals[\"gymSceneCounter\"]')") == 1
    for who in (ann, bob):
        who.wait("window.game.sceneId === 'arena-1'", 30, "the next game is loaded")
        who.start()
    for who in (ann, bob):
        who.playing()
    ann.play(77)
    study.finish(ann, bob)
    first, second = (kept(study, ann, bob, complete=1, game=game, more=False) for game in range(2))
    me, other = (assignment(who, 0)["player_id"] for who in (ann, bob))
    did = first[0][0].column(f"actions.{me}")
    assert did.count([-1, -1]) >= 10
    assert did.count(-1) >= 10
    assert did.count([1, 0]) >= 5
    assert did.count(0) >= 10
    assert page_records.active(first[0][0]._replace(columns=[f"actions.{other}"]))
    assert ann.page.evaluate("window.game.config.input_mode") == "single_keystroke"
    assert all(page_records.active(own[0], 0.05) for own in second)
    # A keystroke counts once, where a held key counts in every frame: then it would be four of five.
    for who in (ann, bob):
        column = second[0][0].column(f"actions.{assignment(who, 1)['player_id']}")
        assert column[:2] == [0, 0]
        assert column.count(0) > 60
    for who in (ann, bob):
        assert who.failures == []
        assert [study.metrics(who, game)["sessionStatus"]["isPartial"] for game in range(2)] == [False, False]


def test_a_game_alone_comes_before_a_game_of_two(
    start_study: Callable[..., page_rig.Study], pycore_package: Path
) -> None:
    """The page's own single-player game, with the stand-in for numpy that it needs, and then ours, in one page."""
    study = start_study(
        package=pycore_package,
        own_module=True,
        episodes=1,
        max_steps=40,
        games=[{"policies": [["alone", "human"]], "multiplayer": {"multiplayer": False}}, {"options": {}}],
    )
    ann, bob = study.players("ann", "bob")
    for who in (ann, bob):
        who.wait("window.game.sceneId === 'arena-1' && window.game.isP2PReady", 60, "the next game is loaded")
        who.start()
    for who in (ann, bob):
        who.playing()
    study.finish(ann, bob)
    for own in kept(study, ann, bob, complete=1, game=1, more=False):
        assert len(own[0].rows) == 40
    for who in (ann, bob):
        assert who.failures == []
        assert study.metrics(who, 1)["sessionStatus"]["isPartial"] is False
