"""A trial begun once more, in a process of its own: `python -m pycore.audit.again`.

It is told by its standard input what to play and what came of it in the other process, and writes the first frame that
differs into the file named there.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

from pycore.audit.comparison import digests
from pycore.audit.findings import Report
from pycore.audit.trial import Given, Trial
from pycore.factory import load_factory


def main() -> None:
    """Play what standard input says, and write the first frame that differs."""
    job = json.load(sys.stdin)
    sys.path.insert(0, os.getcwd())
    given = Given(
        load_factory(job["subject"]), tuple(job["players"]), job["frames"], job["seed"], job["space"], job["interface"],
        settings=job["settings"],
    )  # fmt: skip
    trial = Trial(given, Report(job["subject"]))
    trial.make()
    trial.actions()
    trial.play(guess=job["guess"])
    found: dict[str, Any] = {}
    # Of a turn-based game the moves are found by playing, so there may be more of them, or fewer.
    for at, (digest, expected) in enumerate(zip(digests(trial.first), job["digests"], strict=False)):
        if digest != expected:
            frame = trial.first[at]
            found = {"at": at, "state": base64.b64encode(frame.state).decode(), "row": frame.row}
            break
    Path(job["file"]).write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main()
