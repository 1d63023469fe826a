"""Where what is not known at import comes from: the inputs of the model whose sizes or values would settle it.

Size arithmetic turns sizes into values (Shape), and operators turn values into sizes (Reshape, Range), so both are
followed at once: back from a value or from the sizes of a tensor, node by node, to inputs of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from acc import ir
from acc.frontend.call import Tensor
from acc.frontend.model import Graph, Node
from acc.frontend.problems import Needs
from acc.frontend.sizes import is_symbolic

# Their results are made of the sizes of the operand, not of its elements.
_OF_SIZES = frozenset({"EyeLike", "Shape", "Size"})

# Operands whose elements decide how large the results are, by position. Of others it is their sizes alone.
_DECIDING: Mapping[str, tuple[int, ...]] = {
    "AffineGrid": (1,),
    "BlackmanWindow": (0,),
    "CenterCropPad": (1,),
    "Col2Im": (1, 2),
    "Compress": (1,),
    "ConstantOfShape": (0,),
    "DFT": (1, 2),
    "Expand": (1,),
    "HammingWindow": (0,),
    "HannWindow": (0,),
    "If": (0,),
    "Loop": (0, 1),
    "MaxUnpool": (2,),
    "MelWeightMatrix": (0, 1, 2, 3, 4),
    "NonMaxSuppression": (0, 1, 2, 3, 4),
    "NonZero": (0,),
    "OneHot": (1,),
    "Pad": (1, 3),
    "Range": (0, 1, 2),
    "ReduceL1": (1,),
    "ReduceL2": (1,),
    "ReduceLogSum": (1,),
    "ReduceLogSumExp": (1,),
    "ReduceMax": (1,),
    "ReduceMean": (1,),
    "ReduceMin": (1,),
    "ReduceProd": (1,),
    "ReduceSum": (1,),
    "ReduceSumSquare": (1,),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "STFT": (1, 3),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "TopK": (1,),
    "Unique": (0,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
}


class Origins:
    """Follows the values of one model.

    producers: the nodes that produce values, by the values' names. is_constant: whether a value, by name, is a
    constant, not even one made of sizes. values: what is known of every value so far.
    """

    def __init__(
        self,
        graph: Graph,
        producers: Mapping[str, Node],
        is_constant: Callable[[str], bool],
        values: Mapping[str, Tensor | None],
    ) -> None:
        self._inputs = [value.name for value in graph.inputs]
        self._producers = producers
        self._is_constant = is_constant
        self._values = values

    def of_value(self, name: str) -> Needs:
        """The inputs that would make the value called `name` a constant."""
        return self._follow([(name, True)])

    def of_node(self, node: Node) -> Needs:
        """The inputs that would make all sizes known that a node meets, as those of operands or as their elements."""
        names = (*node.inputs, *node.captures)
        return self._follow(
            [*self._sizes_before(node), *((n, True) for n in names if is_symbolic(self._values.get(n)))]
        )

    def is_open(self, name: str) -> bool:
        """Whether a value has sizes that are not known, or is made of such."""
        tensor = self._values.get(name)
        if isinstance(tensor, ir.Value):
            return -1 in ir.shape_of(tensor)
        return is_symbolic(tensor)

    def _follow(self, start: Iterable[tuple[str, bool]]) -> Needs:
        """What to fix so that values, or for those that are given with False their sizes, are known."""
        seen: set[tuple[str, bool]] = set()
        stack = list(start)
        while stack:
            name, wants_value = stack.pop()
            if not name or (name, wants_value) in seen or self._is_known(name, wants_value):
                continue
            seen.add((name, wants_value))
            node = self._producers.get(name)
            if node is None:
                continue
            if not wants_value:
                stack += self._sizes_before(node)
            elif node.op_type in _OF_SIZES and not node.domain:
                stack += [(source, False) for source in node.inputs[:1]]
            else:
                stack += [(source, True) for source in (*node.inputs, *node.captures)]
        # A value comes with its sizes.
        values = [name for name in self._inputs if (name, True) in seen]
        shapes = [name for name in self._inputs if (name, False) in seen and name not in values]
        return Needs(tuple(values), tuple(shapes))

    def _sizes_before(self, node: Node) -> list[tuple[str, bool]]:
        """What the sizes of a node's results follow from."""
        deciding = () if node.domain else _DECIDING.get(node.op_type, ())
        wanted = [(name, False) for name in (*node.inputs, *node.captures)]
        return wanted + [(name, True) for index, name in enumerate(node.inputs) if index in deciding]

    def _is_known(self, name: str, wants_value: bool) -> bool:
        tensor = self._values.get(name)
        if tensor is None or wants_value:
            return tensor is not None and self._is_constant(name)
        return isinstance(tensor, np.ndarray) or not self.is_open(name)
