"""A researcher's machine: the built wheel in an environment of its own, a Pyodide folder and a Chromium by option."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import chromium, distributions, environment, wheels
from tools.paths import NEWEST


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The surroundings of a shell in which `pycore` is the one that was installed from the wheel."""
    home = tmp_path_factory.mktemp("researcher")
    found = environment.find_interpreter([(3, 12)])  # another one than the project's own, where there is one
    subprocess.run([found.path if found else sys.executable, "-m", "venv", home / "env"], check=True)
    environment.pip_install(home / "env", [f"{wheels.current().plain}[study]"])
    python = environment.python_of(home / "env")
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR", "PYCORE_CHROMIUM") if name in os.environ}
    return kept | {
        "PATH": os.pathsep.join([str(python.parent), os.environ["PATH"]]),
        "PYCORE_PYODIDE": str(distributions.released(NEWEST)),
        "PYCORE_CHROMIUM": str(chromium.ensure(None)),
        "STUDY": str(home),
    }


@pytest.fixture(scope="session")
def folder(machine: dict[str, str]) -> Path:
    """Where the researcher works."""
    return Path(machine["STUDY"])
