"""Element-wise operators on one quantized tensor: graph.lookup, compared with ONNX Runtime on all 256 integers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from acc import ir, reference
from acc.errors import MLIRError
from acc.pipeline import Options, Pipeline
from native_levels import runnable

CHANNELS = 3


class Chain:
    """A model DequantizeLinear -> operators -> QuantizeLinear on a tensor that holds every integer in every channel."""

    def __init__(self, dtype: type[np.generic], scale: float, zero_point: int) -> None:
        self.dtype = np.dtype(dtype)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.x = self.dequantize("x", scale, zero_point)

    def constant(self, value: object, dtype: type[np.generic] | np.dtype = np.float32) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def node(self, op_type: str, *inputs: str, **attributes: object) -> str:
        name = f"{op_type.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], name=name, **attributes))
        return name

    def dequantize(self, value: str, scale: float, zero_point: int) -> str:
        return self.node("DequantizeLinear", value, self.constant(scale), self.constant(zero_point, self.dtype))

    def quantize(self, value: str, scale: float, zero_point: int) -> str:
        return self.node("QuantizeLinear", value, self.constant(scale), self.constant(zero_point, self.dtype))

    def requantized(self, value: str, scale: float, zero_point: int) -> str:
        """What a quantizer puts behind every operator."""
        return self.dequantize(self.quantize(value, scale, zero_point), scale, zero_point)

    def finish(self, values: Sequence[str], scale: float, zero_point: int) -> onnx.ModelProto:
        outputs = [self.quantize(value, scale, zero_point) for value in values]
        kind = helper.np_dtype_to_tensor_dtype(self.dtype)
        shape = [2, CHANNELS, 16, 8]
        graph = helper.make_graph(
            self.nodes,
            "chain",
            [helper.make_tensor_value_info("x", kind, shape)],
            [helper.make_tensor_value_info(output, kind, shape) for output in outputs],
            self.initializers,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)

    @property
    def middle(self) -> int:
        info = np.iinfo(self.dtype)
        return (int(info.min) + int(info.max) + 1) // 2


Build = Callable[[Chain], str]


def _plain(op_type: str, **attributes: object) -> Build:
    return lambda c: c.node(op_type, c.x, **attributes)


def _with(op_type: str, value: object, swapped: bool = False) -> Build:
    def build(c: Chain) -> str:
        operands = [c.x, c.constant(value)]
        return c.node(op_type, *(operands[::-1] if swapped else operands))

    return build


def _silu(c: Chain) -> str:
    return c.node("Mul", c.x, c.node("Sigmoid", c.x))


def _quantized_silu(c: Chain) -> str:
    return c.node("Mul", c.x, c.requantized(c.node("Sigmoid", c.x), 1 / 256, c.middle - 128))


def _gelu_by_erf(c: Chain) -> str:
    erf = c.node("Erf", c.node("Div", c.x, c.constant(np.sqrt(2))))
    return c.node("Mul", c.node("Mul", c.x, c.node("Add", erf, c.constant(1))), c.constant(0.5))


def _gelu_by_tanh(c: Chain) -> str:
    cube = c.node("Mul", c.node("Pow", c.x, c.constant(3)), c.constant(0.044715))
    tanh = c.node("Tanh", c.node("Mul", c.node("Add", c.x, cube), c.constant(np.sqrt(2 / np.pi))))
    return c.node("Mul", c.node("Mul", c.x, c.constant(0.5)), c.node("Add", tanh, c.constant(1)))


def _quantized_hard_swish(c: Chain) -> str:
    """As networks are exported whose framework knows ReLU6 only, with every result quantized."""
    moved = c.requantized(c.node("Add", c.x, c.constant(3)), 0.06, c.middle - 20)
    clipped = c.requantized(c.node("Clip", moved, c.constant(0), c.constant(6)), 6 / 255, c.middle - 128)
    product = c.requantized(c.node("Mul", c.x, clipped), 0.2, c.middle - 30)
    return c.node("Div", product, c.constant(6))


CHAINS: dict[str, Build] = {
    **{name: _plain(name) for name in ("Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "Elu", "Selu", "Celu")},
    **{name: _plain(name) for name in ("Softplus", "Softsign", "Mish", "Exp", "Sqrt", "Abs", "Neg", "Erf", "Sin")},
    **{name: _plain(name) for name in ("Floor", "Ceil", "Round", "Sign", "Gelu", "ThresholdedRelu", "Reciprocal")},
    "LeakyRelu": _plain("LeakyRelu", alpha=0.1),
    "GeluTanh": _plain("Gelu", approximate="tanh"),
    "Shrink": _plain("Shrink", bias=0.3, lambd=0.4),
    "Mul": _with("Mul", 0.37),
    "MulByChannel": _with("Mul", [[[0.5]], [[-1.5]], [[0.1]]]),
    "AddByChannel": _with("Add", [[[[0.5]], [[-1.5]], [[0.1]]]]),
    "Sub": _with("Sub", [[0.7]]),
    "SubFrom": _with("Sub", 1, swapped=True),
    "Div": _with("Div", 3),
    "DivInto": _with("Div", 1, swapped=True),
    "Pow": _with("Pow", 2),
    "Max": _with("Max", 0.4),
    "PRelu": _with("PRelu", 0.2),
    "PReluByChannel": _with("PRelu", [[[0.1]], [[0.25]], [[-0.3]]]),
    "SplatMul": _with("Mul", np.full((16, 8), 0.6)),
    "silu": _silu,
    "quantized_silu": _quantized_silu,
    "gelu_by_erf": _gelu_by_erf,
    "gelu_by_tanh": _gelu_by_tanh,
    "quantized_hard_swish": _quantized_hard_swish,
    "minus_itself": lambda c: c.node("Sub", c.x, c.node("Tanh", c.x)),
}


def _simplify(model: onnx.ModelProto) -> ir.Operation:
    graph = Pipeline(Options()).import_graph(model)
    return graph.module.body.operations[0]


def _onnx_runtime(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    """Operator by operator, as the model says."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [np.asarray(result) for result in session.run(None, {"x": x})]


