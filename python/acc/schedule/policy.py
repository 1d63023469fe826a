"""Lets a policy decide how the kernels of a target are scheduled, and holds it to what it decided."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from acc import ir
from acc.errors import AccError, CompileError
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


def make_schedules(
    module: ir.Module,
    target: str,
    policy: Policy,
    hardware: Callable[[ir.Attribute], Hardware],
    accept: Callable[[Estimate], str] | None = None,
) -> list[Decision]:
    """Writes `schedule` on every te.kernel whose target has that name, and reports the decisions.

    A kernel that the policy cannot schedule goes to the host instead, its decision the reason. hardware: what a
    kernel's target says of itself, such as `Scratchpads.of`. accept: why a kernel with such an estimate had better go
    to the host, or "". Raises CompileError with the names of all layers whose schedule is illegal.
    """
    decisions = []
    illegal = []
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
            key = (kernel.attributes["target"], footprint.signature)
            if key not in known:
                known[key] = _decide(policy, footprint, machine)
            schedule, expected = known[key]
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
        decisions.append(Decision(name, names, schedule, estimate=expected))
    if illegal:
        raise CompileError(
            "\n".join(f"the schedule of '{layer}' that the policy chose is illegal: {text}" for layer, text in illegal)
        )
    return decisions
