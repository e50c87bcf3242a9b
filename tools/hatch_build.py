"""Hatchling's hook: socket.io's client, which the page needs and no Python package has, into the wheel and the sdist.

It is the file of npm's package in the version and with the hash of web/package-lock.json: from web/node_modules if it
is there, from web/vendor in an unpacked sdist, otherwise fetched by npm, from wherever npm is set up to take packages.
A wheel without it is not made.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "socket.io-client"
FILES = {"socket.io.esm.min.js": "dist/socket.io.esm.min.js", "socket.io.LICENSE": "LICENSE"}
"""Names in vendor/, and in npm's package."""


class SocketIOClient(BuildHookInterface):  # type: ignore[type-arg]
    """Adds vendor/ to what is built."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Find the files, or get them."""
        if version == "editable":  # a checkout has its own web/
            return
        web = Path(self.root) / "web"
        target = "web/vendor" if self.target_name == "sdist" else "pycore/web/vendor"
        self._temporary = tempfile.TemporaryDirectory()
        folder = Path(self._temporary.name)
        for name, path in (local(web) or unpacked(fetched(web / "package-lock.json", folder), folder)).items():
            build_data["force_include"][str(path)] = f"{target}/{name}"


def local(web: Path) -> dict[str, Path]:
    """The files in a checkout with its npm packages, or in an unpacked sdist; empty if they are not there."""
    package = web / "node_modules" / NAME
    for found in (
        {name: web / "vendor" / name for name in FILES},
        {name: package / inside for name, inside in FILES.items()},
    ):
        if all(path.is_file() for path in found.values()):
            return found
    return {}


def fetched(lock: Path, folder: Path) -> bytes:
    """npm's archive of the version that is locked, with the hash that is locked."""
    entry = json.loads(lock.read_text("utf-8"))["packages"][f"node_modules/{NAME}"]
    wanted = f"{NAME}@{entry['version']}"
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(
            f"{wanted}, which the page needs, comes from npm, and there is no npm here. Install Node.js, or install "
            "the wheel that `python3 build.py wheel` makes"
        )
    command = [npm, "pack", wanted, "--pack-destination", str(folder), "--silent"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    archives = list(folder.glob("*.tgz"))
    if done.returncode != 0 or len(archives) != 1:
        raise RuntimeError(f"npm could not fetch {wanted}, which the page needs:\n{done.stderr.strip()}")
    data = archives[0].read_bytes()
    kind, _, digest = entry["integrity"].partition("-")
    if base64.b64encode(hashlib.new(kind, data).digest()).decode() != digest:
        raise RuntimeError(f"what npm fetched as {wanted} has not the hash that web/package-lock.json has")
    return data


def unpacked(archive: bytes, folder: Path) -> dict[str, Path]:
    """The files of npm's archive, written into a folder."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for name, inside in FILES.items():
            member = tar.extractfile(f"package/{inside}")
            if member is None:
                raise RuntimeError(f"{NAME} has no file {inside}")
            found[name] = folder / name
            found[name].write_bytes(member.read())
    return found
