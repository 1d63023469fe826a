"""Accelerators that are nothing but a declaration: a #te.target and its te.intrins, without a dialect of their own.

The passes of te leave loops around transfers and intrinsics on buffers (te.cache_read, te.issue, te.cache_write) of
their kernels. Here the loops are run and the buffers are placed in the scratchpads; what a backend makes a program of
is a plain sequence of steps whose addresses are numbers. Addresses, sizes and strides count the values of a buffer
or of a memory, not its elements and not bytes.
"""

from __future__ import annotations

import dataclasses
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

from acc import ir
from acc.container import ProgramBuffer
from acc.dialects import te
from acc.dtypes import BY_MLIR
from acc.errors import CompileError
from acc.passes import te as passes
from acc.passmanager import PassManager
from acc.schedule import Footprint, Hardware, Schedule, Scratchpads, Search, Unschedulable, make_schedules
from acc.targets.base import Accelerator, Decision, Program

__all__ = ["DeclaredAccelerator", "Issue", "Kernel", "Load", "Operand", "Store", "View"]

_DYNAMIC = -(2**63)


@dataclasses.dataclass(frozen=True)
class View:
    """A box of values: in a scratchpad, by the name of its memory, or in argument number `argument` of the kernel.

    offset: where its first value is. sizes, strides: of every dimension.
    """

    memory: str
    argument: int
    offset: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Load:
    """Copies `source`, part of an argument, to `target` in a scratchpad, with so many zeros around it per dimension.

    The sizes of `target` are low + those of `source` + high. Integers are sign-extended where its type is wider.
    """

    source: View
    target: View
    low: tuple[int, ...]
    high: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Store:
    """Copies `source` in a scratchpad to `target`, part of an argument. Integers are truncated where it is narrower."""

    source: View
    target: View


@dataclasses.dataclass(frozen=True)
class Operand:
    """Which elements of a memory an intrinsic meets: the first value of the first one, and how far the next one is in
    every dimension of the domain."""

    memory: str
    offset: int
    strides: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Issue:
    """Runs the te.intrin of that symbol for every point of a domain, in any order.

    bounds: the sizes of the domain. operands: inputs, then outputs. immediate: the value of its scalar argument, if it
    has one.
    """

    intrinsic: str
    bounds: tuple[int, ...]
    operands: tuple[Operand, ...]
    immediate: int | None


Step = Load | Store | Issue


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A kernel as a backend sees it: its symbol, its arguments, and what it does."""

    symbol: str
    buffers: tuple[ProgramBuffer, ...]
    steps: tuple[Step, ...]


class DeclaredAccelerator(Accelerator):
    """An accelerator whose `attribute` is a #te.target."""

    intrinsics: ClassVar[str]
    """Its te.intrins, as IR. Their symbols, which are those of the module, begin with the target's name and "_"."""

    product: ClassVar[str]
    """The symbol of the te.intrin that multiplies inputs and weights."""

    @abstractmethod
    def emit(self, kernel: Kernel) -> bytes:
        """The program of a kernel."""

    def prepare(self, module: ir.Module) -> None:
        """See Accelerator: declares the intrinsics; raises CompileError for a name that another target may have."""
        for op in ir.Module.parse(self.intrinsics, module.context).body:
            name = str(op.attributes["sym_name"].value)
            if not name.startswith(f"{self.name}_"):
                raise CompileError(f"target '{self.name}' declares @{name}: its name must begin with '{self.name}_'")
            op.clone(ir.InsertionPoint.at_block_begin(module.body))

    def choose(self, footprint: Footprint, hardware: Hardware) -> Schedule:
        """The schedule policy: the cheapest that fits, of all."""
        if any(axis.extent == 0 for axis in footprint.axes):
            raise Unschedulable("it has no elements")
        return Search(vthreads=1)(footprint, hardware)

    def schedule(self, module: ir.Module) -> Sequence[Decision]:
        """See Accelerator; a kernel whose smallest tiles do not fit is the host's."""
        return make_schedules(module, self.name, self.choose, lambda target: Scratchpads.of(target, self.product))

    def add_kernels(self, pm: PassManager) -> None:
        """See Accelerator."""
        for make in (passes.tile, passes.vthread, passes.cache, passes.bufferize, passes.multi_buffer):
            pm.add(make())
        pm.add(passes.tensorize())
        pm.add(passes.lower_vthread())

    def add_programs(self, pm: PassManager) -> None:
        """See Accelerator: a te.program instead of every kernel."""
        pm.add(self._emit_all, f"emit-{self.name}")

    def is_mine(self, op: ir.Operation) -> bool:
        """Whether an operation has the target as its `target`."""
        target = op.attributes.get("target")
        return target is not None and te.TargetAttr.isinstance(target) and te.TargetAttr(target).name.value == self.name

    def _emit_all(self, operation: ir.Operation) -> None:
        for op in list(operation.regions[0].blocks[0].operations):
            if op.name == "te.kernel" and self.is_mine(op):
                self._replace(op)

    def _replace(self, op: ir.Operation) -> None:
        block = op.regions[0].blocks[0]
        evaluator = _Evaluator(op)
        kernel = evaluator.run()
        types = [argument.type for argument in block.arguments]
        attributes = {
            "sym_name": kernel.symbol,
            "target": op.attributes["target"],
            "buffers": ir.ArrayAttr.get([ir.TypeAttr.get(kind) for kind in types], op.context),
            "written": sum(buffer.written for buffer in kernel.buffers),
            # A text of the IR holds characters; programs may have any bytes.
            "data": self.emit(kernel).decode("latin-1"),
        }
        ir.Operation.create("te.program", attributes=attributes, loc=op.location, ip=ir.InsertionPoint(op))
        op.erase()

    def programs(self, module: ir.Module) -> Sequence[Program]:
        """See Accelerator."""
        return [
            Program(
                str(op.attributes["sym_name"].value),
                self.name,
                str(op.attributes["data"].value).encode("latin-1"),
                buffers=_buffers([kind.value for kind in _elements(op, "buffers")], op.attributes["written"].value),
            )
            for op in module.body
            if op.name == "te.program" and self.is_mine(op)
        ]


