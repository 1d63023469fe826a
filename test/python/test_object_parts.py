"""Large models are made into object code in several parts, at the same time on machines with several cores."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import acc
from acc import _mlir, ir, stages
from acc.compiler import make_pipeline, resolve_targets
from acc.pipeline import Options

WIDTHS = (3, 24, 17, 33, 9, 40, 21, 5, 28, 13)


def network() -> onnx.ModelProto:
    """Convolutions no two of which can share a kernel, with a sine between them."""
    random = np.random.default_rng(5)
    nodes, weights, name = [], [], "x"
    for index, (inputs, outputs) in enumerate(itertools.pairwise(WIDTHS)):
        weight = random.standard_normal((outputs, inputs, 3, 3)).astype(np.float32) / np.float32(3 * inputs**0.5)
        weights.append(numpy_helper.from_array(weight, f"w{index}"))
        nodes.append(helper.make_node("Conv", [name, f"w{index}"], [f"c{index}"], f"conv{index}", pads=[1] * 4))
        nodes.append(helper.make_node("Sin", [f"c{index}"], [f"s{index}"], f"sin{index}"))
        name = f"s{index}"
    shapes = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, c, 11, 13]) for n, c in (("x", 3), (name, 13))]
    graph = helper.make_graph(nodes, "parts", shapes[:1], shapes[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_parts_are_one_model(tmp_path: Path) -> None:
    model = network()
    x = np.random.default_rng(6).standard_normal((1, 3, 11, 13)).astype(np.float32)
    lowered = ir.Module.parse(_llvm(model, tmp_path), ir.Context())
    objects = _mlir.emit_objects(lowered)
    assert len(objects) > 1
    lowered.context.enable_multithreading(False)
    assert _mlir.emit_objects(lowered) == objects
    path = tmp_path / "model.so"
    acc.compile(model, target="cpu").save(path)
    wanted = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    with acc.load(path) as executable:
        (result,) = executable.run({"x": x}).values()
    np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-5)


def test_kernels_stay_hidden(tmp_path: Path) -> None:
    """What parts call of each other is nobody else's, but debuggers and profilers find it by name."""
    path = tmp_path / "model.so"
    acc.compile(network(), target="cpu").save(path)

    def symbols(*flags: str) -> set[str]:
        listed = subprocess.run(["nm", "--defined-only", *flags, str(path)], capture_output=True, text=True, check=True)
        return {line.split()[-1] for line in listed.stdout.splitlines()}

    assert all(name.startswith("acc_model") for name in symbols("-D"))
    assert any("conv3" in name for name in symbols())


def _llvm(model: onnx.ModelProto, folder: Path) -> str:
    path = folder / "model.mlir"
    pipeline = make_pipeline(resolve_targets("cpu"), Options())
    stages.write_after(pipeline, stages.Start(pipeline.import_module(model)), "llvm", path)
    return path.read_text()
