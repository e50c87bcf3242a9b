"""What a rehearsal left: the players' metrics and records, what the relay counted, and what was wrong with them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What a rehearsal left."""

    game_id: str
    metrics: dict[str, dict[str, Any]]
    trajectories: dict[str, str]
    huds: dict[str, dict[str, Any]]
    relay: dict[str, Any]
    stored: bool
    seconds: float
    failover_ms: float | None
    lost: list[str]
    problems: list[str]
    reports: list[str]


def write(outcome: Outcome, out: Path) -> None:
    """The files that the command promises."""
    out.mkdir(parents=True, exist_ok=True)
    for player, metrics in outcome.metrics.items():
        (out / f"metrics-{player}.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    for player, text in outcome.trajectories.items():
        (out / f"trajectory-{player}.jsonl").write_bytes(text.encode())


def table(outcome: Outcome) -> str:
    """One column per player."""
    rows: list[tuple[str, Any]] = [
        ("connection", lambda m: m["connection"]["type"]),
        ("frames", lambda m: m["frames"]["total"]),
        ("episodes", lambda m: len(m["episodes"])),
        ("sent p2p / socket.io", lambda m: f"{m['inputs']['sentViaP2P']} / {m['inputs']['sentViaSocketIO']}"),
        (
            "received p2p / socket.io",
            lambda m: f"{m['inputs']['receivedViaP2P']} / {m['inputs']['receivedViaSocketIO']}",
        ),
        ("resent p2p / socket.io", lambda m: f"{m['inputs']['resentViaP2P']} / {m['inputs']['resentViaSocketIO']}"),
        ("mispredicted inputs", lambda m: m["rollbacks"]["count"]),
        ("rollbacks, deepest", lambda m: f"{m['rollbacks']['performed']}, {m['rollbacks']['maxFrames']}"),
        ("stalled ticks", lambda m: m["quality"]["stalls"]),
        ("round trip ms", lambda m: ", ".join(str(rtt) for rtt in m["quality"]["rttMs"].values())),
        ("hashes compared / wrong", lambda m: f"{m['sync']['hashesCompared']} / {m['sync']['p2pHashMismatches']}"),
        (
            "path changes",
            lambda m: (
                ", ".join(f"{c['to']} at {c['episode']}:{c['frame']} ({c['cause']})" for c in m["pathChanges"])
                or "none"
            ),
        ),
        ("end", lambda m: m["end"]["reason"]),
    ]
    players = list(outcome.metrics)
    lines = [["player", *players]]
    lines += [[title, *(str(of(outcome.metrics[player])) for player in players)] for title, of in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    text += f"\ninputs through the server: {outcome.relay.get('inputs_relayed')}"
    text += f"\ninputs lost: {len(outcome.lost)}"
    if outcome.failover_ms is not None:
        text += f"\nfrom the cut to the first input through the server: {outcome.failover_ms:.0f} ms"
    return text
