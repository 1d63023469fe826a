"""QDQ ResNet-18 at 224x224 for VTA: compile time, simulation time, DRAM bytes per convolution.

python benchmarks/resnet18_vta.py [--config vta_config.json]
"""

from __future__ import annotations

import argparse
import time

import acc
from acc.report import MEMORIES, format_layers, format_table
from networks import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", help="vta_config.json (default: the published one)")
    args = parser.parse_args()
    model, feeds = load("resnet18")

    compile_times = []
    for _ in range(2):
        started = time.perf_counter()
        exe = acc.compile(model, target="vta", config=args.config)
        compile_times.append(time.perf_counter() - started)
    run_times = []
    for _ in range(3):
        started = time.perf_counter()
        exe.run(feeds)
        run_times.append(time.perf_counter() - started)

    layers = exe.report()
    print(format_layers(layers))
    rows = []
    for layer in layers:
        if layer.target == "vta":
            moved = [layer.dram_bytes.get(memory, 0) for memory in MEMORIES]
            rows.append([layer.name, *(f"{b:,}" for b in [sum(moved), *moved]), layer.schedule])
    print("\nDRAM bytes and schedules")
    print(format_table(rows, ["layer", "bytes", *MEMORIES, "schedule"]))
    operations = 2 * sum(layer.macs for layer in layers if layer.target == "vta")
    print(
        f"\ncompile {compile_times[0]:.2f} s (again: {compile_times[1]:.2f} s); one image simulated in "
        f"{min(run_times):.2f} s, {operations / min(run_times) / 1e9:.0f} GOP/s end to end"
    )


if __name__ == "__main__":
    main()
