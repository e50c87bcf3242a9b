"""The harness itself: its page plays a game of one person, and its server speaks the events of the page."""

from __future__ import annotations

import asyncio
import base64
import copy
import struct
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import seed_data
import seed_game
import seed_truth
import socketio
from seed_browser import ACTIONS, browser
from seed_server import SeedServer

from pycore.wire import datagram

pytestmark = pytest.mark.page

STATIC = Path(__file__).resolve().parent / "static"
STEPS = 40
EPISODES = 2

ALONE = {
    "policy_mapping": {"human": "human", "bot": "random"},
    "action_mapping": ACTIONS,
    "default_action": 0,
    "fps": 30,
    "max_steps": STEPS,
    "num_episodes": EPISODES,
    "environment_initialization_code": seed_truth.arena(
        "random.seed(5)\nenv = RewindableArena(agents=('human', 'bot'), coins=80)"
    ),
}
PAIR = {
    "policy_mapping": {"left": "human", "right": "human"},
    "pyodide_multiplayer": True,
    "action_mapping": {},
    "environment_initialization_code": "env = None",
}


def test_a_person_alone_plays_and_the_data_is_what_cpython_computes(chromium: Any, tmp_path: Path) -> None:
    """Reset rows, steps, ends, padding at the end of the columns, and the picture, through the page's own module.

    In between the tab is hidden, which does to the page what a browser does: its clock nearly stops, and goes on after.
    """
    with SeedServer(STATIC, ALONE, tmp_path) as server, browser(chromium, server) as chrome:
        person = chrome.participant("ada")
        person.at(0, 5, "window.seedHide(true)")
        person.start()
        person.play(seed=1)
        person.until("document.hidden", 30)
        assert person.game("document.visibilityState") == "hidden"
        before, since = person.game("game.step_num"), time.monotonic()
        person.page.wait_for_timeout(3000)
        person.until(f"game.step_num > {before}", 30)
        # One a second; it is 30 while the tab is seen. A busy machine takes longer for all of it.
        assert person.game("game.step_num") - before <= 2 + 2 * (time.monotonic() - since)
        person.hide(False)
        drawn = person.page.evaluate("[...window.seedScene.objectMap.keys()]")
        assert {"field", "middle", "coin-0", "player-1", "scores"} == set(drawn) & {
            "field", "middle", "coin-0", "player-1", "scores",
        }  # fmt: skip
        padded = seed_data.read_csv(person.finish(seconds=60))
        columns = {name: seed_data.unpadded(values) for name, values in padded.items()}
        assert person.errors == []
        assert person.addresses.refused == []
        assert server.received["emit_remote_game_data"] == server.received["join_game"] == 1
        assert server.inputs == 0

    # A row for each reset and each step; the step that ends an episode already counts the next one.
    numbers = seed_truth.values_of(columns, "t")
    assert numbers == [*range(STEPS + 1)] * EPISODES
    assert seed_truth.values_of(columns, "episode_num") == [0] * STEPS + [1] * (STEPS + 1) + [2]
    assert len(columns["timestamp"]) == EPISODES * (STEPS + 1)

    actions = {agent: seed_truth.values_of(columns, f"actions.{agent}") for agent in ("human", "bot")}
    assert all(len(column) == EPISODES * STEPS for column in actions.values())
    assert all(len(set(column)) >= 3 for column in actions.values())
    truth = seed_truth.replay(ALONE["environment_initialization_code"], actions, [STEPS] * EPISODES, seed=None)
    for agent in actions:
        rewards = [rewards[agent] for episode in truth for rewards, *_ in episode]
        assert seed_truth.values_of(columns, f"rewards.{agent}") == rewards
        assert len(set(rewards)) >= 2
        assert seed_truth.values_of(columns, f"terminateds.{agent}") == [False] * (EPISODES * STEPS)
        assert columns[f"observations.{agent}"] == []
        infos = [infos[agent] for episode in truth for *_, infos in episode]
        for key in ("x", "moved", "coin"):  # the last one is not in every row, so its column is short, or not there
            expected = [info[key] for info in infos if key in info]
            assert [seed_truth.value_of(text) for text in columns.get(f"infos.{agent}.{key}", [])] == expected
        assert columns[f"infos.{agent}.x"]


