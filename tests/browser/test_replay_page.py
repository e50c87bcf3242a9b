"""The page of a replay, in a browser: what it draws is what was there, by the pixel."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from records_support import stored
from test_replay_pictures import DRAWN

from pycore.bridge.game import Game, simulation_of
from pycore.cli import cli
from pycore.factory import load_policy
from pycore.records import Trajectory, trajectory_text
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh
from tools import distributions
from tools.paths import NEWEST, ROOT
from tools.volley import VOLLEY

pytestmark = pytest.mark.browser

PIXEL = "([x, y]) => Array.from(document.querySelector('canvas').getContext('2d').getImageData(x, y, 1, 1).data)"
GAME = ROOT / "examples" / "volley.py"
RALLY = {"max_steps": 60, "num_episodes": 1, "action_space": {"type": "discrete", "n": 6}}
RED, BLUE, CYAN = [255, 0, 0, 255], [0, 0, 255, 255], [0, 255, 255, 255]


def replay(*arguments: str | Path) -> str:
    """The output of the command, which went well."""
    result = CliRunner().invoke(cli, ["replay", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def game(tmp_path_factory) -> Path:
    """The files of a game, and an environment that draws."""
    folder = stored(tmp_path_factory.mktemp("replay") / "game")
    (folder / "drawn.py").write_text(DRAWN)
    return folder


@pytest.fixture
def page(chromium, game):
    """The page, opened from its file; whatever the console says is an error, but for this test's looking at pixels."""
    replay(game / "trajectory-0.jsonl", "--env", game / "drawn.py", "--html", game / "replay.html")
    opened = chromium.new_page(viewport={"width": 960, "height": 720})
    said: list[str] = []
    opened.on("console", lambda message: "readback" in message.text or said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.goto((game / "replay.html").as_uri())
    yield opened
    assert said == []
    assert opened.evaluate("window.pycoreReplay.problems") == []
    opened.close()


def rested(page) -> None:
    """Until what was asked for is on the canvas."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def numbers(page) -> tuple[str, str, str]:
    """What the page says of the frame that it shows."""
    return tuple(page.text_content(f"#{name}") for name in ("episode", "frame", "rewards"))


def test_the_slider_finds_every_frame(page, game) -> None:
    """Its number, its rewards and its picture, with what lasts for the episode."""
    rows = [json.loads(line) for line in (game / "trajectory-0.jsonl").read_text().splitlines()]
    rows = [row for row in rows if "frame" in row]
    assert page.get_attribute("#slider", "max") == "99"
    for index in (0, 7, 49, 50, 99, 3):
        page.evaluate(
            "index => { const slider = document.querySelector('#slider'); slider.value = index;"
            " slider.dispatchEvent(new Event('input')); }", index
        )  # fmt: skip
        rested(page)
        row = rows[index]
        sums = [sum(each["rewards"][player] for each in rows[: index + 1]) for player in "01"]
        assert numbers(page) == (str(row["episode"]), str(row["frame"]), f"0: {sums[0]}   1: {sums[1]}")
        x = 10 * (row["frame"] + 1)
        sky = [BLUE, CYAN][row["episode"]]
        colours = [page.evaluate(PIXEL, [at, 105]) for at in (x - 1, x, x + 9, x + 10)]
        assert colours == [sky, RED, RED, sky]


def test_keys_buttons_and_playing_move_on(page) -> None:
    """One frame at a time, to the end and no further."""
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.click("#on")
    page.click("#back")
    assert numbers(page)[:2] == ("0", "2")
    page.evaluate("window.pycoreReplay.show(96)")
    page.click("#play")
    # The page forbids eval, which waiting for a function needs.
    page.locator("#frame", has_text="49").wait_for()
    page.locator("#play", has_text="▶▶").wait_for()
    page.click("#on")
    assert numbers(page)[:2] == ("1", "49")


def test_pixels_among_objects_are_drawn(chromium, game) -> None:
    """From the text that they are in the page; as large as the world allows."""
    page_file = game / "both.html"
    replay(game / "trajectory-0.jsonl", "--env", f"{game / 'drawn.py'}:make_both", "--html", page_file)
    page = chromium.new_page(viewport={"width": 960, "height": 720})
    page.goto(page_file.as_uri())
    page.evaluate("window.pycoreReplay.show(4)")
    rested(page)
    black = [0, 0, 0, 255]
    assert [page.evaluate(PIXEL, [x, 200]) for x in (45, 55, 65)] == [black, [255, 128, 0, 255], black]
    assert page.evaluate("window.pycoreReplay.problems") == []
    page.close()


def test_guesses_are_marked(chromium, game, tmp_path) -> None:
    """What a participant saw of a frame, each time that it was displayed."""
    text = (game / "trajectory-0.jsonl").read_text()
    game_id = json.loads(text.splitlines()[0])["game_id"]
    head = {"fps": 30, "game_id": game_id, "player": 1, "players": [0, 1], "pycore_experienced": 1}
    lines = [
        {"episode": 0, "frame": 0, "shown": [0, 0], "time_ms": 1},
        {"episode": 0, "frame": 1, "predicted": [0], "shown": [5, 0], "time_ms": 2},
        {"episode": 0, "event": "corrected", "frame": 2, "from": 1, "time_ms": 3, "to": 1},
        {"episode": 0, "frame": 1, "shown": [0, 0], "time_ms": 3},
    ]
    spelled = [json.dumps(line, sort_keys=True, separators=(",", ":")) for line in (head, *lines)]
    (tmp_path / "experienced-1.jsonl").write_text("\n".join(spelled) + "\n")
    page_file = tmp_path / "seen.html"
    more = ("--html", page_file, "--experienced", tmp_path / "experienced-1.jsonl")
    replay(game / "trajectory-0.jsonl", "--env", game / "drawn.py", *more)
    page = chromium.new_page()
    page.goto(page_file.as_uri())
    assert page.inner_text("#seen-by") == "seen by 1"
    assert page.inner_text("#seen").split() == ["0:", "0", "1:", "0"]
    page.click("#on")
    assert page.locator("#seen > div").all_inner_texts()[0].split() == [
        "0:",
        "5",
        "1:",
        "0",
        "(a",
        "guess,",
        "corrected)",
    ]
    assert page.locator("#seen .guess").all_inner_texts() == ["0: 5"]
    page.click("#on")
    assert page.inner_text("#seen") == "not shown"
    page.close()


def test_pictures_of_objects_are_drawn_by_that_page(chromium, game, tmp_path) -> None:
    """As PNG of the world's size, pixel by pixel what the environment listed."""
    out = tmp_path / "frames"
    range_ = ("--episode", 1, "--from", 2, "--to", 4)
    path = shutil.which("chromium")
    env = f"{game / 'drawn.py'}:make_boxes"
    words = (game / "trajectory-0.jsonl", "--env", env, "--frames", out, *map(str, range_))
    # In a process of its own: there cannot be two of Playwright's drivers in one.
    command = [sys.executable, "-m", "pycore", "replay", *map(str, words), *(["--chromium", path] if path else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert sorted(file.name for file in out.iterdir()) == [f"episode-1-frame-00000{frame}.png" for frame in (2, 3, 4)]
    page = chromium.new_page()
    for frame in (2, 3, 4):
        data = base64.b64encode((out / f"episode-1-frame-00000{frame}.png").read_bytes()).decode()
        found = page.evaluate(
            """async data => {
              const image = new Image(); image.src = 'data:image/png;base64,' + data; await image.decode();
              const canvas = document.createElement('canvas');
              canvas.width = image.width; canvas.height = image.height;
              const context = canvas.getContext('2d'); context.drawImage(image, 0, 0);
              const {data: all} = context.getImageData(0, 0, image.width, image.height);
              const red = [];
              for (let at = 0; at < all.length; at += 4) {
                if (all[at] === 255 && all[at + 2] === 0) red.push(at / 4);
                else if (all[at] !== 0 || all[at + 1] !== 255 || all[at + 2] !== 255) return {odd: at / 4};
              }
              return {size: [image.width, image.height], red};
            }""",
            data,
        )
        assert found["size"] == [600, 400]
        assert found["red"] == [600 * y + x for y in range(100, 110) for x in range(10 * (frame + 1), 10 * (frame + 2))]
    page.close()


def rally(seat: int):
    """The example game, as a page makes it."""
    config = {"game_id": "mesh", "players": [0, 1], "player_id": seat, "seed": 3, "now": 0.0, "wall_ms": 0.0}
    return simulation_of(VOLLEY.make(), Game.of({**config, "settings": RALLY}))


def rallied(folder) -> tuple[str, list[str]]:
    """A record of the example game, and the options with which it is stepped in Pyodide."""
    if not (NEWEST.source / "pyodide.mjs").is_file() or shutil.which("node") is None:
        pytest.skip("there is no Pyodide of npm's, or no Node")
    settings = Settings.of(RALLY)
    scripts = lambda seat: lambda episode, frame: (frame // 7 + seat) % 6  # noqa: E731
    mesh = Mesh(2, settings, rally, scripts, Conditions(delay=0.04), seed=3)
    kept = Trajectory()
    mesh.peers[0].session.add_sink(kept)
    mesh.run(10.0)
    (folder / "settings.json").write_text(json.dumps(RALLY))
    more = ["--env", str(GAME), "--settings", str(folder / "settings.json")]
    more += ["--pyodide", str(distributions.released(NEWEST))]
    return trajectory_text(mesh.peers[0].session, kept), more


def test_a_record_is_stepped_again_in_pyodide(tmp_path) -> None:
    """The same frames and hashes as in CPython; what differs is named with its fields."""
    text, more = rallied(tmp_path)
    (tmp_path / "whole.jsonl").write_text(text)
    (tmp_path / "edited.jsonl").write_text(text.replace('"rewards":{"0":0', '"rewards":{"0":1', 1))
    assert "60 frames, 2 hashes" in replay(tmp_path / "whole.jsonl", *more)
    result = CliRunner().invoke(cli, ["replay", str(tmp_path / "edited.jsonl"), *more, "--json"])
    assert result.exit_code == 1, result.output
    found = json.loads(result.stdout)
    assert (found["difference"]["frame"], found["difference"]["fields"][0]["path"]) == (0, "$.rewards['0']")
    assert found["python"].startswith(f"{NEWEST.python[0]}.{NEWEST.python[1]}.")


@pytest.mark.long  # what is no record is refused in CPython in every run
def test_what_is_no_record_is_refused_in_pyodide(tmp_path) -> None:
    text, more = rallied(tmp_path)
    (tmp_path / "cut.jsonl").write_text(text[:-30])
    result = CliRunner().invoke(cli, ["replay", str(tmp_path / "cut.jsonl"), *more])
    assert result.exit_code == 2, result.output
    assert f"{tmp_path / 'cut.jsonl'}: line 62: " in result.output.replace("\n", "")


def partnered(folder) -> tuple[str, list[str]]:
    """A record of somebody and a policy, and the options with which it is stepped in Pyodide."""
    if not (NEWEST.source / "pyodide.mjs").is_file() or shutil.which("node") is None:
        pytest.skip("there is no Pyodide of npm's, or no Node")
    values = {**RALLY, "policies": {"1": {"policy": "volley_partner.py", "reaction_time": 4}}}
    config = {"game_id": "mesh", "players": [0, 1], "player_id": 0, "seed": 3, "now": 0.0, "wall_ms": 0.0}
    mesh = Mesh(
        1, Settings.of(values), lambda seat: simulation_of(VOLLEY.make(), Game.of({**config, "settings": values})),
        lambda seat: lambda episode, frame: frame // 7 % 6, seed=3,
        policies=[lambda: load_policy("volley_partner.py", GAME.parent)],
    )  # fmt: skip
    kept = Trajectory()
    mesh.peers[0].session.add_sink(kept)
    mesh.run(10.0)
    (folder / "settings.json").write_text(json.dumps(values))
    for name in ("volley.py", "volley_partner.py"):
        shutil.copy(GAME.parent / name, folder)
    more = ["--settings", str(folder / "settings.json"), "--pyodide", str(distributions.released(NEWEST))]
    return trajectory_text(mesh.peers[0].session, kept), ["--env", str(folder / "volley.py"), *more]


def test_what_a_policy_does_not_do_is_named_in_pyodide(tmp_path) -> None:
    """Its file goes along with the environment's; up to there it did what is recorded."""
    text, more = partnered(tmp_path)
    lines = text.splitlines()
    row = json.loads(lines[31])
    acted = row["actions"][1]
    row["actions"][1] = other = (acted + 1) % 6
    lines[31] = json.dumps(row, sort_keys=True, separators=(",", ":"))
    record = tmp_path / "record.jsonl"
    record.write_text("\n".join([*lines, ""]))
    result = CliRunner().invoke(cli, ["replay", str(record), *more])
    assert result.exit_code == 1, result.output
    assert f"frame 30: the policy on seat 1 does {acted}, and {other} is recorded of it" in result.output


@pytest.mark.long  # the same is said in CPython in every run
def test_a_policy_is_computed_again_in_pyodide(tmp_path) -> None:
    """Its actions are counted; and what is not there is said."""
    text, more = partnered(tmp_path)
    record = tmp_path / "record.jsonl"
    record.write_text(text)
    assert "60 frames, 2 hashes, 60 actions of policies" in replay(record, *more)
    (tmp_path / "volley_partner.py").unlink()
    assert "note: the policy of player 1 was not computed: ModuleNotFoundError" in replay(record, *more)
