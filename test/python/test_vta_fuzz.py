"""Random structured operations, expanded to instructions and simulated, against their meaning in numpy.

Every kind of transfer (padding on any side, steps, boxes smaller than the buffer) and of iteration domain (dimensions
that merge, that do not, that run backwards, reductions) has to come out right on every configuration.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import pytest

from acc._lib import _runtime
from acc.errors import ConfigError
from vta_kernels import alu, compile_kernel, memref, run_kernel, subview, wrap32


def random_config(rng: np.random.Generator) -> _runtime.Config:
    """A legal configuration with 8-bit elements and buffers of at least 32 entries."""
    while True:
        keys = {
            "LOG_BATCH": int(rng.choice([0, 0, 1, 2])),
            "LOG_BLOCK_IN": int(rng.integers(0, 6)),
            "LOG_BLOCK_OUT": int(rng.integers(0, 6)),
            "LOG_UOP_BUFF_SIZE": int(rng.integers(4, 14)),
            "LOG_INP_BUFF_SIZE": int(rng.integers(8, 16)),
            "LOG_WGT_BUFF_SIZE": int(rng.integers(8, 19)),
            "LOG_ACC_BUFF_SIZE": int(rng.integers(10, 18)),
        }
        try:
            config = _runtime.Config(json.dumps(keys))
        except ConfigError:
            continue
        if all(config.depth(memory) >= 32 for memory in ("inp", "wgt", "acc")):
            return config


@dataclass
class Kernel:
    """A kernel as text, and its meaning: each statement is also a change of numpy arrays."""

    config: _runtime.Config
    rng: np.random.Generator
    lines: list[str] = field(default_factory=list)
    scratch: dict[str, np.ndarray] = field(default_factory=dict)
    dram: dict[str, np.ndarray] = field(default_factory=dict)
    count: int = 0

    def __post_init__(self) -> None:
        b, i, o = self.config.batch, self.config.block_in, self.config.block_out
        self.tiles = {"inp": (b, i), "wgt": (o, i), "acc": (b, o)}
        for memory in self.tiles:
            for copy in range(2):
                rank = copy + 1 if memory == "inp" else int(self.rng.integers(1, 4))
                shape = self.shape(rank, self.config.depth(memory) // 2)
                self.scratch[f"%{memory}{copy}"] = np.zeros(shape + self.tiles[memory], np.int64)
        for rank in (1, 2, 3):
            for memory in ("inp", "wgt", "acc", "acc8", "out"):
                shape = tuple(int(n) for n in self.rng.integers(1, 13, rank))
                info = np.iinfo(np.int32 if memory == "acc" else np.int8)
                tile = self.tiles.get(memory, self.tiles["acc"])
                data = self.rng.integers(info.min, info.max + 1, shape + tile).astype(info.dtype)
                self.dram[f"%{memory}_dram{rank}"] = data

    def shape(self, rank: int, room: int) -> tuple[int, ...]:
        while True:
            shape = tuple(int(n) for n in self.rng.integers(1, 12 if rank > 1 else 60, rank))
            if np.prod(shape) <= room:
                return shape

    def pick(self, names: list[str]) -> str:
        return names[int(self.rng.integers(len(names)))]

    def element(self, name: str) -> str:
        return "i32" if name.startswith("%acc") and "acc8" not in name else "i8"

    def type(self, name: str) -> str:
        data = self.dram.get(name)
        if data is None:
            return memref(self.scratch[name].shape, self.element(name), name[1:4])
        return memref(data.shape, self.element(name), "dram")

    def text(self) -> str:
        arguments = ", ".join(f"{name}: {self.type(name)}" for name in self.dram)
        allocs = [f"{name} = memref.alloc() : {self.type(name)}" for name in self.scratch]
        body = "\n  ".join([*allocs, *self.lines, "return"])
        return f"func.func @k({arguments}) attributes {{target = #accelerator}} {{\n  {body}\n}}"

    def view(self, name: str, offsets: list[int], sizes: list[int], steps: list[int]) -> tuple[str, str]:
        """A subview of whole elements; its name and type."""
        self.count += 1
        data = self.dram[name] if name in self.dram else self.scratch[name]
        memory = "dram" if name in self.dram else name[1:4]
        result = f"%v{self.count}"
        line, type = subview(
            result,
            name,
            data.shape,
            self.element(name),
            memory,
            [*offsets, 0, 0],
            [*sizes, *data.shape[-2:]],
            [*steps, 1, 1],
        )
        self.lines.append(line)
        return result, type

    def load(self, target: str, whole: bool = False) -> None:
        """`whole` writes every element of the target."""
        rng, array = self.rng, self.scratch[target]
        rank = array.ndim - 2
        memory = target[1:4] if target[1:4] != "acc" or rng.random() < 0.5 else "acc8"
        source = f"%{memory}_dram{rank}"
        data = self.dram[source]
        offsets, sizes, steps, low, high, at, boxes = [], [], [], [], [], [], []
        for d in range(rank):
            step = int(rng.choice([1, 1, 1, 2]))
            box = array.shape[d] if whole else int(rng.integers(1, array.shape[d] + 1))
            most = min(box, (data.shape[d] - 1) // step + 1)
            size = most if rng.random() < 0.6 else int(rng.integers(0, most + 1))
            front = int(rng.integers(0, box - size + 1))
            offsets.append(int(rng.integers(0, data.shape[d] - max(size - 1, 0) * step)))
            at.append(int(rng.integers(0, array.shape[d] - box + 1)))
            sizes.append(size)
            steps.append(step)
            low.append(front)
            high.append(box - size - front)
            boxes.append(box)
        src, src_type = self.view(source, offsets, sizes, steps)
        dst, dst_type = self.view(target, at, boxes, [1] * rank)
        self.lines.append(f"vta.load {src}, {dst} low {low} high {high} : {src_type}, {dst_type}")
        box = tuple(slice(a, a + n) for a, n in zip(at, boxes, strict=True))
        inner = tuple(slice(a + f, a + f + n) for a, f, n in zip(at, low, sizes, strict=True))
        array[box] = 0
        read = tuple(slice(o, o + n * s, s) for o, n, s in zip(offsets, sizes, steps, strict=True))
        array[inner] = data[read]

    def store(self) -> None:
        rng = self.rng
        source = self.pick(["%acc0", "%acc1"])
        array = self.scratch[source]
        rank = array.ndim - 2
        data = self.dram[f"%out_dram{rank}"]
        sizes = [int(rng.integers(1, min(a, d) + 1)) for a, d in zip(array.shape, data.shape[:-2], strict=False)]
        steps = [1 if n * 2 > d else int(rng.choice([1, 2])) for n, d in zip(sizes, data.shape, strict=False)]
        to = [int(rng.integers(0, d - (n - 1) * s)) for n, d, s in zip(sizes, data.shape, steps, strict=False)]
        at = [int(rng.integers(0, d - n + 1)) for n, d in zip(sizes, array.shape, strict=False)]
        src, src_type = self.view(source, at, sizes, [1] * rank)
        dst, dst_type = self.view(f"%out_dram{rank}", to, sizes, steps)
        self.lines.append(f"vta.store {src}, {dst} : {src_type}, {dst_type}")
        read = tuple(slice(a, a + n) for a, n in zip(at, sizes, strict=True))
        write = tuple(slice(o, o + n * s, s) for o, n, s in zip(to, sizes, steps, strict=True))
        data[write] = array[read].astype(np.int8)

    def map(self, bounds: list[int], shape: tuple[int, ...], injective: bool = False) -> tuple[str, np.ndarray]:
        """A random linear map into `shape`, and where it sends every point of the domain."""
        points = np.stack(np.meshgrid(*[np.arange(n) for n in bounds], indexing="ij"), -1).reshape(-1, len(bounds))
        while True:
            results, values = [], []
            dims = list(self.rng.permutation(len(bounds)))
            for size in shape:
                terms = {}
                for _ in range(int(self.rng.choice([0, 1, 1, 2]))):
                    if dims:
                        dim = int(dims.pop() if injective or self.rng.random() < 0.7 else self.rng.choice(dims))
                        terms[dim] = int(self.rng.choice([1, 1, 1, 2, 3, bounds[dims[-1]] if dims else 1, -1]))
                value = points @ np.array([terms.get(d, 0) for d in range(len(bounds))]).reshape(-1, 1)
                offset = -int(value.min()) + int(self.rng.integers(0, 2))
                if int(value.max()) + offset >= size:
                    offset = -int(value.min())
                values.append(value[:, 0] + offset)
                results.append(" + ".join([f"d{d} * {k}" for d, k in terms.items()] + [str(offset)]))
            flat = np.stack(values, -1)
            if (flat.max(0) < np.array(shape)).all() and (not injective or len(np.unique(flat, axis=0)) == len(flat)):
                names = ", ".join(f"d{d}" for d in range(len(bounds)))
                return f"affine_map<({names}) -> ({', '.join(results)})>", flat
            bounds_order = int(self.rng.integers(len(bounds)))
            if bounds[bounds_order] > 1:
                # Too much for the buffer: a smaller domain is found in time.
                bounds[bounds_order] -= 1
                return self.map(bounds, shape, injective)

    def domain(self, shapes: list[tuple[int, ...]], injective: bool) -> tuple[list[int], list[tuple[str, np.ndarray]]]:
        """Bounds, and for every operand its map."""
        bounds = [int(n) for n in self.rng.integers(1, 7, int(self.rng.integers(1, 5)))]
        while True:
            before = list(bounds)
            maps = [self.map(bounds, shape, injective and k == 0) for k, shape in enumerate(shapes)]
            if bounds == before:
                return bounds, maps

    def gemm(self) -> None:
        names = [self.pick([f"%{m}0", f"%{m}1"]) for m in ("inp", "wgt", "acc")]
        inp, wgt, acc = (self.scratch[name] for name in names)
        bounds, maps = self.domain([a.shape[:-2] for a in (inp, wgt, acc)], False)
        texts = ", ".join(text for text, _ in maps)
        types = [self.type(name) for name in names]
        self.lines.append(
            f"vta.gemm ins({names[0]}, {names[1]} : {types[0]}, {types[1]}) "
            f"outs({names[2]} : {types[2]}) bounds {bounds} maps [{texts}]"
        )
        for i, w, a in zip(*(flat for _, flat in maps), strict=True):
            acc[tuple(a)] = wrap32(acc[tuple(a)] + inp[tuple(i)] @ wgt[tuple(w)].T)

    def alu(self) -> None:
        op = self.pick(["min", "max", "add", "shr", "mul"])
        dst, src = ("%acc0", "%acc1") if self.rng.random() < 0.5 else ("%acc1", "%acc0")
        to, by = self.scratch[dst], self.scratch[src]
        ordered = op in ("shr", "mul")
        head = f"vta.alu {op} outs({dst} : {self.type(dst)})"
        # Shift amounts come from immediates: other amounts than -31 to 31 mean nothing.
        if op == "shr" or self.rng.random() < 0.5:
            imm = int(self.rng.integers(-31, 32) if op == "shr" else self.rng.integers(-(1 << 15), 1 << 15))
            bounds, ((text, flat),) = self.domain([to.shape[:-2]], ordered)
            if ordered:
                bounds = bounds if self.uses_all(text, bounds) else None
            if bounds is None:
                return
            self.lines.append(f"{head} imm {imm} bounds {bounds} maps [{text}]")
            for d in flat:
                to[tuple(d)] = alu(op, to[tuple(d)], imm)
            return
        bounds, ((text, flat), (other, reads)) = self.domain([to.shape[:-2], by.shape[:-2]], ordered)
        if ordered and not self.uses_all(text, bounds):
            return
        self.lines.append(f"{head} ins({src} : {self.type(src)}) bounds {bounds} maps [{text}, {other}]")
        for d, s in zip(flat, reads, strict=True):
            to[tuple(d)] = alu(op, to[tuple(d)], by[tuple(s)])

    @staticmethod
    def uses_all(text: str, bounds: list[int]) -> bool:
        results = text.split("->")[1]
        return all(n == 1 or f"d{d} " in results for d, n in enumerate(bounds))

    def reset(self) -> None:
        name = self.pick(["%acc0", "%acc1"])
        array = self.scratch[name]
        sizes = [int(self.rng.integers(1, n + 1)) for n in array.shape[:-2]]
        at = [int(self.rng.integers(0, n - s + 1)) for n, s in zip(array.shape, sizes, strict=False)]
        view, type = self.view(name, at, sizes, [1] * len(sizes))
        self.lines.append(f"vta.reset outs({view} : {type})")
        array[tuple(slice(a, a + s) for a, s in zip(at, sizes, strict=True))] = 0


def check(seed: int, length: int) -> None:
    rng = np.random.default_rng(seed)
    kernel = Kernel(random_config(rng), rng)
    before = {name: data.copy() for name, data in kernel.dram.items()}
    for name in kernel.scratch:
        kernel.load(name, whole=True)
    for _ in range(length):
        statement = rng.integers(8)
        if statement < 2:
            kernel.load(kernel.pick(list(kernel.scratch)))
        elif statement < 4:
            kernel.gemm()
        elif statement < 6:
            kernel.alu()
        elif statement < 7:
            kernel.store()
        else:
            kernel.reset()
    program = compile_kernel(kernel.text(), kernel.config)
    run_kernel(program, list(before.values()))
    for name, data in kernel.dram.items():
        np.testing.assert_array_equal(before[name], data, err_msg=f"seed {seed}: {name}\n{kernel.text()}")


@pytest.mark.parametrize("seed", range(40))
def test_random_operations(seed: int) -> None:
    check(seed, 25)


@pytest.mark.long
@pytest.mark.circuit(one_in=8)
@pytest.mark.parametrize("block", range(20))
def test_many_random_operations(block: int) -> None:
    for seed in range(50):
        check(1000 + block * 50 + seed, 60)
