"""The relay: a socket.io server that pairs players, passes on what they cannot send each other, and stores.

It speaks the page's event names. Everything it decides is in `lobby` and `rooms`, which neither send nor read
a clock; `server` connects them to python-socketio, `store` to a database, `app` to HTTP; `serve` runs it.
Its dependencies are the extra `relay`, and this package imports them when they are needed, not before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pycore.errors import UsageError
from pycore.relay.limits import Limits

if TYPE_CHECKING:
    from pycore.relay.app import RelayApp
    from pycore.relay.bus.calls import Bus

__all__ = ["Limits", "create_app", "missing_extra"]


def create_app(
    *,
    database: str,
    settings: Mapping[str, Any],
    site: Path | None = None,
    seats: int = 2,
    turn: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
    players: Sequence[int | str] | None = None,
    seed: int | None = None,
    origins: Sequence[str] | None = None,
    operator_token: str | None = None,
    log_subjects: bool = False,
    recruiting: Mapping[str, Any] | None = None,
    subjects: Mapping[str, str | None] | None = None,
    join_secret: str | None = None,
    bus: Bus | None = None,
    alarm_url: str | None = None,
) -> RelayApp:
    """The relay as an ASGI application; see `pycore.relay.app.create_app`. Raises `UsageError`."""
    try:
        from pycore.relay import app
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    return app.create_app(
        database=database,
        settings=settings,
        site=site,
        seats=seats,
        turn=turn,
        limits=limits,
        players=players,
        seed=seed,
        origins=origins,
        operator_token=operator_token,
        log_subjects=log_subjects,
        recruiting=recruiting,
        subjects=subjects,
        join_secret=join_secret,
        bus=bus,
        alarm_url=alarm_url,
    )


def missing_extra(error: ModuleNotFoundError) -> UsageError:
    """The error to show when a dependency of the relay is not installed."""
    return UsageError(f"{error.name} is not installed; the relay needs: pip install 'interactive-gym-pycore[relay]'")
