"""The stages of an audit, in order; what one raises is a finding, and the others go on where they can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pycore.audit.findings import Finding
from pycore.audit.trial import Trial
from pycore.errors import CanonicalError, ConfigError, EnvironmentUnfit, PycoreError, described, where_raised

__all__ = ["STAGES", "run"]

STAGES: Final[tuple[tuple[str, str], ...]] = (
    ("make", "making it"),
    ("actions", "finding its actions"),
    ("source", "reading its source"),
    ("play", "playing"),
    ("laws", "going back and stepping again"),
    ("instances", "a second instance"),
    ("rollbacks", "playing with rollbacks"),
    ("processes", "another process"),
    ("resets", "resetting again"),
    ("every_seat", "changing every seat's actions"),
    ("pictures", "drawing"),
    ("transfer", "sending its state"),
    ("hidden", "looking for what is not saved"),
    ("costs", "timing"),
    ("policies", "trying its policies"),
    ("in_pyodide", "playing in Pyodide"),
)
"""The stages by method, with what is told meanwhile."""
NEEDED: Final = frozenset({"make", "actions", "play"})
"""Without these there is nothing for the others to try."""


def run(trial: Trial, tell: Callable[[str], None]) -> None:
    """All stages; what one raises is a finding."""
    for name, text in STAGES:
        tell(text)
        try:
            getattr(trial, name)()
        except (EnvironmentUnfit, ConfigError) as error:
            trial.report.add(_unfit(name, error))
        except CanonicalError as error:
            what = f"its state cannot be compared between players: {error}"
            trial.report.add(
                Finding("no_canonical_form", "unfit", what, "keep numbers, texts, lists, dicts and arrays")
            )
        except (Exception, SystemExit) as error:
            place = where_raised(error)
            what = f"{described(error)}, while {text}{f' ({place})' if place else ''}"
            if name == "pictures":
                do = "a page draws in every frame; without a screen here, this says nothing"
                trial.report.add(Finding("render_raised", "risk", what, do))
                continue
            trial.report.add(Finding("raised", "unfit", what, "mend what raises; a game would end with it"))
        else:
            continue
        if name in NEEDED:
            return


def _unfit(stage: str, error: PycoreError) -> Finding:
    what, _, do = str(error).partition(" Way out: ")
    code = {"make": "no_rollback", "laws": "laws"}.get(stage, error.code)
    return Finding(code, "unfit", what.rstrip("."), do)
