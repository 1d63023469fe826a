"""The compiler's own programs, as commands of an installed package."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

__all__ = ["lsp_server", "opt", "translate"]


def _become(name: str) -> NoReturn:
    path = Path(__file__).parent / "_lib" / name
    try:
        os.execv(path, [name, *sys.argv[1:]])
    except OSError as error:
        print(f"acc: error: cannot run '{path}': {error.strerror}; install acc-compiler again", file=sys.stderr)
        sys.exit(2)


def opt() -> NoReturn:
    """Runs passes on IR: upstream's mlir-opt, with acc's dialects and passes."""
    _become("acc-opt")


def translate() -> NoReturn:
    """Turns accelerator programs in IR into instruction streams: upstream's mlir-translate, with acc's."""
    _become("acc-translate")


def lsp_server() -> NoReturn:
    """Tells editors about IR: upstream's mlir-lsp-server, with acc's dialects."""
    _become("acc-lsp-server")
