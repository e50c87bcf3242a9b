"""Who polls has the share of one socket, as who has a WebSocket."""

from __future__ import annotations

import pytest

from pycore.relay import Limits
from pycore.relay.limits import DEBT_S
from pycore.relay.transport.polling import KNOWN, Polling

QUERY = b"EIO=4&transport=polling&sid=%s"
LIMITS = Limits(work_rate=0.1, work_burst=0.5)


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_body_of_many_values_is_paid_for_by_those_behind_it() -> None:
    time = Time()
    polling = Polling(LIMITS, time)
    dense = b"1," * 3_000_000
    assert polling.wait(QUERY % b"a", dense) == 0.0
    owed = polling.wait(QUERY % b"a", b"")
    assert owed > 4.0
    assert polling.wait(QUERY % b"b", b"") == 0.0, "another one's socket"
    time.now += owed + 0.01
    assert polling.wait(QUERY % b"a", b"") == 0.0


def test_a_page_by_the_server_never_waits() -> None:
    time = Time()
    polling = Polling(LIMITS, time)
    body = b"\x1e".join([b'42["pyodide_player_action",{"game_id":"g","player_id":0,"action":1}]'] * 4)
    for _ in range(30 * 600):
        time.now += 1 / 30
        assert polling.wait(QUERY % b"a", body) == 0.0


@pytest.mark.slow
def test_nobody_waits_for_ever_and_what_is_known_is_bounded() -> None:
    polling = Polling(LIMITS, Time())
    polling.wait(QUERY % b"a", b"1," * 50_000_000)
    assert polling.wait(QUERY % b"a", b"") == DEBT_S
    for number in range(2 * KNOWN):
        polling.wait(QUERY % str(number).encode(), b"x")
    assert len(polling._work) == KNOWN
    assert polling.wait(b"\xff&sid", b"x") == 0.0
