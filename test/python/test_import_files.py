"""Files that are not what they should be, and weights beside the model."""

from __future__ import annotations

import contextlib
import os
import pathlib
import time

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

import acc
from acc.frontend.source import load_model
from graph_as_onnx import main_function, make_model, node_model, run, to_onnx

LIGHT = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
X = np.ones((2, 3), np.float32)
WEIGHTS = np.arange(24, dtype=np.float32).reshape(3, 8)


@pytest.mark.parametrize("path", sorted(LIGHT.glob("light_*.onnx")), ids=lambda path: path.stem)
def test_light_models(path: pathlib.Path) -> None:
    """Their weights are splats of up to 400 MB, none of which may be materialized."""
    start = time.monotonic()
    module = acc.import_onnx(path)
    assert time.monotonic() - start < 10
    assert len(str(module)) < 300_000
    assert main_function(module).attributes["sym_name"].value == "main"


def external_model(folder: pathlib.Path, location: str, **entries: int) -> pathlib.Path:
    model = node_model("MatMul", {"x": X}, {"w": WEIGHTS})
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_external_data(tmp_path: pathlib.Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "weights.bin").write_bytes(b"\0" * 5 + WEIGHTS.tobytes() + b"rest")
    module = acc.import_onnx(external_model(tmp_path, "sub/weights.bin", offset=5, length=96))
    (result,) = run(to_onnx(module), {"x": X}).values()
    np.testing.assert_array_equal(result, X @ WEIGHTS)


@pytest.mark.parametrize(
    ("location", "entries", "reason"),
    [
        ("../weights.bin", {}, "outside of the model's folder: '../weights.bin'"),
        ("sub/../../weights.bin", {}, "outside of the model's folder"),
        ("..\\weights.bin", {}, "outside of the model's folder"),
        ("C:\\weights.bin", {}, "outside of the model's folder"),
        ("{absolute}", {}, "outside of the model's folder"),
        ("link.bin", {}, "behind the symbolic link 'link.bin'"),
        ("linked/weights.bin", {}, "behind the symbolic link 'linked/weights.bin'"),
        ("missing.bin", {}, "'missing.bin', which is missing"),
        ("", {}, "without a location"),
        ("a\0b", {}, "without a location"),
        ("sub", {}, "not a file"),
        ("pipe", {}, "not a file"),
        ("weights.bin", {"offset": 4}, "needs 96 bytes at offset 4 of 'weights.bin', which has 96"),
        ("weights.bin", {"offset": -4}, "negative offset"),
        ("weights.bin", {"offset": 1 << 70}, "needs 96 bytes at offset"),
        ("weights.bin", {"length": 92}, "has 92 external bytes but its shape [3, 8] of float32 needs 96"),
        ("weights.bin", {"length": "many"}, "malformed offset or length"),
    ],
)
def test_external_data_is_confined(tmp_path: pathlib.Path, location: str, entries: dict[str, int], reason: str) -> None:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    for place in (tmp_path, folder):
        (place / "weights.bin").write_bytes(WEIGHTS.tobytes())
    (folder / "link.bin").symlink_to(folder / "weights.bin")
    (folder / "linked").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    location = location.format(absolute=folder / "weights.bin")
    with pytest.raises(acc.ModelError) as error:
        acc.import_onnx(external_model(folder, location, **entries))
    assert reason in str(error.value)
    assert "initializer 'w'" in str(error.value)


def test_external_data_needs_a_path(tmp_path: pathlib.Path) -> None:
    model = onnx.load(external_model(tmp_path, "weights.bin"), load_external_data=False)
    with pytest.raises(acc.ModelError, match="import the path, not a ModelProto"):
        acc.import_onnx(model)


