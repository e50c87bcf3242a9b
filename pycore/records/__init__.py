"""What a session leaves behind: trajectories, which can be read and stepped again, what was seen, and metrics.

A page writes records. What reads them is imported when it is asked for: in a page, when a rehearsal has it step one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from pycore.records.experienced import Experienced
from pycore.records.metrics import episode_line, export_session_metrics, p2p_metrics
from pycore.records.trajectory import Trajectory, header, trajectory_text

if TYPE_CHECKING:
    from pycore.records.agreement import Agreement, agree
    from pycore.records.experienced_reader import Displayed, Experience, Happening, Over, SecondOfPlay
    from pycore.records.reader import (
        Reading,
        RecordedEnd,
        RecordedEpisode,
        RecordedFrame,
        RecordError,
        Recording,
        read,
    )
    from pycore.records.replay import Difference, Replay, first_untrue

__all__ = [
    "Agreement", "Difference", "Displayed", "Experience", "Experienced", "Happening", "Over", "Reading", "RecordError",
    "RecordedEnd", "RecordedEpisode", "RecordedFrame", "Recording", "Replay", "SecondOfPlay", "Trajectory", "agree",
    "episode_line", "export_session_metrics", "first_untrue", "header", "p2p_metrics", "read", "trajectory_text",
]  # fmt: skip

_READ: Final = {
    **dict.fromkeys(
        ("Reading", "RecordError", "RecordedEnd", "RecordedEpisode", "RecordedFrame", "Recording", "read"), "reader"
    ),
    **dict.fromkeys(("Difference", "Replay", "first_untrue"), "replay"),
    **dict.fromkeys(("Agreement", "agree"), "agreement"),
    **dict.fromkeys(("Displayed", "Experience", "Happening", "Over", "SecondOfPlay"), "experienced_reader"),
}


def __getattr__(name: str) -> Any:
    """What reads records, from the module that has it."""
    module = _READ.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)
