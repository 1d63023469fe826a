"""Of int4 weights, some layers keep 8 bits: those that gain most for each weight, up to a small part of all weights.

The first and the last layer of a network, and some in between, are small and lose more than all others together. It is
measured what the rounded weights of each layer, alone, do to the outputs of the model. (llama.cpp's "Q4_K_M" does so,
too, for matrices that are known to matter.)
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from acc.quantization.calibration import Progress, Runner
from acc.quantization.data import Samples
from acc.quantization.model import FloatModel
from acc.quantization.placement import Layer
from acc.quantization.positions import Counted, Positions, gathered
from acc.quantization.weights import QuantizedWeight

__all__ = ["choose_wide"]

_RUNS = 384
"""How often the model is run for that, at most, but with two samples for each layer at least."""

_SAMPLES = 16

_CLEAR = 1.0
"""How many times the mean error of a weight those of a layer must cause, to be worth it."""


def choose_wide(
    model: FloatModel,
    layers: Sequence[Layer],
    weights: Mapping[str, QuantizedWeight],
    samples: Samples,
    share: float,
    runner: Runner,
    positions: Positions,
    progress: Progress | None = None,
) -> list[str]:
    """The names of the layers whose weights keep 8 bits.

    share: which part of the weights of all `layers` these may be. runner: of the outputs of the float model. positions:
    which of theirs count. Empty if its weights cannot be exchanged, or no output is a number.
    """
    narrow = [layer for layer in layers if weights[layer.name].bits < 8]
    sizes = {layer.name: weights[layer.name].values.size for layer in narrow}
    count = min(max(_RUNS // max(len(narrow), 1), 2), _SAMPLES)
    if not narrow or not runner.takes({layer.weight or "" for layer in narrow}):
        return []
    errors = dict.fromkeys(sizes, 0.0)
    for number, sample in enumerate(itertools.islice(samples, count)):
        expected = runner.run(sample)
        counted = positions.counted(runner, sample, expected)
        for layer in narrow:
            weight = weights[layer.name]
            rounded = weight.form.restore(weight.real.astype(np.float32))
            made = runner.run(sample, {layer.weight or "": rounded})
            errors[layer.name] += _error(made, expected, counted)
        if progress:
            progress("measuring weights", number + 1, count)
    left = share * sum(sizes.values())
    mean = sum(errors.values()) / sum(sizes.values())
    chosen: list[str] = []
    for name in sorted(errors, key=lambda name: (-errors[name] / sizes[name], name)):
        if sizes[name] <= left and errors[name] > _CLEAR * mean * sizes[name]:
            chosen.append(name)
            left -= sizes[name]
    return chosen


def _error(made: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray], counted: Counted) -> float:
    """The square errors of the outputs with other weights, in parts of what the outputs are, in sum."""
    total = 0.0
    for name, array in made.items():
        known = expected[name]
        if known.dtype.kind != "f" or array.shape != known.shape:
            continue
        reference = gathered(counted(name, known))
        power = float(np.square(reference).sum())
        error = float(np.square(gathered(counted(name, array)) - reference).sum())
        total += error / power if power > 0 and np.isfinite(error) else 0.0
    return total
