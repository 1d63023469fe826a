"""Estimates for a chip: the same RTL through yosys with standard cells, and OpenSTA for frequency and power.

Cells are those of a liberty file, memories those of a model (`data/osu018.toml` has both). Nothing is placed: there are
no wires, no clock tree and no filler, so a real chip is larger and slower. Figures are for comparing designs.
"""

from __future__ import annotations

import importlib.resources
import json
import math
import os
import shutil
import tempfile
import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from acc.errors import ConfigError
from acc.files import read_bytes
from acc.hardware.package import Circuit, package
from acc.hardware.simulator import sources
from acc.hardware.synthesis import Progress, _tool, run_script
from acc.hardware.toolchain import ToolError

__all__ = ["GEMMINI", "AsicEstimate", "Library", "estimate_asic", "read_library"]

PREFIX = "asic"
DEFAULT = "osu018"
CORE, MULTIPLIERS = "acc_core", "acc_dot"

GEMMINI = (
    "for comparison: the mesh alone of Gemmini, 1,024 processing elements without memories: 0.93 mm2 in nangate45, "
    "4.9 mm2 in sky130 (HighTide, pull request 87)"
)

SYNTHESIS = """
import json, sys
from pyosys import libyosys as ys
job = json.load(open(sys.argv[1]))
design = ys.Design()
def run(command):
    ys.run_pass(command, design)
run("read_slang --unroll-limit 2000000 --top %s %s" % (job["top"], " ".join(job["files"])))
run("hierarchy -top " + job["top"])
run("proc; flatten; opt -full; wreduce; peepopt; opt_clean; alumacc; memory -nomap; opt_clean")
run("write_json coarse.json")
found = {}
for name, cell in json.load(open("coarse.json"))["modules"][job["top"]]["cells"].items():
    if cell["type"] == "$mem_v2":
        number = {key: int(cell["parameters"][key], 2) for key in ("SIZE", "WIDTH", "RD_PORTS", "WR_PORTS")}
        clocked = cell["parameters"]["RD_CLK_ENABLE"] == "1"
        large = number["SIZE"] * number["WIDTH"] >= job["least_bits"]
        if large and clocked and number["RD_PORTS"] == number["WR_PORTS"] == 1:
            found.setdefault((number["SIZE"], number["WIDTH"]), 0)
            found[number["SIZE"], number["WIDTH"]] += 1
with open("memories.txt", "w") as file:
    for size, width in found:
        bits = (size - 1).bit_length()
        # Less than a flip-flop for each bit, which yosys would take otherwise, and less for what is smaller.
        cost = size * width // 64
        file.write("ram block $__SRAM_%dX%d { abits %d; width %d; cost %d;" % (size, width, bits, width, cost))
        file.write(' init any; port sw "W" { clock posedge; } port sr "R" { clock posedge; rden; } }\\n')
json.dump([[size, width, count] for (size, width), count in found.items()], open("memories.json", "w"))
run('setattr -set ram_style "logic" t:$mem_v2')
for size, width in found:
    run("setattr -unset ram_style t:$mem_v2 r:SIZE=%d %%i r:WIDTH=%d %%i" % (size, width))
if found:
    run("memory_libmap -lib memories.txt")
for size, width in found:
    run("chtype -set SRAM_%dX%d t:$__SRAM_%dX%d" % (size, width, size, width))
    run("setparam -unset INIT t:SRAM_%dX%d" % (size, width))
run("memory_map; opt -full; techmap; opt; setattr -unset init w:*")
run("dfflegalize -cell $_DFF_P_ x; opt_clean; dfflibmap -liberty " + job["liberty"])
# yosys's own script, and buffers for whatever drives many cells, flip-flops too.
script = "+strash;ifraig;scorr;dc2;dch,-f;map,-B,0.9,{D};topo;buffer,-c,-p,-N,12;topo;upsize,{D};dnsize,{D}"
run("abc -liberty %s -D %d -script %s" % (job["liberty"], job["period_ps"], script))
run("setundef -zero; opt_clean -purge")
run("tee -q -o cells.json stat -json -liberty " + job["liberty"])
run("write_verilog -noattr -noexpr netlist.v")
"""

