"""From te kernels to C: the stages of plain C, each a flat list of passes.

make_loops    te.kernels of linalg on tensors -> loops over scalars on buffers in one arena
make_source   -> functions of emitc
"""

from __future__ import annotations

from collections.abc import Sequence

from acc import ir
from acc.passes import c, host, te, upstream
from acc.passmanager import PassManager
from acc.targets.c.schedule import make_c_schedules

__all__ = ["ALIGNMENT", "make_loops", "make_source"]

ALIGNMENT = 16
"""Bytes that buffers in the arena are aligned to: what the widest vectors of small processors want."""


def make_loops(pm: PassManager, lanes: int) -> None:
    """Brings main and the native kernels to loops over scalars, and every buffer to its place in the arena.

    lanes: see `make_c_schedules`.
    """

    def choose(operation: ir.Operation) -> None:
        make_c_schedules(operation, lanes)

    pm.add(te.hoist_operands())
    pm.add(upstream.canonicalize())
    pm.add(host.share_kernels())
    pm.add(host.separate_updates())
    pm.add(upstream.linalg_fuse_elementwise_ops().on("te.kernel"))
    pm.add(upstream.canonicalize())
    pm.add(host.bufferize(alignment=ALIGNMENT))
    pm.add(upstream.canonicalize())
    pm.add(upstream.cse())
    pm.add(upstream.linalg_generalize_named_ops().on("te.kernel"))
    pm.add(choose, "schedule-c")
    pm.add(c.order_loops())
    pm.add(upstream.convert_linalg_to_loops().on("te.kernel"))
    pm.add(host.hoist_allocations(all=True))
    pm.add(host.plan_memory(alignment=ALIGNMENT))
    pm.add(upstream.lower_affine())
    pm.add(upstream.canonicalize())
    pm.add(upstream.cse())


def make_source(pm: PassManager, prefix: str, types: Sequence[str]) -> None:
    """Makes functions of emitc of what `make_loops` left.

    prefix: what all names begin with. types: the C types of the elements of inputs and outputs, in order.
    """
    # C has no small floats: they are computed as f32, operation by operation, as native code does.
    pm.add(upstream.math_extend_to_supported_types())
    pm.add(upstream.arith_emulate_unsupported_floats(source_types=("f16", "bf16"), target_type="f32"))
    pm.add(upstream.arith_expand(include_bf16=True))
    pm.add(upstream.canonicalize())
    pm.add(upstream.cse())
    pm.add(c.to_emitc(prefix=prefix, types=types))
