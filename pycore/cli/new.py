"""`pycore new`: the folder of a study to begin with."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from pycore.cli.told import told


@click.command("new", short_help="Make the folder of a new study: an environment, its settings, the commands.")
@click.argument("name", type=click.Path(path_type=Path), metavar="NAME")
@click.option("--players", default=2, show_default=True, type=click.IntRange(1, 8), help="People per game.")
@click.option("--page", is_flag=True, help="Also a page of your own, page.html, to begin with.")
@told
def new(name: Path, players: int, page: bool) -> None:
    """Make a folder with a small game that works, to be changed into yours. Nothing that exists is overwritten."""
    from pycore.site.beginning import begin

    files = begin(name, players, page)
    for file in files:
        click.echo(file)
    click.echo(f"next: cd {shlex.quote(str(name))}")
    for command in ("audit", "rehearse", "serve"):
        click.echo(f"      pycore {command} environment.py")
