"""Float models in native code compute what ONNX Runtime computes: every operator, operator set and odd shape."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import acc
from float_models import FAMILIES, random_case

NEWEST = onnx.defs.onnx_opset_version()


def reference(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray] | None:
    """What ONNX Runtime computes, without optimizations; None if it cannot."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        known = {value.name for value in session.get_inputs()}
        return session.run(None, {name: array for name, array in feeds.items() if name in known})
    except Exception:
        return None


def check(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> bool:
    """Compares; False if there is nothing to compare with."""
    expected = reference(model, feeds)
    if expected is None:
        return False
    actual = acc.compile(model, target="cpu").run(feeds)
    for value, want in zip(model.graph.output, expected, strict=True):
        have = actual[value.name]
        assert have.shape == want.shape and have.dtype == want.dtype, (value.name, have.shape, have.dtype, want.dtype)
        tolerance = {"rtol": 1e-3, "atol": 1e-4} if want.dtype.kind == "f" else {"rtol": 0, "atol": 0}
        if want.dtype == np.float16:
            tolerance = {"rtol": 1e-2, "atol": 1e-2}
        np.testing.assert_allclose(have, want, **tolerance, err_msg=f"{value.name} of\n{onnx.printer.to_text(model)}")
    return True


def sweep(family, seeds: range) -> None:
    compared = 0
    for seed in seeds:
        model, feeds = random_case(family, seed, 9 + seed % (NEWEST - 8))
        compared += check(model, feeds)
    assert compared >= len(seeds) // 3


@pytest.mark.parametrize("family", FAMILIES)
def test_random_models(family) -> None:
    sweep(family, range(6))


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_random_models_long(family) -> None:
    sweep(family, range(1000, 1150))
