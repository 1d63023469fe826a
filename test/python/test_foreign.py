"""Models for other processors compute what those of this machine do, integers bit by bit; and what is refused."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.backend.test.loader import load_model_tests

import acc
import foreign
from acc.cli import main
from acc.compiler import compile_contents
from acc.container import read_model, write_model
from acc.errors import AccError
from cpu_latency import LIGHT, NAMES, ramp
from digits_data import load_split
from foreign import MORE, PROCESSORS, Processor
from qdq_models import random_network
from test_lookup_tables import Chain
from test_lowering import FloatModel, pools_and_normalizations
from test_native_code import random_convolution, random_product, random_window

ROOT = Path(__file__).resolve().parents[2]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    CASES = load_model_tests(kind="node")


def processors(*chosen: Processor) -> pytest.MarkDecorator:
    """The test for each of them, where programs for it can be built and run."""
    return pytest.mark.parametrize(
        "processor",
        [
            pytest.param(
                item,
                id=item.name,
                marks=pytest.mark.skipif(
                    not item.is_here, reason=f"scripts/setup.sh test installs what runs programs for {item.triple}"
                ),
            )
            for item in chosen
        ],
    )


def compare(processor: Processor, model: onnx.ModelProto | str, inputs: Mapping[str, np.ndarray]) -> None:
    """Runs a model there and here."""
    have = processor.run(model, inputs)
    want = acc.compile(model).run(inputs)
    for name, expected in want.items():
        assert have[name].dtype == expected.dtype, name
        if expected.dtype.kind in "iub":
            np.testing.assert_array_equal(have[name], expected, err_msg=name)
        else:
            # What is computed in f32 and rounded may be rounded to the neighbour.
            rtol = 3e-5 if expected.dtype.itemsize > 2 else 8e-3
            wide = [array.astype(np.float64) for array in (have[name], expected)]
            np.testing.assert_allclose(*wide, rtol=rtol, atol=1e-5, err_msg=name)


def sample(name: str, shape: object, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng([seed, *name.encode()])
    return rng.normal(size=shape).astype(np.float32)  # type: ignore[arg-type]


@processors(*PROCESSORS)
def test_float_operators(processor: Processor) -> None:
    model = FloatModel(seed=7)
    for family in (random_convolution, random_product, random_window, pools_and_normalizations):
        family(model)
    compare(processor, model.build(), model.feeds)


@processors(*PROCESSORS, *MORE)
@pytest.mark.parametrize("seed", [0, 5])
def test_integers_are_exact(processor: Processor, seed: int) -> None:
    model = random_network(seed)
    shapes = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in model.graph.input}
    inputs = {name: sample(name, shape, seed) for name, shape in shapes.items()}
    want = acc.compile(model).run(inputs)
    for name, array in processor.run(model, inputs).items():
        np.testing.assert_array_equal(array, want[name])


@processors(*PROCESSORS)
def test_table_lookups(processor: Processor) -> None:
    """All 256 integers, through tables in registers where there are instructions for them."""
    chain = Chain(np.int8, 0.05, 3)
    model = chain.finish([chain.node("Sigmoid", chain.x), chain.node("HardSwish", chain.x)], 0.02, -100)
    values = np.arange(-128, 128, dtype=np.int8)
    compare(processor, model, {"x": np.tile(values, 3)[:768].reshape(2, 3, 16, 8)})


def narrow_model(dtype: int) -> onnx.ModelProto:
    """Sums of products, a function and conversions of small floats, of a number of rows that runs have."""
    nodes = [
        helper.make_node("Cast", ["x"], ["a"], to=dtype),
        helper.make_node("MatMul", ["a", "w"], ["b"]),
        helper.make_node("Tanh", ["b"], ["c"]),
        helper.make_node("Add", ["b", "c"], ["d"]),
        helper.make_node("Cast", ["d"], ["y"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["x64"], ["z"], to=dtype),
    ]
    weights = sample("w", (9, 7))
    graph = helper.make_graph(
        nodes,
        "narrow",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 9]),
            helper.make_tensor_value_info("x64", TensorProto.DOUBLE, [40]),
        ],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 7]),
            helper.make_tensor_value_info("d", dtype, ["rows", 7]),
            helper.make_tensor_value_info("z", dtype, [40]),
        ],
        [helper.make_tensor("w", dtype, weights.shape, weights.reshape(-1))],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


SPECIAL = [
    *(0.0, -0.0, np.inf, -np.inf, np.nan, 65504, 65519.99, 65520, 65536, 1e300, -0.1, 1 / 3, 1e-310),
    *(6e-8, 2.98e-8, 2.981e-8, -1e-5, 6.1e-5, 6.0976e-5, 2049, 2051.0000001),
    *(1 + 2**-11, 1 + 2**-11 + 2**-40, 1 + 3 * 2**-11),
]
"""Numbers whose conversions to small floats round, tie, overflow and underflow."""


@processors(*PROCESSORS)
@pytest.mark.parametrize("dtype", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_small_floats_and_open_sizes(processor: Processor, dtype: int) -> None:
    special = np.resize(np.array(SPECIAL), 40)
    model, inputs = narrow_model(dtype), {"x": sample("x", (5, 9)), "x64": special}
    compare(processor, model, inputs)
    # Conversions are exact, also where functions do what instructions do here.
    bits = [item["z"].view(np.uint16) for item in (processor.run(model, inputs), acc.compile(model).run(inputs))]
    both = [np.where(np.isnan(special), 0, array) for array in bits]
    np.testing.assert_array_equal(*both)


def check_node(processor: Processor, case: Any) -> bool:
    """Whether a node test of the onnx package compiles without being told sizes or values, and runs the same there."""
    arrays, _ = case.data_sets[0]
    try:
        executable = acc.compile(case.model)
    except AccError:
        return False
    if len(arrays) != len(executable.inputs) or not all(isinstance(array, np.ndarray | np.generic) for array in arrays):
        return False
    compare(
        processor, case.model, {info.name: np.asarray(a) for info, a in zip(executable.inputs, arrays, strict=True)}
    )
    return True


RANDOM = re.compile("random|bernoulli|dropout_.*training|training_dropout|multinomial")


def check_nodes(processor: Processor, first: int, one_in: int) -> int:
    cases = [case for case in CASES[first::one_in] if not RANDOM.search(case.name)]
    return sum(check_node(processor, case) for case in cases)


@processors(*PROCESSORS)
def test_some_node_tests_of_onnx(processor: Processor) -> None:
    assert check_nodes(processor, 17 * PROCESSORS.index(processor), 280) > 1


@pytest.mark.long
@processors(*PROCESSORS)
def test_node_tests_of_onnx(processor: Processor) -> None:
    assert check_nodes(processor, 0, 1) > 1000


@processors(*PROCESSORS)
def test_quantized_digits(processor: Processor) -> None:
    images, _ = load_split("train")
    model = acc.quantize(str(ROOT / "demo" / "digits.onnx"), {"input": images[:64]}).model
    compare(processor, model, {"input": images[:1]})


@processors(PROCESSORS[1])
def test_a_light_model(processor: Processor) -> None:
    check_light(processor, "shufflenet")


def check_light(processor: Processor, name: str) -> None:
    path = str(LIGHT / f"light_{name}.onnx")
    inputs = {info.name: ramp(info.shape) for info in acc.compile(path).inputs}
    compare(processor, path, inputs)


@pytest.mark.long
@processors(*PROCESSORS)
@pytest.mark.parametrize("name", NAMES)
def test_light_models(processor: Processor, name: str) -> None:
    check_light(processor, name)


@processors(*PROCESSORS)
def test_other_machines_and_processors_are_told_apart(processor: Processor, tmp_path: Path) -> None:
    """A model says what it is for, and is refused where that is not, before any of its code runs."""
    model = FloatModel(seed=0)
    model.add("Relu", model.input(4))
    path = tmp_path / "m.so"
    write_model(path, processor.compile(model.build()).contents)
    facts = read_model(path).metadata
    assert facts["triple"] == processor.triple and facts["cpu"] == processor.cpu
    with pytest.raises(
        acc.ModelFileError, match=rf"another processor, {processor.triple}: .*compile the model with --triple"
    ):
        acc.load(path)
    write_model(path, compile_contents(model.build()).contents)
    done = foreign.start(path, processor, ["out"])
    assert done.returncode == 2 and f"--triple {processor.triple}" in done.stderr


@processors(PROCESSORS[0])
def test_missing_instructions_are_named(processor: Processor, tmp_path: Path) -> None:
    model = FloatModel(seed=0)
    model.add("Relu", model.input(4))
    path = tmp_path / "m.so"
    better = dataclasses.replace(processor, cpu="cortex-a76")
    write_model(path, better.compile(model.build()).contents)
    done = foreign.start(path, processor, ["out"])
    assert done.returncode == 2
    assert re.search(r"compiled for a processor with \S+, which this one lacks: compile it with", done.stderr), (
        done.stderr
    )


@pytest.mark.parametrize(
    ("triple", "cpu", "features", "reason"),
    [
        (
            "abacus",
            "native",
            "",
            "'abacus' is no triple that LLVM knows: models are made for x86_64-linux-gnu, aarch64-",
        ),
        ("armv7-linux-gnueabihf", "native", "", "has no addresses of 64 bits"),
        ("aarch64_be-linux-gnu", "native", "", "is big-endian"),
        ("powerpc64le-linux-gnu", "native", "", "is an architecture without native code"),
        ("aarch64-apple-darwin", "native", "", "is not Linux with glibc"),
        ("aarch64-linux-musl", "native", "", "is not Linux with glibc"),
        (
            "aarch64-linux-gnu",
            "abacus",
            "",
            "unknown processor 'abacus' for aarch64-linux-gnu: there are .*cortex-a53, ",
        ),
        ("aarch64-linux-gnu", "native", "+avx2", r"unknown processor feature 'avx2' for aarch64-linux-gnu"),
        ("aarch64-linux-gnu", "native", "-neon", "lacks 'neon', which aarch64-linux-gnu cannot be without"),
        ("riscv64-linux-gnu", "sifive-e20", "", "lacks '64bit'"),
        ("riscv64-linux-gnu", "native", "-d", "lacks 'd'"),
        ("riscv64-linux-gnu", "native", "+zvl256b", "do not fit together: 'zvl"),
        ("x86_64-linux-gnu", "i686", "", "lacks '64bit'"),
    ],
)
def test_what_there_is_no_code_for(triple: str, cpu: str, features: str, reason: str, tmp_path: Path, capsys) -> None:
    model, output = tmp_path / "m.onnx", tmp_path / "m.so"
    relu = FloatModel(seed=0)
    relu.add("Relu", relu.input(4))
    onnx.save(relu.build(), model)
    arguments = [
        "compile",
        str(model),
        "-o",
        str(output),
        "--triple",
        triple,
        "--cpu",
        cpu,
        f"--cpu-features={features}",
    ]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert re.search(reason, said) and said.count("\n") == 1, said
    assert not output.exists()


def test_a_foreign_model_is_not_loaded() -> None:
    relu = FloatModel(seed=0)
    relu.add("Relu", relu.input(4))
    with pytest.raises(acc.CompileError, match="cannot be loaded on this machine: write it to a file"):
        acc.compile(relu.build(), triple="riscv64-linux-gnu")


def test_the_c_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from acc import container

    exists = container.os.path.exists
    monkeypatch.setattr(container.os.path, "exists", lambda path: "aarch64" not in str(path) and exists(path))
    relu = FloatModel(seed=0)
    relu.add("Relu", relu.input(4))
    with pytest.raises(acc.CompileError, match="install libc6-arm64-cross"):
        compile_contents(relu.build(), triple="aarch64-linux-gnu")


def test_the_functions_of_acc_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half floats on RISC-V are converted by functions that are built with acc only if there is a C++ library."""
    from acc import container

    if not PROCESSORS[2].is_here:
        pytest.skip("without the C library of RISC-V linking fails before")
    monkeypatch.setattr(container, "_archives", lambda machine: [])
    with pytest.raises(
        acc.CompileError, match=r"built without .* for riscv64-linux-gnu: install libstdc.*riscv64-cross"
    ):
        compile_contents(narrow_model(TensorProto.FLOAT16), triple="riscv64-linux-gnu")


