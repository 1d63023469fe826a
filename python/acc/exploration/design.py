"""What an accelerator offers to those who explore its configurations: a space of designs, and what is known of each.

`Designs` is one accelerator on one kind of chip; `Design` a point of its space that is legal and fits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from acc.tuning.log import canonical

if TYPE_CHECKING:
    from acc.pipeline import Graph
    from acc.targets.base import Accelerator

__all__ = ["Design", "Designs", "Figures", "Illegal", "Knob", "Layer"]


@dataclass(frozen=True)
class Knob:
    """A whole number that a design can choose. default: what it is where a space does not name it. where: what it
    belongs to, for people.
    """

    name: str
    default: int
    where: str


class Illegal(Exception):
    """A point of a space is no design. rule: the one that it breaks, the same text for all points that break it."""

    def __init__(self, rule: str, detail: str = "") -> None:
        super().__init__(detail or rule)
        self.rule = rule


@dataclass(frozen=True)
class Layer:
    """A layer of a model on a design."""

    name: str
    cycles: int
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Figures:
    """A model on a design.

    cycles: of one run. native: kernels that the host runs. counts: what the energy is made of, by name. layers: in
    order, if they were asked for.
    """

    cycles: int
    native: int
    counts: Mapping[str, int]
    layers: tuple[Layer, ...] = ()
    native_layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Design:
    """A legal point.

    values: of all knobs. identity: what cycles and counts depend on, JSON-compatible. accelerator: what to compile for.
    timing_device: what counts its cycles. compile_options: of the accelerator, beside its configuration. predicted:
    resource to amount, and "fmax_mhz". shares: parts of the chip that it takes, by resource. mhz: its clock, unless it
    is routed. files: name to content, JSON-compatible. circuit: options of the circuit. summary: it in a few words.
    """

    values: Mapping[str, int]
    identity: Mapping[str, Any]
    accelerator: Accelerator
    timing_device: str
    compile_options: Mapping[str, Any]
    predicted: Mapping[str, float]
    shares: Mapping[str, float]
    mhz: float
    files: Mapping[str, Any]
    circuit: Mapping[str, Any]
    summary: str

    @property
    def key(self) -> str:
        """What tells it from other designs."""
        return canonical(dict(self.values))

    @property
    def area(self) -> float:
        """The part of the chip that it takes: of the resource of which it takes most."""
        return max(self.shares.values())


class Designs(ABC):
    """The designs of an accelerator for a device."""

    device: str
    knobs: Mapping[str, Knob]
    notes: Sequence[str] = ()
    """What users should know of the predictions."""

    @abstractmethod
    def usual(self) -> Mapping[str, Sequence[int]]:
        """The space where users give none."""

    @abstractmethod
    def make(self, values: Mapping[str, int], *, must_fit: bool = True) -> Design:
        """The design of some values, others are defaults. Raises Illegal, with a rule, for what is none."""

    @abstractmethod
    def workload(self, graph: Graph) -> Any:
        """What `estimate` must know of a model."""

    @abstractmethod
    def estimate(self, design: Design, workload: Any) -> Figures:
        """About what a model takes, in microseconds of work: for ranking. Cycles are about the least possible."""

    @abstractmethod
    def job(self, design: Design, model: bytes, options: Mapping[str, Any]) -> Any:
        """What a worker does to know the figures of a model: a `Work` of acc.tuning.workers.

        Its outcome is Figures, or an `Outcome` of acc.tuning.jobs that says why there are none. options: shapes and
        values, as `acc.compile` takes them.
        """

    @abstractmethod
    def profile_job(self, design: Design, model: bytes, options: Mapping[str, Any], tuning: str) -> Any:
        """The same for a whole compilation, with layers; tuning: a log that it obeys, or ""."""

    @abstractmethod
    def energy(self, design: Design, figures: Figures, mhz: float) -> float:
        """Joules of a run."""

    @abstractmethod
    def route(self, design: Design, mhz: float, progress: Any) -> dict[str, Any]:
        """Places and routes for a clock, and returns a row of the data that `learn` takes: "routed" is resource to
        amount, "fmax_mhz" the frequency that was reached.

        Raises Illegal if it does not fit, and ToolError if a tool fails. The device may have no such thing: RunError.
        """

    @abstractmethod
    def learn(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Takes rows of `route` into account from now on; how many of them could be used."""
