"""The environment of the tests in the real page: players on a grid collect coins, and every mistake shows.

PettingZoo-parallel in shape, plain Python, and small: the page runs this file's text, and CPython imports it for the
ground truth. It has on purpose what makes rollback hard: a generator of its own in the state, draws from the global
`random` on some frames, rewards that are sums of floats, infos with a key that only some frames have, an end that
depends on the play, and a picture of which some parts are sent only once.

Actions: 0 stay, 1 left, 2 right, 3 up, 4 down, -1 left too, 5 ends the episode for everybody, or a list of two steps;
None is taken for 0. `make` gives the variants.
"""

import random

WIDTH, HEIGHT = 24, 16
COLORS = ("#d1495b", "#2e86ab", "#3c896d", "#edae49")
MOVES = {0: (0, 0), 1: (-1, 0), 2: (1, 0), 3: (0, -1), 4: (0, 1), -1: (-1, 0), 5: (0, 0)}
END = 5
VALUES = (0.1, 0.3, 0.7, 1.1)


class Arena:
    """The game without `get_state`: its attributes are captured."""

    metadata = {"name": "arena_v0"}  # noqa: RUF012
    render_mode = None

    def __init__(
        self, agents=(0, 1), goal=0, coins=4, generator="mersenne", render="objects", numpy=False, raises=None
    ):
        """`goal` coins end an episode (0: never); `generator` is "mersenne" (625 words of state) or "word" (one);
        `render` is "objects", "rgb" or "mug"; `raises` is {"step": [episode, frame]} or {"reset": episode}."""
        self.possible_agents = list(agents)
        self.agents = list(agents)
        self.goal = goal
        self.coin_count = coins
        self.generator = generator
        self.drawing = render
        self.render_mode = "mug" if render == "mug" else None
        self.raises = raises or {}
        self.vector = list
        if numpy:
            import numpy

            self.vector = lambda values: numpy.array(values, dtype=numpy.float32)
        self.rng = random.Random(0)
        self.word = 1
        self.episode = -1
        self.renders = 0
        self.sent = {}
        self._start()

    def _start(self):
        count = len(self.agents)
        self.t = 0
        self.xs = [3 + 6 * index for index in range(count)]
        self.ys = [HEIGHT // 2] * count
        self.scores = [0.0] * count
        self.taken = 0
        self.luck = 0.0
        self.coins = [self._coin() for _ in range(self.coin_count)]

    def _draw(self, below):
        if self.generator == "mersenne":
            return self.rng.randrange(below)
        self.word = (self.word * 1664525 + 1013904223) & 0xFFFFFFFF
        return (self.word >> 8) % below

    def _coin(self):
        return [self._draw(WIDTH), self._draw(HEIGHT), self._draw(len(VALUES))]

    def reset(self, seed=None, options=None):
        """A new episode; the same seed gives the same one."""
        self.episode += 1
        if self.raises.get("reset") == self.episode:
            raise RuntimeError(f"reset fails in episode {self.episode}, as it was told to")
        if seed is not None:
            self.rng = random.Random(seed)
            self.word = (seed ^ 0x9E3779B9) & 0xFFFFFFFF
        self.sent = {}
        self._start()
        return self._observations(), {agent: {} for agent in self.agents}

    def step(self, actions):
        """One frame."""
        if self.raises.get("step") == [self.episode, self.t]:
            raise RuntimeError(f"step fails at frame {self.t} of episode {self.episode}, as it was told to")
        rewards, infos = {}, {}
        coins, xs, ys = self.coins, self.xs, self.ys
        for index, agent in enumerate(self.agents):
            action = actions[agent] or 0
            dx, dy = action if isinstance(action, list) else MOVES[action]
            x = xs[index] = (xs[index] + dx) % WIDTH
            y = ys[index] = (ys[index] + dy) % HEIGHT
            reward = -0.01 if dx or dy else 0.0
            info = {"x": x, "moved": bool(dx or dy)}
            for coin in coins:
                if coin[0] == x and coin[1] == y:
                    reward += VALUES[coin[2]]
                    info["coin"] = coin[2]
                    coin[:] = self._coin()
                    self.taken += 1
            self.scores[index] += reward
            rewards[agent] = reward
            infos[agent] = info
        if self.t % 7 == 3:
            # From the global generator, which the page seeds and which belongs to the state like everything else.
            self.luck = random.random()
            coins[int(self.luck * len(coins))][0] = int(self.luck * 1000) % WIDTH
        self.t += 1
        ended = 0 < self.goal <= self.taken or END in actions.values()
        over = dict.fromkeys(self.agents, ended)
        return self._observations(), rewards, over, dict.fromkeys(self.agents, False), infos

    def _observations(self):
        flat = [float(value) for pair in zip(self.xs, self.ys, strict=True) for value in pair]
        return {agent: self.vector([*flat, float(self.t)]) for agent in self.agents}

    def render(self):
        """The picture, in the way that was asked for. It changes nothing but what is known to have been sent."""
        self.renders += 1
        if self.drawing == "rgb":
            return self._image()
        if self.drawing == "mug":
            return self._delta()
        return [*(self._field() if self.t == 0 else ()), *self._moving(False)]

    def _field(self):
        yield {
            "uuid": "field", "object_type": "rect", "x": 0.0, "y": 0.0, "w": 1.0, "h": 1.0, "color": "#f4f1ea",
            "stroke_color": "#8d8471", "stroke_width": 4, "depth": -2, "permanent": True,
        }  # fmt: skip
        yield {
            "uuid": "middle", "object_type": "line", "points": [[0.5, 0.0], [0.5, 1.0]], "color": "#d8d2c4", "width": 2,
            "depth": -1, "permanent": True,
        }  # fmt: skip

    def _moving(self, permanent):
        common = {"permanent": permanent, "tween": False, "tween_duration": 0}
        for index, (x, y, value) in enumerate(self.coins):
            yield {
                "uuid": f"coin-{index}", "object_type": "rect", "x": x / WIDTH, "y": y / HEIGHT, "w": 0.5 / WIDTH,
                "h": 0.5 / HEIGHT, "color": COLORS[value], "depth": 1, **common,
            }  # fmt: skip
        for index, (x, y) in enumerate(zip(self.xs, self.ys, strict=True)):
            yield {
                "uuid": f"player-{index}", "object_type": "circle", "x": (x + 0.5) / WIDTH, "y": (y + 0.5) / HEIGHT,
                "radius": 0.5 / WIDTH, "color": COLORS[index % len(COLORS)], "depth": 2, **common,
            }  # fmt: skip
        scores = " : ".join(f"{score:.2f}" for score in self.scores)
        yield {
            "uuid": "scores", "object_type": "text", "x": 0.02, "y": 0.02, "text": scores, "size": 16,
            "font": "sans-serif", "color": "#333333", "depth": 3, "permanent": permanent,
        }  # fmt: skip

    def _delta(self):
        """As the page's own Surface does it: what is new or changed since the last call, and what has gone.

        What was sent is remembered outside of the state, as there, so going back in time must send it again.
        """
        shown = {item["uuid"]: item for item in [*self._field(), *self._moving(True), *self._lamp()]}
        changed = [item for name, item in shown.items() if self.sent.get(name) != item]
        removed = [name for name in self.sent if name not in shown]
        self.sent = shown
        return {"game_state_objects": changed, "removed": removed}

    def _lamp(self):
        if self.taken % 2:  # a thing that comes and goes
            yield {
                "uuid": "lamp", "object_type": "circle", "x": 0.95, "y": 0.07, "radius": 0.02, "color": "#edae49",
                "depth": 3, "permanent": True, "tween": False, "tween_duration": 0,
            }  # fmt: skip

    def shown(self):
        """For tests: what must stand on the screen now, and what the state is; unlike `render` it changes nothing."""
        lamp = self._lamp() if self.drawing == "mug" else ()
        return {
            "objects": [] if self.drawing == "rgb" else [*self._field(), *self._moving(True), *lamp],
            "image": self._image() if self.drawing == "rgb" else None,
            "t": self.t,
            "scores": self.scores,
            "renders": self.renders,
        }

    def _image(self):
        rows = [[[244, 241, 234] for _ in range(WIDTH)] for _ in range(HEIGHT)]
        for x, y, value in self.coins:
            rows[y][x] = [60 * value, 160, 90]
        for index, (x, y) in enumerate(zip(self.xs, self.ys, strict=True)):
            rows[y][x] = [209, 73, 60 * index]
        return rows


class StuckArena(Arena):
    """A game without `get_state` that has what nobody can copy: a generator that stands in the middle."""

    def _start(self):
        super()._start()
        self.story = (line for line in ("once", "upon"))


class RewindableArena(Arena):
    """The game as it should be: its whole state can be taken and given back."""

    def get_state(self):
        state = {name: getattr(self, name) for name in ("t", "taken", "luck", "word", "episode")}
        state.update(xs=[*self.xs], ys=[*self.ys], scores=[*self.scores], coins=[[*coin] for coin in self.coins])
        if self.generator == "mersenne":
            version, words, gauss = self.rng.getstate()
            state["rng"] = [version, [*words], gauss]
        return state

    def set_state(self, state):
        for name in ("t", "taken", "luck", "word", "episode"):
            setattr(self, name, state[name])
        self.xs, self.ys, self.scores = [*state["xs"]], [*state["ys"]], [*state["scores"]]
        self.coins = [[*coin] for coin in state["coins"]]
        if "rng" in state:
            version, words, gauss = state["rng"]
            self.rng.setstate((version, tuple(words), gauss))


def make(rewindable=True, **options):
    """A variant of the game."""
    return (RewindableArena if rewindable else Arena)(**options)
