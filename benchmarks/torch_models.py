"""Networks in plain torch.nn with seeded weights, exported to ONNX by torch.onnx.export(dynamo=True).

    python benchmarks/torch_models.py FOLDER [--only bert] [--small] [--dynamic]

Needs torch and onnxscript, which acc itself does not.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Size:
    """What makes a transformer large: layers, features, heads, entries of the vocabulary, tokens or pixels."""

    layers: int
    features: int
    heads: int
    vocabulary: int
    length: int


BASE = Size(layers=12, features=768, heads=12, vocabulary=30522, length=128)
SMALL = Size(layers=2, features=64, heads=4, vocabulary=101, length=10)


class Attention(nn.Module):
    """Multi-head self-attention; a mask of the keys, or causal, or neither."""

    def __init__(self, size: Size, causal: bool = False) -> None:
        super().__init__()
        self.heads, self.causal = size.heads, causal
        self.projections = nn.Linear(size.features, 3 * size.features)
        self.output = nn.Linear(size.features, size.features)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        batch, length, features = x.shape
        heads = self.projections(x).view(batch, length, 3, self.heads, features // self.heads)
        q, k, v = heads.permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=self.causal)
        return self.output(y.transpose(1, 2).reshape(batch, length, features))


class Block(nn.Module):
    """Attention and a feed-forward network, normalized after (BERT) or before (GPT-2, ViT) each."""

    def __init__(self, size: Size, before: bool, causal: bool = False, approximate: str = "none") -> None:
        super().__init__()
        self.before = before
        self.attention = Attention(size, causal)
        self.norms = nn.ModuleList([nn.LayerNorm(size.features) for _ in range(2)])
        self.network = nn.Sequential(
            nn.Linear(size.features, 4 * size.features),
            nn.GELU(approximate=approximate),
            nn.Linear(4 * size.features, size.features),
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.before:
            x = x + self.attention(self.norms[0](x), mask)
            return x + self.network(self.norms[1](x))
        x = self.norms[0](x + self.attention(x, mask))
        return self.norms[1](x + self.network(x))


class Bert(nn.Module):
    """BERT's encoder with its pooler, as HuggingFace writes it: token numbers and a mask of them."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.words = nn.Embedding(size.vocabulary, size.features)
        self.positions = nn.Embedding(512, size.features)
        self.kinds = nn.Embedding(2, size.features)
        self.norm = nn.LayerNorm(size.features)
        self.blocks = nn.ModuleList([Block(size, before=False) for _ in range(size.layers)])
        self.pooler = nn.Linear(size.features, size.features)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> tuple[Tensor, Tensor]:
        positions = torch.arange(input_ids.shape[1])
        x = self.norm(self.words(input_ids) + self.positions(positions) + self.kinds(token_type_ids))
        mask = (1.0 - attention_mask[:, None, None, :].to(x.dtype)) * torch.finfo(x.dtype).min
        for block in self.blocks:
            x = block(x, mask)
        return x, torch.tanh(self.pooler(x[:, 0]))


