"""The experienced record: what was shown, what of it was a guess, what was corrected, and when; and its reader."""

from __future__ import annotations

import functools
import json
from itertools import pairwise
from typing import Any

import pytest
from core_support import Table, settings
from experienced_support import lines_of, run

from pycore import Outlook
from pycore.export.seen import compare
from pycore.records import Displayed, Experience, Reading, RecordError, Trajectory, trajectory_text
from pycore.records import experienced as module
from pycore.records.experienced import Experienced
from pycore.rollback.seats import Seat
from pycore.testing import Conditions, Mesh, Walk
from pycore.values.json import to_json

BAD = Conditions(delay=0.08, jitter=0.04, loss=0.1)


def shown(text: str) -> list[dict[str, Any]]:
    return [line for line in lines_of(text) if "shown" in line]


def events(text: str, *names: str) -> list[dict[str, Any]]:
    return [line for line in lines_of(text) if line.get("event") in names]


def test_every_frame_that_was_stepped_is_a_line_with_its_actions_and_its_guesses() -> None:
    """As somebody who looks into the session at every tick sees them; those that were corrected come again."""
    mesh, recorder = run(BAD)
    for seat in (0, 1):
        lines = shown(recorder.text(seat))
        first: dict[tuple[int, int], dict[str, Any]] = {}
        for line in lines:
            first.setdefault((line["episode"], line["frame"]), line)
        stepped = recorder.stepped[seat]
        assert len(stepped) >= 180
        for episode, frame, actions, guessed in stepped:
            line = first.pop((episode, frame))
            assert line["shown"] == list(actions)
            assert line.get("predicted", []) == guessed
        assert first == {}
        assert sum("predicted" in line for line in lines) > 100
        assert mesh.peers[seat].session.timeline.rollbacks > 10


def test_a_wrong_guess_is_corrected_by_an_event_and_no_line_is_changed() -> None:
    """Every frame that was displayed with another action than the confirmed one lies in a later correction."""
    mesh, recorder = run(BAD)
    lines = lines_of(recorder.text(0))
    rows = mesh.peers[0].rows
    wrong: dict[tuple[int, int], bool] = {}
    found = 0
    for line in lines:
        if "shown" in line and line["frame"] < len(rows[line["episode"]]):
            true = [int(action[0]) for action in rows[line["episode"]][line["frame"]]]
            place = line["episode"], line["frame"]
            wrong[place] = line["shown"] != true
            found += wrong[place]
        elif line.get("event") == "corrected":
            assert line["from"] <= line["to"] < line["frame"]
            for frame in range(line["from"], line["to"] + 1):
                wrong[line["episode"], frame] = False
    assert found > 20
    assert not any(wrong.values())


def test_times_are_those_of_the_page_and_the_input_is_read_a_delay_before() -> None:
    """A frame's own action was read in the tick that first stood `input_delay` frames before it."""
    _, recorder = run(Conditions(delay=0.02), input_delay=3, num_episodes=1)
    lines = [line for line in shown(recorder.text(0)) if "predicted" not in line]
    at = {line["frame"]: line["time_ms"] for line in lines}
    assert set(at) == set(range(90))
    assert all(after - before in range(29, 35) for before, after in pairwise(at.values()))
    for line in lines:
        if line["frame"] < 3:
            assert "input_ms" not in line
        else:
            assert line["input_ms"] == at[line["frame"] - 3]


def test_a_hidden_page_says_so_on_every_frame_and_by_two_events() -> None:
    """Nobody saw these."""
    def script(mesh: Mesh) -> None:
        mesh.at(1.5, lambda: setattr(mesh.peers[0], "hidden", True))
        mesh.at(2.25, lambda: setattr(mesh.peers[0], "hidden", False))

    _, recorder = run(Conditions(delay=0.03), script=script, num_episodes=1)
    text = recorder.text(0)
    hidden, back = events(text, "hidden", "shown")
    assert (hidden["event"], back["event"]) == ("hidden", "shown")
    for line in shown(text):
        assert line.get("hidden", False) == (hidden["time_ms"] <= line["time_ms"] < back["time_ms"])
    assert sum("hidden" in line for line in shown(text)) >= 20
    # The other player is told, and that stands in its record.
    assert [row["status"] for row in events(recorder.text(1), "peer")] == ["hidden", "present"]


