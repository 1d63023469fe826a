"""Trains the demo's digit classifier and writes demo/digits.onnx.

A residual CNN on scikit-learn's `load_digits` (1,797 real scans of handwritten digits, 8x8 grey values 0..16).
Needs PyTorch, which nothing else here does; the result is committed. Deterministic: fixed seed, one thread.

    python demo/train_digits.py
"""

from __future__ import annotations

import pathlib
import sys

import numpy as np
import onnx
import torch
from torch import nn

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "benchmarks"))

from digits_data import load_split
from networks import NetworkBuilder

CHANNELS = (16, 32, 64)
EPOCHS = 40


class ConvBN(nn.Module):
    """Convolution and batch normalisation, which `folded` merges for inference."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x))

    def folded(self) -> tuple[np.ndarray, np.ndarray]:
        scale = self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)
        weight = self.conv.weight * scale[:, None, None, None]
        bias = self.norm.bias - self.norm.running_mean * scale
        return weight.detach().numpy(), bias.detach().numpy()


class Block(nn.Module):
    """Two convolutions and a shortcut, a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.first = ConvBN(inputs, outputs, 3, stride)
        self.second = ConvBN(outputs, outputs)
        self.shortcut = ConvBN(inputs, outputs, 1, stride) if stride != 1 or inputs != outputs else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.second(torch.relu(self.first(x)))
        return torch.relu(y + (self.shortcut(x) if self.shortcut else x))


class DigitsNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        a, b, c = CHANNELS
        self.stem = ConvBN(1, a)
        self.blocks = nn.ModuleList([Block(a, a, 1), Block(a, b, 2), Block(b, c, 2)])
        self.classify = nn.Linear(c, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return self.classify(x.mean(dim=(2, 3)))


def train() -> DigitsNet:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    images, labels = (torch.from_numpy(a) for a in load_split("train"))
    net = DigitsNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
    batches = len(images) // 64
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, EPOCHS * batches)
    for _ in range(EPOCHS):
        for index in torch.randperm(len(images))[: batches * 64].split(64):
            shifted = torch.roll(images[index], tuple(torch.randint(-1, 2, (2,)).tolist()), (2, 3))
            loss = nn.functional.cross_entropy(net(shifted), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def to_onnx(net: DigitsNet) -> onnx.ModelProto:
    builder = NetworkBuilder("digits", (1, 1, 8, 8))
    x = builder.relu("stem/relu", builder.convolution("stem/conv", "input", *net.stem.folded()))
    for i, block in enumerate(net.blocks):
        assert isinstance(block, Block)
        y = builder.convolution(f"block{i}/conv1", x, *block.first.folded(), stride=block.stride)
        y = builder.convolution(f"block{i}/conv2", builder.relu(f"block{i}/relu1", y), *block.second.folded())
        if block.shortcut:
            x = builder.convolution(f"block{i}/shortcut", x, *block.shortcut.folded(), stride=block.stride)
        x = builder.relu(f"block{i}/relu2", builder.add(f"block{i}/add", y, x))
    x = builder.flatten("flatten", builder.global_average_pool("pool", x))
    weight, bias = (p.detach().numpy() for p in (net.classify.weight, net.classify.bias))
    return builder.build(builder.fully_connected("classify", x, weight, bias))


def main() -> None:
    net = train()
    images, labels = load_split("test")
    accuracy = (net(torch.from_numpy(images)).argmax(1).numpy() == labels).mean()
    path = pathlib.Path(__file__).with_name("digits.onnx")
    onnx.save(to_onnx(net), path)
    print(f"{path}: {path.stat().st_size} bytes, held-out accuracy {accuracy:.2%}")


if __name__ == "__main__":
    main()
