"""`acc sim`: runs a raw instruction stream, compiled by whatever, on a simulated device.

That is fsim, the functional simulator, csim, the cycle model, or tsim, the circuit itself; the latter two count cycles.

DRAM is one zero-filled arena from byte address 0. Files are loaded into it at the addresses given, the
stream runs to its FINISH, and regions are written to files: each whole or not at all, and none if
anything went wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from acc import timeline
from acc.errors import RunError
from acc.files import replacing
from acc.hardware import devices
from acc.hardware.devices import number
from acc.interruptible import interruptible
from acc.report import format_table

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
        help="run a raw instruction stream on a simulated accelerator",
        description="Runs a raw VTA instruction stream (16 bytes per instruction) on a simulated device. "
        "ADDR are DRAM byte addresses, decimal or 0x.",
    )
    parser.add_argument("--config", metavar="FILE", help="vta_config.json (default: 1x16x16, int8)")
    parser.add_argument(
        "--device",
        default="fsim",
        help="fsim, the functional simulator (default), csim, the cycle model, or tsim, the simulated circuit, built "
        "on first use",
    )
    parser.add_argument("--insns", metavar="FILE", required=True, help="the instruction stream")
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
    devices.declare(parser)
    parser.add_argument("--json", action="store_true", help="print the statistics as JSON")
    parser.set_defaults(run=run)


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunError(f"cannot read {what} '{path}': {error.strerror}") from None


def _dram(size: int) -> np.ndarray:
    """A zero-filled arena, uint8 of `size` bytes, whose pages cost nothing until touched."""
    try:
        return np.zeros(size, np.uint8)
    except MemoryError:
        raise RunError(f"cannot reserve {size} bytes for DRAM") from None


def _activity(activity: dict[str, Any], cycles: int) -> str:
    """How each module spent its time, in percent of all cycles."""
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


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc._lib import _runtime
    from acc.config import read_config

    loads = [_load(text) for text in args.load]
    dumps = [_dump(text) for text in args.dump]
    config = _runtime.Config(json.dumps(read_config(args.config)))
    stream = _read(Path(args.insns), "instructions")
    files = [(load, _read(load.path, "file to load")) for load in loads]

    end = max([load.address + len(data) for load, data in files] + [d.address + d.size for d in dumps], default=0)
    size = number(args.dram, "--dram") if args.dram else max(DEFAULT_DRAM, -(-end // 4096) * 4096)
    if size == 0 or end > size:
        raise RunError(f"--load and --dump reach byte {end}, but DRAM has {size}")
    dram = _dram(size)
    taken: list[tuple[int, int, Path]] = []
    for load, data in files:
        begin, stop = load.address, load.address + len(data)
        for other_begin, other_stop, other in taken:
            if begin < other_stop and other_begin < stop:
                raise RunError(f"'{load.path}' and '{other}' overlap in DRAM at byte {max(begin, other_begin)}")
        taken.append((begin, stop, load.path))
        dram[begin:stop] = np.frombuffer(data, np.uint8)

    if args.sanitize and args.device in devices.TIMED:
        raise RunError("--sanitize is for --device fsim: a circuit does not know what was initialised")
    # Only a dump shows what csim computes.
    devices.prepare(args, config, functional=bool(dumps))
    device = _runtime.Device(args.device, config)
    device.attach_at(0, dram)
    initialised = [(begin, stop) for begin, stop, _ in taken if begin != stop] if args.sanitize else []
    events = args.timeline is not None
    result = interruptible(lambda: device.run(stream, sanitize=args.sanitize, initialised=initialised, events=events))
    if not result["ok"]:
        raise RunError(f"{args.insns}: {result['message']}")
    if "cycles" in result:
        steps = result["total"]["gemm_steps"]
        result["gemm_utilisation"] = steps / result["cycles"]
        result["macs"] = steps * config.batch * config.block_in * config.block_out
    with contextlib.ExitStack() as stack:
        for dump in dumps:
            file = stack.enter_context(replacing(dump.path, RunError))
            file.write(dram[dump.address : dump.address + dump.size].tobytes())
            file.flush()
    if events:
        instructions = _runtime.Program.decode(config, stream).instructions
        about = {
            "device": args.device,
            "stream": args.insns,
            "cycles": result["cycles"],
            "config": json.loads(config.to_json()),
        }
        timeline.write(args.timeline, [timeline.Run(instructions, result, Path(args.insns).name)], about)
    if args.json:
        keys = ("cycles", "gemm_utilisation", "macs", "activity", "circuit")
        time = {key: result[key] for key in keys if key in result}
        print(json.dumps({"device": args.device, "instructions": len(stream) // 16, **result["total"], **time}))
    else:
        _print_table(result)
    return 0