def test_seconds_are_the_differences_of_the_counts() -> None:
    """One after the other, and their sums are what the session counted."""
    mesh, recorder = run(BAD, every=2.0)
    session = mesh.peers[0].session
    text = recorder.text(0)
    seconds = [line for line in lines_of(text) if "second" in line]
    assert [line["second"] for line in seconds] == list(range(len(seconds)))
    assert len(seconds) >= 6
    assert all(1000 <= after["time_ms"] - before["time_ms"] < 1080 for before, after in pairwise(seconds[:-1]))
    # The last, unfinished second has no line; nothing of it is in the sums.
    last = seconds[-1]["time_ms"]
    corrections = [row for row in events(text, "corrected") if row["time_ms"] <= last]
    assert sum(line["rollbacks"] for line in seconds) == len(corrections)
    assert sum(line["resimulated"] for line in seconds) == sum(row["to"] - row["from"] + 1 for row in corrections)
    assert max(line["max_depth"] for line in seconds) == max(row["to"] - row["from"] + 1 for row in corrections)
    assert sum(line["predicted_frames"] for line in seconds) <= session.timeline.guessed
    peer = seconds[3]["peers"]["1"]
    assert 160 <= peer["rtt_ms"] <= 245
    assert peer["path"] == "p2p"
    assert 0 <= peer["input_age"] <= 12


def test_standing_is_an_event_from_the_third_tick_on() -> None:
    """With its cause, and how many ticks stood when it goes on."""
    def script(mesh: Mesh) -> None:
        mesh.at(1.5, mesh.peers[1].freeze)
        mesh.at(2.5, mesh.peers[1].thaw)

    _, recorder = run(Conditions(delay=0.03), script=script, num_episodes=1)
    text = recorder.text(0)
    stalled, resumed = events(text, "stalled", "resumed")
    assert (stalled["event"], stalled["cause"], resumed["event"]) == ("stalled", "window", "resumed")
    assert resumed["ticks"] == recorder.stalls[0]
    assert 5 <= resumed["ticks"] <= 32
    assert resumed["frame"] == stalled["frame"] + 1


def test_an_input_that_was_read_before_standing_says_when() -> None:
    """The first of the ticks that stood fixed it, two ticks before the event says so."""
    def script(mesh: Mesh) -> None:
        mesh.at(1.5, mesh.peers[1].freeze)
        mesh.at(2.5, mesh.peers[1].thaw)

    _, recorder = run(Conditions(delay=0.03), script=script, input_delay=2, num_episodes=1)
    text = recorder.text(0)
    stalled, resumed = events(text, "stalled", "resumed")
    read = {line["frame"]: line["input_ms"] for line in shown(text) if "input_ms" in line}
    assert read[stalled["frame"] + 2] == pytest.approx(stalled["time_ms"] - 2 * 1000 / 32, abs=1)
    assert read[stalled["frame"] + 3] > resumed["time_ms"]


def test_paths_episodes_and_the_end_are_events() -> None:
    """With what the metrics say of them."""
    def script(mesh: Mesh) -> None:
        mesh.at(1.5, mesh.cut)
        mesh.at(3.0, mesh.restore)

    mesh, recorder = run(Conditions(delay=0.03), script=script, max_steps=200)
    session = mesh.peers[0].session
    text = recorder.text(0)
    assert [(row["to"], row["cause"]) for row in events(text, "path")] == [
        (change.to_path, change.cause) for change in session.path_changes
    ]
    assert len(session.path_changes) == 2
    assert [(row["frames"], row["reason"]) for row in events(text, "episode")] == [(200, "max_steps")] * 2
    assert lines_of(text)[-1]["end"] == "complete"


@pytest.mark.slow
def test_the_record_does_not_depend_on_when_it_is_taken_away() -> None:
    """Every second or at the end only: the same lines."""
    texts = [run(BAD, every=every)[1].text(0) for every in (1.0, 1000.0)]
    assert texts[0] == texts[1]


def test_an_aborted_session_keeps_what_was_taken_away() -> None:
    """The page vanishes in mid-episode: what was handed over until then can be read, and has no end."""
    _, recorder = run(BAD, every=1.0, script=lambda mesh: mesh.at(3.4, lambda: mesh.peers[0].vanish(0.1)), until=4.0)
    text = "".join(recorder.taken[0])
    experience = Experience(text.splitlines())
    displayed = [item for item in experience if isinstance(item, Displayed)]
    assert experience.ended is None
    assert len(displayed) > 60
    assert recorder.stepped[0][-1][1] - displayed[-1].frame < 40


