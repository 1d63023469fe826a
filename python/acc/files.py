"""Reading files, and writing files and folders whole or not at all.

A full disk or a killed process leaves nothing half-written.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from acc.errors import AccError


def load_arrays(
    path: str | os.PathLike[str], error: type[AccError], *, mapped: bool = False
) -> dict[str, np.ndarray] | np.ndarray:
    """The arrays of an .npz file by name, or the one of an .npy file; mapped: leave the latter's numbers in the file.

    Raises `error` naming the path if it cannot be read, or holds something else than arrays of numbers.
    """
    try:
        data = np.load(path, allow_pickle=False, mmap_mode="r" if mapped else None)
        if isinstance(data, np.ndarray):
            return data
        with data:
            return {name: data[name] for name in data.files}
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as wrong:
        # numpy takes what it does not know for pickled objects, and proposes to trust it.
        reason = "it holds no arrays of numbers" if "pickle" in str(wrong) else str(wrong)
        raise error(f"'{path}' is not an .npz or .npy file: {reason}") from None
    except OSError as wrong:
        raise error(f"cannot read '{path}': {wrong.strerror or wrong}") from None


def why(failure: OSError) -> str:
    """What the system says, with the remedy where a disk is full."""
    said = failure.strerror or str(failure)
    full = failure.errno in (errno.ENOSPC, errno.EDQUOT)
    return f"{said} (`acc doctor` says what acc's caches take, and empties them with --prune 0)" if full else said


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
        raise error(f"cannot write '{os.fspath(path)}': {why(failure)}") from None


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


def read_bytes(path: str | os.PathLike[str], error: type[AccError] = AccError, what: str = "") -> bytes:
    """The contents of a file, which the message calls `what`; what the system refuses is raised as `error`."""
    try:
        return Path(path).read_bytes()
    except OSError as failure:
        named = f"{what} '{os.fspath(path)}'" if what else f"'{os.fspath(path)}'"
        raise error(f"cannot read {named}: {failure.strerror or failure}") from None


def check_writable(path: str | os.PathLike[str], error: type[AccError] = AccError) -> None:
    """Raises `error` if a file `path` could not be written for want of a folder or of permission: before long work."""
    folder = Path(path).parent
    if not folder.is_dir():
        raise error(f"cannot write '{path}': there is no folder '{folder}'")
    if not os.access(folder, os.W_OK):
        raise error(f"cannot write '{path}': no permission to write in '{folder}'")


def check_new_folder(path: str | os.PathLike[str], error: type[AccError] = AccError) -> None:
    """Raises `error` if there is something at `path` other than an empty folder."""
    target = Path(path)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise error(f"cannot write '{target}': it is there and not an empty folder")


@contextlib.contextmanager
def creating_folder(path: str | os.PathLike[str], error: type[AccError] = AccError) -> Iterator[Path]:
    """A folder to fill, which is called `path` when the block ends, and vanishes if it raises.

    There may be an empty folder already; anything else that is there, and what the system refuses, is an `error`.
    """
    check_new_folder(path, error)
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            yield work
            os.chmod(work, 0o777 & ~_umask())
            if target.is_dir():
                target.rmdir()
            work.rename(target)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
    except OSError as failure:
        raise error(f"cannot write '{target}': {why(failure)}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
