"""The page's metrics file: its field names, and figures that are true."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from page_support import FPS, START, WALL_MS, Side, Table, metadata, truth, with_own

from pycore.events import Desync
from pycore.interactive_gym import report
from pycore.interactive_gym.report import Focus

BAD = {"loss": 0.15, "delay": 0.06, "jitter": 0.03}

# The names of the page's own file.
FIELDS: dict[str, Any] = {
    "gameId": None, "playerId": None, "peerPlayerId": None, "exportTimestamp": None, "sessionStartTime": None,
    "sessionDurationMs": None,
    "connection": {
        "type": None, "connectionDetails": None, "p2pConnected": None,
        "health": {"rtt", "latency", "packetsReceived", "gapCount", "status"}, "fallback": {"triggered", "frame"},
    },
    "inputDelivery": {"sentViaP2P", "sentViaSocketIO", "receivedViaP2P", "receivedViaSocketIO", "p2pReceiveRatio"},
    "validation": {
        "episodes", "totalEpisodes", "totalHashes", "totalActions", "totalDesyncs", "totalRollbacks", "allHashes",
        "allActions", "allDesyncEvents", "allRollbacks",
    },
    "sessionStatus": {
        "isPartial", "terminationReason", "terminationFrame", "completedEpisodes", "disconnectedPlayerId",
    },
    "latency": {"sampleCount", "minMs", "maxMs", "meanMs", "medianMs", "samples"},
    "focusLoss": {"backgroundPeriods", "totalBackgroundMs", "periodCount", "timeoutMs", "wasTimeoutTriggered"},
    "reconnection": {"disconnections", "attempts", "totalPauseDurationMs"},
}  # fmt: skip
ENTRIES = {
    "episodes": {
        "episodeNum", "totalFrames", "confirmedFrame", "verifiedFrame", "hashCount", "desyncCount", "rollbackCount",
        "maxRollbackFrames", "timestamp",
    },
    "allHashes": {"episode", "frame", "hash"},
    "allActions": {"episode", "frame", "playerId", "action", "isFocused"},
    "allRollbacks": {"episode", "count", "maxFrames"},
}  # fmt: skip


def metrics(side: Side) -> dict[str, Any]:
    """The file as it is now."""
    found: dict[str, Any] = side.call("multiplayer_metrics")
    return found


@pytest.fixture(scope="module")
def played() -> Table:
    """A whole game on a bad network, with a look away in its second episode."""
    table = Table(metadata(max_steps=FPS * 4, num_episodes=3, focus_loss_timeout_ms=9000), **BAD).playing(30, episode=1)
    table[1].hidden = True
    table.ticks(40)
    table[1].hidden = False
    table.playing(60, episode=2)
    for side in table.sides:
        side.rtc(1 - side.seat, "type", {"connection_type": "direct", "details": {"protocol": "udp"}})
    return table.play()


def test_the_file_has_the_pages_names_and_no_others(played: Table) -> None:
    """Whoever reads the page's files reads these."""
    file = metrics(played[0])
    for name, inner in FIELDS.items():
        if isinstance(inner, set):
            assert set(file[name]) == inner, name
        elif inner is not None:
            assert set(file[name]) == set(inner)
            for part in inner:
                if inner[part] is not None:
                    assert set(file[name][part]) == inner[part]
    assert set(file) == set(FIELDS)
    for name, entry in ENTRIES.items():
        assert file["validation"][name], name
        assert {frozenset(each) for each in file["validation"][name]} == {frozenset(entry)}


def test_what_one_sent_the_other_received(played: Table) -> None:
    """Inputs, not packets, of the session: as many as frames, and each counted once."""
    one, two = (metrics(side)["inputDelivery"] for side in played.sides)
    for here, there in ((one, two), (two, one)):
        sent = here["sentViaP2P"] + here["sentViaSocketIO"]
        assert sent == there["receivedViaP2P"] + there["receivedViaSocketIO"] == 3 * FPS * 4
        assert there["p2pReceiveRatio"] == there["receivedViaP2P"] / sent * 100


def test_hashes_and_actions_of_both_files_are_equal_and_complete(played: Table) -> None:
    """What the page's server joins by episode, frame and player: no frame is left out, and all are true."""
    one, two = (metrics(side)["validation"] for side in played.sides)
    assert one["allHashes"] == two["allHashes"]
    hashed = [(each["episode"], each["frame"]) for each in one["allHashes"]]
    assert hashed == [(episode, frame) for episode in range(3) for frame in (FPS, FPS * 2, FPS * 3, FPS * 4)]
    key = ("episode", "frame", "playerId", "action")
    assert [[each[k] for k in key] for each in one["allActions"]] == [
        [each[k] for k in key] for each in two["allActions"]
    ]
    assert one["totalActions"] == len(one["allActions"]) == 2 * 3 * FPS * 4
    for episode in range(3):
        true = truth(played, episode, FPS * 4)
        for each in one["allActions"]:
            if each["episode"] == episode:
                assert each["action"] == true[f"actions.{each['playerId']}"][each["frame"]]
                focus = played[0].episodes[episode]["isFocused"][each["playerId"]][each["frame"]]
                assert each["isFocused"] is focus


