"""The flags of the command line for target "cpu": none, because native code is part of every compilation."""

from __future__ import annotations

from acc.targets import Flag

FLAGS: tuple[Flag, ...] = ()
