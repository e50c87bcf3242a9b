"""The audit of a study's policies: one with a fault is found to have it, and one without has none."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import audited
import audited_policies
import pytest
from click.testing import CliRunner
from test_audit import codes, tried

from pycore.audit import Finding, Report
from pycore.cli import cli

FOLDER = Path(audited_policies.__file__).parent


class Shown(audited.Fit):
    """Shows lists that are its own, and state of it."""

    def reset(self, seed: int, options: Any = None) -> Any:
        """As it does, in lists."""
        super().reset(seed)
        self.sights = {agent: [self.x] for agent in self.possible_agents}
        return self.sights, {agent: {} for agent in self.possible_agents}

    def step(self, actions: dict[Any, Any]) -> Any:
        """As it does, in lists."""
        _, *rest = super().step(actions)
        self.sights = {agent: [self.x] for agent in self.possible_agents}
        return (self.sights, *rest)


class Copied(Shown):
    """Shows lists that are nobody's."""

    def reset(self, seed: int, options: Any = None) -> Any:
        """Copies."""
        super().reset(seed)
        return {agent: list(sight) for agent, sight in self.sights.items()}, {}

    def step(self, actions: dict[Any, Any]) -> Any:
        """Copies."""
        _, *rest = super().step(actions)
        return ({agent: list(sight) for agent, sight in self.sights.items()}, *rest)


def of_policy(name: str = "policy", factory: Any = audited.Fit, **given: Any) -> Report:
    """The report of an environment whose second player is a policy."""
    named = {"policy": f"audited_policies.py:make_{name}", **given}
    return tried(factory, settings={"policies": {"1": named}}, folder=str(FOLDER))


def found(report: Report) -> list[Finding]:
    """What was found of policies."""
    return [finding for finding in report.findings if "polic" in finding.code]


@pytest.mark.parametrize("reaction", [0, 5])
@pytest.mark.slow
def test_a_policy_without_a_fault_has_nothing_against_it_and_says_what_it_costs(reaction: int) -> None:
    """It is tried on its seat, with its reaction time; the facts have both."""
    report = of_policy(reaction_time=reaction)
    assert codes(report) == set()
    facts = report.facts["policies"]["1"]
    assert (facts["policy"], facts["reaction_time"]) == ("audited_policies.py:make_policy", reaction)
    assert 0 < facts["call_us"] <= facts["longest_call_us"]
    assert facts["actions"] == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("keeping", "policy_keeps", "the policy of player 1 does something else when it is asked again about frame 0"),
        ("remembering", "policy_keeps", "when it is asked again about frame 0"),
        ("born", "policy_instances", "the policy of player 1 of another page, another instance, does something else"),
        ("dice", "policy_generator", "draws from a generator of the process, or seeds one, first in frame 0"),
        ("seeding", "policy_generator", "first in frame 0"),
        ("beyond", "policy_action", "the policy of player 1 failed in frame 3 of episode 0: ActionError"),
        ("raising", "policy_raised", "the policy of player 1 failed in frame 7 of episode 0: KeyError: 'go'"),
    ],
)
@pytest.mark.parametrize("reaction", [0, 3])
def test_a_policy_with_a_fault_is_found_to_have_it(name: str, code: str, words: str, reaction: int) -> None:
    """By its code, and the environment is unfit with it; nothing else is said of it."""
    report = of_policy(name, reaction_time=reaction)
    assert {(finding.harm, finding.code) for finding in found(report)} == {("unfit", code)}
    if not reaction:
        assert words in found(report)[0].what
    assert not report.fit


@pytest.mark.slow
@pytest.mark.parametrize(("factory", "what"), [(Shown, "the state"), (Copied, "what players are shown")])
def test_a_policy_that_writes_into_what_it_sees_is_named_with_what_it_changes(factory: Any, what: str) -> None:
    """Where it is the environment's own list, the state; otherwise what the others see. What it has of its own, it may
    write into."""
    [finding] = found(of_policy("writing", factory))
    assert (finding.harm, finding.code) == ("unfit", "policy_changes")
    assert f"the policy of player 1 changes {what} that it sees, first in frame 0: " in finding.what
    assert found(of_policy("writing", factory, reaction_time=2)) == []


