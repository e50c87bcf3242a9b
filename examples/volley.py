"""Beach volley for two: a small game that two people play over a network, and in which every frame counts.

A PettingZoo-parallel environment in one file of plain Python, without a dependency. Each player is a dome on one
side of a net; the ball must not touch the sand on one's own side. Every hit of a rally makes the ball a little
faster. First to five points wins.

All of the game's arithmetic is on integers, in 1/256 of a pixel and in frames, so it is the same to the last bit
in every browser and on every Python. What is random comes from one 32-bit number in the state. `get_state` is a
flat dict of ints, and holds everything: `ParallelEnvAdapter(make_env(), [0, 1], seed=..., rngs=())`.

Actions: 0 nothing, 1 left, 2 right, 3 jump, 4 left and jump, 5 right and jump; holding the jump jumps higher.
`render` draws a world of 600 by 400 pixels and changes nothing.
"""

from math import isqrt

PX = 256
WIDTH, HEIGHT = 600, 400
NET = 300 * PX
NET_TOP = 236 * PX
NET_HALF = 5 * PX
SAND = 344 * PX

BALL = 14 * PX
DOME = 40 * PX
TOUCH = BALL + DOME
# How far the middle of a dome may go on each side.
REACH = ((36 * PX, 255 * PX), (345 * PX, 564 * PX))
HOME = (150 * PX, 450 * PX)

GRAVITY = 158
SPEED = 2000
GRIP = 640
JUMP = 3330
FALL = 333
FLOAT_AT = 150 * PX
CARRY = 1500

SERVE, PLAY, POINT = 0, 1, 2
SERVE_FRAMES = 45
POINT_FRAMES = 36
HEAT = 12

SIDEWAYS = (0, -1, 1, 0, -1, 1)
JUMPS = (False, False, False, True, True, True)

# What flew up where the ball last struck, and what it looks like.
DUST, SPRAY, RATTLE = 0, 1, 2


