"""`build.py bench`: every figure with its goal, as a table, and as JSON for whoever compares runs.

`--against REV` measures another version beside this one, `--page` compares the interactive_gym page before and
after pycore, `--mesh` compares meshes in virtual time with published ones, `--relay` loads a server and then several
processes as one, `--write` puts the figures into the documents.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from bench import against, document
from bench.rows import Row, as_json, table
from tools.process import Failed, Missing, say

GROUPS = (
    "engine.cpython", "engine.hash", "generators", "canonical", "engine.pyodide", "bridge", "wire", "failover", "wheel",
    "participant", "records", "coverage",
)  # fmt: skip
"""As in `groups.GROUPS`, whose import needs all of the environment."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="bench", description=__doc__)
    top.add_argument("--json", type=Path, default=None, metavar="FILE")
    top.add_argument("--only", action="append", default=None, metavar="NAME[,NAME]", help=f"of {', '.join(GROUPS)}")
    top.add_argument("--page", action="store_true", help="the interactive_gym page, before and after")
    top.add_argument("--mesh", action="store_true", help="meshes in virtual time, beside published ones")
    top.add_argument("--cluster", action="store_true", help="several processes of the relay as one server")
    top.add_argument("--relay", action="store_true", help="what one process of the relay carries, and several as one")
    top.add_argument("--runs", type=int, default=20, metavar="N", help="with --page: games under loss")
    top.add_argument("--against", default=None, metavar="REV", help="measure that version as well, in turns")
    top.add_argument("--rounds", type=int, default=5, metavar="N", help="with --against: how often each")
    top.add_argument("--write", action="store_true", help="put the figures into docs/figures.md")
    return top


def chosen(only: Sequence[str], offered: Sequence[str]) -> list[str]:
    """The groups whose names begin as asked; all if nothing was asked."""
    begins = tuple(begin for each in only for begin in each.split(",") if begin)
    return [name for name in offered if not only or name.startswith(begins)]


def main() -> int:
    """Measure what was asked for."""
    top = parser()
    options = top.parse_args()
    only = options.only or ()
    if options.relay:
        if options.page or options.mesh or only:
            top.error("--relay stands alone, with --json, --write and --against")
        return loaded(options.against, options.json, write=options.write)
    if options.cluster:
        from bench import cluster

        rows = cluster.measure()
        if options.write:
            document.write_relay(rows)
            say(f"written into {document.FILE.name}")
        return report(rows, options.json)
    if options.write and (options.against or (options.page and only)):
        top.error("--write is for one version, and with --page for all of its figures")
    if options.mesh and (options.page or options.against or only):
        top.error("--mesh stands alone, with --json and --write")
    if options.page:
        from bench import hostpage

        rows, remarks = hostpage.run(options.runs, only)
        if options.write:
            document.write_page(rows)
            say(f"written into {document.PAGE.name}")
        return report(rows, options.json, remarks)
    if options.mesh:
        from bench import mesh

        rows = mesh.measure()
        if options.write:
            document.write_mesh(rows)
            say(f"written into {document.FILE.name}")
        return report(rows, options.json)
    offered = against.COMPARED if options.against else GROUPS
    names = chosen(only, offered)
    if not names:
        top.error(f"no figures of that name; there are {', '.join(offered)}")
    if options.against:
        return compare(options.against, names, options.rounds, options.json)
    from bench import groups

    rows: list[Row] = []
    failed: list[str] = []
    for name in names:
        say(f"measuring {name}")
        try:
            rows += groups.GROUPS[name]()
        except Exception as error:  # the other groups' figures took minutes
            traceback.print_exc()
            failed.append(f"{name} could not be measured: {error}".splitlines()[0])
    if rows:
        report(rows, options.json, failed)
    if options.write:
        document.write(rows, whole=not only and not failed)
        say(f"written into {document.FILE.name}")
    return 1 if failed else 0


def loaded(revision: str | None, file: Path | None, *, write: bool) -> int:
    """What a server carries, and then several processes as one, where there are a database and a broker for them."""
    from bench import cluster, relay

    rows = relay.measure(revision)
    remarks, status = [], 0
    try:
        rows += cluster.measure()
    except (Failed, Missing, OSError) as error:  # the other figures took minutes
        remarks.append(f"several processes could not be measured: {error}")
        status = 1
    if write:
        document.write_relay(rows)
        say(f"written into {document.FILE.name}")
    report(rows, file, remarks)
    return status


def compare(revision: str, names: Sequence[str], rounds: int, file: Path | None) -> int:
    """Both versions in turns."""
    try:
        pairs, failed = against.measure(revision, names, rounds)
    except (Failed, Missing) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(against.table(pairs, revision))
    if file:
        file.write_text(against.as_json(pairs), encoding="utf-8")
    for what in failed:
        print(f"\n{what}", file=sys.stderr)
    return 1 if failed else 0


def report(rows: list[Row], file: Path | None, remarks: Sequence[str] = ()) -> int:
    """Print the table and what must be said about it, and write the file that was asked for."""
    print(table(rows))
    for remark in remarks:
        print(f"- {remark}")
    if file:
        file.write_text(as_json(rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
