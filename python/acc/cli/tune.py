"""`acc tune`: schedules of a model that are found by measuring, for `acc compile --tuning`."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from typing import Any

from acc.cli.compile import add_cpu, add_shape, add_target, add_value, target_options
from acc.errors import CompileError
from acc.hardware import devices

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "tune",
        help="search better schedules for a model",
        description="Searches schedules for the kernels of a model, and choices for all of it, by measuring them: "
        "cycles on the model of an accelerator, or native code's time on this machine. Everything that is measured is "
        "added to a log, which acc compile --tuning obeys.",
        epilog="Ctrl-C keeps everything found so far. Logs are merged by writing one behind the other.",
    )
    parser.add_argument("model", metavar="model.onnx", help="the model")
    parser.add_argument("-o", "--output", required=True, metavar="tuned.jsonl", help="the log; what it has stays")
    add_target(parser)
    add_shape(parser)
    add_value(parser)
    add_cpu(parser)
    budget = parser.add_argument_group("how long to search (default: until nothing is found any more)")
    budget.add_argument("--trials", metavar="N", help="at most so many measurements")
    budget.add_argument("--time", metavar="TIME", help="at most so long: 90s, 5m or 2h")
    budget.add_argument("--resume", action="store_true", help="count what the log has already among --trials")
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--jobs", metavar="N", help="processes that measure at the same time (default: 2)")
    who.add_argument(
        "--ray", metavar="ADDRESS", help="measure on the Ray cluster at this address (`auto`: the one here)"
    )
    parser.add_argument("--seed", metavar="N", default="0", help="of what is drawn at random (default: 0)")
    devices.declare(parser, timeline=False)
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    parser.set_defaults(run=run)


def read_whole(text: str | None, option: str) -> int | None:
    """A count from the command line; raises CompileError."""
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise CompileError(f"{option}: '{text}' is not a whole number")
    return int(text)


def parse_time(text: str, option: str = "--time") -> float:
    """Seconds of 90s, 5m, 2h or a plain number; raises CompileError."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smh]?)", text)
    if match is None:
        raise CompileError(f"{option}: '{text}' is not of the form 90s, 5m or 2h")
    return float(match[1]) * UNITS[match[2]]


class Progress:
    """Shows how far the search is on standard error, on a terminal only."""

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()
        self.printed = 0.0

    def __call__(self, status: object) -> None:
        now = time.monotonic()
        if self.shown and now - self.printed > 0.2:
            print(f"\r\x1b[K{status}", end="", file=sys.stderr, flush=True)
            self.printed = now

    def finish(self) -> None:
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.tuning import Options, tune

    jobs, seed = read_whole(args.jobs, "--jobs"), read_whole(args.seed, "--seed")
    options = Options(
        trials=read_whole(args.trials, "--trials"),
        seconds=parse_time(args.time) if args.time is not None else None,
        jobs=2 if jobs is None else jobs,
        ray=args.ray,
        resume=args.resume,
        seed=seed or 0,
    )
    progress = Progress()
    try:
        result = tune(
            args.model,
            args.target or ["cpu"],
            args.config,
            dict(args.shape),
            dict(args.value),
            output=args.output,
            options=options,
            device=devices.chosen(args) or None,
            cpu=args.cpu,
            cpu_features=args.cpu_features,
            progress=progress,
            **target_options(args),
        )
    except KeyboardInterrupt:
        progress.finish()
        print(f"acc: what was found is in '{args.output}'; the same command goes on from there", file=sys.stderr)
        raise
    finally:
        progress.finish()
    print(json.dumps({"output": args.output, **result.to_dict()}) if args.json else result.table())
    return 0
