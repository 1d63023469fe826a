"""Scales that an accelerator needs fewer steps for, where that costs hardly any accuracy.

Four choices are made, each where the estimated error of no layer's outputs grows by more than `MOST`:

- the operands and the result of a sum have one scale, so that integers are added and nothing is rounded; those of a
  concatenation have one grid, so that nothing is computed;
- tensors that a convolution pads have zero point 0, so that what surrounds them is zeros, which need not lie in memory;
- the weights of a layer have one scale instead of one for each channel, so that its results are multiplied by a number
  instead of a vector;
- where one half is rounded up (`ties="up"`), the scale of the results of a layer is a power of two times that of its
  sums, so that they are shifted instead of multiplied. Where ties go to even, a power of two takes more steps.

The error of a layer's outputs is the sum of what the rounded inputs, the rounded weights and the rounding of the
outputs make, as if all of them were independent. It is taken from the histograms of the tensors, in which what is cut
off counts as it does when ranges are chosen. All errors are compared with those before the first choice, so that
choices do not add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from acc.quantization.calibration import Statistics
from acc.quantization.model import FloatModel, attribute
from acc.quantization.placement import Layer, Placement, Role
from acc.quantization.ranges import Grid, make_grid, square_error
from acc.quantization.weights import QuantizedWeight, choose_scales, importance_of

__all__ = ["MOST", "Chosen", "choose_for_hardware"]

MOST = 2.0
"""How many times the mean square error of a layer's outputs may become what it was: 3 dB. Layers that nothing is chosen
for make up for most of that: of ResNet-18 and MobileNetV2, the outputs of the network lose 1 dB."""

_WIDER = tuple(2 ** (step / 8) for step in range(8))
"""Factors by which the scale of a layer's results may grow to make its ratio a power of two."""

_NEAR = 4
"""Neighbours among float32 numbers that are tried to make a ratio exact."""


@dataclass
class Chosen:
    """What was chosen: sums and concatenations with equal scales, tensors with zero point 0, layers whose weights have
    one scale, and layers whose ratio is a power of two, by name.
    """

    equal: list[str] = field(default_factory=list)
    zeros: list[str] = field(default_factory=list)
    single: list[str] = field(default_factory=list)
    powers: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = (
            (len(self.equal), "sums and concatenations with equal scales"),
            (len(self.zeros), "padded tensors with zero point 0"),
            (len(self.single), "layers with one scale for all weights"),
            (len(self.powers), "layers whose results are shifted"),
        )
        return ", ".join(f"{count} {what}" for count, what in parts if count) or "nothing"


def choose_for_hardware(
    model: FloatModel,
    placement: Placement,
    statistics: Mapping[str, Statistics],
    grids: dict[str, Grid],
    weights: dict[str, QuantizedWeight],
    mean_squares: Mapping[str, np.ndarray | None],
    *,
    ties: str = "even",
) -> Chosen:
    """Changes grids and weights.

    statistics: of the roots of `placement`. grids: of all quantized tensors. weights: by layer, as are the mean squares
    of the channels that they meet, None where those are not known. ties: "even" or "up".
    """
    choice = _Choice(model, placement, statistics, grids, weights, mean_squares)
    # What saves most comes first.
    choice.equal_scales()
    choice.single_scales()
    if ties == "up":
        choice.powers_of_two()
    choice.zero_points()
    return choice.chosen


