"""Which operators go to the accelerator, which do not and why, and what forms one kernel."""

from __future__ import annotations

import pytest

from acc import ir
from acc.macs import Macs
from acc.partition import Options, Placement, partition
from acc.targets.vta import Vta, VtaOptions

CONV = (
    "strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, "
    "group = {group} : i64, pad_value = {pad_value} : i8"
)
MACS = Macs(16 * 8 * 8 * 16 * 3 * 3)
SCALE = "pre_shift = array<i32: 0>, multiplier = array<i32: 1>, post_shift = array<i32: 4>"


def place(
    body: str, target: str = "vta", options: Options | None = None, fuse_residual: bool = True, **config: int
) -> list[Placement]:
    header, _, rest = body.partition("\n")
    module = ir.Module.parse(f"func.func @main({header}) {{\n{rest}\n  return\n}}", ir.Context())
    accelerators = [Vta(VtaOptions(config, fuse_residual=fuse_residual))] if target == "vta" else []
    return partition(module, accelerators, options)


def convolution(group: int = 1, pad_value: int = 0, channels: int = 16) -> str:
    attributes = CONV.format(group=group, pad_value=pad_value)
    weight = f"tensor<16x{channels // group}x3x3xi8>"
    return f"""%x: tensor<1x{channels}x8x8xi8>
      %w = graph.constant dense<1> : {weight} : {weight}
      %b = graph.constant dense<0> : tensor<16xi32> : tensor<16xi32>
      %a = graph.conv_integer %x, %w, %b {{{attributes}}}
          : (tensor<1x{channels}x8x8xi8>, {weight}, tensor<16xi32>) -> tensor<1x16x8x8xi32> loc("conv")
      %q = graph.requantize %a {{{SCALE}}} : (tensor<1x16x8x8xi32>) -> tensor<1x16x8x8xi8> loc("conv")"""


SUM = f"""
      %s = graph.weighted_sum %q, %x {{multipliers = array<i32: 1, 1>}}
          : (tensor<1x16x8x8xi8>, tensor<1x16x8x8xi8>) -> tensor<1x16x8x8xi32> loc("add")
      %r = graph.requantize %s {{{SCALE}}} : (tensor<1x16x8x8xi32>) -> tensor<1x16x8x8xi8> loc("add")"""


def test_a_sum_continues_the_convolution():
    assert place(convolution() + SUM) == [Placement("conv", "vta", ("conv", "add"), "", MACS, saturates=False)]


def test_a_sum_is_a_kernel_of_its_own_if_wanted():
    placements = place(convolution() + SUM, fuse_residual=False)
    assert [p.layers for p in placements] == [("conv",), ("add",)]


def test_a_result_with_two_readers_ends_its_kernel():
    pool = """
      %p = graph.max_pool %q {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>,
          pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
          : (tensor<1x16x8x8xi8>) -> tensor<1x16x4x4xi8> loc("pool")"""
    assert [p.layers for p in place(convolution() + SUM + pool)] == [("conv",), ("add",), ("pool",)]


def test_sums_continue_groups_that_lie_in_whole_blocks():
    small = {"LOG_BLOCK": 2, "LOG_INP_BUFF_SIZE": 9, "LOG_WGT_BUFF_SIZE": 10, "LOG_ACC_BUFF_SIZE": 11}
    assert [p.layers for p in place(convolution(group=16) + SUM)] == [("conv", "add")]
    assert [p.layers for p in place(convolution(group=2) + SUM, **small)] == [("conv",), ("add",)]


def test_everything_is_native_for_the_cpu():
    placements = place(convolution() + SUM, target="cpu")
    assert placements == [Placement("conv", "cpu", ("conv", "add"), "", MACS, saturates=False)]


def test_refused_kernels_go_to_the_cpu():
    placements = place(convolution(), options=Options(refused={"conv": "no schedule"}))
    assert placements == [Placement("conv", "cpu", ("conv",), "no schedule", MACS, saturates=False)]


@pytest.mark.parametrize(
    ("body", "config", "reason"),
    [
        (
            convolution(),
            {"LOG_INP_WIDTH": 2, "LOG_INP_BUFF_SIZE": 14},
            "reads or computes integers of 8 bits, the configuration has inputs and outputs of 4 "
            "(quantize activations to int4, or take one with LOG_INP_WIDTH 3)",
        ),
        (
            """%x: tensor<1x4xf32>
      %y = graph.softmax %x {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>""",
            {},
            "not quantized: Softmax in floating point",
        ),
        (
            """%x: tensor<1x4x8x8xf32>
      %y = graph.max_pool %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>,
          pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
          : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>""",
            {},
            "not quantized: computes on float32",
        ),
    ],
)  # fmt: skip
def test_reasons(body: str, config: dict[str, int], reason: str):
    placements = place(body, **config)
    assert {p.target for p in placements} == {"cpu"}
    assert placements[0].reason == reason


def test_a_convolution_with_a_halo_may_pad_far():
    body = convolution(pad_value=-128).replace("pads = array<i64: 1, 1, 1, 1>", "pads = array<i64: 1, 1, 17, 1>")
    body = body.replace("16x8x8xi32", "16x24x8xi32").replace("1x16x8x8xi8> loc", "1x16x24x8xi8> loc")
    assert place(body)[0].target == "vta"


def concatenation(channels: int) -> ir.Module:
    """Two pools of `channels` channels, joined and pooled again."""
    pool = (
        "kernel_shape = array<i64: 2, 2>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, "
        "dilations = array<i64: 1, 1>"
    )
    x, half, whole = (f"tensor<1x{c}x{s}x{s}xi8>" for c, s in ((channels, 8), (channels, 7), (2 * channels, 7)))
    return ir.Module.parse(
        f"""func.func @main(%x: {x}, %y: {x}) -> tensor<1x{2 * channels}x6x6xi8> {{
      %a = graph.max_pool %x {{{pool}}} : ({x}) -> {half}
      %b = graph.max_pool %y {{{pool}}} : ({x}) -> {half}
      %c = graph.concat %a, %b {{axis = 1 : i64}} : ({half}, {half}) -> {whole}
      %d = graph.max_pool %c {{{pool}}} : ({whole}) -> tensor<1x{2 * channels}x6x6xi8>
      return %d : tensor<1x{2 * channels}x6x6xi8>
    }}""",
        ir.Context(),
    )


@pytest.mark.parametrize("channels", [1, 24, 32])
def test_concatenations_keep_the_layout(channels: int):
    module = concatenation(channels)
    placements = partition(module, [Vta()])
    assert [p.target for p in placements] == ["vta", "vta", "cpu", "vta"]
    block = module.body.operations[0].regions[0].blocks[0]
    concat = next(op for op in block if op.name == "graph.concat")
    assert "graph.packed" in concat.attributes
