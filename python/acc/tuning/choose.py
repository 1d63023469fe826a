"""Lets a compilation obey tuning logs: the best that is known for this model, and for each of its kernels."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import warnings
from collections.abc import Sequence

from acc.devices import DeviceSpec, specs
from acc.errors import TuningWarning
from acc.pipeline import Graph, Options
from acc.schedule import Schedule
from acc.targets.base import Accelerator
from acc.targets.cpu.tuning import describe
from acc.tuning import network
from acc.tuning.log import Key, Log, canonical, version
from acc.tuning.native import NATIVE, find_tiles
from acc.tuning.network import State

__all__ = ["find_state", "obey", "read_logs"]

SHOWN = 3
"""How many lines that cannot be used are named one by one."""


def read_logs(paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> Log:
    """Reads logs; the lines that cannot be used are a TuningWarning."""
    several = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    log = Log.read(*several)
    if log.problems:
        shown = "; ".join(map(str, log.problems[:SHOWN]))
        more = f"; and {len(log.problems) - SHOWN:,} more" if len(log.problems) > SHOWN else ""
        lines = (
            "1 line of a tuning log is" if len(log.problems) == 1 else f"{len(log.problems):,} lines of tuning logs are"
        )
        warnings.warn(f"{lines} skipped: {shown}{more}", TuningWarning, stacklevel=2)
    return log


def find_state(log: Log, accelerator: Accelerator, device: DeviceSpec | None, graph: Graph) -> State | None:
    """What a log knows for an accelerator: of this model, or, where that is not there, of all kernels; None if nothing.

    What was found for the model is complete: a kernel that it does not name is quickest there by its default schedule,
    whatever is quickest when that kernel runs alone.
    """
    timing = canonical(accelerator.timing(device).description)
    whole = log.best(Key(version(), accelerator.name, timing, "network", network.digest(graph.module)))
    if whole is not None:
        with contextlib.suppress(ValueError):
            return State.from_dict(whole.choice)
    schedules: dict[str, Schedule] = {}
    for record in log.matching(accelerator.name, timing):
        if record.key.kind == "kernel":
            with contextlib.suppress(ValueError):
                schedules[record.key.what] = Schedule.from_dict(record.choice)
    return State({}, schedules) if schedules else None


def obey(options: Options, graph: Graph) -> Options:
    """The options of a compilation, with accelerators and native code that do what its logs say.

    graph: what `Pipeline.simplify` made. Lines that cannot be used are a TuningWarning, as is a log in which nothing is
    for these accelerators, or for this processor if there are none. Raises CompileError for a log that cannot be read.
    """
    log = read_logs(options.tuning)
    wanted = specs(options.tuning_device or None)
    told: list[Accelerator] = []
    unused: list[str] = []
    native = options.cpu
    processor = canonical(describe(native))
    has_native = any(log.matching(NATIVE, processor))
    if has_native:
        native = dataclasses.replace(native, tuned=find_tiles(log, native))
    elif not options.accelerators:
        unused.append(log.explain(NATIVE, processor))
    for accelerator in options.accelerators:
        known = next((spec for spec in wanted if spec.instruction_set in ("", accelerator.name)), None)
        state = find_state(log, accelerator, known, graph)
        if state is None:
            unused.append(log.explain(accelerator.name, canonical(accelerator.timing(known).description)))
            told.append(accelerator)
        else:
            told.append(accelerator.tuned(state.schedules, state.choices))
    if unused and len(unused) >= len(told) and not has_native:
        why = "; ".join(filter(None, unused)) or "it has no lines"
        warnings.warn(f"nothing of the tuning log is for this model's target: {why}", TuningWarning, stacklevel=2)
    return dataclasses.replace(options, accelerators=tuple(told), cpu=native)
