"""What a compiled model does, layer by layer: the data behind `exe.report()`, `acc info` and the demo's table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from acc.dtypes import BY_MLIR
from acc.macs import Macs

if TYPE_CHECKING:
    from acc import ir
    from acc.pipeline import Kernels
    from acc.targets.base import Accelerator, Program

MEMORIES = ("inp", "wgt", "acc", "uop", "out")


@dataclasses.dataclass(frozen=True)
class LayerReport:
    """One kernel: a layer of the model with what was fused into it.

    `macs` counts multiply-accumulates of the ONNX operators, without padding to the hardware's blocks. Where sizes are
    open it is None, and `macs_per` says how many there are for each product of them ({"n*height": 96}, besides a
    fixed number under ""); it is empty if the number depends on more than sizes of inputs.
    `dram_bytes` is what the accelerator's DMA moves, by memory (`out` is written, the others are read);
    `gemm_steps` and `alu_steps` are executed micro-operations, one block operation each. `program` is the number of
    the accelerator program that computes it, `part` how many kernels of that program come before it. Kernels on the CPU
    have none and no accelerator figures, and `reason` says why they are not on the accelerator. `saturates` is, of sums
    of 8-bit products, whether instructions that add two of them in 16 bits can saturate (`acc.saturation`). `reads` has
    the kernels whose results it reads, as numbers in the order of reports; inputs of the model are -1. `parallel` says
    what of a native kernel several threads compute at the same time; it is empty where one computes everything.
    `operand_bytes` is what the tensors take that a kernel reads and writes, None where sizes are open.
    """

    layers: tuple[str, ...]
    kernel: str
    target: str
    reason: str = ""
    macs: int | None = 0
    macs_per: dict[str, int] = dataclasses.field(default_factory=dict)
    instructions: int = 0
    dram_bytes: dict[str, int] = dataclasses.field(default_factory=dict)
    gemm_steps: int = 0
    alu_steps: int = 0
    schedule: str = ""
    program: int | None = None
    part: int = 0
    saturates: bool | None = None
    reads: tuple[int, ...] = ()
    parallel: str = ""
    operand_bytes: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_dict(data: dict[str, Any]) -> LayerReport:
        return LayerReport(**{**data, "layers": tuple(data["layers"]), "reads": tuple(data.get("reads", ()))})

    @property
    def all_macs(self) -> Macs:
        """The multiply-accumulates, as something that adds up."""
        if self.macs is not None:
            return Macs(self.macs)
        products = {product: factor for product, factor in self.macs_per.items() if product}
        return Macs(self.macs_per.get("", 0), products, complete=bool(self.macs_per))

    @property
    def name(self) -> str:
        """The ONNX nodes, the later ones without the path that they share with the first; at most three.

        A kernel that stands for no node, such as a change of layout, has its own name in parentheses.
        """
        if not self.layers:
            return f"({self.kernel})"
        first, *rest = self.layers
        path = first.rpartition("/")[0]
        shown = [name.removeprefix(f"{path}/") if path else name for name in rest[:2]]
        return " + ".join([first, *shown, *(["..."] if len(rest) > 2 else [])])


def chain_name(kernels: Sequence[LayerReport]) -> str:
    """What to call kernels that are one program."""
    if len(kernels) == 1:
        return kernels[0].name
    return f"{kernels[0].name} ... {kernels[-1].name} ({len(kernels)} kernels)"


def chains(layers: Iterable[LayerReport]) -> list[list[LayerReport]]:
    """The kernels in the order in which they run, those of one program together."""
    groups: list[list[LayerReport]] = []
    for layer in layers:
        if layer.part > 0:
            groups[-1].append(layer)
        else:
            groups.append([layer])
    return groups


@dataclasses.dataclass(frozen=True)
class Launch:
    """One kernel call of main, in order: the kernel's name in the plan and its symbol.

    reason: why the host converts a layout that the accelerator could have kept, of a kernel that no policy has placed.
    reads: the numbers of the launches whose results it reads, in ascending order; -1 for inputs of the model.
    operand_bytes: what the tensors take that it reads and writes, None where sizes are open.
    """

    kernel: str
    symbol: str
    reason: str = ""
    reads: tuple[int, ...] = ()
    operand_bytes: int | None = None


def read_launches(module: ir.Module) -> list[Launch]:
    """The launches of a module whose kernels are outlined."""
    reasons = {
        str(op.attributes["sym_name"].value): str(op.attributes["graph.reason"].value)
        for op in module.body
        if op.name == "te.kernel" and "graph.reason" in op.attributes
    }
    makers: dict[ir.Value, frozenset[int]] = {}
    launches: list[Launch] = []
    for op in _operations(module):
        # What is no launch is a view of what it reads, or makes a tensor without one.
        read = frozenset[int]().union(*(_makers(value, makers) for value in op.operands))
        if op.name == "te.launch":
            launch = _launch(op)
            reason = reasons.get(launch.symbol, "")
            launches.append(dataclasses.replace(launch, reason=reason, reads=tuple(sorted(read))))
            read = frozenset((len(launches) - 1,))
        for result in op.results:
            makers[result] = read
    return launches


def _makers(value: ir.Value, makers: dict[ir.Value, frozenset[int]]) -> frozenset[int]:
    """The launches that a value comes from; those of an argument of main are -1."""
    return makers[value] if value in makers else frozenset((-1,))


def read_order(module: ir.Module, accelerators: Sequence[Accelerator]) -> list[str]:
    """The kernels, as policies call them, in the order in which main runs them, of a module with programs."""
    order: list[str] = []
    for op in _operations(module):
        if op.name == "te.launch":
            order.append(_launch(op).kernel)
        else:
            order += next(filter(None, (accelerator.launched(op) for accelerator in accelerators)), ())
    return order


def _operations(module: ir.Module) -> Iterator[ir.Operation]:
    for function in module.body:
        # What compiled code calls is declared without a body.
        if function.name == "func.func" and len(function.regions[0].blocks):
            yield from function.regions[0].blocks[0]


def _launch(op: ir.Operation) -> Launch:
    from acc import ir

    symbol = str(op.attributes["kernel"].value)
    kernel = op.attributes.get("label")
    tensors = [value.type for value in dict.fromkeys(op.operands) if ir.ShapedType.isinstance(value.type)]
    sizes = [_bytes(type_) for type_ in tensors]
    known = None if None in sizes else sum(size for size in sizes if size is not None)
    return Launch(str(kernel.value) if kernel is not None else symbol, symbol, operand_bytes=known)


def _bytes(type_: ir.Type) -> int | None:
    """What a tensor takes in memory, elements narrower than a byte a byte each; None if that is not known."""
    from acc import ir

    shaped = ir.ShapedType(type_)
    element = BY_MLIR.get(str(shaped.element_type))
    if element is None or not shaped.has_static_shape:
        return None
    return shaped.num_elements * -(-element.bits // 8)


def report_macs(macs: Macs) -> dict[str, Any]:
    """The fields of a report that say how many multiply-accumulates there are."""
    if macs.known is not None:
        return {"macs": macs.known}
    fixed = {"": macs.fixed} if macs.fixed else {}
    return {"macs": None, "macs_per": {**macs.per, **fixed} if macs.complete else {}}


def make_reports(
    kernels: Kernels,
    programs: Sequence[Program] | None = None,
    accelerators: Sequence[Accelerator] = (),
    order: Sequence[str] = (),
) -> list[LayerReport]:
    """One report per kernel that main runs.

    programs: what was made of the kernels, in the order of the file, with the accelerators that made them; a kernel
    that has none runs natively. Without programs a report says what the policies decided. order: that in which the
    kernels run, by name, if it is no longer the one in which they were formed.
    """
    placed = {placement.kernel: placement for placement in kernels.placements}
    decided = {decision.kernel: decision for decision in kernels.decisions}
    numbered = [dataclasses.replace(launch, reads=(at, *launch.reads)) for at, launch in enumerate(kernels.launches)]
    launches = _reordered(numbered, order)
    # The number of a launch comes first until it is known where the launch went.
    rows_by_number = {launch.reads[0]: row for row, launch in enumerate(launches)} | {-1: -1}

    def read_by(numbers: Iterable[int]) -> set[int]:
        """The rows of these launches; one that is gone, as another kernel does its work, passes on what it read."""
        found: set[int] = set()
        for number in numbers:
            known = rows_by_number.get(number)
            found |= read_by(numbered[number].reads[1:]) if known is None else {known}
        return found

    reports = []
    for launch in launches:
        placement, decision = placed.get(launch.kernel), decided.get(launch.symbol)
        schedule = decision.schedule if decision else None
        report = LayerReport(
            layers=placement.layers if placement else (),
            kernel=launch.kernel,
            target=placement.target if placement and schedule and programs is None else "cpu",
            reason=(decision.reason if decision else "") or (placement.reason if placement else launch.reason),
            saturates=placement.saturates if placement else None,
            reads=tuple(sorted(read_by(launch.reads[1:]))),
            operand_bytes=launch.operand_bytes,
            **report_macs(placement.macs if placement else Macs()),
        )
        reports.append(report)
    by_name = {accelerator.name: accelerator for accelerator in accelerators}
    numbers = {symbol: n for n, program in enumerate(programs or ()) for symbol in program.kernels or (program.symbol,)}
    rows: dict[int, list[int]] = {}
    for row, launch in enumerate(launches):
        if launch.symbol in numbers:
            rows.setdefault(numbers[launch.symbol], []).append(row)
    for number, members in rows.items():
        program = (programs or ())[number]
        # A program of one kernel may be launched several times.
        groups = [members] if program.kernels else [[row] for row in members]
        for group in groups:
            described = by_name[program.target].describe([reports[row] for row in group], program)
            for part, (row, report) in enumerate(zip(group, described, strict=True)):
                reports[row] = dataclasses.replace(report, program=number, part=part)
    for row, launch in enumerate(launches):
        decision = decided.get(launch.symbol)
        if decision is not None and decision.schedule is not None and reports[row].target != "cpu":
            reports[row] = dataclasses.replace(reports[row], schedule=decision.schedule.summary())
    return reports


def _reordered(launches: Sequence[Launch], order: Sequence[str]) -> list[Launch]:
    """`launches` in the order of their kernels' names; those of the same name stay in theirs."""
    left: dict[str, list[Launch]] = {}
    for launch in reversed(launches):
        left.setdefault(launch.kernel, []).append(launch)
    return [left[name].pop() for name in order] if order else list(launches)


