"""`acc bisect`: the first pass after which a model computes something else."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from acc.cli.compile import add_shape, add_target, add_value, target_options
from acc.errors import RunError

if TYPE_CHECKING:
    from acc.container import TensorInfo


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "bisect",
        help="find the pass that changes what a model computes",
        description="Compiles a model pass by pass, runs it in between, and names the first pass after which it "
        "computes something else, and where; also compares with ONNX Runtime, if it is installed. Ends with exit code "
        "0 if nothing is wrong, and 1 if something is.",
    )
    parser.add_argument("model", metavar="model.onnx", help="the model")
    parser.add_argument(
        "--inputs", metavar="FILE", help=".npz with an array per input, samples first (default: three random samples)"
    )
    parser.add_argument("--each", action="store_true", help="look after every pass, not after half of what is left")
    parser.add_argument("--extract", metavar="DIR", help="write what shows the fault alone to this new folder")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    add_target(parser)
    add_shape(parser)
    add_value(parser)
    parser.set_defaults(run=run)


def read_samples(path: str | None, inputs: Sequence[TensorInfo]) -> list[dict[str, np.ndarray]]:
    """The samples of a file, or random ones; raises RunError for what a model does not take."""
    from acc.files import load_arrays
    from acc.inspect.bisection import random_inputs

    if path is None:
        return random_inputs(inputs)
    arrays = load_arrays(path, RunError)
    if isinstance(arrays, np.ndarray):
        raise RunError(f"'{path}' holds one array: samples are an .npz file with an array per input")
    for info in inputs:
        if info.name not in arrays:
            raise RunError(f"'{path}': input '{info.name}' ({info}) is missing")
        if arrays[info.name].ndim != len(info.shape) + 1:
            raise RunError(f"'{path}': input '{info.name}' needs one axis more than {info}, which counts samples")
    counts = {len(arrays[info.name]) for info in inputs}
    if len(counts) > 1 or 0 in counts:
        raise RunError(f"'{path}' holds no samples, or not as many for every input")
    return [{info.name: arrays[info.name][at] for info in inputs} for at in range(counts.pop() if counts else 1)]


def expected_results(
    model: str, samples: Sequence[dict[str, np.ndarray]], values: dict[str, Any]
) -> list[dict[str, np.ndarray]] | None:
    """What ONNX Runtime makes of samples; None if it is not installed, or does not take the model."""
    try:
        import onnxruntime

        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        names = [value.name for value in session.get_outputs()]
        given = {value.name: value for value in session.get_inputs()}
        if values or any(name not in given for name in samples[0]):
            return None
        return [dict(zip(names, map(np.asarray, session.run(names, arrays)), strict=True)) for arrays in samples]
    except Exception:
        # Whatever it is, acc's own ways are compared all the same.
        return None


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.compiler import make_pipeline, resolve_targets
    from acc.files import check_new_folder
    from acc.inspect.bisection import bisect, write_reproducer
    from acc.inspect.passes import record
    from acc.pipeline import Options

    if args.extract is not None:
        check_new_folder(args.extract)
    chosen = resolve_targets(args.target or ["cpu"], args.config, **target_options(args))
    recording = record(make_pipeline(chosen, Options()), args.model, dict(args.shape), dict(args.value))
    samples = read_samples(args.inputs, recording.graph.inputs)
    expected = expected_results(args.model, samples, dict(args.value))
    found = bisect(recording, samples, expected=expected, each=args.each)
    if args.extract is not None and not found.is_clean:
        options = ["--target", ",".join(args.target)] if args.target else []
        options += ["--config", os.path.abspath(args.config)] if args.config else []
        options += [f"--option={name}={value}" for name, value in args.option]
        options += [f"--shape={name}={','.join(map(str, sizes))}" for name, sizes in args.shape]
        command = shlex.join(["acc", "bisect", "model.onnx", "--inputs", "inputs.npz", *options])
        write_reproducer(recording, found, samples, args.extract, args.model, command)
    if args.json:
        print(json.dumps(found.to_dict()))
    else:
        print(found.text())
        if args.extract is not None and not found.is_clean:
            print(f"What shows it alone is in {args.extract}.")
    return 0 if found.is_clean else 1
