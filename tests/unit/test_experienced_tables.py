"""The experienced records of a game among its files: verified, exported, and asked what the guide asks."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import re
import statistics
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from experienced_support import run

from pycore.cli import cli
from pycore.export.evidence import evidence_of
from pycore.export.files import games_of
from pycore.export.seen import compare
from pycore.records import Experience, Trajectory, export_session_metrics, trajectory_text
from pycore.report.series import Curves
from pycore.testing import Conditions, Mesh

DOCS = Path(__file__).parents[2] / "docs"


def study(folder: Path, *, reload: bool = False) -> Path:
    """A game of two over a bad network, with a tab that was hidden, as the relay's files are; and perhaps with a page
    that was loaded again in the second episode."""
    def script(mesh: Mesh) -> None:
        for page, trajectory in zip(mesh.peers, kept, strict=True):
            page.session.add_sink(trajectory)
        mesh.at(1.5, lambda: setattr(mesh.peers[0], "hidden", True))
        mesh.at(2.0, lambda: setattr(mesh.peers[0], "hidden", False))
        if reload:
            mesh.at(5.0, mesh.peers[1].load)

    kept = [Trajectory(), Trajectory()]
    every = 0.5 if reload else 5.0
    mesh, recorder = run(Conditions(delay=0.08, jitter=0.03, loss=0.05), script=script, every=every)
    if reload:
        # What the server has of both loads is the record of the other one, to the byte.
        kept[1] = kept[0]
    game = folder / "study" / "mesh"
    game.mkdir(parents=True)
    for seat, page in enumerate(mesh.peers):
        metrics = export_session_metrics(page.session)
        metrics |= {
            "clock": {"offsetMs": 40.5, "rttMs": 3.0},
            "waiting": {"joined": 1.0, "began": 2.0, "seconds": 12.5},
        }
        (game / f"metrics-{seat}.json").write_text(json.dumps(metrics))
        (game / f"trajectory-{seat}.jsonl").write_bytes(trajectory_text(page.session, kept[seat]).encode())
        (game / f"experienced-{seat}.jsonl").write_bytes(recorder.text(seat).encode())
    return folder / "study"


def call(*command: Any) -> Any:
    return CliRunner().invoke(cli, [str(each) for each in command])


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
def test_what_was_seen_is_verified_and_exported(tmp_path: Path) -> None:
    """As many rows as the records have lines of each kind, and the sessions' columns say what the metrics do."""
    folder = study(tmp_path)
    done = call("verify", folder)
    assert (done.exit_code, done.output.split(":")[0]) == (0, "reconciled"), done.output
    assert call("export", folder, "--csv", tmp_path / "tables").exit_code == 0
    lines = [
        json.loads(line) for seat in (0, 1)
        for line in (folder / "mesh" / f"experienced-{seat}.jsonl").read_text().splitlines()
    ]  # fmt: skip
    (evidence,) = map(evidence_of, games_of([folder]))
    (hidden,) = (line["time_ms"] for line in lines if line.get("event") == "hidden")
    (shown,) = (line["time_ms"] for line in lines if line.get("event") == "shown")
    assert (evidence.seen["0"].times_hidden, evidence.seen["0"].hidden_ms) == (1, shown - hidden)
    assert (evidence.seen["1"].times_hidden, evidence.seen["1"].hidden_ms) == (0, 0)
    for name, key in (("experienced", "shown"), ("seconds", "second")):
        assert len(table(tmp_path / "tables", name)) == sum(key in line for line in lines)
    assert len(table(tmp_path / "tables", "events")) == sum("event" in line or "end" in line for line in lines)
    corrected = [row for row in table(tmp_path / "tables", "experienced") if row["corrected"] == "true"]
    assert len(corrected) > 20
    unseen = [row for row in table(tmp_path / "tables", "experienced") if row["hidden"] == "true"]
    assert len(unseen) == sum(line.get("hidden", False) for line in lines if "shown" in line) > 5
    session = table(tmp_path / "tables", "sessions")[0]
    metrics = json.loads((folder / "mesh" / "metrics-0.json").read_text())
    found = metrics["predictions"]["1"]
    assert float(session["rtt_ms_p50"]) == metrics["network"]["1"]["rttMs"]["p50"]
    names = ("predicted_inputs", "prediction_hits", "prediction_misses", "repeat_last_hits")
    counted = [found["frames"], found["hits"], found["misses"], found["repeatLastHits"]]
    assert [int(session[name]) for name in names] == counted
    assert json.loads(session["rollback_depths"]) == metrics["rollbacks"]["depths"]
    assert (session["times_hidden"], session["waited_s"], session["clock_offset_ms"]) == ("1", "12.5", "40.5")
    assert 450 <= float(session["hidden_ms"]) <= 550