def test_not_a_model(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "model.onnx"
    with pytest.raises(acc.ModelError, match=r"model\.onnx: cannot be read: No such file"):
        acc.import_onnx(path)
    with pytest.raises(acc.ModelError, match="not a file"):
        acc.import_onnx(tmp_path)
    for data, reason in [
        (b"", "the file is empty"),
        (b"\x7fELF" + bytes(100), "not an ONNX model"),
        (b"Lorem ipsum dolor sit amet." * 20, "not an ONNX model"),
        (onnx.ModelProto(ir_version=8).SerializeToString(), "it has no graph"),
    ]:
        path.write_bytes(data)
        with pytest.raises(acc.ModelError, match=reason):
            acc.import_onnx(path)
    with path.open("wb") as stream:
        stream.truncate(1 << 32)
    with pytest.raises(acc.ModelError, match="larger than 2 GiB"):
        acc.import_onnx(path)
    with pytest.raises(acc.ModelError, match="not int"):
        acc.import_onnx(3)  # pyright: ignore[reportArgumentType]


SMALL = (LIGHT / "light_bvlc_alexnet.onnx").read_bytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, ml_dtypes.int4])
def test_weights_in_the_file(tmp_path: pathlib.Path, dtype: type) -> None:
    """Large weights are read from the file itself; parsed with it, they are the same."""
    rng = np.random.default_rng(3)
    weights = {name: rng.integers(-8, 8, (100, size)).astype(dtype) for name, size in (("w", 300), ("v", 3))}
    scale = {"s": np.float32(0.5)}
    nodes = []
    for name in weights:
        to = "c" + name
        if dtype in (np.float32, np.float16):
            nodes.append(helper.make_node("Cast", [name], [to], to=TensorProto.FLOAT))
        else:
            nodes.append(helper.make_node("DequantizeLinear", [name, "s"], [to]))
        nodes.append(helper.make_node("MatMul", ["x", to], ["y" + name]))
    x = np.ones((2, 100), np.float32)
    model = make_model(nodes, {"x": x}, weights | scale, ["yw", "yv"])
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    loaded, storage = load_model(path)
    assert len(loaded.SerializeToString()) < 4000
    assert list(storage.detached) == ["w"]
    for result in (acc.import_onnx(path), acc.import_onnx(model)):
        for name, array in run(to_onnx(result), {"x": x}).items():
            expected = weights[name[1:]].astype(np.float32).sum(0)
            np.testing.assert_array_equal(array[0], expected if dtype in (np.float32, np.float16) else expected / 2)


@given(st.integers(0, len(SMALL) - 1))
@settings(max_examples=40, deadline=None)
def test_truncated(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = tmp_path_factory.mktemp("truncated") / "model.onnx"
    path.write_bytes(SMALL[:length])
    with pytest.raises(acc.ModelError):
        acc.import_onnx(path)


QDQ = helper.make_model(
    helper.make_graph(
        [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], axis=0),
            helper.make_node("MaxPool", ["d"], ["p"], kernel_shape=[2], strides=[2], ceil_mode=1),
            helper.make_node("Conv", ["p", "w"], ["c"], pads=[1, 1], dilations=[1]),
            helper.make_node("Pad", ["c", "pads"], ["e"]),
            helper.make_node("Reshape", ["e", "shape"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            helper.make_tensor("s", TensorProto.FLOAT, [], [0.5]),
            helper.make_tensor("z", TensorProto.INT8, [], [3]),
            helper.make_tensor("w", TensorProto.FLOAT, [2, 2, 3], list(range(12))),
            helper.make_tensor("pads", TensorProto.INT64, [6], [0, 0, 1, 0, 0, 1]),
            helper.make_tensor("shape", TensorProto.INT64, [2], [-1, 2]),
        ],
    ),
    opset_imports=[helper.make_opsetid("", 21)],
).SerializeToString()


@given(st.lists(st.tuples(st.integers(0, len(QDQ) - 1), st.integers(0, 255)), min_size=1, max_size=6))
@settings(max_examples=300, deadline=None)
def test_corrupted(changes: list[tuple[int, int]]) -> None:
    """Whatever bytes change, the model is imported or refused with a ModelError."""
    data = bytearray(QDQ)
    for position, value in changes:
        data[position] = value
    model = onnx.ModelProto()
    try:
        model.ParseFromString(bytes(data))
    except Exception:
        return
    with contextlib.suppress(acc.ModelError):
        acc.import_onnx(model)
