"""The project's own virtual environments: which Python they use, what is in them, and whether they are complete.

An environment is complete when its stamp is there and equals the hash of everything that decides its contents:
the interpreter, the requirements and the constraints. The stamp is removed before anything is changed and written
last, by renaming, so an interrupted installation never looks finished: without a stamp the environment is made
anew; with an old one it is brought up to date in place.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tools.paths import BUILD, CONSTRAINTS, ENVIRONMENT, FLOOR_ENVIRONMENT, ROOT
from tools.process import Failed, Missing, Stopwatch, is_windows, run, say

PREFERRED = ((3, 13), (3, 12))
"""Every tool works there; on 3.11 pyodide-build does not, see pyproject.toml."""

FLOOR = (3, 11)
"""The oldest Python that the core supports."""

EVERYTHING = ("relay", "postgres", "cluster", "test", "browser", "page", "environments", "docs", "dev")
FLOOR_EXTRAS = ("relay", "postgres", "cluster", "test")
STAMP = ".pycore-stamp"

PROBE = "import sys, venv, ensurepip; print(*sys.version_info[:3], sys.executable)"


class Interpreter(NamedTuple):
    """A Python that works and can make virtual environments."""

    version: tuple[int, int, int]
    path: Path


def probe(executable: Path | str) -> Interpreter | None:
    """The interpreter behind a path, or None if it does not work.

    It is run and asked, because a file on the PATH proves nothing: pyenv puts a `python3.13` there that only says
    "command not found", and Debian's Python cannot make environments without another package.
    """
    try:
        done = subprocess.run(
            [str(executable), "-c", PROBE], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.fullmatch(r"(\d+) (\d+) (\d+) (.+)", done.stdout.strip())
    if done.returncode != 0 or match is None:
        return None
    return Interpreter((int(match[1]), int(match[2]), int(match[3])), Path(match[4]))


def pyenv_versions(root: Path, minor: tuple[int, int]) -> list[Path]:
    """The interpreters of one Python version under pyenv's root, newest first."""
    found: list[tuple[int, Path]] = []
    for folder in (root / "versions").glob(f"{minor[0]}.{minor[1]}.*"):
        patch = folder.name.rpartition(".")[2]
        if patch.isdecimal():
            found.append((int(patch), folder / "bin" / "python"))
    return [path for _, path in sorted(found, reverse=True)]


def pyenv_root() -> Path:
    """pyenv's folder, where it exists."""
    if os.environ.get("PYENV_ROOT"):
        return Path(os.environ["PYENV_ROOT"])
    if shutil.which("pyenv"):
        with contextlib.suppress(Failed):
            return Path(run(["pyenv", "root"], timeout=30).strip())
    return Path.home() / ".pyenv"


def candidates(minor: tuple[int, int]) -> Iterator[Path | str]:
    """Where a Python of this version may be: on the PATH, then under pyenv's root."""
    name = f"python{minor[0]}.{minor[1]}"
    on_path = shutil.which(name)
    if on_path:
        yield on_path
    yield from pyenv_versions(pyenv_root(), minor)


def find_interpreter(minors: Iterable[tuple[int, int]]) -> Interpreter | None:
    """The first working Python of these versions."""
    for minor in minors:
        for path in candidates(minor):
            found = probe(path)
            if found and found.version[:2] == minor:
                return found
    return None


def best_interpreter() -> Interpreter:
    """The Python for the main environment: $PYCORE_PYTHON, else 3.13, else 3.12, else the one that runs this."""
    explicit = os.environ.get("PYCORE_PYTHON")
    if explicit:
        found = probe(explicit)
        if found is None or found.version[:2] < FLOOR:
            raise Missing(f"$PYCORE_PYTHON is {explicit}, which is not a working Python of 3.11 or newer")
        return found
    found = find_interpreter(PREFERRED) or probe(getattr(sys, "_base_executable", None) or sys.executable)
    if found is None:
        raise Missing(
            f"{sys.executable} cannot make virtual environments (no venv or ensurepip; on Debian: "
            "apt-get install python3-venv), and no other Python of 3.12 or 3.13 was found; "
            "$PYCORE_PYTHON names one"
        )
    return found


