"""RNN, GRU and LSTM: activations with their constants written out, one layout."""

from __future__ import annotations

from typing import cast

import numpy as np

from acc import ir
from acc.frontend.call import BOOL, IGNORED, PLAIN, Attr, Call, Tensor
from acc.frontend.problems import Unsupported

RNN: dict[str, Attr] = {
    **dict.fromkeys(("activations", "activation_alpha", "activation_beta", "clip", "direction", "layout"), PLAIN),
    "hidden_size": IGNORED,
}
GRU = RNN | {"linear_before_reset": BOOL}
LSTM = RNN | {"input_forget": BOOL}

_DEFAULTS = {"rnn": ["Tanh"], "gru": ["Sigmoid", "Tanh"], "lstm": ["Sigmoid", "Tanh", "Tanh"]}

_CONSTANTS = {
    "affine": (1.0, 0.0),
    "elu": (1.0, 0.0),
    "hardsigmoid": (0.2, 0.5),
    "leakyrelu": (0.01, 0.0),
    "relu": (0.0, 0.0),
    "scaledtanh": (1.7159, 0.6667),
    "sigmoid": (0.0, 0.0),
    "softplus": (0.0, 0.0),
    "softsign": (0.0, 0.0),
    "tanh": (0.0, 0.0),
    "thresholdedrelu": (1.0, 0.0),
}
"""Default alpha and beta of every activation, by its name in lower case."""

_TAKES_ALPHA = {"affine", "elu", "hardsigmoid", "leakyrelu", "scaledtanh", "thresholdedrelu"}
_TAKES_BETA = {"affine", "hardsigmoid", "scaledtanh"}


def convert_recurrent(call: Call) -> list[Tensor]:
    kind = call.operator.graph
    operands = [call.operand(index) if call.has(index) else None for index in range(8 if kind == "lstm" else 6)]
    batch_first = bool(call.attributes.get("layout"))
    if batch_first:
        for index in (0, 5, 6):
            value = operands[index] if index < len(operands) else None
            if value is not None:
                operands[index] = call.emit("transpose", [value], perm=[1, 0, 2])
    attributes: dict[str, object] = {
        "direction": str(call.attributes["direction"]),
        "operandSegmentSizes": np.array([value is not None for value in operands], np.int32),
        "clip": float(cast(float, call.attributes.get("clip", 0.0))),
        **_read_activations(call, kind),
    }
    for name in ("linear_before_reset", "input_forget"):
        if name in call.attributes:
            attributes[name] = call.attributes[name]
    results: list[ir.Value] = list(
        call.emit_all(kind, [value for value in operands if value is not None], **attributes)
    )
    if not batch_first:
        return list(results)
    names = [*call.node.outputs, "", "", ""]
    return [
        call.emit("transpose", [value], perm=[2, 0, 1, 3] if index == 0 else [1, 0, 2]) if names[index] else value
        for index, value in enumerate(results)
    ]


def _read_activations(call: Call, kind: str) -> dict[str, object]:
    directions = 2 if call.attributes["direction"] == "bidirectional" else 1
    names = cast(list[str | bytes], call.attributes.get("activations")) or _DEFAULTS[kind] * directions
    # RNN's default names two directions whatever the direction is.
    needed = len(_DEFAULTS[kind]) * directions
    lowered = [(name.decode() if isinstance(name, bytes) else name).lower() for name in names][:needed]
    for name in lowered:
        if name not in _CONSTANTS:
            raise Unsupported(f"there is no activation '{name}'")
    # The lists only have entries for activations that take the constant.
    given = {key: list(cast(list[float], call.attributes.get(f"activation_{key}", []))) for key in ("alpha", "beta")}
    values: dict[str, list[float]] = {"alpha": [], "beta": []}
    for name in lowered:
        for position, (key, takers) in enumerate((("alpha", _TAKES_ALPHA), ("beta", _TAKES_BETA))):
            default = _CONSTANTS[name][position]
            values[key].append(given[key].pop(0) if name in takers and given[key] else default)
    constants = {f"activation_{key}": np.array(list_, np.float32) for key, list_ in values.items()}
    return {"activations": lowered, **constants}
