"""Which wheel fits a page: by its Python, and by the version that a requirement asks for.

Versions and requirements as Python's packages have them, as far as they can be told apart without a library: a release,
what comes before it (`dev`, `a`, `b`, `rc`) and behind it (`post`), and clauses such as ``>=1.2,!=1.3.*``.
"""

from __future__ import annotations

import re
from typing import Any, Final

_VERSION: Final = re.compile(
    r"v?(?:\d+!)?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<stage>alpha|beta|preview|pre|a|b|c|rc)[-_.]?(?P<number>\d*))?"
    r"(?:(?:[-_.]?(?:post|rev|r)[-_.]?|-)(?P<post>\d*))?(?:[-_.]?(?P<dev>dev)[-_.]?(?P<of_dev>\d*))?(?:\+.*)?",
    re.IGNORECASE,
)
_CLAUSE: Final = re.compile(r"(===|==|!=|~=|<=|>=|<|>)\s*([^\s,]+)")
_STAGES: Final = {"alpha": "a", "beta": "b", "preview": "c", "pre": "c", "rc": "c"}

Order = tuple[Any, ...]


def order_of(version: str) -> Order:
    """What versions are compared by; of a text that is none, its numbers."""
    found = _VERSION.fullmatch(version.strip())
    if found is None:
        return (_release(".".join(re.findall(r"\d+", version))), ("z", 0), -1, (1, 0))
    stage = (found["stage"] or "z").lower()
    stage = _STAGES.get(stage, stage)
    post = -1 if found["post"] is None else int(found["post"] or 0)
    if found["dev"] and stage == "z" and post < 0:
        # What is on its way to a release comes before all of what precedes that.
        stage = ""
    dev = (0, int(found["of_dev"] or 0)) if found["dev"] else (1, 0)
    return (_release(found["release"]), (stage, int(found["number"] or 0)), post, dev)


def is_final(version: str) -> bool:
    """Whether it is a release, and nothing that comes before one."""
    _, (stage, _), _, (dev, _) = order_of(version)
    return bool(stage == "z" and dev == 1)


def satisfies(version: str, rule: str) -> bool:
    """Whether a version is one that a rule such as ``>=1.2,<2`` asks for; an empty one asks for any."""
    return all(_is(version, sign, wanted) for sign, wanted in _CLAUSE.findall(rule))


def _is(version: str, sign: str, wanted: str) -> bool:
    if sign == "===":
        return version == wanted
    if wanted.endswith(".*"):
        wanted = wanted.removesuffix(".*")
        if sign in ("==", "!="):
            return _begins(version, wanted) is (sign == "==")
    mine, other = order_of(version), order_of(wanted)
    if sign == "~=":
        return mine >= other and _begins(version, wanted.rpartition(".")[0])
    if sign == "<" and is_final(wanted) and mine[0] == other[0]:
        return False  # what comes before a release is not asked for by "before it"
    compared = (mine > other) - (mine < other)
    return {"==": compared == 0, "!=": compared != 0, "<=": compared <= 0, ">=": compared >= 0, "<": compared < 0,
            ">": compared > 0}[sign]  # fmt: skip


def _begins(version: str, release: str) -> bool:
    parts = [int(part) for part in re.findall(r"\d+", release)]
    own = list(order_of(version)[0])
    return (own + [0] * len(parts))[: len(parts)] == parts


def _release(text: str) -> tuple[int, ...]:
    """Zeros at the end say nothing: 1.0 is 1."""
    return tuple(int(part) for part in re.sub(r"(\.0+)+$", "", text).split(".") if part)


def fits(python: str, abi: str, platform: str, tag: str | None) -> bool:
    """Whether a page can take a wheel with these tags, whose Python has this one, as in `cp314`; None: not known."""
    if platform != "any" and "wasm32" not in platform:
        return False
    minor = None if tag is None else int(tag[3:])
    for each in python.split("."):
        found = re.fullmatch(r"(py|cp)3(\d*)", each)
        if found is None:
            continue
        least = int(found[2] or 0)
        if minor is None or least == minor or (least < minor and (found[1] == "py" or "abi3" in abi)):
            return True
    return False
