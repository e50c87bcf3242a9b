"""The installer: a page gets pycore, and loses it again, byte for byte, whatever happens in between."""

from __future__ import annotations

import builtins
import errno
import functools
import hashlib
import importlib.util
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from click.testing import CliRunner

from pycore import install
from pycore.cli import cli
from pycore.errors import PycoreError
from pycore.install import InstallFailed, PageNotFound, PageRefused, bundle, modules, page, wheel
from pycore.version import __version__

MODULE = "pyodide_multiplayer_game.js"
KEPT = "pyodide_multiplayer_game.js.before-pycore"
ROOT = Path(__file__).resolve().parents[2]

# A page as small as the seed generation can be and still be recognised.
SEED = {
    MODULE: "import { RemoteGame } from './pyodide_remote_game.js';\n"
    "export class MultiplayerPyodideGame extends RemoteGame { }\n",
    "pyodide_remote_game.js": "export class RemoteGame { }\n",
    "ui_utils.js": "export function showHUD() { }\n",
    "phaser_gym_graphics.js": "export function graphics_start() { }\n",
    "index.js": "import {MultiplayerPyodideGame} from './pyodide_multiplayer_game.js';\n",
}
# What stands for pycore's own modules, with everything that reading imports can get wrong.
WEB = {
    "interactive_gym/entry.js": """// import { no } from './comment.js';
/** @typedef {import('./types.js').T} T */
import * as remote from '../../pyodide_remote_game.js';
import {
  one, two as three,
} from "../core/core.js";
import '../core/effect.js';
const quote = x.replace(/['"`/]/g, "") / 2;
export class MultiplayerPyodideGame extends remote.RemoteGame {
  async late() { return (await import('./late.js')) ?? import(`../../continuous_monitor.js`); }
}
""",
    "core/core.js": "export * from './deep.js'; export { a as b } from './deep.js';\n"
    "export const url = 'https://x.example/y.js';\n",
    "core/deep.js": "import { one } from './core.js';\nexport const a = one;\n",
    "core/effect.js": "export default 1;\n",
    "core/unused.js": "export const unused = 1;\n",
    "demo/app.js": "import '../core/core.js';\n",
    "interactive_gym/late.js": "export const late = 1;\n",
}
ENTRY = "interactive_gym/entry.js"
NEEDED = {ENTRY, "core/core.js", "core/deep.js", "core/effect.js", "interactive_gym/late.js"}


