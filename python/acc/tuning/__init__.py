"""Tuning: schedules and choices for a model that are found by measuring them, and the log that keeps them.

`tune` searches (`tuner`, `search`, `network`) with workers on this machine or many (`workers`, `jobs`); `log` is what
it writes; `choose` lets a compilation obey.
"""

from acc.tuning.log import Log, Record
from acc.tuning.options import KernelResult, Options, Status, TuningResult
from acc.tuning.tuner import tune

__all__ = ["KernelResult", "Log", "Options", "Record", "Status", "TuningResult", "tune"]
