"""The model of settling, explored whole: whatever the order, survivors settle alike, and nothing held is lost."""

from __future__ import annotations

import pytest
from settling import RULES, Model, run_of


@pytest.mark.parametrize(
    ("peers", "victims", "frames"),
    [(3, 1, 3), (3, 2, 1), (4, 1, 1), pytest.param(3, 2, 2, marks=pytest.mark.slow)],
)
def test_in_every_order_survivors_settle_alike_and_lose_nothing(peers: int, victims: int, frames: int) -> None:
    """Every state that can be reached is looked at, and where nothing can change any more all have settled."""
    found = Model(peers, victims, frames).explore()
    assert found.wrong == []
    # With one victim there is an end for each frame up to which something was held, and for nothing.
    assert found.ends >= frames + 1
    assert 0 < found.counts["settled"] < found.states


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_needed(rule: str) -> None:
    """Left out, the exploration finds what breaks; some only matter where two of four go."""
    sizes = ((3, 1, 2), (3, 2, 1), (4, 2, 1))
    wrong = next((found for size in sizes if (found := Model(*size, without=rule).explore(50_000).wrong)), [])
    assert wrong, f"nothing breaks without {rule!r}"


def test_a_run_ends_at_the_first_gap() -> None:
    """Frames beyond a gap are of no use to anybody."""
    assert [run_of(bits) for bits in (0, 0b1, 0b11, 0b101, 0b10)] == [-1, 0, 1, 0, -1]
