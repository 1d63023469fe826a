"""What schedules must know of the VTA: its memories, what its instructions cost, how many of them a model may have.

What is legal compiles: transfers and micro-ops of any size and padding are split into as many instructions as they
need.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

from acc import ir
from acc.schedule import (
    Estimate,
    Footprint,
    Hardware,
    Memory,
    Policy,
    Schedule,
    Scratchpads,
    Search,
    Unschedulable,
    make_schedules,
)
from acc.targets.base import Decision
from acc.targets.vta.config import Hardware as Accelerator

__all__ = ["MEMORIES", "Options", "VtaHardware", "make_vta_schedules"]

MEMORIES = {"input": "inp", "weight": "wgt", "accumulator": "acc", "output": "out"}
"""What the VTA calls the memories that play the roles of a footprint. It stores from "out", a copy of "acc"."""


@dataclass(frozen=True)
class Options:
    """How schedules are chosen: the number of virtual threads that is tried first, and how many instructions the
    accelerator kernels of a model may have together, about: with tiny scratchpads they would not fit in memory.
    """

    vthreads: int = 2
    max_instructions: int = 1_500_000


@dataclass(frozen=True)
class VtaHardware(Scratchpads):
    """Scratchpads of whole tensor elements, loaded two dimensions at a time."""

    accelerator: Accelerator = field(default_factory=Accelerator)

    @classmethod
    def of(cls, target: ir.Attribute, intrinsic: str = "vta_gemm") -> VtaHardware:
        """Reads a #vta.config."""
        known = Scratchpads.of(target, intrinsic)
        # Results are accumulators until they are stored.
        memories = {
            role: dataclasses.replace(memory, name="acc" if role == "output" else MEMORIES[role])
            for role, memory in known.memories.items()
            if role in MEMORIES
        }
        return cls(memories, intrinsic, Accelerator.from_attribute(target))

    def transfer_rank(self, role: str) -> int | None:
        """See Hardware: an instruction moves two dimensions; weights are contiguous."""
        return None if role == "weight" else 2

    def advise(self, memory: Memory, elements: int) -> str:
        """See Hardware: the key of the configuration, with the value that it would need."""
        return self.accelerator.enlarged(memory.name, elements)


def _only_int8(policy: Policy) -> Policy:
    """The policy, for configurations that can run kernels at all."""

    def decide(footprint: Footprint, hardware: Hardware) -> Schedule:
        if isinstance(hardware, VtaHardware) and not hardware.accelerator.int8:
            raise Unschedulable("the accelerator's elements are not int8 inputs and weights with int32 accumulators")
        return policy(footprint, hardware)

    return decide


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


def make_vta_schedules(module: ir.Module, schedule: Options | Policy | None = None) -> list[Decision]:
    """Writes `schedule` on every te.kernel whose target is named "vta" and reports the decisions.

    schedule: how to search, or a policy that replaces the search. A kernel without a legal schedule goes to the host
    instead, its decision the reason. Raises CompileError for illegal schedules of a policy.
    """
    options = schedule if isinstance(schedule, Options) else Options()
    policy = Search(options.vthreads) if schedule is None or isinstance(schedule, Options) else schedule
    return make_schedules(module, "vta", _only_int8(policy), VtaHardware.of, _budget(options.max_instructions))