class Volley:
    """The environment. Agents are 0, on the left, and 1."""

    possible_agents = (0, 1)
    num_actions = 6

    def __init__(self, points=5, max_steps=None):
        # No generator but the number in the state, so none has to be saved beside it.
        # `seats` is for whoever shows who is who around the picture.
        seats = [{"name": name, "color": paint[0]} for name, paint in zip(NAMES, PAINT, strict=True)]
        self.metadata = {"name": "volley_v1", "render_fps": 30, "rngs": (), "seats": seats}
        self.points = points
        self.max_steps = max_steps
        self.agents = []
        self.s = None

    # --- the environment ---

    def reset(self, seed=None, options=None):
        """A new match. The seed decides who serves first and how each serve drifts."""
        self.agents = [0, 1]
        s = self.s = {
            "frame": 0, "phase": SERVE, "timer": SERVE_FRAMES, "random": ((seed or 0) * 2654435761 + 97) & 0xFFFFFFFF,
            "x": 0, "y": 0, "vx": 0, "vy": 0,
            "x0": HOME[0], "y0": SAND, "vx0": 0, "vy0": 0,
            "x1": HOME[1], "y1": SAND, "vx1": 0, "vy1": 0,
            "score0": 0, "score1": 0, "server": 0, "winner": -1,
            "rally": 0, "best": 0, "last": -1,
            "mark": 0, "mark_x": 0, "mark_y": 0, "mark_kind": DUST, "bent": 0,
            "over": 0,
        }  # fmt: skip
        s["server"] = self._random(2)
        self._place_ball()
        return self._observations(), {0: {}, 1: {}}

    def step(self, actions):
        """One frame of a thirtieth of a second."""
        s = self.s
        if s["over"]:
            return {}, {}, {}, {}, {}
        s["frame"] += 1
        self._move(actions.get(0, 0), "x0", "y0", "vx0", "vy0", REACH[0])
        self._move(actions.get(1, 0), "x1", "y1", "vx1", "vy1", REACH[1])
        rewards = {0: 0, 1: 0}
        phase = s["phase"]
        if phase == PLAY:
            loser = self._fly()
            if loser >= 0:
                winner = 1 - loser
                rewards[winner], rewards[loser] = 1, -1
                s["score0" if winner == 0 else "score1"] += 1
                s["winner"] = winner
                s["server"] = winner
                s["phase"], s["timer"] = POINT, POINT_FRAMES
        else:
            s["timer"] -= 1
            if phase == SERVE:
                # The ball hangs over the server's head, who may carry it to where the serve shall be.
                way = s["x1" if s["server"] else "x0"] - s["x"]
                s["x"] += max(-CARRY, min(CARRY, way))
                if s["timer"] <= 0:
                    s["phase"] = PLAY
                    s["vx"] = (100 + self._random(160)) * (1 if self._random(2) else -1)
                    s["vy"] = -500
                    s["bent"] = s["frame"]
            else:
                self._roll()
                if s["timer"] <= 0:
                    if s["score0"] >= self.points or s["score1"] >= self.points:
                        s["over"] = 1
                    else:
                        s["phase"], s["timer"], s["winner"] = SERVE, SERVE_FRAMES, -1
                        s["rally"], s["last"] = 0, -1
                        self._place_ball()
        over = s["over"] == 1
        late = not over and self.max_steps is not None and s["frame"] >= self.max_steps
        if late:
            s["over"] = 2
        if over or late:
            self.agents = []
        score = [s["score0"], s["score1"]]
        infos = {0: {"score": score, "rally": s["rally"]}, 1: {"score": score, "rally": s["rally"]}}
        return self._observations(), rewards, {0: over, 1: over}, {0: late, 1: late}, infos

    def get_state(self):
        """All there is, as a flat dict of ints."""
        return dict(self.s)

    def set_state(self, state):
        """Go on from what get_state gave."""
        self.s = dict(state)
        self.agents = [] if state["over"] else [0, 1]

    def _observations(self):
        """Per agent: the ball, oneself and the other, each as x, y, vx, vy; then the phase."""
        s = self.s
        x, y, vx, vy, phase = s["x"], s["y"], s["vx"], s["vy"], s["phase"]
        x0, y0, vx0, vy0 = s["x0"], s["y0"], s["vx0"], s["vy0"]
        x1, y1, vx1, vy1 = s["x1"], s["y1"], s["vx1"], s["vy1"]
        return {
            0: (x, y, vx, vy, x0, y0, vx0, vy0, x1, y1, vx1, vy1, phase),
            1: (x, y, vx, vy, x1, y1, vx1, vy1, x0, y0, vx0, vy0, phase),
        }

    # --- the picture ---

    def render(self):
        """The objects to draw, from the state alone. What never moves is listed on frame 0 only.

        What an object keeps is written down below the class, and copied with what changes. Places are whole pixels but
        for the ball and the pupils: fractions take the longest to send.
        """
        s = self.s
        shown = _backdrop(self.points) if s["frame"] == 0 else []
        frame, phase, x, y = s["frame"], s["phase"], s["x"], s["y"]
        for speed, start, puffs in CLOUDS:
            way = start + frame * speed // 8
            lap, middle = way // 760, way % 760 - 80
            for puff, dx in puffs:
                # A new name for each lap, or the cloud would be seen flying back.
                shown.append({**puff, "uuid": f"{puff['uuid']}{lap}", "x": middle + dx})
        self._draw_player(shown, 0)
        self._draw_player(shown, 1)
        heat = HEATS[min(s["rally"], HEAT) * (len(HEATS) - 1) // HEAT]
        size = max(8, 30 - (SAND - y) // (12 * PX))
        shown.append({**SHADOW, "x": round(x / PX) - size // 2, "w": size})
        if phase == PLAY:
            # Where it was: exact since its path was last bent, and no further back.
            for k in range(min(5, frame - s["bent"]), 0, -1):
                tx, ty = round((x - k * s["vx"]) / PX), round((y - k * s["vy"] + GRAVITY * k * (k - 1) // 2) / PX)
                shown.append({**TRAIL[k], "x": tx, "y": ty, "color": f"{heat}{80 - 14 * k:02x}"})
        bob = (0, 1, 2, 3, 3, 2, 1, 0)[frame // 3 % 8] if phase == SERVE else 0
        bx, by = _px(x), _px(y) + bob
        shown.append({**WHOLE, "x": bx, "y": by, "color": heat})
        cx, cy = CIRCLE[x // (5 * PX) % 16]
        for sign, stripe in zip((-1, 1), STRIPES, strict=True):
            ends = [bx + (cx * 13 + sign * cy * 4) // 4 / 4, by + (cy * 13 - sign * cx * 4) // 4 / 4,
                    bx - (cx * 13 - sign * cy * 4) // 4 / 4, by - (cy * 13 + sign * cx * 4) // 4 / 4]  # fmt: skip
            shown.append({**stripe, "points": ends})
        age = frame - s["mark"]
        if s["mark"] and age < 12:
            color, many, lift = (("#e9cf97", 9, 5), ("#ffffff", 7, 3), ("#dfe6ee", 5, 2))[s["mark_kind"]]
            spark = {**SPARK, "radius": (14 - age) / 4, "color": f"{color}{230 - 18 * age:02x}"}
            for k in range(many):
                dx, dy = CIRCLE[(k * 16 // many + s["mark_x"]) % 16]
                px = round(s["mark_x"] / PX + dx * age * (3 + k % 3) / 16)
                py = round(s["mark_y"] / PX + (dy - 16) * age * lift / 24 + age * age * lift / 16)
                shown.append({**spark, "uuid": f"spark{s['mark']}.{k}", "x": px, "y": py})
        self._draw_score(shown)
        return shown

    def _draw_player(self, shown, side):
        s = self.s
        x, y = round(s["x1" if side else "x0"] / PX), round(s["y1" if side else "y0"] / PX)
        vx, vy = s["vx1" if side else "vx0"], s["vy1" if side else "vy0"]
        won, lost = s["winner"] == side, s["winner"] == 1 - side
        if won and s["phase"] == POINT:
            y -= (0, 3, 6, 8, 9, 8, 6, 3)[s["timer"] % 8]
        shadow, body, band, shine, eye, lid, pupil, mouth = LOOKS[side]
        # Long and thin on the way up and down, and leaning where it runs.
        stretch, lean = min(abs(vy), 3000), round(vx / SPEED * 5)
        wide, high = 40 - round(stretch / 600), 40 + round(stretch / 375)
        dome = [z for a, b in DOME_SHAPE for z in (x + (a * wide - b * lean + 128 >> 8), y - (b * high + 128 >> 8))]
        # The eye is on the ball.
        ex, ey = x + (-15 if side else 15) - lean // 2, y - round(high * 0.6)
        dx, dy = s["x"] / PX - ex, s["y"] / PX - ey
        far = max(abs(dx), abs(dy), 1)
        shown += (
            {**shadow, "x": x - 34},
            {**body, "points": dome},
            {**band, "points": [x - wide, y, x + wide, y, x + wide - 2, y - 10, x - wide + 2, y - 10]},
            {**shine, "x": x - 16 - lean // 2, "y": y - high * 2 // 3},
            {**eye, "x": ex, "y": ey},
        )
        if (s["frame"] + 41 * side) % 113 < 4:
            shown.append({**lid, "points": [ex - 9, ey, ex + 9, ey]})
        else:
            shown.append({**pupil, "x": ex + round(dx / far * 40) / 10, "y": ey + round(dy / far * 40) / 10})
        mx, my, bend = x + (-8 if side else 8), y - 17, 2 if won else -2 if lost else 1
        shown.append({**mouth, "points": [mx - 7, my - bend, mx, my + bend, mx + 7, my - bend]})

    def _draw_score(self, shown):
        s = self.s
        for side, (text, dot, way) in enumerate(SCORES):
            score = s[f"score{side}"]
            shown.append({**text, "text": str(score)})
            shown += [{**dot, "uuid": f"made{side}.{k}", "x": dot["x"] + way * k} for k in range(score)]
        if s["phase"] == SERVE:
            shown.append(_text("count", 41, _px(s["x"]), 108, str(1 + (s["timer"] - 1) // 15), 30, "#33475b"))
        elif s["phase"] == POINT:
            # No name, and no language: everybody sees the same picture, and one of them is the winner.
            won = s["winner"]
            shown.append(_text("gain", 41, _px(s[f"x{won}"]), _px(s[f"y{won}"]) - 62, "+1", 30, PAINT[won][1]))
        elif s["rally"] >= 3:
            shown.append(_text("note", 41, 300, 92, f"rally {s['rally']}", 20, "#33475b"))

    # --- the physics ---

    def _random(self, below):
        s = self.s
        s["random"] = (s["random"] * 1664525 + 1013904223) & 0xFFFFFFFF
        return (s["random"] >> 16) * below >> 16

    def _place_ball(self):
        s = self.s
        s["x"], s["y"], s["vx"], s["vy"] = HOME[s["server"]], FLOAT_AT, 0, 0

    def _move(self, action, kx, ky, kvx, kvy, reach):
        s = self.s
        if type(action) is not int or not 0 <= action < 6:
            action = 0
        v = s[kvx]
        wish = SIDEWAYS[action] * SPEED
        v = min(v + GRIP, wish) if v < wish else max(v - GRIP, wish)
        x = s[kx] + v
        if x < reach[0]:
            x, v = reach[0], 0
        elif x > reach[1]:
            x, v = reach[1], 0
        s[kx], s[kvx] = x, v
        y = s[ky]
        if y < SAND:
            # Letting go of the jump on the way up ends it: a short hop is a matter of timing.
            v = s[kvy]
            v += FALL if v >= 0 or JUMPS[action] else 2 * FALL
            y += v
            if y >= SAND:
                y, v = SAND, 0
            s[ky], s[kvy] = y, v
        elif JUMPS[action]:
            s[kvy] = -JUMP
            s[ky] = y - JUMP

    def _fly(self):
        """Move the ball; the side on which it touched the sand, or -1."""
        s = self.s
        before = s["x"]
        vx, vy = s["vx"], s["vy"] + GRAVITY
        x, y = before + vx, s["y"] + vy
        if x < BALL or x > WIDTH * PX - BALL:
            x = BALL if x < BALL else WIDTH * PX - BALL
            vx = -vx
            s["bent"] = s["frame"]
        if y < BALL and vy < 0:
            y, vy = BALL, -vy * 3 // 4
            s["bent"] = s["frame"]
        if y > NET_TOP - BALL and NET - NET_HALF - BALL - 20 * PX < x < NET + NET_HALF + BALL + 20 * PX:
            x, y, vx, vy = self._net(before, x, y, vx, vy)
        if y > SAND - TOUCH - 90 * PX:
            if x < NET + DOME:
                x, y, vx, vy = self._hit(0, s["x0"], s["y0"], s["vx0"], s["vy0"], x, y, vx, vy)
            if x > NET - DOME:
                x, y, vx, vy = self._hit(1, s["x1"], s["y1"], s["vx1"], s["vy1"], x, y, vx, vy)
            # A dome may push the ball against a wall or the net, not into it.
            low, high = BALL, WIDTH * PX - BALL
            if y >= NET_TOP + NET_HALF:
                low, high = (low, NET - NET_HALF - BALL) if before < NET else (NET + NET_HALF + BALL, high)
            if x < low:
                x, vx = low, abs(vx)
            elif x > high:
                x, vx = high, -abs(vx)
        loser = -1
        if y >= SAND - BALL:
            y = SAND - BALL
            vy = -vy // 3 if vy > 0 else vy
            vx //= 2
            loser = 0 if x < NET else 1
            self._mark(x, SAND, DUST)
        s["x"], s["y"], s["vx"], s["vy"] = x, y, vx, vy
        return loser

    def _roll(self):
        """The ball after a point: it hops and rolls, and touches nobody."""
        s = self.s
        s["vy"] += GRAVITY
        x, y = s["x"] + s["vx"], s["y"] + s["vy"]
        if y >= SAND - BALL:
            y = SAND - BALL
            s["vy"] = -s["vy"] // 3 if s["vy"] > 2 * GRAVITY else 0
            s["vx"] = s["vx"] * 7 // 8
        gap = NET_HALF + BALL
        if abs(x - NET) < gap:
            x = NET - gap if s["x"] < NET else NET + gap
            s["vx"] = 0
        s["x"], s["y"] = min(max(x, BALL), WIDTH * PX - BALL), y
        s["bent"] = s["frame"]

    def _net(self, before, x, y, vx, vy):
        gap = NET_HALF + BALL
        top = NET_TOP + NET_HALF
        if y < top:
            # The rounded upper edge: a ball that drops on it hops on.
            dx, dy = x - NET, y - top
            d2 = dx * dx + dy * dy
            if d2 < gap * gap:
                d = isqrt(d2) or 1
                dot = vx * dx + vy * dy
                if dot < 0:
                    vx -= 2 * dot * dx // d2 if d2 else 0
                    vy -= 2 * dot * dy // d2 if d2 else 0
                    vx, vy = vx * 7 // 8, vy * 7 // 8
                    # Nothing may come to rest up there.
                    vx += 60 if (vx, dx) >= (0, 0) else -60
                x, y = NET + dx * gap // d, top + dy * gap // d
                self._mark(NET, NET_TOP, RATTLE)
        elif abs(x - NET) < gap or (before < NET) != (x < NET):
            side = -1 if before < NET else 1
            x = NET + side * gap
            vx = side * abs(vx) * 3 // 4
            self._mark(NET + side * NET_HALF, y, RATTLE)
        return x, y, vx, vy

    def _hit(self, side, px, py, pvx, pvy, x, y, vx, vy):
        dx, dy = x - px, y - py
        d2 = dx * dx + dy * dy
        if d2 >= TOUCH * TOUCH:
            return x, y, vx, vy
        if d2 == 0:
            dx, dy, d2 = 0, -1, 1
        d = isqrt(d2)
        dot = (vx - pvx) * dx + (vy - pvy) * dy
        if dot < 0:
            s = self.s
            s["rally"] += 1
            s["best"] = max(s["best"], s["rally"])
            s["last"] = side
            vx -= 2 * dot * dx // d2
            vy -= 2 * dot * dy // d2
            heat = min(s["rally"], HEAT)
            slowest, fastest = 3100 + 50 * heat, 3900 + 90 * heat
            speed = isqrt(vx * vx + vy * vy)
            if speed < slowest:
                # A gentle touch still plays the ball, and more upwards than sideways.
                if speed < 16:
                    vx, vy, speed = dx, dy, d
                vx, vy = vx * slowest // speed, vy * slowest // speed
            elif speed > fastest:
                vx, vy = vx * fastest // speed, vy * fastest // speed
            self._mark(x - dx * BALL // d, y - dy * BALL // d, SPRAY)
        return px + dx * TOUCH // d, py + dy * TOUCH // d, vx, vy

    def _mark(self, x, y, kind):
        s = self.s
        s["mark"], s["mark_x"], s["mark_y"], s["mark_kind"] = s["frame"], x, y, kind
        s["bent"] = s["frame"]


NAMES = ("Blue", "Coral")
PAINT = (("#3d7be0", "#25529e", "#8db6f7"), ("#ef6a58", "#a83a2c", "#fbb4a8"))
HEATS = ("#fff6d6", "#ffe9a3", "#ffd166", "#ffb347", "#ff8a3d", "#ff5d3a")
# Red, green and blue, from the top down to the sea.
SKY = ((0x86, 0xF4), (0xCD, 0xF6), (0xF2, 0xE8))
# Sixteen directions, in sixteenths, and half a circle, in 1/256.
CIRCLE = ((16, 0), (15, 6), (11, 11), (6, 15), (0, 16), (-6, 15), (-11, 11), (-15, 6),
          (-16, 0), (-15, -6), (-11, -11), (-6, -15), (0, -16), (6, -15), (11, -11), (15, -6))  # fmt: skip
DOME_SHAPE = ((256, 0), (251, 50), (237, 98), (213, 142), (181, 181), (142, 213), (98, 237), (50, 251), (0, 256),
              (-50, 251), (-98, 237), (-142, 213), (-181, 181), (-213, 142), (-237, 98), (-251, 50), (-256, 0))


def _px(length):
    """Pixels, to a quarter: finer is not seen, and would only be longer to send."""
    return (length >> 6) / 4


def _object(kind, name, depth, **rest):
    return {"uuid": name, "object_type": kind, "depth": depth, **rest}


def _text(name, depth, x, y, text, size, color):
    return _object("text", name, depth, x=x, y=y, text=text, size=size, color=color, align="center")


def _cloud(i, y, size):
    """Its puffs, each with its distance from the middle one."""
    puffs = ((-size, 4, size * 3 // 4), (0, 0, size), (size, 5, size * 2 // 3))
    return [(_object("circle", f"cloud{i}.{j}.", 2, tween=True, y=y + dy, radius=r, color="#ffffffb0"), dx)
            for j, (dx, dy, r) in enumerate(puffs)]  # fmt: skip


def _look(side):
    """What a player keeps in all pictures, part by part."""
    name, (body, dark, shine) = f"player{side}", PAINT[side]
    return (
        _object("rectangle", name + ".shadow", 10, tween=True, y=346, w=68, h=9, color="#00000030", radius=4),
        _object("polygon", name, 20, tween=True, color=body),
        _object("polygon", name + ".band", 21, tween=True, color=dark),
        _object("circle", name + ".shine", 21, tween=True, radius=6, color=shine),
        _object("circle", name + ".eye", 22, tween=True, radius=9, color="#ffffff", stroke="#00000030"),
        _object("line", name + ".lid", 24, tween=True, color=dark, width=4),
        _object("circle", name + ".pupil", 23, tween=True, radius=4.5, color="#1b2430"),
        _object("line", name + ".mouth", 22, tween=True, color=dark, width=2.5),
    )


LOOKS = (_look(0), _look(1))
CLOUDS = ((2, 90, _cloud(0, 70, 22)), (3, 400, _cloud(1, 112, 16)), (1, 620, _cloud(2, 56, 26)))
SHADOW = _object("rectangle", "ball.shadow", 11, tween=True, y=348, h=6, color="#00000030", radius=3)
TRAIL = [_object("circle", f"trail{k}", 30, radius=13 - 2 * k) for k in range(6)]
WHOLE = _object("circle", "ball", 32, tween=True, radius=14, stroke="#00000050")
STRIPES = [_object("line", f"ball.stripe{sign}", 33, tween=True, color="#00000028", width=2) for sign in (-1, 1)]
SPARK = _object("circle", "", 34, tween=True)
# The number, the first of the points beside it, and how far it is to the next one.
SCORES = [(_text(f"score{side}", 40, x, 50, "", 44, PAINT[side][0]),
           _object("circle", "", 40, x=first, y=36, radius=5, color=PAINT[side][0], stroke=PAINT[side][1]), way)
          for side, x, first, way in ((0, 248, 222, -15), (1, 352, 378, 15))]  # fmt: skip


def _backdrop(points):
    shapes = []
    for i in range(22):
        color = "#" + "".join([f"{top + (bottom - top) * i // 21:02x}" for top, bottom in SKY])
        shapes.append(_object("rectangle", f"sky{i}", 0, x=0, y=i * 12, w=600, h=13, color=color))
    shapes += [
        _object("circle", "sun.glow", 1, x=508, y=92, radius=46, color="#fff3b055"),
        _object("circle", "sun", 1, x=508, y=92, radius=30, color="#ffe27a"),
        _object("rectangle", "sea", 3, x=0, y=258, w=600, h=60, color="#3fa7c4"),
        _object("rectangle", "sea.light", 4, x=0, y=258, w=600, h=8, color="#6cc3d6"),
        _object("polygon", "island", 4, points=[52, 260, 80, 244, 104, 250, 128, 236, 166, 260], color="#4f8f7a"),
        _object("polygon", "boat.sail", 4, points=[430, 238, 430, 262, 410, 262], color="#ffffff"),
        _object("polygon", "boat", 4, points=[404, 264, 440, 264, 434, 271, 410, 271], color="#7a4b3a"),
        _object("rectangle", "sand", 6, x=0, y=314, w=600, h=86, color="#f3dfae"),
        _object("rectangle", "sand.edge", 7, x=0, y=314, w=600, h=5, color="#fbeecb"),
        _object("line", "court", 8, points=[24, 352, 576, 352], color="#ffffffa0", width=3),
        _object("line", "court.left", 8, points=[24, 352, 4, 384], color="#ffffffa0", width=3),
        _object("line", "court.right", 8, points=[576, 352, 596, 384], color="#ffffffa0", width=3),
        _object("line", "court.near", 8, points=[4, 384, 596, 384], color="#ffffffa0", width=3),
        _object("rectangle", "net.shadow", 9, x=286, y=350, w=34, h=6, color="#00000025", radius=3),
        _object("rectangle", "net.post", 14, x=297, y=240, w=6, h=112, color="#6b4a33", radius=2),
        _object("rectangle", "net.tape", 16, x=293, y=234, w=14, h=9, color="#ffffff", radius=4),
        _text("colon", 40, 300, 48, ":", 40, "#33475b"),
    ]  # fmt: skip
    for i, (x, y) in enumerate(((40, 282), (150, 296), (236, 278), (352, 292), (468, 284), (540, 300))):
        shapes += [_object("line", f"wave{i}", 5, points=[x, y, x + 14, y - 3, x + 28, y], color="#ffffff70", width=2)]
    for y in range(252, 344, 12):
        shapes.append(_object("line", f"net.mesh{y}", 15, points=[295, y, 305, y], color="#ffffffb0", width=2))
    for side, (_, dot, way) in enumerate(SCORES):
        for k in range(points):
            shapes.append({**dot, "uuid": f"point{side}.{k}", "x": dot["x"] + way * k, "color": "#ffffff90"})
    return [{**shape, "permanent": True} for shape in shapes]


def make_env():
    """What a page calls."""
    return Volley()
