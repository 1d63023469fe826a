"""`acc.session`: the same scripts under ONNX Runtime and under acc, and what only acc has to say."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
import acc.session
from acc.container import write_model
from acc.errors import ModelError, ModelFileError, ModelWarning, RunError
from acc.executable import empty_aligned, load
from test_onnx_backend import X, reshape_model

CPU = ["CPUExecutionProvider"]
BOTH = pytest.mark.parametrize("ort", [onnxruntime, acc.session], ids=["onnxruntime", "acc"])


def affine(rows: int | str = 3, columns: int = 5, seed: int = 0) -> tuple[onnx.ModelProto, np.ndarray, np.ndarray]:
    """y = x @ w + b and its largest numbers m: x of float32 [rows, 4]; the model, w and b."""
    rng = np.random.default_rng(seed)
    w, b = rng.normal(0, 1, (4, columns)).astype(np.float32), rng.normal(0, 1, columns).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "w", "b"], ["y"]),
            helper.make_node("ReduceMax", ["y"], ["m"], axes=[1], keepdims=0),
        ],
        "affine",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, 4])],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, columns]),
            helper.make_tensor_value_info("m", TensorProto.FLOAT, [rows]),
        ],
        [numpy_helper.from_array(w, "w"), numpy_helper.from_array(b, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="test")
    onnx.helper.set_model_props(model, {"key": "value"})
    return model, w, b


def drawn(rows: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (rows, 4)).astype(np.float32)


@BOTH
def test_a_script(ort: Any, tmp_path: pathlib.Path) -> None:
    model, w, b = affine("rows")
    onnx.save(model, tmp_path / "m.onnx")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    assert "CPUExecutionProvider" in ort.get_available_providers() and ort.get_device().startswith("CPU")
    for source in (tmp_path / "m.onnx", str(tmp_path / "m.onnx"), model.SerializeToString()):
        session = ort.InferenceSession(source, options, providers=CPU)
        (given,) = session.get_inputs()
        assert (given.name, given.type, given.shape) == ("x", "tensor(float)", ["rows", 4])
        assert [(o.name, o.type, o.shape) for o in session.get_outputs()] == [
            ("y", "tensor(float)", ["rows", 5]),
            ("m", "tensor(float)", ["rows"]),
        ]
        assert session.get_providers() == CPU and not session.get_overridable_initializers()
        meta = session.get_modelmeta()
        assert (meta.producer_name, meta.graph_name) == ("test", "affine")
        assert meta.custom_metadata_map == {"key": "value"}
        for rows in (3, 1, 7):
            x = drawn(rows)
            y, m = session.run(None, {"x": x})
            np.testing.assert_allclose(y, x @ w + b, rtol=1e-5, atol=1e-5)
            (only,) = session.run(["m"], {given.name: x}, ort.RunOptions())
            np.testing.assert_array_equal(only, m)
            swapped = session.run(["m", "y"], {"x": x})
            np.testing.assert_array_equal(swapped[1], y)
    for wrong in (lambda: session.run(["z"], {"x": drawn(2)}), lambda: session.run(None, {})):
        with pytest.raises(Exception, match=r"z|x"):
            wrong()


@BOTH
def test_arrays_of_ones_own(ort: Any) -> None:
    model, w, b = affine(3)
    session = ort.InferenceSession(model.SerializeToString(), providers=CPU)
    x, y, m = drawn(3), empty_aligned((3, 5), np.dtype(np.float32)), np.full(3, -1, np.float32)
    binding = session.io_binding()
    binding.bind_cpu_input("x", x)
    binding.bind_output("y", "cpu", 0, np.float32, y.shape, y.ctypes.data)
    binding.bind_output("m", buffer_ptr=m.ctypes.data, element_type=np.float32, shape=[3])
    for seed in (2, 3):
        np.copyto(x, drawn(3, seed))
        binding.bind_cpu_input("x", x)
        session.run_with_iobinding(binding)
        np.testing.assert_allclose(y, x @ w + b, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(m, y.max(1))
    np.testing.assert_array_equal(binding.copy_outputs_to_cpu()[0], y)
    binding.clear_binding_outputs()
    value = ort.OrtValue.ortvalue_from_shape_and_type([3, 5], np.float32)
    binding.bind_output("m")
    binding.bind_ortvalue_output("y", value)
    binding.bind_input("x", "cpu", 0, np.float32, x.shape, x.ctypes.data)
    session.run_with_iobinding(binding)
    first, second = binding.get_outputs()
    np.testing.assert_array_equal(value.numpy(), y)
    np.testing.assert_array_equal(first.numpy(), m)
    assert second.shape() == [3, 5] and second.data_type() == "tensor(float)" and second.data_ptr() == value.data_ptr()
    again = session.run_with_ort_values(["m"], {"x": ort.OrtValue.ortvalue_from_numpy(x)})
    np.testing.assert_array_equal(again[0].numpy(), m)


def test_types_and_sizes_are_named_alike() -> None:
    """Every element type that both have, with open sizes that have a name, and ones that have none."""
    kinds = [TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.INT8, TensorProto.UINT8]
    kinds += [TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL, TensorProto.UINT16, TensorProto.BFLOAT16]
    graph = helper.make_graph(
        [helper.make_node("Transpose", [f"x{kind}"], [f"y{kind}"]) for kind in kinds],
        "kinds",
        [helper.make_tensor_value_info(f"x{kind}", kind, ["a", None, 3]) for kind in kinds],
        [helper.make_tensor_value_info(f"y{kind}", kind, [3, None, "a"]) for kind in kinds],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    ours, theirs = acc.InferenceSession(model), onnxruntime.InferenceSession(model, providers=CPU)
    for mine, other in zip(ours.get_inputs(), theirs.get_inputs(), strict=True):
        assert (mine.name, mine.type, mine.shape) == (other.name, other.type, other.shape)


def test_models_that_want_values() -> None:
    session = acc.InferenceSession(reshape_model().SerializeToString())
    assert [argument.name for argument in session.get_inputs()] == ["x", "shape"]
    for shape in ([2, 6], [6, 2], [12, 1]):
        y = np.full(shape, -1, np.float32)
        binding = session.io_binding()
        binding.bind_cpu_input("x", X)
        binding.bind_cpu_input("shape", np.array(shape))
        binding.bind_ortvalue_output("y", acc.session.OrtValue(y))
        session.run_with_iobinding(binding)
        np.testing.assert_array_equal(y, X.T.reshape(shape))
    with pytest.raises(RunError, match=r"'shape' .*is missing"):
        session.run(None, {"x": X})


def test_models_that_want_sizes() -> None:
    model = reshape_model()
    model.graph.input[0].type.tensor_type.ClearField("shape")
    session = acc.InferenceSession(model)
    assert [argument.shape for argument in session.get_inputs()] == [[], [2]]
    for shape in ((3, 4), (4, 5), (3, 4)):
        x = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
        (y,) = session.run(["y"], {"x": x, "shape": np.array([2, -1])})
        np.testing.assert_array_equal(y, x.T.reshape(2, -1))


def test_compiled_models(vta: pathlib.Path, cpu: pathlib.Path) -> None:
    import handmade

    session = acc.InferenceSession(vta, device="fsim")
    outputs = dict(zip("yq", session.run(None, {"x": handmade.X, "a": handmade.A}), strict=True))
    expected = load(vta).run({"x": handmade.X, "a": handmade.A})
    assert {info.name for info in session.get_outputs()} == expected.keys()
    np.testing.assert_array_equal(outputs["y"], expected["y"])
    with pytest.raises(RunError, match="'target' is for an ONNX model"):
        acc.InferenceSession(cpu, target="cpu")


def test_results_go_where_they_are_wanted() -> None:
    """Whether code can write there or not: cut, turned, misaligned and shared memory, open sizes."""
    model, _, _ = affine("rows")
    for shapes in ({}, {"x": (3, 4)}):
        exe = acc.compile(model, shapes=shapes)
        x = drawn(3)
        expected = exe.run({"x": x})
        wide, turned, raw = np.zeros((6, 10), np.float32), np.zeros((5, 3), np.float32), np.zeros(64, np.uint8)
        shared = np.zeros(15, np.float32)
        places = [wide[::2, ::2], turned.T, raw[1:61].view(np.float32).reshape(3, 5), shared.reshape(3, 5)]
        for y in places:
            outputs = exe.run({"x": x}, {"y": y})
            assert outputs["y"] is y and outputs["m"] is not y
            np.testing.assert_array_equal(y, expected["y"])
            np.testing.assert_array_equal(outputs["m"], expected["m"])
        assert not wide[1::2].any() and not wide[:, 1::2].any() and not raw[0] and not raw[61:].any()
        # What it reads is written to.
        memory = np.zeros(16, np.float32)
        memory[:12] = x.reshape(-1)
        exe.run({"x": memory[:12].reshape(3, 4)}, {"y": memory[1:16].reshape(3, 5)})
        np.testing.assert_array_equal(memory[1:16].reshape(3, 5), expected["y"])


def test_arrays_that_cannot_hold_results() -> None:
    model, _, _ = affine("rows")
    exe = acc.compile(model)
    x = {"x": drawn(3)}
    y = np.zeros((3, 5), np.float32)
    frozen = y.copy()
    frozen.flags.writeable = False
    for outputs, said in [
        ({"z": y}, "no output 'z': its outputs are 'y'"),
        ({"y": y.astype(np.float64)}, "'y' is float32, but the array is float64"),
        ({"y": y[:, :4]}, r"must have shape \[\?, 5\], but the array has \[3, 4\]"),
        ({"m": np.zeros(3, np.float32), "y": np.zeros((4, 5), np.float32)}, r"has shape \[3, 5\].* has \[4, 5\]"),
        ({"y": frozen}, "cannot be written to"),
        ({"y": y.tolist()}, "must go to an array, not to list"),
        ([y], "dictionary of arrays by name, not list"),
    ]:
        with pytest.raises(RunError, match=said):
            exe.run(x, outputs)  # pyright: ignore[reportArgumentType]
        # Nothing is written unless all of it fits.
        assert not (outputs.get("m", y) if isinstance(outputs, dict) else y).any()


def test_bad_input(tmp_path: pathlib.Path) -> None:
    model, _, _ = affine(3)
    data = model.SerializeToString()
    (tmp_path / "text.onnx").write_text("no model")
    (tmp_path / "cut.so").write_bytes(b"\x7fELF and no more")
    profiled = onnxruntime.SessionOptions()
    profiled.enable_profiling = True
    written = onnxruntime.SessionOptions()
    written.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    for arguments, options, error, said in [
        ((tmp_path / "none.onnx",), {}, ModelError, "none.onnx"),
        ((tmp_path / "text.onnx",), {}, ModelError, "not an ONNX model"),
        ((tmp_path / "cut.so",), {}, ModelFileError, "not a model compiled by acc"),
        ((data[:-7],), {}, ModelError, "not an ONNX model"),
        ((b"",), {}, ModelError, "no graph"),
        ((12,), {}, ModelError, "not int"),
        ((data, profiled), {}, RunError, "acc profile"),
        ((data, written), {}, RunError, "no optimized"),
        ((data,), {"providers": ["CUDAExecutionProvider"]}, RunError, "chosen by target="),
        ((data,), {"nonsense": 1}, acc.CompileError, "no target has an option 'nonsense'"),
        ((data,), {"device": "moon"}, RunError, "moon"),
    ]:
        with pytest.raises(error, match=said):
            acc.InferenceSession(*arguments, **options)
    with pytest.warns(ModelWarning, match="no provider 'CUDAExecutionProvider'"):
        session = acc.InferenceSession(data, providers=[("CUDAExecutionProvider", {}), *CPU])
    x, binding = drawn(3), session.io_binding()
    for wrong, said in [
        (lambda: session.run("y", {"x": x}), "a list, not the text 'y'"),
        (lambda: session.run(None, [x]), "dictionary of arrays"),
        (lambda: session.run(None, {"x": x, "z": x}), "no input 'z'"),
        (lambda: session.run(None, {"x": x.astype(np.float64)}), "must be float32"),
        (lambda: binding.bind_cpu_input("z", x), "no input 'z'"),
        (lambda: binding.bind_output("z"), "no output 'z'"),
        (lambda: binding.bind_output("y", "cuda"), "no memory of a device 'cuda'"),
        (lambda: binding.bind_output("y", buffer_ptr=64), "without an element type"),
        (lambda: binding.bind_output("y", element_type=np.float32, shape=[3, 5], buffer_ptr=0), "address"),
        (lambda: binding.bind_output("y", element_type=99, shape=[3, 5], buffer_ptr=64), "99 is not the number"),
        (lambda: acc.session.OrtValue(x).update_inplace(x[:1]), "the value is float32"),
        (lambda: setattr(acc.session.SessionOptions(), "enable_profiling", True), "enable_profiling"),
    ]:
        with pytest.raises((RunError, AttributeError), match=said):
            wrong()


def test_a_closed_file_may_go(tmp_path: pathlib.Path) -> None:
    model, w, b = affine(3)
    write_model(tmp_path / "m.so", acc.compiler.compile_contents(model).contents)
    session = acc.InferenceSession(str(tmp_path / "m.so"))
    (tmp_path / "m.so").unlink()
    np.testing.assert_allclose(session.run(["y"], {"x": drawn(3)})[0], drawn(3) @ w + b, rtol=1e-5, atol=1e-5)
