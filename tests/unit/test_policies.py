"""Policies with a seat: every peer computes them, from the state before each frame, and nobody waits for them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from core_support import Table, Taken, settings

from pycore.errors import ConfigError, PolicyError
from pycore.events import SessionEnded
from pycore.policy import Outlook
from pycore.records.metrics import export_session_metrics
from pycore.session.phases import DONE, FAILED, PLAYING
from pycore.session.session import Session
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh, Walk, ground_truth, wrong_with

BAD = Conditions(delay=0.08, jitter=0.02, loss=0.08)


class Chaser:
    """Reads what it sees, and draws: a wrong state, frame, episode or draw gives another action."""

    def act(self, outlook: Outlook, frame: int, random: random.Random) -> int:
        """One of six."""
        return (outlook.observation + frame + outlook.episode + random.randrange(6)) % 6


class Remembering:
    """Counts its calls, which nothing takes back: what no policy may do."""

    def __init__(self) -> None:
        self.calls = 0

    def act(self, outlook: Outlook, frame: int, random: random.Random) -> int:
        """Another action for every call."""
        self.calls += 1
        return self.calls % 6


class OneGenerator:
    """Draws from a generator of the session instead of the one that it is given."""

    def __init__(self) -> None:
        self.random = random.Random(1)

    def act(self, outlook: Outlook, frame: int, random: random.Random) -> int:
        """One of six."""
        return self.random.randrange(6)


def pressed(seat: int) -> Any:
    """What a person does: a key that is held for five frames."""
    return lambda episode, frame: random.Random(f"{seat} {episode} {frame // 5}").randrange(6)


def named(*players: Any, **values: Any) -> Settings:
    """Settings that name a policy for each of these players."""
    return settings(policies={str(player): "partner.py:make" for player in players}, **values)


def played(people: int, policies: Sequence[Any], conditions: Conditions = BAD, **values: Any) -> Mesh:
    """A mesh of people with policies on the seats behind theirs, played to its end."""
    seats = people + len(policies)
    given = {"max_steps": 150, "num_episodes": 2, "hash_interval": 10, **values}
    mesh = Mesh(
        people, named(*range(people, seats), **given), lambda seat: Walk(seats, seed=3), pressed, conditions,
        seed=11, policies=policies,
    )  # fmt: skip
    mesh.run(120.0)
    return mesh


def faults(mesh: Mesh, policies: Sequence[Any]) -> list[str]:
    """What is wrong with the records of a mesh, by the ground truth."""
    people = len(mesh.peers)
    seats = people + len(policies)
    wrong = []
    for episode in range(mesh.settings.num_episodes):
        inputs = [page.inputs[episode] for page in mesh.peers] + [{}] * len(policies)
        truth = ground_truth(
            Walk(seats, seed=3), mesh.settings, mesh.peers[0].session.codec, inputs, episode,
            policies={people + number: make() for number, make in enumerate(policies)}, seed=11,
        )  # fmt: skip
        assert truth.complete
        for page in mesh.peers:
            found = wrong_with(truth, page.rows[episode], page.rewards[episode], page.finals[episode])
            wrong += [f"seat {page.seat}, episode {episode}: {found}"] if found else []
    return wrong


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("seats", [(2, 1), (2, 3), (3, 1)])
def test_two_or_more_people_with_policies_have_the_true_record_over_a_bad_network(
    seats: tuple[int, int], every: int
) -> None:
    """What every page computes for itself, rolled back or not, is what a bare loop computes."""
    people, bots = seats
    mesh = played(people, [Chaser] * bots, snapshot_every=every)
    assert [page.session.reason for page in mesh.peers] == ["complete"] * people
    assert faults(mesh, [Chaser] * bots) == []
    assert min(page.session.timeline.rollbacks for page in mesh.peers) > 10
    if every > 1:
        assert mesh.peers[0].session.timeline.run_up > 0
    rows = mesh.peers[0].rows[0]
    assert len({row[-1] for row in rows}) == 6, "the policy does not play"


def test_one_person_plays_with_a_policy_without_a_link() -> None:
    """Nothing is sent, nothing is waited for, nothing is guessed."""
    mesh = played(1, [Chaser])
    [page] = mesh.peers
    assert page.session.links == ()
    assert faults(mesh, [Chaser]) == []
    assert page.session.timeline.guessed == page.session.stalls == 0
    assert page.packets_sent == 0


@pytest.mark.parametrize("policy", [Remembering, OneGenerator])
def test_a_policy_that_keeps_something_is_a_desync_and_not_the_truth(policy: Any) -> None:
    """The laws see a policy that is no pure function of what it is given."""
    mesh = played(2, [policy])
    assert any(page.session.hash_mismatches for page in mesh.peers) or faults(mesh, [policy]) != []


class Scripted:
    """Does what a function of the frame says."""

    def __init__(self, do: Any) -> None:
        self.do = do

    def act(self, outlook: Outlook, frame: int, random: random.Random) -> Any:
        """Whatever the function gives."""
        return self.do(frame)


def alone(policy: Any, simulation: Any = None, **values: Any) -> tuple[Session, Taken]:
    """A session of player 0 with a policy as player 1."""
    taken = Taken()
    session = Session(
        Walk(2, seed=3) if simulation is None else simulation, named(1, **values), game_id="g", players=[0, 1], me=0,
        now=0.0, wall_ms=1e12, sinks=(taken,), policies={1: policy},
    )  # fmt: skip
    return session, taken


def test_a_policy_acts_from_the_first_frame_on_whatever_the_input_delay() -> None:
    """The default actions of the first frames are people's: nothing of a policy is under way."""
    session, taken = alone(Scripted(lambda frame: 5 - frame % 2), input_delay=3, max_steps=8)
    run(session, 20)
    assert export_session_metrics(session)["episodes"][0]["inputDelay"] == {"0": 3, "1": 0}
    assert [row[2][1] for row in taken.rows[:4]] == [b"\5", b"\4", b"\5", b"\4"]


