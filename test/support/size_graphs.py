"""Random graphs of shape arithmetic, seeded: what exporters compute from Shape, with every attribute of the operators.

Each node is drawn with operands of known rank and sizes; which numbers they hold is known from the sizes of the
model's input, for two of which the graph is drawn, so that no divisor is zero and no index out of range for either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OPSET = 18


@dataclass
class Graph:
    """A graph as it grows: the values of every tensor for each of the sizes that the input may have."""

    rng: np.random.Generator
    shapes: list[tuple[int, ...]]
    values: dict[str, list[np.ndarray]] = field(default_factory=dict)
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        node = helper.make_node("Shape", ["x"], ["shape"])
        self.nodes.append(node)
        self.values["shape"] = [np.array(shape) for shape in self.shapes]
        if self.rng.random() < 0.5:
            start, end = (int(number) for number in self.rng.integers(-4, 5, 2))
            self.nodes.append(helper.make_node("Shape", ["x"], ["part"], start=start, end=end))
            self.values["part"] = [np.array(shape[start:end], np.int64) for shape in self.shapes]

    def pick(self, accept: Callable[[np.ndarray], bool] = lambda _: True) -> str:
        """A tensor of integers of which all values are accepted; raises ValueError if there is none."""
        names = [name for name, arrays in self.values.items() if arrays[0].dtype == np.int64]
        names = [name for name in names if all(map(accept, self.values[name]))]
        if not names:
            raise ValueError("nothing fits")
        # Recent ones are more likely, so that chains grow.
        return names[min(int(self.rng.integers(0, 2 * len(names))), len(names) - 1)]

    def one(self, name: str) -> np.ndarray:
        return self.values[name][0]

    def constant(self, array: object) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(array)
        return name

    def integers(self, low: int, high: int, shape: object = None) -> np.ndarray:
        return self.rng.integers(low, high, shape)  # pyright: ignore[reportArgumentType, reportCallIssue]

    def chance(self, probability: float = 0.5) -> bool:
        return bool(self.rng.random() < probability)

    def add(self, op_type: str, inputs: list[str], outputs: int = 1, **attributes: object) -> None:
        """Appends a node; raises what ONNX Runtime raises if it refuses it."""
        names = [f"v{len(self.nodes)}_{index}" for index in range(outputs)]
        node = helper.make_node(op_type, inputs, names, **attributes)
        results = [self._run(node, at) for at in range(len(self.shapes))]
        if any(array.size > 64 or array.ndim > 4 for arrays in results for array in arrays):
            raise ValueError("too large")
        if any(np.abs(array.astype(np.float64)).max(initial=0) > 2**40 for arrays in results for array in arrays):
            raise ValueError("too large")
        self.nodes.append(node)
        self.values |= {name: [arrays[index] for arrays in results] for index, name in enumerate(names)}

    def _run(self, node: onnx.NodeProto, at: int) -> list[np.ndarray]:
        known = {name: self.values[name][at] for name in node.input if name in self.values}
        known |= {name: self.constants[name] for name in node.input if name in self.constants}
        info = [helper.make_tensor_value_info(name, TensorProto.INT64, None) for name in node.output]
        if node.op_type in COMPARISONS:
            info[0].type.tensor_type.elem_type = TensorProto.BOOL
        graph = helper.make_graph([node], "one", [], info, [numpy_helper.from_array(a, n) for n, a in known.items()])
        return run(helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8), {})

    def model(self, outputs: list[str]) -> onnx.ModelProto:
        """The graph on an input of open sizes."""
        used = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [f"d{axis}" for axis in range(3)])]
        kinds = {np.dtype(np.int64): TensorProto.INT64, np.dtype(np.bool_): TensorProto.BOOL}
        info = [
            helper.make_tensor_value_info(name, kinds[self.one(name).dtype], [None] * self.one(name).ndim)
            for name in outputs
        ]
        initializers = [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        graph = helper.make_graph(self.nodes, "sizes", used, info, initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """What ONNX Runtime computes."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [np.asarray(array) for array in session.run(None, feeds)]


def random_graph(seed: int, nodes: int = 12) -> Graph:
    """A graph of some nodes; two sizes of its input."""
    rng = np.random.default_rng(seed)
    shapes = [tuple(int(size) for size in rng.integers(1, 9, 3)) for _ in range(2)]
    graph = Graph(rng, shapes)
    while len(graph.nodes) < nodes:
        try:
            DRAWN[int(rng.integers(len(DRAWN)))](graph)
        except Exception:
            # What ONNX Runtime refuses, or does not fit, is drawn again.
            continue
    return graph


COMPARISONS = ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")
DRAWN: list[Callable[[Graph], None]] = []


def _drawn(function: Callable[[Graph], None]) -> Callable[[Graph], None]:
    DRAWN.append(function)
    return function


