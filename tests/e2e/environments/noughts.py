"""Noughts and crosses by PettingZoo's turn-based interface, in plain Python."""

LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))


class Noughts:
    """Who has three in a row wins."""

    def __init__(self):
        self.metadata = {"name": "noughts_v0"}
        self.possible_agents = ["nought", "cross"]
        self.agents = []

    def action_space(self, agent):
        """In its plain form."""
        return {"type": "discrete", "n": 9}

    def agent_iter(self):
        """Whose turn it is, until nobody's."""
        while self.agents:
            yield self.agent_selection

    def observe(self, agent):
        """The board, and what may be taken."""
        return {"board": list(self.board), "action_mask": [int(field == "") for field in self.board]}

    def last(self):
        """What the agent whose turn it is sees."""
        agent = self.agent_selection
        return (self.observe(agent), self._cumulative_rewards[agent], self.terminations[agent],
                self.truncations[agent], self.infos[agent])  # fmt: skip

    def reset(self, seed=None, options=None):
        """An empty board."""
        self.agents = list(self.possible_agents)
        self.board = [""] * 9
        self.agent_selection = self.agents[0]
        self.rewards = dict.fromkeys(self.agents, 0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}

    def step(self, move):
        """A move of the agent whose turn it is; None of one that is out."""
        agent = self.agent_selection
        if self.terminations[agent]:
            self.agents.remove(agent)
            if self.agents:
                self.agent_selection = self.agents[0]
            return
        self._cumulative_rewards[agent] = 0
        other = self.possible_agents[1 - self.possible_agents.index(agent)]
        self.board[move] = agent
        self.rewards = dict.fromkeys(self.possible_agents, 0)
        won = any(all(self.board[field] == agent for field in line) for line in LINES)
        if won:
            self.rewards = {agent: 1, other: -1}
        if won or "" not in self.board:
            self.terminations = dict.fromkeys(self.possible_agents, True)
        for each, reward in self.rewards.items():
            self._cumulative_rewards[each] += reward
        self.agent_selection = other

    def render(self):
        """The board."""
        colors = {"": "#e8e8e8", "nought": "#3070d0", "cross": "#d04040"}
        return [{"uuid": f"field{i}", "object_type": "rectangle", "x": 160 + 100 * (i % 3), "y": 60 + 100 * (i // 3),
                 "w": 90, "h": 90, "color": colors[field], "depth": 1, "permanent": False, "tween": False}
                for i, field in enumerate(self.board)]  # fmt: skip


def make_env():
    """What a page calls."""
    return Noughts()
