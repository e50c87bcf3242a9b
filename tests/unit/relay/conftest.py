"""The relay that the tests of one module share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from relay_support import Relay, running

from pycore.relay import Limits


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """One relay for all tests of a module; each makes its own game in it."""
    limits = Limits(grace_s=0.4, error_rate=10_000, error_burst=10_000, other_rate=10_000, other_burst=10_000)
    with running(tmp_path_factory.mktemp("relay"), limits=limits) as started:
        yield started
