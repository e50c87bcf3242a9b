"""Where the games of an export come from: files and folders, or the relay's database.

What the server knew of each game is there at once, in the order in which the games began; its files are looked at when
it is their turn, one game at a time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pycore.errors import UsageError
from pycore.export.files import GameFiles, by_game, game_in, games_of, read_about
from pycore.records.agreement import NotOneGame
from pycore.records.reader import RecordError


class Source(NamedTuple):
    """One game of an export."""

    about: dict[str, Any]
    """What the server knew of it; nothing where that is not known."""
    files: Callable[[], AbstractContextManager[GameFiles]]
    """Its files, for as long as they are looked at."""


def of_paths(paths: Sequence[Path]) -> list[Source]:
    """The games of files and folders; those of which nobody knows when they began come last, as they were given."""
    games = [game for given in games_of(paths) for game in by_game(given)]
    return sorted([Source(read_about(game.about), partial(_given, game)) for game in games], key=_began)


@contextlib.contextmanager
def of_database(url: str, work: Path, game: str | None = None) -> Iterator[list[Source]]:
    """The games of a database. The files of each are written into the folder `work` while they are looked at."""
    from pycore.relay.storage.export import GameData, about, export_game, list_games
    from pycore.relay.storage.store import DataStore

    store = DataStore(url, create=False)

    @contextlib.contextmanager
    def files(item: GameData) -> Iterator[GameFiles]:
        folder = work / urllib.parse.quote(item.game_id, safe="")
        try:
            export_game(store, item, folder)
            yield game_in(folder)
        except (RecordError, NotOneGame) as error:
            # Its files are gone when somebody reads this, and what a page stored is nobody else's fault.
            said = str(error).replace(f"{folder}{os.sep}", f"game {item.game_id}: ")
            raise UsageError(
                f"{said}; to go on without it write the files, pycore data --out DIR, take out what is refused, and "
                "give DIR in the place of the database"
            ) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    try:
        found = list_games(store, game)
        if not found:
            raise UsageError("no games are stored in the database")
        yield [Source({} if item.row is None else about(item.row), partial(files, item)) for item in found]
    finally:
        store.close()


def _given(game: GameFiles) -> AbstractContextManager[GameFiles]:
    return contextlib.nullcontext(game)


def _began(source: Source) -> float:
    began = source.about.get("started")
    return float(began) if isinstance(began, (int, float)) else float("inf")