def format_table(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """Aligned columns: text to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    numeric = [
        all(row[i].replace(",", "").replace(".", "").replace("-", "").isdigit() or not row[i] for row in rows)
        for i in range(len(header))
    ]

    def line(row: Sequence[str]) -> str:
        cells = (c.rjust(w) if right else c.ljust(w) for c, w, right in zip(row, widths, numeric, strict=True))
        return "  ".join(cells).rstrip()

    return "\n".join([line(header), "  ".join("-" * w for w in widths), *map(line, rows)])


def format_layers(layers: Iterable[LayerReport]) -> str:
    """The per-layer table with a line of totals; then, for layers kept on the CPU, why.

    Kernels that only fill borders of buffers are one line; columns without a figure are left out. Multiply-accumulates
    of open sizes are products of their names, and "?" where they depend on anything else.
    """
    layers = list(layers)
    fills = [layer for layer in layers if not layer.layers and layer.kernel.endswith(":halo")]
    layers = [layer for layer in layers if layer not in fills]
    header = ["layer", "target", "MACs", "insns", *(f"{m} bytes" for m in MEMORIES), "GEMM steps", "ALU steps"]

    def row(name: str, target: str, part: Sequence[LayerReport]) -> list[str]:
        figures = [
            sum(p.instructions for p in part),
            *(sum(p.dram_bytes.get(m, 0) for p in part) for m in MEMORIES),
            sum(p.gemm_steps for p in part),
            sum(p.alu_steps for p in part),
        ]
        macs = str(sum((p.all_macs for p in part), Macs()))
        return [name, target, "-" if macs == "0" else macs, *(f"{f:,}" if f else "-" for f in figures)]

    rows = [row(layer.name, layer.target, [layer]) for layer in layers]
    if fills:
        rows.append(row(f"(fill borders of {len(fills)} buffers)", "cpu", fills))
    rows.append(row("total", "", layers))
    kept = [i for i, total in enumerate(rows[-1]) if total != "-"]
    text = format_table([[cells[i] for i in kept] for cells in rows], [header[i] for i in kept])
    if any(layer.macs is None for layer in layers):
        text += "\n\nMACs for each run: names are sizes that are open"
        text += ", ? depends on more than these." if "?" in rows[-1][2] else "."
    integers = [layer for layer in layers if layer.saturates is not None]
    if integers:
        text += f"\n\n{_format_saturation(integers)}"
    if any(layer.parallel for layer in layers):
        chunks = [[layer.name, layer.parallel] for layer in layers if layer.parallel]
        text += "\n\n" + format_table(chunks, ["native kernel", "what a thread computes at a time"])
    reasons = [f"  {layer.name}: {layer.reason}" for layer in layers if layer.reason]
    if reasons:
        text += "\n\nOn the CPU because:\n" + "\n".join(reasons)
    return text


def _format_saturation(layers: Sequence[LayerReport]) -> str:
    """What is known of layers that add products of 8-bit numbers."""
    from acc.wording import listing

    unsafe = [layer.name for layer in layers if layer.saturates]
    text = f"Integers: acc adds in 32 bits, with the same results on every processor. Of {len(layers)} layers, "
    if not unsafe:
        return f"{text}none can saturate where a runtime adds pairs of products in 16 bits (x86 without VNNI)."
    return (
        f"{text}{len(unsafe)} can saturate where a runtime adds pairs of products in 16 bits (x86 without VNNI), and "
        f"have other results there: {listing(unsafe, 4)}."
    )
