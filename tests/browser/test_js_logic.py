"""The logic of the shims, by Node's own test runner: framing, keys, deadlines, retries, pictures."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "js"


@pytest.mark.browser
def test_the_logic_of_the_shims_holds_in_node():
    """Every test of tests/browser/js passes."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node on the PATH")
    files = sorted(str(path) for path in HERE.glob("*.test.mjs"))
    assert files
    run = subprocess.run([node, "--test", *files], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
