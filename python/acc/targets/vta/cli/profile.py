"""`acc profile`: where the cycles of a compiled model go."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from acc import timeline
from acc.hardware import devices


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "profile",
        help="count the cycles of a compiled model",
        description="Runs a compiled model once and prints where the accelerator's cycles go, by launch and by ONNX "
        "layer. Time does not depend on data, so no input is needed. Native kernels are named, not timed.",
    )
    parser.add_argument("model", metavar="model.so", help="the compiled model")
    parser.add_argument("--input", metavar="FILE", help=".npz with an array per input name, or .npy (default: zeros)")
    devices.declare(parser, default="csim")
    parser.add_argument("--json", action="store_true", help="print the profile as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.cli.run import read_inputs
    from acc.container import read_model
    from acc.targets.vta import profile

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
