"""Runs two sides on the same samples, and says layer by layer how far they are apart."""

from __future__ import annotations

import onnx

from acc.comparison.by_name import compare_by_name
from acc.comparison.layers import compare_layer_by_layer
from acc.comparison.results import Comparison, Criteria
from acc.comparison.sides import CompareError, Side
from acc.quantization.data import Data

__all__ = ["compare"]

MAX_SAMPLES = 16

_USUAL = Criteria()


def compare(
    a: Side,
    b: Side,
    data: Data,
    criteria: Criteria = _USUAL,
    *,
    limit: int = MAX_SAMPLES,
    record: dict | None = None,
) -> Comparison:
    """Compares two sides on samples.

    data: as `acc.quantization.data.open_samples` takes it; at most `limit` samples are used. record: takes the tensors
    of the first side, samples first.

    Raises CompareError, QuantizeError for data that the models do not take, and what the sides raise.
    """
    if a.is_recorded and b.is_recorded:
        raise CompareError("both sides are recorded tensors: one must be a model that runs")
    models = [side.read_model() if side.is_onnx else None for side in (a, b)]
    # Of a model that both have, layers are compared each by itself.
    if models[0] is not None and models[1] is not None and _same(models[0], models[1]):
        return compare_layer_by_layer(a, b, models[0], data, criteria, limit, record)
    return compare_by_name((a, b), models, data, criteria, limit, record)


def _same(a: onnx.ModelProto, b: onnx.ModelProto) -> bool:
    """Whether two models compute the same in the same way; their texts may differ."""
    return a.graph.SerializeToString(deterministic=True) == b.graph.SerializeToString(deterministic=True)
