"""A policy that plays on for who is gone: from which frame on, what it sees, what is recorded, who can check it."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from core_support import Table, settings
from experienced_support import lines_of
from experienced_support import run as recorded
from records_support import changed, forgotten  # noqa: F401
from test_policies_of_studies import ENVIRONMENT, PARTNER

from pycore import Outlook
from pycore.bridge.bridge import create
from pycore.cli import cli
from pycore.errors import ConfigError
from pycore.events import SessionEnded
from pycore.records import Trajectory, export_session_metrics, trajectory_text
from pycore.rehearsal import Game
from pycore.rehearsal.partners import try_policies
from pycore.session.phases import DONE, FAILED, PLAYING
from pycore.settings import Settings
from pycore.site.policies import policies_of
from pycore.testing import Conditions, Mesh, Walk, ground_truth, wrong_with
from pycore.testing.survivors import gone_in

SIX = {"type": "discrete", "n": 6}
NAMED: dict[str, Any] = {"on_drop": "policy", "stand_in": "after.py"}


class After:
    """Shows in its action whatever it is given, and counts how often it is asked about each frame."""

    def __init__(self) -> None:
        self.asked: dict[tuple[int, int], int] = {}

    def act(self, outlook: Outlook, frame: int, random: random.Random) -> int:
        self.asked[outlook.episode, frame] = self.asked.get((outlook.episode, frame), 0) + 1
        return (outlook.observation + outlook.seat + frame + random.randrange(6)) % 6


def three(policies: Sequence[After] | None = None, **more: Any) -> Table:
    """Three who play already; each page has a policy of its own."""
    of = settings(max_steps=60, num_episodes=2, action_space=SIX, **{**NAMED, **more})
    made = policies or [After() for _ in range(3)]
    return Table(3, of, each=[{"stand_in": policy} for policy in made]).start()


def play(table: Table, ticks: int = 2000, last: int | None = None) -> None:
    """Go on until those who stay are done, or for so many ticks; `last`: what the third one does all the time."""
    for tick in range(ticks):
        if table[0].phase >= DONE and table[1].phase >= DONE:
            return
        table.tick(1 + tick % 5, tick * 3 % 6, 1 + tick * 2 % 5 if last is None else last)


def lose(table: Table, last: int | None = None) -> int:
    """The third one is gone, and its last inputs reached the first alone; returns the frame of the last."""
    table.passes = lambda sender, to, what: (sender, to) == (2, 0) or 2 not in (sender, to)
    play(table, 3, last)
    held = table[0].timeline.frames.held[2]
    table.passes = lambda sender, to, what: 2 not in (sender, to)
    table[1].player_left(2, table.now, certain=True)
    return held


def rows(table: Table, peer: int, episode: int) -> list[tuple[bytes, ...]]:
    """What a peer published of an episode."""
    return [actions for of, _frame, actions, _digest in table.published[peer] if of == episode and actions]


@pytest.mark.parametrize("last", [None, 0])
@pytest.mark.parametrize("reaction", [0, 9])
def test_from_the_settled_frame_on_every_survivor_computes_what_a_bare_loop_does(
    last: int | None, reaction: int
) -> None:
    """Though one guessed on further than the other; and in the next episode from the first frame behind the delay. Also
    where the guess of all these frames was the default action."""
    table = three(stand_in={"policy": "after.py", "reaction_time": reaction})
    play(table, 30, last)
    held = lose(table, last)
    play(table, last=last)
    assert [table[peer].reason for peer in (0, 1)] == ["complete"] * 2
    assert table.published[0] == table.published[1]
    for episode, settled in ((0, held), (1, -1)):
        found = rows(table, 0, episode)
        given = [{frame: row[seat] for frame, row in enumerate(found)} for seat in range(3)]
        truth = ground_truth(
            Walk(3, seed=7), table.settings, table[0].codec, given, episode, gone={2: settled}, stand_in=After()
        )
        assert found == truth.rows
        played = {row[2] for row in found[max(settled + 1, reaction) :]}
        assert len(played) == 6, "the policy does not play"
    assert table[0].hash_mismatches == 0
    assert table[0].hashes_compared > 3


def test_it_is_asked_once_for_each_frame_that_is_stepped() -> None:
    """And for none that was the player's own."""
    made = [After() for _ in range(3)]
    table = three(made)
    play(table, 30)
    held = lose(table)
    play(table)
    for peer in (0, 1):
        asked = made[peer].asked
        assert {frame for episode, frame in asked if episode == 0} == set(range(held + 1, 60))
        assert {frame for episode, frame in asked if episode == 1} == set(range(1, 60))
        assert {asked[1, frame] for frame in range(30, 60)} == {1}
    assert made[2].asked == {}


