"""Policies that a study names: made from files, tried, put into the page, and told apart from people afterwards."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from records_support import forgotten  # noqa: F401

from pycore import records
from pycore.bridge.bridge import create
from pycore.cli import cli
from pycore.cli.serve import without_policy
from pycore.envs import ParallelEnvAdapter
from pycore.errors import ConfigError
from pycore.export.evidence import evidence_of
from pycore.export.files import games_of
from pycore.export.sources import of_paths
from pycore.records.metrics import export_session_metrics
from pycore.records.trajectory import Trajectory, trajectory_text
from pycore.rehearsal import Game
from pycore.rehearsal.partners import recomputed, try_policies
from pycore.report.study import collect
from pycore.settings import Settings
from pycore.site.failing import SiteFailed
from pycore.site.policies import policies_of, without_script
from pycore.testing import Conditions, Mesh, ground_truth, wrong_with

ENVIRONMENT = '''
class Chase:
    """Three on a ring of fifty; everybody sees where the others are. No get_state: its attributes are captured."""

    metadata = {"name": "chase_v0"}
    possible_agents = ["ann", "bob", "cat"]

    def action_space(self, agent):
        return {"type": "discrete", "n": 3}

    def reset(self, seed=None, options=None):
        self.agents = list(self.possible_agents)
        self.at = {agent: (seed + 17 * number) % 50 for number, agent in enumerate(self.agents)}
        return self._seen(), {agent: {} for agent in self.agents}

    def step(self, actions):
        for agent, action in actions.items():
            self.at[agent] = (self.at[agent] + action - 1) % 50
        rewards = {agent: self.at[agent] % 5 for agent in self.agents}
        no = dict.fromkeys(self.agents, False)
        return self._seen(), rewards, no, dict(no), {agent: {} for agent in self.agents}

    def _seen(self):
        return {agent: {"own": self.at[agent], "all": list(self.at.values())} for agent in self.agents}


def make_env():
    return Chase()
'''
PARTNER = '''
class Follow:
    def act(self, outlook, frame, random):
        seen = outlook.observation
        ahead = (seen["all"][0] - seen["own"]) % 50
        return random.randrange(3) if frame % 7 == 0 else 2 if 0 < ahead < 25 else 0 if ahead else 1


class Keeping:
    calls = 0

    def act(self, outlook, frame, random):
        Keeping.calls += 1
        return Keeping.calls // 3 % 3


class Wrong:
    def act(self, outlook, frame, random):
        return outlook.observation["none"]


def make_policy():
    return Follow()


def make_keeping():
    return Keeping()


def make_wrong():
    return Wrong()


def make_nothing():
    return 3
'''
SETTINGS: dict[str, Any] = {
    "max_steps": 120, "num_episodes": 1, "hash_interval": 20, "policies": {"2": "partner.py"},
}  # fmt: skip


@pytest.fixture
def study(tmp_path: Path, forgotten: None) -> Path:  # noqa: F811
    """The file of an environment with its policies beside it."""
    (tmp_path / "chase.py").write_text(ENVIRONMENT)
    (tmp_path / "partner.py").write_text(PARTNER)
    return tmp_path / "chase.py"


def game_of(study: Path, policy: str = "partner.py", **settings: Any) -> Game:
    return Game.of(str(study), {**SETTINGS, "policies": {"2": policy}, **settings})


def played_of(game: Game) -> tuple[Game, dict[str, str], Mesh]:
    """A game of two people and a policy over a bad network: the records by player."""
    settings = game.played()
    mesh = Mesh(
        2, settings, lambda seat: game.simulation(settings, 5),
        lambda seat: lambda episode, frame: random.Random(f"{seat} {frame // 4}").randrange(3),
        Conditions(delay=0.08, jitter=0.02, loss=0.08), seed=5, policies=[lambda: game.policies()[2]],
    )  # fmt: skip
    kept = [Trajectory(), Trajectory()]
    for page, trajectory in zip(mesh.peers, kept, strict=True):
        page.session.add_sink(trajectory)
    mesh.run(60.0)
    texts = {str(page.seat): trajectory_text(page.session, kept[page.seat]) for page in mesh.peers}
    return game, texts, mesh


@pytest.fixture
def played(study: Path) -> tuple[Game, dict[str, str], Mesh]:
    """One of that study."""
    return played_of(game_of(study))


def stored(played: tuple[Game, dict[str, str], Mesh], folder: Path, about: bool = True) -> Path:
    """The files that are left of it."""
    game, texts, mesh = played
    folder.mkdir()
    for player, text in texts.items():
        (folder / f"trajectory-{player}.jsonl").write_text(text)
        metrics = export_session_metrics(mesh.peers[int(player)].session)
        (folder / f"metrics-{player}.json").write_text(json.dumps(metrics))
    if about:
        known = {"game_id": "mesh", "started": 1.7e9, "ended": 1.7e9 + 60, "seed": 5, "players": [0, 1, 2]}
        known["subjects"] = {"0": "anna", "1": "bob"}
        (folder / "game.json").write_text(json.dumps({**known, "settings": dict(game.settings)}))
    return folder


def test_a_captured_environment_with_named_agents_shows_a_policy_what_its_agent_sees(
    played: tuple[Game, dict[str, str], Mesh],
) -> None:
    """After a rollback as before one: the record is the truth's, in which nothing was ever rolled back."""
    game, texts, mesh = played
    settings = game.played()
    truth = ground_truth(
        game.simulation(settings, 5), settings, mesh.peers[0].session.codec,
        [*(page.inputs[0] for page in mesh.peers), {}], 0, policies=game.policies(), seed=5,
    )  # fmt: skip
    assert min(page.session.timeline.rollbacks for page in mesh.peers) > 5
    for page in mesh.peers:
        assert wrong_with(truth, page.rows[0], page.rewards[0], page.finals[0]) == ""
    assert texts["0"] == texts["1"]
    assert {row[2] for row in truth.rows} == {b"\0", b"\1", b"\2"}


