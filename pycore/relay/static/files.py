"""The site's files over HTTP: compressed where they are so ahead, and kept by browsers as long as they are the same.

What is large lies in folders whose content has a hash, `MARKED`. The manifest, which is asked for anew at each visit,
names them behind it, as in `@0123456789abcdef/pyodide/`. What is asked for by its hash never changes, so a browser may
keep it for good. Everything else it asks for anew, so that nobody plays yesterday's core, and is mostly told that it is
as before. Only this server knows of it: another one serves the same folder, and its manifest, as they are.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import urllib.parse
from pathlib import Path
from typing import Any, Final

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

from pycore.relay.static.compressed import GAME, SUFFIX, beside, is_compressed
from pycore.relay.static.served import MANIFEST, Served

TYPES: Final = {
    ".wasm": "application/wasm",
    ".mjs": "text/javascript",
    ".js": "text/javascript",
    ".json": "application/json",
    ".whl": "application/zip",
    ".zip": "application/zip",
    ".data": "application/octet-stream",
    ".py": "text/x-python",
    ".css": "text/css",
    ".html": "text/html",
}
"""What Python's own table lacks on some systems; a module or a wasm file of the wrong type does not load."""
MARKED: Final = ("pyodide", "wheels", "packages")
"""Folders that are asked for by the hash of what is in them."""
_BY_HASH: Final = re.compile(r"@([0-9a-f]{16})/([^/]+)/.+")
_ANEW: Final = "no-cache"
_FOR_GOOD: Final = "public, max-age=31536000, immutable"


class SiteFiles(StaticFiles):
    """The site folder."""

    def __init__(self, site: Path) -> None:
        super().__init__(directory=site, html=True)
        self._hashes = Hashes(site)
        self._served = Served(site)
        self._game = Path(os.path.realpath(site / GAME))

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """The file or folder at a path; what is not everybody's is not there."""
        full_path, found = super().lookup_path(path)
        if found is not None and not stat.S_ISDIR(found.st_mode) and not self._served.allows(path):
            return "", None
        return full_path, found

    async def get_response(self, path: str, scope: Scope) -> Response:
        """What is at a path of the site, or behind a hash."""
        name = path.replace(os.sep, "/")
        if name == MANIFEST and scope["method"] in ("GET", "HEAD"):
            text = await anyio.to_thread.run_sync(self._manifest)
            if text is not None:
                return Response(text, media_type=TYPES[".json"], headers={"cache-control": _ANEW})
        found = _BY_HASH.fullmatch(name)
        if found is None:
            return _from_here(await super().get_response(path, scope), scope)
        given, folder = found.groups()
        response = await super().get_response(name.partition("/")[2], scope)
        # Of another hash it is what a page of an earlier version asks for: it gets what there is, and keeps it not.
        if response.status_code in (200, 206, 304) and given == await anyio.to_thread.run_sync(self._hashes.of, folder):
            response.headers["cache-control"] = _FOR_GOOD
        return response

    def file_response(self, full_path: Any, stat_result: Any, scope: Scope, status_code: int = 200) -> Response:
        """A file with the type that browsers insist on, compressed if it is so ahead and whoever asks takes that."""
        file = Path(full_path)
        asked = Headers(scope=scope)
        kind = TYPES.get(file.suffix)
        packed = status_code == 200 and not file.is_relative_to(self._game) and is_compressed(file)
        headers = {"cache-control": _ANEW}
        if packed:
            headers["vary"] = "Accept-Encoding"
            if takes_gzip(asked.get("accept-encoding", "")) and "range" not in asked:
                file = beside(file)
                stat_result = file.stat()
                headers["content-encoding"] = "gzip"
        if kind is not None:
            headers["content-type"] = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
        response = FileResponse(file, status_code, headers, stat_result=stat_result)
        if self.is_not_modified(response.headers, asked):
            return NotModifiedResponse(response.headers)
        return response

    def _manifest(self) -> str | None:
        """The manifest with what is large behind its hash; None: there is none that can be read, and it is served as it
        is."""
        assert self.directory is not None
        try:
            manifest = json.loads((Path(self.directory) / MANIFEST).read_text("utf-8"))
            manifest["pyodide"]["url"] = self._hashes.behind(manifest["pyodide"]["url"])
            for name in ("wheel", "compiled_wheel"):
                if manifest.get(name):
                    manifest[name] = self._hashes.behind(manifest[name])
            manifest["packages"] = [self._hashes.behind(name) for name in manifest.get("packages", ())]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return json.dumps(manifest, indent=1) + "\n"


def _from_here(response: Response, scope: Scope) -> Response:
    """A folder without its slash leads to the one with it, by a way from where it was asked for: a proxy may have a
    path before it, and another scheme."""
    if isinstance(response, RedirectResponse):
        query = scope["query_string"].decode("latin-1")
        name = urllib.parse.quote(scope["path"].rpartition("/")[2])
        response.headers["location"] = f"./{name}/" + (f"?{query}" if query else "")
    return response


class Hashes:
    """The hashes of a site's folders, computed anew when a file of one has changed."""

    def __init__(self, site: Path) -> None:
        self._site = site
        self._known: dict[str, tuple[tuple[tuple[str, int, int], ...], str]] = {}

    def of(self, folder: str) -> str:
        """The hash of a folder, 16 digits; empty if it is none of those that have one, or is being replaced."""
        try:
            return self._of(folder) if folder in MARKED else ""
        except OSError:
            return ""

    def _of(self, folder: str) -> str:
        place = self._site / folder
        files = [file for file in sorted(place.rglob("*")) if file.suffix != SUFFIX and file.is_file()]
        if not files:
            return ""
        stats = [(file, file.stat()) for file in files]
        looks = tuple((file.relative_to(place).as_posix(), each.st_size, each.st_mtime_ns) for file, each in stats)
        known = self._known.get(folder)
        if known is not None and known[0] == looks:
            return known[1]
        hasher = hashlib.blake2b(digest_size=8)
        for (name, size, _changed), file in zip(looks, files, strict=True):
            hasher.update(f"{name}\0{size}\0".encode())
            hasher.update(file.read_bytes())
        self._known[folder] = looks, hasher.hexdigest()
        return hasher.hexdigest()

    def behind(self, url: str) -> str:
        """The address of a file or folder of the site behind its hash; any other address as it is."""
        found = self.of(url.partition("/")[0]) if "/" in url else ""
        return f"@{found}/{url}" if found else url


def takes_gzip(accepted: str) -> bool:
    """Whether a header Accept-Encoding allows gzip: named, or by `*`, and not with weight 0."""
    weights = {}
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        weights[name.strip()] = weight.replace(" ", "")
    weight = weights.get("gzip", weights.get("*", "q=0"))
    return re.fullmatch(r"q=0(\.0*)?", weight) is None
