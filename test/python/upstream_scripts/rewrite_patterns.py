"""Rewrites with patterns and passes written in Python, and walks the result."""

from mlir.dialects import arith
from mlir.ir import (
    AffineDimExpr,
    AffineMap,
    AffineMapAttr,
    Context,
    InsertionPoint,
    Location,
    MLIRError,
    Module,
    Operation,
    WalkOrder,
    WalkResult,
)
from mlir.passmanager import PassManager
from mlir.rewrite import RewritePatternSet, apply_patterns_and_fold_greedily

TEXT = """
func.func @f(%x: i32, %y: i32) -> i32 {
  %0 = arith.subi %x, %y : i32
  %1 = arith.subi %0, %x : i32
  return %1 : i32
}
"""


def sub_to_add(op, rewriter):
    """x - y becomes x + y."""
    with rewriter.ip:
        new = arith.addi(op.lhs, op.rhs, loc=op.location)
    rewriter.replace_op(op, new.owner)


with Context(), Location.unknown():
    module = Module.parse(TEXT)
    patterns = RewritePatternSet()
    patterns.add(arith.SubIOp, sub_to_add)
    apply_patterns_and_fold_greedily(module, patterns.freeze())
    found = []

    def look(op):
        found.append(op.name)
        return WalkResult.ADVANCE

    module.operation.walk(look, WalkOrder.PRE_ORDER)
    assert found == ["builtin.module", "func.func", "arith.addi", "arith.addi", "func.return"], found

    def label(op, pass_):
        for index, block_op in enumerate(op.regions[0].blocks[0]):
            block_op.attributes["map"] = AffineMapAttr.get(AffineMap.get(1, 0, [AffineDimExpr.get(0) + index]))

    manager = PassManager("func.func")
    manager.add(label)
    manager.run(module.body.operations[0].operation)
    last = module.body.operations[0].regions[0].blocks[0].operations[2]
    assert str(last.attributes["map"].value) == "(d0) -> (d0 + 2)", last

    def fail(op, pass_):
        pass_.signal_pass_failure()

    manager = PassManager("any")
    manager.add(fail)
    try:
        manager.run(module.operation)
        raise AssertionError("the failure was not reported")
    except MLIRError as error:
        assert "Failure while executing pass pipeline" in str(error)

    try:
        Module.parse("func.func @g() { return %x : i32 }")
        raise AssertionError("the error was not reported")
    except MLIRError as error:
        assert error.error_diagnostics[0].location.is_a_file(), error

    with InsertionPoint.at_block_begin(module.body):
        declared = Operation.parse("func.func private @later(i32)")
        InsertionPoint.current.insert(declared)
    assert "later" in str(module)
print("ok")
