"""Whole games of the page, in CPython: two players' data are equal, and equal to the ground truth."""

from __future__ import annotations

import json
from typing import Any

import pytest
from page_support import (
    FPS,
    HOOKED,
    PERIOD,
    START,
    WALL_MS,
    Side,
    Table,
    check_against_truth,
    keys,
    metadata,
    truth,
    with_own,
)

from pycore.interactive_gym import ledger
from pycore.session.phases import PLAYING
from tests.page import arena

BAD = {"loss": 0.15, "delay": 0.06, "jitter": 0.03}


def step_hook_count(side: Side) -> int:
    """How often the environment was stepped, re-simulated frames included."""
    timeline = side.session.timeline
    return int(timeline.total + timeline.resimulated)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["default_action", "previous_submitted_action"])
@pytest.mark.parametrize("players", [(0, 1), ("left", "right"), (2, 10)], ids=["numbers", "names", "seats"])
@pytest.mark.parametrize("delay", [0, 3])
def test_two_players_have_the_same_true_data_on_a_bad_network(players: Any, delay: int, method: str) -> None:
    """15 % loss, 60 to 90 ms: every shared column of every episode is that of the environment alone."""
    scene = metadata(
        policy_mapping={str(player): "human" for player in players}, input_delay=delay, num_episodes=3,
        action_population_method=method, max_steps=70,
    )  # fmt: skip
    table = Table(scene, players, **BAD).play()
    assert table[0].episodes.keys() == {0, 1, 2}
    check_against_truth(table)
    assert table.lost > 50
    events = [side.call("multiplayer_metrics")["validation"]["totalRollbacks"] for side in table.sides]
    assert sum(events) > 10
    assert len({tuple(column) for column in table[0].episodes[2]["actions"].values()}) == 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_twenty_seeds_would_be_twenty_equal_exports(seed: int) -> None:
    """Other losses, other keys, other generators: six here, all with the global one and one of 625 words."""
    scene = metadata(num_episodes=2, max_steps=50)
    table = Table(scene, seed=seed, env={"generator": "mersenne", "goal": 6}, game_seed=seed, **BAD)
    for side in table.sides:
        side.play = lambda tick, seat=side.seat: (keys(seat, tick + seed * 31) + tick // 13) % 5
    check_against_truth(table.play())


@pytest.mark.slow
def test_an_episode_ends_where_the_environment_ends_it_and_for_both_alike() -> None:
    """Goal reached before max_steps: the last row has the ends, later predictions of it leave no row."""
    table = Table(metadata(max_steps=400, num_episodes=4), env={"goal": 6, "coins": 60}, **BAD).play()
    check_against_truth(table)
    lengths = [len(data["t"]) for data in table[0].episodes.values()]
    assert len(lengths) == 4
    assert all(length < 400 for length in lengths)
    for data in table[0].episodes.values():
        for column in data["terminateds"].values():
            assert column[-1] is True
            assert not any(column[:-1])
    assert [side.session.ended[0].reason for side in table.sides] == ["done", "done"]


@pytest.mark.slow
def test_max_steps_ends_an_episode_after_exactly_so_many_rows() -> None:
    """One row is one frame is one step; the time left is then zero."""
    table = Table(metadata(max_steps=37), **BAD).play()
    assert {len(column) for data in table[0].episodes.values() for column in data["rewards"].values()} == {37}
    assert table[0].shown[-1]["step"] == 37
    assert table[0].shown[-1]["hud"].endswith("Time left: 000.0s")


@pytest.mark.slow
def test_a_healthy_game_sends_no_input_through_the_server() -> None:
    """Measured at the server."""
    table = Table(metadata(num_episodes=2, max_steps=120), delay=0.02).play()
    assert table.server.counts["pyodide_player_action"] == 0
    assert table.server.counts["signal pycore-action"] == 0
    for side in table.sides:
        assert side.call("multiplayer_metrics")["inputDelivery"]["sentViaP2P"] == 240


@pytest.mark.slow
def test_a_channel_that_dies_and_comes_back_costs_no_input() -> None:
    """The server leaves out sync_epoch; both ways carry, the books of both agree, and P2P returns."""
    table = Table(metadata(max_steps=400, num_episodes=1), delay=0.03).playing(100)
    table.close()
    table.play()
    check_against_truth(table)
    assert table.server.counts["pyodide_player_action"] > 120
    deliveries = [side.call("multiplayer_metrics")["inputDelivery"] for side in table.sides]
    for one, two in (deliveries, deliveries[::-1]):
        assert one["sentViaP2P"] + one["sentViaSocketIO"] == 400
        assert two["receivedViaP2P"] + two["receivedViaSocketIO"] == 400
        # What was on its way when the channel died came the other way.
        assert 0 <= one["sentViaP2P"] - two["receivedViaP2P"] <= 3
        assert one["sentViaP2P"] > 200
    fallback = table[0].call("multiplayer_metrics")["connection"]["fallback"]
    assert fallback["triggered"] is True
    assert 100 <= fallback["frame"] <= 103


# -- the personal columns ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "delay", "expected"),
    [(BAD, 2, {True, False}), ({"delay": 0.1}, 0, {True}), ({}, 2, {False})],
    ids=["bad", "slow", "perfect"],
)
@pytest.mark.slow
def test_was_speculative_says_exactly_who_was_guessed_when_a_frame_was_stepped_first(
    network: Any, delay: int, expected: set[bool]
) -> None:
    """Compared with what lacked at that moment; the own input is never a guess; both values occur on a bad network."""
    table = Table(metadata(max_steps=120, input_delay=delay), **network).play()
    values = set()
    for side in table.sides:
        for episode, data in side.episodes.items():
            for seat, player in enumerate(table.players):
                column = data["wasSpeculative"][str(player)]
                lacked = [bool(side.guesses[episode][frame] >> seat & 1) for frame in range(120)]
                assert column == lacked
                values.update((seat == side.seat, value) for value in column)
    assert values == {(True, False), *((False, value) for value in expected)}


