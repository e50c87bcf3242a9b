"""`pycore relay`: the server that pairs players and stores their data."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from pycore.cli.told import DATABASE, told
from pycore.relay import create_app
from pycore.relay.settings import read_settings


@click.command(short_help="Run the server that pairs players and stores their data.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: a free one.")
@click.option(
    "--database",
    default=DATABASE,
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
@told
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
    settings = read_settings(settings_file) if settings_file is not None else {}
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


def _shown(database: str) -> str:
    from sqlalchemy import make_url

    return make_url(database).render_as_string(hide_password=True)
