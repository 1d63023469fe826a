"""Faults for passes: what a pass makes is changed behind it, wherever the pass is used."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from acc import ir
from acc.passmanager import PassManager

Mutation = Callable[[ir.Operation], object]


def inject(monkeypatch: pytest.MonkeyPatch, name: str, mutation: Mutation) -> list[int]:
    """Lets `mutation` change the module behind every use of the pass called `name`; counts the changes in the list."""
    real = PassManager.add
    counts: list[int] = []

    def add(self: PassManager, passes: str | Mutation, label: str | None = None) -> None:
        real(self, passes, label)
        if isinstance(passes, str) and f"({name}{{" in f"({passes}{{".replace(")", "{"):
            real(self, lambda op: counts.append(1) if mutation(op) else None, "mutation")

    monkeypatch.setattr(PassManager, "add", add)
    return counts


def operations(module: ir.Operation, name: str) -> list[ir.Operation]:
    found: list[ir.Operation] = []
    module.walk(lambda op: found.append(op) if op.name == name else None)
    return found


def shift_zero_points(module: ir.Operation) -> bool:
    """The first requantization gives numbers that are larger by 40."""
    found = operations(module, "graph.requantize")
    for op in found[:1]:
        value = int(op.attributes["zero_point"].value)
        op.attributes["zero_point"] = ir.IntegerAttr.get(op.attributes["zero_point"].type, value + 40)
    return bool(found)


def turn_pads(module: ir.Operation) -> bool:
    """The first convolution with pads that are not the same on both sides has them the other way round."""
    for op in operations(module, "graph.conv_integer"):
        pads = list(op.attributes["pads"].value)
        half = len(pads) // 2
        if pads[:half] != pads[half:]:
            op.attributes["pads"] = pads[half:] + pads[:half]
            return True
    return False


def _constants(module: ir.Operation, name: str) -> list[ir.Operation]:
    """Constants that operators of this name read."""
    found = []
    for op in operations(module, name):
        for value in op.operands:
            owner = value.owner
            if isinstance(owner, ir.Operation) and owner.name == "arith.constant":
                found.append(owner)
    return found


def change_shifts(module: ir.Operation) -> bool:
    """Results of linalg are shifted by one bit less."""
    found = _constants(module, "arith.shrsi")
    for op in found[:1]:
        value = op.attributes["value"]
        op.attributes["value"] = ir.IntegerAttr.get(value.type, int(value.value) - 1)
    return bool(found)


def swap_min_and_max(module: ir.Operation) -> bool:
    """The last operation of the vector unit that takes a minimum takes a maximum."""
    found = [op for op in operations(module, "vta.alu") if "min" in str(op.attributes["op"])]
    for op in found[-1:]:
        op.attributes["op"] = ir.Attribute.parse(str(op.attributes["op"]).replace("min", "max"), op.context)
    return bool(found)


def drop_instruction(module: ir.Operation) -> bool:
    """The last of the vector unit's instructions but three is gone."""
    found = operations(module, "vta.insn.alu")
    if len(found) < 4:
        return False
    found[-4].erase()
    return True
