"""What goes wrong in the real page: environments that raise, pages that do not fit each other, no peer-to-peer at all.

The law behind all of it: the page never freezes and nobody waits for ever. What was played is stored and true, people
read why the game stopped, and whoever runs the study finds the rest in the console.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import page_records
import page_rig
import pytest
from page_tricks import kept, overlay, tricks
from test_games import by_path, inputs_by_server, judged

pytestmark = pytest.mark.page

Start = Callable[..., page_rig.Study]
FRAMES = 60
RAISING = """
if "js" in globals() and getattr(js.window, "rigRaise", None):
    raise RuntimeError("this step fails, as it was told to")
"""


@pytest.fixture
def start(start_study: Callable[..., page_rig.Study], pycore_package: Path) -> Start:
    """start(**settings) starts a study on the page with our module."""

    def start(**settings: Any) -> page_rig.Study:
        return start_study(package=pycore_package, **{"episodes": 2, "max_steps": FRAMES, **settings})

    return start


def said(who: page_rig.Participant, *words: str) -> list[str]:
    """What a page said in its console with all of these words."""
    return [line for line in who.console if all(word in line for word in words)]


def test_an_error_on_one_page_ends_the_game_for_both_and_keeps_what_was_played(start: Start) -> None:
    """The page with the error goes on to the next scene, the partner is told; both have their data, true and equal."""
    study = start(step_code=RAISING)
    ann, bob = study.players("ann", "bob")
    ann.wait("window.game.num_episodes === 1 && window.game.frameNumber > 30", 60, "the second episode runs")
    ann.page.evaluate("window.rigRaise = true")
    assert "What was played is saved" in overlay(ann, "notice")
    assert "The other player has left" in overlay(bob, "ended")
    assert bob.page.inner_text("#pycoreCompletionCode")
    study.finish(ann, seconds=20)
    assert ann.page.query_selector("#pycoreOverlay") is None
    tables = kept(study, ann, bob, complete=1)
    for who, own, reason in ((ann, tables[0], "error"), (bob, tables[1], "partner_disconnected")):
        assert 10 <= len(own[1].rows) < FRAMES
        status = study.metrics(who)["sessionStatus"]
        assert status["isPartial"] is True
        assert status["terminationReason"] == reason
        assert status["completedEpisodes"] == 1
        assert status["terminationFrame"] == len(own[1].rows)
        assert who.failures == []
        assert who.errors == []
    reports = said(ann, "error: [pycore] the game stopped", "Traceback", "<on_game_step_code>", "as it was told to")
    assert len(reports) == 1


@pytest.mark.parametrize(
    ("raises", "text"),
    [
        pytest.param({"step": [2, 40]}, "step fails at frame 40 of episode 2", id="step"),
        pytest.param({"reset": 2}, "reset fails in episode 2", id="reset"),
    ],
)
def test_an_error_on_both_pages_ends_the_game_with_its_data(start: Start, raises: dict[str, Any], text: str) -> None:
    """The same error in the second episode for both: one page is first, and the other may hear of it before its own.

    The environment counts its resets, and the first one is of the check before the game.
    """
    study = start(options={"raises": raises})
    ann, bob = study.players("ann", "bob")
    for who in (ann, bob):
        who.wait("document.querySelector('#pycoreOverlay') !== null", 60, "the game ends")
    reasons = [study.metrics(who)["sessionStatus"]["terminationReason"] for who in (ann, bob)]
    assert set(reasons) in ({"error"}, {"error", "partner_disconnected"})
    kept(study, ann, bob, complete=1, more=False)
    if "step" in raises:
        for own in kept(study, ann, bob, complete=1):
            assert 10 <= len(own[1].rows) <= 40
    for who, reason in zip((ann, bob), reasons, strict=True):
        assert study.path(who, "_ep1.csv").exists() is ("step" in raises)
        status = study.metrics(who)["sessionStatus"]
        assert (status["isPartial"], status["completedEpisodes"]) == (True, 1)
        assert who.failures == []
        assert who.errors == []
        assert bool(said(who, "error: [pycore] the game stopped", "Traceback", text)) is (reason == "error")
        if reason == "error":
            study.finish(who, seconds=20)
        else:
            assert who.page.inner_text("#pycoreCompletionCode")


def test_an_environment_without_get_state_is_refused_by_name(start: Start) -> None:
    """Both pages say what has to be added, and tell the server that nothing comes of it."""
    study = start(options={}, binding="env = make(rewindable=False)")
    ann, bob = study.join("ann", "bob")
    for who in (ann, bob):
        text = overlay(who, "ended", 30)
        assert "get_state" in text
        assert "set_state" in text
        assert said(who, "error: [pycore]", "get_state")
        assert [message.data["reason"] for message in who.sent.named("participant_terminal_state")][:1] == ["error"]
        assert who.failures == []
        assert who.game("isDone()") is False


def other_version(package: Path, folder: Path, version: str) -> Callable[[Any], None]:
    """A preparation of a context whose page gets another version of the core: its wheel says so, and its manifest."""
    source = package / "server" / "static" / "js" / "pycore"
    manifest = json.loads((source / "manifest.json").read_text("utf-8"))
    wheel = folder / manifest["wheel"]
    changed = 0
    with zipfile.ZipFile(source / manifest["wheel"]) as old, zipfile.ZipFile(wheel, "w") as new:
        for item in old.infolist():
            content = old.read(item)
            if item.filename == "pycore/__init__.py":
                text, changed = re.subn(r'(?m)^__version__ = ".*"$', f'__version__ = "{version}"', content.decode())
                content = text.encode()
            new.writestr(item, content)
    assert changed == 1
    told = json.dumps({**manifest, "version": version, "compiled_wheel": None})

    def prepare(context: Any) -> None:
        context.route("**/static/js/pycore/manifest.json", lambda route: route.fulfill(json=json.loads(told)))
        context.route("**/static/js/pycore/*.whl", lambda route: route.fulfill(path=wheel))

    return prepare


def test_another_version_of_the_core_is_named_and_refused(start: Start, pycore_package: Path, tmp_path: Path) -> None:
    """Both pages refuse to play, with both versions in the text; nobody waits."""
    study = start()
    ann = study.participant("ann")
    bob = study.participant("bob", prepare=other_version(pycore_package, tmp_path, "0.0.1"))
    for step in (page_rig.Participant.ready, page_rig.Participant.proceed, page_rig.Participant.start):
        for who in (ann, bob):
            step(who)
    own = json.loads((pycore_package / "server/static/js/pycore/manifest.json").read_text("utf-8"))["version"]
    for who in (ann, bob):
        text = overlay(who, "ended", 40)
        assert own in text
        assert "0.0.1" in text
        assert said(who, "error: [pycore] the game was refused", "0.0.1")
        assert who.failures == []
        assert [message.data["reason"] for message in who.sent.named("participant_terminal_state")] == ["config"]
        assert study.metrics(who)["sessionStatus"]["terminationReason"] == "config"


def test_the_page_own_module_on_the_other_side_is_named_and_nobody_hangs(
    start_study: Callable[..., page_rig.Study], pycore_package: Path
) -> None:
    """The two do not understand each other: after the time for validation the server looks for new partners."""
    original = pycore_package / "server/static/js/pyodide_multiplayer_game.js.before-pycore"

    def unmodified(context: Any) -> None:
        context.route("**/static/js/pyodide_multiplayer_game.js", lambda route: route.fulfill(
            path=original, content_type="text/javascript"))  # fmt: skip

    study = start_study(package=pycore_package, own_module=True, pycore={"p2p_wait": 3}, games=[{"options": {}}])
    ann, bob = study.participant("ann"), study.participant("bob", prepare=unmodified)
    for step in (page_rig.Participant.ready, page_rig.Participant.proceed, page_rig.Participant.start):
        for who in (ann, bob):
            step(who)
    ann.wait("document.body.innerText.includes('Finding new partner')", 40, "the server re-pools")
    assert len(ann.sent.named("p2p_validation_failed")) == 1
    for who in (ann, bob):
        assert len(who.received.named("p2p_validation_repool")) == 1
    player = bob.assigned["player_id"]
    assert said(ann, f"error: [pycore] the page of player {player} does not run pycore")
    assert "window.game.core" not in bob.errors
    assert ann.failures == []
    assert list(study.server.data.rglob("*.csv")) == []


def test_without_peer_to_peer_the_server_looks_for_new_partners_until_it_works(start: Start) -> None:
    """The default of the page: no game begins by socket.io. With WebRTC back, the next pairing plays to the end."""
    study = start(pycore={"p2p_wait": 3}, episodes=1)

    def broken(context: Any) -> None:
        tricks(context)
        context.add_init_script("window.tricks.noPeers = true")

    ann, bob = study.participant("ann"), study.participant("bob", prepare=broken)
    for step in (page_rig.Participant.ready, page_rig.Participant.proceed, page_rig.Participant.start):
        for who in (ann, bob):
            step(who)
    for number, who in enumerate((ann, bob)):
        who.wait("document.body.innerText.includes('Finding new partner')", 40, "the server re-pools")
        who.play(40 + number)
    # Twice on a machine so busy that the next pairing comes before the line below that lets it work.
    assert {len(who.received.named("p2p_validation_repool")) for who in (ann, bob)} in ({1}, {2})
    assert ann.assigned["game_id"] == bob.assigned["game_id"]
    first = ann.assigned["game_id"]
    assert said(ann, "error: [P2P]", "no peer-to-peer connection")
    bob.page.evaluate("window.tricks.noPeers = false")
    study.finish(ann, bob, seconds=60)
    judged(study, ann, bob, episodes=1)
    assert ann.assigned["game_id"] != first
    for who in (ann, bob):
        assert by_path(study, who) == (FRAMES, 0)
        assert len(who.sent.named("p2p_validation_success")) == 1


def test_a_study_may_allow_games_by_socketio_and_turn_reaches_the_browser(start: Start) -> None:
    """Relay only, and no relay answers: the game is played over the server to its end; the browser was asked right."""
    turn = {"turn_username": "guest", "turn_credential": "secret", "force_relay": True}
    study = start(turn=turn, pycore={"socketio_start": True, "p2p_wait": 2})
    ann, bob = study.players("ann", "bob", prepare=tricks)
    study.finish(ann, bob)
    tables = judged(study, ann, bob, episodes=2)
    assert all(page_records.active(table) for table in tables[0])
    for who in (ann, bob):
        assert by_path(study, who) == (0, 2 * FRAMES)
        assert inputs_by_server(who) >= 2 * FRAMES
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
