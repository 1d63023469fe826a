"""Trains mobilenet.onnx and vit.onnx on scikit-learn's digits.

Needs PyTorch, which nothing else here does; the results are committed. Deterministic: fixed seed, one thread. Batch
normalisation stays a node of its own, as models have it that were not exported for inference.

    python benchmarks/quantization_tasks/train_digits_networks.py
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "demo")]

from digits_data import load_split  # noqa: E402
from quantization_tasks import with_own_constants  # noqa: E402
from quantization_tasks.digits import distort, enlarge  # noqa: E402

SIZE = 16
EPOCHS = {"MobileNet": 30, "ViT": 80}
# Inverted residuals of MobileNetV2 (Sandler et al. 2018): expansion, output channels, stride.
BLOCKS = ((1, 16, 1), (4, 24, 2), (4, 24, 1), (4, 32, 2), (4, 32, 1))
PATCH, FEATURES, HEADS, DEPTH = 4, 48, 3, 4


class Net:
    """An ONNX graph that is written down while the layers are walked."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}

    def constant(self, name: str, value: np.ndarray | torch.Tensor) -> str:
        self.constants[name] = value.detach().numpy() if isinstance(value, torch.Tensor) else value
        return name

    def node(self, op: str, name: str, *inputs: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def conv(self, name: str, x: str, conv: nn.Conv2d) -> str:
        (kernel, _), (stride, _), pad = conv.kernel_size, conv.stride, int(conv.padding[0])
        inputs = [self.constant(f"{name}.weight", conv.weight)]
        if conv.bias is not None:
            inputs.append(self.constant(f"{name}.bias", conv.bias))
        shape = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "group": conv.groups}
        return self.node("Conv", name, x, *inputs, **shape)

    def batch_norm(self, name: str, x: str, norm: nn.BatchNorm2d) -> str:
        assert norm.running_mean is not None and norm.running_var is not None
        parts = {"weight": norm.weight, "bias": norm.bias, "mean": norm.running_mean, "var": norm.running_var}
        inputs = [self.constant(f"{name}.{part}", value) for part, value in parts.items()]
        return self.node("BatchNormalization", name, x, *inputs, epsilon=norm.eps)

    def linear(self, name: str, x: str, layer: nn.Linear) -> str:
        product = self.node("MatMul", f"{name}/MatMul", x, self.constant(f"{name}.weight", layer.weight.T.contiguous()))
        return self.node("Add", f"{name}/Add", product, self.constant(f"{name}.bias", layer.bias))

    def layer_norm(self, name: str, x: str, norm: nn.LayerNorm) -> str:
        scale, bias = self.constant(f"{name}.weight", norm.weight), self.constant(f"{name}.bias", norm.bias)
        return self.node("LayerNormalization", name, x, scale, bias, epsilon=norm.eps, axis=-1)

    def build(self, name: str, output: str) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, (1, 1, SIZE, SIZE))],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, (1, 10))],
            [numpy_helper.from_array(value, key) for key, value in self.constants.items()],
        )
        model = with_own_constants(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))
        onnx.checker.check_model(model)
        return model


class Inverted(nn.Module):
    """Expansion, depthwise convolution and projection, with a shortcut where the shape stays."""

    def __init__(self, inputs: int, expansion: int, outputs: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = nn.Conv2d(inputs, wide, 1, bias=False)
        self.depthwise = nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False)
        self.project = nn.Conv2d(wide, outputs, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(wide), nn.BatchNorm2d(wide), nn.BatchNorm2d(outputs)])
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = nn.functional.relu6(self.norms[0](self.expand(x)))
        y = nn.functional.relu6(self.norms[1](self.depthwise(y)))
        y = self.norms[2](self.project(y))
        return x + y if self.is_residual else y

    def write(self, net: Net, name: str, x: str) -> str:
        y = x
        for index, part in enumerate(("expand", "depthwise", "project")):
            norm = self.norms[index]
            assert isinstance(norm, nn.BatchNorm2d)
            y = net.conv(f"{name}/{part}", y, getattr(self, part))
            y = net.batch_norm(f"{name}/{part}/norm", y, norm)
            if part != "project":
                y = net.node("Clip", f"{name}/{part}/relu6", y, "zero", "six")
        return net.node("Add", f"{name}/add", x, y) if self.is_residual else y


class MobileNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        blocks, channels = [], 16
        for expansion, outputs, stride in BLOCKS:
            blocks.append(Inverted(channels, expansion, outputs, stride))
            channels = outputs
        self.blocks = nn.ModuleList(blocks)
        self.head, self.head_norm = nn.Conv2d(channels, 128, 1, bias=False), nn.BatchNorm2d(128)
        self.classify = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.relu6(self.norm(self.stem(x)))
        for block in self.blocks:
            x = block(x)
        return self.classify(nn.functional.relu6(self.head_norm(self.head(x))).mean((2, 3)))

    def to_onnx(self) -> onnx.ModelProto:
        net = Net()
        net.constant("zero", np.float32(0))
        net.constant("six", np.float32(6))
        x = net.batch_norm("stem/norm", net.conv("stem", "input", self.stem), self.norm)
        x = net.node("Clip", "stem/relu6", x, "zero", "six")
        for index, block in enumerate(self.blocks):
            assert isinstance(block, Inverted)
            x = block.write(net, f"block{index}", x)
        x = net.batch_norm("head/norm", net.conv("head", x, self.head), self.head_norm)
        x = net.node("GlobalAveragePool", "pool", net.node("Clip", "head/relu6", x, "zero", "six"))
        return net.build("mobilenet", net.linear("classify", net.node("Flatten", "flatten", x), self.classify))


