"""A long record: how long it takes to step it again, to verify, export and report it, and in how much memory.

The record has 100,000 frames of two players, an hour at 30 frames per second. It is made by stepping a small game and
written to the disk line by line; for the report there is also what both players saw of it. Each task runs in a process
of its own, whose largest memory is asked for.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

FRAMES = 100_000
EPISODE = 1800
"""Frames of an episode: a minute."""
GOAL_S = 60.0
GOAL_MB = 100.0
PARQUET_MB = 500.0
"""duckdb's are most of them."""

GAME = """
from pycore.testing import Walk
SETTINGS = {settings!r}
def make_env():
    return Walk(2, seed=1)
"""
SETTINGS: dict[str, Any] = {
    "max_steps": EPISODE, "num_episodes": -(-FRAMES // EPISODE), "action_space": {"type": "discrete", "n": 6},
}  # fmt: skip

TASKS: dict[str, list[str]] = {
    "replay": ["replay", "{folder}/trajectory-0.jsonl", "--env", "{folder}/game.py"],
    "verify": ["verify", "{folder}"],
    "export_csv": ["export", "{folder}", "--csv", "{out}/csv"],
    "export_parquet": ["export", "{folder}", "--parquet", "{out}/parquet"],
    "report": ["report", "{seen}", "-o", "{out}/report.html"],
}


def write(folder: Path, frames: int = FRAMES) -> None:
    """The records of both players, and the game's source."""
    from pycore.actions.codec import action_codec
    from pycore.records.trajectory import VERSION
    from pycore.settings import Settings
    from pycore.testing import Walk
    from pycore.values import canonical
    from pycore.values.blake2 import blake2b
    from pycore.values.json import list_json, to_json
    from pycore.values.results import results_text

    settings = Settings.of(SETTINGS)
    agreed = canonical.digest({**settings.agreed(), "seed": 1, "players": [0, 1]}).hex()
    header = {
        "configuration": agreed, "environment": settings.environment, "game_id": "long", "players": [0, 1],
        "pycore": VERSION, "seed": 1,
    }  # fmt: skip
    game, codec, every = Walk(2, seed=1), action_codec(settings.action_space), settings.hash_every
    with (folder / "trajectory-0.jsonl").open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(to_json(header) + "\n")
        for number in range(frames):
            episode, frame = divmod(number, EPISODE)
            if frame == 0:
                game.reset(episode)
                rows = blake2b(digest_size=8)
            hashed = ""
            if frame and frame % every == 0:
                state = game.canonical(game.save())
                hashed = f',"hash":"{blake2b(state + rows.digest(), digest_size=8).hexdigest()}"'
                rows = blake2b(digest_size=8)
            actions = [number * 7 // 5 % 6, number // 3 % 6]
            results = results_text(game.step(actions))
            rows.update(b"".join(map(codec.encode, actions)) + results.encode())
            begins = f'{{"actions":{list_json(actions)},"episode":{episode},"frame":{frame}{hashed}'
            stream.write(begins + results + "}\n")
            if frame == EPISODE - 1 or number == frames - 1:
                state = game.canonical(game.save())
                digest = blake2b(state + rows.digest(), digest_size=8).hexdigest()
                stream.write(f'{{"end":{episode},"frames":{frame + 1},"hash":"{digest}"}}\n')
    (folder / "trajectory-1.jsonl").write_bytes((folder / "trajectory-0.jsonl").read_bytes())
    (folder / "game.py").write_text(GAME.format(settings=SETTINGS), encoding="utf-8")


def write_seen(folder: Path, game: Path, frames: int) -> None:
    """The game's records once more, and what both players saw: every tenth frame was a guess that was corrected."""
    from pycore.values.json import to_json

    head = {"fps": 30, "game_id": "long", "players": [0, 1], "pycore_experienced": 1}
    for player in (0, 1):
        (folder / f"trajectory-{player}.jsonl").hardlink_to(game / f"trajectory-{player}.jsonl")
        with (folder / f"experienced-{player}.jsonl").open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(to_json({**head, "player": player}) + "\n")
            for number in range(frames):
                episode, frame = divmod(number, EPISODE)
                at = {"episode": episode, "frame": frame, "time_ms": 1000 * number // 30}
                shown = [number * 7 // 5 % 6, number // 3 % 6]
                if number % 10 == 0:
                    wrong = [each if seat == player else (each + 1) % 6 for seat, each in enumerate(shown)]
                    stream.write(to_json({**at, "shown": wrong, "predicted": [1 - player]}) + "\n")
                    stream.write(to_json({**at, "event": "corrected", "from": frame, "to": frame}) + "\n")
                stream.write(to_json({**at, "shown": shown}) + "\n")
                if number % 30 == 29:
                    counts = {"stalls": 0, "rollbacks": 3, "resimulated": 3, "max_depth": 1, "predicted_frames": 3}
                    peer = {"rtt_ms": 80.5, "jitter_ms": 4.1, "input_age": 2, "advantage": 0.5, "path": "p2p"}
                    of = {"second": number // 30, "hidden": False, "tick_ms_max": 3.4, "peers": {str(1 - player): peer}}
                    stream.write(to_json({**at, **counts, **of}) + "\n")
            stream.write(to_json({"end": "complete", "time_ms": 1000 * frames // 30}) + "\n")


def measured(words: list[str]) -> tuple[float, float, dict[str, Any]]:
    """Seconds, the largest memory in MB, and what the command said."""
    program = (
        "import sys\n"
        "from bench.records import peak_mb\n"
        "from pycore.cli import cli\n"
        "try:\n    cli()\n"
        "finally:\n    print(peak_mb(), file=sys.stderr)\n"
    )
    begin = perf_counter()
    done = subprocess.run([sys.executable, "-c", program, *words, "--json"], capture_output=True, text=True)
    seconds = perf_counter() - begin
    if done.returncode != 0:
        raise AssertionError(f"pycore {' '.join(words)} ended with {done.returncode}: {done.stderr[-1000:]}")
    return seconds, float(done.stderr.split()[-1]), json.loads(done.stdout)


def peak_mb() -> float:
    """The most memory that this process had."""
    status = Path("/proc/self/status")
    if status.is_file():
        # What getrusage says on Linux is at least what the parent had when it started this process.
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def figures(frames: int = FRAMES) -> list[dict[str, Any]]:
    """Seconds and megabytes of every task."""
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="pycore-bench-") as temporary:
        folder, out = Path(temporary) / "game", Path(temporary) / "out"
        seen = Path(temporary) / "seen"
        for each in (folder, seen, out):
            each.mkdir()
        write(folder, frames)
        write_seen(seen, folder, frames)
        for task, words in TASKS.items():
            seconds, megabytes, said = measured([word.format(folder=folder, seen=seen, out=out) for word in words])
            done = said["games"][0] if task == "verify" else said
            if done["frames"] != frames or done.get("status", "reconciled") != "reconciled":
                raise AssertionError(f"{task} did not do its work: {json.dumps(said)[:500]}")
            goal = PARQUET_MB if task == "export_parquet" else GOAL_MB
            found.append({"name": f"records.{task}.s", "value": round(seconds, 2), "unit": "s", "goal": GOAL_S})
            found.append(
                {"name": f"records.{task}.peak_mb", "value": round(megabytes, 1), "unit": "MB", "goal": goal}
            )
    return found


if __name__ == "__main__":
    print(json.dumps(figures(int(sys.argv[1]) if sys.argv[1:] else FRAMES)))
