"""Native code on several threads: the same bits for any number of them, from several callers, in children of fork()."""

from __future__ import annotations

import itertools
import math
import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import acc
import float_models
import float_networks
import qdq_models
from acc.cli import main
from acc.container import read_model
from acc.session import SessionOptions
from acc.targets.cpu import chunks
from acc.threads import usable_cores

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = (1, 2, 3, 7)


@pytest.fixture(autouse=True)
def _without_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    # Models with guards run on one thread.
    monkeypatch.setenv("ACC_GUARD", "0")


@pytest.fixture
def _any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small kernels are cut into chunks too."""
    monkeypatch.setattr(chunks, "LEAST_CYCLES", 0)


def _random_inputs(exe: acc.Executable, sizes: dict[str, int] | None = None) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {i.name: [s if isinstance(s, int) else (sizes or {}).get(s, 5) for s in i.shape] for i in exe.inputs}
    return {
        info.name: (rng.normal(0, 1, shapes[info.name]) * (1 if "float" in info.dtype else 3)).astype(info.dtype)
        for info in exe.inputs
    }


def _same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return all(first[name].tobytes() == second[name].tobytes() for name in first)


def _check_numbers(
    exe: acc.Executable, inputs: dict[str, np.ndarray] | None = None, sizes: dict[str, int] | None = None
) -> dict[str, np.ndarray]:
    """Runs on several numbers of threads and compares all bits."""
    inputs = inputs or _random_inputs(exe, sizes)
    exe.threads = 1
    expected = exe.run(inputs)
    for threads in NUMBERS:
        exe.threads = threads
        assert _same(exe.run(inputs), expected), f"{threads} threads compute something else than one"
        assert exe.statistics["threads"] == threads
    return expected


def _convolution(
    shape: tuple[int, ...], outputs: int, kernel: int, stride: int = 1, pad: int = 0, group: int = 1, seed: int = 0
) -> onnx.ModelProto:
    rng = np.random.default_rng(seed)
    weights = rng.normal(0, 1, (outputs, shape[1] // group, kernel, kernel)).astype(np.float32)
    bias = rng.normal(0, 1, outputs).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w", "b"], ["y"], strides=[stride] * 2, pads=[pad] * 4, group=group),
            helper.make_node("Relu", ["y"], ["z"]),
        ],
        "convolution",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_empty_tensor_value_info("z")],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


# Rows or outputs are cut, with and without a packed copy of the input, in the last chunk with less than in others.
CONVOLUTIONS: dict[str, tuple[Any, ...]] = {
    "rows with a copy": ((1, 17, 23, 19), 8, 3, 1, 1),
    "rows in place": ((2, 3, 21, 17), 7, 3, 2, 0),
    "images": ((9, 8, 5, 5), 24, 3, 1, 1),
    "pixels": ((1, 17, 13, 11), 40, 1),
    "outputs": ((1, 32, 5, 5), 1000, 3, 1, 1),
    "outputs of pixels": ((1, 17, 3, 3), 1000, 1),
    "groups": ((3, 12, 9, 10), 18, 3, 2, 1, 3),
    "one pixel": ((1, 7, 1, 1), 300, 1),
}


@pytest.mark.usefixtures("_any_size")
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = _convolution(*CONVOLUTIONS[name])
    exe = acc.compile(model)
    assert exe.report()[0].parallel
    inputs = _random_inputs(exe)
    found = _check_numbers(exe, inputs)
    monkeypatch.setattr(chunks, "LEAST_CYCLES", math.inf)
    sequential = acc.compile(model)
    assert not sequential.report()[0].parallel
    assert _same(sequential.run(inputs), found)


@pytest.mark.usefixtures("_any_size")
@pytest.mark.parametrize("family", float_models.FAMILIES, ids=lambda family: family.__name__)
def test_random_layers(family: Any) -> None:
    for seed in range(2):
        model, inputs = float_models.random_case(family, seed, 17)
        _check_numbers(acc.compile(model), inputs)


@pytest.mark.usefixtures("_any_size")
def test_networks() -> None:
    _check_numbers(acc.compile(float_networks.convolutional()))
    _check_numbers(acc.compile(float_networks.transformer()))


@pytest.mark.parametrize("name", ["shufflenet", pytest.param("resnet50", marks=pytest.mark.long)])
def test_light_models(name: str) -> None:
    exe = acc.compile(Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"light_{name}.onnx")
    assert sum(bool(kernel.parallel) for kernel in exe.report()) > len(exe.report()) / 2
    _check_numbers(exe)


@pytest.mark.usefixtures("_any_size")
def test_open_sizes() -> None:
    exe = acc.compile(float_networks.transformer(open_sizes=True))
    for batch, length in ((1, 12), (3, 1), (2, 33), (0, 4)):
        _check_numbers(exe, sizes={"batch": batch, "length": length})


@pytest.mark.usefixtures("_any_size")
@pytest.mark.parametrize("seed", range(3))
def test_integers(seed: int) -> None:
    _check_numbers(acc.compile(qdq_models.random_network(seed)))


@pytest.mark.usefixtures("_any_size")
def test_several_callers() -> None:
    first = acc.compile(float_networks.convolutional())
    second = acc.compile(_convolution(*CONVOLUTIONS["rows with a copy"]), threads=3)
    cases = [(exe, _random_inputs(exe)) for exe in (first, second)]
    expected = [exe.run(inputs) for exe, inputs in cases]
    wrong: list[int] = []

    def run(number: int) -> None:
        for (exe, inputs), results in itertools.islice(itertools.cycle(zip(cases, expected, strict=True)), 20):
            exe.threads = 1 + number
            if not _same(exe.run(inputs), results):
                wrong.append(number)

    callers = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


@pytest.mark.usefixtures("_any_size")
def test_children_of_fork() -> None:
    exe = acc.compile(float_networks.convolutional(), threads=3)
    inputs = _random_inputs(exe)
    expected = exe.run(inputs)
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            # Nothing of the tests may run here.
            os._exit(0 if _same(exe.run(inputs), expected) else 1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert _same(exe.run(inputs), expected)


def test_how_many(tmp_path: Path) -> None:
    model = _convolution((1, 64, 28, 28), 64, 3, 1, 1)
    path = tmp_path / "model.so"
    acc.compile(model).save(path)
    assert acc.load(path).threads == usable_cores() <= len(os.sched_getaffinity(0))
    assert acc.load(path, threads=5).threads == 5
    assert acc.InferenceSession(path, _session_options(4)).threads == 4
    assert acc.InferenceSession(path, _session_options(0)).threads == acc.load(path).threads
    acc.compile(model, threads=3).save(path)
    assert read_model(path).metadata["threads"] == 3
    assert acc.load(path).threads == 3
    assert acc.load(path, threads=2).threads == 2
    exe = acc.load(path)
    for bad in (0, -1, 257, 10**20, True, 1.5, "2"):
        with pytest.raises(acc.RunError, match="from 1 to 256"):
            exe.threads = bad  # type: ignore[assignment]
        with pytest.raises(acc.RunError, match="from 1 to 256"):
            acc.load(path, threads=bad)  # type: ignore[arg-type]
        with pytest.raises(acc.CompileError, match="from 1 to 256"):
            acc.compile(model, threads=bad)  # type: ignore[arg-type]
    assert exe.threads == 3


def _session_options(threads: int) -> SessionOptions:
    options = SessionOptions()
    options.intra_op_num_threads = threads
    return options


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, inputs, compiled = (str(tmp_path / name) for name in ("model.onnx", "x.npz", "model.so"))
    onnx.save(_convolution((1, 64, 28, 28), 64, 3, 1, 1), model)
    np.savez(inputs, x=np.ones((1, 64, 28, 28), np.float32))
    assert main(["compile", model, "-o", compiled, "--threads", "3"]) == 0
    assert main(["info", compiled]) == 0
    said = capsys.readouterr().out
    assert "threads    3" in said and "rows" in said
    assert main(["run", compiled, "--input", inputs, "--threads", "2", "--profile"]) == 0
    said = capsys.readouterr().out
    assert "2 threads" in said and "parallel" in said
    for bad in (
        ["compile", model, "-o", str(tmp_path / "other.so"), "--threads", "0"],
        ["run", compiled, "--input", inputs, "--threads", "1000"],
    ):
        assert main(bad) == 2
        assert "from 1 to 256" in capsys.readouterr().err
    assert not (tmp_path / "other.so").exists()


def test_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = _convolution((1, 3, 5, 5), 3, 1), _convolution((1, 64, 28, 28), 64, 3, 1, 1)
    for guard, versions in (("0", (4, 6)), ("1", (5, 6))):
        monkeypatch.setenv("ACC_GUARD", guard)
        for model, version in zip((small, large), versions, strict=True):
            exe = acc.compile(model, threads=2)
            exe.save(tmp_path / "model.so")
            data = (tmp_path / "model.so").read_bytes()
            assert int.from_bytes(data[-80:-76], "little") == version
            # What guards find is the fault of the kernel that runs, and of one store.
            exe.run(_random_inputs(exe))
            assert exe.statistics["threads"] == (1 if guard == "1" else 2)


def _build(folder: Path, folders: tuple[str, ...], *flags: str) -> Path:
    """The test of the threads in C++, built with ThreadSanitizer; skips if that is not installed."""
    compiler = shutil.which("clang++-22") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("there is no clang++")
    sources = [source for name in folders for source in sorted((ROOT / "runtime" / name).glob("*.cpp"))]
    include = [f"-I{ROOT / path}" for path in ("runtime", "runtime/include", "build/include", "build/runtime/include")]
    program = folder / "thread_pool"
    command = [compiler, "-std=c++20", "-O1", "-g", "-fsanitize=thread", "-pthread", *include, *flags]
    sources.append(ROOT / "test" / "support" / "thread_pool.cpp")
    done = subprocess.run(
        [*command, *map(str, sources), "-o", str(program), "-ldl"], capture_output=True, text=True, check=False
    )
    if "libclang_rt.tsan" in done.stderr:
        pytest.skip("there is no ThreadSanitizer: apt-get install libclang-rt-22-dev")
    assert done.returncode == 0, done.stderr
    return program


def _run_sanitized(command: list[str]) -> None:
    environment = {**os.environ, "TSAN_OPTIONS": "halt_on_error=1 exitcode=66 die_after_fork=0"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr


def test_pool_has_no_races(tmp_path: Path) -> None:
    _run_sanitized([str(_build(tmp_path, ("threads",)))])


@pytest.mark.long
def test_runtime_has_no_races(tmp_path: Path) -> None:
    models = []
    for number, model in enumerate((float_networks.convolutional(), _convolution((1, 64, 28, 28), 64, 3, 1, 1))):
        acc.compile(model).save(tmp_path / f"{number}.so")
        models.append(str(tmp_path / f"{number}.so"))
    program = _build(tmp_path, ("threads", "model", "device"), "-DWITH_MODEL")
    _run_sanitized([str(program), *models[1:]])
