"""Games of two in the real page with our module: what the server stored of both, against each other and the truth.

Every game is judged alike (`judged`): both players' files of every episode are equal in all but the personal columns,
they are what the environment does in CPython with these actions, the actions are what the pages were given at the
moment when they were asked, and the metrics of both agree.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import page_records
import page_rig
import pytest

pytestmark = pytest.mark.page

Start = Callable[..., page_rig.Study]
EPISODES = 3
FRAMES = 90


@pytest.fixture
def start(start_study: Callable[..., page_rig.Study], pycore_package: Path) -> Start:
    """start(**settings) starts a study on the page with our module."""

    def start(**settings: Any) -> page_rig.Study:
        return start_study(package=pycore_package, **{"episodes": EPISODES, "max_steps": FRAMES, **settings})

    return start


def judged(study: page_rig.Study, *people: page_rig.Participant, episodes: int = EPISODES) -> list[list[Any]]:
    """Everything that must hold of a game that was played to its end, whatever the network did; returns the tables."""
    ann, *others = people
    delay = study.game["multiplayer"].get("input_delay", 0)
    tables = [[study.csv(who, number) for number in range(episodes)] for who in people]
    for number, table in enumerate(tables[0]):
        assert table.rows
        assert set(table.column("episode_num")) == {number}
        for other in tables[1:]:
            assert page_records.differences(table, other[number]) == []
    for number, rows in enumerate(study.truth(tables[0], ann.assigned["game_seed"])):
        assert page_records.untrue(tables[0][number], rows) == []
    for who, own in zip(people, tables, strict=True):
        me = str(who.assigned["player_id"])
        assert altered(who.log, own, me, delay) == []
        for table in own:
            assert table.padding == []
            assert guesses_are_marked(table, me) == []
        assert who.failures == []
    metrics = [study.metrics(who) for who in people]
    for own in metrics:
        assert own["validation"]["totalDesyncs"] == 0
        assert own["validation"]["totalActions"] == len(people) * sum(len(table.rows) for table in tables[0])
        assert own["sessionStatus"]["isPartial"] is False
        assert own["sessionStatus"]["completedEpisodes"] == episodes
    if others:
        one, two = metrics
        assert one["validation"]["allHashes"] == two["validation"]["allHashes"]
        for left, right in ((one, two), (two, one)):
            sent, received = left["inputDelivery"], right["inputDelivery"]
            assert sent["sentViaP2P"] + sent["sentViaSocketIO"] == (
                received["receivedViaP2P"] + received["receivedViaSocketIO"]
            )
    return tables


def altered(log: list[dict[str, Any]], tables: list[Any], me: str, delay: int) -> list[str]:
    """Where a player's actions in the files are not what the page was given when it was first asked for the frame."""
    found = []
    asked: set[tuple[int, int]] = set()
    for entry in log:
        key = entry["episode"], entry["frame"]
        if key in asked or entry["episode"] >= len(tables):
            continue
        asked.add(key)
        rows = tables[entry["episode"]].rows
        frame = entry["frame"] + delay
        if frame >= len(rows) or entry["frame"] >= len(rows):
            continue
        looked = rows[entry["frame"]][f"isFocused.{me}"]
        meant = entry["action"] or 0 if looked else 0
        did = rows[frame][f"actions.{me}"]
        if did != meant:
            found.append(f"episode {entry['episode']}, frame {frame}: {meant!r} became {did!r}")
    return found


def guesses_are_marked(table: Any, me: str) -> list[str]:
    """An own action is never a guess, and what was rolled back had been one."""
    found = [f"frame {row['t']}: the own action was a guess" for row in table.rows if row[f"wasSpeculative.{me}"]]
    events = [(event["frame"], event["playerId"]) for event in table.rollbacks()]
    found += [
        f"frame {frame} was mispredicted and is not marked as a guess"
        for frame, player in events
        if not table.rows[frame][f"wasSpeculative.{player}"]
    ]
    return found


