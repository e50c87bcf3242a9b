"""The rules of Psych-DS, written from its specification: what a data set lacks.

Those that its validator calls errors, and of those that it calls warnings what an export can do something about:
official keywords in names, a README and CHANGES, properties that schema.org has.
"""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path
from typing import Any

NAME = re.compile(r"([a-z]+-[a-zA-Z0-9]+)(_[a-z]+-[a-zA-Z0-9]+)*_data\.(csv|tsv)")
KEYWORDS = frozenset(("study", "site", "subject", "session", "task", "condition", "trial", "stimulus", "description"))
VARIABLE = frozenset(("@type", "name", "description", "unitText", "minValue", "maxValue", "value", "alternateName"))
"""Of schema.org's PropertyValue."""


def lacks(folder: Path) -> list[str]:
    """Everything that is wrong with a data set; nothing if it is valid."""
    found: list[str] = []
    description = _description(folder, found)
    variables = {each if isinstance(each, str) else each.get("name") for each in description["variableMeasured"]}
    found += [
        f"no {stem}" for stem in ("README", "CHANGES") if not {f"{stem}.md", f"{stem}.txt"} & set(os.listdir(folder))
    ]
    found += [f"{path.name} is empty" for path in folder.rglob("*") if path.is_file() and not path.stat().st_size]
    files = sorted(path for path in (folder / "data").rglob("*") if path.suffix in (".csv", ".tsv"))
    if not files:
        found.append("no file in data/")
    seen: set[str] = set()
    for path in files:
        if not NAME.fullmatch(path.name):
            found.append(f"the name {path.name}")
        for word in path.name.split("_")[:-1]:
            if word.partition("-")[0] not in KEYWORDS:
                found.append(f"the keyword {word} in {path.name}")
        seen |= _columns(path, variables, found)
    found += [f"the variable {name} is in no file" for name in sorted(variables - seen)]
    return found


def _description(folder: Path, found: list[str]) -> dict[str, Any]:
    nothing: dict[str, Any] = {"variableMeasured": []}
    try:
        value = json.loads((folder / "dataset_description.json").read_bytes().decode("utf-8"))
    except (OSError, ValueError) as error:
        found.append(f"dataset_description.json: {type(error).__name__}")
        return nothing
    if str(value.get("@context")).rstrip("/") not in ("https://schema.org", "http://schema.org"):
        found.append("@context")
    if value.get("@type") != "Dataset":
        found.append("@type")
    found += [f"no {name}" for name in ("name", "description", "variableMeasured") if not value.get(name)]
    for each in value.get("variableMeasured", []):
        if isinstance(each, dict):
            if each.get("@type") != "PropertyValue" or not each.get("name"):
                found.append(f"the variable {each}")
            found += [f"{name} of {each['name']}" for name in sorted(each.keys() - VARIABLE)]
    return nothing | value


def _columns(path: Path, variables: set[Any], found: list[str]) -> set[str]:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream, delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
        header = next(rows, [])
        if not header or len(set(header)) < len(header):
            found.append(f"the header of {path.name}")
        found += [f"{path.name} has {name}, which is no variable" for name in header if name not in variables]
        found += [f"{path.name}, row {number}" for number, row in enumerate(rows, 2) if len(row) != len(header)]
    return set(header)
