"""`acc completion`: the script with which a shell completes commands and options."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from acc.errors import AccError

SHELLS = ("bash", "zsh", "tcsh")


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "completion",
        help="print a script that completes commands in a shell",
        description="Prints the script with which a shell completes commands, options and files. Of bash: "
        'eval "$(acc completion bash)" in ~/.bashrc. Of zsh: acc completion zsh > _acc in a folder of $fpath.',
    )
    parser.add_argument("shell", choices=SHELLS, help="which shell")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError without the package shtab."""
    try:
        # Optional, so that type checkers need not find it.
        shtab = importlib.import_module("shtab")
    except ModuleNotFoundError:
        raise AccError("completion needs the package shtab: pip install 'acc-compiler[completion]'") from None
    from acc.cli import make_parser

    print(shtab.complete(with_files(make_parser(), shtab.FILE), shell=args.shell))
    return 0


def with_files(parser: argparse.ArgumentParser, files: Any) -> argparse.ArgumentParser:
    """The parser, where arguments that are files are completed as such; by what their help calls them."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                with_files(command, files)
        elif action.nargs != 0 and action.choices is None and _is_file(action.metavar):
            vars(action)["complete"] = files
    return parser


def _is_file(name: Any) -> bool:
    text = str(name)
    return "." in text or text in ("FILE", "DIR", "MODEL", "DATA", "A", "B") or text.endswith("=FILE")
