"""Writes the quantized model: standard ONNX, with QuantizeLinear and DequantizeLinear around float operators."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper

from acc.quantization.calibration import give_back
from acc.quantization.model import FloatModel, add_initializer, attribute, check
from acc.quantization.options import QuantizeError
from acc.quantization.placement import Layer, Placement, Role
from acc.quantization.ranges import Grid, make_grid, quantize_array
from acc.quantization.tables import Table
from acc.quantization.weights import QuantizedWeight
from acc.wording import first_line

__all__ = ["bias_scales", "fit_biases", "write_qdq"]

_MAX_BIAS = (1 << 30) - 1

_PAGES = 16 << 20
"""Bytes of arrays that are freed before their memory is given back to the system."""

_LEAST_SCALE = 1e-37


def bias_scales(layer: Layer, weight: QuantizedWeight, grid: Grid) -> np.ndarray | None:
    """The scales float32 (outputs,) of sums of products; None if there is none for an output, as with blocks."""
    if weight.block:
        return None
    scales = weight.scales.reshape(-1)
    if layer.node.op_type == "ConvTranspose":
        scales = np.tile(scales, attribute(layer.node, "group", 1)) if scales.size > 1 else scales
    return (np.float32(grid.scale) * scales).astype(np.float32)


def fit_biases(layer: Layer, weight: QuantizedWeight, bias: np.ndarray | None, grid: Grid) -> bool:
    """Widens scales whose products with the input's cannot hold the bias in 32 bits, or vanish; whether any was."""
    if weight.block:
        return False
    needed = np.full(weight.scales.size, _LEAST_SCALE / grid.scale)
    if bias is not None:
        reach = np.abs(bias.astype(np.float64)).reshape(-1)
        if weight.scales.size == 1:
            reach = reach.max(keepdims=True)
        elif reach.size > weight.scales.size:
            reach = reach.reshape(-1, weight.scales.size).max(0)
        if reach.size == weight.scales.size:
            needed = np.maximum(needed, reach / _MAX_BIAS / grid.scale)
    narrow = weight.scales.reshape(-1) < needed
    if not narrow.any():
        return False
    scales = np.where(narrow, needed * 1.0001, weight.scales.reshape(-1)).astype(np.float32)
    weight.scales = scales.reshape(weight.scales.shape)
    return True


def write_qdq(
    model: FloatModel,
    placement: Placement,
    grids: Mapping[str, Grid],
    weights: Mapping[str, QuantizedWeight],
    tables: Mapping[str, Table],
) -> tuple[onnx.ModelProto, dict[str, onnx.TensorProto]]:
    """The quantized model, and in it the integers of the weights of layers.

    grids: of all quantized tensors, by name. weights: by the name of their layer; their values are freed on the way,
    since the model has them. tables: by the name of the node that reads one.

    Raises QuantizeError if the checker of ONNX finds fault with it.
    """
    writer = _Writer(model, placement, grids, weights, tables)
    quantized = writer.run()
    tensors = {item.name: item for item in quantized.graph.initializer}
    return quantized, {layer: tensors[name] for layer, name in writer.stored.items()}


def _digest(array: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).digest()


