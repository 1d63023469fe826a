"""`acc report`: a page about a model: what runs where and why, and where the time goes."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from acc.cli.compile import add_shape, add_target, add_value, target_options
from acc.errors import AccError


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "report",
        help="make a page about a model",
        description="Runs a model once and writes a page about it, one file that needs nothing else: the network with "
        "targets and reasons, a table of layers, a roofline, timelines of the accelerator and of its memories, and "
        "what to do next. An ONNX model is compiled first. Time on the accelerator does not depend on data; native "
        "kernels are timed in one run.",
    )
    parser.add_argument("model", metavar="MODEL", help="a compiled model (.so) or an ONNX model (.onnx)")
    parser.add_argument("-o", "--output", metavar="report.html", help="where the page goes")
    parser.add_argument("--input", metavar="FILE", help=".npz with an array per input, or .npy (default: zeros)")
    parser.add_argument("--json", action="store_true", help="print the same numbers as JSON")
    onnx = parser.add_argument_group("for ONNX models")
    add_target(onnx)
    add_shape(onnx)
    add_value(onnx)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.files import check_writable, replacing
    from acc.inspect.model_report import make_compiled, make_report

    if args.output is None and not args.json:
        raise AccError("a page is written with -o report.html, and numbers are printed with --json")
    if args.output is not None:
        check_writable(args.output)
    options: dict[str, Any] = {"config": args.config, "shapes": dict(args.shape), "values": dict(args.value)}
    options |= {"target": args.target} | target_options(args)
    options = {name: value for name, value in options.items() if value}
    with make_compiled(args.model, **options) as path:
        inputs = None
        if args.input is not None:
            from acc.cli.run import read_inputs
            from acc.container import read_model

            inputs = read_inputs(args.input, read_model(path).inputs)
        report = make_report(path, inputs, name=os.path.basename(args.model))
    if args.output is not None:
        with replacing(args.output) as file:
            file.write(report.to_html().encode())
    if args.json:
        print(json.dumps(report.to_dict()))
    sys.stdout.flush()
    return 0
