"""The canonical trajectory and the export, byte for byte."""

from __future__ import annotations

import json
from datetime import date
from enum import Enum
from hashlib import blake2b
from typing import Any

import pytest
from core_support import Table, settings
from hypothesis import given
from hypothesis import strategies as st

from pycore.actions.codec import AnyCodec, DiscreteCodec
from pycore.records.metrics import export_session_metrics, p2p_metrics
from pycore.records.trajectory import Trajectory, header, trajectory_text
from pycore.rollback.seats import Seat
from pycore.session.confirmed import ConfirmedFrame
from pycore.session.phases import DONE
from pycore.settings import Settings
from pycore.simulation import StepResult
from pycore.testing import Conditions, Mesh, Walk
from pycore.values import canonical
from pycore.values.json import list_json, plain_json, record_json, to_json
from pycore.values.results import results_text

EXPORT = {
    "gameId": None, "playerId": None, "connection": ["type", "connectionDetails"],
    "inputs": ["sentViaP2P", "sentViaSocketIO", "receivedViaP2P", "receivedViaSocketIO"],
    "rollbacks": ["events", "count", "maxFrames"], "sync": ["p2pHashMismatches"],
    "quality": ["p2pFallbackTriggered", "p2pFallbackFrame"], "frames": ["total"],
}  # fmt: skip


