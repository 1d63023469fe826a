"""examples/target_plugin: an accelerator of another package, installed as users install it, runs quantized networks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from acc import ir, targets
from acc.cli import main
from acc.container import ModelContents, Program, read_model
from acc.dialects import te
from conftest import ROOT
from qdq_models import QdqModel, power_of_two_network, random_network

SOURCES = ROOT / "examples" / "target_plugin"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that pip installed the package to, on the path of this process."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--disable-pip-version-check", "--target", folder, SOURCES], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        targets._installed.cache_clear()
        yield folder
    targets._installed.cache_clear()


def feeds(model: onnx.ModelProto, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    made = {}
    for value in model.graph.input:
        shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
        is_float = value.type.tensor_type.elem_type == TensorProto.FLOAT
        made[value.name] = (rng.normal(0, 1, shape) if is_float else rng.integers(0, 256, shape)).astype(
            np.float32 if is_float else np.uint8
        )
    return made


def check(model: onnx.ModelProto, seed: int, target: Any = "toy", **options: Any) -> acc.Executable:
    """Compiles for the CPU and for `target`, and compares what they compute, bit for bit."""
    inputs = feeds(model, seed)
    compiled = acc.compile(model, target=target, **options)
    made, expected = compiled.run(inputs), acc.compile(model).run(inputs)
    for name, value in expected.items():
        np.testing.assert_array_equal(made[name], value, err_msg=f"seed {seed}, {target}, {options}")
    return compiled


def placed(compiled: acc.Executable) -> list[str]:
    return [layer.target for layer in compiled.report()]


def cnn(seed: int) -> onnx.ModelProto:
    """Three convolutions with strides, pads and dilations, and a fully connected layer."""
    net = QdqModel(np.random.default_rng(seed))
    x = net.input((1, 3, 17, 13))
    x = net.conv(x, 16, (3, 3), (2, 1), (1, 0, 2, 1), activation="relu", per_channel=True)
    x = net.conv(x, 20, (2, 3), (1, 2), (0, 2, 1, 0), (2, 1))
    x = net.conv(x, 9, (1, 1), pads=(0, 0, 0, 0))
    return net.build(net.gemm(net.flatten(x), 10))


def convolution(shape: tuple[int, ...], weights: tuple[int, ...], **attributes: Any) -> onnx.ModelProto:
    """A QLinearConv named "conv", with zero points and a bias."""
    rng = np.random.default_rng(0)
    constants = {
        "x_scale": np.float32(0.02),
        "x_zero": np.uint8(77),
        "w": rng.integers(-128, 128, weights).astype(np.int8),
        "w_scale": np.float32(0.01),
        "w_zero": np.int8(0),
        "y_scale": np.float32(1.3),
        "y_zero": np.uint8(100),
        "bias": rng.integers(-9999, 9999, weights[0]).astype(np.int32),
    }
    graph = helper.make_graph(
        [helper.make_node("QLinearConv", ["x", *constants], ["y"], name="conv", **attributes)],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


SMALL = ((1, 5, 4, 6), (3, 5, 2, 2))


def test_its_size() -> None:
    files = [path for path in SOURCES.rglob("*") if path.suffix in (".py", ".toml", ".md")]
    assert sum(len(path.read_text().splitlines()) for path in files) <= 400


@pytest.mark.parametrize("options", [{}, {"vectors": 40, "sums": 24}])
def test_a_quantized_cnn_runs_on_it_bit_for_bit(site: Path, options: dict[str, int]) -> None:
    compiled = check(cnn(1), 1, **options)
    assert placed(compiled).count("toy") == 4
    products = sum(program["total"]["dot"] for program in compiled.statistics["programs"])
    # Channels are padded to multiples of eight, so there are at least as many products as the model has.
    assert 8 * products >= sum(layer.macs or 0 for layer in compiled.report())


@pytest.mark.parametrize("seed", [1, 2])
def test_random_networks_run_on_it_bit_for_bit(site: Path, seed: int) -> None:
    check_random(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_random_networks_run_on_it_bit_for_bit_long(site: Path, seed: int) -> None:
    check_random(seed)


def check_random(seed: int) -> None:
    rng = np.random.default_rng(seed)
    options = {"vectors": int(rng.integers(64, 600)), "sums": int(rng.integers(4, 600))}
    model = random_network(seed) if seed % 2 else power_of_two_network(seed)
    assert "toy" in placed(check(model, seed, **options))


@pytest.mark.parametrize(
    ("shape", "weights", "attributes"),
    [
        ((2, 5, 9), (3, 5, 3), {"pads": [1, 1], "strides": [2]}),
        ((1, 3, 4, 5, 6), (4, 3, 2, 2, 2), {"pads": [0, 1, 0, 1, 1, 0]}),
        ((3, 9, 6, 6), (5, 9, 3, 3), {"pads": [1, 2, 0, 1], "dilations": [1, 2]}),
    ],
)
def test_any_number_of_axes(
    site: Path, shape: tuple[int, ...], weights: tuple[int, ...], attributes: dict[str, list[int]]
) -> None:
    compiled = check(convolution(shape, weights, **attributes), 0, vectors=30, sums=9)
    assert placed(compiled).count("toy") == 1


def test_several_targets_share_a_model(site: Path) -> None:
    """The programs of both are numbered in one order, and every one runs on the device of its instruction set."""
    net = QdqModel(np.random.default_rng(5))
    x = net.conv(net.input((1, 8, 6, 6)), 16)
    x = net.conv(net.max_pool(x, 2, 1, 0), 8)
    compiled = check(net.build(net.max_pool(x, 2, 2, 0)), 5, ["toy", "vta"])
    assert [name for name in placed(compiled) if name != "cpu"] == ["toy", "vta", "toy", "vta"]


def test_the_command_line(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = convolution(*SMALL)
    onnx.save(model, tmp_path / "m.onnx")
    inputs = feeds(model, 0)
    np.savez(tmp_path / "x.npz", **inputs)
    compiling = ["compile", f"{tmp_path}/m.onnx", "--target", "toy", "--option", "vectors=30", "-o", f"{tmp_path}/m.so"]
    assert main(compiling) == 0
    for arguments in ([], [f"{tmp_path}/m.so"], [f"{tmp_path}/m.onnx", "--target", "toy"]):
        assert main(["info", *arguments]) == 0
        assert "toy" in capsys.readouterr().out
    # A process that knows nothing but the path finds the device through the entry point of the target.
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    run = [
        sys.executable,
        "-m",
        "acc",
        "run",
        "m.so",
        "--input",
        "x.npz",
        "--output",
        "y.npz",
        "--device",
        "interpreter",
    ]
    subprocess.run(run, env={**os.environ, "PYTHONPATH": path}, cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npz")["y"], acc.compile(model).run(inputs)["y"])


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_options_are_checked(site: Path, tmp_path: Path, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(convolution(*SMALL), tmp_path / "m.onnx")
    output = tmp_path / "m.so"
    command = ["compile", f"{tmp_path}/m.onnx", "--target", "toy", "--option", f"sums={value}", "-o", str(output)]
    assert main(command) == 2
    assert f"option 'sums' of target 'toy' is '{value}': it must be a positive number" in capsys.readouterr().err
    assert not output.exists()


def test_a_kernel_whose_tiles_do_not_fit_runs_on_the_host(site: Path) -> None:
    compiled = check(convolution(*SMALL), 0, sums=1)
    assert "toy" not in placed(compiled)
    assert any("sums" in layer.reason for layer in compiled.report())


def test_a_schedule_that_does_not_fit_is_an_error(site: Path) -> None:
    from acc_toy.target import Toy

    class Careless(Toy):
        def schedule(self, module: ir.Module) -> Any:
            made = super().schedule(module)
            for kernel in filter(self.is_mine, module.body):
                chosen = te.ScheduleAttr(kernel.attributes["schedule"])
                whole = [te.TileAttr.get([0] * 4, context=module.context)]
                parts = {"caches": chosen.caches, "accumulator": chosen.accumulator, "context": module.context}
                kernel.attributes["schedule"] = te.ScheduleAttr.get(whole, **parts)
            return made

    message = r"kernel 'conv\w*' needs \d+ elements of sums for its tiles, and 12 fit"
    with pytest.raises(acc.CompileError, match=message):
        acc.compile(convolution(*SMALL), target=Careless(sums=12))


def test_names_of_intrinsics_are_the_targets_own(site: Path) -> None:
    from acc_toy.target import Toy

    class Greedy(Toy):
        intrinsics = Toy.intrinsics.replace("toy_copy", "vta_gemm")

    with pytest.raises(acc.CompileError, match="target 'toy' declares @vta_gemm: its name must begin with 'toy_'"):
        acc.compile(convolution(*SMALL), target=Greedy())


def test_faults_of_a_package_are_not_those_of_acc(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from acc_toy import program
    from acc_toy.target import Toy

    monkeypatch.setattr(program, "_compute", lambda step: {}["no such step"])
    message = r"failed: KeyError: 'no such step': this is a fault of target 'toy' \(package acc_toy\), please report it"
    with pytest.raises(acc.CompileError, match=message):
        acc.compile(convolution(*SMALL), target="toy")
    monkeypatch.undo()
    monkeypatch.setattr(Toy, "intrinsics", Toy.intrinsics.replace("yield %a", "yield %b"))
    message = (
        r"stage 'accelerator kernels' failed at 'conv': this is a fault of acc or of target 'toy' \(package acc_toy\)"
    )
    with pytest.raises(acc.CompileError, match=message):
        acc.compile(convolution(*SMALL), target="toy")


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        (
            "toy inputs",
            "joy inputs",
            acc.ModelFileError,
            "program 0 .*device 'interpreter': .*not a program of the toy",
        ),
        ("memory=inputs at=0", "memory=inputs at=999999", acc.RunError, r"kernel 'conv.*ValueError: values 999999 to"),
        ("buffer=0", "buffer=9", acc.RunError, "kernel 'conv.*: device 'interpreter' raised IndexError"),
    ],
)
def test_programs_that_are_broken(site: Path, tmp_path: Path, old: str, new: str, error: Any, message: str) -> None:
    from acc.compiler import compile_contents

    contents = compile_contents(convolution(*SMALL), "toy").contents
    program = contents.programs[0]
    broken = Program(program.instruction_set, program.data.replace(old.encode(), new.encode()), program.buffers)
    with pytest.raises(error, match=message):
        acc.Executable.from_contents(ModelContents(**{**vars(contents), "programs": [broken]})).run(
            feeds(convolution(*SMALL), 0)
        )


def test_another_package_that_fails_does_not_hinder_it(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "acc_lathe.py").write_text("raise OSError('no lathe is connected')\n")
    info = tmp_path / "acc_lathe-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acc-lathe\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[acc.targets]\nlathe = acc_lathe:Lathe\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    targets._installed.cache_clear()
    onnx.save(convolution(*SMALL), tmp_path / "m.onnx")
    command = ["compile", f"{tmp_path}/m.onnx", "-o", f"{tmp_path}/m.so", "--target"]
    assert main([*command, "lathe"]) == 2
    message = "target 'lathe' (acc_lathe:Lathe) cannot be loaded: OSError: no lathe is connected"
    assert message in capsys.readouterr().err
    assert main(["info"]) == 0
    assert "no lathe is connected" in capsys.readouterr().out
    assert main([*command, "toy"]) == 0
    assert [program.instruction_set for program in read_model(tmp_path / "m.so").programs] == ["toy"]
    targets._installed.cache_clear()
