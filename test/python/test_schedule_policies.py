"""Policies that replace the search: what they may decide compiles, what they may not is an error with the layer."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import acc
import te_kernels
import te_pipeline
from acc import ir
from acc.cli import main
from acc.schedule import (
    Footprint,
    Hardware,
    IllegalSchedule,
    Policy,
    Schedule,
    Scratchpads,
    Search,
    Unschedulable,
    complete,
    estimate,
    make_schedules,
    read_footprint,
    to_attribute,
)
from acc.schedule.space import Space
from acc.targets import vta
from acc.targets.vta import Vta, VtaOptions
from acc.targets.vta.schedule import VtaHardware
from qdq_zoo import ZooModel

ROOT = Path(__file__).resolve().parents[2]


def example() -> Policy:
    """The policy of examples/schedule_policy.py."""
    spec = importlib.util.spec_from_file_location("schedule_policy", ROOT / "examples" / "schedule_policy.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.halve_the_largest


def network() -> onnx.ModelProto:
    net = ZooModel(np.random.default_rng(4))
    x = net.conv(net.input((1, 4, 9, 9)), 8)
    return net.build(net.conv(x, 16), net.rescale(x))


def compile_with(policy: Any, config: dict[str, int] | None = None) -> acc.Executable:
    return acc.compile(network(), target=Vta(VtaOptions(config, schedule=policy)))


SMALL = {"LOG_BLOCK": 2, "LOG_INP_BUFF_SIZE": 8, "LOG_WGT_BUFF_SIZE": 10, "LOG_ACC_BUFF_SIZE": 9}


@pytest.mark.parametrize("config", [None, SMALL])
def test_the_example_replaces_the_search(config: dict[str, int] | None) -> None:
    searched, halved = compile_with(Search(), config), compile_with(example(), config)
    schedules = [[layer.schedule for layer in e.report() if layer.target == "vta"] for e in (searched, halved)]
    assert len(schedules[0]) == len(schedules[1]) > 0 and schedules[0] != schedules[1]
    assert not any("virtual threads" in text for text in schedules[1])
    rng = np.random.default_rng(1)
    inputs = {
        spec.name: rng.normal(0, 1, [d.dim_value for d in spec.type.tensor_type.shape.dim]).astype(np.float32)
        for spec in network().graph.input
    }
    for name, expected in searched.run(inputs).items():
        np.testing.assert_array_equal(halved.run(inputs)[name], expected)


def random_policy(footprint: Footprint, rng: np.random.Generator) -> Schedule:
    """Any decision that the language has, mostly legal."""
    tiles = {axis.name: int(rng.integers(1, axis.extent + 1)) for axis in footprint.axes if rng.random() < 0.8}
    order = tuple(rng.permutation([axis.name for axis in footprint.parallel])[: rng.integers(0, 5)].tolist())
    axis, vthreads = None, 1
    if rng.random() < 0.6:
        axis, vthreads = str(rng.choice([axis.name for axis in footprint.parallel])), int(rng.integers(2, 4))
        extent = next(a.extent for a in footprint.axes if a.name == axis)
        tiles[axis] = max(1, extent // (vthreads * int(rng.integers(1, 3))))
    levels = {arg: int(rng.integers(0, 2)) for arg, buffer in footprint.reads.items() if buffer.anchor}
    slots = {arg: int(rng.integers(1, 4)) for arg, buffer in footprint.reads.items() if buffer.anchor}
    return Schedule(tiles, order, axis, vthreads, levels if rng.random() < 0.7 else {}, slots)


@pytest.mark.parametrize("kind", te_kernels.KINDS)
@pytest.mark.parametrize("seed", range(10))
def test_whatever_is_not_illegal_compiles(kind: str, seed: int) -> None:
    """Windows in any tiles, any order of loops, any slots: bits and bytes are as predicted."""
    rng = np.random.default_rng([seed, 77])
    config = te_kernels.random_config(rng) if seed % 2 else {"LOG_BLOCK": 4}
    kernel = te_kernels.KINDS[kind](config, rng)
    with ir.Context():
        module = ir.Module.parse(kernel.text)
        operation = next(op for op in module.body if op.name == "te.kernel")
        footprint, hardware = read_footprint(operation), VtaHardware.of(operation.attributes["target"])
        for _ in range(20):
            schedule = random_policy(footprint, rng)
            try:
                expected = estimate(schedule, footprint, hardware)
            except IllegalSchedule:
                continue
            schedule = complete(schedule, footprint)
            operation.attributes["schedule"] = to_attribute(schedule, footprint, hardware, module.context)
            te_pipeline.run_schedule(module, schedule, expected, kernel, config)
            break


def huge(footprint: Footprint, hardware: Hardware) -> Schedule:
    return Schedule()


def fails(footprint: Footprint, hardware: Hardware) -> Schedule:
    return Schedule({"c": {}["c"]})


ILLEGAL = {
    "axis": (Schedule({"z": 1}), "it has no axis 'z', but n, c, h, w, ci, kh, kw"),
    "zero": (Schedule({"c": 0}), "a tile of 0 in axis 'c' is not between 1 and the extent, "),
    "large": (Schedule({"h": 99}), "a tile of 99 in axis 'h' is not between 1 and the extent, 9"),
    "fraction": (Schedule({"h": 1.5}), "the size of a tile in axis 'h' is 1.5, which is no integer"),  # type: ignore[dict-item]
    "order": (Schedule(order=("ci",)), "axis 'ci' is summed over, so it has no place in the order"),
    "twice": (Schedule(order=("h", "h")), "an axis is twice in the order h, h"),
    "unknown argument": (Schedule(levels={9: 0}), "argument 9 has a level, but only "),
    "level": (Schedule({"kh": 1}, levels={0: 2}), "argument 0 is read at level 2: there are 0 and 1"),
    "slots": (Schedule(slots={0: 0}), "argument 0 has 0 slots: the least is 1"),
    "no vthreads": (Schedule(vthreads=2), "it has 2 virtual threads, but no axis of them"),
    "one vthread": (Schedule(vthread_axis="h"), "it has 1 virtual threads over axis 'h': the least is 2"),
    "vthreads": (Schedule({"h": 3}, vthread_axis="h", vthreads=2), "the 3 tiles over axis 'h' are no multiple of 2"),
    "summed vthreads": (Schedule({"kh": 1}, (), "kh", 3), "axis 'kh' of virtual threads is summed over"),
    "dictionary": ({"tiles": {"h": 1}}, "it is of type dict, not a Schedule"),
    "nothing": (None, "it is of type NoneType, not a Schedule"),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_illegal_schedules(name: str) -> None:
    """The error names every layer, and nothing else of acc."""
    schedule, wanted = ILLEGAL[name]

    def policy(footprint: Footprint, hardware: Hardware) -> Any:
        return schedule if footprint.product else Search()(footprint, hardware)

    with pytest.raises(acc.CompileError) as error:
        compile_with(policy)
    lines = str(error.value).splitlines()
    convolutions = [node.name for node in network().graph.node if node.op_type == "Conv"]
    assert len(lines) == len(convolutions) == 2
    for line, layer in zip(lines, convolutions, strict=True):
        assert layer in line and wanted in line, line


def test_schedules_that_do_not_fit() -> None:
    with pytest.raises(acc.CompileError, match=r"its buffers do not fit: they need .* elements of acc, which has 32"):
        compile_with(huge, SMALL)


def test_policies_that_fail() -> None:
    with pytest.raises(acc.CompileError, match="the policy fails with KeyError: 'c'"):
        compile_with(fails)


def test_what_is_no_policy() -> None:
    with pytest.raises(acc.CompileError, match=r"VtaOptions\.schedule is .*, not int"):
        VtaOptions(schedule=3)  # type: ignore[arg-type]


def test_the_search_finds_the_cheapest() -> None:
    """What it leaves out by bounds would not have been cheaper, nor as cheap and earlier."""
    seen = []

    def search(footprint: Footprint, hardware: Hardware) -> Schedule:
        space = Space(footprint, hardware, 2)
        best, cheapest = None, np.iinfo(np.int64).max
        for evaluation in space.evaluations():
            at = np.flatnonzero(evaluation.legal)
            costs = hardware.cost(evaluation.work(at))
            if costs.min() < cheapest:
                best, cheapest = evaluation.schedule(int(at[costs.argmin()])), costs.min()
        found = space.find_cheapest()
        assert found == best, footprint.name
        if found is not None:
            seen.append(footprint.name)
        return Search()(footprint, hardware)

    for config in (None, SMALL):
        compile_with(search, config)
    assert len(seen) > 2


def test_a_policy_may_give_kernels_to_the_host() -> None:
    def policy(footprint: Footprint, hardware: Hardware) -> Schedule:
        raise Unschedulable("not today")

    layers = [layer for layer in compile_with(policy).report() if layer.macs]
    assert [layer.target for layer in layers] == ["cpu", "cpu"]
    assert {layer.reason for layer in layers} == {"not today"}


def test_the_command_line_exits_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A target whose policy is wrong, as that of another package may be."""
    onnx.save(network(), tmp_path / "model.onnx")

    def from_options(options: Any) -> Vta:
        return Vta(VtaOptions(SMALL, schedule=huge))

    monkeypatch.setattr(vta.Vta, "from_options", from_options)
    assert main(["compile", str(tmp_path / "model.onnx"), "--target", "vta", "-o", str(tmp_path / "model.so")]) == 2
    printed = capsys.readouterr()
    assert "its buffers do not fit" in printed.err and "Traceback" not in printed.err
    assert not (tmp_path / "model.so").exists()


