"""Positions that do not count: the padding of sequences, which a mask among the inputs keeps apart.

A model of sequences of a fixed length is calibrated with padded ones, and often most of the positions are padding.
What is computed there has no influence on the others and is looked at by nobody, but it is as large as anything else:
ranges, means and products that count it are those of padding.

Which elements of which tensor belong to padding is not derived from the graph, but seen: the sample is run once more
with other numbers where the mask says that nothing counts. What changes belongs to such positions. If that reaches
outputs of the model anywhere else, the input is no mask of this kind.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from acc.container import TensorInfo
from acc.quantization.data import Sample
from acc.quantization.options import QuantizeError

__all__ = ["Counted", "Positions", "gathered"]


class Counted(Protocol):
    """Gives the parts of a tensor that count; none of them is empty."""

    def __call__(self, name: str, array: np.ndarray, channels: int | None = None) -> Iterator[np.ndarray]:
        """name: of the tensor. channels: an axis all of which stays."""
        ...


class _Runner(Protocol):
    def run(self, sample: Sample) -> dict[str, np.ndarray]: ...


@dataclass(frozen=True)
class _Place:
    """Where the positions are in a tensor.

    axes: those that count positions, of which each is cut; more than one, as scores have an axis for queries and one
    for keys. batch: the axis that counts sequences; None if there is one sequence only, or if positions of all
    sequences lie along one axis.
    """

    axes: tuple[int, ...] = ()
    batch: int | None = None


@dataclass
class Positions:
    """Which positions of samples count, learned from the first sample for which not all do.

    Attributes:
        inputs: of the model.
        outputs: of the model, by name.
        wanted: the name of the mask; "" if there is none; None if any input that proves to be one is.
        mask: the input that was found to be one; None if there is none, or none yet.
        ignored: what the mask holds where nothing counts.
    """

    inputs: Sequence[TensorInfo]
    outputs: Sequence[str]
    wanted: str | None = None
    mask: str | None = None
    ignored: float = 0
    _refused: set[tuple[str, float]] = field(default_factory=set, repr=False)
    _places: dict[tuple[str, bool], _Place] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.wanted and all(info.name != self.wanted for info in self.inputs):
            raise QuantizeError(f"the mask '{self.wanted}' is no input of the model")
        if self.wanted and not self._candidates:
            raise QuantizeError(
                f"'{self.wanted}' cannot be a mask: it and another input must count sequences and their positions"
            )

    @property
    def _candidates(self) -> list[str]:
        """Inputs that may be a mask: numbers for sequences and their positions, as another input has at its front."""
        if self.wanted == "":
            return []
        ranks = {info.name: len(info.shape) for info in self.inputs}
        return [
            name
            for name, rank in ranks.items()
            if rank >= 2
            and self.wanted in (None, name)
            and any(other != name and others >= 2 for other, others in ranks.items())
        ]

    @property
    def needed(self) -> Sequence[str]:
        """Tensors that a runner has to return for `counted`, beside those that one asks it for."""
        return self.outputs if self._candidates else ()

    def counted(self, runner: _Runner, sample: Sample, values: Mapping[str, np.ndarray]) -> Counted:
        """What of the tensors of this sample counts.

        values: what `runner` returned for the sample, `needed` included. Raises QuantizeError if the mask that was
        asked for is none.
        """
        if self.mask is None:
            self._find(runner, sample, values)
        kept = self._kept(sample, self.mask, self.ignored) if self.mask is not None else None
        if kept is None or kept.all():
            return lambda name, array, channels=None: iter([array] if array.size else [])
        if any((name, len(kept) == 1) not in self._places for name in values):
            self._learn(runner, sample, values, kept)

        def counted(name: str, array: np.ndarray, channels: int | None = None) -> Iterator[np.ndarray]:
            place = self._places.get((name, len(kept) == 1), _Place())
            if channels is not None:
                place = replace(place, axes=tuple(axis for axis in place.axes if axis != channels % array.ndim))
            return (part for part in _parts(array, kept, place) if part.size)

        return counted

    def _kept(self, sample: Sample, mask: str, ignored: float) -> np.ndarray | None:
        """Which positions count, bool (sequences, positions); None if the mask has another form for this sample."""
        array = sample[mask]
        if array.ndim < 2 or any(size != 1 for size in array.shape[1:-1]):
            return None
        flat = array.reshape(array.shape[0], array.shape[-1])
        return flat != ignored

    def _find(self, runner: _Runner, sample: Sample, values: Mapping[str, np.ndarray]) -> None:
        for name in self._candidates:
            if sample[name].dtype.kind not in "buif":
                continue
            found = np.unique(sample[name])
            if len(found) != 2:
                continue
            for ignored in found.tolist():
                kept = self._kept(sample, name, ignored)
                if kept is None or (name, ignored) in self._refused:
                    continue
                changed = self._changed(runner, sample, values, name, kept)
                if changed is None:
                    continue
                if all(_place(changed[output], kept) is not None for output in self.outputs):
                    self.mask, self.ignored = name, ignored
                    self._note(changed, kept)
                    return
                self._refused.add((name, ignored))
            if name == self.wanted and all((name, ignored) in self._refused for ignored in found.tolist()):
                raise QuantizeError(
                    f"'{name}' is no mask: what stands at positions of either of its values has influence on others"
                )

    def _learn(self, runner: _Runner, sample: Sample, values: Mapping[str, np.ndarray], kept: np.ndarray) -> None:
        changed = self._changed(runner, sample, values, self.mask or "", kept)
        if changed is not None:
            self._note(changed, kept)

    def _note(self, changed: Mapping[str, np.ndarray], kept: np.ndarray) -> None:
        for name, where in changed.items():
            # What depends on positions in another way, as a mean over all of them does, counts as it is.
            self._places[name, len(kept) == 1] = _place(where, kept) or _Place()

    def _changed(
        self, runner: _Runner, sample: Sample, values: Mapping[str, np.ndarray], mask: str, kept: np.ndarray
    ) -> dict[str, np.ndarray] | None:
        """Which elements of tensors other numbers at the other positions change; None if the sample has no others."""
        if kept.all() or not kept.any():
            return None
        other = dict(sample)
        for name, array in sample.items():
            if name != mask and array.shape[:2] == kept.shape:
                other[name] = _exchanged(array, kept)
        if all(np.array_equal(other[name], sample[name]) for name in sample):
            return None
        again = runner.run(other)
        return {
            name: array != again[name] if array.shape == again[name].shape else np.ones(array.shape, bool)
            for name, array in values.items()
        }


def gathered(parts: Iterator[np.ndarray]) -> np.ndarray:
    """All numbers of some parts of a tensor, float64."""
    return np.concatenate([np.zeros(0), *(part.reshape(-1) for part in parts)])


def _exchanged(array: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """An array (sequences, positions, ...) with what stands elsewhere at positions that do not count."""
    pool = array[kept]
    result = array.copy()
    for place in zip(*np.nonzero(~kept), strict=True):
        others = pool[(pool != array[place]).reshape(len(pool), -1).any(1)]
        if len(others):
            result[place] = others[sum(place) % len(others)]
    return result


def _place(changed: np.ndarray, kept: np.ndarray) -> _Place | None:
    """Where positions are in a tensor of which this changed with what stands at those that do not count; None if it
    changed elsewhere, too."""
    sequences, positions = kept.shape
    if not changed.any():
        return _Place()
    for axis, size in enumerate(changed.shape):
        if size == sequences * positions and not changed.compress(kept.reshape(-1), axis).any():
            return _Place((axis,))
    along = [axis for axis, size in enumerate(changed.shape) if size == positions]
    batches = [axis for axis, size in enumerate(changed.shape) if size == sequences] if sequences > 1 else [None]
    for count in (1, 2):
        for batch, axes in itertools.product(batches, itertools.combinations(along, count)):
            if batch not in axes and not any(part.any() for part in _parts(changed, kept, _Place(axes, batch))):
                return _Place(axes, batch)
    return None


def _parts(array: np.ndarray, kept: np.ndarray, place: _Place) -> Iterator[np.ndarray]:
    """What of a tensor is at positions that count, for each sequence if it has an axis of them."""
    parts = [(array, kept.reshape(-1))]
    if place.batch is not None:
        parts = [(array.take([number], place.batch), row) for number, row in enumerate(kept)]
    for part, row in parts:
        for axis in place.axes:
            part = part.compress(row, axis)
        yield part
