"""What a rehearsal left: the players' metrics and records, what the relay counted, and what was wrong with them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pycore.rehearsal.departures import Departed
from pycore.rehearsal.pace import Pace
from pycore.rehearsal.resumed import Resumed

VERDICT: Final = "verdict.json"
OWN: Final = ("metrics-*.json", "trajectory-*.jsonl", "experienced-*.jsonl*", "game.json", "settings.json", VERDICT)
"""The files of a rehearsal that the next one in the same folder takes the place of."""
PICTURES: Final = ("*-page[0-9].png",)


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
    """What the pages reported."""
    warnings: list[str] = field(default_factory=list)
    """What was not tried, and pages that were too slow."""
    paces: dict[str, Pace] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    """Those of the session."""
    stored_files: dict[str, bytes] = field(default_factory=dict)
    """What the relay stored besides: what every player saw, and game.json, as `pycore data --out` writes them."""
    reproduced: str = "no"
    """Where the record was stepped again (`pycore.rehearsal.reproducing.WAYS`)."""

    departed: Departed | None = None
    """Who went away in mid-game, and what became of it."""
    resumed: Resumed | None = None
    """Who loaded the page again and came back."""
    restarts: int = 0
    """How often the server's process ended and another one took its place."""
    server_away: str = ""
    """What became of the server meanwhile; empty: it was there all the time."""

    @property
    def right(self) -> bool:
        """Nothing is wrong."""
        return not self.problems

    @property
    def verdict(self) -> str:
        """What is proved, in a line; for an outcome that is right."""
        first = next(iter(self.metrics.values()))
        frames, episodes = first["frames"]["total"], len(first["episodes"])
        rollbacks = sum(of["rollbacks"]["performed"] for of in self.metrics.values())
        ways = {"cpython": "CPython reproduces them", "pyodide": "Pyodide reproduces them"}
        again = ways.get(self.reproduced, "they were not stepped again")
        return (
            f"{_counted(len(self.metrics), 'record')} of {_counted(frames, 'frame')} in "
            f"{_counted(episodes, 'episode')} {'is' if len(self.metrics) == 1 else 'are the same bytes,'} without a "
            f"gap; what the players did is in them, and nothing else; {again}; "
            f"{_counted(rollbacks, 'rollback')} on the way"
            + (f"; {self.departed}" if self.departed else "")
            + (f"; {self.resumed}" if self.resumed else "")
            + (f"; {self.server_away}" if self.server_away else "")
        )

    def as_json(self) -> dict[str, Any]:
        """The verdict, for a script."""
        return {
            "right": self.right,
            "gameId": self.game_id,
            "problems": self.problems,
            "warnings": self.warnings,
            "reports": self.reports,
            "seconds": round(self.seconds, 1),
            "reproduced": self.reproduced,
            "inputsLost": len(self.lost),
            "inputsRelayed": self.relay.get("inputs_relayed"),
            "failoverMs": self.failover_ms,
            "settings": self.settings,
            "serverRestarts": self.restarts,
            "departed": None if self.departed is None else self.departed.as_json(),
            "resumed": None if self.resumed is None else self.resumed.as_json(),
            "players": {
                player: {
                    "frames": of["frames"]["total"],
                    "episodes": of["episodes"],
                    "connection": of["connection"]["type"],
                    "rollbacks": {name: of["rollbacks"][name] for name in ("count", "performed", "maxFrames")},
                    "stalls": of["quality"]["stalls"],
                    "hashesCompared": of["sync"]["hashesCompared"],
                    "end": of["end"]["reason"],
                    "pace": self.paces[player].as_json() if player in self.paces else None,
                }
                for player, of in self.metrics.items()
            },
        }


def write(outcome: Outcome, out: Path) -> list[Path]:
    """The files of a rehearsal: metrics and trajectory of every player, the session's settings, the verdict.

    And what was seen, and what the relay knew of the game. All of them or none: what a full disk left of them would be
    taken for files of the next rehearsal there.
    """
    clear(out)
    files: dict[str, bytes] = dict(outcome.stored_files)
    for player, metrics in outcome.metrics.items():
        files[f"metrics-{player}.json"] = _lines(metrics)
    for player, text in outcome.trajectories.items():
        files[f"trajectory-{player}.jsonl"] = text.encode()
    files["settings.json"] = _lines(outcome.settings)
    files[VERDICT] = _lines(outcome.as_json())
    halves = {out / f".{name}.half-{os.getpid()}": data for name, data in files.items()}
    try:
        for half, data in halves.items():
            half.write_bytes(data)
        for half, name in zip(halves, files, strict=True):
            half.replace(out / name)
    finally:
        for half in halves:
            half.unlink(missing_ok=True)
    return [out / name for name in files]


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def clear(out: Path, *, pictures: bool = False) -> None:
    """Make the folder, without what another rehearsal left in it: a player less would leave a record of that game.

    `pictures` too; not where there are new ones already.
    """
    out.mkdir(parents=True, exist_ok=True)
    if (out / VERDICT).is_file():
        for pattern in (*OWN, *PICTURES) if pictures else OWN:
            for old in out.glob(pattern):
                old.unlink()


def _lines(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


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
        ("late ticks", lambda m: _pace(outcome, m, lambda of: f"{of.late} of {of.ticks}")),
        ("ms a tick: step, rollback, 99 %", lambda m: _pace(outcome, m, _times)),
        ("environment ms: step, save, load", _costs),
        ("input delay", _delays),
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


def _pace(outcome: Outcome, metrics: dict[str, Any], of: Callable[[Pace], str]) -> str:
    pace = outcome.paces.get(str(metrics["playerId"]))
    return "unknown" if pace is None else of(pace)


def _times(pace: Pace) -> str:
    return f"{pace.step:.1f}, {pace.rollback:.1f}, {pace.most:.1f} of {pace.period:.1f}"


def _costs(metrics: dict[str, Any]) -> str:
    costs = metrics.get("environment", {}).get("costsMs")
    return "unknown" if costs is None else ", ".join(f"{costs[name]:.2f}" for name in ("step", "save", "load"))


def _delays(metrics: dict[str, Any]) -> str:
    """The own one; it may rise from one episode to another."""
    own = [episode.get("inputDelay", {}).get(str(metrics["playerId"])) for episode in metrics["episodes"]]
    return ", then ".join(dict.fromkeys(str(delay) for delay in own if delay is not None)) or "unknown"
