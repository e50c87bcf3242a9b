"""The engines, started once for the folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

import oracle_engines
import pytest


@pytest.fixture(scope="session")
def in_process() -> oracle_engines.InProcess:
    """The oracle in js2py."""
    return oracle_engines.InProcess()


@pytest.fixture(scope="session")
def node() -> None:
    """Node is there, or these tests say what is missing."""
    if oracle_engines.find_node() is None:
        if os.environ.get("PYCORE_WITHOUT_NODE") == "1":
            pytest.skip("there is no Node on the PATH, and PYCORE_WITHOUT_NODE=1 allows it")
        pytest.fail("there is no Node on the PATH; install it, or set PYCORE_WITHOUT_NODE=1 to leave out its half")


@pytest.fixture(scope="session")
def in_node(node: None) -> Iterator[oracle_engines.InNode]:
    """The oracle in one Node process."""
    engine = oracle_engines.InNode()
    yield engine
    engine.close()
