"""Ctrl-C while native code runs.

Python looks at signals between two of its own instructions, so a pass, LLVM or a simulator would keep Ctrl-C waiting
until it is done. Such work is done by a thread of its own while the main thread waits, which signals interrupt at once.
What is interrupted is told to stop; what does not stop soon is left to itself, and its result is dropped.
"""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import NoReturn, TypeVar

__all__ = ["interruptible", "leave"]

T = TypeVar("T")

# How long an interrupted thread may take to come back, in seconds, before it is left to itself.
PATIENCE = 0.3

_abandoned: list[threading.Thread] = []


def interruptible(work: Callable[[], T], cancel: Callable[[], object] = lambda: None) -> T:
    """Does `work`, which may take long without returning to Python, so that signals reach the main thread meanwhile.

    cancel: asks native code to end soon; called if the main thread is interrupted. Python code in `work` gets a
    KeyboardInterrupt. Elsewhere than in the main thread, which no signal reaches, `work` is simply called.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    results: list[T] = []
    errors: list[BaseException] = []
    done = threading.Event()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            results.append(context.run(work))
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    worker = threading.Thread(target=run, name="acc", daemon=True)
    try:
        worker.start()
        done.wait()
    except BaseException:
        if worker.ident is not None and not done.is_set():
            cancel()
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(worker.ident), ctypes.py_object(KeyboardInterrupt)
            )
            if not done.wait(PATIENCE):
                _abandoned.append(worker)
        raise
    if errors:
        raise errors[0]
    return results[0]


def leave(code: int) -> None:
    """Ends the process with this exit code if threads are left that do not stop; returns otherwise."""
    if any(worker.is_alive() for worker in _abandoned):
        _flush()
        os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


@atexit.register
def _end() -> None:
    """Threads must not run on while Python and the libraries they use are torn down."""
    if not any(worker.is_alive() for worker in _abandoned):
        return
    if isinstance(getattr(sys, "last_value", None), KeyboardInterrupt):
        _die()
    for worker in _abandoned:
        worker.join()


def _die() -> NoReturn:
    """Ends the process as Python ends by a KeyboardInterrupt that nobody catches."""
    _flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
    os._exit(130)
