"""python-socketio and nothing else, passing inputs on between two: what the relay's work is compared with.

`python -m bench.relay_bare`: prints its address and serves until it is ended.
"""

from __future__ import annotations

import socket
from typing import Any

import socketio
import uvicorn


def main() -> None:
    """Pair whoever comes, and pass on."""
    sio = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")
    partners: dict[str, str] = {}
    waiting: list[str] = []

    @sio.on("join_game")
    async def join(sid: str, data: Any) -> None:
        waiting.append(sid)
        if len(waiting) < 2:
            return
        one, two = waiting
        waiting.clear()
        partners.update({one: two, two: one})
        for player, each in enumerate((one, two)):
            await sio.emit("pyodide_player_assigned", {"player_id": player, "game_id": one}, to=each)
            await sio.emit("start_game", {}, to=each)

    @sio.on("pyodide_player_action")
    async def action(sid: str, data: Any) -> None:
        await sio.emit("pyodide_other_player_action", data, to=partners[sid])

    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    # Whoever reads the address connects at once.
    bound.listen(128)
    app = socketio.ASGIApp(sio)
    server = uvicorn.Server(uvicorn.Config(
        app, ws="wsproto", lifespan="off", log_level="error", access_log=False, ws_per_message_deflate=False
    ))  # fmt: skip
    print(f"bare socketio on http://127.0.0.1:{bound.getsockname()[1]}/", flush=True)
    server.run(sockets=[bound])


if __name__ == "__main__":
    main()
