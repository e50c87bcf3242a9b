"""`build.py bench --against REV`: another version of this project beside this one, in the same run.

A figure of yesterday and one of today differ by what the machine does meanwhile. So both versions are measured in
turns, by their own benchmarks, in child processes that share this interpreter, and the one that begins alternates.
Of several rounds the median and the best are kept: the median says what is usual, the best what the code can do when
nothing disturbs it, and where both agree on a difference there is one.

The other version is checked out into a worktree under build/, which is removed afterwards. It uses this checkout's
npm packages where its lock file is the same, and never installs an environment.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.rows import Row
from tools.paths import BUILD, ROOT
from tools.process import Failed, Missing, say

COMPARED = ("engine.cpython", "engine.hash", "engine.pyodide", "wire", "wheel", "bridge")
ONCE = frozenset({"wire"})
"""Groups in virtual time: they give the same in every round."""

LINKED = ("web/node_modules", "build/cache")
"""What the other version borrows."""


@dataclass
class Pair:
    """One figure of both versions; a version that does not have it has no samples."""

    name: str
    unit: str
    then: list[float] = field(default_factory=list)
    now: list[float] = field(default_factory=list)

    def ratio(self, of: Any = median) -> float | None:
        """This version's value over the other's; None where one is missing or zero."""
        if not self.then or not self.now or not of(self.then):
            return None
        return float(of(self.now) / of(self.then))


def git(*words: str, root: Path = ROOT) -> str:
    """What git says."""
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
    if done.returncode != 0:
        raise Missing(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


@contextlib.contextmanager
def checked_out(revision: str, root: Path = ROOT, build: Path = BUILD) -> Iterator[Path]:
    """The other version in a folder, for as long as the block lasts."""
    commit = git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", root=root)
    folder = build / "against" / commit[:12]
    remove(folder, root)
    git("worktree", "add", "--detach", "--force", str(folder), commit, root=root)
    try:
        borrow(folder, root)
        yield folder
    finally:
        remove(folder, root)


def borrow(folder: Path, root: Path) -> None:
    """Links to what both may share. Other npm packages than ours are not borrowed, so they are installed there."""
    locks = [place / "web" / "package-lock.json" for place in (root, folder)]
    same = all(lock.is_file() for lock in locks) and locks[0].read_bytes() == locks[1].read_bytes()
    for name in LINKED:
        ours, theirs = root / name, folder / name
        if ours.is_dir() and not theirs.exists() and (same or name != "web/node_modules"):
            theirs.parent.mkdir(parents=True, exist_ok=True)
            theirs.symlink_to(ours.resolve(), target_is_directory=True)


def remove(folder: Path, root: Path) -> None:
    """Take the worktree away; the links first, so that nothing follows them."""
    for name in LINKED:
        if (folder / name).is_symlink():
            (folder / name).unlink()
    if folder.exists():
        shutil.rmtree(folder)
    subprocess.run(["git", "worktree", "prune"], cwd=root, capture_output=True)


def figures(folder: Path, group: str) -> list[Row]:
    """One group, measured by the benchmark of the version in `folder`; empty, and said, if it has no such group."""
    file = folder / "build" / "bench-child.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    # The current folder comes first on the path of `-m`: each version measures itself.
    command = [sys.executable, "-m", "bench", "--only", group, "--json", str(file)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    if done.returncode == 2 and not file.is_file():
        return []
    if done.returncode != 0 or not file.is_file():
        raise Failed(f"{group} in {folder.name} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
    rows: list[Row] = json.loads(file.read_text("utf-8"))
    return rows


def measure(
    revision: str, groups: Sequence[str], rounds: int, root: Path = ROOT, build: Path = BUILD
) -> tuple[list[Pair], list[str]]:
    """Every figure of these groups, of both versions, in turns; and what could not be measured.

    A group that fails in one version is not measured there again: the other groups took minutes.
    """
    pairs: dict[str, Pair] = {}
    failed: dict[tuple[str, str], str] = {}
    with checked_out(revision, root, build) as folder:
        for group in groups:
            sides = [("then", folder), ("now", root)]
            for number in range(1 if group in ONCE else rounds):
                for side, place in sides if number % 2 == 0 else sides[::-1]:
                    if (side, group) in failed:
                        continue
                    say(f"{group}, round {number + 1}: {'this' if side == 'now' else revision}")
                    try:
                        rows = figures(place, group)
                    except Failed as error:
                        failed[side, group] = str(error)
                        say(f"that failed: {str(error).splitlines()[-1]}")
                        continue
                    for found in rows:
                        pair = pairs.setdefault(found["name"], Pair(found["name"], found["unit"]))
                        getattr(pair, side).append(float(found["value"]))
    if not pairs:
        raise Failed("\n".join([f"neither version has figures of {', '.join(groups)}", *failed.values()]))
    return list(pairs.values()), list(failed.values())


def table(pairs: Sequence[Pair], revision: str) -> str:
    """Medians of both, and the ratios of the medians and of the best."""

    def shown(value: float | None) -> str:
        return "–" if value is None else f"{value:.2f}"

    lines = [["figure", revision, "this", "unit", "ratio", "of the best"]]
    for pair in pairs:
        both = [shown(median(samples) if samples else None) for samples in (pair.then, pair.now)]
        lines.append([pair.name, *both, pair.unit, shown(pair.ratio()), shown(pair.ratio(min))])
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, 3) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def as_json(pairs: Sequence[Pair]) -> str:
    """One figure per line, with every sample."""
    rows = [
        {
            "name": pair.name,
            "unit": pair.unit,
            **{
                side: {"value": median(samples), "best": min(samples), "samples": samples} if samples else None
                for side, samples in (("then", pair.then), ("now", pair.now))
            },
            "ratio": pair.ratio(),
            "ratio_best": pair.ratio(min),
        }
        for pair in pairs
    ]
    return "[\n" + ",\n".join(" " + json.dumps(found, ensure_ascii=False) for found in rows) + "\n]\n"
