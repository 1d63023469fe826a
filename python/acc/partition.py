"""Decides which operators run on which target and which of them form one kernel: the policy behind te.kernel.

An operator goes to the first accelerator that does not refuse it (`acc.targets.base.Accelerator.refuse`); otherwise to
the CPU, and the refusal is the reason that `acc info` prints. A kernel is an anchor (a convolution, a pool, ...) with
the element-wise operators that consume its result and nothing else does. Its reason is that of the operators which are
most to blame (`acc.targets.reasons`). The decision is the attribute `graph.placement`, which the
passes obey.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from acc import ir
from acc._mlir import Sizes, is_free
from acc.dialects import graph, te
from acc.macs import Macs, count_macs
from acc.saturation import pairs_can_saturate
from acc.targets.base import Accelerator
from acc.targets.reasons import ENTERS, Blame, Reason, element_of, title_of
from acc.wording import listing

__all__ = ["Options", "Placement", "partition"]

ELEMENTWISE = frozenset(
    f"graph.{name}"
    for name in (
        *("add", "sub", "mul", "div", "sum", "relu", "clip", "cast", "batch_normalization"),
        *("rebase", "requantize", "weighted_sum", "mul_integer", "scale_integer", "lookup"),
        *("quantize_linear", "dequantize_linear"),
    )
)
"""Operators that can continue a kernel whose result they read."""

FUSED_IF_FREE = frozenset(("graph.slice", "graph.storage_cast"))
"""Operators that may be part of a kernel even where they cost nothing at run time."""

CLOSED = frozenset(f"graph.{name}" for name in ("softmax", "lrn", "pad", "transpose", "concat"))
"""Operators that nothing is fused to."""


FOLLOWING = {"graph.requantize": "accumulator", "graph.scale_integer": "accumulator", "graph.lookup": "input"}
"""Operators that stay where what they read is computed, and what that is: a table costs the host nothing else."""


@dataclass(frozen=True)
class Options:
    """How kernels are formed. `refused` maps names of ONNX nodes that must run on the CPU to the reason."""

    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Placement:
    """One kernel: its name, target, ONNX nodes, multiply-accumulates and, if kept from the accelerator, why.

    saturates: see `acc.saturation.pairs_can_saturate`.
    """

    kernel: str
    target: str
    layers: tuple[str, ...]
    reason: str = ""
    macs: Macs = field(default_factory=Macs)
    saturates: bool | None = None


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
            floats = [op for op, reason in self.reasons if reason.blame == most and element_of(op).kind == "float"]
            if names := list(dict.fromkeys(map(title_of, floats))):
                return f"not quantized: {listing(names, 4)} in floating point"
        said: dict[str, list[str]] = {}
        for op, reason in self.reasons:
            if reason.blame == most:
                said.setdefault(reason.text, []).append(title_of(op))
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


def _can_continue(kernel: _Kernel, op: ir.Operation, target: str, accelerator: Accelerator | None) -> bool:
    """Whether `op`, which reads the result of `kernel`, may be computed in it; `accelerator` is that of `target`."""
    tail = kernel.tail
    if kernel.target != target or tail.name in CLOSED or len(tail.results) != 1:
        return False
    if not tail.result.has_one_use() or ir.shape_of(tail.result) != ir.shape_of(op.result):
        return False
    return accelerator is None or accelerator.can_continue(tail, op)


def _operations(module: ir.Module) -> Iterator[ir.Operation]:
    for function in module.body.operations:
        if function.name == "func.func" and len(function.regions[0].blocks):
            yield from function.regions[0].blocks[0].operations


def _place(
    op: ir.Operation,
    anchor: _Kernel | None,
    placed: Mapping[str, set[ir.Value]],
    accelerators: Sequence[Accelerator],
    options: Options,
) -> tuple[str, Reason]:
    """The target of `op`, and if that is the CPU, why.

    anchor: the kernel that computes its first operand, if any. placed: what lies as each accelerator has it.
    """
    reasons: dict[str, Reason] = {}
    refused = Reason(next((options.refused[n] for n in op.location.names if n in options.refused), ""), Blame.RULE)
    for accelerator in accelerators:
        reason = accelerator.refuse(op) or refused
        is_there = anchor is not None and (
            anchor.target == accelerator.name
            # Joined or moved where it lies, but not computed by anyone else.
            or (op.operands[0] in placed[accelerator.name] and anchor.tail.name not in ELEMENTWISE)
        )
        if not reason and op.name in FOLLOWING and not is_there:
            text = "reads an input"
            if anchor is not None:
                text = anchor.reason or f"its {FOLLOWING[op.name]} is computed on {anchor.target}"
            reason = Reason(text, Blame.BORDER)
        if not reason:
            return accelerator.name, reason
        reasons[accelerator.name] = reason
    most = max((reason.blame for reason in reasons.values()), default=Blame.NONE)
    texts = {name: reason.text for name, reason in reasons.items() if reason.blame == most}
    if len(set(texts.values())) < 2:
        return "cpu", Reason(next(iter(texts.values()), ""), most)
    return "cpu", Reason("; ".join(f"{name}: {text}" for name, text in texts.items()), most)


def partition(
    module: ir.Module, accelerators: Sequence[Accelerator] = (), options: Options | None = None
) -> list[Placement]:
    """Assigns every operator of `module`, a graph after graph-legalize-quantization, to a target and a kernel.

    accelerators: those that may be used beside the CPU, in the order of preference. Returns the kernels in order.
    """
    options = options or Options()
    by_name = {accelerator.name: accelerator for accelerator in accelerators}
    kernels: list[_Kernel] = []
    owner: dict[ir.Value, _Kernel] = {}
    placed: dict[str, set[ir.Value]] = {name: set() for name in by_name}
    for op in _operations(module):
        if not op.name.startswith("graph.") or (is_free(op) and op.name not in FUSED_IF_FREE):
            continue
        producers = [owner[v] for v in op.operands if v in owner]
        # Only the result of what a kernel computes last can be continued.
        ends = [owner[v] for v in op.operands if v in owner and v in set(owner[v].tail.results)]
        place, reason = _place(op, producers[0] if producers else None, placed, accelerators, options)
        if op.name == "graph.storage_cast":
            # No bit changes: it may continue a kernel but is never one.
            fits = ends and _can_continue(ends[0], op, "cpu", None)
            if fits and op.result.has_one_use() and op.result.uses[0].owner.name in ELEMENTWISE:
                ends[0].ops.append(op)
                owner[op.result] = ends[0]
            continue
        accelerator = by_name.get(place)
        candidates = [k for k in ends if op.name in ELEMENTWISE and _can_continue(k, op, place, accelerator)]
        if candidates:
            # The one that is complete last has everything else that `op` reads before it.
            kernel = max(candidates, key=kernels.index)
            kernel.add(op, reason)
        else:
            kernel = _Kernel(op, place, reason)
            kernels.append(kernel)
        for name, known in placed.items():
            if place == name or (place == "cpu" and by_name[name].keep_layout(op, known)):
                known.update(op.results)
        for result in op.results:
            owner[result] = kernel
    targets = {name: accelerator.attribute(module.context) for name, accelerator in by_name.items()}
    targets["cpu"] = te.HostAttr.get(context=module.context)
    return _write(kernels, targets, Sizes(module.context))


def _write(kernels: list[_Kernel], targets: Mapping[str, ir.Attribute], sizes: Sizes) -> list[Placement]:
    """Writes the decisions as attributes; `targets` has the attribute of every target."""
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
        target = targets[kernel.target]
        placed = graph.PlacementAttr.get(name, target=target, reason=reason or None, context=target.context)
        for op in kernel.ops:
            op.attributes["graph.placement"] = placed
        macs = sum((count_macs(op, sizes) for op in kernel.ops), Macs())
        known = [known for op in kernel.ops if (known := pairs_can_saturate(op)) is not None]
        saturates = any(known) if known else None
        placements.append(Placement(name, kernel.target, kernel.layers, reason, macs, saturates))
    return placements
