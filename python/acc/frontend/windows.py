"""Sliding windows: convolutions and pools, with `auto_pad` and `ceil_mode` resolved into explicit padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from acc import ir
from acc.frontend.call import BOOL, IGNORED, PLAIN, Call
from acc.frontend.problems import Unsupported

WINDOW = dict.fromkeys(("auto_pad", "dilations", "kernel_shape", "pads", "strides"), PLAIN)
POOL = WINDOW | {"ceil_mode": BOOL, "count_include_pad": BOOL, "storage_order": IGNORED}


@dataclass(frozen=True)
class _Window:
    """Windows over spatial axes; lists have an entry per axis, `pads` first all begins, then all ends."""

    sizes: Sequence[int]
    kernel: list[int]
    strides: list[int]
    dilations: list[int]
    pads: list[int]

    def spans(self) -> list[int]:
        """Elements from the first to the last of one window."""
        return [(kernel - 1) * dilation + 1 for kernel, dilation in zip(self.kernel, self.dilations, strict=True)]

    def attributes(self) -> dict[str, list[int]]:
        return {"strides": self.strides, "pads": self.pads, "dilations": self.dilations}


def _read_window(call: Call, sizes: Sequence[int], kernel: Sequence[int]) -> _Window:
    rank = len(sizes)

    def read(name: str, count: int, default: list[int], least: int) -> list[int]:
        values = call.integer_list(name) if name in call.attributes else default
        if len(values) != count:
            raise Unsupported(f"attribute '{name}' has {len(values)} values but {rank} spatial axes need {count}")
        if any(value < least for value in values):
            raise Unsupported(f"attribute '{name}' is {values}, which is less than {least}")
        return values

    if len(kernel) != rank or any(size < 1 for size in kernel):
        raise Unsupported(f"a kernel of shape {list(kernel)} does not fit {rank} spatial axes")
    strides = read("strides", rank, [1] * rank, 1)
    dilations = read("dilations", rank, [1] * rank, 1)
    window = _Window(sizes, list(kernel), strides, dilations, read("pads", 2 * rank, [0] * 2 * rank, 0))
    auto_pad = call.attributes["auto_pad"]
    match auto_pad:
        case "NOTSET" | "":
            return window
        case "VALID":
            begin = end = [0] * rank
        case "SAME_UPPER" | "SAME_LOWER":
            begin, end = [], []
            for size, span, stride in zip(sizes, window.spans(), strides, strict=True):
                total = max((-(-size // stride) - 1) * stride + span - size, 0)
                small, large = total // 2, total - total // 2
                begin.append(small if auto_pad == "SAME_UPPER" else large)
                end.append(large if auto_pad == "SAME_UPPER" else small)
        case _:
            raise Unsupported(f"attribute 'auto_pad' is '{auto_pad}'")
    return _Window(sizes, window.kernel, strides, dilations, begin + end)


def convert_conv(call: Call) -> list[ir.Value]:
    shape, weight = call.shape(0), call.shape(1)
    if len(shape) < 3 or len(weight) != len(shape):
        raise Unsupported(f"input {list(shape)} and weight {list(weight)} do not make a convolution")
    kernel = call.attributes.get("kernel_shape", list(weight[2:]))
    if kernel != list(weight[2:]):
        raise Unsupported(f"attribute 'kernel_shape' is {kernel} but the weight is {list(weight)}")
    window = _read_window(call, shape[2:], weight[2:])
    return [call.emit("conv", call.operands(), group=call.attributes["group"], **window.attributes())]


def _ceil_padding(window: _Window) -> list[int]:
    """Per axis, how many elements the last window of ceil mode reaches over the padded input."""
    rank = len(window.sizes)
    extra = []
    for axis, (size, span, stride) in enumerate(zip(window.sizes, window.spans(), window.strides, strict=True)):
        begin, end = window.pads[axis], window.pads[axis + rank]
        windows = -(-(size + begin + end - span) // stride) + 1
        # A window that would start in the end padding does not count.
        if (windows - 1) * stride >= size + begin:
            windows -= 1
        extra.append(max((windows - 1) * stride + span - size - begin - end, 0))
    return extra


def convert_pool(call: Call) -> list[ir.Value]:
    shape = call.shape(0)
    if len(shape) < 3:
        raise Unsupported(f"input {list(shape)} has no spatial axes")
    kernel = call.integer_list("kernel_shape")
    window = _read_window(call, shape[2:], kernel)
    operand = call.operand(0)
    extra = [0] * len(kernel)
    if call.attributes.get("ceil_mode") and not str(call.attributes["auto_pad"]).startswith("SAME"):
        extra = _ceil_padding(window)
    rank, pads = len(kernel), window.pads
    include = bool(call.attributes.get("count_include_pad"))
    if include and any(extra):
        # Explicit padding counts, what ceil mode reaches beyond it does not.
        operand = call.emit("pad", [operand], pads=[0, 0, *pads[:rank], 0, 0, *pads[rank:]])
        pads, include = [0] * 2 * rank, False
    pads = pads[:rank] + [pad + more for pad, more in zip(pads[rank:], extra, strict=True)]
    attributes: dict[str, object] = {**window.attributes(), "kernel_shape": kernel, "pads": pads}
    if "count_include_pad" in call.attributes:
        attributes["count_include_pad"] = include
    return [call.emit(call.operator.graph, [operand], **attributes)]


def convert_lrn(call: Call) -> list[ir.Value]:
    """A window that reaches over all channels from every one of them need not be larger than that."""
    attributes = dict(call.attributes)
    size, reach = call.integer("size"), 2 * call.shape(0)[1] + 1 if len(call.shape(0)) > 1 else 1
    if size > reach:
        attributes |= {"size": reach, "alpha": cast(float, attributes["alpha"]) * reach / size}
    return [call.emit("lrn", call.operands(), **attributes)]
