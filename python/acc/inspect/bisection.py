"""Finds the first pass after which a model computes something else, then the kernel, and writes both down.

What a model computes is what it computes as it was imported, natively and by the shortest way. Integers have the same
bits after every pass but the one that turns quantization into arithmetic of integers, which may round otherwise here
and there; other numbers are compared with a tolerance. Passes that take kernels apart cannot be told from each other
by running, as all of them are in every way from there to code: there the model is interpreted after each of them. Where
that is not possible, the range is named, and what of it a model is right without. What others expect, such as ONNX
Runtime, shows faults in what every way has.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from acc import ir
from acc.container import TensorInfo
from acc.dtypes import BY_NAME
from acc.errors import AccError, RunError
from acc.files import creating_folder
from acc.inspect.passes import Recording, Results, only_accelerated
from acc.reference import results_by_name
from acc.stages import format_module
from acc.wording import listing

__all__ = ["Bisection", "bisect", "random_inputs", "write_reproducer"]

ROUNDING = "graph-legalize-quantization"
"""The pass after which integers may be others than before."""

TOLERANCE = 1e-4
"""How far numbers that are no integers may be apart, in parts of the largest."""

COMMON = ("import", "graph-outline-kernels", "graph-to-linalg", "te-hoist-operands", "host-bufferize", "host-lower-abi")
"""The first stage, and some of what every way has: whose faults look like those of the importer."""

NATIVE_STAGES = ("native kernels", "buffers", "llvm")
ACCELERATOR_STAGES = ("accelerator kernels", "instructions")

ROUNDED_STEPS, ROUNDED_SHARE = 0.05, 0.02
"""After the pass that rounds: how far numbers may be apart, and which part of them may be farther."""


@dataclasses.dataclass(frozen=True)
class Bisection:
    """What was found.

    passes: the pass that is at fault, or the range of them that has it; empty if nothing is wrong. stage: of the first
    of them. kernels: where the fault shows. right_without: passes of the range without which the results are right.
    before: the number of the last moment that is right. checked: how many moments were run. largest: the largest
    difference of an output, `output`. failure: what was said if the model could not be run, rather than computing
    something else.
    """

    passes: tuple[str, ...] = ()
    stage: str = ""
    kernels: tuple[str, ...] = ()
    right_without: tuple[str, ...] = ()
    before: int = -1
    checked: int = 0
    output: str = ""
    largest: float = 0.0
    failure: str = ""

    @property
    def is_clean(self) -> bool:
        return not self.passes

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible."""
        return dataclasses.asdict(self)

    def text(self) -> str:
        """For people."""
        if self.is_clean:
            return f"Nothing is wrong: the model computes the same after each of the {self.checked} passes looked at."
        if len(self.passes) == 1:
            said = f"The first pass after which the model computes something else is {self.passes[0]}"
        else:
            said = f"The fault is in one of the passes from {self.passes[0]} to {self.passes[-1]}"
        said += f" (stage '{self.stage}')"
        if self.kernels:
            said += f", at {listing(list(self.kernels), 4)}"
        said += ".\n"
        if self.failure:
            said += f"There the model does not run: {self.failure}\n"
        else:
            said += f"Output {self.output} differs by up to {self.largest:.3g}.\n"
        if self.right_without:
            said += f"The results are right without {listing(list(self.right_without), 4)}.\n"
        return said.rstrip()