@pytest.mark.slow
def test_who_hears_nothing_guesses_every_frame() -> None:
    """One page is cut off for a while: exactly the frames stepped then were guesses, up to the window's end."""
    table = Table(metadata(max_steps=120, num_episodes=1, input_delay=2)).playing(50)
    table.cut = True
    for side in table.sides:
        side.socket = False
    table.ticks(30)
    session = table[0].session
    known, stalled = session.timeline.frames.held[1], session.frame
    assert 50 <= known <= 53
    assert stalled - known == session.settings.prediction_window
    table.cut = False
    for side in table.sides:
        side.socket = True
    table.play()
    column = table[0].episodes[0]["wasSpeculative"]["1"]
    assert column[: stalled + 1] == [False] * (known + 1) + [True] * (stalled - known - 1) + [False]
    check_against_truth(table)


@pytest.mark.slow
def test_the_timestamp_is_when_this_page_stepped_the_frame_first() -> None:
    """Not when it was confirmed, nor when it was corrected."""
    table = Table(metadata(max_steps=100), **BAD).play()
    for side in table.sides:
        for episode, data in side.episodes.items():
            expected = [round(WALL_MS + (side.stepped_at[episode][frame] - START) * 1000) for frame in range(100)]
            assert data["timestamp"] == expected
    assert table[0].episodes[0]["timestamp"] != table[1].episodes[0]["timestamp"]


