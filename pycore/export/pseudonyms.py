"""Subject ids replaced by P001, P002, … in the order in which their first games began.

The mapping is a file of its own, outside of the tables: whoever gets the tables cannot undo it. A mapping that is there
already is kept to and continued, so that a subject has one pseudonym in every export of a study.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pycore.errors import ConfigError, UsageError

_PSEUDONYM = re.compile(r"P\d{3,}")


class Pseudonyms:
    """The pseudonyms of a study, by subject."""

    def __init__(self, file: Path | None, tables: Iterable[Path]) -> None:
        self.file = file
        """Where they are kept; None where nobody is to know."""
        if file is None:
            self._names: dict[str, str] = {}
            return
        for folder in tables:
            if file.resolve().is_relative_to(folder.resolve()):
                raise UsageError(f"the mapping {file} would be in {folder}, beside the tables; give it another place")
        self._names = _read(file)

    def name(self, abouts: Iterable[Mapping[str, Any]]) -> None:
        """Give every subject of these games a pseudonym; they are in the order in which they began."""
        number = max((int(name[1:]) for name in self._names.values()), default=0)
        for about in abouts:
            subjects = about.get("subjects", {})
            # A number that says which seat it is, and is the same in every game, is nobody's name.
            seats = {str(player) for player in about.get("players", ()) if type(player) is int}
            # Players in their order; whoever has a subject and is none of them has a pseudonym, too.
            for player in dict.fromkeys([*map(str, about.get("players", ())), *subjects]):
                subject = subjects.get(player)
                if subject == player and player not in seats:
                    raise UsageError(
                        f"in game {about.get('game_id')} the player {player!r} is called by the subject id, which "
                        "would stand in every table; pseudonyms need players that are called otherwise"
                    )
                if subject is not None and str(subject) not in self._names:
                    number += 1
                    self._names[str(subject)] = f"P{number:03}"

    def of(self, subject: Any) -> str:
        """The pseudonym of a subject."""
        return self._names[str(subject)]

    def write(self) -> None:
        """Write the mapping, at once or not at all; nobody but its owner may read it."""
        if self.file is None:
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{self.file.name}.", dir=self.file.parent)
            try:
                with open(handle, "w", encoding="utf-8") as stream:
                    json.dump({name: subject for subject, name in self._names.items()}, stream, indent=1)
                    stream.write("\n")
                os.replace(name, self.file)
            finally:
                Path(name).unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(f"cannot write the mapping {self.file}: {error.strerror}") from error


def subjects_of(about: Mapping[str, Any], pseudonyms: Pseudonyms | None) -> dict[str, str]:
    """Of what is known of a game: the subject of each player who has one, or the pseudonym in its place."""
    return {
        player: pseudonyms.of(subject) if pseudonyms is not None else str(subject)
        for player, subject in (about.get("subjects") or {}).items() if subject is not None
    }  # fmt: skip


def _read(file: Path) -> dict[str, str]:
    try:
        values = json.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"cannot read the mapping {file}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"the mapping {file} is not JSON: {error}") from error
    if not isinstance(values, dict) or not all(
        _PSEUDONYM.fullmatch(name) and isinstance(subject, str) for name, subject in values.items()
    ):
        raise ConfigError(f"{file} is no mapping of pseudonyms: those are a JSON object of P001 and subject ids")
    return {subject: name for name, subject in values.items()}