def test_a_record_says_who_is_a_policy_and_its_actions_can_be_computed_again(
    played: tuple[Game, dict[str, str], Mesh],
) -> None:
    """An action that the policy does not do is found with its frame."""
    game, texts, _mesh = played
    recording = records.read(texts["0"])
    assert recording.header["policies"] == {"2": {"policy": "partner.py", "computed_by": "all"}}
    assert recomputed(game, game.played(), recording) == ""
    actions = recording.episodes[0].frames[33].actions
    done, actions[2] = actions[2], (actions[2] + 1) % 3
    assert recomputed(game, game.played(), recording) == (
        f"episode 0, frame 33: the policy on seat 2 does {done}, and {actions[2]} is recorded of it"
    )


@pytest.mark.parametrize("about", [True, False])
def test_no_record_is_missed_of_a_player_for_whom_a_policy_plays(
    played: tuple[Game, dict[str, str], Mesh], tmp_path: Path, about: bool
) -> None:
    """Two people left two records: that is all there is to prove, with the game's file or without it."""
    folder = stored(played, tmp_path / "left", about)
    [files] = games_of([folder])
    found = evidence_of(files)
    assert (found.status, found.reasons, found.people) == ("reconciled", [], ["0", "1"])


def test_tables_have_sessions_of_people_and_frames_of_everybody(
    played: tuple[Game, dict[str, str], Mesh], tmp_path: Path
) -> None:
    """What a policy did is data; what a network did to it is not."""
    folder = stored(played, tmp_path / "left")
    done = CliRunner().invoke(cli, ["export", str(folder), "--csv", str(tmp_path / "tables")])
    assert done.exit_code == 0, done.output
    rows = {name: list(csv.DictReader((tmp_path / "tables" / f"{name}.csv").open())) for name in ("sessions", "frames")}
    assert [(row["player"], row["seat"]) for row in rows["sessions"]] == [("0", "0"), ("1", "1")]
    assert len(rows["frames"]) == 3 * 120
    assert {row["action"] for row in rows["frames"] if row["player"] == "2"} == {"0", "1", "2"}


