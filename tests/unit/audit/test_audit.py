"""The audit: an environment with a fault is found to have it, and one without has none."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import audited
import pytest
from click.testing import CliRunner
from optional import needs_numpy

from pycore.audit import Finding, Report
from pycore.audit.objects import oddities
from pycore.audit.pyodide import needs
from pycore.audit.running import audit
from pycore.audit.sampling import sampled, script
from pycore.audit.source import findings_of_source
from pycore.audit.stages import run
from pycore.audit.timing import Costs, findings_of_costs
from pycore.audit.trial import Given, Trial
from pycore.cli import cli
from pycore.envs import ParallelEnvAdapter
from pycore.envs.outside import looks
from pycore.errors import ConfigError
from pycore.rehearsal.game import Game
from pycore.testing.games import Walk
from tools import distributions
from tools.paths import NEWEST

FILE = Path(audited.__file__)
FRAMES = 60


def tried(factory: Any, **given: Any) -> Report:
    """The report on an environment, made in this process."""
    report = Report(factory.__name__)
    run(Trial(Given(factory, **{"frames": FRAMES, **given}), report), lambda text: None)
    return report


def codes(report: Report, *, but: str = "source_") -> set[tuple[str, str]]:
    """What was found, without what the source of this very file says."""
    return {(finding.harm, finding.code) for finding in report.findings if not finding.code.startswith(but)}


def test_an_environment_without_a_fault_is_fit_and_has_nothing_against_it() -> None:
    report = tried(audited.Fit)
    assert codes(report) == set()
    assert report.fit
    assert report.facts["state"] == "capture"
    assert report.facts["agents"] == ["left", "right"]
    assert report.facts["actions"] == ["discrete {'n': 3}"] * 2
    assert report.facts["settings"] == '{"action_space": {"type": "discrete", "n": 3}}'
    assert report.facts["costs"]["step_us"] > 0


@pytest.mark.slow
def test_the_audit_draws_nothing_from_the_environments_own_spaces() -> None:
    """A space that was drawn from is part of a captured state, with a generator that nobody seeded."""
    spaces = pytest.importorskip("gymnasium.spaces")
    made = []

    class Spaced(audited.Fit):
        def __init__(self) -> None:
            super().__init__()
            self.spaces = {agent: spaces.Discrete(3) for agent in self.possible_agents}
            made.append(self)

        def action_space(self, agent: str) -> Any:
            return self.spaces[agent]

    report = tried(Spaced)
    assert (report.fit, codes(report)) == (True, set())
    assert len(made) > 1
    assert [space._np_random for of in made for space in of.spaces.values()] == [None] * 2 * len(made)


@pytest.mark.slow
def test_a_turn_based_game_is_played_with_legal_moves_to_its_end() -> None:
    """So both have moved, and games have ended; the settings say that nobody has to move."""
    report = tried(audited.Turns)
    assert codes(report) == set()
    assert str(report.facts["interface"]).startswith("aec: ")
    space = {"type": "discrete", "n": 3, "start": 1}
    assert json.loads(report.facts["settings"]) == {"action_space": {"type": "optional", "space": space}}


@pytest.mark.slow
def test_with_get_state_it_may_be_sent_and_what_never_changed_is_named() -> None:
    report = tried(audited.Saved)
    assert report.fit
    assert report.facts["state"] == "get_state"
    assert report.facts["state can be sent"] is True
    assert codes(report) == set()


@pytest.mark.slow
def test_what_was_not_tried_is_said() -> None:
    """No end, no reward, a field that never changed, and generators that were drawn from."""
    found = {finding.code: finding for finding in tried(audited.Endless).findings}
    assert found["no_end"].what == f"no episode ended in {FRAMES} frames of random actions"
    assert found["no_reward"].what == f"every reward of {FRAMES} frames was 0"
    report = tried(audited.Constant)
    assert [finding.what for finding in report.findings if finding.code == "never_changed"] == [
        f"never changed in {FRAMES} frames, so not tried: size"
    ]
    assert report.facts["generators"] == ["none of the process or of np_random"]
    assert tried(audited.Sparkles).facts["generators"] == ["random"]


@pytest.mark.slow
def test_an_instance_that_others_draw_beside_is_compared_with_one_alone() -> None:
    """A page draws from the process's generators, too. Two instances agree where nobody does."""
    found = [finding for finding in tried(audited.Process, frames=100).findings if finding.harm == "unfit"]
    assert found[0].code == "two_instances"
    assert re.search(r"first after frame 0 of episode 2: env\..*x was", found[0].what)


