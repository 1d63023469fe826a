"""Samples that a model is calibrated with: where they come from, and whether the model can take them.

Whatever the source is, a sample is a dictionary with an array for every input of the model, as a run takes it.
Samples are made one at a time, so that a source may be larger than memory, and a source can be gone through more than
once.
"""

from __future__ import annotations

import importlib
import inspect
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from acc.container import TensorInfo
from acc.dtypes import BY_NAME
from acc.errors import AccError
from acc.files import load_arrays
from acc.quantization.options import QuantizeError
from acc.wording import first_line, raised

__all__ = ["Data", "Sample", "Samples", "load_function", "open_samples"]

Sample = dict[str, np.ndarray]
Data = str | os.PathLike[str] | Mapping[str, Any] | Iterable[Any] | Callable[[], Any]

KEPT_BYTES = 256 << 20
"""How much of a source that can be gone through only once is kept, for methods that need samples again."""


@dataclass
class Samples:
    """A source of samples: `source()` begins anew. count: how many there are, None if only the end tells.

    where: how messages call the source.
    """

    inputs: Sequence[TensorInfo]
    source: Callable[[], Iterator[Mapping[str, Any]]]
    where: str
    count: int | None = None

    def __iter__(self) -> Iterator[Sample]:
        """All samples, checked. Raises QuantizeError for the first that the model cannot take."""
        for number, given in enumerate(self.source()):
            yield check_sample(self.inputs, given, f"{self.where}, sample {number}")


def open_samples(data: Data, inputs: Sequence[TensorInfo]) -> Samples:
    """The samples of `data` for a model with these inputs.

    data: an .npz file or a dictionary, with an array per input whose first axis counts the samples; a folder of
    .npz files (.npy for one input), each a sample; "module:function", or a function without parameters, that returns
    any of these; an iterable of samples; an array, for one input.

    A sample of a model whose inputs have a batch axis may leave it out, and an array of all samples is the
    inputs behind one another: of a model with batch size B, B rows are a sample.

    Raises QuantizeError for anything else, or for what cannot be read.
    """
    if isinstance(data, str) and _is_reference(data):
        return _of_result(_call(load_function(data), f"'{data}'"), inputs, f"'{data}'")
    if isinstance(data, str | os.PathLike):
        return _of_path(Path(data), inputs)
    return _of_result(data, inputs, "the data")


def _of_result(data: Any, inputs: Sequence[TensorInfo], where: str) -> Samples:
    if callable(data) and not isinstance(data, Mapping):
        return _of_result(_call(data, where), inputs, where)
    if isinstance(data, str | os.PathLike):
        return _of_path(Path(data), inputs)
    if isinstance(data, Mapping):
        return _of_arrays({str(name): data[name] for name in data}, inputs, where)
    if isinstance(data, np.ndarray):
        return _of_arrays({_only(inputs, where).name: data}, inputs, where)
    if isinstance(data, Sequence):
        return Samples(inputs, lambda: (_as_mapping(x, inputs, where) for x in data), where, len(data))
    if isinstance(data, Iterator):
        kept = _Kept(data)
        return Samples(inputs, lambda: (_as_mapping(x, inputs, where) for x in kept), where)
    if isinstance(data, Iterable):
        return Samples(inputs, lambda: (_as_mapping(x, inputs, where) for x in data), where)
    raise QuantizeError(
        f"{where} is {type(data).__name__}, but samples are an .npz file, a folder, a dictionary of arrays, "
        "a function, or an iterable of dictionaries"
    )


class _Kept:
    """What an iterator that cannot begin anew yields, and again what it has yielded, up to KEPT_BYTES."""

    def __init__(self, source: Iterator[Any]) -> None:
        self._source, self._kept, self._bytes = source, [], 0

    def __iter__(self) -> Iterator[Any]:
        yield from self._kept
        for item in self._source:
            if self._bytes <= KEPT_BYTES:
                self._kept.append(item)
                arrays = item.values() if isinstance(item, Mapping) else [item]
                self._bytes += sum(getattr(array, "nbytes", 0) for array in arrays)
            yield item


