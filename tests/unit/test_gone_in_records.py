"""What a trajectory says of the terms of an episode, and of who is gone: on which line, to whom, and who reads it."""

from __future__ import annotations

import csv
import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from core_support import Table, settings
from experienced_support import lines_of, run
from records_support import SEED, forgotten, of_three  # noqa: F401

from pycore.cli import cli
from pycore.events import PlayerGone
from pycore.records import RecordError, Trajectory, first_untrue, read, trajectory_text
from pycore.records.pieces import Pieces
from pycore.session.covered import Told, first_fields
from pycore.session.phases import DONE, PLAYING
from pycore.testing import Conditions, Mesh, Walk

DELAYS = [1, 3, 2]


def keys(tick: int) -> list[int]:
    """Actions that change all the time, and are never the default one."""
    return [1 + (tick * 3 + seat * 2) % 5 for seat in range(3)]


def watched(on_drop: str = "default_action", **more: Any) -> tuple[Table, list[Trajectory]]:
    """Three, each seat with an input delay of its own, and everybody's trajectory."""
    of = settings(max_steps=60, num_episodes=2, on_drop=on_drop, seats=[{"input_delay": delay} for delay in DELAYS])
    table = Table(3, of.replace(**more))
    kept = [Trajectory() for _ in range(3)]
    for session, trajectory in zip(table.sessions, kept, strict=True):
        session.add_sink(trajectory)
    return table, kept


def play(table: Table, ticks: int = 2000) -> None:
    """Go on until those who stay are done, or for so many ticks."""
    for tick in range(ticks):
        if table[0].phase >= DONE and table[1].phase >= DONE:
            return
        table.tick(*keys(tick))


def lose(table: Table) -> int:
    """The last player is gone, and its last inputs have reached the first one alone; returns the last frame of them."""
    table.passes = lambda sender, to, what: (sender, to) == (2, 0) or 2 not in (sender, to)
    play(table, 4)
    held = table[0].timeline.frames.held[2]
    assert held > table[1].timeline.frames.held[2]
    table.passes = lambda sender, to, what: 2 not in (sender, to)
    table[1].player_left(2, table.now, certain=True)
    return held


def gone_in(text: str) -> dict[tuple[int, int], dict[str, str]]:
    """The lines that say that somebody is gone, by episode and frame."""
    return {(line["episode"], line["frame"]): line["gone"] for line in lines_of(text) if "gone" in line}


def test_every_survivors_trajectory_has_the_first_frame_that_is_not_the_lost_players_and_is_the_same() -> None:
    """In the episode in which that one went, and in each that it misses from the first frame behind its delay."""
    table, kept = watched()
    play(table.start(), 30)
    held = lose(table)
    play(table)
    texts = [trajectory_text(table[peer], kept[peer]) for peer in (0, 1)]
    assert texts[0] == texts[1]
    taken = {"2": "default_action"}
    assert gone_in(texts[0]) == {(0, held + 1): taken, (1, DELAYS[2]): taken}
    actions = {(line["episode"], line["frame"]): line["actions"][2] for line in lines_of(texts[0]) if "actions" in line}
    assert actions[0, held] != 0
    assert {actions[0, frame] for frame in range(held + 1, 60)} == {actions[1, frame] for frame in range(60)} == {0}
    assert table[0].hash_mismatches == 0
    assert table[0].hashes_compared > 3


def test_who_went_before_an_input_of_its_own_is_gone_from_the_first_frame_that_would_have_had_one() -> None:
    """The frames before are everybody's: some were confirmed already."""
    table, kept = watched()
    table.passes = lambda sender, to, what: sender != 2 or table[2].phase < PLAYING
    while table[0].phase < PLAYING or table[0].frame < DELAYS[2] + 2:
        play(table, 1)
    assert table[0].published >= 0
    assert table[0].timeline.frames.held[2] == DELAYS[2] - 1
    table[1].player_left(2, table.now, certain=True)
    table.passes = lambda sender, to, what: 2 not in (sender, to)
    play(table)
    texts = [trajectory_text(table[peer], kept[peer]) for peer in (0, 1)]
    assert texts[0] == texts[1]
    assert list(gone_in(texts[0])) == [(0, DELAYS[2]), (1, DELAYS[2])]


