"""The site over HTTP: types, compressed forms, and what a browser may keep."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from relay_support import running

from pycore.relay.static.compressed import SMALLEST, beside, compress, is_compressed
from pycore.relay.static.files import Hashes, takes_gzip

WASM = b"\0asm" + bytes(range(256)) * 40
FOR_GOOD = "public, max-age=31536000, immutable"


def make_site(folder: Path) -> Path:
    """A site with something of each kind."""
    site = folder / "site"
    for name in ("pyodide", "wheels", "game", "core"):
        (site / name).mkdir(parents=True)
    (site / "index.html").write_text("<p>" + "welcome " * 400)
    (site / "pyodide" / "pyodide.asm.wasm").write_bytes(WASM)
    (site / "pyodide" / "small.json").write_text("{}")
    (site / "wheels" / "core.whl").write_bytes(os.urandom(4000))
    (site / "core" / "core.js").write_text("x = 1;\n" * 400)
    (site / "game" / "game.py").write_text("x = 1\n" * 400)
    manifest = {
        "pyodide": {"url": "pyodide/", "version": "1"}, "wheel": "wheels/core.whl", "compiled_wheel": None,
        "packages": ["numpy", "packages/none.whl"], "game": "game/game.py",
    }  # fmt: skip
    (site / "manifest.json").write_text(json.dumps(manifest))
    return site


Answer = tuple[int, Mapping[str, str], bytes]
Get = Callable[..., Awaitable[Answer]]


def ask(folder: Path, site: Path, talk: Callable[[Get], Awaitable[None]]) -> None:
    """A relay with this site, and somebody who asks it for files and takes the bytes as they come."""

    async def go(url: str) -> None:
        async with aiohttp.ClientSession(auto_decompress=False) as session:

            async def get(path: str, **headers: str) -> Answer:
                given = {name.replace("_", "-"): value for name, value in headers.items()}
                async with session.get(url.rstrip("/") + path, headers={"accept-encoding": "", **given}) as reply:
                    return reply.status, {k.lower(): v for k, v in reply.headers.items()}, await reply.read()

            await talk(get)

    with running(folder, site=site) as relay:
        asyncio.run(go(relay.url))


@pytest.mark.slow
def test_what_is_compressed_ahead_goes_so_to_whoever_takes_it(tmp_path: Path) -> None:
    """With the type of the file itself; to others, and in parts, it goes as it is."""
    site = make_site(tmp_path)
    compress(site)

    async def talk(get: Get) -> None:
        status, headers, body = await get("/pyodide/pyodide.asm.wasm", accept_encoding="br, gzip")
        assert (status, headers["content-encoding"], headers["content-type"]) == (200, "gzip", "application/wasm")
        assert (gzip.decompress(body), headers["vary"]) == (WASM, "Accept-Encoding")
        assert int(headers["content-length"]) == len(body) < len(WASM)
        again = await get("/pyodide/pyodide.asm.wasm", accept_encoding="gzip", if_none_match=headers["etag"])
        assert (again[0], again[2]) == (304, b"")
        # A form of it that whoever asks now cannot read is not the one that it has.
        other = await get("/pyodide/pyodide.asm.wasm", if_none_match=headers["etag"])
        assert (other[0], other[2], other[1]["vary"]) == (200, WASM, "Accept-Encoding")
        assert "content-encoding" not in other[1]
        part = await get("/pyodide/pyodide.asm.wasm", accept_encoding="gzip", range="bytes=4-9")
        assert (part[0], part[2]) == (206, WASM[4:10])
        assert "content-encoding" not in part[1]
        page = await get("/", accept_encoding="gzip")
        assert (page[1]["content-encoding"], page[1]["content-type"]) == ("gzip", "text/html; charset=utf-8")
        # Random bytes get no smaller, and a few are not worth it.
        for name in ("/wheels/core.whl", "/pyodide/small.json"):
            assert "content-encoding" not in (await get(name, accept_encoding="gzip"))[1]

    ask(tmp_path, site, talk)


@pytest.mark.slow
def test_a_compressed_form_of_an_earlier_version_is_not_sent(tmp_path: Path) -> None:
    """Somebody has changed a file of the site since."""
    site = make_site(tmp_path)
    compress(site)
    file = site / "core" / "core.js"
    stamp = beside(file).stat().st_mtime_ns + 1_000_000
    file.write_text("y = 2;\n" * 400)
    os.utime(file, ns=(stamp, stamp))

    async def talk(get: Get) -> None:
        _, headers, body = await get("/core/core.js", accept_encoding="gzip")
        assert ("content-encoding" in headers, body) == (False, b"y = 2;\n" * 400)

    ask(tmp_path, site, talk)
    compress(site)
    assert is_compressed(file)
    assert gzip.decompress(beside(file).read_bytes()) == b"y = 2;\n" * 400


@pytest.mark.slow
def test_the_studys_own_files_are_sent_as_they_are(tmp_path: Path) -> None:
    """What lies beside one of them with `.gz` may be anything, and is not made."""
    site = make_site(tmp_path)
    compress(site)
    file = site / "game" / "game.py"
    assert not is_compressed(file)
    beside(file).write_bytes(gzip.compress(b"another level"))
    manifest = json.loads((site / "manifest.json").read_text())
    (site / "manifest.json").write_text(json.dumps({**manifest, "files": ["game/game.py.gz"]}))

    async def talk(get: Get) -> None:
        _, headers, body = await get("/game/game.py", accept_encoding="gzip")
        assert ("content-encoding" in headers, "vary" in headers, body) == (False, False, file.read_bytes())
        assert gzip.decompress((await get("/game/game.py.gz"))[2]) == b"another level"

    ask(tmp_path, site, talk)


@pytest.mark.slow
def test_what_is_large_is_kept_for_good_by_its_hash_and_everything_else_asked_for_anew(tmp_path: Path) -> None:
    """The manifest names it so; another content has another hash, and by an old one it is not kept."""
    site = make_site(tmp_path)
    compress(site)

    async def talk(get: Get) -> None:
        _, headers, body = await get("/manifest.json")
        assert headers["cache-control"] == "no-cache"
        manifest = json.loads(body)
        assert manifest["packages"] == ["numpy", "packages/none.whl"]
        assert (manifest["compiled_wheel"], manifest["game"]) == (None, "game/game.py")
        pyodide, wheel = manifest["pyodide"]["url"], manifest["wheel"]
        assert pyodide != wheel
        for url, wanted in ((f"{pyodide}pyodide.asm.wasm", WASM), (wheel, (site / "wheels" / "core.whl").read_bytes())):
            status, headers, body = await get(f"/{url}")
            assert (status, headers["cache-control"], body) == (200, FOR_GOOD, wanted)
        for name in ("/", "/game/game.py", "/pyodide/pyodide.asm.wasm", "/@0123456789abcdef/wheels/core.whl"):
            status, headers, _ = await get(name)
            assert (status, headers["cache-control"]) == (200, "no-cache")
        by_hash = pyodide.partition("/")[0]
        for name in (f"/{by_hash}/game/game.py", f"/{by_hash}/wheels/core.whl", f"/{by_hash}/index.html"):
            assert (await get(name))[1].get("cache-control") != FOR_GOOD
        assert (await get(f"/{by_hash}/pyodide/none"))[0] == 404
        assert (await get(f"/{by_hash}/pyodide/..%2f..%2f..%2fstudy.db"))[0] == 404

        (site / "wheels" / "core.whl").write_bytes(b"another core")
        status, headers, body = await get(f"/{wheel}")
        assert (status, headers["cache-control"], body) == (200, "no-cache", b"another core")
        anew = json.loads((await get("/manifest.json"))[2])
        assert anew["wheel"] != wheel
        assert anew["pyodide"]["url"] == pyodide
        assert (await get(f"/{anew['wheel']}"))[1]["cache-control"] == FOR_GOOD

    ask(tmp_path, site, talk)


@pytest.mark.parametrize("text", ["{", "[]", '{"pyodide": 3}', '{"pyodide": {"url": 3}}'])
def test_a_manifest_that_is_none_is_served_as_it_is(tmp_path: Path, text: str) -> None:
    """The page says what is wrong with it."""
    site = make_site(tmp_path)
    (site / "manifest.json").write_text(text)

    async def talk(get: Get) -> None:
        status, headers, body = await get("/manifest.json")
        assert (status, headers["content-type"], body) == (200, "application/json", text.encode())

    ask(tmp_path, site, talk)


def test_a_pyodide_at_an_address_of_its_own_is_left_there(tmp_path: Path) -> None:
    """There is no such folder in the site."""
    (tmp_path / "wheels").mkdir()
    hashes = Hashes(tmp_path)
    for url in ("https://cdn.example.org/pyodide/", "pyodide/", "wheels/none.whl", "numpy", ""):
        assert hashes.behind(url) == url


def test_a_folder_that_is_being_replaced_has_no_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was listed is gone when it is read: what is asked for is served, and kept by nobody."""
    site = make_site(tmp_path)
    by_hash = Hashes(site).of("wheels")

    def gone(file: Path) -> bytes:
        raise FileNotFoundError(file)

    async def talk(get: Get) -> None:
        monkeypatch.setattr(Path, "read_bytes", gone)
        status, headers, body = await get(f"/@{by_hash}/wheels/core.whl")
        assert (status, headers["cache-control"], len(body)) == (200, "no-cache", 4000)
        assert json.loads((await get("/manifest.json"))[2])["wheel"] == "wheels/core.whl"

    ask(tmp_path, site, talk)


