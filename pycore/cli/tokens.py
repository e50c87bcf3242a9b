"""`pycore tokens`: addresses for a study's participants, signed, so that nobody else may come."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pycore.cli.told import told
from pycore.errors import UsageError


@click.command("tokens", short_help="Make signed addresses for those who are invited.")
@click.argument("subjects", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--address", required=True, metavar="URL", help="The study's page, as participants open it.")
@click.option(
    "--join-secret", envvar="PYCORE_JOIN_SECRET", show_envvar=True, metavar="TEXT",
    help="The secret that the server is started with.",
)  # fmt: skip
@click.option(
    "--settings", "settings_file", type=click.Path(path_type=Path), metavar="FILE",
    help="The study's settings, for its name of the subject id in the address; default: PROLIFIC_PID.",
)  # fmt: skip
@told
def tokens(subjects: Path, address: str, join_secret: str | None, settings_file: Path | None) -> None:
    """Make an address for each subject of FILE, one a line, perhaps with a group behind a comma.

    Writes CSV: subject, group, address. Who has an address is that subject for the server, in that group; with any
    other token, or none, nobody may come.
    """
    from pycore.export.cells import rows_to, text
    from pycore.relay.people.admission import Admission, address_of, read_subjects
    from pycore.relay.transport.origins import is_page
    from pycore.settings import Settings
    from pycore.site.study import Study

    if not join_secret:
        raise UsageError(
            "give the secret by PYCORE_JOIN_SECRET, the same as to the server; a new one is what "
            "`python -c 'import secrets; print(secrets.token_urlsafe(32))'` prints"
        )
    Admission(secret=join_secret)
    if not is_page(address):
        raise UsageError(f"{address!r} is no address of a page; one is https://study.example.org/")
    settings = Settings() if settings_file is None else Settings.of(Study.read(settings_file).settings)
    if not settings.subject_from:
        raise UsageError(f"{settings_file} has no name for subject ids in addresses (subject_from): give one")
    put = rows_to(sys.stdout)
    put(("subject", "group", "address"))
    for subject, group in read_subjects(subjects).items():
        signed = address_of(address, join_secret, subject, group, settings.subject_from[0])
        put((text(subject), text(group), text(signed)))
