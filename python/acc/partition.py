"""Decides which operators run on which target and which of them form one kernel: the policy behind te.kernel.

An operator goes to the accelerator if every rule of `RULES` for it holds; otherwise to the CPU, and the first rule
that does not hold is the reason. A kernel is an anchor (a convolution, a pool, ...) with the element-wise operators
that consume its result and nothing else does. The reason that `acc info` prints for it is that of the operator which is
to blame, not that of what only comes with it, such as the quantization of an operand. The decisions are the attributes
`graph.target`, `graph.kernel`, `graph.reason` and, on concatenations of tensors in the accelerator's layout,
`graph.packed`, which the passes graph-pack-layout and graph-outline-kernels obey.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from acc import ir
from acc._mlir import Sizes, onnx_name
from acc.dtypes import BY_MLIR, ElementType
from acc.macs import Macs, count_macs
from acc.wording import listing

__all__ = ["Options", "Placement", "partition"]

FREE = frozenset(f"graph.{name}" for name in ("constant", "reshape", "flatten", "squeeze", "unsqueeze"))
"""Operators that cost nothing at run time and belong to no kernel."""

ELEMENTWISE = frozenset(
    f"graph.{name}"
    for name in (
        *("add", "sub", "mul", "div", "sum", "relu", "clip", "cast", "batch_normalization"),
        *("rebase", "requantize", "weighted_sum", "quantize_linear", "dequantize_linear"),
    )
)
"""Operators that can continue a kernel whose result they read."""

CLOSED = frozenset(f"graph.{name}" for name in ("softmax", "lrn", "pad", "transpose", "concat"))
"""Operators that nothing is fused to."""


@dataclass(frozen=True)
class Options:
    """How kernels are formed.

    `fuse_residual` lets a sum of two tensors continue the kernel that computes one of them. `refused` maps names of
    kernels (or of ONNX nodes in them) that must not run on the accelerator to the reason. `dialect` is what programs of
    the accelerator may use: "acc", everything, or "public", what the public hardware designs agree on.
    """

    dialect: str = "acc"
    fuse_residual: bool = True
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Placement:
    """One kernel: its name, target, ONNX nodes, multiply-accumulates and, if kept from the accelerator, why."""

    kernel: str
    target: str
    layers: tuple[str, ...]
    reason: str = ""
    macs: Macs = field(default_factory=Macs)


@dataclass(frozen=True)
class Hardware:
    """What decides what the accelerator can hold and do: widths in log2 bits, channels of a tile that it computes, the
    dialect of its instructions.
    """

    inp: int = 3
    wgt: int = 3
    acc: int = 5
    block_out: int = 16
    dialect: str = "acc"

    @staticmethod
    def from_config(config: Mapping[str, object], dialect: str = "acc") -> Hardware:
        """Reads the keys of vta_config.json; missing ones have the documented defaults."""

        def get(key: str, default: int) -> int:
            return int(config.get(key, default))  # type: ignore[call-overload]

        block_out = 1 << get("LOG_BLOCK_OUT", get("LOG_BLOCK", 4))
        return Hardware(get("LOG_INP_WIDTH", 3), get("LOG_WGT_WIDTH", 3), get("LOG_ACC_WIDTH", 5), block_out, dialect)


Rule = Callable[[ir.Operation, Hardware], str]
"""Says why the accelerator cannot run an operator; an empty text if it can."""


def _shape(value: ir.Value) -> list[int]:
    return ir.RankedTensorType(value.type).shape


def _attribute(op: ir.Operation, name: str, default: object = None) -> object:
    attribute = op.attributes.get(name)
    return default if attribute is None else attribute.value


def _is_constant(value: ir.Value) -> bool:
    return isinstance(value.owner, ir.Operation) and value.owner.name == "graph.constant"


def _is_ungrouped(op: ir.Operation, _: Hardware) -> str:
    group = _attribute(op, "group", 1)
    # What other operators become convolutions by group have a reason of their own.
    return "" if group == 1 else str(_attribute(op, "graph.reason", f"grouped convolution: group {group}"))


def _is_image(op: ir.Operation, _: Hardware) -> str:
    spatial = len(_shape(op.operands[0])) - 2
    return "" if spatial == 2 else f"{spatial} spatial {'axis' if spatial == 1 else 'axes'}, the accelerator has 2"


def _is_image_or_matrix(op: ir.Operation, _: Hardware) -> str:
    rank = len(_shape(op.operands[0]))
    return "" if rank in (2, 4) else f"tensor of {rank} axes, the accelerator has images and matrices"


def _fits_widths(op: ir.Operation, hardware: Hardware) -> str:
    found, needed = (hardware.inp, hardware.acc), (3, 5)
    if found == needed:
        return ""
    return f"needs int8 inputs and int32 accumulators, the configuration has {1 << found[0]} and {1 << found[1]} bits"


def _fits_weight_width(op: ir.Operation, hardware: Hardware) -> str:
    if hardware.wgt == 3:
        return ""
    return f"needs int8 weights, the configuration has {1 << hardware.wgt} bits"


def _has_constants(op: ir.Operation, _: Hardware) -> str:
    return "" if all(_is_constant(v) for v in op.operands[1:]) else "weights or bias are not constant"


def _has_equal_operands(op: ir.Operation, _: Hardware) -> str:
    if any(_shape(v) != _shape(op.result) for v in op.operands):
        return "operands broadcast"
    if len(set(op.operands)) != len(op.operands):
        return "adds a tensor to itself"
    return ""


def _is_int8(op: ir.Operation, _: Hardware) -> str:
    element = _element(op)
    if element.kind == "float":
        return f"not quantized: computes on {element.name}"
    return "" if element.name == "int8" else f"computes on {element.name}, the accelerator on int8"


def _has_one_reader(op: ir.Operation, _: Hardware) -> str:
    uses = op.result.uses
    if len(uses) == 1 and uses[0].owner.name == "graph.requantize":
        return ""
    return "its accumulator is read by more than one requantization"


def _may_load_int8(_: ir.Operation, hardware: Hardware) -> str:
    if hardware.dialect != "public":
        return ""
    return "needs to load int8 into accumulators, which the dialect 'public' has no instruction for"


def _integers(op: ir.Operation, name: str) -> list[int]:
    """One value, or one per channel."""
    value = _attribute(op, name, 0)
    return [value] if isinstance(value, int) else list(value)  # type: ignore[call-overload]


def _may_requantize(op: ir.Operation, hardware: Hardware) -> str:
    """Of what computes an accumulator that one requantization reads."""
    if hardware.dialect != "public":
        return ""
    requantize = op.result.uses[0].owner
    if set(_integers(requantize, "multiplier")) not in ({0}, {1}):
        return "scales by other factors than powers of two, and the dialect 'public' has no multiplication"
    shifts = set(_integers(requantize, "pre_shift"))
    if min(shifts) < 0 and len(shifts) > 1:
        return "scales its channels by different powers of two, and the dialect 'public' has no shift to the left"
    return ""


RULES: Mapping[str, tuple[Rule, ...]] = {
    "graph.conv_integer": (
        *(_fits_widths, _fits_weight_width, _is_image, _is_ungrouped),
        *(_has_constants, _has_one_reader, _may_requantize),
    ),
    "graph.gemm_integer": (_fits_widths, _fits_weight_width, _has_constants, _has_one_reader, _may_requantize),
    "graph.weighted_sum": (_fits_widths, _is_image_or_matrix, _has_equal_operands, _has_one_reader, _may_load_int8),
    "graph.global_sum_integer": (_fits_widths, _is_image, _has_one_reader, _may_load_int8),
    "graph.max_pool": (_is_int8, _fits_widths, _is_image, _may_load_int8),
    "graph.requantize": (),
}
"""What the accelerator runs, and under which conditions."""

ENTERS = "enters the integer part of the network"

AT_BORDERS: Mapping[str, str] = {
    "graph.quantize_linear": ENTERS,
    "graph.dequantize_linear": "leaves the integer part of the network",
    "graph.rebase": "converts between uint8 and int8",
    "graph.cast": "converts element types",
}
"""What comes with other operators, which are to blame if there are any."""

MOVES = frozenset(
    f"graph.{name}"
    for name in (
        *(
            "concat",
            "transpose",
            "pad",
            "slice",
            "expand",
            "tile",
            "trilu",
            "reverse_sequence",
            "index_tensor",
            "where",
        ),
        *("gather", "gather_elements", "gather_nd", "scatter_elements", "scatter_nd", "tensor_scatter"),
    )
)
"""Operators that only move data."""


def _title(op: ir.Operation) -> str:
    """What an operator is called in messages."""
    if op.name == "graph.weighted_sum" and len(op.operands) == 1:
        return "rescaling"
    return onnx_name(op.name)


def _element(op: ir.Operation) -> ElementType:
    """The element type that an operator computes on; integers for quantized tensors."""
    value = op.operands[0] if op.operands else op.result
    element = ir.RankedTensorType(value.type).element_type
    return BY_MLIR["i8" if isinstance(element, ir.QuantizedType) else str(element)]


class Blame(enum.IntEnum):
    """How much an operator is to blame for its kernel's place on the CPU, where another could be."""

    NONE = 0
    BORDER = 1
    MOVE = 2
    FLOAT = 3
    RULE = 4


