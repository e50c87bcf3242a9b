"""The files of a game: which belong together, and what is in them.

A record is read line by line, whatever its size. Everything that is wrong with a file is a `RecordError` with its name,
its line and the reason; a file that is not there is a `ConfigError`.
"""

from __future__ import annotations

import json
import os
import re
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pycore.errors import ConfigError
from pycore.export.shapes import mend
from pycore.records.reader import Reading, RecordError

LONGEST: Final = 1 << 26
"""Bytes of a line; a file without line ends is no record, and must not be taken into memory to find out."""
LARGEST_METRICS: Final = 1 << 28
ABOUT: Final = "game.json"
"""What the server knew of a game: settings, subjects, seed, when it began and ended."""
DIGITS: Final = 300
LATEST: Final = 1e12
"""Seconds since the epoch that no game is beyond."""
INCOMPLETE: Final = ".incomplete"
"""Ends the name of a record of which the database lacks parts."""

_OURS = re.compile(r"metrics-.+\.json|(trajectory|experienced)-.+\.jsonl(\.incomplete)?")
_COPY = re.compile(r" ?\(\d+\)$| copy( \d+)?$| - (Copy|Kopie)( \(\d+\))?$")
"""What browsers and systems put behind the name of a file that is there already: it is the same player's, once more."""
_OF_A_DISK = frozenset(("lost+found", "System Volume Information", "$RECYCLE.BIN"))
"""Folders that systems put onto a disk, and let nobody read."""
_STATE = re.compile(r"(metrics-.+)-episode--?\d+\.json")


@dataclass(slots=True)
class GameFiles:
    """The files of one game, or what was given as that."""

    folder: Path
    records: list[Path] = field(default_factory=list)
    metrics: list[Path] = field(default_factory=list)
    incomplete: list[Path] = field(default_factory=list)
    """Records of which parts are missing; they are not read."""
    experienced: list[Path] = field(default_factory=list)
    """Records of what the players saw."""
    about: Path | None = None
    given: bool = False
    """Its files were named one by one, so that they may be of several games."""
    abouts: list[Path] = field(default_factory=list)
    """Of these, what the server knew of each game: what was named, and what lies beside the others."""


def games_of(paths: Sequence[Path]) -> list[GameFiles]:
    """The games of some paths: files are those of one game, a folder is a game, and so is every folder in it."""
    found: list[GameFiles] = []
    given: GameFiles | None = None
    for path in paths:
        if path.is_dir():
            inside = [game for game in map(game_in, _folders(path)) if _is_game(game)]
            if not inside:
                raise ConfigError(f"{path} has no trajectory-*.jsonl and no metrics-*.json, and no folder in it has")
            found += inside
            continue
        if not path.is_file():
            raise ConfigError(f"there is no file {path}")
        if given is None:
            given = GameFiles(path.parent, given=True)
            found.append(given)
        _put(given, path)
        beside = path.parent / ABOUT
        if beside not in given.abouts and beside.is_file():
            given.abouts.append(beside)
    if given is not None and given.about is None and given.abouts:
        given.about = given.abouts[0]
    return found


def by_game(files: GameFiles) -> list[GameFiles]:
    """Files that were named one by one, each with those of its game."""
    if not files.given:
        return [files]
    known = {str(read_about(path)["game_id"]): path for path in files.abouts}
    found: dict[str, GameFiles] = {}

    def of(game_id: Any) -> GameFiles:
        return found.setdefault(str(game_id), GameFiles(files.folder, about=known.get(str(game_id)), given=True))

    for path in files.records:
        of(open_record(path).header.get("game_id")).records.append(path)
    for path in files.metrics:
        of(read_metrics(path)["gameId"]).metrics.append(path)
    for path in files.experienced:
        of(first_object(path).get("game_id")).experienced.append(path)
    for path in files.incomplete:
        of(first_object(path).get("game_id")).incomplete.append(path)
    return list(found.values())


def with_metrics(games: Sequence[GameFiles], metrics: Sequence[Path]) -> None:
    """Put metrics that were named by themselves to the one game that there is. Raises ConfigError."""
    if metrics and len(games) != 1:
        raise ConfigError(f"metrics that are named by themselves are of one game, and there are {len(games)}")
    for path in metrics:
        if not path.is_file():
            raise ConfigError(f"there is no file {path}")
        games[0].metrics.append(path)


def _folders(path: Path) -> list[Path]:
    """A folder, and those in it or where links in it lead, each once; but no hidden ones, nor a disk's own: what
    editors leave, and an export that was killed, is no game. Raises ConfigError for one that cannot be read: nothing is
    left out in silence."""

    def unread(error: OSError) -> None:
        raise ConfigError(f"cannot read {error.filename}: {error.strerror}") from error

    found: dict[str, Path] = {}
    for folder, inside, _ in os.walk(path, onerror=unread, followlinks=True):
        if found.setdefault(os.path.realpath(folder), Path(folder)) != Path(folder):
            inside.clear()
        inside[:] = [name for name in inside if not name.startswith(".") and name not in _OF_A_DISK]
    return sorted(found.values())


