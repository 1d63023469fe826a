"""Mixed precision: which layers stay in float or get wider weights, so that the loss keeps a bound in the least time.

What a layer's precision costs in accuracy is measured: the layer alone is quantized, the model runs natively, whose
integer arithmetic is the accelerator's bit for bit, and its outputs are compared with those of the float model. What
it costs in time is counted by the target. The errors of layers are nearly independent, so that their powers add up;
layers are therefore raised in the order of the error that this removes for each cycle that it costs, and the points on
this path are the front of loss against cycles. Points are measured, not estimated, before one is chosen.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from acc.compiler import compile_contents
from acc.container import write_model
from acc.quantization.calibration import Progress, Runner, input_infos
from acc.quantization.data import Data, Sample, call_evaluation, open_samples
from acc.quantization.model import FloatModel
from acc.quantization.options import NothingToQuantize, QuantizeError, QuantizeOptions
from acc.quantization.placement import ANCHORS
from acc.quantization.positions import Counted, Positions, gathered
from acc.quantization.quantizer import LayerFacts, Quantized, quantize
from acc.quantization.state import State
from acc.targets.base import Accelerator, Target
from acc.wording import listing

__all__ = ["Bound", "Evaluate", "LayerCost", "Point", "Search", "search"]

Evaluate = Callable[[Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]], float]
"""A user's measure of accuracy: it is given a function that runs the model, from arrays by the names of inputs to
arrays by the names of outputs, and returns a number, the larger the better (the share of right answers, as a rule)."""

COMPARED = 32
"""Samples whose outputs are compared with those of the float model."""

HOST_MACS_PER_CYCLE = 4
"""What a layer in float is taken to cost on the processor beside an accelerator: multiply-accumulates in a cycle of the
accelerator's. A Cortex-A9 with 650 MHz does about as many in a cycle of 100 MHz."""

PORT_BYTES = 8
"""Bytes of weights that are loaded in a cycle: what int8 weights cost more than int4 ones."""


@dataclass(frozen=True)
class Bound:
    """What a quantized model must keep: `at_most` of a drop of accuracy, or `at_least` of accuracy or decibels.

    kind: "drop", "accuracy" or "sqnr". limit: a number; percents are divided by 100.
    """

    kind: str
    limit: float
    text: str

    @staticmethod
    def parse(text: str) -> Bound:
        """Reads "drop <= 0.3 %", "accuracy >= 0.75" or "sqnr >= 30 dB"; raises QuantizeError."""
        match = re.fullmatch(
            r"\s*(drop|accuracy|sqnr)\s*(<=|>=)\s*([0-9.]+(?:e-?[0-9]+)?)\s*(%|points|dB|db)?\s*", str(text)
        )
        kinds = {
            "drop": ("<=", ("%", "points", None)),
            "accuracy": (">=", ("%", None)),
            "sqnr": (">=", ("dB", "db", None)),
        }
        with contextlib.suppress(ValueError):
            if match and match[2] == kinds[match[1]][0] and match[4] in kinds[match[1]][1]:
                limit = float(match[3]) / (100 if match[4] in ("%", "points") else 1)
                return Bound(match[1], limit, str(text).strip())
        raise QuantizeError(
            f"'{text}' is no bound on accuracy: write 'drop <= 0.3 %', 'accuracy >= 75 %' or 'sqnr >= 30 dB'"
        )

    def holds(self, score: Score, reference: float | None) -> bool:
        """Whether a model with this score keeps it; reference: the accuracy of the float model."""
        if self.kind == "sqnr":
            return score.sqnr >= self.limit
        assert score.accuracy is not None and reference is not None
        if self.kind == "accuracy":
            return score.accuracy >= self.limit
        # A drop of one answer in a hundred is 0.01, whatever its last binary digit.
        return reference - score.accuracy <= self.limit + 1e-12


@dataclass(frozen=True)
class Score:
    """How well a model does: decibels of the float outputs over the error of its own, and the user's measure."""

    sqnr: float
    accuracy: float | None = None


