"""The relay that the tests of one module share, the databases that they are tried on, and those of a cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from relay_support import Relay, running

from pycore.relay import Limits
from pycore.relay.cluster import leases, member
from tools.postgres import Postgres
from tools.process import Missing

ON_BOTH = ("sqlite", "postgresql")
"""What a module calls `DATABASES` whose tests are to be tried on both."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module with `DATABASES` has its tests on each of them."""
    kinds = getattr(metafunc.module, "DATABASES", None)
    if kinds and {"relay", "database"} & set(metafunc.fixturenames):
        metafunc.parametrize("kind", kinds, scope="module", indirect=True)


@pytest.fixture(scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database that a module's relay has."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A private PostgreSQL; where none is to be had, the tests that need it say so."""
    pytest.importorskip("psycopg", reason="the driver for PostgreSQL is not installed")
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(Postgres(tmp_path_factory.mktemp("postgres")))
        except Missing as error:
            pytest.skip(str(error))
        yield server


@pytest.fixture(scope="module")
def database(kind: str, request: pytest.FixtureRequest) -> Callable[[Path], str]:
    """Makes a new database, in a folder if it is a file; its URL."""
    if kind == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return lambda folder: server.database()
    return lambda folder: f"sqlite:///{folder / 'study.db'}?timeout=0.2"


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, database: Callable[[Path], str]) -> Iterator[Relay]:
    """One relay for all tests of a module; each makes its own game in it."""
    limits = Limits(grace_s=0.4, error_rate=10_000, error_burst=10_000, other_rate=10_000, other_burst=10_000)
    folder = tmp_path_factory.mktemp("relay")
    with running(folder, database=database(folder), limits=limits) as started:
        yield started


@pytest.fixture
def url(tmp_path: Path, database: Callable[[Path], str]) -> str:
    """A new database, for all processes of a test."""
    return database(tmp_path).replace("?timeout=0.2", "?timeout=5")


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead process is known to be one soon; a living one on a busy machine is not taken for one."""
    monkeypatch.setattr(leases, "LEASE_S", 1.5)
    monkeypatch.setattr(member, "BEAT_S", 0.2)
