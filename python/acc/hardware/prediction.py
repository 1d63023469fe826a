"""What a circuit will take of an FPGA, and how fast it will be, before it is synthesized.

DSP blocks and block RAMs are counted, as the RTL has them. Lookup tables and registers are sums of what the parts of
the circuit take, whose sizes are known; what a unit of each takes is fitted to circuits that were synthesized
(least squares of relative errors; nothing takes less than nothing). Frequency after routing is fitted too, by ridge
regression on the logarithm. The circuits ship with acc as `data/ecp5.jsonl`; `validate` says how far off the
predictions are for circuits that they do not know.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from acc._lib import _runtime
from acc.errors import AccError, ConfigError
from acc.hardware.package import Circuit, constants

__all__ = ["Example", "Prediction", "Predictor", "count_block_rams", "default_predictor", "read_examples", "validate"]

Vector = npt.NDArray[np.float64]

RESOURCES = ("lut", "ff", "dsp", "bram")
BLOCK_RAM_SHAPES = ((1, 14), (2, 13), (4, 12), (9, 11), (18, 10), (36, 9))
"""Widths that a block RAM of the ECP5 family can have, with the logarithm of the words (Lattice TN-02204)."""
RIDGE_MHZ = 2.0
RIDGE_CELLS = 1e-3


@dataclass(frozen=True)
class Example:
    """A circuit that was synthesized, and perhaps routed.

    synthesized, routed: resource to amount, as `acc.hardware.synthesis.RESOURCES` names them; `routed` is None if it
    was not, as is fmax_mhz. older: it is of an earlier revision of the circuit, which took more lookup tables (about as
    many whatever the configuration) and fewer block RAMs.
    """

    config: Any
    circuit: Circuit
    device: str
    synthesized: Mapping[str, int]
    routed: Mapping[str, int] | None
    fmax_mhz: float | None
    target_mhz: float | None = None
    seed: int | None = None
    rtl: str = ""
    older: bool = False

    @staticmethod
    def read(row: Mapping[str, Any]) -> Example:
        """Raises ValueError for what is no such row. Options of circuits that it does not know have their defaults."""
        try:
            known = {field.name for field in fields(Circuit)}
            if extra := row["circuit"].keys() - known:
                raise ValueError(f"it is of a circuit with '{min(extra)}', which this one has not")
            config, circuit = _runtime.Config(json.dumps(row["config"])), Circuit(**row["circuit"])
            found = [row["synthesized"] or row["routed"], row["routed"]]
            counts = [None if item is None else {name: int(item[name]) for name in RESOURCES} for item in found]
            if counts[0] is None:
                raise ValueError("it was not synthesized")
            mhz = None if counts[1] is None else float(row["fmax_mhz"])
            return Example(
                config,
                circuit,
                str(row["device"]),
                counts[0],
                counts[1],
                mhz,
                row.get("target_mhz"),
                row.get("seed"),
                str(row.get("rtl", "")),
                bool(row.get("older", False)),
            )
        except (AccError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it is no circuit with its area: {type(error).__name__}: {error}") from None


def read_examples(path: str | Path) -> tuple[list[Example], list[str]]:
    """The examples of a file of JSON lines, and what is wrong with lines that are none, each named.

    Of circuits that were routed, lines that say no more than what synthesis made of them are left out. Raises
    ConfigError for a file that cannot be read.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read '{path}': {getattr(error, 'strerror', None) or error}") from None
    examples, problems = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            examples.append(Example.read(json.loads(line)))
        except (ValueError, TypeError) as error:
            problems.append(f"{path}:{number}: {error}")
    routed = {_identity(example) for example in examples if example.routed is not None}
    kept = [example for example in examples if example.routed is not None or _identity(example) not in routed]
    return kept, problems


def _identity(example: Example) -> tuple[str, str, str]:
    return example.config.to_json(), example.circuit.key(), example.rtl


# --- what is counted ---


