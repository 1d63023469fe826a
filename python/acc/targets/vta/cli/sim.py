"""`acc sim`: runs raw instruction streams, compiled by whatever, on a simulated device.

That is fsim, the functional simulator, csim, the cycle model, or tsim, the circuit itself; the latter two count cycles.

DRAM is one zero-filled arena from byte address 0. Files are loaded into it at the addresses given, the
streams run to their FINISH one after the other, each on what those before have left in the scratchpads, and regions are
written to files: each whole or not at all, and none if anything went wrong. Programs that `acc disasm --binary` has
written say by themselves where everything is.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from acc import timeline
from acc.devices import DIALECTS, SANITIZER
from acc.errors import RunError
from acc.files import read_bytes, replacing
from acc.hardware import devices
from acc.hardware.devices import number
from acc.interruptible import interruptible
from acc.targets.vta import extraction

DEFAULT_DRAM = 64 << 20


class Load(NamedTuple):
    """A file to put into DRAM at a byte address."""

    address: int
    path: Path


class Dump(NamedTuple):
    """Bytes of DRAM to write to a file after the run."""

    address: int
    size: int
    path: Path


def _load(text: str) -> Load:
    address, equals, path = text.partition("=")
    if not equals or not path:
        raise RunError(f"--load takes ADDR=FILE, not '{text}'")
    return Load(number(address, "--load"), Path(path))


def _dump(text: str) -> Dump:
    where, equals, path = text.partition("=")
    address, colon, size = where.partition(":")
    if not equals or not path or not colon:
        raise RunError(f"--dump takes ADDR:BYTES=FILE, not '{text}'")
    return Dump(number(address, "--dump"), number(size, "--dump"), Path(path))


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "sim",
        help="run raw instruction streams on a simulated accelerator",
        description="Runs raw VTA instruction streams (16 bytes per instruction), or a program as acc disasm --binary "
        "writes it, on a simulated device. ADDR are DRAM byte addresses, decimal or 0x.",
    )
    parser.add_argument("--config", metavar="FILE", help="vta_config.json (default: 1x16x16, int8)")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--insns",
        metavar="FILE",
        action="append",
        help="the instruction stream; several run one after the other, and scratchpads keep what they hold",
    )
    source.add_argument("--program", metavar="DIR", help="a program that acc disasm --binary wrote")
    parser.add_argument(
        "--load", metavar="ADDR=FILE", action="append", default=[], help="put a file into DRAM before the run"
    )
    parser.add_argument(
        "--dump", metavar="ADDR:BYTES=FILE", action="append", default=[], help="write DRAM to a file after the run"
    )
    parser.add_argument(
        "--dram",
        metavar="BYTES",
        help="size of DRAM (default: 64 MiB, or up to the end of the last --load or --dump if that is more)",
    )
    parser.add_argument(
        "--sanitize", action="store_true", help="report uninitialised reads and hazards that no token orders"
    )
    parser.add_argument(
        "--vta-dialect",
        metavar="acc|public",
        default="acc",
        help="refuse what is not part of it: everything is (acc, the default), or what the public Chisel and HLS "
        "designs agree on (public)",
    )
    program = parser.add_argument_group("with --program")
    program.add_argument(
        "--input", metavar="NAME=FILE", action="append", default=[], help="contents of a region of its memory map"
    )
    program.add_argument(
        "--output", metavar="NAME=FILE", action="append", default=[], help="write a region after the run"
    )
    program.add_argument(
        "--check", action="store_true", help="compare with what the model computed (acc disasm --binary --input)"
    )
    devices.declare(parser, default="fsim")
    parser.add_argument("--json", action="store_true", help="print the statistics as JSON")
    parser.set_defaults(run=run)


def _dram(size: int) -> np.ndarray:
    """A zero-filled arena, uint8 of `size` bytes, whose pages cost nothing until touched."""
    try:
        return np.zeros(size, np.uint8)
    except MemoryError:
        raise RunError(f"cannot reserve {size} bytes for DRAM") from None


def _activity(activity: dict[str, Any], cycles: int) -> str:
    """How each module spent its time, in percent of all cycles."""
    from acc.report import format_table

    rows = []
    for module, time in activity.items():
        waits = [time["waits"].get(whom, 0) for whom in ("load", "compute", "store")]
        figures = [time["busy"], time["memory"], *waits, time["idle"]]
        rows.append([module, *(f"{100 * figure / cycles:.1f}" for figure in figures)])
    header = ["% of cycles", "busy", "memory", "wait load", "wait compute", "wait store", "idle"]
    return format_table(rows, header)


def _print_table(result: dict[str, Any]) -> None:
    total = result["total"]
    counts = ", ".join(f"{count} {name}" for name, count in total["instructions"].items() if count)
    traffic = ", ".join(f"{size} {name}" for name, size in total["dram_bytes"].items() if size)
    print(f"instructions  {counts}")
    print(f"DRAM bytes    {traffic or 'none'}")
    print(f"GEMM steps    {total['gemm_steps']} (and {total['reset_steps']} resets)")
    print(f"ALU steps     {total['alu_steps']}")
    if "cycles" in result:
        busy = ", ".join(f"{name} {result['circuit'][name + '_busy']}" for name in ("load", "compute", "store"))
        print(f"cycles        {result['cycles']} (busy: {busy})")
        print(f"GEMM core     {100 * result['gemm_utilisation']:.1f} % of cycles, {result['macs']} MACs")
    if "activity" in result:
        print("\n" + _activity(result["activity"], result["cycles"]))


class Setup(NamedTuple):
    """What is to run: streams by the names of their files, the configuration, and DRAM with what is in it."""

    streams: list[tuple[str, bytes]]
    config: Any
    dram: np.ndarray
    initialised: list[tuple[int, int]]


def _setup_streams(args: argparse.Namespace, loads: list[Load], dumps: list[Dump]) -> Setup:
    """From --insns, --load and --config."""
    from acc.targets.vta.config import load_config

    config = load_config(args.config)
    streams = [(name, read_bytes(Path(name), RunError, "instructions")) for name in args.insns]
    files = [(load, read_bytes(load.path, RunError, "file to load")) for load in loads]
    end = max([load.address + len(data) for load, data in files] + [d.address + d.size for d in dumps], default=0)
    dram = _dram(_size(args, end))
    taken: list[tuple[int, int, Path]] = []
    for load, data in files:
        begin, stop = load.address, load.address + len(data)
        for other_begin, other_stop, other in taken:
            if begin < other_stop and other_begin < stop:
                raise RunError(f"'{load.path}' and '{other}' overlap in DRAM at byte {max(begin, other_begin)}")
        taken.append((begin, stop, load.path))
        dram[begin:stop] = np.frombuffer(data, np.uint8)
    return Setup(streams, config, dram, [(begin, stop) for begin, stop, _ in taken if begin != stop])


def _size(args: argparse.Namespace, end: int) -> int:
    """The size of DRAM, in bytes, which reaches byte `end` at least."""
    size = number(args.dram, "--dram") if args.dram else max(DEFAULT_DRAM, -(-end // 4096) * 4096)
    if size == 0 or end > size:
        raise RunError(f"what is loaded and dumped reaches byte {end}, but DRAM has {size}")
    return size


def _named(texts: list[str], option: str) -> dict[str, Path]:
    """NAME=FILE, by name."""
    files: dict[str, Path] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise RunError(f"{option} takes NAME=FILE, not '{text}'")
        if name in files:
            raise RunError(f"{option} names '{name}' twice")
        files[name] = Path(path)
    return files


def _setup_program(args: argparse.Namespace, program: extraction.Extracted) -> Setup:
    """From --program and --input."""
    from acc.targets.vta.config import load_config

    config = load_config(program.config)
    given = {name: read_bytes(path, RunError, "region") for name, path in _named(args.input, "--input").items()}
    dram = _dram(_size(args, program.dram_bytes))
    extraction.fill(program, dram, given)
    initialised = [
        (region.address, region.address + region.bytes)
        for region in program.regions
        if region.bytes and (region.file or region.name in given)
    ]
    return Setup([(str(program.folder), program.stream)], config, dram, initialised)


def _check_options(args: argparse.Namespace) -> None:
    if args.program is None:
        for option in ("input", "output", "check"):
            if getattr(args, option):
                raise RunError(f"--{option} is for --program: streams of --insns have --load and --dump")
    else:
        for option, instead in (("load", "--input"), ("dump", "--output"), ("config", "memory.json")):
            if getattr(args, option):
                raise RunError(f"--{option} is for --insns: a program has {instead}")
    if args.vta_dialect not in ("acc", "public"):
        raise RunError(f"--vta-dialect takes acc or public, not '{args.vta_dialect}'")


def _add(sums: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Adds counters, which may be dictionaries of counters."""
    for key, value in more.items():
        if isinstance(value, Mapping):
            _add(sums.setdefault(key, {}), value)
        else:
            sums[key] = sums.get(key, 0) + value


