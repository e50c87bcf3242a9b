"""What a study's settings and the page's server do to a game: focus, pauses, exclusion, interruption, more scenes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import page_records
import page_rig
import pytest
import study as study_file
from page_tricks import assignment, completion_code, gone, kept, overlay, reached, told, tricks
from page_verdict import by_path, by_peer, guessed, taken_as_given, well_behaved

pytestmark = pytest.mark.page

Start = Callable[..., page_rig.Study]
GAME = {"episodes": 1, "max_steps": 120}


@pytest.mark.long  # in every run: without a browser
def test_a_game_waits_for_who_looks_away_and_ends_when_it_takes_too_long(start: Start) -> None:
    """`pause_on_partner_background` stops both pages, `focus_loss_timeout_ms` ends the game; both keep their data."""
    message = "You were away, and the study cannot go on."
    study = start(
        max_steps=6000,
        multiplayer={
            "pause_on_partner_background": True, "focus_loss_timeout_ms": 8000, "focus_loss_message": message,
        },
    )  # fmt: skip
    ann, bob = study.players("ann", "bob")
    reached(ann, 40)
    bob.hide()
    overlay(ann, "waiting", text="when everybody is back")
    stood: list[int] = []

    def stand() -> bool:
        before = [*stood]
        ann.sleep(0.5)
        stood[:] = [who.game("frameNumber") for who in (ann, bob)]
        return stood == before

    # Who was told later comes to the same frame a little later.
    study.until(stand, 4, lambda: f"both stand, and they are at {stood}")
    ann.sleep(1)
    assert [who.game("frameNumber") for who in (ann, bob)] == stood
    bob.hide(False)
    gone(ann)
    reached(ann, stood[0] + 40)
    bob.hide()
    overlay(bob, "ended", text=message)
    overlay(ann, "ended", text="The other player has left")
    assert completion_code(ann)
    assert bob.page.query_selector("#pycoreCompletionCode") is None
    tables = kept(study, ann, bob, complete=0)
    assert all(len(own[0].rows) > stood[0] for own in tables)
    for who, own, reason in ((ann, tables[0], "partner_disconnected"), (bob, tables[1], "focus_loss_timeout")):
        status = study.status(who, reason)
        assert status["isPartial"] is True
        assert status["terminationFrame"] == len(own[0].rows)
        assert study.metrics(who)["validation"]["totalDesyncs"] == 0
        assert who.game("isDone()") is False
        assert who.failures == []
    focus = study.metrics(bob)["focusLoss"]
    assert (focus["timeoutMs"], focus["wasTimeoutTriggered"]) == (8000, True)
    assert study.metrics(ann)["sessionStatus"]["disconnectedPlayerId"] == bob.assigned["player_id"]
    assert [message.data["reason"] for message in bob.sent.named("participant_terminal_state")] == [
        "focus_loss_timeout"
    ]


def test_monitoring_warns_excludes_and_tells_the_partner(start: Start) -> None:
    """The study's own check and the page's monitor: a banner first, then the end, with its reason in both files.

    The other page's own word is quicker than the server's, or not.
    """
    study = start(
        max_steps=6000,
        multiplayer={
            "continuous_tab_warning_ms": 800, "continuous_tab_exclude_ms": 8000, "focus_loss_timeout_ms": 0,
            "continuous_callback_interval_frames": 15,
            "continuous_exclusion_messages": {"tab_warning": "Come back!", "tab_exclude": "Too long away."},
        },
        # The page of 0.1.3 asks only where the scene says so, and its own scenes never do.
        attributes={"has_continuous_callback": True},
        callback={"frames": [30, 150], "answer": {"warn": True, "message": "The study says: take care."}},
    )  # fmt: skip
    ann, bob = study.players("ann", "bob")
    overlay(ann, "warning", text="The study says: take care.")
    assert ann.sent.named("execute_continuous_callback")
    bob.hide()
    overlay(bob, "warning", text="Come back!")
    overlay(bob, "ended", text="Too long away.")
    overlay(ann, "ended", text="Your partner experienced a technical issue")
    tables = kept(study, ann, bob, complete=0)
    assert all(len(own[0].rows) > 45 for own in tables)
    for who, reason in ((ann, "partner_exclusion"), (bob, "tab_hidden")):
        assert study.status(who, reason)["isPartial"] is True
        assert who.game("isDone()") is False
        assert who.failures == []
    # Between the two the server sleeps with a lock that the second needs: they are a second apart, which is tested with
    # time that is fed (test_page_course.py). Whoever listens here may hear what came meanwhile at once.
    leaving = "mid_game_exclusion", "leave_game"
    study.until(lambda: len(told(bob, *leaving)) > 1, 20, lambda: f"{leaving}, there is {told(bob, *leaving)}")
    first, second = (message for message in bob.sent.messages if message.name in leaving)
    assert (first.name, first.data["reason"], second.name) == ("mid_game_exclusion", "tab_hidden", "leave_game")
    assert len(ann.received.named("partner_excluded")) == 1
    assert len(ann.received.named("trigger_data_export")) == 1


STORED = """([player, first]) => {
  const { game } = window;
  for (let frame = first; frame < game.frameNumber; frame += 1) {
    const found = game.storeRemoteInput(player, 1, frame);
    if (found.rollbackEvent !== null) return { ...found, pending: game.pendingRollbackFrame };
  }
  return null;
}"""
"""Tell a page what another did in the frames that it had to guess."""


def test_a_short_interruption_is_bridged_and_a_long_one_ends_the_game(start: Start) -> None:
    """No path at all for some seconds: both wait and say so, then go on; the server knows, and the data is whole.
    Longer than `reconnection_timeout_ms`: both say so and keep what they share, whoever comes back."""
    study = start(max_steps=6000, multiplayer={"reconnection_timeout_ms": 10000})
    ann, bob = study.players("ann", "bob", prepare=tricks)
    reached(ann, 40)
    bob.rest()
    with bob.holding("ArrowLeft"):
        # Until ann knows of it, so that whatever comes next she guesses wrongly: that it is the default.
        held = bob.game("frameNumber")
        reached(ann, held + 30)
        ann.page.evaluate("window.tricks.stalled = true")
        for who in (ann, bob):
            overlay(who, "reconnecting", text="interrupted")
        # What bob did comes to ann by another way.
        late = ann.page.evaluate(STORED, [bob.assigned["player_id"], held])
    assert late["accepted"] is True
    event = late["rollbackEvent"]
    assert event["playerId"] == str(bob.assigned["player_id"])
    assert (event["predictedAction"], event["actualAction"]) == (0, 1)
    assert event["frame"] == event["currentFrame"] - event["rollbackFrames"]
    assert late["pending"] == event["frame"]
    ann.sleep(1)
    ann.page.evaluate("window.tricks.stalled = false")
    bob.play(1002)
    for who in (ann, bob):
        gone(who)
    stood = ann.game("frameNumber")
    reached(ann, stood + 40)
    for who in (ann, bob):
        assert len(who.sent.named("p2p_connection_lost")) == 1
        assert len(who.sent.named("p2p_reconnection_success")) == 1
        assert 1000 <= who.sent.named("p2p_reconnection_success")[0].data["duration_ms"] <= 15000
        assert who.sent.named("p2p_reconnection_timeout") == []
    study.until(lambda: bob.received.named("p2p_resume"), 10, lambda: "p2p_resume")
    ann.page.evaluate("window.tricks.stalled = true")
    for who in (ann, bob):
        overlay(who, "ended", 40, text="The other player has left")
    ann.page.evaluate("window.tricks.stalled = false")
    tables = kept(study, ann, bob, complete=0)
    for who, own in zip((ann, bob), tables, strict=True):
        assert len(own[0].rows) >= stood + 20
        taken_as_given(who.log, own, who.assigned["player_id"], 0)
        assert len(who.sent.named("p2p_reconnection_timeout")) == 1
        assert study.status(who, "partner_disconnected")["isPartial"] is True
        records = study.metrics(who)["reconnection"]
        assert len(records["disconnections"]) == 2
        assert [attempt["outcome"] for attempt in records["attempts"]] == ["success", "timeout"]
        assert who.failures == []


def test_a_page_that_loses_its_server_keeps_the_data_of_both_and_plays_again(start: Start) -> None:
    """The server ends a game whose participant drops out, and begins that participant's scene anew: that was no
    participation yet, so there is no code, and the second game's data does not take the first one's place."""
    study = start(max_steps=6000, multiplayer={"reconnection_timeout_ms": 20000}, ending=page_rig.ENDING)
    ann, bob = study.players("ann", "bob")
    reached(ann, 50)
    bob.page.evaluate("window.socket.io.engine.close()")
    overlay(ann, "ended", text="The other player has left")
    code = completion_code(ann)
    bob.wait(
        "document.querySelector('#startButton:not([disabled])')?.offsetParent != null", 40, "the scene begins anew"
    )
    assert bob.page.query_selector("#pycoreCompletionCode") is None
    tables = kept(study, ann, bob, complete=0)
    for who, own, reason in ((ann, tables[0], "partner_disconnected"), (bob, tables[1], "abandoned")):
        assert len(own[0].rows) >= 40
        assert study.status(who, reason)["isPartial"] is True
        assert who.failures == []
    first = study.path(bob, "_ep0.csv").read_bytes()
    (cat,) = study.join("cat")
    bob.start()
    cat.play(7)
    reached(cat, 60)
    cat.end()
    study.finish(bob, cat)
    again, hers = study.csv(bob, "0.game2"), study.csv(cat, 0)
    assert 60 <= len(again.rows) < 6000
    assert page_records.differences(again, hers) == []
    (rows,) = study.truth([hers], cat.assigned["game_seed"])
    assert page_records.untrue(again, rows) == []
    assert study.path(bob, "_ep0.csv").read_bytes() == first
    assert study.status(bob, "normal")["isPartial"] is False
    assert completion_code(ann) == code


VERBOSE = """
class Verbose(RewindableArena):
    def step(self, actions):
        *results, infos = super().step(actions)
        for agent, info in infos.items():
            info["said"] = "äöü" * 1100 + f"{agent} {self.t}"
        return *results, infos

