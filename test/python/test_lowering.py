"""Operators lowered to linalg compute what ONNX Runtime computes; packed kernels what unpacked ones do."""

from __future__ import annotations

import pathlib
import re

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from acc import ir
from acc.partition import partition
from acc.passmanager import PassManager
from acc.targets.vta import Vta, VtaOptions
from qdq_models import QdqModel, random_network
from upstream_native import run_native

CONFIGS = {
    "default": "#vta.config<log_batch = 0, log_block = 4>",
    "batch2_in8_out16": "#vta.config<log_batch = 1, log_block_in = 3, log_block_out = 4>",
    "in32_out16": "#vta.config<log_batch = 0, log_block_in = 5, log_block_out = 4>",
}


def run_passes(module: ir.Module, passes: str) -> None:
    PassManager.parse(f"builtin.module({passes})", context=module.context).run(module.operation)


def lower(model: onnx.ModelProto, config: str = "", fuse_residual: bool = True) -> ir.Module:
    """Kernels of linalg: for the accelerator described by `config`, for the CPU without."""
    module = acc.import_onnx(model)
    run_passes(module, "canonicalize,func.func(graph-legalize-quantization),canonicalize,cse")
    keys = {key.upper(): int(value) for key, value in re.findall(r"(log_\w+) = (\d+)", config)}
    partition(module, [Vta(VtaOptions(keys, fuse_residual=fuse_residual))] if config else [])
    if config:
        module.operation.attributes["vta.config"] = ir.Attribute.parse(config, module.context)
        run_passes(module, "vta-pack-layout")
    run_passes(module, "graph-outline-kernels,graph-to-linalg,te-hoist-operands")
    return module


