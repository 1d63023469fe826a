"""The target "toy": its options, its rules of placement, its memories and its intrinsics."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from acc import devices, ir
from acc.dialects import te
from acc.errors import CompileError
from acc.passmanager import PassManager
from acc.targets.declared import DeclaredAccelerator, Kernel
from acc.targets.reasons import Blame, Reason, explain
from acc_toy import layout, program
from acc_toy.device import Interpreter

devices.register("toy", "interpreter", Interpreter, summary="runs programs of the toy in numpy")


@dataclasses.dataclass(frozen=True)
class Toy(DeclaredAccelerator):
    """Dot products of 8-wide vectors: two scratchpads of so many `vectors` each, and one of so many `sums`."""

    name: ClassVar[str] = "toy"
    title: ClassVar[str] = "a toy accelerator of dot products, from examples/target_plugin"
    takes: ClassVar[Mapping[str, str]] = {
        "vectors": "the number of vectors in each of the two scratchpads",
        "sums": "the number of sums in the third",
    }
    product: ClassVar[str] = "toy_dot"
    intrinsics: ClassVar[str] = """
        te.intrin @toy_dot emits "toy.dot" {
        ^bb0(%x: memref<8xi8, "inputs">, %w: memref<8xi8, "weights">, %y: memref<i32, "sums">):
          linalg.generic {
              indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> ()>],
              iterator_types = ["reduction"]}
              ins(%x, %w : memref<8xi8, "inputs">, memref<8xi8, "weights">) outs(%y : memref<i32, "sums">) {
          ^bb0(%a: i8, %b: i8, %s: i32):
            %0 = arith.extsi %a : i8 to i32
            %1 = arith.extsi %b : i8 to i32
            %2 = arith.muli %0, %1 : i32
            %3 = arith.addi %s, %2 : i32
            linalg.yield %3 : i32
          }
        }
        te.intrin @toy_copy emits "toy.copy" {
        ^bb0(%x: memref<i32, "sums">, %y: memref<i32, "sums">):
          linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []}
              ins(%x : memref<i32, "sums">) outs(%y : memref<i32, "sums">) {
          ^bb0(%a: i32, %b: i32):
            linalg.yield %a : i32
          }
        }"""

    vectors: int = 512
    sums: int = 512

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Toy:
        """See Target; raises CompileError for what is no positive number."""
        sizes = {}
        for name, value in options.items():
            if not str(value).isdecimal() or int(value) == 0:
                raise CompileError(f"option '{name}' of target 'toy' is '{value}': it must be a positive number")
            sizes[name] = int(value)
        return cls(**sizes)

    def attribute(self, context: ir.Context) -> ir.Attribute:
        """See Accelerator."""

        i8, i32 = (ir.IntegerType.get_signless(bits, context) for bits in (8, 32))
        names = {name: ir.StringAttr.get(name, context) for name in ("inputs", "weights", "sums")}
        pads = [
            te.MemoryAttr.get(names["inputs"], [8], i8, self.vectors, context=context),
            te.MemoryAttr.get(names["weights"], [8], i8, self.vectors, context=context),
            te.MemoryAttr.get(names["sums"], [], i32, self.sums, context=context),
        ]
        roles = {"input": "inputs", "weight": "weights", "accumulator": "sums", "output": "sums"}
        spaces: dict[str, ir.Attribute] = {role: names[name] for role, name in roles.items()}
        return te.TargetAttr.get(self.name, pads, roles=spaces, context=context)

    def refuse(self, op: ir.Operation) -> Reason:
        """See Accelerator: sums of products with constant weights; what follows them is the host's."""
        if op.name not in layout.OPERATORS:
            return explain(op)
        owners = [value.owner for value in op.operands[1:]]
        if not all(isinstance(owner, ir.Operation) and owner.name == "graph.constant" for owner in owners):
            return Reason("weights or bias are not constant", Blame.RULE)
        if (group := op.attributes.get("group")) is not None and group.value != 1:
            return Reason(f"grouped convolution: group {group.value}", Blame.RULE)
        return Reason()

    def add_layout(self, pm: PassManager) -> None:
        """See Accelerator."""
        pm.add(lambda module: layout.pack(module, self.attribute(module.context)), "toy-pack")

    def emit(self, kernel: Kernel) -> bytes:
        """See DeclaredAccelerator."""
        return program.write(kernel, {"inputs": 8 * self.vectors, "weights": 8 * self.vectors, "sums": self.sums})
