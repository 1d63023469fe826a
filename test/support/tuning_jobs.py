"""Jobs that do nothing useful, for tests of who does them; workers import this module."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from acc.targets.base import Measurement
from acc.tuning.jobs import Outcome


@dataclass(frozen=True)
class Count:
    """Takes `seconds` and has `number` cycles."""

    number: int
    seconds: float = 0.0

    def run(self) -> Outcome:
        time.sleep(self.seconds)
        return Outcome(Measurement(self.number, 0, 0))


@dataclass(frozen=True)
class Deadly:
    """Kills the worker that does it, as long as fewer than `times` of them have died; `trace` counts them."""

    trace: str
    times: int

    def run(self) -> Outcome:
        with open(self.trace, "ab") as file:
            file.write(b".")
        if Path(self.trace).stat().st_size <= self.times:
            os.kill(os.getpid(), signal.SIGKILL)
        return Outcome(Measurement(1, 0, 0))
