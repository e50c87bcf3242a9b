"""`pycore serve` up to the moment at which somebody could open the page: where its packages come from, what the page is
given, and what is said of packages that are missing and of other machines."""

from __future__ import annotations

import importlib
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pycore.cli import cli
from pycore.cli.serving import Options
from pycore.cli.trying import try_out
from pycore.errors import ConfigError
from pycore.site import SiteFailed, Study, building
from pycore.site.packages import Plan, plan
from pycore.site.pyodide import NEEDED, USUAL_PYODIDE, Pyodide, pyodide_of

TEMPLATE = Path(__file__).parents[2] / "pycore" / "site" / "template"


def wheel(
    folder: Path, name: str, version: str = "1.0", needs: tuple[str, ...] = (), tag: str = "py3-none-any"
) -> Path:
    """A wheel with nothing but what it says of itself."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{version}-{tag}.whl"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {needed}" for needed in needs]
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}-{version}.dist-info/METADATA", "\n".join(lines) + "\n")
    return file


def pyodide_in(folder: Path, *there: str, absent: Mapping[str, list[str]] | None = None) -> Path:
    """As much of a Pyodide's folder as is looked at: these packages with their files, and `absent` ones, which the lock
    file names with what they depend on, as npm's package has them."""
    folder.mkdir()
    for name in (*NEEDED, "pyodide.asm.mjs"):
        (folder / name).write_text("")
    packages = {name: {"file_name": f"{name}-1.0-py3-none-any.whl", "depends": []} for name in there}
    for name in there:
        (folder / f"{name}-1.0-py3-none-any.whl").write_text("")
    for name, depends in (absent or {}).items():
        packages[name] = {"file_name": f"{name}-2.0-cp314-wasm32.whl", "depends": depends}
    lock = {"info": {"version": "314.0.7", "python": "3.14.2"}, "packages": packages}
    (folder / "pyodide-lock.json").write_text(json.dumps(lock))
    return folder


# --- where a package comes from -----------------------------------------------------------------------------------


@pytest.fixture
def usual() -> Pyodide:
    return pyodide_of(USUAL_PYODIDE)


def names(of: Plan) -> list[str]:
    return of.load


def test_without_a_folder_of_wheels_the_page_gets_the_names_in_their_order(usual: Pyodide) -> None:
    """Pyodide's own and those of the index are told apart by the page, which has the lock file; once is enough."""
    found = plan(["numpy", "pettingzoo==1.25", "numpy"], usual)
    assert (found.load, found.wheels) == (["numpy", "pettingzoo==1.25"], {})


def test_a_folder_of_wheels_gives_a_package_with_all_that_it_needs(tmp_path: Path, usual: Pyodide) -> None:
    """However the name is written; what it needs for an extra is not needed; nobody is waited for twice."""
    folder = tmp_path / "wheels"
    wheel(folder, "My_Game", needs=("tiny.counts>=1", 'pytest; extra == "testing"'))
    wheel(folder, "tiny_counts", needs=("my-game",))
    wheel(folder, "pytest")
    found = plan(["my.game"], usual, folder)
    assert found.load == ["My_Game-1.0-py3-none-any.whl", "tiny_counts-1.0-py3-none-any.whl"]
    assert sorted(found.wheels) == sorted(found.load)


def test_of_several_versions_the_newest_is_taken_or_the_one_that_is_asked_for(tmp_path: Path, usual: Pyodide) -> None:
    """By their numbers, 1.10 after 1.9; what is built for another machine is none of them."""
    folder = tmp_path / "wheels"
    for version in ("1.9", "1.10"):
        wheel(folder, "counts", version)
    wheel(folder, "counts", "2.0", tag="cp314-cp314-manylinux_2_17_x86_64")
    assert plan(["counts"], usual, folder).load == ["counts-1.10-py3-none-any.whl"]
    assert plan(["counts==1.9"], usual, folder).load == ["counts-1.9-py3-none-any.whl"]
    assert plan(["counts==3"], usual, folder).load == ["counts==3"], "then the index is asked"