TIMING = """
read_liberty {liberty}
read_liberty sram.lib
read_verilog netlist.v
link_design {top}
create_clock -name clk -period {period} [get_ports clk]
report_worst_slack
set_power_activity -global -activity {activity}
report_power -digits 6
exit
"""

ACTIVITY = 0.1
"""How often signals change in a cycle, for power: what one assumes of a circuit that nobody has simulated."""


@dataclass(frozen=True)
class Library:
    """Standard cells and a model of memories; `data/osu018.toml` says what the numbers are.

    liberty: the file of cells. install: how one gets it.
    """

    name: str
    liberty: Path
    install: str
    least_bits: int
    bit_um2: float
    efficiency: float
    macro_um2: float
    access_ns: float
    access_ns_per_doubling: float
    setup_ns: float
    bit_pj: float
    bit_pj_per_word: float

    def sram_um2(self, words: int, width: int) -> float:
        """The area of a memory."""
        return words * width * self.bit_um2 / self.efficiency + self.macro_um2

    def sram_ns(self, words: int) -> float:
        """From clock to output."""
        return self.access_ns + self.access_ns_per_doubling * math.log2(words)

    def sram_pj(self, words: int, width: int) -> float:
        """The energy of one word read or written."""
        return width * (self.bit_pj + self.bit_pj_per_word * words)


@dataclass(frozen=True)
class AsicEstimate:
    """An estimate, not a chip: nothing is placed.

    library: its name. cell_um2: all standard cells; sequential_um2: the flip-flops of these. sram_um2: memories, by the
    model; memories: words, width and how many. multipliers_um2: one of the dot products of the GEMM core times their
    number, synthesized alone. fmax_mhz: the worst path between registers. cells_mw: cells at fmax with signals that
    change in every tenth cycle; sram_mw: memories, every one read and written in every cycle, at most therefore.
    """

    config: dict[str, Any]
    circuit: dict[str, Any]
    library: str
    target_mhz: float
    cells: int
    cell_um2: float
    sequential_um2: float
    sram_um2: float
    memories: list[list[int]]
    multipliers_um2: float
    fmax_mhz: float
    cells_mw: float
    sram_mw: float

    def table(self) -> str:
        """For people, with what it is not."""
        rows = [
            ("library", self.library),
            (
                "standard cells",
                f"{self.cells:,}, {self.cell_um2 / 1e6:.3f} mm2 ({self.sequential_um2 / 1e6:.3f} flip-flops)",
            ),
            ("GEMM core alone", f"{self.multipliers_um2 / 1e6:.3f} mm2: multipliers and adder trees"),
            ("memories, model", f"{sum(n for _, _, n in self.memories)}, {self.sram_um2 / 1e6:.3f} mm2"),
            ("MHz", f"{self.fmax_mhz:.1f}, without wires"),
            ("mW at this clock", f"{self.cells_mw:.1f} cells, at most {self.sram_mw:.1f} memories"),
        ]
        lines = [f"{name:16} {text}" for name, text in rows]
        return "\n".join(["ESTIMATE: synthesized, not placed; no wires, no clock tree", *lines, GEMMINI])


