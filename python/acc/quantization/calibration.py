"""What the tensors of a model look like: one pass over the samples, on acc's own native code.

Of every tensor a histogram is kept whose bins are as wide as a power of two and widen as larger numbers come, so that
what is counted does not depend on the order of the samples; and of every channel the range, the mean and the mean
square. Ranges are those of all elements; of large tensors, histograms are of every n-th. Memory does not depend on
the number of samples.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import itertools
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from acc.apart import compile_apart
from acc.container import TensorInfo
from acc.dtypes import BY_ONNX
from acc.errors import ModelError, NeedsShape
from acc.executable import Executable
from acc.interruptible import deferred
from acc.layerwise import expose, expose_in
from acc.quantization.data import Sample, Samples
from acc.quantization.model import FloatModel, aligned
from acc.quantization.options import QuantizeError
from acc.quantization.positions import Positions
from acc.quantization.state import Stage, State
from acc.wording import raised

__all__ = ["BINS", "Programs", "Progress", "Runner", "Statistics", "Watch", "calibrate", "give_back", "input_infos"]

Progress = Callable[[str, int, int | None], None]
"""Called with what is done, how many samples are done and how many there are, None if that is not known."""

BINS = 4096
"""Bins of a histogram, half of them for negative numbers."""

_HALF = BINS // 2

SAMPLED = 1 << 16
"""Elements of a tensor of one sample that a histogram counts."""

_LARGE = 32 << 20
"""Bytes of weights beyond which a model is compiled in a process of its own."""

_FIRST_EXPONENT = -140

_STEPS = [p for p in range(3, 5000, 2) if all(p % q for q in range(3, int(p**0.5) + 1, 2))]


@dataclass(frozen=True)
class Watch:
    """What is to be known of a tensor.

    axis: the axis of its channels; None if it has none. importance: per channel, how much an error counts; None if
    all count alike.
    """

    axis: int | None = None
    importance: np.ndarray | None = None


@dataclass
class Statistics:
    """What was seen of a tensor.

    Attributes:
        low, high: the range of all elements.
        elements: how many there were.
        bins: the weight of the numbers in [i - BINS / 2, i + 1 - BINS / 2) * 2 ** exponent, float64 (BINS,).
        exponent: see there.
        zeros: the weight of the zeros, which is also in the bins.
        minima, maxima, sums, squares: of every channel, float64 (channels,).
    """

    low: float = math.inf
    high: float = -math.inf
    elements: int = 0
    bins: np.ndarray = field(default_factory=lambda: np.zeros(BINS))
    exponent: int = _FIRST_EXPONENT
    zeros: float = 0.0
    minima: np.ndarray = field(default_factory=lambda: np.zeros(0))
    maxima: np.ndarray = field(default_factory=lambda: np.zeros(0))
    sums: np.ndarray = field(default_factory=lambda: np.zeros(0))
    squares: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @property
    def width(self) -> float:
        """Of a bin."""
        return math.ldexp(1.0, self.exponent)

    @property
    def centers(self) -> np.ndarray:
        """The middles of the bins, float64 (BINS,)."""
        return (np.arange(BINS) - _HALF + 0.5) * self.width

    @property
    def means(self) -> np.ndarray:
        """Of the channels."""
        return self.sums * len(self.sums) / max(self.elements, 1)

    @property
    def mean_squares(self) -> np.ndarray:
        """Of the channels."""
        return self.squares * len(self.squares) / max(self.elements, 1)

    @property
    def magnitudes(self) -> np.ndarray:
        """The largest absolute value of every channel."""
        return np.maximum(np.abs(self.minima), np.abs(self.maxima))

    def add(self, array: np.ndarray, watch: Watch) -> None:
        """Takes one more array into account; finite numbers only."""
        axis = watch.axis if watch.axis is not None and array.ndim else None
        outer, channels, inner = _fold(array.shape, axis)
        parts = np.ascontiguousarray(array).reshape(outer, channels, inner)
        over = (0, 2)
        minima, maxima = parts.min(over), parts.max(over)
        if not (np.isfinite(minima).all() and np.isfinite(maxima).all()):
            raise FloatingPointError
        sums, squares = parts.sum(over, dtype=np.float64), np.einsum("ocn,ocn->c", parts, parts).astype(np.float64)
        if self.elements == 0 or len(self.sums) != channels:
            if self.elements:
                raise QuantizeError("the number of channels differs from sample to sample")
            self.minima, self.maxima = minima.astype(np.float64), maxima.astype(np.float64)
            self.sums, self.squares = sums, squares
        else:
            self.minima, self.maxima = np.minimum(self.minima, minima), np.maximum(self.maxima, maxima)
            self.sums, self.squares = self.sums + sums, self.squares + squares
        self.low, self.high = float(self.minima.min()), float(self.maxima.max())
        self.elements += parts.size
        self._count(parts, watch.importance)

    def _count(self, parts: np.ndarray, importance: np.ndarray | None) -> None:
        _, channels, inner = parts.shape
        step = _step(parts.size, parts.shape)
        values = parts.reshape(-1)[::step]
        weights = None
        if importance is not None:
            weights = importance[np.arange(0, parts.size, step) // inner % channels]
        needed = _exponent(max(abs(self.low), abs(self.high)))
        if needed > self.exponent:
            self._widen(needed)
        places = np.floor(
            values * np.float64(1 / self.width) if self.exponent < -120 else values * np.float32(1 / self.width)
        )
        places = np.clip(places.astype(np.int64) + _HALF, 0, BINS - 1)
        self.bins += np.bincount(places, weights, BINS)
        zero = values == 0
        self.zeros += float(zero.sum() if weights is None else weights[zero].sum())

    def _widen(self, exponent: int) -> None:
        """Makes bins so wide that neighbours become one."""
        doublings = exponent - self.exponent
        bins = self.bins
        for _ in range(min(doublings, 12)):
            # Pairs meet at even places, seen from zero, which lies between bins.
            negative, positive = bins[:_HALF], bins[_HALF:]
            negative, positive = (half.reshape(-1, 2).sum(1) for half in (negative, positive))
            empty = np.zeros(_HALF // 2)
            bins = np.concatenate([empty, negative, positive, empty])
        self.bins, self.exponent = bins, exponent

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All of it, for a file."""
        numbers = np.array([self.low, self.high, self.elements, self.exponent, self.zeros])
        return {
            "numbers": numbers, "bins": self.bins, "minima": self.minima, "maxima": self.maxima, "sums": self.sums,
            "squares": self.squares,
        }  # fmt: skip

    @staticmethod
    def from_arrays(arrays: Mapping[str, np.ndarray]) -> Statistics:
        low, high, elements, exponent, zeros = arrays["numbers"].tolist()
        rest = {name: arrays[name].copy() for name in ("bins", "minima", "maxima", "sums", "squares")}
        return Statistics(low, high, int(elements), exponent=int(exponent), zeros=zeros, **rest)


