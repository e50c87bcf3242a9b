"""Games in virtual time: what is right passes, whatever happens to the pages, and what is broken does not."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import core_view
import pytest
from click.testing import CliRunner

from pycore import ConfigError
from pycore.cli import cli
from pycore.rehearsal import Game
from pycore.rehearsal.many import shrunk
from pycore.rehearsal.patience import may_end
from pycore.rehearsal.result import Outcome, vacuous
from pycore.rehearsal.simulated import Simulated
from pycore.session.settling import Round, Settled, Word
from pycore.testing import Mesh
from pycore.testing.kinds import KINDS
from pycore.testing.pages import Page
from pycore.testing.scenario import Happening, Scenario

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


def one(*happenings: str) -> Scenario:
    """A bad network on which these things happen."""
    return replace(BAD, happenings=Scenario.from_json({"happenings": list(happenings)}).happenings)


def fell_back(of: Outcome) -> bool:
    """Peer-to-peer was given up and found again, and the server carried inputs meanwhile."""
    return of.frames == 240 and of.path_changes >= 2 and of.through_server > 20


HAPPENED: dict[str, tuple[tuple[str, ...], Callable[[Outcome, Outcome], bool]]] = {
    "leave": (("leave 1@2",), lambda of, calm: of.reasons == ("player_left", "gone") and 30 < of.frames < 120),
    "vanish": (("vanish 1@2",), lambda of, calm: of.reasons == ("player_left", "gone") and 30 < of.frames < 120),
    "reload": (("reload 1@2",), lambda of, calm: of.frames == 240 and of.reasons == ("complete", "complete")),
    "break": (("break 1@3",), lambda of, calm: of.reasons == ("player_left", "error") and 30 < of.frames < 120),
    "stop": (("stop 1@3",), lambda of, calm: of.reasons == ("stop", "stop") and 60 < of.frames < 120),
    "hide": (("hide 1@2-5",), lambda of, calm: of.frames == 240 and of.rollbacks < calm.rollbacks),
    "freeze": (("freeze 1@2-4",), lambda of, calm: of.frames == 240 and of.stalls > 20 and of.through_server > 0),
    "hiccups": (("hiccups 1@1=1.5",), lambda of, calm: of.frames == 240 and of.seconds > calm.seconds + 1),
    "slow": (("slow 1@1=30",), lambda of, calm: of.frames == 240 and of.seconds > calm.seconds + 1.5),
    "ticks": (("ticks 1@1=15",), lambda of, calm: of.frames == 240 and of.seconds > calm.seconds + 6),
    "skew": (("skew 1@1=4",), lambda of, calm: of.frames == 240 and of.seconds < calm.seconds - 0.2),
    "clock": (("clock 1@3=-60",), lambda of, calm: of.frames == 240),
    "socket-down": (("socket-down 1@2-4",), lambda of, calm: of.frames == 240 and of.path_changes == 0),
    "socket-dies": (("cut@1.5-6", "socket-dies 1@2-4=1"), lambda of, calm: fell_back(of) and of.stalls > 100),
    "cut": (("cut@2-5",), lambda of, calm: fell_back(of)),
    "cut-one-way": (("cut-one-way 0-1@2-5",), lambda of, calm: fell_back(of)),
    "hang": (("hang@2-5",), lambda of, calm: fell_back(of)),
    "close": (("close 0-1@2-5",), lambda of, calm: fell_back(of) and of.stalls == 0),
    "close-late": (("close-late 0-1@2-5=1",), lambda of, calm: fell_back(of) and of.stalls > 0),
    "fail": (("fail 0-1@2-5",), lambda of, calm: fell_back(of)),
    "congest": (("congest 1@2-5",), lambda of, calm: fell_back(of) and of.path_changes == 2),
    "refuse": (("refuse 0-1@2-5",), lambda of, calm: fell_back(of)),
    "lose-next": (("lose-next 0-1@2=40",), lambda of, calm: fell_back(of) and of.lost_in_bursts == 40),
    "delay": (("delay 0-1@2-5=250",), lambda of, calm: of.frames == 240 and of.resimulated > calm.resimulated),
    "lossy": (("lossy@2-5=60",), lambda of, calm: of.frames == 240 and of.deepest > calm.deepest),
    "narrow": (("narrow@2-5=25",), lambda of, calm: of.frames == 240 and of.deepest > calm.deepest),
    "server-down": (("server-down@2-5",), lambda of, calm: of.frames == 240 and of.through_server == 0),
    "server-restart": (("cut@2.5-7", "server-restart@3"), lambda of, calm: fell_back(of) and of.stalls > 50),
}
"""What is seen of it, beside the same network without it."""


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The same network without anything that happens."""
    return game(tmp_path_factory.mktemp("calm")).run(BAD)


