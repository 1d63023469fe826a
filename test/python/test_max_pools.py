"""Max pools of any windows on the accelerator, taken at once or along one axis first: the same bits on every target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from acc.schedule import Footprint, Hardware, Schedule, Unschedulable, estimate, random_schedule
from acc.targets.vta import Vta, VtaOptions
from acc.targets.vta.pools import Pool, Window
from acc.targets.vta.profile import profile

TINY = {"LOG_BLOCK": 2, "LOG_INP_BUFF_SIZE": 9, "LOG_WGT_BUFF_SIZE": 10, "LOG_ACC_BUFF_SIZE": 11}
CONFIGS: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "published": ({}, {}),
    "banks": ({"ALU_REQUANTIZE": 1, "GEMM_SET": 1}, {"log_acc_banks": 1}),
    "tiny": (TINY, {}),
    "batch": ({"LOG_BATCH": 1, "LOG_BLOCK": 5}, {}),
}


def pool(shape: list[int], **attributes: Any) -> onnx.ModelProto:
    """x, quantized -> max pool -> y, quantized as x is."""
    constants = {"a": np.float32(0.05), "p": np.int8(3)}
    graph = helper.make_graph(
        [
            helper.make_node("DequantizeLinear", ["x", "a", "p"], ["real"]),
            helper.make_node("MaxPool", ["real"], ["most"], "pool", **attributes),
            helper.make_node("QuantizeLinear", ["most", "a", "p"], ["y"]),
        ],
        "pool",
        [helper.make_tensor_value_info("x", TensorProto.INT8, shape)],
        [helper.make_tensor_value_info("y", TensorProto.INT8, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def random_pool(seed: int) -> tuple[list[int], dict[str, Any]]:
    rng = np.random.default_rng(seed)
    spatial = 1 + int(rng.random() < 0.8)
    kernel = [int(rng.integers(1, 6)) for _ in range(spatial)]
    dilations = [int(rng.integers(1, 4)) if rng.random() < 0.3 else 1 for _ in kernel]
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    shape = [int(rng.choice([1, 2])), int(rng.choice([1, 3, 7, 17, 40]))]
    shape += [span + int(rng.integers(0, 24)) for span in spans]
    return shape, {
        "kernel_shape": kernel,
        "strides": [int(rng.integers(1, 5)) for _ in kernel],
        "pads": [int(rng.integers(0, k)) for k in (*kernel, *kernel)],
        "dilations": dilations,
        "ceil_mode": int(rng.integers(2)),
    }


def run_on_all(model: onnx.ModelProto, config: str, path: Path) -> None:
    """Compares the accelerator, its simulators and native code."""
    keys, circuit = CONFIGS[config]
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    inputs = {"x": np.random.default_rng(1).integers(-128, 128, shape).astype(np.int8)}
    expected = acc.compile(model).run(inputs)["y"]
    acc.compile(model, target="vta", config=keys, **circuit).save(path)
    for device in ("fsim", "csim"):
        with acc.load(path, sanitize=True) if device == "fsim" else acc.load(path, device=device) as executable:
            np.testing.assert_array_equal(executable.run(inputs)["y"], expected)
            assert [layer.target for layer in executable.report() if "pool" in layer.layers] == ["vta"]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("seed", range(5))
def test_axes_apart(seed: int, first: int, config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether that is quicker or not."""

    def choose(windows: Pool, *_: int) -> int | None:
        return first if windows.rows.taps * windows.columns.taps > 1 else None

    monkeypatch.setattr(Pool, "first_axis", choose)
    shape, attributes = random_pool(10 * seed + 5 * first + list(CONFIGS).index(config))
    run_on_all(pool(shape, **attributes), config, tmp_path / "model.so")


@pytest.mark.parametrize("seed", range(12))
def test_any_schedule(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is legal compiles, whatever it tiles, and moves the bytes that are predicted or fewer."""
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(Pool, "first_axis", lambda windows, *_: seed % 2 if windows.rows.taps > 1 else None)
    shape, attributes = random_pool(seed)
    predicted = 0

    def choose(footprint: Footprint, hardware: Hardware) -> Schedule:
        nonlocal predicted
        for vthreads in (int(rng.choice([2, 4])), 1):
            schedule = random_schedule(footprint, hardware, rng, vthreads, split_window=True)
            if schedule is not None:
                predicted = sum(estimate(schedule, footprint, hardware).dram_bytes.values())
                return schedule
        raise Unschedulable("nothing fits")

    model = pool(shape, **attributes)
    path = tmp_path / "model.so"
    acc.compile(model, Vta(VtaOptions(TINY if seed % 3 else None, schedule=choose))).save(path)
    inputs = {"x": rng.integers(-128, 128, shape).astype(np.int8)}
    with acc.load(path, sanitize=True) as executable:
        np.testing.assert_array_equal(executable.run(inputs)["y"], acc.compile(model).run(inputs)["y"])
    moved = (layer.dram_bytes for layer in profile(path).layers)
    assert sum(count for by_memory in moved for memory, count in by_memory.items() if memory != "uop") <= predicted


@pytest.mark.circuit
def test_on_the_circuit(tmp_path: Path) -> None:
    run_on_all(pool([1, 32, 21, 19], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4), "banks", tmp_path / "model.so")


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(
    "size, windows",
    [
        ([64, 56, 56], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}),
        ([32, 28, 28], {"kernel_shape": [3, 3], "pads": [1] * 4}),
        ([32, 20, 20], {"kernel_shape": [5, 5], "pads": [2] * 4}),
        ([16, 8, 8], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}),
        ([17, 13, 9], {"kernel_shape": [3, 2], "strides": [2, 3]}),
        ([64, 400], {"kernel_shape": [3], "strides": [2], "pads": [1] * 2}),
    ],
)
def test_never_slower(
    size: list[int], windows: dict[str, Any], config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the policy chooses takes no more cycles than a window at once."""
    keys, circuit = CONFIGS[config]
    model = pool([1, *size], **windows)
    cycles = []
    for name in ("chosen", "whole"):
        if name == "whole":
            monkeypatch.setattr(Pool, "first_axis", lambda *_: None)
        acc.compile(model, target="vta", config=keys, **circuit).save(tmp_path / name)
        cycles.append(profile(tmp_path / name).cycles)
    assert cycles[0] <= cycles[1]
    if config == "banks" and size[1] == 56:
        assert cycles[0] < 0.75 * cycles[1]


@pytest.mark.parametrize("seed", range(20))
def test_phases_are_the_taps_of_windows(seed: int) -> None:
    """Counted one by one: every tap is in one phase, and the elements that windows meet are those of all phases."""
    rng = np.random.default_rng(seed)
    count, taps, stride, dilation = (int(rng.integers(1, most)) for most in (9, 8, 6, 5))
    window = Window(count, taps, stride, dilation)
    assert sum(window.phases) == taps
    met = {i * stride + tap * dilation for i in range(count) for tap in range(taps)}
    assert window.reach(np.array(count)) == max(met) + 1
    by_place: dict[int, set[int]] = {}
    for tap in range(taps):
        by_place.setdefault(tap * dilation % stride, set()).add(tap)
    assert sorted(window.phases) == sorted(map(len, by_place.values()))
    assert len(met) <= window.extent(np.array(count)) <= max(met) + 1 + stride * len(by_place)
