"""About how long a model takes on a configuration, from the shapes of its layers alone: microseconds of work.

Not for telling cycles, but for ranking thousands of configurations before one is compiled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from acc import ir
from acc.hardware.package import Circuit

__all__ = ["Workload", "estimate", "left_to_host", "read_workload"]

Column = npt.NDArray[np.float64]

STEPS = 9.0
"""Operations of the vector unit for a requantization where it is not one, about."""
START = 150.0
"""Cycles until a layer's first product, and from its last one, about."""


@dataclass(frozen=True)
class Workload:
    """A model's layers: each a contraction of `inputs` channels to `outputs` channels of each of `groups` groups.

    rows: batch of the layer. places: of the output, a channel. taps: of the window. read, weights, written: elements.
    products: 1 for contractions, 0 for what only the vector unit does. bits: of a weight.
    """

    rows: Column
    inputs: Column
    outputs: Column
    groups: Column
    places: Column
    taps: Column
    read: Column
    weights: Column
    written: Column
    products: Column
    bits: Column


def _bits(value: ir.Value) -> int:
    element = ir.ShapedType(value.type).element_type
    return element.width if isinstance(element, ir.IntegerType) else 32


def _shape(value: ir.Value) -> list[int]:
    shaped = ir.ShapedType(value.type)
    return list(shaped.shape) if shaped.has_static_shape else []


def _layers(block: ir.Block) -> Iterator[tuple[float, ...]]:
    for op in block.operations:
        shapes = [_shape(value) for value in op.operands]
        if len(op.results) != 1 or not (result := _shape(op.results[0])):
            continue
        written = prod(result)
        if op.name in ("graph.conv", "graph.conv_integer") and len(shapes) > 1 and len(shapes[1]) > 2:
            group = int(op.attributes["group"].value) if "group" in op.attributes else 1
            out, inner, *window = shapes[1]
            places = prod(result[2:])
            yield (
                result[0],
                inner,
                out / group,
                group,
                places,
                prod(window),
                prod(shapes[0]),
                prod(shapes[1]),
                written,
                1,
                _bits(op.operands[1]),
            )
        elif op.name in ("graph.gemm_integer", "graph.matmul_integer", "graph.mat_mul", "graph.gemm") and shapes[1]:
            columns = result[-1]
            inner = max(prod(shapes[1]) // max(columns, 1), 1) if len(shapes[1]) == 2 else shapes[1][-2]
            rows = written // max(columns, 1)
            yield rows, inner, columns, 1, 1, 1, prod(shapes[0]), prod(shapes[1]), written, 1, _bits(op.operands[1])
        elif op.name == "graph.weighted_sum":
            channels = result[1] if len(result) > 1 else 1
            yield result[0], 0, channels, 1, written / max(result[0] * channels, 1), 0, 2 * written, 0, written, 0, 0


def read_workload(module: ir.Module) -> Workload:
    """The layers of a model in the graph dialect; those that are not of integers, and open sizes, are left out."""
    found: list[tuple[float, ...]] = []
    for function in module.body:
        if function.name == "func.func" and len(function.regions[0].blocks):
            found += _layers(function.regions[0].blocks[0])
    table = np.array(found, dtype=float).reshape(-1, 11)
    return Workload(*table.T)


def left_to_host(workload: Workload, config: Any) -> int:
    """About how many layers the host computes or repacks: those with wider weights, and all but one where what comes
    out of the accelerator is not in the layout of what goes into it.
    """
    wide = int((workload.products * (workload.bits > config.wgt_bits)).sum())
    layers = int(workload.products.sum())
    return wide + (2 * max(layers - 1, 0) if config.block_in != config.block_out else 0)


def estimate(workload: Workload, config: Any, circuit: Circuit) -> tuple[float, Mapping[str, int]]:
    """Cycles, and the counts that energies are made of (acc.hardware.energy). config: an `acc._lib._runtime.Config`."""
    w = workload
    port = circuit.mem_data_width / 8
    batches = np.ceil(w.rows / config.batch)
    # Of groups of one channel, a block has a product on its diagonal.
    narrow = (w.groups > 1) & (w.outputs < config.block_out)
    outputs = np.where(
        narrow, np.ceil(w.groups * w.outputs / config.block_out), w.groups * np.ceil(w.outputs / config.block_out)
    )
    inputs = np.where(narrow, max(1.0, config.block_out / config.block_in), np.ceil(w.inputs / config.block_in))
    steps = w.products * batches * outputs * inputs * w.places * w.taps
    vectors = batches * outputs * w.places
    operations = vectors * (1.0 if config.alu_requantize else STEPS)
    if not config.gemm_set:
        steps = steps + vectors * w.products
    read = w.read * config.inp_bits / 8
    weights = outputs * inputs * config.block_out * config.block_in * w.taps * w.products * config.wgt_bits / 8
    written = w.written * config.inp_bits / 8
    buffers = {m: config.depth(m) * config.element_bytes(m) for m in ("inp", "wgt", "acc")}
    again_input = np.maximum(1, np.ceil(weights / buffers["wgt"]))
    tiles = np.maximum(np.ceil(read / buffers["inp"]), np.ceil(4 * w.written / buffers["acc"]))
    again_weights = np.maximum(1, np.minimum(tiles, 1e6))
    first = weights + read * again_input < read + weights * again_weights
    moved_inputs = np.where(first, read * again_input, read)
    moved_weights = np.where(first, weights, weights * again_weights)
    memory = np.maximum((moved_inputs + moved_weights) / port, written / port)
    computed = np.maximum(steps, operations) if circuit.log_acc_banks else steps + operations
    cycles = float((np.maximum(computed, memory) + START).sum())
    counts = {
        "gemm_steps": int(steps.sum()),
        "reset_steps": 0,
        "alu_steps": int(operations.sum()),
        "requantize_steps": int(operations.sum()) if config.alu_requantize else 0,
        "dram_inp": int(moved_inputs.sum()),
        "dram_wgt": int(moved_weights.sum()),
        "dram_out": int(written.sum()),
    }
    return cycles, counts
