"""`pycore relay`: the server that pairs players and stores their data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pycore.cli.checking import Checks, check_server, files
from pycore.cli.serving import Options, relay_options, serve, shown, watched
from pycore.cli.told import told


@click.command(short_help="Run the server that pairs players and stores their data.")
@click.option("--site", type=click.Path(path_type=Path), help="Folder that is served at /.", metavar="DIR")
@click.option(
    "--settings", "settings_file", type=click.Path(path_type=Path), metavar="FILE",
    help="The study's settings, a JSON object: fps, input_delay, num_episodes, max_steps, ...",
)  # fmt: skip
@click.option("--seats", default=2, show_default=True, type=click.IntRange(1, 8), help="Players per game.")
@relay_options
@told
def relay(site: Path | None, settings_file: Path | None, seats: int, **options: Any) -> None:
    """Pair players, pass their signals and fallback inputs on, store their data.

    Runs until it gets SIGINT (Ctrl-C) or SIGTERM. Listens on this machine alone unless --host says otherwise.
    """
    from pycore.relay.serve import bind
    from pycore.site.study import Study

    given = Options.given(**options)
    if given.printed(settings_file):
        return
    if given.check:
        _check(given, site, settings_file, seats)
        return
    # What the file has for a page is the site's.
    study = Study(settings={}) if settings_file is None else Study.read(settings_file)
    given = given.of_study(study.limits)

    def ready(address: str) -> None:
        # Plain lines, flushed: a script that started the relay reads the address from the first one.
        click.echo(f"pycore relay on {address}")
        click.echo(f"  site      {site if site is not None else 'none'}")
        click.echo(f"  data      {shown(given.database)}")
        if given.bus is not None:
            click.echo(f"  bus       {shown(given.bus)}")
        click.echo(f"  players   {seats} per game")
        click.echo(watched(given, address))
        click.echo("  end with  Ctrl-C")

    serve(given, study.settings, site, seats, bind(given.host, given.port), ready, study.recruiting)


def _check(given: Options, site: Path | None, settings_file: Path | None, seats: int) -> None:
    from pycore.relay.settings import check_settings, who_plays
    from pycore.site.study import Study

    def settings() -> str:
        nonlocal given
        study = Study(settings={}) if settings_file is None else Study.read(settings_file)
        who_plays(check_settings(study.settings), [*range(seats)])
        given = given.of_study(study.limits)
        return str(settings_file or "none: the defaults")

    checks = Checks()
    checks.do("settings", settings)
    if site is not None:
        checks.do("site", lambda: f"{site}: {files(site)}")
    check_server(checks, given)
    checks.end()
