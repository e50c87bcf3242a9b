"""What of a site folder anybody may have, and what lies there and is nobody's."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from relay_support import Relay, running

from pycore.relay.static.served import Served

ROOT = Path(__file__).resolve().parents[3]

PUBLIC = (
    "index.html", "demo/app.js", "picture.PNG", "sound/hit.ogg", "manifest.json", "game/game.py", "game/level.json",
    "game/policy.mjs", "wheels/core.whl", "packages/numpy.whl", "pyodide/lock.json", "assets/levels.json",
)  # fmt: skip
"""Files that a page needs, by the manifest below or by their kind."""
PRIVATE = (
    "pycore.db", "pycore.db-wal", "pycore.db-shm", "study.sqlite", "pycore.db.before-0004", "assets/pycore.db",
    "assets/old.sqlite3-journal", ".env", ".git/config", ".well-known/x.html", "assets/.env", "pyodide/.npmrc",
    "study.json", "settings.json", "environment.py", "__pycache__/environment.cpython-312.pyc", "game/__pycache__/x.js",
    "game/notes.py", "data/1/game.json", "data/1/metrics-0.json", "data/1/trajectory-0.jsonl", "participants.csv",
    "subjects.txt", "key.pem", "secret", "wheels/private.whl", "README.md", "pyproject.toml", "backup.zip",
)  # fmt: skip
"""Files of a study that lie in its folder."""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A study's folder that is also its site."""
    folder = tmp_path / "study"
    for name in (*PUBLIC, *PRIVATE):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"this is {name}")
    manifest = {
        "pyodide": {"url": "pyodide/"}, "wheel": "wheels/core.whl", "packages": ["micropip", "packages/numpy.whl"],
        "game": "game/game.py", "files": ["game/level.json"], "page_policies": {"1": "game/policy.mjs"},
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.slow
def test_only_what_a_page_needs_is_served(tmp_path: Path, site: Path) -> None:
    """Of everything in a study's folder, whatever way it is asked for."""

    async def go(relay: Relay) -> None:
        for name in PUBLIC:
            status, _, body = await relay.http(f"/{name}")
            assert status == 200, name
            assert name == "manifest.json" or body == f"this is {name}".encode()
        for name in PRIVATE:
            for path in (name, f"{name}/", f"%2e/{name}", f"demo/../{name}", name.replace("e", "%65")):
                status, _, body = await relay.http(f"/{path}")
                assert status == 404, path
                assert b"this is" not in body

    with running(tmp_path, site=site) as relay:
        asyncio.run(go(relay))


def test_a_link_is_what_it_leads_to(tmp_path: Path, site: Path) -> None:
    """A name that a page may have gives away nothing else."""
    (site / "assets" / "image.png").symlink_to(site / "pycore.db")
    (site / "assets" / "outside.png").symlink_to(tmp_path / "x.png")
    (tmp_path / "x.png").write_text("x")
    (site / "assets" / "game.png").symlink_to(site / "picture.PNG")
    served = Served(site)
    assert [served.allows(f"assets/{name}.png") for name in ("image", "outside", "game")] == [False, False, True]


def test_what_the_manifest_names_is_known_anew(site: Path) -> None:
    """A site may be built again while its server runs; a manifest that cannot be read names nothing."""
    served = Served(site)
    assert not served.allows("game/notes.py")
    (site / "manifest.json").write_text(json.dumps({"game": "game/notes.py"}))
    assert (served.allows("game/notes.py"), served.allows("game/game.py")) == (True, False)
    for broken in ('{"game": "game/no', "[]", '{"files": 3}', '{"pyodide": []}'):
        (site / "manifest.json").write_text(broken)
        assert (served.allows("game/notes.py"), served.allows("index.html")) == (False, True)


def test_a_manifest_that_names_the_folder_itself_opens_nothing(site: Path) -> None:
    """`./` is everything, and that is what nobody means."""
    (site / "manifest.json").write_text(json.dumps({"pyodide": {"url": "./"}, "files": ["", "/", "../x", ".."]}))
    served = Served(site)
    assert not served.allows("study.json")
    assert not served.allows("../x")


@pytest.mark.parametrize("template", ["report/report.html", "replay/viewer.html"])
def test_a_page_made_of_a_studys_data_is_given_to_nobody(site: Path, template: str) -> None:
    """`pycore report` writes into the folder that it is called in; by a link and under another name neither."""
    (site / "other.htm").write_text((ROOT / "web" / template).read_text("utf-8"), "utf-8")
    (site / "shown.html").symlink_to(site / "other.htm")
    served = Served(site)
    assert [served.allows(name) for name in ("other.htm", "shown.html", "index.html")] == [False, False, True]
