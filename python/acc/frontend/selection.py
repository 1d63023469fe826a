"""An If whose condition a run computes: both branches are computed, and every result is chosen from the two.

That gives what the branch that is taken gives as long as the other one only costs time: operators of the graph dialect
have no effects and are total on elements, but a run is refused whose sizes an operator cannot take. So neither branch
may have an operator that does not take all of the sizes that only a run knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from acc import ir
from acc.frontend.emitter import CHECK
from acc.frontend.sizes import are_same, sizes_of

__all__ = ["MAX_OPERATORS", "cannot_fail"]

MAX_OPERATORS = 1024
"""Both branches are computed, so they must not be a large part of a network."""

# With one operand, or with more of which only the first has a say, of any size.
_ANY_SIZE = frozenset(
    (
        *("abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "bit_cast", "bitwise_not", "cast", "ceil", "celu"),
        *("clip", "constant", "cos", "cosh", "dequantize_linear", "elu", "erf", "exp", "floor", "gather", "gelu"),
        *("hard_sigmoid", "hard_swish", "hardmax", "index_tensor", "is_inf", "is_nan", "leaky_relu", "log"),
        *("log_softmax", "lookup", "lp_normalization", "mean_variance_normalization", "mish", "neg", "not"),
        *("quantize_linear", "reciprocal", "reduce_l1", "reduce_l2", "reduce_log_sum", "reduce_log_sum_exp"),
        *("reduce_mean", "reduce_prod", "reduce_sum", "reduce_sum_square", "relu", "round", "selu", "shrink"),
        *("sigmoid", "sign", "sin", "sinh", "softmax", "softplus", "softsign", "sqrt", "storage_cast", "swish", "tan"),
        *("tanh", "thresholded_relu", "transpose", "trilu", "unsqueeze"),
    )
)

# Of operands that broadcast.
_BROADCAST = frozenset(
    (
        *("add", "and", "bitwise_and", "bitwise_or", "bitwise_xor", "div", "equal", "greater", "greater_or_equal"),
        *("less", "less_or_equal", "max", "mean", "min", "mod", "mul", "or", "p_relu", "pow", "sub", "sum", "where"),
        "xor",
    )
)


def cannot_fail(operations: Iterable[ir.Operation]) -> bool:
    """Whether no run is refused for the sizes that operators of the graph dialect meet."""
    return all(map(_takes_any_size, operations))


def _takes_any_size(operation: ir.Operation) -> bool:
    if operation.name == CHECK:
        return False
    tensors = [
        value for value in (*operation.operands, *operation.results) if ir.RankedTensorType.isinstance(value.type)
    ]
    if not tensors or all(ir.RankedTensorType(value.type).has_static_shape for value in tensors):
        # The importer has met all of its sizes.
        return True
    name = operation.name.removeprefix("graph.")
    shapes = [sizes_of(value) for value in operation.operands if ir.RankedTensorType.isinstance(value.type)]
    if name in _ANY_SIZE:
        return True
    if name in _BROADCAST:
        return all(_broadcasts(a, b) for index, a in enumerate(shapes) for b in shapes[:index])
    if name == "mat_mul":
        return _multiplies(shapes[0], shapes[1])
    return False


def _broadcasts(a: Sequence[int], b: Sequence[int]) -> bool:
    """Whether two shapes broadcast, whatever the sizes are that a run knows."""
    pairs = zip(a[::-1], b[::-1], strict=False)
    return all(_is_one(x) or _is_one(y) or are_same([x], [y]) for x, y in pairs)


def _multiplies(a: Sequence[int], b: Sequence[int]) -> bool:
    if len(a) < 2 or len(b) < 2:
        return False
    return are_same(a[-1:], b[-2:-1]) and _broadcasts(a[:-2], b[:-2])


def _is_one(size: int) -> bool:
    return isinstance(size, int) and size == 1
