"""`acc compare`: two ways of running a model, layer by layer."""

from __future__ import annotations

import argparse
import io
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from acc.cli.compile import add_option, add_shape

if TYPE_CHECKING:
    from acc.comparison import Comparison, Row


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "compare",
        help="compare two ways of running a model, layer by layer",
        description="Runs two sides on the same samples and names the first layer where they part. A side is "
        "FILE@HOW: model.onnx@onnxruntime (operators one by one; onnxruntime:optimized for its integer kernels), "
        "model.onnx@cpu, or model.onnx@TARGET:DEVICE; a compiled model, model.so@DEVICE; or recorded tensors, "
        "tensors.npz. Ends with exit code 0 if they are equal as far as is asked for, and 1 if they are not.",
    )
    parser.add_argument("a", metavar="A", help="the first side, which the second is compared with")
    parser.add_argument("b", metavar="B", help="the second side")
    parser.add_argument(
        "--data",
        metavar="DATA",
        required=True,
        help="samples: .npz with an array per input whose first axis counts them, a folder of them, module:function",
    )
    parser.add_argument(
        "--samples", metavar="N", type=int, default=16, help="use at most so many samples (default: 16)"
    )
    parser.add_argument(
        "--steps",
        metavar="N",
        type=int,
        help="how far integers may be apart (default: 0 where acc computes both sides, else 1)",
    )
    parser.add_argument(
        "--tolerance",
        metavar="X",
        type=float,
        default=1e-3,
        help="how far other numbers may be apart, in parts of the number or of a hundredth of the largest "
        "(default: 1e-3)",
    )
    parser.add_argument(
        "--sqnr",
        metavar="DB",
        type=float,
        default=20.0,
        help="the least signal-to-noise ratio between different models, such as a float and a quantized one, and "
        "behind quantized layers (default: 20)",
    )
    parser.add_argument("--extract", metavar="DIR", help="write the smallest part that diverges to this new folder")
    parser.add_argument("--record", metavar="FILE", help="write the tensors of the first side to this .npz file")
    parser.add_argument("--config", metavar="FILE", help="the hardware configuration of targets (default: their own)")
    add_option(parser)
    add_shape(parser, "that of the samples")
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.comparison import CompareError, Criteria, compare, extract, parse_side
    from acc.files import check_new_folder, replacing

    if args.samples < 1:
        raise CompareError(f"--samples: {args.samples} is no number of samples")
    for name in ("tolerance", "sqnr", "steps"):
        value = getattr(args, name)
        if value is not None and (math.isnan(value) or (name != "sqnr" and value < 0)):
            raise CompareError(f"--{name}: {value} is not a number from 0 on")
    if args.extract is not None:
        check_new_folder(args.extract, CompareError)
    options = {"config": args.config, "shapes": dict(args.shape), **dict(args.option)}
    a, b = parse_side(args.a, **options), parse_side(args.b, **options)
    record: dict[str, list[np.ndarray]] | None = {} if args.record else None
    result = compare(
        a, b, args.data, Criteria(args.steps, args.tolerance, args.sqnr), limit=args.samples, record=record
    )
    if record is not None:
        buffer = io.BytesIO()
        np.savez(buffer, **{name: np.stack(arrays) for name, arrays in record.items()})  # type: ignore[arg-type]
        with replacing(args.record, CompareError) as file:
            file.write(buffer.getbuffer())
    extracted = None if result.is_equal else args.extract
    if extracted is not None:
        extract(result, extracted)
    if args.json:
        print(json.dumps({**result.to_dict(), "extracted": extracted}))
    else:
        _print(result)
        if extracted is not None:
            print(f"The smallest part that diverges is in {extracted}.")
        elif args.extract is not None:
            print("Nothing diverges, so that nothing was written.")
    return 0 if result.is_equal else 1


def _print(result: Comparison) -> None:
    from acc.report import format_table

    print(f"a: {result.sides[0].text}\nb: {result.sides[1].text}")
    print(f"{result.samples} sample{'s' * (result.samples != 1)}; equal means: {result.criterion}\n")
    by_ratio = any(row.own is not None for row in result.rows)
    header = ["layer", "elements", "equal %", "largest", "SQNR dB", "cosine", *(["own dB"] if by_ratio else []), ""]

    def cells(row: Row) -> list[str]:
        largest = f"{row.largest:.0f}" if row.is_integer else f"{row.largest:.3g}"
        ratio = "" if row.sqnr is None else f"{row.sqnr:.1f}"
        own = ["" if row.own is None else f"{row.own:.1f}"] if by_ratio else []
        mark = "diverges" if row.diverges else ""
        return [
            row.name,
            f"{row.elements:,}",
            f"{100 * row.equal:.2f}",
            largest,
            ratio,
            f"{row.cosine:.5f}",
            *own,
            mark,
        ]

    if result.rows:
        print(format_table(list(map(cells, result.rows)), header))
        print()
    print(format_table([cells(row) for row in result.outputs], ["output", *header[1:]]))
    print()
    first = result.first
    if first is None:
        print("Nothing diverges.")
    elif result.together:
        print(f"Every layer alone is equal, but the whole model is not: output {first.name} diverges.")
    else:
        print(f"The first layer that diverges is {first.name}: {_distance(first)}.")
    noisy = [row for row in result.rows if row.own is not None]
    if noisy:
        worst = min(noisy, key=lambda row: row.own or 0.0)
        print(f"Most noise comes from {worst.name}: if what it reads were exact, it would have {worst.own:.1f} dB.")


def _distance(row: Row) -> str:
    if row.is_integer:
        steps = f"{row.largest:.0f} step{'s' * (row.largest != 1)}"
        return f"{100 * (1 - row.equal):.3g} % of its numbers differ, by up to {steps}, in sample {row.worst}"
    ratio = "" if row.sqnr is None else f", a signal-to-noise ratio of {row.sqnr:.1f} dB"
    return f"numbers differ by up to {row.largest:.3g}{ratio}, in sample {row.worst}"
