"""The arithmetic of `build.py bench --page`: from what two pages noted to the figures and their table."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from bench import hostpage_figures as figures
from bench import hostpage_table, rows


def step(frame: int, ms: float = 1.0, action: int = 0, stepped: bool = True) -> dict:
    return {"episode": 0, "frame": frame, "ms": ms, "action": action, "stepped": stepped}


def event(frame: int, current: int) -> dict:
    return {"frame": frame, "currentFrame": current}


def file(*actions: int | None, player: int = 1) -> list[dict]:
    return [{f"actions.{player}": action} for action in actions]


def test_ticks_are_sorted_by_the_oldest_input_that_their_rollback_corrected() -> None:
    """Several inputs that come together are one rollback, as deep as the oldest of them is late."""
    log = [step(99, 50), *(step(frame, 2 + frame % 2) for frame in range(100, 110)), step(110, 9), step(111, 5)]
    log += [step(112, 100, stepped=False), step(112, 9.5)]
    late = [event(104, 110), event(102, 110), event(109, 110), event(109, 111), event(104, 112)]
    found = figures.ticks(log, late, 8)
    assert found.deep == [9, 9.5]
    assert found.other == [2]
    assert found.quiet == [2, 3] * 5
    assert found.rollback == [6.5, 7]
    assert figures.settled(log) == [*found.quiet, 9, 5, 9.5]


def test_an_action_that_a_page_took_is_the_first_it_was_asked_with_or_the_one_it_stepped_with() -> None:
    """A module that waits is asked again; which of the answers counts is the module's."""
    log = [step(0, action=1, stepped=False), step(0, action=2), step(1, action=3), step(2, action=4, stepped=False)]
    assert figures.taken(log, first=True) == {0: 1, 1: 3, 2: 4}
    assert figures.taken(log, first=False) == {0: 2, 1: 3}


def test_an_input_is_lost_where_any_file_has_another_or_none() -> None:
    """What came after the end of the longest file is not lost; without a file everything is."""
    actions = {0: 1, 1: 2, 2: None, 3: 4, 4: 3}
    whole = file(1, 2, 0, 4)
    assert figures.fate(actions, 1, [whole, whole]) == figures.Fate(taken=4)
    assert figures.fate(actions, 1, [whole, file(1, 0, 0, 4)]) == figures.Fate(taken=4, altered=1)
    assert figures.fate(actions, 1, [whole, file(1, 2)]) == figures.Fate(taken=4, missing=2)
    assert figures.fate(actions, 1, [whole, file(1, 2, None, 4)]) == figures.Fate(taken=4, missing=1)
    assert figures.fate(actions, 1, [whole, None]).lost == 5
    assert figures.fate(actions, 2, [whole, whole]).missing == 4


def test_only_what_play_sends_through_the_server_counts() -> None:
    """Pings and the copy of the console are the page's own; inputs are known in every wrapping."""
    sent = [
        SimpleNamespace(at=at, name=name, data=data, size=10)
        for at, name, data in [
            (1.0, "pyodide_player_action", {}),
            (2.0, "pyodide_player_action", {}),
            (2.5, "ping", {}),
            (2.6, "client_console_log", {}),
            (2.7, "webrtc_signal", {"type": "pycore-action"}),
            (2.8, "webrtc_signal", {"type": "offer"}),
            (3.0, "p2p_health_report", {}),
        ]
    ]
    found = figures.between(sent, 2.0, 3.0)
    assert [message.at for message in found] == [2.0, 2.7, 2.8]
    assert figures.inputs(found) == 2


def heard(**samples: list[float]) -> figures.Heard:
    return figures.Heard({name.replace("_", "."): values for name, values in samples.items()})


def test_every_figure_has_a_row_before_and_one_after_with_the_goals_of_the_issue() -> None:
    """Ten times faster rollbacks, no lost input, all runs equal; only what was played is shown."""
    both = {
        "before": heard(rollback_ms=[50, 40, 60], channel_close_lost=[30, 40], runs_equal=[0, 1, 0]),
        "after": heard(rollback_ms=[4, 3, 9], channel_close_lost=[0, 0], runs_equal=[1, 1, 0]),
    }
    both["after"].notes = ["after, channel.close, game 1: fine", "after, channel.silent, game 1: fine"]
    found = {made["name"]: made for made in hostpage_table.rows_of(both)}
    names = [f"page.{side}.{name}" for name in ("rollback.ms", "channel.close.lost", "runs.equal") for side in both]
    assert list(found) == names
    assert [found[name]["value"] for name in names] == [50, 4, 70, 0, 1, 2]
    assert [found[name]["goal"] for name in names] == [None, 5, None, 0, None, 3]
    assert [rows.met(found[name]) for name in names] == [None, True, None, True, None, False]
    assert found["page.after.rollback.ms"]["samples"] == [4, 3, 9]
    assert found["page.after.channel.close.lost"]["notes"] == ["after, channel.close, game 1: fine"]
    shown = hostpage_table.markdown(list(found.values())).splitlines()
    assert shown[2] == "| `rollback.ms` | ms | 50 (40 to 60) | 4 (3 to 9) | 5, met |"
    assert shown[4] == "| `runs.equal` | runs | 1 | 2 | 3, missed |"
    said = hostpage_table.remarks(both, list(found.values()), ["by hand"])
    assert "by hand" in said
    assert any("12.5 times faster" in remark for remark in said)


def test_what_several_games_gave_is_put_together() -> None:
    """Nothing of a game is lost, and nothing of another is overwritten."""
    one, two = heard(tick_ms=[1, 2]), heard(tick_ms=[3], runs_equal=[1])
    two.names, two.runs, two.notes = {"ping"}, [{"seed": 1}], ["said"]
    one.take(two)
    assert one.samples == {"tick.ms": [1, 2, 3], "runs.equal": [1]}
    assert (one.names, one.runs, one.notes) == ({"ping"}, [{"seed": 1}], ["said"])


def test_each_played_figure_has_a_unit_and_a_place() -> None:
    """A figure that is measured and not shown would be lost."""
    assert set(hostpage_table.ORDER) == set(hostpage_table.SPREAD) | set(hostpage_table.SUMS)
    assert len(hostpage_table.ORDER) == len(set(hostpage_table.ORDER))


@pytest.mark.parametrize(("share", "value"), [(0.1, 1), (0.5, 5), (0.9, 9), (1.0, 10)])
def test_a_quantile_is_a_value_that_was_measured(share: float, value: float) -> None:
    """The smallest one that so many do not exceed."""
    assert rows.quantile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], share) == value


def test_the_table_says_how_far_off_a_goal_is_in_both_directions() -> None:
    """A goal is the most that is wanted, or the least; rows with samples show where most of them lie."""
    made = [
        rows.row("slow", 7, "ms", 5),
        rows.summed("few", [1, 1], "runs", 3, at_least=True),
        rows.sampled("many", [1, 2, 3, 4], "µs", 2.5),
        rows.row("plain", 1, "B"),
    ]
    text = rows.table(made)
    lines = text.splitlines()
    assert lines[1].endswith("5  missed by 2.00")
    assert lines[2].endswith("≥ 3  missed by 1.00")
    assert "1.00 to 4.00" in lines[3]
    assert lines[3].endswith("2.5  met")
    assert lines[4].endswith("B")
    assert json.loads(rows.as_json(made)) == made
    assert "10%" not in rows.table(made[:2])
