"""What becomes of arrays and numbers of numpy when an environment is captured.

An array that has its own memory is copied by numpy, beside the pickle: to make one of its type, shape and bytes takes
five times as long. Views stay views of the same array, or of the same buffer; what may not be written to stays so; and
subclasses keep their attributes.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pycore.envs.attributes import bare_state, put_state
from pycore.envs.stock import ARRAY, NUMBER
from pycore.envs.subclasses import Reduce, plainly

__all__ = ["array_with_attributes", "arrays_into", "copies", "dtype_of", "numbers_into", "record_of"]

WHOLE: Final = frozenset({0x505, 0x507})
"""Flags of an array that has its own memory, in the order of C, and may be written to; the second if that is also the
order of Fortran, as in one dimension."""


def copies(arrays: Sequence[Any]) -> Iterator[Any]:
    """A copy of each."""
    # Without numpy there are none.
    return map(sys.modules["numpy"].ndarray.copy, arrays) if arrays else iter(())


def arrays_into(arrays: list[Any]) -> Reduce:
    """The reduction of arrays: those that have their own memory go into a list, to be copied from there."""
    append, copy = arrays.append, (ARRAY, ())

    def reduce(value: Any) -> Any:
        if value.flags.num in WHOLE and value.dtype in _numeric:  # nearly all
            append(value)
            return copy
        base, flags = value.base, value.flags
        if base is not None and type(base) is not bytes:
            return _array_of(base, value)
        if not (_is_numeric(value.dtype) and flags.c_contiguous):
            return plainly(value) if flags.writeable else (_lock, (value.copy(order="K"),))
        if not flags.writeable:
            return _lock, (value.copy(),)
        append(value)
        return copy

    return reduce


def _array_of(base: Any, value: Any) -> Any:
    """An array whose memory is that of another object."""
    if type(base) is memoryview:
        base = base.obj
    if type(base).__name__ == "DummyArray":  # of a view with strides of its own
        base = base.base
    if not isinstance(base, (sys.modules["numpy"].ndarray, bytearray, array)):
        return plainly(value)
    return _view, (type(value), base, *_place(value, base), value.flags.writeable)


def _place(value: Any, base: Any) -> Any:
    return value.dtype, value.shape, value.strides, _address(value) - _address(base)


_numeric: set[Any] = set()
"""Types of numbers that were met in arrays. To look there takes half as long as to ask one for its kind."""


def _is_numeric(dtype: Any) -> bool:
    if dtype.kind in "biufc":
        _numeric.add(dtype)
    return dtype in _numeric


def dtype_of(value: Any) -> Any:
    """The reduction of types of arrays."""
    # numpy's own way gives a state beside it, which is set anew at each load.
    is_plain = value.kind in "biufc" and not value.metadata
    return (sys.modules["numpy"].dtype, (value.str,)) if is_plain else plainly(value)


def array_with_attributes(value: Any) -> Any:
    """The reduction of arrays of a class derived from numpy's."""
    if type(value).__reduce__ is not sys.modules["numpy"].ndarray.__reduce__:
        return plainly(value)  # as a masked array does it
    base, flags = value.base, value.flags
    if isinstance(base, sys.modules["numpy"].ndarray):
        given = type(value), base, *_place(value, base), flags.writeable
        return _view, given, bare_state(value), None, None, put_state
    make, given, state, *_ = value.__reduce__()
    return make, given, (state, bare_state(value)), None, None, _put_array


def _put_array(value: Any, state: Any) -> None:
    of_array, attributes = state
    sys.modules["numpy"].ndarray.__setstate__(value, of_array)
    put_state(value, attributes)


def record_of(value: Any) -> Any:
    """The reduction of a row of a structured array, which is that row: what is written into it is in the array."""
    base = value.base
    if value.dtype.names is None or value.dtype.hasobject or not isinstance(base, sys.modules["numpy"].ndarray):
        return plainly(value)
    return _record, (value.dtype, base, _address(value) - _address(base))


def _record(dtype: Any, base: Any, offset: int) -> Any:
    return sys.modules["numpy"].ndarray((), dtype, base, offset)[()]


def _lock(made: Any) -> Any:
    made.flags.writeable = False
    return made


def numbers_into(numbers: list[Any]) -> Reduce:
    """The reduction of numpy's numbers: they never change, so they themselves go into a list."""
    append, same = numbers.append, (NUMBER, ())

    def reduce(value: Any) -> Any:
        append(value)
        return same

    return reduce


def _address(owner: Any) -> int:
    numpy = sys.modules["numpy"]
    whole = owner if isinstance(owner, (numpy.ndarray, numpy.void)) else numpy.frombuffer(owner, "u1")
    return int(whole.__array_interface__["data"][0])


def _view(kind: Any, base: Any, dtype: Any, shape: Any, strides: Any, offset: int, writeable: bool) -> Any:
    made = sys.modules["numpy"].ndarray.__new__(kind, shape, dtype, base, offset, strides)
    return made if writeable else _lock(made)
