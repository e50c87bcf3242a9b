"""Policies for the audit: one without a fault, and for each fault one that has it and nothing else."""

from __future__ import annotations

import random as process
import time
from collections.abc import Callable
from typing import Any


class Fair:
    """Looks at all that it is shown, and draws from what it is given."""

    def act(self, outlook: Any, frame: int, random: Any) -> int:
        """One of three."""
        return int((outlook.observation + outlook.state["env"]["layers"][0]["x"] + frame + random.randrange(3)) % 3)


class Keeping(Fair):
    """Counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def act(self, outlook: Any, frame: int, random: Any) -> int:
        """Another one for every call."""
        self.calls += 1
        return self.calls % 3


class Remembering(Fair):
    """Does again what it did in the frame that it was asked about last, if that is another one."""

    def __init__(self) -> None:
        self.last = -1

    def act(self, outlook: Any, frame: int, random: Any) -> int:
        """It is the same at once, and not after a frame in between."""
        before, self.last = self.last, frame
        return 2 if before == frame + 1 else frame % 2


class Born(Fair):
    """No two instances are alike."""

    def __init__(self) -> None:
        generator = process.Random()
        self.moves = [generator.randrange(3) for _ in range(40)]

    def act(self, outlook: Any, frame: int, random: Any) -> int:
        """As it was born to do, always."""
        return self.moves[frame]


class Dice(Fair):
    """Draws from the generator of the process."""

    def act(self, outlook: Any, frame: int, random: Any) -> int:
        """One of three."""
        return process.randrange(3)


class Seeding(Fair):
    """Seeds the generator of the process."""

    def act(self, outlook: Any, frame: int, random: Any) -> int:
        """The same one always."""
        process.seed(3)
        return frame % 3


class Writing(Fair):
    """Writes into what it is shown."""

    def act(self, outlook: Any, frame: int, random: Any) -> int:
        """One of three."""
        outlook.observation.append(1)
        return frame % 3


class Beyond(Fair):
    """Gives an action that its seat has not."""

    def act(self, outlook: Any, frame: int, random: Any) -> int:
        """One of four."""
        return frame % 4


class Raising(Fair):
    """Raises now and then."""

    def act(self, outlook: Any, frame: int, random: Any) -> int:
        """A KeyError in frame 7."""
        return {7: {}}.get(frame, {"go": 1})["go"] if frame == 7 else frame % 3


class Slow(Fair):
    """Thinks for two milliseconds."""

    def act(self, outlook: Any, frame: int, random: Any) -> int:
        """One of three."""
        until = time.perf_counter() + 0.002
        while time.perf_counter() < until:
            pass
        return frame % 3


class Still(Fair):
    """Does nothing."""

    def act(self, outlook: Any, frame: int, random: Any) -> int:
        """Nothing."""
        return 1


def _maker(kind: type[Fair]) -> Callable[[], Fair]:
    return lambda: kind()


make_policy = _maker(Fair)
make_keeping, make_remembering, make_born = _maker(Keeping), _maker(Remembering), _maker(Born)
make_dice, make_seeding, make_writing = _maker(Dice), _maker(Seeding), _maker(Writing)
make_beyond, make_raising, make_slow, make_still = _maker(Beyond), _maker(Raising), _maker(Slow), _maker(Still)
