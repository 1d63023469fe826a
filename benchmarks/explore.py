"""How good the exploration of hardware is: its predictions, and what it finds with a number of counted designs.

    python benchmarks/explore.py predictions [--data FILE]
    python benchmarks/explore.py search [--only NAME ...] [--size PIXELS] [--trials N] [--seeds N] [--device NAME]
                                        [--cache FOLDER] [--json]

`predictions`: area and frequency of each circuit of the data as predicted from all others, beside what synthesis and
routing said. `search`: the least energy-delay product, the least product of latency and area, and the hypervolume that
acc's search, the library's own sampler and random search find, medians over seeds. What was counted is kept in the
folder, so that a second run is quick.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import sys
import tempfile
from typing import Any

import numpy as np

from acc.exploration import Options
from acc.exploration.explorer import Exploration, find_designs
from acc.exploration.search import Counted, objectives_of
from acc.exploration.space import read_space
from acc.hardware import prediction
from acc.report import format_table
from networks import NETWORKS, load

STRATEGIES = {"guided": "acc", "sampler": "Optuna's default", "random": "random"}
OBJECTIVES = ("latency", "area", "energy")


def predictions(path: str | None) -> int:
    examples, problems = prediction.read_examples(path or prediction.data_file())
    for problem in problems:
        print(f"skipped: {problem}", file=sys.stderr)
    found = prediction.validate(examples)
    routed = sum(example.routed is not None for example in examples)
    print(f"{len(examples)} circuits, {routed} of them routed; each predicted from the others\n")
    rows = [
        [name, *(f"{errors[key]:.1f}" for key in ("mean", "median", "largest")), f"{errors['circuits']:.0f}"]
        for name, errors in found.items()
    ]
    print(format_table(rows, ["", "mean error %", "median %", "largest %", "circuits"]))
    return 0


def search(
    name: str, size: int, device: str, trials: int, seed: int, strategy: str, cache: pathlib.Path, space: str | None
) -> list[Counted]:
    """Everything that a search has counted, in order."""
    model, _ = load(name, size=size)
    designs = find_designs(device)
    options = Options(objectives=OBJECTIVES, trials=trials, seed=seed, strategy=strategy)
    with tempfile.TemporaryDirectory() as folder:
        exploration = Exploration(
            designs,
            read_space(space, designs),
            model.SerializeToString(),
            options,
            pathlib.Path(folder),
            trials=cache / f"{name}-{size}.jsonl",
        )
        try:
            exploration.search()
        finally:
            exploration.close()
        return exploration.counted


def figures(counted: list[Counted]) -> dict[str, float]:
    table = np.array([item.objectives for item in counted])
    return {"edp": float((table[:, 0] * table[:, 2]).min()), "latency_area": float((table[:, 0] * table[:, 1]).min())}


def compare(args: argparse.Namespace) -> int:
    args.cache.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {}
    for name in args.only:
        found: dict[str, list[list[Counted]]] = {}
        for strategy in STRATEGIES:
            for seed in range(args.seeds):
                counted = search(name, args.size, args.device, args.trials, seed, strategy, args.cache, args.space)
                found.setdefault(strategy, []).append(counted)
                print(f"{name} {strategy} seed {seed}: {figures(counted)}", file=sys.stderr, flush=True)
        everything = np.concatenate(
            [[item.objectives for item in counted] for runs in found.values() for counted in runs]
        )
        low, high = everything.min(axis=0), everything.max(axis=0)
        for strategy, runs in found.items():
            row = {key: statistics.median(figures(counted)[key] for counted in runs) for key in ("edp", "latency_area")}
            tables = [np.array([item.objectives for item in counted]) for counted in runs]
            row["hypervolume"] = statistics.median(_volume(table, low, high) for table in tables)
            results.setdefault(name, {})[strategy] = row
        designs = find_designs(args.device)
        default = designs.make({}, must_fit=False)
        results[name]["default"] = _default(name, args, designs, default)
    if args.json:
        print(json.dumps(results))
        return 0
    rows = []
    for name, by_strategy in results.items():
        random = by_strategy["random"]
        for strategy, row in by_strategy.items():
            title = STRATEGIES.get(strategy, "default configuration")
            gains = [f"{random[key] / row[key]:.2f}" for key in ("edp", "latency_area")]
            volume = f"{row['hypervolume']:.3f}" if "hypervolume" in row else ""
            rows.append(
                [name, title, f"{row['edp'] * 1e6:.4g}", gains[0], f"{row['latency_area'] * 1e3:.4g}", gains[1], volume]
            )
    header = ["model", "search", "EDP uJ s", "random / it", "latency x area ms", "random / it", "hypervolume"]
    print(format_table(rows, header))
    print(f"\n{args.trials} designs counted by each, {args.seeds} seeds, medians; {args.size} pixels; {args.device}")
    return 0


def _volume(table: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    drawn = np.random.default_rng(0).uniform(np.log(low), np.log(high), (20000, table.shape[1]))
    covered = np.zeros(len(drawn), dtype=bool)
    for point in np.log(table):
        covered |= (drawn >= point).all(axis=1)
    return float(covered.mean())


def _default(name: str, args: argparse.Namespace, designs: Any, default: Any) -> dict[str, float]:
    model, _ = load(name, size=args.size)
    outcome = designs.job(default, model.SerializeToString(), {"shapes": {}, "values": {}}).run()
    latency, area, energy = objectives_of(designs, OBJECTIVES, default, outcome)
    return {"edp": latency * energy, "latency_area": latency * area}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    first = actions.add_parser("predictions")
    first.add_argument("--data", metavar="FILE")
    second = actions.add_parser("search")
    second.add_argument(
        "--only", nargs="+", choices=list(NETWORKS), default=["resnet18", "mobilenet_v2", "shufflenet_v2"]
    )
    second.add_argument("--size", type=int, default=64)
    second.add_argument("--trials", type=int, default=100)
    second.add_argument("--seeds", type=int, default=3)
    second.add_argument("--device", default="ecp5-85k")
    second.add_argument("--space", metavar="space.toml")
    second.add_argument("--cache", type=pathlib.Path, default=pathlib.Path("build/explore"))
    second.add_argument("--json", action="store_true")
    args = parser.parse_args()
    return predictions(args.data) if args.action == "predictions" else compare(args)


if __name__ == "__main__":
    sys.exit(main())