TOY = """#te.target<name = "toy",
  scratchpads = [#te.memory<space = "vectors", shape = [8], type = i8, capacity = {vectors}>,
                 #te.memory<space = "weights", shape = [8], type = i8, capacity = 16>,
                 #te.memory<space = "sums", shape = [8], type = i32, capacity = 16>],
  roles = {{argument = "main", input = "vectors", weight = "weights", accumulator = "sums", output = "sums"}}>"""
PRODUCT = """
te.kernel @dense(%x: tensor<64x8xi8>, %w: tensor<32x64x8xi8>, %out: tensor<32x8xi8>) -> tensor<32x8xi8>
    attributes {target = TARGET, layers = ["dense1"]} {
  %five = arith.constant 5 : i32
  %e = tensor.empty() : tensor<32x8xi32>
  %f = linalg.fill ins(%five : i32) outs(%e : tensor<32x8xi32>) -> tensor<32x8xi32>
  %p = linalg.generic {indexing_maps = [affine_map<(m, k, o) -> (k, o)>, affine_map<(m, k, o) -> (m, k, o)>,
      affine_map<(m, k, o) -> (m, o)>], iterator_types = ["parallel", "reduction", "parallel"]}
      ins(%x, %w : tensor<64x8xi8>, tensor<32x64x8xi8>) outs(%f : tensor<32x8xi32>) {
  ^bb0(%a: i8, %b: i8, %s: i32):
    %0 = arith.extsi %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %s, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<32x8xi32>
  %q = linalg.generic {indexing_maps = [affine_map<(m, o) -> (m, o)>, affine_map<(m, o) -> (m, o)>],
      iterator_types = ["parallel", "parallel"]} ins(%p : tensor<32x8xi32>) outs(%out : tensor<32x8xi8>) {
  ^bb0(%a: i32, %o: i8):
    %0 = arith.trunci %a : i32 to i8
    linalg.yield %0 : i8
  } -> tensor<32x8xi8>
  te.return %q : tensor<32x8xi8>
}
"""


