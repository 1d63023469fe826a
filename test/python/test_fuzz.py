"""Random ONNX graphs compute what ONNX's reference implementation or ONNX Runtime computes, whatever sizes are open."""

from __future__ import annotations

import pytest

from fuzz import names_of, run_graphs


def _check(seeds: range) -> None:
    outcomes = run_graphs(names_of(seeds), jobs=2)
    failed = [f"{outcome.name}: {outcome.kind}: {outcome.reason}" for outcome in outcomes if outcome.failed]
    assert not failed, "\n".join(failed)
    refused = sum(outcome.kind == "refused" for outcome in outcomes)
    assert refused <= len(outcomes) // 10, f"{refused} of {len(outcomes)} graphs are refused"


def test_random_graphs() -> None:
    _check(range(100))


@pytest.mark.long
def test_many_random_graphs() -> None:
    _check(range(1000, 3000))
