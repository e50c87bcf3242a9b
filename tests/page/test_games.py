"""Games of two in the real page with our module: what the server stored of both, against each other and the truth.

Every game is judged alike (`page_verdict`); here stand the networks, the people and the bots that they are played with.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import arena
import onnx_model
import page_records
import page_rig
import pytest
from page_tricks import completion_code, other_version, outlives, overlay, serve
from page_verdict import books_agree, by_path, by_peer, changes, guessed, in_order, inputs_by_server, judged

from tools.coturn import Coturn
from tools.paths import ROOT

pytestmark = pytest.mark.page

Start = Callable[..., page_rig.Study]
EPISODES = 3
FRAMES = 90
GAME = {"episodes": EPISODES, "max_steps": FRAMES}


TRIES = 4
"""How often a game is played until no page stood still for half a second, as any may whose machine has other work."""


def undisturbed(play: Callable[[], tuple[page_rig.Study, list[page_rig.Participant], list[list[Any]]]]) -> Any:
    """Such a game, and what came of it. The others are judged too, and whatever else takes the server's way fails."""
    for _ in range(TRIES):
        study, people, tables = play()
        if by_peer(*people):
            return study, people, tables
        for who in people:
            who.close()
    raise AssertionError(f"in each of {TRIES} games a page stood still")


CONTRACT = """(other) => {
  const { game } = window;
  game._sendViaSocketIO({ from: game.myPlayerId }, 'rig_probe');
  return {
    functions: [game.sendInputToOtherPlayers, game._sendViaSocketIO, game.storeRemoteInput, game.exportSessionMetrics,
      game.p2pInputSender?.recordAndSend].map((each) => typeof each),
    again: game.storeRemoteInput(other, 0, 0),
    pending: game.pendingRollbackFrame,
    epoch: game.syncEpoch,
    mismatches: game.p2pHashMismatches,
    connected: game.p2pConnected,
    healthy: typeof game.p2pHealthy,
    metrics: game.p2pMetrics,
    session: game.sessionMetrics,
  };
}"""
"""What the page's console, and code that was written against the page's module, may ask of a running game."""


def names_of_the_contract(who: page_rig.Participant, other: page_rig.Participant) -> None:
    """The names under which JavaScript finds a game's state, asked in the middle of it."""
    found = who.page.evaluate(CONTRACT, other.assigned["player_id"])
    assert found["functions"] == ["function"] * 5
    # Frame 0 was confirmed long ago.
    assert found["again"] == {"accepted": False, "rollbackEvent": None}
    assert found["pending"] is None or found["pending"] >= 0
    assert isinstance(found["epoch"], int)
    assert found["mismatches"] == 0
    assert found["connected"] is True
    assert found["healthy"] == "boolean"
    assert found["metrics"].keys() >= {
        "inputsSentViaP2P", "inputsSentViaSocketIO", "inputsReceivedViaP2P", "inputsReceivedViaSocketIO",
        "connectionType", "connectionDetails", "p2pFallbackTriggered", "p2pFallbackFrame",
    }  # fmt: skip
    assert found["session"]["inputs"]["sentViaP2P"] > 0
    assert found["session"]["gameId"] == who.assigned["game_id"]
    assert [message.data for message in who.sent.named("rig_probe")] == [{"from": who.assigned["player_id"]}]


def test_three_episodes_over_p2p_are_equal_true_and_cross_no_server(start: Start) -> None:
    """The plain case: no input is seen on the server's socket, every input went and came peer-to-peer.

    A page that stood still for half a second has the other go by the server for a while; then another game is played.
    """

    def play() -> Any:
        study = start()
        ann, bob = study.players("ann", "bob")
        ann.wait("window.game.frameNumber > 40", 30, "the game goes on")
        names_of_the_contract(ann, bob)
        study.finish(ann, bob)
        return study, [ann, bob], judged(study, ann, bob)

    study, (ann, bob), tables = undisturbed(play)
    assert [len(table.rows) for table in tables[0]] == [FRAMES] * EPISODES
    assert all(page_records.active(table) for table in tables[0])
    for who in (ann, bob):
        assert inputs_by_server(who) == []
        assert by_path(study, who) == (FRAMES * EPISODES, 0)
        # Receipts go by the server only until the channel is open.
        assert len([m for m in who.sent.named("webrtc_signal") if m.data["type"] == "pycore"]) < 20
        assert who.sent.named("p2p_session_metrics") == []
        assert len(who.sent.named("p2p_validation_success")) == 1
        summaries = [line for line in who.console if "[Episode] Complete: " in line]
        assert len(summaries) == EPISODES
    assert study.metrics(ann)["connection"]["type"] == "direct"
    # Nothing but the episodes is stored: the page's rows without actions are not.
    names = {path.name for path in study.path(ann, "").parent.glob("*.csv")}
    assert names == {f"{who}_ep{number}.csv" for who in ("ann", "bob") for number in range(EPISODES)}


