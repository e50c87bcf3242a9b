"""How busy the server is, and what follows: no new games first, less of each game only when rounds take long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.relay.operating.load import BEATS, Load, is_repeated

INPUT = '42["pyodide_player_action",{"game_id":"g","frame_number":%d}]'
SIGNAL = '42["webrtc_signal",{"game_id":"g","type":"pycore","payload":"%d"}]'
OFFER = '42["webrtc_signal",{"game_id":"g","type":"offer","payload":"%d"}]'
STORE = '4212["pycore_rows",{"n":%d}]'


def load() -> Load:
    return Load(0.03, 0.3)


def test_a_single_long_round_refuses_nobody_and_half_of_them_do() -> None:
    busy = load()
    for _ in range(10):
        for late in (5.0, *[0.001] * (BEATS - 1)):
            busy.beat(late)
            assert not busy.busy
    for number in range(BEATS):
        busy.beat(0.05)
        assert busy.busy == (number >= BEATS // 2)


def test_new_games_begin_again_when_it_is_well_below_what_is_busy() -> None:
    busy = load()
    for _ in range(BEATS):
        busy.beat(0.05)
    for _ in range(3 * BEATS):
        busy.beat(0.02)
        assert busy.busy, "a little better is not enough: games that begin would make it worse"
    for _ in range(BEATS):
        busy.beat(0.01)
    assert not busy.busy
    assert busy.lag == 0.01


def test_a_server_that_has_just_begun_is_not_busy_by_its_start() -> None:
    busy = load()
    for _ in range(BEATS - 1):
        busy.beat(1.0)
        assert not busy.busy


def test_where_others_have_the_processor_nobody_is_refused_and_nothing_left_out() -> None:
    busy = load()
    for _ in range(3 * BEATS):
        busy.beat(2.0, 0.1)
        assert not busy.busy
        assert busy.share == 1.0
    assert busy.lag == 0.0


def test_nothing_is_left_out_before_rounds_take_long() -> None:
    busy = load()
    busy.beat(0.3)
    texts = [INPUT % n for n in range(100)]
    assert busy.kept(texts) == texts
    assert busy.shed == 0


def test_of_a_long_round_the_newest_are_kept_of_every_socket_the_same_share() -> None:
    busy = load()
    busy.beat(0.6)
    assert busy.kept([INPUT % n for n in range(10)]) == [INPUT % n for n in range(5, 10)]
    assert busy.kept([INPUT % n for n in range(100)]) == [INPUT % n for n in range(50, 100)]
    assert busy.shed == 55
    busy.beat(60.0)
    assert busy.kept([INPUT % n for n in range(10)]) == [INPUT % 9], "everybody's newest is carried out"


def test_inputs_are_not_left_out_for_signals_nor_anything_that_is_said_once() -> None:
    busy = load()
    busy.beat(0.6)
    texts = [OFFER % 0, STORE % 0]
    for n in range(4):
        texts += [INPUT % n, SIGNAL % n]
    assert busy.kept(texts) == [OFFER % 0, STORE % 0, INPUT % 2, SIGNAL % 2, INPUT % 3, SIGNAL % 3]


@given(
    st.lists(st.tuples(st.sampled_from((INPUT, SIGNAL, OFFER, STORE)), st.integers(0, 99)), max_size=50),
    st.floats(0.0, 1e6),
)
def test_whatever_comes_order_stays_and_what_is_said_once_is_carried_out(
    what: list[tuple[str, int]], late: float
) -> None:
    busy = load()
    busy.beat(late)
    texts = [text % n for text, n in what]
    kept = busy.kept(texts)
    rest = iter(texts)
    assert all(text in rest for text in kept), "in their order"
    assert [t for t in kept if not is_repeated(t)] == [t for t in texts if not is_repeated(t)]
    assert len(texts) - len(kept) == busy.shed
    for kind in (1, 2):
        came = [t for t in texts if is_repeated(t) == kind]
        left = [t for t in kept if is_repeated(t) == kind]
        assert came[len(came) - len(left) :] == left, "the newest"
        assert bool(left) == bool(came)


@pytest.mark.parametrize("times", [1.0, 1.5, 2.0, 4.0])
def test_whatever_comes_a_round_never_takes_longer_for_long(times: float) -> None:
    """A server that carries out 1000 packets a second, 40 sockets, and `times` as many as it can carry out."""
    busy = load()
    debt = 0.0
    round_s, delivered, passed, rounds = 0.05, 0, 0.0, []
    for _ in range(400):
        debt += times * 1000 * round_s / 40
        came, debt = int(debt), debt - int(debt)
        done = sum(len(busy.kept([INPUT % n for n in range(came)])) for _ in range(40))
        passed += round_s
        delivered += done
        round_s = max(0.05, done / 1000)
        busy.beat(round_s - 0.05)
        rounds.append(round_s)
    assert max(rounds[50:]) < 1.0
    assert delivered >= 0.9 * min(1.0, times) * 1000 * passed
