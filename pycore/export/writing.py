"""An export: all games into one set of tables, whole or not at all.

The tables are written into a folder beside the one that was asked for, which takes its place when everything is there.
Games are taken one after the other, and a record line by line, so the memory does not depend on their size.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final, NamedTuple

from pycore.errors import ConfigError, UsageError
from pycore.export import parquet, psychds
from pycore.export.cells import rows_to
from pycore.export.columns import TABLES, dictionary
from pycore.export.evidence import evidence_of
from pycore.export.exclusions import Rule
from pycore.export.pseudonyms import Pseudonyms, subjects_of
from pycore.export.sources import Source
from pycore.export.tables import put_game
from pycore.records.agreement import NotOneGame

DICTIONARY: Final = "columns.json"

Watch = Callable[[Iterable[Any], str], Iterable[Any]]
"""Passes the items of a record on, and may show how many there were."""


class Exported(NamedTuple):
    """What was written."""

    games: int
    frames: int
    """Frames of all games; one has a row for each player."""
    statuses: dict[str, int]
    """Number of games by the name of their evidence."""
    incomplete: list[str]
    """Records that were not read, since the database lacks parts of them."""
    environments: list[str]
    """Names of those that were played."""
    out: list[Path]


def write(
    sources: list[Source],
    csv_out: Path | None,
    parquet_out: Path | None = None,
    pseudonyms: Pseudonyms | None = None,
    watch: Watch = lambda items, _: items,
    psych_ds_out: Path | None = None,
    described: Mapping[str, Any] = MappingProxyType({}),
    rules: Sequence[Rule] | None = None,
) -> Exported:
    """Write the tables of games. What is refused is refused as a whole: then there is nothing new in any folder.

    `described` is what the researcher says of the data set for Psych-DS, `rules` say who is to be excluded.
    """
    targets = [out for out in (csv_out, parquet_out, psych_ds_out) if out is not None]
    for out in targets:
        psychds.free(out) if out == psych_ds_out else _free(out)
    if parquet_out is not None:
        parquet.engine()
    with contextlib.ExitStack() as stack:
        works = {out: stack.enter_context(beside(out)) for out in targets}
        # The others are made of CSV, which nobody may have asked for.
        tables = works[csv_out] if csv_out is not None else stack.enter_context(beside(targets[0]))
        if pseudonyms is not None:
            pseudonyms.name(source.about for source in sources)
        done = _tables(sources, tables, pseudonyms, watch, rules)
        if parquet_out is not None:
            parquet.write(tables, works[parquet_out])
        if psych_ds_out is not None:
            of = psychds.Contents(done.games, done.statuses, done.environments, pseudonyms is not None)
            psychds.write(tables, works[psych_ds_out], described, of)
        for out, work in works.items():
            if out == psych_ds_out:
                continue
            (work / DICTIONARY).write_text(json.dumps(dictionary(), indent=1) + "\n", encoding="utf-8")
        if pseudonyms is not None:
            pseudonyms.write()
        for out, work in works.items():
            put_in_place(work, out)
    return done._replace(out=targets)


def _tables(
    sources: list[Source], folder: Path, pseudonyms: Pseudonyms | None, watch: Watch, rules: Sequence[Rule] | None
) -> Exported:
    seen: dict[str, Path] = {}
    frames = 0
    statuses: dict[str, int] = {}
    incomplete: list[str] = []
    environments: list[str] = []
    with contextlib.ExitStack() as stack:
        out = {name: stack.enter_context(_table(folder, name)) for name in TABLES}
        for source in sources:
            with source.files() as files:
                of = evidence_of(files)
                if of.game_id in seen:
                    raise NotOneGame(
                        f"game {of.game_id} is in {seen[of.game_id]} and in {files.folder}; a game is exported once, "
                        "with all of its files in one folder"
                    )
                seen[of.game_id] = files.folder
                subjects = subjects_of(source.about, pseudonyms)
                items: Iterable[Any] = ()
                if of.longest is not None:
                    items = watch(of.items(), f"exporting {of.records[of.longest].name}")
                put_game(of, items, subjects, out, rules)
                frames += of.frames
                statuses[of.status] = statuses.get(of.status, 0) + 1
                environment = (of.header or {}).get("environment")
                if environment and environment not in environments:
                    environments.append(str(environment))
                incomplete += [f"{of.game_id}: {path.name}" for path in files.incomplete]
    return Exported(len(seen), frames, statuses, incomplete, environments, [])


@contextlib.contextmanager
def _table(folder: Path, name: str) -> Iterator[Callable[[list[str]], object]]:
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="", errors="backslashreplace") as stream:
        put = rows_to(stream)
        put([column.name for column in TABLES[name].columns])
        yield put


class NewFile:
    """A file that is written, and takes its place if it is kept."""

    def __init__(self, stream: IO[str], path: Path) -> None:
        self.stream = stream
        self.path = path
        """Where it is for now."""
        self.is_kept = False

    def keep(self) -> None:
        """It is to stay, when everything that was done beside it went well."""
        self.is_kept = True


@contextlib.contextmanager
def new_file(out: Path) -> Iterator[NewFile]:
    """A file that is there whole or not at all. Raises UsageError where it cannot be."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{out.name}.", suffix=out.suffix, dir=out.parent)
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}") from error
    try:
        # Half of a surrogate pair, which a page may have stored in any text, is no UTF-8.
        with open(handle, "w", encoding="utf-8", newline="\n", errors="backslashreplace") as stream:
            file = NewFile(stream, Path(name))
            yield file
        if file.is_kept:
            os.chmod(name, usual(0o666))
            os.replace(name, out)
    finally:
        Path(name).unlink(missing_ok=True)


def usual(mode: int) -> int:
    """What of these rights a new file or folder has for whoever runs this: a temporary one is its owner's alone, and
    subject ids may be in what takes its place."""
    mask = os.umask(0)
    os.umask(mask)
    return mode & ~mask


@contextlib.contextmanager
def beside(out: Path) -> Iterator[Path]:
    """A folder of no name beside another, which is gone afterwards unless it was put elsewhere."""
    try:
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".pycore-export-", dir=out.absolute().parent))
    except OSError as error:
        raise ConfigError(f"cannot write beside {out}: {error.strerror}") from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _free(out: Path) -> None:
    """Refuse a folder in which there is anything but an earlier export."""
    if not os.path.lexists(out):
        return
    if not out.is_dir():
        raise UsageError(f"{out} is no folder; give a new one")
    ours = {DICTIONARY, *(f"{name}.{kind}" for name in TABLES for kind in ("csv", "parquet"))}
    foreign = sorted(path.name for path in out.iterdir() if path.name not in ours)
    if foreign:
        raise UsageError(f"{out} has {foreign[0]!r} in it, which no export writes; give a new or an empty folder")


def put_in_place(work: Path, out: Path) -> None:
    """Have a folder that was made take another one's place, if there is one. Raises OSError."""
    work.chmod(usual(0o777))
    out = out.resolve()  # what leads there still does
    if not out.exists():
        shutil.move(work, out)
        return
    with beside(out) as old:
        if not _is_stood_in(out):
            try:
                out.rename(old / "old")
            except OSError:
                pass  # a disk that is mounted there, or a folder of another system that somebody looks into
            else:
                shutil.move(work, out)
                return
        for place, into in ((out, old), (work, out)):
            for each in list(place.iterdir()):
                shutil.move(each, into / each.name)


def _is_stood_in(folder: Path) -> bool:
    """Whether this process is in it: whoever called it would be in a folder that is gone."""
    try:
        return Path.cwd().is_relative_to(folder)
    except OSError:
        return False
