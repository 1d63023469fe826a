"""From te kernels to a shared object: the stages of native code, each a flat list of passes.

make_te       te.kernels of linalg on tensors -> te.contract and fused linalg, weights packed
make_buffers  -> main and kernels on memrefs
make_llvm     -> buffers in one workspace, loops over vectors, the C interface, the LLVM dialect
make_image    -> object code, linked
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from acc import _mlir, ir
from acc.container import link
from acc.errors import CompileError
from acc.interruptible import interruptible
from acc.passmanager import PassManager
from acc.schedule_cpu import Processor, make_cpu_schedules

APPROXIMATED = tuple(
    f"math.{name}" for name in ("exp", "expm1", "log", "log1p", "log2", "tanh", "erf", "erfc", "asin", "acos")
)
"""Functions of f32 that polynomials compute as well as libm does."""

GUARD_BYTES = 64
"""What lies free before and behind every buffer of a model compiled with guards: a vector register, a cache line."""

__all__ = ["CpuOptions", "make_buffers", "make_image", "make_llvm", "make_te"]


def wants_guards() -> bool:
    """Whether the environment asks for guards, by ACC_GUARD=1; raises CompileError for a value that means nothing."""
    value = os.environ.get("ACC_GUARD", "")
    if value not in ("", "0", "1"):
        raise CompileError(
            f"ACC_GUARD is '{value}' in the environment: 1 compiles models that look after their memory, "
            "0 or nothing those that do not"
        )
    return value == "1"


@dataclass(frozen=True)
class CpuOptions:
    """For which processor native code is made.

    cpu: a name that LLVM knows, or "native" for this machine's. features: changes to what it has, "+avx2,-avx512f".
    opt_level: LLVM's effort, 0 to 3. alignment: bytes every buffer is aligned to, a power of two, at least 64.
    guard: let the runtime look for writes outside of buffers and rows, kernel by kernel (docs/runtime.md).
    """

    cpu: str = "native"
    features: str = ""
    opt_level: int = 2
    alignment: int = 64
    guard: bool = field(default_factory=wants_guards)

    @property
    def guard_bytes(self) -> int:
        """What lies free before and behind every buffer."""
        return GUARD_BYTES if self.guard else 0

    def all_features(self) -> list[str]:
        """Every feature the code may use; raises CompileError for an unknown processor."""
        try:
            return _mlir.target_features(self.cpu, self.features)
        except ValueError as error:
            raise CompileError(str(error)) from None


def make_te(pm: PassManager, options: CpuOptions) -> None:
    """Schedules native kernels and brings them into the form that is lowered: te.contract, fused linalg."""
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


def constants(module: ir.Module) -> Sequence[ir.Attribute]:
    """The constants that the code reads, in order; of a module after `make_llvm`."""
    return list(module.operation.attributes["te.constants"].value)


def workspace_bytes(module: ir.Module) -> int:
    """The scratch memory that the code wants; of a module after `make_llvm`."""
    return int(module.operation.attributes["te.workspace"].value)
