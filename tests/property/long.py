"""Thousands of random schedules under all laws: ``python -m tests.property.long --schedules 5000``.

Every second schedule is one in which somebody goes. A schedule is its number: a run that was interrupted goes on
with --from, and a violation is run again alone with ``--from N --schedules 1``. Exit status 1 at any violation.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from drawing import Schedule, seeded  # noqa: E402
from laws import Tally, faults  # noqa: E402
from networks import play  # noqa: E402

PROGRESS = 5.0
"""Seconds between two lines of progress."""


def schedule_of(number: int) -> Schedule:
    """The schedule with a number."""
    return seeded(number, departures=bool(number % 2))


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


def main(argv: list[str] | None = None) -> int:
    """Run, report, and say whether all laws held."""
    parser = argparse.ArgumentParser(prog="python -m tests.property.long", description=__doc__)
    parser.add_argument("--schedules", type=int, default=5000, metavar="N")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="N", help="number of the first schedule")
    parser.add_argument("--seconds", type=float, default=None, metavar="S", help="stop after so many seconds")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write what happened there")
    given = parser.parse_args(argv)

    tally = Tally()
    failed: dict[int, list[str]] = {}
    started = said = time.monotonic()
    number = given.first
    while number < given.first + given.schedules:
        found = violations(number, tally)
        if found:
            failed[number] = found
            print(f"schedule {number}: {found[0]}" + (f" (and {len(found) - 1} more)" if found[1:] else ""), flush=True)
        number += 1
        now = time.monotonic()
        if now - said >= PROGRESS:
            said = now
            done = number - given.first
            print(
                f"{done} of {given.schedules}, {1000 * (now - started) / done:.0f} ms each, {len(failed)} violate",
                flush=True,
            )
        if given.seconds is not None and now - started >= given.seconds:
            break
    seconds = time.monotonic() - started
    report: dict[str, Any] = {
        "schedules": number - given.first,
        "first": given.first,
        "next": number,
        "violations": {str(of): found for of, found in failed.items()},
        "seconds": round(seconds, 1),
        "ms_per_schedule": round(1000 * seconds / max(1, number - given.first), 1),
        "happened_in_schedules": dict(sorted(tally.seen.items())),
        "amounts": dict(sorted(tally.amounts.items())),
        "longest": {name: round(value, 3) for name, value in tally.longest.items()},
    }
    for title in ("happened_in_schedules", "amounts", "longest"):
        print(f"{title.replace('_', ' ')}:")
        for name, value in report[title].items():
            print(f"  {name:<40}{value:>12}")
    count, each = report["schedules"], report["ms_per_schedule"]
    print(f"{count} schedules, {len(failed)} violations, {each} ms each; next: {number}")
    if given.json is not None:
        given.json.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
