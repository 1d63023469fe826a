"""`acc view`: a stage of a compilation in Model Explorer."""

from __future__ import annotations

import argparse
import importlib.util
from typing import TYPE_CHECKING, Any

from acc.errors import CompileError

if TYPE_CHECKING:
    from acc.model_explorer.overlay import Figure


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "view",
        help="show a stage of a compilation in Model Explorer",
        description="Opens IR, such as `acc compile --dump-stages` writes, in Model Explorer in the browser: main, "
        "and kernels and programs behind its launches, grouped by ONNX node. With a compiled model its cycles or times "
        "are laid over it.",
    )
    parser.add_argument("stage", metavar="stage.mlir", help="the IR of a stage")
    parser.add_argument("--model", metavar="model.so", help="a compiled model, run once for the cycles of its layers")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE.json",
        help="write the overlay of --model for `model-explorer`, and show nothing",
    )
    parser.add_argument("--port", type=int, default=8080, metavar="N", help="where Model Explorer listens (8080)")
    parser.add_argument("--no-browser", action="store_true", help="start the server only, and print where it is")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.files import check_writable, replacing
    from acc.model_explorer.graphs import read_views
    from acc.model_explorer.overlay import node_data

    if args.output is not None and args.model is None:
        raise CompileError("the overlay that -o writes is of a compiled model: give --model")
    if args.output is not None:
        check_writable(args.output)
    elif importlib.util.find_spec("model_explorer") is None:
        raise CompileError("showing stages needs Model Explorer: pip install 'acc-compiler[view]'")
    if not 0 < args.port < 1 << 16:
        raise CompileError(f"--port {args.port}: ports are 1 to 65535")
    views = read_views(args.stage)
    overlays = {} if args.model is None else {name: node_data(views, rows, name) for name, rows in _rows(args.model)}
    if args.output is not None:
        with replacing(args.output) as file:
            file.write(next(iter(overlays.values())).encode())
        return 0
    _show(args, overlays)
    return 0


def _rows(model: str) -> list[tuple[str, list[Figure]]]:
    """What kernels take, by what it is: cycles on the accelerator before microseconds natively."""
    from acc.inspect.model_report import make_report
    from acc.model_explorer.overlay import Figure

    rows = make_report(model).rows
    cycles = [Figure(row.layer.name, row.layer.layers, row.cycles) for row in rows if row.cycles is not None]
    times = [Figure(row.layer.name, row.layer.layers, row.seconds * 1e6) for row in rows if row.seconds is not None]
    found = [(name, figures) for name, figures in (("cycles", cycles), ("native us", times)) if figures]
    if not found:
        raise CompileError(f"'{model}': nothing of it could be counted or timed")
    return found


def _show(args: argparse.Namespace, overlays: dict[str, str]) -> None:
    import model_explorer  # pyright: ignore[reportMissingImports]

    from acc.model_explorer.main import ADAPTER

    config = model_explorer.config()
    config.add_model_from_path(args.stage, adapterId=ADAPTER)
    for name, data in overlays.items():
        config.add_node_data(name, data)
    model_explorer.visualize_from_config(
        config, port=args.port, extensions=["acc.model_explorer"], no_open_in_browser=args.no_browser
    )
