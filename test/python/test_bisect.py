"""Checked compilation and bisecting: faults that are put into passes are found, and the pass or the range is named."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import acc
from acc.cli import main
from acc.compiler import make_pipeline, resolve_targets
from acc.inspect.bisection import Bisection, bisect, random_inputs
from acc.inspect.passes import record
from acc.pipeline import Options
from float_networks import FloatNetwork, images
from mutations import Mutation, change_shifts, drop_instruction, inject, shift_zero_points, swap_min_and_max, turn_pads
from qdq_models import QdqModel


def network() -> onnx.ModelProto:
    """A convolution with pads that are not the same on both sides, and a fully connected layer."""
    net = QdqModel(np.random.default_rng(3))
    x = net.conv(net.input((1, 3, 6, 5)), 17, (3, 3), pads=(2, 0, 0, 1), activation="Relu")
    return net.build(net.gemm(net.flatten(x), 7))


def look(
    target: str, expected: Any = None, *, each: bool = False, config: Any = None, model: onnx.ModelProto | None = None
) -> Bisection:
    pipeline = make_pipeline(resolve_targets(target, config), Options())
    recording = record(pipeline, model or network())
    return bisect(recording, random_inputs(recording.graph.inputs, 2), expected=expected, each=each)


@functools.cache
def right() -> list[Mapping[str, np.ndarray]]:
    import onnxruntime

    model = network()
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    pipeline = make_pipeline(resolve_targets("cpu"), Options())
    inputs = random_inputs(pipeline.simplify(pipeline.import_module(model)).inputs, 2)
    return [dict(zip(names, session.run(names, arrays), strict=True)) for arrays in inputs]


@pytest.mark.parametrize("target", ["cpu", "vta"])
def test_nothing_is_wrong(target: str) -> None:
    found = look(target, right())
    assert found.is_clean and "Nothing is wrong" in found.text()


def test_a_configuration_with_operations_of_its_own() -> None:
    """After every pass the host can run what only the accelerator has a word for."""
    net = FloatNetwork((1, 3, 6, 5), seed=4)
    x = net.conv("x", 3, 17)
    x = net.add("Mul", [x, net.add("Sigmoid", [x])])
    x = net.conv(net.add("HardSwish", [net.conv(x, 17, 17, group=17)]), 17, 5, kernel=1)
    config = {"ALU_REQUANTIZE": 1, "GEMM_SET": 1, "ALU_TABLE": 1, "GEMM_WINDOW": 3}
    quantized = acc.quantize(net.build(x), images(8, (3, 6, 5)), target="vta", config=config)
    assert look("vta", config=config, model=quantized.model).is_clean


def slowly(*values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.long)


@pytest.mark.parametrize(
    ("target", "name", "mutation"),
    [
        ("cpu", "graph-legalize-quantization", shift_zero_points),
        slowly("cpu", "graph-legalize-quantization", turn_pads),
        # Of upstream, as is the next; the first use behind which there is anything to change.
        slowly("vta", "cse", shift_zero_points),
        ("cpu", "linalg-fuse-elementwise-ops", change_shifts),
        ("vta", "vta-pack-layout", change_shifts),
        slowly("vta", "vta-narrow-elements", change_shifts),
        slowly("vta", "vta-expand-steps", change_shifts),
        slowly("vta", "vta-chain-programs", drop_instruction),
        ("vta", "vta-hoist-loads", drop_instruction),
        # Those between which nothing can be run, so that what is there is interpreted.
        slowly("vta", "te-tensorize", swap_min_and_max),
        ("vta", "te-dma", swap_min_and_max),
        slowly("vta", "te-lower-vthread", swap_min_and_max),
        slowly("vta", "vta-insert-tokens", drop_instruction),
        slowly("cpu", "host-form-contractions", change_shifts),
        ("cpu", "host-pack-weights", change_shifts),
        # What runs the imported model, too.
        ("vta", "graph-to-linalg", change_shifts),
    ],
)
def test_a_fault_is_found_and_its_pass_named(
    target: str, name: str, mutation: Mutation, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = right()
    counts = inject(monkeypatch, name, mutation)
    found = look(target, expected)
    assert counts and found.passes == (name,), found


@pytest.mark.long
def test_every_moment_of_a_larger_network_is_right() -> None:
    from qdq_models import random_network

    for target in ("cpu", "vta"):
        recording = record(make_pipeline(resolve_targets(target), Options()), random_network(0))
        found = bisect(recording, random_inputs(recording.graph.inputs, 2), each=True)
        assert found.is_clean and found.checked > 50, found


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(network(), "m.onnx")
    assert main(["bisect", "m.onnx", "--extract", "none"]) == 0
    assert "Nothing is wrong" in capsys.readouterr().out and not Path("none").exists()
    with monkeypatch.context() as patch:
        inject(patch, "graph-legalize-quantization", shift_zero_points)
        assert main(["bisect", "m.onnx", "--extract", "found", "--json"]) == 1
        facts = json.loads(capsys.readouterr().out)
        assert facts["passes"] == ["graph-legalize-quantization"] and facts["kernels"]
        assert main(["compile", "m.onnx", "-o", "m.so", "--verify"]) == 2
        assert "m.so" not in (said := capsys.readouterr().err) or not Path("m.so").exists()
        assert "graph-legalize-quantization" in said and not Path("m.so").exists()
        # The reproducer shows it again.
        monkeypatch.chdir("found")
        assert main(["bisect", "model.onnx", "--inputs", "inputs.npz", "--json"]) == 1
        assert json.loads(capsys.readouterr().out)["passes"] == ["graph-legalize-quantization"]
    files = {path.name for path in Path().iterdir()}
    assert files == {
        "README.md",
        "before.mlir",
        "pipeline.txt",
        "inputs.npz",
        "expected.npz",
        "model.onnx",
        "found.json",
    }
    assert Path("pipeline.txt").read_text().startswith("func.func(graph-legalize-quantization")
    assert main(["bisect", "model.onnx", "--inputs", "inputs.npz"]) == 0
    monkeypatch.chdir(tmp_path)
    assert main(["compile", "m.onnx", "-o", "m.so", "--verify"]) == 0 and Path("m.so").exists()


def test_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from test_session import affine

    monkeypatch.chdir(tmp_path)
    onnx.save(affine("rows")[0], "open.onnx")
    onnx.save(affine(3)[0], "m.onnx")
    np.savez("x.npz", x=np.zeros((2, 3, 4), np.float32))
    np.savez("y.npz", y=np.zeros((2, 3, 4), np.float32))
    Path("full").mkdir()
    Path("full/file").touch()
    for arguments, said in [
        (["none.onnx"], "none.onnx"),
        (["open.onnx"], "no fixed size"),
        (["m.onnx", "--inputs", "none.npz"], "none.npz"),
        (["m.onnx", "--inputs", "y.npz"], "'x' (float32[3, 4]) is missing"),
        (["m.onnx", "--extract", "full"], "not an empty folder"),
    ]:
        assert main(["bisect", *arguments]) == 2, arguments
        assert said in capsys.readouterr().err
    assert main(["bisect", "open.onnx", "--inputs", "x.npz"]) == 0
