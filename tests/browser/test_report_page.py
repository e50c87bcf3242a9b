"""The page of a report, in a browser: it draws its curves, in both schemes and on paper, and asks for nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from test_experienced_tables import study
from test_report import EVIL

from pycore.cli import cli

pytestmark = pytest.mark.browser

INK = """canvas => {
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const found = {};
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] === 255) {
      const colour = `${data[at]},${data[at + 1]},${data[at + 2]}`;
      found[colour] = (found[colour] ?? 0) + 1;
    }
  }
  return found;
}"""
"""How many pixels of a chart have which colour, where they are opaque."""
LIGHT = {"first": "36,104,180", "second": "200,85,27"}
DARK = {"first": "111,171,236", "second": "240,147,92"}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of a game of two."""
    folder = tmp_path_factory.mktemp("report")
    words = ["report", str(study(folder)), "-o", str(folder / "report.html"), "--title", EVIL]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    return folder / "report.html"


@pytest.fixture
def opened(chromium: Any, report: Path) -> Iterator[Any]:
    """opened(**options) opens the report; whatever it asks for beside itself, or complains of, is an error."""
    said: list[str] = []
    contexts = []

    def open_(address: str = "", **options: Any) -> Any:
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: "readback" in message.text or said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda of: of.url.startswith(("file:", "data:")) or said.append(of.url))
        page.goto(report.as_uri() + address)
        page.locator(".chart canvas").first.wait_for()
        return page

    yield open_
    assert said == []
    for context in contexts:
        context.close()


def ink(page: Any, number: int = 0) -> dict[str, int]:
    """The colours of a chart, once what was asked for is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator(".chart canvas").nth(number).evaluate(INK)  # type: ignore[no-any-return]


def test_every_curve_is_drawn_in_the_colours_of_the_scheme(opened: Any) -> None:
    """Round trips and jitter of both players; and again when the scheme changes."""
    page = opened()
    titles = page.locator(".chart h4").all_inner_texts()
    assert titles[0] == "Round trip and jitter, ms"
    assert page.locator(".chart canvas").count() == len(titles) >= 10
    light = ink(page)
    assert min(light.get(colour, 0) for colour in LIGHT.values()) > 50
    page.emulate_media(color_scheme="dark")
    dark = ink(page)
    assert min(dark.get(colour, 0) for colour in DARK.values()) > 50
    assert not set(LIGHT.values()) & set(dark)


def test_names_of_the_data_are_texts_in_the_page(opened: Any) -> None:
    """And no script of theirs ran."""
    page = opened()
    assert page.inner_text("h1") == page.title() == EVIL
    assert page.locator("#evil").count() == 0


def test_what_is_printed_is_light_and_fits_on_paper(opened: Any) -> None:
    """Also from a dark page; afterwards it is dark again."""
    page = opened(color_scheme="dark")
    page.emulate_media(media="print")
    printed = ink(page)
    assert min(printed.get(colour, 0) for colour in LIGHT.values()) > 50
    assert page.locator(".chart canvas").first.bounding_box()["width"] <= 340
    page.emulate_media(media="screen")
    assert min(ink(page).get(colour, 0) for colour in DARK.values()) > 50
    data = page.pdf(format="A4", print_background=True)
    assert data.startswith(b"%PDF")
    assert min(ink(page).get(colour, 0) for colour in DARK.values()) > 50


def test_a_narrow_page_does_not_scroll_sideways(opened: Any) -> None:
    """Tables scroll inside of themselves, and curves become as narrow as the page."""
    page = opened(viewport={"width": 1200, "height": 800})
    page.set_viewport_size({"width": 380, "height": 800})
    page.wait_for_timeout(100)
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    assert 150 < page.locator(".chart canvas").first.bounding_box()["width"] <= 380


def test_a_game_that_is_closed_has_its_curves_when_it_is_opened(opened: Any) -> None:
    """By hand, or by the link of its row."""
    page = opened()
    count = page.locator(".chart canvas").count()
    page.evaluate("document.querySelector('details').open = false")
    page.reload()
    page.locator("details summary").click()
    assert page.locator(".chart canvas").first.is_hidden()
    page.click("#sessions a >> nth=0")
    page.locator(".chart canvas").first.wait_for()
    assert page.locator(".chart canvas").count() == count