env = Verbose()
"""
"""Of 13 kB a frame in the page's packing, where a character outside of ASCII has two bytes."""


@pytest.mark.long  # in every run: without a browser, and once between two engines
def test_data_that_the_server_did_not_get_or_did_not_confirm_is_sent_again(start: Start) -> None:
    """A part of one episode is lost on its way, another acknowledgement: both are stored once, the pages go on.

    The episode is larger than the million bytes that the server takes in one message, so it comes in parts. The second
    one is lost, which is waited for as long as it may take on a slow line.
    """
    study = start(binding=VERBOSE)
    ann, bob = study.players("ann", "bob", prepare=tricks)
    ann.page.evaluate("window.tricks.lose = {name: 'emit_episode_data', part: 'request', after: 1}")
    bob.page.evaluate("window.tricks.lose = {name: 'emit_episode_data', part: 'answer', after: 1}")
    study.finish(ann, bob)
    tables = []
    for who, part in ((ann, "request"), (bob, "answer")):
        who.wait("window.game.unstored === 0", 60, "the data is stored")
        assert who.page.evaluate("window.tricks.lost") == [f"{part} of emit_episode_data"]
        sent = who.sent.named("emit_episode_data")
        sizes = {message.data["episode_num"]: message.size for message in sent}
        parts = [0, *(f"0.part{number}" for number in range(2, len(sizes) + 1))]
        assert sizes.keys() == set(parts)
        assert max(sizes.values()) < 1_000_000 < sum(sizes.values())
        first, *others = (study.csv(who, part) for part in parts)
        tables.append(first._replace(rows=[row for table in (first, *others) for row in table.rows]))
        well_behaved(who)
    # What ann lost was lost before the wire; what bob's server did not confirm he sent again.
    assert len(bob.sent.named("emit_episode_data")) > len(parts)
    assert page_records.differences(*tables) == []
    (rows,) = study.truth(tables[:1], ann.assigned["game_seed"])
    assert len(rows) == 120
    assert page_records.untrue(tables[0], rows) == []
    names = {path.name for path in study.path(ann, "").parent.glob("*.csv")}
    assert names == {f"{who}_ep{part}.csv" for who in ("ann", "bob") for part in parts}


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