def _summary(results: list[dict[str, Any]], config: Any) -> dict[str, Any]:
    """The figures of all runs together; how modules spent their time, of a single one only."""
    summary: dict[str, Any] = {}
    for result in results:
        _add(summary, {key: result[key] for key in ("total", "cycles", "circuit") if key in result})
    if "cycles" in summary:
        steps = summary["total"]["gemm_steps"]
        summary["gemm_utilisation"] = steps / summary["cycles"]
        summary["macs"] = steps * config.batch * config.block_in * config.block_out
    if len(results) == 1 and "activity" in results[0]:
        summary["activity"] = results[0]["activity"]
    return summary


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc._lib import _runtime

    _check_options(args)
    spec = devices.one(devices.chosen(args))
    for capability, wanted in ((SANITIZER, args.sanitize), (DIALECTS, args.vta_dialect != "acc")):
        if wanted:
            spec.require(capability)
    program = extraction.read(args.program) if args.program is not None else None
    loads = [_load(text) for text in args.load]
    dumps = [_dump(text) for text in args.dump]
    if program is not None:
        regions = {name: program.region(name) for name in _named(args.output, "--output")}
        dumps = [
            Dump(regions[name].address, regions[name].bytes, path)
            for name, path in _named(args.output, "--output").items()
        ]
        setup = _setup_program(args, program)
    else:
        setup = _setup_streams(args, loads, dumps)
    if spec.kind.has("functional") and "functional" not in spec.options:
        # Only these show what the device computes.
        spec = spec.with_options(functional=bool(dumps) or args.check or len(setup.streams) > 1)
    device = devices.make(spec, setup.config)
    device.attach_at(0, setup.dram)
    results, runs = [], []
    initialised = setup.initialised if args.sanitize else None
    for name, stream in setup.streams:
        options = {"sanitize": args.sanitize, "initialised": initialised, "dialect": args.vta_dialect}
        work = partial(device.run, stream, events=args.timeline is not None, **options)
        result = interruptible(work)
        if not result["ok"]:
            raise RunError(f"{name}: {result['message']}")
        results.append(result)
        if args.sanitize:
            initialised = result["initialised"]
        if args.timeline is not None:
            instructions = _runtime.Program.decode(setup.config, stream).instructions
            runs.append(timeline.Run(instructions, result, Path(name).name))
    if args.check:
        assert program is not None
        extraction.compare(program, setup.dram)
    with contextlib.ExitStack() as stack:
        for dump in dumps:
            file = stack.enter_context(replacing(dump.path, RunError))
            file.write(setup.dram[dump.address : dump.address + dump.size].tobytes())
            file.flush()
    summary = _summary(results, setup.config)
    names = [name for name, _ in setup.streams]
    if args.timeline is not None:
        about = {
            "device": spec.name,
            "stream": ", ".join(names),
            "cycles": summary["cycles"],
            "config": json.loads(setup.config.to_json()),
        }
        timeline.write(args.timeline, runs, about)
    if args.json:
        print(json.dumps(_as_json(spec.name, setup, results, summary)))
    else:
        _print_table(summary)
    return 0


def _as_json(device: str, setup: Setup, results: list[dict[str, Any]], summary: dict[str, Any]) -> dict[str, Any]:
    keys = ("cycles", "gemm_utilisation", "macs", "activity", "circuit")

    def figures(source: Mapping[str, Any], instructions: int) -> dict[str, Any]:
        return {"instructions": instructions, **source["total"], **{key: source[key] for key in keys if key in source}}

    document = {"device": device, **figures(summary, sum(len(stream) for _, stream in setup.streams) // 16)}
    if len(results) > 1:
        document["runs"] = [
            {"stream": name, **figures(result, len(stream) // 16)}
            for (name, stream), result in zip(setup.streams, results, strict=True)
        ]
    return document
