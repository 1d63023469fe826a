"""python -m acc.mlir SCRIPT [ARGUMENT ...]: runs a script in which `import mlir` means acc.mlir."""

import runpy
import sys
from pathlib import Path

from acc.mlir import install_as_mlir

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m acc.mlir SCRIPT [ARGUMENT ...]")
    sys.argv = sys.argv[1:]
    if not Path(sys.argv[0]).is_file():
        sys.exit(f"{sys.argv[0]}: no such file")
    # As if Python had been given the script.
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
    install_as_mlir()
    runpy.run_path(sys.argv[0], run_name="__main__")
