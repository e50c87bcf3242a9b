"""What a command writes, against what it reads and writes besides: no thing of a call takes the place of another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from pycore.errors import UsageError

PAGE: Final = b"<!doctype html>"
"""How a page begins."""


def apart(written: Mapping[str, Path | None], read: Iterable[Path | None] = ()) -> None:
    """`written`: by the option that says it, a file or a folder that would be replaced as a whole; `read`: files that
    the command reads. Raises UsageError where two of these are one, or what is written lies in another such folder."""
    places = [(name, path.resolve()) for name, path in written.items() if path is not None]
    for number, (name, place) in enumerate(places):
        for other, there in places[:number]:
            if place == there:
                raise UsageError(f"{other} and {name} are both {place}, so one would replace the other; give two names")
    for name, place in places:
        for other, there in places:
            if name != other and place.is_relative_to(there):
                what = f"{name} {place} lies in {other} {there}"
                raise UsageError(f"{what}, which is replaced as a whole; give places beside each other")
    for path in read:
        for name, place in places:
            if path is not None and path.resolve() == place:
                raise UsageError(f"{name} {place} is what is read, and would be replaced; give another name")


def replaceable(page: Path) -> None:
    """That what lies where a page is to be written is a page, or nothing. Raises UsageError: a record, or a database,
    may be there by a slip of the keyboard."""
    if not page.is_file():
        return
    with page.open("rb") as file:
        head = file.read(len(PAGE)).lower()
    if head and head != PAGE:
        raise UsageError(f"{page} is there, and is no page, which would be replaced; give another name")
