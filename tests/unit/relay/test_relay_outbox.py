"""What waits for a socket: in order, bounded, and of what repeats itself only the newest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pycore.relay.transport.outbox import Outbox

KEYS = st.sampled_from((None, "waiting", ("state", 0), ("state", 1)))
STEPS = st.lists(st.one_of(st.tuples(KEYS, st.integers(0, 9)), st.integers(0, 5)), max_size=60)


@given(STEPS)
def test_it_gives_what_a_list_would_give_from_which_the_older_of_a_key_were_struck(
    steps: list[tuple[object, int] | int],
) -> None:
    box = Outbox(10**6, 10**6)
    model: list[tuple[object, str]] = []
    put = taken = 0
    for number, step in enumerate(steps):
        if isinstance(step, int):
            expected, model = [text for _, text in model[:step]], model[step:]
            assert box.take(step) == expected
            taken += len(expected)
        else:
            key, length = step
            text = f"{number} " + "x" * length
            model = [(k, t) for k, t in model if key is None or k != key] + [(key, text)]
            box.put(text, float(number), key)
            put += 1
        assert len(box) == len(model)
        assert box.size == sum(len(text) for _, text in model)
        assert (box.since is None) == (not model)
    assert box.take() == [text for _, text in model]
    assert put == taken + box.replaced + len(model), "nothing is lost but what a newer one says"
    assert (len(box), box.size, box.since) == (0, 0, None)


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(0, 10), st.integers(0, 200))
def test_it_is_full_exactly_with_more_than_it_may_hold(lengths: list[int], packets: int, size: int) -> None:
    box = Outbox(packets, size)
    for number, length in enumerate(lengths, 1):
        box.put("x" * length, 0.0)
        assert box.is_full == (number > packets or sum(lengths[:number]) > size)


def test_a_state_that_is_renewed_for_ever_takes_the_room_of_one() -> None:
    box = Outbox(10, 1000)
    box.put("input", 0.0)
    for number in range(100_000):
        box.put(f"state {number}", 1.0, "state")
    assert not box.is_full
    assert box.since == 0.0
    assert box.take() == ["input", "state 99999"]