def _only(inputs: Sequence[TensorInfo], where: str) -> TensorInfo:
    if len(inputs) != 1:
        names = ", ".join(f"'{info.name}'" for info in inputs)
        raise QuantizeError(f"{where} has arrays without names, but the model has {len(inputs)} inputs: {names}")
    return inputs[0]


def _as_mapping(item: Any, inputs: Sequence[TensorInfo], where: str) -> Mapping[str, Any]:
    return item if isinstance(item, Mapping) else {_only(inputs, where).name: item}


def _is_reference(text: str) -> bool:
    """Whether the text is of the form module:function and no file."""
    module, separator, function = text.partition(":")
    return bool(separator) and function.isidentifier() and module != "" and not os.path.exists(text)


def call_evaluation(function: Callable[..., Any], run: Callable[..., Any], error: type[AccError]) -> float:
    """What a user's evaluation says of the model that `run` runs; raises `error` unless it is a finite number."""
    try:
        value = function(run)
    except AccError:
        raise
    except (Exception, SystemExit) as wrong:
        raise error(f"the evaluation raises {raised(wrong)}") from wrong
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise error(f"the evaluation returns {type(value).__name__}, not a number") from None
    if not math.isfinite(number):
        raise error(f"the evaluation returns {number}, not a finite number")
    return number


def load_function(text: str) -> Callable[..., Any]:
    """The function that "module:function" names, with modules of the current folder; raises QuantizeError."""
    module_name, _, function_name = text.partition(":")
    here = os.getcwd()
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise QuantizeError(f"'{text}': there is no module '{error.name}'") from None
    except (Exception, SystemExit) as error:
        raise QuantizeError(f"'{text}': importing '{module_name}' fails: {raised(error)}") from error
    finally:
        if added:
            sys.path.remove(here)
    function = getattr(module, function_name, None)
    if not callable(function):
        raise QuantizeError(f"'{text}': module '{module_name}' has no function '{function_name}'")
    return function


def _call(function: Callable[[], Any], where: str) -> Any:
    required = [
        parameter
        for parameter in (inspect.signature(function).parameters.values() if inspect.isroutine(function) else ())
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if required:
        raise QuantizeError(f"{where} needs an argument '{required[0].name}', but is called without any")
    try:
        return function()
    except AccError:
        raise
    except (Exception, SystemExit) as error:
        raise QuantizeError(f"{where} raises {raised(error)}") from error


def _of_path(path: Path, inputs: Sequence[TensorInfo]) -> Samples:
    where = f"'{path}'"
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in (".npz", ".npy") and file.is_file())
        if not files:
            raise QuantizeError(f"{where} holds no samples: it has no .npz or .npy files")

        def read() -> Iterator[Mapping[str, Any]]:
            for file in files:
                yield _as_mapping(_load(file), inputs, f"'{file}'")

        return Samples(inputs, read, where, len(files))
    loaded = _load(path)
    arrays = loaded if isinstance(loaded, Mapping) else {_only(inputs, where).name: loaded}
    return _of_arrays(arrays, inputs, where)


def _load(path: Path) -> Mapping[str, np.ndarray] | np.ndarray:
    # Arrays of an .npy file stay in the file until they are used.
    return load_arrays(path, QuantizeError, mapped=path.suffix == ".npy")