@pytest.mark.slow
def test_is_focused_follows_who_looks_at_the_moment_of_the_step() -> None:
    """The own side at once, the other's within the time that a packet takes; corrections change nothing."""
    table = Table(metadata(max_steps=200, num_episodes=1), delay=0.06).playing(40)
    table[1].hidden = True
    table.ticks(50)
    table[1].hidden = False
    table.ticks(20)
    table[0].hidden = True
    table.play()
    for side in table.sides:
        own = [side.looked[0][frame][side.seat] for frame in range(200)]
        assert side.episodes[0]["isFocused"][str(side.me)] == own
        other = 1 - side.seat
        theirs = side.episodes[0]["isFocused"][str(other)]
        looked = [table.sides[other].looked[0][frame][other] for frame in range(200)]
        changes = [[frame for frame in range(1, 200) if c[frame] != c[frame - 1]] for c in (theirs, looked)]
        assert len(changes[0]) == len(changes[1]) > 0
        assert all(-1 <= seen - true <= 6 for seen, true in zip(*changes, strict=True))
    assert json.loads(table[0].bridge.view.focus_state()) == {"0": False, "1": True}
    check_against_truth(table)


@pytest.mark.slow
def test_hidden_pages_press_nothing_whatever_the_page_says() -> None:
    """The page repeats the last key for ever; the data say the default action."""
    table = Table(metadata(max_steps=120, num_episodes=1, default_action=3)).playing(30)
    table[0].play = lambda tick: 2
    table.ticks(5)
    table[0].hidden = True
    since = table[0].session.frame
    table.play()
    assert table[1].episodes[0]["actions"]["0"][since:] == [3] * (120 - since)
    assert 2 in table[1].episodes[0]["actions"]["0"][:since]
    check_against_truth(table)


@pytest.mark.slow
def test_rollback_events_stand_in_the_episode_that_they_are_of() -> None:
    """From the top, as many as there were; all of them are this page's mispredictions, with the true action."""
    table = Table(metadata(max_steps=100, num_episodes=3), **BAD).play()
    total = 0
    for side in table.sides:
        for episode, data in side.episodes.items():
            for event in data["rollbackEvents"]:
                assert event["episode"] == episode
                assert event["playerId"] == str(1 - side.seat)
                assert event["actualAction"] == data["actions"][event["playerId"]][event["frame"]]
                assert event["predictedAction"] != event["actualAction"]
                assert event["rollbackFrames"] == event["currentFrame"] - event["frame"] > 0
                assert data["wasSpeculative"][event["playerId"]][event["frame"]] is True
            total += len(data["rollbackEvents"])
        listed = side.call("multiplayer_metrics")["validation"]
        assert listed["totalRollbacks"] == sum(len(data["rollbackEvents"]) for data in side.episodes.values())
    assert total > 30


# -- what the page shows -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("carry", [False, True])
@pytest.mark.slow
def test_the_hud_says_round_score_and_time_of_the_truth(carry: bool) -> None:
    """After every rollback the score is again the sum of what was played; carried over or begun anew."""
    scene = metadata(max_steps=90, hud_score_carry_over=carry)
    table = Table(scene, env={"coins": 40}, **BAD).play()
    for side in table.sides:
        score = 0.0
        finals = []
        for episode in (0, 1):
            rewards = truth(table, episode, 90)[f"rewards.{side.me}"]
            if not carry:
                score = 0.0
            score = score + sum(rewards)
            finals.append(score)
        assert side.shown[-1]["cumulative"][str(side.me)] == pytest.approx(finals[1], abs=1e-9)
        number = int(finals[1] + 0.5)
        assert side.shown[-1]["hud"] == f"Round: 2/2 | Score: {number:02d} | Time left: 000.0s"
        assert side.call("hud_text") == side.shown[-1]["hud"]
        first = [result for result in side.shown if result["hud"].startswith("Round: 1/2")][-1]
        assert first["cumulative"][str(side.me)] == pytest.approx(finals[0], abs=1e-9)
        begun = next(result for result in side.shown if result["hud"].startswith("Round: 2/2") and result["step"] == 1)
        assert begun["hud"].endswith(f"Time left: {89 / FPS:05.1f}s")
        assert (begun["cumulative"][str(side.me)] > finals[0] / 2) is carry
    assert finals[0] > 1


class Objectives(arena.Arena):
    """Its rewards are vectors, those of player 1 by name."""

    def step(self, actions: Any) -> Any:
        seen, _rewards, *rest = super().step(actions)
        return seen, {0: [1.5, -1], 1: {"coins": 2}}, *rest


