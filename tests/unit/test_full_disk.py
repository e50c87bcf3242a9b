"""A disk that is full while a command writes: one sentence, the status of a mistake, and nothing half."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from records_support import forgotten, stored  # noqa: F401

resource = pytest.importorskip("resource")

COMMANDS = {
    "export": ["export", "{game}", "--csv", "{out}/tables"],
    "psych-ds": ["export", "{game}", "--psych-ds", "{out}/set", "--mapping", "{out}/mapping.json"],
    "report": ["report", "{game}", "-o", "{out}/report.html"],
    "replay": ["replay", "{game}/trajectory-0.jsonl", "--env", "{game}/game.py", "--out", "{out}/lines.jsonl"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_told_and_is_no_verdict(tmp_path: Path, name: str) -> None:
    """Status 1 would say that something differs, or that data are incomplete."""
    game, out = stored(tmp_path / "game", about=True), tmp_path / "out"
    out.mkdir()
    call = [each.format(game=game, out=out) for each in COMMANDS[name]]
    # What a file may be at most stands for what a disk has left: byte code is written by nobody here.
    found = subprocess.run(
        [sys.executable, "-B", "-m", "pycore", *call], capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )  # fmt: skip
    assert found.returncode == 2, found.stderr
    assert "Traceback" not in found.stderr
    assert "File too large" in found.stderr
    assert list(out.iterdir()) == []