def random_inputs(inputs: Sequence[TensorInfo], count: int = 3, seed: int = 0) -> list[dict[str, np.ndarray]]:
    """Random arrays for a model whose sizes are fixed; raises RunError for one that leaves any open."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        arrays = {}
        for info in inputs:
            if info.fixed_shape is None:
                raise RunError(f"input '{info.name}' ({info}) has no fixed size: give --shape, or inputs")
            element = BY_NAME[info.dtype]
            if element.kind == "float":
                values = rng.normal(0, 1, info.fixed_shape)
            elif element.kind == "bool":
                values = rng.integers(0, 2, info.fixed_shape)
            else:
                values = rng.integers(0, 1 << min(element.bits - 1, 7), info.fixed_shape)
            arrays[info.name] = values.astype(element.dtype)
        made.append(arrays)
    return made


@dataclasses.dataclass(frozen=True)
class _Outcome:
    """What running a moment gave: results, or why there are none."""

    results: list[Results] | None
    failure: str = ""


class _Search:
    """Runs moments, each once, and judges them."""

    def __init__(self, recording: Recording, inputs: Sequence[Results], tolerance: float) -> None:
        self.recording, self.inputs, self.tolerance = recording, inputs, tolerance
        self.known: dict[int, bool | None] = {}
        self.said: dict[int, tuple[str, float, str]] = {}
        labels = [moment.label for moment in recording.moments]
        self.rounding = labels.index(ROUNDING) if ROUNDING in labels else 0
        self.last_plain = self._find_last_plain()
        self.base = self._plainly(0)
        self.rounded: _Outcome | None = None
        self.interpreted: dict[int, bool | None] = {}
        self.kept: dict[bytes, Any] = {}

    def _find_last_plain(self) -> int:
        """The last moment that can be run plainly: what takes kernels apart comes at the end of those stages."""
        index = max(at for at in range(len(self.recording.moments)) if self.recording.is_plain(at))
        while index > 0 and self._plainly(index).results is None and self._is_apart(index):
            index -= 1
        return index

    def _is_apart(self, index: int) -> bool:
        step = self.recording.moments[index].step
        return step is not None and step.stage in ("accelerator kernels", "native kernels")

    def _plainly(self, index: int) -> _Outcome:
        return _try(lambda: self.recording.run_plainly(index, self.inputs))

    def is_right(self, index: int) -> bool | None:
        """Whether the model computes after a pass what it did at first; None if it cannot be run there.

        Passes that are halfway to another form, such as a schedule that nothing has obeyed yet, leave it so.
        """
        if index not in self.known:
            if index <= self.last_plain:
                outcome = self._plainly(index)
            else:
                without = self.recording.optional
                outcome = _try(lambda: self.recording.run_by_rest(index, self.inputs, without=without))
            is_halfway = index < self.last_plain and self._is_apart(index) and outcome.results is None
            self.known[index] = None if is_halfway else self.judge(index, outcome)
        return self.known[index]

    def reads_right(self, index: int) -> bool | None:
        """Whether a model is right after a pass if it is interpreted; None where what operations compute is not known.

        If what runs the model is at fault, the pass that rounds has to be asked for before those behind it.
        """
        if index not in self.interpreted:
            try:
                outcome = _try(lambda: self.recording.interpret(index, self.inputs, self.kept))
                self.interpreted[index] = self.judge(index, outcome)
            except NotImplementedError:
                self.interpreted[index] = None
        return self.interpreted[index]

    def narrow(self, low: int, high: int) -> tuple[int, int]:
        """`between` by interpreting; the same moments if that makes something else of the one that is right."""
        return (low, high) if self.reads_right(low) is False else self.between(low, high, self.reads_right)

    def between(self, low: int, high: int, is_right: Callable[[int], bool | None]) -> tuple[int, int]:
        """The last moment that is right and the first that is wrong, as near to each other as they can be brought."""
        while high - low > 1:
            centre = (low + high) // 2
            nearest = sorted(range(low + 1, high), key=lambda at: abs(at - centre))
            middle = next((at for at in nearest if is_right(at) is not None), None)
            if middle is None:
                break
            low, high = (middle, high) if is_right(middle) else (low, middle)
        return low, high

    def is_right_by_reference(self) -> bool:
        """Whether the operators after the pass that rounds give the right results in numpy, by their definition."""
        module = self.recording.moments[self.rounding].module
        main = next(op for op in module.body if op.name == "func.func")
        try:
            results = [results_by_name(main, arrays) for arrays in self.inputs]
        except (NotImplementedError, KeyError, AccError):
            return False
        return _compare(self.base.results or [], results, ROUNDED_STEPS, ROUNDED_SHARE)[2]

    def judge(self, index: int, outcome: _Outcome) -> bool:
        """Whether results are what they should be after a pass."""
        if outcome.results is None or self.base.results is None:
            self.said[index] = "", 0.0, outcome.failure or self.base.failure
            return False
        if index < self.rounding or not self.rounding:
            name, largest, fits = _compare(self.base.results, outcome.results, self.tolerance, 0.0)
        elif index == self.rounding or self.rounded is None:
            if index != self.rounding:
                self.is_right(self.rounding)
                return self.judge(index, outcome)
            self.rounded = outcome
            name, largest, fits = _compare(self.base.results, outcome.results, ROUNDED_STEPS, ROUNDED_SHARE)
        else:
            name, largest, fits = _compare(self.rounded.results or [], outcome.results, self.tolerance, 0.0)
        self.said[index] = name, largest, ""
        return fits


def _try(run: Any) -> _Outcome:
    try:
        return _Outcome(run())
    except AccError as error:
        return _Outcome(None, str(error).splitlines()[0])


def _compare(
    expected: Sequence[Results], actual: Sequence[Results], tolerance: float, share: float
) -> tuple[str, float, bool]:
    """The output that is farthest apart, by how much, and whether all are as near as they should be."""
    worst, largest, fits = "", 0.0, True
    for a, b in zip(expected, actual, strict=True):
        for name, x in a.items():
            y = b[name]
            if x.shape != y.shape:
                return name, float("inf"), False
            if not x.size:
                continue
            p, q = x.astype(np.float64), y.astype(np.float64)
            same = (p == q) | (np.isnan(p) & np.isnan(q))
            away = np.where(same, 0.0, np.abs(p - q))
            away[np.isnan(away)] = np.inf
            exact = x.dtype.kind in "iub" and share == 0.0
            finite = np.abs(p[np.isfinite(p)])
            allowed = 0.0 if exact else tolerance * float(finite.max(initial=0.0))
            far = away > allowed
            if far.mean() > share:
                fits = False
            if away.max() > largest or not worst:
                worst, largest = name, float(away.max())
    return worst, largest, fits


def bisect(
    recording: Recording,
    inputs: Sequence[Results],
    *,
    expected: Sequence[Results] | None = None,
    each: bool = False,
    tolerance: float = TOLERANCE,
) -> Bisection:
    """Finds the first pass after which the results differ.

    each: look after every pass, which also finds what a later pass puts right; otherwise a fault is taken to stay, and
    half of what is left is looked at in turn. expected: what somebody else makes of the inputs, about.
    Raises RunError if the model cannot even be run as it was imported.
    """
    search = _Search(recording, inputs, tolerance)
    if search.base.results is None:
        raise RunError(f"the model does not run as it was imported: {search.base.failure}")
    count = len(recording.moments)
    if expected is not None:
        name, largest, fits = _compare(expected, search.base.results, ROUNDED_STEPS, ROUNDED_SHARE)
        if not fits:
            found = Bisection(COMMON, "import", before=0, checked=1, output=name, largest=largest)
            search.base = _Outcome(list(expected))
            return _in_common(search, found) if search.reads_right(search.rounding) else found
    if each:
        judged = [index for index in range(1, count) if search.is_right(index) is not None]
        high = next((index for index in judged if not search.is_right(index)), None)
        low = max((index for index in judged if high is not None and index < high), default=0)
    else:
        # What is compiled, as it is, has the last word on whether there is a fault at all; what comes before the pass
        # that rounds is compared with what was imported, what comes behind it with what it made.
        wrong = [at for at in sorted({search.rounding, search.last_plain, count - 1}) if not search.is_right(at)]
        low, high = search.between(0, wrong[0], search.is_right) if wrong else (0, None)
    if high is None:
        return Bisection(checked=len(search.known))
    name, largest, failure = search.said[high]
    found = Bisection(before=low, checked=len(search.known), output=name, largest=largest, failure=failure)
    if low == search.last_plain:
        return _in_range(search, found)
    if high == search.rounding and search.is_right_by_reference():
        # What runs its integers is at fault, which everything behind it has too.
        search.reads_right(high)
        return _in_common(search, dataclasses.replace(found, passes=COMMON[1:], stage="kernels", failure=""))
    if high > low + 1:
        low, high = search.narrow(low, high)
        found = dataclasses.replace(found, before=low)
    labels = [recording.moments[index].label for index in range(low + 1, high + 1)]
    right = _right_without(search, low, labels) if len(labels) > 1 else []
    return dataclasses.replace(
        found,
        passes=tuple(right if len(right) == 1 else labels),
        stage=_stage(recording, high),
        kernels=tuple(_changed(recording, low, high)),
        right_without=tuple(right),
    )


def _in_common(search: _Search, found: Bisection) -> Bisection:
    """What was found, where every way of running the model is wrong, but not what is to be run."""
    recording = search.recording
    low, high = search.narrow(search.rounding, len(recording.moments) - 1)
    if low == search.rounding:
        return found
    optional = recording.optional if high > low + 1 else ()
    labels = [recording.moments[index].label for index in range(low + 1, high + 1)]
    return dataclasses.replace(
        found,
        passes=tuple(label for label in labels if label not in optional),
        stage=_stage(recording, low + 1),
        kernels=tuple(_changed(recording, low, high)) if high == low + 1 else (),
        before=low,
    )


def _right_without(search: _Search, index: int, labels: Sequence[str], module: ir.Module | None = None) -> list[str]:
    """Those of the passes behind a moment without which the results are right. module: instead of the moment's own."""
    right = []
    for label in dict.fromkeys(labels):
        left_out = {*search.recording.optional, label}

        def run(left_out: set[str] = left_out) -> list[Results]:
            copy = module.clone() if module is not None else None
            return search.recording.run_by_rest(index, search.inputs, module=copy, without=left_out)

        outcome = _try(run)
        if outcome.results is not None and search.judge(index, outcome):
            right.append(label)
    return right


