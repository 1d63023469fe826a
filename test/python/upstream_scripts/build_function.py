"""Builds a function with upstream's typed classes, simplifies it and reads it back."""

from mlir.dialects import arith, func, scf
from mlir.extras import types as T
from mlir.ir import Context, IndexType, InsertionPoint, IntegerAttr, Location, Module
from mlir.passmanager import PassManager

with Context(), Location.unknown():
    module = Module.create()
    with InsertionPoint(module.body):

        @func.FuncOp.from_py_func(T.i32(), T.i32(), name="scaled")
        def scaled(x, y):
            two = arith.constant(T.i32(), 2)
            zero = arith.ConstantOp(T.i32(), IntegerAttr.get(T.i32(), 0))
            total = arith.addi(arith.muli(x, two), arith.addi(y, zero))
            return total

        @func.FuncOp.from_py_func(T.index(), T.f32(), name="power")
        def power(n, x):
            zero = arith.constant(IndexType.get(), 0)
            one = arith.constant(IndexType.get(), 1)
            start = arith.constant(T.f32(), 1.0)
            loop = scf.ForOp(zero, n, one, [start])
            with InsertionPoint(loop.body):
                scf.yield_([arith.mulf(loop.inner_iter_args[0], x)])
            return loop.results[0]

    assert module.operation.verify()
    assert [str(op.name) for op in module.body.operations] == ['"scaled"', '"power"'], module

    PassManager.parse("builtin.module(canonicalize,cse)").run(module.operation)
    body = module.body.operations[0].regions[0].blocks[0]
    names = [op.operation.name for op in body.operations]
    assert names == ["arith.constant", "arith.muli", "arith.addi", "func.return"], names
    sum_ = body.operations[2]
    assert isinstance(sum_, arith.AddIOp) and sum_.lhs.owner.name == "arith.muli"
    loop = next(op for op in module.body.operations[1].regions[0].blocks[0] if isinstance(op, scf.ForOp))
    assert len(loop.inner_iter_args) == 1 and loop.induction_variable.type == IndexType.get()
print("ok")
