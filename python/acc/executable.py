"""Compiled models: running, saving, describing themselves."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from acc import devices
from acc.container import ModelContents, TensorInfo, read_model, write_model
from acc.devices import DeviceLike
from acc.dtypes import BY_NAME
from acc.errors import ModelFileError, RunError
from acc.files import replacing
from acc.interruptible import interruptible
from acc.report import LayerReport
from acc.threads import check_threads

ALIGNMENT = 64
"""Bytes of which the memory of a tensor is a multiple where code need not copy it."""

SHORT = 0.1
"""Seconds for which Ctrl-C may wait, which saves short runs the making of a thread."""


def _dtype(name: str) -> np.dtype:
    return BY_NAME[name].dtype


def address(array: np.ndarray) -> int:
    """Where the elements of an array begin in memory."""
    return array.__array_interface__["data"][0]


def empty_aligned(shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """An array that native code works on where it is: one that is not as aligned as it likes is copied."""
    count = math.prod(shape) * dtype.itemsize
    memory = np.empty(count + ALIGNMENT, np.uint8)
    start = -address(memory) % ALIGNMENT
    return memory[start : start + count].view(dtype).reshape(shape)


class Executable:
    """A compiled model. Runs may come from several threads; they take turns.

    Made by `acc.compile`, `acc.load` or `Executable.from_contents`. It holds the model's memory until `close` or
    until it is garbage.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        device: DeviceLike = None,
        verify: bool = True,
        sanitize: bool = False,
        profile: bool = False,
        events: bool = False,
        on_launch: Callable[[int, bool, list[bytes]], None] | None = None,
        threads: int | None = None,
    ) -> None:
        """Loads a model file; raises ModelFileError, or RunError for an unknown device or option.

        device: what runs the accelerator programs, a name such as "csim" or an `acc.Device` with options, or one for
        each instruction set that the model has programs in; otherwise the default one of the instruction set. Options
        that the model was compiled for hold where others are not given.
        verify: check these programs before the first run.
        sanitize: let the device report uninitialised reads and unordered hazards. profile: time every kernel; events:
        record when each instruction of accelerator programs starts and retires too, on devices with a notion of time.
        on_launch: called before and after every launch of an accelerator program with its number, whether it is over,
        and its buffers. threads: see the property; None is what the model was compiled for, or else the cores that the
        process may use.
        """
        from acc._lib import _runtime

        if not isinstance(path, str | os.PathLike):
            raise ModelFileError(f"a compiled model is a path, not {type(path).__name__}")
        wanted = devices.specs(device)
        if sanitize:
            for spec in wanted:
                spec.require(devices.SANITIZER)
        if wanted:
            wanted = devices.fitted(wanted, read_model(path).device_options)
        text = devices.resolve(wanted, lambda: read_model(path).programs)
        detail = 2 if events else int(profile)
        count = 0 if threads is None else check_threads(threads, RunError)
        self._model: Any = interruptible(
            lambda: _runtime.Model(os.fspath(path), text, verify, sanitize, detail, on_launch, count)
        )
        # How long the last run took, in seconds: one that is known to be short needs no thread to be interrupted.
        self._seconds = math.inf
        # To save it even if the file goes or another takes its place.
        self._file = open(path, "rb")  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self.metadata: dict[str, Any] = json.loads(self._model.metadata)
        self.inputs: tuple[TensorInfo, ...] = tuple(
            TensorInfo(name, dtype, tuple(shape)) for name, dtype, shape in self._model.inputs
        )
        self.outputs: tuple[TensorInfo, ...] = tuple(
            TensorInfo(name, dtype, tuple(shape)) for name, dtype, shape in self._model.outputs
        )
        self._results = [(info.fixed_shape, _dtype(info.dtype)) for info in self.outputs]

    @classmethod
    def from_contents(cls, contents: ModelContents, **options: Any) -> Executable:
        """Loads a model from its contents, by way of a file that is deleted at once."""
        with tempfile.TemporaryDirectory(prefix="acc-model-") as folder:
            path = Path(folder, "model.so")
            write_model(path, contents, sync=False)
            return cls(path, **options)

    @property
    def target(self) -> str:
        """The name of the target that the model was compiled for; several are joined by "+"."""
        return str(self.metadata.get("target", "cpu"))

    @property
    def threads(self) -> int:
        """How many threads native code uses from the next run on, the calling one included.

        Results are the same bits for any number. All models of a process share their threads. Raises RunError for a
        number that there cannot be.
        """
        if self._model is None:
            raise RunError("the model is closed")
        return int(self._model.threads)

    @threads.setter
    def threads(self, count: int) -> None:
        if self._model is None:
            raise RunError("the model is closed")
        self._model.threads = check_threads(count, RunError)

    def run(
        self, inputs: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray] | None = None
    ) -> dict[str, np.ndarray]:
        """Runs once: arrays by input name, of exactly the declared dtypes and shapes; returns arrays by output name.

        outputs: arrays by output name that the results are written to, of exactly the declared dtype and of the shape
        that the result has; outputs that it does not name get arrays of their own. Nothing is copied if an array is
        contiguous, has a fixed size, shares no memory with others and begins at a multiple of `ALIGNMENT`.

        Sizes that are not fixed are those of the arrays. Raises RunError naming the input or output that is missing,
        unknown or of another dtype or shape. Ctrl-C raises KeyboardInterrupt; what is under way then ends by itself.
        """
        if self._model is None:
            raise RunError("the model is closed")
        if not isinstance(inputs, Mapping):
            raise RunError(f"the inputs are a dictionary of arrays by name, not {type(inputs).__name__}")
        arrays = [self._check(info, inputs) for info in self.inputs]
        if len(inputs) != len(self.inputs):
            known = [info.name for info in self.inputs]
            extra = [str(name) for name in inputs if name not in known]
            raise RunError(f"the model has no input '{extra[0]}': its inputs are {_names(self.inputs)}")
        try:
            given = self._check_outputs(outputs) if outputs else {}
            placed = _places(given, arrays)
            results = [
                None if shape is None else placed[index] if index in placed else empty_aligned(shape, dtype)
                for index, (shape, dtype) in enumerate(self._results)
            ]
        except MemoryError as error:
            raise RunError(f"there is no memory for the outputs: {error}") from None
        model, shapes = self._model, [array.shape for array in arrays]
        read, wanted = [_bytes(array) for array in arrays], [None if a is None else _bytes(a) for a in results]
        started = time.perf_counter()
        if self._seconds > SHORT:
            made = iter(interruptible(lambda: model.run(read, shapes, wanted)))
        else:
            made = iter(model.run(read, shapes, wanted))
        self._seconds = time.perf_counter() - started
        computed: list[np.ndarray] = []
        for info, array in zip(self.outputs, results, strict=True):
            if array is None:
                data, shape = next(made)
                array = data.view(_dtype(info.dtype)).reshape(shape)
            computed.append(array)
        # Those that are not there yet are copied when it is known that all of them fit.
        for index, array in given.items():
            if array.shape != computed[index].shape:
                info, shape = self.outputs[index], list(computed[index].shape)
                raise RunError(f"output '{info.name}' has shape {shape}, but the array has {list(array.shape)}")
        for index, array in given.items():
            if computed[index] is not array:
                np.copyto(array, computed[index])
                computed[index] = array
        return {info.name: array for info, array in zip(self.outputs, computed, strict=True)}

    def _check_outputs(self, outputs: Mapping[str, np.ndarray]) -> dict[int, np.ndarray]:
        """The arrays for results, by the number of the output; raises RunError for those that cannot hold one."""
        if not isinstance(outputs, Mapping):
            raise RunError(f"the outputs are a dictionary of arrays by name, not {type(outputs).__name__}")
        numbers = {info.name: index for index, info in enumerate(self.outputs)}
        given: dict[int, np.ndarray] = {}
        for name, array in outputs.items():
            if name not in numbers:
                raise RunError(f"the model has no output '{name}': its outputs are {_names(self.outputs)}")
            info = self.outputs[numbers[name]]
            if not isinstance(array, np.ndarray):
                raise RunError(f"output '{name}' must go to an array, not to {type(array).__name__}")
            if array.dtype != _dtype(info.dtype):
                raise RunError(f"output '{name}' is {info.dtype}, but the array is {array.dtype}")
            _check_sizes("output", info, array.shape)
            if not array.flags.writeable:
                raise RunError(f"the array for output '{name}' cannot be written to")
            given[numbers[name]] = array
        return given

    def _check(self, info: TensorInfo, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        given = inputs.get(info.name)
        if (
            isinstance(given, np.ndarray)
            and given.shape == info.shape
            and given.dtype == _dtype(info.dtype)
            and given.flags.c_contiguous
        ):
            return given
        if info.name not in inputs:
            known = {item.name for item in self.inputs}
            extra = ", ".join(f"'{name}'" for name in inputs if name not in known)
            given = f"; it has no input {extra}" if extra else ""
            raise RunError(
                f"input '{info.name}' ({info}) is missing: the model's inputs are {_names(self.inputs)}{given}"
            )
        try:
            array = np.asarray(inputs[info.name])
        except (ValueError, TypeError) as error:
            raise RunError(f"input '{info.name}' is not an array: {error}") from None
        _check_sizes("input", info, array.shape)
        if array.dtype != _dtype(info.dtype):
            raise RunError(f"input '{info.name}' must be {info.dtype}, but the array is {array.dtype}")
        return np.ascontiguousarray(array).reshape(array.shape)

    @property
    def statistics(self) -> dict[str, Any]:
        """About the last run: "seconds", "threads" of native code, "device" (the names of all), per accelerator program
        its device and instruction set, and per layer the device's counters.

        Programs and the run as a whole have "cycles" on devices with a notion of time: those of the accelerator.

        With `profile`, "layer_seconds" has the seconds of every kernel, in the order of `report()`. With `events`,
        "launches" has the launches in order: program, kernel ("layer"), cycles, counters, and when every instruction
        started and retired.
        """
        if self._model is None:
            raise RunError("the model is closed")
        return json.loads(self._model.statistics)

    def report(self) -> list[LayerReport]:
        """What the compiler decided, kernel by kernel."""
        return [LayerReport.from_dict(layer) for layer in self.metadata.get("layers", [])]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model's file, whole or not at all; raises ModelFileError."""
        if self._model is None:
            raise RunError("the model is closed")
        self._file.seek(0)
        with replacing(path, ModelFileError) as target:
            shutil.copyfileobj(self._file, target, 1 << 20)

    def close(self) -> None:
        """Frees the model's memory. It cannot run any more."""
        self._model = None
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        inputs = ", ".join(f"{info.name}: {info}" for info in self.inputs)
        outputs = ", ".join(f"{info.name}: {info}" for info in self.outputs)
        return f"<acc model for {self.target}: ({inputs}) -> ({outputs})>"


def _check_sizes(kind: str, info: TensorInfo, shape: tuple[int, ...]) -> None:
    if len(shape) != len(info.shape) or any(
        size != want for size, want in zip(shape, info.shape, strict=True) if isinstance(want, int)
    ):
        raise RunError(f"{kind} '{info.name}' must have shape {info.shape_text}, but the array has {list(shape)}")


def _places(given: Mapping[int, np.ndarray], inputs: Sequence[np.ndarray]) -> dict[int, np.ndarray]:
    """Those of the arrays for results that code may write to while it computes: nobody else reads or writes them."""
    placed: dict[int, np.ndarray] = {}
    for index, array in given.items():
        others = [*inputs, *(other for number, other in given.items() if number != index)]
        if array.flags.c_contiguous and not any(np.may_share_memory(array, other) for other in others):
            placed[index] = array
    return placed


def _names(tensors: tuple[TensorInfo, ...]) -> str:
    return ", ".join(f"'{info.name}' ({info})" for info in tensors) or "none"


def _bytes(array: np.ndarray) -> np.ndarray:
    """The memory of a contiguous array as bytes; dtypes such as bfloat16 have no buffer of their own."""
    return array.reshape(-1).view(np.uint8)


def load(
    path: str | os.PathLike[str],
    *,
    device: DeviceLike = None,
    verify: bool = True,
    sanitize: bool = False,
    profile: bool = False,
    events: bool = False,
    threads: int | None = None,
) -> Executable:
    """Loads a model that `Executable.save` or `acc compile` wrote; see Executable for the options."""
    return Executable(
        path, device=device, verify=verify, sanitize=sanitize, profile=profile, events=events, threads=threads
    )
