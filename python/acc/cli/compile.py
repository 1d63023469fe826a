"""`acc compile`: an ONNX model to a model file."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acc import targets
from acc.errors import CompileError

if TYPE_CHECKING:
    from acc.pipeline import Pipeline


def register(subparsers: Any) -> None:
    """Declares the command and its options."""
    parser = subparsers.add_parser(
        "compile",
        help="compile an ONNX model",
        description="Compiles an ONNX model to one file that Python, C and C++ programs can load, or with --target c "
        "to a folder of C source; or begins with, or stops at, a file of IR.",
    )
    parser.add_argument("model", metavar="model.onnx", nargs="?", help="the model")
    parser.add_argument(
        "-o", "--output", metavar="model.so", help="where the result goes: a file, or a folder for source"
    )
    parser.add_argument(
        "--from", dest="begin", metavar="FILE.mlir", help="go on from IR that --to or `acc import` wrote, not a model"
    )
    parser.add_argument("--to", metavar="FILE.mlir", help="stop after a stage and write the IR to this file")
    parser.add_argument(
        "--stop",
        metavar="STAGE",
        help="the stage for --to: import, graph, te, kernels, buffers, instructions (or the name of the accelerator) "
        "or llvm (default: by the name of the file, as in te.mlir)",
    )
    add_target(parser)
    add_shape(parser)
    add_value(parser)
    add_triple(parser)
    add_cpu(parser)
    add_threads(parser, "how many threads the model uses unless a run says otherwise (default: all cores there)")
    parser.add_argument(
        "--tuning",
        action="append",
        default=[],
        metavar="FILE",
        help="obey this log of acc tune, where it is for this hardware and version of acc; may be repeated",
    )
    parser.add_argument(
        "--tuning-device",
        metavar="NAME[:OPTION=VALUE,...]",
        default="",
        help="the device that the log was measured on, if acc tune was given one",
    )
    parser.add_argument(
        "--verify",
        nargs="?",
        const="end",
        choices=("end", "each"),
        help="run the model on random inputs, as compiled and after passes (with =each after every one), and write "
        "nothing if it does not compute the same",
    )
    parser.add_argument("--dump-stages", metavar="DIR", help="write the IR after every pass to this folder")
    parser.add_argument("--json", action="store_true", help="print the layers and times as JSON")
    parser.set_defaults(run=run)


def add_target(parser: argparse._ActionsContainer) -> None:
    """Declares --target and the options of targets; `target_options` reads them. `args.target` is a list of names."""
    parser.add_argument(
        "--target",
        type=lambda text: text.split(","),
        metavar="NAME[,NAME...]",
        help="what to compile for: cpu (the default), or accelerators in the order of preference, with native code for "
        "what they cannot do; `acc info` lists the installed ones",
    )
    parser.add_argument("--config", metavar="FILE", help="the hardware configuration (default: the target's own)")
    for flag in targets.flags():
        parser.add_argument(f"--{flag.name.replace('_', '-')}", metavar=flag.metavar, help=flag.help)
    add_option(parser)


def add_option(parser: Any) -> None:
    """Declares --option, for what targets have no option of the command line for."""
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        type=parse_option,
        metavar="NAME=VALUE",
        help="any other option of the target; may be repeated",
    )


def target_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of `add_target` beside --target and --config, by name."""
    return {flag.name: getattr(args, flag.name) for flag in targets.flags()} | dict(args.option)


def parse_option(text: str) -> tuple[str, str]:
    """Parses NAME=VALUE; raises argparse's error for anything else, or a name that has an option of its own."""
    name, separator, value = text.partition("=")
    if not separator or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form NAME=VALUE")
    if name == "config":
        raise argparse.ArgumentTypeError("the hardware configuration is given by --config")
    return name, value


def parse_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """Parses NAME=D,D,...; raises argparse's error for anything else."""
    name, separator, dims = text.rpartition("=")
    shape: tuple[int, ...] = ()
    try:
        shape = tuple(int(d) for d in dims.split(",")) if dims else ()
    except ValueError:
        separator = ""
    if not separator or not name or any(d < 0 for d in shape):
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form NAME=D,D,... such as x=1,3,224,224")
    return name, shape


