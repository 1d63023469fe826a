"""What the accelerator runs: its rules of placement.

An operator runs on the accelerator if every rule of `RULES` for it holds; the first that does not is the reason that
`acc info` prints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from acc import ir
from acc._mlir import count_bits, find_channel_move
from acc.targets.reasons import Blame, Reason, element_of, explain
from acc.targets.vta import movement
from acc.targets.vta.activations import find_ways
from acc.targets.vta.config import Hardware

__all__ = ["RULES", "can_continue", "keep_layout", "refuse"]


Rule = Callable[[ir.Operation, Hardware], str]
"""Says why the accelerator cannot run an operator; an empty text if it can."""


def _attribute(op: ir.Operation, name: str, default: object = None) -> object:
    attribute = op.attributes.get(name)
    return default if attribute is None else attribute.value


def _is_constant(value: ir.Value) -> bool:
    return isinstance(value.owner, ir.Operation) and value.owner.name == "graph.constant"


def is_channel_constant(value: ir.Value, shape: list[int]) -> bool:
    """Whether a value is a constant of sequences of `shape` (..., channels), the same at all positions."""
    own = ir.shape_of(value)
    last = len(shape) < 4 and bool(own) and own[-1] == shape[-1]
    return last and _is_constant(value) and math.prod(own) == shape[-1]


def _is_stack(op: ir.Operation, _: Hardware) -> str:
    a, b = (ir.shape_of(v) for v in op.operands)
    if len(a) > 3 or a[:-2] != b[:-2]:
        return "its matrices broadcast"
    return "" if min(*a, *b) > 0 else "a matrix is empty"


def _is_image(op: ir.Operation, _: Hardware) -> str:
    spatial = len(ir.shape_of(op.operands[0])) - 2
    return "" if spatial == 2 else f"{spatial} spatial axes, the accelerator has 2"


def _is_image_or_matrix(op: ir.Operation, _: Hardware) -> str:
    rank = len(ir.shape_of(op.result))
    if rank in (2, 4):
        return ""
    return (
        f"tensor of {rank} axes, the accelerator has images and matrices: a reshape to (N, C, H, W) or (N, C) in the "
        "model would do"
    )


def _holds_bytes(value: ir.Value) -> bool:
    return str(ir.RankedTensorType(value.type).element_type) == "i8"


def _activations(op: ir.Operation) -> list[ir.Value]:
    """The tensors that the accelerator reads as inputs, or into accumulators, and stores of an operator."""
    if op.name in ("graph.conv_integer", "graph.gemm_integer", "graph.lookup"):
        read = [op.operands[0]]
    elif op.name == "graph.weighted_sum":
        shape = ir.shape_of(op.result)
        read = [value for value in op.operands if not is_channel_constant(value, shape)]
    else:
        read = [value for value in op.operands if _holds_bytes(value)]
    if _holds_bytes(op.result):
        return [*read, op.result]
    return [*read, *(use.owner.result for use in op.result.uses if use.owner.name == "graph.requantize")]


def _fits_widths(op: ir.Operation, hardware: Hardware) -> str:
    inp = hardware.config.inp_bits
    bits = 8 if inp == 8 else max(map(count_bits, _activations(op)), default=1)
    if bits <= inp:
        return ""
    return (
        f"reads or computes integers of {bits} bits, the configuration has inputs and outputs of {inp} "
        f"(quantize activations to int{inp}, or take one with LOG_INP_WIDTH 3)"
    )


def _fits_weight_width(op: ir.Operation, hardware: Hardware) -> str:
    """A rule for what has its second operand as weights."""
    bits = hardware.config.wgt_bits
    weight = op.operands[1]
    if not _is_constant(weight):
        stored = hardware.config.inp_bits
        if bits == stored:
            return ""
        return f"multiplies by a computed tensor, which has {stored} bits, the configuration has weights of {bits} bits"
    if bits == 8:
        return ""
    values = np.asarray(weight.owner.attributes["value"].value)  # type: ignore[union-attr]
    least, most = int(values.min(initial=0)), int(values.max(initial=0))
    if -(1 << bits - 1) <= least and most < 1 << bits - 1:
        return ""
    return f"weights reach from {least} to {most}, the configuration has {bits} bits (quantize them to int{bits})"


def _has_constants(op: ir.Operation, _: Hardware) -> str:
    return "" if all(_is_constant(v) for v in op.operands[1:]) else "weights or bias are not constant"


def _may_broadcast(op: ir.Operation, hardware: Hardware) -> str:
    """A rule for operators of several tensors: whole tiles may be read many times, lanes of a tile may not."""
    result = ir.shape_of(op.result)
    moving = [v for v in op.operands if not (op.name == "graph.weighted_sum" and is_channel_constant(v, result))]
    if not moving:
        return "adds constants"
    for shape in map(ir.shape_of, moving):
        if len(shape) != len(result):
            return f"broadcasts a tensor of {len(shape)} axes to {len(result)}"
        if shape[1] != result[1]:
            return "broadcasts channels, which are the lanes of the vector unit"
        if shape[0] != result[0] and hardware.config.batch > 1:
            return f"broadcasts images, of which the vector unit computes {hardware.config.batch} side by side"
    if len(set(op.operands)) != len(op.operands):
        return "reads a tensor twice"
    return ""


def _may_multiply(_: ir.Operation, hardware: Hardware) -> str:
    if hardware.dialect != "public":
        return ""
    return "multiplies tensors, and the dialect 'public' has no multiplication"


def _may_scale_positions(_: ir.Operation, hardware: Hardware) -> str:
    if hardware.dialect != "public":
        return ""
    return "its windows differ in size, and the dialect 'public' has no multiplication to make up for it"


def _is_int8(op: ir.Operation, _: Hardware) -> str:
    element = element_of(op)
    if element.kind == "float":
        return f"not quantized: computes on {element.name}"
    return "" if element.name == "int8" else f"computes on {element.name}, the accelerator on int8"


def _has_one_reader(op: ir.Operation, hardware: Hardware) -> str:
    if (known := op.attributes.get("graph.reason")) is not None:
        return str(known.value)
    uses = op.result.uses
    if len(uses) == 1 and uses[0].owner.name == "graph.requantize":
        return ""
    if len(uses) == 1 and uses[0].owner.name == "graph.scale_integer":
        return refuse(uses[0].owner, hardware).text
    return "its accumulator is read by more than one requantization"


def _requantization_of(op: ir.Operation) -> ir.Operation:
    """What requantizes an accumulator that has one reader."""
    reader = op.result.uses[0].owner
    return _requantization_of(reader) if reader.name == "graph.scale_integer" else reader


def _may_load_int8(_: ir.Operation, hardware: Hardware) -> str:
    if hardware.dialect != "public":
        return ""
    return "needs to load int8 into accumulators, which the dialect 'public' has no instruction for"


def _integers(op: ir.Operation, name: str) -> list[int]:
    """One value, or one per channel."""
    value = _attribute(op, name, 0)
    return [value] if isinstance(value, int) else list(value)  # type: ignore[call-overload]


def _may_requantize(op: ir.Operation, hardware: Hardware) -> str:
    """A rule for what computes an accumulator that one requantization reads."""
    if hardware.dialect != "public":
        return ""
    requantize = _requantization_of(op)
    if set(_integers(requantize, "multiplier")) not in ({0}, {1}):
        return "scales by other factors than powers of two, and the dialect 'public' has no multiplication"
    shifts = set(_integers(requantize, "pre_shift"))
    if min(shifts) < 0 and len(shifts) > 1:
        return "scales its channels by different powers of two, and the dialect 'public' has no shift to the left"
    return ""


def _is_few_steps(op: ir.Operation, hardware: Hardware) -> str:
    """A rule for tables: the vector unit may have them, or integers compute what is one between real numbers."""
    reason = "computed by a table of 256 entries, which the vector unit does not have"
    if hardware.dialect == "public":
        return f"{reason}, and the dialect 'public' has no multiplication"
    ways = find_ways(op, hardware)
    if not ways and hardware.config.alu_table:
        return "computed by a table of 256 entries for each channel, and the vector unit looks up in one for all"
    if not ways:
        return (
            f"{reason}: a configuration with ALU_TABLE would do, or a function of lines (LeakyReLU, HardSwish) in its "
            "place"
        )
    limit = hardware.activation_cycles
    least = min(way.cycles for way in ways)
    if limit is None or least <= limit:
        return ""
    cycles = "1 cycle" if least == 1 else f"{least} cycles"
    return f"takes {cycles} of the vector unit for every vector of results, and 'activation_cycles' allows {limit}"


def _is_laid_out(value: ir.Value, hardware: Hardware) -> bool:
    """Whether a tensor is in the accelerator's layout, because it computes it or the host keeps it so."""
    owner = value.owner
    if not isinstance(owner, ir.Operation):
        return False
    if owner.name == "graph.reshape" and len(ir.shape_of(value)) == 4:
        # The last of the operators that put channels into rows and columns.
        turned = owner.operands[0].owner
        return isinstance(turned, ir.Operation) and turned.name == "graph.transpose" and not refuse(turned, hardware)
    if owner.name == "graph.requantize":
        return all(
            isinstance(v.owner, ir.Operation) and v.owner.name in RULES and not refuse(v.owner, hardware)
            for v in owner.operands
        )
    return "graph.packed" in owner.attributes or (owner.name in RULES and not refuse(owner, hardware))