def read_library(device: str) -> Library:
    """The library of `asic`, `asic:osu018` or `asic:FILE.toml`. Raises ConfigError, or ToolError if it is missing."""
    name = device.partition(":")[2] or DEFAULT
    inside = Path(str(importlib.resources.files("acc"))) / "hardware" / "data" / f"{name}.toml"
    path = inside if name.isidentifier() and inside.is_file() else Path(name)
    if path is not inside and path.suffix != ".toml":
        raise ConfigError(f"there is no library '{name}': {DEFAULT}, or a .toml file like that of {DEFAULT}")
    try:
        data = tomllib.loads(read_bytes(path, ConfigError).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"'{path}' is not TOML: {error}") from None
    values = {**data, **data.get("sram", {})} if isinstance(data.get("sram", {}), dict) else data
    for field in fields(Library):
        kind = str if field.name in ("name", "liberty", "install") else (int, float)
        value = values.get(field.name)
        if not isinstance(value, kind) or (not isinstance(value, str) and value < 0):
            raise ConfigError(f"'{path}' has no '{field.name}', or something else than it should be")
    if not 0 < values["efficiency"] <= 1:
        raise ConfigError(f"'{path}': efficiency is {values['efficiency']}, and a part of 1")
    liberty = path.parent / values["liberty"]
    if not liberty.is_file():
        raise ToolError(f"the standard cells '{liberty}' are not there: {values['install']}")
    known = {field.name: values[field.name] for field in fields(Library)}
    return Library(**{**known, "liberty": liberty.resolve()})


def estimate_asic(
    config: Any,
    circuit: Circuit | None = None,
    *,
    device: str = PREFIX,
    target_mhz: float = 100.0,
    progress: Progress = lambda step, detail: None,
) -> AsicEstimate:
    """Synthesizes the core with standard cells; minutes. config: an `acc._lib._runtime.Config`.

    Raises ConfigError for a library that there is not, ToolError if a tool is missing or fails.
    """
    library = read_library(device)
    circuit = circuit or Circuit()
    _tool("pyosys")
    sta = shutil.which("sta")
    if sta is None:
        raise ToolError("OpenSTA, which counts nanoseconds, is not installed: apt-get install opensta")
    period = 1000 / target_mhz
    with tempfile.TemporaryDirectory(prefix="acc-asic-") as name:
        work = Path(name)
        (work / "acc_pkg.sv").write_text(package(config, circuit))
        files = ["acc_pkg.sv", *map(os.fspath, sorted((sources() / "rtl").glob("acc_*.sv")))]
        job = {
            "files": files,
            "liberty": os.fspath(library.liberty),
            "least_bits": library.least_bits,
            "period_ps": round(1000 * period),
        }

        def synthesize(top: str) -> dict[str, Any]:
            (work / "job.json").write_text(json.dumps({**job, "top": top}))
            run_script(SYNTHESIS, ["job.json"], work, f"synthesis of {top}", progress)
            return json.loads((work / "cells.json").read_text())["design"]

        one = synthesize(MULTIPLIERS)
        core = synthesize(CORE)
        memories: list[list[int]] = json.loads((work / "memories.json").read_text())
        (work / "sram.lib").write_text(_sram_liberty(library, memories))
        script = TIMING.format(liberty=library.liberty, top=CORE, period=period, activity=ACTIVITY)
        (work / "timing.tcl").write_text(script)
        slack, milliwatts = _run_timing(sta, work, progress)
    # Cells' power grows with the clock, but for what leaks, which is next to nothing here.
    mhz = 1000 / max(period - slack, 1e-3)
    words = sum(count * library.sram_pj(size, width) for size, width, count in memories)
    return AsicEstimate(
        config=json.loads(config.to_json()),
        circuit=asdict(circuit),
        library=library.name,
        target_mhz=target_mhz,
        cells=int(core["num_cells"]) - sum(count for _, _, count in memories),
        cell_um2=float(core["area"]),
        sequential_um2=float(core["sequential_area"]),
        sram_um2=sum(count * library.sram_um2(size, width) for size, width, count in memories),
        memories=memories,
        multipliers_um2=float(one["area"]) * config.batch * config.block_out,
        fmax_mhz=mhz,
        cells_mw=milliwatts * mhz / target_mhz,
        sram_mw=2 * words * mhz * 1e-3,
    )