def add_shape(parser: argparse._ActionsContainer, default: str = "") -> None:
    """Declares --shape. default: what sizes are without it, for the help."""
    parser.add_argument(
        "--shape",
        action="append",
        default=[],
        type=parse_shape,
        metavar="NAME=D,D,...",
        help="shape of an input that the model leaves open, as in --shape x=1,3,224,224"
        f"{default and f' (default: {default})'}; may be repeated",
    )


def add_triple(parser: argparse._ActionsContainer) -> None:
    """Declares --triple."""
    parser.add_argument(
        "--triple",
        default="",
        help="what machine native code is for, as in aarch64-linux-gnu; --cpu is then one of its processors, or, "
        "without it, what distributions are compiled for (default: this machine)",
    )


def add_cpu(parser: argparse._ActionsContainer) -> None:
    """Declares --cpu and --cpu-features."""
    parser.add_argument(
        "--cpu",
        metavar="NAME",
        default="native",
        help="processor for native code, as LLVM names it (default: native); for acc compile also several, separated "
        "by commas, from the least to the best: the model takes the best that the machine runs",
    )
    parser.add_argument(
        "--cpu-features", metavar="+F,-G", default="", help="features to add to or take from the processor"
    )


def add_threads(parser: argparse._ActionsContainer, help: str) -> None:
    """Declares --threads."""
    parser.add_argument("--threads", type=int, metavar="N", help=help)


def add_value(parser: argparse._ActionsContainer) -> None:
    """Declares --value."""
    parser.add_argument(
        "--value",
        action="append",
        default=[],
        type=parse_value,
        metavar="NAME=V,V,...",
        help="value of an input that is always the same, as in --value axes=0,1; it is compiled in; may be repeated",
    )


def parse_value(text: str) -> tuple[str, list[int] | list[float]]:
    """Parses NAME=V,V,... of integers or of numbers; raises argparse's error for anything else."""
    name, separator, numbers = text.rpartition("=")
    parts = numbers.split(",") if numbers else []
    for kind in (int, float):
        try:
            values = [kind(part) for part in parts]
        except ValueError:
            continue
        if separator and name:
            return name, values
    raise argparse.ArgumentTypeError(f"'{text}' is not of the form NAME=V,V,... such as axes=0,1")


class Progress:
    """Names the stage on standard error while it runs, on a terminal only."""

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()

    def __call__(self, stage: str) -> None:
        if self.shown:
            print(f"\r\x1b[K{stage} ...", end="", file=sys.stderr, flush=True)

    def finish(self) -> None:
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _check(args: argparse.Namespace) -> None:
    """Raises CompileError for options that contradict each other."""
    if (args.model is None) == (args.begin is None):
        raise CompileError("one model is compiled: name an ONNX model (model.onnx), or a file of IR by --from")
    if (args.output is None) == (args.to is None):
        raise CompileError("one thing is written: a compiled model with -o, or IR with --to")
    if args.begin is not None and (args.shape or args.value):
        raise CompileError("--shape and --value are for ONNX models: in IR they are settled")
    if args.stop is not None and args.to is None:
        raise CompileError("--stop says which stage --to stops after, and --to is not given")
    if args.verify is not None and (args.begin is not None or args.to is not None):
        raise CompileError("--verify follows a model from ONNX to what runs: it goes with neither --from nor --to")
    if args.to is not None and args.json:
        raise CompileError("--json describes a compiled model, and --to makes none")


def _verify(args: argparse.Namespace, pipeline: Pipeline) -> None:
    """Raises CompileError, naming the pass, if the model computes something else after it."""
    from acc.cli.bisect import expected_results
    from acc.inspect.bisection import bisect, random_inputs
    from acc.inspect.passes import record

    options = dataclasses.replace(pipeline.options, dump=None, progress=None)
    recording = record(type(pipeline)(options), args.model, dict(args.shape), dict(args.value))
    samples = random_inputs(recording.graph.inputs)
    expected = expected_results(args.model, samples, dict(args.value))
    found = bisect(recording, samples, expected=expected, each=args.verify == "each")
    if not found.is_clean:
        said = " ".join(found.text().splitlines())
        raise CompileError(f"{said} `acc bisect --extract` writes down what shows it; nothing is written here")


