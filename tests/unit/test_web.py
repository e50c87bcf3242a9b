"""The folders of web/: what every page needs, our demo page, the replay's page that draws with the demo's renderer, and
what goes into the interactive_gym page.

Nothing of one page is in another's download, so the two pages import the core and never each other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from pycore.install import modules
from pycore.site import pages
from tools import handed

WEB = Path(__file__).resolve().parents[2] / "web"
MAY_IMPORT = {
    "core": {"core"}, "demo": {"demo", "core"}, "interactive_gym": {"interactive_gym", "core"},
    "watch": {"watch", "demo", "core"}, "replay": {"replay", "demo"}, "report": {"report"},
}  # fmt: skip
ABOVE = {"demo": {"vendor"}, "interactive_gym": {"the page"}}
"""What lies beside the folders where they are served: libraries, and the modules of the host page."""


def sources(web: Path = WEB) -> dict[str, str]:
    return {f"{path.parent.name}/{path.name}": path.read_text("utf-8") for path in sorted(web.glob("*/*.js"))}


def resolved(name: str, specifier: str) -> str:
    """The path below web/ that a module's import names; `the page` where it leads out of it."""
    parts: list[str] = []
    for part in (PurePosixPath(name).parent / specifier).parts:
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            return "the page"
    return "/".join(parts)


def violations(found: Mapping[str, str]) -> list[str]:
    """Imports of modules that another page's folder has, or nobody."""
    wrong = []
    for name, source in found.items():
        folder = name.partition("/")[0]
        for specifier in (each for kind in modules.imports(source) for each in kind):
            target = resolved(name, specifier)
            if target.partition("/")[0] in ABOVE.get(folder, ()):
                continue
            if target.partition("/")[0] not in MAY_IMPORT[folder]:
                wrong.append(f"{name} imports {target}")
            elif target not in found:
                wrong.append(f"{name} imports {target}, which is not there")
    return wrong


def test_each_page_imports_the_core_and_nothing_of_the_other() -> None:
    found = sources()
    assert {name.partition("/")[0] for name in found} == set(MAY_IMPORT)
    assert violations(found) == []


@pytest.mark.parametrize(
    ("name", "source", "complaint"),
    [
        ("core/a.js", "import { b } from '../demo/b.js';", "core/a.js imports demo/b.js"),
        ("core/a.js", "export * from '../interactive_gym/b.js';", "core/a.js imports interactive_gym/b.js"),
        ("demo/a.js", "await import('../interactive_gym/b.js')", "demo/a.js imports interactive_gym/b.js"),
        ("interactive_gym/a.js", "import '../demo/b.js';", "interactive_gym/a.js imports demo/b.js"),
        ("demo/a.js", "import '../../pyodide_remote_game.js';", "demo/a.js imports the page"),
        ("demo/a.js", "import './gone.js';", "demo/a.js imports demo/gone.js, which is not there"),
    ],
)
def test_an_import_across_is_reported(name: str, source: str, complaint: str) -> None:
    there = {"demo/b.js": "", "interactive_gym/b.js": "", "core/b.js": ""}
    assert violations({**there, name: source}) == [complaint]


def test_the_demo_site_ships_the_core_and_the_demo_only() -> None:
    names = {name for _, name in pages.shims(WEB)}
    assert {PurePosixPath(name).parts[0] for name in names} == {"core", "demo", "watch"}
    assert {f"demo/{path.name}" for path in (WEB / "demo").iterdir()} - {pages.FRONT} <= names


def test_the_host_page_gets_the_core_and_its_own_part_only() -> None:
    found = modules.collect(WEB)
    assert {name.partition("/")[0] for name in found.files} == {"core", "interactive_gym"}
    assert found.host == {"pyodide_remote_game.js", "phaser_gym_graphics.js", "ui_utils.js"}
    guide = (WEB.parent / "docs/interactive-gym.md").read_text("utf-8")
    assert f"  modules   {len(found.files)} files in pycore/\n" in guide


def test_the_front_page_names_files_that_the_site_has() -> None:

    names = {name for _, name in pages.shims(WEB)}
    text = (WEB / "demo/index.html").read_text("utf-8")
    asked = [name for name in re.findall(r'(?:href|src)="([^"]+)"', text) if not name.startswith("data:")]
    assert len(asked) == 3
    assert set(asked) <= names


def test_the_shims_have_what_python_hands_them() -> None:
    """Otherwise: `python -m tools.handed`."""
    for name, text in handed.texts().items():
        assert (WEB / name).read_text("utf-8") == text, f"web/{name} lags behind; run `python -m tools.handed`"


def test_the_shims_keep_no_time_and_no_list_of_their_own() -> None:
    """How long to wait, how often to try, what is worthless later: a constant that says so is Python's to make."""
    constant = re.compile(r"^const ([A-Z][A-Z_]+) = (?:Object\.freeze\()?(?:[\d_.]+;|\[[^\]]*\])", re.MULTILINE)
    found = {
        f"{name}:{word}" for name, source in sources().items() if not name.endswith("handed.js")
        for word in constant.findall(source)
    }  # fmt: skip
    assert found == LAYOUT


LAYOUT = {
    "core/bridge.js:RECORD_IN", "core/bridge.js:RECORD_OUT", "core/bridge.js:OUTBOX_HEADER",
    "demo/canvas.js:LINE", "demo/picture.js:JUMP", "demo/hud.js:STALL_SHOWN_AFTER",
    "demo/hud.js:CHANGE_SHOWN_FOR", "demo/hud.js:MANY",
    "interactive_gym/overlay.js:LIGHT", "interactive_gym/game.js:STARTED", "interactive_gym/game.js:OVER",
}  # fmt: skip
"""Constants that describe bytes, pictures and phases instead of deciding."""


HTTPS_ALONE = re.compile(
    r"(?:crypto\.(?:randomUUID|subtle)|navigator\.(?:clipboard|wakeLock|serviceWorker|storage|locks|mediaDevices|share|"
    r"geolocation|bluetooth|hid|serial|usb|gpu|credentials|keyboard|permissions)|\bSharedArrayBuffer|\bcaches\b|"
    r"\bcookieStore\b|\bPaymentRequest\b|\bPushManager\b|new (?:Notification|Accelerometer|Gyroscope))(?!\?\.| \?\?)"
)
"""What is undefined on a page that came by plain http from another host. Behind `?.` or `??` it is done without."""


def test_no_page_needs_what_browsers_keep_for_https() -> None:
    """Two laptops in a laboratory meet by plain http: a page that asks for it there stays blank, with a TypeError."""
    files = [
        *(path for path in sorted(WEB.glob("*/*")) if path.suffix in (".js", ".html")),
        *sorted((WEB.parent / "pycore" / "site" / "template").glob("*.html")),
    ]
    assert {"app.js", "socket.js", "index.html", "page.html"} <= {path.name for path in files}
    for path in files:
        code = re.sub(r"^\s*(?://|\*|/\*).*$", "", path.read_text("utf-8"), flags=re.MULTILINE)
        assert HTTPS_ALONE.findall(code) == [], path
    asked = ["crypto.randomUUID()", "await crypto.subtle.digest()", "navigator.wakeLock.request()", "SharedArrayBuffer"]
    assert [bool(HTTPS_ALONE.search(each)) for each in asked] == [True] * 4
    spared = ["navigator.wakeLock?.request()", "crypto.getRandomValues(ids)", "crypto.randomUUID?.() ?? other()"]
    assert not any(HTTPS_ALONE.search(each) for each in spared)
