"""Harvest: players walk over a field and pick berries. Small ones are quick to get, the big ones take two.

An environment with PettingZoo's parallel interface, in the standard library alone. Three things make it play alike for
everybody: it draws everything random from a generator that `reset(seed)` seeds, it calculates with integers, and all
that it remembers is in its attributes, which pycore captures. Whatever you change, `pycore audit environment.py` tells
whether that still holds.
"""

import random

PLAYERS = 2

WIDTH, HEIGHT = 600, 400  # the world that the page draws, in pixels
SPEED = 5  # pixels per frame
REACH = 26  # pixels from a player to what can be picked
BERRIES = 6  # on the field at any time
BIG = 3  # every third berry is a big one
GOAL = 24  # points of all together

STAY, LEFT, RIGHT, UP, DOWN = range(5)
MOVES = {LEFT: (-SPEED, 0), RIGHT: (SPEED, 0), UP: (0, -SPEED), DOWN: (0, SPEED)}
# The first four are those that the page has for its players.
COLORS = ("#3d7be0", "#ef6a58", "#17804f", "#8d3fb3", "#e9b44c", "#2a9d8f", "#d64545", "#6d597a")


class Harvest:
    """The environment."""

    metadata = {"name": "harvest-1"}  # name and version: all players must have the same

    def __init__(self, players=PLAYERS):
        self.possible_agents = [f"player_{number}" for number in range(players)]

    def action_space(self, agent):
        """Of `gymnasium.spaces`, or a dictionary like this."""
        return {"type": "discrete", "n": 5}

    def reset(self, seed=None, options=None):
        """Begin an episode."""
        self.random = random.Random(seed)
        self.agents = list(self.possible_agents)
        self.frame = 0
        self.planted = 0
        self.points = dict.fromkeys(self.agents, 0)
        self.place = {
            agent: [WIDTH * (number + 1) // (len(self.agents) + 1), HEIGHT // 2]
            for number, agent in enumerate(self.agents)
        }
        self.berries = []
        while len(self.berries) < BERRIES:
            self.plant()
        return self.observations(), {agent: {} for agent in self.agents}

    def step(self, actions):
        """One frame. An agent that does nothing has no entry, or STAY."""
        self.frame += 1
        for agent in self.agents:
            dx, dy = MOVES.get(actions.get(agent, STAY), (0, 0))
            x, y = self.place[agent]
            self.place[agent] = [min(max(x + dx, 16), WIDTH - 16), min(max(y + dy, 56), HEIGHT - 16)]
        rewards = dict.fromkeys(self.agents, 0)
        for berry in list(self.berries):
            near = [agent for agent in self.agents if self.is_near(agent, berry)]
            wanted = min(2, len(self.agents)) if berry["big"] else 1
            if len(near) < wanted:
                continue
            # Who is nearest gets a small one; a big one is worth three to each of those who pick it.
            pickers = near if berry["big"] else near[:1]
            for agent in pickers:
                rewards[agent] += 3 if berry["big"] else 1
                self.points[agent] += 3 if berry["big"] else 1
            self.berries.remove(berry)
            self.plant()
        done = sum(self.points.values()) >= GOAL
        score = [self.points[agent] for agent in self.possible_agents]
        return (
            self.observations(),
            rewards,
            dict.fromkeys(self.agents, done),
            dict.fromkeys(self.agents, False),
            {agent: {"score": score} for agent in self.agents},  # the page shows a score that it finds there
        )

    def plant(self):
        """A berry somewhere."""
        self.planted += 1
        self.berries.append(
            {
                "number": self.planted,
                "x": self.random.randrange(40, WIDTH - 40),
                "y": self.random.randrange(80, HEIGHT - 40),
                "big": self.planted % BIG == 0,
            }
        )

    def is_near(self, agent, berry):
        x, y = self.place[agent]
        return (x - berry["x"]) ** 2 + (y - berry["y"]) ** 2 <= REACH**2

    def observations(self):
        """What each agent knows: all there is. A policy would be given this."""
        return {
            agent: {
                "me": list(self.place[agent]),
                "others": [list(self.place[other]) for other in self.agents if other != agent],
                "berries": [[berry["x"], berry["y"], int(berry["big"])] for berry in self.berries],
            }
            for agent in self.agents
        }

    def render(self):
        """What the page draws, in a world of 600 × 400: docs/drawing.md has all objects and their fields."""
        shown = []
        if self.frame == 0:
            # What never moves is sent once: permanent.
            shown += [
                {"uuid": "grass", "object_type": "rectangle", "x": 0, "y": 0, "w": WIDTH, "h": HEIGHT,
                 "color": "#cfe8b4", "depth": 0, "permanent": True},
                {"uuid": "sky", "object_type": "rectangle", "x": 0, "y": 0, "w": WIDTH, "h": 40,
                 "color": "#eaf4d9", "depth": 1, "permanent": True},
            ]  # fmt: skip
        for berry in self.berries:
            shown.append(
                {"uuid": f"berry{berry['number']}", "object_type": "circle", "x": berry["x"], "y": berry["y"],
                 "radius": 15 if berry["big"] else 8, "color": "#7b2cbf" if berry["big"] else "#c1121f",
                 "stroke": "#ffffff", "width": 2, "depth": 2}
            )  # fmt: skip
        for number, agent in enumerate(self.agents):
            x, y = self.place[agent]
            shown.append(
                {"uuid": agent, "object_type": "circle", "x": x, "y": y, "radius": 16, "color": COLORS[number],
                 "stroke": "#1d3557", "width": 2, "depth": 3, "tween": True}
            )  # fmt: skip
            shown.append(
                {"uuid": f"{agent}.name", "object_type": "text", "x": x, "y": y, "text": str(number + 1), "size": 16,
                 "align": "center", "color": "#ffffff", "depth": 4, "tween": True}
            )  # fmt: skip
        together = sum(self.points.values())
        shown.append(
            {"uuid": "points", "object_type": "text", "x": WIDTH // 2, "y": 20, "align": "center", "size": 18,
             "text": f"{together} of {GOAL} points: the big berries take two", "color": "#344e41", "depth": 5}
        )  # fmt: skip
        return shown


def make_env():
    """What pycore calls."""
    return Harvest()
