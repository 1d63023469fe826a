"""Models compiled with guards (ACC_GUARD=1) find writes outside of buffers and rows, and compute the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import acc
import handmade
from acc import ir
from acc.compiler import compile_contents
from acc.container import ModelContents, TensorInfo, read_model
from acc.executable import Executable
from acc.passmanager import PassManager
from acc.targets.cpu import CpuOptions, stages
from qdq_zoo import inverted_residuals
from test_quantized_zoo import feeds

GUARDED = CpuOptions(guard=True)


def load_buffers(text: str, inputs: list[TensorInfo], outputs: list[TensorInfo]) -> Executable:
    """A module on buffers, with guards, whose first kernel stands for the ONNX node "Conv_7"."""
    module = ir.Module.parse(text, ir.Context())
    pm = PassManager("builtin.module", module.context)
    stages.make_llvm(pm, GUARDED)
    pm.run(module)
    constants = stages.constants(module)
    return Executable.from_contents(
        ModelContents(
            image=stages.make_image(module, GUARDED),
            inputs=inputs,
            outputs=outputs,
            constants=constants,
            workspace_bytes=stages.workspace_bytes(module),
            guard_bytes=GUARDED.guard_bytes,
            metadata={"layers": [{"layers": ["Conv_7"], "kernel": "k"}, {"layers": ["Relu_8"], "kernel": "l"}]},
        )
    )


def writer(size: str, target: str = "y", scratch: str = "") -> str:
    """A kernel that writes one byte wherever its input says: to what it gets as %y, as %x or to its %s."""
    return f"""