def _stage(recording: Recording, index: int) -> str:
    step = recording.moments[index].step
    return step.stage if step is not None else "import"


def _in_range(search: _Search, found: Bisection) -> Bisection:
    """The passes that every way from the last plain moment on has, and kernels at which the fault shows.

    If it shows when the host runs everything, the passes are those of native code, otherwise those of accelerators.
    """
    recording = search.recording
    # Kernels are whole there, so that the host runs any of them.
    whole = max(at for at in range(search.last_plain + 1) if _stage(recording, at) in ("graph", "kernels"))
    module = recording.moments[whole].module

    def is_right(*symbols: str) -> bool:
        some, left_out = only_accelerated(module, *symbols), recording.optional
        outcome = _try(lambda: recording.run_by_rest(whole, search.inputs, module=some, without=left_out))
        return outcome.results is not None and search.judge(whole, outcome)

    placed = [
        str(op.attributes["sym_name"].value)
        for op in module.body
        if op.name == "te.kernel" and "schedule" in op.attributes
    ]
    is_native = not is_right()
    kernels = [] if is_native else [symbol for symbol in placed if not is_right(symbol)]
    shown = () if is_native else kernels or placed
    stages = NATIVE_STAGES if is_native else ACCELERATOR_STAGES
    low, high = search.narrow(search.last_plain, len(recording.moments) - 1)
    found = dataclasses.replace(found, before=low)
    indices = [
        index
        for index in range(low + 1, high + 1)
        if high == low + 1
        or (_stage(recording, index) in stages and recording.moments[index].label not in recording.optional)
    ]
    labels = [recording.moments[index].label for index in indices]
    right = _right_without(search, whole, labels, only_accelerated(module, *shown)) if len(labels) > 1 else []
    passes = tuple(right) if len(right) == 1 else tuple(labels)
    stage = _stage(recording, next(index for index in indices if recording.moments[index].label == passes[0]))
    return dataclasses.replace(found, passes=passes, stage=stage, kernels=tuple(kernels), right_without=tuple(right))


