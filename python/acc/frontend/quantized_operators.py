"""Operators of ONNX Runtime on quantized tensors, domain com.microsoft, as functions of ONNX's own.

Its quantizer writes them in models of the format "QOperator", beside QLinearConv and QLinearMatMul of the standard.
Each says in one node what the format "QDQ" says in several: dequantize the operands, compute, quantize the result. That
is what they become here, so that everything behind the importer knows one way to say it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from onnx import AttributeProto, FunctionProto, NodeProto, TensorProto, helper

from acc.frontend.model import Node
from acc.frontend.problems import Unsupported

__all__ = ["DOMAIN", "is_quantized_operator", "quantized_function"]

DOMAIN = "com.microsoft"

_OPSET = 13
"""The operator set of the functions, whatever that of the model is."""


class _Body:
    """The nodes of a function whose inputs are called as those of the node."""

    def __init__(self, node: Node) -> None:
        self.given = node.inputs
        self.inputs = [f"in{index}" for index in range(len(node.inputs))]
        self.nodes: list[NodeProto] = []

    def has(self, index: int) -> bool:
        return index < len(self.given) and bool(self.given[index])

    def input(self, index: int) -> str:
        if not self.has(index):
            raise Unsupported(f"has no input {index}")
        return self.inputs[index]

    def add(self, op_type: str, *inputs: str, passed: tuple[str, ...] = (), **attributes: Any) -> str:
        """Appends a node; `passed` are attributes that are those of the node, if it has them."""
        name = f"v{len(self.nodes)}"
        node = helper.make_node(op_type, inputs, [name], **attributes)
        for attribute in passed:
            node.attribute.append(AttributeProto(name=attribute, ref_attr_name=attribute, type=_TYPES[attribute]))
        self.nodes.append(node)
        return name

    def real(self, value: int, **attributes: Any) -> str:
        """Input `value`, dequantized with the scale and the zero point behind it."""
        zero = [self.inputs[value + 2]] if self.has(value + 2) else []
        return self.add("DequantizeLinear", self.input(value), self.input(value + 1), *zero, **attributes)

    def quantized(self, value: str, scale: int) -> str:
        """The result `value`, quantized with input `scale` and the zero point behind it, which says of what type."""
        if not self.has(scale + 1):
            raise Unsupported("has no zero point for its result, which would say of what type it is")
        return self.add("QuantizeLinear", value, self.input(scale), self.input(scale + 1))


_TYPES = {
    **dict.fromkeys(("alpha",), AttributeProto.FLOAT),
    **dict.fromkeys(("auto_pad",), AttributeProto.STRING),
    **dict.fromkeys(("kernel_shape", "pads", "strides"), AttributeProto.INTS),
    **dict.fromkeys(("axis", "ceil_mode", "count_include_pad", "transA", "transB"), AttributeProto.INT),
}

_Build = Callable[[_Body, Node], str]


def _integer(node: Node, name: str, default: int = 0) -> int:
    attribute = node.attributes.get(name)
    return default if attribute is None else int(attribute.i)


def _binary(op_type: str) -> _Build:
    return lambda body, _: body.quantized(body.add(op_type, body.real(0), body.real(3)), 6)


def _unary(op_type: str, *passed: str) -> _Build:
    def build(body: _Body, node: Node) -> str:
        if _integer(node, "channels_last"):
            raise Unsupported("attribute 'channels_last' is 1, which is not supported")
        return body.quantized(body.add(op_type, body.real(0), passed=passed), 3)

    return build


def _softmax(body: _Body, node: Node) -> str:
    if _integer(node, "opset", _OPSET) < _OPSET:
        raise Unsupported(f"attribute 'opset' is {_integer(node, 'opset')}, supported is {_OPSET} and above")
    return _unary("Softmax", "axis")(body, node)


def _concat(body: _Body, node: Node) -> str:
    if len(node.inputs) < 5 or len(node.inputs) % 3 != 2:
        raise Unsupported(f"has {len(node.inputs)} inputs, which are not a scale, a zero point and three per operand")
    operands = [body.real(index) for index in range(2, len(node.inputs), 3)]
    return body.quantized(body.add("Concat", *operands, passed=("axis",)), 0)


def _where(body: _Body, _: Node) -> str:
    return body.quantized(body.add("Where", body.input(0), body.real(1), body.real(4)), 7)


def _gemm(body: _Body, node: Node) -> str:
    columns = 0 if _integer(node, "transB") else 1
    operands = [body.real(0), body.real(3, axis=columns)]
    if body.has(6):
        # Its scale is that of the products.
        scale = body.add("Mul", body.input(1), body.input(4))
        if (alpha := node.attributes.get("alpha")) is not None:
            factor = helper.make_tensor("alpha", TensorProto.FLOAT, [], [alpha.f])
            scale = body.add("Mul", scale, body.add("Constant", value=factor))
        operands.append(body.add("Mul", body.add("Cast", body.input(6), to=TensorProto.FLOAT), scale))
    product = body.add("Gemm", *operands, passed=("alpha", "transA", "transB"))
    return body.quantized(product, 7) if body.has(7) else product


@dataclass(frozen=True)
class _Operator:
    """How an operator is built, and the attributes that it may have."""

    build: _Build
    attributes: frozenset[str] = frozenset()


_POOL = ("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides")

_OPERATORS: Mapping[str, _Operator] = {
    "QLinearAdd": _Operator(_binary("Add")),
    "QLinearMul": _Operator(_binary("Mul")),
    "QLinearSigmoid": _Operator(_unary("Sigmoid")),
    "QLinearLeakyRelu": _Operator(_unary("LeakyRelu", "alpha"), frozenset(("alpha",))),
    "QLinearSoftmax": _Operator(_softmax, frozenset(("axis", "opset"))),
    "QLinearAveragePool": _Operator(_unary("AveragePool", *_POOL), frozenset((*_POOL, "channels_last"))),
    "QLinearGlobalAveragePool": _Operator(_unary("GlobalAveragePool"), frozenset(("channels_last",))),
    "QLinearConcat": _Operator(_concat, frozenset(("axis",))),
    "QLinearWhere": _Operator(_where),
    "QGemm": _Operator(_gemm, frozenset(("alpha", "transA", "transB"))),
}


def is_quantized_operator(node: Node) -> bool:
    """Whether `quantized_function` knows the operator."""
    return node.domain == DOMAIN and node.op_type in _OPERATORS


def quantized_function(node: Node) -> FunctionProto:
    """What a node stands for, as a function with as many inputs. Raises Unsupported if the node is malformed."""
    operator = _OPERATORS[node.op_type]
    unknown = sorted(node.attributes.keys() - operator.attributes)
    if unknown:
        raise Unsupported(f"attribute '{unknown[0]}' is not supported")
    body = _Body(node)
    result = operator.build(body, node)
    opsets = [helper.make_opsetid("", _OPSET)]
    return helper.make_function(
        DOMAIN, node.op_type, body.inputs, [result], body.nodes, opsets, sorted(operator.attributes)
    )
