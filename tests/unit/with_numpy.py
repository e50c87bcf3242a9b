"""numpy where it is installed, and the mark of the tests that need it: the core does without."""

from __future__ import annotations

from typing import Any

import pytest

numpy: Any = None
try:
    import numpy
except ImportError:
    numpy = None
needs_numpy = pytest.mark.skipif(numpy is None, reason="numpy is not installed")
