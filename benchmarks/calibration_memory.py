"""What quantizing a large network on many images takes: a generator of images, read one after the other.

    python benchmarks/calibration_memory.py [NETWORK] [--images N] [--size PIXELS]

NETWORK is one of `benchmarks/networks`, "resnet50" by default, with seeded weights. Prints megabytes at the peak, above
what Python takes that has read numpy and onnx, and seconds; 1,000 images of ResNet-50 take ten minutes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import onnx

from networks import NETWORKS
from quantization_tasks.methods import Memory


def write_model(network: str, size: int, path: Path) -> tuple[str, list[int]]:
    """The name and the shape of the input."""
    model = NETWORKS[network].make(size, 1.0)
    onnx.save(model, path)
    source = model.graph.input[0]
    return source.name, [axis.dim_value for axis in source.type.tensor_type.shape.dim]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", nargs="?", default="resnet50", choices=list(NETWORKS))
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="acc-calibration-") as folder:
        path = Path(folder, "model.onnx")
        # In a process of its own, as what a model took stays with the process for what comes.
        with ProcessPoolExecutor(1) as apart:
            name, shape = apart.submit(write_model, options.network, options.size, path).result()

        def images() -> Iterator[dict[str, np.ndarray]]:
            random = np.random.default_rng(1)
            for _ in range(options.images):
                yield {name: random.normal(0, 1, shape).astype(np.float32)}

        with Memory() as memory:
            # Its libraries are part of what it takes.
            import acc

            started = time.perf_counter()
            quantized = acc.quantize(path, images())
            quantized.save(Path(folder, "quantized.onnx"))
            seconds = time.perf_counter() - started
    print(f"{options.network}, {quantized.samples} images: {memory.own:.0f} MB, {seconds:.0f} s")


if __name__ == "__main__":
    main()