def _elements(op: ir.Operation, name: str) -> list[ir.Attribute]:
    array = ir.ArrayAttr(op.attributes[name])
    return [array[index] for index in range(len(array))]


def _buffers(types: Sequence[ir.Type], written: int) -> tuple[ProgramBuffer, ...]:
    """The buffers of a program, of which it writes the last ones."""
    shaped = [ir.ShapedType(kind) for kind in types]
    return tuple(
        ProgramBuffer(
            f"argument {index}",
            BY_MLIR[str(kind.element_type)].name,
            tuple(kind.shape),
            index >= len(shaped) - written,
        )
        for index, kind in enumerate(shaped)
    )


def _row_major(sizes: Sequence[int]) -> tuple[int, ...]:
    return tuple(math.prod(sizes[index + 1 :]) for index in range(len(sizes)))


class _Evaluator:
    """Runs the control flow and the index arithmetic of a kernel on buffers. Buffers live as long as the iteration of
    the loop that they are allocated in, so they are placed as on a stack."""

    def __init__(self, kernel: ir.Operation) -> None:
        self.kernel = kernel
        self.symbol = str(kernel.attributes["sym_name"].value)
        pads = te.TargetAttr(kernel.attributes["target"]).scratchpads
        memories = [te.MemoryAttr(pads[index]) for index in range(len(pads))]
        self.memories = {memory.space: memory for memory in memories}
        self.used = dict.fromkeys(self.memories, 0)
        self.numbers: dict[ir.Value, int] = {}
        self.views: dict[ir.Value, View] = {}
        self.steps: list[Step] = []
        self.rules: Mapping[str, Callable[[ir.Operation], None]] = {
            "arith.constant": self._constant,
            "affine.apply": self._affine(lambda values: values[0]),
            "affine.min": self._affine(min),
            "affine.max": self._affine(max),
            "scf.for": self._loop,
            "memref.alloc": self._allocate,
            "memref.subview": self._subview,
            "memref.cast": self._cast,
            "memref.dim": self._dimension,
            "te.cache_read": self._load,
            "te.cache_write": self._store,
            "te.issue": self._issue,
            "scf.yield": lambda _: None,
            "te.return": lambda _: None,
        }

    def run(self) -> Kernel:
        block = self.kernel.regions[0].blocks[0]
        for index, argument in enumerate(block.arguments):
            shape = ir.ShapedType(argument.type).shape
            self.views[argument] = View("", index, 0, tuple(shape), _row_major(shape))
        self._block(block)
        types = [argument.type for argument in block.arguments]
        return Kernel(self.symbol, _buffers(types, len(types) - _first_written(self.kernel)), tuple(self.steps))

    def _block(self, block: ir.Block) -> None:
        before = dict(self.used)
        for op in block:
            rule = self.rules.get(op.name)
            if rule is None:
                raise CompileError(f"kernel '{self.symbol}': there is no step for '{op.name}'")
            rule(op)
        self.used = before

    def _mixed(self, op: ir.Operation, name: str, operands: Iterator[ir.Value]) -> tuple[int, ...]:
        """Numbers that are known or, where they are not, operands."""
        return tuple(
            self.numbers[next(operands)] if value == _DYNAMIC else int(value) for value in op.attributes[name].value
        )

    def _constant(self, op: ir.Operation) -> None:
        self.numbers[op.result] = int(op.attributes["value"].value)

    def _affine(self, choose: Callable[[list[int]], int]) -> Callable[[ir.Operation], None]:
        def rule(op: ir.Operation) -> None:
            function = ir.AffineMapAttr(op.attributes["map"]).value
            operands = [self.numbers[value] for value in op.operands]
            self.numbers[op.result] = choose(
                function.evaluate(operands[: function.n_dims], operands[function.n_dims :])
            )

        return rule

    def _loop(self, op: ir.Operation) -> None:
        first, end, step = (self.numbers[value] for value in op.operands[:3])
        block = op.regions[0].blocks[0]
        for value in range(first, end, step):
            self.numbers[block.arguments[0]] = value
            self._block(block)

    def _allocate(self, op: ir.Operation) -> None:
        kind = ir.MemRefType(op.result.type)
        dynamic = iter(op.operands)
        sizes = tuple(self.numbers[next(dynamic)] if size < 0 else size for size in kind.shape)
        space = kind.memory_space
        if space is None or space not in self.memories:
            raise CompileError(f"kernel '{self.symbol}': a buffer is in no scratchpad, but in {space}")
        memory = self.memories[space]
        values = math.prod(memory.shape.value)
        offset = self.used[space]
        self.used[space] += -(-math.prod(sizes) // values)
        if self.used[space] > memory.capacity:
            raise CompileError(
                f"kernel '{self.symbol}' needs {self.used[space]} elements of {_name(space)} for its tiles, and "
                f"{memory.capacity} fit: its schedule must have smaller ones"
            )
        self.views[op.result] = View(_name(space), -1, offset * values, sizes, _row_major(sizes))

    def _subview(self, op: ir.Operation) -> None:
        source, *rest = op.operands
        dynamic = iter(rest)
        offsets, sizes, steps = (self._mixed(op, f"static_{what}", dynamic) for what in ("offsets", "sizes", "strides"))
        view = self.views[source]
        offset = view.offset + sum(at * stride for at, stride in zip(offsets, view.strides, strict=True))
        strides = [step * stride for step, stride in zip(steps, view.strides, strict=True)]
        kept = _kept(sizes, ir.ShapedType(op.result.type).shape)
        self.views[op.result] = dataclasses.replace(
            view, offset=offset, sizes=tuple(sizes[i] for i in kept), strides=tuple(strides[i] for i in kept)
        )

    def _cast(self, op: ir.Operation) -> None:
        self.views[op.result] = self.views[op.operands[0]]

    def _dimension(self, op: ir.Operation) -> None:
        self.numbers[op.result] = self.views[op.operands[0]].sizes[self.numbers[op.operands[1]]]

    def _load(self, op: ir.Operation) -> None:
        source, target, *rest = op.operands
        dynamic = iter(rest)
        low, high = (self._mixed(op, f"static_{what}", dynamic) for what in ("low", "high"))
        self.steps.append(Load(self.views[source], self.views[target], low, high))

    def _store(self, op: ir.Operation) -> None:
        source, target = op.operands
        self.steps.append(Store(self.views[source], self.views[target]))

    def _issue(self, op: ir.Operation) -> None:
        maps = [ir.AffineMapAttr(attribute).value for attribute in _elements(op, "maps")]
        dynamic = iter(op.operands[len(maps) :])
        bounds = self._mixed(op, "static_bounds", dynamic)
        if 0 in bounds:
            return
        operands = tuple(self._operand(self.views[value], by) for value, by in zip(op.operands, maps, strict=False))
        immediate = op.attributes.get("immediate")
        number = None if immediate is None else int(immediate.value)
        self.steps.append(Issue(str(op.attributes["intrinsic"].value), bounds, operands, number))

    def _operand(self, view: View, position: ir.AffineMap) -> Operand:
        def address(point: Sequence[int]) -> int:
            # The strides of dimensions inside of an element are left over.
            return sum(at * stride for at, stride in zip(position.evaluate(point), view.strides, strict=False))

        rank = position.n_dims
        start = address([0] * rank)
        units = ([int(axis == other) for other in range(rank)] for axis in range(rank))
        return Operand(view.memory, view.offset + start, tuple(address(unit) - start for unit in units))


def _kept(sizes: Sequence[int], shape: Sequence[int]) -> list[int]:
    """Which dimensions a result of fewer has: those left out are of size 1, so that their strides do not count."""
    kept: list[int] = []
    for axis, size in enumerate(sizes):
        left = len(sizes) - axis > len(shape) - len(kept)
        if not (left and size == 1 and (len(kept) == len(shape) or shape[len(kept)] != 1)):
            kept.append(axis)
    return kept


def _first_written(kernel: ir.Operation) -> int:
    """The number of the first argument that a kernel on buffers writes: those behind it are results too."""
    found = [len(kernel.regions[0].blocks[0].arguments)]

    def visit(op: ir.Operation) -> None:
        if op.name == "te.cache_write":
            target = op.operands[1]
            while isinstance(target.owner, ir.Operation):
                target = target.owner.operands[0]
            assert isinstance(target, ir.BlockArgument)
            found.append(target.arg_number)

    kernel.walk(visit)
    return min(found)


def _name(space: ir.Attribute) -> str:
    return str(space.value) if isinstance(space, ir.StringAttr) else str(space)