def test_the_toolchain_is_missing() -> None:
    script = str(ROOT / "scripts" / "runtime_cross.sh")
    done = subprocess.run([script, "mips-linux-gnu"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "there is one for aarch64-linux-gnu riscv64-linux-gnu" in done.stderr


@processors(PROCESSORS[0])
def test_info_says_the_processor(processor: Processor, tmp_path: Path, capsys) -> None:
    relu = FloatModel(seed=0)
    relu.add("Relu", relu.input(4))
    path = tmp_path / "m.so"
    write_model(path, processor.compile(relu.build()).contents)
    assert main(["info", str(path)]) == 0
    assert "processor  generic of aarch64-linux-gnu, with " in capsys.readouterr().out
    assert main(["info", "--json", str(path)]) == 0
    assert "neon" in json.loads(capsys.readouterr().out)["cpu_features"]


@processors(*PROCESSORS)
def test_the_c_example(processor: Processor, tmp_path: Path) -> None:
    """The program of the documentation, built for another processor by the commands that stand there."""
    folder = foreign.runtime(processor.triple)
    relu = FloatModel(seed=0)
    relu.add("Relu", relu.input(1, 10))
    write_model(tmp_path / "m.so", processor.compile(relu.build()).contents)
    program = tmp_path / "run_model"
    compiler = [shutil.which("clang-22") or "clang", f"--target={processor.triple}", "-fuse-ld=lld"]
    flags = ["-I", str(ROOT / "runtime" / "include"), "-L", str(folder), "-lacc_runtime", f"-Wl,-rpath,{folder}"]
    subprocess.run([*compiler, str(ROOT / "examples" / "run_model.c"), *flags, "-o", str(program)], check=True)
    done = subprocess.run(
        [*processor.command(), program, tmp_path / "m.so"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "the largest of 10" in done.stdout, done.stderr
