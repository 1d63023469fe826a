"""Operators on constants: computed at import by acc's own native code, so that a constant makes no difference.

Nodes on constants are imported like any other. Their results are *computable*: values of the graph that only depend
on constants. They are computed when an importer's decision depends on one (a shape, an axis, a condition), and all
that are left together at the end, in one compilation; constants then take the place of the operators.

Where numbers are quantized is never folded, nor are large constants, which are weights: these stay operators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import cast

import numpy as np

from acc import ir
from acc.errors import AccError
from acc.frontend.emitter import Emitter
from acc.frontend.exact import MAX_ELEMENTS
from acc.frontend.splats import keep_splat
from acc.targets.cpu import CpuOptions

__all__ = ["Constants", "NotComputed"]


class NotComputed(Exception):
    """Native code cannot compute a value; the message is the reason."""


class Constants:
    """What is known at import of the values that an emitter makes."""

    def __init__(self, emitter: Emitter, cpu: CpuOptions | None) -> None:
        """cpu: the processor that the model is compiled for."""
        self._known = emitter.constants
        self._cpu = cpu
        self._computable: dict[ir.Value, bool] = {}
        self._determined: dict[ir.Value, bool] = {}

    def get(self, value: ir.Value) -> np.ndarray | None:
        """The array of a constant, or of what has been computed."""
        return self._known.get(value)

    def is_computable(self, value: ir.Value) -> bool:
        """Whether a value only depends on constants and is small, as all that it depends on."""
        known = self._computable.get(value)
        if known is None:
            known = self._computable[value] = _is_small(value.type) and self._depends_on_constants(value)
        return known

    def _depends_on_constants(self, value: ir.Value) -> bool:
        owner = value.owner
        if value in self._known:
            return True
        if not isinstance(owner, ir.Operation) or owner.regions or owner.name == "graph.constant":
            return False
        return all(map(self.is_computable, owner.operands))

    def is_determined(self, value: ir.Value) -> bool:
        """Whether a value could be computed, though it may depend on quantized constants."""
        known = self._determined.get(value)
        if known is None:
            owner = value.owner
            known = value in self._known or (
                isinstance(owner, ir.Operation)
                and not owner.regions
                and _is_small(value.type, quantized=True)
                and all(map(self.is_determined, owner.operands))
            )
            self._determined[value] = known
        return known

    def compute(self, value: ir.Value, names: Iterable[ir.Value]) -> np.ndarray:
        """The array of a computable or determined value; those of `names` that it depends on are computed on the way.

        Raises NotComputed.
        """
        from acc.evaluate import backward_slice

        if value not in self._known:
            results = {result for op in backward_slice([value], self._known) for result in op.results}
            self._compute([value, *(other for other in names if other in results and other != value)])
        return self._known[value]

    def _compute(self, values: Sequence[ir.Value]) -> None:
        # The compiler imports this package.
        from acc.evaluate import evaluate

        try:
            arrays = evaluate(values, self._known, self._cpu)
        except AccError as error:
            raise NotComputed(str(error)) from error
        self._known.update(zip(values, map(keep_splat, arrays), strict=True))

    def fold(self, block: ir.Block, constant: Callable[[np.ndarray, ir.Operation], ir.Value]) -> None:
        """Puts constants in place of the values that the rest of the block takes from computable ones.

        constant: makes a constant in front of an operation.
        """
        wanted: dict[ir.Value, None] = {}
        for operation in block:
            if not operation.results or not all(map(self.is_computable, operation.results)):
                wanted |= dict.fromkeys(filter(self._is_replaced, operation.operands))
        rest = [value for value in wanted if value not in self._known]
        try:
            if rest:
                self._compute(rest)
        except NotComputed:
            # What is wrong, the compilation or the run of the model says.
            return
        for value in wanted:
            value.replace_all_uses_with(constant(self._known[value], cast(ir.Operation, value.owner)))

    def _is_replaced(self, value: ir.Value) -> bool:
        owner = value.owner
        is_tensor = ir.RankedTensorType.isinstance(value.type)
        return (
            isinstance(owner, ir.Operation)
            and owner.name != "graph.constant"
            and is_tensor
            and ir.ShapedType(value.type).has_static_shape
            and self.is_computable(value)
        )


def _is_small(type: ir.Type, *, quantized: bool = False) -> bool:
    """Whether it is the type of a number, or of a tensor, `quantized` or of numbers, that is not large."""
    if not ir.RankedTensorType.isinstance(type):
        return True
    tensor = ir.RankedTensorType(type)
    if isinstance(tensor.element_type, ir.QuantizedType) and not quantized:
        return False
    return not tensor.has_static_shape or tensor.num_elements <= MAX_ELEMENTS
