"""The real interactive_gym page for tests and benchmarks: its server as a child process, and its public addresses.

The page is the one of `multi-user-gymnasium`, from the package index, unmodified. Three things stand between it and a
machine without a network, and they are all here: the server asks two public addresses when it starts, the page loads
its libraries from public networks, and the page's own module needs numpy. `python -m tools.hostpage STUDY` runs a
study's file as its author would, with the first of them answered.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import functools
import hashlib
import http.server
import importlib.util
import json
import mimetypes
import os
import re
import runpy
import shutil
import sys
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pycore.install.halves import half_of
from tools import distributions, node
from tools.paths import BUILD, NODE_MODULES, PYODIDES, ROOT
from tools.process import Failed, Missing
from tools.server import ChildServer

PACKAGE = "mug"
DISTRIBUTION = "multi_user_gymnasium"

PYODIDE = next(pyodide for pyodide in PYODIDES if pyodide.version == "0.26.2")
PYODIDE_ADDRESS = f"https://cdn.jsdelivr.net/pyodide/v{PYODIDE.version}/full/"
LIBRARIES = {
    "https://ajax.googleapis.com/ajax/libs/jquery/3.7.1/jquery.min.js": "jquery/dist/jquery.min.js",
    "https://cdnjs.cloudflare.com/ajax/libs/phaser/3.80.1/phaser.min.js": "phaser/dist/phaser.min.js",
    "https://cdnjs.cloudflare.com/ajax/libs/socket.io/4.7.2/socket.io.js": "socket.io-client-4.7.2/dist/socket.io.js",
    "https://cdnjs.cloudflare.com/ajax/libs/onnxruntime-web/1.10.0/ort.min.js": "onnxruntime-web/dist/ort.min.js",
    # It looks for its WebAssembly beside itself, when a model is loaded.
    "https://cdnjs.cloudflare.com/ajax/libs/onnxruntime-web/1.10.0/ort-wasm-simd.wasm":
        "onnxruntime-web/dist/ort-wasm-simd.wasm",
    # The public network minifies this file itself; the package has the same one minified elsewhere.
    "https://cdn.jsdelivr.net/npm/ua-parser-js@1.0.38/src/ua-parser.min.js": "ua-parser-js/dist/ua-parser.min.js",
}
"""What templates/index.html loads, and the file of the npm package of the same version."""

FONTS = ("https://fonts.googleapis.com/", "https://fonts.gstatic.com/")
PUBLIC = re.compile(r"^(?:https?|wss?)://(?!127\.0\.0\.1[:/]|localhost[:/])")
CHROMIUM_ARGUMENTS = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.local",
    "--disable-3d-apis",
)
"""No name is looked up, not even a STUN server's; `.local` is how browsers hide host candidates from each other.
And no WebGL: a machine without a graphics card draws it so slowly that a tick takes 280 ms instead of 43. Phaser then
takes the plain canvas."""


def installed_package() -> Path:
    """The folder of the installed package; it must be as its authors released it."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise Missing(f"multi-user-gymnasium is not installed in {sys.prefix}; run: python3 build.py env")
    folder = Path(spec.submodule_search_locations[0])
    changed = modified(folder)
    if changed:
        raise Failed(f"{folder} is not as it was released: {', '.join(changed[:5])}; install it anew")
    return folder


def records(folder: Path) -> Path:
    """The folder with the installed package's version and list of files."""
    found = sorted(folder.parent.glob(f"{DISTRIBUTION}-*.dist-info"))
    if len(found) != 1:
        raise Failed(f"beside {folder} there is not one {DISTRIBUTION}-….dist-info but {len(found)}")
    return found[0]


