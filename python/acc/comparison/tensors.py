"""The tensors that a side can show, by the names that a float model has for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import onnx

from acc.comparison.sides import Arrays, CompareError, Run, Side
from acc.container import TensorInfo
from acc.layerwise import all_layers, expose

__all__ = ["Shown", "SideTensors", "model_inputs", "next_tensors", "remember"]


@dataclasses.dataclass(frozen=True)
class Shown:
    """A tensor of a model by the name that a float model has for it.

    shown: what is read of the model. scale, zero_point, axis: if that is integers, what they stand for.
    """

    shown: str
    scale: np.ndarray | None = None
    zero_point: np.ndarray | None = None
    axis: int = 1

    def real(self, array: np.ndarray) -> np.ndarray:
        """The numbers that an array stands for."""
        if self.scale is None:
            return array
        shape = [1] * array.ndim
        if self.scale.size > 1:
            shape[self.axis] = -1
        zero = 0 if self.zero_point is None else self.zero_point.astype(np.float64).reshape(shape)
        return ((array.astype(np.float64) - zero) * self.scale.astype(np.float64).reshape(shape)).astype(np.float32)


def shown_tensors(model: onnx.ModelProto) -> dict[str, Shown]:
    """The activations of a model: where it quantizes one, what the integers stand for."""
    constants = {item.name: item for item in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            constants[node.output[0]] = node.attribute[0].t
    tensors = {layer.output: Shown(layer.output) for layer in all_layers(model)}
    for node in model.graph.node:
        if node.op_type != "QuantizeLinear" or node.output[0] not in tensors or node.input[1] not in constants:
            continue
        parameters = [onnx.numpy_helper.to_array(constants[name]) for name in node.input[1:3] if name in constants]
        axis = next((item.i for item in node.attribute if item.name == "axis"), 1)
        # The second quantization of a tensor, if there is one, is for other readers.
        if node.input[0] not in tensors or tensors[node.input[0]].scale is None:
            tensors[node.input[0]] = Shown(node.output[0], parameters[0], *parameters[1:], axis=axis)
    place = {name: index for index, node in enumerate(model.graph.node) for name in node.output}
    return dict(sorted(tensors.items(), key=lambda item: place.get(item[1].shown, -1)))


def model_inputs(model: onnx.ModelProto) -> list[TensorInfo]:
    from acc.quantization.calibration import input_infos

    stored = {item.name for item in model.graph.initializer}
    return [info for info in input_infos(model) if info.name not in stored]


class SideTensors:
    """The tensors that a side can show, and what it shows of a sample."""

    def __init__(self, side: Side, model: onnx.ModelProto | None) -> None:
        self.side, self.model = side, model
        self._run: Run | None = None
        self.by_name: dict[str, Shown] = {}
        self.inputs: list[TensorInfo] | None = None
        self.outputs: list[str] = []
        if model is not None:
            self.by_name = shown_tensors(model)
            self.inputs = model_inputs(model)
            self.outputs = [value.name for value in model.graph.output]
            self.by_name |= {name: self.by_name.get(name, Shown(name)) for name in self.outputs}
        elif side.is_recorded:
            self._recorded = side.read_recorded()
            self.by_name = {name: Shown(name) for name in self._recorded}
            self.outputs = list(self._recorded)
        else:
            self._executable = side.load_compiled()
            self.inputs = list(self._executable.inputs)
            self.outputs = [info.name for info in self._executable.outputs]
            self.by_name = {name: Shown(name) for name in self.outputs}

    def select(self, names: Sequence[str]) -> None:
        """Says which tensors are wanted."""
        self.names = list(names)
        if self.model is not None:
            given = {info.name for info in self.inputs or ()}
            shown = dict.fromkeys(self.by_name[name].shown for name in names)
            self._run = self.side.load(expose(self.model, [name for name in shown if name not in given]))

    def values(self, sample: Arrays, number: int) -> Arrays:
        """The tensors of a sample, as real numbers where integers stand for them."""
        if self.side.is_recorded:
            short = [name for name in self.names if number >= len(self._recorded[name])]
            if short:
                raise CompareError(
                    f"'{self.side.path}' has {len(self._recorded[short[0]])} samples, but sample {number} is asked for"
                )
            return {name: self._recorded[name][number] for name in self.names}
        own = {info.name: sample[info.name] for info in self.inputs or () if info.name in sample}
        shown = {**own, **(self._run(own) if self._run is not None else self._executable.run(own))}
        return {
            name: self.by_name[name].real(shown[self.by_name[name].shown])
            for name in self.names
            if self.by_name[name].shown in shown
        }

    def order(self) -> list[str]:
        return list(self.by_name)


def next_tensors(model: onnx.ModelProto, names: set[str]) -> dict[str, list[str]]:
    """Of every tensor of `names`, the next ones of `names` that are computed from it."""
    constants = {item.name for item in model.graph.initializer}
    # Which of the names a tensor is made of, going through what is not one of them.
    sources: dict[str, set[str]] = {name: {name} for name in names}
    readers: dict[str, list[str]] = {}
    for node in model.graph.node:
        made = set().union(*(sources.get(name, set()) for name in node.input if name not in constants), set())
        for name in node.output:
            if name in names:
                for source in made - {name}:
                    readers.setdefault(source, []).append(name)
            else:
                sources[name] = made
    return readers


def remember(record: dict[str, list[np.ndarray]] | None, values: Arrays) -> None:
    if record is not None:
        for name, array in values.items():
            record.setdefault(name, []).append(array)
