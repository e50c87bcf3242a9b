"""`pycore data --out` while things are as they may be: games that go on, nobody who had one, no place to write."""

from __future__ import annotations

import asyncio
import csv
import errno
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from pycore.cli import cli
from pycore.export.seen import open_experience
from pycore.relay.games.outcomes import Outcome, person_of
from pycore.relay.games.uploads import Piece
from pycore.relay.storage.export import export_game, list_games, list_study
from pycore.relay.storage.pieces import PARTS_OF_A_LOAD
from pycore.relay.storage.store import DataStore

GAME = {
    "game_id": "g", "started": 1.0, "seed": 1, "players": "[0, 1]", "settings": "{}",
    "subjects": '{"0": "anna", "1": null}', "restarts": 0,
}  # fmt: skip


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An empty database."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    DataStore(url).close()
    return url


def run(url: str, *words: str) -> Result:
    return CliRunner().invoke(cli, ["data", "--database", url, *words])


def test_a_game_that_ends_while_it_is_exported_has_its_metrics_as_they_were_listed(url: str, tmp_path: Path) -> None:
    """Those of the whole session, which came behind the list, are the next export's."""
    store = DataStore(url)
    try:
        asyncio.run(store.put_game(GAME))
        for episode in (0, 1):
            asyncio.run(store.put_metrics("g", "0", episode, json.dumps({"episode": episode}), 1.0, load=0))
        (game,) = list_games(store)
        asyncio.run(store.put_metrics("g", "0", -1, "{}", 2.0, load=0))
        files = {path.name: path.read_text() for path in export_game(store, game, tmp_path / "out")}
    finally:
        store.close()
    assert json.loads(files["metrics-0.json"]) == {"episode": 1}
    assert json.loads(files["metrics-0-episode-0.json"]) == {"episode": 0}


@pytest.mark.parametrize("behind", ["seats", "games", "session_metrics"])
def test_games_that_begin_and_end_while_they_are_listed_are_listed_as_at_one_moment(url: str, behind: str) -> None:
    """Who completed a game whose end came between two tables had failed, and one that began there had no beginning."""
    listing_between(url, behind)


