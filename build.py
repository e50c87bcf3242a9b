#!/usr/bin/env python3
"""The one door to this project: every task is a subcommand. Runs on a bare Python 3.11 or newer.

It makes the project's own environment (.venv, with the best Python it finds), starts itself again in it, and hands
over to `tools/`. What a task needs and cannot find it obtains, or it says what is missing and what to do.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit("build.py needs Python 3.11 or newer; this is %d.%d" % sys.version_info[:2])  # noqa: UP031

import argparse
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tools import environment
from tools.paths import BUILD, DIST, ENVIRONMENT, FLOOR_ENVIRONMENT, NODE_MODULES, ROOT
from tools.process import Failed, Missing, is_windows, say

PREPARED = "PYCORE_BUILD_PREPARED"
"""Set for the second start, inside the environment, so that it is checked once."""

SHUT = ("silent", "close", "connection")
EXAMPLES = ("volley", "tag")


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def percentage(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{value:g} is not between 0 and 100")
    return value


def nonnegative(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{value:g} is not a number from 0 up")
    return value


def names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def seats(text: str) -> int:
    value = int(text)
    if not 2 <= value <= 8:
        raise argparse.ArgumentTypeError(f"{value} is not between 2 and 8")
    return value


def delay(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 60:
        raise argparse.ArgumentTypeError(f"{value} is not between 0 and 60")
    return value


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="build.py", description="Build, run and test pycore.")
    top.set_defaults(chromium=None)
    tasks = top.add_subparsers(dest="task", required=True, metavar="task")

    demo = tasks.add_parser(
        "demo",
        help="play: start the relay and the page; or rehearse a session in headless browsers",
        description="Builds the wheel and the site, starts the relay and prints the address; as many tabs play as "
        "the example has players. "
        "With --selfplay, headless pages play instead, and the session is checked.",
    )
    demo.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    demo.add_argument("--port", type=int, default=None, help="default: 8000; with --selfplay: a free one")
    demo.add_argument("--database", default=None, help="SQLAlchemy URL or file; default: build/demo.sqlite")
    demo.add_argument("--example", choices=EXAMPLES, default=None, help="default: volley for two, tag for more")
    demo.add_argument("--seats", type=seats, default=None, metavar="N", help="players per game, 2 to 8 (default: 2)")
    demo.add_argument("--settings", type=Path, default=None, help="JSON file with the study's settings")
    demo.add_argument(
        "--relays", type=positive, default=None, metavar="N",
        help="so many processes are the server, with PostgreSQL and NATS, behind HAProxy",
    )  # fmt: skip
    rehearsal = demo.add_argument_group("rehearsal")
    rehearsal.add_argument("--selfplay", type=seats, metavar="N", help="this many headless pages play")
    rehearsal.add_argument("--seconds", type=nonnegative, default=20.0, help="how long (default: %(default)g)")
    rehearsal.add_argument("--out", type=Path, default=None, help="folder for metrics and trajectories")
    rehearsal.add_argument("--latency", type=nonnegative, default=0.0, metavar="MS", help="added one-way time")
    rehearsal.add_argument("--loss", type=percentage, default=0.0, metavar="PCT", help="one-way probability")
    rehearsal.add_argument("--p2p-down-at", type=nonnegative, metavar="S", help="cut peer-to-peer after S seconds")
    rehearsal.add_argument("--p2p-up-at", type=nonnegative, metavar="S", help="and restore it")
    rehearsal.add_argument("--p2p-cut", choices=SHUT, default="silent", help="how (default: %(default)s)")
    rehearsal.add_argument("--leave-at", type=nonnegative, metavar="S", help="the last page is closed after S seconds")
    rehearsal.add_argument("--reload-at", type=nonnegative, metavar="S", help="the last page is loaded again")
    rehearsal.add_argument("--server-down-at", type=nonnegative, metavar="S", help="the server ends after S seconds")
    rehearsal.add_argument("--server-up-at", type=nonnegative, metavar="S", help="and another one takes its place")
    rehearsal.add_argument("--socketio-only", action="store_true", help="peer-to-peer never comes up")
    rehearsal.add_argument("--input-delay", type=delay, default=None, metavar="N", help="frames")
    rehearsal.add_argument("--seed", type=int, default=1, help="of the scripted inputs (default: %(default)s)")
    rehearsal.add_argument(
        "--browser", type=names, default=("chromium",), metavar="NAME[,NAME]",
        help="chromium or firefox, for all pages or one for each (default: chromium)",
    )  # fmt: skip
    rehearsal.add_argument("--chromium", default=None, help="the browser; default: $PYCORE_CHROMIUM, or found")

    test = tasks.add_parser(
        "test",
        help="everything that CI runs",
        description="Linters, types, the layer rule, unit, property and oracle tests, parity between CPython and "
        "three Pyodides, browser and end-to-end tests. Arguments after -- go to pytest.",
    )
    much = test.add_mutually_exclusive_group()
    much.add_argument("--fast", action="store_true", help="a minute or two: no browsers, no 3.11, nothing slow")
    much.add_argument("--all", action="store_true", help="and what is long; its figures go to build/long.json")
    test.add_argument("--only", default=None, metavar="STEP[,STEP]", help="only these steps (see --list)")
    test.add_argument("--list", action="store_true", help="print the steps and stop")
    test.add_argument("--chromium", default=None, help="the browser; default: $PYCORE_CHROMIUM, or found")
    test.add_argument("pytest_arguments", nargs="*", metavar="-- ARGUMENTS", help="for pytest")

    tasks.add_parser("wheel", help="the plain and the byte-compiled wheels, into dist/, and the site's lock file")
    tasks.add_parser("site", help="the site, into build/site/")

    docs = tasks.add_parser("docs", help="the documentation as a site, into build/docs/")
    docs.add_argument("--serve", action="store_true", help="show it at http://127.0.0.1:8001/ and follow the changes")

    bench = tasks.add_parser("bench", help="the figures, as a table")
    bench.add_argument("--json", type=Path, default=None, metavar="FILE", help="and as JSON")
    bench.add_argument("--only", action="append", default=None, metavar="NAME[,NAME]", help="whose names begin so")
    bench.add_argument("--participant", action="store_true", help="what people wait for: --only participant")
    bench.add_argument("--page", action="store_true", help="the interactive_gym page before and after pycore")
    bench.add_argument("--mesh", action="store_true", help="meshes in virtual time, beside published ones")
    bench.add_argument("--cluster", action="store_true", help="several processes of the relay as one server")
    bench.add_argument("--relay", action="store_true", help="what one process of the relay carries, and --cluster")
    bench.add_argument("--runs", type=positive, default=20, metavar="N", help="with --page: lossy games (%(default)s)")
    bench.add_argument("--against", default=None, metavar="REV", help="measure that version as well, in turns")
    bench.add_argument("--rounds", type=positive, default=5, metavar="N", help="with --against (%(default)s)")
    bench.add_argument("--write", action="store_true", help="put the figures into docs/")
    bench.add_argument("--chromium", default=None, help="the browser; default: $PYCORE_CHROMIUM, or found")

    browsers = tasks.add_parser("browsers", help="every scenario in every browser, and between two, as a table")
    browsers.add_argument("--write", action="store_true", help="put the table into docs/browsers.md")
    browsers.add_argument(
        "--only", metavar="NAME", help="one column: chromium, firefox, firefox-chromium, webkit; the others stay"
    )
    browsers.add_argument("--json", type=Path, default=None, metavar="FILE", help="how many cells are right, as JSON")
    browsers.add_argument("--chromium", default=None, help="the browser; default: $PYCORE_CHROMIUM, or found")

    env = tasks.add_parser("env", help="only prepare: environment, npm packages, Chromium; print what was found")
    env.add_argument("--chromium", default=None, help="the browser to use")

    clean = tasks.add_parser("clean", help="remove what was built")
    clean.add_argument("--all", action="store_true", help="and the environments and npm packages")
    return top


def contradiction(options: argparse.Namespace) -> str:
    """Why the options of `demo` make no sense together; empty if they do. None is ignored in silence."""
    usual = parser().parse_args(["demo"])
    if options.example == "volley" and (many := options.selfplay or options.seats or 2) != 2:
        return f"beach volley is for two, not for {many}: --example tag"
    given = {name for name, value in vars(options).items() if value != getattr(usual, name)}
    rehearsed = {
        "seconds", "out", "latency", "loss", "p2p_down_at", "p2p_up_at", "p2p_cut", "socketio_only", "input_delay",
        "seed", "browser", "chromium", "leave_at", "reload_at", "server_down_at", "server_up_at",
    }  # fmt: skip
    down, up = options.p2p_down_at, options.p2p_up_at
    if options.selfplay is None:
        for name in sorted(given & rehearsed):
            return f"--{name.replace('_', '-')} is for a rehearsal: add --selfplay 2"
        return ""
    if options.seats is not None:
        return f"--selfplay {options.selfplay} says already how many play: leave out --seats"
    for name in sorted(given & {"host", "settings"}):
        return f"--{name} is not for a rehearsal, which has its own"
    if down is None and (up is not None or "p2p_cut" in given):
        return "--p2p-up-at and --p2p-cut say what becomes of a cut: add --p2p-down-at"
    if down is not None and options.socketio_only:
        return "with --socketio-only there is no peer-to-peer to cut"
    if options.socketio_only and given & {"latency", "loss"}:
        return "--latency and --loss are those of peer-to-peer, and with --socketio-only there is none"
    if down is not None and not down < options.seconds:
        return f"--p2p-down-at {down:g} is not before the end, --seconds {options.seconds:g}"
    if up is not None and not down < up < options.seconds:
        return f"--p2p-up-at {up:g} is not between the cut at {down:g} and the end at {options.seconds:g}"
    return ""


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments before and after the first `--`."""
    words = list(arguments)
    cut = words.index("--") if "--" in words else len(words)
    return words[:cut], words[cut + 1 :]


