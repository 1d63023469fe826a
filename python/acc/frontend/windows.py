"""Sliding windows: convolutions and pools, with `auto_pad` and `ceil_mode` resolved into explicit padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from acc import ir
from acc.frontend.call import BOOL, PLAIN, Call, Tensor, dtype_of, element_of, shape_of
from acc.frontend.padding import pad_by_sizes
from acc.frontend.problems import NotStatic, Unsupported
from acc.frontend.sizes import maximum

WINDOW = dict.fromkeys(("auto_pad", "dilations", "kernel_shape", "pads", "strides"), PLAIN)
POOL = WINDOW | {"ceil_mode": BOOL, "count_include_pad": BOOL, "storage_order": PLAIN}


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


def _read(call: Call, name: str, count: int, default: int, least: int) -> list[int]:
    """An attribute with `count` values, none below `least`."""
    values = call.integer_list(name) if name in call.attributes else [default] * count
    if len(values) != count:
        raise Unsupported(f"attribute '{name}' has {len(values)} values instead of {count}")
    if any(value < least for value in values):
        raise Unsupported(f"attribute '{name}' is {values}, which is less than {least}")
    return values


def _read_explicit(call: Call, sizes: Sequence[int], kernel: Sequence[int]) -> _Window:
    """The attributes as they are, whatever `auto_pad` says."""
    rank = len(sizes)
    if len(kernel) != rank or any(size < 1 for size in kernel):
        raise Unsupported(f"a kernel of shape {list(kernel)} does not fit {rank} spatial axes")
    strides = _read(call, "strides", rank, 1, 1)
    dilations = _read(call, "dilations", rank, 1, 1)
    # Between the elements of a window of one element there is nothing.
    dilations = [1 if size == 1 else dilation for size, dilation in zip(kernel, dilations, strict=True)]
    return _Window(sizes, list(kernel), strides, dilations, _read(call, "pads", 2 * rank, 0, 0))


def read_window(call: Call, sizes: Sequence[int], kernel: Sequence[int]) -> _Window:
    """The windows of a convolution or pool, padded as `auto_pad` says."""
    rank = len(sizes)
    window = _read_explicit(call, sizes, kernel)
    strides, dilations = window.strides, window.dilations
    auto_pad = call.attributes.get("auto_pad", "NOTSET")
    match auto_pad:
        case "NOTSET" | "":
            return window
        case "VALID":
            begin = end = [0] * rank
        case "SAME_UPPER" | "SAME_LOWER":
            begin, end = [], []
            for size, span, stride in zip(sizes, window.spans(), strides, strict=True):
                total = _same_padding(size, span, stride)
                small, large = total // 2, total - total // 2
                begin.append(small if auto_pad == "SAME_UPPER" else large)
                end.append(large if auto_pad == "SAME_UPPER" else small)
        case _:
            raise Unsupported(f"attribute 'auto_pad' is '{auto_pad}'")
    return _Window(sizes, window.kernel, strides, dilations, begin + end)


def _same_padding(size: int, span: int, stride: int) -> int:
    """The padding with which windows `stride` apart are as many as elements `stride` apart."""
    if stride == 1:
        # Whatever the size is.
        return span - 1
    return maximum((-(-size // stride) - 1) * stride + span - size, 0)


def _is_open(numbers: Sequence[int]) -> bool:
    """Whether some of these numbers are only known at run time."""
    return not all(isinstance(number, int) for number in numbers)


def padded(call: Call, value: ir.Value, attributes: Mapping[str, object]) -> tuple[ir.Value, dict[str, object]]:
    """The operand of a convolution and its attributes; padding that a run computes is put around the operand."""
    pads = cast(Sequence[int], attributes["pads"])
    if not _is_open(pads):
        return value, dict(attributes)
    return surrounded(call, value, pads, 0), {**attributes, "pads": [0] * len(pads)}


def surrounded(call: Call, value: ir.Value, pads: Sequence[int], element: float | Tensor) -> ir.Value:
    """A tensor with elements around its spatial axes; one that a run computes has the type of the tensor's."""
    rank = len(pads) // 2
    constant = element
    if not isinstance(constant, ir.Value):
        constant = np.asarray(constant, dtype_of(element_of(value)))
    return pad_by_sizes(call, value, [0, 0, *pads[:rank]], [0, 0, *pads[rank:]], "constant", constant)


