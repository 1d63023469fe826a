"""Tables that rows are gathered from, such as embeddings of words: most of what the file of a language model holds.

Nothing is computed with them, so that integers save space alone. Rows are gathered as int8 and dequantized behind that,
with a scale for each column: runtimes would otherwise dequantize the whole table, or keep it in float.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from acc.quantization.model import FloatModel, attribute
from acc.quantization.options import QuantizeOptions
from acc.quantization.weights import choose_scales

__all__ = ["Table", "find_tables"]

_LEAST = 4096
"""Elements of a table from which on its integers save more than the scales take."""

_PART = 64
"""Columns whose scales are chosen at once."""


@dataclass(frozen=True)
class Table:
    """A table (rows, columns) as integers: values int8, scales float32 (columns,)."""

    name: str
    values: np.ndarray
    scales: np.ndarray


def find_tables(model: FloatModel, options: QuantizeOptions) -> dict[str, Table]:
    """The tables of the model as integers, by the names of the nodes that gather rows of them."""
    if not options.tables:
        return {}
    found: dict[str, Table] = {}
    made: dict[str, Table] = {}
    for node in model.nodes:
        if not _gathers_rows(model, node) or {node.name, node.op_type} & set(options.exclude):
            continue
        name = node.input[0]
        if name not in made:
            made[name] = _quantize(name, model.constants[name])
        found[node.name] = made[name]
    return found


def _gathers_rows(model: FloatModel, node: onnx.NodeProto) -> bool:
    if node.op_type != "Gather" or node.domain not in ("", "ai.onnx") or attribute(node, "axis", 0) not in (0, -2):
        return False
    name = node.input[0]
    table = model.constants.get(name)
    return (
        table is not None
        and table.dtype == np.float32
        and table.ndim == 2
        and table.size >= _LEAST
        and bool(np.isfinite(table).all())
        # What else reads it would need it in float.
        and all(reader.node.op_type == "Gather" and reader.position == 0 for reader in model.read_by(name))
        and name not in model.outputs
        and name not in model.captured
    )


def _quantize(name: str, table: np.ndarray) -> Table:
    values, scales = np.empty(table.shape, np.int8), np.empty(table.shape[1], np.float32)
    for begin in range(0, table.shape[1], _PART):
        part = slice(begin, begin + _PART)
        columns = np.ascontiguousarray(table[:, part].T)
        scales[part] = choose_scales(columns, np.ones((1, len(table)), np.float32), 8, True).reshape(-1)
        values[:, part] = np.clip(np.rint(table[:, part] / scales[part]), -127, 127)
    return Table(name, values, scales)
