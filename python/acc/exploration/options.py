"""What an exploration is told, and what it says."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from acc.errors import CompileError

__all__ = ["OBJECTIVES", "STRATEGIES", "Front", "Options", "Point", "Progress", "Status"]

OBJECTIVES: Mapping[str, tuple[str, float, str]] = {
    "latency": ("ms", 1e3, "time of a run: cycles over frequency"),
    "area": ("%", 1e2, "part of the device, of the resource of which most is taken"),
    "energy": ("mJ", 1e3, "of a run"),
}
"""What can be minimized, its unit, how much of that is one, and what it is."""
STRATEGIES = ("guided", "sampler", "random")


@dataclass(frozen=True)
class Options:
    """How to search, and how long.

    objectives: of OBJECTIVES. trials: how many designs are counted on the cycle model at most, None for no limit.
    seconds: how long the search may take at most. jobs: processes that measure. seed: of what is drawn. resume: go on
    from what the folder has. points: at most so many are kept of the front. route: so many of them are placed and
    routed, the best by the product of the objectives first. tune: measurements that a tuner may spend on each point.
    strategy: "guided", the library's own "sampler", or "random", the last two for comparison.
    """

    objectives: tuple[str, ...] = tuple(OBJECTIVES)
    trials: int | None = 100
    seconds: float | None = None
    jobs: int = 2
    seed: int = 0
    resume: bool = False
    points: int = 12
    route: int = 0
    tune: int = 0
    strategy: str = "guided"

    def __post_init__(self) -> None:
        """Raises CompileError for what means nothing."""
        if not self.objectives or len(set(self.objectives)) != len(self.objectives):
            raise CompileError("objectives are one or more different ones of " + ", ".join(OBJECTIVES))
        for name in self.objectives:
            if name not in OBJECTIVES:
                raise CompileError(f"there is no objective '{name}': choose of {', '.join(OBJECTIVES)}")
        for name, least in (("trials", 1), ("jobs", 1), ("seed", 0), ("points", 1), ("route", 0), ("tune", 0)):
            value = getattr(self, name)
            if not (value is None and name == "trials") and (type(value) is not int or value < least):
                raise CompileError(f"{name} is {value!r}: it is a whole number from {least} on")
        if self.seconds is not None and not 0 < self.seconds < float("inf"):
            raise CompileError(f"seconds is {self.seconds!r}: it is a positive number")
        if self.trials is None and self.seconds is None:
            raise CompileError("an exploration needs an end: give trials, or seconds")
        if self.strategy not in STRATEGIES:
            raise CompileError(f"there is no strategy '{self.strategy}': choose one of {', '.join(STRATEGIES)}")


@dataclass(frozen=True)
class Status:
    """How far it is: what it does, designs counted, designs on the front, seconds, and the best of each objective."""

    stage: str
    trials: int
    limit: int | None
    front: int
    seconds: float
    best: Mapping[str, float]

    def __str__(self) -> str:
        """One line for people."""
        limit = f" of {self.limit:,}" if self.limit is not None else ""
        left = ""
        if self.limit is not None and 0 < self.trials < self.limit:
            left = f", {self.seconds / self.trials * (self.limit - self.trials):.0f} s left"
        best = ", ".join(f"{name} {show(name, value)}" for name, value in self.best.items())
        return f"{self.stage}: {self.trials:,}{limit} designs{left}, {self.front} on the front; best {best}"


Progress = Callable[[Status], None]


def show(objective: str, value: float) -> str:
    """A value of an objective with its unit."""
    unit, scale, _ = OBJECTIVES[objective]
    return f"{value * scale:.4g} {unit}"


@dataclass(frozen=True)
class Point:
    """A design of the front; name: of its folder, data: what its point.json has, files: what is beside it."""

    name: str
    data: Mapping[str, Any]
    files: Mapping[str, Any] = field(default_factory=dict)

    def objective(self, name: str) -> float:
        """The value of an objective."""
        return float(self.data[name])


@dataclass(frozen=True)
class Front:
    """What an exploration found. default: as a point, the design that all knobs' defaults are, whether it fits or not;
    None if the model does not run on it.

    trials: designs that were counted; failed: by reason, how many were no design or could not be counted. notes: what
    users should know.
    """

    device: str
    model: str
    objectives: tuple[str, ...]
    points: tuple[Point, ...]
    default: Point | None
    trials: int
    failed: Mapping[str, int]
    notes: tuple[str, ...]
    seconds: float
    space: Mapping[str, tuple[int, ...]]
    evaluated: tuple[Mapping[str, float], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON: what front.json has."""
        data = dataclasses.asdict(self)
        data["points"] = [{"name": point.name, **point.data} for point in self.points]
        data["default"] = None if self.default is None else dict(self.default.data)
        return {"format": "acc-front-1", **data}

    def table(self) -> str:
        """For people."""
        from acc.report import format_table

        names = list(self.points[0].data["predicted"]) if self.points else []
        header = ["point", "design", "cycles", *(f"{name} {OBJECTIVES[name][0]}" for name in OBJECTIVES), *names, ""]
        rows = []
        shown = [*self.points, *([self.default] if self.default is not None else [])]
        for point in shown:
            data = point.data
            figures = data["routed"] or data["predicted"]
            values = [f"{data[name] * OBJECTIVES[name][1]:,.4g}" for name in OBJECTIVES]
            resources = [
                f"{figures[name]:,.1f}" if isinstance(figures[name], float) else f"{figures[name]:,}" for name in names
            ]
            how = "routed" if data["routed"] else "predicted"
            rows.append([point.name, data["summary"], f"{data['cycles']:,}", *values, *resources, how])
        text = format_table(rows, header)
        text += f"\n\n{self.trials:,} designs counted in {self.seconds:.0f} s for {self.device}"
        for reason, count in sorted(self.failed.items(), key=lambda item: -item[1])[:5]:
            text += f"\n{count:,} left out: {reason}"
        return text + "".join(f"\n{note}" for note in self.notes)
