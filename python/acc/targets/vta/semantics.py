"""What the structured operations of the accelerator compute, in numpy, for `acc.inspect.interpreter`.

They follow the descriptions in `dialects/VTA/VTAStructuredOps.td`. Scratchpad buffers that have a place lie there, so
that two of them which share it overwrite each other. Programs run on the functional simulator.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from acc import ir
from acc._lib import _runtime, isa

# By itself, as programs that are only looked at are none that tests should run on the circuit, too.
from acc._mlir import write_program
from acc.errors import RunError
from acc.inspect.interpreter import DYNAMIC, Interpreter, Semantics, box_of, evaluate_expression, mixed

__all__ = ["make_semantics"]

ELEMENT_DIMS = 2
"""The innermost dimensions of a memref are one element of the hardware."""


def _load(_: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> None:
    source, target = operands[:2]
    static_low = op.attributes["static_low"].value
    count = sum(value == DYNAMIC for value in static_low)
    low = mixed(static_low, operands[2 : 2 + count])
    high = mixed(op.attributes["static_high"].value, operands[2 + count :])
    outer = source.shape[: source.ndim - ELEMENT_DIMS]
    box = [a + n + b for a, n, b in zip(low, outer, high, strict=True)]
    if min(box, default=1) <= 0:
        return
    written = target[tuple(map(slice, box))]
    written[...] = 0
    if source.size:
        written[tuple(slice(a, a + n) for a, n in zip(low, outer, strict=True))] = source


def _store(_: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> None:
    source, target = operands
    target[...] = source[tuple(map(slice, target.shape))].astype(target.dtype)


def _domain(op: ir.Operation, operands: Sequence[Any]) -> tuple[list[int], list[tuple[Any, ...]]]:
    """The sizes of the domain, and for every map the positions of elements, as arrays that broadcast to it."""
    bounds = mixed(op.attributes["static_bounds"].value, operands)
    points = box_of([max(size, 0) for size in bounds])
    maps = [map_.value if isinstance(map_, ir.Attribute) else map_ for map_ in op.attributes["maps"].value]
    return bounds, [
        tuple(np.asarray(evaluate_expression(expression, points)) for expression in map_.results) for map_ in maps
    ]


def _whole(positions: tuple[Any, ...], bounds: Sequence[int]) -> tuple[np.ndarray, ...]:
    return tuple(np.broadcast_to(position, bounds) for position in positions)


def _gemm(_: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> None:
    inputs, weights, sums = operands[:3]
    bounds, (at_input, at_weight, at_sum) = _domain(op, operands[3:])
    if min(bounds, default=1) <= 0:
        return
    # Products of 8 bits are exact in float64, however many are added here.
    rows = inputs[at_input].astype(np.float64)
    columns = np.swapaxes(weights[at_weight].astype(np.float64), -1, -2)
    products = np.broadcast_to(np.matmul(rows, columns), [*bounds, rows.shape[-2], columns.shape[-1]])
    np.add.at(sums, _whole(at_sum, bounds), products.astype(np.int64).astype(sums.dtype))


def _reset(_: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> None:
    operands[0][...] = 0


def _shift(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    left = np.where(b <= -32, 0, a.astype(np.int64) << np.clip(-b, 0, 31)).astype(np.int32)
    return np.where(b >= 0, a >> np.clip(b, 0, 31), left)


def _requantize(a: np.ndarray, words: Sequence[np.ndarray]) -> np.ndarray:
    """One operation `requantize` (acc/vta/isa/Requantize.h) on int32 accumulators and their three words."""

    def field(name: str) -> np.ndarray:
        source, at, width, is_signed = isa.REQUANTIZE[name]
        bits = (words[source].astype(np.int64) >> at) & ((1 << width) - 1)
        return np.where(bits >> (width - 1) & 1, bits - (1 << width), bits) if is_signed else bits

    post, middle = field("post_shift"), field("mid_shift")
    half = ((1 << post) >> 1) + ((1 << middle) >> 1)
    biased = (a.astype(np.int64) + field("bias")).astype(np.int32).astype(np.int64)
    scaled = (biased >> field("pre_shift")) * field("multiplier") + field("adds_half") * half
    whole = scaled >> post
    mask = ((1 << post) - 1) & ~((1 << middle) - 1)
    down = (field("ties_even") != 0) & ((scaled & mask) == 0) & (((whole ^ field("ties_odd")) & 1) != 0)
    result = whole + field("zero_point") - down
    return np.minimum(np.maximum(result, field("lowest")), field("highest")).astype(np.int32)


def _alu(_: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> None:
    target = operands[0]
    sources = op.attributes["operandSegmentSizes"].value[1]
    bounds, positions = _domain(op, operands[1 + sources :])
    if min(bounds, default=1) <= 0:
        return
    kind = str(op.attributes["op"]).rstrip(">").split()[-1]
    at = _whole(positions[0], bounds)
    if kind == "requantize":
        # The map names the first of three entries, which are the dimension before the element.
        *outer, _first = positions[1]
        entries = operands[1][(*outer, slice(None))]
        words = [np.broadcast_to(entries[..., index, :, :], target[at].shape) for index in range(entries.shape[-3])]
        target[at] = _requantize(target[at], words)
        return
    operand = operands[1][positions[1]] if sources else np.int32(op.attributes["imm"].value)
    operand = np.broadcast_to(operand, [*bounds, *target.shape[-ELEMENT_DIMS:]])
    if kind in ("min", "max", "add"):
        {"min": np.minimum, "max": np.maximum, "add": np.add}[kind].at(target, at, operand)
    elif kind == "mul":
        target[at] = target[at] * operand
    elif kind == "shr":
        target[at] = _shift(target[at], operand)
    else:
        raise NotImplementedError(f"vta.alu {kind}")


def _launch(interpreter: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> None:
    """Runs a program on the functional simulator: without tokens, one instruction after the other."""
    name = op.attributes["program"].value
    program_op = next(
        item
        for item in interpreter.module.body
        if item.name == "vta.program" and item.attributes["sym_name"].value == name
    )
    if "cached" not in program_op.attributes:
        raise NotImplementedError("programs whose micro-ops are in no scratchpad yet")
    if not all(array.flags.c_contiguous for array in operands):
        raise NotImplementedError("programs that work on memory with gaps")
    program = _runtime.read_program(write_program(program_op))
    device = _runtime.Device("fsim", program.config)
    buffers = [*operands, np.frombuffer(program.uops, np.uint8).copy()]
    addresses = [device.attach(array.reshape(-1).view(np.uint8)) for array in buffers]
    done = device.run_program(program, addresses[: len(program.buffers)])
    if not done["ok"]:
        raise RunError(f"program '{name}': {done['message']}")


def _element(allocation: ir.Operation) -> int:
    """The numbers that one element of the hardware has, in a buffer."""
    return math.prod(ir.shape_of(allocation.results[0])[-ELEMENT_DIMS:])


def _size(module: ir.Module, memory: str) -> int:
    """The numbers in a scratchpad that any buffer of a module reaches."""
    ends = [0]

    def look(op: ir.Operation) -> None:
        if op.name != "memref.alloc" or "vta.offset" not in op.attributes:
            return
        if str(ir.MemRefType(op.results[0].type).memory_space) == memory:
            entries = op.attributes["vta.offset"].value + op.attributes["vta.entries"].value
            ends.append(int(entries) * _element(op))

    module.operation.walk(look)
    return max(ends)


def make_semantics() -> Mapping[str, Semantics]:
    """What the operations compute, for one run of a module: its scratchpads are as it leaves them."""
    memories: dict[str, np.ndarray] = {}

    def allocate(interpreter: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> Sequence[Any] | None:
        made = interpreter.default(op, operands)
        if "vta.offset" not in op.attributes or made is None:
            return made
        buffer = made[0]
        memory = str(ir.MemRefType(op.results[0].type).memory_space)
        if memory not in memories:
            memories[memory] = np.zeros(_size(interpreter.module, memory), buffer.dtype)
        begin = int(op.attributes["vta.offset"].value) * _element(op)
        return [memories[memory][begin : begin + buffer.size].reshape(buffer.shape)]

    def step(_: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> Sequence[Any]:
        return [_requantize(operands[0], operands[1:])]

    return {
        "memref.alloc": allocate,
        "vta.load": _load,
        "vta.store": _store,
        "vta.gemm": _gemm,
        "vta.reset": _reset,
        "vta.alu": _alu,
        "vta.requantize_step": step,
        "vta.launch": _launch,
    }
