"""The target "cpu": its options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from acc import _mlir
from acc.errors import CompileError
from acc.targets.base import MIN_ALIGNMENT, Target, check_ties
from acc.targets.cpu.schedule import Tile

__all__ = ["Cpu", "CpuOptions"]


GUARD_BYTES = 64
"""What lies free before and behind every buffer of a model compiled with guards: a vector register, a cache line."""


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

    cpu: a name that LLVM knows, or "native" for this machine's; for another architecture that is "generic", what
    distributions are compiled for. features: changes to what it has, "+avx2,-avx512f". triple: of a 64-bit Linux with
    glibc, such as "aarch64-linux-gnu"; "" for this machine's.
    opt_level: LLVM's effort, 0 to 3. alignment: bytes every buffer is aligned to, a power of two, at least 64.
    guard: let the runtime look for writes outside of buffers and rows, kernel by kernel (docs/runtime.md). tuned: the
    tiles of contractions that were found before, by `Contraction.identity`. threads: how many the model uses unless it
    is told otherwise where it runs; None is all cores that there are for it.
    """

    cpu: str = "native"
    features: str = ""
    opt_level: int = 2
    alignment: int = MIN_ALIGNMENT
    guard: bool = field(default_factory=wants_guards)
    tuned: tuple[tuple[str, Tile], ...] = ()
    triple: str = ""
    threads: int | None = None

    @property
    def guard_bytes(self) -> int:
        """What lies free before and behind every buffer."""
        return GUARD_BYTES if self.guard else 0

    def facts(self) -> _mlir.TargetFacts:
        """What LLVM makes of it; raises CompileError for a triple, a processor or a feature that there is not."""
        if "," in self.cpu:
            raise CompileError(f"one processor is wanted here, not '{self.cpu}': models for several are compiled only")
        try:
            return _mlir.target_facts(self.cpu, self.features, self.triple)
        except ValueError as error:
            raise CompileError(str(error)) from None

    def all_features(self) -> list[str]:
        """Every feature the code may use; errors as of `facts`."""
        return self.facts().features

    def levels(self) -> tuple[CpuOptions, ...]:
        """The same for each of the processors in `cpu`, which are separated by commas.

        Raises CompileError if one of them has nothing that all before it lack: the best that a machine has is taken,
        and that is the last.
        """
        levels = tuple(replace(self, cpu=name.strip()) for name in self.cpu.split(","))
        features = [set(level.all_features()) for level in levels]
        for number, level in enumerate(levels[1:], 1):
            for before in range(number):
                if features[number] <= features[before]:
                    raise CompileError(
                        f"processor '{level.cpu}' has nothing that '{levels[before].cpu}' before it lacks: name "
                        "processors from the least to the best"
                    )
        return levels

    def is_foreign(self) -> bool:
        """Whether the code is for another architecture than this machine's; errors as of `facts`."""
        return self.facts().triple != _mlir.target_facts().triple


@dataclass(frozen=True)
class Cpu(Target):
    """Native code for every kernel. In a compilation for an accelerator it is the host."""

    name: ClassVar[str] = "cpu"
    title: ClassVar[str] = "native code"
    takes: ClassVar[Mapping[str, str]] = {"ties": "the rounding of ties"}

    options: CpuOptions = field(default_factory=CpuOptions)
    rounding_of_ties: str = "even"

    def __post_init__(self) -> None:
        """Raises CompileError for a rounding of ties that there is not."""
        check_ties(self.rounding_of_ties)

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Cpu:
        """See Target; the processor is an option of `acc.compile` itself, because every compilation has native code."""
        return cls(rounding_of_ties=options.get("ties", "even"))

    @property
    def ties(self) -> str:
        """See Target."""
        return self.rounding_of_ties