def inputs_by_server(who: page_rig.Participant) -> int:
    """Inputs that a page sent to the server, in whatever wrapping."""
    signals = [message.data["type"] for message in who.sent.named("webrtc_signal")]
    return len(who.sent.named("pyodide_player_action")) + signals.count("pycore-action")


def by_path(study: page_rig.Study, who: page_rig.Participant) -> tuple[int, int]:
    delivery = study.metrics(who)["inputDelivery"]
    return delivery["sentViaP2P"], delivery["sentViaSocketIO"]


def test_three_episodes_over_p2p_are_equal_true_and_cross_no_server(start: Start) -> None:
    """The plain case: no input is seen on the server's socket, every input went and came peer-to-peer."""
    study = start()
    ann, bob = study.players("ann", "bob")
    study.finish(ann, bob)
    tables = judged(study, ann, bob)
    assert [len(table.rows) for table in tables[0]] == [FRAMES] * EPISODES
    assert all(page_records.active(table) for table in tables[0])
    for who in (ann, bob):
        assert inputs_by_server(who) == 0
        assert by_path(study, who) == (FRAMES * EPISODES, 0)
        # Receipts go by the server only until the channel is open.
        assert len([m for m in who.sent.named("webrtc_signal") if m.data["type"] == "pycore"]) < 20
        assert who.sent.named("p2p_session_metrics") == []
        assert len(who.sent.named("p2p_validation_success")) == 1
    assert study.metrics(ann)["connection"]["type"] == "direct"
    # Nothing but the episodes is stored: the page's rows without actions are not.
    names = {path.name for path in study.path(ann, "").parent.glob("*.csv")}
    assert names == {f"{who}_ep{number}.csv" for who in ("ann", "bob") for number in range(EPISODES)}


@pytest.mark.parametrize(
    ("latency", "loss", "settings"),
    [
        pytest.param(
            60,
            0.05,
            {"policies": [["agent_left", "human"], ["agent_right", "human"]], "multiplayer": {"input_delay": 3}},
            id="60 ms and 5% loss, ids of text, delay 3",
        ),
        pytest.param(50, 0.0, {"options": {"goal": 12}}, id="200 ms round trip, an end that depends on the play"),
        pytest.param(15, 0.15, {"population": "previous_submitted_action", "carry_over": True}, id="15% loss"),
    ],
)
def test_a_bad_network_changes_nothing_in_the_data(
    start: Start, latency: float, loss: float, settings: dict[str, Any]
) -> None:
    """Latency is added four times per round trip; loss hits every datagram twice. Rollbacks must really happen."""
    study = start(**settings)
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


def test_a_closed_channel_and_a_silent_cut_lose_no_input(start: Start) -> None:
    """The inputs go on by the server, the channel is made anew, P2P takes over again, and all of it is in the books."""
    study = start(max_steps=400, episodes=1)
    ann, bob = study.players("ann", "bob")
    for who in (ann, bob):
        who.network(latency=2)
    ann.wait("window.game.frameNumber > 40", 30, "the game goes on")
    ann.game("core.inspectLink(0).channel.close()")
    ann.wait("window.game.frameNumber > 100", 30, "the game goes on after the channel was closed")
    assert inputs_by_server(ann) + inputs_by_server(bob) > 0
    ann.wait("window.game.p2pHealthy && window.game.frameNumber > 180", 30, "P2P took over again")
    for who in (ann, bob):
        who.cut()
    ann.wait("window.game.frameNumber > 260", 30, "the game goes on although no datagram arrives")
    for who in (ann, bob):
        who.network(latency=2)
    study.finish(ann, bob, seconds=90)
    judged(study, ann, bob, episodes=1)
    for who in (ann, bob):
        p2p, socketio = by_path(study, who)
        assert p2p + socketio == 400
        assert p2p > 60
        assert socketio > 20
        assert study.metrics(who)["connection"]["fallback"]["triggered"] is True


