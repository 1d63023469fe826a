"""What a compiled model does, layer by layer, and where its time goes: the data behind `acc report`.

report = make_report("model.so")
report.to_dict()   # every number of the page
report             # in Jupyter: the page itself
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from acc.container import ModelFile, TensorInfo, read_model
from acc.devices import DeviceSpec
from acc.dtypes import BY_NAME
from acc.errors import CompileError
from acc.executable import load
from acc.inspect.activity import Activity, KernelActivity
from acc.report import LayerReport
from acc.wording import listing

__all__ = ["ModelReport", "Row", "make_compiled", "make_report"]

LARGE = 0.1
"""The share of the time of native kernels from which on one is worth a sentence."""

WORTH = 0.02
"""The share of all cycles that a layer could spare from which on it is worth a sentence."""

MOST_SENTENCES = 6

WASTED = 0.6
"""The part of products that only fill up blocks from which on it is worth a sentence."""


@dataclasses.dataclass(frozen=True)
class Row:
    """A kernel: what the compiler decided, and what a run said.

    cycles: on the accelerator, None natively. seconds: natively, as measured in one run, None on the accelerator.
    bytes: moved from and to the accelerator's memory, `moved` by what it is.
    utilisation: of the most products that the accelerator could do in
    these cycles, what the model asks for. filled: what the model asks for of all products that were done. bound: what
    the unit that computes does for most of the time: "products", "vectors", or that it waits for "load" or "store".
    waits: parts of its cycles, by whom it waits for.
    """

    layer: LayerReport
    cycles: int | None = None
    seconds: float | None = None
    bytes: int | None = None
    utilisation: float | None = None
    filled: float | None = None
    bound: str = ""
    waits: Mapping[str, float] = dataclasses.field(default_factory=dict)
    moved: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def is_native(self) -> bool:
        return self.layer.program is None

    @property
    def intensity(self) -> float | None:
        """Multiply-accumulates for each byte that is moved, None if there are none or nobody knows."""
        return self.layer.macs / self.bytes if self.layer.macs and self.bytes else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible: the fields of LayerReport, and what was measured."""
        known = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "layer"}
        known |= {"waits": dict(self.waits), "moved": dict(self.moved), "intensity": self.intensity}
        return {"name": self.layer.name, **self.layer.to_dict(), **known}


@dataclasses.dataclass(frozen=True)
class Sentence:
    """What to do next, about a row or, with None, the whole model."""

    text: str
    row: int | None = None


