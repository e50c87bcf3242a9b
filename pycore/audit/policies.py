"""Policies on trial: each plays its seat among random actions, and what no page could agree on is found.

A policy that every page computes has to be a pure function of what it is given (`pycore.policy`). So it is asked twice
about the same frame, with others in between; another instance is asked, after others drew from the process's
generators; and what may not change by the asking is compared: the state, what the players are shown, those generators.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final, NamedTuple

from pycore.audit.comparison import fields_that_differ
from pycore.audit.findings import Finding
from pycore.audit.source import findings_of_source, sources_of
from pycore.audit.timing import ENOUGH, SLOWER, Costs
from pycore.envs import ParallelEnvAdapter
from pycore.errors import ActionError, PolicyError, PycoreError
from pycore.factory import load_policy
from pycore.named import COMPUTED_BY
from pycore.policy import Policy
from pycore.records.partners import Partners
from pycore.settings import Settings
from pycore.values.canonical import encode

__all__ = ["PolicyTrial", "policy_settings", "try_policies"]

WHOSE: Final = {"policies": "the policy of player", "stand_in": "the policy that plays on for player"}
MOST: Final = 150
"""Frames in which a policy is tried: its reaction time is at most 60."""
BACK: Final = 5
"""In every so many frames another one is guessed and taken back in between."""
PURE: Final = (
    "it must be a pure function of what it is shown: keep nothing from one call to the next, draw from `random` alone"
)
ASKED: Final = 10
"""Calls before their median says what one takes: of a few, one may have been interrupted."""
HEAVY: Final = 1000.0
"""Microseconds of a call that are said to be slow whatever the environment takes: seven of them are a third of a tick
on a machine four times slower."""


def policy_settings(given: Mapping[str, Any], own: str) -> Settings:
    """A study's settings, with the action spaces that the environment says (`own`, as JSON) where the study does not.
    Raises ConfigError."""
    said = "action_space" in given or any("action_space" in seat for seat in given.get("seats", ()))
    return Settings.of({**given, **({} if said else json.loads(own))})


def try_policies(
    settings: Settings,
    make: Callable[[Sequence[int | str]], ParallelEnvAdapter],
    rows: Sequence[Sequence[Any]],
    seed: int,
    folder: Path | None,
    costs: Costs | None,
) -> Iterator[tuple[str, str, dict[str, Any], list[Finding]]]:
    """Of each policy of a study's settings, what names it there (`policies`, or `stand_in`, which plays on for whoever
    is gone), the player whose seat it has, the facts and the findings. `make` makes a new adapter in which what these
    players see is there after a load; files of policies are in `folder`. Raises ConfigError."""
    players = make(()).players
    for what, of in (("policies", settings), ("stand_in", settings.stood_in(players))):
        own = [player for player in of.policies if what == "policies" or player not in settings.policies]
        observed = [player for player in own if not of.reaction_time(player)]
        for by in COMPUTED_BY:
            for seat, text in of.computed(players, by).items():
                player = str(players[seat])
                if player not in own:
                    continue
                trial = PolicyTrial(
                    partial(make, observed), partial(load_policy, text, folder),
                    rows, of, seat, player, f"{WHOSE[what]} {player}", seed,
                )  # fmt: skip
                trial.run(costs)
                yield what, player, trial.facts, trial.findings


class Fault(Exception):
    """What ends the trial of a policy: a finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


class Acted(NamedTuple):
    """What a policy did in a frame of an episode, among these actions of the others."""

    episode: int
    frame: int
    row: list[Any]
    code: bytes


