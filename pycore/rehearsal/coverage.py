"""What a rehearsal did not try, and whether it tried what it was meant to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pycore.audit.comparison import decoded, has_reward
from pycore.records import Recording
from pycore.rehearsal.plan import Plan
from pycore.values.canonical import encode

ENOUGH: Final = 60
"""Inputs that went peer-to-peer: of fewer nothing can be said."""

BACK_WITHIN: Final = 10.0
"""Seconds for which a connection that was closed may be away."""


def untried(recording: Recording) -> list[str]:
    """Rewards that never came."""
    rows = [frame.results for episode in recording.episodes for frame in episode.frames]
    if any('"rewards":{' in row for row in rows) and not any(map(has_reward, rows)):
        return [f"every reward of {len(rows)} frames was 0: the players never earned anything"]
    return []


def ends(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """Whether an episode ended by itself."""
    reasons = [episode["reason"] for episode in metrics[0]["episodes"]]
    if "done" in reasons:
        return []
    how = ", ".join(sorted(set(map(str, reasons)))) or "none ended"
    do = "play longer (--seconds), or let the players do what ends a game (--policy)"
    return [f"no episode ended by itself ({how}): ends were not tried; {do}"]


def without_rollback(plan: Plan, metrics: Sequence[Mapping[str, Any]]) -> str:
    """Why a rehearsal under latency proves nothing; empty if frames were rolled back, or did not have to be."""
    if any(of["rollbacks"]["performed"] for of in metrics) or _guessed_better(metrics):
        return ""
    if sum(of["inputs"]["sentViaP2P"] for of in metrics) < ENOUGH:
        return ""  # the way through the server is not slowed
    settings = plan.played()
    # A policy is the same on every page, or may never change what it does.
    lowest = min(settings.of_seat(seat, "input_delay") for seat in plan.game.people)
    needed = (lowest + 1) * 1000.0 / plan.fps
    if plan.latency_ms <= needed:
        return ""
    return (
        f"nothing was rolled back, though packets took {plan.latency_ms:g} ms and an input delay covers {needed:.0f}: "
        "this browser does not slow peer-to-peer channels, or no player did anything that changes"
    )


def without_peer_to_peer(plan: Plan, metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """Whether players were connected at all, where they were meant to be."""
    if len(metrics) < 2 or plan.socketio_only or not plan.played().p2p:
        return []
    if any(of["inputs"]["sentViaP2P"] for of in metrics):
        return []
    do = "see whether this machine lets browsers use UDP"
    return [f"peer-to-peer never came up: latency, loss and the way back were not tried; {do}"]


def not_back(plan: Plan, metrics: Sequence[Mapping[str, Any]]) -> str:
    """Why a connection that was closed is of no use any more; empty if all came back, or had no time to."""
    if plan.cut != "connection" or plan.down_at is None or plan.seconds - plan.down_at < BACK_WITHIN:
        return ""
    back = [any(change["cause"] == "recovered" for change in of["pathChanges"]) for of in metrics]
    if all(back):
        return ""
    return f"a connection was closed {plan.seconds - plan.down_at:g} s before the end, and never came back"


def never_changed(states: Sequence[bytes]) -> list[str]:
    """Fields of an environment's own state that were the same in all states."""
    if len(states) < 2:
        return []
    envs = [decoded(state).get("env") for state in states]
    if not all(isinstance(env, dict) for env in envs):
        return []
    first = envs[0]
    still = sorted(
        str(name) for name, value in first.items()
        if all(name in env and encode(env[name]) == encode(value) for env in envs[1:])
    )  # fmt: skip
    if not still:
        return []
    named = ", ".join(still[:8]) + (" and others" if len(still) > 8 else "")
    return [f"never changed, so not tried: {named} (nothing to do if these are constants)"]


def _guessed_better(metrics: Sequence[Mapping[str, Any]]) -> bool:
    """Whether guesses were right where the last action was not."""
    return any(each["repeatLastHits"] < each["hits"] for of in metrics for each in of.get("predictions", {}).values())


def of_predictors(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """Predictors that raised, or said what is no action, and such as left nothing to roll back."""
    right = not any(of["rollbacks"]["performed"] for of in metrics) and _guessed_better(metrics)
    said = "nothing was rolled back, since the predictor was always right: rehearse without it as well"
    return [said] * right + [
        f"the predictor failed {guesses['failed']} times when player {of['playerId']} waited for player {player}: "
        f"{guesses['failure']}; there the last action was repeated"
        for of in metrics for player, guesses in of["predictions"].items() if guesses["failed"]
    ]  # fmt: skip