def _is_game(files: GameFiles) -> bool:
    """Whether there is anything of a game: what the server knew of one, for whom nothing was stored, is something. A
    file that is only called so is not."""
    if files.records or files.metrics or files.incomplete or files.experienced:
        return True
    try:
        return bool(read_about(files.about).get("players"))
    except RecordError:
        return False


def game_in(folder: Path) -> GameFiles:
    """The files of a game that lie in a folder, whatever there is."""
    game = GameFiles(folder)
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    for name in names:
        state = _STATE.fullmatch(name)
        if state and f"{state[1]}.json" in names:
            # The metrics up to the end of an episode; those of the whole session are there, and have all of it.
            continue
        if name == ABOUT or _OURS.fullmatch(name):
            _put(game, folder / name)
    return game


def _put(game: GameFiles, path: Path) -> None:
    if path.name == ABOUT:
        game.about = path
    elif path.name.endswith(INCOMPLETE):
        game.incomplete.append(path)
    elif path.suffix == ".jsonl" and _is_experienced(path):
        game.experienced.append(path)
    elif path.suffix == ".jsonl":
        game.records.append(path)
    elif path.suffix == ".json":
        game.metrics.append(path)
    else:
        raise ConfigError(f"{path} is neither a record (.jsonl) nor metrics (.json) nor a folder")


def _is_experienced(path: Path) -> bool:
    """Whether a file is a record of what a player saw; by its first line, since files are called as people like."""
    try:
        with path.open("rb") as file:
            return b'"pycore_experienced":' in file.readline(1 << 16)
    except OSError:
        return path.name.startswith("experienced-")


def first_object(path: Path) -> dict[str, Any]:
    """The first line of a record, as far as it is one. Raises RecordError."""
    first = next(lines_of(path), "")
    try:
        value = json.loads(first)
    except (ValueError, RecursionError) as error:
        raise RecordError(1, f"no JSON: {error}", str(path)) from None
    if not isinstance(value, dict):
        raise RecordError(1, f"no object: {first!r:.60}", str(path))
    return value


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a record, without their ends. RecordError where a line is no text, or has no end."""
    number = 0
    name = str(path)
    try:
        with path.open("rb") as file:
            while raw := file.readline(LONGEST):
                number += 1
                if raw[-1] != 0x0A:
                    why = "longer than any line of a record" if len(raw) == LONGEST else "cut off: it has no line end"
                    raise RecordError(number, why, name)
                try:
                    yield raw[:-1].decode()
                except UnicodeDecodeError as error:
                    raise RecordError(number, f"no UTF-8: {error.reason} at byte {error.start}", name) from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error


def open_record(path: Path) -> Reading:
    """A record that is read line by line as it is iterated; it can be opened again."""
    return Reading(lines_of(path), str(path))


def player_of(path: Path, header: dict[str, Any]) -> str:
    """The player whose record a file is, by its name; a record itself does not say. Otherwise the file's name."""
    stem = path.name.removeprefix("trajectory-").removesuffix(INCOMPLETE).removesuffix(".jsonl")
    game = f"{header.get('game_id')}-"
    for name in (stem, _COPY.sub("", stem)):
        for player in header["players"]:
            if name.removeprefix(game) in (str(player), urllib.parse.quote(str(player), safe="")):
                return str(player)
    return path.name


def read_metrics(path: Path) -> dict[str, Any]:
    """The metrics of one player's session."""
    value = _object(path)
    if not isinstance(value.get("gameId"), str) or type(value.get("playerId")) not in (int, str):
        raise RecordError(1, "no metrics of a session: they have a gameId and a playerId", str(path))
    wrong = mend(value)
    if wrong:
        raise RecordError(1, f"metrics whose {wrong}", str(path))
    return value


def read_about(path: Path | None) -> dict[str, Any]:
    """What the server knew of a game; nothing where there is no such file."""
    if path is None:
        return {}
    value = _object(path)
    if "game_id" not in value:
        raise RecordError(1, "not what the server knew of a game: it has no game_id", str(path))
    for name in ("settings", "subjects", "waited_s", "outcomes"):
        if not isinstance(value.setdefault(name, {}), dict):
            raise RecordError(1, f"{name} that are no object", str(path))
    players = value.get("players", [])
    if not isinstance(players, list) or not all(type(player) in (int, str) for player in players):
        raise RecordError(1, f"players that are no list of numbers and texts: {players!r:.60}", str(path))
    for name in ("started", "ended"):
        when = value.get(name)
        if when is not None and not (type(when) in (int, float) and abs(when) < LATEST):
            raise RecordError(1, f"{name} that is {when!r:.40}, no time in seconds", str(path))
    return value


def _int(digits: str) -> int | float:
    """What no float holds is infinite, as JSON's own 1e400: nothing that reads it would know what to do with it."""
    return int(digits) if len(digits) < DIGITS else float(digits)


def _object(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST_METRICS:
            raise RecordError(1, f"larger than {LARGEST_METRICS >> 20} MB", str(path))
        value = json.loads(path.read_bytes(), parse_int=_int)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RecordError(getattr(error, "lineno", 1), f"no JSON: {error}", str(path)) from None
    if not isinstance(value, dict):
        raise RecordError(1, "no JSON object", str(path))
    return value