def test_an_exception_of_the_environment_leaves_a_record_with_an_end() -> None:
    """Though the news of it were never told."""
    table = Table(2, settings()).start()
    record = Experienced(table[0], table.now)
    table[0].abort(table.now, "error", "it broke")
    assert lines_of(record.take(table.now))[-1] == {"end": "error", "time_ms": round(table[0].wall_ms(table.now))}


def test_what_nobody_takes_away_is_bounded_and_the_loss_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest lines stay, with the header, and can be read."""
    monkeypatch.setattr(module, "MOST_BYTES", 4000)
    _, recorder = run(BAD, every=1e9)
    text = recorder.text(0)
    lines = lines_of(text)
    assert len(text) < 5000
    assert lines[0]["pycore_experienced"] == 1
    assert lines[1]["event"] == "lost"
    assert lines[1]["lines"] > 100
    experience = Experience(text.splitlines())
    assert len(list(experience)) == len(lines) - 1
    assert experience.ended == "complete"


def test_what_nobody_takes_away_is_written_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """So what waits as values is bounded as well."""
    asked: list[bytes] = []
    recorded = Seat.recorded

    def watched(self: Seat, encoded: bytes) -> Any:
        asked.append(encoded)
        return recorded(self, encoded)

    monkeypatch.setattr(Seat, "recorded", watched)
    monkeypatch.setattr(module, "UNWRITTEN", 64)
    _, recorder = run(Conditions(), every=1e9)
    assert {encoded[0] for encoded in asked} == set(range(6))
    assert len(shown(recorder.text(0))) == 180


def test_an_action_that_cannot_be_written_is_replaced_and_its_line_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """That value alone, by a constant text."""
    recorded = Seat.recorded

    def breaks(self: Seat, encoded: bytes) -> Any:
        if encoded == b"\x05":
            raise ValueError("no such word")
        return float("nan") if encoded == b"\x04" else recorded(self, encoded)

    _, recorder = run(Conditions(), num_episodes=1, max_steps=40)
    before = recorder.text(0)
    monkeypatch.setattr(Seat, "recorded", breaks)
    _, recorder = run(Conditions(), num_episodes=1, max_steps=40)
    text = recorder.text(0)
    for whole, line in zip(shown(before), shown(text), strict=True):
        replaced = {5: "<cannot be recorded>", 4: "NaN"}
        spelled = ["NaN" if action != action else action for action in line["shown"]]
        assert spelled == [replaced.get(action, action) for action in whole["shown"]]
    assert "<cannot be recorded>" in text
    assert len(list(Experience(text.splitlines()))) == len(lines_of(text)) - 1


@pytest.mark.slow
def test_a_minute_takes_as_many_bytes_as_is_documented() -> None:
    """Two players, small actions, over a bad network; the guide says what to reckon with."""
    _, recorder = run(BAD, fps=30, max_steps=1800, num_episodes=1, until=100.0)
    text = recorder.text(0)
    assert 180_000 < len(text.encode()) < 300_000


# -- reading -----------------------------------------------------------------------------------------------------


def record(seat: int = 0) -> list[str]:
    """A record's lines."""
    _, recorder = run(BAD, num_episodes=2)
    return recorder.text(seat).splitlines()


def place(lines: list[str], key: str) -> int:
    """The first line with this key, behind a while."""
    return next(index for index, line in enumerate(lines) if index > 40 and f'"{key}":' in line)


def refused(lines: list[str]) -> RecordError:
    with pytest.raises(RecordError) as caught:
        list(Experience(lines, "experienced-0.jsonl"))
    return caught.value


def happens(lines: list[str], event: str, **more: Any) -> None:
    """Somebody's page has stored an event of its own making."""
    lines.insert(50, to_json({"episode": 0, "event": event, "frame": 1, "time_ms": 1, **more}))


def measured(lines: list[str], change: Any) -> None:
    """It has stored another second."""
    where = place(lines, "second")
    lines[where] = changed(lines, where, change)[where]