@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        ("counts", "1.10"), ("counts>=1.10", "1.10"), ("counts<1.10", "1.9.post1"), ("counts~=1.9.0", "1.9.post1"),
        ("counts!=1.10,<=1.9", "1.9"), ("counts==1.9.*", "1.9.post1"), ("counts >= 1.2, < 1.9.0", None),
        ("counts==2.0rc1", "2.0rc1"), ("counts>1.10", "2.0rc1"), ("counts===1.9", "1.9"), ("counts>=3", None),
        ("counts==1.9.0", "1.9"), ("counts>=1.9.*,<1.10", "1.9.post1"), ("counts!=1.10.*", "1.9.post1"),
    ],
)  # fmt: skip
def test_a_requirement_is_met_by_a_wheel_of_the_folder_or_asked_of_the_index(
    asked: str, taken: str | None, tmp_path: Path, usual: Pyodide
) -> None:
    """What comes before a release is not the newest one."""
    for version in ("1.9", "1.9.post1", "1.10", "2.0rc1", "2.0.dev3", "1.10a2"):
        wheel(tmp_path, "counts", version)
    assert plan([asked], usual, tmp_path).load == [asked if taken is None else f"counts-{taken}-py3-none-any.whl"]


def test_what_comes_before_a_release_is_not_older_than_it(tmp_path: Path, usual: Pyodide) -> None:
    """As indexes have it: whoever asks for <2 cannot use what is on its way to 2."""
    wheel(tmp_path, "counts", "2.0rc1")
    assert plan(["counts<2"], usual, tmp_path).load == ["counts<2"]
    assert plan(["counts<2.0rc2"], usual, tmp_path).load == ["counts-2.0rc1-py3-none-any.whl"]


@pytest.mark.parametrize("needs", ["counts<2,>=1.1", "counts[all] (<2) ; python_version > '3'", "Counts ~= 1.2"])
def test_what_a_wheel_needs_is_taken_as_it_asks_for_it(needs: str, tmp_path: Path, usual: Pyodide) -> None:
    """The newest one was taken, whatever the wheel can work with."""
    for version in ("1.0", "1.2", "2.0"):
        wheel(tmp_path, "counts", version)
    wheel(tmp_path, "game", needs=(needs,))
    game, counts = "game-1.0-py3-none-any.whl", "counts-{}-py3-none-any.whl"
    assert plan(["game"], usual, tmp_path).load == [game, counts.format("1.2")]
    assert plan(["game", "counts==1.0"], usual, tmp_path).load == [game, counts.format("1.0")], "one version of each"
    assert plan(["game", "counts>2"], usual, tmp_path).load == ["counts>2", game]
    (tmp_path / counts.format("1.2")).unlink()
    (tmp_path / counts.format("1.0")).unlink()
    assert plan(["game"], usual, tmp_path).load == [game, counts.format("2.0")], "better than none"


def test_of_wheels_for_several_pythons_the_page_gets_the_one_for_its_own(tmp_path: Path) -> None:
    """Those for others are no files that it could load; that was seen by participants only."""
    for tag in ("cp312-cp312-pyodide_2024_0_wasm32", "cp313-cp313-pyodide_2025_0_wasm32", "py2-none-any"):
        wheel(tmp_path / "wheels", "fast", tag=tag)
    wheel(tmp_path / "wheels", "stable", tag="cp310-abi3-pyodide_2024_0_wasm32")
    wheel(tmp_path / "wheels", "pure", tag="py2.py3-none-any")
    wheel(tmp_path / "wheels", "later", tag="py313-none-any")

    def taken(version: str, name: str) -> list[str]:
        return plan([name], pyodide_of(f"https://cdn.test/pyodide/v{version}/full/"), tmp_path / "wheels").load

    for version, tag in (("0.26.4", "cp312-cp312-pyodide_2024_0"), ("0.28.3", "cp313-cp313-pyodide_2025_0")):
        assert taken(version, "fast") == [f"fast-1.0-{tag}_wasm32.whl"]
        assert taken(version, "stable") == ["stable-1.0-cp310-abi3-pyodide_2024_0_wasm32.whl"]
        assert taken(version, "pure") == ["pure-1.0-py2.py3-none-any.whl"]
    assert taken("314.0.7", "fast") == ["fast"], "the index may have one"
    assert taken("0.26.4", "later") == ["later"]
    assert taken("0.28.3", "later") == ["later-1.0-py313-none-any.whl"]
    with pytest.raises(SiteFailed, match=r"fast-.* is a wheel for another Python than the page's, which is cp314"):
        plan([str(next((tmp_path / "wheels").glob("fast-*cp312*")))], pyodide_of(USUAL_PYODIDE))