class Encoder(nn.Module):
    """Attention and feed-forward, each behind a normalisation and beside a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(FEATURES), nn.LayerNorm(FEATURES)
        self.query, self.key, self.value, self.out = (nn.Linear(FEATURES, FEATURES) for _ in range(4))
        self.fc1, self.fc2 = nn.Linear(FEATURES, 4 * FEATURES), nn.Linear(4 * FEATURES, FEATURES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, length, _ = x.shape
        y = self.norm1(x)
        q, k, v = (
            layer(y).reshape(n, length, HEADS, -1).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        shares = (q @ k.transpose(2, 3) / (FEATURES // HEADS) ** 0.5).softmax(-1)
        x = x + self.out((shares @ v).transpose(1, 2).reshape(n, length, FEATURES))
        return x + self.fc2(nn.functional.gelu(self.fc1(self.norm2(x))))

    def write(self, net: Net, name: str, x: str) -> str:
        y = net.layer_norm(f"{name}/norm1", x, self.norm1)
        length = (SIZE // PATCH) ** 2
        heads = net.constant("heads", np.array([1, length, HEADS, FEATURES // HEADS]))
        parts = []
        for part, perm in (("query", (0, 2, 1, 3)), ("key", (0, 2, 3, 1)), ("value", (0, 2, 1, 3))):
            z = net.linear(f"{name}/{part}", y, getattr(self, part))
            z = net.node("Reshape", f"{name}/{part}/heads", z, heads)
            parts.append(net.node("Transpose", f"{name}/{part}/transpose", z, perm=perm))
        scores = net.node("MatMul", f"{name}/scores", *parts[:2])
        scores = net.node("Div", f"{name}/scale", scores, net.constant("root", np.float32((FEATURES // HEADS) ** 0.5)))
        z = net.node("MatMul", f"{name}/context", net.node("Softmax", f"{name}/softmax", scores, axis=-1), parts[2])
        z = net.node("Transpose", f"{name}/context/transpose", z, perm=(0, 2, 1, 3))
        z = net.node("Reshape", f"{name}/join", z, net.constant("joined", np.array([1, length, FEATURES])))
        x = net.node("Add", f"{name}/add1", x, net.linear(f"{name}/out", z, self.out))
        y = net.linear(f"{name}/fc1", net.layer_norm(f"{name}/norm2", x, self.norm2), self.fc1)
        half = net.node("Div", f"{name}/gelu/div", y, net.constant("root2", np.float32(2**0.5)))
        half = net.node("Add", f"{name}/gelu/add", net.node("Erf", f"{name}/gelu/erf", half), "one")
        y = net.node("Mul", f"{name}/gelu/mul", net.node("Mul", f"{name}/gelu/half", y, "half"), half)
        return net.node("Add", f"{name}/add2", x, net.linear(f"{name}/fc2", y, self.fc2))


class ViT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, FEATURES, PATCH, PATCH)
        self.positions = nn.Parameter(torch.randn(1, (SIZE // PATCH) ** 2, FEATURES) * 0.5)
        self.blocks = nn.ModuleList(Encoder() for _ in range(DEPTH))
        self.norm, self.classify = nn.LayerNorm(FEATURES), nn.Linear(FEATURES, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.classify(self.norm(x).mean(1))

    def to_onnx(self) -> onnx.ModelProto:
        net = Net()
        net.constant("one", np.float32(1))
        net.constant("half", np.float32(0.5))
        x = net.conv("patches", "input", self.patches)
        x = net.node("Reshape", "flatten", x, net.constant("flat", np.array([1, FEATURES, (SIZE // PATCH) ** 2])))
        x = net.node("Transpose", "transpose", x, perm=(0, 2, 1))
        x = net.node("Add", "embed", x, net.constant("positions", self.positions))
        for index, block in enumerate(self.blocks):
            assert isinstance(block, Encoder)
            x = block.write(net, f"block{index}", x)
        x = net.node("ReduceMean", "mean", net.layer_norm("norm", x, self.norm), axes=[1], keepdims=0)
        return net.build("vit", net.linear("classify", x, self.classify))


def train(make: Callable[[], MobileNet | ViT], rate: float) -> MobileNet | ViT:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    images, labels = load_split("train")
    net = make()
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-2)
    batches = len(images) // 64
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, EPOCHS[make.__name__] * batches)
    for _ in range(EPOCHS[make.__name__]):
        moves = random.integers(-1, 2, (len(images), 2))
        shifted = np.stack([np.roll(image, move, (1, 2)) for image, move in zip(images, moves, strict=True)])
        shifted = distort(shifted, random)
        pixels = torch.from_numpy(enlarge(shifted, SIZE))
        for index in torch.randperm(len(images))[: batches * 64].split(64):
            loss = nn.functional.cross_entropy(net(pixels[index]), torch.from_numpy(labels)[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def main() -> None:
    images, labels = load_split("test")
    for make, rate in ((MobileNet, 1e-2), (ViT, 3e-3)):
        net = train(make, rate)
        with torch.no_grad():
            accuracy = (net(torch.from_numpy(enlarge(images, SIZE))).argmax(1).numpy() == labels).mean()
        path = HERE / f"{make.__name__.lower()}.onnx"
        onnx.save(net.to_onnx(), path)
        print(f"{path}: {path.stat().st_size} bytes, held-out accuracy {accuracy:.2%}")


if __name__ == "__main__":
    main()
