"""Any environment in real pages: captured, turn-based, and one that is broken and must be found out."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from pycore.rehearsal import Game, Outcome, Plan, rehearse
from pycore.rehearsal.sites import site_of
from pycore.values.canonical import decode
from tools import chromium, distributions
from tools.paths import NEWEST, ROOT

pytestmark = pytest.mark.e2e

ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT)}
ENVIRONMENTS = Path(__file__).resolve().parent / "environments"


def play(name: str, out: Path, **plan: Any) -> Outcome:
    module, _, factory = name.partition(":")
    game = Game.of(str(ENVIRONMENTS / f"{module}.py") + (f":{factory}" if factory else ""))
    site = site_of(game, out, pyodide=distributions.released(NEWEST))
    database = str(out / "data.sqlite")
    return rehearse(Plan(game, **plan), site=site, chromium=chromium.ensure(), database=database, out=out)


def stored_metrics(outcome: Outcome, out: Path) -> dict[str, Any]:
    """What the relay's own command gives back from the database, by player."""
    words = ["--database", f"sqlite:///{out / 'data.sqlite'}", "--game", outcome.game_id, "--out", str(out / "stored")]
    subprocess.run([sys.executable, "-m", "pycore", "data", *words], env=ENVIRON, check=True, capture_output=True)
    return {player: json.loads((out / "stored" / f"metrics-{player}.json").read_bytes()) for player in outcome.metrics}


def test_an_environment_without_get_state_and_with_a_space_for_each_agent_is_rehearsed_by_the_command(
    tmp_path: Path,
) -> None:
    """String agents, a Dict and a MultiDiscrete space, captured state; latency and loss; files and pictures."""
    words = [str(ENVIRONMENTS / "meadow.py"), "--seconds", "7", "--latency", "80", "--loss", "5", "--screenshots"]
    words += ["--pyodide", str(distributions.released(NEWEST)), "--chromium", str(chromium.ensure())]
    words += ["--out", "left", "--json"]
    command = [sys.executable, "-m", "pycore", "rehearse", *words]
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRON, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads(done.stdout)
    assert (verdict["right"], verdict["problems"], verdict["inputsLost"]) == (True, [], 0)
    assert len(verdict["players"]) == 2
    # Who stands still for half a second, as on a busy machine, is rightly missed; nobody else is.
    assert verdict["inputsRelayed"] == 0 or any(player["pace"]["lateTicks"] for player in verdict["players"].values())
    for player in verdict["players"].values():
        # Of 210 where two pages have the machine for themselves. How many guesses are wrong goes by that, too.
        assert player["frames"] > 60
        assert player["rollbacks"]["performed"] > 0
        assert player["hashesCompared"] > 0
        # Milliseconds; how many goes by the machine.
        assert 0 < player["pace"]["stepMs"] < player["pace"]["rollbackMs"] < 1000
    left = tmp_path / "left"
    one, other = (left / f"trajectory-{player}.jsonl" for player in (0, 1))
    assert one.read_bytes() == other.read_bytes()
    assert json.loads((left / "settings.json").read_text())["seats"][1]["action_space"]["type"] == "multi_discrete"
    pictures = {f"{at}-page{number}.png" for at in ("middle", "end") for number in (0, 1)}
    assert {path.name for path in left.glob("*.png")} == pictures
    again = [sys.executable, "-m", "pycore", "replay", str(one), "--env", words[0], "--settings", "left/settings.json"]
    assert subprocess.run(again, cwd=tmp_path, env=ENVIRON, capture_output=True).returncode == 0


@pytest.mark.long  # in every run: that its scripts make legal moves, without a browser
def test_a_turn_based_game_is_played_to_its_ends_with_legal_moves(tmp_path: Path) -> None:
    """Guesses of who waits are wrong whenever somebody moves."""
    outcome = play("noughts", tmp_path, seconds=6, latency_ms=80, reproduce="pyodide")
    assert outcome.problems == []
    assert not any("no episode ended" in warning for warning in outcome.warnings)
    one, two = outcome.metrics.values()
    assert [episode["reason"] for episode in one["episodes"]].count("done") >= 2
    assert one["rollbacks"]["performed"] + two["rollbacks"]["performed"] > 0
    assert '"illegal":true' not in outcome.trajectories["0"]
    assert '"rewards":{"0":1,"1":-1}' in outcome.trajectories["0"]


@pytest.mark.parametrize(
    "way", [{"latency_ms": 30}, pytest.param({"socketio_only": True}, marks=pytest.mark.long)], ids=["p2p", "server"]
)
@pytest.mark.long  # in every run: without a browser
def test_an_environment_that_reads_a_clock_is_found_out_with_its_field(way: dict[str, Any], tmp_path: Path) -> None:
    """Too late in a game for the check of its first frames. While it is played each page tells the other its state, and
    what the server stores of each names the field with both values."""
    outcome = play("drifting", tmp_path, seconds=5, **way)
    assert "the players saw two games: episode 0, frame 60" in outcome.problems[0]
    assert "something else each time: env.drift was " in outcome.problems[0]
    stored = stored_metrics(outcome, tmp_path)
    one, two = (stored[player]["desyncReports"][0] for player in ("0", "1"))
    assert [(of["episode"], of["frame"], of["playerId"], of["lacks"]) for of in (one, two)] == [
        (0, 60, "1", None), (0, 60, "0", None)
    ]  # fmt: skip
    (field,) = [field for field in one["fields"] if "drift" in field["path"]]
    assert field["own"] != field["theirs"]
    assert {**field, "own": field["theirs"], "theirs": field["own"]} in two["fields"]
    state = decode(zlib.decompress(base64.b64decode(one["state"])))
    assert field["own"] in repr(state)


@pytest.mark.long
@pytest.mark.parametrize(("factory", "players"), [("make_one", 1), ("make_three", 3)])
def test_one_alone_and_three_are_rehearsed_as_well(factory: str, players: int, tmp_path: Path) -> None:
    """One has nobody to wait for; of three each sends its inputs to two."""
    outcome = play(f"counters:{factory}", tmp_path, seconds=8, latency_ms=60)
    assert outcome.problems == []
    assert len(outcome.metrics) == players
    for metrics in outcome.metrics.values():
        assert metrics["episodes"][0]["reason"] == "done"
        assert metrics["inputs"]["sentViaP2P"] == metrics["frames"]["total"] * (players - 1)
    rollbacks = sum(metrics["rollbacks"]["performed"] for metrics in outcome.metrics.values())
    assert (rollbacks > 0) == (players > 1)
