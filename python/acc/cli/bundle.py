"""`acc bundle`: a folder with a model, the hardware for it, and everything that was made of both."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from acc.cli.compile import add_cpu, add_shape, add_target, add_value, target_options
from acc.errors import AccError


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "bundle",
        help="put a model and its hardware into one folder, or check such a folder",
        description="Writes a folder with models, the compiled model, the accelerator's configuration, RTL, "
        "constraints and netlist, the tuning log, a C example, a report, and a manifest with the digests of all files. "
        "Or, with --verify, checks one.",
    )
    parser.add_argument(
        "point", metavar="front/point-N", nargs="?", help="a point that acc explore found; or give --config"
    )
    parser.add_argument("-o", "--output", metavar="deliverable/", help="the folder to write")
    parser.add_argument("--model", metavar="model_q.onnx", help="the quantized model")
    parser.add_argument("--float", metavar="model.onnx", help="the float model that it was quantized from")
    parser.add_argument(
        "--data", metavar="DATA", help="samples as for acc quantize: the first 16 go along, with results"
    )
    parser.add_argument("--eval", metavar="MODULE:FUNCTION", help="a number that the compiled model must give again")
    add_shape(parser)
    add_value(parser)
    add_cpu(parser)
    design = parser.add_argument_group("a design without a point")
    add_target(design)
    design.add_argument(
        "--circuit",
        action="append",
        default=[],
        type=parse_number,
        metavar="NAME=N",
        help="an option of the circuit, such as mem_data_width=128; may be repeated",
    )
    design.add_argument("--device", metavar="NAME", help="the FPGA (default: ecp5-85k)")
    design.add_argument(
        "--target-mhz", metavar="F", type=float, help="the clock that constraints ask for (default: 100)"
    )
    design.add_argument(
        "--tuning", action="append", default=[], metavar="FILE", help="a log of acc tune to obey; may be repeated"
    )
    design.add_argument(
        "--timing-device", metavar="NAME[:OPTION=VALUE,...]", help="what counts cycles (default: that of the circuit)"
    )
    tools = parser.add_argument_group("what tools make")
    tools.add_argument("--no-netlist", action="store_true", help="do not synthesize the circuit")
    tools.add_argument(
        "--bitstream", action="store_true", help="place and route it, too, and pack a bitstream: minutes"
    )
    check = parser.add_argument_group("checking a bundle")
    check.add_argument("--verify", metavar="deliverable/", help="check this folder against its manifest")
    check.add_argument(
        "--run", dest="check_run", action="store_true", help="with --verify: run model.so, too: cycles and results"
    )
    parser.add_argument("--json", action="store_true", help="print the manifest as JSON")
    parser.set_defaults(run=run)


def parse_number(text: str) -> tuple[str, int]:
    """Parses NAME=N; raises argparse's error for anything else."""
    name, separator, number = text.partition("=")
    try:
        value = int(number)
    except ValueError:
        value, separator = 0, ""
    if not separator or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form NAME=N such as mem_data_width=128")
    return name, value


class Progress:
    """Names the step on standard error, on a terminal only."""

    def __init__(self) -> None:
        self.shown, self.start = sys.stderr.isatty(), time.monotonic()

    def __call__(self, step: str, detail: str) -> None:
        if self.shown:
            text = f"{time.monotonic() - self.start:.0f} s: {step}{', ' if detail else ''}{detail}"
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def finish(self) -> None:
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.bundling import bundle, verify

    if args.verify is not None:
        if args.output is not None or args.model is not None or args.point is not None:
            raise AccError("--verify checks a bundle and writes nothing: leave out -o, --model and the point")
        found = verify(args.verify, run=args.check_run)
        print(json.dumps(found.manifest) if args.json else f"{len(found.files)} files are as the manifest says")
        return 0
    if args.check_run:
        raise AccError("--run is for --verify")
    if args.output is None or args.model is None:
        raise AccError("a bundle is made of --model model_q.onnx and written to -o deliverable/")
    if args.point is None and args.config is None:
        raise AccError("which hardware: name a point of a front, or a configuration with --config")
    if args.no_netlist and args.bitstream:
        raise AccError("a bitstream is made of a netlist: --bitstream and --no-netlist exclude each other")
    if args.target is not None and len(args.target) != 1:
        raise AccError("a bundle is for one accelerator: --target names one")
    progress = Progress()
    try:
        made = bundle(
            args.model,
            args.output,
            point=args.point,
            config=args.config,
            circuit=dict(args.circuit) or None,
            device=args.device,
            target_mhz=args.target_mhz,
            float_model=args.float,
            tuning=args.tuning,
            timing_device=args.timing_device,
            target=args.target[0] if args.target else None,
            shapes=dict(args.shape),
            values=dict(args.value),
            cpu=args.cpu,
            cpu_features=args.cpu_features,
            data=args.data,
            evaluation=args.eval,
            netlist=not args.no_netlist,
            bitstream=args.bitstream,
            progress=progress,
            **target_options(args),
        )
    finally:
        progress.finish()
    print(json.dumps(made.manifest) if args.json else made.table())
    return 0