def _operand(g: Graph, like: str, low: int = -3, high: int = 9) -> str:
    """Something that broadcasts with a tensor: another one, or a constant."""
    shape = g.one(like).shape
    if g.chance():
        return g.pick(lambda array: array.shape in (shape, (), (1,)))
    return g.constant(g.integers(low, high, shape[g.integers(0, len(shape) + 1) :]))


@_drawn
def _arithmetic(g: Graph) -> None:
    name = g.pick()
    pair = [name, _operand(g, name)]
    g.add(str(g.rng.choice(["Add", "Sub", "Mul", "Div"])), pair[:: -1 if g.chance() else 1])


@_drawn
def _quotient(g: Graph) -> None:
    name = g.pick()
    divisor = _operand(g, name)
    arrays = g.values.get(divisor, [g.constants[divisor]] if divisor in g.constants else [])
    if any(np.any(array == 0) for array in arrays):
        raise ValueError("divides by zero")
    if g.chance():
        g.add("Div", [name, divisor])
    else:
        g.add("Mod", [name, divisor], fmod=int(g.chance()))


@_drawn
def _unary(g: Graph) -> None:
    g.add(str(g.rng.choice(["Neg", "Abs"])), [g.pick()])


@_drawn
def _extremes(g: Graph) -> None:
    name = g.pick()
    g.add(str(g.rng.choice(["Min", "Max"])), [name, *(_operand(g, name) for _ in range(g.integers(0, 3)))])


@_drawn
def _comparison(g: Graph) -> None:
    name = g.pick()
    g.add(str(g.rng.choice(COMPARISONS)), [name, _operand(g, name)])


@_drawn
def _where(g: Graph) -> None:
    name = g.pick()
    truths = [n for n, arrays in g.values.items() if arrays[0].dtype == bool and arrays[0].shape == g.one(name).shape]
    condition = g.constant(g.integers(0, 2, g.one(name).shape).astype(bool))
    if truths and g.chance(0.7):
        condition = str(g.rng.choice(truths))
    g.add("Where", [condition, name, _operand(g, name)][:])


@_drawn
def _cast(g: Graph) -> None:
    g.add("Cast", [g.pick()], to=TensorProto.INT64)


@_drawn
def _gather(g: Graph) -> None:
    name = g.pick(lambda array: array.ndim > 0)
    axis = int(g.integers(-g.one(name).ndim, g.one(name).ndim))
    length = g.one(name).shape[axis]
    shape = [(), (1,), (3,), (2, 2)][g.integers(0, 4)]
    g.add("Gather", [name, g.constant(g.integers(-length, length, shape))], axis=axis)


@_drawn
def _gather_elements(g: Graph) -> None:
    name = g.pick(lambda array: array.ndim > 0)
    axis = int(g.integers(-g.one(name).ndim, g.one(name).ndim))
    shape = [int(g.integers(1, size + 1)) for size in g.one(name).shape]
    length = g.one(name).shape[axis]
    g.add("GatherElements", [name, g.constant(g.integers(-length, length, shape))], axis=axis)


@_drawn
def _gather_nd(g: Graph) -> None:
    name = g.pick(lambda array: array.ndim > 0)
    shape = g.one(name).shape
    batch = int(g.integers(0, len(shape)))
    depth = int(g.integers(1, len(shape) - batch + 1))
    leading = [*shape[:batch], *[2] * int(g.integers(0, 2))]
    columns = [g.integers(-size, size, leading) for size in shape[batch : batch + depth]]
    g.add("GatherND", [name, g.constant(np.stack(columns, -1))], batch_dims=batch)


@_drawn
def _scatter_elements(g: Graph) -> None:
    name = g.pick(lambda array: array.ndim > 0)
    axis = int(g.integers(-g.one(name).ndim, g.one(name).ndim))
    shape = g.one(name).shape
    indices = g.integers(0, 2, [1] * len(shape)) if g.chance() else np.zeros(shape, np.int64)
    indices = indices % shape[axis] - (shape[axis] if g.chance() else 0)
    reduction = str(g.rng.choice(["none", "add", "mul", "max", "min"]))
    if reduction == "none" and indices.size > 1:
        raise ValueError("which update comes last is not defined")
    updates = g.constant(g.integers(-3, 9, indices.shape))
    g.add("ScatterElements", [name, g.constant(indices), updates], axis=axis, reduction=reduction)


@_drawn
def _scatter_nd(g: Graph) -> None:
    name = g.pick(lambda array: array.ndim > 0)
    shape = g.one(name).shape
    depth = int(g.integers(1, len(shape) + 1))
    reduction = str(g.rng.choice(["none", "add", "mul", "max", "min"]))
    count = 1 if reduction == "none" else 2
    indices = np.stack([g.integers(-size, size, (count,)) for size in shape[:depth]], -1)
    updates = g.constant(g.integers(-3, 9, (count, *shape[depth:])))
    g.add("ScatterND", [name, g.constant(indices), updates], reduction=reduction)