def _memories(c: Mapping[str, int]) -> Iterable[tuple[int, int, int]]:
    """Memories that may be block RAMs: how many, bits of a word, logarithm of words. c: the package's constants."""

    def pad(element: int, log_depth: int, log_banks: int, slices: int) -> tuple[int, int, int]:
        return slices << log_banks, element // slices, max(log_depth - log_banks, 1)

    # Of a micro-op, what its reader looks at: the GEMM's sequencer all of it, the ALU's no weights, and acc_extent
    # nothing but accumulators.
    target, source = c["LOG_ACC_DEPTH"], c["LOG_SRC_BITS"]
    readers = [target + source + c["LOG_WGT_DEPTH"], target + source, 2 * target]
    for bits in readers if c["BESIDE"] else readers[:1]:
        yield pad(bits, c["LOG_UOP_DEPTH"], c["LOG_EPB_UOP"], 1)
    for name in ("INP", "WGT"):
        yield pad(c[f"{name}_ELEM"], c[f"LOG_{name}_DEPTH"], c[f"LOG_EPB_{name}"], 1 << c[f"LOG_BPE_{name}"])
    slices = 1 << c["LOG_BPE_ACC"]
    banks = c["LOG_ACC_BANKS"]
    for element, depth in ((c["ACC_ELEM"], c["LOG_ACC_DEPTH"]), (c["OUT_ELEM"], c["LOG_OUT_ADDR"])):
        if banks:
            depth = c["LOG_ACC_DEPTH"] - banks
        count, width, words = pad(element, depth, c["LOG_EPB_OUT"], slices)
        yield count << banks, width, words


