"""Thousands of random schedules under all laws: ``python -m tests.property.long --schedules 10000``.

In one of four everybody stays, in one somebody goes, in one pages are loaded again one after the other, in one all but
one at once; in every second of these two somebody goes besides. In an eighth of the schedules with
loads alone a page is away for longer than a silence may last. With ``--returns`` whoever is interrupted is played for
in every schedule, and comes back (`on_interrupt`). With ``--short`` all of it happens in many short episodes, at any
rate of frames. A schedule is its number: a violation is run again
alone with ``--from N --schedules 1``. With ``--state FILE`` a run that was interrupted goes on where it was, with what
it counted, as long as neither the core nor the laws have changed since. Exit status 1 at any violation, 2 if it was
stopped before the last schedule.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from hashlib import blake2b
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from drawing import Schedule, seeded, with_many_episodes, with_reloads, with_returns  # noqa: E402
from laws import Tally, faults  # noqa: E402
from networks import play  # noqa: E402

PROGRESS = 5.0
"""Seconds between two lines of progress."""
AT_ONCE = 20
"""Schedules that are run before what happened in them is written down."""
SOURCES = (HERE.parents[1] / "pycore", HERE, *sorted(HERE.parent.glob("*.py")))
"""The core, and the laws, with what they use of the modules that all tests share."""


class Found(NamedTuple):
    """What became of some schedules."""

    tally: Tally
    failed: dict[int, list[str]]
    seconds: float


RETURNS = 1 << 32
"""From this number on whoever is interrupted is played for."""
SHORT = 1 << 33
"""From this number on there are many short episodes."""


def schedule_of(number: int) -> Schedule:
    """The schedule with a number: everybody stays, somebody goes, a page is loaded again, or all pages but one are."""
    if number >= SHORT:
        return with_many_episodes(schedule_of(number - SHORT), number - SHORT)
    if number >= RETURNS:
        return with_returns(number - RETURNS)
    family = number % 4
    if family > 1:
        return with_reloads(number, at_once=family == 3, departures=number % 8 > 5)
    return seeded(number, departures=family == 1)


def violations(number: int, tally: Tally) -> list[str]:
    """Run one schedule; what it breaks."""
    schedule = schedule_of(number)
    try:
        net = play(schedule)
    except Exception as error:
        # Whatever a session raises out of its calls is a violation too, of this schedule and not of the run.
        return [f"raised {type(error).__name__}: {error}"]
    tally.note(net)
    return faults(net, schedule)


def run(numbers: range) -> Found:
    """Run the schedules with these numbers."""
    tally, failed = Tally(), {}
    begun = time.monotonic()
    for number in numbers:
        found = violations(number, tally)
        if found:
            failed[number] = found
    return Found(tally, failed, time.monotonic() - begun)


def runs(parts: list[range], jobs: int) -> Iterator[Found]:
    """The same for several, in order, so many at a time."""
    if jobs == 1:
        yield from map(run, parts)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        try:
            yield from pool.map(run, parts)
        finally:
            pool.shutdown(cancel_futures=True)


# -- what is kept ---------------------------------------------------------------------------------------------------


def files() -> list[Path]:
    """All that decides what comes of a schedule."""
    return [file for of in SOURCES for file in (sorted(of.rglob("*.py")) if of.is_dir() else [of])]


def sources() -> str:
    """A digest of the core and of the laws: what was run with others proves nothing of these."""
    found = blake2b(digest_size=8)
    for file in files():
        found.update(file.read_bytes())
    return found.hexdigest()


class State:
    """What has been run so far, of schedules from one number on."""

    def __init__(self, first: int, file: Path | None) -> None:
        self.first = first
        self.next = first
        self.tally = Tally()
        self.failed: dict[int, list[str]] = {}
        self.seconds = 0.0
        """That were spent on it, in all runs and processes."""
        self._file = file
        self._sources = sources() if file else ""
        if file is not None and file.is_file():
            self._go_on(json.loads(file.read_text("utf-8")))

    def _go_on(self, kept: dict[str, Any]) -> None:
        if (kept["sources"], kept["first"]) != (self._sources, self.first):
            print("the core, the laws or the first schedule are others than those of the state: it begins anew")
            return
        self.next, self.seconds = kept["next"], kept["seconds"]
        self.failed = {int(number): found for number, found in kept["violations"].items()}
        self.tally.runs = kept["runs"]
        self.tally.seen = Counter(kept["seen"])
        self.tally.amounts = Counter(kept["amounts"])
        self.tally.longest.update(kept["longest"])
        print(f"goes on with schedule {self.next}")

    def add(self, numbers: range, found: Found) -> None:
        """Note what became of them, and keep it."""
        self.next = numbers.stop
        self.seconds += found.seconds
        self.failed.update(found.failed)
        self.tally.add(found.tally)
        if self._file is None:
            return
        kept = {
            "sources": self._sources, "first": self.first, "next": self.next, "seconds": self.seconds,
            "violations": self.failed, "runs": self.tally.runs, "seen": self.tally.seen,
            "amounts": self.tally.amounts, "longest": self.tally.longest,
        }  # fmt: skip
        self._file.parent.mkdir(parents=True, exist_ok=True)
        beside = self._file.with_name(self._file.name + ".new")
        beside.write_text(json.dumps(kept) + "\n", "utf-8")
        beside.replace(self._file)

    @property
    def count(self) -> int:
        """Schedules that were run."""
        return self.next - self.first

    def report(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "schedules": self.count,
            "first": self.first,
            "next": self.next,
            "violations": {str(of): found for of, found in self.failed.items()},
            "violated": len(self.failed),
            "seconds": round(self.seconds, 1),
            "ms_per_schedule": round(1000 * self.seconds / max(1, self.count), 1),
            "happened_in_schedules": dict(sorted(self.tally.seen.items())),
            "amounts": dict(sorted(self.tally.amounts.items())),
            "longest": {name: round(value, 3) for name, value in self.tally.longest.items()},
        }


# -- the command ----------------------------------------------------------------------------------------------------


def main(argv: list[str] | None = None) -> int:
    """Run, report, and say whether all laws held."""
    parser = argparse.ArgumentParser(prog="python -m tests.property.long", description=__doc__)
    parser.add_argument("--schedules", type=int, default=10_000, metavar="N", help="how many, with those of the state")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="N", help="number of the first schedule")
    parser.add_argument("--returns", action="store_true", help="who is interrupted is played for, and comes back")
    parser.add_argument("--short", action="store_true", help="many short episodes, at any rate of frames")
    parser.add_argument("--seconds", type=float, default=None, metavar="S", help="stop after so many seconds")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    parser.add_argument("--state", type=Path, default=None, metavar="FILE", help="where to go on, and what was counted")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write what happened there")
    given = parser.parse_args(argv)

    given.first += (RETURNS if given.returns else 0) + (SHORT if given.short else 0)
    state = State(given.first, given.state)
    end = given.first + given.schedules
    parts = [range(at, min(at + AT_ONCE, end)) for at in range(state.next, end, AT_ONCE)]
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _run(state, parts, given)
    except KeyboardInterrupt:
        print("stopped")
    finally:
        signal.signal(signal.SIGTERM, before)
    report = state.report()
    for title in ("happened_in_schedules", "amounts", "longest"):
        print(f"{title.replace('_', ' ')}:")
        for name, value in report[title].items():
            print(f"  {name:<40}{value:>12}")
    print(
        f"{state.count} schedules, {len(state.failed)} violations, {report['seconds']:.0f} s, "
        f"{report['ms_per_schedule']} ms each; next: {state.next}"
    )
    if given.json is not None:
        given.json.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return 1 if state.failed else 2 if state.next < end else 0


def _run(state: State, parts: list[range], given: argparse.Namespace) -> None:
    started = said = time.monotonic()
    for part, found in zip(parts, runs(parts, given.jobs), strict=True):
        for number, faulty in found.failed.items():
            more = f" (and {len(faulty) - 1} more)" if faulty[1:] else ""
            print(f"schedule {number}: {faulty[0]}{more}", flush=True)
        state.add(part, found)
        now = time.monotonic()
        if now - said >= PROGRESS:
            said = now
            each = 1000 * state.seconds / state.count
            print(
                f"{state.count} of {given.schedules}, {each:.0f} ms each, {len(state.failed)} violate", flush=True
            )
        if given.seconds is not None and now - started >= given.seconds:
            break


if __name__ == "__main__":
    sys.exit(main())
