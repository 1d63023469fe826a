"""Element-wise operators that are not simply the graph operator of the same attributes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from onnx import helper

from acc import ir
from acc.dtypes import BY_MLIR, largest_of
from acc.frontend.call import BOOL, IGNORED, PLAIN, Call, Elements, Operator, Tensor, dtype_of, element_of, shape_of
from acc.frontend.exact import evaluate
from acc.frontend.model import read_nodes
from acc.frontend.problems import Unsupported
from acc.frontend.sizes import is_symbolic
from acc.frontend.source import read_dtype


def convert_identity(call: Call) -> list[Tensor]:
    return [call.given(0)]


def convert_has_element(call: Call) -> list[Tensor]:
    """Optionals are not supported, but this operator takes tensors, and nothing at all, for them."""
    return [np.asarray(call.has(0))]


def convert_dropout(call: Call) -> list[Tensor]:
    """Nothing is dropped but in training mode, and even there nothing with a ratio of 0."""
    if call.has(2) and bool(call.scalar(2, "training_mode")):
        ratio = float(call.scalar(1, "ratio")) if call.has(1) else 0.5
        if ratio != 0:
            raise Unsupported("training mode is not supported")
    tensor = call.given(0)
    if all(isinstance(size, int) for size in shape_of(tensor)):
        return [tensor, np.broadcast_to(np.True_, shape_of(tensor))]
    if len(call.node.outputs) < 2:
        return [tensor]
    # Where sizes are not known, the mask is computed: every bit pattern equals itself.
    assert isinstance(tensor, ir.Value)
    bits = np.dtype(f"i{BY_MLIR[str(element_of(tensor))].bits // 8}")
    pattern = call.emit_as(call.tensor_type(shape_of(tensor), bits), "bit_cast", tensor)
    return [tensor, call.emit("equal", [pattern, pattern])]


def convert_cast(call: Call) -> list[Tensor]:
    given, dtype = call.given(0), read_dtype(call.integer("to"))
    value = _cast(call, call.operand(0), call.tensor_type((), dtype))
    # A float32 rounds sizes beyond 2^24, but a range of so many numbers would hold the same ones many times.
    if isinstance(given, np.ndarray) and is_symbolic(given) and dtype in (np.float32, np.float64):
        call.note_cast(value, given)
    return [value]


def convert_cast_like(call: Call) -> list[Tensor]:
    like, given = call.tensor(1), call.tensor(0)
    type = call.tensor_type((), like.dtype) if isinstance(like, np.ndarray) else call.storage(like).type
    if isinstance(given, np.ndarray) and (known := _cast_constant(call, given, type)) is not None:
        return list(known)
    return [_cast(call, call.operand(0), type)]


def _cast_constant(call: Call, given: np.ndarray, like: ir.Type) -> Sequence[np.ndarray] | None:
    """A constant in another element type: what decides on shapes must be known, whatever it is like."""
    to = helper.np_dtype_to_tensor_dtype(dtype_of(ir.RankedTensorType(like).element_type))
    proto = helper.make_node("Cast", ["x"], ["y"], to=to)
    proto.attribute.extend(helper.make_attribute(name, value) for name, value in call.attributes.items())
    (node,) = read_nodes([proto], {"": call.opset})
    return evaluate(node, [given])


def _cast(call: Call, value: ir.Value, like: ir.Type) -> ir.Value:
    """A cast to the element type of `like`, as the attributes say."""
    attributes: dict[str, object] = {}
    if not call.attributes.get("saturate", True):
        attributes["saturate"] = False
    if (mode := call.attributes.get("round_mode", "up")) != "up":
        attributes["round_mode"] = str(mode)
    type = call.tensor_type(shape_of(value), ir.RankedTensorType(like).element_type)
    return call.emit_as(type, "cast", value, **attributes)


def convert_bit_cast(call: Call) -> list[Tensor]:
    value = call.operand(0)
    return [call.emit_as(call.tensor_type(shape_of(value), read_dtype(call.integer("to"))), "bit_cast", value)]


def convert_clip(call: Call) -> list[Tensor]:
    """Bounds that are known and fit a double are attributes; others are compared with.

    Where there is none, the standard has the least and the largest number of the type, which infinities are beyond.
    As in ONNX Runtime, NaN is beyond no bound and nothing is beyond NaN.
    """
    value = call.operand(0)
    dtype = dtype_of(element_of(value))
    known: dict[str, float] = {}
    if dtype.kind not in "iu":
        largest = largest_of(dtype)
        known = {"min": -largest, "max": largest}
    for index, name, beyond in ((1, "min", "less"), (2, "max", "greater")):
        bound = call.attributes.get(name)
        if bound is None and call.has(index):
            tensor = call.tensor(index)
            if not isinstance(tensor, np.ndarray) or not _is_double(call.scalar(index, name)):
                # What is known comes first: the upper bound wins over a lower one that is above it.
                known.pop(name, None)
                if name == "max":
                    value = _clip(call, value, known)
                    known = {}
                limit = call.operand(index)
                value = call.emit("where", [call.emit(beyond, [value, limit]), limit, value])
                continue
            bound = float(call.scalar(index, name))
        if bound is not None:
            assert isinstance(bound, int | float)
            known[name] = float(bound)
    return [_clip(call, value, known)]


def _is_double(bound: np.generic) -> bool:
    """Whether a double is exactly this bound."""
    return bound.dtype.kind not in "iu" or int(float(bound)) == int(bound)


def _clip(call: Call, value: ir.Value, bounds: dict[str, float]) -> ir.Value:
    """Limits a value, but by bounds that no value of its type is beyond. The largest float is not such a bound."""
    dtype = dtype_of(element_of(value))
    least, most = -math.inf, math.inf
    if dtype.kind in "iu":
        least, most = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    attributes = {}
    for name, bound in bounds.items():
        if dtype.kind not in "iu":
            with np.errstate(over="ignore"):
                bound = float(np.float64(bound).astype(dtype))
        if (bound > least) if name == "min" else (bound < most):
            attributes[name] = np.float64(bound)
    return call.emit("clip", [value], **attributes) if attributes else value


def convert_gelu(call: Call) -> list[Tensor]:
    approximate = call.attributes["approximate"]
    if approximate not in ("none", "tanh"):
        raise Unsupported(f"attribute 'approximate' is '{approximate}'")
    return [call.emit("gelu", [call.operand(0)], tanh=approximate == "tanh")]


def convert_bit_shift(call: Call) -> list[Tensor]:
    direction = call.attributes["direction"]
    if direction not in ("LEFT", "RIGHT"):
        raise Unsupported(f"attribute 'direction' is '{direction}'")
    return [call.emit("bit_shift", call.operands(), right=direction == "RIGHT")]


def convert_prelu(call: Call) -> list[Tensor]:
    """The slope may have fewer elements, but not more."""
    result = call.emit("p_relu", call.operands())
    if shape_of(result) != call.shape(0):
        raise Unsupported(f"slopes of shape {list(call.shape(1))} do not fit an input of shape {list(call.shape(0))}")
    return [result]


def convert_mod(call: Call) -> list[Tensor]:
    return [call.emit("mod", call.operands(), fmod=call.attributes["fmod"])]


def _unary(names: str, elements: Elements = "float") -> dict[str, Operator]:
    """Operators without attributes, by ONNX's names; their graph names are the same in snake_case."""
    return {name: Operator(_snake(name), elements=elements) for name in names.split()}


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def _with(name: str, attributes: Sequence[str], elements: Elements = "float") -> dict[str, Operator]:
    return {name: Operator(_snake(name), dict.fromkeys(attributes, PLAIN), elements)}