# In every run: without a browser (test_page_games), and in one with more loss (test_pictures).
@pytest.mark.long
@pytest.mark.parametrize(
    ("latency", "loss", "settings"),
    [
        pytest.param(
            60,
            0.05,
            {
                "policies": [["agent_left", "human"], ["agent_right", "human"]],
                "multiplayer": {"input_delay": 3},
                "options": {"rewindable": False},
            },
            id="60 ms and 5% loss, ids of text, delay 3, no get_state",
        ),
        pytest.param(
            50,
            0.0,
            {"options": {"goal": 12}},
            id="200 ms round trip, an end that depends on the play",
        ),
    ],
)
def test_a_bad_network_changes_nothing_in_the_data(
    start: Start, latency: float, loss: float, settings: dict[str, Any]
) -> None:
    """Latency is added four times per round trip; loss hits every datagram twice. Rollbacks must really happen."""
    study = start(episodes=2, **settings)
    ann, bob = study.join("ann", "bob")
    for number, who in enumerate((ann, bob)):
        who.network(latency, loss)
        who.play(500 + number)
    study.finish(ann, bob, seconds=180)
    tables = judged(study, ann, bob)
    assert all(page_records.active(table) for table in tables[0] if len(table.rows) > 30)
    rolled_back = sum(len(table.rollbacks()) for own in tables for table in own)
    assert rolled_back > 0
    assert sum(study.metrics(who)["validation"]["totalRollbacks"] for who in (ann, bob)) == rolled_back
    guesses = [guessed(own, who.assigned["player_id"]) for own, who in ((tables[0], bob), (tables[1], ann))]
    # Of both together: the page that is a little behind has to guess less, and the other more.
    assert sum(own.count(True) for own in guesses) >= sum(map(len, guesses)) / 10
    for own in guesses:
        # With a delay an episode begins with everybody's default; without one, all may be guessed.
        assert False in own or not settings.get("multiplayer")
    if settings.get("policies"):
        # The page's server compares the two players' metrics itself, unless one of them is the number 0.
        ending = f"{ann.assigned['game_id']}_aggregated_metrics.json"
        path = study.file(ending, "", good=lambda text: json.loads(text)["summary"])
        assert json.loads(path.read_text("utf-8"))["summary"]["fullySynced"] is True


@pytest.mark.long
def test_a_relayed_game_is_peer_to_peer_and_says_so(start: Start, coturn: Coturn) -> None:
    """`force_relay`, and a TURN server of the study's own: no input crosses the page's server, all pass the relay."""
    server = {"urls": coturn.urls, **coturn.credentials("study")}

    def play() -> Any:
        study = start(episodes=1, pycore={"ice_servers": [server], "force_relay": True})
        people = study.players("ann", "bob")
        study.finish(*people)
        return study, people, judged(study, *people)

    study, people, _ = undisturbed(play)
    for who in people:
        assert by_path(study, who) == (FRAMES, 0)
        connection = study.metrics(who)["connection"]
        assert connection["type"] == "relay"
        assert connection["connectionDetails"]["localCandidateType"] == "relay"
        assert connection["connectionDetails"]["remoteCandidateType"] == "relay"
        (told,) = who.sent.named("p2p_connection_type")
        assert told.data["connection_type"] == "relay"
    # A tick's inputs go in a packet of their own.
    assert coturn.relayed() > 2 * FRAMES


THREE = [[0, "human"], [1, "human"], [2, "human"]]


@pytest.mark.long  # in every run: three in the demo page (tests/e2e)
def test_three_play_and_every_pair_of_them_is_peer_to_peer(start: Start) -> None:
    """A scene for three: the server makes one group, each page has a link of its own to each other one, and the three
    files are the same and true."""

    def play() -> Any:
        study = start(policies=THREE, episodes=1)
        people = study.players("ann", "bob", "cat")
        study.finish(*people)
        return study, people, judged(study, *people)

    study, people, _ = undisturbed(play)
    assert len({who.assigned["game_id"] for who in people}) == 1
    everybody = {who.assigned["player_id"] for who in people}
    assert everybody == {0, 1, 2}
    for who in people:
        # Each of the own inputs counts once for each of the two others.
        assert by_path(study, who) == (2 * FRAMES, 0)
        told = {message.data["remote_player_id"]: message.data for message in who.sent.named("p2p_connection_type")}
        assert set(told) == everybody - {who.assigned["player_id"]}
        assert {data["connection_type"] for data in told.values()} == {"direct"}
        assert study.metrics(who)["connection"]["type"] == "direct"


