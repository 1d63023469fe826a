"""examples/target_plugin: an accelerator of another package, installed as users install it, runs quantized networks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import acc
from acc import ir, targets
from acc.cli import main
from conftest import ROOT
from qdq_models import QdqModel, power_of_two_network, random_network

SOURCES = ROOT / "examples" / "target_plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that pip installed the package to, on the path of this process."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--disable-pip-version-check", "--target", folder, SOURCES], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        targets._installed.cache_clear()
        yield folder
    targets._installed.cache_clear()


def feeds(model: onnx.ModelProto, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        value.name: rng.normal(0, 1, [d.dim_value for d in value.type.tensor_type.shape.dim]).astype(np.float32)
        for value in model.graph.input
    }


def check(model: onnx.ModelProto, seed: int, target: Any = "toy", **options: Any) -> acc.Executable:
    """Compiles for the CPU and for `target`, and compares what they compute, bit for bit."""
    inputs = feeds(model, seed)
    compiled = acc.compile(model, target=target, **options)
    made, expected = compiled.run(inputs), acc.compile(model).run(inputs)
    for name, value in expected.items():
        np.testing.assert_array_equal(made[name], value, err_msg=f"seed {seed}, {target}, {options}")
    return compiled


def placed(compiled: acc.Executable) -> list[str]:
    return [layer.target for layer in compiled.layers]


def cnn(seed: int) -> onnx.ModelProto:
    """Three convolutions with strides, pads and dilations, and a fully connected layer."""
    net = QdqModel(np.random.default_rng(seed))
    x = net.input((1, 3, 17, 13))
    x = net.conv(x, 16, (3, 3), (2, 1), (1, 0, 2, 1), activation="relu", per_channel=True)
    x = net.conv(x, 20, (2, 3), (1, 2), (0, 2, 1, 0), (2, 1))
    x = net.conv(x, 9, (1, 1), pads=(0, 0, 0, 0))
    return net.build(net.gemm(net.flatten(x), 10))


def test_its_size() -> None:
    files = [path for path in SOURCES.rglob("*") if path.suffix in (".py", ".toml", ".md")]
    assert sum(len(path.read_text().splitlines()) for path in files) <= 400


@pytest.mark.parametrize("options", [{}, {"vectors": 40, "sums": 24}])
def test_a_quantized_cnn_runs_on_it_bit_for_bit(installed: Path, options: dict[str, int]) -> None:
    compiled = check(cnn(1), 1, **options)
    assert placed(compiled).count("toy") == 4
    counts = compiled.statistics["programs"]
    assert len(counts) == 4


@pytest.mark.parametrize("seed", range(4))
def test_random_networks_run_on_it_bit_for_bit(installed: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    options = {"vectors": int(rng.integers(64, 600)), "sums": int(rng.integers(4, 600))}
    model = random_network(seed) if seed % 2 else power_of_two_network(seed)
    assert "toy" in placed(check(model, seed, **options))
