"""`acc.codesign`: a float model, samples and a device go in; a quantized model, hardware for it and a bundle come out.

Nothing is decided here: `acc.quantize`, `acc.explore` (with the tuner) and `acc.bundle` run one after the other.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acc.bundling import Bundle, bundle
from acc.errors import AccError, CompileError, ModelError
from acc.exploration import Front, Options, Point, explore, search
from acc.exploration.explorer import find_designs
from acc.exploration.space import read_space
from acc.files import read_bytes, replacing

__all__ = ["CodesignError", "Design", "codesign"]

STATE, QUANTIZED, REPORT, FRONT, BUNDLE = "codesign.json", "model_q.onnx", "quantization.html", "front", "bundle"
FORMAT = "acc-codesign-1"


class CodesignError(AccError):
    """The folder is no place for a design, or what is there is of other inputs."""


@dataclass(frozen=True)
class Design:
    """What became of a model. point: the one of the front that was bundled."""

    folder: Path
    front: Front
    point: Point
    bundle: Bundle

    def table(self) -> str:
        """For people: the front, and what was bundled."""
        return f"{self.front.table()}\n\n{self.point.name} is in '{self.folder / BUNDLE}':\n{self.bundle.table()}"


def codesign(
    model: str | os.PathLike[str],
    data: Any,
    *,
    output: str | os.PathLike[str],
    device: str = "ecp5-85k",
    space: Any = None,
    seconds: float | None = None,
    options: Options | None = None,
    weights: str = "int8",
    accuracy: str | None = None,
    evaluation: str | None = None,
    netlist: bool = True,
    bitstream: bool = False,
    progress: Callable[[str], None] = lambda text: None,
) -> Design:
    """Quantizes a model, explores hardware for it, and bundles the point with the least product of the objectives.

    model: a float ONNX file. data: samples, as for `acc.quantize`. output: a folder for everything, new or empty unless
    options.resume: model_q.onnx with quantization.html, front/ and bundle/. device, space, options: as for
    `acc.explore`; options.tune and options.route say what becomes of points. seconds: for all but the bundle, so that
    the search gets what quantizing left. weights, accuracy: as for `acc.quantize`. evaluation: "module:function", which
    judges the quantized model and is promised by the bundle. netlist, bitstream: as for `acc.bundle`. progress: told
    what is being done.

    With options.resume, what is done already stays: the quantized model, and every design that was counted. Raises
    CodesignError, or what the three raise; what was finished before stays in the folder.
    """
    chosen = options or Options()
    folder = Path(output)
    started = time.monotonic()
    if seconds is not None and not 0 < seconds < math.inf:
        raise CodesignError(f"seconds is {seconds!r}: it is a positive number")
    contents = read_bytes(model, ModelError)
    # What the exploration would refuse is found before time is spent on quantizing.
    if chosen.strategy != "random":
        search.optuna()
    read_space(space, find_designs(device))
    inputs = {
        "format": FORMAT,
        "model": hashlib.sha256(contents).hexdigest(),
        "data": os.fspath(data) if isinstance(data, str | os.PathLike) else "of a program",
        **{"device": device, "weights": weights, "accuracy": accuracy, "eval": evaluation},
    }
    _prepare(folder, inputs, chosen.resume)
    if not (folder / QUANTIZED).exists():
        _quantize(model, data, folder, weights, accuracy, evaluation, progress)
    if seconds is not None:
        left = seconds - (time.monotonic() - started)
        if left <= 0:
            raise CodesignError(
                f"quantizing took all of the {seconds:.0f} s; it is done: --resume with a larger budget goes on"
            )
        chosen = dataclasses.replace(chosen, seconds=left)
    front = explore(
        folder / QUANTIZED,
        space,
        output=folder / FRONT,
        device=device,
        # A folder that an earlier run did not get to is begun, not gone on with.
        options=dataclasses.replace(chosen, resume=(folder / FRONT).exists() and any((folder / FRONT).iterdir())),
        progress=lambda status: progress(str(status)),
    )
    if not front.points:
        raise CompileError("no design was found: see the notes of the exploration")
    best = min(front.points, key=lambda point: math.prod(point.objective(name) for name in front.objectives))
    made = bundle(
        folder / QUANTIZED,
        folder / BUNDLE,
        point=folder / FRONT / best.name,
        float_model=model,
        data=data,
        evaluation=evaluation,
        netlist=netlist,
        bitstream=bitstream,
        progress=lambda step, detail: progress(f"{step} {detail}".strip()),
    )
    return Design(folder, front, best, made)


def _quantize(
    model: str | os.PathLike[str],
    data: Any,
    folder: Path,
    weights: str,
    accuracy: str | None,
    evaluation: str | None,
    progress: Callable[[str], None],
) -> None:
    from acc.quantization import quantize
    from acc.quantization.data import load_function
    from acc.quantization.report import make_report, write_report
    from acc.targets import OWN, find
    from acc.targets.base import Accelerator

    target = next(name for name in OWN if issubclass(find(name), Accelerator))
    result = quantize(
        model,
        data,
        state=folder / f"{QUANTIZED}.calibration",
        progress=lambda stage, done, total: progress(f"quantizing: {stage}, sample {done}"),
        accuracy=accuracy,
        evaluate=load_function(evaluation) if evaluation and accuracy else None,
        target=target,
        weights=weights,
    )
    write_report(make_report(result, data), folder / REPORT, os.path.basename(os.fspath(model)))
    # Where this is, the step is done.
    result.save(folder / QUANTIZED)


def _prepare(folder: Path, inputs: dict[str, Any], resume: bool) -> None:
    """Makes the folder, or checks that it is of the same inputs and lacks its bundle."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise CodesignError(f"cannot write '{folder}': {error.strerror or error}") from None
    if not names:
        with replacing(folder / STATE, CodesignError) as file:
            file.write(json.dumps(inputs, indent=2).encode())
        return
    if not resume:
        raise CodesignError(f"'{folder}' is not empty: --resume goes on from what is there")
    try:
        known = json.loads(read_bytes(folder / STATE, CodesignError))
    except ValueError:
        known = None
    if not isinstance(known, dict) or known.get("format") != FORMAT:
        raise CodesignError(f"'{folder}' holds no design to go on from: its {STATE} is of another form")
    if different := [name for name in inputs if known.get(name) != inputs[name]]:
        raise CodesignError(f"'{folder}' was begun with another {' and '.join(different)}: choose another folder")
    if BUNDLE in names:
        raise CodesignError(f"'{folder}' is finished: its bundle is there")
