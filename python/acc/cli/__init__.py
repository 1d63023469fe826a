"""The command line: `acc <command> ...`.

Each command is a module of this package, or of the package `cli` of a target, with `register(subparsers)`, which
declares its options and sets `run`, and `run(args)`, which does the work and returns an exit code or None. Whatever a
user can cause ends in one line on standard error and exit code 2; so does what nobody foresaw, as a fault of acc. A
warning is such a line too.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import pkgutil
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

from acc import targets
from acc.errors import AccError, ConfigWarning, Fault, ModelWarning, TuningWarning
from acc.interruptible import insistent, leave


class _Parser(argparse.ArgumentParser):
    """Reports mistakes on the command line as all others are reported."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"acc: error: {message} (see {self.prog} --help)\n")


class _Version(argparse.Action):
    """Prints the versions of everything that makes a difference."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from acc.machine import versions

        for name, version in versions().items():
            print(f"{name} {version}" if name == "acc" else f"  {name:14} {version}")
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    """The command line with all of its commands."""
    parser = _Parser(prog="acc", description="Compile ONNX models to native code or to an accelerator, and run them.")
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="print the versions of acc and of what it works with"
    )
    subparsers = parser.add_subparsers(dest="command", metavar="command", required=True)
    for package in (sys.modules[__name__], *targets.command_packages()):
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}").register(subparsers)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns the exit code (0 success, 2 an error, 130 interrupted by Ctrl-C)."""
    try:
        with insistent(), warnings.catch_warnings():
            for category in (ConfigWarning, ModelWarning, TuningWarning):
                warnings.simplefilter("always", category)
            warnings.showwarning = _warning_printer(warnings.showwarning)
            args = make_parser().parse_args(argv)
            _check_outputs(args)
            code = int(args.run(args) or 0)
            sys.stdout.flush()
            return code
    except AccError as error:
        message = str(error)
        if isinstance(error, Fault):
            _trace()
    except BrokenPipeError:
        _settle()
        return 0
    except OSError as error:
        _settle()
        message = ": ".join(filter(None, (str(error.filename or ""), error.strerror or str(error))))
    except MemoryError:
        message = "out of memory"
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            print("acc: interrupted", file=sys.stderr)
        # As a command, it is at its end.
        leave(130, at_once=argv is None)
        return 130
    except Exception as error:
        _trace()
        message = (
            f"{type(error).__name__}: {error}: this is a fault of acc, please report it (ACC_TRACEBACK=1 says more)"
        )
    print(f"acc: error: {message}", file=sys.stderr)
    return 2


OUTPUTS = ("output", "to", "report")
"""The options that name files to write, by their names in the parsed arguments."""


def _check_outputs(args: argparse.Namespace) -> None:
    """Refuses to replace a file that the same command reads: the model, say, or the samples."""
    others = {name: value for name, value in vars(args).items() if name not in OUTPUTS}
    read = [text for value in others.values() for text in (value if isinstance(value, list) else [value])]
    for name in OUTPUTS:
        output = getattr(args, name, None)
        for path in filter(None, read):
            if isinstance(output, str) and isinstance(path, str) and _is_same_file(output, path):
                raise AccError(f"the result would replace '{path}', which this command reads: choose another file")


def _is_same_file(one: str, other: str) -> bool:
    """Whether two paths lead to the same regular file; /dev/stdin and /dev/stdout may well be the same terminal."""
    try:
        return os.path.isfile(one) and os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def _trace() -> None:
    """Prints where the exception at hand came from, for those who want to mend it."""
    if os.environ.get("ACC_TRACEBACK"):
        traceback.print_exc()


def _warning_printer(other: Callable[..., None]) -> Callable[..., None]:
    """Prints what concerns the user's files as one line; `other` prints what concerns Python code."""

    def show(message: Warning | str, category: type[Warning], *rest: Any) -> None:
        if issubclass(category, ConfigWarning | ModelWarning | TuningWarning):
            print(f"acc: warning: {message}", file=sys.stderr)
        else:
            other(message, category, *rest)

    return show


def _settle() -> None:
    """Drops what standard output cannot take, which Python would try to write again when it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