def rough(seats: int = 2, episodes: int = 2, **more: Any) -> tuple[Mesh, list[Trajectory]]:
    """A mesh on a bad network, run to its end, with one trajectory per peer."""
    of = Settings(max_steps=90, num_episodes=episodes, hash_interval=20, environment="walk 1",
                  action_space={"type": "discrete", "n": 6})  # fmt: skip
    mesh = Mesh(
        seats, of, lambda seat: Walk(seats, seed=1), lambda seat: lambda episode, frame: (frame // 3 + seat) % 6,
        Conditions(delay=0.07, jitter=0.05, loss=0.15, **more), seed=2,
    )  # fmt: skip
    kept = [Trajectory() for _ in mesh.peers]
    for peer, trajectory in zip(mesh.peers, kept, strict=True):
        peer.session.add_sink(trajectory)
    mesh.run(120.0)
    assert mesh.over
    assert all(peer.session.timeline.rollbacks > 10 for peer in mesh.peers)
    return mesh, kept


@pytest.mark.parametrize("seats", [2, 3])
def test_the_trajectory_is_byte_identical_on_all_peers(seats: int) -> None:
    """It holds nothing that differs between them: no time, no local id, no path, no prediction."""
    mesh, kept = rough(seats)
    texts = {trajectory_text(peer.session, of) for peer, of in zip(mesh.peers, kept, strict=True)}
    assert len(texts) == 1
    assert len(texts.pop().splitlines()) == 1 + 2 * 91


def test_the_first_line_says_what_was_played() -> None:
    """Version, game, seed, players by seat, environment, and a digest of everything agreed."""
    mesh, kept = rough()
    session = mesh.peers[0].session
    first = json.loads(trajectory_text(session, kept[0]).splitlines()[0])
    assert first == {
        "pycore": 1, "game_id": "mesh", "seed": 2, "players": [0, 1], "environment": "walk 1",
        "configuration": canonical.digest({**session.settings.agreed(), "seed": 2, "players": [0, 1]}).hex(),
    }  # fmt: skip
    assert trajectory_text(session, kept[0], 1).splitlines()[0] == header(session)


def test_frames_have_no_gap_hashes_come_every_kth_and_each_episode_has_one_end() -> None:
    """Frames 0 to the end; at frame k the hash of state k and of the rows since the last hash; those of the final
    state in the end line. Whoever has the game and the record can make the hashes again."""
    mesh, kept = rough()
    lines = [json.loads(line) for line in trajectory_text(mesh.peers[0].session, kept[0]).splitlines()[1:]]
    for episode in (0, 1):
        of = [line for line in lines if line.get("episode", line.get("end")) == episode]
        assert [line["frame"] for line in of[:-1]] == list(range(90))
        assert [line["frame"] for line in of[:-1] if "hash" in line] == [20, 40, 60, 80]
        assert of[-1] == {"end": episode, "frames": 90, "hash": of[-1]["hash"]}
        bare = Walk(2, seed=1)
        bare.reset(episode)
        rows = f',"delays":{to_json(of[0]["delays"])}'.encode()
        for line in of:
            if "hash" in line:
                state = bare.canonical(bare.save()) + blake2b(rows, digest_size=8).digest()
                assert line["hash"] == blake2b(state, digest_size=8).hexdigest()
                rows = b""
            if "end" in line:
                break
            result = bare.step(line["actions"])
            assert result is not None
            assert line["rewards"] == {str(agent): reward for agent, reward in result.rewards.items()}
            rows += bytes(line["actions"])
            for name in ("infos", "rewards", "terminations", "truncations"):
                rows += f',"{name}":{to_json(line[name])}'.encode()


def test_an_episode_alone_is_that_part_of_the_whole() -> None:
    """What is stored per episode adds up to the session's record."""
    mesh, kept = rough()
    session = mesh.peers[1].session
    whole = trajectory_text(session, kept[1]).splitlines()
    parts = [trajectory_text(session, kept[1], episode).splitlines()[1:] for episode in (0, 1)]
    assert whole[1:] == parts[0] + parts[1]
    assert trajectory_text(session, kept[1], 7).splitlines() == [header(session)]


def test_rewards_are_summed_over_confirmed_frames_of_the_newest_episode() -> None:
    """What was predicted wrongly never entered the sum."""
    _mesh, kept = rough(episodes=1)
    lines = [json.loads(line) for line in kept[0].lines(0)][:-1]
    assert kept[0].totals == {seat: sum(line["rewards"][str(seat)] for line in lines) for seat in (0, 1)}


SEATS = [Seat(number, number, DiscreteCodec(6), 0, 0) for number in (0, 1)]


class Truthless:
    """Has no truth, as an array of several numbers, and a list of values if it was given one."""

    def __init__(self, values: list[Any] | None) -> None:
        self.values = values

    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array with more than one element is ambiguous")

    def tolist(self) -> list[Any]:
        """As an array's."""
        if self.values is None:
            raise RuntimeError("no values")
        return self.values


def confirmed(
    frame: int, actions: tuple[bytes, ...] = (b"\1", b"\2"), result: StepResult | None = None, digest: bytes = b""
) -> ConfirmedFrame:
    """A frame of episode 0, complete."""
    made = ConfirmedFrame(0, frame, SEATS, actions, result, None)
    made.complete()
    if digest:
        made.hashed(digest)
    return made


def test_an_episode_that_was_cut_off_has_no_end_line() -> None:
    """Whoever reads the record sees that it is not complete."""
    trajectory = Trajectory()
    trajectory.frame(confirmed(0, result=StepResult({"a": 1.5}, {"a": False}, {"a": False}, {"a": {"n": 1}}, False)))
    trajectory.frame(confirmed(1, (b"\1", b"\0"), digest=b"12345678"))
    first = (
        '{"actions":[1,2],"episode":0,"frame":0,"infos":{"a":{"n":1}},"rewards":{"a":1.5},'
        '"terminations":{"a":false},"truncations":{"a":false}}'
    )
    assert list(trajectory.lines(0)) == [
        first,
        '{"actions":[1,0],"episode":0,"frame":1,"hash":"3132333435363738"}',
    ]
    assert list(trajectory.lines(1)) == []


def test_frames_beyond_a_cut_are_taken_back() -> None:
    """The episode ended earlier than was confirmed here."""
    trajectory = Trajectory()
    for frame in range(10):
        trajectory.frame(confirmed(frame))
    trajectory.cut(0, 7)
    trajectory.cut(3, 0)
    assert [json.loads(line)["frame"] for line in trajectory.lines(0)] == list(range(7))


def test_lines_are_asked_for_at_any_time() -> None:
    """Each frame once, in order, and the end when it is there."""
    trajectory = Trajectory()
    for frame in range(20):
        trajectory.frame(confirmed(frame, (bytes((frame % 6,)), b"\0")))
        assert len(list(trajectory.lines(0))) == frame + 1
    trajectory.end(0, 20, b"12345678")
    lines = [json.loads(line) for line in trajectory.lines(0)]
    assert [line["frame"] for line in lines[:-1]] == list(range(20))
    assert [line["actions"][0] for line in lines[:-1]] == [frame % 6 for frame in range(20)]
    assert lines[-1] == {"end": 0, "frames": 20, "hash": "3132333435363738"}


def test_each_seats_actions_are_read_by_its_own_codec() -> None:
    """One has keys, another whatever JSON spells."""
    codec = AnyCodec()
    seats = [SEATS[0], Seat(1, 1, codec, None, 0)]
    assert ConfirmedFrame(0, 0, seats, (b"\5", codec.encode({"go": [1]})), None, None).decoded == [5, {"go": [1]}]


@pytest.mark.parametrize(
    ("info", "recorded"),
    [
        (object(), "<cannot be recorded>"),
        ({"deep": [object(), 1]}, {"deep": ["<cannot be recorded>", 1]}),
        ({1: 2, "a": 3}, {"1": 2, "a": 3}),
        ("\ud800", "<cannot be recorded>"),
        (float("nan"), None),
        pytest.param(10**5000, "<cannot be recorded>", id="a huge integer"),
        ({"n": -(10**5000), 10**5000: 1}, {"n": "<cannot be recorded>", "<cannot be recorded>": 1}),
        pytest.param(Truthless([1, 2]), [1, 2], id="an array"),
        pytest.param({"seen": Truthless([])}, {"seen": []}, id="an array in a dictionary"),
        pytest.param(Truthless(None), "<cannot be recorded>", id="an object that cannot say anything"),
    ],
)
def test_an_info_that_json_cannot_spell_costs_no_frame(info: Any, recorded: Any) -> None:
    """That value alone is replaced, by a constant text and never by its repr: the row is the same on every peer."""
    trajectory = Trajectory()
    trajectory.frame(confirmed(0, result=StepResult({"a": 1.5}, {}, {}, {"a": info, "b": {"n": 1}}, False)))
    (line,) = map(json.loads, trajectory.lines(0))
    assert line["rewards"] == {"a": 1.5}
    assert line["infos"]["b"] == {"n": 1}
    if recorded is not None:
        assert line["infos"]["a"] == recorded


class Phase(Enum):
    EXPLORING = 0
    RETURNING = 1


@pytest.mark.parametrize(
    ("visits", "recorded"),
    [
        ({(0, 1): 3, (2, 3): 5}, {"[0,1]": 3, "[2,3]": 5}),
        ({(0, (1, None)): 3}, {"[0,[1,null]]": 3}),
        ({frozenset({2, 1}): 3, frozenset(): 4}, {"[1,2]": 3, "[]": 4}),
        ({Phase.EXPLORING: 3, Phase.RETURNING: 5}, {"EXPLORING": 3, "RETURNING": 5}),
        ({1: 3, "1": 5, "1 2": 7}, {"1": 3, "1 2": 5, "1 2 2": 7}),
        ({None: 3, "null": 5}, {"null": 3, "null 2": 5}),
        ({True: 3, "true": 5}, {"true": 3, "true 2": 5}),
        ({float("nan"): 3, float("nan"): 5}, {"NaN": 3, "NaN 2": 5}),
        ({b"a": 3, b"b": 5}, {"<cannot be recorded>": 3, "<cannot be recorded> 2": 5}),
        ({date(2030, 1, 1): 3, date(2030, 1, 2): 5}, {"<cannot be recorded>": 3, "<cannot be recorded> 2": 5}),
    ],
)
def test_what_stands_under_any_key_is_recorded(visits: dict[Any, int], recorded: dict[str, int]) -> None:
    """By the coordinates of cells all but one visit were lost, and of keys that are spelled alike all but one."""
    text = record_json({"visits": visits})
    assert json.loads(text, object_pairs_hook=list) == [("visits", sorted(recorded.items()))]


def test_arrays_of_the_environment_are_recorded_as_lists() -> None:
    """As an agent's info, as a part of one and as a reward, whatever they hold."""
    numpy = pytest.importorskip("numpy")
    infos = {"a": numpy.array([1, 2]), "b": {"seen": numpy.zeros((2, 1))}, "c": numpy.array([])}
    rewards = {"a": numpy.array([1.0, 2.0]), "b": numpy.float32(0.5)}
    text = results_text(StepResult(rewards, {}, {}, infos, False))
    assert json.loads("{" + text[1:] + "}") == {
        "infos": {"a": [1, 2], "b": {"seen": [[0.0], [0.0]]}, "c": []},
        "rewards": {"a": [1.0, 2.0], "b": 0.5}, "terminations": {}, "truncations": {},
    }  # fmt: skip


def test_a_reward_that_is_no_number_is_recorded_and_has_no_sum() -> None:
    """The other agents' are summed; no reward adds nothing."""
    trajectory = Trajectory()
    for frame in range(2):
        trajectory.frame(confirmed(frame, result=StepResult({"a": None, "b": 1.5, "c": "x"}, {}, {}, {}, False)))
    assert trajectory.totals == {"a": 0, "b": 3.0, "c": None}
    assert [json.loads(line)["rewards"] for line in trajectory.lines(0)] == [{"a": None, "b": 1.5, "c": "x"}] * 2


def test_an_agent_that_python_does_not_write_costs_its_name_alone() -> None:
    """An id may be any int; also where infos and flags are empty, and their texts are kept."""
    agent = 10**5000
    text = results_text(StepResult({agent: 1.5, 1: 2}, {agent: False}, {agent: True}, {agent: {}}, False))
    name = "<cannot be recorded>"
    assert json.loads("{" + text[1:] + "}") == {
        "infos": {name: {}}, "rewards": {name: 1.5, "1": 2}, "terminations": {name: False}, "truncations": {name: True},
    }  # fmt: skip


@pytest.mark.parametrize("flag", [False, True, 0, None])
def test_flags_and_infos_are_spelled_the_same_however_often_they_came(flag: Any) -> None:
    """The text of flags that are all off, and of infos without anything, is kept: it must be that of their values."""
    for agents in ([0, 1], ["0", "1"], [1, 0], ["b", "a"], [True, 2], [1.0, 2]):
        for _ in range(2):
            flags = dict.fromkeys(agents, flag)
            text = results_text(StepResult({}, flags, flags, {agent: {} for agent in agents}, False))
            spelled = {str(agent): flag for agent in agents}
            assert text == (
                f',"infos":{to_json({str(agent): {} for agent in agents})},"rewards":{{}}'
                f',"terminations":{to_json(spelled)},"truncations":{to_json(spelled)}'
            )
    assert results_text(None) == ""


def test_agents_that_are_equal_and_spelled_otherwise_are_not_mixed_up() -> None:
    """True and 1.0 are the key 1 of a dictionary, and three names in a record."""
    for agents in ([1, 2], [True, 2], [1.0, 2], [1, 2]):
        flags = dict.fromkeys(agents, False)
        text = results_text(StepResult(dict.fromkeys(agents, 0.5), flags, flags, {}, False))
        spelled = {str(agent): False for agent in agents}
        assert text == (
            f',"infos":{{}},"rewards":{to_json(dict.fromkeys(spelled, 0.5))}'
            f',"terminations":{to_json(spelled)},"truncations":{to_json(spelled)}'
        )


@given(
    st.dictionaries(
        st.one_of(st.integers(0, 3), st.text(max_size=3), st.booleans()),
        st.one_of(st.floats(), st.integers(), st.booleans(), st.none(), st.just(-0.0), st.just(10**5000)),
        max_size=4,
    )
)
def test_rewards_are_spelled_as_the_encoder_spells_them(rewards: dict[Any, Any]) -> None:
    """Finite floats and integers are written without it: the bytes must be the same."""
    expected = record_json({str(agent): reward for agent, reward in rewards.items()})
    assert results_text(StepResult(rewards, {}, {}, {}, False)) == (
        f',"infos":{{}},"rewards":{expected},"terminations":{{}},"truncations":{{}}'
    )


def test_an_integer_that_python_does_not_write_is_replaced_in_a_page_s_text_too() -> None:
    """Python writes no integer of more than 4,300 digits; as a value and as a key it costs itself alone."""
    assert plain_json([10**5000, {-(10**5000): 1, 2: 3}]) == (
        '["<cannot be recorded>",{"<cannot be recorded>":1,"2":3}]'
    )


class Spiteful:
    """Nothing that is asked of it works."""

    def tolist(self) -> list[Any]:
        """As an array would, and raises."""
        raise OSError("gone")

    def __str__(self) -> str:
        raise OSError("gone")

    __hash__ = object.__hash__


@given(
    st.integers() | st.integers(-(2**53) - 2, 2**53 + 2) | st.integers(-(10**400), 10**400), st.floats(allow_nan=False)
)
def test_an_integer_that_javascript_would_round_is_a_text_of_a_page(number: int, beside: float) -> None:
    """It changed without a word in a host page's files; one that is exact stays a number, and so does a float."""
    (found,) = json.loads(plain_json({"infos": [number, beside, f"{number}"]})).values()
    assert found[0] == (number if abs(number) <= 2**53 else str(number))
    assert type(found[0]) is (int if abs(number) <= 2**53 else str)
    assert found[1] == (beside if beside - beside == 0.0 else str(beside))
    assert found[2] == str(number)
    assert json.loads(plain_json({number: number})) == {str(number): found[0]}


def test_a_page_s_text_never_fails_whatever_is_in_it() -> None:
    """What contains itself, what raises anything when it is converted, and such a key, each costs itself alone."""
    endless: list[Any] = [1]
    endless.append(endless)
    text = plain_json({"fine": 1, "raises": Spiteful(), Spiteful(): 2, "endless": endless})
    found = json.loads(text)
    assert (found["fine"], found["raises"], found["<cannot be recorded>"]) == (1, "<cannot be recorded>", 2)
    assert found["endless"][0] == 1


def test_a_cut_takes_totals_back_and_counts_by_frames() -> None:
    """Who came late has no lines of the frames before; a score must not have in it what was taken back."""
    for first in (0, 3):
        trajectory = Trajectory()
        for frame in range(first, 10):
            trajectory.frame(confirmed(frame, result=StepResult({"a": 0.1 * frame}, {}, {}, {}, False)))
        trajectory.cut(0, 7)
        lines = [json.loads(line) for line in trajectory.lines(0)]
        assert [line["frame"] for line in lines] == list(range(first, 7))
        total = 0.0
        for line in lines:
            total += line["rewards"]["a"]
        assert trajectory.totals == {"a": total}


@given(st.lists(st.one_of(st.integers(-5, 300), st.booleans(), st.floats(allow_nan=False), st.text(max_size=2))))
def test_actions_are_spelled_as_the_encoder_spells_them(actions: list[Any]) -> None:
    """Integers are written without it."""
    assert list_json(actions) == to_json(actions)


def test_json_is_sorted_and_what_json_does_not_know_is_named() -> None:
    """One spelling for one value, on every Python."""
    assert to_json({"b": 0.1, "a": {3, 1, 2}, "ü": (1, None)}) == '{"a":[1,2,3],"b":0.1,"ü":[1,null]}'
    with pytest.raises(TypeError, match="cannot hold a object"):
        to_json(object())


def test_the_exported_metrics_have_s5s_keys_so_spelled() -> None:
    """More keys may stand beside them; these stay."""
    table = Table(2, settings(max_steps=30), players=["left", "right"])
    table.until(lambda: table[0].phase == DONE)
    metrics = export_session_metrics(table[0])
    for name, inner in EXPORT.items():
        assert name in metrics
        for key in inner or ():
            assert key in metrics[name]
    assert (metrics["gameId"], metrics["playerId"]) == ("table", "left")
    assert metrics["connection"] == {"type": "unknown", "connectionDetails": {}}
    assert metrics["quality"]["p2pFallbackTriggered"] is False
    assert metrics["quality"]["p2pFallbackFrame"] is None
    assert metrics["frames"]["total"] == 30
    table[0].set_connection_type(1, "relay", {"protocol": "udp"})
    assert export_session_metrics(table[0])["connection"] == {
        "type": "relay", "connectionDetails": {"protocol": "udp"},
    }  # fmt: skip
    json.dumps(metrics)


def test_the_counts_are_of_inputs_over_the_session_and_agree_at_the_end() -> None:
    """Sent and received totals of a link are equal, across episodes and paths; repeats are counted apart."""
    mesh, _kept = rough()
    one, two = (export_session_metrics(peer.session) for peer in mesh.peers)
    for mine, theirs in ((one, two), (two, one)):
        sent, received = mine["inputs"], theirs["inputs"]
        assert sent["sentViaP2P"] + sent["sentViaSocketIO"] == 180
        assert received["receivedViaP2P"] + received["receivedViaSocketIO"] == 180
        assert sent["resentViaP2P"] > 100
        assert mine["frames"] == {"total": 180, "episode": 90}
        assert mine["rollbacks"]["count"] == len(mine["rollbacks"]["events"])
        assert mine["rollbacks"]["maxFrames"] == max(e["rollbackFrames"] for e in mine["rollbacks"]["events"])
        assert mine["sync"]["p2pHashMismatches"] == 0
        assert mine["sync"]["hashesCompared"] > 0


def test_events_that_have_no_room_in_the_metrics_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics of any length are stored: the list is cut at an event, and says how many more there were."""
    mesh, _kept = rough()
    session = mesh.peers[0].session
    whole = export_session_metrics(session)["rollbacks"]
    assert "eventsLeftOut" not in whole
    monkeypatch.setattr("pycore.rollback.mispredictions.LISTED", 1000)
    cut = export_session_metrics(session)["rollbacks"]
    assert cut["events"] == whole["events"][: len(cut["events"])]
    assert 0 < len(cut["events"]) < whole["count"]
    assert cut["eventsLeftOut"] == whole["count"] - len(cut["events"])
    assert "eventsLeftOut" not in export_session_metrics(session, events=False)["rollbacks"]


def test_the_first_fallback_is_reported_with_its_frame_and_every_change_with_its_cause() -> None:
    """Triggered, the frame of the first, and the list of all changes of path."""
    of = Settings(max_steps=400, action_space={"type": "discrete", "n": 6})
    mesh = Mesh(2, of, lambda seat: Walk(2, seed=1), lambda seat: lambda episode, frame: frame // 3 % 6, seed=2)
    mesh.at(3.0, mesh.close)
    mesh.at(4.0, mesh.open_channels)
    mesh.run(60.0)
    metrics = export_session_metrics(mesh.peers[0].session)
    changes = metrics["pathChanges"]
    assert [(c["from"], c["to"], c["cause"], c["playerId"]) for c in changes] == [
        ("p2p", "socketio", "closed", "1"), ("socketio", "p2p", "recovered", "1"),
    ]  # fmt: skip
    assert metrics["quality"]["p2pFallbackTriggered"] is True
    assert metrics["quality"]["p2pFallbackFrame"] == changes[0]["frame"]
    page = p2p_metrics(mesh.peers[0].session)
    assert page["p2pFallbackFrame"] == changes[0]["frame"]
    assert page["inputsSentViaSocketIO"] == metrics["inputs"]["sentViaSocketIO"] > 0
