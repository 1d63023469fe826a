"""acc behind the interface of the onnx package: that package's own tests, and what the interface adds."""

from __future__ import annotations

import pathlib

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import acc
import onnx_conformance
from acc import onnx_backend
from acc.cli import main

X = np.arange(12, dtype=np.float32).reshape(3, 4)


def reshape_model() -> onnx.ModelProto:
    """Reshape with a run-time input for the shape."""
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 4]),
        helper.make_tensor_value_info("shape", TensorProto.INT64, [2]),
    ]
    graph = helper.make_graph(
        [helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0]), helper.make_node("Reshape", ["t", "shape"], ["y"])],
        "reshape",
        inputs,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])


def test_backend_tests_of_onnx() -> None:
    """Every case passes, or is refused or differs as listed; `make conformance UPDATE=1` writes the list anew."""
    outcomes = onnx_conformance.run_all()
    listed = onnx_conformance.read_list()
    assert set(listed) <= {outcome.name for outcome in outcomes}
    assert not onnx_conformance.deviations(outcomes, listed)


def _check_open_sizes(one_in: int) -> None:
    outcomes = onnx_conformance.run_all("^(?!light)", opens=True, one_in=one_in)
    assert not onnx_conformance.deviations(outcomes, onnx_conformance.read_list(opens=True))


@pytest.mark.long
def test_some_backend_tests_of_onnx_with_open_sizes() -> None:
    _check_open_sizes(30)


@pytest.mark.long
def test_backend_tests_of_onnx_with_open_sizes() -> None:
    """Every case passes with all sizes open, or wants sizes as listed; `make conformance OPEN=1` has the same."""
    _check_open_sizes(1)


def test_a_crash_and_a_hang_cost_one_case_each() -> None:
    class Suite:
        """Stands for the cases of onnx."""

        def run(self, name: str) -> onnx_conformance.Outcome:
            import os

            if name == "crash":
                os.write(2, b"LLVM ERROR: out of registers\n")
                os.abort()
            if name == "hang":
                while True:
                    pass
            return onnx_conformance.Outcome(name, "passed")

    names = ["a", "crash", "b", "hang", "c"]
    outcomes = list(onnx_conformance.run_cases(Suite(), names, jobs=2, time_limit=1))  # pyright: ignore
    kinds = {outcome.name: (outcome.kind, outcome.reason) for outcome in outcomes}
    assert kinds == {
        "a": ("passed", ""),
        "b": ("passed", ""),
        "c": ("passed", ""),
        "crash": ("crash", "SIGABRT: LLVM ERROR: out of registers"),
        "hang": ("hang", "not done after 1 s"),
    }


def test_deviations() -> None:
    outcomes = [
        onnx_conformance.Outcome("node/test_a", "passed"),
        onnx_conformance.Outcome("node/test_b", "refused", "no"),
        onnx_conformance.Outcome("node/test_c", "wrong", "1 is not 2"),
    ]
    assert onnx_conformance.deviations(outcomes[:2], {"node/test_b": "refused: no"}) == []
    assert onnx_conformance.deviations(outcomes, {"node/test_a": "refused: no", "node/test_c": "refused: no"}) == [
        "node/test_a: passes, but is listed",
        "node/test_b: refused: no",
        "node/test_c: wrong: 1 is not 2",
    ]
    assert onnx_conformance.deviations(outcomes[1:2], {"node/test_b": "refused: never"}) == [
        "node/test_b: refused: no; listed is: refused: never"
    ]


def test_run_node() -> None:
    node = helper.make_node("Add", ["a", "b"], ["c"])
    (result,) = onnx_backend.run_node(node, [X, X])
    np.testing.assert_array_equal(result, X + X)
    (result,) = onnx_backend.run_node(helper.make_node("Add", ["a", "a"], ["c"]), [X], opset_version=13)
    np.testing.assert_array_equal(result, X + X)
    with pytest.raises(acc.RunError, match="reads 2 inputs, but 1 arrays"):
        onnx_backend.run_node(node, [X])