class Silent(Walk):
    """A game whose steps give nothing."""

    def step(self, actions: Any) -> None:  # type: ignore[override]
        super().step(actions)


def test_whose_page_records_nothing_hashes_the_same() -> None:
    """Its frames go another way to the hash."""
    of = settings(max_steps=60, hash_interval=10, on_drop="default_action")
    table = Table(3, of, simulation=lambda peer: Silent(3, seed=7), each=[{"sinks": ()}, {}, {}])
    play(table.start(), 30)
    lose(table)
    play(table)
    assert table.published[0] == []
    assert table.published[1] != []
    assert (table[0].hash_mismatches, table[1].hash_mismatches) == (0, 0)
    assert table[1].hashes_compared > 6


def test_where_the_game_ends_with_the_last_action_nobody_is_gone_in_it() -> None:
    """There is no frame that is another's."""
    table, kept = watched("end")
    play(table.start(), 30)
    held = lose(table)
    play(table)
    text = trajectory_text(table[0], kept[0])
    assert gone_in(text) == {}
    assert lines_of(text)[-1]["frames"] == held + 1


def test_the_first_line_of_each_episode_has_the_input_delays_that_it_was_played_with() -> None:
    """Those that were agreed on, by seat, and on no other line."""
    table, kept = watched()
    table[1].propose_input_delay(5, seat=0)
    play(table.start())
    text = trajectory_text(table[0], kept[0])
    assert text == trajectory_text(table[1], kept[1]) == trajectory_text(table[2], kept[2])
    found = {(line["episode"], line["frame"]): line["delays"] for line in lines_of(text) if "delays" in line}
    assert found == {(0, 0): DELAYS, (1, 0): [5, 3, 2]}


class Bot:
    """Plays along."""

    def act(self, outlook: Any, frame: int, random: Any) -> int:
        return frame % 6


def test_a_policy_that_everybody_computes_has_no_input_delay() -> None:
    """It acts from the first frame on."""
    of = settings(max_steps=20, policies={"2": "bot.py"}, input_delay=2, action_space={"type": "discrete", "n": 6})
    mesh = Mesh(2, of, lambda seat: Walk(3), lambda seat: lambda episode, frame: 1, policies=[Bot])
    kept = Trajectory()
    mesh.peers[0].session.add_sink(kept)
    mesh.run(30.0)
    assert json.loads(next(kept.lines(0)))["delays"] == [2, 2, 0]


def edited(text: str, change: Any) -> str:
    """A trajectory with one of its frames changed."""
    lines = [json.loads(line) for line in text.splitlines()]
    change(lines)
    return "".join(json.dumps(line, sort_keys=True, separators=(",", ":")) + "\n" for line in lines)


def earlier(lines: list[dict[str, Any]]) -> None:
    """The player is gone a frame earlier."""
    at = next(number for number, line in enumerate(lines) if "gone" in line)
    lines[at - 1]["gone"] = lines[at].pop("gone")


def of_text(folder: Path) -> str:
    """A trajectory of three of whom one went."""
    return (of_three(folder, "default_action") / "trajectory-0.jsonl").read_text()


