"""Runs lowered modules through upstream's generic passes: slow code, but independent of acc's code generator.

Kernels of both targets are linalg on tensors, so that what the accelerator is asked to compute can be run and compared
before a schedule or an instruction exists.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from acc import ir
from acc.passmanager import PassManager

LLVM = "/usr/lib/llvm-22/lib"

PIPELINE = """builtin.module(
  empty-tensor-to-alloc-tensor,
  one-shot-bufferize{bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map},
  func.func(buffer-loop-hoisting), buffer-results-to-out-params{modify-public-functions=1},
  func.func(convert-linalg-to-loops, lower-affine, convert-scf-to-cf), expand-strided-metadata, lower-affine,
  convert-math-to-llvm, convert-math-to-libm, convert-arith-to-llvm, finalize-memref-to-llvm, convert-cf-to-llvm,
  convert-func-to-llvm, convert-index-to-llvm, canonicalize, cse, reconcile-unrealized-casts)"""


def _as_functions(module: ir.Module) -> ir.Module:
    """te.kernel as func.func, te.launch as call."""
    text = str(module)
    text = re.sub(r"te\.kernel @", "func.func private @", text)
    text = re.sub(r"(func\.func private @[^\n]*) attributes \{[^\n]*\} \{\n", r"\1 {\n", text)
    text = text.replace("te.return", "return").replace("func.func @main(", "func.func @main(")

    def call(match: re.Match[str]) -> str:
        name, ins, in_types, outs, out_types, results = match.groups()
        operands = ", ".join(filter(None, [ins, outs]))
        types = ", ".join(filter(None, [in_types, out_types]))
        return f"call @{name}({operands}) : ({types}) -> ({results})"

    text = re.sub(
        r"te\.launch @([\w.]+) (?:ins\((%[^:]*) : ([^)]*)\) )?outs\((%[^:]*) : ([^)]*)\)(?: \{[^}]*\})? -> ([^\n]*)",
        call,
        text,
    )
    text = re.sub(r"graph\.constant (.*) : (tensor<[^>]*>)$", r"arith.constant \1", text, flags=re.MULTILINE)
    text = re.sub(r"module attributes \{[^\n]*\} \{", "module {", text)
    return ir.Module.parse(text, module.context)


class _Memref(ctypes.Structure):
    @classmethod
    def of(cls, array: np.ndarray) -> ctypes.Structure:
        rank = array.ndim
        fields = [("base", ctypes.c_void_p), ("data", ctypes.c_void_p), ("offset", ctypes.c_int64)]
        if rank:
            fields += [("sizes", ctypes.c_int64 * rank), ("strides", ctypes.c_int64 * rank)]
        kind = type(f"Memref{rank}", (ctypes.Structure,), {"_fields_": fields})
        value = kind(array.ctypes.data, array.ctypes.data, 0)
        for axis in range(rank):
            value.sizes[axis] = array.shape[axis]
            value.strides[axis] = array.strides[axis] // array.itemsize
        return value


def run_native(module: ir.Module, folder: Path, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Runs `main` of a module of linalg kernels on C-contiguous arrays."""
    functions = _as_functions(module)
    main = next(f for f in functions.body.operations if str(f.attributes["sym_name"]) == '"main"')
    main.attributes["llvm.emit_c_interface"] = ir.UnitAttr.get(module.context)
    results = [ir.RankedTensorType(t) for t in main.attributes["function_type"].value.results]
    dtypes = {"f32": np.float32, "i8": np.int8, "i32": np.int32, "i64": np.int64, "f64": np.float64, "i1": np.bool_}
    outputs = [np.zeros(t.shape, dtypes[str(t.element_type)]) for t in results]
    PassManager.parse(PIPELINE, context=module.context).run(functions.operation)
    source, llvm_ir, library = folder / "m.mlir", folder / "m.ll", folder / "m.so"
    source.write_text(str(functions))
    subprocess.run(["mlir-translate-22", "--mlir-to-llvmir", source, "-o", llvm_ir], check=True)
    flags = ["-O1", "-Wno-override-module", "-shared", "-fPIC", f"-L{LLVM}", f"-Wl,-rpath,{LLVM}"]
    command = ["clang-22", *flags, llvm_ir, "-lmlir_c_runner_utils", "-lm", "-o", library]
    subprocess.run(command, check=True)
    arguments = [_Memref.of(np.ascontiguousarray(a)) for a in [*inputs, *outputs]]
    ctypes.CDLL(str(library))._mlir_ciface_main(*(ctypes.byref(a) for a in arguments))
    return outputs
