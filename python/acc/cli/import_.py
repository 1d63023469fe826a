"""`acc import`: an ONNX model as readable IR."""

from __future__ import annotations

import argparse
from typing import Any

from acc.cli.compile import add_shape, add_target, add_value, target_options


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "import",
        help="turn an ONNX model into readable IR",
        description="Prints an ONNX model in the graph dialect, without the numbers of large constants; or writes it "
        "to a file with all of them, from which `acc compile --from` goes on.",
    )
    parser.add_argument("model", metavar="model.onnx", help="the model")
    parser.add_argument("-o", "--output", metavar="graph.mlir", help="where the result goes, whole")
    parser.add_argument(
        "--simplify", action="store_true", help="simplify it, and turn quantization into arithmetic of integers"
    )
    add_target(parser)
    add_shape(parser)
    add_value(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.compiler import make_pipeline, resolve_targets
    from acc.files import check_writable
    from acc.pipeline import Options
    from acc.stages import Start, format_module, write_after

    if args.output is not None:
        check_writable(args.output)
    chosen = resolve_targets(args.target or ["cpu"], args.config, **target_options(args))
    pipeline = make_pipeline(chosen, Options())
    module = pipeline.import_module(args.model, dict(args.shape), dict(args.value))
    if args.output is not None:
        write_after(pipeline, Start(module), "graph" if args.simplify else "import", args.output)
        return 0
    if args.simplify:
        pipeline.simplify(module)
    print(format_module(module, elide=True), end="")
    return 0