def test_a_policy_that_raises_where_all_is_known_ends_the_session_by_its_name() -> None:
    """The message says whose policy, in which frame, and what it raised."""

    def do(frame: int) -> int:
        if frame == 7:
            raise KeyError("onion")
        return 1

    session, taken = alone(Scripted(do))
    with pytest.raises(PolicyError, match="the policy of player 1 failed in frame 7 of episode 0: KeyError: 'onion'"):
        run(session, 60)
    assert session.phase == FAILED
    assert session.reason == "error"
    assert [row[1] for row in taken.rows] == list(range(7))


def test_what_a_policy_gives_has_to_be_in_its_seats_space() -> None:
    """An action that nobody could have sent is the policy's fault."""
    session, _taken = alone(Scripted(lambda frame: 6))
    with pytest.raises(PolicyError, match=r"player 1 failed in frame 0 .* ActionError"):
        run(session, 9)


@pytest.mark.slow
def test_a_policy_that_raises_on_a_guess_accuses_nobody() -> None:
    """It is shown states that never happen; the game goes on as soon as more is known."""

    class Afraid:
        """Cannot stand a sight that is only guessed."""

        raised = 0

        def act(self, outlook: Outlook, frame: int, random: random.Random) -> int:
            """Raises for sights that the truth does not have."""
            if outlook.observation not in true:
                Afraid.raised += 1
                raise ValueError(outlook.observation)
            return outlook.observation % 6

    class Noting(Afraid):
        """Collects the true sights."""

        def act(self, outlook: Outlook, frame: int, random: random.Random) -> int:
            """Stands everything."""
            true.add(outlook.observation)
            return outlook.observation % 6

    true: set[int] = set()
    mesh = played(2, [Noting])
    true.clear()
    assert faults(mesh, [Noting]) == []
    mesh = played(2, [Afraid])
    assert faults(mesh, [Afraid]) == []
    assert Afraid.raised > 5
    assert [page.session.reason for page in mesh.peers] == ["complete"] * 2


