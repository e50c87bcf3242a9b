"""Whole episodes that a player has nothing of: what is there of the others is stored, written out, read and judged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from experienced_support import run

from pycore.cli import cli
from pycore.events import CaughtUp
from pycore.export.evidence import Evidence, evidence_of
from pycore.export.files import games_of
from pycore.export.sources import of_paths
from pycore.records import Trajectory, export_session_metrics
from pycore.records.pieces import Pieces
from pycore.relay.games.uploads import Piece
from pycore.relay.storage.store import DataStore
from pycore.report.study import collect
from pycore.testing import Conditions, Mesh, Standing
from pycore.testing.happenings import Happenings
from pycore.testing.pages import Page, Watcher
from pycore.testing.scenario import Happening

SETTINGS = {"max_steps": 30, "num_episodes": 8, "hash_interval": 7, "interrupted_after": 0.5}
PLAYED_FOR = {"on_drop": "default_action", "on_interrupt": "default_action"}


class Stored(Watcher):
    """What each load of each page has stored, a second after it was confirmed at the latest."""

    def __init__(self) -> None:
        self.pieces: dict[tuple[int, int, int, int], dict[str, Any]] = {}
        """By player, episode, revision and first frame."""
        self._of: dict[int, tuple[Any, Pieces]] = {}
        self._ticks = 0

    def polled(self, page: Page, outputs: Sequence[Any]) -> None:
        """Each load has pieces of its own."""
        if page.seat not in self._of or self._of[page.seat][0] is not page.session:
            trajectory = Trajectory()
            page.session.add_sink(trajectory)
            self._of[page.seat] = page.session, Pieces(page.session, trajectory, page.session.load)

    def advanced(self, page: Page, flags: int) -> None:
        """A tick is done."""
        pieces = self._of[page.seat][1]
        for event in page.events(CaughtUp):
            pieces.caught_up(event.episode, event.frames)
        self._ticks += 1
        if self._ticks % 10 == 0 or page.session.reason:
            for piece in pieces.take():
                self.pieces[page.seat, piece["episode"], piece["revision"], piece["first"]] = piece


def database(folder: Path, happens: Sequence[str], lost: int | None = None, **settings: Any) -> str:
    """A game of two; of player 1 nothing of the episode `lost` came to the server."""
    stored, standing = Stored(), Standing()

    def script(mesh: Mesh) -> None:
        standing.mesh = mesh
        mesh.server.grace = 60.0
        happenings = Happenings(mesh, standing)
        for text in happens:
            happenings.add(Happening.of(*text.split()))

    of = {**SETTINGS, **settings}
    mesh, _ = run(Conditions(delay=0.03), seats=2, script=script, watchers=(stored,), **of)
    assert [page.session.reason for page in mesh.peers] == ["complete"] * 2
    url = f"sqlite:///{folder / 'study.db'}"

    async def fill(store: DataStore) -> None:
        row = {"game_id": "mesh", "started": 1.7e9, "ended": 1.7e9 + 60, "seed": 4, "players": "[0, 1]"}
        await store.put_game({**row, "subjects": "{}", "settings": json.dumps(of)})
        for (seat, episode, *_), each in stored.pieces.items():
            if (seat, episode) != (1, lost):
                piece = Piece(*(each[name] for name in ("revision", "base", "first", "frames", "last")))
                await store.put_piece("mesh", str(seat), episode, piece, each["data"], 1.7e9)
        for seat, page in enumerate(mesh.peers):
            metrics = json.dumps(export_session_metrics(page.session))
            await store.put_metrics("mesh", str(seat), -1, metrics, 1.7e9, load=page.session.load)

    store = DataStore(url)
    asyncio.run(fill(store))
    store.close()
    return url


def written(folder: Path, url: str) -> tuple[int, Path, Evidence]:
    """Status of `pycore data`, its folder of the game, and what the files prove together."""
    status = CliRunner().invoke(cli, ["data", "--database", url, "--out", str(folder / "out")]).exit_code
    out = folder / "out" / "mesh"
    return status, out, evidence_of(games_of([out])[0])


def lengths(file: Path) -> dict[int, int]:
    """Frames by episode."""
    found: dict[int, int] = {}
    for line in file.read_text().splitlines()[1:]:
        value = json.loads(line)
        if "frame" in value:
            found[value["episode"]] = 1 + value["frame"]
    return found


def test_who_was_away_for_whole_episodes_has_those_before_and_those_behind_them(tmp_path: Path) -> None:
    """Written out was what lay before the first of them alone, without a word, and a record with them was refused."""
    url = database(tmp_path, ["socket-down 1@2.2-5", "cut 0-1@2.2-5"], **PLAYED_FOR)
    status, out, evidence = written(tmp_path, url)
    there = lengths(out / "trajectory-1.jsonl")
    missed = {*range(8)} - {*there}
    assert len(missed) > 1
    assert there[7] == 30
    assert lengths(out / "trajectory-0.jsonl") == dict.fromkeys(range(8), 30)
    assert (status, [*out.glob("*.incomplete")]) == (0, [])
    alone = evidence_of(games_of([out / "trajectory-1.jsonl"])[0])
    assert (alone.status, alone.reasons[0].partition(" (")[0]) == (
        "single", f"episode {min(missed) - 1} was broken off after {there[min(missed) - 1]} frames"
    )  # fmt: skip
    (said,) = evidence.reasons
    assert (evidence.status, said.startswith("player 1 was away: from frame ")) == ("partial", True)
    tables = ["export", "--database", url, "--csv", str(tmp_path / "tables")]
    assert CliRunner().invoke(cli, tables).exit_code == 0


def test_an_episode_that_the_longest_record_lacks_is_that_of_another_one(tmp_path: Path) -> None:
    """Who was away for whole episodes was there to the end, and the other one's last rows never came. The tables had
    none of those episodes, totals were of a part of one, and it was said that the game was broken off there."""
    url = database(tmp_path, ["socket-down 1@2.2-5", "cut 0-1@2.2-5"], **PLAYED_FOR)
    _, out, _ = written(tmp_path, url)
    record = out / "trajectory-0.jsonl"
    before = CliRunner().invoke(cli, ["export", str(out), "--csv", str(tmp_path / "before")])
    record.write_text("".join(record.read_text().splitlines(keepends=True)[:-11]))
    after = CliRunner().invoke(cli, ["export", str(out), "--csv", str(tmp_path / "after")])
    assert (before.exit_code, after.exit_code) == (0, 0)
    assert (tmp_path / "after" / "frames.csv").read_bytes() == (tmp_path / "before" / "frames.csv").read_bytes()
    evidence = evidence_of(games_of([out])[0])
    assert evidence.frames == 240
    assert evidence.reasons[0].startswith("player 0 has 230 of 240 frames, and nothing from episode 7, frame 20 on")
    assert not any("broken off" in reason for reason in evidence.reasons)
    told = [episode.frames for episode in collect(of_paths([out])).games[0].episodes]
    assert told == [30] * 8


def test_of_an_episode_that_never_came_the_others_are_read_and_it_is_named(tmp_path: Path) -> None:
    """A page that crashed at its end, and came back to the next one, had not stored it. Where it was the first, the
    file was empty, and the whole study could not be exported."""
    url = database(tmp_path, ["reload 1@2.2=1"], lost=0)
    status, out, evidence = written(tmp_path, url)
    assert lengths(out / "trajectory-1.jsonl") == dict.fromkeys(range(1, 8), 30)
    assert (status, [path.name for path in out.glob("*.incomplete")]) == (1, ["trajectory-1.jsonl.incomplete"])
    assert evidence.reasons[0] == "player 1 has nothing of episode 0, and goes on behind it"
    assert evidence.status == "partial"