@dataclass(frozen=True)
class Reason:
    """Why the CPU runs an operator; an empty text if the accelerator can."""

    text: str = ""
    blame: Blame = Blame.NONE

    def __bool__(self) -> bool:
        return bool(self.text)


def _reason(op: ir.Operation, hardware: Hardware) -> Reason:
    """Why the CPU runs `op`, leaving aside what it depends on."""
    if op.name in RULES:
        text = next(filter(None, (rule(op, hardware) for rule in RULES[op.name])), "")
        return Reason(text, Blame.RULE) if text else Reason()
    if known := _attribute(op, "graph.reason", ""):
        return Reason(str(known), Blame.RULE)
    if op.name == "graph.dequantize_linear" and _is_constant(op.operands[0]):
        return Reason("dequantizes a constant for floating point", Blame.BORDER)
    if op.name in AT_BORDERS:
        return Reason(AT_BORDERS[op.name], Blame.BORDER)
    if op.name in MOVES:
        return Reason("moves data", Blame.MOVE)
    if _element(op).kind == "float":
        return Reason(f"not quantized: {_title(op)} in floating point", Blame.FLOAT)
    return Reason(f"{_title(op)} on {_element(op).name}, which the accelerator does not have", Blame.FLOAT)


class _Kernel:
    """A kernel that is still growing."""

    def __init__(self, op: ir.Operation, target: str, reason: Reason) -> None:
        self.ops: list[ir.Operation] = []
        self.target = target
        self.reasons: list[tuple[ir.Operation, Reason]] = []
        self.add(op, reason)

    def add(self, op: ir.Operation, reason: Reason) -> None:
        self.ops.append(op)
        if reason:
            self.reasons.append((op, reason))

    @property
    def reason(self) -> str:
        """The reasons of the operators that are most to blame, with their names if there are several."""
        most = max((reason.blame for _, reason in self.reasons), default=Blame.NONE)
        if most == Blame.BORDER:
            texts = {op.name: reason.text for op, reason in self.reasons if reason.blame == most}
            both = texts.keys() >= {"graph.quantize_linear", "graph.dequantize_linear"}
            first = next(iter(texts.values()))
            return f"{first}, and leaves it at once" if both and first == ENTERS else first
        if most == Blame.FLOAT and len(self.reasons) > 1:
            floats = [op for op, reason in self.reasons if reason.blame == most and _element(op).kind == "float"]
            if names := list(dict.fromkeys(map(_title, floats))):
                return f"not quantized: {listing(names, 4)} in floating point"
        said: dict[str, list[str]] = {}
        for op, reason in self.reasons:
            if reason.blame == most:
                said.setdefault(reason.text, []).append(_title(op))
        if len(said) < 2:
            return next(iter(said), "")
        # Some reasons begin with the operator's name.
        texts = [t if t.startswith(tuple(n)) else f"{listing(list(dict.fromkeys(n)), 4)}: {t}" for t, n in said.items()]
        return "; ".join(texts[:4])

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for op in self.ops for name in op.location.names))

    @property
    def tail(self) -> ir.Operation:
        return self.ops[-1]


