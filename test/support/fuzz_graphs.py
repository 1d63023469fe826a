"""Random valid ONNX graphs, seeded: operators, shapes, element types and attributes drawn under their constraints.

As NNSmith does, a graph grows node by node from values that are known: every node is evaluated as it is drawn,
by ONNX's reference implementation, so that the operands of the next one are chosen by the shapes and values they
have, and a draw that ONNX itself refuses, or that leaves the finite numbers, is dropped.

Values are exact (small multiples of 1/4) or not: what jumps (rounding, comparisons, arg max) is only drawn on
exact ones, where every implementation agrees on which side of the jump a number is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

OPSETS = (18, 19, 20, 21, 22, 23)
DTYPES = ("float32", "float32", "float32", "float64", "float16", "int64", "int32", "int8", "uint8", "bool")
MAX_ELEMENTS = 4096
MAX_MAGNITUDE = {"float16": 200.0, "int8": 127.0, "uint8": 255.0}


@dataclass(frozen=True)
class Value:
    """A tensor of the graph with the elements it has; `exact` if every implementation gets just these."""

    name: str
    array: np.ndarray
    exact: bool

    @property
    def rank(self) -> int:
        return self.array.ndim

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def kind(self) -> str:
        """numpy's: "f", "i", "u" or "b"."""
        return self.array.dtype.kind


@dataclass
class Case:
    """A model with the inputs to run it on, and what the reference implementation made of them."""

    model: onnx.ModelProto
    feeds: dict[str, np.ndarray]
    expected: dict[str, np.ndarray]
    exact: dict[str, bool]


