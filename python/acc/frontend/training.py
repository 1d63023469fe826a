"""One step of an optimizer: Adagrad, Adam and Momentum, written out as arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from acc import ir
from acc.frontend.call import PLAIN, Attr, Call, Tensor, dtype_of, element_of
from acc.frontend.problems import Unsupported
from acc.frontend.reductions import cast_to

DOMAIN = "ai.onnx.preview.training"

_COMMON = ("epsilon", "norm_coefficient")
ADAGRAD: dict[str, Attr] = dict.fromkeys((*_COMMON, "decay_factor"), PLAIN)
ADAM: dict[str, Attr] = dict.fromkeys((*_COMMON, "alpha", "beta", "norm_coefficient_post"), PLAIN)
MOMENTUM: dict[str, Attr] = dict.fromkeys(("norm_coefficient", "alpha", "beta", "mode"), PLAIN)


class _Step:
    """The operands of a step, and arithmetic on them; numbers become constants of the rate's type.

    rate: scalar. count: scalar of the rate's type, how many steps there have been. tensors: one group for each
    optimized tensor: its value, its gradient, its states.
    """

    def __init__(self, call: Call, states: int) -> None:
        self.call = call
        self.rate, count, *rest = call.operands()
        self.count = cast_to(call, count, element_of(self.rate))
        groups = 2 + states
        if len(rest) % groups:
            raise Unsupported(f"has {len(rest)} tensors, which are not groups of {groups}")
        number = len(rest) // groups
        self.tensors = [tuple(rest[index::number]) for index in range(number)]

    def attribute(self, name: str) -> float:
        return cast(float, self.call.attributes[name])

    def _value(self, x: ir.Value | float) -> ir.Value:
        if isinstance(x, int | float):
            return self.call.literal(np.asarray(x, dtype_of(element_of(self.rate))))
        return x

    def emit(self, operator: str, *operands: ir.Value | float) -> ir.Value:
        return self.call.emit(operator, [self._value(operand) for operand in operands])

    def multiply_add(self, x: ir.Value, factor: ir.Value | float, y: ir.Value) -> ir.Value:
        return self.emit("add", self.emit("mul", x, factor), y)

    def if_positive(self, x: ir.Value, y: ir.Value | float) -> ir.Value:
        """x once there has been a step, else y."""
        return self.emit("where", self.emit("greater", self.count, 0.0), x, y)

    def regularize(self, value: ir.Value, gradient: ir.Value) -> ir.Value:
        return self.multiply_add(value, self.attribute("norm_coefficient"), gradient)


def convert_adagrad(call: Call) -> Sequence[Tensor]:
    step = _Step(call, 1)
    decay = step.emit("add", step.emit("mul", step.count, step.attribute("decay_factor")), 1.0)
    rate = step.emit("div", step.rate, decay)
    results: list[tuple[ir.Value, ...]] = []
    for value, gradient, squares in step.tensors:
        slope = step.regularize(value, gradient)
        total = step.multiply_add(slope, slope, squares)
        size = step.emit("add", step.emit("sqrt", total), step.attribute("epsilon"))
        change = step.emit("div", step.emit("mul", rate, slope), size)
        results.append((step.emit("sub", value, change), total))
    return _by_kind(results)


def convert_adam(call: Call) -> Sequence[Tensor]:
    step = _Step(call, 2)
    alpha, beta = step.attribute("alpha"), step.attribute("beta")

    def rest(base: float) -> ir.Value:
        return step.emit("sub", 1.0, step.emit("pow", base, step.count))

    adjusted = step.emit("div", step.emit("mul", step.rate, step.emit("sqrt", rest(beta))), rest(alpha))
    rate = step.if_positive(adjusted, step.rate)
    results: list[tuple[ir.Value, ...]] = []
    for value, gradient, mean, squares in step.tensors:
        slope = step.regularize(value, gradient)
        new_mean = step.multiply_add(mean, alpha, step.emit("mul", slope, 1 - alpha))
        square = step.emit("mul", slope, slope)
        new_squares = step.multiply_add(squares, beta, step.emit("mul", square, 1 - beta))
        size = step.emit("add", step.emit("sqrt", new_squares), step.attribute("epsilon"))
        change = step.emit("div", step.emit("mul", rate, new_mean), size)
        moved = step.emit("mul", step.emit("sub", value, change), 1 - step.attribute("norm_coefficient_post"))
        results.append((moved, new_mean, new_squares))
    return _by_kind(results)


def convert_momentum(call: Call) -> Sequence[Tensor]:
    step = _Step(call, 1)
    mode = call.attributes["mode"]
    if mode not in ("standard", "nesterov"):
        raise Unsupported(f"attribute 'mode' is '{mode}'")
    alpha = step.attribute("alpha")
    beta = step.if_positive(step.call.literal(np.asarray(step.attribute("beta"), dtype_of(element_of(step.rate)))), 1.0)
    results: list[tuple[ir.Value, ...]] = []
    for value, gradient, momentum in step.tensors:
        slope = step.regularize(value, gradient)
        new = step.multiply_add(momentum, alpha, step.emit("mul", beta, slope))
        direction = step.multiply_add(new, alpha, slope) if mode == "nesterov" else new
        results.append((step.emit("sub", value, step.emit("mul", step.rate, direction)), new))
    return _by_kind(results)


def _by_kind(results: list[tuple[ir.Value, ...]]) -> list[Tensor]:
    """Outputs list the values of all tensors first, then each of their states."""
    return [value for kind in zip(*results, strict=True) for value in kind]
