"""The command line: run a relay, read a study's data back, put pycore into an interactive_gym page.

Exit status 0: done; 1: the data asked for are incomplete, or the page is not in order; 2: a mistake in what was
asked, with the way out in the message. The relay and its dependencies are imported by the command that needs them.
"""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pycore.errors import ConfigError, PycoreError, UsageError
from pycore.relay import create_app, missing_extra
from pycore.version import __version__

if TYPE_CHECKING:
    from pycore.relay.export import GameData

P = ParamSpec("P")
R = TypeVar("R")

_DATABASE = "sqlite:///pycore.db"


def _told(command: Callable[P, R]) -> Callable[P, R]:
    """Errors of this package become one sentence and exit status 2, not a traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ModuleNotFoundError as error:
            raise _Mistake(str(missing_extra(error))) from error
        except PycoreError as error:
            raise _Mistake(str(error)) from error

    return run


class _Mistake(click.ClickException):
    exit_code = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="pycore")
def cli() -> None:
    """A rollback core for Python environments in the browser: its server and its data."""


@cli.command(short_help="Run the server that pairs players and stores their data.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: a free one.")
@click.option(
    "--database",
    default=_DATABASE,
    show_default=True,
    help="SQLAlchemy URL: SQLite or PostgreSQL.",
    metavar="URL",
)
@click.option("--site", type=click.Path(path_type=Path), help="Folder that is served at /.", metavar="DIR")
@click.option(
    "--settings", "settings_file", type=click.Path(path_type=Path), metavar="FILE",
    help="The study's settings, a JSON object: fps, input_delay, num_episodes, max_steps, ...",
)  # fmt: skip
@click.option("--seats", default=2, show_default=True, type=click.IntRange(2, 8), help="Players per game.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Game seed of every game; default: random ones.")
@click.option(
    "--origin",
    "origins",
    multiple=True,
    help="Another site whose pages may connect; repeatable.",
    metavar="URL",
)
@click.option(
    "--turn-url",
    "turn_urls",
    multiple=True,
    help="TURN server, as turn:host:3478; repeatable.",
    metavar="URL",
)
@click.option(
    "--turn-secret", envvar="PYCORE_TURN_SECRET", show_envvar=True, metavar="TEXT",
    help="coturn's static-auth-secret; better given by the environment than on the command line.",
)  # fmt: skip
@click.option("--turn-ttl", default=86_400.0, show_default=True, help="Lifetime of TURN credentials, s.")
@click.option("--force-relay", is_flag=True, help="Pages use TURN only, so that players never see addresses.")
@click.option("-v", "--verbose", is_flag=True, help="Log what the server does.")
@_told
def relay(
    host: str,
    port: int,
    database: str,
    site: Path | None,
    settings_file: Path | None,
    seats: int,
    seed: int | None,
    origins: tuple[str, ...],
    turn_urls: tuple[str, ...],
    turn_secret: str | None,
    turn_ttl: float,
    force_relay: bool,
    verbose: bool,
) -> None:
    """Pair players, pass their signals and fallback inputs on, store their data.

    Runs until it gets SIGINT (Ctrl-C) or SIGTERM. Listens on this machine alone unless --host says otherwise.
    """
    settings = _settings(settings_file)
    turn: dict[str, Any] | None = None
    if turn_urls or force_relay:
        turn = {"urls": turn_urls, "secret": turn_secret, "ttl_s": turn_ttl, "force_relay": force_relay}
    from pycore.relay import serve

    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    bound = serve.bind(host, port)
    try:
        app = create_app(
            database=database,
            settings=settings,
            site=site,
            seats=seats,
            turn=turn,
            seed=seed,
            origins=origins or None,
        )
        console = Console(highlight=False)

        def ready(address: str) -> None:
            # Plain lines, flushed: a script that started the relay reads the address from the first one.
            click.echo(f"pycore relay on {address}")
            click.echo(f"  site      {site if site is not None else 'none'}")
            click.echo(f"  data      {_shown(database)}")
            click.echo(f"  players   {seats} per game")
            click.echo("  end with  Ctrl-C")

        serve.run(app, bound, ready=ready, log_level="info" if verbose else "warning")
        console.print("pycore relay ended")
    finally:
        bound.close()


@cli.command(short_help="List the stored games, or write their files.")
@click.option(
    "--database",
    default=_DATABASE,
    show_default=True,
    help="SQLAlchemy URL of the relay's database.",
    metavar="URL",
)
@click.option("--game", help="This game alone.", metavar="ID")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR",
    help="Write the files there: of the one game, or of each game in a folder of its own.",
)  # fmt: skip
@_told
def data(database: str, game: str | None, out: Path | None) -> None:
    """List the stored games, or export their metrics and trajectories as they were sent."""
    try:
        from pycore.relay.export import export_game, list_games
        from pycore.relay.store import DataStore
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    store = DataStore(database, create=False)
    try:
        found = list_games(store, game)
        console = Console(highlight=False)
        if not found:
            console.print("no games are stored yet")
        elif out is None:
            console.print(_table(found))
        for item in found:
            if out is not None:
                for path in export_game(store, item, out if game is not None else out / item.game_id):
                    click.echo(path)
    finally:
        store.close()
    gaps = [(item.game_id, player, lost) for item in found for player, lost in _gaps(item)]
    for game_id, player, lost in gaps:
        click.echo(f"incomplete: game {game_id}, player {player}: {lost} missing", err=True)
    if gaps:
        raise SystemExit(1)


@cli.group("interactive-gym", short_help="Put pycore into an interactive_gym page, or take it out.")
def interactive_gym() -> None:
    """Use pycore in a page of interactive_gym, or of multi-user-gymnasium 0.1.3."""


@interactive_gym.command("install", short_help="Install, upgrade, check or remove pycore in a page.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--undo", is_flag=True, help="Put the page's own module back and remove pycore's files.")
@click.option("--check", is_flag=True, help="Say what is installed; status 0 if it works and is this pycore.")
@_told
def install_page(path: Path, undo: bool, check: bool) -> None:
    """Put pycore in the place of the page's pyodide_multiplayer_game.js; again to upgrade.

    PATH is the installed mug or interactive_gym package, its site-packages, a checkout or a copy.
    """
    if undo and check:
        raise UsageError("--undo and --check are two different things; give one of them")
    from pycore import install

    report = (install.undo if undo else install.check if check else install.install)(path)
    click.echo(report.headline)
    for name, fact in report.facts.items():
        click.echo(f"  {name:<9} {fact}")
    for note in report.notes:
        click.echo(f"  note      {note}")
    if not report.ok:
        raise SystemExit(1)


def _settings(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the settings {file}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"the settings {file} are not JSON: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"the settings {file} are not a JSON object")
    return values


def _gaps(game: GameData) -> list[tuple[str, str]]:
    return [(player, ", ".join(data.missing)) for player, data in game.players.items() if data.missing]


def _table(found: list[GameData]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    # The id is there to be copied: everything else may wrap.
    table.add_column("game", no_wrap=True, min_width=32)
    for name in ("started, UTC", "player", "subject", "metrics", "episodes"):
        table.add_column(name, overflow="fold")
    for game in found:
        started = "?"
        subjects: dict[str, Any] = {}
        if game.row is not None:
            moment = datetime.datetime.fromtimestamp(game.row["started"], datetime.UTC)
            started = moment.strftime("%Y-%m-%d %H:%M:%S")
            subjects = json.loads(game.row["subjects"])
        for player, data in game.players.items():
            kept = ", ".join("session" if episode < 0 else str(episode) for episode in data.metrics_episodes)
            lines = f"{len(data.parts)} ({data.record_bytes} B)" if data.parts else "-"
            if data.missing:
                lines += f", {len(data.missing)} parts missing"
            subject = escape(subjects.get(player) or "-")
            table.add_row(game.game_id, started, escape(player), subject, kept or "-", lines)
    return table


def _shown(database: str) -> str:
    from sqlalchemy import make_url

    return make_url(database).render_as_string(hide_password=True)
