"""Which operators that move images over space are addresses of the accelerator's transfers.

A kernel stores rows and columns of an image to wherever they belong, a constant distance apart, and loads them so. Not
so channels, which are the lanes of a tile.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from acc import ir
from acc.targets.vta.config import Hardware

__all__ = ["MOVES", "is_move", "result_of", "sources_of", "why_not"]

MOST_KERNELS = 64
"""Of so many kernels an image may be put together: each takes some hundred cycles, however little it moves."""


def _attribute(op: ir.Operation, name: str, default: object = None) -> object:
    attribute = op.attributes.get(name)
    return default if attribute is None else attribute.value


def _numbers(op: ir.Operation, name: str) -> list[int]:
    return list(op.attributes[name].value)  # type: ignore[call-overload]


def _word(op: ir.Operation, name: str, default: str) -> str:
    """The word that an enumeration of the graph dialect holds, as in #graph.pad_mode<edge>."""
    attribute = op.attributes.get(name)
    return default if attribute is None else str(attribute.value)


def _pad(op: ir.Operation, _: Hardware) -> str:
    pads = np.reshape(_numbers(op, "pads"), (2, -1))
    if pads[:, :2].any():
        return "pads images or channels, and the accelerator writes borders of rows and columns only"
    if _word(op, "mode", "constant") != "constant":
        rows, columns = (int(np.maximum(pads[:, axis], 0).sum()) + 1 for axis in (2, 3))
        if rows * columns > MOST_KERNELS:
            return (
                f"repeats {rows - 1} rows and {columns - 1} columns in a border, each by a kernel of its own: "
                f"more than {MOST_KERNELS} together"
            )
    return ""


def _slice(op: ir.Operation, _: Hardware) -> str:
    shape, result = ir.shape_of(op.operands[0]), ir.shape_of(op.result)
    if shape[:2] != result[:2]:
        return "takes images or channels apart, which are lanes and blocks of a tile"
    if min(_numbers(op, "steps")) < 0:
        return "reverses an axis, and transfers only count upwards"
    return ""


def _concat(op: ir.Operation, _: Hardware) -> str:
    axis = _attribute(op, "axis")
    if axis == 1:
        return (
            "joins channels, which are lanes and blocks of tiles: in place if the accelerator computes them and reads "
            "the result, by copies where BLOCK_IN and BLOCK_OUT are alike"
        )
    if axis == 0:
        return "joins images, of which a tile may hold several: along rows, columns or channels it would be addresses"
    if len(op.operands) > MOST_KERNELS:
        return f"joins {len(op.operands)} tensors, each by a kernel of its own: more than {MOST_KERNELS}"
    return ""


def _nearest(size: int, result: int, scale: float, coordinates: str, nearest: str) -> np.ndarray | None:
    """Which element along an axis every result is, for the modes that depend on nothing else; as ONNX defines it."""
    x = np.arange(result, dtype=np.float64)
    resized = scale * size
    if coordinates == "asymmetric":
        x = x / scale
    elif coordinates == "align_corners":
        x = x * (size - 1) / (resized - 1) if resized != 1 else np.zeros_like(x)
    elif coordinates in ("half_pixel", "pytorch_half_pixel"):
        x = (x + 0.5) / scale - 0.5 if coordinates == "half_pixel" or resized != 1 else np.full_like(x, -0.5)
    elif coordinates == "half_pixel_symmetric":
        x = size / 2 * (1 - result / resized) + (x + 0.5) / scale - 0.5
    elif coordinates == "tf_half_pixel_for_nn":
        x = (x + 0.5) / scale
    else:
        return None
    rounded = {
        "round_prefer_floor": lambda: np.ceil(x - 0.5),
        "round_prefer_ceil": lambda: np.floor(x + 0.5),
        "floor": lambda: np.floor(x),
        "ceil": lambda: np.ceil(x),
    }[nearest]()
    return np.clip(rounded, 0, size - 1).astype(np.int64)