def settled_before(**more: Any) -> Mesh:
    """Three pages over a bad network, of whom one leaves in mid-episode, and the policies that played on."""
    of = Settings.of({"max_steps": 150, "num_episodes": 2, "hash_interval": 20, "action_space": SIX, **NAMED, **more})
    mesh = Mesh(
        3, of, lambda seat: Walk(3, seed=3),
        lambda seat: lambda episode, frame: random.Random(f"{seat} {episode} {frame // 4}").randrange(6),
        Conditions(delay=0.09, jitter=0.03, loss=0.08), seed=11, stand_in=After,
    )  # fmt: skip
    mesh.server.grace = 1.0
    mesh.at(2.0, mesh.peers[2].leave)
    return mesh


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("reaction", [0, 12])
def test_it_is_rolled_back_with_everything_else(every: int, reaction: int) -> None:
    """Behind a drop two play on over a bad network: their records are the truth's, in which nothing was rolled back."""
    mesh = settled_before(stand_in={"policy": "after.py", "reaction_time": reaction}, snapshot_every=every)
    mesh.run(8.0)
    before = [page.session.timeline.rollbacks for page in mesh.peers[:2]]
    mesh.run(120.0)
    assert [page.session.reason for page in mesh.peers[:2]] == ["complete"] * 2
    assert min(page.session.timeline.rollbacks - then for page, then in zip(mesh.peers, before, strict=False)) > 10
    for episode in (0, 1):
        given = [page.inputs[episode] if episode < len(page.inputs) else {} for page in mesh.peers]
        truth = ground_truth(
            Walk(3, seed=3), mesh.settings, mesh.peers[0].session.codec, given, episode,
            seed=11, gone=gone_in(mesh, episode), stand_in=After(),
        )  # fmt: skip
        assert truth.complete
        for page in mesh.peers[:2]:
            assert wrong_with(truth, page.rows[episode], page.rewards[episode], page.finals[episode]) == ""
            assert page.hashes[episode] == truth.hashes


@pytest.mark.parametrize("reaction", [0, 9])
@pytest.mark.parametrize("episode", [0, 1])
def test_a_page_that_is_loaded_again_behind_a_drop_computes_it_too(episode: int, reaction: int) -> None:
    """From the same frame on, as its trajectory says; of the episode that it came back to it has every row."""
    of = settings(
        max_steps=200, num_episodes=2, hash_interval=10, action_space=SIX, on_drop="policy",
        stand_in={"policy": "after.py", "reaction_time": reaction},
    )  # fmt: skip
    each = [{"stand_in": After()} for _ in range(3)]
    table = Table(3, of, each=each).start()
    play(table, 40)
    table.passes = lambda sender, to, what: 2 not in (sender, to)
    for peer in (0, 1):
        table[peer].player_left(2, table.now, certain=True)
    table.until(lambda: table[1].episode == episode and table[1].gone != {})
    play(table, 60)
    assert table[1].episode == episode
    anew = Table(3, of, now=table.now, load=1, each=each)
    table.sessions[1], table.taken[1], table.published[1] = anew.sessions[1], anew.taken[1], anew.published[1]
    table.mail = [(sender, to, what) for sender, to, what in table.mail if to != 1]
    kept = [Trajectory(), Trajectory()]
    for peer in (0, 1):
        table[peer].add_sink(kept[peer])
    table.until(lambda: table[1].phase == PLAYING)
    play(table)
    assert [table[peer].reason for peer in (0, 1)] == ["complete"] * 2
    assert (table[0].hash_mismatches, table[1].hash_mismatches) == (0, 0)
    own = [row for row in table.published[1] if row[0] == episode]
    assert own == [row for row in table.published[0] if row[0] == episode]
    assert len({actions[2] for _episode, _frame, actions, *_ in own if actions}) == 6
    gone = [line for line in map(json.loads, kept[1].lines(episode)) if "gone" in line]
    assert [line["gone"] for line in gone] == [{"2": "policy"}]
    last = table[0].gone[2].frames[2] if episode == 0 else 0
    assert gone[0]["frame"] == last + 1


