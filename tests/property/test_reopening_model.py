"""The model of reopening, explored whole: a seat is a person's again from one frame on, for everybody, or never was."""

from __future__ import annotations

import pytest
from reopening import RULES, Model, run_from


@pytest.mark.slow
@pytest.mark.parametrize(("peers", "frames"), [(3, 1), pytest.param(3, 2, marks=pytest.mark.long)])
def test_in_every_order_all_open_the_seat_at_the_same_frame(peers: int, frames: int) -> None:
    """Every state that can be reached is looked at; in each end everybody who is left has confirmed everything."""
    found = Model(peers, frames).explore()
    assert found.wrong == []
    # It came back and played, it went again behind inputs of its own, and it never came back.
    assert 0 < found.counts["settled"] < found.counts["given"] < found.states
    assert found.ends > 3


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_needed(rule: str) -> None:
    """Left out, the exploration finds what breaks; some only matter where there are more frames than one."""
    wrong = next((found for frames in (1, 2) if (found := Model(3, frames, without=rule).explore(150_000).wrong)), [])
    assert wrong, f"nothing breaks without {rule!r}"


def test_a_run_ends_at_the_first_gap() -> None:
    """Frames beyond a gap are of no use to anybody."""
    assert [run_from(bits, 1) for bits in (0, 0b1, 0b11, 0b110, 0b1010)] == [0, 0, 1, 2, 1]
