"""As many players as one likes, each with a number that everybody's actions change."""


class Counters:
    """Over after four seconds."""

    def __init__(self, players):
        self.metadata = {"name": "counters_v0"}
        self.possible_agents = [f"player {number}" for number in range(players)]

    def action_space(self, agent):
        """Four ways to count."""
        return {"type": "discrete", "n": 4}

    def reset(self, seed=None, options=None):
        """Numbers drawn from the seed."""
        self.agents = list(self.possible_agents)
        self.numbers = {agent: seed % 1000 + place for place, agent in enumerate(self.agents)}
        self.frame = 0
        return dict(self.numbers), {agent: {} for agent in self.agents}

    def step(self, actions):
        """Everybody's number takes in everybody's action."""
        self.frame += 1
        total = sum(actions.values())
        for agent in self.agents:
            self.numbers[agent] = (self.numbers[agent] * 31 + 7 * actions[agent] + total) % 100_003
        rewards = {agent: number % 3 for agent, number in self.numbers.items()}
        over = dict.fromkeys(self.agents, self.frame >= 90)
        return dict(self.numbers), rewards, over, dict.fromkeys(over, False), {agent: {} for agent in over}


def make_one():
    """Alone."""
    return Counters(1)


def make_three():
    """For three."""
    return Counters(3)
