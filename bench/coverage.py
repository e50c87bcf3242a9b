"""How much of the code the tests reach: lines of each package of pycore that unit, property and oracle tests run.

Lines only: branches cost three times the time on this Python, and the laws, which draw their own branches, are
better judges of those. What runs in child processes (the command line, the relay as a server) or in a browser alone
(the bridge's import of `js`) is not seen and counts as missed. Examples are as few as in `build.py test --fast`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from bench.rows import Row, row
from tools.paths import ROOT
from tools.process import Failed
from tools.steps import LAWS, QUICK, UNIT, WITHOUT

TESTS = (*UNIT, *LAWS, "-m", f"{WITHOUT} and not tooling")
"""Tests of the tools run none of pycore, and one of them is about the page that this is written into."""


def package_of(path: str) -> str:
    """The package that a source file belongs to; a module beside the packages belongs to `pycore` itself."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    inner = parts[parts.index("pycore") + 1 :]
    return inner[0] if len(inner) > 1 else "pycore"


def rows_of(found: Mapping[str, Any]) -> list[Row]:
    """Percentages by package, and of all, of what `coverage json` wrote."""
    lines: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for path, file in found["files"].items():
        for name in (package_of(path), ""):
            lines[name][0] += file["summary"]["covered_lines"]
            lines[name][1] += file["summary"]["num_statements"]
    percent = {name: 100 * covered / max(1, there) for name, (covered, there) in lines.items()}
    parts = [row(f"coverage.{name}.lines", percent[name], "%") for name in sorted(percent) if name]
    return [row("coverage.lines", percent[""], "%"), *parts]


def measure() -> list[Row]:
    """Run those tests under coverage.py."""
    with tempfile.TemporaryDirectory() as temporary:
        data, report = Path(temporary) / "coverage", Path(temporary) / "coverage.json"
        # sys.monitoring, where this Python has it: a tracer would take twice as long.
        variables = {**os.environ, **QUICK, "COVERAGE_FILE": str(data), "COVERAGE_CORE": "sysmon"}
        tool = [sys.executable, "-m", "coverage"]
        run = [*tool, "run", "--source=pycore", "-m", "pytest", "-q", *TESTS]
        done = subprocess.run(run, cwd=ROOT, env=variables, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"the tests failed under coverage:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
        subprocess.run(
            [*tool, "json", "-q", "-o", str(report)], cwd=ROOT, env=variables, check=True, capture_output=True
        )
        return rows_of(json.loads(report.read_text("utf-8")))
