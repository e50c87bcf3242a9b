"""Putting pycore into an interactive_gym page, and taking it out again: `python -m pycore interactive-gym install`.

`page` finds and recognises the page, `modules` and `wheel` collect what it gets, `disk` puts it there in an order
that an interruption cannot hurt. Here is what a command does with them, and what it says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pycore.install.disk import (
    MADE_BY,
    MANIFEST,
    OURS,
    WORK,
    InstallFailed,
    State,
    digest,
    look,
    put,
    resume,
    take_out,
    told,
)
from pycore.install.modules import ENTRY, Modules, ModulesMissing, collect
from pycore.install.page import (
    KEPT,
    MARK,
    MODULE,
    RELEASED,
    Kind,
    PageNotFound,
    PageRefused,
    Place,
    find,
    missing_neighbours,
    recognise,
)
from pycore.install.wheel import WheelFailed, compiled_wheel, core_files, core_wheel
from pycore.version import __version__

__all__ = [
    "InstallFailed", "ModulesMissing", "PageNotFound", "PageRefused", "Report", "WheelFailed",
    "check", "install", "undo",
]  # fmt: skip


class Report(NamedTuple):
    """What a command found or did: one line, facts by name, and what is wrong or worth knowing."""

    headline: str
    facts: dict[str, str]
    notes: tuple[str, ...] = ()
    ok: bool = True
    """For `check`: a page that works with this pycore."""


class Wanted(NamedTuple):
    """What this pycore installs, but for the byte-compiled wheel, which is not always to be had."""

    modules: Modules
    core: str
    """The hash of the core's sources. Not the wheel's: zip bytes differ between versions of zlib."""

    def is_installed(self, manifest: Mapping[str, Any]) -> bool:
        """Whether the manifest describes just this."""
        modules = {name: hash_ for name, hash_ in manifest["files"].items() if not name.endswith(".whl")}
        wanted = {name: digest(data) for name, data in self.modules.files.items()}
        return modules == wanted and manifest.get("core") == self.core


def install(path: Path, *, web: Path | None = None) -> Report:
    """Put this pycore into the page below `path`, over an older one if there is one; nothing is written twice.

    `web`: the folder of the ES modules, if not this pycore's own. Raises `PageNotFound`, `PageRefused`,
    `InstallFailed`, `ModulesMissing`, `WheelFailed`; after each of them the page works as before, or with its own
    module.
    """
    wanted = _wanted(web)
    place = find(path)
    with told(place.folder):
        resume(place.folder)
        state = look(place.folder)
        original = _original(state)
        kind = recognise(place, original, wanted.modules.host)
        if state.foreign:
            raise PageRefused(f"{place.folder / OURS} is there and not made by pycore; move it away and run this again")
        name, wheel = core_wheel()
        compiled = compiled_wheel()
        files = {**wanted.modules.files, name: wheel, **({compiled[0]: compiled[1]} if compiled else {})}
        manifest = {
            "version": __version__,
            "wheel": name,
            "compiled_wheel": compiled[0] if compiled else None,
            "page": kind.generation,
            "made_by": MADE_BY,
            "original": digest(original),
            "core": wanted.core,
            "files": {name: digest(data) for name, data in sorted(files.items())},
        }
        facts = _facts(place, kind, manifest)
        before = state.manifest
        complete = state.replaced and state.module == _stub(__version__) and state.kept == original
        if complete and before == manifest and not state.broken():
            return Report(f"pycore {__version__} is installed already; nothing was changed", facts)
        files[MANIFEST] = (json.dumps(manifest, indent=1) + "\n").encode()
        put(state, files, _stub(__version__), original)
    was = f", in place of {before['version']}" if before and before["version"] != __version__ else ""
    return Report(f"pycore {__version__} is installed in the page{was}", facts)


def undo(path: Path) -> Report:
    """Put the page's own module back, byte for byte, and remove what `install` brought, and only that."""
    place = find(path)
    with told(place.folder):
        state = look(place.folder)
        facts = {"folder": str(place.folder)}
        if not state.traces:
            return Report("pycore is not installed here; nothing was changed", facts)
        resume(place.folder)
        state = look(place.folder)
        lost = state.module is None and state.kept is not None and not missing_neighbours(place.folder)
        restore = state.replaced or lost
        if restore:
            original = _original(state)
            if state.manifest is None:
                recognise(place, original)  # nothing else vouches for it
        if state.replaced and state.manifest is None and (place.folder / OURS).exists():
            raise InstallFailed(
                f"{place.folder / OURS / MANIFEST} is missing or damaged, so that pycore's files are not known; "
                "install again, which repairs it, then undo"
            )
        left = take_out(state, restore)
    done = f"{MODULE} is the page's own again, byte for byte" if restore else f"{MODULE} was the page's own already"
    notes = (f"left there, because it is not pycore's: {', '.join(left)}",) if left else ()
    return Report(f"pycore is removed; {done}", facts, notes)