STEP_CODE = """
env.luck += 0.125
if env.t % 10 == 5:
    env.xs[0] = (env.xs[0] + 5) % 24
"""
BINDING = "env = make(agents=[0, 1], coins=3 + 4 * mug_globals.get('gymSceneCounter', 1))"


def held(who: page_rig.Participant, action: Any, *keys: str, ticks: int = 20) -> None:
    """Hold these keys until the page has asked for the action that they mean so many times."""
    with contextlib.ExitStack() as stack:
        for key in keys:
            stack.enter_context(who.holding(key))
        meant = json.dumps(json.dumps(action, separators=(",", ":")))
        asked = f"window.rig.log.filter(({{ action }}) => JSON.stringify(action) === {meant}).length"
        who.wait(f"{asked} >= {ticks}", 30, f"{keys} are {action}")


@pytest.mark.long
def test_several_games_in_a_row_and_whatever_a_study_may_write(start: Start) -> None:
    """First step code, globals, no default action, two keys at once and actions that are no bytes or too large, over a
    slow line; then other ids, another speed, another environment and single keystrokes. One page object plays both."""
    study = start(
        games=[
            {
                "max_steps": 200,
                "step_code": STEP_CODE,
                "binding": BINDING,
                "default_action": None,
                "actions": {
                    "ArrowLeft": -1, "ArrowRight": [1, 0], "ArrowUp": 3, "ArrowDown": 4, "ArrowLeft,ArrowUp": [-1, -1],
                    "ArrowDown,ArrowRight": "x" * 1200,
                },
            },
            {
                "policies": [["agent_left", "human"], ["agent_right", "human"]],
                "options": {"render": "mug", "generator": "word"},
                "fps": 20,
                "max_steps": 80,
                "input_mode": "single_keystroke",
                "multiplayer": {"input_delay": 3},
            },
        ],
    )  # fmt: skip
    ann, bob = study.join("ann", "bob")
    for who in (ann, bob):
        who.network(30)
    bob.play(1001)
    ann.playing()
    held(ann, [-1, -1], "ArrowLeft", "ArrowUp")
    held(ann, -1, "ArrowLeft")
    held(ann, [1, 0], "ArrowRight")
    with ann.holding("ArrowDown"), ann.holding("ArrowRight"):
        overlay(ann, "warning", text="What you did is too large to be sent")
    assert ann.page.evaluate("window.game.pyodide.runPython('mug_globals[\"gymSceneCounter\"]')") == 1
    for who in (ann, bob):
        who.page.evaluate(SLOWLY)
        who.wait("window.game.num_episodes === 1", 60, "the first game is over")
        who.network()
    begins = [len(who.log) for who in (ann, bob)]
    study.next_game(ann, bob)
    ann.play(77)
    study.finish(ann, bob)
    first, second = (kept(study, ann, bob, complete=1, game=game, more=False) for game in range(2))
    me, other = (assignment(who, 0)["player_id"] for who in (ann, bob))
    assert len(first[0][0].rows) == 200
    did = first[0][0].column(f"actions.{me}")
    assert all(did.count(action) >= 10 for action in ([-1, -1], -1, [1, 0], 0))
    assert page_records.active(first[0][0]._replace(columns=[f"actions.{other}"]))
    assert all(own[0].rollbacks() for own in first)
    # What the hook does is seen in the data, so replaying without it would be found out.
    code, seed = study_file.code_of(study.games[0]), assignment(ann, 0)["game_seed"]
    (plain,) = page_records.truth(code, "", [0, 1], seed, [first[0][0].actions()])
    assert page_records.untrue(first[0][0], plain) != []
    assert ann.page.evaluate("window.game.config.input_mode") == "single_keystroke"
    by_peer(ann, bob)
    for who, begin, own, partner in ((ann, begins[0], second[0], bob), (bob, begins[1], second[1], ann)):
        assert who.page.evaluate("window.firstGame === window.game")
        assert len(own[0].rows) == 80
        players = [assignment(who, game)["player_id"] for game in range(2)]
        assert players[0] in (0, 1)
        assert players[1] in ("agent_left", "agent_right")
        # A keystroke counts once, where a held key counts in every frame: then it would be four of five.
        column = own[0].column(f"actions.{players[1]}")
        assert column[:3] == [0, 0, 0]
        assert page_records.active(own[0], 0.05)
        assert column.count(0) > 40
        # The second game's actions are those of its own keys, not what is left of the game before it.
        taken_as_given(who.log[begin:], own, players[1], 3)
        # Three frames are enough for a line of this machine.
        assert guessed(own, assignment(partner, 1)["player_id"]).count(False) >= 20
        for game in range(2):
            metrics = study.metrics(who, game)
            assert metrics["gameId"] == assignment(who, game)["game_id"]
            assert metrics["sessionStatus"]["isPartial"] is False
            assert metrics["validation"]["totalDesyncs"] == 0
            assert sum(by_path(study, who, game)) == (200, 80)[game]
        well_behaved(who)


@pytest.mark.long
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
    study.next_game(ann, bob)
    study.finish(ann, bob)
    for own in kept(study, ann, bob, complete=1, game=1, more=False):
        assert len(own[0].rows) == 40
    for who in (ann, bob):
        assert who.failures == []
        assert study.metrics(who, 1)["sessionStatus"]["isPartial"] is False
