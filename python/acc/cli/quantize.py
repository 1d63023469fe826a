"""`acc quantize`: a float ONNX model and samples to a quantized ONNX model."""

from __future__ import annotations

import argparse
import json
import os
import stat
import sys
import time
from typing import Any

from acc.cli.compile import add_option

METHODS = (
    *("fold-batch-norm", "equalize", "smooth", "rescale-outputs", "correct-bias", "tables", "refine-weights"),
    "hardware-friendly",
    "float-sums",
)


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "quantize",
        help="quantize a float ONNX model",
        description="Makes a quantized model of a float ONNX model: standard ONNX with QuantizeLinear and "
        "DequantizeLinear, activations of 8 bits and weights of 8 or 4. Samples say which numbers its tensors hold. "
        "Prints what stays in float, and why.",
        epilog="Ctrl-C leaves what is done in OUTPUT.calibration; the same command goes on from there.",
    )
    parser.add_argument("model", metavar="model.onnx", help="the float model")
    parser.add_argument("-o", "--output", required=True, metavar="model_q.onnx", help="where the result goes")
    parser.add_argument(
        "--data",
        required=True,
        metavar="DATA",
        help="samples: an .npz file with an array per input, whose first axis counts them (.npy for one input); a "
        "folder of .npz or .npy files, each a sample; or module:function, a Python function that returns an iterable "
        "of dictionaries with an array per input",
    )
    parser.add_argument("--max-samples", type=int, metavar="N", help="use no more than N samples")
    parser.add_argument("--weights", metavar="int8|int4", help="what weights become (default: int8)")
    parser.add_argument(
        "--block",
        type=int,
        metavar="N",
        help="weights along the inputs that share a scale, of int4 (default: 32; 0: all)",
    )
    parser.add_argument("--per-tensor", action="store_true", help="one scale for all weights of a layer")
    parser.add_argument("--activations", metavar="int8|uint8", help="what activations become (default: int8)")
    parser.add_argument("--symmetric", action="store_true", help="zero point 0 for all activations")
    parser.add_argument(
        "--ranges",
        metavar="METHOD",
        help="how ranges of activations are found: auto (default: least error of the layers' outputs), minmax, "
        "percentile, entropy, mse",
    )
    parser.add_argument("--percentile", type=float, metavar="P", help="for --ranges percentile (default: 99.99)")
    parser.add_argument("--round-weights", metavar="nearest|gptq", help="default: nearest; gptq for int4")
    parser.add_argument(
        "--wide-share",
        type=float,
        metavar="PART",
        help="which part of int4 weights may stay int8, where that helps most (default: 0.125; 0 for accelerators)",
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=METHODS,
        metavar="METHOD",
        help=f"leave out a method: {', '.join(METHODS)}; may be repeated",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="NAME",
        help="a node, or all nodes of an operator, that stays in float; may be repeated",
    )
    parser.add_argument(
        "--float-outputs", action="store_true", help="leave layers in float that nothing but outputs are made of"
    )
    padding = parser.add_mutually_exclusive_group()
    padding.add_argument(
        "--mask",
        metavar="INPUT",
        help="the input that tells padding from what counts (default: one that proves to be such a mask, if there is)",
    )
    padding.add_argument("--no-mask", action="store_const", const="", dest="mask", help="everything counts")
    parser.add_argument(
        "--accuracy",
        metavar="BOUND",
        help="'drop <= 0.3 %%', 'accuracy >= 75 %%' or 'sqnr >= 30 dB': leave layers in float, or their weights in "
        "int8, as far as it takes to keep that, in the fastest way",
    )
    parser.add_argument(
        "--eval",
        metavar="MODULE:FUNCTION",
        help="what accuracy is: a Python function that is given a function from inputs to outputs (dictionaries of "
        "arrays by name) and returns a number",
    )
    parser.add_argument(
        "--sensitivity", action="store_true", help="measure and print the loss that each layer causes alone"
    )
    parser.add_argument(
        "--target",
        default="cpu",
        metavar="NAME",
        help="what scales are chosen for, if it is an accelerator, and cycles are counted for (default: cpu)",
    )
    parser.add_argument("--config", metavar="FILE", help="the hardware configuration of the target")
    add_option(parser)
    parser.add_argument(
        "--report",
        metavar="FILE",
        help="write what became of every layer, and what would help, to this file: .html (a page with plots), .json or "
        ".txt",
    )
    parser.add_argument("--json", action="store_true", help="print layers, tensors and what stays in float as JSON")
    parser.set_defaults(run=run)