def tell(story: Callable[[SeedServer], Coroutine[Any, Any, None]], server: SeedServer) -> None:
    """Run a story in a thread: in this one, Playwright's own loop may be at work."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(story(server))).result()


class Caller:
    """A page without a page: a socket that keeps what it hears."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.heard: list[tuple[str, Any]] = []
        self._socket = socketio.AsyncClient()
        self._socket.on("*", lambda event, data=None: self.heard.append((event, data)))

    async def connect(self, server: SeedServer) -> None:
        await self._socket.connect(server.url, transports=["websocket"])
        await self.say("register_subject", {"subject_id": self.subject, "interactiveGymGlobals": {}})
        await self.wait("activate_scene")

    async def say(self, event: str, data: Any) -> None:
        await self._socket.emit(event, data)

    async def wait(self, event: str) -> Any:
        for _ in range(500):
            for name, data in self.heard:
                if name == event:
                    return data
            await asyncio.sleep(0.01)
        raise AssertionError(f"{self.subject} did not hear {event}, but {[name for name, _ in self.heard]}")

    async def close(self) -> None:
        await self._socket.disconnect()


async def pair(server: SeedServer) -> tuple[Caller, Caller]:
    one, two = Caller("one"), Caller("two")
    for caller in (one, two):
        await caller.connect(server)
        await caller.say("join_game", {"session_id": "x"})
        await caller.wait("pyodide_player_assigned")
    await two.wait("start_game")
    await one.wait("start_game")
    return one, two


def test_the_server_groups_two_and_tells_them_in_the_pages_order(tmp_path: Path) -> None:
    """Seat, readiness, start: in this order, with the page's fields."""

    async def story(server: SeedServer) -> None:
        one, two = await pair(server)
        assert [name for name, _ in one.heard][-4:] == [
            "pyodide_player_assigned", "waiting_room", "pyodide_game_ready", "start_game",
        ]  # fmt: skip
        assert [name for name, _ in two.heard][-3:] == ["pyodide_player_assigned", "pyodide_game_ready", "start_game"]
        first, second = await one.wait("pyodide_player_assigned"), await two.wait("pyodide_player_assigned")
        assert {first["player_id"], second["player_id"]} == {"left", "right"}
        assert first["game_seed"] == second["game_seed"] == 77
        assert first["num_players"] == 2
        ready = await one.wait("pyodide_game_ready")
        assert ready == {
            "game_id": first["game_id"], "players": [first["player_id"], second["player_id"]],
            "player_subjects": {first["player_id"]: "one", second["player_id"]: "two"},
            "server_authoritative": False, "turn_config": {"username": "u", "credential": "c", "force_relay": True},
        }  # fmt: skip
        started = await two.wait("start_game")
        assert started["game_id"] == first["game_id"]
        assert started["scene_metadata"]["input_delay"] == 0
        await one.close()
        await two.close()

    turn = {"username": "u", "credential": "c", "force_relay": True}
    with SeedServer(STATIC, PAIR, tmp_path, game_seed=77, turn=turn) as server:
        tell(story, server)


def test_the_server_relays_inputs_without_their_epoch_signals_by_socket_and_the_end(tmp_path: Path) -> None:
    """What one sends, the other gets in the page's shape; nothing comes back; a partner who goes ends the game."""

    async def story(server: SeedServer) -> None:
        one, two = await pair(server)
        mine = await one.wait("pyodide_player_assigned")
        other = (await two.wait("pyodide_player_assigned"))["player_id"]
        game, me = mine["game_id"], mine["player_id"]
        await one.say("pyodide_player_action", {
            "game_id": game, "player_id": me, "action": [1, "x"], "frame_number": 9, "timestamp": 1, "sync_epoch": 3,
        })  # fmt: skip
        action = await two.wait("pyodide_other_player_action")
        assert abs(action.pop("timestamp") - server.log[-1][0]) < 5
        assert action == {"player_id": me, "action": [1, "x"], "frame_number": 9}
        await one.say("webrtc_signal", {"game_id": game, "target_player_id": other, "type": "offer", "payload": "sdp"})
        signal = await two.wait("webrtc_signal")
        assert signal == {"type": "offer", "from_player_id": me, "game_id": game, "payload": "sdp"}
        await one.say("pyodide_hud_update", {"game_id": game, "hud_text": "hello"})
        assert await one.wait("pyodide_hud_sync") == await two.wait("pyodide_hud_sync") == {"hud_text": "hello"}
        await one.say("p2p_state_sync", {"game_id": game, "sender_id": me, "frame_number": 4, "state_hash": "h"})
        assert (await two.wait("p2p_state_sync"))["state_hash"] == "h"
        assert "pyodide_other_player_action" not in [name for name, _ in one.heard]
        assert (server.inputs, server.signals["offer"]) == (1, 1)
        await one.close()
        assert "disconnected" in (await two.wait("end_game"))["message"]
        await two.close()

    with SeedServer(STATIC, PAIR, tmp_path) as server:
        tell(story, server)


