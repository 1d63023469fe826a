"""Kernels as the tensor compiler writes them (tiles in loops, two sets of buffers, borders), against numpy."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

from acc._lib import _runtime
from acc.errors import MLIRError
from vta_kernels import alu, compile_kernel, memref, run_kernel, wrap32


@dataclass(frozen=True)
class Case:
    """A convolution or matrix product; channels count blocks."""

    batch: int
    block_in: int
    block_out: int
    ci: int
    co: int
    size: int
    kernel: int
    stride: int
    pad: int
    rows: int
    threads: int

    @property
    def out_size(self) -> int:
        return (self.size + 2 * self.pad - self.kernel) // self.stride + 1

    @property
    def config(self) -> _runtime.Config:
        def log(n: int) -> int:
            return n.bit_length() - 1

        keys = {"LOG_BATCH": log(self.batch), "LOG_BLOCK_IN": log(self.block_in), "LOG_BLOCK_OUT": log(self.block_out)}
        keys |= {"LOG_INP_BUFF_SIZE": 14, "LOG_WGT_BUFF_SIZE": 16, "LOG_ACC_BUFF_SIZE": 16, "LOG_UOP_BUFF_SIZE": 12}
        return _runtime.Config(json.dumps(keys))


CASES = {
    "3x3": Case(1, 16, 16, 2, 2, 10, 3, 1, 1, 5, 2),
    "3x3 stride 2": Case(1, 16, 16, 2, 3, 13, 3, 2, 1, 2, 2),
    "1x1": Case(1, 16, 16, 3, 2, 8, 1, 1, 0, 2, 2),
    "7x7 stride 2, narrow input": Case(1, 4, 16, 1, 2, 16, 7, 2, 3, 2, 1),
    "5x5 pad beyond": Case(1, 16, 8, 1, 2, 9, 5, 1, 4, 3, 2),
    "batch 4": Case(4, 8, 8, 2, 2, 6, 3, 1, 1, 3, 1),
    "rows do not divide": Case(1, 16, 16, 1, 1, 9, 3, 1, 1, 4, 2),
}


def conv_text(case: Case) -> str:
    """Tiles of rows; `threads` tiles are in flight, each with its own buffers, interleaved statement by statement."""
    c, span = case, (case.rows - 1) * case.stride + case.kernel
    wide = c.size + 2 * c.pad
    x = (1, c.ci, c.size, c.size, c.batch, c.block_in)
    y = (1, c.co, c.out_size, c.out_size, c.batch, c.block_out)
    w = (c.co, c.ci, c.kernel, c.kernel, c.block_out, c.block_in)
    v = (c.co, c.batch, c.block_out)
    types = [memref(x, "i8", "dram"), memref(w, "i8", "dram"), memref(v, "i32", "dram"), memref(y, "i8", "dram")]
    inp = memref((1, c.ci, "?", wide, c.batch, c.block_in), "i8", "inp")
    acc = memref((1, c.co, "?", c.out_size, c.batch, c.block_out), "i32", "acc")
    wgt, bias = memref(w, "i8", "wgt"), memref(v, "i32", "acc")

    def strided(shape: tuple[int, ...], element: str) -> str:
        strides = ", ".join(str(int(np.prod(shape[d + 1 :]))) for d in range(6))
        dims = [str(n) for n in shape]
        dims[2] = "?"
        return f"memref<{'x'.join(dims)}x{element}, strided<[{strides}], offset: ?>, #vta.mem<dram>>"

    step = c.rows * c.threads
    lines = [
        "%c0 = arith.constant 0 : index",
        f"%step = arith.constant {step} : index",
        f"%end = arith.constant {c.out_size} : index",
        f"%wgt = memref.alloc() : {wgt}",
        f"%bias = memref.alloc() : {bias}",
        f"vta.load %w, %wgt low [0, 0, 0, 0] high [0, 0, 0, 0] : {types[1]}, {wgt}",
        f"vta.load %v, %bias low [0] high [0] : {types[2]}, {bias}",
        "scf.for %i = %c0 to %end step %step {",
    ]
    identity = "affine_map<(o, h, w) -> (0, o, h, w)>"
    ones = "[1, 1, 1, 1, 1, 1]"
    in_tile, out_tile = f"{c.size}, {c.batch}, {c.block_in}", f"{c.out_size}, {c.batch}, {c.block_out}"
    stages: list[list[str]] = []
    for t in range(c.threads):
        shift = t * c.rows
        stages.append(
            [
                # Rows of the output, of the input that they read, and how many of those lie outside.
                f"%n{t} = affine.min affine_map<(i) -> ({c.rows}, {c.out_size - shift} - i)>(%i)\n"
                f"%n0{t} = affine.max affine_map<(n) -> (n, 0)>(%n{t})\n"
                f"%box{t} = affine.max affine_map<(n) -> (0, n * {c.stride} + {c.kernel - c.stride})>(%n{t})\n"
                f"%first{t} = affine.apply affine_map<(i) -> ((i + {shift}) * {c.stride} - {c.pad})>(%i)\n"
                f"%top{t} = affine.max affine_map<(f) -> (f, 0)>(%first{t})\n"
                f"%top1{t} = affine.min affine_map<(f) -> (f, {c.size})>(%top{t})\n"
                f"%bot{t} = affine.min affine_map<(f, b) -> (f + b, {c.size})>(%first{t}, %box{t})\n"
                f"%size{t} = affine.max affine_map<(a, b) -> (b - a, 0)>(%top1{t}, %bot{t})\n"
                f"%lo0{t} = affine.max affine_map<(f) -> (-f, 0)>(%first{t})\n"
                f"%lo{t} = affine.min affine_map<(l, b) -> (l, b)>(%lo0{t}, %box{t})\n"
                f"%hi{t} = affine.apply affine_map<(b, s, l) -> (b - s - l)>(%box{t}, %size{t}, %lo{t})",
                f"%boxn{t} = affine.min affine_map<(b) -> (b, {span})>(%box{t})\n"
                f"%inp{t} = memref.alloc(%boxn{t}) : {inp}\n%acc{t} = memref.alloc(%n0{t}) : {acc}",
                f"%tile{t} = memref.subview %x[0, 0, %top1{t}, 0, 0, 0] [1, {c.ci}, %size{t}, {in_tile}]"
                f" {ones} : {types[0]} to {strided(x, 'i8')}\n"
                f"vta.load %tile{t}, %inp{t} low [0, 0, %lo{t}, {c.pad}] high [0, 0, %hi{t}, {c.pad}]"
                f" : {strided(x, 'i8')}, {inp}",
                f"vta.reset outs(%acc{t} : {acc})",
                f"vta.gemm ins(%inp{t}, %wgt : {inp}, {wgt}) outs(%acc{t} : {acc})"
                f" bounds [{c.co}, %n{t}, {c.out_size}, {c.ci}, {c.kernel}, {c.kernel}] maps ["
                f"affine_map<(o, h, w, i, y, x) -> (0, i, h * {c.stride} + y, w * {c.stride} + x)>, "
                "affine_map<(o, h, w, i, y, x) -> (o, i, y, x)>, affine_map<(o, h, w, i, y, x) -> (0, o, h, w)>]",
                f"vta.alu add outs(%acc{t} : {acc}) ins(%bias : {bias}) bounds [{c.co}, %n{t}, {c.out_size}]"
                f" maps [{identity}, affine_map<(o, h, w) -> (o)>]",
                *(
                    f"vta.alu {op} outs(%acc{t} : {acc}) imm {imm} "
                    f"bounds [{c.co}, %n{t}, {c.out_size}] maps [{identity}]"
                    for op, imm in (("shr", 7), ("max", -100), ("min", 100))
                ),
                f"%out0{t} = affine.min affine_map<(i) -> (i + {shift}, {c.out_size})>(%i)\n"
                f"%out{t} = memref.subview %y[0, 0, %out0{t}, 0, 0, 0] [1, {c.co}, %n0{t}, {out_tile}]"
                f" {ones} : {types[3]} to {strided(y, 'i8')}\n"
                f"vta.store %acc{t}, %out{t} : {acc}, {strided(y, 'i8')}",
            ]
        )
    lines += [line for together in zip(*stages, strict=True) for line in together]
    arguments = ", ".join(f"%{n}: {t}" for n, t in zip("xwvy", types, strict=True))
    body = "\n".join([*lines, "}", "return"])
    return f"func.func @conv({arguments}) attributes {{target = #accelerator}} {{\n{body}\n}}"


@pytest.mark.parametrize("name", CASES)
def test_convolution(name: str) -> None:
    case = CASES[name]
    rng = np.random.default_rng(1)
    x = rng.integers(-128, 128, (1, case.ci, case.size, case.size, case.batch, case.block_in)).astype(np.int8)
    w = rng.integers(-128, 128, (case.co, case.ci, case.kernel, case.kernel, case.block_out, case.block_in)).astype(
        np.int8
    )
    v = rng.integers(-9999, 9999, (case.co, case.batch, case.block_out)).astype(np.int32)
    y = np.zeros((1, case.co, case.out_size, case.out_size, case.batch, case.block_out), np.int8)
    program = compile_kernel(conv_text(case), case.config)
    run_kernel(program, [x, w, v, y])

    padded = np.pad(x[0].astype(np.int64), ((0, 0), (case.pad,) * 2, (case.pad,) * 2, (0, 0), (0, 0)))
    expected = np.zeros(y.shape[1:], np.int64)
    last = (case.out_size - 1) * case.stride + 1
    for ky in range(case.kernel):
        for kx in range(case.kernel):
            window = padded[:, ky : ky + last : case.stride, kx : kx + last : case.stride]
            expected += np.einsum("ihwbj,oikj->ohwbk", window, w[:, :, ky, kx].astype(np.int64))
    expected = np.clip(wrap32(expected + v[:, None, None]) >> 7, -100, 100)
    np.testing.assert_array_equal(y[0], expected)


def test_two_threads_overlap() -> None:
    """With two sets of buffers, the second tile's loads wait for no computation of the first."""
    program = compile_kernel(conv_text(CASES["3x3"]), CASES["3x3"].config)
    text = [line.split(" ;")[0] for line in str(program).splitlines() if " ; " in line and not line.startswith(".")]
    loads = [line for line in text if line.startswith("load.inp")]
    assert len(loads) == 4 and not any("pop" in line for line in loads)


