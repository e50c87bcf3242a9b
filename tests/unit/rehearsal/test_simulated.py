"""Games in virtual time: what is right passes, whatever happens to the pages, and what is broken does not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import core_view
import pytest
from click.testing import CliRunner

from pycore import ConfigError
from pycore.cli import cli
from pycore.costs import Costs
from pycore.rehearsal import Game
from pycore.rehearsal.simulated import Outcome, Simulated, _may_end, shrunk, vacuous
from pycore.testing import Mesh
from pycore.testing.pages import Page
from pycore.testing.scenario import KINDS, Happening, Scenario

ENVIRONMENT = """
import random


class Env:
    possible_agents = [{agents}]
    metadata = {{"name": "orchard"}}

    def __init__(self):
        self.agents = []

    def action_space(self, agent):
        return {{"type": "discrete", "n": 4}}

    def reset(self, seed=None, options=None):
        self.random = random.Random(seed)
        self.agents = list(self.possible_agents)
        self.places = dict.fromkeys(self.agents, 0)
        self.steps = 0
        {reset}
        return dict(self.places), {{agent: {{}} for agent in self.agents}}

    def step(self, actions):
        self.steps += 1
        for agent in self.agents:
            self.places[agent] = (31 * self.places[agent] + actions.get(agent, 0) + self.random.randrange(3)) % 99991
        {step}
        over = self.steps >= {length}
        flags = dict.fromkeys(self.agents, False)
        rewards = {{agent: actions.get(agent, 0) for agent in self.agents}}
        infos = {{agent: {{}} for agent in self.agents}}
        return dict(self.places), rewards, flags, dict.fromkeys(self.agents, over), infos


def make_env():
    return Env()
"""
BAD = Scenario(seed=3, seconds=8.0, latency_ms=80.0, jitter_ms=30.0, loss=0.1)


def written(folder: Path, agents: int = 2, step: str = "", reset: str = "", length: int = 900, head: str = "") -> Path:
    """An environment in a file of its own."""
    file = folder / "orchard.py"
    names = ", ".join(f'"tree {agent}"' for agent in range(agents))
    text = ENVIRONMENT.format(agents=names, step=step or "pass", reset=reset or "pass", length=length)
    file.write_text(head + text, "utf-8")
    return file


def game(folder: Path, agents: int = 2, **more: Any) -> Simulated:
    """The game of it."""
    return Simulated(Game.of(str(written(folder, agents, **more))))


@pytest.mark.slow
def test_a_game_over_a_bad_network_is_right_and_a_seed_is_one_run(tmp_path: Path) -> None:
    """Every frame is played, guesses are wrong and corrected, and the same seed gives the same numbers."""
    simulated = game(tmp_path, 3)
    outcome = simulated.run(BAD)
    assert outcome.problems == []
    assert outcome.frames == 240
    assert outcome.rollbacks > 50
    assert outcome.resimulated > outcome.rollbacks
    assert outcome.reasons == ("complete",) * 3
    assert outcome.changed
    assert simulated.run(BAD) == outcome
    assert simulated.run(replace(BAD, seed=4)).rollbacks != outcome.rollbacks


def one(what: str, seats: tuple[int, ...] = (), begins: float = 2.0, ends: float | None = None) -> Scenario:
    """A bad network on which one thing happens."""
    return replace(BAD, happenings=(Happening(what=what, seats=seats, begins=begins, ends=ends),))


HAPPENED = {
    "leave": ((1,), None, lambda of: of.reasons == ("player_left", "gone") and 30 < of.frames < 120),
    "vanish": ((1,), None, lambda of: of.reasons == ("player_left", "gone") and 30 < of.frames < 120),
    "reload": ((1,), None, lambda of: "returned" in of.reasons),
    "hide": ((1,), 5.0, lambda of: of.frames == 240),
    "freeze": ((1,), 4.0, lambda of: of.frames == 240 and of.stalls > 20 and of.through_server > 0),
    "socket-down": ((1,), 4.0, lambda of: of.frames == 240 and of.path_changes == 0),
    "cut": ((), 5.0, lambda of: of.frames == 240 and of.path_changes >= 2 and of.through_server > 20),
    "close": ((0, 1), 5.0, lambda of: of.frames == 240 and of.path_changes >= 2 and of.through_server > 20),
    "server-down": ((), 5.0, lambda of: of.frames == 240 and of.through_server == 0),
}


@pytest.mark.parametrize("what", KINDS)
def test_whatever_happens_is_seen_and_judged_right(tmp_path: Path, what: str) -> None:
    """Each kind does what it is called, and costs no frame that it need not."""
    seats, ends, seen = HAPPENED[what]
    outcome = game(tmp_path).run(one(what, seats, ends=ends))
    assert outcome.problems == []
    assert seen(outcome), outcome


@pytest.mark.slow
def test_between_two_of_three_only_their_way_is_cut(tmp_path: Path) -> None:
    """The others stay peer-to-peer."""
    outcome = game(tmp_path, 3).run(one("cut", (0, 2), ends=5.0))
    assert outcome.problems == []
    assert 0 < outcome.path_changes <= 4


@pytest.mark.parametrize(
    "mutant",
    ["predictions pass as known", "input is replaced after it was sent", "a rollback is forgotten",
     "re-simulation keeps stale snapshots"],
)  # fmt: skip
@pytest.mark.slow
def test_a_broken_core_is_found(tmp_path: Path, mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge does not believe what the pages agree on."""
    core_view.MUTANTS[mutant](monkeypatch)
    simulated = game(tmp_path)
    assert not all(simulated.run(replace(BAD, seed=seed)).right for seed in (1, 2, 3))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"head": "counted = [0]\n", "step": "counted[0] += 1; self.places['tree 0'] += counted[0]"}, "state"),
        ({"step": "1 / (60 - self.steps)"}, "ZeroDivisionError"),
        ({"head": "import os\n", "reset": "self.places['tree 0'] = os.urandom(4)[0]"}, "reset() with the same seed"),
    ],
    ids=["hidden state", "raises", "unlike resets"],
)
def test_a_broken_environment_is_found(tmp_path: Path, more: dict[str, str], said: str) -> None:
    """Whatever is wrong with it, in words."""
    outcome = game(tmp_path, **more).run(BAD)
    assert not outcome.right
    assert any(said in problem for problem in outcome.problems), outcome.problems


