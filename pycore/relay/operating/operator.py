"""Who may see and do what is the operator's: whoever has the token that the server was started with.

An address says nothing about who asks: behind a proxy everybody comes from this machine. The token comes in the header
`Authorization`, which no other site's page can have a browser send, as it can have it send a cookie; so no link makes
an operator do something.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Final

from pycore.errors import UsageError

TOKEN: Final = re.compile(r"[A-Za-z0-9._~-]{12,128}")
"""It stands in addresses."""


def check_token(token: str) -> str:
    """The same token. Raises `UsageError` for one that can be guessed, or that cannot stand in an address."""
    if not TOKEN.fullmatch(token):
        raise UsageError(
            "the operator's token must have 12 to 128 letters, digits and -._~ alone: it stands in an address, and "
            "whoever guesses it sees the games, and may close the study"
        )
    return token


class Operator:
    """The operator of one relay; without a token there is none."""

    def __init__(self, token: str | None) -> None:
        self._token = (token or "").encode()
        # Names that anybody could make by trying ids would be none.
        self._key = self._token or secrets.token_bytes(32)

    @property
    def exists(self) -> bool:
        """Whether anybody can be the operator."""
        return bool(self._token)

    def is_operator(self, presented: str) -> bool:
        """Whether it is the operator's token; it takes as long whatever was guessed."""
        return self.exists and hmac.compare_digest(presented.encode("utf-8", "surrogatepass"), self._token)

    def mark(self, text: str, length: int) -> str:
        """Characters that stand for a text, the same as long as the token is the same; without that nobody can tell
        what they stand for."""
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:length]

    def person(self, subject_id: str) -> str:
        """What a subject is called where the id itself is not shown."""
        return self.mark(f"person {subject_id}", 6)