def _moves_what_is_laid_out(op: ir.Operation, hardware: Hardware) -> str:
    """A rule for what moves data: it stands between what the accelerator computes and what it reads."""
    if not all(_is_laid_out(v, hardware) for v in movement.sources_of(op)):
        return "moves data that the CPU has"
    for use in movement.result_of(op).uses:
        reader = use.owner
        if reader.name in ("graph.concat", "graph.lookup") or movement.is_move(reader, hardware):
            return ""
        if reader.name == "graph.reshape" and len(reader.result.uses) == 1:
            reader = reader.result.uses[0].owner
            if reader.name == "graph.transpose" and movement.is_move(reader, hardware):
                return ""
        if reader.name in RULES and reader.name not in movement.MOVES and not refuse(reader, hardware):
            return ""
    return "moves data to the CPU"


def _may_copy(op: ir.Operation, hardware: Hardware) -> str:
    """A rule for what moves data that is not stored where it is wanted by what computes it."""
    if op.name == "graph.transpose":
        interleave = movement.Interleave.of(op)
        if interleave is not None and interleave.has_phases_of_convolution():
            return ""
    return _may_load_int8(op, hardware)


RULES: Mapping[str, tuple[Rule, ...]] = {
    "graph.conv_integer": (
        *(_fits_widths, _fits_weight_width, _is_image),
        *(_has_constants, _has_one_reader, _may_requantize),
    ),
    "graph.gemm_integer": (_fits_widths, _fits_weight_width, _has_constants, _has_one_reader, _may_requantize),
    "graph.matmul_integer": (_fits_widths, _fits_weight_width, _is_stack, _has_one_reader, _may_requantize),
    "graph.weighted_sum": (_fits_widths, _is_image_or_matrix, _may_broadcast, _has_one_reader, _may_load_int8),
    "graph.mul_integer": (_fits_widths, _is_image_or_matrix, _may_broadcast, _has_one_reader, _may_multiply),
    "graph.scale_integer": (_fits_widths, _is_image, _has_constants, _has_one_reader, _may_scale_positions),
    "graph.global_sum_integer": (_fits_widths, _is_image, _has_one_reader, _may_load_int8),
    "graph.max_pool": (_is_int8, _fits_widths, _is_image, _may_load_int8),
    "graph.requantize": (),
    "graph.lookup": (_is_few_steps, _fits_widths, _is_image_or_matrix),
    **dict.fromkeys(movement.MOVES, (movement.why_not, _fits_widths, _may_copy, _moves_what_is_laid_out)),
}
"""What the accelerator runs, and under which conditions."""