@pytest.mark.slow
@pytest.mark.parametrize("what", KINDS)
def test_whatever_happens_is_seen_and_judged_right(tmp_path: Path, what: str, calm: Outcome) -> None:
    """Each kind does what it is called, and costs no frame that it need not."""
    happenings, seen = HAPPENED[what]
    outcome = game(tmp_path).run(one(*happenings))
    assert outcome.problems == []
    assert seen(outcome, calm), outcome


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "seen"),
    [
        ({"bursts": 0.2, "burst_length": 15.0}, lambda of, calm: of.lost_in_bursts > 60 and of.deepest > calm.deepest),
        ({"duplicates": 0.3}, lambda of, calm: of.doubled > 60 and of.rollbacks > 0),
        ({"reordering": 0.4}, lambda of, calm: of.held_back > 60 and of.resimulated > calm.resimulated),
        ({"bandwidth_kbps": 25.0}, lambda of, calm: of.choked > 0 and fell_back(of)),
    ],
    ids=["bursts", "duplicates", "reordering", "bandwidth"],
)
def test_whatever_the_network_does_is_seen_and_judged_right(
    tmp_path: Path, more: dict[str, Any], seen: Callable[[Outcome, Outcome], bool], calm: Outcome
) -> None:
    """It happened, and not a frame is lost by it."""
    outcome = game(tmp_path).run(replace(BAD, **more))
    assert (outcome.problems, outcome.frames) == ([], 240)
    assert seen(outcome, calm), outcome


@pytest.mark.slow
def test_who_is_frozen_for_good_is_waited_for_by_nobody(tmp_path: Path) -> None:
    """The other one ends by itself, and what both published is true."""
    outcome = game(tmp_path).run(one("freeze 1@3"))
    assert (outcome.problems, outcome.reasons) == ([], ("player_left", "gone"))
    assert outcome.seconds < 30.0