@pytest.mark.slow
def test_a_slow_policy_and_one_that_does_one_thing_are_said() -> None:
    """They can be played."""
    report = of_policy("slow")
    assert codes(report) == {("slow", "slow_policy")}
    assert report.facts["policies"]["1"]["call_us"] >= 2000
    report = of_policy("still")
    assert codes(report) == {("note", "policy_one_action")}
    assert report.fit


@pytest.mark.slow
def test_a_policy_that_no_episode_gives_time_to_react_is_said() -> None:
    """Episodes have 40 frames."""
    assert codes(of_policy(reaction_time=40)) == {("risk", "policy_never_asked")}
    assert codes(of_policy(reaction_time=39)) == {("note", "policy_one_action")}


@pytest.mark.slow
def test_what_its_source_says_is_said_of_its_file() -> None:
    """A clock in the file of a policy."""
    report = of_policy("slow")
    [finding] = [finding for finding in report.findings if finding.code == "source_clock" and "polic" in finding.what]
    assert "audited_policies.py:" in finding.what


@pytest.mark.slow
def test_a_policy_of_a_page_is_not_here_to_be_tried() -> None:
    """It may do as it likes."""
    report = of_policy(computed_by="one")
    assert found(report) == []
    assert report.facts["policies"] == {
        "1": {"policy": "audited_policies.py:make_policy", "computed_by": "one", "reaction_time": 0}
    }


@pytest.mark.slow
def test_a_policy_of_nobody_is_a_finding_of_the_settings() -> None:
    """Two agents, and a policy for player 7."""
    report = tried(audited.Fit, settings={"policies": {"7": "audited_policies.py"}}, folder=str(FOLDER))
    assert "policies has one for player 7; the players are 0, 1" in report.findings[-1].what


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """An environment with a study and its policies beside it."""
    for name in ("audited.py", "audited_policies.py"):
        shutil.copy(FOLDER / name, tmp_path)
    (tmp_path / "study.json").write_text(json.dumps({"policies": {"1": "audited_policies.py:make_keeping"}}))
    return tmp_path / "audited.py"


@pytest.mark.slow
def test_the_command_tries_those_of_the_study_beside_the_environment_or_of_settings(study: Path) -> None:
    """Status 1 with the fault, as JSON too; a file that is not there is a mistake in the call."""
    words = ["audit", f"{study}:Fit", "--frames", "60", "--json"]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 1, done.output
    of = json.loads(done.stdout)
    assert [finding["code"] for finding in of["findings"] if finding["harm"] == "unfit"] == ["policy_keeps"]
    assert of["facts"]["policies"]["1"]["policy"] == "audited_policies.py:make_keeping"
    other = study.parent / "other.json"
    other.write_text(json.dumps({"title": "a study", "policies": {"1": "audited_policies.py"}}))
    done = CliRunner().invoke(cli, [*words, "--settings", str(other)])
    assert done.exit_code == 0, done.output
    other.write_text(json.dumps({"policies": {"1": "nothing.py"}}))
    done = CliRunner().invoke(cli, [*words, "--settings", str(other)])
    assert done.exit_code == 2
    assert "there is no file" in done.output.replace("\n", " ")


@pytest.mark.slow
def test_the_generators_of_the_caller_are_left_alone_by_what_is_no_trial() -> None:
    """What is found of one policy does not depend on the one before it."""
    random.seed(5)
    first = codes(of_policy("dice"))
    assert codes(of_policy("dice")) == first == {("unfit", "policy_generator")}


@pytest.mark.slow
def test_what_plays_on_for_who_is_gone_is_tried_on_every_seat_of_a_person() -> None:
    """A fault is found, and named as what it is of."""
    named = {"on_drop": "policy", "stand_in": "audited_policies.py:make_policy"}
    report = tried(audited.Fit, settings=named, folder=str(FOLDER))
    assert report.fit
    assert sorted(report.facts["stand_in"]) == ["0", "1"]
    assert report.facts["stand_in"]["1"]["policy"] == "audited_policies.py:make_policy"
    assert "policies" not in report.facts
    keeping = {**named, "stand_in": "audited_policies.py:make_keeping", "policies": {"1": "audited_policies.py"}}
    report = tried(audited.Fit, settings=keeping, folder=str(FOLDER))
    assert [*report.facts["stand_in"], *report.facts["policies"]] == ["0", "1"]
    (finding,) = [finding for finding in report.findings if finding.code == "policy_keeps"]
    assert finding.what.startswith("the policy that plays on for player 0 does something else")
