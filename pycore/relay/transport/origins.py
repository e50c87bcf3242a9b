"""Which sites' pages may connect: the relay's own, and those that were named.

A browser says in `Origin` whose page asks, and no page can say otherwise. The relay's own site is the one that it is
asked as, by the header `Host` or, behind a proxy, `X-Forwarded-Host`. Whether that proxy speaks https to the
participant does not matter, so a proxy that does not say so (`X-Forwarded-Proto`) shuts nobody out. One that asks by
another name than the participants do shuts everybody out, and the log says what to do about it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from pycore.errors import UsageError

log = logging.getLogger("pycore.relay")

PORTS: Final = {"http": 80, "https": 443}
ANY: Final = "*"
QUIET_S: Final = 60.0
"""Seconds from one line about a site to the next."""
REMEMBERED: Final = 100
"""Sites of which that is remembered: what a stranger makes up fills neither the memory nor the log."""


def read_origin(text: str) -> str:
    """A site as `--origin` names it, as a browser would: scheme, host, and the port where it is not the scheme's own.
    Raises `UsageError`."""
    if text == ANY:
        return text
    found = _parts(text.strip().lower().rstrip("/"))
    if found is None:
        raise UsageError(f"{text!r} is no site: it is named as https://study.example.org, with its port if it has one")
    scheme, host, port = found
    return f"{scheme}://{host}" if port == PORTS[scheme] else f"{scheme}://{host}:{port}"


def is_page(text: str) -> bool:
    """Whether a text may be the address of a page on the web."""
    try:
        split = urlsplit(text)
        split.port  # noqa: B018 - it raises for one that is no number
    except ValueError:
        return False
    return split.scheme in PORTS and bool(split.hostname)


class Origins:
    """Decides on each connection, and says of whom it refuses why. `named` are further sites; `*` is every site."""

    def __init__(self, named: Iterable[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._named = frozenset(map(read_origin, named))
        self._clock = clock
        self._said: dict[str, float] = {}

    def __call__(self, origin: Any, environ: Mapping[str, Any]) -> bool:
        """Whether a page of `origin` may connect. What is no browser names none, and is not asked."""
        if origin is None:
            return True
        site = _parts(str(origin).lower())
        asked_as = [environ.get(name, "") for name in ("HTTP_X_FORWARDED_HOST", "HTTP_HOST")]
        if ANY in self._named or (site is not None and read_origin(str(origin)) in self._named):
            return True
        if site is not None and any(_is_of(site, host.split(",")[0].strip().lower()) for host in asked_as if host):
            return True
        self._say(str(origin)[:100], next((host for host in asked_as if host), "nothing")[:100])
        return False

    def _say(self, origin: str, host: str) -> None:
        now = self._clock()
        if len(self._said) >= REMEMBERED:
            self._said = {site: at for site, at in self._said.items() if now - at < QUIET_S}
        if len(self._said) >= REMEMBERED or now - self._said.get(origin, float("-inf")) < QUIET_S:
            return
        self._said[origin] = now
        log.warning(
            "a page of %r was refused: this server is asked as %r. If that page is the study's and a proxy stands "
            "between, have it pass on the name (nginx: proxy_set_header Host $http_host); if it is another site's, and "
            "may connect, start with --origin and its address",
            origin, host,
        )  # fmt: skip


def _is_of(site: tuple[str, str, int], host: str) -> bool:
    """Whether a page of the site would ask for this host."""
    scheme, name, port = site
    asked = _parts(f"{scheme}://{host}")
    return asked is not None and asked[1:] == (name, port)


def _parts(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin; None: it is none."""
    try:
        split = urlsplit(origin)
        port = split.port
    except ValueError:
        return None
    if split.scheme not in PORTS or not split.hostname or split.path or split.query or split.fragment or "@" in origin:
        return None
    host = f"[{split.hostname}]" if ":" in split.hostname else split.hostname
    return split.scheme, host, PORTS[split.scheme] if port is None else port
