"""`acc reduce`: the smallest part of an ONNX model at which a command still fails."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "reduce",
        help="make a model that fails at something smaller",
        description="Leaves out nodes, outputs and numbers of an ONNX model as long as a command goes on failing at it "
        "with the same exit code, and writes what is left.",
    )
    parser.add_argument("model", metavar="model.onnx", help="the model, at which the command fails")
    parser.add_argument("-o", "--output", required=True, metavar="small.onnx", help="where the result goes")
    parser.add_argument(
        "--check",
        required=True,
        metavar="CMD",
        help="a command of the shell, such as 'acc bisect {} --target NAME': {} stands for the model's file, which "
        "comes last otherwise",
    )
    parser.add_argument("--match", default="", metavar="TEXT", help="what the command must print too")
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="how long it may take (default: 60)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    import onnx

    from acc.errors import AccError, ModelError
    from acc.files import check_writable, replacing
    from acc.frontend.source import load_model
    from acc.inspect.reduction import Runner, reduce

    if not 0 < args.timeout < float("inf"):
        raise AccError(f"--timeout: {args.timeout} is not a number of seconds")
    check_writable(args.output)
    load_model(args.model)  # Says what is wrong with the file.
    try:
        model = onnx.load(args.model)
    except Exception as error:
        raise ModelError(f"{args.model}: cannot be read: {str(error).splitlines()[0]}") from error
    runner = Runner(args.check, args.match, args.timeout)
    failure = runner.begin(model)
    shown = sys.stderr.isatty()

    def progress(nodes: int, checks: int) -> None:
        if shown:
            print(f"\r\x1b[K{nodes} nodes, {checks} checks", end="", file=sys.stderr, flush=True)

    try:
        reduced = reduce(model, runner.fails_alike, progress)
    finally:
        if shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    with replacing(args.output) as file:
        file.write(reduced.model.SerializeToString())
    left, all_nodes = len(reduced.model.graph.node), len(model.graph.node)
    print(f"{left} of {all_nodes} nodes are left, at which the command {failure}; {reduced.checks} checks")
    return 0
