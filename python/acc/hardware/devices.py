"""The command line's choice of a simulated device: which options belong to which, and how it is made."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import Any

from acc.errors import RunError
from acc.files import replacing

# Devices with a notion of time.
TIMED = ("csim", "tsim")
# Of simulated memory, in cycles.
MAX_LATENCY = 1 << 20
# Sizes, addresses and counts on the command line; addresses beyond are out of any dram_base's reach.
LIMIT = 1 << 40


def number(text: str, option: str) -> int:
    """A count of bytes or cycles, or an address, from the command line."""
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value < LIMIT:
        raise RunError(f"{option}: '{text}' is not a whole number from 0 on (decimal or 0x)")
    return value


def declare(parser: argparse.ArgumentParser, *, trace: bool = True) -> None:
    """Adds the options of the circuit and its memory; `trace` is for what runs a single stream."""
    timed = parser.add_argument_group("csim and tsim")
    timed.add_argument("--latency", metavar="CYCLES", help="cycles until memory answers (default: 64)")
    timed.add_argument("--mem-width", metavar="BITS", help="width of the memory port (default: 64)")
    timed.add_argument(
        "--timeline", metavar="FILE", help="write what happened when (.json, for ui.perfetto.dev or chrome://tracing)"
    )
    circuit = parser.add_argument_group("tsim only")
    circuit.add_argument("--jitter", metavar="CYCLES", help="up to so many cycles more, at random (default: 0)")
    if trace:
        circuit.add_argument("--trace", metavar="FILE", help="write waveforms (.fst)")
    else:
        parser.set_defaults(trace=None)


class _Unwritten(Exception):
    """Leaves a file as it was."""


def _check_writable(path: str) -> None:
    """What cannot be written is known before anything is built or run."""
    with contextlib.suppress(_Unwritten), replacing(Path(path), RunError):
        raise _Unwritten


def prepare(args: argparse.Namespace, config: Any, *, functional: bool = True) -> None:
    """Makes the device `args.device` as the options say, and refuses those that are for another one.

    `functional` says whether anybody cares for the data that csim computes.
    """
    if args.device not in TIMED:
        options = {
            "latency": "csim or tsim",
            "mem-width": "csim or tsim",
            "timeline": "csim or tsim",
            "jitter": "tsim",
            "trace": "tsim",
        }
        for name, device in options.items():
            if getattr(args, name.replace("-", "_")) is not None:
                why = ": nothing else has a notion of time" if name == "timeline" else ""
                raise RunError(f"--{name} is for --device {device}{why}")
        return
    if args.device == "csim":
        if args.jitter is not None:
            raise RunError("--jitter is for --device tsim: csim models a memory that always takes the same time")
        if args.trace is not None:
            raise RunError("--trace is for --device tsim: csim has no signals; --timeline shows what it does")
    from acc.hardware import cycle_model, simulator
    from acc.hardware.package import Circuit

    numbers = {
        name: number(getattr(args, name), f"--{name}")
        for name in ("latency", "jitter")
        if getattr(args, name) is not None
    }
    if too_big := [name for name, value in numbers.items() if value > MAX_LATENCY]:
        raise RunError(f"--{too_big[0]} is more than {MAX_LATENCY} cycles")
    circuit = Circuit(number(args.mem_width, "--mem-width")) if args.mem_width is not None else Circuit()
    for path in (args.trace, args.timeline):
        if path is not None:
            _check_writable(path)
    if args.device == "csim":
        cycle_model.provide(config, circuit, functional=functional, **numbers)
    else:
        simulator.provide(config, circuit, trace=args.trace, **numbers)
