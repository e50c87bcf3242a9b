"""The policies of a record that are at hand: they are computed while it is stepped again.

Which ones played, the record's header says. Their files lie beside the environment's, as in a study. What is not there,
or is another version, is not computed, and that is said: a record is true by its actions, whoever did them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pycore.errors import ConfigError
from pycore.export.stepping import Chosen
from pycore.factory import POLICY, STUDY, Found, load_policy, parts_of
from pycore.policy import Policy
from pycore.records.partners import Partners
from pycore.settings import Settings
from pycore.simulation import Simulation
from pycore.site.study import Study


class Named(NamedTuple):
    """The policies of a record that every page computed."""

    settings: Settings
    """Those that the record is stepped with, with the policies that its header names."""
    texts: dict[int, tuple[str, str]]
    """By seat, the player and what makes the policy, of those that can be computed as they were."""
    notes: list[str]
    """A sentence for each that cannot."""


class Computed(NamedTuple):
    """What is computed beside a record."""

    partners: Partners | None
    players: list[str]
    notes: list[str]


def named_in(header: Mapping[str, Any], chosen: Chosen, found: Found, given: bool) -> Named:
    """The policies of a record. `given` says that the settings were named, and count alone."""
    try:
        settings = chosen.settings.replace(policies=header.get("policies") or {})
        computed = settings.computed(header["players"])
    except ConfigError as error:
        return Named(chosen.settings, {}, [f"no policy was computed: those of the record cannot be read: {error}"])
    notes, texts = [], {}
    versions = list(_versions(chosen, found, given)) if computed else []
    for seat, text in computed.items():
        player = str(header["players"][seat])
        here = [(source, of[player]) for source, of in versions if of.get(player, {}).get("policy") == text]
        played = settings.policies[player].get("version")
        other = next(((source, of) for source, of in here if of.get("version") != played), None)
        if other is None:
            texts[seat] = player, text
            continue
        source, of = other
        notes.append(
            f"the policy of player {player} was not computed: {_version(played)} of {text} played, and {source} has "
            f"{_version(of.get('version'))}; put {parts_of(text, POLICY)[0]} as it was then beside the environment, "
            "and name settings of then by --settings"
        )
    return Named(settings, texts, notes)


def computed_for(
    header: Mapping[str, Any], chosen: Chosen, found: Found, given: bool, simulation: Simulation
) -> Computed:
    """The policies of a record, made and ready to play beside its simulation."""
    named = named_in(header, chosen, found, given)
    notes = list(named.notes)
    policies: dict[int, Policy] = {}
    players = header["players"]
    for seat, (player, text) in named.texts.items():
        try:
            policies[seat] = load_policy(text, found.folder)
        except ConfigError as error:
            notes.append(not_at_hand(player, text, str(error)))
    if not policies:
        return Computed(None, [], notes)
    partners = Partners(simulation, named.settings, players, policies, header["seed"])
    return Computed(partners, [str(players[seat]) for seat in partners.seats], notes)


def not_at_hand(player: str, text: str, why: str) -> str:
    """The sentence about a policy that cannot be made here."""
    return (
        f"the policy of player {player} was not computed: {why}; put {parts_of(text, POLICY)[0]} as it was when the "
        "game was played beside the environment"
    )


def _versions(chosen: Chosen, found: Found, given: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The settings that are at hand, and the policies in them, with their versions."""
    yield chosen.source, chosen.settings.policies
    if given:
        return
    own = getattr(found.module, "SETTINGS", None)
    folder = found.folder
    places: list[tuple[str, Any]] = [(f"SETTINGS of {found.module.__name__}", own)]
    if folder is not None and (folder / STUDY).is_file():
        with contextlib.suppress(ConfigError):  # it is not what the record is stepped with
            places.append((str(folder / STUDY), Study.read(folder / STUDY).settings))
    for source, values in places:
        policies = values.policies if isinstance(values, Settings) else (values or {}).get("policies", {})
        try:
            yield source, Settings(policies=policies).policies
        except ConfigError:
            continue


def _version(said: Any) -> str:
    return "a version without a name" if said is None else f"version {said}"