def test_the_file_has_no_more_entries_than_a_message_holds_and_both_leave_out_the_same(
    played: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Actions may be of any size; the totals still count all."""
    monkeypatch.setattr(report, "LISTED_ACTIONS_BYTES", 40_000)
    monkeypatch.setattr(report, "LISTED_HASHES", 5)
    one, two = (metrics(side)["validation"] for side in played.sides)
    assert one["allHashes"] == two["allHashes"]
    assert (len(one["allHashes"]), one["totalHashes"]) == (5, 12)
    assert len(one["allActions"]) == len(two["allActions"])
    size = len(json.dumps(one["allActions"], separators=(",", ":")))
    assert 30_000 < size <= 40_000
    assert one["totalActions"] == 2 * 3 * FPS * 4 > len(one["allActions"])


def test_the_last_hash_is_of_the_state_that_the_environment_alone_ends_with(played: Table) -> None:
    """Not only alike on both: right, with the rows since the hash before it."""
    side = played[0]
    with side.own_generators():
        final = side.session.simulation.canonical(side.session.simulation.save())
    rows = hashlib.blake2b(digest_size=8)
    lines = list(side.bridge.bridge.trajectory.lines(2))[:-1]
    for line in lines[3 * FPS :]:
        for action in json.loads(line)["actions"]:
            rows.update(side.session.codec.encode(action))
        rows.update(line[line.index(',"infos"') : -1].encode())
    digest = hashlib.blake2b(final + rows.digest(), digest_size=8).hexdigest()
    assert metrics(side)["validation"]["allHashes"][-1]["hash"] == digest


def test_every_episode_is_verified_to_its_last_frame(played: Table) -> None:
    """Confirmed, compared and equal; rollbacks are those of the data."""
    for side in played.sides:
        found = metrics(side)["validation"]
        assert [each["episodeNum"] for each in found["episodes"]] == [0, 1, 2]
        rollbacks = []
        for each in found["episodes"]:
            data = side.episodes[each["episodeNum"]]
            assert each["totalFrames"] == FPS * 4 == len(data["t"])
            assert each["confirmedFrame"] == each["verifiedFrame"] == FPS * 4 - 1
            assert (each["hashCount"], each["desyncCount"]) == (4, 0)
            assert each["rollbackCount"] == len(data["rollbackEvents"])
            depths = [event["rollbackFrames"] for event in data["rollbackEvents"]]
            assert each["maxRollbackFrames"] == max(depths, default=0)
            assert each["timestamp"] >= data["timestamp"][-1]
            if depths:
                rollbacks.append({"episode": each["episodeNum"], "count": len(depths), "maxFrames": max(depths)})
        assert found["allRollbacks"] == rollbacks
        assert found["totalRollbacks"] == sum(each["count"] for each in rollbacks) > 5
        assert found["totalDesyncs"] == 0


def test_in_the_middle_of_an_episode_verified_is_what_was_compared() -> None:
    """A hash of state N says nothing of frame N, only of what came before."""
    table = Table(metadata(max_steps=FPS * 10, num_episodes=1), delay=0.03).playing(FPS * 2 + 12)
    episode = metrics(table[0])["validation"]["episodes"][0]
    assert episode["verifiedFrame"] == FPS * 2 - 1
    assert FPS * 2 + 4 <= episode["confirmedFrame"] < FPS * 2 + 12
    early = Table(metadata(max_steps=FPS * 10, num_episodes=1)).playing(10)
    assert metrics(early[0])["validation"]["episodes"][0]["verifiedFrame"] == -1


@pytest.mark.slow
def test_a_desync_is_reported_by_both_with_its_frame_and_never_verified() -> None:
    """The environments go apart in the middle of a game: which state differed first, and what was fine till then."""
    table = Table(metadata(max_steps=FPS * 4, num_episodes=2))
    env = table[1].env
    step = env.step

    def stepping(actions: Any) -> Any:
        if env.t == FPS + 20:
            env.xs[0] = (env.xs[0] + 1) % 24
        return step(actions)

    env.step = stepping
    table.play()
    for side in table.sides:
        found = metrics(side)["validation"]
        assert found["totalDesyncs"] == len(found["allDesyncEvents"]) >= 1
        first = found["allDesyncEvents"][0]
        assert (first["episode"], first["frame"], first["verifiedFrameAtDesync"]) == (0, FPS * 2, FPS - 1)
        assert first["ourHash"] != first["peerHash"]
        episode = found["episodes"][0]
        assert episode["verifiedFrame"] == FPS - 1
        assert episode["desyncCount"] >= 1
        assert set(first) == {
            "episode", "frame", "ourHash", "peerHash", "timestamp", "verifiedFrameAtDesync", "hasStateDump",
            "differences", "lacks",
        }  # fmt: skip
    one, two = (metrics(side)["validation"]["allDesyncEvents"][0] for side in table.sides)
    assert (one["ourHash"], one["peerHash"]) == (two["peerHash"], two["ourHash"])
    assert (one["lacks"], two["lacks"]) == ("", "")
    assert [path for path, *_ in one["differences"]] == [f"rows[{FPS + 20}].infos['0'].x", "state.env.xs[0]"]
    assert all(int(theirs) == int(own) + 1 for _, own, theirs in one["differences"])
    assert [[path, own, theirs] for path, theirs, own in two["differences"]] == one["differences"]
    assert all(side.table.chunks for side in table.sides)
    assert any(isinstance(event, Desync) or event["news"] == "desync" for event in table[0].news)


def test_connection_latency_and_focus_are_what_they_were(played: Table) -> None:
    """Direct, two times 60 to 90 ms and a tick, and the second and a quarter that one page was hidden."""
    file = metrics(played[1])
    connection = file["connection"]
    assert connection["type"] == "direct"
    assert connection["connectionDetails"]["protocol"] == "udp"
    assert connection["p2pConnected"] is True
    assert connection["fallback"] == {"triggered": False, "frame": None}
    assert connection["health"]["packetsReceived"] > 300
    assert connection["health"]["gapCount"] > 20
    assert connection["health"]["latency"] == connection["health"]["rtt"] / 2
    latency = file["latency"]
    assert 120 <= latency["minMs"] <= latency["medianMs"] <= latency["maxMs"] <= 260
    assert latency["sampleCount"] == len(latency["samples"])
    assert 12 <= latency["sampleCount"] <= 16
    away = file["focusLoss"]
    assert (away["periodCount"], away["timeoutMs"], away["wasTimeoutTriggered"]) == (1, 9000, False)
    assert away["totalBackgroundMs"] == pytest.approx(40 / FPS * 1000, abs=150)
    period = away["backgroundPeriods"][0]
    assert period["end"] - period["start"] == period["durationMs"]
    assert metrics(played[0])["focusLoss"]["periodCount"] == 0


def test_who_and_when_are_right_with_ids_of_any_kind(played: Table) -> None:
    """`peerPlayerId` is the other one, also with numbers; times are the page's wall clock."""
    one, two = (metrics(side) for side in played.sides)
    assert (one["gameId"], one["playerId"], one["peerPlayerId"]) == ("game-1", 0, 1)
    assert (two["playerId"], two["peerPlayerId"]) == (1, 0)
    assert one["sessionStartTime"] == WALL_MS
    assert one["exportTimestamp"] == pytest.approx(WALL_MS + (played.now - START) * 1000, abs=1)
    assert one["sessionDurationMs"] == one["exportTimestamp"] - one["sessionStartTime"]
    assert one["sessionStatus"] == {
        "isPartial": False, "terminationReason": "normal", "terminationFrame": FPS * 4, "completedEpisodes": 3,
        "disconnectedPlayerId": None,
    }  # fmt: skip


def test_a_file_asked_for_before_anything_was_played_is_empty_and_whole() -> None:
    """The page asks whenever it likes."""
    table = Table()
    file = metrics(table[0])
    assert set(file) == set(FIELDS)
    assert file["validation"]["episodes"] == file["validation"]["allActions"] == []
    assert file["latency"] is file["connection"]["health"] is None
    assert file["inputDelivery"]["p2pReceiveRatio"] is None
    assert table[0].call("hud_text") == "Round: 1/2 | Score: 00 | Time left: 001.9s"


@pytest.mark.slow
def test_rewards_that_are_no_numbers_of_json_spoil_nothing() -> None:
    """Not a number and infinities in rewards and infos: every text that crosses to the page is one that it can read."""
    table = Table(metadata(num_episodes=1), **BAD)
    for side in table.sides:
        step = side.env.step

        def stepping(actions: Any, step: Any = step, env: Any = side.env) -> Any:
            seen, rewards, *ends, infos = step(actions)
            if env.t % 5 == 0:
                rewards = {agent: float("nan") if env.t % 2 else float("inf") for agent in rewards}
                infos = {agent: {"odd": float("-inf"), "what": object} for agent in infos}
            return seen, rewards, *ends, infos

        side.env.step = stepping
    table.play()
    data = table[0].episodes[0]
    assert data["rewards"] == table[1].episodes[0]["rewards"]
    assert data["rewards"]["0"][4::10] == [None] * 6
    assert data["rewards"]["0"][9::10] == ["inf"] * 6
    assert {len(column) for column in data["infos"].values()} == {60}
    assert table[0].shown[-1]["cumulative"]["0"] is None


@pytest.mark.slow
def test_focus_periods_are_closed_when_the_game_is() -> None:
    """A page hidden at the end counts up to the end."""
    focus = Focus(0.0)
    assert not focus.look(True, 10.0, 1000.0)
    assert not focus.look(True, 99.0, 90_000.0)
    assert focus.export()["periodCount"] == 0
    assert not focus.look(False, 12.5, 3500.0)
    assert focus.export() == {
        "backgroundPeriods": [{"start": 1000, "end": 3500, "durationMs": 2500}], "totalBackgroundMs": 2500,
        "periodCount": 1, "timeoutMs": 0, "wasTimeoutTriggered": False,
    }  # fmt: skip
    table = Table(metadata(num_episodes=1)).playing(20)
    table[0].hidden = True
    table.play()
    assert metrics(table[0])["focusLoss"]["totalBackgroundMs"] == pytest.approx(40 / FPS * 1000, abs=350)


def test_a_clock_that_is_set_back_makes_nothing_shorter() -> None:
    """While nobody looks at the page, while a partner is away, and as a whole: times are of the new clock."""
    hour = 3_600_000.0
    table = Table(metadata(num_episodes=1, max_steps=600, reconnection_timeout_ms=60_000)).playing(20)
    side = table[0]
    side.hidden = True
    table.cut = True
    for each in table.sides:
        each.socket = False
    table.ticks(3 * FPS)
    assert side.bridge.course.presence.anybody_away
    side.call("set_wall_ms", table.now, WALL_MS + (table.now - START) * 1000 - hour)
    table.ticks(FPS)
    side.hidden = table.cut = False
    for each in table.sides:
        each.socket = True
    table.play()
    file = metrics(side)
    lasted = (table.now - START) * 1000
    assert file["sessionDurationMs"] == pytest.approx(lasted, abs=1000)
    assert file["exportTimestamp"] - file["sessionStartTime"] == pytest.approx(file["sessionDurationMs"], abs=1)
    (period,) = file["focusLoss"]["backgroundPeriods"]
    assert period["end"] - period["start"] == period["durationMs"] == pytest.approx(4000, abs=300)
    (attempt,) = file["reconnection"]["attempts"]
    assert attempt["duration"] == pytest.approx(2000, abs=1500)
    (told,) = side.told("p2p_reconnection_success")
    assert told["duration_ms"] == attempt["duration"]


def test_s5s_export_stands_beside_it(played: Table) -> None:
    """The same numbers by the names of the requirements."""
    for side in played.sides:
        file, plain = metrics(side), json.loads(side.bridge.view.export_session_metrics())
        assert plain["inputs"]["sentViaP2P"] == file["inputDelivery"]["sentViaP2P"]
        assert plain["rollbacks"]["count"] == file["validation"]["totalRollbacks"]
        assert plain["connection"]["type"] == file["connection"]["type"]
        assert plain["frames"]["total"] == 3 * FPS * 4


def test_an_input_taken_in_by_the_page_tells_its_rollback() -> None:
    """`storeRemoteInput`: accepted once, and the event where it was mispredicted."""
    table = Table(with_own(metadata(num_episodes=1, max_steps=400), window=20)).playing(30)
    table.cut = True
    for side in table.sides:
        side.socket = False
    table.ticks(8)
    side = table[0]
    frame = side.session.timeline.frames.held[1] + 1
    taken = side.call("take_remote_input", "1", "4", frame)
    assert taken["accepted"] is True
    assert {**taken["rollbackEvent"], "timestamp": 0} == {
        "frame": frame, "currentFrame": side.session.frame, "rollbackFrames": side.session.frame - frame,
        "playerId": "1", "predictedAction": 0, "actualAction": 4, "timestamp": 0, "episode": 0,
    }  # fmt: skip
    assert side.call("take_remote_input", "1", "4", frame) == {"accepted": False, "rollbackEvent": None}
    assert side.call("take_remote_input", "1", "0", frame + 1) == {"accepted": True, "rollbackEvent": None}