@pytest.mark.slow
@pytest.mark.parametrize("own", [True, False])
def test_a_record_that_does_not_fit_is_told(tmp_path: Path, own: bool) -> None:
    """An action that was no guess is another one than the confirmed one; also where the player has no record, and the
    longest one has not the episode."""
    folder = study(tmp_path)
    file = folder / "mesh" / "experienced-1.jsonl"
    text = file.read_text()
    line = next(line for line in text.splitlines() if '"frame":40,' in line and '"shown"' in line)
    value = json.loads(line)
    value["shown"][1] = 5 - value["shown"][1]
    file.write_text(text.replace(line, json.dumps(value, sort_keys=True, separators=(",", ":")), 1))
    if not own:
        record = folder / "mesh" / "trajectory-1.jsonl"
        lines = record.read_text().splitlines(keepends=True)
        begins = next(at for at, each in enumerate(lines) if '"episode":1,' in each)
        (folder / "mesh" / "trajectory-0.jsonl").write_text("".join([lines[0], *lines[begins:]]))
        (folder / "mesh" / "trajectory-other.jsonl").write_text("".join(lines[:begins]))
        record.unlink()
    done = call("verify", folder)
    assert done.exit_code == 1
    assert "partial" in done.output
    assert "what player 1 saw does not fit the record: episode 0, frame 40: of seat 1" in done.output


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("name", ["seed", "configuration"])
def test_what_was_seen_of_another_game_of_this_name_is_told(tmp_path: Path, name: str) -> None:
    """Its frames may fit all the same, as those of an environment that draws nothing."""
    folder = study(tmp_path)
    file = next(folder.rglob("experienced-0.jsonl"))
    first, rest = file.read_text().split("\n", 1)
    file.write_text(json.dumps({**json.loads(first), name: 99}, sort_keys=True, separators=(",", ":")) + f"\n{rest}")
    result = call("verify", folder)
    assert result.exit_code == 1
    assert f"what player 0 saw has the {name} 99, the records have" in result.output


def test_a_record_that_was_cut_off_is_refused_by_line(tmp_path: Path) -> None:
    """In the middle of one."""
    folder = study(tmp_path)
    file = folder / "mesh" / "experienced-1.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    done = call("verify", folder)
    assert done.exit_code == 2
    assert "cut off" in done.output


def blocks_of(guide: Path) -> list[str]:
    """Its Python, block by block."""
    return re.findall(r"^```python\n(.*?)^```", guide.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def executed(block: str) -> tuple[str, dict[str, Any]]:
    """What a snippet prints, and its names."""
    names: dict[str, Any] = {}
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(block, "guide", "exec"), names)
    return out.getvalue(), names


