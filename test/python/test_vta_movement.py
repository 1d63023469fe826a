"""Images that move over space between kernels of the accelerator: bit-equal to native code, by addresses alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from moving_models import random_moves
from test_quantized_zoo import check, legal_configs


@pytest.mark.parametrize("seed", range(12))
def test_random_movements(seed: int, tmp_path: Path) -> None:
    """Any sizes, on the published hardware and on another."""
    print("seed", seed)
    model = random_moves(seed)
    for config in ({}, next(legal_configs(seed))):
        check(model, config, tmp_path, seed)
