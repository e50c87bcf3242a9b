"""The policies of a record that are at hand: they are computed while it is stepped again.

Which ones played, the record's header says. Their files lie beside the environment's, as in a study. What is not there,
or is another version, is not computed, and that is said: a record is true by its actions, whoever did them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pycore.errors import ConfigError
from pycore.export.stepping import Chosen
from pycore.factory import POLICY, STUDY, Found, load_policy, parts_of
from pycore.policy import Policy
from pycore.records.partners import Partners
from pycore.settings import ON_DROP, ON_INTERRUPT, PARTNERS, Settings
from pycore.simulation import Simulation
from pycore.site.study import Study

FOR_GONE: Final = "for who is gone"


class Named(NamedTuple):
    """The policies of a record that every page computed."""

    settings: Settings
    """Those that the record is stepped with, with the policies that its header names."""
    texts: dict[int, tuple[str, str]]
    """By seat, the player and what makes the policy, of those that can be computed as they were."""
    notes: list[str]
    """A sentence for each that cannot."""
    stand_in: str | None
    """What makes the one that plays on for who is gone, if it can be computed as it was."""


class Computed(NamedTuple):
    """What is computed beside a record."""

    partners: Partners | None
    players: list[str]
    notes: list[str]


def named_in(header: Mapping[str, Any], chosen: Chosen, found: Found, given: bool) -> Named:
    """The policies of a record. `given` says that the settings were named, and count alone."""
    own, after = header.get("policies") or {}, header.get("stand_in")
    try:
        settings = chosen.settings.replace(policies=own, **_on_drop(chosen.settings, after))
        computed = settings.computed(header["players"])
    except ConfigError as error:
        why = f"no policy was computed: those of the record cannot be read: {error}"
        return Named(chosen.settings, {}, [why], None)
    notes, texts = [], {}
    versions = list(_versions(chosen, found, given)) if computed or after else []
    for seat, text in computed.items():
        player = str(header["players"][seat])
        here = [(source, of.policies.get(player)) for source, of in versions]
        other = _other(f"of player {player}", settings.policies[player], here)
        if other is None:
            texts[seat] = player, text
        else:
            notes.append(other)
    if settings.stand_in is None:
        return Named(settings, texts, notes, None)
    other = _other(FOR_GONE, settings.stand_in, [(source, of.stand_in) for source, of in versions])
    return Named(settings, texts, [*notes, *([] if other is None else [other])],
                 settings.stand_in["policy"] if other is None else None)  # fmt: skip


def _on_drop(settings: Settings, stand_in: Any) -> dict[str, Any]:
    """What the settings say of who is gone, where the record has this stand-in, or none; who is played for while away
    has none."""
    if stand_in:
        return {"on_drop": ON_DROP[2], "stand_in": stand_in, "on_interrupt": ON_INTERRUPT[0]}
    return {"on_drop": ON_DROP[0], "stand_in": None} if settings.on_drop == ON_DROP[2] else {}


def _other(what: str, played: Mapping[str, Any], here: Sequence[tuple[str, Mapping[str, Any] | None]]) -> str | None:
    """The sentence about a policy of which other versions alone are at hand; None: it is the one."""
    text = played["policy"]
    for source, of in here:
        if of is not None and of["policy"] == text and of.get("version") != played.get("version"):
            return (
                f"the policy {what} was not computed: {_version(played.get('version'))} of {text} played, and {source} "
                f"has {_version(of.get('version'))}; put {parts_of(text, POLICY)[0]} as it was then beside the "
                "environment, and name settings of then by --settings"
            )
    return None


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
            notes.append(not_at_hand(f"of player {player}", text, str(error)))
    stand_in = None
    if named.stand_in is not None:
        try:
            stand_in = load_policy(named.stand_in, found.folder)
        except ConfigError as error:
            notes.append(not_at_hand(FOR_GONE, named.stand_in, str(error)))
    if not policies and stand_in is None:
        return Computed(None, [], notes)
    partners = Partners(simulation, named.settings, players, policies, header["seed"], stand_in)
    return Computed(partners, [str(players[seat]) for seat in partners.seats], notes)


def not_at_hand(what: str, text: str, why: str) -> str:
    """The sentence about a policy that cannot be made here; `what`: of whom it is."""
    return (
        f"the policy {what} was not computed: {why}; put {parts_of(text, POLICY)[0]} as it was when the "
        "game was played beside the environment"
    )


def _versions(chosen: Chosen, found: Found, given: bool) -> Iterator[tuple[str, Settings]]:
    """The settings that are at hand, with the policies in them and their versions."""
    yield chosen.source, chosen.settings
    if given:
        return
    own = getattr(found.module, "SETTINGS", None)
    folder = found.folder
    places: list[tuple[str, Any]] = [(f"SETTINGS of {found.module.__name__}", own)]
    if folder is not None and (folder / STUDY).is_file():
        with contextlib.suppress(ConfigError):  # it is not what the record is stepped with
            places.append((str(folder / STUDY), Study.read(folder / STUDY).settings))
    for source, values in places:
        try:
            yield source, values if isinstance(values, Settings) else Settings(
                **{name: values[name] for name in PARTNERS if name in (values or {})}
            )  # fmt: skip
        except ConfigError:
            continue


def _version(said: Any) -> str:
    return "a version without a name" if said is None else f"version {said}"
