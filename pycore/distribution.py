"""How the values of a session are spread: counts in buckets, in memory that is bounded however many there are.

A value is a whole number of units that is not negative: frames, or tenths of a millisecond. Below 64 each has a bucket
of its own; above, a bucket is a thirty-second of its value wide, so that its middle is off by 1.6 % at most. Taking a
value in is an append; the buckets are counted now and then, many values at a time.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

TENTHS: Final = 10_000.0
"""Units of a second, where times are counted: tenths of a millisecond."""
TOGETHER: Final = 256
"""Values that are counted at a time."""
EXACT: Final = 64
_BITS: Final = 6
_NO_MINIMUM: Final = 1 << 62


class Distribution:
    """Values as buckets."""

    __slots__ = ("_buckets", "_count", "_largest", "_smallest", "_waiting")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self._waiting: list[int] = []
        self._count = 0
        self._smallest = _NO_MINIMUM
        self._largest = -1

    def add(self, value: int) -> None:
        """Take in one value."""
        waiting = self._waiting
        waiting.append(value)
        if len(waiting) >= TOGETHER:
            self._sort_in()

    def extend(self, values: list[int]) -> None:
        """Take in many."""
        self._waiting += values
        if len(self._waiting) >= TOGETHER:
            self._sort_in()

    def _sort_in(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._count += len(waiting)
        buckets = self._buckets
        for value, times in Counter(waiting).items():
            self._smallest = min(self._smallest, value)
            self._largest = max(self._largest, value)
            bucket = value
            if value >= EXACT:
                shift = value.bit_length() - _BITS
                bucket = (shift << _BITS) + (value >> shift)
            buckets[bucket] = buckets.get(bucket, 0) + times

    def export(self, unit: float = 1.0) -> dict[str, Any]:
        """Count, extremes and percentiles, each value times `unit`; all but the count are None without a value.

        A percentile is the smallest value that so many of a hundred do not exceed: the middle of its bucket.
        """
        if self._waiting:
            self._sort_in()
        count = self._count
        if not count:
            return {"count": 0, "min": None, "p50": None, "p90": None, "p99": None, "max": None}
        found: dict[str, Any] = {"count": count, "min": self._smallest, "max": self._largest}
        ordered = sorted(self._buckets.items())
        for percent in (50, 90, 99):
            left = -(-count * percent // 100)
            value = self._largest
            for bucket, times in ordered:
                left -= times
                if left <= 0:
                    value = min(max(_middle(bucket), self._smallest), self._largest)
                    break
            found[f"p{percent}"] = value
        return found if unit == 1.0 else {
            name: value if name == "count" else round(value * unit, 2) for name, value in found.items()
        }  # fmt: skip


def _middle(bucket: int) -> int:
    shift = bucket >> _BITS
    return bucket if shift == 0 else ((bucket & (EXACT - 1)) << shift) + (1 << shift >> 1)
