"""Writes docs/operators.md: what acc makes of every operator of the ONNX standard.

    python scripts/operators_table.py [--check]

The table is found by trial: of every operator a case of the onnx package's backend tests is imported with every
element type that ONNX allows for its main operand. What is refused comes from the list of refused backend tests.
"""

from __future__ import annotations

import argparse
import collections
import re
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, defs, helper

import acc
from acc.frontend.control import UNROLLED
from acc.frontend.defined import DEFINED
from acc.frontend.model import MIN_OPSET
from acc.frontend.operators import DOMAINS, OPERATORS

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "operators.md"
REFUSED = ROOT / "test" / "support" / "onnx_backend_list.txt"

# In the order they are printed; the names of ONNX, and what a run of them is called.
TYPES = {
    **{"float": "f32", "float16": "f16", "bfloat16": "bf16", "double": "f64"},
    **{f"int{bits}": f"i{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"u{bits}" for bits in (8, 16, 32, 64)},
    "bool": "bool",
    **{f"{sign}int{bits}": f"{sign[:1] or 'i'}{bits}" for sign in ("", "u") for bits in (4, 2)},
    "float8e4m3fn": "f8e4m3fn",
    "float8e4m3fnuz": "f8e4m3fnuz",
    "float8e5m2": "f8e5m2",
    "float8e5m2fnuz": "f8e5m2fnuz",
    "float8e8m0": "f8e8m0",
    "float4e2m1": "f4e2m1",
}
RUNS = {
    "floats": ("f32", "f16", "bf16", "f64"),
    "i8-i64": ("i8", "i16", "i32", "i64"),
    "u8-u64": ("u8", "u16", "u32", "u64"),
    "i4, u4, i2, u2": ("i4", "i2", "u4", "u2"),
    "float8s": ("f8e4m3fn", "f8e4m3fnuz", "f8e5m2", "f8e5m2fnuz", "f8e8m0"),
}


@dataclass
class Row:
    """What is known of one operator."""

    name: str
    opsets: str
    how: str = ""
    types: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def opsets(name: str) -> str:
    """The operator sets in which the operator exists and acc reads it."""
    versions = [schema for schema in defs.get_all_schemas_with_history() if schema.name == name and not schema.domain]
    first = max(MIN_OPSET, min(schema.since_version for schema in versions))
    ends = [schema.since_version for schema in versions if schema.deprecated]
    return f"{first}-{min(ends) - 1}" if ends else f"{first}-"


def data_type(name: str) -> int:
    """ONNX's number of an element type that schemas call tensor(name)."""
    return TensorProto.DataType.Value({"double": "DOUBLE"}.get(name, name.upper()))


def cases() -> dict[str, list[Any]]:
    """Backend tests of one node, by operator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.loader import load_model_tests

        found = load_model_tests(kind="node")
    result: dict[str, list[Any]] = collections.defaultdict(list)
    for case in found:
        nodes = case.model.graph.node
        if len(nodes) == 1 and "_expanded" not in case.name and not nodes[0].domain.strip():
            result[nodes[0].op_type].append(case)
    return result


def imports(model: onnx.ModelProto, arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether acc imports a model, given what it asks for."""
    values: dict[str, np.ndarray] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    while True:
        try:
            acc.import_onnx(model, shapes, values)
        except acc.NeedsValue as error:
            new = {name: arrays[name] for name in error.inputs if name in arrays and name not in values}
            if not new:
                return False
            values |= new
        except acc.NeedsShape as error:
            new = {name: arrays[name].shape for name in error.inputs if name in arrays and name not in shapes}
            if not new:
                return False
            shapes |= new
        except acc.ModelError:
            return False
        else:
            return True


def with_type(case: Any, variables: set[str], number: int) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """The model of a case and its inputs, with another element type for the operands of some type variables."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    node = model.graph.node[0]
    schema = defs.get_schema(node.op_type, version(model))
    arrays = inputs_of(case)
    for index, name in enumerate(node.input):
        formal = schema.inputs[min(index, len(schema.inputs) - 1)]
        for value in model.graph.input:
            if value.name == name and formal.type_str in variables and value.type.HasField("tensor_type"):
                value.type.tensor_type.elem_type = number
                if name in arrays:
                    with np.errstate(all="ignore"):
                        arrays[name] = arrays[name].astype(helper.tensor_dtype_to_np_dtype(number))
    return model, arrays


def inputs_of(case: Any) -> dict[str, np.ndarray]:
    arrays = {}
    for value, array in zip(case.model.graph.input, case.data_sets[0][0], strict=False):
        array = onnx.numpy_helper.to_array(array) if isinstance(array, TensorProto) else array
        if isinstance(array, np.ndarray | np.generic) and array.dtype != object:
            arrays[value.name] = np.asarray(array)
    return arrays


def version(model: onnx.ModelProto) -> int:
    return next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def probe(row: Row, found: Sequence[Any]) -> None:
    """Fills in how the operator is imported and with which element types."""
    if row.name in OPERATORS:
        row.how = "native" if OPERATORS[row.name].graph else "at import"
    accepted = [case for case in found if imports(case.model, inputs_of(case))]
    if not accepted:
        if found:
            row.how = ""
        return
    newest = max(version(case.model) for case in accepted)
    accepted = [case for case in accepted if version(case.model) == newest]
    schema = defs.get_schema(row.name, newest)
    if row.name in UNROLLED:
        # Known at import or not, there is a form for it.
        row.how = "native"
    row.how = row.how or ("by others" if schema.has_function or schema.has_context_dependent_function else "at import")
    variables = [formal.type_str for formal in schema.inputs]
    allowed = {entry.type_param_str: entry.allowed_type_strs for entry in schema.type_constraints}
    if not variables:
        return
    names = allowed.get(variables[0], [variables[0]])
    for name, short in TYPES.items():
        if f"tensor({name})" not in names:
            continue
        # A case that is about something else may not allow a type; three are enough to find one that does.
        number = data_type(name)
        alike = {entry for entry in variables if f"tensor({name})" in allowed.get(entry, [])}
        tried = [{variables[0]}, *([alike] if len(alike) > 1 else [])]
        if any(imports(*with_type(case, some, number)) for some in tried for case in accepted[:3]):
            row.types.append(short)


def declared(row: Row) -> Iterable[str]:
    """Restrictions that the table of operators declares."""
    operator = OPERATORS.get(row.name)
    if operator is None:
        return
    for name, attribute in operator.attributes.items():
        if attribute.only is not None:
            yield f"`{name}` only {' or '.join(map(str, attribute.only))}"


def refused() -> dict[str, collections.Counter[str]]:
    """Why backend tests are refused: for every operator, reasons with how many cases have them."""
    reasons: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for line in REFUSED.read_text(encoding="utf-8").splitlines():
        match = re.match(r"node/test_\w+: refused: node '[^']*' \((\w+)\): (.*?)(?: \(and \d+ more\))?$", line)
        if match and "_expanded" not in line.split(":")[0]:
            reason = re.sub(r"\('[^']*'\) |'[^']*_\d+'", "", match[2])
            reasons[match[1]][re.sub(r"\s+", " ", reason)] += 1
    return reasons


def show_types(types: Sequence[str]) -> str:
    rest, parts = list(types), []
    for name, run in RUNS.items():
        if all(type in rest for type in run):
            parts.append(name)
            rest = [type for type in rest if type not in run]
    order = {short: index for index, short in enumerate(TYPES.values())}
    position = {name: order[run[0]] for name, run in RUNS.items()} | order
    return ", ".join(sorted(parts + rest, key=position.__getitem__))


def make_table() -> str:
    """The text of docs/operators.md."""
    names = sorted({schema.name for schema in defs.get_all_schemas() if not schema.domain})
    reasons, found = refused(), cases()
    rows = []
    for name in names:
        row = Row(name, opsets(name))
        probe(row, found.get(name, []))
        row.notes += declared(row)
        row.notes += [f"refused: {reason}" for reason in sorted(reasons[name]) if reason != "unsupported operator"][:4]
        rows.append(row)
    supported = [row for row in rows if row.how]
    kinds = collections.Counter(row.how for row in supported)
    lines = [
        "# Operators",
        "",
        "Written by `make operators`; do not edit.",
        "",
        f"Of the {len(rows)} operators of operator set {defs.onnx_opset_version()}, acc has its own form of "
        f"{kinds['native']}, settles {kinds['at import']} at import, and imports {kinds['by others']} as the operators",
        "by which the standard defines them. Element types are those of the first operand. Every operator is also",
        "evaluated at import where all of its operands are small constants.",
        "",
        "| operator | operator sets | how | element types | restrictions |",
        "|---|---|---|---|---|",
    ]
    for row in supported:
        notes = "; ".join(row.notes).replace("|", "\\|")
        lines.append(
            f"| {row.name} | {row.opsets} | {row.how} | {show_types(row.types)} | {notes} |".replace("  ", " ")
        )
    lines += ["", "## Refused by name", "", ", ".join(row.name for row in rows if not row.how) + ".", ""]
    lines += [
        "## Operators of other domains",
        "",
        "As they stand for operators of the standard, or have a form of their own:",
        "",
    ]
    others = {(domain, name) for domain, table in DOMAINS.items() for name in table} | set(DEFINED)
    for domain in sorted({domain for domain, _ in others if domain}):
        lines.append(f"- {domain}: {', '.join(sorted(name for other, name in others if other == domain))}.")
    lines.append("")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes docs/operators.md.")
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    args = parser.parse_args()
    text = make_table()
    if args.check:
        return 0 if TABLE.read_text(encoding="utf-8") == text else 1
    TABLE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
