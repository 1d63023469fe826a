"""The nine light models of the onnx package compile to native code and compute their stored outputs."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import acc
from cpu_latency import LIGHT, NAMES, ramp


@pytest.mark.parametrize("name", NAMES)
def test_stored_output(name: str) -> None:
    with acc.compile(LIGHT / f"light_{name}.onnx") as executable:
        outputs = executable.run({info.name: ramp(info.shape) for info in executable.inputs})
    stored = numpy_helper.to_array(onnx.load_tensor(str(LIGHT / f"light_{name}_output_0.pb")))
    (output,) = outputs.values()
    np.testing.assert_allclose(output, stored, rtol=1e-3, atol=1e-7)
