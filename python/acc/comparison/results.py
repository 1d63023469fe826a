"""What is found of two sides, and what counts as a difference."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from acc.comparison.sides import Arrays, Side

__all__ = [
    "Comparison",
    "Criteria",
    "Difference",
    "Piece",
    "Row",
    "allowed_steps",
    "decibels",
    "describe",
    "make_row",
    "own_ratio",
]


@dataclasses.dataclass(frozen=True)
class Criteria:
    """What counts as equal.

    Attributes:
        steps: integers may differ by so much. None is 0 where acc computes both, which has the same bits everywhere,
            and else 1.
        tolerance: floating-point numbers of one model may differ by so much of themselves, or of a hundredth of the
            largest of their tensor where that is more.
        sqnr: where the numbers are those of different models, or come behind quantized layers whose roundings add up,
            the least signal-to-noise ratio, in dB.
    """

    steps: int | None = None
    tolerance: float = 1e-3
    sqnr: float = 20.0


@dataclasses.dataclass
class Difference:
    """What was found of a pair of tensors, over all samples."""

    elements: int = 0
    equal: int = 0
    largest: float = 0.0
    relative: float = 0.0
    signal: float = 0.0
    noise: float = 0.0
    other: float = 0.0
    product: float = 0.0
    is_integer: bool = True
    worst: int = 0
    noisiest: tuple[float, int] = (math.inf, 0)

    def add(self, a: np.ndarray, b: np.ndarray, sample: int) -> None:
        if a.dtype.kind not in "iufcb" or b.dtype.kind not in "iufcb":
            a, b = (a != b).astype(np.int8), np.zeros(a.shape, np.int8)
        integer = a.dtype.kind in "iub" and b.dtype.kind in "iub"
        self.is_integer &= integer
        x, y = a.astype(np.float64), b.astype(np.float64)
        # Numbers of 64 bits are told apart exactly.
        same = (a == b) | (np.isnan(x) & np.isnan(y))
        with np.errstate(invalid="ignore", over="ignore"):
            difference = np.where(same, 0.0, np.abs(x - y))
        difference = np.where(np.isnan(difference), np.inf, difference)
        if integer:
            difference = np.where(same, 0.0, np.maximum(difference, 1.0))
        finite = np.isfinite(x) & np.isfinite(y)
        floor = 1e-2 * float(np.abs(x[finite]).max(initial=0.0))
        with np.errstate(invalid="ignore", divide="ignore"):
            relative = np.where(difference == 0, 0.0, difference / np.maximum(np.where(finite, np.abs(x), 0.0), floor))
        largest, furthest = float(difference.max(initial=0.0)), float(relative.max(initial=0.0))
        if furthest > self.relative or largest > self.largest:
            self.worst = sample
        self.elements += a.size
        self.equal += int(same.sum())
        self.largest, self.relative = max(self.largest, largest), max(self.relative, furthest)
        x, y = np.where(finite, x, 0.0), np.where(finite, y, 0.0)
        signal, noise = float((x * x).sum()), math.inf if (~finite & ~same).any() else float(((x - y) ** 2).sum())
        self.noisiest = min(self.noisiest, (decibels(signal, noise), sample))
        self.signal += signal
        self.noise += noise
        self.other += float((y * y).sum())
        self.product += float((x * y).sum())

    @property
    def sqnr(self) -> float:
        """In dB; infinite where nothing differs."""
        return decibels(self.signal, self.noise)

    @property
    def cosine(self) -> float:
        lengths = math.sqrt(self.signal) * math.sqrt(self.other)
        return self.product / lengths if lengths else float(self.signal == self.other)


def decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return math.inf
    return -math.inf if signal == 0 or noise == math.inf else 10 * math.log10(signal / noise)


def own_ratio(before: float, after: float) -> float | None:
    """The signal-to-noise ratio of noise that comes on top: powers of noise add up, in parts of the signal's."""
    if not after < before or after == -math.inf:
        return None
    own = -10 * math.log10(10 ** (-after / 10) - 10 ** (-before / 10))
    # Beyond, it is rounding of the sums.
    return own if own < 100 else None


