"""`acc run`: runs a compiled model on arrays from a file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from acc.cli.compile import add_threads
from acc.container import TensorInfo
from acc.dtypes import BY_NAME
from acc.errors import RunError
from acc.files import load_arrays
from acc.hardware import devices


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "run",
        help="run a compiled model",
        description="Runs a compiled model once on arrays from an .npz file (or an .npy file, for one input). Prints a "
        "summary of the outputs unless they go to a file.",
    )
    parser.add_argument("model", metavar="model.so", help="the compiled model")
    parser.add_argument("--input", metavar="FILE", required=True, help=".npz with an array per input name, or .npy")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the outputs to this .npz file")
    devices.declare(parser, timeline=False)
    parser.add_argument("--sanitize", action="store_true", help="check every access of the accelerator")
    parser.add_argument("--profile", action="store_true", help="measure the time of every kernel")
    add_threads(parser, "how many threads native code uses (default: what the model was compiled for, or all cores)")
    parser.add_argument("--json", action="store_true", help="print outputs' summaries and statistics as JSON")
    parser.set_defaults(run=run)


def _read_inputs(path: str, names: list[str]) -> dict[str, np.ndarray]:
    data = load_arrays(path, RunError)
    if not isinstance(data, np.ndarray):
        return data
    if len(names) != 1:
        raise RunError(f"'{path}' holds one array, but the model has {len(names)} inputs: use an .npz file")
    return {names[0]: data}


def _name_type(array: np.ndarray, name: str) -> np.ndarray:
    """The elements as what the model takes, where the file only has their bytes: numpy's files have no bfloat16."""
    dtype = BY_NAME[name].dtype
    return array.view(dtype) if array.dtype.kind == "V" and array.dtype.itemsize == dtype.itemsize else array


def read_inputs(path: str, inputs: Sequence[TensorInfo]) -> dict[str, np.ndarray]:
    """The arrays of a file, as what the inputs of a model take."""
    arrays = _read_inputs(path, [info.name for info in inputs])
    for info in inputs:
        if info.name in arrays:
            arrays[info.name] = _name_type(arrays[info.name], info.dtype)
    return arrays


def _summary(array: np.ndarray) -> dict[str, Any]:
    summary: dict[str, Any] = {"dtype": array.dtype.name, "shape": list(array.shape)}
    if array.size:
        values = array.astype(np.float64)
        summary |= {"min": float(values.min()), "max": float(values.max()), "mean": float(values.mean())}
        summary["argmax"] = int(values.argmax())
    return summary


def _cycles(statistics: dict[str, Any]) -> str:
    """How long the accelerator took, on a device that knows."""
    launches = sum(program["launches"] for program in statistics["programs"])
    return f"{statistics['cycles']:,} cycles of the accelerator in {launches} launches"


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.executable import load
    from acc.files import replacing
    from acc.report import chain_name, chains, format_table

    chosen = devices.chosen(args)
    with load(args.model, device=chosen, sanitize=args.sanitize, profile=args.profile, threads=args.threads) as model:
        outputs = model.run(read_inputs(args.input, model.inputs))
        statistics = model.statistics
        kernels = chains(model.report())
    if args.output:
        with replacing(args.output, RunError) as file:
            np.savez(file, **outputs)  # type: ignore[arg-type]
    summaries = {name: _summary(array) for name, array in outputs.items()}
    if args.json:
        print(json.dumps({"outputs": summaries, "statistics": statistics}))
        return 0
    cycles = statistics.get("cycles")
    if args.output and not args.profile:
        if cycles is not None:
            print(_cycles(statistics))
        return 0
    rows = [
        [
            name,
            s["dtype"],
            "x".join(map(str, s["shape"])) or "scalar",
            *(f"{s[key]:.6g}" if key in s else "" for key in ("min", "max", "mean")),
            str(s.get("argmax", "")),
        ]
        for name, s in summaries.items()
    ]
    print(format_table(rows, ["output", "dtype", "shape", "min", "max", "mean", "argmax"]))
    threads = statistics["threads"]
    ms = f"{statistics['seconds'] * 1e3:.3f} ms on {statistics['device']}"
    print(f"\n{ms}, {threads} thread{'s' if threads > 1 else ''} of native code")
    if cycles is not None:
        print(_cycles(statistics))
    if args.profile and "layer_seconds" in statistics:
        # The runtime announces the first kernel of a program.
        seconds = iter(statistics["layer_seconds"])
        times = []
        for group in kernels:
            taken = sum(next(seconds, 0.0) for _ in group)
            name = ", ".join(group[0].layers) or group[0].kernel
            name = name if len(group) == 1 else chain_name(group)
            times.append([name, f"{taken * 1e3:.3f}", group[0].parallel])
        shown = 3 if any(parallel for *_, parallel in times) else 2
        print("\n" + format_table([row[:shown] for row in times], ["kernel", "ms", "parallel"][:shown]))
    return 0