class _Choice:
    def __init__(
        self,
        model: FloatModel,
        placement: Placement,
        statistics: Mapping[str, Statistics],
        grids: dict[str, Grid],
        weights: dict[str, QuantizedWeight],
        mean_squares: Mapping[str, np.ndarray | None],
    ) -> None:
        self.model, self.placement, self.statistics = model, placement, statistics
        self.grids, self.weights, self.mean_squares = grids, weights, mean_squares
        self.chosen = Chosen()
        self.roots = {name: root for name, (root, _) in placement.tensors.items()}
        # Roots that have the same scale; the first of them names the others.
        self.group = {root: [root] for root in placement.roots}
        # Groups whose scale a ratio is made of.
        self.fixed: set[int] = set()
        self.around: dict[str, list[Layer]] = {root: [] for root in placement.roots}
        for layer in placement.layers:
            for root in dict.fromkeys(self.roots[name] for name in (*layer.inputs, layer.output)):
                self.around[root].append(layer)
        self._noises: dict[tuple[str, Grid], float] = {}
        self._rows: dict[str, tuple[float, float]] = {}
        self.before = {layer.name: self.error(layer) for layer in placement.layers}

    # What errors are

    def noise(self, name: str) -> float:
        """The mean square error of a quantized tensor."""
        root, factor = self.placement.tensors[name]
        key = root, self.grids[root]
        if key not in self._noises:
            apart = self.placement.only_products_read(root)
            self._noises[key] = square_error(self.statistics[root], self.grids[root], apart=apart)
        return self._noises[key] * factor**2

    def power(self, name: str) -> float:
        root, factor = self.placement.tensors[name]
        seen = self.statistics[root]
        return float(seen.squares.sum()) / max(seen.elements, 1) * factor**2

    def error(self, layer: Layer) -> float:
        """The mean square error of the outputs of a layer if what it reads is right but for being rounded."""
        own = self.noise(layer.output)
        if layer.weight is not None:
            gain, rounded = self._weight_errors(layer)
            return own + gain * self.noise(layer.inputs[0]) + rounded
        if layer.role is Role.ANCHOR or layer.node.op_type == "Mul":
            parts = [self.noise(name) / max(self.power(name), 1e-30) for name in layer.inputs]
            return own + sum(parts) * self.power(layer.output)
        if layer.role is Role.SUM and self._adds_integers(layer):
            own = 0.0
        passed = [self.noise(name) for name in layer.inputs]
        if layer.role is not Role.SUM:
            # Elements of one of them, or means.
            return own + max(passed, default=0.0)
        return own + sum(passed)

    def _weight_errors(self, layer: Layer) -> tuple[float, float]:
        """By how much noise of the input is multiplied, and the noise that rounded weights make."""
        if layer.name not in self._rows:
            weight = self.weights[layer.name]
            rows = weight.form.rows(self.model.constants[layer.weight or ""])
            gain = float(np.einsum("ok,ok->", rows, rows, dtype=np.float64)) / len(rows)
            self._rows[layer.name] = gain, self._rounding(layer, weight, rows)
        return self._rows[layer.name]

    def _rounding(self, layer: Layer, weight: QuantizedWeight, rows: np.ndarray) -> float:
        difference = weight.real - rows
        parts = difference.reshape(weight.form.groups, -1, rows.shape[1])
        power = self._column_power(layer, weight)
        return float(np.einsum("gok,gk,gok->", parts, power, parts, dtype=np.float64)) / len(rows)

    def _column_power(self, layer: Layer, weight: QuantizedWeight) -> np.ndarray:
        known = self.mean_squares.get(layer.name)
        if known is None:
            return np.full((weight.form.groups, len(weight.form.channel)), self.power(layer.inputs[0]))
        return weight.form.per_column(known)

    def _adds_integers(self, layer: Layer) -> bool:
        grids = [self.grids[name] for name in (*layer.inputs, layer.output)]
        return not layer.constants and len({grid.scale for grid in grids}) == 1

    # What is tried

    def _try(self, roots: Iterable[str], new: Mapping[str, Grid], layers: Iterable[Layer] = ()) -> bool:
        """Gives roots other grids; takes it back if that makes the error of a layer around them too large."""
        touched = {id(layer): layer for root in roots for layer in self.around[root]}
        touched |= {id(layer): layer for layer in layers}
        old = {root: self.grids[root] for root in new}
        self._set(new)
        if all(self.error(layer) <= MOST * self.before[layer.name] for layer in touched.values()):
            return True
        self._set(old)
        return False

    def _set(self, new: Mapping[str, Grid]) -> None:
        for name, (root, factor) in self.placement.tensors.items():
            if root in new:
                self.grids[name] = new[root] if factor == 1 else new[root].scaled(factor)

    def _join(self, roots: list[str]) -> None:
        joined = list(dict.fromkeys(member for root in roots for member in self.group[root]))
        for member in joined:
            self.group[member] = joined

    def equal_scales(self) -> None:
        """Of what sums and concatenations read and make."""
        for layer in self.placement.layers:
            names = [*layer.inputs, layer.output]
            if layer.constants or any(self.placement.tensors[name][1] != 1 for name in names):
                continue
            roots = list(dict.fromkeys(self.roots[name] for name in names))
            if len(roots) < 2:
                continue
            members = list(dict.fromkeys(member for root in roots for member in self.group[root]))
            if layer.role is Role.SUM and layer.node.op_type in ("Add", "Sub", "Sum"):
                scale = max(self.grids[member].scale for member in members)
                new = {member: _with_scale(self.grids[member], scale) for member in members}
            elif layer.role is Role.CONCAT and len(members) == len(roots):
                grids = [self.grids[root] for root in roots]
                whole = make_grid(
                    min(grid.low for grid in grids),
                    max(grid.high for grid in grids),
                    grids[0].dtype,
                    symmetric=all(_is_symmetric(grid) for grid in grids),
                )
                new = dict.fromkeys(roots, whole)
            else:
                continue
            if self._try(members, new, [layer]):
                self._join(roots)
                self.chosen.equal.append(layer.name)

    def zero_points(self) -> None:
        """Of tensors that are surrounded with zeros."""
        padded = {self.roots[layer.inputs[0]] for layer in self.placement.layers if _pads(layer)}
        for root in self.placement.roots:
            grid = self.grids[root]
            if root not in padded or _is_symmetric(grid):
                continue
            wanted = make_grid(grid.low, grid.high, grid.dtype, symmetric=True)
            now = max(self.grids[member].scale for member in self.group[root])
            scale = max(wanted.scale, now)
            if scale > now and id(self.group[root]) in self.fixed:
                continue
            new = {member: _with_scale(self.grids[member], scale) for member in self.group[root]}
            new[root] = _with_scale(wanted, scale)
            if self._try(self.group[root], new):
                self.chosen.zeros.append(root)

    def single_scales(self) -> None:
        """Of weights."""
        for layer in self.placement.layers:
            weight = self.weights.get(layer.name)
            if weight is None or weight.block or weight.scales.size == 1:
                continue
            rows = weight.form.rows(self.model.constants[layer.weight or ""])
            importance = importance_of(self._column_power(layer, weight))
            scales = choose_scales(rows, importance, weight.bits, False)
            if self._try_weight(layer, _rounded(rows, weight, scales)):
                self.chosen.single.append(layer.name)

    def _try_weight(self, layer: Layer, weight: QuantizedWeight) -> bool:
        old, known = self.weights[layer.name], self._rows.get(layer.name)
        self.weights[layer.name] = weight
        self._rows.pop(layer.name, None)
        if self.error(layer) <= MOST * self.before[layer.name]:
            return True
        self.weights[layer.name] = old
        if known:
            self._rows[layer.name] = known
        return False

    def powers_of_two(self) -> None:
        """As the ratios of what layers make to their sums."""
        for layer in self.placement.layers:
            weight = self.weights.get(layer.name)
            source, result = self.placement.tensors.get(layer.inputs[0]), self.placement.tensors[layer.output]
            if weight is None or weight.block or source is None or source[1] != 1 or result[1] != 1:
                continue
            if layer.node.op_type == "Gemm" and (
                attribute(layer.node, "alpha", 1.0) != 1 or attribute(layer.node, "beta", 1.0) != 1
            ):
                continue
            members = self.group[result[0]]
            is_fixed = id(members) in self.fixed or result[0] in self.group[source[0]]
            if self._shift(layer, weight, source[0], members, (1.0,) if is_fixed else _WIDER):
                self.chosen.powers.append(layer.name)
                self.fixed |= {id(members), id(self.group[source[0]])}

    def _shift(
        self, layer: Layer, weight: QuantizedWeight, source: str, members: list[str], wider: tuple[float, ...]
    ) -> bool:
        """Finds scales of the weights and of the results for which the ratio is a power of two."""
        rows = weight.form.rows(self.model.constants[layer.weight or ""])
        old = {member: self.grids[member] for member in members}
        for factor in wider:
            wanted = np.float32(self.grids[layer.output].scale * factor)
            exact = _exact(np.float32(self.grids[source].scale), wanted, weight.scales, factor != 1.0)
            if exact is None:
                continue
            result, scales = exact
            new = {member: _with_scale(old[member], float(result)) for member in members}
            if factor != 1.0 and not self._try(members, new):
                continue
            # Its other scales may be as good, and the rounding to nearest is the same for all of them.
            if self._try_weight(layer, _rounded(rows, weight, scales)):
                return True
            self._set(old)
        return False