def weight_shape(call: Call, index: int) -> tuple[int, ...]:
    """The shape of the weight, input `index`, which must fit input 0 and the attribute `kernel_shape`."""
    shape, weight = call.shape(0), call.shape(index)
    if len(shape) < 3 or len(weight) != len(shape):
        raise Unsupported(f"input {list(shape)} and weight {list(weight)} do not make a convolution")
    kernel = call.attributes.get("kernel_shape", list(weight[2:]))
    if kernel != list(weight[2:]):
        raise Unsupported(f"attribute 'kernel_shape' is {kernel} but the weight is {list(weight)}")
    return weight


def convolution_attributes(call: Call, weight: int) -> dict[str, object]:
    """Group and windows of a convolution whose weight is input `weight`."""
    window = read_window(call, call.shape(0)[2:], weight_shape(call, weight)[2:])
    return {"group": call.attributes["group"], **window.attributes()}


def convert_conv(call: Call) -> list[ir.Value]:
    operands = call.operands()
    operands[0], attributes = padded(call, operands[0], convolution_attributes(call, 1))
    return [call.emit("conv", operands, **attributes)]


def convert_conv_transpose(call: Call) -> list[ir.Value]:
    sizes, kernel = call.shape(0)[2:], weight_shape(call, 1)[2:]
    window = _read_explicit(call, sizes, kernel)
    rank = len(sizes)
    extra = _read(call, "output_padding", rank, 0, 0)
    upper = call.attributes["auto_pad"] == "SAME_UPPER"
    spans, strides = window.spans(), window.strides
    totals: list[int] | None = None
    if "output_shape" in call.attributes:
        # Some exporters count the batch and the channels too.
        wanted = call.integer_list("output_shape")[-rank:]
        if len(wanted) != rank or any(size < 0 for size in wanted):
            raise Unsupported(f"attribute 'output_shape' is {wanted} for {rank} spatial axes")
        totals = [strides[axis] * (sizes[axis] - 1) + spans[axis] - wanted[axis] for axis in range(rank)]
    elif call.attributes["auto_pad"] in ("SAME_UPPER", "SAME_LOWER"):
        totals = [spans[axis] - strides[axis] for axis in range(rank)]
    pads = [0] * 2 * rank if call.attributes["auto_pad"] == "VALID" else list(window.pads)
    if totals is not None:
        for axis, without in enumerate(totals):
            total = without + extra[axis]
            # What is missing is zeros behind the last window.
            extra[axis] += max(-total, 0)
            small, large = max(total, 0) // 2, max(total, 0) - max(total, 0) // 2
            pads[axis], pads[axis + rank] = (small, large) if upper else (large, small)
    attributes = {**window.attributes(), "pads": pads, "output_padding": extra}
    return [call.emit("conv_transpose", call.operands(), group=call.attributes["group"], **attributes)]


def convert_deform_conv(call: Call) -> list[ir.Value]:
    window = read_window(call, call.shape(0)[2:], weight_shape(call, 1)[2:])
    if _is_open(window.pads):
        raise NotStatic("needs sizes that are known")
    mask = [call.operand(4)] if call.has(4) else []
    operands = [call.operand(0), call.operand(1), call.operand(2), *mask]
    groups = {name: call.attributes[name] for name in ("group", "offset_group")}
    result = call.emit("deform_conv", operands, **groups, **window.attributes())
    if call.has(3):
        bias = call.operand(3)
        column = call.tensor_type([*call.shape(3), *[1] * len(window.sizes)], element_of(bias))
        result = call.emit("add", [result, call.emit_as(column, "reshape", bias)])
    return [result]


def convert_col2im(call: Call) -> list[ir.Value]:
    image, block = call.integers(1, "image_shape"), call.integers(2, "block_shape")
    window = _read_explicit(call, image, block)
    return [call.emit("col2_im", [call.operand(0)], image_shape=image, block_shape=block, **window.attributes())]


def _ceil_padding(window: _Window) -> list[int]:
    """Per axis, how many elements the last window of ceil mode reaches over the padded input."""
    rank = len(window.sizes)
    extra = []
    for axis, (size, span, stride) in enumerate(zip(window.sizes, window.spans(), window.strides, strict=True)):
        begin, end = window.pads[axis], window.pads[axis + rank]
        if not isinstance(size, int) and end + stride <= span:
            # Room for one more window rounds up, and none of them starts in the padding.
            extra.append(stride - 1)
            continue
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
    window = read_window(call, shape[2:], kernel)
    operand = call.operand(0)
    if _is_open(window.pads) or _may_miss(call, window):
        return [_pool_by_sizes(call, operand, window)]
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
    if call.operator.graph == "average_pool":
        attributes["count_include_pad"] = include
    if call.operator.graph == "lp_pool":
        attributes["p"] = call.attributes["p"]
    result = call.emit(call.operator.graph, [operand], **attributes)
    if call.operator.graph != "max_pool" or len(call.node.outputs) < 2 or not call.node.outputs[1]:
        return [result]
    column_major = call.attributes.get("storage_order") == 1
    return [result, call.emit("max_pool_indices", [call.storage(operand)], column_major=column_major, **attributes)]