@pytest.mark.long
def test_one_of_three_who_leaves_ends_the_game_for_both_others_as_the_server_has_it(start: Start) -> None:
    """The page's server ends a group's game with whoever leaves: both others keep their data, equal as far as both go,
    and get their codes."""
    study = start(policies=THREE, max_steps=3000, episodes=2, ending=page_rig.ENDING)
    ann, bob, cat = study.players("ann", "bob", "cat")
    ann.wait("window.game.frameNumber > 60", 30, "the first episode runs")
    ann.end()
    ann.wait("window.game.num_episodes === 1 && window.game.frameNumber > 50", 60, "the second episode runs")
    cat.close()
    codes = [completion_code(who) for who in (ann, bob)]
    assert len(set(codes)) == 2
    first = [study.csv(who, 0) for who in (ann, bob, cat)]
    assert all(page_records.differences(first[0], other) == [] for other in first[1:])
    second = [study.csv(who, 1) for who in (ann, bob)]
    shorter, longer = sorted(second, key=lambda table: len(table.rows))
    assert 30 <= len(shorter.rows) <= len(longer.rows) < 3000
    _, rows = study.truth([first[0], longer], ann.assigned["game_seed"])
    assert page_records.untrue(longer, rows) == []
    actions = [column for column in shorter.columns if column.startswith("actions.")]
    assert len(actions) == 3
    assert all(shorter.column(name) == longer.column(name)[: len(shorter.rows)] for name in actions)
    for who, table in zip((ann, bob), second, strict=True):
        status = study.status(who, "partner_disconnected")
        assert (status["isPartial"], status["completedEpisodes"]) == (True, 1)
        assert status["terminationFrame"] == len(table.rows)
        assert status["disconnectedPlayerId"] == cat.assigned["player_id"]
        assert who.failures == []


@pytest.mark.long  # in every run: closed between two engines, silent in the demo page (tests/e2e)
def test_a_closed_channel_and_a_silent_cut_lose_no_input(start: Start) -> None:
    """The inputs go on by the server, the channel is made anew, P2P takes over again, and all of it is in the books."""
    study = start(max_steps=6000, episodes=1, ending=page_rig.ENDING)
    ann, bob = study.players("ann", "bob")

    def goes_on(frames: int, what: str) -> None:
        ann.wait(f"window.game.frameNumber > {ann.game('frameNumber') + frames}", 40, f"the game goes on {what}")

    for who in (ann, bob):
        who.network(latency=2)

    def closed() -> None:
        ann.game("core.inspectLink(0).channel.close()")
        goes_on(30, "after the channel was closed")
        assert inputs_by_server(ann)
        assert inputs_by_server(bob)

    def deaf_for_a_while() -> None:
        for who in (ann, bob):
            who.cut()
        goes_on(60, "although no datagram arrives")
        for who in (ann, bob):
            who.network(latency=2)

    goes_on(40, "")
    outlives(closed, ann, bob)
    goes_on(20, "over the new channel")
    outlives(deaf_for_a_while, ann, bob)
    goes_on(20, "over the third channel")
    ann.end()
    study.finish(ann, bob, seconds=90)
    tables = judged(study, ann, bob)
    frames = len(tables[0][0].rows)
    shut, silent = ("closed", "failed"), ("silence", "unheard", "deaf")
    assert any(change["cause"] in shut for who in (ann, bob) for change in changes(who))
    for who in (ann, bob):
        books_agree(who)
        causes = [change["cause"] for change in changes(who)]
        # A page that is slow to be told of the close hears from its partner first that nothing is heard any more.
        assert in_order([(*shut, *silent), ("recovered",), silent, ("recovered",)], causes), causes
        p2p, socketio = by_path(study, who)
        # Until she hears of the end, the other player's page goes on by as much as it may guess.
        assert 0 <= p2p + socketio - frames <= (0 if who is ann else 12)
        assert p2p > 60
        assert socketio > 40
        assert study.metrics(who)["connection"]["fallback"]["triggered"] is True


