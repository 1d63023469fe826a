"""Where the parts of acc are that programs in C and C++ are built with."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from acc.errors import AccError

__all__ = ["Installation", "installation"]


@dataclass(frozen=True)
class Installation:
    """Folders of the runtime's header, its library, and its packages for CMake and pkg-config."""

    include: Path
    library: Path

    @property
    def cmake(self) -> Path:
        """What `find_package(acc)` takes as acc_DIR."""
        return self.library / "cmake" / "acc"

    @property
    def pkg_config(self) -> Path:
        """What belongs into PKG_CONFIG_PATH."""
        return self.library / "pkgconfig"

    @property
    def cflags(self) -> str:
        """What a C or C++ compiler takes."""
        return f"-I{shlex.quote(str(self.include))}"

    @property
    def libs(self) -> str:
        """What a linker takes; the program finds the library where it is now."""
        folder = shlex.quote(str(self.library))
        return f"-L{folder} -Wl,-rpath,{folder} -lacc_runtime"


def installation() -> Installation:
    """Finds the header in the package, or in the source tree.

    Raises AccError if there is no header or no library.
    """
    package = Path(__file__).parent
    for include in (package / "include", package.parents[1] / "runtime" / "include"):
        if (include / "acc" / "runtime.h").is_file():
            break
    else:
        raise AccError("the header acc/runtime.h is not part of this installation: install acc-compiler again")
    library = package / "_lib"
    if not (library / "libacc_runtime.so").is_file():
        raise AccError(f"'{library}' has no libacc_runtime.so: install acc-compiler again, or build acc")
    return Installation(include, library)