def again_inside(arguments: Sequence[str]) -> int:
    """Start this file again with the environment's Python, and end as it ends."""
    python = environment.ensure_main()
    command = [str(python), str(ROOT / "build.py"), *arguments]
    os.environ[PREPARED] = str(ENVIRONMENT)
    if not is_windows():
        sys.stdout.flush()
        os.execv(python, command)
    return subprocess.call(command)


def clean(everything: bool) -> int:
    """Remove what was built; also what was installed, if asked."""
    import shutil

    doomed = [BUILD, DIST, ROOT / ".mypy_cache", ROOT / ".ruff_cache", ROOT / ".pytest_cache"]
    if everything:
        doomed += [ENVIRONMENT, FLOOR_ENVIRONMENT, NODE_MODULES]
    for folder in doomed:
        if folder.exists():
            say(f"removing {folder.relative_to(ROOT)}")
            shutil.rmtree(folder)
    return 0


def dispatch(options: argparse.Namespace) -> int:
    """Run a task; this happens inside the environment, so imports may be anything."""
    environment.put_on_path()
    if options.task == "test":
        from tools import suite

        return suite.main(options)
    if options.task == "demo":
        from tools import demo

        return demo.main(options)
    if options.task == "wheel":
        from tools import site, wheels

        wheels.to_dist()
        site.build()
        return 0
    if options.task == "site":
        from tools import site

        site.build()
        return 0
    if options.task == "docs":
        from tools import docs

        return docs.main(options)
    if options.task == "bench":
        from tools import chromium, node

        node.ensure_packages()
        chromium.ensure(options.chromium)
        command = [sys.executable, "-m", "bench"]
        if options.json:
            command += ["--json", str(options.json.resolve())]
        for name in [*(options.only or ()), *(["participant"] if options.participant else [])]:
            command += ["--only", name]
        if options.page:
            command += ["--page", "--runs", str(options.runs)]
        command += [f"--{what}" for what in ("mesh", "relay", "cluster") if getattr(options, what)]
        if options.against:
            command += ["--against", options.against, "--rounds", str(options.rounds)]
        if options.write:
            command += ["--write"]
        return subprocess.call(command, cwd=ROOT)
    if options.task == "browsers":
        from tools import browsers

        return browsers.main(options)
    from tools import chromium, node

    node.ensure_packages()
    say(f"Python {'.'.join(map(str, sys.version_info[:3]))} in {ENVIRONMENT.name}")
    say(f"Node {node.ensure_node()[0]}")
    say(f"Chromium {chromium.ensure(options.chromium)}")
    return 0


def main(arguments: Sequence[str]) -> int:
    """Parse, prepare, run. Returns the exit status: 0 done, 1 failed, 2 wrong arguments, 3 something is missing."""
    mine, theirs = split(arguments)
    options = parser().parse_args(mine)
    if theirs and options.task != "test":
        parser().error("only `test` takes arguments after --")
    if options.task == "demo" and (wrong := contradiction(options)):
        parser().error(wrong)
    if options.task == "bench" and options.against and not options.relay and (options.page or options.write):
        parser().error("--against compares two versions of the core: without --page and --write")
    if options.task == "test":
        options.pytest_arguments = theirs
    try:
        if options.task == "clean":
            return clean(options.all)
        if not (environment.inside() and os.environ.get(PREPARED) == str(ENVIRONMENT)):
            return again_inside(arguments)
        return dispatch(options)
    except Missing as error:
        print(f"\nMissing: {error}", file=sys.stderr)
        return 3
    except Failed as error:
        print(f"\nFailed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