def test_what_was_written_is_read_line_by_line() -> None:
    """As many items as lines, and the header."""
    lines = record()
    experience = Experience(lines)
    assert experience.header["player"] == 0
    assert len(list(experience)) == len(lines) - 1
    assert experience.ended == "complete"


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda lines: lines.pop(place(lines, "shown")), "lines are missing"),
        (lambda lines: lines.pop(place(lines, "second")), "lines are missing"),
        (lambda lines: lines.insert(50, "{}"), "neither a displayed frame"),
        (lambda lines: lines.insert(50, "[1]"), "no object"),
        (lambda lines: lines.insert(50, '{"event":'), "no JSON"),
        (lambda lines: lines.append(lines[50]), "behind the end"),
        (lambda lines: lines.__setitem__(50, lines[50].replace(":", ": ", 1)), "edited or converted"),
        (lambda lines: lines.__setitem__(0, lines[0].replace('experienced":1', 'experienced":2')), "of version 1"),
        (lambda lines: lines.__setitem__(0, '{"pycore":1,"seed":1}'), "of version 1"),
        (lambda lines: lines.__setitem__(0, lines[0].replace('"player":0', '"player":7')), "whose player is 7"),
        (lambda lines: lines.insert(50, '{"episode":0,"frame":1,"shown":[0],"time_ms":1}'), "each of 2 seats"),
        (
            lambda lines: lines.insert(50, '{"episode":0,"frame":1,"predicted":[2],"shown":[0,0],"time_ms":1}'),
            "there are none",
        ),
        (lambda lines: lines.insert(50, '{"episode":0,"frame":1,"shown":[0,0],"time_ms":1.5}'), "whole number"),
        (lambda lines: lines.insert(50, '{"episode":0,"event":"corrected","frame":1,"time_ms":1}'), "from is None"),
        (lambda lines: happens(lines, "corrected", **{"from": 0, "to": 10**12}), "at once; 1024 are the most"),
        (lambda lines: happens(lines, "unseen", **{"from": 0, "to": 2**53 + 1}), "that a float holds"),
        (lambda lines: happens(lines, "hidden", time_ms=10**400), "that a float holds"),
        (lambda lines: happens(lines, "gone"), "player None is gone, of players [0, 1]"),
        (lambda lines: happens(lines, "gone", player=[], last={"episode": 0, "frame": 1}), "player [] is gone"),
        (lambda lines: happens(lines, "gone", player=1), "whose last action is None"),
        (lambda lines: happens(lines, "gone", player=1, last={"episode": 0, "frame": None}), "frame is None"),
        (lambda lines: measured(lines, lambda of: of.update(tick_ms_max=10**400)), "that a float holds"),
        (lambda lines: measured(lines, lambda of: of["peers"]["1"].update(rtt_ms=[])), "rtt_ms is []"),
        (lambda lines: measured(lines, lambda of: of["peers"]["1"].update(advantage=10**310)), "that a float holds"),
        (lambda lines: measured(lines, lambda of: of["peers"]["1"].update(path=[])), "path is []"),
    ],
)
def test_what_is_no_such_record_is_refused_by_line_and_reason(spoil: Any, why: str) -> None:
    """Cut, edited, mixed up or of another kind; what a page of somebody's own stores must not fail a study's tables,
    nor keep them waiting for ever."""
    lines = record()
    spoil(lines)
    error = refused(lines)
    assert why in error.why
    assert error.line >= 1
    assert error.name == "experienced-0.jsonl"


# -- against the trajectory ----------------------------------------------------------------------------------------


def both() -> tuple[list[str], list[str]]:
    """What player 0 saw, and what was confirmed."""
    trajectory = Trajectory()
    mesh, recorder = run(BAD, script=lambda mesh: mesh.peers[0].session.add_sink(trajectory))
    session = mesh.peers[0].session
    return recorder.text(0).splitlines(), trajectory_text(session, trajectory).splitlines()


def untrue(seen: list[str], confirmed: list[str]) -> str:
    return compare(Experience(seen), Reading(confirmed)).untrue


def test_what_was_seen_fits_what_was_confirmed() -> None:
    """Of two real files; the numbers are those of the lines."""
    seen, confirmed = both()
    found = compare(Experience(seen), Reading(confirmed))
    assert found.untrue == ""
    assert found.displayed == sum('"shown"' in line for line in seen)
    assert found.guessed == sum('"predicted"' in line for line in seen)
    assert found.ended == "complete"