@pytest.mark.slow
@pytest.mark.parametrize("what", ["leave 1@2", "vanish 1@2", "freeze 1@2"])
def test_of_three_the_others_end_alike_or_play_on(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `on_drop` says; and where they do not settle alike, that is found."""
    file = str(written(tmp_path, 3))
    ended = Simulated(Game.of(file)).run(one(what))
    assert (ended.problems, ended.reasons) == ([], ("player_left", "gone", "player_left"))
    assert ended.frames < 200
    playing = Simulated(Game.of(file, {"on_drop": "default_action"}))
    went_on = playing.run(one(what))
    assert (went_on.problems, went_on.reasons, went_on.frames) == ([], ("complete", "gone", "complete"), 240)
    settle, rounds = Round.settle, []

    def differs(self: Round, own: Word, others: Iterable[int]) -> Settled | None:
        if self not in rounds:
            rounds.append(self)
        found = settle(self, own, others)
        less = rounds.index(self)
        return found and Settled({seat: frame - less for seat, frame in found.frames.items()}, found.ready)

    monkeypatch.setattr(Round, "settle", differs)
    assert {"record", "survivors"} & set(playing.run(one(what)).kinds)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["leave 1@2", "vanish 0@2"])
def test_of_three_the_others_play_on_with_a_policy_in_the_place_of_who_is_gone(tmp_path: Path, what: str) -> None:
    """As the study names it, and as a bare loop has it."""
    file = written(tmp_path, 3)
    (tmp_path / "orchard_after.py").write_text(
        "class After:\n"
        "    def act(self, outlook, frame, random):\n"
        "        return random.randrange(4)\n\n\n"
        "def make_policy():\n"
        "    return After()\n"
    )
    playing = Simulated(Game.of(str(file), {"on_drop": "policy", "stand_in": "orchard_after.py"}))
    went_on = playing.run(one(what))
    stay = [reason for seat, reason in enumerate(went_on.reasons) if str(seat) not in what.partition("@")[0]]
    assert (went_on.problems, stay, went_on.frames) == ([], ["complete"] * 2, 240)


@pytest.mark.slow
def test_between_two_of_three_only_their_way_is_cut(tmp_path: Path) -> None:
    """The others stay peer-to-peer."""
    outcome = game(tmp_path, 3).run(one("cut 0-2@2-5"))
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
        (
            {"head": "import os\n", "reset": "self.places['tree 0'] = int(os.urandom(6).hex(), 16)"},
            "reset() with the same seed",
        ),
    ],
    ids=["hidden state", "raises", "unlike resets"],
)
def test_a_broken_environment_is_found(tmp_path: Path, more: dict[str, str], said: str) -> None:
    """Whatever is wrong with it, in words."""
    outcome = game(tmp_path, **more).run(BAD)
    assert not outcome.right
    assert any(said in problem for problem in outcome.problems), outcome.problems


@pytest.mark.slow
def test_an_environment_whose_pages_go_apart_is_told_with_the_field_and_both_values(tmp_path: Path) -> None:
    """An address in memory is another one in every page."""
    step = 'self.places["here"] = id(self) if self.steps == 40 else self.places.get("here", 0)'
    outcome = game(tmp_path, step=step).run(Scenario(seed=1, seconds=6.0))
    found = [problem for problem in outcome.problems if "differ in the state of episode 0, frame 60" in problem]
    assert len(found) == 2
    told = [re.search(r"; state\.env\.layers\[0\]\.places\.here is (\d+) and (\d+)", problem) for problem in found]
    assert all(told), found
    one, two = (of.groups() for of in told if of is not None)
    assert one == two[::-1]
    assert one[0] != one[1]


@pytest.mark.slow
def test_an_early_end_of_an_episode_is_no_fault_and_several_are_played(tmp_path: Path) -> None:
    """The environment says when."""
    outcome = game(tmp_path, length=70).run(replace(BAD, episodes=3))
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


def test_what_is_left_has_a_fault_of_the_same_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one, which the smaller scenario has as well, is not what was looked for."""
    simulated = game(tmp_path)
    first = one("hide 1@0.5-1", "cut@0.2-1.2")

    def run(scenario: Scenario) -> Outcome:
        outcome = Outcome(scenario=scenario)
        what = {of.what for of in scenario.happenings}
        if "cut" not in what:
            outcome.add(("raised ZeroDivisionError", "raised ZeroDivisionError: division by zero"))
        elif scenario.loss:
            outcome.add(("standing", "stands"), ("record", "frame 3"))
        return outcome

    monkeypatch.setattr(simulated, "run", run)
    small = shrunk(simulated, run(first))
    assert small.kinds == ["standing", "record"]
    assert small.scenario == Scenario(seed=3, seconds=2.0, loss=0.1, happenings=one("cut@0.2-1.2").happenings)


def test_who_interrupts_the_shrinking_gets_the_smallest_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found is not lost."""
    simulated = game(tmp_path)
    tries: list[Scenario] = []

    def run(scenario: Scenario) -> Outcome:
        tries.append(scenario)
        if len(tries) == 3:
            raise KeyboardInterrupt
        outcome = Outcome(scenario=scenario)
        outcome.add(("record", "frame 3"))
        return outcome

    monkeypatch.setattr(simulated, "run", run)
    assert shrunk(simulated, run(one("hide 1@0.5-1", "cut@0.2-1.2"))).scenario == one("cut@0.2-1.2")


@pytest.mark.slow
def test_slow_steps_cost_frames_of_the_clock_and_none_of_the_record(tmp_path: Path) -> None:
    """A machine on which a step takes most of a period stands more, and every frame is still right."""
    simulated = game(tmp_path)
    quick = simulated.run(BAD)
    slow = simulated.run(replace(BAD, step_ms=30.0))
    assert slow.problems == []
    assert slow.frames == quick.frames == 240
    assert slow.seconds > 1.2 * quick.seconds > 8.0


@pytest.mark.slow
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
@pytest.mark.parametrize("reaction", [0, 5])
def test_a_policy_whose_agent_has_left_is_shown_nothing_by_the_truth_too(tmp_path: Path, reaction: int) -> None:
    """As the pages show it nothing: the truth looked for an observation that is not there, and the command failed."""
    text = """
class Partner:
    def act(self, outlook, frame, random):
        return 0 if outlook.observation is None else 1 + random.randrange(3)
def make():
    return Partner()
"""
    (tmp_path / "orchard_partner.py").write_text(text, "utf-8")
    leaves = "self.places.pop('tree 2', None) if self.steps == 60 else None; self.agents = list(self.places)"
    named = {"policies": {"2": {"policy": "orchard_partner.py:make", "reaction_time": reaction}}}
    simulated = Simulated(Game.of(str(written(tmp_path, 3, step=leaves)), named))
    outcome = simulated.run(BAD)
    assert (outcome.problems, outcome.frames) == ([], 240)
    assert outcome.rollbacks > 20


@pytest.mark.slow
def test_a_page_that_was_loaded_again_has_played_and_what_it_published_before_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its frames count, so that the game is not called empty, and a fault in them is found."""
    simulated = game(tmp_path)
    for page in (0, 1):
        outcome = simulated.run(one(f"reload {page}@4"))
        assert outcome.problems == []
        assert outcome.frames > 60
        assert vacuous([outcome], 2) == []
    load = Page.load

    def falsified(page: Page) -> None:
        page.rewards[0][20] = {"nobody": 7}
        load(page)

    monkeypatch.setattr(Page, "load", falsified)
    assert "episode 0, page 1: frame 20: rewards" in simulated.run(one("reload 1@4")).problems[0]


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
        (["cut @2-60", "server-down @10-30"], False),
        (["cut @2-95", "server-down @10-75"], True),
        (["cut @2-60", "server-down @10-30", "socket-down 1@12-13"], True),
        (["cut 0-1@2-60", "server-down @10-13"], False),
        (["cut 0-2@2-60", "socket-down 1@10-13"], False),
        (["socket-down 1@2-5"], False),
        (["socket-down 1@2-40"], False),
        (["socket-down 1@2-40", "socket-down 1@39-63"], True),
        (["leave 1@2"], True),
        (["reload 1@4=0", "reload 1@8", "reload 1@20=45"], False),
        (["reload 1@4=59"], True),
        (["socket-down 1@4-50", "reload 1@55"], False),
        (["reload 1@1"], True),
        (["reload 1@4", "reload 2@30"], True),
        (["reload 1@4=9", "reload 1@15"], True),
        (["reload 1@4", "cut @20-21"], True),
    ],
)
def test_a_session_may_end_early_only_where_somebody_goes_or_is_not_heard_by_any_way(
    tmp_path: Path, happenings: list[str], may: bool
) -> None:
    """While one of two ways works, the game must be played to its end; and while the server is away, for as long as
    pages wait that know so. Who is loaded again while nothing else happens comes back."""
    scenario = Scenario.from_json({"happenings": happenings, "seconds": 70.0})
    assert may_end(scenario, game(tmp_path, 3).settings(scenario), 3) is may


