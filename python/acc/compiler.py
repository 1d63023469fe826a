"""acc.compile: from an ONNX model to an executable, stage by stage.

Every stage is a function with a flat list of passes; here is their order, and what is written down about the result.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acc import backend_cpu, ir
from acc.backend_cpu import CpuOptions
from acc.container import Constant, ModelContents, Splat, TensorInfo
from acc.errors import CompileError
from acc.executable import Executable
from acc.frontend import import_onnx
from acc.partition import partition
from acc.passmanager import PassManager
from acc.report import LayerReport

if TYPE_CHECKING:
    import onnx

    Model = str | os.PathLike[str] | onnx.ModelProto

__all__ = ["Options", "compile", "compile_contents"]

Progress = Callable[[str, float], None]
"""Told what begins now, and which fraction of the work lies behind."""


@dataclass(frozen=True)
class Options:
    """How a model is compiled, beside the target.

    cpu: for which processor native code is made. dump_stages: a folder that gets the IR after every pass, numbered.
    progress: is told what begins.
    """

    cpu: CpuOptions = field(default_factory=CpuOptions)
    dump_stages: str | os.PathLike[str] | None = None
    progress: Progress | None = None


class Pipeline:
    """Runs stages of passes on one module, dumping and reporting as the options say."""

    def __init__(self, module: ir.Module, options: Options) -> None:
        self.module = module
        self._options = options
        self._dumps = 0

    def begin(self, what: str, fraction: float) -> None:
        """Reports progress."""
        if self._options.progress is not None:
            self._options.progress(what, fraction)

    def run(self, stage: str, add: Callable[[PassManager], None]) -> None:
        """Runs the passes that `add` adds; raises MLIRError with their diagnostics."""
        if self._options.dump_stages is None:
            manager = PassManager(context=self.module.context)
            add(manager)
            manager.run(self.module)
        else:
            add(_SteppingManager(self, stage))

    def dump(self, label: str) -> None:
        """Writes the IR as it is now to a file of its own, if that is wanted."""
        if self._options.dump_stages is None:
            return
        folder = Path(self._options.dump_stages)
        text = self.module.operation.get_asm(large_elements_limit=16, large_resource_limit=16)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{self._dumps:03d}-{label}.mlir").write_text(text)
        except OSError as error:
            raise CompileError(f"cannot write stages to '{folder}': {error.strerror or error}") from None
        self._dumps += 1


class _SteppingManager(PassManager):
    """Runs every pass as soon as it is added, to dump the IR once after each, not once for every kernel."""

    def __init__(self, pipeline: Pipeline, stage: str) -> None:
        super().__init__(context=pipeline.module.context)
        self._pipeline = pipeline
        self._stage = stage

    def add(self, passes: str | Callable[[ir.Operation], object], name: str | None = None) -> None:
        manager = PassManager(context=self.context)
        manager.add(passes, name)
        text = passes.split("{")[0] if isinstance(passes, str) else name or "python"
        label = f"{self._stage}-{text.replace('(', '-').rstrip(')')}"
        try:
            manager.run(self._pipeline.module)
        except Exception:
            self._pipeline.dump(f"{label}-failed")
            raise
        self._pipeline.dump(label)


def make_graph(pm: PassManager) -> None:
    """Simplifies the imported graph and turns its quantized operators into exact integer arithmetic."""
    pm.add("canonicalize")
    pm.add("func.func(graph-fold-batch-norm)")
    pm.add("canonicalize")
    pm.add("cse")
    pm.add("func.func(graph-legalize-quantization)")
    pm.add("canonicalize")
    pm.add("cse")


def make_kernels(pm: PassManager) -> None:
    """Outlines the kernels that `partition` chose, as linalg on tensors."""
    pm.add("graph-outline-kernels")
    pm.add("graph-to-linalg")


def compile_contents(
    model: Model,
    target: str = "cpu",
    shapes: Mapping[str, Sequence[int]] | None = None,
    options: Options | None = None,
) -> ModelContents:
    """Compiles a model to what its file consists of; see `compile`."""
    options = options or Options()
    if target != "cpu":
        raise CompileError(f"unknown target '{target}': it is \"cpu\"")
    if options.progress is not None:
        options.progress("import", 0.0)
    module = import_onnx(model, shapes)
    inputs, outputs = _signature(module)
    pipeline = Pipeline(module, options)
    pipeline.dump("import")

    pipeline.begin("graph", 0.05)
    pipeline.run("graph", make_graph)
    macs = _count_macs(module, target)
    pipeline.run("kernels", make_kernels)
    reports = _describe_kernels(module, macs)

    pipeline.begin("schedule", 0.1)
    pipeline.run("te", lambda pm: backend_cpu.make_te(pm, options.cpu))
    pipeline.begin("lower", 0.2)
    order: list[str] = []
    pipeline.run("llvm", lambda pm: backend_cpu.make_llvm(pm, options.cpu, order))
    pipeline.begin("native code", 0.4)
    image = backend_cpu.make_image(module, options.cpu)
    pipeline.begin("done", 1.0)
    return ModelContents(
        image=image,
        inputs=inputs,
        outputs=outputs,
        constants=[_constant(value) for value in backend_cpu.constants(module)],
        workspace_bytes=backend_cpu.workspace_bytes(module),
        alignment=options.cpu.alignment,
        cpu_features=options.cpu.all_features(),
        metadata={"target": target, "layers": [reports[name].to_dict() for name in order]},
    )


def compile(
    model: Model,
    target: str = "cpu",
    shapes: Mapping[str, Sequence[int]] | None = None,
    options: Options | None = None,
) -> Executable:
    """Compiles an ONNX model and loads the result.

    model: path or parsed model. target: "cpu". shapes: sizes of inputs that the model leaves open, by name.
    Raises ModelError for what cannot be imported and CompileError for what cannot be compiled.
    """
    return Executable.from_contents(compile_contents(model, target, shapes, options))


# What is written down about the result


_DTYPES = {
    **{"f32": "float32", "f64": "float64", "f16": "float16", "bf16": "bfloat16", "i1": "bool"},
    **{f"i{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"{sign}i{bits}": f"{prefix}int{bits}" for sign, prefix in (("u", "u"), ("s", "")) for bits in (8, 16, 32, 64)},
}


def _function(module: ir.Module) -> ir.Operation:
    return next(op for op in module.body.operations if op.name == "func.func")


def _signature(module: ir.Module) -> tuple[list[TensorInfo], list[TensorInfo]]:
    """Inputs and outputs of an imported model."""
    function = _function(module)
    block = function.regions[0].blocks[0]
    returned = block.operations[len(block.operations) - 1].operands

    def infos(attribute: str, values: Sequence[ir.Value]) -> list[TensorInfo]:
        if not values:
            return []
        result = []
        for entry, value in zip(function.attributes[attribute].value, values, strict=True):
            kind = ir.ShapedType(value.type)
            dtype = _DTYPES.get(str(kind.element_type))
            name = str(entry["graph.name"])
            if dtype is None:
                raise CompileError(f"'{name}' has elements of {kind.element_type}, which no array can hold")
            result.append(TensorInfo(name, dtype, tuple(kind.shape)))
        return result

    return infos("arg_attrs", list(block.arguments)), infos("res_attrs", list(returned))


def _constant(value: Any) -> Constant:
    array = np.asarray(value)
    if isinstance(value, ir.DenseElementsAttr) and value.is_splat:
        return Splat(array.reshape(-1)[0], array.size)
    return array


def _macs(op: ir.Operation) -> int:
    """Multiply-accumulates of an operator of graph."""
    out = ir.ShapedType(op.results[0].type).shape if op.results else []
    if op.name in ("graph.conv", "graph.conv_integer"):
        return int(np.prod(out) * np.prod(ir.ShapedType(op.operands[1].type).shape[1:]))
    if op.name in ("graph.gemm", "graph.gemm_integer", "graph.mat_mul"):
        shape = ir.ShapedType(op.operands[0].type).shape
        transposed = op.name == "graph.gemm" and "transA" in op.attributes and op.attributes["transA"].value
        return int(np.prod(out) * (shape[0] if transposed else shape[-1]))
    return 0


def _count_macs(module: ir.Module, target: str) -> dict[str, int]:
    """Chooses the kernels; returns the multiply-accumulates of each, by its first ONNX node."""
    partition(module, target)
    macs: dict[str, int] = {}
    for op in _function(module).regions[0].blocks[0].operations:
        if "graph.kernel" in op.attributes:
            for name in op.location.names:
                macs[name] = macs.get(name, 0) + _macs(op)
                break
    return macs


def _describe_kernels(module: ir.Module, macs: Mapping[str, int]) -> dict[str, LayerReport]:
    """One report per kernel; every launch remembers its kernel's name, whatever kernel it shares later."""
    reports: dict[str, LayerReport] = {}
    for op in module.body.operations:
        if op.name != "te.kernel":
            continue
        name = str(op.attributes["sym_name"].value)
        layers = tuple(op.attributes["layers"].value) if "layers" in op.attributes else ()
        reason = str(op.attributes["graph.reason"].value) if "graph.reason" in op.attributes else ""
        count = sum(macs.get(layer, 0) for layer in layers)
        reports[name] = LayerReport(layers, name, str(op.attributes["target"].value), reason, count)
    for op in _function(module).regions[0].blocks[0].operations:
        if op.name == "te.launch":
            op.attributes["kernel_name"] = str(op.attributes["kernel"].value)
    return reports
