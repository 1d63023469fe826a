"""Replaces the policy that decides how kernels of the accelerator are scheduled.

    python examples/schedule_policy.py model.onnx

A policy is given the footprint of a kernel (its axes, and what a tile of any size needs in every memory) and the
hardware; it returns a schedule. What it leaves out has a default, what does not fit is an error with the layer's name.
"""

from __future__ import annotations

import sys

import acc
from acc.schedule import Footprint, Hardware, Schedule, fits
from acc.targets.vta import Vta, VtaOptions


def halve_the_largest(footprint: Footprint, hardware: Hardware) -> Schedule:
    """Starts with everything in one tile, and halves the longest side until the buffers fit."""
    tiles = {axis.name: axis.extent for axis in footprint.axes}
    while not fits(Schedule(tiles), footprint, hardware):
        longest = max(tiles, key=lambda name: tiles[name])
        if tiles[longest] == 1:
            break
        tiles[longest] = (tiles[longest] + 1) // 2
    return Schedule(tiles)


if __name__ == "__main__":
    executable = acc.compile(sys.argv[1], target=Vta(VtaOptions(schedule=halve_the_largest)))
    for layer in executable.report():
        print(layer.name, layer.schedule or layer.reason)
