"""The arithmetic of `build.py bench --page`: from what two pages noted to the figures and their table."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import hostpage_figures as figures
from bench import hostpage_table, rows
from pycore.wire import datagram


def step(frame: int, ms: float = 1.0, action: int = 0, stepped: bool = True) -> dict:
    return {"episode": 0, "frame": frame, "ms": ms, "action": action, "stepped": stepped}


def event(frame: int, current: int) -> dict:
    return {"frame": frame, "currentFrame": current}


def file(*actions: int | None, player: int = 1) -> list[dict]:
    return [{"t": frame, f"actions.{player}": action} for frame, action in enumerate(actions)]


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
    """What a page took until the game should have ended is to be in every file, whatever the files' length."""
    actions = {0: 1, 1: 2, 2: None, 3: 4, 4: 3}
    whole = file(1, 2, 0, 4)
    assert figures.fate(actions, 1, [whole, whole], 4) == figures.Fate(taken=4)
    assert figures.fate(actions, 1, [whole, file(1, 0, 0, 4)], 4) == figures.Fate(taken=4, altered=1)
    assert figures.fate(actions, 1, [whole, file(1, 2)], 4) == figures.Fate(taken=4, missing=2)
    assert figures.fate(actions, 1, [whole, file(1, 2, None, 4)], 4) == figures.Fate(taken=4, missing=1)
    assert figures.fate(actions, 1, [whole, None], 4).lost == 4
    assert figures.fate(actions, 2, [whole, whole], 4).missing == 4
    assert figures.fate(actions, 1, [whole, [*whole[:1], *whole[2:]]], 4) == figures.Fate(taken=4, missing=1)


def test_a_game_that_ends_early_loses_what_was_played_behind_its_files() -> None:
    """Two equal files of the first two frames are no game of five, and the three other inputs are gone.

    A game that goes on for longer than it was asked to is a whole one.
    """
    actions = {0: 1, 1: 2, 2: None, 3: 4, 4: 3}
    part, whole = file(1, 2), file(1, 2, 0, 4, 3)
    assert figures.fate(actions, 1, [part, part], 5) == figures.Fate(taken=5, missing=3)
    assert not figures.complete([part, part], 5)
    assert not figures.complete([whole, part], 5)
    assert not figures.complete([whole, None], 5)
    assert figures.complete([whole, whole], 5)
    assert figures.complete([whole, whole], 4)


def test_only_what_play_sends_through_the_server_counts() -> None:
    """Pings are the page's own and the copy of the console is counted by itself; inputs are known in every wrapping."""
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
    during = figures.during(sent, 2.0, 3.0)
    assert [message.at for message in during] == [2.0, 2.5, 2.6, 2.7, 2.8]
    assert [message.at for message in figures.played(during)] == [2.0, 2.7, 2.8]
    assert figures.inputs(during) == 2
    assert figures.console(during) == 10


def test_a_datagram_is_lost_if_the_other_page_did_not_receive_it() -> None:
    """Whenever it came, and as often as it was sent; what else came does not count."""
    assert figures.undelivered([1, 2, 2, 3], [3, 2, 9, 1]) == 1
    assert figures.undelivered([1, 2], [2, 1, 1]) == 0
    assert figures.undelivered([], [5]) == 0


def change(cause: str, to: str = "socketio") -> dict:
    return {"cause": cause, "to": to}


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"pathChanges": [change("opened", "p2p")]}, ""),
        ({"pathChanges": [change("silence"), change("recovered", "p2p"), change("silence")]}, "2 x silence"),
        ({"pathChanges": [change("silence"), change("deaf")]}, "1 x deaf, 1 x silence"),
        ({"quality": {"p2pFallbackTriggered": False, "p2pFallbackFrame": None}}, ""),
        ({"quality": {"p2pFallbackTriggered": True, "p2pFallbackFrame": 7}}, "from frame 7 on"),
    ],
)
def test_every_way_by_the_server_is_said_with_its_cause(metrics: dict, said: str) -> None:
    """Without them nobody could tell a busy machine from a module that likes the server."""
    assert figures.detours(metrics) == said


def heard(**samples: list[float]) -> figures.Heard:
    return figures.Heard({name.replace("_", "."): values for name, values in samples.items()})


def test_every_figure_has_a_row_before_and_one_after_with_its_goal() -> None:
    """Twenty times faster rollbacks, no lost input, all games whole and equal; only what was played is shown."""
    both = {
        "before": heard(rollback_ms=[50, 40, 60], channel_close_complete=[0, 0], channel_close_lost=[30, 40]),
        "after": heard(rollback_ms=[2, 1, 9], channel_close_complete=[1, 1], channel_close_lost=[0, 0]),
    }
    both["before"].add("runs.equal", [0, 1, 0])
    both["after"].add("runs.equal", [1, 1, 0])
    both["after"].add("games.failed", [0, 1])
    both["after"].notes = ["after, channel.close, game 1: fine", "after, channel.silent, game 1: fine"]
    found = {made["name"]: made for made in hostpage_table.rows_of(both)}
    kinds = ("rollback.ms", "channel.close.complete", "channel.close.lost", "runs.equal")
    names = [f"page.{side}.{name}" for name in kinds for side in both]
    assert list(found) == [*names, "page.after.games.failed"]
    assert [found[name]["value"] for name in names] == [50, 2, 0, 2, 70, 0, 1, 2]
    assert [found[name]["goal"] for name in names] == [None, 2.5, None, 2, None, 0, None, 3]
    assert [rows.met(found[name]) for name in names] == [None, True, None, True, None, True, None, False]
    assert rows.met(found["page.after.games.failed"]) is False
    assert found["page.after.rollback.ms"]["samples"] == [2, 1, 9]
    assert found["page.after.channel.close.complete"]["notes"] == ["after, channel.close, game 1: fine"]
    shown = hostpage_table.markdown(list(found.values())).splitlines()
    assert shown[2:] == [
        "| `rollback.ms` | ms | 50 (40 to 60) | 2 (1 to 9) | 2.5, met |",
        "| `channel.close.complete` | games | 0 of 2 | 2 of 2 | 2, met |",
        "| `channel.close.lost` | inputs | 70 | 0 | 0, met |",
        "| `runs.equal` | games | 1 of 3 | 2 of 3 | 3, missed |",
        "| `games.failed` | games | none | 1 of 2 | 0, missed |",
    ]
    said = hostpage_table.remarks(both, list(found.values()), ["by hand"])
    assert "by hand" in said
    assert any("25.0 times faster" in remark for remark in said)