def refuse(op: ir.Operation, hardware: Hardware) -> Reason:
    """Why the accelerator cannot run `op`, leaving aside what it depends on; an empty reason if it can."""
    if op.name not in RULES or (op.name in movement.MOVES and element_of(op).name != "int8"):
        return explain(op)
    text = next(filter(None, (rule(op, hardware) for rule in RULES[op.name])), "")
    return Reason(text, Blame.RULE) if text else Reason()


def _may_have_sections(op: ir.Operation, hardware: Hardware) -> bool:
    """Whether the blocks of channels of a convolution may get two axes, which no other tensor has.

    A block of outputs that holds whole groups, which read whole blocks of inputs, needs no second axis.
    """
    group = _attribute(op, "group", 1)
    assert isinstance(group, int)
    block_in, block_out = hardware.config.block_in, hardware.config.block_out
    inputs, outputs = (ir.shape_of(v)[1] // group for v in (op.operands[0], op.result))
    return group > 1 and bool(block_out % outputs or block_out // outputs * inputs % block_in)


def _read_by_sums(tail: ir.Operation) -> set[ir.Value]:
    """What sums and products of the kernel that ends with `tail` read, and may be loading into accumulators."""
    found: set[ir.Value] = set()
    pending = [tail]
    while pending:
        op = pending.pop()
        if op.name in ("graph.weighted_sum", "graph.mul_integer"):
            found.update(op.operands)
        elif op.name not in ("graph.requantize", "graph.scale_integer", "graph.lookup"):
            continue
        owners = (value.owner for value in op.operands if len(value.uses) == 1)
        pending.extend(owner for owner in owners if isinstance(owner, ir.Operation))
    return found


def can_continue(tail: ir.Operation, op: ir.Operation, fuse_residual: bool, hardware: Hardware) -> bool:
    """Whether a kernel that ends with `tail` may go on with `op`."""
    if tail.name == "graph.max_pool" or tail.name in movement.MOVES:
        return False
    if op.name not in ("graph.weighted_sum", "graph.mul_integer"):
        return True
    if not _read_by_sums(tail).isdisjoint(op.operands):
        # Steps change the accumulators that a tensor is loaded into, and it is loaded once for all of them.
        return False
    shape = ir.shape_of(op.result)
    if op.name == "graph.weighted_sum" and sum(not is_channel_constant(v, shape) for v in op.operands) < 2:
        return True
    anchor = tail.operands[0].owner
    if isinstance(anchor, ir.Operation) and anchor.name == "graph.scale_integer":
        anchor = anchor.operands[0].owner
    sections = (
        isinstance(anchor, ir.Operation)
        and anchor.name == "graph.conv_integer"
        and _may_have_sections(anchor, hardware)
    )
    # The second tensor takes as many accumulators as the sum itself. The product of a sequence needs them more: with
    # half of them it reads its inputs or its weights twice as often.
    return fuse_residual and not sections and len(shape) == 4


def keep_layout(op: ir.Operation, hardware: Hardware, placed: set[ir.Value]) -> bool:
    """Whether `op`, which the host would run, keeps tensors of the accelerator as they are.

    What chooses or permutes channels is no kernel at all then, and a concatenation of channels is none where its
    operands can be computed side by side; one table for all channels does not ask where an element lies, so that the
    host can look up in it. Such operators are marked with `graph.packed`, which the pass that chooses layouts obeys.
    """
    if not (_joins_channels(op, placed) or _moves_channels(op, placed) or _looks_up(op, placed)):
        return False
    if not _is_read_packed(op.result, hardware) or _fits_widths(op, hardware):
        return False
    op.attributes["graph.packed"] = ir.UnitAttr.get(op.context)
    return True


def _is_in_layout(value: ir.Value, placed: set[ir.Value]) -> bool:
    """Whether the accelerator computes a tensor, or the host in its layout, or moves of channels make it of such."""
    if value in placed:
        return True
    owner = value.owner
    if not isinstance(owner, ir.Operation) or owner.name != "graph.reshape":
        return False
    # The end of a shuffle, if the transpose in the middle of it is marked.
    move = find_channel_move(value) if owner.operands[0] in placed else None
    return move is not None and _is_in_layout(move[0], placed)


def _is_read_packed(value: ir.Value, hardware: Hardware) -> bool:
    """Whether an operator that may run on the accelerator reads a value, be it behind moves of channels."""
    for use in value.uses:
        reader = use.owner
        if reader.name in movement.MOVES:
            if element_of(reader).name == "int8" and movement.is_move(reader, hardware):
                return True
        elif reader.name in RULES and element_of(reader).kind != "float":
            return True
        if reader.name in (*_MOVES, "graph.concat", "graph.reshape") and _is_read_packed(reader.result, hardware):
            return True
    return False


def _makes_int8_images(op: ir.Operation) -> bool:
    return len(ir.shape_of(op.result)) == 4 and element_of(op).name == "int8"


def _joins_channels(op: ir.Operation, placed: set[ir.Value]) -> bool:
    if op.name != "graph.concat" or _attribute(op, "axis") != 1 or not _makes_int8_images(op):
        return False
    return any(_is_in_layout(value, placed) for value in op.operands)


_MOVES = ("graph.slice", "graph.gather", "graph.transpose")


def _moves_channels(op: ir.Operation, placed: set[ir.Value]) -> bool:
    if op.name not in _MOVES:
        return False
    # The shuffle that a transpose is the middle of ends with a reshape.
    ends = [use.owner for use in op.result.uses] if op.name == "graph.transpose" else [op]
    for end in ends:
        move = find_channel_move(end.result) if len(end.results) == 1 else None
        if move is None or not _makes_int8_images(end) or not _is_in_layout(move[0], placed):
            return False
    return bool(ends)


def _looks_up(op: ir.Operation, placed: set[ir.Value]) -> bool:
    if op.name != "graph.lookup" or ir.shape_of(op.operands[1])[0] != 1:
        return False
    return _is_in_layout(op.operands[0], placed) and len(ir.shape_of(op.result)) in (2, 4)