def test_what_a_wheel_needs_of_pyodide_is_loaded_before_it(tmp_path: Path) -> None:
    """The page's own copy has numpy: the wheel needs it while it is imported."""
    source = pyodide_of(pyodide_in(tmp_path / "pyodide", "numpy", "micropip"))
    wheel(tmp_path / "wheels", "game", needs=("numpy", "nowhere"))
    found = plan(["game"], source, tmp_path / "wheels")
    assert (found.load, found.of_pyodide) == (["numpy", "game-1.0-py3-none-any.whl"], ["numpy"])


@pytest.mark.parametrize(
    ("packages", "said"),
    [
        (["numpy"], "numpy is one of Pyodide's packages, and .* does not have the file of numpy: give the folder"),
        (["scipy"], "scipy is one of Pyodide's packages, and .* does not have the file of (numpy|scipy)"),
        (["pettingzoo"], "pettingzoo would come from the package index by micropip, which .* does not have, and no "),
        (["numpy[all] >= 2"], "numpy.* is one of Pyodide's packages"),
        (["nowhere.whl"], "there is no wheel nowhere.whl"),
        (["https://example.org/a"], "'https://example.org/a' is no package: give a name as numpy"),
        (["num py"], "'num py' is no package"),
        (["--index-url=x"], "'--index-url=x' is no package"),
    ],
)  # fmt: skip
def test_a_package_that_could_not_come_is_told_before_anybody_opens_the_page(
    tmp_path: Path, packages: list[str], said: str
) -> None:
    """With npm's package of Pyodide, which has no packages in it, and no folder of wheels."""
    source = pyodide_of(pyodide_in(tmp_path / "pyodide", absent={"numpy": [], "scipy": ["numpy"]}))
    with pytest.raises(SiteFailed, match=said):
        plan(packages, source)


def test_wheels_that_no_page_can_take_are_told(tmp_path: Path, usual: Pyodide) -> None:
    """Named by their path; in a folder they are passed over, and then the package is missing."""
    built = wheel(tmp_path / "wheels", "fast", tag="cp314-cp314-win_amd64")
    with pytest.raises(SiteFailed, match=r"fast-1.0-cp314-cp314-win_amd64.whl is no wheel that a page can take"):
        plan([str(built)], usual)
    download = r"has no wheel of it that fits: download its wheel \(pip download --no-deps fast\)"
    with pytest.raises(SiteFailed, match=download):
        plan(["fast"], pyodide_of(pyodide_in(tmp_path / "pyodide")), tmp_path / "wheels")
    with pytest.raises(SiteFailed, match=r"there is no folder .*gone of wheels"):
        plan(["fast"], usual, tmp_path / "gone")
    (tmp_path / "torn-1.0-py3-none-any.whl").write_bytes(b"PK")
    with pytest.raises(SiteFailed, match=r"torn-1\.0-py3-none-any\.whl is no wheel: "):
        plan([str(tmp_path / "torn-1.0-py3-none-any.whl")], usual)


# --- the whole command --------------------------------------------------------------------------------------------


class Served:
    """What a study would have been served with, and what was printed."""

    manifest: dict[str, Any]
    files: list[str]
    settings: dict[str, Any]
    seats: int
    printed: str
    status: int


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Served]:
    """serve(*words) runs the command; the server ends as soon as it has told its address."""
    module = importlib.import_module("pycore.cli.serve")
    served = Served()

    def ended(
        options: Options, settings: dict[str, Any], site: Path, seats: int, bound: Any, ready: Callable[[str], None],
        recruiting: dict[str, Any],
    ) -> None:  # fmt: skip
        served.manifest = json.loads((site / "manifest.json").read_text("utf-8"))
        served.files = sorted(path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file())
        served.settings, served.seats = settings, seats
        ready(f"http://localhost:{bound.getsockname()[1]}/")

    monkeypatch.setattr(module, "serve", ended)
    monkeypatch.setattr(building, "_core", lambda half, source: {"wheel": "wheels/core.whl", "compiled_wheel": None})

    def run(*words: Any) -> Served:
        done = CliRunner().invoke(cli, ["serve", *map(str, words), "--port", "0"])
        served.printed, served.status = " ".join(done.output.split()), done.exit_code
        assert "Traceback" not in done.output
        return served

    return run


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """The folder of the template's study."""
    folder = tmp_path / "study"
    folder.mkdir()
    for name in ("environment.py", "study.json"):
        (folder / name).write_text((TEMPLATE / name).read_text("utf-8"), "utf-8")
    return folder