@pytest.mark.parametrize(("carry", "scores"), [(True, ("180 / -120", "240")), (False, ("90 / -60", "120"))])
@pytest.mark.slow
def test_the_score_of_rewards_that_are_vectors_is_shown_by_component(carry: bool, scores: tuple[str, str]) -> None:
    """And carried over by component."""
    scene = metadata(max_steps=60, num_episodes=2, hud_score_carry_over=carry)
    table = Table(scene, envs=[Objectives(), Objectives()]).play()
    shown = [side.shown[-1] for side in table.sides]
    assert tuple(side["hud"].split(" | ")[1] for side in shown) == tuple(f"Score: {score}" for score in scores)


@pytest.mark.slow
def test_between_episodes_the_hud_keeps_the_last_score() -> None:
    """The page shows it below its countdown."""
    table = Table(with_own(metadata(max_steps=60), episode_pause=1.0), env={"coins": 40})
    side = table[0]
    table.until(lambda: 0 in side.episodes)
    last = side.shown[-1]["cumulative"]
    for _ in range(20):
        table.tick()
        assert side.call("hud_text").split(" | ")[1] == side.shown[-1]["hud"].split(" | ")[1]
    assert last["0"] != 0


@pytest.mark.slow
def test_a_game_that_ends_before_the_next_episodes_first_frame_keeps_its_score() -> None:
    """Nothing confirmed there: what was carried over is not counted twice."""
    scene = with_own(metadata(hud_score_carry_over=True), episode_pause=0.0)
    table = Table(scene, env={"coins": 40})
    side = table[0]
    table.until(lambda: side.session.episode == 1 and side.session.phase == PLAYING)
    table.cut = True
    assert side.session.published == -1
    side.event("p2p_game_ended", {"game_id": "game-1", "reason": "partner_disconnected", "disconnected_player_id": 1})
    table.tick()
    assert side.session.published == -1
    score = sum(truth(table, 0, 60)["rewards.0"])
    assert score > 1
    assert side.call("hud_text").split(" | ")[1] == f"Score: {int(score + 0.5):02d}"


@pytest.mark.slow
def test_the_newest_result_is_of_the_frame_that_is_shown_predictions_included() -> None:
    """What step() returns names the actions that were really used, and the rewards that they gave."""
    table = Table(metadata(max_steps=100, num_episodes=1), **BAD)
    side = table[1]
    while not side.over:
        count = len(side.shown)
        table.tick()
        if len(side.shown) == count or side.session.phase != PLAYING:
            continue
        timeline = side.session.timeline
        frame = timeline.current - 1
        slot = frame & timeline.frames.mask
        result = side.shown[-1]
        assert result["step"] == frame + 1
        assert result["actions"] == {"0": timeline.frames.actions[slot][0], "1": timeline.frames.actions[slot][1]}
        assert result["rewards"] == [[a, r] for a, r in timeline.frames.results[slot].rewards.items()]
    assert len(side.shown) >= 100


# -- the seed's page -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_seeds_page_logs_each_confirmed_frame_once_and_in_order() -> None:
    """Its file is what step() returned: true rows, none twice, none missing."""
    table = Table(metadata(max_steps=80, num_episodes=2), generation="seed", **BAD).play()
    for side in table.sides:
        assert [row["step"] for row in side.logged] == [*range(1, 81), *range(1, 81)]
        assert [row["number"] for row in side.logged] == [0] * 80 + [1] * 80
        at = 0
        for episode in (0, 1):
            true = truth(table, episode, 80)
            for frame in range(80):
                row = side.logged[at]
                at += 1
                for agent in (0, 1):
                    assert row["actions"][str(agent)] == true[f"actions.{agent}"][frame]
                    assert dict(map(tuple, row["rewards"]))[agent] == true[f"rewards.{agent}"][frame]
        assert side.call("confirmed_row") == ""


