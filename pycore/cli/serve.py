"""`pycore serve`: a study of an environment, its site and its relay."""

from __future__ import annotations

import contextlib
import ipaddress
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from rich.console import Console
from rich.markup import escape

from pycore.cli.checking import Checks, check_server, files
from pycore.cli.serving import Options, relay_options, serve, shown, watched
from pycore.cli.told import told
from pycore.errors import UsageError
from pycore.factory import STUDY

if TYPE_CHECKING:
    from pycore.site import Study


def settings_beside(subject: str, settings: Path | None) -> Path | None:
    """The file of settings that was named, or the one beside an environment that is named by its file."""
    beside = Path(subject.partition(".py:")[0]).parent / STUDY
    return beside if settings is None and ".py" in subject and beside.is_file() else settings


@click.command("serve", short_help="Run a study: build its page, pair its players, store their data.")
@click.argument("subject", metavar="FILE.py[:FACTORY]")
@click.option(
    "--settings", "settings_file", type=click.Path(path_type=Path), metavar="FILE",
    help=f"The study's settings, a JSON object; default: {STUDY} beside the environment, if it is there.",
)  # fmt: skip
@click.option("--packages", metavar="A,B", help="Packages that the environment imports, beside the settings' own.")
@click.option(
    "--pyodide", metavar="DIR|URL", envvar="PYCORE_PYODIDE", show_envvar=True,
    help="Where Pyodide comes from; default: jsdelivr.net.",
)  # fmt: skip
@click.option(
    "--wheels", type=click.Path(path_type=Path), metavar="DIR",
    help="A folder of wheels: packages come from there, and not from the index.",
)  # fmt: skip
@click.option(
    "--with", "more", multiple=True, type=click.Path(path_type=Path), metavar="PATH",
    help="A file or folder beside the environment that no import names; repeatable.",
)  # fmt: skip
@click.option("--page", type=click.Path(path_type=Path), metavar="FILE.html", help="A page of your own, as index.html.")
@click.option("--seats", type=click.IntRange(1, 8), metavar="N", help="Players per game; default: one for each agent.")
@click.option("--unchecked", is_flag=True, help="Do not try the environment out first.")
@relay_options
@told
def serve_study(
    subject: str,
    settings_file: Path | None,
    packages: str | None,
    pyodide: str | None,
    wheels: Path | None,
    more: tuple[Path, ...],
    page: Path | None,
    seats: int | None,
    unchecked: bool,
    **options: Any,
) -> None:
    """Run a study with an environment of yours: everything that its page needs, and the server.

    FACTORY is a function without arguments that makes a new environment, make_env unless you say so. The environment's
    file goes into the page, and with it every module beside it that it imports. It is tried out here first, if it can
    be made here.

    Runs until Ctrl-C. Listens on this machine alone unless --host says otherwise. Exit status 2: something is wrong,
    and nothing was served.
    """
    from pycore.factory import DEFAULT
    from pycore.relay.serve import bind
    from pycore.relay.settings import check_settings
    from pycore.site import Study, build
    from pycore.site.sources import sources_of

    given = Options.given(**options)
    if given.printed(settings_beside(subject, settings_file)):
        return
    place, _, factory = subject.partition(".py:")
    file = Path(f"{place}.py") if factory else Path(subject)
    if settings_file is None and (file.parent / STUDY).is_file():
        settings_file = file.parent / STUDY

    def prepared() -> Prepared:
        sources = sources_of(file, more)
        study = Study(settings={}) if settings_file is None else Study.read(settings_file)
        named = [name.strip() for name in (packages or "").split(",") if name.strip()]
        study = study._replace(packages=(*study.packages, *named))
        settings, players, warnings = _tried(f"{file}:{factory or DEFAULT}", study, seats, sources.foreign, unchecked)
        settings = check_settings(settings)
        if page is None:
            warnings += without_policy(settings)
        return Prepared(sources.files, study, settings, players, [*warnings, *with_sources(pyodide)])

    def built(study: Study, folder: Path) -> Path:
        build(
            folder / "site", game=file, factory=factory or DEFAULT, study=study, pyodide=pyodide, wheels=wheels,
            more=more, page=page,
        )  # fmt: skip
        return folder / "site"

    if given.check:
        if not file.is_file():
            sources_of(file)  # says so
        _check(given, prepared, built, f"{file}:{factory or DEFAULT}", settings_file)
        return
    names, study, settings, players, warnings = prepared()
    given = given.of_study(study.limits)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    bound = bind(given.host, given.port)
    with contextlib.ExitStack() as stack:
        stack.callback(bound.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pycore-")))
        with console.status("building the site"):
            site = built(study, folder)

        def ready(address: str) -> None:
            click.echo(f"pycore serves {file.name} on {address}")
            click.echo(f"  settings  {settings_file or 'none: the defaults'}")
            click.echo(f"  pyodide   {pyodide or 'from jsdelivr.net: participants need the internet'}")
            if study.packages:
                click.echo(f"  packages  {', '.join(Path(package).name for package in study.packages)}")
            click.echo(f"  files     {', '.join(names)}")
            click.echo(f"  data      {shown(given.database)}  (pycore data --database {shown(given.database)})")
            people = players - len(settings.get("policies", {}))
            beside = f", {players - people} of them played by policies" if people < players else ""
            click.echo(f"  players   {players} per game{beside}: open the address in {_so_many(people)}")
            for line in _of_host(given.host, address):
                click.echo(line)
            click.echo(watched(given, address))
            click.echo("  end with  Ctrl-C")
            for warning in warnings:
                console.print(f"[yellow]note:[/yellow] {escape(warning)}")

        serve(given, settings, site, players, bound, ready, study.recruiting)


class Prepared(NamedTuple):
    """What a study is served with."""

    files: Iterable[str]
    study: Study
    settings: dict[str, Any]
    players: int
    warnings: list[str]


def _check(
    given: Options, prepared: Callable[[], Prepared], built: Callable[[Study, Path], Path], subject: str,
    settings_file: Path | None,
) -> None:  # fmt: skip
    """Try all of it, and say all that is wrong: what follows from something that is wrong is not tried."""
    from pycore.settings import Settings
    from pycore.site import Study

    checks = Checks()
    found: list[Prepared] = []

    def study() -> str:
        if settings_file is not None:
            Settings.of(Study.read(settings_file).settings)  # of actions the environment knows more
        return str(settings_file or "none: the defaults")

    def environment() -> str:
        found.append(prepared())
        return f"{subject}, {found[0].players} players"

    def site() -> str:
        with tempfile.TemporaryDirectory(prefix="pycore-") as folder:
            return files(built(found[0].study, Path(folder)))

    wrong = checks.wrong
    checks.do("settings", study)
    if checks.wrong == wrong:
        checks.do("environment", environment)
    if found:
        given = given.of_study(found[0].study.limits)
        checks.do("site", site)
    check_server(checks, given)
    for warning in found[0].warnings if found else ():
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[yellow]note:[/yellow] {escape(warning)}")
    checks.end()


def with_sources(pyodide: str | None) -> list[str]:
    """That pages could start faster with a Pyodide that lies here, as a sentence."""
    from pycore.install.library import ARCHIVE, is_compiled

    if pyodide is None or not zipfile.is_zipfile(Path(pyodide) / ARCHIVE) or is_compiled(Path(pyodide) / ARCHIVE):
        return []
    return [f"pages compile Python's library at every visit; they start sooner after `pycore pyodide {pyodide}`, once"]


def without_policy(settings: dict[str, Any]) -> list[str]:
    """Whose policies pycore's own page would not have, as a sentence."""
    from pycore.settings import Settings
    from pycore.site.policies import without_script

    return [
        f"one page computes the policy of player {player}, and pycore's page does not have it: name its script in the "
        'settings, {"policy": "net.js", "computed_by": "one"}, or give a page that has it, --page FILE.html'
        for player in without_script(Settings.of(settings))
    ]


def _tried(
    subject: str, study: Study, seats: int | None, foreign: frozenset[str], unchecked: bool
) -> tuple[dict[str, Any], int, list[str]]:
    """The settings with what the environment says, the number of players, and what is not sure."""
    from pycore.cli.trying import missing_module, try_out
    from pycore.site.keys import unknown_keys

    players = seats or study.players
    warnings = [
        f"the environment imports {module}, which is not in its folder and not among the packages: if its package is "
        f'called so, say "packages": ["{module}"] in the settings, or --packages {module}'
        for module in sorted(foreign - {name.replace("-", "_") for name in map(_import_name, study.packages)})
    ]
    warnings += unknown_keys(study.action_mapping or {})
    if unchecked:
        return study.settings, players or 2, warnings
    with contextlib.redirect_stdout(sys.stderr):  # a script reads our output
        try:
            tried = try_out(subject, study, players)
        except UsageError as error:
            absent = missing_module(error)
            if absent is None:
                raise
            warnings.append(
                f"the environment was not tried out, since {absent} is not installed here; what it says of itself "
                "(action spaces, number of players) is taken from the settings alone: pip install it, and start again"
            )
            return study.settings, players or 2, warnings
    return tried.settings, tried.seats, [*warnings, *tried.warnings]


def _import_name(package: str) -> str:
    """What a package is probably imported as."""
    name = Path(package).name.partition("-")[0] if package.endswith(".whl") else package
    return "".join(character if character.isalnum() or character in "-_." else " " for character in name).split()[0]


def _so_many(players: int) -> str:
    return "a browser" if players == 1 else f"{players} windows, or let {players} people open it"


def _of_host(host: str, address: str) -> list[str]:
    """What does not work by plain http from another machine."""
    if _is_loopback(host):
        return ["  reach     this machine alone; --host 0.0.0.0 lets others in"]
    port = address.rstrip("/").rpartition(":")[2]
    where = host if host not in ("0.0.0.0", "::") else "THIS-MACHINE"
    return [
        f"  reach     other machines, at http://{where}:{port}/ . By plain http everything of pycore works,",
        "            peer-to-peer too; what browsers keep for https does not (crypto.randomUUID and",
        "            crypto.subtle, clipboard, sensors, camera), and what is sent can be read on the way.",
        "            For a study on the internet: https, by a proxy in front (docs/running.md).",
    ]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