@pytest.mark.slow
def test_an_early_end_of_an_episode_is_no_fault_and_several_are_played(tmp_path: Path) -> None:
    """The environment says when."""
    simulated = Simulated(Game.of(str(written(tmp_path, length=70))), episodes=3)
    outcome = simulated.run(BAD)
    assert (outcome.problems, outcome.frames) == ([], 210)


def test_what_proves_nothing_is_told(tmp_path: Path) -> None:
    """A game in which nothing moves, and one without a wrong guess, pass every comparison."""
    scenario = Scenario(latency_ms=50.0)
    assert vacuous([Outcome(scenario=scenario)], 2) == ["no frame was played by all who stayed"]
    assert "nothing changed" in vacuous([Outcome(scenario=scenario, frames=9)], 2)[0]
    played = Outcome(scenario=scenario, frames=9, changed=True)
    assert "no guess was ever wrong" in vacuous([played], 2)[0]
    assert vacuous([played], 1) == []
    assert vacuous([replace(played, rollbacks=1)], 2) == []
    assert vacuous([Outcome(scenario=Scenario(), frames=9, changed=True)], 2) == []


@pytest.mark.slow
def test_a_fault_is_left_as_a_small_scenario(tmp_path: Path) -> None:
    """What does not matter to it is taken out, and it still fails."""
    simulated = game(tmp_path, step="1 / (60 - self.steps)")
    happenings = (
        Happening(what="hide", seats=(1,), begins=0.5, ends=1.0),
        Happening(what="cut", begins=0.2, ends=1.2),
    )
    outcome = simulated.run(replace(BAD, happenings=happenings))
    small = shrunk(simulated, outcome)
    assert not small.right
    assert small.scenario == Scenario(seed=3, seconds=2.0)


@pytest.mark.slow
def test_slow_steps_cost_frames_of_the_clock_and_none_of_the_record(tmp_path: Path) -> None:
    """A machine on which a step takes most of a period stands more, and every frame is still right."""
    file = str(written(tmp_path))
    quick = Simulated(Game.of(file)).run(BAD)
    slow = Simulated(Game.of(file), costs=Costs(step=0.03)).run(BAD)
    assert slow.problems == []
    assert slow.frames == quick.frames == 240
    assert slow.seconds > 1.2 * quick.seconds > 8.0


@pytest.mark.parametrize(
    "policies",
    [{"1": "orchard_partner.py:make"}, {"0": "orchard_partner.py:make", "1": "orchard_partner.py:make"}, {}],
)
def test_policies_play_behind_the_people(tmp_path: Path, policies: dict[str, str]) -> None:
    """Every page computes them; nobody plays where all are policies."""
    text = """
class Partner:
    def act(self, outlook, frame, random):
        return random.randrange(4)
def make():
    return Partner()
"""
    (tmp_path / "orchard_partner.py").write_text(text, "utf-8")
    made = Game.of(str(written(tmp_path)), {"policies": policies})
    if len(policies) == 2:
        with pytest.raises(ConfigError):
            Simulated(made)
        return
    simulated = Simulated(made)
    assert simulated.pages == 2 - len(policies)
    outcome = simulated.run(BAD)
    assert (outcome.problems, outcome.frames) == ([], 240)


