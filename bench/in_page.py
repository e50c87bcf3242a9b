"""What is measured beside the site's own modules, in a Chromium: `page.js`, served by a plain server of files."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools import chromium, site
from tools.paths import SITE

SCRIPT = Path(__file__).with_name("page.js")


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder on a loopback address, for as long as it is needed."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()


def measured(playwright: Any, what: str) -> Any:
    """What a function of `page.js` finds, `what` being its name."""
    site.build()
    with served(SITE) as url:
        browser = playwright.chromium.launch(executable_path=str(chromium.ensure(None)))
        try:
            page = browser.new_page()
            script = SCRIPT.read_text("utf-8")
            page.route("**/bench.html", lambda r: r.fulfill(body="<!doctype html>", content_type="text/html"))
            page.route("**/bench-page.js", lambda r: r.fulfill(body=script, content_type="text/javascript"))
            page.goto(f"{url}bench.html")
            return page.evaluate("(what) => import('./bench-page.js').then((bench) => bench[what]())", what)
        finally:
            browser.close()