class _Writer:
    def __init__(
        self,
        model: FloatModel,
        placement: Placement,
        grids: Mapping[str, Grid],
        weights: Mapping[str, QuantizedWeight],
        tables: Mapping[str, Table],
    ) -> None:
        self.model, self.placement, self.grids, self.weights = model, placement, grids, weights
        self.tables = tables
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, np.ndarray | onnx.TensorProto] = {}
        self.made: dict[tuple[object, ...], str] = {}
        # The names of the integers of layers, and of equal ones the layer that they were made for.
        self.stored: dict[str, str] = {}
        self.makers: dict[tuple[object, ...], str] = {}
        self.taken = set(model.constants) | set(model.producers) | {value.name for value in model.proto.graph.input}
        # What reads of a quantized tensor are replaced by: for layers, and for other nodes.
        self.dequantized: dict[str, str] = {}
        self.renamed: dict[str, str] = {}

    def run(self) -> onnx.ModelProto:
        model, placement = self.model, self.placement
        layers = {layer.name: layer for layer in placement.layers}
        inside = set(layers) | {node.name for layer in placement.layers for node in layer.chain}
        made = {layer.output for layer in placement.layers}
        for layer in placement.layers:
            if layer.role is Role.MOVE:
                made |= set(layer.node.output)
        outputs = set(model.outputs)
        for value in model.proto.graph.input:
            if value.name in self.grids:
                self._quantize(value.name, value.name)
        for original in model.nodes:
            node = onnx.NodeProto()
            node.CopyFrom(original)
            layer = layers.get(node.name)
            if layer:
                self._replace_constants(layer, node)
            for position, name in enumerate(original.input):
                if name in self.dequantized and (name in made or node.name in inside):
                    node.input[position] = self.dequantized[name]
            for position, name in enumerate(original.output):
                if name in self.grids and name in outputs and name in made:
                    node.output[position] = self.renamed[name] = self._name(f"{name}_float")
            table = self.tables.get(node.name)
            if table:
                self._gather(node, table)
            else:
                self.nodes.append(node)
            for name in original.output:
                if name in self.grids:
                    self._quantize(name, str(self.renamed.get(name, name)))
        return self._build()

    def _name(self, wanted: str) -> str:
        name, count = wanted, 0
        while name in self.taken:
            count += 1
            name = f"{wanted}_{count}"
        self.taken.add(name)
        return name

    def _constant(self, wanted: str, array: np.ndarray, key: object = None) -> str:
        """An initializer; those of the same key and elements are one."""
        identity = (key or wanted, array.dtype.name, array.shape, _digest(array))
        if identity not in self.made:
            self.made[identity] = name = self._name(wanted)
            self.initializers[name] = array
        return self.made[identity]

    def _parameters(self, name: str, grid: Grid) -> list[str]:
        scale = self._constant(f"{name}_scale", np.array(grid.scale, np.float32), "scale")
        zero = self._constant(f"{name}_zero_point", np.array(grid.zero_point, grid.dtype), "zero point")
        return [scale, zero]

    def _quantize(self, name: str, source: str) -> None:
        """QuantizeLinear and DequantizeLinear of a computed tensor; where it is an output, that is dequantized."""
        root, _ = self.placement.tensors[name]
        parameters = self._parameters(root, self.grids[name])
        quantized = self._name(f"{name}_quantized")
        real = name if source != name else self._name(f"{name}_dequantized")
        self._node("QuantizeLinear", [source, *parameters], quantized)
        self._node("DequantizeLinear", [quantized, *parameters], real)
        self.dequantized[name] = real

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: int) -> str:
        node = helper.make_node(kind, inputs, [output], name=f"{output}/{kind}")
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        self.nodes.append(node)
        return output

    def _replace_constants(self, layer: Layer, node: onnx.NodeProto) -> None:
        """Weights, bias and other constants of a layer, dequantized."""
        model = self.model
        weight = self.weights.get(layer.name)
        if weight is not None and layer.weight is not None:
            node.input[1] = self._weight(layer, layer.weight, weight)
            bias = model.constants.get(node.input[2]) if len(node.input) > 2 and node.input[2] else None
            if bias is not None and self._takes_integers(layer, bias):
                scales = bias_scales(layer, weight, self.grids[layer.inputs[0]])
                if scales is not None:
                    node.input[2] = self._bias(node.input[2], bias, scales)
        for position, name in layer.constants.items():
            array = model.constants[name]
            low, high = float(array.min(initial=0)), float(array.max(initial=0))
            dtype = next(iter(self.grids.values())).dtype
            grid = make_grid(low, high, dtype)
            if layer.role is Role.ANCHOR:
                grid = make_grid(low, high, "int8", symmetric=True)
            integers = self._constant(f"{name}_quantized", quantize_array(array, grid))
            real = self._name(f"{name}_dequantized")
            node.input[position] = self._node("DequantizeLinear", [integers, *self._parameters(name, grid)], real)

    def _gather(self, node: onnx.NodeProto, table: Table) -> None:
        """Rows of a table as integers, and behind that as numbers."""
        result = node.output[0]
        node.input[0] = self._constant(f"{table.name}_quantized", table.values)
        node.output[0] = self._name(f"{result}_rows")
        self.nodes.append(node)
        scale = self._constant(f"{table.name}_scale", table.scales)
        zero = self._constant(f"{table.name}_zero_point", np.zeros(table.scales.shape, np.int8))
        # The columns are the last axis, behind those of what says which rows; it need not be known how many there are.
        self._node("DequantizeLinear", [node.output[0], scale, zero], result, axis=-1)

    def _takes_integers(self, layer: Layer, bias: np.ndarray) -> bool:
        """Whether a bias can be integers with the scale of the sums: one for each output, taken as it is."""
        node = layer.node
        if node.op_type == "Gemm" and (attribute(node, "alpha", 1.0) != 1 or attribute(node, "beta", 1.0) != 1):
            return False
        weight = self.weights[layer.name]
        outputs = len(weight.values) * (attribute(node, "group", 1) if node.op_type == "ConvTranspose" else 1)
        return bias.ndim == 1 and bias.size == outputs

    def _weight(self, layer: Layer, name: str, weight: QuantizedWeight) -> str:
        form = weight.form
        values = form.restore(weight.values)
        if weight.block:
            # Blocks lie along the inputs of a matrix, scales where their blocks are.
            scales, axis = np.ascontiguousarray(weight.scales if form.axis == 0 else weight.scales.T), 1 - form.axis
        else:
            scales, axis = weight.scales.reshape(-1), form.axis
        if scales.size == 1:
            scales = scales.reshape(())
        zeros = np.zeros(scales.shape, np.int8)
        if weight.zero_points is not None:
            zeros = (weight.zero_points if form.axis == 0 else weight.zero_points.T).reshape(scales.shape)
        key = (name, weight.bits, _digest(values), _digest(scales), _digest(zeros))
        # From here on, the model has them.
        weight.values = np.zeros((0, 0), np.int8)
        if key in self.made:
            self.stored[layer.name] = self.stored[self.makers[key]]
            return self.made[key]
        self.makers[key] = layer.name
        dtype = "int8" if weight.bits == 8 else "int4"
        integers = self._integers(f"{name}_quantized", values, dtype)
        self.stored[layer.name] = integers
        inputs = [
            integers,
            self._constant(f"{name}_scale", scales.astype(np.float32)),
            self._integers(f"{name}_zero_point", zeros, dtype),
        ]
        attributes = {"axis": axis} if scales.ndim else {}
        if weight.block:
            attributes["block_size"] = weight.block
        self.made[key] = self._node("DequantizeLinear", inputs, self._name(f"{name}_dequantized"), **attributes)
        return self.made[key]

    def _integers(self, wanted: str, values: np.ndarray, dtype: str) -> str:
        if dtype == "int8":
            return self._constant(wanted, values.astype(np.int8, copy=False))
        name = self._name(wanted)
        flat = values.reshape(-1).astype(np.int8)
        # Two of them in a byte, the first in its low half.
        padded = np.append(flat, np.int8(0)) if flat.size % 2 else flat
        packed = ((padded[0::2] & 15) | ((padded[1::2] & 15) << 4)).astype(np.uint8)
        self.initializers[name] = helper.make_tensor(name, TensorProto.INT4, values.shape, packed.tobytes(), raw=True)
        return name

    def _bias(self, name: str, bias: np.ndarray, scales: np.ndarray) -> str:
        values = np.rint(bias.astype(np.float64) / scales.astype(np.float64))
        integers = self._constant(f"{name}_quantized", np.clip(values, -(1 << 31), (1 << 31) - 1).astype(np.int32))
        scales = scales.reshape(()) if scales.size == 1 else scales
        inputs = [
            integers,
            self._constant(f"{name}_scale", scales),
            self._constant(f"{name}_zero_point", np.zeros(scales.shape, np.int32)),
        ]
        attributes = {"axis": 0} if scales.ndim else {}
        return self._node("DequantizeLinear", inputs, self._name(f"{name}_dequantized"), **attributes)

    def _declared(self, value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
        """An output with its shape, which the checker wants and not all models have."""
        declared = onnx.ValueInfoProto()
        declared.CopyFrom(value)
        shape = self.model.shapes.get(value.name)
        if value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape") and shape is not None:
            kind = value.type.tensor_type.elem_type or self.model.types[value.name]
            declared.CopyFrom(helper.make_tensor_value_info(value.name, kind, shape, value.doc_string))
        return declared

    def _build(self) -> onnx.ModelProto:
        source = self.model.proto
        used = {name for node in self.nodes for name in node.input} | self.model.captured | set(self.model.outputs)
        result = helper.make_model(
            helper.make_graph(
                self.nodes,
                source.graph.name or "quantized",
                list(source.graph.input),
                [self._declared(value) for value in source.graph.output],
                doc_string=source.graph.doc_string,
            ),
            opset_imports=list(source.opset_import),
            ir_version=source.ir_version,
        )
        for name, value in self.model.constants.items():
            if name in used:
                add_initializer(result.graph, name, value)
        unreturned = 0
        while self.initializers:
            name = next(iter(self.initializers))
            # There is no second copy of all of them at any time.
            value = self.initializers.pop(name)
            if name not in used:
                continue
            if isinstance(value, np.ndarray):
                add_initializer(result.graph, name, value)
                unreturned += value.nbytes
                if unreturned > _PAGES:
                    del value
                    give_back()
                    unreturned = 0
            else:
                result.graph.initializer.append(value)
        result.producer_name = "acc"
        result.metadata_props.extend(source.metadata_props)
        try:
            check(result)
        except Exception as error:
            raise QuantizeError(f"the quantized model is not valid: {first_line(error)}") from error
        return result