@_drawn
def _slice(g: Graph) -> None:
    name = g.pick(lambda array: array.ndim > 0)
    rank = g.one(name).ndim
    axes = g.rng.permutation(rank)[: g.integers(1, rank + 1)]
    ends = np.array([np.iinfo(np.int64).max, np.iinfo(np.int64).min, -9, -2, -1, 0, 1, 2, 9])
    starts, stops = (g.rng.choice(ends, len(axes)) for _ in range(2))
    inputs = [name, g.constant(starts), g.constant(stops)]
    if g.chance(0.7) or len(axes) < rank:
        inputs.append(g.constant(axes - (rank if g.chance() else 0)))
        if g.chance(0.7):
            inputs.append(g.constant(g.rng.choice(np.array([-2, -1, 1, 2, 5]), len(axes))))
    g.add("Slice", inputs)


@_drawn
def _concat(g: Graph) -> None:
    name = g.pick(lambda array: array.ndim > 0)
    shape = g.one(name).shape
    axis = int(g.integers(-len(shape), len(shape)))
    others = [
        g.pick(lambda array: array.shape == shape) if g.chance() else g.constant(g.integers(-3, 9, shape))
        for _ in range(g.integers(0, 3))
    ]
    g.add("Concat", [name, *others], axis=axis)


@_drawn
def _split(g: Graph) -> None:
    name = g.pick(lambda array: array.ndim > 0)
    axis = int(g.integers(-g.one(name).ndim, g.one(name).ndim))
    size = g.one(name).shape[axis]
    if g.chance():
        first = int(g.integers(0, size + 1))
        g.add("Split", [name, g.constant([first, size - first])], 2, axis=axis)
    else:
        count = int(g.integers(1, size + 1))
        g.add("Split", [name], count, axis=axis, num_outputs=count)


@_drawn
def _squeeze(g: Graph) -> None:
    name = g.pick(lambda array: 1 in array.shape)
    shape = g.one(name).shape
    axes = [axis - (len(shape) if g.chance() else 0) for axis, size in enumerate(shape) if size == 1 and g.chance(0.7)]
    g.add("Squeeze", [name, g.constant(np.array(axes))] if axes else [name])


@_drawn
def _unsqueeze(g: Graph) -> None:
    name = g.pick(lambda array: array.ndim < 3)
    rank = g.one(name).ndim
    count = int(g.integers(1, 4 - rank))
    axes = g.rng.permutation(rank + count)[:count]
    g.add("Unsqueeze", [name, g.constant(axes - ((rank + count) if g.chance() else 0))])


@_drawn
def _reshape(g: Graph) -> None:
    name = g.pick()
    size = g.one(name).size
    shapes = [[-1], [size], [1, -1], [-1, 1], [0, -1], [0, 0], [2, -1]]
    g.add("Reshape", [name, g.constant(shapes[g.integers(0, len(shapes))])], allowzero=int(g.chance(0.3)))


@_drawn
def _flatten(g: Graph) -> None:
    name = g.pick(lambda array: array.ndim > 0)
    rank = g.one(name).ndim
    g.add("Flatten", [name], axis=int(g.integers(-rank, rank + 1)))


@_drawn
def _transpose(g: Graph) -> None:
    name = g.pick(lambda array: array.ndim > 1)
    perm = [int(axis) for axis in g.rng.permutation(g.one(name).ndim)]
    g.add("Transpose", [name], **({"perm": perm} if g.chance(0.7) else {}))


@_drawn
def _expand(g: Graph) -> None:
    name = g.pick()
    wanted = [size if g.chance() else 1 for size in g.one(name).shape]
    wanted = [int(g.integers(1, 4))] * int(g.integers(0, 2)) + [
        int(g.integers(1, 4)) if size == 1 and full == 1 else size
        for size, full in zip(wanted, g.one(name).shape, strict=True)
    ]
    g.add("Expand", [name, g.constant(np.array(wanted, np.int64))])


@_drawn
def _tile(g: Graph) -> None:
    name = g.pick(lambda array: array.ndim > 0)
    g.add("Tile", [name, g.constant(g.integers(1, 3, (g.one(name).ndim,)))])


@_drawn
def _reduce(g: Graph) -> None:
    name = g.pick()
    rank = g.one(name).ndim
    op = str(g.rng.choice(["ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"]))
    attributes: dict[str, object] = {"keepdims": int(g.chance()), "noop_with_empty_axes": int(g.chance())}
    axes = g.rng.permutation(rank)[: g.integers(0, rank + 1)] - (rank if g.chance() else 0)
    inputs = [name]
    if g.chance(0.7):
        inputs.append(g.constant(axes.astype(np.int64)))
    g.add(op, inputs, **attributes)
