"""`pycore interactive-gym`: pycore in an interactive_gym page."""

from __future__ import annotations

from pathlib import Path

import click

from pycore.cli.told import told
from pycore.errors import UsageError


@click.group("interactive-gym", short_help="Put pycore into an interactive_gym page, or take it out.")
def interactive_gym() -> None:
    """Use pycore in a page of interactive_gym, or of multi-user-gymnasium 0.1.3."""


@interactive_gym.command("install", short_help="Install, upgrade, check or remove pycore in a page.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--undo", is_flag=True, help="Put the page's own module back and remove pycore's files.")
@click.option("--check", is_flag=True, help="Say what is installed; status 0 if it works and is this pycore.")
@told
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
