"""Tasks with ground truth, by which the loss of quantized models is measured.

A module of `TASKS` has `prepare() -> Task`. Samples, texts and pictures are seeded, so that every method is calibrated
on, and judged by, the same ones; models come from packages, or lie beside these modules.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx

__all__ = ["TASKS", "Run", "Task", "fix_sizes", "load", "package_folder", "with_own_constants"]

Run = Callable[[Mapping[str, np.ndarray]], Sequence[np.ndarray]]
"""Runs a model once: arrays by the names of its inputs, to its outputs in their order."""


@dataclasses.dataclass(frozen=True)
class Task:
    """A model, what it is calibrated on, and how good it is.

    model: float, every size known, batch 1. calibration: arrays (samples, ...) by the names of inputs, without the
    batch. score: how good a model that runs so is, in points of at most 100. measure: what a point is.
    """

    model: onnx.ModelProto
    calibration: Mapping[str, np.ndarray]
    score: Callable[[Run], float]
    measure: str


TASKS = {
    "text_recognition": "text_recognition",
    "file_types": "file_types",
    "sentences": "sentences",
    "digits_cnn": "digits",
    "digits_mobilenet": "digits",
    "digits_vit": "digits",
}
"""Names of tasks, and the modules that prepare them."""


def load(name: str) -> Task:
    """Prepares a task; needs the packages of the extra `quantization-benchmark`."""
    module = importlib.import_module(f"quantization_tasks.{TASKS[name]}")
    return module.prepare() if TASKS[name] == name else module.prepare(name)


def package_folder(name: str) -> pathlib.Path:
    """Where the files of a package lie; it is not imported, since what it depends on is not installed."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"the package {name} is not installed: python benchmarks/quantization.py does it")
    return pathlib.Path(found.origin).parent


def fix_sizes(model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]]) -> onnx.ModelProto:
    """The model with inputs of these shapes, and the shapes of everything else as they follow from them."""
    # Names of tasks are known without it.
    import onnxruntime

    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for value in fixed.graph.input:
        if value.name in shapes:
            del value.type.tensor_type.shape.dim[:]
            for size in shapes[value.name]:
                value.type.tensor_type.shape.dim.add().dim_value = size
    # What is known of other tensors was known for open sizes.
    del fixed.graph.value_info[:]
    feeds = {
        value.name: np.zeros(
            [dim.dim_value for dim in value.type.tensor_type.shape.dim],
            onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type),
        )
        for value in fixed.graph.input
    }
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for value, result in zip(fixed.graph.output, session.run(None, feeds), strict=True):
        dims = value.type.tensor_type.shape.dim
        del dims[:]
        for size in np.asarray(result).shape:
            dims.add().dim_value = size
    return onnx.shape_inference.infer_shapes(fixed, strict_mode=True, data_prop=True)


def with_own_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with a copy of each shared constant for every reader, as exporters write it.

    ONNX Runtime cannot load what its quantizer makes of shared ones.
    """
    own = onnx.ModelProto()
    own.CopyFrom(model)
    constants = {item.name: item for item in model.graph.initializer}
    read: set[str] = set()
    for node in own.graph.node:
        for index, name in enumerate(node.input):
            if name not in constants:
                continue
            if name in read:
                copy = own.graph.initializer.add()
                copy.CopyFrom(constants[name])
                copy.name = node.input[index] = f"{node.name}/{name}"
            read.add(name)
    return own
