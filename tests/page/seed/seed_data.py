"""The seed server's research data: msgpack in, columns padded at their end, CSV out."""

from __future__ import annotations

import csv
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def unpack(data: bytes) -> Any:
    """What msgpack says, as far as JavaScript's encoders for JSON-like values go."""
    value, rest = _value(data, 0)
    if rest != len(data):
        raise ValueError(f"{len(data) - rest} bytes are left over")
    return value


NUMBERS = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i",
    0xD3: ">q",
}  # fmt: skip
SIZES = {0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}
CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


def _value(data: bytes, at: int) -> tuple[Any, int]:
    kind, at = data[at], at + 1
    if kind < 0x80:
        return kind, at
    if kind >= 0xE0:
        return kind - 0x100, at
    if kind in CONSTANTS:
        return CONSTANTS[kind], at
    if kind in NUMBERS:
        return struct.unpack_from(NUMBERS[kind], data, at)[0], at + struct.calcsize(NUMBERS[kind])
    if kind in SIZES:
        size = int.from_bytes(data[at : at + SIZES[kind]], "big")
        at += SIZES[kind]
    elif kind < 0xC0:
        size = kind & (0x1F if kind >= 0xA0 else 0x0F)
    else:
        raise ValueError(f"byte 0x{kind:02x} begins no value that JSON has")
    if kind < 0x90 or kind in (0xDE, 0xDF):
        members = {}
        for _ in range(size):
            key, at = _value(data, at)
            members[key], at = _value(data, at)
        return members, at
    if kind < 0xA0 or kind in (0xDC, 0xDD):
        items = []
        for _ in range(size):
            item, at = _value(data, at)
            items.append(item)
        return items, at
    return data[at : at + size].decode(), at + size


def flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dicts as one, the keys joined by dots; empty dicts leave nothing."""
    columns: dict[str, Any] = {}
    for key, value in data.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            columns |= flat(value, f"{name}.")
        else:
            columns[name] = value
    return columns


def padded(data: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The columns, filled up **at the end** to the longest; what is no list stands in the first row."""
    columns = {name: value if isinstance(value, list) else [value] for name, value in flat(data).items()}
    rows = max(map(len, columns.values()), default=0)
    return {name: values + [None] * (rows - len(values)) for name, values in columns.items()}


def write_csv(data: Mapping[str, Any], path: Path) -> None:
    """One file with a heading; None is an empty field."""
    columns = padded(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def read_csv(path: Path) -> dict[str, list[str]]:
    """The columns as text, all of one length."""
    with path.open(newline="", encoding="utf-8") as file:
        heading, *rows = csv.reader(file)
    return {name: [row[index] for row in rows] for index, name in enumerate(heading)}


def unpadded(values: Sequence[str]) -> list[str]:
    """A column without the padding at its end."""
    kept = list(values)
    while kept and kept[-1] == "":
        kept.pop()
    return kept