def test_the_state_that_a_policy_sees_is_that_before_its_frame() -> None:
    """Of a simulation that tells what is in a state; of any other it is None."""

    class Telling(Walk):
        def contents(self, state: object) -> Any:
            return {"env": list(state)}  # type: ignore[call-overload]

    seen: list[Any] = []

    class Looking:
        def act(self, outlook: Outlook, frame: int, random: random.Random) -> int:
            seen.append((frame, outlook.seat, outlook.player, outlook.state))
            return 0

    session, _taken = alone(Looking(), Telling(2, seed=3))
    run(session, 6)
    bare = Walk(2, seed=3)
    bare.reset(0)
    for frame in range(3):
        assert seen[frame] == (frame, 1, 1, {"env": list(bare.state)})
        bare.step([0, 0])
    session, _taken = alone(Looking())
    del seen[:]
    run(session, 3)
    assert seen[0] == (0, 1, 1, None)


def test_two_frames_seats_episodes_and_games_draw_differently_and_the_same_one_alike() -> None:
    """The generator is a function of these four, whatever was drawn before."""
    drawn: list[tuple[Any, ...]] = []

    class Drawing:
        def act(self, outlook: Outlook, frame: int, random: random.Random) -> int:
            drawn.append((outlook.seat, outlook.episode, frame, random.random(), random.gauss()))
            return 0

    for seed in (1, 1, 2):
        session = Session(
            Walk(3), named(1, 2, max_steps=4, num_episodes=2), game_id="g", players=[0, 1, 2], me=0, now=0.0,
            wall_ms=1e12, seed=seed, policies={1: Drawing(), 2: Drawing()},
        )  # fmt: skip
        run(session, 30)
        assert session.phase == DONE
    third = len(drawn) // 3
    assert drawn[:third] == drawn[third : 2 * third]
    assert third == 16
    assert len({number for *_, number, _ in drawn[third:]}) == 32


def test_policies_that_are_not_those_of_the_settings_are_refused() -> None:
    """A seat is a policy's where the settings say so, since they are what all agree on."""
    given: dict[str, Any] = {"game_id": "g", "players": [0, 1], "me": 0, "now": 0.0, "wall_ms": 1e12}
    with pytest.raises(ConfigError, match=r"name the policy partner\.py:make for player 1; none is given"):
        Session(Walk(2), named(1), **given)
    with pytest.raises(ConfigError, match="given for player 1; the settings name none"):
        Session(Walk(2), settings(), policies={1: Chaser()}, **given)
    with pytest.raises(ConfigError, match="policies has one for player 7; the players are 0, 1"):
        Session(Walk(2), named(7), policies={7: Chaser()}, **given)
    with pytest.raises(ConfigError, match="seat 1, of player 1, is played by a policy"):
        Session(Walk(2), named(1), policies={"1": Chaser()}, **{**given, "me": 1})
    with pytest.raises(ConfigError, match="peer 0 cannot own seat 1: a policy plays it"):
        Session(Walk(2), named(1), policies={1: Chaser()}, peers=[(0, 1)], **given)


def test_pages_with_different_policies_refuse_each_other_by_name() -> None:
    """What plays a seat must be alike before anybody plays."""
    make = {"simulation": lambda peer: Walk(3, seed=7), "peers": [(0,), (1,)], "players": [0, 1, 2]}
    other = settings(policies={"2": "partner.py:other"})
    policies = {2: Chaser()}
    table = Table(2, named(2), each=[{}, {"settings": other}], policies=policies, **make).finish()
    assert [session.phase for session in table.sessions] == [FAILED, FAILED]
    assert "policies differs" in "".join(event.text for event in table.events(0, SessionEnded))
    alike = Table(2, named(2), policies=policies, **make).start()
    assert [session.phase for session in alike.sessions] == [PLAYING, PLAYING]


