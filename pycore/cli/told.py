"""How a command tells what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from pycore.errors import PycoreError
from pycore.relay import missing_extra

P = ParamSpec("P")
R = TypeVar("R")

DATABASE = "sqlite:///pycore.db"
"""Where the relay stores unless it is told otherwise."""


def told(command: Callable[P, R]) -> Callable[P, R]:
    """Errors of this package become one sentence and exit status 2, not a traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ModuleNotFoundError as error:
            raise Mistake(str(missing_extra(error))) from error
        except PycoreError as error:
            raise Mistake(str(error)) from error

    return run


class Mistake(click.ClickException):
    """A mistake in what was asked."""

    exit_code = 2