def _can_continue(kernel: _Kernel, op: ir.Operation, target: str, options: Options) -> bool:
    """Whether `op`, which reads the result of `kernel`, may be computed in it."""
    tail = kernel.tail
    if kernel.target != target or tail.name in CLOSED or len(tail.results) != 1:
        return False
    if not tail.result.has_one_use() or _shape(tail.result) != _shape(op.result):
        return False
    if target == "vta":
        if tail.name == "graph.max_pool":
            return False
        if op.name == "graph.weighted_sum":
            return options.fuse_residual
    return True


def _keeps_tiles(op: ir.Operation, hardware: Hardware, packed: set[ir.Value]) -> bool:
    """Whether a concatenation can join tensors of the accelerator as they are, because no tile holds two of them."""
    if op.name != "graph.concat" or _attribute(op, "axis") != 1 or len(_shape(op.result)) != 4:
        return False
    whole = all(_shape(v)[1] % hardware.block_out == 0 for v in op.operands[:-1])
    readers = (use.owner for use in op.result.uses)
    return (
        whole and packed.issuperset(op.operands) and any(r.name in RULES and not _reason(r, hardware) for r in readers)
    )


def _operations(module: ir.Module) -> Iterator[ir.Operation]:
    for function in module.body.operations:
        if function.name == "func.func" and len(function.regions[0].blocks):
            yield from function.regions[0].blocks[0].operations


