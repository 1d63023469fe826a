"""`acc hw`: what an accelerator is as a circuit."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, fields
from typing import Any

from acc._lib import _runtime
from acc.errors import ConfigError


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser("hw", help="area and frequency of an accelerator", description="Circuits.")
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    synth = actions.add_parser(
        "synth",
        help="synthesize, place and route",
        description="Synthesizes the accelerator for an FPGA, places and routes it: minutes, cached. With "
        "--device asic (or asic:FILE.toml) estimates a chip of standard cells: synthesized, not placed.",
    )
    synth.add_argument("--config", metavar="FILE", help="vta_config.json (default: 1x16x16, int8)")
    synth.add_argument("--device", default="ecp5-85k", help="ecp5-85k (default), ecp5-45k, ecp5-25k, nexus-40, or asic")
    for option in _runtime.circuit_options():
        flag = f"--{option.name.replace('_', '-')}"
        synth.add_argument(
            flag, metavar="N", type=int, default=int(option.initial), help=f"{option.help} (%(default)s)"
        )
    synth.add_argument("--target-mhz", metavar="F", type=float, default=100.0, help="frequency to aim for (100)")
    synth.add_argument("--seeds", metavar="N", type=int, default=1, help="take the best of seeds 1 to N (1)")
    synth.add_argument(
        "--dsp-blocks", metavar="N", type=int, help="DSP blocks that multipliers may take (default: all of the device)"
    )
    synth.add_argument(
        "--bitstream",
        metavar="FILE",
        help="write a bitstream for the ULX3S instead: the circuit with memory and a serial port, at 25 MHz",
    )
    synth.add_argument("--json", action="store_true", help="print the result as JSON")
    synth.set_defaults(run=lambda args: (estimate if args.device.partition(":")[0] == "asic" else run)(args))


# What the circuit calls an option that the command line calls something else.
FLAGS = {"mem_data_width": "mem_width"}


def estimate(args: argparse.Namespace) -> int:
    """Runs the command for a chip; raises AccError on bad input."""
    from acc.cli.bundle import Progress
    from acc.hardware.asic import estimate_asic
    from acc.hardware.package import Circuit
    from acc.targets.vta.config import load_config

    if not 1 <= args.target_mhz <= 10000:
        raise ConfigError(f"--target-mhz is {args.target_mhz:g}, but must be from 1 to 10000")
    if getattr(args, "bitstream", None) is not None:
        raise ConfigError("--bitstream is for FPGAs, and --device asic is none")
    given = {field.name: getattr(args, FLAGS.get(field.name, field.name), None) for field in fields(Circuit)}
    circuit = Circuit(**{name: value for name, value in given.items() if value is not None})
    progress = Progress()
    try:
        found = estimate_asic(
            load_config(args.config), circuit, device=args.device, target_mhz=args.target_mhz, progress=progress
        )
    finally:
        progress.finish()
    print(json.dumps(asdict(found)) if args.json else found.table())
    return 0


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc.hardware.package import Circuit
    from acc.hardware.synthesis import RESOURCES, all_devices, synthesize, write_bitstream
    from acc.targets.vta.config import load_config

    if not 1 <= args.seeds <= 100:
        raise ConfigError(f"--seeds is {args.seeds}, but must be from 1 to 100")
    if not 1 <= args.target_mhz <= 1000:
        raise ConfigError(f"--target-mhz is {args.target_mhz:g}, but must be from 1 to 1000")

    options = {option.name: getattr(args, option.name) for option in _runtime.circuit_options()}
    circuit = Circuit.of(options, args.dsp_blocks)
    start = time.monotonic()
    interactive = sys.stderr.isatty()

    def progress(step: str, detail: str) -> None:
        after = f"{time.monotonic() - start:.0f} s"
        if interactive:
            print(f"\r\x1b[K{after}: {step}{', ' if detail else ''}{detail}", end="", file=sys.stderr, flush=True)
        elif not detail:
            print(f"{after}: {step}", file=sys.stderr, flush=True)

    try:
        config = load_config(args.config)
        if args.bitstream is not None:
            area = write_bitstream(args.bitstream, config, circuit, device=args.device, progress=progress)
        else:
            area = synthesize(
                config,
                circuit,
                device=args.device,
                target_mhz=args.target_mhz,
                seeds=range(1, args.seeds + 1),
                progress=progress,
            )
    finally:
        if interactive:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    if args.json:
        print(json.dumps(asdict(area)))
        return 0
    capacity = all_devices()[area.device].capacity
    for name, (title, _) in RESOURCES.items():
        print(f"{title:14} {getattr(area, name):6} of {capacity[name]}")
    seeds = ", ".join(f"seed {seed}: {mhz:.1f}" for seed, mhz in area.fmax_mhz_by_seed.items())
    print(f"MHz, routed    {area.fmax_mhz:6.1f} ({seeds})")
    steps = ", ".join(f"{name}: {seconds:.0f}" for name, seconds in area.seconds.items())
    print(f"seconds        {sum(area.seconds.values()):6.0f} ({steps})")
    return 0
