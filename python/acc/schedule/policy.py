"""Lets a policy decide how the kernels of a target are scheduled, and holds it to what it decided."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TypeAlias

from acc import ir
from acc.errors import AccError, CompileError, TuningWarning
from acc.schedule.footprint import Footprint, Unschedulable, read_footprint
from acc.schedule.hardware import Hardware
from acc.schedule.language import IllegalSchedule, Schedule, complete, to_attribute
from acc.schedule.space import Estimate, estimate
from acc.targets.base import Decision

__all__ = ["Policy", "make_schedules"]

Policy: TypeAlias = Callable[[Footprint, Hardware], Schedule]
"""Decides how a kernel is scheduled; raises Unschedulable, with the reason, to give it to the host."""


def _decide(policy: Policy, footprint: Footprint, hardware: Hardware) -> tuple[Schedule, Estimate]:
    """The policy's schedule, complete; IllegalSchedule if it is none, or if the policy itself fails."""
    memories: dict[int, str] = {}
    for buffer in footprint.buffers:
        name = hardware.memory(buffer.role).name
        if buffer.arg is not None and memories.setdefault(buffer.arg, name) != name:
            raise Unschedulable(f"argument {buffer.arg} is needed in two memories")
    try:
        chosen = policy(footprint, hardware)
    except (Unschedulable, IllegalSchedule, AccError, MemoryError):
        raise
    except Exception as error:
        raise IllegalSchedule(f"the policy fails with {type(error).__name__}: {error}") from error
    schedule = complete(chosen, footprint)
    return schedule, estimate(schedule, footprint, hardware)


def _obey(
    schedule: Schedule, footprint: Footprint, hardware: Hardware, layers: tuple[str, ...]
) -> tuple[Schedule, Estimate] | None:
    """A schedule that was found before, complete; None, with a warning, if the kernel cannot have it."""
    try:
        whole = complete(schedule, footprint)
        return whole, estimate(whole, footprint, hardware)
    except IllegalSchedule as why:
        name = ", ".join(layers) or footprint.name
        warnings.warn(f"the tuned schedule of '{name}' is illegal: {why}: it is left out", TuningWarning, stacklevel=2)
        return None


def make_schedules(
    module: ir.Module,
    target: str,
    policy: Policy,
    hardware: Callable[[ir.Attribute], Hardware],
    accept: Callable[[Estimate], str] | None = None,
    tuned: Mapping[str, Schedule] | None = None,
) -> list[Decision]:
    """Writes `schedule` on every te.kernel whose target has that name, and reports the decisions.

    A kernel that the policy cannot schedule goes to the host instead, its decision the reason. hardware: what a
    kernel's target says of itself, such as `Scratchpads.of`. accept: why a kernel with such an estimate had better go
    to the host, or "". tuned: schedules by `Footprint.identity`, for which the policy is not asked; one that is illegal
    is a TuningWarning. Raises CompileError with the names of all layers whose schedule of the policy is illegal.
    """
    decisions = []
    illegal = []
    tuned = tuned or {}
    known: dict[tuple[ir.Attribute, str], tuple[Schedule, Estimate]] = {}
    for kernel in module.body:
        if kernel.name != "te.kernel" or kernel.attributes["target"].value != target:
            continue
        name = kernel.attributes["sym_name"].value
        layers = kernel.attributes.get("layers")
        names = tuple(layers.value) if layers is not None else ()
        try:
            footprint = read_footprint(kernel)
            machine = hardware(kernel.attributes["target"])
            found = _obey(tuned[footprint.identity], footprint, machine, names) if footprint.identity in tuned else None
            if found is None:
                key = (kernel.attributes["target"], footprint.signature)
                if key not in known:
                    known[key] = _decide(policy, footprint, machine)
                found = known[key]
            schedule, expected = found
            attribute = to_attribute(schedule, footprint, machine, kernel.context)
            if accept is not None and (reason := accept(expected)):
                raise Unschedulable(reason)
        except IllegalSchedule as error:
            illegal.append((", ".join(names) or name, str(error)))
            continue
        except Unschedulable as why:
            kernel.attributes["target"] = ir.Attribute.parse("#te.host", kernel.context)
            decisions.append(Decision(name, names, None, str(why)))
            continue
        kernel.attributes["schedule"] = attribute
        decisions.append(Decision(name, names, schedule, estimate=expected, footprint=footprint))
    if illegal:
        raise CompileError(
            "\n".join(f"the schedule of '{layer}' that the policy chose is illegal: {text}" for layer, text in illegal)
        )
    return decisions