def _block_rams(width: int, log_words: int) -> int:
    return min(-(-width // wide) << max(log_words - log, 0) for wide, log in BLOCK_RAM_SHAPES)


def _distributed(width: int, log_words: int) -> float:
    """What a memory takes in lookup tables if they are what yosys makes it of, otherwise 0.

    A cell of 16 words of 4 bits counts as 4 and a multiplexer's bit as 1 where a block RAM counts as 128, as far as the
    circuits in the data show; the cell takes eight lookup tables.
    """
    rows = max(1 << log_words >> 4, 1)
    cells, multiplexed = -(-width // 4) * rows, width * (rows - 1)
    if 4 * cells + multiplexed >= 128 * _block_rams(width, log_words):
        return 0.0
    return 8.0 * cells + multiplexed


def count_block_rams(c: Mapping[str, int]) -> int:
    """Block RAMs of a circuit. c: the integers of its package (`acc.hardware.package.constants`)."""
    scratchpads = sum(
        count * _block_rams(width, words) for count, width, words in _memories(c) if not _distributed(width, words)
    )
    # Instructions with a bit more, in three queues; beats that fetch holds.
    queues = 3 * _block_rams(129, c["LOG_QUEUE"])
    chunks = c["PORT"] // 64
    # A block with two ports serves two lanes of the vector unit.
    lanes = c["HAS_TABLE"] * c["BATCH"] * c["BLOCK_OUT"]
    tables = -(-lanes // 2) * _block_rams(8, c["LOG_TABLES"] + c["LOG_TABLE_ENTRIES"])
    return scratchpads + queues + tables + _block_rams(chunks * 3 + c["PORT"], c["LOG_MAX_BURST"] + 2)


def _count_dsp(c: Mapping[str, int]) -> int:
    """A lane of the vector unit takes three blocks, a product one."""
    return 3 * c["DSP_ALU_LANES"] + c["DSP_PRODUCTS"]


def _parts(c: Mapping[str, int]) -> dict[str, float]:
    """Sizes of what lookup tables and registers are proportional to."""
    lanes = c["BATCH"] * c["BLOCK_OUT"]
    products = lanes * c["BLOCK_IN"]
    beside = c["BESIDE"]
    banked = c["ACC_ELEM"] << c["LOG_EPB_OUT"]
    return {
        "always": 1.0,
        # Vector unit.
        "lanes": lanes,
        "lanes that requantize": lanes * c["HAS_REQUANTIZE"],
        "lanes with tables": lanes * c["HAS_TABLE"],
        "lanes without DSP blocks": lanes - c["DSP_ALU_LANES"],
        # Products and their sums.
        "bits of products in logic": (products - c["DSP_PRODUCTS"]) * c["INP_BITS"] * c["WGT_BITS"],
        "bits of sums": products * (c["INP_BITS"] + c["WGT_BITS"] + 1),
        "products": products,
        "inputs of windows": lanes * c["HAS_WINDOW"] * c["WINDOW_INPUTS"],
        "operands": c["INP_ELEM"] + c["WGT_ELEM"],
        "distributed memories": sum(count * _distributed(width, words) for count, width, words in _memories(c)),
        # Scratchpads: what is narrower than a beat is rotated, what is wider has slices.
        "rotated accumulators": banked * (c["LOG_EPB_OUT"] > 0),
        "rotated operands": sum(c[f"{m}_ELEM"] << c[f"LOG_EPB_{m}"] for m in ("INP", "WGT") if c[f"LOG_EPB_{m}"]),
        "port": c["PORT"],
        "lanes of loads": c["LOAD_LANES"] + c["OUT_LANES"],
        # GEMM beside ALU.
        "beside": beside,
        "lanes beside": beside * lanes,
        "banks": beside * banked * c["ACC_BANKS"],
        "micro-ops beside": beside * c["LOG_UOP_DEPTH"],
        "set": lanes * c["HAS_SET"],
        "addresses": c["LOG_UOP_DEPTH"] + c["LOG_INP_DEPTH"] + c["LOG_WGT_DEPTH"] + c["LOG_ACC_DEPTH"],
    }


def _speed(c: Mapping[str, int], circuit: Circuit, luts: float) -> list[float]:
    """What a frequency depends on: the size, as wires grow with it, and what is on long paths.

    Options of the circuit that are none of these are there as they are, so that those of later circuits count as soon
    as there are examples with them.
    """
    lanes = c["BATCH"] * c["BLOCK_OUT"]
    products = lanes * c["BLOCK_IN"]
    known = ("mem_data_width", "dsp_blocks", "log_acc_banks")
    rest = [float(getattr(circuit, field.name) or 0) for field in fields(Circuit) if field.name not in known]
    return [
        np.log2(luts),
        # A requantization's operands and parameters go to every lane.
        c["HAS_REQUANTIZE"] * np.log2(2 * lanes),
        float(c["BESIDE"]),
        np.log2(c["PORT"]),
        (products - c["DSP_PRODUCTS"]) / products,
        *rest,
    ]


# --- what is fitted ---


def _fit_positive(rows: Vector, wanted: Vector, ridge: float) -> Vector:
    """Least squares with no negative coefficient, by coordinate descent (Franc, Hlavac, Navara, CAIP 2005)."""
    normal = rows.T @ rows + ridge * np.eye(rows.shape[1])
    right = rows.T @ wanted
    found = np.zeros(rows.shape[1])
    for _ in range(4000):
        before = found.copy()
        for k in range(len(found)):
            if normal[k, k] > 0:
                found[k] = max(0.0, found[k] + (right[k] - normal[k] @ found) / normal[k, k])
        if np.abs(found - before).max() <= 1e-10 * (1e-12 + np.abs(found).max()):
            break
    return found


class _Cells:
    """Lookup tables or registers as a sum over parts."""

    def __init__(self, parts: Sequence[dict[str, float]], counts: Sequence[float]) -> None:
        self._names = list(parts[0])
        table = np.array([[row[name] for name in self._names] for row in parts])
        wanted = np.array(counts, dtype=float)
        # Every feature at the same scale, and errors relative to the count.
        self._scale = np.maximum(np.abs(table).mean(axis=0), 1e-9)
        relative = table / self._scale / wanted[:, None] * wanted.mean()
        self._coefficients = wanted.mean() * _fit_positive(relative, np.ones(len(wanted)), RIDGE_CELLS)

    def predict(self, parts: Mapping[str, float]) -> float:
        row = np.array([parts[name] for name in self._names])
        return float(row / self._scale @ self._coefficients)


class _Frequency:
    """The logarithm of MHz, by ridge regression."""

    def __init__(self, rows: Sequence[list[float]], mhz: Sequence[float]) -> None:
        table, wanted = np.array(rows, dtype=float), np.log(np.array(mhz, dtype=float))
        self._mean, self._middle = table.mean(axis=0), float(wanted.mean())
        spread = table.std(axis=0)
        # What never varied says nothing.
        self._scale = np.where(spread > 1e-9, spread, np.inf)
        scaled = (table - self._mean) / self._scale
        normal = scaled.T @ scaled + RIDGE_MHZ * np.eye(table.shape[1])
        self._slopes = np.linalg.solve(normal, scaled.T @ (wanted - self._middle))

    def predict(self, row: list[float]) -> float:
        # What is far outside of what was seen is as what is at its edge.
        away = np.clip((np.array(row) - self._mean) / self._scale, -3, 3)
        return float(np.exp(self._middle + away @ self._slopes))


def _older_takes_more(examples: Sequence[Example], name: str) -> float:
    """By how much circuits of an older revision take more of a resource: the mean of those that are there in both."""
    present = {e.config.to_json() + e.circuit.key(): e.routed[name] for e in examples if e.routed and not e.older}
    more = [
        e.routed[name] - present[key]
        for e in examples
        if e.routed and e.older and (key := e.config.to_json() + e.circuit.key()) in present
    ]
    return float(np.mean(more)) if more else 0.0


@dataclass(frozen=True)
class Prediction:
    """Of a circuit: amounts of resources, and MHz after routing."""

    lut: int
    ff: int
    dsp: int
    bram: int
    fmax_mhz: float


class Predictor:
    """Predicts from examples; at least four, of which one was routed. Raises ConfigError for fewer."""

    def __init__(self, examples: Sequence[Example]) -> None:
        routed = [example for example in examples if example.routed is not None and example.fmax_mhz is not None]
        if len(examples) < 4 or not routed:
            raise ConfigError("area and frequency are predicted from at least four circuits, of which one was routed")
        self.examples = tuple(examples)
        self._constants = [constants(e.config, e.circuit, gate_idle=False) for e in examples]
        parts = [_parts(c) for c in self._constants]
        # Placement and routing add lookup tables, that wires and constants go through.
        self.ratios = {
            name: float(np.mean([e.routed[name] / e.synthesized[name] for e in routed if e.routed]))
            for name in ("lut", "ff")
        }
        self._cells = {}
        for name in ("lut", "ff"):
            more = _older_takes_more(examples, name)
            counts = [
                (e.routed[name] if e.routed else e.synthesized[name] * self.ratios[name]) - (more if e.older else 0)
                for e in examples
            ]
            self._cells[name] = _Cells(parts, counts)
        rows = [
            _speed(c, e.circuit, e.routed["lut"])
            for c, e in zip(self._constants, examples, strict=True)
            if e.routed is not None and e.fmax_mhz is not None
        ]
        self._frequency = _Frequency(rows, [e.fmax_mhz for e in routed if e.fmax_mhz is not None])

    def predict(self, config: Any, circuit: Circuit) -> Prediction:
        """Of the circuit of an `acc._lib._runtime.Config`; raises ConfigError if there is none."""
        c = constants(config, circuit, gate_idle=False)
        parts = _parts(c)
        lut, ff = (round(self._cells[name].predict(parts)) for name in ("lut", "ff"))
        mhz = self._frequency.predict(_speed(c, circuit, max(lut, 1)))
        return Prediction(lut, ff, _count_dsp(c), count_block_rams(c), mhz)


def data_file() -> Path:
    """The examples that ship with acc."""
    return Path(str(importlib.resources.files("acc"))) / "hardware" / "data" / "ecp5.jsonl"


@functools.cache
def default_predictor() -> Predictor:
    """The predictor from the examples that ship with acc."""
    return Predictor(read_examples(data_file())[0])


def validate(examples: Sequence[Example]) -> dict[str, dict[str, float]]:
    """How far predictions are off for circuits that were left out of the data, one at a time, in all revisions.

    For each resource, and for fmax_mhz of those that were routed: mean, median and largest relative error, in percent,
    and how many circuits there were. Those of an older revision of the circuit are learned from, not predicted; of
    those that were synthesized alone, lookup tables and registers are what routing would make of them on average.
    """
    errors: dict[str, list[float]] = {name: [] for name in (*RESOURCES, "fmax_mhz")}
    for example in examples:
        if example.older:
            continue
        predictor = Predictor(
            [other for other in examples if other.older or _identity(other)[:2] != _identity(example)[:2]]
        )
        predicted = predictor.predict(example.config, example.circuit)
        actual = dict(example.routed or example.synthesized)
        if example.routed is None:
            actual |= {name: actual[name] * ratio for name, ratio in predictor.ratios.items()}
        for name in RESOURCES:
            errors[name].append(abs(getattr(predicted, name) - actual[name]) / max(actual[name], 1))
        if example.fmax_mhz is not None:
            errors["fmax_mhz"].append(abs(predicted.fmax_mhz / example.fmax_mhz - 1))
    return {
        name: {
            "mean": 100 * float(np.mean(found)),
            "median": 100 * float(np.median(found)),
            "largest": 100 * float(np.max(found)),
            "circuits": len(found),
        }
        for name, found in errors.items()
        if found
    }
