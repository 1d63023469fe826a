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
        mem_width=circuit.mem_data_width,
        log_queue=circuit.log_queue,
        log_tokens=circuit.log_tokens,
        log_max_burst=circuit.log_max_burst,
        log_outstanding=circuit.log_outstanding,
        log_acc_banks=circuit.log_acc_banks,
        functional=functional,
    )
