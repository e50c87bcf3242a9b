"""What an audit found: facts, findings in the order of their harm, and a verdict."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

__all__ = ["HARMS", "UNFIT", "Finding", "Report"]

UNFIT: Final = ("crash", "unfit")
"""Harms with which an environment cannot be played."""
HARMS: Final = (*UNFIT, "wrong", "slow", "risk", "note")
"""The worst first: it ends the interpreter; it cannot be rolled back; its data would be wrong without a word; it is too
slow; it may go wrong; what one should know."""

COUNTED: Final = ("risk", "note")
"""Harms that are nouns: two of them are risks."""


class Finding(NamedTuple):
    """One thing that was found."""

    code: str
    """A stable name, for scripts."""
    harm: str
    """One of `HARMS`."""
    what: str
    """What was seen, with the field or line."""
    do: str
    """What to do about it."""


class Report:
    """What is known so far of one environment."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.facts: dict[str, Any] = {}
        self.findings: list[Finding] = []

    def add(self, finding: Finding) -> None:
        """Take in a finding; the same one counts once."""
        if finding not in self.findings:
            self.findings.append(finding)

    @property
    def fit(self) -> bool:
        """Whether the environment can be played."""
        return not any(finding.harm in (*UNFIT, "wrong") for finding in self.findings)

    @property
    def sorted(self) -> list[Finding]:
        """The findings, the worst first."""
        return sorted(self.findings, key=lambda finding: HARMS.index(finding.harm))

    @property
    def verdict(self) -> str:
        """One line."""
        found = [f.harm for f in self.findings]
        counts = [f"{n} {harm}{'s' * (n > 1 and harm in COUNTED)}" for harm in HARMS if (n := found.count(harm))]
        said = f" ({', '.join(counts)})" if counts else ""
        if self.fit:
            return f"fit: {self.subject} can be rolled back, by {self.facts.get('state', 'its state')}{said}"
        return f"unfit: {self.subject}{said}"

    def as_json(self) -> dict[str, Any]:
        """All of it, for `--json`."""
        return {
            "subject": self.subject,
            "fit": self.fit,
            "verdict": self.verdict,
            "facts": self.facts,
            "findings": [finding._asdict() for finding in self.sorted],
        }
