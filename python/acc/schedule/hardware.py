"""What a schedule must know of the hardware: how much every memory holds, and what moving and computing costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from acc import _mlir, ir
from acc.schedule.footprint import Unschedulable

__all__ = ["Array", "Hardware", "Memory", "Scratchpads", "Transfer", "Work", "byte_cost"]

Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Memory:
    """A memory of a target.

    name: for people. space: what buffers in it have as their memory space. capacity: elements that it holds.
    element_bits: the size of one of them. type: that of an element's values.
    """

    name: str
    space: ir.Attribute
    capacity: int
    element_bits: int
    type: ir.Type


@dataclass(frozen=True)
class Transfer:
    """All transfers of one buffer, for every combination of tile sizes at once.

    role: that of the buffer. bytes: what is moved, without padding. count: the number of instructions. pieces: how
    many there would be if each moved as many dimensions as it can; where elements are apart, several that follow each
    other move one piece. exposed: whether nothing can be computed while the buffer is filled. fill: bytes of the
    buffer, padding included; 0 for a store. anchor: whether the operation that sums reads it, so that nothing is
    computed before the first fill.
    """

    role: str
    bytes: Array
    count: Array
    pieces: Array
    exposed: bool
    fill: Array
    anchor: bool = False


@dataclass(frozen=True)
class Work:
    """What a schedule makes a kernel do, for every combination of tile sizes at once.

    steps: the number of operations that compute. points: on how many elements they do so together: terms of sums, and
    results once for every further step. That is the same for all tile sizes but where a step reads several elements.
    """

    transfers: tuple[Transfer, ...]
    steps: Array
    points: Array | int


class Hardware(Protocol):
    """What policies and the search ask of an accelerator. `Scratchpads` answers for any te target."""

    def memory(self, role: str) -> Memory:
        """Where buffers of a role ("input", "weight", "accumulator", "output") are."""
        ...

    @property
    def apart(self) -> frozenset[str]:
        """The names of memories in which virtual threads have no buffer in common, but one each."""
        ...

    def transfer_rank(self, role: str) -> int | None:
        """How many dimensions of a slice one instruction moves; None for any number."""
        ...

    @property
    def intrinsic(self) -> str:
        """The symbol of the te.intrin that a product of inputs and weights must become, or ""."""
        ...

    def cost(self, work: Work) -> Array:
        """What is to be least, for every combination of tile sizes.

        It must not fall where more is moved by more instructions: the search leaves out what cannot be cheapest.
        """
        ...

    def advise(self, memory: Memory, elements: int) -> str:
        """What a user can change so that a memory holds so many elements, or ""."""
        ...


def byte_cost(work: Work, per_transfer: int = 64, per_step: int = 16, exposed_share: int = 16) -> Array:
    """The bytes that are moved, and what else takes time as bytes that could have been moved meanwhile.

    per_transfer, per_step: what an instruction costs. exposed_share: a transfer that nothing overlaps costs this
    fraction more.
    """
    cost = per_step * work.steps
    for transfer in work.transfers:
        cost = cost + transfer.bytes + per_transfer * transfer.count
        if transfer.exposed:
            cost = cost + transfer.bytes // exposed_share
    return cost


@dataclass(frozen=True)
class Scratchpads:
    """Hardware as the target of a te.kernel declares it, with `byte_cost`; derived classes know more.

    memories: the memory of every role that has one. apart: see Hardware.
    """

    memories: Mapping[str, Memory]
    intrinsic: str = ""
    apart: frozenset[str] = frozenset()

    @classmethod
    def of(cls, target: ir.Attribute, intrinsic: str = "") -> Scratchpads:
        """Reads what a target says of itself, such as a #te.target; TypeError for another attribute."""
        memories: dict[str, Memory] = {}
        for known in _mlir.target_memories(target):
            width = known.type.width if isinstance(known.type, ir.IntegerType | ir.FloatType) else 64
            space = known.space
            name = space.value if isinstance(space, ir.StringAttr) else str(space)
            memory = Memory(name, space, known.capacity, math.prod(known.shape) * width, known.type)
            memories.update(dict.fromkeys(known.roles, memory))
        return cls(memories, intrinsic)

    def memory(self, role: str) -> Memory:
        """See Hardware; raises Unschedulable for a role without a memory."""
        if role not in self.memories:
            raise Unschedulable(f"the target has no memory that can play the role '{role}'")
        return self.memories[role]

    def transfer_rank(self, role: str) -> int | None:
        """See Hardware."""
        return None

    def cost(self, work: Work) -> Array:
        """See Hardware."""
        return byte_cost(work)

    def advise(self, memory: Memory, elements: int) -> str:
        """See Hardware."""
        return ""