def test_a_hash_is_of_names_and_contents_and_not_of_compressed_forms(tmp_path: Path) -> None:
    """The same files have the same, wherever and whenever they were written."""

    def hashed(name: str, files: Mapping[str, bytes]) -> str:
        folder = tmp_path / name / "wheels"
        folder.mkdir(parents=True)
        for each, data in files.items():
            (folder / each).write_bytes(data)
        return Hashes(tmp_path / name).of("wheels")

    first = hashed("one", {"a": b"12", "b": b"3"})
    assert hashed("two", {"b": b"3", "a": b"12", "a.gz": b"packed"}) == first
    others = [{"a": b"1", "b": b"23"}, {"a": b"12", "c": b"3"}, {"a": b"123"}, {"a": b"12", "b": b"4"}]
    assert len({first, *(hashed(f"other{at}", files) for at, files in enumerate(others))}) == 5


def test_a_folder_without_its_slash_is_found_behind_any_proxy(tmp_path: Path) -> None:
    """One that has a path before it, and speaks https: the way is from where the folder was asked for."""
    site = make_site(tmp_path)
    (site / "a b").mkdir()
    (site / "a b" / "index.html").write_text("here")

    async def go(url: str) -> None:
        async with aiohttp.ClientSession() as session:
            for path, way in (("a%20b", "./a%20b/"), ("a%20b?token=1&x=2", "./a%20b/?token=1&x=2")):
                async with session.get(url + path, allow_redirects=False) as reply:
                    assert (reply.status, reply.headers["location"]) == (307, way)
                async with session.get(url + path) as reply:
                    assert (str(reply.url), await reply.text()) == (url + way[2:], "here")
            async with session.post(url + "manifest.json") as reply:
                assert reply.status == 405

    with running(tmp_path, site=site) as relay:
        asyncio.run(go(relay.url))


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("gzip, deflate, br", True), ("br;q=1.0, GZIP;q=0.2", True), ("*", True), ("gzip;q=0", False), ("", False),
        ("br", False), ("gzip; q=0.000, *", False), ("identity", False), ("*;q=0", False), ("x-gzip-not", False),
    ],
)  # fmt: skip
def test_gzip_goes_to_whoever_accepts_it(accepted: str, taken: bool) -> None:
    """By the rules of HTTP: a weight of 0 is a refusal."""
    assert takes_gzip(accepted) is taken


def test_compressing_is_reproducible_and_leaves_what_is_not_worth_it(tmp_path: Path) -> None:
    """And what is compressed already is not done again."""
    files: dict[str, Any] = {
        "large.js": b"let a = 1;\n" * 500, "edge.js": b"a" * SMALLEST, "small.js": b"a" * (SMALLEST - 1),
        "random.wasm": os.urandom(5000), "wheel.whl": b"0" * 5000,
    }  # fmt: skip
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    compress(tmp_path)
    found = {file.name: file.read_bytes() for file in tmp_path.glob("*.gz")}
    assert {name: gzip.decompress(data) for name, data in found.items()} == {
        "large.js.gz": files["large.js"], "edge.js.gz": files["edge.js"],
    }  # fmt: skip
    stamps = {file: file.stat().st_mtime_ns for file in tmp_path.glob("*.gz")}
    compress(tmp_path)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.glob("*.gz")} == stamps
    beside(tmp_path / "large.js").unlink()
    compress(tmp_path)
    assert beside(tmp_path / "large.js").read_bytes() == found["large.js.gz"]
