"""The steps on the disk, in an order in which every moment leaves a page that works.

::

    pyodide_multiplayer_game.js                 the page's own, or a few lines that export pycore's
    pyodide_multiplayer_game.js.before-pycore   the page's own, byte for byte, while pycore is installed
    pycore/                                     modules, wheels and manifest.json
    .pycore-install/                            only while an installation runs, or after one was cut off

Everything is first written into `.pycore-install/`; from then on things are only renamed, and each rename is one
step for whoever reads. A folder cannot be exchanged in one step, so while `pycore/` is, the page has its own module.
What was cut off is finished or taken back by the next run. Nothing outside the page's folder is written; files in
`pycore/` that are not in its manifest are somebody's, and are kept.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from pycore.errors import PycoreError
from pycore.install.page import KEPT, MODULE, is_ours

OURS = "pycore"
MANIFEST = "manifest.json"
WORK = ".pycore-install"
MADE_BY = "interactive-gym-pycore"


class InstallFailed(PycoreError):
    """The disk did not do what it was asked to; the page still works."""

    code = "install_failed"


class State(NamedTuple):
    """What lies in the page's folder now."""

    folder: Path
    module: bytes | None
    kept: bytes | None
    manifest: dict[str, Any] | None
    """None if there is none, or none that pycore wrote."""

    @property
    def replaced(self) -> bool:
        """Whether pycore's file has the place of the page's module."""
        return self.module is not None and is_ours(self.module)

    @property
    def original(self) -> bytes | None:
        """The page's own module; None if it is lost, or if what was kept of it was changed."""
        if self.module is not None and not self.replaced:
            return self.module
        if self.kept is None or (self.manifest is not None and digest(self.kept) != self.manifest["original"]):
            return None
        return self.kept

    @property
    def traces(self) -> bool:
        """Whether anything of pycore's is there."""
        ours = self.folder / OURS
        empty = ours.is_dir() and not ours.is_symlink() and not _has_files(ours)
        leftover = (self.folder / WORK).exists() or empty
        return self.replaced or leftover or self.kept is not None or self.manifest is not None

    @property
    def foreign(self) -> bool:
        """Whether the name of pycore's folder is taken by something that is not pycore's."""
        ours = self.folder / OURS
        if ours.is_symlink() or (ours.exists() and not ours.is_dir()):
            return True
        return ours.is_dir() and not self.replaced and self.manifest is None and _has_files(ours)

    def broken(self) -> list[str]:
        """The files of the manifest that are missing or changed, and why."""
        found = []
        for name, expected in (self.manifest or {"files": {}})["files"].items():
            data = read(self.folder / OURS / name)
            if data is None:
                found.append(f"{OURS}/{name} is missing")
            elif digest(data) != expected:
                found.append(f"{OURS}/{name} was changed")
        return found


def digest(data: bytes) -> str:
    """SHA-256, as in the manifest."""
    return hashlib.sha256(data).hexdigest()


def read(path: Path) -> bytes | None:
    """The bytes of a file; None if there is none."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def look(folder: Path) -> State:
    """The state of a page's folder."""
    manifest = _manifest(folder / OURS)
    return State(folder, read(folder / MODULE), read(folder / KEPT), manifest)


def _has_files(folder: Path) -> bool:
    """Folders alone are what an undo leaves that was cut off."""
    return any(not path.is_dir() or path.is_symlink() for path in folder.rglob("*"))


