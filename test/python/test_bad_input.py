"""What bad input gets from the command line: one clear message, exit code 2, no traceback, no output file."""

from __future__ import annotations

import json
import pathlib
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from qdq_models import QdqModel

ROOT = pathlib.Path(__file__).resolve().parents[2]


def acc(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "acc", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={"PYTHONPATH": str(ROOT / "python"), "PATH": "/usr/bin:/bin", "HOME": "/tmp"},
        **options,
    )


def refused(result: subprocess.CompletedProcess[str], *mentions: str) -> None:
    assert result.returncode == 2, (result.returncode, result.stdout, result.stderr)
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("acc: error: "), result.stderr
    for mention in mentions:
        assert mention in result.stderr, f"{mention!r} is not in: {result.stderr}"


def small_model(seed: int = 0) -> onnx.ModelProto:
    net = QdqModel(np.random.default_rng(seed))
    return net.build(net.conv(net.input((1, 3, 8, 8)), 16, activation="relu"))


def model_of(*nodes: onnx.NodeProto, shape=(1, 4), initializers=(), output_shape=None) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, output_shape)],
        list(initializers),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("compiled")
    onnx.save(small_model(), folder / "model.onnx")
    result = acc("compile", folder / "model.onnx", "-o", folder / "model.so", "--target", "vta")
    assert result.returncode == 0, result.stderr
    return folder / "model.so"


def compile_refused(tmp_path: pathlib.Path, *mentions: str, options: tuple[object, ...] = ()) -> None:
    output = tmp_path / "out" / "model.so"
    output.parent.mkdir()
    refused(acc("compile", tmp_path / "model.onnx", "-o", output, "--target", "cpu", *options), *mentions)
    assert list(output.parent.iterdir()) == []


def test_missing_file(tmp_path: pathlib.Path) -> None:
    compile_refused(tmp_path, "model.onnx")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x7fELF" + bytes(100), bytes(1000)])
def test_not_an_onnx_file(tmp_path: pathlib.Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    compile_refused(tmp_path, "model.onnx")


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9, 0.99])
def test_truncated_model(tmp_path: pathlib.Path, fraction: float) -> None:
    data = small_model().SerializeToString()
    (tmp_path / "model.onnx").write_bytes(data[: int(len(data) * fraction)])
    compile_refused(tmp_path)


def test_all_unsupported_operators_are_listed_at_once(tmp_path: pathlib.Path) -> None:
    model = model_of(
        helper.make_node("NonZero", ["x"], ["a"], name="first"),
        helper.make_node("Loop", ["", "", "x"], ["b"], name="second", body=helper.make_graph([], "b", [], [])),
        helper.make_node("Relu", ["x"], ["y"], name="fine"),
        helper.make_node("Made", ["x"], ["c"], name="third", domain="org.example"),
    )
    model.opset_import.append(helper.make_opsetid("org.example", 1))
    onnx.save(model, tmp_path / "model.onnx")
    compile_refused(tmp_path, "first", "NonZero", "second", "Loop", "third", "Made")


def test_dynamic_shapes_not_given(tmp_path: pathlib.Path) -> None:
    model = model_of(helper.make_node("Relu", ["x"], ["y"]), shape=("batch", 4), output_shape=("batch", 4))
    onnx.save(model, tmp_path / "model.onnx")
    compile_refused(tmp_path, "x", "batch", "--shape")


@pytest.mark.parametrize("scale", [np.nan, np.inf, 0.0, -1.0])
def test_impossible_scales(tmp_path: pathlib.Path, scale: float) -> None:
    model = model_of(
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], name="quantize_it"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], name="dequantize_it"),
        initializers=[
            numpy_helper.from_array(np.float32(scale), "s"),
            numpy_helper.from_array(np.int8(0), "z"),
        ],
    )
    onnx.save(model, tmp_path / "model.onnx")
    compile_refused(tmp_path, "quantize_it", "scale")


@pytest.mark.parametrize(
    ("config", "mention"),
    [
        ({"LOG_BLOCK": 9}, "LOG_"),
        ({"LOG_ACC_BUFF_SIZE": 30}, "LOG_ACC_BUFF_SIZE"),
        ({"LOG_WGT_BUFF_SIZE": 5}, "LOG_WGT_BUFF_SIZE"),
        ({"LOG_INP_WIDTH": 7}, "LOG_INP_WIDTH"),
        ({"LOG_ACC_WIDTH": 3}, "LOG_ACC_WIDTH"),
        ({"LOG_BATCH": "one"}, "LOG_BATCH"),
        ({"LOG_BATCH": -1}, "LOG_BATCH"),
        ({"LOG_BLOK": 4}, "LOG_BLOK"),
    ],
)
def test_illegal_configuration(tmp_path: pathlib.Path, config: dict, mention: str) -> None:
    onnx.save(small_model(), tmp_path / "model.onnx")
    (tmp_path / "vta_config.json").write_text(json.dumps(config))
    options = ("--target", "vta", "--config", tmp_path / "vta_config.json")
    compile_refused(tmp_path, mention, options=options)