@dataclass
class Draw:
    """What the drawing of one node may use: chance, the values there are, and new constants."""

    rng: np.random.Generator
    values: list[Value]
    opset: int
    constants: dict[str, np.ndarray] = field(default_factory=dict)

    def value(self, accept: Callable[[Value], bool] = lambda _: True) -> Value:
        """A value that is accepted, a recent one rather than an old one; raises NoValue if there is none."""
        fitting = [value for value in self.values if accept(value)]
        if not fitting:
            raise NoValue
        weights = np.arange(1, len(fitting) + 1, dtype=float) ** 2
        return fitting[self.rng.choice(len(fitting), p=weights / weights.sum())]

    def floats(self, *, ranks: Sequence[int] = range(8), exact: bool = False) -> Value:
        return self.value(lambda v: v.kind == "f" and v.rank in ranks and (v.exact or not exact))

    def numbers(self, *, ranks: Sequence[int] = range(8), exact: bool = False) -> Value:
        return self.value(lambda v: v.kind != "b" and v.rank in ranks and (v.exact or not exact))

    def constant(self, array: np.ndarray | Sequence[int] | int) -> str:
        """A new initializer; integers are int64."""
        name = f"c{len(self.constants)}_{self.rng.integers(1 << 30):x}"
        self.constants[name] = np.asarray(array)
        return name

    def quarters(self, shape: Sequence[int], dtype: np.dtype | str = "float32", limit: int = 8) -> np.ndarray:
        """Elements that are exact: multiples of 1/4 up to `limit` / 4, or integers."""
        return elements(self.rng, shape, np.dtype(dtype), limit)

    def integer(self, low: int, high: int) -> int:
        """Both ends included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability: float = 0.5) -> bool:
        return bool(self.rng.random() < probability)

    def choice(self, items: Sequence[object]) -> object:
        return items[int(self.rng.integers(len(items)))]

    def axis(self, rank: int) -> int:
        """Of a rank above 0, counted from either end."""
        return self.integer(-rank, rank - 1)

    def axes(self, rank: int) -> list[int]:
        """Any number of distinct axes, in any order."""
        axes = self.rng.permutation(rank)[: self.integer(0, rank)]
        return [int(axis) - (rank if self.chance(0.3) else 0) for axis in axes]

    def broadcast_operand(self, like: Value) -> str:
        """Something that broadcasts with `like`: a value if there is one, else a constant."""
        if self.chance(0.6):
            try:
                return self.value(lambda v: v.array.dtype == like.array.dtype and _broadcasts(v, like)).name
            except NoValue:
                pass
        shape = [size if self.chance(0.7) else 1 for size in like.shape][self.integer(0, like.rank) :]
        return self.constant(self.quarters(shape, like.array.dtype))


class NoValue(Exception):
    """There is nothing that the operator could be applied to."""


@dataclass(frozen=True)
class Node:
    """A drawn node; `exact` if exact operands give exact results."""

    op_type: str
    inputs: Sequence[str]
    attributes: dict[str, object] = field(default_factory=dict)
    outputs: int = 1
    exact: bool = False
    domain: str = ""


def elements(rng: np.random.Generator, shape: Sequence[int], dtype: np.dtype, limit: int = 16) -> np.ndarray:
    """Random elements that arithmetic keeps exact for a while."""
    if dtype.kind == "b":
        return rng.random(tuple(shape)) < 0.5
    whole = rng.integers(0 if dtype.kind == "u" else -limit, limit + 1, size=tuple(shape))
    return (whole / 4 if dtype.kind == "f" else whole).astype(dtype)


def generate(seed: int, nodes: int | None = None) -> Case:
    """The graph of a seed, of about `nodes` nodes (1 to 12 by default)."""
    from fuzz_operators import OPERATORS

    rng = np.random.default_rng(seed)
    opset = int(rng.choice(OPSETS))
    wanted = nodes or int(rng.integers(1, 13))
    inputs = [_input(rng, index) for index in range(int(rng.integers(1, 4)))]
    values = list(inputs)
    constants: dict[str, np.ndarray] = {}
    protos: list[onnx.NodeProto] = []
    for _ in range(wanted * 12):
        if len(protos) == wanted:
            break
        draw = Draw(rng, values, opset)
        try:
            drawn = OPERATORS[int(rng.integers(len(OPERATORS)))](draw)
        except NoValue:
            continue
        names = [f"v{len(protos)}_{index}" for index in range(drawn.outputs)]
        proto = helper.make_node(
            drawn.op_type, list(drawn.inputs), names, f"n{len(protos)}", domain=drawn.domain, **drawn.attributes
        )
        known = {value.name: value for value in values}
        arrays = draw.constants | {name: known[name].array for name in drawn.inputs if name in known}
        results = evaluate(proto, arrays, opset)
        if results is None or not all(map(_is_tame, results)):
            continue
        exact = drawn.exact and all(known[name].exact for name in drawn.inputs if name in known)
        values += [Value(name, array, exact) for name, array in zip(names, results, strict=True)]
        constants |= draw.constants
        protos.append(proto)
    return _case(rng, opset, inputs, values, constants, protos)


def evaluate(proto: onnx.NodeProto, arrays: dict[str, np.ndarray], opset: int) -> list[np.ndarray] | None:
    """The outputs of a node by the reference implementation, None if it refuses."""
    inputs = [make_info(name, array) for name, array in arrays.items()]
    outputs = [onnx.ValueInfoProto(name=name) for name in proto.output]
    graph = helper.make_graph([proto], "node", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    try:
        onnx.checker.check_node(proto, _context(opset))
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            results = ReferenceEvaluator(model).run(None, arrays)
    except Exception:
        return None
    return [np.asarray(result) for result in results]


def _context(opset: int) -> onnx.checker.C.CheckerContext:
    context = onnx.checker.C.CheckerContext()
    context.ir_version = 10
    context.opset_imports = {"": opset}
    return context


def make_info(name: str, array: np.ndarray, dims: Sequence[int | str] | None = None) -> onnx.ValueInfoProto:
    dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, dtype, list(array.shape) if dims is None else list(dims))


def _input(rng: np.random.Generator, index: int) -> Value:
    dtype = np.dtype(str(rng.choice(DTYPES)))
    rank = int(rng.choice(6, p=(0.05, 0.15, 0.25, 0.25, 0.25, 0.05)))
    # Sizes repeat so that operands fit each other; now and then there are none at all.
    shape = [int(size) for size in rng.choice((0, 1, 2, 3, 4, 5, 7, 8, 16, 17), rank, p=_SIZES)]
    while np.prod(shape) > MAX_ELEMENTS:
        shape[int(np.argmax(shape))] = 2
    return Value(f"x{index}", elements(rng, shape, dtype), exact=True)


_SIZES = (0.02, 0.13, 0.2, 0.2, 0.2, 0.05, 0.05, 0.07, 0.05, 0.03)


def _broadcasts(a: Value, b: Value) -> bool:
    try:
        return int(np.prod(np.broadcast_shapes(a.shape, b.shape))) <= MAX_ELEMENTS
    except ValueError:
        return False


def _is_tame(array: np.ndarray) -> bool:
    """Whether the elements are numbers of moderate size, and not too many."""
    if array.dtype.kind not in "fiub" or array.size > MAX_ELEMENTS:
        return False
    if array.dtype.kind == "b" or not array.size:
        return True
    wide = array.astype(np.float64)
    return bool(np.isfinite(wide).all() and np.abs(wide).max() <= MAX_MAGNITUDE.get(array.dtype.name, 4096.0))


def _case(
    rng: np.random.Generator,
    opset: int,
    inputs: Sequence[Value],
    values: Sequence[Value],
    constants: dict[str, np.ndarray],
    protos: Sequence[onnx.NodeProto],
) -> Case:
    read = {name for proto in protos for name in proto.input}
    outputs = [value for value in values if value.name.startswith("v") and value.name not in read]
    outputs += [value for value in values if value.name in read and value.name[0] == "v" and rng.random() < 0.1]
    if not outputs:
        outputs = [value for value in values if value.name[0] == "v"][:1] or list(inputs)
        if outputs[0] in inputs:
            protos = [helper.make_node("Identity", [inputs[0].name], ["v"], "n")]
            outputs = [Value("v", inputs[0].array, exact=True)]
    # Sizes are unknown in some graphs; equal ones may have one name.
    symbolic = rng.random() < 0.35
    infos = []
    for value in inputs:
        dims: list[int | str] = list(value.shape)
        for axis, size in enumerate(value.shape):
            if symbolic and rng.random() < 0.5:
                dims[axis] = f"s{size}" if rng.random() < 0.5 else f"{value.name}_{axis}"
        infos.append(make_info(value.name, value.array, dims))
    graph = helper.make_graph(
        list(protos),
        "fuzz",
        infos,
        [_output_info(value) for value in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 10
    return Case(
        model,
        {value.name: value.array for value in inputs},
        {value.name: value.array for value in outputs},
        {value.name: value.exact for value in outputs},
    )


def _output_info(value: Value) -> onnx.ValueInfoProto:
    """Without sizes: these follow from the graph."""
    dtype = helper.np_dtype_to_tensor_dtype(value.array.dtype)
    return helper.make_tensor_value_info(value.name, dtype, [None] * value.rank)
