"""Writes docs/area.md: area and frequency on an FPGA.

    python scripts/area_table.py [--seeds N [N ...] | --recorded | --check]

Two tables: five circuits, placed and routed here, and the circuits of the latest revision that are recorded with the
model of area. The first takes two hours of one core with three seeds; what has been routed before comes from the cache
of `acc hw synth`, so that it can be interrupted. --recorded leaves it as it is and writes the second only: seconds.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path

from area_data import revision

from acc._lib import _runtime
from acc.hardware import prediction
from acc.hardware.prediction import Example, read_examples
from acc.hardware.synthesis import FPGAS, Area, synthesize

TABLE = Path(__file__).resolve().parents[1] / "docs" / "area.md"
RECORDED = Path(prediction.__file__).parent / "data" / "ecp5.jsonl"
SECOND_TABLE = "\n## Circuits that are recorded\n"
DEVICE = "ecp5-85k"
# Keys of vta_config.json without LOG_, and what nextpnr is to aim for.
CONFIGURATIONS = [
    ({"BLOCK": 2, "UOP_BUFF_SIZE": 12, "INP_BUFF_SIZE": 13, "WGT_BUFF_SIZE": 13, "ACC_BUFF_SIZE": 14}, 140.0),
    ({"BLOCK": 3, "UOP_BUFF_SIZE": 12, "INP_BUFF_SIZE": 14, "WGT_BUFF_SIZE": 15, "ACC_BUFF_SIZE": 15}, 130.0),
    (
        {
            "BLOCK": 3,
            "WGT_WIDTH": 2,
            "UOP_BUFF_SIZE": 12,
            "INP_BUFF_SIZE": 14,
            "WGT_BUFF_SIZE": 14,
            "ACC_BUFF_SIZE": 15,
        },
        130.0,
    ),
    (
        {"BLOCK_IN": 3, "BLOCK_OUT": 4, "UOP_BUFF_SIZE": 12, "INP_BUFF_SIZE": 14, "WGT_BUFF_SIZE": 16}
        | {"ACC_BUFF_SIZE": 16},
        115.0,
    ),
    ({"BLOCK": 4, "UOP_BUFF_SIZE": 12, "INP_BUFF_SIZE": 15, "WGT_BUFF_SIZE": 17, "ACC_BUFF_SIZE": 16}, 105.0),
]


def shape(config: _runtime.Config) -> list[str]:
    """Tile, types and KiB of the scratchpads, as both tables have them."""
    kilobytes = "/".join(
        f"{config.depth(memory) * config.element_bytes(memory) / 1024:g}" for memory in ("uop", "inp", "wgt", "acc")
    )
    tile = f"{config.batch}x{config.block_in}x{config.block_out}"
    return [tile, f"int{config.inp_bits} x int{config.wgt_bits}", kilobytes]


def row(area: Area) -> str:
    """A line of the table."""
    capacity = FPGAS[area.device].capacity
    used = [
        f"{getattr(area, name)} ({getattr(area, name) / capacity[name]:.0%})" for name in ("lut", "ff", "dsp", "bram")
    ]
    seeds = ", ".join(f"seed {seed}: {mhz:.1f}" for seed, mhz in area.fmax_mhz_by_seed.items())
    routing = [seconds for name, seconds in area.seconds.items() if name != "synthesis"]
    return (
        "| "
        + " | ".join(
            [
                *shape(_runtime.Config(json.dumps(area.config))),
                *used,
                f"**{area.fmax_mhz:.1f}** ({seeds})",
                f"{area.seconds['synthesis']:.0f}",
                f"{sum(routing) / len(routing):.0f}",
            ]
        )
        + " |"
    )


def options(example: Example) -> str:
    """The extensions and the options of the circuit that differ from their defaults."""
    config, circuit = example.config, example.circuit
    names = [name for name in ("ALU_REQUANTIZE", "GEMM_SET", "ALU_TABLE") if getattr(config, name.lower())]
    if config.gemm_window:
        names.append(f"GEMM_WINDOW {config.gemm_window}")
    for field in dataclasses.fields(circuit):
        value = getattr(circuit, field.name)
        # Without a number of its own, a circuit takes as many DSP blocks as the device has.
        default = FPGAS[example.device].capacity["dsp"] if field.name == "dsp_blocks" else field.default
        if value not in (field.default, default):
            names.append(f"{field.name} {value}")
    return ", ".join(names) or "none"


def recorded() -> str:
    """The second part of the page: circuits of the latest revision in the model's data."""
    examples, problems = read_examples(RECORDED)
    if problems:
        raise SystemExit("\n".join(problems))
    latest = examples[-1].rtl
    shown = [example for example in examples if example.rtl == latest and example.device == DEVICE]
    lines = []
    for example in shown:
        amounts = example.routed or example.synthesized
        mhz = "" if example.fmax_mhz is None else f"**{example.fmax_mhz:.1f}** (seed {example.seed})"
        cells = [*shape(example.config), options(example), *(str(amounts[name]) for name in prediction.RESOURCES)]
        lines.append("| " + " | ".join([*cells, mhz]) + " |")
    targets = ", ".join(sorted({f"{example.target_mhz:g}" for example in shown}))
    return (
        SECOND_TABLE
        + f"""
Of revision {latest} of the circuit, from python/acc/hardware/data/ecp5.jsonl, which `scripts/area_data.py` measured for
{DEVICE}, aiming for {targets} MHz. Where no MHz are named, a circuit was synthesized and not routed, and
lookup tables and registers are as yosys counts them, some percent fewer than after routing. Options are those of the
configuration and of `acc hw synth` that are not at their defaults.

| tile | types | uop/inp/wgt/acc KiB | options | LUT | FF | DSP | block RAM | MHz |
|---|---|---|---|---|---|---|---|---|
"""
        + "\n".join(lines)
        + "\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes docs/area.md.")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[3], help="how many seeds, for all circuits or for each of the five (3)"
    )
    parser.add_argument("--recorded", action="store_true", help="write the second table only, without any tool")
    parser.add_argument("--check", action="store_true", help="exit with 1 if the second table is out of date")
    args = parser.parse_args()
    if args.recorded or args.check:
        page = TABLE.read_text(encoding="utf-8")
        written = page.split(SECOND_TABLE)[0] + recorded()
        if args.check:
            return int(written != page)
        TABLE.write_text(written, encoding="utf-8")
        return 0
    seeds_of = args.seeds * (len(CONFIGURATIONS) if len(args.seeds) == 1 else 1)
    if len(seeds_of) != len(CONFIGURATIONS) or min(seeds_of) < 1:
        parser.error(f"--seeds takes one number from 1 on, or {len(CONFIGURATIONS)}")
    rows = []
    for (keys, target), count in zip(CONFIGURATIONS, seeds_of, strict=True):
        config = _runtime.Config(json.dumps({f"LOG_{name}": value for name, value in keys.items()}))
        name = shape(config)[0]

        def progress(step: str, detail: str, name: str = name) -> None:
            if not detail:
                print(f"{time.strftime('%H:%M:%S')} {name}: {step}", file=sys.stderr, flush=True)

        seeds = range(1, count + 1)
        rows.append(row(synthesize(config, device=DEVICE, target_mhz=target, seeds=seeds, progress=progress)))
    TABLE.write_text(
        f"""# Area and frequency

Written by `make area`; do not edit.

The complete core, revision {revision()} of the circuit, scratchpads included,
behind a wrapper of few pins (hardware/synth/acc_bench.sv, counted with it); memory port of 64 bits. Lattice
{DEVICE}, speed grade 8; MHz as nextpnr reports them after routing, the best of the seeds named. Nothing
ran on a board. In parentheses: of what the device has. Lookup tables include those that carry or are small memories.
Seconds are of the wall clock.

| tile | types | uop/inp/wgt/acc KiB | LUT | FF | DSP | block RAM | MHz | synthesis s | routing s per seed |
|---|---|---|---|---|---|---|---|---|---|
"""
        + "\n".join(rows)
        + "\n"
        + recorded(),
        encoding="utf-8",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
