"""Synthesizes, places and routes many small circuits, for the model of area and frequency that ships with acc.

    python scripts/area_data.py -o FILE [--count N]

One circuit at a time, minutes each, hours for all. A line of JSON is added to FILE as soon as a circuit is done, and
whatever is in FILE is not done again, so that it can be stopped at any time. Circuits are drawn with a fixed seed. All
are synthesized, which says what they take; small ones are routed too, which says how fast they are.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from acc._lib import _runtime
from acc.errors import AccError
from acc.hardware import synthesis
from acc.hardware.package import Circuit, package
from acc.hardware.simulator import sources

DEVICE = "ecp5-85k"
TARGET_MHZ = 130.0
SEED = 1
Point = tuple[dict[str, int], dict[str, int]]

# Those that everybody would look at first: the published instruction set at three sizes, then one thing changed each.
FIRST: list[Point] = [
    ({"LOG_BLOCK_IN": 2, "LOG_BLOCK_OUT": 2}, {}),
    ({"LOG_BLOCK_IN": 1, "LOG_BLOCK_OUT": 1}, {}),
    ({"LOG_BLOCK_IN": 2, "LOG_BLOCK_OUT": 2, "ALU_REQUANTIZE": 1}, {}),
    ({"LOG_BLOCK_IN": 2, "LOG_BLOCK_OUT": 2, "GEMM_SET": 1}, {"log_acc_banks": 1}),
    ({"LOG_BLOCK_IN": 3, "LOG_BLOCK_OUT": 2}, {"mem_data_width": 128}),
    ({"LOG_BLOCK_IN": 2, "LOG_BLOCK_OUT": 2}, {"dsp_blocks": 0}),
    ({"LOG_BLOCK_IN": 3, "LOG_BLOCK_OUT": 3, "ALU_REQUANTIZE": 1, "GEMM_SET": 1}, {}),
    ({"LOG_BLOCK_IN": 3, "LOG_BLOCK_OUT": 3}, {}),
    ({"LOG_BLOCK_IN": 2, "LOG_BLOCK_OUT": 2, "ALU_TABLE": 1}, {}),
    ({"LOG_BLOCK_IN": 2, "LOG_BLOCK_OUT": 2, "GEMM_WINDOW": 3}, {}),
]
DRAWN = (
    "mem_data_width",
    "log_queue",
    "log_tokens",
    "log_max_burst",
    "log_outstanding",
    "log_acc_banks",
    "dsp_blocks",
)
"""Options of the circuit that are drawn from a list, or stay what they are."""
BUFFERS = {"LOG_UOP_BUFF_SIZE": 12, "LOG_INP_BUFF_SIZE": 13, "LOG_WGT_BUFF_SIZE": 13, "LOG_ACC_BUFF_SIZE": 14}


def _drawn(rng: random.Random, blocks: tuple[int, ...], batches: tuple[int, ...]) -> Point:
    keys = {
        "LOG_BLOCK_IN": rng.choice(blocks),
        "LOG_BLOCK_OUT": rng.choice(blocks),
        "LOG_BATCH": rng.choice(batches),
        "LOG_INP_WIDTH": rng.choice((3, 3, 3, 2)),
        "LOG_WGT_WIDTH": rng.choice((3, 3, 2, 1)),
        "LOG_UOP_BUFF_SIZE": rng.choice((10, 11, 12, 13)),
        "LOG_INP_BUFF_SIZE": rng.choice((11, 12, 13, 14, 15)),
        "LOG_WGT_BUFF_SIZE": rng.choice((12, 13, 14, 15, 16)),
        "LOG_ACC_BUFF_SIZE": rng.choice((12, 13, 14, 15, 16)),
        "ALU_REQUANTIZE": rng.choice((0, 1)),
        "GEMM_SET": rng.choice((0, 1)),
        "ALU_TABLE": rng.choice((0, 1)),
    }
    if keys["LOG_BLOCK_IN"] == keys["LOG_BLOCK_OUT"]:
        keys["GEMM_WINDOW"] = min(rng.choice((0, 3, 5)), 1 << keys["LOG_BLOCK_IN"])
    circuit = {
        "mem_data_width": rng.choice((64, 64, 64, 128)),
        "log_acc_banks": rng.choice((0, 0, 1, 2)),
        "log_queue": rng.choice((4, 5)),
        "log_outstanding": rng.choice((6, 8)),
    }
    if rng.random() < 0.3:
        circuit["dsp_blocks"] = rng.choice((0, 8, 16, 32))
    # Options that are none of these, such as lengths of pipelines: what is next to the default.
    for field in fields(Circuit):
        if field.name not in DRAWN and field.default is not None:
            circuit[field.name] = int(field.default) + rng.choice((-1, 0, 0, 1))
    return keys, circuit


def points(seed: int = 1) -> Iterator[tuple[Any, Circuit, bool]]:
    """Configurations that are legal with their circuits, and which are small enough to be routed; without end."""
    rng = random.Random(seed)
    seen: set[str] = set()
    count = 0
    first = [({**BUFFERS, **keys}, circuit) for keys, circuit in FIRST]
    while True:
        routed = bool(first) or count % 3 != 2
        keys, chosen = (
            first.pop(0)
            if first
            else _drawn(rng, *(((0, 1, 2, 3), (0, 0, 1)) if routed else ((2, 3, 4), (0, 0, 1, 2))))
        )
        try:
            config = _runtime.Config(json.dumps(keys))
            circuit = Circuit(**{"dsp_blocks": synthesis.FPGAS[DEVICE].capacity["dsp"], **chosen})
            package(config, circuit)
        except AccError:
            continue
        # What is large takes an hour to route.
        if routed and config.batch * config.block_in * config.block_out > 64:
            continue
        if config.batch * config.block_in * config.block_out > 1024:
            continue
        text = config.to_json() + circuit.key()
        if text in seen:
            continue
        seen.add(text)
        count += 1
        yield config, circuit, routed


def revision() -> str:
    """A digest of what is synthesized, but for the package."""
    digest = hashlib.sha256()
    folder = sources()
    for file in (*sorted((folder / "rtl").glob("acc_*.sv")), *sorted((folder / "synth").glob("*.sv"))):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def measure(config: Any, circuit: Circuit, is_routed: bool) -> dict[str, Any]:
    """A line of the data."""
    folder = sources()
    files = [*sorted((folder / "rtl").glob("acc_*.sv")), *sorted((folder / "synth").glob("*.sv"))]
    row: dict[str, Any] = {
        "rtl": revision(),
        "config": json.loads(config.to_json()),
        "circuit": asdict(circuit),
        "device": DEVICE,
        "target_mhz": TARGET_MHZ,
        "seed": SEED,
        "synthesized": None,
        "routed": None,
        "fmax_mhz": None,
        "problem": None,
        "seconds": {},
    }

    def quiet(step: str, detail: str) -> None:
        pass

    with tempfile.TemporaryDirectory(prefix="acc-area-") as name:
        work = Path(name)
        (work / "acc_pkg.sv").write_text(package(config, circuit))
        started = time.monotonic()
        arguments = ["acc_bench", "acc_pkg.sv", *map(os.fspath, files)]
        synthesis.run_script(synthesis.SYNTHESIS, arguments, work, "synthesis", quiet)
        row["seconds"]["synthesis"] = round(time.monotonic() - started, 1)
        cells = json.loads((work / "cells.json").read_text())["design"]["num_cells_by_type"]
        row["synthesized"] = synthesis.used_cells(cells)
        if is_routed:
            started = time.monotonic()
            options = ["--json", "netlist.json", "--report", "report.json", "--seed", str(SEED)]
            options += ["--freq", str(TARGET_MHZ), *synthesis.FPGAS[DEVICE].options, *synthesis.RELAXED]
            try:
                synthesis.run_script(synthesis.ROUTING, options, work, "place and route", quiet)
                row["routed"], row["fmax_mhz"] = synthesis.parse_report((work / "report.json").read_text())
            except AccError as error:
                row["problem"] = str(error)
            row["seconds"]["routing"] = round(time.monotonic() - started, 1)
    return row


def _identity(config: dict[str, Any], circuit: dict[str, Any], is_routed: bool) -> str:
    return json.dumps([config, circuit, is_routed], sort_keys=True)


def plan(count: int) -> Iterator[tuple[Any, Circuit, bool]]:
    """What to do in which order: two syntheses, which take half a minute, for each routing, which takes minutes."""
    known = list(itertools.islice(points(), count))
    routings = [(config, circuit, True) for config, circuit, is_routed in known if is_routed]
    syntheses = [(config, circuit, False) for config, circuit, _ in known]
    while routings or syntheses:
        yield from syntheses[:2]
        yield from routings[:1]
        syntheses, routings = syntheses[2:], routings[1:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", dest="output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=90, help="how many circuits (90)")
    args = parser.parse_args()
    done: set[str] = set()
    if args.output.exists():
        for line in args.output.read_text().splitlines():
            try:
                row = json.loads(line)
                # What was routed was synthesized before.
                for is_routed in {False, row["routed"] is not None or row["problem"] is not None}:
                    done.add(_identity(row["config"], row["circuit"], is_routed))
            except (ValueError, KeyError, TypeError):
                continue
    for config, circuit, is_routed in plan(args.count):
        key = _identity(json.loads(config.to_json()), asdict(circuit), is_routed)
        if key in done:
            continue
        done.add(key)
        started = time.monotonic()
        try:
            row = measure(config, circuit, is_routed)
        except AccError as error:
            print(f"{config.to_json()} {circuit.key()}: {error}", file=sys.stderr, flush=True)
            continue
        with args.output.open("a") as file:
            file.write(json.dumps(row) + "\n")
        tile = f"{config.batch}x{config.block_in}x{config.block_out}"
        found = row["routed"] or row["synthesized"]
        took = time.monotonic() - started
        print(f"{time.strftime('%H:%M:%S')} {tile} {found} {row['fmax_mhz']} in {took:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
