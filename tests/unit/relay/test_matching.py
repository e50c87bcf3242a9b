"""Who plays with whom: laws of every matcher, and what each of them is for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.errors import ConfigError
from pycore.relay.matching import (
    Candidate,
    FirstCome,
    FixedGroups,
    LatencyAware,
    Matcher,
    beside,
    check_groups,
    matcher_of,
)

MATCHERS: list[Matcher] = [
    FirstCome(), LatencyAware(bound=0.2, patience=30.0), FixedGroups(), FixedGroups(["a"], 30.0),
]  # fmt: skip

people = st.lists(
    st.tuples(
        st.floats(0, 100), st.none() | st.floats(0.001, 0.5), st.sampled_from([None, "a", "b"]),
    ),
    max_size=14,
)  # fmt: skip


def queue(of: list[tuple[float, float | None, str | None]]) -> list[Candidate]:
    """A queue of people, who came at these times."""
    return [
        Candidate(f"k{number}", since, rtt, group)
        for number, (since, rtt, group) in enumerate(sorted(of, key=lambda one: one[0]))
    ]


@pytest.mark.parametrize("matcher", MATCHERS, ids=lambda each: type(each).__name__)
@given(of=people, seats=st.integers(1, 4), later=st.floats(0, 50))
def test_nobody_is_in_two_groups_and_every_group_is_whole(matcher: Matcher, of, seats: int, later: float) -> None:
    """And the same people at the same time give the same groups."""
    waiting, now = queue(of), 100 + later
    groups = matcher.match(waiting, seats, now)
    check_groups(groups, waiting, seats)
    assert groups == matcher.match(list(waiting), seats, now)
    # Whoever is left cannot make another one: asked again, it makes none.
    taken = {one for group in groups for one in group}
    assert not matcher.match([one for one in waiting if one not in taken], seats, now)


@given(of=people, seats=st.integers(1, 4))
def test_first_come_keeps_the_order_of_arrival(of, seats: int) -> None:
    """The groups, one behind the other, are the beginning of the queue."""
    waiting = queue(of)
    groups = FirstCome().match(waiting, seats, 100.0)
    assert [one for group in groups for one in group] == waiting[: len(waiting) // seats * seats]


@pytest.mark.parametrize("matcher", [FirstCome(), LatencyAware()], ids=lambda each: type(each).__name__)
@given(of=people, seats=st.integers(2, 4))
def test_nobody_starves(matcher: Matcher, of, seats: int) -> None:
    """Whoever has waited for long is left only where too few people wait, and never behind one who came later."""
    waiting = queue(of)
    groups = matcher.match(waiting, seats, 1000.0)
    taken = [one for group in groups for one in group]
    left = [one for one in waiting if one not in taken]
    assert len(left) < seats
    assert waiting[len(taken) :] == left


@given(of=people, seats=st.integers(2, 4))
def test_people_who_are_far_from_each_other_do_not_play_while_they_can_wait(of, seats: int) -> None:
    """The sum of any two round trips of a group is bounded, until the first of it has waited for long enough."""
    matcher, now = LatencyAware(bound=0.2, patience=30.0), 100.0
    for group in matcher.match(queue(of), seats, now):
        if now - group[0].since < 30.0:
            assert all(one.rtt is not None for one in group)
            longest = sorted(one.rtt for one in group if one.rtt is not None)[-2:]
            assert sum(longest) <= 0.2


@given(rtts=st.lists(st.floats(0.01, 0.3), min_size=2, max_size=7), seats=st.integers(2, 4))
def test_where_people_are_near_enough_a_group_is_found(rtts: list[float], seats: int) -> None:
    """Not only one of those who came next to each other: if any group is within the bound, there is one."""
    waiting = queue([(0.0, rtt, None) for rtt in rtts])
    nearest = sorted(rtts)[:seats]
    possible = len(rtts) >= seats and sum(nearest[-2:]) <= 0.2
    assert bool(LatencyAware(bound=0.2, patience=1e9).match(waiting, seats, 1.0)) is possible


def test_among_those_who_are_near_enough_the_next_to_come_plays() -> None:
    """A better one further behind is no reason to pass anybody over."""
    waiting = queue([(0.0, 0.05, None), (1.0, 0.3, None), (2.0, 0.12, None), (3.0, 0.01, None)])
    assert check_groups(LatencyAware(0.2, 30.0).match(waiting, 2, 5.0), waiting, 2) == [["k0", "k2"]]


@given(of=people, seats=st.integers(1, 4))
def test_a_fixed_group_plays_among_itself(of, seats: int) -> None:
    """As many games as its members make, the first to come first."""
    waiting = queue(of)
    groups = FixedGroups().match(waiting, seats, 100.0)
    for name in (None, "a", "b"):
        members = [one for one in waiting if one.group == name]
        played = [one for group in groups if group[0].group == name for one in group]
        assert played == members[: len(members) // seats * seats]


@pytest.mark.parametrize(
    ("keys", "why"),
    [(["a"], "a group has 1"), (["a", "a"], "twice"), (["a", "x"], "does not wait"), (["a", "b", "c"], "has 3")],
)
def test_a_wrong_group_of_a_studys_own_matcher_is_refused(keys: list[str], why: str) -> None:
    """Nobody may be in two games, or in one with nobody."""
    waiting = [Candidate(key, 0.0) for key in "abc"]
    with pytest.raises(ValueError, match=why):
        check_groups([[Candidate(key, 0.0) for key in keys]], waiting, 2)


def test_a_study_names_its_matcher(tmp_path: Path) -> None:
    """By the name of one of ours, or a class of its own."""
    file = tmp_path / "mine.py"
    file.write_text(
        "class Backwards:\n    def match(self, waiting, seats, now):\n        return [waiting[::-1][:seats]]\n"
        "class Nothing:\n    pass\n"
        "def broken():\n    raise OSError('no file')\n"
    )
    assert isinstance(matcher_of("latency"), LatencyAware)
    waiting = [Candidate(key, 0.0) for key in "abc"]
    assert [one.key for one in matcher_of(f"{file}:Backwards").match(waiting, 2, 0.0)[0]] == ["c", "b"]
    for text, why in (
        ("latencies", "latency"), (f"{file}:Nothing", "without match"), (f"{file}:broken", "no file"),
        (f"{file}:None_such", "no None_such"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=why):
            matcher_of(text)


def test_a_matcher_has_its_settings_beside_its_name(tmp_path: Path) -> None:
    """One of a study's own as well: its class is called with them."""
    near = matcher_of({"name": "latency", "bound": 0.1, "patience": 5})
    assert isinstance(near, LatencyAware)
    assert (near.bound, near.patience) == (0.1, 5.0)
    groups = matcher_of({"name": "groups", "groups": ["a"], "patience": 60})
    assert isinstance(groups, FixedGroups)
    assert (groups.groups, groups.patience) == ({"a"}, 60.0)
    file = tmp_path / "mine.py"
    file.write_text(
        "class First:\n    def __init__(self, most=9):\n        self.most = most\n"
        "    def match(self, waiting, seats, now):\n        return [waiting[:seats]]\n"
    )
    assert matcher_of(beside(tmp_path, {"name": "mine.py:First", "most": 3})).most == 3  # type: ignore[attr-defined]
    assert beside(tmp_path, "mine.py:First") == f"{file}:First"
    assert [beside(tmp_path, said) for said in ("latency", "module:Class", 3)] == ["latency", "module:Class", 3]
    for said, why in (
        ({"bound": 1}, "has a name"), ({"name": 3}, "has a name"), ({"name": "latency", "bnd": 1}, "mean 'bound'"),
        ({"name": "latency", "bound": 0}, "bound is 0; it must be seconds"),
        ({"name": "latency", "patience": "x"}, "is 'x'"), ({"name": "latency", "bound": True}, "bound is True"),
        ({"name": "first_come", "bound": 1}, "no settings"), ({"name": "groups", "groups": "a"}, "a list of names"),
        ({"name": "groups", "groups": [""]}, "a list of names"), ({"name": "groups", "patience": -1}, "patience is -1"),
        ({"name": f"{file}:First", "least": 1}, "least"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=why):
            matcher_of(said)


def test_who_has_a_group_that_there_is_not_plays_with_those_who_have_none() -> None:
    """An address may say anything."""
    waiting = [Candidate(str(number), 0.0, None, group) for number, group in enumerate(["x", "a", None, "a"])]
    known = FixedGroups(["a"]).match(waiting, 2, 0.0)
    assert [[one.key for one in group] for group in known] == [["0", "2"], ["1", "3"]]
    assert [[one.key for one in group] for group in FixedGroups().match(waiting, 2, 0.0)] == [["1", "3"]]


def test_whose_group_does_not_come_plays_with_others_after_a_while() -> None:
    """With those who have waited for as long."""
    came = [(0.0, "a"), (5.0, "b"), (20.0, "c"), (21.0, "c"), (22.0, "a")]
    waiting = [Candidate(str(number), since, None, group) for number, (since, group) in enumerate(came)]
    of = FixedGroups(patience=30.0)
    assert [[one.key for one in group] for group in of.match(waiting[:4], 2, 34.0)] == [["2", "3"]]
    assert [[one.key for one in group] for group in of.match(waiting[:4], 2, 35.0)] == [["0", "1"], ["2", "3"]]
    assert [[one.key for one in group] for group in of.match(waiting, 2, 35.0)] == [["0", "4"], ["2", "3"]]
