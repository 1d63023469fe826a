"""What each launch of an accelerator program is given: the facts of the compiler behind `acc disasm --binary`.

A compiled model's code knows where the buffers of a program are; whoever takes programs out of a model has to be told.
Before kernels are lowered, the module still has which tensor of the ONNX model a buffer holds and how it lies there;
when they are programs, which constants of the model they are given. Both are read here, launch by launch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from acc import ir
from acc.dialects import vta
from acc.targets.base import Tensors

# Operators that convert the numbers of a tensor and nothing else.
CONVERSIONS = ("QuantizeLinear", "DequantizeLinear", "Cast", "Identity")
# Operations of the compiler that make another shape of the same buffer.
VIEWS = ("tensor.expand_shape", "tensor.collapse_shape")
# Operators whose second input is their weights.
WEIGHTED = ("Conv", "Gemm", "MatMul", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger")


@dataclass(frozen=True)
class Argument:
    """A buffer of a launch: `role` is "constant", "input" (read), "output" (written) or "result" (both: what the
    program does not write stays).

    `nodes` are the ONNX nodes that it comes from. `border` is how many rows and columns of padding surround a tensor,
    ((above, below), (left, right)).
    """

    role: str
    nodes: tuple[str, ...]
    element: str
    shape: tuple[int, ...]
    border: tuple[tuple[int, int], tuple[int, int]] | None


@dataclass(frozen=True)
class Launch:
    """A launch of an accelerator kernel, named as in `acc info`, with its symbol and its ONNX nodes."""

    kernel: str
    symbol: str
    nodes: tuple[str, ...]
    arguments: tuple[Argument, ...]


def _main(module: ir.Module) -> ir.Operation:
    return next(op for op in module.body if op.name == "func.func" and op.attributes["sym_name"].value == "main")


def _names(kernel: ir.Operation) -> tuple[str, ...]:
    layers = kernel.attributes.get("layers")
    return tuple(str(name) for name in layers.value) if layers is not None else ()


def _border(kernel: ir.Operation, shape: Sequence[int]) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """What surrounds the tensor in the packed result of a kernel, whose channels have one or two axes."""
    if len(shape) not in (6, 7):
        return None
    rows_and_columns = slice(-4, -2)
    for op in kernel.regions[0].blocks[0]:
        if op.name == "tensor.insert_slice":
            at, size = op.attributes["static_offsets"].value, op.attributes["static_sizes"].value
            (top, left), (rows, columns) = at[rows_and_columns], size[rows_and_columns]
            height, width = shape[rows_and_columns]
            return (top, height - top - rows), (left, width - left - columns)
        if op.name == "tensor.pad" and len(ir.shape_of(op.result)) == 4:
            low, high = op.attributes["static_low"].value, op.attributes["static_high"].value
            return (low[2], high[2]), (low[3], high[3])
    return (0, 0), (0, 0)


def read_kernels(module: ir.Module) -> list[Launch]:
    """The launches of accelerator kernels in order, of a module whose kernels are placed and scheduled."""
    kernels = {str(op.attributes["sym_name"].value): op for op in module.body if op.name == "te.kernel"}
    launches = []
    for op in _main(module).regions[0].blocks[0]:
        if op.name != "te.launch":
            continue
        symbol = str(op.attributes["kernel"].value)
        kernel = kernels[symbol]
        if kernel.attributes["target"].value != "vta":
            continue
        operands = list(op.operands)
        written = len(operands) - len(op.results)
        arguments = tuple(
            _argument(value, kernel if index >= written else None, kernels) for index, value in enumerate(operands)
        )
        name = op.attributes.get("label")
        launches.append(Launch(str(name.value) if name is not None else symbol, symbol, _names(kernel), arguments))
    return launches


def _argument(value: ir.Value, writer: ir.Operation | None, kernels: Mapping[str, ir.Operation]) -> Argument:
    """A buffer by the value that it holds before the launch; `writer` is the kernel if it writes it."""
    kind = ir.ShapedType(value.type)
    shape, element = tuple(kind.shape), str(kind.element_type)
    owner = value.owner
    if isinstance(owner, ir.Operation) and owner.name == "graph.constant":
        return Argument("constant", (), element, shape, None)
    while isinstance(owner, ir.Operation) and owner.name in VIEWS:
        owner = owner.operands[0].owner
    producer = None
    if isinstance(owner, ir.Operation) and _is_launch(owner):
        producer = kernels[str(owner.attributes["kernel"].value)]
    role = "input" if writer is None else "output" if producer is None else "result"
    maker = writer or producer
    if maker is None:
        return Argument(role, (), element, shape, None)
    return Argument(role, _names(maker), element, shape, _border(maker, shape))


def _is_launch(owner: ir.Operation | ir.Block) -> bool:
    return isinstance(owner, ir.Operation) and owner.name == "te.launch"


@dataclass(frozen=True)
class Part:
    """A kernel of a program: its symbol, what policies call it, and where its arguments lie, as numbers of buffers of
    the program and bytes in them.
    """

    symbol: str
    label: str
    buffers: tuple[int, ...]
    offsets: tuple[int, ...]


@dataclass(frozen=True)
class Binding:
    """A launch of a program: the program's symbol, its kernels, and per buffer which constant of the model it is, if
    any, a number that is the same for the same memory, and its type.
    """

    symbol: str
    parts: tuple[Part, ...]
    constants: tuple[int | None, ...]
    memories: tuple[int, ...]
    types: tuple[ir.Type, ...]


def read_parts(launch: ir.Operation) -> tuple[Part, ...]:
    """The kernels that a vta.launch runs."""
    symbol, count = str(launch.attributes["program"].value), len(launch.operands)
    parts = launch.attributes.get("parts")
    if parts is None:
        return (Part(symbol, symbol, tuple(range(count)), (0,) * count),)
    return tuple(
        Part(str(part.kernel.value), str(part.label.value), tuple(part.buffers.value), tuple(part.offsets.value))
        for part in cast(Sequence[vta.PartAttr], parts.value)
    )


def read_bindings(module: ir.Module) -> Iterator[Binding]:
    """The launches in order, of a module whose kernels are programs."""
    main = _main(module)
    block = main.regions[0].blocks[0]
    attributes = main.attributes["arg_attrs"].value if "arg_attrs" in main.attributes else []
    constants: dict[ir.Value, int] = {}
    for argument, entry in zip(block.arguments, attributes, strict=False):
        if "cpu.constant" in entry:
            constants[argument] = len(constants)
    for op in block:
        if op.name == "vta.launch":
            known: dict[ir.Value, int] = {}
            yield Binding(
                str(op.attributes["program"].value),
                read_parts(op),
                tuple(constants.get(value) for value in op.operands),
                tuple(known.setdefault(value, len(known)) for value in op.operands),
                tuple(value.type for value in op.operands),
            )


def kernel_of(layer: str, kernels: Sequence[Sequence[str]]) -> int:
    """Which of several kernels, given by their ONNX nodes, an instruction of that layer belongs to.

    The layer of an instruction that several nodes share is their names, joined by "+".
    """
    for index, nodes in enumerate(kernels):
        if layer in nodes:
            return index
    for index, nodes in enumerate(kernels):
        if any(layer.startswith(f"{node}+") for node in nodes):
            return index
    return 0


def describe(
    launches: Sequence[Launch], bindings: Sequence[Binding], programs: Mapping[str, int], tensors: Tensors
) -> list[dict[str, Any]]:
    """The metadata "launches" of a model (docs/model-format.md); `programs` has its programs' numbers by symbol."""
    known: dict[str, list[Launch]] = {}
    for launch in reversed(launches):
        known.setdefault(launch.symbol, []).append(launch)
    described = []
    for binding in bindings:
        kernels = [(known[part.symbol].pop(), part) for part in binding.parts]
        held: list[list[tuple[Launch, int, Argument]]] = [[] for _ in binding.memories]
        for launch, part in kernels:
            for argument, buffer, offset in zip(launch.arguments, part.buffers, part.offsets, strict=True):
                held[buffer].append((launch, offset, argument))
        entries = []
        for arguments, constant, memory, kind in zip(
            held, binding.constants, binding.memories, binding.types, strict=True
        ):
            entry: dict[str, Any] = {"role": _role(arguments), "memory": memory}
            if constant is not None:
                entry["constant"] = constant
            shaped = ir.ShapedType(kind)
            shape = list(shaped.shape)
            if entry["role"] == "scratch":
                entry |= {"element": str(shaped.element_type), "shape": shape}
                entry["tensors"] = _tensors(arguments, tensors)
            else:
                launch, _, argument = next((a for a in arguments if a[2].role != "input"), arguments[0])
                entry |= _describe(argument, tensors)
                if argument.role == "constant" and (weights := weights_of(launch.nodes, tensors)):
                    entry["weights"] = weights
            entries.append(entry)
        nodes = list(dict.fromkeys(node for launch, _ in kernels for node in launch.nodes))
        described.append(
            {
                "program": programs[binding.symbol],
                "kernels": [launch.kernel for launch, _ in kernels],
                "nodes": nodes,
                "buffers": entries,
            }
        )
    return described


