"""The documentation as a site: its links lead somewhere, nothing comes from elsewhere, its guides' Python runs."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
from pathlib import Path

import pytest

from tools import docs, docs_pages
from tools.paths import ROOT

pytestmark = pytest.mark.tooling

HOWTO = ROOT / "docs" / "howto"


def blocks_of(guide: Path) -> list[str]:
    """Its Python, block by block."""
    return re.findall(r"^```python\n(.*?)^```", guide.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    ("source", "target", "there"),
    [
        ("README.md", "docs/data.md#checking-it", "data.md#checking-it"),
        ("README.md", "CONTRIBUTING.md", "contributing.md"),
        ("docs/howto/ethics.md", "../data.md", "../data.md"),
        ("docs/adr/0004-hash-exchange.md", "../../README.md", "../index.md"),
        ("docs/data.md", "#as-tables", "#as-tables"),
        ("docs/data.md", "https://example.org/a.md", "https://example.org/a.md"),
        ("docs/environment.md", "../pycore/values/canonical.py", None),
        ("README.md", "LICENSE", None),
    ],
)
def test_a_link_of_the_repository_leads_to_its_page(source: str, target: str, there: str | None) -> None:
    """By the folders of the site; None: it is not on it."""
    assert docs_pages.placed(source, target) == there


def test_what_is_not_on_the_site_is_named_instead_of_linked() -> None:
    """Code blocks stay as they are."""
    text = "See [the form](../pycore/values/canonical.py), [data](data.md).\n```\n[a](../b.py)\n```\n"
    assert docs_pages.linked(text, "docs/environment.md") == (
        "See the form (`pycore/values/canonical.py`), [data](data.md).\n```\n[a](../b.py)\n```\n"
    )


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_asks_nobody_else() -> None:
    """Broken links, pages without a place and missing names are warnings; fonts and scripts lie beside it."""
    assert docs.main(argparse.Namespace(serve=False)) == 0
    pages = list(docs.SITE.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        text = page.read_text("utf-8")
        assert not re.findall(r"<(?:script|img|iframe)[^>]* src=\"?(?:https?:)?//", text), page
        assert not re.findall(r"<link[^>]* rel=\"?stylesheet\"?[^>]* href=\"?https?:", text), page
    assert "audit" in (docs.SITE / "reference" / "command.html").read_text("utf-8")


def needs_a_study(guide: Path) -> bool:
    """Its Python reads the tables of one: test_experienced_tables.py runs it."""
    return any("tables/" in block for block in blocks_of(guide))


RUNS = [path.name for path in sorted(HOWTO.glob("*.md")) if blocks_of(path) and not needs_a_study(path)]


@pytest.mark.parametrize("guide", RUNS)
@pytest.mark.slow
def test_a_guides_python_runs_and_prints_what_its_comments_say(guide: str) -> None:
    """Its blocks follow each other, as a reader types them; a comment behind a `print` is what it prints."""
    scope: dict[str, object] = {"__name__": "guide"}
    for block in blocks_of(HOWTO / guide):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(block, guide, "exec"), scope)
        comments = [line.partition("#")[2] for line in block.splitlines() if re.match(r" *print\(.* {2,}# ", line)]
        printed = out.getvalue().splitlines()
        assert len(printed) == len(comments)
        for line, comment in zip(printed, comments, strict=True):
            assert all(part.strip() in line for part in comment.split("...")), (line, comment)
