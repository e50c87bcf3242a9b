"""`pycore verify` and `pycore replay` compute a policy again: what is recorded of its seat has to be what it does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from records_support import changed, forgotten  # noqa: F401
from test_policies_of_studies import game_of, played_of, stored, study  # noqa: F401

from pycore.cli import cli

PARTNER = {"policy": "partner.py", "computed_by": "all", "version": "2"}


def run(*arguments: str | Path) -> Result:
    """The command's outcome; what an environment prints is not in its output."""
    return CliRunner().invoke(cli, [*map(str, arguments)])


def said(result: Result) -> dict[str, Any]:
    """The JSON of a command."""
    value: dict[str, Any] = json.loads(result.stdout)
    return value


@pytest.fixture(params=[0, 5])
def left(request: pytest.FixtureRequest, study: Path, tmp_path: Path) -> Path:  # noqa: F811
    """The files of a game of two people and a policy, without and with a reaction time."""
    named = {"2": {**PARTNER, "reaction_time": request.param}}
    game = game_of(study, policies=named, max_steps=60, num_episodes=2)
    return stored(played_of(game), tmp_path / "left")


@pytest.mark.slow
def test_a_policy_that_did_what_is_recorded_is_counted(left: Path, study: Path) -> None:  # noqa: F811
    """Every action of it, the default ones of its reaction time too."""
    done = run("verify", left, "--env", study)
    assert (done.exit_code, done.stdout) == (
        0, "reconciled: mesh: 2 records, 120 frames, reproduced by the environment and its policies\n"
    )  # fmt: skip
    [game] = said(run("verify", left, "--env", study, "--json"))["games"]
    assert (game["environment"], game["policies"], game["notes"]) == ("true", "true", [])
    file = left / "trajectory-0.jsonl"
    done = run("replay", file, "--env", study)
    assert (done.exit_code, done.stdout) == (0, f"true: {file}: 120 frames, 6 hashes, 120 actions of policies\n")
    of = said(run("replay", file, "--env", study, "--json"))
    assert of["policies"] == {"computed": ["2"], "actions": 120, "notes": []}


@pytest.mark.parametrize("on_interrupt", ["wait", "default_action"])
def test_a_policy_is_computed_whatever_follows_for_who_is_away(
    study: Path, tmp_path: Path, on_interrupt: str  # noqa: F811
) -> None:
    """Where the others play on for who is interrupted, no policy of any record was compared."""
    of = {"policies": {"2": PARTNER}, "on_drop": "default_action", "on_interrupt": on_interrupt, "max_steps": 60}
    game = stored(played_of(game_of(study, **of)), tmp_path / "left")
    done = run("verify", game, "--env", study)
    assert (done.exit_code, done.stdout) == (
        0, "reconciled: mesh: 2 records, 60 frames, reproduced by the environment and its policies\n"
    )  # fmt: skip


def test_of_a_range_its_actions_are_compared_and_it_sees_what_was_before(left: Path, study: Path) -> None:  # noqa: F811
    """What is before the range is not compared."""
    file = left / "trajectory-0.jsonl"
    text = changed(file.read_text(), 32, lambda value: value["actions"].__setitem__(2, (value["actions"][2] + 1) % 3))
    words = ("replay", file, "--env", study, "--json", "--episode", "0")
    of = said(run(*words, "--from", "20", "--to", "29"))
    assert (of["true"], of["policies"]["actions"]) == (True, 10)
    file.write_text(text)
    of = said(run(*words, "--from", "20", "--to", "29"))
    assert (of["true"], of["policies"]["actions"]) == (True, 10)
    assert run(*words, "--from", "20", "--to", "30").exit_code == 1