def _role(arguments: Sequence[tuple[Launch, int, Argument]]) -> str:
    """That of a buffer of a chain, from its roles for the kernels, in order: written and read within, it is scratch
    memory if others lie there too.
    """
    roles = [argument.role for _, _, argument in arguments]
    if len({(offset, argument.nodes) for _, offset, argument in arguments}) > 1:
        return "scratch"
    if roles[0] in ("constant", "input") or len(set(roles)) == 1:
        return "result" if roles[0] == "input" and set(roles) != {"input"} else roles[0]
    return roles[0] if roles[0] == "result" else "output"


def _describe(argument: Argument, tensors: Tensors) -> dict[str, Any]:
    entry: dict[str, Any] = {"element": argument.element, "shape": list(argument.shape)}
    if argument.role == "constant":
        return entry
    tensor = result_of(argument.nodes, tensors)
    entry |= {"tensor": tensor} if tensor else {}
    entry |= {"nodes": list(argument.nodes)}
    return entry | ({"border": argument.border} if argument.border else {})


def _tensors(arguments: Sequence[tuple[Launch, int, Argument]], tensors: Tensors) -> list[dict[str, Any]]:
    """What lies where in a buffer in which tensors take turns, in the order in which they are computed."""
    result: dict[tuple[int, tuple[str, ...]], dict[str, Any]] = {}
    for _, offset, argument in arguments:
        result.setdefault((offset, argument.nodes), {"offset": offset, **_describe(argument, tensors)})
    return list(result.values())


def result_of(nodes: Sequence[str], tensors: Tensors) -> str:
    """The ONNX tensor that a kernel of these nodes computes: quantized, if the model quantizes it next."""
    if not nodes or nodes[-1] not in tensors:
        return ""
    name = next(iter(tensors[nodes[-1]][2]), "")
    readers = [outputs for kind, inputs, outputs in tensors.values() if name in inputs and kind == "QuantizeLinear"]
    return readers[0][0] if len(readers) == 1 else name


def weights_of(nodes: Sequence[str], tensors: Tensors) -> str:
    """The ONNX tensor with the weights of the first of these nodes that has some."""
    for node in nodes:
        kind, inputs, _ = tensors.get(node, ("", (), ()))
        if kind not in WEIGHTED or len(inputs) < 2:
            continue
        name = inputs[3] if kind in ("QLinearConv", "QLinearMatMul") and len(inputs) > 3 else inputs[1]
        producers = {output: (made, reads) for made, reads, outputs in tensors.values() for output in outputs}
        while name in producers and producers[name][0] in CONVERSIONS:
            name = producers[name][1][0]
        return name
    return ""