def test_settings_without_policies_are_what_they_were() -> None:
    """Records from before there were any are still those of their settings."""
    assert "policies" not in settings().agreed()
    assert named(1).agreed()["policies"] == {"1": {"policy": "partner.py:make", "computed_by": "all"}}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["a.py"], "it must be an object by player"),
        ({"1": 3}, r"policies\['1'\] is 3"),
        ({"1": {"policy": ""}}, "it must be a text"),
        ({"1": {"policy": "a.py:b", "computed_by": "me"}}, "must be 'all' or 'one'"),
        ({"1": {"policy": "a.py:b", "seat": 1}}, "has 'seat'"),
    ],
)
def test_settings_of_policies_that_say_nothing_are_refused(given: Any, words: str) -> None:
    """The message names the player and what is wrong."""
    with pytest.raises(ConfigError, match=words):
        settings(policies=given)


ELSEWHERE = (
    "/srv/study/partner.py", "/srv/study/partner.py:make", "../partner.py", "policies/../partner.py", "C:/partner.py",
    r"policies\partner.py", r"C:\study\partner.py:make", "file:///srv/partner.py", "https://example.org/partner.py",
    "//example.org/partner.py", "policies//partner.py", "partner.v2.py", "v1.2/partner.py", ".py", "policies/.py:make",
    "policies/", "policies/partner", "/srv/study/partner", "package..module:make", ".module:make", ":make", "net.js",
)  # fmt: skip
HERE = (
    "partner.py", "./partner.py", "policies/partner.py", "policies/partner.py:make", "partner.py:", "package.module",
    "package.module:make", "module",
)  # fmt: skip
SENT = (
    "/srv/net.js", "../net.mjs", r"nets\net.js", "https://example.org/net.js", "nets//net.js",
    "net#2.js", "100%.js", ".nets/net.js", ".js", "nets/.mjs",
)  # fmt: skip


@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_policy_where_no_page_finds_it_is_refused_when_settings_are_read(place: str) -> None:
    """It worked where the study was tried, and failed before a participant. The message says how to name it."""
    for given in (place, {"policy": place}):
        with pytest.raises(ConfigError, match=r"^policies\['1'\] .*; (say|name|rename|put)"):
            settings(policies={"1": given})
        with pytest.raises(ConfigError, match=r"^stand_in .*; (say|name|rename|put)"):
            settings(on_drop="policy", stand_in=given)
    if ":" in place or place.endswith(".py"):
        with pytest.raises(ConfigError, match=r"^prediction .*; (say|name|rename|put)"):
            settings(prediction=place)


@pytest.mark.parametrize("place", HERE)
def test_a_policy_beside_the_environment_or_of_a_package_is_named_as_ever(place: str) -> None:
    assert settings(policies={"1": place}).policies["1"]["policy"] == place
    assert settings(on_drop="policy", stand_in=place).stand_in["policy"] == place
    if ":" in place or place.endswith(".py"):
        assert settings(prediction=place).predictor == place


@pytest.mark.parametrize("place", SENT)
def test_a_script_where_no_page_finds_it_is_refused_when_settings_are_read(place: str) -> None:
    with pytest.raises(ConfigError, match=r"^policies\['1'\] .*; (say|name|rename|put)"):
        settings(policies={"1": {"policy": place, "computed_by": "one"}})


@pytest.mark.parametrize("place", ["net.js", "nets/net-2.mjs", "./net.v2.js", "our net, of 2026", "a/b"])
def test_a_policy_that_one_page_computes_has_its_script_beside_the_environment_or_any_name(place: str) -> None:
    """A study's own page may have it, and then the text only names it, for the record."""
    assert settings(policies={"1": {"policy": place, "computed_by": "one"}}).policies["1"]["policy"] == place


def run(session: Session, ticks: int) -> None:
    """So many ticks of 1/32 s in which the person does nothing."""
    for count in range(1, ticks + 1):
        session.poll(count / 32, 0, ())
        session.advance(count / 32)
