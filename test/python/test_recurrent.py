"""RNN, GRU and LSTM in native code compute what ONNX Runtime's do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from native_cases import compare, compute

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
ACTIVATIONS = {"RNN": 1, "GRU": 2, "LSTM": 3}
STEPS, BATCH, ELEMENTS, HIDDEN = 5, 3, 4, 6


def make_inputs(op_type: str, direction: str, optional: set[str], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """All inputs that `optional` names, after those that every network has."""
    directions = 2 if direction == "bidirectional" else 1
    gates = GATES[op_type]
    shapes: dict[str, tuple[int, ...]] = {
        "X": (STEPS, BATCH, ELEMENTS),
        "W": (directions, gates * HIDDEN, ELEMENTS),
        "R": (directions, gates * HIDDEN, HIDDEN),
        "B": (directions, 2 * gates * HIDDEN),
        "initial_h": (directions, BATCH, HIDDEN),
        "initial_c": (directions, BATCH, HIDDEN),
        "P": (directions, 3 * HIDDEN),
    }
    inputs = {
        name: (rng.standard_normal(shape) * 0.5).astype(np.float32)
        for name, shape in shapes.items()
        if name in {"X", "W", "R"} | optional
    }
    if "sequence_lens" in optional:
        inputs["sequence_lens"] = np.array([STEPS, 2, 1], np.int32)
    return inputs


def check(op_type: str, direction: str, optional: set[str], seed: int = 0, **attributes: Any) -> None:
    inputs = make_inputs(op_type, direction, optional, np.random.default_rng(seed))
    names = ["X", "W", "R", "B", "sequence_lens", "initial_h"]
    if op_type == "LSTM":
        names += ["initial_c", "P"]
    order = [name if name in inputs else "" for name in names]
    while not order[-1]:
        order.pop()
    compare(
        *compute(
            op_type,
            inputs,
            order=order,
            outputs=3 if op_type == "LSTM" else 2,
            runtime=True,
            direction=direction,
            hidden_size=HIDDEN,
            **attributes,
        )
    )


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("op_type", GATES)
def test_directions(op_type: str, direction: str) -> None:
    check(op_type, direction, {"B"})


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("op_type", GATES)
def test_lengths_and_initial_states(op_type: str, direction: str) -> None:
    states = {"initial_h", "initial_c"} if op_type == "LSTM" else {"initial_h"}
    check(op_type, direction, {"B", "sequence_lens"} | states, seed=1)


@pytest.mark.parametrize("op_type", GATES)
def test_nothing_optional_and_clip(op_type: str) -> None:
    check(op_type, "forward", set(), seed=2, clip=0.3)


@pytest.mark.parametrize("linear", [0, 1])
def test_linear_before_reset(linear: int) -> None:
    check("GRU", "bidirectional", {"B", "initial_h"}, seed=3, linear_before_reset=linear)


def test_peepholes_and_coupled_gates() -> None:
    check("LSTM", "forward", {"B", "P", "initial_h", "initial_c"}, seed=4)
    check("LSTM", "reverse", {"B"}, seed=5, input_forget=1)


@pytest.mark.parametrize(
    ("name", "constants"),
    [
        ("Relu", {}),
        ("Sigmoid", {}),
        ("Softsign", {}),
        ("Softplus", {}),
        ("Affine", {"activation_alpha": [0.7], "activation_beta": [0.1]}),
        ("LeakyRelu", {"activation_alpha": [0.2]}),
        ("ThresholdedRelu", {"activation_alpha": [0.3]}),
        ("ScaledTanh", {"activation_alpha": [0.9], "activation_beta": [0.8]}),
        ("HardSigmoid", {"activation_alpha": [0.3], "activation_beta": [0.4]}),
        ("Elu", {"activation_alpha": [0.8]}),
    ],
)
def test_activations(name: str, constants: dict[str, list[float]]) -> None:
    check("RNN", "forward", {"B"}, seed=6, activations=[name], **constants)


@pytest.mark.parametrize("op_type", GATES)
def test_batch_first(op_type: str) -> None:
    """ONNX Runtime lacks this layout: it is the other one, transposed."""
    rng = np.random.default_rng(7)
    inputs = make_inputs(op_type, "bidirectional", {"B", "initial_h"}, rng)
    order = ["X", "W", "R", "B", "", "initial_h"]
    outputs = 3 if op_type == "LSTM" else 2
    options: dict[str, Any] = {"direction": "bidirectional", "hidden_size": HIDDEN, "order": order, "outputs": outputs}
    _, expected = compute(op_type, inputs, runtime=True, **options)
    swapped = {name: x.swapaxes(0, 1).copy() if name in ("X", "initial_h") else x for name, x in inputs.items()}
    turned = [expected[0].transpose(2, 0, 1, 3), *(state.swapaxes(0, 1) for state in expected[1:])]
    compare(*compute(op_type, swapped, expected=turned, layout=1, **options))