def modified(folder: Path) -> list[str]:
    """The files of the package that differ from its own list of files, or are not in it."""
    with (records(folder) / "RECORD").open(encoding="utf-8", newline="") as file:
        listed = {
            row[0]: row[1].removeprefix("sha256=") for row in csv.reader(file) if row[0].startswith(f"{PACKAGE}/")
        }
    present = {
        path.relative_to(folder.parent).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    wrong = sorted(name for name in listed.keys() | present.keys() if "__pycache__" not in name and (
        name not in listed or name not in present or digest(present[name]) != listed[name]
    ))  # fmt: skip
    return wrong


def digest(path: Path) -> str:
    """A file's hash as wheels write it."""
    return base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()


def copy_package(target: Path) -> Path:
    """Copy the installed, unmodified package into a folder; with that folder on PYTHONPATH it is the one imported.

    Returns the copy's folder, `target/mug`. What belongs to the installation (its version) is copied too.
    """
    source = installed_package()
    target.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(records(source), target / records(source).name)
    return target / PACKAGE


class Server(ChildServer):
    """A study's server on this machine: `with Server(study, folder) as server: server.url`.

    `study` is the file that its author would run; it is given `--port` and, with `settings`, `--settings FILE`.
    `folder` is where it runs, so `folder/data` is where its data comes; `package` is a copied package to run from.
    """

    START_TIMEOUT = 60.0  # it takes three, of which pandas is one

    def __init__(
        self, study: Path, folder: Path, settings: Mapping[str, Any] | None = None, package: Path | None = None
    ) -> None:
        super().__init__(study.name, folder)
        self.study = study.resolve()
        self.data = self.folder / "data"
        self.settings = settings
        self.package = package or installed_package()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def command(self) -> list[str]:
        """The study, with its port and its settings."""
        command = [sys.executable, "-m", "tools.hostpage", str(self.study), "--port", str(self.port)]
        if self.settings is None:
            return command
        file = self.folder / "settings.json"
        file.write_text(json.dumps(self.settings), encoding="utf-8")
        return [*command, "--settings", str(file)]

    def environment(self) -> Mapping[str, str]:
        """This process's, with the package in front, and no TURN settings of whoever runs this."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith("TURN_")}
        variables["PYTHONPATH"] = os.pathsep.join([str(self.package.parent.resolve()), str(ROOT)])
        return variables

    def answers(self) -> bool:
        """By the one address that answers without beginning a participant's session, with a 404."""
        try:
            urllib.request.urlopen(f"{self.url}robots.txt", timeout=2)
        except urllib.error.HTTPError:
            return True
        except OSError:
            pass
        return False


class Files(http.server.ThreadingHTTPServer):
    """Serves single files to the browser, from a thread. Playwright's own answers take seconds for Pyodide's 14 MB."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), FilesHandler)
        self.paths: dict[str, Path] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def address(self, path: Path) -> str:
        """Where the browser finds a file."""
        name = f"/{path.parent.name}/{path.name}"
        self.paths[name] = path
        return f"http://127.0.0.1:{self.server_address[1]}{name}"

    @staticmethod
    @functools.cache
    def of_this_process() -> Files:
        return Files()


class FilesHandler(http.server.BaseHTTPRequestHandler):
    """One request for a file."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, Files)
        path = self.server.paths.get(self.path)
        content = path.read_bytes() if path else b""
        self.send_response(200 if path else 404)
        self.send_header("Content-Type", kind_of(path) if path else "text/plain")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        with contextlib.suppress(OSError):  # the page may be gone by now
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Addresses:
    """Which public addresses a browser context asked for: those that were answered, and those that were refused."""

    def __init__(self) -> None:
        self.answered: list[str] = []
        self.refused: list[str] = []


def answer_cdn(context: Any, numpy: bool = False) -> Addresses:
    """Answer a Playwright context's public addresses from files on this machine; refuse and record all others.

    With `numpy`, the Pyodide that the page loads has a package of that name: the stand-in.
    """
    node.ensure_packages()
    folder = distribution(numpy)
    files = Files.of_this_process()
    found = Addresses()

    def answer(route: Any, request: Any) -> None:
        address = request.url.partition("?")[0]
        path = None
        if address in LIBRARIES:
            path = NODE_MODULES / LIBRARIES[address]
        elif address.startswith(PYODIDE_ADDRESS):
            path = folder / address.removeprefix(PYODIDE_ADDRESS)
        headers = {"Access-Control-Allow-Origin": "*"}
        if path is not None and path.is_file():
            found.answered.append(request.url)
            if path.name == "pyodide.js":  # it looks for its other files beside itself, so it must seem to be there
                route.fulfill(status=200, headers={**headers, "Content-Type": kind_of(path)}, path=path)
            else:
                route.fulfill(status=302, headers={**headers, "Location": files.address(path)})
        elif address.startswith(FONTS):
            found.answered.append(request.url)
            route.fulfill(status=200, headers={**headers, "Content-Type": "text/css"}, body="")
        else:
            found.refused.append(request.url)
            route.abort("internetdisconnected")

    def watch(page: Any) -> None:
        page.on("websocket", lambda socket: found.refused.append(socket.url) if PUBLIC.match(socket.url) else None)

    context.route(PUBLIC, answer)
    context.on("page", watch)
    return found


def kind_of(path: Path) -> str:
    """A file's content type; browsers compile WebAssembly while it loads only if it is called so."""
    known = {
        ".wasm": "application/wasm",
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".whl": "application/zip",
    }
    return known.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def distribution(numpy: bool = False) -> Path:
    """The Pyodide that the page loads; with `numpy`, a second one that has the stand-in as a package."""
    plain = distributions.ensure(PYODIDE)
    if not numpy:
        return plain
    source = (ROOT / "tools" / "numpy_standin.py").read_bytes()
    stamp = hashlib.sha256(source + (plain / "stamp").read_bytes() + Path(__file__).read_bytes()).hexdigest()[:16]
    folder = BUILD / "hostpage" / f"pyodide-{PYODIDE.version}-{stamp}"
    if folder.is_dir():
        return folder
    half = half_of(folder)
    half.mkdir(parents=True)
    for file in plain.iterdir():
        distributions.place(file, half / file.name)
    wheel = standin_wheel(half, source)
    lock = json.loads((plain / "pyodide-lock.json").read_text("utf-8"))
    lock["packages"].update(distributions.locked(PYODIDE, [wheel], half))
    (half / "pyodide-lock.json").unlink()  # a link to the plain distribution's
    (half / "pyodide-lock.json").write_text(json.dumps(lock), "utf-8")
    try:
        half.rename(folder)
    except OSError:  # another process was faster
        shutil.rmtree(half)
    return folder


def standin_wheel(folder: Path, source: bytes) -> Path:
    """The stand-in for numpy as a wheel."""
    path = folder / "numpy-0-py3-none-any.whl"
    info = "numpy-0.dist-info"
    files = {
        "numpy/__init__.py": source,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: numpy\nVersion: 0\nSummary: a stand-in for tests\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: pycore\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in files.items():
            wheel.writestr(zipfile.ZipInfo(name), content)
        wheel.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]))
    return path


def run_study(study: str, arguments: list[str]) -> None:
    """Run a study's file in this process, with the lookup of the machine's public address answered at once: no."""

    def no_network(*_: object, **__: object) -> None:
        raise OSError("no public network")

    urllib.request.urlopen = no_network
    sys.argv = [study, *arguments]
    with contextlib.suppress(KeyboardInterrupt):
        runpy.run_path(study, run_name="__main__")


if __name__ == "__main__":
    run_study(sys.argv[1], sys.argv[2:])
