"""The cycle model (csim) of a circuit and its memory, as `simulator.device` is the circuit itself."""

from __future__ import annotations

from typing import Any

from acc.hardware.package import Circuit


def device(config: Any, circuit: Circuit | None = None, *, latency: int = 64, functional: bool = True) -> Any:
    """A `_runtime.Device` that counts the cycles of `circuit` with a memory of `latency` cycles.

    Unless `functional`, it leaves DRAM alone, which is all that takes long.
    """
    from acc._lib import _runtime

    circuit = circuit or Circuit()
    return _runtime.Device(
        "csim",
        config,
        latency=latency,
        **circuit.options,
        functional=functional,
    )