@dataclasses.dataclass(frozen=True)
class ModelReport:
    """A model: its rows in the order in which they run.

    activity: what the accelerator did, None natively. notes: what could not be measured, and why. sizes: bytes of the
    file's parts.
    """

    model: str
    target: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    rows: tuple[Row, ...]
    sentences: tuple[Sentence, ...]
    activity: Activity | None
    sizes: Mapping[str, int]
    arena: Mapping[str, int]
    notes: tuple[str, ...] = ()

    @property
    def cycles(self) -> int | None:
        return self.activity.cycles if self.activity is not None else None

    @property
    def seconds(self) -> float | None:
        """Of native kernels together, None if they were not measured."""
        known = [row.seconds for row in self.rows if row.seconds is not None]
        return sum(known) if known else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible; has every number that the page shows."""
        return {
            "model": self.model,
            "target": self.target,
            "inputs": [info.to_dict() for info in self.inputs],
            "outputs": [info.to_dict() for info in self.outputs],
            "cycles": self.cycles,
            "seconds": self.seconds,
            "sizes": dict(self.sizes),
            "arena": dict(self.arena),
            "notes": list(self.notes),
            "layers": [row.to_dict() for row in self.rows],
            "next": [dataclasses.asdict(sentence) for sentence in self.sentences],
            "activity": self.activity.to_dict() if self.activity is not None else None,
        }

    def to_html(self) -> str:
        """The page, a whole document that needs nothing else."""
        from acc.inspect.model_page import to_html

        return to_html(self)

    def _repr_html_(self) -> str:
        """For Jupyter: the page in a frame of its own, so that its style stays inside."""
        from acc.page import text

        style = "width:100%;height:48rem;border:0"
        return f"<iframe style='{style}' sandbox='allow-scripts' srcdoc=\"{text(self.to_html())}\"></iframe>"


@contextlib.contextmanager
def make_compiled(model: Any, **options: Any) -> Iterator[str]:
    """The file of a compiled model: the one that `model` names, or a temporary one of an Executable or an ONNX model.

    options: those of `acc.compile`. Raises what it raises, and CompileError for options beside a compiled model.
    """
    from acc.compiler import compile_contents
    from acc.container import write_model
    from acc.executable import Executable

    is_path = isinstance(model, str | os.PathLike)
    compiled = isinstance(model, Executable) or (is_path and not os.fspath(model).endswith(".onnx"))
    if compiled and options:
        raise CompileError(f"'{next(iter(options))}' is for an ONNX model, and this one is compiled already")
    if compiled and is_path:
        yield os.fspath(model)
        return
    with tempfile.TemporaryDirectory(prefix="acc-report-") as folder:
        path = os.path.join(folder, "model.so")
        if isinstance(model, Executable):
            model.save(path)
        else:
            write_model(path, compile_contents(model, **options).contents, sync=False)
        yield path


def make_report(
    model: Any,
    inputs: Mapping[str, np.ndarray] | None = None,
    *,
    name: str | None = None,
    timed: bool = True,
    device: DeviceSpec | None = None,
    **options: Any,
) -> ModelReport:
    """The report of a compiled model (a file or an Executable), or of an ONNX model, which is compiled first.

    inputs: what it runs on, zeros without; without and with open sizes nothing is measured. name: how to call the
    model. timed: measure native kernels, too, so that no two reports are alike. device: what counts the cycles of
    accelerators, or their own choice. options: those of `acc.compile`, for ONNX models.

    Raises ModelFileError for what is neither, RunError for inputs that do not fit, and what `acc.compile` raises.
    """
    called = os.path.basename(os.fspath(model)) if isinstance(model, str | os.PathLike) else "the model"
    with make_compiled(model, **options) as path:
        return _report(path, inputs, name or called, timed, device)


def _report(
    path: str | os.PathLike[str],
    inputs: Mapping[str, np.ndarray] | None,
    name: str,
    timed: bool,
    device: DeviceSpec | None,
) -> ModelReport:
    file = read_model(path)
    layers = [LayerReport.from_dict(layer) for layer in file.metadata.get("layers", [])]
    notes: list[str] = []
    given = _inputs(file, inputs)
    activity, seconds = None, dict[int, float]()
    if given is None:
        open_sizes = listing([f"{info.name} {info.shape_text}" for info in file.inputs if info.fixed_shape is None], 3)
        notes.append(f"nothing was measured, since sizes are open: {open_sizes}; give inputs by --input")
    else:
        activity = _activity(path, file, given, device)
        seconds = _seconds(path, given, layers) if timed else {}
        if file.programs and activity is None:
            notes.append(f"nobody counts the cycles of '{file.metadata.get('target')}'")
    rows = tuple(_row(number, layer, activity, seconds) for number, layer in enumerate(layers))
    return ModelReport(
        model=name,
        target=str(file.metadata.get("target", "cpu")),
        inputs=file.inputs,
        outputs=file.outputs,
        rows=rows,
        sentences=tuple(_sentences(rows, activity)),
        activity=activity,
        sizes={
            "code": len(file.image),
            "constants": len(file.constants),
            "programs": sum(len(program.data) for program in file.programs),
            "workspace": int(file.metadata.get("workspace_bytes", 0)),
        },
        arena=file.metadata.get("arena", {}),
        notes=tuple(notes),
    )


def _inputs(file: ModelFile, given: Mapping[str, np.ndarray] | None) -> dict[str, np.ndarray] | None:
    """What a run is given: zeros if nothing else is; None if sizes are open."""
    if given is not None:
        return dict(given)
    if any(info.fixed_shape is None for info in file.inputs):
        return None
    return {info.name: np.zeros(info.fixed_shape or (), BY_NAME[info.dtype].dtype) for info in file.inputs}


def _activity(
    path: str | os.PathLike[str], file: ModelFile, inputs: Mapping[str, np.ndarray], device: DeviceSpec | None
) -> Activity | None:
    from acc import targets
    from acc.targets.base import Accelerator

    if not file.programs:
        return None
    for name in str(file.metadata.get("target", "")).split("+"):
        target = targets.find(name).from_options({})
        found = target.inspect(path, inputs, device) if isinstance(target, Accelerator) else None
        if found is not None:
            return found
    return None


def _seconds(
    path: str | os.PathLike[str], inputs: Mapping[str, np.ndarray], layers: Sequence[LayerReport]
) -> dict[int, float]:
    """How long native kernels take, by their rows: in the second of two runs, as the first touches memory for once."""
    with load(path, profile=True) as model:
        for _ in range(2):
            model.run(inputs)
        taken = model.statistics.get("layer_seconds", [])
    timed = enumerate(zip(layers, taken, strict=False))
    return {row: float(time) for row, (layer, time) in timed if layer.program is None}


def _row(number: int, layer: LayerReport, activity: Activity | None, seconds: Mapping[int, float]) -> Row:
    parts = [launch.kernels[number] for launch in activity.launches if number in launch.kernels] if activity else []
    if activity is None or not parts:
        return Row(layer, seconds=seconds.get(number))
    kernel = _sum(parts)
    most = kernel.cycles * activity.products_per_cycle
    return Row(
        layer,
        cycles=kernel.cycles,
        bytes=sum(kernel.bytes.values()),
        utilisation=layer.macs / most if layer.macs and most else None,
        filled=layer.macs / kernel.products if layer.macs and kernel.products else None,
        bound=_bound(kernel),
        waits={unit: cycles / kernel.cycles for unit, cycles in kernel.waits.items() if kernel.cycles},
        moved=kernel.bytes,
    )


def _sum(parts: Sequence[KernelActivity]) -> KernelActivity:
    """What a kernel does in all launches of its program."""

    def added(name: str) -> dict[str, int]:
        keys = dict.fromkeys(key for part in parts for key in getattr(part, name))
        return {key: sum(getattr(part, name).get(key, 0) for part in parts) for key in keys}

    totals = (sum(part.cycles for part in parts), sum(part.products for part in parts))
    return KernelActivity(*totals, added("steps"), added("waits"), added("bytes"))


def _bound(kernel: KernelActivity) -> str:
    working = kernel.cycles - sum(kernel.waits.values())
    whom = max(kernel.waits, key=lambda unit: kernel.waits[unit], default="")
    if whom and kernel.waits[whom] > working:
        return whom
    steps = {name: count for name, count in kernel.steps.items() if count}
    return max(steps, key=lambda name: steps[name], default="load")


def _sentences(rows: Sequence[Row], activity: Activity | None) -> list[Sentence]:
    sentences: list[Sentence] = []
    if activity is not None and activity.cycles:
        total = activity.cycles
        sentences.append(Sentence(_overall(rows, total)))
        spare = [(row.cycles - _least_cycles(row, activity), number) for number, row in enumerate(rows) if row.cycles]
        for cycles, number in sorted(spare, reverse=True)[:MOST_SENTENCES]:
            if cycles >= WORTH * total:
                sentences.append(Sentence(_what_to_do(rows[number], (rows[number].cycles or 0) / total), number))
    native = [(row.seconds or 0.0, number) for number, row in enumerate(rows) if row.is_native]
    spent = sum(seconds for seconds, _ in native)
    if activity is not None and native:
        reasons: dict[str, list[str]] = {}
        for _, number in native:
            if rows[number].layer.reason:
                reasons.setdefault(rows[number].layer.reason, []).append(rows[number].layer.name)
        for reason, names in sorted(reasons.items(), key=lambda item: -len(item[1]))[:3]:
            verb = "run" if len(names) > 1 else "runs"
            sentences.append(Sentence(f"{listing(names, 3)} {verb} natively: {reason}."))
    elif activity is None and spent:
        for seconds, number in sorted(native, reverse=True)[:3]:
            if seconds / spent >= LARGE:
                text = f"{rows[number].layer.name} takes {100 * seconds / spent:.0f} % of the time of native kernels."
                sentences.append(Sentence(text, number))
    return sentences


def _least_cycles(row: Row, activity: Activity) -> int:
    """How many cycles a layer takes at least, by its products and by the bytes that it moves."""
    products = -(-(row.layer.macs or 0) // activity.products_per_cycle)
    return max(products, -(-(row.bytes or 0) // activity.bytes_per_cycle))


def _overall(rows: Sequence[Row], total: int) -> str:
    """What the cycles of all layers go to, by what binds the layers."""
    shares: dict[str, float] = {}
    for row in rows:
        if row.cycles:
            shares[row.bound] = shares.get(row.bound, 0.0) + row.cycles / total
    names = {"products": "products", "vectors": "element-wise steps", "resets": "resets"}
    said = [
        f"{100 * share:.0f} % by {names.get(bound, f'waits for {bound}')}"
        for bound, share in sorted(shares.items(), key=lambda item: -item[1])
        if share >= 0.005
    ]
    macs = sum(row.layer.macs or 0 for row in rows if row.cycles)
    return f"Layers are bound, by their cycles, {', '.join(said)}; {macs / total:.1f} MACs are done in a cycle."


def _what_to_do(row: Row, share: float) -> str:
    text = f"{row.layer.name} takes {100 * share:.0f} % of the cycles"
    if row.bound in row.waits:
        waited = f"{text} and waits {100 * row.waits[row.bound]:.0f} % of them for "
        if row.bound == "store":
            return f"{waited}stores: larger tiles of results, or a wider port."
        most = max(row.moved, key=lambda name: row.moved[name], default="")
        if most == "weights":
            return f"{waited}weights: batch, or a wider port."
        return f"{waited}loads, most of them of {most or 'nothing'}: larger scratchpads, or a wider port."
    if row.filled is not None and row.filled < 1 - WASTED:
        return (
            f"{text}, and only {100 * row.filled:.0f} % of its products are the model's: the others fill up blocks, "
            "which its channels (or its batch) do not."
        )
    if row.bound == "vectors":
        return f"{text}, most of them for element-wise steps."
    if row.utilisation is not None:
        return f"{text} and uses {100 * row.utilisation:.0f} % of the multipliers."
    return f"{text}."
