"""Writes docs/area.md: area and frequency of five circuits on an FPGA, after place and route.

    python scripts/area_table.py [--seeds N [N ...]]

Two hours of one core with three seeds; what has been routed before comes from the cache of `acc hw synth`, so that it
can be interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from acc._lib import _runtime
from acc.hardware.synthesis import FPGAS, Area, synthesize

TABLE = Path(__file__).resolve().parents[1] / "docs" / "area.md"
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


def row(area: Area) -> str:
    """A line of the table."""
    config = _runtime.Config(json.dumps(area.config))
    kilobytes = "/".join(
        f"{config.depth(memory) * config.element_bytes(memory) / 1024:g}" for memory in ("uop", "inp", "wgt", "acc")
    )
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
                f"{config.batch}x{config.block_in}x{config.block_out}",
                f"int{config.inp_bits} x int{config.wgt_bits}",
                kilobytes,
                *used,
                f"**{area.fmax_mhz:.1f}** ({seeds})",
                f"{area.seconds['synthesis']:.0f}",
                f"{sum(routing) / len(routing):.0f}",
            ]
        )
        + " |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes docs/area.md.")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[3], help="how many seeds, for all circuits or for each of the five (3)"
    )
    args = parser.parse_args()
    seeds_of = args.seeds * (len(CONFIGURATIONS) if len(args.seeds) == 1 else 1)
    if len(seeds_of) != len(CONFIGURATIONS) or min(seeds_of) < 1:
        parser.error(f"--seeds takes one number from 1 on, or {len(CONFIGURATIONS)}")
    rows = []
    for (keys, target), count in zip(CONFIGURATIONS, seeds_of, strict=True):
        config = _runtime.Config(json.dumps({f"LOG_{name}": value for name, value in keys.items()}))
        name = f"{config.batch}x{config.block_in}x{config.block_out}"

        def progress(step: str, detail: str, name: str = name) -> None:
            if not detail:
                print(f"{time.strftime('%H:%M:%S')} {name}: {step}", file=sys.stderr, flush=True)

        seeds = range(1, count + 1)
        rows.append(row(synthesize(config, device=DEVICE, target_mhz=target, seeds=seeds, progress=progress)))
    TABLE.write_text(
        f"""# Area and frequency

Written by `make area`; do not edit.

The complete core, scratchpads included, behind a wrapper of few pins (hardware/synth/acc_bench.sv, counted with it);
memory port of 64 bits. Lattice {DEVICE}, speed grade 8; MHz as nextpnr reports them after routing, the best of
the seeds named. Nothing ran on a board. In parentheses: of what the device has. Lookup tables include those
that carry or are small memories. Seconds are of the wall clock.

| tile | types | uop/inp/wgt/acc KiB | LUT | FF | DSP | block RAM | MHz | synthesis s | routing s per seed |
|---|---|---|---|---|---|---|---|---|---|
"""
        + "\n".join(rows)
        + "\n",
        encoding="utf-8",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