def test_columns_are_padded_at_their_ends_and_what_is_no_list_stands_first(tmp_path: Path) -> None:
    """A reset has no actions, so from the second episode on the columns are shifted: the page's shape of the data."""
    data = {"actions": {"a": [1, 2]}, "t": [0, 1, 2], "player_subjects": {"0": "ada"}, "observations": {}}
    assert seed_data.padded(data) == {
        "actions.a": [1, 2, None], "t": [0, 1, 2], "player_subjects.0": ["ada", None, None],
    }  # fmt: skip
    seed_data.write_csv(data, tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text().splitlines() == [
        "actions.a,t,player_subjects.0", "1,0,ada", "2,1,", ",2,",
    ]  # fmt: skip
    assert seed_data.read_csv(tmp_path / "x.csv")["actions.a"] == ["1", "2", ""]
    assert seed_data.unpadded(["", "1", "", ""]) == ["", "1"]


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x82\xa1a\x93\x01\xff\xc0\xa1b\xc3", {"a": [1, -1, None], "b": True}),
        (b"\xcb" + struct.pack(">d", 0.1), 0.1),
        (b"\xd3" + struct.pack(">q", -(2**40)), -(2**40)),
        (b"\xd9\x21" + b"x" * 33, "x" * 33),
        (b"\xdc\x00\x11" + b"\x05" * 17, [5] * 17),
        (b"\xde\x00\x01\xa1k\xcd\x01\x00", {"k": 256}),
    ],
)
def test_msgpack_is_read(data: bytes, value: Any) -> None:
    """Every family of types that the encoders of the page use."""
    assert seed_data.unpack(data) == value


def data_of_a_game(study: dict[str, Any]) -> dict[str, Any]:
    """What the page's logger has of a game of this study without rows for its resets, by an old generator's actions."""
    agents = list(study["policy_mapping"])
    length, episodes = study["max_steps"], study["num_episodes"]
    word = 1
    actions: dict[Any, list[int]] = {agent: [] for agent in agents}
    for _ in range(length * episodes):
        for agent in agents:
            word = (word * 1103515245 + 12345) & 0x7FFFFFFF
            actions[agent].append((word >> 16) % 5)
    code = study["environment_initialization_code"]
    truth = seed_truth.replay(code, actions, [length] * episodes, seed_game.GAME_SEED)
    steps = [step for episode in truth for step in episode]
    infos: dict[Any, dict[str, list[Any]]] = {agent: {} for agent in agents}
    for step in steps:
        for agent in agents:
            for key, value in step[3][agent].items():
                infos[agent].setdefault(key, []).append(value)
    return {
        "observations": {agent: [] for agent in agents},
        "actions": actions,
        **{
            name: {agent: [step[part][agent] for step in steps] for agent in agents}
            for part, name in enumerate(("rewards", "terminateds", "truncateds"))
        },
        "infos": infos,
        "t": [*range(1, length + 1)] * episodes,
        "episode_num": [number for number in range(episodes) for _ in range(length)],
        "timestamp": [0] * (length * episodes),
        "player_subjects": {"left": "ada", "right": "bob"},
    }


def judged(study: dict[str, Any], mine: dict[str, Any], other: dict[str, Any], folder: Path) -> seed_game.Played:
    """Two players' data, as it is after its way through the server's files."""
    played = seed_game.Played(study, SeedServer(STATIC, study, folder), seats={"ada": "left", "bob": "right"})
    for name, data in (("ada", mine), ("bob", other)):
        seed_data.write_csv(data, folder / f"{name}.csv")
        played.columns[name] = seed_data.read_csv(folder / f"{name}.csv")
    return played


