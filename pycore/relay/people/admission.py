"""Who may come to a study: everybody with its address, those on a list, or those whose address is signed.

A list has one subject id a line, perhaps with a group behind a comma. A signed address has a token, which is the
HMAC-SHA256 of subject id and group under the study's secret; `pycore tokens` makes such addresses. So nobody can come
in another one's name, nor choose a group, and nothing has to be kept about who was invited.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import urllib.parse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from pycore.errors import ConfigError
from pycore.relay.fields import Refused
from pycore.relay.games.payloads import folded, subject_of
from pycore.relay.limits import Limits

GROUP: Final = "group"
TOKEN: Final = "token"
"""Names in a page's address."""
TOKEN_BYTES: Final = 18
SHORTEST_SECRET: Final = 16


class Admitted(NamedTuple):
    """Somebody may come."""

    subject: str | None
    group: str | None


class Admission:
    """Decides who may come."""

    def __init__(self, subjects: Mapping[str, str | None] | None = None, secret: str | None = None) -> None:
        """`subjects`: groups, or None, by those who may come; None: everybody may. `secret`: addresses have to be
        signed with it. Raises ConfigError for one that can be guessed."""
        if secret is not None and len(secret) < SHORTEST_SECRET:
            raise ConfigError(f"the tokens' secret has {len(secret)} characters; give it {SHORTEST_SECRET} or more")
        self._subjects = subjects
        self._secret = secret

    @property
    def is_open(self) -> bool:
        """Whether everybody may come."""
        return self._subjects is None and self._secret is None

    def admit(self, subject: str | None, query: str, limits: Limits) -> Admitted:
        """Whether somebody with that subject id, by a page with that address, may come, and to which group. Raises
        `Refused`."""
        group = subject_of(query, (GROUP,), limits)
        if self._secret is not None:
            token = subject_of(query, (TOKEN,), limits)
            if subject is None or token is None:
                raise Refused("not_invited", "this study is for those who were invited; the address lacks its token")
            right = token_of(self._secret, subject, group)
            if not hmac.compare_digest(token.encode(), right.encode()):
                raise Refused("not_invited", "this study is for those who were invited; the address was changed")
        if self._subjects is not None:
            if subject is None or subject not in self._subjects:
                raise Refused("not_invited", "this study is for those who were invited")
            group = self._subjects[subject] or group
        return Admitted(subject, group)


def token_of(secret: str, subject: str, group: str | None = None) -> str:
    """What signs an address."""
    text = json.dumps([subject, group]).encode()
    made = hmac.digest(secret.encode(), b"pycore join " + text, hashlib.sha256)[:TOKEN_BYTES]
    return base64.urlsafe_b64encode(made).decode()


def address_of(page: str, secret: str, subject: str, group: str | None, name: str) -> str:
    """The address of a page for one subject, signed; `name`: that of the subject id in it. Whatever stands there for
    the subject, the group or the token gives way: of a name that is there twice the first value would count."""
    split = urllib.parse.urlsplit(page)
    of_group = [] if group is None else [(GROUP, group)]
    own = [(name, subject), *of_group, (TOKEN, token_of(secret, subject, group))]
    names = {folded(each) for each in (name, GROUP, TOKEN)}
    given = urllib.parse.parse_qsl(split.query, keep_blank_values=True)
    kept = [pair for pair in given if folded(pair[0]) not in names]
    return split._replace(query=urllib.parse.urlencode([*kept, *own])).geturl()


def read_subjects(file: Path) -> dict[str, str | None]:
    """Groups, or None, by the subjects of a list: one a line, `subject` or `subject,group`. Raises ConfigError."""
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the subjects {file}: {error}") from error
    return parse_subjects(lines, str(file))


def parse_subjects(lines: Iterable[str], name: str) -> dict[str, str | None]:
    """The same of lines."""
    found: dict[str, str | None] = {}
    for number, line in enumerate(lines, 1):
        subject, _, group = (part.strip() for part in line.partition(","))
        if not subject or subject.startswith("#"):
            continue
        for text in (subject, group):
            if len(text) > Limits().id_chars or (text and not text.isprintable()):
                raise ConfigError(f"{name}, line {number}: {text!r:.60} is no subject id, or no group")
        if subject in found:
            raise ConfigError(f"{name}, line {number}: {subject!r} stands there twice")
        found[subject] = group or None
    if not found:
        raise ConfigError(f"{name} has no subject: one a line, or `subject,group`")
    return found