@dataclass(frozen=True)
class LayerCost:
    """A layer at one precision, "int8" or "int4": the loss it causes alone, and its time.

    sqnr: decibels at the outputs of the model when nothing else is quantized. cycles: at this precision.
    float_cycles: in float. accuracy: the user's measure, None without one.
    """

    name: str
    op_type: str
    precision: str
    sqnr: float
    cycles: float
    float_cycles: float
    accuracy: float | None = None

    @property
    def noise(self) -> float:
        """The power of the error as a part of that of the outputs."""
        return 10 ** (-self.sqnr / 10)


@dataclass(frozen=True)
class Point:
    """A choice that was measured: the layers that are not at the first precision, with theirs."""

    raised: Mapping[str, str]
    cycles: float
    sqnr: float
    accuracy: float | None
    holds: bool

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"raised": dict(self.raised)}


@dataclass(frozen=True)
class Search:
    """What was measured on the way: the layers, the points in the order of their cycles, and the float accuracy."""

    bound: Bound | None
    layers: tuple[LayerCost, ...]
    points: tuple[Point, ...] = ()
    float_accuracy: float | None = None

    def table(self) -> str:
        """For people: the layers, those that cause the most loss first, and the points."""
        from acc.report import format_table

        parts = []
        if self.layers:
            rows = [
                [
                    *(layer.name, layer.op_type, layer.precision, f"{layer.sqnr:.1f}", _number(layer.accuracy)),
                    *(f"{layer.cycles:,.0f}", f"{layer.float_cycles:,.0f}"),
                ]
                for layer in sorted(self.layers, key=lambda layer: layer.sqnr)
            ]
            header = ["layer", "operator", "alone in", "dB", "accuracy", "cycles", "in float"]
            parts.append(format_table(rows, header))
        if self.points:
            rows = [
                [
                    f"{point.cycles:,.0f}",
                    f"{point.sqnr:.1f}",
                    _number(point.accuracy),
                    "yes" if point.holds else "no",
                    listing([f"{name} {precision}" for name, precision in point.raised.items()], 3),
                ]
                for point in self.points
            ]
            parts.append(format_table(rows, ["cycles", "dB", "accuracy", "holds", "raised"]))
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible."""
        return {
            "bound": self.bound.text if self.bound else None,
            "float_accuracy": self.float_accuracy,
            "layers": [dataclasses.asdict(layer) for layer in self.layers],
            "points": [point.to_dict() for point in self.points],
        }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


@dataclass
class _Judge:
    """Scores models on samples whose float outputs are known."""

    model: FloatModel
    samples: Sequence[Sample]
    evaluate: Evaluate | None
    mask: str | None = None
    expected: list[dict[str, np.ndarray]] = field(default_factory=list)
    counted: list[Counted] = field(default_factory=list)
    state: State | None = None

    def __post_init__(self) -> None:
        self.outputs = self.model.outputs
        runner = Runner(self.model, self.outputs)
        positions = Positions(input_infos(self.model.proto), self.outputs, self.mask)
        for sample in self.samples:
            self.expected.append(runner.run(sample))
            self.counted.append(positions.counted(runner, sample, self.expected[-1]))
        self.float_accuracy = self._known("float", lambda: Score(math.inf, self._accuracy(runner))).accuracy

    def _known(self, name: str, score: Callable[[], Score]) -> Score:
        """What was measured under this name before, or is now."""
        results = self.state.results if self.state else {}
        if name not in results:
            found = score()
            results[name] = [found.sqnr, found.accuracy]
            if self.state:
                self.state.save_sometimes()
        return Score(*results[name])

    def score(self, name: str, model: Callable[[], onnx.ModelProto | None]) -> Score:
        """Of a model, which is only made if nothing is known of it; None is the float one.

        name: what tells it from others.
        """

        def measure() -> Score:
            made = model()
            return Score(math.inf, self.float_accuracy) if made is None else self._measure(made)

        return self._known(name, measure)

    def _measure(self, model: onnx.ModelProto) -> Score:
        runner = Runner(model, self.outputs)
        signal = noise = 0.0
        for sample, wanted, counted in zip(self.samples, self.expected, self.counted, strict=True):
            got = runner.run(sample)
            for name in self.outputs:
                if wanted[name].dtype.kind != "f":
                    continue
                reference = gathered(counted(name, wanted[name]))
                error = gathered(counted(name, got[name])) - reference
                # Every output counts alike, whatever its unit.
                power = float(np.mean(reference**2)) if reference.size else 0.0
                signal += 1.0
                noise += float(np.mean(error**2)) / power if power else float(np.any(error))
        ratio = noise / signal if signal else 0.0
        return Score(math.inf if ratio == 0 else -10 * math.log10(ratio), self._accuracy(runner))

    def _accuracy(self, runner: Runner) -> float | None:
        if self.evaluate is None:
            return None

        def run(feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            # What is compiled may have weights as inputs, too, which are no matter of the evaluation.
            if set(feeds) != set(runner.inputs):
                given, wanted = (listing([f"'{name}'" for name in names]) for names in (feeds, runner.inputs))
                raise QuantizeError(
                    f"the evaluation runs the model with {given or 'nothing'}, but its inputs are {wanted}"
                )
            return runner.run({name: np.asarray(array) for name, array in feeds.items()})

        return call_evaluation(self.evaluate, run, QuantizeError)


class _Variants:
    """The model with its layers at any precision, all from one calibration."""

    def __init__(self, full: Quantized, data: Data, options: QuantizeOptions) -> None:
        self.full, self.data = full, data
        self.anchors = [layer for layer in full.layers if layer.op_type in ANCHORS]
        # Channels are scaled alike already, and what was counted is of the scaled ones. Tables cost no time: they are
        # integers if the bound holds with all that is, and the first to be none.
        self.options = dataclasses.replace(options, equalize=False, smooth=False, rescale_outputs=False, tables=False)
        self.statistics = {name: tensor.statistics for name, tensor in full.tensors.items() if tensor.is_root}

    def make(self, raised: Mapping[str, str]) -> Quantized | None:
        """raised: "int8", "int4" or "float" by layer, for those that are not as the options say; None if all of the
        layers are float."""
        excluded = [name for name, precision in raised.items() if precision == "float"]
        if len(excluded) == len(self.anchors):
            return None
        options = dataclasses.replace(
            self.options,
            exclude=(*self.options.exclude, *excluded),
            wide=tuple(name for name, precision in raised.items() if precision == "int8"),
        )
        return quantize(self.full.source, self.data, options, statistics=self.statistics)

    def alone(self, layer: LayerFacts, precision: str) -> Quantized | None:
        """Everything in float but one layer."""
        raised = {other.name: "float" for other in self.anchors if other is not layer}
        if precision != self.options.weights:
            raised[layer.name] = precision
        try:
            return self.make(raised)
        except NothingToQuantize:
            # Alone it has nothing to compute on: it only continues what others have quantized.
            return None


def _cycles(quantized: Quantized, targets: Sequence[Target]) -> tuple[dict[str, float], dict[str, float]]:
    """What the layers cost quantized and in float, by the names of their nodes."""
    chosen = [item for item in targets if isinstance(item, Accelerator)]
    compilation = compile_contents(quantized.model, target=[*chosen, *([] if chosen else ["cpu"])])
    counted: dict[str, int] = {}
    if any(report.program is not None for report in compilation.layers):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.so")
            write_model(path, compilation.contents)
            for accelerator in chosen:
                counted.update(accelerator.count_cycles(path))
    inner: dict[str, float] = {}
    outer: dict[str, float] = {}
    for report in compilation.layers:
        names = [name for name in report.layers if name]
        macs = report.macs or 0
        on_host = macs / HOST_MACS_PER_CYCLE
        if report.program is None:
            # Natively, eight bits are taken for twice as fast as float.
            spent = on_host / 2
        else:
            spent = float(sum(cycles for layer, cycles in counted.items() if set(layer.split("+")) & set(names)))
        for name in names:
            inner[name] = spent
            outer[name] = on_host
    return inner, outer


def _measure_layers(
    variants: _Variants,
    judge: _Judge,
    kind: str,
    times: tuple[Mapping[str, float], Mapping[str, float]],
    progress: Progress | None,
) -> tuple[LayerCost, ...]:
    """The loss that each layer causes alone, at the precision of the options and, of int4, at int8.

    kind: what tells these from layers with other scales. times: of the layers in integers, and in float.
    """
    costs = []
    precisions = ("int4", "int8") if variants.options.weights == "int4" else ("int8",)
    for number, layer in enumerate(variants.anchors):
        bytes_saved = 0.0 if layer.weight is None else layer.weight.size / 2
        for precision in precisions:

            def alone(layer: LayerFacts = layer, precision: str = precision) -> onnx.ModelProto | None:
                made = variants.alone(layer, precision)
                return made.model if made else None

            score = judge.score(f"{kind} {precision} {layer.name}", alone)
            cycles = times[0].get(layer.name, 0.0)
            if precision == "int8" and len(precisions) > 1:
                cycles += bytes_saved / PORT_BYTES
            costs.append(
                LayerCost(
                    layer.name,
                    layer.op_type,
                    precision,
                    score.sqnr,
                    cycles,
                    max(times[1].get(layer.name, 0.0), cycles),
                    score.accuracy,
                )
            )
        if progress:
            progress("measuring layers", number + 1, len(variants.anchors))
    return tuple(costs)


@dataclass(frozen=True)
class _Move:
    """A layer goes to a higher precision: the error that goes away, and the cycles that come."""

    layer: str
    to: str
    gain: float
    cycles: float

    @property
    def worth(self) -> float:
        return self.gain / max(self.cycles, 1.0)


def _path(costs: Sequence[LayerCost]) -> list[_Move]:
    """The moves from the fastest choice to float, the best first.

    A move that is worth more than the one in front of it on the same layer is made together with that.
    """
    moves: list[_Move] = []
    ladders: dict[str, list[LayerCost]] = {}
    for cost in costs:
        ladders.setdefault(cost.name, []).append(cost)
    for name, ladder in ladders.items():
        own: list[_Move] = []
        for index, cost in enumerate(ladder):
            after = ladder[index + 1] if index + 1 < len(ladder) else None
            rest = after.noise if after else 0.0
            spent = (after.cycles if after else cost.float_cycles) - cost.cycles
            own.append(_Move(name, after.precision if after else "float", cost.noise - rest, max(spent, 0.0)))
            while len(own) > 1 and own[-1].worth >= own[-2].worth:
                last, first = own.pop(), own.pop()
                own.append(_Move(name, last.to, first.gain + last.gain, first.cycles + last.cycles))
        moves += own
    # Moves of one layer keep their order, because each is worth less than the one in front of it.
    return sorted(moves, key=lambda move: -move.worth)


def search(
    model: str | os.PathLike[str] | onnx.ModelProto | FloatModel,
    data: Data,
    options: QuantizeOptions,
    bound: Bound | None,
    *,
    evaluate: Evaluate | None = None,
    targets: Sequence[Target] = (),
    progress: Progress | None = None,
    state: State | None = None,
) -> Quantized:
    """Quantizes a model as fast as `bound` allows; without a bound, as the options say, with the layers measured.

    evaluate: the user's measure of accuracy, which bounds other than of "sqnr" need. targets: what the time is
    counted for, and what scales are chosen for where the options leave it to them: if the bound is not kept so, they
    are not. What was measured is `Quantized.search` of the result. The others are as in
    `acc.quantize`.

    Raises QuantizeError if nothing keeps the bound (the message says what was best, and where the loss is), and what
    `acc.quantize` raises.
    """
    if bound and bound.kind != "sqnr" and evaluate is None:
        raise QuantizeError(f"'{bound.text}' needs an evaluation (--eval module:function, evaluate=)")
    given, options = options, options.for_targets(targets)
    if bound is not None and options.wide_share is None:
        # Which weights are wider is what is searched for.
        options = dataclasses.replace(options, wide_share=0.0)
    full = quantize(model, data, options, state=state, progress=progress)
    samples = []
    for sample in open_samples(data, input_infos(full.source.proto)):
        samples.append(sample)
        if len(samples) == min(COMPARED, options.max_samples):
            break
    judge = _Judge(full.source, samples, evaluate, options.mask, state=state)
    variants = _Variants(full, data, options)
    points: dict[int, Point] = {}
    made: dict[int, Quantized] = {}
    kind = "hardware-friendly" if options.hardware_friendly else "plain"
    if bound:
        # Mostly the first choice will do, and then no layer has to be measured.
        score = judge.score(kind, lambda: full.model)
        if kind != "plain" and given.hardware_friendly is None and not bound.holds(score, judge.float_accuracy):
            # What an accelerator likes costs less than layers in float gain.
            kind, options = "plain", dataclasses.replace(options, hardware_friendly=False)
            variants = _Variants(full, data, options)
            plain = variants.make({})
            assert plain is not None
            full = dataclasses.replace(plain, options=options, samples=full.samples)
            score = judge.score(kind, lambda: full.model)
        if bound.holds(score, judge.float_accuracy):
            cycles = sum(_cycles(full, targets)[0].get(layer.name, 0.0) for layer in variants.anchors)
            point = Point({}, cycles, score.sqnr, score.accuracy, True)
            return dataclasses.replace(full, search=Search(bound, (), (point,), judge.float_accuracy))
    costs = _measure_layers(variants, judge, kind, _cycles(full, targets), progress)
    if bound is None:
        return dataclasses.replace(full, search=Search(None, costs, (), judge.float_accuracy))
    moves = _path(costs)
    first = sum(cost.cycles for cost in costs if cost.precision == options.weights)

    def make(count: int) -> Quantized:
        if count not in made:
            quantized = variants.make({move.layer: move.to for move in moves[:count]}) if count else full
            assert quantized is not None
            made[count] = quantized
        return made[count]

    def point_at(count: int) -> Point:
        if count not in points:
            raised = {move.layer: move.to for move in moves[:count]}
            score = judge.score(f"{kind} {json.dumps(raised)}" if count else kind, lambda: make(count).model)
            cycles = first + sum(move.cycles for move in moves[:count])
            holds = bound.holds(score, judge.float_accuracy)
            points[count] = Point(raised, cycles, score.sqnr, score.accuracy, holds)
            if progress:
                progress("searching", len(points), None)
        return points[count]

    best = _first_that_holds(len(moves) - 1, lambda count: point_at(count).holds)
    found = Search(bound, costs, tuple(sorted(points.values(), key=lambda point: point.cycles)), judge.float_accuracy)
    if best is None:
        raise QuantizeError(_nothing_holds(bound, found))
    return dataclasses.replace(make(best), options=options, samples=full.samples, search=found)


def _first_that_holds(last: int, holds: Callable[[int], bool]) -> int | None:
    """The least number up to `last` that holds, if all behind one that holds do too; None if the last does not."""
    if last < 0 or not holds(last):
        return None
    low, high = -1, last
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _nothing_holds(bound: Bound, found: Search) -> str:
    best = max(found.points, key=lambda point: point.accuracy if point.accuracy is not None else point.sqnr)
    worst = sorted(found.layers, key=lambda layer: layer.sqnr)[:3]
    where = listing([f"'{layer.name}' ({layer.sqnr:.1f} dB alone)" for layer in worst])
    floats = sum(precision == "float" for precision in best.raised.values())
    if bound.kind == "sqnr" or best.accuracy is None:
        reached = f"{best.sqnr:.1f} dB"
    else:
        reached = f"an accuracy of {best.accuracy:.4g}, the float model's being {found.float_accuracy:.4g},"
    return (
        f"no choice of precisions keeps '{bound.text}': the best that was found has {reached} with {floats} layers in "
        f"float; most of the loss is in {where}"
    )
