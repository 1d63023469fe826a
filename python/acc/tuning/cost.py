"""The model of cost that learns: the hardware's own estimate, and a correction fitted to what was measured.

The correction is a linear function of the features of a point (`acc.tuning.space.FEATURES`), ridge regression on the
logarithm of measured over estimated cost (Hoerl and Kennard, Technometrics 12, 1970). What other kernels have shown
counts less than what the kernel itself has.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Correction"]

Table = npt.NDArray[np.floating]

RIDGE = 2.0
OTHERS = 0.15
"""What a measurement of another kernel weighs."""
MOST_ROWS = 4000
"""How many of the latest measurements are fitted to."""


class Correction:
    """Learns from measurements of several kernels."""

    def __init__(self) -> None:
        self._rows: list[Table] = []
        self._errors: list[float] = []
        self._kernels: list[str] = []

    def learn(self, kernel: str, features: Table, cost: float) -> None:
        """features: of one point, the first of them the logarithm of its estimated cost."""
        self._rows.append(features)
        self._errors.append(float(np.log(cost) - features[0]))
        self._kernels.append(kernel)

    def predict(self, kernel: str, features: Table) -> Table:
        """The logarithm of the cost of every row, up to what is the same for all of them."""
        if len(self._rows) < 4:
            return features[:, 0]
        rows = np.stack(self._rows[-MOST_ROWS:])
        errors = np.array(self._errors[-MOST_ROWS:])
        kernels = np.array(self._kernels[-MOST_ROWS:])
        centred = rows.copy()
        # Only what differs between points of one kernel matters.
        for name in np.unique(kernels):
            own = kernels == name
            centred[own] -= rows[own].mean(axis=0)
            errors[own] -= errors[own].mean()
        weights = np.where(kernels == kernel, 1.0, OTHERS)
        scale = np.sqrt((weights[:, None] * centred**2).sum(axis=0) / weights.sum()) + 1e-9
        scaled = centred / scale
        normal = (scaled * weights[:, None]).T @ scaled + RIDGE * np.eye(scaled.shape[1])
        slopes = np.linalg.solve(normal, (scaled * weights[:, None]).T @ errors)
        own = kernels == kernel
        middle = rows[own].mean(axis=0) if own.any() else features.mean(axis=0)
        # A feature that never varied says nothing, however far away it is.
        away = np.clip((features - middle) / scale, -4, 4)
        return features[:, 0] + away @ slopes