def breaks_off(
    simulated: Simulated, at: float = 5.0, reason: str = "no_progress", text: str = "nothing moves"
) -> None:
    """From here on the first page of each game breaks off then, s."""
    mesh = simulated._mesh

    def aborted(*of: Any) -> Mesh:
        made = mesh(*of)
        made.at(at, lambda: made.peers[0].abort(reason, text))
        return made

    simulated._mesh = aborted  # type: ignore[method-assign]


@pytest.mark.slow
def test_a_game_that_ends_early_although_the_server_carries_it_is_wrong(tmp_path: Path) -> None:
    """A long cut excuses nothing: who breaks off in it is told."""
    simulated = game(tmp_path)
    scenario = one("cut@2-7.5")
    assert simulated.run(scenario).problems == []
    breaks_off(simulated)
    assert "page 0 ended with 'no_progress'" in simulated.run(scenario).problems


@pytest.mark.slow
def test_where_an_environment_raises_nobody_has_asked_for_the_end(tmp_path: Path) -> None:
    """Also while the others are getting ready: `stop` was allowed there, and is an end that says something wrong."""
    simulated = game(tmp_path)
    scenario = one("break 1@1")
    assert simulated.run(scenario).reasons == ("player_left", "error")
    breaks_off(simulated, 1.01, "stop", "somebody asked for the end")
    assert "page 0 ended with 'stop'" in simulated.run(scenario).problems


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


