"""Structured vta kernels as text, brought to the simulator: what the tests of the vta passes share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from acc import _mlir, ir
from acc._lib import _runtime
from acc.passmanager import PassManager

PIPELINE = (
    "builtin.module(vta-allocate-scratchpads,vta-expand,"
    "vta.program(vta-cache-uops,vta-insert-tokens,vta-verify-program))"
)


def config_attribute(config: Any) -> str:
    """The #vta.config of a _runtime.Config."""
    names = ("inp_width", "wgt_width", "acc_width", "batch", "block_in", "block_out")
    names += ("uop_buff_size", "inp_buff_size", "wgt_buff_size", "acc_buff_size")
    return "#vta.config<" + ", ".join(f"log_{name} = {getattr(config, 'log_' + name)}" for name in names) + ">"


def memref(shape: Sequence[int | str], element: str, memory: str) -> str:
    """A memref type with identity layout."""
    return f"memref<{'x'.join(map(str, shape))}x{element}, #vta.mem<{memory}>>"


def subview(
    name: str,
    source: str,
    shape: Sequence[int],
    element: str,
    memory: str,
    offsets: Sequence[int | str],
    sizes: Sequence[int | str],
    steps: Sequence[int] | None = None,
) -> tuple[str, str]:
    """The operation that makes `name` a subview of `source`, and its type. Strings are SSA values."""
    steps = steps or [1] * len(shape)
    strides = [int(np.prod(shape[d + 1 :])) for d in range(len(shape))]
    dynamic = any(isinstance(o, str) for o in offsets)
    offset = "?" if dynamic else sum(int(o) * s for o, s in zip(offsets, strides, strict=True))
    layout = ", ".join(str(s * k) for s, k in zip(strides, steps, strict=True))
    dims = "x".join("?" if isinstance(s, str) else str(s) for s in sizes)
    # A subview at the very start has no offset in its type.
    tail = "" if offset == 0 else f", offset: {offset}"
    result = f"memref<{dims}x{element}, strided<[{layout}]{tail}>, #vta.mem<{memory}>>"
    show = lambda items: ", ".join(map(str, items))  # noqa: E731
    op = f"{name} = memref.subview {source}[{show(offsets)}] [{show(sizes)}] [{show(steps)}]"
    return f"{op} : {memref(shape, element, memory)} to {result}", result


def compile_kernel(text: str, config: Any) -> Any:
    """The program of the only kernel in `text`, functions for #accelerator, as a _runtime.Program. Raises MLIRError."""
    with ir.Context():
        module = ir.Module.parse(f"#accelerator = {config_attribute(config)}\nmodule {{\n{text}\n}}")
        PassManager.parse(PIPELINE).run(module)
        (op,) = [op for op in module.body.operations if op.name == "vta.program"]
        program = _runtime.Program.parse(_mlir.assemble_program(op))
        assert program.encode() == _runtime.read_program(_mlir.write_program(op)).encode()
    return program


def run_kernel(program: Any, arrays: Sequence[np.ndarray]) -> dict[str, Any]:
    """Runs on the simulator with the sanitizer; the arrays are the buffers, and change. Returns the counters."""
    device = _runtime.Device("fsim", program.config)
    align = max(program.config.element_bytes(memory) for memory in ("inp", "wgt", "acc"))
    addresses = []
    for array in [*arrays, np.frombuffer(program.uops, np.uint8).copy()]:
        data = array.reshape(-1).view(np.uint8)
        addresses.append(device.attach(data))
        assert addresses[-1] % align == 0
    result = device.run_program(program, addresses[: len(program.buffers)], sanitize=True)
    assert result["ok"], result["message"]
    assert not result["diagnostics"], result["diagnostics"]
    return result["total"]


def wrap32(values: np.ndarray) -> np.ndarray:
    """int64 modulo 2^32 to the int32 range."""
    return (values + (1 << 31)) % (1 << 32) - (1 << 31)


def alu(op: str, a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    """One ALU operation on int64 arrays of int32 values."""
    if op == "min":
        return np.minimum(a, b)
    if op == "max":
        return np.maximum(a, b)
    if op == "add":
        return wrap32(a + b)
    if op == "mul":
        return wrap32(a * b)
    amount = np.clip(b, -63, 63)
    return np.where(amount >= 0, a >> np.maximum(amount, 0), wrap32(a << np.maximum(-amount, 0)))
