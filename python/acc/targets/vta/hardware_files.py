"""The accelerator as files, for those who build it: configuration, RTL, constraints, netlist and bitstream."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from acc.devices import kinds
from acc.errors import ConfigError
from acc.hardware.implementation import find_fpga, implement
from acc.hardware.package import Circuit, package
from acc.hardware.simulator import sources
from acc.targets.delivery import HardwareFiles, HardwareOrder

__all__ = ["make_hardware_files", "read_circuit"]

TIMED = "csim"
# What a circuit calls its options where the device that counts cycles calls them something else.
DEVICE_NAMES = {"mem_data_width": "mem_width"}
TOP = "acc_bench"


def read_circuit(chosen: Mapping[str, Any], device: str) -> Circuit:
    """A circuit of its options by name; raises ConfigError for what is none.

    Multipliers take as many DSP blocks as the device has, unless it says otherwise.
    """
    known = [field.name for field in dataclasses.fields(Circuit)]
    for name, value in chosen.items():
        if name not in known:
            raise ConfigError(f"the circuit has no option '{name}': it has {', '.join(known)}")
        if not (isinstance(value, int) or (value is None and name == "dsp_blocks")):
            raise ConfigError(f"the circuit's option {name} is a whole number, not '{value}'")
    circuit = Circuit(**chosen)
    if circuit.dsp_blocks is None:
        circuit = dataclasses.replace(circuit, dsp_blocks=find_fpga(device).capacity["dsp"])
    return circuit


def timing_device(circuit: Circuit) -> str:
    """The device that counts the cycles of a circuit."""
    kind = next(kind for kind in kinds() if kind.name == TIMED)
    options = {DEVICE_NAMES.get(name, name): value for name, value in dataclasses.asdict(circuit).items()}
    told = [f"{name}={value}" for name, value in sorted(options.items()) if value is not None and kind.has(name)]
    return f"{TIMED}:{','.join(told)}"


def make_hardware_files(config: Any, order: HardwareOrder) -> HardwareFiles:
    """See `Accelerator.hardware_files`. Without the tools for a netlist or a bitstream, they are left out."""
    circuit = read_circuit(order.circuit, order.device)
    folder = sources()
    rtl = {file.name: file.read_bytes() for file in sorted((folder / "rtl").glob("acc_*.sv"))}
    wrappers = {file.name: file.read_bytes() for file in sorted((folder / "synth").glob("*.sv"))}
    files = {
        "vta_config.json": (json.dumps(json.loads(config.to_json()), indent=2) + "\n").encode(),
        "rtl/acc_pkg.sv": package(config, circuit).encode(),
        **{f"rtl/{name}": contents for name, contents in rtl.items()},
        "rtl/files.f": "".join(f"{name}\n" for name in ("acc_pkg.sv", *rtl)).encode(),
        **{f"synth/{name}": contents for name, contents in wrappers.items()},
        "synth/constraints.lpf": _lpf(order).encode(),
        "synth/constraints.sdc": _sdc(order).encode(),
    }
    made = implement(
        config,
        circuit,
        device=order.device,
        target_mhz=order.target_mhz,
        netlist=order.netlist,
        bitstream=order.bitstream,
        progress=order.progress,
    )
    return HardwareFiles(
        files=files | {f"synth/{name}": contents for name, contents in made.files.items()},
        left_out={f"synth/{name}": why for name, why in made.left_out.items()},
        circuit=dataclasses.asdict(circuit),
        timing_device=timing_device(circuit),
        versions=made.versions,
        figures=made.figures,
    )


def _lpf(order: HardwareOrder) -> str:
    return (
        f"# The clock of {TOP}, the core behind few pins, for {order.device}. A board adds LOCATE COMP for its pins.\n"
        f'FREQUENCY PORT "clk" {order.target_mhz:g} MHz;\n'
    )


def _sdc(order: HardwareOrder) -> str:
    period = 1000 / order.target_mhz
    return (
        f"# {order.target_mhz:g} MHz for the only clock, of acc_core and of {TOP} alike.\n"
        f"create_clock -name clk -period {period:.4f} [get_ports clk]\n"
    )