def check(path: Path, *, web: Path | None = None) -> Report:
    """Say what is installed, and whether it works and is what this pycore would install. Changes nothing."""
    wanted = _wanted(web)
    place = find(path)
    with told(place.folder):
        state = look(place.folder)
        manifest = state.manifest
        notes: list[str] = []
        kind = None
        if state.original is None:
            notes.append(_lost(state))
        else:
            try:
                kind = recognise(place, state.original, wanted.modules.host)
            except PageRefused as error:
                notes.append(str(error))
        facts = _facts(place, kind, manifest)
        if not state.traces:
            if kind is not None and not state.foreign:
                notes.append("it can be installed here")
            return Report("pycore is not installed in this page", facts, tuple(notes), ok=False)
        if state.module is not None and not state.replaced:
            same = state.kept is None or state.kept == state.module
            why = "was installed anew, or an installation was cut off" if same else "was upgraded or changed meanwhile"
            notes.append(f"the page {why}: {MODULE} is its own again; install again, or --undo to clean up")
            return Report("pycore is not in use: the page has its own module", facts, tuple(notes), ok=False)
        if state.module is None:
            notes.append(f"{MODULE} is missing; install again, or --undo to put the page's own back")
        if manifest is None:
            notes.append(f"{OURS}/{MANIFEST} is missing or damaged; install again")
        else:
            notes += [f"{broken}; install again" for broken in state.broken()]
            if state.replaced and state.module != _stub(manifest["version"]):
                notes.append(f"{MODULE} was changed; install again")
            if manifest["version"] != __version__:
                notes.append(f"pycore {manifest['version']} is installed and this is {__version__}; install again")
            elif not wanted.is_installed(manifest):
                notes.append(f"this pycore {__version__} has other files than the installed one; install again")
        if (place.folder / WORK).exists():
            notes.append(f"{WORK} is left from an installation that was cut off; install again")
    if notes:
        return Report("pycore is installed, and something is not right", facts, tuple(notes), ok=False)
    return Report(f"pycore {__version__} is installed and intact", facts)


def _wanted(web: Path | None) -> Wanted:
    core = core_files()
    sources = "".join(f"{name} {digest(core[name])}\n" for name in sorted(core) if name.endswith(".py"))
    return Wanted(collect(web), digest(sources.encode()))


def _original(state: State) -> bytes:
    original = state.original
    if original is None:
        raise PageRefused(_lost(state))
    return original


def _lost(state: State) -> str:
    what = "is missing" if state.kept is None else "was changed"
    return (
        f"{KEPT}, the page's own {MODULE}, {what} in {state.folder}; install the page again ({RELEASED}, "
        "or the file of your checkout), then install pycore"
    )


def _stub(version: str) -> bytes:
    """What stands in the module's place."""
    return (
        f"{MARK}{version}\n"
        f"// pycore's game in place of the page's own, which is kept beside this file as {KEPT}.\n"
        "// To go back: python -m pycore interactive-gym install FOLDER --undo\n"
        f"export * from './{OURS}/{ENTRY}';\n"
    ).encode()


def _facts(place: Place, kind: Kind | None, manifest: Mapping[str, Any] | None) -> dict[str, str]:
    facts = {"page": kind.title if kind else "not known", "folder": str(place.folder)}
    if manifest is not None:
        facts["pycore"] = str(manifest["version"])
        facts["modules"] = f"{sum(name.endswith('.js') for name in manifest['files'])} files in {OURS}/"
        facts["wheel"] = str(manifest["wheel"])
        facts["compiled"] = str(manifest["compiled_wheel"] or "none; run this with Python 3.12 for a faster start")
    return facts