te.kernel @k(%i: memref<1xi64>, %x: memref<{size}xi8>, %y: memref<{size}xi8>) attributes {{target = #te.host}} {{
  %c0 = arith.constant 0 : index
  %at = memref.load %i[%c0] : memref<1xi64>
  %j = arith.index_cast %at : i64 to index
  %v = arith.constant 7 : i8
  {scratch}
  memref.store %v, %{target}[%j] : memref<{size}xi8>
  te.return
}}
te.kernel @l(%x: memref<{size}xi8>, %y: memref<{size}xi8>) attributes {{target = #te.host}} {{
  linalg.copy ins(%x : memref<{size}xi8>) outs(%y : memref<{size}xi8>)
  te.return
}}"""


AT = TensorInfo("at", "int64", (1,))
FIXED = [AT, TensorInfo("x", "int8", (70,))], [TensorInfo("y", "int8", (70,))]
ARGUMENTS = "%i: memref<1xi64>, %x: memref<70xi8>, %y: memref<70xi8> {cpu.output = 0 : i64}"
LAUNCH = "te.launch @{} ins(%i, %{} : memref<1xi64>, memref<70xi8>) outs(%{} : memref<70xi8>)"
COPY = "te.launch @l ins(%{} : memref<70xi8>) outs(%{} : memref<70xi8>)"

OUTPUT = f"{writer('70')} func.func @main({ARGUMENTS}) {{ {LAUNCH.format('k', 'x', 'y')} return }}"
READ = f"{writer('70', 'x')} func.func @main({ARGUMENTS}) {{ {LAUNCH.format('k', 'x', 'y')} return }}"
BETWEEN = f"""{writer("70")} func.func @main({ARGUMENTS}) {{
  %s = memref.alloc() : memref<70xi8>
  {COPY.format("x", "s")}
  %t = memref.alloc() : memref<70xi8>
  {LAUNCH.format("k", "s", "t")}
  {COPY.format("t", "y")}
  return
}}"""
SCRATCH = f"""{writer("70", "s", "%s = memref.alloc() : memref<70xi8> %r = memref.alloc() : memref<70xi8>")}
func.func @main({ARGUMENTS}) {{ {LAUNCH.format("k", "x", "y")} return }}"""
SLICE = f"""{writer("70")}
func.func @main(%i: memref<1xi64>, %x: memref<70xi8>, %y: memref<210xi8> {{cpu.output = 0 : i64}}) {{
  %s = memref.subview %y[70] [70] [1] : memref<210xi8> to memref<70xi8, strided<[1], offset: 70>>
  te.launch @k ins(%i, %x : memref<1xi64>, memref<70xi8>) outs(%s : memref<70xi8, strided<[1], offset: 70>>)
  return
}}"""
CONSTANT = f"""{writer("70", "x")} func.func @main(%i: memref<1xi64>,
    %x: memref<70xi8> {{cpu.constant = dense<1> : tensor<70xi8>}}, %y: memref<70xi8> {{cpu.output = 0 : i64}}) {{
  {LAUNCH.format("k", "x", "y")}
  return
}}"""
OPEN = f"""{writer("?")}
func.func @main(%i: memref<1xi64>, %x: memref<?xi8>) -> (memref<?xi8> {{cpu.output = 0 : i64}}) {{
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xi8>
  %t = memref.alloc(%n) : memref<?xi8>
  te.launch @k ins(%i, %x : memref<1xi64>, memref<?xi8>) outs(%t : memref<?xi8>)
  %y = memref.alloc(%n) : memref<?xi8>
  te.launch @l ins(%t : memref<?xi8>) outs(%y : memref<?xi8>)
  return %y : memref<?xi8>
}}"""
SLICED = FIXED[0], [TensorInfo("y", "int8", (210,))]
CONSTANTS = [AT], FIXED[1]
OPENED = [AT, TensorInfo("x", "int8", ("n",))], [TensorInfo("y", "int8", ("n",))]


def run_at(executable: Executable, at: int) -> dict[str, np.ndarray]:
    arrays = {info.name: np.ones(70, np.int8) for info in executable.inputs if info.name != "at"}
    return executable.run({"at": np.array([at]), **arrays})


@pytest.mark.parametrize(
    ("text", "tensors", "at", "message"),
    [
        (OUTPUT, FIXED, 70, r"wrote 1 byte past the end of result 0 \(i8 \[70\]\), which has 70 bytes"),
        (OUTPUT, FIXED, 133, "wrote 64 bytes past the end of result 0"),
        (OUTPUT, FIXED, -3, "wrote 3 bytes before the start of result 0"),
        (READ, FIXED, 10, r"changed operand 1 \(i8 \[70\]\)"),
        (READ, FIXED, 75, "wrote 6 bytes past the end of operand 1"),
        (SCRATCH, FIXED, 70, "wrote 1 byte past the end of scratch buffer 0, which has 70 bytes"),
        (SLICE, SLICED, 70, "wrote outside of its part of result 0"),
        (SLICE, SLICED, -1, "wrote outside of its part of result 0"),
        (SLICE, SLICED, 141, "wrote 2 bytes past the end of result 0.*which has 210 bytes"),
        (CONSTANT, CONSTANTS, 4, "changed operand 1"),
        (CONSTANT, CONSTANTS, 70, "wrote 1 byte past the end of operand 1"),
        (OPEN, OPENED, 70, r"wrote 1 byte past the end of result 0 \(i8 \[\?\]\), which has 70 bytes"),
        (OPEN, OPENED, -64, "wrote 64 bytes before the start of result 0"),
    ],
)
def test_what_a_kernel_must_not_write(text: str, tensors, at: int, message: str) -> None:
    expected = pytest.raises(acc.RunError, match=f"kernel 'Conv_7' {message}")
    with load_buffers(text, *tensors) as executable, expected:
        run_at(executable, at)


@pytest.mark.parametrize(
    ("text", "tensors"), [(OUTPUT, FIXED), (BETWEEN, FIXED), (SCRATCH, FIXED), (SLICE, SLICED), (OPEN, OPENED)]
)
@pytest.mark.parametrize("at", [0, 5, 69])
def test_what_a_kernel_may_write(text: str, tensors, at: int) -> None:
    with load_buffers(text, *tensors) as executable:
        y = run_at(executable, at)["y"]
        if text in (OUTPUT, BETWEEN, OPEN):
            assert y[at] == 7
        if text is SLICE:
            assert y[70 + at] == 7


def test_the_kernel_that_did_it_is_named() -> None:
    """The second of three launches, on intermediate buffers that lie side by side."""
    with (
        load_buffers(BETWEEN, *FIXED) as executable,
        pytest.raises(acc.RunError, match="kernel 'Relu_8' wrote 1 byte past the end of result 0"),
    ):
        run_at(executable, 70)


ROWS = """
#include "acc/runtime.h"

