"""Writes the graph dialect back as ONNX, so that ONNX Runtime can say what an imported model computes.

The graph dialect has ONNX's semantics with one form per operator, so that each operator is one ONNX node
again. A round trip through it checks the importer, shape inference and every rewrite on the graph level.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from acc import ir

OPSET = 21

_NAMES = {"lrn": "LRN", "mat_mul": "MatMul"}
# Attributes that are inputs in ONNX, in the order of the inputs.
_INPUTS = {"clip": ("min", "max"), "pad": ("pads", "constant_value"), "squeeze": ("axes",), "unsqueeze": ("axes",)}


def run(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs of an ONNX model, computed by ONNX Runtime without optimizations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    model = onnx.shape_inference.infer_shapes(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def main_function(module: ir.Module) -> ir.Operation:
    return next(op for op in module.body.operations if op.name == "func.func")


def operators(module: ir.Module) -> list[ir.Operation]:
    """The graph operators of an imported module, in order, without constants."""
    block = main_function(module).regions[0].blocks[0]
    return [op for op in block.operations if op.name.startswith("graph.") and op.name != "graph.constant"]


def to_onnx(module: ir.Module) -> onnx.ModelProto:
    """The module as an ONNX model with the same inputs and outputs."""
    return _Writer(main_function(module)).model()


class _Writer:
    def __init__(self, function: ir.Operation) -> None:
        self.function = function
        self.block = function.regions[0].blocks[0]
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.names: dict[ir.Value, str] = {}

    def model(self) -> onnx.ModelProto:
        inputs, outputs = [], []
        for argument, attributes in zip(self.block.arguments, self._names("arg_attrs"), strict=True):
            self.names[argument] = attributes
            inputs.append(self._value_info(attributes, argument))
        for op in self.block.operations:
            if op.name == "func.return":
                for value, name in zip(op.operands, self._names("res_attrs"), strict=True):
                    self.nodes.append(helper.make_node("Identity", [self.names[value]], [name]))
                    outputs.append(self._value_info(name, value))
            else:
                self._write(op)
        graph = helper.make_graph(self.nodes, "graph", inputs, outputs, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)

    def _names(self, attribute: str) -> list[str]:
        return [entry["graph.name"] for entry in self.function.attributes[attribute].value]

    def _value_info(self, name: str, value: ir.Value) -> onnx.ValueInfoProto:
        dtype = helper.np_dtype_to_tensor_dtype(_dtype(value.type.element_type))
        return helper.make_tensor_value_info(name, dtype, list(value.type.shape))

    def _constant(self, array: np.ndarray) -> str:
        name = f"_c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name))
        return name

    def _write(self, op: ir.Operation) -> None:
        kind = op.name.removeprefix("graph.")
        result = op.results[0]
        name = self.names[result] = f"_v{len(self.names)}"
        if kind == "constant":
            array = np.asarray(op.attributes["value"].value)
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name))
            return
        inputs = [self.names[operand] for operand in op.operands]
        attributes = {key: attribute.value for key, attribute in op.attributes.items()}
        # ONNX says which axes Squeeze drops, or none of them.
        attributes.pop("all", None)
        if "mode" in attributes:
            attributes["mode"] = str(attributes["mode"]).removeprefix("#graph.pad_mode<").removesuffix(">")
        onnx_name = _NAMES.get(kind, "".join(part.capitalize() for part in kind.split("_")))
        for key in _INPUTS.get(kind, ()):
            value = attributes.pop(key, None)
            dtype = np.int64 if key in ("pads", "axes") else _dtype(op.operands[0].type.element_type)
            inputs.append("" if value is None else self._constant(np.array(value, dtype)))
        if kind == "reshape":
            inputs.append(self._constant(np.array(result.type.shape, np.int64)))
            attributes["allowzero"] = 1
        elif kind == "cast":
            attributes = {"to": helper.np_dtype_to_tensor_dtype(_dtype(result.type.element_type))}
        elif kind == "storage_cast":
            onnx_name = "Identity"
        elif kind in ("quantize_linear", "dequantize_linear"):
            inputs += self._quantization(op, attributes)
        attributes = {key: int(value) if isinstance(value, bool) else value for key, value in attributes.items()}
        kernel, pads = attributes.get("kernel_shape"), attributes.get("pads")
        if kernel and any(pad >= size for pad, size in zip(pads, kernel * 2, strict=True)):
            self._write_wide_pool(onnx_name, inputs[0], name, op.operands[0], attributes)
            return
        self.nodes.append(helper.make_node(onnx_name, inputs, [name], **attributes))

    def _write_wide_pool(
        self, onnx_name: str, source: str, name: str, operand: ir.Value, attributes: dict[str, object]
    ) -> None:
        """A pool with more padding than ONNX Runtime takes, as a pool of a padded tensor."""
        pads = attributes.pop("pads")
        rank = len(pads) // 2
        full = self._constant(np.array([0, 0, *pads[:rank], 0, 0, *pads[rank:]]))

        def pool(value: str, fill: float, result: str) -> str:
            self.nodes.append(
                helper.make_node("Pad", [value, full, self._constant(np.float32(fill))], [f"{result}_pad"])
            )
            self.nodes.append(helper.make_node(onnx_name, [f"{result}_pad"], [result], **attributes))
            return result

        if onnx_name == "MaxPool":
            pool(source, -np.inf, name)
            return
        if attributes.pop("count_include_pad"):
            pool(source, 0, name)
            return
        ones = self._constant(np.ones(operand.type.shape, np.float32))
        parts = [pool(source, 0, f"{name}_sum"), pool(ones, 0, f"{name}_count")]
        self.nodes.append(helper.make_node("Div", parts, [name]))

    def _quantization(self, op: ir.Operation, attributes: dict[str, object]) -> list[str]:
        quantized = op.results[0] if op.name == "graph.quantize_linear" else op.operands[0]
        element = quantized.type.element_type
        scales, zeros = np.array(element.scales, np.float32), np.array(element.zero_points, _dtype(element))
        if element.axis is None:
            scales, zeros = scales.reshape(()), zeros.reshape(())
        else:
            attributes["axis"] = element.axis
        return [self._constant(scales), self._constant(zeros)]


def _dtype(element: ir.Type) -> np.dtype:
    if isinstance(element, ir.QuantizedType):
        return np.dtype(f"{'int' if element.is_signed else 'uint'}{element.storage_type.width}")
    text = str(element)
    if text == "i1":
        return np.dtype(np.bool_)
    kind = {"f": "float", "i": "int", "u": "uint"}[text[0]]
    return np.dtype(kind + text.lstrip("fui"))


def node_model(
    op_type: str,
    inputs: dict[str, np.ndarray],
    constants: dict[str, np.ndarray] | None = None,
    opset: int = OPSET,
    order: list[str] | None = None,
    outputs: int = 1,
    **attributes: object,
) -> onnx.ModelProto:
    """A model of one node named "node"; `order` lists its inputs where that is not inputs then constants."""
    constants = constants or {}
    names = order if order is not None else [*inputs, *constants]
    node = helper.make_node(op_type, names, [f"y{i}" for i in range(outputs)], name="node", **attributes)
    return make_model([node], inputs, constants, [f"y{i}" for i in range(outputs)], opset)


def make_model(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, np.ndarray],
    constants: dict[str, np.ndarray],
    outputs: list[str],
    opset: int = OPSET,
) -> onnx.ModelProto:
    """A model whose inputs have the types of the given arrays; output types are left open."""
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in inputs.items()
    ]
    results = [helper.make_value_info(name, onnx.TypeProto()) for name in outputs]
    for result in results:
        result.type.tensor_type.elem_type = TensorProto.UNDEFINED
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "test", infos, results, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
