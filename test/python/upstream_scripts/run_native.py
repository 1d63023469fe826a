"""Multiplies matrices: linalg, bufferized and lowered by upstream's passes, run by upstream's execution engine."""

import ctypes

import numpy as np
from mlir import ir
from mlir.dialects import func, linalg
from mlir.execution_engine import ExecutionEngine
from mlir.passmanager import PassManager
from mlir.runtime import get_ranked_memref_descriptor

with ir.Context(), ir.Location.unknown():
    module = ir.Module.create()
    f32 = ir.F32Type.get()
    a = ir.MemRefType.get([4, 8], f32)
    b = ir.MemRefType.get([8, 3], f32)
    c = ir.MemRefType.get([4, 3], f32)
    with ir.InsertionPoint(module.body):

        @func.FuncOp.from_py_func(a, b, c)
        def product(x, y, out):
            linalg.matmul(x, y, outs=[out])

    module.body.operations[0].attributes["llvm.emit_c_interface"] = ir.UnitAttr.get()
    pipeline = "convert-linalg-to-loops,convert-scf-to-cf,expand-strided-metadata,lower-affine,convert-arith-to-llvm"
    pipeline += ",finalize-memref-to-llvm,convert-func-to-llvm,convert-cf-to-llvm,reconcile-unrealized-casts"
    PassManager.parse(f"builtin.module({pipeline})").run(module.operation)
    engine = ExecutionEngine(module, opt_level=2)

rng = np.random.default_rng(0)
left, right = rng.random((4, 8), np.float32), rng.random((8, 3), np.float32)
result = np.zeros((4, 3), np.float32)
arguments = [ctypes.pointer(ctypes.pointer(get_ranked_memref_descriptor(m))) for m in (left, right, result)]
engine.invoke("product", *arguments)
np.testing.assert_allclose(result, left @ right, rtol=1e-5)
print("ok")
