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


@pytest.mark.parametrize("encoding", ["cp932", "ascii", "ascii:surrogateescape", "utf-8"])
def test_whatever_is_printed_is_spelled_as_json_has_it(encoding: str) -> None:
    """Also in a locale of ASCII; and half of a surrogate pair, which is in a name that is no text."""
    program = (
        "import sys; from pycore.__main__ import main\nsys.argv = ['pycore', '--version']\n"
        "try:\n    main()\nexcept SystemExit:\n    print('\\u00b5 \\ud800')"
    )
    environ = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, timeout=300)
    *_, last = done.stdout.decode(encoding.partition(":")[0]).splitlines()
    assert json.loads(f'"{last}"') == "\u00b5 \ud800", done.stderr
