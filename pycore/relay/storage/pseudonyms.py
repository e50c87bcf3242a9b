"""Names in the place of subject ids that stay the same as long as their key does, whatever else is exported with them.

A name is a keyed hash (HMAC-SHA256) of the id: who has the key can make the name of an id, and so find somebody who
asks to be forgotten; nobody can make the id of a name; without the key nobody can try out ids either. The key is a file
of its own, which belongs to no export.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path
from typing import Any, Final

from pycore.errors import ConfigError, UsageError

CHARACTERS: Final = 10
"""50 bits: of a million subjects two have the same with a chance of less than 1 in 2,000."""
LEAST: Final = 32
"""Characters of a key."""


class KeyedPseudonyms:
    """The names that one key makes."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    @classmethod
    def of_file(cls, file: Path, out: Path | None = None) -> KeyedPseudonyms:
        """Those of the key in a file, which is made if it is not there, for its owner alone. Raises `ConfigError`, and
        `UsageError` for one that lies in `out`, beside what it is to protect."""
        if out is not None and file.resolve().is_relative_to(out.resolve()):
            raise UsageError(f"the key {file} would be in {out}, beside the data; give it another place")
        try:
            try:
                key = file.read_text(encoding="ascii").strip()
            except FileNotFoundError:
                file.parent.mkdir(parents=True, exist_ok=True)
                key = secrets.token_urlsafe(LEAST)
                with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as stream:
                    stream.write(f"{key}\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read or make the key {file}: {error}") from error
        if len(key) < LEAST:
            raise ConfigError(f"{file} is no key: it has {len(key)} characters, and {LEAST} are the least")
        return cls(key)

    def of(self, subject: str) -> str:
        """The name of a subject."""
        made = hmac.new(self._key, subject.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
        return f"S{base64.b32encode(made).decode()[:CHARACTERS]}"

    def replaced(self, row: dict[str, Any], subjects: dict[str, str | None]) -> dict[str, str | None]:
        """The subjects of a game by their names. Raises `UsageError` where players are called by their ids, which would
        stand in every file."""
        # A number that says which seat it is, and is the same in every game, is nobody's name.
        seats = {str(player) for player in json.loads(row["players"]) if type(player) is int}
        for player, subject in subjects.items():
            if subject is not None and subject == player and player not in seats:
                raise UsageError(
                    f"in game {row['game_id']} the player {player!r} is called by the subject id, which would stand in "
                    "every file; pseudonyms need players that are called otherwise"
                )
        return {player: None if subject is None else self.of(subject) for player, subject in subjects.items()}
