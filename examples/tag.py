"""Tag in a garden, for two to eight: a small game that a group plays over a network, and in which every frame counts.

A PettingZoo-parallel environment in one file of plain Python, without a dependency. One player is the catcher, runs a
little faster, and looks for somebody to touch; whoever is touched is the catcher, stands still for a moment, and loses
up to two stars to the one who was quicker. The others pick stars. Most stars after a minute win.

All of the game's arithmetic is on integers, in 1/256 of a pixel and in frames, so it is the same to the last bit in
every browser and on every Python. What is random comes from one 32-bit number in the state. `get_state` is a dict of
ints and lists of ints, and holds everything.

Actions: 0 nothing; 1 left, 2 right, 3 up, 4 down; 5 left and up, 6 right and up, 7 left and down, 8 right and down.
`render` draws a world of 600 by 400 pixels and changes nothing. `make_env` makes the game for three; for another number
there is a function of its own: `pycore serve examples/tag.py:for_five --settings examples/tag.json`.
"""

PX = 256
LEFT, RIGHT, TOP, BOTTOM = 22 * PX, 578 * PX, 62 * PX, 380 * PX

BODY = 15 * PX
# Half of the square that bumps into things: less than the body, so that nobody is caught by a corner.
GIRTH = 11 * PX
TOUCH = 2 * BODY
PICK = BODY + 10 * PX

RUN, CHASE = 900, 1040
GRIP = 240
SLANT = 181  # of 256, so that nobody is quicker at a slant

READY, PLAY, END = 0, 1, 2
READY_FRAMES = 75
END_FRAMES = 75
STILL_FRAMES = 45
LOSS = 2
GROW_FRAMES = 30
AWAY = 90 * PX
"""So far a new star is from everybody, if there is such a place."""

SIDEWAYS = (0, -1, 1, 0, 0, -1, 1, -1, 1)
UPWARDS = (0, 0, 0, -1, 1, -1, -1, 1, 1)

# What stands in the way: x, y, width, height in pixels. The last one is the pond.
THINGS = ((128, 112, 76, 26), (396, 112, 76, 26), (128, 300, 76, 26), (396, 300, 76, 26),
          (66, 180, 26, 80), (508, 180, 26, 80), (254, 190, 92, 58))  # fmt: skip
SPOTS = ((40, 84), (166, 84), (300, 78), (434, 84), (560, 84), (232, 128), (368, 128), (300, 150),
         (38, 164), (120, 164), (480, 164), (562, 164), (166, 222), (222, 222), (378, 222), (434, 222),
         (38, 276), (120, 276), (480, 276), (562, 276), (232, 314), (368, 314), (300, 288),
         (40, 358), (166, 356), (300, 360), (434, 356), (560, 358))  # fmt: skip
STARTS = ((300, 100), (490, 84), (556, 222), (490, 356), (300, 336), (110, 356), (44, 222), (110, 84))

FEWEST, MOST = 2, 8
NAMES = ("Blue", "Coral", "Green", "Violet", "Amber", "Teal", "Rose", "Slate")
PAINT = (("#3d7be0", "#25529e", "#8db6f7"), ("#ef6a58", "#a83a2c", "#fbb4a8"), ("#2f9457", "#1c6238", "#93d3aa"),
         ("#8d3fb3", "#5d2579", "#c792e0"), ("#e0a21b", "#8f6405", "#f7d98a"), ("#1c969c", "#0e6266", "#86d3d6"),
         ("#e0559c", "#972f63", "#f4aed0"), ("#5b6577", "#384050", "#aab3c2"))  # fmt: skip


