"""The process in which an audit runs the researcher's code: `python -m pycore.audit.child`.

It reads a JSON object from its standard input, and writes one JSON object a line to the file named there: the stage
that begins, each finding, at last the facts. So whoever reads the file knows how far it came, even if it came to an end
in the middle.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from typing import Any

from pycore.audit.agents import said_spaces
from pycore.audit.findings import Finding, Report
from pycore.audit.stages import run
from pycore.audit.trial import Given, Trial
from pycore.errors import PycoreError
from pycore.factory import find_factory, load_policy
from pycore.named import COMPUTED_BY
from pycore.settings import PARTNERS, Settings


class Told(Report):
    """A report that tells each finding when it is made."""

    def __init__(self, subject: str, tell: Any) -> None:
        super().__init__(subject)
        self._tell = tell

    def add(self, finding: Finding) -> None:
        """Take in a finding, and tell it."""
        if finding not in self.findings:
            self._tell({"finding": finding._asdict()})
        super().add(finding)


def main() -> None:
    """Audit what standard input says."""
    given = json.load(sys.stdin)
    faulthandler.enable()
    # What has no screen draws all the same, and no window opens on anybody's.
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
    os.environ.setdefault("MPLBACKEND", "Agg")
    sys.path.insert(0, given["folder"])
    with open(given["file"], "w", encoding="utf-8") as file:

        def tell(line: dict[str, Any]) -> None:
            file.write(json.dumps(line) + "\n")
            file.flush()

        report = Told(given["subject"], tell)
        try:
            found = find_factory(given["subject"])
            # What is not there is a mistake in the call, for a policy as for the environment.
            own = given["settings"] or {}
            said_spaces(own, 0)
            named = Settings.of({name: own[name] for name in PARTNERS if name in own})
            for of in [*named.policies.values(), *([] if named.stand_in is None else [named.stand_in])]:
                if of.get("computed_by", COMPUTED_BY[0]) == COMPUTED_BY[0]:
                    load_policy(of["policy"], found.folder)
        except PycoreError as error:
            tell({"mistake": str(error)})
            return
        trial = Trial(
            Given(
                found.make,
                tuple(given["players"]),
                given["frames"],
                given["seed"],
                given["space"],
                given["interface"],
                given["subject"],
                given["pyodide"],
                given["settings"],
                None if found.folder is None else str(found.folder),
            ),
            report,
        )
        run(trial, lambda text: tell({"stage": text}))
        tell({"facts": report.facts})


if __name__ == "__main__":
    main()