@dataclasses.dataclass(frozen=True)
class Row:
    """How far the two sides are apart at one tensor.

    Attributes:
        name: of the layer that makes it, with its operators.
        tensor: its name.
        elements, equal: how many there were, and the part of them that is the same.
        largest: the largest difference; in quantization steps where both are integers.
        relative: the largest difference in parts of the number, or of a hundredth of the largest one.
        sqnr: the ratio of the first side's signal to the difference, in dB; None where nothing differs.
        cosine: of the angle between the two.
        own: the ratio that this layer would have if what it reads were exact, in dB, estimated from the ratios before
            and behind it; None where it adds nothing, and where layers are compared each by itself.
        is_integer: whether both are integers.
        diverges: whether that is more than the criteria allow.
        worst: the sample that differs most, or whose ratio is the least where that counts.
    """

    name: str
    tensor: str
    elements: int
    equal: float
    largest: float
    relative: float
    sqnr: float | None
    cosine: float
    own: float | None
    is_integer: bool
    diverges: bool
    worst: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible: numbers that JSON lacks are strings."""
        values = dataclasses.asdict(self)
        return {k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


@dataclasses.dataclass(frozen=True)
class Piece:
    """The smallest part of the model that still diverges: what runs on either side, and on what.

    feeds: its inputs. expected, actual: what the sides make of them.
    """

    models: tuple[onnx.ModelProto, onnx.ModelProto]
    feeds: Arrays
    expected: Arrays
    actual: Arrays
    layers: tuple[str, ...]


@dataclasses.dataclass
class Comparison:
    """The result of `compare`.

    Attributes:
        sides: what was compared.
        samples: on how many.
        rows: the layers in topological order; empty where a side is known by its outputs alone.
        outputs: of the models as they are.
        first: the first row that diverges, among the layers if there is one.
        criterion: what counted as equal, in words.
        criteria: the same, as it was asked for.
        together: whether only layers that run together diverge, each being right by itself.
        make_piece: cuts out what diverges; None where nothing can be cut.
    """

    sides: tuple[Side, Side]
    samples: int
    rows: list[Row]
    outputs: list[Row]
    first: Row | None
    criterion: str
    criteria: Criteria
    together: bool = False
    make_piece: Callable[[], Piece] | None = None

    @property
    def is_equal(self) -> bool:
        return self.first is None

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible."""
        return {
            "a": self.sides[0].text,
            "b": self.sides[1].text,
            "samples": self.samples,
            "criterion": self.criterion,
            "equal": self.is_equal,
            "first": self.first.to_dict() if self.first else None,
            "together": self.together,
            "layers": [row.to_dict() for row in self.rows],
            "outputs": [row.to_dict() for row in self.outputs],
        }


def allowed_steps(criteria: Criteria, a: Side, b: Side) -> int:
    if criteria.steps is not None:
        return criteria.steps
    return 0 if a.is_exact and b.is_exact else 1


def make_row(
    name: str,
    tensor: str,
    item: Difference,
    steps: int,
    criteria: Criteria,
    *,
    by_ratio: bool = False,
    own: float | None = None,
) -> Row:
    if by_ratio and not (item.is_integer and steps == 0):
        diverges = item.sqnr < criteria.sqnr
    elif item.is_integer:
        diverges = item.largest > steps
    else:
        diverges = item.relative > criteria.tolerance
    return Row(
        name=name,
        tensor=tensor,
        elements=item.elements,
        equal=item.equal / item.elements if item.elements else 1.0,
        largest=item.largest,
        relative=item.relative,
        sqnr=None if item.sqnr == math.inf else item.sqnr,
        cosine=item.cosine,
        own=own,
        is_integer=item.is_integer,
        diverges=diverges,
        worst=item.noisiest[1] if by_ratio else item.worst,
    )


def describe(steps: int, criteria: Criteria, by_ratio: bool) -> str:
    ratio = f"a signal-to-noise ratio of {criteria.sqnr:g} dB"
    integers = "integers equal" if steps == 0 else f"integers within {steps} step{'s' * (steps > 1)}"
    text = f"{integers}, other numbers within {criteria.tolerance:g} of themselves"
    return f"{text}; where roundings add up, {ratio}" if by_ratio else text
