"""Takes the weights out of a serialized model before it is parsed.

Parsed, a model of a gigabyte is a gigabyte of protobuf messages, whose bytes are copied again each time they
are asked for. The bytes of an initializer are one field at a known place of the file; without them the
rest is small. What is not well-formed is left to the parser, which says so.
"""

from __future__ import annotations

from collections.abc import Iterator

# Field numbers of onnx.proto.
_MODEL_GRAPH, _GRAPH_INITIALIZER, _TENSOR_NAME, _TENSOR_RAW_DATA = 7, 5, 8, 9

# Wire types of protobuf.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# Smaller tensors stay where they are.
_MIN_BYTES = 4096


def detach_weights(data: memoryview) -> tuple[bytes, dict[str, memoryview]]:
    """The model without the raw data of large initializers, and that data by the initializers' names.

    Raises ValueError where `data` is not well-formed.
    """
    weights: dict[str, memoryview] = {}
    parts: list[bytes | memoryview] = []
    for number, whole, payload in _fields(data):
        if number == _MODEL_GRAPH and payload is not None:
            parts += _embed(_MODEL_GRAPH, _detach_from_graph(payload, weights))
        else:
            parts.append(whole)
    return b"".join(parts), weights


def _detach_from_graph(graph: memoryview, weights: dict[str, memoryview]) -> list[bytes | memoryview]:
    parts: list[bytes | memoryview] = []
    for number, whole, payload in _fields(graph):
        if number == _GRAPH_INITIALIZER and payload is not None and len(payload) >= _MIN_BYTES:
            parts += _embed(_GRAPH_INITIALIZER, _detach_from_tensor(payload, weights))
        else:
            parts.append(whole)
    return parts


def _detach_from_tensor(tensor: memoryview, weights: dict[str, memoryview]) -> list[bytes | memoryview]:
    fields = list(_fields(tensor))
    names = [payload for number, _, payload in fields if number == _TENSOR_NAME and payload is not None]
    raw = [payload for number, _, payload in fields if number == _TENSOR_RAW_DATA and payload is not None]
    if not names or not raw or len(raw[-1]) < _MIN_BYTES:
        return [tensor]
    # Where a field is repeated by mistake, the last one counts.
    weights[str(names[-1], "utf-8")] = raw[-1]
    return [whole for number, whole, _ in fields if number != _TENSOR_RAW_DATA]


def _embed(number: int, parts: list[bytes | memoryview]) -> list[bytes | memoryview]:
    """A field that holds `parts`."""
    return [varint(number << 3 | _BYTES) + varint(sum(map(len, parts))), *parts]


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview, memoryview | None]]:
    """Number, all bytes, and for those that have any the payload, of the fields of a message."""
    at, end = 0, len(data)
    while at < end:
        start = at
        tag, at = _read_varint(data, at)
        payload = None
        kind = tag & 7
        if kind == _VARINT:
            _, at = _read_varint(data, at)
        elif kind == _BYTES:
            length, at = _read_varint(data, at)
            payload = data[at : at + length]
            at += length
        elif kind in (_FIXED32, _FIXED64):
            at += 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind}")
        if at > end:
            raise ValueError("a field ends behind its message")
        yield tag >> 3, data[start:at], payload


def _read_varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("a number is cut off or too long")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def varint(value: int) -> bytes:
    result = bytearray()
    while value >= 0x80:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)