def test_the_judgement_of_a_game_passes_what_is_true_and_fails_on_one_wrong_field(tmp_path: Path) -> None:
    """Both alike and true passes; one field of one player, or the same field of both, does not."""
    study = seed_game.scene(max_steps=60)
    good = data_of_a_game(study)
    seed_game.verify(judged(study, good, good, tmp_path))
    bad = copy.deepcopy(good)
    bad["rewards"]["left"][40] += 0.25
    with pytest.raises(AssertionError, match=r"differ: \['rewards\.left'\]"):
        seed_game.verify(judged(study, good, bad, tmp_path))
    with pytest.raises(AssertionError, match="rewards"):
        seed_game.verify(judged(study, bad, bad, tmp_path))
    bad = copy.deepcopy(good)
    del bad["actions"]["right"][-1]
    with pytest.raises(AssertionError, match="a frame has no action of right"):
        seed_game.verify(judged(study, bad, bad, tmp_path))
    bad = copy.deepcopy(good)
    bad["rewards"]["right"].insert(60, bad["rewards"]["right"].pop())
    with pytest.raises(AssertionError, match=r"rewards\.right"):
        seed_game.verify(judged(study, bad, bad, tmp_path))
    # The row of a reset, as the page logs it where it gets a result: no actions, and what is seen counts from 0.
    bad = copy.deepcopy(good)
    for name, value in (("t", 0), ("episode_num", 1), ("timestamp", 0)):
        bad[name].insert(60, value)
    with pytest.raises(AssertionError, match="121 rows for 120 frames"):
        seed_game.verify(judged(study, bad, bad, tmp_path))
    bad = copy.deepcopy(good)
    bad["t"][60] = None  # NaN, after its way through JSON
    with pytest.raises(AssertionError, match="unnumbered"):
        seed_game.verify(judged(study, bad, bad, tmp_path))
    bad = copy.deepcopy(good)
    bad["actions"]["third"] = [0] * 120
    with pytest.raises(AssertionError, match="third"):
        seed_game.verify(judged(study, bad, bad, tmp_path))
    other = {**good, "timestamp": [1] * len(good["timestamp"])}
    seed_game.verify(judged(study, good, other, tmp_path))


def test_the_judgement_of_the_way_takes_an_input_by_the_server_only_while_the_page_had_left_its_link(
    tmp_path: Path,
) -> None:
    """Before, after, of the other page and without any change of path: each of them fails; so does a wrong count."""
    server = SeedServer(STATIC, PAIR, tmp_path)
    played = seed_game.Played(seed_game.scene(max_steps=60), server)
    server.signals["offer"] = 1
    for subject in ("ada", "bob"):
        played.metrics[subject] = {
            "gameId": "g",
            "inputs": {
                "sentViaP2P": 119, "sentViaSocketIO": 1, "receivedViaP2P": 120, "receivedViaSocketIO": 0,
                "resentViaP2P": 9, "resentViaSocketIO": 0,
            },
            "pathChanges": [{"to": "socketio", "timestamp": 1000}, {"to": "p2p", "timestamp": 2000}],
            "frames": {"total": 120},
            "sync": {"p2pHashMismatches": 0, "contradictions": 0, "hashesCompared": 4},
            "rollbacks": {"count": 0, "events": []},
        }  # fmt: skip
    played.metrics["bob"]["pathChanges"] = []
    played.metrics["bob"]["inputs"] |= {"sentViaP2P": 120, "sentViaSocketIO": 0}

    def crossed(subject: str, at: int) -> seed_game.Played:
        server.log[:] = [(0.0, subject, "pyodide_player_action", {"game_id": "g", "timestamp": at})]
        return played

    seed_game.by_peer(crossed("ada", 1500))
    seed_game.verify_books(played)
    for subject, at in (("ada", 900), ("ada", 2100), ("bob", 1500)):
        with pytest.raises(AssertionError, match=f"{subject} at {at}"):
            seed_game.by_peer(crossed(subject, at))
    with pytest.raises(AssertionError, match="inputs of ada by the server"):
        seed_game.verify_books(played)
    crossed("ada", 1500)
    played.metrics["ada"]["inputs"]["receivedViaP2P"] = 119
    with pytest.raises(AssertionError):
        seed_game.verify_books(played)
    played.metrics["ada"]["pathChanges"].pop(0)
    with pytest.raises(AssertionError):
        seed_game.by_peer(crossed("ada", 2100))
    # A game that begins by the server has left its link from the first.
    seed_game.by_peer(crossed("ada", 1500))
    server.log[:] = []
    packet = bytes((datagram.KIND, *([0] * 10), 1))
    signal = {"type": "pycore", "payload": base64.b64encode(packet).decode()}
    server.log.append((0.0, "ada", "webrtc_signal", signal))
    with pytest.raises(AssertionError):
        seed_game.by_peer(played)