def _all_integers(dtype: type[np.generic]) -> np.ndarray:
    """(2, CHANNELS, 16, 8): every integer in every channel."""
    info = np.iinfo(dtype)  # type: ignore[type-var]
    plane = np.arange(info.min, int(info.max) + 1, dtype=dtype).reshape(2, 1, 16, 8)
    return np.broadcast_to(plane, (2, CHANNELS, 16, 8)).copy()


def _names(function: ir.Operation) -> list[str]:
    return [op.name.removeprefix("graph.") for op in function.regions[0].blocks[0]]


# Reals far enough from zero for what is not defined there or grows without bound.
SIGNED = (np.int8, 0.04, 3)
UNSIGNED = (np.uint8, 0.03, 120)


@pytest.mark.parametrize(("dtype", "scale", "zero_point"), [SIGNED, UNSIGNED])
def test_all_integers_agree_with_onnx_runtime(dtype: type[np.generic], scale: float, zero_point: int) -> None:
    chain = Chain(dtype, scale, zero_point)
    model = chain.finish([build(chain) for build in CHAINS.values()], 0.02, chain.middle - 11)
    x = _all_integers(dtype)
    function = _simplify(model)
    assert set(_names(function)) <= {"constant", "lookup", "rebase", "storage_cast", "func.return"}
    assert _names(function).count("lookup") == len(CHAINS)
    for name, ours, theirs in zip(CHAINS, reference.evaluate(function, [x]), _onnx_runtime(model, x), strict=True):
        # Functions agree to a millionth, which now and then rounds to the other side.
        difference = np.abs(ours.astype(int) - theirs.astype(int))
        assert difference.max() <= 1 and (difference != 0).mean() <= 0.01, f"{name}: {difference.max()}"


def test_native_code_looks_up() -> None:
    chain = Chain(np.uint8, 0.03, 120)
    model = chain.finish([CHAINS["PReluByChannel"](chain)], 0.02, 100)
    x = _all_integers(np.uint8)
    (ours,) = acc.compile(model).run({"x": x}).values()
    np.testing.assert_array_equal(ours, reference.evaluate(_simplify(model), [x])[0])


