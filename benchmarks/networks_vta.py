"""Whole networks on the VTA: cycles, use of the multipliers, DRAM bytes, what stays native, compile time.

    python benchmarks/networks_vta.py [--only NAME ...] [--config vta_config.json] [--circuit OPTION=VALUE,...]
                                      [--per-channel] [--uint8] [--json]

The networks of benchmarks/networks, quantized by ONNX Runtime, each compiled by a process of its own on one core and
run once on the cycle model; then the convolutions C2 to C11 of ResNet-18, each alone, beside the streams that the
public stack tuned for them: with scales that are powers of two and ties to even, as ONNX Runtime has them, or up, as
those streams round, and with general scales. NAME is a network, or "convolutions".
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

import onnx

import acc
from acc.compiler import compile_contents
from acc.container import write_model
from acc.report import LayerReport, format_table
from acc.targets.vta.profile import Profile, profile
from networks import NETWORKS, USUAL, Quantization, load
from networks.convolutions import CONVOLUTIONS, PUBLIC_BYTES, quantized


@dataclasses.dataclass(frozen=True)
class Circuit:
    """What is compiled for: a vta_config.json, and options of csim, which compiled models remember."""

    config: str | None
    options: dict[str, Any]


def cpu_seconds() -> float:
    """Processor time of this process and of its children that have ended."""
    return sum(os.times()[:4])


def compile_to(
    path: pathlib.Path, model: onnx.ModelProto, circuit: Circuit, ties: str = "even"
) -> tuple[float, dict[str, float]]:
    """Seconds of processor time, and seconds by stage."""
    started = cpu_seconds()
    compilation = compile_contents(model, target="vta", config=circuit.config, ties=ties, **circuit.options)
    write_model(path, compilation.contents)
    return cpu_seconds() - started, dict(compilation.stages)


def is_native(layer: LayerReport) -> bool:
    return layer.target != "vta"


def figures(measured: Profile) -> dict[str, Any]:
    """What is counted over all launches of a run."""
    steps = sum(layer.gemm_steps for layer in measured.layers)
    return {
        "cycles": measured.cycles,
        "gemm_utilisation": steps / measured.cycles if measured.cycles else 0.0,
        "dram_bytes": sum(sum(layer.dram_bytes.values()) for layer in measured.layers),
    }


def measure(name: str, how: Quantization, circuit: Circuit) -> dict[str, Any]:
    """The row of a network, JSON-compatible."""
    model, _ = load(name, how)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.so")
        seconds, stages = compile_to(path, model, circuit)
        row: dict[str, Any] = {"network": f"{name}{how}", "compile_seconds": seconds, "stages": stages}
        with acc.load(path) as executable:
            layers = executable.report()
            row["arena_bytes"] = executable.metadata["workspace_bytes"]
        used = [index for index, layer in enumerate(layers) if not is_native(layer)]
        row |= figures(profile(path)) if used else {"cycles": 0, "gemm_utilisation": 0.0, "dram_bytes": 0}
    native = [index for index, layer in enumerate(layers) if is_native(layer)]
    macs = sum(layer.macs or 0 for layer in layers)
    row["mac_share"] = sum(layers[index].macs or 0 for index in used) / macs if macs else 1.0
    row["kernels"] = len(used)
    row["programs"] = len({layers[index].program for index in used})
    row["native_kernels"] = len(native)
    row["native_inside"] = [layers[index].name for index in native if used and used[0] < index < used[-1]]
    row["reasons"] = {layers[index].name: layers[index].reason for index in native if layers[index].reason}
    return row


KINDS = {"powers of 2": (True, "even"), "ties up": (True, "up"), "general": (False, "even")}
"""What is measured of every convolution: whether its scales are powers of two, and where ties go."""


def measure_convolutions(circuit: Circuit) -> list[dict[str, Any]]:
    rows = []
    for name, conv in CONVOLUTIONS.items():
        row: dict[str, Any] = {"convolution": name, "public_cycles": conv.public_cycles}
        for kind, (powers_of_two, ties) in KINDS.items():
            model, _ = quantized(conv, powers_of_two)
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder, "model.so")
                compile_to(path, model, circuit, ties)
                row[kind] = figures(profile(path))
        rows.append(row)
    return rows


def geometric_mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def print_networks(rows: list[dict[str, Any]]) -> None:
    header = (
        "network",
        "cycles",
        "GEMM %",
        "DRAM bytes",
        "MACs on VTA %",
        "kernels",
        "programs",
        "native",
        "inside",
        "compile s",
    )
    header = (*header, "arena bytes")
    table = [
        [
            row["network"],
            f"{row['cycles']:,}",
            f"{100 * row['gemm_utilisation']:.1f}",
            f"{row['dram_bytes']:,}",
            f"{100 * row['mac_share']:.2f}",
            str(row["kernels"]),
            str(row["programs"]),
            str(row["native_kernels"]),
            str(len(row["native_inside"])),
            f"{row['compile_seconds']:.2f}",
            f"{row['arena_bytes']:,}",
        ]
        for row in rows
        if "error" not in row
    ]
    if table:
        print(format_table(table, header))
    print('\n"native" are kernels on the CPU, "inside" those between two of the accelerator.')
    for row in rows:
        if "error" in row:
            print(f"{row['network']}: {row['error']}")


def print_convolutions(rows: list[dict[str, Any]]) -> None:
    table = []
    for row in rows:
        cells = [row["convolution"], f"{row['public_cycles']:,}"]
        for kind in KINDS:
            cycles, moved = row[kind]["cycles"], row[kind]["dram_bytes"]
            cells += [f"{cycles:,}", f"{cycles / row['public_cycles']:.3f}", f"{moved:,}"]
        table.append(cells)
    means = ["geometric mean", f"{geometric_mean([row['public_cycles'] for row in rows]):,.0f}"]
    for kind in KINDS:
        cycles = [row[kind]["cycles"] for row in rows]
        ratio = geometric_mean([row[kind]["cycles"] / row["public_cycles"] for row in rows])
        moved = geometric_mean([row[kind]["dram_bytes"] for row in rows])
        means += [f"{geometric_mean(cycles):,.0f}", f"{ratio:.3f}", f"{moved:,.0f}"]
    compulsory = geometric_mean([conv.compulsory_bytes for conv in CONVOLUTIONS.values()])
    header = ["convolution", "public cycles"]
    for kind in KINDS:
        header += [kind, "ratio", "bytes"]
    print(format_table([*table, means], header))
    print(f"\nDRAM bytes, geometric mean: public streams {PUBLIC_BYTES:,}, compulsory {compulsory:,.0f}")


def in_a_process(name: str, arguments: list[str]) -> Any:
    """What this script measures of `name` alone, in a process bound to one core."""
    command = [sys.executable, __file__, "--one", name, *arguments]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    if run.returncode:
        said = run.stderr.strip().splitlines()
        return {"network": name, "error": said[-1] if said else f"exit code {run.returncode}"}
    return json.loads(run.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [*NETWORKS, "convolutions"]
    parser.add_argument("--only", nargs="+", choices=known, metavar="NAME", default=[*USUAL, "convolutions"])
    parser.add_argument("--config", help="vta_config.json (default: the published one)")
    parser.add_argument("--circuit", metavar="OPTION=VALUE,...", default="", help="options of csim (log_acc_banks=1)")
    parser.add_argument("--per-channel", action="store_true", help="weights with a scale for each output channel")
    parser.add_argument("--uint8", action="store_true", help="activations of uint8 instead of int8")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", choices=known, help=argparse.SUPPRESS)
    args = parser.parse_args()
    spec = acc.Device.parse(f"csim:{args.circuit}" if args.circuit else "csim")[0]
    circuit = Circuit(args.config, {name: int(value) for name, value in spec.options.items()})
    if args.one:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        if args.one == "convolutions":
            result: Any = measure_convolutions(circuit)
        else:
            result = measure(args.one, Quantization(args.per_channel, args.uint8), circuit)
        print(json.dumps(result))
        return 0
    passed = ["--config", args.config] if args.config else []
    passed += ["--circuit", args.circuit] if args.circuit else []
    passed += ["--per-channel"] * args.per_channel + ["--uint8"] * args.uint8
    rows = [in_a_process(name, passed) for name in args.only if name != "convolutions"]
    convolutions = in_a_process("convolutions", passed) if "convolutions" in args.only else []
    failed = [row for row in [*rows, convolutions] if "error" in row]
    if args.json:
        print(json.dumps({"networks": rows, "convolutions": convolutions}))
        return bool(failed)
    if rows:
        print_networks(rows)
    if isinstance(convolutions, dict):
        print(f"\nconvolutions: {convolutions['error']}")
    elif convolutions:
        print()
        print_convolutions(convolutions)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
