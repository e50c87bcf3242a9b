"""The books of a game: what was sent in total was received in total, where all ended regularly."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

REGULAR: Final = ("complete", "stop")
"""Reasons of an end at which all that was sent had time to arrive."""


def not_received(metrics: Mapping[str, Mapping[str, Any]], people: Collection[str]) -> list[str]:
    """Where the totals of the players' metrics do not agree, as sentences; none where nothing can be said of that."""
    if len(metrics) < 2 or set(metrics) != set(people):
        return []
    if any(each["end"].get("reason") not in REGULAR or each.get("drops") for each in metrics.values()):
        # What was on its way to or from somebody who is gone came by others, or not at all.
        return []
    if any(each.get("load") or each.get("returns") for each in metrics.values()):
        # What a page did before it was loaded again stands in no metrics any more.
        return []
    sent = {player: _sum(each, "sentViaP2P", "sentViaSocketIO") for player, each in metrics.items()}
    received = {player: _sum(each, "receivedViaP2P", "receivedViaSocketIO") for player, each in metrics.items()}
    if len(metrics) == 2:
        one, other = metrics
        pairs = [(one, other), (other, one)]
        return [
            f"player {a} sent {sent[a]} inputs, player {b} received {received[b]}"
            for a, b in pairs if sent[a] != received[b]
        ]  # fmt: skip
    if sum(sent.values()) != sum(received.values()):
        return [f"{sum(sent.values())} inputs were sent, {sum(received.values())} received"]
    return []


def _sum(metrics: Mapping[str, Any], *names: str) -> int:
    values = [metrics["inputs"].get(name) for name in names]
    return sum(value for value in values if type(value) is int)
