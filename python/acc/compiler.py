"""`acc.compile`: an ONNX model to something that runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from acc import _mlir, backend_cpu, ir
from acc._lib import _runtime
from acc.config import read_config
from acc.container import Constant, ModelContents, Splat, TensorInfo
from acc.dtypes import BY_MLIR
from acc.errors import CompileError
from acc.executable import Executable
from acc.frontend.specialize import Values
from acc.launches import describe
from acc.pipeline import Options, Pipeline, Shapes
from acc.report import LayerReport, make_reports, read_launches

__all__ = ["Compilation", "compile", "compile_contents", "compile_graph"]

TARGETS = ("cpu", "vta")
DIALECTS = ("acc", "public")

# Every buffer starts at a multiple of this: the vector width and a cache line.
MIN_ALIGNMENT = 64


@dataclass(frozen=True)
class Compilation:
    """What a compilation made: the contents of the model file, the layers, and the stages with their times."""

    contents: ModelContents
    layers: tuple[LayerReport, ...]
    stages: tuple[tuple[str, float], ...]


def compile(
    model: str | os.PathLike[str] | onnx.ModelProto,
    target: str = "cpu",
    config: str | os.PathLike[str] | Mapping[str, object] | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    values: Values | None = None,
    **options: Any,
) -> Executable:
    """Compiles an ONNX model and loads the result.

    model: a file or a ModelProto. target: "cpu" for native code, "vta" for the accelerator with what it cannot do in
    native code. config: the accelerator, a vta_config.json or its contents; None is the published configuration.
    shapes: for inputs with symbolic dimensions, {"x": (1, 3, 224, 224)}. values: for inputs
    that are always the same, {"axes": [0, 1]}; they become constants and are no longer inputs, which some operators
    need for what decides on shapes. Other options as of `compile_contents`.

    Raises ModelError (the model cannot be imported; every reason is listed; NeedsShape or NeedsValue if `shapes` or
    `values` would settle all of them), ConfigError (the configuration is
    illegal) or CompileError.
    """
    return Executable.from_contents(compile_contents(model, target, config, shapes, values, **options).contents)


def compile_contents(
    model: str | os.PathLike[str] | onnx.ModelProto,
    target: str = "cpu",
    config: str | os.PathLike[str] | Mapping[str, object] | None = None,
    shapes: Shapes | None = None,
    values: Values | None = None,
    *,
    cpu: str = "native",
    cpu_features: str = "",
    dump_stages: str | os.PathLike[str] | None = None,
    progress: Callable[[str], None] | None = None,
    vta_dialect: str | None = None,
    options: Options | None = None,
) -> Compilation:
    """As `compile`, but returns what `acc.container.write_model` writes.

    cpu: the processor native code is for, as LLVM names it; "native" is this machine's. cpu_features: "+f,-g" to add to
    or take from it. dump_stages: a folder for the IR after every pass. progress: called with the name of every stage.
    vta_dialect: what programs of the accelerator may use: "acc", everything, which is the default, or "public", what
    the public hardware designs agree on. options: policies, see `pipeline.Options`.
    """
    if target not in TARGETS:
        raise CompileError(f"there is no target '{target}': choose one of {', '.join(TARGETS)}")
    check_vta_options(target, config, vta_dialect)
    hardware = read_config(config) if target == "vta" else {}
    base = options or Options()
    pipeline = Pipeline(
        replace(
            base,
            target=target,
            config=hardware,
            dialect=vta_dialect or base.dialect,
            cpu=replace(
                base.cpu, cpu=cpu, features=cpu_features, alignment=_alignment(hardware) if hardware else MIN_ALIGNMENT
            ),
            dump=Path(dump_stages) if dump_stages is not None else base.dump,
            progress=progress or base.progress,
        )
    )
    return compile_graph(pipeline, pipeline.make_graph(model, shapes, values))


def compile_graph(pipeline: Pipeline, module: ir.Module) -> Compilation:
    """Compiles what `Pipeline.make_graph` made, or a module like it, which becomes something else meanwhile."""
    hardware = pipeline.options.config
    inputs, outputs = signature(module)
    pipeline.make_te(module)
    launches = read_launches(module)
    pipeline.make_vta(module)
    pipeline.make_llvm(module)
    programs = {str(op.attributes["sym_name"].value): _mlir.write_program(op) for op in _programs(module)}
    decoded = {name: _runtime.read_program(data) for name, data in programs.items()}
    layers = make_reports(launches, pipeline.placements, pipeline.decisions, decoded)
    bound = describe(pipeline.launches, pipeline.bindings, list(programs), pipeline.tensors)
    contents = ModelContents(
        image=pipeline.make_image(module),
        inputs=inputs,
        outputs=outputs,
        constants=[_constant(value) for value in backend_cpu.constants(module)],
        programs=list(programs.values()),
        workspace_bytes=backend_cpu.workspace_bytes(module),
        alignment=pipeline.options.cpu.alignment,
        guard_bytes=pipeline.options.cpu.guard_bytes,
        cpu_features=pipeline.options.cpu.all_features(),
        metadata={
            "target": pipeline.options.target,
            "cpu": pipeline.options.cpu.cpu,
            **({"config": hardware, "vta_dialect": pipeline.options.dialect} if hardware else {}),
            "layers": [layer.to_dict() for layer in layers],
            **({"launches": bound} if hardware else {}),
        },
    )
    return Compilation(contents, tuple(layers), tuple((s.name, s.seconds) for s in pipeline.stages))


def check_vta_options(target: str, config: object, dialect: str | None) -> None:
    """Raises CompileError for options of the accelerator that are for nothing, or wrong."""
    if dialect is not None and dialect not in DIALECTS:
        raise CompileError(
            f"there is no dialect '{dialect}' of the accelerator's instructions: choose one of {', '.join(DIALECTS)}"
        )
    for option, name in (
        (config, "a hardware configuration"),
        (dialect, "a dialect of the accelerator's instructions"),
    ):
        if option is not None and target != "vta":
            raise CompileError(f"{name} is for target 'vta', not for '{target}'")


def _alignment(config: Mapping[str, object]) -> int:
    """Accelerator addresses count elements, so every buffer must start at a multiple of the largest."""
    hardware = _runtime.Config(json.dumps(config))
    return max(MIN_ALIGNMENT, *(hardware.element_bytes(m) for m in ("uop", "wgt", "inp", "acc", "out")))


def _programs(module: ir.Module) -> list[ir.Operation]:
    return [op for op in module.body if op.name == "vta.program"]


def signature(module: ir.Module) -> tuple[list[TensorInfo], list[TensorInfo]]:
    """The inputs and outputs of main, while its types still have what only ONNX knows (signs)."""
    function = next(op for op in module.body if op.name == "func.func")
    block = function.regions[0].blocks[0]
    returned = block.operations[len(block.operations) - 1].operands

    def infos(attribute: str, values: Sequence[ir.Value]) -> list[TensorInfo]:
        if not values:
            return []
        result = []
        for entry, value in zip(function.attributes[attribute].value, values, strict=True):
            kind = ir.ShapedType(value.type)
            element = BY_MLIR.get(str(kind.element_type))
            name = str(entry["graph.name"])
            if element is None:
                raise CompileError(f"'{name}' has elements of {kind.element_type}, which no array can hold")
            result.append(TensorInfo(name, element.name, _sizes(kind, entry)))
        return result

    return infos("arg_attrs", list(block.arguments)), infos("res_attrs", list(returned))


def _sizes(kind: ir.ShapedType, entry: Any) -> tuple[int | str, ...]:
    """The shape, with the names that `graph.dims` gives to sizes that are not fixed."""
    names = [str(name) for name in entry["graph.dims"]] if "graph.dims" in entry else []
    names += [""] * (kind.rank - len(names))
    return tuple((name or "?") if size < 0 else size for size, name in zip(kind.shape, names, strict=True))


def _constant(value: Any) -> Constant:
    array = np.asarray(value)
    if isinstance(value, ir.DenseElementsAttr) and value.is_splat:
        return Splat(array.reshape(-1)[0], array.size)
    return array
