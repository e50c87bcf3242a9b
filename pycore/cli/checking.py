"""`--check`: what a server needs to start and to go on, tried without starting it and without changing anything."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import click

from pycore.cli.spelled import say
from pycore.errors import PycoreError, UsageError
from pycore.relay.transport.descriptors import BESIDE

if TYPE_CHECKING:
    from pycore.cli.serving import Options
    from pycore.relay.limits import Limits

T = TypeVar("T")

LEAST_FREE = 1 << 30
"""Bytes on the disk of the database below which a study should not begin. One that runs goes on, and starts again, as
long as anything can be stored."""


class Checks:
    """What was tried, a line each."""

    def __init__(self) -> None:
        self.wrong = 0

    def do(self, name: str, work: Callable[[], str]) -> None:
        """Try something, which says what was found; the next is tried whatever comes of it."""
        try:
            say(f"  ok     {name:12} {work()}")
        except (PycoreError, OSError) as error:
            self.wrong += 1
            say(f"  wrong  {name:12} {error}")

    def end(self) -> None:
        """Exit with status 1 if anything was wrong."""
        click.echo("everything is in order" if not self.wrong else f"{self.wrong} of these must be mended first")
        if self.wrong:
            raise SystemExit(1)


def check_server(checks: Checks, options: Options) -> None:
    """What every server needs."""
    checks.do("address", lambda: free(options.host, options.port))
    if options.metrics_address is not None:
        checks.do("metrics", lambda: _metrics(options))
    checks.do("database", lambda: database(options.database, options.limits.free_bytes))
    checks.do("limits", lambda: bounds(options.limits))
    if options.bus is not None:
        checks.do("bus", lambda: _bus(options))
    checks.do("origins", lambda: _origins(options))
    checks.do("participants", lambda: invited(options))
    checks.do("TURN", lambda: _turn(options))
    if options.alarm_url is not None:
        checks.do("alarms", lambda: _alarms(str(options.alarm_url)))
    checks.do("descriptors", lambda: descriptors(options.limits.sockets))


def free(host: str, port: int) -> str:
    """That one can listen there. Raises `UsageError`."""
    from pycore.relay.serve import address, bind

    with bind(host, port) as bound:
        return address(bound) + (" (a free port)" if port == 0 else "")


def _metrics(options: Options) -> str:
    from pycore.cli.serving import place_of

    host, port = place_of(str(options.metrics_address))
    if port and port == options.port and (host == options.host or {host, options.host} & {"0.0.0.0", "::"}):
        raise UsageError(f"{host}:{port} is the server's own address; the metrics need another port")
    return free(host, port)


def bounds(limits: Limits) -> str:
    """That anybody gets in. Raises `UsageError`."""
    for name in ("rooms", "sockets", "connections"):
        if getattr(limits, name) < 1:
            raise UsageError(f"{name} is {getattr(limits, name)}, so nobody could play")
    if limits.connections < limits.sockets:
        raise UsageError(
            f"connections is {limits.connections}, and each of {limits.sockets} sockets is one: give --limit "
            f"connections={limits.sockets + limits.sockets // 5}, or fewer sockets"
        )
    return f"{limits.rooms} games, {limits.sockets} sockets"


def database(url: str, least: int) -> str:
    """That it can be opened and written, and of which version it is; with `least` bytes free or fewer it would take
    nothing. Raises `UsageError`."""
    from pycore.relay.storage.databases import shown
    from pycore.relay.storage.standing import in_file, standing

    in_file(url)
    found, folder = standing(url)
    if folder is not None and (left := shutil.disk_usage(folder).free) < LEAST_FREE:
        low = f"only {left / 1e6:.0f} MB are free in {folder}, where the database lies"
        if left <= least:
            raise UsageError(f"{low}: nothing would be stored")
        return f"{shown(url)}: {found}; but {low}, so make room"
    return f"{shown(url)}: {found}"


def _bus(options: Options) -> str:
    """That there is one, and a database for several. Raises `UsageError`."""
    from pycore.cli.serving import bus_for
    from pycore.relay.storage.databases import shown

    async def tried() -> None:
        bus = bus_for(options)
        assert bus is not None
        await bus.open("check", lambda text: None)
        await bus.close()

    asyncio.run(tried())
    return shown(str(options.bus))


def _origins(options: Options) -> str:
    from pycore.relay.transport.origins import read_origin

    read = [read_origin(origin) for origin in options.origins]
    return ", ".join(["the server's own", *read])


def invited(options: Options) -> str:
    """Who may come, and that the matcher of the command line can be made. Raises `ConfigError`."""
    from pycore.relay.people.admission import Admission, read_subjects
    from pycore.relay.people.recruiting import Recruiting

    subjects = None if options.subjects is None else read_subjects(options.subjects)
    admission = Admission(subjects, options.join_secret)
    Recruiting.of({} if options.matcher is None else {"matcher": options.matcher}, admission)
    listed = [] if subjects is None else [f"the {len(subjects)} of {options.subjects}"]
    signed = [] if options.join_secret is None else ["those with a signed address"]
    return " and ".join([*listed, *signed]) or "everybody with the address"


def _alarms(url: str) -> str:
    from pycore.relay.operating.alarms import check_address

    return f"to {urlsplit(check_address(url)).hostname}, when something is wrong"


def _turn(options: Options) -> str:
    from pycore.relay.turn import Turn

    if options.turn is None:
        return "none: who cannot be reached directly plays through the server"
    return ", ".join(Turn.of(options.turn).urls)


def descriptors(sockets: int) -> str:
    """That the process may have as many as its sockets need. Raises `UsageError`."""
    try:
        import resource
    except ModuleNotFoundError:  # on Windows
        return "not limited here"
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    needed = sockets + BESIDE
    if most != resource.RLIM_INFINITY and most < needed:
        raise UsageError(
            f"the process may have {most} open files, and {sockets} sockets need {needed}: raise that (systemd: "
            f"LimitNOFILE={needed}; Docker: --ulimit nofile={needed}), or say --limit sockets={max(1, most - BESIDE)}"
        )
    return f"{'as many as wanted' if most == resource.RLIM_INFINITY else most} for {sockets} sockets"


def files(folder: Path) -> str:
    """How many there are to be served. Raises `UsageError`."""
    if not folder.is_dir():
        raise UsageError(f"there is no site folder {folder}; build it first, or leave it out")
    if not (folder / "index.html").is_file():
        raise UsageError(f"{folder} has no index.html, so the address shows nothing")
    found = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in found)
    return f"{len(found)} files, {size / 1e6:.1f} MB"
