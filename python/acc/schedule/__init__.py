"""How kernels of accelerators are scheduled: the footprint, the language, the hardware, the space and its search.

A schedule policy is a callable that is given the `Footprint` of a kernel and the `Hardware`, and returns a `Schedule`.
`make_schedules` lets it decide for all kernels of a target; `Search` is the policy for those who have none.
"""

from acc.schedule.footprint import Axis, Buffer, Footprint, Form, Unschedulable, read_footprint
from acc.schedule.hardware import Array, Hardware, Memory, Scratchpads, Transfer, Work, byte_cost
from acc.schedule.language import IllegalSchedule, Schedule, complete, to_attribute
from acc.schedule.policy import Policy, make_schedules
from acc.schedule.search import Search, legal_schedules, random_schedule
from acc.schedule.space import Estimate, estimate, fits

__all__ = [
    "Array",
    "Axis",
    "Buffer",
    "Estimate",
    "Footprint",
    "Form",
    "Hardware",
    "IllegalSchedule",
    "Memory",
    "Policy",
    "Schedule",
    "Scratchpads",
    "Search",
    "Transfer",
    "Unschedulable",
    "Work",
    "byte_cost",
    "complete",
    "estimate",
    "fits",
    "legal_schedules",
    "make_schedules",
    "random_schedule",
    "read_footprint",
    "to_attribute",
]