ELEMENTWISE: dict[str, Operator] = {
    **_unary("Add Sub Mul Div Pow Sum Max Min Abs Neg Sign Erf Relu", "number"),
    "PRelu": Operator("p_relu", elements="number", convert=convert_prelu),
    "Mod": Operator("mod", {"fmod": BOOL}, "number", convert_mod),
    **_unary("Mean Floor Ceil Round Sqrt Reciprocal Exp Log Sin Cos Tan Asin Acos Atan Sinh Cosh Tanh"),
    **_unary("Asinh Acosh Atanh Sigmoid HardSwish Softplus Softsign Mish"),
    **_with("HardSigmoid", ["alpha", "beta"]),
    **_with("Elu", ["alpha"]),
    **_with("Celu", ["alpha"]),
    **_with("Selu", ["alpha", "gamma"]),
    **_with("LeakyRelu", ["alpha"]),
    **_with("ThresholdedRelu", ["alpha"]),
    **_with("Swish", ["alpha"]),
    **_with("Shrink", ["bias", "lambd"], "number"),
    "Gelu": Operator("gelu", {"approximate": PLAIN}, convert=convert_gelu),
    "Clip": Operator("clip", {"min": PLAIN, "max": PLAIN}, "number", convert_clip),
    **_unary("And Or Xor Not BitwiseAnd BitwiseOr BitwiseXor BitwiseNot", "number"),
    "BitShift": Operator("bit_shift", {"direction": PLAIN}, "number", convert_bit_shift),
    **_unary("Equal Greater GreaterOrEqual Less LessOrEqual", "number"),
    "IsNaN": Operator("is_nan", elements="plain"),
    "IsInf": Operator("is_inf", {"detect_negative": BOOL, "detect_positive": BOOL}, "plain"),
    "Where": Operator("where", elements="plain"),
    "Cast": Operator("cast", {"to": PLAIN, "saturate": BOOL, "round_mode": PLAIN}, "plain", convert_cast),
    "CastLike": Operator("cast", {"saturate": BOOL, "round_mode": PLAIN}, "plain", convert_cast_like),
    "BitCast": Operator("bit_cast", {"to": PLAIN}, "plain", convert_bit_cast),
    # Without a trace
    "Identity": Operator("", convert=convert_identity),
    "OptionalGetElement": Operator("", convert=convert_identity),
    "OptionalHasElement": Operator("", convert=convert_has_element, static=True),
    "Dropout": Operator("", {"ratio": IGNORED, "seed": IGNORED}, convert=convert_dropout),
}
