"""A copy of the database while it is written to; a subject forgotten; names in the place of subject ids."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from conftest import ON_BOTH
from people_support import People

from pycore.cli import cli
from pycore.errors import UsageError
from pycore.relay import Limits
from pycore.relay.games.outcomes import person_of
from pycore.relay.games.uploads import Piece
from pycore.relay.ledger import Ledger
from pycore.relay.storage.backup import back_up
from pycore.relay.storage.pseudonyms import KeyedPseudonyms
from pycore.relay.storage.store import DataStore
from pycore.relay.storage.tables import games, outcomes, seats

DATABASES = ON_BOTH
ANNA, BERT = "anna-0815", "bert-4711"
OLD = 1_000_000.0
HEAD = '{"format":1}\n'


def fill(url: str, *played: tuple[str, list[str | None], float]) -> None:
    """Games with their subjects by seat, and when they were; every table has something of each player."""
    store = DataStore(url)

    async def put() -> None:
        for game, subjects, wall in played:
            row = {
                "game_id": game, "started": wall, "ended": wall + 60, "seed": 7, "players": json.dumps([0, 1]),
                "subjects": json.dumps({str(seat): subject for seat, subject in enumerate(subjects)}),
                "settings": json.dumps({"fps": 30}), "restarts": 0,
            }  # fmt: skip
            seats = [
                {"game_id": game, "player": str(seat), "session": f"{seat:064}", "page": "p", "loads": 0, "gone": None}
                for seat in range(2)
            ]
            await store.put_game(row, seats)
            for player in ("0", "1"):
                await store.put_metrics(game, player, -1, f'{{"of":"{player}"}}', wall)
                await store.put_piece(game, player, 0, Piece(0, 0, 0, 1, True), f"{HEAD}{{}}\n{{}}\n", wall)
                await store.put_record(game, player, 1, 0, 1, f"{HEAD}{{}}\n", wall)
                await store.put_experienced(game, player, 0, True, "{}\n", wall)
                await store.put_connection(game, player, str(1 - int(player)), {"of": player}, wall)

    def decide(connection: sa.Connection) -> None:
        # Of whoever is known by an id, and of somebody who waited in vain.
        known = {subject for _, subjects, _ in played for subject in subjects if subject is not None}
        for subject in sorted(known):
            game = next((game, str(of.index(subject))) for game, of, _ in played if subject in of)
            connection.execute(outcomes.insert().values(
                person=person_of(subject, ""), subject=subject, outcome="completed", waited_s=1.5, decided=OLD,
                game_id=game[0] if subject != BERT else None, player=game[1] if subject != BERT else None, final=True,
            ))  # fmt: skip

    try:
        asyncio.run(put())
        store.write(decide)
    finally:
        store.close()


def everything(url: str) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables."""
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            return {
                table.name: [
                    dict(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()
                ]
                for table in games.metadata.sorted_tables
            }
    finally:
        engine.dispose()


def run(url: str, *words: str) -> Result:
    return CliRunner().invoke(cli, ["data", "--database", url, *words])


@pytest.mark.slow
def test_forgetting_says_first_what_it_would_remove(database: Callable[[Path], str], tmp_path: Path) -> None:
    """And changes nothing unless it is told to."""
    url = database(tmp_path)
    fill(url, ("g1", [ANNA, BERT], OLD))
    before = everything(url)
    result = run(url, "--forget", ANNA)
    assert result.exit_code == 0, result.output
    assert "g1  1970-01-12 13:46 UTC  player 0: " in result.output
    for name in ("session_metrics", "pieces", "records", "experienced", "connections"):
        assert f"1 of {name}" in result.output
    assert "nothing was changed" in result.output
    assert everything(url) == before


@pytest.mark.slow
def test_a_subject_is_forgotten_and_the_others_data_are_as_they_were(
    database: Callable[[Path], str], tmp_path: Path
) -> None:
    """In every game of it; whoever has a similar id is somebody else; its page can store nothing any more."""
    url = database(tmp_path)
    similar = [ANNA.upper(), ANNA + "0", ANNA[:-1], "anna_0815", "%", 'anna"0815']
    fill(
        url, ("g1", [ANNA, BERT], OLD), ("g2", [BERT, ANNA], OLD + 1), ("g3", [BERT, None], OLD + 2),
        *((f"s{number}", [subject, None], OLD + 3) for number, subject in enumerate(similar)),
    )  # fmt: skip
    before = everything(url)
    result = run(url, "--forget", ANNA, "--yes")
    assert result.exit_code == 0, result.output
    assert "of 2 games" in result.output
    after = everything(url)
    assert f'"{ANNA}"' not in str(after)
    gone = {("g1", "0"), ("g2", "1")}
    assert ANNA in str(before["outcomes"])
    assert after["outcomes"] == [row for row in before["outcomes"] if row["subject"] != ANNA]
    for name in set(before) - {"games", "seats", "outcomes"}:
        kept = [row for row in before[name] if (row.get("game_id"), row.get("player")) not in gone]
        assert after[name] == kept
        assert len(kept) == len(before[name]) - (2 if before[name] else 0)
    for old, new in zip(before["games"], after["games"], strict=True):
        subjects = {
            player: None if (old["game_id"], player) in gone else subject
            for player, subject in json.loads(old["subjects"]).items()
        }
        assert new == old | {"subjects": new["subjects"]}
        assert json.loads(new["subjects"]) == subjects
    for old, new in zip(before["seats"], after["seats"], strict=True):
        if (old["game_id"], old["player"]) in gone:
            assert new["session"] != old["session"]
            assert new["page"] is None
        else:
            assert new == old
    assert run(url, "--forget", ANNA, "--yes").exit_code == 2
    assert "outcomes: 1" in run(url, "--forget", BERT).output
    assert run(url, "--forget", BERT, "--yes").exit_code == 0
    assert not any(row["subject"] == BERT for row in everything(url)["outcomes"])


@pytest.mark.slow
def test_nothing_of_it_lies_in_the_file_of_a_sqlite_database(tmp_path: Path) -> None:
    """Neither in pages that are free nor in the log."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    fill(url, ("g1", [ANNA, BERT], OLD))
    store = DataStore(url)
    # An environment that says it in its infos, over many pages of the file.
    asyncio.run(store.put_metrics("g1", "0", 3, json.dumps({"name": [ANNA] * 5000}), OLD))
    store.close()
    assert ANNA.encode() in (tmp_path / "x.db").read_bytes()
    assert run(url, "--forget", ANNA, "--yes").exit_code == 0
    for file in tmp_path.iterdir():
        assert ANNA.encode() not in file.read_bytes(), file


@pytest.mark.slow
def test_whole_games_are_removed_where_that_is_asked_for(database: Callable[[Path], str], tmp_path: Path) -> None:
    """With all that the partner stored; other games stay."""
    url = database(tmp_path)
    fill(url, ("g1", [ANNA, BERT], OLD), ("g2", [BERT, None], OLD))
    before = everything(url)
    assert "2 of session_metrics" in run(url, "--forget", ANNA, "--whole-games").output
    assert run(url, "--forget", ANNA, "--whole-games", "--yes").exit_code == 0
    after = everything(url)
    assert after == {name: [row for row in rows if row["game_id"] != "g1"] for name, rows in before.items()}
    assert after["outcomes"] != before["outcomes"]


@pytest.mark.slow
def test_a_game_that_a_server_may_hold_is_not_forgotten_behind_its_back(tmp_path: Path) -> None:
    """It would write it down again; whoever has stopped it says so."""
    import time

    url = f"sqlite:///{tmp_path / 'x.db'}"
    fill(url, ("g1", [ANNA, BERT], time.time() - 100), ("g0", [ANNA, BERT], OLD))
    before = everything(url)
    result = run(url, "--forget", ANNA, "--yes")
    assert (result.exit_code, "a server may have it" in " ".join(result.output.split())) == (2, True), result.output
    assert everything(url) == before
    assert run(url, "--forget", ANNA, "--yes", "--stopped").exit_code == 0
    assert ANNA not in str(everything(url))


@pytest.mark.slow
def test_a_game_whose_end_nobody_wrote_down_may_go_on_for_a_day(tmp_path: Path) -> None:
    """Pages that store nothing before the end are heard of no more while they play."""
    import time

    url = f"sqlite:///{tmp_path / 'x.db'}"
    fill(url, ("g1", [ANNA, BERT], time.time() - 3 * 3600))
    with sqlite3.connect(tmp_path / "x.db") as changed:
        changed.execute("UPDATE games SET ended = NULL")
    changed.close()
    assert run(url, "--forget", ANNA, "--yes").exit_code == 2
    with sqlite3.connect(tmp_path / "x.db") as changed:
        changed.execute("UPDATE games SET ended = started + 60")
    changed.close()
    assert run(url, "--forget", ANNA, "--yes").exit_code == 0


@pytest.mark.slow
def test_who_was_forgotten_stays_so_though_a_server_writes_its_game_down_again(
    database: Callable[[Path], str], tmp_path: Path
) -> None:
    """As it does when a page that was left open is closed at last; the others' are written as they are."""
    url = database(tmp_path)
    fill(url, ("g1", [ANNA, BERT], OLD))
    before = everything(url)
    assert run(url, "--forget", ANNA, "--yes").exit_code == 0
    lost = everything(url)["seats"][0]["session"]
    store = DataStore(url)

    async def again() -> None:
        row = before["games"][0] | {"restarts": 3}
        await store.put_game(row, [seat | {"loads": 5} for seat in before["seats"]])
        for player, subject in (("0", ANNA), ("1", BERT)):
            said = {
                "person": person_of(subject, "s"), "subject": subject, "outcome": "completed", "waited_s": 1.0,
                "decided": OLD, "game_id": "g1", "player": player, "final": False,
            }  # fmt: skip
            assert (await store.put_outcome(said))["outcome"] == "completed"

    try:
        asyncio.run(again())
    finally:
        store.close()
    after = everything(url)
    assert ANNA not in str(after)
    assert person_of(ANNA, "s") not in str(after)
    assert json.loads(after["games"][0]["subjects"]) == {"0": None, "1": BERT}
    assert after["games"][0]["restarts"] == 3
    assert [seat["session"] for seat in after["seats"]] == [lost, before["seats"][1]["session"]]
    assert [seat["loads"] for seat in after["seats"]] == [5, 5]
    assert after["seats"][0]["page"] is None


def test_a_game_that_was_removed_stays_so_though_a_page_of_it_is_closed_at_last(
    database: Callable[[Path], str], tmp_path: Path
) -> None:
    """The page stood open over night, so the server has the game still, and writes it down when that goes. One that
    goes on it writes down anew, as behind a copy that was put back."""
    store = DataStore(database(tmp_path))
    ledger = Ledger(store, Limits())

    async def go() -> None:
        people = People()
        for sid, who in (("a", ANNA), ("b", BERT)):
            people.come(sid, f"?PROLIFIC_PID={who}")
        (room,) = people.lobby.games.playing()

        async def writes(removed: bool) -> int:
            if removed:
                for table in (games, seats):
                    store.write(lambda connection, table=table: connection.execute(table.delete()))  # type: ignore[misc]
            await ledger.settled(room)
            return len(store.read(sa.select(games))) + len(store.read(sa.select(seats)))

        assert [await writes(False), await writes(True)] == [3, 3]
        for seat in room.seats:
            people.lobby.owners.finished(room.game_id, seat, OLD)
        assert [await writes(False), await writes(False)] == [3, 3]
        people.leave("a")
        assert room.over
        assert [await writes(True), await writes(False)] == [0, 0]

    async def written() -> None:
        writing = asyncio.create_task(ledger.run())
        try:
            await go()
        finally:
            writing.cancel()

    try:
        asyncio.run(written())
    finally:
        store.close()


@pytest.mark.slow
def test_mistakes_in_what_is_asked_are_named(tmp_path: Path) -> None:
    """And do nothing."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    fill(url, ("g1", [ANNA, BERT], OLD))
    for words, message in (
        (["--forget", "nobody"], "nothing of a subject 'nobody'"),
        (["--forget", ""], "nothing of a subject ''"),
        (["--yes"], "name that one"),
        (["--forget", ANNA, "--out", str(tmp_path / "o")], "are done by themselves"),
        (["--forget", ANNA, "--backup", str(tmp_path / "b")], "are done by themselves"),
    ):
        result = run(url, *words)
        assert (result.exit_code, message in result.output) == (2, True), result.output


@pytest.mark.slow
def test_a_backup_is_whole_while_the_database_is_written_to(tmp_path: Path) -> None:
    """A state at one moment, in one file, of all that was acknowledged before; the file itself alone has none of it."""
    url, target = f"sqlite:///{tmp_path / 'x.db'}", tmp_path / "copies" / "copy.db"
    store = DataStore(url)
    written, ends = [0], threading.Event()

    async def write() -> None:
        while not ends.is_set():
            number = written[0] + 1
            # Two rows that belong together: nobody may ever see one of them alone.
            game = {
                "game_id": f"g{number}", "started": OLD, "seed": number, "players": "[0, 1]", "subjects": "{}",
                "settings": "{}", "restarts": 0,
            }  # fmt: skip
            seat = {"game_id": f"g{number}", "player": "0", "session": "s" * 64, "page": None, "loads": 0, "gone": None}
            await store.put_game(game, [seat])
            written[0] = number

    thread = threading.Thread(target=lambda: asyncio.run(write()))
    thread.start()
    try:
        while written[0] < 20:
            ends.wait(0.01)
        before = written[0]
        assert back_up(url, target) == target.stat().st_size
        after = written[0]
        while written[0] < after + 5:
            ends.wait(0.01)
    finally:
        ends.set()
        thread.join(10)
        store.close()
    assert [path.name for path in target.parent.iterdir()] == ["copy.db"]
    found = everything(f"sqlite:///{target}")
    assert before <= len(found["games"]) <= after + 1
    assert [row["game_id"] for row in found["games"]] == [row["game_id"] for row in found["seats"]]
    with pytest.raises(UsageError, match="there already"):
        back_up(url, target)
    again = DataStore(f"sqlite:///{target}", create=False)
    again.close()


def test_what_cannot_be_copied_leaves_no_copy(tmp_path: Path) -> None:
    """A file that is no database, one that is not there, a place where nothing can be written."""
    (tmp_path / "text.db").write_text("this is no database, and it is long enough to be read as one " * 20)
    (tmp_path / "file").write_text("x")
    for name, target, message in (
        ("text", tmp_path / "a.db", "there is no copy"),
        ("none", tmp_path / "a.db", "there is no database file"),
        ("text", tmp_path / "file" / "a.db", "there is no copy"),
    ):
        with pytest.raises(UsageError, match=message):
            back_up(f"sqlite:///{tmp_path / name}.db", target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "text.db"]


@pytest.mark.parametrize("there", [False, True])
def test_a_copy_is_made_where_a_file_has_one_name_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    """A stick with FAT; and what has come there meanwhile is not replaced there either."""
    url, target = f"sqlite:///{tmp_path / 'x.db'}", tmp_path / "stick" / "copy.db"
    fill(url, ("g1", [ANNA, BERT], OLD))

    def refused(part: Path, place: Path) -> None:
        if there:
            place.write_text("another copy")
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    if there:
        with pytest.raises(UsageError, match="there is no copy"):
            back_up(url, target)
        assert target.read_text() == "another copy"
    else:
        assert back_up(url, target) == target.stat().st_size
        assert len(everything(f"sqlite:///{target}")["games"]) == 1
    assert [path.name for path in target.parent.iterdir()] == ["copy.db"]


def test_of_postgresql_it_says_what_copies_it() -> None:
    """Without its password."""
    with pytest.raises(UsageError, match=r"pg_dump --format=custom --file=x 'postgresql://u:.*@h/d'") as raised:
        back_up("postgresql+psycopg://u:s3cret@h/d", Path("x"))
    assert "s3cret" not in str(raised.value)


def test_the_command_makes_a_backup(tmp_path: Path) -> None:
    """And says how large it is."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    fill(url, ("g1", [ANNA, BERT], OLD))
    result = run(url, "--backup", str(tmp_path / "b.db"))
    assert result.exit_code == 0, result.output
    with sqlite3.connect(tmp_path / "b.db") as copy:
        assert copy.execute("SELECT count(*) FROM games").fetchone() == (1,)
    copy.close()


@pytest.mark.slow
def test_names_in_the_place_of_ids_are_the_same_as_long_as_the_key_is(tmp_path: Path) -> None:
    """In every database and in every order; of another key they are others, and no id is in what is written."""
    one, two = f"sqlite:///{tmp_path / 'one.db'}", f"sqlite:///{tmp_path / 'two.db'}"
    fill(one, ("g1", [ANNA, BERT], OLD))
    fill(two, ("g2", [None, ANNA], OLD), ("g3", [BERT, ANNA], OLD + 1))
    key, other = tmp_path / "keys" / "key", tmp_path / "keys" / "other"

    def exported(url: str, key: Path, out: str) -> dict[str, dict[str, str | None]]:
        result = run(url, "--pseudonyms", str(key), "--out", str(tmp_path / out))
        assert result.exit_code == 0, result.output
        for file in (tmp_path / out).rglob("*"):
            assert file.is_dir() or not any(each.encode() in file.read_bytes() for each in (ANNA, BERT))
        return {
            file.parent.name: json.loads(file.read_text())["subjects"] for file in (tmp_path / out).glob("*/game.json")
        }

    first = exported(one, key, "a")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    anna, bert = first["g1"]["0"], first["g1"]["1"]
    assert len({anna, bert, None}) == 3
    assert exported(two, key, "b") == {"g2": {"0": None, "1": anna}, "g3": {"0": bert, "1": anna}}
    assert exported(one, other, "c")["g1"]["0"] != anna
    listed = run(one, "--pseudonyms", str(key)).output
    assert str(anna) in listed
    assert ANNA not in listed
    assert anna == KeyedPseudonyms.of_file(key).of(ANNA)


@pytest.mark.slow
def test_a_key_that_protects_nothing_is_refused(tmp_path: Path) -> None:
    """One beside the data, one that is too short; and players who are called by their ids."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    fill(url, ("g1", [ANNA, "1"], OLD))
    (tmp_path / "short").write_text("abc")
    (tmp_path / "binary").write_bytes(b"\xff" * 40)
    good = str(tmp_path / "good")
    # Participant 1 on the seat 1 is not called by it.
    result = run(url, "--pseudonyms", good)
    assert (result.exit_code, "player 1  S" in result.output) == (0, True), result.output
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("UPDATE games SET players = '[\"0\", \"1\"]'")
    for words, message in (
        (["--pseudonyms", str(tmp_path / "o" / "key"), "--out", str(tmp_path / "o")], "beside the data"),
        (["--pseudonyms", str(tmp_path / "short")], "is no key"),
        (["--pseudonyms", str(tmp_path / "binary")], "cannot read"),
        (["--pseudonyms", good], "is called by the subject id"),
    ):
        result = run(url, *words)
        assert (result.exit_code, message in result.output) == (2, True), result.output
