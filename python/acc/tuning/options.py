"""What a tuner is told, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from acc.errors import CompileError

__all__ = ["KernelResult", "Options", "Progress", "Status", "TuningResult"]


@dataclass(frozen=True)
class Options:
    """How long to search, and who does it.

    trials: how many measurements at most; None for as many as it takes until nothing is found any more. seconds: how
    long at most. jobs: processes that measure at the same time. ray: the address of a Ray cluster whose processors
    measure instead. resume: count what the log has already among the trials. seed: of what is drawn at random.
    """

    trials: int | None = None
    seconds: float | None = None
    jobs: int = 2
    ray: str | None = None
    resume: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises CompileError for numbers that mean nothing."""
        for name, least in (("trials", 1), ("jobs", 1), ("seed", 0)):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < least):
                raise CompileError(f"{name} is {value!r}: it is a whole number from {least} on")
        if self.seconds is not None and not 0 < self.seconds < float("inf"):
            raise CompileError(f"seconds is {self.seconds!r}: it is a positive number")


@dataclass(frozen=True)
class Status:
    """How far a search is: what it does, trials, trials per second, the seconds left if they are known, and the cost of
    the whole model before and now, in cycles or seconds.
    """

    stage: str
    trials: int
    rate: float
    seconds_left: float | None
    default: float
    best: float

    def __str__(self) -> str:
        """One line for people."""
        gain = 100 * (1 - self.best / self.default) if self.default else 0.0
        left = "" if self.seconds_left is None else f", {self.seconds_left:.0f} s left"
        return (
            f"{self.stage}: {self.trials:,} trials, {self.rate:.0f}/s{left}, best {self.best:,.7g} ({gain:.1f} % less)"
        )


Progress = Callable[[Status], None]


@dataclass(frozen=True)
class KernelResult:
    """A kernel of the model alone: how often it is there, its costs with the default and the best schedule, the least
    cost that any could have (0 if unknown), how many schedules there are, how many were tried, and the best one.
    """

    name: str
    count: int
    default: float
    best: float
    bound: float
    space: int
    trials: int
    schedule: str


@dataclass(frozen=True)
class TuningResult:
    """What a search found. default, best and bound: of the whole model, in `unit`. choices: what is not the default."""

    target: str
    unit: str
    default: float
    best: float
    bound: float
    kernels: tuple[KernelResult, ...]
    trials: int
    failed: int
    lost_workers: int
    seconds: float
    choices: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        import dataclasses

        return dataclasses.asdict(self)

    def table(self) -> str:
        """For people."""
        from acc.report import format_table

        def number(value: float) -> str:
            return f"{value:,.0f}" if self.unit == "cycles" else f"{1000 * value:,.3f}"

        header = ["kernel", "times", "default", "tuned", "gain %", "bound", "gap %", "space", "tried", "schedule"]
        rows = []
        for kernel in self.kernels:
            gain = 100 * (1 - kernel.best / kernel.default) if kernel.default else 0.0
            gap = [number(kernel.bound), f"{100 * (kernel.best / kernel.bound - 1):.1f}"] if kernel.bound else ["", ""]
            costs = [number(kernel.default), number(kernel.best), f"{gain:.1f}"]
            counts = [f"{kernel.space:,}", f"{kernel.trials:,}"]
            rows.append([kernel.name, str(kernel.count), *costs, *gap, *counts, kernel.schedule])
        unit = "cycles" if self.unit == "cycles" else "ms"
        gain = 100 * (1 - self.best / self.default) if self.default else 0.0
        text = format_table(rows, header)
        text += f"\n\nwhole model: {number(self.default)} {unit}, tuned {number(self.best)} ({gain:.1f} % less)"
        if self.bound:
            share = f"{self.bound / self.default:.1%} of the default and {self.bound / self.best:.1%} of the tuned"
            text += f"; no schedule takes less than {number(self.bound)}, {share}"
        for name, value in self.choices.items():
            text += f"\n{name}: {value}"
        text += f"\n{self.trials:,} trials in {self.seconds:.0f} s"
        text += f", {self.failed:,} of them failed" if self.failed else ""
        text += f", {self.lost_workers:,} workers lost" if self.lost_workers else ""
        return text
