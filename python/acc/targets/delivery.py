"""What an accelerator delivers as hardware: what is asked of it, and the files that it answers with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["HardwareFiles", "HardwareOrder"]


def _silent(step: str, detail: str) -> None:
    pass


@dataclass(frozen=True)
class HardwareOrder:
    """Which hardware is wanted, and how far it is made.

    circuit: what it chooses beyond its configuration, by name. device: the kind of chip. target_mhz: the clock that is
    aimed at. netlist, bitstream: whether it is synthesized, and placed and routed. progress: told each step, and how
    far it is.
    """

    circuit: Mapping[str, Any]
    device: str
    target_mhz: float
    netlist: bool = True
    bitstream: bool = False
    progress: Callable[[str, str], None] = _silent


@dataclass(frozen=True)
class HardwareFiles:
    """Hardware as files.

    files: contents by path. left_out: why a file is not there, by path. circuit: all that it chooses, with defaults.
    timing_device: what counts its cycles, as `--device` takes it. versions: of tools. figures: what tools found out,
    such as the frequency after routing.
    """

    files: Mapping[str, bytes]
    left_out: Mapping[str, str]
    circuit: Mapping[str, Any]
    timing_device: str
    versions: Mapping[str, str]
    figures: Mapping[str, Any]
