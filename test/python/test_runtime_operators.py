"""Operators of ONNX Runtime's domain that its optimizer, its quantizer and its exporters write, compared with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from ml_dtypes import int4, uint4
from onnx import helper, numpy_helper

import acc

onnxruntime.set_default_logger_severity(4)


@dataclass
class Case:
    """One node.

    Attributes:
        inputs: its operands by position, None for those that are left out.
        constants: positions of those that are constants.
        results: how many it has.
        open: axes of each operand, by position, whose sizes are left open under a name.
        opset: the default operator set of the model.
        atol: how far results may be from ONNX Runtime's.
        compared: how many results are compared: some hold places that nothing is said of.
        instead: what means the same, where ONNX Runtime has no kernel of this form.
    """

    op_type: str
    inputs: Sequence[np.ndarray | None]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    constants: Sequence[int] = ()
    results: int = 1
    open: Mapping[int, Sequence[str | int]] = field(default_factory=dict)
    domain: str = "com.microsoft"
    opset: int = 21
    atol: float = 1e-4
    compared: int = 3
    instead: Case | None = None

    @property
    def feeds(self) -> dict[str, np.ndarray]:
        given = [(index, array) for index, array in enumerate(self.inputs) if index not in self.constants]
        return {f"i{index}": array for index, array in given if array is not None}


def make_model(case: Case, opened: bool = False) -> onnx.ModelProto:
    names = [f"i{index}" if array is not None else "" for index, array in enumerate(case.inputs)]
    outputs = [f"o{index}" for index in range(case.results)]
    node = helper.make_node(case.op_type, names, outputs, "node", domain=case.domain, **case.attributes)
    given, constants = [], []
    for index, array in enumerate(case.inputs):
        if array is None:
            continue
        if index in case.constants:
            constants.append(numpy_helper.from_array(array, names[index]))
            continue
        shape = case.open.get(index, array.shape) if opened else array.shape
        element = helper.np_dtype_to_tensor_dtype(array.dtype)
        given.append(helper.make_tensor_value_info(names[index], element, shape))
    results = [onnx.ValueInfoProto(name=name) for name in outputs]
    graph = helper.make_graph([node], "operator", given, results, constants)
    opsets = [helper.make_opsetid("", case.opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def onnx_runtime(model: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")
    # It wants the types of results, which it infers itself.
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [np.asarray(result) for result in session.run(None, dict(feeds))]


RNG = np.random.default_rng(11)


def real(*shape: int, scale: float = 1.0) -> np.ndarray:
    return (RNG.standard_normal(shape) * scale).astype(np.float32)


def integer(dtype: Any, low: int, high: int, *shape: int) -> np.ndarray:
    return RNG.integers(low, high, shape).astype(dtype)


def f32(value: float) -> np.ndarray:
    return np.array(value, np.float32)


def table(rows: int, half: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines of angles."""
    angles = np.arange(rows)[:, None] * 10000.0 ** (-np.arange(half) / half)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def lengths(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


X, HEADS = (2, 5, 24), {"num_heads": 3}
IMAGE = (2, 3, 7, 6)
COS, SIN = table(16, 4)
LONG = table(16, 8)
GROUPED = {"num_heads": 6, "kv_num_heads": 2}
PACKED = real(2, 5, 3, 3, 8)
FLAT = [np.ascontiguousarray(PACKED[:, :, :, part]).reshape(X) for part in range(3)]
OPEN_SEQUENCE = ("b", "s", 24)


def grouped(new: int, kept: int | None, totals: Sequence[int], total: int, *more: np.ndarray | None) -> list[Any]:
    """Operands of GroupQueryAttention: what sequences have in total, each and the longest."""
    cache = [None, None] if kept is None else [real(2, 2, kept, 16), real(2, 2, kept, 16)]
    projections = [real(2, new, 96), real(2, new, 32), real(2, new, 32)]
    return [*projections, *cache, lengths(*totals) - 1, np.array(total, np.int32), *more]


CASES: dict[str, Case] = {
    "quantize": Case("QuantizeLinear", [real(3, 4), f32(0.03), np.array(7, np.int8)], constants=(1, 2)),
    "quantize along an axis": Case(
        "QuantizeLinear",
        [real(3, 4), np.array([0.1, 0.2, 0.3], np.float32), np.zeros(3, np.uint8)],
        {"axis": 0},
        constants=(1, 2),
    ),
    "dequantize": Case(
        "DequantizeLinear", [integer(np.uint16, 0, 65536, 3, 4), f32(0.03), np.array(700, np.uint16)], constants=(1, 2)
    ),
    "channels last": Case(
        "QLinearAveragePool",
        [integer(np.uint8, 0, 256, 2, 6, 7, 3), f32(0.03), np.array(9, np.uint8), f32(0.02), np.array(40, np.uint8)],
        {"kernel_shape": [2, 3], "channels_last": 1},
        constants=(1, 2, 3, 4),
        atol=1,
    ),
    "dynamic product": Case(
        "DynamicQuantizeMatMul",
        [real(2, 3, 8), integer(np.int8, -127, 128, 8, 5), real(5, scale=0.1) ** 2, np.zeros(5, np.int8), real(5)],
        constants=(1, 2, 3, 4),
        open={0: ("b", "s", 8)},
    ),
    "integer product": Case(
        "MatMulIntegerToFloat",
        [
            *(integer(np.uint8, 0, 256, 3, 8), integer(np.int8, -127, 128, 8, 5), f32(0.02), real(5) ** 2),
            *(np.array(121, np.uint8), np.zeros(5, np.int8), real(5)),
        ],
        constants=(1, 2, 3, 4, 5, 6),
    ),
    # States are not rounded to integers.
    "lstm": Case(
        "DynamicQuantizeLSTM",
        [
            *(real(4, 2, 6), integer(np.int8, -127, 128, 2, 6, 20), integer(np.int8, -127, 128, 2, 5, 20)),
            *(real(2, 40, scale=0.1), None, None, None, None),
            *(np.array([0.003, 0.004], np.float32), np.zeros(2, np.int8)),
            *(np.array([0.004, 0.003], np.float32), np.zeros(2, np.int8)),
        ],
        {"hidden_size": 5, "direction": "bidirectional"},
        constants=(1, 2, 3, 8, 9, 10, 11),
        results=3,
        atol=5e-3,
    ),
    "fused product": Case("FusedMatMul", [real(2, 3, 4, 5), real(2, 3, 6, 5)], {"transB": 1, "alpha": 0.5}),
    "fused product of turned batches": Case(
        "FusedMatMul",
        [real(5, 2, 3, 4), real(6, 2, 3, 5)],
        {"transBatchA": 1, "transA": 1, "transBatchB": 1, "transB": 1},
    ),
    "fused convolution": Case(
        "FusedConv",
        [real(*IMAGE), real(4, 3, 3, 3), real(4), real(2, 4, 7, 6)],
        {"pads": [1, 1, 1, 1], "activation": "HardSigmoid", "activation_params": [0.3, 0.4]},
    ),
    "fused convolution, clipped": Case(
        "FusedConv",
        [real(*IMAGE), real(3, 1, 2, 2)],
        {"group": 3, "strides": [2, 1], "activation": "Clip", "activation_params": [0.0, 0.5]},
        open={0: ("n", 3, "h", "w")},
    ),
    "fused gemm": Case(
        "FusedGemm",
        [real(3, 4), real(5, 4), real(5)],
        {"transB": 1, "alpha": 0.7, "activation": "LeakyRelu", "activation_alpha": 0.2},
    ),
    "gelu": Case("Gelu", [real(3, 4)]),
    "fast gelu": Case("FastGelu", [real(2, 3, 4), real(4)], open={0: ("b", "s", 4)}),
    "quick gelu": Case("QuickGelu", [real(3, 4)], {"alpha": 1.5}),
    "bias gelu": Case("BiasGelu", [real(2, 3, 4), real(4)]),
    "skip": Case(
        "SkipLayerNormalization",
        [real(2, 3, 8), real(2, 3, 8), real(8), real(8), real(8)],
        {"epsilon": 1e-5},
        open={0: ("b", "s", 8), 1: ("b", "s", 8)},
    ),
    "skip, simplified": Case("SkipSimplifiedLayerNormalization", [real(2, 3, 8), real(2, 3, 8), real(8)]),
    "simplified": Case("SimplifiedLayerNormalization", [real(2, 3, 8), real(8)], {"axis": -1}, domain=""),
    "layer norm of a later operator set": Case(
        "LayerNormalization", [real(2, 3, 8), real(8), real(8)], {"epsilon": 1e-5}, domain="", opset=13
    ),
    "embedding": Case(
        "EmbedLayerNormalization",
        [
            *(integer(np.int32, 0, 9, 2, 5), integer(np.int32, 0, 2, 2, 5), real(9, 8), real(7, 8), real(2, 8)),
            *(real(8), real(8), integer(np.int32, 0, 2, 2, 5)),
        ],
        results=2,
        open={0: ("b", "s"), 1: ("b", "s"), 7: ("b", "s")},
    ),
    "embedding at positions": Case(
        "EmbedLayerNormalization",
        [
            *(integer(np.int32, 0, 9, 2, 5), None, real(9, 8), real(7, 8), None),
            *(real(8), real(8), None, integer(np.int32, 0, 7, 2, 5)),
        ],
        results=2,
    ),
    "distances": Case("CDist", [real(4, 3), real(5, 3)], {"metric": "euclidean"}, open={0: ("n", 3)}, atol=1e-3),
    "attention": Case("Attention", [real(*X), real(24, 72, scale=0.2), real(72)], HEADS, open={0: OPEN_SEQUENCE}),
    "attention of lengths": Case("Attention", [real(*X), real(24, 72, scale=0.2), real(72), lengths(3, 5)], HEADS),
    "attention between positions": Case(
        "Attention", [real(*X), real(24, 72, scale=0.2), real(72), lengths(3, 5, 1, 0)], HEADS
    ),
    "attention, masked": Case(
        "Attention",
        [real(*X), real(24, 72, scale=0.2), real(72), np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]], np.int32)],
        HEADS | {"mask_filter_value": -1e4},
        open={0: OPEN_SEQUENCE, 3: ("b", "s")},
    ),
    "attention with a past": Case(
        "Attention",
        [real(*X), real(24, 72, scale=0.2), real(72), None, real(2, 2, 3, 4, 8)],
        HEADS | {"unidirectional": 1},
        results=2,
        open={0: OPEN_SEQUENCE, 4: (2, "b", 3, "p", 8)},
    ),
    "attention of other values": Case(
        "Attention",
        [real(*X), real(24, 60, scale=0.2), real(60)],
        HEADS | {"qkv_hidden_sizes": [24, 24, 12], "scale": 0.3},
    ),
    "quantized attention": Case(
        "QAttention",
        [
            *(integer(np.uint8, 0, 256, *X), integer(np.int8, -90, 91, 24, 72), real(72), f32(0.02), f32(0.005)),
            *(None, np.array(125, np.uint8), np.array(0, np.int8)),
        ],
        HEADS,
        constants=(1, 2, 3, 4, 6, 7),
    ),
    "heads": Case(
        "MultiHeadAttention",
        [real(*X), real(2, 7, 24), real(2, 7, 12), real(60)],
        HEADS,
        open={0: OPEN_SEQUENCE, 1: ("b", "t", 24), 2: ("b", "t", 12)},
    ),
    "heads, packed": Case("MultiHeadAttention", [PACKED], HEADS, instead=Case("MultiHeadAttention", FLAT, HEADS)),
    "heads, keys and values packed": Case(
        "MultiHeadAttention",
        [FLAT[0], np.ascontiguousarray(PACKED[:, :, :, 1:])],
        HEADS,
        instead=Case("MultiHeadAttention", FLAT, HEADS),
    ),
    "heads of another sequence": Case(
        "MultiHeadAttention", [real(*X), real(2, 3, 7, 8), real(2, 3, 7, 8), real(72)], HEADS | {"scale": 0.5}
    ),
    "heads with a past": Case(
        "MultiHeadAttention",
        [
            *(real(*X), real(*X), real(*X), real(72), np.array([[1] * 8 + [0], [0] + [1] * 8], np.int32)),
            *(real(1, 3, 5, 9), real(2, 3, 4, 8), real(2, 3, 4, 8)),
        ],
        HEADS | {"unidirectional": 1},
        results=3,
    ),
    "rotary": Case("RotaryEmbedding", [real(2, 5, 24), np.array([3], np.int64), COS, SIN], open={0: OPEN_SEQUENCE}),
    "rotary, interleaved": Case(
        "RotaryEmbedding",
        [real(2, 3, 5, 8), integer(np.int64, 0, 16, 2, 5), COS, SIN],
        {"interleaved": 1},
    ),
    "rotary, partial": Case(
        "RotaryEmbedding",
        [real(2, 5, 36), integer(np.int64, 0, 16, 2, 5), COS, SIN],
        {"num_heads": 3, "rotary_embedding_dim": 8},
    ),
    "groups": Case(
        "GroupQueryAttention",
        grouped(5, 0, (5, 5), 5, *LONG),
        GROUPED | {"do_rotary": 1},
        results=3,
    ),
    "groups, a step": Case(
        "GroupQueryAttention",
        grouped(1, 6, (7, 7), 7, *LONG),
        GROUPED | {"do_rotary": 1, "rotary_interleaved": 1, "softcap": 2.0},
        results=3,
        open={
            **{0: ("b", "s", 96), 1: ("b", "s", 32), 2: ("b", "s", 32)},
            **{3: ("b", 2, "p", 16), 4: ("b", 2, "p", 16), 5: ("b",)},
        },
    ),
    "groups of several lengths": Case(
        "GroupQueryAttention",
        grouped(1, 6, (4, 7), 7),
        GROUPED | {"local_window_size": 3, "scale": 0.2},
        results=3,
        compared=1,
    ),
    "groups, packed": Case(
        "GroupQueryAttention",
        [real(2, 4, 160), None, None, None, None, lengths(3, 3), np.array(4, np.int32)],
        GROUPED | {"smooth_softmax": 1},
    ),
    **{
        f"weights of {bits} bits": Case(
            "MatMulNBits",
            [
                *(real(2, 3, 40), integer(np.uint8, 0, 256, 6, 3, 16 * bits // 8), real(18, scale=0.1)),
                *([integer(np.uint8, 0, 256, 6 * -(-3 * bits // 8))] if bits == 4 else []),
            ],
            {"K": 40, "N": 6, "bits": bits, "block_size": 16},
            constants=(1, 2, 3),
            open={0: ("b", "s", 40)},
        )
        for bits in (4, 8)
    },
    "weights of groups of their own, with a bias": Case(
        "MatMulNBits",
        [
            # With groups, ONNX Runtime does not look at zero points.
            *(real(2, 40), integer(np.uint8, 0, 256, 6, 3, 8), real(18, scale=0.1), None),
            *(np.arange(48, dtype=np.int32)[::-1] // 16, real(6)),
        ],
        {"K": 40, "N": 6, "bits": 4, "block_size": 16},
        constants=(1, 2, 4, 5),
    ),
    "weights with zero points of floats": Case(
        "MatMulNBits",
        [real(2, 32), integer(np.uint8, 0, 256, 6, 2, 8), real(6, 2, scale=0.1), real(6, 2)],
        {"K": 32, "N": 6, "bits": 4, "block_size": 16},
        constants=(1, 2, 3),
    ),
    "convolution, channels last": Case(
        "QLinearConv",
        [
            *(integer(np.uint8, 0, 256, 1, 6, 7, 3), f32(0.02), np.array(120, np.uint8)),
            *(integer(np.int8, -127, 128, 4, 3, 3, 3), f32(0.01), np.array(0, np.int8)),
            *(f32(0.1), np.array(128, np.uint8), integer(np.int32, -500, 500, 4)),
        ],
        {"channels_last": 1, "pads": [1, 1, 1, 1], "strides": [2, 1]},
        constants=range(1, 9),
        atol=1,
    ),
    "quantized attention with a past": Case(
        "QAttention",
        [
            *(integer(np.uint8, 0, 256, *X), integer(np.int8, -90, 91, 24, 72), real(72), f32(0.02), f32(0.005)),
            *(None, np.array(125, np.uint8), np.array(0, np.int8), real(2, 2, 3, 4, 8)),
        ],
        HEADS | {"unidirectional": 1},
        constants=(1, 2, 3, 4, 6, 7),
        results=2,
    ),
    "groups with sinks": Case(
        "GroupQueryAttention",
        grouped(1, 6, (7, 7), 7, None, None, None, real(2, 6, 1, 7), real(6)),
        GROUPED,
        results=3,
    ),
    **{
        f"table of {bits} bits, {size} columns": Case(
            "GatherBlockQuantized",
            [
                integer(np.uint8, 0, 256, 7, size * bits // 8),
                integer(np.int64, -7, 7, 2, 3),
                real(7, -(-size // 16)),
                *([integer(np.uint8, 0, 256, 7, -(-size * bits // 128))] if size % 16 == 0 else []),
            ],
            {"block_size": 16, "bits": bits},
            constants=(0, 2, 3),
            open={1: ("b", "s")},
        )
        for bits in (4, 8)
        for size in (64, 40)
    },
    "table of int4, blocks of rows": Case(
        "GatherBlockQuantized",
        [
            integer(np.int8, -8, 8, 3, 33, 5).astype(int4),
            *(integer(np.int32, 0, 5, 4), real(3, 3, 5), integer(np.int8, -8, 8, 3, 3, 5).astype(int4)),
        ],
        {"block_size": 16, "quantize_axis": 1, "gather_axis": 2},
        constants=(0, 2, 3),
    ),
    "table of uint4, scales of float16": Case(
        "GatherBlockQuantized",
        [
            *(integer(np.uint8, 0, 16, 2, 7, 33).astype(uint4), integer(np.int64, 0, 7, 2, 2)),
            real(2, 7, 2).astype(np.float16),
        ],
        {"block_size": 32, "quantize_axis": -1, "gather_axis": 1},
        constants=(0, 2),
    ),
    "table of 4 bits": Case(
        "GatherBlockQuantized",
        [integer(np.uint8, 0, 256, 7, 16), integer(np.int64, 0, 7, 2, 3), real(7, 2)],
        {"block_size": 16, "bits": 4},
        constants=(0, 2),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_operator(name: str) -> None:
    case = CASES[name]
    model = case.instead or case
    expected = onnx_runtime(make_model(model), model.feeds)
    for opened in (False, True) if case.open else (False,):
        results = list(acc.compile(make_model(case, opened)).run(case.feeds).values())
        assert len(results) == len(expected)
        for result, wanted in list(zip(results, expected, strict=True))[: case.compared]:
            assert result.dtype == wanted.dtype
            if wanted.dtype.kind in "iu":
                difference = np.abs(result.astype(np.int64) - wanted.astype(np.int64))
                assert difference.max(initial=0) <= case.atol
            else:
                np.testing.assert_allclose(result, wanted, rtol=1e-3, atol=case.atol)