class FloatModel:
    """Collects operators on random inputs, every result an output, so that one compilation tests many."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.feeds: dict[str, np.ndarray] = {}

    def input(self, *shape: int) -> str:
        name = f"x{len(self.feeds)}"
        self.feeds[name] = self.rng.normal(size=shape).astype(np.float32)
        return name

    def constant(self, value: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, *shape: int) -> str:
        return self.constant(self.rng.normal(size=shape).astype(np.float32))

    def add(self, op_type: str, *inputs: str, **attributes: object) -> str:
        name = f"{op_type}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, list(inputs), [name], name=name, **attributes))
        return name

    def build(self) -> onnx.ModelProto:
        inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, v.shape) for n, v in self.feeds.items()]
        outputs = [onnx.ValueInfoProto(name=n.output[0]) for n in self.nodes]
        graph = helper.make_graph(self.nodes, "operators", inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


def contractions(m: FloatModel) -> None:
    r = m.rng
    x = m.input(2, 6, 11, 9)
    m.add("Conv", x, m.weight(5, 6, 3, 2), m.weight(5), strides=[2, 1], pads=[1, 0, 2, 1], dilations=[1, 2])
    m.add("Conv", x, m.weight(4, 3, 3, 3), group=2, pads=[1, 1, 1, 1])
    m.add("Conv", x, m.weight(6, 1, 3, 3), m.weight(6), group=6, strides=[2, 2])
    m.add("Conv", x, m.weight(12, 1, 2, 2), group=6)
    m.add("Conv", x, m.weight(7, 6, 1, 1), m.weight(7), strides=[int(r.integers(1, 3))] * 2)
    m.add("Conv", m.input(1, 3, 10), m.weight(4, 3, 3), strides=[2], pads=[1, 1])
    m.add("Conv", m.input(1, 2, 4, 5, 6), m.weight(3, 2, 2, 2, 2), m.weight(3))
    a, b = m.input(3, 5), m.input(5, 4)
    m.add("Gemm", a, b, m.weight(4), alpha=0.5, beta=2.0)
    m.add("Gemm", a, m.weight(4, 5), m.weight(3, 1), transB=1)
    m.add("Gemm", m.weight(5, 3), b, transA=1)
    m.add("MatMul", m.input(2, 1, 3, 5), m.input(4, 5, 2))
    m.add("MatMul", m.input(2, 3, 5), b)
    m.add("MatMul", m.input(5), b)


def pools_and_normalizations(m: FloatModel) -> None:
    x = m.input(2, 5, 11, 8)
    m.add("MaxPool", x, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1], ceil_mode=1)
    m.add("MaxPool", x, kernel_shape=[2, 3], dilations=[2, 2])
    m.add("AveragePool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    m.add("AveragePool", x, kernel_shape=[3, 3], strides=[2, 3], pads=[1, 1, 0, 1], count_include_pad=1)
    m.add("AveragePool", x, kernel_shape=[2, 2], strides=[3, 3], ceil_mode=1)
    m.add("MaxPool", m.input(1, 2, 9), kernel_shape=[3], strides=[2])
    m.add("GlobalAveragePool", x)
    m.add("LRN", x, size=3, alpha=0.3, beta=0.75, bias=1.5)
    m.add("LRN", x, size=5, alpha=0.1, beta=0.6)
    for axis in (0, 1, -1):
        m.add("Softmax", x, axis=axis)
    variance = m.constant(m.rng.uniform(0.5, 2, 5).astype(np.float32))
    m.add("BatchNormalization", x, m.weight(5), m.weight(5), m.weight(5), variance, epsilon=1e-3)


def elementwise_and_movement(m: FloatModel) -> None:
    x, y, row = m.input(2, 3, 4), m.input(2, 1, 4), m.input(4)
    for op_type in ("Add", "Sub", "Mul", "Div"):
        m.add(op_type, x, y)
    m.add("Sum", x, y, row)
    m.add("Relu", x)
    m.add("Clip", x, m.constant(np.float32(-0.5)), m.constant(np.float32(0.25)))
    m.add("Clip", x, "", m.constant(np.float32(0.5)))
    integers = m.add("Cast", m.add("Mul", x, m.constant(np.float32(10))), to=TensorProto.INT32)
    m.add("Relu", integers)
    m.add("Cast", integers, to=TensorProto.FLOAT)
    m.add("Cast", integers, to=TensorProto.BOOL)
    m.add("Transpose", x, perm=[2, 0, 1])
    m.add("Concat", x, y, axis=1)
    m.add("Concat", x, x, axis=-1)
    m.add("Flatten", x, axis=2)
    m.add("Reshape", x, m.constant(np.array([4, -1], np.int64)))
    m.add("Unsqueeze", x, m.constant(np.array([0, 2], np.int64)))
    m.add("Squeeze", y, m.constant(np.array([1], np.int64)))
    pads = m.constant(np.array([0, 1, 2, 1, 0, 3], np.int64))
    for mode in ("constant", "reflect", "edge"):
        m.add("Pad", x, pads if mode != "reflect" else m.constant(np.array([0, 1, 2, 1, 2, 3], np.int64)), mode=mode)
    m.add("Pad", x, m.constant(np.array([0, -1, 1, 1, 0, -2], np.int64)), m.constant(np.float32(7)))
    for dtype, scales, zeros in (
        (np.uint8, np.float32(0.02), 128),
        (np.int8, m.rng.uniform(0.01, 0.03, 3).astype(np.float32), [0, -5, 17]),
    ):
        parameters = [m.constant(np.asarray(scales)), m.constant(np.array(zeros, dtype))]
        quantized = m.add("QuantizeLinear", x, *parameters, axis=1)
        m.add("DequantizeLinear", quantized, *parameters, axis=1)


@pytest.mark.parametrize("family", [contractions, pools_and_normalizations, elementwise_and_movement])
def test_operators_agree_with_onnx_runtime(family, tmp_path: pathlib.Path) -> None:
    model = FloatModel(seed=len(family.__name__))
    family(model)
    proto = model.build()
    expected = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, model.feeds)
    actual = run_native(lower(proto), tmp_path, list(model.feeds.values()))
    for node, have, want in zip(proto.graph.node, actual, expected, strict=True):
        have = have.view(want.dtype) if have.dtype.itemsize == want.dtype.itemsize else have
        np.testing.assert_allclose(have, want, rtol=2e-5, atol=2e-6, err_msg=node.name)


def branches(seed: int) -> onnx.ModelProto:
    """Two images through branches that are concatenated, with and without complete tiles, then a dense layer."""
    net = QdqModel(np.random.default_rng(seed), signed=bool(seed % 2))
    x = net.conv(net.input((2, 3, 7, 6)), 16, activation="relu")
    pooled = net.max_pool(x, 3, 1, 1)
    x = net.concat([net.conv(x, 32, (1, 1), pads=(0, 0, 0, 0)), net.conv(x, 16), pooled])
    x = net.concat([net.conv(x, 24, strides=(2, 2)), net.conv(x, 24, strides=(2, 2))])
    return net.build(net.gemm(net.flatten(x), 10), x)


def check_packed(seed: int, config: str, folder: pathlib.Path, fuse_residual: bool = True) -> None:
    check_packed_model(random_network(seed), seed, config, folder, fuse_residual)


def check_packed_model(
    model: onnx.ModelProto, seed: int, config: str, folder: pathlib.Path, fuse_residual: bool = True
) -> None:
    rng = np.random.default_rng(seed)
    inputs = [
        rng.normal(size=[d.dim_value for d in i.type.tensor_type.shape.dim]).astype(np.float32)
        for i in model.graph.input
    ]
    plain = run_native(lower(model), folder, inputs)
    packed = run_native(lower(model, CONFIGS[config], fuse_residual), folder, inputs)
    for have, want in zip(packed, plain, strict=True):
        np.testing.assert_array_equal(have, want)


@pytest.mark.parametrize(("seed", "config"), [(100, "default"), (101, "batch2_in8_out16"), (102, "in32_out16")])
def test_packed_kernels_compute_the_same(seed: int, config: str, tmp_path: pathlib.Path) -> None:
    check_packed(seed, config, tmp_path)


@pytest.mark.parametrize(("seed", "config"), [(1, "default"), (2, "batch2_in8_out16")])
def test_packed_branches_compute_the_same(seed: int, config: str, tmp_path: pathlib.Path) -> None:
    check_packed_model(branches(seed), seed, config, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("seed", range(110, 120))
def test_packed_kernels_compute_the_same_long(seed: int, config: str, tmp_path: pathlib.Path) -> None:
    check_packed(seed, config, tmp_path, bool(seed % 2))