def _fold(shape: Sequence[int], axis: int | None) -> tuple[int, int, int]:
    """The shape with the axes before and behind that of the channels taken together."""
    if axis is None or not -len(shape) <= axis < len(shape):
        return 1, 1, math.prod(shape)
    axis %= len(shape)
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


def _step(size: int, shape: Sequence[int]) -> int:
    """How far apart counted elements are: a prime that divides no size, so that all channels have their turn."""
    if size <= SAMPLED:
        return 1
    least = -(-size // SAMPLED)
    return next((p for p in _STEPS if p >= least and all(s % p for s in shape if s > 1)), 1)


def _exponent(largest: float) -> int:
    """The exponent of the width of bins that hold numbers up to `largest`."""
    if largest == 0:
        return _FIRST_EXPONENT
    return max(math.frexp(largest)[1] - (_HALF.bit_length() - 1), _FIRST_EXPONENT)


def input_infos(model: onnx.ModelProto) -> list[TensorInfo]:
    """The inputs of a model; sizes that it leaves open have a name or are "?". Raises QuantizeError for no tensors."""
    infos = []
    for value in model.graph.input:
        tensor = value.type.tensor_type
        if not value.type.HasField("tensor_type") or tensor.elem_type not in BY_ONNX:
            raise QuantizeError(f"input '{value.name}' is no tensor of numbers")
        shape = tuple(d.dim_value if d.HasField("dim_value") else d.dim_param or "?" for d in tensor.shape.dim)
        infos.append(TensorInfo(value.name, BY_ONNX[tensor.elem_type].name, shape))
    return infos


_NUMBERS = {
    "Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Sub", "Mul", "Div", "PRelu", "LayerNormalization",
    "InstanceNormalization", "GroupNormalization", "Gather",
}  # fmt: skip
"""Operators whose operands are numbers to compute with, whatever they are: nothing is decided by them."""


class Programs:
    """Native code of float models, by what is run and for which sizes.

    Weights are inputs of the code. So compiling needs no memory for them, and models that differ in weights alone, as
    before and after channels are scaled, share it. What has not been used for longest is dropped.
    """

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._made: dict[Any, Executable] = {}

    def get(self, key: Any, make: Callable[[], Executable]) -> Executable:
        made = self._made.pop(key, None)
        if made is None:
            # Sequences of many lengths would otherwise fill the memory with code.
            while len(self._made) >= self._most:
                self._made.pop(next(iter(self._made))).close()
            made = make()
            give_back()
        self._made[key] = made
        return made

    def close(self) -> None:
        """Frees the memory of all code."""
        while self._made:
            self._made.popitem()[1].close()


def give_back() -> None:
    """Gives memory that is free back to the system, of which compiling needs much for a moment."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class Runner:
    """Runs a model natively and returns some of its tensors; compiled for the sizes of a sample where it must be."""

    def __init__(
        self,
        model: onnx.ModelProto | FloatModel,
        tensors: Sequence[str],
        *,
        programs: Programs | None = None,
        more: Sequence[str] = (),
    ) -> None:
        """programs: those of other runners of the same model. more: tensors that these return."""
        proto = model.proto if isinstance(model, FloatModel) else model
        self.inputs = [value.name for value in proto.graph.input]
        self._inputs = set(self.inputs)
        self.read = list(tensors)
        self._model = model
        self._tensors = sorted({*tensors, *more} - self._inputs)
        self._needs_shapes = False
        self._programs = programs or Programs()
        self._weights: dict[str, np.ndarray] = {}
        self._given: dict[str, str] = {}
        self._key, self._proto = b"", onnx.ModelProto()
        self._prepare(weights=isinstance(model, FloatModel))

    def _prepare(self, *, weights: bool) -> None:
        """Makes what is compiled; weights: whether they are inputs of it."""
        if isinstance(self._model, onnx.ModelProto):
            self._proto, self._weights = expose(self._model, self._tensors), {}
        else:
            outline = self._model.outline(_weights(self._model) if weights else ())
            # Names say nothing of what is computed, and change with what is done to the weights.
            prefix = "weight"
            while any(name.startswith(prefix) for node in self._model.nodes for name in node.input):
                prefix += "_"
            names = {name: f"{prefix}{number}" for number, name in enumerate(outline.constants)}
            for name, value in outline.constants.items():
                self._model.constants[name] = aligned(value)
            self._weights = {new: self._model.constants[name] for name, new in names.items()}
            self._given = names
            self._proto = _renamed(expose_in(outline.proto, self._tensors), names)
        self._key = hashlib.sha256(self._proto.SerializeToString(deterministic=True)).digest()

    def takes(self, names: Iterable[str]) -> bool:
        """Whether `run` can give all of these constants other values."""
        return set(names) <= self._given.keys()

    def run(self, sample: Sample, replaced: Mapping[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        """The tensors for this sample, by name. replaced: constants with other values, by name; see `takes`."""
        values: Mapping[str, np.ndarray] = {}
        if any(name not in self._inputs for name in self.read):
            executable = self._executable(sample)
            others = {self._given[name]: value for name, value in (replaced or {}).items()}
            values = executable.run({**sample, **self._weights, **others})
        return {name: sample[name] if name in self._inputs else values[name] for name in self.read}

    def _executable(self, sample: Sample) -> Executable:
        while True:
            shapes = {name: array.shape for name, array in sample.items()} if self._needs_shapes else None
            try:
                return self._programs.get(
                    (self._key, *(shapes or {}).items()), functools.partial(self._compile, shapes)
                )
            except NeedsShape:
                if self._needs_shapes:
                    raise
                self._needs_shapes = True
            except ModelError:
                # Some operators want to know what they read.
                if not self._weights:
                    raise
                self._prepare(weights=False)

    def _compile(self, shapes: dict[str, tuple[int, ...]] | None) -> Executable:
        # Where the compiler is in memory already, or little else is, another process saves nothing.
        if "acc._mlir" not in sys.modules and sum(value.nbytes for value in self._weights.values()) >= _LARGE:
            return compile_apart(self._proto, shapes)
        from acc.compiler import compile

        return compile(self._proto, shapes=shapes)


def _weights(model: FloatModel) -> list[str]:
    """The constants that are numbers to compute with, but for single ones, in the order in which they are read."""
    found: dict[str, bool] = {}
    for node in model.nodes:
        for name in node.input:
            value = model.constants.get(name)
            if value is not None and value.dtype == np.float32 and value.size > 1:
                found[name] = found.get(name, True) and node.op_type in _NUMBERS
    return [name for name, is_weight in found.items() if is_weight]


def _renamed(model: onnx.ModelProto, names: Mapping[str, str]) -> onnx.ModelProto:
    """Gives inputs of the graph other names."""
    for value in model.graph.input:
        value.name = names.get(value.name, value.name)
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            if name in names:
                node.input[position] = names[name]
    return model


def calibrate(
    model: FloatModel,
    watched: Mapping[str, Watch],
    samples: Samples,
    *,
    limit: int,
    progress: Progress | None = None,
    stage: str = "calibrating",
    state: State | None = None,
    programs: Programs | None = None,
    more: Sequence[str] = (),
    positions: Positions | None = None,
) -> tuple[dict[str, Statistics], int]:
    """The statistics of the tensors `watched`, and from how many samples they are, of at most `limit`.

    programs, more: see Runner. positions: which of them count; None if all do.

    Raises QuantizeError if there are no samples, if one is not what the model takes, or if a tensor is not finite for
    one; what compiling and running a model raise.
    """
    statistics = {name: Statistics() for name in watched}
    positions = positions or Positions((), (), "")
    runner = Runner(model, list(dict.fromkeys([*watched, *positions.needed])), programs=programs, more=more)
    total = None if samples.count is None else min(samples.count, limit)
    done, digest = 0, hashlib.blake2b(digest_size=16)
    resumed = state.stages.get(stage) if state else None
    now = None if resumed else Stage(0, "", False, lambda: _to_arrays(statistics))
    if state and now:
        state.stages[stage] = now
    for sample in itertools.islice(_guarded(samples), limit):
        if state:
            _digest(digest, sample)
        if resumed:
            done += 1
            if done < resumed.done:
                continue
            assert state
            if digest.hexdigest() != resumed.digest:
                raise state.refusal("with other data")
            statistics.update(_from_arrays(resumed.content()))
            if resumed.finished:
                return statistics, done
            now = state.stages[stage] = Stage(done, resumed.digest, False, lambda: _to_arrays(statistics))
            resumed = None
            continue
        values = runner.run(sample)
        counted = positions.counted(runner, sample, values)
        # Ctrl-C waits until all tensors have the sample: what is saved is whole.
        with deferred():
            for name, watch in watched.items():
                try:
                    for part in counted(name, values[name], watch.axis):
                        statistics[name].add(part, watch)
                except FloatingPointError:
                    raise QuantizeError(_not_finite(model, name, values[name], done)) from None
            done += 1
            if now:
                now.done, now.digest = done, digest.hexdigest()
        # The next run makes them anew.
        del values, counted
        if progress:
            progress(stage, done, total)
        if state:
            state.save_sometimes()
    give_back()
    if done == 0:
        raise QuantizeError(f"{samples.where} holds no samples")
    if resumed and state:
        raise state.refusal("with more samples")
    if now:
        now.finished = True
    return statistics, done


def _to_arrays(statistics: Mapping[str, Statistics]) -> dict[str, np.ndarray]:
    return {f"{part} {name}": array for name, item in statistics.items() for part, array in item.to_arrays().items()}


def _from_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, Statistics]:
    found: dict[str, dict[str, np.ndarray]] = {}
    for key, array in arrays.items():
        part, _, name = key.partition(" ")
        found.setdefault(name, {})[part] = array
    return {name: Statistics.from_arrays(parts) for name, parts in found.items()}


def _guarded(samples: Samples) -> Iterator[Sample]:
    """The samples; what the user's code raises on the way becomes a QuantizeError that says where."""
    from acc.errors import AccError

    source = iter(samples)
    number = 0
    while True:
        try:
            sample = next(source)
        except StopIteration:
            return
        except AccError:
            raise
        except (Exception, SystemExit) as error:
            raise QuantizeError(f"{samples.where} raises at sample {number}: {raised(error)}") from error
        yield sample
        number += 1


def _digest(digest: Any, sample: Sample) -> None:
    for name in sorted(sample):
        digest.update(f"{name}{sample[name].shape}{sample[name].dtype}".encode())
        digest.update(np.ascontiguousarray(sample[name]).data)


def _not_finite(model: FloatModel, name: str, array: np.ndarray, number: int) -> str:
    kind = "NaN" if np.isnan(array).any() else "infinite numbers"
    node = model.producers.get(name)
    place = f"node '{node.name}' ({node.op_type}) computes" if node else f"input '{name}' holds"
    return f"{place} {kind} for sample {number}: what has no range cannot be quantized; exclude it, or mend the sample"