@pytest.mark.parametrize(
    "change",
    [
        earlier,
        lambda lines: next(line for line in lines if "gone" in line).pop("gone"),
        lambda lines: next(line for line in lines if "gone" in line)["gone"].update({"2": "policy"}),
        lambda lines: lines[1]["delays"].__setitem__(0, 2),
        lambda lines: lines[1].pop("delays"),
    ],
)
def test_what_is_said_of_delays_and_of_who_is_gone_is_covered_by_the_hashes(tmp_path: Path, change: Any) -> None:
    """It cannot be changed in a record, and players who have it otherwise are told."""
    text = of_text(tmp_path)
    game = Walk(3, seed=SEED)
    codecs = [Table(1, settings(action_space={"type": "discrete", "n": 6}))[0].codec] * 3
    assert first_untrue(read(text), game, codecs) == ""
    untrue = first_untrue(read(edited(text, change)), game, codecs)
    assert "has another hash here" in untrue


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda line: line.update(gone={}), "players who are gone that are {}"),
        (lambda line: line.update(gone={"7": "policy"}), "players who are gone that are {'7'"),
        (lambda line: line.update(gone={"2": "somebody"}), "players who are gone that are {'2'"),
        (lambda line: line.update(gone=["2"]), "players who are gone that are ['2']"),
        (lambda line: line.update(delays=[1]), "input delays that are [1], in frame 3"),
        (lambda line: line.update(frame=3, delays=[1, 1, 1]), "input delays that are [1, 1, 1], in frame 3"),
    ],
)
def test_a_line_that_says_it_otherwise_is_refused(tmp_path: Path, change: Any, why: str) -> None:
    """With the line."""
    text = edited(of_text(tmp_path), lambda lines: change(lines[4]))
    with pytest.raises(RecordError, match="line 5: ") as error:
        read(text)
    assert why in str(error.value)


@pytest.mark.parametrize("old", ['"gone":{"2":"policy"},"hash"', '"gone": {"2":"default_action"}'])
def test_it_has_one_spelling(tmp_path: Path, old: str) -> None:
    """And one place in its line."""
    text = of_text(tmp_path)
    assert text.count('"gone":{"2":"default_action"}') == 1
    changed = text.replace('"gone":{"2":"default_action"}', old.replace(',"hash"', ""))
    if '"hash"' in old:
        line = next(line for line in text.splitlines() if '"gone"' in line)
        moved = line.replace('"gone":{"2":"default_action"},', "")[:-1] + ',"gone":{"2":"default_action"}}'
        changed = text.replace(line, moved)
    with pytest.raises(RecordError, match="not spelled as records are"):
        read(changed)


def test_a_record_of_before_there_was_either_is_read_and_stepped_as_it_was() -> None:
    """Its hashes cover actions and results alone."""
    game = Walk(2, seed=SEED)
    game.reset(0)
    lines = ['{"players":[0,1],"pycore":1,"seed":4}']
    rows = b""
    for frame in range(25):
        hashed = ""
        if frame == 20:
            state = game.canonical(game.save()) + blake2b(rows, digest_size=8).digest()
            hashed = f',"hash":"{blake2b(state, digest_size=8).hexdigest()}"'
            rows = b""
        result = game.step([frame % 6, 1])
        assert result is not None
        of = [("infos", {}), ("rewards", {str(a): r for a, r in result.rewards.items()})]
        of += [(name, {str(a): False for a in result.rewards}) for name in ("terminations", "truncations")]
        text = "".join(f',"{name}":{json.dumps(value, separators=(",", ":"))}' for name, value in of)
        rows += bytes([frame % 6, 1]) + text.encode()
        lines.append(f'{{"actions":[{frame % 6},1],"episode":0,"frame":{frame}{hashed}{text}}}')
    recording = read("\n".join(lines) + "\n")
    codecs = [Table(1, settings(action_space={"type": "discrete", "n": 6}))[0].codec] * 2
    assert first_untrue(recording, Walk(2, seed=SEED), codecs) == ""
    assert recording.episodes[0].frames[20].hash
    assert recording.episodes[0].frames[0].delays == recording.episodes[0].frames[9].gone == ""


def test_records_in_pieces_have_it() -> None:
    """Each once, in its place."""
    table, kept = watched()
    table.start()
    cutter = Pieces(table[0], kept[0])
    pieces = []
    held = 0
    for step in range(300):
        play(table, 5)
        if step == 6:
            held = lose(table)
        pieces += list(cutter.take())
        if table[0].phase >= DONE:
            break
    pieces += list(cutter.take())
    assert len(pieces) > 10
    rows = [line for piece in pieces for line in piece["data"].splitlines()[1:]]
    assert rows == trajectory_text(table[0], kept[0]).splitlines()[1:]
    assert list(gone_in("\n".join([*rows, ""]))) == [(0, held + 1), (1, DELAYS[2])]


