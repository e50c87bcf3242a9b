"""Which files of a study go into its pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycore.site.failing import SiteFailed
from pycore.site.sources import sources_of


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """An environment that imports a package beside it, and something that it shares with other studies."""
    folder = tmp_path / "study"
    (folder / "pack").mkdir(parents=True)
    (folder / "environment.py").write_text("import pack, utils\n")
    (folder / "pack/__init__.py").write_text("")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/utils.py").write_text("")
    (tmp_path / "shared/level.txt").write_text("a level")
    return folder


def test_what_a_link_leads_to_is_a_file_of_the_study_where_the_link_lies(study: Path, tmp_path: Path) -> None:
    """Of a package, too: there it ended the command with an exception."""
    (study / "utils.py").symlink_to(tmp_path / "shared/utils.py")
    (study / "pack/level.txt").symlink_to(tmp_path / "shared/level.txt")
    (study / "pack/more").symlink_to(tmp_path / "shared")
    (study / "pack/gone.txt").symlink_to(tmp_path / "nowhere")
    found = sources_of(study / "environment.py").files
    assert set(found) == {
        "environment.py", "utils.py", "pack/__init__.py", "pack/level.txt", "pack/more/level.txt", "pack/more/utils.py",
    }  # fmt: skip
    assert found["pack/level.txt"].read_text() == "a level"
    (study / "maps").symlink_to(tmp_path / "shared")
    (study / "map.txt").symlink_to(tmp_path / "shared/level.txt")
    named = sources_of(study / "environment.py", [study / "maps", study / "map.txt"]).files
    assert {"maps/level.txt", "maps/utils.py", "map.txt"} <= set(named)
    for elsewhere in (tmp_path / "shared", study / "..", study / "pack/.."):
        with pytest.raises(SiteFailed, match="does not lie in"):
            sources_of(study / "environment.py", [elsewhere])


def test_a_link_in_a_circle_is_gone_once(study: Path) -> None:
    (study / "pack/again").symlink_to(study / "pack")
    (study / "pack/deep").mkdir()
    (study / "pack/deep/up").symlink_to(study)
    found = set(sources_of(study / "environment.py").files)
    assert "pack/__init__.py" in found
    assert not any("again/" in name or name.count("pack") > 2 for name in found)
