"""What the files of a game prove where every row that is there is right: ends that lack, files that come twice."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from records_support import SETTINGS, changed, forgotten, stored  # noqa: F401

from pycore.cli import cli


def said(*arguments: str | Path) -> tuple[int, str]:
    """Exit status and output of a command."""
    result = CliRunner().invoke(cli, [str(each) for each in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def one_episode(folder: Path, reasons: tuple[str | None, str | None]) -> Path:
    """A game of two episodes of which the first one was played, and why its players' sessions ended."""
    game = stored(folder)
    for player, reason in enumerate(reasons):
        record, metrics = game / f"trajectory-{player}.jsonl", game / f"metrics-{player}.json"
        rows, end, rest = record.read_text().partition('{"end":0')
        record.write_text(f"{rows}{end}{rest.splitlines()[0]}\n")
        of = json.loads(metrics.read_text())
        of["episodes"] = of["episodes"][:1]
        of["end"]["reason"] = reason
        metrics.write_text(json.dumps(of))
    return game


@pytest.mark.parametrize("reasons", [(None, None), ("player_left", None), ("error", "player_left")])
def test_a_session_that_was_broken_off_between_two_episodes_is_partial(
    tmp_path: Path, reasons: tuple[str | None, str | None]
) -> None:
    """Each episode that there is has its end, and the records are the same bytes: it was called reconciled."""
    status, text = said("verify", one_episode(tmp_path / "game", reasons))
    assert status == 1
    told = ", ".join(f"player {player}: {reason or 'no end in its metrics'}" for player, reason in enumerate(reasons))
    assert text.splitlines() == [
        "partial: mesh: 2 records, 50 frames", f"  the session was broken off behind episode 0 ({told})",
    ]  # fmt: skip


def test_a_session_that_somebody_saw_to_its_end_was_not_broken_off(tmp_path: Path) -> None:
    """Who closed the page behind the last episode broke nothing off; nor did two of whom all episodes are there."""
    assert said("verify", one_episode(tmp_path / "one", ("stop", "player_left")))[0] == 0
    game = one_episode(tmp_path / "game", (None, None))
    about: dict[str, Any] = {"game_id": "mesh", "players": [0, 1], "subjects": {}}
    for episodes, status in ((1, 0), (2, 1)):
        settings = {**SETTINGS, "num_episodes": episodes}
        (game / "game.json").write_text(json.dumps({**about, "settings": settings}))
        assert said("verify", game)[0] == status


@pytest.mark.parametrize("player", [0, 1])
def test_an_episode_without_its_end_in_one_record_is_told_whoever_lacks_it(tmp_path: Path, player: int) -> None:
    """It has all frames, and goes on: of the second player's record nobody noticed it."""
    game = stored(tmp_path)
    file = game / f"trajectory-{player}.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith('{"end":0')))
    status, text = said("verify", game)
    assert status == 1
    assert f"player {player} has no end of episode 0, and goes on" in text or "episode 0 was broken off" in text


def test_what_lies_beside_the_records_and_is_of_another_game_is_told(tmp_path: Path) -> None:
    """It has the name of this one: what the server knew was believed whatever its seed."""
    game = stored(tmp_path, about=True)
    assert said("verify", game)[0] == 0
    about = json.loads((game / "game.json").read_text())
    (game / "game.json").write_text(json.dumps({**about, "seed": 99}))
    status, text = said("verify", game)
    assert status == 1
    assert text.splitlines() == [
        "partial: mesh: 2 records, 100 frames", f"  game.json has the seed 99, the records have {about['seed']}",
    ]  # fmt: skip


@pytest.mark.parametrize("copy", ["{} (1)", "{}(1)", "{} - Copy", "{} copy 2"])
def test_a_record_that_was_saved_twice_is_no_other_players(tmp_path: Path, copy: str) -> None:
    """As a browser or a system calls it that has the file already: two copies were taken for two players."""
    game = stored(tmp_path)
    name = copy.format("trajectory-mesh-0")
    (game / "trajectory-1.jsonl").rename(game / f"{name}.jsonl")
    (game / "metrics-1.json").unlink()
    status, text = said("verify", game)
    assert status == 2
    assert "are both called a record of player 0" in text


def test_what_hidden_folders_hold_is_no_game(tmp_path: Path) -> None:
    """An editor's copies, or what an export left that was killed, kept the study from being exported."""
    game = stored(tmp_path / "study" / "game", about=True)
    hidden = game / ".ipynb_checkpoints"
    hidden.mkdir()
    shutil.copy(game / "trajectory-0.jsonl", hidden / "trajectory-0-checkpoint.jsonl")
    assert said("verify", tmp_path / "study") == (0, "reconciled: mesh: 2 records, 100 frames\n")
    assert said("export", tmp_path / "study", "--csv", tmp_path / "tables")[0] == 0


def test_where_links_lead_is_part_of_a_study_and_each_folder_once(tmp_path: Path) -> None:
    """A pilot that lay elsewhere, and was linked, was left out without a word."""
    study = tmp_path / "study"
    stored(study / "game")
    stored(tmp_path / "pilot" / "of spring")
    (study / "pilot").symlink_to(tmp_path / "pilot", target_is_directory=True)
    (study / "again").symlink_to(study, target_is_directory=True)
    assert said("verify", study) == (0, "reconciled: mesh: 2 records, 100 frames\n" * 2)


def test_a_folder_that_cannot_be_read_is_told_and_not_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its game was in no table, and the command said that it is done. What a disk has at its root is no game."""
    study = tmp_path / "study"
    stored(study / "game")
    (study / "lost+found").mkdir()
    scandir = os.scandir

    def closed(path: Any) -> Any:
        if str(path).endswith(("another's", "lost+found")):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    assert said("verify", study)[0] == 0
    (study / "another's").mkdir()
    for command in (["verify", study], ["export", study, "--csv", tmp_path / "t"], ["report", study]):
        status, text = said(*command)
        assert (status, "another's: Permission denied" in " ".join(text.split())) == (2, True)


def test_metrics_that_are_named_beside_a_folder_are_of_its_game(tmp_path: Path) -> None:
    """They were a second game, without a record; of several games nobody knows which one's they are."""
    game = stored(tmp_path / "study" / "game")
    metrics = tmp_path / "metrics-0.json"
    (game / "metrics-0.json").rename(metrics)
    assert said("verify", game, "--metrics", metrics) == (0, "reconciled: mesh: 2 records, 100 frames\n")
    status, text = said("verify", game, "--metrics", tmp_path / "metrics-5.json")
    assert (status, "there is no file" in text) == (2, True)
    stored(tmp_path / "study" / "other")
    status, text = said("verify", tmp_path / "study", "--metrics", metrics)
    assert (status, "are of one game, and there are 2" in " ".join(text.split())) == (2, True)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"policies": 5}, "a header whose policies are 5"),
        ({"policies": [1]}, "a header whose policies are [1]"),
        ({"players": [0, "0"]}, "a header in which two players are called alike: [0, '0']"),
    ],
)
def test_a_first_line_that_no_page_writes_is_refused_by_each_command(
    tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    """A page may store any: it was an exception without the file's name, and the study had no tables."""
    game = stored(tmp_path / "game")
    file = game / "trajectory-0.jsonl"
    file.write_text(changed(file.read_text(), 1, lambda header: header.update(change)))
    report = ["report", game, "-o", tmp_path / "r"]
    for command in (["verify", game], ["export", game, "--csv", tmp_path / "t"], report):
        status, text = said(*command)
        assert status == 2
        assert f"trajectory-0.jsonl: line 1: {why}" in " ".join(text.split())
