"""`pycore data`: what the relay has stored."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pycore.cli.care import forget_subject, keep_copy
from pycore.cli.spelled import say, spelled
from pycore.cli.told import DATABASE, NO_ROOM, told
from pycore.errors import UsageError
from pycore.relay import missing_extra

if TYPE_CHECKING:
    from pycore.relay.storage.export import GameData
    from pycore.relay.storage.participants import Participant


@click.command(short_help="List the stored games, write their files, copy the database, or forget a subject.")
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
@click.option(
    "--pseudonyms", "key", type=click.Path(path_type=Path), metavar="KEYFILE",
    help="Names in the place of subject ids, the same as long as the file with their key is; it is made if need be.",
)  # fmt: skip
@click.option(
    "--backup", type=click.Path(path_type=Path), metavar="FILE",
    help="Copy the database there, whole, also while the server runs.",
)  # fmt: skip
@click.option(
    "--forget", metavar="SUBJECT", help="Say what is stored of a subject; with --yes, remove it and who it was.",
)  # fmt: skip
@click.option("--whole-games", is_flag=True, help="With --forget: its games with all that anybody stored of them.")
@click.option("--stopped", is_flag=True, help="With --forget: the server does not run, so that it can undo nothing.")
@click.option("--yes", is_flag=True, help="With --forget: do it.")
@told
def data(
    database: str, game: str | None, out: Path | None, key: Path | None, backup: Path | None, forget: str | None,
    whole_games: bool, stopped: bool, yes: bool,
) -> None:  # fmt: skip
    """List the stored games, or export their metrics and trajectories as they were sent; copy the database; or remove
    what is stored of a subject.
    """
    try:
        from pycore.relay.storage.export import export_game, list_study
        from pycore.relay.storage.participants import participants_of
        from pycore.relay.storage.store import DataStore
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    if forget is None and (whole_games or stopped or yes):
        raise UsageError("--whole-games, --stopped and --yes say how to --forget a subject; name that one")
    if (forget is not None or backup is not None) and (game or out or key or (forget is not None and backup)):
        raise UsageError("--backup and --forget are done by themselves; leave the other options out")
    if backup is not None:
        keep_copy(database, backup)
        return
    if forget is not None:
        forget_subject(database, forget, whole=whole_games, stopped=stopped, yes=yes)
        return
    store = DataStore(database, create=False)
    try:
        found, told = list_study(store, game)
        ids = {item.game_id: _subjects_of(item) for item in found}
        named: list[Path] = []
        if key is not None:
            _rename(found, key, out)
        if not found:
            click.echo("no games are stored yet")
        for item in found:
            if out is None:
                for line in _listed(item):
                    click.echo(line)
            else:
                with _writing():
                    written = export_game(store, item, out if game is not None else out / item.game_id)
                for path in written:
                    click.echo(path)
                    named += [path] if key is not None and _names_somebody(path, ids.get(item.game_id, ())) else []
        everybody = participants_of(found, told) if game is None else []
        if out is not None and everybody:
            with _writing():
                click.echo(_write_participants(out / "participants.csv", everybody, key))
        elif vain := sum(each.game_id is None for each in everybody):
            click.echo(f"without a game: {vain}")
    finally:
        store.close()
    gaps = [(item.game_id, player, lost) for item in found for player, lost in _gaps(item)]
    for game_id, player, lost in gaps:
        say(f"incomplete: game {game_id}, player {player}: {lost} missing", err=True)
    for path in named:
        say(f"not anonymous: {path} has a subject id in it, as its page stored it; look before it is shown", err=True)
    if gaps or named:
        raise SystemExit(1)


@contextmanager
def _writing() -> Iterator[None]:
    """Where nothing can be written, that is told in a sentence; of a disk that is full, every command tells alike."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        raise UsageError(f"cannot write {error.filename}: {error.strerror}; give another folder, --out DIR") from error


def _subjects_of(game: GameData) -> list[str]:
    """The subject ids of a game, as they are."""
    known = {} if game.row is None else json.loads(game.row["subjects"])
    return [subject for subject in known.values() if subject]


def _names_somebody(path: Path, subjects: Sequence[str]) -> bool:
    """Whether a file has one of these ids in it: an environment or a page of a study's own may have written it."""
    from pycore.relay.people.naming import found_in

    if not subjects:
        return False
    with path.open(encoding="utf-8", errors="replace") as stream:
        return any(found_in(line, subject) for line in stream for subject in subjects)


def _rename(found: list[GameData], key: Path, out: Path | None) -> None:
    """Have the games have names in the place of subject ids."""
    from pycore.relay.storage.pseudonyms import KeyedPseudonyms

    names = KeyedPseudonyms.of_file(key, out)
    for item in found:
        if item.row is not None:
            item.row["subjects"] = json.dumps(names.replaced(item.row, json.loads(item.row["subjects"])))


def _write_participants(path: Path, everybody: list[Participant], key: Path | None) -> Path:
    """A table of them, which spreadsheets read as it is."""
    from pycore.export import cells
    from pycore.relay.storage.participants import COLUMNS
    from pycore.relay.storage.pseudonyms import KeyedPseudonyms

    names = None if key is None else KeyedPseudonyms.of_file(key, path.parent)
    # Where everybody has waited in vain there is no game that would have made it.
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        put = cells.rows_to(stream)
        put(COLUMNS)
        for each in everybody:
            # Those of games have their names already.
            of_nobody = names is not None and each.subject is not None and each.game_id is None
            subject = names.of(str(each.subject)) if names is not None and of_nobody else each.subject
            put((
                cells.text(subject), each.outcome or "", cells.number(each.waited_s), cells.boolean(each.sent_on),
                cells.number(each.time), cells.text(each.game_id), cells.text(each.player),
            ))  # fmt: skip
    return path


def _gaps(game: GameData) -> list[tuple[str, str]]:
    return [
        (player, ", ".join(lost))
        for player, data in game.players.items() if (lost := data.missing + data.experienced_missing)
    ]  # fmt: skip


def _listed(game: GameData) -> Iterator[str]:
    """A game in lines that fit an ordinary terminal: when it began, and below what there is of each player."""
    started, subjects, outcomes = "?", {}, {}
    if game.row is not None:
        moment = datetime.datetime.fromtimestamp(game.row["started"], datetime.UTC)
        started = moment.strftime("%Y-%m-%d %H:%M:%S UTC")
        subjects, outcomes = json.loads(game.row["subjects"]), game.row["outcomes"]
    yield spelled(f"{game.game_id}  {started}")
    for player, data in game.players.items():
        kept = ", ".join("session" if episode < 0 else str(episode) for episode in data.metrics_episodes)
        of = [f"player {player}", subjects.get(player) or "no subject id", outcomes.get(player) or "goes on",
              f"metrics: {kept or 'none'}"]
        for name, there, size, missing in (
            ("episodes", len(data.episodes), data.record_bytes, data.missing),
            ("seen", len(data.experienced), data.experienced_bytes, data.experienced_missing),
        ):
            counted = f"{there}, " if name == "episodes" else ""
            said = f"{counted}{size / 1000:.0f} kB" if there else "none"
            of.append(f"{name}: {said}" + (f", {len(missing)} parts missing" if missing else ""))
        yield "  " + "  ".join(map(spelled, of))