def _changed(recording: Recording, low: int, high: int) -> list[str]:
    """The ONNX nodes at which passes have changed anything: those of operations that were not there before."""
    before = {text for text, _ in _operations(recording.moments[low].module)}
    names: dict[str, None] = {}
    for text, found in _operations(recording.moments[high].module):
        if text not in before and found:
            names[found] = None
    return list(names)


def _operations(module: ir.Module) -> list[tuple[str, str]]:
    """What every operation is, and the ONNX nodes that it comes from; those of a kernel are the kernel's."""
    found: list[tuple[str, str]] = []
    for op in module.body:
        if op.name == "te.kernel":
            layers = op.attributes.get("layers")
            name = "+".join(map(str, layers.value)) if layers is not None else str(op.attributes["sym_name"].value)
            found.append((str(op), name))
        elif op.name == "func.func" and len(op.regions[0].blocks):
            for inner in op.regions[0].blocks[0].operations:
                operands = [f"{value.type}" for value in inner.operands]
                results = [f"{value.type}" for value in inner.results]
                text = json.dumps([inner.name, operands, results, str(inner.attributes), _location(inner)])
                found.append((text, _location(inner)))
        else:
            found.append((str(op), _location(op)))
    return found


def _location(op: ir.Operation) -> str:
    text = str(op.location)
    return text.removeprefix("loc(").removesuffix(")").strip('"') if '"' in text else ""


