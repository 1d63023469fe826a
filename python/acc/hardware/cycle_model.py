"""What the cycle model (csim) is to model: a circuit and its memory, as `simulator.provide` has it for the circuit."""

from __future__ import annotations

from typing import Any

from acc.hardware.package import Circuit


def provide(config: Any, circuit: Circuit | None = None, *, latency: int = 64, functional: bool = True) -> None:
    """Makes the device `csim` of this configuration model `circuit` with a memory of `latency` cycles.

    Without it, csim has a circuit and a memory as they are by default. Unless `functional`, it leaves DRAM alone, which
    is all that takes long.
    """
    from acc._lib import _runtime

    circuit = circuit or Circuit()
    _runtime.provide_csim(
        config,
        latency,
        circuit.mem_data_width,
        circuit.log_queue,
        circuit.log_tokens,
        circuit.log_max_burst,
        circuit.log_outstanding,
        functional,
    )