@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 2, 9), (2, 11, 4)])
def test_matrix_product_with_borders(shape: tuple[int, int, int]) -> None:
    """(m, n, k) blocks in tiles of 2x2x3 that need not divide them; the sum over k is a loop."""
    m, n, k = shape
    config = _runtime.Config(
        '{"LOG_BATCH": 2, "LOG_BLOCK": 3, "LOG_INP_BUFF_SIZE": 12, "LOG_WGT_BUFF_SIZE": 14,'
        ' "LOG_ACC_BUFF_SIZE": 14, "LOG_UOP_BUFF_SIZE": 4}'
    )
    a = memref((m, k, 4, 8), "i8", "dram")
    b = memref((n, k, 8, 8), "i8", "dram")
    c = memref((m, n, 4, 8), "i8", "dram")

    def tile(rows: int, row: int, inner: int) -> str:
        return f"memref<?x?x{row}x8xi8, strided<[{inner * row * 8}, {row * 8}, 8, 1], offset: ?>, #vta.mem<dram>>"

    inp, wgt = memref((2, 3, 4, 8), "i8", "inp"), memref((2, 3, 8, 8), "i8", "wgt")
    acc = memref((2, 2, 4, 8), "i32", "acc")
    text = f"""
func.func @matmul(%a: {a}, %b: {b}, %c: {c}) attributes {{target = #accelerator}} {{
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %m = arith.constant {m} : index
  %n = arith.constant {n} : index
  %k = arith.constant {k} : index
  scf.for %i = %c0 to %m step %c2 {{
    %mi = affine.min affine_map<(i) -> (2, {m} - i)>(%i)
    scf.for %j = %c0 to %n step %c2 {{
      %nj = affine.min affine_map<(i) -> (2, {n} - i)>(%j)
      %acc = memref.alloc() : {acc}
      vta.reset outs(%acc : {acc})
      scf.for %l = %c0 to %k step %c3 {{
        %kl = affine.min affine_map<(i) -> (3, {k} - i)>(%l)
        %inp = memref.alloc() : {inp}
        %wgt = memref.alloc() : {wgt}
        %at = memref.subview %a[%i, %l, 0, 0] [%mi, %kl, 4, 8] [1, 1, 1, 1] : {a} to {tile(m, 4, k)}
        %bt = memref.subview %b[%j, %l, 0, 0] [%nj, %kl, 8, 8] [1, 1, 1, 1] : {b} to {tile(n, 8, k)}
        vta.load %at, %inp low [0, 0] high [0, 0] : {tile(m, 4, k)}, {inp}
        vta.load %bt, %wgt low [0, 0] high [0, 0] : {tile(n, 8, k)}, {wgt}
        vta.gemm ins(%inp, %wgt : {inp}, {wgt}) outs(%acc : {acc}) bounds [%mi, %nj, %kl]
            maps [affine_map<(i, j, l) -> (i, l)>, affine_map<(i, j, l) -> (j, l)>, affine_map<(i, j, l) -> (i, j)>]
      }}
      vta.alu shr outs(%acc : {acc}) imm 9 bounds [2, 2] maps [affine_map<(i, j) -> (i, j)>]
      %ct = memref.subview %c[%i, %j, 0, 0] [%mi, %nj, 4, 8] [1, 1, 1, 1] : {c} to {tile(m, 4, n)}
      vta.store %acc, %ct : {acc}, {tile(m, 4, n)}
    }}
  }}
  return
}}"""
    rng = np.random.default_rng(2)
    left = rng.integers(-128, 128, (m, k, 4, 8)).astype(np.int8)
    right = rng.integers(-128, 128, (n, k, 8, 8)).astype(np.int8)
    out = np.zeros((m, n, 4, 8), np.int8)
    run_kernel(compile_kernel(text, config), [left, right, out])
    expected = np.einsum("mkbi,nkoi->mnbo", left.astype(np.int64), right.astype(np.int64)) >> 9
    np.testing.assert_array_equal(out, expected.astype(np.int8))


