"""pycore in the page of January 2026: two people play whole games, and their data is one and true."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
import seed_data
import seed_game
import seed_truth
from seed_browser import Participant
from seed_game import Played, collect, gathered, play, scene, sit_down, verify, verify_books

from pycore import datagram
from tools.paths import WEB

pytestmark = pytest.mark.page

MODULE = WEB / "interactive_gym.js"


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The harness page with pycore's module in it."""
    return seed_game.install(tmp_path_factory.mktemp("installed"))


def holds_inputs(packet: bytes) -> bool:
    """Whether a packet of pycore's has inputs in it: its eleventh byte says how many, and if there are more."""
    return packet[0] == datagram.KIND and bool(packet[10] & (datagram.COUNT | datagram.SPLIT))


def by_peer_only(played: Played) -> None:
    """No input crossed the server: by its own count, not by the pages'."""
    assert played.server.inputs == 0, f"{played.server.inputs} inputs crossed the server"
    assert set(played.server.signals) <= {"offer", "answer", "ice-candidate", "pycore"}
    for _, _, event, data in played.server.log:
        if event == "webrtc_signal" and data["type"] == "pycore":
            assert not holds_inputs(base64.b64decode(data["payload"]))
    assert played.server.signals["offer"] >= 1
    assert played.total("inputs", "sentViaSocketIO") == 0
    frames = played.scene["max_steps"] * played.scene["num_episodes"]
    assert played.total("inputs", "sentViaP2P") >= 2 * (frames - 10)


@pytest.mark.parametrize("delay", [0, 3])
def test_two_people_with_names_for_seats_play_three_episodes_by_peer(static: Path, tmp_path: Path, delay: int) -> None:
    """Same data, true data, rollbacks that really happened, and a server that carries no input."""
    study = scene(num_episodes=3, input_delay=delay)
    played = play(static, tmp_path, {**study}, latency_ms=30)
    verify(played)
    verify_books(played)
    by_peer_only(played)
    assert played.total("rollbacks", "count") >= 3
    for person in played.people.values():
        assert not [line for line in person.console if line.startswith("error")]


def test_numbers_for_seats_and_a_bot_beside_them(static: Path, tmp_path: Path) -> None:
    """Seats are what the study calls them, and a random bot plays the same for everybody."""
    played = play(static, tmp_path, scene({0: "human", 1: "human", 2: "random"}), latency_ms=20)
    verify(played)
    verify_books(played)
    assert set(played.seats.values()) == {0, 1}


def test_a_bot_of_the_pages_own_answers_when_it_likes_and_all_see_the_same(static: Path, tmp_path: Path) -> None:
    """A policy that only one page asks; its answers travel with that player's inputs."""
    played = play(static, tmp_path, scene({"left": "human", "right": "human", "bot": "model.onnx"}), latency_ms=20)
    verify(played)
    verify_books(played)


def test_the_same_game_by_the_server_alone(static: Path, tmp_path: Path) -> None:
    """Signals that never arrive: the seed's page begins on socket.io, so the game is played over it."""
    played = play(static, tmp_path, scene(), p2p=False)
    verify(played)
    verify_books(played)
    assert played.total("inputs", "sentViaP2P") == 0
    assert played.server.inputs >= played.total("inputs", "sentViaSocketIO") > 0


def test_a_tab_hidden_for_six_seconds_across_the_end_of_an_episode(static: Path, tmp_path: Path) -> None:
    """The hidden page's timers run once a second; nobody hangs, and nothing is missing."""

    def hide(people: list[Participant]) -> None:
        person = people[0]
        person.page.wait_for_function("window.seedGame.step_num > 100", timeout=60_000)
        person.hide()
        person.page.wait_for_timeout(6000)
        person.hide(False)

    played = play(static, tmp_path, scene(max_steps=180), latency_ms=10, during=hide)
    verify(played)
    verify_books(played)
    by_peer_only(played)


def test_an_episode_that_the_play_ends_is_the_same_length_for_both(static: Path, tmp_path: Path) -> None:
    """A goal that is reached in mid-air is decided on confirmed frames, so both stop at the same one."""
    study = scene(max_steps=600, options={"goal": 12})
    played = play(static, tmp_path, study, latency_ms=30)
    times = seed_truth.values_of(played.columns["ada"], "t")
    lengths = [before for before, after in zip(times, [*times[1:], 0], strict=True) if after < before]
    assert len(lengths) == 2
    assert all(length < 600 for length in lengths)
    verify(played, lengths)
    ends = seed_truth.values_of(played.columns["ada"], "terminateds.left")
    assert [index for index, end in enumerate(ends, start=1) if end] == [lengths[0], sum(lengths)]