def test_the_search_serves_declared_targets() -> None:
    """A target of another package: capacities from its #te.target, tiles from the search."""
    with ir.Context():
        module = ir.Module.parse(PRODUCT.replace("TARGET", TOY.format(vectors=40)))
        (decision,) = make_schedules(module, "toy", Search(vthreads=1), Scratchpads.of)
        assert decision.layers == ("dense1",) and decision.estimate is not None
        used = decision.estimate.elements
        assert 0 < used["vectors"] <= 40 and 0 < used["weights"] <= 16 and 0 < used["sums"] <= 16
        assert decision.estimate.dram_bytes["weight"] == 32 * 64 * 8
        kernel = next(op for op in module.body if op.name == "te.kernel")
        assert 'memory = "weights"' in str(kernel.attributes["schedule"])
        module.operation.verify()


def test_too_small_a_declared_target() -> None:
    with ir.Context():
        target = TOY.format(vectors=40).replace("capacity = 16", "capacity = 1")
        for policy in (Search(), lambda footprint, hardware: Schedule({"p0": 1, "kw": 1})):
            module = ir.Module.parse(PRODUCT.replace("TARGET", target))
            (decision,) = make_schedules(module, "toy", policy, Scratchpads.of)
            assert decision.schedule is not None
        # Without a memory for weights it is no product, but a sum of accumulators.
        module = ir.Module.parse(PRODUCT.replace("TARGET", target.replace('weight = "weights", ', "")))
        (decision,) = make_schedules(module, "toy", Search(), Scratchpads.of)
        assert decision.reason == "its smallest tile needs 3 elements of sums, 2 more than there are"