def listing_between(url: str, behind: str) -> None:
    """A game ends, and another one begins, when that table has been read."""
    writer, reader = DataStore(url), DataStore(url, create=False)
    seats = [{"game_id": "g", "player": str(player), "session": f"s{player}", "gone": None} for player in (0, 1)]
    came = []
    waited = {
        "person": "p", "subject": "pia", "outcome": "waited_in_vain", "waited_s": 60.0, "decided": 1.0, "game_id": None,
        "player": None, "final": False,
    }  # fmt: skip

    def between(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if f"FROM {behind}" in statement and not came:
            came.append(statement)
            asyncio.run(writer.put_game({**GAME, "ended": 9.0}, [{**seat, "outcome": "completed"} for seat in seats]))
            asyncio.run(writer.put_game({**GAME, "game_id": "h", "started": 8.0}))
            for game in ("g", "h"):
                asyncio.run(writer.put_metrics(game, "0", 0, "{}", 9.0))
            asyncio.run(writer.put_outcome({**waited, "outcome": "completed", "game_id": "h", "player": "0"}))

    try:
        asyncio.run(writer.put_game(GAME, seats))
        asyncio.run(writer.put_outcome(waited))
        sa.event.listen(reader.engine, "after_cursor_execute", between)
        (before,), told = list_study(reader)
        assert came
        assert told == [waited], "of the games that there were"
        assert before.row is not None
        assert (before.row["ended"], before.row["outcomes"]) == (None, {})
        assert before.players["0"].metrics_episodes == []
        after = list_games(reader)
        assert [(each.row or {}).get("outcomes") for each in after] == [dict.fromkeys("01", "completed"), {}]
        assert [each.players["0"].metrics_episodes for each in after] == [[0], [0]]
    finally:
        reader.close()
        writer.close()


def test_who_waited_in_vain_is_written_also_where_nobody_had_a_game(url: str, tmp_path: Path) -> None:
    """In a folder that is not there yet."""
    store = DataStore(url)
    vain = Outcome(person_of("anna", ""), "anna", "waited_in_vain", 600.0, 10.0)
    try:
        asyncio.run(store.put_outcome(vain.row()))
    finally:
        store.close()
    result = run(url, "--out", str(tmp_path / "study"))
    assert result.exit_code == 0, result.output
    (row,) = csv.DictReader((tmp_path / "study" / "participants.csv").read_text().splitlines())
    assert (row["subject"], row["outcome"]) == ("anna", "waited_in_vain")


def test_a_place_where_nothing_can_be_written_is_named(url: str, tmp_path: Path) -> None:
    """Status 1 says that something is missing in the data."""
    store = DataStore(url)
    try:
        asyncio.run(store.put_game(GAME))
    finally:
        store.close()
    (tmp_path / "file").write_text("x")
    for out, words in ((tmp_path / "file", ()), (tmp_path / "file", ("--game", "g")), (tmp_path / "file" / "x", ())):
        result = run(url, "--out", str(out), *words)
        assert result.exit_code == 2, result.output
        assert f"cannot write {tmp_path / 'file'}" in result.output
        assert "give another folder" in result.output


def test_what_was_incomplete_and_is_whole_now_is_not_both(url: str, tmp_path: Path) -> None:
    """The piece that was missing came behind the first export; whoever reads the folder reads all that lies there."""
    store, out = DataStore(url), tmp_path / "out"

    def listed() -> list[str]:
        assert run(url, "--game", "g", "--out", str(out)).exit_code == (0 if whole else 1)
        return sorted(path.name for path in out.iterdir() if path.name != "game.json")

    async def put(first: int, last: bool) -> None:
        lines = f'{{"format":1}}\n{{"frame":{first}}}\n' + ("{}\n" if last else "")
        await store.put_piece("g", "0", 0, Piece(0, 0, first, 1, last), lines, 1.0)
        await store.put_experienced("g", "0", first, last, f"{first}\n", 1.0)

    try:
        asyncio.run(store.put_game(GAME))
        for first, last in ((0, False), (2, True)):
            asyncio.run(put(first, last))
        whole = False
        assert listed() == [
            "experienced-0.jsonl.incomplete", "trajectory-0.jsonl", "trajectory-0.jsonl.incomplete",
        ]  # fmt: skip
        asyncio.run(put(1, False))
        whole = True
        assert listed() == ["experienced-0.jsonl", "trajectory-0.jsonl"]
    finally:
        store.close()


def test_a_file_that_could_not_be_written_whole_is_not_there(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that ends with a piece, as where the disk was full, was read as one of a game that had ended there."""
    store, out = DataStore(url), tmp_path / "out"

    async def put(first: int) -> None:
        await store.put_piece("g", "0", 0, Piece(0, 0, first, 1, False), f'{{"format":1}}\n{{"frame":{first}}}\n', 1.0)

    try:
        asyncio.run(store.put_game(GAME))
        for first in (0, 1):
            asyncio.run(put(first))
        (game,) = list_games(store)
        export_game(store, game, out)
        before = (out / "trajectory-0.jsonl").read_bytes()
        asyncio.run(put(2))
        (game,) = list_games(store)
        piece = DataStore.piece

        def full(*of: Any) -> bytes:
            if of[-1] == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
            return piece(*of)

        monkeypatch.setattr(DataStore, "piece", full)
        with pytest.raises(OSError, match="No space left"):
            export_game(store, game, out)
    finally:
        store.close()
    assert (out / "trajectory-0.jsonl").read_bytes() == before
    assert sorted(path.name for path in out.iterdir()) == ["game.json", "trajectory-0.jsonl"]


def test_a_game_of_which_nothing_was_stored_keeps_no_study_from_being_exported(url: str, tmp_path: Path) -> None:
    """As where both have closed the page at once; by its folder it was left out without a word. One has its picture
    alone, of one there is no row of the game."""
    seen = '{"game_id":"%s","player":0,"players":[0,1],"pycore_experienced":1}\n'
    store = DataStore(url)
    try:
        for game in ("g", "h"):
            asyncio.run(store.put_game({**GAME, "game_id": game}))
        for game in ("h", "i"):
            asyncio.run(store.put_experienced(game, "0", 0, True, seen % game, 1.0))
    finally:
        store.close()
    assert run(url, "--out", str(tmp_path / "study")).exit_code == 0
    tables = []
    for number, words in enumerate((["--database", url], [str(tmp_path / "study")])):
        out = tmp_path / f"tables-{number}"
        result = CliRunner().invoke(cli, ["export", *words, "--csv", str(out)])
        assert result.exit_code == 0, result.output
        tables.append((out / "sessions.csv").read_text())
        result = CliRunner().invoke(cli, ["report", *words, "--out", str(tmp_path / "report.html")])
        assert result.exit_code == 0, result.output
    assert tables[0] == tables[1]
    rows = [(row["game_id"], row["player"], row["subject"]) for row in csv.DictReader(tables[0].splitlines())]
    subjects = {"g": "anna", "h": "anna", "i": ""}
    assert rows == [row for game, anna in subjects.items() for row in ((game, "0", anna), (game, "1", ""))]
    result = CliRunner().invoke(cli, ["verify", str(tmp_path / "study")])
    assert (result.exit_code, result.output.count("there is no record")) == (1, 3)


def test_a_long_line_of_which_the_rest_never_came_keeps_no_record_from_being_read(url: str, tmp_path: Path) -> None:
    """What many players with large actions were shown is more than a part has: a page that was closed in between left
    a file that every command refused, and the study with it."""
    store = DataStore(url)
    head = '{"game_id":"g","player":0,"players":[0,1],"pycore_experienced":1}\n'
    first = head + '{"episode":0,"event":"hidden","frame":0,"ti'
    again = head.replace('"player"', '"load":1,"player"')
    try:
        asyncio.run(store.put_game(GAME))
        texts = {0: first, 1: 'me_ms":1}\n{"episode":0,"event":"sho', PARTS_OF_A_LOAD: again}
        for part, text in texts.items():
            asyncio.run(store.put_experienced("g", "0", part, False, text, 1.0))
    finally:
        store.close()
    assert run(url, "--game", "g", "--out", str(tmp_path / "out")).exit_code == 0
    lines = (tmp_path / "out" / "experienced-0.jsonl").read_text().splitlines()
    assert [json.loads(line).get("event") for line in lines] == [None, "hidden", None]
    assert [item.event for item in open_experience(tmp_path / "out" / "experienced-0.jsonl")] == ["hidden"]


def test_what_a_page_stored_that_cannot_be_read_is_told_with_the_way_around_it(url: str, tmp_path: Path) -> None:
    """The sentence named a file of a folder that was gone by then, and one participant kept the whole study back."""
    store = DataStore(url)
    good = '{"configuration":"c","environment":"e","game_id":"g","players":[0,1],"pycore":1,"seed":1}\n'
    row = '{"actions":[0,0],"episode":0,"frame":0}\n'
    try:
        for game, head in (("g", good), ("h", "none\n")):
            asyncio.run(store.put_game({**GAME, "game_id": game}))
            asyncio.run(store.put_piece(game, "0", 0, Piece(0, 0, 0, 1, False), head + row, 1.0))
    finally:
        store.close()
    for words in (["export", "--csv", str(tmp_path / "t")], ["report", "--out", str(tmp_path / "r.html")]):
        result = CliRunner().invoke(cli, [words[0], "--database", url, *words[1:]])
        text = " ".join(result.output.split())
        assert result.exit_code == 2
        assert "game h: trajectory-0.jsonl: line 1: no JSON" in text
        assert "pycore data --out DIR, take out what is refused" in text
        assert str(tmp_path / ".pycore") not in text
    out = tmp_path / "study"
    assert run(url, "--out", str(out)).exit_code == 0
    (out / "h" / "trajectory-0.jsonl").unlink()
    result = CliRunner().invoke(cli, ["export", str(out), "--csv", str(tmp_path / "t")])
    assert result.exit_code == 0, result.output