def _check_source(args: argparse.Namespace, name: str) -> None:
    """Raises CompileError for options that a target that makes source has no use for."""
    for given, option in (
        (args.to is not None, "--to"),
        (args.verify is not None, "--verify"),
        (args.tuning, "--tuning"),
        (args.cpu != "native" or args.cpu_features, "--cpu"),
        (args.triple, "--triple"),
        (args.threads is not None, "--threads"),
    ):
        if given:
            raise CompileError(f"target '{name}' makes source, and {option} is for compiled models")


def run(args: argparse.Namespace) -> int:
    """Runs the command; raises AccError on bad input."""
    from acc import stages
    from acc.compiler import compile_kernels, compile_levels, make_pipelines, resolve_source
    from acc.container import write_model
    from acc.files import check_new_folder, check_writable
    from acc.pipeline import Options
    from acc.targets.base import SourceTarget
    from acc.targets.cpu import CpuOptions
    from acc.threads import check_threads

    _check(args)
    threads = None if args.threads is None else check_threads(args.threads, CompileError)
    started = time.perf_counter()
    progress = Progress()
    try:
        read = stages.read(args.begin) if args.begin is not None else None
        names = args.target or (read.targets if read is not None else ["cpu"])
        dump = Path(args.dump_stages) if args.dump_stages is not None else None
        options = Options(
            cpu=CpuOptions(cpu=args.cpu, features=args.cpu_features, triple=args.triple, threads=threads),
            dump=dump,
            progress=progress,
            tuning=tuple(args.tuning),
            tuning_device=args.tuning_device,
        )
        chosen = resolve_source(names, args.config, **target_options(args))
        source = chosen if isinstance(chosen, SourceTarget) else None
        if source is not None:
            _check_source(args, source.name)
            check_new_folder(args.output, CompileError)
        else:
            check_writable(args.output or args.to)
        pipelines = make_pipelines((chosen,) if isinstance(chosen, SourceTarget) else chosen, options)
        if args.verify is not None and pipelines[0].options.cpu.is_foreign():
            raise CompileError(f"--verify runs the model, and what is for {args.triple} does not run on this machine")
        if len(pipelines) > 1 and (args.verify is not None or args.to is not None):
            raise CompileError("--verify and --to are for one processor: name one by --cpu")
        pipeline = pipelines[0]
        stop = None
        if args.to is not None:
            accelerators = [item.name for item in pipeline.options.accelerators]
            stop = stages.stop_name(args.stop or Path(args.to).name.partition(".")[0], accelerators)
        if read is not None:
            begun = stages.start(pipeline, read)
        else:
            begun = stages.Start(pipeline.import_module(args.model, dict(args.shape), dict(args.value)))
        if stop is not None:
            stages.write_after(pipeline, begun, stop, str(args.to))
            return 0
        if begun.kernels is not None and args.tuning:
            raise CompileError("--tuning is for kernels without schedules, and those of --from have theirs")
        graph = begun.graph or pipeline.simplify(begun.module)
        if begun.kernels is not None and len(pipelines) > 1:
            raise CompileError("kernels of --from are compiled for one processor: name one by --cpu")
        if source is not None:
            layers = source.write(pipeline, graph, args.output, str(args.model or args.begin), begun.kernels)
        else:
            if begun.kernels is not None:
                compilation = compile_kernels(pipeline, graph, begun.kernels)
            else:
                compilation = compile_levels(pipelines, graph)
            if args.verify is not None:
                progress("verifying")
                _verify(args, pipeline)
            progress("writing")
            write_model(args.output, compilation.contents)
            layers = compilation.layers
    finally:
        progress.finish()
    seconds = time.perf_counter() - started
    if args.json:
        result = {
            "output": args.output,
            "seconds": seconds,
            "stages": {stage.name: stage.seconds for stage in pipeline.stages},
            "layers": [layer.to_dict() for layer in layers],
        }
        print(json.dumps(result))
    return 0
