"""Two animals of different kinds in a meadow: string agents, another action space for each, and no get_state."""

import random

WIDTH, HEIGHT = 600, 400


class Meadow:
    """An ant moves by a vector and digs, a bee flies one of three by four ways; what lies around is eaten."""

    def __init__(self):
        self.metadata = {"name": "meadow_v0"}
        self.possible_agents = ["ant", "bee"]

    def action_space(self, agent):
        """In its plain form, which needs no gymnasium."""
        if agent == "bee":
            return {"type": "multi_discrete", "nvec": [3, 4]}
        move = {"type": "box", "shape": [2], "dtype": "float32", "low": -1, "high": 1}
        return {"type": "dict", "spaces": {"move": move, "dig": {"type": "discrete", "n": 3}}}

    def reset(self, seed=None, options=None):
        """Everything anew, drawn from the seed."""
        self.random = random.Random(seed)
        self.agents = list(self.possible_agents)
        self.at = {"ant": [100.0, 200.0], "bee": [500.0, 200.0]}
        self.holes = []
        self.eaten = {"ant": 0, "bee": 0}
        self.crumbs = [self._crumb() for _ in range(12)]
        return self._seen(), {agent: {} for agent in self.agents}

    def step(self, actions):
        """Move, dig, eat; over when ten crumbs are eaten."""
        ant, bee = actions["ant"], actions["bee"]
        self._move("ant", 4.0 * _number(ant["move"], 0), 4.0 * _number(ant["move"], 1))
        self._move("bee", 5.0 * (_number(bee, 0) - 1), 3.0 * (_number(bee, 1) - 1.5))
        if ant["dig"] == 2 and len(self.holes) < 30:
            self.holes.append((round(self.at["ant"][0]), round(self.at["ant"][1])))
        rewards = {agent: self._eat(agent) for agent in self.agents}
        over = sum(self.eaten.values()) >= 10
        done = dict.fromkeys(self.agents, over)
        return self._seen(), rewards, done, dict.fromkeys(self.agents, False), {a: {"n": self.eaten[a]} for a in done}

    def render(self):
        """Holes, crumbs, animals."""
        shapes = [_circle(f"hole{i}", x, y, 5, "#665533") for i, (x, y) in enumerate(self.holes)]
        shapes += [_circle(f"crumb{i}", x, y, 6, "#d0a030") for i, (x, y) in enumerate(self.crumbs)]
        return [*shapes, _circle("ant", *self.at["ant"], 14, "#222222"), _circle("bee", *self.at["bee"], 14, "#e0c000")]

    def _crumb(self):
        return (self.random.randrange(WIDTH), self.random.randrange(HEIGHT))

    def _move(self, agent, dx, dy):
        x, y = self.at[agent]
        self.at[agent] = [min(max(x + dx, 0.0), float(WIDTH)), min(max(y + dy, 0.0), float(HEIGHT))]

    def _eat(self, agent):
        x, y = self.at[agent]
        for number, (cx, cy) in enumerate(self.crumbs):
            if (cx - x) ** 2 + (cy - y) ** 2 < 900:
                self.crumbs[number] = self._crumb()
                self.eaten[agent] += 1
                return 1
        return 0

    def _seen(self):
        return {agent: {"at": list(self.at[agent])} for agent in self.possible_agents}


def _number(values, at):
    """An element of an array: numpy's, or what stands for it where there is no numpy."""
    return float(values[at] if hasattr(values, "__getitem__") else values.tolist()[at])


def _circle(name, x, y, radius, color):
    return {"uuid": name, "object_type": "circle", "x": x, "y": y, "radius": radius, "color": color, "depth": 1,
            "permanent": False, "tween": False}  # fmt: skip


def make_env():
    """What a page calls."""
    return Meadow()