def test_loss_and_delay_cost_no_input(static: Path, tmp_path: Path) -> None:
    """60 ms and 5 % loss: resends happen, and the data is whole."""
    played = play(static, tmp_path, scene(), latency_ms=15, loss=1.3)
    verify(played)
    verify_books(played)
    by_peer_only(played)
    assert played.total("inputs", "resentViaP2P") > 0


def test_permanent_objects_stay_through_rollbacks_and_come_again_in_the_next_episode(
    static: Path, tmp_path: Path
) -> None:
    """What is sent only at t = 0 is on the picture in the middle of both episodes."""
    seen: list[list[str]] = []

    def look(people: list[Participant]) -> None:
        for episode in (0, 1):
            for person in people:
                person.page.wait_for_function(
                    f"(({{num_episodes, step_num}}) => num_episodes === {episode} && step_num > 40 && step_num < 100)"
                    "(window.seedGame)",
                    timeout=60_000,
                )
                seen.append(person.page.evaluate("[...window.seedScene.objectMap.keys()]"))

    played = play(static, tmp_path, scene(), latency_ms=30, during=look)
    verify(played)
    assert played.total("rollbacks", "performed") >= 2
    assert len(seen) == 4
    for names in seen:
        assert {"field", "middle", "scores", "player-0", "player-1", "coin-0", "coin-59"} <= set(names)
        assert len(names) == len(set(names)) == 65


def test_rows_of_pixels_are_shown(static: Path, tmp_path: Path) -> None:
    """The seed's renderer reads a picture from a field that the page itself never filled; here it is seen."""
    sizes: list[list[int]] = []

    def look(people: list[Participant]) -> None:
        for person in people:
            person.page.wait_for_function("window.seedScene.picture?.width > 0", timeout=30_000)
            sizes.append(person.page.evaluate("[window.seedScene.picture.width, window.seedScene.picture.height]"))

    played = play(static, tmp_path, scene(num_episodes=1, options={"render": "rgb"}), during=look)
    verify(played)
    assert sizes == [[24, 16], [24, 16]]


def test_a_second_scene_is_another_game_on_the_same_object(static: Path, tmp_path: Path) -> None:
    """The page hands the second scene to the object of the first; it must not carry over what it was."""
    study = scene(num_episodes=1)
    with gathered(static, study, tmp_path, then={"scene_id": "second", "max_steps": 90}) as (played, chrome):
        people = sit_down(played, chrome, latency_ms=10)
        first = [person.game("game.gameId") for person in people]
        seats = {person.subject: person.game("game.myPlayerId") for person in people}
        for person in people:
            person.page.wait_for_function(
                "document.getElementById('startButton').offsetParent !== null", timeout=60_000
            )
        for person in people:
            person.start()
        for person in people:
            person.page.wait_for_function("window.seedGame.step_num > 5 && window.seedGame.step_num < 80")
        second = [person.game("game.gameId") for person in people]
        assert len({*first}) == len({*second}) == 1
        assert first != second
        collect(played, number=1)
        assert played.server.inputs == 0
        verify(Played({**study, "max_steps": 90}, played.server, played.seats, played.columns))
        for subject in played.columns:
            played.columns[subject] = seed_data.read_csv(played.server.csv_of(subject))
        played.seats = seats
        verify(played)


def test_what_the_page_was_promised_by_name_is_in_the_module() -> None:
    """The patterns that the seed's own checks look for."""
    text = MODULE.read_text("utf-8")
    for pattern in (
        "sendInputToOtherPlayers", "recordAndSend", "_sendViaSocketIO", "exportSessionMetrics", "sessionMetrics",
        "[P2P] Send failed", "[GGPO] Late input triggering rollback:",
    ):  # fmt: skip
        assert pattern in text, pattern
    body = re.search(r"^( +)(?:async )?storeRemoteInput\([^)]*\) \{$(.*?)^\1\}$", text, re.MULTILINE | re.DOTALL)
    assert body is not None, "there is no method storeRemoteInput"
    assert "rollbackEvent" in body[2]