@pytest.mark.slow
def test_a_page_that_was_loaded_again_has_played_and_what_it_published_before_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its frames count, so that the game is not called empty, and a fault in them is found."""
    simulated = game(tmp_path)
    for page in (0, 1):
        outcome = simulated.run(one("reload", (page,), 4.0))
        assert outcome.problems == []
        assert outcome.frames > 60
        assert vacuous([outcome], 2) == []
    load = Page.load

    def falsified(page: Page) -> None:
        page.rewards[0][20] = {"nobody": 7}
        load(page)

    monkeypatch.setattr(Page, "load", falsified)
    assert "episode 0, page 1: frame 20: rewards" in simulated.run(one("reload", (1,), 4.0)).problems[0]


@pytest.mark.slow
def test_the_predictor_of_the_settings_guesses(tmp_path: Path) -> None:
    """A study that names one can be played, and what it guesses shows in the rollbacks."""
    text = """
class Guess:
    def predict(self, outlook, last, since, frame):
        return 3
def make():
    return Guess()
"""
    (tmp_path / "orchard_guess.py").write_text(text, "utf-8")
    file = str(written(tmp_path))
    outcome = Simulated(Game.of(file, {"prediction": "orchard_guess.py:make"})).run(BAD)
    assert (outcome.problems, outcome.frames) == ([], 240)
    assert outcome.rollbacks != Simulated(Game.of(file)).run(BAD).rollbacks


@pytest.mark.parametrize(
    ("happenings", "may"),
    [
        (["cut @2-60"], False),
        (["close 0-1@2-60"], False),
        (["server-down @2-60"], False),
        (["hide 1@2-60"], False),
        (["freeze 1@2-10"], False),
        (["freeze 1@2-30"], True),
        (["cut @2-60", "server-down @10-30"], True),
        (["cut 0-1@2-60", "server-down @10-13"], False),
        (["cut 0-2@2-60", "socket-down 1@10-13"], False),
        (["socket-down 1@2-5"], False),
        (["socket-down 1@2-5", "socket-down 1@4-8"], True),
        (["leave 1@2"], True),
    ],
)
def test_a_session_may_end_early_only_where_somebody_goes_or_is_not_heard_by_any_way(
    tmp_path: Path, happenings: list[str], may: bool
) -> None:
    """While one of two ways works, the game must be played to its end."""
    scenario = Scenario.from_json({"happenings": happenings, "seconds": 70.0})
    assert _may_end(scenario, game(tmp_path, 3).settings(scenario), 3) is may


@pytest.mark.slow
def test_a_game_that_ends_early_although_the_server_carries_it_is_wrong(tmp_path: Path) -> None:
    """A long cut excuses nothing: who breaks off in it is told."""
    simulated = game(tmp_path)
    scenario = one("cut", (), 2.0, 7.5)
    assert simulated.run(scenario).problems == []
    mesh = simulated._mesh

    def aborted(*of: Any) -> Mesh:
        made = mesh(*of)
        made.at(5.0, lambda: made.peers[0].abort("no_progress", "nothing moves"))
        return made

    simulated._mesh = aborted  # type: ignore[method-assign]
    assert "page 0 ended with 'no_progress'" in simulated.run(scenario).problems


@pytest.mark.slow
def test_a_short_episode_proves_something_and_a_game_in_which_nothing_moves_does_not(tmp_path: Path) -> None:
    """An episode that is over before its first hash has moved all the same; actions alone are not enough."""
    outcome = game(tmp_path, length=12).run(BAD)
    assert (outcome.problems, outcome.frames, outcome.changed) == ([], 12, True)
    still = "self.steps = 0; self.places.update(dict.fromkeys(self.agents, 0)); self.random.seed(1); actions = {}"
    outcome = game(tmp_path, step=still, reset="self.random.seed(1)").run(BAD)
    assert (outcome.problems, outcome.frames, outcome.changed) == ([], 240, False)


@pytest.mark.slow
def test_those_who_stayed_have_played_where_somebody_went_who_had_published_nothing(tmp_path: Path) -> None:
    """What a page published that is gone does not count against the rest."""
    vanishes = Happening(what="vanish", seats=(7,), begins=1.0)
    outcome = game(tmp_path, 8).run(replace(BAD, seconds=3.0, happenings=(vanishes,)))
    assert outcome.problems == []
    assert outcome.frames > 0


def test_a_game_on_very_slow_machines_is_waited_for(tmp_path: Path) -> None:
    """However long its steps take: it is slow, not wrong."""
    outcome = Simulated(Game.of(str(written(tmp_path))), costs=Costs(step=0.6)).run(replace(BAD, seconds=10.0))
    assert (outcome.problems, outcome.frames) == ([], 300)
    assert outcome.seconds > 150.0


# -- the command -----------------------------------------------------------------------------------------------------


def simulate(*words: str | Path) -> tuple[int, str]:
    """Its status, and what it printed."""
    done = CliRunner().invoke(cli, ["simulate", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.mark.slow
def test_the_command_plays_seeds_and_says_what_happened(tmp_path: Path) -> None:
    """As a table, or for scripts."""
    words = (written(tmp_path), "--latency", "80", "--loss", "10", "--seconds", "4", "--hide", "1@1-2")
    status, text = simulate(*words, "--seeds", "3")
    assert status == 0
    assert "right: 3 games" in text
    assert "happened: hide" in text
    status, text = simulate(*words, "--seeds", "2", "--from", "7", "--json")
    found = json.loads(text)
    assert (status, found["right"], found["seeds"], found["next"]) == (0, True, 2, 9)
    assert found["happened"]["frames"] == 240
    assert [outcome["scenario"]["seed"] for outcome in found["outcomes"]] == [7, 8]
    assert found["outcomes"][0]["scenario"]["happenings"] == ["hide 1@1-2"]


@pytest.mark.slow
def test_a_fault_is_told_and_its_scenario_can_be_played_again(tmp_path: Path) -> None:
    """Status 1, both times."""
    file = written(tmp_path, step="1 / (60 - self.steps)")
    out = tmp_path / "found"
    status, text = simulate(file, "--random", "--seeds", "2", "--seconds", "4", "--out", out)
    assert status == 1
    assert "WRONG: seed 1: raised ZeroDivisionError" in text
    left = out / "scenario-1.json"
    assert str(left) in text.replace("\n", "")
    status, text = simulate(file, "--scenario", left)
    assert (status, "ZeroDivisionError" in text) == (1, True)
    assert simulate(written(tmp_path), "--scenario", left)[0] == 0


@pytest.mark.slow
def test_what_was_played_is_told_when_somebody_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And where to go on; it is no success."""
    played = Simulated.run

    def run(self: Simulated, scenario: Scenario) -> Outcome:
        if scenario.seed == 3:
            raise KeyboardInterrupt
        return played(self, scenario)

    monkeypatch.setattr(Simulated, "run", run)
    status, text = simulate(written(tmp_path), "--latency", "80", "--seconds", "3", "--seeds", "9")
    assert status == 1
    assert "right: 2 games" in text
    assert "stopped after 2 of 9 games; --from 3 goes on" in text