def test_what_is_taken_back_is_not_logged_afterwards() -> None:
    """An episode was cut, and the page had not logged all of it yet: it logs what stays, and no frame beyond."""
    table = Table(metadata(max_steps=80, num_episodes=1), generation="seed").playing(20)
    away = table.sides[1]
    away.hidden = True
    seen = len(away.logged)
    table.until(lambda: away.session.published >= seen + 12)
    away.bridge.ledger.cut(0, seen + 5)
    rows = []
    while away.bridge.ledger.has_rows:
        rows.append(away.bridge.ledger.next_row()[0])
    assert rows
    assert rows[-1] == seen + 4
    assert rows == list(range(rows[0], seen + 5))


@pytest.mark.slow
def test_a_seeds_page_that_was_hidden_logs_what_it_missed_episode_by_episode() -> None:
    """Nobody waits for it; looked at again, its own log is complete, each frame under its episode's number."""
    table = Table(metadata(max_steps=40, num_episodes=3), generation="seed").playing(20)
    away, other = table.sides[1], table.sides[0]
    away.hidden = True
    table.until(lambda: other.over)
    assert len(away.logged) < 40
    assert away.finished is None
    away.hidden = False
    table.play()
    for side in table.sides:
        assert [row["step"] for row in side.logged] == [*range(1, 41)] * 3
        assert [row["number"] for row in side.logged] == [0] * 40 + [1] * 40 + [2] * 40
        assert side.finished is False


def test_nobody_waits_for_a_seeds_page_to_log_what_it_missed() -> None:
    """It logs a frame at a time, so for as long as it was hidden: the next episode begins meanwhile, all is logged."""
    scene = with_own(metadata(max_steps=5 * FPS, num_episodes=2), ready_timeout=1.0)
    table = Table(scene, generation="seed").playing(10)
    away = table[1]
    away.hidden = True
    table.ticks(4 * FPS)
    away.hidden = False
    table.until(lambda: table[0].session.episode == 1)
    assert away.number == 0
    table.play()
    for side in table.sides:
        assert (side.session.reason, side.finished) == ("complete", False)
        assert [row["step"] for row in side.logged] == [*range(1, 5 * FPS + 1)] * 2


def test_mugs_page_keeps_no_rows_for_a_logger_that_it_has_not() -> None:
    """They would grow for nothing."""
    table = Table(metadata(num_episodes=1)).play()
    assert table[0].call("confirmed_row") == ""


@pytest.mark.slow
def test_a_seeds_game_that_ends_early_has_all_its_episodes_in_one_table() -> None:
    """The page then stores what Python has of the whole scene, rows as long as each other."""
    table = Table(metadata(max_steps=60, num_episodes=3), generation="seed").playing(20, episode=1)
    side = table[0]
    side.event("end_game", {"message": "the other left"})
    table.tick()
    assert side.finished is True
    table.tick()
    data = side.call("session_data")
    rows = len(data["episode_num"])
    assert rows >= 60 + 18
    assert data["episode_num"] == [0] * 60 + [1] * (rows - 60)
    assert {len(column) for name in ("actions", "rewards", "infos") for column in data[name].values()} == {rows}
    assert data["rollbackEvents"] == []


# -- the researcher's code on every step ---------------------------------------------------------------------------


COUNTING = "import page_support; page_support.HOOKED.append((id(globals()), __name__))"


@pytest.mark.slow
def test_the_step_code_runs_before_every_step_re_simulated_ones_included() -> None:
    """In the module where the environment was made, once per step of the environment, whoever steps it and why."""
    HOOKED.clear()
    table = Table(metadata(on_game_step_code=COUNTING, max_steps=60), **BAD)
    before = len(HOOKED)
    table.play()
    assert sum(side.session.timeline.resimulated for side in table.sides) > 30
    assert len(HOOKED) - before == sum(step_hook_count(side) for side in table.sides)
    assert {name for _, name in HOOKED} == {"__main__"}


