"""Subject ids in texts: found, and replaced, where a text was written by a page or an environment.

An id is found as a word of its own, as it is or as it stands in an address or in JSON. One of fewer than four
characters is a word of a language, or a number, as likely as it is anybody; it is found where it is the value of a name
in an address alone.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, quote_plus

SHORT: Final = 4
"""Characters of an id that may be anything."""


@lru_cache(maxsize=4096)
def _pattern(subject: str) -> re.Pattern[str]:
    safe = subject.encode("utf-8", "surrogatepass")
    forms = {subject, quote(safe, safe=""), quote_plus(safe), json.dumps(subject)[1:-1]}
    any_of = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    before = r"(?<=\w=)" if len(subject) < SHORT else r"(?<!\w)"
    return re.compile(rf"{before}(?:{any_of})(?!\w)")


def found_in(text: str, subject: str) -> bool:
    """Whether a subject id stands in a text."""
    return _pattern(subject).search(text) is not None


def renamed(text: str, subject: str, name: str) -> str:
    """A text with a name in the place of a subject id."""
    return _pattern(subject).sub(lambda _: name, text)
