"""From te kernels to a shared object: the stages of native code, each a flat list of passes.

make_te       te.kernels of linalg on tensors -> cpu.contract and fused linalg, weights packed
make_buffers  -> main and kernels on memrefs
make_llvm     -> buffers in one workspace, loops over vectors, the C interface, the LLVM dialect
make_image    -> object code, linked
"""

from __future__ import annotations

from typing import Any

import numpy as np

from acc import _mlir, ir
from acc.container import Constant, Splat, link
from acc.interruptible import interruptible
from acc.passmanager import PassManager
from acc.targets.cpu.schedule import Processor, make_cpu_schedules
from acc.targets.cpu.target import CpuOptions

APPROXIMATED = tuple(
    f"math.{name}" for name in ("exp", "expm1", "log", "log1p", "log2", "tanh", "erf", "erfc", "asin", "acos")
)
"""Functions of f32 that polynomials compute as well as libm does."""

__all__ = ["constants", "make_buffers", "make_image", "make_llvm", "make_te", "workspace_bytes"]


def make_te(pm: PassManager, options: CpuOptions) -> None:
    """Schedules native kernels and brings them into the form that is lowered: cpu.contract, fused linalg."""
    processor = Processor.from_features(options.all_features())

    def choose(operation: ir.Operation) -> None:
        make_cpu_schedules(operation, processor)

    pm.add("te-hoist-operands")
    pm.add("canonicalize")
    pm.add("host-share-kernels")
    pm.add(choose, "schedule-cpu")
    pm.add("te.kernel(host-form-contractions)")
    pm.add("te.kernel(linalg-fuse-elementwise-ops)")
    pm.add("canonicalize")
    pm.add("host-pack-weights")
    pm.add("canonicalize")


def make_buffers(pm: PassManager, options: CpuOptions) -> None:
    """Bufferizes main and the native kernels."""
    pm.add(f"host-bufferize{{alignment={options.alignment}}}")
    pm.add("canonicalize")
    pm.add("cse")


def make_llvm(pm: PassManager, options: CpuOptions) -> None:
    """Lowers main and the native kernels to the LLVM dialect, with the C interface of a compiled model."""
    vector_bytes = Processor.from_features(options.all_features()).vector_bytes
    pm.add("te.kernel(host-lower-contractions)")
    pm.add(f"te.kernel(host-vectorize-linalg{{vector-bytes={vector_bytes}}})")
    pm.add("te.kernel(convert-linalg-to-loops)")
    pm.add("host-hoist-allocations")
    pm.add(f"host-plan-memory{{alignment={options.alignment} guard-bytes={options.guard_bytes}}}")
    pm.add("canonicalize")
    pm.add("cse")
    pm.add(f"host-lower-abi{{guard={'true' if options.guard else 'false'}}}")
    pm.add("convert-scf-to-cf")
    pm.add("expand-strided-metadata")
    pm.add("lower-affine")
    # Small floats are computed in f32, operation by operation; what LLVM does with bf16 depends on the processor.
    pm.add("math-extend-to-supported-types")
    pm.add(f"host-expand-math{{functions={','.join(APPROXIMATED)}}}")
    pm.add("math-expand-ops{ops=ceilf,roundeven}")
    pm.add("arith-emulate-unsupported-floats{source-types=bf16 target-type=f32}")
    pm.add("arith-expand{include-bf16=true}")
    pm.add("convert-math-to-llvm{approximate-log1p=false}")
    pm.add("convert-math-to-libm")
    pm.add("convert-vector-to-llvm")
    pm.add("convert-arith-to-llvm")
    pm.add("finalize-memref-to-llvm")
    pm.add("convert-cf-to-llvm")
    pm.add("convert-func-to-llvm")
    pm.add("convert-index-to-llvm")
    pm.add("convert-ub-to-llvm")
    pm.add("canonicalize")
    pm.add("cse")
    pm.add("reconcile-unrealized-casts")


def make_image(module: ir.Module, options: CpuOptions) -> bytes:
    """The shared object of a module in the LLVM dialect."""

    def emit() -> bytes:
        return _mlir.emit_object(module, cpu=options.cpu, features=options.features, opt_level=options.opt_level)

    return link([interruptible(emit)])


def constants(module: ir.Module) -> tuple[Constant, ...]:
    """The constants that the code reads, in order; of a module after `make_llvm`."""
    return tuple(_constant(value) for value in module.operation.attributes["cpu.constants"].value)


def _constant(value: Any) -> Constant:
    array = np.asarray(value)
    if isinstance(value, ir.DenseElementsAttr) and value.is_splat:
        return Splat(array.reshape(-1)[0], array.size)
    return array


def workspace_bytes(module: ir.Module) -> int:
    """The scratch memory that the code wants; of a module after `make_llvm`."""
    return int(module.operation.attributes["cpu.workspace"].value)