def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, list[dict[str, Any]]]]:
    """The lines of the guide to questions, one block after the other, over a study's tables: its relations' rows."""
    pytest.importorskip("duckdb")
    folder = study(tmp_path)
    assert call("export", folder, "--parquet", tmp_path / "tables").exit_code == 0
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for block in blocks_of(DOCS / "howto" / "questions.md"):
            exec(compile(block, "questions.md", "exec"), names)
    found = {
        name: [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
        for name, relation in names.items() if hasattr(relation, "fetchall") and name != "duckdb"
    }  # fmt: skip
    return folder / "mesh", found


def lines_of(game: Path, player: int) -> list[dict[str, Any]]:
    text = (game / f"experienced-{player}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.slow
def test_the_five_questions_are_answered_as_the_records_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Round trips by the minute, a picture, an absence, waiting, and times: each read line by line from the record."""
    game, found = answers(tmp_path, monkeypatch)
    for player in (0, 1):
        lines = lines_of(game, player)
        seconds = [line for line in lines if "second" in line]
        trips = [peer["rtt_ms"] for line in seconds for peer in line["peers"].values() if peer["rtt_ms"] is not None]
        (minute,) = [row for row in found["round_trips"] if row["player"] == str(player)]
        assert len(trips) > 3
        assert minute["rtt_ms"] == pytest.approx(statistics.median(trips))
        assert (minute["minute"], minute["rtt_ms_max"]) == (0, max(trips))
        assert minute["rollbacks"] == sum(line["rollbacks"] for line in seconds) > 0

        shown = [line for line in lines if "shown" in line]
        picture = [line for line in shown if (line["episode"], line["frame"]) == (0, 40)]
        rows = [row for row in found["pictures"] if row["player"] == str(player)]
        assert sorted(row["time_ms"] for row in rows) == sorted(line["time_ms"] for line in picture) != []
        assert {json.loads(row["shown"])[player] for row in rows} == {int(row["action"]) for row in rows}

        first: dict[tuple[int, int], int] = {}
        for line in shown:
            first.setdefault((line["episode"], line["frame"]), line["time_ms"])
        times = {
            (row["episode"], row["frame"]): (row["own_ms"], row["server_ms"])
            for row in found["times"] if row["player"] == str(player)
        }  # fmt: skip
        assert times == {key: (time, time + 40.5) for key, time in first.items()}

    events = [line for line in lines_of(game, 0) if line.get("event") in ("hidden", "shown")]
    (away,) = found["away"]
    assert (away["player"], away["away_ms"]) == ("0", events[1]["time_ms"] - events[0]["time_ms"])
    metrics = [json.loads((game / f"metrics-{player}.json").read_text("utf-8")) for player in (0, 1)]
    for row, each in zip(found["waits"], metrics, strict=True):
        assert (row["waited_s"], row["stood_ms"]) == (12.5, pytest.approx(1000 * each["quality"]["stalls"] / 30))


@pytest.mark.slow
def test_a_reaction_is_from_the_first_picture_to_the_next_other_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a loop over the record of one player finds it, for every rewarded frame. A key that the tick of the picture
    read was down before there was a picture."""
    game, found = answers(tmp_path, monkeypatch)
    trajectory = [json.loads(line) for line in (game / "trajectory-0.jsonl").read_text("utf-8").splitlines()]
    rows = [line for line in trajectory if "frame" in line]
    expected: dict[tuple[str, int, int], float] = {}
    for player in (0, 1):
        first: dict[tuple[int, int], dict[str, Any]] = {}
        for line in lines_of(game, player):
            if "shown" in line:
                first.setdefault((line["episode"], line["frame"]), line)
        for row in rows:
            key = (row["episode"], row["frame"])
            if any(row["rewards"].values()) and key in first:
                onset = first[key]["time_ms"]
                later = [
                    first[key[0], after["frame"]]["input_ms"]
                    for before, after in itertools.pairwise(rows)
                    if after["episode"] == before["episode"] == key[0] and after["frame"] > key[1]
                    and after["actions"][player] != before["actions"][player]
                    and first[key[0], after["frame"]].get("input_ms", 0) > onset
                ]  # fmt: skip
                if later:
                    expected[str(player), *key] = min(later) - onset
    assert len(expected) > 10
    assert {(row["player"], row["episode"], row["frame"]): row["reaction_ms"] for row in found["reactions"]} == expected


@pytest.mark.slow
def test_the_guides_onsets_are_those_of_the_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first picture of every rewarded frame, and the last correction after it, as read line by line."""
    pytest.importorskip("pandas")
    folder = study(tmp_path)
    assert call("export", folder, "--csv", tmp_path / "tables").exit_code == 0
    monkeypatch.chdir(tmp_path)
    onsets_block, mark_block = blocks_of(DOCS / "howto" / "eeg-video.md")
    _, names = executed(onsets_block)
    found = {
        (row.player, row.episode, row.frame): (row.first_ms, row.right_ms, row.was_true, row.server_ms)
        for row in names["onsets"].itertuples()
    }
    expected = {}
    rewarded = {
        (int(row["episode"]), int(row["frame"])) for row in table(tmp_path / "tables", "frames")
        if float(row["reward"] or 0)
    }  # fmt: skip
    for player in (0, 1):
        text = (folder / "mesh" / f"experienced-{player}.jsonl").read_text()
        for line in map(json.loads, text.splitlines()):
            if "shown" in line and (line["episode"], line["frame"]) in rewarded:
                key = (player, line["episode"], line["frame"])
                expected.setdefault(key, (line["time_ms"], line["time_ms"], True, line["time_ms"] + 40.5))
            if line.get("event") == "corrected":
                for frame in range(line["from"], line["to"] + 1):
                    key, time = (player, line["episode"], frame), line["time_ms"]
                    if key in expected:
                        expected[key] = (expected[key][0], time, False, time + 40.5)
    assert len(expected) > 10
    assert 0 < sum(was_true for _, _, was_true, _ in expected.values()) < len(expected)
    assert found == expected
    _, names = executed(mark_block)
    assert [names["mark"](frame)["color"] for frame in (0, 7, 8, 15, 16)] == [
        "#000000", "#000000", "#ffffff", "#ffffff", "#000000"
    ]  # fmt: skip


@pytest.mark.slow
def test_a_game_to_which_somebody_came_back_is_reconciled_and_its_tables_say_which_load_it_was(tmp_path: Path) -> None:
    """Totals are those of the last load, and need not agree; what it stepped again and never showed is counted."""
    folder = study(tmp_path, reload=True)
    game = folder / "mesh"
    metrics = json.loads((game / "metrics-1.json").read_text())
    assert (metrics["load"], [episode["episode"] for episode in metrics["episodes"]]) == (1, [0, 1])
    sent = metrics["inputs"]["sentViaP2P"] + metrics["inputs"]["sentViaSocketIO"]
    assert 0 < sent < 120, "of an episode and a half"
    result = call("verify", folder)
    assert result.exit_code == 0, result.output
    assert call("export", folder, "--csv", tmp_path / "tables").exit_code == 0
    (first, second) = table(tmp_path / "tables", "sessions")
    assert [row["loads"] for row in (first, second)] == ["0", "1"]
    assert first["unseen_frames"] == "0"
    shown = [row for row in table(tmp_path / "tables", "experienced") if row["player"] == "1"]
    assert {row["load"] for row in shown} == {"0", "1"}
    seen = {int(row["frame"]) for row in shown if row["episode"] == "1"}
    assert len(seen) + int(second["unseen_frames"]) == 90
    seconds = [row for row in table(tmp_path / "tables", "seconds") if row["player"] == "1"]
    assert [row["second"] for row in seconds if row["load"] == "1"][:2] == ["0", "1"]
    events = [row for row in table(tmp_path / "tables", "events") if row["player"] == "1"]
    (unseen,) = [json.loads(row["more"]) for row in events if row["event"] == "unseen"]
    assert unseen["from"] == 0
    for player in ("0", "1"):
        record = Experience((game / f"experienced-{player}.jsonl").read_text().splitlines())
        curves = Curves().take(record)
        assert all(after > before for before, after in itertools.pairwise(curves.seconds))
        assert 6 <= curves.seconds[-1] <= 12
    metrics["load"] = 0
    (game / "metrics-1.json").write_text(json.dumps(metrics))
    assert "inputs" in call("verify", folder).output, "of somebody who was there all the time they must"


def rows_to(file: Path, *rows: dict[str, Any]) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.slow
def test_minutes_and_absences_are_those_of_each_load_of_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds count anew behind a reload, and a page that was hidden then is shown without a word: minutes of two loads
    were one, and an absence lasted to the next one."""
    duckdb = pytest.importorskip("duckdb")
    game = {"game_id": "g", "player": "0"}
    (tmp_path / "tables").mkdir()
    monkeypatch.chdir(tmp_path / "tables")
    counts = {"stalls": 0, "rollbacks": 1, "rtt_ms": 40.0}
    rows_to(Path("seconds.csv"), *(
        {**game, "second": second, "load": load, "time_ms": 1e12 + 1000 * (second + 90 * load), **counts}
        for load in (0, 1) for second in range(3)
    ))  # fmt: skip
    at = {**game, "episode": 0, "frame": 1}
    rows_to(Path("events.csv"), *(
        {**at, "event": event, "load": load, "time_ms": 1e12 + time}
        for load, event, time in ((0, "hidden", 100), (1, "hidden", 91_000), (1, "shown", 92_000))
    ))  # fmt: skip
    rows_to(Path("sessions.csv"), {**game, "subject": "anna", "loads": 1})
    for name in ("seconds", "events", "sessions"):
        duckdb.sql(f"COPY (SELECT * FROM '{name}.csv') TO '{name}.parquet'")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    blocks = blocks_of(DOCS / "howto" / "questions.md")
    with contextlib.redirect_stdout(io.StringIO()):
        for block in (blocks[0], blocks[2]):
            exec(compile(block, "questions.md", "exec"), names)
    trips = names["round_trips"]
    at_minute = [dict(zip(trips.columns, row, strict=True)) for row in trips.fetchall()]
    assert [(row["minute"], row["rollbacks"]) for row in at_minute] == [(0, 3), (1, 3)]
    away = names["away"]
    column = away.columns.index("away_ms")
    assert [row[column] for row in away.fetchall()] == [None, 1000.0]


@pytest.mark.slow
def test_the_guides_onsets_are_there_where_nothing_was_corrected_or_somebody_has_no_reward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty reward counted as one, and without a correction there was an exception."""
    pytest.importorskip("pandas")
    (tmp_path / "tables").mkdir()
    monkeypatch.chdir(tmp_path)
    place = {"game_id": "g", "player": 0, "episode": 0}
    rows_to(Path("tables/frames.csv"), *(
        {**place, "frame": frame, "reward": reward} for frame, reward in ((0, ""), (1, 0), (2, 1.5))
    ))  # fmt: skip
    rows_to(Path("tables/experienced.csv"), *({**place, "frame": frame, "time_ms": 100 + frame} for frame in range(3)))
    rows_to(Path("tables/events.csv"), {**place, "event": "hidden", "time_ms": 90, "more": "{}"})
    rows_to(Path("tables/sessions.csv"), {"game_id": "g", "player": 0, "clock_offset_ms": 0.5})
    _, names = executed(blocks_of(DOCS / "howto" / "eeg-video.md")[0])
    found = [(row.frame, row.first_ms, row.was_true, row.server_ms) for row in names["onsets"].itertuples()]
    assert found == [(2, 102, True, 102.5)]


def test_events_say_by_which_load_of_the_page_they_were_told(tmp_path: Path) -> None:
    """The end, too."""
    line = {"game_id": "g", "players": [0], "player": 0, "pycore_experienced": 1}
    place = {"episode": 0, "frame": 1}
    lines = [
        line, {"event": "hidden", "time_ms": 1, **place}, {**line, "load": 1},
        {"event": "shown", "time_ms": 2, **place}, {"end": "complete", "time_ms": 3},
    ]  # fmt: skip
    text = "".join(json.dumps(each, sort_keys=True, separators=(",", ":")) + "\n" for each in lines)
    (tmp_path / "experienced-0.jsonl").write_text(text)
    (tmp_path / "metrics-0.json").write_text('{"gameId": "g", "playerId": 0}')
    assert call("export", tmp_path, "--csv", tmp_path / "tables").exit_code == 0
    rows = [(row["event"], row["load"]) for row in table(tmp_path / "tables", "events")]
    assert rows == [("hidden", "0"), ("shown", "1"), ("end", "1")]


def test_what_was_hidden_is_counted_over_all_loads_of_a_page() -> None:
    """One that was hidden when it was loaded again was so to the end of what that load recorded."""
    head = {"pycore_experienced": 1, "game_id": "g", "player": 0, "players": [0]}

    def event(name: str, at: int) -> dict[str, Any]:
        return {"event": name, "time_ms": at, "episode": 0, "frame": 0}

    lines = [
        head, event("hidden", 1000), event("shown", 1500), event("hidden", 2000), event("clock", 2600),
        {**head, "load": 1}, event("phase", 9000), event("hidden", 9100), {"end": "complete", "time_ms": 9900},
    ]  # fmt: skip
    texts = [json.dumps(line, sort_keys=True, separators=(",", ":")) for line in lines]
    seen = compare(Experience(texts), ())
    assert (seen.times_hidden, seen.hidden_ms) == (3, 500 + 600 + 800)