def test_a_run_that_proves_nothing_is_not_right(tmp_path: Path) -> None:
    """Status 1, and why."""
    settings = tmp_path / "settings.json"
    words = (written(tmp_path), "--latency", "20", "--seconds", "2", "--seeds", "1", "--settings", settings)
    status, text = simulate(*words)
    assert (status, "cannot read" in " ".join(text.split())) == (2, True)
    settings.write_text(json.dumps({"input_delay": 6}), "utf-8")
    status, text = simulate(*words)
    assert status == 1
    assert "NOTHING PROVED: no guess was ever wrong" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere.py",), "there is no file nowhere.py"),
        (("--leave", "1"), "write SEAT@WHEN"),
        (("--leave", "4@1"), "the pages are 0 to 1"),
        (("--cut", "0-1@3"), "write [SEAT-SEAT]@FROM-TO"),
        (("--players", "3"), "for 3 agents"),
    ],
)
def test_a_wrong_call_is_told_what_to_do(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    """Status 2, in one sentence."""
    file = () if words[0].endswith(".py") else (written(tmp_path),)
    status, text = simulate(*file, *words)
    assert status == 2
    assert said in " ".join(text.split())


def test_a_file_that_is_no_scenario_is_refused(tmp_path: Path) -> None:
    """By its name."""
    bad = tmp_path / "bad.json"
    bad.write_text("{", "utf-8")
    status, text = simulate(written(tmp_path), "--scenario", bad)
    assert (status, "is no JSON" in " ".join(text.split())) == (2, True)
