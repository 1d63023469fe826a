"""`acc profile`: where the cycles of a compiled model go, or the time of its native kernels."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from acc import timeline
from acc.cli.compile import add_threads
from acc.errors import RunError
from acc.hardware import devices

DEVICE = "csim"


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "profile",
        help="count the cycles of a compiled model, or time it",
        description="Runs a compiled model once and prints where the accelerator's cycles go, by launch and by ONNX "
        "layer. Time does not depend on data, so no input is needed. Native kernels are named there; with --native, "
        "and where there is no accelerator, they are timed over some runs.",
    )
    parser.add_argument("model", metavar="model.so", help="the compiled model")
    parser.add_argument("--input", metavar="FILE", help=".npz with an array per input name, or .npy (default: zeros)")
    devices.declare(parser, default=DEVICE)
    parser.add_argument("--json", action="store_true", help="print the profile as JSON")
    native = parser.add_argument_group("for native kernels")
    native.add_argument("--native", action="store_true", help="time native kernels, and not the accelerator")
    native.add_argument("--runs", type=int, metavar="N", help="how often to run (default: for two seconds, 5 to 100)")
    add_threads(native, "threads of native code (default: what the model was compiled for)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.cli.run import read_inputs
    from acc.container import read_model
    from acc.targets.vta import profile

    if args.native or not (read_model(args.model).programs or args.device != DEVICE):
        return _time(args)
    if args.runs is not None or args.threads is not None:
        raise RunError("--runs and --threads are about native kernels: give --native, too")
    device = devices.one(devices.chosen(args))
    config = profile.configuration(args.model)
    inputs = read_inputs(args.input, read_model(args.model).inputs) if args.input else None
    result = profile.profile(args.model, device=device, inputs=inputs)
    if args.timeline is not None:
        runs = [launch.run or f"native: {launch.name}" for launch in result.launches]
        about = {"device": device.name, "model": Path(args.model).name, "cycles": result.cycles}
        timeline.write(args.timeline, runs, {**about, "config": json.loads(config.to_json())})
    print(json.dumps(result.to_dict()) if args.json else result.table())
    return 0


def _time(args: argparse.Namespace) -> int:
    """Times native kernels."""
    from acc.cli.run import read_inputs
    from acc.container import read_model
    from acc.inspect import native_profile

    inputs = read_inputs(args.input, read_model(args.model).inputs) if args.input else None
    result = native_profile.profile(args.model, inputs=inputs, runs=args.runs, threads=args.threads)
    if args.timeline is not None:
        result.write_timeline(args.timeline)
    print(json.dumps(result.to_dict()) if args.json else result.table())
    return 0
