"""Proofs about the circuit by yosys's own SAT solver: hardware/formal/prove_*.sv says what is to be shown.

slang elaborates, so that a proof may speak of what is inside a module; the solver is MiniSat, a part of yosys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from acc.hardware import simulator, synthesis

SCRIPT = """
import json, sys
from pyosys import libyosys as ys
task = json.loads(sys.argv[1])
design = ys.Design()
parameters = " ".join(f"-G {name}={value}" for name, value in task["parameters"].items())
defines = " ".join(f"-D {define}" for define in task["defines"])
ys.run_pass(f"read_slang --top {task['top']} {defines} {parameters} " + " ".join(task["files"]), design)
ys.run_pass("proc; flatten; opt_clean; memory_map; opt -fast; chformal -lower; async2sync; dffunmap; opt_clean", design)
bounds = f"-tempinduct-baseonly -maxsteps {task['steps']}" if task["bounded"] else f"-maxsteps {task['steps']}"
ys.run_pass(f"sat -verify -tempinduct {bounds} -prove-asserts -set-assumes -show-inputs", design)
"""


def prove(
    top: str,
    modules: tuple[str, ...],
    folder: Path,
    package: str = "",
    *,
    parameters: Mapping[str, int] | None = None,
    defines: tuple[str, ...] = (),
    steps: int = 2,
    bounded: bool = False,
    mutated: Mapping[str, str] | None = None,
) -> None:
    """Proves hardware/formal/`top`.sv of hardware/rtl/acc_`module`.sv in `folder`; raises ToolError if it is refuted.

    By induction over up to `steps` cycles, or, if `bounded`, for so many cycles after a reset. `package` is the text of
    acc_pkg for proofs that depend on it; `mutated` has the text of modules that are to be others.
    """
    hardware = simulator.sources()
    files = []
    if package:
        (folder / "acc_pkg.sv").write_text(package)
        files.append("acc_pkg.sv")
    for module in modules:
        path = hardware / "rtl" / f"acc_{module}.sv"
        if mutated and module in mutated:
            path = folder / path.name
            path.write_text(mutated[module])
        files.append(str(path))
    task = {
        "top": top,
        "files": [*files, str(hardware / "formal" / f"{top}.sv")],
        "parameters": dict(parameters or {}),
        "defines": defines,
        "steps": steps,
        "bounded": bounded,
    }
    synthesis.run_script(SCRIPT, [json.dumps(task)], folder, f"the proof {top}", lambda step, detail: None)
