"""`acc explore`: hardware for a model, the best for several objectives."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from acc.cli.compile import add_shape, add_value
from acc.cli.tune import Progress, parse_time, read_whole


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "explore",
        help="search hardware for a model",
        description="Searches configurations and circuits of an accelerator for a model: cycles are counted on the "
        "cycle model, area and frequency predicted from circuits that were routed, energy taken from a table. Writes "
        "the designs that none beats in all objectives, each as a folder, with a page and JSON.",
        epilog="Ctrl-C keeps everything found so far: --resume goes on from there. Needs pip install "
        "'acc-compiler[explore]'.",
    )
    parser.add_argument("model", metavar="model.onnx", help="the model")
    parser.add_argument("-o", "--output", required=True, metavar="front/", help="the folder to write")
    parser.add_argument("--space", metavar="space.toml", help="values that knobs may have (default: the usual ones)")
    parser.add_argument(
        "--device",
        default="ecp5-85k",
        metavar="NAME",
        help="what the hardware is for: ecp5-85k (default), ecp5-45k, ecp5-25k",
    )
    parser.add_argument("--target", metavar="NAME", help="whose hardware (default: the first target that has any)")
    parser.add_argument(
        "--objective",
        default="latency,area,energy",
        metavar="A,B,...",
        help="what is to be small: latency, area, energy (default: all three)",
    )
    add_shape(parser)
    add_value(parser)
    budget = parser.add_argument_group("how long to search")
    budget.add_argument("--trials", metavar="N", help="count so many designs (default: 100, without --budget)")
    budget.add_argument("--budget", metavar="TIME", help="search so long: 90s, 5m or 8h")
    budget.add_argument("--resume", action="store_true", help="go on from what is in the folder")
    budget.add_argument("--jobs", metavar="N", default="2", help="processes that count at the same time (default: 2)")
    budget.add_argument("--seed", metavar="N", default="0", help="of what is drawn at random (default: 0)")
    final = parser.add_argument_group("what becomes of the front")
    final.add_argument("--points", metavar="N", default="12", help="keep so many points at most (default: 12)")
    final.add_argument(
        "--tune", metavar="N", default="0", help="tune each point with so many measurements (default: 0)"
    )
    final.add_argument("--route", metavar="N", default="0", help="place and route so many of them (default: 0)")
    models = parser.add_argument_group("models")
    models.add_argument("--energy", metavar="table.toml", help="energies of operations and bytes, instead of acc's own")
    models.add_argument(
        "--data", metavar="FILE", action="append", default=[], help="more circuits with area and frequency, JSON lines"
    )
    parser.add_argument("--json", action="store_true", help="print what front.json has")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.exploration import Options, explore

    def whole(name: str) -> int:
        return read_whole(getattr(args, name), f"--{name}") or 0

    trials = read_whole(args.trials, "--trials")
    options = Options(
        objectives=tuple(name.strip() for name in args.objective.split(",")),
        trials=100 if trials is None and args.budget is None else trials,
        seconds=parse_time(args.budget, "--budget") if args.budget is not None else None,
        jobs=whole("jobs"),
        seed=whole("seed"),
        resume=args.resume,
        points=whole("points"),
        route=whole("route"),
        tune=whole("tune"),
    )
    progress = Progress()
    try:
        front = explore(
            args.model,
            args.space,
            output=args.output,
            device=args.device,
            options=options,
            energy=args.energy,
            data=args.data,
            target=args.target,
            shapes=dict(args.shape),
            values=dict(args.value),
            progress=progress,
        )
    except KeyboardInterrupt:
        progress.finish()
        print(f"acc: what was counted is in '{args.output}'; --resume goes on from there", file=sys.stderr)
        raise
    finally:
        progress.finish()
    print(json.dumps(front.to_dict()) if args.json else front.table())
    return 0