class Breaks:
    """Raises when it is asked."""

    def act(self, outlook: Outlook, frame: int, random: random.Random) -> int:
        raise ValueError("nothing to do")


def test_where_it_raises_the_session_ends_and_says_whose_seat_it_was() -> None:
    """In the first frame that is confirmed without the player."""
    table = three([Breaks()] * 3)  # type: ignore[list-item]
    play(table, 30)
    held = lose(table)
    with pytest.raises(Exception, match=f"the policy of player 2 failed in frame {held + 1} of episode 0: ValueError"):
        play(table)


# -- what a study says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"on_drop": "policy"}, "on_drop is 'policy', and no policy is named: say {\"stand_in\": \"file.py"),
        ({"stand_in": "a.py"}, "stand_in names a policy, and on_drop is 'end', not 'policy'"),
        ({"on_drop": "default_action", "stand_in": "a.py"}, "and on_drop is 'default_action', not 'policy'"),
        ({**NAMED, "stand_in": 3}, "stand_in is 3; it must be a text"),
        ({**NAMED, "stand_in": {"version": "1"}}, "stand_in is {'version': '1'}; it must be a text"),
        ({**NAMED, "stand_in": {"policy": "a.py", "computed_by": "one"}},
         "stand_in has 'computed_by'; there are policy, version and reaction_time"),
        ({**NAMED, "stand_in": {"policy": "a.py", "reaction_time": 61}}, "stand_in has a reaction_time of 61"),
    ],
)  # fmt: skip
def test_what_cannot_be_played_is_refused_by_name(values: dict[str, Any], why: str) -> None:
    """With what to say instead."""
    with pytest.raises(ConfigError) as error:
        Settings.of(values)
    assert why in str(error.value)


def test_it_is_kept_as_an_object_and_is_part_of_what_all_must_have_alike() -> None:
    """Where there is none, what is agreed is what it was before there were any."""
    of = Settings.of({**NAMED, "stand_in": {"policy": "after.py", "version": "2", "reaction_time": 8.0}})
    assert of.stand_in == {"policy": "after.py", "version": "2", "reaction_time": 8}
    assert of.agreed()["stand_in"] == of.stand_in
    assert Settings.of(of.as_dict()).stand_in == of.stand_in
    assert "stand_in" not in Settings().agreed()
    other = settings(**{**NAMED, "stand_in": "other.py"})
    each = [{"settings": settings(**NAMED), "stand_in": After()}, {"settings": other, "stand_in": After()}]
    table = Table(2, each=each)
    table.until(lambda: table[0].phase == FAILED)
    assert "stand_in differs" in table.events(0, SessionEnded)[0].text


def test_a_session_is_given_the_policy_that_its_settings_name() -> None:
    """Neither none nor one too many."""
    with pytest.raises(ConfigError, match=r"the settings name the stand_in after\.py; none is given"):
        Table(3, settings(**NAMED))
    with pytest.raises(ConfigError, match="a stand_in is given, and the settings name none"):
        Table(3, settings(), each=[{"stand_in": After()}] * 3)


# -- what is recorded -----------------------------------------------------------------------------------------------


LOOKING = """

class Looking:
    def act(self, outlook, frame, random):
        return sum(outlook.state["env"]["layers"][0]["at"].values()) % 3


def make_looking():
    return Looking()
"""


