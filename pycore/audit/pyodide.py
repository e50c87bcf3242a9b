"""The same actions in Pyodide, under Node: whether the environment gives the same there as in CPython.

Functions whose last bits differ (sines, powers), integers of 32 bits, orders of sets: players in browsers agree with
each other, but a record that is replayed in CPython may not. What is loaded is this very core, and the files of the
environment's own folder; what else it imports has to be part of the Pyodide.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pycore.audit.comparison import Frame, difference_elsewhere, digests
from pycore.errors import ConfigError
from pycore.factory import parts_of
from pycore.install.wheel import core_wheel

__all__ = ["difference", "digests", "needs", "play"]

MOST_BYTES: Final = 2_000_000
"""Of one file that goes along."""
TIMEOUT: Final = 600.0

_NODE: Final = """
import { readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
const [folder, work, file] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(resolve(folder, "pyodide.mjs")).href);
const pyodide = await loadPyodide({ indexURL: join(resolve(folder), "/") });
const wheel = await readFile(join(work, "core.whl"));
pyodide.unpackArchive(wheel.buffer.slice(wheel.byteOffset, wheel.byteOffset + wheel.byteLength), "whl");
pyodide.globals.set("whole_json", await readFile(join(work, "job.json"), "utf8"));
if (file) {
  pyodide.FS.mkdirTree("/beside");
  pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root: dirname(file) }, "/beside");
  pyodide.FS.symlink("/beside/" + basename(file), "/file");
}
await writeFile(join(work, "found.json"), pyodide.runPython(await readFile(join(work, "play.py"), "utf8")));
"""

_BEGIN: Final = """
import importlib, json, os, sys
whole = json.loads(whole_json)
os.makedirs("/study", exist_ok=True)
for name, text in whole["files"].items():
    with open("/study/" + name, "w", encoding="utf-8", newline="") as file:
        file.write(text)
sys.path.insert(0, "/study")
importlib.invalidate_caches()
make = getattr(importlib.import_module(whole["module"]), whole["factory"])
job = whole["job"]
"""

_PLAY: Final = """
import base64, hashlib
from pycore import action_codec
from pycore.envs import RNGS, ParallelEnvAdapter, as_parallel
from pycore.values.results import results_text
env = make()
adapter = env
if not isinstance(env, ParallelEnvAdapter):
    view = as_parallel(env, interface=job["interface"])
    metadata = getattr(env, "metadata", None)
    rngs = metadata.get("rngs", RNGS) if isinstance(metadata, dict) else RNGS
    players = job["players"] or list(view.possible_agents)
    adapter = ParallelEnvAdapter(view, players, seed=job["seed"], rngs=rngs, numeric_ids=False)
codecs = [action_codec(space) for space in job["spaces"]]
found = {"frames": 0}
episode = 0
adapter.reset(episode)
for row, expected in zip(job["rows"], job["digests"]):
    actions = [None if action is None else codec.decode(codec.encode(action)) for codec, action in zip(codecs, row)]
    result = adapter.step(actions)
    state, text = adapter.canonical(adapter.save()), results_text(result)
    if hashlib.blake2b(state + text.encode(), digest_size=8).hexdigest() != expected:
        found.update(state=base64.b64encode(state).decode(), row=text)
        break
    found["frames"] += 1
    if result.done:
        episode += 1
        adapter.reset(episode)
found["python"] = sys.version.split()[0]
json.dumps(found)
"""


def difference(
    folder: Path,
    subject: str,
    frames: Sequence[Frame],
    rows: Sequence[Sequence[Any]],
    spaces: Sequence[dict[str, Any]],
    *,
    players: Sequence[int | str] = (),
    seed: int = 1,
    interface: str | None = None,
) -> str:
    """The first difference in the Pyodide in `folder`, with its fields; empty if there is none.

    `rows` are actions as JSON has them. Raises ConfigError where it cannot be tried.
    """
    job = {
        "players": list(players), "seed": seed, "interface": interface, "spaces": list(spaces),
        "rows": [list(row) for row in rows], "digests": digests(frames),
    }  # fmt: skip
    found = play(folder, subject, _PLAY, job)
    if "state" not in found:
        return ""
    return difference_elsewhere(frames[found["frames"]], found, f", in Python {found['python']}")


def play(folder: Path, subject: str, program: str, job: dict[str, Any], file: Path | None = None) -> Any:
    """What a Python program gives as JSON in the Pyodide in `folder`, as the value of its last line.

    Its `make` is the environment's function, `job` what it is given, and `file`, if there is one, lies at /file there.
    Raises ConfigError where it cannot be run.
    """
    node, source, factory = needs(folder, subject)
    sources = {each.name: each.read_text("utf-8") for each in sorted(source.parent.glob("*.py")) if _goes_along(each)}
    whole = {"files": sources, "module": source.stem, "factory": factory, "job": job}
    with tempfile.TemporaryDirectory(prefix="pycore-pyodide-") as temporary:
        work = Path(temporary)
        (work / "core.whl").write_bytes(core_wheel()[1])
        (work / "job.json").write_text(json.dumps(whole), "utf-8")
        (work / "play.py").write_text(_BEGIN + program, "utf-8")
        (work / "run.mjs").write_text(_NODE, "utf-8")
        words = [node, *map(str, (work / "run.mjs", folder, work, *([] if file is None else [file.resolve()])))]
        try:
            done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            raise ConfigError(f"Pyodide was not done after {TIMEOUT:.0f} s") from None
        if done.returncode != 0 or not (work / "found.json").is_file():
            raise ConfigError(f"it does not run in Pyodide: {_last(done.stderr)}")
        return json.loads((work / "found.json").read_text("utf-8"))


def needs(folder: Path, subject: str) -> tuple[str, Path, str]:
    """Node, the environment's file and its factory. Raises ConfigError for what is missing."""
    node = shutil.which("node")
    if node is None:
        raise ConfigError("Node is not on the path; --pyodide runs Pyodide under Node 18 or newer")
    if not (folder / "pyodide.mjs").is_file():
        raise ConfigError(f"{folder} has no pyodide.mjs; give the folder of a Pyodide distribution")
    path, factory = parts_of(subject)
    file = Path(path)
    if file.suffix != ".py" or not file.is_file():
        raise ConfigError(f"--pyodide needs the environment as a file, file.py:factory, and not {subject}")
    return node, file, factory


def _goes_along(file: Path) -> bool:
    return file.stat().st_size <= MOST_BYTES


def _last(text: str) -> str:
    """The line of Python's error, or Node's last one."""
    # Node shows the line of Pyodide's source in which it was thrown, which is all of the source.
    lines = [line.strip() for line in text.splitlines() if line.strip() and len(line) < 1000]
    told = [line for line in lines if "Error" in line and not line.startswith(("at ", "PythonError"))]
    return (told or lines or ["no reason was given"])[-1][:300]