@pytest.mark.long  # in every run: a hidden tab of a Firefox; and the end of an episode without a browser
def test_a_tab_hidden_across_the_end_of_an_episode_stops_nobody(start: Start) -> None:
    """Six seconds in the background: the others play on, the hidden player stands still, the files say who looked."""
    study = start(max_steps=120, episodes=2)
    ann, bob = study.players("ann", "bob")
    bob.wait("window.game.num_episodes === 0 && window.game.frameNumber > 60", 30, "the first episode is half over")
    began = time.monotonic()
    bob.hide()
    ann.sleep(6)
    # On a machine that is slow the first episode takes longer.
    ann.wait("window.game.num_episodes === 1 && window.game.frameNumber > 10", 60, "the second episode runs")
    bob.hide(False)
    away = time.monotonic() - began
    study.finish(ann, bob, seconds=90)
    tables = judged(study, ann, bob)
    me = bob.assigned["player_id"]
    looked, seen = ([value for table in own for value in table.column(f"isFocused.{me}")] for own in reversed(tables))
    for values in (looked, seen):
        assert 30 <= values.count(False) <= 30 * away + 30
    assert tables[1][0].column(f"isFocused.{me}")[-1] is False
    assert tables[1][1].column(f"isFocused.{me}")[0] is False
    assert abs(seen.count(False) - looked.count(False)) <= 45
    focus = study.metrics(bob)["focusLoss"]
    assert focus["periodCount"] == 1
    assert 5900 <= focus["totalBackgroundMs"] <= 1000 * away + 1500


def test_whoever_stays_behind_keeps_the_data_and_gets_a_code(start: Start) -> None:
    """One player closes the tab: the other's episodes are stored up to the last shared frame, and nothing hangs.

    The code is all that is left of the participation: it outlives a loss of the server, which begins the scene anew.
    """
    study = start(max_steps=3000, ending=page_rig.ENDING)
    ann, bob = study.players("ann", "bob")
    ann.wait("window.game.frameNumber > 60", 30, "the first episode runs")
    ann.end()
    ann.wait("window.game.num_episodes === 1 && window.game.frameNumber > 50", 60, "the second episode runs")
    bob.close()
    code = completion_code(ann)
    first, second = study.csv(ann, 0), study.csv(ann, 1)
    assert page_records.differences(first, study.csv(bob, 0)) == []
    assert 60 <= len(first.rows) < 3000
    assert 30 <= len(second.rows) < 3000
    for table, rows in zip((first, second), study.truth([first, second], ann.assigned["game_seed"]), strict=True):
        assert page_records.untrue(table, rows) == []
    assert study.status(ann, "partner_disconnected") == {
        "isPartial": True,
        "terminationReason": "partner_disconnected",
        "terminationFrame": len(second.rows),
        "completedEpisodes": 1,
        "disconnectedPlayerId": bob.assigned["player_id"],
    }
    study.settled(study.server.data / "rig" / "completion_codes" / "ann.json", good=lambda text: code in text)
    assert ann.game("isDone()") is False
    assert ann.failures == []
    scenes = len(ann.received.named("activate_scene"))
    ann.page.evaluate("window.socket.io.engine.close()")
    study.until(lambda: len(ann.received.named("activate_scene")) > scenes, 30, lambda: "the scene begins anew")
    ann.sleep(1)
    assert completion_code(ann) == code


@pytest.mark.long
def test_bots_of_the_page_and_of_the_core_play_beside_two_people(start: Start) -> None:
    """A real ONNX file in the page's own runtime, whose answers come late, and a random bot of the core: in both files
    they did the same.

    The model walks left while the first player is in the right half, otherwise right, so what it saw can be told from
    the files. The server of 0.1.3 passes no inputs on in such a game: when the channel is closed, they go as signals.
    """
    steepness = 50.0
    middle = arena.WIDTH / 2 - 0.5
    weights = [[0.0] * 5 for _ in range(9)]  # x and y of four agents, and the time
    weights[0] = [0.0, steepness, -steepness, 0.0, 0.0]
    model = onnx_model.linear(weights, [-1e4, -steepness * middle, steepness * middle, -1e4, -1e4])

    def bring(context: Any) -> None:
        context.route("**/walker.onnx", lambda route: route.fulfill(body=model))

    study = start(
        policies=[[0, "human"], [1, "human"], ["walker", "walker.onnx"], ["drone", "random"]],
        episodes=2, max_steps=150, frame_skip=2, population="previous_submitted_action",
    )  # fmt: skip
    ann, bob = study.join("ann", "bob", prepare=bring)
    for who in (ann, bob):
        who.network(20, 0.05)
        who.playing()
    first, second = sorted((ann, bob), key=lambda who: who.assigned["player_id"])
    # Wherever somebody goes by chance, it may be one half all the time.
    left, right = arena.WIDTH // 4, 3 * arena.WIDTH // 4
    first.walk([(0, 0, left), (0, 60, right), (1, 0, right), (1, 75, left)])
    second.play(801)
    ann.wait("window.game.num_episodes === 1 && window.game.frameNumber > 100", 60, "the second episode runs")
    ann.game("core.inspectLink(0).channel.close()")
    study.finish(ann, bob)
    tables = judged(study, ann, bob)
    walked = []
    for table in tables[0]:
        in_right = [x > middle for x in table.column("infos.0.x")]
        # Long enough on one side for any answer that was under way.
        settled = [frame for frame in range(30, 150) if len(set(in_right[frame - 25 : frame])) == 1]
        walked += [(table.rows[frame]["actions.walker"], 1 if in_right[frame - 1] else 2) for frame in settled]
    assert {meant for _, meant in walked} == {1, 2}
    assert {action for action, _ in walked} >= {1, 2}
    # A page that was late had the core step without it, and it without the model.
    assert sum(did == meant for did, meant in walked) >= 0.75 * len(walked)
    drone = [table.column("actions.drone") for table in tables[0]]
    assert set(drone[0]) == set(study.game["actions"].values())
    assert all(action == drone[0][frame - frame % 2] for frame, action in enumerate(drone[0]))
    assert drone[0] != drone[1]
    for who in (ann, bob):
        assert books_agree(who)["inputs"]["sentViaSocketIO"] > 0
        assert who.sent.named("pyodide_player_action") == []


