"""What goes wrong in the real page: environments that raise, pages that do not fit each other, no peer-to-peer at all.

The law behind all of it: the page never freezes and nobody waits for ever. What was played is stored and true, people
read why the game stopped, and whoever runs the study finds the rest in the console.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import page_records
import page_rig
import pytest
from page_tricks import completion_code, kept, other_version, overlay, serve, told, tricks
from page_verdict import books_agree, by_path, by_peer, inputs_by_server, judged

pytestmark = pytest.mark.page

Start = Callable[..., page_rig.Study]
FRAMES = 60
GAME = {"episodes": 2, "max_steps": FRAMES}
RAISING = """
if "js" in globals() and getattr(js.window, "rigRaise", None):
    raise RuntimeError("this step fails, as it was told to")
"""
SHIM_RAISES = """() => {
  const { bridge } = window.game.core;
  const { read } = bridge;
  bridge.read = (name, ...parts) => {
    if (name !== 'step_result') return read.call(bridge, name, ...parts);
    bridge.read = read;
    throw new Error('the shim fails, as it was told to');
  };
}"""
"""What the page is given of the next step cannot be had."""


def said(who: page_rig.Participant, *words: str) -> list[str]:
    """What a page said in its console with all of these words."""
    return [line for line in who.console if all(word in line for word in words)]


@pytest.mark.parametrize(
    ("raises", "words"),
    [
        pytest.param(
            "window.rigRaise = true",
            ["the game stopped", "<on_game_step_code>"],
            id="the study's code",
            marks=pytest.mark.long,
        ),
        pytest.param(SHIM_RAISES, ["game:"], id="the shim"),
    ],
)
def test_an_error_on_one_page_ends_the_game_for_both_and_keeps_what_was_played(
    start: Start, raises: str, words: list[str]
) -> None:
    """The page with the error goes on to the next scene, the partner is told; both have their data, true and equal."""
    study = start(step_code=RAISING, max_steps=3000, episodes=1)
    ann, bob = study.players("ann", "bob")
    ann.wait("window.game.frameNumber > 30", 60, "the game goes on")
    ann.page.evaluate(raises)
    assert "What was played is saved" in overlay(ann, "notice")
    assert "The other player has left" in overlay(bob, "ended")
    assert completion_code(bob)
    study.finish(ann, seconds=40)
    assert ann.page.query_selector("#pycoreOverlay") is None
    tables = kept(study, ann, bob, complete=0)
    for who, own, reason in ((ann, tables[0], "error"), (bob, tables[1], "partner_disconnected")):
        assert 10 <= len(own[0].rows) < 3000
        status = study.status(who, reason)
        assert status["isPartial"] is True
        assert status["completedEpisodes"] == 0
        assert status["terminationFrame"] == len(own[0].rows)
        assert who.failures == []
        assert who.errors == []
    assert len(said(ann, "error: [pycore]", "as it was told to", *words)) == 1


@pytest.mark.long
def test_an_error_on_both_pages_ends_the_game_with_its_data(start: Start) -> None:
    """The same error in the second episode for both: one page is first, and the other may hear of it before its own.

    The environment counts its resets, and the first one is of the check before the game.
    """
    study = start(options={"raises": {"step": [2, 40]}})
    ann, bob = study.players("ann", "bob")
    for who in (ann, bob):
        who.wait("document.querySelector('#pycoreOverlay') !== null", 60, "the game ends")
    tables = kept(study, ann, bob, complete=1)
    reasons = [study.metrics(who)["sessionStatus"]["terminationReason"] for who in (ann, bob)]
    assert set(reasons) in ({"error"}, {"error", "partner_disconnected"})
    for who, own, reason in zip((ann, bob), tables, reasons, strict=True):
        assert 10 <= len(own[1].rows) <= 40
        status = study.status(who, reason)
        assert (status["isPartial"], status["completedEpisodes"]) == (True, 1)
        assert who.failures == []
        assert who.errors == []
        report = said(who, "error: [pycore] the game stopped", "Traceback", "step fails at frame 40 of episode 2")
        assert bool(report) is (reason == "error")
        if reason == "error":
            study.finish(who, seconds=40)
        else:
            assert completion_code(who)


@pytest.mark.long  # in every run: the same without a browser
def test_an_environment_that_cannot_be_saved_is_refused_by_name(start: Start) -> None:
    """Both pages say what has to be added, and tell the server that nothing comes of it, with words over which it does
    not stand still."""
    study = start(options={}, binding="env = StuckArena()")
    ann, bob = study.join("ann", "bob")
    for who in (ann, bob):
        text = overlay(who, "ended", 40)
        assert "get_state" in text
        assert "set_state" in text
        assert "StuckArena" in text
        assert "story" in text
        assert said(who, "error: [pycore]", "get_state")
        assert [message.data["reason"] for message in who.sent.named("participant_terminal_state")][:1] == ["error"]
        assert told(who, "leave_game", "p2p_reconnection_timeout") == ["p2p_reconnection_timeout"]
        assert who.failures == []
        assert who.game("isDone()") is False


@pytest.mark.long  # refused without a browser in every run
def test_another_version_of_the_core_is_named_and_refused(start: Start, pycore_package: Path, tmp_path: Path) -> None:
    """Both pages refuse to play, with both versions in the text; nobody waits."""
    folder = pycore_package / "server" / "static" / "js" / "pycore"
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    own = manifest["version"]
    other = json.dumps({**manifest, "version": "0.0.1", "compiled_wheel": None})
    wheel = other_version(folder / manifest["wheel"], tmp_path, "0.0.1")

    def older(context: Any) -> None:
        context.route("**/static/js/pycore/manifest.json", lambda route: route.fulfill(
            body=other, content_type="application/json"))  # fmt: skip
        serve("**/static/js/pycore/*.whl", wheel)(context)

    study = start()
    ann, bob = study.join("ann", "bob", prepare={"bob": older})
    for who in (ann, bob):
        text = overlay(who, "ended", 40)
        assert own in text
        assert "0.0.1" in text
        assert said(who, "error: [pycore] the game was refused", "0.0.1")
        assert who.failures == []
        assert [message.data["reason"] for message in who.sent.named("participant_terminal_state")] == ["config"]
        assert study.status(who, "config")["completedEpisodes"] == 0


@pytest.mark.long  # named without a browser in every run; that the server looks for new partners is the next test's
def test_the_page_own_module_on_the_other_side_is_named_and_nobody_hangs(
    start_study: Callable[..., page_rig.Study], pycore_package: Path
) -> None:
    """The two do not understand each other: after the time for validation the server looks for new partners."""
    original = pycore_package / "server/static/js/pyodide_multiplayer_game.js.before-pycore"

    def unmodified(context: Any) -> None:
        context.route("**/static/js/pyodide_multiplayer_game.js", lambda route: route.fulfill(
            path=original, content_type="text/javascript"))  # fmt: skip

    study = start_study(package=pycore_package, own_module=True, pycore={"p2p_wait": 6}, games=[{"options": {}}])
    ann, bob = study.join("ann", "bob", prepare={"bob": unmodified})
    for who in (ann, bob):
        who.wait("document.body.innerText.includes('Finding new partner')", 60, "the server re-pools")
        assert who.received.named("p2p_validation_repool")
    assert ann.sent.named("p2p_validation_failed")
    player = bob.received.named("pyodide_player_assigned")[0].data["player_id"]
    assert said(ann, f"error: [pycore] the page of player {player} does not run pycore")
    assert bob.page.evaluate("'core' in window.game") is False
    assert ann.failures == []
    assert list(study.server.data.rglob("*.csv")) == []


def test_without_peer_to_peer_the_server_looks_for_new_partners_until_it_works(start: Start) -> None:
    """The default of the page: no game begins by socket.io. With WebRTC back, the next pairing plays to the end."""
    study = start(pycore={"p2p_wait": 3}, episodes=1)

    def broken(context: Any) -> None:
        tricks(context)
        context.add_init_script("window.tricks.noPeers = true")

    ann, bob = study.join("ann", "bob", prepare={"bob": broken})
    for number, who in enumerate((ann, bob)):
        who.wait("document.body.innerText.includes('Finding new partner')", 60, "the server re-pools")
        who.play(40 + number)
    bob.page.evaluate("window.tricks.noPeers = false")
    # On a busy machine the next pairing may come before the line above that lets it work.
    study.finish(ann, bob, seconds=90)
    judged(study, ann, bob)
    by_peer(ann, bob)
    assert ann.assigned["game_id"] == bob.assigned["game_id"]
    assert ann.assigned["game_id"] != ann.received.named("pyodide_player_assigned")[0].data["game_id"]
    for who in (ann, bob):
        assert sum(by_path(study, who)) == FRAMES
        assert who.received.named("p2p_validation_repool")
        assert who.sent.named("p2p_validation_success")
    # Whoever gives up first says so; the server's word may come to the other before its own time is over.
    gave_up = [who for who in (ann, bob) if who.sent.named("p2p_validation_failed")]
    assert gave_up
    for who in gave_up:
        assert said(who, "error: [P2P]", "no peer-to-peer connection")


@pytest.mark.long
def test_a_study_may_allow_games_by_socketio_and_turn_reaches_the_browser(start: Start) -> None:
    """Relay only, and no relay answers: the game is played over the server to its end; the browser was asked right."""
    turn = {"turn_username": "guest", "turn_credential": "secret", "force_relay": True}
    study = start(turn=turn, pycore={"socketio_start": True, "p2p_wait": 2}, episodes=1)
    ann, bob = study.players("ann", "bob", prepare=tricks)
    study.finish(ann, bob)
    tables = judged(study, ann, bob)
    assert all(page_records.active(table) for table in tables[0])
    for who in (ann, bob):
        books_agree(who)
        assert by_path(study, who) == (0, FRAMES)
        assert len(inputs_by_server(who)) >= FRAMES
        assert who.sent.named("p2p_validation_failed") == []
        peers = who.page.evaluate("window.tricks.peers")
        assert peers
        for peer in peers:
            assert peer["iceTransportPolicy"] == "relay"
            relays = [server for server in peer["iceServers"] if "username" in server]
            urls = [
                url
                for server in relays
                for url in ([server["urls"]] if isinstance(server["urls"], str) else server["urls"])
            ]
            assert urls == [
                "turn:a.relay.metered.ca:80",
                "turn:a.relay.metered.ca:80?transport=tcp",
                "turn:a.relay.metered.ca:443",
                "turns:a.relay.metered.ca:443?transport=tcp",
            ]
            assert {(server["username"], server["credential"]) for server in relays} == {("guest", "secret")}
