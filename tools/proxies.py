"""nginx and HAProxy in front of a server, with the files of `deploy/`, for tests: Debian's, on loopback.

    with Nginx(folder, port) as proxy:     # of the server behind it
        proxy.url                          # https, with a certificate of its own
        proxy.plain                        # http, which sends one there

The files are used as they are, but for what is another thing on every machine: addresses, ports and certificates. What
is to be replaced and is not there any more is an error, so that what is tested is what is delivered.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
from pathlib import Path

from pycore.rehearsal.serving import free_port
from tools import debian
from tools.paths import ROOT
from tools.process import Failed, Missing, run
from tools.server import ChildServer

DEPLOY = ROOT / "deploy"
ELSEWHERE = ("/usr/sbin", "/usr/local/sbin")
"""Where servers lie, and the PATH of whoever is not root does not lead."""


def find(name: str) -> str | None:
    """A program, installed if need be and possible."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *ELSEWHERE])
    found = shutil.which(name, path=path)
    if found is None and debian.install(name):
        found = shutil.which(name, path=path)
    return found


def ensure(name: str) -> str:
    """The same, or `Missing`."""
    if (program := find(name)) is None:
        raise Missing(f"no {name}; install it")
    return program


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine, valid for a day, and its key."""
    chain, key = folder / "fullchain.pem", folder / "privkey.pem"
    run([
        ensure("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
        "-keyout", str(key), "-out", str(chain),
    ])  # fmt: skip
    return chain, key


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """A file with these in the place of those, every time. Raises `Failed` for what is not there."""
    for old, new in pairs:
        if old not in text:
            raise Failed(f"the file has no {old!r} any more, which its test puts {new!r} in the place of")
        text = text.replace(old, new)
    return text


class Proxy(ChildServer):
    """One of them. Raises `Missing` where there is none to be had."""

    START_TIMEOUT = 10.0
    FILE = ""

    def __init__(self, name: str, folder: Path, *behind: int) -> None:
        """`behind`: ports of servers of this machine."""
        super().__init__(name, folder)
        self.behind = behind
        self._plain = 0

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"https://127.0.0.1:{self.port}/"

    @property
    def plain(self) -> str:
        """Where it is reached without TLS."""
        return f"http://127.0.0.1:{self._plain}/"

    def command(self) -> list[str]:
        """Its command line, once its files are written."""
        program = ensure(self.name)
        self._plain = self._plain or free_port()
        self.write()
        return [program, *self.words()]

    def write(self) -> None:
        """Its files, for `port`."""
        raise NotImplementedError

    def words(self) -> list[str]:
        """Of the command line, behind the program."""
        raise NotImplementedError

    def configured(self) -> str:
        """The file that is delivered, without the addresses that a machine may not have."""
        text = (DEPLOY / self.FILE).read_text("utf-8")
        return re.sub(r"(?m)^.*\[::\].*\n", "", text)

    def answers(self) -> bool:
        """Whether it takes connections."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


class Nginx(Proxy):
    """nginx, with `deploy/nginx.conf`."""

    FILE = "nginx.conf"

    def __init__(self, folder: Path, *behind: int) -> None:
        super().__init__("nginx", folder, *behind)

    def write(self) -> None:
        """The study's file, and around it what every nginx has."""
        chain, key = certificate(self.folder)
        servers = "\n    ".join(f"server 127.0.0.1:{port};" for port in self.behind)
        study = replaced(
            self.configured(), ("listen 80;", f"listen 127.0.0.1:{self._plain};"),
            ("listen 443 ssl;", f"listen 127.0.0.1:{self.port} ssl;"), ("server 127.0.0.1:8000;", servers),
            ("/etc/letsencrypt/live/study.example.org/fullchain.pem", str(chain)),
            ("/etc/letsencrypt/live/study.example.org/privkey.pem", str(key)), ("study.example.org", "127.0.0.1"),
        )  # fmt: skip
        (self.folder / "pycore.conf").write_text(study, "utf-8")
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        folders = "\n".join(f"    {kind}_temp_path {self.folder / kind};" for kind in kinds)
        user = "user root;\n" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
        (self.folder / "nginx.conf").write_text(
            f"{user}daemon off;\nmaster_process off;\nerror_log stderr notice;\npid {self.folder / 'nginx.pid'};\n"
            "events { worker_connections 512; }\n"
            f"http {{\n{folders}\n    include {self.folder / 'pycore.conf'};\n}}\n",
            "utf-8",
        )

    def words(self) -> list[str]:
        """In the foreground."""
        return ["-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", "stderr"]


class Haproxy(Proxy):
    """HAProxy, with `deploy/haproxy.cfg`."""

    FILE = "haproxy.cfg"

    def __init__(self, folder: Path, *behind: int) -> None:
        super().__init__("haproxy", folder, *behind)

    def write(self) -> None:
        """The file, and the certificate with its key."""
        chain, key = certificate(self.folder)
        both = self.folder / "study.pem"
        both.write_bytes(chain.read_bytes() + key.read_bytes())
        servers = "\n".join(
            f"    server s{number} 127.0.0.1:{port} check inter 1s fall 3" for number, port in enumerate(self.behind)
        )
        text = replaced(
            self.configured(), ("bind :80\n", f"bind 127.0.0.1:{self._plain}\n"),
            ("bind :443 ssl", f"bind 127.0.0.1:{self.port} ssl"), ("/etc/haproxy/certs/study.pem", str(both)),
            ("log /dev/log local0 notice", "log stderr format raw local0 notice"), ("maxconn 12000", "maxconn 500"),
            ("    server one 127.0.0.1:8000 check inter 5s fall 3", servers),
        )  # fmt: skip
        (self.folder / "haproxy.cfg").write_text(text, "utf-8")

    def words(self) -> list[str]:
        """In the foreground."""
        return ["-db", "-f", str(self.folder / "haproxy.cfg")]
