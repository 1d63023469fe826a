"""From te kernels to a shared object: the stages of native code, each a flat list of passes.

make_te       te.kernels of linalg on tensors -> cpu.contract and fused linalg, weights packed
make_buffers  -> main and kernels on memrefs
make_llvm     -> buffers in one workspace, loops over vectors, the C interface, the LLVM dialect
make_image    -> object code, linked
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from acc import _mlir, ir
from acc.container import Constant, Splat, link
from acc.interruptible import interruptible
from acc.passes import Pass, host, te, upstream
from acc.passmanager import PassManager
from acc.targets.cpu.chunks import make_loop_schedules, parallel_loops
from acc.targets.cpu.inputs import readable_anywhere
from acc.targets.cpu.schedule import Processor, make_cpu_schedules
from acc.targets.cpu.target import CpuOptions

APPROXIMATED = tuple(
    f"math.{name}" for name in ("exp", "expm1", "log", "log1p", "log2", "tanh", "erf", "erfc", "asin", "acos")
)
"""Functions of f32 that polynomials compute as well as libm does."""

__all__ = [
    "constants",
    "make_buffers",
    "make_image",
    "make_llvm",
    "make_te",
    "parallel_loops",
    "readable_anywhere",
    "uses_threads",
    "workspace_bytes",
]


def make_te(pm: PassManager, options: CpuOptions) -> None:
    """Schedules native kernels and brings them into the form that is lowered: cpu.contract, fused linalg."""
    processor = Processor.from_features(options.all_features())

    def choose(operation: ir.Operation) -> None:
        make_cpu_schedules(operation, processor, dict(options.tuned))

    pm.add(te.hoist_operands())
    pm.add(upstream.canonicalize())
    pm.add(host.share_kernels())
    pm.add(host.separate_updates())
    pm.add(choose, "schedule-cpu")
    pm.add(host.form_contractions(registers=processor.registers))
    pm.add(upstream.linalg_fuse_elementwise_ops().on("te.kernel"))
    pm.add(upstream.canonicalize())
    pm.add(host.pack_weights())
    pm.add(upstream.canonicalize())


def make_buffers(pm: PassManager, options: CpuOptions) -> None:
    """Bufferizes main and the native kernels, and says which of their loops are cut into chunks for threads."""
    processor = Processor.from_features(options.all_features())

    def cut(operation: ir.Operation) -> None:
        make_loop_schedules(operation, processor)

    pm.add(host.bufferize(alignment=options.alignment))
    pm.add(upstream.canonicalize())
    pm.add(upstream.cse())
    pm.add(cut, "schedule-cpu-loops")


def make_llvm(pm: PassManager, options: CpuOptions) -> None:
    """Lowers main and the native kernels to the LLVM dialect, with the C interface of a compiled model."""
    processor = Processor.from_features(options.all_features())
    pm.add(host.forget_programs())
    pm.add(host.join_loops())
    pm.add(host.lower_contractions())
    pm.add(host.vectorize_linalg(vector_bytes=processor.vector_bytes, lookup=processor.bytes))
    pm.add(upstream.convert_linalg_to_loops().on("te.kernel"))
    pm.add(host.hoist_allocations())
    pm.add(host.plan_memory(alignment=options.alignment, guard_bytes=options.guard_bytes))
    # Kernel by kernel, on all cores. Blocks are left to LLVM, which merges them faster.
    pm.add(upstream.canonicalize(region_simplify="disabled").on("any"))
    pm.add(upstream.cse().on("any"))
    pm.add(host.lower_abi(guard=options.guard))
    for each in _lower_bodies(processor):
        pm.add(each.on("func.func"))
    pm.add(upstream.convert_math_to_libm())
    pm.add(upstream.convert_vector_to_llvm().on("func.func"))
    pm.add(upstream.convert_to_llvm(allow_pattern_rollback=False))
    pm.add(upstream.reconcile_unrealized_casts())


def _lower_bodies(processor: Processor) -> Iterator[Pass]:
    """Passes from loops and small floats to blocks and what LLVM has instructions for."""
    yield upstream.convert_scf_to_cf()
    yield upstream.expand_strided_metadata()
    yield upstream.lower_affine()
    # Small floats are computed in f32, operation by operation; what LLVM does with bf16 depends on the processor.
    yield upstream.math_extend_to_supported_types()
    yield host.expand_math(functions=APPROXIMATED)
    if not processor.rounds:
        yield upstream.math_expand_ops(ops=("ceilf", "roundeven"))
    yield upstream.arith_emulate_unsupported_floats(source_types=("bf16",), target_type="f32")
    yield upstream.arith_expand(include_bf16=True)
    yield upstream.convert_math_to_llvm(approximate_log1p=False)


def make_image(module: ir.Module, options: CpuOptions) -> bytes:
    """The shared object of a module in the LLVM dialect."""

    def emit() -> list[bytes]:
        return _mlir.emit_objects(
            module, cpu=options.cpu, features=options.features, opt_level=options.opt_level, triple=options.triple
        )

    return link(interruptible(emit), options.facts().triple)


def constants(module: ir.Module) -> tuple[Constant, ...]:
    """The constants that the code reads, in order; of a module after `make_llvm`."""
    return tuple(_constant(value) for value in module.operation.attributes["cpu.constants"].value)


def _constant(value: Any) -> Constant:
    array = np.asarray(value)
    if isinstance(value, ir.DenseElementsAttr) and value.is_splat:
        return Splat(array.reshape(-1)[0], array.size)
    return array


def uses_threads(module: ir.Module) -> bool:
    """Whether the code runs loops in parallel; of a module after `make_llvm`."""
    return "cpu.parallel" in module.operation.attributes


def workspace_bytes(module: ir.Module) -> int:
    """The scratch memory that the code wants; of a module after `make_llvm`."""
    return int(module.operation.attributes["cpu.workspace"].value)
