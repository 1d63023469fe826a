"""The handwritten digits of the demo, split once and for all into training and held-out images."""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.datasets import load_digits

TRAINING_IMAGES = 1200


def load_split(split: Literal["train", "test"]) -> tuple[np.ndarray, np.ndarray]:
    """Images float32 (n, 1, 8, 8) scaled to 0..1 and labels int64 (n,)."""
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    chosen = order[:TRAINING_IMAGES] if split == "train" else order[TRAINING_IMAGES:]
    images = (digits.images[chosen] / 16.0).astype(np.float32)[:, None]
    return images, digits.target[chosen].astype(np.int64)
