"""The command line: begin and run a study, read its data back and verify them, put pycore into an interactive_gym page.

Exit status 0: done; 1: the data asked for are incomplete or do not hold, or the page is not in order; 2: a mistake in
what was asked, with the way out in the message; 130: stopped by Ctrl-C. A command imports what it needs when it runs.
"""

from __future__ import annotations

import click

from pycore.cli.audit import audit
from pycore.cli.data import data
from pycore.cli.export import export
from pycore.cli.new import new
from pycore.cli.page import interactive_gym
from pycore.cli.pyodide import pyodide
from pycore.cli.rehearse import rehearse
from pycore.cli.relay import relay
from pycore.cli.replay import replay
from pycore.cli.report import report
from pycore.cli.serve import serve_study
from pycore.cli.simulate import simulate
from pycore.cli.texts import texts
from pycore.cli.tokens import tokens
from pycore.cli.verify import verify
from pycore.cli.watch import watch
from pycore.version import __version__

__all__ = ["cli"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="pycore")
def cli() -> None:
    """A rollback core for Python environments in the browser: its server and its data."""


for _command in (
    new, audit, simulate, rehearse, serve_study, relay, watch, data, replay, verify, export, report, texts,
    tokens, pyodide, interactive_gym,
):  # fmt: skip
    cli.add_command(_command)