int32_t acc_model_main(const acc_host_api *api, void *ctx, void *const *inputs, void *const *outputs,
                       void *const *constants, void *workspace) {
  char *y = outputs[0], *end = y + 10;
  const long *wide = inputs[0];
  api->layer(ctx, 0);
  api->guard(ctx, "result 0", y, 70, y, 70);
  api->check(ctx, 0);
  api->row(ctx, end, 0);
  for (long i = 0; i < *wide; ++i)
    end[i - 1] = 99;
  api->row(ctx, end, 1);
  return api->check(ctx, 1);
}
"""


def test_a_store_that_is_too_wide() -> None:
    contents = ModelContents(
        image=handmade.build(ROWS),
        inputs=[AT],
        outputs=FIXED[1],
        guard_bytes=64,
        metadata={"layers": [{"layers": ["Conv_7", "Relu_8"], "kernel": "k"}]},
    )
    with Executable.from_contents(contents) as executable:
        executable.run({"at": np.array([1])})
        message = r"kernel 'Conv_7 \+ Relu_8' wrote 3 bytes past the end of a row of result 0, at byte 10"
        with pytest.raises(acc.RunError, match=message):
            executable.run({"at": np.array([4])})
        executable.run({"at": np.array([1])})


def test_without_guards_nothing_is_different(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = []
    for value in (None, "0", "1"):
        monkeypatch.delenv("ACC_GUARD", raising=False)
        if value:
            monkeypatch.setenv("ACC_GUARD", value)
        with acc.compile(inverted_residuals(1)) as executable:
            executable.save(tmp_path / "m.so")
        files.append((tmp_path / "m.so").read_bytes())
        assert read_model(tmp_path / "m.so").metadata.get("guard_bytes") == (64 if value == "1" else None)
    assert files[0] == files[1] != files[2]
    assert b"scratch buffer" not in files[0] and b"result 0" not in files[0]


@pytest.mark.parametrize("target", ["cpu", "vta"])
@pytest.mark.parametrize("seed", range(2))
def test_results_are_the_same(seed: int, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = inverted_residuals(seed)
    results = []
    for value in ("0", "1"):
        monkeypatch.setenv("ACC_GUARD", value)
        results.append(acc.compile(model, target=target).run(feeds(model, seed)))
    for name, array in results[0].items():
        np.testing.assert_array_equal(results[1][name], array)


def test_open_sizes_are_guarded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, i = (onnx.helper.make_tensor_value_info(n, t, s) for n, t, s in
               (("x", 1, ["n", 7]), ("y", 1, ["n", 7]), ("i", 7, [2, "k"])))  # fmt: skip
    nodes = [onnx.helper.make_node("Softmax", ["x"], ["y"]), onnx.helper.make_node("NonZero", ["y"], ["i"])]
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [x], [y, i]))
    monkeypatch.setenv("ACC_GUARD", "1")
    with acc.compile(model) as executable:
        for rows in (3, 0, 1, 5):
            result = executable.run({"x": np.ones((rows, 7), np.float32)})
            np.testing.assert_allclose(result["y"], np.full((rows, 7), 1 / 7), rtol=1e-6)
            np.testing.assert_array_equal(result["i"], np.argwhere(result["y"]).T)


@pytest.mark.parametrize("value", ["2", "yes", " 1"])
def test_a_value_that_means_nothing(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = inverted_residuals(0)
    monkeypatch.setenv("ACC_GUARD", value)
    with pytest.raises(acc.CompileError, match=f"ACC_GUARD is '{value}' in the environment: 1 compiles"):
        compile_contents(model)
    onnx.save(model, tmp_path / "m.onnx")
    command = [sys.executable, "-m", "acc", "compile", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "m.so")]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 2 and "ACC_GUARD" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "m.so").exists()


def test_metadata_with_too_few_guard_bytes(tmp_path: Path) -> None:
    contents = ModelContents(image=handmade.build(ROWS), inputs=[AT], outputs=FIXED[1], guard_bytes=8)
    with pytest.raises(acc.ModelFileError, match="'guard_bytes' is less than 64"):
        Executable.from_contents(contents)
