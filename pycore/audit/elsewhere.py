"""The same actions in another process: every player's page is one of its own.

Sets of texts are walked in the order of their hashes, which Python draws anew for each process, as the places in memory
that `id()` gives are others. Two instances in one process agree on all of that, and two pages do not. So the trial is
begun once more with other hashes (`pycore.audit.again`), and the frames are compared. Frames are guessed there from
the first one on: what a module's table or a memo keeps of a frame that is taken back shows in a new process only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pycore.audit.comparison import Frame, difference_elsewhere, digests

__all__ = ["difference"]

TIMEOUT: Final = 120.0
FOLDER: Final = os.getcwd()
"""Where this process began, to which relative paths belong: an environment may go elsewhere."""


def difference(job: dict[str, Any], frames: Sequence[Frame]) -> str | None:
    """The first difference, with its fields; empty if there is none, None where it could not be tried.

    `job` has what `pycore.audit.trial.Given` is made of, with the subject for the factory, and whether to `guess`
    frames there and take them back.
    """
    with tempfile.TemporaryDirectory(prefix="pycore-elsewhere-") as folder:
        file = Path(folder) / "found.json"
        told = json.dumps({**job, "file": str(file), "digests": digests(frames)})
        seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
        try:
            subprocess.run(
                [sys.executable, "-m", "pycore.audit.again"],
                cwd=FOLDER, input=told.encode(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=TIMEOUT,
                check=True,
                env={**os.environ, "PYTHONHASHSEED": seed},
            )  # fmt: skip
            found = json.loads(file.read_text("utf-8"))
        except (subprocess.SubprocessError, OSError, ValueError):
            return None
    if "at" not in found:
        return ""
    return difference_elsewhere(frames[found["at"]], found)