def write_reproducer(
    recording: Recording,
    found: Bisection,
    inputs: Sequence[Results],
    folder: str | os.PathLike[str],
    model: str | os.PathLike[str],
    command: str,
) -> None:
    """Writes a new folder: the IR before the pass, the passes behind it, inputs and what they should give, the model
    and the command that finds it again. Raises AccError if it cannot.
    """
    before = recording.moments[found.before]
    base = recording.run_plainly(0, inputs)
    with creating_folder(folder) as work:
        (work / "before.mlir").write_text(format_module(before.module))
        steps = [moment.step for moment in recording.moments[found.before + 1 :] if moment.step is not None]
        texts = [step.passes if isinstance(step.passes, str) else f"(in Python) {step.label}" for step in steps]
        (work / "pipeline.txt").write_text("\n".join(texts) + "\n")
        for name, sets in (("inputs", inputs), ("expected", base)):
            buffer = io.BytesIO()
            np.savez(buffer, **_stacked(sets))  # type: ignore[arg-type]
            (work / f"{name}.npz").write_bytes(buffer.getvalue())
        with open(model, "rb") as source:
            (work / "model.onnx").write_bytes(source.read())
        (work / "found.json").write_text(json.dumps(found.to_dict(), indent=1) + "\n")
        again = (
            f"    acc-opt --pass-pipeline='builtin.module({texts[0]})' before.mlir\n"
            if texts and not texts[0].startswith("(")
            else ""
        )
        (work / "README.md").write_text(
            f"# {found.passes[0]}\n\n{found.text()}\n\n"
            "| file | contents |\n|---|---|\n"
            "| `before.mlir` | the model before that pass, when it was right |\n"
            "| `pipeline.txt` | that pass and those behind it, one a line |\n"
            "| `inputs.npz`, `expected.npz` | inputs, samples first, and what they should give |\n"
            "| `model.onnx` | the whole model |\n\n"
            f"In this folder, this runs the pass alone, and this finds it again:\n\n{again}    {command}\n"
        )


def _stacked(sets: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([arrays[name] for arrays in sets]) for name in sets[0]} if sets else {}
