"""How fast this machine could compute: measured, since clocks and the widths of units are not to be found out reliably.

The arithmetic is a loop of fused multiply-adds that depend on nothing but registers, built here and compiled as native
kernels are; the memory is one large copy.
"""

from __future__ import annotations

import ctypes
import functools
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from acc import _mlir, ir
from acc.container import link
from acc.passes import upstream
from acc.passmanager import PassManager
from acc.targets.cpu import CpuOptions
from acc.targets.cpu.schedule import Processor

__all__ = ["MachineRate", "measure"]

CHAINS = 12
"""Sums that do not wait for each other: more than a unit's latency in cycles times the units, fewer than registers."""

LONG_ENOUGH = 0.02
"""Seconds after which a measurement is taken at its word."""

COPIED = 1 << 26
"""Bytes that are copied, more than caches hold."""


@dataclass(frozen=True)
class MachineRate:
    """What one thread reaches: operations of f32 a second, of 8-bit integers that are summed in 32 bits, and bytes a
    second that are read or written where a copy is larger than the caches.

    A multiplication and an addition are two operations. The rate of integers is that of f32 times what an instruction
    for them takes at once, since the same units run both.
    """

    floats: float
    integers: float
    bytes: float


@functools.cache
def measure() -> MachineRate:
    """Measures once per process, for some tenths of a second."""
    options = CpuOptions()
    processor = Processor.from_features(options.all_features())
    floats = _float_rate(options, processor.vector_bytes // 4)
    # Pairs of 16 bits are multiplied and added by one instruction, and summed by another.
    at_once = {"vpdpbusd": 4.0, "pmaddwd": 1.0}.get(processor.sums, 1.0)
    return MachineRate(floats, floats * at_once, _copy_rate())


def _float_rate(options: CpuOptions, lanes: int) -> float:
    features = set(options.all_features())
    # Processors other than x86 have fused multiply-adds wherever they have vectors.
    module = _loop(lanes, "fma" in features or "sse2" not in features)
    code = _mlir.emit_objects(module, cpu=options.cpu, features=options.features, opt_level=2)
    with tempfile.TemporaryDirectory(prefix="acc-rate-") as folder:
        path = Path(folder, "rate.so")
        path.write_bytes(link(code))
        function = ctypes.CDLL(str(path)).rate
    function.restype, function.argtypes = ctypes.c_float, (ctypes.c_int64, ctypes.c_float)

    def seconds(steps: int) -> float:
        begin = time.perf_counter()
        function(steps, 0.5)
        return time.perf_counter() - begin

    steps = 1 << 12
    while seconds(steps) < LONG_ENOUGH:
        steps *= 2
    return steps * CHAINS * lanes * 2 / min(seconds(steps) for _ in range(3))


def _copy_rate() -> float:
    source, target = np.ones(COPIED, np.uint8), np.empty(COPIED, np.uint8)
    seconds = []
    for _ in range(4):
        begin = time.perf_counter()
        np.copyto(target, source)
        seconds.append(time.perf_counter() - begin)
    return 2 * COPIED / min(seconds)


def _loop(lanes: int, fused: bool) -> ir.Module:
    """`float rate(long steps, float x)`: sums of x * x + sum, CHAINS vectors of them, in the LLVM dialect."""
    context = ir.Context()
    with context, ir.Location.unknown():
        module = ir.Module.create()
        index, element, vector = ir.IndexType.get(), ir.F32Type.get(), ir.VectorType.get([lanes], ir.F32Type.get())
        kind = ir.FunctionType.get([index, element], [element])
        with ir.InsertionPoint(module.body):
            attributes = {"sym_name": "rate", "function_type": ir.TypeAttr.get(kind)}
            function = ir.Operation.create("func.func", attributes=attributes, regions=1)
        block = function.regions[0].blocks.append(index, element)
        steps, x = block.arguments
        with ir.InsertionPoint(block):
            factor = ir.Operation.create("vector.broadcast", [vector], [x]).result
            zero, one = (_index(value) for value in (0, 1))
            sums = [factor] * CHAINS
            loop = ir.Operation.create("scf.for", [vector] * CHAINS, [zero, steps, one, *sums], regions=1)
            body = loop.regions[0].blocks.append(index, *[vector] * CHAINS)
            with ir.InsertionPoint(body):
                made = [_multiply_add(vector, factor, total, fused) for total in body.arguments[1:]]
                ir.Operation.create("scf.yield", operands=made)
            total = loop.results[0]
            for other in loop.results[1:]:
                total = ir.Operation.create("arith.addf", [vector], [total, other]).result
            kind_of_sum = ir.Attribute.parse("#vector.kind<add>")
            scalar = ir.Operation.create("vector.reduction", [element], [total], {"kind": kind_of_sum}).result
            ir.Operation.create("func.return", operands=[scalar])
        manager = PassManager("builtin.module")
        for added in (
            *(upstream.convert_scf_to_cf(), upstream.convert_vector_to_llvm(), upstream.convert_arith_to_llvm()),
            *(upstream.convert_cf_to_llvm(), upstream.convert_func_to_llvm(), upstream.convert_index_to_llvm()),
            upstream.reconcile_unrealized_casts(),
        ):
            manager.add(added)
        manager.run(module)
    return module


def _index(value: int) -> ir.Value:
    attribute = ir.IntegerAttr.get(ir.IndexType.get(), value)
    return ir.Operation.create("arith.constant", [ir.IndexType.get()], attributes={"value": attribute}).result


def _multiply_add(vector: ir.Type, factor: ir.Value, total: ir.Value, fused: bool) -> ir.Value:
    if fused:
        return ir.Operation.create("vector.fma", [vector], [factor, factor, total]).result
    product = ir.Operation.create("arith.mulf", [vector], [factor, factor]).result
    return ir.Operation.create("arith.addf", [vector], [product, total]).result
