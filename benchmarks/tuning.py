"""What tuning finds: cycles by default and tuned, the bound, and how near a search comes to trying everything.

    python benchmarks/tuning.py [--only NAME ...] [--circuit NAME ...] [--trials N | --time 5m] [--jobs 2]
                                [--exhaustive N] [--per-channel] [--uint8] [--log FOLDER] [--json]

The networks of benchmarks/networks, quantized by ONNX Runtime, on circuits for which acc's default was tuned by hand
("published") and for which it was not. `gap` is how many more cycles the default takes than the tuned model, `bound`
what no schedule can save. With --exhaustive, kernels with at most N schedules are then measured with every one of them,
and the last column compares.
"""

from __future__ import annotations

import argparse
import json
import math
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import acc
from acc.cli.tune import Progress, parse_time
from acc.compiler import make_pipeline
from acc.devices import DeviceSpec
from acc.pipeline import Options as PipelineOptions
from acc.report import format_table
from acc.targets.vta import Vta, VtaOptions
from acc.tuning import Options, TuningResult
from acc.tuning.cost import Correction
from acc.tuning.jobs import KernelJob
from acc.tuning.network import prepare
from acc.tuning.search import KernelSearch
from acc.tuning.workers import start
from networks import NETWORKS, Quantization, load

CIRCUITS: Mapping[str, tuple[dict[str, int], str]] = {
    "published": ({}, "csim"),
    "two banks": ({}, "csim:log_acc_banks=1"),
    "block 8": ({"LOG_BLOCK": 3, "LOG_ACC_BUFF_SIZE": 15, "LOG_INP_BUFF_SIZE": 14, "LOG_WGT_BUFF_SIZE": 16}, "csim"),
    "block 32": ({"LOG_BLOCK": 5}, "csim"),
    "small scratchpads": ({"LOG_INP_BUFF_SIZE": 12, "LOG_WGT_BUFF_SIZE": 14, "LOG_ACC_BUFF_SIZE": 13}, "csim"),
    "latency 200": ({}, "csim:latency=200"),
    "port of 128 bits": ({}, "csim:mem_width=128"),
}
"""Configurations, and circuits with their memories, by what distinguishes them."""


def target(circuit: str) -> Vta:
    """The target for a circuit."""
    config, device = CIRCUITS[circuit]
    banks = DeviceSpec.parse(device)[0].options.get("log_acc_banks", 0)
    return Vta(VtaOptions(config, circuit={"log_acc_banks": int(banks)}))


USUAL = ("resnet18", "resnet50", "mobilenet_v2")


def tune(name: str, how: Quantization, circuit: str, options: Options, folder: pathlib.Path) -> TuningResult:
    """Tunes a network; the log is left in the folder."""
    _, device = CIRCUITS[circuit]
    model, _ = load(name, how)
    progress = Progress()
    output = folder / f"{name}{how}-{circuit}.jsonl".replace(" ", "-")
    try:
        return acc.tune(model, target(circuit), output=output, device=device, options=options, progress=progress)
    finally:
        progress.finish()


def _small_kernels(name: str, how: Quantization, circuit: str, most: int) -> Iterator[KernelSearch]:
    """The searches of the kernels of a network with few schedules, before anything is measured."""
    pipeline = make_pipeline([target(circuit)], PipelineOptions())
    (accelerator,) = pipeline.options.accelerators
    prepared = prepare(pipeline, accelerator, pipeline.import_graph(load(name, how)[0]), {})
    for known in {kernel.footprint.identity: kernel for kernel in prepared.scheduled}.values():
        about = (known.name, known.footprint, known.hardware, known.module, known.schedule)
        search = KernelSearch(*about, most_instructions=1 << 40, correction=Correction(), seed=0)
        if 0 < search.size <= most:
            yield search