@pytest.mark.slow
def test_a_game_on_very_slow_machines_is_waited_for(tmp_path: Path) -> None:
    """However long its steps take: it is slow, not wrong."""
    outcome = game(tmp_path).run(replace(BAD, seconds=10.0, step_ms=600.0))
    assert (outcome.problems, outcome.frames) == ([], 300)
    assert outcome.seconds > 150.0


@pytest.mark.slow
def test_the_studys_settings_are_played_but_for_the_episodes_length(tmp_path: Path) -> None:
    """Hashes as often as it says, and no peer-to-peer where it wants none: the outcome says so."""
    file = str(written(tmp_path))
    seldom = Simulated(Game.of(file)).run(BAD)
    often = Simulated(Game.of(file, {"hash_interval": 5, "p2p": False})).run(BAD)
    assert (seldom.problems, often.problems, often.frames) == ([], [], 240)
    assert often.hashes > 5 * seldom.hashes > 0
    assert (seldom.scenario.socketio_only, often.scenario.socketio_only) == (False, True)
    assert often.through_server == 480


@pytest.mark.slow
def test_what_was_planned_behind_the_end_has_not_happened_and_excuses_nothing(tmp_path: Path) -> None:
    """Nor what is to happen to a page that is gone."""
    simulated = game(tmp_path)
    late = one("hide 1@1-2", "leave 1@60", "cut@61-62")
    outcome = simulated.run(late)
    assert (outcome.problems, outcome.reasons) == ([], ("complete", "complete"))
    assert [str(of) for of in outcome.happened] == ["hide 1@1-2"]
    assert [str(of) for of in outcome.too_late] == ["leave 1@60", "cut@61-62"]
    gone = simulated.run(one("leave 1@2", "hide 1@3-4"))
    assert (gone.problems, [str(of) for of in gone.too_late]) == ([], ["hide 1@3-4"])
    breaks_off(simulated)
    assert "page 0 ended with 'no_progress'" in simulated.run(late).problems


def meshes_of(simulated: Simulated, monkeypatch: pytest.MonkeyPatch) -> list[Mesh]:
    """Those that it will play."""
    made: list[Mesh] = []
    mesh = simulated._mesh

    def kept(*of: Any) -> Mesh:
        made.append(mesh(*of))
        return made[-1]

    monkeypatch.setattr(simulated, "_mesh", kept)
    return made


