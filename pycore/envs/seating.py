"""Who plays which agent: the seats of a page in the order of the environment's agents.

A server calls its players 0, 1, …; environments call their agents what they like. Where none of these names fits, the
first seat plays the first of `possible_agents` that no bot plays, and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pycore.envs.chains import class_name, found, listed
from pycore.errors import EnvironmentUnfit
from pycore.frozen import Named

__all__ = ["Seating", "seated"]


class Seating(Named):
    """The agent of each seat, and a line for reports: empty where players and agents have the same names."""

    agents: tuple[Any, ...]
    report: str


def seated(env: Any, players: Sequence[Any], bots: Sequence[Any] = ()) -> Seating:
    """Which agents the players play. Raises `EnvironmentUnfit` where there is not one for each."""
    possible = listed(found(env, "possible_agents"))
    as_they_are = Seating(tuple(players), "")
    if not possible:
        return as_they_are
    free = [agent for agent in possible if agent not in bots]
    named = all(player in possible for player in players)
    if named and all(agent in players for agent in free):
        return as_they_are
    if named or len(free) != len(players):
        raise EnvironmentUnfit(
            f"{class_name(env)} has {len(free)} agents to be played, {free!r}, and there are {len(players)} players, "
            f"{list(players)!r}: make the environment for {len(players)} agents, or the study for {len(free)} players, "
            "or give the agents that nobody plays to bots, by their names"
        )
    pairs = ", ".join([f"{player!r} plays {agent!r}" for player, agent in zip(players, free, strict=True)])
    return Seating(tuple(free), f"{class_name(env)} names its agents itself, so seats go in their order: {pairs}")
