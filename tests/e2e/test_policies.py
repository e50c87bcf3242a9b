"""Policies that play seats, in real pages: beside one person, who needs no partner, and beside two under latency."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools import chromium, distributions
from tools.paths import NEWEST, ROOT

pytestmark = pytest.mark.e2e

ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT)}
ENVIRONMENTS = Path(__file__).resolve().parent / "environments"


def rehearsed(subject: str, settings: dict[str, Any], folder: Path, *words: str) -> dict[str, Any]:
    """The verdict of the command, whose files are in `folder`."""
    (folder / "study.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pycore", "rehearse", subject, "--settings", "study.json", *words]
    command += ["--pyodide", str(distributions.released(NEWEST)), "--chromium", str(chromium.ensure())]
    command += ["--out", "left", "--json"]
    done = subprocess.run(command, cwd=folder, env=ENVIRON, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    verdict: dict[str, Any] = json.loads(done.stdout)
    # What was said to somebody who has just gone is no fault.
    reports = [report for report in verdict["reports"] if "unknown_target" not in report or "--leave-at" not in words]
    assert (verdict["right"], verdict["problems"], verdict["inputsLost"], reports) == (True, [], 0, [])
    return verdict


def actions(record: str) -> list[list[Any]]:
    """By frame, what everybody did."""
    lines = [json.loads(line) for line in record.splitlines()[1:]]
    return [line["actions"] for line in lines if "frame" in line]


def exit_status(folder: Path, *words: str) -> int:
    """Of another command on what was left."""
    command = [sys.executable, "-m", "pycore", *words]
    return subprocess.run(command, cwd=folder, env=ENVIRON, capture_output=True).returncode


def test_one_person_plays_with_a_policy_and_nobody_else(tmp_path: Path) -> None:
    """No link, no wait; the record is whole, has both, and needs no policy to be stepped again."""
    subject = str(ROOT / "examples" / "volley.py")
    settings = {"policies": {"1": "volley_partner.py"}, "action_space": {"type": "discrete", "n": 6}}
    verdict = rehearsed(subject, settings, tmp_path, "--seconds", "10", "--episodes", "1")
    [player] = verdict["players"].values()
    assert player["frames"] > 60
    assert (player["rollbacks"]["performed"], player["stalls"], verdict["inputsRelayed"]) == (0, 0, 0)
    record = tmp_path / "left" / "trajectory-0.jsonl"
    assert json.loads(record.read_text().splitlines()[0])["policies"] == {
        "1": {"computed_by": "all", "policy": "volley_partner.py"}
    }
    assert len({row[1] for row in actions(record.read_text())}) >= 3
    assert exit_status(tmp_path, "replay", str(record), "--env", subject, "--settings", "left/settings.json") == 0
    assert exit_status(tmp_path, "verify", "left") == 0


@pytest.mark.long
def test_where_one_of_three_closes_the_page_a_policy_plays_on_and_the_others_have_the_same_record(
    tmp_path: Path,
) -> None:
    """From the frame behind the last action on, in Pyodide as in CPython, and each record says so."""
    subject = str(ENVIRONMENTS / "counters.py") + ":make_three"
    settings = {"on_drop": "policy", "stand_in": {"policy": "counting.py:make_policy", "reaction_time": 3}}
    verdict = rehearsed(subject, settings, tmp_path, "--seconds", "12", "--leave-at", "5", "--latency", "60")
    assert list(verdict["players"]) == ["0", "1"]
    one, other = (tmp_path / "left" / f"trajectory-{player}.jsonl" for player in (0, 1))
    assert one.read_bytes() == other.read_bytes()
    header, *lines = map(json.loads, one.read_text().splitlines())
    assert header["stand_in"] == {"policy": "counting.py:make_policy", "reaction_time": 3}
    at = next(number for number, line in enumerate(lines) if "gone" in line)
    assert lines[at]["gone"] == {"2": "policy"}
    assert {line["actions"][2] for line in lines[at:] if "actions" in line} == {0, 1, 2, 3}
    words = ("verify", "left", "--env", subject, "--settings", "left/settings.json", "--json")
    command = [sys.executable, "-m", "pycore", *words]
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRON, capture_output=True, text=True)
    (game,) = json.loads(done.stdout)["games"]
    assert (game["environment"], game["policies"], game["notes"]) == ("true", "true", [])


@pytest.mark.long  # in every run: one policy in a page, another beside two people, and this in meshes
def test_two_people_and_a_policy_have_the_same_record_under_latency(tmp_path: Path) -> None:
    """Named agents and a captured state; what the policy saw of guessed frames is in no record."""
    subject = str(ENVIRONMENTS / "counters.py") + ":make_three"
    settings = {"policies": {"2": {"policy": "counting.py:make_policy", "version": "1", "reaction_time": 3}}}
    verdict = rehearsed(subject, settings, tmp_path, "--seconds", "8", "--latency", "80", "--loss", "5")
    assert list(verdict["players"]) == ["0", "1"]
    for player in verdict["players"].values():
        assert player["rollbacks"]["performed"] > 0
        assert player["hashesCompared"] > 0
    one, other = (tmp_path / "left" / f"trajectory-{player}.jsonl" for player in (0, 1))
    assert one.read_bytes() == other.read_bytes()
    assert {row[2] for row in actions(one.read_text())} == {0, 1, 2, 3}
    assert exit_status(tmp_path, "verify", "left", "--env", subject, "--settings", "left/settings.json") == 0


ADDING = """
export async function makePolicy() {
  const { answer } = await import('./thinking.js');
  return async (observation, frame) => {
    await new Promise((done) => setTimeout(done, 40));
    if (frame < 20) throw new RangeError('it is shown nothing within its reaction time');
    return answer(observation, frame);
  };
}
"""


def test_a_policy_in_javascript_that_one_page_computes_plays_with_two_people(tmp_path: Path) -> None:
    """The study's script, with a file that it imports. It takes its time, sees what is 20 frames old, and is sent like
    keys; the other page has the same record."""
    shutil.copy(ENVIRONMENTS / "counters.py", tmp_path)
    (tmp_path / "adding.js").write_text(ADDING)
    (tmp_path / "thinking.js").write_text("export const answer = (observation, frame) => (observation + frame) % 4;")
    settings = {"policies": {"2": {"policy": "adding.js", "computed_by": "one", "reaction_time": 20}}}
    verdict = rehearsed(
        "counters.py:make_three", settings, tmp_path, "--seconds", "8", "--latency", "80", "--with", "thinking.js"
    )
    assert not any("never did anything" in warning for warning in verdict["warnings"])
    found = [json.loads((tmp_path / "left" / f"metrics-{player}.json").read_text()) for player in "01"]
    one, other = (metrics["inputs"] for metrics in found)
    sent, received, own = (
        of[f"{did}ViaP2P"] + of[f"{did}ViaSocketIO"]
        for of, did in ((one, "sent"), (other, "received"), (other, "sent"))
    )
    assert sent == received == 2 * own > 120
    # A page that stood still is missed, and then the others send by the server for a while.
    if not any(metrics["pathChanges"] for metrics in found):
        assert one["sentViaP2P"] == other["receivedViaP2P"] == 2 * other["sentViaP2P"]
    records = [(tmp_path / "left" / f"trajectory-{player}.jsonl").read_text() for player in "01"]
    assert records[0] == records[1]
    acted = [line["actions"][2] for line in map(json.loads, records[0].splitlines()[1:]) if line.get("frame", 99) <= 20]
    assert set(acted) == {0}
    assert {row[2] for row in actions(records[0])} == {0, 1, 2, 3}
    assert exit_status(tmp_path, "verify", "left", "--env", "counters.py:make_three") == 0


@pytest.mark.long
def test_a_page_of_the_studys_own_has_the_policy_that_it_computes(tmp_path: Path) -> None:
    """A copy of pycore's page with a script in it, given as `pycore serve` is given it."""
    own = "<script type=module>window.pycorePolicies = {2: (seen, frame) => (seen + frame) % 4};</script></body>"
    page = (ROOT / "web" / "demo" / "index.html").read_text().replace("</body>", own)
    (tmp_path / "own.html").write_text(page)
    subject = str(ENVIRONMENTS / "counters.py") + ":make_three"
    settings = {"policies": {"2": {"policy": "adding, March", "computed_by": "one"}}}
    rehearsed(subject, settings, tmp_path, "--seconds", "6", "--page", "own.html")
    record = (tmp_path / "left" / "trajectory-0.jsonl").read_text()
    assert {row[2] for row in actions(record)} == {0, 1, 2, 3}


