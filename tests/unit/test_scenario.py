"""Scenarios: how they are written, what is refused, and what a seed draws."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore import ConfigError
from pycore.testing.kinds import ALL, KINDS, PAGE
from pycore.testing.scenario import DRAWN_LAST, Happening, Scenario, drawn


@pytest.mark.parametrize(
    ("what", "text", "written", "seats", "times", "amount"),
    [
        ("leave", "2@6", "leave 2@6", (2,), (6.0, None), None),
        ("hide", "1@5.5-9", "hide 1@5.5-9", (1,), (5.5, 9.0), None),
        ("freeze", "1@5", "freeze 1@5", (1,), (5.0, None), None),
        ("cut", "@3-6", "cut@3-6", (), (3.0, 6.0), None),
        ("cut", "0-2@3-6.25", "cut 0-2@3-6.25", (0, 2), (3.0, 6.25), None),
        ("delay", "0-1@3=200", "delay 0-1@3=200", (0, 1), (3.0, None), 200.0),
        ("lossy", "@3-4=12.5", "lossy@3-4=12.5", (), (3.0, 4.0), 12.5),
        ("clock", "1@100000.25=-60.5", "clock 1@100000.25=-60.5", (1,), (100_000.25, None), -60.5),
        ("server-down", "@1-2", "server-down@1-2", (), (1.0, 2.0), None),
    ],
)
def test_a_happening_is_read_as_it_is_written(
    what: str, text: str, written: str, seats: tuple[int, ...], times: tuple[float, float | None], amount: float | None
) -> None:
    """Who, from when, until when, how much."""
    happening = Happening.of(what, text)
    assert (happening.seats, (happening.begins, happening.ends), happening.amount) == (seats, times, amount)
    assert str(happening) == written


@pytest.mark.parametrize(
    ("what", "text", "said"),
    [
        ("explode", "1@2", "there are leave, vanish"),
        ("leave", "6", "write PAGE@S"),
        ("leave", "2@6-7", "write PAGE@S"),
        ("leave", "@6", "write PAGE@S"),
        ("hide", "0-1@5-6", "write PAGE@FROM[-TO]"),
        ("hide", "1@5=3", "write PAGE@FROM[-TO]"),
        ("delay", "0-1@5-6", "write [A-B]@FROM[-TO]=MS"),
        ("cut", "1@5-6", "write [A-B]@FROM[-TO]"),
        ("server-down", "0@5-6", "write @FROM[-TO]"),
        ("cut", "soon", "peer-to-peer drops everything"),
    ],
)
def test_what_is_written_wrongly_is_told_the_form(what: str, text: str, said: str) -> None:
    """And what it means."""
    with pytest.raises(ConfigError) as refused:
        Happening.of(what, text)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"loss": 1.5}, "loss is 1.5; it must be from 0 to 1"),
        ({"latency_ms": "80"}, "latency_ms is '80'"),
        ({"seconds": 0}, "seconds is 0"),
        ({"bursts": 0.95}, "bursts is 0.95; it must be from 0 to 0.9"),
        ({"burst_length": 0.5}, "burst_length is 0.5; it must be from 1 to 1000"),
        ({"bandwidth_kbps": 0}, "bandwidth_kbps is 0"),
        ({"episodes": 2.5}, "episodes is 2.5"),
        ({"happenings": (Happening.of("lossy", "0-1@3=101"),)}, "lossy 0-1@3=101: PCT must be from 0 to 100"),
        ({"happenings": (Happening(what="leave", seats=(3,), begins=1.0),)}, "the pages are 0 to 2"),
        ({"happenings": (Happening(what="cut", seats=(1, 1), begins=1.0, ends=2.0),)}, "a page and itself"),
        ({"happenings": (Happening(what="hide", seats=(1,), begins=2.0, ends=2.0),)}, "ends before it begins"),
    ],
)
def test_what_cannot_happen_is_refused(more: dict, said: str) -> None:
    """Before anything is played."""
    with pytest.raises(ConfigError) as refused:
        Scenario(**more).check(3)
    assert said in str(refused.value)


@given(st.integers(0, 10_000), st.integers(1, 8), st.booleans())
def test_a_drawn_scenario_can_be_played_and_comes_back_from_its_plain_form(seed: int, pages: int, goes: bool) -> None:
    """The same for the same seed; nobody goes where nobody may, and what begins is over before the game is."""
    base = Scenario(seconds=10.0, loss=0.1, latency_ms=40.0)
    found = drawn(base, seed, pages, goes)
    found.check(pages)
    assert found == drawn(base, seed, pages, goes)
    assert Scenario.from_json(json.loads(json.dumps(found.as_json()))) == found
    assert found.loss <= 0.1
    assert found.latency_ms <= 40.0
    assert found.last <= 0.95 * base.seconds
    went = [happening for happening in found.happenings if happening.what in DRAWN_LAST]
    assert not went or (goes and pages > 1 and len(went) == 1)


def test_every_kind_is_drawn_sooner_or_later() -> None:
    """Or a run over many seeds would prove nothing about it."""
    found = [drawn(Scenario(), seed, 3) for seed in range(400)]
    assert {of.what for scenario in found for of in scenario.happenings} == set(KINDS)
    for name in ("bursts", "duplicates", "reordering"):
        assert 0.2 < sum(getattr(scenario, name) > 0 for scenario in found) / len(found) < 0.8
    assert 0.2 < sum(scenario.bandwidth_kbps is not None for scenario in found) / len(found) < 0.8
    alone = {of.what for seed in range(400) for of in drawn(Scenario(), seed, 1).happenings}
    assert alone == {kind for kind in KINDS if KINDS[kind].whom in (PAGE, ALL) and kind not in DRAWN_LAST}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "a JSON object"),
        ({"loss": 0.1, "colour": 1}, "no 'colour'"),
        ({"happenings": ["boom 1@2"]}, "'boom'"),
        ({"happenings": 5}, "happenings is 5; it must be a JSON array"),
        ({"seed": "1"}, "seed is '1'"),
        ({"socketio_only": 1}, "socketio_only is 1"),
    ],
)
def test_a_file_that_is_no_scenario_is_refused(value: object, said: str) -> None:
    """By what is wrong in it."""
    with pytest.raises(ConfigError) as refused:
        Scenario.from_json(value)
    assert said in str(refused.value)


def test_a_page_is_away_for_three_seconds_where_nothing_is_said_of_how_long_it_is_loaded() -> None:
    """Written again as it is played, and drawn so."""
    assert Happening.of("reload", "1@9") == Happening(what="reload", seats=(1,), begins=9.0, amount=3.0)
    assert str(Happening.of("reload", "1@9=0")) == "reload 1@9=0"


@pytest.mark.parametrize("text", ["1@0.00001=0.00025", "1@12345678901.5=3600", "1@100=20"])
def test_a_number_of_any_size_is_written_as_it_is_read(text: str) -> None:
    """With an exponent the file of a scenario with a fault could not be played again."""
    happening = Happening.of("reload", text)
    assert str(happening) == f"reload {text}"
    assert Scenario.from_json({"happenings": [str(happening)]}).happenings == (happening,)
    drawn_ones = [of for seed in range(400) for of in drawn(Scenario(), seed, 3).happenings if of.what == "reload"]
    assert {of.amount for of in drawn_ones} == {3.0}


def test_a_number_that_is_given_is_the_worst_that_is_drawn_and_what_is_drawn_can_be_played() -> None:
    """Also at the bounds of what may be given."""
    given = Scenario(bursts=0.5, burst_length=1000.0, server_ms=2.0, bandwidth_kbps=10**6, latency_ms=5000.0)
    found = [drawn(given, seed, 2) for seed in range(200)]
    for of in found:
        of.check(2)
    assert 900 < max(of.burst_length for of in found) <= 1000
    assert max(of.server_ms for of in found) <= 2.0
    assert {of.bandwidth_kbps for of in found} == {None, 10**6}
