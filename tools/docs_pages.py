"""Pages of the documentation site that lie elsewhere in the repository, and links that lead out of `docs/`.

A hook of mkdocs. README, changes, contributing and security are read where everybody looks for them and are pages of
the site as well; each text exists once. What a guide links to beyond its folder (a source file) is not on the site, so
there the link becomes the file's name.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

from tools.paths import ROOT

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
"""Files at the top, and the pages that are made of them."""

LINK = re.compile(r"(?P<text>\[[^\[\]]*\])\((?P<target>[^)\s]+)\)")


def placed(source: str, target: str) -> str | None:
    """Where a link of the repository leads on the site; None if it leads to what is not there.

    `source` is the file that has the link, `target` what it says, both by the repository's folders.
    """
    if re.match(r"[a-z]+:|#", target):
        return target
    path, mark, anchor = target.partition("#")
    found = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if found in PAGES:
        place = PAGES[found]
    elif found.startswith("docs/"):
        place = found.removeprefix("docs/")
    else:
        return None
    page = PAGES.get(source) or source.removeprefix("docs/")
    return posixpath.relpath(place, posixpath.dirname(page) or ".") + mark + anchor


def linked(text: str, source: str) -> str:
    """A page's text with its links as they are on the site; outside of code blocks."""

    def there(match: re.Match[str]) -> str:
        target = placed(source, match["target"])
        if target is None:
            words = match["text"][1:-1]
            named = posixpath.normpath(posixpath.join(posixpath.dirname(source), match["target"]))
            return words if named in words else f"{words} (`{named}`)"
        return f"{match['text']}({target})"

    parts = re.split(r"(^```.*?^```[ ]*$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if part.startswith("```") else LINK.sub(there, part) for part in parts)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie at the top of the repository."""
    from mkdocs.structure.files import File

    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put links right."""
    sources: dict[str, str] = {place: source for source, place in PAGES.items()}
    uri: Any = page.file.src_uri
    return linked(markdown, sources.get(uri) or f"docs/{uri}")