class PolicyTrial:
    """One policy on its seat. `make` makes a new adapter each time, `load` a new policy; `rows` are everybody's
    actions, of which those of its seat are replaced."""

    def __init__(
        self,
        make: Callable[[], ParallelEnvAdapter],
        load: Callable[[], Policy],
        rows: Sequence[Sequence[Any]],
        settings: Settings,
        seat: int,
        player: str,
        name: str,
        seed: int,
    ) -> None:
        self._make = make
        self._load = load
        self._rows = rows[:MOST]
        self._settings = settings
        self._seat = seat
        self._player = player
        self._name = name
        """What it is called in a sentence."""
        self._seed = seed
        self._times: list[float] = []
        self._asked = 0
        self.facts: dict[str, Any] = {}
        self.findings: list[Finding] = []

    def run(self, costs: Costs | None) -> None:
        """Try it. `costs` are those of the environment, if they are known."""
        player = self._player
        named = self._settings.policies[player]
        reaction = self._settings.reaction_time(player)
        self.facts = {"policy": named["policy"], "computed_by": named["computed_by"], "reaction_time": reaction}
        if named["computed_by"] != COMPUTED_BY[0]:
            return  # a page's own function: it may do as it likes, and is not here
        try:
            policy = self._load()
            self.findings += findings_of_source(sources_of(policy))
            played = list(self._play(policy))
            if self._asked == 0:
                what = f"{self._name} was never asked: no episode is longer than its reaction time"
                self._find("policy_never_asked", "risk", what, "see that episodes are longer, or try more --frames")
                return
            self._times_found(costs)
            acted = {of.code for of in played if of.frame >= reaction}
            self.facts["actions"] = len(acted)
            if len(acted) == 1:
                what = f"{self._name} did the same in all of {self._asked} frames"
                self._find("policy_one_action", "note", what, "nothing, if it is to")
            self._another(played)
        except Fault as fault:
            self.findings.append(fault.finding)

    # --- the tries ---

    def _play(self, policy: Policy) -> Iterator[Acted]:
        """Play the rows, and look at every call. Raises Fault."""
        adapter = self._make()
        partners = self._partners(adapter, policy)
        for episode, frame, row in self._frames(adapter, partners):
            code, action = self._asked_once(adapter, partners, frame, row)
            self._asked_again(adapter, partners, frame, row, code)
            row[self._seat] = action
            yield Acted(episode, frame, list(row), code)

    def _frames(self, adapter: ParallelEnvAdapter, partners: Partners) -> Iterator[tuple[int, int, list[Any]]]:
        """Episode after episode, each frame with the row that it is stepped with when the next one is asked for."""
        episode = frame = 0
        adapter.reset(episode)
        partners.begin(episode)
        for given in self._rows:
            row = list(given)
            yield episode, frame, row
            frame += 1
            if adapter.step(list(row)).done:
                episode, frame = episode + 1, 0
                adapter.reset(episode)
                partners.begin(episode)

    def _asked_once(
        self, adapter: ParallelEnvAdapter, partners: Partners, frame: int, row: Sequence[Any]
    ) -> tuple[bytes, Any]:
        """Its action, and what the asking changed."""
        before, shown, drawn = adapter.canonical(adapter.save()), _encoded(adapter.observations), _generators()
        start = perf_counter()
        code, action = self._act(partners, frame, row)
        if frame >= self._settings.reaction_time(self._player):
            self._times.append(perf_counter() - start)
            self._asked += 1
        if _generators() != drawn:
            raise self._fault(
                "policy_generator",
                f"draws from a generator of the process, or seeds one, first in frame {frame}",
                "draw from `random`, which it is given: the process's generators are the environment's and the page's",
            )
        after = adapter.canonical(adapter.save())
        seen = _encoded(adapter.observations)
        for what, was, now in (("the state", before, after), ("what players are shown", shown, seen)):
            if was != now:
                raise self._fault(
                    "policy_changes",
                    f"changes {what} that it sees, first in frame {frame}: {fields_that_differ(was, now)}",
                    "read it, and change copies only: in a rollback it is asked more often than a frame is played",
                )
        return code, action

    def _asked_again(
        self, adapter: ParallelEnvAdapter, partners: Partners, frame: int, row: Sequence[Any], code: bytes
    ) -> None:
        """As in a rollback: another frame is guessed in between, and taken back."""
        if frame % BACK == 0:
            before = adapter.save()
            if not adapter.step(list(row)).done:
                self._act(partners, frame + 1, row)
            adapter.load(before)
        again, _ = self._act(partners, frame, row)
        if again != code:
            raise self._fault("policy_keeps", f"does something else when it is asked again about frame {frame}", PURE)

    def _another(self, played: Sequence[Acted]) -> None:
        """Another instance, made and asked after others drew from the process's generators."""
        random.seed(13)
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            numpy.random.seed(13)
        adapter = self._make()
        partners = self._partners(adapter, self._load())
        for (episode, frame, row), of in zip(self._frames(adapter, partners), played, strict=True):
            random.seed(frame)
            adapter.resume()
            code, _ = self._act(partners, frame, row)
            if code != of.code:
                raise self._fault(
                    "policy_instances",
                    f"of another page, another instance, does something else, first in frame {frame} of episode "
                    f"{episode}",
                    f"{PURE}, and seed what its constructor draws from",
                )
            row[:] = of.row

    def _times_found(self, costs: Costs | None) -> None:
        """What a call costs, and whether rollbacks still fit with it."""
        us = median(self._times) * 1e6
        self.facts.update(call_us=round(us, 1), longest_call_us=round(max(self._times) * 1e6, 1))
        slower = SLOWER[1]
        shallow = False
        if costs is not None:
            depth = costs._replace(step=costs.step + us).depth(30, slower)
            shallow = depth < ENOUGH <= costs.depth(30, slower)
        if len(self._times) >= ASKED and (shallow or us >= HEAVY):
            self._find(
                "slow_policy",
                "slow",
                f"a call of {self._name} takes {us:.0f} µs here, more in a browser, in every "
                "frame of every rollback",
                'make it cheaper, or have one page compute it ({"computed_by": "one"}); with one person there are no '
                "rollbacks",
            )

    # --- parts ---

    def _partners(self, adapter: ParallelEnvAdapter, policy: Policy) -> Partners:
        return Partners(adapter, self._settings, adapter.players, {self._seat: policy}, self._seed)

    def _act(self, partners: Partners, frame: int, row: Sequence[Any]) -> tuple[bytes, Any]:
        actions = list(row)
        try:
            return partners.act(frame, actions)[self._seat], actions[self._seat]
        except PolicyError as error:
            if isinstance(error.__cause__, ActionError):
                raise Fault(
                    Finding("policy_action", "unfit", str(error), "give an action of the seat's action space")
                ) from error
            raise Fault(
                Finding("policy_raised", "unfit", str(error), "mend what raises; a game would end with it")
            ) from error

    def _fault(self, code: str, what: str, do: str) -> Fault:
        return Fault(Finding(code, "unfit", f"{self._name} {what}", do))

    def _find(self, code: str, harm: str, what: str, do: str) -> None:
        self.findings.append(Finding(code, harm, what, do))


def _encoded(value: Any) -> bytes:
    """The canonical bytes of what is shown; empty where it has none."""
    try:
        return encode(value)
    except PycoreError:
        return b""


def _generators() -> tuple[Any, ...]:
    """The generators of the process, as far as anybody loaded them."""
    numpy = sys.modules.get("numpy.random")
    if numpy is None:
        return (random.getstate(),)
    name, keys, *rest = numpy.get_state()
    return random.getstate(), name, keys.tobytes(), *rest
