"""The memory of an accelerator that a model takes: what it is made of, and when most of it is in use at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from acc import ir
from acc.container import Constant, Splat, TensorInfo
from acc.dtypes import BY_NAME
from acc.errors import CompileError
from acc.report import read_launches

__all__ = ["Arena", "Moment", "check_fits", "find_largest_moment", "measure", "scratch_bytes"]

# So many tensors are named at most where memory is short.
MOST_NAMED = 5


@dataclass(frozen=True)
class Arena:
    """Bytes by what they hold: constants, inputs and outputs of the model, programs, and the workspace, where tensors
    between kernels take turns, those in a chain of accelerator kernels (`scratch`, a part of it) too.
    """

    constants: int
    inputs_and_outputs: int
    programs: int
    workspace: int
    scratch: int

    @property
    def total(self) -> int:
        return self.constants + self.inputs_and_outputs + self.programs + self.workspace

    def to_dict(self) -> dict[str, int]:
        """JSON-compatible, with the sum as `total`."""
        return {**asdict(self), "total": self.total}


@dataclass(frozen=True)
class Moment:
    """When a model has most of its computed tensors in memory: while which layer is computed, and these tensors, by the
    layers that compute them, with their bytes, the largest first.
    """

    layer: str
    tensors: tuple[tuple[str, int], ...]


def measure(
    constants: Sequence[Constant],
    tensors: Sequence[TensorInfo],
    programs: Sequence[int],
    workspace: int,
    scratch: int,
    alignment: int,
) -> Arena:
    """The arena of a model whose sizes are fixed, every buffer at a multiple of `alignment`.

    tensors: inputs and outputs. programs: the bytes of each. scratch: those of the workspace that belong to a chain.
    """

    def aligned(sizes: Sequence[int]) -> int:
        return sum(-(-size // alignment) * alignment for size in sizes)

    def size(constant: Constant) -> int:
        if isinstance(constant, Splat):
            return np.asarray(constant.element).nbytes * constant.size
        return constant.nbytes

    shapes = [(info.fixed_shape or (), BY_NAME[info.dtype].bits) for info in tensors]
    return Arena(
        aligned([size(constant) for constant in constants]),
        aligned([math.prod(shape) * -(-bits // 8) for shape, bits in shapes]),
        aligned(programs),
        aligned([workspace]),
        scratch,
    )


def scratch_bytes(launches: Iterable[Mapping[str, Any]]) -> int:
    """What the tensors of a chain of kernels take at most, by the metadata "launches" (docs/model-format.md)."""
    return max(
        (
            math.prod(buffer["shape"]) * int(buffer["element"].lstrip("iuf")) // 8
            for launch in launches
            for buffer in launch["buffers"]
            if buffer["role"] == "scratch"
        ),
        default=0,
    )


def _bytes(kind: ir.Type) -> int:
    """The size of a tensor; 0 if only a run knows it."""
    shaped = ir.ShapedType(kind)
    element = shaped.element_type
    width = element.width if isinstance(element, ir.IntegerType | ir.FloatType) else 64
    return math.prod(shaped.shape) * -(-width // 8) if min(shaped.shape, default=0) >= 0 else 0


def find_largest_moment(module: ir.Module) -> Moment | None:
    """The moment of a module whose kernels are outlined, on tensors; None if nothing is computed.

    A launch writes the tensor that it is given for a result, and views are of the same memory. What is kept for the
    alignment of buffers is not counted.
    """
    names: dict[str, str] = {}
    for op in module.body:
        known = op.attributes.get("layers") if op.name == "te.kernel" else None
        if known is not None:
            names[str(op.attributes["sym_name"].value)] = "+".join(map(str, known.value))
    places: dict[ir.Value, int] = {}
    sizes: list[int] = []
    owners: list[str] = []
    uses: list[list[int]] = []
    layers: list[str] = []

    def place(value: ir.Value) -> int | None:
        owner = value.owner
        if value in places or not isinstance(owner, ir.Operation) or owner.name == "graph.constant":
            return places.get(value)
        if owner.name.startswith("tensor.") and owner.operands and owner.name != "tensor.empty":
            found = place(owner.operands[0])
        else:
            sizes.append(_bytes(value.type))
            owners.append("")
            uses.append([])
            found = len(sizes) - 1
        if found is not None:
            places[value] = found
        return found

    launches = iter(read_launches(module))
    for function in module.body:
        if function.name != "func.func" or not len(function.regions[0].blocks):
            continue
        for op in function.regions[0].blocks[0]:
            if op.name != "te.launch":
                continue
            launch = next(launches)
            layers.append(names.get(launch.symbol) or launch.kernel)
            written = len(op.operands) - len(op.results)
            for index, value in enumerate(op.operands):
                found = place(value)
                if found is None:
                    continue
                uses[found].append(len(layers) - 1)
                if index >= written:
                    owners[found] = names.get(launch.symbol) or owners[found] or launch.kernel
                    places[op.results[index - written]] = found
    if not layers:
        return None
    live = [[at for at, use in enumerate(uses) if use and use[0] <= now <= use[-1]] for now in range(len(layers))]
    most = max(range(len(layers)), key=lambda now: sum(sizes[at] for at in live[now]))
    tensors = sorted(((owners[at], sizes[at]) for at in live[most]), key=lambda item: -item[1])
    return Moment(layers[most], tuple(tensors))


def check_fits(arena: Arena, moment: Moment | None, limit: int, whose: str) -> None:
    """Raises CompileError if the arena is larger than `limit`, the bytes of DRAM that `whose` says it has."""
    if arena.total <= limit:
        return
    parts = [
        *((arena.constants, "of constants"), (arena.inputs_and_outputs, "of inputs and outputs")),
        *((arena.programs, "of programs"), (arena.workspace, "for computed tensors and native kernels")),
    ]
    text = f"the model needs {arena.total:,} bytes of the accelerator's memory ("
    text += ", ".join(f"{size:,} {what}" for size, what in parts if size) + f"), but {whose}"
    if moment is not None and moment.tensors:
        named = [f"'{name}' {size:,} bytes" for name, size in moment.tensors[:MOST_NAMED]]
        named += ["..."] if len(moment.tensors) > MOST_NAMED else []
        size = sum(size for _, size in moment.tensors)
        text += f"; most tensors, {size:,} bytes, are there while '{moment.layer}' is computed: {', '.join(named)}"
    raise CompileError(text)