def test_an_action_that_the_policy_does_not_do_is_named_with_frame_and_both_actions(
    left: Path, study: Path, tmp_path: Path  # noqa: F811
) -> None:
    """Altered in both records alike, so that they agree. Nothing is written of it."""
    for player in (0, 1):
        file = left / f"trajectory-{player}.jsonl"
        acted = json.loads(file.read_text().splitlines()[34])["actions"][2]
        other = (acted + 1) % 3
        file.write_text(changed(file.read_text(), 35, lambda value: value["actions"].__setitem__(2, other)))  # noqa: B023
    sentence = f"episode 0, frame 33: the policy on seat 2 does {acted}, and {other} is recorded of it"
    hint = "if the policy was changed since the game was played, put it beside the environment as it was then"
    done = run("verify", left, "--env", study)
    assert (done.exit_code, done.stdout.splitlines()) == (
        1, ["reconciled: mesh: 2 records, 120 frames", f"  a policy does something else: {sentence}", f"  {hint}"]
    )  # fmt: skip
    [game] = said(run("verify", left, "--env", study, "--json"))["games"]
    assert (game["environment"], game["policies"]) == (None, "differs")
    assert game["environment_difference"]["seat"] == 2
    done = run("replay", file, "--env", study, "--out", tmp_path / "true.jsonl")
    assert (done.exit_code, done.stdout.splitlines()) == (
        1, [f"differs: {file}: {sentence}", "  the same before it: 33 frames, 1 hashes, 33 actions of policies",
            f"  note: {hint}"],
    )  # fmt: skip
    assert not (tmp_path / "true.jsonl").exists()
    found = said(run("replay", file, "--env", study, "--json"))["difference"]
    assert (found["kind"], found["episode"], found["frame"], found["seat"]) == ("policy", 0, 33, 2)
    assert (found["recorded"], found["here"]) == (str(other), str(acted))
    assert found["fields"] == [{"path": "$.actions[2]", "recorded": str(other), "here": str(acted)}]


def test_a_policy_that_raises_here_did_not_do_what_is_recorded(left: Path, study: Path) -> None:  # noqa: F811
    """Its exception is told."""
    (study.parent / "partner.py").write_text((study.parent / "partner.py").read_text().replace("Follow()", "Wrong()"))
    done = run("verify", left, "--env", study)
    assert done.exit_code == 1
    assert "the policy of player 2 failed in frame " in done.stdout
    assert "KeyError: 'none'" in done.stdout


def test_a_policy_that_is_not_there_is_said_and_no_fault(left: Path, study: Path) -> None:  # noqa: F811
    """One sentence, with what to do; the environment is stepped all the same."""
    (study.parent / "partner.py").unlink()
    why = (
        f"the policy of player 2 was not computed: there is no file {study.parent / 'partner.py'}; "
        "put partner.py as it was when the game was played beside the environment"
    )
    done = run("verify", left, "--env", study)
    assert (done.exit_code, done.stdout.splitlines()) == (
        0, ["reconciled: mesh: 2 records, 120 frames, reproduced by the environment", f"  note: {why}"]
    )  # fmt: skip
    [game] = said(run("verify", left, "--env", study, "--json"))["games"]
    assert (game["environment"], game["policies"], game["notes"]) == ("true", None, [why])
    file = left / "trajectory-0.jsonl"
    done = run("replay", file, "--env", study)
    assert (done.exit_code, done.stdout.splitlines()) == (
        0, [f"true: {file}: 120 frames, 6 hashes", f"  note: {why}"]
    )  # fmt: skip


@pytest.mark.parametrize("version", ["3", None])
def test_a_policy_of_another_version_is_not_computed(left: Path, study: Path, version: str | None) -> None:  # noqa: F811
    """Which one is there, the study's settings say: beside the environment, or those that are given."""
    partner = {"policy": "partner.py"} | ({} if version is None else {"version": version})
    other = study.parent / "study.json"
    other.write_text(json.dumps({"policies": {"2": partner}}))
    (study.parent / "partner.py").write_text((study.parent / "partner.py").read_text().replace("Follow()", "Wrong()"))
    here = "a version without a name" if version is None else f"version {version}"
    why = (
        f"the policy of player 2 was not computed: version 2 of partner.py played, and {other} has {here}; "
        "put partner.py as it was then beside the environment, and name settings of then by --settings"
    )
    done = run("verify", left, "--env", study)
    assert (done.exit_code, done.stdout.splitlines()[1:]) == (
        0, [f"  note: {why}"]
    )  # fmt: skip
    known = json.loads((left / "game.json").read_text())["settings"]
    given = study.parent / "then.json"
    given.write_text(json.dumps(known))
    assert run("verify", left, "--env", study, "--settings", given).exit_code == 1, "it is the version that played"


def test_what_is_drawn_between_two_frames_is_not_in_its_way(left: Path, study: Path, tmp_path: Path) -> None:  # noqa: F811
    """A picture may have to be taken back, after which nothing is shown but what a snapshot holds."""
    render = """    def render(self):
        self.at["ann"] += 1
        return [{"object_type": "text", "uuid": "t", "text": "hello", "x": 0.5, "y": 0.5}]

    def _seen(self):
"""
    study.write_text(study.read_text().replace("    def _seen(self):\n", render))
    done = run("replay", left / "trajectory-0.jsonl", "--env", study, "--html", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    assert "120 actions of policies" in done.stdout