@pytest.fixture
def study(tmp_path: Path, forgotten: None) -> Path:  # noqa: F811
    """The file of an environment with its policies beside it."""
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "chase.py").write_text(ENVIRONMENT)
    (folder / "after.py").write_text(PARTNER + LOOKING)
    return folder / "chase.py"


def stored(study: Path, folder: Path, delay: float = 0.05, **more: Any) -> Path:
    """The files of a game of three of whom one leaves, and a policy plays on."""
    folder.mkdir()
    after = {"policy": "after.py", "version": "2"}
    own = {"max_steps": 60, "num_episodes": 2, "hash_interval": 20, **NAMED, "stand_in": after, **more}
    game = Game.of(str(study), own)
    mesh = Mesh(
        3, game.played(), lambda seat: game.simulation(game.played(), 5),
        lambda seat: lambda episode, frame: random.Random(f"{seat} {frame // 4}").randrange(3),
        Conditions(delay=delay), seed=5, stand_in=game.stand_in,
    )  # fmt: skip
    mesh.server.grace = 0.5
    mesh.at(1.2, mesh.peers[2].leave)
    kept = [Trajectory() for _ in range(3)]
    for page, trajectory in zip(mesh.peers, kept, strict=True):
        page.session.add_sink(trajectory)
    mesh.run(60.0)
    for page, trajectory in zip(mesh.peers, kept, strict=True):
        (folder / f"trajectory-{page.seat}.jsonl").write_text(trajectory_text(page.session, trajectory))
        (folder / f"metrics-{page.seat}.json").write_text(json.dumps(export_session_metrics(page.session)))
    known = {"game_id": "mesh", "started": 1.7e9, "ended": 1.7e9 + 60, "seed": 5, "players": [0, 1, 2]}
    (folder / "game.json").write_text(json.dumps({**known, "subjects": {}, "settings": dict(game.settings)}))
    return folder


@pytest.mark.slow
def test_every_record_says_so(study: Path, tmp_path: Path) -> None:
    """The trajectory by its first line and the frame, metrics by the player, what was seen by its first line."""
    left = stored(study, tmp_path / "left")
    texts = [(left / f"trajectory-{seat}.jsonl").read_text() for seat in (0, 1)]
    assert texts[0] == texts[1]
    header, *lines = lines_of(texts[0])
    assert header["stand_in"] == {"policy": "after.py", "version": "2"}
    (drop,) = json.loads((left / "metrics-0.json").read_text())["drops"]
    marks = {(line["episode"], line["frame"]): line["gone"] for line in lines if "gone" in line}
    assert marks == {(0, drop["frame"] + 1): {"2": "policy"}, (1, 1): {"2": "policy"}}
    assert drop["playedBy"] == "policy"

    def script(mesh: Mesh) -> None:
        mesh.server.grace = 0.5
        mesh.at(1.2, mesh.peers[2].leave)

    mesh, recorder = recorded(
        Conditions(delay=0.09), script=script, seats=3, session={"stand_in": After}, num_episodes=1, max_steps=200,
        **NAMED,
    )  # fmt: skip
    text = recorder.text(0)
    first, *seen = lines_of(text)
    assert first["stand_in"] == {"policy": "after.py"}
    at = next(number for number, line in enumerate(seen) if line.get("event") == "gone")
    behind = [line for line in seen[at:] if "shown" in line]
    # It saw what was guessed of the other one, who is a hundred milliseconds away.
    assert sum(2 in line.get("predicted", ()) for line in behind) > len(behind) // 2
    assert mesh.peers[0].session.reason == "complete"


