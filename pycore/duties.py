"""The words between the core and its caller: paths, duties that `poll` hands out, states of a channel.

A *seat* is the index of a player in the sorted player list, a *link* is the way to one remote seat, a
*frame* is an int, times are seconds of the caller's monotonic clock.
"""

from __future__ import annotations

from typing import Any, Final

P2P: Final = "p2p"
SOCKETIO: Final = "socketio"

# What `poll` may ask for: each output is a tuple (duty, link, seq, payload).
SEND: Final = 1
"""Send the payload (bytes) over the link's DataChannel; an exception comes back as `send_failed(link, seq)`."""
EMIT: Final = 2
"""Emit over socket.io: the payload is (event name, data)."""
SEND_CHUNK: Final = 3
"""Send the payload (bytes) over the link's reliable channel. What fails is sent again later."""

Output = tuple[int, int, int, Any]
"""One duty: what to do, on the link of which seat, the packet's number, the payload."""

# What `channels` says of a link's DataChannel, and `streams` of its reliable one; a number from 0 up is its buffered
# bytes, and it is open.
CHANNEL_NEVER: Final = -1
CHANNEL_CLOSED: Final = -2
CHANNEL_FAILED: Final = -3
CHANNEL_UNABLE: Final = -4
"""There will never be one: a browser of the two has no WebRTC."""
