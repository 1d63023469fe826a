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
from collections.abc import Callable, Iterator
from typing import NoReturn, TypeVar

__all__ = ["deferred", "insistent", "interruptible", "leave"]

T = TypeVar("T")

# How long an interrupted thread may take to come back, in seconds, before it is left to itself.
PATIENCE = 0.3

_abandoned: list[threading.Thread] = []

# Whether Ctrl-C was pressed since `insistent` began.
_pressed = False


def interruptible(work: Callable[[], T], cancel: Callable[[], object] = lambda: None) -> T:
    """Does `work`, which may take long without returning to Python, so that signals reach the main thread meanwhile.

    cancel: asks native code to end soon; called if the main thread is interrupted. Python code in `work` gets a
    SystemExit. Elsewhere than in the main thread, which no signal reaches, `work` is simply called.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    if _pressed:
        raise KeyboardInterrupt
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
        try:
            worker.start()
        except RuntimeError:
            # The system has no thread to give.
            return work()
        done.wait()
    except BaseException:
        if worker.ident is not None and not done.is_set():
            _stop(worker, cancel)
        raise
    if errors:
        raise errors[0]
    return results[0]


def _stop(worker: threading.Thread, cancel: Callable[[], object]) -> None:
    """Asks a thread to end, and leaves it to itself if it does not."""
    cancel()
    # A thread that ends by a SystemExit says nothing.
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker.ident or 0), ctypes.py_object(SystemExit))
    worker.join(PATIENCE)
    if worker.is_alive():
        _abandoned.append(worker)


@contextlib.contextmanager
def insistent() -> Iterator[None]:
    """Obeys Ctrl-C at the next `interruptible` if Python drops the KeyboardInterrupt.

    It does so where it cannot raise one, as in what it calls when an object goes.
    """
    global _pressed

    def press(*_: object) -> None:
        global _pressed
        _pressed = True
        raise KeyboardInterrupt

    _pressed = False
    with _handler(press):
        try:
            yield
        finally:
            _pressed = False


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Lets Ctrl-C wait until the block is done: for native code that calls Python and takes no exception from it."""
    pressed: list[object] = []
    with _handler(lambda *_: pressed.append(True)):
        yield
    if pressed:
        signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def _handler(handler: Callable[..., object]) -> Iterator[None]:
    """What happens at Ctrl-C inside the block; nothing else than elsewhere in threads that no signal reaches."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def leave(code: int, *, at_once: bool = False) -> None:
    """Ends the process with this exit code if threads are left that do not stop, or `at_once`; returns otherwise."""
    if at_once or any(worker.is_alive() for worker in _abandoned):
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