def _may_miss(call: Call, window: _Window) -> bool:
    """Whether an axis of open size may lie between the elements of a window, which only padding reaches then."""
    apart = any(dilation > 1 for dilation in window.dilations) and any(window.pads)
    alone = len(call.node.outputs) < 2 or not call.node.outputs[1]
    return apart and alone and _is_open(window.sizes) and not call.attributes.get("ceil_mode")


def _pool_by_sizes(call: Call, operand: ir.Value, window: _Window) -> ir.Value:
    """A pool whose padding a run computes: it is put around the operand, and does not count."""
    if len(call.node.outputs) > 1 and call.node.outputs[1]:
        raise NotStatic("indices need sizes that are known")
    kind = call.operator.graph
    attributes: dict[str, object] = {
        **window.attributes(),
        "kernel_shape": window.kernel,
        "pads": [0] * len(window.pads),
    }
    if kind == "lp_pool":
        attributes["p"] = call.attributes["p"]
    if kind == "max_pool":
        value = call.storage(operand)
        dtype = dtype_of(element_of(value))
        lowest = np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf
        result = call.emit(kind, [surrounded(call, value, window.pads, lowest)], **attributes)
        if value is operand:
            return result
        return call.emit_as(call.tensor_type(shape_of(result), element_of(operand)), "storage_cast", result)
    if kind == "average_pool":
        attributes["count_include_pad"] = False
    result = call.emit(kind, [surrounded(call, operand, window.pads, 0)], **attributes)
    if kind != "average_pool" or call.attributes.get("count_include_pad"):
        return result
    one = call.literal(np.asarray(1, dtype_of(element_of(operand))))
    ones = call.emit("expand", [one], shape=[1, 1, *window.sizes])
    return call.emit("div", [result, call.emit(kind, [surrounded(call, ones, window.pads, 0)], **attributes)])


def convert_global_max_pool(call: Call) -> list[ir.Value]:
    return [quantized_pool(call, "max_pool") or call.emit("global_max_pool", [call.operand(0)])]


def quantized_pool(call: Call, kind: str) -> ir.Value | None:
    """A pool over whole images ("max_pool" or "global_average_pool"), if operand 0 is a dequantized one.

    These are the forms that become integer arithmetic. A maximum needs known sizes.
    """
    shape, operand = call.shape(0), call.operand(0)
    owner = operand.owner
    if not isinstance(owner, ir.Operation) or owner.name != "graph.dequantize_linear" or len(shape) < 3:
        return None
    if kind != "max_pool":
        return call.emit(kind, [operand])
    sizes = [size for size in shape[2:] if isinstance(size, int) and size > 0]
    if len(sizes) != len(shape) - 2:
        return None
    ones, zeros = [1] * len(sizes), [0] * 2 * len(sizes)
    return call.emit(kind, [operand], kernel_shape=sizes, strides=ones, dilations=ones, pads=zeros)


def convert_max_unpool(call: Call) -> list[ir.Value]:
    kernel = call.integer_list("kernel_shape")
    window = _read_explicit(call, call.shape(0)[2:], kernel)
    attributes = {"kernel_shape": kernel, "strides": window.strides, "pads": window.pads}
    result = call.emit("max_unpool", [call.operand(0), call.operand(1)], **attributes)
    if not call.has(2):
        return [result]
    # Indices count in the shape that follows from the windows; what is larger is zero.
    shape, wanted = shape_of(result), call.integers(2, "output_shape")
    if len(wanted) != len(shape) or any(more < size for more, size in zip(wanted, shape, strict=True)):
        raise Unsupported(f"output_shape is {wanted}, which does not hold the result {list(shape)}")
    if wanted == list(shape):
        return [result]
    grow = [more - size for more, size in zip(wanted, shape, strict=True)]
    return [call.emit("pad", [result], pads=[0] * len(shape) + grow)]


def convert_lrn(call: Call) -> list[ir.Value]:
    """A window that reaches over all channels from every one of them need not be larger than that."""
    attributes = dict(call.attributes)
    size, reach = call.integer("size"), 2 * call.shape(0)[1] + 1 if len(call.shape(0)) > 1 else 1
    if size > reach:
        attributes |= {"size": reach, "alpha": cast(float, attributes["alpha"]) * reach / size}
    return [call.emit("lrn", call.operands(), **attributes)]
