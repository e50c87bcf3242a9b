"""What a study says of its participants: who may come, how they are paired, and where they go afterwards.

These are names in the study's file beside its settings, `RECRUITING`; no page is told them. Who may come is said on the
command line, since it is no part of the study that one publishes.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pycore.errors import ConfigError, nearest
from pycore.relay.games.outcomes import OUTCOMES
from pycore.relay.matching import FirstCome, Matcher, matcher_of
from pycore.relay.people.admission import Admission
from pycore.relay.transport.origins import is_page

RECRUITING: Final = ("ready_check", "waiting_limit", "matcher", "next")
LONGEST_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Recruiting:
    """Of one study."""

    ready_check: float = 0.0
    """Seconds that people have to say that they are there, before their game begins; 0: nobody is asked."""
    waiting_limit: float | None = None
    """Seconds after which whoever waits is told that nobody came; None: `Limits.waiting_s`."""
    matcher: Matcher = field(default_factory=FirstCome)
    """Who plays with whom."""
    next: Mapping[str, str] = field(default_factory=dict)
    """Where to send people whose visit came to an outcome, by outcome; `{subject}` and `{outcome}` stand for theirs."""
    admission: Admission = field(default_factory=Admission)
    """Who may come."""

    @classmethod
    def of(cls, values: Mapping[str, Any], admission: Admission | None = None) -> Recruiting:
        """Of a study's values. Raises ConfigError, naming the value."""
        for name in values:
            if name not in RECRUITING:
                raise ConfigError(f"unknown setting {name!r}; {nearest(name, RECRUITING)}")
        limit = values.get("waiting_limit")
        matcher = values.get("matcher", "first_come")
        if not isinstance(matcher, (str, Mapping)) and not callable(getattr(matcher, "match", None)):
            raise ConfigError(f"matcher is {matcher!r:.60}; it must be a name, or module:Class, or an object with one")
        return cls(
            ready_check=_seconds("ready_check", values.get("ready_check", 0.0)),
            waiting_limit=None if limit is None else _seconds("waiting_limit", limit, 1.0),
            matcher=matcher_of(matcher) if isinstance(matcher, (str, Mapping)) else matcher,
            next=_next(values.get("next")),
            admission=admission or Admission(),
        )

    def next_of(self, outcome: str, subject: str | None) -> str | None:
        """The address to which somebody is sent on; None: to none."""
        address = self.next.get(outcome)
        if address is None:
            return None
        said = urllib.parse.quote(subject or "", safe="")
        return address.replace("{subject}", said).replace("{outcome}", outcome)


def _seconds(name: str, value: Any, least: float = 0.0) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= LONGEST_S:
        raise ConfigError(f"{name} is {value!r:.60}; it must be seconds, from {least:g} to {LONGEST_S:g}")
    return float(value)


def _next(given: Any) -> dict[str, str]:
    if given is None:
        return {}
    if isinstance(given, str):
        given = dict.fromkeys(OUTCOMES, given)
    if not isinstance(given, Mapping):
        raise ConfigError(f"next is {given!r:.60}; it must be an address, or an object of addresses by outcome")
    for outcome, address in given.items():
        if outcome not in OUTCOMES:
            raise ConfigError(f"next has {outcome!r}; {nearest(str(outcome), OUTCOMES)}")
        if not isinstance(address, str) or not is_page(address):
            raise ConfigError(f"next.{outcome} is {address!r:.80}; it must be an address, https://…")
    return dict(given)