@pytest.mark.parametrize("count", [1, 64, 100, 333])
def test_residual_add(count: int) -> None:
    """Both operands from int8, per-channel factors, clipped; the last tile is smaller, and the output is in place."""
    config = _runtime.Config('{"LOG_ACC_BUFF_SIZE": 14}')
    x, v = memref((count, 1, 16), "i8", "dram"), memref((1, 1, 16), "i32", "dram")
    acc, vec = memref(("?", 1, 16), "i32", "acc"), memref((1, 1, 16), "i32", "acc")
    view = "memref<?x1x16xi8, strided<[16, 16, 1], offset: ?>, #vta.mem<dram>>"
    same, one = "affine_map<(i) -> (i)>", "affine_map<(i) -> (0)>"
    text = f"""
func.func @add(%x: {x}, %v: {v}, %y: {x}) attributes {{target = #accelerator}} {{
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %end = arith.constant {count} : index
  %vec = memref.alloc() : {vec}
  vta.load %v, %vec low [0] high [0] : {v}, {vec}
  scf.for %i = %c0 to %end step %c64 {{
    %n = affine.min affine_map<(i) -> (64, {count} - i)>(%i)
    %a = memref.alloc(%n) : {acc}
    %b = memref.alloc(%n) : {acc}
    %xt = memref.subview %x[%i, 0, 0] [%n, 1, 16] [1, 1, 1] : {x} to {view}
    %yt = memref.subview %y[%i, 0, 0] [%n, 1, 16] [1, 1, 1] : {x} to {view}
    vta.load %xt, %a low [0] high [0] : {view}, {acc}
    vta.load %yt, %b low [0] high [0] : {view}, {acc}
    vta.alu mul outs(%a : {acc}) ins(%vec : {vec}) bounds [%n] maps [{same}, {one}]
    vta.alu mul outs(%b : {acc}) imm 77 bounds [%n] maps [{same}]
    vta.alu add outs(%a : {acc}) ins(%b : {acc}) bounds [%n] maps [{same}, {same}]
    vta.alu shr outs(%a : {acc}) imm 6 bounds [%n] maps [{same}]
    vta.alu max outs(%a : {acc}) imm -128 bounds [%n] maps [{same}]
    vta.alu min outs(%a : {acc}) imm 127 bounds [%n] maps [{same}]
    vta.store %a, %yt : {acc}, {view}
  }}
  return
}}"""
    rng = np.random.default_rng(3)
    left, right = (rng.integers(-128, 128, (count, 1, 16)).astype(np.int8) for _ in range(2))
    factors = rng.integers(-99, 99, (1, 1, 16)).astype(np.int32)
    expected = (left.astype(np.int64) * factors + right.astype(np.int64) * 77) >> 6
    run_kernel(compile_kernel(text, config), [left, factors, right])
    np.testing.assert_array_equal(right, alu("min", alu("max", expected, -128), 127))


