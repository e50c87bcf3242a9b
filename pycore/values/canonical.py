"""The canonical form: one value, one byte string, for hashes, handshakes, blobs and files.

Two peers that hold the same state must hash the same bytes, whatever the order of a dictionary, the byte
order of an array or the sign of a NaN (wasm leaves it open). And what comes from a peer must be readable
without trusting it. So every value has exactly one encoding, and the decoder accepts that one only.

=====  ==================  ======================================================================
tag    value               bytes that follow
=====  ==================  ======================================================================
0      None                nothing
1, 2   False, True         nothing (a bool is not an int: ``True`` and ``1`` differ)
3      int                 zigzag, then LEB128, shortest form; at most `MAX_INT_BITS` bits after zigzag
4      float               8 bytes IEEE 754, big-endian; one NaN; -0.0 stays -0.0; ``1.0`` is not ``1``
5      str                 length, UTF-8 (a lone surrogate has none: an error)
6      bytes, bytearray    length, bytes
7      list = tuple        count, items; decodes to list, in a key to tuple
8      dict                count, then key and value, keys ascending by their canonical bytes
9      set = frozenset     count, members ascending by their canonical bytes
10     numpy scalar/array  index in `DTYPES`, number of dimensions, dimensions, little-endian data in C order
=====  ==================  ======================================================================

Lengths and counts are LEB128 without zigzag. The order of a dictionary is no part of its value.

Subclasses count as their base when they hold nothing else: named tuples, OrderedDict, defaultdict,
Counter, and enumerations that are also int, float, str or bytes (as that value). One with attributes of its
own is refused, since what they hold would be lost without a word; so are a plain Enum, objects, object
arrays, subclasses of ndarray. numpy is never imported: its types are looked up only where it is loaded.
An array decodes to `Array`, always, so that the result does not depend on what is loaded.
"""

from __future__ import annotations

from typing import Any, Final

from pycore.values.arrays import DTYPES, Array
from pycore.values.blake2 import blake2b
from pycore.values.decoding import decode
from pycore.values.encoding import MAX_DEPTH, MAX_INT_BITS, encode, path_step, short_repr
from pycore.values.pieces import Encoder

__all__ = [
    "DTYPES", "HASH_BYTES", "MAX_DEPTH", "MAX_INT_BITS", "Array", "Encoder", "decode", "digest", "encode", "path_step",
    "short_repr",
]  # fmt: skip

HASH_BYTES: Final = 8
"""Bytes of the hashes that peers compare and records hold."""


def digest(value: Any, size: int = HASH_BYTES) -> bytes:
    """BLAKE2b of a value's canonical form. `bytes` are taken as a canonical form already made."""
    return blake2b(value if type(value) is bytes else encode(value), digest_size=size).digest()
