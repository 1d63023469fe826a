"""A few lines over `onnx.helper` to write a feed-forward network down layer by layer.

Both models of the demo are built with it; batch normalisation is folded into the convolutions by whoever
provides the weights, as every exporter does for inference.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


class NetworkBuilder:
    """Appends nodes to one ONNX graph; every method returns the name of the tensor it produced."""

    def __init__(self, name: str, input_shape: tuple[int, ...]) -> None:
        self.name = name
        self.input_shape = input_shape
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def _weights(self, name: str, value: np.ndarray) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
        return name

    def _node(self, op_type: str, name: str, inputs: list[str], **attributes: object) -> str:
        self.nodes.append(helper.make_node(op_type, inputs, [f"{name}_out"], name=name, **attributes))
        return f"{name}_out"

    def conv(self, name: str, x: str, weight: np.ndarray, bias: np.ndarray, stride: int = 1) -> str:
        """Convolution, "same" padded for odd kernels; weight (out, in, kh, kw), bias (out,)."""
        kernel = weight.shape[2:]
        pads = [k // 2 for k in kernel] * 2
        inputs = [x, self._weights(f"{name}_weight", weight), self._weights(f"{name}_bias", bias)]
        return self._node("Conv", name, inputs, kernel_shape=list(kernel), strides=[stride] * 2, pads=pads)

    def relu(self, name: str, x: str) -> str:
        return self._node("Relu", name, [x])

    def add(self, name: str, x: str, y: str) -> str:
        return self._node("Add", name, [x, y])

    def max_pool(self, name: str, x: str, kernel: int, stride: int, pad: int) -> str:
        return self._node("MaxPool", name, [x], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)

    def global_average_pool(self, name: str, x: str) -> str:
        return self._node("GlobalAveragePool", name, [x])

    def flatten(self, name: str, x: str) -> str:
        return self._node("Flatten", name, [x], axis=1)

    def gemm(self, name: str, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
        """Fully connected layer; weight (out, in), bias (out,)."""
        inputs = [x, self._weights(f"{name}_weight", weight), self._weights(f"{name}_bias", bias)]
        return self._node("Gemm", name, inputs, transB=1)

    def build(self, output: str, output_shape: tuple[int, ...]) -> onnx.ModelProto:
        """The checked model with one input "input" and one output "output"."""
        self.nodes[-1].output[0] = "output"
        assert output == f"{self.nodes[-1].name}_out", "the output must be the last node's"
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, self.input_shape)],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, output_shape)],
            self.initializers,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model