def fill(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def web(tmp_path: Path) -> Path:
    return fill(tmp_path / "web", WEB)


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    """The folder of a page's modules inside a package of the seed generation."""
    (tmp_path / "site-packages" / "interactive_gym-0.1.1.dist-info").mkdir(parents=True)
    folder = fill(tmp_path / "site-packages" / "interactive_gym" / "server" / "static" / "js", SEED)
    os.utime(folder / MODULE, (1_700_000_000, 1_700_000_000))
    (folder / MODULE).chmod(0o640)
    return folder


@pytest.fixture(autouse=True)
def one_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel is made once per process: what it is made of is tested on its own."""
    monkeypatch.setattr(install, "core_wheel", cached_wheel)
    monkeypatch.setattr(install, "core_files", cached_files)
    monkeypatch.setattr(install, "compiled_wheel", lambda: None)


@functools.cache
def cached_wheel() -> tuple[str, bytes]:
    return wheel.core_wheel()


@functools.cache
def cached_files() -> dict[str, bytes]:
    return wheel.core_files()


def tree(folder: Path, times: bool = False) -> dict[str, object]:
    """Everything below a folder: bytes and permissions, and the times if they matter."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else str(path.readlink()) if path.is_symlink() else "folder"
        found[path.relative_to(folder).as_posix()] = (
            content, stat.S_IMODE(status.st_mode), status.st_mtime_ns if times and path.is_file() else 0,
        )  # fmt: skip
    return found


def served(folder: Path) -> str:
    """What a browser gets from this page: "own", or pycore's marker after a look at all that it would load."""
    module = (folder / MODULE).read_text()
    if "MultiplayerPyodideGame" in module:
        return "own"
    assert module.endswith("\nexport * from './pycore/interactive_gym/entry.js';\n")
    inside = folder / "pycore"
    waiting, seen = [inside / ENTRY], set()
    while waiting:
        path = waiting.pop()
        text = path.read_text()
        if path not in seen:
            seen.add(path)
            static, dynamic = modules.imports(text)
            waiting += [(path.parent / name).resolve() for name in static + dynamic if "monitor" not in name]
    manifest = json.loads((inside / "manifest.json").read_text())
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((inside / name).read_bytes()).hexdigest() == digest, name
    assert (inside / manifest["wheel"]).is_file()
    assert module.startswith(f"// @pycore-installed {manifest['version']}\n")
    return "new" if "late" in (inside / ENTRY).read_text() else "old"


class Killed(BaseException):
    """The process ends here; nothing that it would still do happens."""


class Disk:
    """Fails at the n-th change of the disk: like a kill (and at every later one), or once with an error."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int, error: int | None) -> None:
        self.changes = 0
        self.at = at
        self.error = error
        for name in ("rename", "replace", "mkdir", "unlink", "rmdir", "chmod", "utime", "fsync"):
            patch.setattr(os, name, self.guarded(getattr(os, name)))
        opened = builtins.open
        patch.setattr(
            builtins, "open",
            lambda *a, **k: (self.guarded(opened) if len(a) > 1 and "x" in a[1] else opened)(*a, **k),
        )  # fmt: skip

    def guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*arguments: Any, **named: Any) -> Any:
            self.changes += 1
            if self.error is None and self.changes > self.at:
                raise Killed
            if self.error is not None and self.changes == self.at + 1:
                raise OSError(self.error, os.strerror(self.error), str(arguments[0]))
            return function(*arguments, **named)

        return run


def failures(
    prepare: Callable[[], None], act: Callable[[], object], error: int | None = None
) -> Iterator[BaseException]:
    """Run `act` once for each change that it makes, failing there; the last one, which gets through, is not given."""
    for at in range(500):
        prepare()
        with pytest.MonkeyPatch.context() as patch:
            disk = Disk(patch, at, error)
            try:
                act()
            except (Killed, PycoreError) as failure:
                caught: BaseException | None = failure
            else:
                caught = None
        if disk.changes <= at:
            assert at > 5, "hardly anything was written: the failures were not injected"
            return
        if caught is not None:
            yield caught
    raise AssertionError("it never got through")


def fresh(folder: Path, state: Path) -> Callable[[], None]:
    """Puts a folder into a state that was saved before."""

    def prepare() -> None:
        shutil.rmtree(folder)
        shutil.copytree(state, folder, symlinks=True)

    return prepare


def older(folder: Path, tmp_path: Path) -> None:
    """Install an older pycore with other modules."""
    files = {ENTRY: "import './gone.js';\nexport class Older { }\n", "interactive_gym/gone.js": "export default 0;\n"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(install, "__version__", "0.0.9")
        install.install(folder, web=fill(tmp_path / "older", files))


# ---- the way in and the way out


def test_a_page_gets_pycore_and_is_itself_again_byte_for_byte(seed: Path, web: Path, tmp_path: Path) -> None:
    """Install, check, undo: the same tree, with the permissions and the time of the file that was replaced."""
    before = tree(tmp_path / "site-packages")
    time = (seed / MODULE).stat().st_mtime_ns
    done = install.install(tmp_path / "site-packages", web=web)
    assert done.headline == f"pycore {__version__} is installed in the page"
    assert done.facts["page"] == "interactive_gym 0.1.1"
    assert served(seed) == "new"
    assert (seed / KEPT).read_text() == SEED[MODULE]
    name = f"interactive_gym_pycore-{__version__}-py3-none-any.whl"
    assert {name for name, (content, *_) in tree(seed / "pycore").items() if content != "folder"} == {
        *NEEDED, name, "manifest.json",
    }  # fmt: skip
    manifest = json.loads((seed / "pycore" / "manifest.json").read_text())
    assert (manifest["version"], manifest["wheel"], manifest["compiled_wheel"]) == (__version__, name, None)
    report = install.check(seed, web=web)
    assert (report.ok, report.notes) == (True, ())
    assert install.undo(seed).ok
    assert tree(tmp_path / "site-packages") == before
    assert (seed / MODULE).stat().st_mtime_ns == time


def test_who_could_read_the_page_can_read_pycore(seed: Path, web: Path) -> None:
    """The installer's umask does not decide: an unreadable module is a blank page."""
    mask = os.umask(0o077)
    try:
        install.install(seed, web=web)
    finally:
        os.umask(mask)
    files = [path for path in (seed / "pycore").rglob("*") if path.is_file()]
    for path in (seed / MODULE, seed / KEPT, *files):
        assert stat.S_IMODE(path.stat().st_mode) == 0o640, path
    assert (seed / "pycore").stat().st_mode == seed.stat().st_mode


def test_the_released_page_is_recognised_and_restored(web: Path, tmp_path: Path) -> None:
    """multi-user-gymnasium 0.1.3 as the package index has it, in a copy of its site-packages."""
    found = importlib.util.find_spec("mug")
    if found is None or found.origin is None:
        pytest.skip("multi-user-gymnasium is not installed here")
    package = Path(found.origin).parent
    copy = tmp_path / "site-packages"
    shutil.copytree(package, copy / "mug", ignore=shutil.ignore_patterns("__pycache__"))
    (info,) = package.parent.glob("multi_user_gymnasium-*.dist-info")
    shutil.copytree(info, copy / info.name)
    before = tree(copy)
    assert install.install(copy, web=web).facts["page"] == "multi-user-gymnasium 0.1.3"
    folder = copy / "mug" / "server" / "static" / "js"
    assert served(folder) == "new"
    assert json.loads((folder / "pycore" / "manifest.json").read_text())["page"] == "0.1.3"
    assert install.check(copy / "mug", web=web).ok
    install.undo(copy)
    assert tree(copy) == before


def test_a_second_installation_changes_nothing(seed: Path, web: Path) -> None:
    """Not a byte and not a time."""
    install.install(seed, web=web)
    before = tree(seed, times=True)
    assert "already; nothing was changed" in install.install(seed, web=web).headline
    assert tree(seed, times=True) == before


def test_undo_where_nothing_is_installed_changes_nothing(seed: Path) -> None:
    """Also the second undo."""
    before = tree(seed, times=True)
    assert "not installed" in install.undo(seed).headline
    assert tree(seed, times=True) == before


def test_an_older_pycore_is_replaced_and_the_page_still_goes_back(seed: Path, web: Path, tmp_path: Path) -> None:
    """Files that the newer one does not have are gone; what is kept is still the page's own."""
    before = tree(seed)
    older(seed, tmp_path)
    assert served(seed) == "old"
    report = install.check(seed, web=web)
    assert not report.ok
    assert f"pycore 0.0.9 is installed and this is {__version__}" in report.notes[0]
    assert "in place of 0.0.9" in install.install(seed, web=web).headline
    assert served(seed) == "new"
    assert not (seed / "pycore/interactive_gym/gone.js").exists()
    assert install.check(seed, web=web).ok
    install.undo(seed)
    assert tree(seed) == before


def test_other_files_of_the_same_version_are_noticed(seed: Path, web: Path) -> None:
    """In a checkout the version stays while the files change: `check` compares what would be installed."""
    install.install(seed, web=web)
    (web / "interactive_gym/late.js").write_text("export const late = 2;\n")
    assert "has other files" in install.check(seed, web=web).notes[0]
    install.install(seed, web=web)
    assert install.check(seed, web=web).ok


def test_somebody_elses_files_in_our_folder_survive(seed: Path, web: Path, tmp_path: Path) -> None:
    """An upgrade and an undo touch what pycore brought, and only that."""
    older(seed, tmp_path)
    fill(seed / "pycore" / "notes", {"mine.txt": "mine"})
    install.install(seed, web=web)
    report = install.undo(seed)
    assert report.notes == ("left there, because it is not pycore's: pycore/notes/mine.txt",)
    assert [path.name for path in seed.rglob("*") if path.name not in SEED] == ["pycore", "notes", "mine.txt"]
    assert served(seed) == "own"


# ---- what is refused


def change(name: str, text: str | None) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        (folder / name).unlink() if text is None else (folder / name).write_text(text)

    return run


def be(name: str, version: str) -> Callable[[Path], None]:
    """Make the package another one: its name, and the version in its metadata."""

    def run(folder: Path) -> None:
        packages = folder.parents[3]
        (packages / f"{name}-{version}.dist-info").mkdir()
        if name.startswith("multi"):
            folder.parents[2].rename(packages / "mug")

    return run


def be_source(folder: Path) -> None:
    (folder.parents[2] / "__init__.py").write_text('__version__ = "0.2.0"\n')
    folder.parents[2].rename(folder.parents[3] / "mug")


REFUSED: list[tuple[str, Callable[[Path], None], str]] = [
    ("later module", change(MODULE, SEED[MODULE] + "// registerTickCallback"), "has registerTickCallback"),
    ("later page", change("phaser_gym_graphics.js", "if (game.storeFrameData) x();"), "graphics.js has storeFrameData"),
    ("no class", change(MODULE, "export class Game { }"), "exports no MultiplayerPyodideGame"),
    ("not exported", change("pyodide_remote_game.js", "class RemoteGame { }"), "exports no RemoteGame"),
    ("not used", change("index.js", "import './ui_utils.js';"), "index.js does not import"),
    ("no neighbour", change("ui_utils.js", None), "lacks ui_utils.js"),
    ("no page", change("index.js", None), "lacks index.js"),
    ("other release", be("multi_user_gymnasium", "0.1.4"), "the page is multi-user-gymnasium 0.1.4"),
    ("changed release", be("multi_user_gymnasium", "0.1.3"), "is not the released one"),
    ("other source", be_source, "the page is multi-user-gymnasium 0.2.0"),
]


@pytest.mark.parametrize(("how", "complaint"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_page_that_is_not_known_is_refused_and_untouched(
    seed: Path, web: Path, tmp_path: Path, how: Callable[[Path], None], complaint: str
) -> None:
    """The reason and the way out; `check` says the same and refuses nothing."""
    how(seed)
    before = tree(tmp_path, times=True)
    with pytest.raises(PageRefused, match=complaint) as refused:
        install.install(tmp_path / "site-packages", web=web)
    assert "pycore knows" in str(refused.value) or "pip install" in str(refused.value) or "copy" in str(refused.value)
    report = install.check(tmp_path / "site-packages", web=web)
    assert not report.ok
    assert str(refused.value) in report.notes
    assert tree(tmp_path, times=True) == before


def test_a_release_is_known_by_its_hash_with_any_line_ends(
    seed: Path, web: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy without metadata, and one that a checkout on Windows gave other line ends."""
    released = SEED[MODULE] + "// storeFrameData\n"
    monkeypatch.setattr(page, "RELEASES", {hashlib.sha256(released.encode()).hexdigest(): "0.1.3"})
    copy = seed.rename(seed.parents[4] / "js")
    for text in (released, released.replace("\n", "\r\n")):
        (copy / MODULE).write_bytes(text.encode())
        assert install.install(copy, web=web).facts["page"] == "multi-user-gymnasium 0.1.3"
        install.undo(copy)
        assert (copy / MODULE).read_bytes() == text.encode()
    (copy / MODULE).write_text(released + "\n")
    with pytest.raises(PageRefused, match="storeFrameData"):
        install.install(copy, web=web)


def test_a_page_without_a_module_that_ours_imports_is_refused(seed: Path, web: Path) -> None:
    """What pycore imports of the page is read from its own modules: a static import is needed, a dynamic one not."""
    (web / "interactive_gym/late.js").write_text("import { x } from '../../seeded_random.js';\n")
    with pytest.raises(PageRefused, match=r"lacks seeded_random\.js"):
        install.install(seed, web=web)


def test_two_pages_are_listed_and_none_is_a_clear_error(seed: Path, tmp_path: Path) -> None:
    """The installer never chooses."""
    shutil.copytree(seed, tmp_path / "copy")
    with pytest.raises(PageNotFound) as two:
        install.undo(tmp_path)
    assert str(seed) in str(two.value)
    assert str(tmp_path / "copy") in str(two.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(PageNotFound, match="multi-user-gymnasium"):
        install.undo(tmp_path / "empty")
    with pytest.raises(PageNotFound, match="is not there"):
        install.undo(tmp_path / "none")
    with pytest.raises(PageNotFound, match="is no folder"):
        install.undo(seed / MODULE)


def test_a_linked_package_is_followed_and_found_once(seed: Path, web: Path, tmp_path: Path) -> None:
    """Two links to one package are one page; the version is found beside the link; a loop of links ends."""
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "interactive_gym-0.1.0.dist-info").mkdir()
    package = seed.parents[2].rename(tmp_path / "source")
    for name in ("interactive_gym", "later"):
        (linked / name).symlink_to(package, target_is_directory=True)
    (package / "loop").symlink_to(linked, target_is_directory=True)
    report = install.install(linked, web=web)
    assert report.facts["page"] == "interactive_gym 0.1.0"
    assert report.facts["folder"] == str(package / "server" / "static" / "js")
    install.undo(linked)


def test_a_linked_module_is_replaced_and_what_it_points_at_is_not_written(
    seed: Path, web: Path, tmp_path: Path
) -> None:
    """Installers that link packages from a cache share its files with other environments; so do hard links."""
    shared, hard = tmp_path / "shared.js", tmp_path / "hard.js"
    (seed / MODULE).rename(shared)
    (seed / MODULE).symlink_to(shared)
    install.install(seed, web=web)
    assert shared.read_text() == SEED[MODULE]
    install.undo(seed)
    assert (seed / MODULE).read_bytes() == shared.read_bytes()
    os.link(seed / MODULE, hard)
    install.install(seed, web=web)
    assert hard.read_text() == SEED[MODULE]


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_a_folder_that_is_not_ours_is_not_taken(seed: Path, web: Path, tmp_path: Path, kind: str) -> None:
    """Somebody's `pycore` beside the page stays as it is, also at an undo."""
    elsewhere = fill(tmp_path / "elsewhere", {"manifest.json": "{}"})
    if kind == "folder":
        shutil.copytree(elsewhere, seed / "pycore")
    elif kind == "file":
        (seed / "pycore").write_text("x")
    else:
        (seed / "pycore").symlink_to(elsewhere)
    before = tree(tmp_path, times=True)
    with pytest.raises(PageRefused, match="not made by pycore"):
        install.install(seed, web=web)
    assert not install.check(seed, web=web).ok
    install.undo(seed)
    assert tree(tmp_path, times=True) == before


# ---- what goes wrong in between


@pytest.mark.slow
@pytest.mark.parametrize("error", [None, errno.ENOSPC], ids=["killed", "disk full"])
@pytest.mark.parametrize("before", [pytest.param("page", marks=pytest.mark.long), "older"])
def test_an_installation_cut_off_anywhere_leaves_a_page_that_works(
    seed: Path, web: Path, tmp_path: Path, before: str, error: int | None
) -> None:
    """At each change of the disk: old, own or new, never a mixture; the next run repairs, and undo still undoes."""
    untouched = tree(seed)
    if before == "older":
        older(seed, tmp_path)
        fill(seed / "pycore", {"mine.txt": "mine"})
    shutil.copytree(seed, tmp_path / "state")
    seen = set()
    act = functools.partial(install.install, seed, web=web)
    for failure in failures(fresh(seed, tmp_path / "state"), act, error):
        seen.add(served(seed))
        if error is not None:
            assert isinstance(failure, InstallFailed)
            assert "make room and run this again" in str(failure)
        if seed.joinpath(".pycore-install").exists() or served(seed) != "new":
            assert not install.check(seed, web=web).ok
        again = tree(seed)
        install.install(seed, web=web)
        assert served(seed) == "new"
        assert install.check(seed, web=web).ok
        install.undo(seed)
        mine = {} if before == "page" else {name: tree(seed)[name] for name in ("pycore", "pycore/mine.txt")}
        assert tree(seed) == untouched | mine
        # The other way out: no repair, undo at once.
        shutil.rmtree(seed)
        restore(seed, again)
        install.undo(seed)
        assert tree(seed) == untouched | mine
    # An upgrade that the disk refuses is taken back; only a kill in the exchange leaves the page's own module.
    expected = {"page": {"own"}, "older": {"own", "old"}}[before] if error is None else {before.replace("page", "own")}
    expected = {"old" if name == "older" else name for name in expected}
    assert seen - {"new"} == expected


def restore(folder: Path, saved: dict[str, object]) -> None:
    """A tree as `tree` saw it."""
    folder.mkdir()
    for name, (content, mode, _) in saved.items():  # type: ignore[misc,assignment]
        path = folder / name
        if content == "folder":
            path.mkdir()
        else:
            path.write_bytes(content)
        path.chmod(mode)


@pytest.mark.slow
@pytest.mark.parametrize("error", [None, errno.EIO], ids=["killed", "broken disk"])
def test_an_undo_cut_off_anywhere_leaves_a_page_that_works(
    seed: Path, web: Path, tmp_path: Path, error: int | None
) -> None:
    """At each change: pycore's whole or the page's own; a second undo finishes, and so does an installation."""
    untouched = tree(seed)
    install.install(seed, web=web)
    shutil.copytree(seed, tmp_path / "state")
    for _ in failures(fresh(seed, tmp_path / "state"), functools.partial(install.undo, seed), error):
        assert served(seed) in {"own", "new"}
        again = tree(seed)
        install.undo(seed)
        assert tree(seed) == untouched
        shutil.rmtree(seed)
        restore(seed, again)
        install.install(seed, web=web)
        assert served(seed) == "new"
        install.undo(seed)
        assert tree(seed) == untouched


@pytest.mark.parametrize(
    ("number", "way"),
    [
        (errno.EACCES, "as the owner of the folder"),
        (errno.EROFS, "into a copy of the package"),
        (errno.ENOSPC, "make room"),
        (errno.EIO, "--check says what is there"),
    ],
)
def test_what_the_disk_refuses_is_told_in_one_sentence(
    seed: Path, web: Path, monkeypatch: pytest.MonkeyPatch, number: int, way: str
) -> None:
    """What could not be changed, why, that the page works, and what to do."""
    before = tree(seed)

    def fail(path: object, *_: object) -> NoReturn:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(os, "mkdir", fail)
    with pytest.raises(InstallFailed, match=way) as told:
        install.install(seed, web=web)
    assert os.strerror(number) in str(told.value)
    assert str(seed) in str(told.value)
    assert "still works" in str(told.value)
    assert told.value.code == "install_failed"
    assert tree(seed) == before


def test_a_page_upgraded_meanwhile_is_noticed_and_its_new_module_is_the_one_kept(seed: Path, web: Path) -> None:
    """Package managers replace the module and leave our files: check says so, install and undo use the new one."""
    newer = SEED[MODULE] + "// a correction\n"
    install.install(seed, web=web)
    for act in ("install", "undo"):
        (seed / MODULE).write_text(newer)
        report = install.check(seed, web=web)
        assert not report.ok
        assert "upgraded or changed meanwhile" in report.notes[0]
        if act == "install":
            install.install(seed, web=web)
            assert (seed / KEPT).read_text() == newer
            assert install.check(seed, web=web).ok
        newer += "// another\n"
    install.undo(seed)
    assert {path.name for path in seed.iterdir()} == set(SEED)
    assert (seed / MODULE).read_text() == newer.removesuffix("// another\n")


def test_a_page_installed_anew_has_its_own_module_and_check_says_so(seed: Path, web: Path) -> None:
    """The same bytes as before: nothing was upgraded, and pycore is out of use all the same."""
    install.install(seed, web=web)
    (seed / MODULE).write_text(SEED[MODULE])
    report = install.check(seed, web=web)
    assert report.headline == "pycore is not in use: the page has its own module"
    assert "installed anew" in report.notes[0]
    install.install(seed, web=web)
    assert install.check(seed, web=web).ok


def test_a_page_upgraded_to_one_that_is_not_known_is_refused_and_can_be_cleaned(seed: Path, web: Path) -> None:
    """The kept module is of a page that is gone; undo removes it and leaves the new page alone."""
    install.install(seed, web=web)
    change(MODULE, SEED[MODULE] + "storeFrameData")(seed)
    with pytest.raises(PageRefused, match="storeFrameData"):
        install.install(seed, web=web)
    assert any("storeFrameData" in note for note in install.check(seed, web=web).notes)
    install.undo(seed)
    assert {path.name for path in seed.iterdir()} == set(SEED)
    assert "storeFrameData" in (seed / MODULE).read_text()


def test_what_is_left_of_a_removed_page_can_be_cleaned(seed: Path, web: Path) -> None:
    """Package managers remove what they brought, our file in the module's place among it, and leave the rest."""
    install.install(seed, web=web)
    for name in SEED:
        (seed / name).unlink()
    assert not install.check(seed, web=web).ok
    install.undo(seed)
    assert list(seed.iterdir()) == []


def test_a_lost_module_comes_back(seed: Path, web: Path) -> None:
    """The page is there and its module is not: both ways put one there."""
    install.install(seed, web=web)
    (seed / MODULE).unlink()
    assert not install.check(seed, web=web).ok
    install.install(seed, web=web)
    assert install.check(seed, web=web).ok
    (seed / MODULE).unlink()
    install.undo(seed)
    assert served(seed) == "own"


@pytest.mark.parametrize(
    ("name", "text", "note"),
    [
        ("pycore/interactive_gym/late.js", "changed", "pycore/interactive_gym/late.js was changed"),
        ("pycore/core/core.js", None, "pycore/core/core.js is missing"),
        ("pycore/manifest.json", "{", "manifest.json is missing or damaged"),
        ("pycore/manifest.json", None, "manifest.json is missing or damaged"),
        (MODULE, f"// @pycore-installed {__version__}\n", f"{MODULE} was changed"),
        (".pycore-install", "", "cut off"),
    ],
)
def test_damage_is_named_and_repaired(seed: Path, web: Path, name: str, text: str | None, note: str) -> None:
    """What was changed or lost, by name; another installation puts it right, and undo still restores."""
    before = tree(seed)
    install.install(seed, web=web)
    change(name, text)(seed)
    report = install.check(seed, web=web)
    assert not report.ok
    assert note in " ".join(report.notes)
    install.install(seed, web=web)
    assert install.check(seed, web=web).ok
    install.undo(seed)
    assert tree(seed) == before


def test_without_its_manifest_nothing_is_deleted_by_guess(seed: Path, web: Path) -> None:
    """Undo says what to do first."""
    install.install(seed, web=web)
    (seed / "pycore" / "manifest.json").write_text("damaged")
    before = tree(seed)
    with pytest.raises(InstallFailed, match="install again"):
        install.undo(seed)
    assert tree(seed) == before


@pytest.mark.parametrize("text", [None, SEED[MODULE] + "// changed\n"], ids=["missing", "changed"])
def test_without_the_pages_own_module_nothing_is_touched(seed: Path, web: Path, text: str | None) -> None:
    """What was kept is lost or is not what was kept: neither way may make it worse, and both say what to do."""
    install.install(seed, web=web)
    change(KEPT, text)(seed)
    before = tree(seed)
    for act in (functools.partial(install.install, seed, web=web), functools.partial(install.undo, seed)):
        with pytest.raises(PageRefused, match="pip install"):
            act()
        assert tree(seed) == before
    assert not install.check(seed, web=web).ok


def test_without_our_folder_the_kept_module_must_be_one_that_is_known(seed: Path, web: Path) -> None:
    """No manifest vouches for what was kept: it comes back if it is a page's module, and nothing is done if not."""
    before = tree(seed)
    for text in ("export class Other { }\n", SEED[MODULE]):
        install.install(seed, web=web)
        shutil.rmtree(seed / "pycore")
        kept = (seed / KEPT).read_text()
        (seed / KEPT).write_text(text)
        assert not install.check(seed, web=web).ok
        if text != kept:
            with pytest.raises(PageRefused, match="exports no MultiplayerPyodideGame"):
                install.undo(seed)
            assert (seed / KEPT).read_text() == text
            (seed / KEPT).write_text(kept)
        install.undo(seed)
        assert tree(seed).keys() == before.keys()
        assert served(seed) == "own"


@pytest.mark.parametrize("name", ["../ui_utils.js", "/etc/hosts", "a/../../ui_utils.js"])
def test_a_manifest_that_names_files_elsewhere_is_not_ours(seed: Path, web: Path, name: str) -> None:
    """Undo deletes what the manifest names: nothing outside its folder."""
    install.install(seed, web=web)
    path = seed / "pycore" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][name] = "0" * 64
    path.write_text(json.dumps(manifest))
    with pytest.raises(InstallFailed):
        install.undo(seed)
    assert (seed / "ui_utils.js").is_file()


# ---- the modules and the wheel


def test_the_modules_are_those_that_the_imports_reach(web: Path) -> None:
    """Static and dynamic ones, through any number of steps; not those that comments and strings name."""
    found = modules.collect(web)
    assert set(found.files) == NEEDED
    assert found.host == {"pyodide_remote_game.js"}


def test_a_module_that_is_imported_and_not_there_is_an_error(web: Path) -> None:
    """Found by the person who installs, instead of by a participant's browser."""
    (web / "core/deep.js").unlink()
    with pytest.raises(modules.ModulesMissing, match=r"deep\.js, which core/core\.js imports"):
        modules.collect(web)
    (web / ENTRY).unlink()
    with pytest.raises(modules.ModulesMissing, match=r"entry\.js"):
        modules.collect(web)


def test_the_imports_of_the_demo_page_are_read_right() -> None:
    """The project's own modules, whose imports are known: all but the types' ones."""
    static, dynamic = modules.imports((ROOT / "web/demo/screens.js").read_text(encoding="utf-8"))
    assert (static, dynamic) == (["../core/loader.js", "./gamepad.js", "./keys.js", "./texts.js", "./words.js"], [])
    for path in sorted((ROOT / "web").glob("*/*.js")):
        source = path.read_text(encoding="utf-8")
        lines = [line for line in source.splitlines() if line.startswith(("import ", "} from ", "export * from "))]
        assert len(modules.imports(source)[0]) == sum("'./" in line or "'../" in line for line in lines), path.name


@pytest.mark.slow
def test_the_wheel_is_reproducible_wherever_pycore_lies(tmp_path: Path) -> None:
    """A checkout and an installed package, with other times and another order on the disk: the same bytes."""
    name, data = wheel.core_wheel()
    installed = tmp_path / "site-packages"
    for path in sorted(wheel.PACKAGE.rglob("*.py"), reverse=True):
        target = installed / "pycore" / path.relative_to(wheel.PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    licences = installed / f"interactive_gym_pycore-{__version__}.dist-info" / "licenses"
    licences.mkdir(parents=True)
    shutil.copyfile(ROOT / "LICENSE", licences / "LICENSE")
    (installed / "LICENSE").write_text("somebody else's")
    assert wheel.core_wheel(installed / "pycore") == (name, data)
    files = wheel.core_files(installed / "pycore")
    assert wheel.packed(dict(reversed(files.items()))) == data
    (licences / "LICENSE").unlink()
    assert not any("LICENSE" in name for name in wheel.core_files(installed / "pycore"))
    with pytest.raises(wheel.WheelFailed):
        wheel.core_wheel(licences)


def imported(path: Path) -> list[str]:
    """Import the core from a wheel in a process that has nothing else; what it says of itself."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import pycore.bridge, importlib.util, importlib.metadata as metadata\n"
        "gone = [n for n in ('install', 'relay', 'cli', 'testing', 'web') if importlib.util.find_spec('pycore.' + n)]\n"
        "print(pycore.bridge.__spec__.origin, metadata.version('interactive-gym-pycore'), gone)"
    )
    command = [sys.executable, "-I", "-S", "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=path.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout.split(maxsplit=2)


@pytest.mark.slow
def test_the_wheel_imports_alone_and_has_nothing_that_a_page_does_not_need(tmp_path: Path) -> None:
    """From the zip, without site-packages: the bridge is there, the installer and the relay are not."""
    name, data = wheel.core_wheel()
    path = tmp_path / name
    path.write_bytes(data)
    file, version, gone = imported(path)
    assert (Path(file), version, gone.strip()) == (path / "pycore" / "bridge" / "__init__.py", __version__, "[]")
    files = wheel.read(path)
    record = files[f"interactive_gym_pycore-{__version__}.dist-info/RECORD"].decode()
    assert {line.split(",")[0] for line in record.splitlines()} == set(files)
    assert f"interactive_gym_pycore-{__version__}.dist-info/licenses/LICENSE" in files


@pytest.mark.slow  # two whole wheels are compiled; the next test has small ones
def test_this_python_compiles_for_a_page_of_its_own_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte code without sources, the same bytes again, that imports alone; and it is known for what it is of."""
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    monkeypatch.setattr(wheel, "TAG", tag)
    made = wheel.compiled_wheel()
    assert made is not None
    assert made == wheel.compiled_wheel()
    path = tmp_path / made[0]
    path.write_bytes(made[1])
    assert path.name == f"interactive_gym_pycore-{__version__}-{tag}-none-any.whl"
    assert not [name for name in wheel.read(path) if name.endswith(".py")]
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(unpacked)
    assert imported(unpacked)[0] == str(unpacked / "pycore" / "modules" / "pycore.bridge")
    sources = wheel.sources_of(wheel.bare(wheel.core_files() | {bundle.BOOTSTRAP: wheel.STARTER.read_bytes()}))
    assert wheel.is_of(path, sources)
    assert not wheel.is_of(path, {**sources, "pycore/settings.py": sources["pycore/settings.py"] + b"\n"})
    assert not wheel.is_of(path, {**sources, "pycore/more.py": b""})
    path.write_bytes(b"no wheel")
    assert not wheel.is_of(path, sources)


def test_a_checkout_gives_the_wheel_that_was_built_from_these_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dist/ may be of yesterday: byte code of other sources would make the two players' cores differ."""
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    package = tmp_path / "pycore"
    # As few sources as a package may have: each of the wheels below is compiled.
    for name in ("__init__.py", "bridge/__init__.py", "settings.py"):
        target = package / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((wheel.PACKAGE / name).read_bytes())
    monkeypatch.setattr(wheel, "TAG", tag)
    made = wheel.compiled_wheel(package)
    assert made is not None
    monkeypatch.setattr(sys.implementation, "cache_tag", "another-1")
    for place in ("dist/hostpage", "build/wheels/abc/hostpage"):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        (folder / made[0]).write_bytes(made[1])
        assert wheel.compiled_wheel(package) is None, "a folder of that name in site-packages is not ours"
        (tmp_path / "build.py").touch()
        assert wheel.compiled_wheel(package) == made
        with (package / "settings.py").open("a") as file:
            file.write("\n")
        assert wheel.compiled_wheel(package) is None
        (package / "settings.py").write_bytes((wheel.PACKAGE / "settings.py").read_bytes())
        shutil.rmtree(folder)
        (tmp_path / "build.py").unlink()


def test_a_compiled_wheel_goes_into_the_page_and_its_manifest(
    seed: Path, web: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both wheels, and the plain one for a page with another Python; one that appears later is added."""
    install.install(seed, web=web)
    monkeypatch.setattr(install, "compiled_wheel", lambda: ("x-cp312-none-any.whl", b"compiled"))
    assert install.check(seed, web=web).ok
    install.install(seed, web=web)
    manifest = json.loads((seed / "pycore" / "manifest.json").read_text())
    assert manifest["compiled_wheel"] == "x-cp312-none-any.whl"
    assert (seed / "pycore" / "x-cp312-none-any.whl").read_bytes() == b"compiled"
    assert (seed / "pycore" / manifest["wheel"]).is_file()
    assert install.check(seed, web=web).ok


@pytest.mark.tooling
def test_the_plain_wheel_brings_the_modules_and_the_browsers_wheel_does_not() -> None:
    """An installed pycore installs into pages as a checkout does."""
    from tools import wheels
    from tools.hatch_build import PACKAGES

    files = wheels.read(wheels.current().plain)
    carried = {name.removeprefix("pycore/web/") for name in files if name.startswith("pycore/web/")}
    kinds = {"core": "*.js", "interactive_gym": "*.js", "demo": "*", "watch": "*", "replay": "*", "report": "*"}
    ours = {f"{of}/{path.name}" for of, kind in kinds.items() for path in (ROOT / "web" / of).glob(kind)}
    vendored = {name for name in carried if name.startswith("vendor/")}
    assert carried - vendored == ours
    names = [name for package in PACKAGES.values() for name in package]
    assert len(names) == 5
    assert vendored == {f"vendor/{name}" for name in names}
    assert not [name for name in wheels.browser_part(files, host_page=True) if "web/" in name or "install" in name]


# ---- the command


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["interactive-gym", "install", *map(str, arguments)], env={"COLUMNS": "300"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_the_command_installs_checks_and_undoes(seed: Path, web: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 0 for what is done and in order, 1 for a page that is not, 2 for a mistake, in one sentence each."""
    monkeypatch.setattr(modules, "folder", lambda: web)
    status, text = run(seed, "--check")
    assert status == 1
    assert "pycore is not installed in this page" in text
    assert "it can be installed here" in text
    status, text = run(seed)
    assert status == 0
    assert "interactive_gym 0.1.1" in text
    assert str(seed) in text
    assert run(seed, "--check")[0] == 0
    (seed / "pycore/interactive_gym/late.js").unlink()
    status, text = run(seed, "--check")
    assert status == 1
    assert "pycore/interactive_gym/late.js is missing; install again" in text
    assert run(seed)[0] == 0
    assert run(seed, "--undo")[0] == 0
    assert {path.name for path in seed.iterdir()} == set(SEED)
    for arguments, complaint in (((seed, "--undo", "--check"), "two different"), ((seed / "none",), "is not there")):
        status, text = run(*arguments)
        assert status == 2
        assert complaint in text
