"""What a command prints reaches a file or a terminal whose encoding has not all of its signs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("click")


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp932", "gbk"])
def test_no_sign_that_an_encoding_lacks_ends_a_command(encoding: str, tmp_path: Path) -> None:
    """As where Windows writes into a file: it is spelled as JSON has it, so that JSON stays JSON."""
    environ = {**os.environ, "PYTHONIOENCODING": encoding}

    def printed(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pycore", *words], cwd=tmp_path, env=environ, capture_output=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.decode(encoding)

    assert "gr\\u00f6\\u00dfe/study.json" in printed("new", "größe")
    (tmp_path / "größe" / "environment.py").rename(tmp_path / "µ.py")
    found = json.loads(printed("simulate", "µ.py", "--seeds", "1", "--seconds", "2", "--latency", "80", "--json"))
    assert found["right"] is True
