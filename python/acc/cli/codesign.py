"""`acc codesign`: quantize, explore, tune and bundle in one go."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from acc.cli.bundle import Progress
from acc.cli.tune import parse_time, read_whole


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "codesign",
        help="a quantized model and hardware for it, of a float model and samples",
        description="Quantizes a float model, explores hardware for it, tunes its schedules, writes everything into "
        "one folder: model_q.onnx with a report, front/, and bundle/ with the best point by the product of the "
        "objectives. It is acc quantize, explore and bundle, one after the other; those have more options.",
        epilog="Ctrl-C keeps what is done: --resume goes on from there. Needs pip install 'acc-compiler[explore]'.",
    )
    parser.add_argument("model", metavar="model.onnx", help="the float model")
    parser.add_argument("-o", "--output", required=True, metavar="design/", help="the folder to write")
    parser.add_argument("--data", required=True, metavar="DATA", help="samples, as for acc quantize")
    parser.add_argument("--device", default="ecp5-85k", metavar="NAME", help="what the hardware is for")
    parser.add_argument("--space", metavar="space.toml", help="values that knobs may have, as for acc explore")
    parser.add_argument("--objective", default="latency,area,energy", metavar="A,B,...", help="what is to be small")
    parser.add_argument("--weights", default="int8", metavar="int8|int4", help="what weights become (default: int8)")
    parser.add_argument("--accuracy", metavar="BOUND", help="a bound to keep, as for acc quantize")
    parser.add_argument("--eval", metavar="MODULE:FUNCTION", help="what accuracy is, as for acc quantize")
    parser.add_argument("--budget", metavar="TIME", help="for all but the bundle: 90s, 5m or 8h")
    parser.add_argument("--trials", metavar="N", help="count so many designs (default: 100, without --budget)")
    parser.add_argument("--jobs", metavar="N", default="2", help="processes that count at the same time (default: 2)")
    parser.add_argument("--seed", metavar="N", default="0", help="of what is drawn at random (default: 0)")
    parser.add_argument("--tune", metavar="N", default="60", help="measurements to tune each point with (default: 60)")
    parser.add_argument("--route", metavar="N", default="0", help="place and route so many points (default: 0)")
    parser.add_argument("--resume", action="store_true", help="go on from what is in the folder")
    parser.add_argument("--no-netlist", action="store_true", help="do not synthesize the circuit of the bundle")
    parser.add_argument("--bitstream", action="store_true", help="place and route it, too, and pack a bitstream")
    parser.add_argument("--json", action="store_true", help="print the front and the manifest as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.codesigning import CodesignError, codesign
    from acc.exploration import Options

    if args.no_netlist and args.bitstream:
        raise CodesignError("a bitstream is made of a netlist: --bitstream and --no-netlist exclude each other")
    trials = read_whole(args.trials, "--trials")
    options = Options(
        objectives=tuple(name.strip() for name in args.objective.split(",")),
        trials=100 if trials is None and args.budget is None else trials,
        seconds=parse_time(args.budget, "--budget") if args.budget is not None else None,
        jobs=read_whole(args.jobs, "--jobs") or 0,
        seed=read_whole(args.seed, "--seed") or 0,
        tune=read_whole(args.tune, "--tune") or 0,
        route=read_whole(args.route, "--route") or 0,
        resume=args.resume,
    )
    progress = Progress()
    try:
        design = codesign(
            args.model,
            args.data,
            output=args.output,
            device=args.device,
            space=args.space,
            seconds=options.seconds,
            options=options,
            weights=args.weights,
            accuracy=args.accuracy,
            evaluation=args.eval,
            netlist=not args.no_netlist,
            bitstream=args.bitstream,
            progress=lambda text: progress(text, ""),
        )
    except KeyboardInterrupt:
        progress.finish()
        print(f"acc: what is done is in '{args.output}'; --resume goes on from there", file=sys.stderr)
        raise
    finally:
        progress.finish()
    if args.json:
        print(
            json.dumps({"front": design.front.to_dict(), "point": design.point.name, "bundle": design.bundle.manifest})
        )
    else:
        print(design.table())
    return 0
