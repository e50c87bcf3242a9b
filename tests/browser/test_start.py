"""How a page begins: what crosses the line at a first visit, and at one after it."""

import json
from pathlib import Path

import pytest

from pycore.relay.static.compressed import compress

pytestmark = [pytest.mark.browser]


def visit(context, url):
    """What came over the line until the page could begin: bytes by the last part of the address."""
    page = context.new_page()
    tools = context.new_cdp_session(page)
    names, sizes = {}, {}
    tools.on("Network.responseReceived", lambda event: names.update({event["requestId"]: event["response"]["url"]}))
    tools.on(
        "Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]})
    )
    tools.send("Network.enable")
    page.goto(url)
    page.wait_for_function("window.pycoreStatus?.phase === 'start'", timeout=60_000)
    found = {names[each].rpartition("/")[2]: size for each, size in sizes.items() if each in names}
    page.close()
    return found


def core_size(site):
    """Bytes of Python as it is."""
    return (site / "pyodide" / "pyodide.asm.wasm").stat().st_size


def test_python_comes_once_and_whoever_comes_again_has_it(start_relay, chromium, core_site):
    """Pyodide and the core are asked for by the hash of what is in them, and what is kept by it is not asked for.

    Chromium keeps no file of 10 MB for a visitor without a profile, so it is compressed here as in every site.
    """
    compress(core_site)
    relay = start_relay(core=True, max_steps=30)
    context = chromium.new_context()
    try:
        first, again = visit(context, relay.url), visit(context, relay.url)
        wheel = Path(json.loads((core_site / "manifest.json").read_text())["compiled_wheel"]).name
        large = {"pyodide.asm.wasm", "python_stdlib.zip", wheel}
        assert large <= set(first)
        assert 3_000_000 < first["pyodide.asm.wasm"] < 4_000_000 < core_size(core_site)
        assert sum(again.get(name, 0) for name in large) == 0
        # The page's own files are asked for, and are as they were.
        assert 0 < sum(again.values()) < 20_000
    finally:
        context.close()


def test_each_file_may_fail_to_come_once_and_the_page_begins_all_the_same(start_relay, open_page):
    """Also those that Pyodide and the browser ask for by themselves, which have no patience of their own."""
    relay = start_relay(core=True, max_steps=30)
    page = open_page("about:blank")
    failed = set()

    def once(route):
        name = route.request.url.partition("?")[0].rpartition("/")[2]
        if name in failed:
            route.continue_()
        else:
            failed.add(name)
            route.abort()

    for name in ("pyodide/**", "vendor/socket.io*", "manifest.json"):
        page.route(f"**/{name}", once)
    page.goto(relay.url)
    page.wait_for_function("window.pycoreStatus?.phase === 'start'", timeout=60_000)
    assert {"socket.io.esm.min.js", "pyodide.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "manifest.json"} < failed
    assert any(name.startswith("pyodide.asm.") and name.endswith("js") for name in failed)
