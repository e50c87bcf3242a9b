"""Hatchling's hook: socket.io's client, which the page needs and no Python package has, into the wheel and the sdist.

It is the file of npm's package in the version and with the hash of web/package-lock.json: from web/node_modules if it
is there, from web/vendor in an unpacked sdist, otherwise downloaded from npm. A wheel without it is not made.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import tempfile
import urllib.request
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
        for name, path in (local(web) or self._downloaded(web)).items():
            build_data["force_include"][str(path)] = f"{target}/{name}"

    def _downloaded(self, web: Path) -> dict[str, Path]:
        self._temporary = tempfile.TemporaryDirectory()
        return unpacked(download(web / "package-lock.json"), Path(self._temporary.name))


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


def download(lock: Path) -> bytes:
    """npm's archive of the version that is locked, with the hash that is locked."""
    entry = json.loads(lock.read_text("utf-8"))["packages"][f"node_modules/{NAME}"]
    url = f"https://registry.npmjs.org/{NAME}/-/{NAME}-{entry['version']}.tgz"
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            data: bytes = response.read()
    except OSError as error:
        raise RuntimeError(
            f"{NAME} {entry['version']}, which the page needs, could not be downloaded from {url}: {error}. "
            "With Node.js: run `npm ci` in web/ and build again"
        ) from error
    kind, _, wanted = entry["integrity"].partition("-")
    if base64.b64encode(hashlib.new(kind, data).digest()).decode() != wanted:
        raise RuntimeError(f"{url} is not the archive whose hash web/package-lock.json has")
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
