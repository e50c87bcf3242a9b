"""The options of a network, where a command plays over a bad one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from pycore.cli.numbers import Finite

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--latency", default=0.0, type=Finite(0, 5000), metavar="MS", help="Added one-way time."),
    click.option("--jitter", default=0.0, type=Finite(0, 5000), metavar="MS", help="How much that changes."),
    click.option("--loss", default=0.0, type=Finite(0, 100), metavar="PCT", help="One-way loss, per cent."),
    click.option("--socketio-only", is_flag=True, help="Peer-to-peer never comes up: everything goes by the server."),
)


def network_options(command: F) -> F:
    """Give a command the options; it takes them as keywords."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
