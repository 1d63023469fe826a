"""The native module behind `acc.ir` and `acc.passmanager`; its types are in `_mlir.pyi`."""

from acc.interruptible import deferred

try:
    # The module makes enumerations when it is loaded, by calling Python.
    with deferred():
        from acc._lib._mlir import *  # noqa: F403
        from acc._lib._mlir import PassManager as PassManager
        from acc._lib._mlir import _defaults as _defaults
        from acc._lib._mlir import _pop_defaults as _pop_defaults
        from acc._lib._mlir import _push_defaults as _push_defaults
except ImportError as error:  # pragma: no cover - only in a broken installation
    raise ImportError(f"acc's native module cannot be loaded ({error}): build it with `ninja -C build`") from error
