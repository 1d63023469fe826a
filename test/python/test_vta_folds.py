"""Taps of a window in lanes: the choice of them, and that any choice computes the same."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import acc
from acc import ir
from acc.passes import graph as graph_passes
from acc.passmanager import PassManager
from acc.targets.vta import folding
from acc.targets.vta.config import Hardware
from acc.targets.vta.folding import Convolution, fold_of
from native_te import compile_te
from qdq_models import QdqModel

STEM = Convolution((1, 3, 224, 224), (64, 3, 7, 7), (112, 112), (2, 2), (1, 1))


def test_a_whole_window_where_products_decide() -> None:
    assert fold_of(STEM, Hardware()) == (7, 7)


def test_nothing_is_folded_where_channels_fill_lanes() -> None:
    assert fold_of(Convolution((1, 64, 56, 56), (64, 64, 3, 3), (56, 56), (1, 1), (1, 1)), Hardware()) == (1, 1)
    assert fold_of(Convolution((1, 3, 8, 8), (64, 3, 1, 1), (8, 8), (1, 1), (1, 1)), Hardware()) == (1, 1)


def test_loads_decide_where_results_are_few() -> None:
    """Of one block of outputs, a whole window of 147 channels would take longer to load than to multiply."""
    few = Convolution((1, 3, 224, 224), (16, 3, 7, 7), (224, 224), (1, 1), (1, 1))
    fold = fold_of(few, Hardware())
    assert few.cycles(fold, Hardware()) < few.cycles((7, 7), Hardware())
    assert fold != (1, 1)


@pytest.mark.parametrize("seed", range(6))
def test_any_fold_computes_the_same(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    net = QdqModel(rng, signed=bool(seed % 2))
    channels = int(rng.choice([1, 2, 3, 7, 17]))
    kernel, strides, dilations = (tuple(int(v) for v in rng.integers(1, high, 2)) for high in (6, 4, 3))
    pads = tuple(int(v) for v in rng.integers(0, 4, 4))
    x = net.input((int(rng.choice([1, 3])), channels, 13, 12))
    y = net.conv(x, int(rng.choice([5, 16, 33])), kernel, strides, pads, dilations)  # type: ignore[arg-type]
    model = net.build(y)
    inputs = {model.graph.input[0].name: rng.normal(0, 1, x.shape).astype(np.float32)}
    (expected,) = acc.compile(model).run(inputs).values()
    folds = list(itertools.product(range(1, kernel[0] + 1), range(1, kernel[1] + 1)))
    for fold in [folds[i] for i in sorted({0, len(folds) - 1, *(int(i) for i in rng.integers(0, len(folds), 2))})]:
        monkeypatch.setattr(folding, "fold_of", lambda *_, fold=fold: fold)
        path = tmp_path / "model.so"
        acc.compile(model, target="vta", config={"LOG_BATCH": seed % 2, "LOG_ACC_BUFF_SIZE": 16}).save(path)
        executable = acc.load(path, sanitize=True)
        assert any(layer.target == "vta" and layer.gemm_steps for layer in executable.report()), f"seed {seed}"
        (actual,) = executable.run(inputs).values()
        np.testing.assert_array_equal(actual, expected, err_msg=f"seed {seed}: {fold} of {kernel}")


@pytest.mark.parametrize("seed", range(4))
def test_native_packing_of_windows(seed: int) -> None:
    """graph.pack with a window in native code, against numpy."""
    rng = np.random.default_rng(seed)
    n, c, h, w = (int(v) for v in (rng.integers(1, 4), rng.integers(1, 8), *rng.integers(4, 12, 2)))
    window, strides, dilations = (rng.integers(1, high, 2) for high in (4, 4, 3))
    halo, tiles = rng.integers(0, 3, 4), (int(rng.integers(1, 3)), int(rng.choice([4, 16])))
    x = rng.integers(-128, 128, (n, c, h, w)).astype(np.int8)
    padded = np.pad(x, ((0, 0), (0, 0), (halo[0], halo[2]), (halo[1], halo[3])), constant_values=-7)
    rows, columns = (
        (size - (window[axis] - 1) * dilations[axis] - 1) // strides[axis] + 1
        for axis, size in enumerate(padded.shape[2:])
    )
    if min(rows, columns) < 1:
        pytest.skip(f"seed {seed}: the window does not fit")
    taps = [
        padded[:, :, i * dilations[0] :: strides[0], j * dilations[1] :: strides[1]][:, :, :rows, :columns]
        for i in range(window[0])
        for j in range(window[1])
    ]
    channels = np.concatenate(taps, 1)
    blocks = [-(-size // tile) for size, tile in zip(channels.shape[:2], tiles, strict=True)]
    whole = np.full((blocks[0] * tiles[0], blocks[1] * tiles[1], rows, columns), -7, np.int8)
    whole[: channels.shape[0], : channels.shape[1]] = channels
    expected = whole.reshape(blocks[0], tiles[0], blocks[1], tiles[1], rows, columns).transpose(0, 2, 4, 5, 1, 3)

    def array(values: object) -> str:
        return f"array<i64: {', '.join(map(str, values))}>"  # type: ignore[call-overload]

    source, target = ("x".join(map(str, shape)) for shape in (x.shape, expected.shape))
    attributes = f"halo = {array(halo)}, tiles = {array(tiles)}, window = {array(window)}, strides = {array(strides)}"
    module = ir.Module.parse(
        f"""func.func @main(%x: tensor<{source}xi8> {{graph.name = "x"}})
            -> (tensor<{target}xi8> {{graph.name = "y"}}) {{
          %0 = graph.pack %x {{{attributes}, dilations = {array(dilations)}, pad_value = -7 : i8}}
              : (tensor<{source}xi8>) -> tensor<{target}xi8>
          return %0 : tensor<{target}xi8>
        }}""",
        ir.Context(),
    )
    pm = PassManager("builtin.module", module.context)
    pm.add(graph_passes.outline_kernels())
    pm.add(graph_passes.to_linalg())
    pm.run(module)
    np.testing.assert_array_equal(compile_te(str(module)).run({"x": x})["y"], expected, err_msg=f"seed {seed}")
