"""Random graphs compute the same before and after the rewrites of the graph level."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

import acc
from acc.passmanager import PassManager
from graph_as_onnx import make_model, run, to_onnx

PIPELINE = "builtin.module(canonicalize,graph-fold-batch-norm,canonicalize,cse)"


class RandomGraph:
    """Appends random operators to a pool of values, all of which stay available as operands."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.shapes: dict[str, tuple[int, ...]] = {"x": (1, 4, 6, 6)}

    def constant(self, array: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = array
        return name

    def floats(self, *shape: int) -> str:
        """A constant; often one that an identity or a splat rule looks at."""
        choice = self.rng.integers(4)
        if choice < 2:
            return self.constant(np.full(shape, float(choice), np.float32))
        if choice == 2:
            return self.constant(np.full(shape, self.rng.uniform(0.5, 2), np.float32))
        return self.constant(self.rng.uniform(0.5, 2, shape).astype(np.float32))

    def node(self, op_type: str, inputs: list[str], shape: tuple[int, ...], **attributes: object) -> None:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], name=f"n{len(self.nodes)}", **attributes))
        self.shapes[name] = shape

    def pick(self) -> str:
        # The most recent values are the most likely, so that chains are long enough to be rewritten.
        names = list(self.shapes)
        return names[-1 - min(int(self.rng.exponential(0.8)), len(names) - 1)]

    def grow(self) -> None:
        rng, x = self.rng, self.pick()
        shape = self.shapes[x]
        rank = len(shape)
        match rng.integers(12):
            case 0:
                self.node("Relu", [x], shape)
            case 1:
                low, high = self.constant(np.float32(rng.choice([-1, 0]))), self.constant(np.float32(rng.uniform(1, 3)))
                self.node("Clip", [x, low, high][: rng.integers(1, 4)], shape)
            case 2:
                per_channel = (shape[1], *[1] * (rank - 2)) if rank > 1 else shape
                other = self.floats(*(per_channel if rng.random() < 0.7 else ()))
                op_type = str(rng.choice(["Add", "Sub", "Mul", "Div"]))
                operands = [x, other] if op_type == "Div" or rng.random() < 0.7 else [other, x]
                # What infinities become in a convolution depends on how it is computed.
                if op_type == "Div":
                    self.constants[other] = np.maximum(self.constants[other], np.float32(0.5))
                self.node(op_type, operands, shape)
            case 3:
                same = [name for name, other in self.shapes.items() if other == shape]
                self.node("Sum", [str(rng.choice(same)) for _ in range(rng.integers(1, 4))], shape)
            case 4:
                perm = [int(axis) for axis in rng.permutation(rank)]
                self.node("Transpose", [x], tuple(shape[axis] for axis in perm), perm=perm)
            case 5:
                target = rng.permutation([*shape, *[1] * int(rng.integers(2))])
                self.node("Reshape", [x, self.constant(np.array(target))], tuple(map(int, target)))
            case 6:
                axis = int(rng.integers(rank + 1))
                shape = (int(np.prod(shape[:axis])), int(np.prod(shape[axis:])))
                self.node("Flatten", [x], shape, axis=axis)
            case 7:
                axis = int(rng.integers(rank + 1))
                axes = self.constant(np.array([axis]))
                self.node("Unsqueeze", [x, axes], (*shape[:axis], 1, *shape[axis:]))
            case 8 if rank == 4 and np.prod(shape) < 3000:
                pads = np.array([0, 0, *rng.integers(0, 3, 2), 0, 0, *rng.integers(0, 3, 2)])
                value = self.constant(np.float32(rng.choice([0, 0, 1])))
                grown = tuple(int(size) for size in np.array(shape) + pads[:4] + pads[4:])
                self.node("Pad", [x, self.constant(pads), value], grown)
            case 9 | 10 if rank == 4 and min(shape[2:]) >= 1:
                outputs = int(rng.integers(1, 5))
                kernel = [int(rng.integers(1, min(size, 3) + 1)) for size in shape[2:]]
                pad = [int(rng.integers(0, 2)) for _ in range(4)]
                sizes = [
                    n + pad[i] + pad[i + 2] - k + 1 for i, (n, k) in enumerate(zip(shape[2:], kernel, strict=True))
                ]
                operands = [x, self.floats(outputs, shape[1], *kernel)]
                if rng.random() < 0.5:
                    operands.append(self.floats(outputs))
                self.node("Conv", operands, (shape[0], outputs, *sizes), pads=pad)
            case 11 if rank > 1:
                self.node("BatchNormalization", [x, *(self.floats(shape[1]) for _ in range(4))], shape)


@pytest.mark.parametrize("seed", range(60))
def test_random_graph(seed: int) -> None:
    graph = RandomGraph(seed)
    for _ in range(12):
        graph.grow()
    if not graph.nodes:
        return
    used = {name for node in graph.nodes for name in node.input}
    outputs = [name for name in graph.shapes if name != "x" and name not in used]
    x = graph.rng.standard_normal(graph.shapes["x"]).astype(np.float32)
    model = make_model(graph.nodes, {"x": x}, graph.constants, outputs)
    with np.errstate(all="ignore"):
        expected = run(model, {"x": x})
    module = acc.import_onnx(model)
    compare(run(to_onnx(module), {"x": x}), expected)
    PassManager.parse(PIPELINE, context=module.context).run(module)
    compare(run(to_onnx(module), {"x": x}), expected)


def compare(results: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    for name, array in expected.items():
        scale = np.abs(array[np.isfinite(array)]).max(initial=1.0)
        np.testing.assert_allclose(results[name] / scale, array / scale, rtol=1e-3, atol=1e-5)
