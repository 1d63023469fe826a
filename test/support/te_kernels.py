"""Random te.kernels as the graph is lowered to them, each with its meaning in numpy.

A kernel is a chain of hardware steps on packed tensors. The builder writes the step as text and, beside it,
computes the same on arrays, so that a compiled kernel can be compared with what it should do, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Kernel:
    """Text of the module, the arguments (inputs, then the initial output) and the expected output."""

    text: str
    arguments: list[np.ndarray]
    expected: np.ndarray
    description: str


def _type(array: np.ndarray) -> str:
    element = {"int8": "i8", "int32": "i32"}[array.dtype.name]
    return f"tensor<{'x'.join(map(str, array.shape))}x{element}>"


def _wrap(array: np.ndarray) -> np.ndarray:
    return (array.astype(np.int64) & 0xFFFFFFFF).astype(np.uint32).view(np.int32)


STEPS = {
    "addi": lambda a, b: a + b,
    "muli": lambda a, b: a * b,
    "maxsi": np.maximum,
    "minsi": np.minimum,
    "shrsi": lambda a, b: a >> b,
    "shli": lambda a, b: a << b,
}


@dataclass
class Builder:
    """Appends operations; every value is its SSA name and its array."""

    config: dict[str, int]
    rng: np.random.Generator
    lines: list[str] = field(default_factory=list)
    arguments: list[np.ndarray] = field(default_factory=list)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    counter: int = 0

    @property
    def batch(self) -> int:
        return 1 << self.config.get("LOG_BATCH", 0)

    @property
    def block_in(self) -> int:
        return 1 << self.config.get("LOG_BLOCK_IN", self.config.get("LOG_BLOCK", 4))

    @property
    def block_out(self) -> int:
        return 1 << self.config.get("LOG_BLOCK_OUT", self.config.get("LOG_BLOCK", 4))

    def argument(self, array: np.ndarray) -> str:
        self.arguments.append(array)
        name = f"%arg{len(self.arguments) - 1}"
        self.values[name] = array
        return name

    def _new(self, array: np.ndarray) -> str:
        self.counter += 1
        name = f"%v{self.counter}"
        self.values[name] = array
        return name

    def _constant(self, value: int, element: str = "i32") -> str:
        self.counter += 1
        name = f"%c{self.counter}"
        self.lines.append(f"{name} = arith.constant {value} : {element}")
        return name

    def int8(self, *shape: int) -> np.ndarray:
        return self.rng.integers(-128, 128, shape, dtype=np.int8)

    def pad(self, x: str, low: tuple[int, int], high: tuple[int, int]) -> str:
        if not any(low) and not any(high):
            return x
        array = self.values[x]
        result = np.pad(array, ((0, 0), (0, 0), (low[0], high[0]), (low[1], high[1]), (0, 0), (0, 0)))
        zero, name = self._constant(0, "i8"), self._new(result)
        self.lines.append(
            f"{name} = tensor.pad {x} low[0, 0, {low[0]}, {low[1]}, 0, 0] high[0, 0, {high[0]}, {high[1]}, 0, 0] {{\n"
            "^bb0(%i0: index, %i1: index, %i2: index, %i3: index, %i4: index, %i5: index):\n"
            f"tensor.yield {zero} : i8\n}} : {_type(array)} to {_type(result)}"
        )
        return name

    def window(self, x: str, top: int, left: int, height: int, width: int) -> str:
        """A slice in the spatial dimensions."""
        array = self.values[x]
        result = array[:, :, top : top + height, left : left + width]
        name = self._new(result)
        sizes = ", ".join(map(str, result.shape))
        self.lines.append(
            f"{name} = tensor.extract_slice {x}[0, 0, {top}, {left}, 0, 0] [{sizes}] [1, 1, 1, 1, 1, 1]"
            f" : {_type(array)} to {_type(result)}"
        )
        return name

    def filled(self, value: int, shape: tuple[int, ...]) -> str:
        result = np.full(shape, value, np.int32)
        empty, constant, name = self._new(result), self._constant(value), self._new(result)
        self.lines.append(f"{empty} = tensor.empty() : {_type(result)}")
        self.lines.append(
            f"{name} = linalg.fill ins({constant} : i32) outs({empty} : {_type(result)}) -> {_type(result)}"
        )
        return name

    def _generic(self, result: np.ndarray, maps: list[str], kinds: str, ins: list[str], out: str, body: str) -> str:
        name = self._new(result)
        kind = {"p": '"parallel"', "r": '"reduction"'}
        inputs = f"ins({', '.join(ins)} : {', '.join(_type(self.values[v]) for v in ins)}) " if ins else ""
        elements = [("i8" if self.values[v].dtype == np.int8 else "i32") for v in [*ins, out]]
        block = ", ".join(f"%x{i}: {e}" for i, e in enumerate(elements))
        self.lines.append(
            f"{name} = linalg.generic {{indexing_maps = [{', '.join(f'affine_map<{m}>' for m in maps)}],"
            f" iterator_types = [{', '.join(kind[k] for k in kinds)}]}} {inputs}"
            f"outs({out} : {_type(self.values[out])}) {{\n^bb0({block}):\n{body}\n}} -> {_type(result)}"
        )
        return name

    def conv(self, x: str, w: str, stride: tuple[int, int], dilation: tuple[int, int], out_hw: tuple[int, int]) -> str:
        xa, wa = self.values[x].astype(np.int64), self.values[w].astype(np.int64)
        (sh, sw), (dh, dw), (oh, ow) = stride, dilation, out_hw
        _, _, kh, kw, bo, _ = wa.shape
        result = np.zeros((xa.shape[0], wa.shape[0], oh, ow, xa.shape[4], bo), np.int64)
        for i in range(kh):
            for j in range(kw):
                tap = xa[:, :, i * dh :: sh, j * dw :: sw][:, :, :oh, :ow]
                result += np.einsum("nchwbi,kcoi->nkhwbo", tap, wa[:, :, i, j])
        zero = self.filled(0, result.shape)
        dims = "(n, co, oh, ow, ci, kh, kw, b, o, i)"
        return self._generic(
            _wrap(result),
            [
                f"{dims} -> (n, ci, oh * {sh} + kh * {dh}, ow * {sw} + kw * {dw}, b, i)",
                f"{dims} -> (co, ci, kh, kw, o, i)",
                f"{dims} -> (n, co, oh, ow, b, o)",
            ],
            "pppprrrppr",
            [x, w],
            zero,
            "%a = arith.extsi %x0 : i8 to i32\n%b = arith.extsi %x1 : i8 to i32\n"
            "%m = arith.muli %a, %b : i32\n%s = arith.addi %x2, %m : i32\nlinalg.yield %s : i32",
        )

    ID = "(n, c, h, w, b, o) -> (n, c, h, w, b, o)"

    def widen(self, x: str) -> str:
        result = self.values[x].astype(np.int32)
        empty = self._new(result)
        self.lines.append(f"{empty} = tensor.empty() : {_type(result)}")
        body = "%e = arith.extsi %x0 : i8 to i32\nlinalg.yield %e : i32"
        return self._generic(result, [self.ID, self.ID], "pppppp", [x], empty, body)

    def step(self, op: str, acc: str, operand: int | str) -> str:
        """One ALU step on the running value: a constant, a vector per channel (or one for all), or a tensor."""
        array = self.values[acc].astype(np.int64)
        if isinstance(operand, int):
            constant = self._constant(operand)
            result = _wrap(STEPS[op](array, np.int64(operand)))
            body = f"%r = arith.{op} %x0, {constant} : i32\nlinalg.yield %r : i32"
            return self._generic(result, [self.ID], "pppppp", [], acc, body)
        other = self.values[operand].astype(np.int64)
        access = self.ID
        if other.ndim == 3:
            channel = "c" if other.shape[0] == array.shape[1] and array.shape[1] > 1 else "0"
            access = f"(n, c, h, w, b, o) -> ({channel}, b, o)"
            other = other[None, :, None, None]
        result = _wrap(STEPS[op](array, other))
        body = f"%r = arith.{op} %x1, %x0 : i32\nlinalg.yield %r : i32"
        return self._generic(result, [access, self.ID], "pppppp", [operand], acc, body)

    def max_pool(self, x: str, kernel: tuple[int, int], stride: tuple[int, int], out_hw: tuple[int, int]) -> str:
        array = self.values[x]
        (kh, kw), (sh, sw), (oh, ow) = kernel, stride, out_hw
        init = self.filled(-128, (*array.shape[:2], oh, ow, *array.shape[4:]))
        result = self.values[init].copy()
        for i in range(kh):
            for j in range(kw):
                result = np.maximum(result, array[:, :, i::sh, j::sw][:, :, :oh, :ow])
        shape = self._new(np.zeros((kh, kw), np.int32))
        self.lines.append(f"{shape} = tensor.empty() : tensor<{kh}x{kw}xi32>")
        dims = "(n, c, oh, ow, kh, kw, b, o)"
        return self._generic(
            result,
            [
                f"{dims} -> (n, c, oh * {sh} + kh, ow * {sw} + kw, b, o)",
                f"{dims} -> (kh, kw)",
                f"{dims} -> (n, c, oh, ow, b, o)",
            ],
            "pppprrpp",
            [x, shape],
            init,
            "%r = arith.maxsi %x2, %x0 : i32\nlinalg.yield %r : i32",
        )

    def global_sum(self, x: str) -> str:
        array = self.values[x].astype(np.int64)
        result = _wrap(array.sum(axis=(2, 3), keepdims=True))
        init = self.filled(0, result.shape)
        dims = "(n, c, kh, kw, b, o)"
        return self._generic(
            result,
            [f"{dims} -> (n, c, kh, kw, b, o)", f"{dims} -> (n, c, 0, 0, b, o)"],
            "pprrpp",
            [x],
            init,
            "%r = arith.addi %x1, %x0 : i32\nlinalg.yield %r : i32",
        )

    def half_even(self, acc: str, shift: int) -> str:
        """round(acc / 2^shift), ties to even: the running value is read twice."""
        zero = self.filled(0, self.values[acc].shape)
        odd = self.step("addi", zero, acc)
        odd = self.step("muli", self.step("shrsi", self.step("shli", odd, 31 - shift), 31), -1)
        acc = self.step("addi", acc, odd)
        acc = self.step("addi", acc, (1 << (shift - 1)) - 1)
        return self.step("shrsi", acc, shift)

    def epilogue(self, acc: str) -> str:
        """Bias, clipping, scaling and rounding, at random; the result fits in int8."""
        channels, batch, block = (self.values[acc].shape[i] for i in (1, 4, 5))
        vector = (channels, batch, block)
        if self.rng.random() < 0.7:
            acc = self.step("addi", acc, self.argument(self.rng.integers(-(1 << 16), 1 << 16, vector, dtype=np.int32)))
        if self.rng.random() < 0.5:
            acc = self.step("maxsi", acc, int(self.rng.integers(-(1 << 15), 1 << 15)))
        if self.rng.random() < 0.3:
            acc = self.step("minsi", acc, self.argument(np.full((1, batch, block), 1 << 20, np.int32)))
        acc = self.step("shrsi", acc, int(self.rng.integers(0, 9)))
        if self.rng.random() < 0.5:
            acc = self.step("muli", acc, self.argument(self.rng.integers(1, 1 << 10, vector, dtype=np.int32)))
        if self.rng.random() < 0.3:
            acc = self.step("shli", acc, int(self.rng.integers(0, 3)))
        acc = self.half_even(acc, 4) if self.rng.random() < 0.3 else self.step("shrsi", acc, 7)
        return self.step("maxsi", self.step("minsi", acc, 127), -128)

    def finish(self, acc: str, halo: tuple[int, int, int, int], description: str) -> Kernel:
        """Narrows into the output, inside of a halo (top, bottom, left, right) that stays as it was."""
        array = self.values[acc]
        n, c, h, w, batch, block = array.shape
        top, bottom, left, right = halo
        init = self.int8(n, c, h + top + bottom, w + left + right, batch, block)
        expected = init.copy()
        narrowed = array.astype(np.int8)
        expected[:, :, top : top + h, left : left + w] = narrowed
        out = self.argument(init)
        target = self.window(out, top, left, h, w) if any(halo) else out
        body = "%t = arith.trunci %x0 : i32 to i8\nlinalg.yield %t : i8"
        result = self._generic(narrowed, [self.ID, self.ID], "pppppp", [acc], target, body)
        if any(halo):
            sizes = ", ".join(map(str, narrowed.shape))
            whole = self._new(expected)
            self.lines.append(
                f"{whole} = tensor.insert_slice {result} into {out}[0, 0, {top}, {left}, 0, 0] [{sizes}]"
                f" [1, 1, 1, 1, 1, 1] : {_type(narrowed)} into {_type(init)}"
            )
            result = whole
        signature = ", ".join(f"%arg{i}: {_type(a)}" for i, a in enumerate(self.arguments))
        body_text = "\n".join(self.lines)
        keys = ", ".join(f"{key.lower()} = {value}" for key, value in self.config.items())
        text = (
            f"module attributes {{vta.config = #vta.config<{keys}>}} {{\n"
            f"te.kernel @kernel({signature}) -> {_type(init)} attributes"
            f' {{target = #vta.config<{keys}>, layers = ["layer"]}} {{\n'
            f"{body_text}\nte.return {result} : {_type(init)}\n}}\n}}\n"
        )
        return Kernel(text, self.arguments, expected, description)


def random_config(rng: np.random.Generator) -> dict[str, int]:
    """A legal configuration, from the default down to scratchpads of a few elements."""
    batch, block_in, block_out = (int(v) for v in (rng.integers(0, 3), rng.integers(1, 5), rng.integers(1, 5)))
    inp, wgt, acc = (int(v) for v in rng.integers(0, 8, 3))
    return {
        "LOG_BATCH": batch,
        "LOG_BLOCK_IN": block_in,
        "LOG_BLOCK_OUT": block_out,
        "LOG_UOP_BUFF_SIZE": int(rng.integers(4, 13)),
        "LOG_INP_BUFF_SIZE": batch + block_in + inp,
        "LOG_WGT_BUFF_SIZE": block_in + block_out + wgt,
        "LOG_ACC_BUFF_SIZE": batch + block_out + 2 + acc,
    }


def _halo(rng: np.random.Generator) -> tuple[int, int, int, int]:
    if rng.random() < 0.6:
        return (0, 0, 0, 0)
    a, b, c, d = (int(v) for v in rng.integers(0, 3, 4))
    return a, b, c, d


def random_conv(config: dict[str, int], rng: np.random.Generator, size: int = 12) -> Kernel:
    """A convolution (or dense layer) with random shape, strides, dilations, paddings, epilogue, residual and halo."""
    build = Builder(config, rng)
    n = int(rng.integers(1, 3))
    ci, co = (int(v) for v in rng.integers(1, 6, 2))
    kh, kw = (int(v) for v in rng.choice([1, 1, 2, 3, 3, 5], 2))
    sh, sw = (int(v) for v in rng.choice([1, 1, 2, 3], 2))
    dh, dw = (int(v) for v in rng.choice([1, 1, 1, 2], 2))
    oh, ow = (int(v) for v in rng.integers(1, size, 2))
    rows, columns = (oh - 1) * sh + (kh - 1) * dh + 1, (ow - 1) * sw + (kw - 1) * dw + 1
    padding = [int(v) for v in rng.integers(0, rng.choice([3, 3, 20]), 4)] if rng.random() < 0.6 else [0, 0, 0, 0]
    low = (min(padding[0], rows - 1), min(padding[1], columns - 1))
    high = (min(padding[2], rows - 1 - low[0]), min(padding[3], columns - 1 - low[1]))
    h, w = rows - low[0] - high[0], columns - low[1] - high[1]
    margin = int(rng.integers(0, 2))
    x = build.argument(build.int8(n, ci, h + margin, w + margin, build.batch, build.block_in))
    weights = build.argument(build.int8(co, ci, kh, kw, build.block_out, build.block_in))
    if margin:
        x = build.window(x, margin, 0, h, w) if rng.random() < 0.5 else build.window(x, 0, margin, h, w)
    acc = build.epilogue(build.conv(build.pad(x, low, high), weights, (sh, sw), (dh, dw), (oh, ow)))
    if rng.random() < 0.3:
        other = build.widen(build.argument(build.int8(n, co, oh, ow, build.batch, build.block_out)))
        acc = build.step("addi", acc, build.step("muli", other, int(rng.integers(1, 100))))
        acc = build.step("maxsi", build.step("minsi", build.step("shrsi", acc, 5), 127), -128)
    return build.finish(
        acc,
        _halo(rng),
        f"conv n={n} ci={ci} co={co} k={kh}x{kw} s={sh},{sw} d={dh},{dw} o={oh}x{ow} pad={low}{high} {config}",
    )


def random_elementwise(config: dict[str, int], rng: np.random.Generator, size: int = 12) -> Kernel:
    """A residual addition."""
    build = Builder(config, rng)
    n, c, h, w = (int(v) for v in (rng.integers(1, 3), rng.integers(1, 6), *rng.integers(1, size, 2)))
    a = build.argument(build.int8(n, c, h, w, build.batch, build.block_out))
    b = build.argument(build.int8(n, c, h + 2, w + 2, build.batch, build.block_out))
    acc = build.step("muli", build.widen(a), 77)
    other = build.step("addi", build.widen(build.window(b, 1, 1, h, w)), 3)
    acc = build.epilogue(build.step("addi", acc, other))
    return build.finish(acc, _halo(rng), f"add n={n} c={c} {h}x{w} {config}")


def random_max_pool(config: dict[str, int], rng: np.random.Generator, size: int = 12) -> Kernel:
    """A max pool of an input that carries its border."""
    build = Builder(config, rng)
    n, c, oh, ow = (int(v) for v in (rng.integers(1, 3), rng.integers(1, 6), *rng.integers(1, size, 2)))
    kh, kw = (int(v) for v in rng.integers(1, 4, 2))
    sh, sw = (int(v) for v in rng.integers(1, 4, 2))
    x = build.argument(build.int8(n, c, (oh - 1) * sh + kh, (ow - 1) * sw + kw, build.batch, build.block_out))
    acc = build.max_pool(build.widen(x), (kh, kw), (sh, sw), (oh, ow))
    return build.finish(acc, _halo(rng), f"pool n={n} c={c} k={kh}x{kw} s={sh},{sw} o={oh}x{ow} {config}")


def random_global_sum(config: dict[str, int], rng: np.random.Generator, size: int = 12) -> Kernel:
    """A global sum and its scaling."""
    build = Builder(config, rng)
    n, c, h, w = (int(v) for v in (rng.integers(1, 3), rng.integers(1, 6), *rng.integers(1, size, 2)))
    x = build.argument(build.int8(n, c, h, w, build.batch, build.block_out))
    acc = build.epilogue(build.global_sum(build.widen(x)))
    return build.finish(acc, (0, 0, 0, 0), f"sum n={n} c={c} {h}x{w} {config}")


KINDS = {
    "conv": random_conv,
    "elementwise": random_elementwise,
    "max_pool": random_max_pool,
    "global_sum": random_global_sum,
}