def _manifest(ours: Path) -> dict[str, Any] | None:
    # Its names are deleted by --undo, so that nothing but plain names below the folder is taken from it.
    data = None if ours.is_symlink() else read(ours / MANIFEST)
    if data is None:
        return None
    try:
        found = json.loads(data)
        names = [PurePosixPath(name) for name in found["files"]]
        good = found["made_by"] == MADE_BY and all(
            isinstance(value, str) for value in (found["original"], found["version"], *found["files"].values())
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    plain = all(not name.is_absolute() and name.parts and ".." not in name.parts for name in names)
    return found if good and plain else None


@contextlib.contextmanager
def told(folder: Path) -> Iterator[None]:
    """Errors of the disk as one sentence with the way out."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        where = error.filename or folder
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            way = "run this as the owner of the folder, or install into a copy of the package"
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            way = "make room and run this again"
        else:
            way = "run this again; --check says what is there"
        raise InstallFailed(f"cannot change {where}: {reason}. The page in {folder} still works; {way}") from error


def put(state: State, files: Mapping[str, bytes], stub: bytes, original: bytes) -> None:
    """Install: `files` into `pycore/`, `stub` in the module's place, `original` kept beside it."""
    folder = state.folder
    work, ours, module, kept = folder / WORK, folder / OURS, folder / MODULE, folder / KEPT
    model = module if module.exists() else kept
    staged, old, own, back = work / OURS, work / "old", work / "own", work / "back"
    _folder(work, folder)
    _folder(staged, folder)
    foreign = _foreign_files(state, files)
    for name in (*files, *sorted(foreign)):
        for parent in reversed(PurePosixPath(name).parents[:-1]):
            _folder(staged / parent, folder)
        if name in foreign:
            shutil.copy2(ours / name, staged / name)
        else:
            _write(staged / name, files[name], model)
    _write(work / "stub", stub, model)
    if state.kept != original:
        _write(work / "kept", original, model)
        shutil.copystat(model, work / "kept")
        os.replace(work / "kept", kept)
    if kept.read_bytes() != original:
        raise OSError(errno.EIO, "what was written does not read back", str(kept))
    if state.replaced:
        _write(own, original, kept)
        shutil.copystat(kept, own)
        _write(back, state.module or b"", model)
        os.replace(own, module)
    try:
        if ours.exists():
            os.rename(ours, old)
        os.rename(staged, ours)
        os.replace(work / "stub", module)
    except OSError:
        # As it was, if the disk lets us; the page has its own module in any case.
        with contextlib.suppress(OSError):
            if old.exists():
                if ours.exists():
                    os.rename(ours, staged)
                os.rename(old, ours)
            if back.exists():
                os.replace(back, module)
        raise
    shutil.rmtree(work)


def take_out(state: State, restore: bool) -> list[str]:
    """Undo: the page's own module back if `restore`, and pycore's files away. Returns what is left in `pycore/`."""
    folder = state.folder
    ours, kept = folder / OURS, folder / KEPT
    if restore:
        os.replace(kept, folder / MODULE)  # one step, and with it the file's permissions and time
    elif state.kept is not None:
        os.unlink(kept)
    # What the manifest names, then the manifest: until the last moment, a second try knows what is pycore's.
    names = [*(state.manifest or {"files": {}})["files"], MANIFEST] if state.manifest is not None else []
    for name in names:
        (ours / name).unlink(missing_ok=True)
    if ours.is_dir() and not ours.is_symlink():
        for path, _, _ in os.walk(ours, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(path)  # only empty ones can be removed
        return sorted(path.relative_to(folder).as_posix() for path in ours.rglob("*") if not path.is_dir())
    return []


def resume(folder: Path) -> None:
    """Take back what an earlier run left half done; before `look`, which does not see what was put aside."""
    work, ours = folder / WORK, folder / OURS
    if (work / "old").exists() and not ours.exists():
        os.rename(work / "old", ours)
    if work.is_symlink() or work.is_file():
        work.unlink()
    elif work.exists():
        shutil.rmtree(work)


def _foreign_files(state: State, files: Mapping[str, bytes]) -> set[str]:
    """What somebody else put into `pycore/`."""
    ours = state.folder / OURS
    known = {*files, MANIFEST, *(state.manifest or {"files": {}})["files"]}
    found = {path.relative_to(ours).as_posix() for path in ours.rglob("*") if path.is_file()}
    return {name for name in found - known if not name.startswith("interactive_gym_pycore-")}


def _folder(path: Path, model: Path) -> None:
    if not path.exists():
        os.mkdir(path)
        shutil.copymode(model, path)


def _write(path: Path, data: bytes, model: Path) -> None:
    """A new file with the permissions of `model`: who could read the page's module can read pycore's, umask or not."""
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    shutil.copymode(model, path)
