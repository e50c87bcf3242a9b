"""The rows of what a participant saw: displayed frames, seconds and events, from an experienced record."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from pycore.export.cells import as_json, boolean, number, text
from pycore.export.seen import REACH
from pycore.records.experienced_reader import Displayed, Experience, Happening, SecondOfPlay

Put = Callable[[list[str]], object]

OF_SECOND: Final = ("stalls", "rollbacks", "resimulated", "max_depth", "predicted_frames", "tick_ms_max")


def put_experience(
    game_id: str, player: str, experience: Experience, displayed: Put, seconds: Put, events: Put
) -> None:
    """All rows of one record. A displayed frame waits for its correction as long as one can come."""
    waiting: OrderedDict[tuple[int, int], list[list[str]]] = OrderedDict()
    for item in experience:
        if isinstance(item, Displayed):
            rows = waiting.setdefault((item.episode, item.frame), [])
            waiting.move_to_end((item.episode, item.frame))
            rows.append([
                text(game_id), text(player), str(item.episode), str(item.frame), as_json(item.shown),
                as_json(item.predicted), boolean(False), boolean(item.hidden), number(item.input_ms),
                number(item.time_ms),
            ])  # fmt: skip
            if len(waiting) > REACH:
                for row in waiting.popitem(last=False)[1]:
                    displayed(row)
        elif isinstance(item, SecondOfPlay):
            _put_second(game_id, player, item, seconds)
        elif isinstance(item, Happening):
            if item.event == "corrected":
                for frame in range(item.more["from"], item.more["to"] + 1):
                    for row in waiting.get((item.episode, frame), []):
                        row[6] = boolean(True)
            more = {**item.more}
            other = more.pop("player", None)
            events([
                text(game_id), text(player), number(item.time_ms), str(item.episode), str(item.frame),
                text(item.event), text(other), as_json(more),
            ])  # fmt: skip
        else:
            events([
                text(game_id), text(player), number(item.time_ms), "", "", "end", "", as_json({"reason": item.reason}),
            ])  # fmt: skip
    for rows in waiting.values():
        for row in rows:
            displayed(row)


def _put_second(game_id: str, player: str, item: SecondOfPlay, put: Put) -> None:
    values, peers = item.values, item.values["peers"]
    paths = {peer.get("path") for peer in peers.values()}
    put([
        text(game_id), text(player), str(item.second), number(item.time_ms), str(item.episode), str(item.frame),
        boolean(values.get("hidden")), *[number(values.get(name)) for name in OF_SECOND],
        *[number(_largest(peers, name)) for name in ("rtt_ms", "jitter_ms", "input_age")],
        text(paths.pop() if len(paths) == 1 else "mixed" if paths else None), as_json(peers),
    ])  # fmt: skip


def _largest(peers: dict[str, Any], name: str) -> Any:
    return max((peer[name] for peer in peers.values() if type(peer.get(name)) in (int, float)), default=None)
