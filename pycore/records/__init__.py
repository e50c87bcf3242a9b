"""What a session leaves behind: trajectories, which can be read and stepped again, and metrics."""

from pycore.records.metrics import episode_line, export_session_metrics, p2p_metrics
from pycore.records.reader import RecordedEpisode, RecordedFrame, RecordError, Recording, first_untrue, read
from pycore.records.trajectory import Trajectory, header, trajectory_text

__all__ = [
    "RecordError", "RecordedEpisode", "RecordedFrame", "Recording", "Trajectory", "episode_line",
    "export_session_metrics", "first_untrue", "header", "p2p_metrics", "read", "trajectory_text",
]  # fmt: skip