def test_configuration_that_is_not_json(tmp_path: pathlib.Path) -> None:
    onnx.save(small_model(), tmp_path / "model.onnx")
    (tmp_path / "vta_config.json").write_text("{LOG_BLOCK: 4")
    compile_refused(tmp_path, options=("--target", "vta", "--config", tmp_path / "vta_config.json"))


@pytest.mark.parametrize(
    ("inputs", "mention"),
    [
        ({}, "input_1"),
        ({"wrong": np.zeros((1, 3, 8, 8), np.float32)}, "wrong"),
        ({"input_1": np.zeros((1, 3, 8, 9), np.float32)}, "input_1"),
        ({"input_1": np.zeros((1, 3, 8, 8), np.float64)}, "input_1"),
        ({"input_1": np.zeros((1, 3, 8, 8), np.float32), "more": np.zeros(1)}, "more"),
    ],
)
def test_wrong_inputs(compiled: pathlib.Path, tmp_path: pathlib.Path, inputs: dict, mention: str) -> None:
    np.savez(tmp_path / "x.npz", **inputs)
    refused(acc("run", compiled, "--input", tmp_path / "x.npz", "-o", tmp_path / "y.npz"), mention)
    assert not (tmp_path / "y.npz").exists()


@pytest.mark.parametrize("damage", ["truncate", "flip", "not elf", "empty"])
@pytest.mark.parametrize("command", ["run", "info", "disasm"])
def test_corrupted_model_file(compiled: pathlib.Path, tmp_path: pathlib.Path, damage: str, command: str) -> None:
    data = bytearray(compiled.read_bytes())
    if damage == "truncate":
        data = data[: len(data) // 2]
    elif damage == "flip":
        data[len(data) // 2] ^= 0x10
    elif damage == "not elf":
        data[:4] = b"text"
    else:
        data.clear()
    broken = tmp_path / "broken.so"
    broken.write_bytes(data)
    np.savez(tmp_path / "x.npz", input_1=np.zeros((1, 3, 8, 8), np.float32))
    options = ("--input", tmp_path / "x.npz") if command == "run" else ()
    refused(acc(command, broken, *options), "broken.so")


def test_file_size_limit_while_writing(tmp_path: pathlib.Path) -> None:
    onnx.save(small_model(), tmp_path / "model.onnx")

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    output = tmp_path / "out" / "model.so"
    output.parent.mkdir()
    refused(acc("compile", tmp_path / "model.onnx", "-o", output, "--target", "vta", preexec_fn=limit))
    assert list(output.parent.iterdir()) == []


def test_output_folder_missing(tmp_path: pathlib.Path) -> None:
    onnx.save(small_model(), tmp_path / "model.onnx")
    refused(acc("compile", tmp_path / "model.onnx", "-o", tmp_path / "no" / "model.so", "--target", "cpu"), "no")


def test_killed_compile_leaves_nothing_half_written(tmp_path: pathlib.Path) -> None:
    onnx.save(small_model(), tmp_path / "model.onnx")
    output = tmp_path / "out" / "model.so"
    output.parent.mkdir()
    for delay in (0.3, 0.6, 0.9, 1.2):
        process = subprocess.Popen(
            [sys.executable, "-m", "acc", "compile", tmp_path / "model.onnx", "-o", output, "--target", "vta"],
            env={"PYTHONPATH": str(ROOT / "python"), "PATH": "/usr/bin:/bin"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(delay)
        process.kill()
        process.wait()
        if output.exists():
            assert acc("info", output).returncode == 0
            break


def test_out_of_range_stream(tmp_path: pathlib.Path) -> None:
    (tmp_path / "vta_config.json").write_text("{}")
    word = 0 | (2 << 7) | (0xFFFF << 10)  # LOAD inp to the last SRAM index and beyond
    second = 16 | (16 << 16) | (16 << 32)
    finish = 3
    stream = b"".join(value.to_bytes(8, "little") for value in (word, second, finish, 0))
    (tmp_path / "insns.bin").write_bytes(stream)
    arguments = ("sim", "--config", tmp_path / "vta_config.json", "--device", "fsim")
    refused(acc(*arguments, "--insns", tmp_path / "insns.bin"), "0")
    (tmp_path / "insns.bin").write_bytes(stream[:-3])
    refused(acc(*arguments, "--insns", tmp_path / "insns.bin"))
