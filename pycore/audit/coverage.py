"""What never happened in the frames that an audit played, and so was not tried; and what of them no record can hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from pycore.audit.comparison import Frame, decoded, has_reward
from pycore.audit.findings import Finding
from pycore.values.canonical import encode
from pycore.values.json import UNRECORDABLE

__all__ = ["findings_of_coverage", "findings_of_records"]


def findings_of_records(frames: Sequence[Frame]) -> Iterator[Finding]:
    """What cannot be recorded: of rewards it would be missing in the data, of infos it may be."""
    for code, harm, where, do in (
        ("reward_unrecordable", "wrong", "rewards", "return numbers, or lists or dicts of numbers"),
        ("unrecordable", "risk", "infos", "return numbers, texts, lists and dicts, or leave it out"),
    ):
        for frame in frames:
            row = _part(frame.row, where)
            if UNRECORDABLE in row:
                at = row.index(UNRECORDABLE)
                told = row[max(0, at - 80) : at + len(UNRECORDABLE)]
                what = f"something in the {where} of frame {frame.frame} cannot be recorded: …{told}"
                yield Finding(code, harm, what, do)
                break


def _part(row: str, name: str) -> str:
    """One of the results in a row; the row has them as JSON's members."""
    if UNRECORDABLE not in row:  # nearly all
        return ""
    return json.dumps({name: json.loads(f"{{{row[1:]}}}").get(name)}, ensure_ascii=False)


def findings_of_coverage(frames: Sequence[Frame], *, captured: bool) -> Iterator[Finding]:
    """No end, no reward, and of a state that the environment gives itself, fields that never changed."""
    rows = "".join(frame.row for frame in frames)
    if not any(frame.episode for frame in frames):
        yield Finding(
            "no_end",
            "note",
            f"no episode ended in {len(frames)} frames of random actions",
            "ends are tried if --frames is large enough, or a shorter game is made for the audit",
        )
    if '"rewards":{' in rows and not any(has_reward(frame.row) for frame in frames):
        yield Finding("no_reward", "note", f"every reward of {len(frames)} frames was 0", "see that rewards are given")
    if captured:
        return
    first, last = decoded(frames[0].state)["env"], decoded(frames[-1].state)["env"]
    if not (isinstance(first, dict) and isinstance(last, dict)):
        return
    still = sorted(str(name) for name in first if name in last and encode(first[name]) == encode(last[name]))
    changed = {
        str(name)
        for frame in frames[:: max(1, len(frames) // 20)]
        for name, value in decoded(frame.state)["env"].items()
        if name not in first or encode(value) != encode(first[name])
    }
    still = [name for name in still if name not in changed]
    if still:
        yield Finding(
            "never_changed",
            "note",
            f"never changed in {len(frames)} frames, so not tried: {', '.join(still[:8])}",
            "nothing, if these are constants",
        )
