"""What the core does without and some tests need: numpy where it is installed, and marks for tests of the rest."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

numpy: Any = None
try:
    import numpy
except ImportError:
    numpy = None
needs_numpy = pytest.mark.skipif(numpy is None, reason="numpy is not installed")
needs_playwright = pytest.mark.skipif(
    importlib.util.find_spec("playwright") is None, reason="playwright is not installed"
)
