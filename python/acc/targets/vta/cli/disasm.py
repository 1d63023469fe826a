"""`acc disasm`: accelerator programs as assembly text, and taken out of a compiled model.

Of a compiled model all programs, or one; of a raw instruction stream the stream with its micro-ops. With `--binary` the
programs of a model are written to a folder with everything that `acc sim --program`, or another VTA, needs to run them.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from acc.errors import AccError, ModelFileError, RunError
from acc.files import read_bytes


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "disasm",
        help="print accelerator programs as text, or take them out of a model",
        description="Prints the accelerator programs of a compiled model, or a raw instruction stream, as text that "
        "acc asm takes. With --binary, writes the programs of a model for acc sim --program or another VTA. "
        "Nothing is executed unless --input is given.",
    )
    parser.add_argument("model", metavar="model.so", nargs="?", help="the compiled model")
    parser.add_argument("--program", type=int, metavar="N", help="only this program")
    parser.add_argument("--json", action="store_true", help="a JSON list of programs with their text or folder")
    binary = parser.add_argument_group("taking programs out")
    binary.add_argument(
        "--binary",
        metavar="DIR",
        help="write a folder kernelN per launch to this one: stream, micro-ops, constants, memory map, text",
    )
    binary.add_argument(
        "--input",
        metavar="FILE",
        help="with --binary, run the model once on these inputs (.npz, or .npy) and write what every launch reads and "
        "writes too",
    )
    raw = parser.add_argument_group("instead of a model")
    raw.add_argument("--insns", metavar="FILE", help="an instruction stream, 16 bytes per instruction")
    raw.add_argument("--uops", metavar="FILE", help="its micro-ops, 4 bytes each")
    raw.add_argument("--config", metavar="FILE", help="its vta_config.json (default: 1x16x16, int8)")
    parser.set_defaults(run=run)


def _raw_program(args: argparse.Namespace) -> Any:
    """The program of --insns, --uops and --config."""
    from acc._lib import _runtime
    from acc.targets.vta.config import load_config

    config = load_config(args.config)
    try:
        program = _runtime.Program.decode(config, read_bytes(args.insns, RunError, "instructions"))
    except RunError as error:
        raise RunError(f"{args.insns}: {error}") from None
    if args.uops is None:
        return program
    try:
        return program.with_uops(read_bytes(args.uops, RunError, "micro-ops"))
    except RunError as error:
        raise RunError(f"{args.uops}: {error}") from None


def _check_options(args: argparse.Namespace) -> None:
    if (args.model is None) == (args.insns is None):
        raise AccError("acc disasm takes a compiled model, or --insns with an instruction stream")
    if args.insns is None:
        for option in ("uops", "config"):
            if getattr(args, option) is not None:
                raise AccError(f"--{option} is for --insns: a model has its own")
    else:
        for option in ("program", "binary"):
            if getattr(args, option) is not None:
                raise AccError(f"--{option} is for a compiled model")
    if args.input is not None and args.binary is None:
        raise AccError("--input is for --binary: it writes what every launch reads and writes")


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.container import read_model
    from acc.targets.vta.programs import decode

    _check_options(args)
    if args.insns is not None:
        program = _raw_program(args)
        print(json.dumps([{"instructions": len(program), "text": str(program)}]) if args.json else str(program), end="")
        if args.json:
            print()
        return 0
    model = read_model(args.model)
    if args.binary is not None:
        return _extract(args, model)
    numbers = range(len(model.programs))
    if args.program is not None:
        if args.program not in numbers:
            raise ModelFileError(f"'{args.model}' has no program {args.program}: it has {len(model.programs)}")
        numbers = [args.program]
    programs = [(number, decode(model, number)) for number in numbers]
    if args.json:
        print(json.dumps([{"program": n, "instructions": len(p), "text": str(p)} for n, p in programs]))
        return 0
    if not programs:
        print("; the model has no accelerator programs")
    for number, program in programs:
        print(f"; program {number}: {len(program)} instructions, {len(program.uops) // 4} micro-ops")
        print(program)
    return 0


def _extract(args: argparse.Namespace, model: Any) -> int:
    from acc.cli.run import read_inputs
    from acc.targets.vta import extraction

    inputs = read_inputs(args.input, model.inputs) if args.input is not None else None
    folders = extraction.extract(args.model, args.binary, inputs, args.program)
    if args.json:
        print(json.dumps([{"folder": str(folder)} for folder in folders]))
    return 0
