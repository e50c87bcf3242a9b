"""What pycore's page says to participants: one table of texts per language, and what a study changes of it.

A table is a JSON file in `texts/`: a text by each name, with values in braces, `{names}`. A text that depends on a
number is an object by plural category, as `Intl.PluralRules` of the language has them; `other` is there in any case.
English has the names and the values that there are: every other table, and every text of a study, is measured by it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pycore.errors import ConfigError, nearest

TABLES: Final = Path(__file__).with_name("texts")
USUAL: Final = "en"
PLURALS: Final = ("zero", "one", "two", "few", "many", "other")
VALUE: Final = re.compile(r"\{([^{}]*)\}")
LANGUAGE: Final = re.compile(
    "[A-Za-z]{2,3}"
    "(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))?"
    "(-[Uu](-[A-Za-z0-9][A-Za-z](-[A-Za-z0-9]{3,8})*)+)?"
)
"""Language, script, region, a variant, and how numbers are written (`ar-u-nu-latn`): what every browser's `Intl` takes.
It throws at whatever else BCP 47 may allow."""
RIGHT_TO_LEFT: Final = frozenset(("ar", "arc", "ckb", "dv", "fa", "he", "ps", "sd", "syr", "ug", "ur", "yi"))

Text = str | dict[str, str]


def languages() -> list[str]:
    """Those that have a table."""
    return sorted(path.stem for path in TABLES.glob("*.json"))


def table(language: str) -> dict[str, Text]:
    """The table of one of `languages`."""
    found: dict[str, Text] = json.loads((TABLES / f"{language}.json").read_text("utf-8"))
    return found


def direction(language: str) -> str:
    """`ltr` or `rtl`, as HTML has it."""
    return "rtl" if language.partition("-")[0].lower() in RIGHT_TO_LEFT else "ltr"


def worded(language: str, given: Mapping[str, Any]) -> dict[str, Text]:
    """All texts in a language, those of the study in the place of pycore's. Raises ConfigError.

    The language of a region, `de-AT`, has the table of the language; one that has none needs all texts from the study.
    """
    if not isinstance(language, str) or not LANGUAGE.fullmatch(language):
        raise ConfigError(f"language is {language!r:.40}; it must be a language's code, as 'en', 'pt-BR' or 'zh-Hans'")
    usual = table(USUAL)
    for name, text in given.items():
        if name not in usual:
            raise ConfigError(f"texts has {name!r}; {_near(name, usual)}")
        check(name, text, usual[name])
    base = next((name for name in (language.lower(), language.partition("-")[0].lower()) if name in languages()), None)
    own: dict[str, Text] = {} if base is None else table(base)
    found = {name: given.get(name, own.get(name)) for name in usual}
    missing = [name for name, text in found.items() if text is None]
    if missing:
        raise ConfigError(
            f"language is {language!r}, for which pycore has no texts (it has {', '.join(languages())}): give them in "
            f'"texts"; {len(missing)} are missing, the first is {missing[0]!r}. `pycore texts > {language}.json` has '
            f'all of them to translate, and "texts": "{language}.json" takes them'
        )
    return {name: text for name, text in found.items() if text is not None}


def check(name: str, text: Any, usual: Text) -> None:
    """Refuse what the page could not say in the place of `usual`. Raises ConfigError."""
    forms = {"other": text} if isinstance(text, str) else text
    if not isinstance(forms, Mapping) or not all(isinstance(form, str) for form in forms.values()):
        raise ConfigError(f"texts[{name!r}] is {text!r:.60}; it must be a text{_by_number(usual)}")
    if isinstance(usual, str) and not isinstance(text, str):
        raise ConfigError(f"texts[{name!r}] is {text!r:.60}; it depends on no number, and must be one text")
    for category in forms:
        if category not in PLURALS:
            raise ConfigError(f"texts[{name!r}] has {category!r}; {nearest(category, PLURALS)}")
    if "other" not in forms:
        raise ConfigError(f"texts[{name!r}] has no 'other', which is said where no other form fits")
    known = values_of(usual)
    for form in forms.values():
        for value in VALUE.findall(form):
            if value not in known:
                hint = nearest(value, known) if known else "no value can stand there"
                raise ConfigError(f"texts[{name!r}] has {{{value}}}; {hint}")


def values_of(text: Text) -> list[str]:
    """The names in braces."""
    forms = [text] if isinstance(text, str) else text.values()
    return sorted({value for form in forms for value in VALUE.findall(form)})


def _by_number(usual: Text) -> str:
    return "" if isinstance(usual, str) else ', or an object of texts by number, as {"one": "…", "other": "…"}'


def _near(name: object, usual: Mapping[str, Text]) -> str:
    """All names would be two hundred."""
    hint = nearest(name, usual)
    return hint if hint.startswith("did you mean") else "`pycore texts` lists all there are"
