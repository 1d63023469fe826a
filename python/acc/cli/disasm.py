"""`acc disasm`: the accelerator programs of a compiled model as assembly text."""

from __future__ import annotations

import argparse
import json
from typing import Any

from acc.errors import ModelFileError


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "disasm",
        help="print the accelerator programs of a compiled model",
        description="Prints the accelerator programs of a compiled model as assembly text. Nothing is executed.",
    )
    parser.add_argument("model", metavar="model.so", help="the compiled model")
    parser.add_argument("--program", type=int, metavar="N", help="only this program")
    parser.add_argument("--json", action="store_true", help="a JSON list of programs with their text")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc._lib import _runtime
    from acc.container import read_model

    model = read_model(args.model)
    numbers = range(len(model.programs))
    if args.program is not None:
        if args.program not in numbers:
            raise ModelFileError(f"'{args.model}' has no program {args.program}: it has {len(model.programs)}")
        numbers = [args.program]
    programs = [(number, _runtime.read_program(model.programs[number])) for number in numbers]
    if args.json:
        print(json.dumps([{"program": n, "instructions": len(p), "text": str(p)} for n, p in programs]))
        return 0
    if not programs:
        print("; the model has no accelerator programs")
    for number, program in programs:
        print(f"; program {number}: {len(program)} instructions, {len(program.uops) // 4} micro-ops")
        print(program)
    return 0
