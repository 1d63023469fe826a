"""Attention as ONNX Runtime's optimizer and its model builder write it, domain com.microsoft, defined by ONNX's own.

All forms come down to queries, keys and values as [batch, heads, positions, size], and scores to which masks are added.
Masks are terms of the scores, of ONNX Runtime's `mask_filter_value`, so that a row in which everything is masked is
what it is there. Source of the meanings: the operators' documentation in ONNX Runtime (docs/ContribOperators.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acc.frontend.definitions import Builder, Definition, Definitions, check_zero
from acc.frontend.problems import Unsupported
from acc.frontend.quantized_operators import integer_product

__all__ = ["ATTENTION_OPERATORS"]

_FILTER = -10000.0


@dataclass
class _Heads:
    """Queries, keys and values as [batch, heads, positions, size of a head], and the type they are computed in."""

    query: str
    key: str
    value: str
    dtype: np.dtype


def _split_heads(b: Builder, value: str, heads: int) -> str:
    """[batch, positions, heads * size] as [batch, heads, positions, size]."""
    return b.transpose(b.reshape(value, 0, 0, heads, -1), 0, 2, 1, 3)


def _join_heads(b: Builder, value: str) -> str:
    return b.reshape(b.transpose(value, 0, 2, 1, 3), 0, 0, -1)


def _head_size(b: Builder, index: int, heads: int, width: int | None) -> int:
    if width is None:
        raise Unsupported(f"the width of '{b.node.inputs[index]}' must be known")
    if heads <= 0 or width % heads:
        raise Unsupported(f"{width} features do not split into {heads} heads")
    return width // heads


def _scale(b: Builder, heads: _Heads, size: int) -> str:
    """The scores: products of queries and keys, scaled."""
    scale = b.attribute("scale", 0.0) or 1 / math.sqrt(size)
    products = b.op("MatMul", heads.query, b.transpose(heads.key, 0, 1, 3, 2))
    return b.op("Mul", products, b.number(scale, heads.dtype))


def _where(b: Builder, condition: str, filler: float, dtype: np.dtype) -> str:
    """A term of scores: `filler` where a condition does not hold."""
    return b.op("Where", condition, b.number(0, dtype), b.number(filler, dtype))


def _attend(b: Builder, scores: str, terms: Sequence[str], value: str) -> str:
    for term in terms:
        scores = b.op("Add", scores, term)
    return _join_heads(b, b.op("MatMul", b.op("Softmax", scores, axis=-1), value))


def _causal(b: Builder, query: str, key: str, dtype: np.dtype) -> str:
    """The term that hides from every query what comes after it; the last query belongs to the last key."""
    queries, keys = b.size(query, 2), b.size(key, 2)
    row = b.reshape(b.op("Add", b.indices(queries), b.op("Sub", keys, queries)), -1, 1)
    seen = b.op("LessOrEqual", b.reshape(b.indices(keys), 1, -1), row)
    return _where(b, seen, float(np.finfo(np.float16 if dtype == np.float16 else np.float32).min), dtype)


def _mask(b: Builder, index: int, key: str, dtype: np.dtype) -> list[str]:
    """The term of a mask, which may have any of the forms that Attention and MultiHeadAttention know."""
    if not b.has(index):
        return []
    filler = b.attribute("mask_filter_value", _FILTER)
    mask, rank = b.input(index), b.rank(index)
    if rank > 1:
        if rank == 4:
            raise Unsupported("a mask of four axes is not supported")
        holds = b.op("Cast", mask, to=9)
        holds = b.op("Unsqueeze", holds, b.integers(*((1, 2) if rank == 2 else (1,))))
        return [_where(b, holds, filler, dtype)]
    # Lengths of the sequences, followed in one form by their first positions.
    places = b.reshape(b.indices(b.size(key, 2)), 1, 1, 1, -1)
    batch = b.size(key, 0)
    numbers = b.cast(mask, np.int64)
    ends = b.op("Slice", numbers, b.integers(0), batch, b.integers(0))
    holds = b.op("Less", places, b.reshape(ends, -1, 1, 1, 1))
    count, known = b.shape(index)[0], b.shape(0)[0]
    if count is None or known is None:
        if count is not None and known is None and count == 1:
            return [_where(b, holds, filler, dtype)]
        raise Unsupported("a mask that is a vector needs a batch of a known size")
    if count == 2 * known:
        starts = b.op("Slice", numbers, batch, b.op("Add", batch, batch), b.integers(0))
        holds = b.op("And", holds, b.op("GreaterOrEqual", places, b.reshape(starts, -1, 1, 1, 1)))
    elif count != known:
        raise Unsupported(f"a mask of {count} elements for a batch of {known} is not supported")
    return [_where(b, holds, filler, dtype)]


def _attention(b: Builder) -> list[str]:
    check_zero(b, "do_rotary", "past_present_share_buffer")
    product = b.op("MatMul", b.input(0), b.input(1))
    if b.has(2):
        product = b.op("Add", product, b.input(2))
    return _packed_attention(b, product, b.shape(1)[-1], b.dtype(0), mask=3, past=4, bias=5)


def _quantized_attention(b: Builder) -> list[str]:
    check_zero(b, "do_rotary", "past_present_share_buffer")
    product = integer_product(b, b.input(0), b.input(1), b.optional(6), b.optional(7), (b.input(3), b.input(4)))
    product = b.op("Add", product, b.input(2))
    return _packed_attention(b, product, b.shape(1)[-1], b.dtype(3), mask=5, past=8, bias=-1)


def _packed_attention(
    b: Builder, product: str, width: int | None, dtype: np.dtype, *, mask: int, past: int, bias: int
) -> list[str]:
    """Attention on projections [batch, positions, queries and keys and values].

    width: that of the projections. mask, past, bias: positions of operands, -1 for what the operator does not have.
    """
    heads = b.attribute("num_heads")
    if width is None:
        raise Unsupported("the width of the weights must be known")
    sizes = list(b.attribute("qkv_hidden_sizes", ())) or [width // 3] * 3
    if len(sizes) != 3 or sum(sizes) != width or sizes[0] != sizes[1]:
        raise Unsupported(f"{width} features do not split into parts of {sizes}")
    size = _head_size(b, 1, heads, sizes[0])
    query, key, value = (_split_heads(b, part, heads) for part in b.split(product, -1, sizes))
    present = ""
    if past >= 0 and b.has(past):
        before = b.split(b.input(past), 0, [1, 1])
        key, value = (
            b.op("Concat", b.op("Squeeze", old, b.integers(0)), new, axis=2)
            for old, new in zip(before, (key, value), strict=True)
        )
    if b.wants(1):
        present = b.op("Concat", *(b.op("Unsqueeze", part, b.integers(0)) for part in (key, value)), axis=0)
    terms = _mask(b, mask, key, dtype)
    if b.attribute("unidirectional", 0):
        terms.append(_causal(b, query, key, dtype))
    if bias >= 0 and b.has(bias):
        terms.append(b.input(bias))
    scores = _scale(b, _Heads(query, key, value, dtype), size)
    return [_attend(b, scores, terms, value), present]


def _multi_head_attention(b: Builder) -> list[str]:
    heads, dtype = b.attribute("num_heads"), b.dtype(0)
    if b.has(8) or b.has(9):
        raise Unsupported("buffers that are shared with earlier steps are not supported")
    query, key, value, size = _projections(b, heads)
    if b.has(6):
        key, value = (b.op("Concat", b.input(at), part, axis=2) for at, part in ((6, key), (7, value)))
    terms = _mask(b, 4, key, dtype)
    if b.attribute("unidirectional", 0):
        terms.append(_causal(b, query, key, dtype))
    if b.has(5):
        terms.append(b.input(5))
    scores = _scale(b, _Heads(query, key, value, dtype), size)
    return [_attend(b, scores, terms, value), key, value]


def _projections(b: Builder, heads: int) -> tuple[str, str, str, int]:
    """Queries, keys and values of MultiHeadAttention, whose forms differ, and the size of a head."""
    if b.rank(0) == 5:
        # [batch, positions, heads, three, size], packed.
        size = b.shape(0)[-1]
        if size is None:
            raise Unsupported("the size of a head must be known")
        parts = [b.op("Squeeze", part, b.integers(3)) for part in b.split(b.input(0), 3, [1, 1, 1])]
        flat = [b.reshape(part, 0, 0, -1) for part in parts]
        query, key, value = (_split_heads(b, part, heads) for part in _add_bias(b, flat, [heads * size] * 3))
        return query, key, value, size
    width = b.shape(0)[-1]
    size = _head_size(b, 0, heads, width)
    assert width is not None
    if not b.has(1):
        raise Unsupported("needs the keys")
    if b.rank(1) == 5:
        parts = [b.op("Squeeze", part, b.integers(3)) for part in b.split(b.input(1), 3, [1, 1])]
        flat = [b.input(0), *(b.reshape(part, 0, 0, -1) for part in parts)]
        widths: list[int | None] = [width, width, width]
    elif b.rank(1) == 4:
        # Keys and values of the other sequence, as they were kept.
        (query,) = _add_bias(b, [b.input(0)], [width, width, None])
        return _split_heads(b, query, heads), b.input(1), b.input(2), size
    else:
        flat = [b.input(0), b.input(1), b.input(2)]
        widths = [width, width, b.shape(2)[-1]]
    query, key, value = (_split_heads(b, part, heads) for part in _add_bias(b, flat, widths))
    return query, key, value, size


def _add_bias(b: Builder, parts: Sequence[str], widths: Sequence[int | None]) -> list[str]:
    if not b.has(3):
        return list(parts)
    total = b.shape(3)[0]
    known = [width for width in widths if width is not None]
    if len(known) < len(widths) and total is not None:
        known.append(total - sum(known))
    if len(known) < 3:
        raise Unsupported("the width of the bias must be known")
    biases = b.split(b.input(3), 0, known)
    return [b.op("Add", part, bias) for part, bias in zip(parts, biases, strict=False)]


def _rotated(b: Builder, value: str, cosines: str, sines: str, size: int, turned: int, interleaved: bool) -> str:
    """Positions turned into angles: [batch, heads, positions, size], of which the first `turned` elements turn.

    cosines, sines: [batch, 1, positions, turned / 2].
    """
    rest = ""
    if turned < size:
        value, rest = b.split(value, -1, [turned, size - turned])
    half = turned // 2
    if interleaved:
        pairs = b.reshape(value, 0, 0, 0, half, 2)
        first, second = (b.op("Squeeze", part, b.integers(4)) for part in b.split(pairs, 4, [1, 1]))
    else:
        first, second = b.split(value, -1, [half, half])
    real = b.op("Sub", b.op("Mul", first, cosines), b.op("Mul", second, sines))
    imaginary = b.op("Add", b.op("Mul", first, sines), b.op("Mul", second, cosines))
    if interleaved:
        parts = [b.op("Unsqueeze", part, b.integers(4)) for part in (real, imaginary)]
        result = b.reshape(b.op("Concat", *parts, axis=4), 0, 0, 0, turned)
    else:
        result = b.op("Concat", real, imaginary, axis=-1)
    return b.op("Concat", result, rest, axis=-1) if rest else result


def _angles(b: Builder, positions: str, index: int) -> str:
    """The rows of a table of cosines or sines for positions [batch, positions]."""
    return b.op("Unsqueeze", b.op("Gather", b.input(index), positions), b.integers(1))


def _turned_elements(b: Builder, index: int) -> int:
    """How many elements of a head turn, which a table of cosines says."""
    half = b.shape(index)[-1]
    if half is None:
        raise Unsupported(f"the width of '{b.node.inputs[index]}' must be known")
    return 2 * half


def _rotary_embedding(b: Builder) -> str:
    check_zero(b, "is_packed_batching")
    if b.attribute("scale", 1.0) != 1:
        raise Unsupported(f"attribute 'scale' is {b.attribute('scale')}, supported is 1")
    turned, rank = _turned_elements(b, 2), b.rank(0)
    width = b.shape(0)[-1]
    if width is None:
        raise Unsupported(f"the width of '{b.node.inputs[0]}' must be known")
    heads = b.attribute("num_heads", 0)
    if rank == 4:
        value, size = b.input(0), width
    else:
        size = _head_size(b, 0, heads, width) if heads else turned
        value = _split_heads(b, b.input(0), _head_size(b, 0, size, width))
    places = b.input(1)
    if b.rank(1) < 2:
        # Where the first position is; the others follow.
        places = b.reshape(b.op("Add", b.cast(places, np.int64), b.indices(b.size(value, 2))), 1, -1)
    interleaved = bool(b.attribute("interleaved", 0))
    result = _rotated(b, value, _angles(b, places, 2), _angles(b, places, 3), size, turned, interleaved)
    return result if rank == 4 else _join_heads(b, result)


def _grouped_attention(b: Builder) -> list[str]:
    """Attention whose keys and values are shared by several heads, with what earlier steps kept of them.

    Sequences of a batch may have different lengths: those of the new keys come behind those that a sequence has.
    """
    if any(b.has(at) for at in range(12, 17)):
        raise Unsupported("caches of integers and normalized queries are not supported")
    check_zero(b, "kv_cache_bit_width", "sliding_window_cache", "qk_output")
    heads, groups, dtype = b.attribute("num_heads"), b.attribute("kv_num_heads"), b.dtype(0)
    width = b.shape(0)[-1]
    if groups <= 0 or heads % groups:
        raise Unsupported(f"{heads} heads do not share {groups} of keys")
    if b.has(1):
        size = _head_size(b, 0, heads, width)
        parts = [b.input(0), b.input(1), b.input(2)]
    else:
        size = _head_size(b, 0, heads + 2 * groups, width)
        parts = b.split(b.input(0), -1, [heads * size, groups * size, groups * size])
    counts = (heads, groups, groups)
    query, key, value = (_split_heads(b, part, count) for part, count in zip(parts, counts, strict=True))
    new = b.size(query, 2)
    total = b.reshape(b.cast(b.input(6), np.int64), 1)
    # What every sequence has before: nothing if all of it is given at once.
    lengths = b.op("Add", b.reshape(b.cast(b.input(5), np.int64), -1), b.integers(1))
    before = b.op("Where", b.op("Equal", total, new), b.integers(0), b.op("Sub", lengths, new))
    places = b.op("Add", b.reshape(before, -1, 1), b.reshape(b.indices(new), 1, -1))
    if b.attribute("do_rotary", 0):
        turned, interleaved = _turned_elements(b, 7), bool(b.attribute("rotary_interleaved", 0))
        given = b.input(9) if b.has(9) else places
        cosines, sines = (_angles(b, given, at) for at in (7, 8))
        query, key = (_rotated(b, part, cosines, sines, size, turned, interleaved) for part in (query, key))
    if b.has(3):
        key, value = _kept(b, (key, value), before, total, new)
    keys = b.reshape(b.indices(b.size(key, 2)), 1, 1, -1)
    rows = b.op("Unsqueeze", places, b.integers(2))
    holds: list[str] = []
    if b.attribute("causal", 1):
        holds.append(b.op("LessOrEqual", keys, rows))
    window = b.attribute("local_window_size", -1)
    if window > 0:
        holds.append(b.op("Greater", keys, b.op("Sub", rows, b.integers(window))))
    # Heads that share keys are an axis of their own: [batch, groups, heads of a group, positions, size].
    shared = [b.op("Unsqueeze", part, b.integers(2)) for part in (key, value)]
    rows_of_groups = b.op(
        "Reshape",
        query,
        b.op("Concat", b.integers(0, groups, heads // groups), new, b.integers(size), axis=0),
    )
    scale = b.attribute("scale", 0.0) or 1 / math.sqrt(size)
    scores = b.op("MatMul", rows_of_groups, b.transpose(shared[0], 0, 1, 2, 4, 3))
    scores = b.op("Mul", scores, b.number(scale, dtype))
    if softcap := b.attribute("softcap", 0.0):
        cap = b.number(softcap, dtype)
        scores = b.op("Mul", b.op("Tanh", b.op("Div", scores, cap)), cap)
    lowest = float(np.finfo(np.float16 if dtype == np.float16 else np.float32).min)
    for condition in holds:
        scores = b.op("Add", scores, _where(b, b.op("Unsqueeze", condition, b.integers(1, 2)), lowest, dtype))
    if b.has(10):
        # [batch or 1, heads or 1, positions, keys]
        bias = b.input(10)
        known = b.shape(10)[1]
        if known == 1:
            bias = b.op("Unsqueeze", bias, b.integers(1))
        else:
            parts = [b.size(bias, 0), b.integers(groups, heads // groups), b.size(bias, 2), b.size(bias, 3)]
            bias = b.op("Reshape", bias, b.op("Concat", *parts, axis=0))
        scores = b.op("Add", scores, bias)
    weights = _softmax_with_sink(b, scores, groups, heads // groups, dtype)
    result = b.op("MatMul", weights, shared[1])
    shape = b.op("Concat", b.integers(0, heads), new, b.integers(size), axis=0)
    return [_join_heads(b, b.op("Reshape", result, shape)), key, value]


def _softmax_with_sink(b: Builder, scores: str, groups: int, shared: int, dtype: np.dtype) -> str:
    """Softmax over the keys; with a key more that has no value if a sink takes some of the weight."""
    if not b.has(11) and b.attribute("smooth_softmax", -1) != 1:
        return b.op("Softmax", scores, axis=-1)
    if b.has(11):
        sink = b.reshape(b.input(11), 1, groups, shared, 1, 1)
    else:
        sink = b.constant(np.zeros((1, 1, 1, 1, 1), dtype))
    shape = b.op("Concat", b.op("Slice", b.op("Shape", scores), b.integers(0), b.integers(4)), b.integers(1), axis=0)
    column = b.op("Expand", sink, shape)
    weights = b.op("Softmax", b.op("Concat", scores, column, axis=-1), axis=-1)
    return b.slice(weights, 4, 0, -1)


def _kept(b: Builder, parts: Sequence[str], before: str, total: str, new: str) -> list[str]:
    """What is kept of keys and values: for every sequence what it had, and the new ones behind that."""
    old = b.size(b.input(3), 2)
    place = b.reshape(b.indices(b.op("Max", total, old)), 1, -1)
    first = b.reshape(before, -1, 1)
    # Where in the old ones, followed by the new ones, every position is.
    behind = b.op("Add", b.op("Sub", place, first), old)
    place = b.op("Where", b.op("Less", place, first), place, behind)
    place = b.op("Min", place, b.op("Sub", b.op("Add", old, new), b.integers(1)))
    alike = b.shape(0)[0] == 1
    results = []
    for index, part in zip((3, 4), parts, strict=True):
        everything = b.op("Concat", b.input(index), part, axis=2)
        if alike:
            results.append(b.op("Gather", everything, b.reshape(place, -1), axis=2))
            continue
        # [batch, positions, heads, size], of which every sequence takes positions of its own.
        turned = b.transpose(everything, 0, 2, 1, 3)
        wide = b.op(
            "Expand",
            b.op("Unsqueeze", place, b.integers(2)),
            b.op("Concat", b.size(turned, 0), b.integers(1, 1), axis=0),
        )
        results.append(b.transpose(b.op("GatherND", turned, wide, batch_dims=1), 0, 2, 1, 3))
    return results


_MASKED = ("num_heads", "scale", "mask_filter_value", "unidirectional")
_PACKED = (*_MASKED, "do_rotary", "past_present_share_buffer")

ATTENTION_OPERATORS: Definitions = {
    "Attention": Definition.of(_attention, *_PACKED, "qkv_hidden_sizes", ignored=("rotary_embedding_dim",)),
    "QAttention": Definition.of(_quantized_attention, *_PACKED),
    "MultiHeadAttention": Definition.of(_multi_head_attention, *_MASKED),
    "GroupQueryAttention": Definition.of(
        _grouped_attention,
        *("num_heads", "kv_num_heads", "scale", "softcap", "smooth_softmax", "causal", "local_window_size"),
        *("do_rotary", "rotary_interleaved", "kv_cache_bit_width", "sliding_window_cache", "qk_output"),
        ignored=("k_norm_epsilon", "q_norm_epsilon", "qk_norm_epsilon", "k_quant_type", "v_quant_type"),
    ),
    "RotaryEmbedding": Definition.of(
        _rotary_embedding,
        *("num_heads", "interleaved", "is_packed_batching", "scale"),
        ignored=("rotary_embedding_dim",),
    ),
}
