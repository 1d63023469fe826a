"""The command line: `acc <command> ...`.

Each command is a module of this package with `register(subparsers)`, which declares its options and
sets `run`, and `run(args)`, which does the work and returns an exit code or None. Whatever a user can
cause ends in one line on standard error and exit code 2.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys

from acc import __version__
from acc.errors import AccError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="acc", description="Compile ONNX models to native code or to a VTA accelerator, and run them."
    )
    parser.add_argument("--version", action="version", version=f"acc {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="command", required=True)
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"acc.cli.{module.name}").register(subparsers)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns the exit code (0 success, 2 user error)."""
    args = _parser().parse_args(argv)
    try:
        return int(args.run(args) or 0)
    except AccError as error:
        print(f"acc: error: {error}", file=sys.stderr)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"acc: error: {error.filename or ''}: {error.strerror or error}".replace(" :", ""), file=sys.stderr)
    except MemoryError:
        print("acc: error: out of memory", file=sys.stderr)
    except KeyboardInterrupt:
        print("acc: interrupted", file=sys.stderr)
        return 130
    return 2