def _run_timing(sta: str, work: Path, progress: Progress) -> tuple[float, float]:
    """The worst slack in ns, and milliwatts of the cells at the clock of the script."""
    run_script(
        "import subprocess, sys; sys.exit(subprocess.run([sys.argv[1], '-exit', 'timing.tcl'],"
        " stdout=open('timing.log', 'w'), stderr=subprocess.STDOUT).returncode)",
        [sta],
        work,
        "timing",
        progress,
    )
    slack = watts = None
    log = (work / "timing.log").read_text(errors="replace")
    for line in log.splitlines():
        words = line.split()
        if words[:2] == ["worst", "slack"]:
            slack = float(words[2])
        elif words[:1] == ["Total"] and len(words) >= 5:
            watts = float(words[4])
    if slack is None or watts is None:
        raise ToolError(f"OpenSTA says nothing of slack and power: {'; '.join(log.splitlines()[-3:])}")
    return slack, 1e3 * watts


def _sram_liberty(library: Library, memories: list[list[int]]) -> str:
    """Cells for memories, with delays of the model and no power, which is added by itself."""
    types: dict[int, None] = {}
    cells = []
    for size, width, _ in memories:
        bits = (size - 1).bit_length()
        types |= {bits: None, width: None}

        def pin(name: str, direction: str, timing: str, wide: int = 0) -> str:
            load = "capacitance : 0.005;" if direction == "input" else "max_capacitance : 10;"
            # OpenSTA drops what is said of a bus before its type.
            kind = f"bus_type : bus{wide};" if wide else ""
            return f"{name} {{ {kind} direction : {direction}; {load} {timing} }}"

        def setup(clock: str) -> str:
            value = f'(scalar) {{ values ("{library.setup_ns}"); }}'
            return (
                f'timing () {{ related_pin : "{clock}"; timing_type : setup_rising;'
                f" rise_constraint {value} fall_constraint {value} }}"
            )

        delay = f'values ("{library.sram_ns(size):.3f}");'
        out = (
            'timing () { related_pin : "PORT_R_CLK"; timing_type : rising_edge;'
            f" cell_rise (scalar) {{ {delay} }} cell_fall (scalar) {{ {delay} }}"
            ' rise_transition (scalar) { values ("0.1"); } fall_transition (scalar) { values ("0.1"); } }'
        )
        pins = [
            f"pin (PORT_{port}_CLK) {{ direction : input; clock : true; capacitance : 0.02; }}" for port in ("R", "W")
        ]
        for port, enable in (("R", "RD_EN"), ("W", "WR_EN")):
            clock = f"PORT_{port}_CLK"
            pins.append(pin(f"pin (PORT_{port}_{enable})", "input", setup(clock)))
            pins.append(pin(f"bus (PORT_{port}_ADDR)", "input", setup(clock), bits))
        pins.append(pin("bus (PORT_W_WR_DATA)", "input", setup("PORT_W_CLK"), width))
        pins.append(pin("bus (PORT_R_RD_DATA)", "output", out, width))
        cells.append(f"cell (SRAM_{size}X{width}) {{ area : {library.sram_um2(size, width):.1f}; {' '.join(pins)} }}")
    head = [
        "library (acc_sram) {",
        'delay_model : table_lookup; time_unit : "1ns"; voltage_unit : "1V"; current_unit : "1uA";',
        'pulling_resistance_unit : "1kohm"; leakage_power_unit : "1nW"; capacitive_load_unit (1,pf);',
    ]
    for edge in ("rise", "fall"):
        head += [f"{kind}_threshold_pct_{edge} : 50;" for kind in ("input", "output")]
        head += [f"slew_{end}_threshold_pct_{edge} : {share};" for end, share in (("lower", 20), ("upper", 80))]
    head += [
        f"type (bus{bits}) {{ base_type : array; data_type : bit; bit_width : {bits}; "
        f"bit_from : {bits - 1}; bit_to : 0; }}"
        for bits in types
    ]
    return "\n".join([*head, *cells, "}", ""])
