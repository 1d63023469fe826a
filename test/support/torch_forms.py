"""Two-layer transformers as torch.onnx.export(dynamo=True) writes them, without PyTorch.

The exporter's habits are what matters: attention spelled out around two MatMul, the projections cut by Slice and
Squeeze out of one product, sizes that are Shape, Slice and Concat where they are open, -1 in a Reshape beside them,
the causal mask computed from them.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FEATURES, HEADS, VOCABULARY, LAYERS = 32, 4, 53, 2
HEAD = FEATURES // HEADS
OPSET = 20

FIXED = {"batch": 2, "sequence": 7}


class Builder:
    """Appends nodes; results are named after their operators."""

    def __init__(self, dynamic: bool) -> None:
        self.dynamic = dynamic
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: dict[str, onnx.TensorProto] = {}
        self.random = np.random.default_rng(5)

    def __call__(self, op_type: str, *inputs: str, **attributes: object) -> str:
        name = f"{op_type.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], name=f"node_{name}", **attributes))
        return name

    def constant(self, value: object, dtype: type = np.int64) -> str:
        array = np.asarray(value, dtype)
        name = f"val_{array.dtype}_{array.tolist()}"
        self.tensors[name] = numpy_helper.from_array(array, name)
        return name

    def weight(self, *shape: int, scale: float = 0.2) -> str:
        name = f"weight_{len(self.tensors)}"
        array = self.random.standard_normal(shape).astype(np.float32) * np.float32(scale)
        self.tensors[name] = numpy_helper.from_array(array, name)
        return name

    def sizes(self, *entries: str | int) -> str:
        """A shape whose entries are numbers or vectors of one element."""
        if all(isinstance(entry, int) for entry in entries):
            return self.constant(entries)
        return self("Concat", *(self.constant([e]) if isinstance(e, int) else e for e in entries), axis=0)

    def linear(self, x: str, inputs: int, outputs: int) -> str:
        return self("Add", self("MatMul", x, self.weight(inputs, outputs)), self.weight(outputs))

    def norm(self, x: str) -> str:
        scale, bias = self.weight(FEATURES, scale=1.0), self.weight(FEATURES)
        return self("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-5, stash_type=1)

    def cut(self, x: str, index: int) -> str:
        """x[index], as unbind becomes."""
        zero = self.constant([0])
        part = self("Slice", x, self.constant([index]), self.constant([index + 1]), zero)
        return self("Squeeze", part, zero)

    def causal_mask(self, query: str, key: str) -> str:
        if not self.dynamic:
            length = FIXED["sequence"]
            allowed = np.tril(np.ones((length, length), bool))
            name = "mask"
            mask = np.where(allowed, np.float32(0), np.finfo(np.float32).min)
            self.tensors[name] = numpy_helper.from_array(mask.astype(np.float32), name)
            return name
        shape = self("Concat", *(self.last(tensor, -2, -1) for tensor in (query, key)), axis=0)
        lower = self("Trilu", self("Expand", self.constant(1, np.float32), shape), upper=0)
        hidden = self("Equal", lower, self.constant(0, np.float32))
        return self("Where", hidden, self.constant(np.finfo(np.float32).min, np.float32), self.constant(0, np.float32))

    def last(self, x: str, start: int, end: int) -> str:
        """Part of the shape of x."""
        return self("Slice", self("Shape", x, start=0), self.constant([start]), self.constant([end]))

    def transposed_key(self, key: str) -> str:
        if not self.dynamic:
            return self("Transpose", key, perm=[0, 1, 3, 2])
        length, least = self.last(key, -2, -1), -(2**63)
        features = self.last(key, -1, 2**63 - 1)
        flat = self("Reshape", key, self("Concat", self.constant([-1]), length, features, axis=0), allowzero=0)
        turned = self("Transpose", flat, perm=[0, 2, 1])
        return self("Reshape", turned, self("Concat", self.last(key, least, -2), features, length, axis=0), allowzero=0)

    def attention(self, x: str, sizes: tuple[str | int, str | int], mask: str = "", causal: bool = False) -> str:
        heads = self("Reshape", self.linear(x, FEATURES, 3 * FEATURES), self.sizes(*sizes, 3, HEADS, HEAD), allowzero=1)
        heads = self("Transpose", heads, perm=[2, 0, 3, 1, 4])
        query, key, value = (self.cut(heads, index) for index in range(3))
        if causal:
            mask = self.causal_mask(query, key)
        scale = self.constant([HEAD**-0.25], np.float32)
        scores = self("MatMul", self("Mul", query, scale), self("Mul", self.transposed_key(key), scale))
        if mask:
            scores = self("Add", scores, mask)
        result = self("Transpose", self("MatMul", self("Softmax", scores, axis=-1), value), perm=[0, 2, 1, 3])
        return self.linear(self("Reshape", result, self.sizes(*sizes, FEATURES), allowzero=1), FEATURES, FEATURES)

    def network(self, x: str, approximate: str) -> str:
        hidden = self("Gelu", self.linear(x, FEATURES, 2 * FEATURES), approximate=approximate)
        return self.linear(hidden, 2 * FEATURES, FEATURES)

    def embedding(self, tokens: str) -> tuple[str, tuple[str | int, str | int]]:
        """Words and positions, and the sizes of the batch."""
        words = self("Gather", self.weight(VOCABULARY, FEATURES), tokens, axis=0)
        positions = self.weight(40, FEATURES)
        if not self.dynamic:
            length = FIXED["sequence"]
            rows = self("Gather", positions, self.constant(np.arange(length)), axis=0)
            return self("Add", words, rows), (FIXED["batch"], length)
        batch, length = (self("Shape", tokens, start=axis, end=axis + 1) for axis in range(2))
        numbers = self("Range", self.constant(0), self("Squeeze", length), self.constant(1))
        return self("Add", words, self("Gather", positions, numbers, axis=0)), (batch, length)

    def model(self, inputs: dict[str, tuple[int, list[int | str]]], outputs: dict[str, int]) -> onnx.ModelProto:
        def shape(dims: list[int | str]) -> list[int | str]:
            return [FIXED.get(str(dim), dim) for dim in dims] if not self.dynamic else dims

        declared = [helper.make_tensor_value_info(name, kind, shape(dims)) for name, (kind, dims) in inputs.items()]
        results = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * rank) for name, rank in outputs.items()
        ]
        graph = helper.make_graph(self.nodes, "main_graph", declared, results, list(self.tensors.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
        onnx.checker.check_model(model, full_check=True)
        return model


def bert(dynamic: bool) -> onnx.ModelProto:
    """Normalizes after each part; a mask over the keys that is an input; a pooled first token."""
    b = Builder(dynamic)
    x, sizes = b.embedding("input_ids")
    x = b.norm(x)
    one, least = b.constant(1, np.float32), b.constant(np.finfo(np.float32).min, np.float32)
    given = b("Cast", b("Unsqueeze", "attention_mask", b.constant([1, 2])), to=TensorProto.FLOAT)
    mask = b("Mul", b("Sub", one, given), least)
    for _ in range(LAYERS):
        x = b.norm(b("Add", x, b.attention(x, sizes, mask)))
        x = b.norm(b("Add", x, b.network(x, "none")))
    first = b("Gather", x, b.constant(0), axis=1)
    pooled = b(
        "Tanh", b("Gemm", first, b.weight(FEATURES, FEATURES), b.weight(FEATURES), transB=1, alpha=1.0, beta=1.0)
    )
    tokens = (TensorProto.INT64, ["batch", "sequence"])
    return b.model({"input_ids": tokens, "attention_mask": tokens}, {x: 3, pooled: 2})


def gpt2(dynamic: bool) -> onnx.ModelProto:
    """Normalizes before each part, attends to what came before only, and gives a number for every word."""
    b = Builder(dynamic)
    x, sizes = b.embedding("input_ids")
    for _ in range(LAYERS):
        x = b("Add", x, b.attention(b.norm(x), sizes, causal=True))
        x = b("Add", x, b.network(b.norm(x), "tanh"))
    y = b("MatMul", b.norm(x), b.weight(FEATURES, VOCABULARY))
    return b.model({"input_ids": (TensorProto.INT64, ["batch", "sequence"])}, {y: 3})


def vision_transformer(dynamic: bool) -> onnx.ModelProto:
    """Patches of an image, and a token in front of them that collects the answer."""
    b = Builder(dynamic)
    batch = b("Shape", "image", start=0, end=1) if dynamic else FIXED["batch"]
    patches = b("Conv", "image", b.weight(FEATURES, 3, 4, 4), b.weight(FEATURES), strides=[4, 4], group=1)
    rows = b("Transpose", b("Reshape", patches, b.sizes(batch, FEATURES, 6), allowzero=1), perm=[0, 2, 1])
    if dynamic:
        token = b("Expand", b.weight(1, 1, FEATURES), b.sizes(batch, 1, FEATURES))
    else:
        token = b.weight(FIXED["batch"], 1, FEATURES)
    x = b("Add", b("Concat", token, rows, axis=1), b.weight(1, 7, FEATURES))
    for _ in range(LAYERS):
        x = b("Add", x, b.attention(b.norm(x), (batch, 7)))
        x = b("Add", x, b.network(b.norm(x), "none"))
    y = b("Gemm", b("Gather", b.norm(x), b.constant(0), axis=1), b.weight(10, FEATURES), b.weight(10), transB=1)
    return b.model({"image": (TensorProto.FLOAT, ["batch", 3, 8, 12])}, {y: 2})


def resnet50(dynamic: bool) -> onnx.ModelProto:
    """The 53 convolutions of ResNet-50, a few channels wide, with batch norms and the flattening of older exports."""
    b = Builder(dynamic)
    width = 4

    def conv(x: str, inputs: int, outputs: int, kernel: int, stride: int = 1) -> str:
        pad = kernel // 2
        x = b("Conv", x, b.weight(outputs, inputs, kernel, kernel), strides=[stride] * 2, pads=[pad] * 4)
        variance = b.constant(np.linspace(0.5, 2.0, outputs), np.float32)
        return b("BatchNormalization", x, b.weight(outputs), b.weight(outputs), b.weight(outputs), variance)

    x = b("Relu", conv("image", 3, width, 7, 2))
    x = b("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = width
    for stage, count in enumerate((3, 4, 6, 3)):
        inner, outer = width << stage, 4 * width << stage
        for block in range(count):
            stride = 2 if stage and not block else 1
            y = b("Relu", conv(x, channels, inner, 1))
            y = b("Relu", conv(y, inner, inner, 3, stride))
            y = conv(y, inner, outer, 1)
            x = b("Relu", b("Add", y, x if block else conv(x, channels, outer, 1, stride)))
            channels = outer
    x = b("Identity", b("ReduceMean", x, b.constant([-1, -2]), keepdims=1))
    rows = b("Gather", b("Shape", x), b.constant(0), axis=0)
    x = b("Reshape", x, b("Concat", b("Unsqueeze", rows, b.constant([0])), b.constant([-1]), axis=0))
    y = b("Gemm", b("Dropout", x), b.weight(10, channels), b.weight(10), transB=1)
    return b.model({"image": (TensorProto.FLOAT, ["batch", 3, 64, 64])}, {y: 2})


MODELS = {"bert": bert, "gpt2": gpt2, "vision_transformer": vision_transformer, "resnet50": resnet50}