def changed(seen: list[str], where: int, change: Any) -> list[str]:
    value = json.loads(seen[where])
    change(value)
    return [*seen[:where], json.dumps(value, sort_keys=True, separators=(",", ":")), *seen[where + 1 :]]


def test_an_action_that_was_no_guess_and_is_not_the_confirmed_one_is_found() -> None:
    """By episode, frame, seat, and both actions."""
    seen, confirmed = both()
    where = place(seen, "shown")
    frame = json.loads(seen[where])["frame"]
    edited = changed(seen, where, lambda value: value["shown"].__setitem__(0, 5 - value["shown"][0]))
    assert untrue(edited, confirmed).startswith(f"episode 0, frame {frame}: of seat 0 ")
    assert "though it was no guess" in untrue(edited, confirmed)


def test_a_wrong_guess_without_its_correction_is_found() -> None:
    """The event is cut out of the record."""
    seen, confirmed = both()
    where = next(index for index, line in enumerate(seen) if '"corrected"' in line)
    first = json.loads(seen[where])["from"]
    cut = [line for line in seen if '"corrected"' not in line]
    assert untrue(cut, confirmed).startswith(f"episode 0, frame {first}: of seat 1 ")
    assert "never corrected" in untrue(cut, confirmed)


def test_a_correction_of_what_was_no_guess_is_found() -> None:
    """The mark of the guess is taken off the line."""
    seen, confirmed = both()
    event = next(json.loads(line) for line in seen if '"corrected"' in line)
    where = next(
        index for index, line in enumerate(seen)
        if '"shown"' in line and json.loads(line)["frame"] == event["from"] and json.loads(line)["episode"] == 0
    )
    edited = changed(seen, where, lambda value: value.pop("predicted"))
    assert untrue(edited, confirmed).startswith(f"episode 0, frame {event['from']}: ")


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.slow
def test_whatever_the_network_does_both_records_fit(seed: int) -> None:
    """Cuts, a hidden and a frozen page, a stop in mid-episode, three players."""
    def script(mesh: Mesh) -> None:
        for page, trajectory in zip(mesh.peers, trajectories, strict=True):
            page.session.add_sink(trajectory)
        mesh.at(1.2 + seed / 10, mesh.cut)
        mesh.at(2.5, mesh.restore)
        mesh.at(3.0, lambda: setattr(mesh.peers[0], "hidden", True))
        mesh.at(3.4, mesh.peers[1].freeze)
        mesh.at(3.9 + seed / 20, mesh.peers[1].thaw)
        if seed % 2:
            mesh.at(5.0, mesh.peers[1].stop)

    trajectories = [Trajectory() for _ in range(3)]
    mesh, recorder = run(BAD, seats=3, seed=seed, script=script, input_delay=seed % 3)
    for seat, page in enumerate(mesh.peers):
        assert page.session.reason in ("complete", "stop")
        seen = compare(
            Experience(recorder.text(seat).splitlines()),
            Reading(trajectory_text(page.session, trajectories[seat]).splitlines()),
        )
        assert seen.untrue == ""
        assert seen.guessed > 30




class Echoes:
    """Does what the state is, modulo six: of a guessed state, a guess."""

    def act(self, outlook: Outlook, frame: int, random: Any) -> int:
        return int(outlook.observation) % 6


@pytest.mark.slow
@pytest.mark.parametrize("reaction", [0, 1, 20])
def test_what_a_policy_does_on_a_guessed_state_is_a_guess_in_the_picture(reaction: int) -> None:
    """It fits the confirmed record, and of what it showed nothing wrong is called known. What is older than any guess
    is none."""
    mesh, recorder = run(
        Conditions(delay=0.08, jitter=0.03, loss=0.05), session={"policies": [Echoes]},
        simulation=lambda seat: Walk(3, seed=4), policies={"2": {"policy": "echo.py", "reaction_time": reaction}},
    )  # fmt: skip
    wrong = guessed = known = 0
    for seat, page in enumerate(mesh.peers):
        for line in lines_of(recorder.text(seat)):
            if "shown" not in line or line["frame"] >= len(page.rows[line["episode"]]):
                continue
            row = page.rows[line["episode"]][line["frame"]]
            right = [page.session.seats[2].codec.to_json(page.session.seats[2].decode(row[2]))]
            predicted = line.get("predicted", [])
            guessed += 2 in predicted
            known += 2 not in predicted
            if line["shown"][2:] != right:
                wrong += 1
                assert 2 in predicted, line
    if reaction == 20:
        assert (wrong, guessed) == (0, 0)
    else:
        assert wrong > (10 if not reaction else 0)
        assert guessed > wrong
    assert known > 10


