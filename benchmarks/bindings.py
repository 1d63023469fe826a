"""What a step through the IR costs in Python: acc's own bindings (acc.ir) beside upstream's (acc.mlir).

    python benchmarks/bindings.py [--operations 10000] [--repeat 5]

CPU microseconds per operation of a function of that many additions, the best of some repetitions; then what importing
costs, measured in processes of their own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from acc import ir as own
from acc.mlir import ir as upstream
from acc.mlir.dialects import arith
from acc.mlir.passmanager import PassManager as UpstreamManager
from acc.passmanager import PassManager as OwnManager
from acc.report import format_table


def text_of(operations: int) -> str:
    lines = (f"  %{i + 1} = arith.addi %{i}, %{i} {{n = {i} : i64}} : i32" for i in range(operations))
    body = "\n".join(lines)
    return f"func.func @f(%0: i32) -> i32 {{\n{body}\n  return %{operations} : i32\n}}"


def best(repeat: int, work: Callable[[], object]) -> float:
    """The CPU seconds of the fastest call."""
    times = []
    for _ in range(repeat):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


class Binding:
    """The same steps with either package, whose interfaces are alike but for how operations are typed."""

    def __init__(self, ir: Any, manager: Any, operations: int) -> None:
        self.ir, self.manager, self.count = ir, manager, operations
        self.context = ir.Context()
        self.text = text_of(operations)
        self.module = ir.Module.parse(self.text, context=self.context)
        self.block = self.module.body.operations[0].regions[0].blocks[0]

    def _walk(self, callback: Callable[[Any], object]) -> None:
        advance = self.ir.WalkResult.ADVANCE

        def visit(op: Any) -> Any:
            callback(op)
            return advance

        self.module.operation.walk(visit)

    def walk(self) -> None:
        self._walk(lambda op: None)

    def walk_names(self) -> None:
        self._walk(lambda op: op.name)

    def walk_attributes(self) -> None:
        def read(op: Any) -> None:
            if "n" in op.attributes:
                _ = op.attributes["n"].value

        self._walk(read)

    def walk_types(self) -> None:
        self._walk(lambda op: ([o.type for o in op.operands], [r.type for r in op.results]))

    def iterate(self) -> None:
        for _ in self.block.operations:
            pass

    def write_attributes(self) -> None:
        with self.context:
            value = self.ir.IntegerAttr.get(self.ir.IntegerType.get_signless(64), 7)
        for op in self.block.operations:
            op.attributes["n"] = value

    def decide(self) -> None:
        """What a policy does: looks at kind, types and attributes of every operation, and writes a decision."""
        with self.context:
            value = self.ir.IntegerAttr.get(self.ir.IntegerType.get_signless(64), 7)
        for op in self.block.operations:
            op = op.operation
            if op.name != "arith.addi" or not all(o.type.width == 32 for o in op.operands):
                continue
            if op.attributes["n"].value >= 0 and op.results[0].type.width == 32:
                op.attributes["decision"] = value

    def create(self) -> None:
        with self.context, self.ir.Location.unknown():
            module = self.ir.Module.create()
            i32 = self.ir.IntegerType.get_signless(32)
            value = self.ir.IntegerAttr.get(i32, 1)
            with self.ir.InsertionPoint(module.body):
                for _ in range(self.count):
                    self.ir.Operation.create("arith.constant", results=[i32], attributes={"value": value})

    def print(self) -> None:
        str(self.module)

    def parse(self) -> None:
        self.ir.Module.parse(self.text, context=self.context)

    def run(self) -> None:
        self.manager.parse("builtin.module(cse)", context=self.context).run(self.module.operation)
        self.block = self.module.body.operations[0].regions[0].blocks[0]


STEPS = {
    "walk": "walk",
    "walk, names": "walk_names",
    "walk, an integer attribute": "walk_attributes",
    "walk, types of operands and results": "walk_types",
    "for op in block": "iterate",
    "set an attribute": "write_attributes",
    "all that a policy does": "decide",
    "create an operation": "create",
    "print": "print",
    "parse": "parse",
    "run cse": "run",
}


def typed_create(binding: Binding) -> None:
    """Creates operations through upstream's class for them."""
    with binding.context, upstream.Location.unknown():
        module = upstream.Module.create()
        i32 = upstream.IntegerType.get_signless(32)
        with upstream.InsertionPoint(module.body):
            for _ in range(binding.count):
                arith.ConstantOp(i32, 1)


def in_process(code: str) -> dict[str, float]:
    """CPU milliseconds of a statement in a process of its own, the best of three, and its memory in MB."""
    program = f"""
import time
started = time.process_time()
{code}
print(1000 * (time.process_time() - started))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS:")))
"""
    runs = []
    for _ in range(3):
        out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        runs.append([float(word) for word in out.split()])
    return {"ms": min(r[0] for r in runs), "MB": min(r[1] for r in runs) / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()

    ours = Binding(own, OwnManager, options.operations)
    theirs = Binding(upstream, UpstreamManager, options.operations)
    rows = []
    for label, step in STEPS.items():
        times = [1e6 * best(options.repeat, getattr(b, step)) / options.operations for b in (ours, theirs)]
        rows.append([label, f"{times[0]:.2f}", f"{times[1]:.2f}", f"{times[1] / times[0]:.2f}"])
    typed = 1e6 * best(options.repeat, lambda: typed_create(theirs)) / options.operations
    rows.append(["create, through its class", "", f"{typed:.2f}", ""])
    print(format_table(rows, ["us per operation", "acc.ir", "acc.mlir", "ratio"]))

    rows = []
    imports = {"import acc": ("import acc", ""), "import it": ("import acc.ir", "import acc.mlir.ir")}
    imports["and a context"] = ("import acc.ir; acc.ir.Context()", "import acc.mlir.ir; acc.mlir.ir.Context()")
    for label, codes in imports.items():
        measured = [in_process(code) if code else None for code in codes]
        cells = [f"{m['ms']:.0f} ms, {m['MB']:.0f} MB" if m else "" for m in measured]
        rows.append([label, *cells])
    print(format_table(rows, ["CPU, memory", "acc.ir", "acc.mlir"]))


if __name__ == "__main__":
    main()