def test_layers_reach_the_instructions() -> None:
    text = """
func.func @k(%y: memref<4x1x16xi8, #vta.mem<dram>>) attributes {target = #accelerator} {
  %acc = memref.alloc() : memref<4x1x16xi32, #vta.mem<acc>>
  vta.reset outs(%acc : memref<4x1x16xi32, #vta.mem<acc>>) loc("conv")
  vta.alu max outs(%acc : memref<4x1x16xi32, #vta.mem<acc>>) imm 3 bounds [4] maps [affine_map<(i) -> (i)>]
      loc(fused["relu", "clip"])
  vta.store %acc, %y : memref<4x1x16xi32, #vta.mem<acc>>, memref<4x1x16xi8, #vta.mem<dram>> loc("relu")
  return
}"""
    program = compile_kernel(text, _runtime.Config())
    # The micro-ops are loaded for the first instruction that needs them.
    assert [program.layer(i) for i in range(5)] == ["conv", "conv", "relu+clip", "relu", ""]


def test_scratchpad_overflow_names_kernel_and_buffer() -> None:
    text = """
func.func @big(%y: memref<4x1x16xi8, #vta.mem<dram>>) attributes {target = #accelerator} {
  %acc = memref.alloc() : memref<4096x1x16xi32, #vta.mem<acc>>
  vta.reset outs(%acc : memref<4096x1x16xi32, #vta.mem<acc>>)
  return
}"""
    with pytest.raises(MLIRError, match="the acc scratchpad has 2048 elements, too few for a buffer of 4096"):
        compile_kernel(text, _runtime.Config())
