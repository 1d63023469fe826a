"""Nodes of the operator sets 1 to 8 as operator set 9 writes them, where that is a matter of attributes alone."""

from __future__ import annotations

from typing import Any

from onnx import NodeProto, TensorProto, helper

__all__ = ["is_old", "renewed"]

# The operator set from which on every operator is read as it is.
_MODERN = 9

# Their bodies hold nodes of the operator set of the model.
_WITH_BODIES = ("If", "Loop", "Scan")

# Since which operator set operators that `acc.frontend.old_operators` defines have had the form of today.
_SINCE = {
    **dict.fromkeys(("Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor", "PRelu"), 7),
    "BatchNormalization": _MODERN,
    "Reshape": 5,
    "Split": 2,
    "Tile": 6,
    "Upsample": _MODERN,
    **dict.fromkeys(("Affine", "Crop", "ImageScaler", "ParametricSoftplus", "ScaledTanh"), _MODERN),
}

# Hints about memory and about training, which make no difference to results.
_DROPPED = ("consumed_inputs", "is_test", "output_sequence")

# Attributes whose default was another one, with the operator set in which it became that of today.
_DEFAULTS: dict[str, tuple[int, dict[str, Any]]] = {
    "Concat": (4, {"axis": 1}),
    "Selu": (6, {"alpha": 1.6732, "gamma": 1.0507}),
    "GRU": (3, {"direction": "forward"}),
}


def is_old(op_type: str, opset: int) -> bool:
    """Whether an operator of the default domain has a form that `acc.frontend.old_operators` defines."""
    return 0 < opset < _SINCE.get(op_type, 0)


def renewed(proto: NodeProto, opset: int) -> tuple[NodeProto, int]:
    """A node of the default domain and its operator set, both as they are read.

    A node that cannot be rewritten stays as it is: what is wrong with it is said when it is imported.
    """
    if not 0 < opset < _MODERN or proto.op_type in _WITH_BODIES or is_old(proto.op_type, opset):
        return proto, opset
    result = NodeProto()
    result.CopyFrom(proto)
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in proto.attribute}
    kept = {name: value for name, value in attributes.items() if name not in _DROPPED}
    until, defaults = _DEFAULTS.get(proto.op_type, (0, {}))
    if opset < until:
        kept = defaults | kept
    if proto.op_type == "Cast" and isinstance(kept.get("to"), bytes):
        # A name of nothing is refused as what it then is, an element type that is not defined.
        kept["to"] = dict(TensorProto.DataType.items()).get(kept["to"].decode("utf-8", "replace").upper(), 0)
    if proto.op_type == "Pad" and "paddings" in kept:
        kept["pads"] = kept.pop("paddings")
    if proto.op_type == "Gemm":
        kept.pop("broadcast", None)
    if proto.op_type in ("LpPool", "GlobalLpPool") and isinstance(kept.get("p"), float):
        if kept["p"] != int(kept["p"]):
            return proto, opset
        kept["p"] = int(kept["p"])
    if [(name, type(value), value) for name, value in kept.items()] != [
        (name, type(value), value) for name, value in attributes.items()
    ]:
        del result.attribute[:]
        result.attribute.extend(helper.make_attribute(name, value) for name, value in kept.items())
    return result, _MODERN
