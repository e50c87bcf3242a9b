"""Scenarios that must come out the same on every Python: functions without arguments that return a hex digest.

This file is run as it stands, by CPython and inside every Pyodide, so it imports nothing but pycore and the
standard library. A new scenario is one more function; the tests find it in `SCENARIOS`. A digest covers everything
that a player or a researcher could see of the run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

SCENARIOS: dict[str, Callable[[], str]] = {}


def scenario(function: Callable[[], str]) -> Callable[[], str]:
    """Registers a scenario under its name."""
    SCENARIOS[function.__name__] = function
    return function


def digest_of(*parts: bytes) -> str:
    """One digest of many byte strings, with their borders."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


@scenario
def canonical_forms() -> str:
    """The canonical bytes of values whose text or order could differ between platforms."""
    from pycore import canonical

    values: list[object] = [
        None,
        True,
        -(2**63),
        2**200,
        0.1 + 0.2,
        -0.0,
        5e-324,
        1.7976931348623157e308,
        "e\u0301 \U0001f600",
        b"\x00\xff",
        [1, [2, (3, "x")]],
        {"b": 1, "a": {"z": [], "y": {}}, "\uffff": 2, "\U00010000": 3},
    ]
    return digest_of(*(canonical.encode(value) for value in values), canonical.digest(values))


@scenario
def errors_and_their_codes() -> str:
    """Every error class with its base and code, which the JavaScript side and the database rely on."""
    from pycore import errors

    found = sorted(
        f"{name}:{value.__mro__[1].__name__}:{value.code}"
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.PycoreError)
    )
    return digest_of(*(line.encode() for line in found))