@pytest.mark.slow
def test_what_a_reset_leaves_of_a_later_episode_is_found() -> None:
    """Instances that have played nothing yet agree."""
    (finding,) = [finding for finding in tried(audited.Wins, frames=90).findings if finding.harm == "unfit"]
    assert finding.code == "two_resets"
    assert re.search(r"first after frame 0 of episode 0: .*env\.wins was 0, then 1", finding.what)


@pytest.mark.slow
def test_what_drawing_changes_in_captured_attributes_is_no_fault() -> None:
    assert codes(tried(audited.DrawsUnsaved)) == set()


@pytest.mark.slow
def test_what_drawing_draws_from_a_generator_of_the_process_is_no_fault() -> None:
    assert codes(tried(audited.Sparkles)) == set()


@pytest.mark.slow
@needs_numpy
def test_an_array_of_pixels_is_drawn() -> None:
    """The audit said that no page could."""
    assert codes(tried(audited.Picture)) == set()


@pytest.mark.parametrize(
    ("factory", "harm", "code", "what"),
    [
        (audited.Forgets, "unfit", "laws", r"after set_state\(\) the same actions gave something else"),
        (audited.Cached, "risk", "attributes_left", "does not restore .*calls"),
        (audited.Constructed, "unfit", "two_instances", r"first after frame 0 of episode 0: env\..*luck was"),
        (audited.Timed, "unfit", "laws", "in what step.. returned"),
        (audited.Deaf, "wrong", "actions_ignored", "no action of left, right changed anything in 60 frames"),
        (audited.HalfDeaf, "risk", "actions_ignored", "no action of right changed"),
        (audited.Draws, "wrong", "render_changes", r"render\(\) changed the state: .*x was"),
        (audited.Blinks, "wrong", "render_changes", r"drawn meanwhile.* first after frame \d: env\.x was"),
        (audited.Looks, "note", "observations_unseen", "not compared: .*a builtins.object has no canonical form"),
        (audited.Pixels, "note", "nothing_drawn", "render.. gives: a bytes; it must be"),
        (audited.Spoils, "risk", "unrecordable", 'infos of frame 0 cannot be recorded: .*"when": "<cannot'),
        (audited.Complex, "wrong", "reward_unrecordable", 'rewards of frame 0 .*"left": "<cannot be recorded>'),
        (audited.Many, "risk", "too_many_agents", "it has 9 agents, and a game has at most 8 players"),
        (audited.Raises, "unfit", "raised", r"two take the same cell.*while playing \(audited\.py:\d+\)"),
        (audited.Quits, "unfit", "raised", r"SystemExit: game over, while playing \(audited\.py:\d+\)"),
        (audited.Slow, "slow", "slow_step", r"a step takes (1[2-9]|[2-9]\d|\d{3,}) ms"),
        (audited.Stuck, "unfit", "environment", "story, a generator, cannot be held"),
        (audited.Unspoken, "risk", "no_action_space", "'left' has no action space"),
        (audited.Walked, "unfit", "laws", "gave something else"),
        (audited.Remembers, "unfit", "laws", r"guessed and taken back .* in the state after frame \d: .*x was"),
        (audited.Counts, "risk", "outside_left", r"no load restores it: Births\.born$"),
        (audited.the_same, "risk", "one_instance", "gives the same object again"),
        (audited.Contacts, "unfit", "rollbacks", r"first after frame 10 of episode 1: env\..*x was"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
@pytest.mark.slow
def test_a_fault_is_found_with_its_place(factory: Any, harm: str, code: str, what: str) -> None:
    report = tried(factory, frames=40 if factory is audited.Slow else FRAMES)
    found = [finding for finding in report.findings if finding.code == code]
    assert [finding.harm for finding in found][:1] == [harm], report.findings
    assert re.search(what, found[0].what), found[0].what
    assert found[0].do or code == "environment", "its sentence says what to do"
    assert report.fit is (harm not in ("crash", "unfit", "wrong"))


def test_a_wrapper_that_does_not_go_with_a_rollback_is_named() -> None:
    """What it reads a clock for is a difference of states otherwise, in an attribute that nobody knows."""
    gymnasium = pytest.importorskip("gymnasium")

    def make() -> Any:
        return gymnasium.wrappers.RecordEpisodeStatistics(gymnasium.make("CartPole-v1"))

    report = tried(make, frames=20)
    found = [finding.what for finding in report.findings if finding.code == "wrapper"]
    assert found == ["it is inside of RecordEpisodeStatistics: it reads a clock, so no two players would agree"]
    assert not report.fit


def test_an_adapter_that_the_study_makes_itself_is_audited_and_another_simulation_refused_by_name() -> None:
    """Bots come in by one; of its reset it was said that it takes no seed."""

    def make() -> Any:
        return ParallelEnvAdapter(audited.Fit(), ["left"], seed=3, bots={"right": lambda seen: seen % 3})

    report = tried(make)
    assert codes(report) == set()
    assert report.facts["agents"] == ["left"]
    for found, what in ((tried(lambda: Walk(2)), "a Walk is a simulation of its own"),
                        (tried(make, players=("left",)), "leave --players out")):  # fmt: skip
        assert not found.fit
        assert what in found.findings[0].what


def test_action_spaces_that_are_made_by_a_reset_are_found() -> None:
    report = tried(audited.SaidLater)
    assert report.facts["actions"] == ["discrete {'n': 3}"] * 2
    assert codes(report) == set()
    game = Game.of(f"{FILE}:make_said_later", {}, None)
    assert game.settings["action_space"] == {"type": "discrete", "n": 3}


def test_a_look_at_what_knows_all_its_neighbours_ends() -> None:
    """Each was walked by every way that leads to it."""
    names: dict[str, Any] = {"__name__": "net"}
    exec("class Net:\n    def step(self): return NODES\nclass Node: pass\nNODES = [Node() for _ in range(30)]", names)
    for node in names["NODES"]:
        node.others = list(names["NODES"])
    before = looks(names["Net"]())
    assert len(repr(before)) < 30_000
    assert looks(names["Net"]()) == before
    names["NODES"][29].value = 1
    assert looks(names["Net"]()) != before


@pytest.mark.slow
def test_pixels_that_a_page_draws_are_nothing_to_tell() -> None:
    """As the guide to drawing has them; others are told with what they are."""
    numpy = pytest.importorskip("numpy")

    class Pictured(audited.Fit):
        dtype = "uint8"

        def render(self) -> Any:
            return numpy.zeros((4, 6, 3), self.dtype)

    class Floating(Pictured):
        dtype = "float64"

    assert "nothing_drawn" not in {finding.code for finding in tried(Pictured).findings}
    (told,) = [finding.what for finding in tried(Floating).findings if finding.code == "nothing_drawn"]
    assert told.endswith("an array of float64 with the shape (4, 6, 3); it must be of uint8, height × width × 3")


@pytest.mark.slow
def test_objects_that_a_page_would_not_draw_are_told_with_their_name() -> None:
    """A field that is misspelt is passed over by the page; that the game is fit does not change."""

    class Misspelt(audited.Fit):
        def render(self) -> Any:
            return [{"uuid": "ball", "object_type": "circle", "x": 1, "y": 2, "r": 3, "color": "red"}]

    report = tried(Misspelt)
    (told,) = [finding for finding in report.findings if finding.code == "drawn_oddly"]
    assert (told.harm, report.fit) == ("note", True)
    assert told.what == (
        "in what render() lists, the circle 'ball' has a field 'r', which is not drawn; did you mean 'radius'?; "
        "1 more of the kind"
    )


class Array:
    """As much of numpy's as somebody needs who asks whether it is empty."""

    def __bool__(self) -> bool:
        raise ValueError("The truth value of an array with more than one element is ambiguous")

    def __repr__(self) -> str:
        return "array"


def test_every_oddity_of_an_object_is_a_sentence_and_what_is_drawn_is_none() -> None:
    """One object of each type with all its fields; then each with one thing wrong."""
    at = {"x": 1, "y": 2.5}
    fine: list[dict[str, Any]] = [
        {"uuid": "a", "object_type": "rectangle", **at, "w": 3, "h": 4, "radius": 1, "color": "red", "permanent": True},
        {"uuid": "b", "object_type": "circle", **at, "radius": 3, "stroke": "red", "width": 2, "tween": 1, "depth": -1},
        {"uuid": "c", "object_type": "line", "points": [[0, 0], [1, 1]]},
        {"uuid": "d", "object_type": "polygon", "points": [(0, 0), (1, 1), (2, 0)], "color": "#fff"},
        {"uuid": "e", "object_type": "text", "text": "", **at, "size": 12, "align": "right", "color": "teal"},
        {"uuid": "f", "object_type": "sprite", "src": "a.png", **at, "w": 3, "h": 4},
        {"uuid": "g", "object_type": "pixels", "columns": 1, "rows": 1, "channels": 3, "pixels": b"abc"},
    ]
    assert list(oddities(fine)) == []
    wrong = {
        "x: '1'": ({**fine[0], "x": "1"}, "the rectangle 'a' has '1' as its x, which must be a number"),
        "unseen": ({**fine[1], "stroke": ""}, "the circle 'b' has neither color nor stroke, so it is not seen"),
        "a tuple": (
            {**fine[0], "color": (255, 0, 16)},
            "the rectangle 'a' has (255, 0, 16) as its color, which is drawn black; did you mean '#ff0010'?",
        ),
        "zero": ({**fine[0], "color": 0}, "the rectangle 'a' has neither color nor stroke, so it is not seen"),
        "empty": ({**fine[0], "color": ()}, "the rectangle 'a' has () as its color, which is drawn black; it must be"),
        "an array": ({**fine[1], "stroke": Array()}, "the circle 'b' has array as its stroke, which is drawn black"),
        "digits": ({**fine[4], "color": "#12"}, "the text 'e' has '#12' as its color, which is drawn black"),
        "no size": ({**fine[0], "w": None}, "the rectangle 'a' has None as its w, which must be a number"),
        "no points": ({"uuid": "c", "object_type": "line"}, "the line 'c' has no points, so it is not seen"),
        "no name": ({"object_type": "text", "text": "x"}, "an object of type 'text' has no uuid that is a text"),
        "no type": ({"uuid": "x"}, "the object 'x' has no object_type; there are rectangle, circle"),
        "surface": ({**fine[5], "src": object()}, "the sprite 'f' cannot be sent to the page: it is an object"),
        "no object": ("ball", "there is a str among the objects; each must be a dictionary"),
    }  # fmt: skip
    for what, (item, said) in wrong.items():
        assert next(oddities([item])).startswith(said), what
    assert next(oddities([fine[2], fine[2]])) == "two objects have the uuid 'c': only the last of them is drawn"


def test_the_worst_comes_first_and_the_verdict_is_one_line() -> None:
    report = Report("game")
    for harm in ("note", "unfit", "risk", "note"):
        report.add(Finding(harm, harm, f"{harm} {len(report.findings)}", "do"))
    assert [finding.harm for finding in report.sorted] == ["unfit", "risk", "note", "note"]
    assert report.verdict == "unfit: game (1 unfit, 1 risk, 2 notes)"
    report.add(report.findings[0])
    assert len(report.findings) == 4


# -- in a process of its own -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("Aborts", "ended by SIGABRT while playing"),
        ("Segfaults", "ended by SIGSEGV while playing"),
        ("Exits", "status 7 while playing"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_what_ends_the_interpreter_is_a_finding_and_ends_nobody_elses(name: str, what: str) -> None:
    report = audit(f"{FILE}:{name}", frames=FRAMES)
    assert not report.fit
    assert report.sorted[0].harm == "crash"
    assert what in report.sorted[0].what


@pytest.mark.slow
def test_what_differs_between_two_processes_is_found() -> None:
    """Both instances of one process have the same hashes, and the pages of two players have not."""
    report = audit(f"{FILE}:Named", frames=FRAMES)
    found = {finding.code: finding for finding in report.sorted if not finding.code.startswith("source_")}
    assert set(found) == {"two_processes"}
    assert found["two_processes"].harm == "unfit"
    assert re.search(r"after frame 0 of episode 0: env\..*order was '.*, then '", found["two_processes"].what)
    assert audit(f"{FILE}:Fit", frames=FRAMES).fit


@pytest.mark.slow
def test_the_other_process_begins_where_this_one_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that goes to another folder was compared with nothing, and that was a fact among others."""
    monkeypatch.chdir(FILE.parent)
    report = audit(f"{FILE.name}:Leaves", frames=FRAMES)
    assert "two_processes" in {finding.code for finding in report.findings}


@pytest.mark.slow
def test_that_another_process_could_not_be_tried_is_a_finding() -> None:
    """Here for the lack of such a file."""
    (finding,) = [each for each in tried(audited.Fit, subject="nowhere.py:Fit").findings if each.code == "one_process"]
    assert finding.harm == "risk"


@pytest.mark.slow
def test_what_a_module_keeps_of_frames_that_are_taken_back_is_found() -> None:
    """In a process that has played, the table is full, and nothing shows it any more."""
    audited._prices.clear()
    (finding,) = [finding for finding in tried(audited.Prices).findings if finding.code == "outside_left"]
    assert finding.what.endswith("no load restores it: audited._prices")
    report = audit(f"{FILE}:Prices", frames=FRAMES)
    (finding,) = [finding for finding in report.findings if finding.harm == "unfit"]
    assert finding.code == "rollbacks"
    assert re.search(r"from the start of a process.*first after frame \d.*x was", finding.what)


def test_what_is_another_the_first_time_in_a_process_is_found() -> None:
    """The play that all are compared with is the first."""
    audited._is_first[0] = True
    found = {finding.code: finding for finding in tried(audited.First).findings}
    assert found["two_instances"].harm == "unfit"
    assert found["outside_left"].what.endswith("no load restores it: audited._is_first")


@pytest.mark.slow
def test_what_never_returns_is_ended() -> None:
    report = audit(f"{FILE}:Hangs", frames=FRAMES, timeout=3.0)
    assert (report.sorted[0].harm, report.sorted[0].code) == ("crash", "hung")
    assert "still playing after 3 s" in report.sorted[0].what


@pytest.mark.slow
def test_a_factory_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="has no Fitt; did you mean"):
        audit(f"{FILE}:Fitt")


@pytest.mark.slow
def test_the_command_says_it_all_and_its_status_is_the_verdict(tmp_path: Path) -> None:
    runner = CliRunner()
    done = runner.invoke(cli, ["audit", f"{FILE}:Fit", "--frames", "60"])
    assert re.search(r"^  costs +a step \d+ µs, saving \d+ µs, .*a state takes \d+ bytes$", done.output, re.MULTILINE)
    assert re.search(r"^  rollbacks +frames .* at 30 fps: \d+; .*, 10 times slower \d+$", done.output, re.MULTILINE)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"fit: {FILE}:Fit can be rolled back, by capture")
    saved = tmp_path / "audit.json"
    done = runner.invoke(cli, ["audit", f"{FILE}:Forgets", "--frames", "60", "--json", "--save", str(saved)])
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told == json.loads(saved.read_text())
    assert told["fit"] is False
    assert {"code": "laws", "harm": "unfit"}.items() <= told["findings"][0].items()
    done = runner.invoke(cli, ["audit", "no.such.module:make"])
    assert done.exit_code == 2
    assert "there is no module no" in done.output
    done = runner.invoke(cli, ["audit", f"{FILE}:Fit", "--save", str(tmp_path / "none" / "audit.json")])
    assert done.exit_code == 2, "before it is tried"
    assert re.search("there is no folder .*none for --save audit.json", done.output)


@pytest.mark.slow
def test_players_are_chosen_and_actions_are_numbers_where_that_is_said() -> None:
    report = tried(audited.Unspoken, space={"type": "discrete", "n": 4})
    assert report.facts["actions"] == ["discrete {'n': 4}"] * 2
    assert not [finding for finding in report.findings if finding.code == "no_action_space"]


@pytest.mark.slow
def test_the_actions_that_a_study_says_are_those_that_are_played() -> None:
    """A page sends no others: an environment that raises at a fourth one is no less fit where there are three."""
    three, two = {"type": "discrete", "n": 3}, {"type": "discrete", "n": 2}
    report = tried(audited.Unspoken, settings={"action_space": three, "seats": [{"name": "A"}, {"action_space": two}]})
    assert report.facts["actions"] == ["discrete {'n': 3}", "discrete {'n': 2}"]
    assert "no_action_space" not in {finding.code for finding in report.findings}
    of_both = tried(audited.Fit).facts["actions"]
    assert tried(audited.Fit, settings={"seats": [{"action_space": two}]}).facts["actions"] == [
        "discrete {'n': 2}", of_both[1]
    ]  # fmt: skip
    assert tried(audited.Fit, settings={"action_space": {"type": "any"}}).facts["actions"] == of_both
    assert tried(audited.Fit, settings={"action_space": two}, space=three).facts["actions"] == ["discrete {'n': 3}"] * 2
    of_all = audit(f"{FILE}:Unspoken", frames=FRAMES, settings={"action_space": two})
    assert of_all.facts["actions"] == ["discrete {'n': 2}"] * 2
    assert not {"one_process", "two_processes", "rollbacks"} & {finding.code for finding in of_all.findings}
    in_turns = json.loads(tried(audited.Turns).facts["settings"])
    assert json.loads(tried(audited.Turns, settings=in_turns).facts["settings"]) == in_turns
    with pytest.raises(ConfigError, match="action_space"):
        audit(f"{FILE}:Fit", settings={"action_space": {"type": "discrete"}})


@pytest.mark.slow
@pytest.mark.parametrize(("name", "same"), [pytest.param("Fit", True, marks=pytest.mark.long), ("Waves", False)])
def test_the_same_actions_are_played_in_pyodide(name: str, same: bool) -> None:
    """What differs is named with its field, and is no reason to refuse: players in browsers agree."""
    report = audit(f"{FILE}:{name}", frames=FRAMES, pyodide=distributions.released(NEWEST))
    assert report.facts["the same in Pyodide"] is same, report.findings
    found = [finding for finding in report.findings if finding.code == "differs_in_pyodide"]
    assert bool(found) is not same
    if found:
        place = r"after frame \d+ of episode 0, in Python 3\.\d+\.\d+: env\.layers\[0\]\.wave was"
        assert re.search(place, found[0].what)
    assert report.fit


def test_pyodide_needs_its_folder_and_a_file() -> None:
    with pytest.raises(ConfigError, match=r"has no pyodide\.mjs"):
        audit(f"{FILE}:Fit", pyodide=FILE.parent)
    with pytest.raises(ConfigError, match="needs the environment as a file"):
        audit("audited:Fit", pyodide=distributions.released(NEWEST))
    # A colon with nothing behind it is the usual function, as everywhere.
    assert needs(Path(distributions.released(NEWEST)), f"{FILE}:")[1:] == (FILE, "make_env")


# -- parts -----------------------------------------------------------------------------------------------------------

SPACES = [
    {"type": "discrete", "n": 5, "start": 3},
    {"type": "multi_discrete", "nvec": [[2, 3], [4, 5]]},
    {"type": "multi_binary", "n": 4},
    {"type": "box", "shape": [2], "dtype": "float32", "low": -1, "high": [1, 2]},
    {"type": "box", "shape": [], "dtype": "int16"},
    {"type": "text", "min_length": 0, "max_length": 5, "charset": "ab"},
    {"type": "text", "max_length": 5},
    {"type": "text", "min_length": 60, "max_length": 80},
    {"type": "dict", "spaces": {"a": {"type": "discrete", "n": 2}, "b": {"type": "tuple", "spaces": []}}},
    {"type": "optional", "space": {"type": "discrete", "n": 9, "start": 20}},
    {"type": "any"},
]


def test_sampled_actions_are_in_their_spaces_and_the_same_for_the_same_seed() -> None:
    from random import Random

    from pycore import action_codec, space_of

    for space in SPACES:
        plain, codec, rng = space_of(space), action_codec(space), Random(1)
        seen = {codec.encode(sampled(plain, rng)) for _ in range(50)}
        assert len(seen) > 1
    plain = [space_of(space) for space in SPACES]
    assert script(plain, 50, 1) == script(plain, 50, 1) != script(plain, 50, 2)


WIDE: list[dict[str, Any]] = [
    {"type": "box", "shape": [1], "dtype": "float16"},
    {"type": "box", "shape": [1], "dtype": "float16", "low": -60000},
    {"type": "box", "shape": [1], "low": 5e6},
    {"type": "box", "shape": [1], "high": -5e6},
    {"type": "box", "shape": [1], "low": -1e7, "high": 1e7},
    {"type": "box", "shape": [1], "dtype": "float64", "low": -8e307, "high": 8e307},
    {"type": "box", "shape": [1], "dtype": "int64", "low": -(2**60), "high": 2**60},
    {"type": "box", "shape": [1], "dtype": "int64", "low": -7, "high": 2**62},
    {"type": "box", "shape": [1], "dtype": "uint64"},
]


@pytest.mark.parametrize("space", WIDE)
def test_of_a_box_that_is_wide_or_open_actions_are_sampled_from_all_of_it(space: dict[str, Any]) -> None:
    """They were none of it, or two numbers only, or nothing at all: its limits are texts where JavaScript has no such
    integer."""
    from random import Random

    from pycore import action_codec, space_of

    plain, codec, rng = space_of(space), action_codec(space), Random(1)
    found = [sampled(plain, rng)[0] for _ in range(200)]
    for number in found:
        codec.encode([number])
    low, high = min(found), max(found)
    assert len(set(found)) > 50
    assert sum(low + (high - low) / 4 < number < high - (high - low) / 4 for number in found) > 20


SOURCE = """
import time, random, numpy as np
class Env:
    def __init__(self):
        self.food = {(0, 1), (2, 3)}
        self.rng = random.Random()
        self.seen = set()
    def step(self, actions):
        t = time.time()
        for cell in self.food: pass
        key = hash(str(actions))
        self.seen.pop()
        x = np.sin(t) + 2 ** 0.5
        grid = np.array([1, 2])
        good = sorted(self.food), np.array([1, 2], dtype=np.int64), random.Random(5), max(self.food)
        random.seed(3)
"""


def test_the_source_is_read_for_what_differs_between_players(tmp_path: Path) -> None:
    file = tmp_path / "env.py"
    file.write_text(SOURCE)
    found = {finding.code: finding.what for finding in findings_of_source([file])}
    assert {code: re.findall(r"env\.py:(\d+)", what) for code, what in found.items()} == {
        "source_unseeded": ["6"],
        "source_clock": ["9"],
        "source_set": ["10", "12"],
        "source_identity": ["11"],
        "source_float": ["13"],
        "source_platform": ["14"],
        "source_chance": ["16"],
    }


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("clock", "from time import perf_counter as now; now()"),
        ("clock", "import time as t; t.monotonic()"),
        ("clock", "from datetime import datetime; datetime.now()"),
        ("clock", "import datetime as dt; dt.datetime.today()"),
        ("clock", "from datetime import date; date.today()"),
        ("clock", "import pygame as pg; pg.time.get_ticks()"),
        ("chance", "from os import urandom; urandom(4)"),
        ("chance", "from secrets import choice; choice([1, 2])"),
        ("chance", "from numpy import random as npr; npr.seed(3)"),
        ("unseeded", "from random import Random; Random()"),
        ("unseeded", "from numpy.random import default_rng; default_rng()"),
        ("unseeded", "import numpy.random as npr; npr.Generator(npr.PCG64())"),
        ("float", "from math import sin; sin(1)"),
        ("float", "import numpy; numpy.power(1, 2)"),
        ("platform", "from numpy import array; array([1, 2])"),
        ("platform", "np.full(3, 7)"),
        ("set", "def f(cells: set[int]):\n    return [*cells]"),
        ("set", "def f(cells: typing.AbstractSet[int]):\n    return list(cells - {1})"),
        ("set", "food = frozenset({1})\nfor cell in food.union([2]): pass"),
        ("set", "a, b = set(), [1]\nfor cell in set(b) | {2}: pass"),
    ],
)
def test_the_source_is_read_whatever_it_calls_its_modules(tmp_path: Path, code: str, line: str) -> None:
    """`from time import perf_counter` was no clock."""
    file = tmp_path / "env.py"
    file.write_text(f"{line}\n")
    assert [finding.code for finding in findings_of_source([file])] == [f"source_{code}"]


@pytest.mark.parametrize(
    "line",
    [
        "from game import time, sin\ntime(); sin()",
        "from random import Random\nRandom(3)",
        "import numpy\nnumpy.array([1, 2], dtype='i8'); numpy.full(3, 0.5); numpy.array([1, 0.5])",
        "def f(cells: set[int]):\n    return sorted(cells), len(cells - {1}), 3 in cells, [*sorted(cells)]",
        "settings = dict()\nfor name in settings: pass",
        "class Cell:\n    def __hash__(self):\n        return hash((self.x, self.y))",
    ],
)
def test_what_is_the_same_everywhere_is_no_finding_of_the_source(tmp_path: Path, line: str) -> None:
    file = tmp_path / "env.py"
    file.write_text(f"{line}\n")
    assert findings_of_source([file]) == []


def test_the_depth_that_fits_follows_from_what_is_measured() -> None:
    costs = Costs(save=100.0, load=200.0, canonical=500.0, step=900.0, size=10)
    # 0.8 of 33,333 µs are 26,667: a load, 26 steps, one of them new, and 25 saves are 26,100.
    assert costs.depth(30) == 25
    assert costs.depth(30, 10) == 1
    assert costs.depth(60, 4) == 2
    assert [finding.code for finding in findings_of_costs(costs)] == ["shallow_rollback"]
    # On one four times slower: 3.6 ms a step. Over 200 ms three frames come late, and five of a tick of seven fit.
    assert [costs.delay(ms, 4) for ms in (50, 100, 200)] == [1, 1, 1]
    # 12 ms a step, at once: one frame again. Four times slower not even a new one fits.
    heavy = costs._replace(step=12_000.0)
    assert [heavy.delay(ms) for ms in (50, 100, 200)] == [1, 1, 2]
    assert heavy.delay(100, 4) is None
    assert heavy.as_facts()["input_delays"]["200 ms"] == {"x1": 2, "x4": "too slow", "x10": "too slow"}
    (finding,) = findings_of_costs(costs._replace(step=10_000.0, save=0.0))
    assert "none is enough for 200 ms of round trip" in finding.do
    assert "on a machine 4 times slower" in finding.do
    (slow,) = findings_of_costs(costs._replace(step=12_000.0))
    assert slow.code == "slow_step"
    assert "raise the input delay: on a machine 4 times slower" in slow.do
    assert [finding.code for finding in findings_of_costs(costs._replace(step=50.0, canonical=2e4))] == ["slow_hash"]
