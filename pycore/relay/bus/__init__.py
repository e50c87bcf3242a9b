"""What carries messages between the processes of one server: `calls`, and what can stand behind them."""

from __future__ import annotations

from pycore.errors import UsageError
from pycore.relay.bus.calls import Bus


def bus_of(url: str) -> Bus:
    """The bus behind a URL, `nats://host:4222`. Raises `UsageError`."""
    if url.partition("://")[0] not in ("nats", "tls"):
        raise UsageError(f"the bus {url.partition('@')[2] or url} is none that pycore knows; give nats://host:4222")
    try:
        from pycore.relay.bus.nats import NatsBus
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{error.name} is not installed; a bus needs: pip install 'interactive-gym-pycore[cluster]'"
        ) from error
    return NatsBus(url)