@functools.cache
def returned() -> tuple[str, str, str, int]:
    """Of two players the second one's page is loaded again in mid-episode: what both saw, the trajectory, and the frame
    up to which it caught up."""
    trajectory = Trajectory()

    def script(mesh: Mesh) -> None:
        mesh.peers[0].session.add_sink(trajectory)
        mesh.at(3.0, mesh.peers[1].load)

    mesh, recorder = run(Conditions(delay=0.03), script=script, every=0.25, max_steps=150)
    assert [page.session.reason for page in mesh.peers] == ["complete"] * 2
    assert mesh.peers[1].session.load == 1
    text = recorder.text(1)
    (unseen,) = events(text, "unseen")
    return text, recorder.text(0), trajectory_text(mesh.peers[0].session, trajectory), unseen["to"] + 1


@pytest.mark.slow
def test_a_page_that_was_loaded_again_writes_on_behind_a_header_and_says_what_it_never_showed() -> None:
    """All its loads are one record for the reader: the frames that were caught up are no lines of the later one."""
    text, _, confirmed, caught = returned()
    first, second = (line for line in lines_of(text) if "pycore_experienced" in line)
    assert second == {**first, "load": 1}
    assert 60 < caught < 130
    items = list(Experience(text.splitlines()))
    later = [item for item in items if isinstance(item, Displayed) and item.load == 1]
    earlier = [item for item in items if isinstance(item, Displayed) and item.load == 0]
    assert [item.frame for item in later[:3]] == [caught, caught + 1, caught + 2]
    assert max(item.frame for item in earlier) >= caught - 12
    assert {item.episode for item in later} == {0, 1}
    seen = compare(Experience(text.splitlines()), Reading(confirmed.splitlines()))
    assert seen.untrue == ""
    assert seen.ended == "complete"
    assert seen.unseen == max(0, caught - 1 - max(item.frame for item in earlier))


def test_of_a_frame_whose_action_an_earlier_load_did_no_time_of_reading_is_told() -> None:
    """The load before knew it; what this one reads counts some frames later."""
    seen, _, _, caught = returned()
    text = seen.split('"load":1')[1]
    lines = [line for line in map(json.loads, text.splitlines()[1:]) if "shown" in line and line["episode"] == 0]
    without = sorted({line["frame"] for line in lines if "input_ms" not in line})
    assert without == list(range(caught, without[-1] + 1))
    assert 1 <= len(without) < 20
    for line in lines:
        if "input_ms" in line:
            assert 0 <= line["time_ms"] - line["input_ms"] < 2000


def test_the_other_players_record_says_who_came_back() -> None:
    """Since when, and to which load."""
    _, other, _, caught = returned()
    (back,) = events(other, "returned")
    assert (back["player"], back["load"], back["of"]) == (1, 1, {"episode": 0, "frame": caught - 1})
    assert "returning" in [line["status"] for line in events(other, "peer")]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda lines, at: [*lines[:at], lines[at].replace('"load":1', '"load":0'), *lines[at + 1 :]], "behind load 0"),
        (lambda lines, at: [*lines[:at], lines[at].replace('"seed":', '"seed":9'), *lines[at + 1 :]], "seed of load 1"),
        (lambda lines, at: [line for line in lines if '"unseen"' not in line], "lines are missing"),
        (lambda lines, at: lines[:at] + lines[at + 1 :], "behind"),
    ],
)
def test_a_later_loads_record_that_does_not_fit_is_refused(change: Any, what: str) -> None:
    """By its line: of another game, of no later load, without what it never showed, without its header."""
    lines = returned()[0].splitlines()
    (at,) = [number for number, line in enumerate(lines) if '"load":1' in line and "pycore_experienced" in line]
    with pytest.raises(RecordError, match=what):
        list(Experience(change(lines, at)))
