"""A broken environment: late in a game a position depends on a clock, which no player's page shares."""

import time


class Drifting:
    """Two points that are pushed, and drift with the time of day."""

    def __init__(self):
        self.metadata = {"name": "drifting_v0"}
        self.possible_agents = ["left", "right"]

    def action_space(self, agent):
        """Three ways."""
        return {"type": "discrete", "n": 3}

    def reset(self, seed=None, options=None):
        """Both at 0."""
        self.agents = list(self.possible_agents)
        self.places = {"left": 0, "right": 0}
        self.frame = 0
        self.drift = 0
        nothing = dict.fromkeys(self.agents, 0)
        return nothing, {agent: {} for agent in self.agents}

    def step(self, actions):
        """The clock is read from frame 50 on, too late for a check of the first frames."""
        self.frame += 1
        for agent in self.agents:
            self.places[agent] += actions[agent]
        if self.frame > 50:
            self.drift = time.perf_counter_ns() // 100_000 % 1000  # browsers tell no finer time
        flags = dict.fromkeys(self.agents, False)
        return dict(self.places), dict.fromkeys(self.agents, 1), flags, dict(flags), {a: {} for a in self.agents}


def make_env():
    """What a page calls."""
    return Drifting()
