"""Rules of exclusion, written down before the data were seen, and applied to them without looking.

A file of rules is a JSON list. A rule is a condition with a name:

    {"name": "slow network", "metric": "rtt_ms_p50", "op": ">", "value": 200}
    {"name": "away", "scope": "player", "any": [
        {"metric": "times_hidden", "op": ">", "value": 2}, {"metric": "hidden_s", "op": ">", "value": 10}]}

`scope`: `game` (the default): if the rule is true of any of its players, the game is excluded for all; `player`: the
player alone, for analyses that look at one person at a time. `missing`: what becomes of a player of whom the metric is
not known: `include` (the default) or `exclude`. Nothing is left out in silence: what is not known is told.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pycore.errors import ConfigError, nearest
from pycore.export.measures import MEASURES, Value

OPERATIONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = MappingProxyType({
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne,
    "in": lambda value, among: value in among, "not in": lambda value, among: value not in among,
})  # fmt: skip
SCOPES: Final = ("game", "player")
MISSING: Final = ("include", "exclude")
_FIELDS: Final = frozenset({"name", "reason", "scope", "missing", "metric", "op", "value", "any", "all"})


class Comparison(NamedTuple):
    """One metric with one value."""

    metric: str
    op: str
    value: Any

    def holds(self, of: Mapping[str, Value]) -> bool | None:
        """Whether it is true; None where the metric is not known."""
        known = of.get(self.metric)
        if known is None:
            return None
        try:
            return bool(OPERATIONS[self.op](known, self.value))
        except TypeError:
            return None

    @property
    def text(self) -> str:
        """The condition as it is read: `rtt_ms_p50 > 200`."""
        return f"{self.metric} {self.op} {json.dumps(self.value, ensure_ascii=False)}"

    def told(self, of: Mapping[str, Value]) -> str:
        """The metric as it is: with as many digits as it takes to see that the comparison is so."""
        known = of.get(self.metric)
        shown: Value = f"{known:.4g}" if isinstance(known, float) else known
        if isinstance(known, float) and self.holds({self.metric: float(str(shown))}) != self.holds(of):
            shown = known
        return f"{self.metric} is {shown}" if known is not None else f"{self.metric} is not known"


class Together(NamedTuple):
    """Several conditions, of which any must hold, or all."""

    every: bool
    parts: tuple[Comparison | Together, ...]

    def holds(self, of: Mapping[str, Value]) -> bool | None:
        """Whether it is true; None where that hangs on what is not known."""
        answers = [part.holds(of) for part in self.parts]
        decides = not self.every
        if decides in answers:
            return decides
        return None if None in answers else self.every

    @property
    def text(self) -> str:
        """The conditions with `and` or `or` between them."""
        words = [f"({part.text})" if isinstance(part, Together) else part.text for part in self.parts]
        return (" and " if self.every else " or ").join(words)

    def told(self, of: Mapping[str, Value]) -> str:
        """The parts that made it so."""
        answer = self.holds(of)
        return ", ".join(part.told(of) for part in self.parts if part.holds(of) == answer)


class Rule(NamedTuple):
    """A condition that excludes."""

    name: str
    reason: str
    scope: str
    missing: str
    condition: Comparison | Together


class Excluded(NamedTuple):
    """Somebody to whom a rule applies."""

    rule: str
    player: str
    """Of whom it is true."""
    scope: str
    why: str


class Judgement(NamedTuple):
    """What the rules say of one game."""

    excluded: dict[str, list[Excluded]]
    """By player: what excludes them, in the order of the rules; empty: nobody."""
    unknown: list[str]
    """What could not be judged, as sentences."""

    @property
    def whole(self) -> bool:
        """Whether the game is excluded for everybody."""
        return any(each.scope == "game" for found in self.excluded.values() for each in found)


def judge(rules: Iterable[Rule], players: Mapping[str, Mapping[str, Value]]) -> Judgement:
    """Apply the rules to a game, whose measures are given by player."""
    excluded: dict[str, list[Excluded]] = {player: [] for player in players}
    unknown: list[str] = []
    for rule in rules:
        for player, of in players.items():
            answer = rule.condition.holds(of)
            if answer is None:
                does = "excluded" if rule.missing == "exclude" else "kept"
                unknown.append(f"rule {rule.name!r}, player {player}: {rule.condition.told(of)}; {does}")
                answer = rule.missing == "exclude"
            if not answer:
                continue
            found = Excluded(rule.name, player, rule.scope, rule.condition.told(of))
            for other in players if rule.scope == "game" else [player]:
                excluded[other].append(found)
    return Judgement(excluded, unknown)


def read_rules(file: Path) -> list[Rule]:
    """The rules of a file. Raises ConfigError, naming the rule and what it may have."""
    try:
        values = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot read the rules {file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the rules {file} are not JSON: {error}") from error
    if not isinstance(values, list):
        raise ConfigError(f"the rules {file} are no list of rules, [{{…}}, {{…}}]; a single one too is in brackets")
    rules: list[Rule] = []
    for number, value in enumerate(values, 1):
        where = f"rule {number} of {file}"
        if not isinstance(value, dict):
            raise ConfigError(f"{where} is no object")
        name = value.get("name")
        if not isinstance(name, str) or not name.strip():
            raise ConfigError(f"{where} has no name")
        if name in (rule.name for rule in rules):
            raise ConfigError(f"{where} is called {name!r}, as another one is")
        where = f"rule {name!r} of {file}"
        for field in value:
            if field not in _FIELDS:
                raise ConfigError(f"{where} has {field!r}; {nearest(field, sorted(_FIELDS))}")
        scope, missing = value.get("scope", "game"), value.get("missing", "include")
        if scope not in SCOPES:
            raise ConfigError(f"{where}: scope is {scope!r}; it is one of {', '.join(SCOPES)}")
        if missing not in MISSING:
            raise ConfigError(f"{where}: missing is {missing!r}; it is one of {', '.join(MISSING)}")
        reason = value.get("reason", "")
        if not isinstance(reason, str):
            raise ConfigError(f"{where}: reason is {reason!r}; it is a text")
        rules.append(Rule(name, reason, scope, missing, _condition(value, where)))
    return rules


def _condition(value: Any, where: str) -> Comparison | Together:
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: a condition is {value!r:.60}; it is an object")
    kinds = [kind for kind in ("metric", "any", "all") if kind in value]
    if len(kinds) != 1:
        raise ConfigError(f"{where}: a condition has one of metric, any and all; this one has {kinds or 'none'}")
    (kind,) = kinds
    if kind != "metric":
        parts = value[kind]
        if not isinstance(parts, list) or not parts:
            raise ConfigError(f"{where}: {kind} is a list of conditions, with one at least")
        return Together(kind == "all", tuple(_condition(part, where) for part in parts))
    metric, op, wanted = value["metric"], str(value.get("op")), value.get("value")
    if not isinstance(metric, str) or metric not in MEASURES:
        raise ConfigError(f"{where}: there is no metric {metric!r:.60}; {nearest(str(metric), MEASURES)}")
    if op not in OPERATIONS:
        raise ConfigError(f"{where}: op is {op!r}; it is one of {' '.join(OPERATIONS)}")
    if op in ("in", "not in"):
        if not isinstance(wanted, list):
            raise ConfigError(f"{where}: with {op!r} the value is a list; it is {wanted!r:.60}")
    elif op in ("==", "!="):
        if not isinstance(wanted, (str, int, float, bool)):
            raise ConfigError(f"{where}: the value is {wanted!r:.60}; it is a text, a number, true or false")
    elif isinstance(wanted, bool) or not isinstance(wanted, (int, float)) or not -math.inf < wanted < math.inf:
        raise ConfigError(f"{where}: with {op!r} the value is a number; it is {wanted!r:.60}")
    return Comparison(metric, op, wanted)
