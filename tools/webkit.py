"""A WebKit for the tests: Debian's WebKitGTK with its WebDriver, on a display of its own.

It is the nearest to Safari that Linux has, and has no WebRTC: its pages play through the server alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from tools import debian
from tools.process import Missing

HOW: Final = "install WebKitGTK's driver and a virtual display (Debian: apt-get install webkit2gtk-driver xvfb)"
BROWSERS: Final = ("libexec", "lib", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu")


class WebKit(NamedTuple):
    """The programs that it needs."""

    driver: Path
    browser: Path
    display: Path


def _installed() -> WebKit | None:
    driver, display = shutil.which("WebKitWebDriver"), shutil.which("Xvfb")
    places = [place for root in BROWSERS for place in sorted(Path("/usr", root).glob("webkit2gtk-4.*/MiniBrowser"))]
    if driver is None or display is None or not places:
        return None
    return WebKit(Path(driver), places[-1], Path(display))


def find() -> WebKit | None:
    """It, installed if need be and possible."""
    found = _installed()
    if found is None and debian.install("webkit2gtk-driver") and debian.install("xvfb"):
        found = _installed()
    return found


def ensure() -> WebKit:
    """The same, or `Missing`."""
    if (found := find()) is None:
        raise Missing(f"no WebKit: {HOW}")
    return found


def version(webkit: WebKit) -> str:
    """What it says of itself, as in `WebKitGTK 2.50`."""
    with display(webkit) as on, contextlib.closing(Page(_driver(webkit, on))) as page:
        return f"WebKitGTK {page.version}"


@contextlib.contextmanager
def display(webkit: WebKit) -> Iterator[str]:
    """A virtual display of 1280 × 900; its name, as in `:99`."""
    ours, its = os.pipe()
    words = [str(webkit.display), "-displayfd", str(its), "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
    process = subprocess.Popen(words, pass_fds=[its], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(its)
    try:
        with open(ours, encoding="ascii") as said:
            # Of a display that ends without a word this is empty, and the browser says that it has none.
            yield f":{said.readline().strip()}"
    finally:
        process.terminate()
        process.wait(10)


def _driver(webkit: WebKit, on: str) -> Any:
    """A selenium driver of a browser with one page, of its own profile."""
    from selenium import webdriver
    from selenium.webdriver.webkitgtk.options import Options
    from selenium.webdriver.webkitgtk.service import Service

    options = Options()
    options.binary_location = str(webkit.browser)
    options.add_argument("--automation")
    # A script has to be there before Python is, which takes seconds; a page's pictures and packages may take longer.
    options.page_load_strategy = "eager"
    service = Service(str(webkit.driver), env={**os.environ, "DISPLAY": on, "WEBKIT_DISABLE_COMPOSITING_MODE": "1"})
    driver = webdriver.WebKitGTK(options=options, service=service)
    driver.set_script_timeout(SCRIPT_S)
    return driver


SCRIPT_S: Final = 60.0
"""Seconds until what is asked of a page must be answered."""
LOOK_S: Final = 0.1
"""Seconds between two looks at what a page is waited for."""
ASK: Final = """
const [arg, done] = arguments;
try {
  const asked = (EXPRESSION);
  Promise.resolve(typeof asked === "function" ? asked(arg) : asked)
    .then((value) => done({ value }), (error) => done({ error: String(error) }));
} catch (error) {
  done({ error: String(error) });
}
"""
"""An expression, or a function and its argument."""


class Page:
    """A window of a WebKit, with as much of Playwright's page as a rehearsal uses."""

    def __init__(self, driver: Any, alone: bool = True) -> None:
        self._driver = driver
        self._alone = alone
        """Whether the browser ends with it."""
        self._window = driver.current_window_handle
        self._scripts: list[str] = []
        self._closed = False

    @property
    def version(self) -> str:
        """The browser's, as in `2.50.6`."""
        return str(self._driver.capabilities["browserVersion"])

    @property
    def context(self) -> Page:
        """Where further pages of the same person are opened."""
        return self

    def new_page(self) -> Page:
        """Another window of the same browser."""
        self._here().switch_to.new_window("window")
        return Page(self._driver, alone=False)

    def set_viewport_size(self, size: Mapping[str, int]) -> None:
        """What a page has of the window, which has bars of its own."""
        width, height = size["width"], size["height"]
        self._here().set_window_size(width, height)
        inner = self.evaluate("[innerWidth, innerHeight]")
        self._driver.set_window_size(2 * width - inner[0], 2 * height - inner[1])

    def add_init_script(self, script: str) -> None:
        """To be run in whatever is loaded from now on, right after its document is there and before its game is."""
        self._scripts.append(script)

    def on(self, event: str, tell: Any) -> None:
        """Its driver tells of nothing: an exception in a page shows in what the page says of itself."""

    def goto(self, url: str) -> None:
        self._here().get(url)
        self._prepare()

    def reload(self, **_: Any) -> None:
        """Load it again, as a person does."""
        self._here().refresh()
        self._prepare()

    def click(self, selector: str) -> None:
        self._here().find_element("css selector", selector).click()

    def evaluate(self, expression: str, arg: Any = None) -> Any:
        """What an expression is there, or what a function returns; RuntimeError for what is thrown."""
        found = self._here().execute_async_script(ASK.replace("EXPRESSION", expression), arg)
        if "error" in found:
            raise RuntimeError(found["error"])
        return found.get("value")

    def wait_for_function(self, expression: str, arg: Any = None, timeout: float = 30_000.0) -> None:
        """Until it is true; TimeoutError after so many milliseconds."""
        until = time.monotonic() + timeout / 1000
        while not self.evaluate(expression, arg):
            if time.monotonic() > until:
                raise TimeoutError(f"{timeout:g} ms went by before {expression}")
            time.sleep(LOOK_S)

    def wait_for_timeout(self, timeout: float) -> None:
        """So many milliseconds."""
        time.sleep(timeout / 1000)

    def screenshot(self, path: str) -> None:
        self._here().save_screenshot(path)

    def close(self) -> None:
        """The window, and the browser if it was its first one; twice is once."""
        if self._closed:
            return
        self._closed = True
        if self._alone:
            self._driver.quit()
        else:
            self._here().close()

    def _here(self) -> Any:
        """The driver, speaking to this window."""
        self._driver.switch_to.window(self._window)
        return self._driver

    def _prepare(self) -> None:
        for script in self._scripts:
            self._driver.execute_script(script)


class Pages:
    """Pages of WebKits, each of a browser of its own: their driver knows no contexts."""

    def __init__(self, webkit: WebKit, on: str, until: contextlib.ExitStack) -> None:
        self._webkit = webkit
        self._display = on
        self._until = until

    def page(self, engine: str) -> Page:
        """A new page, which is another person's."""
        page = Page(_driver(self._webkit, self._display))
        self._until.callback(page.close)
        return page


@contextlib.contextmanager
def pages(webkit: WebKit) -> Iterator[Pages]:
    """For a rehearsal with `browsers=("webkit",)`."""
    with contextlib.ExitStack() as until:
        yield Pages(webkit, until.enter_context(display(webkit)), until)
