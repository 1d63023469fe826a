"""Arrays whose elements are all equal, which are kept as one element: test models have weights of gigabytes."""

from __future__ import annotations

import numpy as np


def keep_splat(array: np.ndarray) -> np.ndarray:
    """The array, broadcast from one element if all its bits are equal."""
    if array.size > 1 and array.tobytes() == array.tobytes()[: array.itemsize] * array.size:
        return np.broadcast_to(array.flat[0], array.shape)
    return array


def is_splat(array: np.ndarray) -> bool:
    """Whether the array is one element broadcast to its shape, without a look at the elements."""
    steps = zip(array.strides, array.shape, strict=True)
    return array.size > 1 and not any(stride for stride, size in steps if size > 1)
