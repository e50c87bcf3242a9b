"""The canonical form of a large value in pieces: so many values now, the rest later.

A state of 100 kB takes 10 ms and more to encode, a third of a tick in one piece. An `Encoder` stands still after
about as many values as it was given and goes on from there; what comes out is byte for byte what `encode` gives, and
so is the error.

It recurses as `encode` does, since nothing else is as fast. To stand still it unwinds: each container that is open
notes what is left of it (`_Open`) and lets `_Unwind` go on up. The notes lie on a stack, the innermost on top, and
the next run begins with that one. Values are counted by the container, before its items, or by `WHOLE` at a time.

What is never cut: a number, a string, an array; a key; up to `WHOLE` plain values in a row, in a dictionary up to
`MAX_LAYOUT_KEYS`; the last merge of the sorted keys of a larger dictionary or set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from operator import itemgetter
from typing import Any, Final

from pycore.errors import CanonicalError, UsageError
from pycore.values.arrays import length
from pycore.values.encoding import (
    FORMS,
    MAX_DEPTH,
    MAX_LAYOUT_KEYS,
    Form,
    Put,
    RefusedError,
    base_form,
    dict_form,
    error_of,
    index_step,
    is_numpy,
    layout_of,
    list_form,
    member_of,
    other_form,
    path_step,
    refuse_depth,
    refuse_twins,
    set_form,
)

__all__ = ["WHOLE", "Encoder"]

WHOLE: Final = 64


class Encoder:
    """Encodes one value in as many runs as its user likes. The value must not change in the meantime.

    With `put`, as a hash object's ``update``, the bytes go there at the end of each run, and are not kept.
    """

    def __init__(self, value: Any, put: Callable[[bytes], object] | None = None) -> None:
        self._put = put
        self._parts: list[bytes] = []
        self._own: dict[Form, Form] = {list_form: self._list, dict_form: self._dict, set_form: self._set}
        self._forms: dict[type, Form] = {kind: self._own.get(form, form) for kind, form in FORMS.items()}
        self._stack = [_Open(self._value, _no_step, value, iter(()), 0)]
        self._unwound: list[_Open] = []
        """What was left open on the way up, the innermost first."""
        self._left = 0
        self._error: tuple[str, str] | None = None

    def run(self, items: int) -> bool:
        """Encode about so many values more, at least one; true when all is done. Raises what `encode` raises."""
        if self._error is None:
            self._go_on(items)
        if self._error is not None:
            # A new one each time: one that was kept would hold on to this frame, and so to the encoder.
            raise CanonicalError(*self._error)
        if self._put is not None and self._parts:
            self._put(b"".join(self._parts))
            self._parts.clear()
        return not self._stack

    def _go_on(self, items: int) -> None:
        stack = self._stack
        self._left = max(items, 1)
        try:
            while stack and self._left > 0:
                opened = stack.pop()
                try:
                    opened.walk(opened.value, opened.rest, opened.depth)
                except _Unwind:
                    stack += reversed(self._unwound)
                    self._unwound.clear()
        except (RefusedError, RecursionError) as refused:
            if isinstance(refused, RefusedError):
                refused.parts += [step for opened in reversed(stack) if (step := opened.step(opened.value, opened.at))]
            error = error_of(refused)
            self._error = error.path, error.why
        if self._error is not None or not stack:
            self._forget()

    def result(self) -> bytes:
        """The canonical bytes, once `run` has said that all is done."""
        if self._put is not None:
            raise UsageError("result() of an Encoder that was given where to put the bytes: they are there")
        if self._stack or self._error is not None:
            raise UsageError("result() before run() returned True")
        return b"".join(self._parts)

    def _forget(self) -> None:
        # The methods in these would keep the encoder and its bytes until the collector comes.
        self._own.clear()
        self._forms.clear()
        self._stack.clear()

    # --- the forms of containers ---

    def _list(self, value: Any, put: Put, depth: int) -> None:
        if depth >= MAX_DEPTH:
            refuse_depth()
        put(b"\x07" + length(len(value)))
        if self._left <= 0:
            self._leave(self._items, index_step, value, iter(value), None, depth + 1)
        self._items(value, iter(value), depth + 1)

    def _dict(self, value: Any, put: Put, depth: int) -> None:
        if depth >= MAX_DEPTH:
            refuse_depth()
        if len(value) > MAX_LAYOUT_KEYS:
            self._leave(self._keys([], dict_form), _no_step, value, iter(value), None, depth + 1)
        head, pairs = layout_of(value, depth)
        put(head)
        if self._left <= 0:
            self._leave(self._pairs, _key_step, value, iter(pairs), None, depth + 1)
        self._pairs(value, iter(pairs), depth + 1)

    def _set(self, value: Any, put: Put, depth: int) -> None:
        if depth < MAX_DEPTH and len(value) > MAX_LAYOUT_KEYS:
            self._leave(self._keys([], set_form), _no_step, value, iter(value), None, depth + 1)
        self._left -= len(value)
        set_form(value, put, depth)

    def _other(self, value: Any, put: Put, depth: int) -> None:
        if is_numpy(value):
            other_form(value, put, depth)
        else:
            form = base_form(value)
            self._own.get(form, form)(value, put, depth)

    # --- what goes on where it stood ---

    def _value(self, value: Any, rest: Iterator[Any], depth: int) -> None:
        """All of it, which no path names and nobody comes back to."""
        self._forms.get(type(value), self._other)(value, self._parts.append, depth)

    def _items(self, value: Any, rest: Iterator[Any], depth: int) -> None:
        """The items of a list that are left."""
        forms = self._forms
        put = self._parts.append
        other = self._other
        item = None
        try:
            if len(value) <= WHOLE:
                self._left -= len(value)
                for item in rest:
                    forms.get(type(item), other)(item, put, depth)
                return
            for first in rest:
                item = first
                forms.get(type(item), other)(item, put, depth)
                for item in islice(rest, WHOLE - 1):
                    forms.get(type(item), other)(item, put, depth)
                self._left -= WHOLE
                if self._left <= 0:
                    raise _Unwind
        except _Unwind:
            self._leave(self._items, index_step, value, rest, item, depth)
        except RefusedError as refused:
            refused.parts.append(index_step(value, item))
            raise

    def _pairs(self, value: dict[Any, Any], rest: Iterator[tuple[Any, bytes]], depth: int) -> None:
        """The pairs of a dictionary that are left, in canonical order."""
        forms = self._forms
        put = self._parts.append
        other = self._other
        key = None
        try:
            if len(value) <= MAX_LAYOUT_KEYS:
                self._left -= len(value)
                for key, data in rest:
                    put(data)
                    item = value[key]
                    forms.get(type(item), other)(item, put, depth)
                return
            for first, data in rest:
                key = first
                self._left -= 1
                put(data)
                item = value[key]
                forms.get(type(item), other)(item, put, depth)
                if self._left <= 0:
                    raise _Unwind
        except _Unwind:
            self._leave(self._pairs, _key_step, value, rest, key, depth)
        except RefusedError as refused:
            refused.parts.append(path_step(key))
            raise

    def _keys(self, found: list[tuple[bytes, Any]], form: Form) -> _Walk:
        """A dictionary or set with many keys: they are encoded and sorted before anything is put."""

        def walk(value: Any, rest: Iterator[Any], depth: int) -> None:
            piece = [(member_of(key, depth), key) for key in islice(rest, max(self._left, WHOLE))]
            # Each piece is in order, so that the sort at the end has only to merge.
            piece.sort(key=_FIRST)
            found.extend(piece)
            if piece:
                self._left -= len(piece)
                self._leave(walk, _no_step, value, rest, None, depth)
            found.sort(key=_FIRST)
            members = [data for data, _key in found]
            refuse_twins(members)
            put = self._parts.append
            if form is set_form:
                put(b"\x09" + length(len(members)) + b"".join(members))
                return
            put(b"\x08" + length(len(members)))
            pairs = iter([(key, data) for data, key in found])
            self._leave(self._pairs, _key_step, value, pairs, None, depth)

        return walk

    def _leave(self, walk: _Walk, step: _Step, value: Any, rest: Iterator[Any], at: Any, depth: int) -> None:
        """Note what is left of a container, and go up."""
        self._unwound.append(_Open(walk, step, value, rest, depth, at))
        raise _Unwind


_Walk = Callable[[Any, Iterator[Any], int], None]
_Step = Callable[[Any, Any], str]


class _Unwind(Exception):
    """On its way up from where the encoder stands still; each container that is open notes what is left of it."""


class _Open:
    """What is left of a container."""

    __slots__ = ("at", "depth", "rest", "step", "value", "walk")

    def __init__(self, walk: _Walk, step: _Step, value: Any, rest: Iterator[Any], depth: int, at: Any = None) -> None:
        self.walk = walk
        self.step = step
        """The part of the path from here to `at`, the item or the key that is open itself."""
        self.value = value
        self.rest = rest
        self.depth = depth
        self.at = at


_FIRST = itemgetter(0)


def _key_step(value: Any, key: Any) -> str:
    return path_step(key)


def _no_step(value: Any, at: Any) -> str:
    return ""
