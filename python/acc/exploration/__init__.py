"""Exploring hardware: configurations, circuits and clocks for a model, and the best of them for several objectives.

`explore` searches (`search`) the designs that an accelerator offers (`design`) with the workers of acc.tuning, and
writes a folder (`front`, `page`).
"""

from acc.exploration.explorer import explore
from acc.exploration.options import Front, Options, Point, Status

__all__ = ["Front", "Options", "Point", "Status", "explore"]
