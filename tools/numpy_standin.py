"""The few names of numpy that the interactive_gym page's own module calls, so that it can run where numpy is not.

The page's module imports numpy for every step: it seeds and saves `numpy.random`, and turns observations into flat
float32 vectors. numpy has no wheel for Pyodide on the package index, so the runs that compare with the page's own
module get this one (`tools.hostpage` packs it as a wheel named `numpy`). Nothing of pycore needs it or sees it.

It is faster than numpy would be there, so what is measured with it flatters the page's module.
"""

from __future__ import annotations

import array
import random as _random
from collections.abc import Iterable
from typing import Any

float32 = "f"
uint32 = "I"


class ndarray(array.array):  # type: ignore[type-arg]
    """A flat vector; a buffer, so that Pyodide makes a typed array of it as it does of numpy's."""

    def reshape(self, *_shape: int) -> ndarray:
        return self

    def astype(self, dtype: str) -> ndarray:
        return ndarray(dtype, self)


class generic:
    """The type of numpy's scalars, of which there are none here; whoever asks for the type gets one."""


def array_of(values: Iterable[Any], dtype: str = "d") -> ndarray:
    """numpy's `array`, for a flat sequence of numbers."""
    return ndarray(dtype, values)


class Generator:
    """numpy's global generator: other numbers than numpy's, but seeded, saved and restored by the same calls."""

    def __init__(self) -> None:
        self._generator = _random.Random(0)

    def seed(self, seed: int | None = None) -> None:
        self._generator.seed(seed)

    def random(self) -> float:
        return self._generator.random()

    def get_state(self) -> tuple[str, ndarray, int, int, float]:
        words = self._generator.getstate()[1]
        return "MT19937", ndarray("I", words[:-1]), words[-1], 0, 0.0

    def set_state(self, state: tuple[str, Iterable[int], int, int, float]) -> None:
        self._generator.setstate((3, (*state[1], state[2]), None))


random = Generator()
array = array_of  # type: ignore[assignment]