def change(study: Path, **values: Any) -> None:
    file = study / "study.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **values}), "utf-8")


@pytest.mark.slow
def test_a_file_and_its_study_are_all_that_the_page_needs(serve: Callable[..., Served], study: Path) -> None:
    """The own game with its keys, in pycore's page as it is: nothing of a page is written for it."""
    (study / "fields.py").write_text("SIZE = 3\n")
    environment = study / "environment.py"
    environment.write_text(f"import fields\n{environment.read_text('utf-8')}", "utf-8")
    served = serve(environment)
    assert served.status == 0, served.printed
    said = served.manifest
    assert (said["game"], said["files"], said["factory"]) == ("game/environment.py", ["game/fields.py"], "make_env")
    assert said["title"] == "Harvest"
    assert said["intro"].startswith("Pick berries")
    assert said["action_mapping"] == {"ArrowLeft": 1, "ArrowRight": 2, "ArrowUp": 3, "ArrowDown": 4}
    assert {"index.html", "demo/app.js", "core/loader.js", "game/environment.py", "game/fields.py"} <= set(served.files)
    assert served.seats == 2
    assert served.settings["max_steps"] == 1800
    assert not {"title", "players", "packages", "action_mapping"} & set(served.settings)


@pytest.mark.slow
def test_packages_come_from_the_study_and_from_the_command(serve: Callable[..., Served], study: Path) -> None:
    """A wheel that the study names lies beside the study, wherever the command is typed."""
    wheel(study / "wheels", "fields")
    change(study, packages=["numpy", "wheels/fields-1.0-py3-none-any.whl"])
    served = serve(study / "environment.py", "--packages", "scipy, pettingzoo==1.25")
    assert served.manifest["packages"] == [
        "numpy", "scipy", "pettingzoo==1.25", "packages/fields-1.0-py3-none-any.whl",
    ]  # fmt: skip
    assert "packages/fields-1.0-py3-none-any.whl" in served.files
    assert "packages numpy, fields-1.0-py3-none-any.whl, scipy, pettingzoo==1.25" in served.printed


@pytest.mark.parametrize("line", ["import numpyro", "from numpyro.sub import x", "def later():\n    import numpyro\n"])
def test_an_import_that_nobody_brings_along_is_noted_with_the_setting_that_would(
    serve: Callable[..., Served], study: Path, line: str
) -> None:
    """Also where it is not installed here: the study is served all the same, untried, and says so."""
    environment = study / "environment.py"
    environment.write_text(f"{environment.read_text('utf-8')}\n{line}\n", "utf-8")
    served = serve(environment)
    assert served.status == 0, served.printed
    assert "imports numpyro, which is not in its folder and not among the packages" in served.printed
    assert 'say "packages": ["numpyro"] in the settings, or --packages numpyro' in served.printed
    assert ("was not tried out, since numpyro is not installed here" in served.printed) == (not line.startswith("def"))
    change(study, packages=["numpyro"])
    assert "not among the packages" not in serve(environment).printed