def test_a_report_has_the_players_of_the_tables_and_excludes_the_same(
    played: tuple[Game, dict[str, str], Mesh], tmp_path: Path
) -> None:
    """A policy has no network: a rule that excludes whom nothing is known of excludes no game with one."""
    pytest.importorskip("jinja2", reason="the page of a report is made with it")
    folder = stored(played, tmp_path / "left")
    rules = tmp_path / "rules.json"
    slow = {"name": "slow", "metric": "rtt_ms_p50", "op": ">", "value": 4000, "missing": "exclude"}
    rules.write_text(json.dumps([slow]))
    words = [str(folder), "--exclusions", str(rules)]
    done = CliRunner().invoke(cli, ["report", *words, "-o", str(tmp_path / "report.html"), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert (found["players"], found["counted"], found["excluded"]) == (2, 2, {"slow": 0})
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "could not be judged" not in page
    assert "of 2 players there is no experienced record" in page
    done = CliRunner().invoke(cli, ["export", *words, "--csv", str(tmp_path / "tables")])
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader((tmp_path / "tables" / "sessions.csv").open()))
    assert [(row["player"], row["excluded"]) for row in rows] == [("0", "false"), ("1", "false")]


def test_a_report_names_the_seats_of_people_behind_a_policy(
    played: tuple[Game, dict[str, str], Mesh], tmp_path: Path
) -> None:
    """Who comes behind a policy sits where the settings say, not where they stand among the people."""
    folder = tmp_path / "left"
    folder.mkdir()
    (folder / "metrics-1.json").write_text(json.dumps(export_session_metrics(played[2].peers[1].session)))
    settings = {**played[0].settings, "policies": {"0": "partner.py"}}
    (folder / "game.json").write_text(json.dumps({"game_id": "mesh", "players": [0, 1, 2], "settings": settings}))
    [game] = collect(of_paths([folder])).games
    assert [(player.player, player.seat) for player in game.players] == [("1", 1), ("2", 2)]


@pytest.mark.slow
def test_a_policy_is_tried_before_anybody_plays_with_it(study: Path) -> None:
    """What a participant would be told, or what would be a desync, is told at once."""
    game = game_of(study)
    assert (game.people, game.seats) == ([0, 1], 3)
    try_policies(game, game.played(), [1, 1, 1])
    for policy, words in (
        ("partner.py:make_keeping", "does not do the same twice in frame"),
        ("partner.py:make_wrong", "the policy of player 2 failed in frame 0 of episode 0: KeyError: 'none'"),
        ("partner.py:make_nothing", r"returned a int without act\(outlook, frame, random\)"),
        ("partner.py:make_none", "has no make_none"),
        ("other.py", "there is no file"),
    ):
        wrong = game_of(study, policy)
        with pytest.raises(ConfigError, match=words):
            try_policies(wrong, wrong.played(), [1, 1, 1])


def test_the_page_gets_the_policys_file_and_is_told_what_to_make_of_it(study: Path) -> None:
    """Files lie beside the environment; packages are imported by their names."""
    found = policies_of({"policies": {"1": "partner.py:make_wrong", "2": {"policy": "bots.deep:make"}}}, study)
    assert found.files == [study.parent / "partner.py"]
    assert found.manifest == {
        "1": {"module": "partner", "factory": "make_wrong"},
        "2": {"module": "bots.deep", "factory": "make"},
    }
    assert policies_of({}, None) == ({}, None, None, {}, [])
    with pytest.raises(SiteFailed, match=r"there is no other\.py beside chase\.py; the policy of player 1 is in it"):
        policies_of({"policies": {"1": "other.py"}}, study)


def test_a_script_that_one_page_computes_goes_into_the_page_and_not_into_its_python(study: Path) -> None:
    """Its file lies beside the environment as well; a text that is no script names what the page itself has."""
    (study.parent / "net.mjs").write_text("export const makePolicy = () => () => 1;")
    settings = {"policies": {"1": {"policy": "net.mjs", "computed_by": "one"},
                             "2": {"policy": "net, March", "computed_by": "one"}}}  # fmt: skip
    assert policies_of(settings, study) == ({}, None, None, {"1": "net.mjs"}, [study.parent / "net.mjs"])
    assert without_script(Settings.of(settings)) == ["2"]
    [said] = without_policy(settings)
    assert said.startswith("one page computes the policy of player 2, and pycore's page does not have it: name its")
    settings["policies"]["1"]["policy"] = "other.js"
    with pytest.raises(SiteFailed, match=r"there is no other\.js beside chase\.py; the policy of player 1 is in it"):
        policies_of(settings, study)


def test_a_page_of_one_person_with_policies_plays_at_once_and_shows_them_without_a_connection(study: Path) -> None:
    """Nobody is connected, nobody is waited for."""
    game = game_of(study, policies={"1": "partner.py", "2": "partner.py"})
    config = {
        "game_id": "g", "players": [0, 1, 2], "player_id": 0, "seed": 5, "settings": dict(game.settings), "now": 0.0,
        "wall_ms": 1e12,
    }  # fmt: skip
    bridge = create(json.dumps(config), game.make(), None, {str(seat): of for seat, of in game.policies().items()})
    assert bridge.link_count == 0
    for tick in range(1, 40):
        bridge.poll(tick / 30, 1, 8)
        bridge.advance(tick / 30)
    hud = json.loads(bridge.view.hud())
    assert hud["players"] == [{"id": 0, "you": True}, *({"id": n, "you": False, "policy": True} for n in (1, 2))]
    assert hud["frame"] > 30
    assert hud["stalls"] == 0


def test_observations_of_observed_players_are_there_after_a_load(study: Path) -> None:
    """Of nobody else: what is not needed is not saved."""
    adapter = ParallelEnvAdapter(game_of(study).make(), [0, 1, 2], seed=5, observed=["2"])
    adapter.reset(0)
    before = adapter.observations[2]
    state = adapter.save()
    adapter.step([2, 2, 2])
    assert adapter.observations[2] != before
    adapter.load(state)
    assert adapter.observations == {2: before}


def test_people_are_who_is_left(study: Path) -> None:
    """A game in which only policies play has nobody to record it."""
    assert Settings.of(SETTINGS).people([0, 1, 2]) == [0, 1]
    with pytest.raises(ConfigError, match="policies play for all 1 players"):
        Settings.of(SETTINGS).people([2])
