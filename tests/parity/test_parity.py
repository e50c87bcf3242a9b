"""The same Python everywhere: CPython here, Pyodide 0.26, 0.29 and 314 in Node and in Chromium."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pycore.install.bootstrap import Bundle
from pycore.install.bundle import FILE
from tests.parity import scenarios
from tools import wheels

SOURCE = Path(scenarios.__file__).read_text(encoding="utf-8")

# Sets the installed pycore aside, imports the one in /compiled, runs the scenarios with it, and puts all back.
IN_COMPILED = """
import importlib, json, pathlib, sys
set_aside = {{name: module for name, module in sys.modules.items() if name.split(".")[0] == "pycore"}}
for name in set_aside:
    del sys.modules[name]
sys.path.insert(0, "/compiled")
importlib.invalidate_caches()
try:
    # Scenarios may use the simulator, which is in the plain wheel only; of all else, the byte code is wanted.
    pathlib.Path("/compiled/pycore/__init__.py").unlink()
    files = [importlib.import_module(name).__spec__.origin for name in {modules!r}]
    exec({source!r}, space := {{"__name__": "compiled"}})
    digests = [space["SCENARIOS"][name]() for name in {names!r}]
finally:
    sys.path.remove("/compiled")
    for name in [name for name in sys.modules if name.split(".")[0] == "pycore"]:
        del sys.modules[name]
    sys.modules.update(set_aside)
json.dumps([files, digests])
"""


@pytest.fixture(scope="session")
def loaded(pyodide: Any) -> Any:
    """The Pyodide with the scenarios defined in its global namespace."""
    pyodide.run(SOURCE)
    return pyodide


def test_pyodide_is_the_version_that_was_asked_for(pyodide: Any) -> None:
    """Without this the other tests could compare one version with itself three times."""
    code = "import json, pyodide, sys; json.dumps([pyodide.__version__, *sys.version_info[:2]])"
    found = json.loads(pyodide.run(code))
    assert found == [pyodide.expected.version, *pyodide.expected.python]


def test_micropip_installed_the_wheel_that_was_built(pyodide: Any) -> None:
    """pycore comes from the served wheel, with the metadata of its distribution."""
    found = pyodide.run(
        "import importlib.metadata, pycore\n"
        "'|'.join([importlib.metadata.version('interactive-gym-pycore'), pycore.__version__, pycore.__file__])"
    )
    version, own, file = found.split("|")
    assert version == own
    assert "site-packages/pycore/" in file


@pytest.mark.parametrize("name", sorted(scenarios.SCENARIOS))
def test_a_scenario_has_the_same_digest_as_on_cpython(loaded: Any, name: str) -> None:
    """Same scenario, same digest."""
    here = scenarios.SCENARIOS[name]()
    assert re.fullmatch(r"[0-9a-f]{16,}", here)
    assert loaded.run(f"SCENARIOS[{name!r}]()") == here


def test_scenarios_differ_from_each_other() -> None:
    """A digest of nothing would be the same for all of them."""
    digests = [run() for run in scenarios.SCENARIOS.values()]
    assert len(set(digests)) == len(digests) > 1


def test_the_compiled_wheel_imports_and_agrees(pyodide: Any, built: wheels.Wheels) -> None:
    """Every module of the byte-compiled wheel loads on its Pyodide, and scenarios come out the same."""
    files = wheels.read(built.browser(pyodide.expected))
    modules = sorted(Bundle(FILE, files[FILE]).modules)
    names = sorted(scenarios.SCENARIOS)
    pyodide.run_js(
        f"""
        pyodide.FS.mkdirTree("/compiled");
        for (const url of {[pyodide.plain_url, pyodide.compiled_url]!r}) {{
            const answer = await fetch(url);
            if (!answer.ok) throw new Error(url + " is not there: " + answer.status);
            pyodide.unpackArchive(await answer.arrayBuffer(), "whl", {{ extractDir: "/compiled" }});
        }}
        """
    )
    found = pyodide.run(IN_COMPILED.format(modules=modules, source=SOURCE, names=names))
    places, digests = json.loads(found)
    assert len(modules) >= 3
    assert places == [
        "/compiled/pycore/__init__.pyc" if name == "pycore" else f"/compiled/{FILE}/{name}" for name in modules
    ]
    assert digests == [scenarios.SCENARIOS[name]() for name in names]