@pytest.mark.slow
def test_verify_and_replay_compute_it_again_from_the_frame_on_from_which_it_played(study: Path, tmp_path: Path) -> None:
    """An action that it does not do is named; what is not there, or is another version, is said."""
    left = stored(study, tmp_path / "left")
    run = lambda *words: CliRunner().invoke(cli, [*map(str, words)])  # noqa: E731
    (drop,) = json.loads((left / "metrics-0.json").read_text())["drops"]
    frame = drop["frame"]
    done = run("verify", left, "--env", study)
    assert ", reproduced by the environment and its policies" in done.stdout.splitlines()[0]
    file = left / "trajectory-0.jsonl"
    done = run("replay", file, "--env", study)
    acted = 60 - frame - 1 + 59
    assert f"120 frames, 6 hashes, {acted} actions of policies" in done.stdout
    text = file.read_text()
    done_there = lines_of(text)[frame + 12]["actions"][2]
    other = (done_there + 1) % 3
    file.write_text(changed(text, frame + 13, lambda value: value["actions"].__setitem__(2, other)))
    done = run("replay", file, "--env", study)
    assert done.exit_code == 1
    assert f"frame {frame + 11}: the policy on seat 2 does {done_there}, and {other} is recorded of it" in done.stdout
    # The player's own actions are nobody's to compute.
    file.write_text(changed(text, frame, lambda value: value["actions"].__setitem__(2, (value["actions"][2] + 1) % 3)))
    assert "the policy on seat 2" not in run("replay", file, "--env", study).stdout
    file.write_text(text)
    beside = study.parent / "study.json"
    beside.write_text(json.dumps({**NAMED, "stand_in": {"policy": "after.py", "version": "3"}}))
    note = "the policy for who is gone was not computed: version 2 of after.py played, and"
    assert note in run("replay", file, "--env", study).stdout
    beside.unlink()
    (study.parent / "after.py").unlink()
    assert "the policy for who is gone was not computed: there is no file" in run("replay", file, "--env", study).stdout


@pytest.mark.slow
def test_with_a_long_reaction_time_it_looks_further_back_than_any_rollback_goes(study: Path, tmp_path: Path) -> None:
    """At whole states, for which a short prediction window alone would keep too few frames."""
    after = {"policy": "after.py:make_looking", "reaction_time": 60}
    left = stored(study, tmp_path / "left", window=8, max_steps=150, stand_in=after, delay=0.17)
    done = CliRunner().invoke(cli, ["verify", str(left), "--env", str(study)])
    assert ", reproduced by the environment and its policies" in done.stdout.splitlines()[0]
    lines = [line for line in lines_of((left / "trajectory-0.jsonl").read_text()) if "actions" in line]
    assert len({line["actions"][2] for line in lines[-80:]}) == 3


# -- before anybody plays -------------------------------------------------------------------------------------------


def test_it_is_tried_on_every_seat_before_anybody_plays_with_it(study: Path) -> None:
    """As a policy with a seat is: what keeps something, and what raises, is refused."""
    game = Game.of(str(study), NAMED)
    try_policies(game, game.played(), [1, 1, 1])
    for policy, words in (
        ("after.py:make_keeping", "does not do the same twice in frame"),
        ("after.py:make_wrong", "the policy of player 0 failed in frame 0 of episode 0: KeyError: 'none'"),
    ):
        wrong = Game.of(str(study), {**NAMED, "stand_in": policy})
        with pytest.raises(ConfigError, match=words):
            try_policies(wrong, wrong.played(), [1, 1, 1])


def test_the_page_gets_its_file_and_makes_it(study: Path) -> None:
    """As of a policy with a seat; the session has it, and shows it everybody's observations after a rollback."""
    found = policies_of(NAMED, study)
    assert (found.files, found.stand_in) == ([study.parent / "after.py"], {"module": "after", "factory": "make_policy"})
    with pytest.raises(Exception, match=r"the policy for who is gone is in it"):
        policies_of({**NAMED, "stand_in": "none.py"}, study)
    game = Game.of(str(study), NAMED)
    config = {
        "game_id": "g", "players": [0, 1, 2], "player_id": 1, "seed": 4, "now": 0.0, "wall_ms": 1e12,
        "settings": {**game.settings},
    }  # fmt: skip
    bridge = create(json.dumps(config), game.make(), stand_in=game.stand_in())
    simulation: Any = bridge.session.simulation
    simulation.reset(0)
    state, shown = simulation.save(), dict(simulation.observations)
    simulation.step([2, 2, 2])
    simulation.load(state)
    assert dict(simulation.observations) == shown
    assert len(shown) == 3
