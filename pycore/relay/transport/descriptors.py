"""Open files of the process: a socket is one, and a process that may open no more answers nobody and stores nothing.

Many systems give a process 1024 unless it asks for more, which it may up to a limit that is usually far higher. So the
relay asks at its start, takes no more connections than fit, and says so if that is fewer than it was told to take.
"""

from __future__ import annotations

import contextlib
from typing import Final

BESIDE: Final = 128
"""Open files beside the sockets: the database, the log, what is being served."""


def allowed(wanted: int) -> int:
    """How many connections the process may have, of so many, after it has asked for what they need."""
    try:
        import resource
    except ModuleNotFoundError:  # on Windows, where sockets are not files
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + BESIDE
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    more = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return min(wanted, max(1, soft - BESIDE))
