"""Where the games of a command come from: files and folders, or the relay's database."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pycore.errors import UsageError
from pycore.relay import missing_extra

if TYPE_CHECKING:
    from pycore.export.sources import Source

_OPTIONS = (
    click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE...|DIR...]"),
    click.option("--database", metavar="URL", help="SQLAlchemy URL of the relay's database, in the place of FILES."),
    click.option("--game", metavar="ID", help="Of the database this game alone."),
)


def of_games(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command FILES, --database and --game."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def check_games(files: tuple[Path, ...], database: str | None, game: str | None) -> None:
    """Raises UsageError for what cannot be meant."""
    if bool(files) == bool(database):
        raise UsageError("give the files or folders of games, or --database URL, and not both")
    if game is not None and database is None:
        raise UsageError("--game is one of a database; give --database, or the folder of the game")


@contextlib.contextmanager
def opened_games(
    files: tuple[Path, ...], database: str | None, game: str | None, out: Path
) -> Iterator[list[Source]]:
    """The games; those of a database lie beside `out` meanwhile."""
    from pycore.export import sources
    from pycore.export.writing import beside

    with contextlib.ExitStack() as stack:
        if database is None:
            yield sources.of_paths(files)
            return
        work = stack.enter_context(beside(out))
        try:
            games = stack.enter_context(sources.of_database(database, work, game))
        except ModuleNotFoundError as error:
            raise missing_extra(error) from error
        yield games
