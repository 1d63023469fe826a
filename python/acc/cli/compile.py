"""`acc compile`: from an ONNX model to a file that the runtime loads."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from acc.errors import CompileError


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "compile",
        help="compile an ONNX model",
        description="Compiles an ONNX model to a shared object with its weights and a description, which acc run, "
        "acc.load and libacc_runtime load. It is written whole or not at all.",
    )
    parser.add_argument("model", metavar="model.onnx", help="the ONNX model")
    parser.add_argument("-o", "--output", metavar="model.so", required=True, help="the file to write")
    parser.add_argument("--target", default="cpu", choices=["cpu"], help="what the model runs on (default: cpu)")
    parser.add_argument(
        "--shape",
        metavar="NAME=1x3x224x224",
        action="append",
        default=[],
        help="the shape of an input that the model leaves open; may be repeated",
    )
    parser.add_argument(
        "--cpu", metavar="NAME", default="native", help="processor to compile for, as LLVM names it (default: native)"
    )
    parser.add_argument(
        "--cpu-features", metavar="+F,-G", default="", help="features to add to or take from the processor"
    )
    parser.add_argument("--dump-stages", metavar="DIR", help="write the IR after every pass to this folder")
    parser.add_argument("--json", action="store_true", help="print what was compiled as JSON")
    parser.set_defaults(run=run)


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, equals, sizes = text.rpartition("=")
    try:
        shape = tuple(int(size) for size in sizes.split("x")) if sizes else ()
    except ValueError:
        equals = ""
        shape = ()
    if not equals or any(size < 1 for size in shape):
        raise CompileError(f"--shape takes NAME=1x3x224x224, not '{text}'")
    return name, shape


class _Bar:
    """One line on a terminal that shows what is going on; nothing elsewhere."""

    WIDTH = 30

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def __call__(self, what: str, fraction: float) -> None:
        if self._shown:
            done = int(fraction * self.WIDTH)
            print(f"\r[{'#' * done}{' ' * (self.WIDTH - done)}] {what:<20}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._shown:
            print(f"\r{'':<{self.WIDTH + 24}}\r", end="", file=sys.stderr, flush=True)


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.backend_cpu import CpuOptions
    from acc.compiler import Options, compile_contents
    from acc.container import write_model

    shapes = dict(map(_shape, args.shape))
    start = time.perf_counter()
    bar = _Bar()
    try:
        options = Options(CpuOptions(args.cpu, args.cpu_features), args.dump_stages, bar)
        contents = compile_contents(args.model, args.target, shapes, options)
        write_model(args.output, contents)
    finally:
        bar.clear()
    if args.json:
        summary = {
            "output": args.output,
            "target": args.target,
            "seconds": round(time.perf_counter() - start, 3),
            "code_bytes": len(contents.image),
            "workspace_bytes": contents.workspace_bytes,
            "kernels": len(contents.metadata["layers"]),
        }
        print(json.dumps(summary))
    return 0
