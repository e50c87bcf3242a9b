"""`build.py test`: the steps, what each needs, and an honest end.

The whole is what CI runs. `--fast` is for between two edits: it leaves out whatever opens a browser, Python 3.11, the
tests marked slow, all but the first of the parameters of the others, and three quarters or more of the examples of
every property.
`--all` adds what is long (`tools.long`).

A step that cannot run (no Node, no Chromium, an installation that failed) fails with its reason; none is skipped.
What tests by the clock runs two steps at a time, and one by one where it plays in pages. Whatever else there is (the
checks, the laws, which have a clock of their own, Python 3.11, the digests of parity) goes on behind it, two steps at a
time, with what it leaves of the processors.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from tools import long
from tools.process import Failed, Missing
from tools.steps import STEPS, Broken, Counts, Outcome, Step

AT_ONCE = 2
"""Steps that test by the clock, without a browser, at the same time."""
BEHIND = 2
"""Steps beside them, and beside the pages, that have what is left of the processors; at the end, all of it."""


def perform(step: Step, options: argparse.Namespace) -> Outcome:
    """Run a step; whatever goes wrong in it is its failure."""
    started = time.monotonic()
    counts, note, output = Counts(failed=1), "", ""
    try:
        counts, output = step.run(options)
        if counts == Counts():
            note = output.strip().splitlines()[-1] if output.strip() else "nothing to run"
    except Broken as error:
        counts, output = error.counts, str(error)
    except (Missing, Failed) as error:
        output = note = str(error)
    except Exception as error:
        output = note = f"{type(error).__name__}: {error}"
    return Outcome(step.name, counts, time.monotonic() - started, note, output)


def chosen(options: argparse.Namespace) -> list[Step]:
    """The steps that were asked for."""
    if options.only:
        names = [name.strip() for name in options.only.split(",")]
        unknown = [name for name in names if name not in {step.name for step in STEPS}]
        if unknown:
            raise Missing(f"no step {', '.join(unknown)}; there are {', '.join(step.name for step in STEPS)}")
        return [step for step in STEPS if step.name in names]
    return [step for step in STEPS if (step.fast or not options.fast) and (options.all or not step.long)]


def report(outcome: Outcome) -> None:
    """Show a step that has ended: all its output if it failed, otherwise its last line and why tests were left out."""
    failed = outcome.counts.failed > 0
    lines = outcome.output.strip().splitlines()
    print(f"\n== {outcome.name}: {'FAILED' if failed else 'passed'} ({outcome.seconds:.1f} s)")
    left = [line for line in lines[:-1] if line.startswith("SKIPPED")]
    print("\n".join(lines if failed else left + lines[-1:]), flush=True)


def yield_to_all() -> None:
    """What this thread starts from now on has what all others leave of the processors, if a thread may ask for that."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def main(options: argparse.Namespace) -> int:
    """Run the steps; the last line has the sum, and the status is 0 only if nothing failed."""
    steps = chosen(options)
    if options.list:
        for step in STEPS:
            print(f"{step.name:9} {step.what}{' (with --all)' if step.long else ''}")
        return 0
    started = time.monotonic()
    outcomes: list[Outcome] = []

    def ended(futures: Iterable[Future[Outcome]]) -> None:
        for future in futures:
            outcomes.append(future.result())
            report(outcomes[-1])

    together = [step for step in steps if not step.browser and not step.long]
    if together:
        print(f"running {', '.join(step.name for step in together)}", flush=True)
    with ThreadPoolExecutor(BEHIND, initializer=yield_to_all) as last, ThreadPoolExecutor(AT_ONCE) as pool:
        behind = [last.submit(perform, step, options) for step in together if step.behind]
        ended(as_completed([pool.submit(perform, step, options) for step in together if not step.behind]))
        for step in steps:
            if step.browser:
                print(f"\nrunning {step.name}: {step.what}", flush=True)
                outcomes.append(perform(step, options))
                report(outcomes[-1])
        ended(as_completed(behind))
    lengthy_ones = [step for step in steps if step.long and not step.browser]
    if lengthy_ones:
        print(f"\nrunning {', '.join(step.name for step in lengthy_ones)}", flush=True)
    with ThreadPoolExecutor(2) as pool:
        ended(as_completed([pool.submit(perform, step, options) for step in lengthy_ones]))
    if lengthy_ones:
        print(f"\n{long.table({step.name for step in lengthy_ones})}")
    return summary(outcomes, time.monotonic() - started)


def summary(outcomes: Sequence[Outcome], seconds: float) -> int:
    """The table of the steps and the closing line."""
    width = min(110, shutil.get_terminal_size((100, 24)).columns)
    print(f"\n{'step':9} {'result':7} {'seconds':>8} {'passed':>7} {'failed':>7} {'skipped':>8}")
    for outcome in outcomes:
        result = "FAILED" if outcome.counts.failed else "passed" if outcome.counts.passed else "nothing"
        print(f"{outcome.name:9} {result:7} {outcome.seconds:8.1f} {outcome.counts.passed:7} ", end="")
        print(f"{outcome.counts.failed:7} {outcome.counts.skipped:8}")
        if outcome.note:
            print(f"          {outcome.note.splitlines()[0][: width - 10]}")
    passed = sum(outcome.counts.passed for outcome in outcomes)
    failed = sum(outcome.counts.failed for outcome in outcomes)
    skipped = sum(outcome.counts.skipped for outcome in outcomes)
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped in {seconds:.1f} s", flush=True)
    return 0 if failed == 0 and passed > 0 else 1
