"""The flags of the command line for target "c"."""

from __future__ import annotations

from acc.targets import Flag

FLAGS: tuple[Flag, ...] = ()
