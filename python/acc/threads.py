"""How many threads native code uses."""

from __future__ import annotations

from acc.errors import AccError

__all__ = ["check_threads", "usable_cores"]


def check_threads(threads: object, kind: type[AccError]) -> int:
    """The number of threads that a user wants; raises an error of a kind if there cannot be so many."""
    from acc._lib import _runtime

    if isinstance(threads, bool) or not hasattr(threads, "__index__"):
        raise kind(f"a number of threads is an integer from 1 to {_runtime.MOST_THREADS}, not {threads!r}")
    count = int(threads)  # type: ignore[call-overload]
    if not 1 <= count <= _runtime.MOST_THREADS:
        raise kind(f"{count} threads cannot run a model: the number is from 1 to {_runtime.MOST_THREADS}")
    return count


def usable_cores() -> int:
    """The cores that this process may use, as many threads as a model uses unless it is told otherwise."""
    from acc._lib import _runtime

    return int(_runtime.usable_cores())