class Progress:
    """Shows the stage and the samples on standard error, on a terminal only."""

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()
        self.started = self.printed = time.monotonic()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if self.shown and (now - self.printed > 0.1 or done == total):
            of = f" of {total}" if total is not None else ""
            print(
                f"\r\x1b[K{stage}: sample {done}{of}, {now - self.started:.0f} s", end="", file=sys.stderr, flush=True
            )
            self.printed = now

    def finish(self) -> None:
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def chosen(args: argparse.Namespace) -> dict[str, Any]:
    """The choices that the command line makes, by the names of QuantizeOptions."""
    names = (
        "weights",
        "block",
        "activations",
        "ranges",
        "percentile",
        "round_weights",
        "wide_share",
        "mask",
        "max_samples",
    )
    choices = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    choices |= {name.replace("-", "_"): False for name in args.without}
    if args.per_tensor:
        choices["per_channel"] = False
    if args.symmetric:
        choices["symmetric"] = True
    return choices | {"exclude": tuple(args.exclude), "float_outputs": args.float_outputs}


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.files import check_writable
    from acc.quantization import QuantizeError, quantize
    from acc.quantization.data import load_function
    from acc.quantization.options import make_options
    from acc.quantization.report import check_report, make_report, write_report
    from acc.quantization.state import keeping
    from acc.wording import listing

    check_writable(args.output, QuantizeError)
    if args.report is not None:
        check_report(args.report)
        check_writable(args.report, QuantizeError)
    options = make_options(**chosen(args))
    chosen_targets: Any = "cpu"
    if args.target != "cpu" or args.config is not None or args.option:
        # Without an accelerator, the compiler is not needed in this process.
        from acc.compiler import resolve_targets

        chosen_targets = resolve_targets(args.target.split(","), args.config, **dict(args.option))
    evaluate = load_function(args.eval) if args.eval else None
    started = time.perf_counter()
    progress = Progress()
    # What is no file, such as a pipe, has no place beside it.
    has_place = not os.path.exists(args.output) or stat.S_ISREG(os.stat(args.output).st_mode)
    place = f"{args.output}.calibration" if has_place else None
    try:
        with keeping(place, args.eval or "") as state:
            result = quantize(
                *(args.model, args.data, options),
                **{"state": state, "progress": progress, "accuracy": args.accuracy, "evaluate": evaluate},
                **{"sensitivity": args.sensitivity, "target": chosen_targets},
            )
            result.save(args.output)
            if args.report is not None:
                write_report(make_report(result, args.data), args.report, os.path.basename(args.model))
    finally:
        progress.finish()
    seconds = time.perf_counter() - started
    for note in result.notes:
        print(f"acc: warning: {note}", file=sys.stderr)
    if args.json:
        print(json.dumps({"output": args.output, "seconds": seconds, **result.to_dict()}))
        return 0
    if result.hardware:
        print(f"for the accelerator: {result.hardware}")
    if result.search:
        print(result.search.table())
    wide = [layer.name for layer in result.layers if layer.weight_bits == 8]
    if options.weights == "int4" and wide:
        print(f"weights of 8 bits: {listing(wide, 8)}")
    reasons: dict[str, list[str]] = {}
    for name, reason in result.left_in_float:
        reasons.setdefault(reason, []).append(name)
    if reasons:
        print("in float:")
        for reason, names in reasons.items():
            print(f"  {reason}: {listing(names, 4)}")
    return 0
