"""Mixed precision: what layers cost, bounds on the loss, and what cannot be kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import acc
from acc.quantization import QuantizeError
from acc.quantization.precision import Bound, LayerCost, Score, _path
from digits_data import load_split

MODEL = Path(__file__).resolve().parents[2] / "demo" / "digits.onnx"


# Layers that stay in float, so that few have to be measured.
FLOAT = tuple(f"block{block}/{name}" for block in (1, 2) for name in ("conv1", "conv2", "shortcut"))


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    return load_split("train")[0][:24]


def _sqnr(model: onnx.ModelProto, samples: np.ndarray) -> float:
    """Decibels at the output, measured without the code under test."""
    with acc.compile(str(MODEL)) as reference, acc.compile(model) as candidate:
        signal = noise = 0.0
        for sample in samples:
            (wanted,), (got,) = (list(exe.run({"input": sample[None]}).values()) for exe in (reference, candidate))
            power = np.mean(wanted.astype(np.float64) ** 2)
            signal, noise = signal + 1, noise + np.mean((got.astype(np.float64) - wanted) ** 2) / power
    return float(10 * np.log10(signal / noise))


@pytest.mark.parametrize(
    ("text", "kind", "limit"),
    [
        ("drop <= 0.3 %", "drop", 0.003),
        ("drop<=1points", "drop", 0.01),
        ("accuracy >= 0.75", "accuracy", 0.75),
        ("sqnr >= 30 dB", "sqnr", 30.0),
    ],
)
def test_bounds(text: str, kind: str, limit: float) -> None:
    bound = Bound.parse(text)
    assert (bound.kind, bound.limit) == (kind, pytest.approx(limit))


@pytest.mark.parametrize(
    "text", ["", "0.3 %", "drop >= 1 %", "accuracy <= 5", "sqnr >= 30 %", "drop <= 1 dB", "drop <= 1.2.3"]
)
def test_what_is_no_bound(text: str) -> None:
    with pytest.raises(QuantizeError, match="is no bound on accuracy"):
        Bound.parse(text)


def test_a_drop_of_the_bound_itself_is_kept() -> None:
    assert Bound.parse("drop <= 1 %").holds(Score(20.0, 0.97), 0.98)
    assert not Bound.parse("drop <= 1 %").holds(Score(20.0, 0.969), 0.98)


def test_moves_that_are_worth_more_come_first_and_in_order() -> None:
    def cost(name: str, precision: str, sqnr: float, cycles: float) -> LayerCost:
        return LayerCost(name, "Conv", precision, sqnr, cycles, 1000.0)

    ladder = [
        cost("a", "int4", 10, 10),
        cost("a", "int8", 40, 20),
        cost("b", "int4", 20, 10),
        cost("b", "int8", 21, 900),
    ]
    moves = [(move.layer, move.to) for move in _path(ladder)]
    # Nearly nothing of the error of b goes with int8: both steps are one.
    assert moves == [("a", "int8"), ("b", "float"), ("a", "float")]


def test_the_fastest_choice_keeps_the_bound(samples: np.ndarray) -> None:
    plain = acc.quantize(str(MODEL), samples, exclude=FLOAT)
    limit = _sqnr(plain.model, samples) + 3
    mixed = acc.quantize(str(MODEL), samples, accuracy=f"sqnr >= {limit:.3f} dB", exclude=FLOAT, target="vta")
    assert _sqnr(mixed.model, samples) >= limit
    assert mixed.search is not None
    raised = next(point for point in mixed.search.points if point.holds).raised
    assert raised and len(raised) < len(mixed.search.layers)
    assert {name for name, reason in mixed.left_in_float if reason.endswith("excluded")} == {*FLOAT, *raised}
    assert all(cost.sqnr > _sqnr(plain.model, samples) for cost in mixed.search.layers)
    # What the accelerator computes faster than the host is counted so.
    assert any(cost.cycles < cost.float_cycles / 4 for cost in mixed.search.layers)


def test_weights_of_some_layers_are_int8_where_others_are_int4(samples: np.ndarray) -> None:
    plain = acc.quantize(str(MODEL), samples, exclude=FLOAT, weights="int4")
    limit = _sqnr(plain.model, samples) + 4
    mixed = acc.quantize(
        str(MODEL), samples, weights="int4", accuracy=f"sqnr >= {limit:.3f} dB", exclude=FLOAT, target="vta"
    )
    assert _sqnr(mixed.model, samples) >= limit
    assert {layer.weight_bits for layer in mixed.layers} >= {4, 8}
    onnx.checker.check_model(mixed.model, full_check=True)


def test_a_bound_that_holds_needs_no_search(samples: np.ndarray) -> None:
    result = acc.quantize(str(MODEL), samples, accuracy="drop <= 50 %", evaluate=lambda run: 0.5)
    assert result.search is not None and not result.search.layers
    assert [point.raised for point in result.search.points] == [{}]


def test_what_nothing_keeps_names_the_layers(samples: np.ndarray) -> None:
    with pytest.raises(QuantizeError, match=r"no choice of precisions keeps 'sqnr >= 90 dB': the best .* dB alone"):
        acc.quantize(str(MODEL), samples[:8], accuracy="sqnr >= 90 dB", exclude=FLOAT)


@pytest.mark.parametrize(
    ("evaluate", "message"),
    [
        (None, "needs an evaluation"),
        (lambda run: 1 / 0, "the evaluation raises ZeroDivisionError"),
        (lambda run: "good", "the evaluation returns str, not a number"),
        (lambda run: float("nan"), "the evaluation returns nan"),
        (lambda run: run({"q": 1}), "the evaluation runs the model with 'q', but its inputs are 'input'$"),
        (lambda run: run({}), "the evaluation runs the model with nothing, but its inputs are 'input'$"),
    ],
)
def test_evaluations_that_do_not_evaluate(evaluate, message: str, samples: np.ndarray) -> None:
    with pytest.raises(QuantizeError, match=message):
        acc.quantize(str(MODEL), samples[:4], accuracy="drop <= 1 %", evaluate=evaluate)


def test_choices_that_nothing_obeys(samples: np.ndarray) -> None:
    with pytest.raises(QuantizeError, match="nothing is evaluated without a bound"):
        acc.quantize(str(MODEL), samples[:2], evaluate=lambda run: 1.0)
    with pytest.raises(QuantizeError, match="cannot widen the weights of 'nowhere'"):
        acc.quantize(str(MODEL), samples[:2], weights="int4", wide=("nowhere",))
