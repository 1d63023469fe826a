"""Layer-by-layer agreement with ONNX Runtime, on the same layer inputs: fraction equal and largest difference.

    python benchmarks/agreement.py [--target vta|cpu] [--random N]

The digit classifier and ResNet-18 (per tensor and per channel), then N random networks of test/support/qdq_models.py.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

import numpy as np
import onnx

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "demo"), str(ROOT / "test" / "support")]

import acc  # noqa: E402
from acc.layerwise import Agreement, compare_layers, onnx_runtime  # noqa: E402
from acc.report import format_table  # noqa: E402
from digits_data import load_split  # noqa: E402
from networks import Quantization, load, quantize  # noqa: E402
from qdq_models import random_network  # noqa: E402


def measure(model: onnx.ModelProto, feeds: dict[str, np.ndarray], target: str) -> list[Agreement]:
    def candidate(layer, inputs):
        return acc.compile(layer, target=target).run(dict(inputs))

    return list(compare_layers(model, feeds, onnx_runtime, candidate))


def summary(name: str, results: list[Agreement]) -> list[str]:
    worst = min(results, key=lambda r: r.equal)
    elements = sum(r.elements for r in results)
    equal = sum(r.equal * r.elements for r in results) / elements
    return [
        name,
        str(len(results)),
        f"{elements:,}",
        f"{equal:.4%}",
        f"{worst.equal:.4%}",
        str(max(r.largest for r in results)),
        worst.layer,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default="vta", choices=["vta", "cpu"])
    parser.add_argument("--random", type=int, default=20, metavar="N", help="random networks (default 20)")
    args = parser.parse_args()

    training, _ = load_split("train")
    test, _ = load_split("test")
    digits = onnx.load(ROOT / "demo" / "digits.onnx")
    rows = []
    for per_channel in (False, True):
        kind = "per channel" if per_channel else "per tensor"
        model = quantize(digits, training[:256], per_channel=per_channel)
        rows.append(summary(f"digits, {kind}", measure(model, {"input": test[:1]}, args.target)))
        model, feeds = load("resnet18", Quantization(per_channel))
        rows.append(summary(f"ResNet-18, {kind}", measure(model, feeds, args.target)))
    results = []
    for seed in range(args.random):
        model = random_network(seed)
        feeds = {
            v.name: np.random.default_rng(seed)
            .normal(0, 1, [d.dim_value for d in v.type.tensor_type.shape.dim])
            .astype(np.float32)
            for v in model.graph.input
        }
        results += measure(model, feeds, args.target)
    if results:
        rows.append(summary(f"{args.random} random networks", results))
    print(format_table(rows, ["model", "layers", "elements", "equal", "worst layer", "largest", "which"]))


if __name__ == "__main__":
    main()
