"""Whether other runtimes get the same integers from a layer on every processor.

acc adds products of 8-bit numbers in 32 bits, on every processor alike. x86 processors without VNNI have a faster
instruction (vpmaddubsw), which adds two products of an unsigned and a signed byte in 16 bits and saturates: runtimes
that use it get other results where two products exceed these, and lose accuracy there and not elsewhere. Whether that
can happen is known from the weights.
"""

from __future__ import annotations

import numpy as np

from acc import ir

__all__ = ["pairs_can_saturate"]

_PRODUCTS = ("graph.conv_integer", "graph.gemm_integer", "graph.matmul_integer")

_LARGEST_INPUT = 255
_MOST, _LEAST = 32767 // _LARGEST_INPUT, -(32768 // _LARGEST_INPUT)
"""Sums of two weights up to which no inputs saturate."""


def pairs_can_saturate(op: ir.Operation) -> bool | None:
    """Whether two products of `op`, unsigned inputs with signed weights, can exceed 16 bits for some inputs.

    Which two are added depends on who adds them, so any two weights of an output count. None if `op` is no sum of
    products of 8-bit numbers.
    """
    if op.name not in _PRODUCTS:
        return None
    owner = op.operands[1].owner
    if not isinstance(owner, ir.Operation) or owner.name != "graph.constant":
        return True
    weights = np.asarray(owner.attributes["value"].value)
    if weights.size == 0 or weights.dtype != np.int8:
        return None
    # The outputs of a product of matrices are the columns of its weights, unless they are transposed.
    if op.name == "graph.matmul_integer":
        transposed = op.attributes.get("transB")
        rows = weights if transposed is not None and transposed.value else weights.swapaxes(-1, -2)
    else:
        rows = weights.reshape(weights.shape[0], -1)
    # Mostly a glance is enough: two weights beyond half of the limit, or none.
    large, small = rows > _MOST // 2, rows < _LEAST // 2
    if not large.any() and not small.any():
        return False
    if (large.sum(-1) > 1).any() or (small.sum(-1) > 1).any():
        return True
    if rows.shape[-1] < 2:
        return False
    ordered = np.sort(rows.astype(np.int16), -1)
    return bool((ordered[..., -2:].sum(-1) > _MOST).any() or (ordered[..., :2].sum(-1) < _LEAST).any())