def _of_arrays(given: Mapping[str, Any], inputs: Sequence[TensorInfo], where: str) -> Samples:
    """Arrays whose first axis counts samples, or rows of which a batch is a sample."""
    arrays = {name: np.asarray(array) for name, array in given.items()}
    _check_names(inputs, arrays, where)
    counts: dict[str, int] = {}
    steps: dict[str, int] = {}
    for info in inputs:
        array, rank = arrays[info.name], len(info.shape)
        if array.ndim == rank and rank > 0:
            batch = info.shape[0]
            steps[info.name] = batch if isinstance(batch, int) else 1
        elif array.ndim == rank + 1:
            steps[info.name] = 0
        else:
            raise QuantizeError(
                f"{where}: array '{info.name}' has shape {list(array.shape)}, but samples of input '{info.name}' "
                f"have shape {info.shape_text}"
            )
        counts[info.name] = len(array) // (steps[info.name] or 1)
    count = min(counts.values(), default=0)
    for name, other in counts.items():
        if other != count:
            least = next(key for key, value in counts.items() if value == count)
            raise QuantizeError(f"{where}: there are {other} samples of '{name}' but {count} of '{least}'")
    if count == 0:
        size = max((arrays[name].shape[0] for name in arrays), default=0)
        reason = f"{size} rows are less than a batch of the model" if size else "its arrays are empty"
        raise QuantizeError(f"{where} holds no samples: {reason}")

    def read() -> Iterator[Mapping[str, Any]]:
        for index in range(count):
            yield {
                name: arrays[name][index * step : (index + 1) * step] if step else arrays[name][index]
                for name, step in steps.items()
            }

    return Samples(inputs, read, where, count)


def _check_names(inputs: Sequence[TensorInfo], given: Mapping[str, Any], where: str) -> None:
    known = {info.name for info in inputs}
    missing = [name for name in known if name not in given]
    extra = [str(name) for name in given if name not in known]
    if missing or extra:
        described = ", ".join(f"'{info.name}' ({info})" for info in inputs) or "none"
        problem = f"has no array for input '{sorted(missing)[0]}'" if missing else f"has an array '{extra[0]}'"
        more = f" but an array '{extra[0]}'" if missing and extra else ""
        raise QuantizeError(f"{where} {problem}{more}: the inputs of the model are {described}")


def check_sample(inputs: Sequence[TensorInfo], given: Any, where: str) -> Sample:
    """The arrays of a sample as a run of the model takes them.

    A batch axis of size 1 may be missing, and numbers of another type are taken where they lose nothing. Raises
    QuantizeError naming the input that is missing, unknown, of a wrong dtype or shape, or not finite.
    """
    if not isinstance(given, Mapping):
        raise QuantizeError(f"{where} is {type(given).__name__}, but a sample is a dictionary of arrays by input name")
    _check_names(inputs, given, where)
    sample: Sample = {}
    for info in inputs:
        try:
            array = np.asarray(given[info.name])
        except (ValueError, TypeError) as error:
            raise QuantizeError(f"{where}: '{info.name}' is not an array: {first_line(error)}") from None
        wanted = BY_NAME[info.dtype].dtype
        if array.dtype != wanted:
            array = _convert(array, wanted, info, where)
        if array.ndim + 1 == len(info.shape) and info.shape[0] in (
            1,
            *[s for s in info.shape[:1] if not isinstance(s, int)],
        ):
            array = array[None]
        fits = array.ndim == len(info.shape) and all(
            size == want for size, want in zip(array.shape, info.shape, strict=True) if isinstance(want, int)
        )
        if not fits:
            raise QuantizeError(
                f"{where}: '{info.name}' has shape {list(array.shape)}, but the input has {info.shape_text}"
            )
        if array.size == 0:
            raise QuantizeError(f"{where}: '{info.name}' is empty")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            wrong = "NaN" if np.isnan(array).any() else "an infinite number"
            raise QuantizeError(f"{where}: '{info.name}' holds {wrong}")
        sample[info.name] = np.ascontiguousarray(array).reshape(array.shape)
    return sample


def _convert(array: np.ndarray, wanted: np.dtype, info: TensorInfo, where: str) -> np.ndarray:
    """Numbers of another type that means the same: wider or narrower floats, integers of other widths that fit."""
    alike = {"f": "f", "i": "iu", "u": "iu", "b": "b"}.get(wanted.kind, "")
    if array.dtype.kind in alike and array.size:
        with np.errstate(over="ignore"):
            converted = array.astype(wanted)
        if wanted.kind == "f" and not np.array_equal(np.isinf(converted), np.isinf(array)):
            raise QuantizeError(f"{where}: '{info.name}' holds {np.abs(array).max():g}, which {info.dtype} cannot")
        if wanted.kind == "f" or np.array_equal(converted, array):
            return converted
    raise QuantizeError(f"{where}: '{info.name}' has elements of {array.dtype}, but the input has {info.dtype}")
