"""Handwritten digits: the demo's network, and two small ones of the kinds that quantization breaks.

`mobilenet.onnx` has depthwise convolutions, whose channels differ in range; `vit.onnx` is a transformer. Both were made
by train_digits_networks.py. Held-out images are judged several times, each time distorted in another way, so that a
single image weighs less. A point is a hundredth of them.
"""

from __future__ import annotations

import pathlib

import numpy as np
import onnx

from digits_data import load_split
from quantization_tasks import Run, Task

HERE = pathlib.Path(__file__).resolve().parent
CALIBRATION, REPETITIONS = 128, 20
MODELS = {
    "digits_cnn": HERE.parents[1] / "demo" / "digits.onnx",
    "digits_mobilenet": HERE / "mobilenet.onnx",
    "digits_vit": HERE / "vit.onnx",
}


def enlarge(images: np.ndarray, size: int) -> np.ndarray:
    """Images (n, 1, 8, 8) as (n, 1, size, size), every pixel a square."""
    factor = size // images.shape[-1]
    return images.repeat(factor, 2).repeat(factor, 3)


def distort(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Images with other contrast and with noise."""
    contrast = random.uniform(0.6, 1.1, (len(images), 1, 1, 1))
    return np.clip(images * contrast + random.normal(0, 0.12, images.shape), 0, 1).astype(np.float32)


def prepare(name: str) -> Task:
    """The task with this network."""
    model = onnx.load(MODELS[name])
    value = model.graph.input[0]
    size = value.type.tensor_type.shape.dim[-1].dim_value
    training, _ = load_split("train")
    images, labels = load_split("test")
    random = np.random.default_rng(0)
    versions = [images, *(distort(images, random) for _ in range(REPETITIONS - 1))]
    calibration = distort(training[:CALIBRATION], random)

    def score(run: Run) -> float:
        right = 0
        for version in versions:
            for image, label in zip(enlarge(version, size), labels, strict=True):
                right += int(np.argmax(run({value.name: image[None]})[0])) == label
        return 100 * right / (len(versions) * len(labels))

    return Task(model, {value.name: enlarge(calibration, size)}, score, "digits named right")