def requirements(extras: Iterable[str]) -> list[str]:
    """What the extras of pyproject.toml ask for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted.extend(project["optional-dependencies"][extra])
    # An extra that contains another one names this project, which is here.
    return [each for each in wanted if not each.startswith(f"{project['name']}[")]


def stamp_of(interpreter: Interpreter, wanted: Iterable[str], constraints: str) -> str:
    """The hash of everything that decides what is in an environment."""
    parts = [".".join(map(str, interpreter.version)), str(interpreter.path), *sorted(wanted), constraints]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def read_stamp(folder: Path) -> str | None:
    """The stamp of a finished installation, or None."""
    try:
        return (folder / STAMP).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


def write_stamp(folder: Path, stamp: str) -> None:
    """Declare an installation finished: all or nothing."""
    half = folder / f"{STAMP}.new"
    half.write_text(stamp, encoding="ascii")
    half.replace(folder / STAMP)


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / ("Scripts/python.exe" if is_windows() else "bin/python")


def binaries_of(folder: Path) -> Path:
    """Where an environment keeps its commands."""
    return python_of(folder).parent


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Keeps a second build.py waiting while this one installs."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / ".lock").open("w") as file:
        if not is_windows():
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                say("another build.py is installing; waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def ensure(folder: Path, interpreter: Interpreter, extras: Iterable[str]) -> Path:
    """Make the environment in `folder`, or bring it up to date; return its interpreter."""
    wanted = requirements(extras)
    constraints = CONSTRAINTS.read_text(encoding="utf-8")
    stamp = stamp_of(interpreter, wanted, constraints)
    if read_stamp(folder) == stamp:
        return python_of(folder)
    with only_one():
        before = read_stamp(folder)
        if before == stamp:  # the one that we waited for has made it
            return python_of(folder)
        watch = Stopwatch()
        version = ".".join(map(str, interpreter.version))
        present = probe(python_of(folder))
        if before is None or present is None or present.version != interpreter.version:
            say(f"making {folder.name} with Python {version} ({interpreter.path})")
            shutil.rmtree(folder, ignore_errors=True)
            run([interpreter.path, "-m", "venv", folder])
        (folder / STAMP).unlink(missing_ok=True)
        say(f"installing {len(wanted)} pinned requirements into {folder.name}; the first time takes a minute")
        pip_install(folder, wanted)
        (site_packages(folder) / "pycore-project.pth").write_text(f"{ROOT}\n", encoding="utf-8")
        write_stamp(folder, stamp)
        say(f"{folder.name} is ready after {watch}")
    return python_of(folder)


def pip_install(folder: Path, wanted: Iterable[str]) -> None:
    """Install requirements under the constraints."""
    pip: list[str | Path] = [python_of(folder), "-m", "pip", "install", "--quiet"]
    pip += ["--disable-pip-version-check", "--no-input"]
    try:
        run([*pip, "--constraint", CONSTRAINTS, *wanted], attempts=3)
    except Failed as error:
        raise Missing(
            f"{error}\n\nThe Python packages could not be installed. If the machine is offline or behind a proxy, "
            "set pip up for it (pip config, PIP_INDEX_URL, PIP_PROXY) and run this again; nothing half-made is left."
        ) from error


def site_packages(folder: Path) -> Path:
    """Where an environment keeps its packages."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(run([python_of(folder), "-c", code]).strip())


def ensure_main() -> Path:
    """The environment in which every task runs."""
    return ensure(ENVIRONMENT, best_interpreter(), EVERYTHING)


def ensure_floor() -> Path | None:
    """An environment with the oldest supported Python, or None where that Python is not installed."""
    interpreter = find_interpreter([FLOOR])
    return ensure(FLOOR_ENVIRONMENT, interpreter, FLOOR_EXTRAS) if interpreter else None


def inside() -> bool:
    """Whether this process runs in the main environment."""
    return Path(sys.prefix).resolve() == ENVIRONMENT.resolve()


def put_on_path() -> None:
    """Let child processes find the environment's commands first (node and npm may be among them)."""
    folder = str(binaries_of(ENVIRONMENT))
    path = os.environ.get("PATH", "")
    if folder not in path.split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([folder, path])
