"""What is decided for a whole model beside the schedules of its kernels, and what a tuner may try instead.

Every choice gives the same bits. Those that concern a layer are named after it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from acc import ir
from acc.targets.vta.config import Hardware
from acc.targets.vta.folding import Convolution, folds_by_cycles, operations_of

__all__ = ["Choices", "list_choices"]

FOLD, RESIDUAL = "fold ", "residual "
"""What the names of choices for a convolution and for a sum begin with, before the name of the layer."""

MOST_FOLDS = 4
"""How many ways to fold the window of a convolution are offered beside the default one."""


@dataclasses.dataclass(frozen=True)
class Choices:
    """One decision for each.

    prefetch: how many LOADs may go ahead of an instruction (vta-hoist-loads). alternate: whether kernels that follow
    each other in a program use different ends of the scratchpads, so that one loads while the other computes.
    part_cycles: what another LOAD is taken to cost where one is split so that compute begins earlier (vta-split-loads).
    lanes: whether channels that are read together are put together. apart: the layers whose sum of two tensors is a
    kernel of its own. folds: the rows and columns of the windows of convolutions that go into lanes, by layer.
    """

    prefetch: int = 16
    alternate: bool = True
    part_cycles: int = 16
    lanes: bool = True
    apart: frozenset[str] = frozenset()
    folds: Mapping[str, tuple[int, int]] = dataclasses.field(default_factory=dict)

    @staticmethod
    def of(values: Mapping[str, Any]) -> Choices:
        """Reads values of what `list_choices` lists; others are left out."""
        offered = {name: other for name, other in OFFERED.items() if name in values}
        plain = {name: values[name] for name, known in offered.items() if values[name] in known}
        apart = {
            name.removeprefix(RESIDUAL) for name, fused in values.items() if name.startswith(RESIDUAL) and not fused
        }
        folds = {
            name.removeprefix(FOLD): (int(fold[0]), int(fold[1]))
            for name, fold in values.items()
            if name.startswith(FOLD) and isinstance(fold, Sequence) and len(fold) == 2
        }
        return Choices(**plain, apart=frozenset(apart), folds=folds)


OFFERED: Mapping[str, tuple[Any, ...]] = {
    "prefetch": (16, 2, 4, 8, 32),
    "alternate": (True, False),
    "part_cycles": (16, 4, 64),
    "lanes": (True, False),
}
"""The choices that concern no layer, the default first."""


def _named(module: ir.Module, kind: str) -> Iterator[tuple[str, ir.Operation]]:
    """The operations of a kind, with the names of their ONNX nodes."""
    for operations in operations_of(module.operation):
        for op in operations:
            if op.name == kind and op.location.names:
                yield "+".join(op.location.names), op


def list_choices(module: ir.Module, hardware: Hardware) -> dict[str, tuple[Any, ...]]:
    """What can be chosen for a graph that is not partitioned yet: by name the values, the default first.

    None is what acc would choose by itself.
    """
    found = dict(OFFERED)
    for name, op in _named(module, "graph.weighted_sum"):
        if len(op.operands) == 2 and ir.shape_of(op.operands[0]) == ir.shape_of(op.operands[1]):
            found[RESIDUAL + name] = (True, False)
    for name, op in _named(module, "graph.conv_integer"):
        group = op.attributes.get("group")
        is_image = len(ir.shape_of(op.operands[0])) == 4 and min(ir.shape_of(op.operands[0])) > 0
        if not is_image or (group is not None and group.value != 1):
            continue
        convolution = Convolution.of(op)
        if convolution.input[1] < hardware.config.block_in and max(convolution.weight[2:]) > 1:
            found[FOLD + name] = (None, *folds_by_cycles(convolution, hardware)[:MOST_FOLDS])
    return found
