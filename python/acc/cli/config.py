"""`acc config`: what programs in C and C++ that run models are built with."""

from __future__ import annotations

import argparse
import json
from typing import Any

OPTIONS = {
    "cflags": "what the compiler takes",
    "libs": "what the linker takes",
    "include": "the folder of acc/runtime.h",
    "library": "the folder of libacc_runtime.so",
    "cmake": "the folder of the CMake package: cmake -Dacc_DIR=$(acc config --cmake)",
    "pkg_config": "the folder for PKG_CONFIG_PATH",
}
"""What is printed, by the name of the property of acc.installation.Installation."""


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "config",
        help="print what programs in C and C++ that run models are built with",
        description="Prints what programs in C and C++ that run models are built with: "
        "cc run_model.c $(acc config --cflags --libs). Without options, everything.",
    )
    for name, text in OPTIONS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", dest="wanted", action="append_const", const=name, help=text)
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError if the runtime is not installed."""
    from acc.installation import installation

    found = installation()
    values = {name: str(getattr(found, name)) for name in OPTIONS}
    if args.json:
        print(json.dumps(values, indent=2))
    elif args.wanted:
        print(" ".join(values[name] for name in args.wanted))
    else:
        width = max(map(len, values)) + 2
        for name, value in values.items():
            print(f"{name:{width}}{value}")
    return 0