def partition(
    module: ir.Module, target: str, config: Mapping[str, object] | None = None, options: Options | None = None
) -> list[Placement]:
    """Assigns every operator of `module`, a graph after graph-legalize-quantization, to a target and a kernel.

    `target` is "cpu" or "vta"; `config` has the keys of vta_config.json. Returns the kernels in order.
    """
    options = options or Options()
    hardware = Hardware.from_config(config or {}, options.dialect)
    kernels: list[_Kernel] = []
    owner: dict[ir.Value, _Kernel] = {}
    packed: set[ir.Value] = set()
    for op in _operations(module):
        if op.name in FREE or not op.name.startswith("graph."):
            continue
        producers = [owner[v] for v in op.operands if v in owner]
        # Only the result of what a kernel computes last can be continued.
        ends = [owner[v] for v in op.operands if v in owner and v in set(owner[v].tail.results)]
        place, reason = "cpu", Reason()
        if target == "vta":
            reason = _reason(op, hardware)
            refused = next((options.refused[n] for n in op.location.names if n in options.refused), "")
            reason = reason or Reason(refused, Blame.RULE)
            if not reason and op.name == "graph.requantize":
                # A requantization stays with the accumulator that it reads.
                anchor = producers[0] if producers else None
                if anchor is None or anchor.target != "vta":
                    reason = Reason(anchor.reason if anchor else "reads an input", Blame.BORDER)
            place = "cpu" if reason else "vta"
        if op.name == "graph.storage_cast":
            # No bit changes: it may continue a kernel but is never one.
            fits = ends and _can_continue(ends[0], op, "cpu", options)
            if fits and op.result.has_one_use() and op.result.uses[0].owner.name in ELEMENTWISE:
                ends[0].ops.append(op)
                owner[op.result] = ends[0]
            continue
        candidates = [k for k in ends if op.name in ELEMENTWISE and _can_continue(k, op, place, options)]
        if candidates:
            # The one that is complete last has everything else that `op` reads before it.
            kernel = max(candidates, key=kernels.index)
            kernel.add(op, reason)
        else:
            kernel = _Kernel(op, place, reason)
            kernels.append(kernel)
        if target == "vta" and _keeps_tiles(op, hardware, packed):
            op.attributes["graph.packed"] = ir.UnitAttr.get(op.context)
            packed.add(op.result)
        for result in op.results:
            owner[result] = kernel
            if place == "vta":
                packed.add(result)
    return _write(kernels, Sizes(module.context))


def _write(kernels: list[_Kernel], sizes: Sizes) -> list[Placement]:
    placements: list[Placement] = []
    taken: set[str] = set()
    for kernel in kernels:
        base = next(iter(kernel.layers), kernel.ops[0].name.removeprefix("graph."))
        name, count = base, 0
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        taken.add(name)
        reason = kernel.reason
        for op in kernel.ops:
            op.attributes["graph.kernel"] = name
            op.attributes["graph.target"] = kernel.target
            if reason:
                op.attributes["graph.reason"] = reason
        macs = sum((count_macs(op, sizes) for op in kernel.ops), Macs())
        placements.append(Placement(name, kernel.target, kernel.layers, reason, macs))
    return placements