def try_everything(
    name: str, how: Quantization, circuit: str, most: int, trials: int, jobs: int
) -> list[dict[str, Any]]:
    """For kernels with at most `most` schedules: the best of a search with `trials` of them, and the best of all."""
    pipeline = make_pipeline([target(circuit)], PipelineOptions())
    (accelerator,) = pipeline.options.accelerators
    device = CIRCUITS[circuit][1]
    workers = start(jobs, None)
    rows = []
    try:
        for search in _small_kernels(name, how, circuit, most):
            while search.tried < trials and (schedule := search.next()) is not None:
                workers.submit(schedule, KernelJob(accelerator, device, search.module, schedule))
                for done, outcome in _wait(workers, 1):
                    search.observe(done, outcome.measurement and outcome.measurement.cycles)
            found, tried = search.best, search.tried
            best, waiting = found, 0
            for schedule in search.everything():
                workers.submit(None, KernelJob(accelerator, device, search.module, schedule))
                waiting += 1
            for _, outcome in _wait(workers, waiting):
                if outcome.measurement is not None:
                    best = min(best, outcome.measurement.cycles)
            rows.append({"kernel": search.name, "space": search.size, "trials": tried, "found": found, "best": best})
    finally:
        workers.close()
    return rows


def _wait(workers: Any, count: int) -> Iterator[tuple[Any, Any]]:
    while count > 0:
        for done in workers.outcomes(10.0):
            count -= 1
            yield done


def geometric_mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def print_results(rows: list[dict[str, Any]]) -> None:
    table = []
    for row in rows:
        default, best, bound = row["default"], row["best"], row["bound"]
        cells = [row["network"], row["circuit"], f"{default:,.0f}", f"{best:,.0f}", f"{100 * (default / best - 1):.2f}"]
        cells += [f"{bound:,.0f}", f"{100 * bound / default:.1f}", f"{100 * bound / best:.1f}"]
        table.append([*cells, f"{row['trials']:,}", f"{row['seconds']:.0f}"])
    gaps = geometric_mean([row["default"] / row["best"] for row in rows])
    table.append(["geometric mean", "", "", "", f"{100 * (gaps - 1):.2f}", "", "", "", "", ""])
    header = ["network", "circuit", "default", "tuned", "gap %", "bound", "of default %", "of tuned %", "trials", "s"]
    print(format_table(table, header))


def print_exhaustive(rows: list[dict[str, Any]]) -> None:
    table = [
        [
            *(row["network"], row["circuit"], row["kernel"], f"{row['space']:,}", f"{row['trials']:,}"),
            *(f"{row['found']:,.0f}", f"{row['best']:,.0f}", f"{100 * (row['found'] / row['best'] - 1):.2f}"),
        ]
        for row in rows
    ]
    print(format_table(table, ["network", "circuit", "kernel", "space", "tried", "search", "all", "more %"]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(NETWORKS), metavar="NAME", default=list(USUAL))
    parser.add_argument("--circuit", nargs="+", choices=list(CIRCUITS), metavar="NAME", default=list(CIRCUITS))
    parser.add_argument("--trials", type=int, help="measurements for each network (default: no limit)")
    parser.add_argument("--time", default="5m", help="time for each network (default: 5m)")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--exhaustive", type=int, default=0, metavar="N", help="the largest space that is tried whole")
    parser.add_argument("--per-channel", action="store_true", help="weights with a scale for each output channel")
    parser.add_argument("--uint8", action="store_true", help="activations of uint8 instead of int8")
    parser.add_argument("--log", metavar="FOLDER", help="keep the logs here")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    how = Quantization(args.per_channel, args.uint8)
    seconds = parse_time(args.time) if args.trials is None else None
    options = Options(trials=args.trials, seconds=seconds, jobs=args.jobs)
    rows: list[dict[str, Any]] = []
    exhaustive: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(args.log or scratch)
        for name in args.only:
            for circuit in args.circuit:
                about = {"network": f"{name}{how}", "circuit": circuit}
                rows.append(about | tune(name, how, circuit, options, folder).to_dict())
                if args.exhaustive:
                    found = try_everything(name, how, circuit, args.exhaustive, 128, args.jobs)
                    exhaustive += [about | row for row in found]
    if args.json:
        print(json.dumps({"tuned": rows, "exhaustive": exhaustive}))
        return 0
    print_results(rows)
    if exhaustive:
        print()
        print_exhaustive(exhaustive)
    return 0


if __name__ == "__main__":
    sys.exit(main())