GUESSING = '''
class Knowing:
    """Knows what the players of this rehearsal do: what their policy makes of what they see."""

    def predict(self, outlook, last, since, frame):
        return press(outlook.observation, outlook.player)


def press(observation, agent):
    return observation % 4


def make_predictor():
    return Knowing()
'''


@pytest.mark.long
def test_a_predictor_that_knows_the_players_is_nearly_always_right_where_the_last_action_is_not(tmp_path: Path) -> None:
    """In two pages, 80 ms apart; observations are there after rollbacks too, and the books add up."""
    (tmp_path / "counters.py").write_bytes((ENVIRONMENTS / "counters.py").read_bytes())
    (tmp_path / "pair.py").write_text("from counters import Counters\n\n\ndef make_env():\n    return Counters(2)\n")
    (tmp_path / "guessing.py").write_text(GUESSING)
    verdict = rehearsed(
        "pair.py", {"prediction": "guessing.py"}, tmp_path, "--seconds", "8", "--episodes", "2", "--latency", "80",
        "--loss", "5", "--policy", "guessing.py:press",
    )  # fmt: skip
    assert list(verdict["players"]) == ["0", "1"]
    for player in "01":
        metrics = json.loads((tmp_path / "left" / f"metrics-{player}.json").read_text())
        [of] = metrics["predictions"].values()
        assert (of["predictor"], of["failed"], of["failure"]) == ("Knowing", 0, None)
        assert of["frames"] == of["hits"] + of["misses"] > 40
        assert of["hits"] > 0.95 * of["frames"]
        assert of["repeatLastHits"] < 0.6 * of["frames"]
    one, other = (tmp_path / "left" / f"trajectory-{player}.jsonl" for player in (0, 1))
    assert one.read_bytes() == other.read_bytes()
    assert {row[1] for row in actions(one.read_text())} == {0, 1, 2, 3}
    assert exit_status(tmp_path, "verify", "left") == 0
    assert exit_status(tmp_path, "export", "left", "--csv", "tables") == 0
    with (tmp_path / "tables" / "sessions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["predictor"] for row in rows] == ["Knowing", "Knowing"]
    assert all(int(row["repeat_last_hits"]) < int(row["prediction_hits"]) for row in rows)
