"""From integer convolutions and matrix products to sums of products of 8-wide vectors.

The host pads channels to a multiple of eight and makes them the innermost axis, eight by eight; constant weights are
packed here. The kernel itself is linalg on the packed tensors, for any number of spatial axes:

    y[n, o, d...] = bias[o] + sum over c, k..., i of x[n, c, d * stride + k * dilation..., i] * w[o, c, k..., i]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from acc import ir
from acc.dialects import graph

OPERATORS = ("graph.conv_integer", "graph.gemm_integer")


def pack(module: ir.Operation, target: ir.Attribute) -> None:
    """Rewrites the operators of main that are placed on the target."""
    main = module.lookup_symbol("main")
    assert main is not None
    for op in list(main.regions[0].blocks[0].operations):
        placement = op.attributes.get("graph.placement")
        if op.name in OPERATORS and isinstance(placement, graph.PlacementAttr) and placement.target == target:
            with ir.InsertionPoint(op), op.location:
                op.replace_all_uses_with(_convolution(op, placement))
            op.erase()


def _shape(value: ir.Value) -> list[int]:
    return ir.RankedTensorType(value.type).shape


def _like(value: ir.Value, shape: Sequence[int]) -> ir.RankedTensorType:
    return ir.RankedTensorType.get(list(shape), ir.RankedTensorType(value.type).element_type)


def _integers(op: ir.Operation, name: str) -> list[int]:
    return list(op.attributes[name].value) if name in op.attributes else []


def _create(name: str, result: ir.Type, operands: Sequence[ir.Value], **attributes: object) -> ir.Value:
    return ir.Operation.create(name, [result], operands, attributes).result  # type: ignore[arg-type]


def _pack_input(op: ir.Operation, kernel: str) -> ir.Value:
    """x (N, C, D...) as (N, C / 8, D..., 8), padded in space too. Weights are zero where channels are padded.

    kernel: of the host, which does this.
    """
    host = {"graph.placement": graph.PlacementAttr.get(kernel, context=op.context)}
    x, pads = op.operands[0], _integers(op, "pads")
    spatial = len(pads) // 2
    n, channels, *sizes = _shape(x)
    groups = -(-channels // 8)
    sizes = [low + size + high for low, size, high in zip(pads[:spatial], sizes, pads[spatial:], strict=True)]
    if any(pads) or channels % 8:
        fill = op.attributes["pad_value"].value if "pad_value" in op.attributes else 0
        around = [0, 0, *pads[:spatial], 0, groups * 8 - channels, *pads[spatial:]]
        shape = [n, groups * 8, *sizes]
        x = _create("graph.pad", _like(x, shape), [x], **host, pads=around, constant_value=float(fill))
    if not spatial:
        return _create("graph.reshape", _like(x, [n, groups, 8]), [x])
    x = _create("graph.reshape", _like(x, [n, groups, 8, *sizes]), [x], **host)
    order = [0, 1, *range(3, 3 + spatial), 2]
    return _create("graph.transpose", _like(x, [n, groups, *sizes, 8]), [x], **host, perm=order)


def _pack_weights(weights: ir.Value) -> ir.Value:
    """(O, C, K...) as (O, C / 8, K..., 8)."""
    assert isinstance(weights.owner, ir.Operation)
    array = np.asarray(weights.owner.attributes["value"].value)
    outputs, channels, *window = array.shape
    array = np.pad(array, [(0, 0), (0, -channels % 8), *([(0, 0)] * len(window))])
    array = np.ascontiguousarray(np.moveaxis(array.reshape(outputs, -1, 8, *window), 2, -1))
    return _create("graph.constant", _like(weights, array.shape), [], value=array)


def _generic(
    inputs: Sequence[ir.Value],
    init: ir.Value,
    maps: Sequence[Sequence[ir.AffineExpr]],
    kinds: Sequence[str],
    body: Callable[[list[ir.Value]], ir.Value],
    placement: graph.PlacementAttr,
) -> ir.Value:
    """A linalg.generic; maps: one per operand, `init` last, from loops of these kinds."""
    attributes = {
        "indexing_maps": [ir.AffineMapAttr.get(ir.AffineMap.get(len(kinds), 0, list(m), init.context)) for m in maps],
        "iterator_types": [ir.Attribute.parse(f"#linalg.iterator_type<{kind}>", init.context) for kind in kinds],
        "operandSegmentSizes": ir.DenseI32ArrayAttr.get([len(inputs), 1], init.context),
        "graph.placement": placement,
    }
    op = ir.Operation.create("linalg.generic", [init.type], [*inputs, init], attributes, regions=1)
    elements = [ir.RankedTensorType(value.type).element_type for value in (*inputs, init)]
    block = op.regions[0].blocks.append(*elements)
    with ir.InsertionPoint(block):
        ir.Operation.create("linalg.yield", operands=[body(list(block.arguments))])
    return op.result


def _multiply_add(operands: list[ir.Value]) -> ir.Value:
    x, w, total = operands
    wide = [_create("arith.extsi", total.type, [value]) for value in (x, w)]
    return _create("arith.addi", total.type, [total, _create("arith.muli", total.type, wide)])


def _convolution(op: ir.Operation, placement: graph.PlacementAttr) -> ir.Value:
    """The kernel's operators in front of `op`; returns its result."""
    x, weights, bias = _pack_input(op, f"{placement.kernel.value}:pack"), _pack_weights(op.operands[1]), op.operands[2]
    strides, dilations = _integers(op, "strides"), _integers(op, "dilations")
    spatial = len(strides)
    dims = [ir.AffineExpr.get_dim(index, op.context) for index in range(2 * spatial + 4)]
    n, o, *at = dims[: 2 + spatial]
    c, *taps, i = dims[2 + spatial :]
    window = [a * stride + tap * by for a, stride, tap, by in zip(at, strides, taps, dilations, strict=True)]
    result = [n, o, *at]
    parallel = ["parallel"] * len(result)
    empty = [_create("tensor.empty", op.result.type, []) for _ in range(2)]
    first = lambda operands: operands[0]  # noqa: E731
    sums = _generic([bias], empty[0], [[o], result], parallel, first, placement)
    sums = _generic(
        [x, weights],
        sums,
        [[n, c, *window, i], [o, c, *taps, i], result],
        [*parallel, *["reduction"] * (spatial + 2)],
        _multiply_add,
        placement,
    )
    return _generic([sums], empty[1], [result, result], parallel, first, placement)