@pytest.mark.slow
@pytest.mark.parametrize(("within", "kept"), [(60.0, 60.0), (7.0, 7.0), (0.0, 15.0)])
def test_the_server_keeps_a_seat_for_as_long_as_the_relay_does(
    tmp_path: Path, within: float, kept: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the study says, or the relay where nobody may return."""
    simulated = Simulated(Game.of(str(written(tmp_path)), {"return_within": within}))
    meshes = meshes_of(simulated, monkeypatch)
    simulated.run(replace(BAD, seconds=1.0))
    assert [mesh.server.grace for mesh in meshes] == [kept]


@pytest.mark.slow
def test_a_game_that_waits_for_a_return_is_waited_for(tmp_path: Path) -> None:
    """However long the study lets somebody be away."""
    outcome = Simulated(Game.of(str(written(tmp_path)), {"return_within": 600})).run(one("server-down@2", "vanish 1@3"))
    assert outcome.problems == []
    assert outcome.seconds > 500.0


@pytest.mark.slow
def test_a_page_that_is_loaded_again_is_away_for_a_while_and_is_played_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three seconds, or as many as are said; with none nobody notices."""
    settings = {"on_drop": "default_action", "on_interrupt": "default_action"}
    simulated = Simulated(Game.of(str(written(tmp_path)), settings))
    meshes = meshes_of(simulated, monkeypatch)
    for text in ("reload 1@2", "reload 1@2=5", "reload 1@2=0"):
        outcome = simulated.run(one(text))
        assert (outcome.problems, outcome.frames, outcome.reasons) == ([], 240, ("complete", "complete"))
    spans = [[json.loads("{" + text[1:] + "}")["gone"] for text in mesh.peers[0].stood_in[0].values()]
             for mesh in meshes]  # fmt: skip
    assert [list(of) for of in (spans[0][:1], spans[1][:1])] == [[{"1": "default_action"}]] * 2
    frames = [list(mesh.peers[0].stood_in[0]) for mesh in meshes]
    assert 30 < frames[0][1] - frames[0][0] < frames[1][1] - frames[1][0]


@pytest.mark.slow
def test_a_page_that_is_closed_while_it_is_loaded_does_not_come(tmp_path: Path) -> None:
    """And one that is loaded once more comes once."""
    outcome = game(tmp_path).run(one("reload 1@2=4", "leave 1@3"))
    assert (outcome.problems, outcome.reasons) == ([], ("player_left", "gone"))
    outcome = game(tmp_path).run(one("reload 1@2=4", "reload 1@3=4"))
    assert (outcome.problems, outcome.reasons) == ([], ("complete", "complete"))
    assert len(outcome.happened) == 2


@pytest.mark.slow
def test_a_game_that_proves_nothing_is_not_right(tmp_path: Path) -> None:
    """Also for who asks one outcome alone."""
    outcome = Simulated(Game.of(str(written(tmp_path)), {"input_delay": 6})).run(Scenario(latency_ms=20.0, seconds=2.0))
    assert (outcome.problems, outcome.right) == ([], False)
    assert "no guess was ever wrong" in outcome.unproved[0]
    assert game(tmp_path).run(replace(BAD, seconds=2.0)).right


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
def test_what_is_wrong_is_told_although_no_scenario_can_be_written(tmp_path: Path) -> None:
    """Of a thousand games a name of a folder that is a file must not be all that is said."""
    (tmp_path / "found").touch()
    file = written(tmp_path, step="1 / (60 - self.steps)")
    status, text = simulate(file, "--seeds", "2", "--seconds", "3", "--out", tmp_path / "found" / "here")
    assert status == 2
    assert "WRONG: seed 1: raised ZeroDivisionError" in text
    assert "Not a directory" in text


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


@pytest.mark.slow
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
        (("--leave", "1"), "write PAGE@S"),
        (("--leave", "4@1"), "the pages are 0 to 1"),
        (("--cut", "1@3"), "write [A-B]@FROM[-TO]"),
        (("--slow", "1@3"), "write PAGE@FROM[-TO]=PCT"),
        (("--players", "3"), "for 3 agents"),
    ],
)
def test_a_wrong_call_is_told_what_to_do(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    """Status 2, in one sentence."""
    file = () if words[0].endswith(".py") else (written(tmp_path),)
    status, text = simulate(*file, *words)
    assert status == 2
    assert said in " ".join(text.split())


@pytest.mark.parametrize("words", [("--latency", "80"), ("--hide", "1@2-3"), ("--random",), ("--seeds", "20")])
def test_what_a_scenarios_file_says_itself_is_refused_beside_it(tmp_path: Path, words: tuple[str, ...]) -> None:
    """It would be ignored."""
    file = tmp_path / "scenario.json"
    file.write_text(json.dumps(replace(BAD, seconds=1.0).as_json()), "utf-8")
    status, text = simulate(written(tmp_path), "--scenario", file, *words)
    assert (status, f"{words[0]} would be ignored" in " ".join(text.split())) == (2, True)


@pytest.mark.slow
def test_what_came_too_late_is_told_and_not_counted(tmp_path: Path) -> None:
    """Each as it is written, with the number of games."""
    words = (written(tmp_path), "--latency", "80", "--seconds", "2", "--seeds", "2", "--leave", "1@50")
    status, text = simulate(*words)
    assert status == 0
    assert "never happened: leave 1@50: the game was over before, or the page gone (2 of 2 games)" in text
    assert "happened: leave " not in text.replace("never happened: leave", "")
    assert json.loads(simulate(*words, "--json")[1])["never_happened"] == {"leave 1@50": 2}


def test_a_mesh_that_cannot_be_made_is_a_wrong_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no fault of the game: it has not been played."""

    def refuses(self: Simulated, *_: Any) -> Mesh:
        raise ConfigError("input_delay is 70; it must be from 0 to 60")

    monkeypatch.setattr(Simulated, "_mesh", refuses)
    status, text = simulate(written(tmp_path), "--seeds", "1")
    assert (status, "input_delay is 70" in " ".join(text.split())) == (2, True)


@pytest.mark.slow
def test_a_scenario_holds_all_that_decides_the_run(tmp_path: Path) -> None:
    """Episodes and the cost of a step too; what the call says goes before it."""
    file = tmp_path / "scenario.json"
    file.write_text(json.dumps(replace(BAD, seconds=2.0, episodes=2, step_ms=30.0).as_json()), "utf-8")
    words = (written(tmp_path), "--scenario", file, "--json")
    status, text = simulate(*words)
    slow = json.loads(text)["happened"]
    assert (status, slow["frames"]) == (0, 120)
    quick = json.loads(simulate(*words, "--step", "0")[1])["happened"]
    assert (quick["frames"], quick["virtual seconds"] < slow["virtual seconds"]) == (120, True)
    assert json.loads(simulate(*words, "--episodes", "1")[1])["happened"]["frames"] == 60


@pytest.mark.slow
def test_what_was_played_is_told_when_the_process_is_terminated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by Ctrl-C: one JSON object, and where to go on."""
    played = Simulated.run

    def run(self: Simulated, scenario: Scenario) -> Outcome:
        if scenario.seed == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return played(self, scenario)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(Simulated, "run", run)
    words = ["simulate", str(written(tmp_path)), "--latency", "80", "--seconds", "2", "--seeds", "9", "--json"]
    done = CliRunner().invoke(cli, words)
    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (found["right"], found["seeds"], found["next"]) == (True, 2, 3)
    assert "stopped after 2 of 9 games; --from 3 goes on" in done.stderr
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_file_that_is_no_scenario_is_refused(tmp_path: Path) -> None:
    """By its name."""
    bad = tmp_path / "bad.json"
    bad.write_text("{", "utf-8")
    status, text = simulate(written(tmp_path), "--scenario", bad)
    assert (status, "is no JSON" in " ".join(text.split())) == (2, True)
