"""What upstream's bindings lack, as functions on their objects.

- `resource_array` reads a `dense_resource` without a copy, `resource` makes one from an array without a copy.
- `time_passes` measures the passes of a manager while the program runs.
- `naming_nodes` turns upstream's errors into those of acc, which name the ONNX node.

Two things need no function, since they hold for upstream's own classes as acc builds them:

- `PassManager.run` lets other Python threads run. Callables among the passes may be for other operations than the
  manager's, and what they raise, `run` raises.
- References to operations that were erased, by Python or by a pass, raise RuntimeError when used: also those through
  which they were not erased, and those to operations inside of them. So do their blocks, regions and lists of operands.
  A pass manager's run invalidates all references into the operation that it ran on, but not those to that operation.
  Not covered: a `Value` of an erased operation (its `owner` raises, its `type` is undefined), and blocks of the very
  operation that passes ran on, if they erased those.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np

from acc import errors
from acc.dtypes import BY_MLIR, element_type

from . import ir
from ._mlir_libs import _acc
from .passmanager import PassManager

__all__ = [
    "PassTimes",
    "diagnostics",
    "naming_nodes",
    "print_operations_in_diagnostics",
    "resource",
    "resource_array",
    "time_passes",
]

#: What acc's code wants weights to be aligned to, in bytes.
ALIGNMENT = 64

PassTimes = _acc.PassTimes


# --- resources -------------------------------------------------------------------------------------------------------


def resource_array(attribute: ir.Attribute) -> np.ndarray:
    """The values of a `dense_resource`, in its shape: a read-only array that shares the memory of the attribute.

    Elements narrower than a byte take a byte each. Raises ValueError for other attributes, and where the text that
    the IR was parsed from did not contain the data.
    """
    flat = _acc.resource_bytes(attribute)
    shaped = ir.ShapedType(attribute.type)
    dtype = _dtype(shaped.element_type)
    expected = int(np.prod(shaped.shape)) * dtype.itemsize
    if flat.nbytes != expected:
        raise ValueError(f"the resource has {flat.nbytes} bytes, {attribute.type} needs {expected}")
    return flat.view(dtype).reshape(shaped.shape)


def resource(
    array: np.ndarray, name: str, type: ir.Type | None = None, context: ir.Context | None = None
) -> ir.Attribute:
    """A `dense_resource` of the values of an array, called `name` in the text of the IR.

    Shares the array's memory, which must not be changed from then on; it is copied only if it is not contiguous or not
    aligned to 64 bytes, as the code that acc generates wants it. `type` is that of a tensor, by default of the array's
    shape and element type; raises ValueError where the array does not fit it.
    """
    if type is None:
        sizes = "".join(f"{size}x" for size in array.shape)
        type = ir.Type.parse(f"tensor<{sizes}{element_type(array.dtype).mlir}>", context)
    shaped = ir.ShapedType(type)
    wanted = _dtype(shaped.element_type)
    if list(array.shape) != list(shaped.shape) or array.dtype != wanted:
        raise ValueError(f"an array of {array.dtype} of shape {array.shape} is no {type}")
    if not array.flags.c_contiguous or array.ctypes.data % ALIGNMENT:
        array = _aligned(array)
    return ir.DenseResourceElementsAttr.get_from_buffer(
        array.reshape(-1).view(np.uint8).data, name, type, ALIGNMENT, False, context
    )


def _aligned(array: np.ndarray) -> np.ndarray:
    """A copy at an address that is a multiple of the alignment."""
    memory = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def _dtype(element: ir.Type) -> np.dtype:
    name = str(element)
    if name == "index":
        return np.dtype(np.int64)
    if name not in BY_MLIR:
        raise ValueError(f"there is no numpy type for elements of type {name}")
    return BY_MLIR[name].dtype


# --- passes ----------------------------------------------------------------------------------------------------------


def time_passes(manager: PassManager) -> PassTimes:
    """Measures every run of a manager from now on.

    `passes` of what is returned lists name and wall-clock seconds of every pass, in the order in which they ended;
    `clear` empties it.
    """
    return _acc.time_passes(manager)


# --- diagnostics -----------------------------------------------------------------------------------------------------


def print_operations_in_diagnostics(context: ir.Context, enable: bool) -> None:
    """Whether errors on an operation show its text as a note; they do unless this is called with False."""
    _acc.print_operations_in_diagnostics(context, enable)


@contextlib.contextmanager
def naming_nodes() -> Iterator[None]:
    """Turns upstream's MLIRError, if one is raised inside, into `acc.errors.MLIRError`, which names the ONNX nodes.

    The text of the operation concerned, which could be large, is left out.
    """
    try:
        yield
    except ir.MLIRError as error:  # pyright: ignore[reportAttributeAccessIssue] - not in upstream's types
        raise errors.MLIRError(error.message, diagnostics(error)) from error


def diagnostics(error: Exception) -> tuple[errors.Diagnostic, ...]:
    """What the compiler said in upstream's MLIRError, with the ONNX nodes in the locations."""
    return tuple(_diagnostic(given) for given in getattr(error, "error_diagnostics", ()))


def _diagnostic(given: ir.DiagnosticInfo) -> errors.Diagnostic:
    names: list[str] = []
    files: list[tuple[str, int, int]] = []
    _places(given.location, names, files)
    file, line, column = files[0] if files else (None, None, None)
    notes = tuple(_diagnostic(n) for n in given.notes if not n.message.startswith("see current operation: "))
    return errors.Diagnostic(
        severity=given.severity.name.lower(),
        message=given.message,
        location=str(given.location).removeprefix("loc(").removesuffix(")"),
        file=file,
        line=line,
        column=column,
        name=", ".join(names) or None,
        notes=notes,
    )


def _places(location: ir.Location, names: list[str], files: list[tuple[str, int, int]]) -> None:
    """Collects the names and the positions in files that a location consists of."""
    if location.is_a_name():
        names.append(location.name_str)
        _places(location.child_loc, names, files)
    elif location.is_a_fused():
        for part in location.locations:
            _places(part, names, files)
    elif location.is_a_callsite():
        _places(location.callee, names, files)
        _places(location.caller, names, files)
    elif location.is_a_file():
        files.append((location.filename, location.start_line, location.start_col))
