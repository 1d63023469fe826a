"""What is compared: a model file, or recorded tensors, and what runs them."""

from __future__ import annotations

import dataclasses
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from acc.container import TensorInfo
from acc.errors import AccError, ModelError
from acc.wording import first_line

__all__ = ["CompareError", "Run", "Side", "parse_side"]

Arrays = dict[str, np.ndarray]
Run = Callable[[Mapping[str, np.ndarray]], Arrays]

ONNX_RUNTIME = "onnxruntime"
OPTIMIZED = "optimized"


class CompareError(AccError):
    """Two sides cannot be compared: one cannot be run as asked, or they have nothing in common."""


@dataclasses.dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        text: as the user wrote it.
        path: an ONNX model, a compiled model (.so), or tensors that were recorded (.npz, samples first).
        runtime: of an ONNX model, "onnxruntime", or names of targets separated by commas.
        detail: what runs a target's programs, as `acc.devices` reads it; of ONNX Runtime, "optimized" or nothing.
        options: for targets: config, shapes, values and options of their own, see `acc.compile`.
    """

    text: str
    path: Path
    runtime: str = ""
    detail: str = ""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def is_onnx(self) -> bool:
        return self.path.suffix not in (".so", ".npz")

    @property
    def is_recorded(self) -> bool:
        return self.path.suffix == ".npz"

    @property
    def is_exact(self) -> bool:
        """Whether acc computes it, so that integers are the same everywhere."""
        return not self.is_recorded and self.runtime != ONNX_RUNTIME

    def read_model(self) -> onnx.ModelProto:
        """The ONNX model with all of its data; raises ModelError if it is none."""
        from acc.frontend.source import load_model

        load_model(self.path)  # Says what is wrong with the file.
        try:
            return onnx.load(self.path)
        except Exception as error:
            raise ModelError(f"{self.path}: cannot be read: {first_line(error)}") from error

    def load(self, model: onnx.ModelProto) -> Run:
        """What runs an ONNX model, which may be a part of this side's own, as this side does.

        Raises CompareError without ONNX Runtime, or for what it refuses; what `acc.compile` raises.
        """
        return _onnx_runtime(model, self) if self.runtime == ONNX_RUNTIME else _compiled(model, self)

    def load_compiled(self) -> Any:
        """The compiled model of this side, an Executable."""
        from acc.executable import load

        return load(self.path, device=self.detail or None)

    def read_recorded(self) -> Arrays:
        """The recorded tensors by name, samples first."""
        try:
            with np.load(self.path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except OSError as error:
            raise CompareError(f"cannot read '{self.path}': {error.strerror or error}") from None
        except (ValueError, EOFError, zipfile.BadZipFile, AttributeError):
            raise CompareError(
                f"'{self.path}' holds no recorded tensors: acc compare --record writes such files"
            ) from None


def parse_side(text: str, **options: Any) -> Side:
    """The side that a text such as "model.onnx@TARGET:DEVICE" stands for; raises CompareError.

    Behind the @ stands what runs an ONNX model ("cpu" without): onnxruntime, or names of targets and, behind a colon,
    the device. Behind that of a compiled model stands the device alone.
    """
    from acc import devices

    file, separator, how = text.rpartition("@")
    if not separator or os.path.exists(text):
        file, how = text, ""
    path = Path(file)
    if not path.is_file():
        raise CompareError(f"cannot read '{path}': {'it is a directory' if path.is_dir() else 'there is no such file'}")
    if path.suffix == ".npz":
        if how:
            raise CompareError(f"'{text}': nothing runs recorded tensors")
        return Side(text, path)
    if path.suffix == ".so":
        devices.specs(how or None)
        return Side(text, path, detail=how)
    runtime, _, detail = (how or "cpu").partition(":")
    if runtime == ONNX_RUNTIME:
        if detail not in ("", OPTIMIZED):
            raise CompareError(f"'{text}': {ONNX_RUNTIME} has no choice '{detail}', only '{OPTIMIZED}'")
        return Side(text, path, runtime, detail)
    devices.specs(detail or None)
    side = Side(text, path, runtime, detail, {key: value for key, value in options.items() if value})
    _targets(side)
    return side


def _targets(side: Side) -> tuple[list[str], dict[str, Any]]:
    """The targets of a side and their options; raises what `resolve_targets` does."""
    from acc import targets
    from acc.compiler import resolve_targets

    names = side.runtime.split(",")
    options = {key: value for key, value in side.options.items() if key not in ("shapes", "values")}
    # A configuration is for both sides; native code has none.
    taken = {option for name in names for option in targets.find(name).takes}
    options = {key: value for key, value in options.items() if key in taken}
    resolve_targets(names, **options)
    return names, options


def _onnx_runtime(model: onnx.ModelProto, side: Side) -> Run:
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise CompareError(f"'{side.text}' needs the package onnxruntime: pip install onnxruntime") from None
    from acc.layerwise import onnx_runtime_options

    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(),
            onnx_runtime_options(as_written=side.detail != OPTIMIZED),
            providers=["CPUExecutionProvider"],
        )
    except Exception as error:
        raise CompareError(f"ONNX Runtime does not load '{side.path}': {first_line(error)}") from error
    names = [output.name for output in session.get_outputs()]

    def run(feeds: Mapping[str, np.ndarray]) -> Arrays:
        try:
            results = session.run(names, dict(feeds))
        except Exception as error:
            raise CompareError(f"ONNX Runtime fails at '{side.path}': {first_line(error)}") from error
        # Sequences and the like have no difference that could be stated.
        return {
            name: result
            for name, result in zip(names, results, strict=True)
            if isinstance(result, np.ndarray | np.generic)
        }

    return run


def _compiled(model: onnx.ModelProto, side: Side) -> Run:
    """Runs a model with acc, compiled for the sizes and values that it turns out to need."""
    from acc.compiler import compile_contents
    from acc.executable import Executable
    from acc.frontend.model import input_names
    from acc.specialization import Specialized

    names, options = _targets(side)

    def compile(values: dict[str, Any], shapes: dict[str, Any]) -> Executable:
        contents = compile_contents(model, names, shapes=shapes or None, values=values or None, **options).contents
        return Executable.from_contents(contents, device=side.detail or None)

    given = side.options.get("values"), side.options.get("shapes")
    return Specialized(compile, input_names(model), *given, keep=1).run


def as_run(inputs: tuple[TensorInfo, ...] | list[TensorInfo], sample: Mapping[str, Any]) -> Arrays:
    """The arrays of a sample with the batch axis that a run takes, where only that is missing."""
    arrays = {}
    for info in inputs:
        array = np.asarray(sample[info.name])
        if array.ndim + 1 == len(info.shape) and (info.shape[0] == 1 or not isinstance(info.shape[0], int)):
            array = array[None]
        arrays[info.name] = array
    return arrays