def _resize(op: ir.Operation, _: Hardware) -> str:
    mode = _word(op, "mode", "nearest")
    if mode != "nearest":
        return f"interpolates ({mode}), which has an integer form for whole factors and linear weights of 8 bits only"
    shape, result = ir.shape_of(op.operands[0]), ir.shape_of(op.result)
    if shape[:2] != result[:2]:
        return "resizes images or channels, which are lanes and blocks of a tile"
    factors = []
    axes = _numbers(op, "axes")
    scales = _attribute(op, "scales")
    for axis in (2, 3):
        if result[axis] % shape[axis]:
            return f"makes {result[axis]} of {shape[axis]} rows or columns: only whole factors repeat all alike"
        factors.append(result[axis] // shape[axis])
        if axis not in axes:
            continue
        scale = list(scales)[axes.index(axis)] if scales is not None else factors[-1]  # type: ignore[call-overload]
        sources = _nearest(
            shape[axis],
            result[axis],
            scale,
            _word(op, "coordinate_transformation_mode", "half_pixel"),
            _word(op, "nearest_mode", "round_prefer_floor"),
        )
        if sources is None or (sources != np.arange(result[axis]) // factors[-1]).any():
            return "does not repeat every pixel equally often (coordinate_transformation_mode, nearest_mode)"
    if sum(factors) > MOST_KERNELS:
        return f"repeats pixels {factors[0]} x {factors[1]} times, by more than {MOST_KERNELS} kernels"
    return ""


@dataclass(frozen=True)
class Interleave:
    """Channels that a reshape, a transpose and another reshape put into rows and columns.

    channels: int64 (channels of the result, rows of a phase, columns of a phase), which channel of `source` each is.
    """

    source: ir.Value
    result: ir.Value
    channels: np.ndarray

    @staticmethod
    def of(op: ir.Operation) -> Interleave | None:
        """What a graph.transpose is the middle of, if it is that: the twin of passes/VTA/Graph/Phases.cpp."""
        split, uses = op.operands[0].owner, op.result.uses
        if not isinstance(split, ir.Operation) or split.name != "graph.reshape" or len(uses) != 1:
            return None
        join = uses[0].owner
        if join.name != "graph.reshape":
            return None
        source, apart = ir.shape_of(split.operands[0]), ir.shape_of(split.result)
        result, perm = ir.shape_of(join.result), _numbers(op, "perm")
        rank = len(apart)
        if len(source) != 4 or len(result) != 4 or rank < 5 or perm[0] != 0:
            return None
        if apart[0] != source[0] or apart[-2:] != source[-2:]:
            return None
        rows, columns = perm.index(rank - 2), perm.index(rank - 1)
        if rows > columns:
            return None
        groups = [perm[1:rows], perm[rows + 1 : columns], perm[columns + 1 :]]
        sizes = [math.prod(apart[axis] for axis in group) for group in groups]
        if result != [source[0], sizes[0], source[2] * sizes[1], source[3] * sizes[2]]:
            return None
        numbers = np.arange(source[1]).reshape(apart[1:-2])
        channels = numbers.transpose([axis - 1 for group in groups for axis in group]).reshape(sizes)
        return Interleave(split.operands[0], join.result, channels)

    def has_phases_of_convolution(self) -> bool:
        """Whether a convolution computes the channels for nobody else, and every phase can be one of its own."""
        narrow = self.source.owner
        if not isinstance(narrow, ir.Operation) or narrow.name != "graph.requantize" or len(self.source.uses) != 1:
            return False
        convolution = narrow.operands[0].owner
        if not isinstance(convolution, ir.Operation) or convolution.name != "graph.conv_integer":
            return False
        strided = any(n != 1 for name in ("strides", "dilations") for n in _numbers(convolution, name))
        group = _attribute(convolution, "group", 1)
        assert isinstance(group, int)
        count = self.channels.shape[0]
        if strided or len(narrow.operands[0].uses) != 1 or count % group:
            return False
        of_group = ir.shape_of(self.source)[1] // group
        wanted = (np.arange(count) // (count // group))[:, None, None]
        return bool((self.channels // of_group == wanted).all())

    def has_whole_tiles(self, hardware: Hardware) -> bool:
        """Whether the channels of every phase follow each other and begin with a tile."""
        first = self.channels[:1]
        consecutive = self.channels == first + np.arange(self.channels.shape[0])[:, None, None]
        return bool(consecutive.all() and not (first % hardware.config.block_out).any())


def _transpose(op: ir.Operation, hardware: Hardware) -> str:
    interleave = Interleave.of(op)
    if interleave is None:
        perm = _numbers(op, "perm")
        if perm[:2] == [0, 1]:
            return (
                "exchanges rows and columns, and a transfer reads the elements of a row one after the other: "
                "a stride between them would do, for which it has no field"
            )
        if perm[0] != 0:
            return "moves the axis of images, of which a tile may hold several"
        return (
            "moves channels, which are the lanes of a tile and nothing that a transfer can address: "
            "it costs nothing where channels stay second, as in (N, C, H, W)"
        )
    phases = math.prod(interleave.channels.shape[1:])
    if phases > MOST_KERNELS:
        return f"puts {phases} channels into rows and columns, each by a kernel of its own: more than {MOST_KERNELS}"
    if interleave.has_phases_of_convolution():
        return ""
    if not interleave.has_whole_tiles(hardware):
        return (
            "puts channels of one tile into different rows or columns, and no convolution computes them for it alone: "
            f"phases of a multiple of {hardware.config.block_out} channels would do"
        )
    return ""


MOVES: Mapping[str, Callable[[ir.Operation, Hardware], str]] = {
    "graph.pad": _pad,
    "graph.slice": _slice,
    "graph.concat": _concat,
    "graph.resize": _resize,
    "graph.transpose": _transpose,
}
"""For every operator that can be addresses the reason why one of them is not, leaving aside who reads and writes it."""


def sources_of(op: ir.Operation) -> Sequence[ir.Value]:
    """The images that an operator of `MOVES` moves."""
    if op.name == "graph.transpose" and (interleave := Interleave.of(op)) is not None:
        return [interleave.source]
    return list(op.operands)


def result_of(op: ir.Operation) -> ir.Value:
    """The image that it makes of them."""
    if op.name == "graph.transpose" and (interleave := Interleave.of(op)) is not None:
        return interleave.result
    return op.result


def is_move(op: ir.Operation, hardware: Hardware) -> bool:
    """Whether an operator is addresses, leaving aside who reads and writes it."""
    return op.name in MOVES and not why_not(op, hardware)


def why_not(op: ir.Operation, hardware: Hardware) -> str:
    """Why an operator of `MOVES` on tensors of int8 is no image that the accelerator moves; an empty text if it is."""
    rank = len(ir.shape_of(result_of(op)))
    if op.name != "graph.transpose" and rank != 4:
        return f"moves a tensor of {rank} axes, the accelerator rows and columns of images"
    if 0 in ir.shape_of(op.result):
        return "an image is empty"
    return MOVES[op.name](op, hardware)
