"""Every element type as input, output and initializer, and conversions between all of them."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from acc.cli import main
from acc.dtypes import BY_NAME, BY_ONNX, ElementType

pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered")

TYPES = list(BY_ONNX.values())
FLOATS = [element for element in TYPES if element.kind == "float"]


def every_value(element: ElementType, count: int = 256) -> np.ndarray:
    """All values of types of up to a byte, random bits of others."""
    if element.kind == "bool":
        return np.arange(count) % 3 == 0
    if element.bits <= 8:
        return (np.arange(count) % (1 << element.bits)).astype(np.uint8).view(element.dtype)
    rng = np.random.default_rng(element.onnx)
    return rng.integers(0, 256, count * element.bits // 8, np.uint8).view(element.dtype)


def same(got: np.ndarray, expected: np.ndarray) -> None:
    """Equal bits, but for the payload of NaN."""
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    if BY_NAME[got.dtype.name].kind == "float":
        nan = np.isnan(expected.astype(np.float64))
        np.testing.assert_array_equal(np.isnan(got.astype(np.float64)), nan)
        got, expected = got[~nan], expected[~nan]
    np.testing.assert_array_equal(got.view(np.uint8), expected.view(np.uint8))


def model(
    nodes: list[onnx.NodeProto], inputs: dict[str, ElementType], tensors: list[TensorProto], size: int = 256
) -> onnx.ModelProto:
    infos = [helper.make_tensor_value_info(name, element.onnx, [size]) for name, element in inputs.items()]
    outputs = [helper.make_value_info(name, onnx.TypeProto()) for node in nodes for name in node.output]
    for output in outputs:
        output.type.tensor_type.elem_type = TensorProto.UNDEFINED
    graph = helper.make_graph(nodes, "types", infos, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", onnx.defs.onnx_opset_version())])


@pytest.mark.parametrize("element", TYPES, ids=lambda element: element.name)
def test_moved(element: ElementType) -> None:
    """An input, initializers in both forms and a Constant, each through an operator that moves data."""
    values = every_value(element)
    raw = numpy_helper.from_array(values, "raw")
    assert raw.HasField("raw_data")
    plain = values.astype(np.float64) if element.kind == "float" else values.astype(np.int64)
    finite = np.isfinite(plain)
    if element.name == "float8_e8m0fnu":
        # onnx rounds the least power of two up.
        finite[values.view(np.uint8) == 0] = False
    typed = helper.make_tensor("typed", element.onnx, [int(finite.sum())], plain[finite])
    if element.bits > 8 or element.kind == "bool" or element.bits <= 4:
        assert not typed.HasField("raw_data")
    nodes = [
        helper.make_node("Constant", [], ["c"], value=raw),
        *(helper.make_node("Reshape", [name, "shape"], [f"{name}_out"]) for name in ("x", "raw", "c")),
        helper.make_node("Identity", ["typed"], ["typed_out"]),
    ]
    shape = numpy_helper.from_array(np.array([16, 16]), "shape")
    results = acc.compile(model(nodes, {"x": element}, [raw, typed, shape])).run({"x": values})
    for name in ("x", "raw", "c"):
        same(results[f"{name}_out"], values.reshape(16, 16))
    same(results["typed_out"], values[finite])


def expected_cast(values: np.ndarray, target: ElementType) -> np.ndarray:
    """As ml_dtypes rounds, with the numbers that are too large saturated."""
    source = BY_NAME[values.dtype.name]
    if source.bits <= 8:
        # ml_dtypes does not convert all of its types to each other.
        values = values.astype(np.float64 if source.kind == "float" else np.int64)
    with np.errstate(all="ignore"):
        if target.name.startswith("float8") and "e8m0" not in target.name:
            limits = ml_dtypes.finfo(target.dtype)
            values = np.clip(values.astype(np.float64), float(limits.min), float(limits.max))
        return values.astype(target.dtype)


@pytest.mark.parametrize("source", TYPES, ids=lambda element: element.name)
def test_cast(source: ElementType) -> None:
    """To every type that the values fit; where they do not, ONNX leaves the result open."""
    values = every_value(source)
    targets = [target for target in TYPES if target.name != "float8_e8m0fnu"]
    nodes = [helper.make_node("Cast", ["x"], [target.name], to=target.onnx) for target in targets]
    results = acc.compile(model(nodes, {"x": source}, [])).run({"x": values})
    for target in targets:
        known = np.ones(values.shape, bool)
        if source == target:
            # Nothing is converted, nor saturated.
            same(results[target.name], values)
            continue
        if source.kind == "float" and target.kind in ("int", "uint"):
            wide = values.astype(np.float64)
            low, high = ml_dtypes.iinfo(target.dtype).min, ml_dtypes.iinfo(target.dtype).max
            known = (np.trunc(wide) >= float(low)) & (np.trunc(wide) < float(high))
        if target.bits <= 6 and target.kind == "float":
            known = ~np.isnan(values.astype(np.float64))
        exact = values.astype(np.float64) if target.name == "bfloat16" and source.bits == 64 else values
        if target.name == "bfloat16" and (source.bits == 64 or source.name in ("int32", "uint32")):
            # ml_dtypes rounds twice, by way of float32.
            np.testing.assert_allclose(
                results[target.name].astype(np.float64), exact.astype(np.float64).astype(target.dtype), rtol=2**-7
            )
            continue
        same(results[target.name][known], expected_cast(values, target)[known])


def test_double_is_rounded_once() -> None:
    """Values next to the middle between two floats, which rounding to float32 first would move onto it."""
    for target in (element for element in FLOATS if element.bits <= 16 and "e8m0" not in element.name):
        codes = np.arange(1 << target.bits, dtype=np.uint16 if target.bits > 8 else np.uint8)
        values = codes.view(target.dtype).astype(np.float64)
        values = np.unique(values[np.isfinite(values)])
        middles = (values[1:] + values[:-1]) / 2
        tiny = np.concatenate([np.nextafter(middles, -np.inf), np.nextafter(middles, np.inf)])
        nodes = [helper.make_node("Cast", ["x"], ["y"], to=target.onnx)]
        result = acc.compile(model(nodes, {"x": BY_NAME["float64"]}, [], len(tiny))).run({"x": tiny})["y"]
        np.testing.assert_array_equal(result.astype(np.float64), np.concatenate([values[:-1], values[1:]]))


def test_files_of_types_that_numpy_does_not_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """numpy writes their bytes only; what they are is known from the model."""
    source, binary = tmp_path / "model.onnx", str(tmp_path / "model.so")
    onnx.save(model([helper.make_node("Neg", ["x"], ["y"])], {"x": BY_NAME["bfloat16"]}, [], 4), source)
    np.savez(tmp_path / "in.npz", x=np.array([1, 2, 3, 4], ml_dtypes.bfloat16))
    acc.compile(source).save(binary)
    assert main(["info", binary]) == 0
    assert "x: bfloat16[4]" in capsys.readouterr().out
    assert main(["run", binary, "--input", str(tmp_path / "in.npz")]) == 0
    assert "bfloat16" in capsys.readouterr().out
    assert main(["run", binary, "--input", str(tmp_path / "in.npz"), "-o", str(tmp_path / "out.npz")]) == 0
    result = np.load(tmp_path / "out.npz")["y"].view(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(result.astype(np.float32), [-1, -2, -3, -4])
