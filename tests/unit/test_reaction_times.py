"""The reaction time of a policy: what it sees is the state so many frames ago, on every page and in every rollback."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from bridge_support import Page, Pair, done
from core_support import Taken, settings
from test_policies import BAD, Chaser, faults, pressed, run

from pycore.bridge.game import Game, simulation_of
from pycore.envs import ParallelEnvAdapter
from pycore.errors import ConfigError, PolicyError
from pycore.policy import Outlook
from pycore.session.session import Session
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh, Walk


def late(reactions: dict[Any, int], **values: Any) -> Settings:
    """Settings that name a policy with a reaction time for each of these players."""
    named = {str(player): {"policy": "partner.py", "reaction_time": r} for player, r in reactions.items()}
    return settings(policies=named, **values)


class Noting:
    """Notes what it is shown in which frame."""

    def __init__(self, action: int = 2) -> None:
        self.seen: list[tuple[int, Any]] = []
        self.action = action

    def act(self, outlook: Outlook, frame: int, random: random.Random) -> int:
        """Always the same."""
        self.seen.append((frame, outlook.observation))
        return self.action


def alone(policy: Any, reaction: int, simulation: Any = None, **values: Any) -> tuple[Session, Taken]:
    """A session of player 0 with a policy as player 1, which reacts late."""
    taken = Taken()
    session = Session(
        Walk(2, seed=3) if simulation is None else simulation, late({1: reaction}, **values), game_id="g",
        players=[0, 1], me=0, now=0.0, wall_ms=1e12, sinks=(taken,), policies={1: policy},
    )  # fmt: skip
    return session, taken


def test_what_a_policy_sees_is_what_was_shown_so_many_frames_ago_and_before_that_it_does_the_default_action() -> None:
    """Three frames: the default action in frames 0 to 2, in frame 3 the sight of frame 0; in every episode."""
    policy = Noting()
    session, taken = alone(policy, 3, max_steps=9, num_episodes=2, default_action=4)
    run(session, 40)
    bare, shown = Walk(2, seed=3), []
    for episode in range(2):
        bare.reset(episode)
        for frame in range(9):
            shown.append((frame + 3, bare.observations[1]))
            bare.step([4 if frame < 1 else 0, 4 if frame < 3 else 2])
    assert policy.seen == [(frame, seen) for frame, seen in shown if frame < 9]
    assert [row[2][1] for row in taken.rows if row[2]] == 2 * (3 * [b"\4"] + 6 * [b"\2"])


@pytest.mark.parametrize("every", [1, 5])
@pytest.mark.parametrize("reaction", [1, 7, 60])
@pytest.mark.slow
def test_over_a_bad_network_its_actions_are_those_of_the_true_sights(reaction: int, every: int) -> None:
    """Rollbacks correct what it saw as well; two policies with different reaction times, in every episode."""
    given = late({2: reaction, 3: 0}, max_steps=150, num_episodes=2, hash_interval=10, snapshot_every=every)
    mesh = Mesh(2, given, lambda seat: Walk(4, seed=3), pressed, BAD, seed=11, policies=[Chaser, Chaser])
    mesh.run(120.0)
    assert [page.session.reason for page in mesh.peers] == ["complete"] * 2
    assert faults(mesh, [Chaser, Chaser]) == []
    assert min(page.session.timeline.rollbacks for page in mesh.peers) > 10
    assert {row[2] for row in mesh.peers[0].rows[0][:reaction]} == {b"\0"}
    assert len({row[2] for row in mesh.peers[0].rows[0]}) == 6, "the policy does not play"


class Telling(Walk):
    """Tells what is in a state."""

    def contents(self, state: object) -> Any:
        """The number."""
        return {"env": list(state)}  # type: ignore[call-overload]


class Looking:
    """Acts by the whole state alone."""

    def act(self, outlook: Outlook, frame: int, random: random.Random) -> int:
        """One of six."""
        at, number = outlook.state["env"]
        assert at == frame - 4
        number ^= number >> 31
        return int(number % 6)


@pytest.mark.parametrize("every", [1, 5])
def test_the_whole_state_that_it_asks_for_is_of_then_also_where_snapshots_are_sparse(every: int) -> None:
    """By a bare loop, over a bad network: the state before frame f - 4, and the game is not moved by the asking."""
    given = late({2: 4}, max_steps=120, hash_interval=10, snapshot_every=every)
    mesh = Mesh(2, given, lambda seat: Telling(3, seed=3), pressed, BAD, seed=11, policies=[Looking])
    mesh.run(60.0)
    assert [page.session.reason for page in mesh.peers] == ["complete"] * 2
    assert min(page.session.timeline.rollbacks for page in mesh.peers) > 10
    rows = mesh.peers[0].rows[0]
    assert rows == mesh.peers[1].rows[0]
    bare, numbers = Walk(3, seed=3), []
    bare.reset(0)
    for frame, row in enumerate(rows):
        numbers.append(bare.state[1] ^ bare.state[1] >> 31)
        assert row[2][0] == (0 if frame < 4 else numbers[frame - 4] % 6)
        bare.step([code[0] for code in row])
    assert bare.canonical(bare.save()) == bare.canonical(mesh.peers[0].session.simulation.save())


class Reusing:
    """An environment that goes on using the list that it shows."""

    def __init__(self, count: int = 2) -> None:
        self.possible_agents = list(range(count))
        self.agents = self.possible_agents[:]
        self.sight = [0]

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[int, Any], dict[int, Any]]:
        """Nobody did anything."""
        self.agents = self.possible_agents[:]
        self.sight[0] = 0
        return dict.fromkeys(self.agents, self.sight), {}

    def step(self, actions: dict[int, int]) -> tuple[dict[int, Any], ...]:
        """The sum of all actions."""
        self.sight[0] += sum(actions.values()) + 1
        no = dict.fromkeys(self.agents, False)
        return dict.fromkeys(self.agents, self.sight), dict.fromkeys(self.agents, 0.0), no, no, {}

    def get_state(self) -> list[int]:
        """The sum."""
        return list(self.sight)

    def set_state(self, state: list[int]) -> None:
        """Back to a sum."""
        self.sight[:] = state


def test_what_it_was_shown_is_not_what_the_environment_made_of_it_since() -> None:
    """An environment may write into what it gave; and with a reaction time no snapshot holds what is shown."""
    policy = Noting(0)
    given = late({1: 2})
    game = Game(
        game_id="g", players=[0, 1], me=0, seed=0, settings=given, ice={}, now=0.0, wall_ms=0.0,
    )  # fmt: skip
    simulation = simulation_of(Reusing(), game)
    session, _taken = alone(policy, 2, simulation)
    run(session, 9)
    assert policy.seen == [(frame, [frame - 2]) for frame in range(2, 2 + len(policy.seen))]
    assert len(policy.seen) > 4
    assert isinstance(simulation, ParallelEnvAdapter)
    assert simulation.save().seen == b""
    at_once = simulation_of(Reusing(), Game(
        game_id="g", players=[0, 1], me=0, seed=0, settings=late({1: 0}), ice={}, now=0.0, wall_ms=0.0,
    ))  # fmt: skip
    at_once.reset(0)
    assert at_once.save().seen != b""  # type: ignore[attr-defined]


class Copying:
    """Does what it sees."""

    def act(self, outlook: Outlook, frame: int, random: random.Random) -> int:
        """One of six."""
        return int(outlook.observation[0] % 6)


@pytest.mark.parametrize("every", [1, 4])
def test_a_rollback_needs_no_snapshot_of_what_is_shown(every: int) -> None:
    """An environment shows nothing after it was set back; what was seen of that frame is held, and right."""
    given = late({2: 2}, max_steps=160, snapshot_every=every)
    mesh = Mesh(
        2, given, lambda seat: ParallelEnvAdapter(Reusing(3), [0, 1, 2], seed=1), pressed, BAD, seed=11,
        policies=[Copying],
    )  # fmt: skip
    mesh.run(60.0)
    assert [page.session.reason for page in mesh.peers] == ["complete"] * 2
    assert min(page.session.timeline.rollbacks for page in mesh.peers) > 10
    rows, sums = mesh.peers[0].rows[0], [0]
    assert rows == mesh.peers[1].rows[0]
    for frame, row in enumerate(rows):
        assert row[2][0] == (0 if frame < 2 else sums[frame - 2] % 6)
        sums.append(sums[-1] + sum(code[0] for code in row) + 1)


def test_an_adapter_of_the_studys_own_shows_its_policies_what_there_is_after_a_rollback() -> None:
    """It was made without a word of policies, which saw nothing then: each page in other frames."""
    given = late({2: 0}, max_steps=160)
    game = Game(game_id="g", players=[0, 1, 2], me=0, seed=0, settings=given, ice={}, now=0.0, wall_ms=0.0)

    def own(players: list[Any]) -> Any:
        return simulation_of(ParallelEnvAdapter(Reusing(3), players, seed=1, numeric_ids=False), game)

    mesh = Mesh(2, given, lambda seat: own([0, 1, 2]), pressed, BAD, seed=11, policies=[Copying])
    mesh.run(60.0)
    assert [page.session.reason for page in mesh.peers] == ["complete"] * 2
    assert min(page.session.timeline.rollbacks for page in mesh.peers) > 10
    assert mesh.peers[0].rows == mesh.peers[1].rows
    with pytest.raises(ConfigError, match=r"players are \['a', 'b', 'c'\], and a policy .* player 2"):
        own(["a", "b", "c"])


def test_what_cannot_be_held_ends_the_session_by_the_players_name() -> None:
    """A sight that no copy can be made of."""

    class Shows(Walk):
        @property
        def observations(self) -> dict[Any, Any]:
            return {1: (number for number in (1, 2))}

    session, _taken = alone(Noting(), 2, Shows(2, seed=3))
    with pytest.raises(PolicyError, match="what player 1 is shown before frame 0 cannot be held for the reaction time"):
        run(session, 9)


@pytest.mark.parametrize("given", [-1, 61, 2.5, "8", True, None])
def test_a_reaction_time_that_is_no_number_of_frames_that_can_be_held_is_refused(given: Any) -> None:
    """The message says the limit, and what a time is in frames."""
    with pytest.raises(ConfigError, match=r"policies\['1'\] has a reaction_time of .* 0 to 60: 250 ms are 8 at 30"):
        late({1: given})


def test_a_reaction_time_is_agreed_on_and_none_is_what_it_was() -> None:
    """Records from before there was one are still those of their settings."""
    named = {"policy": "partner.py", "computed_by": "all"}
    assert late({1: 0}).agreed()["policies"] == {"1": named}
    assert late({1: 8.0}).agreed()["policies"] == {"1": {**named, "reaction_time": 8}}
    assert (late({1: 8}).reaction_time(1), late({1: 8}).reaction_time("0")) == (8, 0)


SENT = {"2": {"policy": "the page's own", "computed_by": "one", "reaction_time": 5}}


def test_the_policy_of_one_page_is_shown_what_was_shown_so_many_frames_ago_as_it_is_believed_now() -> None:
    """Nothing within its reaction time, in each episode, and its default action until then; then always five frames
    ago, which is the true sight of every frame that is confirmed."""
    of = Pair([Page(me, [0, 1, 2], Walk(3, seed=4), {"max_steps": 60, "num_episodes": 2, "policies": SENT,
                                                    "input_delay": 0, "window": 8}) for me in (0, 1)])  # fmt: skip
    asked: dict[tuple[int, int], Any] = {}

    def tick(count: int) -> tuple[int, int]:
        page = of.pages[0]
        for player, sight in json.loads(page.bridge.view.sights()).items():
            asked[sight["episode"], sight["frame"]] = sight["observation"]
            page.event("policy", {"player": player, "action": 3}, of.now)
        return count // 7 % 6, count // 5 % 6

    of.until(done(of), play=tick)
    one, other = (page.bridge.view.records() for page in of.pages)
    assert one == other
    lines = [json.loads(line) for line in one.splitlines()[1:]]
    for episode in range(2):
        bare, sights = Walk(3, seed=4), []
        bare.reset(episode)
        rows = [line["actions"] for line in lines if line.get("episode") == episode and "frame" in line]
        assert [row[2] for row in rows] == 5 * [0] + 55 * [3]
        for row in rows:
            sights.append(bare.observations[2])
            bare.step(row)
        frames = sorted(frame for at, frame in asked if at == episode)
        assert frames[0] == 5
        assert len(frames) > 40
        # Two frames of five are still guesses here: what was shown then was corrected since, or it was right.
        assert sum(asked[episode, frame] == sights[frame - 5] for frame in frames) > 0.9 * len(frames)


@pytest.mark.parametrize("reaction", [0, 8])
def test_who_reacts_within_what_is_known_sees_the_same_however_often_a_frame_is_stepped(reaction: int) -> None:
    """A window of 8 frames guesses 7 at most: what is 8 frames old was true when it was seen first."""
    policies: list[Noting] = []

    def make() -> Noting:
        policies.append(Noting())
        return policies[-1]

    given = late({2: reaction}, max_steps=100, window=8)
    mesh = Mesh(2, given, lambda seat: Walk(3, seed=3), pressed, Conditions(delay=0.08), seed=11, policies=[make])
    mesh.run(60.0)
    for page, policy in zip(mesh.peers, policies, strict=True):
        assert page.session.timeline.rollbacks > 5
        assert len(policy.seen) > len(dict(policy.seen)) + 20
        assert (len(set(policy.seen)) == len(dict(policy.seen))) is (reaction == 8)
