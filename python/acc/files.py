"""Writing files whole or not at all, so that a full disk or a killed process leaves nothing half-written."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
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
    With `sync` the bytes are on the disk before the file appears. What is no regular file, such as /dev/stdout,
    is written to as it is.
    """
    if not isinstance(path, str | os.PathLike) or "\0" in os.fspath(path):
        raise error(f"cannot write {path!r}: it is not a path")
    try:
        # A link stays, what it leads to is replaced; a device or pipe is written to, never replaced.
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise IsADirectoryError(21, "it is a directory")
        writer = _stream(Path(path)) if _is_special(path) else _replacement(target, sync)
        with writer as file:
            yield file
    except OSError as failure:
        raise error(f"cannot write '{os.fspath(path)}': {failure.strerror or failure}") from None


def _is_special(path: str | os.PathLike[str]) -> bool:
    """Whether there is something that is no regular file, such as /dev/stdout."""
    return os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode)


@contextlib.contextmanager
def _stream(path: Path) -> Iterator[BinaryIO]:
    with open(path, "wb") as file:
        yield file


@contextlib.contextmanager
def _replacement(target: Path, sync: bool) -> Iterator[BinaryIO]:
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        descriptor, named = _create(temporary)
        try:
            with open(descriptor, "wb", closefd=False) as file:
                yield file
                file.flush()
                if sync:
                    os.fsync(descriptor)
            if not named:
                # Only with a folder's descriptor, which is of no consequence here, is the symbolic link followed.
                os.link(f"/proc/self/fd/{descriptor}", temporary, src_dir_fd=descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _create(path: Path) -> tuple[int, bool]:
    """A new file, and whether it has the name `path` already; without a name, a killed process leaves no trace."""
    flags = os.O_WRONLY | os.O_CLOEXEC
    try:
        return os.open(path.parent, flags | os.O_TMPFILE, 0o666), False
    except OSError:
        # Not every file system can do it; an error that has another reason will come again.
        return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666), True
