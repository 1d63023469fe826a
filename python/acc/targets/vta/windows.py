"""Which depthwise convolutions are computed by products of windows: a decision that the layout pass obeys.

With GEMM and diagonal tiles of weights, each tap of a depthwise convolution is a step for every vector of results. A
product of windows (GEMM_WINDOW) meets the taps of several columns at once, and takes a step for each input that the
window moves on. What it begins with, it reads first: narrow images and large strides gain nothing.
"""

from __future__ import annotations

import itertools

from acc import ir
from acc.targets.vta.config import Hardware
from acc.targets.vta.folding import FOLD, Convolution, is_on, operations_of
from acc.targets.vta.lanes import is_depthwise

__all__ = ["choose_windows"]

WINDOW = "vta.window"
"""The attribute, without a value, of a convolution that products of windows compute."""


def _is_cheaper(convolution: Convolution, inputs: int) -> bool:
    """Whether windows of so many inputs take fewer steps for a row of results than GEMM."""
    columns, width = convolution.weight[3], convolution.output[1]
    moves = min(convolution.strides[1], inputs) * (width - 1) + inputs
    return -(-columns // inputs) * moves < columns * width


def choose_windows(module: ir.Operation, hardware: Hardware, target: str = "vta") -> None:
    """Writes `vta.window` on every depthwise convolution that the accelerator runs and that is cheaper so."""
    inputs = int(hardware.config.gemm_window)
    if not inputs or hardware.dialect != "acc":
        return
    for op in itertools.chain.from_iterable(operations_of(module)):
        if op.name != "graph.conv_integer" or not is_on(op, target) or FOLD in op.attributes or not is_depthwise(op):
            continue
        convolution = Convolution.of(op)
        if convolution.dilations[1] == 1 and _is_cheaper(convolution, inputs):
            op.attributes[WINDOW] = ir.UnitAttr.get(op.context)