def test_two_who_have_somebody_gone_at_different_frames_are_told_so_by_name() -> None:
    """As a field of the row."""
    seats = Table(2, settings())[0].seats
    results = b',"infos":{},"rewards":{},"terminations":{},"truncations":{}'
    row = [b"\1", b"\2" + results]
    marked = [b"\1", b"\2" + b',"gone":{"1":"default_action"}' + results]
    own, theirs = (Told(0, 9, b"N", "", [*rows]) for rows in (marked, row))
    fields, lacks = first_fields(own, theirs, seats, "1")
    assert fields == [["rows[8].gone", "{'1': 'default_action'}", "missing"]]
    assert lacks == ""


def test_verify_says_where_the_record_and_the_metrics_do_not_agree(tmp_path: Path) -> None:
    """And what the record says alone, where there are no metrics."""
    game = of_three(tmp_path, "default_action")
    metrics = [game / f"metrics-{seat}.json" for seat in range(3)]
    (drop,) = json.loads(metrics[0].read_text())["drops"]
    told = CliRunner().invoke(cli, ["verify", str(game)]).stdout
    assert told.startswith("partial")
    for path in metrics[:2]:
        path.write_text(path.read_text().replace(f'"frame": {drop["frame"]}, "inputsB', '"frame": 7, "inputsB'))
    told = CliRunner().invoke(cli, ["verify", str(game)]).stdout
    assert told.startswith("desynced")
    assert (
        f"by the record player 2 was gone from frame {drop['frame'] + 1} of episode 1 on, and by the metrics its last "
        "action is of frame 7 in episode 1"
    ) in told
    for path in metrics:
        path.unlink()
    told = CliRunner().invoke(cli, ["verify", str(game)]).stdout
    assert (
        f"player 2 was gone: from frame {drop['frame'] + 1} of episode 1 on its seat was played by default_action, by "
        "the record"
    ) in told


def test_tables_say_whose_place_was_taken_in_each_frame_and_from_where_on(tmp_path: Path) -> None:
    """And the input delays, also without metrics."""
    game = of_three(tmp_path / "game", "default_action")
    (drop,) = json.loads((game / "metrics-0.json").read_text())["drops"]
    for seat in range(3):
        (game / f"metrics-{seat}.json").unlink()
    assert CliRunner().invoke(cli, ["export", str(game), "--csv", str(tmp_path / "tables")]).exit_code == 0
    tables = {}
    for name in ("frames", "episodes"):
        with (tmp_path / "tables" / f"{name}.csv").open(newline="") as stream:
            tables[name] = list(csv.DictReader(stream))
    gone = {(row["player"], row["episode"], int(row["frame"])): row["gone"] for row in tables["frames"]}
    assert {key: what for key, what in gone.items() if what} == {
        ("2", "1", frame): "default_action" for frame in range(drop["frame"] + 1, 50)
    }
    first = {(row["player"], row["episode"]): (row["gone_from"], row["input_delay"]) for row in tables["episodes"]}
    assert first.pop(("2", "1")) == (str(drop["frame"] + 1), "1")
    assert set(first.values()) == {("", "1")}


def test_the_record_of_what_was_seen_says_who_is_gone_and_since_when() -> None:
    """As the session told it."""

    def script(mesh: Mesh) -> None:
        mesh.server.grace = 1.0
        mesh.at(2.0, mesh.peers[2].leave)

    mesh, recorder = run(Conditions(delay=0.03), script=script, seats=3, on_drop="default_action")
    (told,) = mesh.peers[0].events(PlayerGone)
    (line,) = [line for line in lines_of(recorder.text(0)) if line.get("event") == "gone"]
    assert (line["player"], line["cause"], line["on_drop"]) == (2, "left", "default_action")
    assert line["last"] == {"episode": told.episode, "frame": told.frame}
