"""Texts of strangers in a terminal: a control character moves the cursor, colours, or answers for who reads.

Subject ids, agents, infos and what pages say of themselves come from anybody with the study's address. Where they are
shown, every character that is not printed is spelled, as Python spells it (`\\x1b`), those that turn the direction of
writing among them.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import click

_KEPT: Final = "\n\t"
"""What lines and columns are made of."""


def spelled(text: str, keep: str = "") -> str:
    """A text in which nothing but printable characters is, and those to `keep`."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else ascii(each)[1:-1] for each in text
    )  # fmt: skip


def say(text: Any, *, err: bool = False) -> None:
    """A line, or several, for whoever reads the terminal, with what strangers wrote in it."""
    click.echo(spelled(str(text), _KEPT), err=err)


class SpelledFormatter(logging.Formatter):
    """Log lines in which a message is one line, and nothing of it a control character; tracebacks have their lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line itself."""
        record.message = spelled(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        """What was raised."""
        return spelled(super().formatException(ei), _KEPT)
