"""The documents with figures: their tables are written by `build.py bench --write`, never by hand.

docs/figures.md has the core's and those of meshes (`--mesh --write`), docs/interactive-gym.md those of the host page
before and after (`--page --write`).
Everything between the two markers is replaced; what stands around it is prose, and names figures without saying them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence

from bench import mesh
from bench.hostpage_table import markdown
from bench.rows import Row, met
from tools import chromium, node
from tools.paths import NEWEST, ROOT
from tools.process import Failed

FILE = ROOT / "docs" / "figures.md"
PAGE = ROOT / "docs" / "interactive-gym.md"
BEGIN = "<!-- written by: python3 build.py bench --write -->"
END = "<!-- end of what is written -->"
BEGIN_MESH = "<!-- written by: python3 build.py bench --mesh --write -->"
END_MESH = "<!-- end of the mesh -->"
BEGIN_RELAY = "<!-- written by: python3 build.py bench --relay --write -->"
END_RELAY = "<!-- end of the relay -->"
HEAD = "| figure | value | unit | goal | |\n|---|---|---|---|---|\n"


def line(found: Row) -> str:
    """One figure as a line of the table."""
    goal = found["goal"]
    shown = "" if goal is None else f"{'≥ ' if found.get('at_least') else ''}{goal:g}"
    verdict = {True: "met", False: "missed", None: ""}[met(found)]
    return f"| `{found['name']}` | {found['value']:.6g} | {found['unit']} | {shown} | {verdict} |"


def lines_of(text: str) -> dict[str, str]:
    """The lines of a table by the names of their figures, in order."""
    return {match[1]: match[0] for match in re.finditer(r"^\| `([^`]+)` \|.*$", text, re.MULTILINE)}


def between(text: str, begin: str = BEGIN, end: str = END) -> tuple[str, str, str]:
    """The document before, between and after the markers."""
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise Failed(f"a document with figures must have these two lines once, in this order:\n{begin}\n{end}")
    before, _, rest = text.partition(begin)
    inner, _, after = rest.partition(end)
    return before, inner, after


def replaced(text: str, rows: Sequence[Row], conditions: str, whole: bool) -> str:
    """The document with these figures; unless `whole`, the figures that were not measured stay as they were."""
    before, inner, after = between(text)
    lines = {} if whole else lines_of(inner)
    lines |= {found["name"]: line(found) for found in rows}
    return f"{before}{BEGIN}\n\n{conditions}\n\n{HEAD}" + "\n".join(lines.values()) + f"\n\n{END}{after}"


def replaced_page(text: str, rows: Sequence[Row], conditions: str) -> str:
    """The guide with the figures of both sides."""
    before, _, after = between(text)
    values = {found["name"]: found["value"] for found in rows}
    said = conditions
    if values.get("page.after.rollback.ms", 0) > 0 and "page.before.rollback.ms" in values:
        times = values["page.before.rollback.ms"] / values["page.after.rollback.ms"]
        said += f" A rollback of eight frames is {times:.0f} times faster."
    return f"{before}{BEGIN}\n\n{said}\n\n{markdown(rows)}\n\n{END}{after}"


def conditions() -> str:
    """What was measured with, so that another machine's figures can be read beside these."""
    python = ".".join(map(str, sys.version_info[:3]))
    node_version = subprocess.run([node.ensure_node()[0], "--version"], capture_output=True, text=True).stdout.strip()
    browser = subprocess.run([chromium.ensure(None), "--version"], capture_output=True, text=True).stdout
    number = re.search(r"\d+", browser)
    return (
        f"CPython {python}, Pyodide {NEWEST.version} under Node {node_version.removeprefix('v')}, Chromium "
        f"{number[0] if number else '?'}, {os.cpu_count()} cores. Absolute times vary by half from run to run and more "
        "from machine to machine; ratios are of interleaved rounds, their medians. Sizes and counts do not vary."
    )


def write_page(rows: Sequence[Row]) -> None:
    """Put the figures of `--page` into the guide."""
    PAGE.write_text(replaced_page(PAGE.read_text("utf-8"), rows, conditions()), encoding="utf-8")


def write_mesh(rows: Sequence[Row]) -> None:
    """Put the figures of `--mesh` into their page, beside the published ones."""
    before, _, after = between(FILE.read_text("utf-8"), BEGIN_MESH, END_MESH)
    FILE.write_text(f"{before}{BEGIN_MESH}\n\n{mesh.markdown(rows)}\n\n{END_MESH}{after}", encoding="utf-8")


def replaced_relay(text: str, rows: Sequence[Row], conditions: str) -> str:
    """The page with what a relay carries; a figure that was not measured this time stays as it was."""
    before, inner, after = between(text, BEGIN_RELAY, END_RELAY)
    lines = lines_of(inner) | {found["name"]: line(found) for found in rows}
    return f"{before}{BEGIN_RELAY}\n\n{conditions}\n\n{HEAD}" + "\n".join(lines.values()) + f"\n\n{END_RELAY}{after}"


def write_relay(rows: Sequence[Row]) -> None:
    """Put the figures of the relay into their page."""
    python = ".".join(map(str, sys.version_info[:3]))
    said = f"CPython {python}, {os.cpu_count()} cores, one of which the server has to itself as far as others leave it."
    FILE.write_text(replaced_relay(FILE.read_text("utf-8"), rows, said), encoding="utf-8")


def write(rows: Sequence[Row], whole: bool) -> None:
    """Put the figures into their page."""
    FILE.write_text(replaced(FILE.read_text("utf-8"), rows, conditions(), whole), encoding="utf-8")
