"""What one process sends another arrives once and in order, over whatever loses; who gives up begins anew."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pycore.relay.cluster import way as ways
from pycore.relay.cluster.way import Way


class Pair:
    """Two processes, time fed by hand."""

    def __init__(self, seed: int = 0, loss: float = 0.0) -> None:
        self.now = 0.0
        self.a, self.b = Way("a", 1), Way("b", 1)
        self.got: dict[str, list[Any]] = {"a": [], "b": []}
        self.random = random.Random(seed)
        self.loss = loss
        self.packets = 0

    def step(self, seconds: float = 0.05) -> None:
        """Everything that is to go out does, and arrives unless it is lost."""
        self.now += seconds
        for source, target, name in ((self.a, self.b, "b"), (self.b, self.a, "a")):
            for packet in source.packets(self.now):
                self.packets += 1
                if self.random.random() >= self.loss:
                    self.got[name] += target.take(json.loads(packet), self.now).items


@given(st.integers(0, 2**32), st.floats(0, 0.6), st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_everything_arrives_once_and_in_order(seed: int, loss: float, plan: list[int]) -> None:
    """In both directions, whatever is lost; and when all is said nothing is sent any more."""
    pair = Pair(seed, loss)
    for number, count in enumerate(plan):
        for each in range(count):
            pair.a.put([number, each])
            pair.b.put({"n": number, "each": each})
        pair.step()
    pair.loss = 0.0
    for _ in range(80):
        pair.step()
    assert pair.got["b"] == [[number, each] for number, count in enumerate(plan) for each in range(count)]
    assert len(pair.got["a"]) == len(pair.got["b"])
    assert not pair.a.waits
    assert not pair.b.waits
    before = pair.packets
    for _ in range(40):
        pair.step()
    assert pair.packets == before


def test_without_losses_nothing_goes_out_twice() -> None:
    """Each item once, and a word that it was taken."""
    pair = Pair()
    for number in range(100):
        pair.a.put(number)
        pair.step()
    assert pair.got["b"] == list(range(100))
    assert pair.packets <= 201


def test_what_could_not_go_out_goes_out_when_it_can() -> None:
    """The bus was away for ten seconds: everything is sent when it is back, within a second."""
    pair = Pair()
    pair.a.put("before")
    pair.step()
    for number in range(200):
        pair.a.put(number)
        pair.now += 0.05
        assert pair.a.packets(pair.now)
        pair.a.failed()
    pair.step()
    assert pair.got["b"] == ["before", *range(200)]


def test_many_items_share_packets_and_what_is_under_way_is_bounded() -> None:
    """A thousand words are a few packets; who takes nothing is not sent everything."""
    a = Way("a", 1)
    for _ in range(1000):
        a.put("x" * 1000)
    packets = a.packets(0.0)
    assert 5 <= len(packets) <= 6
    for _ in range(10_000):
        a.put("x" * 1000)
    sent = sum(map(len, a.packets(0.01)))
    assert sent < ways.WINDOW_CHARACTERS + 2 * ways.BATCH_CHARACTERS
    assert not a.full


def test_who_gives_up_begins_anew_and_the_other_follows() -> None:
    """What was between them before is void, on both sides, and what of it comes late moves nothing."""
    pair = Pair()
    pair.a.put("one")
    pair.b.put("two")
    pair.step()
    pair.b.put("old")
    late = json.loads(pair.b.packets(1.0)[0])
    again = Way("a", 2)
    again.put("new")
    assert again.take(late, 1.0).items == ()
    taken = pair.b.take(json.loads(again.packets(1.0)[0]), 1.0)
    assert taken.anew
    other = Way("b", 2)
    packet = json.loads(again.packets(9.0)[0])
    assert other.take(packet, 9.0).items == ["new"]
    other.put("yes")
    back = again.take(json.loads(other.packets(9.0)[0]), 9.0)
    assert (back.items, back.anew, again.waits) == (["yes"], False, False)


def test_who_was_given_up_and_did_not_know_it_learns_it_when_it_speaks() -> None:
    """It began nothing anew itself; what it says is void, and it is told so."""
    pair = Pair()
    pair.a.put("one")
    pair.b.put("two")
    pair.step()
    pair.step()
    again = Way("a", 2)
    pair.b.put("three")
    assert again.take(json.loads(pair.b.packets(1.0)[0]), 1.0).items == ()
    (word,) = again.packets(1.0)
    assert pair.b.take(json.loads(word), 1.0).anew
    other = Way("b", 2)
    other.take(json.loads(word), 1.0)
    other.put("four")
    assert again.take(json.loads(other.packets(1.0)[0]), 1.0).items == ["four"]
