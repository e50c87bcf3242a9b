"""A small Python side that obeys the bridge's ABI, so that the shims are tested without the core.

It knows no rollback: a frame is stepped with the newest action of the other player. But it connects by real
RTC commands, sends real datagrams over the channel or real events over socket.io, and keeps simple books. It
writes down everything that the shims told it (`heard`), which is what the tests ask for.

It stands in for `pycore.bridge` in the wheel of the tests' site and in nothing else.
"""

import json
import struct

CAPACITY = 1 << 16
BROKE = b"broke"
PHASES = ("connecting", "readying", "playing", "holding", "between episodes", "done", "failed")


class Bridge:
    def __init__(self, config, env):
        self.config = config
        self.settings = config["settings"]
        self.env = env
        self.view = self
        self.inbox = bytearray(CAPACITY)
        self.outbox = bytearray(CAPACITY)
        self.seat = config["players"].index(config["player_id"])
        self.other = config["players"][1 - self.seat]
        self.link_count = 1
        self.period = 1 / self.settings.get("fps", 30)
        self.end = 16
        self.seq = 0
        self.frame = self.episode = 0
        self.phase = 0
        self.began = None
        self.pause_until = None
        self.opened = False
        self.remote_action = 0
        self.action = 0
        self.counts = dict.fromkeys(("sentViaP2P", "sentViaSocketIO", "receivedViaP2P", "receivedViaSocketIO"), 0)
        self.heard = []
        # As large as a chunk may be, and as small.
        self.chunks = [b"a" * 16_384, b"b", b"c" * 16_384]
        self.failed_sends = []
        self.type = None
        self.lines = {}
        self.stored = {}
        self.rtt = None
        self.probes = []
        self.reset = True
        self.hidden = False
        self.ballast = []
        self.start_episode()

    def start_episode(self):
        self.env.reset(seed=self.config["seed"] + self.episode)
        self.permanent = [item for item in self.env.render() if item["permanent"]]
        self.reset = True

    # out

    def put(self, kind, link, payload):
        if isinstance(payload, dict):
            payload = json.dumps(payload).encode()
        self.seq += 1
        struct.pack_into("<BBHI", self.outbox, self.end, kind, link, len(payload), self.seq)
        self.outbox[self.end + 8 : self.end + 8 + len(payload)] = payload
        self.end += 8 + len(payload)

    def command(self, command, **more):
        self.put(3, 0, {"link": 0, "command": command, "generation": 1} | more)

    def signal(self, kind, payload):
        data = {
            "game_id": self.config["game_id"],
            "target_player_id": self.other,
            "type": kind,
            "payload": payload,
        }
        self.put(2, 0, {"event": "webrtc_signal", "data": data})

    def header(self):
        struct.pack_into("<dii", self.outbox, 0, self.period, self.frame, self.phase)

    # what is stored, and the server's clock

    def take_stores(self, now):
        return json.dumps(self.rows())

    def take_end_stores(self, now, episode):
        metrics = {"episode": episode, "metrics": json.loads(self.export_session_metrics())}
        return json.dumps([*self.rows(), ["p2p_session_metrics", metrics]])

    def rows(self):
        found = []
        for episode, lines in self.lines.items():
            first = self.stored.get(episode, 0)
            if first < len(lines):
                piece = {"episode": episode, "revision": 0, "base": 0, "first": first, "last": False}
                data = "\n".join(["{}", *lines[first:]]) + "\n"
                found.append(["pycore_rows", {**piece, "frames": len(lines) - first, "data": data}])
                self.stored[episode] = len(lines)
        return found

    def server_answered(self, sent, came, server_ms):
        self.probes.append((sent, came, server_ms))

    # the ABI

    def poll(self, now, action, length):
        self.end = 16
        connected, flags, _, channel, self.stream = struct.unpack_from("<BBHii", self.inbox, 0)
        self.hidden = bool(flags & 1)
        # Nobody plays: the page hands in an empty text, and the default is Python's to know.
        self.action = action = 0 if action == "" else action
        if self.began is None:
            self.began = now
            if self.settings.get("p2p", True):
                self.command("connect", ice={"iceServers": []}, channel=self.seat == 0)
                if self.seat == 0:
                    self.command("offer")
        at = 12
        while at < length:
            kind, _link, size, arrival = struct.unpack_from("<BBHd", self.inbox, at)
            payload = bytes(self.inbox[at + 12 : at + 12 + size])
            at += 12 + size
            assert arrival <= now
            if kind == 1 and payload == BROKE:
                self.heard.append({"event": "broke", "data": None})
            elif kind == 1:
                self.remote_action = payload[4]
                self.counts["receivedViaP2P"] += 1
            elif kind == 2:
                self.heard.append({"event": "chunk", "data": [len(payload), payload[0], payload[-1]]})
            else:
                self.take(json.loads(payload))
        assert at == length
        if self.phase == 0 and (channel >= 0 or now - self.began > self.settings.get("p2p_wait", 5)):
            self.phase = 2
            self.put(4, 0, {"news": "log", "level": "info", "text": "double: playing"})
        if self.phase == 2:
            if self.stream >= 0 and self.chunks:
                self.put(5, 0, self.chunks.pop(0))
            if channel >= 0:
                self.put(1, 0, struct.pack("<IB", self.frame, action))
                self.counts["sentViaP2P"] += 1
            elif connected:
                data = {
                    "game_id": self.config["game_id"],
                    "player_id": self.config["player_id"],
                    "action": action,
                    "frame_number": self.frame,
                    "timestamp": int(self.config["wall_ms"] + 1000 * (now - self.config["now"])),
                    "sync_epoch": self.episode,
                }
                self.put(2, 0, {"event": "pyodide_player_action", "data": data})
                self.counts["sentViaSocketIO"] += 1
        if self.phase == 6 and channel >= 0:
            self.put(1, 0, BROKE)
        self.channel = channel
        self.header()
        return self.end

    def take(self, message):
        self.heard.append(message)
        event, data = message["event"], message["data"]
        if event == "rtc" and data["what"] == "local-description":
            self.signal(data["value"]["type"], data["value"])
        elif event == "rtc" and data["what"] == "candidate" and data["value"] is not None:
            self.signal("ice-candidate", data["value"])
        elif event == "rtc" and data["what"] == "type":
            self.type = data["value"]
        elif event == "webrtc_signal":
            if data["type"] == "ice-candidate":
                self.command("candidate", candidate=data["payload"])
            else:
                self.command("accept", description=data["payload"])
        elif event == "pyodide_other_player_action":
            self.remote_action = data["action"]
            self.counts["receivedViaSocketIO"] += 1
        elif event == "end_game":
            self.phase = 5

    def advance(self, now):
        self.end = 16
        flags = 0
        if self.phase == 2:
            # One of the two alone: the other is told of it, however far it is.
            if self.seat == 0 and self.frame == self.settings.get("raise_at"):
                raise RuntimeError("the double was told to fail")
            if self.frame % 10 == 0 and self.frame < self.settings.get("grow_until", 0):
                # The wasm memory grows, which detaches every view of it.
                self.ballast.append(bytearray(16 << 20))
            actions = [0, 0]
            actions[self.seat], actions[1 - self.seat] = self.action, self.remote_action
            self.env.step(dict(enumerate(actions)))
            self.lines.setdefault(self.episode, []).append(json.dumps({"frame": self.frame, "actions": actions}))
            self.frame += 1
            flags |= 1
            if self.frame >= self.settings.get("max_steps", 90):
                last = self.episode + 1 >= self.settings.get("num_episodes", 1)
                self.put(4, 0, {"news": "episode-end", "episode": self.episode})
                self.phase = 5 if last else 4
                self.pause_until = now + self.settings.get("episode_pause", 1)
                flags |= 16
        elif self.phase == 4 and now >= self.pause_until:
            self.episode += 1
            self.frame = 0
            self.start_episode()
            self.phase = 2
        if self.phase == 5:
            flags |= 32
        self.header()
        return flags

    def outbox_length(self):
        return self.end

    def broke(self, now, text):
        """The next poll says so to the other one."""
        self.end = 16
        self.phase = 6
        self.header()
        return self.end

    def send_failed(self, now, link, seq):
        self.failed_sends.append((link, seq))
        self.end = 16
        self.header()
        return self.end

    def render(self):
        reset, self.reset = self.reset, False
        moving = [item for item in self.env.render() if not item["permanent"]]
        return json.dumps({"objects": [*(self.permanent if reset else ()), *moving], "reset": reset})

    def hud(self):
        path = "p2p" if self.channel >= 0 else "socketio" if self.phase else None
        players = [
            {"id": player, "you": seat == self.seat, "path": None if seat == self.seat else path, "rtt_ms": 23.4}
            for seat, player in enumerate(self.config["players"])
        ]
        return json.dumps({
            "players": players, "frame": self.frame, "episode": self.episode,
            "num_episodes": self.settings.get("num_episodes", 1), "rewards": [0, 0], "score": self.env.score,
            "notice": "", "rollbacks": 0, "max_rollback_frames": 0, "stalled": False, "holding": False,
            "phase": PHASES[self.phase], "confirmed": self.frame,
        })

    def export_session_metrics(self):
        return json.dumps({
            "gameId": self.config["game_id"], "playerId": self.config["player_id"],
            "connection": {
                "type": self.type["connection_type"] if self.type else "unknown",
                "connectionDetails": self.type["details"] if self.type else {},
            },
            "inputs": self.counts,
            "rollbacks": {"events": [], "count": 0, "maxFrames": 0},
            "sync": {"p2pHashMismatches": 0},
            "quality": {"p2pFallbackTriggered": False, "p2pFallbackFrame": None},
            "frames": {"total": sum(len(lines) for lines in self.lines.values())},
            "double": {
                "heard": self.heard, "failed": self.failed_sends, "socketio_rtt": self.rtt, "hidden": self.hidden,
            },
        })

    def p2p_metrics(self):
        return json.dumps({name.replace("sent", "inputsSent"): count for name, count in self.counts.items()})

    def state(self):
        open_ = self.channel >= 0
        return json.dumps({
            "p2pHealthy": open_, "p2pConnected": open_, "p2pInputSender": open_, "pendingRollbackFrame": None,
            "p2pHashMismatches": 0, "syncEpoch": self.episode, "settled": True,
        })

    def episode_records(self, episode):
        return "\n".join(self.lines.get(episode, [])) + "\n"

    def records(self):
        return "".join(self.episode_records(episode) for episode in sorted(self.lines))

    def set_socketio_rtt(self, seconds):
        self.rtt = seconds

    def set_wall_ms(self, now, wall_ms):
        self.wall = now, wall_ms

    def store_remote_input(self, player_id, action, frame):
        self.heard.append({"event": "store_remote_input", "data": [json.loads(player_id), json.loads(action), frame]})

    def close(self):
        self.closed = True


def create(config_json, env, clock=None, policies=None, predictor=None, stand_in=None):
    return Bridge(json.loads(config_json), env)
