"""`acc.compile`: an ONNX model to something that runs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import onnx

from acc import ir, targets
from acc.arena import Arena, check_fits, measure, scratch_bytes
from acc.container import Level, ModelContents, Program
from acc.errors import CompileError, ModelWarning
from acc.executable import Executable
from acc.frontend.specialize import Values
from acc.pipeline import Graph, Kernels, Lowered, Options, Pipeline, Shapes
from acc.report import LayerReport, make_reports
from acc.targets.base import MIN_ALIGNMENT, Accelerator, SourceTarget, Target
from acc.targets.cpu import CpuOptions
from acc.threads import check_threads

__all__ = [
    "Compilation",
    "compile",
    "compile_contents",
    "compile_graph",
    "compile_kernels",
    "compile_levels",
    "describe",
    "make_pipeline",
    "make_pipelines",
    "resolve_source",
    "resolve_targets",
]

_QUANTIZED = frozenset(
    f"graph.{name}"
    for name in ("quantize_linear", "dequantize_linear", "requantize", "lookup", "storage_cast", "rebase")
)
"""Operators one of which every quantized model has, legalized or not."""

Model = str | os.PathLike[str] | onnx.ModelProto
TargetChoice = str | Target | Sequence[str | Target]
Config = str | os.PathLike[str] | Mapping[str, object]
Tuning = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True)
class Compilation:
    """What a compilation made: the contents of the model file, the layers, and the stages with their times."""

    contents: ModelContents
    layers: tuple[LayerReport, ...]
    stages: tuple[tuple[str, float], ...]


def compile(
    model: Model,
    target: TargetChoice = "cpu",
    config: Config | None = None,
    shapes: Shapes | None = None,
    values: Values | None = None,
    *,
    cpu: str = "native",
    cpu_features: str = "",
    triple: str = "",
    threads: int | None = None,
    dump_stages: str | os.PathLike[str] | None = None,
    progress: Callable[[str], None] | None = None,
    options: Options | None = None,
    tuning: Tuning = (),
    tuning_device: str = "",
    **target_options: object,
) -> Executable:
    """Compiles an ONNX model and loads the result.

    model: a file or a ModelProto. target: the name of an installed target (`acc info` lists them): "cpu" for native
    code, or an accelerator, with native code for what it cannot do; a Target object, which has options of its own; or
    several of them in the order of preference. config: the hardware configuration of a target chosen by name; None is
    the target's own. shapes: for inputs with symbolic dimensions, {"x": (1, 3, 224, 224)}. values: for inputs that are
    always the same, {"axes": [0, 1]}; they become constants and are no longer inputs, which some operators need for
    what decides on shapes. cpu: the processor native code is for, as LLVM names it; "native" is this machine's.
    Several, as in "x86-64-v2,x86-64-v4", from the least to the best, make a model that takes the best that the machine
    runs on which it is loaded. cpu_features: "+f,-g" to add to or take from it. triple: of another machine, such as
    "aarch64-linux-gnu", whose processor `cpu` is then; what this machine cannot load is written by `acc compile`, or by
    `compile_contents` and `acc.container.write_model`. threads: how many threads the model uses unless it is told
    otherwise where it runs; None is all the cores that the process may use there. dump_stages: a folder for the IR
    after every pass. progress: called with the name of every stage. options: policies, see `pipeline.Options`; its
    accelerators give way to those of `target`. tuning: one or more logs of `acc.tune`, which are obeyed where they are
    for this hardware and this version of acc; a log with nothing of that kind is a TuningWarning. tuning_device: the
    device that they were measured on, if it is not the target's own choice. target_options: options of a target chosen
    by name (`Target.takes`).

    Raises ModelError (the model cannot be imported; every reason is listed; NeedsShape or NeedsValue if `shapes` or
    `values` would settle all of them), ConfigError (the configuration is illegal) or CompileError.
    """
    processor = CpuOptions(cpu, cpu_features, triple=triple).levels()[0]
    if processor.is_foreign():
        raise CompileError(
            f"a model for {processor.facts().triple} cannot be loaded on this machine: write it to a file, by "
            "`acc compile` or by acc.compiler.compile_contents and acc.container.write_model"
        )
    compilation = compile_contents(
        model,
        target,
        config,
        shapes,
        values,
        cpu=cpu,
        cpu_features=cpu_features,
        triple=triple,
        threads=threads,
        dump_stages=dump_stages,
        progress=progress,
        options=options,
        tuning=tuning,
        tuning_device=tuning_device,
        **target_options,
    )
    return Executable.from_contents(compilation.contents)


def compile_contents(
    model: Model,
    target: TargetChoice = "cpu",
    config: Config | None = None,
    shapes: Shapes | None = None,
    values: Values | None = None,
    *,
    cpu: str = "native",
    cpu_features: str = "",
    triple: str = "",
    threads: int | None = None,
    dump_stages: str | os.PathLike[str] | None = None,
    progress: Callable[[str], None] | None = None,
    options: Options | None = None,
    tuning: Tuning = (),
    tuning_device: str = "",
    **target_options: object,
) -> Compilation:
    """As `compile`, but returns what `acc.container.write_model` writes."""
    base = options or Options()
    if threads is not None:
        threads = check_threads(threads, CompileError)
    chosen = resolve_targets(target, config, **target_options)
    base = replace(
        base,
        dump=Path(dump_stages) if dump_stages is not None else base.dump,
        progress=progress or base.progress,
        tuning=((tuning,) if isinstance(tuning, str | os.PathLike) else tuple(tuning)) or base.tuning,
        tuning_device=tuning_device or base.tuning_device,
    )
    processors = replace(base.cpu, cpu=cpu, features=cpu_features, triple=triple, threads=threads or base.cpu.threads)
    pipelines = make_pipelines(chosen, replace(base, cpu=processors))
    return compile_levels(pipelines, pipelines[0].import_graph(model, shapes, values))


def compile_levels(pipelines: Sequence[Pipeline], graph: Graph) -> Compilation:
    """As compile_graph, for the processor of each pipeline: what these have in common is in the file once."""
    graphs = [replace(graph, module=graph.module.clone()) for _ in pipelines[1:]]
    first, *others = (compile_graph(*each) for each in zip(pipelines, [graph, *graphs], strict=True))
    levels: list[Level] = []
    for other in others:
        assert other.contents.programs == first.contents.programs
        levels.append(
            Level(
                cpu=str(other.contents.metadata["cpu"]),
                image=other.contents.image,
                constants=other.contents.constants,
                workspace_bytes=other.contents.workspace_bytes,
                cpu_features=other.contents.cpu_features,
            )
        )
    uses_threads = any(each.contents.uses_threads for each in (first, *others))
    read = zip(*(each.contents.inputs for each in (first, *others)), strict=True)
    inputs = tuple(replace(infos[0], anywhere=all(info.anywhere for info in infos)) for infos in read)
    contents = replace(first.contents, inputs=inputs, levels=levels, uses_threads=uses_threads)
    return replace(first, contents=contents)


def make_pipeline(chosen: Sequence[Target], options: Options) -> Pipeline:
    """A compilation for targets, otherwise with these options."""
    accelerators = tuple(item for item in chosen if isinstance(item, Accelerator))
    alignment = max((MIN_ALIGNMENT, *(item.alignment for item in accelerators)))
    return Pipeline(
        replace(
            options,
            accelerators=accelerators,
            cpu=replace(options.cpu, alignment=alignment),
            ties=_ties(chosen, options.ties),
            fixed_sizes=options.fixed_sizes or any(isinstance(item, SourceTarget) for item in chosen),
        )
    )


def make_pipelines(chosen: Sequence[Target], options: Options) -> list[Pipeline]:
    """A compilation for each of the processors in `options.cpu`; several of them dump to folders of their names."""
    levels = options.cpu.levels()
    dump = options.dump
    return [
        make_pipeline(
            chosen, replace(options, cpu=level, dump=dump / level.cpu if dump is not None and len(levels) > 1 else dump)
        )
        for level in levels
    ]


def compile_graph(pipeline: Pipeline, graph: Graph) -> Compilation:
    """Compiles what `Pipeline.import_graph` or `Pipeline.simplify` made; its module becomes something else."""
    accelerators = pipeline.options.accelerators
    if accelerators and not _is_quantized(graph):
        warnings.warn(
            f"nothing of the model runs on '{_name(accelerators)}', since it computes in floating point: "
            "`acc quantize` makes a model of integers of it",
            ModelWarning,
            stacklevel=2,
        )
    return compile_kernels(pipeline, graph, pipeline.make_kernels(graph))


def compile_kernels(pipeline: Pipeline, graph: Graph, kernels: Kernels) -> Compilation:
    """Compiles what `Pipeline.make_kernels` made of a graph; its module becomes something else."""
    accelerators, cpu = pipeline.options.accelerators, pipeline.options.cpu
    facts = cpu.facts()
    lowered = pipeline.lower(kernels)
    layers = make_reports(kernels, lowered.programs, accelerators, lowered.order)
    layers = [replace(layer, parallel=lowered.parallel.get(layer.kernel, "")) for layer in layers]
    arena = _measure(pipeline, graph, kernels, lowered) if lowered.programs else None
    contents = ModelContents(
        image=lowered.image,
        inputs=tuple(
            # Main takes the outputs behind them.
            replace(info, anywhere=anywhere)
            for info, anywhere in zip(graph.inputs, lowered.anywhere, strict=False)
        ),
        outputs=graph.outputs,
        constants=lowered.constants,
        programs=[Program(p.instruction_set or p.target, p.data, p.buffers) for p in lowered.programs],
        workspace_bytes=lowered.workspace_bytes,
        alignment=cpu.alignment,
        guard_bytes=cpu.guard_bytes,
        uses_threads=lowered.uses_threads,
        threads=cpu.threads,
        cpu_features=facts.features,
        metadata={
            "target": _name(accelerators),
            "triple": facts.triple,
            "cpu": facts.cpu,
            "ties": pipeline.options.ties,
            **_metadata(accelerators),
            "layers": [layer.to_dict() for layer in layers],
            **({"arena": arena.to_dict()} if arena else {}),
            **lowered.metadata,
        },
    )
    return Compilation(contents, tuple(layers), tuple((s.name, s.seconds) for s in pipeline.stages))


def _measure(pipeline: Pipeline, graph: Graph, kernels: Kernels, lowered: Lowered) -> Arena:
    """The memory that a model with programs takes; raises CompileError if an accelerator has less."""
    by_name = {item.name: item for item in pipeline.options.accelerators}
    launches = cast(Sequence[Mapping[str, Any]], lowered.metadata.get("launches", ()))
    arena = measure(
        lowered.constants,
        (*graph.inputs, *graph.outputs),
        [by_name[program.target].program_bytes(program) for program in lowered.programs],
        lowered.workspace_bytes,
        scratch_bytes(launches),
        pipeline.options.cpu.alignment,
    )
    for name in dict.fromkeys(program.target for program in lowered.programs):
        if (limit := by_name[name].memory_limit()) is not None:
            check_fits(arena, kernels.moment, *limit)
    return arena


def describe(
    model: Model,
    target: TargetChoice = "cpu",
    config: Config | None = None,
    shapes: Shapes | None = None,
    values: Values | None = None,
    **target_options: object,
) -> dict[str, Any]:
    """What would become of a model: its inputs, outputs and layers, JSON-compatible, as far as the policies decide.

    Parameters and errors are those of `compile`.
    """
    chosen = resolve_targets(target, config, **target_options)
    accelerators = tuple(item for item in chosen if isinstance(item, Accelerator))
    pipeline = Pipeline(Options(accelerators=accelerators, ties=_ties(chosen)))
    graph = pipeline.import_graph(model, shapes, values)
    kernels = pipeline.make_kernels(graph)
    return {
        "target": _name(accelerators),
        "ties": pipeline.options.ties,
        **_metadata(accelerators),
        "inputs": [info.to_dict() for info in graph.inputs],
        "outputs": [info.to_dict() for info in graph.outputs],
        "layers": [layer.to_dict() for layer in make_reports(kernels)],
    }


def resolve_targets(target: TargetChoice, config: Config | None = None, **options: object) -> tuple[Target, ...]:
    """The targets that `target` chooses; those chosen by name get `config` and `options`, where they are not None.

    Raises CompileError for an unknown name, for something else than a name or a Target, for an option that no target
    takes, or for a target that makes source; ConfigError for an illegal configuration.
    """
    chosen = _resolve(target, config, **options)
    for item in chosen:
        if isinstance(item, SourceTarget):
            raise CompileError(
                f"target '{item.name}' makes source files, which acc does not run: "
                f"`acc compile --target {item.name} -o FOLDER` writes them"
            )
    return chosen


def resolve_source(
    target: TargetChoice, config: Config | None = None, **options: object
) -> SourceTarget | tuple[Target, ...]:
    """As `resolve_targets`, but with the target alone if it makes source; raises CompileError if there are others."""
    chosen = _resolve(target, config, **options)
    sources = [item for item in chosen if isinstance(item, SourceTarget)]
    if sources and len(chosen) > 1:
        names = " and ".join(f"'{item.name}'" for item in chosen if item is not sources[0])
        raise CompileError(
            f"target '{sources[0].name}' makes source of the whole model, and programs of other targets cannot be part "
            f"of it: leave out {names}"
        )
    return sources[0] if sources else chosen


def _resolve(target: TargetChoice, config: Config | None = None, **options: object) -> tuple[Target, ...]:
    choices = list(target) if isinstance(target, Sequence) and not isinstance(target, str) else [target]
    given = {name: value for name, value in {"config": config, **options}.items() if value is not None}
    named = {choice: targets.find(choice) for choice in choices if isinstance(choice, str)}
    _check_options(given, named)
    chosen: list[Target] = []
    for choice in choices:
        if isinstance(choice, Target):
            chosen.append(choice)
        elif isinstance(choice, str):
            kind = named[choice]
            chosen.append(kind.from_options({name: given[name] for name in kind.takes if name in given}))
        else:
            raise CompileError(f"a target is a name or a Target, not {type(choice).__name__}")
        _ = chosen[-1].metadata  # What is wrong with its options is known before the model is read.
    if not chosen:
        raise CompileError(f"no target is given: choose among {', '.join(targets.names())}")
    repeated = [item.name for item in chosen]
    if len(set(repeated)) < len(repeated):
        raise CompileError(f"a target is given twice: {', '.join(repeated)}")
    return tuple(chosen)


def _check_options(given: Mapping[str, object], named: Mapping[str, type[Target]]) -> None:
    """Raises CompileError for an option that no target chosen by name takes, with those that would."""
    for option in given:
        if any(option in kind.takes for kind in named.values()):
            continue
        if not named:
            raise CompileError(f"'{option}' is for a target chosen by name: a Target object holds its own")
        known = {name: kind.takes for name in targets.names() if (kind := targets.load(name)) is not None}
        takers = [f"'{name}'" for name, takes in known.items() if option in takes]
        asked = " and ".join(f"'{name}'" for name in named)
        if not takers:
            offered = sorted({key for takes in known.values() for key in takes})
            raise CompileError(f"no target has an option '{option}': there are {', '.join(offered)}")
        what = next(takes[option] for takes in known.values() if option in takes)
        raise CompileError(f"{what} is for target {' or '.join(takers)}, not for {asked}")


def _is_quantized(graph: Graph) -> bool:
    """Whether anything in a model is quantized or computed with quantized numbers, or nothing is computed."""
    operations = [op for function in graph.module.body.operations for op in _inner(function)]
    return any(op.name in _QUANTIZED for op in operations) or not operations


def _inner(function: ir.Operation) -> list[ir.Operation]:
    blocks = function.regions[0].blocks if function.name == "func.func" else ()
    return [op for block in blocks for op in block.operations if op.name not in ("func.return", "graph.constant")]


def _name(accelerators: Sequence[Accelerator]) -> str:
    return "+".join(item.name for item in accelerators) or "cpu"


def _ties(chosen: Sequence[Target], otherwise: str = "even") -> str:
    """Where one half goes in the whole model: up if one of the targets wants it there."""
    return "up" if any(item.ties == "up" for item in chosen) else otherwise


def _metadata(accelerators: Sequence[Accelerator]) -> dict[str, Any]:
    return {key: value for item in accelerators for key, value in item.metadata.items()}