@pytest.mark.long
def test_one_person_plays_with_a_bot_and_the_core_may_come_as_a_package(
    start: Start, pycore_package: Path, tmp_path: Path
) -> None:
    """A session of one: nothing to connect, nothing to guess, the same files. The wheel is one of the study's packages:
    the page loads no second one, and refuses another version by name before anybody is matched."""
    folder = pycore_package / "server" / "static" / "js" / "pycore"
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    address = f"https://wheels.test/{manifest['wheel']}"
    study = start(
        policies=[["me", "human"], ["other", "random"]], multiplayer={"multiplayer": True}, episodes=2,
        packages=[address],
    )  # fmt: skip
    asked: list[str] = []

    def watched(context: Any) -> None:
        context.on("request", lambda request: asked.append(request.url))
        serve(address, folder / manifest["wheel"])(context)

    (ann,) = study.players("ann", prepare=watched)
    study.finish(ann)
    tables = judged(study, ann)
    assert not any(tables[0][0].column("wasSpeculative.me"))
    assert ann.sent.named("webrtc_signal") == []
    assert ann.sent.named("pyodide_player_action") == []
    assert [url for url in asked if url.endswith(manifest["wheel"])] == [address]
    assert "/site-packages/" in ann.page.evaluate("window.game.pyodide.runPython('import pycore; pycore.__file__')")

    old = other_version(folder / manifest["wheel"], tmp_path, "0.0.1")
    cat = study.participant("cat", prepare=serve(address, old))
    cat.ready()
    cat.proceed()
    text = overlay(cat, "ended")
    assert "0.0.1" in text
    assert manifest["version"] in text
    told = {message.name for message in cat.sent.messages}
    assert not told & {"leave_game", "participant_terminal_state", "p2p_reconnection_timeout"}


@pytest.mark.long
def test_the_volley_study_is_played_by_two(start: Start, tmp_path: Path) -> None:
    """The example's own scene, shortened: two keys at once, a frame of delay, and an environment of another kind."""
    from examples import volley_study

    code = tmp_path / "volley.py"
    code.write_text(volley_study.environment_code(), encoding="utf-8")
    study = start(
        made_by="examples.volley_study:match", scene="match", environment=str(code), binding="",
        multiplayer={"input_delay": 1}, episodes=1, max_steps=200,
    )  # fmt: skip
    ann, bob = study.players("ann", "bob", seed=None)

    def stepped(action: int) -> str:
        """Whether so many frames passed with an action; what stands for want of the other's inputs asks again."""
        asked = f"window.rig.log.filter((entry) => entry.action === {action} && entry.stepped)"
        return f"new Set({asked}.map((entry) => entry.frame)).size > 25"

    # Held until it shows: in how many ticks a key arrives is a matter of the machine.
    with ann.holding("ArrowLeft"), ann.holding("ArrowUp"), bob.holding("ArrowRight"):
        ann.wait(stepped(4), 30, "ann jumps to the left")
        bob.wait(stepped(2), 30, "bob runs")
    study.finish(ann, bob)
    (table,), _ = judged(study, ann, bob)
    assert ROOT.joinpath("examples", "volley.py").read_text("utf-8") in code.read_text("utf-8")
    assert table.column(f"actions.{ann.assigned['player_id']}").count(4) > 20
    assert table.column(f"actions.{bob.assigned['player_id']}").count(2) > 20