class Gpt2(nn.Module):
    """GPT-2: the logits of every next token; the output layer is the transposed embedding."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.words = nn.Embedding(size.vocabulary, size.features)
        self.positions = nn.Embedding(1024, size.features)
        self.blocks = nn.ModuleList(
            [Block(size, before=True, causal=True, approximate="tanh") for _ in range(size.layers)]
        )
        self.norm = nn.LayerNorm(size.features)

    def forward(self, input_ids: Tensor) -> Tensor:
        x = self.words(input_ids) + self.positions(torch.arange(input_ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.words.weight)


class VisionTransformer(nn.Module):
    """ViT with patches of 16 x 16 and a class token."""

    def __init__(self, size: Size, pixels: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, size.features, 16, 16)
        self.token = nn.Parameter(torch.randn(1, 1, size.features) * 0.02)
        self.positions = nn.Parameter(torch.randn(1, (pixels // 16) ** 2 + 1, size.features) * 0.02)
        self.blocks = nn.ModuleList([Block(size, before=True) for _ in range(size.layers)])
        self.norm = nn.LayerNorm(size.features, eps=1e-6)
        self.head = nn.Linear(size.features, 1000)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


class Bottleneck(nn.Module):
    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()

        def unit(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
            convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
            return [convolution, nn.BatchNorm2d(outputs)]

        relu = nn.ReLU()
        self.path = nn.Sequential(
            *unit(channels, width, 1), relu, *unit(width, width, 3, stride), relu, *unit(width, 4 * width, 1)
        )
        same = stride == 1 and channels == 4 * width
        self.shortcut = nn.Identity() if same else nn.Sequential(*unit(channels, 4 * width, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.path(x) + self.shortcut(x))


class ResNet(nn.Module):
    """ResNet-50 for four stages of 3, 4, 6 and 3 blocks, with statistics that normalization can differ on."""

    def __init__(self, depths: tuple[int, ...], width: int) -> None:
        super().__init__()
        stem = [nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        blocks: list[nn.Module] = []
        channels = width
        for stage, depth in enumerate(depths):
            for index in range(depth):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(Bottleneck(channels, width << stage, stride))
                channels = 4 * (width << stage)
        self.features = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1))
        self.head = nn.Linear(channels, 1000)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.running_mean, 0.0, 0.1)
                nn.init.uniform_(module.running_var, 0.5, 1.5)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(torch.flatten(self.features(image), 1))


@dataclass(frozen=True)
class Network:
    """How a network is made and exported.

    Attributes:
        make: the module, small or as large as people use it.
        inputs: example inputs by name, at batch 2.
        dynamic: the dimensions of each input that may be left open.
    """

    make: Callable[[bool], nn.Module]
    inputs: Callable[[bool], dict[str, Tensor]]
    dynamic: dict[str, dict[int, str]]


def _tokens(small: bool) -> Tensor:
    size = SMALL if small else BASE
    return torch.randint(0, size.vocabulary, (2, size.length))


def _bert_inputs(small: bool) -> dict[str, Tensor]:
    tokens = _tokens(small)
    mask = torch.ones_like(tokens)
    mask[1, tokens.shape[1] // 2 :] = 0
    return {"input_ids": tokens, "attention_mask": mask, "token_type_ids": torch.zeros_like(tokens)}


_TOKENS = {0: "batch", 1: "sequence"}

NETWORKS = {
    "bert": Network(
        lambda small: Bert(SMALL if small else BASE),
        _bert_inputs,
        {"input_ids": _TOKENS, "attention_mask": _TOKENS, "token_type_ids": _TOKENS},
    ),
    "gpt2": Network(
        lambda small: Gpt2(SMALL if small else Size(12, 768, 12, 50257, 128)),
        lambda small: {"input_ids": _tokens(small)},
        {"input_ids": _TOKENS},
    ),
    "vit": Network(
        lambda small: VisionTransformer(SMALL if small else BASE, 64 if small else 224),
        lambda small: {"image": torch.randn(2, 3, *([64, 64] if small else [224, 224]))},
        {"image": {0: "batch"}},
    ),
    "resnet50": Network(
        lambda small: ResNet((1, 1), 8) if small else ResNet((3, 4, 6, 3), 64),
        lambda small: {"image": torch.randn(2, 3, *([64, 64] if small else [224, 224]))},
        {"image": {0: "batch"}},
    ),
}


def export(name: str, path: Path, small: bool, dynamic: bool) -> None:
    """Writes a network to an ONNX file, with its weights in a file beside it if they are large."""
    torch.manual_seed(0)
    network = NETWORKS[name]
    module = network.make(small).eval()
    inputs = network.inputs(small)
    shapes = {key: {axis: torch.export.Dim(dim) for axis, dim in axes.items()} for key, axes in network.dynamic.items()}
    program = torch.onnx.export(
        module, (), kwargs=inputs, dynamo=True, dynamic_shapes=shapes if dynamic else None, verbose=False
    )
    assert program is not None
    program.save(path, external_data=not small)


def main() -> None:
    parser = argparse.ArgumentParser(description="Exports networks from PyTorch to ONNX.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=list(NETWORKS), help="one network instead of all")
    parser.add_argument("--small", action="store_true", help="two narrow layers instead of the usual size")
    parser.add_argument("--dynamic", action="store_true", help="leave the batch and the length of sequences open")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for name in [args.only] if args.only else NETWORKS:
        suffix = ("_small" if args.small else "") + ("_dynamic" if args.dynamic else "")
        path = args.folder / f"{name}{suffix}.onnx"
        export(name, path, args.small, args.dynamic)
        print(path)


if __name__ == "__main__":
    main()
