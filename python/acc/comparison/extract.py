"""Writes the part of a model that diverges to a folder, from which it can be run, and sent to others, alone."""

from __future__ import annotations

import dataclasses
import io
import os
from pathlib import Path

import numpy as np
import onnx

from acc.comparison.results import Comparison, Criteria
from acc.comparison.sides import CompareError, Side
from acc.files import creating_folder

__all__ = ["extract"]


def extract(comparison: Comparison, folder: str | os.PathLike[str]) -> None:
    """Writes the smallest part that diverges: its model (or one of each side), inputs, results of both, README.

    Raises CompareError if nothing diverges, or if the part that does is known by its outputs alone; if the folder is
    there and not empty; and what the sides raise.
    """
    if comparison.first is None:
        raise CompareError("nothing diverges, so that there is nothing to cut out")
    if comparison.make_piece is None:
        raise CompareError(
            "of compiled models and recorded tensors no layer can be cut out: compare the ONNX models they come from"
        )
    piece = comparison.make_piece()
    first, second = piece.models
    names = ("model.onnx", "model.onnx") if first is second else ("a.onnx", "b.onnx")
    with creating_folder(folder, CompareError) as work:
        for name, model in dict(zip(names, piece.models, strict=True)).items():
            (work / name).write_bytes(model.SerializeToString())
        _write(work / "inputs.npz", {name: array[None] for name, array in piece.feeds.items()})
        _write(work / "expected.npz", {name: array[None] for name, array in piece.expected.items()})
        _write(work / "actual.npz", {name: array[None] for name, array in piece.actual.items()})
        (work / "README.md").write_text(_readme(comparison, piece.layers, names, piece.models))


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    path.write_bytes(buffer.getvalue())


def _runs(side: Side, name: str) -> str:
    how = f"{side.runtime}:{side.detail}" if side.detail else side.runtime
    return f"{name}@{how}"


def _readme(
    comparison: Comparison,
    layers: tuple[str, ...],
    names: tuple[str, str],
    models: tuple[onnx.ModelProto, onnx.ModelProto],
) -> str:
    row, (a, b) = comparison.first, comparison.sides
    assert row is not None
    what = f"layers {', '.join(layers)}, which diverge together" if len(layers) > 1 else f"layer {row.name}"
    if row.is_integer:
        found = f"the largest difference is {row.largest:g} steps"
    else:
        ratio = "" if row.sqnr is None else f", the signal-to-noise ratio {row.sqnr:.1f} dB"
        found = f"the largest difference is {row.largest:g}{ratio}"
    files = {
        "model.onnx": "the layer",
        "a.onnx": f"the layer as `{a.text}` has it",
        "b.onnx": f"the layer as `{b.text}` has it",
    }
    listed = "\n".join(f"| `{name}` | {files[name]} |" for name in dict.fromkeys(names))
    options = [f"--config {value}" for key, value in (b.options or a.options).items() if key == "config"]
    for field in dataclasses.fields(Criteria):
        value = getattr(comparison.criteria, field.name)
        if value != field.default:
            options.append(f"--{field.name} {value:g}")
    return f"""# {row.name}

Cut out of a comparison of `{a.text}` with `{b.text}`: {what}. There, {found}.

Equal means: {comparison.criterion}.

| file | contents |
|---|---|
{listed}
| `inputs.npz` | its inputs, as they were in the whole model on the first side, samples first |
| `expected.npz` | what the first side makes of them |
| `actual.npz` | what the second side makes of them |

In this folder, this shows it again:

    acc compare {_runs(a, names[0])} {_runs(b, names[1])} {" ".join(["--data inputs.npz", *options])}
"""