def test_a_tab_hidden_across_the_end_of_an_episode_stops_nobody(start: Start) -> None:
    """Six seconds in the background: the others play on, the hidden player stands still, the files say who looked."""
    study = start(max_steps=120)
    ann, bob = study.players("ann", "bob")
    bob.wait("window.game.num_episodes === 0 && window.game.frameNumber > 60", 30, "the first episode is half over")
    bob.hide()
    ann.sleep(6)
    bob.hide(False)
    study.finish(ann, bob, seconds=90)
    tables = judged(study, ann, bob)
    me = bob.assigned["player_id"]
    looked = [value for table in tables[1] for value in table.column(f"isFocused.{me}")]
    assert 60 <= looked.count(False) <= 200
    seen = [value for table in tables[0] for value in table.column(f"isFocused.{me}")]
    assert abs(seen.count(False) - looked.count(False)) <= 20
    focus = study.metrics(bob)["focusLoss"]
    assert focus["periodCount"] == 1
    assert 5500 <= focus["totalBackgroundMs"] <= 8000


def test_whoever_stays_behind_keeps_the_data_and_gets_a_code(start: Start) -> None:
    """One player closes the tab: the other's episodes are stored up to the last shared frame, and nothing hangs."""
    study = start(max_steps=150)
    ann, bob = study.players("ann", "bob")
    ann.wait("window.game.num_episodes === 1 && window.game.frameNumber > 50", 60, "the second episode runs")
    bob.close()
    ann.wait("document.querySelector('#pycoreCompletionCode') !== null", 15, "ann is told")
    first, second = study.csv(ann, 0), study.csv(ann, 1)
    assert len(first.rows) == 150
    assert 30 <= len(second.rows) < 150
    for table, rows in zip((first, second), study.truth([first, second], ann.assigned["game_seed"]), strict=True):
        assert page_records.untrue(table, rows) == []
    status = study.metrics(ann)["sessionStatus"]
    assert status == {
        "isPartial": True,
        "terminationReason": "partner_disconnected",
        "terminationFrame": len(second.rows),
        "completedEpisodes": 1,
        "disconnectedPlayerId": bob.assigned["player_id"],
    }
    code = ann.page.inner_text("#pycoreCompletionCode")
    stored = study.server.data / "rig" / "completion_codes" / "ann.json"
    assert code in stored.read_text("utf-8")
    assert ann.game("isDone()") is False
    assert ann.failures == []


def test_bots_play_beside_two_people(start: Start) -> None:
    """A random bot of the core and a bot that the page asks for: both files have the same actions of theirs."""
    policies = [[0, "human"], [1, "human"], ["drone", "random"], ["idler", "idle"]]
    study = start(policies=policies, episodes=2, frame_skip=3)
    ann, bob = study.join("ann", "bob")
    for number, who in enumerate((ann, bob)):
        who.network(20, 0.05)
        who.play(700 + number)
    study.finish(ann, bob)
    tables = judged(study, ann, bob, episodes=2)
    drone = tables[0][0].column("actions.drone")
    assert set(drone) == {0, *study.game["actions"].values()}
    assert {action for frame, action in enumerate(drone) if frame % 3} == {0}
    assert set(tables[0][0].column("actions.idler")) == {0}
    assert drone != tables[0][1].column("actions.drone")


def test_one_person_plays_with_a_bot(start: Start) -> None:
    """A session of one: nothing to connect, nothing to guess, the same files."""
    study = start(policies=[["me", "human"], ["other", "random"]], multiplayer={"multiplayer": True}, episodes=2)
    (ann,) = study.players("ann")
    study.finish(ann)
    tables = judged(study, ann, episodes=2)
    assert not any(tables[0][0].column("wasSpeculative.me"))
    assert ann.sent.named("webrtc_signal") == []
    assert ann.sent.named("pyodide_player_action") == []