# -- large and small ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_episode_too_large_for_one_message_goes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's server hangs up above a million bytes; together the parts are the episode."""
    monkeypatch.setattr(ledger, "LARGEST_MESSAGE", 4000)
    table = Table(metadata(max_steps=150, num_episodes=1), **BAD).play()
    order = table[0].ordered("episode")[0]
    names = order["names"]
    assert len(names) > 3
    assert names == [0, *(f"0.part{part}" for part in range(2, len(names) + 1))]
    assert 2000 < table[0].largest <= 4000
    check_against_truth(table)


@pytest.mark.slow
def test_a_scene_that_is_played_again_does_not_write_over_the_first_games_files() -> None:
    """After a loss of its connection a page plays the scene anew, with whomever; the server names files by episode."""
    table = Table(metadata(num_episodes=2), each=[{"games_before": 1}, {}]).play()
    check_against_truth(table)
    assert [order["names"] for order in table[0].ordered("episode")] == [["0.game2"], ["1.game2"]]
    assert [order["names"] for order in table[1].ordered("episode")] == [[0], [1]]


@pytest.mark.slow
def test_three_people_play_as_two_do() -> None:
    """In a mesh, over the same relay; every link counts for itself."""
    players = (0, 1, 2)
    scene = metadata(policy_mapping=dict.fromkeys(map(str, players), "human"), num_episodes=2)
    table = Table(scene, players, **BAD).play()
    check_against_truth(table)
    assert table[0].call("multiplayer_metrics")["inputDelivery"]["sentViaP2P"] <= 240
    assert [side.finished for side in table.sides] == [False] * 3


@pytest.mark.parametrize("actions", [{"a": -1, "b": 1}, {"a": [1, 0], "b": [0, 1]}], ids=["below zero", "lists"])
def test_actions_that_are_no_bytes_are_played_as_they_are(actions: dict[str, Any]) -> None:
    """A uint8 of the page's would have made 255 of -1."""
    values = list(actions.values())
    table = Table(metadata(action_mapping=actions, num_episodes=1), **BAD)
    for side in table.sides:
        side.play = lambda tick, seat=side.seat: None if tick % 7 == 0 else values[(tick // (3 + seat)) % 2]
    table.play()
    check_against_truth(table)
    assert values[0] in table[0].episodes[0]["actions"]["1"]
    assert 0 in table[0].episodes[0]["actions"]["1"]


def test_an_action_that_cannot_be_sent_is_the_default_and_an_error_in_the_log() -> None:
    """The game goes on; the page's mapping promised bytes."""
    table = Table(metadata(num_episodes=1, default_action=2)).playing(20)
    table[0].play = lambda tick: "jump"
    for side in table.sides:
        side._meant = lambda action, side=side: 2 if action == "jump" else action  # type: ignore[method-assign]
    table.play()
    assert set(table[1].episodes[0]["actions"]["0"][22:]) == {2}
    assert any("'jump'" in text for text in table[0].logs())
    check_against_truth(table)
    assert table.now - START > 60 * PERIOD


@pytest.mark.slow
def test_after_a_sleep_later_frames_have_the_right_time_and_earlier_ones_keep_theirs() -> None:
    """Also those that were stepped before it and are confirmed after it, and the time for which nobody looked."""
    hour = 3_600_000
    table = Table(metadata(max_steps=100), **BAD).playing(40)
    side, other = table.sides
    side.hidden = True
    table.ticks(5)
    stepped = side.session.timeline.stepped
    assert side.session.published < stepped - 1
    began = WALL_MS + (table.now - START) * 1000
    side.call("set_wall_ms", table.now, began + hour)
    side.hidden = False
    table.play()
    for each, slept in ((side, hour), (other, 0)):
        times = each.stepped_at[0]
        expected = [
            round(WALL_MS + (times[frame] - START) * 1000 + (slept if frame >= stepped else 0)) for frame in range(100)
        ]
        assert each.episodes[0]["timestamp"] == expected
    (period,) = side.call("multiplayer_metrics")["focusLoss"]["backgroundPeriods"]
    assert 0 < period["start"] < began
    assert hour < period["durationMs"] == period["end"] - period["start"] < hour + 1000
