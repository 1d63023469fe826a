"""`acc asm`: assembly text to an instruction stream and micro-ops, the inverse of `acc disasm`."""

from __future__ import annotations

import argparse
import contextlib
import json
from typing import Any

from acc.errors import AccError, RunError
from acc.files import read_bytes, replacing


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "asm",
        help="assemble an accelerator program",
        description="Makes an instruction stream, and a table of micro-ops, of assembly text as acc disasm prints it. "
        "If the text says where its buffers lie, or --address does, addresses are filled in; otherwise those of "
        "buffers are offsets.",
    )
    parser.add_argument("text", metavar="program.s", help="the assembly text of one program")
    parser.add_argument("-o", "--output", required=True, metavar="insns.bin", help="where the instruction stream goes")
    parser.add_argument("--uops", metavar="uops.bin", help="where the micro-ops go")
    parser.add_argument(
        "--config", metavar="FILE", help="vta_config.json, if the text has none (default: 1x16x16, int8)"
    )
    parser.add_argument("--address", metavar="ADDR,...", help="DRAM byte address of every buffer, in order")
    parser.add_argument("--verify", action="store_true", help="refuse a program that is not well formed")
    parser.add_argument("--json", action="store_true", help="print the numbers of instructions and micro-ops as JSON")
    parser.set_defaults(run=run)


def _read(path: str) -> str:
    try:
        return read_bytes(path, RunError).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RunError(f"'{path}' is not assembly text: byte {error.start} is not UTF-8") from None


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc._lib import _runtime
    from acc.hardware.devices import number
    from acc.targets.vta.config import load_config

    text = _read(args.text)
    config = load_config(args.config)
    try:
        program = _runtime.Program.parse(text, config)
        if args.address is not None:
            program = program.at([number(part, "--address") for part in args.address.split(",")])
        if args.verify and (complaints := program.verify()):
            raise RunError("\n  ".join(["it is not well formed:", *(message for _, _, message in complaints)]))
        stream = program.link() if program.addresses else program.encode()
    except RunError as error:
        raise RunError(f"{args.text}: {error}") from None
    if program.uops and args.uops is None:
        raise AccError(f"{args.text}: it has micro-ops: --uops says where they go")
    with contextlib.ExitStack() as stack:
        outputs = [(args.output, stream), *([(args.uops, program.uops)] if args.uops is not None else [])]
        for path, data in outputs:
            file = stack.enter_context(replacing(path, RunError))
            file.write(data)
            file.flush()
    if args.json:
        print(json.dumps({"instructions": len(program), "uops": len(program.uops) // 4}))
    return 0
