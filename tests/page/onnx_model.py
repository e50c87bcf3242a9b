"""A policy as an ONNX file: one linear layer from an observation to the logits of the actions.

The page runs such files with onnxruntime-web. The file is a protobuf message (onnx.proto3 in the ONNX project names the
fields); what a linear layer needs of it is so little that it is written here by hand.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

FLOAT = 1
IR_VERSION, OPSET = 7, 13


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, value: int | str | bytes) -> bytes:
    """One field of a message: a number, or a text, bytes or another message."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _tensor(name: str, shape: Sequence[int], values: Sequence[float]) -> bytes:
    dims = b"".join(_field(1, size) for size in shape)
    return dims + _field(2, FLOAT) + _field(8, name) + _field(9, struct.pack(f"<{len(values)}f", *values))


def _value(name: str, shape: Sequence[int]) -> bytes:
    dims = b"".join(_field(1, _field(1, size)) for size in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, FLOAT) + _field(2, dims)))


def _node(kind: str, inputs: Sequence[str], output: str) -> bytes:
    return b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, kind)


def linear(weights: Sequence[Sequence[float]], biases: Sequence[float]) -> bytes:
    """logits = obs · weights + biases, with a row of weights per number of the observation."""
    rows, columns = len(weights), len(biases)
    graph = (
        _field(1, _node("MatMul", ["obs", "weights"], "products"))
        + _field(1, _node("Add", ["products", "biases"], "logits"))
        + _field(2, "linear")
        + _field(5, _tensor("weights", [rows, columns], [weight for row in weights for weight in row]))
        + _field(5, _tensor("biases", [columns], biases))
        + _field(11, _value("obs", [1, rows]))
        + _field(12, _value("logits", [1, columns]))
    )
    return _field(1, IR_VERSION) + _field(7, graph) + _field(8, _field(2, OPSET))
