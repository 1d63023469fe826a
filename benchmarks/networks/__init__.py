"""The networks that people quantize: real topologies and shapes with seeded weights, and quantized by ONNX Runtime.

Weights are drawn so that activations keep their scale, which is all that compilation, simulation and agreement need.
`NETWORKS` lists them; `load` returns one quantized, from a cache below build/ because calibrating takes long.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import pathlib
from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime

from networks import inception, mobilenet, resnet, shufflenet, transformer, unet, yolo
from networks.builder import NetworkBuilder
from networks.quantization import quantize

__all__ = ["NETWORKS", "USUAL", "Network", "NetworkBuilder", "Quantization", "load", "quantize", "samples"]

HERE = pathlib.Path(__file__).resolve().parent
CACHE = HERE.parents[1] / "build" / "networks"


@dataclasses.dataclass(frozen=True)
class Network:
    """How a network is made.

    Attributes:
        make: the float model for a size (pixels of a side, or tokens) and the part of the channels that it has.
        size: what people run it with.
        small: the smallest size at which every layer keeps its form, for tests.
    """

    make: Callable[[int, float], onnx.ModelProto]
    size: int
    small: int


NETWORKS = {
    "resnet18": Network(resnet.resnet18, 224, 64),
    "resnet50": Network(resnet.resnet50, 224, 64),
    "mobilenet_v2": Network(mobilenet.mobilenet_v2, 224, 64),
    "mobilenet_v3_large": Network(mobilenet.mobilenet_v3_large, 224, 64),
    "efficientnet_b0": Network(mobilenet.efficientnet_b0, 224, 64),
    "inception_v1": Network(inception.inception_v1, 224, 64),
    "shufflenet_v2": Network(shufflenet.shufflenet_v2, 224, 64),
    "unet": Network(unet.unet, 256, 32),
    "unet_bilinear": Network(functools.partial(unet.unet, bilinear=True), 256, 32),
    "yolo": Network(yolo.yolo, 640, 64),
    "bert": Network(transformer.bert, 128, 16),
    "bert_base": Network(functools.partial(transformer.bert, layers=12), 128, 16),
    "vit_s": Network(transformer.vit_s, 224, 64),
}


# BERT-base is its layer twelve times; the other U-Net differs in how it goes up.
USUAL = [name for name in NETWORKS if name not in ("bert_base", "unet_bilinear")]


@dataclasses.dataclass(frozen=True)
class Quantization:
    """How a network is quantized; see `quantize`."""

    per_channel: bool = False
    unsigned: bool = False
    operators: bool = False

    def __str__(self) -> str:
        names = ("-per_channel", self.per_channel), ("-uint8", self.unsigned), ("-qoperator", self.operators)
        return "".join(name for name, wanted in names if wanted)


def samples(model: onnx.ModelProto, count: int, seed: int = 1) -> np.ndarray:
    """Normal float32 numbers (count, ...) in the shape of the model's input without its batch."""
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    return np.random.default_rng(seed).normal(0, 1, (count, *shape[1:])).astype(np.float32)


def _sources() -> bytes:
    """What a cached model depends on besides its name."""
    digest = hashlib.sha256(f"{onnx.__version__} {onnxruntime.__version__}".encode())
    for path in sorted(HERE.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.digest()


def load(
    name: str, how: Quantization = Quantization(), *, size: int | None = None, width: float = 1.0
) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """The quantized network `name` and inputs by name, of the usual size unless another is asked for."""
    network = NETWORKS[name]
    size = network.size if size is None else size
    key = hashlib.sha256(_sources() + f"{name}{how} {size} {width}".encode()).hexdigest()[:16]
    path = CACHE / f"{name}{how}-{key}.onnx"
    if path.exists():
        quantized = onnx.load(path)
    else:
        model = network.make(size, width)
        quantized = quantize(
            model,
            samples(model, 4),
            per_channel=how.per_channel,
            unsigned=how.unsigned,
            operators=how.operators,
        )
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        onnx.save(quantized, unfinished)
        unfinished.replace(path)
    return quantized, {"input": samples(quantized, 1)}
