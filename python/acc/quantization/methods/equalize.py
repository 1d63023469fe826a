"""Cross-layer equalisation (Nagel et al., Data-free quantization through weight equalization and bias correction,
2019).

Between two layers with nothing but a ReLU in between, a channel can be divided by a positive number in the first and
multiplied by it in the second. So channels of a tensor with one scale are made alike. Weights of the first have a
scale for each channel and lose nothing; what the second's lose is weighed against it.

The same holds for everything between layers that keeps channels apart and that such a number goes through: sums of
tensors, pools, products with a gate. The tensors of a residual stream are one group with the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from acc.quantization.calibration import Statistics
from acc.quantization.methods.channel_scales import (
    Reading,
    balance,
    can_multiply_rows,
    form_of,
    multiply_columns,
    multiply_rows,
    reads_channels,
)
from acc.quantization.model import FloatModel
from acc.quantization.options import QuantizeOptions
from acc.quantization.placement import Layer, Placement, Role

__all__ = ["Group", "equalize", "groups"]


@dataclass
class Group:
    """Tensors whose channels are scaled together, the layers that make them, and the layers with weights that read
    them.

    channels: how many there are; 0 until a layer has told.
    """

    tensors: list[str] = field(default_factory=list)
    makers: list[Layer] = field(default_factory=list)
    readers: dict[str, list[Layer]] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    channels: int = 0


_ALONG = ("MaxPool", "GlobalMaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean", "Relu")
"""Operators on one tensor that commute with positive numbers for each channel, on images."""


def groups(model: FloatModel, placement: Placement) -> list[Group]:
    """All groups that can be scaled."""
    return _Grouping(model, placement).run()


class _Grouping:
    def __init__(self, model: FloatModel, placement: Placement) -> None:
        self.model, self.placement = model, placement
        self.parents: dict[str, str] = {}
        self.wrong: set[str] = set()

    def find(self, name: str) -> str:
        while self.parents.setdefault(name, name) != name:
            name = self.parents[name]
        return name

    def join(self, names: list[str]) -> None:
        for name in names[1:]:
            self.parents[self.find(name)] = self.find(names[0])

    def run(self) -> list[Group]:
        model, layers = self.model, self.placement.layers
        made: dict[str, Layer] = {layer.output: layer for layer in layers}
        inside = {node.name for layer in layers for node in (layer.node, *layer.chain)}
        whole: set[str] = set()
        for layer in layers:
            members = self._members(layer)
            if members:
                self.join(members)
                whole.update(name for name in members if layer.role is Role.SUM)
        found: dict[str, Group] = {}
        for layer in layers:
            root = self.find(layer.output)
            found.setdefault(root, Group()).tensors.append(layer.output)
        for layer in layers:
            group = found[self.find(layer.output)]
            if layer.weight is not None:
                group.makers.append(layer)
            elif not self._members(layer):
                self.wrong.add(self.find(layer.output))
            for name in layer.inputs:
                root = self.find(name)
                if root == self.find(layer.output) and self._members(layer):
                    continue
                if root in found and layer.weight is not None and name == layer.inputs[0]:
                    found[root].readers.setdefault(name, []).append(layer)
                elif root in found:
                    self.wrong.add(root)
        for name in self.parents:
            root = self.find(name)
            outside = any(reader.node.name not in inside for reader in model.read_by(name))
            if name not in made or outside or name in model.outputs or name in model.captured:
                self.wrong.add(root)
        good = []
        for root, group in found.items():
            group.whole = whole & set(group.tensors)
            if self.find(root) not in self.wrong and self._fits(group):
                good.append(group)
        return good

    def _members(self, layer: Layer) -> list[str]:
        """The tensors that numbers for each channel go through a layer from and to; none if they do not."""
        if any(node.op_type != "Relu" for node in layer.chain) or layer.weight is not None or layer.constants:
            return []
        model, node = self.model, layer.node
        shape = model.shapes.get(layer.output)
        if node.op_type in _ALONG and model.rank(layer.output) == model.rank(layer.inputs[0]) and len(shape or ()) >= 3:
            return [layer.inputs[0], layer.output]
        shapes = [model.shapes.get(name) for name in layer.inputs]
        if node.op_type in ("Add", "Sum", "Sub") and shape is not None and all(other == shape for other in shapes):
            return [*layer.inputs, layer.output]
        if node.op_type == "Mul" and shape is not None and shape in shapes and len(set(layer.inputs)) == 2:
            # The gate is the one that is spread over the other, or comes from a function.
            gated = [name for name, other in zip(layer.inputs, shapes, strict=True) if other == shape]
            return [gated[0], layer.output] if len(gated) == 1 else []
        return []

    def _fits(self, group: Group) -> bool:
        """Whether all makers and readers have the same channels, each apart from the others, on the same axis."""
        if not group.makers or not group.readers:
            return False
        form = form_of(self.model, group.makers[0])
        group.channels = form.shape[form.axis]
        images = {layer.node.op_type == "Conv" for layer in (*group.makers, *_all(group.readers))}
        return (
            len(images) == 1
            and all(can_multiply_rows(self.model, layer, group.channels) for layer in group.makers)
            and all(reads_channels(self.model, layer, group.channels) for layer in _all(group.readers))
        )


def _all(readers: dict[str, list[Layer]]) -> list[Layer]:
    return [layer for layers in readers.values() for layer in layers]


def equalize(
    model: FloatModel, placement: Placement, statistics: dict[str, Statistics], options: QuantizeOptions
) -> int:
    """Makes channels alike wherever it pays; returns of how many groups. statistics: of the tensors of `groups`."""
    changed = 0
    for group in groups(model, placement):
        seen = [statistics.get(name) for name in group.tensors]
        if any(item is None or len(item.sums) != group.channels for item in seen):
            continue
        readings = [
            Reading(item, group.readers.get(name, []), name in group.whole)
            for name, item in zip(group.tensors, seen, strict=True)
            if item is not None
        ]
        scales = balance(model, readings, options)
        if scales is None:
            continue
        for layer in group.makers:
            multiply_rows(model, layer, 1 / scales)
        for layer in _all(group.readers):
            multiply_columns(model, layer, scales)
        changed += 1
    return changed
