"""Who plays with whom: a matcher is given those who wait and the time, and says which of them make a game now.

A matcher is pure: it keeps nothing, reads no clock, and the same people at the same time give the same groups. It is
asked whenever somebody comes, answers or goes, and a few times a second while people wait. Those who wait are in the
order in which they are to be served: in that of their arrival, and before them those whom a partner has abandoned.

What a matcher of your own has to keep, and what the property tests of the ones here show (`check_groups` is run on
whatever one returns):

- each group has exactly `seats` people, in the order of their seats, all of them from the queue, none of them twice;
- nobody starves: whoever has waited for long gets a game once enough people wait with whom that is possible.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, cast

from pycore.errors import ConfigError, described, nearest
from pycore.factory import find_factory

__all__ = ["Candidate", "FirstCome", "FixedGroups", "LatencyAware", "Matcher"]

LATENCY_BOUND_S: Final = 0.2
"""Round trip that is asked of two players: at 30 frames a second three frames each way, which rollback hides well."""
LATENCY_PATIENCE_S: Final = 30.0
"""After which a game with anybody is better than none."""
LATENCY_QUEUE: Final = 200
"""So many are looked at together: each is compared with each, while everybody's game waits for it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who waits."""

    key: str
    """One for each place in the queue."""
    since: float
    """When the waiting began, s on the clock of `now`; who was abandoned keeps it."""
    rtt: float | None = None
    """Round trip to the server, s, the shortest of those that were measured; None: not measured yet."""
    group: str | None = None
    """The group to which the study has assigned it, by its file of subjects or its address."""
    subject: str | None = None
    """The subject id, where one is known."""


Group = Sequence[Candidate]


class Matcher(Protocol):
    """Makes groups of those who wait.

    Round trips are measured while people wait, unless the matcher has an attribute `measures` that is false. Who waits
    is told how many of the same group do; a matcher that takes groups otherwise than they are named has a method
    `group_of`.
    """

    def match(self, waiting: Sequence[Candidate], seats: int, now: float) -> Sequence[Group]:
        """The groups that play now, each of `seats` people in the order of their seats; the others wait on. `now`: s,
        on the clock of `Candidate.since`."""


class FirstCome:
    """The first to come play first, with each other."""

    measures = False

    @staticmethod
    def group_of(group: str | None) -> None:
        """Everybody plays with everybody."""

    def match(self, waiting: Sequence[Candidate], seats: int, now: float) -> Sequence[Group]:
        """Of 5 who wait for games of 2: the first and the second, the third and the fourth."""
        return [waiting[at : at + seats] for at in range(0, len(waiting) - seats + 1, seats)]


class LatencyAware:
    """People who are near each other play with each other, as long as nobody has to wait too long for it.

    How far two are from each other is not measured, since they do not know each other yet; by the server it is what
    both have to it, added up. So the sum of any two round trips in a group is at most `bound` seconds, with the longest
    waiting first and those who came next preferred. Whoever has waited for `patience` seconds, or whose own round trip
    is not measured by then, plays with those who are first in the queue, whatever is between them.
    """

    def __init__(self, bound: float = LATENCY_BOUND_S, patience: float = LATENCY_PATIENCE_S) -> None:
        """Raises ConfigError for what are no seconds."""
        self.bound = _seconds("bound", bound, 0.001)
        self.patience = _seconds("patience", patience, 0.0)

    @staticmethod
    def group_of(group: str | None) -> None:
        """Everybody plays with everybody."""

    def match(self, waiting: Sequence[Candidate], seats: int, now: float) -> Sequence[Group]:
        """One group after the other, each around the first of whom there is one."""
        left, groups = list(waiting[:LATENCY_QUEUE]), []
        # Who found nobody finds nobody among fewer.
        for first in tuple(left):
            group = self._around(first, left, seats, now) if first in left else None
            if group is not None:
                groups.append(group)
                left = [one for one in left if one not in group]
        return groups

    def _around(self, first: Candidate, left: Sequence[Candidate], seats: int, now: float) -> Group | None:
        others = [one for one in left if one is not first]
        if now - first.since >= self.patience:
            group = [first, *others[: seats - 1]]
            return group if len(group) == seats else None
        own = first.rtt
        if own is None:
            return [first] if seats == 1 else None
        near = [one for one in others if one.rtt is not None and one.rtt + own <= self.bound]
        # In the order of arrival if that fits; the nearest fit if any do.
        for order in (near, sorted(near, key=lambda one: cast("float", one.rtt))):
            group, most = [first], 0.0
            for one in order:
                rtt = cast("float", one.rtt)
                if len(group) < seats and rtt + most <= self.bound:
                    group.append(one)
                    most = max(most, rtt)
            if len(group) == seats:
                return group
        return None