def test_values_are_compiled_in_at_the_first_run() -> None:
    model = reshape_model()
    prepared = onnx_backend.prepare(model)
    if prepared.executable is None:
        assert prepared.specialized.compiled_in == ("shape",)
    for shape in ([2, 6], [6, 2], [2, 6]):
        (result,) = prepared.run([X, np.array(shape)])
        np.testing.assert_array_equal(result, X.T.reshape(shape))
    (result,) = prepared.run({"x": X, "shape": np.array([12, 1])})
    assert result.shape == (12, 1)
    (result,) = onnx_backend.prepare(model, values={"shape": [4, 3]}).run([X])
    np.testing.assert_array_equal(result, X.T)


def test_sizes_that_nobody_knows_are_compiled_in_at_the_first_run() -> None:
    model = reshape_model()
    del model.graph.input[0].type.tensor_type.shape.dim[:]
    model.graph.input[0].type.tensor_type.ClearField("shape")
    prepared = onnx_backend.prepare(model)
    (result,) = prepared.run([X, np.array([3, -1])])
    np.testing.assert_array_equal(result, X.T.reshape(3, 4))


def test_devices() -> None:
    assert onnx_backend.supports_device("CPU")
    assert not onnx_backend.supports_device("CUDA:1")
    with pytest.raises(acc.CompileError, match="no device 'CUDA'"):
        onnx_backend.prepare(reshape_model(), "CUDA")


def test_is_compatible() -> None:
    model = reshape_model()
    assert onnx_backend.is_compatible(model)
    model.graph.node[0].op_type = "NotAnOperator"
    assert not onnx_backend.is_compatible(model)
    with pytest.raises(acc.ModelError, match="NotAnOperator"):
        onnx_backend.prepare(model)


def test_inputs_that_do_not_fit() -> None:
    prepared = onnx_backend.prepare(reshape_model())
    with pytest.raises(acc.RunError, match="has 2 inputs, but 1 arrays are given"):
        prepared.run([X])
    with pytest.raises(acc.RunError, match=r"input 'x' .*is missing"):
        prepared.run({"shape": np.array([2, 6])})


def test_values() -> None:
    model = reshape_model()
    with acc.compile(model, values={"shape": [3, 4]}) as executable:
        assert [info.name for info in executable.inputs] == ["x"]
        np.testing.assert_array_equal(executable.run({"x": X})["y"], X.T.reshape(3, 4))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"z": [1]}, "a value for 'z': the model has no such input; its inputs are 'x', 'shape'"),
        ({"shape": [1, 2, 3]}, r"input 'shape': is declared as \(2\), which the given value of shape \[3\]"),
        ({"shape": [1.5, 2]}, "input 'shape': is int64, which the given value of float64 does not fit"),
        ({"shape": np.array([3, 4], np.int32)}, "input 'shape': is int64, which the given value of int32"),
        ({"shape": "a"}, "input 'shape': is given a value that is not an array|does not fit"),
        ([1], "values are a dictionary by input name, not list"),
    ],
)
def test_values_that_do_not_fit(values: object, reason: str) -> None:
    with pytest.raises(acc.ModelError, match=reason):
        acc.import_onnx(reshape_model(), values=values)  # pyright: ignore


def test_values_on_the_command_line(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, output = tmp_path / "m.onnx", tmp_path / "m.so"
    onnx.save(reshape_model(), model)
    assert main(["compile", str(model), "-o", str(output), "--value", "shape=2,6"]) == 0
    with acc.load(output) as executable:
        assert executable.outputs[0].shape == (2, 6)
    with pytest.raises(SystemExit):
        main(["compile", str(model), "-o", str(output), "--value", "shape=two"])
    assert "is not of the form NAME=V,V,..." in capsys.readouterr().err
    assert main(["info", str(model), "--value", "shape=7,6"]) == 2