class Player:
    """Somebody whose file becomes the next of these texts while others sleep, which is all the time that passes."""

    now = 0.0

    def __init__(self, folder: Path, name: str, *texts: str | None, terminal: bool = False) -> None:
        self.path = folder / f"{name}.csv"
        self.texts = list(texts)
        self.terminal = terminal
        self.page = self

    def sleep(self, seconds: float) -> None:
        Player.now += seconds
        if self.texts and (text := self.texts.pop(0)) is not None:
            self.path.write_text(text, "utf-8")

    def evaluate(self, expression: str) -> object:
        return "The  end" if "innerText" in expression else self.terminal

    def game(self, expression: str) -> object:
        return 7


def test_a_game_is_over_when_both_episodes_are_whole_and_not_when_a_file_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A part of an episode is what an early end leaves, and half a line is a file that is still written."""
    pytest.importorskip("playwright")
    from bench import hostpage_people

    monkeypatch.setattr(hostpage_people, "time", SimpleNamespace(monotonic=lambda: Player.now))
    study = SimpleNamespace(game={"max_steps": 2}, path=lambda who, ending: who.path)
    part = "t,actions.1\n0,4\n"
    whole = f"{part}1,3\n"

    def outcome(*texts: str | None, terminal: bool = False) -> hostpage_people.Outcome:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        ann = Player(folder, "ann", *texts, terminal=terminal)
        bob = Player(folder, "bob", terminal=terminal)
        bob.path.write_text(whole, "utf-8")
        return hostpage_people.over(study, [ann, bob])

    played = outcome(None, part, f"{part}1,", whole)
    assert played.complete
    assert [rows[1]["actions.1"] for rows in played.files] == [3, 3]
    assert played.ends == ["2 of 2 frames stored; at frame 7"] * 2
    started = Player.now
    early = outcome(part, terminal=True)
    assert Player.now - started < 2 * hostpage_people.GRACE
    assert not early.complete
    assert early.ends[0] == "1 of 2 frames stored; ended: The end"
    nothing = outcome(terminal=True)
    assert (nothing.complete, nothing.tables[0]) == (False, None)
    assert nothing.ends[0] == "no file; ended: The end"
    assert outcome(part).ends[0] == "1 of 2 frames stored; at frame 7"


def test_every_game_that_was_to_be_played_is_in_the_figures() -> None:
    """What did not begin is played again and counted; what began and broke off counts against a strict group."""
    pytest.importorskip("playwright")
    from bench import hostpage
    from bench.hostpage_games import Group
    from bench.hostpage_people import Spoiled

    def settled(*happens: str, strict: bool = True) -> figures.Heard:
        script = iter(happens)

        def play(side: object, study: object, number: int, heard: figures.Heard) -> None:
            heard.add("runs.equal", [1])
            heard.runs.append({"seed": number})
            happened = next(script)
            if happened == "spoiled":
                raise Spoiled("it did not begin")
            if happened == "hung":
                raise AssertionError("ann: not within 45 s\nand so on")

        group = Group(play, frames=10, rounds=1, counts=("runs.equal",), strict=strict)
        return hostpage.settle(group, None, None, 3)

    fine = settled("fine")
    assert fine.samples == {"runs.equal": [1], "games.failed": [0], "games.again": [0]}
    assert (fine.runs, fine.notes) == ([{"seed": 3, "again": 0}], [])
    late = settled("spoiled", "fine")
    assert late.samples == {"runs.equal": [1], "games.failed": [0], "games.again": [1]}
    assert (late.runs, late.notes) == ([{"seed": 3, "again": 1}], ["played again, because it did not begin"])
    hung = settled("hung", "fine")
    assert hung.samples == {"runs.equal": [0], "games.failed": [1], "games.again": [0]}
    assert hung.notes == ["failed, because it broke off: ann: not within 45 s"]
    assert [run["equal"] for run in hung.runs] == [0]
    assert settled("hung", "fine", strict=False).samples == late.samples
    never = settled(*["spoiled"] * hostpage.ATTEMPTS)
    assert never.samples == {"runs.equal": [0], "games.failed": [1], "games.again": [hostpage.ATTEMPTS - 1]}
    assert len(never.notes) == hostpage.ATTEMPTS


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


def test_the_inputs_that_are_held_back_are_those_of_this_protocol() -> None:
    """By the first byte of a datagram: with another one nothing is held, and no rollback is as deep as it should be."""
    script = (Path(figures.__file__).parent / "hostpage.js").read_text(encoding="utf-8")
    assert f"const INPUTS = [0x01, 0x{datagram.KIND:02x}];" in script
