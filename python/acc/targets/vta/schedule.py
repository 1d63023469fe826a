"""What schedules must know of the VTA: its memories, what its instructions cost, how many of them a model may have.

What is legal compiles: transfers and micro-ops of any size and padding are split into as many instructions as they
need.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from acc import ir
from acc.schedule import (
    Array,
    Estimate,
    Memory,
    Policy,
    Schedule,
    Scratchpads,
    Search,
    Work,
    make_schedules,
)
from acc.targets.base import Decision
from acc.targets.vta.config import Hardware as Accelerator

__all__ = [
    "INSTRUCTION_CYCLES",
    "LATENCY_CYCLES",
    "MEMORIES",
    "PORT_BYTES",
    "TRANSFER_CYCLES",
    "Options",
    "VtaHardware",
    "make_vta_schedules",
]

MEMORIES = {"input": "inp", "weight": "wgt", "accumulator": "acc", "output": "out"}
"""What the VTA calls the memories that play the roles of a footprint. It stores from "out", a copy of "acc"."""


# What the published circuit does per cycle and per instruction, for the costs of schedules: a port of 64 bits to a
# memory that answers after 64 cycles; cycles in which an instruction of a module starts.
PORT_BYTES = 8
LATENCY_CYCLES = 64
TRANSFER_CYCLES = 4
INSTRUCTION_CYCLES = 8
# How many bytes may be moved to save a cycle. The convolutions of ResNet-18 take 0.7 % less time with 32, and 5 % more
# bytes.
CYCLE_BYTES = 12


@dataclass(frozen=True)
class Options:
    """How schedules are chosen: how many virtual threads kernels have if they can, and how many instructions the
    accelerator kernels of a model may have together, about: with tiny scratchpads they would not fit in memory.
    """

    vthreads: int = 4
    max_instructions: int = 1_500_000


@dataclass(frozen=True)
class VtaHardware(Scratchpads):
    """Scratchpads of whole tensor elements, loaded two dimensions at a time."""

    accelerator: Accelerator = field(default_factory=Accelerator)

    @classmethod
    def of(cls, target: ir.Attribute, intrinsic: str = "vta_gemm", *, threads_apart: bool = False) -> VtaHardware:
        """Reads a #vta.config. `threads_apart`: virtual threads have no accumulators in common."""
        known = Scratchpads.of(target, intrinsic)
        # Results are accumulators until they are stored.
        memories = {
            role: dataclasses.replace(memory, name="acc" if role == "output" else MEMORIES[role])
            for role, memory in known.memories.items()
            if role in MEMORIES
        }
        apart = frozenset({"acc"}) if threads_apart else frozenset()
        return cls(memories, intrinsic, apart, Accelerator.from_attribute(target))

    def transfer_rank(self, role: str) -> int | None:
        """See Hardware: an instruction moves two dimensions; weights are contiguous."""
        return None if role == "weight" else 2

    def cost(self, work: Work) -> Array:
        """See Hardware: about the cycles on the published circuit, of `CYCLE_BYTES` each, and the bytes.

        The modules load, compute and store work beside each other, so that the slowest decides; what it waits for in
        front of the first operation, and while a buffer that has no other is filled again, comes on top. Bytes count
        beside time because memory is shared and takes energy.
        """
        loads = stores = waits = moved = 0 * work.steps
        computes = work.points + INSTRUCTION_CYCLES * work.steps
        for transfer in work.transfers:
            cycles = transfer.bytes // PORT_BYTES + TRANSFER_CYCLES * transfer.count
            moved = moved + transfer.bytes
            if transfer.role == "output":
                stores = stores + cycles
                continue
            if transfer.role == "accumulator":
                # Loaded by the module that computes.
                computes = computes + cycles + LATENCY_CYCLES * transfer.pieces
                continue
            loads = loads + cycles
            again = np.maximum(transfer.bytes - transfer.fill, 0)
            first = transfer.fill // PORT_BYTES if transfer.anchor else 0
            waits = waits + first + (again // PORT_BYTES if transfer.exposed else 0)
        slowest = np.maximum(np.maximum(loads, stores), computes)
        return CYCLE_BYTES * (slowest + waits) + moved

    def advise(self, memory: Memory, elements: int) -> str:
        """See Hardware: the key of the configuration, with the value that it would need."""
        return self.accelerator.enlarged(memory.name, elements)


def _budget(limit: int) -> Callable[[Estimate], str]:
    """Refuses kernels once the instructions of a model are used up."""
    left = limit

    def accept(estimate: Estimate) -> str:
        nonlocal left
        if estimate.instructions > left:
            return (
                f"its {estimate.instructions:,} instructions are too many: of {limit:,} for the whole model "
                f"{left:,} are left; larger scratchpads (LOG_*_BUFF_SIZE) need fewer"
            )
        left -= estimate.instructions
        return ""

    return accept


def make_vta_schedules(
    module: ir.Module,
    schedule: Options | Policy | None = None,
    tuned: Mapping[str, Schedule] | None = None,
    *,
    threads_apart: bool = False,
) -> list[Decision]:
    """Writes `schedule` on every te.kernel whose target is named "vta" and reports the decisions.

    schedule: how to search, or a policy that replaces the search. tuned: see `make_schedules`. A kernel without a legal
    schedule goes to the host instead, its decision the reason. threads_apart: virtual threads have no accumulators in
    common. Raises CompileError for illegal schedules of a policy.
    """
    options = schedule if isinstance(schedule, Options) else Options()
    policy = Search(options.vthreads) if schedule is None or isinstance(schedule, Options) else schedule
    hardware = functools.partial(VtaHardware.of, threads_apart=threads_apart)
    return make_schedules(module, "vta", policy, hardware, _budget(options.max_instructions), tuned)
