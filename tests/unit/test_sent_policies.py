"""Policies that one page computes for all: its seat's inputs are sent as the page's own are."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from bridge_support import Page, Pair, done

from pycore.errors import ConfigError
from pycore.session.session import Session
from pycore.settings import Settings
from pycore.testing import Walk

POLICIES = {"2": {"policy": "the page's own", "computed_by": "one"}}


def pages(**settings: Any) -> Pair:
    """Two people and a policy of the first one's page."""
    of = {"max_steps": 60, "num_episodes": 2, "policies": POLICIES, **settings}
    return Pair([Page(me, [0, 1, 2], Walk(3, seed=4), of) for me in (0, 1)])


def answering(of: Pair, every: int) -> Any:
    """The policy of the first page answers every so many ticks with what it was shown."""
    answered: list[int] = []

    def tick(count: int) -> tuple[int, int]:
        page = of.pages[0]
        sights = json.loads(page.bridge.view.sights())
        if sights and count % every == 0:
            action = 1 + (sights["2"]["observation"] + sights["2"]["frame"]) % 5
            answered.append(action)
            page.event("policy", {"player": "2", "action": action}, of.now)
        return count // 7 % 6, count // 5 % 6

    tick.answered = answered  # type: ignore[attr-defined]
    return tick


@pytest.mark.parametrize("connects", [True, False])
def test_what_one_page_computes_reaches_the_others_like_its_own_inputs(connects: bool) -> None:
    """Peer-to-peer and by the server: both have the same record, and what was answered is in it, held till the next."""
    of = pages(p2p=connects)
    of.connects = connects
    play = answering(of, 4)
    of.until(done(of), play=play)
    one, other = (page.bridge.view.records() for page in of.pages)
    assert one == other
    lines = [json.loads(line) for line in one.splitlines()[1:]]
    acted = [line["actions"][2] for line in lines if line.get("episode") == 0 and "frame" in line]
    assert len(acted) == 60
    # Delay and first answer; from then on each answer is held for four frames.
    begun = next(frame for frame, action in enumerate(acted) if action)
    held = [action for action in play.answered for _ in range(4)]
    assert acted[begun : begun + 40] == held[:40]
    assert [page.bridge.session.hash_mismatches for page in of.pages] == [0, 0]
    counted = [json.loads(page.bridge.view.export_session_metrics())["inputs"] for page in of.pages]
    way = "P2P" if connects else "SocketIO"
    assert counted[0][f"sentVia{way}"] == counted[1][f"receivedVia{way}"] == 2 * counted[1][f"sentVia{way}"]


def test_only_the_page_that_computes_it_is_shown_anything() -> None:
    """The other one waits for inputs, as of a person."""
    of = pages()
    of.until(lambda: of.pages[1].bridge.session.frame > 3)
    mine = json.loads(of.pages[0].bridge.view.sights())
    assert mine["2"]["frame"] == of.pages[0].bridge.session.frame
    assert mine["2"]["observation"] == of.pages[0].bridge.session.simulation.observations[2]  # type: ignore[attr-defined]
    assert of.pages[1].bridge.view.sights() == "{}"
    assert [seat.owner for seat in of.pages[1].bridge.session.seats] == [0, 1, 0]
    assert [page.bridge.link_count for page in of.pages] == [1, 1]


class Odd(Walk):
    """What it shows is nothing that JavaScript's parser takes as it is."""

    @property
    def observations(self) -> dict[Any, Any]:
        of_each = {"nearest": math.inf, "seen": [math.nan, 2**60], "where": {(1, 2): 3}}
        return {0: of_each, 1: of_each, 2: of_each}


def test_what_a_policy_of_the_page_is_shown_is_json_whatever_it_is() -> None:
    """Nothing near is an infinite distance: the page's parser raised, and that was the end of the game for all."""
    of = pages()
    of.pages[0] = Page(0, [0, 1, 2], Odd(3, seed=4), {"max_steps": 60, "num_episodes": 2, "policies": POLICIES})
    of.until(lambda: of.pages[0].bridge.session.frame > 3)

    def refused(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    sights = json.loads(of.pages[0].bridge.view.sights(), parse_constant=refused)
    assert sights["2"]["observation"] == {"nearest": "inf", "seen": [None, str(2**60)], "where": {"(1, 2)": 3}}


def test_an_answer_that_is_no_action_is_logged_and_the_last_one_stays() -> None:
    """A policy in JavaScript may give anything."""
    of = pages(max_steps=40, num_episodes=1)
    of.until(lambda: of.pages[0].bridge.session.frame == 5)
    of.pages[0].event("policy", {"player": 2, "action": 3}, of.now)
    of.tick()
    for answer in ({"player": 2, "action": 17}, {"player": 9, "action": 1}, {"action": 1}, None):
        of.pages[0].event("policy", answer, of.now)
    of.until(done(of))
    logged = [news["text"] for news in of.pages[0].news if news["news"] == "log"]
    assert sum("the policy of player 2 gave no action" in text for text in logged) == 1
    lines = [json.loads(line) for line in of.pages[1].bridge.view.records().splitlines()[1:]]
    assert {line["actions"][2] for line in lines if line.get("frame", 0) > 10} == {3}


def test_one_person_plays_with_a_policy_of_the_own_page() -> None:
    """It may think as long as it likes: nobody waits, and what it did last is done."""
    page = Page(0, [0, 1], Walk(2, seed=4), {"max_steps": 40, "policies": {"1": {**POLICIES["2"]}}})
    for tick in range(1, 30):
        if tick == 10:
            answer = {"event": "policy", "data": {"player": 1, "action": 5}}
            page.bridge.happened(json.dumps(answer).encode(), 50 + tick / 32)
        page.bridge.poll(50 + tick / 32, 1, 4)
        page.bridge.advance(50 + tick / 32)
    lines = [json.loads(line) for line in page.bridge.view.records().splitlines()[1:]]
    assert {line["actions"][1] for line in lines[:5]} == {0}
    assert {line["actions"][1] for line in lines[-5:]} == {5}
    assert page.bridge.link_count == 0


def test_such_a_policy_comes_behind_the_person_whose_page_computes_it() -> None:
    """A page is called by the first of its seats."""
    settings = Settings(policies={"0": {**POLICIES["2"]}})
    with pytest.raises(ConfigError, match="comes before the first person: give the policy a later player"):
        Session(Walk(2), settings, game_id="g", players=[0, 1], me=1, now=0.0, wall_ms=1e12)
