"""What never happened in the frames that an audit played, and so was not tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pycore.audit.comparison import Frame, decoded, has_reward
from pycore.audit.findings import Finding
from pycore.values.canonical import encode

__all__ = ["findings_of_coverage"]


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