class Tag:
    """The environment. Agents are 0 to `players` - 1."""

    num_actions = 9

    def __init__(self, players=3, seconds=60):
        if not FEWEST <= players <= MOST:
            raise ValueError(f"tag is for {FEWEST} to {MOST} players, not for {players}")
        # No generator but the number in the state, so none has to be saved beside it. `seats` is for whoever shows
        # who is who around the picture.
        self.metadata = {
            "name": "tag_v1", "render_fps": 30, "rngs": (),
            "seats": [{"name": NAMES[seat], "color": PAINT[seat][0]} for seat in range(players)],
        }  # fmt: skip
        self.players = players
        self.frames = seconds * 30
        self.possible_agents = list(range(players))
        self.agents = []
        self.s = None

    # --- the environment ---

    def action_space(self, agent):
        """The same for everybody."""
        return {"type": "discrete", "n": self.num_actions}

    def reset(self, seed=None, options=None):
        """A new game. The seed decides who catches first and where the stars grow."""
        n = self.players
        self.agents = list(range(n))
        places = [STARTS[seat * MOST // n] for seat in range(n)]
        s = self.s = {
            "frame": 0, "phase": READY, "timer": READY_FRAMES, "random": ((seed or 0) * 2654435761 + 97) & 0xFFFFFFFF,
            "x": [x * PX for x, _ in places], "y": [y * PX for _, y in places], "vx": [0] * n, "vy": [0] * n,
            "still": [0] * n, "stars": [0] * n, "catches": [0] * n, "catcher": 0,
            "spot": [], "age": [], "mark": 0, "mark_x": 0, "mark_y": 0, "mark_kind": 0, "over": 0,
        }  # fmt: skip
        s["catcher"] = self._random(n)
        for _ in range(n + 1):
            s["spot"].append(self._free_spot())
            s["age"].append(0)
        return self._observations(), {agent: {} for agent in self.agents}

    def step(self, actions):
        """One frame of a thirtieth of a second."""
        s = self.s
        if s["over"]:
            return {}, {}, {}, {}, {}
        seats = self.possible_agents
        rewards = dict.fromkeys(seats, 0)
        s["frame"] += 1
        phase = s["phase"]
        for seat in seats:
            # Before and after, everybody stands; with the end they glide to a halt.
            self._move(seat, actions.get(seat, 0) if phase == PLAY else 0)
        if phase == PLAY:
            self._catch(rewards)
            self._pick(rewards)
        s["age"] = [min(age + 1, GROW_FRAMES) for age in s["age"]]
        s["timer"] -= 1
        if s["timer"] <= 0:
            if phase == READY:
                s["phase"], s["timer"] = PLAY, self.frames
            elif phase == PLAY:
                s["phase"], s["timer"] = END, END_FRAMES
            else:
                s["over"] = 1
        over = s["over"] == 1
        if over:
            self.agents = []
        infos = {seat: {"score": list(s["stars"]), "catcher": s["catcher"]} for seat in seats}
        return self._observations(), rewards, dict.fromkeys(seats, over), dict.fromkeys(seats, False), infos

    def get_state(self):
        """All there is, as a dict of ints and lists of ints."""
        return {name: list(value) if type(value) is list else value for name, value in self.s.items()}

    def set_state(self, state):
        """Go on from what get_state gave."""
        self.s = {name: list(value) if type(value) is list else value for name, value in state.items()}
        self.agents = [] if state["over"] else list(range(self.players))

    def _observations(self):
        """The same for everybody: how many play, phase, the catcher's seat, then x, y and frames to stand still of each
        seat, then x and y of each star."""
        s = self.s
        seen = [self.players, s["phase"], s["catcher"]]
        for x, y, still in zip(s["x"], s["y"], s["still"], strict=True):
            seen += (x, y, still)
        for spot in s["spot"]:
            seen += (SPOTS[spot][0] * PX, SPOTS[spot][1] * PX)
        return dict.fromkeys(self.possible_agents, tuple(seen))

    # --- the rules ---

    def _random(self, below):
        s = self.s
        s["random"] = (s["random"] * 1664525 + 1013904223) & 0xFFFFFFFF
        return (s["random"] >> 16) * below >> 16

    def _free_spot(self):
        """A place for a star: away from everybody and from the other stars, where there is one."""
        s = self.s
        free = [spot for spot in range(len(SPOTS)) if spot not in s["spot"]]
        quiet = [
            spot for spot in free
            if all(abs(SPOTS[spot][0] * PX - x) + abs(SPOTS[spot][1] * PX - y) > AWAY
                   for x, y in zip(s["x"], s["y"], strict=True))
        ]  # fmt: skip
        chosen = quiet or free
        return chosen[self._random(len(chosen))]

    def _move(self, seat, action):
        s = self.s
        if type(action) is not int or not 0 <= action < self.num_actions:
            action = 0
        if s["still"][seat]:
            s["still"][seat] -= 1
            action = 0
        speed = CHASE if seat == s["catcher"] else RUN
        if action > 4:
            speed = speed * SLANT >> 8
        for at, way, wish in (("x", "vx", SIDEWAYS[action] * speed), ("y", "vy", UPWARDS[action] * speed)):
            v = s[way][seat]
            v = min(v + GRIP, wish) if v < wish else max(v - GRIP, wish)
            s[way][seat] = v
            s[at][seat] += v
            self._bump(seat, at, way)

    def _bump(self, seat, at, way):
        """Put somebody who just went along one axis back to the edge of what is in the way."""
        s = self.s
        x, y = s["x"][seat], s["y"][seat]
        low, high = (LEFT, RIGHT) if at == "x" else (TOP, BOTTOM)
        place = x if at == "x" else y
        stopped = place
        if place < low or place > high:
            stopped = low if place < low else high
        else:
            for left, top, wide, tall in THINGS:
                west, east = left * PX - GIRTH, (left + wide) * PX + GIRTH
                north, south = top * PX - GIRTH, (top + tall) * PX + GIRTH
                if west < x < east and north < y < south:
                    near, far = (west, east) if at == "x" else (north, south)
                    stopped = near if s[way][seat] > 0 else far
                    break
        if stopped != place:
            s[at][seat], s[way][seat] = stopped, 0

    def _catch(self, rewards):
        s = self.s
        catcher = s["catcher"]
        if s["still"][catcher]:
            return
        x, y = s["x"][catcher], s["y"][catcher]
        near = [
            ((s["x"][seat] - x) ** 2 + (s["y"][seat] - y) ** 2, seat) for seat in self.possible_agents
            if seat != catcher
        ]  # fmt: skip
        distance, caught = min(near)
        if distance >= TOUCH * TOUCH:
            return
        taken = min(LOSS, s["stars"][caught])
        s["stars"][caught] -= taken
        s["stars"][catcher] += taken
        rewards[caught] -= taken
        rewards[catcher] += taken
        s["catches"][catcher] += 1
        s["catcher"], s["still"][caught] = caught, STILL_FRAMES
        self._mark((x + s["x"][caught]) // 2, (y + s["y"][caught]) // 2, 1)

    def _pick(self, rewards):
        s = self.s
        for seat in self.possible_agents:
            if seat == s["catcher"]:
                continue
            for number, spot in enumerate(s["spot"]):
                dx, dy = SPOTS[spot][0] * PX - s["x"][seat], SPOTS[spot][1] * PX - s["y"][seat]
                if s["age"][number] >= GROW_FRAMES and dx * dx + dy * dy < PICK * PICK:
                    s["stars"][seat] += 1
                    rewards[seat] += 1
                    self._mark(SPOTS[spot][0] * PX, SPOTS[spot][1] * PX, 0)
                    s["spot"][number], s["age"][number] = self._free_spot(), 0

    def _mark(self, x, y, kind):
        s = self.s
        s["mark"], s["mark_x"], s["mark_y"], s["mark_kind"] = s["frame"], x, y, kind

    # --- the picture ---

    def render(self):
        """The objects to draw, from the state alone. What never moves is listed on frame 0 only."""
        s = self.s
        shown = _backdrop(self.players) if s["frame"] == 0 else []
        for number, spot in enumerate(s["spot"]):
            # A star in another place is another star, or it would be seen flying there.
            name, (x, y), age = f"star{number}.{spot}", SPOTS[spot], s["age"][number]
            size = 3 + 8 * age / GROW_FRAMES + (0, 0.5, 1, 0.5)[(s["frame"] // 5 + number) % 4]
            shown.append(_circle(name + ".light", x, y, size + 5, "#fff6c84d", 19))
            shown.append(_polygon(name, _star(x, y, size), "#ffd23f", 20, "#b07d00"))
        for seat in self.possible_agents:
            self._draw_player(shown, seat)
        age = s["frame"] - s["mark"]
        if s["mark"] and age < 12:
            color, many = (("#ffd23f", 7), ("#ffffff", 10))[s["mark_kind"]]
            for k in range(many):
                dx, dy = CIRCLE[k * 16 // many]
                far = 10 + age * 3
                spark = f"{color}{230 - 18 * age:02x}"
                px, py = s["mark_x"] / PX + dx * far / 16, s["mark_y"] / PX + dy * far / 16
                shown.append(_circle(f"spark{s['mark']}.{k}", px, py, (14 - age) / 4, spark, 34))
        self._draw_board(shown)
        return shown

    def _draw_player(self, shown, seat):
        s = self.s
        x, y, vx, vy = (s[name][seat] / PX for name in ("x", "y", "vx", "vy"))
        name, (body, dark, shine) = f"player{seat}", PAINT[seat]
        depth = 22 + round(y / 100, 3)  # who is further down is nearer
        hop = (0, 1.5, 2.5, 1.5)[s["frame"] // 2 % 4] if vx or vy else 0
        if s["phase"] == END and seat in self._leaders():
            hop = (0, 3, 6, 8, 9, 8, 6, 3)[s["timer"] % 8]
        shown.append(_circle(name + ".shadow", x, y + 11, 13, "#1d3a1240", 12))
        if seat == s["catcher"]:
            # The catcher has a ring that beats, and is seen at a glance; it is faint while it must stand still.
            beat = (0, 1, 2, 3, 3, 2, 1, 0)[s["frame"] // 3 % 8]
            paint = "#d6263a66" if s["still"][seat] else "#d6263a"
            ring = _circle(name + ".ring", x, y - hop, 20 + beat / 2, "#ff5a6a38", 21, stroke=paint)
            ring["width"] = 3
            shown.append(ring)
        y -= hop
        shown.append(_circle(name, x, y, 15, body, depth, stroke=dark))
        shown.append(_circle(name + ".shine", x - 5, y - 8, 3.5, shine, depth))
        for sign in (-1, 1):
            ex, ey = x + sign * 5.5 + vx * 0.8, y - 3 + vy * 0.6
            shown.append(_circle(f"{name}.eye{sign}", ex, ey, 4, "#ffffff", depth))
            if (s["frame"] + 41 * seat) % 113 >= 4:
                shown.append(_circle(f"{name}.pupil{sign}", ex + vx * 0.35, ey + vy * 0.35, 2, "#1b2430", depth))
        shown.append(_text(name + ".letter", x, y + 7, NAMES[seat][0], 11, "#ffffff", depth, True))
        if s["still"][seat]:
            shown.append(_text(name + ".count", x, y - 26, str(1 + (s["still"][seat] - 1) // 15), 20, "#8c1020", 36))

    def _leaders(self):
        most = max(self.s["stars"])
        return [seat for seat in self.possible_agents if self.s["stars"][seat] == most]

    def _draw_board(self, shown):
        s = self.s
        for seat in self.possible_agents:
            x = _place(seat, self.players)
            caught = seat == s["catcher"]
            dot = _circle(f"board{seat}", x - 16, 20, 11, PAINT[seat][0], 41, "#d6263a" if caught else PAINT[seat][1])
            dot["width"], dot["tween"] = 4 if caught else 2, False
            shown.append(dot)
            shown.append(_text(f"board{seat}.stars", x + 12, 21, str(s["stars"][seat]), 24, "#ffffff", 42))
        if s["phase"] == PLAY:
            left = 600 * s["timer"] / self.frames
            color = "#d6263a" if s["timer"] <= 300 else "#ffd23f"
            if left:
                shown.append(_rectangle("time", 0, 40, round(left, 1), 4, color, 41))
        elif s["phase"] == READY:
            catcher = s["catcher"]
            shown.append(_rectangle("note.ground", 160, 186, 280, 70, "#ffffffd8", 43, 14))
            shown.append(_text("note", 300, 208, f"{NAMES[catcher]} is the catcher", 22, PAINT[catcher][1], 44))
            shown.append(_text("count", 300, 237, str(1 + (s["timer"] - 1) // 25), 26, "#33475b", 44))
        else:
            won = self._leaders()
            color = PAINT[won[0]][1] if len(won) == 1 else "#33475b"
            said = f"{NAMES[won[0]]} wins!"
            if len(won) > 1:
                said = f"{NAMES[won[0]]} and {NAMES[won[1]]} draw" if len(won) == 2 else "A draw!"
            wide = 60 + 16 * len(said)
            shown.append(_rectangle("note.ground", 300 - wide // 2, 192, wide, 56, "#ffffffd8", 43, 14))
            shown.append(_text("note", 300, 221, said, 28, color, 44))


# Sixteen directions, in sixteenths.
CIRCLE = ((16, 0), (15, 6), (11, 11), (6, 15), (0, 16), (-6, 15), (-11, 11), (-15, 6),
          (-16, 0), (-15, -6), (-11, -11), (-6, -15), (0, -16), (6, -15), (11, -11), (15, -6))  # fmt: skip
# Ten points of a star with a radius of one, from the uppermost on.
STAR = ((0, -1), (0.26, -0.36), (0.95, -0.31), (0.42, 0.14), (0.59, 0.81), (0, 0.45), (-0.59, 0.81), (-0.42, 0.14),
        (-0.95, -0.31), (-0.26, -0.36))  # fmt: skip


def _tenth(length):
    """To a tenth of a pixel: finer is not seen, and would only be longer to send."""
    return round(length * 10) / 10


def _star(x, y, size):
    return [[_tenth(x + dx * size), _tenth(y + dy * size)] for dx, dy in STAR]


def _place(seat, players):
    """Where on the board somebody's stars are."""
    return 20 + 560 / players * (seat + 0.5)


def _circle(name, x, y, radius, color, depth, stroke=None):
    shape = {"uuid": name, "object_type": "circle", "depth": depth, "tween": True,
             "x": _tenth(x), "y": _tenth(y), "radius": radius, "color": color}  # fmt: skip
    if stroke:
        shape["stroke"] = stroke
    return shape


def _rectangle(name, x, y, w, h, color, depth, radius=0):
    return {"uuid": name, "object_type": "rectangle", "depth": depth,
            "x": x, "y": y, "w": w, "h": h, "color": color, "radius": radius}  # fmt: skip


def _polygon(name, points, color, depth, stroke):
    return {"uuid": name, "object_type": "polygon", "depth": depth,
            "points": points, "color": color, "stroke": stroke, "width": 1.5}  # fmt: skip


def _text(name, x, y, text, size, color, depth, tween=False):
    return {"uuid": name, "object_type": "text", "depth": depth, "tween": tween, "align": "center",
            "x": _tenth(x), "y": _tenth(y), "text": text, "size": size, "color": color}  # fmt: skip


def _backdrop(players):
    shapes = [_rectangle("grass", 0, 0, 600, 400, "#a9d67f", 0)]
    shapes += [
        _rectangle(f"grass{column}.{row}", column * 60, 44 + row * 60, 60, 60, "#9fcd74", 1)
        for column in range(10) for row in range(6) if (column + row) % 2
    ]  # fmt: skip
    for i, (x, y) in enumerate(((28, 330), (236, 66), (352, 346), (574, 130), (102, 140), (430, 260), (250, 262))):
        color = ("#ffffff", "#ffd9ec", "#fff1a8")[i % 3]
        shapes += [_circle(f"flower{i}.{k}", x + dx / 5, y + dy / 5, 2.4, color, 2) for k, (dx, dy) in
                   enumerate(CIRCLE[::3])]  # fmt: skip
        shapes.append(_circle(f"flower{i}", x, y, 2.2, "#e7a21a", 3))
    for i, (x, y, w, h) in enumerate(THINGS[:-1]):
        shapes.append(_rectangle(f"hedge{i}.shadow", x + 2, y + 6, w, h, "#1d3a1240", 10, 9))
        shapes.append(_rectangle(f"hedge{i}", x, y, w, h, "#3f7d3a", 13, 9))
        shapes.append(_rectangle(f"hedge{i}.top", x + 3, y + 2, w - 6, h - 10, "#5b9b4b", 14, 7))
        long = max(w, h)
        for k in range(7, long - 4, 13):
            px, py = (x + k, y + 8 + k % 5) if w > h else (x + 8 + k % 7, y + k)
            shapes.append(_circle(f"hedge{i}.leaf{k}", px, py, 2.2, "#86bf66", 15))
    x, y, w, h = THINGS[-1]
    shapes += [
        _rectangle("pond.shore", x - 2, y - 2, w + 4, h + 4, "#d8c690", 10, 28),
        _rectangle("pond", x + 2, y + 2, w - 4, h - 4, "#58b4d4", 11, 25),
        _rectangle("pond.light", x + 16, y + 10, 34, 5, "#a5dcec", 12, 2),
        _circle("pond.leaf", x + 62, y + 38, 8, "#4d9a57", 12),
        _circle("pond.lily", x + 64, y + 36, 3, "#ffd9ec", 13),
        _rectangle("board", 0, 0, 600, 40, "#2c4a34", 40),
        _rectangle("board.edge", 0, 40, 600, 4, "#22392a", 40),
    ]
    shapes += [
        _text(f"board{seat}.letter", _place(seat, players) - 16, 20.5, NAMES[seat][0], 13, "#ffffff", 42)
        for seat in range(players)
    ]
    for shape in shapes:
        shape["permanent"] = True
        shape["tween"] = False
    return shapes


def for_two():
    """The game for two."""
    return Tag(2)


def for_three():
    """The game for three."""
    return Tag(3)


def for_four():
    """The game for four."""
    return Tag(4)


def for_five():
    """The game for five."""
    return Tag(5)


def for_six():
    """The game for six."""
    return Tag(6)


def for_seven():
    """The game for seven."""
    return Tag(7)


def for_eight():
    """The game for eight."""
    return Tag(8)


def make_env():
    """What a page calls unless it is told another one of these."""
    return for_three()
