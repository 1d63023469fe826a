"""Small transformers in the exporter's form compute what ONNX Runtime computes, at any size where sizes are open."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import acc
from torch_forms import FIXED, MODELS, VOCABULARY

SIZES = ({"batch": 1, "sequence": 9}, {"batch": 3, "sequence": 1}, {"batch": 2, "sequence": 16})


def feeds_of(model: onnx.ModelProto, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    random = np.random.default_rng(sizes["batch"])
    feeds = {}
    for value in model.graph.input:
        dims = value.type.tensor_type.shape.dim
        shape = [dim.dim_value or sizes[dim.dim_param] for dim in dims]
        if value.name == "image":
            feeds[value.name] = random.standard_normal(shape).astype(np.float32)
        elif value.name == "attention_mask":
            feeds[value.name] = np.ones(shape, np.int64)
            feeds[value.name][-1, (shape[1] + 1) // 2 :] = 0
        else:
            feeds[value.name] = random.integers(0, VOCABULARY, shape)
    return feeds


@pytest.mark.parametrize("dynamic", [False, True], ids=["fixed", "open"])
@pytest.mark.parametrize("name", MODELS)
def test_agrees_with_onnx_runtime(name: str, dynamic: bool) -> None:
    model = MODELS[name](dynamic)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    with acc.compile(model) as executable:
        for sizes in SIZES if dynamic else (FIXED,):
            feeds = feeds_of(model, sizes)
            expected = session.run(None, feeds)
            for result, wanted in zip(executable.run(feeds).values(), expected, strict=True):
                np.testing.assert_allclose(result, wanted, rtol=1e-3, atol=1e-5)
