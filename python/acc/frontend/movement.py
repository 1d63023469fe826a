"""Operators that take tensors apart or repeat them: what counts from the end, or is cut off, is resolved here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np

from acc import ir
from acc.frontend.call import Call, Tensor, dtype_of, element_of, shape_of
from acc.frontend.problems import Unsupported
from acc.frontend.sizes import is_empty, is_symbolic, maximum, minimum
from acc.frontend.source import read_dtype


def emit_slice(
    call: Call, value: ir.Value, starts: Sequence[int], sizes: Sequence[int], steps: Sequence[int] | None = None
) -> ir.Value:
    steps = [1] * len(starts) if steps is None else steps
    return call.emit("slice", [value], starts=list(starts), sizes=list(sizes), steps=list(steps))


def convert_slice(call: Call) -> list[Tensor]:
    value = call.operand(0)
    shape = shape_of(value)
    if "starts" in call.attributes:
        starts, ends = call.integer_list("starts"), call.integer_list("ends")
        axes = call.attributes.get("axes")
        given = list(range(len(starts))) if axes is None else call.integer_list("axes")
        steps = [1] * len(starts)
    else:
        starts, ends = call.sizes(1, "starts"), call.sizes(2, "ends")
        given = call.integers(3, "axes") if call.has(3) else list(range(len(starts)))
        steps = call.integers(4, "steps") if call.has(4) else [1] * len(starts)
    if not len(starts) == len(ends) == len(given) == len(steps):
        raise Unsupported(f"has {len(starts)} starts, {len(ends)} ends, {len(given)} axes and {len(steps)} steps")
    call.axes(given, len(shape))
    first, sizes, strides = [0] * len(shape), list(shape), [1] * len(shape)
    for start, end, at, step in zip(starts, ends, given, steps, strict=True):
        axis = call.axis(at, len(shape))
        if step == 0:
            raise Unsupported(f"steps of 0 along axis {axis}")
        if not all(isinstance(number, int) for number in (start, end, shape[axis])):
            first[axis], sizes[axis] = _resolve_slice(call, start, end, step, shape[axis])
            strides[axis] = step
            continue
        chosen = chosen_by_slice(start, end, step, shape[axis])
        sizes[axis] = len(chosen)
        if len(chosen) > 0:
            first[axis] = chosen.start
        if len(chosen) > 1:
            strides[axis] = step
    return [emit_slice(call, value, first, sizes, strides)]


def chosen_by_slice(start: int, end: int, step: int, length: int) -> range:
    """The elements that a Slice takes of an axis of `length`."""
    # Backwards, ONNX starts at the first element where Python starts in front of it.
    start = max(start, -length) if step < 0 else start
    return range(*slice(start, end, step).indices(length))


def _resolve_slice(call: Call, start: int, end: int, step: int, length: int) -> tuple[int, int]:
    """The first element and how many there are, of an axis or of bounds that are known at run time only."""

    def clamp(bound: int, low: int, high: int) -> int:
        # What exporters write for "to the end".
        if isinstance(bound, int) and abs(bound) >= 2**31 - 1:
            return high if bound > 0 else low
        return minimum(maximum(call.from_end(bound, length), low), high)

    if step > 0:
        first = clamp(start, 0, length)
        count = clamp(end, 0, length) - first
    else:
        first = clamp(start, 0, length - 1)
        count = first - clamp(end, -1, length - 1)
    count = maximum(count, 0)
    return first, count if abs(step) == 1 else (count + abs(step) - 1) // abs(step)


def convert_split(call: Call) -> list[Tensor]:
    value = call.operand(0)
    shape = shape_of(value)
    axis = call.axis(call.integer("axis"), len(shape))
    size, count = shape[axis], len(call.node.outputs)
    given = cast(list[int] | None, call.attributes.get("split"))
    if given is None and call.has(1):
        given = call.sizes(1, "split")
    if is_empty([size]) and given is not None and not all(isinstance(part, int) for part in given):
        # Nothing has no parts but such of nothing.
        given = [0] * count
    wanted = cast(int | None, call.attributes.get("num_outputs"))
    if not all(isinstance(part, int) for part in (size, *(given or ()))):
        value, parts = _parts_of_sizes(call, value, axis, given, wanted)
    else:
        parts = split_parts(size, count, given, wanted)
    starts, sizes = [0] * len(shape), list(shape_of(value))
    results: list[Tensor] = []
    for part in parts:
        sizes[axis] = part
        results.append(emit_slice(call, value, starts, sizes))
        starts[axis] += part
    return results


def _parts_of_sizes(
    call: Call, value: ir.Value, axis: int, given: Sequence[int] | None, wanted: int | None
) -> tuple[ir.Value, list[int]]:
    """The parts of an axis, where it or they have sizes that only a run knows, which is refused if they do not fit.

    given: the sizes that the node says. wanted: the number of parts that it says. Returns what is to be split, too.
    """
    shape, count = list(shape_of(value)), len(call.node.outputs)
    size = shape[axis]
    if given is not None:
        if len(given) != count:
            raise Unsupported(f"has {count} outputs but {len(given)} sizes of parts")
        # As a reshape, what the parts are together is compared with what there is.
        return call.reshape(value, [*shape[:axis], sum(given), *shape[axis + 1 :]]), list(given)
    _check_count(count, wanted)
    if wanted is None:
        # Equal parts have all that there is only if nothing is left over, which is compared in the same way.
        part = size // count
        return call.reshape(value, [*shape[:axis], part * count, *shape[axis + 1 :]]), [part] * count
    part = -(-size // count)
    return value, [maximum(minimum(part, size - index * part), 0) for index in range(count)]


def _check_count(count: int, wanted: int | None) -> None:
    if wanted is not None and wanted != count:
        raise Unsupported(f"has {count} outputs but attribute 'num_outputs' is {wanted}")


def split_parts(size: int, count: int, given: Sequence[int] | None, wanted: int | None) -> Sequence[int]:
    """The sizes of the `count` parts that a Split makes of `size` elements.

    given: the sizes that the node says. wanted: the number of parts that it says.
    """
    parts = given
    if parts is None:
        _check_count(count, wanted)
        # All parts have the same size but the last, which may be smaller.
        part = -(-size // count)
        parts = [max(min(part, size - index * part), 0) for index in range(count)]
        if wanted is None and size % count:
            raise Unsupported(f"{size} elements do not split into {count} equal parts")
    if len(parts) != count or sum(parts) != size or any(part < 0 for part in parts):
        raise Unsupported(f"{size} elements do not split into {count} parts of {list(parts)}")
    return parts


def convert_expand(call: Call) -> list[Tensor]:
    value = call.operand(0)
    shape, wanted = shape_of(value), call.sizes(1, "the shape")
    if not all(isinstance(size, int) for size in [*shape, *wanted]):
        return [call.emit("expand", [value], shape=wanted)]
    if any(size < 0 for size in wanted):
        raise Unsupported(f"a tensor cannot have the shape {wanted}")
    try:
        result = np.broadcast_shapes(shape, tuple(wanted))
    except ValueError:
        raise Unsupported(f"input {list(shape)} does not broadcast to {wanted}") from None
    return [call.emit("expand", [value], shape=list(result))]


def convert_tile(call: Call) -> list[Tensor]:
    return [call.emit("tile", [call.operand(0)], repeats=call.sizes(1, "repeats"))]


def convert_trilu(call: Call) -> list[Tensor]:
    value = call.operand(0)
    k = int(call.scalar(1, "k")) if call.has(1) else 0
    return [call.emit("trilu", [value], k=k, upper=bool(call.attributes["upper"]))]


def convert_eye_like(call: Call) -> list[Tensor]:
    tensor = call.tensor(0)
    shape = shape_of(tensor)
    if len(shape) != 2:
        raise Unsupported(f"input {list(shape)} is not a matrix")
    dtype = tensor.dtype if isinstance(tensor, np.ndarray) else dtype_of(element_of(tensor))
    if "dtype" in call.attributes:
        dtype = read_dtype(call.integer("dtype"))
    if math.prod(shape) > 1 << 24:
        raise Unsupported(f"a matrix of {list(shape)} is too large for a constant")
    return [np.eye(*shape, k=call.integer("k"), dtype=dtype)]


def convert_range(call: Call) -> list[Tensor]:
    if not all(
        isinstance(call.tensor(index), np.ndarray) and not is_symbolic(call.tensor(index)) for index in range(3)
    ):
        return [_range_of_sizes(call)]
    start, limit, delta = (call.scalar(index, what) for index, what in enumerate(("start", "limit", "delta")))
    if delta == 0:
        raise Unsupported("steps of 0")
    dtype = np.asarray(start).dtype
    count = max(math.ceil((float(limit) - float(start)) / float(delta)), 0)
    if dtype.kind in "iu":
        count = max(-((int(limit) - int(start)) // -int(delta)), 0)
    scalars = [call.literal(np.asarray(value, dtype)) for value in (start, delta)]
    return [call.emit("range", scalars, size=count)]


def _range_of_sizes(call: Call) -> ir.Value:
    """A range whose bounds are known at run time only."""
    start, limit, delta = (_bound(call, index, what) for index, what in enumerate(("start", "limit", "delta")))
    if start is None or limit is None or not isinstance(delta, int):
        return _range_of_numbers(call)
    if delta == 0:
        raise Unsupported("steps of 0")
    length = limit - start if delta > 0 else start - limit
    count = maximum((length + abs(delta) - 1) // abs(delta), 0)
    return call.emit("range", [call.reshape(call.operand(index), []) for index in (0, 2)], size=count)


def _bound(call: Call, index: int, what: str) -> int | None:
    """A bound of a range as an integer or a size; None if it is a number that is neither."""
    tensor = call.tensor(index)
    if isinstance(tensor, ir.Value):
        sizes = call.sizes_behind(tensor)
        if sizes is not None:
            return sizes.reshape(-1)[0] if sizes.size == 1 else None
        element = element_of(tensor)
        if isinstance(element, ir.IntegerType) and element.width >= 32 and not element.is_unsigned:
            return call.sizes(index, what)[0]
        return None
    if is_symbolic(tensor):
        return call.sizes(index, what)[0]
    number = call.scalar(index, what).item()
    return int(number) if math.isfinite(number) and number == int(number) else None


def _range_of_numbers(call: Call) -> ir.Value:
    """A range whose number of elements a run computes from its bounds, as the standard says."""
    wide = np.dtype(np.float64)
    bounds = [call.reshape(call.operand(index), []) for index in range(3)]
    start, limit, delta = (call.emit_as(call.tensor_type((), wide), "cast", bound) for bound in bounds)
    steps = call.emit("ceil", [call.emit("div", [call.emit("sub", [limit, start]), delta])])
    count = call.emit_as(call.tensor_type((), np.dtype(np.int64)), "cast", steps)
    return call.emit("range", [bounds[0], bounds[2]], size=maximum(call.number(count), 0))


def convert_center_crop_pad(call: Call) -> list[Tensor]:
    value = call.operand(0)
    shape = list(shape_of(value))
    wanted = call.integers(1, "the shape")
    axes = list(range(len(shape)))
    if "axes" in call.attributes:
        axes = [call.axis(axis, len(shape)) for axis in call.integer_list("axes")]
    if len(axes) != len(wanted) or any(size < 0 for size in wanted):
        raise Unsupported(f"shape {wanted} does not fit axes {axes}")
    pads = [0] * 2 * len(shape)
    for axis, size in zip(axes, wanted, strict=True):
        # What is odd is cut off, or added, at the end.
        difference = size - shape[axis]
        begin = difference // 2 if difference > 0 else -(-difference // 2)
        pads[axis] = begin
        pads[axis + len(shape)] = difference - begin
    return [call.emit("pad", [value], pads=pads)]
