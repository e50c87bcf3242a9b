"""`pycore texts`: what pycore's page says, to change or to translate."""

from __future__ import annotations

import json

import click

from pycore.cli.told import told
from pycore.errors import UsageError, nearest


@click.command("texts", short_help="Print all texts of the page in a language, to change or to translate.")
@click.argument("language", default="en")
@told
def texts(language: str) -> None:
    """Print everything that pycore's page says in LANGUAGE, one text by its name, as a study takes it.

    A study names the changed texts in its settings, {"texts": {"start.play": "Begin"}}, or a file that has them,
    {"language": "nl", "texts": "nl.json"}.
    """
    from pycore.site.wording import languages, table

    known = languages()
    if language not in known:
        raise UsageError(f"there are no texts in {language!r}; {nearest(language, known)}")
    click.echo(json.dumps(table(language), indent=2, ensure_ascii=False))
