"""Tries published environments: `python -m tests.trial --python PYTHON [--only TEXT] [--write]`.

Each is audited and, if it is fit, played over a bad network in virtual time; PYTHON is the interpreter of an
environment in which `tests.trial.published.PACKAGES` are installed. `--write` puts the table into docs/tried.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from tests.trial.published import PACKAGES, PUBLISHED, identifier

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "tried.md"
BEGIN = "<!-- written by: python -m tests.trial --write -->"
END = "<!-- end of what is written -->"
TIMEOUT = 900.0
PLAYED = 300


def run(python: str, *words: str) -> tuple[int, str]:
    """A command in the trial's environment; its status, and the last line that it printed."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "SDL_VIDEODRIVER": "dummy", "PYTHONWARNINGS": "ignore"}
    try:
        done = subprocess.run(
            [python, *words], cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", timeout=TIMEOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return -1, f"not done after {TIMEOUT:.0f} s"
    return done.returncode, done.stdout


def tried(python: str, name: str) -> dict[str, Any]:
    """What the audit found, and how the game went."""
    status, text = run(
        python, "-m", "pycore", "audit", f"tests.trial.published:{identifier(name)}", "--frames", "120", "--json"
    )
    try:
        audit = json.loads(text[text.index("{") :])
    except ValueError:
        return {"name": name, "fit": False, "fault": f"status {status}: {text.strip()[-200:]}"}
    worst = next(iter(audit["findings"]), None)
    row = {"name": name, "fit": audit["fit"], "facts": audit["facts"], "worst": worst, "fault": ""}
    if not audit["fit"]:
        row["fault"] = f"{worst['harm']}: {worst['what']}"
        return row
    status, text = run(python, "-m", "tests.trial.played", name, str(PLAYED))
    try:
        row["played"] = json.loads(text.strip().splitlines()[-1])
    except (ValueError, IndexError):
        row["fault"] = f"played with status {status}: {text.strip()[-200:]}"
    return row


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    facts = row.get("facts", {})
    costs = facts.get("costs", {})
    names = ("save_us", "load_us", "canonical_us", "step_us")
    times = [f"{costs[name]:.0f}" if name in costs else "" for name in names]
    played = row.get("played")
    if played is None:
        went = row["fault"].replace("|", "/")[:200]
    elif played["equal"]:
        went = f"equal: {played['frames']} frames, {played['stepped again']} stepped again"
        went = went if played["seats"] > 1 else f"equal: {played['frames']} frames, alone"
    else:
        went = f"**differs**: {played['wrong'] or ', '.join(played['reasons'])}"
    seats = str(len(facts.get("agents", []))) if "agents" in facts else ""
    interface = str(facts.get("interface", "")).partition(":")[0]
    return f"| {row['name']} | {interface} | {seats} | {facts.get('state', '')} | {' | '.join(times)} | {went} |"


def written(rows: list[dict[str, Any]]) -> str:
    """The table, and what it comes to."""
    equal = [row for row in rows if row.get("played", {}).get("equal")]
    captured = [row["facts"]["costs"] for row in equal if row["facts"]["state"] == "capture"]
    head = "| environment | interface | agents | state | save µs | load µs | canonical µs | step µs | played |"
    text = f"{len(equal)} of {len(rows)} environments were played, and every record equals the ground truth."
    if captured:
        save, load = (median(costs[name] for costs in captured) for name in ("save_us", "load_us"))
        text += f" Of {len(captured)} that are captured the median save takes {save:.0f} and the load {load:.0f} (µs)."
    return "\n".join([BEGIN, "", text, "", head, "|---|---|---|---|---|---|---|---|---|", *map(line, rows), "", END])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable, help=f"has {', '.join(PACKAGES[:3])}, …")
    parser.add_argument("--only", default="", help="names that have this text")
    parser.add_argument("--write", action="store_true", help=f"write {FILE.name}")
    parser.add_argument("--json", type=Path, help="write all that was found there")
    given = parser.parse_args()
    rows = []
    for name in PUBLISHED:
        if given.only in name:
            rows.append(tried(given.python, name))
            print(line(rows[-1]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))
    if given.write:
        page = FILE.read_text("utf-8")
        FILE.write_text(page[: page.index(BEGIN)] + written(rows) + page[page.index(END) + len(END) :], "utf-8")
    return 1 if any(not row["fit"] and not row["fault"] for row in rows) or any(wrong(row) for row in rows) else 0


def wrong(row: dict[str, Any]) -> bool:
    """Whether an environment that was said to be fit was not played to the truth: the one thing that must not be."""
    return bool(row["fit"]) and not row.get("played", {}).get("equal", False)


if __name__ == "__main__":
    sys.exit(main())
