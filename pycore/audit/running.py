"""Runs an audit in a process of its own, and gathers what it told.

An environment may end the interpreter, or never return. Then that is the finding, with the stage in which it happened.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pycore.audit.findings import Finding, Report
from pycore.audit.pyodide import needs
from pycore.errors import ConfigError

__all__ = ["audit"]

POLL: Final = 0.05


def audit(
    subject: str,
    *,
    players: Sequence[int | str] = (),
    frames: int = 300,
    seed: int = 1,
    space: Any = None,
    interface: str | None = None,
    pyodide: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    timeout: float = 600.0,
    tell: Callable[[str], None] = lambda text: None,
) -> Report:
    """Audit the environment that `subject` (``module:factory`` or ``file.py:factory``) makes.

    `space` is the action space of every seat in its plain form, where the environment has none; `pyodide` is the folder
    of a Pyodide in which the same actions are played under Node; `settings` are a study's, whose actions are played and
    policies tried, with their files beside the environment's; `tell` is given the stage that begins; after `timeout`
    seconds the audit is ended. Raises ConfigError where there is no such factory, or no such policy.
    """
    if pyodide is not None:
        needs(pyodide, subject)
    with tempfile.TemporaryDirectory(prefix="pycore-audit-") as folder:
        file = Path(folder) / "told"
        file.touch()
        given = {
            "subject": subject,
            "players": list(players),
            "frames": frames,
            "seed": seed,
            "space": space,
            "interface": interface,
            "pyodide": None if pyodide is None else str(pyodide.resolve()),
            "settings": None if settings is None else dict(settings),
            "file": str(file),
            "folder": os.getcwd(),
        }
        errors = Path(folder) / "errors"
        with open(errors, "wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "pycore.audit.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(_paths())},
                start_new_session=True,
            )
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps(given).encode())
            process.stdin.close()
            return _gathered(subject, process, file, errors, timeout, tell)
        finally:
            _end(process)


def _paths() -> list[str]:
    """Where the child finds this very package, and what the caller finds."""
    own = str(Path(__file__).resolve().parents[2])
    return [own, *[path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]]


def _gathered(
    subject: str,
    process: subprocess.Popen[bytes],
    file: Path,
    errors: Path,
    timeout: float,
    tell: Callable[[str], None],
) -> Report:
    report = Report(subject)
    stage = "starting"
    ended = False
    until = time.monotonic() + timeout
    with open(file, encoding="utf-8") as told:
        while True:
            running = process.poll() is None
            for line in _lines(told):
                if "mistake" in line:
                    process.wait()
                    raise ConfigError(line["mistake"])
                if "stage" in line:
                    stage = line["stage"]
                    tell(stage)
                elif "finding" in line:
                    report.add(Finding(**line["finding"]))
                else:
                    report.facts, ended = line["facts"], True
            if not running:
                break
            if time.monotonic() > until:
                _end(process)
                what = f"it was still {stage} after {timeout:g} s"
                report.add(Finding("hung", "crash", what, "see that reset() and step() return"))
                return report
            time.sleep(POLL)
    if not ended:
        report.add(_crash(process.returncode, stage, errors))
    return report


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it, if it runs, with all that it has started: an environment that hangs would do so for good."""
    if process.poll() is None:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()


def _lines(file: Any) -> Iterator[dict[str, Any]]:
    """What was told since, line by line; half a line waits."""
    while True:
        at = file.tell()
        line = file.readline()
        if not line.endswith("\n"):
            file.seek(at)
            return
        yield json.loads(line)


def _crash(status: int, stage: str, errors: Path) -> Finding:
    last = errors.read_text("utf-8", "replace").strip().splitlines()[-1:]
    if status < 0:
        name = signal.Signals(-status).name
        what = f"the interpreter was ended by {name} while {stage}"
    else:
        what = f"the process ended with status {status} while {stage}" + (f": {last[0]:.200}" if last else "")
    return Finding(
        "crashed",
        "crash",
        what,
        "a library in C did that, or os._exit(): see what its objects do when they are copied, or give get_state() and "
        "set_state()",
    )
