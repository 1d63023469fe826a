"""Layer-by-layer agreement with ONNX Runtime, on the same layer inputs: fraction equal and largest difference.

    python benchmarks/agreement.py [--only NAME ...] [--target vta|cpu] [--random N] [--quick]

The digit classifier and the networks of benchmarks/networks, per tensor and per channel, with int8 and with uint8
activations; then N random networks of test/support/qdq_models.py. ONNX Runtime computes every operator as the model
has it, in floating point. The last column says whether the whole network gives the same bits natively and on the
accelerator.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import pathlib
import sys
from collections.abc import Iterator, Mapping

import numpy as np
import onnx

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "demo"), str(ROOT / "test" / "support")]

import acc  # noqa: E402
from acc.layerwise import Agreement, compare_layers, onnx_runtime  # noqa: E402
from acc.report import format_table  # noqa: E402
from digits_data import load_split  # noqa: E402
from networks import NETWORKS, USUAL, Quantization, load, quantize  # noqa: E402
from qdq_models import random_network  # noqa: E402

HEADER = ("model", "layers", "elements", "equal", "worst layer", "largest", "which", "native = VTA")

Case = tuple[str, onnx.ModelProto, dict[str, np.ndarray]]


def run(target: str, model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    with acc.compile(model, target=target) as executable:
        return executable.run(dict(inputs))


def measure(model: onnx.ModelProto, feeds: dict[str, np.ndarray], target: str) -> list[Agreement]:
    reference = functools.partial(onnx_runtime, as_written=True)
    return list(compare_layers(model, feeds, reference, functools.partial(run, target)))


def is_same(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> bool:
    """Whether native code and the accelerator agree bit for bit."""
    native, accelerator = run("cpu", model, feeds), run("vta", model, feeds)
    return all(np.array_equal(native[name], accelerator[name]) for name in native)


def summary(name: str, results: list[Agreement], same: bool | None) -> list[str]:
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
        "" if same is None else "yes" if same else "NO",
    ]


def quantizations() -> Iterator[tuple[Quantization, str]]:
    for per_channel, unsigned in itertools.product((False, True), repeat=2):
        text = f"per {'channel' if per_channel else 'tensor'}, {'uint8' if unsigned else 'int8'}"
        yield Quantization(per_channel, unsigned), text


def cases(names: list[str], quick: bool) -> Iterator[Case]:
    """Models with inputs. quick: small images, narrow networks."""
    for name in names:
        for how, text in quantizations():
            if name == "digits":
                training, _ = load_split("train")
                test, _ = load_split("test")
                flags = {"per_channel": how.per_channel, "unsigned": how.unsigned}
                model = quantize(onnx.load(ROOT / "demo" / "digits.onnx"), training[:256], **flags)
                yield f"{name}, {text}", model, {"input": test[:1]}
            else:
                sizes = {"size": NETWORKS[name].small, "width": 0.25} if quick else {}
                yield f"{name}, {text}", *load(name, how, **sizes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = ["digits", *NETWORKS]
    parser.add_argument("--only", nargs="+", choices=known, metavar="NAME", default=["digits", *USUAL])
    parser.add_argument("--target", default="vta", choices=["vta", "cpu"])
    parser.add_argument("--random", type=int, default=20, metavar="N", help="random networks (default 20)")
    parser.add_argument("--quick", action="store_true", help="small images and narrow networks")
    args = parser.parse_args()

    rows = []
    for name, model, feeds in cases(args.only, args.quick):
        rows.append(summary(name, measure(model, feeds, args.target), is_same(model, feeds)))
        print("; ".join(rows[-1]), file=sys.stderr, flush=True)
    results = []
    for seed in range(args.random):
        model = random_network(seed)
        rng = np.random.default_rng(seed)
        shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input}
        feeds = {name: rng.normal(0, 1, shape).astype(np.float32) for name, shape in shapes.items()}
        results += measure(model, feeds, args.target)
    if results:
        rows.append(summary(f"{args.random} random networks", results, None))
    print(format_table(rows, HEADER))
    return any(row[-1] == "NO" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
