"""Models as C: without a warning of any compiler, and computing what native code does."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from acc.cli import main
from acc.errors import AccError, NeedsValue
from cpu_latency import LIGHT, NAMES, ramp
from plain_c import BARE_PROCESSORS, Source, draw, run_bare, write_source
from qdq_models import random_network

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIGITS = ROOT / "demo" / "digits.onnx"
COMPILERS = [name for name in ("gcc", "clang-22", "cc") if shutil.which(name)][:2]


def assert_near(got: np.ndarray, expected: np.ndarray, message: str = "") -> None:
    """Integers are equal; floats are, but for the order of sums and the last digits of functions."""
    kind = expected.dtype.kind
    if kind in "iub":
        np.testing.assert_array_equal(got, expected, err_msg=message)
    else:
        small = expected.dtype.itemsize < 4
        got, expected = got.astype(np.float64), expected.astype(np.float64)
        np.testing.assert_allclose(got, expected, rtol=1e-2 if small else 1e-3, atol=1e-5, err_msg=message)


def test_digits(tmp_path: pathlib.Path) -> None:
    executable = acc.compile(DIGITS)
    made = write_source(onnx.load(DIGITS), tmp_path, "digits")
    inputs = draw(executable)
    for compiler, level in zip(COMPILERS, ("-O0", "-O2"), strict=False):
        got = Source(made, executable, compiler, [level]).run(inputs)
        assert_near(got["output"], executable.run(inputs)["output"])
    text = (made / "digits.c").read_text()
    assert "static void digits_stem_conv(" in text and "/* stem/conv, stem/relu */" in text
    assert "malloc" not in text


@pytest.mark.parametrize("seed", range(3))
def test_quantized_networks_are_equal(seed: int, tmp_path: pathlib.Path) -> None:
    model = random_network(seed)
    executable = acc.compile(model)
    inputs = draw(executable, seed)
    got = Source(write_source(model, tmp_path), executable, COMPILERS[seed % len(COMPILERS)]).run(inputs)
    for name, expected in executable.run(inputs).items():
        np.testing.assert_array_equal(got[name], expected)


def test_header_in_cpp(tmp_path: pathlib.Path) -> None:
    """The header declares the same in C++, too."""
    made = write_source(onnx.load(DIGITS), tmp_path, "digits")
    (tmp_path / "main.cpp").write_text(
        '#include "digits.h"\nstatic DIGITS_ARENA(arena);\nint main() {\n  static float x[DIGITS_INPUT_SIZE], '
        "y[DIGITS_OUTPUT_SIZE];\n  return digits_run(x, y, arena);\n}\n"
    )
    for command in (
        ["clang-22", "-std=c11", "-c", str(made / "digits.c"), "-o", "digits.o"],
        ["clang++-22", "-std=c++11", "-Wall", "-Wextra", "-pedantic", "-Werror", f"-I{made}", "-c", "main.cpp"],
        ["clang++-22", "main.o", "digits.o", "-lm", "-o", "main"],
        ["./main"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True)


def test_loops_along_rows(tmp_path: pathlib.Path) -> None:
    """Whichever loop is innermost, integers are the same; with rows too short for vectors it is the sum."""
    model = random_network(7)
    executable = acc.compile(model)
    inputs = draw(executable)
    expected = executable.run(inputs)
    texts = []
    for lanes in ("0", "1", "8"):
        made = write_source(model, tmp_path, f"lanes{lanes}", ["--option", f"lanes={lanes}"])
        texts.append(next(made.glob("*.c")).read_text().replace(f"lanes{lanes}", "m"))
        for name, got in Source(made, executable).run(inputs).items():
            np.testing.assert_array_equal(got, expected[name])
    assert texts[0] != texts[1]


def _arrays(values: Any) -> list[np.ndarray]:
    return [numpy_helper.to_array(item) if isinstance(item, TensorProto) else np.asarray(item) for item in values]


def _text(value: np.ndarray) -> str:
    return ",".join(repr(item) for item in np.asarray(value).ravel().tolist())


def check_node(case: Any, folder: pathlib.Path) -> bool:
    """Whether a test of a single operator of the onnx package could be compiled to C, which is right then."""
    model = case.model
    if not case.data_sets or any(not value.type.HasField("tensor_type") for value in model.graph.input):
        return False
    given = dict(zip([value.name for value in model.graph.input], _arrays(case.data_sets[0][0]), strict=False))
    options: list[str] = []
    try:
        try:
            executable = acc.compile(model)
        except NeedsValue as needs:
            values = {name: given[name] for name in needs.inputs}
            if any(value.dtype.kind not in "if" or value.size == 0 for value in values.values()):
                return False
            executable = acc.compile(model, values=values)
            for name, value in values.items():
                options += ["--value", f"{name}={_text(value)}"]
    except AccError:
        return False
    infos = (*executable.inputs, *executable.outputs)
    # Sizes that are open, and elements that C does not have, are refused, which other tests look at.
    if any(info.fixed_shape is None or re.match(r"float[468]_|u?int[24]$", info.dtype) for info in infos):
        return False
    made = write_source(model, folder, options=options)
    inputs = {info.name: given[info.name] for info in executable.inputs}
    got = Source(made, executable, "gcc" if "gcc" in COMPILERS else COMPILERS[0]).run(inputs)
    for name, expected in executable.run(inputs).items():
        assert_near(got[name], np.asarray(expected), case.name)
    return True


def test_operators(node_cases: list[Any], tmp_path: pathlib.Path, request: pytest.FixtureRequest) -> None:
    """A sample of the tests of single operators of the onnx package; all of them in the long run."""
    step = 1 if request.config.getoption("--run-long") else 90
    done = 0
    for number, case in enumerate(node_cases[::step]):
        (folder := tmp_path / str(number)).mkdir()
        done += check_node(case, folder)
    assert done > len(node_cases) / step * 0.7


@pytest.mark.parametrize("name", NAMES)
def test_light_models(name: str, tmp_path: pathlib.Path, request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--run-long"):
        pytest.skip("takes long: --run-long")
    made = tmp_path / "c"
    assert main(["compile", str(LIGHT / f"light_{name}.onnx"), "--target", "c", "-o", str(made)]) == 0
    executable = acc.compile(LIGHT / f"light_{name}.onnx")
    inputs = {info.name: ramp(info.shape) for info in executable.inputs}
    got = Source(made, executable, "gcc", ["-O2"]).run(inputs)
    for output, expected in executable.run(inputs).items():
        np.testing.assert_allclose(got[output], expected, rtol=1e-3, atol=1e-7)


def one_node(
    operator: str, inputs: dict[str, tuple[int, list[Any]]], outputs: dict[str, tuple[int, Any]], **attributes
):
    def infos(values):
        return [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in values.items()]

    node = helper.make_node(operator, list(inputs), list(outputs), name="the_node", **attributes)
    graph = helper.make_graph([node], "g", infos(inputs), infos(outputs))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def refusal(model: onnx.ModelProto, folder: pathlib.Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """What the command line says of a model that cannot be C; nothing is written."""
    onnx.save(model, folder / "m.onnx")
    assert main(["compile", str(folder / "m.onnx"), "--target", "c", "-o", str(folder / "made"), *options]) == 2
    assert not (folder / "made").exists() and not list(folder.glob(".made*"))
    said = capsys.readouterr().err
    assert said.startswith("acc: error: ") and "Traceback" not in said and "fault of acc" not in said
    return said


def test_sizes_that_only_a_run_knows(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    f32, i64 = TensorProto.FLOAT, TensorProto.INT64
    said = refusal(one_node("Relu", {"x": (f32, ["n", 3])}, {"y": (f32, ["n", 3])}), tmp_path, capsys)
    assert "'x'" in said and "--shape" in said
    said = refusal(one_node("NonZero", {"x": (f32, [4])}, {"y": (i64, [1, "k"])}), tmp_path, capsys)
    assert "'the_node'" in said


def test_elements_that_c_does_not_have(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = (TensorProto.FLOAT, TensorProto.FLOAT8E5M2)
    model = one_node("Cast", {"x": (kinds[0], [4])}, {"y": (kinds[1], [4])}, to=kinds[1])
    said = refusal(model, tmp_path, capsys)
    assert "output 'y'" in said and "'the_node'" in said and "float8_e5m2" in said


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--cpu", "x86-64"], "--cpu"),
        (["--verify"], "--verify"),
        (["--target", "c,vta"], "leave out 'vta'"),
        (["--option", "lanes=many"], "lanes=many"),
        (["--option", "lanes=-1"], "lanes=-1"),
    ],
)
def test_options_that_say_nothing(
    options: list[str], reason: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reason in refusal(onnx.load(DIGITS), tmp_path, capsys, *options)


def test_other_commands_want_no_source(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(acc.CompileError, match="makes source"):
        acc.compile(DIGITS, target="c")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    assert main(["compile", str(DIGITS), "--target", "c", "-o", str(tmp_path / "full")]) == 2
    assert "not an empty folder" in capsys.readouterr().err


def test_names(tmp_path: pathlib.Path) -> None:
    """Names of nodes, tensors and files that mean something in C, or end comments."""
    f32 = TensorProto.FLOAT
    nodes = [
        helper.make_node("Exp", ["int"], ["a b"], name="exp"),
        helper.make_node("Neg", ["a b"], ["a_b"], name="*/ int x; /*"),
        helper.make_node("Softmax", ["a_b"], ["A.B"], name="run"),
    ]
    infos = [helper.make_tensor_value_info(name, f32, [3]) for name in ("int", "a_b", "A.B")]
    model = helper.make_model(
        helper.make_graph(nodes, "g", infos[:1], infos[1:]),
        opset_imports=[helper.make_opsetid("", 21)],
        ir_version=10,
    )
    executable = acc.compile(model)
    inputs = {"int": np.array([1, 2, 3], np.float32)}
    got = Source(write_source(model, tmp_path, "1 while (ü)"), executable).run(inputs)
    for name, expected in executable.run(inputs).items():
        assert_near(got[name], expected)


def test_constants_are_exact(tmp_path: pathlib.Path) -> None:
    numbers = {
        "f": np.array([np.inf, -np.inf, np.nan, -0.0, 1e-45, 3.4028235e38, 0.1], np.float32),
        "d": np.array([np.inf, 5e-324, 0.1, -0.0], np.float64),
        "i": np.array([-(2**63), 2**63 - 1, 0], np.int64),
        "j": np.array([-(2**31), 2**31 - 1], np.int32),
        "u": np.array([2**64 - 1, 2**63], np.uint64),
        "h": np.array([65504, 6e-8, -np.inf], np.float16),
        "b": np.array([True, False]),
    }
    # One of each that is no constant, so that something is computed.
    nodes = [helper.make_node("Concat", [f"x{name}", name], [f"y{name}"], axis=0) for name in numbers]
    kinds = {name: helper.np_dtype_to_tensor_dtype(value.dtype) for name, value in numbers.items()}
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info(f"x{name}", kinds[name], [1]) for name in numbers],
            [
                helper.make_tensor_value_info(f"y{name}", kinds[name], [1 + value.size])
                for name, value in numbers.items()
            ],
            [numpy_helper.from_array(value, name) for name, value in numbers.items()],
        ),
        opset_imports=[helper.make_opsetid("", 21)],
        ir_version=10,
    )
    executable = acc.compile(model)
    inputs = {f"x{name}": value[-1:] for name, value in numbers.items()}
    for compiler in COMPILERS:
        folder = tmp_path / compiler
        folder.mkdir()
        got = Source(write_source(model, folder), executable, compiler).run(inputs)
        for name, value in numbers.items():
            np.testing.assert_array_equal(got[f"y{name}"], np.concatenate([value[-1:], value]))


@pytest.mark.skipif(
    not all(map(shutil.which, ("riscv64-unknown-elf-gcc", "qemu-system-riscv32", "qemu-system-riscv64"))),
    reason="the packages that examples/bare_metal/README.md names are not installed",
)
@pytest.mark.parametrize("processor", BARE_PROCESSORS)
def test_without_an_operating_system(processor: str, tmp_path: pathlib.Path) -> None:
    """Integers have the same bits on a processor of 32 bits without floats, and with floats and 64."""
    for seed, model in {3: random_network(3), 4: random_network(4), 5: onnx.load(DIGITS)}.items():
        executable = acc.compile(model)
        inputs = draw(executable, seed)
        got = run_bare(write_source(model, tmp_path, f"m{seed}"), executable, inputs, processor)
        for name, expected in executable.run(inputs).items():
            if seed == 5:
                assert_near(got[name], expected)
            else:
                np.testing.assert_array_equal(got[name], expected)


def test_example(tmp_path: pathlib.Path) -> None:
    """The Makefile of the example, with the compiler of this machine."""
    folder = tmp_path / "plain_c"
    shutil.copytree(ROOT / "examples" / "plain_c", folder)
    environment = {"PATH": f"{ROOT / '.venv' / 'bin'}:/usr/bin:/bin", "PYTHONPATH": str(ROOT / "python")}
    done = subprocess.run(
        ["make", f"MODEL={DIGITS}", "run"], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\d: -?\d+\.\d+$", done.stdout, re.MULTILINE)