@pytest.mark.slow
def test_what_works_by_plain_http_from_another_machine_is_said(serve: Callable[..., Served], study: Path) -> None:
    """Whoever lets others in reads their address, what browsers keep for https, and where it says what to do."""
    alone = serve(study / "environment.py").printed
    assert "reach this machine alone; --host 0.0.0.0 lets others in" in alone
    assert "https" not in alone.replace("https://", "")
    others = serve(study / "environment.py", "--host", "0.0.0.0").printed
    assert re.search(r"reach other machines, at http://THIS-MACHINE:\d+/ \. By plain http everything of pycore", others)
    assert "crypto.randomUUID" in others
    assert "https, by a proxy in front (docs/running.md)" in others


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"object_type": "circle", "x": x', '"object_type": "circel", "x": x',
         "there is no object_type 'circel', which 'player_0' has; did you mean 'circle'?"),
        ('"text": str(number + 1)', '"label": str(number + 1)',
         "the text 'player_0.name' has a field 'label', which is not drawn; did you mean 'text'?"),
        ('"w": WIDTH, "h": 40', '"w": WIDTH, "height": 40',
         "the rectangle 'sky' has a field 'height', which is not drawn; did you mean 'h'?"),
        ('"uuid": agent,', '"uuid": "player",', "two objects have the uuid 'player': only the last of them is drawn"),
        ('"y": y, "radius": 16', '"y": float("nan"), "radius": 16', "an object 'player_0' whose y is nan"),
        ('"y": y, "radius": 16', '"y": str(y), "radius": 16', "the circle 'player_0' has '200' as its y, which must"),
    ],
)  # fmt: skip
def test_what_nobody_would_see_is_noted_before_anybody_opens_the_page(
    serve: Callable[..., Served], study: Path, old: str, new: str, said: str
) -> None:
    """The page passes it over, and the picture lacks something: the study is served all the same."""
    environment = study / "environment.py"
    text = environment.read_text("utf-8")
    assert text.count(old) == 1
    environment.write_text(text.replace(old, new), "utf-8")
    served = serve(environment)
    assert served.status == 0, served.printed
    assert said in served.printed
    assert "(docs/drawing.md)" in served.printed


APART = """
class Lift:
    possible_agents = [0, 1]
    def action_space(self, agent):
        return {"type": "discrete", "n": 6 if agent == 0 else 2}
    def reset(self, seed=None, options=None):
        self.agents, self.at = [0, 1], 0
        return {0: 0, 1: 0}, {0: {}, 1: {}}
    def step(self, actions):
        self.at = (self.at + actions[0] + actions[1]) % 7
        no = {0: False, 1: False}
        return {0: self.at, 1: self.at}, {0: 0.0, 1: 0.0}, no, dict(no), {0: {}, 1: {}}
    def get_state(self):
        return {"at": self.at}
    def set_state(self, state):
        self.at = state["at"]
    def render(self):
        return [{"uuid": "lift", "object_type": "circle", "x": self.at, "y": 20, "radius": 5, "color": "red"}]
def make_env():
    return Lift()
class Down:
    def act(self, outlook, frame, random):
        return frame % 2
def make_policy():
    return Down()
"""


@pytest.mark.parametrize("keys", [{"action_mapping": {"ArrowUp": 5, "ArrowLeft": 1}}, {}])
def test_keys_are_those_of_people_whatever_the_actions_of_a_policys_seat(tmp_path: Path, keys: dict[str, Any]) -> None:
    """Nobody presses any there; with a person on that seat they are refused, or noted where they are the usual ones."""
    subject = str(tmp_path / "lift.py")
    (tmp_path / "lift.py").write_text(APART)
    for policy in ("lift.py", {"policy": "lift.py", "computed_by": "one"}):
        assert try_out(subject, Study.of({"policies": {"1": policy}, **keys}), None).warnings == []
    if keys:
        with pytest.raises(ConfigError, match="'ArrowUp' sends an action that player 1 has not"):
            try_out(subject, Study.of(keys), None)
    else:
        assert "of which player 1 has not all" in try_out(subject, Study.of(keys), None).warnings[0]


@pytest.mark.slow
def test_pictures_are_looked_at_while_the_game_moves(serve: Callable[..., Served], study: Path) -> None:
    """Not the first one alone: what is wrong with a later one is told as well, once, and the template has nothing."""
    environment = study / "environment.py"
    text = environment.read_text("utf-8")
    assert "render()" not in serve(environment).printed

    def gives(what: str) -> Served:
        environment.write_text(text.replace("        return shown\n", f"        return {what}\n"), "utf-8")
        return serve(environment)

    strange = gives('shown + ["x"] * (self.frame > 9)').printed
    assert strange.count("there is a str among the objects; each must be a dictionary") == 1
    none = gives("shown if self.frame < 9 else b'x'").printed
    assert "the page will show no picture: render() gives a bytes; it must be a list of objects" in none
    raised = gives("shown if self.frame < 9 else 1 / 0")
    assert raised.status == 2
    assert "ZeroDivisionError: division by zero (environment.py:" in raised.printed
