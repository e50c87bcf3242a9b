"""A server that speaks the events of the page of January 2026, for games of any number of people.

Kept: names and shapes of the events, their order, who gets them, and what is not there: acknowledgements, epochs in
relayed inputs, handlers for what a module may send beyond the list. Not kept are the server's own faults (bots that
are waited for as if they were people, TURN credentials that never arrive).

It counts everything: `received` by event, `signals` by type, and `inputs`, what crosses it of a game's inputs.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import seed_data
import socketio
from aiohttp import web

DEFAULTS: dict[str, Any] = {
    "scene_type": "GymScene",
    "scene_id": "game",
    "scene_header": "A game",
    "scene_subheader": "",
    "scene_body": "",
    "run_through_pyodide": True,
    "pyodide_multiplayer": False,
    "restart_pyodide": False,
    "packages_to_install": [],
    "on_game_step_code": "",
    "state_broadcast_interval": 30,
    "server_authoritative": False,
    "realtime_mode": True,
    "input_buffer_size": 300,
    "input_delay": 0,
    "wait_for_known_group": False,
    "group_wait_timeout": 60_000,
    "fps": 10,
    "frame_skip": 4,
    "max_steps": 10_000,
    "num_episodes": 1,
    "input_mode": "pressed_keys",
    "action_population_method": "default_action",
    "default_action": None,
    "hud_score_carry_over": False,
    "waitroom_timeout": 120_000,
    "game_width": 600,
    "game_height": 400,
    "background": "#ffffff",
    "state_init": [],
    "assets_dir": "",
    "assets_to_preload": [],
    "animation_configs": [],
}
"""A scene's metadata, where the study does not say otherwise. `policy_mapping`, `action_mapping` and
`environment_initialization_code` have no default."""

END = {"scene_type": "EndScene", "scene_id": "end", "scene_header": "The end"}
NEGOTIATION = ("offer", "answer", "ice-candidate")
UNCOUNTED = {"ping"}
KNOWN = {
    "advance_scene", "emit_remote_game_data", "end_game_request_redirect", "join_game", "leave_game", "ping",
    "pyodide_hud_update", "pyodide_player_action", "p2p_connection_type", "p2p_state_sync", "register_subject",
    "static_scene_data_emission", "sync_globals", "webrtc_signal",
}  # fmt: skip
"""What the page of that time emits, or its own module."""


@dataclass
class Game:
    """A group that waits or plays. `free` are the seats that nobody has yet."""

    game_id: str
    seed: int
    free: list[Any]
    place: int = 0
    """Which scene it is a game of."""
    players: dict[Any, str] = field(default_factory=dict)
    """Player id -> socket id, of those who are there."""
    subjects: dict[Any, str] = field(default_factory=dict)
    started: bool = False

    def others(self, sid: str) -> list[str]:
        return [other for other in self.players.values() if other != sid]


class SeedServer:
    """Serves the page's files and the study's scene, in a thread of its own. Use it as a context manager.

    `static` is the folder with `js/` and `templates/`, `scene` the study's part of the metadata, `data` where the
    CSV files go. `turn` is what `pyodide_game_ready` says of TURN; `then` makes a second scene, by what is different
    in it.
    """

    def __init__(
        self,
        static: Path,
        scene: Mapping[str, Any],
        data: Path,
        game_seed: int | None = None,
        turn: Mapping[str, Any] | None = None,
        then: Mapping[str, Any] | None = None,
    ) -> None:
        self.static = static
        self.scene = {**DEFAULTS, **scene}
        self.scenes = [self.scene, *([{**self.scene, **then}] if then else [])]
        self.data = data
        self.turn = turn
        self.received: Counter[str] = Counter()
        self.signals: Counter[str] = Counter()
        self.input_bytes = 0
        self.drop_signals = False
        """What `RTCPeerConnection` needs never arrives, so peer-to-peer never comes up."""
        self.log: list[tuple[float, str, str, Any]] = []
        """What came in: when, from which subject, which event, with what (data of games without its bytes)."""
        self.games: dict[str, Game] = {}
        self.subjects: dict[str, str] = {}
        """Socket id -> subject, of those who registered."""
        self._places: Counter[str] = Counter()
        """Socket id -> how many scenes it has behind it."""
        self.port = 0
        self._game_seed = game_seed
        self._random = random.Random(0 if game_seed is None else game_seed)
        self._numbers = itertools.count(1)
        self._sio = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*", max_http_buffer_size=10**8)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def inputs(self) -> int:
        """How many messages with inputs crossed the server."""
        return self.received["pyodide_player_action"]

    def inputs_of(self, subject: str, game_id: str) -> list[dict[str, Any]]:
        """The inputs of one participant in one game that crossed the server."""
        inputs = (data for _, who, event, data in self.log if who == subject and event == "pyodide_player_action")
        return [data for data in inputs if data["game_id"] == game_id]

    @property
    def unknown(self) -> set[str]:
        """Events that came in and that the page of that time does not have."""
        return self.received.keys() - KNOWN

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def address_of(self, subject: str) -> str:
        """The page of one participant."""
        return f"{self.url}/{subject}"

    def csv_of(self, subject: str, number: int = 0) -> Path:
        """Where the participant's data of a scene goes."""
        return self.data / self.scenes[number]["scene_id"] / f"{subject}.csv"

    def __enter__(self) -> SeedServer:
        self._thread.start()
        if not self._ready.wait(20):
            raise RuntimeError("the seed server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        application = web.Application()
        self._sio.attach(application)
        self._sio.on("*", self._take)
        self._sio.on("disconnect", self._disconnected)
        application.router.add_static("/static", self.static)
        application.router.add_get("/{subject}", self._page)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.port = runner.addresses[0][1]
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._sio.shutdown())
        self._loop.run_until_complete(runner.cleanup())
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _page(self, request: web.Request) -> web.Response:
        template = (self.static / "templates" / "index.html").read_text("utf-8")
        text = template.replace("{{ subject_id }}", request.match_info["subject"])
        return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})

    # --- what comes in -------------------------------------------------------------------------------------------

    async def _take(self, event: str, sid: str, data: Any = None) -> None:
        """Every event of a page. Nothing is returned, so nothing is acknowledged."""
        if event not in UNCOUNTED:
            self.received[event] += 1
            kept = {k: v for k, v in data.items() if k != "data"} if isinstance(data, dict) else data
            self.log.append((time.time(), self.subjects.get(sid, ""), event, kept))
        handler = getattr(self, f"_on_{event}", None)
        if handler is not None:
            await handler(sid, data)

    async def _disconnected(self, sid: str, *_: object) -> None:
        if self.subjects.pop(sid, None) is not None:
            await self._leave(sid, tell=True)

    async def _on_register_subject(self, sid: str, data: dict[str, Any]) -> None:
        self.subjects[sid] = data["subject_id"]
        await self._sio.emit("server_session_id", {"session_id": sid}, to=sid)
        await self._sio.emit("activate_scene", self._metadata(sid), to=sid)

    async def _on_ping(self, sid: str, data: dict[str, Any]) -> None:
        await self._sio.emit("pong", {"max_latency": None, "min_ping_measurements": 5}, to=sid)

    async def _on_join_game(self, sid: str, data: dict[str, Any]) -> None:
        place = self._places[sid]
        scene = self.scenes[place]
        humans = [agent for agent, policy in scene["policy_mapping"].items() if policy == "human"]
        waiting_here = (game for game in self.games.values() if game.free and not game.started and game.place == place)
        game = next(waiting_here, None)
        if game is None:
            seed = self._random.randrange(2**32) if self._game_seed is None else self._game_seed
            game = Game(f"game-{next(self._numbers)}", seed, list(humans), place)
            self.games[game.game_id] = game
        player = game.free.pop(self._random.randrange(len(game.free)))
        game.players[player] = sid
        game.subjects[player] = self.subjects[sid]
        await self._sio.enter_room(sid, game.game_id)
        if scene["pyodide_multiplayer"]:
            assigned = {
                "player_id": player, "game_id": game.game_id, "game_seed": game.seed, "num_players": len(humans),
            }  # fmt: skip
            await self._sio.emit("pyodide_player_assigned", assigned, to=sid)
        if game.free:
            waiting = {
                "cur_num_players": len(game.players), "players_needed": len(game.free),
                "ms_remaining": scene["waitroom_timeout"],
            }  # fmt: skip
            await self._sio.emit("waiting_room", waiting, room=game.game_id)
            return
        game.started = True
        if scene["pyodide_multiplayer"]:
            ready = {
                "game_id": game.game_id, "players": list(game.players), "player_subjects": dict(game.subjects),
                "server_authoritative": False, "turn_config": dict(self.turn) if self.turn else None,
            }  # fmt: skip
            await self._sio.emit("pyodide_game_ready", _json(ready), room=game.game_id)
        start = {"scene_metadata": self._metadata(sid), "game_id": game.game_id}
        await self._sio.emit("start_game", start, room=game.game_id)

    async def _on_pyodide_player_action(self, sid: str, data: dict[str, Any]) -> None:
        self.input_bytes += len(json.dumps(data))
        game = self.games.get(data["game_id"])
        if game is None or not game.started:
            return
        relayed = {name: data[name] for name in ("player_id", "action", "frame_number")} | {"timestamp": time.time()}
        # The player is believed; who gets it is whoever sits on another seat than the one that is named.
        for player, other in list(game.players.items()):
            if player != data["player_id"]:
                await self._sio.emit("pyodide_other_player_action", relayed, to=other)

    async def _on_webrtc_signal(self, sid: str, data: dict[str, Any]) -> None:
        self.signals[data["type"]] += 1
        game = self.games.get(data["game_id"])
        if game is None or (self.drop_signals and data["type"] in NEGOTIATION):
            return
        target = {str(player): other for player, other in game.players.items()}.get(str(data["target_player_id"]))
        sender = next((player for player, other in game.players.items() if other == sid), None)
        if target is None or sender is None:
            return
        relayed = {
            "type": data["type"], "from_player_id": sender, "game_id": game.game_id, "payload": data.get("payload"),
        }  # fmt: skip
        await self._sio.emit("webrtc_signal", relayed, to=target)

    async def _on_p2p_state_sync(self, sid: str, data: dict[str, Any]) -> None:
        game = self.games.get(data["game_id"])
        for other in game.others(sid) if game else ():
            await self._sio.emit("p2p_state_sync", data, to=other)

    async def _on_pyodide_hud_update(self, sid: str, data: dict[str, Any]) -> None:
        await self._sio.emit("pyodide_hud_sync", {"hud_text": data["hud_text"]}, room=data["game_id"])

    async def _on_advance_scene(self, sid: str, data: dict[str, Any]) -> None:
        await self._leave(sid, tell=False)
        await self._sio.emit("terminate_scene", self._metadata(sid), to=sid)
        self._places[sid] += 1
        await self._sio.emit("activate_scene", self._metadata(sid), to=sid)

    async def _on_leave_game(self, sid: str, data: dict[str, Any]) -> None:
        await self._leave(sid, tell=True)

    async def _on_emit_remote_game_data(self, sid: str, data: dict[str, Any]) -> None:
        subject = self.subjects.get(sid)
        if subject is None:
            return
        path = self.data / data["scene_id"] / f"{subject}.csv"
        seed_data.write_csv(seed_data.unpack(data["data"]), path)
        rest = json.dumps(data["interactiveGymGlobals"])
        path.with_name(f"{subject}_globals.json").write_text(rest, "utf-8")
        scene = next(scene for scene in self.scenes if scene["scene_id"] == data["scene_id"])
        path.with_name(f"{subject}_metadata.json").write_text(json.dumps(scene), "utf-8")

    # --- what it takes -------------------------------------------------------------------------------------------

    def _metadata(self, sid: str) -> dict[str, Any]:
        """The scene as a page gets it; JSON makes strings of seats in `policy_mapping`."""
        place = self._places[sid]
        scene = self.scenes[place] if place < len(self.scenes) else END
        return dict(_json({**scene, "timestamp": time.strftime("%Y-%m-%d %H:%M:%S")}))

    async def _leave(self, sid: str, tell: bool) -> None:
        """Out of the game. A game that has begun is over for all when somebody leaves it before its end."""
        for game in list(self.games.values()):
            player = next((player for player, other in game.players.items() if other == sid), None)
            if player is None:
                continue
            del game.players[player]
            await self._sio.leave_room(sid, game.game_id)
            if not game.started:
                game.free.append(player)
                await self._sio.emit("waiting_room_player_left", {}, room=game.game_id)
            elif tell:
                message = {"message": "The other participant has disconnected. The game has ended."}
                await self._sio.emit("end_game", message, room=game.game_id)
            if not game.players or (game.started and tell):
                self.games.pop(game.game_id, None)


def _json(value: Any) -> Any:
    return json.loads(json.dumps(value))