def _rounded(rows: np.ndarray, weight: QuantizedWeight, scales: np.ndarray) -> QuantizedWeight:
    """Weights with other scales."""
    result = replace(weight, scales=scales)
    result.round(rows)
    return result


def _exact(
    source: np.float32, result: np.float32, scales: np.ndarray, may_move: bool
) -> tuple[np.float32, np.ndarray] | None:
    """The scale of results, and those of weights nearest to `scales`, whose ratios are powers of two in float32."""
    for moved in _neighbours(result) if may_move else [result]:
        # Rounded down by up to a sixth, or else up.
        exponents = np.ceil(np.log2(scales.astype(np.float64) * source / float(moved)) - 0.25)
        found = np.empty(scales.shape, np.float32)
        good = np.zeros(scales.shape, bool)
        nearest = (np.exp2(exponents) * float(moved) / float(source)).astype(np.float32)
        for candidate in _neighbours(nearest):
            matches = (source * candidate) / moved == np.exp2(exponents).astype(np.float32)
            found = np.where(matches & ~good, candidate, found)
            good |= matches
        if good.all():
            return np.float32(moved), found.astype(np.float32)
    return None


def _neighbours(values: np.ndarray | np.float32) -> list[np.ndarray]:
    """float32 numbers and those near to them, the nearest first."""
    bits = np.asarray(values, np.float32).view(np.int32)
    steps = sorted(range(-_NEAR, _NEAR + 1), key=abs)
    return [(bits + np.int32(step)).view(np.float32) for step in steps]


def _middle(grid: Grid) -> int:
    return (grid.lo + grid.hi + 1) // 2


def _is_symmetric(grid: Grid) -> bool:
    return grid.zero_point == _middle(grid)


def _with_scale(grid: Grid, scale: float) -> Grid:
    """A grid with a larger scale that holds the same range, from the same end on, or around the same middle."""
    scale = float(np.float32(scale))
    zero = grid.zero_point
    if not _is_symmetric(grid) and scale != grid.scale:
        zero = int(np.clip(round(grid.lo - min(grid.low, 0.0) / scale), grid.lo, grid.hi))
    return replace(grid, scale=scale, zero_point=zero)


def _pads(layer: Layer) -> bool:
    """Whether a layer is a convolution that surrounds what it reads."""
    if layer.node.op_type != "Conv":
        return False
    return any(attribute(layer.node, "pads", [])) or attribute(layer.node, "auto_pad", b"").startswith(b"SAME")