class FixedGroups:
    """Who was assigned to one group plays with that group, the first to come first; who has none, with those who have
    none.

    `groups`: those that there are; who has another one, by an address that somebody wrote, has none. `patience`:
    whoever has waited for so many seconds plays with the first who have, too, of whatever group; None: nobody does.
    """

    measures = False

    def __init__(self, groups: Sequence[str] | None = None, patience: float | None = None) -> None:
        """Raises ConfigError for what are no groups, or no seconds."""
        if groups is not None and (
            isinstance(groups, str) or not groups or not all(isinstance(name, str) and name for name in groups)
        ):
            raise ConfigError(f"groups is {groups!r:.80}; it must be a list of names, as ['north', 'south']")
        self.groups = None if groups is None else frozenset(groups)
        self.patience = None if patience is None else _seconds("patience", patience, 0.0)

    def group_of(self, group: str | None) -> str | None:
        """The group that somebody is of who names this one; None: of none."""
        return group if self.groups is None or group in self.groups else None

    def match(self, waiting: Sequence[Candidate], seats: int, now: float) -> Sequence[Group]:
        """The groups in the order of the one who has waited for longest in each."""
        members: dict[str | None, list[Candidate]] = {}
        for one in waiting:
            members.setdefault(self.group_of(one.group), []).append(one)
        made = list(itertools.chain.from_iterable(FirstCome().match(of, seats, now) for of in members.values()))
        if self.patience is not None:
            taken = {one.key for group in made for one in group}
            long = [one for one in waiting if one.key not in taken and now - one.since >= self.patience]
            made += FirstCome().match(long, seats, now)
        places = {one.key: place for place, one in enumerate(waiting)}
        return sorted(made, key=lambda group: places[group[0].key])


def _seconds(name: str, value: Any, least: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= least:
        raise ConfigError(f"{name} is {value!r:.60}; it must be seconds, {least:g} or more")
    return float(value)


MATCHERS: Final[dict[str, Callable[..., Matcher]]] = {
    "first_come": FirstCome, "latency": LatencyAware, "groups": FixedGroups,
}  # fmt: skip
NAME: Final = "name"
"""Of a matcher that is said as an object; what stands beside it are its settings."""


def matcher_of(said: str | Mapping[str, Any]) -> Matcher:
    """The matcher that a study names: `first_come`, `latency`, `groups`, or a class or function of its own,
    `module:Class` or `file.py:Class`. With settings it is an object, ``{"name": "latency", "bound": 0.15}``, and they
    are what the class is called with. Raises ConfigError."""
    settings = {} if isinstance(said, str) else {str(name): value for name, value in said.items() if name != NAME}
    text = said if isinstance(said, str) else said.get(NAME)
    if not isinstance(text, str):
        raise ConfigError(f"matcher is {said!r:.80}; an object has a name, as {{'name': 'latency', 'bound': 0.15}}")
    make: Callable[..., Any]
    if text in MATCHERS:
        make = MATCHERS[text]
        _check_names(text, make, settings)
    elif ":" in text:
        make = find_factory(text).make
    else:
        raise ConfigError(f"there is no matcher {text!r}; {nearest(text, MATCHERS)}, or name yours, module:Class")
    try:
        made = make(**settings)
    except ConfigError as error:
        raise ConfigError(f"matcher {text}: {error}") from error
    except Exception as error:
        how = f"with {', '.join(settings)}" if settings else "without arguments"
        raise ConfigError(f"the matcher {text} raised {described(error)}; it is made {how}") from error
    if not callable(getattr(made, "match", None)):
        raise ConfigError(f"{text} made a {type(made).__name__} without match(waiting, seats, now)")
    return cast("Matcher", made)


def _check_names(text: str, make: Callable[..., Any], settings: Mapping[str, Any]) -> None:
    known = [] if make is FirstCome else [*inspect.signature(make).parameters]
    for name in settings:
        if not known:
            raise ConfigError(f"matcher {text} has {name!r}, and there are no settings of it")
        if name not in known:
            raise ConfigError(f"matcher {text}: unknown setting {name!r}; {nearest(name, known)}")


def beside(folder: Path, said: Any) -> Any:
    """The same matcher, with the file of a class of a study's own relative to that folder."""
    if isinstance(said, Mapping):
        return {**said, NAME: beside(folder, said.get(NAME))}
    in_file = isinstance(said, str) and said.partition(":")[0].endswith(".py")
    return str(folder / said) if in_file else said


def check_groups(groups: Sequence[Group], waiting: Sequence[Candidate], seats: int) -> list[list[str]]:
    """The groups by the keys of their members. Raises ValueError if they are none: a matcher of a study's own may be
    wrong, and nobody must be in two games for that."""
    known = {one.key for one in waiting}
    keys = [[one.key for one in group] for group in groups]
    for group in keys:
        if len(group) != seats:
            raise ValueError(f"a group has {len(group)} people; a game has {seats}")
    every = [key for group in keys for key in group]
    if len(set(every)) != len(every):
        raise ValueError("somebody is in two groups, or twice in one")
    if not known.issuperset(every):
        raise ValueError("somebody in a group does not wait")
    return keys
