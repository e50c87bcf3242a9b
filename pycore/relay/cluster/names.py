"""What sockets and events are called between processes."""

from __future__ import annotations

from typing import Final

LOST: Final = {"!": "lost"}
"""The answer about a socket that a process decides for no more."""
TO: Final = "moved"
"""In an answer: which process a socket is to join."""
KEPT: Final = frozenset(
    ("p2p_session_metrics", "pycore_rows", "pycore_records", "pycore_experienced", "p2p_connection_type", "page_failed")
)
"""Events that the process of the socket carries out itself: what is stored goes to the database by the shortest way."""
ONE_WAY: Final = frozenset(("pyodide_player_action", "webrtc_signal", "pycore_echo"))
"""Events whose sender waits for nothing: they are acknowledged when they are under way; what is refused is told."""


def guest(sid: str, process: str) -> str:
    """What a socket of another process is called."""
    return f"{sid}@{process}"


def of(sid: str) -> tuple[str, str]:
    """A socket's own name, and its process; empty: this one."""
    name, _, process = sid.partition("@")
    return name, process
