"""Texts of strangers where people read them: no control character of theirs is one there."""

from __future__ import annotations

import io
import json
import logging

import click
import pytest
from click.testing import CliRunner

from pycore.cli.spelled import SpelledFormatter, say, spelled
from pycore.cli.told import told
from pycore.errors import UsageError
from pycore.export import cells

HOSTILE = "\x1b]0;owned\x07 \x9b31m \x00 \x7f \u202e"
"""Sets a terminal's title, its colour (in one byte), and turns the direction of writing."""
HARMLESS = "Zoë-李 ü ✓"


def is_plain(text: str) -> bool:
    """Whether a terminal takes a text for nothing but a text."""
    return all(each.isprintable() or each in "\n\t" for each in text)


def test_a_text_is_spelled_and_a_harmless_one_is_as_it_is() -> None:
    """Also what is printed in other alphabets."""
    assert spelled(HARMLESS) == HARMLESS
    assert spelled("a\x1b[2Jb\n") == "a\\x1b[2Jb\\n"
    assert is_plain(spelled(HOSTILE))


def test_what_a_command_says_has_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    """Its lines are lines all the same."""
    say(f"{HOSTILE}\n  {HARMLESS}")
    shown = capsys.readouterr().out
    assert is_plain(shown)
    assert shown.splitlines()[1] == f"  {HARMLESS}"


def test_what_an_error_says_has_none_either() -> None:
    """Files and subjects are named in it."""

    @click.command()
    @told
    def command() -> None:
        raise UsageError(f"there is no subject {HOSTILE}")

    shown = CliRunner().invoke(command).output
    assert "no subject" in shown
    assert is_plain(shown)


def test_a_line_of_the_log_is_one_line_and_a_traceback_has_its_lines() -> None:
    """Nobody writes lines of the log but the server."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(SpelledFormatter("%(levelname)s %(message)s"))
    log = logging.getLogger("pycore.test_spelled")
    log.propagate = False
    log.addHandler(handler)
    try:
        log.error("a store of %s", f"{HOSTILE}\nERROR of another one")
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            log.exception("failed")
    finally:
        log.removeHandler(handler)
    first, second, *rest = stream.getvalue().splitlines()
    assert first.startswith("ERROR a store of")
    assert "\\nERROR of another one" in first
    assert second == "ERROR failed"
    assert len(rest) > 2
    assert is_plain(stream.getvalue())


def test_a_table_has_none_and_its_json_is_the_same() -> None:
    """Whoever shows a table in a terminal sees what is in it."""
    assert is_plain(cells.text(HOSTILE))
    assert cells.text(HARMLESS) == HARMLESS
    value = {HOSTILE: [HOSTILE, HARMLESS]}
    assert is_plain(cells.as_json(value))
    assert json.loads(cells.as_json(value)) == value
