"""pycore in the page of January 2026: two people play whole games, and their data is one and true."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import seed_data
import seed_game
import seed_truth
from seed_browser import Participant
from seed_game import Stage, by_peer, collect, gathered, play, scene, sit_down, verify, verify_books

from tools.paths import WEB

pytestmark = pytest.mark.page

MODULE = WEB / "interactive_gym" / "entry.js"
PERMANENT = {"field", "middle"}
"""What the arena's picture has only at t = 0."""


def test_two_people_with_names_for_seats_play_two_episodes_by_peer(stage: Stage) -> None:
    """Same data, true data, rollbacks that really happened, and a server that carries no input at all.

    An input is under way for twice the latency. What is drawn only at t = 0 stays on the picture, through rollbacks
    and in every episode.
    """
    study = scene(num_episodes=2, pycore={})
    for number in range(4):
        played = play(replace(stage, data=stage.data / f"game-{number}"), study, latency_ms=30)
        by_peer(played)
        verify(played)
        verify_books(played)
        if not played.server.inputs:
            break
        # A page stood still, which any may do on a machine that is busy.
    assert played.server.inputs == 0
    assert played.total("inputs", "sentViaSocketIO") == 0
    assert played.total("rollbacks", "performed") > 0
    shown = {*PERMANENT, "scores", "player-0", "player-1", *(f"coin-{number}" for number in range(60))}
    for drawn in played.drawn.values():
        for episode in range(2):
            states = [state for state in drawn if state["episode"] == episode and state.get("step", 0) > 1]
            assert len(states) >= seed_game.STEPS / 2
            for state in states:
                assert sorted(state["names"]) == sorted(shown), f"step {state['step']} of episode {episode}"


@pytest.mark.long  # a bad network is in every run, with the other generation of the page
def test_loss_and_delay_cost_no_input_and_both_stop_where_the_play_ends(stage: Stage) -> None:
    """60 ms and 5 % loss one way, two frames of delay: resends and rollbacks happen, and the data is whole.

    A goal that is reached in mid-air is decided on confirmed frames, so both stop at the same one.
    """
    study = scene(max_steps=600, input_delay=2, options={"goal": 30})
    played = play(stage, study, latency_ms=30, loss=2.5)
    times = seed_truth.values_of(played.columns["ada"], "t")
    lengths = [before for before, after in zip(times, [*times[1:], 0], strict=True) if after < before]
    assert len(lengths) == 2
    assert all(60 < length < 600 for length in lengths)
    verify(played, lengths)
    verify_books(played, lengths)
    by_peer(played)
    ends = seed_truth.values_of(played.columns["ada"], "terminateds.left")
    assert [index for index, end in enumerate(ends, start=1) if end] == [lengths[0], sum(lengths)]
    assert played.datagrams["received"] < 0.98 * played.datagrams["sent"]
    assert played.total("inputs", "resentViaP2P") > 0
    assert played.total("rollbacks", "performed") > 0


@pytest.mark.long
def test_numbers_for_seats_and_bots_of_both_kinds_beside_them(stage: Stage) -> None:
    """Seats are what the study calls them. A random bot plays the same for everybody; a policy that only one page asks,
    and that answers when it likes, travels with that player's inputs."""
    played = play(stage, scene({0: "human", 1: "human", 2: "random", 3: "model.onnx"}), latency_ms=20)
    verify(played)
    verify_books(played)
    by_peer(played)
    assert set(played.seats.values()) == {0, 1}


@pytest.mark.long
def test_a_tab_hidden_for_six_seconds_across_the_end_of_an_episode(stage: Stage) -> None:
    """The hidden page's timers run once a second; nobody hangs, and nothing is missing."""

    def hide(people: list[Participant]) -> None:
        person = people[0]
        person.at(0, 60, "window.seedHide(true)")
        person.until("document.hidden", 60)
        person.page.wait_for_timeout(6000)
        person.until("game.exportSessionMetrics().episodes.length > 0", 30)
        person.hide(False)

    played = play(stage, scene(pycore={}), latency_ms=10, during=hide)
    verify(played)
    verify_books(played)
    by_peer(played)


@pytest.mark.long
def test_a_second_scene_is_another_game_on_the_same_object(stage: Stage) -> None:
    """The page hands the second scene to the object of the first; it must not carry over what it was.

    The first one is played by the server alone: the seed's page begins on socket.io where signals never arrive. The
    second one is played by peer, and draws rows of pixels, which the seed's renderer reads from a field that the page
    itself never filled.
    """
    study = scene(num_episodes=1, pycore={"p2p_wait": 2})
    then = scene(scene_id="second", num_episodes=1, options={"render": "rgb"})
    with gathered(stage, study, then=then) as (played, chrome):
        played.server.drop_signals = True
        people = sit_down(played, chrome, latency_ms=10)
        seats = {person.subject: person.game("game.myPlayerId") for person in people}
        for person in people:
            person.until("document.getElementById('startButton').offsetParent !== null", 60)
            played.metrics[person.subject] = person.counted()
            assert [state for state in person.drawn if state["picture"]] == []
        verify_books(played)
        assert played.total("inputs", "sentViaP2P") == played.total("inputs", "resentViaP2P") == 0
        assert all(metrics["pathChanges"] == [] for metrics in played.metrics.values())
        first = {metrics["gameId"] for metrics in played.metrics.values()}
        played.server.drop_signals = False
        for person in people:
            person.start()
        collect(played, number=1)
        second = {metrics["gameId"] for metrics in played.metrics.values()}
        assert len(first) == len(second) == 1
        assert first != second
        by_peer(played)
        verify_books(played)
        verify(replace(played, scene=then))
        for person in people:
            sizes = [tuple(state["picture"]) for state in person.drawn if state["picture"]]
            assert len(sizes) >= seed_game.STEPS / 2
            assert set(sizes) == {(24, 16)}
        for subject in played.columns:
            played.columns[subject] = seed_data.read_csv(played.server.csv_of(subject))
        verify(replace(played, seats=seats))


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