def test_tables_are_the_bits_of_native_code() -> None:
    """Beside a float result of the same operators, which native code computes."""
    chain = Chain(np.int8, 0.04, 3)
    value = CHAINS["gelu_by_tanh"](chain)
    model = chain.finish([value], 0.02, 5)
    model.graph.output.append(helper.make_tensor_value_info(value, TensorProto.FLOAT, [2, CHANNELS, 16, 8]))
    looked_up, real = acc.compile(model).run({"x": _all_integers(np.int8)}).values()
    expected = np.clip(np.rint(real / np.float32(0.02)) + 5, -128, 127)
    np.testing.assert_array_equal(looked_up, expected)


def test_chains_of_one_form_are_computed_together() -> None:
    chain = Chain(np.int8, 0.04, 3)
    scales = (0.01, 0.02, 0.05)
    values = [chain.requantized(_silu(chain), scale, 4) for scale in scales]
    model = chain.finish(values, 0.1, 0)
    x = _all_integers(np.int8)
    for ours, theirs in zip(reference.evaluate(_simplify(model), [x]), _onnx_runtime(model, x), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("1x255", "needs a table of 256 entries, or one for each channel, has"),
        ("256", "needs a table of 256 entries, or one for each channel, has"),
        ("3x256", "has 3 tables for an input of shape"),
    ],
)
def test_verifier(table: str, reason: str) -> None:
    text = f"""
    func.func @f(%x: tensor<1x4x5xi8>, %t: tensor<{table}xi8>) -> tensor<1x4x5xi8> {{
      %y = graph.lookup %x, %t : (tensor<1x4x5xi8>, tensor<{table}xi8>) -> tensor<1x4x5xi8>
      return %y : tensor<1x4x5xi8>
    }}"""
    with pytest.raises(MLIRError, match=reason):
        ir.Module.parse(text, ir.Context())


def table_model(op_type: str, shape: tuple[int, ...], seed: int, **attributes: object) -> onnx.ModelProto:
    """A function of every int8 that is a table, of one for each channel with PRelu."""
    rng = np.random.default_rng(seed)
    constants = {
        "x_scale": np.float32(0.031),
        "y_scale": np.float32(0.017),
        "x_zero": np.int8(7),
        "y_zero": np.int8(-9),
    }
    inputs = ["real"]
    if op_type == "PRelu":
        constants["slope"] = rng.normal(0.2, 0.4, (shape[1], *[1] * (len(shape) - 2))).astype(np.float32)
        inputs.append("slope")
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "x_scale", "x_zero"], ["real"]),
        helper.make_node(op_type, inputs, ["result"], **attributes),
        helper.make_node("QuantizeLinear", ["result", "y_scale", "y_zero"], ["y"]),
    ]
    infos = [helper.make_tensor_value_info(name, TensorProto.INT8, shape) for name in ("x", "y")]
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "table", infos[:1], infos[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("cpu", runnable()[1:])
def test_registers_hold_what_memory_does(cpu: str) -> None:
    """Every byte at every place of a vector, rests of all lengths, and a table for each channel."""
    rng = np.random.default_rng(4)
    bytes_of = np.arange(-128, 128).astype(np.int8)
    shapes = [("Sigmoid", (n,)) for n in (1, 2, 15, 17, 31, 33, 63, 65, 100, 127, 129, 256)]
    shapes += [("PRelu", shape) for shape in ((2, 3, 5, 17), (1, 7, 70), (3, 1, 4, 64), (40, 13))]
    for op_type, shape in shapes:
        model = table_model(op_type, shape, 3)
        count = int(np.prod(shape))
        with acc.compile(model, cpu="x86-64") as plain, acc.compile(model, cpu=cpu) as wide:
            for _ in range(3):
                x = {"x": rng.permutation(np.resize(bytes_of, -(-count // 256) * 256))[:count].reshape(shape)}
                np.testing.assert_array_equal(wide.run(x)["y"], plain.run(x)["y"], err_msg=f"{op_type} {shape}")
