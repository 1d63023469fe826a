"""Writing files whole or not at all, so that a full disk or a killed process leaves nothing half-written."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from acc.errors import AccError


@contextlib.contextmanager
def replacing(
    path: str | os.PathLike[str], error: type[AccError] = AccError, *, sync: bool = True
) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends, and vanishes if it raises.

    What the system refuses (full disk, missing folder, no permission) is raised as `error` naming the path.
    With `sync` the bytes are on the disk before the file appears.
    """
    target = Path(path)
    temporary: str | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            temporary = file.name
            yield file  # type: ignore[misc]
            file.flush()
            if sync:
                os.fsync(file.fileno())
        if target.is_dir():
            raise IsADirectoryError(21, "it is a directory")
        # Temporary files are private; the result gets the permissions any new file has.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
        temporary = None
    except OSError as failure:
        raise error(f"cannot write '{target}': {failure.strerror or failure}") from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
