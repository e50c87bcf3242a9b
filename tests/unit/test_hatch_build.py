"""What the wheel has from npm: the file of the locked version with the locked hash, or a sentence that says why not."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import stat
import tarfile
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="what builds the wheel is in the main environment only")
from tools import hatch_build

pytestmark = [
    pytest.mark.tooling,
    pytest.mark.skipif(os.name == "nt", reason="the npm of these tests is a shell script"),
]

CONTENTS = {
    "socket.io-client": {"dist/socket.io.esm.min.js": b"export const io = 1;\n", "LICENSE": b"MIT\n"},
    "uplot": {"dist/uPlot.iife.min.js": b"var uPlot;\n", "dist/uPlot.min.css": b".u{}\n", "LICENSE": b"MIT too\n"},
}
CLIENT = "socket.io-client"


def archive(package: str = CLIENT) -> bytes:
    """An archive as npm makes them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in CONTENTS[package].items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """The only npm on the path."""
    path = tmp_path / "bin" / "npm"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")


def lock(tmp_path: Path, data: bytes, package: str = CLIENT) -> Path:
    """A lock file that wants these bytes."""
    digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
    entry = {"version": "4.8.9", "integrity": f"sha512-{digest}"}
    path = tmp_path / "package-lock.json"
    path.write_text(json.dumps({"packages": {f"node_modules/{package}": entry}}), "utf-8")
    return path


@pytest.mark.parametrize("package", list(hatch_build.PACKAGES))
def test_the_locked_version_is_fetched_and_unpacked(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """npm is asked for exactly that version, and the files come out as they were."""
    data = archive(package)
    (tmp_path / "packed").write_bytes(data)
    npm(tmp_path, monkeypatch, f'echo "$@" > {tmp_path}/asked; cp {tmp_path}/packed "$4/client.tgz"')
    folder = tmp_path / "work"
    folder.mkdir()
    found = hatch_build.unpacked(
        hatch_build.fetched(lock(tmp_path, data, package), folder, package), folder, package
    )  # fmt: skip
    assert (tmp_path / "asked").read_text().startswith(f"pack {package}@4.8.9 ")
    names = hatch_build.PACKAGES[package]
    assert {name: path.read_bytes() for name, path in found.items()} == {
        name: CONTENTS[package][inside] for name, inside in names.items()
    }


def test_what_is_there_already_is_not_fetched(tmp_path: Path) -> None:
    """Of npm's packages in a checkout, or beside the page in an unpacked sdist; all of its files, or none."""
    folder = tmp_path / "node_modules" / "uplot"
    (folder / "dist").mkdir(parents=True)
    for name, data in CONTENTS["uplot"].items():
        assert hatch_build.local(tmp_path, "uplot") == {}
        (folder / name).write_bytes(data)
    found = hatch_build.local(tmp_path, "uplot")
    assert found["uPlot.min.css"].read_bytes() == b".u{}\n"
    assert len(found) == 3
    assert hatch_build.local(tmp_path, CLIENT) == {}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('echo other > "$4/client.tgz"', "has not the hash that web/package-lock.json has"),
        ("echo no net >&2; exit 1", "npm could not fetch socket.io-client@4.8.9, which the page needs:\nno net"),
        ("true", "npm could not fetch"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, said: str) -> None:
    """Another file, no network, an npm that brings nothing."""
    npm(tmp_path, monkeypatch, body)
    folder = tmp_path / "work"
    folder.mkdir()
    with pytest.raises(RuntimeError) as refused:
        hatch_build.fetched(lock(tmp_path, archive()), folder, CLIENT)
    assert said in str(refused.value)


def test_without_npm_it_is_said_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Node.js, or a wheel that is made already."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"there is no npm here\. Install Node\.js, or install the wheel"):
        hatch_build.fetched(lock(tmp_path, archive()), tmp_path, CLIENT)
