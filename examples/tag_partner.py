"""A partner for a group that plays tag: a policy that plays a seat, computed alike by every page.

As the catcher it runs after whoever is nearest; otherwise it goes for the nearest star, unless the catcher is close. It
is a pure function of what it is shown, of the frame and of `random`, which is new in every frame and the same for all
pages.

    pycore serve examples/tag.py:for_four --settings study.json     # with "policies": {"3": "tag_partner.py"} in it
"""

PX = 256
SHY = 110 * PX
ACTIONS = {(0, 0): 0, (-1, 0): 1, (1, 0): 2, (0, -1): 3, (0, 1): 4, (-1, -1): 5, (1, -1): 6, (-1, 1): 7, (1, 1): 8}


class Partner:
    """Plays a seat, in a game for any number."""

    def act(self, outlook, frame, random):
        """0 nothing, 1 to 4 left, right, up and down, 5 to 8 at a slant."""
        seen = outlook.observation
        many, phase, catcher = seen[:3]
        if phase != 1:
            return 0
        players = [seen[3 + 3 * seat : 5 + 3 * seat] for seat in range(many)]
        own = players[outlook.seat]
        if catcher == outlook.seat:
            goal = min((player for seat, player in enumerate(players) if seat != catcher), key=_from(own))
            way = _towards(own, goal)
        elif _from(own)(players[catcher]) < SHY:
            way = tuple(-step for step in _towards(own, players[catcher]))
        else:
            rest = seen[3 + 3 * many :]
            way = _towards(own, min(zip(rest[::2], rest[1::2], strict=True), key=_from(own)))
        # A hedge stops whoever walks straight on; now and then another step leads around it.
        if (frame // 12 + outlook.seat) % 6 == 0:
            way = (way[1], way[0]) if way[0] != way[1] else (way[0], 0)
        return ACTIONS[tuple(way)] if random.random() < 0.9 else 0


def _from(own):
    return lambda place: abs(place[0] - own[0]) + abs(place[1] - own[1])


def _towards(own, goal):
    dx, dy = goal[0] - own[0], goal[1] - own[1]
    near = 8 * PX
    return (0 if abs(dx) < near else 1 if dx > 0 else -1, 0 if abs(dy) < near else 1 if dy > 0 else -1)


def make_policy():
    """A new one."""
    return Partner()
