"""Hatchling's hook: what a page needs and no Python package has, into the wheel and the sdist.

Socket.io's client for the page of a game, uPlot for that of a report. They are the files of npm's packages in the
versions and with the hashes of web/package-lock.json: from web/node_modules if they are there, from web/vendor in an
unpacked sdist, otherwise fetched by npm, from wherever npm is set up to take packages. Without them no wheel is made.
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
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGES: Mapping[str, Mapping[str, str]] = MappingProxyType({
    "socket.io-client": {"socket.io.esm.min.js": "dist/socket.io.esm.min.js", "socket.io.LICENSE": "LICENSE"},
    "uplot": {
        "uPlot.iife.min.js": "dist/uPlot.iife.min.js", "uPlot.min.css": "dist/uPlot.min.css",
        "uPlot.LICENSE": "LICENSE",
    },
})  # fmt: skip
"""By npm's name: names in vendor/, and in the package."""


class Vendored(BuildHookInterface):  # type: ignore[type-arg]
    """Adds vendor/ to what is built."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Find the files, or get them."""
        if version == "editable":  # a checkout has its own web/
            return
        web = Path(self.root) / "web"
        target = "web/vendor" if self.target_name == "sdist" else "pycore/web/vendor"
        self._temporary = tempfile.TemporaryDirectory()
        for package in PACKAGES:
            folder = Path(self._temporary.name) / package
            folder.mkdir()
            files = local(web, package)
            if not files:
                files = unpacked(fetched(web / "package-lock.json", folder, package), folder, package)
            for name, path in files.items():
                build_data["force_include"][str(path)] = f"{target}/{name}"


def local(web: Path, package: str) -> dict[str, Path]:
    """The files in a checkout with its npm packages, or in an unpacked sdist; empty if they are not there."""
    files = PACKAGES[package]
    for found in (
        {name: web / "vendor" / name for name in files},
        {name: web / "node_modules" / package / inside for name, inside in files.items()},
    ):
        if all(path.is_file() for path in found.values()):
            return found
    return {}


def fetched(lock: Path, folder: Path, package: str) -> bytes:
    """npm's archive of the version that is locked, with the hash that is locked."""
    entry = json.loads(lock.read_text("utf-8"))["packages"][f"node_modules/{package}"]
    wanted = f"{package}@{entry['version']}"
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


def unpacked(archive: bytes, folder: Path, package: str) -> dict[str, Path]:
    """The files of npm's archive, written into a folder."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for name, inside in PACKAGES[package].items():
            member = tar.extractfile(f"package/{inside}")
            if member is None:
                raise RuntimeError(f"{package} has no file {inside}")
            found[name] = folder / name
            found[name].write_bytes(member.read())
    return found
