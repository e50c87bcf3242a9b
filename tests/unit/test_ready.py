"""The ready of an episode: what differs is refused by its name."""

from __future__ import annotations

from typing import Any

import pytest

from pycore.errors import DecodeError
from pycore.session import ready
from pycore.settings import Settings

STATE = b"12345678"
AGREED: dict[str, Any] = {**Settings().agreed(), "seed": 7, "players": [0, 1]}


def test_who_agrees_on_everything_may_play() -> None:
    """No difference is None, heard or not."""
    for heard in (True, False):
        payload = ready.encode(heard, STATE, AGREED)
        assert ready.heard(payload) is heard
        assert ready.difference(payload, STATE, dict(reversed(AGREED.items()))) is None


@pytest.mark.parametrize("name", sorted(AGREED))
def test_every_agreed_setting_is_refused_by_its_name(name: str) -> None:
    """The text says which one, and both values."""
    other = {**AGREED, name: "something else"}
    code, text = ready.difference(ready.encode(False, STATE, other), STATE, AGREED) or ("", "")
    assert code == "config"
    assert text.startswith(f"{name} differs: ")
    assert text.endswith(" here, 'something else' there")


@pytest.mark.parametrize("change", [{"extra": 1}, {"seed": 7.0}, {"seed": True}])
def test_a_setting_that_only_one_has_or_of_another_type_differs(change: dict[str, Any]) -> None:
    """7 and 7.0 are not the same seed."""
    found = ready.difference(ready.encode(False, STATE, {**AGREED, **change}), STATE, AGREED)
    assert found is not None
    assert found[0] == "config"
    assert next(iter(change)) in found[1]


def test_another_initial_state_is_refused_as_such() -> None:
    """Seed and configuration agree, the reset does not."""
    code, text = ready.difference(ready.encode(True, b"8" * 8, AGREED), STATE, AGREED) or ("", "")
    assert code == "initial_state"
    assert "initial state" in text


def test_another_version_is_refused_before_anything_is_read() -> None:
    """A later protocol may say things in another form."""
    payload = bytes((9,)) + ready.encode(False, STATE, AGREED)[1:12]
    assert (ready.difference(payload, STATE, AGREED) or ("",))[0] == "version"


@pytest.mark.parametrize("payload", [b"", b"\1", b"\1\0" + STATE, b"\1\0" + b"x" * 1100])
def test_what_is_too_short_or_too_long_is_no_ready(payload: bytes) -> None:
    """Lengths are looked at first."""
    with pytest.raises(DecodeError):
        ready.heard(payload)


@pytest.mark.parametrize("tail", [b"\xff\xff", b"\0", b"x"])
def test_a_configuration_that_cannot_be_read_is_a_decode_error(tail: bytes) -> None:
    """One error type."""
    with pytest.raises(DecodeError):
        ready.difference(b"\1\0" + STATE + tail, STATE, AGREED)
