"""What a session leaves behind: trajectories and metrics."""

from pycore.records.metrics import episode_line, export_session_metrics, p2p_metrics
from pycore.records.trajectory import Trajectory, header, trajectory_text

__all__ = ["Trajectory", "episode_line", "export_session_metrics", "header", "p2p_metrics", "trajectory_text"]
