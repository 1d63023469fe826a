"""What acc keeps between runs because it took minutes to make: simulators of the circuit, and results of synthesis.

An entry is a file, or a folder of files that belong together. Its time of change says when it was used last.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cache", "Entry", "caches", "mark_used"]

DAY = 24 * 60 * 60


@dataclass(frozen=True)
class Entry:
    """A file or folder that is kept, its bytes, and when it was used last, in seconds since 1970."""

    path: Path
    bytes: int
    used: float


@dataclass(frozen=True)
class Cache:
    """A folder of entries; `holds` says of what, in the plural. It need not be there."""

    holds: str
    folder: Path

    def entries(self) -> list[Entry]:
        """What is kept, the longest unused first. Locks are no entries."""
        return sorted(self._entries(), key=lambda entry: entry.used)

    def _entries(self) -> Iterator[Entry]:
        with contextlib.suppress(OSError):
            for path in list(self.folder.iterdir()):
                # Others may be at work in the same folder.
                with contextlib.suppress(OSError):
                    if path.suffix == ".lock" or path.name.startswith("."):
                        continue
                    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
                    facts = [file.stat() for file in files]
                    used = max((fact.st_mtime for fact in facts), default=path.stat().st_mtime)
                    yield Entry(path, sum(fact.st_size for fact in facts), used)

    def prune(self, days: float) -> list[Entry]:
        """Removes what has not been used for so many days, but for what a process is making just now; what it was."""
        limit = time.time() - days * DAY
        return [entry for entry in self.entries() if entry.used <= limit and _remove(entry.path)]


def _remove(path: Path) -> bool:
    """Removes an entry and its lock, unless somebody holds that; whether it is gone."""
    lock = path / "lock" if path.is_dir() else path.with_suffix(".lock")
    try:
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(FileNotFoundError):
                file = stack.enter_context(open(lock, "rb"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
                lock.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def mark_used(path: Path) -> None:
    """Notes that an entry is used now; in a folder that cannot be written to, nothing is noted."""
    with contextlib.suppress(OSError):
        os.utime(path)


def caches() -> list[Cache]:
    """All of them; raises ToolError if nobody knows where they are."""
    from acc.hardware.simulator import cache_folder

    folder = cache_folder()
    return [Cache("simulators of the circuit", folder), Cache("results of synthesis", folder.parent / "synthesis")]
