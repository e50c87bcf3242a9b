"""`pycore data`: what the relay has stored."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pycore.cli.told import DATABASE, told
from pycore.relay import missing_extra

if TYPE_CHECKING:
    from pycore.relay.export import GameData


@click.command(short_help="List the stored games, or write their files.")
@click.option(
    "--database",
    default=DATABASE,
    show_default=True,
    help="SQLAlchemy URL of the relay's database.",
    metavar="URL",
)
@click.option("--game", help="This game alone.", metavar="ID")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR",
    help="Write the files there: of the one game, or of each game in a folder of its own.",
)  # fmt: skip
@told
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


def _gaps(game: GameData) -> list[tuple[str, str]]:
    return [
        (player, ", ".join(lost))
        for player, data in game.players.items() if (lost := data.missing + data.experienced_missing)
    ]  # fmt: skip


def _table(found: list[GameData]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    # The id is there to be copied: everything else may wrap.
    table.add_column("game", no_wrap=True, min_width=32)
    for name in ("started, UTC", "player", "subject", "metrics", "episodes", "experienced"):
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
            seen = f"{data.experienced_bytes} B" if data.experienced else "-"
            if data.experienced_missing:
                seen += f", {len(data.experienced_missing)} parts missing"
            table.add_row(game.game_id, started, escape(player), subject, kept or "-", lines, seen)
    return table
