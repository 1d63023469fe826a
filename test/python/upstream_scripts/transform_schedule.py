"""Tiles a matrix product with a schedule in the transform dialect, which upstream's interpreter applies."""

from mlir import ir
from mlir.dialects import func, linalg, tensor, transform
from mlir.dialects.transform import interpreter, structured

with ir.Context(), ir.Location.unknown():
    payload = ir.Module.create()
    f32 = ir.F32Type.get()
    with ir.InsertionPoint(payload.body):

        @func.FuncOp.from_py_func(ir.RankedTensorType.get([64, 32], f32), ir.RankedTensorType.get([32, 16], f32))
        def product(x, y):
            return linalg.matmul(x, y, outs=[tensor.empty([64, 16], f32)])

    script = ir.Module.create()
    script.operation.attributes["transform.with_named_sequence"] = ir.UnitAttr.get()
    with ir.InsertionPoint(script.body):
        any_op = transform.AnyOpType.get()
        sequence = transform.NamedSequenceOp(
            "__transform_main", [any_op], [], arg_attrs=[{"transform.readonly": ir.UnitAttr.get()}]
        )
        with ir.InsertionPoint(sequence.body):
            found = structured.structured_match(any_op, sequence.bodyTarget, ops=["linalg.matmul"])
            structured.TileUsingForOp(found, sizes=[16, 8, 0])
            transform.YieldOp([])
    assert script.operation.verify() and payload.operation.verify()

    interpreter.apply_named_sequence(payload, script.body.operations[0], script)
    names = []
    payload.operation.walk(lambda op: names.append(op.name) or ir.WalkResult.ADVANCE)
    assert names.count("scf.for") == 2 and "tensor.extract_slice" in names, payload
print("ok")
